# Markdown tables of placement from place.json. For scripts/measure/place.
def mib: . / 1048576 | round;
def num: tostring | if test("\\.") then . else . + ".0" end;
def signed: if . > 0 then "+\(num)" else num end | sub("-"; "−");

"| trace | files | data, DRAM | all dax | all cached | best fixed | **auto** | vs. best fixed | vs. better of all dax and all cached | switches |",
"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
(.traces[] |
	"| \(.load) | \(.files) | \(.data_bytes | mib), \(.budget_bytes | mib) MiB | \(.dax_ms | round) ms | \(.cached_ms | round) ms | \(.best_ms | round) ms | **\(.auto_ms | round) ms** | \(.to_best_percent | signed) % | \(.to_either_percent | signed) % | \(.switches) |"),
"",
if .model == [] then empty else
"| load | mode | simulated | rest | predicted | memory model | error |",
"|---|---|--:|--:|--:|--:|--:|",
(.model[] |
	"| \(.load) | \(.mode) | \(.simulated_ms | round) ms | \(.rest_ms | round) ms | \(.predicted_ms | round) ms | \(.modelled_ms | round) ms | \(.off_percent | signed) % |")
end
