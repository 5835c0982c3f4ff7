/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Time since the last use of a file's pages, from the sketches of the last intervals
 * with use. Tells which pages a cache holds that keeps the most recently used ones.
 */
#ifndef REUSE_H
#define REUSE_H

#include <stdint.h>

#include "cost.h"

enum { REUSE_DEPTH = 8 };

/**
 * struct reuse - the last intervals of a file; initially all 0
 * @nr: number of known intervals
 * @newest: index of the last one
 * @past: the intervals
 */
struct reuse {
	uint32_t nr;
	uint32_t newest;
	struct reuse_past {
		uint64_t stamp;
		uint64_t footprint;
		__u64 sketch[DAXSTACK_HEAT_SKETCH_BITS / 64];
		uint32_t shift;
	} past[REUSE_DEPTH];
};

/**
 * struct reuse_split - a footprint, by interval of the last use of its pages
 * @nr: number of known intervals
 * @stamp: of the last interval with use, the one before, ...
 * @at: bytes last used in that interval
 * @beyond: bytes last used earlier, or never
 * @set: bytes used from that interval up to the current one
 *
 * The sum of @at and @beyond is the footprint.
 */
struct reuse_split {
	uint32_t nr;
	uint64_t stamp[REUSE_DEPTH];
	uint64_t at[REUSE_DEPTH];
	uint64_t beyond;
	uint64_t set[REUSE_DEPTH];
};

/**
 * reuse_step - process an interval in which the file was used
 * @r: the last intervals; this one is added
 * @d: the demand
 * @stamp: of the interval, larger than those before
 * @split: filled in
 */
void reuse_step(struct reuse *r, const struct demand *d, uint64_t stamp,
		struct reuse_split *split);

#endif
