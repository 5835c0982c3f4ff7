#!/bin/bash
# The model of the gates' protocol (tests/gates.pml): no interleaving leaves a
# gate shut, or lets anybody in who must not be; and spin finds what is wrong
# with protocols that are.
# host
set -u -o pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1

model=$PWD/tests/gates.pml
tmp=$(mktemp -d "${TMPDIR:-/tmp}/daxstack-gates.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

# run FLAW: all interleavings, with a flaw if there is one; the log has the rest.
# Return: 0 none is wrong, 1 some are, 2 it could not be found out.
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

n=0 failed=0
# expect STATUS FLAW NAME
expect()
{
	local status=0
	run "$2" || status=$?
	n=$((n + 1))
	if [ "$status" = "$1" ]; then
		echo "ok $n - $3"
		sed -n 's/^ *\([0-9]*\) states, stored.*/# \1 states/p
			s/^pan:1: /# /p' log
	else
		failed=1
		echo "not ok $n - $3"
		sed 's/^/# /' log
	fi
}

expect 0 '' 'every interleaving ends with the gates open, and is safe'
# Every statement of the model has been run.
n=$((n + 1))
if grep -A1 '^unreached' log | grep -q 'gates.pml:'; then
	failed=1
	echo "not ok $n - all of the model is reached"
	grep -A9 '^unreached' log | sed 's/^/# /'
else
	echo "ok $n - all of the model is reached"
fi
while read -r flaw; do
	expect 1 "$flaw" "$flaw is found out"
done < <(sed -n 's/^ \*  -D\([A-Z_]*\) .*/\1/p' "$model")
n=$((n + 1))
if [ "$n" = 10 ]; then
	echo "ok $n - seven flaws"
else
	failed=1
	echo "not ok $n - seven flaws"
fi
echo "1..$n"
exit "$failed"
