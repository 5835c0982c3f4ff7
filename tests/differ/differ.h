/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * differ: shared declarations.
 *
 * main.c      options, devices, sequences of steps, the report
 * play.c      plays a sequence on both sides, and compares
 * shrink.c    reduces a sequence that shows a difference
 * steps.c     the list of all kinds of steps, made from a seed, and as text
 * paths.c     the names that steps use
 * observe.c   visible state of a file, or of all files
 * known.c     the differences that are tolerated
 * names.c     steps: names looked up, created, moved, removed, listed
 * attrs.c     steps: modes, owners, times, attributes
 * data.c      steps: reading, writing, space
 * maps.c      steps: mappings
 * locks.c     steps: locks and leases
 * switcher.c  steps: switches
 *
 * All results are recorded as text, by the same functions on both sides; a
 * difference is one between the texts.
 */
#ifndef DIFFER_H
#define DIFFER_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "../dxs_test.h"

#define MAX_KINDS	128
#define SLOTS		5
#define MAPS		2
#define NUMBERS		5
#define IO_MAX		(256 * KIB)
#define NOBODY		65534

/* --- Random numbers, all from one seed. */

struct rng {
	uint64_t state;
};

uint32_t rnd(struct rng *rng);
/* In [0, n). */
uint32_t below(struct rng *rng, uint32_t n);
/* Once in n times. */
bool once_in(struct rng *rng, uint32_t n);
#define PICK(rng, array) \
	((array)[below(rng, sizeof(array) / sizeof(__typeof__((array)[0])))])

/* --- Text. */

struct text {
	char *buf;
	size_t len;
	size_t size;
};

void say(struct text *out, const char *format, ...) FORMAT(2, 3);
void clear(struct text *out);
/* "= 3", or "= -1 ENOENT" by errno. */
void say_ret(struct text *out, long ret);
void say_time(struct text *out, const char *name, int64_t sec, uint32_t nsec);
void say_bytes(struct text *out, const void *buf, size_t len);
uint64_t hash_of(const void *buf, size_t len);

/* --- Steps and the two sides. */

/**
 * struct step - a call, or a few
 * @kind: index of kinds[]
 * @who: index of callers[]
 * @path: up to two, indexes of paths[]
 * @slot: up to two, of open files
 * @n: numbers, whose meaning depends on the kind
 * @umask: of the caller
 */
struct step {
	uint8_t kind;
	uint8_t who;
	uint8_t path[2];
	uint8_t slot[2];
	mode_t umask;
	int64_t n[NUMBERS];
};

/**
 * struct side - one of the two filesystems
 * @name: of its mount
 * @is_stack: the other side is the lower filesystem alone
 * @top: its root
 * @up: a directory for this sequence
 * @dir: "w" in @up, the working directory of its steps
 * @slots: open files, or -1
 * @maps: mappings, or NULL
 * @map_len: their lengths
 * @map_pos: their offsets in the file
 * @map_fd: descriptors of the files
 * @out: result of a step
 */
struct side {
	const char *name;
	bool is_stack;
	int top;
	int up;
	int dir;
	int slots[SLOTS];
	char *maps[MAPS];
	size_t map_len[MAPS];
	off_t map_pos[MAPS];
	int map_fd[MAPS];
	struct text out;
};

extern struct side sides[2];

/* Unmaps them. */
void drop_maps(struct side *side);
extern unsigned long switches_made, switches_refused;

/* A user that makes steps. */
struct caller {
	uid_t uid;
	gid_t gid;
	gid_t group;
};

extern const struct caller callers[];
#define CALLERS	4

/**
 * struct kind - of steps
 * @name: for the report
 * @format: the step as text: {p} {q} paths, {s} {t} slots, {0} {0x} {0o}
 *   numbers
 * @weight: relative frequency
 * @still: not in sequences with switches
 * @make: chooses the numbers
 * @run: performs the step and records the result
 */
struct kind {
	const char *name;
	const char *format;
	unsigned int weight;
	bool still;
	void (*make)(struct rng *rng, struct step *step);
	void (*run)(struct side *side, const struct step *step,
		    struct text *out);
};

extern const struct kind *kinds[];
extern unsigned int nr_kinds;

extern const struct kind name_kinds[], attr_kinds[], data_kinds[],
	map_kinds[], lock_kinds[], switch_kind;

struct step make_step(struct rng *rng, bool switching);
void say_step(struct text *out, const struct step *step);
bool kind_uses(const struct kind *kind, const char *field);
/* Takes the credentials of a caller, or of root again. */
void become(unsigned int who);

/* --- Paths. */

const char *path_of(unsigned int index);
/* A short form, for the report. */
const char *path_text(unsigned int index);
unsigned int make_path(struct rng *rng);
/* Symlink targets. */
const char *target_of(unsigned int index);
#define TARGETS	14

/* --- Sequences. */

/**
 * struct sequence - steps performed in directories of their own
 * @switching: with switches on the stack's side
 * @steps: @count of them
 */
struct sequence {
	bool switching;
	struct step *steps;
	unsigned int count;
};

/**
 * struct tally - statistics of steps
 * @steps: total
 * @done: steps of each kind
 * @well: steps that succeeded, as far as that can be determined
 */
struct tally {
	unsigned long steps;
	unsigned long done[MAX_KINDS];
	unsigned long well[MAX_KINDS];
};

/* Of the current sequence. */
extern bool switching;

/**
 * play() - perform a sequence on both sides
 * @seq: the sequence
 * @every: compare all files after this many steps
 * @report: gets the state of both sides, if it differs
 * @tally: counts the steps performed, unless it is NULL
 *
 * Return: the step after which there was a difference, or -1.
 */
int play(const struct sequence *seq, unsigned int every, struct text *report,
	 struct tally *tally);
/* In place. Return: as play(). */
int shrink(struct sequence *seq, struct text *report, double seconds);

/* --- Observing. */

void look_at_path(struct text *out, const char *path);
void look_at_parent(struct text *out, const char *path);
void look_at_fd(struct text *out, int fd);
void look_at_all(struct text *out);

/* --- Differences that are tolerated. */

enum known {
	KNOWN_FSTYPE,
	KNOWN_BLOCKS,
	KNOWN_SEEK,
	KNOWN_DIRECT,
	KNOWN_FAR,
	KNOWN_SIGBUS,
	KNOWN_OVERLAP,
	KNOWN_DIOALIGN,
	KNOWN_DONTCACHE,
	KNOWN_CTIME,
	KNOWN_COUNT
};

/* Records that it applied. Return: true. */
bool known(enum known which);
void report_known(void);

#endif /* DIFFER_H */
