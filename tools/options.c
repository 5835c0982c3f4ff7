// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack set, restore: the options that both have.
 */
#include <limits.h>
#include <string.h>

#include "set.h"
#include "tool.h"

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

/**
 * set_timeout - take the value of --timeout
 * @opt: where it goes
 * @title: the command
 * @value: as it was typed
 *
 * Return: false if it is none, which was told.
 */
bool set_timeout(struct set_options *opt, const char *title, const char *value)
{
	if (!strcmp(value, "inf")) {
		opt->timeout_ms = -1;
		return true;
	}
	if (parse_seconds(value, &opt->timeout_ms))
		return true;
	tool_usage_error(title,
			 "'%s' is no timeout: seconds from 0 to 2147483.647, or inf",
			 name_shown(value));
	return false;
}

/**
 * set_check - do the options go together?
 * @opt: the command line
 * @title: the command
 *
 * Return: TOOL_OK, or TOOL_USAGE, which was told.
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
