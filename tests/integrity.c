// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data survives a switch in both directions, however it was written: write,
 * O_DIRECT, O_SYNC, O_APPEND, shared mapping, splice, sendfile,
 * copy_file_range; into unwritten extents, between holes, beyond EOF (where XFS
 * preallocates blocks, H11), through huge pages.
 *
 * Each file is written in one mode, switched, written again in the other mode,
 * and switched back. After each step its contents are compared by read, through
 * a mapping and by O_DIRECT; then again after a new mount, and on the lower
 * filesystem alone, which must also have the last mode.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dxs_test.h"

#define ROOM	(5 * MIB)

struct file {
	char path[64];
	int fd;
	uint8_t *image;		/* ROOM bytes: expected contents */
	off_t size;
	int mode;		/* the last mode */
};

/* Generates new expected contents for a range. */
static uint8_t *renew(struct file *f, off_t pos, size_t len, uint32_t seed)
{
	if (pos + (off_t)len > ROOM)
		dxs_bail("no room for %zu at %lld", len, (long long)pos);
	dxs_fill(f->image + pos, len, seed, pos);
	if (f->size < pos + (off_t)len)
		f->size = pos + len;
	return f->image + pos;
}

static void write_at(struct file *f, int fd, off_t pos, size_t len,
		     uint32_t seed)
{
	dxs_pwrite(fd, renew(f, pos, len, seed), len, pos);
}

static int open_again(const struct file *f, int flags)
{
	return MUST(open(f->path, flags));
}

/* --- Ways to write. */

static void by_pwrite(struct file *f, uint32_t seed)
{
	write_at(f, f->fd, 0, 5000, seed);
	write_at(f, f->fd, 12345, 300001, seed);
}

static void by_direct(struct file *f, uint32_t seed)
{
	uint8_t *buf = dxs_alloc(256 * KIB);
	int fd = open_again(f, O_WRONLY | O_DIRECT);

	memcpy(buf, renew(f, 16 * PAGE, 256 * KIB, seed), 256 * KIB);
	dxs_pwrite(fd, buf, 256 * KIB, 16 * PAGE);
	close(fd);
	free(buf);
}

static void by_o_sync(struct file *f, uint32_t seed)
{
	int fd = open_again(f, O_WRONLY | O_SYNC);

	write_at(f, fd, 5001, 100001, seed);
	close(fd);
}

static void by_append(struct file *f, uint32_t seed)
{
	static const size_t lengths[] = { 1, 4095, 4097, 30000, 65537, 13 };
	int fd = open_again(f, O_WRONLY | O_APPEND);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		const void *buf = renew(f, f->size, lengths[i], seed);

		if (write(fd, buf, lengths[i]) != (ssize_t)lengths[i])
			dxs_bail("append: %m");
	}
	close(fd);
}

static void by_mapping(struct file *f, uint32_t seed)
{
	size_t len = 300 * KIB;
	uint8_t *map;

	MUST(ftruncate(f->fd, f->size < (off_t)len ? (off_t)len : f->size));
	map = MUST(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0));
	memcpy(map + 100, renew(f, 100, len - 100, seed), len - 100);
	munmap(map, len);
}

static void by_splice(struct file *f, uint32_t seed)
{
	loff_t pos = 7 * PAGE + 11;
	int i, ends[2];

	MUST(pipe(ends));
	for (i = 0; i < 20; i++) {
		size_t len = 10000;

		if (write(ends[1], renew(f, pos, len, seed), len) != (ssize_t)len)
			dxs_bail("pipe: %m");
		while (len)
			len -= MUST(splice(ends[0], NULL, f->fd, &pos, len, 0));
	}
	close(ends[0]);
	close(ends[1]);
}

/* A memfd with the contents of a range. */
static int source(const void *buf, size_t len, off_t pos)
{
	int fd = MUST(memfd_create("source", 0));

	dxs_pwrite(fd, buf, len, pos);
	return fd;
}

static void by_sendfile(struct file *f, uint32_t seed)
{
	off_t pos = 3 * PAGE + 1;
	size_t len = 200001;
	int in = source(renew(f, pos, len, seed), len, pos);
	int out = open_again(f, O_WRONLY);

	MUST(lseek(out, pos, SEEK_SET));
	while (len)
		len -= MUST(sendfile(out, in, &pos, len));
	close(in);
	close(out);
}

static void by_copy(struct file *f, uint32_t seed)
{
	loff_t from = 3 * PAGE, to = from;
	size_t len = 50 * PAGE + 77;
	int in = MUST(open("stack/source", O_RDWR | O_CREAT | O_TRUNC, 0644));

	dxs_pwrite(in, renew(f, from, len, seed), len, from);
	while (len)
		len -= MUST(copy_file_range(in, &from, f->fd, &to, len, 0));
	close(in);
	MUST(unlink("stack/source"));
}

static void by_unwritten(struct file *f, uint32_t seed)
{
	int i;

	MUST(fallocate(f->fd, 0, 0, 1 * MIB));
	if (f->size < 1 * MIB)
		f->size = 1 * MIB;
	for (i = 0; i < 8; i++)
		write_at(f, f->fd, i * 128 * KIB + 1000 * i, 20000, seed);
}

static void by_holes(struct file *f, uint32_t seed)
{
	int i;

	for (i = 0; i < 6; i++)
		write_at(f, f->fd, i * 200 * KIB + 123, 5000, seed);
	MUST(fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       2000, 1000));
	memset(f->image + 2000, 0, 1000);
	MUST(ftruncate(f->fd, f->size + 100001));
	f->size += 100001;
}

/* Each time beyond the preallocated blocks. */
static void by_beyond(struct file *f, uint32_t seed)
{
	int i;

	for (i = 0; i < 40; i++)
		write_at(f, f->fd, f->size, 1013 * (i + 1) % 9973 + 1, seed);
	write_at(f, f->fd, f->size + 3 * PAGE, 777, seed);
	write_at(f, f->fd, f->size + 40000, 70001, seed);
}

static void by_huge_pages(struct file *f, uint32_t seed)
{
	uint8_t *area, *map;

	MUST(fallocate(f->fd, 0, 0, 4 * MIB));
	f->size = 4 * MIB;
	area = MUST(mmap(NULL, 6 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0));
	map = (void *)(((uintptr_t)area + 2 * MIB - 1) & -(2 * MIB));
	MUST(mmap(map, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		  f->fd, 0));
	memcpy(map, renew(f, 0, 4 * MIB, seed), 4 * MIB);
	munmap(area, 6 * MIB);
}

/* A mapping that exists across the switches; of one file at a time. */
static struct {
	int fd;
	uint8_t *map;
} standing = { .fd = -1 };

static void end_standing(void)
{
	if (standing.map)
		munmap(standing.map, 4 * MIB);
	standing.map = NULL;
}

static void by_standing_mapping(struct file *f, uint32_t seed)
{
	if (standing.fd != f->fd) {
		end_standing();
		standing.fd = f->fd;
		MUST(ftruncate(f->fd, 4 * MIB));
		f->size = 4 * MIB;
		standing.map = MUST(mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE,
					 MAP_SHARED, f->fd, 0));
	}
	memcpy(standing.map + 1 * MIB, renew(f, 1 * MIB, 2 * MIB, seed), 2 * MIB);
}

static const struct way {
	const char *name;
	void (*write)(struct file *f, uint32_t seed);
} ways[] = {
	{ "pwrite", by_pwrite },
	{ "O_DIRECT", by_direct },
	{ "O_SYNC", by_o_sync },
	{ "O_APPEND", by_append },
	{ "mmap", by_mapping },
	{ "splice", by_splice },
	{ "sendfile", by_sendfile },
	{ "copy_file_range", by_copy },
	{ "unwritten", by_unwritten },
	{ "holes", by_holes },
	{ "beyond", by_beyond },
	{ "huge-pages", by_huge_pages },
	{ "standing-mapping", by_standing_mapping },
};

static struct file files[2 * ARRAY_SIZE(ways)];

/* --- Comparisons: silent if the contents are right. */

static bool same(const struct file *f, const char *when)
{
	size_t room = (f->size + PAGE - 1) & -PAGE;
	uint8_t *buf = dxs_alloc(room + 1), *map;
	char what[128];
	struct stat st;
	bool good = true;
	ssize_t n;
	int fd;

	MUST(fstat(f->fd, &st));
	if (st.st_size != f->size) {
		dxs_diag("%s: expected size %lld, seen %lld", when,
			 (long long)f->size, (long long)st.st_size);
		good = false;
	}

	snprintf(what, sizeof(what), "%s, by read", when);
	n = pread(f->fd, buf, room + 1, 0);
	good &= n == f->size && dxs_same(f->image, buf, n, 0, what);

	snprintf(what, sizeof(what), "%s, by mapping", when);
	map = MUST(mmap(NULL, room, PROT_READ, MAP_SHARED, f->fd, 0));
	good &= dxs_same(f->image, map, f->size, 0, what);
	for (n = f->size; n < (ssize_t)room; n++)
		if (map[n]) {
			dxs_diag("%s: %#04x beyond EOF", what, map[n]);
			good = false;
			break;
		}
	munmap(map, room);

	snprintf(what, sizeof(what), "%s, by O_DIRECT", when);
	memset(buf, 0, room);
	fd = open_again(f, O_RDONLY | O_DIRECT);
	n = pread(fd, buf, room, 0);
	if (n != f->size)
		dxs_diag("%s: expected %lld, seen %zd bytes", what,
			 (long long)f->size, n);
	good &= n == f->size && dxs_same(f->image, buf, n, 0, what);
	close(fd);
	free(buf);
	return good;
}

static bool round_trip(const struct way *way, struct file *f, int mode)
{
	uint32_t seed = 16 * (f - files);
	bool good;

	good = dxs_to(f->fd, mode, way->name);
	way->write(f, seed + 1);
	good &= same(f, "written");
	good &= dxs_to(f->fd, !mode, way->name);
	good &= same(f, "switched");
	way->write(f, seed + 2);
	good &= same(f, "written again");
	good &= dxs_to(f->fd, mode, way->name);
	good &= same(f, "switched back");
	way->write(f, seed + 3);
	good &= dxs_to(f->fd, !mode, way->name);
	good &= same(f, "switched once more");
	f->mode = !mode;
	return good;
}

static void test_ways(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		const struct way *way = &ways[i / 2];
		struct file *f = &files[i];
		int mode = i % 2;

		snprintf(f->path, sizeof(f->path), "stack/%s.%zu", way->name, i);
		f->image = dxs_alloc(ROOM);
		f->fd = MUST(open(f->path, O_RDWR | O_CREAT, 0644));
		dxs_ok(round_trip(way, f, mode), "%s, starting in mode %s",
		       way->name, dxs_mode_name(mode));
	}
}

/* The value of FS_XFLAG_DAX in a mode: 0 or 1. */
static int flag_of(unsigned int mode)
{
	return mode == DAXSTACK_DAX;
}

/* Opens, compares and closes all files. */
static void test_again(const char *dir)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		struct file *f = &files[i];
		bool good;

		snprintf(f->path, sizeof(f->path), "%s/%s.%zu", dir,
			 ways[i / 2].name, i);
		f->fd = MUST(open(f->path, O_RDWR));
		good = same(f, dir);
		if (dxs_mode(f->fd) != f->mode ||
		    dxs_xflag(f->fd) != flag_of(f->mode)) {
			dxs_diag("expected mode %s, seen %s, flag %d",
				 dxs_mode_name(f->mode),
				 dxs_mode_name(dxs_mode(f->fd)),
				 dxs_xflag(f->fd));
			good = false;
		}
		dxs_ok(good, "%s: contents and mode", f->path);
		close(f->fd);
	}
}

static void close_all(void)
{
	size_t i;

	end_standing();
	for (i = 0; i < ARRAY_SIZE(files); i++)
		close(files[i].fd);
}

/* Private copies keep their contents and never reach the file. */
static void test_private(void)
{
	uint8_t *buf = dxs_alloc(64 * PAGE), *copy = dxs_alloc(64 * PAGE), *map;
	int fd, i, mode;

	for (mode = 0; mode < 2; mode++) {
		fd = MUST(open("stack/private", O_RDWR | O_CREAT, 0644));
		dxs_to(fd, mode, "private");
		dxs_fill(buf, 64 * PAGE, mode, 0);
		dxs_pwrite(fd, buf, 64 * PAGE, 0);
		map = MUST(mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE, fd, 0));
		memcpy(copy, buf, 64 * PAGE);
		/* Some pages are copied, some only read, some not touched. */
		for (i = 0; i < 64; i += 3)
			memset(map + i * PAGE + 100, 0x55, 200);
		for (i = 0; i < 64; i += 3)
			memset(copy + i * PAGE + 100, 0x55, 200);
		for (i = 1; i < 64; i += 3)
			if (map[i * PAGE] != buf[i * PAGE])
				dxs_diag("private page %d is wrong", i);
		for (i = 0; i < 2; i++) {
			dxs_to(fd, !dxs_mode(fd), "private");
			dxs_ok(dxs_same(copy, map, 64 * PAGE, 0, "mapping"),
			       "private mapping, now %s: unchanged",
			       dxs_mode_name(dxs_mode(fd)));
			dxs_pread(fd, copy, 64 * PAGE, 0);
			dxs_ok(dxs_same(buf, copy, 64 * PAGE, 0, "file"),
			       "private mapping, now %s: not in the file",
			       dxs_mode_name(dxs_mode(fd)));
			memcpy(copy, map, 64 * PAGE);
		}
		munmap(map, 64 * PAGE);
		close(fd);
	}
	free(copy);
	free(buf);
}

/*
 * H11: with fragmented free space, writeback leaves preallocated delalloc space
 * beyond EOF without blocks. In dax mode zeroing a gap there would write to a
 * wild address.
 */
static void test_fragments(void)
{
	struct file f = { .path = "stack/fragments", .image = dxs_alloc(ROOM) };
	int filler, i;
	off_t len;
	bool good;

	dxs_mkfs(NULL);
	/* XFS's reserve would otherwise be free, in one extent. */
	if (dxs_on_xfs() &&
	    DXS_RUN("mkfs.xfs", "-q", "-f", "-m", "reflink=0,rmapbt=0,finobt=0",
		    dxs_pmem))
		dxs_bail("cannot create XFS without reserved space");
	dxs_mount_lower();
	if (dxs_on_xfs() && DXS_RUN("xfs_io", "-x", "-c", "resblks 0", "lower"))
		dxs_bail("cannot release reserved blocks");
	filler = MUST(open("lower/filler", O_RDWR | O_CREAT, 0644));
	for (len = 64 * MIB; len >= 16 * KIB; len /= 2)
		while (!fallocate(filler, 0, lseek(filler, 0, SEEK_END), len))
			;
	for (i = 0; i < 5000; i++)
		MUST(fallocate(filler, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, i * 32 * KIB, 16 * KIB));
	close(filler);
	dxs_umount_lower();
	dxs_mount_stack();

	f.fd = MUST(open(f.path, O_RDWR | O_CREAT, 0644));
	for (i = 0; i < 2; i++) {
		good = dxs_to(f.fd, DAXSTACK_CACHED, "fragments");
		while (f.size < (i + 1) * 3 * MIB / 2) {
			write_at(&f, f.fd, f.size, 8000, i);
			/*
			 * From the second time on, XFS does not trim at close.
			 */
			close(open_again(&f, O_RDONLY));
		}
		good &= dxs_to(f.fd, DAXSTACK_DAX, "fragments");
		write_at(&f, f.fd, f.size + 10 * PAGE + 1, 5000, i);
		MUST(ftruncate(f.fd, f.size + 20 * PAGE));
		f.size += 20 * PAGE;
		good &= same(&f, "beyond EOF");
		dxs_ok(good, "fragmented free space, time %d", i + 1);
	}
	close(f.fd);
	free(f.image);
	dxs_umount_stack();
	dxs_fsck();
}

/*
 * H11: in dax mode XFS allocates up to the next stripe boundary when a file
 * grows, and zeroes those blocks. Kernels after 6.12 warn if the file grows
 * over them in cached mode.
 */
static void test_written_beyond_end(void)
{
	struct file f = { .path = "stack/stripe", .image = dxs_alloc(ROOM) };
	bool good;
	int i;

	dxs_mkfs(NULL);
	if (dxs_on_xfs())
		MUST(-DXS_RUN("mkfs.xfs", "-q", "-f", "-d",
			      "su=1m,sw=1,agcount=4", dxs_pmem));
	dxs_mount_stack();
	f.fd = MUST(open(f.path, O_RDWR | O_CREAT, 0644));
	for (i = 0; i < 5; i++) {
		good = dxs_to(f.fd, DAXSTACK_DAX, "beyond EOF");
		write_at(&f, f.fd, f.size, MIB / 2 + 1, i);
		good &= dxs_to(f.fd, DAXSTACK_CACHED, "beyond EOF");
		MUST(ftruncate(f.fd, f.size + 20 * PAGE));
		f.size += 20 * PAGE;
		write_at(&f, f.fd, f.size + 3 * PAGE, 5000, i);
		good &= same(&f, "beyond EOF");
		dxs_ok(good, "a file grows in both modes, time %d", i + 1);
	}
	close(f.fd);
	free(f.image);
	dxs_umount_stack();
	dxs_fsck();
}

int main(void)
{
	dxs_begin();
	test_fragments();
	test_written_beyond_end();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	test_ways();
	test_private();
	close_all();
	dxs_umount_stack();

	dxs_mount_stack();
	test_again("stack");
	dxs_umount_stack();

	dxs_mount_lower();
	test_again("lower");
	dxs_umount_lower();
	dxs_fsck();
	return dxs_done();
}
