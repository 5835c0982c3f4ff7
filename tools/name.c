// SPDX-License-Identifier: GPL-2.0-only
/*
 * Escape file names for output. Their owners choose them: they may contain newlines and
 * control sequences for terminals.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "tool.h"

/* Limit; longer names are abbreviated in the middle. */
#define SHOWN_MAX	4096
#define ELLIPSIS	"[...]"

/* Characters that change the direction of the text after them. */
static bool is_direction_mark(wchar_t c)
{
	return c == 0x061c || (c >= 0x200e && c <= 0x200f) ||
		(c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Number of bytes at @s that need no escape, 0 if the first needs one. */
static size_t harmless(const char *s, size_t len)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n;

	/* Escape a backslash before x, so that it differs from an escape. */
	if (s[0] == '\\' && len > 1 && s[1] == 'x')
		return 0;
	/* ASCII is printable in all locales. */
	if (s[0] >= ' ' && s[0] <= '~')
		return 1;
	n = mbrtowc(&c, s, len, &state);
	if (n == (size_t)-1 || n == (size_t)-2 || !n)
		return 0;
	return iswprint(c) && !is_direction_mark(c) ? n : 0;
}

static char *show(char *to, const char *s, size_t len)
{
	size_t n;

	for (; len; s += n, len -= n) {
		n = harmless(s, len);
		if (n) {
			to = mempcpy(to, s, n);
		} else {
			to += sprintf(to, "\\x%02x", (unsigned char)*s);
			n = 1;
		}
	}
	return to;
}

/**
 * name_shown - escape a name for messages, in one line
 * @name: any bytes
 *
 * Bytes that are not printable in the locale, and a backslash before an x, become \xHH,
 * as in tables of libsmartcols.
 *
 * Return: the text, valid until the next call.
 */
const char *name_shown(const char *name)
{
	static char shown[4 * SHOWN_MAX + sizeof(ELLIPSIS)];
	size_t len = strlen(name);
	size_t half = len <= SHOWN_MAX ? len : SHOWN_MAX / 2;
	char *end = show(shown, name, half);

	if (half < len) {
		end = stpcpy(end, ELLIPSIS);
		end = show(end, name + len - half, half);
	}
	*end = 0;
	return shown;
}

/**
 * name_cell - escape a name for tables: as name_shown(), but never abbreviated
 * @name: any bytes
 * @width: set to its width in columns
 *
 * Return: allocated.
 */
char *name_cell(const char *name, size_t *width)
{
	size_t len = strlen(name);
	mbstate_t state = { 0 };
	const char *s;
	wchar_t c;
	char *cell;
	size_t n;

	/* Most names consist of these. */
	for (s = name; *s >= ' ' && *s <= '~' && *s != '\\'; s++)
		;
	cell = malloc((*s ? 4 : 1) * len + 1);
	if (!cell)
		err(TOOL_FAILED, "name");
	if (!*s) {
		*width = len;
		return memcpy(cell, name, len + 1);
	}
	*show(cell, name, len) = 0;
	*width = 0;
	for (s = cell; *s; s += n) {
		n = 1;
		if (*s >= ' ' && *s <= '~') {
			++*width;
			continue;
		}
		/* A printable character, see harmless(). */
		n = mbrtowc(&c, s, strlen(s), &state);
		if (n == (size_t)-1 || n == (size_t)-2 || !n)
			break;
		*width += wcwidth(c) > 0 ? wcwidth(c) : 0;
	}
	return cell;
}

/**
 * name_utf8_len - length of the first character in UTF-8
 * @name: any bytes
 *
 * Return: bytes, 0 if it is not valid UTF-8.
 */
size_t name_utf8_len(const char *name)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)name;
	unsigned int c, n, i;

	if (*s < 0x80)
		return 1;
	if (*s < 0xc2 || *s > 0xf4)
		return 0;
	n = *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
	c = *s & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

/**
 * name_utf8 - convert a name to UTF-8
 * @name: any bytes
 * @exact: set to whether it is valid UTF-8 already
 *
 * Bytes that belong to no character become U+FFFD.
 *
 * Return: allocated.
 */
char *name_utf8(const char *name, bool *exact)
{
	char *utf8 = malloc(3 * strlen(name) + 1);
	char *to = utf8;
	size_t n;

	if (!utf8)
		err(TOOL_FAILED, "name");
	*exact = true;
	for (; *name; name += n) {
		n = name_utf8_len(name);
		if (n) {
			to = mempcpy(to, name, n);
		} else {
			to = stpcpy(to, "\xef\xbf\xbd");
			*exact = false;
			n = 1;
		}
	}
	*to = 0;
	return utf8;
}

/**
 * name_hex - convert a name to hexadecimal, two digits per byte
 * @name: any bytes
 *
 * Return: allocated.
 */
char *name_hex(const char *name)
{
	char *hex = malloc(2 * strlen(name) + 1);
	char *to = hex;

	if (!hex)
		err(TOOL_FAILED, "name");
	*to = 0;
	for (; *name; name++)
		to += sprintf(to, "%02X", (unsigned char)*name);
	return hex;
}
