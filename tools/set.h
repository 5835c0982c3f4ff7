/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of 'daxstack set' share: the options (set.c), one file or
 * directory (apply.c), a tree of them (tree.c), what came of many (tally.c),
 * and how far it is (progress.c).
 */
#ifndef SET_H
#define SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

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
	SET_ELSEWHERE,	/* belongs to another filesystem, mounted in the tree */
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
			int fd, const struct stat *st);
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

int tree_set(const struct set_options *opt, char *const *paths);

bool progress_begin(void);
void progress_counted(void);
void progress_step(bool refused);
void progress_hide(FILE *stream);
void progress_end(void);

#endif /* SET_H */
