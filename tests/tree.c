// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack set -R: switches a tree of files of all kinds. Asserts that a
 * refused file does not stop it, and that the summary, the exit status and the
 * progress bar on a terminal are right.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fts.h>
#include <linux/fs.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dxs_test.h"

#define TREE	"stack/tree"
#define SET_R	"daxstack", "set", "-R"

static char out[16384];

/* --- The tree. */

static void make_file(const char *path, size_t len)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));
	char buf[3 * PAGE];

	dxs_fill(buf, len, 1, 0);
	dxs_pwrite(fd, buf, len, 0);
	close(fd);
}

#define NAMES	7	/* of six regular files */
#define DIRS	5

static void make_tree(void)
{
	MUST(mkdir("stack/outside", 0755));
	make_file("stack/outside/file", 100);
	MUST(mkdir(TREE, 0755));
	MUST(mkdir(TREE "/a", 0755));
	MUST(mkdir(TREE "/a/b", 0755));
	MUST(mkdir(TREE "/a/b/c", 0755));
	MUST(mkdir(TREE "/empty-dir", 0755));
	make_file(TREE "/data", 3 * PAGE);
	make_file(TREE "/empty", 0);
	make_file(TREE "/a/data", 100);
	make_file(TREE "/a/b/empty", 0);
	make_file(TREE "/a/b/c/data", PAGE);
	make_file(TREE "/a/b/c/two names", PAGE);
	MUST(link(TREE "/a/b/c/two names", TREE "/other name"));
	MUST(symlink("../outside/file", TREE "/link-to-file"));
	MUST(symlink("../../outside", TREE "/a/link-to-dir"));
	MUST(symlink("nowhere", TREE "/a/dangling"));
	MUST(mkfifo(TREE "/a/fifo", 0644));
	MUST(mknod(TREE "/null", S_IFCHR | 0644, makedev(1, 3)));
	MUST(symlink("tree", "stack/link"));
}

/* Each name of a file counts. */
static void all_in(int mode, const char *name)
{
	int modes, flags;

	dxs_count_modes(TREE, mode, &modes, &flags);
	dxs_is(NAMES, modes, "%s: all files are %s", name,
	       dxs_mode_name(mode));
	dxs_is(NAMES + DIRS, flags, "%s: all flags", name);
	dxs_count_modes("stack/outside", DAXSTACK_CACHED, &modes, &flags);
	dxs_ok(modes == 1 && flags == 2,
	       "%s: files outside the tree are unchanged", name);
}

/* Asserts the exit status of a command, and its whole output. */
static void prints(int status, const char *text, const char *name,
		   const char *const argv[])
{
	dxs_is(status, dxs_run_read(out, sizeof(out), argv), "%s: exit status",
	       name);
	dxs_str(text, out, "%s: output", name);
}

#define SET_PRINTS(status, text, name, ...) prints(status, text, name,	\
	(const char *const[]){ SET_R, __VA_ARGS__, NULL })

static int lines(const char *text, const char *with)
{
	int found = 0;

	while ((text = strstr(text, with))) {
		found++;
		text += strlen(with);
	}
	return found;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

/* --- Successful runs. */

#define REST "directories: 5\nno mode (symlinks, devices, ...): 5\n"

static void test_all(void)
{
	SET_PRINTS(0, "switched 6, already dax 1\n" REST, "to dax",
		   "dax", TREE);
	all_in(DAXSTACK_DAX, "to dax");
	make_file(TREE "/a/b/new", 10);
	dxs_is(DAXSTACK_DAX, dxs_mode_of(TREE "/a/b/new"), "a new file inherits");
	MUST(unlink(TREE "/a/b/new"));
	SET_PRINTS(0, "switched 0, already dax 7\n" REST, "again",
		   "dax", TREE);
	SET_PRINTS(0, "", "quiet", "-q", "cached", TREE);
	all_in(DAXSTACK_CACHED, "quiet");
	SET_PRINTS(0, "switched 6, already dax 1\n" REST,
		   "a symlink to the tree",
		   "dax", "stack/link");
	all_in(DAXSTACK_DAX, "a symlink to the tree");
	SET_PRINTS(0, "switched 6, already cached 1\n" REST, "a trailing slash",
		   "cached", TREE "/");
	all_in(DAXSTACK_CACHED, "a trailing slash");

	dxs_is(0, DXS_RUN_READ(out, sizeof(out), SET_R, "--verbose", "dax",
			       TREE), "verbose: exit status");
	dxs_is(1, lines(out, TREE "/data: cached -> dax, "),
	       "verbose: a switched file");
	dxs_is(1, lines(out, ": already dax\n"),
	       "verbose: a file already in the mode");
	dxs_is(1, lines(out, TREE "/a/b: directory, flag for new files set\n"),
	       "verbose: a directory");
	dxs_ok(ends_with(out, "\nswitched 6, already dax 1\n" REST),
	       "verbose: the summary is last");

	SET_PRINTS(0, "switched 5, already cached 2\ndirectories: 3\n"
		   "no mode (symlinks, devices, ...): 4\n",
		   "several operands", "cached", TREE "/data", TREE "/data",
		   TREE "/link-to-file", TREE "/a", TREE "/null");
	dxs_is(DAXSTACK_CACHED, dxs_mode_of("stack/outside/file"),
	       "a symlink as operand is followed");
	SET_PRINTS(0, "switched 1, already cached 7\n" REST, "the rest",
		   "cached", "stack/outside/file", TREE);
	all_in(DAXSTACK_CACHED, "the rest");
}

static void test_operands(void)
{
	dxs_is(64, DXS_RUN_READ(out, sizeof(out), SET_R, "dax"),
	       "no operand: exit status");
	SET_PRINTS(2, "daxstack: stack/none: No such file or directory\n"
		   "daxstack: : No such file or directory\n"
		   "switched 1, refused 2\n"
		   "  2  No such file or directory\n",
		   "operands that do not exist", "dax", "stack/none", "",
		   TREE "/data");
	SET_PRINTS(2, "daxstack: lower: not on a daxstack mount\n"
		   "switched 0, already dax 1, refused 1\n"
		   "  1  not on a daxstack mount\n",
		   "not on a daxstack mount", "dax", "lower", TREE "/data");
	SET_PRINTS(0, "switched 1\n", "back", "cached", TREE "/data");
}

/* A mount inside the tree is another filesystem. */
static void test_mount(void)
{
	MUST(mount("none", TREE "/empty-dir", "tmpfs", 0, NULL));
	make_file(TREE "/empty-dir/file", 10);
	SET_PRINTS(0, "switched 6, already dax 1\ndirectories: 4\n"
		   "no mode (symlinks, devices, ...): 5\n"
		   "skipped, mount points in the tree: 1\n",
		   "a mount in the tree", "dax", TREE);
	MUST(umount(TREE "/empty-dir"));
	SET_PRINTS(0, "switched 6, already cached 1\n" REST,
		   "without the mount", "cached", TREE);
}

/* A failed write of the output is reported; the files are switched anyway. */
static void test_full(void)
{
	dxs_is(74, DXS_RUN_READ(out, sizeof(out), "sh", "-c",
				"daxstack set -R dax " TREE " >/dev/full"),
	       "stdout is full: exit status");
	dxs_ok(strstr(out, "write error"), "stdout is full: message");
	all_in(DAXSTACK_DAX, "stdout is full");
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "sh", "-c",
			       "daxstack set -R -q cached " TREE " >/dev/full"),
	       "quiet, stdout is full: exit status");
}

/* --- Refusals. */

static void *map_sync(const char *path)
{
	int fd = MUST(open(path, O_RDWR));
	void *map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));

	close(fd);
	return map;
}

#define SYNC_LINE(path)	"daxstack: " TREE "/" path			\
	": not switched to cached: a MAP_SYNC mapping exists"		\
	" (Device or resource busy)\n"

static void test_refused(void)
{
	void *map;

	SET_PRINTS(0, "switched 6, already dax 1\n" REST, "before a refusal",
		   "dax", TREE);
	map = map_sync(TREE "/a/data");
	SET_PRINTS(1, SYNC_LINE("a/data")
		   "switched 5, already cached 1, refused 1\n"
		   "  1  a MAP_SYNC mapping exists\n" REST,
		   "one file is refused", "cached", TREE);
	dxs_is(DAXSTACK_DAX, dxs_mode_of(TREE "/a/data"),
	       "the refused file keeps its mode");
	SET_PRINTS(1, "", "quiet, one file is refused", "-q", "cached", TREE);
	munmap(map, PAGE);
	SET_PRINTS(0, "switched 1, already cached 6\n" REST,
		   "after the refusal", "cached", TREE);
	all_in(DAXSTACK_CACHED, "after the refusal");
}

/* Run by another user: refused for several reasons, the most frequent first. */
static void test_other_user(void)
{
	MUST(chown(TREE "/data", 65534, 65534));
	MUST(chmod(TREE "/empty", 0));
	MUST(chmod(TREE "/a/b/c", 0700));
	dxs_is(2, DXS_RUN_READ(out, sizeof(out), "setpriv", "--reuid=65534",
			       "--regid=65534", "--clear-groups", SET_R,
			       "dax", TREE), "another user: exit status");
	dxs_ok(ends_with(out, "\nswitched 1, refused 9\n"
			 "  4  flag of the directory not set: Operation not permitted\n"
			 "  3  caller does not own the file\n"
			 "  2  Permission denied\n"
			 "no mode (symlinks, devices, ...): 5\n"),
	       "another user: summary");
	dxs_is(1, lines(out, "daxstack: " TREE "/a/b/c: "),
	       "another user: one line for an unreadable directory");
	dxs_is(DAXSTACK_DAX, dxs_mode_of(TREE "/data"),
	       "another user: own file is switched");
	dxs_is(DAXSTACK_CACHED, dxs_mode_of(TREE "/other name"),
	       "another user: other files are not switched");
	MUST(chown(TREE "/data", 0, 0));
	MUST(chmod(TREE "/empty", 0644));
	MUST(chmod(TREE "/a/b/c", 0755));
	SET_PRINTS(0, "switched 1, already cached 6\n" REST,
		   "after another user", "cached", TREE);
}

/* --- Flags with deferred effect. */

static void mount_never(void)
{
	char options[64];
	int err;

	snprintf(options, sizeof(options), "lower=%s,switch=never", dxs_fs);
	err = dxs_mount(dxs_pmem, "stack", "daxstack", options);
	if (err)
		dxs_bail("mount -o %s: %s", options, strerror(err));
}

#define NEVER "open files keep their mode (switch=never)"

static void test_deferred(void)
{
	char state[8192];
	int fd;

	dxs_umount_stack();
	mount_never();
	fd = MUST(open(TREE "/data", O_RDWR));
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "daxstack", "set", "-v", "dax",
			       TREE "/data"), "deferred: exit status");
	dxs_str(TREE "/data: flag set for dax, effective when the file is next loaded: " NEVER "\n",
		out, "deferred: output");
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd), "deferred: mode");
	dxs_ok(dxs_xflag(fd), "deferred: flag");
	DXS_RUN_READ(state, sizeof(state), "daxstack", "status", "-J",
		     TREE "/data");
	dxs_ok(strstr(state, "\"mode\": \"cached\"") &&
	       strstr(state, "\"flag\": true"), "deferred: status shows mode and flag");
	SET_PRINTS(0, "switched 0\nflag set, effective when next loaded: 2\n"
		   "directories: 1\n", "several, deferred", "dax",
		   TREE "/data", TREE "/empty", TREE "/empty-dir");
	/* By its second name the file may be loaded again: then it is dax. */
	SET_PRINTS(0, "", "a tree, deferred", "-q", "dax", TREE);
	close(fd);
	dxs_umount_stack();
	dxs_mount_stack();
	all_in(DAXSTACK_DAX, "a tree, reloaded");
	SET_PRINTS(0, "switched 6, already cached 1\n" REST,
		   "after the deferral", "cached", TREE);
}

/* --- On a terminal. */

/* Runs a command on a terminal of @columns; stores its raw output in @out. */
static int run_on_tty(int columns, const char *const argv[])
{
	struct winsize size = { .ws_row = 24, .ws_col = columns };
	size_t len = 0;
	ssize_t n;
	pid_t pid;
	int fd, status;

	fflush(stdout);
	pid = MUST(forkpty(&fd, NULL, NULL, &size));
	if (!pid) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	/* EIO: the other end has no opener left. */
	while ((n = read(fd, out + len, sizeof(out) - 1 - len)) > 0)
		len += n;
	out[len] = 0;
	close(fd);
	MUST(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN_ON_TTY(columns, ...) \
	run_on_tty(columns, (const char *const[]){ __VA_ARGS__, NULL })

static void trim(char *line)
{
	size_t len = strlen(line);

	while (len && line[len - 1] == ' ')
		line[--len] = 0;
}

/* Renders @out as the final @screen, without trailing blanks. */
static void show(char *screen, size_t size)
{
	char line[512] = "";
	size_t col = 0, len = 0;
	const char *p;

	for (p = out; *p; p++) {
		if (*p == '\r') {
			col = 0;
		} else if (*p == '\n') {
			trim(line);
			len += snprintf(screen + len, size - len, "%s\n", line);
			memset(line, 0, sizeof(line));
			col = 0;
		} else if (col < sizeof(line) - 1) {
			line[col++] = *p;
		}
	}
	trim(line);
	snprintf(screen + len, size - len, "%s", line);
}

/*
 * Return: the number of bars in @out, or -1 if one is wider than @columns.
 * @last is the last one.
 */
static int bars(size_t columns, char *last, size_t size)
{
	char copy[sizeof(out)], *rest = copy, *part;
	int found = 0;

	strcpy(copy, out);
	while ((part = strsep(&rest, "\r\n"))) {
		if (!strchr(part, '%'))
			continue;
		if (strlen(part) > columns)
			return -1;
		snprintf(last, size, "%s", part);
		trim(last);
		found++;
	}
	return found;
}

#define BAR_SUMMARY "switched 4, already cached 1, refused 2\n"		\
	"  2  a MAP_SYNC mapping exists\n" REST

/* Two refused files, with a timeout, make it take half a second. */
static void check_bar(int columns, const char *expected)
{
	char screen[8192], last[512] = "";
	double start, end;
	int found;

	DXS_RUN(SET_R, "-q", "dax", TREE);
	start = dxs_now();
	dxs_is(1, RUN_ON_TTY(columns, SET_R, "-t", "0.25", "cached", TREE),
	       "%d columns: exit status", columns);
	end = dxs_now();

	/* A terminal that reports 0 columns is taken for a usual one. */
	found = bars((columns ?: 80) - 1, last, sizeof(last));
	dxs_ok(found > 2 && found <= 2 + 10 * (end - start),
	       "%d columns: a bar, not too wide, not too often", columns);
	if (!dxs_ok(ends_with(last, expected),
		    "%d columns: the bar reaches '%s'", columns, expected))
		dxs_diag("seen: '%s'", last);

	show(screen, sizeof(screen));
	if (!dxs_ok(lines(screen, SYNC_LINE("a/data")) == 1 &&
		    lines(screen, SYNC_LINE("data")) == 1 &&
		    ends_with(screen, BAR_SUMMARY) &&
		    strlen(screen) == strlen(SYNC_LINE("a/data")
					     SYNC_LINE("data") BAR_SUMMARY),
		    "%d columns: no rest of the bar is left", columns))
		dxs_diag("seen:\n%s", screen);
}

static void test_tty(void)
{
	void *map, *map2;
	char last[512];

	SET_PRINTS(0, "switched 6, already dax 1\n" REST, "before the terminal",
		   "dax", TREE);
	map = map_sync(TREE "/data");
	map2 = map_sync(TREE "/a/data");
	check_bar(80, "] 17/17  100%  refused 2");
	check_bar(300, "] 17/17  100%  refused 2");
	check_bar(0, "] 17/17  100%  refused 2");
	check_bar(30, "17/17  100%  refused 2");
	check_bar(10, "100%");

	dxs_is(1, RUN_ON_TTY(2, SET_R, "cached", TREE),
	       "2 columns: exit status");
	dxs_is(0, bars(1, last, sizeof(last)), "2 columns: no bar");
	dxs_is(1, RUN_ON_TTY(80, SET_R, "-q", "cached", TREE),
	       "quiet: exit status");
	dxs_str("", out, "quiet: no output on the terminal");
	dxs_is(1, RUN_ON_TTY(80, "sh", "-c",
			     "daxstack set -R cached " TREE " 2>refusals"),
	       "stderr is a file: exit status");
	dxs_ok(!bars(512, last, sizeof(last)), "stderr is a file: no bar");
	DXS_RUN_READ(out, sizeof(out), "cat", "refusals");
	dxs_ok(lines(out, "\n") == 2 && !strchr(out, '\r'),
	       "stderr is a file: only refusals");
	dxs_is(1, RUN_ON_TTY(80, "sh", "-c",
			     "daxstack set -R -v cached " TREE " >summary"),
	       "stdout is a file: exit status");
	dxs_ok(bars(79, last, sizeof(last)) > 0,
	       "stdout is a file: bar on the terminal");
	DXS_RUN_READ(out, sizeof(out), "cat", "summary");
	dxs_ok(strstr(out, "\nswitched 0, already cached 5, refused 2\n") &&
	       !strchr(out, '\r'), "stdout is a file: no bar in the file");

	munmap(map, PAGE);
	munmap(map2, PAGE);
	SET_PRINTS(0, "switched 2, already cached 5\n" REST,
		   "after the terminal", "cached", TREE);
}

int main(void)
{
	dxs_begin();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	make_tree();
	test_all();
	test_operands();
	test_mount();
	test_full();
	test_refused();
	test_other_user();
	test_deferred();
	test_tty();
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
