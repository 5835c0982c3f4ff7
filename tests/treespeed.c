// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asserts that daxstack set -R takes little longer for many files than setting
 * their flags on the lower filesystem alone, and that daxstack status -R,
 * daxstack restore, and set with names from a file take no longer than that.
 *
 * Usage: treespeed [FILES [ROUNDS]]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fts.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dxs_test.h"

#define SET_R	"daxstack", "set", "-R"

static char out[16384];

static void make_file(const char *path, size_t len)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));
	char buf[PAGE];

	dxs_fill(buf, len, 1, 0);
	dxs_pwrite(fd, buf, len, 0);
	close(fd);
}

#define MANY_DIRS	10

/* The arguments. Larger trees take the same time per file. */
static int many_files = 10000;
static int rounds = 3;

static void make_many(void)
{
	char path[64];
	int i;

	MUST(mkdir("lower/many", 0755));
	for (i = 0; i < many_files; i++) {
		if (i < MANY_DIRS) {
			snprintf(path, sizeof(path), "lower/many/%d", i);
			MUST(mkdir(path, 0755));
		}
		snprintf(path, sizeof(path), "lower/many/%d/%d",
			 i % MANY_DIRS, i);
		make_file(path, PAGE);
	}
}

/* What a user without daxstack would write: sets the flag of every file. */
static void set_flags(char *path, int mode)
{
	char *const paths[] = { path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL, NULL);
	struct fsxattr fsx;
	FTSENT *ent;
	int fd;

	while ((ent = fts_read(fts))) {
		if (ent->fts_info != FTS_F)
			continue;
		fd = MUST(open(ent->fts_accpath, O_RDONLY | O_CLOEXEC));
		MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
		if (mode == DAXSTACK_DAX)
			fsx.fsx_xflags |= FS_XFLAG_DAX;
		else
			fsx.fsx_xflags &= ~FS_XFLAG_DAX;
		MUST(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
		close(fd);
	}
	fts_close(fts);
}

static void forget_all(void)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));

	sync();
	MUST(write(fd, "3", 1));
	close(fd);
}

/*
 * Returns the seconds for setting all flags by the lower filesystem alone;
 * undoes it.
 */
static double time_lower(void)
{
	double start, end;

	dxs_mount_lower();
	forget_all();
	start = dxs_now();
	set_flags("lower/many", DAXSTACK_DAX);
	end = dxs_now();
	dxs_umount_lower();
	dxs_mount_lower();
	set_flags("lower/many", DAXSTACK_CACHED);
	dxs_umount_lower();
	return end - start;
}

/*
 * Returns the seconds for a command that makes all files dax, including program
 * start; undoes it. Asserts that it prints @expected and switches all files.
 */
static double time_stack(const char *name, const char *expected,
			 const char *const argv[])
{
	double start, end;
	int modes, flags;

	dxs_mount_stack();
	forget_all();
	start = dxs_now();
	dxs_run_read(out, sizeof(out), argv);
	end = dxs_now();
	dxs_str(expected, out, "many files, %s: output", name);
	dxs_count_modes("stack/many", DAXSTACK_DAX, &modes, &flags);
	dxs_is(many_files, modes, "many files, %s: all files are dax", name);
	dxs_umount_stack();
	dxs_mount_lower();
	set_flags("lower/many", DAXSTACK_CACHED);
	dxs_umount_lower();
	return end - start;
}

/* Returns the seconds for daxstack status -R of the same files, as cold. */
static double time_status(void)
{
	double start, end, warm, json, sums;

	dxs_mount_stack();
	forget_all();
	start = dxs_now();
	dxs_is(0, DXS_RUN("sh", "-c", "daxstack status -R stack/many >status"),
	       "many files: status");
	end = dxs_now();
	warm = dxs_now();
	DXS_RUN("sh", "-c", "daxstack status -R stack/many >/dev/null");
	json = dxs_now();
	DXS_RUN("sh", "-c", "daxstack status -RJ stack/many >/dev/null");
	sums = dxs_now();
	DXS_RUN("sh", "-c", "daxstack status -RD stack/many >/dev/null");
	dxs_diag("not cold: %.3f s; as JSON %.3f s, by directory %.3f s",
		 json - warm, sums - json, dxs_now() - sums);
	DXS_RUN_READ(out, sizeof(out), "wc", "-l", "status");
	dxs_is(1 + many_files + MANY_DIRS + 1, atoi(out),
	       "many files: status shows all");
	dxs_umount_stack();
	return end - start;
}

#define ARGV(...)	((const char *const[]){ __VA_ARGS__, NULL })

static double time_set(void)
{
	char expected[64];

	snprintf(expected, sizeof(expected), "switched %d\ndirectories: %d\n",
		 many_files, MANY_DIRS + 1);
	return time_stack("set -R", expected, ARGV(SET_R, "dax", "stack/many"));
}

/* In directory order, as daxstack save lists them. */
static void write_lists(void)
{
	FILE *names = fopen("names", "w");
	FILE *modes = fopen("modes", "w");
	int dir, i;

	fputs("# daxstack modes 1\n", modes);
	for (dir = 0; dir < MANY_DIRS; dir++) {
		for (i = dir; i < many_files; i += MANY_DIRS) {
			fprintf(names, "stack/many/%d/%d\n", dir, i);
			fprintf(modes, "dax file many/%d/%d\n", dir, i);
		}
	}
	fputs("# end\n", modes);
	fclose(names);
	fclose(modes);
}

static void test_lists(double best)
{
	char expected[64];
	double names, modes;

	write_lists();
	names = time_stack("--files-from", "",
			   ARGV("daxstack", "set", "--files-from", "names",
				"dax"));
	snprintf(expected, sizeof(expected), "switched %d\n", many_files);
	modes = time_stack("restore", expected,
			   ARGV("daxstack", "restore", "-C", "stack", "modes"));
	dxs_diag("%.3f s with names from a file, %.3f s by restore", names,
		 modes);
	dxs_ok(names <= 1.05 * best, "%d files: --files-from is no slower",
	       many_files);
	dxs_ok(modes <= 1.05 * best, "%d files: restore is no slower",
	       many_files);
}

/*
 * The clock of this test's guest counts instructions (treespeed.guest), so the
 * times are the same in every run. With another clock, other load can only add
 * to a time: the shortest of several counts.
 */
static void test_speed(void)
{
	double lower, stack, best_lower = 1e9, best_stack = 1e9;
	double status, best_status = 1e9;
	int i;

	dxs_mount_lower();
	make_many();
	dxs_umount_lower();
	for (i = 0; i < rounds; i++) {
		lower = time_lower();
		stack = time_set();
		status = time_status();
		dxs_diag("%d files: %.3f s by %s alone, %.3f s by the stack, %.3f s for status",
			 many_files, lower, dxs_fs, stack, status);
		if (lower < best_lower)
			best_lower = lower;
		if (stack < best_stack)
			best_stack = stack;
		if (status < best_status)
			best_status = status;
	}
	dxs_diag("%.2f times the time without the stack",
		 best_stack / best_lower);
	dxs_ok(best_stack <= 1.5 * best_lower,
	       "%d files: at most 1.5 times the time without the stack",
	       many_files);
	dxs_diag("status -R: %.2f times the time of set -R",
		 best_status / best_stack);
	dxs_ok(best_status <= best_stack,
	       "%d files: status -R is no slower than set -R", many_files);
	test_lists(best_stack);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		many_files = atoi(argv[1]);
	if (argc > 2)
		rounds = atoi(argv[2]);
	dxs_begin();
	dxs_mkfs(NULL);
	test_speed();
	dxs_fsck();
	return dxs_done();
}
