// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost model. See cost.h.
 *
 * A call executes instructions and waits for memory. The numbers of instructions were
 * counted: docs/performance-calls.md (Linux 6.1, ext4, including daxstack) counts a
 * copied byte as one, which is subtracted here; docs/worth/phases with
 * docs/worth/NAME.counts counts a copied line as one, and adds writeback, the journal
 * and filling the page cache. Time to wait for memory is calculated as in
 * docs/memory-model.md: the first line at a place is a random read, the second hits the
 * line opened by it, the rest is a stream.
 */
#include <stdbool.h>

#include "cost.h"
#include "decay.h"

enum { LINE = 64, BULK = 16384, CROWDED = 49152 };

/* Instructions; *_LOOKS: random reads of DRAM for data structures of the kernel. */
enum {
	/* Per call, and per page of it: reads of 4 and of 64 KiB, with their caller. */
	DAX_READ = 2040,
	DAX_READ_PAGE = 140,
	CACHED_READ = 1345,
	CACHED_READ_PAGE = 370,
	/* Tenths of a read: the page, its place in the mapping, its LRU list. */
	CACHED_READ_LOOKS = 25,
	CACHED_READ_PAGE_LOOKS = 3,
	/*
	 * More of them per page that is in DRAM, for calls of about 64 KiB and more: the
	 * caller's buffer and the pages no longer fit in an L2 of 128 KiB together, and
	 * displace each other. By how much depends on the physical addresses of the
	 * pages: the loads that scan a cached file (scan-read-below, switch-*) differ by
	 * up to 8 %, also from build to build.
	 */
	CACHED_READ_CROWDED_LOOKS = 12,

	/* pwrite of 1 B, and non-temporal stores of 4 to 64 KiB. */
	DAX_WRITE = 2220,
	DAX_WRITE_PAGE = 1270,
	CACHED_WRITE = 1220,
	CACHED_WRITE_PAGE = 1010,
	CACHED_WRITE_LOOKS = 30,
	/* write-random-1, -10 and -100: per fsync, and per page. */
	DAX_FSYNC = 1600,
	CACHED_FSYNC = 3900,
	WRITEBACK_PAGE = 6700,
	WRITEBACK_LOOKS = 68,

	/* append-1, -10 and -100; create+write 4 KiB+unlink: extra cost of growth. */
	DAX_GROW = 7000,
	DAX_GROW_PAGE = 32000,
	CACHED_GROW = 2400,
	CACHED_GROW_PAGE = 10300,
	/* Each fsync of a file that has grown commits the journal. */
	COMMIT = 50000,
	COMMIT_BYTES = 17600,

	/* Minor faults. */
	DAX_READ_FAULT = 4019,
	DAX_WRITE_FAULT = 5067,
	CACHED_READ_FAULT = 2042,
	CACHED_WRITE_FAULT = 3242,
	FAULT_LOOKS = 10,
	/* A load through a mapping, with the loop around it (map-random-below). */
	TOUCH = 8,

	/*
	 * First reads after a switch, and the additional work of reclaim
	 * (read-random-above).
	 */
	FILL = 5544,
	FILL_BULK = 2915,
	FILL_LOOKS = 60,
	FILL_BULK_LOOKS = 96,
	/* The same through a mapping, with a fault for each page (map-random-below). */
	FILL_FAULT = 4968,
	FILL_FAULT_LOOKS = 80,
	EVICT = 2800,
	/* 50 with one file; 110 with 16 files (docs/placement/model/steady-cached.counts). */
	EVICT_LOOKS = 70,
	EVICT_MAPPED = 4500,
	EVICT_MAPPED_LOOKS = 50,

	/*
	 * Switches: switch-clean, switch-dirty-50, switch-mapped, -mapped-dirty-50. Those
	 * of unmapped files to cached mode take 25 to 44 us; these are for their mean.
	 */
	SWITCH = 40000,
	SWITCH_LOOKS = 2100,
	TO_DAX_PAGE = 1750,
	TO_DAX_LOOKS = 10,
	TO_DAX_MAPPED = 1100,
	TO_DAX_MAPPED_LOOKS = 12,
	TO_CACHED_MAPPED = 2270,
	TO_CACHED_MAPPED_LOOKS = 10,
	REFAULT_DAX = 4286,
	FLUSH_PAGE = 4600,
	FLUSH_LOOKS = 87,
};

/* The flusher writes pages that have been dirty for this long (vm.dirty_expire_centisecs). */
#define EXPIRE_NS 30000000000ULL

struct sum {
	const struct dxs_profile *p;
	uint64_t ps;
};

static uint64_t times(uint64_t a, uint64_t b, uint64_t per)
{
	return per ? (uint64_t)((__uint128_t)a * b / per) : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void run(struct sum *sum, uint64_t n, uint64_t instructions)
{
	sum->ps += n * instructions * sum->p->instruction_ps;
}

static void look(struct sum *sum, uint64_t n, uint64_t tenths)
{
	sum->ps += n * tenths * sum->p->dram.random_read_ps / 10;
}

static void stream_read(struct sum *sum, const struct dxs_memory *m, uint64_t bytes)
{
	sum->ps += times(bytes, 1000000000, m->read_kb_s);
}

static void stream_write(struct sum *sum, const struct dxs_memory *m, uint64_t bytes)
{
	sum->ps += times(bytes, 1000000000, m->write_kb_s);
}

/* @n accesses of @bytes in total, each at a different place. */
static void read_at(struct sum *sum, const struct dxs_memory *m, uint64_t n,
		    uint64_t bytes)
{
	uint64_t pieces = m->line_bytes / LINE, lines = (bytes + LINE - 1) / LINE;
	uint64_t open = m->random_read_ps;

	if (!n)
		return;
	if (lines < n)
		lines = n;
	if (pieces > 1)
		open = (pieces * m->sequential_read_ps - m->random_read_ps) /
			(pieces - 1);
	sum->ps += n * m->random_read_ps + least(lines - n, n) * open;
	if (lines > 2 * n)
		stream_read(sum, m, (lines - 2 * n) * LINE);
}

/* @n writes. A write below access_bytes costs as much as access_bytes. */
static void write_at(struct sum *sum, const struct dxs_memory *m, uint64_t n,
		     uint64_t bytes)
{
	uint64_t pieces;

	if (!n)
		return;
	pieces = (bytes / n + m->access_bytes - 1) / m->access_bytes;
	if (!pieces)
		pieces = 1;
	stream_write(sum, m, n * pieces * m->access_bytes);
}

/* Pages touched by @n calls with @bytes in total, at least one per call. */
static uint64_t pages_of(uint64_t n, uint64_t bytes)
{
	return n ? n * ((bytes / n + COST_PAGE - 1) / COST_PAGE) + !(bytes / n) * n : 0;
}

static uint64_t share(uint64_t of, uint64_t part, uint64_t whole)
{
	return part >= whole ? of : times(of, part, whole);
}

/* Number of calls whose writes extended the file. */
static uint64_t growing(const struct demand *d, uint64_t calls)
{
	return d->grown ? share(calls, d->grown, d->write_bytes) : 0;
}

/*
 * Pages that writeback writes. A page that is written again before an fsync, or before
 * the flusher runs, is written back once.
 */
static uint64_t written_back(const struct demand *d)
{
	uint64_t set = least(d->dirtied, d->footprint / COST_PAGE), each, n;

	if (!d->dirtied)
		return 0;
	if (!set)
		set = 1;
	if (!d->fsyncs)
		return least(set, d->fresh / COST_PAGE) +
			share(set - least(set, d->fresh / COST_PAGE), d->ns, EXPIRE_NS);
	each = (d->dirtied + d->fsyncs - 1) / d->fsyncs;
	/*
	 * Logs write no byte of a page twice: a page is dirtied once, or twice if an
	 * fsync comes in between. Other writes hit pages at random.
	 */
	if (d->write_bytes / 5 * 4 <= set * COST_PAGE)
		n = set + (each > 1 ? d->fsyncs : 0);
	else
		n = d->fsyncs * decay_reached(set, each, set);
	if (n < set)
		n = set;
	return least(n, d->dirtied);
}

static uint64_t dax_ps(const struct dxs_profile *p, const struct demand *d)
{
	struct sum s = { .p = p };

	run(&s, d->reads, DAX_READ);
	run(&s, pages_of(d->reads, d->read_bytes), DAX_READ_PAGE);
	read_at(&s, &p->pmem, d->reads, d->read_bytes);

	run(&s, d->writes, DAX_WRITE);
	run(&s, 1, times(d->write_bytes, DAX_WRITE_PAGE, COST_PAGE));
	write_at(&s, &p->pmem, d->writes, d->write_bytes);
	run(&s, growing(d, d->writes), DAX_GROW);
	run(&s, least(growing(d, d->writes), d->grown / COST_PAGE), DAX_GROW_PAGE);

	run(&s, d->fsyncs, DAX_FSYNC);
	run(&s, growing(d, d->fsyncs), COMMIT);
	stream_write(&s, &p->pmem, growing(d, d->fsyncs) * COMMIT_BYTES);

	run(&s, d->read_faults, DAX_READ_FAULT);
	run(&s, d->write_faults, DAX_WRITE_FAULT);
	look(&s, d->read_faults + d->write_faults, FAULT_LOOKS);
	/* Pages dirtied through a mapping are flushed from the CPU caches as a whole. */
	stream_write(&s, &p->pmem, least(d->write_faults, d->dirtied) * COST_PAGE);

	run(&s, d->touches, TOUCH);
	read_at(&s, &p->pmem, d->touches + d->read_faults, 0);
	return s.ps;
}

static void add_writeback(struct sum *s, uint64_t pages, bool journal)
{
	run(s, pages, journal ? WRITEBACK_PAGE : FLUSH_PAGE);
	look(s, pages, journal ? WRITEBACK_LOOKS : FLUSH_LOOKS);
	stream_read(s, &s->p->dram, pages * COST_PAGE);
	stream_write(s, &s->p->pmem, pages * COST_PAGE);
}

/* Is the file used through mappings mostly, with a fault for each page? */
static bool by_mapping(const struct demand *d)
{
	return d->mapped && d->touches + d->read_faults > d->reads;
}

static void add_fill(struct sum *s, const struct demand *d, uint64_t bytes)
{
	const struct dxs_profile *p = s->p;
	uint64_t pages = (bytes + COST_PAGE - 1) / COST_PAGE;
	bool bulk = d->reads && d->read_bytes / d->reads >= BULK;

	run(s, pages, bulk ? FILL_BULK : FILL);
	look(s, pages, bulk ? FILL_BULK_LOOKS : FILL_LOOKS);
	if (bulk)
		stream_read(s, &p->pmem, pages * COST_PAGE);
	else
		read_at(s, &p->pmem, pages, pages * COST_PAGE);
	stream_write(s, &p->dram, pages * COST_PAGE);
	/* The copy to the caller reads the data from DRAM again. */
	if (bulk)
		stream_read(s, &p->dram, pages * COST_PAGE);
	if (by_mapping(d)) {
		run(s, pages, FILL_FAULT);
		look(s, pages, FILL_FAULT_LOOKS);
	}
}

static uint64_t cached_ps(const struct dxs_profile *p, const struct demand *d,
			  uint64_t missing)
{
	struct sum s = { .p = p };
	uint64_t pages = pages_of(d->reads, d->read_bytes);

	run(&s, d->reads, CACHED_READ);
	run(&s, pages, CACHED_READ_PAGE);
	look(&s, d->reads, CACHED_READ_LOOKS);
	look(&s, pages, CACHED_READ_PAGE_LOOKS);
	if (d->reads && d->read_bytes / d->reads >= CROWDED)
		look(&s, pages - least(pages, missing / COST_PAGE),
		     CACHED_READ_CROWDED_LOOKS);
	read_at(&s, &p->dram, d->reads, d->read_bytes);

	pages = pages_of(d->writes, d->write_bytes);
	run(&s, d->writes, CACHED_WRITE);
	run(&s, pages, CACHED_WRITE_PAGE);
	look(&s, pages, CACHED_WRITE_LOOKS);
	write_at(&s, &p->dram, d->writes, d->write_bytes);
	run(&s, growing(d, d->writes), CACHED_GROW);
	run(&s, d->grown / COST_PAGE, CACHED_GROW_PAGE);

	run(&s, d->fsyncs, CACHED_FSYNC);
	run(&s, growing(d, d->fsyncs), COMMIT);
	stream_write(&s, &p->pmem, growing(d, d->fsyncs) * COMMIT_BYTES);
	add_writeback(&s, written_back(d), true);

	run(&s, d->read_faults, CACHED_READ_FAULT);
	run(&s, d->write_faults, CACHED_WRITE_FAULT);
	look(&s, d->read_faults + d->write_faults, FAULT_LOOKS);

	run(&s, d->touches, TOUCH);
	read_at(&s, &p->dram, d->touches + d->read_faults, 0);
	add_fill(&s, d, missing);
	return s.ps;
}

uint64_t cost_ps(const struct dxs_profile *p, const struct demand *d, int mode,
		 uint64_t missing)
{
	return mode == DAXSTACK_DAX ? dax_ps(p, d) : cached_ps(p, d, missing);
}

uint64_t cost_fill_ps(const struct dxs_profile *p, const struct demand *d,
		      uint64_t bytes)
{
	struct sum s = { .p = p };

	add_fill(&s, d, bytes);
	return s.ps;
}

uint64_t cost_evict_ps(const struct dxs_profile *p, const struct demand *d,
		       uint64_t bytes)
{
	struct sum s = { .p = p };
	uint64_t pages = (bytes + COST_PAGE - 1) / COST_PAGE;

	run(&s, pages, EVICT);
	look(&s, pages, EVICT_LOOKS);
	if (by_mapping(d)) {
		run(&s, pages, EVICT_MAPPED);
		look(&s, pages, EVICT_MAPPED_LOOKS);
	}
	return s.ps;
}

uint64_t cost_dirty(const struct demand *d)
{
	uint64_t set = least(d->dirtied, d->footprint / COST_PAGE);

	return d->fsyncs ? least(set, d->dirtied / d->fsyncs) : set;
}

uint64_t cost_switch_ps(const struct dxs_profile *p, const struct demand *d, int to,
			uint64_t pages, uint64_t dirty)
{
	struct sum s = { .p = p };

	run(&s, 1, SWITCH);
	look(&s, 1, SWITCH_LOOKS);
	if (to == DAXSTACK_CACHED) {
		if (d->mapped) {
			run(&s, pages, TO_CACHED_MAPPED);
			look(&s, pages, TO_CACHED_MAPPED_LOOKS);
		}
		return s.ps;
	}
	run(&s, pages, TO_DAX_PAGE);
	look(&s, pages, TO_DAX_LOOKS);
	add_writeback(&s, dirty, false);
	if (d->mapped) {
		uint64_t used = least(pages, d->footprint / COST_PAGE);

		run(&s, pages, TO_DAX_MAPPED);
		look(&s, pages, TO_DAX_MAPPED_LOOKS);
		run(&s, used, REFAULT_DAX);
		look(&s, used, FAULT_LOOKS);
		read_at(&s, &p->pmem, used, 0);
	}
	return s.ps;
}
