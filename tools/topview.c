// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack top: derive the rows from two readings, model what the other mode would
 * gain, and sort.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "heattrace.h"
#include "tool.h"
#include "top.h"

static int by_number(const void *a, const void *b)
{
	const struct daxstack_heat_file *x = &((const struct top_row *)a)->heat;
	const struct daxstack_heat_file *y = &((const struct top_row *)b)->heat;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return (x->generation > y->generation) - (x->generation < y->generation);
}

/**
 * top_is_used - whether a file was used between the last two readings
 * @row: the file
 */
bool top_is_used(const struct top_row *row)
{
	const struct demand *d = &row->demand;

	return d->reads | d->writes | d->read_faults | d->write_faults | d->fsyncs |
		d->touches;
}

/* --- The model. */

/*
 * Bytes that cached mode would have to read: pages not used in the last intervals.
 * Pages used in the first interval count as used before, because nothing is known about
 * earlier ones. If the file is in cached mode, pages added since the last reading were
 * read; if DRAM holds all of it, nothing else is missing.
 */
static uint64_t missing(const struct top_row *row, uint64_t beyond, uint64_t pages)
{
	const struct demand *d = &row->demand;
	uint64_t there = row->heat.pages * row->mount->page_size;
	uint64_t came = row->heat.pages > pages ?
		(row->heat.pages - pages) * row->mount->page_size : 0;

	if (row->mount->readings == 2)
		beyond = 0;
	if (row->heat.mode == DAXSTACK_DAX)
		return demand_to_read(d, beyond);
	came = demand_to_read(d, came > d->grown ? came - d->grown : 0);
	if (there >= d->size / 16 * 15)
		return came;
	return came > beyond ? came : demand_to_read(d, beyond);
}

static uint64_t not_used_lately(struct top_row *row)
{
	struct reuse_split split;

	/* Without windows, sketches are not cleared and cover all earlier use. */
	if (!row->mount->windows)
		return row->demand.fresh;
	if (!row->reuse)
		row->reuse = calloc(1, sizeof(*row->reuse));
	if (!row->reuse)
		err(TOOL_FAILED, "files");
	reuse_step(row->reuse, &row->demand, row->mount->readings, &split);
	return split.beyond;
}

static void model(struct top_row *row, const struct dxs_profile *profile, uint64_t pages)
{
	const struct demand *d = &row->demand;
	uint64_t miss = missing(row, not_used_lately(row), pages);
	double dax = cost_ps(profile, d, DAXSTACK_DAX, 0);
	double cached = cost_ps(profile, d, DAXSTACK_CACHED, miss);
	double ps = 1000.0 * d->ns;

	row->load = (row->heat.mode == DAXSTACK_DAX ? dax : cached) / ps;
	row->gain = row->load - (row->heat.mode == DAXSTACK_DAX ? cached : dax) / ps;
}

/* --- Readings. */

static struct top_row *make_rows(const struct top_mount *mount,
				 const struct daxstack_heat_file *files, size_t nr)
{
	struct top_row *rows = calloc(nr + 1, sizeof(*rows));
	size_t i;

	if (!rows)
		err(TOOL_FAILED, "files");
	for (i = 0; i < nr; i++) {
		rows[i].heat = files[i];
		rows[i].heat.mode &= 1;
		rows[i].mount = mount;
	}
	qsort(rows, nr, sizeof(*rows), by_number);
	return rows;
}

static void step(const struct top *top, struct top_row *row, struct top_row *before)
{
	const struct top_mount *mount = row->mount;

	if (before) {
		row->name = before->name;
		row->asked = before->asked;
		row->reuse = before->reuse;
		before->name = NULL;
		before->reuse = NULL;
	}
	/* The first reading is only a base for the next one. */
	if (mount->readings < 2 || !mount->interval_ns)
		return;
	demand_of(&row->demand, before ? &before->heat : NULL, &row->heat,
		  mount->interval_ns);
	if (top->modelled && top_is_used(row))
		model(row, &top->profile, before ? before->heat.pages : 0);
}

/**
 * top_forget - forget the files of a mount
 * @mount: the mount
 */
void top_forget(struct top_mount *mount)
{
	size_t i;

	for (i = 0; i < mount->nr; i++) {
		free(mount->rows[i].name);
		free(mount->rows[i].reuse);
	}
	free(mount->rows);
	mount->rows = NULL;
	mount->nr = 0;
}

static void replace(const struct top *top, struct top_mount *mount, struct top_row *rows,
		    size_t nr)
{
	struct top_row *before = mount->rows, *end = before + mount->nr;
	size_t i;
	int order;

	for (i = 0; i < nr; i++) {
		for (order = 1; before < end; before++) {
			order = by_number(before, &rows[i]);
			if (order >= 0)
				break;
		}
		step(top, &rows[i], before < end && !order ? before : NULL);
	}
	top_forget(mount);
	mount->rows = rows;
	mount->nr = nr;
}

/* Return: 0 or an errno. */
static int read_mount(const struct top *top, struct top_mount *mount)
{
	const struct daxstack_heat_file *files;
	uint64_t time_ns;
	size_t nr;
	int error = top_source_read(mount, &files, &nr, &time_ns);

	if (error)
		return error;
	mount->interval_ns = mount->readings ? time_ns - mount->time_ns : 0;
	mount->time_ns = time_ns;
	mount->readings++;
	replace(top, mount, make_rows(mount, files, nr), nr);
	return 0;
}

/* At the end of a trace, keep the last reading. */
static void end(struct top_mount *mount, int error)
{
	mount->ended = true;
	if (error == ENODATA)
		return;
	mount->error = error;
	top_forget(mount);
}

/**
 * top_read - read all mounts
 * @top: the state
 *
 * Return: false if there is nothing left to read. Mounts that ended are marked as such.
 */
bool top_read(struct top *top)
{
	struct top_mount *mount;
	bool any = false;
	int error;

	for (mount = top->mounts; mount < top->mounts + top->nr_mounts; mount++) {
		if (mount->ended)
			continue;
		error = read_mount(top, mount);
		if (error == EINTR)
			continue;
		any = any || !error;
		if (error)
			end(mount, error);
	}
	top_arrange(top);
	return any;
}

/* --- Totals and order. */

/* Smaller gains are shown as 0. */
static const double gain_least = 0.000005;

static void add_up(struct top_totals *totals, const struct top_row *row)
{
	const struct demand *d = &row->demand;
	double seconds = d->ns / 1e9;

	totals->files++;
	totals->by_mode[row->heat.mode]++;
	totals->mapped += !!(row->heat.flags & DAXSTACK_STATE_MAPPED);
	if (row->heat.mode == DAXSTACK_CACHED)
		totals->dram += row->heat.pages * row->mount->page_size;
	if (!d->ns || !top_is_used(row))
		return;
	totals->used++;
	totals->reads += d->reads / seconds;
	totals->writes += d->writes / seconds;
	totals->faults += (d->read_faults + d->write_faults) / seconds;
	totals->fsyncs += d->fsyncs / seconds;
	totals->read_bytes += d->read_bytes / seconds;
	totals->write_bytes += d->write_bytes / seconds;
	totals->load += row->load;
	if (row->gain < gain_least)
		return;
	totals->gain += row->gain;
	totals->gaining++;
	totals->stuck += row->heat.reason != DAXSTACK_REASON_NONE;
}

static const struct top *sorted;

static double calls(const struct top_row *row)
{
	const struct demand *d = &row->demand;

	return d->reads + d->writes + d->read_faults + d->write_faults + d->fsyncs +
		d->touches;
}

static int by_column(const void *a, const void *b)
{
	struct top_row *x = *(struct top_row *const *)a;
	struct top_row *y = *(struct top_row *const *)b;
	double v, w;
	int order;

	if (sorted->sort->value) {
		v = sorted->sort->value(x);
		w = sorted->sort->value(y);
		/* Largest first. */
		order = (v < w) - (v > w);
	} else {
		order = strcmp(top_name(x) ?: "", top_name(y) ?: "");
	}
	if (sorted->reverse)
		order = -order;
	v = calls(x);
	w = calls(y);
	if (!order)
		order = (v < w) - (v > w);
	return order ? order : by_number(x, y);
}

/**
 * top_arrange - sort the files of all mounts
 * @top: the state
 */
void top_arrange(struct top *top)
{
	struct top_mount *mount;
	struct top_row *row;
	size_t all = 0;

	memset(&top->totals, 0, sizeof(top->totals));
	for (mount = top->mounts; mount < top->mounts + top->nr_mounts; mount++)
		all += mount->nr;
	free(top->shown);
	top->shown = calloc(all + 1, sizeof(*top->shown));
	if (!top->shown)
		err(TOOL_FAILED, "files");
	top->nr_shown = 0;
	for (mount = top->mounts; mount < top->mounts + top->nr_mounts; mount++) {
		for (row = mount->rows; row < mount->rows + mount->nr; row++) {
			add_up(&top->totals, row);
			if (!top->hide_idle || top_is_used(row))
				top->shown[top->nr_shown++] = row;
		}
	}
	sorted = top;
	qsort(top->shown, top->nr_shown, sizeof(*top->shown), by_column);
}
