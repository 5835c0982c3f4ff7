// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack status: a line for each file.
 *
 * The table looks as libsmartcols prints it, which takes 30,000 instructions for
 * each line: more than it takes to switch a file.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "status.h"
#include "tool.h"

enum { FILE_, MODE, FLAG, MAPPED, PAGES, SWITCHES, REFUSALS, REASON, COLUMNS };

static const struct {
	const char *name;
	bool right;
} headings[COLUMNS] = {
	[FILE_]	   = { "FILE", false },
	[MODE]	   = { "MODE", false },
	[FLAG]	   = { "FLAG", false },
	[MAPPED]   = { "MAPPED", false },
	[PAGES]	   = { "PAGES", true },
	[SWITCHES] = { "SWITCHES", true },
	[REFUSALS] = { "REFUSALS", true },
	[REASON]   = { "REASON", false },
};

/* A number of 64 bits, and the end. */
#define NUMBER_MAX	21

/**
 * struct line - a line for people
 * @file: the name as it is shown
 * @width: of that, in columns of the terminal
 * @flag: -1: not known
 * @row: the rest
 */
struct line {
	char *file;
	size_t width;
	int flag;
	struct row row;
};

static void add_line(struct rows *rows, const struct row *row)
{
	struct line *line;

	if (rows->count == rows->allocated) {
		rows->allocated = 2 * rows->allocated + 16;
		rows->lines = reallocarray(rows->lines, rows->allocated,
					   sizeof(*line));
		if (!rows->lines)
			err(TOOL_FAILED, "table");
	}
	line = &rows->lines[rows->count++];
	*line = (struct line){
		.flag = row->flag ? *row->flag : -1,
		.row = *row,
	};
	line->file = name_cell(row->file, &line->width);
	/* Of a newer module it is put together anew for each. */
	line->row.reason = row->reason ? strdup(row->reason) : NULL;
	if (row->reason && !line->row.reason)
		err(TOOL_FAILED, "table");
}

static const char *number(const struct row *row, uint64_t value, char *buf)
{
	char *digit = buf + NUMBER_MAX - 1;

	if (!row->counted)
		return "";
	*digit = 0;
	do {
		*--digit = '0' + value % 10;
		value /= 10;
	} while (value);
	return digit;
}

/* What is in a cell. All but names is ASCII. */
static const char *cell(const struct line *line, int column, char *buf)
{
	const struct row *row = &line->row;

	switch (column) {
	case FILE_:
		return line->file;
	case MODE:
		return row->mode ?: "";
	case FLAG:
		return line->flag < 0 ? "" : line->flag ? "yes" : "no";
	case MAPPED:
		return row->withheld ? "-" : row->mapped ?: "";
	case PAGES:
		return row->withheld ? "-" : number(row, row->pages, buf);
	case SWITCHES:
		return number(row, row->switches, buf);
	case REFUSALS:
		return number(row, row->refusals, buf);
	default:
		return row->reason ?: "";
	}
}

static const char blanks[] = "                    ";

static void pad(size_t width)
{
	size_t part;

	for (; width; width -= part) {
		part = width < sizeof(blanks) - 1 ? width : sizeof(blanks) - 1;
		fwrite_unlocked(blanks, 1, part, stdout);
	}
}

/*
 * @size: bytes, @width: columns. The last column is as wide as what is in it.
 */
static void print_cell(const char *text, size_t size, size_t width, int column,
		       const size_t *widths)
{
	size_t rest = widths[column] > width ? widths[column] - width : 0;

	if (headings[column].right)
		pad(rest);
	fwrite_unlocked(text, 1, size, stdout);
	if (!headings[column].right && column != COLUMNS - 1)
		pad(rest);
	putchar_unlocked(column == COLUMNS - 1 ? '\n' : ' ');
}

static void print_line(const struct line *line, const size_t *widths)
{
	char buf[NUMBER_MAX];
	const char *text;
	size_t size;
	int i;

	for (i = 0; i < COLUMNS; i++) {
		text = cell(line, i, buf);
		size = strlen(text);
		print_cell(text, size, i == FILE_ ? line->width : size, i,
			   widths);
	}
}

static void widen(const struct line *line, size_t *widths)
{
	char buf[NUMBER_MAX];
	size_t width;
	int i;

	for (i = 0; i < COLUMNS - 1; i++) {
		width = i == FILE_ ? line->width : strlen(cell(line, i, buf));
		if (widths[i] < width)
			widths[i] = width;
	}
}

static void print_table(const struct rows *rows)
{
	size_t widths[COLUMNS] = { 0 };
	size_t i;

	if (!rows->count)
		return;
	for (i = 0; i < rows->count; i++)
		widen(&rows->lines[i], widths);
	for (i = 0; i < COLUMNS && !rows->noheadings; i++)
		if (widths[i] < strlen(headings[i].name))
			widths[i] = strlen(headings[i].name);
	for (i = 0; i < COLUMNS && !rows->noheadings; i++)
		print_cell(headings[i].name, strlen(headings[i].name),
			   strlen(headings[i].name), i, widths);
	for (i = 0; i < rows->count; i++)
		print_line(&rows->lines[i], widths);
}

/* --- As JSON. */

static void add_object(json_t *files, const struct row *row)
{
	json_t *object = add_json_object(files);

	put_json_name(object, "file", row->file);
	put_json(object, "mode", json_text(row->mode));
	put_json(object, "flag",
		 row->flag ? json_boolean(*row->flag) : json_null());
	put_json(object, "mapped",
		 json_text(row->withheld ? NULL : row->mapped));
	put_json(object, "pages",
		 json_number(row->counted && !row->withheld, row->pages));
	put_json(object, "switches", json_number(row->counted, row->switches));
	put_json(object, "refusals", json_number(row->counted, row->refusals));
	put_json(object, "reason", json_text(row->reason));
}

/**
 * rows_begin - begin to collect
 * @rows: filled in
 * @json: as JSON
 * @noheadings: for people, without headings
 */
void rows_begin(struct rows *rows, bool json, bool noheadings)
{
	*rows = (struct rows){ .noheadings = noheadings };
	if (json)
		rows->files = json_new(json_array());
}

/**
 * rows_add - add a line
 * @rows: of rows_begin()
 * @row: what is in it
 */
void rows_add(struct rows *rows, const struct row *row)
{
	if (rows->files)
		add_object(rows->files, row);
	else
		add_line(rows, row);
}

/**
 * rows_print - print all, and free it
 * @rows: not used again
 *
 * Return: true if that failed.
 */
bool rows_print(struct rows *rows)
{
	bool failed = false;

	if (rows->files)
		failed = print_json("files", rows->files);
	else
		print_table(rows);
	json_decref(rows->files);
	while (rows->count) {
		rows->count--;
		free(rows->lines[rows->count].file);
		free((void *)rows->lines[rows->count].row.reason);
	}
	free(rows->lines);
	return failed || ferror(stdout);
}
