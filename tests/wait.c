// SPDX-License-Identifier: GPL-2.0-only
/*
 * Switches with a timeout wait. Asserts that a waiting switch succeeds as soon
 * as the obstacle is gone, can be interrupted and killed, and meanwhile neither
 * starves the users of the file nor blocks users of other files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(64 * PAGE)

/*
 * A user of the file may be blocked for at most this many seconds
 * (dxs_watched()).
 */
#define STALL	0.5
/*
 * A user must get this share of the work done without a waiting switch. To read a page
 * again that an attempt has dropped takes a debug kernel many times as long as any other
 * call, and the share measures mostly that: H86 of hazards counts the attempts instead.
 */
#define SHARE	(dxs_slow() > 1 ? 0.25 : 0.5)
/*
 * Number of measured periods, and seconds of each; dxs_slow() times as many on a slow
 * kernel, where the tasks take that much longer to read the file again after an attempt.
 */
#define PERIODS	5
#define PERIOD	0.1

/**
 * struct obstacle - something that a switch has to wait for
 * @policy: mount option under which it is an obstacle
 * @from: mode of the file
 * @reason: reason of a refusal
 */
struct obstacle {
	const char *name;
	const char *policy;
	int from;
	int reason;
	void (*put)(int fd);
	void (*clear)(void);
};

static uint8_t *obstacle_map;
static int obstacle_pipe[2];

static void put_map(int fd)
{
	obstacle_map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
				 fd, 0));
}

static void clear_map(void)
{
	MUST(munmap(obstacle_map, LEN));
}

static void put_map_sync(int fd)
{
	obstacle_map = MUST(dxs_map_sync(fd, LEN));
}

static void put_pin(int fd)
{
	put_map(fd);
	dxs_pin(obstacle_pipe, obstacle_map + PAGE);
	clear_map();
}

static void clear_pin(void)
{
	dxs_unpin(obstacle_pipe);
}

static const struct obstacle obstacles[] = {
	{ "mapping, to cached", "switch=unmapped", DAXSTACK_DAX,
	  DAXSTACK_REASON_MAPPED, put_map, clear_map },
	{ "mapping, to dax", "switch=unmapped", DAXSTACK_CACHED,
	  DAXSTACK_REASON_MAPPED, put_map, clear_map },
	{ "MAP_SYNC mapping", "switch=live", DAXSTACK_DAX,
	  DAXSTACK_REASON_MAP_SYNC, put_map_sync, clear_map },
	{ "pinned page, to cached", "switch=live", DAXSTACK_DAX,
	  DAXSTACK_REASON_PINNED, put_pin, clear_pin },
	{ "pinned page, to dax", "switch=live", DAXSTACK_CACHED,
	  DAXSTACK_REASON_PINNED, put_pin, clear_pin },
};

static int make_file(const char *path, int mode)
{
	uint8_t buf[LEN];
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));

	dxs_to(fd, mode, path);
	dxs_fill(buf, LEN, 7, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	return fd;
}

/* --- Processors. */

static void stay_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	MUST(sched_setaffinity(0, sizeof(cpus), &cpus));
}

/* --- A user of the file. */

struct worker {
	int fd;
	atomic_bool stop;
	atomic_long done;
	double worst;
	double rate;
	long calls;
	double took;
	double share;
	pthread_t thread;
};

/*
 * Reads and writes, timed together. All workers share a processor: the scheduler
 * gives each the same time of it, which it does not across processors.
 */
static void *work(void *arg)
{
	struct worker *worker = arg;
	struct dxs_watch begin;
	uint8_t page[PAGE];
	double took;
	off_t pos;

	stay_on(1);
	while (!worker->stop) {
		pos = worker->done % (LEN / PAGE) * PAGE;
		begin = dxs_watch();
		dxs_pread(worker->fd, page, PAGE, pos);
		dxs_pwrite(worker->fd, page, PAGE, pos);
		took = dxs_watched(&begin);
		if (took > worker->worst)
			worker->worst = took;
		worker->done++;
		/*
		 * On emulated processors the switching thread must get its
		 * share.
		 */
		if (!(worker->done % 64))
			dxs_sleep_ms(1);
	}
	return NULL;
}

static void begin_work(struct worker *worker, int fd)
{
	*worker = (struct worker){ .fd = fd };
	if (pthread_create(&worker->thread, NULL, work, worker))
		dxs_bail("cannot create a thread");
}

static void end_work(struct worker *worker)
{
	worker->stop = true;
	pthread_join(worker->thread, NULL);
}

/* --- A switch in a thread of its own. */

struct waiter {
	int fd;
	int to;
	int timeout_ms;
	int err;
	atomic_bool ended;
	struct daxstack_switch sw;
	pthread_t thread;
};

static void *wait_thread(void *arg)
{
	struct waiter *waiter = arg;

	stay_on(0);
	waiter->err = dxs_switch(waiter->fd, waiter->to, waiter->timeout_ms,
				 &waiter->sw);
	waiter->ended = true;
	return NULL;
}

static void begin_wait(struct waiter *waiter, int fd, int to, int timeout_ms)
{
	*waiter = (struct waiter){ .fd = fd, .to = to,
				   .timeout_ms = timeout_ms };
	if (pthread_create(&waiter->thread, NULL, wait_thread, waiter))
		dxs_bail("cannot create a thread");
}

static void end_wait(struct waiter *waiter)
{
	pthread_join(waiter->thread, NULL);
}

/* Returns once the switching thread sleeps in the ioctl. */
static void wait_until_waits(const struct waiter *waiter)
{
	struct dxs_watch begin = dxs_watch();

	while (!waiter->ended && dxs_watched(&begin) < 0.2)
		dxs_sleep_ms(5);
}

/* --- The switch succeeds as soon as it can; no user is delayed meanwhile. */

static void note_rate(struct worker *worker, long done, double took)
{
	worker->calls += worker->done - done;
	worker->took += took;
	worker->rate = worker->calls / worker->took;
}

/*
 * Measures the work of users of both files relative to the same work on a file
 * outside the stack at the same time: a busy machine does not measure seconds
 * well.
 */
static void measure(int fd, int other, struct worker *same,
		    struct worker *elsewhere)
{
	struct worker reference;
	struct dxs_watch begin;
	int i, outside;
	long done[3];
	double took;

	outside = MUST(open("/tmp/wait-outside", O_RDWR | O_CREAT, 0600));
	MUST(ftruncate(outside, LEN));
	begin_work(same, fd);
	begin_work(elsewhere, other);
	begin_work(&reference, outside);
	for (i = 0; i < PERIODS * dxs_slow(); i++) {
		done[0] = same->done;
		done[1] = elsewhere->done;
		done[2] = reference.done;
		begin = dxs_watch();
		while ((took = dxs_watched(&begin)) < PERIOD)
			dxs_sleep_ms(5);
		note_rate(same, done[0], took);
		note_rate(elsewhere, done[1], took);
		note_rate(&reference, done[2], took);
	}
	end_work(same);
	end_work(elsewhere);
	end_work(&reference);
	close(outside);
	same->share = same->rate / reference.rate;
	elsewhere->share = elsewhere->rate / reference.rate;
}

static void fair(const struct worker *before, const struct worker *during,
		 const char *obstacle, const char *whose)
{
	dxs_diag("%s, %s: %.0f calls/s before, %.0f while a switch waits, slowest %.1f ms",
		 obstacle, whose, 2 * before->rate, 2 * during->rate,
		 during->worst * 1000);
	dxs_diag("that is %.2f and %.2f of the same work elsewhere", before->share,
		 during->share);
	dxs_ok(during->share >= SHARE * before->share, "%s, %s: not starved",
	       obstacle, whose);
	dxs_ok(during->worst < STALL * dxs_slow(),
	       "%s, %s: not blocked", obstacle, whose);
}

static void test_obstacle(const struct obstacle *o)
{
	int fd = make_file("stack/file", o->from);
	int other = make_file("stack/other", o->from);
	struct worker same_before, other_before, same, elsewhere;
	struct dxs_watch cleared;
	struct waiter waiter;
	double took;

	dxs_remount(o->policy);
	measure(fd, other, &same_before, &other_before);

	o->put(fd);
	begin_wait(&waiter, fd, !o->from, -1);
	wait_until_waits(&waiter);
	measure(fd, other, &same, &elsewhere);
	fair(&same_before, &same, o->name, "users of the file");
	fair(&other_before, &elsewhere, o->name, "users of another file");
	dxs_is(o->from, dxs_mode(fd), "%s: the switch still waits", o->name);

	cleared = dxs_watch();
	o->clear();
	end_wait(&waiter);
	took = dxs_watched(&cleared);
	dxs_errno(0, waiter.err,
		  "%s: switched once the obstacle is gone", o->name);
	dxs_is(1, waiter.sw.switched, "%s: switched", o->name);
	if (!dxs_ok(took < 0.5 * dxs_slow(),
		    "%s: switched soon after", o->name))
		dxs_diag("seen: %.3f s", took);

	/* Without a timeout the refusal comes at once. */
	dxs_switch(fd, o->from, 30000, NULL);
	o->put(fd);
	cleared = dxs_watch();
	dxs_errno(EBUSY, dxs_switch(fd, !o->from, 0, &waiter.sw),
		  "%s: refused without a timeout", o->name);
	dxs_is(o->reason, waiter.sw.reason, "%s: reason", o->name);
	dxs_ok(dxs_watched(&cleared) < 0.5, "%s: refused at once", o->name);
	o->clear();
	dxs_remount("switch=live");
	close(fd);
	close(other);
}

/* --- A waiting switch does not keep write access to the mount. */

static void test_remount(void)
{
	int fd = make_file("stack/file", DAXSTACK_DAX);
	struct dxs_watch begin;
	struct waiter waiter;

	close(fd);
	fd = MUST(open("stack/file", O_RDONLY));
	dxs_remount("switch=unmapped");
	obstacle_map = MUST(mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0));
	begin_wait(&waiter, fd, DAXSTACK_CACHED, -1);
	wait_until_waits(&waiter);
	begin = dxs_watch();
	dxs_errno(0, ERR(mount(NULL, "stack", NULL, MS_REMOUNT | MS_RDONLY,
			       NULL)), "remount,ro while a switch waits");
	dxs_ok(dxs_watched(&begin) < 1,
	       "remount,ro while a switch waits: does not block");
	end_wait(&waiter);
	dxs_errno(EROFS, waiter.err, "remount,ro: the waiting switch ends");
	dxs_remount("");

	/* A changed policy also applies to waiting switches. */
	begin_wait(&waiter, fd, DAXSTACK_CACHED, 60000);
	wait_until_waits(&waiter);
	dxs_remount("switch=live");
	end_wait(&waiter);
	dxs_errno(0, waiter.err,
		  "remount,switch=live lets the waiting switch succeed");
	MUST(munmap(obstacle_map, LEN));
	close(fd);
}

/*
 * --- A page that arrives while a switch waits, in a file that had none. It
 * stays in an LRU batch of the CPU that read it until the switch drains the
 * batches.
 */

struct late {
	int fd;
	atomic_bool done;
	atomic_bool stop;
};

static void *read_late(void *arg)
{
	struct late *late = arg;
	uint8_t byte;

	stay_on(1);
	dxs_pread(late->fd, &byte, 1, 0);
	late->done = true;
	/* A thread that exits might drain the batch. */
	while (!late->stop)
		dxs_sleep_ms(1);
	return NULL;
}

static void test_late_page(void)
{
	struct late late = { .fd = make_file("stack/file", DAXSTACK_CACHED) };
	struct daxstack_state state;
	struct waiter waiter;
	pthread_t thread;
	cpu_set_t cpus;

	MUST(sched_getaffinity(0, sizeof(cpus), &cpus));
	stay_on(0);
	MUST(fsync(late.fd));
	if (posix_fadvise(late.fd, 0, 0, POSIX_FADV_DONTNEED) ||
	    posix_fadvise(late.fd, 0, 0, POSIX_FADV_RANDOM))
		dxs_bail("posix_fadvise: %m");
	MUST(ioctl(late.fd, DAXSTACK_IOC_STATE, &state));
	dxs_is(0, state.pages, "late page: none at first");
	dxs_mount_lower();
	begin_wait(&waiter, late.fd, DAXSTACK_DAX, 60000);
	wait_until_waits(&waiter);
	if (pthread_create(&thread, NULL, read_late, &late))
		dxs_bail("cannot create a thread");
	while (!late.done)
		dxs_sleep_ms(1);
	dxs_umount_lower();
	end_wait(&waiter);
	dxs_errno(0, waiter.err, "late page: does not obstruct the switch");
	dxs_str("NONE", dxs_reason_name(waiter.sw.reason),
		"late page: reason");
	late.stop = true;
	pthread_join(thread, NULL);
	MUST(sched_setaffinity(0, sizeof(cpus), &cpus));
	close(late.fd);
}

/* --- Signals. */

static void test_kill(const struct obstacle *o)
{
	int fd = make_file("stack/file", o->from);
	struct dxs_watch begin;
	int status;
	pid_t pid;

	dxs_remount(o->policy);
	o->put(fd);
	pid = MUST(fork());
	if (!pid)
		_exit(dxs_switch(fd, !o->from, -1, NULL));
	begin = dxs_watch();
	while (dxs_watched(&begin) < 0.2)
		dxs_sleep_ms(5);
	begin = dxs_watch();
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, &status, 0));
	dxs_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	       "%s: the waiting switch can be killed", o->name);
	dxs_ok(dxs_watched(&begin) < 1, "%s: dies soon", o->name);
	dxs_is(o->from, dxs_mode(fd), "%s: the mode is unchanged", o->name);
	/* The child had a copy of the pipe and of the mapping. */
	o->clear();
	dxs_errno(0, dxs_switch(fd, !o->from, 30000, NULL),
		  "%s: the killed switch leaves no obstacle", o->name);
	dxs_remount("switch=live");
	close(fd);
}

/* --- mmap during a switch waits, then maps in the new mode. */

struct mapper {
	int fd;
	atomic_bool stop;
	atomic_long done;
	long wrong;
};

static void *map_loop(void *arg)
{
	struct mapper *mapper = arg;
	uint8_t expected[PAGE];

	while (!mapper->stop) {
		off_t pos = mapper->done % (LEN / PAGE) * PAGE;
		uint8_t *map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					 MAP_SHARED, mapper->fd, pos));

		dxs_fill(expected, PAGE, 7, pos);
		mapper->wrong += !!memcmp(map, expected, PAGE);
		memcpy(map, expected, PAGE);
		MUST(munmap(map, PAGE));
		mapper->done++;
		if (!(mapper->done % 16))
			dxs_sleep_ms(1);
	}
	return NULL;
}

static void test_mmap_race(void)
{
	struct mapper mapper = { .fd = make_file("stack/file", DAXSTACK_DAX) };
	pthread_t thread;
	int switched = 0, failed = 0, to = DAXSTACK_CACHED;

	dxs_remount("switch=unmapped");
	if (pthread_create(&thread, NULL, map_loop, &mapper))
		dxs_bail("cannot create a thread");
	/* The first switch that is starved ends the test. */
	for (; !failed && (switched < 500 || mapper.done < 500); to = !to) {
		if (dxs_switch(mapper.fd, to, 30000, NULL))
			failed++;
		else
			switched++;
	}
	mapper.stop = true;
	pthread_join(thread, NULL);
	dxs_diag("%d switches between %ld mappings", switched,
		 (long)mapper.done);
	dxs_is(0, failed, "mmap races with switches: no switch times out");
	dxs_ok(switched > 10, "mmap races with switches: switches succeed");
	dxs_is(0, mapper.wrong, "mmap races with switches: contents");
	dxs_remount("switch=live");
	close(mapper.fd);
}

int main(void)
{
	size_t i;

	dxs_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		dxs_bail("needs two processors");
	dxs_watch_begin();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	for (i = 0; i < ARRAY_SIZE(obstacles); i++)
		test_obstacle(&obstacles[i]);
	for (i = 0; i < ARRAY_SIZE(obstacles); i++)
		test_kill(&obstacles[i]);
	test_remount();
	test_late_page();
	test_mmap_race();
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
