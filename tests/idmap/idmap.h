/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of this test share. What is done by one of them is noted line by
 * line, on the lower filesystem alone and on the stack, and compared.
 *
 * One filesystem is mounted three times, by the same names on both sides:
 *
 *   plain   as it is
 *   a       an id N of the filesystem is 100000 + N, for N from 0 to 9999
 *   b       an id N of the filesystem is 200000 + N, for N from 1000 to 1999
 */
#ifndef IDMAP_H
#define IDMAP_H

#include <sched.h>
#include <unistd.h>

#include "../dxs_test.h"

#define A(id)	(100000 + (id))
#define B(id)	(200000 + (id))

/* A line; what it begins with is the name of the step. */
void note(const char *fmt, ...) FORMAT(1, 2);
/* What a call gave: "ok", or its errno. */
void note_call(const char *what, long ret);
#define TRY(call)	note_call(#call, (long)(call))
/* open(2), and closes it again. */
int open_close(const char *path, int flags, mode_t mode);
/* Type, mode and owners of what @path is, no link followed. */
void note_stat(const char *path);

/*
 * Forks a child with these ids, and @more as its other group if that is not 0.
 * Return: true in it, to end with done(); false in the parent, when it has.
 */
bool as(uid_t uid, gid_t gid, gid_t more);
__attribute__((noreturn)) void done(void);

/* Makes a file of one byte. Bails out. */
void make_file(const char *path, uid_t uid, gid_t gid, mode_t mode);

/* Forks root of a new user namespace, in which an id N is @first + N. As as(). */
bool as_container(uid_t first);

/* Each notes its steps. */
void test_owners(void);
void test_changes(void);
void test_sticky(void);
void test_acls(void);
void test_attributes(void);
void test_capabilities(void);
void test_flags(void);
void test_memory(void);
void test_container(void);

/* capabilities.c: the program whose capabilities are noted, when it is executed. */
int tell_capabilities(void);
/* On the stack only. */
void test_judged(void);
void test_switches(void);

#endif /* IDMAP_H */
