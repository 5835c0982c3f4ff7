/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * switchnever: scenes that are played on the lower filesystem alone and on the
 * stack, and what is seen there; see main.c.
 */
#ifndef SWITCHNEVER_H
#define SWITCHNEVER_H

#include <limits.h>

#include "../dxs_test.h"

#define LEN	(16 * PAGE)
#define NOBODY	65534
/* Nothing is documented: it only has to be the same on both. */
#define ANY	LLONG_MIN

/* --- log.c */

struct log;
extern struct log on_lower, on_stack;
/* Of the filesystem that is mounted, and its root. */
extern struct log *log_now;
extern char *root;
extern char scene_name[64];

/* Notes what was seen, and what is documented, or ANY. */
void saw(long long expected, long long value, const char *what, ...)
	FORMAT(3, 4);
void saw_errno(long long expected, int value, const char *what, ...)
	FORMAT(3, 4);
/* Reports each line. */
void compare_logs(void);

/* --- look.c */

/* Mode and flag of an open file; each may be ANY. */
void look(int fd, long long mode, long long flag, const char *what, ...)
	FORMAT(4, 5);
void look_at(const char *path, long long mode, long long flag,
	     const char *what);
void look_by_map(int fd, int mode, const char *what);
void look_at_others(int fd, const char *what);
uint32_t sum_of(const char *path);

/* Return: 0 or an errno. */
int change_flags(int fd, unsigned int set, unsigned int clear);
int change_xflags(int fd, unsigned int set, unsigned int clear);
int flag_by_setflags(int fd, int mode);
/* Bail out. */
void set(const char *path, int mode);
void make(const char *path, int mode);
void make_dir(const char *path, int flag);
/* Drops caches: "2" inodes and dentries, "3" pages, too. */
void let_go(const char *which);

/* --- Scenes. */

void play_open(int to);
void play_back(int to);

void play_held(int to);
void play_links(int to);
void play_caches(int to);
void play_unlinked(int to);

void play_bytes(int to);
void play_others(int to);
void play_errors(int to);
void play_journalled(int to);
void play_who(int to);
void play_read_only(int to);

void play_born(int to);
void play_examples(int to);
void play_moved(int to);
void play_root(int to);
void leave_some(int to);
void find_some(int to);

#endif /* SWITCHNEVER_H */
