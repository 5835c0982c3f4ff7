// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack lower: run a command that looks for ext4 or XFS by name.
 *
 * This file: the command line, and the processes of the command. lowermnt.c sets up its
 * mount namespace. Exit statuses as of env(1).
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lowermnt.h"
#include "tool.h"

/* As of env(1), chroot(1) and the like. */
enum {
	LOWER_FAILED = 125,	/* the command was not run, or the mount is still in use */
	LOWER_CANNOT_RUN = 126,
	LOWER_NOT_FOUND = 127,
};

/* Seconds between SIGTERM and SIGKILL for processes left behind. */
#define GRACE_S		5

static const char lower_help[] =
"Usage: daxstack lower [OPTION]... MOUNTPOINT -- COMMAND [ARG]...\n"
"\n"
"Run COMMAND with the lower filesystem, ext4 or XFS, mounted on MOUNTPOINT\n"
"instead of daxstack. Only COMMAND and its children see that mount, until COMMAND\n"
"ends. This is for programs that look for ext4 or XFS by name: resize2fs,\n"
"xfs_growfs, repquota, xfs_quota, xfsdump, e4defrag, lvextend -r.\n"
"\n"
"All other processes see daxstack on MOUNTPOINT as before and continue to use it.\n"
"No file can be switched meanwhile: a switch is refused with \"lower filesystem is\n"
"mounted elsewhere\"; with a timeout, it waits. Processes that COMMAND leaves\n"
"behind are terminated.\n"
"\n"
"  -r, --read-only  mount it read-only for COMMAND\n"
"  -h, --help       show this\n"
"\n"
"Needs CAP_SYS_ADMIN.\n"
"\n"
"Exit status:\n"
"  125  COMMAND was not run, or the lower filesystem is still in use after it\n"
"  126  COMMAND was found and cannot be run\n"
"  127  COMMAND was not found\n"
"  else that of COMMAND; a signal that killed COMMAND kills daxstack as well\n"
"\n"
"Examples: grow XFS after its device; report the use of quotas\n"
"  daxstack lower /mnt -- xfs_growfs /mnt\n"
"  daxstack lower -r /mnt -- repquota -u /mnt\n";

/* Runs in the child; does not return. */
static void run_command(char **argv, pid_t parent, const sigset_t *mask)
{
	int status;

	/* Kill the command if daxstack is killed. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(LOWER_FAILED);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	status = errno == ENOENT ? LOWER_NOT_FOUND : LOWER_CANNOT_RUN;
	warn("%s", name_shown(argv[0]));
	_exit(status);
}

/*
 * Reap children. If the command itself has stopped, stop daxstack as well, so that the
 * shell notices.
 *
 * Return: whether @pid has ended, with its status in @status.
 */
static bool reap(pid_t pid, int *status)
{
	bool ended = false;
	pid_t one;
	int st;

	while ((one = waitpid(-1, &st, WNOHANG | WUNTRACED)) > 0) {
		if (one != pid)
			continue;
		if (WIFSTOPPED(st)) {
			raise(SIGSTOP);
			kill(pid, SIGCONT);
			continue;
		}
		*status = st;
		ended = true;
	}
	return ended;
}

/*
 * Wait for the command, and forward signals that other processes send to daxstack. A
 * terminal sends its signals to both.
 *
 * Return: status of the command, as of waitpid(2).
 */
static int wait_for(pid_t pid, const sigset_t *signals)
{
	siginfo_t info;
	int status;

	for (;;) {
		if (sigwaitinfo(signals, &info) < 0)
			continue;
		if (info.si_signo == SIGCHLD) {
			if (reap(pid, &status))
				return status;
		} else if (info.si_code <= 0) {
			kill(pid, info.si_signo);
		}
	}
}

/* Send @sig to all children. Return: their number. */
static int signal_children(int sig)
{
	char path[64];
	int count = 0;
	FILE *file;
	long pid;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/children",
		 (long)getpid());
	file = fopen(path, "re");
	while (file && fscanf(file, "%ld", &pid) == 1) {
		kill(pid, sig);
		count++;
	}
	if (file)
		fclose(file);
	return count;
}

/*
 * Terminate the processes that the command left behind. They are children of this
 * process, because it is their subreaper; the children of one that exits become so as
 * well.
 */
static void end_rest(void)
{
	const struct timespec tick = { .tv_nsec = 50 * 1000 * 1000 };
	int ticks = 0, told = 0, sig = SIGTERM;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0) {
		if (pid)
			continue;
		if (ticks == GRACE_S * 20)
			sig = SIGKILL;
		/* A process that exits may leave children: signal those, too. */
		if (sig == SIGKILL || ticks % 20 == 0) {
			int count = signal_children(sig);

			if (count && !told++)
				warnx("ending %d process%s left behind by the command",
				      count, count == 1 ? "" : "es");
			/* A stopped process would not handle SIGTERM. */
			signal_children(SIGCONT);
		}
		nanosleep(&tick, NULL);
		ticks++;
	}
}

/* End in the same way as the command did. */
static int end_as(int status)
{
	const struct rlimit none = { 0 };
	sigset_t set;
	int sig;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	sig = WTERMSIG(status);
	/* The command has dumped core already. */
	setrlimit(RLIMIT_CORE, &none);
	fflush(NULL);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + sig;
}

static int run_with(const char *mountpoint, bool read_only, char **argv)
{
	sigset_t signals, mask;
	pid_t self, pid;
	int status;

	if (!lowermnt_begin(mountpoint, read_only))
		return LOWER_FAILED;

	sigfillset(&signals);
	/* Leave signals of our own faults alone. */
	sigdelset(&signals, SIGSEGV);
	sigdelset(&signals, SIGBUS);
	sigdelset(&signals, SIGILL);
	sigdelset(&signals, SIGFPE);
	sigdelset(&signals, SIGABRT);
	sigprocmask(SIG_BLOCK, &signals, &mask);
	/* If the caller ignores SIGCHLD, children could not be waited for. */
	signal(SIGCHLD, SIG_DFL);
	self = getpid();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1)) {
		warn("cannot become the subreaper of the command");
		return LOWER_FAILED;
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		warn("fork");
		return LOWER_FAILED;
	}
	if (!pid)
		run_command(argv, self, &mask);
	status = wait_for(pid, &signals);
	end_rest();
	if (!lowermnt_end() && WIFEXITED(status) && !WEXITSTATUS(status))
		return LOWER_FAILED;
	return end_as(status);
}

static int lower_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "read-only",	no_argument, NULL, 'r' },
		{ "help",	no_argument, NULL, 'h' },
		{}
	};
	bool read_only = false;
	int opt;

	opterr = 0;
	/* "+": do not parse the options of the command. */
	while ((opt = getopt_long(argc, argv, "+rh", options, NULL)) >= 0) {
		switch (opt) {
		case 'r':
			read_only = true;
			break;
		case 'h':
			return tool_help(&lower_command);
		default:
			tool_bad_option(argv[0], argv);
			return LOWER_FAILED;
		}
	}
	argv += optind;
	if (!argv[0]) {
		tool_usage_error("daxstack lower", "mount point missing");
		return LOWER_FAILED;
	}
	/* "--" after the mount point is optional. */
	if (argv[1] && !strcmp(argv[1], "--")) {
		argv[1] = argv[0];
		argv++;
	}
	if (!argv[1]) {
		tool_usage_error("daxstack lower", "command missing");
		return LOWER_FAILED;
	}
	return run_with(argv[0], read_only, argv + 1);
}

const struct tool_command lower_command = {
	.name	= "lower",
	.summary = "run a command with the lower filesystem mounted for it",
	.title	= "daxstack lower",
	.help	= lower_help,
	.run	= lower_main,
};
