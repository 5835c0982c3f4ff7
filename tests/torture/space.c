// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: sizes, blocks and holes, syncing, advice.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "torture.h"

/*
 * Checks whether the call took effect: calls that shift a file must not be
 * repeated.
 */
static off_t size_of(int fd)
{
	struct stat st;

	return AGAIN(fstat(fd, &st)) ? -1 : st.st_size;
}

static long check_size(struct worker *w, struct target *t, const char *how)
{
	off_t size = size_of(fd_of(w, t));

	if (size != t->file->size)
		complain(w->id, "%s: file %d: size %lld, expected %lld", how,
			 file_index(t->file), (long long)size,
			 (long long)t->file->size);
	return 0;
}

RUN(run_truncate)
{
	off_t size = a->file->size, to;
	long ret;
	int fd;

	(void)b;
	switch (below(&w->rng, 5)) {
	case 0:
		to = once_in(&w->rng, 2) ? 0 : below(&w->rng, a->file->most);
		break;
	case 1:
		to = below(&w->rng, size + 1);
		break;
	case 2:		/* a little */
		to = size - below(&w->rng, 3 * PAGE);
		break;
	default:
		to = size + below(&w->rng, 3 * PAGE);
	}
	if (to < 0 || to > a->file->most)
		to = a->file->most / 2;
	if (!to && a->file->named) {
		fd = AGAIN(open(a->file->path,
				O_WRONLY | O_TRUNC | O_CLOEXEC));
		ret = fd < 0 ? -errno : close(fd);
	} else {
		ret = DO(ftruncate(fd_of(w, a), to));
	}
	if (ret)
		return ret;
	set_size(a, to);
	check_size(w, a, "ftruncate");
	if (to && once_in(&w->rng, 2))
		read_back(w, a, to - (to < 9000 ? to : 9000),
			  to < 9000 ? to : 9000);
	return 0;
}

RUN(run_append)
{
	off_t size = a->file->size;
	size_t len = below(&w->rng, 8 * PAGE) + 1;
	bool flag = once_in(&w->rng, 2);
	struct iovec iov;
	long ret;

	(void)b;
	if (size + (off_t)len > a->file->most)
		return SKIP;
	memcpy(w->buf, plan_random(w, a, size, len), len);
	iov = (struct iovec){ w->buf, len };
	if (flag)
		/* The file position is ignored. */
		ret = DO(pwritev2(fd_of(w, a), &iov, 1, 0, RWF_APPEND));
	else
		ret = DO(write(append_of(w, a), w->buf, len));
	plan_done(w, ret > 0 ? ret : 0);
	a->len = a->file->size;
	if (ret < 0)
		return ret;
	if (ret != (long)len)
		complain(w->id, "append: %ld bytes instead of %zu", ret, len);
	check_size(w, a, "append");
	read_back(w, a, size, ret);
	return ret;
}

/* Allocates blocks, within the size or beyond it; the contents stay. */
RUN(run_allocate)
{
	off_t pos = below(&w->rng, a->file->most);
	off_t len = below(&w->rng, a->file->most - pos) + 1;
	bool keep = !a->own || once_in(&w->rng, 2);
	long ret;

	(void)b;
	ret = DO(fallocate(fd_of(w, a), keep ? FALLOC_FL_KEEP_SIZE : 0, pos,
			   len));
	if (ret == -ENOSPC)
		return 0;
	if (!ret && !keep && pos + len > a->file->size)
		set_size(a, pos + len);
	if (a->own)
		check_size(w, a, "fallocate");
	return ret;
}

static long zero(struct worker *w, struct target *t, int mode)
{
	size_t len;
	off_t pos;
	long ret;

	if (!pick(w, t, once_in(&w->rng, 3), &pos, &len))
		return SKIP;
	if (pos + (off_t)len > t->at + (off_t)t->len)
		len = t->at + t->len - pos;
	plan_zero(w, t, pos, len);
	ret = DO(fallocate(fd_of(w, t), mode | FALLOC_FL_KEEP_SIZE, pos, len));
	plan_done(w, ret ? 0 : len);
	if (!ret)
		read_back(w, t, pos, len);
	return ret;
}

RUN(run_punch)
{
	(void)b;
	return zero(w, a, FALLOC_FL_PUNCH_HOLE);
}

RUN(run_zero_range)
{
	(void)b;
	return zero(w, a, FALLOC_FL_ZERO_RANGE);
}

/*
 * XFS drops all pages of the file for these calls, and sometimes finds a page
 * pinned again although it waited for the pins: the kernel warns, with XFS
 * alone (--native) as well.
 */
static bool no_shift(void)
{
	return dxs_on_xfs();
}

RUN(run_collapse)
{
	struct file *file = a->file;
	off_t pages = file->size / PAGE, pos, len, size = file->size;
	int fd = fd_of(w, a);
	long ret;

	if (no_shift())
		return SKIP;
	(void)b;
	if (pages < 3)
		return SKIP;
	pos = below(&w->rng, pages - 2) * PAGE;
	len = (below(&w->rng, 16) + 1) * PAGE;
	/* The range must end before EOF. */
	if (pos + len >= size)
		len = PAGE;
	do
		ret = ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, pos, len));
	while (ret == EINTR && size_of(fd) == size);
	if (ret && ret != EINTR)
		return -ret;
	memmove(file->image + pos, file->image + pos + len, size - pos - len);
	set_size(a, size - len);
	check_size(w, a, "collapse");
	len = size - len - pos;
	read_back(w, a, pos, len < LEN_MAX ? len : LEN_MAX);
	return 0;
}

RUN(run_insert)
{
	struct file *file = a->file;
	off_t pages = file->size / PAGE, pos, len, size = file->size;
	int fd = fd_of(w, a);
	long ret;

	if (no_shift())
		return SKIP;
	(void)b;
	len = (below(&w->rng, 16) + 1) * PAGE;
	if (!pages || size + len > file->most)
		return SKIP;
	pos = below(&w->rng, pages) * PAGE;
	if (pos >= size)
		return SKIP;
	do
		ret = ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, pos, len));
	while (ret == EINTR && size_of(fd) == size);
	if (ret && ret != EINTR)
		return -ret;
	memmove(file->image + pos + len, file->image + pos, size - pos);
	memset(file->image + pos, 0, len);
	file->size = size + len;
	a->len = file->size;
	check_size(w, a, "insert");
	len = file->size - pos;
	read_back(w, a, pos, len < LEN_MAX ? len : LEN_MAX);
	return 0;
}

/* Returns whether there is anything but zeroes. */
static bool any_data(const struct target *t, off_t from, off_t to, off_t *at)
{
	for (; from < to; from++) {
		if (!t->file->image[from])
			continue;
		*at = from;
		return true;
	}
	return false;
}

/* No nonzero byte may lie in a hole. */
RUN(run_seek)
{
	off_t end = a->at + a->len, pos, at = 0;
	int fd = fd_of(w, a);
	off_t data, hole;

	(void)b;
	if (!a->len)
		return SKIP;
	pos = a->at + below(&w->rng, a->len);
	data = DO(lseek(fd, pos, SEEK_DATA));
	if (data == -ENXIO)
		data = end;
	if (data < 0)
		return data;
	if (any_data(a, pos, data < end ? data : end, &at))
		complain(w->id, "SEEK_DATA of %#llx: %#llx, but data is at %#llx",
			 (long long)pos, (long long)data, (long long)at);
	if (data >= end)
		return 0;
	hole = DO(lseek(fd, data, SEEK_HOLE));
	if (hole < 0)
		return hole;
	if (hole < end && a->file->image[hole])
		complain(w->id, "SEEK_HOLE of %#llx: %#llx is none",
			 (long long)data, (long long)hole);
	return 0;
}

/* The same, by the extent list. */
RUN(run_fiemap)
{
	enum { EXTENTS = 32 };
	size_t size = sizeof(struct fiemap) +
		EXTENTS * sizeof(struct fiemap_extent);
	struct fiemap *map = calloc(1, size);
	off_t pos = a->at, end = a->at + a->len, at = 0;
	unsigned int i;
	long ret;

	(void)b;
	if (!map)
		return -ENOMEM;
	map->fm_start = a->at & -PAGE;
	map->fm_length = end - map->fm_start;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = EXTENTS;
	ret = a->len ? DO(ioctl(fd_of(w, a), FS_IOC_FIEMAP, map)) : 0;
	/* Others store to shared files meanwhile. */
	for (i = 0; !ret && a->own && i < map->fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &map->fm_extents[i];
		off_t begin = e->fe_logical;

		if (e->fe_flags & FIEMAP_EXTENT_UNWRITTEN)
			continue;
		if (any_data(a, pos, begin < end ? begin : end, &at))
			complain(w->id, "fiemap: data at %#llx, but the next extent is at %#llx",
				 (long long)at, (long long)begin);
		pos = begin + e->fe_length;
	}
	if (!ret && a->own && i < EXTENTS && any_data(a, pos, end, &at))
		complain(w->id, "fiemap: data at %#llx, after the last extent",
			 (long long)at);
	free(map);
	return ret;
}

RUN(run_fsync)
{
	(void)b;
	return DO(fsync(fd_of(w, a)));
}

RUN(run_fdatasync)
{
	(void)b;
	return DO(fdatasync(fd_of(w, a)));
}

RUN(run_sync_range)
{
	(void)b;
	return DO(sync_file_range(fd_of(w, a), a->at, a->len,
				  SYNC_FILE_RANGE_WRITE |
				  SYNC_FILE_RANGE_WAIT_AFTER));
}

RUN(run_syncfs)
{
	(void)b;
	return DO(syncfs(fd_of(w, a)));
}

RUN(run_sync)
{
	(void)w;
	(void)a;
	(void)b;
	sync();
	return 0;
}

RUN(run_fadvise)
{
	static const int advice[] = {
		POSIX_FADV_DONTNEED, POSIX_FADV_WILLNEED, POSIX_FADV_RANDOM,
		POSIX_FADV_SEQUENTIAL, POSIX_FADV_NOREUSE, POSIX_FADV_NORMAL,
	};

	(void)b;
	return -posix_fadvise(fd_of(w, a), a->at, a->len,
			      advice[below(&w->rng, ARRAY_SIZE(advice))]);
}

RUN(run_readahead)
{
	(void)b;
	return DO(readahead(fd_of(w, a), a->at, a->len));
}

RUN(run_statx)
{
	struct statx stx;
	struct daxstack_state state;
	long ret = DO(statx(fd_of(w, a), "", AT_EMPTY_PATH,
			    STATX_BASIC_STATS, &stx));

	(void)b;
	if (!ret && !opt.native) {
		ret = DO(ioctl(fd_of(w, a), DAXSTACK_IOC_STATE, &state));
		if (!ret && (state.mode > DAXSTACK_DAX ||
			     state.reason >= DAXSTACK_REASON_COUNT))
			complain(w->id, "state: mode %u, reason %u", state.mode,
				 state.reason);
	}
	if (!ret && (off_t)stx.stx_size != a->file->size)
		complain(w->id, "statx: size %lld, expected %lld",
			 (long long)stx.stx_size, (long long)a->file->size);
	return ret;
}

/* Errors that the kernel may return while another task switches the file. */
static long not_now(long err)
{
	return err == -EBUSY || err == -EINTR || err == -EINVAL ? 0 : err;
}

/* Attributes other than data, all in the same inode. */
RUN(run_attributes)
{
	int fd = fd_of(w, a), flags;
	uint32_t value = rnd(&w->rng), seen;
	char name[32];
	long ret;

	(void)b;
	switch (below(&w->rng, 4)) {
	case 0:
		return DO(fchmod(fd, value & 1 ? 0600 : 0644));
	case 1:
		return DO(futimens(fd, NULL));
	case 2:
		/* The DAX bit may have changed: that is a switch. */
		hold_mode(a->file);
		ret = DO(ioctl(fd, FS_IOC_GETFLAGS, &flags));
		flags ^= FS_NODUMP_FL;
		if (!ret)
			ret = -(long)ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags));
		leave_mode(a->file);
		return not_now(ret);
	default:
		snprintf(name, sizeof(name), "user.w%u", w->id);
		ret = DO(fsetxattr(fd, name, &value, sizeof(value), 0));
		if (ret)
			return ret;
		if (DO(fgetxattr(fd, name, &seen, sizeof(seen))) != 4 ||
		    seen != value)
			complain(w->id, "attribute %s of file %d: expected %#x, seen %#x",
				 name, file_index(a->file), value, seen);
		return 0;
	}
}
