// SPDX-License-Identifier: GPL-2.0
/*
 * Folios that reclaim has to spare, because a switch unmaps them (H34).
 *
 * Direct I/O into a mapping holds folios in a way that reclaim does not heed
 * (FOLL_GET): unmapped and clean they lose their buffers, and ext4 what is still to
 * be read into them. What is mapped by a VMA that is locked in memory is safe from
 * that, until a switch to dax unmaps it, to see that it is held and be refused.
 *
 * So before a zap every folio that is locked in memory gets a reference to its
 * first buffer: reclaim finds the buffers busy, and leaves them. After the zap
 * those are let go that nobody holds; the others when they are let go, looked up
 * every second.
 *
 * H43: nothing else is touched. Reclaim could not have these before either, they
 * count against their owners' RLIMIT_MEMLOCK, and a file without locked mappings
 * has none. What is locked in memory in the moment between the look and the zap, and
 * held in that moment, too, is not found.
 */
#include <linux/buffer_head.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "daxstack.h"

/**
 * struct dxs_spared - a file with spared folios
 * @list: in ->spared, under ->spare_lock, while no switch has it
 * @lower: the lower inode, a reference
 * @folios: the folios, by index, with a reference to each and to its first buffer
 */
struct dxs_spared {
	struct list_head list;
	struct inode *lower;
	struct xarray folios;
};

/* XFS finds the blocks of a folio by its index. */
static bool dxs_goes_by_buffers(const struct inode *lower)
{
	return !strcmp(lower->i_sb->s_type->name, "ext4");
}

/* Has anybody locked a mapping of it in memory? */
static bool dxs_locked_in_memory(struct address_space *mapping)
{
	const struct vm_area_struct *vma;
	bool locked = false;
	struct rb_node *node;

	i_mmap_lock_read(mapping);
	for (node = rb_first_cached(&mapping->i_mmap); node && !locked;
	     node = rb_next(node)) {
		vma = rb_entry(node, struct vm_area_struct, shared.rb);
		locked = vma->vm_flags & VM_LOCKED;
	}
	i_mmap_unlock_read(mapping);
	return locked;
}

static void dxs_spare_folio(struct dxs_spared *spared, struct folio *folio)
{
	if (!folio_test_mlocked(folio) ||
	    xa_load(&spared->folios, folio->index) == folio)
		return;
	/* Keeps the buffers, and the folio in the mapping. */
	folio_lock(folio);
	if (folio->mapping == spared->lower->i_mapping &&
	    folio_buffers(folio) &&
	    !xa_insert(&spared->folios, folio->index, folio,
		       GFP_NOFS | __GFP_NOFAIL)) {
		folio_get(folio);
		get_bh(folio_buffers(folio));
	}
	folio_unlock(folio);
}

/*
 * Does anybody refer to a folio but the page cache, its buffers, page tables, and
 * we? A batch of the LRU may be taken for that.
 *
 * Context: the folio is locked, so that no page table gets it meanwhile.
 */
static bool dxs_folio_held(struct folio *folio)
{
	int refs = folio_ref_count(folio);

	/* Unmapped in between, it looks as if it were held. */
	smp_rmb();
	return refs > folio_nr_pages(folio) + 1 + folio_has_private(folio) +
		      folio_mapcount(folio);
}

static void dxs_let_go(struct folio *folio)
{
	put_bh(folio_buffers(folio));
	/* Truncated meanwhile, it kept them for us alone. */
	if (!folio->mapping)
		try_to_free_buffers(folio);
}

/* Lets those go that nobody holds, or all. Return: whether there were any. */
static bool dxs_let_go_free(struct dxs_spared *spared, bool all)
{
	struct folio *folio;
	unsigned long index;
	bool any = false;

	xa_for_each(&spared->folios, index, folio) {
		folio_lock(folio);
		if (!all && folio->mapping && dxs_folio_held(folio)) {
			folio_unlock(folio);
			continue;
		}
		dxs_let_go(folio);
		folio_unlock(folio);
		xa_erase(&spared->folios, index);
		folio_put(folio);
		any = true;
		cond_resched();
	}
	return any;
}

static void dxs_spared_free(struct dxs_spared *spared)
{
	dxs_lower_release(spared->lower);
	xa_destroy(&spared->folios);
	kfree(spared);
}

/* That of an earlier switch, or none. */
static struct dxs_spared *dxs_spared_of(struct dxs_sb *sbi,
					const struct inode *lower)
{
	struct dxs_spared *spared, *found = NULL;

	/* What an attempt adds is there before the next begins. */
	if (list_empty_careful(&sbi->spared))
		return NULL;
	mutex_lock(&sbi->spare_lock);
	list_for_each_entry(spared, &sbi->spared, list)
		if (spared->lower == lower)
			found = spared;
	if (found)
		list_del(&found->list);
	mutex_unlock(&sbi->spare_lock);
	return found;
}

/**
 * dxs_spare_begin() - an attempt to switch begins
 * @sw: the request
 *
 * What an earlier one had spared and nobody holds any more must not be in the way.
 *
 * Context: sleeps. The switch lock is held, until after dxs_spare_end().
 */
void dxs_spare_begin(struct dxs_switch *sw)
{
	sw->spared = dxs_spared_of(DXS_SB(sw->inode->i_sb),
				   dxs_switch_lower(sw));
	dxs_spare_held(sw);
}

/**
 * dxs_spare_locked() - have reclaim spare what is locked in memory
 * @sw: the request; a zap follows
 *
 * Context: sleeps.
 */
void dxs_spare_locked(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	struct folio_batch batch;
	pgoff_t next = 0;
	unsigned int i;

	if (sw->to != DAXSTACK_DAX || !dxs_goes_by_buffers(lower) ||
	    !dxs_locked_in_memory(lower->i_mapping))
		return;
	if (!sw->spared) {
		sw->spared = kmalloc_obj(*sw->spared, GFP_NOFS | __GFP_NOFAIL);
		ihold(lower);
		sw->spared->lower = lower;
		xa_init(&sw->spared->folios);
	}
	folio_batch_init(&batch);
	while (filemap_get_folios(lower->i_mapping, &next, ULONG_MAX, &batch)) {
		for (i = 0; i < folio_batch_count(&batch); i++)
			dxs_spare_folio(sw->spared, batch.folios[i]);
		folio_batch_release(&batch);
		cond_resched();
	}
}

/**
 * dxs_spare_held() - spare only what somebody holds
 * @sw: the request; a zap is over
 *
 * Context: sleeps.
 * Return: whether others were let go.
 */
bool dxs_spare_held(struct dxs_switch *sw)
{
	return sw->spared && dxs_let_go_free(sw->spared, false);
}

/**
 * dxs_spare_end() - an attempt to switch ends
 * @sw: the request
 *
 * Context: sleeps. The switch lock is held.
 */
void dxs_spare_end(struct dxs_switch *sw)
{
	struct dxs_sb *sbi = DXS_SB(sw->inode->i_sb);
	struct dxs_spared *spared = sw->spared;

	if (!spared)
		return;
	sw->spared = NULL;
	dxs_let_go_free(spared, false);
	if (xa_empty(&spared->folios)) {
		/* Not the last reference. */
		iput(spared->lower);
		kfree(spared);
		return;
	}
	mutex_lock(&sbi->spare_lock);
	list_add(&spared->list, &sbi->spared);
	mutex_unlock(&sbi->spare_lock);
	dxs_linger_soon(sbi);
}

/**
 * dxs_spare_look() - let those go that nobody holds any more
 * @sbi: the mount
 * @all: ... and the others
 *
 * Context: sleeps.
 * Return: whether there are any left.
 */
bool dxs_spare_look(struct dxs_sb *sbi, bool all)
{
	struct dxs_spared *spared, *next;
	LIST_HEAD(gone);
	bool left;

	mutex_lock(&sbi->spare_lock);
	list_for_each_entry_safe(spared, next, &sbi->spared, list) {
		dxs_let_go_free(spared, all);
		if (xa_empty(&spared->folios))
			list_move(&spared->list, &gone);
	}
	left = !list_empty(&sbi->spared);
	mutex_unlock(&sbi->spare_lock);

	list_for_each_entry_safe(spared, next, &gone, list)
		dxs_spared_free(spared);
	return left;
}
