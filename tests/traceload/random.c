// SPDX-License-Identifier: GPL-2.0-only
/*
 * traceload: files used at random, their trace, and what is read back.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "traceload.h"

static const struct heattrace_info info = {
	.mount = "/mnt/a \xff name",
	.lower = "ext4",
	.kernel = "6.12.1-test",
	.interval_ns = 10 * SECOND,
	.realtime_ns = 1700000000 * SECOND,
	.page_size = PAGE,
	.windows = true,
};

struct heattrace_writer *create(const char *path, bool windows)
{
	struct heattrace_info told = info;
	struct heattrace_writer *w;
	char why[256];

	told.windows = windows;
	w = heattrace_create(path, true, &told, why, sizeof(why));
	if (!w)
		errx(1, "%s: %s", path, why);
	return w;
}

/* --- Random readings. */

void touch_sketch(struct daxstack_heat_file *file, unsigned int bits)
{
	while (bits--) {
		unsigned int bit = below(256);

		file->sketch[bit / 64] |= 1ULL << bit % 64;
	}
}

static void touch(struct daxstack_heat_file *file)
{
	struct daxstack_heat_counts *counts = &file->by_mode[file->mode];
	uint64_t n = below(1000);

	counts->reads += n;
	counts->read_bytes += below(2) ? n * 8192 : below(1 << 30);
	counts->writes += n / 3;
	counts->write_bytes += n / 3 * 4096 + (below(3) ? 0 : 17);
	counts->dirtied += n / 3;
	if (!below(4)) {
		counts->read_faults += below(100);
		counts->write_faults += 5;
		counts->dirtied += 5;
	}
	counts->fsyncs += !below(4);
	file->pages = below(1 << 20);
	file->size = below(1ULL << 40);
	file->sketch_shift = below(12);
	touch_sketch(file, 1 << below(9));
	if (!below(3)) {
		file->probed = 1 + below(32);
		file->probe_hits = below(file->probed + 1);
		file->probe_wait_ns = below(1ULL << 36);
	}
	if (!below(10)) {
		file->mode = !file->mode;
		file->switches++;
		file->refaults = 0;
		file->by_mode[file->mode].reads += below(3);
	}
	if (!below(10))
		file->refaults += below(50);
	if (!below(20))
		file->reason = below(DAXSTACK_REASON_COUNT);
	if (!below(20))
		file->flags = below(16);
}

static void make(struct model *m, struct daxstack_heat_file *file)
{
	*file = (struct daxstack_heat_file){
		.ino = below(2) ? ++m->last_ino : rnd(),
		.generation = rnd(),
		.mode = below(2),
		.uid = below(3) ? 1000 : UINT32_MAX,
		.switches = below(100),
	};
	/* It has a past, with counts of any size. */
	file->by_mode[0].reads = rnd() >> below(64);
	file->by_mode[1].read_bytes = rnd() >> (8 + below(56));
}

void model_step(struct model *m, bool windows)
{
	size_t i, j;

	m->time_ns += 1 + (below(4) ? below(40) * SECOND : below(SECOND));
	for (i = 0; i < m->nr; i++) {
		struct daxstack_heat_file *file = &m->heat[i];

		if (windows) {
			memset(file->sketch, 0, sizeof(file->sketch));
			file->sketch_shift = 0;
			file->probed = 0;
			file->probe_hits = 0;
			file->probe_wait_ns = 0;
		}
		if (!m->there[i] && !below(4)) {
			make(m, file);
			m->there[i] = true;
			for (j = 0; j < sizeof(m->names[i]) - 1; j++)
				m->names[i][j] = 1 + below(255);
			m->names[i][below(sizeof(m->names[i]))] = 0;
		} else if (m->there[i] && !below(30)) {
			m->there[i] = false;
		} else if (m->there[i] && !below(40)) {
			/* Evicted and reloaded. */
			memset(file->by_mode, 0, sizeof(file->by_mode));
			file->switches = 0;
		}
		if (m->there[i] && below(2))
			touch(file);
	}
}

struct model *new_model(size_t nr)
{
	struct model *m = calloc(1, sizeof(*m));

	if (!m)
		err(1, "model");
	m->nr = nr;
	return m;
}

int model_name(void *arg, uint64_t ino, uint32_t generation, char *path, size_t size)
{
	const struct model *m = arg;
	size_t i;

	for (i = 0; i < MODEL_FILES; i++) {
		if (m->heat[i].ino != ino || m->heat[i].generation != generation)
			continue;
		/* Every seventh was unlinked. */
		if (ino % 7 == 0)
			return ENOENT;
		snprintf(path, size, "%s", m->names[i]);
		return 0;
	}
	return ENOENT;
}

size_t model_collect(const struct model *m, struct daxstack_heat_file *files)
{
	size_t nr = 0, i, j;

	for (i = 0; i < MODEL_FILES; i++) {
		if (!m->there[i])
			continue;
		/* In any order. */
		j = below(nr + 1);
		files[nr++] = files[j];
		files[j] = m->heat[i];
	}
	return nr;
}

void make_small(const char *path, bool windows, unsigned int readings, struct model *m)
{
	struct heattrace_writer *w = create(path, windows);
	struct daxstack_heat_file files[MODEL_FILES];
	size_t nr;

	for (; readings; readings--) {
		model_step(m, windows);
		nr = model_collect(m, files);
		if (heattrace_put(w, m->time_ns, files, nr, model_name, m))
			errx(1, "heattrace_put");
	}
	if (heattrace_end(w))
		errx(1, "heattrace_end");
}

/* --- Read back. */

static unsigned int bits(const __u64 *sketch)
{
	unsigned int n = 0, i;

	for (i = 0; i < 4; i++)
		n += __builtin_popcountll(sketch[i]);
	return n;
}

static uint64_t folded(const __u64 *sketch)
{
	return sketch[0] | sketch[1] | sketch[2] | sketch[3];
}

static bool same_file(const struct daxstack_heat_file *expected,
		      const struct daxstack_heat_file *seen, unsigned int *folds)
{
	struct daxstack_heat_file copy = *seen;

	if (bits(expected->sketch) == bits(seen->sketch) &&
	    folded(expected->sketch) == folded(seen->sketch)) {
		*folds += !!memcmp(expected->sketch, seen->sketch, sizeof(seen->sketch));
		memcpy(copy.sketch, expected->sketch, sizeof(copy.sketch));
	}
	return !memcmp(&copy, expected, sizeof(copy));
}

static bool same_name(const struct heattrace_reader *r, const struct model *m, size_t i)
{
	const struct daxstack_heat_file *file = &m->heat[i];
	const char *name = heattrace_name(r, file->ino, file->generation);

	/* Those have no name. */
	if (file->ino % 7 == 0 || !*m->names[i])
		return !name;
	return name && !strcmp(name, m->names[i]);
}

/* Return: number of files of the reading that are unchanged. */
static size_t compare(const struct heattrace_reader *r, const struct model *m,
		      const struct daxstack_heat_file *files, size_t nr,
		      unsigned int *folds)
{
	size_t same = 0, i, j;

	for (i = 0; i < MODEL_FILES; i++) {
		for (j = 0; m->there[i] && j < nr; j++) {
			if (files[j].ino != m->heat[i].ino)
				continue;
			same += same_file(&m->heat[i], &files[j], folds) &&
				same_name(r, m, i);
		}
	}
	return same;
}

static struct heattrace_reader *open_trace(const char *path)
{
	char why[256];
	struct heattrace_reader *r = heattrace_open(path, why, sizeof(why));

	if (!r)
		errx(1, "%s: %s", path, why);
	return r;
}

void round_trip(unsigned int readings, const char *path, bool windows)
{
	struct model *m = new_model(MODEL_FILES);
	const struct daxstack_heat_file *files;
	unsigned int wrong = 0, folds = 0, n = 0;
	uint64_t before = seed, time_ns;
	struct heattrace_reader *r;
	size_t nr, expected;

	make_small(path, windows, readings, m);
	/* Generates the same files again, from the same seed. */
	free(m);
	m = new_model(MODEL_FILES);
	seed = before;
	r = open_trace(path);
	while (heattrace_next(r, &time_ns, &files, &nr) > 0) {
		struct daxstack_heat_file shuffled[MODEL_FILES];

		model_step(m, windows);
		expected = model_collect(m, shuffled);
		n++;
		if (time_ns != m->time_ns || nr != expected ||
		    compare(r, m, files, nr, &folds) != nr) {
			dxs_diag("reading %u: %zu of %zu files are as they were", n,
				 compare(r, m, files, nr, &folds), expected);
			wrong++;
		}
	}
	dxs_is(readings, n, "%s: number of readings", windows ? "windows" : "no windows");
	dxs_is(0, wrong, "... all unchanged");
	dxs_str("", heattrace_error(r), "... no error");
	dxs_is(HEATTRACE_COMPLETE, heattrace_state(r), "... complete");
	dxs_str(info.mount, heattrace_info(r)->mount, "... mount");
	dxs_is(info.realtime_ns, heattrace_info(r)->realtime_ns, "... time");
	dxs_ok(windows ? folds > 0 : !folds, "... %u sketches folded", folds);
	heattrace_close(r);
	free(m);
}
