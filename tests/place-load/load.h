/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File access patterns of programs, to record heat traces and for the memory
 * model (scripts/measure/place).
 *
 * Nothing depends on time or chance: a load performs the same operations in
 * each run, whatever mode its files are in.
 */
#ifndef PLACE_LOAD_H
#define PLACE_LOAD_H

#include "../dxs_test.h"

/**
 * struct load - the file accesses of a program
 * @key: its name
 * @kind: what is expected of a policy: "steady", "moving" or "adversarial"
 * @what: for the tables
 * @make: creates its files, in the working directory
 * @run: performs the accesses, in the same directory
 */
struct load {
	const char *key, *kind, *what;
	void (*make)(void);
	void (*run)(void);
};

/* Each list ends with an entry without a key. */
extern const struct load loads_files[], loads_lmdb[];

/* main.c */
uint64_t next_random(uint64_t *seed);
/* Scales a number of operations to the part to be run. */
long some_of(long n);

/**
 * struct zipf - ranks, the first of which is chosen most often
 * @n: number of ranks
 * @below: for each rank, the sum of the weights of earlier ranks
 */
struct zipf {
	long n;
	uint64_t *below;
};

/* The weight of rank k, from 1 on, is 1 / k. */
void zipf_make(struct zipf *z, long n);
long zipf_next(const struct zipf *z, uint64_t *seed);
/* Returns a name of the form WHAT-NUMBER. */
const char *name_of(const char *what, long number);
void make_file(const char *path, long len);

#endif
