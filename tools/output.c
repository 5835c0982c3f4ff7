// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack calibrate: write the profile to a file, atomically: write a temporary file
 * in the same directory, then rename it.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calibrate.h"
#include "tool.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE	(1 << 0)
#endif

/**
 * struct place - the output file
 * @dir: descriptor of its directory, which renames do not affect
 * @name: name in the directory
 * @path: as given by the user
 * @replace: may replace an existing file
 */
struct place {
	int dir;
	const char *name;
	const char *path;
	bool replace;
};

static int complain(const struct place *place, int error)
{
	warnx("%s: %s", name_shown(place->path), strerror(error));
	if (error == EEXIST)
		warnx("remedy: choose another name, or replace the file with --force");
	return TOOL_FAILED;
}

/* Return: false after printing the error. */
static bool find(struct place *place, const char *path, bool replace)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash - path + 1) : strdup(".");

	if (!dir)
		err(TOOL_FAILED, "%s", name_shown(path));
	*place = (struct place){
		.name = slash ? slash + 1 : path,
		.path = path,
		.replace = replace,
	};
	place->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (place->dir >= 0 && *place->name)
		return true;
	complain(place, place->dir < 0 ? errno : EISDIR);
	if (place->dir >= 0)
		close(place->dir);
	return false;
}

/**
 * output_possible - check in advance whether a profile can be written
 * @path: the file
 * @replace: may replace an existing file
 *
 * Prints the error now rather than after the measurement.
 */
bool output_possible(const char *path, bool replace)
{
	struct place place;
	struct stat st;
	int error = 0;

	if (!find(&place, path, replace))
		return false;
	if (faccessat(place.dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		error = errno;
	else if (!fstatat(place.dir, place.name, &st, AT_SYMLINK_NOFOLLOW))
		error = !replace ? EEXIST : S_ISDIR(st.st_mode) ? EISDIR : 0;
	if (error)
		complain(&place, error);
	close(place.dir);
	return !error;
}

/* Return: a descriptor, or -1 with errno. @name has NAME_MAX + 1 bytes. */
static int make_temporary(const struct place *place, char *name)
{
	unsigned int try;
	int fd = -1;

	for (try = 0; try < 100; try++) {
		snprintf(name, NAME_MAX + 1, ".daxstack-%d-%u", getpid(), try);
		fd = openat(place->dir, name, O_WRONLY | O_CREAT | O_EXCL |
			    O_NOFOLLOW | O_CLOEXEC, 0666);
		if (fd >= 0 || errno != EEXIST)
			break;
	}
	return fd;
}

/* Closes @fd. Return: 0 or an errno. */
static int write_profile(int fd, const struct dxs_profile *profile)
{
	FILE *file = fdopen(fd, "w");
	int error = 0;

	if (!file) {
		error = errno;
		close(fd);
		return error;
	}
	errno = 0;
	if (dxs_profile_write(file, profile) < 0 || fflush(file) ||
	    fsync(fd) < 0)
		error = errno ?: EIO;
	if (fclose(file) && !error)
		error = errno;
	return error;
}

/* Return: 0 or an errno. */
static int rename_to(const struct place *place, const char *from)
{
	if (place->replace)
		return renameat(place->dir, from, place->dir, place->name) < 0 ?
			errno : 0;
	if (!syscall(SYS_renameat2, place->dir, from, place->dir, place->name,
		     RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	/* Some filesystems, such as NFS, do not support RENAME_NOREPLACE. */
	if (linkat(place->dir, from, place->dir, place->name, 0) < 0)
		return errno;
	unlinkat(place->dir, from, 0);
	return 0;
}

static int write_to(const struct place *place, const struct dxs_profile *profile)
{
	char name[NAME_MAX + 1];
	int fd = make_temporary(place, name);
	int error;

	if (fd < 0)
		return complain(place, errno);
	error = write_profile(fd, profile) ?: rename_to(place, name);
	if (error) {
		unlinkat(place->dir, name, 0);
		return complain(place, error);
	}
	/* EINVAL: the filesystem has no fsync of directories. */
	if (fsync(place->dir) < 0 && errno != EINVAL)
		return complain(place, errno);
	return TOOL_OK;
}

/**
 * output_write - write the profile to a file
 * @path: the file
 * @replace: may replace an existing file
 * @profile: the content
 *
 * Return: enum tool_status.
 */
int output_write(const char *path, bool replace,
		 const struct dxs_profile *profile)
{
	struct place place;
	sigset_t all, before;
	int status;

	if (!find(&place, path, replace))
		return TOOL_FAILED;
	/* A signal must not leave the temporary file behind. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	status = write_to(&place, profile);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(place.dir);
	return status;
}
