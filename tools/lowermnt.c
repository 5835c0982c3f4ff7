// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mount the lower filesystem in place of daxstack, in a private mount namespace.
 *
 * A second mount of a device has the same superblock, so it shows the very inodes and
 * pages that daxstack uses. Only a switch could not cope with that, and daxstack
 * refuses switches while the lower filesystem is mounted elsewhere.
 *
 * In the namespace daxstack is unmounted from the mount point, because programs take
 * the first line of /proc/mounts with the device.
 */
#include <blkid.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daxstack.h"
#include "lowermnt.h"
#include "tool.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* Limit for stacked mounts on a mount point. */
#define UNMOUNTS_MAX	64

/**
 * struct place - the mount of daxstack
 * @target: the mount point, without symbolic links
 * @dev: device number of its root directory
 * @ino: inode number of the root directory, the same as in the lower filesystem
 * @mnt_id: mount ID
 * @flags: of the mount, MOUNT_ATTR_*
 * @lower_dev: device number of the lower filesystem
 * @type: type of the lower filesystem
 * @device: path of its device
 * @source: source of the daxstack mount
 * @root: directory of daxstack that is mounted here, "/" for the root
 */
struct place {
	char *target;
	dev_t dev;
	ino_t ino;
	int mnt_id;
	unsigned int flags;
	dev_t lower_dev;
	char *type;
	char *device;
	char *source;
	char *root;
};

static struct place place;

/* Like warn(), but explain EPERM. Return: false. */
static bool refused(const char *what)
{
	if (errno == EPERM)
		warnx("%s: needs CAP_SYS_ADMIN: run it as root", what);
	else
		warn("%s", what);
	return false;
}

static bool is_stack(int fd)
{
	struct statfs st;

	return !fstatfs(fd, &st) && st.f_type == DAXSTACK_SUPER_MAGIC;
}

static bool look(int fd, struct statx *stx)
{
	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		      STATX_TYPE | STATX_INO | STATX_MNT_ID, stx);
}

/*
 * A parent directory of the mount point may belong to another user, who could replace
 * it by a symbolic link to have us mount over system files: follow none.
 */
static int open_directory(int dir, const char *path, unsigned int resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = resolve | RESOLVE_NO_SYMLINKS,
	};

	return syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static dev_t dev_of(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

/* --- The mount of daxstack. */

static unsigned int flags_of(int fd)
{
	static const struct {
		unsigned long shown;
		unsigned int flag;
	} all[] = {
		{ ST_RDONLY,	 MOUNT_ATTR_RDONLY },
		{ ST_NOSUID,	 MOUNT_ATTR_NOSUID },
		{ ST_NODEV,	 MOUNT_ATTR_NODEV },
		{ ST_NOEXEC,	 MOUNT_ATTR_NOEXEC },
		{ ST_NODIRATIME, MOUNT_ATTR_NODIRATIME },
	};
	unsigned int flags = 0;
	struct statvfs st;
	size_t i;

	if (fstatvfs(fd, &st))
		return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (st.f_flag & all[i].shown)
			flags |= all[i].flag;
	/* The atime flags exclude each other. */
	if (st.f_flag & ST_NOATIME)
		flags |= MOUNT_ATTR_NOATIME;
	else if (!(st.f_flag & ST_RELATIME))
		flags |= MOUNT_ATTR_STRICTATIME;
	return flags;
}

/* Read source, root and lower type from mountinfo. */
static bool read_mountinfo(void)
{
	struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	const char *options;
	struct libmnt_fs *fs;
	char *value = NULL;
	size_t size = 0;

	while (table && iter && !mnt_table_next_fs(table, iter, &fs)) {
		if (mnt_fs_get_id(fs) != place.mnt_id)
			continue;
		options = mnt_fs_get_fs_options(fs);
		if (options && mnt_fs_get_source(fs) && mnt_fs_get_root(fs) &&
		    !mnt_optstr_get_option(options, "lower", &value, &size)) {
			place.source = strdup(mnt_fs_get_source(fs));
			place.root = strdup(mnt_fs_get_root(fs));
			place.type = strndup(value, size);
		}
		break;
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
	if (place.source && place.root && place.type)
		return true;
	warnx("%s: not found in /proc/self/mountinfo",
	      name_shown(place.target));
	return false;
}

/*
 * Find a name of the device: the source of the daxstack mount if it is that device,
 * else any. daxstack has the device number of its lower filesystem.
 */
static bool find_device(void)
{
	struct stat st;

	place.lower_dev = place.dev;
	if (!stat(place.source, &st) && S_ISBLK(st.st_mode) &&
	    (st.st_rdev == place.dev || !major(place.dev))) {
		place.lower_dev = st.st_rdev;
		place.device = strdup(place.source);
	} else {
		place.device = blkid_devno_to_devname(place.dev);
	}
	if (place.device)
		return true;
	warnx("no name in /dev for the device %u:%u of the lower filesystem",
	      major(place.dev), minor(place.dev));
	return false;
}

static bool find_out(int fd)
{
	struct statx stx;

	if (!is_stack(fd)) {
		warnx("%s: not a daxstack mount", name_shown(place.target));
		return false;
	}
	if (!look(fd, &stx)) {
		warn("%s", name_shown(place.target));
		return false;
	}
	if (!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
		warnx("%s: not a mount point: name the mount point of daxstack",
		      name_shown(place.target));
		return false;
	}
	place.dev = dev_of(&stx);
	place.ino = stx.stx_ino;
	place.mnt_id = stx.stx_mnt_id;
	place.flags = flags_of(fd);
	return read_mountinfo() && find_device();
}

/* --- The lower filesystem. */

/* Print the message of the kernel ("e text\n"), or the errno. */
static void tell(int fs, int error)
{
	char text[512];
	ssize_t len = read(fs, text, sizeof(text) - 1);

	if (len > 2) {
		text[len] = 0;
		text[strcspn(text, "\n")] = 0;
	}
	warnx("mounting %s as %s failed: %s%s%s", name_shown(place.device),
	      place.type, strerror(error), len > 2 ? ": " : "",
	      len > 2 ? text + 2 : "");
}

/*
 * Mount the device a second time, detached. The mode (read-only or writable) has to
 * match that of the superblock, which the flags of the mount point need not show: try
 * both.
 *
 * Return: the mount, or -1.
 */
static int mount_lower(unsigned int attr)
{
	int read_only, fs = -1, error = 0, mount;

	for (read_only = 0; read_only < 2; read_only++) {
		fs = fsopen(place.type, FSOPEN_CLOEXEC);
		if (fs < 0) {
			refused(place.type);
			return -1;
		}
		error = 0;
		if ((!read_only ||
		     !fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0)) &&
		    !fsconfig(fs, FSCONFIG_SET_STRING, "source", place.device,
			      0) &&
		    !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
			break;
		error = errno;
		if (error != EBUSY || read_only)
			break;
		close(fs);
	}
	mount = error ? -1 : fsmount(fs, FSMOUNT_CLOEXEC, attr);
	if (mount < 0)
		tell(fs, error ?: errno);
	close(fs);
	return mount;
}

/* Return: an O_PATH descriptor if @path below @dir is the root of the daxstack mount, or -1. */
static int open_if_same(int dir, const char *path)
{
	struct statx stx;
	int fd;

	path += strspn(path, "/");
	fd = open_directory(dir, *path ? path : ".",
			    RESOLVE_BENEATH | RESOLVE_NO_XDEV);
	if (fd < 0)
		return -1;
	if (look(fd, &stx) && stx.stx_ino == place.ino)
		return fd;
	close(fd);
	return -1;
}

/*
 * Find the directory of the lower filesystem that daxstack shows. If daxstack was
 * mounted from a directory, its path within the lower filesystem is some tail of
 * @source, because the mount of the lower filesystem may be gone: try all tails, and
 * compare inode numbers.
 *
 * Return: an O_PATH descriptor, or -1.
 */
static int find_directory(int lower)
{
	const char *part = place.source + strlen(place.source);
	char *path;
	int fd;

	for (;;) {
		if (asprintf(&path, "%s/%s", part, place.root) < 0)
			return -1;
		fd = open_if_same(lower, path);
		free(path);
		if (fd >= 0 || part == place.source)
			return fd;
		do
			part--;
		while (part > place.source && *part != '/');
	}
}

/* --- The namespace. */

/* Open the mount point as seen in the namespace. */
static int open_target(struct statx *stx)
{
	int fd = open_directory(AT_FDCWD, place.target, 0);

	if (fd >= 0 && look(fd, stx))
		return fd;
	warn("%s", name_shown(place.target));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Unmount the mount whose root is @fd, independent of its name. */
static bool unmount(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return !umount2(path, MNT_DETACH) || refused(place.target);
}

/* Unmount daxstack in the namespace, with the mounts below it. */
static bool unmount_stack(void)
{
	bool here = true, ok = true;
	struct statx stx;
	int fd, i;

	for (i = 0; i < UNMOUNTS_MAX; i++) {
		fd = open_target(&stx);
		if (fd < 0)
			return false;
		here = is_stack(fd) && stx.stx_ino == place.ino &&
		       dev_of(&stx) == place.dev;
		if (here)
			ok = unmount(fd);
		close(fd);
		if (!here && i)
			return true;
		if (!here || !ok)
			break;
	}
	if (!ok)
		return false;
	if (!here) {
		warnx("%s: the mount point changed meanwhile: try again", name_shown(place.target));
		return false;
	}
	warnx("%s: too many mounts on the mount point", name_shown(place.target));
	return false;
}

static bool attach(int mount)
{
	struct statx stx;
	int fd = open_target(&stx);
	int error;

	if (fd < 0)
		return false;
	error = move_mount(mount, "", fd, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	if (error)
		refused(place.target);
	close(fd);
	return !error;
}

/*
 * For a subdirectory of the lower filesystem: before Linux 6.15, open_tree() clones
 * only from a mount that is attached.
 */
static bool reattach(int whole, int dir)
{
	int tree = open_tree(dir, "", AT_EMPTY_PATH | OPEN_TREE_CLONE |
				      OPEN_TREE_CLOEXEC);
	bool ok;

	if (tree < 0)
		return refused(place.target);
	ok = unmount(whole) && attach(tree);
	close(tree);
	return ok;
}

/* Return: whether the mount point shows the lower directory. */
static bool is_there(void)
{
	struct statx stx;
	int fd = open_target(&stx);
	bool ok;

	if (fd < 0)
		return false;
	ok = !is_stack(fd) && dev_of(&stx) == place.lower_dev &&
	     stx.stx_ino == place.ino;
	close(fd);
	if (!ok)
		warnx("%s: the mount point changed meanwhile: try again", name_shown(place.target));
	return ok;
}

static bool replace(unsigned int attr)
{
	int mount, dir;
	struct statx stx;
	bool ok;

	mount = mount_lower(attr);
	if (mount < 0)
		return false;
	ok = unmount_stack() && attach(mount);
	dir = ok ? find_directory(mount) : -1;
	if (ok && dir < 0) {
		warnx("%s shows a directory that was not found on %s",
		      name_shown(place.target), name_shown(place.device));
		ok = false;
	}
	if (ok && look(mount, &stx) && stx.stx_ino != place.ino)
		ok = reattach(mount, dir);
	if (dir >= 0)
		close(dir);
	close(mount);
	return ok && is_there();
}

/* If the working directory is in daxstack, move to the same path in the lower filesystem. */
static char *working_directory(void)
{
	struct statfs st;

	if (statfs(".", &st) || st.f_type != DAXSTACK_SUPER_MAGIC)
		return NULL;
	return getcwd(NULL, 0);
}

static bool change_directory(const char *path)
{
	int fd = open_directory(AT_FDCWD, path, 0);
	bool ok = fd >= 0 && !fchdir(fd);

	if (!ok)
		warn("working directory %s", name_shown(path));
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool enter_namespace(void)
{
	if (unshare(CLONE_NEWNS))
		return refused("mount namespace");
	/* Do not propagate mounts to other namespaces. */
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return refused("private mounts");
	return true;
}

/**
 * lowermnt_begin - mount the lower filesystem on a mount point of daxstack
 * @mountpoint: of daxstack
 * @read_only: mount it read-only
 *
 * Moves this process and its children to a new mount namespace.
 *
 * Return: false after printing the error.
 */
bool lowermnt_begin(const char *mountpoint, bool read_only)
{
	char *cwd;
	bool ok;
	int fd;

	place.target = realpath(mountpoint, NULL);
	/*
	 * An open descriptor prevents an unmount: otherwise the device could be mounted
	 * alone.
	 */
	fd = place.target ? open(place.target, O_RDONLY | O_DIRECTORY |
					       O_CLOEXEC) : -1;
	if (fd < 0) {
		warn("%s", name_shown(mountpoint));
		return false;
	}
	cwd = working_directory();
	ok = find_out(fd) && enter_namespace() &&
	     replace(place.flags | (read_only ? MOUNT_ATTR_RDONLY : 0));
	close(fd);
	if (ok && cwd)
		ok = change_directory(cwd);
	free(cwd);
	return ok;
}

/* Return: whether the lower filesystem is mounted on the mount point. */
static bool is_mounted(void)
{
	struct statx stx;

	return !statx(AT_FDCWD, place.target,
		      AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_TYPE,
		      &stx) &&
	       stx.stx_attributes & STATX_ATTR_MOUNT_ROOT &&
	       dev_of(&stx) == place.lower_dev;
}

/**
 * lowermnt_end - undo lowermnt_begin()
 *
 * Unmounts before it returns, so that files can be switched again.
 *
 * Return: false, after printing a warning, if the mount is still in use.
 */
bool lowermnt_end(void)
{
	bool free = true;
	int i;

	if (chdir("/"))
		warn("/");
	for (i = 0; i < UNMOUNTS_MAX && is_mounted(); i++) {
		if (!umount2(place.target, UMOUNT_NOFOLLOW))
			continue;
		if (errno == EBUSY)
			free = false;
		if (umount2(place.target, MNT_DETACH | UMOUNT_NOFOLLOW))
			break;
	}
	if (!free)
		warnx("%s: the lower filesystem is still in use: files cannot be switched",
		      name_shown(place.target));
	return free;
}
