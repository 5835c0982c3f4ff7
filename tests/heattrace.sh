#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Heat traces: asserts that a trace is read back as written; that a truncated, damaged
# or forged trace is read as far as possible or refused with a message, without memory
# errors; that a day of a busy database fits into 100 MB.
# host
#
# Functions are called by way of all_of.
# shellcheck disable=SC2317
set -u -o pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1
here=$PWD/scripts
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
temporary heattrace
trap 'rm -rf "$tmp"' EXIT
load=$PWD/build/tests/traceload

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
# Shown after failed checks.
said=$tmp/said

# all_of NAME COMMAND...: one assertion for all assertions of COMMAND
all_of()
{
	local name=$1 status=0
	shift
	"$@" >"$tmp/said" 2>&1 || status=$?
	grep -q '^1\.\.[1-9]' "$tmp/said" || status=1
	ok $status "$name: $(grep -c '^ok ' "$tmp/said") checks"
	grep '^# ' "$tmp/said" | head -n 5
}

# With the sanitizers for addresses, leaks and undefined behaviour.
checked=$tmp/checked
CFLAGS='-O1 -g -fno-sanitize-recover=all -fsanitize=address,undefined' \
	make -s -C tests O="$checked" "$checked/traceload" >"$tmp/said" 2>&1
ok $? 'built with sanitizers'
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
for seed in 1 2 3; do
	all_of "random readings, seed $seed" "$checked/traceload" round $seed 200 "$tmp/trace"
done
all_of 'cut at every length' "$checked/traceload" cut "$tmp/trace"
all_of 'each byte changed' "$checked/traceload" flip "$tmp/trace"
all_of 'each byte forged' "$checked/traceload" forge "$tmp/trace"

full()
{
	(
		trap '' XFSZ
		ulimit -f 64
		"$load" full "$tmp/trace"
	)
}
all_of 'full disk' full
all_of 'a day of a busy database' "$load" day "$tmp/day"
rm -f "$tmp/day"

# refused PATTERN COMMAND...: asserts an error message, not a signal
refused()
{
	local pattern=$1 status=0
	shift
	"$@" >"$tmp/said" 2>&1 || status=$?
	[ $status = 1 ] && grep -qE "refused: .*$pattern" "$tmp/said"
}
little() { (ulimit -v 300000; "$load" read "$tmp/trace"); }
"$load" bomb "$tmp/trace" >"$tmp/said"
size=$(stat -c %s "$tmp/trace")
[ "$size" -lt 2000000 ]
ok $? "a trace of $size bytes that would take gigabytes"
refused 'more files, or longer names, than a trace can have' "$load" read "$tmp/trace"
ok $? '... is refused'
refused 'Cannot allocate memory' little
ok $? '... also with little memory'
: >"$tmp/trace"
refused 'not a heat trace' "$load" read "$tmp/trace"
ok $? 'an empty file'
refused 'not a heat trace' "$load" read "$load"
ok $? 'a file that is none'
refused 'Is a directory' "$load" read "$tmp"
ok $? 'a directory'

done_testing
