// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals at every moment of a switch: the switch succeeds or returns EINTR,
 * and is never half done. Only waits of a switch are interruptible.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interactions.h"

/*
 * Switches with FS_IOC_FSSETXATTR and sets another attribute in the same call,
 * which must do both or neither.
 */
static int switch_both(int fd, int to)
{
	struct fsxattr fsx;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags &= ~(FS_XFLAG_DAX | FS_XFLAG_NODUMP);
	if (to == DAXSTACK_DAX)
		fsx.fsx_xflags |= FS_XFLAG_DAX | FS_XFLAG_NODUMP;
	return ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
}

static bool both_agree(int fd)
{
	struct fsxattr fsx;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	return !(fsx.fsx_xflags & FS_XFLAG_DAX) ==
		!(fsx.fsx_xflags & FS_XFLAG_NODUMP);
}

/* --- SIGKILL. */

#define KILLS	150

static void *switch_by_flag(void *arg)
{
	int fd = *(int *)arg;

	for (;;)
		dxs_set_xflag(fd, ia_random(2));
	return NULL;
}

/* Stores, writes and switches until killed. */
static void use_until_killed(int i, int fd, volatile uint64_t *map, atomic_long *begun)
{
	pthread_t thread;
	uint64_t j;

	srandom(i);
	if (i % 3 == 1 && pthread_create(&thread, NULL, switch_by_flag, &fd))
		_exit(1);
	for (j = 0;; j++) {
		map[j % PAGES * PAGE / 8] = j;
		pwrite(fd, &j, HEAD, (j + 5) % PAGES * PAGE);
		++*begun;
		if (i % 3 == 2)
			switch_both(fd, !dxs_mode(fd));
		else
			dxs_switch(fd, !dxs_mode(fd), 100, NULL);
	}
}

void check_kill(void)
{
	int fd = ia_file("stack/kill", DAXSTACK_CACHED), i, half = 0, hung = 0;
	volatile uint64_t *map = ia_map(fd);
	atomic_long *begun = ia_shared(PAGE);
	int alive = 0, bad = 0;
	double end;
	long before;
	pid_t pid;

	for (i = 0; i < KILLS; i++) {
		before = *begun;
		if (i % 3 == 2)
			bad += switch_both(fd, !dxs_mode(fd)) != 0;
		pid = MUST(fork());
		if (!pid)
			use_until_killed(i, fd, map, begun);
		for (end = ia_end(); *begun == before && ia_now() < end;)
			usleep(200);
		alive += *begun > before;
		usleep(ia_random(12000));
		MUST(kill(pid, SIGKILL));
		hung += ia_wait(pid) < 0;
		half += !ia_agree(fd) + (i % 3 == 2 && !both_agree(fd));
		if (i % 10 == 0)
			bad += !dxs_to(fd, !dxs_mode(fd), "killed") +
				!ia_bytes(fd, "killed");
	}
	dxs_is(KILLS, alive, "killed during switches: all were switching");
	dxs_is(0, hung, "killed during switches: all died");
	dxs_is(0, half, "killed during switches: mode and flag agree");
	dxs_is(0, bad, "killed during switches: other users are not affected");
	dxs_diag("kill: %ld switches started", *begun);
	ia_well(fd, "killed during switches");
	MUST(munmap((void *)map, LEN));
	MUST(munmap(begun, PAGE));
	close(fd);
}

/* --- SIGALRM. */

/**
 * struct tally - results of switches under a storm of signals
 * @half: mode and flag disagree, or do not match the result
 * @other: neither success nor EINTR nor an expected EBUSY
 * @signals: number of signals
 * @both: switches that also set another attribute
 */
struct tally {
	atomic_long done;
	atomic_long interrupted;
	atomic_long busy;
	atomic_long half;
	atomic_long other;
	atomic_long signals;
	atomic_long both;
};

static struct tally *tally;

static void on_alarm(int signal)
{
	(void)signal;
	tally->signals++;
}

/* Starts a signal every 3 ms, the first within @us. */
static void start_signals(int flags, int us)
{
	const struct sigaction action = { .sa_handler = on_alarm,
					  .sa_flags = flags };
	struct itimerval timer = {
		.it_value.tv_usec = 100 + ia_random(us),
		.it_interval.tv_usec = 3000,
	};

	MUST(sigaction(SIGALRM, &action, NULL));
	MUST(setitimer(ITIMER_REAL, &timer, NULL));
}

static void stop_signals(void)
{
	static const struct itimerval off;

	MUST(setitimer(ITIMER_REAL, &off, NULL));
}

/* Makes one switch while a storm starts. */
static void try_switch(int fd, int timeout_ms, int flags, bool by_flag)
{
	int from = dxs_mode(fd), err, now;
	struct daxstack_switch sw = { 0 };

	start_signals(flags, 5000);
	err = by_flag ? switch_both(fd, !from) :
			dxs_switch(fd, !from, timeout_ms, &sw);
	stop_signals();
	now = dxs_mode(fd);
	tally->done += !err;
	tally->interrupted += err == EINTR;
	tally->busy += err == EBUSY;
	tally->other += err && err != EINTR && err != EBUSY;
	if (!ia_agree(fd) || now != (err ? from : !from) ||
	    (err == EINTR && !by_flag &&
	     sw.reason != DAXSTACK_REASON_INTERRUPTED)) {
		dxs_diag("from %s: %s, now %s, flag %d, reason %s",
			 dxs_mode_name(from), strerror(err), dxs_mode_name(now),
			 dxs_xflag(fd), dxs_reason_name(sw.reason));
		tally->half++;
	}
}

/* Runs @what in a process of its own, which gets all the signals. */
static void run_under_signals(void (*what)(int fd, void *arg), int fd, void *arg,
			      const char *name)
{
	pid_t pid;

	memset(tally, 0, sizeof(*tally));
	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		what(fd, arg);
		_exit(0);
	}
	dxs_is(0, ia_wait(pid), "signals, %s: the process ends", name);
	dxs_diag("signals, %s: %ld done, %ld interrupted, %ld busy, %ld signals",
		 name, tally->done, tally->interrupted, tally->busy,
		 tally->signals);
	dxs_is(0, tally->half, "signals, %s: no switch is half done", name);
	dxs_is(0, tally->other, "signals, %s: success or EINTR", name);
}

#define TRIES	80
#define BIG	(8 * MIB)

/*
 * Only long reads delay the switches: signals interrupt the wait for readers.
 */
static void try_reads(int fd, void *map)
{
	bool by_flag;
	int i;

	for (i = 0; i < TRIES || ((tally->done < 10 || tally->interrupted < 10) &&
				  i < 50 * TRIES); i++) {
		memset((uint8_t *)map + i % PAGES * PAGE, i, HEAD);
		by_flag = i / 8 % 2;
		if (by_flag && i % 8 == 0)
			switch_both(fd, !dxs_mode(fd));
		if (by_flag && !both_agree(fd))
			continue;
		try_switch(fd, 1000, i % 2 ? SA_RESTART : 0, by_flag);
		tally->half += by_flag && !both_agree(fd);
		tally->both += by_flag;
	}
}

static void *read_big(void *arg)
{
	struct ia_user *u = arg;
	uint8_t *buf = dxs_alloc(BIG);

	while (!u->stop) {
		dxs_pread(u->fd, buf, BIG, 0);
		u->done++;
	}
	free(buf);
	return NULL;
}

static void test_reads(void)
{
	int fd = ia_file("stack/signals.big", DAXSTACK_CACHED);
	struct ia_user u = { .fd = fd };
	void *map = ia_map(fd);

	MUST(fallocate(fd, 0, 0, BIG));
	if (pthread_create(&u.thread, NULL, read_big, &u))
		dxs_bail("cannot create a thread");
	run_under_signals(try_reads, fd, map, "long reads");
	ia_use_end(&u);
	dxs_ok(tally->done >= 10 && tally->interrupted >= 10 &&
	       tally->both >= 10 && u.done,
	       "signals, long reads: some switches succeed, some are interrupted");
	ia_well(fd, "signals, long reads");
	MUST(munmap(map, LEN));
	close(fd);
}

/* Other tasks switch the file, too, and hold the lock. */
static void try_rivals(int fd, void *arg)
{
	int i, err;

	(void)arg;
	for (i = 0; i < TRIES || ((tally->done < 10 || tally->interrupted < 10) &&
				  i < 50 * TRIES); i++) {
		start_signals(i % 2 ? SA_RESTART : 0, 2000);
		err = dxs_switch(fd, i % 2, 1000, NULL);
		tally->done += !err;
		tally->interrupted += err == EINTR;
		tally->busy += err == EBUSY;
		tally->other += err && err != EINTR && err != EBUSY;
	}
	stop_signals();
}

static void test_rivals(int fd)
{
	struct ia_switcher s[3];
	int i;

	for (i = 0; i < 3; i++) {
		ia_switch_begin(&s[i], fd);
		s[i].alone = false;
	}
	run_under_signals(try_rivals, fd, NULL, "rivals");
	dxs_ok(tally->done >= 10 && tally->interrupted >= 10,
	       "signals, rivals: some switches succeed, some are interrupted");
	for (i = 0; i < 3; i++)
		ia_switch_report(&s[i], 5, "signals, rivals");
	ia_well(fd, "signals, rivals");
}

#define WAITS	12

/* A permanent obstacle: a signal ends every wait. */
static void try_blocked(int fd, void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < WAITS; i++)
		try_switch(fd, -1, i % 2 ? SA_RESTART : 0, false);
}

static void test_blocked(int fd, const char *name)
{
	run_under_signals(try_blocked, fd, NULL, name);
	dxs_is(WAITS, tally->interrupted,
	       "signals, %s: each wait is interrupted",
	       name);
}

static void test_obstacles(void)
{
	int fd = ia_file("stack/signals", DAXSTACK_DAX), ends[2];
	void *map = ia_map(fd);

	dxs_remount("switch=unmapped");
	test_blocked(fd, "a mapping");
	dxs_remount("switch=live");
	dxs_pin(ends, map);
	test_blocked(fd, "pinned page");
	dxs_unpin(ends);
	MUST(munmap(map, LEN));
	map = MUST(dxs_map_sync(fd, LEN));
	test_blocked(fd, "MAP_SYNC");
	MUST(munmap(map, LEN));
	ia_well(fd, "signals, obstacle removed");
	close(fd);
}

/* A read that blocks while it holds the I/O gate. */
static void *read_held(void *arg)
{
	void **args = arg;

	pread(*(int *)args[0], args[1], PAGE, 0);
	return NULL;
}

static void test_held(void)
{
	int fd = ia_file("stack/signals.held", DAXSTACK_CACHED);
	int uffd = MUST(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
	struct pollfd poll_in = { .fd = uffd, .events = POLLIN };
	struct uffdio_api api = { .api = UFFD_API };
	void *page = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_zeropage zero = { .range = reg.range };
	void *args[] = { &fd, page };
	pthread_t thread;

	MUST(ioctl(uffd, UFFDIO_API, &api));
	MUST(ioctl(uffd, UFFDIO_REGISTER, &reg));
	if (pthread_create(&thread, NULL, read_held, args))
		dxs_bail("cannot create a thread");
	dxs_is(1, MUST(poll(&poll_in, 1, 30000)), "signals: a read is blocked");
	test_blocked(fd, "long read");
	MUST(ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	pthread_join(thread, NULL);
	MUST(munmap(page, PAGE));
	close(uffd);
	ia_well(fd, "signals, read completed");
	close(fd);
}

/* Data calls are not interrupted by non-fatal signals. */
static void use_file(int fd, void *arg)
{
	volatile uint64_t *map;
	uint64_t i, seen;

	(void)arg;
	for (i = 1; i <= 100 || (tally->signals < 20 && i < 5000); i++) {
		start_signals(i % 2 ? SA_RESTART : 0, 3000);
		tally->other += pwrite(fd, &i, HEAD, 2 * PAGE) != HEAD ||
			pread(fd, &seen, HEAD, 2 * PAGE) != HEAD || seen != i ||
			ftruncate(fd, LEN) || fsync(fd);
		map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   2 * PAGE);
		if (map == MAP_FAILED) {
			tally->other++;
			continue;
		}
		*map = i + 1;
		tally->other += *map != i + 1 || munmap((void *)map, PAGE);
		tally->done++;
	}
	stop_signals();
}

void check_signals(void)
{
	int fd = ia_file("stack/signals", DAXSTACK_CACHED);
	struct ia_switcher s;

	tally = ia_shared(PAGE);
	test_reads();
	test_rivals(fd);
	ia_switch_begin(&s, fd);
	run_under_signals(use_file, fd, NULL, "data calls");
	dxs_ok(tally->done >= 100 && tally->signals >= 20,
	       "signals, data calls: made during the storm");
	ia_switch_report(&s, 10, "signals, data calls");
	close(fd);

	test_obstacles();
	test_held();
	MUST(munmap(tally, PAGE));
}
