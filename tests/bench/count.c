// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting instructions.
 *
 * A call has two parts. The direct part runs from the instruction before it to
 * the one after it, in many calls without an interrupt: they are made between
 * two timer ticks, and no other task gets the processor. Deferred work waits
 * until then. It is counted by sleeping until no work is left: the instructions
 * executed meanwhile, less those of sleeping for the same time once more.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "mark.h"

/* A call that ends more than this after the previous one was interrupted. */
#define GAP		500

/*
 * Two settling periods without work differ by up to this many instructions,
 * even without periodic work: time is kept in steps. Periodic work makes some
 * of them differ by more; if that is possible, further batches are made.
 */
#define RESOLUTION	2000
#define DISTURBED	20000

static int quiesce;		/* see scripts/measure/quiesce */
static uint64_t ticked, period;	/* the kernel's timer tick */
static uint64_t longest;	/* longest call */
static bool measuring;		/* not warming up */
static uint64_t nothing;	/* cost of an empty call */

static inline uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ __volatile__("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* --- Have the processor alone. */

static void setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* Not every kernel has all of them, nor is XFS always loaded. */
	if (fd < 0)
		return;
	MUST(write(fd, value, strlen(value)));
	close(fd);
}

static void priority(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	MUST(sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &param));
}

/* No other task may run, and no periodic work. */
static void be_alone(void)
{
	setting("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	setting("/proc/sys/vm/dirty_writeback_centisecs", "0");
	setting("/proc/sys/vm/dirtytime_expire_seconds", "0");
	setting("/proc/sys/vm/stat_interval", "1000000");
	setting("/proc/sys/vm/compaction_proactiveness", "0");
	setting("/proc/sys/fs/xfs/xfssyncd_centisecs", "720000");
	setting("/sys/module/damon_stat/parameters/enabled", "N");
	setting("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs",
		"4000000000");
	priority(SCHED_FIFO, 50);
	MUST(mlockall(MCL_CURRENT));
}

/* --- Between two ticks. */

static void wait_tick(void)
{
	uint64_t last = tsc();

	for (;;) {
		ticked = tsc();
		if (ticked - last > GAP)
			return;
		last = ticked;
	}
}

static void measure_period(void)
{
	uint64_t before;
	int i;

	for (period = UINT64_MAX, i = 0; i < 4; i++) {
		before = ticked;
		wait_tick();
		if (i && ticked - before < period)
			period = ticked - before;
	}
}

/* Waits for the next tick if a call would not end before it. */
static void stay_clear(void)
{
	uint64_t need = longest + longest / 4 + 10000;

	if (need < period && tsc() - ticked + need > period)
		wait_tick();
}

static uint64_t time_call(struct bench *b, const struct bench_call *call, int i)
{
	uint64_t from, to;
	bool good;

	if (call->prepare)
		call->prepare(b, i);
	stay_clear();
	if (measuring)
		MARK_CALL();
	from = tsc();
	good = call->call(b, i);
	to = tsc();
	MARK_OTHER();
	if (!good)
		dxs_bail("%s: %m", call->name);
	return to - from;
}

static uint64_t make_calls(struct bench *b, const struct bench_call *call, int n)
{
	uint64_t sum = 0, one;
	int i;

	for (i = 0; i < n; i++) {
		one = time_call(b, call, i);
		sum += one;
		if (one > longest)
			longest = one;
	}
	return sum;
}

static bool do_nothing(struct bench *b, int i)
{
	(void)b;
	(void)i;
	return true;
}

/* --- Until no deferred work is left. */

/* Instructions executed; the TSC stands still while the processor is halted. */
static uint64_t executed(void)
{
	char text[32] = "";

	MUST(pread(quiesce, text, sizeof(text) - 1, 0));
	return tsc() - strtoull(text, NULL, 10);
}

static double settle(void)
{
	uint64_t from;

	/* The kernel's timer then has the same work each time. */
	wait_tick();
	from = executed();
	MUST(write(quiesce, "", 1));
	return (double)(executed() - from);
}

/*
 * Periodic work might fall into each of the waits if its period matches; so
 * each further batch takes longer.
 */
static void shift(int batch)
{
	for (; batch >= BATCHES; batch--)
		wait_tick();
}

/*
 * Runs for as long as the calls did, for effects of the busy processor itself.
 */
static void spin(uint64_t time)
{
	uint64_t from = tsc();
	int i;

	while (tsc() - from < time)
		for (i = 0; i < 1000; i++)
			__asm__ __volatile__("");
}

/* --- Both parts, each from the batch with the least: disturbances only add. */

/* So that everything is cached and the slabs have their final size. */
static void warm_up(struct bench *b, const struct bench_call *call, int n)
{
	int batch;

	longest = 0;
	for (batch = 0; !call->once && batch < BATCHES; batch++) {
		bench_enter(b, batch);
		make_calls(b, call, (n + 7) / 8 * 2);
		bench_leave();
	}
	settle();
}

bool count_call(struct bench *b, const struct bench_call *call,
		struct bench_count *count)
{
	double direct, left = INFINITY, none = INFINITY;
	uint64_t from, took;
	int n = call->calls / BATCHES, batch;

	if (call->begin && !call->begin(b))
		return false;
	warm_up(b, call, n);
	measuring = true;
	count->direct = INFINITY;
	for (batch = 0; batch < BATCHES ||
	     (!call->once && batch < 4 * BATCHES && fabs(left - none) > RESOLUTION &&
	      fabs(left - none) < DISTURBED); batch++) {
		bench_enter(b, batch % BATCHES);
		shift(batch);
		wait_tick();
		from = tsc();
		direct = (double)make_calls(b, call, n) / n - (double)nothing;
		took = tsc() - from;
		bench_leave();
		/*
		 * Further batches are for what is left. ext4 finds free blocks
		 * faster from batch to batch: a layer with more of them would
		 * look cheaper.
		 */
		if (batch < BATCHES)
			count->direct = fmin(count->direct, direct);

		MARK_LATER();
		left = fmin(left, settle());
		MARK_OTHER();
		shift(batch);
		wait_tick();
		spin(took);
		MARK_NOTHING();
		none = fmin(none, settle());
		MARK_OTHER();
	}
	measuring = false;
	count->later = fabs(left - none) < RESOLUTION ? 0 : (left - none) / n;
	if (call->end)
		call->end(b);
	return true;
}

long count_total(const struct bench_count *count)
{
	return lround(count->direct + count->later);
}

bool count_plainly(struct bench *b, const struct bench_call *call, int n,
		   struct bench_count *count)
{
	int i;
	uint64_t from;

	if (call->begin && !call->begin(b))
		return false;
	warm_up(b, call, call->calls / BATCHES);
	bench_enter(b, 0);
	priority(SCHED_OTHER, 0);
	from = tsc();
	for (i = 0; i < n; i++) {
		if (call->prepare)
			call->prepare(b, i);
		if (!call->call(b, i))
			dxs_bail("%s: %m", call->name);
	}
	count->direct = (double)(tsc() - from) / n;
	count->later = 0;
	priority(SCHED_FIFO, 50);
	bench_leave();
	if (call->end)
		call->end(b);
	return true;
}

void count_begin(void)
{
	static const struct bench_call empty = { .name = "nothing", .call = do_nothing };
	uint64_t one;
	int i;

	quiesce = open("/proc/quiesce", O_RDWR | O_CLOEXEC);
	if (quiesce < 0 && !DXS_RUN("modprobe", "quiesce"))
		quiesce = open("/proc/quiesce", O_RDWR | O_CLOEXEC);
	if (quiesce < 0)
		dxs_bail("no /proc/quiesce: scripts/measure/build-quiesce makes the module");
	be_alone();
	measure_period();
	for (nothing = UINT64_MAX, i = 0; i < 10; i++) {
		one = time_call(NULL, &empty, i);
		if (one < nothing)
			nothing = one;
	}
}
