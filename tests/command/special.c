// SPDX-License-Identifier: GPL-2.0-only
/*
 * command: only regular files and directories of the stack are opened, whatever
 * a name refers to, also if that changes between two system calls.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

static char out[16384];

/* --- Fifos, sockets, devices. */

#define DATA	"not to be lost\n"

/* Waits for a reader, then writes. */
static pid_t start_writer(const char *fifo)
{
	pid_t pid;
	int fd;

	fflush(stdout);
	pid = MUST(fork());
	if (pid)
		return pid;
	fd = open(fifo, O_WRONLY);
	_exit(fd < 0 || write(fd, DATA, sizeof(DATA) - 1) < 0);
}

/* Asserts that the writer is still blocked; then reads what it writes. */
static void check_writer(pid_t pid, const char *fifo, const char *name)
{
	char text[64] = "";
	int fd, status;

	/* If the command opened the fifo, this is enough time to write. */
	dxs_sleep_ms(100);
	if (!dxs_is(0, MUST(waitpid(pid, &status, WNOHANG)),
		    "%s: the writer of a fifo is still blocked", name))
		return;
	fd = MUST(open(fifo, O_RDONLY));
	MUST(read(fd, text, sizeof(text) - 1));
	close(fd);
	MUST(waitpid(pid, &status, 0));
	dxs_str(DATA, text, "%s: its reader gets all data", name);
}

static void with_writer(int expected, const char *const argv[],
			const char *name)
{
	pid_t pid = start_writer("stack/special/fifo");
	struct proc writer = { .pid = pid };

	proc_waits_in(&writer, SYS_openat);
	dxs_is(expected, dxs_run_read(out, sizeof(out), argv),
	       "%s: exit status", name);
	check_writer(pid, "stack/special/fifo", name);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	strcpy(address.sun_path, path);
	MUST(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
}

#define ALL	"stack/special/fifo", "stack/special/socket",		\
		"stack/special/char", "stack/special/block"

static void test_types(void)
{
	MUST(mkdir("stack/special", 0777));
	make_file("stack/special/file");
	MUST(mkfifo("stack/special/fifo", 0666));
	make_socket("stack/special/socket");
	/* Without drivers: opening them returns another error. */
	MUST(mknod("stack/special/char", S_IFCHR | 0666, makedev(511, 77)));
	MUST(mknod("stack/special/block", S_IFBLK | 0666, makedev(511, 77)));

	with_writer(2, ARGV("daxstack", "status", ALL), "status");
	dxs_is(4, occurrences(out, ": not a regular file\n"),
	       "status: each is reported as not regular");
	with_writer(2, ARGV("daxstack", "set", "dax", ALL,
			    "stack/special/file"), "set");
	dxs_is(4, occurrences(out, ": not switched to dax: not a regular file"
			      " (Invalid argument)\n"),
	       "set: each is reported as not regular");
	dxs_is(DAXSTACK_DAX, dxs_mode_of("stack/special/file"),
	       "set: a regular file among them is switched");
	with_writer(0, ARGV("daxstack", "set", "-R", "cached", "stack/special",
			    ALL), "set -R");
	dxs_str("switched 1\ndirectories: 1\nno mode (symlinks, devices, ...): 8\n",
		out, "set -R: summary");
	MUST(mkfifo("fifo", 0666));
	dxs_is(2, DXS_RUN_READ(out, sizeof(out), "daxstack", "status", "fifo",
			       "/dev/null"), "elsewhere: exit status");
	dxs_str("daxstack: fifo: not on a daxstack mount\n"
		"daxstack: /dev/null: not on a daxstack mount\n",
		strstr(out, "daxstack: fifo") ?: out, "elsewhere: message");
}

/* --- Names that change between two system calls. */

/**
 * struct race - one run
 * @when: number of the call before which the files are exchanged
 * @done: they have been exchanged
 * @stack: device of the stack
 * @wrong: description of an error
 */
struct race {
	long when;
	bool done;
	dev_t stack;
	char wrong[128];
};

static bool is_opened(pid_t pid, const char *fd)
{
	char path[300], line[64];
	unsigned long flags = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, fd);
	info = fopen(path, "r");
	if (!info)
		return false;
	while (fgets(line, sizeof(line), info))
		if (sscanf(line, "flags: %lo", &flags) == 1)
			break;
	fclose(info);
	return !(flags & O_PATH);
}

/* Checks the files of the stack that it has open. */
static void look_at_files(const struct call *call, struct race *race)
{
	char path[300];
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", call->pid);
	dir = opendir(path);
	if (!dir)
		dxs_bail("%s: %m", path);
	while ((entry = readdir(dir))) {
		if (fstatat(dirfd(dir), entry->d_name, &st, 0) ||
		    st.st_dev != race->stack || S_ISREG(st.st_mode) ||
		    S_ISDIR(st.st_mode) || !is_opened(call->pid, entry->d_name))
			continue;
		snprintf(race->wrong, sizeof(race->wrong),
			 "a file of type %o was opened", st.st_mode & S_IFMT);
	}
	closedir(dir);
}

static void look_at_ioctl(const struct call *call, struct race *race)
{
	unsigned int cmd = call->args[1];
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", call->pid,
		 (int)call->args[0]);
	if (call->args[0] <= 2 || stat(path, &st))
		return;
	if (st.st_dev != race->stack)
		snprintf(race->wrong, sizeof(race->wrong),
			 "ioctl on another filesystem");
	if (cmd == FS_IOC_FSSETXATTR && !S_ISDIR(st.st_mode))
		snprintf(race->wrong, sizeof(race->wrong),
			 "a file was taken for a directory");
	if (cmd == DAXSTACK_IOC_STATE && !S_ISREG(st.st_mode))
		snprintf(race->wrong, sizeof(race->wrong),
			 "type %o was taken for a file", st.st_mode & S_IFMT);
}

static void race_hook(const struct call *call, void *data)
{
	struct race *race = data;

	look_at_files(call, race);
	if (call->nr == SYS_ioctl)
		look_at_ioctl(call, race);
	if (call->count != race->when)
		return;
	MUST(renameat2(AT_FDCWD, "stack/race/victim", AT_FDCWD, "stack/other",
		       RENAME_EXCHANGE));
	race->done = true;
}

/* Exchanges the victim for the other file before each call in turn. */
static void race_all(const char *kind, const char *const argv[],
		     const char *name)
{
	struct race race;
	struct stat st;
	long when;

	MUST(stat("stack", &st));
	for (when = 0;; when++) {
		race = (struct race){ .when = when, .stack = st.st_dev };
		traced(out, sizeof(out), argv, race_hook, &race);
		if (*race.wrong || !race.done)
			break;
		MUST(renameat2(AT_FDCWD, "stack/race/victim", AT_FDCWD,
			       "stack/other", RENAME_EXCHANGE));
	}
	if (!dxs_ok(!*race.wrong && when > 5, "%s: becomes a %s", name, kind))
		dxs_diag("exchanged before call %ld: %s", when, race.wrong);
	if (race.done)
		MUST(renameat2(AT_FDCWD, "stack/race/victim", AT_FDCWD,
			       "stack/other", RENAME_EXCHANGE));
}

void test_special(void)
{
	test_types();
	MUST(mkdir("stack/race", 0777));
	make_file("stack/race/victim");
	MUST(mkfifo("stack/other", 0666));
	race_all("fifo", ARGV("daxstack", "set", "-R", "-q", "dax",
			      "stack/race"), "set -R");
	race_all("fifo", ARGV("daxstack", "status", "stack/race/victim"),
		 "status");
	MUST(unlink("stack/other"));
	MUST(mkdir("stack/other", 0777));
	race_all("directory", ARGV("daxstack", "set", "-R", "-q", "cached",
				   "stack/race"), "set -R");
	MUST(renameat2(AT_FDCWD, "stack/race/victim", AT_FDCWD, "stack/other",
		       RENAME_EXCHANGE));
	race_all("file", ARGV("daxstack", "set", "-q", "dax",
			      "stack/race/victim"), "set of a directory");
}
