// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a synthetic heat trace: placetraces KIND SEED FILE [STEPS]
 *
 * Files, operations and sketches are counted as by the module; the same kind
 * and seed give the same trace.
 */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/heattrace.h"
#include "placetraces.h"

#define INTERVAL_NS	10000000000ULL

struct made made[FILES_MAX];
uint32_t nr_made;
static uint64_t state;

uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

/*
 * Rank k, from 1, with frequency 1/k: by the inverse of the harmonic numbers.
 */
uint32_t draw_zipf(uint32_t below)
{
	static double sums[1 << 16];
	static uint32_t known;
	double x;
	uint32_t low = 0, high = below, middle;

	for (; known < below; known++)
		sums[known] = (known ? sums[known - 1] : 0) + 1.0 / (known + 1);
	x = (double)draw(1ULL << 40) / (double)(1ULL << 40) * sums[below - 1];
	while (low < high) {
		middle = (low + high) / 2;
		if (sums[middle] <= x)
			low = middle + 1;
		else
			high = middle;
	}
	return low < below ? low : below - 1;
}

/* As the module does. */
static unsigned int shift_for(uint64_t size)
{
	unsigned int shift = 0;

	while (size / PAGE >> shift > 2 * DAXSTACK_HEAT_SKETCH_BITS)
		shift++;
	return shift;
}

uint32_t make_file(uint64_t size, const char *format, ...)
{
	struct made *f;
	uint32_t i;
	va_list args;

	for (i = 0; i < nr_made && made[i].there; i++)
		;
	if (i == FILES_MAX)
		errx(1, "too many files");
	if (i == nr_made)
		nr_made++;
	f = &made[i];
	uint32_t generation = f->heat.generation + 1;

	memset(f, 0, sizeof(*f));
	f->there = true;
	f->heat.ino = 100 + i;
	f->heat.generation = generation;
	f->heat.mode = DAXSTACK_DAX;
	f->heat.size = size;
	f->heat.uid = 1000;
	f->heat.flags = DAXSTACK_STATE_GATED;
	f->heat.sketch_shift = shift_for(size);
	va_start(args, format);
	vsnprintf(f->name, sizeof(f->name), format, args);
	va_end(args);
	return i;
}

void remove_file(uint32_t file)
{
	made[file].there = false;
}

static void touch(struct made *f, uint64_t page)
{
	uint64_t hash = page * 0x9e3779b97f4a7c15 + 0x5bd1e995;

	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15;
	if (!(hash & ((1ULL << f->heat.sketch_shift) - 1)))
		f->heat.sketch[hash >> 62] |= 1ULL << (hash >> 56 & 63);
}

void do_read(uint32_t file, uint64_t at, uint32_t bytes)
{
	struct made *f = &made[file];

	if (at >= f->heat.size)
		return;
	if (bytes > f->heat.size - at)
		bytes = (uint32_t)(f->heat.size - at);
	touch(f, at / PAGE);
	f->heat.by_mode[DAXSTACK_DAX].reads++;
	f->heat.by_mode[DAXSTACK_DAX].read_bytes += bytes;
}

void do_write(uint32_t file, uint64_t at, uint32_t bytes)
{
	struct made *f = &made[file];

	touch(f, at / PAGE);
	f->heat.by_mode[DAXSTACK_DAX].writes++;
	f->heat.by_mode[DAXSTACK_DAX].write_bytes += bytes;
	f->heat.by_mode[DAXSTACK_DAX].dirtied += (at + bytes - 1) / PAGE - at / PAGE + 1;
	if (at + bytes > f->heat.size)
		f->heat.size = at + bytes;
}

void do_append(uint32_t file, uint32_t bytes)
{
	do_write(file, made[file].heat.size, bytes);
}

void do_fsync(uint32_t file)
{
	made[file].heat.by_mode[DAXSTACK_DAX].fsyncs++;
}

void read_all(uint32_t file)
{
	uint64_t at;

	for (at = 0; at < made[file].heat.size; at += 64 * KIB)
		do_read(file, at, 64 * KIB);
}

uint64_t zipf_page(uint32_t file)
{
	uint64_t pages = made[file].heat.size / PAGE;

	/* Scattered over the file. */
	return draw_zipf((uint32_t)pages) * 2654435761ULL % pages;
}

/* The next interval's sketch covers a larger or smaller part of the pages. */
static void clear(struct made *f)
{
	unsigned int set = 0, i;

	for (i = 0; i < 4; i++) {
		set += (unsigned int)__builtin_popcountll(f->heat.sketch[i]);
		f->heat.sketch[i] = 0;
	}
	if (set < DAXSTACK_HEAT_SKETCH_BITS / 8 && f->heat.sketch_shift)
		f->heat.sketch_shift--;
	else if (set == DAXSTACK_HEAT_SKETCH_BITS)
		f->heat.sketch_shift += 4;
	else if (set > DAXSTACK_HEAT_SKETCH_BITS * 7 / 8)
		f->heat.sketch_shift++;
	if (f->heat.sketch_shift > shift_for(f->heat.size))
		f->heat.sketch_shift = shift_for(f->heat.size);
}

static int name_of(void *arg, uint64_t ino, uint32_t generation, char *path,
		   size_t size)
{
	(void)arg;
	(void)generation;
	snprintf(path, size, "%s", made[ino - 100].name);
	return 0;
}

static void put(struct heattrace_writer *w, uint32_t step)
{
	static struct daxstack_heat_file files[FILES_MAX];
	size_t nr = 0;
	uint32_t i;
	int failed;

	for (i = 0; i < nr_made; i++)
		if (made[i].there)
			files[nr++] = made[i].heat;
	failed = heattrace_put(w, (step + 1) * INTERVAL_NS, files, nr, name_of, NULL);
	if (failed)
		errx(1, "not written: %s", strerror(failed));
	for (i = 0; i < nr_made; i++)
		if (made[i].there)
			clear(&made[i]);
}

int main(int argc, char **argv)
{
	const struct heattrace_info info = {
		.mount = "/mnt", .lower = "ext4", .kernel = "none",
		.interval_ns = INTERVAL_NS, .page_size = PAGE, .windows = true,
	};
	struct heattrace_writer *w;
	const struct kind *kind;
	char why[256];
	uint32_t step, steps;

	if (argc < 4)
		errx(64, "usage: placetraces KIND SEED FILE [STEPS]");
	for (kind = kinds; kind->name; kind++)
		if (!strcmp(kind->name, argv[1]))
			break;
	if (!kind->name)
		errx(64, "no such kind: %s", argv[1]);
	state = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15 + 1;
	w = heattrace_create(argv[3], true, &info, why, sizeof(why));
	if (!w)
		errx(1, "%s", why);
	steps = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : kind->steps;
	for (step = 0; step <= steps; step++) {
		kind->run(step);
		put(w, step);
	}
	if (heattrace_end(w))
		errx(1, "%s: not written", argv[3]);
	return 0;
}
