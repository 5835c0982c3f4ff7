#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The memory model (docs/memory-model.md): asserts that accesses of known cost
# (modelload.c) in a guest are counted right, and get the times of each profile.
# host
#
# Functions are called by way of succeeds.
# shellcheck disable=SC2317
set -u
cd "${DAXSTACK_TOP:-.}" || exit 1
tmp=$(mktemp -d "${TMPDIR:-/tmp}/daxstack-model.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
log=${0%.t}.log
unset MAKEFLAGS MFLAGS MAKELEVEL

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
# Shown after failed checks.
said=$tmp/said
# says PATTERN COMMAND...: asserts that it fails with a message
says()
{
	local pattern=$1
	shift
	! "$@" >"$tmp/says" 2>&1 || return
	cat "$tmp/says"
	grep -qE -e "$pattern" "$tmp/says"
}

# timed COUNTS ARGUMENT...
timed()
{
	local counts=$1
	shift
	scripts/measure/modelled-time "$@" <"$counts"
}

# --- Guests

# Numbers of regions and of lines, by name.
declare -A is
while read -r _ name number; do
	is[$name]=$number
done < <(grep -E '^#define [A-Z_]+\s+[0-9]+$' tests/modelload.h)
lines=${is[MODEL_LINES]}

make -s model || exit 1
plugin=$PWD/build/memory-model.so
# A plugin loaded twice would share its variables.
for copy in main large wrong; do
	cp "$plugin" "$tmp/$copy.so"
done
caches=l1=32K:8,l2=256K:8
main="$tmp/main.so,$caches,l3=1M:16,pmem=auto"

# guest NAME PLUGIN...
guest()
{
	local name=$1 options=() plugin
	shift
	for plugin; do
		options+=(--plugin "$plugin")
	done
	scripts/vm/guest --fs "$FS" --icount --timeout 1800 --mem 1024 \
		--module "$DAXSTACK_KO" --log "$tmp/$name.log" --add build/tests/modelload \
		"${options[@]}" -- modelload >"$tmp/$name.tap"
	local status=$?
	cat "$tmp/$name.log" >>"$log"
	cat "$tmp/$name.tap"
	return "$status"
}

succeeds 'a guest runs all loads' guest first \
	"$main,out=$tmp/first" "$tmp/large.so,$caches,l3=4M:16,pmem=auto,out=$tmp/large"
# An address range without memory, instead of the NVDIMM.
succeeds 'a second guest runs all loads' guest second \
	"$main,out=$tmp/second" \
	"$tmp/wrong.so,$caches,l3=1M:16,pmem=0x200000000:0x220000000,out=$tmp/wrong"
succeeds 'both runs have identical counts' diff "$tmp/first" "$tmp/second"
succeeds 'persistent memory is found where the kernel has it' \
	grep -q "^$(sed -n 's/^pmem .*/& found/p' "$tmp/first.tap" | head -n 1)\$" "$tmp/first"
succeeds 'the plugin reads the right registers' grep -qx 'registers right' "$tmp/first"
succeeds 'the address of each flush is known' \
	not grep -E 'flushes_unseen [1-9]' "$tmp/first"

# --- The counts

# count FILE REGION NAME: sum of the counts
count()
{
	awk -v region="${is[$2]}" -v name="$3" '
		$1 == region && $2 == name { for (i = 3; i <= NF; i++) n += $i }
		END { print n + 0 }' "$tmp/$1"
}
# reads FILE REGION DEVICE: lines read from the device
reads()
{
	echo $(($(count "$1" "$2" "$3.stream") + $(count "$1" "$2" "$3.load") +
		$(count "$1" "$2" "$3.store")))
}
# between LEAST NUMBER MOST
between()
{
	echo "expected $1 to $3, seen $2"
	[ "$2" -ge "$1" ] && [ "$2" -le "$3" ]
}
# most REGION DEVICE OTHER: reads come from DEVICE, not from OTHER
most()
{
	between $((lines * 97 / 100)) "$(reads first "$1" "$2")" $((lines * 101 / 100)) &&
		between 0 "$(reads first "$1" "$3")" $((lines / 100))
}

succeeds 'anonymous memory is DRAM' most RANDOM_DRAM dram pmem
succeeds 'a mapping in dax mode is persistent memory' most RANDOM_PMEM pmem dram
succeeds 'a mapping in cached mode is DRAM' most RANDOM_CACHED dram pmem
succeeds 'a set that fits into the second cache causes no reads' \
	between 0 "$(reads first SMALL_SET dram)" 20
middle=${is[MODEL_MIDDLE]}
succeeds '2 MiB do not fit into 1 MiB' \
	between $((middle * 95 / 100)) "$(reads first MIDDLE_SET dram)" $((middle * 101 / 100))
succeeds '... but into 4 MiB' between 0 "$(reads large MIDDLE_SET dram)" $((middle / 100))
synced=$((is[MODEL_SYNC] / 64))
succeeds 'fsync of a mapping flushes dirty lines' between $((synced * 99 / 100)) \
	"$(count large SYNC_MAPPING pmem.flushed)" $((synced * 101 / 100))
succeeds 'pwrite in dax mode bypasses the caches' between "$synced" \
	"$(count first WRITE_SYNC pmem.uncached)" $((synced * 105 / 100))
succeeds 'no access is persistent memory if the range is wrong' \
	test "$(reads wrong RANDOM_PMEM pmem)" = 0
succeeds '... which is refused with a hint' says 'give the range of the NVDIMM' \
	timed "$tmp/wrong" dram
succeeds '... and recorded in the counts' grep -qx 'elsewhere yes' "$tmp/wrong"

# --- Time, by each profile

# value PROFILE SECTION KEY: value in the file, read independently of the tool
value()
{
	awk -F = -v section="[$2]" -v key="$3" '
		/^\[/ { in_it = $1 == section }
		in_it && $1 == key { print $2 }' "profiles/$1.conf"
}
# near EXPECTED SEEN: within 5 %
near()
{
	awk -v a="$1" -v b="$2" 'BEGIN {
		print "expected " a ", seen " b
		exit !(a > 0 && b >= a * .95 && b <= a * 1.05)
	}'
}
# per_line REGION KEY: nanoseconds
per_line()
{
	jq -r --argjson region "${is[$1]}" --argjson lines "$lines" \
		"map(select(.region == \$region))[0] | ($2) / \$lines / 1000" "$tmp/$profile.json"
}
# latency REGION NS
latency() { near "$2" "$(per_line "$1" .total_ps)"; }
# bandwidth REGION KEY MB_S: from the time spent on memory
bandwidth() { near "$3" "$(per_line "$1" "$2" | awk '{ print 64 * 1000 / $1 }')"; }

for profile in $(basename -s .conf profiles/*.conf); do
	scripts/measure/modelled-time --json "$profile" <"$tmp/first" >"$tmp/$profile.json" 2>"$tmp/said"
	for memory in DRAM PMEM; do
		section=${memory,,}
		random=$(value "$profile" "$section" random_read_ns)
		next=$(value "$profile" "$section" sequential_read_ns)
		read=$(value "$profile" "$section" read_mb_s)
		write=$(value "$profile" "$section" write_mb_s)
		succeeds "$profile, $section: random loads" latency "RANDOM_$memory" "$random"
		succeeds "$profile, $section: loads of neighbours" latency "NEXT_$memory" "$next"
		succeeds "$profile, $section: a stream of loads" \
			bandwidth "READ_$memory" .stall_ps "$read"
		succeeds "$profile, $section: a stream of stores reads" \
			bandwidth "WRITE_$memory" ".${section}_read_ps" "$read"
		succeeds "... and writes" bandwidth "WRITE_$memory" ".${section}_write_ps" "$write"
		succeeds "$profile, $section: a stream of non-temporal stores" \
			bandwidth "UNCACHED_$memory" .stall_ps "$write"
	done
	pieces=$(awk -v access="$(value "$profile" pmem access_bytes)" -v write="$write" \
		'BEGIN { print access * 1000 / write / 4 }')
	succeeds "$profile, pmem: a write smaller than its access size costs as much" \
		near "$pieces" "$(per_line PIECES_PMEM .pmem_write_ps)"
done
profile=optane-dc
succeeds 'a wrong latency is detected' not latency RANDOM_PMEM "$(value dram pmem random_read_ns)"
succeeds 'a wrong bandwidth is detected' not bandwidth READ_PMEM .stall_ps \
	"$(value dram pmem read_mb_s)"
succeeds 'times are identical' diff "$tmp/optane-dc.json" \
	<(timed "$tmp/second" --json profiles/optane-dc.conf)

# --- Errors

# bad EDIT PATTERN: asserts that an edited profile is refused with a message
bad()
{
	sed -E "$1" profiles/optane-dc.conf >"$tmp/bad.conf"
	! diff -q "$tmp/bad.conf" profiles/optane-dc.conf >/dev/null &&
		says "^[a-z-]*: $tmp/bad.conf:?$2" \
			timed "$tmp/first" "$tmp/bad.conf"
}
succeeds 'an unknown key' bad 's/^instruction_ns/&_/' \
	'[0-9]+: unknown key instruction_ns_ in \[cpu\]: remove it'
succeeds 'an unknown section' bad 's/^\[cpu\]/[processor]/' '[0-9]+: unknown section \[processor\]'
succeeds 'a missing key' bad '/^instruction_ns/d' \
	' instruction_ns is missing: write instruction_ns=NUMBER below \[cpu\]'
succeeds 'a duplicate key' bad 's/^instruction_ns.*/&\n&/' '[0-9]+: instruction_ns in .*remove one'
succeeds 'not a number' bad 's/^(instruction_ns=).*/\1fast/' '[0-9]+: instruction_ns=fast: write a number'
succeeds 'a negative number' bad 's/^(instruction_ns=).*/\1-1/' '[0-9]+: .*write a number'
succeeds 'a time of 0' bad 's/^(instruction_ns=).*/\10/' ' .*write a time above 0'
succeeds 'a sequential read slower than a random one' bad 's/^(sequential_read_ns=)169/\1306/' \
	' \[pmem\] sequential_read_ns is above'
succeeds 'an invalid internal line size' bad 's/^(line_bytes=)256/\1300/' \
	' \[pmem\] line_bytes: write a power of two'
succeeds 'an invalid line' bad 's/^\[cpu\]/words\n&/' '[0-9]+: neither'
succeeds 'a missing profile' says 'none.conf: No such file' timed "$tmp/first" none
succeeds 'no counts' says 'no counts of memory-model.so' scripts/measure/modelled-time dram </dev/null

# refused ARGUMENTS PATTERN: asserts an error of the plugin
refused()
{
	says "$2" timeout 60 qemu-system-x86_64 -machine none -display none -nodefaults \
		-plugin "$plugin,$1"
}
succeeds 'an impossible cache geometry' refused "out=$tmp/none,l1=33K:8" 'l1=33K:8: write SIZE:WAYS'
succeeds 'an invalid range' refused "out=$tmp/none,pmem=7:3" 'pmem=7:3: not an argument'
succeeds 'no file for the counts' refused 'l1=32K:8' 'out=FILE'

done_testing
