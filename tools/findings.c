// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack calibrate: derive from the samples a profile, whether the modes differ, and
 * reasons to doubt that.
 */
#include <ctype.h>
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "calibrate.h"
#include "daxstack.h"
#include "tool.h"

/* Both modes together. */
#define POOLED		MODES

/* If a second read takes less than this part of the first, the first has opened its block. */
#define OPENED		0.8

/*
 * If writing less than 256 bytes takes this part of the time of 256 or more, it counts
 * as equal.
 */
#define AS_MUCH		0.75

static const struct {
	const char *name;
	const char *unit;
} figures[FIGURES] = {
	[FIGURE_RANDOM]	     = { "random read", "ns" },
	[FIGURE_NEAR]	     = { "two reads in 256 bytes, each", "ns" },
	[FIGURE_FAR]	     = { "two reads in a page, each", "ns" },
	[FIGURE_READ]	     = { "stream of loads", "MB/s" },
	[FIGURE_WRITE_NT]    = { "stream of non-temporal stores", "MB/s" },
	[FIGURE_WRITE]	     = { "stream of stores, flushed", "MB/s" },
	[FIGURE_SCATTER_64]  = { "scattered write of 64 bytes", "ns" },
	[FIGURE_SCATTER_256] = { "scattered write of 256 bytes", "ns" },
	[FIGURE_OVERWRITE]   = { "fsync of an overwritten page", "us" },
	[FIGURE_APPEND]	     = { "fsync of an appended page", "us" },
};

/**
 * figure_is_memory - whether a figure depends on the memory alone
 * @figure: the figure
 *
 * fsync(2) executes different code in the two modes, whatever the memory is.
 */
bool figure_is_memory(enum figure_id figure)
{
	return figure <= FIGURE_SCATTER_256;
}

/**
 * figure_name - description of a figure
 * @figure: the figure
 */
const char *figure_name(enum figure_id figure)
{
	return figures[figure].name;
}

/**
 * figure_unit - unit of a figure
 * @figure: the figure
 */
const char *figure_unit(enum figure_id figure)
{
	return figures[figure].unit;
}

/* --- The verdict. */

static bool is_rate(enum figure_id figure)
{
	return !strcmp(figure_unit(figure), "MB/s");
}

static uint64_t round_up(double value)
{
	uint64_t whole = value;

	return whole + (whole < value);
}

static unsigned int per_cent(const struct comparison *c)
{
	double most = c->high > 1 / c->low ? c->high : 1 / c->low;

	if (!c->low || most > 100)
		return 9900;
	return round_up((most - 1) * 100);
}

static void compare(struct findings *f, const struct calibration *c)
{
	unsigned int figure, resolution;
	bool unclear = false;

	f->verdict = VERDICT_SAME;
	f->resolution = (SAMPLES_SAME - 1) * 100 + 0.5;
	for (figure = 0; figure < FIGURES; figure++) {
		const struct series *series = c->series[figure];
		struct comparison *compared = &f->compared[figure];

		*compared = series_compare(&series[DAXSTACK_CACHED],
					   &series[DAXSTACK_DAX],
					   is_rate(figure));
		if (!figure_is_memory(figure))
			continue;
		resolution = per_cent(compared);
		if (resolution > f->resolution)
			f->resolution = resolution;
		if (compared->verdict == VERDICT_DIFFERENT)
			f->verdict = VERDICT_DIFFERENT;
		else if (compared->verdict == VERDICT_UNCLEAR)
			unclear = true;
	}
	if (f->verdict == VERDICT_SAME && unclear)
		f->verdict = VERDICT_UNCLEAR;
}

/* List the figures with this verdict. */
static void list(const struct findings *f, enum outcome verdict, FILE *out)
{
	const char *comma = "";
	unsigned int figure;

	for (figure = 0; figure < FIGURES; figure++) {
		if (!figure_is_memory(figure) ||
		    f->compared[figure].verdict != verdict)
			continue;
		if (verdict == VERDICT_UNCLEAR)
			fprintf(out, "%s%s", comma, figure_name(figure));
		else if (is_rate(figure))
			fprintf(out, "%s%s has %.2f times the rate", comma,
				figure_name(figure), f->compared[figure].ratio);
		else
			fprintf(out, "%s%s takes %.2f times as long", comma,
				figure_name(figure), f->compared[figure].ratio);
		comma = ", ";
	}
}

static void say(struct findings *f, const struct calibration *c)
{
	FILE *out = fmemopen(f->sentence, sizeof(f->sentence), "w");

	if (!out)
		err(TOOL_FAILED, "findings");
	switch (f->verdict) {
	case VERDICT_SAME:
		fprintf(out,
			"no difference between the two modes was measured: this "
			"persistent memory is DRAM (a difference of less than %u %% "
			"would not have been seen)",
			f->resolution);
		break;
	case VERDICT_DIFFERENT:
		fputs("in dax mode, compared with cached mode, ", out);
		list(f, VERDICT_DIFFERENT, out);
		break;
	default:
		fprintf(out,
			"unclear whether the two modes differ, after %zu "
			"rounds: ",
			c->rounds);
		list(f, VERDICT_UNCLEAR, out);
		break;
	}
	fclose(out);
	f->sentence[sizeof(f->sentence) - 1] = 0;
}

/* --- The profile. */

static double median(const struct calibration *c, enum figure_id figure,
		     unsigned int mode)
{
	const struct series *series = c->series[figure];

	if (mode == POOLED)
		return series_pooled(&series[0], &series[1]).median;
	return series_quartiles(&series[mode]).median;
}

/* Unit of numbers in profiles: thousandths, at least 1. */
static uint64_t thousandths(double value)
{
	return value > 0.001 ? (uint64_t)(value * 1000 + 0.5) : 1;
}

/* Time of the second of two reads, from the first and the mean of both. */
static double second(double first, double mean)
{
	return 2 * mean > first ? 2 * mean - first : 0;
}

static void fill_memory(struct dxs_memory *memory, const struct calibration *c,
			unsigned int mode)
{
	double random = median(c, FIGURE_RANDOM, mode);
	double near = second(random, median(c, FIGURE_NEAR, mode));
	double far = second(random, median(c, FIGURE_FAR, mode));
	double stream = median(c, FIGURE_READ, mode);
	double next = random, pieces;

	*memory = (struct dxs_memory){
		.line_bytes = 64,
		.access_bytes = 64,
		.read_kb_s = thousandths(stream),
		.write_kb_s = thousandths(median(c, FIGURE_WRITE_NT, mode)),
		.random_read_ps = thousandths(random),
	};
	if (far < OPENED * random) {
		memory->line_bytes = 4096;
		next = far;
	} else if (near < OPENED * random) {
		memory->line_bytes = 256;
		next = near;
	}
	if (memory->line_bytes > 64 &&
	    median(c, FIGURE_SCATTER_64, mode) >
	    AS_MUCH * median(c, FIGURE_SCATTER_256, mode))
		memory->access_bytes = 256;
	/* A chase cannot be faster than a stream. */
	if (next < 64e3 / stream)
		next = 64e3 / stream;
	pieces = memory->line_bytes / 64;
	/* Round up: all pieces together take no less than the first. */
	memory->sequential_read_ps = round_up((memory->random_read_ps +
					       (pieces - 1) * next * 1000) /
					      pieces);
	if (memory->sequential_read_ps > memory->random_read_ps ||
	    memory->line_bytes == 64)
		memory->sequential_read_ps = memory->random_read_ps;
}

/* Reduce to one line of words that profiles accept; no word begins a comment. */
static void tidy(char *text)
{
	char *to = text, *from;

	for (from = text; *from; from++) {
		bool first = to == text || to[-1] == ' ';

		if (isspace((unsigned char)*from)) {
			if (!first)
				*to++ = ' ';
		} else if (!iscntrl((unsigned char)*from) &&
			   !(first && strchr(";#", *from))) {
			*to++ = *from;
		}
	}
	while (to > text && to[-1] == ' ')
		to--;
	*to = 0;
}

static void fill_source(struct dxs_profile *p, const struct calibration *c)
{
	const struct machine *m = &c->machine;
	time_t now = time(NULL);
	struct utsname name;
	struct tm today;
	char date[16];

	uname(&name);
	localtime_r(&now, &today);
	strftime(date, sizeof(date), "%Y-%m-%d", &today);
	snprintf(p->source, sizeof(p->source),
		 "measured by daxstack calibrate " VERSION
		 " on %s (%s, Linux %s), %s on %s, %zu rounds, %s%s%s%s",
		 name.nodename, m->model, name.release, c->lower, c->device,
		 c->rounds, date, *m->hypervisor ? "; virtual machine: " : "",
		 m->hypervisor,
		 m->emulated ? ", the figures are the emulator's" : "");
	tidy(p->source);
}

static void fill_description(struct findings *f)
{
	char *text = f->profile.description;
	size_t size = sizeof(f->profile.description);

	if (f->verdict == VERDICT_SAME)
		snprintf(text, size, "measured: no difference between dax and cached mode");
	else if (f->verdict == VERDICT_DIFFERENT)
		snprintf(text, size,
			 "measured: a random read takes %.2f times as long in dax mode "
			 "as in cached mode",
			 f->compared[FIGURE_RANDOM].ratio);
	else
		snprintf(text, size,
			 "measured, but too unsteady to tell dax and cached mode apart");
}

static void fill_profile(struct findings *f, const struct calibration *c,
			 const char *name)
{
	struct dxs_profile *p = &f->profile;
	bool same = f->verdict == VERDICT_SAME;

	snprintf(p->name, sizeof(p->name), "%s", name);
	fill_source(p, c);
	fill_description(f);
	p->instruction_ps =
		thousandths(series_quartiles(&c->instruction).median);
	/* A difference within the noise must not enter the model: use the pooled samples. */
	fill_memory(&p->dram, c, same ? POOLED : DAXSTACK_CACHED);
	fill_memory(&p->pmem, c, same ? POOLED : DAXSTACK_DAX);
	p->has_fsync = true;
	p->fsync_dax_ns =
		thousandths(median(c, FIGURE_OVERWRITE, DAXSTACK_DAX));
	p->fsync_cached_ns =
		thousandths(median(c, FIGURE_OVERWRITE, DAXSTACK_CACHED));
}

/* --- Warnings. */

static void doubt(struct findings *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void doubt(struct findings *f, const char *format, ...)
{
	va_list args;

	if (f->nr_warnings + 1 ==
	    sizeof(f->warnings) / sizeof(f->warnings[0]))
		return;
	va_start(args, format);
	if (vasprintf(&f->warnings[f->nr_warnings], format, args) < 0)
		err(TOOL_FAILED, "findings");
	va_end(args);
	f->nr_warnings++;
}

static void doubt_machine(struct findings *f, const struct machine *m)
{
	if (m->emulated)
		doubt(f,
		      "this machine is emulated (%s): the figures describe the emulator, "
		      "not memory",
		      m->hypervisor);
	else if (*m->hypervisor)
		doubt(f, "this is a virtual machine (%s): only its host knows the kind of memory",
		      m->hypervisor);
	if (m->load > m->cpus / 4.0 && m->load >= 0.5)
		doubt(f, "the machine was busy at the start: load %.2f on %ld processors",
		      m->load, m->cpus);
	if (m->cpu < 0)
		doubt(f, "not pinned to a processor: the thread may have migrated");
	if (*m->governor && strcmp(m->governor, "performance"))
		doubt(f, "the frequency of processor %d may change (governor %s)",
		      m->cpu, m->governor);
	if (m->memory_node >= 0 && m->cpu_node >= 0 &&
	    m->memory_node != m->cpu_node)
		doubt(f, "processor %d is on NUMA node %d, the persistent memory on node %d",
		      m->cpu, m->cpu_node, m->memory_node);
}

/* Name the figures whose quartiles are far from the median. */
static void doubt_spread(struct findings *f, const struct calibration *c)
{
	char *names = NULL;
	unsigned int figure, mode;
	size_t size;
	FILE *out = open_memstream(&names, &size);

	if (!out)
		err(TOOL_FAILED, "findings");
	for (figure = 0; figure < FIGURES; figure++) {
		for (mode = 0; mode < MODES; mode++) {
			struct quartiles q =
				series_quartiles(&c->series[figure][mode]);

			if (q.high - q.low <= q.median / 4)
				continue;
			fprintf(out, "%s%s", ftell(out) ? ", " : "",
				figure_name(figure));
			break;
		}
	}
	fclose(out);
	if (*names)
		doubt(f, "the samples scatter, see the quartiles: %s", names);
	free(names);
}

static void doubt_samples(struct findings *f, const struct calibration *c)
{
	const struct machine *m = &c->machine;

	if (c->rounds < 4 * SAMPLES_MIN)
		doubt(f, "only %zu rounds: give more time with --seconds",
		      c->rounds);
	if (c->preempted > 10 * c->seconds)
		doubt(f, "other programs preempted the measurement on processor %d %lu times",
		      m->cpu, c->preempted);
	if (c->discarded > c->rounds)
		doubt(f,
		      "%zu samples were discarded because pages of the files were "
		      "reclaimed; is memory short?",
		      c->discarded);
	if (!flush_works() && c->size / 2 < 8 * m->llc)
		doubt(f, "a file of %zu MiB is small compared with the caches of %zu MiB",
		      c->size >> 20, m->llc >> 20);
	doubt_spread(f, c);
}

/**
 * findings_make - evaluate the samples
 * @findings: filled in, for findings_free()
 * @c: what was measured
 * @name: of the profile
 */
void findings_make(struct findings *findings, const struct calibration *c,
		   const char *name)
{
	*findings = (struct findings){ .nr_warnings = 0 };
	compare(findings, c);
	say(findings, c);
	doubt_machine(findings, &c->machine);
	doubt_samples(findings, c);
	fill_profile(findings, c, name);
}

/**
 * findings_free - free what findings_make() allocated
 * @findings: not usable afterwards
 */
void findings_free(struct findings *findings)
{
	while (findings->nr_warnings)
		free(findings->warnings[--findings->nr_warnings]);
}
