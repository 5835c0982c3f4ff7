#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Quota tools, for users, groups and projects: asserts that all of them work through
# daxstack lower, and that those that accept a daxstack mount work directly.
#
# Runs the recipes of the manual page of daxstack lower as they are.
#
# guest: --timeout 600 --add tools/man/daxstack-lower.1 --add /usr/sbin/repquota
# guest: --add /usr/sbin/setquota --add /usr/sbin/edquota --add /usr/sbin/quotaon
# guest: --add /usr/sbin/quotaoff --add /usr/bin/quota --add /usr/sbin/quotacheck --add /usr/sbin/xfs_quota
set -u

# shellcheck source=tests/lib/tap.sh
. /usr/local/share/daxstack/tap.sh
# Shown after failed checks.
said=/tmp/said
# says PATTERN NAME: asserts that the last output matches
says()
{
	grep -qE -- "$1" /tmp/said
	ok $? "$2"
}

manual=$(sed "s/\\\\-/-/g; s/\\\\\[aq]/'/g; s/ *# .*//" /usr/local/bin/daxstack-lower.1)
# recipe COMMAND: asserts that the manual page has it, and that it works.
recipe()
{
	grep -qFx -- "$1" <<<"$manual"
	ok $? "manual: $1"
	ends 0 "... works" sh -c "$1"
}

m=/mnt
mkdir -p /tmp/lower
options=usrquota,grpquota,prjquota
echo 'daemon:x:1:1:daemon:/:/bin/sh' >>/etc/passwd
echo 'daemon:x:1:
users:x:100:' >>/etc/group
case $FS in
ext4) mkfs.ext4 -q -F -b 4096 -O quota,project \
	-E quotatype=usrquota:grpquota:prjquota "$PMEM" ;;
xfs) mkfs.xfs -q -f "$PMEM" ;;
esac || bail mkfs

# mounted OPTIONS: mounts with options of the lower filesystem
mounted()
{
	mount -t daxstack -o "$1" "$PMEM" $m 2>/tmp/said && return
	# Only the first mount can set them.
	mount -t "$FS" -o "$1" "$PMEM" /tmp/lower || bail "mount: $1"
	mount -t daxstack "$PMEM" $m || bail "mount"
	umount /tmp/lower
}
mounted $options
chmod 777 $m
mkdir $m/cached $m/dax $m/project
chmod 777 $m/*
# A user without files is not reported.
echo >$m/some
chown nobody $m/some
chattr +x $m/dax

# written STATUS NAME WHO FILE MiB: asserts whether a write fits into the quota
written()
{
	local status=0
	setpriv --reuid "${3%:*}" --regid "${3#*:}" --clear-groups \
		dd if=/dev/zero of="$4" bs=1M count="$5" status=none 2>/tmp/said ||
		status=$?
	rm -f "$4"
	[ $status = "$1" ]
	ok $? "$2"
}
nobody=65534:65534
daemon=1:1

# --- Through daxstack lower.

recipe "daxstack lower /mnt -- setquota -u nobody 0 100M 0 0 /mnt"
recipe "daxstack lower -r /mnt -- repquota -ugP /mnt"
says '^nobody +.* 102400 ' "... has the limit"
written 0 "within the limit" $nobody $m/cached/file 90
written 1 "cached: over the limit" $nobody $m/cached/file 110
says "quota exceeded" "... message"
written 1 "dax: over the limit" $nobody $m/dax/file 110
written 0 "another user has no limit" $daemon $m/dax/file 110
recipe "daxstack lower /mnt -- edquota -u -p nobody daemon"
written 1 "now the user has a limit" $daemon $m/dax/file 110
ends 0 "setquota -g" daxstack lower $m -- setquota -g users 0 50M 0 0 $m
written 1 "group over its limit" 2:100 $m/dax/file 60
recipe "daxstack lower /mnt -- quotaoff -u /mnt"
written 0 "quotas turned off" $nobody $m/dax/file 110
recipe "daxstack lower /mnt -- quotaon -u /mnt"
written 1 "quotas turned on" $nobody $m/dax/file 110
recipe "daxstack lower /mnt -- sh -c 'quotaoff -u /mnt && quotaon -u /mnt'"
recipe "daxstack lower /mnt -- setquota -P 42 0 100M 0 0 /mnt"
echo >$m/project/some
xfs_io -c 'chproj -R 42' $m/project
ends 0 "repquota -P" daxstack lower $m -- repquota -P $m
says '^#42 +.* 102400 ' "... has the limit"
xfs_io -c 'chattr +P' $m/project
written 1 "project over its limit" 3:3 $m/project/file 110
ends 0 "to dax" chattr +x $m/project
written 1 "... in dax mode" 3:3 $m/project/file 110
if [ "$FS" = xfs ]; then
	recipe "daxstack lower /mnt -- xfs_quota -x -c 'limit bhard=100m nobody' /mnt"
	recipe "daxstack lower /mnt -- xfs_quota -x -c 'report -ugp' /mnt"
	says '^nobody +.* 102400 ' "... has the limit"
fi

# --- Directly: tools that use the device.

recipe "xfs_quota -f -x -c 'limit bhard=20m nobody' /mnt"
written 1 "xfs_quota: a limit" $nobody $m/dax/file 30
recipe "xfs_quota -f -x -c 'report -ugp' /mnt"
says '^nobody +.* 20480 ' "... is reported"
for type in u g p; do
	id=7
	ends 0 "xfs_quota -$type" xfs_quota -f -x -c "limit -$type bhard=10m $id" $m
	ends 0 "... report" xfs_quota -f -x -c "report -$type -n" $m
	says '^#7 +.* 10240 ' "... has it"
done
written 1 "user" 7:8 $m/dax/file 20
written 1 "group" 8:7 $m/dax/file 20
rm $m/project/some
ends 0 "xfs_quota: project" xfs_quota -f -x -c "project -s -p $m/project 7" $m
written 1 "project" 8:8 $m/project/file 20
ends 0 "xfs_quota: state" xfs_quota -f -x -c state $m
says 'Enforcement: ON' "... is on"

# Commands for XFS only need the mount to be XFS.
ends 0 "xfs_quota: disable" xfs_quota -f -x -c 'disable -u' $m
says 'command is for XFS filesystems only' "... needs XFS"
if [ "$FS" = xfs ]; then
	recipe "daxstack lower /mnt -- xfs_quota -x -c 'disable -u' /mnt"
	written 0 "... is off" 7:8 $m/dax/file 20
	recipe "daxstack lower /mnt -- xfs_quota -x -c 'enable -u' /mnt"
	written 1 "... is on again" 7:8 $m/dax/file 20
fi

# --- Directly, by the mount point: needs the lower filesystem's options in
# /proc/mounts and its device number.

if findmnt -no OPTIONS $m | grep -q usrquota &&
	[ "$(mountpoint -d $m)" = "$(mountpoint -x "$PMEM")" ]; then
	ends 1 "quotaon -p: user" quotaon -pu $m
	says 'user quota on /mnt .* is on' "... is on"
	if [ "$FS" = ext4 ]; then
		ends 0 "quotaoff" quotaoff -ug $m
		written 0 "... no limits" $nobody $m/dax/file 110
		ends 0 "quotaon" quotaon -ug $m
		written 1 "... limits" $nobody $m/dax/file 110
		ends 0 "setquota -u" setquota -u nobody 0 10M 0 0 $m
		ends 0 "setquota -g" setquota -g users 0 10M 0 0 $m
		ends 0 "edquota -p" edquota -u -p nobody daemon
		written 1 "limits: user" $nobody $m/dax/file 20
		written 1 "limits: group" 9:100 $m/dax/file 20
		written 1 "limits: copied" $daemon $m/dax/file 20
		ends 0 "quota" quota -u -v nobody
		says ' 10240 ' "... has the limit"
	fi
fi
ends 0 "umount" umount $m
case $FS in
ext4) ends 0 "fsck" e2fsck -fn "$PMEM" ;;
xfs) ends 0 "fsck" xfs_repair -n "$PMEM" ;;
esac

# --- ext4 quotas in visible files.

if [ "$FS" = ext4 ]; then
	mkfs.ext4 -q -F -b 4096 "$PMEM"
	mounted usrquota
	chmod 777 $m
	chattr +x $m
	ends 0 "quota files" daxstack lower $m -- sh -c \
		'quotacheck -cum /mnt && quotaon -u /mnt && setquota -u nobody 0 10M 0 0 /mnt'
	echo >$m/some
	chown nobody $m/some
	written 1 "... limit writes through daxstack" $nobody $m/file 20
	ends 0 "... are read" daxstack lower $m -- repquota -u $m
	says '^nobody +.* 10240 ' "... with the right limit"
	ends 2 "... cannot be switched" daxstack set cached $m/aquota.user
	says 'immutable' "... reason"
	ends 0 "... are turned off" daxstack lower $m -- quotaoff -u $m
	ends 0 "umount" umount $m
	ends 0 "fsck" e2fsck -fn "$PMEM"
fi
done_testing
