// SPDX-License-Identifier: GPL-2.0-only
/* Profiles: read, check and write them. See daxstack-profile(5). */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "inifile.h"
#include "profile.h"

enum { LINE_MIN = 64, LINE_MAX = 8192, WRAP_AT = 78 };

enum kind { WORD, TEXT, NUMBER };

#define AT(member)	offsetof(struct dxs_profile, member), \
			sizeof(((struct dxs_profile *)0)->member)
#define MEMORY(name)							\
	{ #name, "random_read_ns", NUMBER, AT(name.random_read_ps) },	\
	{ #name, "sequential_read_ns", NUMBER, AT(name.sequential_read_ps) }, \
	{ #name, "read_mb_s", NUMBER, AT(name.read_kb_s) },		\
	{ #name, "write_mb_s", NUMBER, AT(name.write_kb_s) },		\
	{ #name, "line_bytes", NUMBER, AT(name.line_bytes) },		\
	{ #name, "access_bytes", NUMBER, AT(name.access_bytes) }

/* In the order of output. */
static const struct field {
	const char *section;
	const char *key;
	enum kind kind;
	size_t offset;
	size_t size;
} fields[] = {
	{ "profile", "name", WORD, AT(name) },
	{ "profile", "description", TEXT, AT(description) },
	{ "profile", "source", TEXT, AT(source) },
	{ "cpu", "instruction_ns", NUMBER, AT(instruction_ps) },
	MEMORY(dram),
	MEMORY(pmem),
	{ "fsync", "dax_us", NUMBER, AT(fsync_dax_ns) },
	{ "fsync", "cached_us", NUMBER, AT(fsync_cached_ns) },
};

enum { FIELDS = sizeof(fields) / sizeof(*fields) };

static bool is_optional(const struct field *field)
{
	return !strcmp(field->section, "fsync");
}

/* These are whole numbers; all others are stored in thousandths. */
static bool is_bytes(const struct field *field)
{
	return strstr(field->key, "_bytes");
}

static char *text_of(const struct dxs_profile *p, const struct field *field)
{
	return (char *)p + field->offset;
}

static uint64_t *number_of(const struct dxs_profile *p, const struct field *field)
{
	return (uint64_t *)((char *)p + field->offset);
}

/* --- Consistency checks. */

static bool complain(char *err, size_t len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool complain(char *err, size_t len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err, len, format, args);
	va_end(args);
	if (len)
		ini_make_harmless(err);
	return false;
}

static bool is_power(uint64_t n)
{
	return n && !(n & (n - 1));
}

static bool memory_fits(const char *name, const struct dxs_memory *m, char *err,
			size_t len)
{
	uint64_t pieces;

	if (!is_power(m->line_bytes) || m->line_bytes < LINE_MIN ||
	    m->line_bytes > LINE_MAX)
		return complain(err, len, "[%s] line_bytes: write a power of two from %d to %d",
				name, LINE_MIN, LINE_MAX);
	if (!is_power(m->access_bytes) || m->access_bytes < LINE_MIN ||
	    m->access_bytes > m->line_bytes)
		return complain(err, len,
				"[%s] access_bytes: write a power of two from %d to line_bytes",
				name, LINE_MIN);
	if (!m->random_read_ps || !m->sequential_read_ps || !m->read_kb_s ||
	    !m->write_kb_s)
		return complain(err, len, "[%s]: write latencies and rates above 0",
				name);
	if (m->sequential_read_ps > m->random_read_ps)
		return complain(err, len,
				"[%s] sequential_read_ns is above random_read_ns: write at "
				"most the same",
				name);
	/*
	 * The first piece of an internal line takes a random read; the others share the
	 * rest.
	 */
	pieces = m->line_bytes / LINE_MIN;
	if (pieces * m->sequential_read_ps < m->random_read_ps)
		return complain(err, len,
				"[%s] sequential_read_ns: a line of line_bytes takes %llu such "
				"reads, together no less than random_read_ns",
				name, (unsigned long long)pieces);
	if (pieces == 1 && m->sequential_read_ps != m->random_read_ps)
		return complain(err, len,
				"[%s] line_bytes of %d has one piece: write a larger line, or "
				"the same for sequential_read_ns and random_read_ns",
				name, LINE_MIN);
	return true;
}

static bool text_fits(const struct field *field, const char *text, char *err,
		      size_t len)
{
	const char *c;

	if (!*text || strnlen(text, field->size) == field->size)
		return complain(err, len, "[%s] %s: write 1 to %zu characters",
				field->section, field->key, field->size - 1);
	for (c = text; *c; c++) {
		if (field->kind == WORD && !isalnum((unsigned char)*c) &&
		    !strchr("._-", *c))
			return complain(err, len, "[%s] %s: write letters, digits, dots, - and _",
					field->section, field->key);
		/* Text that the reader would strip or take for a comment. */
		if (iscntrl((unsigned char)*c) ||
		    (strchr(" ;#", *c) && (c == text || c[-1] == ' ')) ||
		    (*c == ' ' && !c[1]))
			return complain(err, len,
					"[%s] %s: write words with one blank between them, none of "
					"which begins with ; or #",
					field->section, field->key);
	}
	return true;
}

static bool fits(const struct dxs_profile *p, char *err, size_t len)
{
	const struct field *field;

	for (field = fields; field < fields + FIELDS; field++)
		if (field->kind != NUMBER &&
		    !text_fits(field, text_of(p, field), err, len))
			return false;
	if (!p->instruction_ps)
		return complain(err, len, "[cpu] instruction_ns: write a time above 0");
	return memory_fits("dram", &p->dram, err, len) &&
		memory_fits("pmem", &p->pmem, err, len);
}

int dxs_profile_check(const struct dxs_profile *p, char *err, size_t len)
{
	return fits(p, err, len) ? 0 : -1;
}

/* --- Reading. */

struct reading {
	FILE *file;
	char *line;
	size_t size;
	int number;		/* of the line, starting with 1 */
	bool goes_on;		/* the line continues the value before */
	int last;		/* index of the last field, -1 if there is none */
	bool seen[FIELDS];
	struct dxs_profile *p;
	struct ini_error error;
};

#define wrong(r, ...)	ini_wrong(&(r)->error, (r)->number, __VA_ARGS__)

static bool is_section(const char *name, size_t len)
{
	int i;

	for (i = 0; i < FIELDS; i++)
		if (strlen(fields[i].section) == len &&
		    !strncmp(fields[i].section, name, len))
			return true;
	return false;
}

/* Reader for inih, which reports neither line numbers nor empty sections. */
static char *next_line(char *buf, int num, void *data)
{
	struct reading *r = data;
	ssize_t len;

	if (r->error.failed)
		return NULL;
	len = getline(&r->line, &r->size, r->file);
	if (len < 0)
		return NULL;
	r->number++;
	r->goes_on = r->line[0] == ' ' || r->line[0] == '\t';
	if (strlen(r->line) != (size_t)len) {
		wrong(r, "NUL in the line: write text");
		return NULL;
	}
	if (len >= num - 2) {
		wrong(r,
		      "the line is too long: write at most %d characters, and continue "
		      "in the next line, which begins with a blank",
		      num - 4);
		return NULL;
	}
	if (r->line[0] == '[') {
		size_t name = strcspn(r->line + 1, "]\n");

		r->last = -1;
		if (r->line[1 + name] == ']' && !is_section(r->line + 1, name))
			wrong(r,
			      "unknown section [%.*s]: write one of [profile] [cpu] [dram] "
			      "[pmem] [fsync]",
			      (int)name, r->line + 1);
	}
	return strcpy(buf, r->line);
}

/* Parse thousandths, or a whole number. */
static bool to_number(const char *text, bool thousandths, uint64_t *number)
{
	uint64_t n = 0;
	int before = 0, after = 0;

	for (; isdigit((unsigned char)*text); text++, before++)
		n = n * 10 + (uint64_t)(*text - '0');
	if (*text == '.' && thousandths)
		for (text++; isdigit((unsigned char)*text); text++, after++)
			n = n * 10 + (uint64_t)(*text - '0');
	if (*text || !before || before > 9 || after > 3)
		return false;
	for (; thousandths && after < 3; after++)
		n *= 10;
	*number = n;
	return true;
}

static int take_text(struct reading *r, const struct field *field, const char *value)
{
	char *to = text_of(r->p, field);
	size_t have = r->goes_on ? strlen(to) : 0;

	if (snprintf(to + have, field->size - have, "%s%s", have ? " " : "", value) >=
	    (int)(field->size - have))
		return wrong(r, "%s is too long: write at most %zu characters",
			     field->key, field->size - 1);
	return 1;
}

static int take(void *data, const char *section, const char *key, const char *value)
{
	struct reading *r = data;
	const struct field *field;
	int i;

	for (i = 0; i < FIELDS; i++)
		if (!strcmp(fields[i].section, section) && !strcmp(fields[i].key, key))
			break;
	field = &fields[i];
	if (!*section)
		return wrong(r, "%s is before the first section: write [profile] before it",
			     key);
	if (i == FIELDS)
		return wrong(r,
			     "unknown key %s in [%s]: remove it, or see daxstack-profile(5) "
			     "for the valid keys",
			     key, section);
	if (r->goes_on && r->last != i)
		return wrong(r,
			     "the line begins with a blank, but continues no value: "
			     "remove the blank");
	if (r->goes_on && field->kind != TEXT)
		return wrong(r,
			     "%s is one word: remove this line, or the blank that it begins "
			     "with",
			     key);
	if (r->seen[i] && !r->goes_on)
		return wrong(r, "%s in [%s] is given twice: remove one", key, section);
	r->seen[i] = true;
	r->last = i;
	if (field->kind != NUMBER)
		return take_text(r, field, value);
	if (is_bytes(field)) {
		if (!to_number(value, false, number_of(r->p, field)))
			return wrong(r, "%s=%s: write a number of bytes", key, value);
	} else if (!to_number(value, true, number_of(r->p, field))) {
		return wrong(r,
			     "%s=%s: write a number below 1000000000, with up to three "
			     "decimals",
			     key, value);
	}
	return 1;
}

static void look_for_missing(struct reading *r)
{
	int i;

	for (i = 0; i < FIELDS; i++)
		r->p->has_fsync |= is_optional(&fields[i]) && r->seen[i];
	for (i = 0; i < FIELDS; i++) {
		if (r->seen[i] || (is_optional(&fields[i]) && !r->p->has_fsync))
			continue;
		wrong(r, "%s is missing: write %s=%s below [%s]", fields[i].key,
		      fields[i].key, fields[i].kind == NUMBER ? "NUMBER" : "TEXT",
		      fields[i].section);
		r->error.line = 0;
		return;
	}
}

static void read_all(struct reading *r)
{
	int at = ini_parse_stream(next_line, r, take, r);

	if (ferror(r->file)) {
		wrong(r, "%s", strerror(errno));
		r->error.line = 0;
	}
	/* inih stopped without an error of ours: the line has invalid syntax. */
	if (at && (!r->error.failed || r->error.line > at)) {
		r->error.failed = false;
		wrong(r, "neither [SECTION] nor KEY=VALUE: write one of these, or a # before it");
		r->error.line = at > 0 ? at : 0;
	}
	if (!r->error.failed)
		look_for_missing(r);
	if (!r->error.failed && !fits(r->p, r->error.why, sizeof(r->error.why))) {
		r->error.failed = true;
		r->error.line = 0;
	}
}

int dxs_profile_read(const char *path, struct dxs_profile *p, char *err, size_t len)
{
	struct reading r = { .p = p, .last = -1 };

	memset(p, 0, sizeof(*p));
	r.file = fopen(path, "re");
	if (!r.file) {
		ini_put_error(err, len, path, 0, strerror(errno));
		return -1;
	}
	read_all(&r);
	fclose(r.file);
	free(r.line);
	if (!r.error.failed)
		return 0;
	ini_put_error(err, len, path, r.error.line, r.error.why);
	return -1;
}

/* --- Writing. */

static void write_text(FILE *file, const char *key, const char *text)
{
	int column = fprintf(file, "%s=", key);
	bool first = true;

	while (*text) {
		int word = (int)strcspn(text, " ");

		if (!first && column + 1 + word > WRAP_AT)
			column = fprintf(file, "\n\t%.*s", word, text) + 6;
		else
			column += fprintf(file, "%s%.*s", first ? "" : " ", word, text);
		first = false;
		text += word;
		text += *text == ' ';
	}
	fputc('\n', file);
}

static void write_number(FILE *file, const struct field *field, uint64_t n)
{
	int decimals = 3;

	if (is_bytes(field)) {
		fprintf(file, "%s=%llu\n", field->key, (unsigned long long)n);
		return;
	}
	fprintf(file, "%s=%llu", field->key, (unsigned long long)n / 1000);
	for (n %= 1000; n && !(n % 10); n /= 10)
		decimals--;
	if (n)
		fprintf(file, ".%0*llu", decimals, (unsigned long long)n);
	fputc('\n', file);
}

int dxs_profile_write(FILE *file, const struct dxs_profile *p)
{
	const struct field *field;
	const char *section = "";
	char why[256];

	if (!fits(p, why, sizeof(why))) {
		errno = EINVAL;
		return -1;
	}
	for (field = fields; field < fields + FIELDS; field++) {
		if (is_optional(field) && !p->has_fsync)
			continue;
		if (strcmp(section, field->section)) {
			fprintf(file, "%s[%s]\n", *section ? "\n" : "", field->section);
			section = field->section;
		}
		if (field->kind == NUMBER)
			write_number(file, field, *number_of(p, field));
		else
			write_text(file, field->key, text_of(p, field));
	}
	return fflush(file) || ferror(file) ? -1 : 0;
}
