#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Where make and the scripts put files, and what they remove: asserts that they never
# touch files of others, and never use files that other users could have written.
# host
#
# shellcheck disable=SC2016 # expressions of other shells
set -uo pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1

top=$PWD
here=$top/scripts
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
temporary places
dir=$tmp
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh



# --- make in a path with a blank.

tree()
{
	mkdir -p "$1"
	cp -R "$top"/{Makefile,Kbuild,VERSION,AUTHORS,module,include,tools,tests,scripts} "$1"
	mkdir -p "$1/build"
}

in_blank()
{
	rm -rf "$dir/make"
	tree "$dir/make/a tree"
	mkdir -p "$dir/make/a/module" "$dir/make/a tree/tree/build"
	for file in a/precious a/module/precious.o 'a tree/tree/build/precious'; do
		echo x >"$dir/make/$file"
	done
	# A neighbouring directory that kbuild would take for a module.
	cp "$top/Kbuild" "$dir/make/a/"
	(cd "$dir/make/a tree" && "$@" >"$dir/log" 2>&1)
}

for flag in -i -k -n; do
	in_blank make $flag clean
	is 2 $? "make $flag clean in a path with a blank is refused"
	grep -q 'there is a blank in the path' "$dir/log"
	ok $? "make $flag clean: message"
	is 3 "$(find "$dir/make" -name 'precious*' | wc -l)" \
		"make $flag clean: neighbouring files stay"
done
mkdir "$dir/out" && touch "$dir/out/precious" "$dir/daxstack"
make -i -C tools O="$dir/out $dir" clean >"$dir/log" 2>&1
is 2 $? 'make -C tools O="A B" clean is refused'
make -i -C tests O="$dir/out $dir" clean >"$dir/log" 2>&1
is 2 $? 'make -C tests O="A B" clean: refused'
[ -e "$dir/daxstack" ] && [ -e "$dir/out/precious" ]
ok $? 'make clean with a blank in O removes nothing'
# From a copy: other tests run the programs of this tree, which another PREFIX would
# build again under them.
cp -a "$top/build/tools" "$dir/built"
programs_before=$(stat -c '%n %i %Y' "$top"/build/tools/daxstack{,d})
make -s -C tools O="$dir/built" PREFIX=/p DESTDIR="$dir/a root" install >"$dir/log" 2>&1
ok $? 'make install to a path with a blank'
is "$dir/a root/p/bin/daxstack" \
	"$(find "$dir" -path "$dir/built" -prune -o -name daxstack -type f -perm 755 -print)" \
	'make install: to that path only'
is "$programs_before" "$(stat -c '%n %i %Y' "$top"/build/tools/daxstack{,d})" \
	'make install with another PREFIX: programs of this tree stay'

# --- The cache.

# In a tree of its own, because of the files it puts there.
tree "$dir/tree"

# cache FUNCTION...: calls a function of scripts/lib.sh in the caller's environment.
cache()
{
	bash -c 'set -euo pipefail; here=$1; shift; . "$here/lib.sh"; "$@"' \
		buildpaths "$dir/tree/scripts" "$@" 2>"$dir/err"
}

mkdir -p "$dir/home" "$dir/xdg"
fallback=$dir/tree/build/cache
is "$dir/home/.cache/daxstack" "$(HOME=$dir/home XDG_CACHE_HOME='' cache cache_dir)" \
	'a cache in HOME'
is "$dir/xdg/daxstack" "$(XDG_CACHE_HOME=$dir/xdg cache cache_dir)" \
	'a cache in XDG_CACHE_HOME'
is "$dir/home/.cache/daxstack" "$(HOME=$dir/home XDG_CACHE_HOME=xdg cache cache_dir)" \
	'a relative XDG_CACHE_HOME is ignored'
[ ! -s "$dir/err" ]
ok $? '... without a note'
is "$fallback" "$(env -u HOME -u XDG_CACHE_HOME bash -c \
	'set -euo pipefail; here=$1; . "$here/lib.sh"; cache_dir' \
	places "$dir/tree/scripts" 2>"$dir/err")" 'no HOME: the cache is in the tree'
grep -q "note: no HOME and no XDG_CACHE_HOME: $fallback is the cache" "$dir/err"
ok $? 'no HOME: note'
is "$fallback" "$(XDG_CACHE_HOME=/dev/null/x cache cache_dir)" \
	'a cache that cannot be created: in the tree'
grep -q 'note: /dev/null/x/daxstack cannot be made' "$dir/err"
ok $? 'a cache that cannot be created: note'

# untrusted NAME: asserts that the directory $dir/xdg is not used as it is.
untrusted()
{
	is "$fallback" "$(XDG_CACHE_HOME=$dir/xdg cache cache_dir)" \
		"$1: not used"
	grep -q "note: others can write to $dir/xdg/daxstack" "$dir/err"
	ok $? "$1: note"
	XDG_CACHE_HOME=$dir/xdg cache cache_find thing >"$dir/found"
	is "1 " "$? $(cat "$dir/found")" "$1: its contents are not used"
}

mkdir -p "$dir/xdg/daxstack/thing"
is "$dir/xdg/daxstack/thing" "$(XDG_CACHE_HOME=$dir/xdg cache cache_find thing)" \
	'an entry of the cache is found'
for path in xdg xdg/daxstack; do
	for mode in 775 777; do
		chmod $mode "$dir/$path"
		untrusted "$path with mode $mode"
	done
	chmod 755 "$dir/$path"
done
if [ "$(id -u)" = 0 ]; then
	for path in xdg xdg/daxstack; do
		chown 65534 "$dir/$path"
		untrusted "$path of another user"
		chown 0 "$dir/$path"
	done
	mkdir -m 1777 "$dir/shared"
	mkdir -p "$dir/shared/evil/daxstack/thing"
	chown -R 65534 "$dir/shared/evil"
	rm -rf "$dir/xdg"
	ln -s shared/evil "$dir/xdg"
	untrusted 'a link to the directory of another user'
	rm "$dir/xdg"
	mkdir -p "$dir/xdg/daxstack/thing"

	# A checkpatch.pl planted there would be run. Reuse earlier downloads.
	archive=$("$top/scripts/kernel/kernel-source" 7.3)
	ln -s "$(dirname "$archive")"/{apt-*,source-*} "$fallback/"
	kernel=$("$top/scripts/kernel/guest-kernel" "${DAXSTACK_KERNEL:-6.12}")
	evil=$dir/xdg/daxstack/checkpatch-$(basename "$archive" .tar.xz)
	small=$dir/small
	mkdir -p "$evil" "$small/include" "$small/module" "$small/scripts"
	printf '#!/bin/sh\ntouch "%s"\n' "$dir/was-run" >"$evil/checkpatch.pl"
	chmod 755 "$evil/checkpatch.pl"
	# The smallest tree that scripts/test/style accepts.
	printf '%s\n' '# SPDX-License-Identifier: GPL-2.0-only' 'obj-m := x.o' \
		'x-y := module/y.o' >"$small/Kbuild"
	printf '%s\n' '// SPDX-License-Identifier: GPL-2.0-only' \
		'#include <linux/module.h>' '' 'MODULE_DESCRIPTION("x");' \
		'MODULE_LICENSE("GPL");' >"$small/module/y.c"
	printf '// SPDX-License-Identifier: GPL-2.0-only\n' >"$small/scripts/x.c"
	printf '#!/bin/sh\ntrue\n' >"$small/scripts/x"
	printf 'the module\n\ty.c\n' >"$small/module/layers"
	chown -R 65534 "$dir/xdg"
	XDG_CACHE_HOME=$dir/xdg DAXSTACK_KERNEL=$kernel \
		"$dir/tree/scripts/test/style" "$small" \
		>"$dir/log" 2>&1
	[ ! -e "$dir/was-run" ] && grep -q 'style clean' "$dir/log"
	ok $? "scripts/test/style does not run another user's checkpatch.pl"
	sed 's/^/# /' "$dir/log"
	chown -R 0 "$dir/xdg"
fi

# --- A read-only cache is read.

chmod 555 "$dir/xdg/daxstack"
read_only()
{
	if [ "$(id -u)" != 0 ]; then
		"$@"
		return
	fi
	# Root can write unless the mount is read-only.
	export -f cache
	dir=$dir unshare -m bash -c '
		mount --bind "$dir/xdg" "$dir/xdg" &&
			mount -o remount,bind,ro "$dir/xdg" && "$@"' sh "$@"
}
export XDG_CACHE_HOME=$dir/xdg
is "$dir/xdg/daxstack/thing" "$(read_only cache cache_find thing)" \
	'a read-only cache: its entries are found'
[ ! -s "$dir/err" ]
ok $? 'a read-only cache: no note for that'
is "$fallback" "$(read_only cache cache_dir)" \
	'a read-only cache: new entries go to the tree'
grep -q "note: $dir/xdg/daxstack cannot be written to" "$dir/err"
ok $? 'a read-only cache: note for that'
mkdir -p "$fallback/other"
is "$fallback/other" "$(read_only cache cache_find other)" \
	'a read-only cache: new entries are found'
unset XDG_CACHE_HOME
chmod 755 "$dir/xdg/daxstack"

# --- Files left behind by killed scripts.

mkdir "$dir/tmp"
export TMPDIR=$dir/tmp
# A script with a temporary directory, and a program that uses it.
hold='temporary test; sleep 600 >/dev/null & echo $$ $! "$tmp"; wait'

coproc cache eval "$hold" 2>/dev/null
read -r script program killed <&"${COPROC[0]}"
kill -KILL "$script"
wait 2>/dev/null
touch -d '2 minutes ago' "$killed/.lock"
cache eval 'temporary test; rm -rf "$tmp"'
[ -d "$killed" ]
ok $? 'killed: a directory in use by its program stays'
kill -KILL "$program"
[ -d "$killed" ]
ok $? 'killed: the temporary directory stays'
# A directory being created, one without a lock, one of another script.
mkdir -m 700 "$TMPDIR"/daxstack-{test.makes0,test.nolock,other.abcdef}
touch "$TMPDIR/daxstack-test.makes0/.lock"
touch -d '2 minutes ago' "$TMPDIR/daxstack-test.nolock" \
	"$TMPDIR/daxstack-other.abcdef/.lock"
coproc cache eval "$hold" 2>/dev/null
read -r script program alive <&"${COPROC[0]}"
[ ! -e "$killed" ] && [ -d "$alive" ]
ok $? 'killed: the next run removes its directory'
is 3 "$(find "$TMPDIR" -mindepth 1 -maxdepth 1 ! -path "$alive" | wc -l)" \
	'killed: nothing else is removed'
touch -d '2 minutes ago' "$alive/.lock"
cache eval 'temporary test' >/dev/null
[ -d "$alive" ]
ok $? 'a directory in use is not removed'
kill -KILL "$program" "$script"
wait 2>/dev/null

if [ "$(id -u)" = 0 ]; then
	chown 65534 "$TMPDIR"
	used=$(cache eval 'temporary test; echo "$tmp"; rm -rf "$tmp"')
	is /tmp "$(dirname "$used")" "another user's TMPDIR: /tmp instead"
	grep -q "note: others can write to $TMPDIR" "$dir/err"
	ok $? "another user's TMPDIR: note"
	chown 0 "$TMPDIR"
fi
chmod 777 "$TMPDIR"
is /tmp "$(dirname "$(cache eval 'temporary test; echo "$tmp"; rm -rf "$tmp"')")" \
	'a world-writable TMPDIR: /tmp instead'
chmod 1777 "$TMPDIR"
is "$TMPDIR" "$(dirname "$(cache eval 'temporary test; echo "$tmp"; rm -rf "$tmp"')")" \
	'a sticky TMPDIR is used'

mkdir "$dir/xdg/daxstack/made.abcdef" "$dir/xdg/daxstack/made.keep"
made=$(cache cache_temporary "$dir/xdg/daxstack/made")
[ -d "$made" ] && [ ! -e "$dir/xdg/daxstack/made.abcdef" ] &&
	[ -e "$dir/xdg/daxstack/made.keep" ]
ok $? 'in the cache: the next script that creates the entry removes leftovers'

# --- Two checks in one tree.

# A check that signals its start, waits, and ends.
results=$dir/results/t
mkfifo "$dir/go"
(
	export results go=$dir/go
	cache eval 'alone "$results"; mkdir -p "$results"; echo one >"$results/log"
		read -r _ <"$go"; cat "$results/log"' >"$dir/first"
) &
first=$!
until [ -e "$results/log" ]; do sleep 0.1; done
(
	export results
	cache eval 'alone "$results"; rm -rf "$results"; mkdir "$results"
		echo two >"$results/log"; cat "$results/log"' >"$dir/second"
) &
second=$!
until grep -q 'another run writes to' "$dir/err"; do sleep 0.1; done
ok 0 'two checks: the second says that it waits'
echo go >"$dir/go"
wait $first $second
is 'one two' "$(cat "$dir/first") $(cat "$dir/second")" \
	'two checks: each has its own results'
grep -q '^alone "\$dir"' "$top/scripts/test/check"
ok $? 'scripts/test/check uses this lock'

done_testing
