// SPDX-License-Identifier: GPL-2.0-only
/*
 * torture: operations on two ranges, of the same file or of two (H1).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/uio.h>

#include "torture.h"

/*
 * A range of each target, of equal length, not overlapping. Direct I/O into a
 * mapping keeps the pages pinned meanwhile.
 */
struct parts {
	off_t from, to;
	size_t len;
};

static bool pick_parts(struct worker *w, const struct target *a,
		       const struct target *b, bool aligned,
		       struct parts *parts)
{
	size_t len, room;
	off_t end;

	if (aligned ? !pick_pages(w, a, &parts->from, &len) :
		      !pick(w, a, false, &parts->from, &len))
		return false;
	end = a->at + a->len;
	if (parts->from + (off_t)len > end)
		len = end - parts->from;
	if (len > b->len)
		len = b->len;
	if (aligned)
		len &= -PAGE;
	if (!len)
		return false;
	room = b->len - len;
	parts->to = b->at + below(&w->rng, room + 1);
	if (aligned) {
		parts->to = (parts->to + PAGE - 1) & -PAGE;
		if (parts->to + (off_t)len > b->at + (off_t)b->len)
			return false;
	}
	parts->len = len;
	/* Not even in the same pages. */
	return a->file != b->file ||
		parts->from + (off_t)len + PAGE <= parts->to ||
		parts->to + (off_t)len + PAGE <= parts->from;
}

/* Plans to copy the bytes of @a to @b. */
static void plan_copy(struct worker *w, struct target *a, struct target *b,
		      const struct parts *parts)
{
	memcpy(plan_begin(w, b, parts->to, parts->len),
	       a->file->image + parts->from, parts->len);
	plan_ready(w);
}

static long copied(struct worker *w, struct target *b,
		   const struct parts *parts, long ret)
{
	plan_done(w, ret > 0 ? ret : 0);
	if (b->own)
		b->len = b->file->size;
	if (ret > 0)
		read_back(w, b, parts->to, ret);
	return ret;
}

/* One of the ways of I/O between a descriptor and a buffer. */
static long any_io(struct worker *w, struct target *t, bool direct, bool write,
		   void *buf, size_t len, off_t pos)
{
	int fd = direct ? direct_of(w, t) : fd_of(w, t);
	struct iovec iov = { buf, len };
	size_t sum = 0;
	long ret = 0;

	switch (below(&w->rng, 6)) {
	case 0:
		return aio_rw(w, fd, write, buf, len, pos);
	case 1:
		ret = uring_rw(w, fd, write, buf, len, pos);
		if (ret != SKIP)
			return ret;
		break;
	case 2:
		if (write)
			return DO(pwritev2(fd, &iov, 1, pos, RWF_DSYNC));
		break;
	}
	while (sum < len) {
		if (write)
			ret = DO(pwrite(fd, (uint8_t *)buf + sum, len - sum,
					pos + sum));
		else
			ret = DO(pread(fd, (uint8_t *)buf + sum, len - sum,
				       pos + sum));
		if (ret <= 0)
			break;
		sum += ret;
	}
	return ret < 0 ? ret : (long)sum;
}

/* From a file into a mapping. */
RUN(run_read_into_map)
{
	bool direct = a->direct && once_in(&w->rng, 2);
	uint8_t *map = map_of(w, b);
	struct parts parts;
	struct record *rec;
	long ret;

	if (!map)
		return -ENOMEM;
	if (!pick_parts(w, a, b, direct, &parts))
		return SKIP;
	/*
	 * ext4 complains if reclaim takes the buffers of a page while direct
	 * I/O stores to it; so keep reclaim away from the page.
	 */
	if (direct && !dxs_on_xfs())
		mlock(map + (parts.to & -PAGE), parts.len);
	plan_copy(w, a, b, &parts);
	rec = record_begin(w, a, parts.from, parts.len, parts.to);
	ret = any_io(w, a, direct, false, map + parts.to, parts.len,
		     parts.from);
	record_end(w, rec, ret);
	if (direct && !dxs_on_xfs())
		munlock(map + (parts.to & -PAGE), parts.len);
	return copied(w, b, &parts, ret);
}

/* From a mapping into a file. */
RUN(run_write_from_map)
{
	bool direct = b->direct && once_in(&w->rng, 2);
	uint8_t *map = map_of(w, a);
	struct parts parts;
	struct record *rec;
	long ret;

	if (!map)
		return -ENOMEM;
	if (!pick_parts(w, a, b, direct, &parts))
		return SKIP;
	plan_copy(w, a, b, &parts);
	rec = record_begin(w, b, parts.to, parts.len, parts.from);
	ret = any_io(w, b, direct, true, map + parts.from, parts.len,
		     parts.to);
	record_end(w, rec, ret);
	return copied(w, b, &parts, ret);
}

RUN(run_copy_range)
{
	loff_t from, to;
	struct parts parts;
	long ret;

	if (!pick_parts(w, a, b, once_in(&w->rng, 3), &parts))
		return SKIP;
	plan_copy(w, a, b, &parts);
	from = parts.from;
	to = parts.to;
	ret = DO(copy_file_range(fd_of(w, a), &from, fd_of(w, b), &to,
				 parts.len, 0));
	return copied(w, b, &parts, ret);
}

/* The pages of one file go through a pipe to the other. */
RUN(run_splice_across)
{
	loff_t from, to;
	struct parts parts;
	int pipe[2];
	long ret, n;
	size_t sum = 0;

	if (!pick_parts(w, a, b, false, &parts))
		return SKIP;
	if (pipe2(pipe, O_CLOEXEC))
		return -errno;
	plan_copy(w, a, b, &parts);
	from = parts.from;
	to = parts.to;
	ret = DO(splice(fd_of(w, a), &from, pipe[1], NULL, parts.len, 0));
	if (once_in(&w->rng, 8))
		nap(&w->rng, 10000);
	while (ret > 0 && sum < (size_t)ret) {
		n = DO(splice(pipe[0], NULL, fd_of(w, b), &to, ret - sum, 0));
		if (n <= 0) {
			ret = n;
			break;
		}
		sum += n;
	}
	close(pipe[0]);
	close(pipe[1]);
	return copied(w, b, &parts, ret < 0 ? ret : (long)sum);
}

/* Writes to a file from a mapping of the same range. */
RUN(run_write_self)
{
	uint8_t *map = map_of(w, a);
	struct record *rec;
	off_t pos;
	size_t len;
	long ret;

	(void)b;
	if (!map)
		return -ENOMEM;
	if (!pick(w, a, false, &pos, &len))
		return SKIP;
	rec = record_begin(w, a, pos, len, 0);
	ret = any_io(w, a, false, true, map + pos, len, pos);
	record_end(w, rec, ret);
	if (ret > 0)
		read_back(w, a, pos, ret);
	return ret;
}

/* One call with buffers in both files and in neither. */
RUN(run_writev_maps)
{
	uint8_t *one = map_of(w, a), *two = map_of(w, b);
	struct iovec iov[3];
	struct parts parts;
	size_t part;
	uint8_t *plan;
	long ret;

	if (!one || !two)
		return -ENOMEM;
	if (!pick_parts(w, a, b, false, &parts) || parts.len < 3)
		return SKIP;
	part = parts.len / 3;
	memset(w->spare, 0x77, part);
	/* From @a, from private memory, and from the destination itself. */
	iov[0] = (struct iovec){ one + parts.from, part };
	iov[1] = (struct iovec){ w->spare, part };
	iov[2] = (struct iovec){ two + parts.to + 2 * part, part };
	plan = plan_begin(w, b, parts.to, 3 * part);
	memcpy(plan, a->file->image + parts.from, part);
	memset(plan + part, 0x77, part);
	memcpy(plan + 2 * part, b->file->image + parts.to + 2 * part, part);
	plan_ready(w);
	ret = DO(pwritev2(fd_of(w, b), iov, 3, parts.to, 0));
	return copied(w, b, &parts, ret);
}
