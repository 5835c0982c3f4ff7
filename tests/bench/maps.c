// SPDX-License-Identifier: GPL-2.0-only
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
#define AROUND_PAGES	16L		/* the kernel's default */

static void fault_around(long pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pages * PAGE);
	dxs_must_put(AROUND, text);
}

/*
 * At a fixed low address, because the cost of finding the VMA depends on its
 * place among others. Aligned so that a huge page can start there; overlayfs
 * does not ensure that.
 */
#define AREA	((char *)(64 * HUGE_LEN))

static char *map_at(char *area, int fd, size_t len)
{
	return MUST(mmap(area, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0));
}

static void map_file(struct bench *b, size_t len)
{
	b->map = map_at(AREA, b->fd, len);
}

static bool load(const char *p)
{
	*(volatile const char *)p;
	return true;
}

static bool store(char *p)
{
	*(volatile char *)p = 1;
	return true;
}

/* Unmaps all pages; the page tables stay. */
static void forget(struct bench *b, size_t len)
{
	MUST(madvise(b->map, len, MADV_DONTNEED));
}

static void forget_first(struct bench *b, int i)
{
	if (i % FILE_PAGES == 0)
		forget(b, FILE_LEN);
}

static char *page_of(struct bench *b, int i)
{
	return b->map + i % FILE_PAGES * PAGE;
}

static bool begin_map(struct bench *b)
{
	bench_open(b, "file", O_RDWR);
	map_file(b, FILE_LEN);
	/* Each fault maps only its own page. */
	fault_around(1);
	return true;
}

static void end_map(struct bench *b)
{
	fault_around(AROUND_PAGES);
	munmap(b->map, FILE_LEN);
	bench_close(b);
}

static bool read_fault(struct bench *b, int i)
{
	return load(page_of(b, i));
}

static bool write_fault(struct bench *b, int i)
{
	return store(page_of(b, i));
}

/* Of a page that is mapped for reading. */
static void map_for_reading(struct bench *b, int i)
{
	forget_first(b, i);
	load(page_of(b, i));
}

/* With the kernel's default: pages around are mapped, too. */
static bool begin_around(struct bench *b)
{
	begin_map(b);
	fault_around(AROUND_PAGES);
	return true;
}

static void forget_around(struct bench *b, int i)
{
	if (i % (FILE_PAGES / AROUND_PAGES) == 0)
		forget(b, FILE_LEN);
}

static bool around_fault(struct bench *b, int i)
{
	return load(page_of(b, i * AROUND_PAGES));
}

/* The page cache has no huge pages. */
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

static bool huge_mapped(const char *p)
{
	unsigned char in_core[2];

	/* Checks both ends; the second one has not been touched. */
	MUST(mincore((void *)p, PAGE, in_core));
	MUST(mincore((void *)(p + HUGE_LEN - PAGE), PAGE, in_core + 1));
	return in_core[0] & in_core[1] & 1;
}

static void forget_huge(struct bench *b, int i)
{
	if (i && !huge_mapped(b->map + (i - 1) % HUGE_PAGES * HUGE_LEN))
		dxs_bail("not a huge page");
	if (i % HUGE_PAGES == 0)
		forget(b, HUGE_PAGES * HUGE_LEN);
}

static bool huge_fault(struct bench *b, int i)
{
	return load(b->map + i % HUGE_PAGES * HUGE_LEN);
}

static void switch_to(struct bench *b, int mode)
{
	int err = dxs_set_xflag(b->fd, mode);

	if (err)
		dxs_bail("switch to %s: %s", dxs_mode_name(mode), strerror(err));
}

/*
 * The first faults after the mapping was emptied. On the stack: of pages that
 * were mapped before the file was switched back and forth. Elsewhere files
 * cannot be switched: of a file not touched since the mount.
 */
static bool begin_refault(struct bench *b)
{
	long page;
	int batch;

	fault_around(1);
	for (batch = 0; batch < BATCHES; batch++) {
		bench_enter(b, batch);
		bench_open(b, "fresh", O_RDWR);
		b->maps[batch] = map_at(AREA + batch * HUGE_LEN, b->fd, FRESH_LEN);
		/* One page at a time, without readahead. */
		MUST(madvise(b->maps[batch], FRESH_LEN, MADV_RANDOM));
		if (b->layer == ON_STACK) {
			for (page = 0; page < FRESH_PAGES; page++)
				load(b->maps[batch] + page * PAGE);
			switch_to(b, !b->mode);
			switch_to(b, b->mode);
		}
		/* The mapping keeps the file open. */
		bench_close(b);
		bench_leave();
	}
	return true;
}

static void end_refault(struct bench *b)
{
	int batch;

	fault_around(AROUND_PAGES);
	for (batch = 0; batch < BATCHES; batch++)
		munmap(b->maps[batch], FRESH_LEN);
}

/* The first fault allocates the page tables. */
static void make_tables(struct bench *b, int i)
{
	if (!i)
		load(b->maps[b->batch] + (FRESH_PAGES - 1) * PAGE);
}

static bool refault(struct bench *b, int i)
{
	return load(b->maps[b->batch] + i * PAGE);
}

#define ON_MAP		.counted = true, .begin = begin_map, .prepare = forget_first, .end = end_map

const struct bench_call bench_maps[] = {
	{ "read fault", 80, BATCHES * FILE_PAGES, .call = read_fault, ON_MAP },
	{ "write fault", 80, BATCHES * FILE_PAGES, .call = write_fault, ON_MAP },
	{ "write fault, page mapped", 80, BATCHES * FILE_PAGES, .counted = true, .begin = begin_map,
	  .prepare = map_for_reading, .call = write_fault, .end = end_map },
	{ "read fault, fault-around", 80, BATCHES * 128, .counted = true, .begin = begin_around,
	  .prepare = forget_around, .call = around_fault, .end = end_map },
	/*
	 * Two faults: the first has the page read, and is retried
	 * (VM_FAULT_RETRY).
	 */
	{ "refault after a switch", 160, BATCHES * (FRESH_PAGES - 1), .once = true,
	  .begin = begin_refault, .prepare = make_tables, .call = refault,
	  .end = end_refault },
	{ "huge read fault", 80, BATCHES * 128, .counted = true, .begin = begin_huge,
	  .prepare = forget_huge, .call = huge_fault, .end = end_huge },
	{}
};
