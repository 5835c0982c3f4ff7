#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every program in scripts/ answers --help, rejects an unknown option with status 2, and is
# in the table of scripts/README.md.
# host
set -uo pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

# report STATUS NAME OUTPUT: shows the output on failure
report()
{
	ok "$1" "$2"
	[ "$1" = 0 ] || printf '%s\n' "$3" | sed 's/^/# /'
}

# help PROGRAM: prints a manual on standard output, and nothing on standard error.
help()
{
	local status=0 seen
	seen=$(timeout 60 "$1" --help 2>&1 >/dev/null </dev/null) || status=$?
	if [ "$status" != 0 ] || [ -n "$seen" ]; then
		report 1 "$1 --help" "status $status: $seen"
		return
	fi
	seen=$("$1" --help </dev/null)
	grep -qE "^Usage: ([^ ]*/)?${1##*/}( |$)" <<<"$seen"
	report $? "$1 --help" "$seen"
}

# unknown_option PROGRAM: one line on standard error, which names --help.
unknown_option()
{
	local status=0 seen
	seen=$(timeout 60 "$1" --no-such-option 2>&1 >/dev/null </dev/null) || status=$?
	[ "$status" = 2 ] && [ "$(wc -l <<<"$seen")" = 1 ] &&
		[[ $seen == *--no-such-option*--help* ]]
	report $? "$1: an unknown option" "status $status: $seen"
}

mapfile -t programs < <(find scripts -type f -perm -u+x | LC_ALL=C sort)
[ ${#programs[@]} -gt 30 ]
ok $? "scripts/ has programs (${#programs[@]})"
for program in "${programs[@]}"; do
	help "$program"
	unknown_option "$program"
done

# The table: a program in its first column, as a path below scripts/.
# shellcheck disable=SC2016 # a pattern
listed=$(sed -n 's/^| `\([^` ]*\)` |.*/scripts\/\1/p' scripts/README.md | LC_ALL=C sort)
differ=$(diff <(printf '%s\n' "${programs[@]}") - <<<"$listed")
report $? 'scripts/README.md lists exactly the programs' "$differ"

# Only files that others run or source may have no program's head.
differ=$(grep -rLE '^# Usage: ' "${programs[@]}")
[ -z "$differ" ]
report $? 'every program has its manual as head comment' "$differ"

done_testing
