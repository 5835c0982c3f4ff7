// SPDX-License-Identifier: GPL-2.0-only
/* Compute the demand on a file from its heat counts. See cost.h. */
#include <string.h>

#include "cost.h"
#include "sketch.h"

/* Bytes of a window, the unit of probes of mappings. */
enum { WINDOW = DAXSTACK_HEAT_WINDOW_PAGES * COST_PAGE };

static uint64_t over(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void add_counts(struct demand *d, const struct daxstack_heat_counts *before,
		       const struct daxstack_heat_counts *now)
{
	d->reads += over(now->reads, before->reads);
	d->read_bytes += over(now->read_bytes, before->read_bytes);
	d->writes += over(now->writes, before->writes);
	d->write_bytes += over(now->write_bytes, before->write_bytes);
	d->read_faults += over(now->read_faults, before->read_faults);
	d->write_faults += over(now->write_faults, before->write_faults);
	d->fsyncs += over(now->fsyncs, before->fsyncs);
	d->dirtied += over(now->dirtied, before->dirtied);
}

/*
 * A window touched at rate r is first touched after 1/r on average; an observer with
 * period T sees only windows touched by then, so the observed mean is smaller. The
 * table has the observed mean in thousandths of T, for r * T = 0, 1/4, 2/4, ...
 */
static const uint16_t mean_wait[] = {
	500, 479, 459, 438, 418, 398, 379, 361, 343, 327, 311, 295, 281, 267, 255, 243,
	231, 221, 211, 202, 193, 185, 178, 171, 164,
};

enum { WAITS = sizeof(mean_wait) / sizeof(*mean_wait), PER_UNIT = 4 };

/* Return: r * T in thousandths, from the mean in millionths. */
static uint64_t rate_of(uint64_t wait)
{
	uint64_t millionths = wait ? wait : 1;
	size_t i;

	wait /= 1000;
	if (wait >= mean_wait[0])
		return 0;
	for (i = 1; i < WAITS; i++)
		if (wait >= mean_wait[i])
			return (i - 1) * 1000 / PER_UNIT +
				1000 / PER_UNIT * (mean_wait[i - 1] - wait) /
				(mean_wait[i - 1] - mean_wait[i]);
	/* Beyond the table, nearly all windows are seen. */
	return 1000000000 / millionths;
}

static uint64_t page_round(uint64_t bytes)
{
	return (bytes + COST_PAGE - 1) / COST_PAGE * COST_PAGE;
}

/*
 * Faults that the probes themselves caused. In dax mode each page of a window that is
 * used again takes a fault; in cached mode one fault also maps the pages around it.
 */
static uint64_t probe_faults(const struct demand *d,
			     const struct daxstack_heat_file *before,
			     const struct daxstack_heat_file *now)
{
	uint64_t faults = over(now->by_mode[DAXSTACK_DAX].read_faults,
			       before->by_mode[DAXSTACK_DAX].read_faults);

	faults = least(faults, (uint64_t)now->probe_hits * DAXSTACK_HEAT_WINDOW_PAGES);
	return least(d->read_faults, faults ? faults : now->probe_hits);
}

/* Assume that the same share of all windows is used as of the probed ones, as often. */
static void add_probes(struct demand *d, const struct daxstack_heat_file *before,
		       const struct daxstack_heat_file *now)
{
	uint64_t windows = (now->size + WINDOW - 1) / WINDOW, wait, rate, used;

	if (!now->probed || !now->probe_hits || !d->ns)
		return;
	used = windows * least(now->probe_hits, now->probed) / now->probed;
	if (!used)
		used = 1;
	/* In millionths, to distinguish high rates. */
	wait = (uint64_t)((__uint128_t)now->probe_wait_ns * 1000000 / now->probe_hits /
			  d->ns);
	rate = rate_of(wait);
	/* A window with a hit was touched at least once. */
	d->touches = used * (rate > 1000 ? rate : 1000) / 1000;
	d->read_faults = less(d->read_faults, probe_faults(d, before, now));
	d->windows = least(used * WINDOW, page_round(d->size));
	d->footprint = least(d->touches * COST_PAGE, d->windows);
}

/*
 * The sketch records the first page of each call. Assume that each call touches as many
 * pages as the average call on the file.
 */
static void add_footprint(struct demand *d, const struct daxstack_heat_file *before,
			  const struct daxstack_heat_file *now)
{
	uint64_t calls = d->reads + d->writes, bytes = d->read_bytes + d->write_bytes;
	uint64_t unit = COST_PAGE, all = page_round(d->size), faults, fresh;

	if (calls && bytes / calls > COST_PAGE)
		unit = page_round(bytes / calls);
	faults = d->read_faults + d->write_faults;
	if (unit > COST_PAGE && faults)
		unit = (unit * calls + COST_PAGE * faults) / (calls + faults);
	memcpy(d->sketch, now->sketch, sizeof(d->sketch));
	d->sketch_shift = now->sketch_shift;
	fresh = sketch_pages(d->sketch, d->sketch_shift) * unit;
	/* Whole pages, but at most the bytes of the calls. */
	fresh = least(fresh, bytes + (calls + faults) * COST_PAGE);
	d->footprint = least(fresh > d->footprint ? fresh : d->footprint, all);
	if (before && before->sketch_shift == now->sketch_shift)
		fresh = sketch_beyond(now->sketch, before->sketch, now->sketch_shift) *
			unit;
	d->fresh = least(fresh, d->footprint);
}

void demand_of(struct demand *d, const struct daxstack_heat_file *before,
	       const struct daxstack_heat_file *now, uint64_t ns)
{
	static const struct daxstack_heat_file none;
	const struct daxstack_heat_file *from = before ? before : &none;
	uint64_t refaults;
	int mode;

	memset(d, 0, sizeof(*d));
	d->ns = ns;
	d->size = now->size;
	d->mapped = !!(now->flags & DAXSTACK_STATE_MAPPED);
	for (mode = 0; mode < 2; mode++)
		add_counts(d, &from->by_mode[mode], &now->by_mode[mode]);
	/* If there was another switch, it has reset the count to 0. */
	refaults = now->switches == from->switches ?
		less(now->refaults, from->refaults) : now->refaults;
	d->write_faults = less(d->write_faults, less(refaults, d->read_faults));
	d->read_faults = less(d->read_faults, refaults);
	/*
	 * A file new to the reader may have existed before; use the bytes written as a
	 * limit.
	 */
	d->grown = before ? less(now->size, before->size) :
		least(now->size, d->write_bytes);
	add_probes(d, from, now);
	add_footprint(d, before, now);
}

uint64_t demand_to_read(const struct demand *d, uint64_t bytes)
{
	uint64_t others = d->reads + d->read_faults + d->write_faults + d->touches;

	if (!d->writes || d->write_bytes / d->writes < COST_PAGE)
		return bytes;
	return (uint64_t)((__uint128_t)bytes * others / (others + d->writes));
}

uint64_t demand_accesses(const struct demand *d)
{
	uint64_t n = d->read_bytes + d->write_bytes +
		COST_PAGE * (d->touches + d->read_faults + d->write_faults);

	return n > d->footprint ? n : d->footprint;
}

bool demand_is_none(const struct demand *d)
{
	return !d->reads && !d->writes && !d->read_faults && !d->write_faults &&
		!d->fsyncs && !d->touches;
}
