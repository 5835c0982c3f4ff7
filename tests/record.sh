#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# daxstack record and daxstack top on mounts in use: asserts that operations are
# recorded exactly, with file names; that a trace is complete after a signal and after
# umount, and ends with a whole block on a full disk; that top shows the same, also on
# a terminal; and that neither keeps a mount busy.
# guest: --timeout 900 --pmem 1024 --add build/tests/traceload --add /usr/bin/jq
# guest: --add /usr/bin/script --add /usr/bin/setpriv
# guest: --add /usr/lib/locale/C.utf8:/usr/lib/locale/C.utf8 --add /lib/terminfo/l/linux:/lib/terminfo/l/linux
# guest: --add profiles:/usr/local/share/daxstack/profiles
#
# shellcheck disable=SC2317 # called by succeeds
set -u

export LC_ALL=C.UTF-8
# shellcheck source=tests/lib/tap.sh
. /usr/local/share/daxstack/tap.sh
# Shown after failed checks.
said=/tmp/said
# says STATUS PATTERN COMMAND...
says()
{
	local status=0 expected=$1 pattern=$2
	shift 2
	"$@" >/tmp/out 2>&1 </dev/null || status=$?
	cat /tmp/out
	echo "exit status $status"
	[ "$status" = "$expected" ] && grep -qE -- "$pattern" /tmp/out
}

x=/mnt/x t=/tmp/trace
mkdir -p $x /mnt/small
case $FS in
ext4) mkfs.ext4 -q -F -b 4096 "$PMEM" ;;
xfs) mkfs.xfs -q -f "$PMEM" ;;
esac
mount -t daxstack "$PMEM" $x || bail mount
mkdir $x/db
for f in dax cached ren odd; do
	dd if=/dev/zero of=$x/db/$f bs=64k count=16 conv=fsync 2>/dev/null
done
daxstack set dax $x/db/dax

# begin ARGUMENT...: starts daxstack record; returns once it counts
begin()
{
	rm -f $t
	daxstack record "$@" $t 2>/tmp/recorded &
	recorder=$!
	while [ ! -e $t ] && kill -0 $recorder 2>/dev/null; do
		sleep 0.1
	done
}
# end: waits for it; $ended is its exit status
end()
{
	ended=0
	wait $recorder || ended=$?
}

# --- Recording.

begin -i 1
dd if=$x/db/dax of=/dev/null bs=4096 count=100 2>/dev/null
dd if=$x/db/cached of=/dev/null bs=8192 count=50 2>/dev/null
dd if=/dev/zero of=$x/db/cached bs=1000 count=7 conv=notrunc,fsync 2>/dev/null
mv $x/db/odd "$x/db/"$'line\nend \xff'
echo more >>"$x/db/"$'line\nend \xff'
# Not SIGINT: a shell's background jobs ignore it.
kill -HUP $recorder
end
succeeds 'SIGHUP: ends by the signal' equal 129 $ended
succeeds '... and prints what was written' grep -qE '^daxstack: /tmp/trace: [0-9]+ readings, [0-9]+ bytes' /tmp/recorded
succeeds '... a complete trace' says 0 '^[0-9]+ readings, complete' traceload read $t
traceload show $t >/tmp/shown
of() { grep " $1\$" /tmp/shown | cut -d' ' -f"$2"; }
# With count=, dd does not read once more at EOF.
succeeds 'reads in dax mode, with bytes' equal 'dax 100 409600 0 0' "$(of db/dax 1-5)"
succeeds 'reads and writes in cached mode' equal 'cached 50 409600 7 7000' "$(of db/cached 1-5)"
succeeds '... and an fsync' equal 1 "$(of db/cached 7)"
succeeds '... and the pages of the cache' equal 256 "$(of db/cached 8)"
succeeds 'a renamed file, with any bytes in its name' equal 'cached 1 5' \
	"$(grep -F ' db/line\x0aend\x20\xff' /tmp/shown | cut -d' ' -f1,4,5)"

begin -d 1.5 -i 0.5 -m $x/db
end
succeeds '--duration: ends by itself' equal 0 $ended
succeeds '... complete' says 0 '^[2-9] readings, complete' traceload read $t
succeeds 'top shows it' says 0 ' db/cached$' daxstack top -b --replay $t -n 1
succeeds 'an existing file' says 2 'File exists: .*--force' daxstack record $t
succeeds '--force' says 0 '^daxstack: .* readings' daxstack record -f -d 0.1 $t

begin -i 100 -q
dd if=$x/db/cached of=/dev/null bs=4096 count=9 2>/dev/null
kill -TERM $recorder
end
succeeds 'SIGTERM: ends by the signal' equal 143 $ended
succeeds '... silently' equal '' "$(cat /tmp/recorded)"
succeeds '... complete, with the last interval' says 0 '^2 readings, complete' traceload read $t
traceload show $t >/tmp/shown
succeeds '... and its operations' equal 'cached 9 36864' "$(of db/cached 1-3)"

# --- Other recorders, umount, errors.

begin -i 1
succeeds 'top while it records' says 0 ' db/cached$' daxstack top -b -n 1 -d 0.5 $x
succeeds 'a second record: warns that less is known' says 0 'another program .* clears the sketches' \
	daxstack record -d 0.1 /tmp/second
succeeds '... --passive silences this' says 0 '^daxstack: /tmp/third: 2 readings' \
	daxstack record -P -d 0.1 /tmp/third
succeeds 'umount during a recording' umount $x
end
succeeds '... which ends it' equal 0 $ended
succeeds '... and the unmount is reported' grep -q "$x: unmounted" /tmp/recorded
succeeds '... complete' says 0 '^[0-9]+ readings, complete' traceload read $t
succeeds 'nothing is mounted' says 2 'no daxstack mount' daxstack record /tmp/none
succeeds '... no file is left' test ! -e /tmp/none
succeeds '... top' says 2 'no daxstack mount' daxstack top -b
mount -t daxstack "$PMEM" $x
succeeds 'not a daxstack mount' says 2 '/tmp: not a daxstack mount' daxstack record -m /tmp /tmp/none
succeeds 'needs CAP_SYS_ADMIN' says 2 'CAP_SYS_ADMIN' \
	setpriv --reuid 1000 --clear-groups daxstack top -b $x
succeeds 'a trace on the mount itself' says 0 'is on the recorded mount' \
	daxstack record -d 0.1 $x/own
succeeds 'a trace is private to its owner' equal 600 "$(stat -c %a $x/own)"

# --- A full disk.

while read -r name; do
	echo x >"$x/$name"
done < <(od -An -v -tx1 -w60 -N 60000 /dev/urandom | tr -d ' ')
mount -t tmpfs -o size=16k none /mnt/small
succeeds 'full disk: message' says 2 'No space left on device: the trace ends early' \
	daxstack record -i 1 /mnt/small/trace
succeeds '... the part written can be read' says 0 '^0 readings, (complete|cut)' \
	traceload read /mnt/small/trace
umount /mnt/small

# --- top.

load()
{
	while :; do
		dd if=$x/db/dax of=/dev/null bs=4096 2>/dev/null
		dd if=$x/db/cached of=/dev/null bs=4096 2>/dev/null
	done
}
# Counting is turned on and off by patching code. QEMU may run stale code while
# another processor patches it: so keep counting on under load.
begin -P -q
load &
loader=$!
# busy NAME FILTER: FILTER holds for the file's JSON object
busy()
{
	jq -e ".mounts[0].files[] | select(.file == \"db/$1\") | $2" /tmp/out ||
		jq -c ".mounts[0].files[] | select(.file == \"db/$1\")" /tmp/out
	jq -e ".mounts[0].files[] | select(.file == \"db/$1\") | $2" /tmp/out >/dev/null
}
succeeds 'JSON' says 0 '"files"' daxstack top -J -n 1 -d 2 $x
succeeds '... is valid JSON' jq -e '.mounts | length == 1' /tmp/out
succeeds '... of this mount' jq -e ".mounts[0] | .mount == \"$x\" and .lower == \"$FS\" and .windows" /tmp/out
succeeds '... reads of a file in dax mode' busy dax '.mode == "dax" and .reads_per_s > 0 and .bytes_cached == 0'
succeeds '... their bytes' busy dax '(.read_bytes_per_s / .reads_per_s) | . > 3800 and . <= 4096'
succeeds '... of a file in cached mode' busy cached '.mode == "cached" and .reads_per_s > 0 and .bytes_cached == 1048576'
succeeds '... load and gain, by a profile' busy dax '.load_ms_per_s > 0 and .gain_ms_per_s > 0 and .gain_percent < 100'
succeeds '... a negative gain' busy cached '.gain_ms_per_s < 0'
succeeds '... both are at the top' jq -e '[.mounts[0].files[0, 1].file] | sort == ["db/cached", "db/dax"]' /tmp/out
mkdir -p /mnt/lower
if mount -t "$FS" "$PMEM" /mnt/lower 2>/dev/null; then
	succeeds 'the reason why it cannot be switched' says 0 ' LOWER_SHARED +db/dax$' daxstack top -b -n 1 -d 1 $x
	umount /mnt/lower
else
	succeeds 'the reason why it cannot be switched' false
fi
succeeds 'without idle files' says 0 'db/dax$' daxstack top -b -i -n 1 -d 1 $x
succeeds '... idle files are left out' equal '' "$(grep 'db/ren$' /tmp/out)"

# On a terminal made by script(1).
on_terminal()
{
	TERM=linux script -qec "stty rows 24 cols 80; $*" /dev/null </dev/null >/tmp/screen 2>&1
}
succeeds 'on a terminal' on_terminal daxstack top -n 2 -d 0.5 $x
succeeds '... the mount' grep -aq "$x ($FS on " /tmp/screen
succeeds '... the files' grep -aq 'db/dax' /tmp/screen
on_terminal daxstack top -d 0.5 $x &
screen=$!
while ! grep -aq 'db/dax' /tmp/screen; do sleep 0.2; done
pkill -TERM -P $loader
kill $loader
wait $loader
kill -HUP $recorder
end
succeeds 'umount while top shows it' umount $x
status=0
wait $screen || status=$?
succeeds '... which ends it' equal 2 $status
succeeds '... and the unmount is reported on the restored screen' grep -aq "$x: unmounted" /tmp/screen

# --- Two mounts.

half=$(($(cat "/sys/class/block/${PMEM#/dev/}/size") / 2 / 8192 * 8192))
for i in 0 1; do
	dmsetup create "half$i" --table "0 $half linear $PMEM $((i * half))"
	"mkfs.$FS" -q "-$([ "$FS" = xfs ] && echo f || echo F)" -b "$([ "$FS" = xfs ] && echo size=)4096" "/dev/mapper/half$i"
	mkdir -p "/mnt/half$i"
	mount -t daxstack "/dev/mapper/half$i" "/mnt/half$i"
	echo x >"/mnt/half$i/file$i"
done
succeeds 'record: which of two' says 2 'several daxstack mounts: choose one with --mount' daxstack record /tmp/none
succeeds 'record: that one' says 0 'readings' daxstack record -f -d 0.1 -m /mnt/half1 $t
succeeds '... and no other' equal 1 "$(traceload show $t | grep -c ' file')"
succeeds 'top: both, with absolute names' says 0 ' /mnt/half1/file1$' daxstack top -b -n 1 -d 0.5
succeeds '... both' grep -q ' /mnt/half0/file0$' /tmp/out
: >/tmp/both
daxstack top -b -d 0.5 >>/tmp/both 2>&1 &
shower=$!
while ! grep -q half1 /tmp/both; do sleep 0.2; done
umount /mnt/half0
: >/tmp/both
while ! grep -q half1 /tmp/both; do sleep 0.2; done
umount /mnt/half1
status=0
wait $shower || status=$?
succeeds 'one is unmounted: the other one is shown until it is, too' equal 2 $status
succeeds '... both unmounts are reported' equal 2 "$(grep -c ": unmounted" /tmp/both)"
dmsetup remove half0 half1

done_testing
