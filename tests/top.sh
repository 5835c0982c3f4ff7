#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# daxstack top on terminals of all sizes, made by tmux, and as text and JSON: asserts
# the screens for a trace that is the same in each run. tests/record.sh tests it on
# mounts, in a guest.
# host
#
# Functions are called by way of succeeds, and text is for other shells.
# shellcheck disable=SC2016,SC2317
set -u -o pipefail
cd "${DAXSTACK_TOP:-.}" || exit 1
here=$PWD/scripts
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
temporary top
: "${tmp:?}"
top=$PWD/build/tools/daxstack profile=$PWD/profiles/optane-dc.conf
load=$PWD/build/tests/traceload
export TZ=UTC LC_ALL=C.UTF-8
unset TMUX LINES COLUMNS

# A server per terminal: one that is exiting might be asked for the next.
server=0
mux() { tmux -S "$tmp/tmux.$server" -f /dev/null "$@"; }
trap 'mux kill-server 2>/dev/null; rm -rf "$tmp"' EXIT

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
# Shown after failed checks.
said=$tmp/said
# says STATUS PATTERN COMMAND...
says()
{
	local status=0 expected=$1 pattern=$2
	shift 2
	"$@" >"$tmp/out" 2>&1 </dev/null || status=$?
	cat "$tmp/out"
	echo "exit status $status"
	[ "$status" = "$expected" ] && grep -qE -- "$pattern" "$tmp/out"
}

"$load" sample "$tmp/trace" || exit 1

# --- Screens.

# open WIDTH HEIGHT ARGUMENT...: runs top in a new terminal; records the exit status
open()
{
	local width=$1 height=$2
	shift 2
	mux kill-server 2>/dev/null
	server=$((server + 1))
	rm -f "$tmp/status" "$tmp/before" "$tmp/after"
	printf '%q ' "$top" top --replay "$tmp/trace" -p "$profile" "$@" >"$tmp/command"
	cat >"$tmp/shell" <<-END
	echo 'what was there before'
	stty -a >'$tmp/before'
	. '$tmp/command'
	echo \$? >'$tmp/status'
	stty -a >'$tmp/now'
	mv '$tmp/now' '$tmp/after'
	sleep 1000
	END
	mux new-session -d -s s -x "$width" -y "$height" sh "$tmp/shell"
	mux set-option -g status off
	size "$width" "$height"
}
size() { mux resize-window -t s -x "$1" -y "$2"; }
screen() { mux capture-pane -p -t s; }
# keys KEY...
keys() { mux send-keys -t s "$@"; }
# stable: removes figures of the cost model, which tests/simulate.sh tests
stable()
{
	sed -E 's/^((dax|cached) +)([0-9.]+ +[-+0-9.]+ )/\1\3/
		s/^(dax   |cached) [ 0-9.]{5} [-+ 0-9.]{5} ([-+ 0-9]{4}%)?/\1  LOAD  GAIN /
		s/^(Model: optane-dc): [0-9.]+ ms\/s, [0-9.]+ ms\/s less if [0-9]+ switched; [0-9]+ cannot$/\1/'
}
# shows: waits until the screen is as on standard input; fails if it stays different.
shows()
{
	local i
	cat >"$tmp/expected"
	for ((i = 0; i < 300; i++)); do
		# Remove empty lines at the bottom.
		screen | stable | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$tmp/screen"
		cmp -s "$tmp/expected" "$tmp/screen" && return
		# Nothing draws any more.
		[ ! -e "$tmp/status" ] || [ "$i" -lt 10 ] || break
		sleep 0.1
	done
	diff "$tmp/expected" "$tmp/screen"
}
# ended STATUS: asserts the exit status, and that the terminal is restored
ended()
{
	local i
	for ((i = 0; i < 300; i++)); do
		[ ! -e "$tmp/after" ] || break
		sleep 0.1
	done
	equal "$1" "$(cat "$tmp/status")" &&
		diff "$tmp/before" "$tmp/after" &&
		equal '0 1' "$(mux display-message -p -t s '#{alternate_on} #{cursor_flag}')" &&
		screen | grep -qx 'what was there before'
}

open 80 24 -d 3600
first='daxstack top - 2023-11-14 22:13:31, 10.0 s, /mnt/db (ext4)
Files: 7 total, 6 used, 3 dax, 4 cached, 1 mapped
DRAM:  83M page cache of files in cached mode
Per s: 17001 reads 133M, 310 writes 2.4M, 250 faults, 300 fsyncs
Model: optane-dc'
succeeds '80 x 24' shows <<END
$first

MODE    LOAD  GAIN  RD/s  WR/s FLT/s RDB/s WRB/s  DRAM WHY      FILE
dax     LOAD  GAIN 12000    10     0   94M   80K     -          +16384/hot table
cached  LOAD  GAIN  5000     0     0   39M     0   64M          base/16384/2619
cached  LOAD  GAIN     0   300     0     0  2.3M   16M PINNED   +000000000000001
dax     LOAD  GAIN     0     0   250     0     0     - MAP_SYNC +f them/data.mdb
dax     LOAD  GAIN   1.0     0     0  410B     0     -          +ff \xe2\x80\xae
cached  LOAD  GAIN     0   0.5     0     0    0B  4.0K LOWER_SH (inode 106)
cached  LOAD  GAIN     0     0     0     0     0  3.0M          idle
END
keys c
succeeds 'c: by DRAM' shows <<END
$first

MODE    LOAD  GAIN  RD/s  WR/s FLT/s RDB/s WRB/s  DRAM WHY      FILE
cached  LOAD  GAIN  5000     0     0   39M     0   64M          base/16384/2619
cached  LOAD  GAIN     0   300     0     0  2.3M   16M PINNED   +000000000000001
cached  LOAD  GAIN     0     0     0     0     0  3.0M          idle
cached  LOAD  GAIN     0   0.5     0     0    0B  4.0K LOWER_SH (inode 106)
dax     LOAD  GAIN 12000    10     0   94M   80K     -          +16384/hot table
dax     LOAD  GAIN     0     0   250     0     0     - MAP_SYNC +f them/data.mdb
dax     LOAD  GAIN   1.0     0     0  410B     0     -          +ff \xe2\x80\xae
END
keys R i Space Space
second='daxstack top - 2023-11-14 22:13:51, 10.0 s, /mnt/db (ext4)
Files: 7 total, 5 used, 3 dax, 4 cached, 1 mapped
DRAM:  83M page cache of files in cached mode
Per s: 5001 reads 39M, 300 writes 2.3M, 250 faults, 300 fsyncs
Model: optane-dc'
succeeds 'R, i, two readings further: reversed, without idle files' shows <<END
$second

MODE    LOAD  GAIN  RD/s  WR/s FLT/s RDB/s WRB/s  DRAM WHY      FILE
dax     LOAD  GAIN     0     0   250     0     0     - MAP_SYNC +f them/data.mdb
dax     LOAD  GAIN   1.0     0     0  410B     0     -          +ff \xe2\x80\xae
cached  LOAD  GAIN     0   0.5     0     0    0B  4.0K LOWER_SH (inode 106)
cached  LOAD  GAIN     0   300     0     0  2.3M   16M PINNED   +000000000000001
cached  LOAD  GAIN  5000     0     0   39M     0   64M          base/16384/2619
END
keys '>' '>' '>' R
succeeds '> three times, R: by name' shows <<END
$second

MODE    LOAD  GAIN  RD/s  WR/s FLT/s RDB/s WRB/s  DRAM WHY      FILE
cached  LOAD  GAIN     0   0.5     0     0    0B  4.0K LOWER_SH (inode 106)
cached  LOAD  GAIN  5000     0     0   39M     0   64M          base/16384/2619
dax     LOAD  GAIN   1.0     0     0  410B     0     -          +ff \xe2\x80\xae
dax     LOAD  GAIN     0     0   250     0     0     - MAP_SYNC +f them/data.mdb
cached  LOAD  GAIN     0   300     0     0  2.3M   16M PINNED   +000000000000001
END
size 20 5
succeeds '20 x 5, resized: the end of names' shows <<'END'
daxstack top - 2023-
Files: 7 total, 5 us
MODE   FILE
cached (inode 106)
cached +e/16384/2619
END
keys Down
succeeds 'Down: next file' shows <<'END'
daxstack top - 2023-
Files: 7 total, 5 us
MODE   FILE
cached +e/16384/2619
dax    +\xe2\x80\xae
END
keys End
succeeds 'End: last files' shows <<'END'
daxstack top - 2023-
Files: 7 total, 5 us
MODE   FILE
dax    +hem/data.mdb
cached +000000000001
END
size 1 1
# ncurses does not write to the only cell.
succeeds '1 x 1: empty' shows </dev/null
keys h h c x PageDown Home R R
size 40 2
succeeds '40 x 2: first line and first file' shows <<'END'
daxstack top - 2023-11-14 22:13:51, 10.0
cached  LOAD  GAIN base/16384/2619
END
for width in 2 3 7 13 31 64 127; do
	for height in 1 2 3 4 6 8; do
		size $width $height
		keys h x z Down PageUp d 1 Escape
	done
done
keys l
size 300 80
succeeds '300 x 80, after many sizes: all columns, names and reasons' shows <<END
$second

MODE    LOAD  GAIN GAIN%  RD/s  WR/s FLT/s FSY/s RDB/s WRB/s  DRAM  SIZE WHY                                      FILE
cached  LOAD  GAIN   5000     0     0     0   39M     0   64M   64M                                          base/16384/2619
cached  LOAD  GAIN      0   300     0   300     0  2.3M   16M   16M pages are pinned                         pg_wal/000000010000000000000001
dax     LOAD  GAIN      0     0   250     0     0     0     -  512M a MAP_SYNC mapping exists                maps/a long directory name/and another one of them/data.mdb
dax     LOAD  GAIN    1.0     0     0     0  410B     0     -  4.0K                                          line\x0aend \x1b[31mred ü \xff \xe2\x80\xae
cached  LOAD  GAIN      0   0.5     0     0     0    0B  4.0K  1.0K lower filesystem is mounted elsewhere    (inode 106)
END
size 80 24
keys h
succeeds 'h: the keys' shows <<'END'
Keys of daxstack top                                 press any key to return

  q      quit               Space Enter   read now; in a trace, the next one
  h ?    this               d s           set seconds between readings
  R      reverse the order  i             hide files that were not used
  Up Down PgUp PgDn Home End              scroll through the files

Sort by the column of a key, or with < and > by the column next to it:

  m  MODE   current mode
  l  LOAD   modelled time of its use, ms per second
  g  GAIN   what the other mode would save of it, ms per second
  p  GAIN%  the same in per cent of LOAD
  r  RD/s   calls that read, per second
  w  WR/s   calls that write
  f  FLT/s  faults of mappings
  y  FSY/s  fsync(2) and the like
  b  RDB/s  bytes read
  t  WRB/s  bytes written
  c  DRAM   page cache that it uses
  z  SIZE   bytes
  Y  WHY    why it cannot be switched now; empty if it can
  n  FILE   path below the mount point
END
keys x d 0 x 5 BSpace . 2
# has PATTERN: waits for a matching line
has()
{
	local i
	for ((i = 0; i < 300; i++)); do
		screen >"$tmp/screen"
		grep -qE -- "$1" "$tmp/screen" && return
		sleep 0.1
	done
	cat "$tmp/screen"
	return 1
}
succeeds 'd: asks for seconds' has '^Seconds between readings \[3600.0\]: 0.2$'
keys Enter
succeeds '... after which it reads to the end' has '^End of the readings\.$'
succeeds '... and shows that' has '^daxstack top - 2023-11-14 22:14:11, '
keys x
succeeds 'a key that is none' has '^Unknown key: press h'
keys d 0 Enter
succeeds 'no number of seconds' has "^'0' is not a time from 0.1 s to 1 day$"
keys q
succeeds 'q: ends and restores the terminal' ended 0

for signal in INT TERM HUP; do
	open 80 24 -d 3600
	succeeds "before SIG$signal" has 'hot table'
	pkill -"$signal" -f "^$top top --replay $tmp/trace"
	succeeds '... ends by the signal and restores the terminal' ended \
		$((128 + $(kill -l "$signal")))
done
open 80 24 -d 0.1 -n 2
succeeds '-n: ends by itself and restores the terminal' ended 0
open 80 24 -n 1 -p /nowhere/none.conf
succeeds 'no profile: the terminal is not touched' ended 2
succeeds '... message' has '^daxstack: profile /nowhere/none.conf: '

# The terminal is closed.
open 80 24 -d 3600
succeeds 'before the terminal is closed' has 'hot table'
pid=$(pgrep -f "^$top top --replay $tmp/trace")
mux kill-server
gone()
{
	local i
	for ((i = 0; i < 300; i++)); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	ps -o pid,stat,wchan:20,args -p "$pid"
	return 1
}
succeeds '... ends' gone

# --- Without a terminal.

succeeds 'no terminal' says 2 'not a terminal: use --batch or --json' "$top" top --replay "$tmp/trace"
unknown() { TERM=no-such-terminal script -qec "'$top' top --replay '$tmp/trace'" /dev/null; }
succeeds 'an unknown terminal' says 2 "unknown terminal 'no-such-terminal'" unknown
succeeds 'text' says 0 '^cached .* pg_wal/000000010000000000000001$' "$top" top -b --replay "$tmp/trace"
succeeds '... all readings' equal 5 "$(grep -c '^daxstack top - ' "$tmp/out")"
succeeds '... of which each has all files' equal 35 "$(grep -cE '^(dax|cached) ' "$tmp/out")"
succeeds '... as many as -n says' equal 2 "$("$top" top -b -n 2 --replay "$tmp/trace" | grep -c '^daxstack top')"
names() { "$top" top -b -n 1 --replay "$tmp/trace" -p "$profile" "$@" | sed -n 's/^\(dax\|cached\) .* //p' | paste -sd' '; }
succeeds 'sorted by size' equal 'them/data.mdb base/16384/2619 pg_wal/000000010000000000000001 table idle \xe2\x80\xae 106)' \
	"$(names --sort size)"
succeeds 'sorted by the heading of a column' equal "$(names -s reads)" \
	"$("$top" top -b -n 1 --replay "$tmp/trace" -s RD/s | sed -n 's/^\(dax\|cached\) .* //p' | paste -sd' ')"
for column in $("$top" top --help | sed -n '/^Columns/,/^$/s/^  [A-Za-z] \([a-z-]*\) .*/\1/p'); do
	succeeds "by $column: reversed" equal "$(names -s "$column" | wc -w)" "$(names -r -s "$column" | wc -w)"
done
succeeds 'in the locale C: no bytes that are not ASCII' equal 0 \
	"$(LC_ALL=C "$top" top -b --replay "$tmp/trace" | LC_ALL=C grep -c '[^ -~]')"

json() { "$top" top -J --replay "$tmp/trace" -p "$profile" "$@" >"$tmp/json"; }
succeeds 'JSON' json
query() { equal "$1" "$(jq -c "$2" "$tmp/json" | paste -sd' ')"; }
succeeds '... an object for each reading' query '1 1 1 1 1' '.mounts | length'
json -n 1
succeeds '... the mount' query '["/mnt/db","ext4",10,"optane-dc",7,3,4]' \
	'.mounts[0] | [.mount, .lower, .interval_s, .profile, .files_total, .files_dax, .files_cached]'
succeeds '... its page cache' query $(((16384 + 4096 + 768 + 1) * 4096)) '.mounts[0].bytes_cached'
succeeds '... the time' query '"2023-11-14T22:13:31.000Z"' '.mounts[0].time'
succeeds '... a file' query '["dax",12000,98304000,10,81920,0]' \
	'.mounts[0].files[] | select(.file == "base/16384/hot table") |
	[.mode, .reads_per_s, .read_bytes_per_s, .writes_per_s, .write_bytes_per_s, .bytes_cached]'
succeeds '... its gain in the other mode is at most its load' query true \
	'.mounts[0].files[] | select(.file == "base/16384/hot table") |
	.gain_ms_per_s > 0 and .gain_ms_per_s < .load_ms_per_s and .reason == null'
succeeds '... a file that cannot be switched' query '["MAP_SYNC",true,250]' \
	'.mounts[0].files[] | select(.file // "" | test("data.mdb")) |
	[.reason_name, .mapped, .read_faults_per_s]'
succeeds '... a name that is not UTF-8' query \
	'"6C696E650A656E64201B5B33316D72656420C3BC20FF20E280AE"' '.mounts[0].files[].file_hex | select(.)'
succeeds '... a file without a name' query 106 '.mounts[0].files[] | select(.file == null) | .inode'

succeeds 'a full disk' says 74 'write error' sh -c '"$@" >/dev/full' sh "$top" top -b --replay "$tmp/trace"
head -c 450 "$tmp/trace" >"$tmp/cut"
succeeds 'a trace that was cut off' says 0 'cut.cut: the trace is truncated' \
	sh -c 'mkdir "$1.d"; cp "$1" "$1.d/cut.cut"; "$2" top -b --replay "$1.d/cut.cut"' sh "$tmp/cut" "$top"
{ head -c 300 "$tmp/trace"; printf X; tail -c +302 "$tmp/trace"; } >"$tmp/damaged"
succeeds 'one that is damaged' says 2 'damaged at byte [0-9]+: use another copy' "$top" top -b --replay "$tmp/damaged"
succeeds 'one that is none' says 2 'not a heat trace' "$top" top -b --replay "$0"
succeeds 'one that is not there' says 2 'No such file' "$top" top -b --replay "$tmp/nowhere"
succeeds 'a mount and a trace' says 64 'MOUNTPOINT and --replay exclude each other' "$top" top --replay "$tmp/trace" /mnt
succeeds 'no such column' says 64 "'colour' is not a column" "$top" top -s colour
succeeds 'no readings' says 64 "'0' is not a number of readings" "$top" top -n 0
succeeds 'no time' says 64 "'0.01' is not a time" "$top" top -d 0.01

done_testing
