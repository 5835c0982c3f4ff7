// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack auto --explain: identify a file in the way the daemon does: by mount point,
 * relative path, and inode.
 */
#include <errno.h>
#include <libmount.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "daxstack.h"
#include "file.h"
#include "tool.h"

static bool fail(char *err, size_t len, const char *name, const char *why)
{
	snprintf(err, len, "%s: %s", name_shown(name), why);
	return false;
}

static bool look_at_inode(struct subject *subject, int fd, const char *name, char *err,
			  size_t len)
{
	struct daxstack_state state;
	struct stat st;
	int generation;

	if (fstat(fd, &st) < 0 || ioctl(fd, DAXSTACK_IOC_STATE, &state) < 0)
		return fail(err, len, name, strerror(errno));
	if (ioctl(fd, FS_IOC_GETVERSION, &generation) < 0)
		return fail(err, len, name, strerror(errno));
	subject->ino = st.st_ino;
	subject->generation = (uint32_t)generation;
	subject->uid = st.st_uid;
	subject->size = (uint64_t)st.st_size;
	subject->mode = state.mode;
	subject->reason = state.reason;
	return true;
}

/* Return: the path relative to @dir, NULL if it is not below @dir. */
static const char *below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1)
		return path + 1;
	if (strncmp(path, dir, len) || path[len] != '/')
		return NULL;
	return path + len + 1;
}

/* Add a mount of the whole filesystem, by which the daemon may know it. */
static bool add_target(struct subject *subject, struct libmnt_fs *fs)
{
	char **targets = reallocarray(subject->targets, subject->nr_targets + 1,
				      sizeof(*targets));

	if (!targets)
		return false;
	subject->targets = targets;
	targets[subject->nr_targets] = strdup(mnt_fs_get_target(fs));
	return targets[subject->nr_targets] && ++subject->nr_targets;
}

/* If the mount shows a subdirectory of the filesystem, prepend that. */
static char *path_of(struct libmnt_fs *fs, const char *absolute)
{
	const char *root = mnt_fs_get_root(fs), *target = mnt_fs_get_target(fs);
	const char *rest = target ? below(absolute, target) : NULL;
	char *path;

	if (!rest || !root)
		return NULL;
	if (!strcmp(root, "/"))
		return strdup(rest);
	return asprintf(&path, "%s/%s", root + 1, rest) < 0 ? NULL : path;
}

static void look_at_mounts(struct subject *subject, struct libmnt_table *table,
			   const struct file_id *id, const char *absolute)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_BACKWARD);
	struct libmnt_fs *fs;
	const char *root;

	while (iter && !mnt_table_next_fs(table, iter, &fs)) {
		if (mnt_fs_get_devno(fs) != id->dev)
			continue;
		if (!subject->path && (!id->mnt || (uint64_t)mnt_fs_get_id(fs) == id->mnt))
			subject->path = path_of(fs, absolute);
		root = mnt_fs_get_root(fs);
		if (root && !strcmp(root, "/"))
			add_target(subject, fs);
	}
	mnt_free_iter(iter);
}

static bool find_mounts(struct subject *subject, int fd, const struct file_id *id,
			const char *name, char *err, size_t len)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	char absolute[PATH_MAX], link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, absolute, sizeof(absolute) - 1);
	if (!table || n <= 0) {
		mnt_unref_table(table);
		return fail(err, len, name, NO_PROC_TEXT);
	}
	absolute[n] = 0;
	look_at_mounts(subject, table, id, absolute);
	mnt_unref_table(table);
	if (subject->path && subject->nr_targets)
		return true;
	return fail(err, len, name,
		    "the root of its filesystem is not mounted in this mount namespace");
}

/**
 * subject_look - identify a file
 * @subject: filled in
 * @name: a path
 * @err: on failure set to the cause
 * @len: size of @err
 *
 * Call subject_free() also on failure.
 */
bool subject_look(struct subject *subject, const char *name, char *err, size_t len)
{
	struct file_id id;
	const char *why;
	int look, fd;
	bool ok;

	*subject = (struct subject){ .path = NULL };
	look = file_look(AT_FDCWD, name, 0, &id);
	if (look < 0)
		return fail(err, len, name, strerror(-look));
	why = file_foreign(look, &id);
	if (!why && !S_ISREG(id.mode))
		why = reason_text(DAXSTACK_REASON_NOT_REGULAR);
	if (why) {
		close(look);
		return fail(err, len, name, why);
	}
	fd = file_open(look, &id);
	close(look);
	if (fd < 0)
		return fail(err, len, name, fd == -EWOULDBLOCK ? LEASE_TEXT :
						    strerror(-fd));
	ok = look_at_inode(subject, fd, name, err, len) &&
		find_mounts(subject, fd, &id, name, err, len);
	close(fd);
	return ok;
}

/**
 * subject_free - free what subject_look() has filled in
 * @subject: the file
 */
void subject_free(struct subject *subject)
{
	size_t i;

	for (i = 0; i < subject->nr_targets; i++)
		free(subject->targets[i]);
	free(subject->targets);
	free(subject->path);
}
