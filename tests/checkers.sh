#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The checkers: asserts that each one fails with a message for bad input, and passes
# for good input.
# host
#
# Functions are called by way of good and bad; the names of files are words.
# shellcheck disable=SC2016,SC2086,SC2317
set -u
top=${DAXSTACK_TOP:-$PWD}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/daxstack-checkers.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT

# shellcheck source=tests/lib/tap.sh
. "$top/tests/lib/tap.sh"
said=$tmp/said

# good NAME COMMAND...
good()
{
	local name=$1 status=0
	shift
	"$@" >"$tmp/said" 2>&1 </dev/null || status=$?
	ok $status "passes: $name"
}

# bad NAME PATTERN COMMAND...: asserts that it fails with PATTERN. A missing command,
# reported by the shell, does not count.
bad()
{
	local name=$1 pattern=$2 status=0
	shift 2
	"$@" >"$tmp/said" 2>&1 </dev/null || status=$?
	[ $status != 0 ] && [ $status != 126 ] && [ $status != 127 ] &&
		grep -qE -e "$pattern" "$tmp/said"
	ok $? "fails: $name"
}

# A separate tree, with the checkers of this one.
tree=$tmp/tree
mkdir -p "$tree"/{build/tools,build/tests,tests/mutants,module,include,docs}
cp -R "$top/scripts" "$tree/"
cp -R "$top/tests/lib" "$tree/tests/"
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
	scripts/test/tap "$tmp/tap" ${2+"$2"}
}
good 'tap: a plan and as many checks' tap '1..2\nok 1 - a\n# b\nok 2 - b\n'
good 'tap: the plan at the end' tap 'ok 1 - a\n1..1\n'
bad 'tap: nothing' 'no plan' tap ''
bad 'tap: no plan' 'no plan' tap 'ok 1 - a\n'
bad 'tap: a plan of nothing' 'no checks' tap '1..0\n'
bad 'tap: all skipped by the plan' 'no checks' tap '1..0 # SKIP no device\n'
bad 'tap: one check is missing' 'planned 2, made 1' tap '1..2\nok 1 - a\n'
bad 'tap: one check too many' 'planned 1, made 2' tap '1..1\nok 1 - a\nok 2 - b\n'
bad 'tap: a duplicate number' 'number 2 is missing' tap '1..2\nok 1 - a\nok 1 - a\n'
bad 'tap: a check without a number' 'number 2 is missing' tap 'ok 1 - a\nok\n1..2\n'
bad 'tap: not ok' '^0 1 0' tap '1..1\nnot ok 1 - a\n'
bad 'tap: not ok, to be done' '^0 1 0' tap '1..1\nnot ok 1 - a # TODO later\n'
bad 'tap: bail out' 'Bail out' tap '1..1\nok 1 - a\nBail out! no\n'
bad 'tap: the status' 'status 99' tap '1..1\nok 1 - a\n' 99
bad 'tap: two plans' 'second plan' tap '1..1\nok 1 - a\n1..1\n'
bad 'tap: checks after the plan at the end' 'neither first nor last' \
	tap 'ok 1 - a\n1..2\nok 2 - b\n'
bad 'tap: no file' 'cannot read' scripts/test/tap "$tmp/nothing"

# --- TAP of tests that are shell scripts

# script LINES: judges a test with these lines
script()
{
	rm -f "$tmp/script.said"
	printf '%b\n' '. tests/lib/tap.sh' "said=$tmp/script.said" "$1" >"$tmp/script"
	judged bash -u "$tmp/script"
}
# judged COMMAND...: judged by its TAP output
judged()
{
	local status=0
	"$@" >"$tmp/printed" 2>&1 || status=$?
	cat "$tmp/printed"
	scripts/test/tap "$tmp/printed" $status
}
good 'script: checks that pass' script "ok 0 a\nsucceeds b true\nis c c d\n\
succeeds f not false\nends 1 e false\ndone_testing"
bad 'script: a status' 'not ok 2 - b' script 'ok 0 a\nok 7 b\ndone_testing'
bad 'script: a command' 'not ok 1 - a' script 'succeeds a false\ndone_testing'
bad 'script: ... and its output is shown' '^# said$' \
	script 'say() { echo said; return 1; }\nsucceeds a say\ndone_testing'
bad 'script: a command that should fail' 'not ok 1 - a' script 'succeeds a not true\ndone_testing'
bad 'script: text' '^# expected: a$' script 'is a b c\ndone_testing'
bad 'script: text, compared by a command' '^# seen: c$' \
	script 'succeeds a equal b c\ndone_testing'
bad 'script: another exit status' '^# status 1, not 2$' script 'ends 2 a false\ndone_testing'
bad 'script: the exit status is 1' '^ended with status 1$' script 'ok 1 a\nok 0 b\ndone_testing'
bad 'script: no end' 'no plan' script 'ok 0 a'
bad 'script: a function that there is not' 'Bail out! missing: not found' \
	script 'ok 0 a\nmissing 1 b\ndone_testing'
bad 'script: bail out' 'Bail out! mount' script 'ok 0 a\nbail mount'

# --- scripts/test/check, with tests that need no guest

# check TAP [STATUS]: runs a test that prints TAP
check()
{
	executable tests/fake.sh <<-END
	#!/bin/bash
	# host
	printf '$1'
	exit ${2-0}
	END
	CHECK_STYLE=no scripts/test/check fake
}
echo 'fake once - own never' >tests/plan
good 'check: a test' check '1..1\nok 1 - a\n'
good 'check: a skipped check' check '1..2\nok 1 - a\nok 2 - b # SKIP c\n'
grep -q '^2 passed, 0 failed$' "$tmp/said"
ok $? 'check: ... does not count as passed'
bad 'check: a test that skips itself' '1 passed, 1 failed' check '1..0 # SKIP a\n'
bad 'check: a test without output' '1 passed, 1 failed' check ''
bad 'check: not ok, and status 0' '1 passed, 1 failed' check '1..1\nnot ok 1 - a\n'
bad 'check: ok, and another status' '2 passed, 1 failed' check '1..1\nok 1 - a\n' 99
# Tests that do not end: one by a limit of time, one by a signal to the checks.
executable tests/fake.sh <<END
#!/bin/bash
# host
echo \$\$ >"$tmp/pid"
exec sleep 600
END
cp scripts/test/check-guest "$tmp/check-guest"
sed -i 's/^host_limit=.*/host_limit=1/' scripts/test/check-guest
bad 'check: a test that does not end' 'ended with status 124' \
	env CHECK_STYLE=no scripts/test/check fake
cp "$tmp/check-guest" scripts/test/check-guest
interrupted()
{
	local checks status=0
	rm -f "$tmp/pid"
	CHECK_STYLE=no scripts/test/check fake &
	checks=$!
	until [ -s "$tmp/pid" ]; do sleep 0.1; done
	kill "$checks"
	wait "$checks" || status=$?
	timeout 60 tail -f --pid="$(cat "$tmp/pid")" /dev/null || echo 'the test still runs'
	return $status
}
bad 'check: a signal' '^  host/host/fake$' interrupted
! grep -q 'still runs' "$tmp/said"
ok $? 'check: ... ends the test'
bad 'check: a missing test' 'nothing' \
	env CHECK_STYLE=no scripts/test/check nothing
bad 'check: no filesystem' '--fs: nothing is named' \
	env CHECK_STYLE=no scripts/test/check --fs ' ' fake
# planned PLAN OPTION...: lists what is run with this plan
planned()
{
	printf '%b' "$1" >tests/plan
	shift
	scripts/test/check --list "$@"
}
bad 'check: a plan for a missing test' "no test 'gone'" \
	planned 'gone all both own no\n'
bad 'check: no test for the named kernels' 'no test is for these' \
	planned 'fake main ext4 own no\n' --kernels 7.3

# as_planned EXPECTED PLAN OPTION...
as_planned()
{
	local expected=$1
	shift
	planned "$@"
	[ "$(planned "$@" | tr '\n' ' ')" = "$expected " ]
}
touch tests/other.sh
good 'check: the plan' as_planned \
	'kasan-6.12/ext4/fake 6.12/ext4/fake 6.1/xfs/other 6.12/xfs/other 7.3/xfs/other' \
	'fake main ext4 own ext4\nother all xfs own no\n'
good 'check: a guest for two' as_planned '6.12/ext4/fake 6.12/ext4/other' \
	'fake main ext4 both no\nother main ext4 both no\n'
good 'check: a named kernel' as_planned '7.3/xfs/fake' \
	'fake all both own both\nother main both own no\n' --kernels 7.3 --fs xfs
good 'check: a named kernel and test' as_planned '7.3/xfs/other' \
	'fake all both own both\nother main both own no\n' --kernels 7.3 --fs xfs other
good 'check: a test that is not in the plan' as_planned \
	'6.1/xfs/other 6.12/xfs/other 7.3/xfs/other' '' --fs xfs other
good 'check: everything' as_planned \
	'kasan-6.12/ext4/fake 6.1/ext4/fake 6.12/ext4/fake 7.3/ext4/fake' \
	'fake main xfs own no\nother once - own never\n' --all --fs ext4 fake
rm tests/other.sh
bad 'check-guest: a missing test' 'nothing' scripts/test/check-guest ext4/nothing.t

# --- scripts/test/console-complaints

# changed FILE COMMAND...: with FILE replaced by standard input
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
complaints=scripts/test/console-complaints patterns=scripts/test/console-patterns
samples=scripts/test/console-samples
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
bad 'console: an invalid pattern' 'Unmatched' bad_pattern $complaints "$tmp/log"
few_patterns()
{
	grep -v '^BUG:$' $patterns >"$tmp/few"
	changed $patterns $complaints --test <"$tmp/few"
}
bad 'console: a missing pattern' '! BUG: kernel NULL' few_patterns
more_patterns()
{
	{ cat $patterns; echo 'healthy'; } >"$tmp/more"
	changed $patterns $complaints --test <"$tmp/more"
}
bad 'console: a pattern without a sample' 'no sample for: healthy' more_patterns
no_samples()
{
	echo '# none' | changed $samples $complaints --test
}
bad 'console: no samples' 'no line to try' no_samples

# --- scripts/vm/guest, with a fake QEMU that prints given text

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

# guest CONSOLE KMSG STATUS: contents of its files
guest()
{
	printf '%s\n%b' "$started" "$1" >"$tmp/says/console"
	printf '%b' "$2" >"$tmp/says/kmsg"
	printf '%b' "$3" >"$tmp/says/status"
	echo 'said' >"$tmp/says/out"
	PATH=$tmp/bin:$PATH DAXSTACK_ACCEL=tcg FAKE_SAYS=$tmp/says scripts/vm/guest true
}

# ends_with STATUS COMMAND...: fails if the exit status is STATUS
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
bad 'guest: a missing file' 'no such file' \
	env PATH="$tmp/bin:$PATH" scripts/vm/guest --add "$tmp/nothing" true

# --- scripts/vm/guest-qemu, with a QEMU of some version in the PATH

# has_race VERSION: fails if that QEMU is to translate on several threads
has_race()
{
	local printed
	mkdir -p "$tmp/qemu"
	printf '#!/bin/sh\necho "QEMU emulator version %s (Debian)"\n' "$1" |
		executable "$tmp/qemu/qemu-system-x86_64"
	printed=$(PATH=$tmp/qemu:$PATH scripts/vm/guest-qemu) || return 0
	echo "printed: $printed"
	[ "$printed" != $'multi\tqemu-system-x86_64' ]
}
good 'guest-qemu: QEMU 7.2 does not get several threads' has_race 7.2.22
good 'guest-qemu: nor does 8.0' has_race 8.0.5
bad 'guest-qemu: 8.1 gets them' 'printed: multi' has_race 8.1.0
bad 'guest-qemu: 10.0 gets them' 'printed: multi' has_race 10.0.2

# --- Scripts that use guests: without a filesystem, and with a silent guest

for name in demo/demo test/compare test/torture test/differ measure/bench-switch; do
	bad "$name: no filesystem" "Usage: scripts/$name FS" "scripts/$name"
done
cp scripts/vm/guest "$tmp/guest"
: >build/tests/compare
for name in compare torture differ bench; do
	: >tests/$name.guest
done
executable scripts/vm/guest <<'END'
#!/bin/bash
exit 0
END
bad 'compare: a silent guest' 'no plan' scripts/test/compare ext4
bad 'torture: a silent guest' 'no plan' scripts/test/torture ext4
bad 'differ: a silent guest' 'no plan' scripts/test/differ ext4
# Fake builds.
executable scripts/kernel/build-module <<'END'
#!/bin/bash
echo daxstack.ko
END
cp scripts/kernel/build-module scripts/measure/build-quiesce
bad 'bench: a silent guest' 'no figures over ext4' scripts/measure/bench --twice
executable scripts/vm/guest <<'END'
#!/bin/bash
case $* in *ext4*) exit 1 ;; esac
printf 'dax\tread\t10\t1\t2\t3\n'
END
bad 'bench: the first of two guests fails' 'no figures over ext4' \
	scripts/measure/bench ext4 xfs
bad 'demo: a guest that fails' 'FAILED on ext4' scripts/demo/demo ext4
executable scripts/vm/guest <<'END'
#!/bin/bash
printf 'dax\tread\t10\t0\t8\t1\t0\t%s\n' "$RANDOM"
END
bad 'bench: different counts in the second run' 'counts over ext4, .*, differ' \
	env DAXSTACK_KERNEL=6.12 scripts/measure/bench --twice ext4
bad 'bench: documents of one kernel' 'with all kernels' \
	env DAXSTACK_KERNEL=6.12 scripts/measure/bench --docs
rm -rf build/7.3/bench
bad 'bench: tables without counts' 'nothing was counted over xfs' \
	env DAXSTACK_KERNEL=7.3 scripts/measure/bench --tables xfs

# --- Several tests in a fake guest that only prints

executable scripts/vm/guest <<'END'
#!/bin/bash
while [ $# -gt 0 ]; do
	[ "$1" != --log ] || printf '%b' "$FAKE_LOG" >"$2"
	shift
done
printf '%b' "$FAKE_OUT"
exit "$FAKE_STATUS"
END
mkdir -p "$tmp/shared/ext4"
for name in one two three; do
	executable "$tmp/shared/ext4/$name.t" <<<'#!/bin/bash'
done

# shared OUT LOG STATUS: prints the statuses of three tests
shared()
{
	local status=0
	FAKE_OUT=$1 FAKE_LOG=$2 FAKE_STATUS=$3 \
		scripts/test/check-guest "$tmp"/shared/ext4/{one,two,three}.t || status=$?
	(cd "$tmp/shared/ext4" && cat one.status two.status three.status) |
		tr '\n' ' '
	echo
	return $status
}
# part NAME STATUS: the guest's output for a test
part()
{
	printf '##guest-tests begin %s.t\n1..1\nok 1 - %s\n##guest-tests end %s.t %s\n' \
		"$1" "$1" "$1" "$2"
}
three=$(part one 0 && part two 0 && part three 0)
marks='[ 1.0] guest-tests: one.t\n[ 2.0] guest-tests: two.t\n'
marks+='[ 3.0] guest-tests: three.t\n'
good 'shared: three tests' shared "$three\n" "$marks" 0
grep -qx 'ok 1 - two' "$tmp/shared/ext4/two.tap" &&
	! grep -q one "$tmp/shared/ext4/two.tap"
ok $? 'shared: each test has its own output'
bad 'shared: one fails' '^0 3 0 ' shared \
	"$(part one 0 && part two 3 && part three 0)\n" "$marks" 0
bad 'shared: a complaint' '^0 99 0 ' shared "$three\n" \
	"${marks/guest-tests: three/BUG: a\\n[ 3.0] guest-tests: three}" 99
bad 'shared: the guest ends in the second' '^0 99 125 ' shared \
	"$(part one 0)\n##guest-tests begin two.t\nok 1 - two\n" "$marks" 99
bad 'shared: a silent guest' '^125 125 125 ' shared '' '' 0
bad 'shared: any other failure of the guest' '^0 0 125 ' shared "$three\n" "$marks" 125

# The power is cut before any write.
executable scripts/vm/guest <<'END'
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
	scripts/test/powercut --cuts 1 ext4
bad 'powercut: no cuts' 'Usage' scripts/test/powercut --cuts 0 ext4

# --- scripts/test/check-mutants, with a trivial module

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

# says TEXT STATUS [LOG]: output and status of the fake guest
says()
{
	executable scripts/vm/guest <<-END
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
	KDIR=$tmp/kernel scripts/test/check-mutants "$@"
}
# mutants_say LINE
mutants_say()
{
	KDIR=$tmp/kernel scripts/test/check-mutants >"$tmp/mutants" &&
		grep -qxF "$1" "$tmp/mutants"
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
bad 'mutants: a test with an unknown argument' 'BROKEN: H1: status 2' mutants
says 'not found\n' 127
bad 'mutants: a missing test' 'BROKEN: H1: status 127' mutants
says '1..1\n' 124
bad 'mutants: timeout' 'BROKEN: H1: the time was up' mutants
says '' 125
bad 'mutants: no guest' 'BROKEN: H1: the guest did not work' mutants
says '1..1\nnot ok 1 - cannot continue: mount\n' 1 'daxstack: Unknown symbol a'
bad 'mutants: a module that cannot be loaded' 'BROKEN: H1: the stack cannot' mutants
mutant 'Test: t\nHangs: yes\n'
says '1..1\n' 124
good 'mutants: killed by a hang' mutants
mutant 'Test: t\nWith: H2\n'
printf '%s\n' 'Widens: yes' '---' '--- a/module/a.c' '+++ b/module/a.c' \
	'@@ -1,3 +1,4 @@' '+zero' ' one' ' two' ' three' >tests/mutants/H2.patch
says '1..1\nnot ok 1 - a\n' 1
bad 'mutants: the test also fails with the guard' 'BROKEN: H1.*with the guard' mutants
mkdir -p "$tmp/kernel/include/config"
echo 6.12.0-cloud >"$tmp/kernel/include/config/kernel.release"
says 'ok 1 - x\n1..1\n' 0
mutant 'Test: t\nUnneeded: 7.3: it is right\nUnprovoked: 6.1: too fast\n'
bad 'mutants: statements about other kernels do not count' 'SURVIVED: H1' mutants
mutant 'Test: t\nUnneeded: 7.3: it is right\nUnneeded: 6.1 6.12: nothing there\n'
good 'mutants: not needed on this kernel' mutants_say 'not needed: H1: nothing there'
mutant 'Test: t\nUnprovoked: 6.12: too fast\n'
good 'mutants: not provoked on this kernel' mutants_say 'not provoked: H1: too fast'
mutant 'Test: t\nKernels: 6.1 7.3\n'
good 'mutants: for other kernels' mutants_say 'left out: H1: it is for 6.1 7.3'
mutant 'Test: t\nKernels: 6.12 7.3\n'
bad 'mutants: for this kernel' 'SURVIVED: H1' mutants
rm -r "$tmp/kernel/include"
mutant ''
bad 'mutants: no test named' 'BROKEN: H1: names no test' mutants
printf 'Test: t\n---\n' >tests/mutants/H1.patch
bad 'mutants: a patch that changes nothing' 'BROKEN: H1' mutants --apply
bad 'mutants: ... cannot be built' 'BROKEN: H1: cannot be built' mutants
mutant 'Test: t\n'
echo 'four' >module/a.c
bad 'mutants: a patch that does not fit' 'BROKEN: H1: does not fit' mutants --apply
bad 'mutants: a missing patch' 'no patch' mutants --apply H99
rm -r tests/mutants
bad 'mutants: no patches' 'no patch' mutants --apply
cp "$tmp/guest" scripts/vm/guest

# --- Tests that only run other scripts

# host_test NAME: runs it in this tree
host_test()
{
	mkdir -p "$tmp/t/ext4"
	cp "$top/tests/$1.sh" "$tmp/t/ext4/$1.t"
	FS=ext4 DAXSTACK_TOP=$tree judged "$tmp/t/ext4/$1.t"
}
executable scripts/test/check-mutants <<'END'
#!/bin/bash
echo "killed: H1, by 't': not ok 1 - a"
END
bad 'tests/mutants.sh: too few mutants' 'status 1' host_test mutants
executable scripts/test/programs <<'END'
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
bad 'semantics: different output' 'not ok 1' semantics '```console\n# echo a\nb\n```\n'
bad 'semantics: two lines for "..."' 'not ok 1' \
	semantics '```console\n# echo a; echo b\n...\n```\n'
bad 'semantics: three lines for "a...c"' 'not ok 1' \
	semantics '```console\n# echo a; echo b; echo c\na...c\n```\n'
bad 'semantics: no examples' 'no examples' semantics '# Text\n'
bad 'semantics: line ends that hide examples' 'not ok 1' \
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
license='// SPDX-License-Identifier: GPL-2.0-only'
printf 'obj-m := small.o\nsmall-y := module/small.o\n' >Kbuild
echo '/* SPDX-License-Identifier: GPL-2.0-only */' >include/small.h

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
	"$top/scripts/test/style" "$small"
}
# One kernel is enough; the same one, for the caches.
DAXSTACK_KERNEL=$("$top/scripts/kernel/guest-kernel" "${DAXSTACK_KERNEL:-6.12}")
export DAXSTACK_KERNEL

clean()
{
	small_module ''
	small_tool 'int main(void)'
	small_script '"$1"'
	printf 'the module\n\tsmall.c\n' >module/layers
}
clean
good 'style: a tree' style
small_module 'int __user *shared;\nvoid nobody(void)\n{\n}'
small_tool 'int main( void )'
small_script '$1'
printf '\tgone.c\n' >>module/layers
bad 'style: checkpatch' 'tools/small.c:.*SPACING' style
# One run covers all of them.
for complaint in 'sparse=module/small.c:.*shared.* not declared' \
	'the compiler=module/small.c:.*no previous prototype' \
	'layers=layers: module/layers has gone.c' 'shellcheck=scripts/small:.*SC2086'; do
	grep -qE -e "${complaint#*=}" "$tmp/said"
	ok $? "fails: style: ${complaint%%=*}"
done
clean
for name in shellcheck sparse; do
	executable "$tmp/bin/$name" <<-'END'
	#!/bin/sh
	exit 127
	END
	bad "style: no $name" 'does not (work|build)' \
		env PATH="$tmp/bin:$PATH" "$top/scripts/test/style" "$small"
	rm "$tmp/bin/$name"
done
# Reuse earlier downloads.
archive=$("$top/scripts/kernel/kernel-source" 7.3)
checkpatch=$tmp/cache/daxstack/checkpatch-$(basename "$archive" .tar.xz)
mkdir -p "$checkpatch"
ln -s "$(dirname "$archive")"/{apt-*,source-*} "$tmp/cache/daxstack/"
bad 'style: no checkpatch' 'checkpatch does not work' \
	env XDG_CACHE_HOME="$tmp/cache" KDIR=/nowhere "$top/scripts/test/style" "$small"
executable "$checkpatch/checkpatch.pl" <<'END'
#!/bin/sh
exit 1
END
bad 'style: checkpatch fails without a message' 'does not say why' \
	env XDG_CACHE_HOME="$tmp/cache" "$top/scripts/test/style" "$small"
for gone in Kbuild tools/small.c scripts/small include/small.h,module/small.c; do
	(cd "$small" && rm -f ${gone//,/ })
	bad "style: no $gone" 'are here' style
	clean
	printf 'obj-m := small.o\nsmall-y := module/small.o\n' >Kbuild
done
mkdir "$tmp/empty"
bad 'style: nothing' 'are here' "$top/scripts/test/style" "$tmp/empty"

cd / || exit 1
done_testing
