// SPDX-License-Identifier: GPL-2.0-only
/*
 * Path lookup below a directory, in a tree that its owners may rename and replace
 * during the lookup. For save and restore.
 *
 * openat2(2) resolves each path in the kernel, without symbolic links. On a daxstack
 * mount the lookup crosses no mount point, as in 'set --recursive'. The directory of
 * the last path stays open, because consecutive paths mostly share it.
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
 * resolver_open - open the directory to look up paths in
 * @resolver: with @anywhere set; the rest is filled in
 * @root: name of the directory
 *
 * Return: false if it cannot be opened; the error was printed.
 */
bool resolver_open(struct resolver *resolver, const char *root)
{
	resolver->dir = -1;
	resolver->dir_name = NULL;
	resolver->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (resolver->root >= 0)
		return true;
	warn("%s", name_shown(root));
	return false;
}

/* Is ".." one of the components? */
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
 * resolver_forbids - check whether a path may be looked up
 * @resolver: where it would be looked up
 * @name: the path
 *
 * Return: NULL if it may be, else the reason.
 */
const char *resolver_forbids(const struct resolver *resolver, const char *name)
{
	if (resolver->anywhere)
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

/* @stays: do not leave the filesystem that @dir is on. */
static int open_below(const struct resolver *resolver, int dir, bool stays,
		      const char *name, int flags)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | flags,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	int fd;

	if (!resolver->anywhere)
		how.resolve |= RESOLVE_BENEATH;
	if (stays)
		how.resolve |= RESOLVE_NO_XDEV;
	fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/*
 * Open the directory @name. The path may be longer than PATH_MAX and is then resolved
 * in several calls.
 */
static int open_directory(const struct resolver *resolver, char *name)
{
	int dir = fcntl(resolver->root, F_DUPFD_CLOEXEC, 0);
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
		below = open_below(resolver, dir, is_stack(dir), name,
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

/* Make @dir the directory named by the first @len bytes of @name. */
static int go_to(struct resolver *resolver, const char *name, size_t len)
{
	int error;

	if (resolver->dir >= 0 && strlen(resolver->dir_name) == len &&
	    !memcmp(resolver->dir_name, name, len))
		return 0;
	if (resolver->dir >= 0)
		close(resolver->dir);
	free(resolver->dir_name);
	resolver->dir_name = must(strndup(name, len));
	resolver->dir = open_directory(resolver, resolver->dir_name);
	if (resolver->dir < 0)
		return resolver->dir;
	error = file_identify(resolver->dir, &resolver->dir_id);
	if (!error) {
		resolver->stays = is_stack(resolver->dir);
		return 0;
	}
	close(resolver->dir);
	resolver->dir = -1;
	return error;
}

/**
 * resolver_look - look up a path without opening the file
 * @resolver: where to look it up
 * @name: a path that passes resolver_forbids()
 * @id: filled in
 *
 * Sets @resolver->dir_id to the directory of the file.
 *
 * Return: an O_PATH descriptor for the caller to close, or a negative errno.
 */
int resolver_look(struct resolver *resolver, const char *name,
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
	error = go_to(resolver, own, last - own);
	look = error;
	if (!error)
		look = open_below(resolver, resolver->dir, resolver->stays,
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
 * resolver_error - the message for an error of resolver_look()
 * @error: an errno
 */
const char *resolver_error(int error)
{
	switch (error) {
	case ELOOP:
		return "a component is a symbolic link, which is not followed";
	case EXDEV:
		return "on another filesystem, or a mount point";
	default:
		return strerror(error);
	}
}

/**
 * resolver_close - release what resolver_open() acquired
 * @resolver: not usable afterwards
 */
void resolver_close(struct resolver *resolver)
{
	if (resolver->dir >= 0)
		close(resolver->dir);
	close(resolver->root);
	free(resolver->dir_name);
}
