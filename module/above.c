// SPDX-License-Identifier: GPL-2.0
/*
 * Filesystems on top of the stack (overlayfs, FUSE passthrough): what their open
 * files of ours keep.
 *
 * H72: an open file keeps the stack's inode by its path, and lower files know the
 * path of the file that the user opened. That is the stack's own, unless a
 * filesystem on top opened our file for a file of its own: then the lower files
 * have that filesystem's path. It need not keep ours. FUSE gives its backing file
 * back when the last descriptor is closed, and a mapping of it goes on. So the
 * file that VMAs hold keeps our path here.
 *
 * Faults look at nothing of this: the file's ->private_data is the stack's inode
 * in any case.
 */
#include <linux/hashtable.h>
#include <linux/path.h>
#include <linux/slab.h>

#include "daxstack.h"

/**
 * struct dxs_hold - a path of the stack that a lower file keeps
 * @node: in dxs_holds, under dxs_holds_lock
 * @map: the lower file, which VMAs hold
 * @path: of the stack's file; referenced
 */
struct dxs_hold {
	struct hlist_node node;
	const struct file *map;
	struct path path;
};

static DEFINE_HASHTABLE(dxs_holds, 8);
static DEFINE_SPINLOCK(dxs_holds_lock);

/**
 * dxs_hold() - let a lower file keep the path of the stack's file
 * @map: the lower file for VMAs, which nobody else has yet
 * @file: of the stack, open
 *
 * Does nothing for a file that a user opened: @map has that path.
 *
 * Context: sleeps for memory; may be called with mmap_lock held.
 * Return: 0 or -ENOMEM.
 */
int dxs_hold(const struct file *map, const struct file *file)
{
	struct dxs_hold *hold;

	if (!dxs_is_above(file))
		return 0;
	hold = kmalloc_obj(*hold, GFP_KERNEL_ACCOUNT);
	if (!hold)
		return -ENOMEM;
	hold->map = map;
	hold->path = file->f_path;
	path_get(&hold->path);
	spin_lock(&dxs_holds_lock);
	hash_add(dxs_holds, &hold->node, (unsigned long)map);
	spin_unlock(&dxs_holds_lock);
	return 0;
}

static struct dxs_hold *dxs_hold_take(const struct file *map)
{
	struct dxs_hold *hold;

	spin_lock(&dxs_holds_lock);
	hash_for_each_possible(dxs_holds, hold, node, (unsigned long)map) {
		if (hold->map == map) {
			hash_del(&hold->node);
			break;
		}
	}
	spin_unlock(&dxs_holds_lock);
	return hold;
}

/**
 * dxs_unhold() - the lower file is released
 * @map: no VMA holds it any more
 *
 * Context: sleeps. The stack's inode may go with it.
 */
void dxs_unhold(const struct file *map)
{
	struct dxs_hold *hold;

	/* Most files have nobody above; what @map itself added is seen here. */
	if (hlist_empty(&dxs_holds[hash_min((unsigned long)map,
					    HASH_BITS(dxs_holds))]))
		return;
	hold = dxs_hold_take(map);
	if (!hold)
		return;
	path_put(&hold->path);
	kfree(hold);
}
