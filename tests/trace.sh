#!/bin/bash
# Tracepoints tell of the begin and end of a switch, of faults by mode, and of
# waiting at a gate.
set -u

n=0
failed=0
ok()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

tracing=/sys/kernel/tracing
[ -e $tracing/trace ] || mount -t tracefs tracefs $tracing
dir=/mnt/trace
mkdir -p $dir
case $FS in
ext4) mkfs.ext4 -q -F -b 4096 "$PMEM" ;;
xfs) mkfs.xfs -q -f "$PMEM" ;;
esac
mount -t daxstack "$PMEM" $dir || { ok 1 "mount"; echo "1..$n"; exit 1; }

# seen PATTERN NAME: the trace since the last call has it.
seen()
{
	grep -Eq "$1" $tracing/trace
	ok $? "$2"
}
restart()
{
	echo >$tracing/trace
}

restart
echo 1 >$tracing/events/daxstack/enable
xfs_io -f -c 'pwrite -q 0 64k' $dir/f
daxstack set dax $dir/f
seen 'daxstack_switch_begin: dev 0:[0-9]+ ino 0x[0-9a-f]+ to dax nrpages 16' \
	"switch begins"
seen 'daxstack_switch_end: .* to dax err 0 reason 0 attempts 1 pages 16 shut_ns [1-9][0-9]*' \
	"switch ends"
restart
xfs_io -c 'mmap 0 64k' -c 'mwrite 4096 4096' $dir/f
seen 'daxstack_fault: dev 0:[0-9]+ ino 0x[0-9a-f]+ pgoff 0x[01] mode dax write' \
	"fault in dax mode"
daxstack set cached $dir/f
restart
xfs_io -c 'mmap -r 0 64k' -c 'mread 8192 1' $dir/f >/dev/null
seen 'daxstack_fault: .* mode cached read' "fault in cached mode"

# Readers that come while 32 MiB are written back and dropped have to wait.
restart
xfs_io -f -c 'truncate 32m' $dir/g
for _ in 1 2 3 4 5 6 7 8 9 10; do
	dd if=/dev/zero of=$dir/g bs=1M count=32 conv=notrunc status=none
	: >/tmp/go
	while [ -e /tmp/go ]; do
		cat $dir/g >/dev/null
	done &
	daxstack set -t 5 dax $dir/g
	daxstack set -t 5 cached $dir/g
	rm /tmp/go
	wait
	grep -q daxstack_gate_wait $tracing/trace && break
done
seen 'daxstack_gate_wait' "waiting at a gate"

echo 0 >$tracing/events/daxstack/enable
umount $dir
ok $? "umount"
echo "1..$n"
exit $failed
