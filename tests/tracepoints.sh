#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Asserts that tracepoints report the start and end of a switch, faults by mode, and
# waits at a gate, with the name of the file, the reason in words and errno as a
# number.
set -u

# shellcheck source=tests/lib/tap.sh
. /usr/local/share/daxstack/tap.sh

tracing=/sys/kernel/tracing
[ -e $tracing/trace ] || mount -t tracefs tracefs $tracing
dir=/mnt/trace
mkdir -p $dir
case $FS in
ext4) mkfs.ext4 -q -F -b 4096 "$PMEM" ;;
xfs) mkfs.xfs -q -f "$PMEM" ;;
esac
mount -t daxstack "$PMEM" $dir || bail mount

# seen PATTERN NAME: the trace since the last call has it.
seen()
{
	local status=0
	grep -Eq "$1" $tracing/trace || status=1
	ok $status "$2"
	[ $status = 0 ] || tail -n 5 $tracing/trace | sed 's/^/# /'
}
restart()
{
	echo >$tracing/trace
}

dev='dev [0-9]+:[0-9]+ ino 0x[0-9a-f]+'
restart
echo 1 >$tracing/events/daxstack/enable
mkdir $dir/d
xfs_io -f -c 'pwrite -q 0 64k' $dir/d/f
chmod 644 $dir/d/f
daxstack set dax $dir/d/f
seen "daxstack_switch_begin: $dev to dax nrpages 16 name /d/f\$" \
	"start of a switch"
seen "daxstack_switch_end: $dev to dax switched errno 0 ok reason 0 NONE \\(nothing in the way\\) attempts 1 pages 16 shut_ns [1-9][0-9]* name /d/f\$" \
	"end of a switch"
restart
xfs_io -c 'mmap 0 64k' -c 'mwrite 4096 4096' $dir/d/f
seen "daxstack_fault: $dev pgoff 0x[01] mode dax write name /d/f\$" \
	"fault in dax mode"
daxstack set cached $dir/d/f
restart
xfs_io -c 'mmap -r 0 64k' -c 'mread 8192 1' $dir/d/f >/dev/null
seen "daxstack_fault: $dev pgoff 0x2 mode cached read name /d/f\$" \
	"fault in cached mode"

restart
setpriv --reuid 65534 --clear-groups daxstack set dax $dir/d/f 2>/dev/null
seen "daxstack_switch_end: $dev to dax refused errno 1 EPERM reason [0-9]+ NOT_OWNER \\(caller does not own the file\\) .* name /d/f\$" \
	"a refused switch, with its reason"
mount -o remount,switch=never $dir
restart
exec 9<$dir/d/f
daxstack set dax $dir/d/f
seen "daxstack_switch_end: $dev to dax deferred errno 0 ok reason [0-9]+ NEVER .* name /d/f\$" \
	"a deferred switch"
mount -o remount,switch=live $dir
daxstack set cached $dir/d/f
exec 9<&-
restart
daxstack set cached $dir/d/f
seen "daxstack_switch_end: $dev to cached unchanged errno 0 ok .* name /d/f\$" \
	"a switch without effect"
begins=$(grep -c daxstack_switch_begin: $tracing/trace)
[ "$begins" -ge 1 ] && [ "$begins" = "$(grep -c daxstack_switch_end: $tracing/trace)" ]
ok $? "each start has an end"

# All reasons: in words in the text, and as numbers in the format, for programs that
# read the records.
format=$tracing/events/daxstack/daxstack_switch_end/format
reasons=$(grep -o '{ [0-9]*, "[A-Z_]*" }' $format | grep -c . || :)
[ "$reasons" -ge 30 ] && grep -q '"KERNEL"' $format &&
	! grep -q 'DAXSTACK_REASON' $format
ok $? "the format has all reasons, as numbers ($reasons)"
for field in 'char name\[[0-9]+\]' 'char why\[[0-9]+\]' 'int errno' 'int reason'; do
	grep -Eq "field:.*${field};" $format
	ok $? "the format has ${field//\\\\/}"
done

# Names that would affect a terminal, or a program that reads lines.
evil=$dir/d/$'e\n\e]0;x\a\\v'
printf 1 >"$evil"
restart
daxstack set dax "$evil" >/dev/null
seen 'daxstack_switch_end: .* name /d/e\\n\\e\]0;x\\a\\\\v$' \
	"a name is escaped in a trace"
deep=$dir
for _ in 1 2 3; do
	deep=$deep/$(printf 'x%.0s' {1..200})
done
mkdir -p "$deep"
printf 1 >"$deep/last"
restart
daxstack set dax "$deep/last"
seen 'daxstack_switch_end: .* name \.\.\./last$' "a path that is too long is cut"
restart
name=$deep/$(printf '\001%.0s' {1..255})
printf 1 >"$name"
daxstack set dax "$name"
seen 'daxstack_switch_end: .* name \.\.\.(\\001)+' "a name of 255 control characters"
restart
exec 9<>$dir/gone
rm $dir/gone
printf 1 >&9
xfs_io -c 'mmap -r 0 4k' -c 'mread 0 1' /proc/self/fd/9 >/dev/null
seen 'daxstack_fault: .* name (/gone|\?)$' "an unlinked file"
exec 9>&-

# Readers that arrive while 32 MiB are written back and dropped must wait.
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
	grep -q daxstack_gate_wait: $tracing/trace && break
done
seen "daxstack_gate_wait_begin: $dev gate io name /g\$" "start of a wait at a gate"
seen "daxstack_gate_wait: $dev gate io wait_ns [1-9][0-9]* errno 0 ok name /g\$" \
	"... and its end"
echo 0 >$tracing/events/daxstack/enable
umount $dir
ok $? "umount"
done_testing
