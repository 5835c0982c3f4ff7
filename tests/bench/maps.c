// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on shared mappings.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define AROUND		"/sys/kernel/debug/fault_around_bytes"
#define AROUND_PAGES	16L		/* what the kernel starts with */

static void put(const char *path, const char *text)
{
	int fd = MUST(open(path, O_WRONLY | O_CLOEXEC));

	MUST(write(fd, text, strlen(text)));
	close(fd);
}

static void fault_around(long pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pages * PAGE);
	put(AROUND, text);
}

/* Where a huge page can begin: overlayfs does not see to that by itself. */
static void map_file(struct bench *b, size_t len)
{
	char *area = MUST(mmap(NULL, len + HUGE_LEN, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	b->map = (char *)(((uintptr_t)area + HUGE_LEN - 1) & -HUGE_LEN);
	MUST(munmap(area, len + HUGE_LEN));
	MUST(mmap(b->map, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		  b->fd, 0));
}

static void load(const char *p)
{
	*(volatile const char *)p;
}

static uint64_t count_load(const char *p)
{
	return COUNT(load(p));
}

static uint64_t count_store(char *p)
{
	return COUNT(*(volatile char *)p = 1);
}

/* No page is mapped any more; the page tables stay. */
static void forget(struct bench *b, size_t len)
{
	MUST(madvise(b->map, len, MADV_DONTNEED));
}

static bool begin_map(struct bench *b)
{
	bench_open(b, "file", O_RDWR);
	map_file(b, FILE_LEN);
	/* Each fault maps the page it is for, and no other. */
	fault_around(1);
	return true;
}

static void end_map(struct bench *b)
{
	fault_around(AROUND_PAGES);
	munmap(b->map, FILE_LEN);
	bench_close(b);
}

static uint64_t read_fault(struct bench *b, int run)
{
	if (!run)
		forget(b, FILE_LEN);
	return count_load(b->map + run * PAGE);
}

static uint64_t write_fault(struct bench *b, int run)
{
	if (!run)
		forget(b, FILE_LEN);
	return count_store(b->map + run * PAGE);
}

/* Of a page that is mapped for reading. */
static uint64_t mkwrite_fault(struct bench *b, int run)
{
	char *p = b->map + run * PAGE;

	if (!run)
		forget(b, FILE_LEN);
	load(p);
	return count_store(p);
}

/* As the kernel comes: with the pages around. */
static bool begin_around(struct bench *b)
{
	begin_map(b);
	fault_around(AROUND_PAGES);
	return true;
}

static uint64_t around_fault(struct bench *b, int run)
{
	if (!run)
		forget(b, FILE_LEN);
	return count_load(b->map + run * AROUND_PAGES * PAGE);
}

/* There are none of the page cache. */
static bool begin_huge(struct bench *b)
{
	if (b->mode == DAXSTACK_CACHED)
		return false;
	bench_open(b, "huge", O_RDWR);
	map_file(b, HUGE_PAGES * HUGE_LEN);
	return true;
}

static void end_huge(struct bench *b)
{
	munmap(b->map, HUGE_PAGES * HUGE_LEN);
	bench_close(b);
}

static uint64_t huge_fault(struct bench *b, int run)
{
	char *p = b->map + run % HUGE_PAGES * HUGE_LEN;
	uint64_t count;

	if (run % HUGE_PAGES == 0)
		forget(b, HUGE_PAGES * HUGE_LEN);
	count = count_load(p);
	if (count_load(p + HUGE_LEN - PAGE) > 100)
		dxs_bail("not a huge page");
	return count;
}

/* The first faults since the mapping was emptied. */
static bool begin_refault(struct bench *b)
{
	(void)b;
	fault_around(1);
	return true;
}

static void end_refault(struct bench *b)
{
	(void)b;
	fault_around(AROUND_PAGES);
}

static void switch_to(struct bench *b, int mode)
{
	int err = dxs_set_xflag(b->fd, mode);

	if (err)
		dxs_bail("switch to %s: %s", dxs_mode_name(mode), strerror(err));
}

/*
 * On the stack: of pages that were mapped before the file was switched there and
 * back. Elsewhere no file can be switched; there it is one that nobody has
 * touched since the filesystem was mounted.
 */
static void begin_refault_batch(struct bench *b)
{
	long page;

	bench_open(b, "fresh", O_RDWR);
	b->map = MUST(mmap(NULL, FRESH_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			   b->fd, 0));
	/* One page at a time, not as many as readahead thinks good. */
	MUST(madvise(b->map, FRESH_LEN, MADV_RANDOM));
	if (b->layer != ON_STACK)
		return;
	for (page = 0; page < BENCH_RUNS; page++)
		load(b->map + page * PAGE);
	switch_to(b, !b->mode);
	switch_to(b, b->mode);
}

static uint64_t refault(struct bench *b, int run)
{
	uint64_t count;

	if (!run)
		begin_refault_batch(b);
	count = count_load(b->map + run * PAGE);
	if (run == BENCH_RUNS - 1) {
		munmap(b->map, FRESH_LEN);
		bench_close(b);
	}
	return count;
}

const struct bench_call bench_maps[] = {
	{ "read fault", 150, begin_map, read_fault, end_map },
	{ "write fault", 150, begin_map, write_fault, end_map },
	{ "write fault, page mapped", 150, begin_map, mkwrite_fault, end_map },
	{ "read fault, fault-around", 150, begin_around, around_fault, end_map },
	{ "refault after a switch", 200, begin_refault, refault, end_refault },
	{ "huge read fault", 200, begin_huge, huge_fault, end_huge },
	{}
};
