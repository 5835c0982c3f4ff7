/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests of /sys/fs/daxstack and of daxstack's read-only commands: shared
 * declarations.
 */
#ifndef LIST_H
#define LIST_H

#include "../dxs_test.h"

/* Creates a file of @len bytes. */
void make_file(const char *path, size_t len);

/* Output of the last command. */
extern char out[64 * KIB];
#define RUN(...)	DXS_RUN_READ(out, sizeof(out), __VA_ARGS__)

/*
 * The output filtered by jq, if it is JSON; squeezed() reduces runs of blanks
 * in a table to one, and strips the ends of lines.
 */
const char *jq(const char *filter);
const char *squeezed(void);

/* Reads a file of the stack's directory in /sys/fs/daxstack. Both bail out. */
void sysfs_read(const char *name, char *value, size_t size);
unsigned long long sysfs_number(const char *name);

void test_sysfs(void);
void test_umount(void);
void test_list(void);
void test_why(void);
void test_status(void);
void test_help(void);

#endif /* LIST_H */
