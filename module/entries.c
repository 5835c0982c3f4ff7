// SPDX-License-Identifier: GPL-2.0
/*
 * What a lower mapping holds: folios in cached mode, DAX entries in dax mode.
 */
#include <linux/dax.h>
#include <linux/pagemap.h>

#include "daxstack.h"

/* Adds up what @weigh gives each entry, as far as to @enough. */
static u64 dxs_sum(struct address_space *mapping,
		   u64 (*weigh)(struct xa_state *xas, void *entry), u64 enough)
{
	XA_STATE(xas, &mapping->i_pages, 0);
	void *entry;
	u64 sum = 0;

	xas_lock_irq(&xas);
	xas_for_each(&xas, entry, ULONG_MAX) {
		sum += weigh(&xas, entry);
		if (sum >= enough)
			break;
		if (!need_resched())
			continue;
		xas_pause(&xas);
		xas_unlock_irq(&xas);
		cond_resched();
		xas_lock_irq(&xas);
	}
	xas_unlock_irq(&xas);
	return sum;
}

static u64 dxs_weigh_dirty(struct xa_state *xas, void *entry)
{
	return xas_get_mark(xas, PAGECACHE_TAG_DIRTY) ?
		dxs_dax_entry_pages(entry) : 0;
}

/**
 * dxs_dirty_pages() - how much is dirty in dax mode?
 * @mapping: of a lower inode in dax mode
 *
 * Context: sleeps.
 * Return: pages, each entry counted as the pages it stands for.
 */
u64 dxs_dirty_pages(struct address_space *mapping)
{
	if (!mapping_tagged(mapping, PAGECACHE_TAG_DIRTY))
		return 0;
	return dxs_sum(mapping, dxs_weigh_dirty, U64_MAX);
}

static u64 dxs_weigh_busy_entry(struct xa_state *xas, void *entry)
{
	return dxs_dax_entry_busy(entry);
}

static u64 dxs_weigh_pinned_folio(struct xa_state *xas, void *entry)
{
	struct folio *folio = entry;

	/* Else a shadow entry. */
	return !xa_is_value(entry) && folio_maybe_dma_pinned(folio);
}

static u64 dxs_weigh_held_folio(struct xa_state *xas, void *entry)
{
	struct folio *folio = entry;

	/* Only XFS has large ones here, and only ext4 goes by buffers. */
	return !xa_is_value(entry) && !folio_test_large(folio) &&
		folio_ref_count(folio) > 1 + folio_has_private(folio) +
					 page_mapcount(&folio->page);
}

/**
 * dxs_held() - does it look as if anybody held a folio of a mapping?
 * @mapping: of a lower inode in cached mode
 *
 * Unlike dxs_pinned(), it takes any reference that is not from the page cache or a
 * page table for such a hold (FOLL_GET), so that an LRU batch may be mistaken for
 * one.
 *
 * Context: sleeps.
 */
bool dxs_held(struct address_space *mapping)
{
	return dxs_sum(mapping, dxs_weigh_held_folio, 1);
}

/**
 * dxs_mapped() - does anybody map a file?
 * @mapping: of its lower inode
 *
 * mapping_mapped() without the lock may say no for a moment in which a VMA is
 * adjusted (mremap, mprotect), and so is out of the tree (H28).
 *
 * Context: sleeps.
 */
bool dxs_mapped(struct address_space *mapping)
{
	bool mapped;

	i_mmap_lock_read(mapping);
	mapped = mapping_mapped(mapping);
	i_mmap_unlock_read(mapping);
	return mapped;
}

/**
 * dxs_memory_hold() - keep the memory of a DAX device from going
 * @lower: superblock on it
 * @id: for dxs_memory_release()
 *
 * Who unbinds the device's driver takes its memory away, mounted or not, and with
 * it the struct pages that DAX entries stand for. That waits for us.
 *
 * Context: sleeps. To be held for as long as pages may be looked at.
 * Return: true if it is there.
 */
bool dxs_memory_hold(const struct super_block *lower, int *id)
{
	struct dax_device *dax_dev;
	u64 start;

	*id = dax_read_lock();
	/* Gives only one that is alive. */
	dax_dev = fs_dax_get_by_bdev(lower->s_bdev, &start, NULL, NULL);
	if (!dax_dev) {
		dax_read_unlock(*id);
		return false;
	}
	fs_put_dax(dax_dev, NULL);
	return true;
}

/**
 * dxs_memory_release() - let it go, if it has to
 * @id: from dxs_memory_hold()
 */
void dxs_memory_release(int id)
{
	dax_read_unlock(id);
}

/* In dax mode. Nobody holds pages that are gone. */
static bool dxs_pinned_entries(struct address_space *mapping)
{
	bool pinned;
	int id;

	if (!dxs_memory_hold(mapping->host->i_sb, &id))
		return false;
	pinned = dxs_sum(mapping, dxs_weigh_busy_entry, 1);
	dxs_memory_release(id);
	return pinned;
}

/**
 * dxs_pinned() - does anybody hold a page of a mapping?
 * @mapping: of a lower inode that is not mapped
 *
 * In dax mode anyone who refers to a page counts, also if it is no longer mapped
 * but still under DMA, which dax_layout_busy_page() would not find (H8). In
 * cached mode only those who may write to it count (FOLL_PIN): a reference
 * may be that of an LRU batch.
 *
 * Context: sleeps; the mode cannot change.
 */
bool dxs_pinned(struct address_space *mapping)
{
	if (mapping_empty(mapping))
		return false;
	if (IS_DAX(mapping->host))
		return dxs_pinned_entries(mapping);
	return dxs_sum(mapping, dxs_weigh_pinned_folio, 1);
}
