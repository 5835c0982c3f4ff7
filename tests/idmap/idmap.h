/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * idmap: shared declarations. The results of each step are noted line by line,
 * on the lower filesystem alone and on the stack, and compared.
 *
 * One filesystem is mounted three times, by the same names on both sides:
 *
 *   plain   without an idmap
 *   a       id N of the filesystem is 100000 + N, for N from 0 to 9999
 *   b       id N of the filesystem is 200000 + N, for N from 1000 to 1999
 */
#ifndef IDMAP_H
#define IDMAP_H

#include <sched.h>
#include <unistd.h>

#include "../dxs_test.h"

#define A(id)	(100000 + (id))
#define B(id)	(200000 + (id))

/* Adds a line, which begins with the name of the step. */
void note(const char *fmt, ...) FORMAT(1, 2);
/* Notes the result of a call: "ok", or its errno. */
void note_call(const char *what, long ret);
#define TRY(call)	note_call(#call, (long)(call))
/* open(2), and close. */
int open_close(const char *path, int flags, mode_t mode);
/* Notes type, mode and owners of @path; does not follow a symlink. */
void note_stat(const char *path);

/*
 * Forks a child with these ids, and @more as a supplementary group unless it is
 * 0. Return: true in the child, which ends with done(); false in the parent,
 * after the child has ended.
 */
bool as(uid_t uid, gid_t gid, gid_t more);
__attribute__((noreturn)) void done(void);

/* Creates a file of one byte. Bails out. */
void make_file(const char *path, uid_t uid, gid_t gid, mode_t mode);
/* Copies a program, with mode 0755. Bails out. */
void copy_file(const char *from, const char *to);

/* Forks root of a new user namespace, in which id N is @first + N. As as(). */
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

/* capabilities.c: the program that prints its capabilities when executed. */
int tell_capabilities(void);
/* On the stack only. */
void test_judged(void);
void test_switches(void);

#endif /* IDMAP_H */
