// SPDX-License-Identifier: GPL-2.0
/*
 * Where else the lower filesystem of a file is mounted.
 */
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
 * @out: where the text goes
 * @dev: of the lower filesystem
 * @count: how many mounts
 */
struct found {
	FILE *out;
	dev_t dev;
	unsigned int count;
};

/* Anybody can mount something in a namespace of his own, on any name. */
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
 * elsewhere - where else the lower filesystem is mounted
 * @fd: an open file on a daxstack mount
 *
 * Return: the places, to be freed; NULL if none is found.
 */
char *elsewhere(int fd)
{
	struct daxstack_state state;
	struct found found = { .count = 0 };
	char *text = NULL;
	size_t size;

	if (ioctl(fd, DAXSTACK_IOC_STATE, &state) < 0)
		return NULL;
	found.dev = makedev(state.lower_major, state.lower_minor);
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
