/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who holds a file: what the parts of the test share.
 */
#ifndef WHO_H
#define WHO_H

#include <sys/types.h>

#include "../dxs_test.h"

#define LEN	(4 * PAGE)

/**
 * struct held - a process that holds something
 * @pid: its number
 * @end: it ends when this is closed
 */
struct held {
	pid_t pid;
	int end;
};

/* Starts a process that calls @hold, and waits until that has returned. */
struct held held_by(void (*hold)(const char *path), const char *path);
void held_end(struct held *held);

/* What a process may do; all but hold_open() have no descriptor left. */
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

/* A file of @LEN bytes, closed. */
void make_file(const char *path, int mode);

/* Is the number a word of the text? */
bool has_number(const char *text, pid_t pid);

/* The line that begins with the process's number, or "" in a static buffer. */
const char *line_of(const char *text, pid_t pid);

/* What `daxstack who -n @path` prints. */
const char *who(const char *path);

/* Do fuser FILE, fuser -m, lsof FILE, lsof MOUNTPOINT and daxstack who find it? */
void found_by_all(pid_t pid, const char *path, const char *name);

/* Reports whether `daxstack who -n` has a line for @pid with @word in it. */
void who_says(const char *path, pid_t pid, const char *word, const char *name);

void test_numbers(void);

#endif /* WHO_H */
