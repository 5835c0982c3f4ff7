// SPDX-License-Identifier: GPL-2.0-only
/*
 * placecheck: from heat to demand: counts, sketches, probes, and recent use.
 */
#include <math.h>
#include <string.h>

#include "../../tools/decay.h"
#include "../../tools/lru.h"
#include "../../tools/reuse.h"
#include "../../tools/sketch.h"
#include "placecheck.h"

#define SECOND	1000000000ULL

/* As the module does. */
static void touch(struct daxstack_heat_file *f, uint64_t page)
{
	uint64_t hash = page * 0x9e3779b97f4a7c15 + 0x5bd1e995;

	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15;
	if (!(hash & ((1ULL << f->sketch_shift) - 1)))
		f->sketch[hash >> 62] |= 1ULL << (hash >> 56 & 63);
}

static bool is_about(double seen, double expected, double percent)
{
	return fabs(seen - expected) <= expected * percent / 100;
}

static void check_sketches(void)
{
	struct daxstack_heat_file a = { .sketch_shift = 0 }, b = { .sketch_shift = 0 };
	struct daxstack_heat_file large = { .sketch_shift = 6 };
	uint64_t i;

	dxs_is(0, (long long)sketch_pages(a.sketch, 0), "an empty sketch has no pages");
	touch(&a, 4711);
	dxs_is(1, (long long)sketch_pages(a.sketch, 0), "one page is one page");
	for (i = 0; i < 300; i++)
		touch(&a, i);
	dxs_ok(is_about((double)sketch_pages(a.sketch, 0), 301, 15), "300 pages");
	for (i = 100; i < 300; i++)
		touch(&b, i);
	dxs_is(0, (long long)sketch_beyond(b.sketch, a.sketch, 0),
	       "no page is beyond the full set");
	for (i = 300; i < 400; i++)
		touch(&b, i);
	dxs_ok(is_about((double)sketch_beyond(b.sketch, a.sketch, 0), 100, 40),
	       "100 pages beyond");
	for (i = 0; i < 20000; i++)
		touch(&large, i);
	dxs_ok(is_about((double)sketch_pages(large.sketch, 6), 20000, 15),
	       "20000 pages, by a 64th of them");
}

static void check_demands(void)
{
	struct daxstack_heat_file before = { .size = 8 * MIB }, now = before;
	struct demand d;
	uint64_t i;

	before.by_mode[DAXSTACK_DAX].reads = 1000;
	now.by_mode[DAXSTACK_DAX].reads = 1500;
	now.by_mode[DAXSTACK_DAX].read_bytes = 500 * 16384;
	now.by_mode[DAXSTACK_CACHED].reads = 100;
	now.by_mode[DAXSTACK_CACHED].read_bytes = 100 * 16384;
	now.size = 9 * MIB;
	for (i = 0; i < 100; i++)
		touch(&now, i * 4);
	demand_of(&d, &before, &now, SECOND);
	dxs_is(600, (long long)d.reads, "reads in both modes count");
	dxs_is(MIB, (long long)d.grown, "a file that grew");
	dxs_ok(is_about((double)d.footprint, 100 * 16384, 15),
	       "calls touch as many pages as they read");

	now.by_mode[DAXSTACK_DAX].reads = 10;
	demand_of(&d, &before, &now, SECOND);
	dxs_is(110, (long long)d.reads,
	       "counts that restarted count from zero");

	memset(&now, 0, sizeof(now));
	now.by_mode[DAXSTACK_CACHED].read_faults = 300;
	now.switches = 1;
	now.refaults = 250;
	demand_of(&d, &before, &now, SECOND);
	dxs_is(50, (long long)d.read_faults,
	       "faults after a switch are not demand");
	dxs_ok(!demand_is_none(&d), "other faults are demand");

	/* 64 MiB: a quarter of 1024 windows, each used 1000 times a second. */
	memset(&now, 0, sizeof(now));
	now.size = 64 * MIB;
	now.flags = DAXSTACK_STATE_MAPPED;
	now.probed = 32;
	now.probe_hits = 8;
	now.probe_wait_ns = 8 * SECOND / 1000;
	demand_of(&d, NULL, &now, SECOND);
	dxs_ok(is_about((double)d.touches, 256000, 10), "touches by probes");
	/* All windows, but rarely: 0.5 a second, of which 39 % were seen. */
	now.probe_hits = 13;
	now.probe_wait_ns = 13 * 459 * SECOND / 1000;
	demand_of(&d, NULL, &now, SECOND);
	dxs_ok(d.touches >= 400 && d.touches <= 620, "touches by few probes");
	dxs_diag("%llu", (unsigned long long)d.touches);
}

static void use(struct reuse *r, uint64_t from, uint64_t to, uint64_t stamp,
		struct reuse_split *split)
{
	struct daxstack_heat_file f = { .size = 64 * MIB, .sketch_shift = 2 };
	struct demand d;

	for (; from < to; from++) {
		touch(&f, from);
		f.by_mode[DAXSTACK_DAX].reads++;
		f.by_mode[DAXSTACK_DAX].read_bytes += PAGE;
	}
	demand_of(&d, NULL, &f, SECOND);
	reuse_step(r, &d, stamp, split);
}

static void check_reuse(void)
{
	struct reuse same = { 0 }, scan = { 0 }, two = { 0 };
	struct reuse_split s;
	uint64_t i, at = 0;

	for (i = 1; i <= 5; i++)
		use(&same, 0, 1000, i, &s);
	dxs_is(0, (long long)s.beyond, "repeated pages are never new");
	dxs_ok(is_about((double)s.at[0], 1000.0 * PAGE, 15),
	       "they were used in the previous interval");
	dxs_ok(is_about((double)s.set[3], 1000.0 * PAGE, 15),
	       "they form the set");
	for (i = 1; i <= 5; i++)
		use(&scan, 1000 * i, 1000 * (i + 1), i, &s);
	dxs_ok(is_about((double)s.beyond, 1000.0 * PAGE, 30),
	       "pages of a scan are new");
	dxs_ok(s.nr && s.set[s.nr - 1] > 2500 * PAGE,
	       "all of them form the set");
	for (i = 1; i <= 6; i++, at = !at)
		use(&two, at * 600, (at + 1) * 600, i, &s);
	dxs_ok(s.at[0] < 200 * PAGE && s.beyond == 0 && s.at[1] > 400 * PAGE,
	       "with two alternating sets, pages were used two intervals before");
}

static void step(struct lru *lru, struct reuse *r, uint64_t from, uint64_t pages,
		 uint64_t stamp, struct lru_touch *t, uint32_t file)
{
	static struct reuse_split splits[2];

	use(r, from, from + pages, stamp, &splits[file]);
	*t = (struct lru_touch){
		.file = file, .split = &splits[file], .footprint = pages * PAGE,
		.accesses = pages * PAGE, .size = 64 * MIB,
	};
	if (lru_step(lru, stamp, t, 1))
		dxs_bail("no memory");
}

static void check_lru(void)
{
	struct lru *lru = lru_new(2000 * PAGE, 2);
	struct reuse hot = { 0 }, scan = { 0 }, all = { 0 };
	uint64_t i, missing = 0, most = 0;
	struct lru_touch t;

	for (i = 1; i <= 10; i++) {
		step(lru, &hot, 0, 1000, i, &t, 0);
		missing += i > 1 ? t.missing : 0;
	}
	dxs_is(0, (long long)missing,
	       "a set that fits and is reused is not missing");
	for (i = 11; i <= 20; i++) {
		step(lru, &scan, i * 1000, 500, i, &t, 1);
		if (lru_total(lru) > most)
			most = lru_total(lru);
	}
	dxs_ok(most <= 2000 * PAGE, "it never exceeds DRAM");
	dxs_ok(lru_bytes(lru, 0) > 800 * PAGE,
	       "a scan does not evict the active set");
	lru_drop(lru, 0);
	dxs_is(0, (long long)lru_bytes(lru, 0), "dropped");
	for (i = 21; i <= 24; i++)
		step(lru, &all, 0, 8000, i, &t, 0);
	dxs_ok(t.missing > 5000 * PAGE,
	       "most of a set that is too large is missing");
	dxs_ok(lru_total(lru) <= 2000 * PAGE, "DRAM is never exceeded");
	lru_free(lru);
}

void check_heat(void)
{
	dxs_ok(is_about((double)decay_reached(1000000, 1, 1), 632121, 0.2) &&
	       is_about((double)decay_reached(1000000, 3, 1), 950213, 0.2) &&
	       is_about((double)decay_reached(1000000, 1, 100), 9950, 1),
	       "exponentials");
	check_sketches();
	check_demands();
	check_reuse();
	check_lru();
}
