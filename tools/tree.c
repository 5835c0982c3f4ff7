// SPDX-License-Identifier: GPL-2.0-only
/* daxstack set --recursive: switch all files in trees. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "set.h"
#include "tool.h"

/**
 * struct tree - results for trees
 * @opt: the command line
 * @summary: summary of the results
 * @status: the worst status so far
 */
struct tree {
	const struct set_options *opt;
	struct summary summary;
	int status;
};

static struct set_result nothing(enum set_outcome outcome)
{
	return (struct set_result){ .outcome = outcome };
}

static void add(struct tree *tree, const char *path,
		const struct set_result *result)
{
	report(tree->opt, path, result);
	summary_add(&tree->summary, result);
	tree->status = tool_worse(tree->status, result->status);
}

/* Decide by the type in the directory entry; DT_UNKNOWN means not recorded. */
static bool may_have_flag(unsigned char type)
{
	return type == DT_REG || type == DT_DIR || type == DT_UNKNOWN;
}

static struct set_result set_looked_at(const struct tree *tree,
				       struct walk *walk, int look,
				       const struct file_id *id, int *opened)
{
	if (!walk_may_enter(walk, id))
		return nothing(SET_ELSEWHERE);
	if (!file_has_ioctls(id))
		return nothing(SET_SKIPPED);
	return apply(tree->opt, walk_path(walk), look, id,
		     S_ISDIR(id->mode) ? opened : NULL);
}

static struct set_result set_named(const struct tree *tree, struct walk *walk,
				   int dir, const char *name, int *opened)
{
	struct set_result result;
	struct file_id id;
	int look = file_look(dir, name, O_NOFOLLOW, &id);

	/* The file was removed after its name was read. */
	if (look == -ENOENT)
		return nothing(SET_NOTHING);
	if (look < 0)
		return apply_failed(tree->opt, walk_path(walk),
				    strerror(-look), -look);
	result = set_looked_at(tree, walk, look, &id, opened);
	close(look);
	return result;
}

static int set_entry(struct walk *walk, int dir, const char *name,
		     unsigned char type)
{
	struct tree *tree = walk_data(walk);
	struct set_result result = nothing(SET_SKIPPED);
	int opened = -1;

	if (may_have_flag(type))
		result = set_named(tree, walk, dir, name, &opened);
	add(tree, walk_path(walk), &result);
	progress_step(result.outcome == SET_REFUSED);
	return opened;
}

static void set_lost(struct walk *walk, const char *why)
{
	struct tree *tree = walk_data(walk);
	struct set_result result = apply_failed(tree->opt, walk_path(walk),
						why, 0);

	add(tree, walk_path(walk), &result);
}

static struct set_result set_operand(struct tree *tree, const char *path,
				     int *opened)
{
	struct set_result result;
	struct file_id id;
	int look = file_look(AT_FDCWD, path, 0, &id);
	const char *why;

	if (look < 0)
		return apply_failed(tree->opt, path, strerror(-look), -look);
	why = file_foreign(look, &id);
	if (why)
		result = apply_failed(tree->opt, path, why, 0);
	else if (!file_has_ioctls(&id))
		result = nothing(SET_SKIPPED);
	else
		result = apply(tree->opt, path, look, &id,
			       S_ISDIR(id.mode) ? opened : NULL);
	close(look);
	return result;
}

static void set_tree(struct tree *tree, const char *path)
{
	static const struct walk_ops ops = {
		.entry = set_entry,
		.lost = set_lost,
	};
	int dir = -1;
	struct set_result result = set_operand(tree, path, &dir);

	add(tree, path, &result);
	progress_step(result.outcome == SET_REFUSED);
	if (dir >= 0)
		walk_tree(&ops, tree, path, dir);
}

/* --- Count the files in advance, for the progress bar. */

static int count_entry(struct walk *walk, int dir, const char *name,
		       unsigned char type)
{
	struct file_id id;
	int fd = -1;
	int look;

	progress_step(false);
	if (type != DT_DIR && type != DT_UNKNOWN)
		return -1;
	look = file_look(dir, name, O_NOFOLLOW, &id);
	if (look < 0)
		return -1;
	if (S_ISDIR(id.mode) && walk_may_enter(walk, &id))
		fd = file_open(look, &id);
	close(look);
	return fd;
}

static void count_lost(struct walk *walk, const char *why)
{
	(void)walk;
	(void)why;
}

/* Reads names only, which is cheap compared with the switches. */
static void count_tree(const char *path)
{
	static const struct walk_ops ops = {
		.entry = count_entry,
		.lost = count_lost,
	};
	struct file_id id;
	int look = file_look(AT_FDCWD, path, 0, &id);
	int dir = -1;

	progress_step(false);
	if (look < 0)
		return;
	if (S_ISDIR(id.mode) && !file_foreign(look, &id))
		dir = file_open(look, &id);
	close(look);
	if (dir >= 0)
		walk_tree(&ops, NULL, path, dir);
}

/**
 * tree_set - switch all files in trees, set the flag of all directories
 * @opt: the command line
 * @names: the trees; symbolic links are followed here only
 *
 * A directory is processed before its entries, so that files created meanwhile inherit
 * its flag. Ends with a summary on stdout, unless quiet, also if a signal ends it
 * early. If the names come from a file, their number is unknown and no progress is
 * shown.
 *
 * Return: enum tool_status.
 */
int tree_set(const struct set_options *opt, struct names *names)
{
	struct tree tree = { .opt = opt, .status = TOOL_OK };
	char *const *path;
	const char *name;

	if (!opt->quiet && !names->from && progress_begin()) {
		for (path = names->next; *path; path++)
			count_tree(*path);
		progress_counted();
	}
	while ((name = names_next(names)))
		set_tree(&tree, name);
	progress_end();
	if (!opt->quiet && !opt->json) {
		summary_print(&tree.summary, opt);
		if (signals_ended())
			puts("interrupted: the rest was not tried");
	}
	summary_free(&tree.summary);
	return tree.status;
}
