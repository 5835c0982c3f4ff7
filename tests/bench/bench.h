/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instructions per call: on the lower filesystem alone, on daxstack over it,
 * and on overlayfs over it.
 *
 * Only in a guest whose clock counts instructions (scripts/guest --icount):
 * there the TSC is the number of instructions executed since power on, in user
 * mode and in the kernel, and a count is the same in every run.
 */
#ifndef BENCH_H
#define BENCH_H

#include "../dxs_test.h"

enum bench_layer { ON_LOWER, ON_STACK, ON_OVERLAY, LAYERS };

/* Where the files are, below the root of what is mounted. */
#define UPPER		"upper"
#define FILE_PAGES	256L		/* less than a huge page */
#define FILE_LEN	(FILE_PAGES * PAGE)
#define FRESH_LEN	(64 * KIB)
#define HUGE_LEN	(2 * MIB)
#define HUGE_PAGES	8L
#define MANY		1000

/**
 * struct bench - one call being measured
 * @layer: on what
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED, of the files in the working directory
 * @batch: number of the batch of runs
 * @fd: for the call to use
 * @buf: 64 KiB, aligned to pages
 * @map: for the call to use
 *
 * When a call begins the working directory has the files "file" (FILE_LEN bytes),
 * "huge" (HUGE_PAGES huge pages), and the directory "many" with MANY names. Each
 * batch has a working directory of its own, with "name" (empty, with an xattr),
 * "fresh" (FRESH_LEN bytes, not touched yet) and "1/2/3/4/5/6/7/8/name".
 */
struct bench {
	enum bench_layer layer;
	int mode;
	int batch;
	int fd;
	char *buf;
	char *map;
};

/**
 * struct bench_call - something to be counted
 * @name: as in the tables
 * @bound: how many instructions daxstack may add; 0: no bound
 * @begin: before the first run; returns false where there is no such thing
 * @once: run number @run of b->batch; returns the instructions of what is to be
 *	measured
 * @end: after the last run
 */
struct bench_call {
	const char *name;
	int bound;
	bool (*begin)(struct bench *b);
	uint64_t (*once)(struct bench *b, int run);
	void (*end)(struct bench *b);
};

#define BENCH_BATCHES	8
#define BENCH_RUNS	9		/* of each; odd, for the median */

extern const struct bench_call bench_data[], bench_maps[], bench_names[];

static inline uint64_t bench_tsc(void)
{
	uint32_t low, high;

	__asm__ __volatile__("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/*
 * The instructions of @call, and two of the counting. Between these two rdtsc the
 * profiler (scripts/bench-profile.c) looks where they are.
 */
#define COUNT(call) __extension__ ({					\
	uint64_t count_from_ = bench_tsc();				\
									\
	call;								\
	bench_tsc() - count_from_;					\
})

/* main.c: a file of the working directory as b->fd. */
void bench_open(struct bench *b, const char *path, int flags);
void bench_close(struct bench *b);

#endif /* BENCH_H */
