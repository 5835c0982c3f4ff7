#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Model checking of the gate protocol (tests/gates.pml): asserts that no interleaving
# leaves a gate closed or lets a reader pass a closed gate, and that spin finds the
# error in each deliberately flawed variant.
# host
set -u -o pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1

model=$PWD/tests/gates.pml
tmp=$(mktemp -d "${TMPDIR:-/tmp}/daxstack-gates.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
cd "$tmp" || exit 1
said=log

# run FLAW: checks all interleavings, with a flaw unless empty; output is in "log".
# Return: 0 no error, 1 an error was found, 2 the check failed.
run()
{
	spin ${1:+-D"$1"} -a "$model" >log 2>&1 &&
		cc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4096 -o pan pan.c >>log 2>&1 &&
		./pan -m10000 >>log 2>&1 || return 2
	! grep -Eq 'depth too small|reached -DMEMLIM|out of memory' log || return 2
	grep -q 'errors: 0$' log && return 0
	grep -Eq 'errors: [1-9]' log && return 1
	return 2
}

# expect STATUS FLAW NAME
expect()
{
	local status=0
	run "$2" || status=$?
	[ "$status" = "$1" ]
	ok $? "$3"
	sed -n 's/^ *\([0-9]*\) states, stored.*/# \1 states/p
		s/^pan:1: /# /p' log
}

expect 0 '' 'every interleaving is safe and ends with open gates'
! grep -A1 '^unreached' log | grep -q 'gates.pml:'
ok $? 'every statement of the model is reached'
while read -r flaw; do
	expect 1 "$flaw" "$flaw is detected"
done < <(sed -n 's/^ \*  -D\([A-Z_]*\) .*/\1/p' "$model")
[ "$n" = 11 ]
ok $? 'there are nine flaws'
done_testing
