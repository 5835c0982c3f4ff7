# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-only
# The boot with the new kernel; then removal of the packages.

version=$(uname -r)
is "the new kernel runs" "$version" "$(kept kernel)"
check "the system is up, no unit failed" settled
contains "the module is there" "$(modinfo -F filename daxstack)" "/lib/modules/$version/"
like "fstab: mounted at boot" "$(findmnt -n -o FSTYPE,SOURCE,OPTIONS /mnt)" \
	'^daxstack +/dev/pmem0 .*errors=remount-ro'
like "mount unit: mounted at boot" "$(findmnt -n -o FSTYPE /srv/xfs)" '^daxstack'
was_shut_down_cleanly
is_the_same /mnt ext4
is_the_same /srv/xfs xfs
check "a file switches under load" switch_busily /mnt/busy/file 5
check "... on XFS, too" switch_busily /srv/xfs/busy/file 5
check "the services stop" systemctl stop busy-mnt busy-xfs
like "no store is lost on ext4" "$(journalctl -q -b -u busy-mnt)" ' 0 lost'
like "no store is lost on XFS" "$(journalctl -q -b -u busy-xfs)" ' 0 lost'
check "they do not start again" systemctl disable busy-mnt busy-xfs

# The module's package is removed while the module is in use.
check "the module's package is removed" apt purge daxstack-dkms
ok "$(! modinfo daxstack >/dev/null 2>&1; echo $?)" "no module is left"
is "no file of it is left in /lib/modules and /usr/src" \
	"$(find /lib/modules /usr/src /var/lib/dkms -name '*daxstack*')" ""
check "existing mounts still work" cmp /usr/bin/bash /mnt/db/bash
