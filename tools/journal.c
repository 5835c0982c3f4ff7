// SPDX-License-Identifier: GPL-2.0-only
/*
 * Log messages of daxstackd: to the journal with fields for programs; without systemd,
 * to stderr.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daxstack.h"
#include "journal.h"
#include "tool.h"

enum { FIELDS = 16 };

/* Is stderr connected to the journal? systemd sets JOURNAL_STREAM. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
		!fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

/**
 * struct line - a log message
 * @fields: "NAME=value"
 * @nr: number of @fields
 */
struct line {
	struct iovec fields[FIELDS];
	int nr;
};

static void add(struct line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
	va_list args;
	char *field;
	int len;

	va_start(args, format);
	len = vasprintf(&field, format, args);
	va_end(args);
	if (len < 0)
		return;
	if (line->nr == FIELDS) {
		free(field);
		return;
	}
	line->fields[line->nr++] = (struct iovec){ field, (size_t)len };
}

/* The first field is the text. */
static void send_line(struct line *line, int priority)
{
	const char *text = strchr(line->fields[0].iov_base, '=') + 1;

	if (is_journal()) {
		add(line, "PRIORITY=%d", priority);
		add(line, "SYSLOG_IDENTIFIER=daxstackd");
		sd_journal_sendv(line->fields, line->nr);
	} else {
		fprintf(stderr, "daxstackd: %s\n", text);
	}
	while (line->nr)
		free(line->fields[--line->nr].iov_base);
}

/**
 * journal - log a message
 * @priority: LOG_*
 * @format: as for printf; names in it have to be escaped
 */
void journal(int priority, const char *format, ...)
{
	struct line line = { .nr = 0 };
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (!text)
		return;
	add(&line, "MESSAGE=%s", text);
	free(text);
	if (line.nr)
		send_line(&line, priority);
}

static char *shown(const char *name)
{
	return strdup(name_shown(name));
}

/* Format a gain: "gains 1.234 ms/s" or "costs ...". */
static void put_gain(char *text, size_t size, double gain)
{
	double ms = gain * 1000;

	/* A value that rounds to 0 has no sign. */
	snprintf(text, size, "%s %.3f ms/s", ms <= -0.0005 ? "costs" : "gains",
		 ms < 0 ? -ms : ms);
}

/* Why a move was refused: by the kernel, or because the file could not be opened. */
static const char *refusal(const struct tend_note *note)
{
	static char text[128];

	if (!note->error)
		return reason_text(note->refused);
	if (note->error == ENOSYS)
		return NO_PROC_TEXT;
	snprintf(text, sizeof(text), "cannot be opened: %s", note->error == EWOULDBLOCK ?
		 LEASE_TEXT : strerror(note->error));
	return text;
}

/**
 * journal_move - log that a file was moved, or why it was not
 * @tend: the mount
 * @note: the result
 *
 * Of consecutive refusals, only the first is logged.
 */
void journal_move(const struct tend *tend, const struct tend_note *note)
{
	struct line line = { .nr = 0 };
	char *file = shown(note->path), *rule = shown(note->rule ?: "");
	const char *target = tend_target(tend), *from = mode_name((unsigned int)note->from);
	const char *to = mode_name((unsigned int)note->to);
	const char *slash = target[1] ? "/" : "";
	char gain[64];

	if (!file || !rule)
		goto out;
	put_gain(gain, sizeof(gain), note->gain);
	if (note->planned)
		add(&line, "MESSAGE=%s%s%s: would go from %s to %s: %s (rule %s, %s)",
		    name_shown(target), slash, file, from, to, note->why, rule, gain);
	else if (note->refused)
		add(&line,
		    "MESSAGE=%s%s%s: stays %s, not switched to %s (%s; rule %s): %s; next attempt "
		    "in %.0f s",
		    name_shown(target), slash, file, from, to, note->why, rule,
		    refusal(note), (double)note->again_ns / 1e9);
	else
		add(&line,
		    "MESSAGE=%s%s%s: %s -> %s: %s (rule %s, %s); %llu pages written back, gates shut for %llu us",
		    name_shown(target), slash, file, from, to, note->why, rule, gain,
		    (unsigned long long)note->pages,
		    (unsigned long long)note->shut_ns / 1000);
	if (!line.nr || (note->refused && !note->first))
		goto out;
	/* Unescaped. */
	add(&line, "FILE=%s", note->path);
	add(&line, "MOUNT=%s", target);
	add(&line, "FROM=%s", from);
	add(&line, "TO=%s", to);
	add(&line, "GAIN=%.9f", note->gain);
	add(&line, "WHY=%s", note->why);
	add(&line, "RULE=%s", note->rule ?: "");
	if (note->refused)
		add(&line, "REFUSED=%s", reason_name(note->refused) ?: "unknown");
	send_line(&line, note->refused ? LOG_NOTICE : LOG_INFO);
out:
	while (line.nr)
		free(line.fields[--line.nr].iov_base);
	free(file);
	free(rule);
}
