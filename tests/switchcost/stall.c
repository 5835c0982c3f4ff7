// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a reader waits while its file is switched.
 *
 * The reader runs with SCHED_FIFO on the only processor, so it waits only for
 * the gate and for its own work, never to be scheduled. It reads, or loads from
 * a mapping, a random page every PAUSE; the longest read of each switch counts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cost.h"

#define SIZE	MIB
#define DIRTY	(256 * KIB)
#define PAUSE	20000	/* ns */

/* Shared by the processes. */
struct shared {
	volatile uint64_t longest;
	volatile uint64_t reads;
};

struct scenario {
	const char *name;
	bool loads;	/* from a mapping, instead of read(2) */
	bool writer;	/* another process writes all the time */
};

static const struct scenario scenarios[] = {
	{ "read", false, false },
	{ "load", true, false },
	{ "read beside a writer", false, true },
};

static void read_for_ever(int fd, bool loads, struct shared *shared)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	const struct sched_param first = { .sched_priority = 50 };
	const volatile char *map = MUST(mmap(NULL, SIZE, PROT_READ, MAP_SHARED,
					     fd, 0));
	char *buf = dxs_alloc(PAGE);
	uint64_t start, took;
	off_t pos;

	/* Otherwise every pause would be 50 us longer. */
	MUST(prctl(PR_SET_TIMERSLACK, 1));
	MUST(sched_setscheduler(0, SCHED_FIFO, &first));
	for (;;) {
		pos = rand() % (SIZE / PAGE) * PAGE;
		start = count();
		if (loads)
			(void)map[pos];
		else
			dxs_pread(fd, buf, PAGE, pos);
		took = count() - start;
		if (took > shared->longest)
			shared->longest = took;
		shared->reads++;
		nanosleep(&pause, NULL);
	}
}

static void write_for_ever(int fd)
{
	char *buf = dxs_alloc(PAGE);

	memset(buf, 'w', PAGE);
	for (;;)
		dxs_pwrite(fd, buf, PAGE, rand() % (SIZE / PAGE) * PAGE);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(const char *name, const char *during, uint64_t *stalls, int n)
{
	int i;

	qsort(stalls, n, sizeof(*stalls), compare);
	printf("{\"fs\": \"%s\", \"stall\": \"%s\", \"during\": \"%s\", \"longest\": [",
	       dxs_fs, name, during);
	for (i = 0; i < n; i++)
		printf("%s%ju", i ? ", " : "", (uintmax_t)stalls[i]);
	puts("]}");
	fflush(stdout);
}

/* In cached mode all pages are cached, and some are dirty. */
static void prepare(int fd, char *buf)
{
	off_t pos;

	for (pos = 0; pos < SIZE; pos += DIRTY)
		dxs_pread(fd, buf, DIRTY, pos);
	dxs_pwrite(fd, buf, DIRTY, 0);
}

/* Returns the longest read until @fd is in mode @to; -1: without a switch. */
static uint64_t longest_until(int fd, int to, struct shared *shared)
{
	uint64_t reads;

	shared->longest = 0;
	reads = shared->reads;
	if (to < 0)
		dxs_sleep_ms(2);
	else if (dxs_switch(fd, to, 2000, NULL))
		dxs_bail("not switched to %s", dxs_mode_name(to));
	/* The last read may still be in progress. */
	while (shared->reads < reads + 2)
		sched_yield();
	return shared->longest;
}

static void print_scenario(const struct scenario *scenario, int switches)
{
	struct shared *shared = MUST(mmap(NULL, sizeof(*shared),
					  PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	uint64_t *none = calloc(3 * switches, sizeof(*none));
	uint64_t *dax = none + switches, *cached = dax + switches;
	int fd = MUST(open("stack/stall", O_RDWR | O_CREAT, 0644)), i;
	char *buf = dxs_alloc(DIRTY);
	pid_t reader, writer = 0;

	memset(buf, 'x', DIRTY);
	for (i = 0; i < SIZE / DIRTY; i++)
		dxs_pwrite(fd, buf, DIRTY, i * DIRTY);
	MUST(fsync(fd));
	reader = MUST(fork());
	if (!reader)
		read_for_ever(fd, scenario->loads, shared);
	if (scenario->writer)
		writer = MUST(fork());
	if (scenario->writer && !writer)
		write_for_ever(fd);

	for (i = 0; i < switches; i++) {
		prepare(fd, buf);
		none[i] = longest_until(fd, -1, shared);
		dax[i] = longest_until(fd, DAXSTACK_DAX, shared);
		cached[i] = longest_until(fd, DAXSTACK_CACHED, shared);
	}
	kill(reader, SIGKILL);
	MUST(waitpid(reader, NULL, 0));
	if (writer) {
		kill(writer, SIGKILL);
		MUST(waitpid(writer, NULL, 0));
	}
	print(scenario->name, "no switch", none, switches);
	print(scenario->name, "to dax", dax, switches);
	print(scenario->name, "to cached", cached, switches);
	free(none);
	close(fd);
	MUST(unlink("stack/stall"));
}

void print_stalls(int switches)
{
	size_t i;

	dxs_mount_stack();
	for (i = 0; i < ARRAY_SIZE(scenarios); i++)
		print_scenario(&scenarios[i], switches);
	dxs_umount_stack();
}
