// SPDX-License-Identifier: GPL-2.0-only
/* daxstack set: the files to switch, from the command line and from --files-from. */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "set.h"
#include "tool.h"

/**
 * names_open - read names from a file, after those of the command line
 * @names: with @next set
 * @file: name of the file, "-" for standard input
 * @null: names in it end with NUL instead of a newline
 *
 * Return: false if it cannot be opened; the error was printed.
 */
bool names_open(struct names *names, const char *file, bool null)
{
	names->file = file;
	names->end = null ? 0 : '\n';
	names->from = strcmp(file, "-") ? fopen(file, "re") : stdin;
	if (names->from)
		return true;
	warn("%s", name_shown(file));
	return false;
}

static const char *failed(struct names *names, const char *why)
{
	names->status = TOOL_FAILED;
	warnx("%s: %s", name_shown(names->file), why);
	return NULL;
}

static const char *read_name(struct names *names)
{
	ssize_t len;

	errno = 0;
	len = getdelim(&names->buf, &names->size, names->end, names->from);
	/* A signal may have truncated the name. */
	if (signals_ended())
		return NULL;
	if (ferror(names->from))
		return failed(names, strerror(errno));
	if (len <= 0)
		return NULL;
	if (names->buf[len - 1] == names->end)
		names->buf[--len] = 0;
	if (strlen(names->buf) != (size_t)len)
		return failed(names, "NUL in a name: use --null for names that end with NUL");
	return names->buf;
}

/**
 * names_next - get the next name
 * @names: the names
 *
 * Return: NULL after the last one, or when a signal ends the program.
 */
const char *names_next(struct names *names)
{
	if (signals_ended())
		return NULL;
	if (*names->next)
		return *names->next++;
	return names->from ? read_name(names) : NULL;
}

/**
 * names_close - free what names_next() allocated
 * @names: not usable afterwards
 */
void names_close(struct names *names)
{
	if (names->from && names->from != stdin)
		fclose(names->from);
	free(names->buf);
}
