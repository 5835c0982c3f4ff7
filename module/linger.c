// SPDX-License-Identifier: GPL-2.0
/*
 * Lower inodes with pinned pages that nobody uses any more (H27).
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
 */
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "daxstack.h"

#define DXS_LINGER	HZ

struct dxs_lingerer {
	struct list_head list;
	struct inode *lower;
};

/*
 * H32: written now, for the last reference may be a cached name's, which reclaim
 * takes away.
 */
static void dxs_lower_release(struct inode *lower)
{
	if (READ_ONCE(lower->i_state) & I_DONTCACHE && lower->i_nlink)
		write_inode_now(lower, 1);
	iput(lower);
}

static bool dxs_in_reclaim(void)
{
	return current->flags & PF_MEMALLOC;
}

/* Gives back those whose pages are free, or all of them. */
static void dxs_linger_drop(struct dxs_sb *sbi, bool all)
{
	struct dxs_lingerer *l, *next;
	LIST_HEAD(held);
	LIST_HEAD(gone);

	spin_lock(&sbi->linger_lock);
	list_splice_init(&sbi->lingering, &held);
	spin_unlock(&sbi->linger_lock);

	list_for_each_entry_safe(l, next, &held, list)
		if (all || !dxs_pinned(l->lower->i_mapping))
			list_move(&l->list, &gone);

	spin_lock(&sbi->linger_lock);
	list_splice(&held, &sbi->lingering);
	spin_unlock(&sbi->linger_lock);

	list_for_each_entry_safe(l, next, &gone, list) {
		dxs_lower_release(l->lower);
		kfree(l);
	}
}

static void dxs_linger_look(struct work_struct *work)
{
	struct dxs_sb *sbi = container_of(to_delayed_work(work), struct dxs_sb,
					  linger_work);

	dxs_linger_drop(sbi, false);
	spin_lock(&sbi->linger_lock);
	if (!list_empty(&sbi->lingering))
		queue_delayed_work(system_unbound_wq, &sbi->linger_work,
				   DXS_LINGER);
	spin_unlock(&sbi->linger_lock);
}

/**
 * dxs_lower_put() - give back the lower inode of an inode that goes away
 * @sbi: the mount
 * @lower: the lower inode; the reference is consumed
 *
 * Context: sleeps. Nobody can reach @lower through the stack.
 */
void dxs_lower_put(struct dxs_sb *sbi, struct inode *lower)
{
	bool dontcache = READ_ONCE(lower->i_state) & I_DONTCACHE;
	bool pinned = false;
	struct dxs_lingerer *l;

	/* A cached file is only in danger if the lower inode is not kept. */
	if (S_ISREG(lower->i_mode) && (IS_DAX(lower) || dontcache))
		pinned = dxs_pinned(lower->i_mapping);
	if (!pinned && !(dontcache && dxs_in_reclaim())) {
		dxs_lower_release(lower);
		return;
	}
	l = kmalloc(sizeof(*l), GFP_NOFS | __GFP_NOFAIL);
	l->lower = lower;
	spin_lock(&sbi->linger_lock);
	list_add(&l->list, &sbi->lingering);
	if (pinned)
		queue_delayed_work(system_unbound_wq, &sbi->linger_work,
				   DXS_LINGER);
	else
		mod_delayed_work(system_unbound_wq, &sbi->linger_work, 0);
	spin_unlock(&sbi->linger_lock);
}

/**
 * dxs_linger_init() - nobody lingers yet
 * @sbi: the mount, being made
 */
void dxs_linger_init(struct dxs_sb *sbi)
{
	spin_lock_init(&sbi->linger_lock);
	INIT_LIST_HEAD(&sbi->lingering);
	INIT_DELAYED_WORK(&sbi->linger_work, dxs_linger_look);
}

/**
 * dxs_linger_end() - the stack is unmounted: let all go, pinned or not
 * @sbi: the mount; its inodes are gone
 *
 * As the lower filesystem alone would be unmounted under a pinned page.
 *
 * Context: sleeps.
 */
void dxs_linger_end(struct dxs_sb *sbi)
{
	cancel_delayed_work_sync(&sbi->linger_work);
	dxs_linger_drop(sbi, true);
}
