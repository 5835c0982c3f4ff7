// SPDX-License-Identifier: GPL-2.0
/*
 * Signals at every moment of a switch: it is done, or it is not and says
 * EINTR; never half. And nothing but a switch is interrupted.
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

#include "besiege.h"

/*
 * Switches by FS_IOC_FSSETXATTR, and sets another attribute with the flag: it
 * does both or none.
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
		dxs_set_xflag(fd, bs_random(2));
	return NULL;
}

/* Stores, writes and switches until it is killed. */
static void live(int i, int fd, volatile uint64_t *map, atomic_long *begun)
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

void siege_kill(void)
{
	int fd = bs_file("stack/kill", DAXSTACK_CACHED), i, half = 0, hung = 0;
	volatile uint64_t *map = bs_map(fd);
	atomic_long *begun = bs_shared(PAGE);
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
			live(i, fd, map, begun);
		for (end = bs_end(); *begun == before && bs_now() < end;)
			usleep(200);
		alive += *begun > before;
		usleep(bs_random(12000));
		MUST(kill(pid, SIGKILL));
		hung += bs_wait(pid) < 0;
		half += !bs_agree(fd) + (i % 3 == 2 && !both_agree(fd));
		if (i % 10 == 0)
			bad += !dxs_to(fd, !dxs_mode(fd), "killed") +
				!bs_bytes(fd, "killed");
	}
	dxs_is(KILLS, alive, "killed in the middle: they were at it");
	dxs_is(0, hung, "killed in the middle: all died");
	dxs_is(0, half, "killed in the middle: mode and flag agree");
	dxs_is(0, bad, "killed in the middle: others go on");
	dxs_diag("kill: %ld switches begun", *begun);
	bs_well(fd, "killed in the middle");
	MUST(munmap((void *)map, LEN));
	MUST(munmap(begun, PAGE));
	close(fd);
}

/* --- SIGALRM. */

/**
 * struct tally - how switches under a storm of signals came out
 * @half: mode and flag do not agree, or are not what the result says
 * @other: neither done nor EINTR, nor an expected EBUSY
 * @signals: how many came
 * @both: switches with another attribute
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

/* Signals from some time within @us on, every 3 ms. */
static void storm(int flags, int us)
{
	const struct sigaction action = { .sa_handler = on_alarm,
					  .sa_flags = flags };
	struct itimerval timer = {
		.it_value.tv_usec = 100 + bs_random(us),
		.it_interval.tv_usec = 3000,
	};

	MUST(sigaction(SIGALRM, &action, NULL));
	MUST(setitimer(ITIMER_REAL, &timer, NULL));
}

static void calm(void)
{
	static const struct itimerval off;

	MUST(setitimer(ITIMER_REAL, &off, NULL));
}

/* One switch in a storm that comes up now. */
static void try_switch(int fd, int timeout_ms, int flags, bool by_flag)
{
	int from = dxs_mode(fd), err, now;
	struct daxstack_switch sw = { 0 };

	storm(flags, 5000);
	err = by_flag ? switch_both(fd, !from) :
			dxs_switch(fd, !from, timeout_ms, &sw);
	calm();
	now = dxs_mode(fd);
	tally->done += !err;
	tally->interrupted += err == EINTR;
	tally->busy += err == EBUSY;
	tally->other += err && err != EINTR && err != EBUSY;
	if (!bs_agree(fd) || now != (err ? from : !from) ||
	    (err == EINTR && !by_flag &&
	     sw.reason != DAXSTACK_REASON_INTERRUPTED)) {
		dxs_diag("from %s: %s, now %s, flag %d, reason %s",
			 dxs_mode_name(from), strerror(err), dxs_mode_name(now),
			 dxs_xflag(fd), dxs_reason_name(sw.reason));
		tally->half++;
	}
}

/* Does it in a process that has the signals to itself. */
static void in_storm(void (*what)(int fd, void *arg), int fd, void *arg,
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
	dxs_is(0, bs_wait(pid), "signals, %s: ends", name);
	dxs_diag("signals, %s: %ld done, %ld interrupted, %ld busy, %ld signals",
		 name, tally->done, tally->interrupted, tally->busy,
		 tally->signals);
	dxs_is(0, tally->half, "signals, %s: never half", name);
	dxs_is(0, tally->other, "signals, %s: done or EINTR", name);
}

#define TRIES	80
#define BIG	(8 * MIB)

/* Nothing in the way but reads, which are long: signals meet the wait for them. */
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
	struct bs_user *u = arg;
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
	int fd = bs_file("stack/signals.big", DAXSTACK_CACHED);
	struct bs_user u = { .fd = fd };
	void *map = bs_map(fd);

	MUST(fallocate(fd, 0, 0, BIG));
	if (pthread_create(&u.thread, NULL, read_big, &u))
		dxs_bail("cannot make a thread");
	in_storm(try_reads, fd, map, "long reads");
	bs_use_end(&u);
	dxs_ok(tally->done >= 10 && tally->interrupted >= 10 &&
	       tally->both >= 10 && u.done,
	       "signals, long reads: some are done, some not");
	bs_well(fd, "signals, long reads");
	MUST(munmap(map, LEN));
	close(fd);
}

/* Others switch as well, and have the lock. */
static void try_rivals(int fd, void *arg)
{
	int i, err;

	(void)arg;
	for (i = 0; i < TRIES || ((tally->done < 10 || tally->interrupted < 10) &&
				  i < 50 * TRIES); i++) {
		storm(i % 2 ? SA_RESTART : 0, 2000);
		err = dxs_switch(fd, i % 2, 1000, NULL);
		tally->done += !err;
		tally->interrupted += err == EINTR;
		tally->busy += err == EBUSY;
		tally->other += err && err != EINTR && err != EBUSY;
	}
	calm();
}

static void test_rivals(int fd)
{
	struct bs_switcher s[3];
	int i;

	for (i = 0; i < 3; i++) {
		bs_switch_begin(&s[i], fd);
		s[i].alone = false;
	}
	in_storm(try_rivals, fd, NULL, "rivals");
	dxs_ok(tally->done >= 10 && tally->interrupted >= 10,
	       "signals, rivals: some are done, some not");
	for (i = 0; i < 3; i++)
		bs_switch_report(&s[i], 5, "signals, rivals");
	bs_well(fd, "signals, rivals");
}

#define WAITS	12

/* Something in the way, for ever: they all end by a signal. */
static void try_blocked(int fd, void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < WAITS; i++)
		try_switch(fd, -1, i % 2 ? SA_RESTART : 0, false);
}

static void test_blocked(int fd, const char *name)
{
	in_storm(try_blocked, fd, NULL, name);
	dxs_is(WAITS, tally->interrupted, "signals, %s: each wait is ended",
	       name);
}

static void test_obstacles(void)
{
	int fd = bs_file("stack/signals", DAXSTACK_DAX), ends[2];
	void *map = bs_map(fd);

	dxs_remount("switch=unmapped");
	test_blocked(fd, "a mapping");
	dxs_remount("switch=live");
	dxs_pin(ends, map);
	test_blocked(fd, "a pinned page");
	dxs_unpin(ends);
	MUST(munmap(map, LEN));
	map = MUST(dxs_map_sync(fd, LEN));
	test_blocked(fd, "MAP_SYNC");
	MUST(munmap(map, LEN));
	bs_well(fd, "signals, nothing in the way any more");
	close(fd);
}

/* A read that is held up inside the I/O gate. */
static void *read_held(void *arg)
{
	void **args = arg;

	pread(*(int *)args[0], args[1], PAGE, 0);
	return NULL;
}

static void test_held(void)
{
	int fd = bs_file("stack/signals.held", DAXSTACK_CACHED);
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
		dxs_bail("cannot make a thread");
	dxs_is(1, MUST(poll(&poll_in, 1, 30000)), "signals: a read is held up");
	test_blocked(fd, "a long read");
	MUST(ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	pthread_join(thread, NULL);
	MUST(munmap(page, PAGE));
	close(uffd);
	bs_well(fd, "signals, the read is over");
	close(fd);
}

/* Data calls are not interrupted by what is not fatal. */
static void use_file(int fd, void *arg)
{
	volatile uint64_t *map;
	uint64_t i, seen;

	(void)arg;
	for (i = 1; i <= 100 || (tally->signals < 20 && i < 5000); i++) {
		storm(i % 2 ? SA_RESTART : 0, 3000);
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
	calm();
}

void siege_signals(void)
{
	int fd = bs_file("stack/signals", DAXSTACK_CACHED);
	struct bs_switcher s;

	tally = bs_shared(PAGE);
	test_reads();
	test_rivals(fd);
	bs_switch_begin(&s, fd);
	in_storm(use_file, fd, NULL, "data calls");
	dxs_ok(tally->done >= 100 && tally->signals >= 20,
	       "signals, data calls: made under fire");
	bs_switch_report(&s, 10, "signals, data calls");
	close(fd);

	test_obstacles();
	test_held();
	MUST(munmap(tally, PAGE));
}
