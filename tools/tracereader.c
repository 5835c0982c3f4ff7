// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat traces: the reader. See heattrace.h. Traces are untrusted: any content leads to
 * a reading or to an error message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace.h"

/**
 * struct heattrace_reader - a trace being read
 * @unpacker: reads blocks of the file
 * @files: state of the files at the last reading
 * @info: description of the trace; its strings are in @strings
 * @strings: allocated
 * @at: position in the block
 * @time_ns: of the last reading
 * @readings: number of readings
 * @next: index after the last file mentioned in this reading
 * @state: of the trace
 * @error: error message; empty: none
 */
struct heattrace_reader {
	struct trace_unpacker unpacker;
	struct trace_files files;
	struct heattrace_info info;
	char *strings[3];
	struct trace_bytes at;
	uint64_t time_ns;
	uint64_t readings;
	uint32_t next;
	enum heattrace_state state;
	char error[256];
};

__attribute__((format(printf, 2, 3)))
static int fail(struct heattrace_reader *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->error, sizeof(r->error), fmt, args);
	va_end(args);
	return -1;
}

static int damaged(struct heattrace_reader *r)
{
	return fail(r, "damaged in the block before byte %llu: use another copy, if there "
		    "is one; the %llu readings before are complete",
		    (unsigned long long)r->unpacker.bytes,
		    (unsigned long long)r->readings);
}

static int too_large(struct heattrace_reader *r, int error)
{
	if (error == ENFILE)
		return fail(r, "more files, or longer names, than a trace can have: "
			    "damaged, or not written by 'daxstack record'");
	return fail(r, "%s", strerror(error));
}

/* Return: 1 if there is a block; 0: truncated file; -1: error. */
static int get_block(struct heattrace_reader *r)
{
	switch (trace_unpacker_get(&r->unpacker)) {
	case TRACE_READ:
		r->at = (struct trace_bytes){
			.at = r->unpacker.raw,
			.end = r->unpacker.raw + r->unpacker.len,
		};
		return 1;
	case TRACE_CUT:
		return 0;
	case TRACE_FAILED:
		return fail(r, "%s", strerror(errno));
	default:
		return fail(r, "damaged at byte %llu: use another copy, if there is one; "
			    "the %llu readings before are complete",
			    (unsigned long long)r->unpacker.bytes,
			    (unsigned long long)r->readings);
	}
}

/* --- Description of the trace. */

static const char *get_string(struct heattrace_reader *r, char **kept)
{
	uint64_t len = trace_get_number(&r->at);
	const char *text = len > TRACE_NAME_MAX ? NULL : trace_get_bytes(&r->at, len);

	if (!text || memchr(text, 0, len)) {
		r->at.bad = true;
		return "";
	}
	*kept = strndup(text, len);
	if (!*kept)
		r->at.bad = true;
	return *kept ?: "";
}

static int get_info(struct heattrace_reader *r)
{
	int got = get_block(r);
	uint64_t windows, page_size;

	if (got <= 0)
		return got ?: fail(r, "truncated at its beginning: nothing was recorded");
	r->info.mount = get_string(r, &r->strings[0]);
	r->info.lower = get_string(r, &r->strings[1]);
	r->info.kernel = get_string(r, &r->strings[2]);
	r->info.interval_ns = trace_get_number(&r->at);
	r->info.realtime_ns = trace_get_number(&r->at);
	page_size = trace_get_number(&r->at);
	r->info.page_size = page_size;
	windows = trace_get_number(&r->at);
	r->info.windows = windows;
	if (r->at.bad || r->at.at != r->at.end || r->unpacker.type != TRACE_INFO ||
	    page_size > 1 << 30 || windows > 1)
		return damaged(r);
	return 0;
}

static int begin(struct heattrace_reader *r)
{
	uint32_t version;

	switch (trace_unpacker_begin(&r->unpacker, &version)) {
	case TRACE_READ:
		break;
	case TRACE_FAILED:
		return fail(r, "%s", strerror(errno));
	default:
		return fail(r, "not a heat trace: 'daxstack record' writes them");
	}
	if (version != TRACE_VERSION)
		return fail(r, "a trace of version %u, but this program reads version %u: "
			    "use the program of that version",
			    version, TRACE_VERSION);
	return get_info(r);
}

static int open_it(struct heattrace_reader *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int error;

	r->unpacker.fd = -1;
	if (fd < 0)
		return fail(r, "%s", strerror(errno));
	error = trace_unpacker_init(&r->unpacker, fd) ?: trace_files_init(&r->files);
	return error ? fail(r, "%s", strerror(error)) : begin(r);
}

struct heattrace_reader *heattrace_open(const char *path, char *err, size_t len)
{
	struct heattrace_reader *r = calloc(1, sizeof(*r));

	if (!r) {
		snprintf(err, len, "%s", strerror(ENOMEM));
		return NULL;
	}
	if (!open_it(r, path))
		return r;
	snprintf(err, len, "%s", r->error);
	heattrace_close(r);
	return NULL;
}

const struct heattrace_info *heattrace_info(const struct heattrace_reader *r)
{
	return &r->info;
}

/* --- Entries. */

/* Return: 0 or an errno. Sets @bad if the name is invalid. */
static int get_name(struct heattrace_reader *r, uint32_t at)
{
	uint64_t len = trace_get_number(&r->at);
	const char *name = len > TRACE_NAME_MAX ? NULL : trace_get_bytes(&r->at, len);

	if (!name || memchr(name, 0, len)) {
		r->at.bad = true;
		return 0;
	}
	return trace_files_rename(&r->files, at, name, len);
}

static int get_new(struct heattrace_reader *r, uint64_t generation)
{
	uint64_t ino = trace_get_number(&r->at);

	if (generation > UINT32_MAX || r->at.bad ||
	    trace_files_find(&r->files, ino, generation) != UINT32_MAX) {
		r->at.bad = true;
		return 0;
	}
	return trace_files_add(&r->files, ino, generation);
}

static int get_about(struct heattrace_reader *r, enum trace_entry entry, uint64_t skip)
{
	if (r->next >= r->files.nr || skip >= r->files.nr - r->next) {
		r->at.bad = true;
		return 0;
	}
	r->next += skip;
	if (entry == TRACE_NAME)
		return get_name(r, r->next);
	if (entry == TRACE_CHANGE)
		trace_get_change(&r->at, &r->files, r->next, r->info.windows);
	else
		trace_files_restart(&r->files, r->next);
	return 0;
}

static void get_drop(struct heattrace_reader *r, uint64_t at)
{
	if (at < r->files.nr)
		trace_files_drop(&r->files, at);
	else
		r->at.bad = true;
}

static void get_reading(struct heattrace_reader *r, uint64_t zero)
{
	uint64_t passed = trace_get_number(&r->at);

	if (zero || __builtin_add_overflow(r->time_ns, passed, &r->time_ns))
		r->at.bad = true;
}

/* Return: 1 if the entry completes a reading; 0; -1: error. */
static int get_entry(struct heattrace_reader *r)
{
	uint64_t number = trace_get_number(&r->at);
	enum trace_entry entry = number & 7;
	int error = 0;

	number >>= 3;
	switch (entry) {
	case TRACE_CHANGE:
	case TRACE_NAME:
	case TRACE_RESTART:
		error = get_about(r, entry, number);
		break;
	case TRACE_NEW:
		error = get_new(r, number);
		break;
	case TRACE_DROP:
		get_drop(r, number);
		break;
	case TRACE_READING:
		get_reading(r, number);
		break;
	default:
		r->at.bad = true;
	}
	if (error)
		return too_large(r, error);
	if (r->at.bad)
		return damaged(r);
	return entry == TRACE_READING;
}

static int end(struct heattrace_reader *r)
{
	uint64_t readings = trace_get_number(&r->at);
	char more;

	if (r->at.bad || r->at.at != r->at.end || readings != r->readings ||
	    read(r->unpacker.fd, &more, 1) != 0)
		return damaged(r);
	r->state = HEATTRACE_COMPLETE;
	return 0;
}

/* Return: 1 if there are entries; 0 at the end; -1: error. */
static int next_block(struct heattrace_reader *r)
{
	int got = get_block(r);

	if (got < 0)
		return got;
	if (!got) {
		r->state = HEATTRACE_CUT;
		return 0;
	}
	if (r->unpacker.type == TRACE_READINGS)
		return 1;
	return r->unpacker.type == TRACE_END ? end(r) : damaged(r);
}

/* Reset the fields that cover a single interval. */
static void close_windows(struct heattrace_reader *r)
{
	struct daxstack_heat_file *file = r->files.heat;
	uint32_t i;

	for (i = 0; r->info.windows && i < r->files.nr; i++, file++) {
		memset(file->sketch, 0, sizeof(file->sketch));
		file->sketch_shift = 0;
		file->probed = 0;
		file->probe_hits = 0;
		file->probe_wait_ns = 0;
	}
}

/* Return: 1; 0 at the end; -1: error. */
static int get_next(struct heattrace_reader *r)
{
	int got = 0;

	while (!got) {
		if (r->at.at == r->at.end) {
			got = next_block(r);
			if (got <= 0)
				return got;
		}
		got = r->at.at == r->at.end ? 0 : get_entry(r);
	}
	return got;
}

int heattrace_next(struct heattrace_reader *r, uint64_t *time_ns,
		   const struct daxstack_heat_file **files, size_t *nr)
{
	int got;

	if (*r->error)
		return -1;
	if (r->state != HEATTRACE_OPEN)
		return 0;
	r->next = 0;
	close_windows(r);
	got = get_next(r);
	if (got <= 0)
		return got;
	r->readings++;
	*time_ns = r->time_ns;
	*files = r->files.heat;
	*nr = r->files.nr;
	return 1;
}

const char *heattrace_name(const struct heattrace_reader *r, uint64_t ino,
			   uint32_t generation)
{
	uint32_t at = trace_files_find(&r->files, ino, generation);

	return at == UINT32_MAX ? NULL : r->files.more[at].name;
}

/**
 * heattrace_state - whether and how the trace has ended
 * @r: the trace
 */
enum heattrace_state heattrace_state(const struct heattrace_reader *r)
{
	return r->state;
}

/**
 * heattrace_error - why heattrace_next() returned -1
 * @r: the trace
 */
const char *heattrace_error(const struct heattrace_reader *r)
{
	return r->error;
}

/**
 * heattrace_close - free the reader of a trace
 * @r: the trace; NULL does nothing
 */
void heattrace_close(struct heattrace_reader *r)
{
	size_t i;

	if (!r)
		return;
	if (r->unpacker.fd >= 0)
		close(r->unpacker.fd);
	trace_unpacker_free(&r->unpacker);
	trace_files_free(&r->files);
	for (i = 0; i < sizeof(r->strings) / sizeof(r->strings[0]); i++)
		free(r->strings[i]);
	free(r);
}
