// SPDX-License-Identifier: GPL-2.0-only
/* A reading of the heat of all files of a mount, with the rule of each file. See reading.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "reading.h"

/* Readings after which the name of a file is checked again: it may have been renamed. */
enum { LOOK_AGAIN = 16 };

/* Order by place_id(), the policy's identifier. */
static int compare(const void *a, const void *b)
{
	uint64_t left = reading_id(&((const struct reading_file *)a)->heat);
	uint64_t right = reading_id(&((const struct reading_file *)b)->heat);

	return left < right ? -1 : left > right;
}

/**
 * reading_find - find a file by the policy's identifier
 * @reading: where
 * @id: place_id()
 *
 * Return: NULL if it is not in the reading.
 */
struct reading_file *reading_find(const struct reading *reading, uint64_t id)
{
	struct reading_file key = { .heat.ino = id };

	if (!reading->nr)
		return NULL;
	return bsearch(&key, reading->files, reading->nr, sizeof(key), compare);
}

static const struct reading_file *find_before(const struct reading *before,
					      const struct daxstack_heat_file *heat)
{
	const struct reading_file *old = reading_find(before, reading_id(heat));

	/* Large inode numbers can lead to equal identifiers. */
	if (!old || old->heat.ino != heat->ino ||
	    old->heat.generation != heat->generation)
		return NULL;
	return old;
}

/**
 * reading_before - find a file in the last reading
 * @before: the last reading
 * @file: the file, in the current reading
 *
 * Return: NULL if it was not in the last reading.
 */
const struct reading_file *reading_before(const struct reading *before,
					  const struct reading_file *file)
{
	return find_before(before, &file->heat);
}

/**
 * reading_forget_rule - have the rule of a file looked up again, by name and owner
 * @file: the file
 */
void reading_forget_rule(struct reading_file *file)
{
	file->rule = NULL;
	file->looked = 0;
}

/**
 * reading_forget_rules - drop references to rules that are about to change
 * @reading: whose files refer to them
 */
void reading_forget_rules(struct reading *reading)
{
	size_t i;

	for (i = 0; i < reading->nr; i++)
		reading_forget_rule(&reading->files[i]);
}

static void look_for_rule(struct reading_file *file, struct heat *heat,
			  const struct rules_mount *mount)
{
	char path[PATH_MAX];
	int error = heat_name(heat, file->heat.ino, file->heat.generation, path,
			      sizeof(path));

	file->rule = rules_match(mount, error ? NULL : path, file->heat.uid);
	file->looked = 1;
}

static uint64_t sum(const struct daxstack_heat_file *heat,
		    size_t member)
{
	const char *of_cached = (const char *)&heat->by_mode[0] + member;
	const char *of_dax = (const char *)&heat->by_mode[1] + member;

	return *(const uint64_t *)of_cached + *(const uint64_t *)of_dax;
}

static uint64_t grown(const struct reading_file *old,
		      const struct daxstack_heat_file *heat, size_t member)
{
	uint64_t now = sum(heat, member), before = old ? sum(&old->heat, member) : 0;

	/* A count below the last one restarted from 0, because the inode was loaded again. */
	return now < before ? now : now - before;
}

/*
 * Upper bound of the dirty pages: those dirtied since the file was last synced as a
 * whole. Writeback by the kernel, which is not visible here, leaves fewer.
 */
static uint64_t dirty_pages(const struct reading_file *old,
			    const struct daxstack_heat_file *heat)
{
	uint64_t fsyncs = grown(old, heat, offsetof(struct daxstack_heat_counts, fsyncs));
	uint64_t dirty = grown(old, heat, offsetof(struct daxstack_heat_counts, dirtied));

	if (old && fsyncs <= old->own_fsyncs)
		dirty += old->dirty;
	return dirty < heat->pages ? dirty : heat->pages;
}

/**
 * reading_take - take over the result of heat_read()
 * @reading: filled in
 * @heat: the session
 * @before: the last reading
 * @mount: section with the rules
 *
 * Return: 0 or an errno; @reading is empty then.
 */
int reading_take(struct reading *reading, struct heat *heat,
		 const struct reading *before, const struct rules_mount *mount)
{
	const struct daxstack_heat_file *files;
	size_t nr, i;

	files = heat_files(heat, &nr);
	*reading = (struct reading){
		.time_ns = heat_time_ns(heat),
		.files = calloc(nr + 1, sizeof(*reading->files)),
		.nr = nr,
	};
	if (!reading->files) {
		reading->nr = 0;
		return ENOMEM;
	}
	for (i = 0; i < nr; i++) {
		struct reading_file *file = &reading->files[i];
		const struct reading_file *old = find_before(before, &files[i]);

		file->heat = files[i];
		file->dirty = dirty_pages(old, &files[i]);
		file->planned = old ? old->planned : 0;
		if (old && old->looked && old->looked < LOOK_AGAIN &&
		    old->heat.uid == files[i].uid) {
			file->rule = old->rule;
			file->looked = old->looked + 1;
		} else {
			look_for_rule(file, heat, mount);
		}
	}
	qsort(reading->files, nr, sizeof(*reading->files), compare);
	return 0;
}

/**
 * reading_free - free a reading
 * @reading: empty afterwards
 */
void reading_free(struct reading *reading)
{
	free(reading->files);
	*reading = (struct reading){ .time_ns = 0 };
}
