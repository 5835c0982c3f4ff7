// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files under control of other users: look them up without opening, then open exactly
 * the object that was looked up.
 *
 * Opening a fifo consumes what its writer wrote, opening a device calls its driver, and
 * the name may refer to another file from one moment to the next. So a name is first
 * resolved to an O_PATH descriptor, which opens nothing. The type of the file decides
 * whether it is opened, and it is opened through that descriptor, not by its name.
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

/* Defined by Linux 6.1; older headers lack them. */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID	0x1000U
#endif
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX	0x00200000
#endif

/**
 * file_identify - identify the file of a descriptor
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

static int identified(int look, struct file_id *id)
{
	int err = file_identify(look, id);

	if (!err)
		return look;
	close(look);
	return err;
}

/**
 * file_look - look up a name without opening the file
 * @dir: directory to look it up in, or AT_FDCWD
 * @name: a path
 * @flags: O_NOFOLLOW to look up a symbolic link itself
 * @id: filled in
 *
 * Triggers no automount, sends no notification and breaks no lease.
 *
 * Return: an O_PATH descriptor for the caller to close, or a negative errno.
 */
int file_look(int dir, const char *name, int flags, struct file_id *id)
{
	int look = openat(dir, name, O_PATH | O_CLOEXEC | flags);

	return look < 0 ? -errno : identified(look, id);
}

/**
 * file_look_beneath - look up a path below a directory
 * @dir: the directory
 * @path: relative path; no symbolic link is followed and no mount point crossed
 * @id: filled in
 *
 * Return: as file_look(); -ELOOP or -EXDEV if the path has a link or leaves the
 * directory.
 */
int file_look_beneath(int dir, const char *path, struct file_id *id)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			RESOLVE_NO_XDEV,
	};
	int look = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return look < 0 ? -errno : identified(look, id);
}

/**
 * file_is_same - whether two lookups found the same file
 * @a: the first
 * @b: the second
 */
bool file_is_same(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->mnt == b->mnt &&
		(a->mode & S_IFMT) == (b->mode & S_IFMT);
}

/**
 * file_has_ioctls - whether a file may be opened for ioctls
 * @id: of the file
 *
 * Only regular files and directories: an ioctl on a device node goes to its driver,
 * whatever the filesystem.
 */
bool file_has_ioctls(const struct file_id *id)
{
	return S_ISREG(id->mode) || S_ISDIR(id->mode);
}

/**
 * file_foreign - check that a file is on a daxstack mount
 * @look: descriptor of the file, also O_PATH
 * @id: of the file
 *
 * Return: NULL if it is, else a message for the user; valid until the next strerror().
 */
const char *file_foreign(int look, const struct file_id *id)
{
	/*
	 * Cache the last mount. Compare the mount ID too: the lower filesystem has the
	 * same device number.
	 */
	static struct file_id known;
	struct statfs fs;

	if (known.mnt && id->dev == known.dev && id->mnt == known.mnt)
		return NULL;
	if (fstatfs(look, &fs) < 0)
		return strerror(errno);
	/* overlayfs passes on no ioctls except FS_IOC_SETFLAGS and its kin. */
	if (fs.f_type == OVERLAYFS_SUPER_MAGIC)
		return "on overlayfs: name the file of its layer, or use chattr";
	if (fs.f_type != DAXSTACK_SUPER_MAGIC)
		return "not on a daxstack mount";
	known = *id;
	return NULL;
}

/*
 * Return: /proc/self/fd, or -ENOSYS. Verify that it is procfs: another mount there
 * could redirect opens.
 */
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
 * file_open_as - open a file that was looked up
 * @look: descriptor of file_look(), or another one of the file; stays open
 * @id: of the file, with file_has_ioctls()
 * @flags: O_RDONLY or O_RDWR, and more
 *
 * Opens by descriptor, so that the name is not resolved again.
 *
 * Return: a descriptor for the caller to close, or a negative errno: -EWOULDBLOCK if
 * another process holds a lease, which this call has begun to break; -ENOSYS without
 * /proc.
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
 * file_open - open a file that was looked up, for ioctls
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
 * @dir: its directory, with walk_may_trust()
 * @name: name of a regular file in @dir
 *
 * Return: a descriptor for the caller to close, or a negative errno, for instance if
 * @name is a symbolic link or a mount point.
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
