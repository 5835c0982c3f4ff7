/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions per call: on the lower filesystem alone, on daxstack over it,
 * and on overlayfs over it.
 *
 * Only in a guest whose clock counts instructions (scripts/vm/guest --icount):
 * there the TSC is the number of instructions executed since power on, in user
 * mode and in the kernel, and the counts are the same in every run.
 */
#ifndef BENCH_H
#define BENCH_H

#include "../dxs_test.h"

/* ON_COUNTED: the stack, with an open heat session. */
enum bench_layer { ON_LOWER, ON_STACK, ON_OVERLAY, LAYERS, ON_COUNTED = LAYERS, ALL_LAYERS };

/* The location of the files below the mounted root. */
#define UPPER		"upper"
#define FILE_PAGES	256L		/* less than a huge page */
#define FILE_LEN	(FILE_PAGES * PAGE)
#define FRESH_PAGES	256L
#define FRESH_LEN	(FRESH_PAGES * PAGE)
#define HUGE_LEN	(2 * MIB)
#define HUGE_PAGES	8L
#define MANY		1000
#define DEEPEST		16

/*
 * Each batch of calls has a directory of its own, so that two dentries sharing
 * a hash bucket affect only one batch. A batch runs for 2 to 5 million
 * instructions, about as long as work deferred by calls would be delayed in an
 * endless loop. In shorter batches slabs have everything at hand, and calls
 * look cheaper than they are.
 */
#define BATCHES		4

/**
 * struct bench - one call being measured
 * @layer: the filesystem in use
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED, of the files in the working directory
 * @batch: number of the batch of calls
 * @fd: for the call to use
 * @buf: FILE_LEN bytes, page-aligned
 * @map: for the call to use
 * @maps: the same, one for each batch
 *
 * When a call starts, the working directory has the files "file" (FILE_LEN
 * bytes), "huge" (HUGE_PAGES huge pages), and the directory "many" with MANY
 * names. Each batch has a working directory of its own, with "name" (empty,
 * with an xattr), "fresh" (FRESH_LEN bytes, not touched yet), and directories
 * "1/2/3/...", each with a "name", of which the deepest is DEEPEST components
 * away.
 */
struct bench {
	enum bench_layer layer;
	int mode;
	int batch;
	int fd;
	char *buf;
	char *map;
	char *maps[BATCHES];
};

/**
 * struct bench_call - a call to be counted
 * @name: as in the tables
 * @bound: maximum of instructions that daxstack adds; 0: no bound
 * @bound_7: the same from Linux 7.0 on, where it differs, see bench_bound()
 * @calls: number of calls, in all batches together
 * @depth: number of path components, 0: not relevant
 * @once: the call is different the second time: no warm-up
 * @counted: heat sessions count it
 * @begin: before the first call; returns false if the call is not available
 * @prepare: before each call, number @i of b->batch; not counted
 * @call: the call; returns whether it succeeded
 * @end: after the last call
 */
struct bench_call {
	const char *name;
	int bound;
	int calls;
	int depth;
	int bound_7;
	bool once;
	bool counted;
	bool (*begin)(struct bench *b);
	void (*prepare)(struct bench *b, int i);
	bool (*call)(struct bench *b, int i);
	void (*end)(struct bench *b);
};

/**
 * bench_bound() - maximum of instructions that daxstack adds on this kernel
 * @call: the call
 *
 * From Linux 7.0 on the VFS decides by the mode alone whether a directory may
 * be searched, if the filesystem has no ->permission: the lower filesystem no
 * longer needs inode_permission() and its callees. The stack still needs them,
 * because its copy of the mode would let a user through a directory that was
 * made private on the lower filesystem (H37). This costs 63 instructions per
 * component.
 */
static inline int bench_bound(const struct bench_call *call)
{
	return call->bound_7 && dxs_kernel_from(7, 0) ? call->bound_7 : call->bound;
}

extern const struct bench_call bench_data[], bench_maps[], bench_names[];

/**
 * struct bench_count - the instructions of one call, on one layer
 * @direct: from the instruction before the call to the one after it
 * @later: deferred work per call, done by other tasks or by interrupts
 */
struct bench_count {
	double direct;
	double later;
};

/* count.c */

/* Called once, before any count; no other task may run afterwards. */
void count_begin(void);
/* Fills @count; returns false if the call is not available. */
bool count_call(struct bench *b, const struct bench_call *call,
		struct bench_count *count);
/* The sum, rounded. */
long count_total(const struct bench_count *count);
/* TSC of a plain loop of @n calls, including all interruptions. */
bool count_plainly(struct bench *b, const struct bench_call *call, int n,
		   struct bench_count *count);

/* bpf.c: counting by the BPF programs in a file. */
void bpf_begin(const char *path);
void bpf_end(void);

/* main.c */

/* Opens a file of the working directory as b->fd. */
void bench_open(struct bench *b, const char *path, int flags);
void bench_close(struct bench *b);
/* Enters the directory of a batch, and leaves it. */
void bench_enter(struct bench *b, int batch);
void bench_leave(void);

#endif /* BENCH_H */
