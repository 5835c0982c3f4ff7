/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File accesses of programs, in both modes and across switches, for the memory
 * model (scripts/measure/worth).
 *
 * Every load goes through the same phases, each of which is a region for the
 * model (tests/region.h):
 *
 *   dax          the load in dax mode, in its steady state
 *   to-cached    its files are switched, while it has them open or mapped
 *   cached-warm  the load, with an empty page cache at first
 *   cached       the load in cached mode, in its steady state
 *   to-dax       its files are switched back
 *   dax-warm     the load, with nothing mapped at first
 *
 * Nothing depends on time or chance: two runs are the same.
 */
#ifndef WORTH_LOAD_H
#define WORTH_LOAD_H

#include "../dxs_test.h"

struct load;

/**
 * struct running - a running load, in a process of its own
 * @load: the load
 * @fd: its file, or -1 if it has others
 * @map: the file, mapped, for loads that map it
 * @buf: memory for the data of a call
 * @at: from plan(): the place of each operation, in the load's own terms
 * @seed: of the random numbers, different in each phase
 * @sum: of the data read, so that the compiler keeps the reads
 * @own: private to the load
 */
struct running {
	const struct load *load;
	int fd;
	char *map;
	char *buf;
	uint32_t *at;
	uint64_t seed;
	uint64_t sum;
	void *own;
};

/**
 * struct load - the file accesses of a program
 * @key: its name
 * @group: loads that are measured in one guest
 * @what: for the tables
 * @op: name of an operation, for the tables
 * @dir: directory of its files; all of them are switched. Several loads may
 *   share it.
 * @set: bytes in use
 * @dram: memory limit, page cache included; 0: no limit
 * @warm: operations after which the steady state is reached
 * @ops: operations that measure the steady state
 * @every: fsync after this many operations
 * @dirty: bytes written and not synced when the files are switched to dax
 * @start_up: run() starts a program each time, which has its own cost. The
 *   steady state is measured once with @ops and once with twice as many
 *   operations; the difference is their cost
 * @make: creates its files, in the working directory @dir
 * @begin, @end: of the program
 * @plan: chooses that many operations
 * @run: performs them. Only this is measured.
 */
struct load {
	const char *key, *group, *what, *op, *dir;
	long set, dram, warm, ops, every, dirty;
	bool start_up;
	void (*make)(const struct load *load);
	void (*begin)(struct running *r);
	void (*plan)(struct running *r, long n);
	void (*run)(struct running *r, long n);
	void (*end)(struct running *r);
};

/* Each list ends with an entry without a key. */
extern const struct load loads_reads[], loads_scans[], loads_writes[],
	loads_switch[], loads_sqlite[], loads_lmdb[], loads_programs[];

#define LINE		64L		/* of a cache */
#define LINES		(PAGE / LINE)
#define FILE_NAME	"file"

/* main.c */
uint64_t next_random(uint64_t *seed);
void make_file(const char *path, long len);
/* FILE_NAME, and a mapping of all of it. */
void open_file(struct running *r, int flags);
void map_file(struct running *r);
void close_file(struct running *r);

#endif
