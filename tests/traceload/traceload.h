/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * traceload: shared declarations.
 */
#ifndef TRACELOAD_H
#define TRACELOAD_H

#include "../../tools/trace.h"
#include "../dxs_test.h"

#define SECOND	1000000000ULL

/* main.c: pseudo-random numbers, the same in each run. */
extern uint64_t seed;
uint64_t rnd(void);
uint64_t below(uint64_t n);

/* random.c: files used at random, and their trace. */
#define MODEL_FILES	80

/**
 * struct model - files
 * @heat: their counts
 * @names: their names
 * @there: they exist
 * @nr: maximum number
 * @last_ino: of those with small numbers
 * @time_ns: of the last reading
 */
struct model {
	struct daxstack_heat_file heat[MODEL_FILES];
	char names[MODEL_FILES][40];
	bool there[MODEL_FILES];
	size_t nr;
	uint64_t last_ino;
	uint64_t time_ns;
};

struct model *new_model(size_t nr);
void model_step(struct model *m, bool windows);
size_t model_collect(const struct model *m, struct daxstack_heat_file *files);
int model_name(void *arg, uint64_t ino, uint32_t generation, char *path, size_t size);
void touch_sketch(struct daxstack_heat_file *file, unsigned int bits);
struct heattrace_writer *create(const char *path, bool windows);
void make_small(const char *path, bool windows, unsigned int readings, struct model *m);
void round_trip(unsigned int readings, const char *path, bool windows);

/* attempt.c: reads any file, as far as possible. */

/**
 * struct outcome - how far a file could be read
 * @opened: it is a trace
 * @failed: there was an error
 * @complete: its end was reached
 * @readings: number of readings
 * @why: the error
 */
struct outcome {
	bool opened;
	bool failed;
	bool complete;
	unsigned int readings;
	char why[256];
};

struct outcome attempt(const char *path);
int read_all(const char *path);
int show_last(const char *path);

/* blocks.c: the blocks of a trace, without checksums. */

/**
 * struct blocks - of a trace
 * @raw: contents of each
 * @len: length of each
 * @type: enum trace_type
 * @nr: number of blocks
 */
struct blocks {
	uint8_t *raw[32];
	size_t len[32];
	uint32_t type[32];
	size_t nr;
};

void take_apart(const char *path, struct blocks *blocks);
void put_together(const char *path, const struct blocks *blocks);
void bomb(const char *path);

/* damage.c: damaged traces. */
void cut(const char *path);
void flip(const char *path);
void forge(const char *path);
void full(const char *path);

/* made.c: synthetic traces. */
void sample(const char *path);
void day(const char *path);

#endif /* TRACELOAD_H */
