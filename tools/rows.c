// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack status: a line for each file.
 */
#include <err.h>
#include <stdio.h>

#include "json.h"
#include "status.h"
#include "tool.h"

enum { FILE_, MODE, FLAG, MAPPED, PAGES, SWITCHES, REFUSALS, REASON };

static const struct heading headings[] = {
	[FILE_]	   = { "FILE", 0 },
	[MODE]	   = { "MODE", 0 },
	[FLAG]	   = { "FLAG", 0 },
	[MAPPED]   = { "MAPPED", 0 },
	[PAGES]	   = { "PAGES", SCOLS_FL_RIGHT },
	[SWITCHES] = { "SWITCHES", SCOLS_FL_RIGHT },
	[REFUSALS] = { "REFUSALS", SCOLS_FL_RIGHT },
	[REASON]   = { "REASON", 0 },
};

/**
 * table_new - a table for people
 * @headings: its columns
 * @count: how many
 * @noheadings: they are not printed
 */
struct libscols_table *table_new(const struct heading *headings, size_t count,
				 bool noheadings)
{
	struct libscols_table *table = scols_new_table();
	size_t i;

	if (!table)
		err(TOOL_FAILED, "table");
	scols_table_enable_noheadings(table, noheadings);
	for (i = 0; i < count; i++)
		if (!scols_table_new_column(table, headings[i].name, 0,
					    headings[i].flags))
			err(TOOL_FAILED, "table");
	return table;
}

/**
 * table_line - one more line
 * @table: of this table
 */
struct libscols_line *table_line(struct libscols_table *table)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		err(TOOL_FAILED, "table");
	return line;
}

/**
 * put_text - fill in a cell
 * @line: of this line
 * @column: which
 * @text: NULL leaves it empty. Names are escaped where they are printed.
 */
void put_text(struct libscols_line *line, int column, const char *text)
{
	if (text && scols_line_set_data(line, column, text))
		err(TOOL_FAILED, "table");
}

/**
 * put_number - fill in a cell with a number
 * @line: of this line
 * @column: which
 * @number: the number
 */
void put_number(struct libscols_line *line, int column, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	put_text(line, column, text);
}

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static void add_line(struct libscols_table *table, const struct row *row)
{
	struct libscols_line *line = table_line(table);

	put_text(line, FILE_, row->file);
	put_text(line, MODE, row->mode);
	if (row->flag)
		put_text(line, FLAG, yes_no(*row->flag));
	put_text(line, MAPPED, row->withheld ? "-" : row->mapped);
	if (row->withheld)
		put_text(line, PAGES, "-");
	else if (row->counted)
		put_number(line, PAGES, row->pages);
	if (row->counted) {
		put_number(line, SWITCHES, row->switches);
		put_number(line, REFUSALS, row->refusals);
	}
	put_text(line, REASON, row->reason);
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
	*rows = (struct rows){ .table = NULL };
	if (json)
		rows->files = json_new(json_array());
	else
		rows->table = table_new(headings, sizeof(headings) /
					sizeof(headings[0]), noheadings);
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
		add_line(rows->table, row);
}

/**
 * rows_print - print all, and free it
 * @rows: not used again
 *
 * Return: true if that failed.
 */
bool rows_print(struct rows *rows)
{
	bool failed = rows->files ? print_json("files", rows->files) :
				    scols_print_table(rows->table) != 0;

	json_decref(rows->files);
	scols_unref_table(rows->table);
	return failed;
}
