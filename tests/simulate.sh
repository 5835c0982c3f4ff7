#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# daxstack simulate, the cost model and the policy: asserts the documented properties
# of the policy on synthetic traces of many kinds.
# host
#
# shellcheck disable=SC2016 # filters for jq
cd "${DAXSTACK_TOP:-.}" || exit 1

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# --- Unit tests of the parts.

while IFS= read -r line; do
	case $line in
	'ok '*) ok 0 "${line#* - }" ;;
	'not ok '*) ok 1 "${line#* - }" ;;
	'# '*) echo "$line" ;;
	esac
done < <(build/tests/placecheck 2>&1 || echo "not ok 0 - placecheck: exit status")

# --- On traces.

# simulate TRACE [OPTION]...
simulate()
{
	local trace=$1
	shift
	build/tools/daxstack simulate -p ./profiles/optane-dc.conf "$@" "$trace"
}

# make KIND SEED [STEPS]: makes a trace and prints its name
make()
{
	build/tests/placetraces "$1" "$2" "$tmp/$1-$2${3:+-$3}" ${3:+"$3"} || exit 1
	echo "$tmp/$1-$2${3:+-$3}"
}

# holds FILE FILTER NAME: asserts FILTER on the JSON result
holds()
{
	[ -s "$1" ] && jq -e ".simulate[0] | $of $2" "$1" >/dev/null
	ok $? "$3"
}
of='([.all_dax.ps, .all_cached.ps] | min) as $better |'

# Prints the times of the policy, of all dax, all cached, and the best fixed modes.
tell()
{
	jq -r ".simulate[0] | $of"' "# all dax \(.all_dax.ps / 1e9 | round) ms, all cached " +
		"\(.all_cached.ps / 1e9 | round), best fixed " +
		"\((.best_fixed.ps // 0) / 1e9 | round), policy \(.policy.ps / 1e9 | round), " +
		"\(.policy.switches) switches"' "$1"
}

steady='zipf uniform small database scan backup'
moving='moving'
for seed in 1 2 3; do
	for kind in $steady $moving phases tease spite build; do
		# The search takes long with many files.
		case $seed-$kind in
		1-* | [23]-zipf | [23]-database | [23]-moving | [23]-phases | [23]-spite) ;;
		2-small | 2-build) continue ;;
		2-*) ;;
		*) continue ;;
		esac
		trace=$(make "$kind" "$seed")
		json=$tmp/$kind-$seed.json
		simulate "$trace" --json >"$json" || ok 1 "$kind $seed: replayed"
		holds "$json" '.policy.ps <= 1.02 * $better' \
			"$kind $seed: at most 2 % behind the better of all dax and all cached"
		case " $steady " in *" $kind "*)
			holds "$json" '.policy.ps <= 1.05 * .best_fixed.ps' \
				"$kind $seed: at most 5 % behind the best fixed modes" ;;
		esac
		case " $moving " in *" $kind "*)
			holds "$json" '.policy.ps < .best_fixed.ps' \
				"$kind $seed: ahead of the best fixed modes" ;;
		esac
		[ "$kind" != database ] ||
			holds "$json" '$better >= 1.2 * .policy.ps' \
				"$kind $seed: 20 % ahead of the better of all dax and all cached"
		holds "$json" '[.policy, .best_fixed, .all_cached] |
			all(.dram_most_bytes <= '"$(jq '.simulate[0].budget_bytes' "$json")"')' \
			"$kind $seed: no more DRAM than the budget"
		holds "$json" '.best_fixed.ps <= $better' \
			"$kind $seed: the search is not worse than the known results"
		tell "$json"
	done
done

# --- Which files move.

json=$tmp/database-1.json
holds "$json" '[.files[] | select(.name | test("^pg_wal")) | .mode] == ["dax", "dax"]' \
	'the log stays in dax mode'
holds "$json" '[.files[0:4][].mode] == ["cached", "cached", "cached", "cached"]' \
	'hot tables go to cached mode'
holds "$json" 'all(.files[]; .moves <= 1)' 'no file moves back and forth'
holds "$tmp/small-1.json" 'all(.files[]; .moves <= 3) and .policy.switches > 100' \
	'small: no small file moves back and forth'
json=$tmp/scan-1.json
holds "$json" 'all(.files[] | select(.name | test("^cold/")); .moves == 0)' \
	'a file scanned once does not move'
holds "$json" '.policy.switches == 2' 'hot files move'
for seed in 1 2 3; do
	holds "$tmp/moving-$seed.json" 'all(.files[]; .moves <= 16)' \
		"moving $seed: each file moves about as often as it becomes hot or cold"
	holds "$tmp/zipf-$seed.json" 'all(.files[]; .moves <= 3)' \
		"zipf $seed: no file moves back and forth"
done

# --- Repeatability, limits, extremes.

trace=$tmp/moving-1
simulate "$trace" --json >"$tmp/again"
cmp -s "$tmp/again" "$tmp/moving-1.json"
ok $? 'the same trace gives identical results'
simulate "$trace" --json --switches 2 --no-search >"$tmp/paced"
holds "$tmp/paced" '.policy.most_switches_per_minute == 2 and .policy.switches > 4 and
	.best_fixed == null' 'no more switches in a minute than allowed'
simulate "$trace" --json --policy dax --no-search >"$tmp/dax"
holds "$tmp/dax" '.policy.ps == .all_dax.ps and .policy.switches == 0' \
	'the policy dax is all dax'
simulate "$trace" --json --policy found --start cached --no-search >"$tmp/cached"
holds "$tmp/cached" '.policy.ps == .all_cached.ps and .policy.switches == 0' \
	'files that start cached and stay are all cached'
simulate "$trace" --json --budget 4K --no-search >"$tmp/none"
holds "$tmp/none" '.policy.ps == .all_dax.ps' 'without DRAM the policy moves nothing'
simulate "$trace" --json --budget 100% --no-search >"$tmp/whole"
holds "$tmp/whole" '.policy.ps <= 1.05 * .all_cached.ps and .all_cached.ps < .all_dax.ps' \
	'with DRAM for all files the policy is close to all cached'
build/tools/daxstack simulate -p ./profiles/dram.conf --json --no-search "$trace" >"$tmp/dram"
holds "$tmp/dram" '.policy.switches == 0' 'with equal memories nothing moves'

for new in dax found; do
	simulate "$tmp/build-1" --json --no-search --new $new >"$tmp/build-$new.json"
done
cmp -s "$tmp/build-dax.json" "$tmp/build-found.json"
ok $? '--new found: new files start in their recorded mode'
holds "$tmp/build-dax.json" ".policy.ps > $(jq '.simulate[0].policy.ps' "$tmp/build-1.json")" \
	'a build is faster if new files start in the mode that paid before'

# A rules file: its limit of switches per minute, and its rules.
cat >"$tmp/rules" <<END
[mount /mnt]
budget = 8M
interval = 10s
max_switches_per_minute = 3

[rule log]
path = data/1*
mode = cached

[rule all]
mode = dax
END
simulate "$trace" --json --no-search --rules "$tmp/rules" >"$tmp/ruled" ||
	sed 's/^/# /' "$tmp/ruled"
holds "$tmp/ruled" '.budget_bytes == 8388608 and
	([.files[] | select(.mode == "cached") | .name] |
	 length == 7 and all(startswith("data/1")))' 'rules determine the modes of files'

simulate "$trace" --moves --files >"$tmp/text"
grep -q '^all cached .* s .* %' "$tmp/text" && grep -q '^best fixed' "$tmp/text" &&
	grep -q 'to cached .* ms/s  data/[0-9]*: gains most' "$tmp/text" &&
	grep -q '^cached .* data/' "$tmp/text"
ok $? 'output as text'
if command -v gnuplot >/dev/null; then
	simulate "$trace" --plot "$tmp/plot.svg" >/dev/null && grep -q '<svg' "$tmp/plot.svg" &&
		grep -q 'all cached' "$tmp/plot.svg" && grep -q '</svg>' "$tmp/plot.svg"
	ok $? 'a plot'
fi
PATH=/nowhere "$PWD/build/tools/daxstack" simulate -p ./profiles/optane-dc.conf \
	--no-search --plot "$tmp/no.svg" "$trace" >/dev/null 2>"$tmp/said"
[ $? = 2 ] && grep -q 'remedy: install gnuplot' "$tmp/said" && [ ! -e "$tmp/no.svg" ]
ok $? 'without gnuplot: message with the remedy'

# --- Errors.

# refuses STATUS WORDS NAME COMMAND...
refuses()
{
	local status=$1 words=$2 name=$3 seen=0
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/said" || seen=$?
	if [ "$seen" = "$status" ] && grep -q -- "$words" "$tmp/said" && [ ! -s "$tmp/out" ]; then
		ok 0 "$name"
	else
		ok 1 "$name"
		sed "s/^/# $seen: /" "$tmp/said"
	fi
}

for budget in 0 1 4095 -1 8X 25%% '' % 0% 99999999999999999999 8.5G; do
	refuses 64 'is not a budget: write' "budget '$budget'" simulate "$trace" --budget "$budget"
done
refuses 64 'is not a policy: write' 'a policy that there is not' \
	simulate "$trace" --policy best
refuses 64 'is not a number of switches' 'switches' simulate "$trace" --switches many
refuses 64 'FILE missing' 'no file' build/tools/daxstack simulate
refuses 64 'more than one FILE' 'two files' simulate "$trace" "$trace"
refuses 64 'is not an option' 'an option that there is not' simulate "$trace" --nonsense
refuses 2 'No such file' 'no such trace' simulate "$tmp/nothing"
refuses 2 'remedy: give --profile' 'no such profile' simulate "$trace" -p nonesuch
refuses 2 'no section' 'rules without the mount' simulate "$trace" --rules /dev/null
: >"$tmp/empty"
refuses 2 . 'an empty file' simulate "$tmp/empty"
head -c 3000 /dev/urandom >"$tmp/noise"
refuses 2 . 'a file that is not a trace' simulate "$tmp/noise"
refuses 2 'fewer than two readings' 'a trace of one reading' \
	simulate "$(make zipf 1 0)"
cp "$trace" "$tmp/damaged"
printf '\377\377\377\377' |
	dd of="$tmp/damaged" bs=1 seek=$(($(stat -c %s "$trace") / 2)) conv=notrunc status=none
refuses 2 . 'a damaged trace' simulate "$tmp/damaged"
head -c $(($(stat -c %s "$trace") / 2)) "$trace" >"$tmp/cut"
simulate "$tmp/cut" --json --no-search >"$tmp/cut.json" 2>"$tmp/said"
ok $? 'a truncated trace is replayed'
holds "$tmp/cut.json" '.complete == false and .intervals > 50 and .intervals < 480' \
	'shown up to its end'
grep -q 'truncated; replayed up to its end' "$tmp/said"
ok $? '... and a message says so'

done_testing
