// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack set --recursive: whole trees.
 *
 * The walk stands in the directory whose entries it visits, which keeps the
 * names short to look up, and cannot be led elsewhere by somebody who puts a
 * symbolic link in place of a directory further up.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "set.h"
#include "tool.h"

/**
 * struct tree - a walk
 * @opt: what to do
 * @tally: what came of it
 * @status: the worst so far
 * @fts: where it is
 * @dev: of the operand, which is on a daxstack mount
 */
struct tree {
	const struct set_options *opt;
	struct tally tally;
	int status;
	FTS *fts;
	dev_t dev;
};

static FTS *tree_open(char *path, int options)
{
	char *const paths[] = { path, NULL };

	return fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_XDEV |
			options, NULL);
}

/* Goes back to the working directory, by which the next tree is found. */
static void tree_close(FTS *fts)
{
	if (fts_close(fts) < 0)
		err(TOOL_FAILED, "cannot return to the working directory");
}

/* Directories are visited again afterwards, or when they cannot be read. */
static bool is_first_visit(const FTSENT *ent)
{
	return ent->fts_info != FTS_DP && ent->fts_info != FTS_DNR;
}

static struct set_result nothing(enum set_outcome outcome)
{
	return (struct set_result){ .outcome = outcome };
}

static struct set_result failed(const struct tree *tree, FTSENT *ent,
				const char *why)
{
	/* Not to be told the same of a directory twice. */
	fts_set(tree->fts, ent, FTS_SKIP);
	return apply_failed(tree->opt, ent->fts_path, why);
}

static struct set_result failed_with(const struct tree *tree, FTSENT *ent,
				     int error)
{
	/* Removed since its name was read, as happens in a tree in use. */
	if (error == ENOENT && ent->fts_level > FTS_ROOTLEVEL)
		return nothing(SET_NOTHING);
	return failed(tree, ent, strerror(error));
}

/* Also finds out whether daxstack's ioctls may be sent to this tree at all. */
static struct set_result visit_operand(struct tree *tree, FTSENT *ent)
{
	struct set_result result;
	struct stat st;
	const char *why;
	int fd = file_open(ent->fts_accpath, &st, &why);

	if (fd < 0)
		return failed(tree, ent, why);
	tree->dev = st.st_dev;
	result = apply(tree->opt, ent->fts_path, fd, &st);
	close(fd);
	return result;
}

/*
 * What fts knows of an entry is a moment old, and good enough: asking again
 * would cost more than it tells.
 */
static struct set_result visit_entry(const struct tree *tree, FTSENT *ent)
{
	struct set_result result;
	int fd;

	if (ent->fts_statp->st_dev != tree->dev)
		return nothing(SET_ELSEWHERE);
	fd = open(ent->fts_accpath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
		  O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return failed_with(tree, ent, errno);
	result = apply(tree->opt, ent->fts_path, fd, ent->fts_statp);
	close(fd);
	return result;
}

static struct set_result visit(struct tree *tree, FTSENT *ent)
{
	switch (ent->fts_info) {
	case FTS_D:
	case FTS_F:
		if (ent->fts_level == FTS_ROOTLEVEL)
			return visit_operand(tree, ent);
		return visit_entry(tree, ent);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return failed_with(tree, ent, ent->fts_errno);
	case FTS_SLNONE:
		return failed_with(tree, ent, ENOENT);
	case FTS_DC:
		/* A directory that is also mounted below itself. */
		return nothing(SET_NOTHING);
	default:
		return nothing(SET_SKIPPED);
	}
}

static void add(struct tree *tree, const struct set_result *result)
{
	tally_add(&tree->tally, result);
	tree->status = tool_worse(tree->status, result->status);
}

/* A directory that the walk was in has been moved elsewhere; or no memory. */
static struct set_result ended_early(const struct tree *tree, const char *path,
				     int error)
{
	static char why[128];

	snprintf(why, sizeof(why), "walk ended early: %s", strerror(error));
	return apply_failed(tree->opt, path, why);
}

static void walk(struct tree *tree)
{
	struct set_result result;
	FTSENT *ent;

	while ((ent = fts_read(tree->fts))) {
		if (ent->fts_info == FTS_DP)
			continue;
		result = visit(tree, ent);
		add(tree, &result);
		if (is_first_visit(ent))
			progress_step(result.outcome == SET_REFUSED);
	}
}

static void set_tree(struct tree *tree, char *path)
{
	struct set_result result;

	tree->fts = tree_open(path, 0);
	if (!tree->fts) {
		result = apply_failed(tree->opt, path, strerror(errno));
		add(tree, &result);
		return;
	}
	walk(tree);
	/* It was zero at the end of the tree. */
	if (errno) {
		result = ended_early(tree, path, errno);
		add(tree, &result);
	}
	tree_close(tree->fts);
}

static bool can_enter(const FTSENT *ent)
{
	const char *why;
	struct stat st;
	int fd = file_open(ent->fts_accpath, &st, &why);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/*
 * Takes the same way as the walk proper. It reads names only, which is little
 * beside the work that follows.
 */
static void count_tree(char *path)
{
	FTS *fts = tree_open(path, FTS_NOSTAT);
	FTSENT *ent;

	if (!fts)
		return;
	while ((ent = fts_read(fts))) {
		if (ent->fts_level == FTS_ROOTLEVEL && ent->fts_info == FTS_D &&
		    !can_enter(ent))
			fts_set(fts, ent, FTS_SKIP);
		if (is_first_visit(ent))
			progress_step(false);
	}
	tree_close(fts);
}

/**
 * tree_set - switch all files in trees, set the flag of all directories
 * @opt: the command line
 * @paths: the trees, ending with NULL; symbolic links are followed here only
 *
 * A directory comes before what is in it: what is made there meanwhile
 * inherits its flag. Ends with a summary on stdout, unless quiet.
 *
 * Return: enum tool_status.
 */
int tree_set(const struct set_options *opt, char *const *paths)
{
	struct tree tree = { .opt = opt, .status = TOOL_OK };
	char *const *path;

	if (!opt->quiet && progress_begin()) {
		for (path = paths; *path; path++)
			count_tree(*path);
		progress_counted();
	}
	for (path = paths; *path; path++)
		set_tree(&tree, *path);
	progress_end();
	if (!opt->quiet)
		tally_print(&tree.tally, opt->mode);
	tally_free(&tree.tally);
	return tree.status;
}
