/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared helpers of the tests: TAP, environment, mounts, modes.
 *
 * dxs_begin() creates a temporary directory and makes it the working directory.
 * A test creates the filesystem $FS (ext4 or xfs) on the device $PMEM and
 * mounts it there: on "stack" with daxstack, on "lower" with $FS alone.
 *
 * Unless said otherwise, a function returns 0 or a positive errno.
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

/* The errno of a call that returns -1 on failure; 0 if it succeeds. */
#define ERR(call)	((long)(call) == -1 ? errno : 0)

/* A call that must succeed for the test to go on. */
#define MUST(call) __extension__ ({					\
	__typeof__(call) must_ret_ = (call);				\
									\
	if ((long)must_ret_ == -1)					\
		dxs_bail("%s:%d: %s: %m", __FILE__, __LINE__, #call);	\
	must_ret_;							\
})

/* --- TAP. Each function returns whether the value is as expected. */

bool dxs_ok(bool pass, const char *name, ...) FORMAT(2, 3);
bool dxs_is(long long expected, long long seen, const char *name, ...)
	FORMAT(3, 4);
bool dxs_errno(int expected, int seen, const char *name, ...) FORMAT(3, 4);
bool dxs_str(const char *expected, const char *seen, const char *name, ...)
	FORMAT(3, 4);
void dxs_skip(const char *reason, const char *name, ...) FORMAT(2, 3);
void dxs_diag(const char *text, ...) FORMAT(1, 2);
void dxs_bail(const char *text, ...) FORMAT(1, 2) __attribute__((noreturn));

/* --- Start and end. */

/* Skips the whole test if $FS or $PMEM is unset, or if not run by root. */
void dxs_begin(void);
/* Prints the plan. Return: the exit status. */
int dxs_done(void);

extern const char *dxs_fs;	/* $FS */
extern const char *dxs_pmem;	/* $PMEM */
bool dxs_on_xfs(void);
/* Returns whether the running kernel is at least @major.@minor. */
bool dxs_kernel_from(int major, int minor);

/* --- Programs, found in $PATH; the argument list ends with NULL. */

/* Return: exit status; 128 + N after signal N; 127 if it could not be run. */
int dxs_run(const char *const argv[]);
/* The same, but stores up to @size - 1 bytes of the output in @out. */
int dxs_run_read(char *out, size_t size, const char *const argv[]);
#define DXS_RUN(...)	dxs_run((const char *const[]){ __VA_ARGS__, NULL })
#define DXS_RUN_READ(out, size, ...) \
	dxs_run_read(out, size, (const char *const[]){ __VA_ARGS__, NULL })

/*
 * Returns whether a part of the test is to run: if @names, which ends with NULL,
 * has its @name or is empty.
 */
bool dxs_wanted(const char *name, char *const names[]);

struct dxs_part {
	const char *name;
	void (*run)(void);
};

/*
 * Runs the parts of the test that are to run, each on a new filesystem with the
 * stack, or all on one (@fresh: false); fsck follows. Tells how long each part took.
 * Bails out if a name is unknown.
 */
void dxs_run_parts(const struct dxs_part *parts, size_t nr, char *const names[],
		   bool fresh);

/* --- Files of /proc, /sys and the like. */

/* Writes @value to a file. Return: whether that worked. */
bool dxs_put(const char *path, const char *value);
/* The same. Bails out. */
void dxs_must_put(const char *path, const char *value);
/* Returns the minor faults of this process. */
long dxs_minor_faults(void);

/* --- Filesystems. */

/* Creates a new $FS on @device, or on $PMEM if @device is NULL. Bails out. */
void dxs_mkfs(const char *device);
int dxs_mount(const char *source, const char *target, const char *type,
	      const char *options);
int dxs_umount(const char *target);
/*
 * Mount $PMEM on "stack" with daxstack and lower=$FS; on "lower" with $FS. Bail
 * out.
 */
void dxs_mount_stack(void);
void dxs_mount_lower(void);
/* Remounts the stack with @options. Bails out. */
void dxs_remount(const char *options);
/* Unmount "stack", "lower". Bail out. */
void dxs_umount_stack(void);
void dxs_umount_lower(void);
/* Asserts that fsck finds no error on $PMEM, which must not be mounted. */
bool dxs_fsck(void);
/* Returns whether a kernel log line since the last dxs_log_mark() has @text. */
void dxs_log_mark(void);
bool dxs_log_has(const char *text);
/*
 * From here to dxs_expect(NULL) the kernel may log lines that match @pattern,
 * an extended regular expression. Any other line listed in
 * scripts/test/console-patterns still fails the run. Use it only for messages that a
 * test provokes on purpose, with the narrowest pattern and for the shortest
 * time.
 */
void dxs_expect(const char *pattern);
/* Pins @page, a page of a mapping, with a pipe until dxs_unpin(). Bail out. */
void dxs_pin(int ends[2], void *page);
void dxs_unpin(int ends[2]);
/* Maps with MAP_SYNC. Returns MAP_FAILED on error. */
void *dxs_map_sync(int fd, size_t len);

/* --- Modes. */

/* Returns DAXSTACK_DAX or DAXSTACK_CACHED, from statx. Bails out. */
int dxs_mode(int fd);
const char *dxs_mode_name(int mode);
/* The same of the file at @path, and its FS_XFLAG_DAX. Bail out. */
int dxs_mode_of(const char *path);
bool dxs_xflag_of(const char *path);
/*
 * Walks a tree; counts the files in @mode, and the files and directories with
 * the flag of that mode.
 */
void dxs_count_modes(const char *path, int mode, int *modes, int *flags);
/* Switches the file; fills in @sw unless it is NULL. */
int dxs_switch(int fd, int mode, int timeout_ms, struct daxstack_switch *sw);
/* Switches the file, or bails out. */
void dxs_set_mode(const char *path, int mode);
/* Switches the file with FS_IOC_FSSETXATTR. */
int dxs_set_xflag(int fd, int mode);
/* Returns FS_XFLAG_DAX, from FS_IOC_FSGETXATTR. Bails out. */
bool dxs_xflag(int fd);
/* Switches the file; emits an assertion only if something is wrong. */
bool dxs_to(int fd, int mode, const char *name);
/* Asserts that a switch is refused at once with @reason and its errno. */
bool dxs_refused(int fd, int mode, int reason, const char *name);
const char *dxs_reason_name(unsigned int reason);

/* --- File contents. */

/* Returns the byte at @pos of the pattern with seed @seed. */
uint8_t dxs_byte(uint32_t seed, off_t pos);
void dxs_fill(void *buf, size_t len, uint32_t seed, off_t pos);
/* Prints the first difference as a diagnostic. */
bool dxs_same(const void *expected, const void *seen, size_t len, off_t pos,
	      const char *what);
/* Write, read exactly @len bytes. Bail out. */
void dxs_pwrite(int fd, const void *buf, size_t len, off_t pos);
void dxs_pread(int fd, void *buf, size_t len, off_t pos);
/* Allocates memory aligned for O_DIRECT. */
void *dxs_alloc(size_t len);

/*
 * Monotonic time in seconds. Do not use it for time limits: the host of a guest
 * may be busy.
 */
double dxs_now(void);

/*
 * --- Time limits on a shared machine.
 *
 * A limit is counted in time that the guest actually ran. On each processor a
 * counting thread sleeps for 4 ms over and over and increments a counter. A
 * wait of one second sees 250 counts; while the host does not run the guest,
 * the counters stand still. Not for tests that keep a processor to themselves.
 */
#define DXS_CPUS	8

/**
 * struct dxs_watch - a point in time, for dxs_watched()
 * @beats: the counter of each processor at that time
 */
struct dxs_watch {
	unsigned long beats[DXS_CPUS];
};

/*
 * Starts the counting threads: call it right after dxs_begin(), before the test
 * opens files or starts threads.
 */
void dxs_watch_begin(void);
struct dxs_watch dxs_watch(void);
/* Returns the seconds since @since on the processor that counted the fewest. */
double dxs_watched(const struct dxs_watch *since);
/*
 * Waits up to @seconds of dxs_watched() time for a child to exit; dxs_slow()
 * times as long on a slow kernel. Return: whether it exited; @status then has
 * its status.
 */
bool dxs_ends(pid_t pid, double seconds, int *status);

/*
 * Returns how many times slower than usual this kernel may be ($DAXSTACK_SLOW).
 */
int dxs_slow(void);
void dxs_sleep_ms(long ms);

#endif /* DXS_TEST_H */
