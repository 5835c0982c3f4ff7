# Markdown tables from worth.json. For scripts/measure/worth.
#
# $part: "all", the cost of every load; "decision", the faster mode for each load;
# "rules", the faster mode for each kind of load

def digits:
	tostring | [match("[0-9]{1,3}(?=([0-9]{3})*$)"; "g").string] | join(",");

# Three digits are enough.
def rounded:
	if . < 1000 then round
	else (. | log10 | floor - 2) as $n | (pow(10; $n) | round) as $unit |
		(. / $unit | round) * $unit
	end;

def time:
	if . < 10 then "\(. * 10 | round / 10) ns"
	elif . < 10000 then "\(round | digits) ns"
	elif . < 10000000 then "\(. / 1000 | rounded | digits) µs"
	else "\(. / 1000000 | rounded | digits) ms" end;

def after: if . == null then "never" else rounded | digits end;

def mib: . / 1048576 | floor | "\(.) MiB";

def set:
	if .set == 0 then "grows"
	elif .dram == 0 then .set | mib
	else "\(.set | mib), \(.where)" end;

# The faster mode, and how many times as fast it is.
def verdict:
	if .better == "either" then "either"
	else "\(.better) \(if .times < 2 then .times elif .times < 10 then .times * 10 | round / 10 else .times | round end)×" end;

# --- All loads.

def table($kind):
	"| \($kind) | set | operation | dax | cached | better | to dax pays after | to cached pays after |",
	"|---|---|---|--:|--:|---|--:|--:|",
	(.loads[] | select(.group != "switch") | . as $load | .modelled[$kind] |
	 "| \($load.what) | \($load | set) | \($load.operation) | \(.dax_ns | time) | \(.cached_ns | time) | \(verdict) | \(.to_dax_pays_after | after) | \(.to_cached_pays_after | after) |");

def switches($kind):
	"| \($kind): a switch of files that are | size | to cached | and warm up | to dax | and warm up |",
	"|---|---|--:|--:|--:|--:|",
	(.loads[] | . as $load | .modelled[$kind] |
	 (if $load.group == "switch" then $load.what else "in use by: \($load.what)" end) as $what |
	 "| \($what) | \($load | set) | \(.to_cached_ns | time) | \(.cached_warm_up_ns | time) | \(.to_dax_ns | time) | \(.dax_warm_up_ns | time) |");

def everything:
	. as $all |
	"Linux \(.kernel), \(.fs), daxstack \(.module), QEMU \(.qemu); caches \(.caches).",
	(.profiles[] | "", "### \(.name): \(.description)", "", (.name as $kind | $all |
		table($kind), "", switches($kind)));

# --- The mode to choose.

# The better mode by one profile, and when a switch pays off.
def cell($kind):
	map(.modelled[$kind] | (if .better == "either" then "either" else "**\(.better)** \(verdict | split(" ")[1])" end) +
		(if .better == "dax" then ", \(.to_dax_pays_after | after)"
		 elif .better == "cached" then ", \(.to_cached_pays_after | after)"
		 else "" end));

def decision:
	[.profiles[].name] as $kinds |
	"| load | working set and DRAM | \($kinds | join(" | ")) |",
	"|---|---|\($kinds | map("---|") | join(""))",
	(.loads[] | select(.group != "switch") | . as $load |
	 "| \($load.what) | \(if $load.set == 0 or $load.dram == 0 then "fits" else {below: "fits", at: "just too large", above: "twice as large"}[$load.where] end) | \([$kinds[] as $kind | [$load] | cell($kind)[0]] | join(" | ")) |");

# --- The rules: the faster mode for each kind of load, by profile.

def range(text):
	(min | text) as $from | (max | text) as $to |
	if $from == $to then "\($from)" else "\($from) to \($to)" end;
def times: if . < 2 then . elif . < 10 then . * 10 | round / 10 else round | digits end;

# The results of one profile: the faster mode, its factor, when a switch pays.
def sum_up:
	group_by(.better) | map(
		if .[0].better == "either" then "either mode"
		else "**\(.[0].better)**, \(map(.times) | range(times)) times as fast, a switch pays after \(map(.to_dax_pays_after // .to_cached_pays_after) | range(after)) operations" end
	) | join("; or ");

# The results of all profiles.
def rule($title; $keys):
	[.profiles[].name] as $kinds |
	[.loads[] | select(.key as $key | $keys | index($key)) | .modelled] as $results |
	([$results[][].better] | unique) as $modes |
	"- **\($title):** " +
	if ($modes | length) == 1 then
		"with every profile " + ([$results[][]] | sum_up)
	else
		$kinds | map(. as $kind | "`\($kind)`: \([$results[][$kind]] | sum_up)") | join(". ")
	end + ".";

def switch_cost($title; $key):
	[.profiles[].name] as $kinds |
	(.loads[] | select(.key == $key)) as $load |
	"- **\($title):** " + ($kinds | map(. as $kind | $load.modelled[$kind] |
		"`\($kind)`: \(.to_cached_ns | time) to cached, then \(.cached_warm_up_ns | time) more for the first accesses; \(.to_dax_ns | time) to dax, then \(.dax_warm_up_ns | time) more") |
		join(". ")) + ".";

def rules:
	rule("Random writes of pages, with an fsync after 1, 10 or 100";
		["write-random-1", "write-random-10", "write-random-100"]),
	rule("Appended records, with an fsync after each"; ["append-1"]),
	rule("Appended records, with an fsync after 10 or 100"; ["append-10", "append-100"]),
	rule("Reads by mapping, working set fits in DRAM";
		["map-random-below", "map-zipf-below"]),
	rule("Reads by read(2), working set fits in DRAM";
		["read-random-below", "read-zipf-below"]),
	rule("Uniform reads, working set larger than DRAM";
		["map-random-at", "map-random-above", "read-random-at", "read-random-above"]),
	rule("Zipfian reads, working set larger than DRAM";
		["map-zipf-at", "map-zipf-above", "read-zipf-at", "read-zipf-above"]),
	rule("Repeated scans, working set fits in DRAM"; ["scan-read-below", "scan-map-below"]),
	rule("Repeated scans, working set larger than DRAM"; ["scan-read-above", "scan-map-above"]),
	rule("Databases that update rows in transactions";
		["sqlite-update", "lmdb-put", "pgbench-tpcb"]),
	rule("Databases that look up rows, working set fits in DRAM";
		["sqlite-select", "lmdb-get", "pgbench-select"]),
	switch_cost("Switch of a 16 MiB file, all of its pages in use"; "switch-clean"),
	switch_cost("The same, mapped and half of it dirty"; "switch-mapped-dirty-50");

if $part == "all" then everything
elif $part == "decision" then decision
elif $part == "rules" then rules
else error("no part \($part)") end
