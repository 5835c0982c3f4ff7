/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daxstack command, run by root on files of other users: shared
 * declarations.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>
#include <sys/types.h>

#include "../dxs_test.h"

#define ARGV(...)	((const char *const[]){ __VA_ARGS__, NULL })

/**
 * struct proc - a running program
 * @pid: its process
 * @out: file with its output
 */
struct proc {
	pid_t pid;
	int out;
};

struct proc proc_start(const char *const argv[]);
/*
 * Waits until it sleeps in system call @nr. Return: false if it ended before.
 */
bool proc_waits_in(const struct proc *proc, long nr);
/* As dxs_run_read(). Bails out if the program does not end. */
int proc_end(struct proc *proc, char *out, size_t size);
/* The same; returns whether it ended within @seconds, and does not kill it. */
bool proc_ends(struct proc *proc, int seconds, int *status, char *out,
	       size_t size);

/**
 * struct call - a system call that a traced program is about to make
 * @pid: the program
 * @nr: system call number
 * @args: its arguments
 * @count: number of earlier calls on the stack
 */
struct call {
	pid_t pid;
	long nr;
	unsigned long args[6];
	long count;
};

/*
 * Runs a program and stops it before each system call, from the first one that
 * names something in "stack/" on; calls @hook each time.
 */
int traced(char *out, size_t size, const char *const argv[],
	   void (*hook)(const struct call *call, void *data), void *data);

void make_file(const char *path);
int occurrences(const char *text, const char *part);
/* Returns whether the text is only printable ASCII and newlines. */
bool is_plain(const char *text);

void test_special(void);
void test_lease(void);
void test_names(void);
void test_walk(void);
void test_signals(void);
void test_frozen(void);
void test_restore(void);
void test_unshare(void);

#endif /* COMMAND_H */
