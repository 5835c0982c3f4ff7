/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share: TAP, the environment, mounts, modes.
 *
 * A test makes the filesystem $FS (ext4, xfs) on the device $PMEM and mounts
 * it in a directory of its own, which is the working directory from
 * dxs_begin() on: as "stack" by daxstack, as "lower" by $FS alone.
 *
 * Where not said otherwise a function returns 0 or a positive errno.
 */
#ifndef DXS_TEST_H
#define DXS_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "../include/daxstack.h"

#define KIB	1024L
#define MIB	(1024L * KIB)
#define PAGE	4096L

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define FORMAT(fmt, first) __attribute__((format(printf, fmt, first)))

/* The errno of a call that returns -1 with errno on failure, else 0. */
#define ERR(call)	((long)(call) == -1 ? errno : 0)

/* A call that the test cannot go on without. */
#define MUST(call) __extension__ ({					\
	__typeof__(call) must_ret_ = (call);				\
									\
	if ((long)must_ret_ == -1)					\
		dxs_bail("%s:%d: %s: %m", __FILE__, __LINE__, #call);	\
	must_ret_;							\
})

/* --- TAP. All return whether it is as expected. */

bool dxs_ok(bool pass, const char *name, ...) FORMAT(2, 3);
bool dxs_is(long long expected, long long seen, const char *name, ...)
	FORMAT(3, 4);
bool dxs_errno(int expected, int seen, const char *name, ...) FORMAT(3, 4);
bool dxs_str(const char *expected, const char *seen, const char *name, ...)
	FORMAT(3, 4);
void dxs_skip(const char *reason, const char *name, ...) FORMAT(2, 3);
void dxs_diag(const char *text, ...) FORMAT(1, 2);
void dxs_bail(const char *text, ...) FORMAT(1, 2) __attribute__((noreturn));

/* --- Begin and end. */

/* Skips the whole test without $FS and $PMEM, or if not root. */
void dxs_begin(void);
/* Prints the plan. Return: the exit status. */
int dxs_done(void);

extern const char *dxs_fs;	/* $FS */
extern const char *dxs_pmem;	/* $PMEM */
bool dxs_on_xfs(void);
/* Whether the running kernel is this one or a newer one. */
bool dxs_kernel_from(int major, int minor);

/* --- Programs, by their name in $PATH; the list ends with NULL. */

/* Return: exit status; 128 + N after signal N; 127 if it could not be run. */
int dxs_run(const char *const argv[]);
/* The same; what it prints goes to @out, up to @size - 1 bytes. */
int dxs_run_read(char *out, size_t size, const char *const argv[]);
#define DXS_RUN(...)	dxs_run((const char *const[]){ __VA_ARGS__, NULL })
#define DXS_RUN_READ(out, size, ...) \
	dxs_run_read(out, size, (const char *const[]){ __VA_ARGS__, NULL })

/* --- Filesystems. */

/* Makes a new $FS on @device, or on $PMEM if that is NULL. Bails out. */
void dxs_mkfs(const char *device);
int dxs_mount(const char *source, const char *target, const char *type,
	      const char *options);
int dxs_umount(const char *target);
/* $PMEM on "stack" by daxstack, with lower=$FS; "lower" by $FS. Bail out. */
void dxs_mount_stack(void);
void dxs_mount_lower(void);
/* Changes options of the mounted stack. Bails out. */
void dxs_remount(const char *options);
/* Bail out as well. */
void dxs_umount_stack(void);
void dxs_umount_lower(void);
/* Reports whether fsck finds $PMEM, not mounted, to be clean. */
bool dxs_fsck(void);
/* The first line of the kernel's log with @text since the last dxs_log_mark() */
void dxs_log_mark(void);
bool dxs_log_has(const char *text);
/*
 * From here to dxs_expect(NULL) the kernel may complain in lines that match
 * @pattern, an extended regular expression; all else that
 * scripts/console-patterns lists makes the run fail as ever. For what a test
 * provokes on purpose: as little, and for as short a time, as can be.
 */
void dxs_expect(const char *pattern);
/* A page of a mapping, held by a pipe until dxs_unpin(). Bail out. */
void dxs_pin(int ends[2], void *page);
void dxs_unpin(int ends[2]);
/* Maps with MAP_SYNC, or MAP_FAILED. */
void *dxs_map_sync(int fd, size_t len);

/* --- Modes. */

/* DAXSTACK_DAX or DAXSTACK_CACHED, by statx. Bails out. */
int dxs_mode(int fd);
const char *dxs_mode_name(int mode);
/* Switches; @sw, if not NULL, gets the answer. */
int dxs_switch(int fd, int mode, int timeout_ms, struct daxstack_switch *sw);
/* Switches by FS_IOC_FSSETXATTR. */
int dxs_set_xflag(int fd, int mode);
/* FS_XFLAG_DAX, by FS_IOC_FSGETXATTR. Bails out. */
bool dxs_xflag(int fd);
/* Switches, and reports unless all is as it should be: then it is silent. */
bool dxs_to(int fd, int mode, const char *name);
/* Reports that a switch is refused with @reason and its errno, at once. */
bool dxs_refused(int fd, int mode, int reason, const char *name);
const char *dxs_reason_name(unsigned int reason);

/* --- Contents. */

/* The byte that belongs at @pos in pattern @seed. */
uint8_t dxs_byte(uint32_t seed, off_t pos);
void dxs_fill(void *buf, size_t len, uint32_t seed, off_t pos);
/* Reports the first difference as a diagnostic. */
bool dxs_same(const void *expected, const void *seen, size_t len, off_t pos,
	      const char *what);
/* Writes, reads all of it. Bail out. */
void dxs_pwrite(int fd, const void *buf, size_t len, off_t pos);
void dxs_pread(int fd, void *buf, size_t len, off_t pos);
/* Memory for O_DIRECT. */
void *dxs_alloc(size_t len);

/* Seconds, monotonic. Not for limits: the host of a guest may be busy. */
double dxs_now(void);

/*
 * --- Limits of time, on a machine that others use as well. A limit is met in the
 * time that programs had to run: on each processor somebody sleeps for 4 ms over
 * and over, and counts. Who had to wait for something that took a second sees
 * 250 counts go by; where the machine stood still, or did something else, nobody
 * counts. Not for tests that keep a processor to themselves.
 */
#define DXS_CPUS	8

/**
 * struct dxs_watch - a moment, for dxs_watched()
 * @beats: what had been counted on each processor
 */
struct dxs_watch {
	unsigned long beats[DXS_CPUS];
};

/* Begins to count: right after dxs_begin(), before there are files and threads. */
void dxs_watch_begin(void);
struct dxs_watch dxs_watch(void);
/* Seconds since then, of the processor that had least. */
double dxs_watched(const struct dxs_watch *since);
/*
 * Waits up to so many seconds of these for a child to end (with a kernel that is
 * slow: dxs_slow() times as long). Return: whether it did; its status is in
 * @status then.
 */
bool dxs_ends(pid_t pid, double seconds, int *status);

/* How many times slower than usual this kernel may be ($DAXSTACK_SLOW). */
int dxs_slow(void);
void dxs_sleep_ms(long ms);

#endif /* DXS_TEST_H */
