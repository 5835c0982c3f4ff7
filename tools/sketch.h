/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linear counting: the number of distinct pages in a sketch of struct
 * daxstack_heat_file, and of those in one sketch but not in another.
 */
#ifndef SKETCH_H
#define SKETCH_H

#include <stdint.h>

#include "daxstack.h"

enum { SKETCH_WORDS = DAXSTACK_HEAT_SKETCH_BITS / 64 };

/**
 * sketch_pages - estimate the pages in a sketch
 * @sketch: the sketch
 * @shift: its sketch_shift
 *
 * If all bits are set, the result is a lower bound.
 */
uint64_t sketch_pages(const __u64 *sketch, uint32_t shift);

/**
 * sketch_beyond - estimate the pages in a sketch that are not in another
 * @sketch: the sketch
 * @other: the other, or the union of several; with the same sketch_shift
 * @shift: the sketch_shift
 *
 * Exactly 0 if no bit differs.
 */
uint64_t sketch_beyond(const __u64 *sketch, const __u64 *other, uint32_t shift);

#endif
