#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Removes some of the guards against hazards, one at a time, and asserts that a test
# fails. Only mutants that fail soon; for all of them: make check-mutants.
# host
set -o pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1

case $FS in
ext4) names=(H1 H12 H15 H21) ;;
xfs) names=(H11) ;;
esac

count=1
if scripts/test/check-mutants --apply 2>&1 | sed 's/^/# /'; then
	echo "ok 1 - all patches fit the sources"
else
	echo "not ok 1 - all patches fit the sources"
fi
while read -r line; do
	case $line in
	killed:*)
		count=$((count + 1))
		echo "ok $count - ${line#killed: }"
		;;
	SURVIVED:* | BROKEN:*)
		count=$((count + 1))
		echo "not ok $count - $line"
		;;
	*) echo "# $line" ;;
	esac
done < <(scripts/test/check-mutants "${names[@]}" 2>&1)
echo "1..$count"
[ "$count" = $((1 + ${#names[@]})) ]
