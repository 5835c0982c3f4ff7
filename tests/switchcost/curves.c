// SPDX-License-Identifier: GPL-2.0-only
/*
 * The effects of a switch on other tasks: time with closed gates, time with
 * interrupts off, and the longest read, write and fault, against size, dirty
 * share, entries and processes, up to a million pages. As JSON, one line per
 * point.
 *
 * Every point is switched twice: once with no other task running, and once with
 * a real-time task that reads, writes, and loads from a mapping, a random one
 * of the first 256 pages every 100 us.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cost.h"

#define MOST		1048576L	/* pages */
#define FEW		16L		/* pages used, where only size varies */
#define PART		16384L		/* pages that each process maps */
#define PAUSE		100000		/* ns */
#define VICTIM		256L		/* pages */

/**
 * struct curve - the parameter that its points vary
 * @name: for JSON
 * @points: its values: pages, or processes
 */
struct curve {
	const char *name;
	enum { SIZE, ENTRIES, DIRTY, PROCESSES } kind;
	long points[8];
};

static const struct curve curves[] = {
	{ "size", SIZE, { 256, 4096, 65536, MOST } },
	{ "entries", ENTRIES, { 256, 4096, 65536, MOST } },
	{ "dirty", DIRTY, { 256, 4096, 65536, MOST / 4, MOST } },
	/* Each has PART pages in its page tables. */
	{ "processes", PROCESSES, { 1, 4, 16, MOST / PART } },
};

enum call { READ, WRITE, LOAD, CALLS };

struct victim {
	pid_t pid;
	volatile uint64_t longest[CALLS];
	volatile uint64_t calls;
};

static void suffer(int fd, struct victim *victim)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	const struct sched_param first = { .sched_priority = 50 };
	const volatile char *map = MUST(mmap(NULL, VICTIM * PAGE, PROT_READ,
					     MAP_SHARED, fd, 0));
	char *buf = dxs_alloc(PAGE);
	uint64_t start, took;
	enum call call;
	off_t pos;

	memset(buf, 'x', PAGE);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	MUST(prctl(PR_SET_TIMERSLACK, 1));
	MUST(sched_setscheduler(0, SCHED_FIFO, &first));
	for (;;) {
		call = victim->calls % CALLS;
		pos = rand() % VICTIM * PAGE;
		start = count();
		if (call == LOAD)
			(void)map[pos];
		else if (call == WRITE)
			dxs_pwrite(fd, buf, PAGE, pos);
		else
			dxs_pread(fd, buf, PAGE, pos);
		took = count() - start;
		if (took > victim->longest[call])
			victim->longest[call] = took;
		victim->calls++;
		nanosleep(&pause, NULL);
	}
}

static struct victim *make_victim(int fd)
{
	struct victim *victim = MUST(mmap(NULL, sizeof(*victim),
					  PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid = MUST(fork());

	if (!pid)
		suffer(fd, victim);
	victim->pid = pid;
	/* Past its first faults. */
	while (victim->calls < 3 * VICTIM)
		dxs_sleep_ms(1);
	memset((void *)victim->longest, 0, sizeof(victim->longest));
	return victim;
}

static void end_victim(struct victim *victim)
{
	uint64_t calls = victim->calls;

	/* The last call may still be in progress. */
	while (victim->calls < calls + CALLS)
		dxs_sleep_ms(1);
	kill(victim->pid, SIGKILL);
	MUST(waitpid(victim->pid, NULL, 0));
}

/* --- Files, in the mode before the switch. */

static off_t size_of(const struct curve *curve, long point)
{
	switch (curve->kind) {
	case SIZE:
	case ENTRIES:
		return point * PAGE;
	case DIRTY:
		return MOST * PAGE;
	default:
		return PART * PAGE;
	}
}

static void write_pages(int fd, long pages)
{
	char *buf = dxs_alloc(MIB);
	off_t pos;

	memset(buf, 'x', MIB);
	for (pos = 0; pos < pages * PAGE; pos += MIB)
		dxs_pwrite(fd, buf, MIB, pos);
	free(buf);
}

static void use_file(const struct curve *curve, long point, int fd)
{
	bool cached = dxs_mode(fd) == DAXSTACK_CACHED;
	off_t used = size_of(curve, point);

	if (curve->kind == SIZE)
		used = FEW * PAGE;
	if (cached)
		fill_cache(fd, used);
	else
		fill_dax(fd, used, MADV_POPULATE_READ);
	if (curve->kind != DIRTY)
		return;
	if (cached)
		write_pages(fd, point);
	else
		fill_dax(fd, point * PAGE, MADV_POPULATE_WRITE);
}

/* Processes with the whole file in their page tables. */
static pid_t *start_mappers(int fd, long processes)
{
	pid_t *pids = calloc(processes, sizeof(*pids));
	int ready[2];
	char byte;
	long i;

	MUST(pipe2(ready, O_CLOEXEC));
	for (i = 0; i < processes; i++) {
		pids[i] = MUST(fork());
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		map_unaligned(fd, PART * PAGE, MADV_POPULATE_READ);
		MUST(write(ready[1], "r", 1));
		for (;;)
			pause();
	}
	for (i = 0; i < processes; i++)
		MUST(read(ready[0], &byte, 1));
	close(ready[0]);
	close(ready[1]);
	return pids;
}

static void end_mappers(pid_t *pids, long processes)
{
	long i;

	for (i = 0; i < processes; i++) {
		kill(pids[i], SIGKILL);
		MUST(waitpid(pids[i], NULL, 0));
	}
	free(pids);
}

/* --- Points. */

static void print_point(const struct curve *curve, long point, int to)
{
	struct victim *victim = NULL;
	struct sampler sampler;
	struct daxstack_switch alone, sw;
	uint64_t start, all = 0, off = 0, where = 0;
	pid_t *pids = NULL;
	int fd, victims;

	fd = MUST(open("stack/curve", O_RDWR | O_CREAT | O_TRUNC, 0644));
	for (victims = 0; victims < 2; victims++) {
		MUST(ftruncate(fd, 0));
		MUST(ftruncate(fd, size_of(curve, point)));
		if (!dxs_to(fd, !to, "curve"))
			dxs_bail("cannot continue");
		use_file(curve, point, fd);
		if (curve->kind == PROCESSES)
			pids = start_mappers(fd, point);
		if (victims)
			victim = make_victim(fd);
		/* Memory freed meanwhile is freed by RCU. */
		dxs_sleep_ms(200);
		if (!victims) {
			sampler = make_sampler();
			MUST(ioctl(sampler.fd, PERF_EVENT_IOC_ENABLE, 0));
		}
		start = count();
		if (dxs_switch(fd, to, 20000, victims ? &sw : &alone))
			dxs_bail("%s, %ld: not switched", curve->name, point);
		if (!victims) {
			all = count() - start;
			MUST(ioctl(sampler.fd, PERF_EVENT_IOC_DISABLE, 0));
			off = longest_off(&sampler, 2, &where);
			end_sampler(&sampler);
		} else {
			end_victim(victim);
		}
		if (pids)
			end_mappers(pids, point);
		pids = NULL;
	}
	printf("{\"fs\": \"%s\", \"curve\": \"%s\", \"to\": \"%s\", \"at\": %ld, ",
	       dxs_fs, curve->name, dxs_mode_name(to), point);
	printf("\"all\": %ju, \"shut\": %ju, \"off\": %ju, ", (uintmax_t)all,
	       (uintmax_t)alone.shut_ns, (uintmax_t)off);
	printf("\"read\": %ju, \"write\": %ju, \"fault\": %ju}\n",
	       (uintmax_t)victim->longest[READ],
	       (uintmax_t)victim->longest[WRITE],
	       (uintmax_t)victim->longest[LOAD]);
	fflush(stdout);
	MUST(munmap(victim, sizeof(*victim)));
	close(fd);
	MUST(unlink("stack/curve"));
}

void print_curves(const char *only)
{
	const struct curve *curve;
	size_t i, k;

	sample_all();
	/* Only the switch shall write back. */
	dxs_must_put("/proc/sys/vm/dirty_ratio", "100");
	dxs_must_put("/proc/sys/vm/dirty_background_ratio", "100");
	dxs_must_put("/proc/sys/vm/dirty_writeback_centisecs", "0");
	dxs_mkfs(NULL);
	dxs_mount_stack();
	for (i = 0; i < ARRAY_SIZE(curves); i++) {
		curve = &curves[i];
		if (only && strcmp(only, curve->name))
			continue;
		for (k = 0; k < ARRAY_SIZE(curve->points) && curve->points[k];
		     k++) {
			print_point(curve, curve->points[k], DAXSTACK_DAX);
			print_point(curve, curve->points[k], DAXSTACK_CACHED);
		}
	}
	dxs_umount_stack();
}
