// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random and appending writes, with an occasional fsync.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "load.h"

#define RANDOM_SET	(4 * MIB)
#define RECORD		512L
#define DRAM		(16 * MIB)

static void make_random(const struct load *load)
{
	make_file(FILE_NAME, load->set);
}

static void make_empty(const struct load *load)
{
	(void)load;
	make_file(FILE_NAME, 0);
}

static void begin_random(struct running *r)
{
	open_file(r, O_RDWR);
}

static void begin_append(struct running *r)
{
	open_file(r, O_RDWR | O_APPEND);
}

static void plan_random(struct running *r, long n)
{
	uint64_t seed = r->seed << 32;
	long i, pages = r->load->set / PAGE;

	for (i = 0; i < n; i++)
		r->at[i] = next_random(&seed) % pages;
}

static void sync_at(struct running *r, long i)
{
	if ((i + 1) % r->load->every == 0)
		MUST(fdatasync(r->fd));
}

static void run_random(struct running *r, long n)
{
	long i;

	for (i = 0; i < n; i++) {
		if (pwrite(r->fd, r->buf, PAGE, r->at[i] * PAGE) != PAGE)
			dxs_bail("pwrite: %m");
		sync_at(r, i);
	}
}

static void run_append(struct running *r, long n)
{
	long i;

	for (i = 0; i < n; i++) {
		if (write(r->fd, r->buf, RECORD) != RECORD)
			dxs_bail("write: %m");
		sync_at(r, i);
	}
}

#define WRITES(n, says, n_append)					\
	{ .key = "write-random-" #n, .group = "writes", .every = n,	\
	  .what = "random writes, fsync every " says, .op = "write of 4 KiB", \
	  .dir = "random", .set = RANDOM_SET, .dram = DRAM, .warm = 4000, \
	  .ops = 2000, .make = make_random, .begin = begin_random,	\
	  .plan = plan_random, .run = run_random, .end = close_file },	\
	{ .key = "append-" #n, .group = "writes", .every = n,		\
	  .what = "appending writes, fsync every " says,		\
	  .op = "write of 512 B", .dir = "append-" #n, .dram = DRAM,	\
	  .warm = n_append, .ops = n_append, .make = make_empty,	\
	  .begin = begin_append, .run = run_append, .end = close_file }

const struct load loads_writes[] = {
	WRITES(1, "write", 500),
	WRITES(10, "10", 2000),
	WRITES(100, "100", 4000),
	{}
};
