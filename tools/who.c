// SPDX-License-Identifier: GPL-2.0-only
/* daxstack who: show the holders of a file or a mount, and what they block. */
#include <err.h>
#include <getopt.h>
#include <libsmartcols.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "json.h"
#include "tool.h"
#include "who.h"

static const char who_help[] =
"Usage: daxstack who [OPTION]... FILE|MOUNTPOINT|DEVICE...\n"
"\n"
"Show the processes that hold a FILE of a daxstack mount, or any file of a whole\n"
"mount (MOUNTPOINT, or the mounted DEVICE), by any name, in any mount namespace,\n"
"including mappings whose descriptor is closed.\n"
"\n"
"  HOLDS     open; mapped, with private if that is copy-on-write, MAP_SYNC, and\n"
"            mlocked if it is locked in memory; locked (flock, fcntl); lease;\n"
"            cwd, root, exe: as working directory, root or program; loop: backs\n"
"            a loop device; export: exported by NFS; below: by a mount of the\n"
"            lower filesystem\n"
"  MODE      current mode of the file, dax or cached\n"
"  VETOES    what the holder prevents:\n"
"            switch            of the file, to either mode\n"
"            switch to cached\n"
"            umount            of the mount by which the file was named here\n"
"            device            it stays in use after that mount is unmounted\n"
"\n"
"Then follow other mounts of the filesystem, mounts of the lower filesystem, and\n"
"mounts on top of it, in all mount namespaces.\n"
"\n"
"  -R, --recursive   include everything below a FILE that is a directory;\n"
"                    a MOUNTPOINT always includes everything\n"
"  -J, --json        print JSON; adds descriptors, device and inode, and the\n"
"                    number of processes examined\n"
"  -n, --noheadings  print no headings\n"
"  -h, --help        show this\n"
"\n"
"Holders in the kernel are not shown: pinned pages (direct I/O, RDMA, vmsplice),\n"
"files in flight through a socket or registered with io_uring.\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   all processes were examined, whether they hold something or not\n"
"  1   no permission to examine some processes: run it as root\n"
"  2   a FILE could not be examined, or is not on a daxstack mount\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Examples: holders of a busy mount; processes with MAP_SYNC mappings\n"
"  daxstack who /mnt/x\n"
"  daxstack who -J /mnt/x | jq '.holders[] | select(.holds[] == \"MAP_SYNC\").pid'\n";

/* --- Names. */

static const struct {
	unsigned int hold;
	const char *name;
} hold_names[] = {
	{ HOLD_OPEN, "open" },
	{ HOLD_MAPPED, "mapped" },
	{ HOLD_PRIVATE, "private" },
	{ HOLD_SYNC, "MAP_SYNC" },
	{ HOLD_MLOCKED, "mlocked" },
	{ HOLD_LOCKED, "locked" },
	{ HOLD_LEASE, "lease" },
	{ HOLD_CWD, "cwd" },
	{ HOLD_ROOT, "root" },
	{ HOLD_EXE, "exe" },
	{ HOLD_LOOP, "loop" },
	{ HOLD_EXPORT, "export" },
	{ HOLD_BELOW, "below" },
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Return: an array of names. */
static json_t *holds_of(const struct holder *holder)
{
	json_t *holds = json_array();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hold_names); i++)
		if (holder->holds & hold_names[i].hold)
			json_array_append_new(holds,
					      json_string(hold_names[i].name));
	return holds;
}

/* Return: the kind of switch that the holder blocks, or NULL. */
static const char *switch_veto(const struct holder *holder, const char *policy)
{
	const unsigned int used = HOLD_OPEN | HOLD_MAPPED | HOLD_EXE | HOLD_LOOP;
	unsigned int holds = holder->holds;

	/* Only regular files have a mode. */
	if (holder->looked && holder->type != S_IFREG)
		return NULL;
	if (holds & HOLD_EXPORT)
		return NULL;
	if (holds & (HOLD_BELOW | HOLD_LEASE_WRITE) ||
	    (holds & HOLD_MAPPED && !strcmp(policy, "unmapped")) ||
	    (holds & used && !strcmp(policy, "never")))
		return "switch";
	return holds & HOLD_SYNC ? "switch to cached" : NULL;
}

/* Return: an array of names. */
static json_t *vetoes_of(const struct who *who, const struct holder *holder)
{
	const struct who_asked *asked = who_asked_dev(who, holder->dev);
	const char *veto = switch_veto(holder, asked->policy);
	json_t *vetoes = json_array();

	if (veto)
		json_array_append_new(vetoes, json_string(veto));
	json_array_append_new(vetoes, json_string(holder->holds & HOLD_HERE ?
						  "umount" : "device"));
	return vetoes;
}

static char *joined(json_t *texts, const char *separator)
{
	char *text = NULL;
	size_t size, i;
	json_t *value;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		err(TOOL_FAILED, "who");
	json_array_foreach(texts, i, value)
		fprintf(out, "%s%s", i ? separator : "",
			json_string_value(value));
	fclose(out);
	json_decref(texts);
	return text;
}

static const char *user_name(uid_t uid)
{
	static char number[16];
	const struct passwd *user = getpwuid(uid);

	if (user)
		return user->pw_name;
	snprintf(number, sizeof(number), "%u", uid);
	return number;
}

static const char *mode_of(const struct holder *holder)
{
	if (!holder->looked || holder->type != S_IFREG)
		return NULL;
	return holder->dax ? "dax" : "cached";
}

/* --- Tables. */

static struct libscols_table *new_table(const char *const *columns, size_t nr,
					bool noheadings)
{
	struct libscols_table *table = scols_new_table();
	size_t i;

	if (!table)
		err(TOOL_FAILED, "table");
	scols_table_enable_noheadings(table, noheadings);
	for (i = 0; i < nr; i++)
		if (!scols_table_new_column(table, columns[i], 0,
					    strcmp(columns[i], "PID") ?
					    0 : SCOLS_FL_RIGHT))
			err(TOOL_FAILED, "table");
	return table;
}

static void put(struct libscols_line *line, int column, const char *text)
{
	if (text && scols_line_set_data(line, column, text))
		err(TOOL_FAILED, "table");
}

/* Consumes @text. */
static void put_own(struct libscols_line *line, int column, char *text)
{
	put(line, column, text);
	free(text);
}

static void put_pid(struct libscols_line *line, int column, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	put(line, column, pid ? text : "-");
}

static void add_holder(struct libscols_table *table, const struct who *who,
		       const struct holder *holder)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		err(TOOL_FAILED, "table");
	put_pid(line, 0, holder->pid);
	put(line, 1, holder->pid ? user_name(holder->uid) : "-");
	put(line, 2, holder->command);
	put_own(line, 3, joined(holds_of(holder), ","));
	put(line, 4, mode_of(holder));
	put_own(line, 5, joined(vetoes_of(who, holder), ", "));
	put(line, 6, holder->file);
}

static void add_mount(struct libscols_table *table,
		      const struct mount_found *mount)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char ns[40];

	if (!line)
		err(TOOL_FAILED, "table");
	snprintf(ns, sizeof(ns), "mnt:[%llu]%s",
		 (unsigned long long)mount->ns, mount->own ? " (own)" : "");
	put(line, 0, mount->target);
	put(line, 1, mount->type);
	put(line, 2, mount->vetoes);
	put(line, 3, ns);
	if (!mount->own) {
		put_pid(line, 4, mount->pid);
		put(line, 5, mount->command);
	}
}

static bool print_tables(const struct who *who, bool noheadings)
{
	static const char *const columns[] = {
		"PID", "USER", "COMMAND", "HOLDS", "MODE", "VETOES", "FILE",
	};
	static const char *const mount_columns[] = {
		"MOUNT", "TYPE", "VETOES", "NAMESPACE", "PID", "COMMAND",
	};
	struct libscols_table *holders, *mounts;
	bool failed;
	size_t i;

	holders = new_table(columns, ARRAY_SIZE(columns), noheadings);
	for (i = 0; i < who->nr_holders; i++)
		add_holder(holders, who, &who->holders[i]);
	failed = scols_print_table(holders);
	scols_unref_table(holders);
	if (!who->nr_mounts)
		return failed;

	if (who->nr_holders)
		putchar('\n');
	mounts = new_table(mount_columns, ARRAY_SIZE(mount_columns),
			   noheadings);
	for (i = 0; i < who->nr_mounts; i++)
		add_mount(mounts, &who->mounts[i]);
	failed |= scols_print_table(mounts);
	scols_unref_table(mounts);
	return failed;
}

/* --- JSON. */

static json_t *json_holder(const struct who *who, const struct holder *holder)
{
	json_t *object = json_object();
	bool process = holder->pid;
	char dev[32];

	snprintf(dev, sizeof(dev), "%u:%u", major(holder->dev),
		 minor(holder->dev));
	put_json(object, "pid",
		 process ? json_integer(holder->pid) : json_null());
	put_json(object, "uid",
		 process ? json_integer(holder->uid) : json_null());
	put_json(object, "user",
		 json_text(process ? user_name(holder->uid) : NULL));
	put_json_name(object, "command", holder->command);
	put_json(object, "holds", holds_of(holder));
	put_json(object, "fds", holder->fds ? json_incref(holder->fds) :
					      json_array());
	put_json(object, "mode", json_text(mode_of(holder)));
	put_json(object, "vetoes", vetoes_of(who, holder));
	put_json_name(object, "file", holder->file);
	put_json(object, "deleted", holder->looked ?
		 json_boolean(holder->deleted) : json_null());
	put_json(object, "device", json_string(dev));
	put_json(object, "inode", json_integer(holder->ino));
	return object;
}

/* Split the text of the table. */
static json_t *json_vetoes(const char *vetoes)
{
	json_t *array = json_array();
	char *text = strdup(vetoes), *rest, *word;

	for (word = strtok_r(text, ",", &rest); word;
	     word = strtok_r(NULL, ",", &rest))
		json_array_append_new(array,
				      json_string(word + (*word == ' ')));
	free(text);
	return array;
}

static json_t *json_mount(const struct mount_found *mount)
{
	json_t *object = json_object();

	put_json_name(object, "target", mount->target);
	put_json(object, "type", json_text(mount->type));
	put_json(object, "vetoes", json_vetoes(mount->vetoes));
	put_json(object, "namespace", json_integer(mount->ns));
	put_json(object, "own_namespace", json_boolean(mount->own));
	put_json(object, "pid",
		 mount->own ? json_null() : json_integer(mount->pid));
	put_json_name(object, "command", mount->own ? NULL : mount->command);
	return object;
}

/* In ASCII: names may contain control sequences for terminals. */
static bool print_all(const struct who *who)
{
	json_t *holders = json_array(), *mounts = json_array(), *all;
	bool failed;
	size_t i;

	for (i = 0; i < who->nr_holders; i++)
		json_array_append_new(holders,
				      json_holder(who, &who->holders[i]));
	for (i = 0; i < who->nr_mounts; i++)
		json_array_append_new(mounts, json_mount(&who->mounts[i]));
	all = json_pack("{s:o,s:o,s:i,s:i}", "holders", holders, "mounts",
			mounts, "processes", who->processes, "unseen",
			who->unseen);
	if (!all)
		errx(TOOL_FAILED, "JSON: out of memory");
	failed = json_dumpf(all, stdout, JSON_INDENT(3) | JSON_ENSURE_ASCII) ||
		putchar('\n') == EOF;
	json_decref(all);
	return failed;
}

/* --- The command line. */

static void who_free(struct who *who)
{
	size_t i;

	for (i = 0; i < who->nr_holders; i++) {
		free(who->holders[i].command);
		free(who->holders[i].file);
		json_decref(who->holders[i].fds);
	}
	for (i = 0; i < who->nr_mounts; i++) {
		free(who->mounts[i].target);
		free(who->mounts[i].type);
		free(who->mounts[i].command);
	}
	free(who->asked);
	free(who->targets);
	free(who->holders);
	free(who->index);
	free(who->mounts);
	free(who->below);
}

static int show(char **paths, bool recursive, bool json, bool noheadings)
{
	struct who who = { .nr_targets = 0 };
	int status = TOOL_OK;

	while (*paths)
		status = tool_worse(status,
				    targets_add(&who, *paths++, recursive));
	targets_sort(&who);
	if (who.nr_targets) {
		mounts_find(&who);
		holders_find(&who);
		kernel_find(&who);
	}
	if (json ? print_all(&who) : print_tables(&who, noheadings))
		status = tool_worse(status, TOOL_WRITE);
	if (who.unseen) {
		fflush(stdout);
		warnx("no permission to examine %u of %u processes: run it as root",
		      who.unseen, who.processes);
		status = tool_worse(status, TOOL_BUSY);
	}
	who_free(&who);
	return status;
}

static int who_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "recursive", no_argument, NULL, 'R' },
		{ "json", no_argument, NULL, 'J' },
		{ "noheadings", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	bool recursive = false;
	bool noheadings = false;
	bool json = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "RJnh", options, NULL)) != -1) {
		switch (c) {
		case 'R':
			recursive = true;
			break;
		case 'J':
			json = true;
			break;
		case 'n':
			noheadings = true;
			break;
		case 'h':
			return tool_help(&who_command);
		default:
			return tool_bad_option(argv[0], argv);
		}
	}
	if (optind == argc)
		return tool_usage_error(argv[0], "FILE or MOUNTPOINT missing");
	return show(argv + optind, recursive, json, noheadings);
}

const struct tool_command who_command = {
	.name = "who",
	.summary = "show the holders of a file or a mount, and what they block",
	.title = "daxstack who",
	.help = who_help,
	.run = who_run,
};
