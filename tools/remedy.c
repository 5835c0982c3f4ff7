// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remedies for the reasons why files are not switched.
 *
 * Each reason of daxstack.h needs a REMEDY_ here; this file does not compile without
 * it. NULL: there is no remedy.
 */
#include <stddef.h>

#include "daxstack.h"
#include "tool.h"

#define WAIT	"wait, with 'daxstack set -t SECONDS'"
#define LOOK	"see the kernel's log (dmesg) for the error"
#define COPY	"copy it, and switch the copy"

#define REMEDY_NONE		NULL
#define REMEDY_NOT_REGULAR	"name a regular file; other files have no mode"
#define REMEDY_READ_ONLY	\
	"make the mount writable: 'mount -o remount,rw MOUNTPOINT'"
#define REMEDY_NOT_OWNER	"ask the owner of the file, or root, to switch it"
#define REMEDY_NO_DAX		\
	"use persistent memory in fsdax mode: 'ndctl create-namespace -f -e " \
	"NAMESPACE -m fsdax', which destroys its data"
#define REMEDY_BLOCK_SIZE	\
	"back up and create the filesystem anew, with blocks of the page size: " \
	"'mkfs.ext4 -b 4096 DEVICE' or 'mkfs.xfs -b size=4096 DEVICE'"
#define REMEDY_DEVICE_GONE	\
	"unmount, bind the driver again ('ndctl enable-namespace " \
	"NAMESPACE'), and mount again"
#define REMEDY_NO_FLAG		\
	"back up and create the filesystem anew, as XFS version 5: 'mkfs.xfs -m " \
	"crc=1 DEVICE'"
#define REMEDY_NO_PROBE		\
	LOOK "; if the filesystem is full, free some space. The next request " \
	"tries again"
#define REMEDY_ENCRYPTED	\
	"copy it to a directory that is not encrypted, and switch the copy"
#define REMEDY_VERITY		COPY ", which has no fs-verity"
#define REMEDY_SWAPFILE		"'swapoff FILE'"
#define REMEDY_INLINE_DATA	\
	"back up and create the filesystem anew without inline data: 'mkfs.ext4 " \
	"-b 4096 -O ^inline_data DEVICE'"
#define REMEDY_JOURNAL_DATA	\
	"'chattr -j FILE'; if all files have it, mount without " \
	"data=journal ('tune2fs -o ^journal_data DEVICE')"
#define REMEDY_REALTIME		\
	"copy it to a directory without 'chattr +t' of xfs_io, and switch the " \
	"copy"
#define REMEDY_REFLINK		\
	"give it blocks of its own: 'daxstack set --unshare dax FILE'"
#define REMEDY_LOWER_SAYS_NO	\
	"if it shares blocks with another file (reflink), " REMEDY_REFLINK \
	"; else " LOOK
#define REMEDY_FOREIGN_MAP	\
	"have all programs close and unmap it; it can be switched once it has " \
	"been loaded again, after the next mount at the latest"
#define REMEDY_LOWER_SHARED	\
	"unmount it there ('umount DIRECTORY'), or wait for that with " \
	"'daxstack set -t SECONDS'; 'daxstack who MOUNTPOINT' lists the mounts"
#define REMEDY_MAP_SYNC		\
	"have the program unmap it, or end it; 'daxstack who FILE' names it. To " \
	"wait for that: 'daxstack set -t SECONDS'"
#define REMEDY_PINNED		\
	"wait until direct I/O, RDMA or vmsplice releases it, with " \
	"'daxstack set -t SECONDS'; 'daxstack who FILE' names the programs"
#define REMEDY_IO		WAIT
#define REMEDY_WRITEBACK	WAIT
#define REMEDY_INTERRUPTED	"try again"
#define REMEDY_WRITE_ERROR	\
	LOOK "; if the filesystem is full, free some space. Then try again"
#define REMEDY_PERSIST		REMEDY_WRITE_ERROR
#define REMEDY_MAPPED		\
	"have the program unmap it ('daxstack who FILE' names it), wait for " \
	"that with 'daxstack set -t SECONDS', or allow it: 'mount -o " \
	"remount,switch=live MOUNTPOINT'"
#define REMEDY_HAS_BLOCKS	\
	"switch it while it is empty, or allow it: 'mount -o " \
	"remount,switch=live MOUNTPOINT'"
#define REMEDY_NEVER		\
	"allow it: 'mount -o remount,switch=live MOUNTPOINT'; or set the flag, " \
	"which acts when all programs have closed the file"
#define REMEDY_DAX_OPTION	\
	"unmount, and mount with dax=inode, which is the default"
#define REMEDY_FROZEN		\
	"'fsfreeze --unfreeze MOUNTPOINT', or wait for that with 'daxstack " \
	"set -t SECONDS'"
#define REMEDY_SWITCHING	WAIT
#define REMEDY_IMMUTABLE	"'chattr -i FILE'"
#define REMEDY_KERNEL		\
	"run a kernel that daxstack was tested on (Linux 6.1, 6.12 or 7.3), or " \
	"load the module with allow_untested_kernel=1, at your own risk"

static const char *const remedies[] = {
#define REMEDY_OF_(name, err, text) REMEDY_##name,
	DAXSTACK_REASONS(REMEDY_OF_)
};

/**
 * reason_remedy - remedy for a reason
 * @reason: enum daxstack_reason
 *
 * FILE, MOUNTPOINT and so on stand for the names.
 *
 * Return: a text without a full stop at the end; NULL if there is no remedy.
 */
const char *reason_remedy(unsigned int reason)
{
	if (reason < DAXSTACK_REASON_COUNT)
		return remedies[reason];
	return "use a daxstack command as new as the module";
}
