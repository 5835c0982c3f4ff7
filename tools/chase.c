// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack calibrate: latency, by a pointer chase. The address of each read is the
 * result of the read before, so reads cannot overlap.
 *
 * A chase stays within one group, whose pages all fit in the TLB: it measures memory
 * and not page-table walks. Processors also prefetch the neighbour of a line that
 * misses, so the chase reads one line of each pair. Other prefetchers need reads in
 * sequence, which do not occur here.
 *
 * Pairs of reads, half a block of 256 bytes apart and half a page apart, show how large
 * a block a read opens within the memory. If the first read opens nothing, the second
 * takes as long.
 */
#include <stdlib.h>
#include <sys/resource.h>

#include "calibrate.h"

enum {
	LINE = 64,
	SLOT = 256,
	PAGE = 4096,
	SLOTS = GROUP_BYTES / SLOT,
	PAGES = GROUP_BYTES / PAGE,
	/* Each chain uses its own eight bytes of a line. */
	RANDOM_AT = 0,
	NEAR_AT = 8,
	FAR_AT = 16,
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void shuffle(unsigned int *order, unsigned int count, uint64_t *random)
{
	unsigned int i, other, kept;

	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count - 1; i; i--) {
		other = next_random(random) % (i + 1);
		kept = order[i];
		order[i] = order[other];
		order[other] = kept;
	}
}

static void put(char *group, size_t from, size_t to, size_t at)
{
	*(uint64_t *)(group + from + at) = to;
}

/* Link one chain through all blocks of @size. @step: offset of a second read in each, or 0. */
static void link_blocks(char *group, size_t size, size_t step, size_t at,
			uint64_t *random)
{
	static unsigned int order[SLOTS];
	unsigned int count = GROUP_BYTES / size, i;
	size_t from, to;

	shuffle(order, count, random);
	for (i = 0; i < count; i++) {
		from = order[i] * size;
		to = order[(i + 1) % count] * size;
		if (step)
			put(group, from, from + step, at);
		put(group, from + step, to, at);
	}
}

/**
 * chase_link - write the chains of a group
 * @group: GROUP_BYTES
 * @random: state of the generator, not 0
 */
void chase_link(char *group, uint64_t *random)
{
	link_blocks(group, SLOT, 0, RANDOM_AT, random);
	link_blocks(group, SLOT, SLOT / 2, NEAR_AT, random);
	link_blocks(group, PAGE, PAGE / 2, FAR_AT, random);
}

/* Start at @at. Return: the offset that the chase ends at. */
static size_t follow(const char *group, size_t at, size_t hops)
{
	for (; hops; hops -= 8) {
		at = *(const volatile uint64_t *)(group + at);
		at = *(const volatile uint64_t *)(group + at);
		at = *(const volatile uint64_t *)(group + at);
		at = *(const volatile uint64_t *)(group + at);
		at = *(const volatile uint64_t *)(group + at);
		at = *(const volatile uint64_t *)(group + at);
		at = *(const volatile uint64_t *)(group + at);
		at = *(const volatile uint64_t *)(group + at);
	}
	return at;
}

/* Fill the page tables. The flush that follows fills the TLB. */
static void touch(const char *group)
{
	size_t at;

	for (at = 0; at < GROUP_BYTES; at += PAGE)
		*(const volatile char *)(group + at);
}

/**
 * chase_read - follow a chain of a group once, with cold caches
 * @group: in the mapping of a file
 * @figure: FIGURE_RANDOM, FIGURE_NEAR or FIGURE_FAR
 *
 * Return: nanoseconds per read; 0 if a page fault occurred.
 */
double chase_read(char *group, enum figure_id figure)
{
	size_t hops = figure == FIGURE_RANDOM ? SLOTS :
		figure == FIGURE_NEAR ? 2 * SLOTS : 2 * PAGES;
	size_t at = figure == FIGURE_RANDOM ? RANDOM_AT :
		figure == FIGURE_NEAR ? NEAR_AT : FAR_AT;
	double times[PARTS], start;
	unsigned long faults;
	size_t pos = 0, i;

	touch(group);
	flush_lines(group, GROUP_BYTES, LINE);
	faults = faults_now();
	for (i = 0; i < PARTS; i++) {
		start = machine_now();
		pos = follow(group + at, pos, hops / PARTS);
		times[i] = machine_now() - start;
	}
	/* All chains are rings that begin at offset 0. */
	if (pos)
		abort();
	if (faults_now() != faults)
		return 0;
	return samples_median(times, PARTS) * 1e9 / (hops / PARTS);
}

/**
 * faults_now - number of page faults of this thread
 */
unsigned long faults_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

#define ADD	do { sum += one; __asm__ volatile("" : "+r" (sum)); } while (0)
#define ADD_8	do { ADD; ADD; ADD; ADD; ADD; ADD; ADD; ADD; } while (0)

/**
 * instruction_run - measure an instruction that does not wait for memory
 *
 * Times dependent additions, one per clock cycle. Other instructions that do not wait
 * for memory run about as fast.
 *
 * Return: nanoseconds.
 */
double instruction_run(void)
{
	enum { TIMES = 4096, ADDS = 64 };
	unsigned long sum = 0, one = 1;
	double start;
	int i;

	/* Hide the value from the compiler. */
	__asm__ volatile("" : "+r" (one));
	start = machine_now();
	for (i = 0; i < TIMES; i++) {
		ADD_8;
		ADD_8;
		ADD_8;
		ADD_8;
		ADD_8;
		ADD_8;
		ADD_8;
		ADD_8;
	}
	return (machine_now() - start) * 1e9 / TIMES / ADDS;
}
