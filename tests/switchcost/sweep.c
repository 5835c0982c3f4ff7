// SPDX-License-Identifier: GPL-2.0-only
/*
 * The long form: cost against each parameter that it might depend on, as JSON,
 * one line per point; with the stack, and without it for the same work.
 */
#include <string.h>
#include <sys/stat.h>

#include "cost.h"

/*
 * Measurements per point, of which the least counts. With much work, timer
 * interrupts make no difference.
 */
static int tries(const struct work *work)
{
	return work->used * (work->mappers + 1) > 4 * MIB ? 1 : 2;
}

/* Cost against one parameter. */
struct sweep {
	const char *name;
	struct work base;
	/* The parameter, and its values. */
	enum { SIZE, USED, DIRTY, MAPPERS, SPAN } field;
	off_t points[8];
};

static const struct sweep sweeps[] = {
	/* The used part stays the same. */
	{ "size", { .used = 64 * KIB }, SIZE,
	  { 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB } },
	{ "used", { .size = 256 * MIB }, USED,
	  { 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB } },
	{ "dirty", { .size = 16 * MIB, .used = 16 * MIB }, DIRTY,
	  { 64 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB } },
	{ "processes", { .size = 4 * MIB, .used = 4 * MIB }, MAPPERS,
	  { 1, 2, 4, 8, 16, 32, 64 } },
	/* Two processes map that much, and have read 64 KiB of it. */
	{ "mapped", { .size = 256 * MIB, .used = 64 * KIB, .mappers = 2 }, SPAN,
	  { 64 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB } },
};

static struct work work_at(const struct sweep *sweep, off_t point)
{
	struct work work = sweep->base;

	switch (sweep->field) {
	case SIZE:
		work.size = point;
		break;
	case USED:
		work.used = point;
		break;
	case DIRTY:
		work.dirty = point;
		break;
	case MAPPERS:
		work.mappers = point;
		break;
	case SPAN:
		work.span = point;
		break;
	}
	return work;
}

static void print_head(const char *sweep, int to, const char *with)
{
	printf("{\"fs\": \"%s\", \"sweep\": \"%s\", ", dxs_fs, sweep);
	printf("\"to\": \"%s\", \"with\": \"%s\", ", dxs_mode_name(to), with);
}

static void print_point(const struct sweep *sweep, off_t point, int to,
			const char *with,
			struct cost (*cost_of)(const struct work *, int))
{
	struct work work = work_at(sweep, point);
	struct cost cost, least = { .all = UINT64_MAX };
	int i;

	for (i = 0; i < tries(&work); i++) {
		cost = cost_of(&work, to);
		if (cost.all < least.all)
			least = cost;
	}
	print_head(sweep->name, to, with);
	printf("\"at\": %jd, \"all\": %ju, \"shut\": %ju, ", (intmax_t)point,
	       (uintmax_t)least.all, (uintmax_t)least.shut);
	printf("\"drop_caches\": %ju, \"again\": %ju}\n",
	       (uintmax_t)least.drop, (uintmax_t)least.again);
	fflush(stdout);
}

static void print_sweep(const struct sweep *sweep, const char *with,
			struct cost (*cost_of)(const struct work *, int))
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sweep->points) && sweep->points[i]; i++) {
		print_point(sweep, sweep->points[i], DAXSTACK_DAX, with,
			    cost_of);
		print_point(sweep, sweep->points[i], DAXSTACK_CACHED, with,
			    cost_of);
	}
}

static void print_all(const char *with, const char *where,
		      struct cost (*cost_of)(const struct work *, int))
{
	size_t i;
	int to;

	for (i = 0; i < ARRAY_SIZE(sweeps); i++)
		print_sweep(&sweeps[i], with, cost_of);
	for (i = 0; i < 2; i++) {
		to = i ? DAXSTACK_CACHED : DAXSTACK_DAX;
		print_head("untouched", to, with);
		printf("\"all\": %ju}\n", (uintmax_t)cost_of_flag(where, to));
	}
}

void print_sweeps(void)
{
	dxs_mount_lower();
	print_all("close", "lower", cost_without_stack);
	dxs_umount_lower();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	print_all("stack", "stack", cost_of_switch);
	dxs_umount_stack();
}
