/* SPDX-License-Identifier: GPL-2.0-only */
/* Exponentials without libm, whose results may differ between machines. */
#ifndef DECAY_H
#define DECAY_H

#include <stdint.h>

/**
 * decay_reached - expected number of @of targets hit by @a random hits
 * @of: number of targets
 * @a: hits
 * @b: number of places that the hits are spread over; 0: all targets are hit
 *
 * Return: @of * (1 - exp(-@a / @b)), within a thousandth of @of.
 */
uint64_t decay_reached(uint64_t of, uint64_t a, uint64_t b);

#endif
