// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ: steps, made from a seed, and as text. A step does not depend on the
 * results of earlier ones, so any step can be left out.
 */
#define _GNU_SOURCE
#include <grp.h>

#include "differ.h"

const struct caller callers[CALLERS] = {
	{ 0, 0, 0 },
	{ 1000, 1000, 1000 },
	{ 1000, 1000, 2000 },
	{ 2000, 2000, 1000 },
};

const struct kind *kinds[MAX_KINDS];
unsigned int nr_kinds;

/* --- Random numbers. */

uint32_t rnd(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) >> 16;
}

uint32_t below(struct rng *rng, uint32_t n)
{
	return ((uint64_t)rnd(rng) * n) >> 32;
}

bool once_in(struct rng *rng, uint32_t n)
{
	return !below(rng, n);
}

/* --- The list. */

static void add(const struct kind *kind)
{
	for (; kind->name; kind++) {
		if (nr_kinds == ARRAY_SIZE(kinds))
			abort();
		kinds[nr_kinds++] = kind;
	}
}

static void fill_kinds(void)
{
	if (nr_kinds)
		return;
	add(name_kinds);
	add(attr_kinds);
	add(data_kinds);
	add(map_kinds);
	add(lock_kinds);
	kinds[nr_kinds++] = &switch_kind;
}

/* Returns whether the format has the field, such as "{p}". */
bool kind_uses(const struct kind *kind, const char *field)
{
	return strstr(kind->format, field);
}

static unsigned int make_kind(struct rng *rng, bool with_switches)
{
	unsigned int i, n, sum = 0;

	for (i = 0; i < nr_kinds - 1; i++)
		sum += kinds[i]->weight;
	for (;;) {
		if (with_switches && once_in(rng, 5))
			return nr_kinds - 1;
		n = below(rng, sum);
		for (i = 0; n >= kinds[i]->weight; i++)
			n -= kinds[i]->weight;
		if (!with_switches || !kinds[i]->still)
			return i;
	}
}

struct step make_step(struct rng *rng, bool with_switches)
{
	static const mode_t umasks[] = { 022, 022, 0, 077, 027, 0777 };
	struct step step = { 0 };

	fill_kinds();
	step.kind = make_kind(rng, with_switches);
	if (kinds[step.kind] != &switch_kind && once_in(rng, 4))
		step.who = 1 + below(rng, CALLERS - 1);
	step.umask = PICK(rng, umasks);
	step.path[0] = make_path(rng);
	step.path[1] = make_path(rng);
	step.slot[0] = below(rng, SLOTS);
	step.slot[1] = below(rng, SLOTS);
	if (kinds[step.kind]->make)
		kinds[step.kind]->make(rng, &step);
	return step;
}

/* --- As text. */

static void say_number(struct text *out, int64_t n, char base)
{
	if (base == 'x')
		say(out, "%#llx", (long long)n);
	else if (base == 'o')
		say(out, "0%llo", (long long)n);
	else
		say(out, "%lld", (long long)n);
}

void say_step(struct text *out, const struct step *step)
{
	const char *at = kinds[step->kind]->format;

	if (step->who)
		say(out, "[%u:%u,%u] ", callers[step->who].uid,
		    callers[step->who].gid, callers[step->who].group);
	if (step->umask != 022)
		say(out, "[umask 0%o] ", step->umask);
	for (; *at; at++) {
		if (*at != '{') {
			say(out, "%c", *at);
			continue;
		}
		at++;
		if (*at == 'p' || *at == 'q')
			say(out, "%s", path_text(step->path[*at - 'p']));
		else if (*at == 's' || *at == 't')
			say(out, "fd%u", step->slot[*at - 's']);
		else if (at[1] == '}')
			say_number(out, step->n[*at - '0'], 'd');
		else
			say_number(out, step->n[*at - '0'], at[1]);
		at = strchr(at, '}');
	}
}

void become(unsigned int who)
{
	const struct caller *caller = &callers[who];

	if (who) {
		MUST(setgroups(1, &caller->group));
		MUST(setresgid(-1, caller->gid, -1));
		MUST(setresuid(-1, caller->uid, -1));
	} else {
		MUST(setresuid(-1, 0, -1));
		MUST(setresgid(-1, 0, -1));
		MUST(setgroups(0, NULL));
	}
}
