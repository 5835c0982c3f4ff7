// SPDX-License-Identifier: GPL-2.0-only
/* daxstack calibrate: bandwidth of one processor for streams, and for scattered writes. */
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "calibrate.h"

enum {
	LINE = 64,
	SLOT = 256,
	PAGE = 4096,
	SLOTS = GROUP_BYTES / SLOT,
	PART = GROUP_BYTES / PARTS,
};

/* 16 bytes, the smallest unit of vector moves. */
struct vector {
	long long v __attribute__((vector_size(16)));
} __attribute__((may_alias));

/* --- Processor-specific code. */

#if defined(__x86_64__)
static bool has_clflushopt(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_CLFLUSHOPT;
}

static void flush_all(const char *from, const char *end, size_t step)
{
	static int opt = -1;

	if (opt < 0)
		opt = has_clflushopt();
	for (; from < end; from += step) {
		if (opt)
			__asm__ volatile("clflushopt %0" : : "m" (*from));
		else
			__asm__ volatile("clflush %0" : : "m" (*from));
	}
	_mm_mfence();
}

static inline void store_around(struct vector *to, struct vector value)
{
	_mm_stream_si128((__m128i *)to, (__m128i)value.v);
}

static void store_end(void)
{
	_mm_sfence();
}

static const bool is_known = true;
#else
/* No flush: rely on the file being much larger than the caches. */
static void flush_all(const char *from, const char *end, size_t step)
{
	(void)from;
	(void)end;
	(void)step;
	__sync_synchronize();
}

static inline void store_around(struct vector *to, struct vector value)
{
	*(volatile struct vector *)to = value;
}

static void store_end(void)
{
	__sync_synchronize();
}

static const bool is_known;
#endif

/**
 * flush_works - whether cache lines can be flushed
 */
bool flush_works(void)
{
	return is_known;
}

/**
 * stream_nontemporal - whether there are non-temporal stores
 */
bool stream_nontemporal(void)
{
	return is_known;
}

/**
 * flush_lines - flush cache lines
 * @from: first byte
 * @bytes: length
 * @step: distance from one line to the next
 */
void flush_lines(const char *from, size_t bytes, size_t step)
{
	flush_all(from, from + bytes, step);
}

/* --- Streams. */

static void read_part(const char *part)
{
	const struct vector *from = (const struct vector *)part;
	const struct vector *end = (const struct vector *)(part + PART);
	struct vector a = { { 0 } }, b = a, c = a, d = a;

	for (; from < end; from += 4) {
		a.v ^= from[0].v;
		b.v ^= from[1].v;
		c.v ^= from[2].v;
		d.v ^= from[3].v;
	}
	a.v ^= b.v ^ c.v ^ d.v;
	__asm__ volatile("" : : "m" (a));
}

static inline void write_around(char *to, size_t bytes, struct vector value)
{
	char *end = to + bytes;

	for (; to < end; to += LINE) {
		store_around((struct vector *)to, value);
		store_around((struct vector *)to + 1, value);
		store_around((struct vector *)to + 2, value);
		store_around((struct vector *)to + 3, value);
	}
}

static void write_part(char *part, struct vector value)
{
	volatile struct vector *to = (volatile struct vector *)part;
	volatile struct vector *end = (volatile struct vector *)(part + PART);

	for (; to < end; to += 4) {
		to[0] = value;
		to[1] = value;
		to[2] = value;
		to[3] = value;
	}
	flush_lines(part, PART, LINE);
}

/*
 * Write slots in pseudo-random order, starting after @slot; the sequence visits each
 * slot once.
 *
 * Return: the last slot.
 */
static size_t write_scattered(char *group, size_t slot, size_t bytes,
			      struct vector value)
{
	size_t i;

	for (i = 0; i < SLOTS / PARTS; i++) {
		slot = (slot * 2045 + 4093) % SLOTS;
		write_around(group + slot * SLOT, bytes, value);
	}
	return slot;
}

/* Also write to each page if @write: writeback may have write-protected it. */
static void touch(char *group, bool write)
{
	size_t at;

	for (at = 0; at < GROUP_BYTES; at += PAGE) {
		volatile char *byte = group + at;
		char value = *byte;

		if (write)
			*byte = value;
	}
}

/* Run one part; @slot is carried from one part to the next. */
static void run(char *group, size_t part, enum figure_id figure, size_t *slot)
{
	struct vector value = {
		{ 0x6461787374616b21, (long long)figure }
	};
	char *at = group + part * PART;

	switch (figure) {
	case FIGURE_READ:
		read_part(at);
		return;
	case FIGURE_WRITE:
		write_part(at, value);
		return;
	case FIGURE_WRITE_NT:
		write_around(at, PART, value);
		break;
	case FIGURE_SCATTER_64:
		*slot = write_scattered(group, *slot, LINE, value);
		break;
	default:
		*slot = write_scattered(group, *slot, SLOT, value);
		break;
	}
	store_end();
}

/**
 * stream_run - read or write a group once, with cold caches
 * @group: in the mapping of a file
 * @figure: FIGURE_READ to FIGURE_SCATTER_256
 *
 * Return: MB/s, or nanoseconds for a scattered write; 0 if a page fault occurred.
 */
double stream_run(char *group, enum figure_id figure)
{
	double times[PARTS], start, seconds;
	size_t slot = 0, i;
	unsigned long faults;

	touch(group, figure != FIGURE_READ);
	flush_lines(group, GROUP_BYTES, LINE);
	faults = faults_now();
	for (i = 0; i < PARTS; i++) {
		start = machine_now();
		run(group, i, figure, &slot);
		times[i] = machine_now() - start;
	}
	seconds = samples_median(times, PARTS);
	if (faults_now() != faults || seconds <= 0)
		return 0;
	if (figure == FIGURE_SCATTER_64 || figure == FIGURE_SCATTER_256)
		return seconds * 1e9 / (SLOTS / PARTS);
	return PART / seconds / 1e6;
}
