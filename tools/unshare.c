// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack set --unshare: give a file on XFS blocks of its own, if it shares some with
 * other files (cp --reflink).
 *
 * fallocate(2) is called for shared ranges only, because XFS would allocate holes in
 * the range. Ranges are processed in chunks, because signals do not interrupt such a
 * call, and other users of the file wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "set.h"
#include "tool.h"

#define CHUNK		(32ULL << 20)
#define EXTENTS_MAX	128

/**
 * struct range - a part of a file
 * @start: offset in bytes
 * @len: in bytes, 0 for none
 */
struct range {
	unsigned long long start;
	unsigned long long len;
};

/* Find the first extent, or the first shared one, between @pos and @end. */
static int find_extent(int fd, unsigned long long pos, unsigned long long end,
		       bool shared, struct range *found)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) +
			  EXTENTS_MAX * sizeof(struct fiemap_extent)];
	} u;
	const struct fiemap_extent *extent;
	unsigned int i;

	*found = (struct range){ .len = 0 };
	while (pos < end) {
		memset(&u.map, 0, sizeof(u.map));
		u.map.fm_start = pos;
		u.map.fm_length = end - pos;
		u.map.fm_extent_count = EXTENTS_MAX;
		if (ioctl(fd, FS_IOC_FIEMAP, &u.map) < 0)
			return -errno;
		if (!u.map.fm_mapped_extents)
			return 0;
		for (i = 0; i < u.map.fm_mapped_extents; i++) {
			extent = &u.map.fm_extents[i];
			if (shared &&
			    !(extent->fe_flags & FIEMAP_EXTENT_SHARED))
				continue;
			found->start = extent->fe_logical < pos ?
				pos : extent->fe_logical;
			found->len = extent->fe_logical + extent->fe_length -
				found->start;
			return 0;
		}
		extent = &u.map.fm_extents[i - 1];
		if (extent->fe_flags & FIEMAP_EXTENT_LAST)
			return 0;
		pos = extent->fe_logical + extent->fe_length;
	}
	return 0;
}

/* Set @end to the file size, rounded up to blocks; blocks beyond it are not shared. */
static int file_end(int fd, unsigned long long *end)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*end = (st.st_size + st.st_blksize - 1) / st.st_blksize *
		st.st_blksize;
	return 0;
}

/**
 * unshare_shared - number of bytes that a file shares with others
 * @fd: of the file
 * @bytes: filled in
 *
 * Return: 0 or a negative errno.
 */
int unshare_shared(int fd, unsigned long long *bytes)
{
	unsigned long long end, pos = 0;
	struct range range;
	int error = file_end(fd, &end);

	*bytes = 0;
	while (!error) {
		error = find_extent(fd, pos, end, true, &range);
		if (!range.len)
			break;
		*bytes += range.len;
		pos = range.start + range.len;
	}
	return error;
}

/**
 * unshare_space - check the free space for a copy of the shared blocks
 * @fd: of the file
 * @bytes: how much it shares
 *
 * Return: NULL, or an error message; valid until the next call.
 */
const char *unshare_space(int fd, unsigned long long bytes)
{
	static char why[160];
	unsigned long long space;
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0)
		return strerror(errno);
	space = (unsigned long long)fs.f_bavail * fs.f_frsize;
	if (space >= bytes)
		return NULL;
	snprintf(why, sizeof(why),
		 "no space for blocks of its own: %llu KiB are shared with other files, %llu KiB are free",
		 bytes >> 10, space >> 10);
	return why;
}

static int unshare_chunk(int fd, unsigned long long start,
			 unsigned long long len)
{
	return fallocate(fd, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE,
			 start, len) < 0 ? -errno : 0;
}

/*
 * XFS keeps the reflink flag of a file after the other files are removed, and clears it
 * in any unshare call that finds nothing shared.
 */
static int unmark(int fd, unsigned long long end)
{
	struct range range;
	struct stat st;
	int error = find_extent(fd, 0, end, false, &range);

	if (error || !end)
		return error;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* One block is sufficient, also in a hole. */
	if (!range.len || range.len > (unsigned long long)st.st_blksize)
		range.len = st.st_blksize;
	return unshare_chunk(fd, range.start, range.len);
}

/**
 * unshare_blocks - give a file blocks of its own
 * @fd: of the file, open for writing, in cached mode
 * @total: how many bytes it shares, for the progress bar
 * @done: set to the number of bytes that were unshared
 *
 * The content of the file does not change, also not on failure.
 *
 * Return: 0 or a negative errno. -EINTR: a signal ends the program.
 */
int unshare_blocks(int fd, unsigned long long total, unsigned long long *done)
{
	unsigned long long end, pos = 0;
	struct range range;
	int error = file_end(fd, &end);

	*done = 0;
	while (!error) {
		progress_part(*done, total);
		error = find_extent(fd, pos, end, true, &range);
		if (error || !range.len)
			break;
		if (signals_ended()) {
			error = -EINTR;
			break;
		}
		if (range.len > CHUNK)
			range.len = CHUNK;
		error = unshare_chunk(fd, range.start, range.len);
		if (error)
			break;
		*done += range.len;
		pos = range.start + range.len;
	}
	if (!error && !*done)
		error = unmark(fd, end);
	progress_part(0, 0);
	return error;
}

/**
 * unshare_is_needed - whether this kernel refuses dax mode for files that share blocks
 *
 * For a dry run: only an attempt asks the lower filesystem.
 */
bool unshare_is_needed(void)
{
	unsigned int major, minor;
	struct utsname uts;

	return !uname(&uts) &&
		sscanf(uts.release, "%u.%u", &major, &minor) == 2 &&
		(major < 6 || (major == 6 && minor < 2));
}
