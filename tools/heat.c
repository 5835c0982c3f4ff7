// SPDX-License-Identifier: GPL-2.0-only
/* A heat session: read the counts of all files of a mount. See heat.h. */
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <linux/fs.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "file.h"
#include "heat.h"

/* Initial size of the array of files. */
#define FILES_FIRST	1024

/**
 * struct heat - a session
 * @fd: the session's descriptor
 * @mountpoint: path; not held open, because a descriptor would keep it mounted
 * @mnt: mount ID, by statx
 * @dev: device number of the filesystem
 * @root: directory of the filesystem that is mounted there, without a leading slash; ""
 *   for the root
 * @files: result of the last read
 * @nr: number of @files
 * @room: allocated number of @files
 * @time_ns: time of the last read
 */
struct heat {
	int fd;
	char *mountpoint;
	uint64_t mnt;
	dev_t dev;
	char *root;
	struct daxstack_heat_file *files;
	size_t nr;
	size_t room;
	uint64_t time_ns;
};

static void __attribute__((format(printf, 3, 4)))
say(char *buf, size_t len, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf, len, fmt, args);
	va_end(args);
}

/* Return: the directory of the filesystem that is the root of a mount, or NULL. */
static char *mounted_root(uint64_t mnt)
{
	struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	char *root = NULL;

	while (table && iter && !mnt_table_next_fs(table, iter, &fs)) {
		if ((uint64_t)mnt_fs_get_id(fs) != mnt)
			continue;
		if (mnt_fs_get_root(fs))
			root = strdup(mnt_fs_get_root(fs) +
				      (*mnt_fs_get_root(fs) == '/'));
		break;
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
	return root;
}

/* Explain why a session could not be opened, and what to do. */
static const char *open_error(int error)
{
	switch (error) {
	case EPERM:
		return "heat shows which files are used, which needs CAP_SYS_ADMIN: run it as root";
	case EBUSY:
		return "another program measures it (daxstackd?): stop that program, or only watch";
	case ENOTTY:
		return "the loaded module is too old: load the one of this version";
	default:
		return strerror(error);
	}
}

static int open_session(int dir, bool windows)
{
	struct daxstack_heat_open arg = {
		.flags = windows ? DAXSTACK_HEAT_WINDOWS : 0,
	};
	int fd = ioctl(dir, DAXSTACK_IOC_HEAT_OPEN, &arg);

	return fd < 0 ? -errno : fd;
}

/* Fill in @heat. The caller calls heat_close() also on failure. */
static bool begin(struct heat *heat, int dir, const char *mountpoint, bool windows,
		  char *err, size_t len)
{
	struct file_id id;
	struct statfs fs;

	heat->mountpoint = realpath(mountpoint, NULL);
	if (!heat->mountpoint || fstatfs(dir, &fs) < 0 ||
	    file_identify(dir, &id) < 0) {
		say(err, len, "%s", strerror(errno));
		return false;
	}
	if (fs.f_type != DAXSTACK_SUPER_MAGIC) {
		say(err, len, "not a daxstack mount: see 'findmnt -t daxstack'");
		return false;
	}
	heat->mnt = id.mnt;
	heat->dev = id.dev;
	heat->root = mounted_root(id.mnt);
	if (!heat->root) {
		say(err, len, "not found in /proc/self/mountinfo: is /proc mounted?");
		return false;
	}
	heat->fd = open_session(dir, windows);
	if (heat->fd < 0) {
		say(err, len, "%s", open_error(-heat->fd));
		return false;
	}
	return true;
}

/**
 * heat_open - start a session: the kernel begins to count
 * @mountpoint: of daxstack, or any directory below
 * @windows: own the windows: this session clears sketches and probes mappings
 * @err: on failure set to the cause and what to do, without the name of the mount point
 * @len: size of @err
 *
 * Return: a session for heat_close(), or NULL.
 */
struct heat *heat_open(const char *mountpoint, bool windows, char *err,
		       size_t len)
{
	int dir = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct heat *heat = calloc(1, sizeof(*heat));

	if (dir < 0 || !heat) {
		say(err, len, "%s", strerror(errno));
		free(heat);
		heat = NULL;
	} else {
		heat->fd = -1;
		if (!begin(heat, dir, mountpoint, windows, err, len)) {
			heat_close(heat);
			heat = NULL;
		}
	}
	if (dir >= 0)
		close(dir);
	return heat;
}

/**
 * heat_close - end a session
 * @heat: the session, or NULL
 */
void heat_close(struct heat *heat)
{
	if (!heat)
		return;
	if (heat->fd >= 0)
		close(heat->fd);
	free(heat->mountpoint);
	free(heat->root);
	free(heat->files);
	free(heat);
}

static int make_room(struct heat *heat)
{
	size_t room = heat->room ? 2 * heat->room : FILES_FIRST;
	struct daxstack_heat_file *files =
		reallocarray(heat->files, room, sizeof(*files));

	if (!files)
		return ENOMEM;
	heat->files = files;
	heat->room = room;
	return 0;
}

/**
 * heat_read - read the counts of all files
 * @heat: the session
 * @all: include files that only hold pages
 * @clear: clear the sketches; needs a session with windows
 * @probes: number of windows to unmap per mapped file; likewise
 *
 * Replaces the result of the last read; after an error, it is incomplete.
 *
 * Return: 0 or an errno: ENODEV if the filesystem was unmounted, EINTR.
 */
int heat_read(struct heat *heat, bool all, bool clear, unsigned int probes)
{
	struct daxstack_heat_read arg = {
		.flags = (all ? DAXSTACK_HEAT_ALL : 0) |
			 (clear ? DAXSTACK_HEAT_CLEAR : 0),
		.probes = probes,
	};
	int err;

	heat->nr = 0;
	do {
		if (heat->nr == heat->room) {
			err = make_room(heat);
			if (err)
				return err;
		}
		arg.files = (uintptr_t)(heat->files + heat->nr);
		arg.max = heat->room - heat->nr;
		if (ioctl(heat->fd, DAXSTACK_IOC_HEAT_READ, &arg) < 0)
			return errno;
		/* The time of the first chunk counts for all. */
		if (!heat->nr)
			heat->time_ns = arg.time_ns;
		heat->nr += arg.count;
	} while (arg.cursor);
	return 0;
}

/**
 * heat_files - result of the last read
 * @heat: the session
 * @nr: set to the number of files
 *
 * Return: an array, ordered by inode number, valid until the next read.
 */
const struct daxstack_heat_file *heat_files(const struct heat *heat, size_t *nr)
{
	*nr = heat->nr;
	return heat->files;
}

/**
 * heat_time_ns - start of the last read
 * @heat: the session
 *
 * Return: CLOCK_MONOTONIC, in nanoseconds.
 */
uint64_t heat_time_ns(const struct heat *heat)
{
	return heat->time_ns;
}

/**
 * heat_name - find the path of a file
 * @heat: the session
 * @ino: inode number
 * @generation: generation of the inode number
 * @path: set to the path relative to the mount point of heat_open(), any bytes
 * @size: of @path
 *
 * Return: 0, or a negative errno: -ENOENT if the file has no name below the mount
 * point.
 */
int heat_name(struct heat *heat, uint64_t ino, uint32_t generation, char *path,
	      size_t size)
{
	size_t len = strlen(heat->root);
	struct daxstack_heat_name arg = {
		.ino = ino,
		.generation = generation,
		.size = size,
		.name = (uintptr_t)path,
	};

	if (ioctl(heat->fd, DAXSTACK_IOC_HEAT_NAME, &arg) < 0)
		return -errno;
	if (!len)
		return 0;
	/* The mount shows a subtree: strip its root. */
	if (strncmp(path, heat->root, len) || path[len] != '/')
		return -ENOENT;
	memmove(path, path + len + 1, strlen(path + len + 1) + 1);
	return 0;
}

static bool is_file(const struct heat *heat, int fd, uint32_t generation)
{
	struct file_id id;
	long number = 0;

	if (file_identify(fd, &id) < 0 || id.mnt != heat->mnt)
		return false;
	/* ext4 and XFS write an int, although the ioctl is declared with a long. */
	if (ioctl(fd, FS_IOC_GETVERSION, &number) < 0)
		return false;
	return (uint32_t)number == generation;
}

/* Open the file that a path refers to now, if it is a regular file with that inode number. */
static int open_path(const struct heat *heat, const char *path, uint64_t ino)
{
	struct file_id id;
	int fd, look, dir;

	dir = file_look(AT_FDCWD, heat->mountpoint, O_DIRECTORY, &id);
	if (dir < 0)
		return dir;
	look = id.mnt == heat->mnt ? file_look_beneath(dir, path, &id) : -ESTALE;
	close(dir);
	if (look < 0)
		return look == -ELOOP || look == -EXDEV ? -ESTALE : look;
	if (!S_ISREG(id.mode) || id.ino != ino || id.dev != heat->dev) {
		close(look);
		return -ESTALE;
	}
	fd = file_open(look, &id);
	close(look);
	return fd;
}

/**
 * heat_file_open - open a file of the last read
 * @heat: the session
 * @ino: inode number
 * @generation: generation of the inode number
 * @path: set to its path, as by heat_name()
 * @size: of @path
 *
 * Users may rename files meanwhile: no symbolic link is followed, and the result is
 * that file or none.
 *
 * Return: a descriptor, O_RDONLY | O_NONBLOCK, or a negative errno: -ENOENT if it has
 * no name, -ESTALE if the name refers to another file by now.
 */
int heat_file_open(struct heat *heat, uint64_t ino, uint32_t generation,
		   char *path, size_t size)
{
	int fd = heat_name(heat, ino, generation, path, size);

	if (!fd)
		fd = open_path(heat, path, ino);
	if (fd >= 0 && !is_file(heat, fd, generation)) {
		close(fd);
		fd = -ESTALE;
	}
	return fd;
}

/**
 * heat_distinct - estimate the number of distinct pages touched
 * @file: of heat_files()
 *
 * Linear counting: n pages spread at random over m bits leave m e^(-n/m) bits clear. If
 * no bit is clear, half a bit is assumed.
 *
 * Return: pages of 4 KiB, since the sketches were last cleared.
 */
double heat_distinct(const struct daxstack_heat_file *file)
{
	const double bits = DAXSTACK_HEAT_SKETCH_BITS;
	double clear = bits;
	size_t i;

	for (i = 0; i < sizeof(file->sketch) / sizeof(file->sketch[0]); i++)
		clear -= __builtin_popcountll(file->sketch[i]);
	if (clear < 0.5)
		clear = 0.5;
	return ldexp(-bits * log(clear / bits), file->sketch_shift);
}
