/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A reading of the heat of all files of a mount, sorted by the policy's identifier,
 * with the state of each file that is carried from one reading to the next.
 */
#ifndef READING_H
#define READING_H

#include <stddef.h>
#include <stdint.h>

#include "heat.h"
#include "place.h"
#include "rules.h"

/**
 * struct reading_file - a file
 * @heat: as read
 * @rule: the rule that applies; NULL: none
 * @looked: readings since the rule was looked up, 0: not yet
 * @own_fsyncs: fsyncs by daxstackd's own flushes since @heat was read
 * @dirty: upper bound of its dirty pages
 * @planned: 1 + the mode of its last planned move that was logged; 0: none
 */
struct reading_file {
	struct daxstack_heat_file heat;
	const struct rule *rule;
	unsigned int looked;
	uint32_t own_fsyncs;
	uint64_t dirty;
	int planned;
};

/**
 * struct reading - all files
 * @time_ns: CLOCK_MONOTONIC, 0: no reading yet
 * @files: ordered by reading_id()
 * @nr: number of @files
 */
struct reading {
	uint64_t time_ns;
	struct reading_file *files;
	size_t nr;
};

static inline uint64_t reading_id(const struct daxstack_heat_file *heat)
{
	return place_id(heat->ino, heat->generation);
}

int reading_take(struct reading *reading, struct heat *heat,
		 const struct reading *before, const struct rules_mount *mount);
void reading_free(struct reading *reading);
struct reading_file *reading_find(const struct reading *reading, uint64_t id);
const struct reading_file *reading_before(const struct reading *before,
					  const struct reading_file *file);
void reading_forget_rules(struct reading *reading);
void reading_forget_rule(struct reading_file *file);

#endif /* READING_H */
