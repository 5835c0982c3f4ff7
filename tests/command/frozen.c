// SPDX-License-Identifier: GPL-2.0-only
/*
 * command: set -R on a frozen mount is refused or waits, for directories as
 * well.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "command.h"

#define TREE	"stack/frozen"
#define SET_R	"daxstack", "set", "-R"

static char out[4096];

static bool flag_of(const char *path)
{
	int fd = MUST(open(path, O_RDONLY));
	bool flag = dxs_xflag(fd);

	close(fd);
	return flag;
}

static void freeze(int fd)
{
	MUST(ioctl(fd, FIFREEZE, 0));
}

static void thaw(int fd)
{
	MUST(ioctl(fd, FITHAW, 0));
}

/* The ioctl itself. */
static void test_ioctl(void)
{
	struct daxstack_switch sw = { .mode = DAXSTACK_DAX };
	int fd = MUST(open(TREE, O_RDONLY));
	int file;

	dxs_errno(0, ERR(ioctl(fd, DAXSTACK_IOC_DIR_FLAG, &sw)),
		  "set the flag of a directory");
	dxs_ok(sw.switched && dxs_xflag(fd), "... reported as switched");
	dxs_errno(0, ERR(ioctl(fd, DAXSTACK_IOC_DIR_FLAG, &sw)),
		  "set the flag of a directory again");
	dxs_ok(!sw.switched && !sw.reason, "... reported as unchanged");
	sw.mode = 2;
	dxs_errno(EINVAL, ERR(ioctl(fd, DAXSTACK_IOC_DIR_FLAG, &sw)),
		  "invalid mode");
	sw = (struct daxstack_switch){ .mode = DAXSTACK_CACHED };
	MUST(seteuid(65534));
	dxs_errno(EPERM, ERR(ioctl(fd, DAXSTACK_IOC_DIR_FLAG, &sw)),
		  "the flag of another user's directory");
	MUST(seteuid(0));
	dxs_is(DAXSTACK_REASON_NOT_OWNER, sw.reason, "... reason");
	dxs_errno(0, ERR(ioctl(fd, DAXSTACK_IOC_DIR_FLAG, &sw)),
		  "clear the flag of a directory");
	dxs_ok(sw.switched && !dxs_xflag(fd), "... reported as switched");

	file = MUST(open(TREE "/file", O_RDONLY));
	dxs_errno(ENOTTY, ERR(ioctl(file, DAXSTACK_IOC_DIR_FLAG, &sw)),
		  "the ioctl of directories on a file");
	close(file);

	dxs_remount("ro");
	sw.mode = DAXSTACK_DAX;
	dxs_errno(EROFS, ERR(ioctl(fd, DAXSTACK_IOC_DIR_FLAG, &sw)),
		  "a read-only mount");
	dxs_remount("rw");
	close(fd);
}

void test_frozen(void)
{
	struct proc proc;
	int status = -1, fd;

	MUST(mkdir(TREE, 0777));
	make_file(TREE "/file");
	test_ioctl();
	fd = MUST(open("stack", O_RDONLY));

	freeze(fd);
	proc = proc_start(ARGV(SET_R, "dax", TREE));
	if (!dxs_ok(proc_ends(&proc, 20, &status, out, sizeof(out)),
		    "frozen: set -R ends")) {
		/* Without output from here on. */
		thaw(fd);
		proc_end(&proc, out, sizeof(out));
		close(fd);
		return;
	}
	dxs_is(1, status, "frozen: exit status says try again");
	dxs_is(1, occurrences(out, "daxstack: " TREE ": flag of the directory not set:"
			      " filesystem is frozen (Device or resource busy)\n"),
	       "frozen: message for the directory");
	dxs_ok(strstr(out, "switched 0, refused 2\n"),
	       "frozen: both are counted");
	dxs_is(1, DXS_RUN(SET_R, "-q", "-t", "0.2", "dax", TREE),
	       "frozen: the timeout expires");

	proc = proc_start(ARGV(SET_R, "-t", "inf", "dax", TREE));
	proc_waits_in(&proc, SYS_ioctl);
	kill(proc.pid, SIGINT);
	dxs_is(128 + SIGINT, proc_end(&proc, out, sizeof(out)),
	       "frozen: a signal ends the wait");
	dxs_ok(strstr(out, "\ninterrupted: the rest was not tried\n"),
	       "frozen: message after the signal");

	proc = proc_start(ARGV(SET_R, "-t", "inf", "dax", TREE));
	proc_waits_in(&proc, SYS_ioctl);
	thaw(fd);
	dxs_is(0, proc_end(&proc, out, sizeof(out)), "thawed: exit status");
	dxs_str("switched 1\ndirectories: 1\n", out, "thawed: summary");
	dxs_ok(flag_of(TREE) && dxs_mode_of(TREE "/file") == DAXSTACK_DAX,
	       "thawed: flag and mode");
	close(fd);
}
