// SPDX-License-Identifier: GPL-2.0
/*
 * Limits that are reached, of processes, of the system and of the device, are
 * nothing to a switch.
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
#include <sys/wait.h>
#include <unistd.h>

#include "besiege.h"

/**
 * struct limit - a limit of a process
 * @reach: sets and reaches it; return: it was reached
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
	void *map = bs_map(fd);

	set_limit(RLIMIT_MEMLOCK, PAGE);
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
	/* In dax mode it is not counted. */
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

/* The exit status of the child says how many switches went well, or 100. */
static int switch_at_limit(const struct limit *limit, int fd)
{
	volatile uint64_t *map = bs_map(fd);
	int i, done = 0;

	map[0] = 1;
	if (!limit->reach(fd))
		return 100;
	for (i = 0; i < 6; i++) {
		map[0]++;
		done += !(i % 3 ? dxs_switch(fd, !dxs_mode(fd), 1000, NULL) :
				  dxs_set_xflag(fd, !dxs_mode(fd))) &&
			bs_agree(fd) && map[0] == (uint64_t)i + 2 &&
			bs_bytes(fd, limit->name);
	}
	return done;
}

static void test_limit(const struct limit *limit)
{
	int fd = bs_file("stack/limit", DAXSTACK_CACHED), status;
	pid_t pid;

	MUST(fchown(fd, NOBODY, NOBODY));
	fflush(stdout);
	pid = MUST(fork());
	if (!pid)
		_exit(switch_at_limit(limit, fd));
	status = bs_wait(pid);
	dxs_is(6, status < 0 ? -1 : WEXITSTATUS(status),
	       "%s reached: switches all the same", limit->name);
	bs_well(fd, limit->name);
	close(fd);
}

/* --- Locked pages: the books are right in the end. */

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

static void write_knob(const char *path, const char *value)
{
	int fd = MUST(open(path, O_WRONLY | O_CLOEXEC));

	MUST(write(fd, value, strlen(value)));
	close(fd);
}

/* Return: what was wrong. */
static int lock_and_switch(int fd, int i)
{
	int wrong = 0, j;
	uint8_t *map;

	/* Locked or let go of in one mode or the other, or by mmap or munmap. */
	dxs_to(fd, i % 2, "locked");
	map = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		   MAP_SHARED | (i & 2 ? MAP_LOCKED : 0), fd, 0);
	if (map == MAP_FAILED)
		return 1;
	wrong += !(i & 2) && mlock2(map, LEN, i & 8 ? MLOCK_ONFAULT : 0);
	for (j = 0; j < 2 + (i >> 2 & 1); j++) {
		memset(map + j * PAGE, i + j, HEAD);
		wrong += !dxs_to(fd, !dxs_mode(fd), "locked");
		wrong += map[j * PAGE] != i + j || !bs_bytes(fd, "locked");
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
	int fd = bs_file("stack/locked", DAXSTACK_CACHED), i, wrong = 0;
	long before, after;
	double end;

	before = read_number("/proc/meminfo", "Mlocked:");
	for (i = 0; i < 16; i++)
		wrong += lock_and_switch(fd, i);
	dxs_is(0, wrong, "a locked mapping is switched, and let go");
	bs_well(fd, "locked");
	close(fd);
	/* Some wait in batches, one per processor, which this drains. */
	write_knob("/proc/sys/vm/compact_memory", "1");
	for (end = bs_end();; dxs_sleep_ms(50)) {
		after = read_number("/proc/meminfo", "Mlocked:");
		if (after <= before || bs_now() > end)
			break;
	}
	dxs_ok(after <= before, "locked: no page is counted as locked for ever");
	if (after > before)
		dxs_diag("%ld kB before, %ld kB after", before, after);
}

/* --- No more open files in the system, but for root. */

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* There may be one only. */
	sched_setaffinity(0, sizeof(set), &set);
}

/* Read into the cache on one processor, whose batches another has to empty. */
static int switch_without_files(int fd)
{
	int i, done = 0;

	/* The kernel counts them by processor, and is wrong by some dozens. */
	for (i = 0; i < 200; i++)
		MUST(open("/", O_RDONLY));
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
	if (open("/", O_RDONLY) >= 0 || errno != ENFILE)
		return 100;
	for (i = 0; i < 6; i++) {
		run_on(i % 2);
		done += !dxs_switch(fd, DAXSTACK_CACHED, 1000, NULL) &&
			bs_agree(fd) && bs_bytes(fd, "file-max");
		run_on(!(i % 2));
		done += !dxs_switch(fd, DAXSTACK_DAX, 1000, NULL) &&
			bs_agree(fd) && bs_bytes(fd, "file-max");
	}
	return done;
}

static void test_file_max(void)
{
	static const char knob[] = "/proc/sys/fs/file-max";
	int fd = bs_file("stack/file-max", DAXSTACK_CACHED), status;
	char was[32];
	pid_t pid;

	snprintf(was, sizeof(was), "%ld", read_number(knob, ""));
	MUST(fchown(fd, NOBODY, NOBODY));
	write_knob(knob, "1");
	pid = MUST(fork());
	if (!pid)
		_exit(switch_without_files(fd));
	status = bs_wait(pid);
	write_knob(knob, was);
	dxs_is(12, status < 0 ? -1 : WEXITSTATUS(status),
	       "no more files in the system: switches all the same");
	close(fd);
}

/* --- Whoever mounts must not write, which the mount does to learn modes. */

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
	status = bs_wait(pid);
	if (!dxs_is(0, status, "mounted with RLIMIT_FSIZE of 0")) {
		dxs_mount_stack();
		return;
	}
	fd = bs_file("stack/limit", DAXSTACK_CACHED);
	bs_well(fd, "mounted with RLIMIT_FSIZE of 0");
	close(fd);
}

/* What cannot be found out that way is not taken for granted (H30). */
static void test_inline_data(void)
{
	int fd, status;
	pid_t pid;

	if (dxs_on_xfs())
		return;
	dxs_umount_stack();
	if (DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "inline_data",
		    dxs_pmem))
		dxs_bail("cannot make ext4 with inline_data");
	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		signal(SIGXFSZ, SIG_IGN);
		set_limit(RLIMIT_FSIZE, 0);
		dxs_mount_stack();
		_exit(0);
	}
	status = bs_wait(pid);
	dxs_is(0, status, "inline_data, mounted with RLIMIT_FSIZE of 0");
	fd = MUST(open("stack/file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_INLINE_DATA,
		    "inline_data, mounted with RLIMIT_FSIZE of 0");
	close(fd);
	dxs_umount_stack();
	dxs_mkfs(NULL);
	dxs_mount_stack();
}

void siege_limits(void)
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

/* Stores in each hole. Return: how many of them met the end of the space. */
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

/* Stores into a block until so many more switches are made. */
static int store_through(struct bs_switcher *s, volatile uint8_t *map, long more)
{
	double end = bs_end();
	uint8_t value = 0, seen;
	int lost = 0;

	for (more += s->done; s->done < more && bs_now() < end;) {
		map[0] = ++value;
		dxs_pread(s->fd, &seen, 1, 0);
		lost += seen != value || map[0] != value;
	}
	return lost;
}

void siege_full(void)
{
	struct sigaction action = { .sa_handler = on_bus_error }, was;
	int fd = bs_file("stack/sparse", DAXSTACK_CACHED), i, lost = 0;
	uint8_t *map, seen;
	struct bs_switcher s;
	int failed[2] = { 0 };

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
	bs_switch_begin(&s, fd);
	for (i = 0; i < 10; i++) {
		store_in_holes(map, 10 + i);
		lost += store_through(&s, map, 2);
	}
	dxs_is(0, lost, "full: what is stored in blocks is there");
	bs_switch_report(&s, 20, "full");
	bs_well(fd, "full");
	MUST(unlink("stack/filler"));
	MUST(syncfs(fd));
	for (i = 0; i < 2; i++) {
		dxs_is(0, store_in_holes(map, 50 + i), "space again: no SIGBUS");
		dxs_to(fd, !dxs_mode(fd), "space again");
		dxs_pread(fd, &seen, 1, PAGES * PAGE);
		dxs_is(50 + i, seen, "space again: what was stored in a hole");
	}
	MUST(sigaction(SIGBUS, &was, NULL));
	bs_well(fd, "space again");
	MUST(munmap(map, 4 * LEN));
	close(fd);
}
