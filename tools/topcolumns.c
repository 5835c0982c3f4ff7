// SPDX-License-Identifier: GPL-2.0-only
/* daxstack top: the columns, to sort by and as text. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tool.h"
#include "top.h"

static double per_second(const struct top_row *row, uint64_t count)
{
	return row->demand.ns ? count * 1e9 / row->demand.ns : 0;
}

static double get_mode(const struct top_row *row)
{
	return row->heat.mode;
}

static double get_load(const struct top_row *row)
{
	return row->load * 1e3;
}

static double get_gain(const struct top_row *row)
{
	return row->gain * 1e3;
}

static double get_percent(const struct top_row *row)
{
	return row->load > 0 ? row->gain / row->load * 100 : 0;
}

static double get_reads(const struct top_row *row)
{
	return per_second(row, row->demand.reads);
}

static double get_writes(const struct top_row *row)
{
	return per_second(row, row->demand.writes);
}

static double get_faults(const struct top_row *row)
{
	return per_second(row, row->demand.read_faults + row->demand.write_faults);
}

static double get_fsyncs(const struct top_row *row)
{
	return per_second(row, row->demand.fsyncs);
}

static double get_read_bytes(const struct top_row *row)
{
	return per_second(row, row->demand.read_bytes);
}

static double get_write_bytes(const struct top_row *row)
{
	return per_second(row, row->demand.write_bytes);
}

static double get_cached(const struct top_row *row)
{
	if (row->heat.mode != DAXSTACK_CACHED)
		return 0;
	return (double)row->heat.pages * row->mount->page_size;
}

static double get_size(const struct top_row *row)
{
	return row->heat.size;
}

static double get_why(const struct top_row *row)
{
	return row->heat.reason;
}

/* In order of output. */
const struct top_column top_columns[] = {
	{ "mode", "MODE", 'm', TOP_TEXT, 6, 0, "current mode", get_mode },
	{ "load", "LOAD", 'l', TOP_TIME, 5, 1,
	  "modelled time of its use, ms per second", get_load },
	{ "gain", "GAIN", 'g', TOP_SIGNED, 5, 1,
	  "what the other mode would save of it, ms per second", get_gain },
	{ "percent", "GAIN%", 'p', TOP_PERCENT, 5, 11, "the same in per cent of LOAD",
	  get_percent },
	{ "reads", "RD/s", 'r', TOP_RATE, 5, 3, "calls that read, per second", get_reads },
	{ "writes", "WR/s", 'w', TOP_RATE, 5, 3, "calls that write", get_writes },
	{ "faults", "FLT/s", 'f', TOP_RATE, 5, 6, "faults of mappings", get_faults },
	{ "fsyncs", "FSY/s", 'y', TOP_RATE, 5, 10, "fsync(2) and the like", get_fsyncs },
	{ "read-bytes", "RDB/s", 'b', TOP_BYTES, 5, 4, "bytes read", get_read_bytes },
	{ "write-bytes", "WRB/s", 't', TOP_BYTES, 5, 4, "bytes written",
	  get_write_bytes },
	{ "cached", "DRAM", 'c', TOP_BYTES, 5, 5, "page cache that it uses", get_cached },
	{ "size", "SIZE", 'z', TOP_BYTES, 5, 12, "bytes", get_size },
	{ "why", "WHY", 'Y', TOP_TEXT, 8, 8,
	  "why it cannot be switched now; empty if it can", get_why },
	{ "file", "FILE", 'n', TOP_TEXT, 12, 0, "path below the mount point", NULL },
};

const size_t top_nr_columns = sizeof(top_columns) / sizeof(top_columns[0]);

/**
 * top_find_column - find a column by its name
 * @name: as for --sort, or the heading
 *
 * Return: NULL if there is none.
 */
const struct top_column *top_find_column(const char *name)
{
	size_t i;

	for (i = 0; i < top_nr_columns; i++)
		if (!strcasecmp(top_columns[i].name, name) ||
		    !strcasecmp(top_columns[i].heading, name))
			return &top_columns[i];
	return NULL;
}

/**
 * top_column_of_key - find the column that a key sorts by
 * @key: the key
 *
 * Return: NULL if there is none.
 */
const struct top_column *top_column_of_key(char key)
{
	size_t i;

	for (i = 0; i < top_nr_columns; i++)
		if (top_columns[i].key == key)
			return &top_columns[i];
	return NULL;
}

/* --- Values in five columns of a terminal. */

static void put_scaled(char *to, size_t size, double value, double step,
		       const char *units)
{
	if (value <= 0) {
		snprintf(to, size, "0");
		return;
	}
	while (value >= step - 0.5 && units[1]) {
		value /= step;
		units++;
	}
	if (*units == ' ')
		snprintf(to, size, "%.*f", value < 9.95, value);
	else
		snprintf(to, size, "%.*f%c", value < 9.95 && *units != 'B', value, *units);
}

static void put_time(char *to, size_t size, double value, bool sign)
{
	double size_of = fabs(value);

	if (size_of < 0.005)
		snprintf(to, size, "0");
	else
		snprintf(to, size, sign ? "%+.*f" : "%.*f",
			 size_of < 9.995 ? 2 : size_of < 99.95 ? 1 : 0, value);
}

/**
 * top_put_value - format a value
 * @to: output
 * @size: bytes at @to
 * @kind: unit of the value
 * @known: else "-"
 * @value: the value
 */
void top_put_value(char *to, size_t size, enum top_kind kind, bool known, double value)
{
	if (!known)
		snprintf(to, size, "-");
	else if (kind == TOP_RATE)
		put_scaled(to, size, value, value < 99999.5 ? 100000 : 1000, " kMGT");
	else if (kind == TOP_BYTES)
		put_scaled(to, size, value, 1024, "BKMGTPE");
	else if (kind == TOP_PERCENT)
		snprintf(to, size, fabs(value) < 0.5 ? "0%%" : "%+.0f%%",
			 value < -999 ? -999 : value);
	else
		put_time(to, size, value, kind == TOP_SIGNED);
}

/* The text of the reason if there is room, else its name. */
static const char *why_of(const struct top_row *row, int width)
{
	unsigned int reason = row->heat.reason;

	if (reason == DAXSTACK_REASON_NONE)
		return "";
	return (width >= 40 ? reason_text(reason) : reason_name(reason)) ?: "unknown";
}

static bool is_known(const struct top *top, const struct top_column *column,
		     const struct top_row *row)
{
	if (column->kind == TOP_TIME || column->kind == TOP_SIGNED ||
	    column->kind == TOP_PERCENT)
		return top->modelled;
	return column->value != get_cached || row->heat.mode == DAXSTACK_CACHED;
}

/**
 * top_put_cell - format a cell, except the name of a file
 * @to: output, padded to @width columns
 * @size: bytes at @to
 * @top: the state
 * @column: the column
 * @row: the file
 * @width: columns of the terminal
 */
void top_put_cell(char *to, size_t size, const struct top *top,
		  const struct top_column *column, const struct top_row *row, int width)
{
	char value[32];

	if (column->value == get_mode) {
		snprintf(to, size, "%-*.*s", width, width, mode_name(row->heat.mode));
	} else if (column->value == get_why) {
		snprintf(to, size, "%-*.*s", width, width, why_of(row, width));
	} else {
		top_put_value(value, sizeof(value), column->kind,
			      is_known(top, column, row), column->value(row));
		snprintf(to, size, "%*s", width, value);
	}
}
