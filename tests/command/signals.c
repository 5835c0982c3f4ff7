// SPDX-License-Identifier: GPL-2.0-only
/*
 * command: a stopped and continued command goes on; an interrupted command
 * reports what it did.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "command.h"

#define BUSY	"stack/signals/busy"
#define INTERRUPTED							\
	"daxstack: " BUSY ": not switched to cached: interrupted by a signal" \
	" (Interrupted system call)\n"

static char out[4096];

static void *keep_busy(int *fd)
{
	*fd = MUST(open(BUSY, O_RDWR));
	dxs_to(*fd, DAXSTACK_DAX, "to dax");
	return dxs_map_sync(*fd, PAGE);
}

static void test_stopped(void)
{
	struct proc proc;
	int status, fd;
	void *map = keep_busy(&fd);

	proc = proc_start(ARGV("daxstack", "set", "-v", "-t", "inf", "cached",
			       BUSY));
	proc_waits_in(&proc, SYS_ioctl);
	kill(proc.pid, SIGSTOP);
	MUST(waitpid(proc.pid, &status, WUNTRACED));
	dxs_ok(WIFSTOPPED(status), "stopped");
	kill(proc.pid, SIGCONT);
	dxs_ok(proc_waits_in(&proc, SYS_ioctl), "continued: waits again");
	munmap(map, PAGE);
	close(fd);
	dxs_is(0, proc_end(&proc, out, sizeof(out)), "continued: exit status");
	dxs_is(1, occurrences(out, BUSY ": dax -> cached, "),
	       "continued: switches in the end");
}

static void test_ended(int sig)
{
	struct proc proc;
	int fd;
	void *map = keep_busy(&fd);

	proc = proc_start(ARGV("daxstack", "set", "-t", "inf", "cached", BUSY,
			       "stack/signals/none"));
	proc_waits_in(&proc, SYS_ioctl);
	kill(proc.pid, sig);
	dxs_is(128 + sig, proc_end(&proc, out, sizeof(out)),
	       "%s: ends by the signal", strsignal(sig));
	dxs_str(INTERRUPTED, out,
		"%s: message, and no other file is tried", strsignal(sig));
	munmap(map, PAGE);
	close(fd);
}

/* Removes what the terminal would overwrite: the bar. */
static void remove_overwritten(char *text)
{
	char *to = text, *line = text;

	for (; *text; text++) {
		if (*text == '\r' && text[1] != '\n') {
			to = line;
			continue;
		}
		if (*text == '\r')
			continue;
		*to++ = *text;
		if (*text == '\n')
			line = to;
	}
	*to = 0;
}

/* Ctrl-C on the terminal. */
static void test_terminal(void)
{
	struct termios term;
	struct proc proc;
	size_t len = 0;
	ssize_t n;
	int tty, status, fd;
	void *map = keep_busy(&fd);

	fflush(stdout);
	proc.pid = MUST(forkpty(&tty, NULL, NULL, NULL));
	if (!proc.pid) {
		/*
		 * Otherwise Ctrl-C may discard output printed right after it.
		 */
		MUST(tcgetattr(0, &term));
		term.c_lflag |= NOFLSH;
		MUST(tcsetattr(0, TCSANOW, &term));
		execlp("daxstack", "daxstack", "set", "-R", "-t", "inf",
		       "cached", BUSY, "stack/signals/none", NULL);
		_exit(127);
	}
	proc_waits_in(&proc, SYS_ioctl);
	MUST(write(tty, "\003", 1));
	while ((n = read(tty, out + len, sizeof(out) - 1 - len)) > 0)
		len += n;
	out[len] = 0;
	close(tty);
	MUST(waitpid(proc.pid, &status, 0));
	dxs_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT,
	       "Ctrl-C: ends by SIGINT");
	dxs_ok(strchr(out, '%'), "Ctrl-C: there was a bar");
	remove_overwritten(out);
	if (!dxs_ok(strstr(out, INTERRUPTED) &&
		    strstr(out, "\nswitched 0, refused 1\n"
			   "  1  interrupted by a signal\n"
			   "interrupted: the rest was not tried\n"),
		    "Ctrl-C: summary"))
		dxs_diag("%s", out);
	dxs_ok(!strchr(out, '%'), "Ctrl-C: no rest of the bar is left");
	munmap(map, PAGE);
	close(fd);
}

void test_signals(void)
{
	MUST(mkdir("stack/signals", 0777));
	make_file(BUSY);
	test_stopped();
	test_ended(SIGINT);
	test_ended(SIGTERM);
	test_terminal();
}
