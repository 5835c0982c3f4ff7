#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tables of tests/README.md name each test and each shared program once and nothing
# else, and agree with tests/plan and with the heads of the mutants.
# host
set -u
cd "${DAXSTACK_TOP:-.}/tests" || exit 1
# shellcheck source=tests/lib/tap.sh
. lib/tap.sh

# none NAME: passes if standard input is empty; else shows it.
none()
{
	local lines
	lines=$(cat)
	[ -z "$lines" ]
	ok $? "$1"
	[ -z "$lines" ] || echo "# ${lines//$'\n'/$'\n'# }"
}

# What has a row: every program and script here but packages.sh, which the plan cannot run.
sources=$(for path in *.c *.sh */main.c; do
	path=${path%/main.c}
	path=${path%.c}
	echo "${path%.sh}"
done | grep -vx packages | sort -u)
rows=$(awk -F '`' '/^[|] `/ { print $2 }' README.md)
# TEST<tab>HAZARDS<tab>KERNELS, of the tables of tests
table=$(awk -F ' *[|] *' -v OFS='\t' 'NF == 7 && $2 ~ /^`/ {
	gsub(/`/, "", $2)
	print $2, $4, $6
}' README.md)

none 'every test has a row' < <(comm -23 <(echo "$sources") <(sort -u <<<"$rows"))
none 'every row has a test' < <(comm -13 <(echo "$sources") <(sort -u <<<"$rows"))
none 'no test has two rows' < <(sort <<<"$rows" | uniq -d)

# A test that the plan does not list runs on all kernels.
none 'kernels are those of the plan' < <(awk -F '\t' '
FNR == NR {
	split($0, word, " ")
	if (!/^#/ && NF)
		plan[word[1]] = word[2]
	next
}
{
	wanted = $1 in plan ? plan[$1] : "all"
	if ($3 != wanted)
		print $1 ": " $3 ", in the plan " wanted
	seen[$1] = 1
}
END {
	for (test in plan)
		if (!(test in seen))
			print test ": in the plan, but in no table of tests"
}' plan <(echo "$table"))

# The head of a mutant: "Hazard: H2" and "Test: hazards H2"
none "a mutant's hazard is in the row of its test" < <(awk -F '\t' '
FNR == NR {
	nr = split($2, part, /, */)
	for (i = 1; i <= nr; i++) {
		gsub(/H/, "", part[i])
		ends = split(part[i], end, / to /)
		for (h = end[1]; h <= end[ends]; h++)
			has[$1 " H" h] = 1
	}
	next
}
/^---$/ { nextfile }
/^Hazard: / { hazard = substr($0, 9) }
/^Test: / {
	split($0, word, " ")
	if (!((word[2] " " hazard) in has))
		print FILENAME ": " word[2] ", " hazard
}' <(echo "$table") mutants/*.patch)

done_testing
