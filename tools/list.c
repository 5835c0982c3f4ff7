// SPDX-License-Identifier: GPL-2.0-only
/* daxstack list: print a table of mounts. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <libmount.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daxstack.h"
#include "json.h"
#include "stacks.h"
#include "tool.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const char list_help[] =
"Usage: daxstack list [OPTION]... [MOUNTPOINT|FILE|DEVICE]...\n"
"\n"
"Show the daxstack mounts, or those of each operand: the lower filesystem,\n"
"whether files can be switched, or why not and what to do about it, and the\n"
"results of switches since the mount. A filesystem that is only mounted in\n"
"another mount namespace has no TARGET. No privileges are needed.\n"
"\n"
"The numbers of files and bytes cover files whose inode is loaded: in use, or\n"
"used lately. Counting them visits all inodes in memory.\n"
"\n"
"  -b, --bytes        print sizes in bytes, not with K, M, G, T (powers of 1024)\n"
"  -J, --json         JSON: an array \"mounts\" of objects, with all columns unless\n"
"                     --output is given, in lower case, \"_\" for \"-\"\n"
"  -n, --noheadings   leave out the headings\n"
"  -o, --output LIST  columns, separated by commas; +LIST: add these\n"
"  -h, --help         show this\n"
"\n"
"Columns (* by default):\n";

static const char list_help_end[] =
"\n"
"Exit status:\n"
"  0   success, also if there are no mounts\n"
"  2   an operand is not on a daxstack mount, or the mounts cannot be read\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Examples: why files cannot be switched; the DRAM that files use\n"
"  daxstack list -o TARGET,SWITCHABLE,REASON,REMEDY\n"
"  daxstack list -J | jq '[.mounts[].bytes_cached] | add'\n";

/**
 * struct row - a mount
 * @fs: entry in mountinfo; NULL: not mounted in this namespace
 * @stack: its directory in sysfs; NULL: unknown
 * @no_switch: of stack_no_switch(), read once for all columns
 */
struct row {
	struct libmnt_fs *fs;
	const struct stack *stack;
	unsigned int no_switch;
};

enum kind { TEXT, NAME, NUMBER, SIZE, BOOL };

/**
 * struct value - the value of a column
 * @known: else the cell is empty
 * @number: of NUMBER, SIZE and BOOL
 * @text: of TEXT and NAME: points to static text, or to @buf
 * @buf: storage
 */
struct value {
	bool known;
	uint64_t number;
	const char *text;
	char buf[64];
};

/* --- Values. */

static void get_target(const struct row *row, struct value *value)
{
	value->text = row->fs ? mnt_fs_get_target(row->fs) : NULL;
	value->known = value->text;
}

static void get_source(const struct row *row, struct value *value)
{
	value->text = row->fs ? mnt_fs_get_source(row->fs) : NULL;
	value->known = value->text;
}

static void get_device(const struct row *row, struct value *value)
{
	value->text = row->stack ? row->stack->device : NULL;
	value->known = value->text;
}

static void get_switchable(const struct row *row, struct value *value)
{
	value->known = row->stack && row->no_switch != DAXSTACK_REASON_COUNT;
	value->number = row->no_switch == DAXSTACK_REASON_NONE;
}

static void get_reason(const struct row *row, struct value *value)
{
	value->text = row->stack ? reason_text(row->no_switch) : NULL;
	value->known = value->text;
}

static void get_reason_name(const struct row *row, struct value *value)
{
	value->known = row->no_switch != DAXSTACK_REASON_NONE &&
		stack_text(row->stack, "no_switch", value->buf,
			   sizeof(value->buf));
	value->text = value->buf;
}

static void get_remedy(const struct row *row, struct value *value)
{
	value->text = row->stack ? reason_remedy(row->no_switch) : NULL;
	value->known = value->text;
}

static void get_switches(const struct row *row, struct value *value)
{
	uint64_t to_dax, to_cached;

	value->known = stack_number(row->stack, "switches_to_dax", &to_dax) &&
		stack_number(row->stack, "switches_to_cached", &to_cached);
	if (value->known)
		value->number = to_dax + to_cached;
}

/**
 * struct column - a column
 * @name: the heading
 * @what: description for --help
 * @kind: how it is printed
 * @by_default: shown without --output
 * @file: name in /sys/fs/daxstack/DEV, or
 * @get: function that gets the value
 */
static const struct column {
	const char *name;
	const char *what;
	enum kind kind;
	bool by_default;
	const char *file;
	void (*get)(const struct row *row, struct value *value);
} columns[] = {
	{ "TARGET", "mount point", NAME, true, NULL, get_target },
	{ "SOURCE", "source of the mount", NAME, false, NULL, get_source },
	{ "LOWER", "type of the lower filesystem", TEXT, true, "lower_type", NULL },
	{ "DEVICE", "its block device", TEXT, true, NULL, get_device },
	{ "SWITCH", "option switch=", TEXT, true, "switch", NULL },
	{ "INHERIT", "option inherit=", TEXT, false, "inherit", NULL },
	{ "DAX", "option dax=", TEXT, false, "dax", NULL },
	{ "SWITCHABLE", "whether files can be switched now", BOOL, true, NULL,
	  get_switchable },
	{ "FILES-DAX", "loaded files in dax mode", NUMBER, true, "files_dax", NULL },
	{ "FILES-CACHED", "loaded files in cached mode", NUMBER, true,
	  "files_cached", NULL },
	{ "BYTES-CACHED", "page cache of the latter", SIZE, true,
	  "bytes_cached", NULL },
	{ "SWITCHES", "files switched, either way", NUMBER, true, NULL,
	  get_switches },
	{ "TO-DAX", "files switched to dax", NUMBER, false,
	  "switches_to_dax", NULL },
	{ "TO-CACHED", "files switched to cached", NUMBER, false,
	  "switches_to_cached", NULL },
	{ "REFUSALS", "requests refused", NUMBER, true, "refusals/total", NULL },
	{ "DEFERRED", "requests that only stored the flag", NUMBER, false,
	  "deferred", NULL },
	{ "WRITTEN", "pages that requests wrote back", NUMBER, false,
	  "pages_written", NULL },
	{ "SHUT-MAX", "longest time that a file's gates were closed, in ns",
	  NUMBER, false, "gates_shut_max_ns", NULL },
	{ "TESTED", "whether the kernel was tested, or allowed", BOOL, false,
	  "kernel_tested", NULL },
	{ "REASON-NAME", "REASON as its name in daxstack.h", TEXT, false, NULL,
	  get_reason_name },
	{ "REASON", "why files cannot be switched", TEXT, true, NULL,
	  get_reason },
	{ "REMEDY", "what to do about that", TEXT, true, NULL, get_remedy },
};

static struct value get(const struct column *column, const struct row *row)
{
	struct value value = { .known = false };

	if (column->get) {
		column->get(row, &value);
	} else if (column->kind == TEXT) {
		value.known = stack_text(row->stack, column->file, value.buf,
					 sizeof(value.buf));
	} else {
		value.known = stack_number(row->stack, column->file,
					   &value.number);
	}
	return value;
}

/* Recompute the pointer into the buffer: the value was copied. */
static const char *text_of(const struct column *column,
			   const struct value *value)
{
	return column->get && value->text && !*value->buf ? value->text :
							     value->buf;
}

/* --- The table. */

/**
 * struct list - the command
 * @json: an array; NULL: print a table
 * @table: the table
 * @bytes: print sizes in bytes
 * @shown: the columns
 * @nr_shown: number of @shown
 * @stacks: the stacks in sysfs
 * @nr_stacks: number of @stacks
 * @seen: which of @stacks are mounted in this namespace
 */
struct list {
	json_t *json;
	struct libscols_table *table;
	bool bytes;
	const struct column *shown[2 * ARRAY_SIZE(columns)];
	size_t nr_shown;
	struct stack *stacks;
	size_t nr_stacks;
	bool *seen;
};

/* As lsblk(8): one decimal unless it is 0. */
static void put_size(char *text, size_t size, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	unsigned int unit = 0;
	uint64_t tenths = bytes;

	while (tenths >= 1024 && units[unit + 1]) {
		unit++;
		if (tenths < 1024 * 1024 || !units[unit + 1]) {
			tenths = (tenths * 10 + 512) / 1024;
			break;
		}
		tenths /= 1024;
	}
	if (!unit)
		snprintf(text, size, "%lluB", (unsigned long long)bytes);
	else if (tenths % 10)
		snprintf(text, size, "%llu.%llu%c",
			 (unsigned long long)tenths / 10,
			 (unsigned long long)tenths % 10, units[unit]);
	else
		snprintf(text, size, "%llu%c", (unsigned long long)tenths / 10,
			 units[unit]);
}

static void put_cell(const struct list *list, struct libscols_line *line,
		     size_t i, const struct row *row)
{
	const struct column *column = list->shown[i];
	struct value value = get(column, row);
	char number[32];
	const char *text = number;

	if (!value.known)
		return;
	if (column->kind == TEXT || column->kind == NAME)
		text = text_of(column, &value);
	else if (column->kind == BOOL)
		text = value.number ? "yes" : "no";
	else if (column->kind == SIZE && !list->bytes)
		put_size(number, sizeof(number), value.number);
	else
		snprintf(number, sizeof(number), "%llu",
			 (unsigned long long)value.number);
	if (scols_line_set_data(line, i, text))
		err(TOOL_FAILED, "table");
}

/* "BYTES-CACHED" to "bytes_cached". */
static void key_of(const struct column *column, char *key, size_t size)
{
	size_t i;

	snprintf(key, size, "%s", column->name);
	for (i = 0; key[i]; i++)
		key[i] = key[i] == '-' ? '_' : key[i] | 0x20;
}

static void put_member(json_t *object, const struct column *column,
		       const struct row *row)
{
	struct value value = get(column, row);
	char key[32];

	key_of(column, key, sizeof(key));
	if (column->kind == NAME)
		put_json_name(object, key, value.known ?
			      text_of(column, &value) : NULL);
	else if (column->kind == TEXT)
		put_json(object, key, json_text(value.known ?
						text_of(column, &value) : NULL));
	else if (column->kind == BOOL)
		put_json(object, key, value.known ? json_boolean(value.number) :
						    json_null());
	else
		put_json(object, key, json_number(value.known, value.number));
}

static void add_row(const struct list *list, struct libmnt_fs *fs,
		    const struct stack *stack)
{
	struct row row = { fs, stack, stack_no_switch(stack) };
	struct libscols_line *line;
	json_t *object;
	size_t i;

	if (list->json) {
		object = add_json_object(list->json);
		for (i = 0; i < list->nr_shown; i++)
			put_member(object, list->shown[i], &row);
		return;
	}
	line = scols_table_new_line(list->table, NULL);
	if (!line)
		err(TOOL_FAILED, "table");
	for (i = 0; i < list->nr_shown; i++)
		put_cell(list, line, i, &row);
}

static void make_table(struct list *list, bool noheadings)
{
	size_t i;

	list->table = scols_new_table();
	if (!list->table)
		err(TOOL_FAILED, "table");
	scols_table_enable_noheadings(list->table, noheadings);
	for (i = 0; i < list->nr_shown; i++) {
		const struct column *column = list->shown[i];
		int flags = 0;

		if (column->kind == NUMBER || column->kind == SIZE)
			flags = SCOLS_FL_RIGHT;
		else if (column->get == get_reason || column->get == get_remedy)
			flags = SCOLS_FL_WRAP;
		if (!scols_table_new_column(list->table, column->name, 0,
					    flags))
			err(TOOL_FAILED, "table");
	}
}

/* --- The mounts. */

static bool is_stack(struct libmnt_fs *fs)
{
	const char *type = mnt_fs_get_fstype(fs);

	return type && !strcmp(type, "daxstack");
}

/**
 * struct wanted - which mounts to show
 * @any: all
 * @dev: those with this device number
 * @found: there was one
 */
struct wanted {
	bool any;
	dev_t dev;
	bool found;
};

static bool is_wanted(struct wanted *wanted, dev_t dev)
{
	if (!wanted->any && dev != wanted->dev)
		return false;
	wanted->found = true;
	return true;
}

static int add_mounts(const struct list *list, struct wanted *wanted)
{
	struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	const struct stack *stack;
	struct libmnt_fs *fs;
	size_t i;

	if (!table || !iter) {
		warn("/proc/self/mountinfo");
		return TOOL_FAILED;
	}
	memset(list->seen, 0, list->nr_stacks);
	while (!mnt_table_next_fs(table, iter, &fs)) {
		if (!is_stack(fs))
			continue;
		stack = stacks_find(list->stacks, list->nr_stacks,
				    mnt_fs_get_devno(fs));
		if (stack)
			list->seen[stack - list->stacks] = true;
		if (is_wanted(wanted, mnt_fs_get_devno(fs)))
			add_row(list, fs, stack);
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
	for (i = 0; i < list->nr_stacks; i++)
		if (!list->seen[i] && is_wanted(wanted, list->stacks[i].dev))
			add_row(list, NULL, &list->stacks[i]);
	return TOOL_OK;
}

/* Return: device number of the stack on a block device, or of the stack that a file is on. */
static dev_t dev_of(const struct list *list, const struct stat *st)
{
	char lower[32], device[32];
	size_t i;

	if (!S_ISBLK(st->st_mode))
		return st->st_dev;
	snprintf(device, sizeof(device), "%u:%u", major(st->st_rdev),
		 minor(st->st_rdev));
	for (i = 0; i < list->nr_stacks; i++)
		if (stack_text(&list->stacks[i], "lower_dev", lower,
			       sizeof(lower)) && !strcmp(lower, device))
			return list->stacks[i].dev;
	return 0;
}

static int add_operand(const struct list *list, const char *path)
{
	struct wanted wanted = { .any = false };
	struct stat st;
	int status;

	if (stat(path, &st) < 0) {
		warn("%s", name_shown(path));
		return TOOL_FAILED;
	}
	wanted.dev = dev_of(list, &st);
	status = add_mounts(list, &wanted);
	if (status || wanted.found)
		return status;
	warnx("%s: not on a daxstack mount", name_shown(path));
	return TOOL_FAILED;
}

static int show(struct list *list, char *const *paths, bool noheadings)
{
	struct wanted all = { .any = true };
	int status = TOOL_OK;

	stacks_read(&list->stacks, &list->nr_stacks);
	list->seen = calloc(list->nr_stacks + 1, sizeof(*list->seen));
	if (!list->seen)
		err(TOOL_FAILED, "mounts");
	make_table(list, noheadings);
	if (!*paths)
		status = add_mounts(list, &all);
	while (*paths)
		status = tool_worse(status, add_operand(list, *paths++));
	if (list->json ? print_json("mounts", list->json) :
			 scols_print_table(list->table))
		status = tool_worse(status, TOOL_WRITE);
	json_decref(list->json);
	scols_unref_table(list->table);
	stacks_free(list->stacks, list->nr_stacks);
	free(list->seen);
	return status;
}

/* --- The command line. */

static int list_print_help(void)
{
	size_t i;

	fputs(list_help, stdout);
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		printf("  %c %-13s %s\n", columns[i].by_default ? '*' : ' ',
		       columns[i].name, columns[i].what);
	fputs(list_help_end, stdout);
	return TOOL_OK;
}

static void show_columns(struct list *list, bool all)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(columns); i++)
		if (all || columns[i].by_default)
			list->shown[list->nr_shown++] = &columns[i];
}

static const struct column *find_column(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(columns); i++)
		if (strlen(columns[i].name) == len &&
		    !strncasecmp(columns[i].name, name, len))
			return &columns[i];
	return NULL;
}

/* Return: enum tool_status. */
static int parse_columns(struct list *list, const char *title,
			 const char *names)
{
	const struct column *column;
	size_t len;

	if (*names == '+') {
		names++;
		show_columns(list, false);
	}
	for (;; names += len + 1) {
		len = strcspn(names, ",");
		column = find_column(names, len);
		if (!column)
			return tool_usage_error(title, "'%s' is not a column, see --help",
						name_shown(names));
		if (list->nr_shown == ARRAY_SIZE(list->shown))
			return tool_usage_error(title, "too many columns");
		list->shown[list->nr_shown++] = column;
		if (!names[len])
			return TOOL_OK;
	}
}

static int list_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bytes", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'J' },
		{ "noheadings", no_argument, NULL, 'n' },
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct list list = { .json = NULL };
	const char *output = NULL;
	bool noheadings = false;
	int status;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "bJno:h", options, NULL)) != -1) {
		switch (c) {
		case 'b':
			list.bytes = true;
			break;
		case 'J':
			if (!list.json)
				list.json = json_new(json_array());
			break;
		case 'n':
			noheadings = true;
			break;
		case 'o':
			output = optarg;
			break;
		case 'h':
			return list_print_help();
		default:
			return tool_bad_option(argv[0], argv);
		}
	}
	if (output) {
		status = parse_columns(&list, argv[0], output);
		if (status)
			return status;
	} else {
		show_columns(&list, list.json);
	}
	return show(&list, argv + optind, noheadings);
}

const struct tool_command list_command = {
	.name = "list",
	.title = "daxstack list",
	.summary = "show the mounts, and the results of switches",
	.help = list_help,
	.run = list_run,
};
