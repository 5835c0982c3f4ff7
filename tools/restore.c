// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack restore: bring files to the modes listed by daxstack save.
 *
 * root may restore a tree of a user who plants links in it. So paths are looked up
 * below one directory without symbolic links, and a file with several names is skipped
 * if a user other than its owner may have created this name.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daxstack.h"
#include "modes.h"
#include "set.h"
#include "tool.h"

static const char restore_help[] =
"Usage: daxstack restore [OPTION]... [LIST]\n"
"\n"
"Bring files to the modes, and flags of directories to the state, that 'daxstack\n"
"save' recorded in LIST. Without LIST, or if it is -, read standard input. Files\n"
"already in their mode are left alone; missing files are reported, and the rest\n"
"is done. Ends with a summary, as 'daxstack set --recursive'.\n"
"\n"
"No symbolic link is followed, and no mount point below DIR is crossed.\n"
"\n"
"\n"
"  -C, --directory DIR        look up names in DIR [the working directory]\n"
"  -P, --absolute-names       accept names that begin with a slash or contain\n"
"                             '..'\n"
"  -H, --hard-links           also switch files with several names if the\n"
"                             directory is writable by others than their owner,\n"
"                             root and the caller\n"
"  -t, --timeout SECONDS|inf  as of 'daxstack set', for each file [0]\n"
"  -n, --dry-run              report what would be done and what would be\n"
"                             refused; change nothing\n"
"  -J, --json                 print JSON, an object for each file\n"
"  -q, --quiet                do not report errors of files, only set the exit\n"
"                             status; no summary\n"
"  -v, --verbose              report what was done\n"
"  -h, --help                 show this\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   everything is as listed, or will be when it is next loaded\n"
"  1   a file was refused for a reason that may pass: try again\n"
"  2   a file was refused for a lasting reason, or is missing; or LIST could not\n"
"      be read, or is incomplete\n"
"  64  wrong usage, nothing was done\n"
"  74  writing to standard output failed\n"
"\n"
"Example: a copy, with its modes\n"
"  daxstack save -C /mnt/x -R db > db.modes\n"
"  cp -a /mnt/x/db /mnt/y\n"
"  daxstack restore -C /mnt/y db.modes\n";

#define HARD_LINK_TEXT							\
	"it has other names, and other users than its owner may change the"	\
	" directory (see --hard-links)"

/**
 * struct restore - state of the command
 * @opt: the command line
 * @resolver: where to look up names
 * @hard_links: also switch files with several names
 * @list: the list
 * @list_name: its name
 * @line_nr: number of the current line
 * @whole: the last line was read
 * @summary: summary of the results
 * @status: the worst status so far
 */
struct restore {
	struct set_options opt;
	struct resolver resolver;
	bool hard_links;
	FILE *list;
	const char *list_name;
	unsigned long line_nr;
	bool whole;
	struct summary summary;
	int status;
};

static void list_wrong(struct restore *restore, const char *why)
{
	if (!restore->opt.quiet) {
		progress_hide(stderr);
		warnx("%s: line %lu: %s", name_shown(restore->list_name),
		      restore->line_nr, why);
	}
	restore->status = tool_worse(restore->status, TOOL_FAILED);
}

/*
 * Could another user have created this name for the file? Yes, if others than the owner
 * may write to the directory, or if the owner of the directory is neither root nor the
 * owner of the file nor the caller.
 */
static bool is_put_there(const struct restore *restore,
			 const struct file_id *id)
{
	const struct file_id *dir = &restore->resolver.dir_id;

	if (!S_ISREG(id->mode) || id->links < 2 || restore->hard_links)
		return false;
	return dir->mode & 0022 ||
		(dir->uid && dir->uid != id->uid && dir->uid != geteuid());
}

static const char *forbids(const struct restore *restore, int look,
			   const struct file_id *id, bool directory)
{
	const char *why = file_foreign(look, id);

	if (why)
		return why;
	if (!file_has_ioctls(id))
		return reason_text(DAXSTACK_REASON_NOT_REGULAR);
	if (!S_ISDIR(id->mode) == directory)
		return directory ? "it was a directory, and is a file now" :
				   "it was a file, and is a directory now";
	if (is_put_there(restore, id))
		return HARD_LINK_TEXT;
	return NULL;
}

static struct set_result restore_entry(struct restore *restore,
				       const struct mode_entry *entry)
{
	const struct set_options *opt = &restore->opt;
	struct set_result result;
	struct file_id id;
	const char *why = resolver_forbids(&restore->resolver, entry->name);
	int look;

	if (why)
		return apply_failed(opt, entry->name, why, 0);
	look = resolver_look(&restore->resolver, entry->name, &id);
	if (look < 0)
		return apply_failed(opt, entry->name, resolver_error(-look),
				    -look);
	why = forbids(restore, look, &id, entry->directory);
	if (why)
		result = apply_failed(opt, entry->name, why, 0);
	else
		result = apply(opt, entry->name, look, &id, NULL);
	close(look);
	return result;
}

static void restore_line(struct restore *restore, char *line)
{
	struct mode_entry entry;
	struct set_result result;

	switch (modes_parse(line, &entry)) {
	case MODES_ENTRY:
		restore->opt.mode = entry.mode;
		result = restore_entry(restore, &entry);
		report(&restore->opt, entry.name, &result);
		summary_add(&restore->summary, &result);
		restore->status = tool_worse(restore->status, result.status);
		progress_step(result.outcome == SET_REFUSED);
		break;
	case MODES_END:
		restore->whole = true;
		break;
	case MODES_COMMENT:
		break;
	case MODES_WRONG:
		list_wrong(restore, "neither an entry nor a comment");
		break;
	}
}

/* Return: the next line, without its newline; NULL if there is none. */
static char *read_line(struct restore *restore, char **buf, size_t *size)
{
	ssize_t len = getline(buf, size, restore->list);

	/* A signal may have truncated the line. */
	if (signals_ended() || len < 0)
		return NULL;
	restore->line_nr++;
	if (len && (*buf)[len - 1] == '\n')
		(*buf)[--len] = 0;
	/* A NUL in the line: make it invalid. */
	if (strlen(*buf) != (size_t)len)
		**buf = '?';
	return *buf;
}

/* Count the lines for the progress bar, if the list is seekable. */
static void count_lines(FILE *list)
{
	long start = ftell(list);
	int c;

	if (start < 0)
		return;
	while ((c = getc(list)) != EOF)
		if (c == '\n')
			progress_step(false);
	fseek(list, start, SEEK_SET);
	progress_counted();
}

static void restore_lines(struct restore *restore)
{
	char *buf = NULL, *line;
	const char *why;
	size_t size = 0;

	line = read_line(restore, &buf, &size);
	why = line ? modes_check_header(line) : "not a list of modes: it is empty";
	if (why && !signals_ended())
		list_wrong(restore, why);
	while (!why && (line = read_line(restore, &buf, &size)))
		restore_line(restore, line);
	if (ferror(restore->list) && !signals_ended())
		list_wrong(restore, strerror(errno));
	else if (!why && !restore->whole && !signals_ended())
		list_wrong(restore, "the list ends without '# end': it may be truncated");
	free(buf);
}

static int run(struct restore *restore, const char *root)
{
	if (!resolver_open(&restore->resolver, root))
		return TOOL_FAILED;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signals_catch();
	if (!restore->opt.quiet && progress_begin())
		count_lines(restore->list);
	report_begin(&restore->opt);
	restore_lines(restore);
	progress_end();
	report_end(&restore->opt);
	if (!restore->opt.quiet && !restore->opt.json) {
		summary_print(&restore->summary, &restore->opt);
		if (signals_ended())
			puts("interrupted: the rest was not tried");
	}
	summary_free(&restore->summary);
	resolver_close(&restore->resolver);
	return restore->status;
}

static int run_list(struct restore *restore, const char *root)
{
	int status;

	restore->list = strcmp(restore->list_name, "-") ?
		fopen(restore->list_name, "re") : stdin;
	if (!restore->list) {
		warn("%s", name_shown(restore->list_name));
		return TOOL_FAILED;
	}
	status = run(restore, root);
	if (restore->list != stdin)
		fclose(restore->list);
	return status;
}

static int restore_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "directory", required_argument, NULL, 'C' },
		{ "absolute-names", no_argument, NULL, 'P' },
		{ "hard-links", no_argument, NULL, 'H' },
		{ "timeout", required_argument, NULL, 't' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'J' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	/* As for a tree, do not repeat remedies for each file. */
	struct restore restore = {
		.opt = { .restores = true, .recursive = true },
		.list_name = "-",
		.status = TOOL_OK,
	};
	struct set_options *opt = &restore.opt;
	const char *root = ".";
	int status, c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "C:PHt:nJqvh", options,
				NULL)) != -1) {
		switch (c) {
		case 'C':
			root = optarg;
			break;
		case 'P':
			restore.resolver.anywhere = true;
			break;
		case 'H':
			restore.hard_links = true;
			break;
		case 'h':
			return tool_help(&restore_command);
		default:
			status = set_option(opt, c, argv);
			if (status)
				return status;
		}
	}
	if (argc - optind > 1)
		return tool_usage_error(argv[0], "more than one LIST");
	if (set_check(opt, argv[0]))
		return TOOL_USAGE;
	if (optind < argc)
		restore.list_name = argv[optind];
	return run_list(&restore, root);
}

const struct tool_command restore_command = {
	.name = "restore",
	.summary = "switch files to the modes printed by save",
	.title = "daxstack restore",
	.help = restore_help,
	.run = restore_run,
};
