/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For memory-model.c: the caches, and counters of their accesses to memory.
 * docs/memory-model.md says what is modelled, and why.
 *
 * A header, so that the compiler can inline the code into the plugin's callback.
 */
#ifndef MEMORY_CACHES_H
#define MEMORY_CACHES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE_SHIFT = 6,		/* a cache line has 64 bytes */
	LEVELS = 3,
	STREAMS = 16,		/* tracked at a time */
	STREAM_MIN = 3,		/* the third line in a row makes a stream */
	OPEN_READS = 16,	/* this many reads keep an internal line open */
	OPEN_WRITES = 64,	/* this many writes to an internal line combine */
	FILLS = 8,		/* lines that non-temporal stores fill concurrently */
	/*
	 * How near an access is to one of those before: in the same 64 bytes,
	 * the same 128, and so on to 8192 (each aligned), or in none of them.
	 */
	NEAR_SIZES = 8,
	FAR = NEAR_SIZES,
};

enum device { DRAM, PMEM, DEVICES };
/* The access that needs a line: a load, or a store into the line. */
enum reader { BY_LOAD, BY_STORE, READERS };
/* Why a line is written back: eviction, a flush, or a store past the caches. */
enum writer { EVICTED, FLUSHED, UNCACHED, WRITERS };

/* Accesses to a memory, in lines. */
struct traffic {
	uint64_t stream[READERS];
	uint64_t read[READERS][NEAR_SIZES + 1];
	uint64_t written[WRITERS][NEAR_SIZES + 1];
};

/* The counters of a region. */
struct counts {
	uint64_t times;			/* entries into the region */
	uint64_t instructions;
	uint64_t loads;
	uint64_t stores;
	uint64_t io;			/* accesses to devices, which cost nothing */
	uint64_t hits[LEVELS];		/* lines; repeated accesses to the last line do not count */
	uint64_t flushes;
	uint64_t flushes_unseen;	/* flushes of an unknown address */
	struct traffic memory[DEVICES];
};

/* A way is its line's number plus 1, shifted left by one; bit 0: dirty. The most
 * recently used way comes first.
 */
struct level {
	uint64_t *ways;
	uint64_t sets;
	unsigned int per_set;
};

/* The recent accesses to a device. */
struct recent {
	uint64_t reads[OPEN_READS];
	uint64_t writes[OPEN_WRITES];
	unsigned int read_at;
	unsigned int write_at;
};

struct stream {
	uint64_t next;		/* virtual line */
	uint64_t run;		/* lines so far */
	uint64_t used;
};

static struct level levels[LEVELS];
static int level_count;
static struct recent recent[DEVICES];
static struct stream streams[STREAMS];
static uint64_t stream_clock;
static uint64_t fills[FILLS];
static unsigned int fill_at;

static struct counts outside;
static struct counts *now = &outside;

/* Physical lines of persistent memory. */
static uint64_t pmem_first = 1, pmem_last;

/* A line that left a cache. The callback's shortcuts must no longer treat it as
 * cached.
 */
static uint64_t last_gone;

static inline enum device device_of(uint64_t line)
{
	return line >= pmem_first && line <= pmem_last ? PMEM : DRAM;
}

/* --- Memory. */

/* The distance from @line to the nearest of @n lines. */
static inline unsigned int nearness(const uint64_t *lines, unsigned int n, uint64_t line)
{
	uint64_t least = UINT64_MAX;
	unsigned int i, bits;

	for (i = 0; i < n; i++) {
		uint64_t apart = (lines[i] ^ line);

		least = apart < least ? apart : least;
	}
	bits = least ? 64 - (unsigned int)__builtin_clzll(least) : 0;
	return bits < NEAR_SIZES ? bits : FAR;
}

static inline void memory_write(uint64_t line, enum writer writer)
{
	enum device device = device_of(line);
	struct recent *r = &recent[device];

	now->memory[device].written[writer][nearness(r->writes, OPEN_WRITES, line)]++;
	r->writes[r->write_at] = line;
	r->write_at = (r->write_at + 1) % OPEN_WRITES;
}

/* Whether the line continues an ascending stream. */
static inline bool in_stream(uint64_t vline)
{
	struct stream *s, *oldest = streams;

	stream_clock++;
	for (s = streams; s < streams + STREAMS; s++) {
		if (s->next == vline) {
			s->next++;
			s->run++;
			s->used = stream_clock;
			return s->run >= STREAM_MIN;
		}
		if (s->used < oldest->used)
			oldest = s;
	}
	oldest->next = vline + 1;
	oldest->run = 1;
	oldest->used = stream_clock;
	return false;
}

static inline void memory_read(uint64_t line, uint64_t vline, enum reader reader)
{
	enum device device = device_of(line);
	struct traffic *t = &now->memory[device];
	struct recent *r = &recent[device];

	if (in_stream(vline))
		t->stream[reader]++;
	else
		t->read[reader][nearness(r->reads, OPEN_READS, line)]++;
	r->reads[r->read_at] = line;
	r->read_at = (r->read_at + 1) % OPEN_READS;
}

/* --- Caches. */

static inline uint64_t *set_of(int level, uint64_t key)
{
	struct level *l = &levels[level];

	return l->ways + (((key >> 1) - 1) & (l->sets - 1)) * l->per_set;
}

/* Look a line up, and make it the most recently used. Return: its way, or NULL. */
static inline uint64_t *find(int level, uint64_t key)
{
	uint64_t *set = set_of(level, key), way;
	unsigned int i, n = levels[level].per_set;

	for (i = 0; i < n; i++) {
		way = set[i];
		if ((way & ~1ULL) != key)
			continue;
		if (i) {
			memmove(set + 1, set, i * sizeof(*set));
			*set = way;
		}
		return set;
	}
	return NULL;
}

/* A dirty line that leaves a level moves to the next level, which mostly has it. */
static void put(int level, uint64_t way)
{
	unsigned int n = levels[level].per_set;
	uint64_t *set = set_of(level, way & ~1ULL), old = set[n - 1];

	memmove(set + 1, set, (n - 1) * sizeof(*set));
	*set = way;
	if (!level && old)
		last_gone = (old >> 1) - 1;
	if (!(old & 1))
		return;
	if (level + 1 == level_count) {
		memory_write((old >> 1) - 1, EVICTED);
		return;
	}
	set = find(level + 1, old & ~1ULL);
	if (set)
		*set |= 1;
	else
		put(level + 1, old);
}

/* A load or a store of a line. */
static inline void access_line(uint64_t line, uint64_t vline, bool store)
{
	uint64_t key = (line + 1) << 1, *way;
	int level, above;

	for (level = 0; level < level_count; level++) {
		way = find(level, key);
		if (way)
			break;
	}
	if (level < level_count)
		now->hits[level]++;
	else
		memory_read(line, vline, store ? BY_STORE : BY_LOAD);
	for (above = level - 1; above >= 0; above--)
		put(above, key);
	if (store)
		*set_of(0, key) |= 1;
}

/* Remove a line from all caches, or only clean it. Return: whether it was dirty. */
static bool clean_line(uint64_t line, bool keep)
{
	uint64_t key = (line + 1) << 1, *way;
	bool dirty = false;
	int level;

	last_gone = line;
	for (level = 0; level < level_count; level++) {
		way = find(level, key);
		if (!way)
			continue;
		dirty |= *way & 1;
		if (keep) {
			*way = key;
			continue;
		}
		/* The next miss takes the free way. */
		memmove(way, way + 1, (levels[level].per_set - 1) * sizeof(*way));
		way[levels[level].per_set - 1] = 0;
	}
	return dirty;
}

static void flush_line(uint64_t line, bool keep)
{
	now->flushes++;
	if (clean_line(line, keep))
		memory_write(line, FLUSHED);
}

/* A non-temporal store. The line is written when it is full, or on a fence or stores to
 * other lines; it counts once, at its first store.
 */
static void uncached_store(uint64_t line)
{
	int i;

	clean_line(line, false);
	for (i = 0; i < FILLS; i++)
		if (fills[i] == line + 1)
			return;
	memory_write(line, UNCACHED);
	fills[fill_at] = line + 1;
	fill_at = (fill_at + 1) % FILLS;
}

static void end_fills(void)
{
	memset(fills, 0, sizeof(fills));
}

/* Parse SIZE:WAYS, such as 32K:8. Return: whether it is valid. */
static bool add_level(const char *text)
{
	struct level *l = &levels[level_count];
	char *end;
	uint64_t size = strtoull(text, &end, 10);
	unsigned long ways;

	if (*end == 'K')
		size <<= 10;
	else if (*end == 'M')
		size <<= 20;
	if (*end == 'K' || *end == 'M')
		end++;
	if (*end++ != ':' || level_count == LEVELS)
		return false;
	ways = strtoul(end, &end, 10);
	if (*end || !ways || ways > 64 || !size || size > 1ULL << 32 ||
	    size % (ways << LINE_SHIFT))
		return false;
	l->per_set = (unsigned int)ways;
	l->sets = size / (ways << LINE_SHIFT);
	if (l->sets & (l->sets - 1))
		return false;
	l->ways = calloc(l->sets * ways, sizeof(*l->ways));
	level_count++;
	return l->ways;
}

#endif
