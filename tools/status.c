// SPDX-License-Identifier: GPL-2.0-only
/* daxstack status: show files and their modes. This file: command line, and traversal. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daxstack.h"
#include "set.h"
#include "status.h"
#include "tool.h"

static const char status_help[] =
"Usage: daxstack status [OPTION]... FILE...\n"
"\n"
"Show for each FILE:\n"
"  MODE      dax or cached, the current mode\n"
"  FLAG      whether FS_XFLAG_DAX is set: the mode in which the file is loaded\n"
"            next. If it differs from MODE, a change is pending (switch=never),\n"
"            or the mount has one mode for all files (dax=)\n"
"  MAPPED    no, yes, or sync: with MAP_SYNC\n"
"  PAGES     entries of the mapping, page cache or DAX, in pages of the kernel's\n"
"            page size\n"
"  SWITCHES  number of switches since the file was loaded\n"
"  REFUSALS  number of refused switches since then\n"
"  REASON    why a switch to the other mode would be refused now, empty if it\n"
"            would be attempted\n"
"MAPPED and PAGES are \"-\", in JSON null, for users who neither own FILE nor may\n"
"write to it.\n"
"A directory only has a FLAG: new files inherit it. If another process holds a\n"
"lease on a file, only MODE is shown: reading the rest would break the lease.\n"
"'daxstack why' shows the remedy for a REASON.\n"
"\n"
"  -R, --recursive   also everything below each FILE that is a directory, on the\n"
"                    same filesystem; symbolic links there are not followed\n"
"  -D, --by-directory\n"
"                    a line for each directory, with sums over the files in it:\n"
"                    files in each mode, PAGES of the page cache, files that are\n"
"                    MAPPED, SWITCHES, REFUSALS, and files that are BLOCKED, that\n"
"                    is, have a REASON. With -R also for each directory below\n"
"  -J, --json        JSON with the same keys in lower case. In a name that is not\n"
"                    UTF-8, invalid bytes become U+FFFD; then file_hex has all\n"
"                    its bytes in hexadecimal, else null\n"
"  -n, --noheadings  leave out the headings\n"
"  -h, --help        show this\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   every FILE was shown\n"
"  2   a FILE could not be examined\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Examples: a whole tree in a few lines; names of cached files; names of files\n"
"whose change to dax is pending\n"
"  daxstack status -RD /mnt/x\n"
"  daxstack status -J /mnt/x/* | jq -r '.files[] | select(.mode == \"cached\").file'\n"
"  daxstack status -J /mnt/x/* | jq -r '.files[] |\n"
"          select(.mode == \"cached\" and .flag).file'\n";

/**
 * struct status - state of the command
 * @recursive: the operands are trees
 * @by_directory: print a line per directory, not per file
 * @json: print JSON
 * @noheadings: print a table without headings
 * @rows: unless @by_directory
 * @sums: if @by_directory
 * @operand: the current file is an operand
 * @exit: enum tool_status, the worst so far
 */
struct status {
	bool recursive;
	bool by_directory;
	bool json;
	bool noheadings;
	struct rows rows;
	struct sums sums;
	bool operand;
	int exit;
};

static void show(struct status *status, const struct row *row)
{
	if (status->by_directory)
		sums_add(&status->sums, row, status->operand);
	else
		rows_add(&status->rows, row);
}

static const char *mapped_name(unsigned int flags)
{
	if (flags & DAXSTACK_STATE_MAP_SYNC)
		return "sync";
	return flags & DAXSTACK_STATE_MAPPED ? "yes" : "no";
}

static int show_file(struct status *status, const char *path, int fd)
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
	show(status, &row);
	return 0;
}

static int show_directory(struct status *status, const char *path, int fd)
{
	struct row row = { .file = path, .directory = true };
	struct fsxattr fsx;
	bool flag;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx) < 0)
		return -errno;
	flag = fsx.fsx_xflags & FS_XFLAG_DAX;
	row.flag = &flag;
	show(status, &row);
	return 0;
}

/* Show what is known without opening the file. */
static void show_leased(struct status *status, const char *path,
			const struct file_id *id)
{
	const struct row row = {
		.file = path,
		.mode = mode_name(id->dax ? DAXSTACK_DAX : DAXSTACK_CACHED),
		.reason = LEASE_TEXT,
	};

	show(status, &row);
}

/*
 * If the file is a directory, @opened is set to a descriptor of it.
 *
 * Return: NULL if it is shown, else why not.
 */
static const char *show_looked_at(struct status *status, const char *path,
				  int look, const struct file_id *id,
				  int *opened)
{
	int fd, error;

	/* Do not break leases of other processes. */
	fd = S_ISREG(id->mode) && file_is_leased(id) ? -EWOULDBLOCK :
						       file_open(look, id);
	if (fd == -EWOULDBLOCK) {
		show_leased(status, path, id);
		return NULL;
	}
	if (fd == -ENOSYS)
		return NO_PROC_TEXT;
	if (fd < 0)
		return strerror(-fd);
	error = (S_ISDIR(id->mode) ? show_directory : show_file)(status, path,
								 fd);
	if (!error && S_ISDIR(id->mode))
		*opened = fd;
	else
		close(fd);
	return error ? strerror(-error) : NULL;
}

static void complain(struct status *status, const char *path, const char *why)
{
	warnx("%s: %s", name_shown(path), why);
	status->exit = tool_worse(status->exit, TOOL_FAILED);
}

/* --- Trees. */

/* Decide by the type in the directory entry; DT_UNKNOWN means not recorded. */
static bool may_be_shown(const struct status *status, unsigned char type)
{
	return type == DT_REG || type == DT_UNKNOWN ||
		(type == DT_DIR && status->recursive);
}

static const char *show_named(struct status *status, struct walk *walk,
			      int look, const struct file_id *id, int *opened)
{
	/* A mount point, or a file without a mode. */
	if (!walk_may_enter(walk, id) || !file_has_ioctls(id))
		return NULL;
	if (S_ISDIR(id->mode) && !status->recursive)
		return NULL;
	return show_looked_at(status, walk_path(walk), look, id, opened);
}

/*
 * Fast path with few system calls, for a regular file that can safely be opened by its
 * name.
 *
 * Return: whether it is shown. If not, the slow path finds the reason.
 */
static bool show_plain(struct status *status, struct walk *walk, int dir,
		       const char *name)
{
	struct file_id id;
	bool shown;
	int fd;

	if (!walk_may_trust(walk, &id) || file_is_leased(&id))
		return false;
	fd = file_open_plain(dir, name);
	if (fd < 0)
		return false;
	shown = !show_file(status, walk_path(walk), fd);
	close(fd);
	return shown;
}

static int show_entry(struct walk *walk, int dir, const char *name,
		      unsigned char type)
{
	struct status *status = walk_data(walk);
	struct file_id id;
	const char *why;
	int opened = -1;
	int look;

	if (!may_be_shown(status, type))
		return -1;
	if (type == DT_REG && show_plain(status, walk, dir, name))
		return -1;
	look = file_look(dir, name, O_NOFOLLOW, &id);
	/* The file was removed after its name was read. */
	if (look == -ENOENT)
		return -1;
	if (look < 0) {
		complain(status, walk_path(walk), strerror(-look));
		return -1;
	}
	why = show_named(status, walk, look, &id, &opened);
	close(look);
	if (why)
		complain(status, walk_path(walk), why);
	return opened;
}

static void show_lost(struct walk *walk, const char *why)
{
	complain(walk_data(walk), walk_path(walk), why);
}

static void show_below(struct status *status, const char *path, int dir)
{
	static const struct walk_ops ops = {
		.entry = show_entry,
		.lost = show_lost,
	};

	if (status->recursive || status->by_directory)
		walk_tree(&ops, status, path, dir);
	else
		close(dir);
}

static const char *show_operand(struct status *status, const char *path,
				int look, const struct file_id *id, int *opened)
{
	const char *why = file_foreign(look, id);

	if (why)
		return why;
	if (!file_has_ioctls(id))
		return reason_text(DAXSTACK_REASON_NOT_REGULAR);
	if (status->by_directory && !S_ISDIR(id->mode))
		return strerror(ENOTDIR);
	status->operand = true;
	why = show_looked_at(status, path, look, id, opened);
	status->operand = false;
	return why;
}

static void show_path(struct status *status, const char *path)
{
	struct file_id id;
	int look = file_look(AT_FDCWD, path, 0, &id);
	int opened = -1;
	const char *why;

	if (look >= 0) {
		why = show_operand(status, path, look, &id, &opened);
		close(look);
	} else {
		why = strerror(-look);
	}
	if (why)
		complain(status, path, why);
	if (opened >= 0)
		show_below(status, path, opened);
}

static int show_paths(struct status *status, char **paths)
{
	bool failed;

	if (!status->by_directory)
		rows_begin(&status->rows, status->json, status->noheadings);
	/* On a signal, print what was collected. */
	if (status->recursive)
		signals_catch();
	while (*paths && !signals_ended())
		show_path(status, *paths++);
	failed = status->by_directory ?
		sums_print(&status->sums, status->json, status->noheadings) :
		rows_print(&status->rows);
	if (signals_ended())
		warnx("interrupted: the rest is not shown");
	return failed ? TOOL_WRITE : status->exit;
}

static int status_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "recursive", no_argument, NULL, 'R' },
		{ "by-directory", no_argument, NULL, 'D' },
		{ "json", no_argument, NULL, 'J' },
		{ "noheadings", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct status status = { .exit = TOOL_OK };
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "RDJnh", options, NULL)) != -1) {
		switch (c) {
		case 'R':
			status.recursive = true;
			break;
		case 'D':
			status.by_directory = true;
			break;
		case 'J':
			status.json = true;
			break;
		case 'n':
			status.noheadings = true;
			break;
		case 'h':
			return tool_help(&status_command);
		default:
			return tool_bad_option(argv[0], argv);
		}
	}
	if (optind == argc)
		return tool_usage_error(argv[0], "FILE missing");
	return show_paths(&status, argv + optind);
}

const struct tool_command status_command = {
	.name = "status",
	.title = "daxstack status",
	.summary = "show modes of files, of trees, or by directory",
	.help = status_help,
	.run = status_run,
};
