// SPDX-License-Identifier: GPL-2.0-only
/* daxstack status --by-directory: print a line per directory, with sums over its files. */
#include <err.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "status.h"
#include "tool.h"

#define NONE	((size_t)-1)

/**
 * struct sum - a directory, and the files directly in it
 * @path: its name
 * @len: length of @path without trailing slashes
 * @parent: index of its parent directory, or NONE
 * @flag: FS_XFLAG_DAX is set
 * @dax: files in dax mode
 * @cached: files in cached mode
 * @mapped: mapped files, as far as the caller may know
 * @pages: in the page cache, as far as the caller may know
 * @switches: since the inodes were loaded
 * @refusals: likewise
 * @blocked: files whose switch would be refused
 */
struct sum {
	char *path;
	size_t len;
	size_t parent;
	bool flag;
	uint64_t dax;
	uint64_t cached;
	uint64_t mapped;
	uint64_t pages;
	uint64_t switches;
	uint64_t refusals;
	uint64_t blocked;
};

static size_t without_slashes(const char *path, size_t len)
{
	while (len && path[len - 1] == '/')
		len--;
	return len;
}

/* Length of the path of the parent directory of a file. */
static size_t parent_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? without_slashes(path, slash - path) : 0;
}

/* Search from the last directory upwards. */
static size_t find_parent(const struct sums *sums, const char *path)
{
	size_t len = parent_len(path);
	size_t i = sums->count ? sums->current : NONE;

	/* The search ends: the operand contains all that is found in it, see sums_add(). */
	while (i != NONE && (sums->dirs[i].len != len ||
			     memcmp(sums->dirs[i].path, path, len)))
		i = sums->dirs[i].parent;
	return i;
}

static void enter(struct sums *sums, const struct row *row, bool operand)
{
	size_t parent = operand ? NONE : find_parent(sums, row->file);
	struct sum *sum;

	if (sums->count == sums->allocated) {
		sums->allocated = 2 * sums->allocated + 16;
		sums->dirs = reallocarray(sums->dirs, sums->allocated,
					  sizeof(*sum));
		if (!sums->dirs)
			err(TOOL_FAILED, "sums");
	}
	sums->current = sums->count++;
	sum = &sums->dirs[sums->current];
	*sum = (struct sum){
		.path = strdup(row->file),
		.len = without_slashes(row->file, strlen(row->file)),
		.parent = parent,
		.flag = row->flag && *row->flag,
	};
	if (!sum->path)
		err(TOOL_FAILED, "sums");
}

/**
 * sums_add - count a file in its directory, or enter a directory
 * @sums: initially all zero
 * @row: the file or directory
 * @operand: it is an operand of the command line
 *
 * Relies on the order of walk_tree(): a directory comes right before its entries.
 */
void sums_add(struct sums *sums, const struct row *row, bool operand)
{
	struct sum *sum;

	if (row->directory) {
		enter(sums, row, operand);
		return;
	}
	sums->current = find_parent(sums, row->file);
	sum = &sums->dirs[sums->current];
	if (!strcmp(row->mode, "dax"))
		sum->dax++;
	else
		sum->cached++;
	if (row->reason)
		sum->blocked++;
	if (!row->counted)
		return;
	sum->switches += row->switches;
	sum->refusals += row->refusals;
	if (row->withheld)
		return;
	sum->mapped += strcmp(row->mapped, "no") != 0;
	if (strcmp(row->mode, "dax"))
		sum->pages += row->pages;
}

enum { DIRECTORY, FLAG, DAX, CACHED, PAGES, MAPPED, SWITCHES, REFUSALS,
	BLOCKED };

static const struct {
	const char *name;
	int flags;
} headings[] = {
	[DIRECTORY] = { "DIRECTORY", 0 },
	[FLAG]	    = { "FLAG", 0 },
	[DAX]	    = { "DAX", SCOLS_FL_RIGHT },
	[CACHED]    = { "CACHED", SCOLS_FL_RIGHT },
	[PAGES]	    = { "PAGES", SCOLS_FL_RIGHT },
	[MAPPED]    = { "MAPPED", SCOLS_FL_RIGHT },
	[SWITCHES]  = { "SWITCHES", SCOLS_FL_RIGHT },
	[REFUSALS]  = { "REFUSALS", SCOLS_FL_RIGHT },
	[BLOCKED]   = { "BLOCKED", SCOLS_FL_RIGHT },
};

static struct libscols_table *new_table(bool noheadings)
{
	struct libscols_table *table = scols_new_table();
	size_t i;

	if (!table)
		err(TOOL_FAILED, "table");
	scols_table_enable_noheadings(table, noheadings);
	for (i = 0; i < sizeof(headings) / sizeof(headings[0]); i++)
		if (!scols_table_new_column(table, headings[i].name, 0,
					    headings[i].flags))
			err(TOOL_FAILED, "table");
	return table;
}

/* libsmartcols escapes names on output. */
static void put_text(struct libscols_line *line, int column, const char *text)
{
	if (scols_line_set_data(line, column, text))
		err(TOOL_FAILED, "table");
}

static void put_number(struct libscols_line *line, int column, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	put_text(line, column, text);
}

static void add_line(struct libscols_table *table, const struct sum *sum)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		err(TOOL_FAILED, "table");
	put_text(line, DIRECTORY, sum->path);
	put_text(line, FLAG, sum->flag ? "yes" : "no");
	put_number(line, DAX, sum->dax);
	put_number(line, CACHED, sum->cached);
	put_number(line, PAGES, sum->pages);
	put_number(line, MAPPED, sum->mapped);
	put_number(line, SWITCHES, sum->switches);
	put_number(line, REFUSALS, sum->refusals);
	put_number(line, BLOCKED, sum->blocked);
}

static void add_object(json_t *array, const struct sum *sum)
{
	json_t *object = add_json_object(array);

	put_json_name(object, "directory", sum->path);
	put_json(object, "flag", json_boolean(sum->flag));
	put_json(object, "dax", json_integer(sum->dax));
	put_json(object, "cached", json_integer(sum->cached));
	put_json(object, "pages", json_integer(sum->pages));
	put_json(object, "mapped", json_integer(sum->mapped));
	put_json(object, "switches", json_integer(sum->switches));
	put_json(object, "refusals", json_integer(sum->refusals));
	put_json(object, "blocked", json_integer(sum->blocked));
}

/**
 * sums_print - print everything, and free it
 * @sums: the sums; not usable afterwards
 * @json: print JSON
 * @noheadings: print a table without headings
 *
 * Return: true on failure.
 */
bool sums_print(struct sums *sums, bool json, bool noheadings)
{
	json_t *array = json ? json_new(json_array()) : NULL;
	struct libscols_table *table = new_table(noheadings);
	bool failed;
	size_t i;

	for (i = 0; i < sums->count; i++) {
		if (json)
			add_object(array, &sums->dirs[i]);
		else
			add_line(table, &sums->dirs[i]);
		free(sums->dirs[i].path);
	}
	free(sums->dirs);
	failed = json ? print_json("directories", array) :
			scols_print_table(table) != 0;
	json_decref(array);
	scols_unref_table(table);
	return failed;
}
