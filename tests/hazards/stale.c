// SPDX-License-Identifier: GPL-2.0-only
/*
 * H57: a TLB entry outlives its page-table entry: a CPU still stores to a page
 * that munmap(2) has already removed from i_mmap. A switch in that window must
 * not lose the store.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

/*
 * munmap(2) of a page of the file followed by this many other mappings clears
 * all entries, then removes each VMA from i_mmap, and flushes the TLBs last.
 */
#define OTHERS	(30000L / dxs_slow())
#define ROUNDS	8

/**
 * struct window - shared with the process that unmaps
 * @stored: last value stored to the page
 * @stop: end the stores
 * @unmapping: munmap(2) was called
 * @unmapped: munmap(2) returned
 */
struct window {
	atomic_ulong stored;
	atomic_bool stop;
	atomic_bool unmapping;
	atomic_bool unmapped;
};

static struct window *window;

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
}

/* The fault ends the stores: the page is gone for this thread, too. */
static void on_fault(int sig)
{
	(void)sig;
	for (;;)
		pause();
}

/* No system call here, so that the CPU keeps its TLB entry. */
static void *store(void *page)
{
	volatile unsigned long *slot = page;
	unsigned long n = 0;

	on_cpu(1);
	while (!window->stop) {
		*slot = ++n;
		window->stored = n;
	}
	for (;;)
		pause();
	return NULL;
}

static void unmap_under_stores(int fd)
{
	struct sigaction act = { .sa_handler = on_fault };
	int other = MUST(memfd_create("other", MFD_CLOEXEC));
	pthread_t thread;
	uint8_t *map;
	long i;

	MUST(ftruncate(other, PAGE));
	MUST(sigaction(SIGSEGV, &act, NULL));
	MUST(sigaction(SIGBUS, &act, NULL));
	map = MUST(mmap(NULL, (OTHERS + 1) * PAGE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	MUST(mmap(map, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		  0));
	/* Each maps the same page, so that VMAs do not merge. */
	for (i = 1; i <= OTHERS; i++)
		MUST(mmap(map + i * PAGE, PAGE, PROT_READ,
			  MAP_SHARED | MAP_FIXED, other, 0));
	if (pthread_create(&thread, NULL, store, map))
		dxs_bail("cannot create a thread");
	while (window->stored < 1000)
		dxs_sleep_ms(1);
	MUST(nice(19));
	window->unmapping = true;
	MUST(munmap(map, (OTHERS + 1) * PAGE));
	window->unmapped = true;
	for (;;)
		pause();
}

static bool is_mapped(int fd)
{
	struct daxstack_state state;

	MUST(ioctl(fd, DAXSTACK_IOC_STATE, &state));
	return state.flags & DAXSTACK_STATE_MAPPED;
}

/*
 * Switches once the file is no longer mapped but before munmap(2) returns, and
 * checks that the file has the last store.
 *
 * Return: whether munmap(2) had still not returned after the switch.
 */
static bool switch_in_window(int fd, int *wrong)
{
	unsigned long seen, before, stored;
	bool inside = true;
	pid_t pid;
	int i;

	memset(window, 0, sizeof(*window));
	dxs_to(fd, DAXSTACK_DAX, "H57");
	pid = MUST(fork());
	if (!pid) {
		on_cpu(0);
		unmap_under_stores(fd);
	}
	while (!window->unmapping)
		dxs_sleep_ms(1);
	while (is_mapped(fd))
		usleep(300 * dxs_slow());
	dxs_to(fd, DAXSTACK_CACHED, "H57");
	inside = !window->unmapped;
	/* Reads it into the page cache. */
	dxs_pread(fd, &seen, sizeof(seen), 0);
	before = window->stored;
	for (i = 0; i < 100 && window->stored == before; i++)
		dxs_sleep_ms(1);
	window->stop = true;
	do {
		stored = window->stored;
		dxs_sleep_ms(10);
	} while (window->stored != stored);
	dxs_pread(fd, &seen, sizeof(seen), 0);
	if (seen != stored) {
		dxs_diag("H57: stored %lu, read %lu", stored, seen);
		(*wrong)++;
	}
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	return inside;
}

void h57_unmapped_before_flush(void)
{
	static const struct sched_param first = { .sched_priority = 1 };
	static const struct sched_param usual = { 0 };
	int fd = hazard_file("stack/stale", PAGE, DAXSTACK_CACHED);
	int i, wrong = 0, hits = 0;
	cpu_set_t all;

	MUST(sched_getaffinity(0, sizeof(all), &all));
	window = MUST(mmap(NULL, sizeof(*window), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	/* Ahead of munmap(2) on the same CPU when both are runnable. */
	on_cpu(0);
	MUST(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first));
	for (i = 0; i < ROUNDS && hits < 2; i++)
		hits += switch_in_window(fd, &wrong);
	MUST(sched_setscheduler(0, SCHED_OTHER, &usual));
	MUST(sched_setaffinity(0, sizeof(all), &all));
	dxs_ok(hits > 0, "H57: switched before munmap returned: %d of %d",
	       hits, i);
	dxs_is(0, wrong, "H57: read(2) sees the last store");
	munmap(window, sizeof(*window));
	close(fd);
}
