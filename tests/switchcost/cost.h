/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cost of a switch.
 *
 * The guest's clock counts all instructions (switchcost.guest): those of the
 * caller, of the lower filesystem, and of kernel threads that work on its
 * behalf. So the figures are the same in every run, whatever else the machine
 * does; with another clock they mean little.
 */
#ifndef COST_H
#define COST_H

#include "../dxs_test.h"

struct perf_event_mmap_page;

/**
 * struct work - a file, and how it is used when it is switched
 * @size: size of the file
 * @sparse: only the @used part has blocks
 * @used: length of the part, from the start, that is in the page cache; in dax
 *   mode, that was read through a mapping
 * @dirty: length of the part that was written and not written back
 * @mappers: number of processes that map the @used part and have read it
 * @span: length that they map instead, if not 0
 */
struct work {
	off_t size;
	bool sparse;
	off_t used;
	off_t dirty;
	int mappers;
	off_t span;
};

/**
 * struct cost - cost of a switch, in instructions
 * @all: the whole switch
 * @shut: its part with closed gates
 * @drop: without the stack: cost of drop_caches, which is needed to reload an
 *   inode that another user keeps cached; not in @all
 * @again: cost for all processes of reading the @used part again
 */
struct cost {
	uint64_t all;
	uint64_t shut;
	uint64_t drop;
	uint64_t again;
};

/* Returns the number of instructions so far. */
uint64_t count(void);

/* work.c, on the mount at "stack" or "lower"; all bail out. */

/* Switches a new file of the stack to mode @to. */
struct cost cost_of_switch(const struct work *work, int to);
/*
 * The same without the stack: all processes unmap and close the file, its flag
 * is set, which evicts its inode, and it is opened and mapped again.
 */
struct cost cost_without_stack(const struct work *work, int to);
/* Without the stack: fsync and POSIX_FADV_DONTNEED. */
uint64_t cost_of_flush(const struct work *work);
/*
 * FS_IOC_FSSETXATTR of files in directory @where that were not used since they
 * were loaded: the median, of those without a line in dmesg.
 */
uint64_t cost_of_flag(const char *where, int to);

/* bounds.c, sweep.c, stall.c, readers.c */

/* The short form: assertions. */
void check_bounds(void);

/* walks.c */
void check_walks(void);

/**
 * struct sampler - a timer-based perf event; see walks.c
 * @fd: the event
 * @page: head page of its ring buffer
 * @ring: the samples
 */
struct sampler {
	int fd;
	struct perf_event_mmap_page *page;
	const uint8_t *ring;
};

struct sampler make_sampler(void);
void end_sampler(const struct sampler *sampler);
/*
 * Returns the longest time without an interrupt, and the next address sampled.
 * Bails out if there are fewer than @least samples.
 */
uint64_t longest_off(const struct sampler *sampler, long least, uint64_t *where);
/* Lifts the kernel's limit of the sample rate. */
void sample_all(void);
/*
 * Puts a page into the page cache for each page of the file, which is a hole.
 */
void fill_cache(int fd, off_t size);
/*
 * Maps the file without huge pages; @advice populates it. Return: the mapping.
 */
void *map_unaligned(int fd, off_t size, int advice);
/* Makes a DAX entry for each page, dirty if @advice is MADV_POPULATE_WRITE. */
void fill_dax(int fd, off_t size, int advice);

/* curves.c: JSON, one curve or all of them */
void print_curves(const char *only);
/* The long form: JSON of all costs. */
void print_sweeps(void);
/* How long a reader waits, over @switches switches. */
void print_stalls(int switches);
/* How long reads take on two processors, of files in directory @where. */
void print_readers(const char *where);

#endif /* COST_H */
