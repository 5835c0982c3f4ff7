// SPDX-License-Identifier: GPL-2.0-only
/* daxstack set: switch files to a mode. This file: the command line. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "daxstack.h"
#include "set.h"
#include "tool.h"

static const char set_help[] =
"Usage: daxstack set [OPTION]... dax|cached FILE...\n"
"       daxstack set [OPTION]... --files-from LIST dax|cached [FILE]...\n"
"\n"
"Switch each FILE at once to dax (loads and stores go straight to persistent\n"
"memory) or cached (through the page cache), even while it is open, mapped and\n"
"in use. A directory has no mode: the flag that new files inherit is set.\n"
"On a mount with switch=never only the flag of a FILE is set: its mode changes\n"
"when it is next loaded, after all programs have closed it.\n"
"\n"
"  -R, --recursive            also everything below each FILE that is a\n"
"                             directory, on the same filesystem; symbolic links\n"
"                             there are not followed. Continues after refusals;\n"
"                             ends with a summary: number of files switched and\n"
"                             refused, by reason\n"
"  -t, --timeout SECONDS|inf  time to wait, for each file, until it can be\n"
"                             switched; fractions down to 0.001 [0: do not wait]\n"
"  -n, --dry-run              report what would be done and what would be\n"
"                             refused, as far as is known without trying; change\n"
"                             nothing\n"
"      --unshare              with dax, on XFS: first give a FILE that shares\n"
"                             blocks with others (cp --reflink) blocks of its own\n"
"      --files-from LIST      read more names from LIST, one per line, or from\n"
"                             standard input if LIST is -\n"
"  -0, --null                 names in LIST end with NUL, as from find -print0;\n"
"                             without FILE and LIST, read standard input\n"
"  -J, --json                 print JSON, an object for each file\n"
"  -q, --quiet                do not report errors of files, only set the exit\n"
"                             status; no summary\n"
"  -v, --verbose              report what was done: pages (of the kernel's page\n"
"                             size) written back, and the microseconds for which\n"
"                             the gates were closed and other users had to wait\n"
"  -h, --help                 show this\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   every file is in the requested mode, or will be when it is next loaded\n"
"  1   a file was refused for a reason that may pass: try again\n"
"  2   a file was refused for a lasting reason, or could not be opened\n"
"  64  wrong usage, nothing was done\n"
"  74  writing to standard output failed\n"
"\n"
"Examples: wait at most half a second for pinned pages to be released; switch all\n"
"files of a database, and have new ones created in dax mode; preview that; switch\n"
"large files only\n"
"  daxstack set -v -t 0.5 dax /mnt/x/log\n"
"  daxstack set -R dax /mnt/x/db\n"
"  daxstack set -R -n dax /mnt/x/db\n"
"  find /mnt/x -size +1G -type f -print0 | daxstack set -0 dax\n";

/**
 * struct command_line - of 'daxstack set'
 * @opt: what to do
 * @names: the files
 * @files_from: file with more names, NULL without
 * @null: names in it end with NUL
 */
struct command_line {
	struct set_options opt;
	struct names names;
	const char *files_from;
	bool null;
};

static int set_paths(const struct set_options *opt, struct names *names)
{
	struct set_result result;
	int status = TOOL_OK;
	char *const *path;
	const char *name;

	/* Show progress for files that take long. */
	if (opt->unshare && !opt->quiet && !names->from && progress_begin()) {
		for (path = names->next; *path; path++)
			progress_step(false);
		progress_counted();
	}
	while ((name = names_next(names))) {
		result = apply_named(opt, name);
		report(opt, name, &result);
		status = tool_worse(status, result.status);
		progress_step(result.outcome == SET_REFUSED);
	}
	progress_end();
	return status;
}

static bool parse_mode(const char *s, unsigned int *mode)
{
	if (!strcmp(s, "dax"))
		*mode = DAXSTACK_DAX;
	else if (!strcmp(s, "cached"))
		*mode = DAXSTACK_CACHED;
	else
		return false;
	return true;
}

/* Parse what follows the options. */
static int parse_operands(int argc, char **argv, struct command_line *line)
{
	const char *title = argv[0];

	if (optind == argc)
		return tool_usage_error(title, "mode missing: dax or cached");
	if (!parse_mode(argv[optind], &line->opt.mode))
		return tool_usage_error(title, "'%s' is not a mode: dax or cached",
					name_shown(argv[optind]));
	line->names.next = argv + ++optind;
	/* As in: find ... -print0 | daxstack set -0 dax */
	if (optind == argc && line->null && !line->files_from)
		line->files_from = "-";
	if (optind == argc && !line->files_from)
		return tool_usage_error(title, "FILE missing");
	return TOOL_OK;
}

static int check(const char *title, const struct command_line *line)
{
	if (set_check(&line->opt, title))
		return TOOL_USAGE;
	if (line->opt.unshare && line->opt.mode != DAXSTACK_DAX)
		return tool_usage_error(title, "--unshare needs mode dax");
	if (line->null && !line->files_from)
		return tool_usage_error(title,
					"--null needs --files-from");
	return TOOL_OK;
}

static int set_run_line(struct command_line *line)
{
	int status;

	if (line->files_from &&
	    !names_open(&line->names, line->files_from, line->null))
		return TOOL_FAILED;
	/* A wait may be long: do not buffer lines. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	signals_catch();
	report_begin(&line->opt);
	status = (line->opt.recursive ? tree_set : set_paths)(&line->opt,
							      &line->names);
	report_end(&line->opt);
	names_close(&line->names);
	return tool_worse(status, line->names.status);
}

/* Return: -1, or the exit status if the option ends the command. */
static int parse_option(int c, char **argv, struct command_line *line)
{
	struct set_options *opt = &line->opt;

	switch (c) {
	case 'R':
		opt->recursive = true;
		break;
	case 'U':
		opt->unshare = true;
		break;
	case 'f':
		line->files_from = optarg;
		break;
	case '0':
		line->null = true;
		break;
	case 'h':
		return tool_help(&set_command);
	default:
		return set_option(opt, c, argv) ?: -1;
	}
	return -1;
}

static int set_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "recursive", no_argument, NULL, 'R' },
		{ "timeout", required_argument, NULL, 't' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "unshare", no_argument, NULL, 'U' },
		{ "files-from", required_argument, NULL, 'f' },
		{ "null", no_argument, NULL, '0' },
		{ "json", no_argument, NULL, 'J' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct command_line line = { .files_from = NULL };
	int status;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "Rt:n0Jqvh", options, NULL)) != -1) {
		status = parse_option(c, argv, &line);
		if (status >= 0)
			return status;
	}
	status = parse_operands(argc, argv, &line) ?: check(argv[0], &line);
	return status ?: set_run_line(&line);
}

const struct tool_command set_command = {
	.name = "set",
	.title = "daxstack set",
	.summary = "switch files to a mode",
	.help = set_help,
	.run = set_run,
};
