// SPDX-License-Identifier: GPL-2.0-only
/*
 * Computes the time of a run from the counts of memory-model.c and a profile.
 * docs/memory-model.md explains each term.
 *
 * Usage: modelled-time [--json] PROFILE... <COUNTS
 *
 * Terms are in whole picoseconds, rounded down, so results are equal on every machine.
 */
#include <err.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/profile.h"

enum { REGIONS = 255, SIZES = 8, FAR = SIZES, LINE = 64 };

/* As memory-model.c writes them. */
struct traffic {
	uint64_t stream[2];	/* by loads, by stores */
	uint64_t load[SIZES + 1];
	uint64_t store[SIZES + 1];
	uint64_t evicted[SIZES + 1];
	uint64_t flushed[SIZES + 1];
	uint64_t uncached[SIZES + 1];
};

static struct region {
	uint64_t times;
	uint64_t instructions;
	uint64_t flushes_unseen;
	struct traffic dram;
	struct traffic pmem;
} regions[REGIONS];

/* --- Reading the counts. */

static bool put_numbers(const char *text, uint64_t *to, int n)
{
	char *end;
	int i;

	for (i = 0; i < n; i++) {
		to[i] = strtoull(text, &end, 10);
		if (end == text || (*end != ' ' && *end != '\n'))
			return false;
		text = end;
	}
	return *text == '\n';
}

static bool put_traffic(struct traffic *t, const char *name, const char *numbers)
{
	if (!strcmp(name, "stream"))
		return put_numbers(numbers, t->stream, 2);
	if (!strcmp(name, "load"))
		return put_numbers(numbers, t->load, SIZES + 1);
	if (!strcmp(name, "store"))
		return put_numbers(numbers, t->store, SIZES + 1);
	if (!strcmp(name, "evicted"))
		return put_numbers(numbers, t->evicted, SIZES + 1);
	if (!strcmp(name, "flushed"))
		return put_numbers(numbers, t->flushed, SIZES + 1);
	if (!strcmp(name, "uncached"))
		return put_numbers(numbers, t->uncached, SIZES + 1);
	return false;
}

/* Counters that the time does not depend on are skipped. */
static bool put_line(const char *line)
{
	struct region *r;
	char name[32];
	int number, at = 0;

	if (sscanf(line, "%d %31s%n", &number, name, &at) != 2 || !at ||
	    number < 0 || number >= REGIONS)
		return false;
	r = &regions[number];
	if (!strcmp(name, "times"))
		return put_numbers(line + at, &r->times, 1);
	if (!strcmp(name, "instructions"))
		return put_numbers(line + at, &r->instructions, 1);
	if (!strcmp(name, "flushes_unseen"))
		return put_numbers(line + at, &r->flushes_unseen, 1);
	if (!strncmp(name, "dram.", 5))
		return put_traffic(&r->dram, name + 5, line + at);
	if (!strncmp(name, "pmem.", 5))
		return put_traffic(&r->pmem, name + 5, line + at);
	return true;
}

static void read_counts(void)
{
	char *line = NULL;
	size_t size = 0;
	int n = 1;

	if (getline(&line, &size, stdin) < 0 || strcmp(line, "memory-model 1\n"))
		errx(1, "standard input: no counts of memory-model.so: give the file "
		     "that its out= names");
	while (getline(&line, &size, stdin) > 0) {
		n++;
		if (!strncmp(line, "pmem ", 5) && strstr(line, "ambiguous"))
			errx(1, "the range pmem= is not one memory: give that of the NVDIMM, "
			     "as /proc/iomem of the guest has it");
		if (!strcmp(line, "elsewhere yes\n"))
			errx(1, "there was other memory than DRAM outside of pmem=: give the "
			     "range of the NVDIMM, as /proc/iomem of the guest has it");
		if (*line < '0' || *line > '9')
			continue;
		if (!put_line(line))
			errx(1, "standard input, line %d: not a line of memory-model.so", n);
	}
	free(line);
}

/* --- Time. */

struct cost {
	uint64_t read;
	uint64_t write;
};

static uint64_t transfer(uint64_t lines, uint64_t bytes, uint64_t kb_s)
{
	return (uint64_t)((__uint128_t)lines * bytes * 1000000000 / kb_s);
}

/* Split accesses into those within @bytes of an open line, and others. */
static void split(const uint64_t *near, uint64_t bytes, uint64_t *within, uint64_t *far)
{
	uint64_t size = LINE;
	int i;

	*within = 0;
	*far = 0;
	for (i = 0; i <= SIZES; i++, size *= 2) {
		if (i != FAR && size <= bytes)
			*within += near[i];
		else
			*far += near[i];
	}
}

static struct cost cost_of(const struct traffic *t, const struct dxs_memory *m)
{
	uint64_t within, far, pieces = m->line_bytes / LINE;
	const uint64_t *written[] = { t->evicted, t->flushed, t->uncached };
	struct cost cost = { 0 };
	__uint128_t rest;
	int i;

	/* The first access to a line costs a random read, later ones the rest. */
	split(t->load, m->line_bytes, &within, &far);
	cost.read = far * m->random_read_ps;
	rest = (__uint128_t)pieces * m->sequential_read_ps - m->random_read_ps;
	if (pieces > 1)
		cost.read += (uint64_t)(within * rest / (pieces - 1));
	else
		cost.read += within * m->random_read_ps;
	cost.read += transfer(t->stream[0] + t->stream[1], LINE, m->read_kb_s);
	/* Nothing waits for the read of a store, but it uses bandwidth. */
	split(t->store, m->access_bytes, &within, &far);
	cost.read += transfer(far, m->access_bytes, m->read_kb_s);
	for (i = 0; i < 3; i++) {
		split(written[i], m->access_bytes, &within, &far);
		cost.write += transfer(far, m->access_bytes, m->write_kb_s);
	}
	return cost;
}

static void add(json_t *to, const char *key, uint64_t n)
{
	if (json_object_set_new(to, key, json_integer((json_int_t)n)))
		errx(1, "out of memory");
}

static json_t *region_json(int number, const struct dxs_profile *p)
{
	const struct region *r = &regions[number];
	struct cost dram = cost_of(&r->dram, &p->dram);
	struct cost pmem = cost_of(&r->pmem, &p->pmem);
	uint64_t cpu = r->instructions * p->instruction_ps;
	uint64_t stall = dram.read + dram.write + pmem.read + pmem.write;
	json_t *o = json_object();

	if (!o || json_object_set_new(o, "profile", json_string(p->name)))
		errx(1, "out of memory");
	add(o, "region", (uint64_t)number);
	add(o, "times", r->times);
	add(o, "instructions", r->instructions);
	add(o, "cpu_ps", cpu);
	add(o, "dram_read_ps", dram.read);
	add(o, "dram_write_ps", dram.write);
	add(o, "pmem_read_ps", pmem.read);
	add(o, "pmem_write_ps", pmem.write);
	add(o, "stall_ps", stall);
	add(o, "total_ps", cpu + stall);
	return o;
}

static void print_table(json_t *all)
{
	static const char *const keys[] = {
		"cpu_ps", "dram_read_ps", "dram_write_ps", "pmem_read_ps",
		"pmem_write_ps", "total_ps"
	};
	json_t *o;
	size_t i, k;

	printf("%6s %-12s %14s %14s %14s %14s %14s %14s %14s\n", "region", "profile",
	       "instructions", "cpu ns", "DRAM read ns", "DRAM write ns",
	       "pmem read ns", "pmem write ns", "total ns");
	json_array_foreach(all, i, o) {
		printf("%6lld %-12s %14lld",
		       (long long)json_integer_value(json_object_get(o, "region")),
		       json_string_value(json_object_get(o, "profile")),
		       (long long)json_integer_value(json_object_get(o, "instructions")));
		for (k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
			long long ps = json_integer_value(json_object_get(o, keys[k]));

			printf(" %10lld.%03lld", ps / 1000, ps % 1000);
		}
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	bool as_json = argc > 1 && !strcmp(argv[1], "--json");
	json_t *all = json_array();
	struct dxs_profile p;
	char why[1024];
	int i, region;

	if (argc < 2 + as_json)
		errx(2, "usage: modelled-time [--json] PROFILE... <COUNTS");
	read_counts();
	for (region = 0; region < REGIONS; region++)
		if (regions[region].flushes_unseen)
			warnx("region %d: the addresses of %" PRIu64 " flushes are unknown: "
			      "they cost nothing", region,
			      regions[region].flushes_unseen);
	for (i = 1 + as_json; i < argc; i++) {
		if (dxs_profile_read(argv[i], &p, why, sizeof(why)))
			errx(1, "%s", why);
		for (region = 0; region < REGIONS; region++)
			if (regions[region].times &&
			    json_array_append_new(all, region_json(region, &p)))
				errx(1, "out of memory");
	}
	if (as_json) {
		json_dumpf(all, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		print_table(all);
	}
	json_decref(all);
	return ferror(stdout) || fflush(stdout);
}
