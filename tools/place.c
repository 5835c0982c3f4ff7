// SPDX-License-Identifier: GPL-2.0-only
/* The policy: entry points, results of moves. See place.h. */
#include <stdlib.h>

#include "placement.h"

#define SECOND	1000000000ULL

void place_config_init(struct place_config *config)
{
	*config = (struct place_config){
		.interval_ns = 10 * SECOND,
		.max_switches_per_min = 600,
		.max_flush_bytes_per_min = 1ULL << 30,
		.hysteresis_percent = 25,
		.settle_intervals = 6,
		.horizon_intervals = 360,
	};
}

struct place *place_new(const struct place_config *config,
			const struct dxs_profile *profile)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return NULL;
	place->config = *config;
	place->profile = *profile;
	place->daring = 1.0 / 4;
	place->newborn = DAXSTACK_DAX;
	return place;
}

void place_free(struct place *place)
{
	if (!place)
		return;
	free(place->files);
	free(place->table);
	free(place->order);
	free(place);
}

void place_configure(struct place *place, const struct place_config *config,
		     const struct dxs_profile *profile)
{
	place->config = *config;
	place->profile = *profile;
}

int place_step(struct place *place, uint64_t now_ns, const struct place_input *inputs,
	       size_t nr, struct place_move *moves, size_t max)
{
	bool first = !place->step;

	place->step++;
	place->ns = !first && now_ns > place->now_ns ? now_ns - place->now_ns :
		place->config.interval_ns;
	place->now_ns = now_ns;
	if (place_observe(place, inputs, nr))
		return -1;
	place_forget(place);
	return place_choose(place, moves, max);
}

void place_was_wrong(struct place *place, struct place_file *f)
{
	f->wrong = true;
	if (f->undone < UNDONE_MAX)
		f->undone++;
	place->daring /= 2;
}

static void refused(struct place *place, struct place_file *f, uint64_t now_ns,
		    uint32_t reason)
{
	uint64_t wait;

	if (f->vetoes < BACK_OFF_MAX)
		f->vetoes++;
	f->veto = reason;
	wait = place->config.interval_ns << f->vetoes;
	f->not_before_ns = now_ns + wait;
	place->refused++;
}

void place_done(struct place *place, uint64_t id, uint64_t now_ns, int to,
		uint32_t reason)
{
	struct place_file *f = place_find(place, id);
	uint64_t dirty;
	double cost;

	if (!f)
		return;
	if (reason != DAXSTACK_REASON_NONE) {
		refused(place, f, now_ns, reason);
		return;
	}
	dirty = cost_dirty(&f->last);
	if (dirty > f->pages)
		dirty = f->pages;
	cost = place_seconds(cost_switch_ps(&place->profile, &f->last, to, f->pages,
					    dirty));
	place->actual += cost;
	place->switches++;
	if (to == DAXSTACK_DAX && f->switches && !f->paid) {
		place->undone++;
		if (!f->wrong)
			place_was_wrong(place, f);
	}
	f->mode = to;
	f->vetoes = 0;
	f->veto = DAXSTACK_REASON_NONE;
	f->not_before_ns = 0;
	f->credit = 0;
	f->paid = false;
	f->wrong = false;
	f->real = 0;
	f->tested = 0;
	f->profit = -cost;
	f->owed = 0;
	if (to == DAXSTACK_CACHED) {
		/* The average lags behind a file whose use increases: take the larger value. */
		f->owed = (uint64_t)f->set;
		if (f->owed < f->last.footprint)
			f->owed = f->last.footprint;
		f->profit -= place_seconds(cost_fill_ps(&place->profile, &f->last,
							f->owed));
	}
	f->pages = 0;
	f->since_ns = now_ns;
	f->moved_at = place->step;
	f->switches++;
	f->restless++;
}

int place_newborn(const struct place *place)
{
	return place->newborn;
}
