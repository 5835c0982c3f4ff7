/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command daxstack, run by root on files of others: what the parts of the
 * test share.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>
#include <sys/types.h>

#include "../dxs_test.h"

#define ARGV(...)	((const char *const[]){ __VA_ARGS__, NULL })

/**
 * struct proc - a program that runs
 * @pid: its process
 * @out: file with all that it prints
 */
struct proc {
	pid_t pid;
	int out;
};

struct proc proc_start(const char *const argv[]);
/* Waits until it sleeps in system call @nr. Return: false if it ended before. */
bool proc_waits_in(const struct proc *proc, long nr);
/* As dxs_run_read() returns it. Bails out if it does not end. */
int proc_end(struct proc *proc, char *out, size_t size);
/* The same, and whether it ended within @seconds; it is not killed. */
bool proc_ends(struct proc *proc, int seconds, int *status, char *out,
	       size_t size);

/**
 * struct call - a system call that a traced program is about to make
 * @pid: the program
 * @nr: which call
 * @args: its arguments
 * @count: how many calls came before, of those on the stack
 */
struct call {
	pid_t pid;
	long nr;
	unsigned long args[6];
	long count;
};

/*
 * Runs a program and stops it before each system call, from the first one that
 * names something in "stack/" on, for @hook to do as it likes.
 */
int traced(char *out, size_t size, const char *const argv[],
	   void (*hook)(const struct call *call, void *data), void *data);

void make_file(const char *path);
int mode_of(const char *path);
void set_mode(const char *path, int mode);
int occurrences(const char *text, const char *part);
/* Nothing but printable ASCII and line ends. */
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
