// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random reads of working sets that fit into memory, just exceed it, or exceed
 * it by far.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "load.h"

#define DRAM		(32 * MIB)
#define BELOW		(16 * MIB)
#define AT		DRAM
#define ABOVE		(64 * MIB)

static void make(const struct load *load)
{
	make_file(FILE_NAME, load->set);
}

/* Any line of any page. */
static void plan_random(struct running *r, long n)
{
	uint64_t seed = r->seed << 32;
	long i, lines = r->load->set / LINE;

	for (i = 0; i < n; i++)
		r->at[i] = next_random(&seed) % lines;
}

/*
 * The page of rank k is read 1/k times as often as the first. Ranks are
 * scattered over the file; the number of pages is a power of two.
 */
static void plan_zipf(struct running *r, long n)
{
	uint64_t seed = r->seed << 32;
	long i, low, high, middle, pages = r->load->set / PAGE;
	uint64_t *below = malloc((pages + 1) * sizeof(*below)), x;

	if (!below)
		dxs_bail("no memory");
	below[0] = 0;
	for (i = 1; i <= pages; i++)
		below[i] = below[i - 1] + (1UL << 40) / i;
	for (i = 0; i < n; i++) {
		x = next_random(&seed) % below[pages];
		low = 0;
		high = pages;
		while (high - low > 1) {
			middle = (low + high) / 2;
			if (below[middle] <= x)
				low = middle;
			else
				high = middle;
		}
		r->at[i] = low * 2654435761UL % pages * LINES +
			   next_random(&seed) % LINES;
	}
	free(below);
}

static void begin_read(struct running *r)
{
	open_file(r, O_RDWR);
}

static void begin_map(struct running *r)
{
	open_file(r, O_RDWR);
	map_file(r);
	/* As a program does that knows readahead to be useless. */
	MUST(madvise(r->map, r->load->set, MADV_RANDOM));
}

/* The page of the line. */
static void run_read(struct running *r, long n)
{
	long i;

	for (i = 0; i < n; i++) {
		if (pread(r->fd, r->buf, PAGE, r->at[i] / LINES * PAGE) != PAGE)
			dxs_bail("pread: %m");
		r->sum += *(volatile uint64_t *)(r->buf + r->at[i] % LINES * LINE);
	}
}

static void run_map(struct running *r, long n)
{
	const char *map = r->map;
	const uint32_t *at = r->at;
	uint64_t sum = 0;
	long i;

	for (i = 0; i < n; i++)
		sum += *(volatile const uint64_t *)(map + at[i] * LINE);
	r->sum += sum;
}

#define READS(where, size, n_warm, n, mapped)				\
	{ .key = "read-random-" where, .what = "random reads, read(2)",	\
	  .op = "read of 4 KiB", .group = "reads", .dir = "set-" where,	\
	  .set = size, .dram = DRAM, .warm = n_warm, .ops = n, .make = make, \
	  .begin = begin_read, .plan = plan_random, .run = run_read,	\
	  .end = close_file },						\
	{ .key = "read-zipf-" where, .what = "zipfian reads, read(2)",	\
	  .op = "read of 4 KiB", .group = "reads", .dir = "set-" where,	\
	  .set = size, .dram = DRAM, .warm = n_warm, .ops = n, .make = make, \
	  .begin = begin_read, .plan = plan_zipf, .run = run_read,	\
	  .end = close_file },						\
	{ .key = "map-random-" where, .what = "random reads, by mapping", \
	  .op = "load of a word", .group = "reads", .dir = "set-" where, \
	  .set = size, .dram = DRAM, .warm = n_warm, .ops = mapped, .make = make, \
	  .begin = begin_map, .plan = plan_random, .run = run_map,	\
	  .end = close_file },						\
	{ .key = "map-zipf-" where, .what = "zipfian reads, by mapping", \
	  .op = "load of a word", .group = "reads", .dir = "set-" where, \
	  .set = size, .dram = DRAM, .warm = n_warm, .ops = mapped, .make = make, \
	  .begin = begin_map, .plan = plan_zipf, .run = run_map,	\
	  .end = close_file }

const struct load loads_reads[] = {
	READS("below", BELOW, 4 * BELOW / PAGE, 8192, 65536),
	READS("at", AT, 4 * AT / PAGE, 8192, 16384),
	READS("above", ABOVE, 2 * ABOVE / PAGE, 8192, 16384),
	{}
};
