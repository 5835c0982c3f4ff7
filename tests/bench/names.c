// SPDX-License-Identifier: GPL-2.0-only
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

/* The path to the directory, by the number of components of a file in it. */
#define DIR_1	""
#define DIR_2	"1/"
#define DIR_4	DIR_2 "2/3/"
#define DIR_8	DIR_4 "4/5/6/7/"
#define DIR_16	DIR_8 "8/9/10/11/12/13/14/15/"

static bool do_stat(const char *path)
{
	struct stat st;

	return !stat(path, &st);
}

static bool do_open(const char *path)
{
	int fd = open(path, O_RDWR);

	return !close(fd);
}

static bool do_create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);

	return !close(fd) && !unlink(path);
}

/* Back and forth in turns. */
static bool do_rename(const char *path, const char *other, int i)
{
	return i & 1 ? !rename(other, path) : !rename(path, other);
}

#define DEPTH(n)							\
static bool stat_##n(struct bench *b, int i)				\
{									\
	(void)b;							\
	(void)i;							\
	return do_stat(DIR_##n "name");					\
}									\
static bool open_##n(struct bench *b, int i)				\
{									\
	(void)b;							\
	(void)i;							\
	return do_open(DIR_##n "name");					\
}									\
static bool create_##n(struct bench *b, int i)				\
{									\
	(void)b;							\
	(void)i;							\
	return do_create(DIR_##n "new");				\
}									\
static bool rename_##n(struct bench *b, int i)				\
{									\
	(void)b;							\
	return do_rename(DIR_##n "name", DIR_##n "other", i);		\
}

DEPTH(1)
DEPTH(2)
DEPTH(4)
DEPTH(8)
DEPTH(16)

static bool mkdir_rmdir(struct bench *b, int i)
{
	(void)b;
	(void)i;
	return !mkdir("new", 0755) && !rmdir("new");
}

/* The first byte of a file allocates its gates. */
static bool create_write_unlink(struct bench *b, int i)
{
	int fd = open("new", O_RDWR | O_CREAT | O_EXCL, 0644);

	(void)i;
	return write(fd, b->buf, 4 * KIB) == 4 * KIB && !close(fd) && !unlink("new");
}

static bool begin_many(struct bench *b)
{
	bench_open(b, "many", O_RDONLY | O_DIRECTORY);
	return true;
}

static void rewind_many(struct bench *b, int i)
{
	(void)i;
	MUST(lseek(b->fd, 0, SEEK_SET));
}

static bool readdir_many(struct bench *b, int i)
{
	long got;

	(void)i;
	do
		got = syscall(SYS_getdents64, b->fd, b->buf, 64 * KIB);
	while (got > 0);
	return !got;
}

static bool getxattr_name(struct bench *b, int i)
{
	(void)i;
	return getxattr("name", "user.bench", b->buf, 100) == 16;
}

/* Bound of a stat for each component after the first. */
#define EACH	60

/*
 * The same where the VFS skips a check for the lower filesystem alone that it
 * makes for the stack: see bench_bound().
 */
#define FIRST_7	210
#define EACH_7	130

const struct bench_call bench_names[] = {
	{ "stat", 150, 1600, 1, FIRST_7, .call = stat_1 },
	{ "stat 2 deep", 150 + EACH, 1600, 2, FIRST_7 + EACH_7,
	  .call = stat_2 },
	{ "stat 4 deep", 150 + 3 * EACH, 1600, 4, FIRST_7 + 3 * EACH_7,
	  .call = stat_4 },
	{ "stat 8 deep", 150 + 7 * EACH, 1600, 8, FIRST_7 + 7 * EACH_7,
	  .call = stat_8 },
	{ "stat 16 deep", 150 + 15 * EACH, 1600, 16, FIRST_7 + 15 * EACH_7,
	  .call = stat_16 },
	{ "open+close", 2200, 800, 1, .call = open_1 },
	{ "open+close 2 deep", 0, 800, 2, .call = open_2 },
	{ "open+close 4 deep", 0, 800, 4, .call = open_4 },
	{ "open+close 8 deep", 0, 800, 8, .call = open_8 },
	{ "open+close 16 deep", 0, 800, 16, .call = open_16 },
	{ "create+unlink", 8500, 320, 1, .call = create_1 },
	{ "create+unlink 2 deep", 0, 320, 2, .call = create_2 },
	{ "create+unlink 4 deep", 0, 320, 4, .call = create_4 },
	{ "create+unlink 8 deep", 0, 320, 8, .call = create_8 },
	{ "create+unlink 16 deep", 0, 320, 16, .call = create_16 },
	{ "mkdir+rmdir", 7000, 200, 1, .call = mkdir_rmdir },
	{ "rename", 4000, 600, 1, .call = rename_1 },
	{ "rename 2 deep", 0, 600, 2, .call = rename_2 },
	{ "rename 4 deep", 0, 600, 4, .call = rename_4 },
	{ "rename 8 deep", 0, 600, 8, .call = rename_8 },
	{ "rename 16 deep", 0, 600, 16, .call = rename_16 },
	{ "create+write 4 KiB+unlink", 0, 200, .call = create_write_unlink },
	{ "readdir of 1,000", 0, 12, .begin = begin_many, .prepare = rewind_many,
	  .call = readdir_many, .end = bench_close },
	{ "getxattr", 0, 1600, .call = getxattr_name },
	{}
};
