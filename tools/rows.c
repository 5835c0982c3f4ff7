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
 * @size: of that, in bytes
 * @width: of that, in columns of the terminal
 * @flag: -1: not known
 * @row: the rest
 */
struct line {
	char *file;
	size_t size;
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
	line->size = strlen(line->file);
	/* Of a newer module it is put together anew for each. */
	line->row.reason = row->reason ? strdup(row->reason) : NULL;
	if (row->reason && !line->row.reason)
		err(TOOL_FAILED, "table");
}

static const char *number(uint64_t value, char *buf)
{
	char *digit = buf + NUMBER_MAX - 1;

	*digit = 0;
	do {
		*--digit = '0' + value % 10;
		value /= 10;
	} while (value);
	return digit;
}

/**
 * struct cell - what is in a column of a line
 * @text: the text
 * @size: of that, in bytes
 * @width: of that, in columns of the terminal
 * @buf: for numbers
 */
struct cell {
	const char *text;
	size_t size;
	size_t width;
	char buf[NUMBER_MAX];
};

static void put_text(struct cell *cell, const char *text)
{
	cell->text = text ?: "";
	cell->size = strlen(cell->text);
	cell->width = cell->size;
}

static void put_number(struct cell *cell, const struct row *row, uint64_t value)
{
	if (!row->counted) {
		put_text(cell, NULL);
		return;
	}
	cell->text = number(value, cell->buf);
	cell->size = cell->buf + NUMBER_MAX - 1 - cell->text;
	cell->width = cell->size;
}

/* What is in the cells. All but names is ASCII. */
static void fill(const struct line *line, struct cell *cells)
{
	const struct row *row = &line->row;

	cells[FILE_].text = line->file;
	cells[FILE_].size = line->size;
	cells[FILE_].width = line->width;
	put_text(&cells[MODE], row->mode);
	put_text(&cells[FLAG],
		 line->flag < 0 ? NULL : line->flag ? "yes" : "no");
	put_text(&cells[MAPPED], row->withheld ? "-" : row->mapped);
	if (row->withheld)
		put_text(&cells[PAGES], "-");
	else
		put_number(&cells[PAGES], row, row->pages);
	put_number(&cells[SWITCHES], row, row->switches);
	put_number(&cells[REFUSALS], row, row->refusals);
	put_text(&cells[REASON], row->reason);
}

/*
 * Prints @cells. The last column is as wide as what is in it. Putting a line
 * together takes less than calling stdio for each of its parts.
 */
static void print_cells(const struct cell *cells, const size_t *widths,
			char *buf)
{
	char *to = buf;
	size_t rest;
	int i;

	for (i = 0; i < COLUMNS - 1; i++) {
		rest = widths[i] > cells[i].width ? widths[i] - cells[i].width :
						    0;
		if (headings[i].right) {
			memset(to, ' ', rest);
			to += rest;
		}
		to = mempcpy(to, cells[i].text, cells[i].size);
		if (!headings[i].right) {
			memset(to, ' ', rest);
			to += rest;
		}
		*to++ = ' ';
	}
	to = mempcpy(to, cells[i].text, cells[i].size);
	*to++ = '\n';
	fwrite_unlocked(buf, 1, to - buf, stdout);
}

/* @sizes: as @widths, in bytes. */
static void widen(const struct cell *cells, size_t *widths, size_t *sizes)
{
	int i;

	for (i = 0; i < COLUMNS; i++) {
		if (widths[i] < cells[i].width)
			widths[i] = cells[i].width;
		if (sizes[i] < cells[i].size)
			sizes[i] = cells[i].size;
	}
}

static void print_table(const struct rows *rows)
{
	size_t widths[COLUMNS] = { 0 };
	size_t sizes[COLUMNS] = { 0 };
	struct cell titles[COLUMNS];
	struct cell cells[COLUMNS];
	size_t longest = 0;
	char *buf;
	size_t i;

	if (!rows->count)
		return;
	for (i = 0; i < COLUMNS; i++)
		put_text(&titles[i], headings[i].name);
	if (!rows->noheadings)
		widen(titles, widths, sizes);
	for (i = 0; i < rows->count; i++) {
		fill(&rows->lines[i], cells);
		widen(cells, widths, sizes);
	}
	/* With the blank or the line end after each. */
	for (i = 0; i < COLUMNS; i++)
		longest += sizes[i] + widths[i] + 1;
	buf = malloc(longest);
	if (!buf)
		err(TOOL_FAILED, "table");
	if (!rows->noheadings)
		print_cells(titles, widths, buf);
	for (i = 0; i < rows->count; i++) {
		fill(&rows->lines[i], cells);
		print_cells(cells, widths, buf);
	}
	free(buf);
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
