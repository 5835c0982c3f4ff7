// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat traces: the known files, by index and by inode. The writer and the reader update
 * them in the same way, so that indexes agree.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "trace.h"

/* Traces are untrusted: key the hash, so that their authors cannot provoke collisions. */
static uint32_t hash(const struct trace_files *files, uint64_t ino,
		     uint32_t generation)
{
	uint64_t h = (ino ^ files->key[0]) * (files->key[1] | 1);

	h ^= h >> 29;
	h = (h + generation) * 0xbf58476d1ce4e5b9;
	h ^= h >> 32;
	h = (h ^ files->key[0]) * 0x94d049bb133111eb;
	return h >> 32;
}

static uint32_t *entry_of(const struct trace_files *files, uint64_t ino,
			  uint32_t generation)
{
	uint32_t i = hash(files, ino, generation) & files->index_mask;
	const struct daxstack_heat_file *file;

	for (; files->index[i]; i = (i + 1) & files->index_mask) {
		file = &files->heat[files->index[i] - 1];
		if (file->ino == ino && file->generation == generation)
			break;
	}
	return &files->index[i];
}

static uint32_t *entry_at(const struct trace_files *files, uint32_t at)
{
	const struct daxstack_heat_file *file = &files->heat[at];

	return entry_of(files, file->ino, file->generation);
}

static int make_room(struct trace_files *files, uint32_t room)
{
	struct daxstack_heat_file *heat;
	struct trace_file *more;
	uint32_t *index;
	uint32_t i;

	heat = reallocarray(files->heat, room, sizeof(*heat));
	if (!heat)
		return ENOMEM;
	files->heat = heat;
	more = reallocarray(files->more, room, sizeof(*more));
	if (!more)
		return ENOMEM;
	files->more = more;
	/* At most half full. */
	index = calloc(room * 2, sizeof(*index));
	if (!index)
		return ENOMEM;
	free(files->index);
	files->index = index;
	files->index_mask = room * 2 - 1;
	files->room = room;
	for (i = 0; i < files->nr; i++)
		*entry_at(files, i) = i + 1;
	return 0;
}

/**
 * trace_files_init - start without files
 * @files: the files
 *
 * Return: 0 or an errno.
 */
int trace_files_init(struct trace_files *files)
{
	memset(files, 0, sizeof(*files));
	/* Without random bytes, collisions become predictable, but nothing fails. */
	if (getrandom(files->key, sizeof(files->key), GRND_NONBLOCK) < 0)
		files->key[0] = (uintptr_t)files;
	return make_room(files, 1024);
}

void trace_files_free(struct trace_files *files)
{
	uint32_t i;

	for (i = 0; i < files->nr; i++)
		free(files->more[i].name);
	free(files->heat);
	free(files->more);
	free(files->index);
}

/**
 * trace_files_find - find the index of a file
 * @files: the files
 * @ino: inode number
 * @generation: generation of the inode number
 *
 * Return: UINT32_MAX if it is unknown.
 */
uint32_t trace_files_find(const struct trace_files *files, uint64_t ino,
			  uint32_t generation)
{
	return *entry_of(files, ino, generation) - 1;
}

/**
 * trace_files_add - append an unknown file
 * @files: the files
 * @ino: inode number
 * @generation: generation of the inode number
 *
 * Return: 0 or an errno; ENFILE: there are HEATTRACE_FILES_MAX files.
 */
int trace_files_add(struct trace_files *files, uint64_t ino, uint32_t generation)
{
	int error;

	if (files->nr == HEATTRACE_FILES_MAX)
		return ENFILE;
	if (files->nr == files->room) {
		error = make_room(files, files->room * 2);
		if (error)
			return error;
	}
	*entry_of(files, ino, generation) = files->nr + 1;
	files->heat[files->nr] = (struct daxstack_heat_file){
		.ino = ino,
		.generation = generation,
	};
	files->more[files->nr] = (struct trace_file){ .name = NULL };
	files->nr++;
	return 0;
}

/* Deletion with linear probing: move up the entries that collided with this one. */
static void empty_entry(struct trace_files *files, uint32_t *entry)
{
	uint32_t hole = entry - files->index, i = hole, home;
	const struct daxstack_heat_file *file;

	for (;;) {
		i = (i + 1) & files->index_mask;
		if (!files->index[i])
			break;
		file = &files->heat[files->index[i] - 1];
		home = hash(files, file->ino, file->generation) & files->index_mask;
		if (((i - home) & files->index_mask) < ((i - hole) & files->index_mask))
			continue;
		files->index[hole] = files->index[i];
		hole = i;
	}
	files->index[hole] = 0;
}

/**
 * trace_files_drop - forget a file; the last one takes its place
 * @files: the files
 * @at: index of the file
 */
void trace_files_drop(struct trace_files *files, uint32_t at)
{
	struct trace_file *more = &files->more[at];
	uint32_t last = files->nr - 1;

	empty_entry(files, entry_at(files, at));
	if (more->name)
		files->names -= strlen(more->name);
	free(more->name);
	if (at < last) {
		*entry_at(files, last) = at + 1;
		files->heat[at] = files->heat[last];
		*more = files->more[last];
	}
	files->nr = last;
}

/**
 * trace_files_restart - forget the counts of a file
 * @files: the files
 * @at: index of the file
 */
void trace_files_restart(struct trace_files *files, uint32_t at)
{
	struct daxstack_heat_file *file = &files->heat[at];

	memset(file->by_mode, 0, sizeof(file->by_mode));
	file->switches = 0;
	file->refaults = 0;
}

/**
 * trace_files_rename - set the name of a file
 * @files: the files
 * @at: index of the file
 * @name: the name, not terminated
 * @len: its length, 0 if the file has no name any more
 *
 * Return: 0 or an errno; ENFILE: the limit of the length of all names.
 */
int trace_files_rename(struct trace_files *files, uint32_t at, const char *name,
		       size_t len)
{
	struct trace_file *more = &files->more[at];
	size_t names = files->names - (more->name ? strlen(more->name) : 0);
	char *copy = NULL;

	if (len > TRACE_NAMES_MAX - names)
		return ENFILE;
	if (len) {
		copy = strndup(name, len);
		if (!copy)
			return ENOMEM;
	}
	free(more->name);
	more->name = copy;
	files->names = names + len;
	return 0;
}
