/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of 'daxstack set' share: the options (set.c), one file or
 * directory (apply.c), a tree of them (tree.c) and the way through it (walk.c),
 * what came of many (tally.c), and how far it is (progress.c).
 */
#ifndef SET_H
#define SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "file.h"

/**
 * struct set_options - the command line
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 * @timeout_ms: for each file, as in struct daxstack_switch
 * @recursive: the operands are trees
 * @quiet: nothing is printed, neither complaints nor a summary
 * @verbose: a line on stdout for each file
 */
struct set_options {
	unsigned int mode;
	int timeout_ms;
	bool recursive;
	bool quiet;
	bool verbose;
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
 * @outcome: in a word
 * @status: enum tool_status
 * @why: of SET_REFUSED: the reason in words; valid until the next file
 */
struct set_result {
	enum set_outcome outcome;
	int status;
	const char *why;
};

struct set_result apply(const struct set_options *opt, const char *path,
			int look, const struct file_id *id, int *opened);
struct set_result apply_failed(const struct set_options *opt, const char *path,
			       const char *why);

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
void tally_print(struct tally *tally, unsigned int mode);
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
bool walk_may_enter(const struct walk *walk, const struct file_id *id);

int tree_set(const struct set_options *opt, char *const *paths);

bool progress_begin(void);
void progress_counted(void);
void progress_step(bool refused);
void progress_hide(FILE *stream);
void progress_end(void);

#endif /* SET_H */
