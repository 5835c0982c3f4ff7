// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the grace periods, inter-processor interrupts and TLB flushes of a
 * switch, with 1, 2, 4 and 8 busy processors. An idle processor is skipped by
 * RCU and would hide part of the cost. Asserts upper bounds.
 *
 * Probes count the grace periods and flushes that the switching task starts.
 * Interrupts are counted for the whole machine (/proc/interrupts) during the
 * switch, so others may cause some: the least of several switches counts.
 *
 * With --json prints all counts, including the interrupts of wakeups, for the online
 * processors.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dxs_test.h"

#define TRACING		"/sys/kernel/tracing"
#define DEBUG		"/sys/kernel/debug"
#define MAX_CPUS	8
#define SWITCHES	4
#define SIZE		(64 * KIB)

/*
 * How the file is used during the switch; tasks without a use keep a CPU busy.
 */
enum use { UNTOUCHED, IDLE, MAPPED, IO, USES };

static const char *const use_names[] = { "untouched", "idle", "mapped", "I/O" };

/**
 * struct counts - of one switch
 * @expedited: expedited grace periods
 * @normal: normal grace periods
 * @shootdowns: TLB flushes on other processors, caused by a zap
 * @local: flushes of the processor's own TLB, caused by a zap
 * @calls: function call interrupts of all processors, for any reason
 * @flushed: those of @calls that flush a TLB
 * @reschedules: reschedule interrupts
 * @sleeps: voluntary context switches of the switching task
 */
struct counts {
	uint64_t expedited, normal, shootdowns, local;
	uint64_t calls, flushed, reschedules, sleeps;
};

/* --- Counters. */

/* reason of tlb:tlb_flush, see enum tlb_flush_reason */
#define LOCAL_SHOOTDOWN		"reason == 2 || reason == 3"
#define SEND_IPI		"reason == 4"

static int counters[4];

static void put(const char *path, const char *value)
{
	int fd = MUST(open(path, O_WRONLY | O_APPEND));

	MUST(write(fd, value, strlen(value)));
	close(fd);
}

/* Counts an event of this task only. */
static int count_event(const char *event, const char *filter)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	char path[128], id[32] = "";
	int fd;

	snprintf(path, sizeof(path), TRACING "/events/%s/id", event);
	fd = MUST(open(path, O_RDONLY));
	MUST(read(fd, id, sizeof(id) - 1));
	close(fd);
	attr.config = strtoull(id, NULL, 10);
	fd = MUST(syscall(SYS_perf_event_open, &attr, 0, -1, -1,
			  PERF_FLAG_FD_CLOEXEC));
	if (filter)
		MUST(ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter));
	return fd;
}

/*
 * A wakeup of a task of another processor is a function call interrupt, too, where the
 * two share no cache, and so is the programming of that processor's timer. How many
 * there are depends on where the scheduler has put the kernel's threads: on a busy host
 * one more in every switch. Wakeups are left to reschedule interrupts, which are not
 * bounded.
 */
static void leave_calls_to_switches(void)
{
	if (access(DEBUG "/sched/features", F_OK))
		MUST(mount("none", DEBUG, "debugfs", 0, NULL));
	put(DEBUG "/sched/features", "NO_TTWU_QUEUE");
	put(DEBUG "/sched/features", "NO_HRTICK");
}

static void make_counters(void)
{
	if (access(TRACING "/kprobe_events", F_OK))
		MUST(mount("none", TRACING, "tracefs", 0, NULL));
	put(TRACING "/kprobe_events",
	    "p:switchcount/expedited synchronize_rcu_expedited\n");
	put(TRACING "/kprobe_events",
	    "p:switchcount/normal synchronize_rcu\n");
	counters[0] = count_event("switchcount/expedited", NULL);
	counters[1] = count_event("switchcount/normal", NULL);
	counters[2] = count_event("tlb/tlb_flush", SEND_IPI);
	counters[3] = count_event("tlb/tlb_flush", LOCAL_SHOOTDOWN);
}

static uint64_t read_counter(int fd)
{
	uint64_t value;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		dxs_bail("cannot read a counter: %m");
	return value;
}

/* Returns the interrupts of one kind on all processors. */
static uint64_t count_interrupts(const char *text, const char *kind)
{
	const char *line = strstr(text, kind);
	uint64_t sum = 0, n;
	int len;

	if (!line)
		dxs_bail("no %s in /proc/interrupts", kind);
	line += strlen(kind);
	while (sscanf(line, " %" SCNu64 "%n", &n, &len) == 1) {
		sum += n;
		line += len;
	}
	return sum;
}

static struct counts read_counts(void)
{
	static char text[64 * KIB];
	struct counts counts;
	struct rusage usage;
	size_t len = 0;
	ssize_t n;
	int fd = MUST(open("/proc/interrupts", O_RDONLY));

	while ((n = MUST(read(fd, text + len, sizeof(text) - 1 - len))))
		len += n;
	text[len] = 0;
	close(fd);
	counts.calls = count_interrupts(text, "CAL:");
	counts.flushed = count_interrupts(text, "TLB:");
	counts.reschedules = count_interrupts(text, "RES:");
	MUST(getrusage(RUSAGE_THREAD, &usage));
	counts.sleeps = usage.ru_nvcsw;
	counts.expedited = read_counter(counters[0]);
	counts.normal = read_counter(counters[1]);
	counts.shootdowns = read_counter(counters[2]);
	counts.local = read_counter(counters[3]);
	return counts;
}

static struct counts since(struct counts then)
{
	struct counts now = read_counts();
	uint64_t *to = (uint64_t *)&now;
	const uint64_t *from = (const uint64_t *)&then;
	size_t i;

	for (i = 0; i < sizeof(now) / sizeof(*to); i++)
		to[i] -= from[i];
	return now;
}

/* --- Tasks that keep all processors busy, except the first, which switches. */

static pid_t users[MAX_CPUS];

static void stay_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	MUST(sched_setaffinity(0, sizeof(cpus), &cpus));
}

static void use_for_ever(enum use use, const char *name, int ready)
{
	volatile char *map = NULL;
	char *buf = dxs_alloc(PAGE);
	int fd = -1, n;

	if (use == MAPPED || use == IO)
		fd = MUST(open(name, O_RDWR));
	if (use == MAPPED)
		map = MUST(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0));
	memset(buf, 'x', PAGE);
	for (n = 0;; n++) {
		if (map)
			(void)map[n % (SIZE / PAGE) * PAGE];
		else if (use == IO && n % 2)
			dxs_pwrite(fd, buf, PAGE, n % (SIZE / PAGE) * PAGE);
		else if (use == IO)
			dxs_pread(fd, buf, PAGE, n % (SIZE / PAGE) * PAGE);
		if (n == 2 * (SIZE / PAGE))
			MUST(write(ready, "r", 1));
	}
}

static void start_users(enum use use, const char *name, int cpus)
{
	int ready[2], cpu;
	char byte;

	MUST(pipe2(ready, O_CLOEXEC));
	for (cpu = 1; cpu < cpus; cpu++) {
		users[cpu] = MUST(fork());
		if (!users[cpu]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			stay_on(cpu);
			use_for_ever(use, name, ready[1]);
		}
	}
	for (cpu = 1; cpu < cpus; cpu++)
		MUST(read(ready[0], &byte, 1));
	close(ready[0]);
	close(ready[1]);
}

static void end_users(int cpus)
{
	int cpu;

	for (cpu = 1; cpu < cpus; cpu++) {
		kill(users[cpu], SIGKILL);
		MUST(waitpid(users[cpu], NULL, 0));
	}
}

/* --- Switches. */

static void make_file(const char *name, enum use use)
{
	char *buf = dxs_alloc(SIZE);
	int fd = MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));

	memset(buf, 'x', SIZE);
	dxs_pwrite(fd, buf, SIZE, 0);
	close(fd);
	free(buf);
	sync();
	/* The process that reloads it must not use its data. */
	if (use == UNTOUCHED)
		put("/proc/sys/vm/drop_caches", "3");
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Counts one switch. If it takes several attempts, divides by them, rounding
 * up.
 */
static struct counts count_switch(int fd, int to)
{
	struct counts counts = read_counts();
	struct daxstack_switch sw;
	int err = dxs_switch(fd, to, 20000, &sw);

	counts = since(counts);
	if (err)
		dxs_bail("to %s: %s, reason %s", dxs_mode_name(to),
			 strerror(err), dxs_reason_name(sw.reason));
	counts.expedited = (counts.expedited + sw.attempts - 1) / sw.attempts;
	return counts;
}

/* Takes the least of several; the most for grace periods. */
static void add(struct counts *all, struct counts one)
{
	uint64_t *to = (uint64_t *)all;
	const uint64_t *from = (const uint64_t *)&one;
	struct counts most = *all;
	size_t i;

	if (one.expedited > most.expedited)
		most.expedited = one.expedited;
	if (one.normal > most.normal)
		most.normal = one.normal;
	for (i = 0; i < sizeof(one) / sizeof(*to); i++)
		to[i] = least(to[i], from[i]);
	all->expedited = most.expedited;
	all->normal = most.normal;
}

static void count_use(enum use use, int cpus, struct counts counts[2])
{
	struct counts one;
	char name[32], byte;
	int fd, i, to;

	for (to = 0; to < 2; to++) {
		memset(&counts[to], 0xff, sizeof(counts[to]));
		counts[to].expedited = 0;
		counts[to].normal = 0;
	}
	snprintf(name, sizeof(name), "stack/%s-%d",
		 use == IO ? "io" : use_names[use], cpus);
	make_file(name, use);
	fd = MUST(open(name, O_RDWR));
	start_users(use, name, cpus);
	for (i = 0; i < SWITCHES; i++) {
		for (to = 0; to < 2; to++) {
			/*
			 * The mapping task must have faulted its page in again.
			 */
			dxs_sleep_ms(use == MAPPED ? 50 : 0);
			one = count_switch(fd, to ? DAXSTACK_CACHED :
						    DAXSTACK_DAX);
			add(&counts[to], one);
		}
		if (use == IDLE)
			dxs_pread(fd, &byte, 1, 0);
	}
	end_users(cpus);
	close(fd);
	MUST(unlink(name));
}

/* --- Output. */

static void print_counts(enum use use, int cpus, int to,
			 const struct counts *counts)
{
	printf("{\"fs\": \"%s\", \"counts\": \"%s\", \"to\": \"%s\", ",
	       dxs_fs, use_names[use], dxs_mode_name(to));
	printf("\"cpus\": %d, \"expedited\": %ju, \"normal\": %ju, ", cpus,
	       (uintmax_t)counts->expedited, (uintmax_t)counts->normal);
	printf("\"shootdowns\": %ju, \"local\": %ju, \"calls\": %ju, ",
	       (uintmax_t)counts->shootdowns, (uintmax_t)counts->local,
	       (uintmax_t)counts->calls);
	printf("\"flushed\": %ju, \"reschedules\": %ju, \"sleeps\": %ju}\n",
	       (uintmax_t)counts->flushed, (uintmax_t)counts->reschedules,
	       (uintmax_t)counts->sleeps);
	fflush(stdout);
}

/*
 * The grace periods that a switch may wait for: one before the gates close; on
 * the way to cached one after the flip (H31), and one after the zap of a file
 * mapped in dax mode (H25).
 */
static uint64_t most_expedited(enum use use, int to)
{
	if (use == UNTOUCHED)
		return 0;
	if (to == DAXSTACK_DAX)
		return 1;
	return use == MAPPED ? 3 : 2;
}

static void check_counts(enum use use, int cpus, int to,
			 const struct counts *counts)
{
	uint64_t others = cpus - 1, expedited = most_expedited(use, to);
	uint64_t flushes = 0, calls = 2 * others * expedited;
	char name[80];

	/*
	 * A VMA is zapped with the gates open, and once more if its page was
	 * used meanwhile. An expedited grace period may interrupt a processor
	 * twice. Users of the file wait at both gates and are woken, a worker
	 * drains the LRU batches, and all TLBs are flushed once (H57).
	 */
	if (use == MAPPED)
		flushes = 2 * others;
	if (use == MAPPED || use == IO)
		calls += 7 * others + flushes;

	snprintf(name, sizeof(name), "%s, %d processor%s, to %s",
		 use_names[use], cpus, cpus == 1 ? "" : "s",
		 dxs_mode_name(to));
	dxs_ok(counts->expedited <= expedited,
	       "%s: at most %ju expedited grace periods", name,
	       (uintmax_t)expedited);
	dxs_is(0, counts->normal, "%s: no normal grace period", name);
	dxs_ok(counts->shootdowns + counts->local <= flushes,
	       "%s: at most %ju flushes of TLBs", name, (uintmax_t)flushes);
	dxs_ok(counts->calls <= calls,
	       "%s: at most %ju function call interrupts", name,
	       (uintmax_t)calls);
	/* The switch waits only for grace periods and for users of the file. */
	if (use == UNTOUCHED || use == IDLE)
		dxs_ok(counts->sleeps <= expedited,
		       "%s: sleeps at most %ju times", name,
		       (uintmax_t)expedited);
	dxs_diag("%s: %ju expedited, %ju shootdowns, %ju local", name,
		 (uintmax_t)counts->expedited, (uintmax_t)counts->shootdowns,
		 (uintmax_t)counts->local);
	dxs_diag("%ju calls (%ju to flush), %ju reschedules, %ju sleeps",
		 (uintmax_t)counts->calls, (uintmax_t)counts->flushed,
		 (uintmax_t)counts->reschedules, (uintmax_t)counts->sleeps);
}

static void count_all(int cpus, bool json)
{
	struct counts counts[2];
	enum use use;
	int to;

	for (use = 0; use < USES; use++) {
		count_use(use, cpus, counts);
		for (to = 0; to < 2; to++) {
			int mode = to ? DAXSTACK_CACHED : DAXSTACK_DAX;

			if (json)
				print_counts(use, cpus, mode, &counts[to]);
			else
				check_counts(use, cpus, mode, &counts[to]);
		}
	}
}

/* Leaves @cpus processors, from number @from on, to this task. */
static void keep_cpus(int from, int cpus)
{
	char path[64];
	int cpu;

	for (cpu = cpus; cpu < from; cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", cpu);
		put(path, "0");
	}
}

int main(int argc, char *argv[])
{
	bool json = argc > 1 && !strcmp(argv[1], "--json");
	int online = sysconf(_SC_NPROCESSORS_ONLN), cpus;

	dxs_begin();
	if (online > MAX_CPUS)
		dxs_bail("more than %d processors", MAX_CPUS);
	stay_on(0);
	if (!json)
		leave_calls_to_switches();
	make_counters();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	for (cpus = online; cpus; cpus /= 2) {
		keep_cpus(online, cpus);
		count_all(cpus, json);
		if (json)
			break;
	}
	dxs_umount_stack();
	return json ? 0 : dxs_done();
}
