// SPDX-License-Identifier: GPL-2.0-only
/*
 * command: set -R on a tree in which a user moves directories, nests them
 * deeper than a path can name, or has very many files; and with mounts inside.
 * Asserts that the other users' files are switched.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

#define SET_R	"daxstack", "set", "-R"

static char out[65536];

/*
 * Creates nested directories below @top, each named @name, with a file in every
 * tenth and in the last. Return: number of files.
 */
static int make_deep(const char *top, int depth, const char *name)
{
	int dir = MUST(open(top, O_PATH));
	int files = 0, below, fd, i;

	for (i = 1; i <= depth; i++) {
		MUST(mkdirat(dir, name, 0777));
		below = MUST(openat(dir, name, O_PATH));
		close(dir);
		dir = below;
		if (i % 10 && i != depth)
			continue;
		fd = MUST(openat(dir, "file", O_RDWR | O_CREAT, 0666));
		close(fd);
		files++;
	}
	close(dir);
	return files;
}

/* --- Directories moved during the walk. */

#define OTHERS	6

static void other_file(char *path, size_t size, int nr)
{
	/* On both sides of the moved directory, in any directory order. */
	snprintf(path, size, "stack/walk/u%d/file", nr);
}

static int others_in(int mode)
{
	char path[64];
	int nr, found = 0;

	for (nr = 0; nr < OTHERS; nr++) {
		other_file(path, sizeof(path), nr);
		found += dxs_mode_of(path) == mode;
	}
	return found;
}

static void make_others(void)
{
	char path[64];
	int nr;

	for (nr = 0; nr < OTHERS; nr++) {
		snprintf(path, sizeof(path), "stack/walk/u%d", nr);
		MUST(mkdir(path, 0777));
		other_file(path, sizeof(path), nr);
		make_file(path);
	}
}

/**
 * struct mover - a user who renames a directory
 * @when: number of the call before which to rename; -1: before each
 * @away: the directory is elsewhere
 * @calls: number of calls made
 */
struct mover {
	long when;
	bool away;
	long calls;
};

static void to_and_fro(struct mover *mover)
{
	if (mover->away)
		MUST(rename("stack/away/eve", "stack/walk/eve"));
	else
		MUST(rename("stack/walk/eve", "stack/away/eve"));
	mover->away = !mover->away;
}

static void move_hook(const struct call *call, void *data)
{
	struct mover *mover = data;

	mover->calls = call->count;
	if (mover->when < 0 || mover->when == call->count)
		to_and_fro(mover);
}

static int run_moved(long when, struct mover *mover)
{
	int status;

	*mover = (struct mover){ .when = when };
	DXS_RUN(SET_R, "-q", "cached", "stack/walk");
	status = traced(out, sizeof(out), ARGV(SET_R, "dax", "stack/walk"),
			move_hook, mover);
	if (mover->away)
		to_and_fro(mover);
	return status;
}

static void test_moved(void)
{
	struct mover mover;
	long when, calls;
	int status, bad = 0;

	MUST(mkdir("stack/walk", 0777));
	MUST(mkdir("stack/away", 0777));
	make_others();
	MUST(mkdir("stack/walk/eve", 0777));
	make_deep("stack/walk/eve", 40, "d");

	run_moved(1000000, &mover);
	calls = mover.calls;
	for (when = 0; when < calls; when += 1 + calls / 12) {
		status = run_moved(when, &mover);
		if (status <= 2 && others_in(DAXSTACK_DAX) == OTHERS)
			continue;
		if (!bad++)
			dxs_diag("moved before call %ld of %ld, exit status %d:\n%s",
				 when, calls, status, out);
	}
	dxs_is(0, bad, "directory moved: the rest is switched");
	status = run_moved(-1, &mover);
	dxs_ok(status == 0 || status == 2,
	       "directory moved back and forth: exit status %d", status);
	dxs_is(OTHERS, others_in(DAXSTACK_DAX),
	       "directory moved back and forth: the rest is switched");
}

/* --- Moved so that ".." no longer leads back, only a walk from the top. */

/**
 * struct cutter - moves two directories when the walk reaches the last one
 * @last: the last directory
 * @done: they have been moved
 */
struct cutter {
	struct stat last;
	bool done;
};

static void cut_hook(const struct call *call, void *data)
{
	struct cutter *cutter = data;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", call->pid,
		 (int)call->args[0]);
	if (cutter->done || call->nr != SYS_getdents64 || stat(path, &st) ||
	    st.st_ino != cutter->last.st_ino)
		return;
	MUST(rename("stack/cut/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/eve/in",
		    "stack/away/in"));
	MUST(rename("stack/cut/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/eve",
		    "stack/away/eve2"));
	cutter->done = true;
}

#define LEFT_OUT "the rest of the directory is skipped: it was moved\n"
#define ABOVE "stack/cut/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18"

static void test_cut(void)
{
	struct cutter cutter = { .done = false };
	char path[256] = "stack/cut", end[512];
	int status, i, found = 0;

	MUST(mkdir(path, 0777));
	for (i = 1; i <= 18; i++) {
		snprintf(path + strlen(path), sizeof(path) - strlen(path),
			 "/%d", i);
		MUST(mkdir(path, 0777));
	}
	/* Enough that some come after the moved directory. */
	for (i = 0; i < 8; i++) {
		snprintf(end, sizeof(end), "%s/u%d", path, i);
		make_file(end);
	}
	snprintf(end, sizeof(end), "%s/eve", path);
	MUST(mkdir(end, 0777));
	snprintf(end, sizeof(end), "%s/eve/in", path);
	MUST(mkdir(end, 0777));
	make_deep(end, 30, "d");
	for (i = 0; i < 30; i++)
		strcat(end, "/d");
	MUST(stat(end, &cutter.last));

	status = traced(out, sizeof(out), ARGV(SET_R, "dax", "stack/cut"),
			cut_hook, &cutter);
	dxs_ok(cutter.done && status == 2, "no way back: exit status");
	dxs_is(1, occurrences(out, "daxstack: " ABOVE "/eve: " LEFT_OUT),
	       "no way back: the part left out is named");
	dxs_ok(strstr(out, "switched 11, refused 1\n  1  " LEFT_OUT),
	       "no way back: and counted");
	for (i = 0; i < 8; i++) {
		snprintf(end, sizeof(end), "%s/u%d", path, i);
		found += dxs_mode_of(end) == DAXSTACK_DAX;
	}
	dxs_is(8, found, "no way back: files beside it are switched");
}

/* --- Deep and large trees. */

static void test_deep(void)
{
	char name[251], expected[128];
	int files, status;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	MUST(mkdir("stack/deep", 0777));
	files = make_deep("stack/deep", 300, name);
	MUST(mkdir("stack/deep/z", 0777));
	make_file("stack/deep/z/file");
	status = DXS_RUN_READ(out, sizeof(out), SET_R, "dax", "stack/deep");
	dxs_is(0, status, "a path of 75,000 bytes: exit status");
	snprintf(expected, sizeof(expected),
		 "switched %d\ndirectories: %d\n", files + 1, 302);
	dxs_str(expected, out,
		"a path of 75,000 bytes: all files are switched");
	status = DXS_RUN_READ(out, sizeof(out), "setpriv", "--reuid=65534",
			      "--regid=65534", "--clear-groups", SET_R,
			      "cached", "stack/deep");
	dxs_ok(status == 2 && strstr(out, "[...]"),
	       "a path of 75,000 bytes: shortened in messages");
}

/* Return: peak memory in KiB. */
static long memory_of(const char *tree)
{
	struct rusage usage;
	struct proc proc = proc_start(ARGV(SET_R, "-q", "dax", tree));
	int status;

	MUST(wait4(proc.pid, &status, 0, &usage));
	close(proc.out);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		dxs_bail("set -R %s: %x", tree, status);
	return usage.ru_maxrss;
}

#define MANY	10000

/* For 10,000 names of 200 bytes, fts_read() would keep 4 MiB. */
static void test_many(void)
{
	char name[256];
	long small, large;
	int dir, i;

	MUST(mkdir("stack/few", 0777));
	MUST(mkdir("stack/many", 0777));
	dir = MUST(open("stack/many", O_PATH));
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%0200d", i);
		MUST(symlinkat("x", dir, name));
	}
	close(dir);
	small = memory_of("stack/few");
	large = memory_of("stack/many");
	if (!dxs_ok(large - small < 1024,
		    "a large directory takes no more memory than a small one"))
		dxs_diag("%ld KiB against %ld KiB", small, large);
}

/* --- Mounts. */

static void test_mounts(void)
{
	MUST(mkdir("stack/mnt", 0777));
	MUST(mkdir("stack/mnt/bind", 0777));
	make_file("stack/mnt/file");
	MUST(mkdir("stack/outside", 0777));
	make_file("stack/outside/file");
	make_file("stack/mnt/on file");
	MUST(mount("stack/outside", "stack/mnt/bind", NULL, MS_BIND, NULL));
	MUST(mount("stack/outside/file", "stack/mnt/on file", NULL, MS_BIND,
		   NULL));
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), SET_R, "dax", "stack/mnt"),
	       "bind mounts in the tree: exit status");
	dxs_str("switched 1\ndirectories: 1\nskipped, mount points in the tree: 2\n",
		out, "bind mounts in the tree: left out");
	dxs_is(DAXSTACK_CACHED, dxs_mode_of("stack/outside/file"),
	       "bind mounts in the tree: files outside are unchanged");
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), SET_R, "dax",
			       "stack/mnt/bind"), "a bind mount: exit status");
	dxs_str("switched 1\ndirectories: 1\n", out,
		"a bind mount as operand is a tree of its own");
	MUST(umount("stack/mnt/on file"));
	MUST(umount("stack/mnt/bind"));
}

void test_walk(void)
{
	test_moved();
	test_cut();
	test_deep();
	test_many();
	test_mounts();
}
