// SPDX-License-Identifier: GPL-2.0-only
/*
 * PostgreSQL and fio: programs in a tree of their own (made by scripts/measure/worth),
 * each started by a script.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "load.h"

#define SCRIPTS	"/usr/local/share/daxstack/worth/"

static void call(const char *script, const char *what, long n, long seed)
{
	char number[32], seed_text[32], out[4096];

	snprintf(number, sizeof(number), "%ld", n);
	snprintf(seed_text, sizeof(seed_text), "%ld", seed);
	if (DXS_RUN_READ(out, sizeof(out), script, what, number, seed_text))
		dxs_bail("%s %s %ld: %s", script, what, n, out);
}

/* The last word of the key tells which. */
static const char *what_of(const struct load *load)
{
	return strrchr(load->key, '-') + 1;
}

static void make_pgbench(const struct load *load)
{
	(void)load;
	call(SCRIPTS "pgbench", "make", 0, 0);
}

static void begin_pgbench(struct running *r)
{
	(void)r;
	call(SCRIPTS "pgbench", "begin", 0, 0);
}

/*
 * Each phase starts after a checkpoint, so that the log gets as many full pages
 * in each.
 */
static void plan_pgbench(struct running *r, long n)
{
	(void)r;
	(void)n;
	call(SCRIPTS "pgbench", "checkpoint", 0, 0);
}

static void run_pgbench(struct running *r, long n)
{
	call(SCRIPTS "pgbench", what_of(r->load), n, r->seed);
}

static void end_pgbench(struct running *r)
{
	(void)r;
	call(SCRIPTS "pgbench", "end", 0, 0);
}

static void make_fio(const struct load *load)
{
	make_file(FILE_NAME, load->set);
}

static void nothing(struct running *r)
{
	(void)r;
}

static void run_fio(struct running *r, long n)
{
	call(SCRIPTS "fio", what_of(r->load), n, r->seed);
}

const struct load loads_programs[] = {
	{ .key = "fio-read", .group = "programs", .dir = "fio", .start_up = true,
	  .what = "fio, random reads by mapping", .op = "read of 4 KiB",   .set = 8 * MIB,
	  .warm = 8000, .ops = 8000, .make = make_fio, .begin = nothing, .run = run_fio,
	  .end = nothing },
	{ .key = "fio-write", .group = "programs", .dir = "fio", .start_up = true,
	  .what = "fio, random writes, fsync every 10", .op = "write of 4 KiB",
	  .set = 8 * MIB, .warm = 8000, .ops = 8000, .make = make_fio, .begin = nothing,
	  .run = run_fio, .end = nothing },
	{ .key = "pgbench-select", .group = "programs", .dir = "pgbench",
	  .start_up = true, .what = "PostgreSQL, pgbench -S", .op = "transaction",
	  .set = 16 * MIB, .warm = 1000, .ops = 500, .make = make_pgbench,
	  .begin = begin_pgbench, .plan = plan_pgbench, .run = run_pgbench, .end = end_pgbench },
	{ .key = "pgbench-tpcb", .group = "programs", .dir = "pgbench",
	  .start_up = true, .what = "PostgreSQL, pgbench", .op = "transaction",
	  .set = 16 * MIB, .warm = 150, .ops = 150, .make = make_pgbench,
	  .begin = begin_pgbench, .plan = plan_pgbench, .run = run_pgbench, .end = end_pgbench },
	{}
};
