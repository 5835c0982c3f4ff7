/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * heat: shared declarations. The stack is mounted, with no heat session.
 */
#ifndef TEST_HEAT_H
#define TEST_HEAT_H

#include "../../tools/heat.h"
#include "../dxs_test.h"

#define WINDOW	(DAXSTACK_HEAT_WINDOW_PAGES * PAGE)

/* Opens a session on "stack". Bails out. read_out() reads it. */
struct heat *session(bool windows);
void read_out(struct heat *heat, bool all, bool clear, unsigned int probes);
/* Returns what the last read reported of an open file, or NULL. */
const struct daxstack_heat_file *told(const struct heat *heat, int fd);
/* The same; bails out if nothing was reported. */
struct daxstack_heat_file must_tell(const struct heat *heat, int fd);

/* Creates a file of @len bytes of pattern 1, in @mode. */
int make(const char *path, size_t len, int mode);
void load(const void *page);
void *map(int fd, size_t len);
/* Loads from each page. */
void load_all(const void *area, size_t len);

void test_counts(void);
void test_refaults(void);
void test_sketch(void);
void test_errors(void);
void test_sessions(void);
void test_names(void);
void test_open(void);
void test_umount(void);
void test_probes(void);
void test_locked(void);
void test_dirty(void);
void test_data(void);
void test_storm(void);

#endif /* TEST_HEAT_H */
