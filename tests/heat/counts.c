// SPDX-License-Identifier: GPL-2.0-only
/*
 * heat: asserts that operations are counted exactly, separately for each mode.
 */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heat.h"

#define FILE_LEN	(4 * WINDOW)
#define CALLS		1000

static char buf[64 * KIB];

/* A sequence of calls, and what it adds to the counts. */
struct sequence {
	const char *name;
	void (*run)(int fd);
	struct daxstack_heat_counts is;
};

static void reads(int fd)
{
	struct iovec iov[2] = { { buf, 10 }, { buf + 10, 20 } };

	dxs_pread(fd, buf, 100, 0);
	dxs_pread(fd, buf, 3 * PAGE, 5);
	MUST(lseek(fd, PAGE, SEEK_SET));
	MUST(readv(fd, iov, 2));
	/* With a flag per call, as io_uring sets it. */
	MUST(preadv2(fd, iov, 2, 0, RWF_NOWAIT));
	/* A read at EOF. */
	MUST(pread(fd, buf, 1, FILE_LEN));
}

static void bad_reads(int fd)
{
	void *nowhere = MUST(mmap(NULL, PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	if (pread(fd, nowhere, PAGE, 0) >= 0)
		dxs_bail("a read to an invalid address");
	MUST(munmap(nowhere, PAGE));
}

static void splices(int fd)
{
	off_t at = 2 * PAGE;
	loff_t to = 100;
	int ends[2];

	MUST(pipe(ends));
	MUST(splice(fd, &at, ends[1], NULL, 2 * PAGE, 0));
	/* Two pipe buffers in one call. */
	MUST(splice(ends[0], NULL, fd, &to, 2 * PAGE, 0));
	close(ends[0]);
	close(ends[1]);
}

static void writes(int fd)
{
	dxs_pwrite(fd, buf, 1, 0);
	dxs_pwrite(fd, buf, PAGE, 0);
	dxs_pwrite(fd, buf, PAGE, 1);
	dxs_pwrite(fd, buf, 10000, PAGE - 1);
}

static void syncs(int fd)
{
	struct iovec iov = { buf, 1 };
	void *area = map(fd, PAGE);

	MUST(pwritev2(fd, &iov, 1, 0, RWF_DSYNC));
	MUST(fsync(fd));
	MUST(fdatasync(fd));
	MUST(msync(area, PAGE, MS_SYNC));
	MUST(munmap(area, PAGE));
}

/* In separate windows: cached mode maps pages around a fault. */
static void faults(int fd)
{
	volatile char *area = map(fd, FILE_LEN);
	volatile char *copy = MUST(mmap(NULL, FILE_LEN, PROT_READ | PROT_WRITE,
					MAP_PRIVATE, fd, 0));

	load((void *)area);
	load((void *)(area + WINDOW));
	/* Already mapped. */
	load((void *)area);
	area[0] = 1;
	area[2 * WINDOW] = 2;
	/* Already written to. */
	area[0] = 3;
	copy[3 * WINDOW] = 4;
	MUST(munmap((void *)area, FILE_LEN));
	MUST(munmap((void *)copy, FILE_LEN));
}

/* On all processors. */
static void everywhere(int fd)
{
	cpu_set_t all, one;
	int cpu, i;

	MUST(sched_getaffinity(0, sizeof(all), &all));
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		MUST(sched_setaffinity(0, sizeof(one), &one));
		for (i = 0; i < CALLS; i++)
			dxs_pread(fd, buf, 1, i % FILE_LEN);
	}
	MUST(sched_setaffinity(0, sizeof(all), &all));
}

static struct sequence sequences[] = {
	{ "reads", reads,
	  { .reads = 5, .read_bytes = 100 + 3 * PAGE + 30 + 30 } },
	{ "reads that fail", bad_reads, { 0 } },
	{ "splices", splices,
	  { .reads = 1, .read_bytes = 2 * PAGE, .writes = 1,
	    .write_bytes = 2 * PAGE, .dirtied = 3 } },
	{ "writes", writes,
	  { .writes = 4, .write_bytes = 1 + 2 * PAGE + 10000,
	    .dirtied = 1 + 1 + 2 + 4 } },
	{ "syncs", syncs,
	  { .writes = 1, .write_bytes = 1, .dirtied = 1, .fsyncs = 4 } },
	{ "faults", faults,
	  { .read_faults = 3, .write_faults = 2, .dirtied = 2 } },
	{ "reads on every processor", everywhere, { 0 } },
};

static bool same(const struct daxstack_heat_counts *before,
		 const struct daxstack_heat_counts *is,
		 const struct daxstack_heat_counts *now, const char *name,
		 const char *mode)
{
	static const char *const names[] = {
		"reads", "read_bytes", "writes", "write_bytes", "read_faults",
		"write_faults", "fsyncs", "dirtied"
	};
	const __u64 *was = (const __u64 *)before, *add = (const __u64 *)is;
	const __u64 *to = (const __u64 *)now;
	bool good = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (was[i] + add[i] == to[i])
			continue;
		dxs_diag("%s: expected %llu more, seen %llu", names[i], add[i],
			 to[i] - was[i]);
		good = false;
	}
	return dxs_ok(good, "%s, %s: counted", name, mode);
}

static void run(struct heat *heat, int fd, int mode, const struct sequence *s)
{
	static const struct daxstack_heat_counts none;
	struct daxstack_heat_file before, now;

	read_out(heat, false, false, 0);
	before = must_tell(heat, fd);
	s->run(fd);
	read_out(heat, false, false, 0);
	now = must_tell(heat, fd);
	same(&before.by_mode[mode], &s->is, &now.by_mode[mode], s->name,
	     dxs_mode_name(mode));
	if (memcmp(&before.by_mode[!mode], &now.by_mode[!mode], sizeof(none)))
		dxs_ok(false, "%s, %s: nothing is counted for the other mode",
		       s->name, dxs_mode_name(mode));
}

static void check_file(struct heat *heat, int fd, int mode)
{
	struct daxstack_heat_file file;

	read_out(heat, false, false, 0);
	file = must_tell(heat, fd);
	dxs_is(mode, file.mode, "mode");
	dxs_is(FILE_LEN, file.size, "size");
	dxs_is(0, file.uid, "owner");
	dxs_is(0, file.reason, "switch reason: none");
	dxs_is(mode, file.switches, "switches");
	dxs_is(mode ? DAXSTACK_STATE_FLAG : 0, file.flags & DAXSTACK_STATE_FLAG,
	       "flag");
	dxs_ok(file.pages && file.pages <= FILE_LEN / PAGE, "resident pages");
}

void test_counts(void)
{
	int mode, fd, cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct heat *heat = session(false);
	struct sequence *last = &sequences[ARRAY_SIZE(sequences) - 1];
	size_t i;

	last->is.reads = CALLS * cpus;
	last->is.read_bytes = CALLS * cpus;
	fd = make("stack/file", FILE_LEN, DAXSTACK_CACHED);
	for (mode = 0; mode < 2; mode++) {
		dxs_to(fd, mode, "mode to be counted");
		for (i = 0; i < ARRAY_SIZE(sequences); i++)
			run(heat, fd, mode, &sequences[i]);
		check_file(heat, fd, mode);
	}
	close(fd);
	heat_close(heat);
}

/* --- Refaults after a switch. */

void test_refaults(void)
{
	struct heat *heat = session(false);
	struct daxstack_heat_file file;
	uint64_t held;
	void *area;
	int fd, i;

	fd = make("stack/file", FILE_LEN, DAXSTACK_CACHED);
	area = map(fd, FILE_LEN);
	load_all(area, FILE_LEN);
	read_out(heat, false, false, 0);
	file = must_tell(heat, fd);
	held = file.pages;
	dxs_is(0, file.refaults, "no refaults before a switch");
	dxs_to(fd, DAXSTACK_DAX, "mapped, to dax");
	read_out(heat, false, false, 0);
	dxs_is(0, must_tell(heat, fd).refaults,
	       "no refaults yet after the switch");
	load_all(area, 7 * PAGE);
	load_all(area, 7 * PAGE);
	read_out(heat, false, false, 0);
	dxs_is(7, must_tell(heat, fd).refaults, "refaults");
	for (i = 0; i < 3; i++) {
		MUST(madvise(area, FILE_LEN, MADV_DONTNEED));
		load_all(area, FILE_LEN);
	}
	read_out(heat, false, false, 0);
	dxs_is(held, must_tell(heat, fd).refaults,
	       "as many refaults as pages were resident");
	MUST(munmap(area, FILE_LEN));
	close(fd);
	heat_close(heat);
}

/* --- Number of distinct pages. */

/* Touches @pages pages, each several times, and checks the estimate. */
static void check_distinct(struct heat *heat, int fd, long pages, bool clear)
{
	double is;
	long i;

	for (i = 0; i < 3 * pages; i++)
		dxs_pread(fd, buf, 1, i % pages * PAGE);
	read_out(heat, false, clear, 0);
	is = heat_distinct(told(heat, fd));
	dxs_ok(is > 0.5 * pages && is < 1.5 * pages, "%ld pages touched", pages);
	dxs_diag("estimated: %.0f", is);
}

void test_sketch(void)
{
	int small = make("stack/small", 256 * PAGE, DAXSTACK_CACHED);
	int large = make("stack/large", 8192 * PAGE, DAXSTACK_CACHED);
	struct heat *heat = session(true);
	struct daxstack_heat_file file;
	int i;

	check_distinct(heat, small, 100, true);
	dxs_pread(small, buf, 1, 0);
	check_distinct(heat, small, 200, true);
	check_distinct(heat, large, 8192, true);
	read_out(heat, false, true, 0);
	dxs_is(0, (long)heat_distinct(told(heat, small)), "cleared");

	/* The pages of the sketch rotate with what is touched. */
	for (i = 0; i < 8; i++) {
		dxs_pread(large, buf, 1, 0);
		read_out(heat, false, true, 0);
	}
	file = must_tell(heat, large);
	dxs_ok(file.sketch_shift < 4,
	       "few pages of a large file: all are in the sketch");
	check_distinct(heat, large, 100, true);
	close(small);
	close(large);
	heat_close(heat);
}
