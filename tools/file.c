// SPDX-License-Identifier: GPL-2.0
/*
 * Files that belong to others: looked at without being opened, then opened
 * again as the very objects that were looked at.
 *
 * Opening a fifo takes what its writer writes, opening a device is a call of
 * its driver, and a name may stand for another file from one moment to the
 * next. So a name is only resolved to an O_PATH descriptor, which opens
 * nothing. What it refers to decides whether the file is opened; and that is
 * done by way of the descriptor, not by the name.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daxstack.h"
#include "file.h"

/* Linux 6.1's: older headers lack them. */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID	0x1000U
#endif
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX	0x00200000
#endif

/**
 * file_identify - what file a descriptor refers to
 * @fd: open, or O_PATH
 * @id: filled in
 *
 * Return: 0 or a negative errno.
 */
int file_identify(int fd, struct file_id *id)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_MODE | STATX_INO | STATX_MNT_ID |
		  STATX_UID | STATX_NLINK, &stx) < 0)
		return -errno;
	*id = (struct file_id){
		.mode = stx.stx_mode,
		.dax = stx.stx_attributes & STATX_ATTR_DAX,
		.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.ino = stx.stx_ino,
		.mnt = stx.stx_mask & STATX_MNT_ID ? stx.stx_mnt_id : 0,
		.uid = stx.stx_uid,
		.links = stx.stx_nlink,
	};
	return 0;
}

/**
 * file_look - find out what a name stands for, without opening it
 * @dir: where the name is looked up, or AT_FDCWD
 * @name: a path
 * @flags: O_NOFOLLOW if a symbolic link is itself meant
 * @id: filled in
 *
 * Nothing is mounted on the way, and nobody is told: no lease is broken.
 * Return: an O_PATH descriptor for the caller to close, or a negative errno.
 */
int file_look(int dir, const char *name, int flags, struct file_id *id)
{
	int look = openat(dir, name, O_PATH | O_CLOEXEC | flags);
	int err;

	if (look < 0)
		return -errno;
	err = file_identify(look, id);
	if (!err)
		return look;
	close(look);
	return err;
}

/**
 * file_is_same - whether it was the same file both times
 * @a: of the first look
 * @b: of the second
 */
bool file_is_same(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->mnt == b->mnt &&
		(a->mode & S_IFMT) == (b->mode & S_IFMT);
}

/**
 * file_has_ioctls - whether there is an ioctl for a file of this type
 * @id: of the file
 *
 * Others are never opened: an ioctl on a device node goes to the driver,
 * whatever the filesystem.
 */
bool file_has_ioctls(const struct file_id *id)
{
	return S_ISREG(id->mode) || S_ISDIR(id->mode);
}

/**
 * file_foreign - whether a file is not daxstack's
 * @look: descriptor of the file, also O_PATH
 * @id: of it
 *
 * Return: NULL if it is on a daxstack mount, else what to tell the user; valid
 * until the next strerror().
 */
const char *file_foreign(int look, const struct file_id *id)
{
	/* Of many files in a row, most are on the same. The lower one has its number. */
	static struct file_id known;
	struct statfs fs;

	if (known.mnt && id->dev == known.dev && id->mnt == known.mnt)
		return NULL;
	if (fstatfs(look, &fs) < 0)
		return strerror(errno);
	/* It passes no ioctls on, but FS_IOC_SETFLAGS. */
	if (fs.f_type == OVERLAYFS_SUPER_MAGIC)
		return "on overlayfs: name the file of its layer, or use chattr";
	if (fs.f_type != DAXSTACK_SUPER_MAGIC)
		return "not on a daxstack mount";
	known = *id;
	return NULL;
}

/* The kernel's own /proc/self/fd, or -ENOSYS: what else is there may lead astray. */
static int descriptors(void)
{
	static int fds = -1;
	struct statfs fs;

	if (fds >= 0)
		return fds;
	fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0)
		return -ENOSYS;
	if (!fstatfs(fds, &fs) && fs.f_type == PROC_SUPER_MAGIC)
		return fds;
	close(fds);
	fds = -1;
	return -ENOSYS;
}

/**
 * file_open_as - open a file that was looked at
 * @look: descriptor of file_look(), or any other of it; stays open
 * @id: of it; file_has_ioctls()
 * @flags: O_RDONLY or O_RDWR, and more
 *
 * The file is opened by its descriptor, so that it is that file, whatever its
 * name stands for by now.
 *
 * Return: a descriptor for the caller to close, or a negative errno:
 * -EWOULDBLOCK if somebody holds a lease on it, who was asked to give it up by
 * this call; -ENOSYS without /proc.
 */
int file_open_as(int look, const struct file_id *id, int flags)
{
	char number[16];
	int fds = descriptors();
	int fd;

	if (fds < 0)
		return fds;
	if (!file_has_ioctls(id))
		return -EINVAL;
	snprintf(number, sizeof(number), "%d", look);
	fd = openat(fds, number, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/**
 * file_open - open a file that was looked at, for ioctls
 * @look: as for file_open_as()
 * @id: likewise
 *
 * Return: as file_open_as().
 */
int file_open(int look, const struct file_id *id)
{
	return file_open_as(look, id, O_RDONLY);
}

/**
 * file_open_plain - open a file by its name, for ioctls, in a single call
 * @dir: the directory that it is in, which walk_may_trust()
 * @name: its name there, that of a regular file
 *
 * Return: a descriptor for the caller to close, or a negative errno. Among others
 * if it is a symbolic link, or something is mounted there.
 */
int file_open_plain(int dir, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
			O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			RESOLVE_NO_XDEV,
	};
	int fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}
