// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack simulate: replay a heat trace under a policy. This file: the command line,
 * and the sequence of replays.
 */
#include <ctype.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "profiles.h"
#include "rules.h"
#include "simulate.h"
#include "tool.h"

static const char simulate_help[] =
"Usage: daxstack simulate [OPTION]... FILE\n"
"\n"
"Replay a heat trace (of daxstack record) under a policy, a profile and a DRAM\n"
"budget. Print the modelled time of all reads, writes, faults and fsyncs of the\n"
"trace, including switches: with all files in dax mode, all in cached mode (in a\n"
"page cache of that size), each file in its best mode in hindsight, and with the\n"
"policy.\n"
"\n"
"  -b, --budget SIZE   DRAM for cached files, with K, M, G (powers of 1024), or\n"
"                      N% of the total size of the files in the trace [25%]\n"
"  -p, --profile NAME  profile of the memory: name of a profile of daxstack, or a\n"
"                      file name that contains a / [optane-dc]\n"
"      --policy WHICH  auto: by the gain of files; dax, cached: switch all files\n"
"                      to that mode; found: switch none [auto]\n"
"      --rules FILE    budget, limits and rules as in daxstack-rules(5), for the\n"
"                      mount of the trace\n"
"      --start WHICH   initial mode of all files: dax, cached, or found: that of\n"
"                      the trace [dax]\n"
"      --new WHICH     mode of files created in the trace: dax, cached, found, or\n"
"                      auto: the better mode for recent new files [auto]\n"
"      --switches N    limit of switches per minute [600]\n"
"      --flush SIZE    limit of bytes written back by switches per minute [1G]\n"
"      --no-search     do not search for the best fixed modes\n"
"      --moves         list each switch, and why\n"
"      --files         list the files, and their final modes\n"
"      --plot FILE     plot time and DRAM over time, as SVG; needs gnuplot\n"
"  -J, --json          print everything as JSON\n"
"  -h, --help          show this\n"
"\n"
"Exit status:\n"
"  0   success\n"
"  2   the replay failed, or the plot was not written\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Example:\n"
"  daxstack simulate --budget 8G --moves day.heat\n";

/**
 * struct command_line - of 'daxstack simulate'
 * @budget: bytes, 0: not given
 * @percent: of the data, 0: not given
 * @profile: name or file
 * @rule: for files without a rule
 * @switches: -1: not given
 * @flush: likewise
 */
struct command_line {
	uint64_t budget;
	unsigned int percent;
	const char *profile;
	enum place_rule rule;
	long long switches;
	long long flush;
};

/* The rule of each file, for quiet hours. */
struct hours {
	const struct rule **of;
	uint64_t realtime_ns;
};

/* --- The command line. */

/* Parse a number without sign, blank or fraction. Return: false if there is none. */
static bool to_number(const char *text, const char **rest, uint64_t *n)
{
	*n = 0;
	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		if (*n > (UINT64_MAX >> 20) / 10)
			return false;
		*n = *n * 10 + (uint64_t)(*text - '0');
	}
	*rest = text;
	return true;
}

static bool to_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	const char *rest, *unit;

	if (!to_number(text, &rest, size))
		return false;
	if (!*rest)
		return true;
	unit = strchr(units, toupper((unsigned char)*rest));
	if (!unit || rest[1] || *size >> (44 - 10 * (unit - units)))
		return false;
	*size <<= 10 * (unit - units + 1);
	return true;
}

static bool to_budget(struct command_line *line, const char *text)
{
	const char *rest;
	uint64_t n;

	line->percent = 0;
	line->budget = 0;
	if (to_number(text, &rest, &n) && !strcmp(rest, "%")) {
		line->percent = (unsigned int)n;
		return n >= 1 && n <= 1000;
	}
	return to_size(text, &line->budget) && line->budget >= COST_PAGE;
}

static bool to_choice(const char *text, const char *special, int other, int *choice)
{
	if (!strcmp(text, "dax"))
		*choice = DAXSTACK_DAX;
	else if (!strcmp(text, "cached"))
		*choice = DAXSTACK_CACHED;
	else if (!strcmp(text, special))
		*choice = other;
	else
		return false;
	return true;
}

static bool to_policy(struct command_line *line, const char *text)
{
	if (!strcmp(text, "auto"))
		line->rule = RULE_AUTO;
	else if (!strcmp(text, "dax"))
		line->rule = RULE_DAX;
	else if (!strcmp(text, "cached"))
		line->rule = RULE_CACHED;
	else if (!strcmp(text, "found"))
		line->rule = RULE_LEAVE;
	else
		return false;
	return true;
}

enum { OPT_POLICY = 256, OPT_RULES, OPT_START, OPT_NEW, OPT_SWITCHES, OPT_FLUSH,
	OPT_NO_SEARCH, OPT_MOVES, OPT_FILES, OPT_PLOT };

static const struct option long_options[] = {
	{ "budget", required_argument, NULL, 'b' },
	{ "profile", required_argument, NULL, 'p' },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "rules", required_argument, NULL, OPT_RULES },
	{ "start", required_argument, NULL, OPT_START },
	{ "new", required_argument, NULL, OPT_NEW },
	{ "switches", required_argument, NULL, OPT_SWITCHES },
	{ "flush", required_argument, NULL, OPT_FLUSH },
	{ "no-search", no_argument, NULL, OPT_NO_SEARCH },
	{ "moves", no_argument, NULL, OPT_MOVES },
	{ "files", no_argument, NULL, OPT_FILES },
	{ "plot", required_argument, NULL, OPT_PLOT },
	{ "json", no_argument, NULL, 'J' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int bad_value(const char *title, const char *what, const char *value,
		     const char *write)
{
	return tool_usage_error(title, "'%s' is not a %s: write %s", name_shown(value),
				what, write);
}

/* Parse options with a value. Return: enum tool_status. */
static int take_value(struct command_line *line, struct simulation *sim,
		      const char *title, int c)
{
	const char *rest;
	uint64_t n;

	switch (c) {
	case 'b':
		return to_budget(line, optarg) ? TOOL_OK :
			bad_value(title, "budget", optarg,
				  "a size of at least 4K, as 8G, or a part of the data, as 25%");
	case OPT_POLICY:
		return to_policy(line, optarg) ? TOOL_OK :
			bad_value(title, "policy", optarg, "auto, dax, cached or found");
	case OPT_START:
		return to_choice(optarg, "found", REPLAY_FOUND, &sim->policy.start) ?
			TOOL_OK : bad_value(title, "mode to start in", optarg,
					    "dax, cached or found");
	case OPT_NEW:
		return to_choice(optarg, "auto", REPLAY_AUTO, &sim->policy.newborn) ||
			to_choice(optarg, "found", REPLAY_FOUND, &sim->policy.newborn) ?
			TOOL_OK : bad_value(title, "mode of new files", optarg,
					    "dax, cached, found or auto");
	case OPT_SWITCHES:
		if (!to_number(optarg, &rest, &n) || *rest || n > 1000000)
			return bad_value(title, "number of switches", optarg,
					 "a number up to 1000000; 0: no limit");
		line->switches = (long long)n;
		return TOOL_OK;
	default:
		if (!to_size(optarg, &n))
			return bad_value(title, "size", optarg,
					 "a number, optionally with a suffix K, M or G; 0: no limit");
		line->flush = (long long)n;
		return TOOL_OK;
	}
}

/* Return: -1 to continue, or the exit status. */
static int parse(int argc, char **argv, struct command_line *line,
		 struct simulation *sim)
{
	int c, status;

	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, "b:p:Jh", long_options, NULL)) != -1) {
		switch (c) {
		case 'p':
			line->profile = optarg;
			break;
		case OPT_RULES:
			sim->rules = optarg;
			break;
		case OPT_PLOT:
			sim->plot = optarg;
			break;
		case OPT_NO_SEARCH:
			sim->search = false;
			break;
		case OPT_MOVES:
			sim->list_moves = true;
			break;
		case OPT_FILES:
			sim->list_files = true;
			break;
		case 'J':
			sim->json = true;
			break;
		case 'h':
			return tool_help(&simulate_command);
		case '?':
			return tool_bad_option(argv[0], argv);
		default:
			status = take_value(line, sim, argv[0], c);
			if (status)
				return status;
		}
	}
	if (argc - optind != 1)
		return tool_usage_error(argv[0], argc - optind ?
					"more than one FILE" : "FILE missing");
	if (sim->json && (sim->list_moves || sim->list_files))
		return tool_usage_error(argv[0],
					"--json excludes --moves and --files, which it includes");
	sim->path = argv[optind];
	return -1;
}

/* --- The rules. */

static enum place_rule place_rule_of(enum rules_mode mode)
{
	switch (mode) {
	case RULES_DAX:
		return RULE_DAX;
	case RULES_CACHED:
		return RULE_CACHED;
	case RULES_AUTO:
		return RULE_AUTO;
	default:
		return RULE_LEAVE;
	}
}

static bool is_quiet(void *arg, uint32_t file, uint64_t time_ns)
{
	const struct hours *hours = arg;
	time_t now = (time_t)((hours->realtime_ns + time_ns) / 1000000000);
	struct tm tm;

	localtime_r(&now, &tm);
	return rule_is_quiet(hours->of[file],
			     (unsigned int)(tm.tm_hour * 60 + tm.tm_min));
}

/* Return: enum tool_status. */
static int apply_rules(struct simulation *sim, struct command_line *line,
		       struct rules **rules, struct hours *hours)
{
	struct replay *r = &sim->replay;
	const struct rules_mount *mount;
	char why[512];
	size_t i;

	*rules = rules_read(sim->rules, why, sizeof(why));
	if (!*rules) {
		warnx("%s", why);
		return TOOL_FAILED;
	}
	mount = rules_mount(*rules, r->mount);
	if (!mount) {
		warnx("%s: no section for the mount of the trace",
		      name_shown(sim->rules));
		warnx("remedy: write [mount %s]", name_shown(r->mount));
		return TOOL_FAILED;
	}
	hours->realtime_ns = r->realtime_ns;
	hours->of = calloc(r->nr_files, sizeof(*hours->of));
	if (!hours->of)
		err(TOOL_FAILED, "rules");
	for (i = 0; i < r->nr_files; i++) {
		hours->of[i] = rules_match(mount, r->files[i].name, r->files[i].uid);
		r->files[i].rule = place_rule_of(rule_mode(hours->of[i],
							   r->files[i].largest));
	}
	sim->policy.quiet = is_quiet;
	sim->policy.quiet_arg = hours;
	if (!line->budget && !line->percent) {
		line->budget = rules_budget(mount, (uint64_t)sysconf(_SC_PHYS_PAGES) *
					    (uint64_t)sysconf(_SC_PAGESIZE));
		/* 0 means not given: use the minimum of --budget instead. */
		if (line->budget < COST_PAGE)
			line->budget = COST_PAGE;
	}
	if (line->switches < 0)
		line->switches = mount->max_switches;
	if (line->flush < 0)
		line->flush = (long long)mount->max_flush;
	return TOOL_OK;
}

/* --- The replays. */

static int run_fixed(struct simulation *sim, int which, int mode)
{
	struct replay *r = &sim->replay;
	int *modes = malloc(r->nr_files * sizeof(*modes));
	int failed = -1;
	size_t i;

	for (i = 0; modes && i < r->nr_files; i++)
		modes[i] = mode;
	if (modes)
		failed = replay_fixed(r, modes, sim->policy.config.budget_bytes,
				      &sim->outcomes[which]);
	free(modes);
	return failed;
}

static int run_best(struct simulation *sim)
{
	uint64_t budget = sim->policy.config.budget_bytes;

	sim->best = malloc(sim->replay.nr_files * sizeof(*sim->best));
	if (!sim->best ||
	    replay_best(&sim->replay, budget, sim->best, &sim->tried,
			&sim->exact) == UINT64_MAX)
		return -1;
	return replay_fixed(&sim->replay, sim->best, budget,
			    &sim->outcomes[SIMULATED_BEST]);
}

static int run_all(struct simulation *sim)
{
	if (run_fixed(sim, SIMULATED_DAX, DAXSTACK_DAX) ||
	    run_fixed(sim, SIMULATED_CACHED, DAXSTACK_CACHED) ||
	    (sim->search && run_best(sim)))
		return -1;
	return replay_placed(&sim->replay, &sim->policy, simulated_moved, sim,
			     &sim->outcomes[SIMULATED_POLICY]);
}

static void configure(struct simulation *sim, const struct command_line *line)
{
	struct place_config *c = &sim->policy.config;
	unsigned int percent = line->percent ? line->percent : 25;
	size_t i;

	for (i = 0; i < sim->replay.nr_files; i++)
		sim->data += sim->replay.files[i].largest;
	c->interval_ns = sim->replay.interval_ns;
	c->budget_bytes = line->budget;
	if (!line->budget)
		c->budget_bytes = (uint64_t)((__uint128_t)sim->data * percent / 100);
	if (line->switches >= 0)
		c->max_switches_per_min = (uint32_t)line->switches;
	if (line->flush >= 0)
		c->max_flush_bytes_per_min = (uint64_t)line->flush;
}

/* Return: enum tool_status. */
static int simulate(struct simulation *sim, struct command_line *line)
{
	struct replay *r = &sim->replay;
	struct rules *rules = NULL;
	struct hours hours = { 0 };
	int status = TOOL_OK;
	size_t i;

	for (i = 0; i < r->nr_files; i++)
		r->files[i].rule = line->rule;
	if (sim->rules)
		status = apply_rules(sim, line, &rules, &hours);
	if (!status) {
		configure(sim, line);
		if (!r->windows)
			warnx("%s: recorded next to another session: the number of pages "
			      "in use is inexact", name_shown(sim->path));
		if (r->cut)
			warnx("%s: truncated; replayed up to its end",
			      name_shown(sim->path));
		sim->moves = json_new(json_array());
		if (run_all(sim))
			errx(TOOL_FAILED, "not enough memory: replay a shorter trace");
		if (sim->json && simulated_json(sim))
			status = TOOL_WRITE;
		else if (!sim->json)
			simulated_print(sim);
		if (sim->plot)
			status = tool_worse(status, simulated_plot(sim));
	}
	for (i = 0; i < SIMULATED; i++)
		replay_outcome_free(&sim->outcomes[i]);
	json_decref(sim->moves);
	free(sim->best);
	free(hours.of);
	rules_free(rules);
	return status;
}

static int run(int argc, char **argv)
{
	struct command_line line = {
		.profile = DEFAULT_PROFILE, .rule = RULE_AUTO, .switches = -1, .flush = -1,
	};
	struct simulation sim = {
		.search = true,
		.policy = { .start = DAXSTACK_DAX, .newborn = REPLAY_AUTO },
	};
	struct dxs_profile profile;
	char path[4096], why[1024];
	int status = parse(argc, argv, &line, &sim);

	if (status >= 0)
		return status;
	place_config_init(&sim.policy.config);
	profile_path(line.profile, true, path, sizeof(path));
	if (dxs_profile_read(path, &profile, why, sizeof(why)) < 0) {
		warnx("%s", why);
		warnx("remedy: give --profile a file, or the name of a profile in " PROFILES);
		return TOOL_FAILED;
	}
	if (replay_load(sim.path, &profile, &sim.replay, why, sizeof(why))) {
		warnx("%s: %s", name_shown(sim.path), why);
		return TOOL_FAILED;
	}
	status = simulate(&sim, &line);
	replay_free(&sim.replay);
	return status;
}

const struct tool_command simulate_command = {
	.name = "simulate",
	.title = (char[]){ "daxstack simulate" },
	.summary = "replay a heat trace under a policy, and show what it saves",
	.help = simulate_help,
	.run = run,
};
