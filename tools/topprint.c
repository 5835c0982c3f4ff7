// SPDX-License-Identifier: GPL-2.0-only
/* daxstack top: output as text without a terminal, and as JSON. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "tool.h"
#include "top.h"

/* --- Text. */

/* Widths without a limit of space. */
static int width_of(const struct top_column *column)
{
	return !strcmp(column->name, "why") ? 14 : column->width;
}

static void print_headings(const struct top *top)
{
	const struct top_column *column;
	size_t i;

	for (i = 0; i < top_nr_columns - 1; i++) {
		column = &top_columns[i];
		printf(column->kind == TOP_TEXT ? "%-*s " : "%*s ", width_of(column),
		       column->heading);
	}
	puts(top->nr_mounts > 1 ? "FILE" : top_columns[i].heading);
}

static void print_name(const struct top *top, struct top_row *row)
{
	const char *name = top_name(row);
	char *cell;
	size_t width;

	if (!name) {
		printf("(inode %llu)\n", (unsigned long long)row->heat.ino);
		return;
	}
	if (top->nr_mounts > 1)
		printf("%s/", name_shown(row->mount->path));
	cell = name_cell(name, &width);
	puts(cell);
	free(cell);
}

static void print_text(struct top *top)
{
	char text[TOP_SUMMARY_MAX];
	size_t i, j;

	for (i = 0; i < TOP_SUMMARY_LINES; i++) {
		top_put_summary(text, sizeof(text), top, i);
		puts(text);
	}
	putchar('\n');
	print_headings(top);
	for (i = 0; i < top->nr_shown; i++) {
		for (j = 0; j < top_nr_columns - 1; j++) {
			top_put_cell(text, sizeof(text), top, &top_columns[j],
				     top->shown[i], width_of(&top_columns[j]));
			printf("%s ", text);
		}
		print_name(top, top->shown[i]);
	}
}

/* --- JSON. */

static void put_real(json_t *object, const char *key, bool known, double value)
{
	put_json(object, key, known ? json_real(value) : json_null());
}

static void put_rate(json_t *object, const char *key, const struct demand *d,
		     uint64_t count)
{
	put_real(object, key, d->ns, d->ns ? count * 1e9 / d->ns : 0);
}

static void put_file(json_t *files, const struct top *top, struct top_row *row)
{
	const struct daxstack_heat_file *heat = &row->heat;
	const struct demand *d = &row->demand;
	json_t *file = add_json_object(files);
	bool refused = heat->reason != DAXSTACK_REASON_NONE;
	bool cached = heat->mode == DAXSTACK_CACHED;

	put_json_name(file, "file", top_name(row));
	put_json(file, "inode", json_integer(heat->ino));
	put_json(file, "generation", json_integer(heat->generation));
	put_json(file, "uid", json_integer(heat->uid));
	put_json(file, "mode", json_text(mode_name(heat->mode)));
	put_json(file, "size", json_integer(heat->size));
	put_json(file, "pages", json_integer(heat->pages));
	put_json(file, "bytes_cached", json_integer(cached ? heat->pages *
						    row->mount->page_size : 0));
	put_json(file, "mapped", json_boolean(heat->flags & DAXSTACK_STATE_MAPPED));
	put_json(file, "switches", json_integer(heat->switches));
	put_json(file, "refaults", json_integer(heat->refaults));
	put_rate(file, "reads_per_s", d, d->reads);
	put_rate(file, "read_bytes_per_s", d, d->read_bytes);
	put_rate(file, "writes_per_s", d, d->writes);
	put_rate(file, "write_bytes_per_s", d, d->write_bytes);
	put_rate(file, "read_faults_per_s", d, d->read_faults);
	put_rate(file, "write_faults_per_s", d, d->write_faults);
	put_rate(file, "fsyncs_per_s", d, d->fsyncs);
	put_rate(file, "dirtied_per_s", d, d->dirtied);
	put_rate(file, "touches_per_s", d, d->touches);
	put_json(file, "footprint", json_number(d->ns, d->footprint));
	put_real(file, "load_ms_per_s", top->modelled && d->ns, row->load * 1e3);
	put_real(file, "gain_ms_per_s", top->modelled && d->ns, row->gain * 1e3);
	put_real(file, "gain_percent", top->modelled && row->load > 0,
		 row->load > 0 ? row->gain / row->load * 100 : 0);
	put_json(file, "reason_name", json_text(refused ? reason_name(heat->reason) : NULL));
	put_json(file, "reason", json_text(refused ? reason_text(heat->reason) : NULL));
	put_json(file, "remedy", json_text(refused ? reason_remedy(heat->reason) : NULL));
}

static json_t *json_time(const struct top_mount *mount)
{
	uint64_t ns = mount->realtime_ns + mount->time_ns;
	time_t seconds = ns / 1000000000;
	char text[64];
	struct tm tm;
	size_t n;

	if (!gmtime_r(&seconds, &tm))
		return json_null();
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03uZ",
		 (unsigned int)(ns / 1000000 % 1000));
	return json_text(text);
}

static void put_mount(json_t *mounts, const struct top *top, const struct top_mount *mount)
{
	json_t *object = add_json_object(mounts);
	json_t *files = json_new(json_array());
	size_t by_mode[2] = { 0 }, i;
	uint64_t dram = 0;

	for (i = 0; i < mount->nr; i++) {
		by_mode[mount->rows[i].heat.mode]++;
		if (mount->rows[i].heat.mode == DAXSTACK_CACHED)
			dram += mount->rows[i].heat.pages * mount->page_size;
	}
	put_json_name(object, "mount", mount->path);
	put_json(object, "lower", json_text(*mount->lower ? mount->lower : NULL));
	put_json(object, "device", json_text(*mount->device ? mount->device : NULL));
	put_json_name(object, "trace", mount->trace);
	put_json(object, "time", json_time(mount));
	put_real(object, "interval_s", mount->interval_ns, mount->interval_ns / 1e9);
	put_json(object, "profile", json_text(top->modelled ? top->profile.name : NULL));
	put_json(object, "windows", json_boolean(mount->windows));
	put_json(object, "files_total", json_integer(mount->nr));
	put_json(object, "files_dax", json_integer(by_mode[DAXSTACK_DAX]));
	put_json(object, "files_cached", json_integer(by_mode[DAXSTACK_CACHED]));
	put_json(object, "bytes_cached", json_integer(dram));
	for (i = 0; i < top->nr_shown; i++)
		if (top->shown[i]->mount == mount)
			put_file(files, top, top->shown[i]);
	put_json(object, "files", files);
}

static bool print_mounts(const struct top *top)
{
	json_t *mounts = json_new(json_array());
	bool failed;
	size_t i;

	for (i = 0; i < top->nr_mounts; i++)
		put_mount(mounts, top, &top->mounts[i]);
	failed = print_json("mounts", mounts);
	json_decref(mounts);
	return failed;
}

/* --- The loop. */

static void wait_for(double seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)seconds;
	until.tv_nsec += (seconds - (time_t)seconds) * 1e9;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (!signals_ended() &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/**
 * top_print - print readings until the end, or as many as requested
 * @top: the state
 * @json: print JSON
 *
 * Return: enum tool_status.
 */
int top_print(struct top *top, bool json)
{
	bool live = !top->mounts->reader;
	unsigned long n;

	/* The first reading is only a base for the next one. */
	if (!top_read(top))
		return TOOL_OK;
	for (n = 0; !top->iterations || n < top->iterations; n++) {
		if (live)
			wait_for(top->delay);
		if (signals_ended() || !top_read(top) || signals_ended())
			break;
		if (n && !json)
			putchar('\n');
		if (json)
			print_mounts(top);
		else
			print_text(top);
		if (fflush(stdout))
			return TOOL_WRITE;
	}
	return TOOL_OK;
}
