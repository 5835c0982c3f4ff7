// SPDX-License-Identifier: GPL-2.0
/*
 * Calls on open files.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static bool begin_file(struct bench *b)
{
	bench_open(b, "file", O_RDWR);
	return true;
}

static bool begin_direct(struct bench *b)
{
	bench_open(b, "file", O_RDWR | O_DIRECT);
	return true;
}

static uint64_t count_pread(struct bench *b, size_t len)
{
	ssize_t done;
	uint64_t count = COUNT(done = pread(b->fd, b->buf, len, 0));

	if (done != (ssize_t)len)
		dxs_bail("pread of %zu: %zd", len, done);
	return count;
}

static uint64_t count_pwrite(struct bench *b, size_t len)
{
	ssize_t done;
	uint64_t count = COUNT(done = pwrite(b->fd, b->buf, len, 0));

	if (done != (ssize_t)len)
		dxs_bail("pwrite of %zu: %zd", len, done);
	return count;
}

static uint64_t pread_1(struct bench *b, int run)
{
	(void)run;
	return count_pread(b, 1);
}

static uint64_t pread_4k(struct bench *b, int run)
{
	(void)run;
	return count_pread(b, 4 * KIB);
}

static uint64_t pread_64k(struct bench *b, int run)
{
	(void)run;
	return count_pread(b, 64 * KIB);
}

static uint64_t pwrite_1(struct bench *b, int run)
{
	(void)run;
	return count_pwrite(b, 1);
}

static uint64_t pwrite_4k(struct bench *b, int run)
{
	(void)run;
	return count_pwrite(b, 4 * KIB);
}

static uint64_t pwrite_64k(struct bench *b, int run)
{
	(void)run;
	return count_pwrite(b, 64 * KIB);
}

/* A time stamp is changed by few of them: the median is of those without. */
static uint64_t fsync_page(struct bench *b, int run)
{
	int err;
	uint64_t count;

	(void)run;
	MUST(pwrite(b->fd, b->buf, PAGE, 0));
	count = COUNT(err = fsync(b->fd));
	if (err)
		dxs_bail("fsync: %m");
	return count;
}

const struct bench_call bench_data[] = {
	{ "pread 1 B", 150, begin_file, pread_1, bench_close },
	{ "pread 4 KiB", 150, begin_file, pread_4k, bench_close },
	{ "pread 64 KiB", 150, begin_file, pread_64k, bench_close },
	{ "pread 4 KiB O_DIRECT", 150, begin_direct, pread_4k, bench_close },
	{ "pwrite 1 B", 150, begin_file, pwrite_1, bench_close },
	{ "pwrite 4 KiB", 150, begin_file, pwrite_4k, bench_close },
	{ "pwrite 64 KiB", 150, begin_file, pwrite_64k, bench_close },
	{ "pwrite 4 KiB O_DIRECT", 150, begin_direct, pwrite_4k, bench_close },
	{ "fsync of a page", 0, begin_file, fsync_page, bench_close },
	{}
};
