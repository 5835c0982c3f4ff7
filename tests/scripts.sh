#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every program in scripts/ answers --help, rejects an unknown option with status 2, and is
# in the table of scripts/README.md.
# host
set -uo pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1

count=0 failed=0
# ok STATUS NAME [OUTPUT]
ok()
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
		return
	fi
	echo "not ok $count - $2"
	printf '%s\n' "${3-}" | sed 's/^/# /'
	failed=1
}

# help PROGRAM: prints a manual on standard output, and nothing on standard error.
help()
{
	local status=0 said
	said=$(timeout 60 "$1" --help 2>&1 >/dev/null </dev/null) || status=$?
	if [ "$status" != 0 ] || [ -n "$said" ]; then
		ok 1 "$1 --help" "status $status: $said"
		return
	fi
	said=$("$1" --help </dev/null)
	grep -qE "^Usage: ([^ ]*/)?${1##*/}( |$)" <<<"$said"
	ok $? "$1 --help" "$said"
}

# unknown_option PROGRAM: one line on standard error, which names --help.
unknown_option()
{
	local status=0 said
	said=$(timeout 60 "$1" --no-such-option 2>&1 >/dev/null </dev/null) || status=$?
	[ "$status" = 2 ] && [ "$(wc -l <<<"$said")" = 1 ] &&
		[[ $said == *--no-such-option*--help* ]]
	ok $? "$1: an unknown option" "status $status: $said"
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
ok $? 'scripts/README.md lists exactly the programs' "$differ"

# Only files that others run or source may have no program's head.
differ=$(grep -rLE '^# Usage: ' "${programs[@]}")
[ -z "$differ" ]
ok $? 'every program has its manual as head comment' "$differ"

echo "1..$count"
exit $failed
