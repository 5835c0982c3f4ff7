// SPDX-License-Identifier: GPL-2.0-only
/* Find the mounts to show or record heat of. */
#include <err.h>
#include <libmount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "heatmounts.h"
#include "stacks.h"
#include "tool.h"

static char *copy(const char *text)
{
	char *copied = strdup(text ?: "");

	if (!copied)
		err(TOOL_FAILED, "mounts");
	return copied;
}

/**
 * heat_mount_point - find the mount point above a path
 * @path: of an existing file
 *
 * Return: allocated; a copy of @path if it is not found.
 */
char *heat_mount_point(const char *path)
{
	char *real = realpath(path, NULL), *target;
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_fs *fs = NULL;

	if (real && table)
		fs = mnt_table_find_mountpoint(table, real, MNT_ITER_BACKWARD);
	target = copy(fs ? mnt_fs_get_target(fs) : path);
	mnt_unref_table(table);
	free(real);
	return target;
}

static bool is_stack(struct libmnt_fs *fs)
{
	const char *type = mnt_fs_get_fstype(fs);

	return type && !strcmp(type, "daxstack");
}

static bool is_known(const dev_t *devs, size_t nr, dev_t dev)
{
	while (nr)
		if (devs[--nr] == dev)
			return true;
	return false;
}

/**
 * heat_mount_points - find all daxstack mounts
 * @targets: set to mount points, one per filesystem; array and strings are allocated
 *
 * Return: number of mounts.
 */
size_t heat_mount_points(char ***targets)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	dev_t *devs = NULL;
	size_t nr = 0;

	*targets = NULL;
	while (table && iter && !mnt_table_next_fs(table, iter, &fs)) {
		if (!is_stack(fs) || is_known(devs, nr, mnt_fs_get_devno(fs)))
			continue;
		devs = reallocarray(devs, nr + 1, sizeof(*devs));
		*targets = reallocarray(*targets, nr + 1, sizeof(**targets));
		if (!devs || !*targets)
			err(TOOL_FAILED, "mounts");
		devs[nr] = mnt_fs_get_devno(fs);
		(*targets)[nr++] = copy(mnt_fs_get_target(fs));
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
	free(devs);
	return nr;
}

/**
 * heat_mount_lower - find the lower filesystem of a mount
 * @target: mount point
 * @lower: set to the type of the lower filesystem, "" if unknown; allocated
 * @device: set to its block device, likewise
 */
void heat_mount_lower(const char *target, char **lower, char **device)
{
	const struct stack *stack = NULL;
	char type[32] = "";
	struct stack *stacks;
	struct stat st;
	size_t count;

	stacks_read(&stacks, &count);
	if (!stat(target, &st))
		stack = stacks_find(stacks, count, st.st_dev);
	if (stack)
		stack_text(stack, "lower_type", type, sizeof(type));
	*lower = copy(type);
	*device = copy(stack ? stack->device : NULL);
	stacks_free(stacks, count);
}
