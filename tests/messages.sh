#!/bin/bash
# dmesg has a line for each switch and each refusal; of many in a row the first few,
# and then one line with counts, which nothing is lost from. Nobody fills the
# kernel's log by switching files of his own. Names are escaped.
#
# guest: --timeout 600
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

dir=/mnt/dmesg
mkdir -p $dir
case $FS in
ext4) mkfs.ext4 -q -F -b 4096 "$PMEM" ;;
xfs) mkfs.xfs -q -f "$PMEM" ;;
esac
mount -t daxstack "$PMEM" $dir || { ok 1 "mount"; echo "1..$n"; exit 1; }

# said: what the module has said of switches since the last mark.
mark()
{
	# Until a burst is over, and there may be single lines again.
	sleep 3
	echo "dmesg: mark" >/dev/kmsg
}
said()
{
	dmesg --raw | tac | sed '/dmesg: mark$/q' | tac | grep 'daxstack: pmem0: '
}

# told PATTERN: how many of them were told: single lines that match, and counts.
told()
{
	said | awk -v pattern="$1" '
	/ \(inode [0-9]+\): / {
		sum += $0 ~ pattern
		next
	}
	{
		n = split($0, items, "; ")
		for (i = 1; i <= n; i++)
			if (items[i] ~ pattern &&
			    match(items[i], /[0-9]+ more /))
				sum += substr(items[i], RSTART)
	}
	END { print sum + 0 }'
}

# until_told N PATTERN: the rest of a burst comes when it is over.
until_told()
{
	for _ in {1..600}; do
		[ "$(told "$2")" -lt "$1" ] || break
		sleep 0.1
	done
	[ "$(told "$2")" = "$1" ]
}

# few NAME: there are more where the machine was too busy to go on at once.
few()
{
	local lines
	lines=$(said | grep -c .)
	[ "$lines" -ge 2 ] && [ "$lines" -le 20 ]
	ok $? "$1: $lines lines"
	said | sed 's/^/# /' | head -n 40
}

mark
printf 1 >$dir/f
for mode in dax cached dax cached; do
	daxstack set $mode $dir/f
done
[ "$(said | grep -c ' /f (inode [0-9]*): \(cached -> dax\|dax -> cached\), ')" = 4 ]
ok $? "single switches have a line each"

evil=$dir/$'e\n\e]0;x\a\\v'
printf 1 >"$evil"
daxstack set dax "$evil"
said | tail -n 1 | grep -Fq 'pmem0: /e\n\e]0;x\a\\v (inode '
ok $? "a name is escaped"

mkdir $dir/many
for i in {1..1000}; do
	echo >"$dir/many/$i"
done
mark
daxstack set -R dax $dir/many >/tmp/set
grep -q '^switched 1000' /tmp/set || sed 's/^/# /' /tmp/set
until_told 1000 '-> dax|switched to dax'
ok $? "a thousand switches are all told of"
few "... in few lines"

# One that is refused among many that are switched.
mark
daxstack set -R cached $dir/many >/tmp/set
setpriv --reuid 65534 --clear-groups daxstack set dax $dir/many/7 2>/dev/null
until_told 1000 '-> cached|switched to cached'
ok $? "a thousand switches, and a refusal"
said | grep -q ' /many/7 (inode [0-9]*): not switched to dax: caller does not own the file (-1)'
ok $? "... has a line with name and reason"

# Many that are refused, for two reasons.
mark
setpriv --reuid 65534 --clear-groups daxstack set -R dax $dir/many >/dev/null 2>&1
fsfreeze --freeze $dir
daxstack set dax $dir/many/{1..20} 2>/dev/null
fsfreeze --unfreeze $dir
until_told 1000 'not switched.*: caller does not own the file'
ok $? "a thousand refusals are all told of"
until_told 20 'not switched.*: filesystem is frozen'
ok $? "... by reason"
few "... in few lines"

# An unprivileged user, and one file, as often as he can.
chown 65534 $dir/many/1
mark
start=$SECONDS
setpriv --reuid 65534 --clear-groups bash -c "
	for i in {1..40}; do
		chattr +x $dir/many/1
		chattr -x $dir/many/1
	done"
took=$((SECONDS - start + 1))
lines=$(said | grep -c .)
# Five at once; and in a second two, and one that sums up.
[ "$lines" -le $((5 + 3 * took)) ]
ok $? "a user who switches without end: $lines lines in $took s"
until_told 80 '->|switched to'
ok $? "... and all are told of"

# What has not been told when the mount goes is told then. There is no waiting here.
mark
daxstack set -R dax $dir/many >/tmp/set
umount $dir
ok $? "umount after a burst"
[ "$(told '-> dax|switched to dax')" = 1000 ]
ok $? "... tells the rest of it"
rmmod daxstack
ok $? "the module goes"
echo "1..$n"
exit $failed
