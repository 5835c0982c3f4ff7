// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filesystems on top of the stack (overlayfs, FUSE passthrough): references of lower
 * files to the stack's path.
 *
 * H72: an open file keeps the stack's inode through its path, and lower files carry
 * the path of the file that the user opened. That is normally the stack's path. If a
 * filesystem on top opened the stack's file for a file of its own, the lower files
 * carry that filesystem's path, which need not keep the stack's inode: FUSE releases
 * its backing file when the last descriptor is closed, while a mapping of it lives
 * on. So the lower file that VMAs hold keeps the stack's path here.
 *
 * Faults use none of this: ->private_data of the file is the stack's inode in any
 * case.
 */
#include <linux/hashtable.h>
#include <linux/path.h>
#include <linux/slab.h>

#include "lower.h"

/**
 * struct dxs_hold - the path of the stack that a lower file keeps
 * @node: in dxs_holds; protected by dxs_holds_lock
 * @map: the lower file, held by VMAs
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
 * @map: the lower file for VMAs, not published yet
 * @file: of the stack, open
 *
 * Does nothing for a file that a user opened: then @map itself has that path.
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
 * dxs_unhold() - drop the path that a lower file keeps
 * @map: the lower file, being released
 *
 * Context: sleeps. May drop the last reference to the stack's inode.
 */
void dxs_unhold(const struct file *map)
{
	struct dxs_hold *hold;

	/*
	 * Unlocked check: most files have no filesystem on top. An entry for @map was
	 * added before @map was published, so it is visible here.
	 */
	if (hlist_empty(&dxs_holds[hash_min((unsigned long)map,
					    HASH_BITS(dxs_holds))]))
		return;
	hold = dxs_hold_take(map);
	if (!hold)
		return;
	path_put(&hold->path);
	kfree(hold);
}
