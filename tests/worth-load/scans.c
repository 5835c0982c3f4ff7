// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sequential scans of a whole file.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "load.h"

#define DRAM		(32 * MIB)
#define BELOW		(16 * MIB)
#define ABOVE		(64 * MIB)
#define PIECE		(64 * KIB)

static void make(const struct load *load)
{
	make_file(FILE_NAME, load->set);
}

static void begin_read(struct running *r)
{
	open_file(r, O_RDWR);
}

static void begin_map(struct running *r)
{
	open_file(r, O_RDWR);
	map_file(r);
}

/* Reads all of it, like a sum over a column. */
static uint64_t look_at(const char *p)
{
	const char *end = p + PIECE;
	uint64_t sum = 0;

	for (; p < end; p += sizeof(sum))
		sum += *(volatile const uint64_t *)p;
	return sum;
}

static void run_read(struct running *r, long n)
{
	long i, pieces = r->load->set / PIECE;

	for (i = 0; i < n; i++) {
		if (pread(r->fd, r->buf, PIECE, i % pieces * PIECE) != PIECE)
			dxs_bail("pread: %m");
		r->sum += look_at(r->buf);
	}
}

static void run_map(struct running *r, long n)
{
	long i, pieces = r->load->set / PIECE;

	for (i = 0; i < n; i++)
		r->sum += look_at(r->map + i % pieces * PIECE);
}

#define SCANS(where, size)						\
	{ .key = "scan-read-" where, .what = "sequential scan, read(2)", \
	  .op = "64 KiB", .group = "scans", .dir = "set-" where, .set = size, \
	  .dram = DRAM, .warm = (size) / PIECE, .ops = (size) / PIECE, .make = make, \
	  .begin = begin_read, .run = run_read, .end = close_file },	\
	{ .key = "scan-map-" where, .what = "sequential scan, by mapping", \
	  .op = "64 KiB", .group = "scans", .dir = "set-" where, .set = size, \
	  .dram = DRAM, .warm = (size) / PIECE, .ops = (size) / PIECE, .make = make, \
	  .begin = begin_map, .run = run_map, .end = close_file }

const struct load loads_scans[] = {
	SCANS("below", BELOW),
	SCANS("above", ABOVE),
	{}
};

/*
 * The cost of a switch, with the whole file in the page cache and some of it
 * dirty.
 */

#define SWITCH_SET	(16 * MIB)

#define SWITCH(name, says, share, reader)				\
	{ .key = "switch-" name, .what = says, .op = "64 KiB",		\
	  .group = "switch", .dir = "switch", .set = SWITCH_SET,	\
	  .warm = SWITCH_SET / PIECE, .ops = SWITCH_SET / PIECE,	\
	  .dirty = SWITCH_SET / PAGE * (share) / 100 * PAGE, .make = make, \
	  .begin = begin_##reader, .run = run_##reader, .end = close_file }

const struct load loads_switch[] = {
	SWITCH("clean", "open, all of it cached", 0, read),
	SWITCH("dirty-10", "open, all of it cached, 10 % dirty", 10, read),
	SWITCH("dirty-50", "open, all of it cached, 50 % dirty", 50, read),
	SWITCH("mapped", "mapped, all of it cached", 0, map),
	SWITCH("mapped-dirty-50", "mapped, all of it cached, 50 % dirty", 50, map),
	{}
};
