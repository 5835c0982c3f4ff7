// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hazards of switch requests: locks and calls that a request waits for, and
 * tasks that wait for a request.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define LEN	(64 * PAGE)

static int set_flags(int fd, int set, int clear)
{
	int flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = (flags | set) & ~clear;
	return ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static bool has_flag(int fd, int flag)
{
	int flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	return flags & flag;
}

static void stay_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	MUST(sched_setaffinity(0, sizeof(cpus), &cpus));
}

/*
 * --- H42: a request that only stores the flag, behind a call that does not
 * end.
 */

enum call { SWITCH_SAME, SWITCH_STORES, CHATTR_SAME, CHATTR_OTHER };

static const struct {
	const char *name;
	const char *option;
	int expected;	/* errno; -1: it blocks until killed */
} calls[] = {
	[SWITCH_SAME] = { "the current mode", "switch=live", 0 },
	[SWITCH_STORES] = { "the flag alone, with a timeout", "switch=never",
			    -1 },
	[CHATTR_SAME] = { "chattr without a change", "switch=live", 0 },
	[CHATTR_OTHER] = { "chattr of another flag", "switch=live", -1 },
};

static int make_call(enum call call, int fd, int mode)
{
	switch (call) {
	case SWITCH_SAME:
		return dxs_switch(fd, mode, 1000, NULL);
	case SWITCH_STORES:
		return dxs_switch(fd, !mode, 500, NULL);
	case CHATTR_SAME:
		return dxs_set_xflag(fd, mode);
	default:
		return set_flags(fd, FS_NODUMP_FL, 0);
	}
}

struct reader {
	int fd;
	uint8_t *buf;
	atomic_bool done;
};

static void *read_into_nothing(void *arg)
{
	struct reader *reader = arg;

	dxs_pread(reader->fd, reader->buf, PAGE, 0);
	reader->done = true;
	return NULL;
}

/*
 * Asserts that a new reader is not blocked. In a process: a stuck thread could
 * not be abandoned.
 */
static void read_meanwhile(int fd, const char *name, const char *call)
{
	pid_t pid = MUST(fork());
	uint8_t byte;
	int status;

	if (!pid)
		_exit(pread(fd, &byte, 1, 0) != 1);
	if (!dxs_ok(dxs_ends(pid, 5, &status),
		    "H42, %s, %s: a new reader is not blocked",
		    name, call))
		dxs_diag("process %d is left behind", pid);
}

static void call_behind(enum call call, int fd, int mode, bool holds_lock)
{
	const char *const name = dxs_mode_name(mode);
	const char *const what = calls[call].name;
	int status = 0, expected = calls[call].expected;
	bool ended;
	pid_t pid;

	dxs_remount(calls[call].option);
	pid = MUST(fork());
	if (!pid)
		_exit(make_call(call, fd, mode));
	if (call == SWITCH_STORES) {
		/*
		 * The call ends by its timeout; its result depends on the lock.
		 */
		ended = dxs_ends(pid, 10, &status);
		dxs_ok(ended, "H42, %s, %s: ends by its timeout", name, what);
		if (ended)
			dxs_errno(holds_lock ? EBUSY : 0, WEXITSTATUS(status),
				  "H42, %s, %s", name, what);
	} else if (!expected) {
		ended = dxs_ends(pid, 10, &status);
		dxs_ok(ended, "H42, %s, %s: does not block", name, what);
		if (ended)
			dxs_is(0, status, "H42, %s, %s: result", name,
			       what);
	} else {
		dxs_sleep_ms(500);
		read_meanwhile(fd, name, what);
		kill(pid, SIGKILL);
		ended = dxs_ends(pid, 10, &status);
		dxs_ok(ended, "H42, %s, %s: can be killed", name, what);
	}
	if (!ended)
		kill(pid, SIGKILL);
}

static void behind_reader(int mode)
{
	int fd = hazard_file("stack/file", LEN, mode), uffd;
	struct reader reader = { .fd = fd };
	/* Readers that hold the lower i_rwsem. */
	bool holds = mode == DAXSTACK_DAX || dxs_on_xfs();
	enum call call;
	pthread_t thread;

	uffd = hazard_missing_page(&reader.buf);
	if (uffd < 0) {
		dxs_skip("no userfaultfd", "H42, %s", dxs_mode_name(mode));
		close(fd);
		return;
	}
	if (pthread_create(&thread, NULL, read_into_nothing, &reader))
		dxs_bail("cannot create a thread");
	dxs_sleep_ms(200);
	for (call = 0; call < ARRAY_SIZE(calls); call++)
		call_behind(call, fd, mode, holds);
	dxs_is(false, reader.done, "H42: the reader stays stuck");
	hazard_fill_page(uffd, reader.buf);
	pthread_join(thread, NULL);
	/* Children that could not be killed. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	dxs_remount("switch=live");
	dxs_errno(0, set_flags(fd, 0, FS_NODUMP_FL),
		  "H42, %s: switch after the reader is released",
		  dxs_mode_name(mode));
	munmap(reader.buf, PAGE);
	close(uffd);
	close(fd);
}

/* Two concurrent switches of one file: the second returns soon. */
static void behind_switch(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED), err;
	struct daxstack_switch first, second = {};
	struct dxs_watch begin;
	double done, ended;
	bool before;
	int status;
	pid_t pid;

	pid = MUST(fork());
	if (!pid)
		_exit(dxs_switch(fd, DAXSTACK_DAX, 2000, &first));
	dxs_sleep_ms(200);
	before = MUST(waitpid(pid, &status, WNOHANG)) == pid;
	begin = dxs_watch();
	err = dxs_switch(fd, DAXSTACK_DAX, 0, &second);
	done = dxs_watched(&begin);
	if (!before)
		MUST(waitpid(pid, &status, 0));
	ended = before ? 0 : dxs_watched(&begin);
	dxs_diag("second switch: %s, reason %s; %.3f s, the first took %.3f s",
		 strerror(err), dxs_reason_name(second.reason), done, ended);
	/*
	 * The first switch takes long only with a mutant; otherwise it is done
	 * by now or soon.
	 */
	dxs_ok(before || done < 0.5 || done < ended / 2,
	       "H42: a second switch does not wait for the first");
	if (err)
		dxs_str("SWITCHING", dxs_reason_name(second.reason),
			"H42: reason of the second switch");
	close(fd);
}

void h42_only_stores(void)
{
	behind_reader(DAXSTACK_CACHED);
	behind_reader(DAXSTACK_DAX);
	behind_switch();
}

/* --- H45: a write fault that meets the closed gate again and again. */

struct toucher {
	volatile uint8_t *map;
	atomic_bool stop;
	atomic_long steps;
	long faults;
};

static long my_faults(void)
{
	struct rusage usage;

	MUST(getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_minflt + usage.ru_majflt;
}

/* Loads from each page, so that it is mapped read-only, then stores to each. */
static void *touch(void *arg)
{
	struct toucher *toucher = arg;
	int i;

	stay_on(0);
	toucher->faults = -my_faults();
	while (!toucher->stop) {
		for (i = 0; i < LEN / PAGE; i++)
			(void)toucher->map[i * PAGE];
		for (i = 0; i < LEN / PAGE; i++)
			toucher->map[i * PAGE] = dxs_byte(1, i * PAGE);
		toucher->steps += 2 * LEN / PAGE;
		MUST(msync((void *)toucher->map, LEN, MS_SYNC));
	}
	toucher->faults += my_faults();
	return NULL;
}

/* A step takes a fault or two, each of which a switch may cause once more. */
#define FAULTS_PER_STEP	4

void h45_write_faults(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	struct toucher toucher = { .map = hazard_map(fd, LEN) };
	struct hazard_switches all;
	pthread_t thread;

	if (pthread_create(&thread, NULL, touch, &toucher))
		dxs_bail("cannot create a thread");
	all = hazard_switch_beside(fd, 5 * dxs_slow(), 20, 1000, &toucher.steps);
	toucher.stop = true;
	pthread_join(thread, NULL);
	dxs_diag("%d switches, %ld faults for %ld steps", all.done,
		 toucher.faults, toucher.steps);
	dxs_ok(all.done > 0, "H45: switched while a thread stores");
	dxs_ok(toucher.steps > 0, "H45: the storing thread makes progress");
	dxs_ok(toucher.faults <= FAULTS_PER_STEP *
	       (toucher.steps + 2 * LEN / PAGE),
	       "H45: faults are not repeated without end");
	MUST(munmap((void *)toucher.map, LEN));
	hazard_bytes(fd, LEN, "H45");
	close(fd);
}

/* --- H46: tasks that need VFS locks during a long flush. */

/* The slow call, and the name of its file. */
static int slow_chattr(int fd)
{
	return dxs_set_xflag(fd, DAXSTACK_DAX);
}

static int slow_rename(int fd)
{
	int err = ERR(rename("stack/slow", "stack/dir/slow"));

	/* The file must be switched when the call returns. */
	return err ?: dxs_mode(fd) == DAXSTACK_DAX ? 0 : 200;
}

static bool beside(int (*slow)(int fd), int (*quick)(void), const char *name)
{
	struct hazard_held held;
	char what[64];

	snprintf(what, sizeof(what), "H46, %s", name);
	if (!hazard_hold(&held, slow)) {
		dxs_skip("no throttling of writes", "%s", what);
		return false;
	}
	dxs_errno(0, quick(), "%s: another call succeeds meanwhile", what);
	hazard_let_go(&held, what);
	return true;
}

static int unlink_it(void)
{
	return ERR(unlink("stack/slow"));
}

static int make_another(void)
{
	return ERR(mknod("stack/dir/other", S_IFREG | 0644, 0));
}

void h46_vfs_locks(void)
{
	int dir;

	MUST(mkdir("stack/dir", 0755));
	dir = MUST(open("stack/dir", O_RDONLY));
	MUST(dxs_set_xflag(dir, DAXSTACK_DAX));
	close(dir);
	if (!beside(slow_chattr, unlink_it, "chattr"))
		return;
	dxs_remount("inherit=move");
	beside(slow_rename, make_another, "rename");
	dxs_remount("inherit=create");
}

/* --- H48: a CPU that a real-time task does not yield. */

struct hog {
	int fd;
	atomic_bool ready;
	atomic_bool stop;
};

/* Leaves a page of the file in the LRU batch of its CPU, and spins. */
static void *hog_processor(void *arg)
{
	const struct sched_param first = { .sched_priority = 50 };
	struct hog *hog = arg;
	uint8_t byte;

	stay_on(1);
	MUST(sched_setscheduler(0, SCHED_FIFO, &first));
	dxs_pread(hog->fd, &byte, 1, 0);
	hog->ready = true;
	while (!hog->stop)
		;
	return NULL;
}

/*
 * From Linux 6.12 on a server gives other tasks a share of each processor, even of one
 * with a real-time task that is not throttled.
 */
static void share_processor(bool share)
{
	static const char server[] =
		"/sys/kernel/debug/sched/fair_server/cpu1/runtime";

	bool limited = dxs_put("/proc/sys/kernel/sched_rt_runtime_us",
			       share ? "950000" : "-1");

	if (!access(server, F_OK))
		limited &= dxs_put(server, share ? "50000000" : "0");
	if (!share && !limited)
		dxs_bail("cannot keep a processor for one task");
}

void h48_kept_processor(void)
{
	struct hog hog = { .fd = hazard_file("stack/file", LEN,
					     DAXSTACK_CACHED) };
	struct daxstack_switch sw;
	pthread_t thread;
	cpu_set_t cpus;
	int status;
	pid_t pid;

	MUST(sched_getaffinity(0, sizeof(cpus), &cpus));
	if (!CPU_ISSET(0, &cpus) || !CPU_ISSET(1, &cpus))
		dxs_bail("needs two processors");
	stay_on(0);
	share_processor(false);
	if (posix_fadvise(hog.fd, 0, 0, POSIX_FADV_DONTNEED) ||
	    posix_fadvise(hog.fd, 0, 0, POSIX_FADV_RANDOM))
		dxs_bail("posix_fadvise: %m");
	if (pthread_create(&thread, NULL, hog_processor, &hog))
		dxs_bail("cannot create a thread");
	while (!hog.ready)
		dxs_sleep_ms(1);
	pid = MUST(fork());
	if (!pid)
		_exit(dxs_switch(hog.fd, DAXSTACK_DAX, 200, &sw) != EBUSY ||
		      sw.reason != DAXSTACK_REASON_PINNED);
	if (dxs_ok(dxs_ends(pid, 10, &status),
		   "H48: the switch gives up at its timeout"))
		dxs_is(0, status, "H48: reason and errno: a page is held");
	hog.stop = true;
	pthread_join(thread, NULL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	share_processor(true);
	MUST(sched_setaffinity(0, sizeof(cpus), &cpus));
	dxs_to(hog.fd, DAXSTACK_CACHED, "H48: switch back");
	dxs_errno(0, dxs_switch(hog.fd, DAXSTACK_DAX, 5000, NULL),
		  "H48: switched when the processor is free");
	hazard_bytes(hog.fd, LEN, "H48");
	close(hog.fd);
}

/* --- H49: a waiting switch sleeps. */

/* Returns the voluntary context switches of the calling thread. */
static long my_turns(void)
{
	struct rusage usage;

	MUST(getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_nvcsw;
}

struct poller {
	atomic_bool stop;
	long turns;
};

/* The cost of a wait that polls every tick. */
static void *look_often(void *arg)
{
	struct poller *poller = arg;

	poller->turns = -my_turns();
	while (!poller->stop)
		poll(NULL, 0, 4);
	poller->turns += my_turns();
	return NULL;
}

void h49_pollers(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_DAX);
	struct poller poller = {};
	struct daxstack_switch sw;
	pthread_t thread;
	uint8_t *map;
	long turns;

	dxs_remount("switch=unmapped");
	map = hazard_map(fd, LEN);
	if (pthread_create(&thread, NULL, look_often, &poller))
		dxs_bail("cannot create a thread");
	turns = -my_turns();
	dxs_errno(EBUSY, dxs_switch(fd, DAXSTACK_CACHED, 3000, &sw),
		  "H49: a switch waits for 3 s");
	turns += my_turns();
	poller.stop = true;
	pthread_join(thread, NULL);
	dxs_str("MAPPED", dxs_reason_name(sw.reason), "H49: reason: a mapping");
	dxs_diag("%ld context switches; polling every tick takes %ld", turns,
		 poller.turns);
	dxs_ok(turns * 4 < poller.turns,
	       "H49: the waiting switch sleeps most of the time");
	MUST(munmap(map, LEN));
	dxs_remount("switch=live");
	close(fd);
}

/* --- H86: a switch that waits for a pinned page leaves the page cache alone. */

void h86_refill(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED), ends[2];
	struct daxstack_switch sw;
	uint8_t *map = hazard_map(fd, LEN);

	dxs_pin(ends, map + PAGE);
	dxs_errno(EBUSY, dxs_switch(fd, DAXSTACK_DAX, 2000, &sw),
		  "H86: a switch waits for 2 s");
	dxs_str("PINNED", dxs_reason_name(sw.reason), "H86: reason: a pinned page");
	/*
	 * An attempt, and a look at each of the next 16 ticks of 4 ms; 2 at the ends. On a
	 * slow kernel the closed gates alone limit the attempts to less.
	 */
	if (!dxs_ok(sw.attempts <= 2000 / (17 * 4) + 2,
		    "H86: most of the time it only looks at the page"))
		dxs_diag("seen: %u attempts", sw.attempts);
	dxs_unpin(ends);
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 30000, &sw),
		  "H86: switched once the page is free");
	hazard_bytes(fd, LEN, "H86");
	MUST(munmap(map, LEN));
	close(fd);
}

/* --- H55: attributes that are set together with the flag. */

/* An immutable file cannot be changed further, the DAX flag included. */
static void with_immutable(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);

	dxs_errno(0, set_flags(fd, FS_DAX_FL | FS_IMMUTABLE_FL, 0),
		  "H55: set immutable and dax in one call");
	dxs_ok(has_flag(fd, FS_IMMUTABLE_FL) && dxs_xflag(fd),
	       "H55: both flags are set");
	dxs_is(DAXSTACK_DAX, dxs_mode(fd), "H55: mode after setting both");
	dxs_errno(0, set_flags(fd, 0, FS_DAX_FL | FS_IMMUTABLE_FL),
		  "H55: clear both in one call");
	dxs_ok(!has_flag(fd, FS_IMMUTABLE_FL) && !dxs_xflag(fd),
	       "H55: both flags are cleared");
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd), "H55: mode after clearing both");
	hazard_bytes(fd, LEN, "H55");
	close(fd);
}

static uint32_t extent_size(int fd)
{
	struct fsxattr fsx;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	return fsx.fsx_extsize;
}

struct grower {
	int fd;
	atomic_bool stop;
};

/* Gives the file extents once the hint is stored, or after a while. */
static void *grow(void *arg)
{
	struct grower *grower = arg;
	struct dxs_watch begin = dxs_watch();

	while (!grower->stop && !extent_size(grower->fd) &&
	       dxs_watched(&begin) < 0.05)
		;
	dxs_pwrite(grower->fd, "x", 1, 8 * PAGE);
	MUST(fsync(grower->fd));
	return NULL;
}

/* XFS: the extent size hint can change only while the file has no extents. */
static void with_hint(void)
{
	int fd = MUST(open("stack/hint", O_RDWR | O_CREAT, 0644)), pin[2], err;
	struct grower grower = { .fd = fd };
	struct fsxattr fsx;
	pthread_t thread;
	uint8_t *map;

	MUST(ftruncate(fd, LEN));
	map = MUST(mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0));
	dxs_pin(pin, map);
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags |= FS_XFLAG_DAX | FS_XFLAG_EXTSIZE;
	fsx.fsx_extsize = 64 * KIB;
	if (pthread_create(&thread, NULL, grow, &grower))
		dxs_bail("cannot create a thread");
	err = ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
	grower.stop = true;
	pthread_join(thread, NULL);
	dxs_ok(err, "H55: flag and hint together are refused");
	dxs_is(0, extent_size(fd), "H55: no hint is left");
	dxs_ok(!dxs_xflag(fd), "H55: no flag is left");
	dxs_unpin(pin);
	MUST(munmap(map, LEN));
	close(fd);
	MUST(unlink("stack/hint"));

	fd = MUST(open("stack/hint", O_RDWR | O_CREAT, 0644));
	dxs_errno(0, ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)),
		  "H55: flag and hint of an empty file");
	dxs_is(64 * KIB, extent_size(fd), "H55: hint of an empty file");
	dxs_is(DAXSTACK_DAX, dxs_mode(fd), "H55: mode of an empty file");
	close(fd);
}

/* ext4 stores the flags before it finds that it has no project quota. */
static void with_project(void)
{
	int fd = hazard_file("stack/project", LEN, DAXSTACK_CACHED);
	struct fsxattr fsx;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags |= FS_XFLAG_DAX | FS_XFLAG_NODUMP;
	fsx.fsx_projid = 77;
	dxs_errno(EOPNOTSUPP, ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)),
		  "H55: flags and project id are refused");
	dxs_ok(!has_flag(fd, FS_NODUMP_FL) && !dxs_xflag(fd),
	       "H55: no flag is left");
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd), "H55: mode is unchanged");
	close(fd);
	fd = MUST(open("stack/project", O_RDWR));
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd), "H55: mode is unchanged later");
	hazard_bytes(fd, LEN, "H55");
	close(fd);
}

void h55_attributes(void)
{
	with_immutable();
	if (dxs_on_xfs())
		with_hint();
	else
		with_project();
}
