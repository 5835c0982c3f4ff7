/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of 'daxstack set' and 'daxstack restore': set.c (command line),
 * options.c (common options), names.c (names of files), apply.c (one file or
 * directory), rehearse.c (--dry-run), unshare.c (--unshare), tree.c (a tree of files)
 * and walk.c (traversal), report.c (JSON result of a file), summary.c (summary of many
 * files), progress.c (progress bar).
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
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED; of 'restore': of the current entry
 * @timeout_ms: for each file, as in struct daxstack_switch
 * @recursive: the operands are trees
 * @quiet: print neither errors nor a summary
 * @verbose: print a line on stdout for each file
 * @dry_run: change nothing, only report
 * @json: print an object on stdout for each file
 * @unshare: a file to be switched to dax first gets blocks of its own
 * @restores: 'restore', whose modes differ by file
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
	SET_ALREADY,	/* was in the requested mode */
	SET_DEFERRED,	/* the flag is stored, the mode changes with the next load */
	SET_DIRECTORY,	/* its flag is as requested */
	SET_SKIPPED,	/* has no mode: a symbolic link, a device, ... */
	SET_ELSEWHERE,	/* a mount point */
	SET_REFUSED,
	SET_NOTHING,	/* vanished, or visited before */
	SET_OUTCOMES
};

/**
 * struct set_result - result for one file or directory
 * @outcome: the result; with set_options.dry_run, the predicted one
 * @status: enum tool_status
 * @why: of SET_REFUSED and SET_DEFERRED: the reason in words; valid until the next file
 * @error: errno for @why, 0 if there is none
 * @mode: current mode, "dax" or "cached"; NULL if it has none or it is unknown
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

int set_option(struct set_options *opt, int c, char **argv);
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
 * struct names - names of files on the command line, and in a file
 * @next: next operand
 * @from: the file, NULL without
 * @file: its name
 * @end: character that ends a name in it
 * @buf: the last name read from it
 * @size: allocated size of @buf
 * @status: TOOL_FAILED after an error, which was printed
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
 * struct summary - summary of the results for many files
 * @outcomes: counts, by enum set_outcome
 * @reasons: of the refusals
 * @nr_reasons: number of @reasons
 */
struct summary {
	unsigned long long outcomes[SET_OUTCOMES];
	struct summary_reason *reasons;
	size_t nr_reasons;
};

void summary_add(struct summary *summary, const struct set_result *result);
void summary_print(struct summary *summary, const struct set_options *opt);
void summary_free(struct summary *summary);

struct walk;

/**
 * struct walk_ops - callbacks of a tree traversal
 * @entry: called for each entry, with its directory, its name and its type (DT_*), as
 *   far as known; walk_path() is its path. Returns -1, or a descriptor of a directory
 *   to enter.
 * @lost: walk_path() is a directory whose entries, or the rest of them, cannot be
 *   visited
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
void progress_seconds(unsigned int done, unsigned int total);
void progress_step(bool refused);
void progress_part(unsigned long long done, unsigned long long total);
void progress_hide(FILE *stream);
void progress_end(void);

#endif /* SET_H */
