// SPDX-License-Identifier: GPL-2.0-only
/*
 * The short form: asserts upper bounds on the cost of a switch.
 */
#include "cost.h"

/*
 * A timer interrupt or a journal commit may fall into one measurement; beside
 * other guests into three in a row. The least of all is the cost of the switch
 * itself.
 */
#define TRIES	9

static const struct work dirty = {
	.size = 16 * MIB, .used = 16 * MIB, .dirty = 16 * MIB,
};

/* Two files that differ only in size, which must not affect the cost. */
struct pair {
	const char *name;
	struct work small, big;
};

static const struct pair pairs[] = {
	{ "sparse",
	  { .size = 64 * KIB, .sparse = true },
	  { .size = 256 * MIB, .sparse = true } },
	{ "allocated, not cached",
	  { .size = 64 * KIB },
	  { .size = 256 * MIB } },
	{ "64 KiB cached, mapped by two processes",
	  { .size = 64 * KIB, .used = 64 * KIB, .mappers = 2 },
	  { .size = 256 * MIB, .used = 64 * KIB, .mappers = 2 } },
};

/* The cost of the lower filesystem's own work. */
struct lower {
	uint64_t flush;
	uint64_t flag[2];
};

/* Asserts @cost <= @times * @of, @times counted in tenths. */
static void at_most(uint64_t cost, double times, uint64_t of, const char *name)
{
	dxs_ok(cost <= times * of, "%s", name);
	dxs_diag("%.2f times: %ju instructions against %ju", (double)cost / of,
		 (uintmax_t)cost, (uintmax_t)of);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static struct cost least_switch(const struct work *work, int to)
{
	struct cost least_of = cost_of_switch(work, to), cost;
	int i;

	for (i = 1; i < TRIES; i++) {
		cost = cost_of_switch(work, to);
		least_of.all = least(cost.all, least_of.all);
		least_of.shut = least(cost.shut, least_of.shut);
	}
	return least_of;
}

static uint64_t least_flush(const struct work *work)
{
	uint64_t cost = cost_of_flush(work);
	int i;

	for (i = 1; i < TRIES; i++)
		cost = least(cost_of_flush(work), cost);
	return cost;
}

static struct lower ask_lower(void)
{
	struct lower lower;

	dxs_mount_lower();
	lower.flush = least_flush(&dirty);
	lower.flag[DAXSTACK_DAX] = cost_of_flag("lower", DAXSTACK_DAX);
	lower.flag[DAXSTACK_CACHED] = cost_of_flag("lower", DAXSTACK_CACHED);
	dxs_umount_lower();
	return lower;
}

static void check_dirty(const struct lower *lower)
{
	struct cost cost = least_switch(&dirty, DAXSTACK_DAX);

	at_most(cost.all, 1.3, lower->flush,
		"16 MiB dirty: to dax costs at most 1.3 times writing them back and dropping them");
	at_most(cost.shut, 0.1, lower->flush,
		"16 MiB dirty: gates are closed for at most a tenth of that");
}

static void check_untouched(const struct lower *lower)
{
	at_most(cost_of_flag("stack", DAXSTACK_DAX), 1.5,
		lower->flag[DAXSTACK_DAX],
		"untouched: to dax costs at most 1.5 times setting the flag");
	at_most(cost_of_flag("stack", DAXSTACK_CACHED), 1.5,
		lower->flag[DAXSTACK_CACHED],
		"untouched: to cached costs at most 1.5 times setting the flag");
}

static void check_size(const struct pair *pair, int to)
{
	struct cost small = least_switch(&pair->small, to);
	struct cost big = least_switch(&pair->big, to);
	char name[128];

	snprintf(name, sizeof(name),
		 "%s, to %s: 256 MiB cost at most 1.2 times 64 KiB", pair->name,
		 dxs_mode_name(to));
	at_most(big.all, 1.2, small.all, name);
}

void check_bounds(void)
{
	struct lower lower = ask_lower();
	size_t i;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	check_dirty(&lower);
	check_untouched(&lower);
	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		check_size(&pairs[i], DAXSTACK_DAX);
		check_size(&pairs[i], DAXSTACK_CACHED);
	}
	dxs_umount_stack();
}
