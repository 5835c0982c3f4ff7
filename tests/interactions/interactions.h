/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared helpers of the interactions tests.
 *
 * A test file has LEN bytes of dxs_fill() with SEED, except for the first 8
 * bytes of each page (its head), which belong to the user of that page.
 *
 * Loops run until a required count is reached or until ia_end(), which only a
 * hanging machine reaches; the count then is too low and the test fails.
 */
#ifndef INTERACTIONS_H
#define INTERACTIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "../dxs_test.h"

#define PAGES	16
#define LEN	(PAGES * PAGE)
#define SEED	1
#define HEAD	8
#define NOBODY	65534

/* Seconds by dxs_watched(), and the deadline of the current test. */
double ia_now(void);
double ia_end(void);
/*
 * Waits for a child until ia_end(). Return: its status, or -1 after killing it.
 */
int ia_wait(pid_t pid);
/* Waits until no process has $PMEM open. */
bool ia_device_free(void);
/* Allocates zeroed memory shared with children. */
void *ia_shared(size_t len);
/* Returns a number from 0 to @below - 1. */
unsigned int ia_random(unsigned int below);

int ia_file(const char *path, int mode);
void *ia_map(int fd);
/* Returns whether all bytes except the heads are unchanged. Silent if so. */
bool ia_bytes(int fd, const char *what);
/* Returns whether mode and flag agree. */
bool ia_agree(int fd);
/*
 * Asserts that mode and flag agree, that the bytes are unchanged, and that the
 * file switches to the other mode and back.
 */
void ia_well(int fd, const char *name);

/**
 * struct ia_switcher - a thread that switches a file back and forth
 * @timeout_ms: timeout of each request
 * @allowed: an errno besides EBUSY that is acceptable
 * @alone: no other task switches the file
 * @done: successful switches
 * @refused: refusals with EBUSY or @allowed
 * @reason: reason of the last refusal
 * @wrong: other errors, or results that do not match the mode
 */
struct ia_switcher {
	int fd;
	int timeout_ms;
	int allowed;
	bool alone;
	atomic_bool stop;
	atomic_long done;
	atomic_long refused;
	atomic_int reason;
	atomic_long wrong;
	pthread_t thread;
};

void ia_switch_begin(struct ia_switcher *s, int fd);
void ia_switch_end(struct ia_switcher *s);
/* Waits until @more further switches succeed. */
void ia_switch_more(struct ia_switcher *s, long more);
/* Waits until a switch is refused with @reason. Return: whether one was. */
bool ia_switch_refused(struct ia_switcher *s, int reason);
/*
 * Ends the thread; asserts that @least switches succeeded and none went wrong.
 */
void ia_switch_report(struct ia_switcher *s, long least, const char *name);

/**
 * struct ia_user - a thread that maps, stores, writes and reads a page's head
 * @page: page of the file
 * @done: number of rounds
 * @wrong: rounds that did not read what they had written
 */
struct ia_user {
	int fd;
	int page;
	atomic_bool stop;
	atomic_long done;
	atomic_long wrong;
	pthread_t thread;
};

void ia_use_begin(struct ia_user *u, int fd, int page);
/* Waits for @more further rounds. */
void ia_use_more(struct ia_user *u, long more);
void ia_use_end(struct ia_user *u);
void ia_use_report(struct ia_user *u, long least, const char *name);

/* mounts.c */
void check_remount(void);
void check_paths(void);
void check_visit(void);
void check_lazy(void);
/* modules.c */
void check_module(void);
/* passed.c */
void check_passed(void);
void check_flight(void);
/* peek.c */
void check_peek(void);
/* core.c */
void check_core(void);
/* exec.c */
void check_exec(void);
void check_fork(void);
int program_main(int argc, char **argv);
/* freeze.c */
void check_freeze(void);
/* loop.c */
void check_loop(void);
/* names.c */
void check_names(void);
/* signals.c */
void check_kill(void);
void check_signals(void);
/* limits.c */
void check_limits(void);
void check_full(void);

#endif /* INTERACTIONS_H */
