/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a switch costs.
 *
 * The guest's clock counts instructions (switchcost.guest), all of them: those
 * of the caller, of the lower filesystem, and of kernel threads that work on its
 * behalf. So the figures are the same in every run, whatever else the machine
 * does; by another clock they mean little.
 */
#ifndef COST_H
#define COST_H

#include "../dxs_test.h"

/**
 * struct work - a file, and how it is used when it is switched
 * @size: of the file
 * @sparse: it has no blocks but for what is @used
 * @used: so much of it, from its beginning, is in the page cache; in dax mode,
 *	was read through a mapping
 * @dirty: so much of that was written to and not written back
 * @mappers: so many processes map what is @used, and have read it
 * @span: ... or map so much, if not 0
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
 * struct cost - of a switch, in instructions
 * @all: of the switch
 * @shut: of it, while the gates were shut
 * @drop: without the stack: of drop_caches, which is how to have an inode loaded
 *	anew that something else keeps in the cache; not in @all
 * @again: for all processes to read once more what is @used
 */
struct cost {
	uint64_t all;
	uint64_t shut;
	uint64_t drop;
	uint64_t again;
};

/* Instructions so far. */
uint64_t count(void);

/* work.c, on what is mounted as "stack" or "lower"; all bail out. */

/* A switch of a new file of the stack to mode @to. */
struct cost cost_of_switch(const struct work *work, int to);
/*
 * The same without the stack: all unmap and close the file, its flag is set,
 * which has its inode evicted, it is opened and mapped again.
 */
struct cost cost_without_stack(const struct work *work, int to);
/* Without the stack: fsync and POSIX_FADV_DONTNEED. */
uint64_t cost_of_flush(const struct work *work);
/*
 * FS_IOC_FSSETXATTR of files in directory @where that nobody has used since they
 * were loaded: the median, without a line in dmesg.
 */
uint64_t cost_of_flag(const char *where, int to);

/* bounds.c, sweep.c, stall.c, readers.c */

/* The short form: tests. */
void check_bounds(void);

/* walks.c */
void check_walks(void);
/* The long form: JSON, all of it. */
void print_sweeps(void);
/* How long a reader waits during so many switches. */
void print_stalls(int switches);
/* How long reads take on two processors, of files in directory @where. */
void print_readers(const char *where);

#endif /* COST_H */
