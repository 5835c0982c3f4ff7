// SPDX-License-Identifier: GPL-2.0-only
/* Heat traces: the writer. See heattrace.h; the reader is tracereader.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trace.h"

enum {
	/* Interval between blocks: a crash loses no more than that. */
	BLOCK_SECONDS = 60,
	/* Limits of the files asked for their names again, per second and per reading. */
	NAMES_PER_SECOND = 200,
	NAMES_MIN = 100,
	/* Limit of sketch bytes per second (of 100 MB a day); above it sketches are folded. */
	SKETCHES_PER_SECOND = 460,
	SKETCHES_MIN = 512,
};

#define NSEC_PER_SEC	1000000000ULL

/**
 * struct heattrace_writer - a trace being written
 * @packer: writes blocks to the file
 * @files: state of the files as the reader will know it
 * @raw: the current block, uncompressed
 * @at: write position in @raw
 * @stats: what was written
 * @time_ns: of the last reading
 * @block_ns: of the first reading in the block
 * @synced: time of the last fdatasync(2), CLOCK_MONOTONIC in seconds
 * @changed: number of files that changed in the last reading
 * @name_age: number of changed readings after which a file is asked for its name again
 * @next: index after the last file mentioned in this reading
 * @whole: readings in complete blocks
 * @windows: of struct heattrace_info
 * @error: of the first call that failed
 */
struct heattrace_writer {
	struct trace_packer packer;
	struct trace_files files;
	uint8_t *raw;
	struct trace_bytes at;
	struct heattrace_stats stats;
	uint64_t time_ns;
	uint64_t block_ns;
	time_t synced;
	uint64_t changed;
	uint64_t name_age;
	uint32_t next;
	uint64_t whole;
	bool windows;
	int error;
};

static void put_string(struct trace_bytes *to, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len > TRACE_NAME_MAX)
		len = TRACE_NAME_MAX;
	trace_put_number(to, len);
	trace_put_bytes(to, text ?: "", len);
}

static void empty(struct heattrace_writer *w)
{
	w->at = (struct trace_bytes){ .at = w->raw, .end = w->raw + TRACE_RAW_MAX };
}

/* Sync, so that a crash of the machine loses the last minutes at most. */
static int sync_now(struct heattrace_writer *w)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (w->synced && now.tv_sec - w->synced < BLOCK_SECONDS / 2)
		return 0;
	w->synced = now.tv_sec;
	/* Pipes and the like cannot be synced. */
	return fdatasync(w->packer.fd) < 0 && errno != EINVAL && errno != EROFS ?
		errno : 0;
}

static int flush(struct heattrace_writer *w, enum trace_type type)
{
	size_t len = w->at.at - w->raw;
	int error = w->at.bad ? EOVERFLOW : 0;

	if (!error && len)
		error = trace_packer_put(&w->packer, type, w->raw, len);
	if (!error)
		w->whole = w->stats.readings;
	empty(w);
	w->stats.bytes = w->packer.bytes;
	return error;
}

static int put_info(struct heattrace_writer *w, const struct heattrace_info *info)
{
	put_string(&w->at, info->mount);
	put_string(&w->at, info->lower);
	put_string(&w->at, info->kernel);
	trace_put_number(&w->at, info->interval_ns);
	trace_put_number(&w->at, info->realtime_ns);
	trace_put_number(&w->at, info->page_size);
	trace_put_number(&w->at, info->windows);
	return flush(w, TRACE_INFO);
}

static void forget(struct heattrace_writer *w)
{
	trace_packer_free(&w->packer);
	trace_files_free(&w->files);
	free(w->raw);
	free(w);
}

struct heattrace_writer *heattrace_create(const char *path, bool replace,
					  const struct heattrace_info *info,
					  char *err, size_t len)
{
	struct heattrace_writer *w = calloc(1, sizeof(*w));
	int fd, error;

	/* The trace shows which files are used: readable by its owner only. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY |
		  (replace ? O_TRUNC : O_EXCL), 0600);
	if (fd < 0 || !w) {
		error = fd < 0 ? errno : ENOMEM;
		snprintf(err, len, "%s%s", strerror(error), error == EEXIST ?
			 ": name another file, or replace it with --force" : "");
		free(w);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	w->windows = info->windows;
	w->raw = malloc(TRACE_RAW_MAX);
	empty(w);
	error = trace_packer_init(&w->packer, fd) ?: trace_files_init(&w->files) ?:
		!w->raw ? ENOMEM : 0;
	error = error ?: trace_packer_begin(&w->packer) ?: put_info(w, info);
	if (!error)
		return w;
	snprintf(err, len, "%s", strerror(error));
	close(fd);
	forget(w);
	return NULL;
}

/* --- Entries. */

static int make_room(struct heattrace_writer *w)
{
	return w->at.at - w->raw > TRACE_RAW_ENOUGH ? flush(w, TRACE_READINGS) : 0;
}

static void put_entry(struct heattrace_writer *w, enum trace_entry entry,
		      uint64_t number)
{
	trace_put_number(&w->at, number * 8 + entry);
}

/* Entries about a file store its index as a difference to the entry before. */
static void put_about(struct heattrace_writer *w, enum trace_entry entry, uint32_t at)
{
	put_entry(w, entry, at - w->next);
	w->next = at;
}

static int put_name(struct heattrace_writer *w, uint32_t at,
		    heattrace_name_fn *name, void *arg)
{
	const struct daxstack_heat_file *file = &w->files.heat[at];
	struct trace_file *more = &w->files.more[at];
	char path[TRACE_NAME_MAX + 1];
	size_t len;
	int error;

	more->age = 0;
	error = name(arg, file->ino, file->generation, path, sizeof(path));
	/* An unlinked file keeps its last name. */
	if (error || !*path || (more->name && !strcmp(path, more->name)))
		return 0;
	len = strnlen(path, TRACE_NAME_MAX);
	error = trace_files_rename(&w->files, at, path, len);
	/* ENFILE: no room for more names; the file stays without one. */
	if (error)
		return error == ENFILE ? 0 : error;
	put_about(w, TRACE_NAME, at);
	trace_put_number(&w->at, len);
	trace_put_bytes(&w->at, path, len);
	return make_room(w);
}

static int put_file(struct heattrace_writer *w, uint32_t at,
		    const struct daxstack_heat_file *now, bool fold)
{
	if (trace_restarted(&w->files.heat[at], now)) {
		put_about(w, TRACE_RESTART, at);
		trace_files_restart(&w->files, at);
	}
	put_about(w, TRACE_CHANGE, at);
	trace_put_change(&w->at, &w->files, at, now, w->windows, fold);
	w->stats.records++;
	w->changed++;
	return make_room(w);
}

static int put_known(struct heattrace_writer *w, const struct daxstack_heat_file *files,
		     bool fold, heattrace_name_fn *name, void *arg)
{
	const struct daxstack_heat_file *now;
	uint32_t at;
	int error;

	for (at = 0; at < w->files.nr; at++) {
		now = &files[w->files.more[at].at];
		if (!trace_changed(&w->files, at, now, w->windows))
			continue;
		error = put_file(w, at, now, fold);
		if (!error && name && ++w->files.more[at].age >= w->name_age)
			error = put_name(w, at, name, arg);
		if (error)
			return error;
	}
	return 0;
}

static int put_new(struct heattrace_writer *w, const struct daxstack_heat_file *now,
		   bool fold, heattrace_name_fn *name, void *arg)
{
	uint32_t at = w->files.nr;
	int error = trace_files_add(&w->files, now->ino, now->generation);

	if (error == ENFILE) {
		w->stats.left_out++;
		return 0;
	}
	if (error)
		return error;
	put_entry(w, TRACE_NEW, now->generation);
	trace_put_number(&w->at, now->ino);
	return put_file(w, at, now, fold) ?: name ? put_name(w, at, name, arg) : 0;
}

/* Backwards, because the last file takes the place of the dropped one. */
static int put_drops(struct heattrace_writer *w)
{
	uint32_t at;
	int error;

	for (at = w->files.nr; at-- > 0;) {
		if (w->files.more[at].at != UINT32_MAX)
			continue;
		put_entry(w, TRACE_DROP, at);
		trace_files_drop(&w->files, at);
		error = make_room(w);
		if (error)
			return error;
	}
	return 0;
}

/* --- Readings. */

static bool must_fold(const struct heattrace_writer *w, uint64_t time_ns,
		      const struct daxstack_heat_file *files, size_t nr)
{
	uint64_t seconds = (time_ns - w->time_ns) / NSEC_PER_SEC;
	uint64_t room = SKETCHES_MIN, used = 0;
	size_t i;

	/* The first reading has no reading before it. */
	if (w->stats.readings && seconds * SKETCHES_PER_SECOND > room)
		room = seconds * SKETCHES_PER_SECOND;
	for (i = 0; i < nr; i++)
		used += trace_sketch_bytes(files[i].sketch);
	return used > room;
}

/*
 * Files are renamed: ask all files in use for their names again, spread over several
 * readings.
 */
static void plan_names(struct heattrace_writer *w, uint64_t time_ns)
{
	uint64_t most = (time_ns - w->time_ns) / NSEC_PER_SEC * NAMES_PER_SECOND;

	if (most < NAMES_MIN)
		most = NAMES_MIN;
	w->name_age = w->changed / most + 1;
	w->changed = 0;
}

static void find_places(struct heattrace_writer *w,
			const struct daxstack_heat_file *files, size_t nr)
{
	uint32_t at;
	size_t i;

	for (at = 0; at < w->files.nr; at++)
		w->files.more[at].at = UINT32_MAX;
	for (i = 0; i < nr; i++) {
		at = trace_files_find(&w->files, files[i].ino, files[i].generation);
		if (at != UINT32_MAX)
			w->files.more[at].at = i;
	}
}

static int put_reading(struct heattrace_writer *w, uint64_t time_ns,
		       const struct daxstack_heat_file *files, size_t nr,
		       heattrace_name_fn *name, void *arg)
{
	bool fold = must_fold(w, time_ns, files, nr);
	int error;
	size_t i;

	w->next = 0;
	plan_names(w, time_ns);
	find_places(w, files, nr);
	error = put_drops(w) ?: put_known(w, files, fold, name, arg);
	for (i = 0; i < nr && !error; i++) {
		if (trace_files_find(&w->files, files[i].ino,
				     files[i].generation) == UINT32_MAX)
			error = put_new(w, &files[i], fold, name, arg);
	}
	if (error)
		return error;
	put_entry(w, TRACE_READING, 0);
	trace_put_number(&w->at, time_ns - w->time_ns);
	w->time_ns = time_ns;
	w->stats.readings++;
	w->stats.files = w->files.nr;
	return 0;
}

int heattrace_put(struct heattrace_writer *w, uint64_t time_ns,
		  const struct daxstack_heat_file *files, size_t nr,
		  heattrace_name_fn *name, void *arg)
{
	if (w->error)
		return w->error;
	if (time_ns < w->time_ns || nr > UINT32_MAX)
		return EINVAL;
	if (w->at.at == w->raw)
		w->block_ns = time_ns;
	w->error = put_reading(w, time_ns, files, nr, name, arg) ?: make_room(w);
	if (!w->error && time_ns - w->block_ns >= BLOCK_SECONDS * NSEC_PER_SEC)
		w->error = flush(w, TRACE_READINGS) ?: sync_now(w);
	return w->error;
}

void heattrace_stats(const struct heattrace_writer *w, struct heattrace_stats *stats)
{
	*stats = w->stats;
}

int heattrace_end(struct heattrace_writer *w)
{
	int error, end;

	if (!w)
		return 0;
	error = w->error ?: flush(w, TRACE_READINGS);
	/* A full disk often has room for this small block although the last one did not fit. */
	empty(w);
	trace_put_number(&w->at, w->whole);
	end = flush(w, TRACE_END);
	error = error ?: end;
	if (!error && fsync(w->packer.fd) < 0 && errno != EINVAL && errno != EROFS)
		error = errno;
	if (close(w->packer.fd) < 0 && !error)
		error = errno;
	forget(w);
	return error;
}
