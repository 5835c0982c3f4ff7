// SPDX-License-Identifier: GPL-2.0-only
/*
 * traceload: synthetic traces: a sample, and one of a whole day.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "traceload.h"

/* --- A sample trace, the same in each run. */

static const struct sample {
	const char *name;
	uint32_t mode;
	uint32_t reason;
	uint64_t size;
	uint64_t pages;
	uint64_t reads;		/* per interval, as all that follow */
	uint64_t read_bytes;
	uint64_t writes;
	uint64_t write_bytes;
	uint64_t faults;
	uint64_t fsyncs;
} samples[] = {
	{ "base/16384/2619", DAXSTACK_CACHED, 0, 64 * MIB, 16384,
	  50000, 50000 * 8192, 0, 0, 0, 0 },
	{ "base/16384/hot table", DAXSTACK_DAX, 0, 8 * MIB, 2048,
	  120000, 120000 * 8192, 100, 100 * 8192, 0, 0 },
	{ "pg_wal/000000010000000000000001", DAXSTACK_CACHED, DAXSTACK_REASON_PINNED,
	  16 * MIB, 4096, 0, 0, 3000, 3000 * 8192, 0, 3000 },
	{ "maps/a long directory name/and another one of them/data.mdb", DAXSTACK_DAX,
	  DAXSTACK_REASON_MAP_SYNC, 512 * MIB, 512, 0, 0, 0, 0, 2500, 0 },
	{ "idle", DAXSTACK_CACHED, 0, 3 * MIB, 768, 0, 0, 0, 0, 0, 0 },
	{ "line\nend \x1b[31mred \xc3\xbc \xff \xe2\x80\xae", DAXSTACK_DAX, 0, 4096, 1,
	  10, 4096, 0, 0, 0, 0 },
	{ NULL, DAXSTACK_CACHED, DAXSTACK_REASON_LOWER_SHARED, 1024, 1,
	  0, 0, 5, 5, 0, 0 },
};

static int sample_name(void *arg, uint64_t ino, uint32_t generation, char *path,
		       size_t size)
{
	const char *name = samples[ino - 100].name;

	(void)arg;
	(void)generation;
	if (!name)
		return ENOENT;
	snprintf(path, size, "%s", name);
	return 0;
}

static void sample_step(struct daxstack_heat_file *file, const struct sample *sample,
			unsigned int times)
{
	struct daxstack_heat_counts *counts = &file->by_mode[file->mode];
	uint64_t all = sample->size / PAGE;

	counts->reads += times * sample->reads;
	counts->read_bytes += times * sample->read_bytes;
	counts->writes += times * sample->writes;
	counts->write_bytes += times * sample->write_bytes;
	counts->read_faults += times * sample->faults;
	counts->fsyncs += times * sample->fsyncs;
	counts->dirtied += times * sample->write_bytes / PAGE;
	memset(file->sketch, 0, sizeof(file->sketch));
	/* All of it is used in each interval. */
	for (file->sketch_shift = 0; all >> file->sketch_shift > 256;)
		file->sketch_shift++;
	if (sample->reads + sample->writes + sample->faults)
		memset(file->sketch, 0xf7, all > 3 ? sizeof(file->sketch) : 1);
}

void sample(const char *path)
{
	struct heattrace_info told = {
		.mount = "/mnt/db",
		.lower = "ext4",
		.kernel = "6.12.1-test",
		.interval_ns = 10 * SECOND,
		.realtime_ns = 1700000000 * SECOND,
		.page_size = PAGE,
		.windows = true,
	};
	struct daxstack_heat_file files[ARRAY_SIZE(samples)] = { 0 };
	struct heattrace_writer *w;
	char why[256];
	unsigned int n, i;

	w = heattrace_create(path, true, &told, why, sizeof(why));
	if (!w)
		errx(1, "%s: %s", path, why);
	for (n = 0; n < 6; n++) {
		for (i = 0; i < ARRAY_SIZE(samples); i++) {
			files[i].ino = 100 + i;
			files[i].mode = samples[i].mode;
			files[i].reason = samples[i].reason;
			files[i].size = samples[i].size;
			files[i].pages = samples[i].pages;
			files[i].flags = samples[i].faults ? DAXSTACK_STATE_MAPPED : 0;
			/* In the third interval the hot table is not used. */
			sample_step(&files[i], &samples[i], n == 3 && i == 1 ? 0 : 1);
		}
		if (heattrace_put(w, (1 + 10 * n) * SECOND, files, ARRAY_SIZE(files),
				  sample_name, NULL))
			errx(1, "heattrace_put");
	}
	if (heattrace_end(w))
		errx(1, "heattrace_end");
}

/* --- A day of a busy database. */

enum {
	DAY_FILES = 5000,
	DAY_ACTIVE = 500,
	DAY_READINGS = 24 * 3600 / 10,
};

static int day_name(void *arg, uint64_t ino, uint32_t generation, char *path,
		    size_t size)
{
	(void)arg;
	(void)generation;
	snprintf(path, size, "pgdata/base/16384/%llu", (unsigned long long)ino * 7919);
	return 0;
}

/*
 * A fifth of the files in use are hot, with thousands of calls on as many
 * pages; most have some dozens; all of it varies between intervals.
 */
static void day_touch(struct daxstack_heat_file *file)
{
	struct daxstack_heat_counts *counts = &file->by_mode[file->mode];
	bool hot = below(5) == 0;
	uint64_t calls = hot ? 2000 + below(20000) : 10 + below(190);

	counts->reads += calls;
	counts->read_bytes += calls * 8192;
	/* The checkpointer, and processes that extend a file. */
	if (below(3) == 0) {
		counts->writes += calls / 4 + below(10);
		counts->write_bytes += (calls / 4 + below(10)) * 8192;
		counts->dirtied += calls / 2;
		counts->fsyncs += below(2);
		file->size += below(4) * 8192;
	}
	if (below(4) == 0)
		counts->read_faults += below(500);
	if (file->mode == DAXSTACK_CACHED)
		file->pages += below(64);
	file->sketch_shift = hot ? 5 : 0;
	touch_sketch(file, hot ? 100 + below(150) : calls);
}

void day(const char *path)
{
	struct daxstack_heat_file *files = calloc(DAY_FILES, sizeof(*files));
	struct heattrace_writer *w = create(path, true);
	struct heattrace_stats stats;
	uint64_t time_ns = SECOND;
	unsigned int n, i, at;
	double start = dxs_now();

	for (i = 0; i < DAY_FILES; i++) {
		files[i].ino = 131 + i * 3;
		files[i].generation = rnd();
		files[i].mode = below(4) == 0;
		files[i].size = (1 + below(1 << 17)) * 8192;
	}
	for (n = 0; n < DAY_READINGS; n++) {
		time_ns += 10 * SECOND + below(1000000);
		for (i = 0; i < DAY_FILES; i++) {
			memset(files[i].sketch, 0, sizeof(files[i].sketch));
			files[i].sketch_shift = 0;
		}
		/* Most files were in use before; some come and go. */
		for (i = 0; i < DAY_ACTIVE; i++) {
			at = i < 400 ? (i + n / 60) % DAY_FILES : below(DAY_FILES);
			day_touch(&files[at]);
		}
		if (heattrace_put(w, time_ns, files, DAY_FILES, day_name, NULL))
			errx(1, "heattrace_put");
	}
	heattrace_stats(w, &stats);
	if (heattrace_end(w))
		errx(1, "heattrace_end");
	free(files);
	dxs_diag("%llu readings, %llu file records, %.1f MB; written in %.1f s",
		 (unsigned long long)stats.readings, (unsigned long long)stats.records,
		 stats.bytes / 1e6, dxs_now() - start);
	dxs_is(DAY_READINGS, stats.readings, "a day is recorded");
	dxs_ok(stats.records > 480ULL * DAY_READINGS, "... of a busy database");
	dxs_ok(stats.bytes < 100000000, "... in less than 100 MB");
	start = dxs_now();
	dxs_is(DAY_READINGS, attempt(path).readings, "... and read");
	dxs_diag("read in %.1f s", dxs_now() - start);
}
