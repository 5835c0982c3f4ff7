// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exponentials. See decay.h.
 */
#include "decay.h"

static uint64_t times(uint64_t a, uint64_t b, uint64_t per)
{
	return (uint64_t)((__uint128_t)a * b / per);
}

uint64_t decay_reached(uint64_t of, uint64_t a, uint64_t b)
{
	const uint64_t one = 1ULL << 30;
	uint64_t x, rest;
	int i;

	if (!b || a / b >= 16)
		return of;
	/* Series expansion for x / 64, then squared six times (64 = 2^6). */
	x = times(a, one, b) / 64;
	rest = one - x + times(x, x, 2 * one) - times(times(x, x, one), x, 6 * one);
	for (i = 0; i < 6; i++)
		rest = times(rest, rest, one);
	return of - times(of, rest, one);
}
