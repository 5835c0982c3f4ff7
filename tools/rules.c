// SPDX-License-Identifier: GPL-2.0-only
/* Read and check the rules file. See daxstack-rules(5). */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inifile.h"
#include "rules.h"

#define NS_PER_MS	1000000ULL
#define MINUTES_PER_DAY	(24 * 60)

/* Defaults of a mount section. */
#define INTERVAL_NS	(10000 * NS_PER_MS)
#define MAX_SWITCHES	60
#define MAX_FLUSH	(256ULL << 20)

enum { INTERVAL_MIN_MS = 100, INTERVAL_MAX_MS = 3600 * 1000, SWITCHES_LIMIT = 100000 };

enum section { NO_SECTION, MOUNT, RULE };

enum key {
	BUDGET, INTERVAL, SWITCHES, FLUSH, PROFILE,
	PATH, OWNER, MODE, MIN_SIZE, QUIET,
	KEYS
};

static const struct {
	const char *name;
	enum section section;
	bool is_list;
} keys[KEYS] = {
	[BUDGET] = { "budget", MOUNT, false },
	[INTERVAL] = { "interval", MOUNT, false },
	[SWITCHES] = { "max_switches_per_minute", MOUNT, false },
	[FLUSH] = { "max_flush_per_minute", MOUNT, false },
	[PROFILE] = { "profile", MOUNT, false },
	[PATH] = { "path", RULE, true },
	[OWNER] = { "owner", RULE, true },
	[MODE] = { "mode", RULE, false },
	[MIN_SIZE] = { "min_size", RULE, false },
	[QUIET] = { "quiet", RULE, true },
};

static const char *const mode_names[] = {
	[RULES_AUTO] = "auto",
	[RULES_DAX] = "dax",
	[RULES_CACHED] = "cached",
	[RULES_LEAVE] = "leave",
};

enum { MODES = sizeof(mode_names) / sizeof(*mode_names) };

const char *rules_mode_name(enum rules_mode mode)
{
	return mode_names[mode];
}

/**
 * struct reading - state of the reader
 * @file: the file
 * @line: the current line
 * @size: allocated size of @line
 * @number: of the line, starting with 1
 * @goes_on: the line continues the value before
 * @section: the current section
 * @seen: keys that were given in the section
 * @rules: filled in
 * @mount: the last one
 * @rule: the last one, if @section is RULE
 * @error: the first error
 */
struct reading {
	FILE *file;
	char *line;
	size_t size;
	int number;
	bool goes_on;
	enum section section;
	bool seen[KEYS];
	struct rules *rules;
	struct rules_mount *mount;
	struct rule *rule;
	struct ini_error error;
};

#define wrong(r, ...)	ini_wrong(&(r)->error, (r)->number, __VA_ARGS__)

static int out_of_memory(struct reading *r)
{
	return wrong(r, "out of memory");
}

/* Append a zeroed element. Return: NULL without memory. */
static void *grow(void **array, size_t *nr, size_t size)
{
	char *larger = reallocarray(*array, *nr + 1, size);

	if (!larger)
		return NULL;
	*array = larger;
	return memset(larger + size * (*nr)++, 0, size);
}

/* --- Sections. */

/* Decode \NNN in place, as in fstab(5). */
static bool unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text != '\\') {
			*to++ = *text;
			continue;
		}
		if (text[1] < '0' || text[1] > '3' || text[2] < '0' || text[2] > '7' ||
		    text[3] < '0' || text[3] > '7')
			return false;
		*to = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
			     (text[3] - '0'));
		if (!*to++)
			return false;
		text += 3;
	}
	*to = 0;
	return true;
}

/* No component is empty, "." or "..". */
static bool is_plain_path(const char *path)
{
	size_t len;

	for (;; path += len + 1) {
		len = strcspn(path, "/");
		if (!len || (len == 1 && *path == '.') ||
		    (len == 2 && !strncmp(path, "..", 2)))
			return false;
		if (!path[len])
			return true;
	}
}

/* Check that the section that ends here is complete. */
static bool is_whole(struct reading *r)
{
	if (r->section == MOUNT && !r->seen[BUDGET])
		wrong(r,
		      "[mount %s] has no budget: write one below it, as budget = 25%% or "
		      "budget = 8G",
		      r->mount->target);
	else if (r->section == RULE && !r->seen[MODE])
		wrong(r,
		      "[rule %s] has no mode: write mode = auto, dax, cached or leave "
		      "below it",
		      r->rule->name);
	else
		return true;
	r->error.line = r->section == MOUNT ? r->mount->line : r->rule->line;
	return false;
}

static int begin_mount(struct reading *r, char *target)
{
	size_t len;

	if (!unescape(target))
		return wrong(r,
			     "a backslash in a mount point begins three octal digits: write "
			     "\\134 for itself");
	len = strlen(target);
	while (len > 1 && target[len - 1] == '/')
		target[--len] = 0;
	if (*target != '/' || (target[1] && !is_plain_path(target + 1)))
		return wrong(r,
			     "[mount %s]: write the absolute path of the mount point, see "
			     "findmnt(8)",
			     target);
	if (rules_mount(r->rules, target))
		return wrong(r, "[mount %s] is given twice: write one", target);
	r->mount = grow((void **)&r->rules->mounts, &r->rules->nr_mounts,
			sizeof(*r->mount));
	if (!r->mount)
		return out_of_memory(r);
	r->mount->target = strdup(target);
	r->mount->line = r->number;
	r->mount->interval_ns = INTERVAL_NS;
	r->mount->max_switches = MAX_SWITCHES;
	r->mount->max_flush = MAX_FLUSH;
	r->section = MOUNT;
	return r->mount->target ? 1 : out_of_memory(r);
}

static int begin_rule(struct reading *r, const char *name)
{
	size_t i;

	if (!r->mount)
		return wrong(r, "[rule %s] has no mount: write [mount DIRECTORY] before it",
			     name);
	if (!*name)
		return wrong(r,
			     "the rule has no name: write [rule "
			     "NAME]");
	for (i = 0; i < r->mount->nr_rules; i++)
		if (!strcmp(r->mount->rules[i].name, name))
			return wrong(r, "[rule %s] is given twice: write another name",
				     name);
	r->rule = grow((void **)&r->mount->rules, &r->mount->nr_rules,
		       sizeof(*r->rule));
	if (!r->rule)
		return out_of_memory(r);
	r->rule->name = strdup(name);
	r->rule->line = r->number;
	r->section = RULE;
	return r->rule->name ? 1 : out_of_memory(r);
}

/* Strip blanks around the name in a section header. */
static char *named(char *text)
{
	char *end;

	text += strspn(text, " \t");
	for (end = text + strlen(text); end > text && strchr(" \t", end[-1]); end--)
		;
	*end = 0;
	return text;
}

/* inih truncates the names of sections, and does not report empty sections. */
static int begin_section(struct reading *r, const char *line)
{
	size_t len = strcspn(line, "]\r\n");
	char *header = strndup(line, len), *rest;
	size_t word;
	int ok;

	if (!header)
		return out_of_memory(r);
	rest = header + (word = strcspn(header, " \t"));
	if (line[len] != ']')
		ok = wrong(r, "the section lacks its ]: write [mount DIRECTORY] or [rule NAME]");
	else if (!is_whole(r))
		ok = 0;
	else if (word == 5 && !strncmp(header, "mount", 5))
		ok = begin_mount(r, named(rest));
	else if (word == 4 && !strncmp(header, "rule", 4))
		ok = begin_rule(r, named(rest));
	else
		ok = wrong(r,
			   "unknown section [%s]: write [mount DIRECTORY] or [rule NAME]",
			   header);
	free(header);
	memset(r->seen, 0, sizeof(r->seen));
	return ok;
}

static bool is_blank(const char *line)
{
	return !line[strspn(line, " \t\r\n")];
}

/* Reader for inih, which does not report line numbers. */
static char *next_line(char *buf, int num, void *data)
{
	struct reading *r = data;
	char *line;
	ssize_t len;

	if (r->error.failed)
		return NULL;
	len = getline(&r->line, &r->size, r->file);
	if (len < 0)
		return NULL;
	line = r->line;
	if (!r->number++ && !strncmp(line, "\xef\xbb\xbf", 3)) {
		line += 3;
		len -= 3;
	}
	r->goes_on = *line == ' ' || *line == '\t';
	if (strlen(line) != (size_t)len)
		wrong(r, "NUL in the line: write text");
	else if (len >= num - 2)
		wrong(r, "the line is too long: write at most %d characters", num - 4);
	else if (*line == '[')
		begin_section(r, line + 1);
	else if (r->goes_on && !is_blank(line) && line[strspn(line, " \t")] == '[')
		wrong(r, "blank before the section: remove it");
	return r->error.failed ? NULL : strcpy(buf, line);
}

/* --- Values. */

/* Parse digits. Return: false if there are none or too many; @rest is what follows. */
static bool to_number(const char *text, uint64_t *number, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	*rest = end;
	return !errno;
}

static bool to_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *rest, *unit;
	int shift;

	if (!to_number(text, bytes, &rest))
		return false;
	if (!*rest)
		return true;
	unit = strchr(units, toupper((unsigned char)*rest));
	if (!unit || rest[1])
		return false;
	shift = 10 * (int)(unit - units + 1);
	if (*bytes > UINT64_MAX >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

static int take_budget(struct reading *r, const char *value)
{
	const char *rest;
	uint64_t n;

	if (to_number(value, &n, &rest) && !strcmp(rest, "%") && n >= 1 && n <= 100) {
		r->mount->budget_percent = (unsigned int)n;
		return 1;
	}
	if (to_size(value, &r->mount->budget))
		return 1;
	return wrong(r,
		     "budget = %s: write bytes, optionally with a suffix K, M, G or T, "
		     "or 1%% to 100%% of the memory",
		     value);
}

static int take_interval(struct reading *r, const char *value)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "min", 60000 },
	};
	const char *rest;
	uint64_t n;
	size_t i;

	if (to_number(value, &n, &rest) && n <= INTERVAL_MAX_MS)
		for (i = 0; i < sizeof(units) / sizeof(*units); i++)
			if (!strcmp(rest + strspn(rest, " "), units[i].name) &&
			    n * units[i].ms >= INTERVAL_MIN_MS &&
			    n * units[i].ms <= INTERVAL_MAX_MS) {
				r->mount->interval_ns = n * units[i].ms * NS_PER_MS;
				return 1;
			}
	return wrong(r, "interval = %s: write a time from 100ms to 60min, as 10s", value);
}

static int take_switches(struct reading *r, const char *value)
{
	const char *rest;
	uint64_t n;

	if (!to_number(value, &n, &rest) || *rest || n > SWITCHES_LIMIT)
		return wrong(r, "max_switches_per_minute = %s: write a number up to %d",
			     value, SWITCHES_LIMIT);
	r->mount->max_switches = (unsigned int)n;
	return 1;
}

static int take_size(struct reading *r, const char *key, const char *value,
		     uint64_t *bytes)
{
	if (to_size(value, bytes))
		return 1;
	return wrong(r,
		     "%s = %s: write a number of bytes, optionally with a suffix K, M, G or "
		     "T",
		     key, value);
}

static int take_profile(struct reading *r, const char *value)
{
	if (!*value || (*value != '/' && strchr(value, '/')) || value[0] == '.')
		return wrong(r,
			     "profile = %s: write the name of a profile of daxstack, as "
			     "optane-dc, or an absolute path",
			     value);
	r->mount->profile = strdup(value);
	return r->mount->profile ? 1 : out_of_memory(r);
}

static int take_path(struct reading *r, const char *value)
{
	char **path;

	value += *value == '/';
	if (*value && value[strlen(value) - 1] == '/')
		return wrong(r, "path = %s: write %s** for all that is in a directory",
			     value, value);
	if (!is_plain_path(value))
		return wrong(r,
			     "path = %s: write a pattern for paths below the mount, as "
			     "base/** or **/*.db, without . and ..",
			     value);
	path = grow((void **)&r->rule->paths, &r->rule->nr_paths, sizeof(*path));
	if (path)
		*path = strdup(value);
	return path && *path ? 1 : out_of_memory(r);
}

static bool to_uid(const char *value, uid_t *uid)
{
	const struct passwd *passwd;
	const char *rest;
	uint64_t n;

	if (to_number(value, &n, &rest) && !*rest) {
		*uid = (uid_t)n;
		return n < (uid_t)-1;
	}
	passwd = getpwnam(value);
	if (passwd)
		*uid = passwd->pw_uid;
	return passwd;
}

static int take_owner(struct reading *r, const char *value)
{
	uid_t *owner = grow((void **)&r->rule->owners, &r->rule->nr_owners,
			    sizeof(*owner));

	if (!owner)
		return out_of_memory(r);
	if (!to_uid(value, owner))
		return wrong(r,
			     "owner = %s: no such user: write a name that 'getent "
			     "passwd' shows, or a number",
			     value);
	return 1;
}

static int take_mode(struct reading *r, const char *value)
{
	int i;

	for (i = 0; i < MODES; i++) {
		if (strcmp(mode_names[i], value))
			continue;
		r->rule->mode = i;
		return 1;
	}
	return wrong(r, "mode = %s: write auto, dax, cached or leave", value);
}

static bool to_minute(const char *text, unsigned int *minute, const char **rest)
{
	unsigned int hours, minutes;
	int len = 0;

	/* Two digits each: "%u" would accept signs and blanks. */
	if (strspn(text, "0123456789") > 2 ||
	    !isdigit((unsigned char)*text) ||
	    sscanf(text, "%2u:%n", &hours, &len) != 1 || !len ||
	    strspn(text + len, "0123456789") != 2 ||
	    sscanf(text + len, "%2u", &minutes) != 1)
		return false;
	*minute = hours * 60 + minutes;
	*rest = text + len + 2;
	return minutes < 60 && *minute <= MINUTES_PER_DAY;
}

static int take_quiet(struct reading *r, const char *value)
{
	struct rules_hours *hours = grow((void **)&r->rule->hours, &r->rule->nr_hours,
					 sizeof(*hours));
	const char *rest;

	if (!hours)
		return out_of_memory(r);
	if (!to_minute(value, &hours->from, &rest) || *rest != '-' ||
	    !to_minute(rest + 1, &hours->to, &rest) || *rest ||
	    hours->from == hours->to || hours->from == MINUTES_PER_DAY)
		return wrong(r, "quiet = %s: write HH:MM-HH:MM, as 22:00-06:30", value);
	return 1;
}

static int take_one(struct reading *r, int key, const char *value)
{
	switch (key) {
	case BUDGET:
		return take_budget(r, value);
	case INTERVAL:
		return take_interval(r, value);
	case SWITCHES:
		return take_switches(r, value);
	case FLUSH:
		return take_size(r, keys[key].name, value, &r->mount->max_flush);
	case PROFILE:
		return take_profile(r, value);
	case PATH:
		return take_path(r, value);
	case OWNER:
		return take_owner(r, value);
	case MODE:
		return take_mode(r, value);
	case MIN_SIZE:
		return take_size(r, keys[key].name, value, &r->rule->min_size);
	case QUIET:
		return take_quiet(r, value);
	default:
		return 0;
	}
}

/* List the keys of the section. */
static int unknown_key(struct reading *r, const char *name)
{
	char known[256] = "";
	size_t len = 0;
	int i;

	for (i = 0; i < KEYS; i++)
		if (keys[i].section == r->section)
			len += (size_t)snprintf(known + len, sizeof(known) - len, " %s",
						keys[i].name);
	return wrong(r, "unknown key %s in [%s]: write one of%s", name,
		     r->section == MOUNT ? "mount" : "rule", known);
}

static int take(void *data, const char *section, const char *name, const char *given)
{
	struct reading *r = data;
	int key = 0;
	char *value, *comment;
	int ok;

	(void)section;
	if (r->section == NO_SECTION)
		return wrong(r, "%s is before the first section: write [mount DIRECTORY] before it",
			     name);
	while (key < KEYS && (keys[key].section != r->section ||
			      strcmp(keys[key].name, name)))
		key++;
	if (key == KEYS)
		return unknown_key(r, name);
	if (r->seen[key] && !keys[key].is_list)
		return wrong(r, "%s is given twice: write it once%s", name,
			     r->goes_on ? ", in one line that begins without a blank" : "");
	r->seen[key] = true;
	value = strdup(given);
	if (!value)
		return out_of_memory(r);
	/* inih leaves comments in continuation lines. */
	comment = r->goes_on ? strstr(value, " ;") : NULL;
	if (comment)
		*comment = 0;
	if (*named(value))
		ok = take_one(r, key, named(value));
	else
		ok = wrong(r, "%s has no value: write one, or remove the line", name);
	free(value);
	return ok;
}

/* --- The file. */

static void read_all(struct reading *r)
{
	int at = ini_parse_stream(next_line, r, take, r);

	if (ferror(r->file)) {
		wrong(r, "%s", strerror(errno));
		r->error.line = 0;
	}
	/* inih stopped without an error of ours: the line has invalid syntax. */
	if (at && (!r->error.failed || (r->error.line > at && at > 0))) {
		r->error.failed = false;
		wrong(r, "neither [SECTION] nor KEY = VALUE: write one of these, or a # before it");
		r->error.line = at > 0 ? at : 0;
	}
	if (!r->error.failed)
		is_whole(r);
}

struct rules *rules_read(const char *path, char *err, size_t len)
{
	struct reading r = { .rules = calloc(1, sizeof(*r.rules)) };

	if (r.rules)
		r.rules->path = strdup(path);
	if (!r.rules || !r.rules->path) {
		ini_put_error(err, len, path, 0, strerror(ENOMEM));
		rules_free(r.rules);
		return NULL;
	}
	r.file = fopen(path, "re");
	if (!r.file) {
		ini_put_error(err, len, path, 0, errno == ENOENT ?
			  "No such file: write one, as daxstack-rules(5) says" :
			  strerror(errno));
		rules_free(r.rules);
		return NULL;
	}
	read_all(&r);
	fclose(r.file);
	free(r.line);
	if (!r.error.failed)
		return r.rules;
	ini_put_error(err, len, path, r.error.line, r.error.why);
	rules_free(r.rules);
	return NULL;
}

static void free_rule(struct rule *rule)
{
	size_t i;

	for (i = 0; i < rule->nr_paths; i++)
		free(rule->paths[i]);
	free(rule->paths);
	free(rule->owners);
	free(rule->hours);
	free(rule->name);
}

static void free_mount(struct rules_mount *mount)
{
	size_t i;

	for (i = 0; i < mount->nr_rules; i++)
		free_rule(&mount->rules[i]);
	free(mount->rules);
	free(mount->target);
	free(mount->profile);
}

void rules_free(struct rules *rules)
{
	size_t i;

	if (!rules)
		return;
	for (i = 0; i < rules->nr_mounts; i++)
		free_mount(&rules->mounts[i]);
	free(rules->mounts);
	free(rules->path);
	free(rules);
}
