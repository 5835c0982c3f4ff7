// SPDX-License-Identifier: GPL-2.0-only
/*
 * A switch succeeds at the limits of a process, of the system and of the
 * device: rlimits, locked memory, open files, free space.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interactions.h"

/**
 * struct limit - a limit of a process
 * @reach: sets the limit and uses it up; return: whether that worked
 */
struct limit {
	const char *name;
	bool (*reach)(int fd);
};

static void set_limit(int resource, rlim_t value)
{
	const struct rlimit limit = { value, value };

	MUST(setrlimit(resource, &limit));
}

static bool reach_fsize(int fd)
{
	signal(SIGXFSZ, SIG_IGN);
	set_limit(RLIMIT_FSIZE, PAGE);
	return ERR(pwrite(fd, "x", 1, LEN)) == EFBIG &&
		ERR(ftruncate(fd, LEN + 1)) == EFBIG;
}

static bool reach_nofile(int fd)
{
	set_limit(RLIMIT_NOFILE, 64);
	while (dup(fd) >= 0)
		;
	return errno == EMFILE;
}

static bool reach_as(int fd)
{
	set_limit(RLIMIT_AS, 0);
	return mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED &&
		errno == ENOMEM;
}

static bool reach_nproc(int fd)
{
	(void)fd;
	set_limit(RLIMIT_NPROC, 0);
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
	return fork() < 0 && errno == EAGAIN;
}

static bool reach_memlock(int fd)
{
	void *map = ia_map(fd);

	set_limit(RLIMIT_MEMLOCK, PAGE);
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
	/* In dax mode locked pages are not counted. */
	if (dxs_switch(fd, DAXSTACK_CACHED, 1000, NULL))
		return false;
	return mlock(map, LEN) && errno == ENOMEM && !mlock(map, PAGE);
}

static const struct limit limits[] = {
	{ "RLIMIT_FSIZE", reach_fsize },
	{ "RLIMIT_NOFILE", reach_nofile },
	{ "RLIMIT_AS", reach_as },
	{ "RLIMIT_NPROC", reach_nproc },
	{ "RLIMIT_MEMLOCK", reach_memlock },
};

/* Exit status of the child: number of successful switches, or 100. */
static int switch_at_limit(const struct limit *limit, int fd)
{
	volatile uint64_t *map = ia_map(fd);
	int i, done = 0;

	map[0] = 1;
	if (!limit->reach(fd))
		return 100;
	for (i = 0; i < 6; i++) {
		map[0]++;
		done += !(i % 3 ? dxs_switch(fd, !dxs_mode(fd), 1000, NULL) :
				  dxs_set_xflag(fd, !dxs_mode(fd))) &&
			ia_agree(fd) && map[0] == (uint64_t)i + 2 &&
			ia_bytes(fd, limit->name);
	}
	return done;
}

static void test_limit(const struct limit *limit)
{
	int fd = ia_file("stack/limit", DAXSTACK_CACHED), status;
	pid_t pid;

	MUST(fchown(fd, NOBODY, NOBODY));
	fflush(stdout);
	pid = MUST(fork());
	if (!pid)
		_exit(switch_at_limit(limit, fd));
	status = ia_wait(pid);
	dxs_is(6, status < 0 ? -1 : WEXITSTATUS(status),
	       "%s reached: switches succeed", limit->name);
	ia_well(fd, limit->name);
	close(fd);
}

/* --- Locked pages: the kernel's accounting is balanced at the end. */

static long read_number(const char *path, const char *key)
{
	char line[256];
	long value = -1;
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			value = atol(line + strlen(key));
	if (f)
		fclose(f);
	return value;
}

/* Return: number of errors. */
static int lock_and_switch(int fd, int i)
{
	int wrong = 0, j;
	uint8_t *map;

	/* Lock and unlock in either mode, by mlock/munlock or mmap/munmap. */
	dxs_to(fd, i % 2, "locked");
	map = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		   MAP_SHARED | (i & 2 ? MAP_LOCKED : 0), fd, 0);
	if (map == MAP_FAILED)
		return 1;
	wrong += !(i & 2) && mlock2(map, LEN, i & 8 ? MLOCK_ONFAULT : 0);
	for (j = 0; j < 2 + (i >> 2 & 1); j++) {
		memset(map + j * PAGE, i + j, HEAD);
		wrong += !dxs_to(fd, !dxs_mode(fd), "locked");
		wrong += map[j * PAGE] != i + j || !ia_bytes(fd, "locked");
	}
	wrong += i & 4 && munlock(map, LEN);
	MUST(munmap(map, LEN));
	if (read_number("/proc/self/status", "VmLck:")) {
		dxs_diag("locked, way %d: VmLck %ld kB is left", i,
			 read_number("/proc/self/status", "VmLck:"));
		wrong++;
	}
	return wrong;
}

static void test_locked(void)
{
	int fd = ia_file("stack/locked", DAXSTACK_CACHED), i, wrong = 0;
	long before, after;
	double end;

	before = read_number("/proc/meminfo", "Mlocked:");
	for (i = 0; i < 16; i++)
		wrong += lock_and_switch(fd, i);
	dxs_is(0, wrong, "a locked mapping is switched and unlocked");
	ia_well(fd, "locked");
	close(fd);
	/* Some pages wait in per-CPU batches, which compaction drains. */
	dxs_must_put("/proc/sys/vm/compact_memory", "1");
	for (end = ia_end();; dxs_sleep_ms(50)) {
		after = read_number("/proc/meminfo", "Mlocked:");
		if (after <= before || ia_now() > end)
			break;
	}
	dxs_ok(after <= before, "locked: no page stays counted as locked");
	if (after > before)
		dxs_diag("%ld kB before, %ld kB after", before, after);
}

/* --- The system-wide limit of open files is reached, except for root. */

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* The machine may have only one CPU. */
	sched_setaffinity(0, sizeof(set), &set);
}

/* Reads into the cache on one CPU, whose batches another CPU has to drain. */
static int switch_without_files(int fd)
{
	int i, done = 0;

	/* The kernel counts open files per CPU and is off by some dozens. */
	for (i = 0; i < 200; i++)
		MUST(open("/", O_RDONLY));
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
	if (open("/", O_RDONLY) >= 0 || errno != ENFILE)
		return 100;
	for (i = 0; i < 6; i++) {
		run_on(i % 2);
		done += !dxs_switch(fd, DAXSTACK_CACHED, 1000, NULL) &&
			ia_agree(fd) && ia_bytes(fd, "file-max");
		run_on(!(i % 2));
		done += !dxs_switch(fd, DAXSTACK_DAX, 1000, NULL) &&
			ia_agree(fd) && ia_bytes(fd, "file-max");
	}
	return done;
}

static void test_file_max(void)
{
	static const char knob[] = "/proc/sys/fs/file-max";
	int fd = ia_file("stack/file-max", DAXSTACK_CACHED), status;
	char was[32];
	pid_t pid;

	snprintf(was, sizeof(was), "%ld", read_number(knob, ""));
	MUST(fchown(fd, NOBODY, NOBODY));
	dxs_must_put(knob, "1");
	pid = MUST(fork());
	if (!pid)
		_exit(switch_without_files(fd));
	status = ia_wait(pid);
	dxs_must_put(knob, was);
	dxs_is(12, status < 0 ? -1 : WEXITSTATUS(status),
	       "system limit of open files reached: switches succeed");
	close(fd);
}

/*
 * --- The mounting task must not write, but the mount writes to learn the
 * modes.
 */

static void test_mount_limit(void)
{
	int fd, status;
	pid_t pid;

	dxs_umount_stack();
	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		set_limit(RLIMIT_FSIZE, 0);
		dxs_mount_stack();
		_exit(0);
	}
	status = ia_wait(pid);
	if (!dxs_is(0, status, "mounted with RLIMIT_FSIZE of 0")) {
		dxs_mount_stack();
		return;
	}
	fd = ia_file("stack/limit", DAXSTACK_CACHED);
	ia_well(fd, "mounted with RLIMIT_FSIZE of 0");
	close(fd);
}

/* What the mount cannot determine this way it must not assume (H30). */
static void test_inline_data(void)
{
	int fd, status;
	pid_t pid;

	if (dxs_on_xfs())
		return;
	dxs_umount_stack();
	if (DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "inline_data",
		    dxs_pmem))
		dxs_bail("cannot create ext4 with inline_data");
	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		signal(SIGXFSZ, SIG_IGN);
		set_limit(RLIMIT_FSIZE, 0);
		dxs_mount_stack();
		_exit(0);
	}
	status = ia_wait(pid);
	dxs_is(0, status, "inline_data, mounted with RLIMIT_FSIZE of 0");
	fd = MUST(open("stack/file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_INLINE_DATA,
		    "inline_data, mounted with RLIMIT_FSIZE of 0");
	close(fd);
	dxs_umount_stack();
	dxs_mkfs(NULL);
	dxs_mount_stack();
}

void check_limits(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		test_limit(&limits[i]);
	test_mount_limit();
	test_inline_data();
	test_locked();
	test_file_max();
}

/* --- A full device. */

static sigjmp_buf no_space;

static void on_bus_error(int signal)
{
	(void)signal;
	siglongjmp(no_space, 1);
}

static void fill_up(const char *path)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	uint8_t page[PAGE] = { 0 };
	off_t len;

	for (len = 64 * MIB; len >= PAGE; len /= 2)
		while (!fallocate(fd, 0, lseek(fd, 0, SEEK_END), len))
			;
	MUST(lseek(fd, 0, SEEK_END));
	while (write(fd, page, PAGE) > 0)
		;
	if (errno != ENOSPC)
		dxs_bail("fill: %m");
	MUST(fsync(fd));
	close(fd);
}

/* Stores to each hole. Return: how many stores ran out of space. */
static int store_in_holes(volatile uint8_t *map, uint8_t value)
{
	volatile int i, failed = 0;

	for (i = PAGES; i < 4 * PAGES; i++) {
		if (sigsetjmp(no_space, 1)) {
			failed++;
			continue;
		}
		map[i * PAGE] = value;
	}
	return failed;
}

/* Stores to an allocated block until @more further switches succeed. */
static int store_through(struct ia_switcher *s, volatile uint8_t *map, long more)
{
	double end = ia_end();
	uint8_t value = 0, seen;
	int lost = 0;

	for (more += s->done; s->done < more && ia_now() < end;) {
		map[0] = ++value;
		dxs_pread(s->fd, &seen, 1, 0);
		lost += seen != value || map[0] != value;
	}
	return lost;
}

static fsblkcnt_t space(int fd)
{
	struct statvfs st;

	MUST(fstatvfs(fd, &st));
	return st.f_bfree;
}

/* XFS frees the blocks of a removed file in the background. */
static void await_space(int fd, fsblkcnt_t blocks)
{
	double end = ia_end();

	while (space(fd) < blocks && ia_now() < end)
		dxs_sleep_ms(10);
	dxs_ok(space(fd) >= blocks,
	       "space freed: blocks of a removed file are free");
}

void check_full(void)
{
	struct sigaction action = { .sa_handler = on_bus_error }, was;
	int fd = ia_file("stack/sparse", DAXSTACK_CACHED), i, lost = 0;
	uint8_t *map, seen;
	struct ia_switcher s;
	int failed[2] = { 0 };
	fsblkcnt_t blocks = space(fd) / 2;

	MUST(ftruncate(fd, 4 * LEN));
	map = MUST(mmap(NULL, 4 * LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			0));
	fill_up("stack/filler");
	MUST(sigaction(SIGBUS, &action, &was));
	for (i = 0; i < 4; i++) {
		dxs_to(fd, i % 2, "full");
		failed[i % 2] += store_in_holes(map, i + 1);
	}
	dxs_ok(failed[0] && failed[1], "full: SIGBUS in both modes");
	ia_switch_begin(&s, fd);
	for (i = 0; i < 10; i++) {
		store_in_holes(map, 10 + i);
		lost += store_through(&s, map, 2);
	}
	dxs_is(0, lost, "full: stores to allocated blocks are kept");
	ia_switch_report(&s, 20, "full");
	ia_well(fd, "full");
	MUST(unlink("stack/filler"));
	MUST(syncfs(fd));
	await_space(fd, blocks);
	for (i = 0; i < 2; i++) {
		dxs_is(0, store_in_holes(map, 50 + i),
		       "space freed: no SIGBUS");
		dxs_to(fd, !dxs_mode(fd), "space freed");
		dxs_pread(fd, &seen, 1, PAGES * PAGE);
		dxs_is(50 + i, seen, "space freed: stores to holes are kept");
	}
	MUST(sigaction(SIGBUS, &was, NULL));
	ia_well(fd, "space freed");
	MUST(munmap(map, 4 * LEN));
	close(fd);
}
