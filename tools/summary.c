// SPDX-License-Identifier: GPL-2.0-only
/* daxstack set --recursive, restore: summary of the results for many files. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "set.h"
#include "tool.h"

/**
 * struct summary_reason - number of files refused for a reason
 * @text: the reason in words
 * @count: number of files
 */
struct summary_reason {
	char *text;
	unsigned long long count;
};

/* There are few reasons; they are identified by their text. */
static struct summary_reason *find_reason(struct summary *summary, const char *text)
{
	struct summary_reason *reason;
	size_t i;

	for (i = 0; i < summary->nr_reasons; i++)
		if (!strcmp(summary->reasons[i].text, text))
			return &summary->reasons[i];
	summary->reasons = reallocarray(summary->reasons, i + 1, sizeof(*reason));
	if (!summary->reasons)
		err(TOOL_FAILED, "summary");
	reason = &summary->reasons[summary->nr_reasons++];
	*reason = (struct summary_reason){ .text = strdup(text) };
	if (!reason->text)
		err(TOOL_FAILED, "summary");
	return reason;
}

/**
 * summary_add - count the result for a file or directory
 * @summary: initially all zero
 * @result: the result
 */
void summary_add(struct summary *summary, const struct set_result *result)
{
	summary->outcomes[result->outcome]++;
	if (result->outcome == SET_REFUSED)
		find_reason(summary, result->why)->count++;
}

/* Most frequent first. */
static int compare_reasons(const void *a, const void *b)
{
	const struct summary_reason *x = a;
	const struct summary_reason *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->text, y->text);
}

static void print_reasons(struct summary *summary)
{
	int width;
	size_t i;

	if (!summary->nr_reasons)
		return;
	qsort(summary->reasons, summary->nr_reasons, sizeof(*summary->reasons),
	      compare_reasons);
	width = snprintf(NULL, 0, "%llu", summary->reasons[0].count);
	for (i = 0; i < summary->nr_reasons; i++)
		printf("  %*llu  %s\n", width, summary->reasons[i].count,
		       summary->reasons[i].text);
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
 * summary_print - print the summary to stdout
 * @summary: the counts
 * @opt: the command line
 *
 * Counts of zero are omitted, except the first.
 */
void summary_print(struct summary *summary, const struct set_options *opt)
{
	const unsigned long long *outcomes = summary->outcomes;

	printf("%s %llu", opt->dry_run ? "would be switched" : "switched",
	       outcomes[SET_SWITCHED]);
	if (outcomes[SET_ALREADY])
		printf(", already %s %llu", already(opt),
		       outcomes[SET_ALREADY]);
	if (outcomes[SET_REFUSED])
		printf(", refused %llu", outcomes[SET_REFUSED]);
	putchar('\n');
	print_reasons(summary);
	print_unless_zero(opt->dry_run ?
			  "flag would be set, effective when next loaded" :
			  "flag set, effective when next loaded",
			  outcomes[SET_DEFERRED]);
	print_unless_zero("directories", outcomes[SET_DIRECTORY]);
	print_unless_zero("no mode (symlinks, devices, ...)",
			  outcomes[SET_SKIPPED]);
	print_unless_zero("skipped, mount points in the tree",
			  outcomes[SET_ELSEWHERE]);
}

/**
 * summary_free - free what summary_add() allocated
 * @summary: not usable afterwards
 */
void summary_free(struct summary *summary)
{
	while (summary->nr_reasons)
		free(summary->reasons[--summary->nr_reasons].text);
	free(summary->reasons);
}
