// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack set: what came of many files, in a few lines.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "set.h"
#include "tool.h"

/**
 * struct tally_reason - how many files were refused for a reason
 * @text: the reason in words
 * @count: the files
 */
struct tally_reason {
	char *text;
	unsigned long long count;
};

/* There are few reasons; the text is what makes them different. */
static struct tally_reason *find_reason(struct tally *tally, const char *text)
{
	struct tally_reason *reason;
	size_t i;

	for (i = 0; i < tally->nr_reasons; i++)
		if (!strcmp(tally->reasons[i].text, text))
			return &tally->reasons[i];
	tally->reasons = reallocarray(tally->reasons, i + 1, sizeof(*reason));
	if (!tally->reasons)
		err(TOOL_FAILED, "summary");
	reason = &tally->reasons[tally->nr_reasons++];
	*reason = (struct tally_reason){ .text = strdup(text) };
	if (!reason->text)
		err(TOOL_FAILED, "summary");
	return reason;
}

/**
 * tally_add - count one file or directory
 * @tally: all zero at first
 * @result: what came of it
 */
void tally_add(struct tally *tally, const struct set_result *result)
{
	tally->outcomes[result->outcome]++;
	if (result->outcome == SET_REFUSED)
		find_reason(tally, result->why)->count++;
}

/* The most frequent first. */
static int compare_reasons(const void *a, const void *b)
{
	const struct tally_reason *x = a;
	const struct tally_reason *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->text, y->text);
}

static void print_reasons(struct tally *tally)
{
	int width;
	size_t i;

	if (!tally->nr_reasons)
		return;
	qsort(tally->reasons, tally->nr_reasons, sizeof(*tally->reasons),
	      compare_reasons);
	width = snprintf(NULL, 0, "%llu", tally->reasons[0].count);
	for (i = 0; i < tally->nr_reasons; i++)
		printf("  %*llu  %s\n", width, tally->reasons[i].count,
		       tally->reasons[i].text);
}

static void print_unless_zero(const char *what, unsigned long long count)
{
	if (count)
		printf("%s: %llu\n", what, count);
}

static const char *already(const struct set_options *opt)
{
	return opt->restores ? "as listed" : mode_name(opt->mode);
}

/**
 * tally_print - print the summary to stdout
 * @tally: what was counted
 * @opt: the command line
 *
 * All but the first number is left out where it is zero.
 */
void tally_print(struct tally *tally, const struct set_options *opt)
{
	const unsigned long long *outcomes = tally->outcomes;

	printf("%s %llu", opt->dry_run ? "would be switched" : "switched",
	       outcomes[SET_SWITCHED]);
	if (outcomes[SET_ALREADY])
		printf(", already %s %llu", already(opt),
		       outcomes[SET_ALREADY]);
	if (outcomes[SET_REFUSED])
		printf(", refused %llu", outcomes[SET_REFUSED]);
	putchar('\n');
	print_reasons(tally);
	print_unless_zero(opt->dry_run ?
			  "flag would be set, acts when next loaded" :
			  "flag set, acts when next loaded",
			  outcomes[SET_DEFERRED]);
	print_unless_zero("directories", outcomes[SET_DIRECTORY]);
	print_unless_zero("no mode (symlinks, devices, ...)",
			  outcomes[SET_SKIPPED]);
	print_unless_zero("left out, mounted in the tree",
			  outcomes[SET_ELSEWHERE]);
}

/**
 * tally_free - free what tally_add() allocated
 * @tally: not used again
 */
void tally_free(struct tally *tally)
{
	while (tally->nr_reasons)
		free(tally->reasons[--tally->nr_reasons].text);
	free(tally->reasons);
}
