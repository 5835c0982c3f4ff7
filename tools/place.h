/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy: decides which mode a file belongs in, from the demand on it. It does no
 * I/O and reads no clock; the same inputs give the same moves. The daemon and the
 * simulator both use it.
 *
 *	struct place *place = place_new(&config, &profile);
 *
 *	each interval:
 *		n = place_step(place, now_ns, inputs, nr, moves, MAX);
 *		for each of the n moves: switch the file, then
 *			place_done(place, moves[i].id, now_ns, moves[i].to, reason);
 */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cost.h"
#include "daxstack.h"
#include "profile.h"

/* The mode that a rule asks for. */
enum place_rule {
	RULE_AUTO,	/* decided by the policy */
	RULE_DAX,	/* always dax mode */
	RULE_CACHED,	/* always cached mode; gets DRAM before RULE_AUTO files */
	RULE_LEAVE,	/* never moved */
};

/**
 * struct place_config - settings of the administrator
 * @budget_bytes: DRAM for all files in cached mode together
 * @interval_ns: time between two steps
 * @max_switches_per_min: limit in any minute; 0: none
 * @max_flush_bytes_per_min: limit of the dirty bytes that switches write back in any
 *   minute, as far as known in advance; 0: none. A file with more than that is moved
 *   alone, once a minute has passed without another.
 * @min_size: RULE_AUTO: smaller files are not moved
 * @hysteresis_percent: how much more a file has to gain than the files that it
 *   displaces from DRAM
 * @settle_intervals: intervals after a move in which the file moves back only if the
 *   move turned out wrong
 * @horizon_intervals: gains are not expected to last longer
 *
 * place_config_init() fills in defaults. Times below a second and budgets of 0 are
 * allowed.
 */
struct place_config {
	uint64_t budget_bytes;
	uint64_t interval_ns;
	uint32_t max_switches_per_min;
	uint64_t max_flush_bytes_per_min;
	uint64_t min_size;
	uint32_t hysteresis_percent;
	uint32_t settle_intervals;
	uint32_t horizon_intervals;
};

/**
 * struct place_input - a file, in a step
 * @id: place_id()
 * @mode: its current mode, DAXSTACK_DAX or DAXSTACK_CACHED
 * @demand: the demand since the last step
 * @pages: pages in its mapping
 * @rule: what the rules say
 * @quiet: must not be switched now (quiet hours, or a limit of the caller)
 * @veto: enum daxstack_reason: why a switch would be refused now; 0: it would be
 *   attempted
 *
 * A file that is missing from the inputs had no demand and keeps its mode and pages.
 * The policy forgets a file after a while without demand; a file in cached mode only
 * once the caller reports that it holds no DRAM (0 pages, or dax mode).
 */
struct place_input {
	uint64_t id;
	int mode;
	struct demand demand;
	uint64_t pages;
	enum place_rule rule;
	bool quiet;
	uint32_t veto;
};

/**
 * struct place_move - a move that the policy asks for
 * @id: the file
 * @to: the mode
 * @gain: expected saving, in seconds per second; negative for the loss of a file that
 *   makes room for others
 * @why: a short clause for messages, as in "moved to cached: WHY"; static
 */
struct place_move {
	uint64_t id;
	int to;
	double gain;
	const char *why;
};

/**
 * struct place_view - the policy's knowledge of a file
 * @id: the file
 * @mode: its current mode
 * @wanted: the mode that it belongs in now
 * @rule: what the rules say
 * @why: why it is in @mode and not (yet) in the other; static
 * @size: bytes
 * @set: DRAM needed in cached mode: its working set, bytes
 * @pages: pages in its mapping
 * @dax_load: modelled time in dax mode, seconds per second (decaying average)
 * @cached_load: modelled time in cached mode, with @set in DRAM
 * @gain: @dax_load - @cached_load: the saving of cached mode
 * @density: @gain per GiB of @set; files compete by it
 * @credit: what the other mode would have saved lately, seconds
 * @price: cost of a switch with all consequences, seconds; the switch is due when
 *   @credit reaches @price
 * @seen: steps with demand
 * @switches: successful moves
 * @undone: number of them that were taken back
 * @since_ns: time of the last move, 0 if there was none
 * @vetoes: consecutive refusals
 * @veto: reason of the last refusal
 * @not_before_ns: no attempt before this time; 0: none
 */
struct place_view {
	uint64_t id;
	int mode;
	int wanted;
	enum place_rule rule;
	const char *why;
	uint64_t size;
	uint64_t set;
	uint64_t pages;
	double dax_load;
	double cached_load;
	double gain;
	double density;
	double credit;
	double price;
	uint64_t seen;
	uint32_t switches;
	uint32_t undone;
	uint64_t since_ns;
	uint32_t vetoes;
	uint32_t veto;
	uint64_t not_before_ns;
};

/**
 * struct place_sums - the policy's knowledge of all files
 * @files: files that it remembers
 * @cached: number of them in cached mode
 * @used_bytes: DRAM that they hold
 * @set_bytes: their working sets
 * @budget_bytes: DRAM that they may hold
 * @saved: time saved so far, compared with all files in dax mode, including the cost of
 *   moves; seconds
 * @switches: successful moves
 * @refused: refused moves
 * @undone: moves that were taken back
 */
struct place_sums {
	size_t files;
	size_t cached;
	uint64_t used_bytes;
	uint64_t set_bytes;
	uint64_t budget_bytes;
	double saved;
	uint64_t switches;
	uint64_t refused;
	uint64_t undone;
};

struct place;

/* Identifier of a file on a mount. */
static inline uint64_t place_id(uint64_t ino, uint32_t generation)
{
	return ino ^ (uint64_t)generation << 32;
}

/**
 * place_config_init - fill in defaults
 * @config: the budget is 0, the interval 10 seconds
 */
void place_config_init(struct place_config *config);

/**
 * place_new - create a policy without knowledge of any file
 * @config: copied
 * @profile: copied
 *
 * Return: NULL without memory.
 */
struct place *place_new(const struct place_config *config,
			const struct dxs_profile *profile);

void place_free(struct place *place);

/**
 * place_configure - change the settings; knowledge of files is kept
 * @place: the policy
 * @config: copied
 * @profile: copied
 */
void place_configure(struct place *place, const struct place_config *config,
		     const struct dxs_profile *profile);

/**
 * place_step - decide after an interval
 * @place: the policy
 * @now_ns: the time, of any monotonic clock
 * @inputs: the files with demand or with pages, each once
 * @nr: number of @inputs
 * @moves: filled in, in the order to execute them: room is made before it is used
 * @max: size of @moves
 *
 * The caller has to report each move by place_done() before the next step; a move that
 * is not reported counts as not attempted.
 *
 * Return: the number of moves, or -1 without memory.
 */
int place_step(struct place *place, uint64_t now_ns, const struct place_input *inputs,
	       size_t nr, struct place_move *moves, size_t max);

/**
 * place_done - report the result of a move
 * @place: the policy
 * @id: the file
 * @now_ns: the time
 * @to: the mode that was asked for
 * @reason: DAXSTACK_REASON_NONE if the file is in that mode, else why it is not
 *
 * Each consecutive refusal doubles the time until the next attempt.
 */
void place_done(struct place *place, uint64_t id, uint64_t now_ns, int to,
		uint32_t reason);

/**
 * place_newborn - the better mode for new files
 * @place: the policy
 *
 * Derived from the demand on recent files in their first intervals. For creators of
 * files, or to set the flag of directories; switching each new file would cost more
 * than it saves.
 *
 * Return: DAXSTACK_DAX or DAXSTACK_CACHED.
 */
int place_newborn(const struct place *place);

/**
 * place_look - get the knowledge of a file
 * @place: the policy
 * @id: the file
 * @view: filled in
 *
 * Return: false if the file is unknown.
 */
bool place_look(const struct place *place, uint64_t id, struct place_view *view);

/**
 * place_sums - get the knowledge of all files
 * @place: the policy
 * @sums: filled in
 */
void place_sums(const struct place *place, struct place_sums *sums);

/**
 * place_explain - print the knowledge of a file
 * @place: the policy
 * @id: the file
 * @to: gets several lines of text
 *
 * Return: false if the file is unknown; nothing is printed then.
 */
bool place_explain(const struct place *place, uint64_t id, FILE *to);

#endif
