#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# mount.daxstack and fsck.daxstack: asserts that each reason why a mount fails, or
# cannot be switched, is explained with a remedy; that tags, fstab, remount and the
# options of mount(8) work as for any filesystem; and that fsck checks the lower
# filesystem.
#
# guest: --timeout 900 --add build/tools/mount.daxstack:/usr/sbin/
# guest: --add build/tools/fsck.daxstack:/usr/sbin/ --add /usr/sbin/fsck:/usr/sbin/
set -u

# shellcheck source=tests/lib/tap.sh
. /usr/local/share/daxstack/tap.sh

dir=/mnt/helper
other=/mnt/other
mkdir -p $dir $other

# make [OPTION]...: creates a new filesystem on $device
device=$PMEM
make()
{
	case $FS in
	ext4) mkfs.ext4 -q -F "$@" "$device" ;;
	xfs) mkfs.xfs -q -f "$@" "$device" ;;
	esac
}

# run STATUS COMMAND...: asserts the exit status; $text is the output.
run()
{
	local expected=$1 name
	shift
	name="$*"
	text=$("$@" 2>&1)
	status=$?
	[ $status = "$expected" ]
	ok $? "$name: status $expected"
	[ $status = "$expected" ] || printf '# seen %s: %s\n' $status "${text//$'\n'/$'\n# '}"
}

# says TEXT...: asserts that the last output has each TEXT, and no misleading message.
says()
{
	local part
	for part; do
		[[ $text == *"$part"* ]]
		ok $? "... says '$part'" || :
		[[ $text == *"$part"* ]] || printf '# seen: %s\n' "${text//$'\n'/$'\n# '}"
	done
	[[ $text != *'wrong fs type'* ]]
	ok $? '... no mention of a wrong fs type'
}

quiet()
{
	[ -z "$text" ]
	ok $? '... no output'
	[ -z "$text" ] || printf '# seen: %s\n' "${text//$'\n'/$'\n# '}"
}

mounted()
{
	mountpoint -q "$1"
}

options()
{
	findmnt -no FS-OPTIONS --target $dir
}

# --- Mounts that fail.

dd if=/dev/zero of="$PMEM" bs=1M count=4 status=none
run 32 mount -t daxstack "$PMEM" $dir
says "$PMEM: no filesystem found" 'mkfs.ext4 -b 4096' "mkfs.xfs $PMEM"

mkswap "$PMEM" >/dev/null
run 32 mount -t daxstack "$PMEM" $dir
says "$PMEM holds swap: daxstack supports ext4 and XFS only"
wipefs -qa "$PMEM"

run 32 mount -t daxstack /dev/pmem7 $dir
says '/dev/pmem7: no such device' 'ndctl create-namespace -m fsdax'
run 0 mount.daxstack -o nofail /dev/pmem7 $dir
quiet
run 1 mount.daxstack UUID=01234567-89ab-cdef-0123-456789abcdef $dir
says 'no such device' blkid
echo plain >/tmp/plain
run 32 mount.daxstack /tmp/plain $dir
says '/tmp/plain is neither a block device nor a directory' '-o loop'
run 32 mount.daxstack /dev/null $dir
says '/dev/null is a character device'
run 32 mount -t daxstack /proc $dir
says 'neither ext4 nor xfs'

case $FS in ext4) make -b 4096 -L helper ;; xfs) make -L helper ;; esac
run 32 mount.daxstack "$PMEM" /mnt/nowhere
says '/mnt/nowhere: the mount point cannot be used' 'mkdir /mnt/nowhere'
run 32 mount.daxstack "$PMEM" /tmp/plain
says '/tmp/plain: the mount point is not a directory'
run 32 mount -t daxstack -o nonsense "$PMEM" $dir
says "unknown option 'nonsense'" 'mount.daxstack(8)'
run 32 mount -t daxstack -o noatime,switch=sometimes "$PMEM" $dir
says switch
case $FS in ext4) wrong=xfs ;; xfs) wrong=ext4 ;; esac
run 32 mount -t daxstack -o "lower=$wrong" "$PMEM" $dir
says "holds $FS, but lower=$wrong was given"
cp "$(command -v mount.daxstack)" /tmp/mount.daxstack
run 1 setpriv --reuid 65534 --clear-groups /tmp/mount.daxstack "$PMEM" $dir
says 'only root can mount daxstack'
run 1 mount.daxstack "$PMEM"
says 'source or directory missing'
run 1 mount.daxstack -Z "$PMEM" $dir
says "'-Z' is not an option"
mounted $dir
ok $((!$?)) 'none of these mounted anything'

module=$(find "/lib/modules/$(uname -r)" -name 'daxstack.ko*')
rmmod daxstack
mv "$module" /tmp/
run 32 mount -t daxstack "$PMEM" $dir
says "$(uname -r), has no module daxstack" daxstack-dkms "linux-headers-$(uname -r)"
mv "/tmp/$(basename "$module")" "$module"

# --- Mounts that succeed, as with any helper.

run 0 mount -t daxstack "$PMEM" $dir
quiet
[[ $(options) == *lower=$FS* ]]
ok $? "lower=$FS is detected"
run 32 mount -t daxstack "$PMEM" $dir
says "$PMEM is already mounted at $dir by daxstack"
run 32 mount -t daxstack -o switch=empty "$PMEM" $other
says "$PMEM is already mounted at $dir by daxstack" "mount -o remount,... $dir"
run 0 mount -o remount,switch=empty $dir
quiet
[[ $(options) == *switch=empty* ]]
ok $? 'remounted'
run 32 mount -o remount,nonsense $dir
says "unknown option 'nonsense'"
run 8 fsck.daxstack "$PMEM"
says "$PMEM is mounted at $dir: not checked"
run 0 umount $dir

uuid=$(blkid -p -o value -s UUID "$PMEM")
run 0 mount -t daxstack LABEL=helper $dir
run 0 umount $dir
run 0 mount.daxstack "UUID=$uuid" $dir
[ "$(findmnt -no SOURCE $dir)" = "$PMEM" ]
ok $? 'by UUID=: the device'
run 0 umount $dir

# Options for user space do not reach the kernel; those to be kept are in utab.
run 0 mount.daxstack "$PMEM" $dir \
	-o noauto,nofail,_netdev,user=root,comment=x,x-systemd.automount,x-kept=1,noatime
grep -q x-kept=1 /run/mount/utab
ok $? '... x-kept=1 is in utab'
[[ $(findmnt -no VFS-OPTIONS $dir) == *noatime* ]]
ok $? '... noatime'
run 0 umount $dir
run 0 mount.daxstack -n -o x-kept=1 "$PMEM" $dir
grep -qs x-kept=1 /run/mount/utab
ok $((!$?)) '-n: not in utab'
umount $dir
run 0 mount.daxstack -f "$PMEM" $dir
mounted $dir
ok $((!$?)) '-f: not mounted'
run 0 mount.daxstack -f /tmp/plain $dir
quiet
unshare -m sleep 600 &
run 0 mount.daxstack -N $! "$PMEM" $dir
grep -q " $dir daxstack " /proc/$!/mounts
ok $? '-N: mounted in the namespace of that process'
mounted $dir
ok $((!$?)) '... and not in this one'
kill $!
wait $! 2>/dev/null
run 0 mount.daxstack -v -s -r "$PMEM" $dir
says "lower=$FS"
[[ $(options) == ro,* ]]
ok $? '-r: read-only'
umount $dir
for option in switch=never dax=never ro; do
	run 0 mount -t daxstack -o $option "$PMEM" $dir
	quiet
	umount $dir
done
blockdev --setro "$PMEM"
run 0 mount.daxstack "$PMEM" $dir
says "$PMEM is write-protected: mounted read-only"
umount $dir
blockdev --setrw "$PMEM"

mount -t "$FS" "$PMEM" $other
run 0 mount -t daxstack "$PMEM" $dir
says "already mounted at $other as $FS" "umount $other"
umount $dir
run 32 mount -t daxstack -o grpid "$PMEM" $dir
says "$PMEM is already mounted at $other as $FS" "umount $other"
run 32 mount -t daxstack -o grpid $other $dir
says grpid
umount $other

# --- fstab.

printf 'LABEL=helper\t%s\tdaxstack\tnoatime,nofail,grpid,switch=unmapped\t0\t2\n' $dir \
	>/etc/fstab
printf 'UUID=00000000-89ab-cdef-0123-456789abcdef\t%s\tdaxstack\tnofail\t0\t2\n' $other \
	>>/etc/fstab
run 0 mount -a
[[ $(options) == *switch=unmapped*grpid* ]]
ok $? 'mount -a: with its options'
run 0 mount -a
[ "$(findmnt -no SOURCE $dir | wc -l)" = 1 ]
ok $? 'mount -a: once'
run 0 mount -o remount,switch=live $dir
[[ $(options) == *switch=live*grpid* ]]
ok $? 'remount by fstab: with its options'
: >$dir/file
run 0 umount $dir

run 0 fsck -a -t daxstack LABEL=helper
run 0 fsck -A -T -M -a
case $FS in
ext4)
	debugfs -w -R 'set_inode_field /file links_count 7' "$PMEM" 2>/dev/null
	# e2fsck(8): errors were corrected, and the device is clean after that.
	run 1 fsck -A -T -M -- -f -y
	run 0 fsck.daxstack -f -n "$PMEM"
	debugfs -w -R 'set_inode_field /file links_count 7' "$PMEM" 2>/dev/null
	run 4 fsck.daxstack -f -n LABEL=helper
	fsck.daxstack -f -y "$PMEM" >/dev/null
	;;
xfs)
	run 0 fsck.daxstack -a LABEL=helper
	;;
esac
: >/etc/fstab
run 8 fsck.daxstack /tmp/plain
says 'no filesystem found'
run 16 fsck.daxstack
says 'the device is missing'

# --- Mounts on which nothing can be switched.

case $FS in ext4) make -b 1024 ;; xfs) make -b size=1024 ;; esac
run 0 mount -t daxstack "$PMEM" $dir
says 'switching is off' 'block size 1024 on 4096-byte pages'
case $FS in
ext4) says "mkfs.ext4 -b 4096 $PMEM" ;;
xfs) says "mkfs.xfs -f -b size=4096 $PMEM" ;;
esac
umount $dir

case $FS in
ext4)
	make -b 4096 -O inline_data -I 256
	run 0 mount -t daxstack "$PMEM" $dir
	says 'switching is off' "mkfs.ext4 -b 4096 -O ^inline_data $PMEM"
	umount $dir
	make -b 4096
	run 0 mount -t daxstack -o data=journal "$PMEM" $dir
	says 'switching is off' 'without data=journal'
	umount $dir
	;;
xfs)
	if make -m crc=0 -n ftype=1 2>/dev/null; then
		text=$(mount -t daxstack "$PMEM" $dir 2>&1)
		status=$?
		# A kernel without support must be reported.
		if [ $status = 0 ]; then
			says 'switching is off' 'XFS version 4' "mkfs.xfs -f -m crc=1 $PMEM"
			umount $dir
		else
			says 'XFS of version 4' "mkfs.xfs $PMEM"
		fi
	else
		echo "ok $((n += 1)) - XFS version 4 # SKIP mkfs.xfs does not support it"
	fi
	;;
esac

# namespace MODE DEVICE: reconfigures namespace0.0 to MODE
namespace()
{
	local tries=0
	ndctl create-namespace -f -e namespace0.0 -m "$1" >/tmp/ndctl 2>&1 ||
		sed 's/^/# /' /tmp/ndctl
	until [ -e "$2" ] || [ $((tries += 1)) -gt 1200 ]; do
		sleep 0.05
	done
}

for mode in raw sector; do
	device=/dev/pmem0
	[ $mode = raw ] || device=/dev/pmem0s
	namespace $mode $device
	case $FS in ext4) make -b 4096 ;; xfs) make ;; esac
	run 0 mount -t daxstack $device $dir
	says 'switching is off: device has no DAX' "in $mode mode" \
		'ndctl create-namespace -f -e namespace0.0 -m fsdax'
	umount $dir
done
modprobe -q device_dax
namespace devdax /dev/dax0.0
run 32 mount -t daxstack /dev/dax0.0 $dir
says '/dev/dax0.0 is a character device' \
	'ndctl create-namespace -f -e namespace0.0 -m fsdax'
namespace fsdax /dev/pmem0
device=/dev/pmem0
case $FS in ext4) make -b 4096 ;; xfs) make ;; esac
run 0 mount -t daxstack /dev/pmem0 $dir
quiet
umount $dir
rm -f /tmp/plain /tmp/mount.daxstack

done_testing
