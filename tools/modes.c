// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of modes that 'daxstack save' writes and 'daxstack restore' reads;
 * daxstack-save(1) describes it.
 *
 *	# daxstack modes 1
 *	dax directory db
 *	dax file db/table
 *	cached file db/log\0121
 *	# end
 */
#include <stdlib.h>
#include <string.h>

#include "daxstack.h"
#include "modes.h"
#include "tool.h"

#define HEADER	"# daxstack modes "
#define VERSION_NOW	"1"
#define END	"# end"

/**
 * modes_put_header - print the first line of a list
 */
void modes_put_header(void)
{
	puts(HEADER VERSION_NOW);
}

/**
 * modes_put_end - print the last line of a list
 */
void modes_put_end(void)
{
	puts(END);
}

/*
 * Characters of two or three bytes that control terminals or change the direction of
 * text: U+0080 to U+009F, U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069.
 */
static bool is_control(const char *s, size_t len)
{
	const unsigned char *c = (const unsigned char *)s;

	if (len == 2)
		return (c[0] == 0xc2 && c[1] < 0xa0) ||
			(c[0] == 0xd8 && c[1] == 0x9c);
	if (len != 3 || c[0] != 0xe2)
		return false;
	if (c[1] == 0x80)
		return (c[2] >= 0x8e && c[2] <= 0x8f) ||
			(c[2] >= 0xa8 && c[2] <= 0xae);
	return c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9;
}

/* Number of bytes at @s that need no escape, 0 if the first needs one. */
static size_t plain(const char *s, bool first)
{
	size_t len = name_utf8_len(s);

	if (len > 1)
		return is_control(s, len) ? 0 : len;
	if (!len || *s < ' ' || *s == '\\' || *s == 0x7f)
		return 0;
	/* Editors strip blanks at the end of a line. */
	if (*s == ' ' && (first || !s[1]))
		return 0;
	return 1;
}

static void put_name(const char *name)
{
	const char *s;
	size_t len;

	for (s = name; *s; s += len) {
		len = plain(s, s == name);
		if (len) {
			fwrite(s, 1, len, stdout);
		} else {
			printf("\\%03o", (unsigned char)*s);
			len = 1;
		}
	}
}

/**
 * modes_put - print a line of a list
 * @entry: the file and its mode
 */
void modes_put(const struct mode_entry *entry)
{
	printf("%s %s ", mode_name(entry->mode),
	       entry->directory ? "directory" : "file");
	put_name(entry->name);
	putchar('\n');
}

/**
 * modes_check_header - check the first line of a list
 * @line: without its newline
 *
 * Return: NULL if it is valid, else the error.
 */
const char *modes_check_header(const char *line)
{
	if (strncmp(line, HEADER, strlen(HEADER)))
		return "not a list of modes: its first line is not '" HEADER
			VERSION_NOW "'";
	if (strcmp(line + strlen(HEADER), VERSION_NOW))
		return "a list of another version: this daxstack reads version "
			VERSION_NOW;
	return NULL;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Decode \ooo in place. Return: false after any other use of a backslash. */
static bool unescape(char *name)
{
	char *to = name;
	int byte;

	for (; *name; name++) {
		if (*name != '\\') {
			*to++ = *name;
			continue;
		}
		if (!is_octal(name[1]) || !is_octal(name[2]) ||
		    !is_octal(name[3]))
			return false;
		byte = (name[1] - '0') * 64 + (name[2] - '0') * 8 +
			name[3] - '0';
		if (!byte || byte > 0xff)
			return false;
		*to++ = byte;
		name += 3;
	}
	*to = 0;
	return true;
}

/* Consume @word and a blank at the front of @line. */
static bool take(char **line, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*line, word, len) || (*line)[len] != ' ')
		return false;
	*line += len + 1;
	return true;
}

/**
 * modes_parse - parse a line of a list
 * @line: without its newline; modified
 * @entry: filled in for MODES_ENTRY; points into @line
 */
enum modes_line modes_parse(char *line, struct mode_entry *entry)
{
	if (!strcmp(line, END))
		return MODES_END;
	if (*line == '#' || !*line)
		return MODES_COMMENT;
	if (take(&line, "dax"))
		entry->mode = DAXSTACK_DAX;
	else if (take(&line, "cached"))
		entry->mode = DAXSTACK_CACHED;
	else
		return MODES_WRONG;
	entry->directory = take(&line, "directory");
	if (!entry->directory && !take(&line, "file"))
		return MODES_WRONG;
	entry->name = line;
	return *line && unescape(line) ? MODES_ENTRY : MODES_WRONG;
}
