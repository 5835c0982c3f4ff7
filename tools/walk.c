// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tree traversal for set, status, save and who --recursive, in a tree that its owners
 * may change meanwhile.
 *
 * The walk uses descriptors: it stays in a directory that is renamed. In a deep tree
 * not all descriptors stay open. To return to a closed level, the walk tries ".." of
 * the directory below, then the names from the top. If both fail, the directory was
 * moved, and the rest of it is skipped, but not its siblings.
 *
 * Entries are visited as they are read, so that memory does not grow with the size of a
 * directory.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "set.h"
#include "tool.h"

enum {
	KEEP_TOP = 16,		/* levels kept open at the top, where owners differ */
	KEEP_BOTTOM = 16,	/* levels kept open at the bottom, where the walk is */
	DEPTH_MAX = 65536,	/* memory limit; deeper trees are skipped */
};

/**
 * struct level - a directory on the path of the walk
 * @dir: open, at the next entry; NULL if it was closed
 * @id: identity of the directory
 * @len: length of its path
 * @pos: position of the next entry, while @dir is NULL
 */
struct level {
	DIR *dir;
	struct file_id id;
	size_t len;
	long pos;
};

/**
 * struct walk - a traversal
 * @ops: callbacks
 * @data: for @ops
 * @top: the operand
 * @owners: 1 if the mount shows owners unmapped, 0 if not, -1: unknown
 * @ino: inode number of the current entry, from its directory
 * @path: path of the current entry
 * @size: allocated size of @path
 * @levels: from the operand down
 * @depth: number of @levels
 * @allocated: allocated number of @levels
 */
struct walk {
	const struct walk_ops *ops;
	void *data;
	struct file_id top;
	int owners;
	uint64_t ino;
	char *path;
	size_t size;
	struct level *levels;
	size_t depth;
	size_t allocated;
};

/**
 * walk_path - path of the current entry, starting with the operand
 * @walk: the walk
 */
const char *walk_path(const struct walk *walk)
{
	return walk->path;
}

/**
 * walk_data - the data given to walk_tree()
 * @walk: the walk
 */
void *walk_data(const struct walk *walk)
{
	return walk->data;
}

/**
 * walk_may_enter - whether a file belongs to the tree and is not a mount point
 * @walk: the walk
 * @id: of the file
 */
bool walk_may_enter(const struct walk *walk, const struct file_id *id)
{
	return id->dev == walk->top.dev && id->mnt == walk->top.mnt;
}

/* On an idmapped mount, files of other users may appear to belong to the caller or root. */
static bool shows_owners(uint64_t mnt)
{
	struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	bool shows = false;

	while (table && iter && !mnt_table_next_fs(table, iter, &fs)) {
		if ((uint64_t)mnt_fs_get_id(fs) != mnt)
			continue;
		shows = mnt_fs_get_vfs_options(fs) &&
			mnt_fs_match_options(fs, "noidmapped");
		break;
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
	return shows;
}

/**
 * walk_may_trust - whether the current entry still is what its directory has recorded
 * @walk: the walk
 * @id: set to inode number and filesystem of the entry, if it is
 *
 * True if only the caller and root can replace the entry. Others could put a FIFO or a
 * device there, whose open has side effects.
 *
 * Return: false if another user can replace it.
 */
bool walk_may_trust(struct walk *walk, struct file_id *id)
{
	const struct level *level = &walk->levels[walk->depth - 1];

	/* With an ACL, the group bits are the mask, the maximum that the ACL grants. */
	if ((level->id.uid && level->id.uid != geteuid()) ||
	    level->id.mode & 0022)
		return false;
	if (walk->owners < 0)
		walk->owners = shows_owners(walk->top.mnt);
	*id = (struct file_id){
		.mode = S_IFREG,
		.dev = level->id.dev,
		.ino = walk->ino,
	};
	return walk->owners;
}

static void set_path(struct walk *walk, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len + 1 + name_len >= walk->size) {
		walk->size = 2 * (len + 1 + name_len + 1);
		walk->path = realloc(walk->path, walk->size);
		if (!walk->path)
			err(TOOL_FAILED, "path");
	}
	if (len && name_len && walk->path[len - 1] != '/')
		walk->path[len++] = '/';
	memcpy(walk->path + len, name, name_len + 1);
}

static void lost(struct walk *walk, size_t len, const char *why)
{
	walk->path[len] = 0;
	walk->ops->lost(walk, why);
}

static int open_directory(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static bool is_level(int fd, const struct level *level)
{
	struct file_id id;

	return !file_identify(fd, &id) && file_is_same(&id, &level->id);
}

/* Consumes @fd. */
static int reopen_level(struct level *level, int fd)
{
	level->dir = fdopendir(fd);
	if (!level->dir) {
		int error = errno;

		close(fd);
		return -error;
	}
	seekdir(level->dir, level->pos);
	return 0;
}

/* Close levels that are not needed for now. */
static void close_some(struct walk *walk)
{
	struct level *level;

	if (walk->depth <= KEEP_TOP + KEEP_BOTTOM)
		return;
	level = &walk->levels[walk->depth - 1 - KEEP_BOTTOM];
	if (!level->dir)
		return;
	level->pos = telldir(level->dir);
	closedir(level->dir);
	level->dir = NULL;
}

/* Consumes @fd, an open directory whose path is walk_path(). */
static void enter(struct walk *walk, int fd)
{
	struct level level = { .len = strlen(walk->path) };
	int error;

	error = walk->depth < DEPTH_MAX ? -file_identify(fd, &level.id) :
					  ENAMETOOLONG;
	if (!error) {
		level.dir = fdopendir(fd);
		error = level.dir ? 0 : errno;
	}
	if (error) {
		close(fd);
		lost(walk, level.len, strerror(error));
		return;
	}
	if (walk->depth == walk->allocated) {
		walk->allocated = 2 * walk->allocated + KEEP_TOP;
		walk->levels = reallocarray(walk->levels, walk->allocated,
					    sizeof(level));
		if (!walk->levels)
			err(TOOL_FAILED, "walk");
	}
	walk->levels[walk->depth++] = level;
	close_some(walk);
}

/*
 * Follow the names from the deepest open level down to @wanted, as long as they lead to
 * the same directories as before.
 *
 * Return: the number of levels found; the last of them is open.
 */
static size_t go_down(struct walk *walk, size_t wanted, const char **why)
{
	size_t i = wanted - 1;
	struct file_id id;
	int fd, next;

	while (!walk->levels[i].dir)
		i--;
	fd = dup(dirfd(walk->levels[i].dir));
	if (fd < 0)
		err(TOOL_FAILED, "walk");
	for (*why = NULL; ++i < wanted; fd = next) {
		char *name = walk->path + walk->levels[i - 1].len;
		char *end = walk->path + walk->levels[i].len;
		char after = *end;

		*end = 0;
		next = file_look(fd, name + strspn(name, "/"), O_NOFOLLOW, &id);
		*end = after;
		if (next >= 0 && file_is_same(&id, &walk->levels[i].id)) {
			close(fd);
			continue;
		}
		*why = next >= 0 || next == -ENOENT ?
			"the rest of the directory is skipped: it was moved" :
			strerror(-next);
		if (next >= 0)
			close(next);
		break;
	}
	if (walk->levels[i - 1].dir) {
		close(fd);
		return i;
	}
	next = open_directory(fd, ".");
	close(fd);
	next = next < 0 ? next : reopen_level(&walk->levels[i - 1], next);
	if (!next)
		return i;
	*why = strerror(-next);
	return i - 1;
}

/* Reopen the parent level of @below, which the walk is leaving and which is still open. */
static void regain(struct walk *walk, int below)
{
	struct level *level = &walk->levels[walk->depth - 1];
	const char *why;
	size_t found;
	int fd;

	if (level->dir)
		return;
	fd = open_directory(below, "..");
	if (fd >= 0 && !is_level(fd, level)) {
		close(fd);
		fd = -ESTALE;
	}
	if (fd >= 0 && !reopen_level(level, fd))
		return;
	do {
		found = go_down(walk, walk->depth, &why);
		if (found == walk->depth)
			return;
		lost(walk, walk->levels[found].len, why);
		walk->depth = found;
	} while (!walk->levels[found - 1].dir);
}

static void leave(struct walk *walk)
{
	DIR *dir = walk->levels[--walk->depth].dir;

	if (walk->depth)
		regain(walk, dirfd(dir));
	closedir(dir);
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Visit the next entry of the current directory, or leave it. */
static void step(struct walk *walk)
{
	struct level *level = &walk->levels[walk->depth - 1];
	struct dirent *entry;
	int fd;

	errno = 0;
	entry = readdir(level->dir);
	if (!entry) {
		if (errno)
			lost(walk, level->len, strerror(errno));
		leave(walk);
		return;
	}
	if (is_dot(entry->d_name))
		return;
	set_path(walk, level->len, entry->d_name);
	walk->ino = entry->d_ino;
	fd = walk->ops->entry(walk, dirfd(level->dir), entry->d_name,
			      entry->d_type);
	if (fd >= 0)
		enter(walk, fd);
}

/**
 * walk_tree - visit everything below a directory
 * @ops: callbacks
 * @data: for walk_data()
 * @path: name of the directory
 * @dir: the directory, open for reading; consumed
 *
 * A directory is visited before its entries. A signal ends the walk early.
 */
void walk_tree(const struct walk_ops *ops, void *data, const char *path,
	       int dir)
{
	struct walk walk = { .ops = ops, .data = data, .owners = -1 };

	set_path(&walk, 0, path);
	if (file_identify(dir, &walk.top) < 0)
		err(TOOL_FAILED, "walk");
	enter(&walk, dir);
	while (walk.depth && !signals_ended())
		step(&walk);
	while (walk.depth--)
		if (walk.levels[walk.depth].dir)
			closedir(walk.levels[walk.depth].dir);
	free(walk.levels);
	free(walk.path);
}
