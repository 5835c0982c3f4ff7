// SPDX-License-Identifier: GPL-2.0-only
/*
 * switchnever: the flag of an open file, changed and changed back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchnever.h"

static int by_fssetxattr(int fd, const char *path, int mode)
{
	(void)path;
	return dxs_set_xflag(fd, mode);
}

static int by_setflags(int fd, const char *path, int mode)
{
	(void)path;
	return flag_by_setflags(fd, mode);
}

static int by_chattr(int fd, const char *path, int mode)
{
	(void)fd;
	return DXS_RUN("chattr", mode == DAXSTACK_DAX ? "+x" : "-x", path);
}

static int by_xfs_io(int fd, const char *path, int mode)
{
	(void)fd;
	return DXS_RUN("xfs_io", "-r", "-c",
		       mode == DAXSTACK_DAX ? "chattr +x" : "chattr -x", path);
}

static const struct {
	const char *name;
	int (*set)(int fd, const char *path, int mode);
	int open;
} ways[] = {
	{ "FSSETXATTR", by_fssetxattr, O_RDWR },
	{ "FSSETXATTR, O_RDONLY", by_fssetxattr, O_RDONLY },
	{ "SETFLAGS", by_setflags, O_RDWR },
	{ "SETFLAGS, O_RDONLY", by_setflags, O_RDONLY },
	{ "chattr", by_chattr, O_RDWR },
	{ "xfs_io", by_xfs_io, O_RDWR },
};

/* "the change ... won't take effect until the files are closed" */
void play_open(int to)
{
	int fd, other, third;
	uint32_t sum;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		const char *name = ways[i].name;

		make("f", !to);
		sum = sum_of("f");
		fd = MUST(open("f", ways[i].open));
		other = MUST(open("f", O_RDONLY));
		look(fd, !to, !to, "%s: before", name);
		saw(0, ways[i].set(fd, "f", to), "%s: result", name);
		look(fd, !to, to, "%s: descriptor", name);
		look(other, !to, to, "%s: other descriptor", name);
		if (ways[i].open == O_RDWR)
			look_by_map(fd, !to, name);
		third = MUST(open("f", O_RDONLY));
		look(third, !to, to, "%s: opened after that", name);
		close(third);
		close(fd);
		look(other, !to, to, "%s: one of them closed", name);
		saw(sum, sum_of("f"), "%s: bytes while open", name);
		close(other);
		fd = MUST(open("f", O_RDWR));
		look(fd, to, to, "%s: after the last close", name);
		look_by_map(fd, to, name);
		close(fd);
		saw(sum, sum_of("f"), "%s: bytes after the last close", name);
		MUST(unlink("f"));
	}
}

void play_back(int to)
{
	int fd;

	make("f", !to);
	fd = MUST(open("f", O_RDWR));
	saw_errno(0, dxs_set_xflag(fd, to), "there");
	saw_errno(0, dxs_set_xflag(fd, !to), "and back");
	look(fd, !to, !to, "there and back");
	close(fd);
	look_at("f", !to, !to, "after the last close");

	fd = MUST(open("f", O_RDWR));
	saw_errno(0, dxs_set_xflag(fd, !to), "without a change");
	look(fd, !to, !to, "without a change");
	saw_errno(0, dxs_set_xflag(fd, to), "once");
	saw_errno(0, dxs_set_xflag(fd, to), "twice");
	look(fd, !to, to, "twice");
	/* Change another attribute while flag and mode differ. */
	saw_errno(0, change_flags(fd, FS_NODUMP_FL, 0), "only NODUMP");
	look(fd, !to, to, "only NODUMP");
	close(fd);
	look_at("f", to, to, "after the last close, again");

	/* A descriptor opened before the change and written after it. */
	fd = MUST(open("f", O_RDWR));
	set("f", !to);
	dxs_pwrite(fd, "late", 4, 2 * LEN);
	look(fd, to, !to, "written after the change");
	close(fd);
	look_at("f", !to, !to, "written after the change, closed");
	fd = MUST(open("f", O_RDWR));
	saw(2 * LEN + 4, lseek(fd, 0, SEEK_END), "size");
	close(fd);
}
