# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Shared functions of the stages. Standard output is TAP for scripts/test/tap.

tests=0
# Data that one stage leaves for later ones.
kept=/var/lib/system-test
mkdir -p $kept

# ok STATUS NAME: the check has passed if STATUS is 0
ok()
{
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tests - $2"
	else
		echo "not ok $tests - $2"
	fi
}

# skip N WHY: skips N checks
skip()
{
	local i
	for ((i = 0; i < $1; i++)); do
		tests=$((tests + 1))
		echo "ok $tests # SKIP $2"
	done
}

# note: prints its input as diagnostics
note()
{
	sed 's/^/# /'
}

# check NAME COMMAND...: passes if the command succeeds; else shows its output
check()
{
	local name=$1 status=0 start=$SECONDS
	shift
	"$@" >/run/said 2>&1 || status=$?
	ok "$status" "$name"
	[ "$status" = 0 ] || tail -n 20 /run/said | note
	{
		echo "== $name: status $status, $((SECONDS - start)) s"
		cat /run/said
	} >&2
}

# is NAME SEEN EXPECTED
is()
{
	local differ=0
	[ "$2" = "$3" ] || differ=1
	ok "$differ" "$1"
	[ "$differ" = 0 ] || printf 'seen: %s\nexpected: %s\n' "$2" "$3" | note
}

# like NAME SEEN PATTERN: an extended regular expression
like()
{
	local status=0
	grep -qE -e "$3" <<<"$2" || status=1
	ok "$status" "$1"
	[ "$status" = 0 ] || printf 'seen: %s\nexpected: %s\n' "$(tail -n 20 <<<"$2")" "$3" | note
}

# contains NAME SEEN TEXT: fixed text, because kernel names contain dots
contains()
{
	case $2 in
	*"$3"*) ok 0 "$1" ;;
	*)
		ok 1 "$1"
		printf 'seen: %s\nexpected: %s\n' "$2" "$3" | note
		;;
	esac
}

# unlike NAME SEEN PATTERN
unlike()
{
	local status=0
	! grep -qE -e "$3" <<<"$2" || status=1
	ok "$status" "$1"
	[ "$status" = 0 ] || {
		grep -E -e "$3" <<<"$2" | sed 's/^/seen: /'
		echo "not expected: $3"
	} | note
}

done_testing()
{
	echo "1..$tests"
}

# failed_units: one per line. Debian's ndctl-monitor fails with QEMU, whose NVDIMMs do
# not report health.
failed_units()
{
	systemctl list-units --no-legend --plain --state=failed |
		awk '$1 != "ndctl-monitor.service" { print $1 }'
}

# settled: the system is up and no unit failed; prints failed units
settled()
{
	failed_units
	[ -z "$(failed_units)" ] && systemctl -q is-active multi-user.target
}

# has_pmem: waits for both devices, which udev may still be creating
has_pmem()
{
	local i
	for ((i = 0; i < 300; i++)); do
		udevadm settle
		[ ! -b /dev/pmem0 ] || [ ! -b /dev/pmem1 ] || return 0
		sleep 1
	done
	return 1
}

# readme_commands N: commands in the Nth block of README's "Use it", one per line
readme_commands()
{
	awk -v wanted="$1" '
	/^## / { inside = $0 == "## Use it"; next }
	/^### / { inside = 0 }
	!inside { next }
	/^    / {
		if (!within)
			block++
		within = 1
		if (block == wanted)
			print substr($0, 5)
		next
	}
	{ within = 0 }' /payload/README.md
}

# run_readme N: runs the commands of a block, each a check
run_readme()
{
	local command commands
	mapfile -t commands < <(readme_commands "$1")
	[ ${#commands[@]} -gt 0 ] || ok 1 "README: Use it has a block $1"
	for command in "${commands[@]}"; do
		check "README: ${command%%  *}" eval "$command"
	done
}

# version: of the kernel that the system boots
version()
{
	readlink /vmlinuz | sed 's/.*vmlinuz-//'
}

# mode FILE: current mode, dax or cached
mode()
{
	daxstack status -n "$1" | awk '{ print $2 }'
}

# size DIR: number of blocks of the filesystem, and block size
size()
{
	stat -f -c '%b blocks of %S' "$1"
}

# keep NAME: saves standard input for a later stage; kept NAME: prints it
keep()
{
	cat >"$kept/$1"
}
kept()
{
	cat "$kept/$1"
}

# sums DIR: checksums of all files except those in use
sums()
{
	(cd "$1" && find . -type f ! -path './busy/*' -print0 | sort -z |
		xargs -0 sha256sum)
}

# modes DIR: modes of the same files
modes()
{
	find "$1" -type f ! -path '*/busy/*' -print0 | sort -z |
		xargs -0 daxstack status -n | awk '{ print $1, $2, $3 }'
}

# switch_busily FILE TIMES: switches back and forth; ends in dax mode
switch_busily()
{
	local i
	daxstack set -t 60 cached "$1" || return
	for ((i = 0; i < $2; i++)); do
		daxstack set -v -t 60 dax "$1" || return
		[ "$(mode "$1")" = dax ] || return
		if [ $((i + 1)) -lt "$2" ]; then
			daxstack set -v -t 60 cached "$1" || return
			[ "$(mode "$1")" = cached ] || return
		fi
	done
}

# last_boot: the journal of the previous boot
last_boot()
{
	journalctl -q -b -1 --no-hostname -o short-monotonic
}

# was_shut_down_cleanly: asserts by the journal, and by the lower filesystems' messages
# at mount, that the previous shutdown was clean
was_shut_down_cleanly()
{
	local last now
	last=$(last_boot)
	now=$(journalctl -q -b -k)
	unlike "the last shutdown had no failed unmount" "$last" 'Failed unmounting'
	like "the last shutdown unmounted the mount of fstab" "$last" 'Unmounted mnt\.mount'
	like "... and that of the mount unit" "$last" 'Unmounted srv-xfs\.mount'
	unlike "ext4 was unmounted cleanly" "$now" 'EXT4-fs \(pmem0\): (recovery|orphan)'
	unlike "XFS was unmounted cleanly" "$now" 'XFS \(pmem1\): .*[Rr]ecovery'
}

# is_the_same DIR NAME: data, modes and size are as the first stage left them
is_the_same()
{
	is "$2: size" "$(size "$1")" "$(kept "$2.size")"
	is "$2: data" "$(sums "$1" | sha256sum)" "$(kept "$2.sums" | sha256sum)"
	is "$2: modes and flags" "$(modes "$1")" "$(kept "$2.modes")"
}

# start_busy FILE, stop_busy: a program that stores to the mapped file and verifies its
# contents
start_busy()
{
	rm -f /run/busy.said
	/payload/daxstack-demo "$1" >/run/busy.said 2>&1 &
	busy=$!
	until grep -q "$1" "/proc/$busy/maps" 2>/dev/null; do
		[ -d "/proc/$busy" ] || return 1
		sleep 0.2
	done
}
stop_busy()
{
	kill "$busy" 2>/dev/null
	wait "$busy" || { cat /run/busy.said; return 1; }
	cat /run/busy.said
}
