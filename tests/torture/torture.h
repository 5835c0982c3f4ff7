/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * torture: shared declarations.
 *
 * main.c      options, start, watch, compare, report
 * model.c     shared memory: expected contents of the files, complaints
 * worker.c    a worker: takes regions and performs operations on them
 * kinds.c     the list of all kinds of operations
 * read.c      ways to read a file
 * write.c     ways to write a file
 * async.c     libaio and io_uring
 * maps.c      operations on mappings
 * space.c     truncate, fallocate, holes, syncing, advice
 * names.c     rename, link, unlink, O_TMPFILE
 * cross.c     two files or regions at once
 * children.c  children of a worker, some of which are killed
 * switcher.c  processes that switch
 * trouble.c   remounts, memory pressure, cgroups, signals
 *
 * The processes share one anonymous mapping, created before the first fork, so
 * that pointers into it are valid in all of them.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../dxs_test.h"

#define HUGE_PAGE	(2 * MIB)
#define LEN_MAX		(256 * KIB)	/* maximum of one operation */
#define MAX_WORKERS	32
#define MAX_SHARED	64
#define MAX_KINDS	128
#define RING		20		/* operations recorded per worker */

/* --- Random numbers: a stream for each purpose, all from one seed. */

struct rng {
	uint64_t state;
};

struct rng rng_of(unsigned int who, unsigned int what);
uint32_t rnd(struct rng *rng);
/* In [0, n). */
uint32_t below(struct rng *rng, uint32_t n);
/* Once in n times. */
bool once_in(struct rng *rng, uint32_t n);

/* --- The model. */

enum file_kind {
	SHARED,		/* by all workers, by regions; constant size */
	OWN,		/* by one worker, which also changes its size */
	TINY,		/* the same, small, and reopened again and again */
};

/**
 * struct file - a file and its expected contents
 * @kind: see above
 * @path: its present path; for an unnamed file, that of a descriptor in /proc;
 *   under @name_lock
 * @name_lock: protects @path
 * @ino: inode number, to check that @path still opened the same file
 * @linkable: created with O_TMPFILE and not linked yet
 * @named: @path is a name
 * @size: file size; changed only by the owner of the file
 * @most: maximum of @size
 * @image: @most bytes; those from @size on are 0
 * @switching: held for writing to see the effect of one's own switch on the
 *   mode, for reading by others who may change the mode
 */
struct file {
	enum file_kind kind;
	char path[48];
	pthread_mutex_t name_lock;
	_Atomic ino_t ino;
	bool linkable;
	bool named;
	off_t size;
	off_t most;
	uint8_t *image;
	pthread_rwlock_t switching;
};

/**
 * struct region - part of a shared file, owned by one worker at a time
 * @file: the file
 * @at: its start; often not at a page boundary
 * @len: its length
 * @direct: direct I/O is allowed. The region then consists of whole huge pages:
 *   elsewhere a page or a large folio of the page cache may also belong to a
 *   neighbour, and direct I/O is not coherent with the neighbour's stores.
 * @lock: held by the owner
 */
struct region {
	struct file *file;
	off_t at;
	size_t len;
	bool direct;
	pthread_mutex_t lock;
};

/* One operation, recorded to help find the cause of a complaint. */
struct record {
	unsigned long number;
	int kind;
	int file;
	long long pos;
	long long len;
	long long arg;
	long long ret;
	double begin;
	double end;
	struct dxs_watch watch;
};

/**
 * struct share - what other processes may see of a worker
 * @pid, @tid: for signals
 * @ops: operations started
 * @ring: the most recent ones
 * @maps: its mapping of each file, for process_madvise
 * @changing: the bytes [@pos, @pos + @len) of @file are being changed from the
 *   image to @plan. If the worker is killed meanwhile, each byte may have
 *   either value.
 * @switching: the tid is that of a switcher
 */
struct share {
	pid_t pid;
	pid_t tid;
	atomic_ulong ops;
	struct record ring[RING];
	uint8_t *_Atomic maps[MAX_SHARED];
	atomic_bool changing;
	struct file *file;
	off_t pos;
	size_t len;
	uint8_t *plan;
};

struct tally {
	atomic_ulong done;
	atomic_ulong skipped;
	_Atomic uint64_t longest_ns;
};

/* switch=, and other settings that determine the answers to a switcher */
enum policy { LIVE, UNMAPPED, EMPTY, NEVER, LOWER_SHARED, POLICIES };

struct switches {
	atomic_ulong wanted;		/* calls */
	atomic_ulong effective;
	atomic_ulong by_xflag;		/* effective, by FS_IOC_FSSETXATTR */
	atomic_ulong by_flags;		/* effective, by FS_IOC_SETFLAGS */
	atomic_ulong same;		/* already in the mode */
	atomic_ulong deferred;
	atomic_ulong killed;
	atomic_ulong refused[DAXSTACK_REASON_COUNT];
	atomic_ulong refused_unsaid;	/* by calls that return no reason */
	atomic_ulong checked;		/* alone with the file */
	_Atomic uint64_t longest_shut_ns;
	_Atomic uint64_t shut_ns;
};

#define COMPLAINTS	64
#define COMPLAINT_LEN	2048

/* Shared by all processes. */
struct arena {
	atomic_bool stop;	/* all processes must finish */
	atomic_uint complaints;
	atomic_uint told;	/* complaints written completely */
	char complaint[COMPLAINTS][COMPLAINT_LEN];
	atomic_int complainer[COMPLAINTS];
	struct tally tally[MAX_KINDS];
	struct switches switches;
	/* Odd while the policy changes. */
	atomic_uint policy_seq;
	_Atomic enum policy policy;
	atomic_uint phases[POLICIES];
	atomic_uint inherits;
	atomic_bool inherit_none;	/* may be in force */
	atomic_uint signals;
	atomic_uint moves;
	atomic_uint drops;
	atomic_uint hogged_mib;
	atomic_uint huge_faults;
	atomic_uint huge_tries;
	atomic_uint nowait_again;
	atomic_uint children_killed;
	atomic_uint children_cut;	/* during a change */
	struct share share[MAX_WORKERS + 8];
	int file_count;
	struct file file[MAX_SHARED + MAX_WORKERS * 4];
	int region_count;
	struct region region[];
};

extern struct arena *arena;

/* Command line options. */
extern struct options {
	unsigned long switches;
	double seconds;
	uint64_t seed;
	unsigned int files;
	unsigned int workers;
	bool native;
	bool quiet;		/* only the load and the switches */
	const char *only;
} opt;

/* The directory with the files: "stack" or "lower". */
extern const char *where;

#define SHARED_SIZE	(2 * HUGE_PAGE)
#define OWN_MOST	(4 * MIB)
#define TINY_MOST	(64 * KIB)
#define TINIES		2		/* of each worker */
#define SWITCHERS	3

void arena_make(void);
bool stopping(void);
int file_index(const struct file *file);
/* Copies @file's path to @path, which has the size of file->path. */
void file_path(struct file *file, char *path);
void file_set_path(struct file *file, bool named, const char *path, ...)
	FORMAT(3, 4);

/* Returns whether the descriptor is of this file. */
bool file_is(const struct file *file, int fd);
/* Records that the descriptor's inode is this file from now on. */
void file_born(struct file *file, int fd);

/* Reports an error, of worker @who; -1: of none. Stops the test. */
void complain(int who, const char *text, ...) FORMAT(2, 3);
/* Prints complaints not yet printed. Called by the main process. */
void print_complaints(void);
void raise_to(_Atomic uint64_t *max, uint64_t value);
uint64_t now_ns(void);
void nap(struct rng *rng, unsigned int max_us);

/* Repeats a call that a signal interrupted. */
#define AGAIN(call) __extension__ ({					\
	__typeof__(call) again_ret_;					\
									\
	do {								\
		again_ret_ = (call);					\
	} while ((long)again_ret_ == -1 && errno == EINTR);		\
	again_ret_;							\
})

/* The same, returning 0 or more, or a negative errno. */
#define DO(call) __extension__ ({					\
	long do_ret_ = (long)AGAIN(call);				\
									\
	do_ret_ == -1 ? -(long)errno : do_ret_;				\
})

/* --- Workers. */

/* Access of a worker, or of its child, to a file. */
struct access {
	int fd;			/* -1: not open */
	int direct;
	int dsync;
	int append;
	uint8_t *map;		/* file->most bytes, at a huge page boundary */
};

struct uring;

/**
 * struct worker - a worker, in its own process
 * @id: its number
 * @share: what other processes see
 * @rng: for the current operation
 * @kind: index of the current operation's kind
 * @access: by file
 * @buf: LEN_MAX bytes to read into or write from
 * @spare: a second buffer
 * @memfd: a memfd
 * @mem: /proc/self/mem
 * @pidfd: of its own process
 * @aio: libaio context, 0: none yet
 * @uring: io_uring, NULL: none yet
 * @priv, @priv_image: a lasting private mapping of a shared file, and what was
 *   stored to it
 * @huge, @huge_file: a mapping of the huge page of a shared file
 * @names: number of names generated
 * @expendable: a child that may be killed at any time
 */
struct worker {
	unsigned int id;
	struct share *share;
	struct rng rng;
	int kind;
	struct access *access;
	uint8_t *buf;
	uint8_t *spare;
	int memfd;
	int mem;
	int pidfd;
	unsigned long aio;
	struct uring *uring;
	bool no_uring;
	uint8_t *priv;
	uint8_t *priv_image;
	uint8_t *huge;
	struct file *huge_file;
	unsigned int names;
	bool expendable;
};

/**
 * struct target - a range that the worker owns
 * @file: the file
 * @at, @len: the range
 * @direct: direct I/O is allowed
 * @own: the worker owns the whole file: @len follows the size
 * @access: of the worker
 */
struct target {
	struct file *file;
	off_t at;
	size_t len;
	bool direct;
	bool own;
	struct access *access;
};

/* Returned by an operation that was not possible at present. */
#define SKIP	(-100000L)

#define NEEDS_DIRECT	0x01	/* aligned, and O_DIRECT is allowed */
#define NEEDS_OWN	0x02	/* changes the size, or the name */
#define MAPPED		0x04	/* cannot go beyond EOF */
#define NO_CHILD	0x08	/* not in a child that may be killed */
#define MAY_SKIP	0x10	/* not possible everywhere: may stay undone */

/**
 * struct kind - a kind of operation
 * @name: for the report, and --only
 * @weight: relative frequency
 * @flags: see above
 * @run: performs one. Return: 0 or more, SKIP, or a negative errno, which is a
 *   complaint.
 * @go: of kinds that read or write: reads @len bytes at @pos of the file into
 *   @buf, or writes them from @buf. Return: number of bytes, SKIP, or a
 *   negative errno.
 */
struct kind {
	const char *name;
	unsigned int weight;
	unsigned int flags;
	long (*run)(struct worker *w, struct target *a, struct target *b);
	long (*go)(struct worker *w, struct target *t, off_t pos, uint8_t *buf,
		   size_t len);
};

extern const struct kind kinds[];
extern const int kind_count;

void worker_process(unsigned int first, unsigned int step);

/* Descriptors, opened when first needed; negative errno. */
int fd_of(struct worker *w, struct target *t);
int direct_of(struct worker *w, struct target *t);
int dsync_of(struct worker *w, struct target *t);
int append_of(struct worker *w, struct target *t);
/* A lasting mapping of the whole file, or NULL. */
uint8_t *map_of(struct worker *w, struct target *t);
/* Closes and unmaps. */
void access_drop(struct worker *w, struct file *file);
/* Reserves address space at a huge page boundary, without access. */
void *reserve(size_t len);

/* Picks a range of the target; false if it is empty. */
bool pick(struct worker *w, const struct target *t, bool aligned, off_t *pos,
	  size_t *len);
/* The same, with whole pages. */
bool pick_pages(struct worker *w, const struct target *t, off_t *pos,
		size_t *len);

/* Records an operation; record_end() completes the record. */
struct record *record_begin(struct worker *w, const struct target *t,
			    off_t pos, long long len, long long arg);
void record_end(struct worker *w, struct record *rec, long ret);

/*
 * A change of bytes: plan_begin() returns the buffer for the new ones,
 * plan_ready() announces them, plan_done() tells how many were written.
 */
uint8_t *plan_begin(struct worker *w, struct target *t, off_t pos, size_t len);
void plan_ready(struct worker *w);
void plan_done(struct worker *w, size_t len);
/* plan_begin() to plan_ready() with random bytes. Return: the bytes. */
uint8_t *plan_random(struct worker *w, struct target *t, off_t pos, size_t len);
/* The same with zeroes. */
void plan_zero(struct worker *w, struct target *t, off_t pos, size_t len);
/* Only while it cannot be killed: changes the size of an own file. */
void set_size(struct target *t, off_t size);

/* Complains if the bytes read from a target are not the expected ones. */
bool check(struct worker *w, const struct target *t, off_t pos,
	   const uint8_t *seen, size_t len, const char *how);
/* Reads a range in some way, and checks it. */
long read_back(struct worker *w, struct target *t, off_t pos, size_t len);
/* Chooses a kind of operation and performs it. */
void one_operation(struct worker *w, struct target *a, struct target *b,
		   unsigned int forbidden);

long run_read(struct worker *w, struct target *a, struct target *b);
long run_write(struct worker *w, struct target *a, struct target *b);

/* Closes a pipe some time later; in a child, at once. */
void forget_held(void);
void close_later(struct worker *w, int ends[2], unsigned int ms);

/* Touches a byte; returns whether that raised SIGBUS, which is expected. */
bool gets_sigbus(volatile uint8_t *touch);

#define GO(name) long name(struct worker *w, struct target *t, off_t pos, \
			   uint8_t *buf, size_t len)
#define RUN(name) long name(struct worker *w, struct target *a, \
			    struct target *b)

/* read.c */
GO(get_pread); GO(get_preadv); GO(get_nowait); GO(get_lseek_read);
GO(get_direct); GO(get_splice); GO(get_sendfile); GO(get_map);
GO(get_new_map); GO(get_populated); GO(get_private); GO(get_cow);
GO(get_vmsplice); GO(get_write_from_map); GO(get_process_vm);
GO(get_proc_mem); GO(get_moved_map); GO(get_remapped);
/* write.c */
GO(put_pwrite); GO(put_pwritev); GO(put_dsync_flag); GO(put_nowait);
GO(put_lseek_write); GO(put_dsync); GO(put_direct); GO(put_direct_dsync);
GO(put_splice); GO(put_sendfile); GO(put_map); GO(put_words);
GO(put_new_map); GO(put_populated); GO(put_mprotect); GO(put_map_sync);
GO(put_moved_map); GO(put_remapped); GO(put_read_into_map);
GO(put_process_vm); GO(put_proc_mem);
/* async.c */
GO(get_aio); GO(get_aio_direct); GO(get_uring); GO(get_uring_direct);
GO(get_uring_fixed);
GO(put_aio); GO(put_aio_direct); GO(put_uring); GO(put_uring_direct);
GO(put_uring_fixed);
RUN(run_register_map);
/* Asynchronous I/O on @fd at @pos, waited for; reads unless @write. */
long aio_rw(struct worker *w, int fd, bool write, void *buf, size_t len,
	    off_t pos);
long uring_rw(struct worker *w, int fd, bool write, void *buf, size_t len,
	      off_t pos);
void async_end(struct worker *w);
/* maps.c */
RUN(run_madvise); RUN(run_process_madvise); RUN(run_mlock); RUN(run_munlock);
RUN(run_mincore); RUN(run_msync); RUN(run_map_anew); RUN(run_private);
RUN(run_huge); RUN(run_busy); RUN(run_remove); RUN(run_touch_all); RUN(run_sigbus);
/* space.c */
RUN(run_truncate); RUN(run_append); RUN(run_allocate); RUN(run_punch);
RUN(run_zero_range); RUN(run_collapse); RUN(run_insert); RUN(run_seek);
RUN(run_fiemap); RUN(run_fsync); RUN(run_fdatasync); RUN(run_sync_range);
RUN(run_syncfs); RUN(run_sync); RUN(run_fadvise); RUN(run_readahead);
RUN(run_statx); RUN(run_attributes);
/* names.c */
RUN(run_rename); RUN(run_exchange); RUN(run_link); RUN(run_unlink);
RUN(run_tmpfile); RUN(run_linkat); RUN(run_reopen); RUN(run_lock);
/* Held while an operation may switch the file. */
void hold_mode(struct file *file);
void leave_mode(struct file *file);
/* cross.c */
RUN(run_read_into_map); RUN(run_write_from_map); RUN(run_copy_range);
RUN(run_splice_across); RUN(run_write_self); RUN(run_writev_maps);
/* children.c */
GO(get_child); GO(get_child_private); GO(put_child); GO(put_child_new);
RUN(run_expendable);
/* switcher.c, trouble.c */
void switcher_process(unsigned int first, unsigned int count);
void trouble_prepare(void);
void trouble_process(void);
void trouble_processes(pid_t *pids, int count);

#endif /* TORTURE_H */
