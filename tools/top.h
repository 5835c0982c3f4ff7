/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of 'daxstack top': top.c (command line), topsource.c (get
 * readings), topview.c (derive rows and order), topcolumns.c, topsummary.c (format),
 * topscreen.c, topprint.c (output).
 */
#ifndef TOP_H
#define TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cost.h"
#include "daxstack.h"
#include "profile.h"
#include "reuse.h"

struct heat;
struct heattrace_reader;
struct top_mount;

/**
 * struct top_row - a file
 * @heat: of the last reading
 * @demand: between the last two readings; all 0 if there was no reading before
 * @reuse: its last intervals; NULL if it was not used in any, or sketches are not exact
 * @mount: its mount
 * @name: path relative to the mount point, raw bytes; NULL if it has none or it is
 *   unknown
 * @asked: number of the reading after which @name was last asked for, 0: not yet
 * @load: modelled time in its current mode, seconds per second
 * @gain: part of @load that the other mode would save
 */
struct top_row {
	struct daxstack_heat_file heat;
	struct demand demand;
	struct reuse *reuse;
	const struct top_mount *mount;
	char *name;
	unsigned long asked;
	double load;
	double gain;
};

/**
 * struct top_mount - a mount, or a trace of one
 * @path: mount point
 * @lower: type of the lower filesystem
 * @device: its device; empty: unknown
 * @trace: path of the trace; NULL: the mount itself
 * @heat: session
 * @reader: of the trace
 * @windows: each sketch covers one interval
 * @page_size: bytes
 * @realtime_ns: to add to @time_ns for the time of day
 * @time_ns: time of the last reading
 * @interval_ns: since the reading before
 * @readings: number of readings
 * @ended: there are no more readings
 * @error: errno of the failure, 0 at the end of a trace
 * @rows: files of the last reading, by inode number
 * @nr: number of @rows
 */
struct top_mount {
	char *path;
	char *lower;
	char *device;
	char *trace;
	struct heat *heat;
	struct heattrace_reader *reader;
	bool windows;
	uint32_t page_size;
	uint64_t realtime_ns;
	uint64_t time_ns;
	uint64_t interval_ns;
	unsigned long readings;
	bool ended;
	int error;
	struct top_row *rows;
	size_t nr;
};

/**
 * struct top_totals - sums over all files
 * @files: in the reading
 * @used: with demand
 * @mapped: mapped files
 * @by_mode: files in each mode
 * @dram: bytes of the page cache
 * @reads: per second, as all that follow
 * @load: modelled seconds
 * @gain: saving if all files with a gain were in the other mode
 * @gaining: number of files with a gain
 * @stuck: number of them that cannot be switched now
 */
struct top_totals {
	size_t files;
	size_t used;
	size_t mapped;
	size_t by_mode[2];
	uint64_t dram;
	double reads;
	double writes;
	double faults;
	double fsyncs;
	double read_bytes;
	double write_bytes;
	double load;
	double gain;
	size_t gaining;
	size_t stuck;
};

/* Unit of a column's values. */
enum top_kind { TOP_TEXT, TOP_RATE, TOP_BYTES, TOP_TIME, TOP_SIGNED, TOP_PERCENT };

/**
 * struct top_column - a column, and an order
 * @name: for --sort
 * @heading: above it
 * @key: key that sorts by it
 * @kind: unit of its values
 * @width: columns of the terminal, without the blank after it
 * @rank: if space is short, columns of higher rank are omitted
 * @what: description for --help
 * @value: its value; for TOP_TEXT only used to sort
 */
struct top_column {
	const char *name;
	const char *heading;
	char key;
	enum top_kind kind;
	int width;
	int rank;
	const char *what;
	double (*value)(const struct top_row *row);
};

extern const struct top_column top_columns[];
extern const size_t top_nr_columns;

/**
 * struct top - state of the command
 * @mounts: what is shown
 * @nr_mounts: number of @mounts
 * @profile: for the model
 * @modelled: there is a profile
 * @delay: seconds between readings
 * @iterations: number of readings to show; 0: no limit
 * @hide_idle: hide files that were not used
 * @reverse: reverse the order
 * @sort: column to sort by
 * @shown: files, in order
 * @nr_shown: number of @shown
 * @totals: over all files
 */
struct top {
	struct top_mount *mounts;
	size_t nr_mounts;
	struct dxs_profile profile;
	bool modelled;
	double delay;
	unsigned long iterations;
	bool hide_idle;
	bool reverse;
	const struct top_column *sort;
	struct top_row **shown;
	size_t nr_shown;
	struct top_totals totals;
};

/* topsource.c: get readings */
bool top_add_mount(struct top *top, const char *path, bool passive);
bool top_add_all_mounts(struct top *top, bool passive);
bool top_add_trace(struct top *top, const char *path);
int top_source_read(struct top_mount *mount, const struct daxstack_heat_file **files,
		    size_t *nr, uint64_t *time_ns);
const char *top_name(struct top_row *row);
void top_close(struct top *top);

/* topview.c: derive rows from readings */
bool top_read(struct top *top);
void top_arrange(struct top *top);
void top_forget(struct top_mount *mount);
bool top_is_used(const struct top_row *row);

/* topcolumns.c: format a row */
const struct top_column *top_find_column(const char *name);
const struct top_column *top_column_of_key(char key);
void top_put_value(char *to, size_t size, enum top_kind kind, bool known, double value);
void top_put_cell(char *to, size_t size, const struct top *top,
		  const struct top_column *column, const struct top_row *row, int width);

/* topsummary.c: format the lines above the rows */
enum { TOP_SUMMARY_LINES = 5, TOP_SUMMARY_MAX = 512 };
void top_put_summary(char *to, size_t size, const struct top *top, int line);

/* topscreen.c, topprint.c: output */
int top_screen(struct top *top);
int top_print(struct top *top, bool json);

#endif /* TOP_H */
