// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mounts of the rules file: watch the mount table, manage each mount (a struct
 * tend) while it is mounted, reload the rules, answer questions. See keep.h.
 */
#include <errno.h>
#include <libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "explain.h"
#include "json.h"
#include "keep.h"
#include "rules.h"
#include "tend.h"
#include "tool.h"

#define NS_PER_S	1000000000ULL
/* Interval between attempts to start managing a mount. */
#define RETRY_NS	(10 * NS_PER_S)

enum { SHORT = 256, WHY_LEN = 1024 };

/**
 * struct kept - a mount section of the rules file
 * @plan: what the section says
 * @tend: the managed mount; NULL while it is not mounted or cannot be managed
 * @mount_id: mount ID in mountinfo; 0: not mounted
 * @retry_ns: earliest time of the next attempt, CLOCK_MONOTONIC
 * @why: reason of the last failure, already logged
 */
struct kept {
	struct tend_plan plan;
	struct tend *tend;
	int mount_id;
	uint64_t retry_ns;
	char why[WHY_LEN];
};

/**
 * struct keep - all mounts of the rules
 * @path: the rules file
 * @dry: move nothing
 * @says: where messages go
 * @rules: the rules
 * @kept: one for each mount in @rules
 * @nr: number of @kept
 * @turn: next one to run
 */
struct keep {
	char *path;
	bool dry;
	const struct keep_says *says;
	struct rules *rules;
	struct kept *kept;
	size_t nr;
	size_t turn;
};

static void note(const struct tend *tend, const struct tend_note *what, void *data)
{
	const struct keep *keep = data;

	keep->says->moved(tend, what);
}

/* --- The rules. */

static bool prepare(struct kept *kept, const struct rules *rules, char *err, size_t len)
{
	char why[WHY_LEN];
	size_t i;

	for (i = 0; i < rules->nr_mounts; i++) {
		if (tend_prepare(&kept[i].plan, &rules->mounts[i], why, sizeof(why)))
			continue;
		snprintf(err, len, "%s:%d: profile of the mount: %s", name_shown(rules->path),
			 rules->mounts[i].line, why);
		return false;
	}
	return true;
}

/* Return: one for each mount, to be freed; NULL after an error in the file. */
static struct kept *read_rules(const char *path, struct rules **rules, char *err,
			       size_t len)
{
	struct kept *kept;

	*rules = rules_read(path, err, len);
	if (!*rules)
		return NULL;
	kept = calloc((*rules)->nr_mounts + 1, sizeof(*kept));
	if (kept && prepare(kept, *rules, err, len))
		return kept;
	if (!kept)
		snprintf(err, len, "%s: %s", name_shown(path), strerror(ENOMEM));
	free(kept);
	rules_free(*rules);
	return NULL;
}

struct keep *keep_new(const char *rules, bool dry, const struct keep_says *says,
		      char *err, size_t len)
{
	struct keep *keep = calloc(1, sizeof(*keep));

	if (keep)
		keep->path = strdup(rules);
	if (!keep || !keep->path) {
		snprintf(err, len, "%s", strerror(ENOMEM));
		free(keep);
		return NULL;
	}
	keep->dry = dry;
	keep->says = says;
	keep->kept = read_rules(rules, &keep->rules, err, len);
	if (!keep->kept) {
		free(keep->path);
		free(keep);
		return NULL;
	}
	keep->nr = keep->rules->nr_mounts;
	return keep;
}

void keep_free(struct keep *keep)
{
	size_t i;

	for (i = 0; i < keep->nr; i++)
		tend_close(keep->kept[i].tend);
	free(keep->kept);
	rules_free(keep->rules);
	free(keep->path);
	free(keep);
}

static struct kept *find(struct kept *kept, size_t nr, const char *target)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strcmp(kept[i].plan.mount->target, target))
			return &kept[i];
	return NULL;
}

/* Mounts in the new rules keep their state, and continue by the new rules. */
static void take_over(struct keep *keep, struct kept *kept, size_t nr)
{
	struct kept *old, *new;

	for (old = keep->kept; old < keep->kept + keep->nr; old++) {
		new = find(kept, nr, old->plan.mount->target);
		if (new && old->tend) {
			new->tend = old->tend;
			new->mount_id = old->mount_id;
			tend_configure(new->tend, &new->plan);
		} else if (old->tend) {
			keep->says->say(LOG_INFO,
					"%s: no longer in the rules: its files keep their "
					"modes",
					name_shown(old->plan.mount->target));
			tend_close(old->tend);
		}
	}
}

bool keep_reload(struct keep *keep, char *err, size_t len)
{
	struct rules *rules;
	struct kept *kept = read_rules(keep->path, &rules, err, len);

	if (!kept) {
		keep->says->say(LOG_ERR, "%s; the old rules stay in force", err);
		return false;
	}
	take_over(keep, kept, rules->nr_mounts);
	free(keep->kept);
	rules_free(keep->rules);
	keep->rules = rules;
	keep->kept = kept;
	keep->nr = rules->nr_mounts;
	keep->turn = 0;
	keep->says->say(LOG_INFO, "%s: reloaded: %zu mounts", name_shown(keep->path), keep->nr);
	keep_look(keep);
	return true;
}

/* --- The mounts. */

static void end_with(const struct keep *keep, struct kept *kept, const char *why)
{
	keep->says->say(LOG_INFO, "%s: %s", name_shown(kept->plan.mount->target), why);
	tend_close(kept->tend);
	kept->tend = NULL;
}

static void begin_with(struct keep *keep, struct kept *kept)
{
	const struct rules_mount *mount = kept->plan.mount;
	char why[WHY_LEN];

	kept->retry_ns = tend_now_ns() + RETRY_NS;
	kept->tend = tend_open(&kept->plan, keep->dry, note, keep, why, sizeof(why));
	if (kept->tend) {
		kept->why[0] = 0;
		keep->says->say(LOG_INFO,
				"%s: up to %llu MiB of DRAM, profile %s, every %.1f s%s",
				name_shown(mount->target),
				(unsigned long long)rules_budget(mount, tend_memory()) >> 20,
				kept->plan.profile.name,
				(double)mount->interval_ns / NS_PER_S,
				keep->dry ? "; nothing is moved (--dry-run)" : "");
		return;
	}
	/* Log a failure once, not at each attempt. */
	if (strcmp(why, kept->why))
		keep->says->say(LOG_WARNING, "%s", why);
	snprintf(kept->why, sizeof(kept->why), "%s", why);
}

/* Return: the topmost mount at @target if it is daxstack, else NULL. */
static struct libmnt_fs *mounted(struct libmnt_table *table, const char *target)
{
	struct libmnt_fs *fs = mnt_table_find_target(table, target, MNT_ITER_BACKWARD);
	const char *type = fs ? mnt_fs_get_fstype(fs) : NULL;

	return type && !strcmp(type, "daxstack") ? fs : NULL;
}

static void look_at(struct keep *keep, struct kept *kept, struct libmnt_fs *fs)
{
	int id = fs ? mnt_fs_get_id(fs) : 0;
	const char *root = fs ? mnt_fs_get_root(fs) : NULL;

	if (kept->tend && id != kept->mount_id)
		end_with(keep, kept, "no longer mounted");
	if (id != kept->mount_id)
		kept->retry_ns = 0;
	kept->mount_id = id;
	if (!id || kept->tend || tend_now_ns() < kept->retry_ns)
		return;
	if (root && strcmp(root, "/")) {
		kept->retry_ns = UINT64_MAX;
		keep->says->say(LOG_WARNING,
				"%s: only a directory of the filesystem is mounted there: put the "
				"mount point of its root into the rules",
				name_shown(kept->plan.mount->target));
		return;
	}
	begin_with(keep, kept);
}

void keep_look(struct keep *keep)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	size_t i;

	if (!table) {
		keep->says->say(LOG_WARNING, "/proc/self/mountinfo: %s", strerror(errno));
		/* Postpone the attempts that are due; otherwise the loop would spin. */
		for (i = 0; i < keep->nr; i++)
			if (keep->kept[i].retry_ns < tend_now_ns() + RETRY_NS)
				keep->kept[i].retry_ns = tend_now_ns() + RETRY_NS;
		return;
	}
	for (i = 0; i < keep->nr; i++)
		look_at(keep, &keep->kept[i],
			mounted(table, keep->kept[i].plan.mount->target));
	mnt_unref_table(table);
}

/* --- What is due. */

static uint64_t due_ns(const struct kept *kept)
{
	if (kept->tend)
		return tend_due_ns(kept->tend);
	return kept->mount_id ? kept->retry_ns : UINT64_MAX;
}

uint64_t keep_due_ns(const struct keep *keep)
{
	uint64_t due = UINT64_MAX;
	size_t i;

	for (i = 0; i < keep->nr; i++)
		if (due_ns(&keep->kept[i]) < due)
			due = due_ns(&keep->kept[i]);
	return due;
}

static void run_one(struct keep *keep, struct kept *kept)
{
	char why[SHORT];
	int error;

	if (!kept->tend) {
		keep_look(keep);
		return;
	}
	error = tend_run(kept->tend);
	if (error == ENODEV) {
		end_with(keep, kept, "no longer mounted");
		kept->mount_id = 0;
	} else if (error) {
		snprintf(why, sizeof(why), "reading heat failed: %s; next attempt in %llu s",
			 strerror(error), RETRY_NS / NS_PER_S);
		end_with(keep, kept, why);
		kept->retry_ns = tend_now_ns() + RETRY_NS;
	}
}

void keep_run(struct keep *keep)
{
	uint64_t now = tend_now_ns();
	size_t i;

	/* Round robin, so that a busy mount does not delay the others. */
	for (i = 0; i < keep->nr; i++) {
		struct kept *kept = &keep->kept[keep->turn++ % keep->nr];

		if (due_ns(kept) > now)
			continue;
		run_one(keep, kept);
		return;
	}
}

/* --- Answers. */

long keep_steps(const struct keep *keep, const char *target)
{
	long fewest = -1;
	size_t i;

	for (i = 0; i < keep->nr; i++) {
		const struct kept *kept = &keep->kept[i];
		long steps;

		if (!kept->tend || (target && strcmp(target, kept->plan.mount->target)))
			continue;
		steps = (long)tend_steps(kept->tend);
		if (fewest < 0 || steps < fewest)
			fewest = steps;
	}
	return fewest;
}

void keep_status(const struct keep *keep, char *text, size_t size)
{
	unsigned long long used = 0, budget = 0, switches = 0;
	size_t i, tended = 0, cached = 0;
	struct place_sums sums;

	for (i = 0; i < keep->nr; i++) {
		if (!keep->kept[i].tend)
			continue;
		place_sums(tend_place(keep->kept[i].tend), &sums);
		tended++;
		cached += sums.cached;
		used += sums.used_bytes;
		budget += sums.budget_bytes;
		switches += sums.switches;
	}
	snprintf(text, size,
		 "%zu of %zu mounts; %zu files cached, %llu of %llu MiB of DRAM; %llu switches",
		 tended, keep->nr, cached, used >> 20, budget >> 20, switches);
}

static json_t *answer_reload(struct keep *keep)
{
	json_t *object = json_new(json_object());
	char why[WHY_LEN];
	bool ok = keep_reload(keep, why, sizeof(why));

	put_json(object, "error", json_text(ok ? NULL : why));
	return object;
}

static json_t *answer_mounts(const struct keep *keep, const char *target)
{
	json_t *object = json_new(json_object()), *array = json_new(json_array());
	size_t i;

	for (i = 0; i < keep->nr; i++)
		if (keep->kept[i].tend &&
		    (!target || !strcmp(target, keep->kept[i].plan.mount->target)))
			json_array_append_new(array, explain_mount(keep->kept[i].tend));
	put_json_name(object, "rules", keep->path);
	put_json(object, "mounts", array);
	return object;
}

static json_t *answer_file(const struct keep *keep, const json_t *question,
			   const char *target)
{
	json_t *object = json_new(json_object());
	char *path = json_name(question, "path");
	struct kept *kept = target ? find(keep->kept, keep->nr, target) : NULL;
	json_int_t ino = 0, generation = 0, uid = 0, size = 0;

	json_unpack((json_t *)question, "{s:I, s:I, s:I, s:I}", "ino", &ino, "generation",
		    &generation, "uid", &uid, "size", &size);
	put_json_name(object, "rules", keep->path);
	put_json(object, "known", json_boolean(kept));
	put_json(object, "in_the_way", json_text(kept && !kept->tend ? kept->why : NULL));
	put_json(object, "file", kept && kept->tend && path ?
		 explain_file(kept->tend, (uint64_t)ino, (uint32_t)generation, path,
			      (uid_t)uid, (uint64_t)size) : json_null());
	free(path);
	return object;
}

json_t *keep_answer(struct keep *keep, const json_t *question)
{
	const char *ask = json_string_value(json_object_get(question, "ask"));
	char *target = json_name(question, "mount");
	json_t *answer = NULL;

	if (ask && !strcmp(ask, "reload"))
		answer = answer_reload(keep);
	else if (ask && !strcmp(ask, "mounts"))
		answer = answer_mounts(keep, target);
	else if (ask && !strcmp(ask, "file"))
		answer = answer_file(keep, question, target);
	free(target);
	return answer;
}
