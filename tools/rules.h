/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules file of daxstackd, daxstack-rules(5): the budget of each mount, and the
 * mode of each file.
 */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RULES_FILE	"/etc/daxstack/rules.conf"

enum rules_mode {
	RULES_AUTO,	/* decided by the policy */
	RULES_DAX,
	RULES_CACHED,
	RULES_LEAVE,	/* never moved */
};

/**
 * struct rules_hours - hours in which files of a rule are not switched
 * @from: minute of the day, local time
 * @to: the first minute after them; at most @from if they extend past midnight
 */
struct rules_hours {
	unsigned int from;
	unsigned int to;
};

/**
 * struct rule - a section [rule NAME]
 * @name: NAME
 * @line: line of the section
 * @paths: patterns, one of which has to match; none: any path
 * @nr_paths: number of @paths
 * @owners: the file has to belong to one of them; none: any owner
 * @nr_owners: number of @owners
 * @mode: mode of its files
 * @min_size: smaller files are left alone
 * @hours: quiet hours
 * @nr_hours: number of @hours
 */
struct rule {
	char *name;
	int line;
	char **paths;
	size_t nr_paths;
	uid_t *owners;
	size_t nr_owners;
	enum rules_mode mode;
	uint64_t min_size;
	struct rules_hours *hours;
	size_t nr_hours;
};

/**
 * struct rules_mount - a section [mount DIRECTORY], and the rules after it
 * @target: DIRECTORY
 * @line: line of the section
 * @budget: bytes of DRAM for cached files
 * @budget_percent: if not 0, percentage of the memory instead
 * @interval_ns: between two decisions
 * @max_switches: per minute
 * @max_flush: bytes written back by switches, per minute
 * @profile: path or name of a profile, NULL if none is given
 * @rules: the first match applies
 * @nr_rules: number of @rules
 */
struct rules_mount {
	char *target;
	int line;
	uint64_t budget;
	unsigned int budget_percent;
	uint64_t interval_ns;
	unsigned int max_switches;
	uint64_t max_flush;
	char *profile;
	struct rule *rules;
	size_t nr_rules;
};

/**
 * struct rules - a rules file
 * @path: the file
 * @mounts: without duplicates
 * @nr_mounts: number of @mounts
 */
struct rules {
	char *path;
	struct rules_mount *mounts;
	size_t nr_mounts;
};

/**
 * rules_read - read a rules file
 * @path: the file
 * @err: on failure set to the line in the file, the cause and what to write, in one
 *   line and safe for terminals
 * @len: size of @err
 *
 * Return: the rules, for rules_free(); NULL on failure.
 */
struct rules *rules_read(const char *path, char *err, size_t len);

/**
 * rules_free - free what rules_read() returned
 * @rules: may be NULL
 */
void rules_free(struct rules *rules);

/**
 * rules_mount - find the section of a mount
 * @rules: the rules
 * @target: the mount point, as in mountinfo
 *
 * Return: NULL if there is none.
 */
const struct rules_mount *rules_mount(const struct rules *rules, const char *target);

/**
 * rules_budget - DRAM for the cached files of a mount
 * @mount: its section
 * @memory: bytes of DRAM of the machine
 */
uint64_t rules_budget(const struct rules_mount *mount, uint64_t memory);

/**
 * rules_profile - find the profile of a mount
 * @mount: its section
 * @path: set to the file name
 * @size: of @path
 *
 * Without a profile in the section: /etc/daxstack/profile.conf if it exists, else
 * optane-dc.
 */
void rules_profile(const struct rules_mount *mount, char *path, size_t size);

/**
 * rules_match - find the rule that applies to a file
 * @mount: the section of its mount
 * @path: path relative to the mount, any bytes; NULL if the file has no name: then no
 *   rule with a path matches
 * @uid: owner of the file
 *
 * Return: NULL if no rule matches: the file is left alone.
 */
const struct rule *rules_match(const struct rules_mount *mount, const char *path,
			       uid_t uid);

/**
 * rule_mode - the mode that a rule asks for
 * @rule: of rules_match(), may be NULL
 * @size: bytes of the file
 */
enum rules_mode rule_mode(const struct rule *rule, uint64_t size);

/**
 * rule_is_quiet - whether it is a quiet hour of a rule
 * @rule: of rules_match(), may be NULL
 * @minute: of the day, local time
 */
bool rule_is_quiet(const struct rule *rule, unsigned int minute);

/**
 * rules_mode_name - name of a mode in the file
 * @mode: the mode
 */
const char *rules_mode_name(enum rules_mode mode);

#endif /* RULES_H */
