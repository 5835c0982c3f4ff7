// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linger: keep lower inodes in memory for a while after their last use.
 *
 * H27: a page of a file may be pinned for DMA when the last user closes and unmaps
 * the file. Evicting the lower inode would discard the mapping's record of the page.
 * In dax mode a later switch would not see the pin, and would cache data that the DMA
 * is still to change. In cached mode the DMA would go to a page that no longer
 * belongs to the file. So the lower inode is kept until the page is unpinned, checked
 * every second, and at most until the stack is unmounted.
 *
 * H32: if reclaim evicts the stack's inode, and releasing the lower inode would mean
 * writing it, the lower inode is left here, too: ext4 does not write inodes from
 * reclaim, and warns.
 *
 * H41: while a lower inode lingers, the file may be opened again by a new inode of
 * the stack, and switched. The worker does not block switches while it scans the
 * mapping; dxs_pinned() allows for that. While it writes the inode it holds s_umount,
 * as the flusher does (H13).
 */
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "entry.h"
#include "mapping.h"

/**
 * struct dxs_lingerer - a lower inode that lingers
 * @list: in ->lingering, protected by ->linger_lock; or on a list of the worker
 * @lower: the lower inode, referenced
 */
struct dxs_lingerer {
	struct list_head list;
	struct inode *lower;
};

static bool dxs_in_reclaim(void)
{
	return current->flags & PF_MEMALLOC;
}

/* Adds @l to the list, or frees it if its inode is on the list already. */
static void dxs_linger_add(struct dxs_sb *sbi, struct dxs_lingerer *l)
{
	struct dxs_lingerer *other;

	mutex_lock(&sbi->linger_lock);
	list_for_each_entry(other, &sbi->lingering, list) {
		if (other->lower == l->lower) {
			/* Not the last reference: the list has one. */
			iput(l->lower);
			kfree(l);
			goto out;
		}
	}
	list_add(&l->list, &sbi->lingering);
out:
	mutex_unlock(&sbi->linger_lock);
}

/* Releases the inodes without pinned pages, or all of them. */
static void dxs_linger_drop(struct dxs_sb *sbi, bool all)
{
	struct dxs_lingerer *l, *next;
	LIST_HEAD(list);

	/* Scan large mappings without holding the lock. */
	mutex_lock(&sbi->linger_lock);
	list_splice_init(&sbi->lingering, &list);
	mutex_unlock(&sbi->linger_lock);

	list_for_each_entry_safe(l, next, &list, list) {
		if (!all && dxs_pinned(l->lower->i_mapping)) {
			dxs_linger_add(sbi, l);
			continue;
		}
		if (all && dxs_dax_eviction_waits(l->lower) &&
		    dxs_pinned(l->lower->i_mapping))
			pr_warn("%s: inode %llu: unmount waits until its pinned pages are released\n",
				l->lower->i_sb->s_id, (u64)l->lower->i_ino);
		dxs_lower_release(l->lower);
		kfree(l);
	}
}

static void dxs_linger_look(struct work_struct *work)
{
	struct dxs_sb *sbi = container_of(to_delayed_work(work), struct dxs_sb,
					  linger_work);
	bool spared = dxs_spare_look(sbi, false);

	dxs_linger_drop(sbi, false);
	if (spared || !list_empty_careful(&sbi->lingering))
		dxs_linger_soon(sbi);
}

/**
 * dxs_lower_put() - give back the lower inode of an inode that goes away
 * @sbi: the mount
 * @lower: the lower inode; the reference is consumed
 *
 * Context: sleeps. A lookup of @lower in the stack waits until the evicted inode is
 * gone, so no switch can begin (H41).
 */
void dxs_lower_put(struct dxs_sb *sbi, struct inode *lower)
{
	bool dontcache = inode_state_read_once(lower) & I_DONTCACHE;
	struct dxs_lingerer *l;
	bool pinned = false;

	/*
	 * The eviction of an inode in dax mode would lose the pin (H27), or wait for it
	 * without end (H64). In cached mode pins matter only if the lower inode would not
	 * stay in the inode cache.
	 */
	if (S_ISREG(lower->i_mode) && (IS_DAX(lower) || dontcache))
		pinned = dxs_pinned(lower->i_mapping);
	if (!pinned && !(dontcache && dxs_in_reclaim())) {
		dxs_write_marked(lower);
		iput(lower);
		return;
	}
	l = kmalloc_obj(*l, GFP_NOFS | __GFP_NOFAIL);
	l->lower = lower;
	dxs_linger_add(sbi, l);
	if (pinned)
		dxs_linger_soon(sbi);
	else
		mod_delayed_work(dxs_wq, &sbi->linger_work, 0);
}

/**
 * dxs_linger_init() - initialize the lists of a mount
 * @sbi: the mount, being set up
 */
void dxs_linger_init(struct dxs_sb *sbi)
{
	mutex_init(&sbi->linger_lock);
	INIT_LIST_HEAD(&sbi->lingering);
	mutex_init(&sbi->spare_lock);
	INIT_LIST_HEAD(&sbi->spared);
	INIT_DELAYED_WORK(&sbi->linger_work, dxs_linger_look);
}

/**
 * dxs_linger_end() - release all lower inodes at unmount, pinned or not
 * @sbi: the mount; its inodes are gone
 *
 * The lower filesystem alone treats a pinned page in the same way at unmount: it
 * forgets the page, or on later kernels waits for it.
 *
 * Context: sleeps.
 */
void dxs_linger_end(struct dxs_sb *sbi)
{
	cancel_delayed_work_sync(&sbi->linger_work);
	dxs_spare_look(sbi, true);
	dxs_linger_drop(sbi, true);
	mutex_destroy(&sbi->spare_lock);
	mutex_destroy(&sbi->linger_lock);
}
