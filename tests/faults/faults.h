/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of this test share.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "../dxs_test.h"

/* The file that the calls are about: FILE_LEN bytes of dxs_fill(), seed 1. */
#define FAULT_FILE	"stack/file"
#define FAULT_LEN	(8 * PAGE)
#define FAULT_XATTR	"user.daxstack"

/**
 * struct fault_call - a call that is made to fail
 * @name: what it does
 * @cold: make the kernel forget pages and inodes before
 * @before: makes what the call needs
 * @ready: the same, later: after it nothing looks at the file any more
 * @call: returns an errno
 * @after: undoes all of this, whether the call was done or not
 * @other: an errno that stands for ENOMEM here, or 0
 */
struct fault_call {
	const char *name;
	bool cold;
	void (*before)(void);
	void (*ready)(void);
	int (*call)(void);
	void (*after)(void);
	int other;
};

/* calls.c */
extern const struct fault_call fault_calls[];
extern const size_t fault_call_count;
/* A new filesystem with what the calls need, mounted. */
void fault_prepare_calls(void);

/* inject.c: faults, by /proc/thread-self/fail-nth. */

/**
 * fault_limit() - let the module's allocations fail
 *
 * Return: NULL, or why that cannot be done.
 */
const char *fault_limit(void);
/**
 * fault_unlimit() - let any allocation of this thread fail
 *
 * Return: NULL, or why that cannot be done.
 */
const char *fault_unlimit(void);
/**
 * fault_writes() - let writes to $PMEM fail, and no allocations
 *
 * Return: NULL, or why that cannot be done.
 */
const char *fault_writes(void);
/* Of allocations, which kinds fail: objects of slab caches, pages? */
void fault_kinds(bool slabs, bool pages);
/* Does it fail to make gates? They are of memory that is no object and no page. */
void fault_gates(bool fail);
/* Nothing fails any more. */
void fault_end(void);
/* Makes the @nth of what fails, by this thread and from now, fail; 0: none. */
void fault_arm(unsigned int nth);
/* Return: whether the fault has happened. */
bool fault_disarm(void);

/* nth.c */
/* Makes each allocation of the calls fail, of those that @wanted picks. */
void fault_allocations(bool (*wanted)(const char *name), bool anywhere);

/* lower.c */
void fault_no_space(void);
void fault_nth_write(void);
void fault_bad_blocks(void);

/* shutdown.c */
void fault_shutdown(void);

/* main.c */
void fault_drop_caches(void);
bool fault_put(const char *path, const char *value);

#endif /* FAULTS_H */
