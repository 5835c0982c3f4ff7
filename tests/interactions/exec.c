// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs executed from a file while it switches, and processes that fork and
 * exit with the file mapped. Asserts that none fails and no store is lost.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interactions.h"

/* --- Programs. */

#define RUNS	12
#define ANSWER	42

static uint32_t sum_up(void)
{
	static uint8_t buf[LEN];
	uint32_t sum = 0;
	int i;

	dxs_fill(buf, LEN, SEED, 0);
	for (i = 0; i < LEN; i++)
		sum = sum * 31 + buf[i];
	return sum;
}

/* interactions --program SUM [wait]: on the stack. */
int program_main(int argc, char **argv)
{
	char byte;

	if (argc < 3 || strtoul(argv[2], NULL, 10) != sum_up())
		return 1;
	/*
	 * With "wait": reports that it runs, and continues at the end of its
	 * input.
	 */
	if (argc > 3 && (write(1, "x", 1) != 1 || read(0, &byte, 1)))
		return 2;
	return strtoul(argv[2], NULL, 10) == sum_up() ? ANSWER : 3;
}

static void copy_program(const char *from, const char *to)
{
	int in = MUST(open(from, O_RDONLY | O_CLOEXEC));
	int out = MUST(open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));
	ssize_t n;

	while ((n = MUST(sendfile(out, in, NULL, MIB))))
		;
	close(in);
	close(out);
}

static pid_t run(const char *program, const char *sum, const char *wait,
		 int in, int out)
{
	pid_t pid = MUST(fork());

	if (!pid) {
		dup2(in, 0);
		if (out >= 0)
			dup2(out, 1);
		execl(program, program, "--program", sum, wait, NULL);
		_exit(127);
	}
	return pid;
}

/*
 * Switches the file while the program runs; no process may write to it. Return:
 * number of errors.
 */
static int switch_running(int fd, const char *sum, int *refused)
{
	int in[2], out[2], i, status, wrong = 0;
	char byte;
	pid_t pid;

	MUST(pipe2(in, O_CLOEXEC));
	MUST(pipe2(out, O_CLOEXEC));
	pid = run("stack/program", sum, "wait", in[0], out[1]);
	close(in[0]);
	close(out[1]);
	wrong += read(out[0], &byte, 1) != 1;
	for (i = 0; i < 4; i++) {
		wrong += !dxs_to(fd, !dxs_mode(fd), "a running program");
		*refused += open("stack/program", O_WRONLY) < 0 &&
			errno == ETXTBSY;
		*refused += truncate("stack/program", 0) && errno == ETXTBSY;
	}
	close(in[1]);
	close(out[0]);
	status = ia_wait(pid);
	return wrong + (status < 0 || WEXITSTATUS(status) != ANSWER);
}

void check_exec(void)
{
	int fd, script, i, status, wrong = 0, running = 0, refused = 0;
	char self[PATH_MAX] = "", sum[16], line[PATH_MAX + 32];
	struct ia_switcher s;
	char *program;

	MUST(readlink("/proc/self/exe", self, sizeof(self) - 1));
	copy_program(self, "stack/program");
	program = realpath("stack/program", NULL);
	snprintf(sum, sizeof(sum), "%u", sum_up());
	script = MUST(open("stack/script", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
	snprintf(line, sizeof(line), "#!%s --program\n", program);
	dxs_pwrite(script, line, strlen(line), 0);
	close(script);

	fd = MUST(open("stack/program", O_RDONLY | O_CLOEXEC));
	ia_switch_begin(&s, fd);
	for (i = 0; i < RUNS; i++) {
		status = ia_wait(run("stack/program", sum, NULL, -1, -1));
		wrong += status < 0 || WEXITSTATUS(status) != ANSWER;
	}
	dxs_is(0, wrong, "programs start and end during switches");
	ia_switch_report(&s, 2 * RUNS, "programs");

	for (i = 0; i < 3; i++)
		running += switch_running(fd, sum, &refused);
	dxs_is(0, running, "a program keeps running through switches");
	dxs_is(3 * 8, refused,
	       "opening a running program for writing fails with ETXTBSY");
	/* The script's own name is its interpreter's second argument. */
	status = ia_wait(run("stack/script", sum, NULL, -1, -1));
	dxs_is(1, status < 0 ? -1 : WEXITSTATUS(status),
	       "a script whose interpreter is on the stack");
	close(fd);
	fd = open("stack/program", O_RDWR | O_CLOEXEC);
	dxs_ok(fd >= 0,
	       "a program can be opened for writing after it has ended");
	if (fd >= 0)
		close(fd);
	MUST(unlink("stack/program"));
	free(program);
}

/* --- Processes. */

#define FORKS	150

/* Stores to its page, then exits in one of several ways. */
static void store_and_exit(int i, volatile uint64_t *map, int fd)
{
	int page = i % PAGES;
	uint64_t seen;

	map[page * PAGE / 8] = i + 1;
	dxs_pread(fd, &seen, HEAD, page * PAGE);
	if (seen != (uint64_t)i + 1)
		_exit(1);
	switch (i % 4) {
	case 0:
		MUST(munmap((void *)map, LEN));
		_exit(0);
	case 1:
		kill(getpid(), SIGKILL);
		_exit(2);
	case 2:
		execlp("true", "true", NULL);
		_exit(3);
	default:
		/* A grandchild, which outlives its parent. */
		if (!fork())
			seen = map[page * PAGE / 8];
		_exit(0);
	}
}

void check_fork(void)
{
	int fd = ia_file("stack/fork", DAXSTACK_DAX), i, j, status, wrong = 0;
	volatile uint64_t *map = ia_map(fd);
	pid_t pids[PAGES];
	struct ia_switcher s;

	ia_switch_begin(&s, fd);
	for (i = 0; i + PAGES / 2 <= FORKS; i += PAGES / 2) {
		for (j = 0; j < PAGES / 2; j++) {
			pids[j] = MUST(fork());
			if (!pids[j])
				store_and_exit(i + j, map, fd);
		}
		for (j = 0; j < PAGES / 2; j++) {
			status = ia_wait(pids[j]);
			if (status && (i + j) % 4 != 1)
				wrong++;
			if (map[(i + j) % PAGES * PAGE / 8] != (uint64_t)i + j + 1) {
				dxs_diag("fork %d: its store is lost", i + j);
				wrong++;
			}
		}
	}
	dxs_is(0, wrong,
	       "processes fork and exit with the file mapped: no store is lost");
	ia_switch_report(&s, 20, "processes");
	MUST(munmap((void *)map, LEN));
	ia_well(fd, "processes");
	close(fd);
}
