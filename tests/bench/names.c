// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that take names.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "bench.h"

static uint64_t count_stat(const char *path)
{
	struct stat st;
	int err;
	uint64_t count = COUNT(err = stat(path, &st));

	MUST(err);
	return count;
}

static uint64_t stat_name(struct bench *b, int run)
{
	(void)b;
	(void)run;
	return count_stat("name");
}

static uint64_t stat_deep(struct bench *b, int run)
{
	(void)b;
	(void)run;
	return count_stat("1/2/3/4/5/6/7/8/name");
}

static uint64_t open_close(struct bench *b, int run)
{
	uint64_t count;
	int fd, err;

	(void)b;
	(void)run;
	count = COUNT({
		fd = open("name", O_RDWR);
		err = close(fd);
	});
	MUST(err);
	return count;
}

static uint64_t create_unlink(struct bench *b, int run)
{
	uint64_t count;
	int fd, err;

	(void)b;
	(void)run;
	count = COUNT({
		fd = open("new", O_RDWR | O_CREAT | O_EXCL, 0644);
		close(fd);
		err = unlink("new");
	});
	MUST(fd);
	MUST(err);
	return count;
}

/* The first byte of a file costs it the gates. */
static uint64_t create_write_unlink(struct bench *b, int run)
{
	uint64_t count;
	int fd, err;

	(void)run;
	count = COUNT({
		fd = open("new", O_RDWR | O_CREAT | O_EXCL, 0644);
		err = write(fd, b->buf, 4 * KIB);
		close(fd);
		unlink("new");
	});
	MUST(fd);
	MUST(err);
	return count;
}

static uint64_t mkdir_rmdir(struct bench *b, int run)
{
	uint64_t count;
	int err;

	(void)b;
	(void)run;
	count = COUNT({
		mkdir("new", 0755);
		err = rmdir("new");
	});
	MUST(err);
	return count;
}

static uint64_t rename_name(struct bench *b, int run)
{
	uint64_t count;
	int err;

	(void)b;
	(void)run;
	count = COUNT(err = rename("name", "other"));
	MUST(err);
	MUST(rename("other", "name"));
	return count;
}

static bool begin_many(struct bench *b)
{
	bench_open(b, "many", O_RDONLY | O_DIRECTORY);
	return true;
}

static uint64_t readdir_many(struct bench *b, int run)
{
	uint64_t count;
	long got;

	(void)run;
	MUST(lseek(b->fd, 0, SEEK_SET));
	count = COUNT({
		do
			got = syscall(SYS_getdents64, b->fd, b->buf, 64 * KIB);
		while (got > 0);
	});
	MUST(got);
	return count;
}

static uint64_t getxattr_name(struct bench *b, int run)
{
	uint64_t count;
	ssize_t len;

	(void)run;
	count = COUNT(len = getxattr("name", "user.bench", b->buf, 100));
	MUST(len);
	return count;
}

const struct bench_call bench_names[] = {
	{ "stat", 400, NULL, stat_name, NULL },
	{ "stat 8 deep", 0, NULL, stat_deep, NULL },
	{ "open+close", 2500, NULL, open_close, NULL },
	{ "create+unlink", 10000, NULL, create_unlink, NULL },
	{ "create+write 4 KiB+unlink", 0, NULL, create_write_unlink, NULL },
	{ "mkdir+rmdir", 10000, NULL, mkdir_rmdir, NULL },
	{ "rename", 5000, NULL, rename_name, NULL },
	{ "readdir of 1,000", 0, begin_many, readdir_many, bench_close },
	{ "getxattr", 0, NULL, getxattr_name, NULL },
	{}
};
