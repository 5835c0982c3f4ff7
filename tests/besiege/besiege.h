/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the siege share.
 *
 * A file of the siege has LEN bytes of dxs_fill() with SEED, but for the first
 * 8 bytes of each page, which belong to whoever uses that page.
 *
 * Things are done until they were done often enough, or until bs_end(), which
 * only a machine that hangs reaches: then too little was done, and that fails.
 */
#ifndef BESIEGE_H
#define BESIEGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "../dxs_test.h"

#define PAGES	16
#define LEN	(PAGES * PAGE)
#define SEED	1
#define HEAD	8
#define NOBODY	65534

/* Seconds by dxs_watched(), and the time when to give up what is begun now. */
double bs_now(void);
double bs_end(void);
/* Waits for a child until then. Return: its status, or -1 and it is killed. */
int bs_wait(pid_t pid);
/* Waits until nobody has $PMEM. */
bool bs_device_free(void);
/* Memory shared with children, all 0. */
void *bs_shared(size_t len);
/* From 0 to @below - 1. */
unsigned int bs_random(unsigned int below);

int bs_file(const char *path, int mode);
void *bs_map(int fd);
/* Is all of the file but the heads as it was made? Silent if so. */
bool bs_bytes(int fd, const char *what);
/* Do mode and flag agree? */
bool bs_agree(int fd);
/* Reports that, the bytes, and that the file can be switched to and fro. */
void bs_well(int fd, const char *name);

/**
 * struct bs_switcher - a thread that switches a file to and fro
 * @timeout_ms: of each request
 * @allowed: an errno, beside EBUSY, that is no surprise
 * @alone: nobody else switches the file
 * @done: the mode changed
 * @refused: with EBUSY or @allowed
 * @reason: of the last refusal
 * @wrong: another error, or it did not what it said
 */
struct bs_switcher {
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

void bs_switch_begin(struct bs_switcher *s, int fd);
void bs_switch_end(struct bs_switcher *s);
/* Lets time pass until so many more switches are made. */
void bs_switch_more(struct bs_switcher *s, long more);
/* Lets time pass until one is refused for that reason. Return: was one? */
bool bs_switch_refused(struct bs_switcher *s, int reason);
/* Ends it, and reports that @least switches were made and none was wrong. */
void bs_switch_report(struct bs_switcher *s, long least, const char *name);

/**
 * struct bs_user - a thread that maps, stores, writes and reads a page's head
 * @page: which page of the file
 * @done: how often
 * @wrong: how often it saw something else than what it wrote
 */
struct bs_user {
	int fd;
	int page;
	atomic_bool stop;
	atomic_long done;
	atomic_long wrong;
	pthread_t thread;
};

void bs_use_begin(struct bs_user *u, int fd, int page);
/* Lets time pass until the file was used so often. */
void bs_use_more(struct bs_user *u, long more);
void bs_use_end(struct bs_user *u);
void bs_use_report(struct bs_user *u, long least, const char *name);

/* mounts.c */
void siege_remount(void);
void siege_paths(void);
void siege_visit(void);
void siege_lazy(void);
/* modules.c */
void siege_module(void);
/* passed.c */
void siege_passed(void);
void siege_flight(void);
/* peek.c */
void siege_peek(void);
/* core.c */
void siege_core(void);
/* exec.c */
void siege_exec(void);
void siege_fork(void);
int program_main(int argc, char **argv);
/* freeze.c */
void siege_freeze(void);
/* loop.c */
void siege_loop(void);
/* names.c */
void siege_names(void);
/* signals.c */
void siege_kill(void);
void siege_signals(void);
/* limits.c */
void siege_limits(void);
void siege_full(void);

#endif /* BESIEGE_H */
