/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heat traces: results of DAXSTACK_IOC_HEAT_READ on a mount, over time, in a file.
 *
 *	writer = heattrace_create(path, false, &info, err, sizeof(err));
 *	heattrace_put(writer, time_ns, files, nr, name, arg);	// each interval
 *	heattrace_end(writer);
 *
 *	reader = heattrace_open(path, err, sizeof(err));
 *	while (heattrace_next(reader, &time_ns, &files, &nr) > 0)
 *		path = heattrace_name(reader, files[0].ino, files[0].generation);
 *	heattrace_close(reader);
 *
 * A trace consists of a header and compressed blocks with checksums. A truncated trace
 * (crash, full disk) is readable up to its last complete block.
 */
#ifndef DAXSTACK_HEATTRACE_H
#define DAXSTACK_HEATTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daxstack.h"

/**
 * struct heattrace_info - description of a trace
 * @mount: mount point, raw bytes
 * @lower: type of the lower filesystem
 * @kernel: release of the kernel, as of uname(2)
 * @interval_ns: requested time between readings
 * @realtime_ns: CLOCK_REALTIME at the moment when CLOCK_MONOTONIC, which the trace
 *   uses, was 0
 * @page_size: bytes; sketches are in units of 4 KiB regardless
 * @windows: the session owned the windows: each sketch covers one interval
 *
 * A reader returns no NULL strings; a writer takes NULL as an empty string.
 */
struct heattrace_info {
	const char *mount;
	const char *lower;
	const char *kernel;
	uint64_t interval_ns;
	uint64_t realtime_ns;
	uint32_t page_size;
	bool windows;
};

/**
 * enum heattrace_state - how a trace ends; known once heattrace_next() returned 0
 * @HEATTRACE_OPEN: not known yet
 * @HEATTRACE_COMPLETE: heattrace_end() was called
 * @HEATTRACE_CUT: the file ends early: still being written, or truncated
 */
enum heattrace_state {
	HEATTRACE_OPEN,
	HEATTRACE_COMPLETE,
	HEATTRACE_CUT,
};

/**
 * struct heattrace_stats - what was written
 * @readings: calls of heattrace_put()
 * @records: changed files, over all readings
 * @bytes: in the file
 * @files: known at the last reading
 * @left_out: files dropped because a reading had HEATTRACE_FILES_MAX files
 */
struct heattrace_stats {
	uint64_t readings;
	uint64_t records;
	uint64_t bytes;
	uint64_t files;
	uint64_t left_out;
};

/* Limit of the files in a reading. */
#define HEATTRACE_FILES_MAX	(1U << 21)

/**
 * heattrace_name_fn - find the name of a file
 * @arg: of the caller of heattrace_put()
 * @ino: inode number
 * @generation: generation of the inode number
 * @path: set to the path relative to the root of the mount
 * @size: bytes at @path
 *
 * Return: 0, or an errno if it has none.
 */
typedef int heattrace_name_fn(void *arg, uint64_t ino, uint32_t generation,
			      char *path, size_t size);

struct heattrace_writer;
struct heattrace_reader;

/**
 * heattrace_create - begin a trace
 * @path: the file
 * @replace: truncate an existing file
 * @info: description of the trace
 * @err: on failure set to the cause and what to do
 * @len: size of @err
 *
 * Return: NULL on failure.
 */
struct heattrace_writer *heattrace_create(const char *path, bool replace,
					  const struct heattrace_info *info,
					  char *err, size_t len);

/**
 * heattrace_put - add a reading
 * @w: the trace
 * @time_ns: CLOCK_MONOTONIC, later than in the reading before
 * @files: all known files, in any order, without duplicates
 * @nr: number of @files
 * @name: called for new files, and now and then for files in use, which may have been
 *   renamed; may be NULL
 * @arg: for @name
 *
 * Writes a block once a minute, or when it is full, and syncs it.
 *
 * Return: 0, or an errno. After an error the file ends with the last complete block,
 * and only heattrace_end() may be called.
 */
int heattrace_put(struct heattrace_writer *w, uint64_t time_ns,
		  const struct daxstack_heat_file *files, size_t nr,
		  heattrace_name_fn *name, void *arg);

/**
 * heattrace_stats - what was written so far
 * @w: the trace
 * @stats: filled in
 */
void heattrace_stats(const struct heattrace_writer *w, struct heattrace_stats *stats);

/**
 * heattrace_end - complete a trace, and free the writer
 * @w: the trace; NULL does nothing
 *
 * Return: 0, or an errno: that of an earlier heattrace_put() if one failed, or its own.
 */
int heattrace_end(struct heattrace_writer *w);

/**
 * heattrace_open - open a trace for reading
 * @path: the file
 * @err: on failure set to the cause and what to do
 * @len: size of @err
 *
 * Return: NULL on failure.
 */
struct heattrace_reader *heattrace_open(const char *path, char *err, size_t len);

/**
 * heattrace_info - description of a trace
 * @r: the trace
 *
 * Return: valid until heattrace_close().
 */
const struct heattrace_info *heattrace_info(const struct heattrace_reader *r);

/**
 * heattrace_next - read the next reading
 * @r: the trace
 * @time_ns: set to its time
 * @files: set to all files known then, with counts since counting began for them, as of
 *   DAXSTACK_IOC_HEAT_READ; valid until the next call. The last file takes the place of
 *   a dropped one; new files are appended.
 * @nr: set to the number of files
 *
 * Sketches are exact while there is room. A folded sketch has the number of bits set,
 * and which of 64 groups of 4 have any. See docs/heattrace.md.
 *
 * Return: 1; 0 at the end, see heattrace_state(); -1 if the trace is damaged, see
 * heattrace_error().
 */
int heattrace_next(struct heattrace_reader *r, uint64_t *time_ns,
		   const struct daxstack_heat_file **files, size_t *nr);

/**
 * heattrace_name - name of a file at the last reading
 * @r: the trace
 * @ino: inode number
 * @generation: generation of the inode number
 *
 * Return: path relative to the root of the mount, raw bytes, valid until the next call
 * of heattrace_next(). NULL if the file had no name or is not in the reading.
 */
const char *heattrace_name(const struct heattrace_reader *r, uint64_t ino,
			   uint32_t generation);

enum heattrace_state heattrace_state(const struct heattrace_reader *r);
const char *heattrace_error(const struct heattrace_reader *r);
void heattrace_close(struct heattrace_reader *r);

#endif /* DAXSTACK_HEATTRACE_H */
