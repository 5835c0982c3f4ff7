// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack status: print a line for each file.
 *
 * The table has the format of libsmartcols. libsmartcols itself takes 30,000
 * instructions per line, more than a switch of a file.
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

/* Digits of a 64-bit number, and the NUL. */
#define NUMBER_MAX	21

/**
 * struct line - a line of the table
 * @file: the escaped name
 * @size: of @file, in bytes
 * @width: of @file, in columns of the terminal
 * @flag: -1: unknown
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
	/* reason_text() reuses its buffer for unknown reasons: copy. */
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
 * struct cell - a cell of the table
 * @text: the text
 * @size: of @text, in bytes
 * @width: of @text, in columns of the terminal
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

/* Fill in the cells. All except names are ASCII. */
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
 * Print a line. The last column is not padded. Composing the line in a buffer is faster
 * than calling stdio for each part.
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

/* Widen the columns to fit @cells. @sizes: as @widths, in bytes. */
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
	/* Each cell is followed by a blank or a newline. */
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

/*
 * Objects are printed one by one, in the format of print_json(). A jansson array would
 * take memory for each, and most of the time.
 */

static void print_string(const char *text)
{
	const char *s;
	json_t *string;

	/* Most strings need no escapes. */
	for (s = text; *s >= ' ' && *s <= '~' && *s != '"' && *s != '\\'; s++)
		;
	if (!*s) {
		putchar_unlocked('"');
		fwrite_unlocked(text, 1, s - text, stdout);
		putchar_unlocked('"');
		return;
	}
	string = json_new(json_string(text));
	/* rows_print() reports errors of stdout. */
	json_dumpf(string, stdout, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	json_decref(string);
}

static void print_key(const char *key)
{
	fputs_unlocked(",\n         \"", stdout);
	fputs_unlocked(key, stdout);
	fputs_unlocked("\": ", stdout);
}

static void print_text(const char *key, const char *text)
{
	print_key(key);
	if (text)
		print_string(text);
	else
		fputs_unlocked("null", stdout);
}

static void print_number(const char *key, bool known, uint64_t value)
{
	char buf[NUMBER_MAX];

	print_key(key);
	fputs_unlocked(known ? number(value, buf) : "null", stdout);
}

static void print_object(struct rows *rows, const struct row *row)
{
	bool exact;
	char *utf8 = name_utf8(row->file, &exact);
	char *hex = exact ? NULL : name_hex(row->file);

	fputs_unlocked(rows->count++ ? ",\n" : "\n", stdout);
	fputs_unlocked("      {\n         \"file\": ", stdout);
	print_string(utf8);
	print_text("file_hex", hex);
	print_text("mode", row->mode);
	print_key("flag");
	fputs_unlocked(!row->flag ? "null" : *row->flag ? "true" : "false",
		       stdout);
	print_text("mapped", row->withheld ? NULL : row->mapped);
	print_number("pages", row->counted && !row->withheld, row->pages);
	print_number("switches", row->counted, row->switches);
	print_number("refusals", row->counted, row->refusals);
	print_text("reason", row->reason);
	fputs_unlocked("\n      }", stdout);
	free(utf8);
	free(hex);
}

/**
 * rows_begin - start the output
 * @rows: filled in
 * @json: print JSON
 * @noheadings: print a table without headings
 */
void rows_begin(struct rows *rows, bool json, bool noheadings)
{
	*rows = (struct rows){ .json = json, .noheadings = noheadings };
	if (json)
		fputs("{\n   \"files\": [", stdout);
}

/**
 * rows_add - add a line
 * @rows: of rows_begin()
 * @row: the content
 */
void rows_add(struct rows *rows, const struct row *row)
{
	if (rows->json)
		print_object(rows, row);
	else
		add_line(rows, row);
}

/**
 * rows_print - print everything, and free it
 * @rows: not usable afterwards
 *
 * Return: true on failure.
 */
bool rows_print(struct rows *rows)
{
	if (rows->json) {
		fputs(rows->count ? "\n   ]\n}\n" : "]\n}\n", stdout);
		return ferror(stdout);
	}
	print_table(rows);
	while (rows->count) {
		rows->count--;
		free(rows->lines[rows->count].file);
		free((void *)rows->lines[rows->count].row.reason);
	}
	free(rows->lines);
	return ferror(stdout);
}
