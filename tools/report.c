// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack set --json: print the result for each file, an object per line.
 *
 * Each result is printed immediately, so that memory does not grow with the number of
 * files, and so that completed work is reported if a signal ends the command.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "set.h"
#include "tool.h"

static unsigned long long reported;

static const char *outcome_name(const struct set_options *opt,
				enum set_outcome outcome)
{
	static const char *const names[][2] = {
		[SET_SWITCHED]	= { "switched", "would be switched" },
		[SET_ALREADY]	= { "already", "already" },
		[SET_DEFERRED]	= { "deferred", "would be deferred" },
		[SET_DIRECTORY]	= { "directory", "directory" },
		[SET_SKIPPED]	= { "skipped", "skipped" },
		[SET_ELSEWHERE]	= { "elsewhere", "elsewhere" },
		[SET_REFUSED]	= { "refused", "would be refused" },
	};

	return names[outcome][opt->dry_run];
}

/**
 * report_begin - print the beginning of the JSON, if requested
 * @opt: the command line
 */
void report_begin(const struct set_options *opt)
{
	if (!opt->json)
		return;
	reported = 0;
	fputs("{\n   \"files\": [", stdout);
}

/**
 * report - print the result for a file as JSON, if requested
 * @opt: the command line
 * @path: name of the file
 * @result: the result
 *
 * In ASCII: names may contain control sequences for terminals.
 */
void report(const struct set_options *opt, const char *path,
	    const struct set_result *result)
{
	const struct daxstack_switch *answer = &result->answer;
	bool asked = answer->attempts || answer->switched;
	json_t *object;
	char *line;

	if (!opt->json || result->outcome == SET_NOTHING)
		return;
	object = json_object();
	put_json_name(object, "file", path);
	put_json(object, "wanted", json_text(mode_name(opt->mode)));
	put_json(object, "mode", json_text(result->mode));
	put_json(object, "outcome",
		 json_text(outcome_name(opt, result->outcome)));
	put_json(object, "switched", json_boolean(answer->switched));
	put_json(object, "reason", json_text(result->why));
	put_json(object, "errno", json_number(result->error, result->error));
	put_json(object, "error", json_text(result->error ?
					    strerrorname_np(result->error) :
					    NULL));
	put_json(object, "attempts", json_number(asked, answer->attempts));
	put_json(object, "pages", json_number(asked, answer->pages));
	put_json(object, "shut_ns", json_number(asked, answer->shut_ns));
	put_json(object, "unshared",
		 json_number(opt->unshare, result->unshared));
	line = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (!line)
		errx(TOOL_FAILED, "JSON: out of memory");
	progress_hide(stdout);
	printf("%s\n      %s", reported++ ? "," : "", line);
	/* The next file may take long. */
	fflush(stdout);
	free(line);
	json_decref(object);
}

/**
 * report_end - print the end of the JSON, if requested
 * @opt: the command line
 */
void report_end(const struct set_options *opt)
{
	if (!opt->json)
		return;
	printf("%s],\n   \"dry_run\": %s,\n   \"interrupted\": %s\n}\n",
	       reported ? "\n   " : "", opt->dry_run ? "true" : "false",
	       signals_ended() ? "true" : "false");
}
