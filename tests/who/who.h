/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holders of a file: shared declarations.
 */
#ifndef WHO_H
#define WHO_H

#include <sys/types.h>

#include "../dxs_test.h"

#define LEN	(4 * PAGE)

/**
 * struct held - a process that holds a file
 * @pid: its pid
 * @end: closing it ends the process
 */
struct held {
	pid_t pid;
	int end;
};

/* Starts a process that calls @hold; returns after @hold did. */
struct held held_by(void (*hold)(const char *path), const char *path);
void held_end(struct held *held);

/* Ways to hold a file; all but hold_open() leave no descriptor. */
void hold_open(const char *path);
void hold_mapped(const char *path);
void hold_private(const char *path);
void hold_map_sync(const char *path);
void hold_mlocked(const char *path);
void hold_flock(const char *path);
void hold_posix_lock(const char *path);
void hold_lease(const char *path);
void hold_cwd(const char *path);
void hold_root(const char *path);
void hold_exe(const char *path);
void hold_in_namespace(const char *path);
void hold_lower(const char *path);
void hold_hostile(const char *path);
void hold_thread(const char *path);
void hold_leaderless(const char *path);

/* Creates a file of @LEN bytes, closed. */
void make_file(const char *path, int mode);

/* Returns whether the pid is a word of the text. */
bool has_number(const char *text, pid_t pid);

/* Returns the line that begins with the pid, or "", in a static buffer. */
const char *line_of(const char *text, pid_t pid);

/* Returns the output of `daxstack who -n @path`. */
const char *who(const char *path);

/*
 * Asserts that fuser FILE, fuser -m, lsof FILE, lsof MOUNTPOINT and daxstack
 * who find @pid.
 */
void found_by_all(pid_t pid, const char *path, const char *name);

/* Asserts that `daxstack who -n` has a line for @pid with @word in it. */
void who_says(const char *path, pid_t pid, const char *word, const char *name);

void test_numbers(void);

#endif /* WHO_H */
