# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-only
# Follows README up to a live switch; then sets up fstab and a mount unit for the next
# boots.

version=$(uname -r)
check "the system is up" settled
check "both NVDIMMs are there" has_pmem
run_readme 2
contains "the module is built for the running kernel" \
	"$(modinfo -F filename daxstack 2>&1)" "/lib/modules/$version/"
like "it is mounted" "$(findmnt -n -o FSTYPE,SOURCE,OPTIONS /mnt)" \
	'^daxstack +/dev/pmem0 .*lower=ext4'
is "ndctl: a namespace without labels, in mode fsdax" \
	"$(ndctl list -n namespace0.0 | jq -r '.[].mode // .mode' 2>/dev/null)" fsdax

# Programs that offer devices for mounting must know that this one is in use: the udev
# rule checks the statistics in sysfs.
udevadm settle
if [ -e /sys/fs/daxstack/pmem0 ]; then
	like "udisks: the device is not offered for mounting" \
		"$(udisksctl info -b /dev/pmem0)" 'HintIgnore: +true'
	check "udisks: the device cannot be mounted by command" sh -c '
		! udisksctl mount -b /dev/pmem0 || ! udisksctl unmount -b /dev/pmem0'
else
	skip 2 "no /sys/fs/daxstack"
fi

# The file used in README: a table, to which a program keeps storing.
mkdir -p /mnt/db /mnt/busy
check "a busy program maps a file" start_busy /mnt/db/table
run_readme 3
is "README's commands end with the file in dax mode" "$(mode /mnt/db/table)" dax
check "the file switches ten more times" switch_busily /mnt/db/table 5
check "the busy program lost no store" stop_busy
note </run/busy.said
is "... and its file is dax" "$(mode /mnt/db/table)" dax

run_readme 4
like "README: the profile exists" "$(cat mine.conf)" '^name='

# README unmounts it, and continues with fstab.
size /mnt | keep ext4.size
run_readme 5
like "fstab: mounted, with an option of the lower filesystem" \
	"$(findmnt -n -o FSTYPE,OPTIONS /mnt)" '^daxstack .*errors=remount-ro'
is "fstab: the file is still dax" "$(mode /mnt/db/table)" dax

# The next boot must check it: it is the second mount from here.
check "the next check is due soon" sh -c '
	umount /mnt && tune2fs -C 1 -c 2 /dev/pmem0 && mount /mnt'

umount /mnt
udevadm settle
like "udisks: offered once it is unmounted" \
	"$(udisksctl info -b /dev/pmem0)" 'HintIgnore: +false'
mount /mnt

check "XFS on the second NVDIMM" sh -c '
	ndctl create-namespace -f -e namespace1.0 -m fsdax && mkfs.xfs -q /dev/pmem1'
cat >/etc/systemd/system/srv-xfs.mount <<END
[Unit]
Description=XFS through daxstack

[Mount]
What=/dev/disk/by-uuid/$(blkid -s UUID -o value /dev/pmem1)
Where=/srv/xfs
Type=daxstack
Options=inherit=move

[Install]
WantedBy=multi-user.target
END
check "a mount unit is enabled and started" sh -c '
	systemctl daemon-reload && systemctl enable --now srv-xfs.mount'
like "it is mounted" "$(findmnt -n -o FSTYPE,OPTIONS /srv/xfs)" \
	'^daxstack .*lower=xfs.*inherit=move'

cat >>/etc/fstab <<-END
UUID=00000000-1111-2222-3333-444444444444 /srv/absent daxstack nofail,x-systemd.device-timeout=5s 0 2
END
systemctl daemon-reload

for dir in /mnt /srv/xfs; do
	mkdir -p $dir/db $dir/log $dir/busy
	chattr +x $dir/db
	cp -a /usr/bin/bash /usr/bin/dpkg $dir/db/
	cp -a /usr/bin/perl $dir/log/
	touch $dir/db/'a name with blanks'
done
check "files inherit dax from their directory" test "$(mode /srv/xfs/db/bash)" = dax
size /srv/xfs | keep xfs.size
sync
sums /mnt | keep ext4.sums
sums /srv/xfs | keep xfs.sums
modes /mnt | keep ext4.modes
modes /srv/xfs | keep xfs.modes
for fs in ext4 xfs; do
	like "$fs: the reference has files in both modes" "$(kept $fs.modes)" ' dax yes'
	like "... with checksums" "$(kept $fs.sums)" '/db/bash'
done

# Services that use both mounts from boot to shutdown.
for dir in mnt srv/xfs; do
	cat >"/etc/systemd/system/busy-${dir##*/}.service" <<-END
	[Unit]
	Description=Busy on /$dir
	RequiresMountsFor=/$dir/busy

	[Service]
	ExecStartPre=/bin/sh -c 'rm -f /$dir/busy/file'
	ExecStart=/usr/local/bin/daxstack-demo /$dir/busy/file
	CPUWeight=20

	[Install]
	WantedBy=multi-user.target
	END
done
cp /payload/daxstack-demo /usr/local/bin/
systemctl daemon-reload
check "services that use both mounts are started" \
	systemctl enable --now busy-mnt busy-xfs
