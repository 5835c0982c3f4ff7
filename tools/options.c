// SPDX-License-Identifier: GPL-2.0-only
/* daxstack set, restore: their common options. */
#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "set.h"
#include "tool.h"

/*
 * Convert decimal seconds to milliseconds, rounded up so that a small value is not 0.
 * Not strtod(): it accepts nan, hex, signs and the locale's decimal point.
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

static bool set_timeout(struct set_options *opt, const char *title, const char *value)
{
	if (!strcmp(value, "inf")) {
		opt->timeout_ms = -1;
		return true;
	}
	if (parse_seconds(value, &opt->timeout_ms))
		return true;
	tool_usage_error(title,
			 "'%s' is not a timeout: use seconds from 0 to 2147483.647, or inf",
			 name_shown(value));
	return false;
}

/**
 * set_option - handle an option that set and restore share
 * @opt: filled in
 * @c: the option: t, n, J, q or v
 * @argv: of the command; the value of -t is in optarg
 *
 * Return: TOOL_OK, or TOOL_USAGE after printing the error.
 */
int set_option(struct set_options *opt, int c, char **argv)
{
	switch (c) {
	case 't':
		return set_timeout(opt, argv[0], optarg) ? TOOL_OK : TOOL_USAGE;
	case 'n':
		opt->dry_run = true;
		break;
	case 'J':
		opt->json = true;
		break;
	case 'q':
		opt->quiet = true;
		break;
	case 'v':
		opt->verbose = true;
		break;
	default:
		return tool_bad_option(argv[0], argv);
	}
	return TOOL_OK;
}

/**
 * set_check - check for options that exclude each other
 * @opt: the command line
 * @title: name of the command
 *
 * Return: TOOL_OK, or TOOL_USAGE after printing the error.
 */
int set_check(const struct set_options *opt, const char *title)
{
	if (opt->quiet && opt->verbose)
		return tool_usage_error(title,
					"--quiet and --verbose exclude each other");
	if (opt->json && opt->verbose)
		return tool_usage_error(title,
					"--json and --verbose exclude each other");
	return TOOL_OK;
}
