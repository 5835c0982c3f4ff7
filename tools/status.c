// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack status: a table of files and their modes.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libsmartcols.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daxstack.h"
#include "file.h"
#include "json.h"
#include "tool.h"

/**
 * struct row - what is shown of a file
 * @file: its name
 * @mode: dax or cached
 * @flag: FS_XFLAG_DAX is set
 * @mapped: no, yes, sync
 * @reason: why a switch would be refused
 * @counted: the numbers are known
 * @withheld: who uses the file is not for the caller to know
 * @pages: in the mapping
 * @switches: since the inode was loaded
 * @refusals: since then
 *
 * NULL is what is not known, or what a directory has not.
 */
struct row {
	const char *file;
	const char *mode;
	const bool *flag;
	const char *mapped;
	const char *reason;
	bool counted;
	bool withheld;
	uint64_t pages;
	uint64_t switches;
	uint64_t refusals;
};

/**
 * struct output - where rows go: one of them
 * @table: for people
 * @files: a JSON array
 */
struct output {
	struct libscols_table *table;
	json_t *files;
};

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
"A directory only has a FLAG: new files inherit it. Of a file that somebody else\n"
"holds a lease on, only MODE is shown: to ask for more would break the lease.\n"
"\n"
"  -J, --json        JSON with the same keys in lower case. A name that is not\n"
"                    UTF-8 has U+FFFD for what is none, and all its bytes in\n"
"                    hexadecimal as file_hex, which is null else\n"
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

/* --- As a table. */

enum { FILE_, MODE, FLAG, MAPPED, PAGES, SWITCHES, REFUSALS, REASON };

static const struct {
	const char *name;
	int flags;
} columns[] = {
	[FILE_]	   = { "FILE" },
	[MODE]	   = { "MODE" },
	[FLAG]	   = { "FLAG" },
	[MAPPED]   = { "MAPPED" },
	[PAGES]	   = { "PAGES", SCOLS_FL_RIGHT },
	[SWITCHES] = { "SWITCHES", SCOLS_FL_RIGHT },
	[REFUSALS] = { "REFUSALS", SCOLS_FL_RIGHT },
	[REASON]   = { "REASON" },
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static struct libscols_table *new_table(bool noheadings)
{
	struct libscols_table *table = scols_new_table();
	size_t i;

	if (!table)
		err(TOOL_FAILED, "table");
	scols_table_enable_noheadings(table, noheadings);
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		if (!scols_table_new_column(table, columns[i].name, 0,
					    columns[i].flags))
			err(TOOL_FAILED, "table");
	return table;
}

static void put_text(struct libscols_line *line, int column, const char *text)
{
	if (text && scols_line_set_data(line, column, text))
		err(TOOL_FAILED, "table");
}

static void put_number(struct libscols_line *line, int column, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	put_text(line, column, text);
}

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

/* Names are escaped where they are printed. */
static void add_line(struct libscols_table *table, const struct row *row)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		err(TOOL_FAILED, "table");
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

/* --- Files. */

static void add_row(struct output *output, const struct row *row)
{
	if (output->files)
		add_object(output->files, row);
	else
		add_line(output->table, row);
}

static const char *mapped_name(unsigned int flags)
{
	if (flags & DAXSTACK_STATE_MAP_SYNC)
		return "sync";
	return yes_no(flags & DAXSTACK_STATE_MAPPED);
}

static int show_file(struct output *output, const char *path, int fd)
{
	struct row row = { .file = path, .counted = true };
	struct daxstack_state state;
	bool flag;

	if (ioctl(fd, DAXSTACK_IOC_STATE, &state) < 0)
		return -errno;
	flag = state.flags & DAXSTACK_STATE_FLAG;
	row.mode = mode_name(state.mode);
	row.flag = &flag;
	row.mapped = mapped_name(state.flags);
	row.withheld = state.flags & DAXSTACK_STATE_WITHHELD;
	row.pages = state.pages;
	row.switches = state.switches;
	row.refusals = state.refusals;
	row.reason = reason_text(state.reason);
	add_row(output, &row);
	return 0;
}

static int show_directory(struct output *output, const char *path, int fd)
{
	struct row row = { .file = path };
	struct fsxattr fsx;
	bool flag;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx) < 0)
		return -errno;
	flag = fsx.fsx_xflags & FS_XFLAG_DAX;
	row.flag = &flag;
	add_row(output, &row);
	return 0;
}

/* What can be told of a file that is not opened. */
static void show_leased(struct output *output, const char *path,
			const struct file_id *id)
{
	const struct row row = {
		.file = path,
		.mode = mode_name(id->dax ? DAXSTACK_DAX : DAXSTACK_CACHED),
		.reason = LEASE_TEXT,
	};

	add_row(output, &row);
}

/* NULL if a row was added to @output, else why not. */
static const char *show_looked_at(struct output *output, const char *path,
				  int look, const struct file_id *id)
{
	const char *why = file_foreign(look, id);
	int fd, error;

	if (why)
		return why;
	if (!file_has_ioctls(id))
		return reason_text(DAXSTACK_REASON_NOT_REGULAR);
	/* To look at a file must not cost others their leases. */
	fd = S_ISREG(id->mode) && file_is_leased(id) ? -EWOULDBLOCK :
						       file_open(look, id);
	if (fd == -EWOULDBLOCK) {
		show_leased(output, path, id);
		return NULL;
	}
	if (fd == -ENOSYS)
		return NO_PROC_TEXT;
	if (fd < 0)
		return strerror(-fd);
	error = (S_ISDIR(id->mode) ? show_directory : show_file)(output, path,
								 fd);
	close(fd);
	return error ? strerror(-error) : NULL;
}

static int show_path(struct output *output, const char *path)
{
	struct file_id id;
	int look = file_look(AT_FDCWD, path, 0, &id);
	const char *why;

	if (look >= 0) {
		why = show_looked_at(output, path, look, &id);
		close(look);
	} else {
		why = strerror(-look);
	}
	if (!why)
		return TOOL_OK;
	warnx("%s: %s", name_shown(path), why);
	return TOOL_FAILED;
}

static int show_paths(char **paths, bool json, bool noheadings)
{
	struct output output = { .table = new_table(noheadings) };
	int status = TOOL_OK;

	if (json)
		output.files = json_new(json_array());
	while (*paths)
		status = tool_worse(status, show_path(&output, *paths++));
	if (json ? print_json("files", output.files) : scols_print_table(output.table))
		status = tool_worse(status, TOOL_WRITE);
	json_decref(output.files);
	scols_unref_table(output.table);
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

	opterr = 0;
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
			return tool_bad_option(argv[0], argv);
		}
	}
	if (optind == argc)
		return tool_usage_error(argv[0], "FILE missing");
	return show_paths(argv + optind, json, noheadings);
}

const struct tool_command status_command = {
	.name = "status",
	.title = "daxstack status",
	.summary = "show modes of files",
	.help = status_help,
	.run = status_run,
};
