/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of 'daxstack set' and 'daxstack restore' share: the options
 * (set.c), the names (names.c), one file or directory (apply.c), what would come
 * of it (rehearse.c), blocks of its own for it (unshare.c), a tree of files
 * (tree.c) and the way through it (walk.c), what came of each (report.c) and of
 * many (tally.c), and how far it is (progress.c).
 */
#ifndef SET_H
#define SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "daxstack.h"
#include "file.h"

/**
 * struct set_options - the command line
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED; of 'restore', that of the entry
 * @timeout_ms: for each file, as in struct daxstack_switch
 * @recursive: the operands are trees
 * @quiet: nothing is printed, neither complaints nor a summary
 * @verbose: a line on stdout for each file
 * @dry_run: nothing is changed, only told
 * @json: an object on stdout for each file
 * @unshare: a file that is to be dax gets blocks of its own first
 * @restores: of 'restore', whose modes are not all the same
 */
struct set_options {
	unsigned int mode;
	int timeout_ms;
	bool recursive;
	bool quiet;
	bool verbose;
	bool dry_run;
	bool json;
	bool unshare;
	bool restores;
};

enum set_outcome {
	SET_SWITCHED,
	SET_ALREADY,	/* in the mode wanted */
	SET_DEFERRED,	/* the flag is stored, the mode comes with the next load */
	SET_DIRECTORY,	/* its flag is as wanted */
	SET_SKIPPED,	/* has no mode: a symbolic link, a device, ... */
	SET_ELSEWHERE,	/* something is mounted there */
	SET_REFUSED,
	SET_NOTHING,	/* not there any more, or visited before */
	SET_OUTCOMES
};

/**
 * struct set_result - what came of one file or directory
 * @outcome: in a word; with set_options.dry_run, what would come of it
 * @status: enum tool_status
 * @why: of SET_REFUSED and SET_DEFERRED: the reason in words; valid until the
 *	next file
 * @error: errno that goes with @why, 0 if there is none
 * @mode: it is in, "dax" or "cached"; NULL if it has none or it is not known
 * @answer: of the kernel, all 0 if it was not asked
 * @unshared: bytes that were shared with other files
 */
struct set_result {
	enum set_outcome outcome;
	int status;
	const char *why;
	int error;
	const char *mode;
	struct daxstack_switch answer;
	unsigned long long unshared;
};

bool set_timeout(struct set_options *opt, const char *title, const char *value);
int set_check(const struct set_options *opt, const char *title);

struct set_result apply(const struct set_options *opt, const char *path,
			int look, const struct file_id *id, int *opened);
struct set_result apply_failed(const struct set_options *opt, const char *path,
			       const char *why, int error);
struct set_result apply_refused(const struct set_options *opt,
				const char *path, const char *text, int error);
struct set_result apply_refused_directory(const struct set_options *opt,
					  const char *path, const char *text,
					  int error);
struct set_result apply_named(const struct set_options *opt, const char *path);

struct set_result rehearse(const struct set_options *opt, const char *path,
			   int look, const struct file_id *id, int *opened);

int unshare_shared(int fd, unsigned long long *bytes);
const char *unshare_space(int fd, unsigned long long bytes);
int unshare_blocks(int fd, unsigned long long total, unsigned long long *done);
bool unshare_is_needed(void);

void report_begin(const struct set_options *opt);
void report(const struct set_options *opt, const char *path,
	    const struct set_result *result);
void report_end(const struct set_options *opt);

/**
 * struct names - the names of files on the command line, and in a file
 * @next: of the operands
 * @from: the file, NULL without
 * @file: its name
 * @end: what ends a name there
 * @buf: the last one read from there
 * @size: allocated for it
 * @status: TOOL_FAILED after an error, which was told
 */
struct names {
	char *const *next;
	FILE *from;
	const char *file;
	int end;
	char *buf;
	size_t size;
	int status;
};

bool names_open(struct names *names, const char *file, bool null);
const char *names_next(struct names *names);
void names_close(struct names *names);

/**
 * struct tally - what came of many files
 * @outcomes: how often, by enum set_outcome
 * @reasons: of the refusals
 * @nr_reasons: how many different ones
 */
struct tally {
	unsigned long long outcomes[SET_OUTCOMES];
	struct tally_reason *reasons;
	size_t nr_reasons;
};

void tally_add(struct tally *tally, const struct set_result *result);
void tally_print(struct tally *tally, const struct set_options *opt);
void tally_free(struct tally *tally);

struct walk;

/**
 * struct walk_ops - what is done on the way through a tree
 * @entry: called for each entry, with the directory that it is in, its name
 *	there and its type (DT_*), as far as that is known; walk_path() is its
 *	path. Returns -1, or an open directory for the walk to enter.
 * @lost: walk_path() is a directory; what is in it, or the rest of that, cannot
 *	be visited
 */
struct walk_ops {
	int (*entry)(struct walk *walk, int dir, const char *name,
		     unsigned char type);
	void (*lost)(struct walk *walk, const char *why);
};

void walk_tree(const struct walk_ops *ops, void *data, const char *path,
	       int dir);
const char *walk_path(const struct walk *walk);
void *walk_data(const struct walk *walk);
bool walk_may_trust(struct walk *walk, struct file_id *id);
bool walk_may_enter(const struct walk *walk, const struct file_id *id);

int tree_set(const struct set_options *opt, struct names *names);

bool progress_begin(void);
void progress_counted(void);
void progress_step(bool refused);
void progress_part(unsigned long long done, unsigned long long total);
void progress_hide(FILE *stream);
void progress_end(void);

#endif /* SET_H */
