// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack status: a table of files and their modes.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <libsmartcols.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daxstack.h"
#include "tool.h"

enum { FILE_, MODE, FLAG, MAPPED, PAGES, SWITCHES, REFUSALS, REASON };

static const struct {
	const char *name;	/* lower case: the key in JSON */
	int flags;
	int json;
} columns[] = {
	[FILE_]	   = { "FILE", 0, SCOLS_JSON_STRING },
	[MODE]	   = { "MODE", 0, SCOLS_JSON_STRING },
	[FLAG]	   = { "FLAG", 0, SCOLS_JSON_BOOLEAN },
	[MAPPED]   = { "MAPPED", 0, SCOLS_JSON_STRING },
	[PAGES]	   = { "PAGES", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
	[SWITCHES] = { "SWITCHES", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
	[REFUSALS] = { "REFUSALS", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
	[REASON]   = { "REASON", 0, SCOLS_JSON_STRING },
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const char status_help[] =
"Usage: daxstack status [OPTION]... FILE...\n"
"\n"
"Show for each FILE:\n"
"  MODE      dax or cached, as of now\n"
"  FLAG      whether FS_XFLAG_DAX is set: the mode in which the file is loaded\n"
"            next time. If it is not that of MODE, a change is still to come\n"
"            (switch=never), or the mount has one mode for all (dax=)\n"
"  MAPPED    no, yes, or sync: with MAP_SYNC\n"
"  PAGES     what the mapping holds, page cache or DAX entries, in pages of the\n"
"            kernel's page size\n"
"  SWITCHES  how often the file was switched since it was loaded\n"
"  REFUSALS  how often a switch was refused since then\n"
"  REASON    why a switch to the other mode would be refused at once, empty if\n"
"            it would be tried\n"
"MAPPED and PAGES are \"-\", in JSON null, for those who may not write to FILE.\n"
"A directory only has a FLAG: new files inherit it.\n"
"\n"
"  -J, --json        JSON with the same keys in lower case\n"
"  -n, --noheadings  leave out the headings\n"
"  -h, --help        show this\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   every FILE was shown\n"
"  2   a FILE could not be examined\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Examples: names of the files that are cached; of those whose flag is set but\n"
"whose mode is still to come\n"
"  daxstack status -J /mnt/x/* | jq -r '.files[] | select(.mode == \"cached\").file'\n"
"  daxstack status -J /mnt/x/* | jq -r '.files[] |\n"
"          select(.mode == \"cached\" and .flag).file'\n";

static struct libscols_line *new_line(struct libscols_table *table)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		err(TOOL_FAILED, "table");
	return line;
}

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

/* Begins with y or n, by which libsmartcols tells true from false. */
static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static const char *mapped_name(unsigned int flags)
{
	if (flags & DAXSTACK_STATE_MAP_SYNC)
		return "sync";
	return yes_no(flags & DAXSTACK_STATE_MAPPED);
}

static int show_file(struct libscols_table *table, const char *path, int fd)
{
	struct libscols_line *line;
	struct daxstack_state state;
	const char *reason;

	if (ioctl(fd, DAXSTACK_IOC_STATE, &state) < 0)
		return -errno;
	line = new_line(table);
	put_text(line, FILE_, path);
	put_text(line, MODE, mode_name(state.mode));
	put_text(line, FLAG, yes_no(state.flags & DAXSTACK_STATE_FLAG));
	if (!(state.flags & DAXSTACK_STATE_WITHHELD)) {
		put_text(line, MAPPED, mapped_name(state.flags));
		put_number(line, PAGES, state.pages);
	} else if (!scols_table_is_json(table)) {
		put_text(line, MAPPED, "-");
		put_text(line, PAGES, "-");
	}
	put_number(line, SWITCHES, state.switches);
	put_number(line, REFUSALS, state.refusals);
	reason = reason_text(state.reason);
	if (reason)
		put_text(line, REASON, reason);
	return 0;
}

static int show_directory(struct libscols_table *table, const char *path,
			  int fd)
{
	struct libscols_line *line;
	struct fsxattr fsx;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx) < 0)
		return -errno;
	line = new_line(table);
	put_text(line, FILE_, path);
	put_text(line, FLAG, yes_no(fsx.fsx_xflags & FS_XFLAG_DAX));
	return 0;
}

/* NULL if a line was added to @table, else why not. */
static const char *show_opened(struct libscols_table *table, const char *path,
			       int fd, const struct stat *st)
{
	int error;

	if (S_ISDIR(st->st_mode))
		error = show_directory(table, path, fd);
	else if (file_is_regular(st))
		error = show_file(table, path, fd);
	else
		return reason_text(DAXSTACK_REASON_NOT_REGULAR);
	return error ? strerror(-error) : NULL;
}

static int show_path(struct libscols_table *table, const char *path)
{
	struct stat st;
	const char *why;
	int fd = file_open(path, &st, &why);

	if (fd >= 0) {
		why = show_opened(table, path, fd, &st);
		close(fd);
	}
	if (!why)
		return TOOL_OK;
	warnx("%s: %s", path, why);
	return TOOL_FAILED;
}

static struct libscols_table *new_table(bool json, bool noheadings)
{
	struct libscols_table *table = scols_new_table();
	struct libscols_column *column;
	size_t i;

	if (!table || scols_table_set_name(table, "files"))
		err(TOOL_FAILED, "table");
	scols_table_enable_json(table, json);
	scols_table_enable_noheadings(table, noheadings);
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		column = scols_table_new_column(table, columns[i].name, 0,
						columns[i].flags);
		if (!column)
			err(TOOL_FAILED, "table");
		scols_column_set_json_type(column, columns[i].json);
	}
	return table;
}

static int show_paths(char **paths, bool json, bool noheadings)
{
	struct libscols_table *table = new_table(json, noheadings);
	int status = TOOL_OK;

	while (*paths)
		status = tool_worse(status, show_path(table, *paths++));
	if (scols_print_table(table))
		status = tool_worse(status, TOOL_WRITE);
	scols_unref_table(table);
	return status;
}

static int status_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'J' },
		{ "noheadings", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	bool json = false;
	bool noheadings = false;
	int c;

	while ((c = getopt_long(argc, argv, "Jnh", options, NULL)) != -1) {
		switch (c) {
		case 'J':
			json = true;
			break;
		case 'n':
			noheadings = true;
			break;
		case 'h':
			return tool_help(&status_command);
		default:
			return tool_try_help(argv[0]);
		}
	}
	if (optind == argc)
		return tool_usage_error(argv[0], "FILE missing");
	return show_paths(argv + optind, json, noheadings);
}

const struct tool_command status_command = {
	.name = "status",
	.title = "daxstack status",
	.help = status_help,
	.run = status_run,
};
