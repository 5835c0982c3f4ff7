/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A managed mount: reads its heat in intervals, runs the policy, and moves its files
 * one by one. For daxstackd, and for 'daxstack auto', which moves nothing.
 */
#ifndef TEND_H
#define TEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heat.h"
#include "place.h"
#include "profile.h"
#include "rules.h"

/**
 * struct tend_note - result of a move, for the log
 * @path: the file, relative to the mount
 * @from: DAXSTACK_DAX or DAXSTACK_CACHED
 * @to: likewise
 * @gain: expected by the policy, in seconds per second
 * @why: why the policy decided the move
 * @rule: name of the rule that applies
 * @refused: enum daxstack_reason, DAXSTACK_REASON_NONE: it was moved
 * @error: after a refusal: errno of opening the file, 0 if it was opened
 * @again_ns: after a refusal: time until the next attempt
 * @first: after a refusal: the first in a row, or for another reason than the last one
 * @planned: dry run: nothing was done
 * @pages: written back by the switch itself
 * @shut_ns: how long the gates were closed
 */
struct tend_note {
	const char *path;
	int from;
	int to;
	double gain;
	const char *why;
	const char *rule;
	unsigned int refused;
	int error;
	uint64_t again_ns;
	bool first;
	bool planned;
	uint64_t pages;
	uint64_t shut_ns;
};

/**
 * struct tend_plan - settings of a mount section of the rules file
 * @mount: the section; remains the caller's
 * @profile: of the memory
 * @profile_path: file of @profile
 */
struct tend_plan {
	const struct rules_mount *mount;
	struct dxs_profile profile;
	char profile_path[4096];
};

struct tend;

/* Return: bytes of DRAM of the machine, for rules_budget(). */
uint64_t tend_memory(void);

/* Return: CLOCK_MONOTONIC. */
uint64_t tend_now_ns(void);

/**
 * tend_prepare - read the profile of a mount section
 * @plan: filled in
 * @mount: the section
 * @err: on failure set to the cause and what to do
 * @len: size of @err
 */
bool tend_prepare(struct tend_plan *plan, const struct rules_mount *mount, char *err,
		  size_t len);

/**
 * tend_open - start managing a mount: start counting heat
 * @plan: copied
 * @dry: move nothing; report moves as planned
 * @note: called for each file that is moved or refused
 * @data: for @note
 * @err: on failure set to the cause and what to do
 * @len: size of @err
 *
 * Return: NULL on failure.
 */
struct tend *tend_open(const struct tend_plan *plan, bool dry,
		       void (*note)(const struct tend *tend, const struct tend_note *note,
				    void *data),
		       void *data, char *err, size_t len);

/* Stop managing a mount: stop counting. Files keep their modes. */
void tend_close(struct tend *tend);

/* Return: the mount point. */
const char *tend_target(const struct tend *tend);

/**
 * tend_configure - change the rules; knowledge of files is kept
 * @tend: the mount
 * @plan: of the same mount point; copied
 */
void tend_configure(struct tend *tend, const struct tend_plan *plan);

/**
 * tend_due_ns - time of the next work
 * @tend: the mount
 *
 * Return: CLOCK_MONOTONIC, for tend_run().
 */
uint64_t tend_due_ns(const struct tend *tend);

/**
 * tend_run - do the work that is due, for a moment at most
 * @tend: the mount
 *
 * This is a step of the policy, or the writeback of a piece of a file, or a switch.
 *
 * Return: 0 or an errno: ENODEV if it was unmounted, others if heat cannot be read.
 */
int tend_run(struct tend *tend);

/* For explain.c. tend_steps(): steps of the policy so far; 0: nothing is known yet. */
unsigned long long tend_steps(const struct tend *tend);
const struct place *tend_place(const struct tend *tend);
const struct tend_plan *tend_plan(const struct tend *tend);
struct heat *tend_heat(const struct tend *tend);

struct reading;
/* The last reading, and the one before. */
const struct reading *tend_now(const struct tend *tend);
const struct reading *tend_before(const struct tend *tend);

/* Return: the moves that the last step decided. */
const struct place_move *tend_moves(const struct tend *tend, size_t *nr);

/* Return: minute of the day, local time. */
unsigned int tend_minute(void);

#endif /* TEND_H */
