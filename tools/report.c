// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack set --json: what came of each file, an object in a line.
 *
 * Each is printed when it is known: memory does not grow with the number of
 * files, and what was done is told also where a signal ends the command.
 */
#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "set.h"
#include "tool.h"

static unsigned long long reported;

static void put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		errx(TOOL_FAILED, "JSON: out of memory");
}

static json_t *text(const char *string)
{
	return string ? json_string(string) : json_null();
}

static json_t *number(bool known, unsigned long long value)
{
	return known ? json_integer(value) : json_null();
}

static void put_name(json_t *object, const char *name)
{
	bool exact;
	char *utf8 = name_utf8(name, &exact);
	char *hex = exact ? NULL : name_hex(name);

	put(object, "file", json_string(utf8));
	put(object, "file_hex", text(hex));
	free(utf8);
	free(hex);
}

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
 * report_begin - begin the JSON, if it is wanted
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
 * report - print what came of a file as JSON, if that is wanted
 * @opt: the command line
 * @path: its name
 * @result: what came of it
 *
 * In ASCII: names may have characters in them that a terminal obeys.
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
	put_name(object, path);
	put(object, "wanted", text(mode_name(opt->mode)));
	put(object, "mode", text(result->mode));
	put(object, "outcome", text(outcome_name(opt, result->outcome)));
	put(object, "switched",
	    json_boolean(answer->switched));
	put(object, "reason", text(result->why));
	put(object, "errno", number(result->error, result->error));
	put(object, "error",
	    text(result->error ? strerrorname_np(result->error) : NULL));
	put(object, "attempts", number(asked, answer->attempts));
	put(object, "pages", number(asked, answer->pages));
	put(object, "shut_ns", number(asked, answer->shut_ns));
	put(object, "unshared", number(opt->unshare, result->unshared));
	line = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (!line)
		errx(TOOL_FAILED, "JSON: out of memory");
	progress_hide(stdout);
	printf("%s\n      %s", reported++ ? "," : "", line);
	/* The next one may take long. */
	fflush(stdout);
	free(line);
	json_decref(object);
}

/**
 * report_end - end the JSON, if it is wanted
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
