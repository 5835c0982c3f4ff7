/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of single hazards share.
 */
#ifndef HAZARDS_H
#define HAZARDS_H

#include <pthread.h>
#include <stdatomic.h>

#include "../dxs_test.h"

/* A file of @len bytes of dxs_fill() with seed 1, in a mode. */
int hazard_file(const char *path, size_t len, int mode);
/* Reports whether it has these bytes, by read(2). */
void hazard_bytes(int fd, size_t len, const char *name);
void *hazard_map(int fd, size_t len);

/**
 * struct hazard_thread - something that is done over and over
 * @step: once; its argument is @arg
 * @stop: set by hazard_stop()
 * @steps: how often it was done
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
 * struct hazard_switches - how many switches came out how
 * @done: succeeded
 * @refused: did not
 * @pinned: ... because pages were pinned
 * @attempts: how often the gates were shut for all of them
 */
struct hazard_switches {
	int done;
	int refused;
	int pinned;
	int attempts;
};

/* Switches to and fro so often, or for so many seconds (dxs_watched()). */
struct hazard_switches hazard_switch(int fd, double seconds, int count,
				     int timeout_ms);

/* rights.c */

/* Prints whose rights it has: "hazards --rights". Return: the exit status. */
int rights_main(void);
/* This program, at @path. */
void rights_program(const char *path);
/* Does not return: has the program say which rights it has. */
void rights_exec(const char *path);
/* In a child: becomes user and group @id, and ends the child if it cannot. */
void rights_user(uid_t id);
/* In a child: in a new user namespace with a map that it may make itself. */
void rights_nest(const char *map);
/*
 * Calls @step(@arg) in a child, in a new user namespace with these maps of users
 * and groups if @map is not NULL, as root.
 * Return: what it printed; valid until the next call.
 */
const char *rights_run(const char *map, void (*step)(void *arg), void *arg);

/* held.c */

/**
 * struct hazard_held - a process whose writes to the device stand still
 * @pid: the process
 * @let_go: they do no more
 * @late: somebody waited for them, and they were let go for that
 */
struct hazard_held {
	pid_t pid;
	atomic_bool let_go;
	atomic_bool late;
	pthread_t guard;
};

/*
 * Has a new process dirty stack/slow and call @flush(), which writes it. Returns
 * when it waits there, to go on only after hazard_let_go(). Return: whether that
 * can be done here.
 */
bool hazard_hold(struct hazard_held *held, int (*flush)(int fd));
/* Reports whether it stood still all the while, and what @flush() returns. */
void hazard_let_go(struct hazard_held *held, const char *name);
/* Does a thread wait in the kernel, without being interrupted by signals? */
bool hazard_waits(pid_t tid);

/*
 * A page whose fault waits until somebody fills it. Return: its userfaultfd, or
 * -1 if there are none.
 */
int hazard_missing_page(uint8_t **page);
void hazard_fill_page(int uffd, uint8_t *page);

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

/* collapse.c */
void h61_collapse(void);

/* pins.c */
void h62_held_dax_pages(void);
void h63_entries_that_go(void);
void h64_eviction_waits(void);
void h73_trim_waits(void);

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
void h55_attributes(void);

#endif /* HAZARDS_H */
