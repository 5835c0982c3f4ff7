#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The worth of each mode, short form: asserts that it is the same in every run and
# follows from the profiles, and that the tables in the documents match the counts.
# host
cd "${DAXSTACK_TOP:-.}" || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

# holds FILE FILTER NAME: asserts FILTER on worth.json; prints the loads on failure.
holds()
{
	jq -e "$of $2" "$1" >/dev/null
	ok $? "$3"
	jq -e "$of $2" "$1" >/dev/null ||
		jq -c '.loads[] | [.key, .modelled]' "$1" | sed 's/^/# /'
}
# shellcheck disable=SC2016 # for jq
of='def load($key): .loads[] | select(.key == $key) | .modelled;'

# same EXPECTED SEEN NAME: compares non-empty files
same()
{
	[ -s "$1" ] && cmp -s "$1" "$2"
	ok $? "$3"
	cmp -s "$1" "$2" || diff "$1" "$2" | head -n 20 | sed 's/^/# /'
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# --- Two runs are the same.

for try in 1 2; do
	WORTH_DIR=$dir/$try scripts/measure/worth --quick --fs "$FS" >"$dir/$try.md" 2>"$dir/log" || {
		sed 's/^/# /' "$dir/log"
		ok 1 "run $try"
		echo "1..$n"
		exit 1
	}
done
same "$dir/1/worth.json" "$dir/2/worth.json" 'two runs give the same results'
same "$dir/1/counts/quick.counts" "$dir/2/counts/quick.counts" \
	'two runs give the same counts'
json=$dir/1/worth.json

# --- Results of the model.

holds "$json" '[.loads[].modelled[] | .dax_ns, .cached_ns, .to_dax_ns, .to_cached_ns] |
	length == 24 and all(. > 0)' 'each load has times, by each profile'
# Reads of a mapped set that fits into memory have equal instructions and misses.
holds "$json" 'load("map-random-below").dram | .better == "either" and
	(.dax_stalls_ns / .cached_stalls_ns | . > 0.98 and . < 1.02)' \
	'dram: reads by mapping cost the same in both modes'
holds "$json" 'load("map-random-below")["optane-dc"] | .better == "cached" and .times > 1.5' \
	'optane-dc: cached is better for random reads by mapping of a set that fits'
holds "$json" 'load("map-random-below").cxl | .better == "cached" and .times > 1.5' \
	'cxl: cached is better for random reads by mapping of a set that fits'
holds "$json" 'load("map-random-below") | .cxl.cached_ns == .dram.cached_ns' \
	'reads from the page cache do not depend on persistent memory'
holds "$json" 'load("write-random-1") | all(.better == "dax" and .times > 1.5)' \
	'all: dax is better for synced writes'
holds "$json" '[.loads[].modelled[] | select(.better == "cached") |
	select(.to_dax_pays_after == null) |
	.to_cached_pays_after * (.dax_ns - .cached_ns) / (.to_cached_ns + .cached_warm_up_ns)] |
	length == 2 and all(. > 0.9 and . < 1.1)' \
	'a switch to cached pays after its cost divided by the saving per operation'
holds "$json" '[.loads[].modelled[] | select(.better == "dax") |
	select(.to_cached_pays_after == null) |
	.to_dax_pays_after * (.cached_ns - .dax_ns) / (.to_dax_ns + .dax_warm_up_ns)] |
	length == 3 and all(. > 0.9 and . < 1.1)' \
	'a switch to dax pays after its cost divided by the saving per operation'

# --- A custom profile, without another run.

sed -e 's/^name=.*/name=slow/' -e '/^\[pmem\]/,$ s/^\(.*_read_ns=.*\)/\10/' \
	profiles/optane-dc.conf >"$dir/slow.conf"
WORTH_DIR=$dir/own scripts/measure/worth --counted "$dir/1/counts" --profile "$dir/slow.conf" \
	optane-dc >"$dir/own.md" 2>&1
ok $? 'a custom profile'
head -n 3 "$dir/own.md" | sed 's/^/# /'
holds "$dir/own/worth.json" 'load("map-random-below") |
	.slow.dax_ns > 5 * .["optane-dc"].dax_ns and .slow.cached_ns == .["optane-dc"].cached_ns' \
	'memory that is ten times slower makes dax slower'
echo 'random_read=1' >>"$dir/slow.conf"
! WORTH_DIR=$dir/own scripts/measure/worth --counted "$dir/1/counts" --profile "$dir/slow.conf" \
	>"$dir/said" 2>&1 && grep -q 'slow.conf' "$dir/said"
ok $? 'a profile with an error is refused, with its name'

# --- The documents.

# between FILE MARK: prints the text between the marks
between()
{
	sed -n "/^<!-- $2/,/^<!-- end/ { /^<!--/!p }" "$1"
}
# shellcheck disable=SC2046 # words
WORTH_DIR=$dir/docs scripts/measure/worth --counted docs/worth \
	$(jq -r '.profiles[].name' docs/plots/worth.json) >"$dir/docs.md" 2>&1
ok $? 'the counts of the documents'
same docs/plots/worth.json "$dir/docs/worth.json" \
	'docs/plots/worth.json follows from the profiles'
# "In short" of docs/performance.md.
holds docs/plots/worth.json '[load("write-random-1", "write-random-10", "write-random-100",
	"sqlite-update", "lmdb-put", "pgbench-tpcb", "map-random-at", "map-random-above",
	"read-random-above", "map-zipf-at", "map-zipf-above", "read-zipf-above",
	"scan-read-above", "scan-map-above")[] | .better] | unique == ["dax"]' \
	'dax is better for synced overwrites, and for sets that do not fit'
holds docs/plots/worth.json '[load("map-random-below", "map-zipf-below", "read-random-below",
	"read-zipf-below", "lmdb-get") | .["optane-dc"], .cxl | .better] | unique == ["cached"]' \
	'optane-dc, cxl: cached is better for reads of a set that fits'
holds docs/plots/worth.json '[load("append-1", "append-10", "append-100")[] | .better] |
	unique == ["cached"]' 'cached is better for a file that grows in small steps'
holds docs/plots/worth.json '[load("map-random-below", "map-zipf-below", "read-random-below",
	"read-zipf-below", "lmdb-get", "sqlite-select", "pgbench-select").dram.times] |
	max < 1.1' 'dram: the mode hardly matters for reads of a set that fits'
while read -r file part; do
	scripts/measure/worth --tables "$part" docs/plots/worth.json >"$dir/expected"
	between "$file" "worth $part" >"$dir/seen"
	same "$dir/expected" "$dir/seen" "$file: $part, as in docs/plots/worth.json"
done <<-END
	docs/worth.md all
	docs/performance.md decision
	docs/performance.md rules
END

done_testing
