#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# daxstack lower: asserts that a command sees the lower filesystem on the mount point,
# in a namespace of its own and until it ends; and that the recipes of
# daxstack-lower(1) work.
#
# Runs the recipes of the manual page as they are.
#
# guest: --timeout 900 --pmem 2048 --add tools/man/daxstack-lower.1 --add /usr/sbin/e4defrag
# guest: --add /usr/sbin/xfs_info --add /usr/sbin/xfsdump --add /usr/sbin/xfsrestore
# guest: --add /usr/sbin/xfs_spaceman --add /usr/sbin/lvm --add /usr/sbin/fsadm:/usr/sbin/
#
# Shell code in single quotes is for the command; functions are called by name.
# shellcheck disable=SC2016,SC2317
set -u

# shellcheck source=tests/lib/tap.sh
. /usr/local/share/daxstack/tap.sh
# Shown after failed checks.
said=/tmp/said

# says TEXT NAME: asserts that the last output has TEXT
says()
{
	grep -qF -- "$1" /tmp/said
	ok $? "$2"
}
has_not()
{
	! grep -qF -- "$1" /tmp/said
	ok $? "$2"
}
# begun: waits for the command, which reports its pid
begun()
{
	read -r -t 60 command </tmp/started || bail "the command does not start"
}
until_true()
{
	until "$@"; do
		sleep 0.05
	done
}

m=/mnt/stack
l=/mnt/lower
mkdir -p $m $l
make_fs()
{
	case $FS in
	ext4) mkfs.ext4 -q -F -b 4096 "$@" ;;
	xfs) mkfs.xfs -q -f "$@" ;;
	esac >/tmp/said 2>&1 || bail "mkfs: $(cat /tmp/said)"
}
stack()
{
	mount -t daxstack "$@" $m || bail "mount: $*"
}
unstack()
{
	umount $m
	ok $? "umount"
}
lower()
{
	daxstack lower "$@"
}
type_of()
{
	findmnt -no FSTYPE "$1"
}
switches()
{
	ends 0 "$1: files can be switched at once" daxstack set dax $m/file
	ends 0 "$1: ... and back" daxstack set cached $m/file
}

# --- Visibility.

make_fs "$PMEM"
stack "$PMEM"
echo data >$m/file
is "$FS $PMEM" "$(lower $m -- findmnt -no FSTYPE,SOURCE $m | tr -s ' ')" \
	"the command sees only the lower filesystem there"
is 1 "$(lower $m grep -c " $m " /proc/mounts)" "... once; also without --"
is data "$(lower $m -- cat $m/file)" "... with its files"
is daxstack "$(type_of $m)" "afterwards daxstack is mounted there"
switches "afterwards"
ends 0 "the command writes" lower $m -- sh -c "echo more >>$m/file"
is "data more " "$(tr "\n" " " <$m/file)" "... and daxstack sees it"
daxstack set dax $m/file
exec 8<>$m/file
lower $m -- sh -c "echo dax >>$m/file"
is "data more dax " "$(tr "\n" " " <&8)" "... also through an open file in dax mode"
exec 8>&-
daxstack set cached $m/file

mkfifo /tmp/go /tmp/started
# A name of its own, to find it by.
cp "$(type -P sleep)" /usr/local/bin/sleeper
daxstack lower $m -- sh -c 'echo $$ >/tmp/started; read -r line </tmp/go' &
pid=$!
begun
is daxstack "$(type_of $m)" "meanwhile: others see daxstack"
ends 1 "meanwhile: a switch is refused" daxstack set dax $m/file
says "lower filesystem is mounted elsewhere" "... reason"
says "$m" "... mount point"
is data "$(head -n 1 $m/file)" "meanwhile: others read"
echo written >>$m/file
is written "$(tail -n 1 $m/file)" "... and write"
daxstack set -t 60 dax $m/file >/tmp/said 2>&1 &
waiter=$!
echo >/tmp/go
wait $pid
ok $? "the command ends"
wait $waiter
ok $? "... and a waiting switch succeeds"
daxstack set cached $m/file

mkdir $m/dir
is "$m/dir" "$(cd $m/dir && lower $m -- pwd -P)" \
	"the working directory is the same"
is "$FS" "$(cd $m/dir && lower $m -- findmnt -no FSTYPE -T .)" \
	"... in the lower filesystem"
is "$FS" "$(cd $m && lower . -- findmnt -no FSTYPE $m)" "a relative mount point"
ln -s $m /tmp/link
is "$FS" "$(lower /tmp/link findmnt -no FSTYPE $m)" "a symbolic link to it"

# --- Environment of the command.

mount -o remount,bind,nosuid,nodev,noexec,noatime $m
lower $m findmnt -no VFS-OPTIONS $m >/tmp/said
is "rw,nosuid,nodev,noexec,noatime" "$(cat /tmp/said)" "options of the mount point"
mount -o remount,bind,suid,dev,exec,relatime $m
flags=$(findmnt -no VFS-OPTIONS $m)
is "$flags" "$(lower $m findmnt -no VFS-OPTIONS $m)" "... other options"
is "ro,${flags#rw,}" "$(lower -r $m findmnt -no VFS-OPTIONS $m)" "-r: read-only"
ends 1 "... the command cannot write" lower -r $m -- touch $m/none
ends 0 "... others can" touch $m/other
mount -o remount,ro $m
is "ro,${flags#rw,}" "$(lower $m findmnt -no VFS-OPTIONS $m)" "daxstack is read-only"
mount -o remount,rw $m
mount --bind $m/dir $l
echo inside >$m/dir/inside
is inside "$(lower $l -- cat $l/inside)" "a bind mount of a directory"
umount $l
mount -t tmpfs tmpfs $m/dir
is inside "$(lower $m -- cat $m/dir/inside)" "mounts on it are not visible"
umount $m/dir
mount --bind $m $m
is "$FS" "$(lower $m findmnt -no FSTYPE $m)" "mounted twice on one directory"
umount $m
mount -t tmpfs tmpfs $l
mkdir "$l/a b"
mount -t daxstack "$PMEM" "$l/a b"
is data "$(lower "$l/a b" head -n 1 "$l/a b/file")" "a name with a blank"
umount "$l/a b" $l

# --- Statuses and signals.

ends 0 "status 0" lower $m -- true
ends 7 "status 7" lower $m -- sh -c 'exit 7'
ends 127 "no such command" lower $m -- no-such-command
says "no-such-command: No such file or directory" "... message"
ends 126 "a command that cannot be run" lower $m -- $m/file
ends 143 "a command that a signal ends" lower $m -- sh -c 'kill -TERM $$'
ends 125 "no mount point" lower
ends 125 "no command" lower $m
ends 125 "no command after --" lower $m --
ends 125 "an unknown option" lower -x $m true
ends 0 "--help" lower --help
says "Usage: daxstack lower" "... usage"
ends 125 "no such directory" lower /nowhere true
ends 125 "another filesystem" lower /tmp true
says "/tmp: not a daxstack mount" "... message"
ends 125 "a directory in daxstack" lower $m/dir true
says "$m/dir: not a mount point: name the mount point of daxstack" "... reported"
ends 125 "without CAP_SYS_ADMIN" setpriv --bounding-set=-sys_admin \
	--inh-caps=-sys_admin daxstack lower $m -- true
says "needs CAP_SYS_ADMIN: run it as root" "... message"
ends 125 "by another user" setpriv --reuid 65534 --clear-groups \
	daxstack lower $m -- true
ends 3 "options of the command are its own" lower $m -- sh -c 'exit $#' sh -r -h -x

daxstack lower $m -- bash -c 'trap "exit 9" USR1; sleeper 1000 & echo $$ >/tmp/started; wait' \
	2>/tmp/said &
pid=$!
begun
kill -USR1 $pid
wait $pid
is 9 $? "a signal is passed on"
says "ending 1 process left behind by the command" "processes left behind are killed"
daxstack lower $m -- sh -c 'echo $$ >/tmp/started; exec sleeper 1000' &
pid=$!
begun
kill -KILL $pid
wait $pid 2>/dev/null
until_true sh -c '! pgrep -x sleeper' >/dev/null
ok 0 "killed: the command is killed, too"
switches "killed"

# No descriptor, working directory or namespace remains.
ends 0 "processes left behind" lower $m -- bash -c \
	"cd $m; exec 9<file; (trap '' TERM HUP; setsid sleeper 1000 & sleeper 1000 &
	sleeper 1000) & sleeper 1000 & disown -a"
says "left behind by the command" "... are killed"
pgrep -x sleeper >/tmp/said
is 1 $? "... all"
switches "processes left behind"
# A process outside opens a file of the command.
daxstack lower $m -- bash -c "exec 9<$m/file; echo \$\$ >/tmp/started
	read -r line </tmp/go" 2>/tmp/said &
pid=$!
begun
sleeper 1000 7</proc/"$command"/fd/9 &
holder=$!
# The shell opens the file in the background: wait, or the command may end before.
until_true test -e /proc/$holder/fd/7
echo >/tmp/go
wait $pid
is 125 $? "a file that somebody outside has open: status"
says "the lower filesystem is still in use" "... reported"
ends 1 "... no switch" daxstack set dax $m/file
kill $holder
wait $holder 2>/dev/null
switches "file closed"
unstack

# --- A directory as the source.

mount -t "$FS" "$PMEM" $l
mkdir -p $l/data/db
echo deep >$l/data/db/deep
stack $l/data/db
# The device number shows where daxstack is mounted.
if [ "$(mountpoint -d $m)" = "$(mountpoint -x "$PMEM")" ]; then
	is deep "$(lower $m -- cat $m/deep)" "a directory as the source"
	is "${PMEM}[/data/db]" "$(lower $m findmnt -no SOURCE $m)" \
		"... and only that directory"
	umount $l
	is deep "$(lower $m -- cat $m/deep)" \
		"a directory, its own mount removed"
	unstack
	mount -t "$FS" "$PMEM" $l
	stack $l
	umount $l
	is data "$(lower $m -- head -n 1 $m/file)" \
		"the root directory as the source"
	unstack
else
	umount $l
	ends 125 "a directory as the source" lower $m -- true
	unstack
fi

# --- The recipes.

m=/mnt
manual=$(sed "s/\\\\-/-/g; s/\\\\\[aq]/'/g; s/ *# .*//" /usr/local/bin/daxstack-lower.1)
# recipe COMMAND: asserts that the manual page has it, and that it works.
recipe()
{
	grep -qFx -- "$1" <<<"$manual"
	ok $? "manual: $1"
	ends 0 "... works" sh -c "$1"
}
blocks_of()
{
	stat -f -c %b "$1"
}
# grown BEFORE NAME: asserts that daxstack shows more blocks, and can use them
grown()
{
	[ "$(blocks_of $m)" -gt $(($1 * 5 / 4)) ]
	ok $? "$2: daxstack has the blocks"
	ends 0 "$2: ... and writes to them" \
		dd if=/dev/zero of=$m/big bs=1M count=$(($1 * 9 / 8 / 256)) status=none
	rm -f $m/big
	switches "$2"
}
fsck_of()
{
	case $FS in
	ext4) ends 0 "fsck" e2fsck -fn "$1" ;;
	xfs) ends 0 "fsck" xfs_repair -n "$1" ;;
	esac
}

# The guest has neither udev nor LVM daemons.
for tool in pvcreate vgcreate lvcreate lvextend vgchange; do
	ln -s lvm /usr/local/bin/$tool
done
mkdir -p /etc/lvm /run/lvm /run/lock/lvm
cat >/etc/lvm/lvm.conf <<-'END'
	devices { obtain_device_list_from_udev=0 use_devicesfile=0 }
	activation { udev_sync=0 udev_rules=0 monitoring=0 }
	global { use_lvmpolld=0 notify_dbus=0 }
END
export LVM_SUPPRESS_FD_WARNINGS=1
wipefs -qa "$PMEM"
mount | grep -q " /mnt/" && bail "a mount is left below /mnt"
ends 0 "pvcreate" pvcreate -ffy "$PMEM"
ends 0 "vgcreate" vgcreate vg "$PMEM"
ends 0 "lvcreate" lvcreate -y -Wn -Zn -L 320m -n lv vg
dev=/dev/vg/lv
make_fs $dev
stack $dev
echo data >$m/file
before=$(blocks_of $m)
ends 0 "lvextend" lvextend -L +100m vg/lv
case $FS in
ext4)
	ends 1 "resize2fs directly" resize2fs $dev
	recipe "daxstack lower /mnt -- resize2fs /dev/vg/lv"
	;;
xfs)
	ends 1 "xfs_growfs directly" xfs_growfs /mnt
	recipe "daxstack lower /mnt -- xfs_growfs /mnt"
	;;
esac
grown "$before" "grown"

case $FS in
ext4)
	for i in 1 2 3 4 5 6 7 8; do
		dd if=/dev/zero of=/mnt/file bs=4k count=1 seek=$((i * 2)) \
			conv=notrunc status=none
		dd if=/dev/zero of=/mnt/gap$i bs=4k count=1 status=none
		sync
	done
	recipe "daxstack lower /mnt -- e4defrag /mnt/file"
	is data "$(head -n 1 /mnt/file)" "... and the file is unchanged"
	;;
xfs)
	mkdir -p /var/lib/xfsdump/inventory /var/tmp
	recipe "daxstack lower -r /mnt -- xfsdump -l 0 -L label -M medium -f /var/tmp/dump /mnt"
	mkdir /tmp/restored
	ends 0 "xfsrestore" xfsrestore -f /var/tmp/dump /tmp/restored
	is data "$(head -n 1 /tmp/restored/file)" "... has the files"
	;;
esac

before=$(blocks_of $m)
recipe "daxstack lower /mnt -- lvextend -r -L +1G vg/lv"
[ "$(blocks_of $m)" -gt $((before + 200000)) ]
ok $? "daxstack has the blocks"
is data "$(head -n 1 /mnt/file)" "... and the files"
switches "lvextend -r"
unstack
fsck_of $dev
ends 0 "vgchange" vgchange -an vg
done_testing
