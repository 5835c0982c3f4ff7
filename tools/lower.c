// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack lower: run a command that looks for ext4 or XFS by name.
 *
 * Here: the command line, and the command with all that it starts. What it
 * sees is made by lowermnt.c. The exit statuses are those of env(1).
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

/* As env(1), chroot(1) and the like. */
enum {
	LOWER_FAILED = 125,	/* the command was not run, or the mount is kept */
	LOWER_CANNOT_RUN = 126,
	LOWER_NOT_FOUND = 127,
};

/* What a process that was left behind has to end by itself after SIGTERM. */
#define GRACE_S		5

static const char lower_help[] =
"Usage: daxstack lower [OPTION]... MOUNTPOINT -- COMMAND [ARG]...\n"
"\n"
"Run COMMAND with the lower filesystem, ext4 or XFS, mounted on MOUNTPOINT in place\n"
"of daxstack: for COMMAND and what it starts, and until it ends. It is for programs\n"
"that look for ext4 or XFS by name: resize2fs, xfs_growfs, repquota, xfs_quota,\n"
"xfsdump, e4defrag, lvextend -r.\n"
"\n"
"All others see daxstack on MOUNTPOINT as before, and go on using it. No file can be\n"
"switched meanwhile: a switch is refused with \"lower filesystem is mounted\n"
"elsewhere\", and one with a timeout waits. Processes that COMMAND leaves behind are\n"
"ended with it.\n"
"\n"
"  -r, --read-only  mount it read-only for COMMAND\n"
"  -h, --help       show this\n"
"\n"
"It needs CAP_SYS_ADMIN.\n"
"\n"
"Exit status:\n"
"  125  COMMAND was not run, or the lower filesystem is still in use after it\n"
"  126  COMMAND was found and cannot be run\n"
"  127  COMMAND was not found\n"
"  else that of COMMAND; if a signal ended it, daxstack is ended by the same\n"
"\n"
"Examples: grow XFS after its device; what users have of their quotas\n"
"  daxstack lower /mnt -- xfs_growfs /mnt\n"
"  daxstack lower -r /mnt -- repquota -u /mnt\n";

/* In the child: never returns. */
static void run_command(char **argv, pid_t parent, const sigset_t *mask)
{
	int status;

	/* Whoever kills daxstack means the command. */
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
 * Reaps those who ended. Return: whether @pid is among them, with its status in
 * @status. If it stopped, so does daxstack, for the shell to see.
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
 * Waits for the command, and hands signals on to it: all that somebody sends to
 * daxstack. Those that a terminal sends come to both by themselves.
 *
 * Return: its status, as of waitpid(2).
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

/* Return: how many children there are; each gets @sig. */
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
 * Ends what the command left behind. They are our children, since we are their
 * subreaper; those of one that ends are so next.
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
		/* One that ends leaves children of its own: they are told, too. */
		if (sig == SIGKILL || ticks % 20 == 0) {
			int count = signal_children(sig);

			if (count && !told++)
				warnx("ending %d process%s left behind by the command",
				      count, count == 1 ? "" : "es");
			/* A stopped one cannot end by itself. */
			signal_children(SIGCONT);
		}
		nanosleep(&tick, NULL);
		ticks++;
	}
}

/* Ends as the command did, for the caller to see. */
static int end_as(int status)
{
	const struct rlimit none = { 0 };
	sigset_t set;
	int sig;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	sig = WTERMSIG(status);
	/* There is one dump already. */
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
	/* These are our own faults. */
	sigdelset(&signals, SIGSEGV);
	sigdelset(&signals, SIGBUS);
	sigdelset(&signals, SIGILL);
	sigdelset(&signals, SIGFPE);
	sigdelset(&signals, SIGABRT);
	sigprocmask(SIG_BLOCK, &signals, &mask);
	/* A caller that ignores it would have children vanish. */
	signal(SIGCHLD, SIG_DFL);
	self = getpid();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1)) {
		warn("cannot look after what the command starts");
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
	/* "+": options of the command are none of ours. */
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
	/* After the mount point "--" is for the reader. */
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
