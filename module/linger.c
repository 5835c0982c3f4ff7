// SPDX-License-Identifier: GPL-2.0
/*
 * Lower inodes that have to stay for a while when nobody uses them any more.
 *
 * H27: lower inodes with pinned pages.
 *
 * Somebody may hold a page of a file for DMA when the last user closes and
 * unmaps it. Evicting the lower inode would drop what its mapping knows of the
 * page: in dax mode a later switch would not see the pin, and cache what the
 * DMA is still to change; in cached mode the DMA would go to a page that
 * belongs to no file any more. So the lower inode stays until the page is let
 * go, looked up every second; at most until the stack is unmounted.
 *
 * H32: reclaim, which may be what has the stack's inode evicted, leaves its lower
 * inode here as well if letting it go means to write it: ext4 does not do that
 * from there, and warns.
 *
 * H41: while a lower inode is here the file may be opened again, by a new inode of
 * the stack, and switched. The worker keeps no switch away while it looks at the
 * mapping: dxs_pinned() allows for that. While it has the inode written it holds
 * s_umount, as the flusher does (H13).
 */
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "daxstack.h"

#define DXS_LINGER	HZ

/**
 * struct dxs_lingerer - a lower inode that is kept, one for each
 * @list: in ->lingering, under ->linger_lock; or the worker's
 * @lower: a reference
 */
struct dxs_lingerer {
	struct list_head list;
	struct inode *lower;
};

/*
 * H32: written now, for the last reference may be a cached name's, which reclaim
 * takes away.
 *
 * Context: no switch is under way, and none begins (H41).
 */
static void dxs_write_marked(struct inode *lower)
{
	if (inode_state_read_once(lower) & I_DONTCACHE && lower->i_nlink)
		write_inode_now(lower, 1);
}

/**
 * dxs_lower_release() - let a lower inode go that others may use by now
 * @lower: the reference is consumed
 *
 * Context: sleeps; not from reclaim.
 */
void dxs_lower_release(struct inode *lower)
{
	struct super_block *sb = lower->i_sb;

	down_read(&sb->s_umount);
	dxs_write_marked(lower);
	up_read(&sb->s_umount);
	iput(lower);
}

static bool dxs_in_reclaim(void)
{
	return current->flags & PF_MEMALLOC;
}

/* Adds one, which is consumed; or does without, if its inode is there already. */
static void dxs_linger_add(struct dxs_sb *sbi, struct dxs_lingerer *l)
{
	struct dxs_lingerer *other;

	mutex_lock(&sbi->linger_lock);
	list_for_each_entry(other, &sbi->lingering, list) {
		if (other->lower == l->lower) {
			/* Not the last one. */
			iput(l->lower);
			kfree(l);
			goto out;
		}
	}
	list_add(&l->list, &sbi->lingering);
out:
	mutex_unlock(&sbi->linger_lock);
}

/* Gives back those whose pages are free, or all of them. */
static void dxs_linger_drop(struct dxs_sb *sbi, bool all)
{
	struct dxs_lingerer *l, *next;
	LIST_HEAD(list);

	/* Nobody waits at the lock for a look at a large mapping. */
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
			pr_warn("%s: inode %llu: unmounting waits until its pinned pages are let go\n",
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
 * dxs_linger_soon() - have the worker look, in a second at the latest
 * @sbi: the mount
 *
 * Context: any.
 */
void dxs_linger_soon(struct dxs_sb *sbi)
{
	queue_delayed_work(dxs_wq, &sbi->linger_work, DXS_LINGER);
}

/**
 * dxs_lower_put() - give back the lower inode of an inode that goes away
 * @sbi: the mount
 * @lower: the lower inode; the reference is consumed
 *
 * Context: sleeps. Nobody can reach @lower through the stack: whoever looks it up
 * waits until the inode that goes away is gone. So no switch can begin (H41).
 */
void dxs_lower_put(struct dxs_sb *sbi, struct inode *lower)
{
	bool dontcache = inode_state_read_once(lower) & I_DONTCACHE;
	struct dxs_lingerer *l;
	bool pinned = false;

	/* A cached file is only in danger if the lower inode is not kept. */
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
 * dxs_linger_init() - nobody lingers yet
 * @sbi: the mount, being made
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
 * dxs_linger_end() - the stack is unmounted: let all go, pinned or not
 * @sbi: the mount; its inodes are gone
 *
 * As the lower filesystem alone would be unmounted under a pinned page: it forgets
 * the page, or on later kernels waits for it.
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
