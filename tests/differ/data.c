// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps: reading, writing, space.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "differ.h"

/* RWF_DONTCACHE, not in older headers. */
#define DONTCACHE	0x80

#define P(step)	path_of((step)->path[0])

/* The maximum file size of ext4, and a bit less. */
#define FAR	(0xffffffff000 - IO_MAX)

/* Aligned for O_DIRECT. */
static char *buffer(void)
{
	static char *buf;

	if (!buf)
		buf = dxs_alloc(IO_MAX);
	return buf;
}

static int slot(struct side *side, const struct step *step, int which)
{
	return side->slots[step->slot[which]];
}

/*
 * With switches, a file may be in dax mode on one side only, where direct I/O
 * need not be aligned. Return: whether to leave the call out.
 */
static bool unaligned(int fd, off_t pos, size_t len, struct text *out)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (!switching || flags < 0)
		return false;
	if (pos >= FAR && !dxs_on_xfs()) {
		known(KNOWN_FAR);
		say(out, " left out");
		return true;
	}
	if (!(flags & O_DIRECT))
		return false;
	if (flags & O_APPEND && !fstat(fd, &st))
		pos = st.st_size;
	if (!((pos | len) % PAGE))
		return false;
	known(KNOWN_DIRECT);
	say(out, " left out");
	return true;
}

/* Two files at once: any direct I/O is left out. */
static bool direct(int fd, off_t pos, struct text *out)
{
	return unaligned(fd, pos | 1, 1, out);
}

/* With switches, the mode determines whether RWF_DONTCACHE is refused. */
static bool uncached(int64_t flags, struct text *out)
{
	if (!switching || !(flags & DONTCACHE))
		return false;
	known(KNOWN_DONTCACHE);
	say(out, " left out");
	return true;
}

/* --- Arguments. */

static int64_t make_offset(struct rng *rng)
{
	static const int64_t odd[] = { -1, 1L << 31, (1L << 32) + 5, 1L << 40,
		0xffffffff000, 0x7fffffffffffffff, 0x7fffffffffffe000 };

	if (once_in(rng, 40))
		return PICK(rng, odd);
	if (once_in(rng, 2))
		return below(rng, 24) * PAGE;
	if (once_in(rng, 2))
		return below(rng, 5000);
	return below(rng, 100000);
}

static int64_t make_len(struct rng *rng)
{
	if (once_in(rng, 16))
		return 0;
	if (once_in(rng, 2))
		return (1 + below(rng, 12)) * PAGE;
	if (once_in(rng, 2))
		return 1 + below(rng, 64);
	return 1 + below(rng, 60000);
}

static void make_io(struct rng *rng, struct step *step)
{
	step->n[0] = make_offset(rng);
	step->n[1] = make_len(rng);
	step->n[2] = rnd(rng);
}

/* --- Reading and writing. */

static void said_read(struct text *out, ssize_t len)
{
	say_ret(out, len);
	if (len > 0)
		say_bytes(out, buffer(), len);
}

static off_t here(int fd)
{
	off_t pos = lseek(fd, 0, SEEK_CUR);

	return pos < 0 ? 0 : pos;
}

static void run_read(struct side *side, const struct step *step,
		     struct text *out)
{
	int fd = slot(side, step, 0);

	if (!unaligned(fd, here(fd), step->n[1], out))
		said_read(out, read(fd, buffer(), step->n[1]));
}

static void run_write(struct side *side, const struct step *step,
		      struct text *out)
{
	int fd = slot(side, step, 0);

	dxs_fill(buffer(), step->n[1], step->n[2], 0);
	if (!unaligned(fd, here(fd), step->n[1], out))
		say_ret(out, write(fd, buffer(), step->n[1]));
}

static void run_pread(struct side *side, const struct step *step,
		      struct text *out)
{
	int fd = slot(side, step, 0);

	if (!unaligned(fd, step->n[0], step->n[1], out))
		said_read(out, pread(fd, buffer(), step->n[1], step->n[0]));
}

static void run_pwrite(struct side *side, const struct step *step,
		       struct text *out)
{
	int fd = slot(side, step, 0);

	dxs_fill(buffer(), step->n[1], step->n[2], 0);
	if (!unaligned(fd, step->n[0], step->n[1], out))
		say_ret(out, pwrite(fd, buffer(), step->n[1], step->n[0]));
}

static void make_vector(struct rng *rng, struct step *step)
{
	static const int flags[] = { 0, RWF_DSYNC, RWF_SYNC, RWF_APPEND,
		RWF_HIPRI, DONTCACHE, 0x40000000, RWF_SYNC | RWF_APPEND };

	make_io(rng, step);
	step->n[3] = PICK(rng, flags);
	if (once_in(rng, 4))
		step->n[0] = -1;
}

/* In three parts. */
static void vector(struct iovec iov[3], size_t len)
{
	size_t part = len / 3;

	iov[0] = (struct iovec){ buffer(), part };
	iov[1] = (struct iovec){ buffer() + part, part };
	iov[2] = (struct iovec){ buffer() + 2 * part, len - 2 * part };
}

static void run_preadv2(struct side *side, const struct step *step,
			struct text *out)
{
	int fd = slot(side, step, 0);
	struct iovec iov[3];

	vector(iov, step->n[1]);
	if (!direct(fd, step->n[0], out) && !uncached(step->n[3], out))
		said_read(out, preadv2(fd, iov, 3, step->n[0], step->n[3]));
}

static void run_pwritev2(struct side *side, const struct step *step,
			 struct text *out)
{
	int fd = slot(side, step, 0);
	struct iovec iov[3];

	dxs_fill(buffer(), step->n[1], step->n[2], 0);
	vector(iov, step->n[1]);
	if (!direct(fd, step->n[0], out) && !uncached(step->n[3], out))
		say_ret(out, pwritev2(fd, iov, 3, step->n[0], step->n[3]));
}

/* --- The position. */

static void make_seek(struct rng *rng, struct step *step)
{
	static const int whences[] = { SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END,
		7 };

	step->n[0] = make_offset(rng);
	if (once_in(rng, 4))
		step->n[0] = -step->n[0];
	step->n[1] = PICK(rng, whences);
}

static void run_seek(struct side *side, const struct step *step,
		     struct text *out)
{
	say_ret(out, lseek(slot(side, step, 0), step->n[0], step->n[1]));
}

static void make_seek_data(struct rng *rng, struct step *step)
{
	step->n[0] = make_offset(rng);
	step->n[1] = once_in(rng, 2) ? SEEK_DATA : SEEK_HOLE;
}

static bool all_zero(int fd, off_t from, off_t to)
{
	char *buf = buffer();

	while (from < to) {
		size_t len = to - from < IO_MAX ? to - from : IO_MAX;
		ssize_t n = pread(fd, buf, len, from);

		if (n <= 0)
			return n == 0;
		if (*buf || memcmp(buf, buf + 1, n - 1))
			return false;
		from += n;
	}
	return true;
}

/*
 * Does not read the file, which would change the atime: only one side may have
 * a hole to check.
 */
static bool is_hole(int fd, off_t from, off_t to)
{
	char path[40];
	bool zero;
	int other;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC);
	if (other < 0)
		return true;
	zero = all_zero(other, from, to);
	close(other);
	return zero;
}

/* With switches, it is enough that a reported hole is one. */
static void run_seek_data(struct side *side, const struct step *step,
			  struct text *out)
{
	int fd = slot(side, step, 0);
	off_t was, pos;
	struct stat st;

	if (!switching) {
		pos = lseek(fd, step->n[0], step->n[1]);
		say_ret(out, pos);
		return;
	}
	known(KNOWN_SEEK);
	was = lseek(fd, 0, SEEK_CUR);
	pos = lseek(fd, step->n[0], step->n[1]);
	if (pos < 0 && errno != ENXIO)
		say_ret(out, pos);
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    step->n[1] == SEEK_DATA && pos > step->n[0] &&
	    pos - step->n[0] < MIB && !is_hole(fd, step->n[0], pos))
		say(out, " not a hole: %lld to %lld", (long long)step->n[0],
		    (long long)pos);
	lseek(fd, was, SEEK_SET);
}

/* --- Space. */

static void run_truncate(struct side *side, const struct step *step,
			 struct text *out)
{
	(void)side;
	say_ret(out, truncate(P(step), step->n[0]));
}

static void run_ftruncate(struct side *side, const struct step *step,
			  struct text *out)
{
	say_ret(out, ftruncate(slot(side, step, 0), step->n[0]));
}

static void make_fallocate(struct rng *rng, struct step *step)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0x80 };

	make_io(rng, step);
	step->n[2] = PICK(rng, modes);
}

static void run_fallocate(struct side *side, const struct step *step,
			  struct text *out)
{
	say_ret(out, fallocate(slot(side, step, 0), step->n[2], step->n[0],
			       step->n[1]));
}

static void run_fsync(struct side *side, const struct step *step,
		      struct text *out)
{
	say_ret(out, fsync(slot(side, step, 0)));
}

static void run_fdatasync(struct side *side, const struct step *step,
			  struct text *out)
{
	say_ret(out, fdatasync(slot(side, step, 0)));
}

static void run_syncfs(struct side *side, const struct step *step,
		       struct text *out)
{
	say_ret(out, syncfs(slot(side, step, 0)));
}

static void make_sync_range(struct rng *rng, struct step *step)
{
	make_io(rng, step);
	step->n[2] = below(rng, 9);
}

static void run_sync_range(struct side *side, const struct step *step,
			   struct text *out)
{
	say_ret(out, sync_file_range(slot(side, step, 0), step->n[0],
				     step->n[1], step->n[2]));
}

static void run_fadvise(struct side *side, const struct step *step,
			struct text *out)
{
	int err = posix_fadvise(slot(side, step, 0), step->n[0], step->n[1],
				step->n[2]);

	say(out, " = %s", err ? strerrorname_np(err) : "0");
}

static void run_readahead(struct side *side, const struct step *step,
			  struct text *out)
{
	say_ret(out, readahead(slot(side, step, 0), step->n[0], step->n[1]));
}

/* --- From one file to another. */

static void make_copy(struct rng *rng, struct step *step)
{
	step->n[0] = make_offset(rng);
	step->n[1] = make_len(rng);
	step->n[2] = make_offset(rng);
	step->n[3] = once_in(rng, 16);
	step->n[4] = below(rng, 4);
}

static void run_copy(struct side *side, const struct step *step,
		     struct text *out)
{
	int from = slot(side, step, 0), to = slot(side, step, 1);
	off_t in = step->n[0], at = step->n[2];

	if (direct(from, in, out) || direct(to, at, out))
		return;
	say_ret(out, copy_file_range(from, step->n[4] & 1 ? NULL : &in, to,
				     step->n[4] & 2 ? NULL : &at, step->n[1],
				     step->n[3]));
	say(out, " %lld %lld", (long long)in, (long long)at);
}

/*
 * In cached mode sendfile passes on the pages themselves, which a later write
 * changes.
 */
static bool within_one(int from, int to)
{
	struct stat a, b;

	return switching && !fstat(from, &a) && !fstat(to, &b) &&
		a.st_ino == b.st_ino && known(KNOWN_OVERLAP);
}

static void run_sendfile(struct side *side, const struct step *step,
			 struct text *out)
{
	int from = slot(side, step, 0), to = slot(side, step, 1);
	off_t in = step->n[0];

	if (direct(from, in, out) || direct(to, 0, out) ||
	    within_one(from, to))
		return;
	say_ret(out, sendfile(to, from, step->n[4] & 1 ? NULL : &in,
			      step->n[1]));
	say(out, " %lld", (long long)in);
}

/* As much as fits into a pipe, however it is aligned. */
#define PIPE_MAX	(15 * PAGE)

static void make_splice(struct rng *rng, struct step *step)
{
	make_io(rng, step);
	if (step->n[1] > PIPE_MAX)
		step->n[1] = PIPE_MAX;
	step->n[4] = below(rng, 2);
}

static void run_splice_from(struct side *side, const struct step *step,
			    struct text *out)
{
	int from = slot(side, step, 0), ends[2];
	off_t in = step->n[0];
	ssize_t len;

	if (direct(from, in, out))
		return;
	MUST(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	len = splice(from, step->n[4] ? NULL : &in, ends[1], NULL, step->n[1],
		     SPLICE_F_NONBLOCK);
	say_ret(out, len);
	if (len > 0)
		said_read(out, read(ends[0], buffer(), len));
	say(out, " %lld", (long long)in);
	close(ends[0]);
	close(ends[1]);
}

static void run_splice_to(struct side *side, const struct step *step,
			  struct text *out)
{
	int to = slot(side, step, 0), ends[2];
	off_t at = step->n[0];

	if (direct(to, at, out))
		return;
	MUST(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	dxs_fill(buffer(), step->n[1], step->n[2], 0);
	if (write(ends[1], buffer(), step->n[1]) != step->n[1])
		dxs_bail("a pipe takes less than expected");
	say_ret(out, splice(ends[0], NULL, to, step->n[4] ? NULL : &at,
			    step->n[1], SPLICE_F_NONBLOCK));
	say(out, " %lld", (long long)at);
	close(ends[0]);
	close(ends[1]);
}

const struct kind data_kinds[] = {
	{ "read", "read({s}, {1})", 8, false, make_io, run_read },
	{ "write", "write({s}, {1}, seed {2})", 14, false, make_io, run_write },
	{ "pread", "pread({s}, {1}, at {0})", 10, false, make_io, run_pread },
	{ "pwrite", "pwrite({s}, {1}, at {0}, seed {2})", 26, false, make_io,
	  run_pwrite },
	{ "preadv2", "preadv2({s}, {1}, at {0}, flags {3x})", 8, false,
	  make_vector, run_preadv2 },
	{ "pwritev2", "pwritev2({s}, {1}, at {0}, flags {3x}, seed {2})", 12,
	  false, make_vector, run_pwritev2 },
	{ "lseek", "lseek({s}, {0}, {1})", 6, false, make_seek, run_seek },
	{ "SEEK_DATA, SEEK_HOLE", "lseek({s}, {0}, {1})", 10, false,
	  make_seek_data, run_seek_data },
	{ "truncate", "truncate({p}, {0})", 10, false, make_io, run_truncate },
	{ "ftruncate", "ftruncate({s}, {0})", 10, false, make_io,
	  run_ftruncate },
	{ "fallocate", "fallocate({s}, {2x}, {0}, {1})", 18, false,
	  make_fallocate, run_fallocate },
	{ "fsync", "fsync({s})", 4, false, NULL, run_fsync },
	{ "fdatasync", "fdatasync({s})", 4, false, NULL, run_fdatasync },
	{ "syncfs", "syncfs({s})", 1, false, NULL, run_syncfs },
	{ "sync_file_range", "sync_file_range({s}, {0}, {1}, {2x})", 3, false,
	  make_sync_range, run_sync_range },
	{ "posix_fadvise", "posix_fadvise({s}, {0}, {1}, {2})", 3, false,
	  make_sync_range, run_fadvise },
	{ "readahead", "readahead({s}, {0}, {1})", 3, false, make_io,
	  run_readahead },
	{ "copy_file_range", "copy_file_range({s} at {0}, {t} at {2}, {1}, {3}), positions {4}",
	  12, false, make_copy, run_copy },
	{ "sendfile", "sendfile({t}, {s} at {0}, {1}), positions {4}", 8, false,
	  make_copy, run_sendfile },
	{ "splice from a file", "splice({s} at {0}, a pipe, {1}), positions {4}",
	  6, false, make_splice, run_splice_from },
	{ "splice into a file", "splice(a pipe, {s} at {0}, {1}), positions {4}, seed {2}",
	  6, false, make_splice, run_splice_to },
	{ .name = NULL }
};
