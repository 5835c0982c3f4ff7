// SPDX-License-Identifier: GPL-2.0-only
/* Model of the page cache for files in cached mode. See lru.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "decay.h"
#include "lru.h"

enum { NONE = 0, CHUNKS_MAX = 12 };

/* Pages of a file whose last use was in the same interval. Index 0 means none. */
struct chunk {
	uint32_t file;
	bool active;
	uint64_t stamp;
	uint64_t bytes;
	uint32_t older, newer;		/* in the list of the cache */
	uint32_t next, prev;		/* in the list of the file; next is older */
};

struct list {
	uint32_t oldest, newest;
	uint64_t bytes;
};

/*
 * A file. @lost records evicted bytes by the interval of their last use, so that the
 * share of pages of that interval that are still cached is known.
 */
struct holder {
	uint32_t newest, oldest;
	uint32_t chunks;
	uint64_t bytes;
	uint64_t since;
	struct lost {
		uint64_t stamp;
		uint64_t bytes;
	} lost[REUSE_DEPTH];
};

struct lru {
	uint64_t capacity;
	struct list list[2];		/* inactive, active */
	struct chunk *chunks;
	uint32_t nr_chunks, max_chunks, unused;
	struct holder *files;
	uint32_t nr_files;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t part(uint64_t of, uint64_t n, uint64_t whole)
{
	return whole ? (uint64_t)((__uint128_t)of * n / whole) : 0;
}

struct lru *lru_new(uint64_t bytes, uint32_t files)
{
	struct lru *lru = calloc(1, sizeof(*lru));

	if (!lru)
		return NULL;
	lru->capacity = bytes;
	lru->nr_chunks = 1;
	lru->nr_files = files;
	lru->files = calloc(files + 1, sizeof(*lru->files));
	if (!lru->files) {
		lru_free(lru);
		return NULL;
	}
	return lru;
}

void lru_free(struct lru *lru)
{
	if (!lru)
		return;
	free(lru->chunks);
	free(lru->files);
	free(lru);
}

uint64_t lru_bytes(const struct lru *lru, uint32_t file)
{
	return file < lru->nr_files ? lru->files[file].bytes : 0;
}

uint64_t lru_total(const struct lru *lru)
{
	return lru->list[0].bytes + lru->list[1].bytes;
}

/* --- Chunks. */

static uint32_t get(struct lru *lru)
{
	uint32_t i = lru->unused, max;
	struct chunk *more;

	if (i) {
		lru->unused = lru->chunks[i].next;
		return i;
	}
	if (lru->nr_chunks >= lru->max_chunks) {
		max = lru->max_chunks ? 2 * lru->max_chunks : 256;
		more = realloc(lru->chunks, max * sizeof(*more));
		if (!more)
			return NONE;
		lru->chunks = more;
		lru->max_chunks = max;
	}
	return lru->nr_chunks++;
}

static void link_global(struct lru *lru, uint32_t i, bool active)
{
	struct list *list = &lru->list[active];
	struct chunk *c = &lru->chunks[i];

	c->active = active;
	c->older = list->newest;
	c->newer = NONE;
	if (list->newest)
		lru->chunks[list->newest].newer = i;
	else
		list->oldest = i;
	list->newest = i;
	list->bytes += c->bytes;
}

static void unlink_global(struct lru *lru, uint32_t i)
{
	struct chunk *c = &lru->chunks[i];
	struct list *list = &lru->list[c->active];

	if (c->older)
		lru->chunks[c->older].newer = c->newer;
	else
		list->oldest = c->newer;
	if (c->newer)
		lru->chunks[c->newer].older = c->older;
	else
		list->newest = c->older;
	list->bytes -= c->bytes;
}

static void put(struct lru *lru, uint32_t i)
{
	struct chunk *c = &lru->chunks[i];
	struct holder *h = &lru->files[c->file];

	unlink_global(lru, i);
	if (c->prev)
		lru->chunks[c->prev].next = c->next;
	else
		h->newest = c->next;
	if (c->next)
		lru->chunks[c->next].prev = c->prev;
	else
		h->oldest = c->prev;
	h->chunks--;
	h->bytes -= c->bytes;
	c->next = lru->unused;
	lru->unused = i;
}

static void shrink(struct lru *lru, uint32_t i, uint64_t bytes)
{
	struct chunk *c = &lru->chunks[i];

	if (bytes >= c->bytes) {
		put(lru, i);
		return;
	}
	c->bytes -= bytes;
	lru->list[c->active].bytes -= bytes;
	lru->files[c->file].bytes -= bytes;
}

/* Merge the two oldest chunks of a file into one. */
static void merge(struct lru *lru, struct holder *h)
{
	uint32_t from = h->oldest, to = lru->chunks[from].prev;
	uint64_t bytes = lru->chunks[from].bytes;

	put(lru, from);
	lru->chunks[to].bytes += bytes;
	lru->list[lru->chunks[to].active].bytes += bytes;
	h->bytes += bytes;
}

static int add(struct lru *lru, uint32_t file, uint64_t stamp, uint64_t bytes,
	       bool active)
{
	struct holder *h = &lru->files[file];
	struct chunk *c;
	uint32_t i;

	if (!bytes)
		return 0;
	i = get(lru);
	if (!i)
		return -1;
	c = &lru->chunks[i];
	memset(c, 0, sizeof(*c));
	c->file = file;
	c->stamp = stamp;
	c->bytes = bytes;
	c->next = h->newest;
	if (h->newest)
		lru->chunks[h->newest].prev = i;
	else
		h->oldest = i;
	h->newest = i;
	h->chunks++;
	h->bytes += bytes;
	link_global(lru, i, active);
	if (h->chunks > CHUNKS_MAX)
		merge(lru, h);
	return 0;
}

/* Remove up to @bytes of pages last used in [@from, @to). Return: how many were removed. */
static uint64_t take(struct lru *lru, uint32_t file, uint64_t from, uint64_t to,
		     uint64_t bytes)
{
	uint32_t i = lru->files[file].newest, next;
	uint64_t got = 0, n;

	for (; i && got < bytes && lru->chunks[i].stamp >= from; i = next) {
		next = lru->chunks[i].next;
		if (lru->chunks[i].stamp >= to)
			continue;
		n = least(lru->chunks[i].bytes, bytes - got);
		shrink(lru, i, n);
		got += n;
	}
	return got;
}

static uint64_t left_of(const struct lru *lru, uint32_t file, uint64_t from, uint64_t to)
{
	uint32_t i = lru->files[file].newest;
	uint64_t sum = 0;

	for (; i && lru->chunks[i].stamp >= from; i = lru->chunks[i].next)
		if (lru->chunks[i].stamp < to)
			sum += lru->chunks[i].bytes;
	return sum;
}

static struct lost *lost_at(struct holder *h, uint64_t stamp)
{
	struct lost *oldest = h->lost, *l;

	for (l = h->lost; l < h->lost + REUSE_DEPTH; l++) {
		if (l->stamp == stamp)
			return l;
		if (l->stamp < oldest->stamp)
			oldest = l;
	}
	oldest->stamp = stamp;
	oldest->bytes = 0;
	return oldest;
}

static void lose(struct lru *lru, uint32_t i, uint64_t bytes)
{
	struct chunk *c = &lru->chunks[i];

	lost_at(&lru->files[c->file], c->stamp)->bytes += least(bytes, c->bytes);
	shrink(lru, i, bytes);
}

void lru_drop(struct lru *lru, uint32_t file)
{
	struct holder *h;

	if (file >= lru->nr_files)
		return;
	h = &lru->files[file];
	while (h->newest)
		put(lru, h->newest);
	memset(h, 0, sizeof(*h));
}

/* --- An interval. */

/*
 * Of pages with unknown last use, assume the same cached share as of all pages of the
 * file that were not used lately.
 */
static uint64_t take_old(struct lru *lru, const struct lru_touch *t)
{
	const struct reuse_split *s = t->split;
	uint64_t there = lru->files[t->file].bytes, lately, elsewhere, wanted;

	lately = s->nr ? s->set[s->nr - 1] - least(s->set[s->nr - 1], s->beyond) : 0;
	elsewhere = t->size - least(t->size, lately);
	wanted = s->beyond - least(s->beyond, t->born);
	if (elsewhere > there)
		wanted = (uint64_t)((__uint128_t)wanted * there / elsewhere);
	return take(lru, t->file, 0, UINT64_MAX, wanted);
}

/* Of @bytes last used in [@from, @to), return those that are still cached. */
static uint64_t hit(struct lru *lru, const struct lru_touch *t, uint64_t from,
		    uint64_t to, uint64_t bytes)
{
	struct holder *h = &lru->files[t->file];
	uint64_t left = left_of(lru, t->file, from, to), hits = bytes, got;
	struct lost *lost = lost_at(h, from);

	if (!bytes || from < h->since)
		return 0;
	if (lost->bytes)
		hits = (uint64_t)((__uint128_t)bytes * left / (left + lost->bytes));
	lost->bytes -= least(lost->bytes, bytes - hits);
	got = take(lru, t->file, from, to, hits);
	/* Sketches are imprecise: assume that some were last used in another interval. */
	return got + take(lru, t->file, 0, UINT64_MAX, hits - got);
}

static int touch(struct lru *lru, uint64_t stamp, struct lru_touch *t)
{
	const struct reuse_split *s = t->split;
	uint64_t hits = 0, fresh, there, to = UINT64_MAX;
	uint32_t i;

	if (!lru->files[t->file].since)
		lru->files[t->file].since = stamp;
	for (i = 0; i < s->nr; i++) {
		hits += hit(lru, t, s->stamp[i], to, s->at[i]);
		to = s->stamp[i];
	}
	hits += take_old(lru, t);
	fresh = t->footprint - least(t->footprint, hits);
	/* A file cannot hold a page twice: bytes beyond its size are hits. */
	there = lru->files[t->file].bytes + hits + fresh;
	if (there > t->size)
		hits += take(lru, t->file, 0, UINT64_MAX, least(there - t->size, fresh));
	fresh = t->footprint - least(t->footprint, hits);
	t->missing = fresh - least(fresh, t->born);
	/* Pages used several times in the interval become active at once. */
	if (add(lru, t->file, stamp, fresh, t->accesses >= 2 * t->footprint))
		return -1;
	return add(lru, t->file, stamp, hits, true);
}

/*
 * Pages that are used again within @age thousandths of the interval. If fewer pages
 * were used than by as many uniformly random accesses, some pages are hotter than
 * others: assume that an eighth of them takes the surplus, and that all others are used
 * once.
 */
static uint64_t kept(const struct lru_touch *t, uint64_t age, uint64_t *misses)
{
	uint64_t uniform = decay_reached(t->size, t->accesses, t->size);
	uint64_t hot = 0, often = 0, stay, stay_hot = 0;

	if (t->footprint < uniform / 8 * 7) {
		hot = t->footprint / 8;
		often = t->accesses - (t->footprint - hot);
		stay_hot = decay_reached(hot, (uint64_t)((__uint128_t)often * age / 1000),
					 hot);
	}
	stay = decay_reached(t->footprint - hot,
			     (uint64_t)((__uint128_t)(t->accesses - often) * age / 1000),
			     t->footprint - hot);
	if (misses) {
		*misses = part(t->accesses - often, t->footprint - hot - stay,
			       t->footprint - hot);
		*misses += part(often, hot - stay_hot, hot);
	}
	return stay + stay_hot;
}

/*
 * More is used in an interval than the cache holds, so pages are read and evicted
 * within the interval. Every page stays for the same time unless it is used again (Che,
 * Tung and Wang 2002, "Hierarchical Web Caching Systems"): find the time for which the
 * pages just fit.
 */
static uint64_t lifetime(const struct lru *lru, const struct lru_touch *touches,
			 uint32_t nr)
{
	uint64_t low = 0, high = 1000000, middle, sum;
	uint32_t i;

	while (high - low > 1) {
		middle = (low + high) / 2;
		sum = 0;
		for (i = 0; i < nr; i++)
			sum += kept(&touches[i], middle, NULL);
		if (sum > lru->capacity)
			high = middle;
		else
			low = middle;
	}
	return low;
}

static int thrash(struct lru *lru, uint64_t stamp, struct lru_touch *touches,
		  uint32_t nr)
{
	uint64_t age = lifetime(lru, touches, nr), rest, again, unknown, misses;
	struct lru_touch *t;
	struct holder *h;

	while (lru->list[0].oldest)
		lose(lru, lru->list[0].oldest, UINT64_MAX);
	while (lru->list[1].oldest)
		lose(lru, lru->list[1].oldest, UINT64_MAX);
	for (t = touches; t < touches + nr; t++) {
		rest = kept(t, age, &misses);
		/* The first use of a page is a miss in any case. */
		unknown = least(t->split->beyond, t->footprint);
		again = t->accesses - least(t->accesses, unknown);
		t->missing = unknown - least(unknown, t->born) +
			part(misses, again, t->accesses);
		if (add(lru, t->file, stamp, rest, true))
			return -1;
		h = &lru->files[t->file];
		if (!h->since)
			h->since = stamp;
		lost_at(h, stamp)->bytes = t->footprint - rest;
	}
	return 0;
}

static void evict(struct lru *lru)
{
	struct list *inactive = &lru->list[0], *active = &lru->list[1];
	uint64_t over;
	uint32_t i;

	while (lru_total(lru) > lru->capacity) {
		over = lru_total(lru) - lru->capacity;
		if (inactive->oldest && inactive->bytes >= active->bytes) {
			lose(lru, inactive->oldest, over);
		} else if (active->oldest) {
			i = active->oldest;
			unlink_global(lru, i);
			link_global(lru, i, false);
		} else {
			lose(lru, inactive->oldest, over);
		}
	}
}

int lru_step(struct lru *lru, uint64_t stamp, struct lru_touch *touches, uint32_t nr)
{
	uint64_t before = lru_total(lru), all = 0, in = 0, out;
	struct lru_touch *t;
	int failed = 0;

	for (t = touches; t < touches + nr; t++) {
		t->missing = 0;
		t->evicted = 0;
		all += t->footprint;
	}
	if (all > lru->capacity) {
		failed = thrash(lru, stamp, touches, nr);
	} else {
		for (t = touches; !failed && t < touches + nr; t++)
			failed = touch(lru, stamp, t);
	}
	if (failed)
		return -1;
	evict(lru);
	for (t = touches; t < touches + nr; t++)
		in += t->missing + t->born;
	out = before + in - least(before + in, lru_total(lru));
	for (t = touches; in && t < touches + nr; t++)
		t->evicted = (uint64_t)((__uint128_t)(t->missing + t->born) * out / in);
	return 0;
}
