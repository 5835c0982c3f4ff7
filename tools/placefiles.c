// SPDX-License-Identifier: GPL-2.0-only
/* The policy: table of known files. See place.h. */
#include <stdlib.h>
#include <string.h>

#include "placement.h"

static size_t bucket_of(const struct place *place, uint64_t id)
{
	id ^= id >> 32;
	id *= 0x9e3779b97f4a7c15ULL;
	return id >> 20 & (place->buckets - 1);
}

struct place_file *place_find(const struct place *place, uint64_t id)
{
	size_t i;

	if (!place->buckets)
		return NULL;
	for (i = bucket_of(place, id); place->table[i];
	     i = (i + 1) & (place->buckets - 1))
		if (place->files[place->table[i] - 1].id == id)
			return &place->files[place->table[i] - 1];
	return NULL;
}

static void enter(struct place *place, size_t number)
{
	size_t i = bucket_of(place, place->files[number].id);

	while (place->table[i])
		i = (i + 1) & (place->buckets - 1);
	place->table[i] = (uint32_t)number + 1;
}

static void enter_all(struct place *place)
{
	size_t i;

	memset(place->table, 0, place->buckets * sizeof(*place->table));
	for (i = 0; i < place->nr; i++)
		enter(place, i);
}

static int grow(struct place *place)
{
	size_t max = place->max ? 2 * place->max : 64;
	struct place_file *files, **order;
	uint32_t *table;

	files = realloc(place->files, max * sizeof(*files));
	if (!files)
		return -1;
	place->files = files;
	order = realloc(place->order, max * sizeof(struct place_file *));
	if (!order)
		return -1;
	place->order = order;
	table = realloc(place->table, 2 * max * sizeof(*table));
	if (!table)
		return -1;
	place->table = table;
	place->max = max;
	place->buckets = 2 * max;
	enter_all(place);
	return 0;
}

struct place_file *place_add(struct place *place, uint64_t id)
{
	struct place_file *f;

	if (place->nr == place->max && grow(place))
		return NULL;
	f = &place->files[place->nr];
	memset(f, 0, sizeof(*f));
	f->id = id;
	f->why = "nothing is known yet";
	enter(place, place->nr++);
	return f;
}

/* Forget files in dax mode that are no longer used: their old demand predicts nothing. */
void place_forget(struct place *place)
{
	size_t i, to = 0;

	for (i = 0; i < place->nr; i++) {
		struct place_file *f = &place->files[i];

		/* Files under RULE_LEAVE, or gone, are forgotten sooner. */
		if (f->idle > (f->rule == RULE_LEAVE ? AVERAGE_OVER : FORGET_AFTER) &&
		    (f->mode == DAXSTACK_DAX || !f->pages) &&
		    place->now_ns >= f->not_before_ns)
			continue;
		if (to != i)
			place->files[to] = *f;
		to++;
	}
	if (to == place->nr)
		return;
	place->nr = to;
	enter_all(place);
}
