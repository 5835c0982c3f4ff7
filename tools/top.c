// SPDX-License-Identifier: GPL-2.0-only
/* daxstack top: show the files of mounts by load, repeatedly. This file: the command line. */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heattrace.h"
#include "profiles.h"
#include "tool.h"
#include "top.h"

#define DELAY	3
#define DELAY_MAX	86400

static const char top_help[] =
"Usage: daxstack top [OPTION]... [MOUNTPOINT]...\n"
"       daxstack top [OPTION]... --replay FILE\n"
"\n"
"Show the files of daxstack mounts by load: the operations on each file, its\n"
"mode, the DRAM that it uses, what the other mode would gain by a profile of\n"
"memory, and why it cannot be switched. Without MOUNTPOINT, show all mounts.\n"
"Needs root.\n"
"\n"
"  -d, --delay TIME      time between readings: in seconds, or with a suffix m or\n"
"                        h in minutes or hours; 0.1 s to 1 day [3; for a trace 1]\n"
"  -s, --sort COLUMN     sort by this column, largest first [load]\n"
"  -r, --reverse         reverse the order\n"
"  -i, --idle            hide files that were not used\n"
"  -p, --profile NAME    profile for the model: a file, or the name of a profile\n"
"                        shipped with daxstack [/etc/daxstack/profile.conf if it\n"
"                        exists, else optane-dc]\n"
"  -P, --passive         only observe: do not unmap pages to detect their use,\n"
"                        and leave the sketches of used pages to other sessions\n"
"      --replay FILE     show a trace of 'daxstack record' instead of mounts\n"
"  -b, --batch           print text, without a terminal\n"
"  -J, --json            print JSON: for each reading an object with an array\n"
"                        \"mounts\", whose elements have arrays \"files\"\n"
"  -n, --iterations N    end after N readings\n"
"  -h, --help            show this\n"
"\n"
"Columns, and the keys to sort by them:\n";

static const char top_help_end[] =
"\n"
"Keys: q quits, h shows the others.\n"
"\n"
"Exit status:\n"
"  0   ended by q, by --iterations, or by the end of the trace\n"
"  2   a mount or the trace could not be read, or was unmounted\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Example: the ten files that would gain most in the other mode\n"
"  daxstack top -b -n 1 -d 10 -s gain /mnt/x | head -n 17\n";

static int print_help(void)
{
	size_t i;

	fputs(top_help, stdout);
	for (i = 0; i < top_nr_columns; i++)
		printf("  %c %-11s  %-5s  %s\n", top_columns[i].key, top_columns[i].name,
		       top_columns[i].heading, top_columns[i].what);
	fputs(top_help_end, stdout);
	return TOOL_OK;
}

static bool parse_number(const char *text, unsigned long *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoul(text, &end, 10);
	return !errno && !*end && *number;
}

/**
 * struct command_line - of 'daxstack top'
 * @top: filled in
 * @profile: its name; NULL: the default
 * @replay: the trace
 * @passive: only observe
 * @batch: print text
 * @json: print JSON
 * @delayed: the delay was given
 */
struct command_line {
	struct top top;
	const char *profile;
	const char *replay;
	bool passive;
	bool batch;
	bool json;
	bool delayed;
};

/* Return: -1, or the exit status if the option ends the command. */
static int parse_option(int c, char **argv, struct command_line *line)
{
	switch (c) {
	case 'd':
		if (!tool_seconds(optarg, DELAY_MAX, &line->top.delay))
			return tool_usage_error(argv[0],
						"'%s' is not a time from 0.1 s to 1 day",
						name_shown(optarg));
		line->delayed = true;
		break;
	case 'n':
		if (!parse_number(optarg, &line->top.iterations))
			return tool_usage_error(argv[0], "'%s' is not a number of readings",
						name_shown(optarg));
		break;
	case 's':
		line->top.sort = top_find_column(optarg);
		if (!line->top.sort)
			return tool_usage_error(argv[0], "'%s' is not a column, see --help",
						name_shown(optarg));
		break;
	case 'r':
		line->top.reverse = true;
		break;
	case 'i':
		line->top.hide_idle = true;
		break;
	case 'p':
		line->profile = optarg;
		break;
	case 'P':
		line->passive = true;
		break;
	case 'F':
		line->replay = optarg;
		break;
	case 'b':
		line->batch = true;
		break;
	case 'J':
		line->json = true;
		break;
	case 'h':
		return print_help();
	default:
		return tool_bad_option(argv[0], argv);
	}
	return -1;
}

/* If the default profile is missing, only the modelled columns are. */
static bool load_profile(struct command_line *line)
{
	char why[512];

	line->top.modelled = !profile_load(line->profile, &line->top.profile, why,
					   sizeof(why));
	if (line->top.modelled || !line->profile)
		return true;
	warnx("%s", why);
	return false;
}

static bool open_sources(struct command_line *line, char *const *paths)
{
	bool good = true;

	if (line->replay)
		return top_add_trace(&line->top, line->replay);
	if (!*paths)
		return top_add_all_mounts(&line->top, line->passive);
	for (; *paths; paths++)
		good = top_add_mount(&line->top, *paths, line->passive) && good;
	return good;
}

/* Report premature ends. */
static int tell_ends(const struct top *top)
{
	const struct top_mount *mount;
	int status = TOOL_OK;

	for (mount = top->mounts; mount < top->mounts + top->nr_mounts; mount++) {
		if (mount->reader && heattrace_state(mount->reader) == HEATTRACE_CUT)
			warnx("%s: the trace is truncated, or still being written: "
			      "shown up to its end",
			      name_shown(mount->trace));
		if (!mount->error)
			continue;
		status = TOOL_FAILED;
		if (mount->error == ENODEV)
			warnx("%s: unmounted", name_shown(mount->path));
		else if (mount->reader)
			warnx("%s: %s", name_shown(mount->trace),
			      heattrace_error(mount->reader));
		else
			warnx("%s: %s", name_shown(mount->path), strerror(mount->error));
	}
	return status;
}

static int run(struct command_line *line, char *const *paths)
{
	struct top *top = &line->top;
	int status = TOOL_FAILED;

	if (line->replay && !line->delayed)
		top->delay = 1;
	if (load_profile(line) && open_sources(line, paths)) {
		signals_catch();
		status = line->batch || line->json ? top_print(top, line->json) :
			top_screen(top);
		status = tool_worse(status, tell_ends(top));
	}
	top_close(top);
	return status;
}

static int top_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' },
		{ "sort", required_argument, NULL, 's' },
		{ "reverse", no_argument, NULL, 'r' },
		{ "idle", no_argument, NULL, 'i' },
		{ "profile", required_argument, NULL, 'p' },
		{ "passive", no_argument, NULL, 'P' },
		{ "replay", required_argument, NULL, 'F' },
		{ "batch", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'J' },
		{ "iterations", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct command_line line = {
		.top.sort = top_find_column("load"),
		.top.delay = DELAY,
	};
	int status;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "d:s:rip:PbJn:h", options, NULL)) != -1) {
		status = parse_option(c, argv, &line);
		if (status >= 0)
			return status;
	}
	if (line.replay && optind < argc)
		return tool_usage_error(argv[0], "MOUNTPOINT and --replay exclude each other");
	return run(&line, argv + optind);
}

const struct tool_command top_command = {
	.name = "top",
	.title = "daxstack top",
	.summary = "show files by load, and what the other mode would gain",
	.help = top_help,
	.run = top_run,
};
