// SPDX-License-Identifier: GPL-2.0-only
/* Replay a heat trace, with fixed modes or with the policy. See replay.h. */
#include <stdlib.h>
#include <string.h>

#include "lru.h"
#include "replay.h"

enum { MINUTE = 60 };

struct run {
	const struct replay *replay;
	struct replay_outcome *outcome;
	struct lru *lru;
	struct lru_touch *touches;
	const struct replay_record **touched;
	int *modes;
	uint64_t ps;
	uint64_t fill_ps;
};

static int begin(struct run *run, const struct replay *replay, uint64_t budget)
{
	size_t most = 0, i;

	run->replay = replay;
	for (i = 0; i < replay->nr_steps; i++)
		if (replay->steps[i].nr > most)
			most = replay->steps[i].nr;
	run->lru = lru_new(budget, (uint32_t)replay->nr_files);
	run->touches = malloc((most + 1) * sizeof(*run->touches));
	run->touched = malloc((most + 1) * sizeof(*run->touched));
	run->modes = malloc((replay->nr_files + 1) * sizeof(*run->modes));
	return run->lru && run->touches && run->touched && run->modes ? 0 : -1;
}

static void end(struct run *run)
{
	lru_free(run->lru);
	free(run->touches);
	free(run->touched);
	free(run->modes);
}

static int make_outcome(const struct replay *replay, struct replay_outcome *o)
{
	memset(o, 0, sizeof(*o));
	o->samples = calloc(replay->nr_steps + 1, sizeof(*o->samples));
	o->modes = calloc(replay->nr_files + 1, sizeof(*o->modes));
	o->moves = calloc(replay->nr_files + 1, sizeof(*o->moves));
	o->gains = calloc(replay->nr_files + 1, sizeof(*o->gains));
	o->held = calloc(replay->nr_files + 1, sizeof(*o->held));
	if (o->samples && o->modes && o->moves && o->gains && o->held)
		return 0;
	replay_outcome_free(o);
	return -1;
}

void replay_outcome_free(struct replay_outcome *o)
{
	free(o->samples);
	free(o->modes);
	free(o->moves);
	free(o->gains);
	free(o->held);
	memset(o, 0, sizeof(*o));
}

/* Add the time of a step's demand, with the current modes. */
static int run_step(struct run *run, const struct replay_step *step)
{
	const struct replay *replay = run->replay;
	const struct dxs_profile *p = &replay->profile;
	const struct replay_record *rec = replay->records + step->first, *last;
	uint32_t nr = 0, i;

	for (last = rec + step->nr; rec < last; rec++) {
		if (run->modes[rec->file] == DAXSTACK_DAX) {
			run->ps += rec->dax_ps;
			continue;
		}
		run->touched[nr] = rec;
		run->touches[nr++] = (struct lru_touch){
			.file = rec->file, .split = &rec->split,
			.footprint = rec->demand.footprint,
			.accesses = demand_accesses(&rec->demand), .size = rec->demand.size,
			.born = rec->demand.grown,
		};
	}
	if (lru_step(run->lru, step->stamp, run->touches, nr))
		return -1;
	for (i = 0; i < nr; i++) {
		const struct lru_touch *t = &run->touches[i];
		uint64_t fill;

		rec = run->touched[i];
		fill = cost_fill_ps(p, &rec->demand,
				    demand_to_read(&rec->demand, t->missing)) +
			cost_evict_ps(p, &rec->demand, t->evicted);
		run->ps += rec->cached_ps + fill;
		run->fill_ps += fill;
		if (run->outcome)
			run->outcome->gains[rec->file] = (int64_t)
				((uint64_t)run->outcome->gains[rec->file] +
				 rec->dax_ps - (rec->cached_ps + fill));
	}
	return 0;
}

static void sample(struct run *run, size_t step, uint64_t before, uint32_t switches)
{
	struct replay_outcome *o = run->outcome;
	struct replay_sample *s = &o->samples[step];
	size_t i;

	s->ps = run->ps - before;
	s->dram = lru_total(run->lru);
	s->switches = switches;
	if (s->dram > o->dram_most)
		o->dram_most = s->dram;
	for (i = 0; i < run->replay->nr_files; i++)
		o->held[i] += lru_bytes(run->lru, (uint32_t)i);
}

static void conclude(struct run *run)
{
	const struct replay *replay = run->replay;
	struct replay_outcome *o = run->outcome;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < replay->nr_files; i++) {
		sum += o->held[i] / replay->nr_steps;
		o->held[i] /= replay->nr_steps;
		o->modes[i] = run->modes[i];
	}
	o->dram_mean = sum;
	o->ps = run->ps;
	o->fill_ps = run->fill_ps;
}

static int run_fixed(struct run *run, const int *modes)
{
	const struct replay *replay = run->replay;
	size_t i;

	memcpy(run->modes, modes, replay->nr_files * sizeof(*modes));
	for (i = 0; i < replay->nr_steps; i++) {
		uint64_t before = run->ps;

		if (run_step(run, &replay->steps[i]))
			return -1;
		if (run->outcome)
			sample(run, i, before, 0);
	}
	if (run->outcome)
		conclude(run);
	return 0;
}

int replay_fixed(const struct replay *replay, const int *modes, uint64_t budget,
		 struct replay_outcome *outcome)
{
	struct run run = { .outcome = outcome };
	int failed;

	if (make_outcome(replay, outcome))
		return -1;
	failed = begin(&run, replay, budget) || run_fixed(&run, modes);
	end(&run);
	if (failed)
		replay_outcome_free(outcome);
	return failed ? -1 : 0;
}

uint64_t replay_fixed_ps(const struct replay *replay, const int *modes, uint64_t budget)
{
	struct run run = { 0 };
	int failed = begin(&run, replay, budget) || run_fixed(&run, modes);

	end(&run);
	return failed ? UINT64_MAX : run.ps;
}

/* --- With the policy engine. */

struct placing {
	struct run run;
	const struct replay_policy *policy;
	struct place *place;
	struct place_input *inputs;
	struct place_move *moves;
	uint32_t *at;		/* index + 1 of each file's input in this step */
	uint32_t *by_input;	/* file of each input */
	bool *known;		/* the file was used before */
	replay_moved *moved;
	void *arg;
};

static void start(struct placing *p)
{
	const struct replay *replay = p->run.replay;
	size_t i;

	for (i = 0; i < replay->nr_files; i++)
		p->run.modes[i] = p->policy->start == REPLAY_FOUND ?
			replay->files[i].found : p->policy->start;
}

static void bear(struct placing *p, const struct replay_step *step)
{
	const struct replay *replay = p->run.replay;
	size_t i;

	for (i = step->first; i < step->first + step->nr; i++) {
		uint32_t file = replay->records[i].file;

		if (p->known[file])
			continue;
		p->known[file] = true;
		if (!replay->files[file].born)
			continue;
		if (p->policy->newborn == REPLAY_AUTO)
			p->run.modes[file] = place_newborn(p->place);
		else if (p->policy->newborn == REPLAY_FOUND)
			p->run.modes[file] = replay->files[file].found;
		else
			p->run.modes[file] = p->policy->newborn;
	}
}

static struct place_input *input(struct placing *p, const struct replay_step *step,
				 uint32_t file, size_t *nr)
{
	const struct replay_policy *policy = p->policy;
	struct place_input *in = &p->inputs[*nr];

	memset(in, 0, sizeof(*in));
	in->id = p->run.replay->files[file].id;
	in->mode = p->run.modes[file];
	in->pages = lru_bytes(p->run.lru, file) / COST_PAGE;
	in->rule = p->run.replay->files[file].rule;
	in->quiet = policy->quiet && policy->quiet(policy->quiet_arg, file, step->time_ns);
	p->by_input[*nr] = file;
	p->at[file] = (uint32_t)++*nr;
	return in;
}

static size_t make_inputs(struct placing *p, const struct replay_step *step)
{
	const struct replay *replay = p->run.replay;
	size_t nr = 0, i;

	memset(p->at, 0, replay->nr_files * sizeof(*p->at));
	for (i = step->first; i < step->first + step->nr; i++) {
		const struct replay_record *rec = &replay->records[i];
		struct place_input *in = input(p, step, rec->file, &nr);

		in->demand = rec->demand;
		in->veto = rec->veto;
	}
	for (i = 0; i < replay->nr_files; i++)
		if (!p->at[i] && p->known[i] && p->run.modes[i] == DAXSTACK_CACHED)
			input(p, step, (uint32_t)i, &nr);
	return nr;
}

static void do_move(struct placing *p, const struct replay_step *step, size_t nr,
		    const struct place_move *move)
{
	struct run *run = &p->run;
	struct replay_outcome *o = run->outcome;
	static const struct demand none;
	const struct demand *d = &none;
	uint64_t ps, pages, dirty = 0;
	uint32_t file = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		if (p->inputs[i].id == move->id)
			break;
	if (i < nr) {
		file = p->by_input[i];
		d = &p->inputs[i].demand;
	} else {
		while (run->replay->files[file].id != move->id)
			file++;
	}
	pages = lru_bytes(run->lru, file) / COST_PAGE;
	if (move->to == DAXSTACK_CACHED) {
		/* Pages mapped in dax mode. */
		pages = d->mapped ? d->footprint / COST_PAGE : 0;
	} else {
		dirty = cost_dirty(d) < pages ? cost_dirty(d) : pages;
		lru_drop(run->lru, file);
	}
	ps = cost_switch_ps(&run->replay->profile, d, move->to, pages, dirty);
	run->ps += ps;
	run->modes[file] = move->to;
	o->switch_ps += ps;
	o->switches++;
	o->flushed += dirty * COST_PAGE;
	o->moves[file]++;
	place_done(p->place, move->id, step->time_ns, move->to, DAXSTACK_REASON_NONE);
	if (p->moved)
		p->moved(p->arg, step, file, move, ps);
}

static int place_all(struct placing *p)
{
	const struct replay *replay = p->run.replay;
	size_t i;
	int m, moves;

	start(p);
	for (i = 0; i < replay->nr_steps; i++) {
		const struct replay_step *step = &replay->steps[i];
		uint64_t before = p->run.ps;
		size_t nr;

		bear(p, step);
		if (run_step(&p->run, step))
			return -1;
		nr = make_inputs(p, step);
		moves = place_step(p->place, step->time_ns, p->inputs, nr, p->moves,
				   replay->nr_files);
		if (moves < 0)
			return -1;
		for (m = 0; m < moves; m++)
			do_move(p, step, nr, &p->moves[m]);
		sample(&p->run, i, before, (uint32_t)moves);
	}
	return 0;
}

static void count_rates(const struct replay *replay, struct replay_outcome *o)
{
	size_t from = 0, i;
	uint64_t sum = 0;

	for (i = 0; i < replay->nr_steps; i++) {
		sum += o->samples[i].switches;
		while (replay->steps[i].time_ns - replay->steps[from].time_ns >=
		       MINUTE * 1000000000ULL)
			sum -= o->samples[from++].switches;
		if (sum > o->most_switches)
			o->most_switches = sum;
	}
}

int replay_placed(const struct replay *replay, const struct replay_policy *policy,
		  replay_moved *moved, void *arg, struct replay_outcome *outcome)
{
	struct placing p = { .policy = policy, .moved = moved, .arg = arg };
	size_t n = replay->nr_files + 1;
	struct place_sums sums;
	int failed = 1;

	if (make_outcome(replay, outcome))
		return -1;
	p.run.outcome = outcome;
	p.place = place_new(&policy->config, &replay->profile);
	p.inputs = calloc(n, sizeof(*p.inputs));
	p.moves = calloc(n, sizeof(*p.moves));
	p.at = calloc(n, sizeof(*p.at));
	p.by_input = calloc(n, sizeof(*p.by_input));
	p.known = calloc(n, sizeof(*p.known));
	if (!begin(&p.run, replay, policy->config.budget_bytes) && p.place && p.inputs &&
	    p.moves && p.at && p.by_input && p.known)
		failed = place_all(&p);
	if (!failed) {
		conclude(&p.run);
		count_rates(replay, outcome);
		place_sums(p.place, &sums);
		outcome->undone = sums.undone;
	} else {
		replay_outcome_free(outcome);
	}
	end(&p.run);
	place_free(p.place);
	free(p.inputs);
	free(p.moves);
	free(p.at);
	free(p.by_input);
	free(p.known);
	return failed ? -1 : 0;
}
