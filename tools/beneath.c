// SPDX-License-Identifier: GPL-2.0
/*
 * Names that lead nowhere but down from a directory, in a tree whose owners
 * rename and replace as they like meanwhile.
 *
 * openat2(2) goes down by the kernel's own lookup, and follows no symbolic link.
 * Where the directory is on a daxstack mount, nothing that is mounted below it is
 * entered, as by 'set --recursive'. The directory of the last name stays open:
 * most names are in the same as the one before.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "modes.h"
#include "tool.h"

static void *must(void *memory)
{
	if (!memory)
		err(TOOL_FAILED, "name");
	return memory;
}

/**
 * beneath_open - begin to look up names
 * @beneath: with @anywhere set; filled in
 * @root: the directory that they are in
 *
 * Return: false if it cannot be opened, which was told.
 */
bool beneath_open(struct beneath *beneath, const char *root)
{
	beneath->dir = -1;
	beneath->dir_name = NULL;
	beneath->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (beneath->root >= 0)
		return true;
	warn("%s", name_shown(root));
	return false;
}

/* Is one of the names in a path ".."? */
static bool goes_up(const char *path)
{
	const char *part = path;

	while ((part = strstr(part, ".."))) {
		if ((part == path || part[-1] == '/') &&
		    (!part[2] || part[2] == '/'))
			return true;
		part += 2;
	}
	return false;
}

/**
 * beneath_forbids - why a name is not looked up
 * @beneath: where it would be
 * @name: the name
 *
 * Return: NULL if it is.
 */
const char *beneath_forbids(const struct beneath *beneath, const char *name)
{
	if (beneath->anywhere)
		return NULL;
	if (*name == '/')
		return "an absolute name (see --absolute-names)";
	if (goes_up(name))
		return "a name with '..' (see --absolute-names)";
	return NULL;
}

static bool is_stack(int dir)
{
	struct file_id id;

	return !file_identify(dir, &id) && !file_foreign(dir, &id);
}

/* @stays: on the filesystem that @dir is on. */
static int open_below(const struct beneath *beneath, int dir, bool stays,
		      const char *name, int flags)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | flags,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	int fd;

	if (!beneath->anywhere)
		how.resolve |= RESOLVE_BENEATH;
	if (stays)
		how.resolve |= RESOLVE_NO_XDEV;
	fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/*
 * The directory @name, which may be longer than what one call takes: by as many
 * parts as it needs.
 */
static int open_directory(const struct beneath *beneath, char *name)
{
	int dir = fcntl(beneath->root, F_DUPFD_CLOEXEC, 0);
	char *end, after;
	int below;

	if (dir >= 0 && *name == '/') {
		close(dir);
		dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (dir < 0)
		return -errno;
	while (*(name += strspn(name, "/"))) {
		end = name + strnlen(name, PATH_MAX - 1);
		while (*end && *end != '/' && end > name)
			end--;
		if (end == name) {
			close(dir);
			return -ENAMETOOLONG;
		}
		after = *end;
		*end = 0;
		below = open_below(beneath, dir, is_stack(dir), name,
				   O_DIRECTORY);
		*end = after;
		close(dir);
		if (below < 0)
			return below;
		dir = below;
		name = end;
	}
	return dir;
}

/* Makes @dir the directory whose name is the first @len bytes of @name. */
static int go_to(struct beneath *beneath, const char *name, size_t len)
{
	int error;

	if (beneath->dir >= 0 && strlen(beneath->dir_name) == len &&
	    !memcmp(beneath->dir_name, name, len))
		return 0;
	if (beneath->dir >= 0)
		close(beneath->dir);
	free(beneath->dir_name);
	beneath->dir_name = must(strndup(name, len));
	beneath->dir = open_directory(beneath, beneath->dir_name);
	if (beneath->dir < 0)
		return beneath->dir;
	error = file_identify(beneath->dir, &beneath->dir_id);
	if (!error) {
		beneath->stays = is_stack(beneath->dir);
		return 0;
	}
	close(beneath->dir);
	beneath->dir = -1;
	return error;
}

/**
 * beneath_look - find out what a name stands for, without opening it
 * @beneath: where it is looked up
 * @name: beneath_forbids() it not
 * @id: filled in
 *
 * @beneath->dir_id is the directory that it is in then.
 *
 * Return: an O_PATH descriptor for the caller to close, or a negative errno.
 */
int beneath_look(struct beneath *beneath, const char *name,
		 struct file_id *id)
{
	size_t len = strlen(name);
	const char *last;
	char *own;
	int look;
	int error;

	/* "dir/" is dir. */
	while (len > 1 && name[len - 1] == '/')
		len--;
	own = must(strndup(name, len));
	last = strrchr(own, '/');
	last = last ? last + 1 : own;
	/* "/" alone, "." and "..": the directory itself. */
	if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
		last = own + len;
	error = go_to(beneath, own, last - own);
	look = error;
	if (!error)
		look = open_below(beneath, beneath->dir, beneath->stays,
				  *last ? last : ".", 0);
	free(own);
	if (look < 0)
		return look;
	error = file_identify(look, id);
	if (!error)
		return look;
	close(look);
	return error;
}

/**
 * beneath_why - why beneath_look() did not find it
 * @error: an errno
 */
const char *beneath_why(int error)
{
	switch (error) {
	case ELOOP:
		return "there is a symbolic link in the name, which is not followed";
	case EXDEV:
		return "it leads to another filesystem, or is mounted there";
	default:
		return strerror(error);
	}
}

/**
 * beneath_close - end what beneath_open() began
 * @beneath: not used again
 */
void beneath_close(struct beneath *beneath)
{
	if (beneath->dir >= 0)
		close(beneath->dir);
	close(beneath->root);
	free(beneath->dir_name);
}
