// SPDX-License-Identifier: GPL-2.0-only
/* Find the rule that applies to a file, and evaluate it. See rules.h. */
#include <fnmatch.h>
#include <limits.h>
#include <locale.h>
#include <string.h>

#include "profiles.h"
#include "rules.h"

const struct rules_mount *rules_mount(const struct rules *rules, const char *target)
{
	size_t i;

	for (i = 0; i < rules->nr_mounts; i++)
		if (!strcmp(rules->mounts[i].target, target))
			return &rules->mounts[i];
	return NULL;
}

uint64_t rules_budget(const struct rules_mount *mount, uint64_t memory)
{
	if (!mount->budget_percent)
		return mount->budget;
	return memory / 100 * mount->budget_percent;
}

void rules_profile(const struct rules_mount *mount, char *path, size_t size)
{
	profile_path(mount->profile, false, path, size);
}

/* --- Path patterns. */

/* Copy the component up to the next slash to @part. Return: the rest, or NULL. */
static const char *next_part(const char *path, char part[NAME_MAX + 1])
{
	size_t len = strcspn(path, "/");

	if (len > NAME_MAX)
		len = NAME_MAX;
	memcpy(part, path, len);
	part[len] = 0;
	path += strcspn(path, "/");
	return *path ? path + 1 : NULL;
}

static bool is_any_depth(const char *pattern)
{
	return !strncmp(pattern, "**", 2) && (!pattern[2] || pattern[2] == '/');
}

/*
 * Match component by component. On a mismatch, let the last "**" consume one more
 * component of the path. No other backtracking is needed, so the time is bounded by the
 * product of the lengths.
 */
static bool path_matches(const char *pattern, const char *path)
{
	const char *retry_pattern = NULL, *retry_path = NULL;
	char wanted[NAME_MAX + 1], part[NAME_MAX + 1];
	const char *next, *rest;

	while (path) {
		if (pattern && is_any_depth(pattern)) {
			retry_pattern = pattern[2] ? pattern + 3 : NULL;
			/* A final "**" matches all that is left. */
			if (!retry_pattern)
				return true;
			pattern = retry_pattern;
			retry_path = path;
			continue;
		}
		rest = next_part(path, part);
		next = pattern ? next_part(pattern, wanted) : NULL;
		if (pattern && !fnmatch(wanted, part, 0)) {
			pattern = next;
			path = rest;
			continue;
		}
		if (!retry_path)
			return false;
		pattern = retry_pattern;
		retry_path = next_part(retry_path, part);
		path = retry_path;
	}
	return !pattern;
}

static bool a_path_matches(const struct rule *rule, const char *path)
{
	size_t i;

	if (!rule->nr_paths)
		return true;
	for (i = 0; path && i < rule->nr_paths; i++)
		if (path_matches(rule->paths[i], path))
			return true;
	return false;
}

static bool an_owner_matches(const struct rule *rule, uid_t uid)
{
	size_t i;

	for (i = 0; i < rule->nr_owners; i++)
		if (rule->owners[i] == uid)
			return true;
	return !rule->nr_owners;
}

/* Names are bytes, independent of the caller's locale. */
static locale_t bytes(void)
{
	static locale_t locale;

	if (!locale)
		locale = newlocale(LC_ALL_MASK, "C", NULL);
	return locale;
}

const struct rule *rules_match(const struct rules_mount *mount, const char *path,
			       uid_t uid)
{
	locale_t before = uselocale(bytes());
	const struct rule *found = NULL;
	size_t i;

	for (i = 0; !found && i < mount->nr_rules; i++)
		if (an_owner_matches(&mount->rules[i], uid) &&
		    a_path_matches(&mount->rules[i], path))
			found = &mount->rules[i];
	uselocale(before);
	return found;
}

/* --- Evaluation. */

enum rules_mode rule_mode(const struct rule *rule, uint64_t size)
{
	if (!rule || size < rule->min_size)
		return RULES_LEAVE;
	return rule->mode;
}

static bool is_in(const struct rules_hours *hours, unsigned int minute)
{
	if (hours->from < hours->to)
		return minute >= hours->from && minute < hours->to;
	return minute >= hours->from || minute < hours->to;
}

bool rule_is_quiet(const struct rule *rule, unsigned int minute)
{
	size_t i;

	for (i = 0; rule && i < rule->nr_hours; i++)
		if (is_in(&rule->hours[i], minute))
			return true;
	return false;
}
