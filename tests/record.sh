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
# shellcheck disable=SC2317 # called by ok
set -u

export LC_ALL=C.UTF-8
n=0 failed=0
# ok NAME COMMAND...: shows the output on failure
ok()
{
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/said 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' /tmp/said | cat -v | tail -n 20
		failed=1
	fi
}
is()
{
	[ "$1" = "$2" ] || {
		printf 'expected: %s\nseen: %s\n' "$1" "$2"
		return 1
	}
}
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
mount -t daxstack "$PMEM" $x || { ok mount false; echo "1..$n"; exit 1; }
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
ok 'SIGHUP: ends by the signal' is 129 $ended
ok '... and prints what was written' grep -qE '^daxstack: /tmp/trace: [0-9]+ readings, [0-9]+ bytes' /tmp/recorded
ok '... a complete trace' says 0 '^[0-9]+ readings, complete' traceload read $t
traceload show $t >/tmp/shown
of() { grep " $1\$" /tmp/shown | cut -d' ' -f"$2"; }
# With count=, dd does not read once more at EOF.
ok 'reads in dax mode, with bytes' is 'dax 100 409600 0 0' "$(of db/dax 1-5)"
ok 'reads and writes in cached mode' is 'cached 50 409600 7 7000' "$(of db/cached 1-5)"
ok '... and an fsync' is 1 "$(of db/cached 7)"
ok '... and the pages of the cache' is 256 "$(of db/cached 8)"
ok 'a renamed file, with any bytes in its name' is 'cached 1 5' \
	"$(grep -F ' db/line\x0aend\x20\xff' /tmp/shown | cut -d' ' -f1,4,5)"

begin -d 1.5 -i 0.5 -m $x/db
end
ok '--duration: ends by itself' is 0 $ended
ok '... complete' says 0 '^[2-9] readings, complete' traceload read $t
ok 'top shows it' says 0 ' db/cached$' daxstack top -b --replay $t -n 1
ok 'an existing file' says 2 'File exists: .*--force' daxstack record $t
ok '--force' says 0 '^daxstack: .* readings' daxstack record -f -d 0.1 $t

begin -i 100 -q
dd if=$x/db/cached of=/dev/null bs=4096 count=9 2>/dev/null
kill -TERM $recorder
end
ok 'SIGTERM: ends by the signal' is 143 $ended
ok '... silently' is '' "$(cat /tmp/recorded)"
ok '... complete, with the last interval' says 0 '^2 readings, complete' traceload read $t
traceload show $t >/tmp/shown
ok '... and its operations' is 'cached 9 36864' "$(of db/cached 1-3)"

# --- Other recorders, umount, errors.

begin -i 1
ok 'top while it records' says 0 ' db/cached$' daxstack top -b -n 1 -d 0.5 $x
ok 'a second record: warns that less is known' says 0 'another program .* clears the sketches' \
	daxstack record -d 0.1 /tmp/second
ok '... --passive silences this' says 0 '^daxstack: /tmp/third: 2 readings' \
	daxstack record -P -d 0.1 /tmp/third
ok 'umount during a recording' umount $x
end
ok '... which ends it' is 0 $ended
ok '... and the unmount is reported' grep -q "$x: unmounted" /tmp/recorded
ok '... complete' says 0 '^[0-9]+ readings, complete' traceload read $t
ok 'nothing is mounted' says 2 'no daxstack mount' daxstack record /tmp/none
ok '... no file is left' test ! -e /tmp/none
ok '... top' says 2 'no daxstack mount' daxstack top -b
mount -t daxstack "$PMEM" $x
ok 'not a daxstack mount' says 2 '/tmp: not a daxstack mount' daxstack record -m /tmp /tmp/none
ok 'needs CAP_SYS_ADMIN' says 2 'CAP_SYS_ADMIN' \
	setpriv --reuid 1000 --clear-groups daxstack top -b $x
ok 'a trace on the mount itself' says 0 'is on the recorded mount' \
	daxstack record -d 0.1 $x/own
ok 'a trace is private to its owner' is 600 "$(stat -c %a $x/own)"

# --- A full disk.

while read -r name; do
	echo x >"$x/$name"
done < <(od -An -v -tx1 -w60 -N 60000 /dev/urandom | tr -d ' ')
mount -t tmpfs -o size=16k none /mnt/small
ok 'full disk: message' says 2 'No space left on device: the trace ends early' \
	daxstack record -i 1 /mnt/small/trace
ok '... the part written can be read' says 0 '^0 readings, (complete|cut)' \
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
ok 'JSON' says 0 '"files"' daxstack top -J -n 1 -d 2 $x
ok '... is valid JSON' jq -e '.mounts | length == 1' /tmp/out
ok '... of this mount' jq -e ".mounts[0] | .mount == \"$x\" and .lower == \"$FS\" and .windows" /tmp/out
ok '... reads of a file in dax mode' busy dax '.mode == "dax" and .reads_per_s > 0 and .bytes_cached == 0'
ok '... their bytes' busy dax '(.read_bytes_per_s / .reads_per_s) | . > 3800 and . <= 4096'
ok '... of a file in cached mode' busy cached '.mode == "cached" and .reads_per_s > 0 and .bytes_cached == 1048576'
ok '... load and gain, by a profile' busy dax '.load_ms_per_s > 0 and .gain_ms_per_s > 0 and .gain_percent < 100'
ok '... a negative gain' busy cached '.gain_ms_per_s < 0'
ok '... both are at the top' jq -e '[.mounts[0].files[0, 1].file] | sort == ["db/cached", "db/dax"]' /tmp/out
mkdir -p /mnt/lower
if mount -t "$FS" "$PMEM" /mnt/lower 2>/dev/null; then
	ok 'the reason why it cannot be switched' says 0 ' LOWER_SHARED +db/dax$' daxstack top -b -n 1 -d 1 $x
	umount /mnt/lower
else
	ok 'the reason why it cannot be switched' false
fi
ok 'without idle files' says 0 'db/dax$' daxstack top -b -i -n 1 -d 1 $x
ok '... idle files are left out' is '' "$(grep 'db/ren$' /tmp/out)"

# On a terminal made by script(1).
on_terminal()
{
	TERM=linux script -qec "stty rows 24 cols 80; $*" /dev/null </dev/null >/tmp/screen 2>&1
}
ok 'on a terminal' on_terminal daxstack top -n 2 -d 0.5 $x
ok '... the mount' grep -aq "$x ($FS on " /tmp/screen
ok '... the files' grep -aq 'db/dax' /tmp/screen
on_terminal daxstack top -d 0.5 $x &
screen=$!
while ! grep -aq 'db/dax' /tmp/screen; do sleep 0.2; done
pkill -TERM -P $loader
kill $loader
wait $loader
kill -HUP $recorder
end
ok 'umount while top shows it' umount $x
status=0
wait $screen || status=$?
ok '... which ends it' is 2 $status
ok '... and the unmount is reported on the restored screen' grep -aq "$x: unmounted" /tmp/screen

# --- Two mounts.

half=$(($(cat "/sys/class/block/${PMEM#/dev/}/size") / 2 / 8192 * 8192))
for i in 0 1; do
	dmsetup create "half$i" --table "0 $half linear $PMEM $((i * half))"
	"mkfs.$FS" -q "-$([ "$FS" = xfs ] && echo f || echo F)" -b "$([ "$FS" = xfs ] && echo size=)4096" "/dev/mapper/half$i"
	mkdir -p "/mnt/half$i"
	mount -t daxstack "/dev/mapper/half$i" "/mnt/half$i"
	echo x >"/mnt/half$i/file$i"
done
ok 'record: which of two' says 2 'several daxstack mounts: choose one with --mount' daxstack record /tmp/none
ok 'record: that one' says 0 'readings' daxstack record -f -d 0.1 -m /mnt/half1 $t
ok '... and no other' is 1 "$(traceload show $t | grep -c ' file')"
ok 'top: both, with absolute names' says 0 ' /mnt/half1/file1$' daxstack top -b -n 1 -d 0.5
ok '... both' grep -q ' /mnt/half0/file0$' /tmp/out
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
ok 'one is unmounted: the other one is shown until it is, too' is 2 $status
ok '... both unmounts are reported' is 2 "$(grep -c ": unmounted" /tmp/both)"
dmsetup remove half0 half1

echo "1..$n"
exit $failed
