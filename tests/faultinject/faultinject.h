/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared declarations of the faults test.
 */
#ifndef FAULTINJECT_H
#define FAULTINJECT_H

#include "../dxs_test.h"

/* The file used by the calls: FILE_LEN bytes of dxs_fill(), seed 1. */
#define FAULT_FILE	"stack/file"
#define FAULT_LEN	(8 * PAGE)
#define FAULT_XATTR	"user.daxstack"

/**
 * struct fault_call - a call that is made to fail
 * @name: what it does
 * @cold: drop pages and inodes from the kernel's caches first
 * @before: creates what the call needs
 * @ready: the same, but last: nothing touches the file between it and @call
 * @call: returns an errno
 * @after: undoes all of this, whether the call succeeded or not
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
/* Creates and mounts a new filesystem with what the calls need. */
void fault_prepare_calls(void);

/* inject.c: fault injection through /proc/thread-self/fail-nth. */

/**
 * fault_limit() - let only allocations of the module fail
 *
 * Return: NULL, or the reason why that is not possible.
 */
const char *fault_limit(void);
/**
 * fault_unlimit() - let any allocation of this thread fail
 *
 * Return: NULL, or the reason why that is not possible.
 */
const char *fault_unlimit(void);
/**
 * fault_writes() - let writes to $PMEM fail, and no allocations
 *
 * Return: NULL, or the reason why that is not possible.
 */
const char *fault_writes(void);
/* Selects which allocations fail: slab objects, pages. */
void fault_kinds(bool slabs, bool pages);
/*
 * Selects whether gate allocations fail. They are per-CPU memory, neither slab
 * objects nor pages.
 */
void fault_gates(bool fail);
/* Ends all fault injection. */
void fault_end(void);
/*
 * Makes the @nth possible failure of this thread from now on happen; 0: none.
 */
void fault_arm(unsigned int nth);
/* Return: whether the fault has occurred. */
bool fault_disarm(void);

/* nth.c */
/* Makes each allocation of the calls that @wanted selects fail in turn. */
void fault_allocations(bool (*wanted)(const char *name), bool anywhere);

/* lower.c */
void fault_no_space(void);
void fault_nth_write(void);
void fault_bad_blocks(void);

/* shutdown.c */
void fault_shutdown(void);

/* main.c */
void fault_drop_caches(void);

#endif /* FAULTINJECT_H */
