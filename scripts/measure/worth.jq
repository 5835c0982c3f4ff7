# Comparison of the modes, as JSON, from counts. For scripts/measure/worth.
#
# Named arguments, each a text of lines with tabs:
#   $meta      NAME VALUE
#   $list      KEY GROUP SET DRAM OP WHAT, a load in each: worth-load list
#   $phases    GUEST REGION KEY PHASE OPERATIONS ...
#   $profiles  NAME DESCRIPTION SOURCE
#   $times     PROFILE GUEST REGION PICOSECONDS STALLS; stalls are part of the time
#
# Times are computed in whole picoseconds, and printed in nanoseconds.

def lines: split("\n") | map(select(. != "") | split("\t"));
def ns: (. / 100 | round) / 10;

# From {dax: {ops, time, stalls}, "to-dax": ...}: the cost of an operation in the mode.
def each($mode; what):
	if has($mode + "-twice") then
		((.[$mode + "-twice"] | what) - (.[$mode] | what)) /
			(.[$mode + "-twice"].ops - .[$mode].ops)
	else
		(.[$mode] | what) / .[$mode].ops
	end;

def steady($mode): each($mode; .time);

# The cost of starting the program.
def start_up($mode):
	if has($mode + "-twice") then .[$mode].time - .[$mode].ops * steady($mode) else 0 end;

# The additional cost of the first operations after a switch.
def warm_up($mode):
	[.[$mode + "-warm"].time - start_up($mode) - .[$mode + "-warm"].ops * steady($mode), 0]
	| max;

def other($mode): if $mode == "dax" then "cached" else "dax" end;

# The modes are equal if they differ by less than 2 %.
def better:
	steady("dax") as $dax | steady("cached") as $cached |
	if ([$dax, $cached] | max) < 1.02 * ([$dax, $cached] | min) then "either"
	elif $dax < $cached then "dax" else "cached" end;

# The number of operations after which the switch to $mode has paid off; null: never.
def break_even($mode):
	if better == $mode then
		(.["to-" + $mode].time + warm_up($mode)) /
			(steady(other($mode)) - steady($mode)) | ceil
	else null end;

def worth: {
	dax_ns: (steady("dax") | ns),
	dax_stalls_ns: (each("dax"; .stalls) | ns),
	cached_ns: (steady("cached") | ns),
	cached_stalls_ns: (each("cached"; .stalls) | ns),
	better: better,
	times: ((([steady("dax"), steady("cached")] | max) /
		([steady("dax"), steady("cached")] | min) * 100 | round) / 100),
	to_dax_ns: (.["to-dax"].time | ns),
	dax_warm_up_ns: (warm_up("dax") | ns),
	to_dax_pays_after: break_even("dax"),
	to_cached_ns: (.["to-cached"].time | ns),
	cached_warm_up_ns: (warm_up("cached") | ns),
	to_cached_pays_after: break_even("cached")
};

def where:
	if .dram == 0 or .set < .dram then "below"
	elif .set == .dram then "at" else "above" end;

($meta | lines | map({(.[0]): .[1]}) | add) as $about |
($profiles | lines | map({name: .[0], description: .[1], source: .[2]})) as $kinds |
($times | lines | map({(.[0] + "/" + .[1] + "/" + .[2]):
	{time: (.[3] | tonumber), stalls: (.[4] | tonumber)}}) | add) as $time |
($phases | lines | group_by(.[2]) | map({(.[0][2]): .}) | add) as $by_key |
{
	unit: "nanoseconds, modelled; operations",
	kernel: $about.kernel,
	module: $about.module,
	qemu: $about.qemu,
	fs: $about.fs,
	caches: $about.caches,
	profiles: $kinds,
	loads: [
		$list | lines[] |
		{
			key: .[0], group: .[1], what: .[5], operation: .[4],
			set: (.[2] | tonumber), dram: (.[3] | tonumber)
		} |
		select($by_key[.key]) |
		.where = where |
		.key as $key |
		.modelled = (
			[$kinds[].name as $kind | {
				($kind): (
					$by_key[$key] | map({(.[3]): (
						{ops: (.[4] | tonumber)} +
						$time[$kind + "/" + .[0] + "/" + .[1]]
					)}) | add | worth
				)
			}] | add
		)
	]
}
