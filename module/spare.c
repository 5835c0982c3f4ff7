// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spare: keep reclaim away from folios that a switch unmaps (H34).
 *
 * Direct I/O into a mapping may hold folios by plain references (FOLL_GET), which
 * reclaim ignores: unmapped clean folios lose their buffers, and ext4 loses data that
 * is still to be read into them. A folio that is mapped by a locked VMA is safe from
 * reclaim, until a switch to dax unmaps it to find out whether it is held, and is
 * refused.
 *
 * So before a zap every mlocked folio gets a reference to its first buffer: reclaim
 * finds the buffers busy and leaves them. After the zap the folios that no task holds
 * are released; the others are checked every second and released when they are free.
 *
 * H43: no other folios are spared. Reclaim could not take these before either, they
 * count against RLIMIT_MEMLOCK of their owners, and a file without locked VMAs has
 * none. A folio that is both mlocked and held by direct I/O between the scan and the
 * zap is missed.
 */
#include <linux/buffer_head.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "entry.h"
#include "mapping.h"

/**
 * struct dxs_spared - the spared folios of a file
 * @list: in ->spared, protected by ->spare_lock, while no switch uses it
 * @lower: the lower inode, referenced
 * @folios: the folios, by index, with a reference to each and to its first buffer
 */
struct dxs_spared {
	struct list_head list;
	struct inode *lower;
	struct xarray folios;
};

/* XFS does not attach buffers: it looks blocks up by the folio's index. */
static bool dxs_goes_by_buffers(const struct inode *lower)
{
	return !strcmp(lower->i_sb->s_type->name, "ext4");
}

/* Is a VMA of the file locked in memory? */
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
	/* The folio lock keeps the buffers, and keeps the folio in the mapping. */
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

static void dxs_let_go(struct folio *folio)
{
	put_bh(folio_buffers(folio));
	/* Truncated: only the reference put above kept the buffers. */
	if (!folio->mapping)
		try_to_free_buffers(folio);
}

/* Releases the folios that no task holds, or all. Return: true if any was released. */
static bool dxs_let_go_free(struct dxs_spared *spared, bool all)
{
	struct folio *folio;
	unsigned long index;
	bool any = false;

	xa_for_each(&spared->folios, index, folio) {
		folio_lock(folio);
		/* Locked, so that no page table starts to map it. */
		if (!all && folio->mapping && dxs_folio_held(folio, 1)) {
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

/*
 * Takes the folios spared by an earlier attempt off the list. Return: NULL if there
 * are none.
 */
static struct dxs_spared *dxs_spared_of(struct dxs_sb *sbi,
					const struct inode *lower)
{
	struct dxs_spared *spared, *found = NULL;

	/*
	 * Unlocked check: an attempt adds to the list under the switch lock, before
	 * the next begins.
	 */
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
 * dxs_spare_begin() - begin an attempt to switch a file
 * @sbi: the mount
 * @lower: the lower inode
 *
 * Folios that an earlier attempt spared and that are no longer held must not make
 * this one fail.
 *
 * Context: sleeps. The switch lock is held, until after dxs_spare_end().
 * Return: the folios that are still spared, or NULL.
 */
struct dxs_spared *dxs_spare_begin(struct dxs_sb *sbi, const struct inode *lower)
{
	struct dxs_spared *spared = dxs_spared_of(sbi, lower);

	dxs_spare_held(spared);
	return spared;
}

/**
 * dxs_spare_locked() - have reclaim spare the folios that are locked in memory
 * @spared: folios spared so far, or NULL
 * @lower: the lower inode; a zap follows
 *
 * Context: sleeps.
 * Return: the spared folios, or NULL.
 */
struct dxs_spared *dxs_spare_locked(struct dxs_spared *spared, struct inode *lower)
{
	struct folio_batch batch;
	pgoff_t next = 0;
	unsigned int i;

	if (!dxs_goes_by_buffers(lower) ||
	    !dxs_locked_in_memory(lower->i_mapping))
		return spared;
	if (!spared) {
		spared = kmalloc_obj(*spared, GFP_NOFS | __GFP_NOFAIL);
		ihold(lower);
		spared->lower = lower;
		xa_init(&spared->folios);
	}
	folio_batch_init(&batch);
	while (filemap_get_folios(lower->i_mapping, &next, ULONG_MAX, &batch)) {
		for (i = 0; i < folio_batch_count(&batch); i++)
			dxs_spare_folio(spared, batch.folios[i]);
		folio_batch_release(&batch);
		cond_resched();
	}
	return spared;
}

/**
 * dxs_spare_held() - spare only the folios that another task holds a reference to
 * @spared: spared folios, or NULL; a zap is over
 *
 * Context: sleeps.
 * Return: whether other folios were released.
 */
bool dxs_spare_held(struct dxs_spared *spared)
{
	return spared && dxs_let_go_free(spared, false);
}

/**
 * dxs_spare_end() - end an attempt to switch a file
 * @sbi: the mount
 * @spared: spared folios
 *
 * Context: sleeps. The switch lock is held.
 */
void dxs_spare_end(struct dxs_sb *sbi, struct dxs_spared *spared)
{
	dxs_let_go_free(spared, false);
	if (xa_empty(&spared->folios)) {
		/* Not the last reference: the request keeps the inode. */
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
 * dxs_spare_look() - release spared folios that are no longer held
 * @sbi: the mount
 * @all: release the others, too
 *
 * Context: sleeps.
 * Return: true if spared folios are left.
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
