#!/bin/bash
# Where make and the scripts put things, and what they remove: nothing of others.
# host
#
# shellcheck disable=SC2016 # expressions of other shells
set -uo pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1

top=$PWD
here=$top/scripts
# shellcheck source=scripts/places.sh
. "$here/places.sh"
temporary places
dir=$tmp
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
count=0 failed=0

# ok WHETHER NAME: WHETHER is an exit status.
ok()
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=$((failed + 1))
	fi
}

# is EXPECTED SEEN NAME
is()
{
	[ "$1" = "$2" ]
	ok $? "$3" || :
	[ "$1" = "$2" ] || printf '# expected: %s\n# seen: %s\n' "$1" "$2"
}

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
	# A neighbour that looks like a module to kbuild.
	cp "$top/Kbuild" "$dir/make/a/"
	(cd "$dir/make/a tree" && "$@" >"$dir/log" 2>&1)
}

for flag in -i -k -n; do
	in_blank make $flag clean
	is 2 $? "make $flag clean in a path with a blank: refused"
	grep -q 'there is a blank in the path' "$dir/log"
	ok $? "make $flag clean: says why"
	is 3 "$(find "$dir/make" -name 'precious*' | wc -l)" \
		"make $flag clean: what is nearby stays"
done
mkdir "$dir/out" && touch "$dir/out/precious" "$dir/daxstack"
make -i -C tools O="$dir/out $dir" clean >"$dir/log" 2>&1
is 2 $? 'make -C tools O="A B" clean: refused'
make -i -C tests O="$dir/out $dir" clean >"$dir/log" 2>&1
is 2 $? 'make -C tests O="A B" clean: refused'
[ -e "$dir/daxstack" ] && [ -e "$dir/out/precious" ]
ok $? 'make clean with a blank in O: nothing is removed'
make -s -C tools O="$top/build/tools" PREFIX=/p DESTDIR="$dir/a root" install \
	>"$dir/log" 2>&1
ok $? 'make install to a path with a blank'
is "$dir/a root/p/bin/daxstack" "$(find "$dir" -name daxstack -perm 755)" \
	'make install: to that path only'

# --- The cache.

# In a tree of its own, for what it puts there.
tree "$dir/tree"

# cache FUNCTION...: with places.sh, in the environment of the caller.
cache()
{
	bash -c 'set -euo pipefail; here=$1; shift; . "$here/places.sh"; "$@"' \
		places "$dir/tree/scripts" "$@" 2>"$dir/err"
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
ok $? 'and nothing to say of it'
is "$fallback" "$(env -u HOME -u XDG_CACHE_HOME bash -c \
	'set -euo pipefail; here=$1; . "$here/places.sh"; cache_dir' \
	places "$dir/tree/scripts" 2>"$dir/err")" 'no HOME: the cache is in the tree'
grep -q "note: no HOME and no XDG_CACHE_HOME: $fallback is the cache" "$dir/err"
ok $? 'no HOME: says so'
is "$fallback" "$(XDG_CACHE_HOME=/dev/null/x cache cache_dir)" \
	'a cache that cannot be made: in the tree'
grep -q 'note: /dev/null/x/daxstack cannot be made' "$dir/err"
ok $? 'a cache that cannot be made: says so'

# untrusted NAME: of the directory $dir/xdg as it is.
untrusted()
{
	is "$fallback" "$(XDG_CACHE_HOME=$dir/xdg cache cache_dir)" \
		"$1: not used"
	grep -q "note: others can write to $dir/xdg/daxstack" "$dir/err"
	ok $? "$1: says so"
	XDG_CACHE_HOME=$dir/xdg cache cache_find thing >"$dir/found"
	is "1 " "$? $(cat "$dir/found")" "$1: what is in it is not used"
}

mkdir -p "$dir/xdg/daxstack/thing"
is "$dir/xdg/daxstack/thing" "$(XDG_CACHE_HOME=$dir/xdg cache cache_find thing)" \
	'what is in the cache is found'
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

	# What checkpatch.pl there would be run. What was downloaded for others
	# is not downloaded again.
	archive=$("$top/scripts/kernel-source" 7.3)
	ln -s "$(dirname "$archive")"/{apt-*,source-*} "$fallback/"
	kernel=$("$top/scripts/guest-kernel" "${DAXSTACK_KERNEL:-6.12}")
	evil=$dir/xdg/daxstack/checkpatch-$(basename "$archive" .tar.xz)
	small=$dir/small
	mkdir -p "$evil" "$small/include" "$small/module" "$small/scripts"
	printf '#!/bin/sh\ntouch "%s"\n' "$dir/was-run" >"$evil/checkpatch.pl"
	chmod 755 "$evil/checkpatch.pl"
	# The least that scripts/style takes for a project.
	printf '%s\n' '# SPDX-License-Identifier: GPL-2.0' 'obj-m := x.o' \
		'x-y := module/y.o' >"$small/Kbuild"
	printf '%s\n' '// SPDX-License-Identifier: GPL-2.0' \
		'#include <linux/module.h>' '' 'MODULE_DESCRIPTION("x");' \
		'MODULE_LICENSE("GPL");' >"$small/module/y.c"
	printf '// SPDX-License-Identifier: GPL-2.0\n' >"$small/scripts/x.c"
	printf '#!/bin/sh\ntrue\n' >"$small/scripts/x"
	chown -R 65534 "$dir/xdg"
	XDG_CACHE_HOME=$dir/xdg DAXSTACK_KERNEL=$kernel \
		"$dir/tree/scripts/style" "$small" \
		>"$dir/log" 2>&1
	[ ! -e "$dir/was-run" ] && grep -q 'style clean' "$dir/log"
	ok $? "scripts/style does not run another user's checkpatch.pl"
	sed 's/^/# /' "$dir/log"
	chown -R 0 "$dir/xdg"
fi

# --- What cannot be written to is read.

chmod 555 "$dir/xdg/daxstack"
read_only()
{
	if [ "$(id -u)" != 0 ]; then
		"$@"
		return
	fi
	# Root can write wherever the mount can be written to.
	export -f cache
	dir=$dir unshare -m bash -c '
		mount --bind "$dir/xdg" "$dir/xdg" &&
			mount -o remount,bind,ro "$dir/xdg" && "$@"' sh "$@"
}
export XDG_CACHE_HOME=$dir/xdg
is "$dir/xdg/daxstack/thing" "$(read_only cache cache_find thing)" \
	'a read-only cache: what is in it is found'
[ ! -s "$dir/err" ]
ok $? 'a read-only cache: without a note'
is "$fallback" "$(read_only cache cache_dir)" \
	'a read-only cache: what is missing is made in the tree'
grep -q "note: $dir/xdg/daxstack cannot be written to" "$dir/err"
ok $? 'a read-only cache: then it says so'
mkdir -p "$fallback/other"
is "$fallback/other" "$(read_only cache cache_find other)" \
	'a read-only cache: and found there'
unset XDG_CACHE_HOME
chmod 755 "$dir/xdg/daxstack"

# --- What was left by those who were killed.

mkdir "$dir/tmp"
export TMPDIR=$dir/tmp
# One who has a temporary directory, and a program that uses it.
hold='temporary test; sleep 600 >/dev/null & echo $$ $! "$tmp"; wait'

coproc cache eval "$hold" 2>/dev/null
read -r script program killed <&"${COPROC[0]}"
kill -KILL "$script"
wait 2>/dev/null
touch -d '2 minutes ago' "$killed/.lock"
cache eval 'temporary test; rm -rf "$tmp"'
[ -d "$killed" ]
ok $? 'killed: what its program still uses is not removed'
kill -KILL "$program"
[ -d "$killed" ]
ok $? 'killed: the temporary directory stays'
# One that is being made, one without a lock, one of another script.
mkdir -m 700 "$TMPDIR"/daxstack-{test.makes0,test.nolock,other.abcdef}
touch "$TMPDIR/daxstack-test.makes0/.lock"
touch -d '2 minutes ago' "$TMPDIR/daxstack-test.nolock" \
	"$TMPDIR/daxstack-other.abcdef/.lock"
coproc cache eval "$hold" 2>/dev/null
read -r script program alive <&"${COPROC[0]}"
[ ! -e "$killed" ] && [ -d "$alive" ]
ok $? 'killed: the next run removes it'
is 3 "$(find "$TMPDIR" -mindepth 1 -maxdepth 1 ! -path "$alive" | wc -l)" \
	'killed: nothing else is removed'
touch -d '2 minutes ago' "$alive/.lock"
cache eval 'temporary test' >/dev/null
[ -d "$alive" ]
ok $? 'what is in use is not removed'
kill -KILL "$program" "$script"
wait 2>/dev/null

if [ "$(id -u)" = 0 ]; then
	chown 65534 "$TMPDIR"
	used=$(cache eval 'temporary test; echo "$tmp"; rm -rf "$tmp"')
	is /tmp "$(dirname "$used")" "another user's TMPDIR: /tmp instead"
	grep -q "note: others can write to $TMPDIR" "$dir/err"
	ok $? "another user's TMPDIR: says so"
	chown 0 "$TMPDIR"
fi
chmod 777 "$TMPDIR"
is /tmp "$(dirname "$(cache eval 'temporary test; echo "$tmp"; rm -rf "$tmp"')")" \
	'a TMPDIR that all can write to: /tmp instead'
chmod 1777 "$TMPDIR"
is "$TMPDIR" "$(dirname "$(cache eval 'temporary test; echo "$tmp"; rm -rf "$tmp"')")" \
	'a sticky one is fine'

mkdir "$dir/xdg/daxstack/made.abcdef" "$dir/xdg/daxstack/made.keep"
made=$(cache cache_temporary "$dir/xdg/daxstack/made")
[ -d "$made" ] && [ ! -e "$dir/xdg/daxstack/made.abcdef" ] &&
	[ -e "$dir/xdg/daxstack/made.keep" ]
ok $? 'in the cache: the next one who makes it removes what was left'

# --- Two checks in one tree.

# A check that says when it begins, waits, and ends.
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
until grep -q 'another run makes' "$dir/err"; do sleep 0.1; done
ok 0 'two checks: the second says that it waits'
echo go >"$dir/go"
wait $first $second
is 'one two' "$(cat "$dir/first") $(cat "$dir/second")" \
	'two checks: each has its own results'
grep -q '^alone "\$dir"' "$top/scripts/check"
ok $? 'scripts/check does that'

echo "1..$count"
[ $failed = 0 ]
