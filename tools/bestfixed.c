// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack simulate: search for the best fixed mode of each file, in hindsight. See
 * replay_best() in replay.h.
 */
#include <stdlib.h>
#include <string.h>

#include "replay.h"

enum {
	EXACT_FILES = 10,	/* up to this number, all combinations are tried */
	PREFIXES = 48,
	KNAPSACK_PARTS = 512,	/* of the budget */
	KNAPSACK_FILES = 4096,
};

/* Limit of the records that all tries together replay; minimum number of tries. */
#define EFFORT		6000000
#define TRIES_MIN	64

struct search {
	const struct replay *replay;
	uint64_t budget;
	size_t nr;
	int *best;
	int *modes;
	uint64_t ps;
	int64_t *gains;
	uint64_t *sets;
	uint32_t *order;
	size_t tried, most;
	bool failed;
};

static void try(struct search *s)
{
	uint64_t ps = replay_fixed_ps(s->replay, s->modes, s->budget);

	s->tried++;
	if (ps == UINT64_MAX) {
		s->failed = true;
		return;
	}
	if (ps < s->ps) {
		s->ps = ps;
		memcpy(s->best, s->modes, s->nr * sizeof(*s->best));
	}
}

static bool goes_on(const struct search *s)
{
	return !s->failed && s->tried < s->most;
}

static void set_all(struct search *s, int mode)
{
	size_t i;

	for (i = 0; i < s->nr; i++)
		s->modes[i] = mode;
}

static void try_all(struct search *s)
{
	uint32_t bits, i;

	for (bits = 0; bits < 1U << s->nr && !s->failed; bits++) {
		for (i = 0; i < s->nr; i++)
			s->modes[i] = bits >> i & 1 ? DAXSTACK_CACHED : DAXSTACK_DAX;
		try(s);
	}
}

/* Compute the gain and the DRAM use of each file, with DRAM for all. */
static int weigh(struct search *s)
{
	struct replay_outcome o;
	size_t i;

	set_all(s, DAXSTACK_CACHED);
	if (replay_fixed(s->replay, s->modes, UINT64_MAX / 4, &o))
		return -1;
	for (i = 0; i < s->nr; i++) {
		s->gains[i] = o.gains[i];
		s->sets[i] = o.held[i] ? o.held[i] : COST_PAGE;
	}
	replay_outcome_free(&o);
	return 0;
}

static const struct search *sorting;

static int by_density(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	__int128_t left = (__int128_t)sorting->gains[x] * sorting->sets[y];
	__int128_t right = (__int128_t)sorting->gains[y] * sorting->sets[x];

	if (left != right)
		return left > right ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void sort(struct search *s)
{
	size_t i;

	for (i = 0; i < s->nr; i++)
		s->order[i] = (uint32_t)i;
	sorting = s;
	qsort(s->order, s->nr, sizeof(*s->order), by_density);
}

/* Try the densest file in cached mode, the two densest, ... */
static void try_prefixes(struct search *s)
{
	size_t gain = 0, i, next = 1;

	while (gain < s->nr && s->gains[s->order[gain]] > 0)
		gain++;
	set_all(s, DAXSTACK_DAX);
	for (i = 0; i < gain && goes_on(s); i++) {
		s->modes[s->order[i]] = DAXSTACK_CACHED;
		if (i + 1 < next && i + 1 < gain)
			continue;
		try(s);
		next = i + 1 + 1 + gain / PREFIXES;
	}
}

/* Exact except that sets are rounded to parts of the budget, and that the LRU is ignored. */
static int try_knapsack(struct search *s, uint64_t budget)
{
	size_t n = s->nr < KNAPSACK_FILES ? s->nr : KNAPSACK_FILES, i, w, part;
	int64_t *best = calloc(KNAPSACK_PARTS + 1, sizeof(*best));
	bool *taken = calloc(n * (KNAPSACK_PARTS + 1), sizeof(*taken));

	if (!best || !taken || !budget) {
		free(best);
		free(taken);
		return budget ? -1 : 0;
	}
	for (i = 0; i < n; i++) {
		uint32_t f = s->order[i];

		part = (size_t)((__uint128_t)s->sets[f] * KNAPSACK_PARTS / budget);
		if (s->gains[f] <= 0 || part > KNAPSACK_PARTS)
			continue;
		for (w = KNAPSACK_PARTS; ; w--) {
			if (w >= part && best[w - part] + s->gains[f] > best[w]) {
				best[w] = best[w - part] + s->gains[f];
				taken[i * (KNAPSACK_PARTS + 1) + w] = true;
			}
			if (!w)
				break;
		}
	}
	set_all(s, DAXSTACK_DAX);
	w = KNAPSACK_PARTS;
	for (i = n; i-- > 0; ) {
		uint32_t f = s->order[i];

		if (!taken[i * (KNAPSACK_PARTS + 1) + w])
			continue;
		s->modes[f] = DAXSTACK_CACHED;
		w -= (size_t)((__uint128_t)s->sets[f] * KNAPSACK_PARTS / budget);
	}
	free(best);
	free(taken);
	try(s);
	return 0;
}

static void flip(struct search *s, uint32_t file)
{
	s->modes[file] = s->modes[file] == DAXSTACK_DAX ? DAXSTACK_CACHED : DAXSTACK_DAX;
}

/* Flip one file at a time, in order of density, until no flip helps. */
static void climb(struct search *s)
{
	uint64_t before = UINT64_MAX, ps;
	size_t i;

	while (s->ps < before && goes_on(s)) {
		before = s->ps;
		for (i = 0; i < s->nr && goes_on(s); i++) {
			ps = s->ps;
			memcpy(s->modes, s->best, s->nr * sizeof(*s->best));
			flip(s, s->order[i]);
			try(s);
			if (s->ps < ps || !s->gains[s->order[i]])
				continue;
		}
	}
}

/* Exchange a cached file for one in dax mode. */
static void exchange(struct search *s)
{
	size_t i, j;

	for (i = 0; i < s->nr && goes_on(s); i++) {
		for (j = i + 1; j < s->nr && goes_on(s); j++) {
			if (s->best[s->order[i]] == s->best[s->order[j]])
				continue;
			memcpy(s->modes, s->best, s->nr * sizeof(*s->best));
			flip(s, s->order[i]);
			flip(s, s->order[j]);
			try(s);
		}
	}
}

static int search(struct search *s)
{
	set_all(s, DAXSTACK_DAX);
	try(s);
	set_all(s, DAXSTACK_CACHED);
	try(s);
	if (weigh(s))
		return -1;
	sort(s);
	try_prefixes(s);
	if (try_knapsack(s, s->budget) || try_knapsack(s, s->budget / 2 * 3))
		return -1;
	climb(s);
	exchange(s);
	climb(s);
	return 0;
}

uint64_t replay_best(const struct replay *replay, uint64_t budget, int *modes,
		     size_t *tried, bool *exact)
{
	size_t n = replay->nr_files;
	struct search s = {
		.replay = replay, .budget = budget, .nr = n, .best = modes,
		.ps = UINT64_MAX,
	};

	s.most = EFFORT / replay->nr_records;
	if (s.most < TRIES_MIN)
		s.most = TRIES_MIN;
	*exact = n <= EXACT_FILES && 1U << n <= s.most;
	s.modes = malloc(n * sizeof(*s.modes));
	s.gains = malloc(n * sizeof(*s.gains));
	s.sets = malloc(n * sizeof(*s.sets));
	s.order = malloc(n * sizeof(*s.order));
	if (!s.modes || !s.gains || !s.sets || !s.order)
		s.failed = true;
	else if (*exact)
		try_all(&s);
	else if (search(&s))
		s.failed = true;
	free(s.modes);
	free(s.gains);
	free(s.sets);
	free(s.order);
	*tried = s.tried;
	return s.failed ? UINT64_MAX : s.ps;
}
