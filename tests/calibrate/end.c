// SPDX-License-Identifier: GPL-2.0-only
/*
 * calibrate: while it runs it has unnamed files in both modes; however it is
 * ended, nothing is left.
 */
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calibrate.h"

/*
 * Starts it in a directory of its own, to which its profile would go as well.
 */
static pid_t start(int *tty)
{
	pid_t pid;

	fflush(stdout);
	pid = MUST(tty ? forkpty(tty, NULL, NULL, NULL) : fork());
	if (pid)
		return pid;
	if (!tty) {
		int fd = open("said", O_WRONLY | O_CREAT | O_TRUNC, 0644);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execlp("daxstack", "daxstack", "calibrate", "--seconds", "3600",
	       "--size", "8M", "-o", "stack/work/p.conf", "stack/work", NULL);
	_exit(127);
}

/* Returns the number of its open files in dax and in cached mode, as "2 2". */
static const char *modes(void)
{
	static char text[64];

	DXS_RUN_READ(text, sizeof(text), "sh", "-c",
		     "daxstack who -J stack | jq -r '[.holders[] |"
		     " select(.command == \"daxstack\" and .mode != null) | .mode] |"
		     " \"\\(map(select(. == \"dax\")) | length)"
		     " \\(map(select(. == \"cached\")) | length)\"'");
	text[strcspn(text, "\n")] = 0;
	return text;
}

/* Waits until it measures, when it has mapped the files. */
static bool measures(pid_t pid)
{
	char command[128];
	int status;

	snprintf(command, sizeof(command),
		 "[ $(grep -c 'stack/work/.*(deleted)' /proc/%d/maps) = 2 ]",
		 pid);
	while (SH(command)) {
		if (waitpid(pid, &status, WNOHANG))
			return false;
		dxs_sleep_ms(20);
	}
	return true;
}

static bool is_empty(const char *name)
{
	RUN("ls", "-A", "stack/work");
	return dxs_str("", out, "%s: the directory is empty", name);
}

static unsigned long long free_blocks(void)
{
	struct statfs fs;

	sync();
	MUST(statfs("stack", &fs));
	return fs.f_bfree;
}

/* Blocks of a removed file may be freed a moment later. */
static bool is_freed(unsigned long long before)
{
	struct dxs_watch begin = dxs_watch();

	while (free_blocks() + 512 < before) {
		if (dxs_watched(&begin) > 60 * dxs_slow())
			return false;
		dxs_sleep_ms(50);
	}
	return true;
}

static void test_ended(int sig)
{
	unsigned long long before = free_blocks();
	pid_t pid = start(NULL);
	int status;

	if (!dxs_ok(measures(pid), "%s: it measures", strsignal(sig)))
		return;
	dxs_str("2 2", modes(), "%s: open files in dax and cached mode",
		strsignal(sig));
	is_empty("while measuring");
	kill(pid, sig);
	dxs_ok(dxs_ends(pid, 60, &status), "%s: it ends", strsignal(sig));
	dxs_ok(WIFSIGNALED(status) && WTERMSIG(status) == sig,
	       "%s: ends by the signal", strsignal(sig));
	is_empty(strsignal(sig));
	dxs_ok(is_freed(before), "%s: the blocks are free again",
	       strsignal(sig));
	RUN("cat", "said");
	if (sig != SIGKILL)
		dxs_ok(strstr(out, "interrupted: no profile was written\n"),
		       "%s: reported", strsignal(sig));
	remove("said");
}

/* Ctrl-C on a terminal, which shows the progress. */
static void test_terminal(void)
{
	size_t len = 0;
	ssize_t n;
	int tty, status;
	pid_t pid = start(&tty);
	bool asked = false;

	while (len < sizeof(out) - 1 &&
	       (n = read(tty, out + len, sizeof(out) - 1 - len)) > 0) {
		len += n;
		out[len] = 0;
		if (!asked && strstr(out, "/3600 s  ")) {
			MUST(write(tty, "\003", 1));
			asked = true;
		}
	}
	close(tty);
	MUST(waitpid(pid, &status, 0));
	if (!dxs_ok(asked, "terminal: shows the progress"))
		dxs_diag("%s", out);
	dxs_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT,
	       "Ctrl-C: ends by SIGINT");
	is_empty("Ctrl-C");
}

void test_end(void)
{
	MUST(mkdir("stack/work", 0755));
	test_ended(SIGINT);
	test_ended(SIGTERM);
	test_ended(SIGKILL);
	test_terminal();
	MUST(rmdir("stack/work"));
}
