// SPDX-License-Identifier: GPL-2.0-only
/* Describe a managed mount, and a file on it, as JSON. For daxstackd and 'daxstack auto'. */
#include <limits.h>
#include <stdlib.h>

#include "explain.h"
#include "json.h"
#include "reading.h"
#include "tool.h"

#define NS_PER_S	1e9

/* Limit of the files listed per mount. */
enum { NAMED_MAX = 100 };

static void put_real(json_t *object, const char *key, double value)
{
	put_json(object, key, json_new(json_real(value)));
}

static void put_number(json_t *object, const char *key, uint64_t value)
{
	put_json(object, key, json_number(true, value));
}

/* --- A file. */

static void put_rule(json_t *object, const struct tend *tend, const struct rule *rule,
		     uint64_t size)
{
	enum rules_mode mode = rule_mode(rule, size);

	put_json_name(object, "rule", rule ? rule->name : NULL);
	put_json(object, "rule_line", json_number(rule, rule ? (uint64_t)rule->line : 0));
	put_json(object, "rule_mode", json_text(rules_mode_name(mode)));
	put_json(object, "too_small",
		 json_boolean(rule && rule->mode != RULES_LEAVE && size < rule->min_size));
	put_json(object, "quiet",
		 json_boolean(rule_is_quiet(rule, tend_minute())));
	put_json_name(object, "profile", tend_plan(tend)->profile.name);
}

/* The demand on the file in the last interval, per second. */
static json_t *demand(const struct tend *tend, const struct reading_file *file)
{
	const struct reading_file *old = reading_before(tend_before(tend), file);
	uint64_t ns = tend_now(tend)->time_ns - tend_before(tend)->time_ns;
	double seconds = (double)ns / NS_PER_S;
	json_t *object = json_new(json_object());
	struct demand d;

	demand_of(&d, old ? &old->heat : NULL, &file->heat, ns);
	put_real(object, "seconds", seconds);
	put_real(object, "reads", (double)d.reads / seconds);
	put_real(object, "read_bytes", (double)d.read_bytes / seconds);
	put_real(object, "writes", (double)d.writes / seconds);
	put_real(object, "write_bytes", (double)d.write_bytes / seconds);
	put_real(object, "read_faults", (double)d.read_faults / seconds);
	put_real(object, "write_faults", (double)d.write_faults / seconds);
	put_real(object, "touches", (double)d.touches / seconds);
	put_real(object, "fsyncs", (double)d.fsyncs / seconds);
	put_real(object, "dirtied", (double)d.dirtied / seconds);
	put_number(object, "footprint", d.footprint);
	return object;
}

static json_t *policy(const struct place_view *view)
{
	json_t *object = json_new(json_object());
	uint64_t now = tend_now_ns();

	put_json(object, "mode", json_text(mode_name((unsigned int)view->mode)));
	put_json(object, "wanted", json_text(mode_name((unsigned int)view->wanted)));
	put_json(object, "why", json_text(view->why));
	put_number(object, "set", view->set);
	put_real(object, "dax_load", view->dax_load);
	put_real(object, "cached_load", view->cached_load);
	put_real(object, "gain", view->gain);
	put_real(object, "gain_per_gib", view->density);
	put_real(object, "credit", view->credit);
	put_real(object, "price", view->price);
	put_number(object, "switches", view->switches);
	put_number(object, "undone", view->undone);
	put_number(object, "refusals", view->vetoes);
	put_json(object, "refused", json_text(view->vetoes ? reason_text(view->veto) : NULL));
	put_json(object, "remedy", json_text(view->vetoes ? reason_remedy(view->veto) : NULL));
	put_json(object, "again_s", view->not_before_ns > now ?
		 json_new(json_real((double)(view->not_before_ns - now) / NS_PER_S)) :
		 json_null());
	return object;
}

/**
 * explain_file - describe a file
 * @tend: its mount
 * @ino: inode number
 * @generation: generation of the inode number
 * @path: relative to the mount
 * @uid: owner
 * @size: bytes
 *
 * Return: an object.
 */
json_t *explain_file(const struct tend *tend, uint64_t ino, uint32_t generation,
		     const char *path, uid_t uid, uint64_t size)
{
	const struct rules_mount *mount = tend_plan(tend)->mount;
	uint64_t id = place_id(ino, generation);
	const struct reading_file *file = reading_find(tend_now(tend), id);
	json_t *object = json_new(json_object());
	struct place_view view;
	struct place_sums sums;

	put_json_name(object, "mount", tend_target(tend));
	put_number(object, "steps", tend_steps(tend));
	put_real(object, "interval_s", (double)mount->interval_ns / NS_PER_S);
	put_rule(object, tend, rules_match(mount, path, uid), size);
	place_sums(tend_place(tend), &sums);
	put_number(object, "budget", sums.budget_bytes);
	put_number(object, "used", sums.used_bytes);
	put_json(object, "heat", file && tend_steps(tend) ? demand(tend, file) :
							   json_null());
	put_json(object, "policy", place_look(tend_place(tend), id, &view) ?
		 policy(&view) : json_null());
	return object;
}

/* --- A mount. */

static void put_name(json_t *object, const struct tend *tend,
		     const struct reading_file *file)
{
	char path[PATH_MAX];
	int error = heat_name(tend_heat(tend), file->heat.ino, file->heat.generation,
			      path, sizeof(path));

	put_json_name(object, "file", error ? NULL : path);
}

static json_t *elsewhere_file(const struct tend *tend, const struct reading_file *file,
			      const struct place_view *view)
{
	json_t *object = policy(view);

	put_name(object, tend, file);
	put_number(object, "size", file->heat.size);
	put_json_name(object, "rule", file->rule ? file->rule->name : NULL);
	return object;
}

struct candidate {
	const struct reading_file *file;
	struct place_view view;
};

/* Order by loss, largest first. */
static int by_gain(const void *a, const void *b)
{
	const struct place_view *left = &((const struct candidate *)a)->view;
	const struct place_view *right = &((const struct candidate *)b)->view;
	double l = left->gain < 0 ? -left->gain : left->gain;
	double r = right->gain < 0 ? -right->gain : right->gain;

	return l < r ? 1 : -(l > r);
}

/* Files that are not in the mode that they belong in. */
static json_t *files_elsewhere(const struct tend *tend)
{
	const struct reading *now = tend_now(tend);
	struct candidate *all = calloc(now->nr + 1, sizeof(*all));
	json_t *array = json_new(json_array());
	size_t i, nr = 0;

	for (i = 0; all && i < now->nr; i++) {
		all[nr].file = &now->files[i];
		if (place_look(tend_place(tend), reading_id(&now->files[i].heat),
			       &all[nr].view) &&
		    all[nr].view.wanted != all[nr].view.mode)
			nr++;
	}
	if (all)
		qsort(all, nr, sizeof(*all), by_gain);
	for (i = 0; i < nr && i < NAMED_MAX; i++)
		json_array_append_new(array, elsewhere_file(tend, all[i].file,
							    &all[i].view));
	free(all);
	return array;
}

/* The moves that the last step decided. */
static json_t *moves(const struct tend *tend)
{
	json_t *array = json_new(json_array());
	const struct reading_file *file;
	const struct place_move *move;
	json_t *object;
	size_t nr, i;

	move = tend_moves(tend, &nr);
	for (i = 0; i < nr && i < NAMED_MAX; i++, move++) {
		file = reading_find(tend_now(tend), move->id);
		if (!file)
			continue;
		object = add_json_object(array);
		put_name(object, tend, file);
		put_json(object, "to", json_text(mode_name((unsigned int)move->to)));
		put_real(object, "gain", move->gain);
		put_json(object, "why", json_text(move->why));
		put_json_name(object, "rule", file->rule ? file->rule->name : NULL);
	}
	return array;
}

/**
 * explain_mount - describe a mount, and the files that are not in the mode they belong
 * in
 * @tend: the mount
 *
 * Return: an object.
 */
json_t *explain_mount(const struct tend *tend)
{
	const struct rules_mount *mount = tend_plan(tend)->mount;
	json_t *object = json_new(json_object());
	struct place_sums sums;

	place_sums(tend_place(tend), &sums);
	put_json_name(object, "mount", tend_target(tend));
	put_json_name(object, "profile", tend_plan(tend)->profile.name);
	put_number(object, "steps", tend_steps(tend));
	put_real(object, "interval_s", (double)mount->interval_ns / NS_PER_S);
	put_number(object, "files", sums.files);
	put_number(object, "cached", sums.cached);
	put_number(object, "budget", sums.budget_bytes);
	put_number(object, "used", sums.used_bytes);
	put_number(object, "working_sets", sums.set_bytes);
	put_real(object, "saved_s", sums.saved);
	put_number(object, "switches", sums.switches);
	put_number(object, "refused", sums.refused);
	put_number(object, "undone", sums.undone);
	put_json(object, "moves", moves(tend));
	put_json(object, "elsewhere", files_elsewhere(tend));
	return object;
}
