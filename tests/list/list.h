/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What can be seen of mounts and files: what the parts of the test share.
 */
#ifndef LIST_H
#define LIST_H

#include "../dxs_test.h"

/* Makes a file with so many bytes of data. */
void make_file(const char *path, size_t len);
void set_mode(const char *path, int mode);

/* What the last command printed. */
extern char out[64 * KIB];
#define RUN(...)	DXS_RUN_READ(out, sizeof(out), __VA_ARGS__)

/*
 * What jq makes of it, of JSON. With several blanks made one in what is a table,
 * and none at the ends of a line: see squeezed().
 */
const char *jq(const char *filter);
const char *squeezed(void);

/* A file of the stack's directory in /sys/fs/daxstack. Both bail out. */
void sysfs_read(const char *name, char *value, size_t size);
unsigned long long sysfs_number(const char *name);

void test_sysfs(void);
void test_umount(void);
void test_list(void);
void test_why(void);
void test_status(void);
void test_help(void);

#endif /* LIST_H */
