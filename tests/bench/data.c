// SPDX-License-Identifier: GPL-2.0-only
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

static bool read_some(struct bench *b, size_t len)
{
	return pread(b->fd, b->buf, len, 0) == (ssize_t)len;
}

static bool write_some(struct bench *b, size_t len)
{
	return pwrite(b->fd, b->buf, len, 0) == (ssize_t)len;
}

static bool pread_1(struct bench *b, int i)
{
	(void)i;
	return read_some(b, 1);
}

static bool pread_4k(struct bench *b, int i)
{
	(void)i;
	return read_some(b, 4 * KIB);
}

static bool pread_64k(struct bench *b, int i)
{
	(void)i;
	return read_some(b, 64 * KIB);
}

static bool pread_1m(struct bench *b, int i)
{
	(void)i;
	return read_some(b, MIB);
}

static bool pwrite_1(struct bench *b, int i)
{
	(void)i;
	return write_some(b, 1);
}

static bool pwrite_4k(struct bench *b, int i)
{
	(void)i;
	return write_some(b, 4 * KIB);
}

static bool pwrite_64k(struct bench *b, int i)
{
	(void)i;
	return write_some(b, 64 * KIB);
}

static bool pwrite_1m(struct bench *b, int i)
{
	(void)i;
	return write_some(b, MIB);
}

static void dirty_page(struct bench *b, int i)
{
	(void)i;
	MUST(pwrite(b->fd, b->buf, PAGE, 0));
}

static bool fsync_page(struct bench *b, int i)
{
	(void)i;
	return !fsync(b->fd);
}

#define ON_FILE		.begin = begin_file, .end = bench_close
#define ON_DIRECT	.counted = true, .begin = begin_direct, .end = bench_close

const struct bench_call bench_data[] = {
	{ "pread 1 B", 70, 4000, .counted = true, .call = pread_1, ON_FILE },
	{ "pread 4 KiB", 70, 2000, .counted = true, .call = pread_4k, ON_FILE },
	{ "pread 64 KiB", 70, 400, .call = pread_64k, ON_FILE },
	{ "pread 1 MiB", 70, 40, .call = pread_1m, ON_FILE },
	{ "pread 4 KiB O_DIRECT", 70, 2000, .call = pread_4k, ON_DIRECT },
	{ "pwrite 1 B", 110, 4000, .counted = true, .call = pwrite_1, ON_FILE },
	{ "pwrite 4 KiB", 110, 2000, .counted = true, .call = pwrite_4k, ON_FILE },
	{ "pwrite 64 KiB", 110, 400, .call = pwrite_64k, ON_FILE },
	{ "pwrite 1 MiB", 110, 40, .call = pwrite_1m, ON_FILE },
	{ "pwrite 4 KiB O_DIRECT", 110, 2000, .call = pwrite_4k, ON_DIRECT },
	{ "fsync of a page", 0, 800, .counted = true,
	  .prepare = dirty_page, .call = fsync_page, ON_FILE },
	{}
};
