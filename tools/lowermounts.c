// SPDX-License-Identifier: GPL-2.0-only
/* Find other mounts of the lower filesystem of a file, in all mount namespaces. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "daxstack.h"
#include "tool.h"
#include "who.h"

#define SHOWN_MAX	4

/**
 * struct found - the mounts found so far
 * @out: the text
 * @dev: device number of the lower filesystem
 * @count: number of mounts
 */
struct found {
	FILE *out;
	dev_t dev;
	unsigned int count;
};

/* Unprivileged users choose mount points in their own namespaces: escape control characters. */
static void put_printable(FILE *out, const char *text)
{
	for (; *text; text++)
		putc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

static void put_space(FILE *out, const struct mount_space *space)
{
	char *command;

	if (space->own)
		return;
	command = process_command(space->proc);
	fprintf(out, " (as process %d, ", space->pid);
	put_printable(out, command);
	fprintf(out, ", sees it in mount namespace mnt:[%llu])",
		(unsigned long long)space->ns);
	free(command);
}

static void look_in(const struct mount_space *space, void *data)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct found *found = data;
	struct libmnt_fs *fs;
	const char *type;

	while (iter && !mnt_table_next_fs(space->table, iter, &fs)) {
		type = mnt_fs_get_fstype(fs);
		/* Mounts of the stack have the same device number. */
		if (mnt_fs_get_devno(fs) != found->dev ||
		    (type && !strcmp(type, "daxstack")) ||
		    found->count++ >= SHOWN_MAX)
			continue;
		if (found->count > 1)
			fputs(", ", found->out);
		put_printable(found->out, mnt_fs_get_target(fs));
		put_space(found->out, space);
	}
	mnt_free_iter(iter);
}

/**
 * lower_mounts - list the mounts of a lower filesystem
 * @dev: its device number, as in mountinfo
 *
 * Return: the mount points, to be freed; NULL if there are none.
 */
char *lower_mounts(dev_t dev)
{
	struct found found = { .dev = dev };
	char *text = NULL;
	size_t size;

	found.out = open_memstream(&text, &size);
	if (!found.out)
		return NULL;
	mounts_visit(look_in, &found);
	if (found.count > SHOWN_MAX)
		fprintf(found.out, ", and %u more", found.count - SHOWN_MAX);
	fclose(found.out);
	if (!found.count) {
		free(text);
		text = NULL;
	}
	return text;
}

/**
 * lower_mounts_of - list the mounts of the lower filesystem of a file
 * @fd: an open file on a daxstack mount
 *
 * Return: the mount points, to be freed; NULL if there are none.
 */
char *lower_mounts_of(int fd)
{
	struct daxstack_state state;

	if (ioctl(fd, DAXSTACK_IOC_STATE, &state) < 0)
		return NULL;
	return lower_mounts(makedev(state.lower_major, state.lower_minor));
}
