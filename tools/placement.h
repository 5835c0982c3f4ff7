/* SPDX-License-Identifier: GPL-2.0-only */
/* Internals of the policy, see place.h. */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#include "place.h"
#include "reuse.h"

enum {
	WHOLE = REUSE_DEPTH,	/* all of the file in DRAM */
	DEPTHS,
	AVERAGE_OVER = 8,	/* intervals, of the decaying averages */
	SOON = 2,		/* intervals, of short-term averages */
	YOUNG = 4,		/* first intervals of a file */
	FORGET_AFTER = 360,	/* intervals without demand */
	BACK_OFF_MAX = 10,	/* limit of doublings of the wait */
	UNDONE_MAX = 6,		/* limit of doublings of the price */
	PACES = 64,		/* steps whose moves are remembered individually */
	REST_OVER = 64,		/* intervals until moves are forgotten */
	KEPT_FOR = 64,		/* intervals that unused pages stay in DRAM */
};

/**
 * struct place_file - knowledge of a file
 * @id: the file
 * @mode: its current mode
 * @wanted: the mode it belongs in
 * @rule: what the rules say
 * @quiet: must not be switched now
 * @veto_now: why a switch would be refused now
 * @why: explanation of @wanted
 * @last: its last demand
 * @reuse: history of use of its pages
 * @pages: pages in its mapping
 * @steps: steps since it is known, at most AVERAGE_OVER
 * @seen: steps with demand
 * @idle: steps without demand since the last with demand
 * @born: created while the policy ran
 * @dax: seconds per second in dax mode
 * @base: the same in cached mode, with all in DRAM
 * @fill: additional time if DRAM keeps the pages used in the last interval, the last
 *   two, ..., or all of the file
 * @sets: DRAM for each of @fill, bytes
 * @depth: index of the best of @fill
 * @gain: saving of cached mode with @depth, seconds per second
 * @set: DRAM with @depth
 * @reach: @set when the file was last used
 * @gain_now: @gain of the last interval alone
 * @gain_soon: @gain of the last few intervals: a file that is no longer used goes first
 * @busy: share of recent intervals with demand
 * @regular: @busy when the file was last used
 * @credit: what the other mode would have saved lately, seconds
 * @price: of the switch, seconds
 * @profit: saved by the current mode since the switch, minus its cost
 * @owed: bytes still to be read into DRAM after a switch
 * @paid: the switch has paid off
 * @wrong: the switch has not paid off, and the file is no longer used
 * @real: observed saving in cached mode, including reads in spite of @set; seconds per
 *   second
 * @tested: steps with demand covered by @real
 * @since_ns: time of the last switch
 * @moved_at: step of the last switch
 * @switches: number of switches
 * @undone: number of wrong switches
 * @restless: recent moves, decaying
 * @vetoes: consecutive refusals
 * @veto: reason of the last refusal
 * @not_before_ns: no attempt before this time
 */
struct place_file {
	uint64_t id;
	int mode;
	int wanted;
	enum place_rule rule;
	bool quiet;
	uint32_t veto_now;
	const char *why;
	struct demand last;
	struct reuse reuse;
	uint64_t pages;
	uint32_t steps;
	uint64_t seen;
	uint32_t idle;
	bool born;
	double dax;
	double base;
	double fill[DEPTHS];
	double sets[DEPTHS];
	uint32_t depth;
	double gain;
	double set;
	double reach;
	double gain_now;
	double gain_soon;
	double busy;
	double regular;
	double credit;
	double price;
	double profit;
	uint64_t owed;
	bool paid;
	bool wrong;
	double real;
	uint32_t tested;
	uint64_t since_ns;
	uint64_t moved_at;
	uint32_t switches;
	uint32_t undone;
	double restless;
	uint32_t vetoes;
	uint32_t veto;
	uint64_t not_before_ns;
};

/**
 * struct place_pace - moves of one step
 * @at_ns: time
 * @moves: number of moves
 * @bytes: expected writeback
 */
struct place_pace {
	uint64_t at_ns;
	uint64_t moves;
	uint64_t bytes;
};

/**
 * struct place - the policy
 * @config: settings of the administrator
 * @profile: costs of memory
 * @files: by index
 * @nr: number of @files
 * @max: allocated number of @files
 * @table: hash table of indexes + 1
 * @buckets: size of @table, a power of two
 * @step: steps so far
 * @now_ns: time of the last step
 * @ns: length of the last interval
 * @paces: moves of the last minute
 * @nr_paces: number of @paces
 * @all_dax: modelled time of all demand so far, with all files in dax mode
 * @actual: modelled time of all demand so far, with the switches
 * @daring: part of @all_dax that may be spent on switches that may turn out wrong
 * @is_plenty: there is DRAM for all files
 * @young_dax: decaying time of files in their first intervals, in dax mode
 * @young_cached: the same in cached mode
 * @newborn: mode for new files
 * @order: scratch space for choosing
 * @switches: successful moves
 * @refused: refused moves
 * @undone: moves taken back
 */
struct place {
	struct place_config config;
	struct dxs_profile profile;
	struct place_file *files;
	size_t nr, max;
	uint32_t *table;
	size_t buckets;
	uint64_t step;
	uint64_t now_ns;
	uint64_t ns;
	struct place_pace paces[PACES];
	size_t nr_paces;
	double all_dax;
	double actual;
	double daring;
	bool is_plenty;
	double young_dax;
	double young_cached;
	int newborn;
	struct place_file **order;
	uint64_t switches;
	uint64_t refused;
	uint64_t undone;
};

/* placefiles.c: the table. */
struct place_file *place_find(const struct place *place, uint64_t id);
struct place_file *place_add(struct place *place, uint64_t id);
void place_forget(struct place *place);

/* place.c: a move was wrong: allow fewer moves, and make this file wait longer. */
void place_was_wrong(struct place *place, struct place_file *f);

/* placeheat.c: evaluate an interval. */
int place_observe(struct place *place, const struct place_input *inputs, size_t nr);

/* placechoose.c: choose moves. */
int place_choose(struct place *place, struct place_move *moves, size_t max);

static inline bool place_is_auto(const struct place *place, const struct place_file *f)
{
	return f->rule == RULE_AUTO && f->last.size >= place->config.min_size;
}

/*
 * What the file would lose without DRAM, by its average and its recent gain. The very
 * last interval counts only if the file was used much less in it; files with irregular
 * use have such intervals all the time.
 */
static inline double place_keeps(const struct place_file *f)
{
	double least = f->gain < f->gain_soon ? f->gain : f->gain_soon;

	if (f->regular < 0.9)
		return f->gain;
	return least < 4 * f->gain_now ? least : 4 * f->gain_now;
}

/* DRAM of a file that counts against the budget. */
static inline double place_takes(const struct place_file *f)
{
	return f->mode == DAXSTACK_CACHED ? f->set : 0;
}

static inline double place_seconds(uint64_t ps)
{
	return (double)ps / 1e12;
}

#endif
