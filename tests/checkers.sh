#!/bin/bash
# The checkers notice: each is fed something false, and has to fail, and to say
# what was wrong; and something true, and has to pass.
# host
# fs: ext4
#
# Functions are called by way of good and bad; the names of files are words.
# shellcheck disable=SC2016,SC2086,SC2317
set -u
top=${DAXSTACK_TOP:-$PWD}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/daxstack-checkers.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT

n=0 failed=0
ok()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

# report STATUS NAME: with what was said, if it is wrong.
report()
{
	ok "$1" "$2"
	[ "$1" = 0 ] || tail -n 15 "$tmp/said" | sed 's/^/# /'
}

# good NAME COMMAND...
good()
{
	local name=$1 status=0
	shift
	"$@" >"$tmp/said" 2>&1 </dev/null || status=$?
	report $status "passes: $name"
}

# bad NAME PATTERN COMMAND...: fails, and says PATTERN. What the shell itself
# says of a command that is not there is another failure.
bad()
{
	local name=$1 pattern=$2 status=0
	shift 2
	"$@" >"$tmp/said" 2>&1 </dev/null || status=$?
	[ $status != 0 ] && [ $status != 126 ] && [ $status != 127 ] &&
		grep -qE -e "$pattern" "$tmp/said"
	report $? "fails: $name"
}

# A tree of its own, with the checkers of this one.
tree=$tmp/tree
mkdir -p "$tree"/{build/tools,build/tests,tests/mutants,module,include,docs}
cp -R "$top/scripts" "$tree/"
: >"$tree/build/tools/daxstack"
cd "$tree" || exit 1

# executable FILE: from standard input
executable()
{
	cat >"$1"
	chmod +x "$1"
}

# --- TAP

tap()
{
	printf '%b' "$1" >"$tmp/tap"
	scripts/tap "$tmp/tap" ${2+"$2"}
}
good 'tap: a plan and as many checks' tap '1..2\nok 1 - a\n# b\nok 2 - b\n'
good 'tap: the plan at the end' tap 'ok 1 - a\n1..1\n'
bad 'tap: nothing' 'no plan' tap ''
bad 'tap: no plan' 'no plan' tap 'ok 1 - a\n'
bad 'tap: a plan of nothing' 'no checks' tap '1..0\n'
bad 'tap: all skipped by the plan' 'no checks' tap '1..0 # SKIP no device\n'
bad 'tap: one is missing' 'planned 2, made 1' tap '1..2\nok 1 - a\n'
bad 'tap: one too many' 'planned 1, made 2' tap '1..1\nok 1 - a\nok 2 - b\n'
bad 'tap: one twice' 'number 2 is missing' tap '1..2\nok 1 - a\nok 1 - a\n'
bad 'tap: one of another program' 'number 2 is missing' tap 'ok 1 - a\nok\n1..2\n'
bad 'tap: not ok' '^0 1 0' tap '1..1\nnot ok 1 - a\n'
bad 'tap: not ok, to be done' '^0 1 0' tap '1..1\nnot ok 1 - a # TODO later\n'
bad 'tap: bail out' 'Bail out' tap '1..1\nok 1 - a\nBail out! no\n'
bad 'tap: the status' 'status 99' tap '1..1\nok 1 - a\n' 99
bad 'tap: two plans' 'second plan' tap '1..1\nok 1 - a\n1..1\n'
bad 'tap: checks after the plan at the end' 'neither first nor last' \
	tap 'ok 1 - a\n1..2\nok 2 - b\n'
bad 'tap: no file' 'cannot read' scripts/tap "$tmp/nothing"

# --- scripts/check, with tests that need no guest

# check TAP [STATUS]: as what a test prints
check()
{
	executable tests/fake.sh <<-END
	#!/bin/bash
	# host
	printf '$1'
	exit ${2-0}
	END
	CHECK_STYLE=no scripts/check ext4 fake
}
good 'check: a test' check '1..1\nok 1 - a\n'
good 'check: what is skipped' check '1..2\nok 1 - a\nok 2 - b # SKIP c\n'
grep -q '^2 passed, 0 failed$' "$tmp/said"
report $? 'check: ... has not passed'
bad 'check: a test that skips itself' '1 passed, 1 failed' check '1..0 # SKIP a\n'
bad 'check: a test that says nothing' '1 passed, 1 failed' check ''
bad 'check: not ok, and status 0' '1 passed, 1 failed' check '1..1\nnot ok 1 - a\n'
bad 'check: ok, and another status' '2 passed, 1 failed' check '1..1\nok 1 - a\n' 99
bad 'check: a test that is not there' 'nothing' \
	env CHECK_STYLE=no scripts/check ext4 nothing
bad 'check: no tests' 'no test' env CHECK_STYLE=no scripts/check ext4
bad 'check: no filesystem' 'no lower filesystem' \
	env CHECK_STYLE=no scripts/check ' ' fake
bad 'check-guest: a test that is not there' 'nothing' scripts/check-guest ext4/nothing.t

# --- scripts/console-complaints

# changed FILE COMMAND...: with what is read from standard input in its place
changed()
{
	local file=$1 status=0
	shift
	cp "$file" "$tmp/kept"
	cat >"$file"
	"$@" || status=$?
	cp "$tmp/kept" "$file"
	return $status
}
complaints=scripts/console-complaints patterns=scripts/console-patterns
samples=scripts/console-samples
good 'console: all samples' $complaints --test
bad 'console: no log' 'cannot read' $complaints "$tmp/nothing"
echo '[    1.0] BUG: of the kernel' >"$tmp/log"
no_pattern()
{
	echo '# none' | changed $patterns "$@"
}
bad 'console: no pattern' 'no patterns' no_pattern $complaints "$tmp/log"
bad_pattern()
{
	printf 'BUG:\n(\n' | changed $patterns "$@"
}
bad 'console: a pattern that is none' 'Unmatched' bad_pattern $complaints "$tmp/log"
few_patterns()
{
	grep -v '^BUG:$' $patterns >"$tmp/few"
	changed $patterns $complaints --test <"$tmp/few"
}
bad 'console: a pattern less' '! BUG: kernel NULL' few_patterns
more_patterns()
{
	{ cat $patterns; echo 'healthy'; } >"$tmp/more"
	changed $patterns $complaints --test <"$tmp/more"
}
bad 'console: a pattern that nothing needs' 'no sample for: healthy' more_patterns
no_samples()
{
	echo '# none' | changed $samples $complaints --test
}
bad 'console: no samples' 'no line to try' no_samples

# --- scripts/guest, with a machine that only says what it is told to

mkdir -p "$tmp/bin" "$tmp/says"
executable "$tmp/bin/qemu-system-x86_64" <<'END'
#!/bin/bash
for arg; do
	case $arg in
	file,id=*,path=*)
		name=${arg#file,id=}
		name=${name%%,*}
		cat "$FAKE_SAYS/$name" >"${arg#*path=}"
		;;
	esac
done
END
started='[    3.0] guest-init: starting the command'
end='[    4.0] guest-init: the end'

# guest CONSOLE KMSG STATUS: what its files say
guest()
{
	printf '%s\n%b' "$started" "$1" >"$tmp/says/console"
	printf '%b' "$2" >"$tmp/says/kmsg"
	printf '%b' "$3" >"$tmp/says/status"
	echo 'said' >"$tmp/says/out"
	PATH=$tmp/bin:$PATH DAXSTACK_ACCEL=tcg FAKE_SAYS=$tmp/says scripts/guest true
}

# ends_with STATUS COMMAND...: fails if it does
ends_with()
{
	local status=0 expected=$1
	shift
	"$@" || status=$?
	echo "exit status $status"
	[ $status != "$expected" ]
}
good 'guest: a command' guest '' "$started\n$end\n" 'status 0\n'
bad 'guest: its status' 'exit status 3' \
	ends_with 3 guest '' "$started\n$end\n" 'status 3\n'
bad 'guest: a complaint on the console' 'exit status 99' \
	ends_with 99 guest '[    3.5] BUG: a\n' "$started\n$end\n" 'status 0\n'
bad 'guest: a complaint in the log' 'exit status 99' \
	ends_with 99 guest '' "$started\n[    3.5] BUG: a\n$end\n" 'status 0\n'
bad 'guest: a log without its end' 'exit status 125' \
	ends_with 125 guest '' "$started\n" 'status 0\n'
bad 'guest: no log' 'exit status 125' ends_with 125 guest '' '' 'status 0\n'
bad 'guest: no status' 'exit status 125' \
	ends_with 125 guest '' "$started\n$end\n" ''
bad 'guest: a crash' 'exit status 99' \
	ends_with 99 guest '[    3.5] Kernel panic - not syncing: a\n' '' ''
no_patterns()
{
	changed $patterns "$@" </dev/null
}
bad 'guest: no patterns' 'exit status 125' no_patterns \
	ends_with 125 guest '' "$started\n$end\n" 'status 0\n'
bad 'guest: a file that is not there' 'no such file' \
	env PATH="$tmp/bin:$PATH" scripts/guest --add "$tmp/nothing" true

# --- What counts by itself: without a filesystem, and with a guest that is silent

for name in demo compare torture differ bench-switch; do
	bad "$name: no filesystem" "Usage: scripts/$name FS" scripts/$name
done
cp scripts/guest "$tmp/guest"
: >build/tests/compare
for name in compare torture differ bench; do
	: >tests/$name.guest
done
executable scripts/guest <<'END'
#!/bin/bash
exit 0
END
bad 'compare: a guest that says nothing' 'no plan' scripts/compare ext4
bad 'torture: a guest that says nothing' 'no plan' scripts/torture ext4
bad 'differ: a guest that says nothing' 'no plan' scripts/differ ext4
bad 'bench: a guest that says nothing' 'no figures over ext4' scripts/bench --twice
executable scripts/guest <<'END'
#!/bin/bash
case $* in *ext4*) exit 1 ;; esac
printf 'dax\tread\t10\t1\t2\t3\n'
END
bad 'bench: the first of two guests fails' 'no figures over ext4' \
	scripts/bench ext4 xfs
bad 'demo: a guest that fails' 'FAILED on ext4' scripts/demo ext4

# The power is cut before anything was written.
executable scripts/guest <<'END'
#!/bin/bash
while [ $# -gt 0 ]; do
	case $1 in
	--pidfile) echo $$ >"$2" ;;
	*'powercut-load load '*)
		echo load
		exec sleep 20
		;;
	esac
	shift
done
END
bad 'powercut: no load' 'not ok 4 - there was a load: 0 of 1' \
	scripts/powercut --cuts 1 ext4
bad 'powercut: no cuts' 'Usage' scripts/powercut --cuts 0 ext4

# --- scripts/check-mutants, with a module that is built in no time

echo 'daxstack' >Kbuild
echo >include/a.h
mkdir -p "$tmp/kernel"
printf 'modules:\n\tcp $(M)/Kbuild $(M)/daxstack.ko\n' >"$tmp/kernel/Makefile"
source_file()
{
	printf 'one\ntwo\nthree\n' >module/a.c
}

# mutant HEAD: a patch that fits
mutant()
{
	{
		printf '%b' "$1"
		printf '%s\n' '---' '--- a/module/a.c' '+++ b/module/a.c' \
			'@@ -1,3 +1,2 @@' ' one' '-two' ' three'
	} >tests/mutants/H1.patch
}

# says TEXT STATUS [LOG]: what a guest does
says()
{
	executable scripts/guest <<-END
	#!/bin/bash
	while [ \$# -gt 0 ]; do
		[ "\$1" != --log ] || echo '${3-daxstack: pmem0: switching is on}' >"\$2"
		shift
	done
	printf '$1'
	exit $2
	END
}
mutants()
{
	KDIR=$tmp/kernel scripts/check-mutants "$@"
}
source_file
mutant 'Test: t\n'
good 'mutants: a patch that fits' mutants --apply
says '1..1\nnot ok 1 - a\n' 1
good 'mutants: killed' mutants
says '1..1\nok 1 - a\n' 0
bad 'mutants: survived' 'SURVIVED: H1' mutants
says '' 0
bad 'mutants: a test that checks nothing' 'BROKEN: H1' mutants
says 'usage: t\n' 2
bad 'mutants: a test that does not know its argument' 'BROKEN: H1: status 2' mutants
says 'not found\n' 127
bad 'mutants: a test that is not there' 'BROKEN: H1: status 127' mutants
says '1..1\n' 124
bad 'mutants: out of time' 'BROKEN: H1: the time was up' mutants
says '' 125
bad 'mutants: no guest' 'BROKEN: H1: the guest did not work' mutants
says '1..1\nnot ok 1 - cannot go on: mount\n' 1 'daxstack: Unknown symbol a'
bad 'mutants: a module that cannot be loaded' 'BROKEN: H1: the stack cannot' mutants
mutant 'Test: t\nHangs: yes\n'
says '1..1\n' 124
good 'mutants: killed by never ending' mutants
mutant 'Test: t\nWith: H2\n'
printf '%s\n' 'Widens: yes' '---' '--- a/module/a.c' '+++ b/module/a.c' \
	'@@ -1,3 +1,4 @@' '+zero' ' one' ' two' ' three' >tests/mutants/H2.patch
says '1..1\nnot ok 1 - a\n' 1
bad 'mutants: the test fails with the guard, too' 'BROKEN: H1.*with the guard' mutants
mutant ''
bad 'mutants: no test is named' 'BROKEN: H1: names no test' mutants
printf 'Test: t\n---\n' >tests/mutants/H1.patch
bad 'mutants: a patch that changes nothing' 'BROKEN: H1' mutants --apply
bad 'mutants: ... is not built' 'BROKEN: H1: cannot be built' mutants
mutant 'Test: t\n'
echo 'four' >module/a.c
bad 'mutants: a patch that does not fit' 'BROKEN: H1: does not fit' mutants --apply
bad 'mutants: a patch that is not there' 'no patch' mutants --apply H99
rm -r tests/mutants
bad 'mutants: no patches' 'no patch' mutants --apply
cp "$tmp/guest" scripts/guest

# --- Tests that only run others

# judged COMMAND...: by what it prints
judged()
{
	local status=0
	"$@" >"$tmp/printed" 2>&1 || status=$?
	cat "$tmp/printed"
	scripts/tap "$tmp/printed" $status
}

# host_test NAME: in this tree
host_test()
{
	mkdir -p "$tmp/t/ext4"
	cp "$top/tests/$1.sh" "$tmp/t/ext4/$1.t"
	FS=ext4 DAXSTACK_TOP=$tree judged "$tmp/t/ext4/$1.t"
}
executable scripts/check-mutants <<'END'
#!/bin/bash
echo "killed: H1, by 't': not ok 1 - a"
END
bad 'tests/mutants.sh: one of those it names' 'status 1' host_test mutants
executable scripts/check-debug <<'END'
#!/bin/bash
mkdir -p build/kasan/t-ext4/ext4
echo '1 passed, 0 failed'
END
bad 'tests/debug.sh: none of those it names' 'not ok 1' host_test debug
executable scripts/programs <<'END'
#!/bin/bash
exit 0
END
bad 'tests/programs.sh: no programs' 'no plan' host_test programs

# --- The examples of a document

sed -e "s#^doc=.*#doc=$tmp/document#" -e '/dirty_writeback/d' \
	"$top/tests/semantics.sh" >"$tmp/semantics"

# semantics TEXT: with the document TEXT
semantics()
{
	printf '%b' "$1" >"$tmp/document"
	FS=ext4 PMEM=/dev/null judged bash "$tmp/semantics"
}
good 'semantics: an example' semantics '```console\n# echo a b\na ...\n```\n'
bad 'semantics: another answer' 'not ok 1' semantics '```console\n# echo a\nb\n```\n'
bad 'semantics: two lines for "..."' 'not ok 1' \
	semantics '```console\n# echo a; echo b\n...\n```\n'
bad 'semantics: three lines for "a...c"' 'not ok 1' \
	semantics '```console\n# echo a; echo b; echo c\na...c\n```\n'
bad 'semantics: no examples' 'no examples' semantics '# Text\n'
bad 'semantics: ends of lines that hide them' 'not ok 1' \
	semantics '```console\r\n# echo a\r\nb\r\n```\r\n'
bad 'semantics: an example without an end' 'without an end' \
	semantics '```console\n# echo a\nb\n'
no_document()
{
	rm "$tmp/document"
	FS=ext4 PMEM=/dev/null judged bash "$tmp/semantics"
}
bad 'semantics: no document' 'no examples' no_document

# --- Style, of a tree with one file of each kind

small=$tmp/small
mkdir -p "$small"/{module,include,tools,tests,scripts}
cd "$small" || exit 1
license='// SPDX-License-Identifier: GPL-2.0'
printf 'obj-m := small.o\nsmall-y := module/small.o\n' >Kbuild
echo '/* SPDX-License-Identifier: GPL-2.0 */' >include/small.h

# small_module LINES; small_tool MAIN; small_script WORD
small_module()
{
	printf '%s\n#include <linux/module.h>\n%b\n%s\n%s\n' "$license" "$1" \
		'MODULE_DESCRIPTION("small");' 'MODULE_LICENSE("GPL");' >module/small.c
}
small_tool()
{
	printf '%s\n%s\n{\n\treturn 0;\n}\n' "$license" "$1" >tools/small.c
}
small_script()
{
	printf '#!/bin/bash\necho %s\n' "$1" >scripts/small
}
style()
{
	"$top/scripts/style" "$small"
}
# One kernel will do, and the same one for all caches.
DAXSTACK_KERNEL=$("$top/scripts/guest-kernel" "${DAXSTACK_KERNEL:-6.12}")
export DAXSTACK_KERNEL

clean()
{
	small_module ''
	small_tool 'int main(void)'
	small_script '"$1"'
}
clean
good 'style: a tree' style
small_module 'int __user *shared;\nvoid nobody(void)\n{\n}'
small_tool 'int main( void )'
small_script '$1'
bad 'style: checkpatch' 'tools/small.c:.*SPACING' style
# One run is enough for all.
for said in 'sparse=module/small.c:.*shared.* not declared' \
	'the compiler=module/small.c:.*no previous prototype' \
	'shellcheck=scripts/small:.*SC2086'; do
	grep -qE -e "${said#*=}" "$tmp/said"
	report $? "fails: style: ${said%%=*}"
done
clean
for name in shellcheck sparse; do
	executable "$tmp/bin/$name" <<-'END'
	#!/bin/sh
	exit 127
	END
	bad "style: no $name" 'does not (work|build)' \
		env PATH="$tmp/bin:$PATH" "$top/scripts/style" "$small"
	rm "$tmp/bin/$name"
done
# What was downloaded is not downloaded again.
archive=$("$top/scripts/kernel-source" 7.3)
checkpatch=$tmp/cache/daxstack/checkpatch-$(basename "$archive" .tar.xz)
mkdir -p "$checkpatch"
ln -s "$(dirname "$archive")"/{apt-*,source-*} "$tmp/cache/daxstack/"
bad 'style: no checkpatch' 'checkpatch does not work' \
	env XDG_CACHE_HOME="$tmp/cache" KDIR=/nowhere "$top/scripts/style" "$small"
executable "$checkpatch/checkpatch.pl" <<'END'
#!/bin/sh
exit 1
END
bad 'style: a checkpatch that does not say why' 'does not say why' \
	env XDG_CACHE_HOME="$tmp/cache" "$top/scripts/style" "$small"
for gone in Kbuild tools/small.c scripts/small include/small.h,module/small.c; do
	(cd "$small" && rm -f ${gone//,/ })
	bad "style: no $gone" 'are here' style
	clean
	printf 'obj-m := small.o\nsmall-y := module/small.o\n' >Kbuild
done
mkdir "$tmp/empty"
bad 'style: nothing' 'are here' "$top/scripts/style" "$tmp/empty"

cd / || exit 1
echo "1..$n"
exit $failed
