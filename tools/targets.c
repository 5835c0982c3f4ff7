// SPDX-License-Identifier: GPL-2.0-only
/* daxstack who: the set of files asked about (targets), and the table of their holders. */
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
#include "who.h"

#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT	0x2000
#endif

/**
 * who_grow - make room for one more element
 * @array: of @nr elements, or NULL
 * @nr: number of elements
 * @size: of an element
 *
 * Return: the array, which may have moved.
 */
void *who_grow(void *array, size_t nr, size_t size)
{
	/* The array is full whenever @nr is a power of two. */
	if (nr & (nr - 1))
		return array;
	array = reallocarray(array, nr ? 2 * nr : 1, size);
	if (!array)
		err(TOOL_FAILED, "who");
	return array;
}

static void add_target(struct who *who, dev_t dev, uint64_t ino, bool whole)
{
	who->targets = who_grow(who->targets, who->nr_targets,
				sizeof(*who->targets));
	who->targets[who->nr_targets++] = (struct who_target){
		.dev = dev, .ino = ino, .whole = whole,
	};
}

static void add_asked(struct who *who, dev_t dev, uint64_t mnt)
{
	if (who_is_asked(who, mnt))
		return;
	who->asked = who_grow(who->asked, who->nr_asked, sizeof(*who->asked));
	who->asked[who->nr_asked++] = (struct who_asked){
		.dev = dev, .mnt = mnt,
	};
}

/* --- Block devices. */

/**
 * struct device - a block device
 * @who: gets its mounts
 * @dev: device number
 * @found: it has a mount
 */
struct device {
	struct who *who;
	dev_t dev;
	bool found;
};

static void find_device(const struct mount_space *space, void *data)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct device *device = data;
	struct libmnt_fs *fs;
	const char *type;

	while (iter && !mnt_table_next_fs(space->table, iter, &fs)) {
		type = mnt_fs_get_fstype(fs);
		if (mnt_fs_get_devno(fs) != device->dev || !type ||
		    strcmp(type, "daxstack"))
			continue;
		add_asked(device->who, device->dev, mnt_fs_get_id(fs));
		device->found = true;
	}
	mnt_free_iter(iter);
}

static const char *add_device(struct who *who, int look)
{
	struct device device = { .who = who };
	struct stat st;

	if (fstat(look, &st))
		return strerror(errno);
	device.dev = st.st_rdev;
	mounts_visit(find_device, &device);
	if (!device.found)
		return "daxstack is not mounted on this device";
	add_target(who, device.dev, 0, true);
	return NULL;
}

/* --- Trees. */

/**
 * struct tree - a tree to walk
 * @who: gets its files
 * @status: enum tool_status
 */
struct tree {
	struct who *who;
	int status;
};

static void tree_lost(struct walk *walk, const char *why)
{
	struct tree *tree = walk_data(walk);

	warnx("%s: %s", name_shown(walk_path(walk)), why);
	tree->status = TOOL_FAILED;
}

static int tree_entry(struct walk *walk, int dir, const char *name,
		      unsigned char type)
{
	struct tree *tree = walk_data(walk);
	int look, error, fd = -1;
	struct file_id id;

	(void)type;
	look = file_look(dir, name, O_NOFOLLOW, &id);
	error = look < 0 ? -look : 0;
	if (look >= 0 && walk_may_enter(walk, &id)) {
		add_target(tree->who, id.dev, id.ino, false);
		if (S_ISDIR(id.mode)) {
			fd = file_open(look, &id);
			error = fd < 0 ? -fd : 0;
		}
	}
	if (look >= 0)
		close(look);
	/* ENOENT: the file was removed after its name was read. */
	if (error && error != ENOENT)
		tree_lost(walk, error == ENOSYS ? NO_PROC_TEXT : strerror(error));
	return fd < 0 ? -1 : fd;
}

static int add_tree(struct who *who, const char *path, int look,
		    const struct file_id *id)
{
	static const struct walk_ops ops = {
		.entry = tree_entry,
		.lost = tree_lost,
	};
	struct tree tree = { .who = who };
	int dir = file_open(look, id);

	if (dir < 0) {
		warnx("%s: %s", name_shown(path), strerror(-dir));
		return TOOL_FAILED;
	}
	walk_tree(&ops, &tree, path, dir);
	return tree.status;
}

static bool is_mount(int look)
{
	struct statx stx;

	return !statx(look, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stx) &&
		stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int add_looked_at(struct who *who, const char *path, int look,
			 const struct file_id *id, bool recursive)
{
	const char *why = S_ISBLK(id->mode) ? add_device(who, look) :
					      file_foreign(look, id);
	bool whole = S_ISDIR(id->mode) && is_mount(look);

	if (why) {
		warnx("%s: %s", name_shown(path), why);
		return TOOL_FAILED;
	}
	if (S_ISBLK(id->mode))
		return TOOL_OK;
	add_asked(who, id->dev, id->mnt);
	add_target(who, id->dev, id->ino, whole);
	if (whole || !recursive || !S_ISDIR(id->mode))
		return TOOL_OK;
	return add_tree(who, path, look, id);
}

/**
 * targets_add - add a file, a mount or a device to the targets
 * @who: gets the target
 * @path: name of the target
 * @recursive: if it is a directory, add everything below
 *
 * Return: enum tool_status; prints the error on failure.
 */
int targets_add(struct who *who, const char *path, bool recursive)
{
	struct file_id id;
	int look = file_look(AT_FDCWD, path, 0, &id);
	int status;

	if (look < 0) {
		warnx("%s: %s", name_shown(path), strerror(-look));
		return TOOL_FAILED;
	}
	status = add_looked_at(who, path, look, &id, recursive);
	close(look);
	return status;
}

/* --- Targets. */

/* Whole filesystems come first. */
static int compare(const void *a, const void *b)
{
	const struct who_target *x = a, *y = b;

	if (x->whole != y->whole)
		return x->whole ? -1 : 1;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return (x->ino > y->ino) - (x->ino < y->ino);
}

/**
 * targets_sort - prepare for who_match() after the last target
 * @who: with targets
 */
void targets_sort(struct who *who)
{
	if (who->nr_targets)
		qsort(who->targets, who->nr_targets, sizeof(*who->targets),
		      compare);
}

/**
 * who_match - whether a file is a target
 * @who: after targets_sort()
 * @dev: device number of its filesystem
 * @ino: inode number
 */
bool who_match(const struct who *who, dev_t dev, uint64_t ino)
{
	const struct who_target key = { .dev = dev, .ino = ino };
	size_t i;

	if (!who_asked_dev(who, dev))
		return false;
	for (i = 0; i < who->nr_targets && who->targets[i].whole; i++)
		if (who->targets[i].dev == dev)
			return true;
	return bsearch(&key, who->targets, who->nr_targets,
		       sizeof(*who->targets), compare);
}

/**
 * who_asked_dev - whether a filesystem has targets
 * @who: the targets
 * @dev: device number of the filesystem
 *
 * Return: a mount by which a target was named, or NULL.
 */
struct who_asked *who_asked_dev(const struct who *who, dev_t dev)
{
	size_t i;

	for (i = 0; i < who->nr_asked; i++)
		if (who->asked[i].dev == dev)
			return &who->asked[i];
	return NULL;
}

/**
 * who_is_asked - whether a target was named by a mount
 * @who: the targets
 * @mnt: the mount ID
 */
bool who_is_asked(const struct who *who, uint64_t mnt)
{
	size_t i;

	for (i = 0; i < who->nr_asked; i++)
		if (who->asked[i].mnt == mnt)
			return true;
	return false;
}

/* --- Holders. */

/*
 * Find the slot of a file of the current process in the index. Entries up to @first
 * belong to earlier processes and count as free.
 */
static size_t *find_slot(struct who *who, size_t first, dev_t dev,
			 uint64_t ino)
{
	size_t mask = who->index_size - 1;
	size_t i = (ino * 0x9e3779b97f4a7c15ULL + dev) >> 20 & mask;
	const struct holder *holder;

	while (who->index[i] > first) {
		holder = &who->holders[who->index[i] - 1];
		if (holder->ino == ino && holder->dev == dev)
			break;
		i = (i + 1) & mask;
	}
	return &who->index[i];
}

/* Keep half of the index free. */
static void grow_index(struct who *who, size_t first)
{
	const struct holder *holder;
	size_t i;

	if (2 * (who->nr_holders - first + 1) <= who->index_size)
		return;
	free(who->index);
	who->index_size = who->index_size ? 2 * who->index_size : 64;
	who->index = calloc(who->index_size, sizeof(*who->index));
	if (!who->index)
		err(TOOL_FAILED, "who");
	for (i = first; i < who->nr_holders; i++) {
		holder = &who->holders[i];
		*find_slot(who, first, holder->dev, holder->ino) = i + 1;
	}
}

/**
 * who_holder - get the holder for a process and a file
 * @who: the table
 * @first: index of the first holder of the process
 * @dev: of the file
 * @ino: of the file
 *
 * Uses a hash index, because a process may hold any number of files.
 *
 * Return: the holder, a new one if there was none; valid until the next call.
 */
struct holder *who_holder(struct who *who, size_t first, dev_t dev,
			  uint64_t ino)
{
	size_t *slot;

	grow_index(who, first);
	slot = find_slot(who, first, dev, ino);
	if (*slot > first)
		return &who->holders[*slot - 1];
	who->holders = who_grow(who->holders, who->nr_holders,
				sizeof(*who->holders));
	who->holders[who->nr_holders] = (struct holder){
		.dev = dev, .ino = ino,
	};
	*slot = ++who->nr_holders;
	return &who->holders[who->nr_holders - 1];
}
