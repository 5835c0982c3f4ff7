// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat traces: changes of a file from one reading to the next: a mask of the changed
 * fields, then each of them.
 *
 * Databases read and write blocks of one size. So bytes and dirtied pages are stored as
 * the difference from a prediction based on the last size per call, which is often 0.
 */
#include <stddef.h>
#include <string.h>

#include "trace.h"

/* Encoding of a field. */
enum kind {
	COUNT,		/* difference, only grows */
	CHANGE,		/* difference, signed */
	WINDOW,		/* with windows: the value itself, 0 if omitted */
};

struct field {
	size_t offset;
	size_t bytes;
	enum kind kind;
};

#define FIELD(name, kind) {						\
	offsetof(struct daxstack_heat_file, name),			\
	sizeof(((struct daxstack_heat_file *)0)->name), kind }

/* Bits of the mask. */
enum {
	MODE,
	SKETCH,
	COUNTS_NOW,			/* counts in the current mode of the file */
	COUNTS_BEFORE = COUNTS_NOW + 8,	/* counts in the other mode */
	FIELDS = COUNTS_BEFORE + 8,	/* fields of the table */
};

static const struct field fields[] = {
	FIELD(pages, CHANGE),
	FIELD(size, CHANGE),
	FIELD(probed, WINDOW),
	FIELD(probe_hits, WINDOW),
	FIELD(probe_wait_ns, WINDOW),
	FIELD(refaults, CHANGE),
	FIELD(flags, CHANGE),
	FIELD(reason, CHANGE),
	FIELD(switches, COUNT),
	FIELD(uid, CHANGE),
};

#define NR_FIELDS	(sizeof(fields) / sizeof(fields[0]))

/* In the order of struct daxstack_heat_counts. */
enum count {
	READS, READ_BYTES, WRITES, WRITE_BYTES,
	READ_FAULTS, WRITE_FAULTS, FSYNCS, DIRTIED,
	COUNTS
};

_Static_assert(sizeof(struct daxstack_heat_counts) == COUNTS * sizeof(uint64_t),
	       "a count is missing here");
_Static_assert(FIELDS + NR_FIELDS <= 32, "the mask has 32 bits");

/* --- Fields of any size. */

static uint64_t get(const struct daxstack_heat_file *file, const struct field *field)
{
	const char *at = (const char *)file + field->offset;
	uint64_t wide;
	uint32_t value;

	if (field->bytes == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&value, at, sizeof(value));
	return value;
}

static void set(struct daxstack_heat_file *file, const struct field *field,
		uint64_t value)
{
	char *at = (char *)file + field->offset;
	uint32_t narrow = value;

	if (field->bytes == sizeof(value))
		memcpy(at, &value, sizeof(value));
	else
		memcpy(at, &narrow, sizeof(narrow));
}

static void get_counts(const struct daxstack_heat_counts *counts, uint64_t *values)
{
	memcpy(values, counts, sizeof(*counts));
}

/* --- Prediction of the counts in the current mode. */

static uint64_t expected(const struct trace_file *more, enum count count,
			 const uint64_t *deltas)
{
	switch (count) {
	case READ_BYTES:
		return deltas[READS] * more->read_size;
	case WRITE_BYTES:
		return deltas[WRITES] * more->write_size;
	case DIRTIED:
		return deltas[WRITES] * more->write_pages + deltas[WRITE_FAULTS];
	default:
		return 0;
	}
}

static bool is_guessed(enum count count)
{
	return count == READ_BYTES || count == WRITE_BYTES || count == DIRTIED;
}

static void learn(struct trace_file *more, const uint64_t *deltas)
{
	if (deltas[READS])
		more->read_size = deltas[READ_BYTES] / deltas[READS];
	if (deltas[WRITES])
		more->write_size = deltas[WRITE_BYTES] / deltas[WRITES];
	if (deltas[WRITES] && deltas[DIRTIED] >= deltas[WRITE_FAULTS])
		more->write_pages = (deltas[DIRTIED] - deltas[WRITE_FAULTS]) /
			deltas[WRITES];
}

/* --- Write. */

static bool sketch_changed(const struct daxstack_heat_file *before,
			   const struct daxstack_heat_file *now, bool windows)
{
	static const __u64 none[4];

	if (windows)
		return memcmp(now->sketch, none, sizeof(none)) || now->sketch_shift;
	return memcmp(now->sketch, before->sketch, sizeof(none)) ||
		now->sketch_shift != before->sketch_shift;
}

static uint64_t base_of(const struct daxstack_heat_file *before,
			const struct field *field, bool windows)
{
	return field->kind == WINDOW && windows ? 0 : get(before, field);
}

/**
 * trace_changed - whether this reading has to mention a file
 * @files: the known files
 * @at: index of the file
 * @now: its current heat
 * @windows: the session had windows
 */
bool trace_changed(const struct trace_files *files, uint32_t at,
		   const struct daxstack_heat_file *now, bool windows)
{
	const struct daxstack_heat_file *before = &files->heat[at];
	size_t i;

	if (now->mode != before->mode ||
	    memcmp(now->by_mode, before->by_mode, sizeof(now->by_mode)) ||
	    sketch_changed(before, now, windows))
		return true;
	for (i = 0; i < NR_FIELDS; i++)
		if (get(now, &fields[i]) != base_of(before, &fields[i], windows))
			return true;
	return false;
}

/**
 * trace_restarted - whether the counts of a file restarted
 * @before: the file in the last reading
 * @now: its current heat
 *
 * This happens when its inode was evicted and loaded again.
 */
bool trace_restarted(const struct daxstack_heat_file *before,
		     const struct daxstack_heat_file *now)
{
	uint64_t old[COUNTS], new[COUNTS];
	unsigned int mode, i;

	for (mode = 0; mode < 2; mode++) {
		get_counts(&before->by_mode[mode], old);
		get_counts(&now->by_mode[mode], new);
		for (i = 0; i < COUNTS; i++)
			if (new[i] < old[i])
				return true;
	}
	return now->switches < before->switches;
}

static void deltas_of(const struct daxstack_heat_file *before,
		      const struct daxstack_heat_file *now, unsigned int mode,
		      uint64_t *deltas)
{
	uint64_t old[COUNTS];
	unsigned int i;

	get_counts(&before->by_mode[mode], old);
	get_counts(&now->by_mode[mode], deltas);
	for (i = 0; i < COUNTS; i++)
		deltas[i] -= old[i];
}

static void put_sketch(struct trace_bytes *to, const struct daxstack_heat_file *before,
		       const struct daxstack_heat_file *now, bool windows, bool fold)
{
	__u64 sketch[4];
	unsigned int i;

	for (i = 0; i < 4; i++)
		sketch[i] = now->sketch[i] ^ (windows ? 0 : before->sketch[i]);
	trace_put_number(to, now->sketch_shift);
	trace_put_sketch(to, sketch, windows && fold);
}

/**
 * trace_put_change - write the change of a file, and update the known files
 * @to: output
 * @files: the known files
 * @at: index of the file
 * @now: its current heat
 * @windows: the session had windows
 * @fold: fold the sketch
 */
void trace_put_change(struct trace_bytes *to, struct trace_files *files, uint32_t at,
		      const struct daxstack_heat_file *now, bool windows, bool fold)
{
	struct daxstack_heat_file *before = &files->heat[at];
	struct trace_file *more = &files->more[at];
	uint64_t deltas[2][COUNTS], differ[COUNTS];
	unsigned int mode = now->mode & 1;
	uint32_t mask = 0;
	size_t i;

	deltas_of(before, now, mode, deltas[0]);
	deltas_of(before, now, !mode, deltas[1]);
	mask |= (mode != before->mode) << MODE;
	mask |= sketch_changed(before, now, windows) << SKETCH;
	for (i = 0; i < COUNTS; i++) {
		differ[i] = deltas[0][i] - expected(more, i, deltas[0]);
		mask |= (uint32_t)!!differ[i] << (COUNTS_NOW + i);
		mask |= (uint32_t)!!deltas[1][i] << (COUNTS_BEFORE + i);
	}
	for (i = 0; i < NR_FIELDS; i++)
		mask |= (uint32_t)(get(now, &fields[i]) !=
			base_of(before, &fields[i], windows)) << (FIELDS + i);

	trace_put_number(to, mask);
	if (mask >> SKETCH & 1)
		put_sketch(to, before, now, windows, fold);
	for (i = 0; i < COUNTS; i++) {
		if (!(mask >> (COUNTS_NOW + i) & 1))
			continue;
		if (is_guessed(i))
			trace_put_signed(to, differ[i]);
		else
			trace_put_number(to, differ[i]);
	}
	for (i = 0; i < COUNTS; i++)
		if (mask >> (COUNTS_BEFORE + i) & 1)
			trace_put_number(to, deltas[1][i]);
	for (i = 0; i < NR_FIELDS; i++)
		if (mask >> (FIELDS + i) & 1)
			trace_put_signed(to, get(now, &fields[i]) -
					 base_of(before, &fields[i], windows));
	learn(more, deltas[0]);
	*before = *now;
}

/* --- Read. */

static void get_sketch(struct trace_bytes *from, struct daxstack_heat_file *file,
		       bool windows)
{
	__u64 sketch[4];
	unsigned int i;

	file->sketch_shift = trace_get_number(from);
	if (file->sketch_shift > 63)
		from->bad = true;
	trace_get_sketch(from, sketch);
	for (i = 0; i < 4; i++)
		file->sketch[i] = sketch[i] ^ (windows ? 0 : file->sketch[i]);
}

static void grow(struct trace_bytes *from, struct daxstack_heat_counts *counts,
		 const uint64_t *deltas)
{
	uint64_t values[COUNTS];
	unsigned int i;

	get_counts(counts, values);
	for (i = 0; i < COUNTS; i++)
		if (__builtin_add_overflow(values[i], deltas[i], &values[i]))
			from->bad = true;
	memcpy(counts, values, sizeof(*counts));
}

static void get_counts_now(struct trace_bytes *from, struct daxstack_heat_file *file,
			   struct trace_file *more, uint32_t mask)
{
	uint64_t deltas[COUNTS] = { 0 };
	unsigned int i;

	for (i = 0; i < COUNTS; i++) {
		if (mask >> (COUNTS_NOW + i) & 1)
			deltas[i] = is_guessed(i) ? trace_get_signed(from) :
				trace_get_number(from);
		deltas[i] += expected(more, i, deltas);
	}
	grow(from, &file->by_mode[file->mode], deltas);
	learn(more, deltas);
}

static void get_counts_before(struct trace_bytes *from, struct daxstack_heat_file *file,
			      uint32_t mask)
{
	uint64_t deltas[COUNTS] = { 0 };
	unsigned int i;

	for (i = 0; i < COUNTS; i++)
		if (mask >> (COUNTS_BEFORE + i) & 1)
			deltas[i] = trace_get_number(from);
	grow(from, &file->by_mode[!file->mode], deltas);
}

static void get_field(struct trace_bytes *from, struct daxstack_heat_file *file,
		      const struct field *field, bool windows)
{
	uint64_t base = base_of(file, field, windows);
	uint64_t value = base + trace_get_signed(from);

	if (field->bytes < sizeof(value) && value > UINT32_MAX)
		from->bad = true;
	if (field->kind == COUNT && value < base)
		from->bad = true;
	set(file, field, value);
}

/**
 * trace_get_change - read the change of a file
 * @from: input
 * @files: the known files
 * @at: index of the file
 * @windows: the session had windows; WINDOW fields were set to 0
 */
void trace_get_change(struct trace_bytes *from, struct trace_files *files, uint32_t at,
		      bool windows)
{
	struct daxstack_heat_file *file = &files->heat[at];
	uint64_t number = trace_get_number(from);
	uint32_t mask = number;
	size_t i;

	if (number >> (FIELDS + NR_FIELDS)) {
		from->bad = true;
		return;
	}
	if (mask >> MODE & 1)
		file->mode = !file->mode;
	if (mask >> SKETCH & 1)
		get_sketch(from, file, windows);
	get_counts_now(from, file, &files->more[at], mask);
	get_counts_before(from, file, mask);
	for (i = 0; i < NR_FIELDS; i++)
		if (mask >> (FIELDS + i) & 1)
			get_field(from, file, &fields[i], windows);
	if (file->size > INT64_MAX)
		from->bad = true;
}
