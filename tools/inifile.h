/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Error handling shared by the two readers of INI files by inih: rules.c (the rules file)
 * and profile.c (profiles). Inline, so that either reader needs no other file.
 */
#ifndef DAXSTACK_INIFILE_H
#define DAXSTACK_INIFILE_H

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/**
 * struct ini_error - the first error of a file
 * @failed: there was an error
 * @line: its line, starting with 1; 0 for the file as a whole
 * @why: the cause and what to write
 */
struct ini_error {
	bool failed;
	int line;
	char why[512];
};

/**
 * ini_wrong - record an error, unless there was one before
 * @error: filled in
 * @line: its line
 * @format: as for printf, without a newline
 *
 * Return: 0, by which a handler tells inih to stop.
 */
static inline int __attribute__((format(printf, 3, 4)))
ini_wrong(struct ini_error *error, int line, const char *format, ...)
{
	va_list args;

	if (error->failed)
		return 0;
	error->failed = true;
	error->line = line;
	va_start(args, format);
	vsnprintf(error->why, sizeof(error->why), format, args);
	va_end(args);
	return 0;
}

/**
 * ini_make_harmless - replace control characters, because files are untrusted
 * @text: the text
 */
static inline void ini_make_harmless(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

/**
 * ini_put_error - format an error message, in one line and safe for terminals
 * @err: output
 * @len: size of @err
 * @path: name of the file
 * @line: line of the error, 0 for the file as a whole
 * @why: the error
 */
static inline void ini_put_error(char *err, size_t len, const char *path, int line,
				 const char *why)
{
	if (line)
		snprintf(err, len, "%s:%d: %s", path, line, why);
	else
		snprintf(err, len, "%s: %s", path, why);
	if (len)
		ini_make_harmless(err);
}

#endif /* DAXSTACK_INIFILE_H */
