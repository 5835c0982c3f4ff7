# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-only
# A boot with the same fstab but without the module.

check "the system is up" systemctl -q is-active multi-user.target
ok "$(! grep -qw daxstack /proc/filesystems; echo $?)" "the kernel has no daxstack"
was_shut_down_cleanly
is "fstab, nofail: the mount has failed" \
	"$(systemctl show -P ActiveState mnt.mount)" failed
said=$(journalctl -q -b -o cat -u mnt.mount)
note <<<"$said"
like "... the journal names the missing module" "$said" 'module'
like "... and the remedy" "$said" 'modprobe daxstack|daxstack-dkms|dkms'
is "mount unit: the mount has failed" \
	"$(systemctl show -P ActiveState srv-xfs.mount)" failed
is "no other unit has failed" \
	"$(failed_units | grep -vxF -e mnt.mount -e srv-xfs.mount)" ""

# The lower filesystems are usable without it.
mkdir -p /mnt /srv/xfs
check "ext4 mounts directly" mount -t ext4 /dev/pmem0 /mnt
check "XFS mounts directly" mount -t xfs /dev/pmem1 /srv/xfs
is "ext4: size" "$(size /mnt)" "$(kept ext4.size)"
is "XFS: size" "$(size /srv/xfs)" "$(kept xfs.size)"
is "ext4: data" "$(sums /mnt)" "$(kept ext4.sums)"
is "XFS: data" "$(sums /srv/xfs)" "$(kept xfs.sums)"
like "ext4: the flags are in the filesystem" "$(lsattr /mnt/db/bash)" '^[^ ]*x'
like "XFS: the flags are in the filesystem" "$(lsattr /srv/xfs/db/bash)" '^[^ ]*x'
check "both are unmounted" umount /mnt /srv/xfs
check "e2fsck finds no errors" e2fsck -fn /dev/pmem0
check "xfs_repair finds no errors" xfs_repair -n /dev/pmem1
