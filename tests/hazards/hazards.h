/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared helpers of the hazard tests.
 */
#ifndef HAZARDS_H
#define HAZARDS_H

#include <pthread.h>
#include <stdatomic.h>

#include "../dxs_test.h"

/* Creates a file of @len bytes of dxs_fill() with seed 1, in @mode. */
int hazard_file(const char *path, size_t len, int mode);
/* Asserts that read(2) returns these bytes. */
void hazard_bytes(int fd, size_t len, const char *name);
void *hazard_map(int fd, size_t len);
/*
 * Makes $PMEM a filesystem that aligns extents to huge pages, and mounts the
 * stack again: XFS does so only with a stripe unit.
 */
void hazard_make_aligned(void);

/**
 * struct hazard_thread - a thread that repeats one step
 * @step: the step; called with @arg
 * @stop: set by hazard_stop()
 * @steps: number of completed steps
 */
struct hazard_thread {
	void (*step)(void *arg);
	void *arg;
	atomic_bool stop;
	atomic_long steps;
	pthread_t thread;
};

void hazard_start(struct hazard_thread *thread, void (*step)(void *),
		  void *arg);
void hazard_stop(struct hazard_thread *thread);

/**
 * struct hazard_switches - results of a series of switches
 * @done: succeeded
 * @refused: failed
 * @pinned: failed because pages were pinned
 * @attempts: attempts of all switches together; each closes the gates once
 */
struct hazard_switches {
	int done;
	int refused;
	int pinned;
	int attempts;
};

/*
 * Switches back and forth @count times or for @seconds of dxs_watched(),
 * whichever ends first.
 */
struct hazard_switches hazard_switch(int fd, double seconds, int count,
				     int timeout_ms);
/* The same, but goes on after @count until another thread has made a step. */
struct hazard_switches hazard_switch_beside(int fd, double seconds, int count,
					    int timeout_ms,
					    const atomic_long *steps);

/* rights.c */

/* "hazards --rights": prints its own credentials. Return: the exit status. */
int rights_main(void);
/* Copies this program to @path. */
void rights_program(const char *path);
/* Executes @path, which prints its credentials. Does not return. */
void rights_exec(const char *path);
/* In a child: becomes user and group @id; exits if it cannot. */
void rights_user(uid_t id);
/*
 * In a child: enters a new user namespace with a map that needs no privilege.
 */
void rights_nest(const char *map);
/*
 * Calls @step(@arg) in a child as root; if @map is not NULL, in a new user
 * namespace with this uid and gid map.
 * Return: the child's output; valid until the next call.
 */
const char *rights_run(const char *map, void (*step)(void *arg), void *arg);

/* held.c */

/**
 * struct hazard_held - a process whose writes to the device are throttled
 * @pid: the process
 * @let_go: throttling has been lifted
 * @late: the guard lifted it because another task waited too long
 */
struct hazard_held {
	pid_t pid;
	atomic_bool let_go;
	atomic_bool late;
	pthread_t guard;
};

/*
 * Starts a process that dirties stack/slow and calls @flush(), which writes it
 * back. Returns once the process is blocked there; it continues only after
 * hazard_let_go(). Return: whether this works here.
 */
bool hazard_hold(struct hazard_held *held, int (*flush)(int fd));
/*
 * Asserts that the process stayed blocked until now, and the result of
 * @flush().
 */
void hazard_let_go(struct hazard_held *held, const char *name);
/* Returns whether a thread sleeps uninterruptibly in the kernel. */
bool hazard_waits(pid_t tid);

/*
 * Maps a page whose fault waits until hazard_fill_page(). Return: the
 * userfaultfd, or -1 if there is none.
 */
int hazard_missing_page(uint8_t **page);
void hazard_fill_page(int uffd, uint8_t *page);

/* names.c */

/**
 * struct hazard_waiter - a thread that waits for a lock in a call
 * @call: the call, which takes two names
 * @from: first name
 * @to: second name
 * @err: errno of the call
 */
struct hazard_waiter {
	int (*call)(const char *from, const char *to);
	const char *from;
	const char *to;
	int err;
	atomic_int tid;
	pthread_t thread;
};

/* Starts the thread and returns once it waits. */
void hazard_wait_in(struct hazard_waiter *w);
/* Return: the errno of its call. */
int hazard_waited(struct hazard_waiter *w);

/**
 * struct hazard_locked - a directory that is kept locked
 * @reader: thread in getdents(2), blocked on the fault of its buffer
 * @page: the buffer
 * @uffd: userfaultfd that fills the buffer
 */
struct hazard_locked {
	struct hazard_waiter reader;
	uint8_t *page;
	int uffd;
};

/*
 * Keeps @dir locked for reading until hazard_unlock(). Waiters for the lock
 * then get it in the order of their arrival. Return: whether this works here.
 */
bool hazard_lock(struct hazard_locked *l, const char *dir);
void hazard_unlock(struct hazard_locked *l);

/* Creates an empty file. */
void hazard_create(const char *path);
/* Returns the inode number, 0 if there is no such name. */
ino_t hazard_inode(const char *path);
/* Asserts that stack and lower have the same inode by this name. */
void hazard_agree(const char *name, const char *what);

/* faults.c */
void h2_write_faults(void);
void h3_waiting_faults(void);
void h5_h6_mmap_lock(void);
void h9_long_term_pins(void);
void h26_sync_faults(void);
void h28_adjusted_vma(void);
void h29_walkers(void);
void h33_untold(void);

/* cache.c */
/* Returns how much of a mapping is huge pages of the page cache, in KiB. */
int hazard_huge_in_cache(const void *map);
void h12_shadow_entries(void);
void h15_map_file(void);
void h16_executable(void);
void h27_lingering_pins(void);
void h30_inline_data(void);
void h32_reclaim(void);
void h34_held(void);

/* writeback.c */
void h13_sync(void);
void h14_cgroups(void);
void h19_h20_write_error(void);

/* waits.c */
void h4_lost_vma(void);
void h1_fault_of_read(void);
void h21_untouched(void);
void h22_stuck_reader(void);
void h23_slow_sync(void);
void h35_splices(void);

/* attrs.c */
void h36_racing_copies(void);
void h37_changed_below(void);

/* xattrs.c */
void h38_translated_once(void);

/* lsm.c */
void h39_judged_anew(void);

/* stale.c */
void h57_unmapped_before_flush(void);

/* vmalock.c */
void h58_vma_locks(void);
void h65_flags_of_the_mode(void);

/* iocbs.c */
void h75_kept_iocbs(void);

/* collapse.c */
void h61_collapse(void);

/* pins.c */
void h62_held_dax_pages(void);
void h63_entries_that_go(void);
void h64_eviction_waits(void);
void h73_trim_waits(void);
void h80_nobody_else(void);

/* handles.c */
void h66_aliases(void);

/* gates.c */
void h40_gates_stay_shut(void);
void h41_looks(void);

/* reclaim.c */
void h43_starved(void);
void h44_too_often(void);

/* owners.c */
void h50_second_mount(void);
void h51_changed_below(void);
void h81_changed_meanwhile(void);
void h52_folded_names(void);
void h53_probe_name(void);
void h54_removed_key(void);
void h56_born_otherwise(void);

/* requests.c */
void h42_only_stores(void);
void h45_write_faults(void);
void h46_vfs_locks(void);
void h48_kept_processor(void);
void h49_pollers(void);
void h86_refill(void);
void h55_attributes(void);

#endif /* HAZARDS_H */
