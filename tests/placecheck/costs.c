// SPDX-License-Identifier: GPL-2.0-only
/*
 * placecheck: asserts the stated accuracy of the cost model: for each load of
 * docs/worth.md, with each profile, in both modes.
 */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "placecheck.h"

#define N	100000UL

/* Instructions of tests/worth-load for 64 KiB of cached data. */
#define LOOKS	41049UL

/*
 * A load: what N operations request of the file, the bytes of each that were
 * counted as missing in DRAM, and the tolerance of the model, in per cent. Hot
 * ranks of zipfian reads are in the processor's caches, which the cost model
 * lacks.
 */
static const struct load {
	const char *key;
	struct demand demand;
	double missing;
	int dax, cached;
} loads[] = {
	{ "read-random-below", { .reads = N, .read_bytes = N * 4096,
	  .footprint = 16 * MIB, .size = 16 * MIB }, 0, 10, 10 },
	{ "read-random-above", { .reads = N, .read_bytes = N * 4096,
	  .footprint = 64 * MIB, .size = 64 * MIB }, 0.745 * 4096, 10, 10 },
	{ "read-zipf-below", { .reads = N, .read_bytes = N * 4096,
	  .footprint = 16 * MIB, .size = 16 * MIB }, 0, 25, 15 },
	{ "map-random-below", { .touches = N, .mapped = 1, .footprint = 16 * MIB,
	  .size = 16 * MIB }, 0, 10, 10 },
	{ "map-random-above", { .touches = N, .mapped = 1, .footprint = 64 * MIB,
	  .size = 64 * MIB }, 0.506 * 4096, 10, 10 },
	{ "scan-read-below", { .reads = N, .read_bytes = N * 65536,
	  .footprint = 16 * MIB, .size = 16 * MIB }, 0, 10, 10 },
	{ "scan-read-above", { .reads = N, .read_bytes = N * 65536,
	  .footprint = 64 * MIB, .size = 64 * MIB }, 65536, 10, 10 },
	{ "write-random-1", { .writes = N, .write_bytes = N * 4096, .dirtied = N,
	  .fsyncs = N, .footprint = 4 * MIB, .size = 4 * MIB }, 0, 10, 10 },
	{ "write-random-10", { .writes = N, .write_bytes = N * 4096, .dirtied = N,
	  .fsyncs = N / 10, .footprint = 4 * MIB, .size = 4 * MIB }, 0, 10, 10 },
	{ "write-random-100", { .writes = N, .write_bytes = N * 4096, .dirtied = N,
	  .fsyncs = N / 100, .footprint = 4 * MIB, .size = 4 * MIB }, 0, 10, 10 },
	{ "append-1", { .writes = N, .write_bytes = N * 512, .dirtied = N, .fsyncs = N,
	  .footprint = N * 512, .grown = N * 512, .size = N * 512 }, 0, 10, 10 },
	{ "append-10", { .writes = N, .write_bytes = N * 512, .dirtied = N,
	  .fsyncs = N / 10, .footprint = N * 512, .grown = N * 512, .size = N * 512 },
	  0, 10, 25 },
	{ "append-100", { .writes = N, .write_bytes = N * 512, .dirtied = N,
	  .fsyncs = N / 100, .footprint = N * 512, .grown = N * 512, .size = N * 512 },
	  0, 10, 15 },
};

static const json_t *modelled(const json_t *worth, const char *key, const char *profile)
{
	const json_t *list = json_object_get(worth, "loads"), *load;
	size_t i;

	json_array_foreach((json_t *)list, i, load)
		if (!strcmp(json_string_value(json_object_get(load, "key")), key))
			return json_object_get(json_object_get(load, "modelled"),
					       profile);
	dxs_bail("docs/plots/worth.json has no load %s", key);
}

static double off(double seen, double expected)
{
	return 100 * (seen / expected - 1);
}

static void check_load(const json_t *worth, const struct load *load,
		       const struct dxs_profile *p)
{
	const json_t *m = modelled(worth, load->key, p->name);
	uint64_t missing = (uint64_t)(load->missing * N);
	double looks = strncmp(load->key, "scan", 4) ? 0 :
		(double)(LOOKS * p->instruction_ps) / 1e3;
	double dax, cached;

	dax = (double)cost_ps(p, &load->demand, DAXSTACK_DAX, missing) / 1e3 / N;
	cached = (double)cost_ps(p, &load->demand, DAXSTACK_CACHED, missing) +
		(double)cost_evict_ps(p, &load->demand, missing);
	cached /= 1e3 * N;
	dax = off(dax, json_number_value(json_object_get(m, "dax_ns")) - looks);
	cached = off(cached, json_number_value(json_object_get(m, "cached_ns")) - looks);
	dxs_ok(fabs(dax) <= load->dax && fabs(cached) <= load->cached,
	       "%s, %s: within %d %% in dax mode, %d %% in cached mode", p->name,
	       load->key, load->dax, load->cached);
	dxs_diag("off by %+.1f %%, %+.1f %%", dax, cached);
}

/* Of 16 MiB in DRAM, or in mappings; with the Optane profile. */
static void check_switches(const json_t *worth, const struct dxs_profile *p)
{
	static const struct {
		const char *key;
		uint32_t mapped;
		uint64_t dirty;
	} switches[] = {
		{ "switch-clean", 0, 0 }, { "switch-dirty-50", 0, 2048 },
		{ "switch-mapped", 1, 0 }, { "switch-mapped-dirty-50", 1, 2048 },
	};
	/* What a switch of an unmapped file to cached mode takes differs by load. */
	static const char *const unmapped[] = {
		"read-random-below", "read-zipf-below", "read-random-at", "read-zipf-at",
		"read-random-above", "read-zipf-above", "scan-read-below",
		"scan-read-above", "switch-clean", "switch-dirty-10", "switch-dirty-50",
	};
	struct demand d = { .size = 16 * MIB, .footprint = 16 * MIB };
	double ns, there;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(switches); i++) {
		const json_t *m = modelled(worth, switches[i].key, p->name);

		d.mapped = switches[i].mapped;
		ns = (double)cost_switch_ps(p, &d, DAXSTACK_DAX, 4096,
					    switches[i].dirty) / 1e3;
		there = json_number_value(json_object_get(m, "to_dax_ns"));
		/* The faults that follow are included. */
		if (d.mapped)
			there += json_number_value(json_object_get(m,
								   "dax_warm_up_ns"));
		dxs_ok(fabs(off(ns, there)) <= 15, "%s: to dax within 15 %%",
		       switches[i].key);
		dxs_diag("off by %+.1f %%", off(ns, there));
	}
	d.mapped = 0;
	ns = (double)cost_switch_ps(p, &d, DAXSTACK_CACHED, 0, 0) / 1e3;
	there = 0;
	for (i = 0; i < ARRAY_SIZE(unmapped); i++)
		there += json_number_value(json_object_get(modelled(worth, unmapped[i],
								    p->name),
							   "to_cached_ns"));
	there /= ARRAY_SIZE(unmapped);
	dxs_ok(fabs(off(ns, there)) <= 15, "unmapped: to cached within 15 %%");
	dxs_diag("off by %+.1f %%", off(ns, there));
	ns = (double)cost_fill_ps(p, &d, 16 * MIB) / 1e3;
	there = json_number_value(json_object_get(modelled(worth, "read-random-below",
							   p->name),
						  "cached_warm_up_ns"));
	dxs_ok(fabs(off(ns, there)) <= 10, "read-random-below: warm up within 10 %%");
	dxs_diag("off by %+.1f %%", off(ns, there));
}

void check_costs(void)
{
	static const char *const names[] = { "dram", "optane-dc", "cxl" };
	struct dxs_profile p;
	json_error_t error;
	json_t *worth = json_load_file("docs/plots/worth.json", 0, &error);
	size_t i, j;

	if (!worth)
		dxs_bail("docs/plots/worth.json: %s", error.text);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		p = profile_named(names[i]);
		for (j = 0; j < ARRAY_SIZE(loads); j++)
			check_load(worth, &loads[j], &p);
	}
	p = profile_named("optane-dc");
	check_switches(worth, &p);
	json_decref(worth);
}
