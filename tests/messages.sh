#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Asserts that dmesg has a line for each switch and each refusal; for many in a row
# the first few, then one line with the counts of all others. A user cannot flood the
# kernel log by switching files of their own. Names are escaped.
#
# guest: --timeout 600
set -u

# shellcheck source=tests/lib/tap.sh
. /usr/local/share/daxstack/tap.sh

dir=/mnt/dmesg
mkdir -p $dir
case $FS in
ext4) mkfs.ext4 -q -F -b 4096 "$PMEM" ;;
xfs) mkfs.xfs -q -f "$PMEM" ;;
esac
mount -t daxstack "$PMEM" $dir || bail mount

# mark: marks the log; said: prints the module's lines on switches since the mark.
mark()
{
	# Until the rate limit allows single lines again.
	sleep 3
	echo "dmesg: mark" >/dev/kmsg
}
said()
{
	dmesg --raw | tac | sed '/dmesg: mark$/q' | tac | grep 'daxstack: pmem0: '
}

# told PATTERN: number of matching switches reported, in single lines and in counts.
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

# until_told N PATTERN: waits until N are reported; counts come after the burst.
until_told()
{
	for _ in {1..600}; do
		[ "$(told "$2")" -lt "$1" ] || break
		sleep 0.1
	done
	[ "$(told "$2")" = "$1" ]
}

# few NAME: asserts that there are few lines; a busy machine gets some more.
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
ok $? "each single switch has a line"

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
ok $? "a thousand switches are all reported"
few "... in few lines"

# One refusal among many switches.
mark
daxstack set -R cached $dir/many >/tmp/set
setpriv --reuid 65534 --clear-groups daxstack set dax $dir/many/7 2>/dev/null
until_told 1000 '-> cached|switched to cached'
ok $? "a thousand switches and a refusal"
said | grep -q ' /many/7 (inode [0-9]*): not switched to dax: caller does not own the file (-1)'
ok $? "... the refusal has a line with name and reason"

# Many refusals, for two reasons.
mark
setpriv --reuid 65534 --clear-groups daxstack set -R dax $dir/many >/dev/null 2>&1
fsfreeze --freeze $dir
daxstack set dax $dir/many/{1..20} 2>/dev/null
fsfreeze --unfreeze $dir
until_told 1000 'not switched.*: caller does not own the file'
ok $? "a thousand refusals are all reported"
until_told 20 'not switched.*: filesystem is frozen'
ok $? "... by reason"
few "... in few lines"

# An unprivileged user switches one file as often as possible.
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
# A burst of five; then per second two lines and one with counts.
[ "$lines" -le $((5 + 3 * took)) ]
ok $? "a user who switches in a loop: $lines lines in $took s"
until_told 80 '->|switched to'
ok $? "... and all switches are reported"

# Unreported switches are reported at umount, without waiting.
mark
daxstack set -R dax $dir/many >/tmp/set
umount $dir
ok $? "umount after a burst"
[ "$(told '-> dax|switched to dax')" = 1000 ]
ok $? "... reports the rest of it"
rmmod daxstack
ok $? "rmmod"
done_testing
