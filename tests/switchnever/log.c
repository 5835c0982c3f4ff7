// SPDX-License-Identifier: GPL-2.0-only
/*
 * switchnever: the results of each side, and their comparison.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "switchnever.h"

/**
 * struct entry - one result
 * @what: scene and description
 * @value: value seen
 * @expected: documented value, or ANY
 * @is_errno: @value and @expected are errnos
 */
struct entry {
	char *what;
	long long value;
	long long expected;
	bool is_errno;
};

struct log {
	struct entry *entries;
	size_t count;
};

struct log on_lower, on_stack;
struct log *log_now;
char *root;
char scene_name[64];

static void vsaw(bool is_errno, long long expected, long long value,
		 const char *what, va_list args)
{
	struct entry *entry;
	char *text;

	entry = reallocarray(log_now->entries, log_now->count + 1,
			     sizeof(*entry));
	if (!entry || vasprintf(&text, what, args) < 0)
		abort();
	log_now->entries = entry;
	entry += log_now->count++;
	entry->value = value;
	entry->expected = expected;
	entry->is_errno = is_errno;
	if (asprintf(&entry->what, "%s: %s", scene_name, text) < 0)
		abort();
	free(text);
}

void saw(long long expected, long long value, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	vsaw(false, expected, value, what, args);
	va_end(args);
}

void saw_errno(long long expected, int value, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	vsaw(true, expected, value, what, args);
	va_end(args);
}

static void show(const char *where, const struct entry *entry, long long value)
{
	if (value == ANY)
		dxs_diag("%s: (nothing)", where);
	else if (entry->is_errno)
		dxs_diag("%s: %s", where,
			 value ? strerrorname_np(value) : "success");
	else
		dxs_diag("%s: %lld (%#llx)", where, value, value);
}

void compare_logs(void)
{
	size_t i, count = on_lower.count;

	if (on_stack.count < count)
		count = on_stack.count;
	for (i = 0; i < count; i++) {
		const struct entry *a = &on_lower.entries[i];
		const struct entry *b = &on_stack.entries[i];

		if (strcmp(a->what, b->what))
			dxs_bail("the scenes diverge: '%s' on the lower fs, '%s' on the stack",
				 a->what, b->what);
		if (dxs_ok(a->value == b->value &&
			   (a->expected == ANY || a->expected == a->value),
			   "%s", a->what))
			continue;
		show("documented", a, a->expected);
		show("lower filesystem alone", a, a->value);
		show("stack", a, b->value);
	}
	dxs_is(on_lower.count, on_stack.count,
	       "same number of results on both sides");
}
