// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack set: switch files to a mode. Here: the command line.
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daxstack.h"
#include "set.h"
#include "tool.h"

static const char set_help[] =
"Usage: daxstack set [OPTION]... dax|cached FILE...\n"
"\n"
"Switch each FILE at once to dax (loads and stores go straight to persistent\n"
"memory) or cached (through the page cache), even while it is open, mapped and\n"
"in use. A directory has no mode: its flag, which new files inherit, is set.\n"
"On a mount with switch=never only the flag of a FILE is set: it changes its\n"
"mode when it is next loaded, after everybody has closed it.\n"
"\n"
"  -R, --recursive            also everything below each FILE that is a\n"
"                             directory, on the same filesystem; symbolic links\n"
"                             there are not followed. Goes on past refusals;\n"
"                             ends with a summary: how many files were switched\n"
"                             and how many were refused, by reason\n"
"  -t, --timeout SECONDS|inf  how long to wait, for each file, for what is in\n"
"                             the way; fractions are fine, down to 0.001. [0:\n"
"                             answer at once]\n"
"  -q, --quiet                do not complain about files, only set the exit\n"
"                             status; no summary\n"
"  -v, --verbose              say what was done: pages (of the kernel's page\n"
"                             size) written back, and for how many microseconds\n"
"                             the gates were shut, that is, others had to wait\n"
"  -h, --help                 show this\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   every file is in the mode wanted, or will be when it is next loaded\n"
"  1   a file was refused for a reason that may pass: try again\n"
"  2   a file was refused for a lasting reason, or could not be opened\n"
"  64  wrong usage, nothing was done\n"
"  74  writing to standard output failed\n"
"\n"
"Examples: wait at most half a second for pinned pages to be let go; switch all\n"
"files of a database, and have new ones be made in dax mode\n"
"  daxstack set -v -t 0.5 dax /mnt/x/log\n"
"  daxstack set -R dax /mnt/x/db\n";

static int set_path(const struct set_options *opt, const char *path)
{
	struct file_id id;
	int look = file_look(AT_FDCWD, path, 0, &id);
	const char *why;
	int status;

	if (look < 0)
		return apply_failed(opt, path, strerror(-look)).status;
	why = file_foreign(look, &id);
	if (why)
		status = apply_failed(opt, path, why).status;
	else
		status = apply(opt, path, look, &id, NULL).status;
	close(look);
	return status;
}

static int set_paths(const struct set_options *opt, char *const *paths)
{
	int status = TOOL_OK;

	while (*paths && !signals_ended())
		status = tool_worse(status, set_path(opt, *paths++));
	return status;
}

/*
 * Decimal seconds to milliseconds, rounded up so that little is not nothing.
 * Not strtod(): it takes nan, hex, signs and the locale's decimal point.
 */
static bool parse_seconds(const char *s, int *ms)
{
	long long value = 0;
	bool digits = false;
	bool rest = false;
	int unit;

	for (; *s >= '0' && *s <= '9'; s++) {
		value = value * 10 + (*s - '0') * 1000;
		if (value > INT_MAX)
			return false;
		digits = true;
	}
	if (*s == '.')
		s++;
	else if (*s)
		return false;
	for (unit = 100; *s >= '0' && *s <= '9'; s++, unit /= 10) {
		value += (*s - '0') * unit;
		rest |= !unit && *s != '0';
		digits = true;
	}
	value += rest;
	if (!digits || *s || value > INT_MAX)
		return false;
	*ms = value;
	return true;
}

static bool parse_timeout(const char *s, int *ms)
{
	if (strcmp(s, "inf"))
		return parse_seconds(s, ms);
	*ms = -1;
	return true;
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

static int bad_timeout(const char *title, const char *timeout)
{
	return tool_usage_error(title,
				"'%s' is no timeout: seconds from 0 to 2147483.647, or inf",
				name_shown(timeout));
}

/* What follows the options. */
static int parse_operands(int argc, char **argv, struct set_options *opt)
{
	if (opt->quiet && opt->verbose)
		return tool_usage_error(argv[0],
					"--quiet and --verbose exclude each other");
	if (optind == argc)
		return tool_usage_error(argv[0], "mode missing: dax or cached");
	if (!parse_mode(argv[optind], &opt->mode))
		return tool_usage_error(argv[0], "'%s' is no mode: dax or cached",
					name_shown(argv[optind]));
	if (++optind == argc)
		return tool_usage_error(argv[0], "FILE missing");
	return TOOL_OK;
}

static int set_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "recursive", no_argument, NULL, 'R' },
		{ "timeout", required_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct set_options opt = { .timeout_ms = 0 };
	int status;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "Rt:qvh", options, NULL)) != -1) {
		switch (c) {
		case 'R':
			opt.recursive = true;
			break;
		case 't':
			if (parse_timeout(optarg, &opt.timeout_ms))
				break;
			return bad_timeout(argv[0], optarg);
		case 'q':
			opt.quiet = true;
			break;
		case 'v':
			opt.verbose = true;
			break;
		case 'h':
			return tool_help(&set_command);
		default:
			return tool_bad_option(argv[0], argv);
		}
	}
	status = parse_operands(argc, argv, &opt);
	if (status)
		return status;

	/* With a timeout it may take long: do not keep the lines back. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	signals_catch();
	return (opt.recursive ? tree_set : set_paths)(&opt, argv + optind);
}

const struct tool_command set_command = {
	.name = "set",
	.title = "daxstack set",
	.summary = "switch files to a mode",
	.help = set_help,
	.run = set_run,
};
