// SPDX-License-Identifier: GPL-2.0-only
/* Reuse of pages, estimated from sketches. See reuse.h. */
#include <stdbool.h>
#include <string.h>

#include "decay.h"
#include "reuse.h"
#include "sketch.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_empty(const __u64 *sketch)
{
	int i;

	for (i = 0; i < SKETCH_WORDS; i++)
		if (sketch[i])
			return false;
	return true;
}

static const struct reuse_past *back(const struct reuse *r, uint32_t i)
{
	return &r->past[(r->newest + REUSE_DEPTH - i) % REUSE_DEPTH];
}

static void push(struct reuse *r, const struct demand *d, uint64_t stamp)
{
	struct reuse_past *past;

	r->newest = (r->newest + 1) % REUSE_DEPTH;
	if (r->nr < REUSE_DEPTH)
		r->nr++;
	past = &r->past[r->newest];
	past->stamp = stamp;
	past->footprint = d->footprint;
	past->shift = d->sketch_shift;
	memcpy(past->sketch, d->sketch, sizeof(past->sketch));
}

/* Bytes covered by the sketch; add_touches() handles the others. */
static uint64_t known(const struct demand *d, uint64_t pages, uint64_t *unit)
{
	uint64_t bytes = pages * COST_PAGE, calls = d->reads + d->writes;
	uint64_t each = calls ? (d->read_bytes + d->write_bytes) / calls : 0;

	*unit = COST_PAGE;
	if (!pages)
		return 0;
	if (each > COST_PAGE)
		bytes = pages * each;
	bytes = least(bytes, d->footprint);
	/* Without touches through mappings, the sketch covers everything. */
	if (!d->touches)
		bytes = d->footprint;
	*unit = bytes / pages;
	return bytes;
}

/* Is the sketch so full that new pages hardly show? */
static bool is_full(const __u64 *sketch)
{
	int i, set = 0;

	for (i = 0; i < SKETCH_WORDS; i++)
		set += __builtin_popcountll(sketch[i]);
	return set > DAXSTACK_HEAT_SKETCH_BITS * 7 / 8;
}

/*
 * Pages of @d that are neither in the earlier sketches @past nor in @at; @at is added
 * to
 * @past. Sketches can be compared only if one samples a subset of the pages of the
 * other, which holds for the one with the larger shift.
 */
static uint64_t not_seen(const struct demand *d, const struct reuse_past *at,
			 __u64 *past)
{
	uint64_t left, both;
	int i;

	if (at->shift <= d->sketch_shift)
		for (i = 0; i < SKETCH_WORDS; i++)
			past[i] |= at->sketch[i];
	left = sketch_beyond(d->sketch, past, d->sketch_shift);
	if (at->shift <= d->sketch_shift)
		return left;
	both = sketch_pages(at->sketch, at->shift) -
		least(sketch_pages(at->sketch, at->shift),
		      sketch_beyond(at->sketch, d->sketch, at->shift));
	return least(left, sketch_pages(d->sketch, d->sketch_shift) -
		     least(both, sketch_pages(d->sketch, d->sketch_shift)));
}

/* Extend the set by the pages of @at, of which @both are in it already. */
static uint64_t add_past(const struct demand *d, const struct reuse_past *at, __u64 *all,
			 uint64_t both, uint64_t unit, uint64_t set)
{
	uint64_t together;
	int i;

	if (at->shift != d->sketch_shift) {
		together = d->footprint + at->footprint - least(at->footprint, both);
		return set > together ? set : together;
	}
	for (i = 0; i < SKETCH_WORDS; i++)
		all[i] |= at->sketch[i];
	together = d->footprint + sketch_beyond(all, d->sketch, d->sketch_shift) * unit;
	return set > together ? set : together;
}

/*
 * Accesses through mappings do not show in sketches once the pages are mapped. Assume
 * that they are uniform over the windows in use, so that each page was used in an
 * earlier interval with equal probability.
 */
static void add_touches(const struct reuse *r, const struct demand *d, uint64_t hidden,
			struct reuse_split *split)
{
	uint64_t all = d->windows > hidden ? d->windows : hidden;
	uint64_t each = d->touches * COST_PAGE, till, before = 0;
	uint32_t i;

	if (!hidden)
		return;
	for (i = 0; i < split->nr && i < r->nr; i++) {
		till = decay_reached(all, (i + 1) * each, all);
		split->at[i] += (uint64_t)((__uint128_t)hidden * (till - before) / all);
		before = till;
		till = decay_reached(all, (i + 2) * each, all);
		if (split->set[i] < till)
			split->set[i] = till;
	}
	split->beyond += hidden - (uint64_t)((__uint128_t)hidden * before / all);
}

void reuse_step(struct reuse *r, const struct demand *d, uint64_t stamp,
		struct reuse_split *split)
{
	__u64 past[SKETCH_WORDS] = {}, all[SKETCH_WORDS];
	uint64_t pages = sketch_pages(d->sketch, d->sketch_shift), unit = COST_PAGE, rest, left;
	bool told = !is_empty(d->sketch);
	uint64_t set = d->footprint, hidden = 0;
	uint32_t i;

	memset(split, 0, sizeof(*split));
	rest = told ? known(d, pages, &unit) : d->touches ? 0 : d->footprint;
	hidden = d->footprint - rest;
	memcpy(all, d->sketch, sizeof(all));
	/* Beyond a full sketch, assume that the pages were never used. */
	for (i = 0; i < r->nr && !(i && is_full(past)); i++) {
		const struct reuse_past *at = back(r, i);

		split->stamp[i] = at->stamp;
		if (!told || is_empty(at->sketch)) {
			/* Only the interval before is known. */
			left = i ? rest : least(d->fresh, rest);
			set += i ? 0 : at->footprint - least(at->footprint, rest - left);
		} else {
			left = least(rest, not_seen(d, at, past) * unit);
			set = add_past(d, at, all, rest - left, unit, set);
		}
		split->at[i] = rest - left;
		rest = left;
		split->set[i] = least(set, d->size > d->footprint ? d->size : d->footprint);
		if (i && split->set[i] < split->set[i - 1])
			split->set[i] = split->set[i - 1];
	}
	split->nr = i;
	split->beyond = rest;
	add_touches(r, d, hidden, split);
	push(r, d, stamp);
}
