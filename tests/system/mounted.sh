# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-only
# The next boot, by fstab and a mount unit; switches under load.

check "the system is up, no unit failed" settled
like "fstab: mounted at boot" "$(findmnt -n -o FSTYPE,SOURCE,OPTIONS /mnt)" \
	'^daxstack +/dev/pmem0 .*errors=remount-ro'
like "mount unit: mounted at boot" "$(findmnt -n -o FSTYPE,OPTIONS /srv/xfs)" \
	'^daxstack .*inherit=move'
check "nofail: the missing device is waited for and left out" sh -c '
	! mountpoint -q /srv/absent && grep -q /srv/absent /etc/fstab'
is "fstab: the generated dependency is Wants, not Requires" \
	"$(systemctl show -P Wants local-fs.target | tr ' ' '\n' | grep absent)" \
	srv-absent.mount
was_shut_down_cleanly

# The first stage made the next check due.
like "pass 2: the lower filesystem was checked at boot" \
	"$(journalctl -q -b -u 'systemd-fsck@*')" 'check forced'
like "... and counts as checked" "$(dumpe2fs -h /dev/pmem0 2>/dev/null)" \
	'^Mount count: +1$'
is_the_same /mnt ext4
is_the_same /srv/xfs xfs

for service in busy-mnt busy-xfs; do
	file=/mnt/busy/file
	[ $service = busy-mnt ] || file=/srv/xfs/busy/file
	check "$service: runs since boot" systemctl -q is-active $service
	check "$service: its file switches under load" switch_busily $file 5
	check "$service: stops" systemctl stop $service
	like "$service: lost no store" "$(journalctl -q -b -u $service)" ' 0 lost'
	check "$service: starts again" systemctl start $service
done

# Programs that know ext4 and XFS by name must not resize anything.
for dir in /mnt /srv/xfs; do
	/lib/systemd/systemd-growfs $dir 2>&1 | note
done
is "ext4: neither grown nor shrunk" "$(size /mnt)" "$(kept ext4.size)"
is "XFS: neither grown nor shrunk" "$(size /srv/xfs)" "$(kept xfs.size)"

# shellcheck source=/dev/null
. /payload/daemon.sh
