// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ: the visible state of a file: attributes, extended attributes,
 * contents. Read by root, with as few side effects as possible.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "differ.h"

/* Maximum read at the start of a file, and at its end. */
#define READ_MAX	(1 * MIB)
#define CHUNK		(64 * KIB)
#define NAMES_MAX	(64 * KIB)

/* --- Text. */

void say(struct text *out, const char *format, ...)
{
	va_list args;
	int len;

	for (;;) {
		size_t room = out->size - out->len;

		va_start(args, format);
		len = vsnprintf(out->buf ? out->buf + out->len : NULL, room,
				format, args);
		va_end(args);
		if ((size_t)len < room)
			break;
		out->size = 2 * (out->size + len + 1);
		out->buf = realloc(out->buf, out->size);
		if (!out->buf)
			abort();
	}
	out->len += len;
}

void clear(struct text *out)
{
	out->len = 0;
	say(out, "%s", "");
}

void say_ret(struct text *out, long ret)
{
	if (ret == -1)
		say(out, " = -1 %s", strerrorname_np(errno) ?: "?");
	else
		say(out, " = %ld", ret);
}

uint64_t hash_of(const void *buf, size_t len)
{
	const uint8_t *bytes = buf;
	uint64_t hash = len, word;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, bytes + i, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 29;
	}
	for (; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

void say_bytes(struct text *out, const void *buf, size_t len)
{
	const uint8_t *bytes = buf;
	size_t i;

	if (len > 16) {
		say(out, " %zu bytes #%016llx", len,
		    (unsigned long long)hash_of(buf, len));
		return;
	}
	say(out, " '");
	for (i = 0; i < len; i++)
		say(out, "%02x", bytes[i]);
	say(out, "'");
}

/* --- Parts of the state. */

static void see_stat(struct text *out, int dirfd, const char *path, int flags)
{
	struct statx stx;

	if (statx(dirfd, path, flags | AT_SYMLINK_NOFOLLOW,
		  STATX_BASIC_STATS | STATX_BTIME, &stx)) {
		say_ret(out, -1);
		return;
	}
	say(out, " mode 0%o nlink %u owner %u:%u", stx.stx_mode, stx.stx_nlink,
	    stx.stx_uid, stx.stx_gid);
	/* The size of a directory also depends on the lower filesystem. */
	say(out, " size %llu", (unsigned long long)stx.stx_size);
	if (!S_ISREG(stx.stx_mode))
		say(out, " blocks %llu", (unsigned long long)stx.stx_blocks);
	else if (known(KNOWN_BLOCKS) && !switching)
		say(out, " blocks: %s", stx.stx_blocks ? "some" : "none");
	say(out, " blksize %u rdev %u:%u mask %#x\n  ", stx.stx_blksize,
	    stx.stx_rdev_major, stx.stx_rdev_minor, stx.stx_mask);
	say_time(out, "atime", stx.stx_atime.tv_sec, stx.stx_atime.tv_nsec);
	say_time(out, "mtime", stx.stx_mtime.tv_sec, stx.stx_mtime.tv_nsec);
	say_time(out, "ctime", stx.stx_ctime.tv_sec, stx.stx_ctime.tv_nsec);
	say_time(out, "btime", stx.stx_btime.tv_sec, stx.stx_btime.tv_nsec);
	say(out, " attr %#llx of %#llx",
	    (unsigned long long)stx.stx_attributes & ~STATX_ATTR_DAX,
	    (unsigned long long)stx.stx_attributes_mask);
}

static void see_flags(struct text *out, int fd)
{
	struct fsxattr fsx;
	unsigned int flags;

	say(out, "\n   flags");
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		say_ret(out, -1);
	else
		say(out, " %#x", flags & ~FS_DAX_FL);
	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx))
		say_ret(out, -1);
	else
		say(out, " xflags %#x extsize %u cowextsize %u project %u",
		    fsx.fsx_xflags & ~FS_XFLAG_DAX, fsx.fsx_extsize,
		    fsx.fsx_cowextsize, fsx.fsx_projid);
}

/* By a path in /proc, or by the file's own for a symlink. */
static void see_xattrs(struct text *out, const char *path)
{
	static char names[NAMES_MAX], value[XATTR_SIZE_MAX];
	ssize_t len = llistxattr(path, names, sizeof(names)), size;
	char *name;

	if (len < 0) {
		say(out, "\n   xattrs");
		say_ret(out, -1);
		return;
	}
	for (name = names; name < names + len; name += strlen(name) + 1) {
		say(out, "\n   %.300s", name);
		size = lgetxattr(path, name, value, sizeof(value));
		if (size < 0)
			say_ret(out, -1);
		else
			say_bytes(out, value, size);
	}
}

static void see_range(struct text *out, int fd, off_t from, off_t to)
{
	static char buf[CHUNK];
	uint64_t hash = 0;
	ssize_t len;

	while (from < to) {
		len = pread(fd, buf, to - from < CHUNK ? to - from : CHUNK,
			    from);
		if (len <= 0) {
			say_ret(out, len);
			break;
		}
		hash = hash * 31 + hash_of(buf, len);
		from += len;
	}
	say(out, " up to %lld: #%016llx", (long long)from,
	    (unsigned long long)hash);
}

/* Needs a descriptor open for reading. */
static void see_contents(struct text *out, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	say(out, "\n   contents");
	see_range(out, fd, 0, size < READ_MAX ? size : READ_MAX);
	if (size > READ_MAX)
		see_range(out, fd, size - CHUNK, size);
}

static void see_entries(struct text *out, int fd)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		dxs_bail("fdopendir: %m");
	while ((entry = readdir(dir)))
		say(out, "\n   entry %.40s%s type %u at %#lx", entry->d_name,
		    strlen(entry->d_name) > 40 ? "..." : "", entry->d_type,
		    entry->d_off);
	closedir(dir);
}

/* --- A file. */

static void see_open(struct text *out, int fd, mode_t mode)
{
	see_flags(out, fd);
	if (S_ISDIR(mode)) {
		see_entries(out, fd);
		return;
	}
	see_contents(out, fd);
	close(fd);
}

/* Path of an O_PATH descriptor, which also works for a symlink. */
static void see(struct text *out, const char *path, const char *shown)
{
	static char link[8192];
	struct stat st;
	ssize_t len;
	int fd;

	say(out, "  %.80s%s:", shown, strlen(shown) > 80 ? "..." : "");
	see_stat(out, AT_FDCWD, path, 0);
	if (lstat(path, &st)) {
		say(out, "\n");
		return;
	}
	see_xattrs(out, path);
	if (S_ISLNK(st.st_mode)) {
		len = readlink(path, link, sizeof(link));
		say(out, "\n   link");
		say_ret(out, len);
		if (len > 0)
			say_bytes(out, link, len);
	} else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
		if (fd < 0)
			say_ret(out, -1);
		else
			see_open(out, fd, st.st_mode);
	}
	say(out, "\n");
}

void look_at_path(struct text *out, const char *path)
{
	see(out, path, path);
}

void look_at_parent(struct text *out, const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[300];

	if (!slash || slash == path || slash - path >= 290) {
		see(out, ".", ".");
		return;
	}
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	see(out, parent, parent);
}

/* The file, and the state of the descriptor. */
void look_at_fd(struct text *out, int fd)
{
	char path[40];
	struct stat st;
	int other;

	say(out, "  fd:");
	if (fd < 0) {
		say(out, " closed\n");
		return;
	}
	see_stat(out, fd, "", AT_EMPTY_PATH);
	say(out, "\n   flags %#x at %lld", fcntl(fd, F_GETFL),
	    (long long)lseek(fd, 0, SEEK_CUR));
	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		other = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC);
		if (other < 0)
			say_ret(out, -1);
		else
			see_open(out, other, st.st_mode);
	}
	say(out, "\n");
}

/* --- All files below the working directory, and itself. */

#define ALL_MAX	256

struct all {
	char *paths[ALL_MAX];
	ino_t inos[ALL_MAX];
	unsigned int count;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void walk(struct text *out, struct all *all, const char *path);

static void walk_into(struct text *out, struct all *all, const char *path)
{
	char *names[ALL_MAX], *below_it;
	unsigned int i, count = 0;
	struct dirent *entry;
	DIR *dir;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		say_ret(out, -1);
		return;
	}
	while ((entry = readdir(dir)) && count < ALL_MAX)
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			names[count++] = strdup(entry->d_name);
	closedir(dir);
	qsort(names, count, sizeof(*names), by_name);
	for (i = 0; i < count; i++) {
		if (asprintf(&below_it, "%s/%s", path, names[i]) < 0)
			abort();
		if (strlen(below_it) < 3000)
			walk(out, all, below_it);
		free(below_it);
		free(names[i]);
	}
}

/*
 * Inode numbers differ between the sides; which names share an inode must not.
 */
static void walk(struct text *out, struct all *all, const char *path)
{
	struct stat st;
	unsigned int i;

	see(out, path, path);
	if (lstat(path, &st))
		return;
	for (i = 0; i < all->count; i++)
		if (all->inos[i] == st.st_ino)
			say(out, "   is also %.80s\n", all->paths[i]);
	if (all->count < ALL_MAX) {
		all->inos[all->count] = st.st_ino;
		all->paths[all->count++] = strdup(path);
	}
	if (S_ISDIR(st.st_mode))
		walk_into(out, all, path);
}

void look_at_all(struct text *out)
{
	struct all all = { .count = 0 };

	walk(out, &all, ".");
	while (all.count--)
		free(all.paths[all.count]);
}
