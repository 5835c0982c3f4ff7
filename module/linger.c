// SPDX-License-Identifier: GPL-2.0
/*
 * Lower inodes that have to stay as they are for a while, because somebody holds
 * a page of them.
 *
 * H27: lower inodes with pinned pages that nobody uses any more.
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
 * H34: direct I/O into a mapping holds folios in a way that reclaim does not heed
 * (FOLL_GET). Mapped by a VMA that is locked in memory they are safe from it; a
 * switch to dax has to unmap them to see that they are held, and is refused. If
 * reclaim found them then, they would lose their buffers, and ext4 what is still
 * to be read into them. So during a switch to dax, and after one that was
 * refused for as long as a folio is held, reclaim spares the whole mapping.
 */
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "daxstack.h"

#define DXS_LINGER	HZ

/**
 * struct dxs_lingerer - a lower inode that is looked after
 * @list: in ->lingering, under ->linger_lock
 * @lower: a reference
 * @shielded: reclaim spares its folios (H34); else it is there for its pins
 */
struct dxs_lingerer {
	struct list_head list;
	struct inode *lower;
	bool shielded;
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

/* Reclaim may have the folios of a mapping again. */
static void dxs_lift_shield(struct address_space *mapping)
{
	struct folio_batch batch;
	pgoff_t next = 0;

	mapping_clear_unevictable(mapping);
	if (IS_DAX(mapping->host))
		return;
	/* Those that it found meanwhile lie where it does not look. */
	folio_batch_init(&batch);
	while (filemap_get_folios(mapping, &next, ULONG_MAX, &batch)) {
		check_move_unevictable_folios(&batch);
		folio_batch_release(&batch);
		cond_resched();
	}
}

static bool dxs_has_to_linger(const struct dxs_lingerer *l)
{
	struct address_space *mapping = l->lower->i_mapping;

	return l->shielded ? dxs_held(mapping) : dxs_pinned(mapping);
}

/* Gives back those whose pages are free, or all of them. */
static void dxs_linger_drop(struct dxs_sb *sbi, bool all)
{
	struct dxs_lingerer *l, *next;
	LIST_HEAD(gone);

	mutex_lock(&sbi->linger_lock);
	list_for_each_entry_safe(l, next, &sbi->lingering, list) {
		if (!all && dxs_has_to_linger(l))
			continue;
		/* Under the lock: a switch may want to have it again. */
		if (l->shielded)
			dxs_lift_shield(l->lower->i_mapping);
		list_move(&l->list, &gone);
	}
	mutex_unlock(&sbi->linger_lock);

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
	if (!list_empty_careful(&sbi->lingering))
		queue_delayed_work(system_unbound_wq, &sbi->linger_work,
				   DXS_LINGER);
}

/* The reference is consumed. @delay: until it is looked at, in jiffies. */
static void dxs_linger(struct dxs_sb *sbi, struct inode *lower, bool shielded,
		       unsigned long delay)
{
	struct dxs_lingerer *l = kmalloc(sizeof(*l), GFP_NOFS | __GFP_NOFAIL);

	l->lower = lower;
	l->shielded = shielded;
	mutex_lock(&sbi->linger_lock);
	list_add(&l->list, &sbi->lingering);
	mutex_unlock(&sbi->linger_lock);
	if (delay)
		queue_delayed_work(system_unbound_wq, &sbi->linger_work, delay);
	else
		mod_delayed_work(system_unbound_wq, &sbi->linger_work, 0);
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

	/* A cached file is only in danger if the lower inode is not kept. */
	if (S_ISREG(lower->i_mode) && (IS_DAX(lower) || dontcache))
		pinned = dxs_pinned(lower->i_mapping);
	if (!pinned && !(dontcache && dxs_in_reclaim())) {
		dxs_lower_release(lower);
		return;
	}
	dxs_linger(sbi, lower, false, pinned ? DXS_LINGER : 0);
}

/**
 * dxs_shield() - have reclaim spare the folios of a file (H34)
 * @sbi: the mount
 * @lower: its lower inode, in cached mode
 *
 * Context: sleeps. The switch lock is held, until after dxs_unshield().
 */
void dxs_shield(struct dxs_sb *sbi, struct inode *lower)
{
	struct dxs_lingerer *l, *found = NULL;

	/* The one of an earlier switch would lift it at any time. */
	if (mapping_unevictable(lower->i_mapping)) {
		mutex_lock(&sbi->linger_lock);
		list_for_each_entry(l, &sbi->lingering, list)
			if (l->lower == lower && l->shielded)
				found = l;
		if (found)
			list_del(&found->list);
		mutex_unlock(&sbi->linger_lock);
	}
	mapping_set_unevictable(lower->i_mapping);
	/* Before the zap, which makes folios that were locked evictable. */
	smp_mb__after_atomic();
	if (found) {
		iput(found->lower);
		kfree(found);
	}
}

/**
 * dxs_unshield() - let reclaim have them again, now or when they are let go
 * @sbi: the mount
 * @lower: its lower inode; nothing is done if it is not shielded
 *
 * Context: sleeps. The switch lock is held.
 */
void dxs_unshield(struct dxs_sb *sbi, struct inode *lower)
{
	struct address_space *mapping = lower->i_mapping;

	if (!mapping_unevictable(mapping))
		return;
	if (!IS_DAX(lower) && dxs_held(mapping)) {
		ihold(lower);
		dxs_linger(sbi, lower, true, DXS_LINGER);
	} else {
		dxs_lift_shield(mapping);
	}
}

/**
 * dxs_linger_init() - nobody lingers yet
 * @sbi: the mount, being made
 */
void dxs_linger_init(struct dxs_sb *sbi)
{
	mutex_init(&sbi->linger_lock);
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
	mutex_destroy(&sbi->linger_lock);
}
