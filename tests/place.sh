#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Placement, short form: records the heat of a load in a guest and simulates it; then
# daxstackd places the files during a second run. Also asserts the stated results for
# the recorded traces of the documents.
# host
cd "${DAXSTACK_TOP:-.}" || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

# same EXPECTED SEEN NAME: compares non-empty files
same()
{
	[ -s "$1" ] && cmp -s "$1" "$2"
	ok $? "$3"
	cmp -s "$1" "$2" || diff "$1" "$2" | head -n 20 | sed 's/^/# /'
}

# between FILE MARK: prints the text between the marks
between()
{
	sed -n "/^<!-- $2/,/^<!-- end/ { /^<!--/!p }" "$1"
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# --- Recorded, simulated, and placed by daxstackd.

if PLACE_FS=$FS PLACE_DIR=$dir scripts/measure/place --short >"$dir/said" 2>&1; then
	ok 0 'heat is recorded and files are placed, in a guest'
else
	sed 's/^/# /' "$dir/said"
	ok 1 'heat is recorded and files are placed, in a guest'
	echo "1..$n"
	exit 1
fi
sed 's/^/# /' "$dir/said"
jq -e '.traces[0] | .load == "steady" and .files == 17 and .intervals > 5' \
	"$dir/place.json" >/dev/null
ok $? 'the trace has its files'
jq -e '.traces[0] | .auto_ms < .dax_ms and .auto_ms < .cached_ms and .switches > 0 and
	.dram_most_bytes <= .budget_bytes' "$dir/place.json" >/dev/null
ok $? 'simulated, the policy beats all dax and all cached, within its budget'

# in_mode FILE: the mode in which daxstackd left the file
in_mode()
{
	awk -v file="$1" '{ for (i = 1; i <= NF; i++) if ($i == file) print $0 }' \
		"$dir/short/files" | grep -ow 'dax\|cached' | head -n 1
}
sed 's/^/# /' "$dir/short/moves" | tail -n 20
[ "$(in_mode file-00) $(in_mode file-01)" = 'cached cached' ]
ok $? 'daxstackd moved the two hottest files to DRAM'
[ "$(in_mode file-15)" = dax ]
ok $? '... and left the overwritten and synced file in dax mode'
[ "$(in_mode file-13) $(in_mode file-14)" = 'dax dax' ]
ok $? '... and the coldest files'
grep -q 'file-00.*cached' "$dir/short/moves"
ok $? '... and logged it'
[ "$(grep -cw cached "$dir/short/files")" -le 5 ]
ok $? '... and no more than fit into DRAM'

# --- The recorded traces of the documents.

PLACE_DIR=$dir/docs scripts/measure/place >"$dir/docs.md" 2>"$dir/said"
ok $? 'the traces in docs/placement are simulated'
sed 's/^/# /' "$dir/said"
scripts/measure/place --margins "$dir/docs/place.json" >"$dir/margins" 2>/dev/null
while read -r verdict name; do
	[ "$verdict" = ok ]
	ok $? "$name"
done < <(sed 's/^not ok [0-9]* - /bad /; s/^ok [0-9]* - /ok /' "$dir/margins")
[ "$(jq '.traces | length' "$dir/docs/place.json")" = "$(scripts/measure/place --list | wc -l)" ]
ok $? 'each load has a trace'
[ "$(jq -r '.model[] | select(.mode != "dax") | .load' "$dir/docs/place.json" | sort -u | wc -l)" -ge 2 ]
ok $? 'two loads were run under the memory model'
same docs/plots/place.json "$dir/docs/place.json" \
	'docs/plots/place.json is the result of the traces'
between docs/placement.md place >"$dir/seen"
same "$dir/docs/place.md" "$dir/seen" 'docs/placement.md: the tables'

done_testing
