// SPDX-License-Identifier: GPL-2.0-only
/* Parse times on command lines. */
#include <ctype.h>

#include "tool.h"

/* Return: seconds of a unit; 0 if it is unknown. */
static double unit(char c)
{
	switch (c) {
	case 0:
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	}
	return 0;
}

/**
 * tool_seconds - parse a time
 * @text: decimal number, with a point in all locales, and an optional unit s, m, h or d
 * @most: upper limit; the lower limit is 0.1 s
 * @seconds: set to the time
 *
 * Return: whether @text is valid.
 */
bool tool_seconds(const char *text, double most, double *seconds)
{
	double value = 0, part = 1;
	const char *at = text;

	for (; isdigit((unsigned char)*at) && at - text < 15; at++)
		value = value * 10 + *at - '0';
	if (*at == '.' && at[1]) {
		for (at++; isdigit((unsigned char)*at); at++) {
			part /= 10;
			value += part * (*at - '0');
		}
	}
	value *= unit(*at);
	if (*at)
		at++;
	*seconds = value;
	return isdigit((unsigned char)*text) && !*at && value >= 0.1 && value <= most;
}
