// SPDX-License-Identifier: GPL-2.0-only
/* daxstack auto: show what daxstackd does, or would do, and why. */
#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "daxstack.h"
#include "json.h"
#include "rules.h"
#include "tool.h"

static const char auto_help[] =
"Usage: daxstack auto [OPTION]... [MOUNTPOINT]...\n"
"       daxstack auto [OPTION]... --explain FILE...\n"
"\n"
"Show how daxstackd treats the files of the mounts in its rules: how much DRAM\n"
"they take, and which files are not in the mode that they belong in. With\n"
"--explain, show for each FILE the rule that applies, its heat, the cost of each\n"
"mode, why it stays or moves, and what would refuse a switch.\n"
"\n"
"The command asks daxstackd. If daxstackd does not run, the command watches the\n"
"files for some intervals and shows what daxstackd would decide. It moves no\n"
"file. Only root may run it.\n"
"\n"
"  -e, --explain     the operands are files\n"
"  -n, --dry-run     move nothing; this is the default, and cannot be changed\n"
"  -r, --rules FILE  rules to use if daxstackd does not run [" RULES_FILE "]\n"
"  -c, --count N     intervals to watch if daxstackd does not run [3]\n"
"  -q, --quiet       do not report that files are being watched\n"
"  -J, --json        JSON: an array \"mounts\" or \"files\" of objects\n"
"  -h, --help        show this\n"
"\n"
"Exit status:\n"
"  0   success\n"
"  2   rules, a mount or a FILE could not be examined\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Example:\n"
"  daxstack auto --explain /mnt/db/table\n";

enum { ERR_LEN = 1024, COUNT_MAX = 100000 };

/**
 * struct automatic - state of the command
 * @observer: source of the answers
 * @array: the JSON array to fill; NULL: print text
 * @title: name of the command, for messages
 */
struct automatic {
	struct observer observer;
	json_t *array;
	const char *title;
};

static int failed(const struct automatic *a, const char *why)
{
	if (!signals_ended())
		fprintf(stderr, "%s: %s\n", a->title, why);
	return TOOL_FAILED;
}

/* --- Mounts. */

static void show_mount(const struct automatic *a, json_t *mount)
{
	if (!a->array)
		auto_show_mount(mount);
	else if (json_array_append(a->array, mount))
		errx(TOOL_FAILED, "JSON: out of memory");
}

static int show_mounts(struct automatic *a, const char *target)
{
	json_t *question = json_new(json_object()), *answer, *mount;
	char why[ERR_LEN], *resolved = NULL;
	size_t i, nr;

	if (target) {
		resolved = realpath(target, NULL);
		if (!resolved) {
			json_decref(question);
			warn("%s", name_shown(target));
			return TOOL_FAILED;
		}
		put_json_name(question, "mount", resolved);
	}
	put_json(question, "ask", json_text("mounts"));
	answer = observe(&a->observer, question, resolved, why, sizeof(why));
	free(resolved);
	if (!answer)
		return failed(a, why);
	nr = json_array_size(json_object_get(answer, "mounts"));
	json_array_foreach(json_object_get(answer, "mounts"), i, mount)
		show_mount(a, mount);
	json_decref(answer);
	if (nr)
		return TOOL_OK;
	if (target)
		warnx("%s: not a mount in the rules of daxstackd: check the rules",
		      name_shown(target));
	else
		warnx("none of the mounts in the rules is mounted: see 'daxstackd --check %s'",
		      name_shown(a->observer.rules));
	return TOOL_FAILED;
}

/* --- Files. */

static json_t *question_of(const struct subject *subject, const char *target)
{
	json_t *question = json_new(json_object());

	put_json(question, "ask", json_text("file"));
	put_json_name(question, "mount", target);
	put_json_name(question, "path", subject->path);
	put_json(question, "ino", json_number(true, subject->ino));
	put_json(question, "generation", json_number(true, subject->generation));
	put_json(question, "uid", json_number(true, subject->uid));
	put_json(question, "size", json_number(true, subject->size));
	return question;
}

/* Ask for each mount point of the filesystem, until the rules know one. */
static json_t *answer_of(struct automatic *a, const struct subject *subject, char *why,
			 size_t len)
{
	json_t *answer = NULL;
	size_t i;

	for (i = 0; i < subject->nr_targets; i++) {
		json_decref(answer);
		answer = observe(&a->observer,
				 question_of(subject, subject->targets[i]),
				 subject->targets[i], why, len);
		if (!answer || json_is_true(json_object_get(answer, "known")))
			break;
	}
	return answer;
}

/* Merge the daemon's answer with what this command has read from the file itself. */
static json_t *compose(const char *name, const struct subject *subject, json_t *answer)
{
	json_t *told = json_object_get(answer, "file");
	json_t *file = json_new(json_is_object(told) ? json_copy(told) : json_object());
	json_t *in_the_way = json_object_get(answer, "in_the_way");
	char *rules = json_name(answer, "rules");

	put_json_name(file, "name", name);
	put_json(file, "mode", json_text(mode_name(subject->mode)));
	put_json(file, "size", json_number(true, subject->size));
	put_json(file, "reason", json_text(reason_text(subject->reason)));
	put_json(file, "remedy", json_text(subject->reason ?
					   reason_remedy(subject->reason) : NULL));
	put_json(file, "known", json_boolean(json_is_true(json_object_get(answer, "known"))));
	put_json(file, "in_the_way", in_the_way ? json_incref(in_the_way) : json_null());
	put_json_name(file, "rules", rules);
	free(rules);
	return file;
}

static int explain(struct automatic *a, const char *name)
{
	struct subject subject;
	int status = TOOL_OK;
	json_t *answer, *file;
	char why[ERR_LEN];

	if (!subject_look(&subject, name, why, sizeof(why))) {
		subject_free(&subject);
		return failed(a, why);
	}
	answer = answer_of(a, &subject, why, sizeof(why));
	if (answer) {
		file = compose(name, &subject, answer);
		if (a->array)
			json_array_append(a->array, file);
		else
			auto_show_file(file);
		json_decref(file);
		json_decref(answer);
	} else {
		status = failed(a, why);
	}
	subject_free(&subject);
	return status;
}

/* --- The command line. */

static bool parse_count(struct automatic *a, const char *value)
{
	char *end;

	a->observer.steps = strtol(value, &end, 10);
	return *value && !*end && a->observer.steps > 0 && a->observer.steps <= COUNT_MAX;
}

static int show(struct automatic *a, bool explains, char *const *operands)
{
	int status = TOOL_OK;

	if (!*operands)
		status = show_mounts(a, NULL);
	for (; *operands && !signals_ended(); operands++)
		status = tool_worse(status, explains ? explain(a, *operands) :
						       show_mounts(a, *operands));
	observe_end(&a->observer);
	if (a->array && print_json(explains ? "files" : "mounts", a->array))
		status = tool_worse(status, TOOL_WRITE);
	json_decref(a->array);
	return status;
}

static int auto_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "explain", no_argument, NULL, 'e' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "rules", required_argument, NULL, 'r' },
		{ "count", required_argument, NULL, 'c' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "json", no_argument, NULL, 'J' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct automatic a = {
		.observer = { .rules = RULES_FILE, .steps = 3 },
		.title = argv[0],
	};
	bool explains = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "enr:c:qJh", options, NULL)) != -1) {
		switch (c) {
		case 'e':
			explains = true;
			break;
		case 'n':
			break;
		case 'r':
			a.observer.rules = optarg;
			break;
		case 'c':
			if (!parse_count(&a, optarg))
				return tool_usage_error(argv[0],
							"count '%s': not a number from 1 to %d",
							name_shown(optarg), COUNT_MAX);
			break;
		case 'q':
			a.observer.quiet = true;
			break;
		case 'J':
			if (!a.array)
				a.array = json_new(json_array());
			break;
		case 'h':
			return tool_help(&auto_command);
		default:
			return tool_bad_option(argv[0], argv);
		}
	}
	if (explains && !argv[optind])
		return tool_usage_error(argv[0], "FILE missing");
	return show(&a, explains, argv + optind);
}

const struct tool_command auto_command = {
	.name = "auto",
	.title = "daxstack auto",
	.summary = "show what daxstackd does, or would do, and why",
	.help = auto_help,
	.run = auto_run,
};
