// SPDX-License-Identifier: GPL-2.0-only
/* The policy: evaluate the demand of an interval. See place.h. */
#include "placement.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void average(double *old, double now, double weight)
{
	*old += (now - *old) * weight;
}

/*
 * Bytes that cached mode has to read if DRAM keeps the pages used in the last
 * intervals, back to number @depth; WHOLE: the entire file.
 */
static uint64_t missing_at(const struct place *place, const struct demand *d,
			   const struct reuse_split *split, uint32_t depth)
{
	uint64_t bytes = split->beyond - least(split->beyond, d->grown);
	uint32_t i;

	if (depth == WHOLE)
		return 0;
	for (i = 0; i < split->nr; i++)
		if (!place->is_plenty &&
		    (i > depth || split->stamp[i] + KEPT_FOR < place->step))
			bytes += split->at[i];
	return demand_to_read(d, bytes);
}

/* Choose the depth with the highest gain; @lambda is the price of DRAM if it is scarce. */
static void choose_depth(const struct place *place, struct place_file *f, double lambda)
{
	double best = 0, worth;
	uint32_t i;

	f->depth = 0;
	for (i = 0; i < DEPTHS; i++) {
		if (f->sets[i] > (double)place->config.budget_bytes)
			continue;
		/* If DRAM is scarce, other files would evict the pages. */
		if (i == WHOLE && !place->is_plenty)
			continue;
		worth = f->dax - f->base - f->fill[i] - lambda * f->sets[i];
		/* A deeper set has to be better by more than a rounding error. */
		if (!i || worth > best + f->dax / (1 << 30)) {
			best = worth;
			f->depth = i;
		}
	}
	f->gain = f->dax - f->base - f->fill[f->depth];
	f->set = f->sets[f->depth];
	if (f->set < COST_PAGE)
		f->set = COST_PAGE;
	if (!f->idle)
		f->reach = f->set;
	/* Observation takes precedence over prediction. */
	if (f->mode == DAXSTACK_CACHED && f->tested > 1 && f->gain > f->real)
		f->gain = f->real;
}

/* Bytes that were missing in cached mode, given the state of the page cache. */
static uint64_t missing_now(const struct place *place, const struct place_file *f,
			    const struct demand *d, const struct reuse_split *split,
			    uint64_t pages)
{
	uint64_t there = pages * COST_PAGE, bytes, more;

	bytes = missing_at(place, d, split, f->depth);
	/* Pages in DRAM are not missing. */
	if (bytes > d->size - least(d->size, f->pages * COST_PAGE))
		bytes = d->size - least(d->size, f->pages * COST_PAGE);
	more = pages > f->pages ? (pages - f->pages) * COST_PAGE : 0;
	more = demand_to_read(d, more - least(more, d->grown));
	if (more > bytes)
		bytes = more;
	/* No room: at least the part that is not cached was read. */
	if (there < d->footprint / 5 * 4)
		bytes += demand_to_read(d, d->footprint - there);
	return bytes;
}

static void account(struct place *place, struct place_file *f, const struct demand *d,
		    const struct reuse_split *split, uint64_t pages, double dax,
		    double base)
{
	uint64_t missing, owed;
	double actual = dax, other;

	if (f->mode == DAXSTACK_CACHED) {
		missing = missing_now(place, f, d, split, pages);
		owed = least(missing, f->owed);
		f->owed -= owed;
		/* Some of it may never be used. */
		f->owed -= f->owed / (2 * AVERAGE_OVER);
		actual = base + place_seconds(cost_fill_ps(&place->profile, d, missing));
		other = base + place_seconds(cost_fill_ps(&place->profile, d,
							  missing - owed));
		f->profit += dax - other;
		f->tested++;
		average(&f->real, (dax - other) / ((double)(d->ns ? d->ns : place->ns) / 1e9),
			1.0 / (f->tested < AVERAGE_OVER ? f->tested : AVERAGE_OVER));
		/* Credit for dax mode; the expected initial fill does not count. */
		f->credit += other - dax;
		if (f->switches && !f->paid && f->profit > 0) {
			f->paid = true;
			f->wrong = false;
			place->daring *= 2;
		}
	}
	if (f->credit < 0)
		f->credit = 0;
	place->actual += actual;
	place->all_dax += dax;
}

static void observe_young(struct place *place, const struct place_file *f, double dax,
			  double cached)
{
	if (!f->born || f->seen > YOUNG)
		return;
	place->young_dax += dax;
	place->young_cached += cached;
}

static void use(struct place *place, struct place_file *f, const struct place_input *in)
{
	const struct dxs_profile *p = &place->profile;
	const struct demand *d = &in->demand;
	struct reuse_split split;
	double seconds = (double)(d->ns ? d->ns : place->ns) / 1e9, dax, base, fill;
	double weight = 1.0 / f->steps;
	uint32_t i;

	reuse_step(&f->reuse, d, place->step, &split);
	f->seen++;
	f->idle = 0;
	dax = place_seconds(cost_ps(p, d, DAXSTACK_DAX, 0));
	base = place_seconds(cost_ps(p, d, DAXSTACK_CACHED, 0));
	average(&f->dax, dax / seconds, weight);
	average(&f->base, base / seconds, weight);
	for (i = 0; i < DEPTHS; i++) {
		uint32_t at = i < split.nr ? i : split.nr ? split.nr - 1 : 0;
		double set = split.nr ? (double)split.set[at] : (double)d->footprint;

		fill = place_seconds(cost_fill_ps(p, d, missing_at(place, d, &split, i)));
		average(&f->fill[i], fill / seconds, weight);
		/* Only steps with demand tell the size of sets. */
		average(&f->sets[i], set, f->seen == 1 ? 1 :
			set > f->sets[i] && weight < 0.5 ? 0.5 : weight);
		if (i == f->depth)
			f->gain_now = (dax - base - fill) / seconds;
	}
	average(&f->busy, 1, weight);
	f->regular = f->busy;
	average(&f->gain_soon, f->gain_now, 1.0 / (f->steps < SOON ? f->steps : SOON));
	account(place, f, d, &split, in->pages, dax, base);
	observe_young(place, f, dax, base);
	f->last = *d;
}

/* A step without demand: the file's claim on DRAM decays. */
static void rest(struct place *place, struct place_file *f)
{
	double weight = 1.0 / f->steps;
	uint32_t i;

	f->idle++;
	f->gain_now = 0;
	average(&f->dax, 0, weight);
	average(&f->base, 0, weight);
	average(&f->real, 0, weight);
	average(&f->gain_soon, 0, 1.0 / SOON);
	average(&f->busy, 0, weight);
	if (f->mode == DAXSTACK_CACHED && f->switches && !f->paid && !f->wrong &&
	    f->idle == YOUNG)
		place_was_wrong(place, f);
	for (i = 0; i < DEPTHS; i++) {
		average(&f->fill[i], 0, weight);
		if (f->idle > YOUNG)
			f->sets[i] -= f->sets[i] / AVERAGE_OVER;
	}
}

static int take_inputs(struct place *place, const struct place_input *inputs, size_t nr)
{
	struct place_file *f;
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct place_input *in = &inputs[i];

		f = place_find(place, in->id);
		if (f)
			continue;
		f = place_add(place, in->id);
		if (!f)
			return -1;
		f->mode = in->mode;
		f->wanted = in->mode;
		f->born = place->step > 1 && in->demand.grown &&
			in->demand.grown >= in->demand.size / 2;
	}
	return 0;
}

static double worst_density(const struct place *place)
{
	double used = 0, least_one = -1;
	size_t i;

	for (i = 0; i < place->nr; i++) {
		const struct place_file *f = &place->files[i];

		used += place_takes(f);
		if (f->mode != DAXSTACK_CACHED || !place_is_auto(place, f))
			continue;
		if (least_one < 0 || f->gain / f->set < least_one)
			least_one = f->gain / f->set;
	}
	return least_one > 0 && used > 0.9 * (double)place->config.budget_bytes ?
		least_one : 0;
}

/* Is there DRAM for all recently used files? */
static bool is_plenty(const struct place *place)
{
	double all = 0;
	size_t i;

	for (i = 0; i < place->nr; i++)
		all += (double)place->files[i].last.size;
	return all <= (double)place->config.budget_bytes;
}

static void decide_newborn(struct place *place)
{
	/* Hysteresis of a few per cent. */
	if (place->young_cached < 0.95 * place->young_dax)
		place->newborn = DAXSTACK_CACHED;
	else if (place->young_cached >= place->young_dax)
		place->newborn = DAXSTACK_DAX;
	place->young_dax -= place->young_dax / 64;
	place->young_cached -= place->young_cached / 64;
}

int place_observe(struct place *place, const struct place_input *inputs, size_t nr)
{
	double lambda = worst_density(place);
	size_t i;

	if (take_inputs(place, inputs, nr))
		return -1;
	place->is_plenty = is_plenty(place);
	for (i = 0; i < place->nr; i++) {
		struct place_file *f = &place->files[i];

		if (f->steps < AVERAGE_OVER)
			f->steps++;
		f->idle++;
		f->credit -= f->credit / 64;
		f->restless -= f->restless / REST_OVER;
	}
	for (i = 0; i < nr; i++) {
		const struct place_input *in = &inputs[i];
		struct place_file *f = place_find(place, in->id);

		/* The file was switched by another program. */
		if (f->mode != in->mode) {
			f->mode = in->mode;
			f->credit = 0;
			f->owed = 0;
			f->moved_at = place->step;
			f->since_ns = place->now_ns;
		}
		f->rule = in->rule;
		f->quiet = in->quiet;
		f->veto_now = in->veto;
		if (!demand_is_none(&in->demand))
			use(place, f, in);
		else if (in->demand.size)
			f->last.size = in->demand.size;
		f->pages = in->pages;
	}
	for (i = 0; i < place->nr; i++) {
		struct place_file *f = &place->files[i];

		if (f->idle) {
			f->idle--;
			rest(place, f);
		}
		choose_depth(place, f, lambda);
	}
	decide_newborn(place);
	return 0;
}
