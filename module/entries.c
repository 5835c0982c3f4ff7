// SPDX-License-Identifier: GPL-2.0
/*
 * What a lower mapping holds: folios in cached mode, DAX entries in dax mode.
 */
#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/writeback.h>

#include "daxstack.h"

/* Adds up what @weigh gives each entry from @first to @last, as far as @enough. */
static u64 dxs_sum_range(struct address_space *mapping, pgoff_t first,
			 pgoff_t last,
			 u64 (*weigh)(struct xa_state *xas, void *entry),
			 u64 enough)
{
	XA_STATE(xas, &mapping->i_pages, first);
	unsigned long seen = 0;
	void *entry;
	u64 sum = 0;

	xas_lock_irq(&xas);
	xas_for_each(&xas, entry, last) {
		sum += weigh(&xas, entry);
		if (sum >= enough)
			break;
		seen += xa_is_value(entry) ? dxs_dax_entry_pages(entry) : 1;
		if (seen < DXS_PIECE)
			continue;
		seen = 0;
		xas_pause(&xas);
		xas_unlock_irq(&xas);
		cond_resched();
		xas_lock_irq(&xas);
	}
	xas_unlock_irq(&xas);
	return sum;
}

static u64 dxs_sum(struct address_space *mapping,
		   u64 (*weigh)(struct xa_state *xas, void *entry), u64 enough)
{
	return dxs_sum_range(mapping, 0, ULONG_MAX, weigh, enough);
}

/**
 * dxs_dirty_pages() - how much is dirty?
 * @mapping: of a lower inode
 *
 * Context: sleeps.
 * Return: pages, each entry counted as the pages it stands for.
 */
u64 dxs_dirty_pages(struct address_space *mapping)
{
	XA_STATE(xas, &mapping->i_pages, 0);
	unsigned long pages, seen = 0;
	void *entry;
	u64 sum = 0;

	if (!mapping_tagged(mapping, PAGECACHE_TAG_DIRTY))
		return 0;
	xas_lock_irq(&xas);
	xas_for_each_marked(&xas, entry, ULONG_MAX, PAGECACHE_TAG_DIRTY) {
		pages = xa_is_value(entry) ? dxs_dax_entry_pages(entry) :
					     folio_nr_pages(entry);
		sum += pages;
		seen += pages;
		if (seen < DXS_PIECE)
			continue;
		seen = 0;
		xas_pause(&xas);
		xas_unlock_irq(&xas);
		cond_resched();
		xas_lock_irq(&xas);
	}
	xas_unlock_irq(&xas);
	return sum;
}

static u64 dxs_weigh_busy_entry(struct xa_state *xas, void *entry)
{
	return dxs_dax_entry_busy(entry);
}

static u64 dxs_weigh_pinned_folio(struct xa_state *xas, void *entry)
{
	/* Else a DAX or shadow entry. */
	return !xa_is_value(entry) && folio_maybe_dma_pinned(entry);
}

/*
 * H41: what an entry is depends on the mode, which a switch may change between two
 * entries for those who do not keep switches away. dxs_flip() changes it with the
 * xarray lock held and the mapping empty: with that lock held, as it is here, all
 * entries are of the mode.
 */
static u64 dxs_weigh_pinned(struct xa_state *xas, void *entry)
{
	const struct address_space *mapping =
		container_of(xas->xa, struct address_space, i_pages);

	if (IS_DAX(mapping->host))
		return dxs_weigh_busy_entry(xas, entry);
	return dxs_weigh_pinned_folio(xas, entry);
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

/**
 * dxs_pinned() - does anybody hold a page of a mapping?
 * @mapping: of a lower inode that is not mapped
 *
 * In dax mode anyone who refers to a page counts, also if it is no longer mapped
 * but still under DMA, which dax_layout_busy_page() would not find (H8). In
 * cached mode only those who may write to it count (FOLL_PIN): a reference
 * may be that of an LRU batch.
 *
 * Context: sleeps; the mode may change meanwhile (H41).
 */
bool dxs_pinned(struct address_space *mapping)
{
	bool there, pinned;
	int id;

	if (mapping_empty(mapping))
		return false;
	there = dxs_memory_hold(mapping->host->i_sb, &id);
	/* Nobody holds pages that are gone. */
	pinned = dxs_sum(mapping, there ? dxs_weigh_pinned :
					  dxs_weigh_pinned_folio, 1);
	if (there)
		dxs_memory_release(id);
	return pinned;
}

/* The next entry from @first on. Return: false if there is none. */
static bool dxs_next_entry(struct address_space *mapping, pgoff_t *first)
{
	unsigned long index = *first;

	if (!xa_find(&mapping->i_pages, &index, ULONG_MAX, XA_PRESENT))
		return false;
	*first = index;
	return true;
}

static void dxs_drop_piece(struct address_space *mapping, pgoff_t first,
			   pgoff_t last)
{
	filemap_invalidate_lock(mapping);
	if (dxs_mapped(mapping))
		unmap_mapping_range(mapping, (loff_t)first << PAGE_SHIFT,
				    (loff_t)(last - first + 1) << PAGE_SHIFT,
				    0);
	if (!dxs_sum_range(mapping, first, last, dxs_weigh_busy_entry, 1))
		invalidate_inode_pages2_range(mapping, first, last);
	filemap_invalidate_unlock(mapping);
}

/**
 * dxs_drop_entries() - drop the DAX entries that nobody has a use for
 * @mapping: of a lower inode in dax mode, which has been written back
 *
 * With everything open, so that little is left to be dropped when the gates are
 * shut (H47): in pieces, under the invalidate_lock, which every DAX fault holds
 * for reading. With it held and the piece unmapped nobody can come by a page of
 * it; if nobody holds one either (H8), its clean entries go. Who has a use for
 * them faults again. What became dirty, and pieces with a busy page, stay.
 *
 * Context: sleeps. The mode cannot change.
 * Return: false if a fatal signal came first.
 */
bool dxs_drop_entries(struct address_space *mapping)
{
	pgoff_t first = 0, last;

	do {
		if (!dxs_next_entry(mapping, &first))
			break;
		if (fatal_signal_pending(current))
			return false;
		last = first | (DXS_DROP - 1);
		dxs_drop_piece(mapping, round_down(first, PTRS_PER_PMD), last);
		first = last + 1;
		cond_resched();
	} while (first);
	return true;
}

/**
 * dxs_write_entries() - write back the dirty DAX entries
 * @mapping: of a lower inode in dax mode
 *
 * H47: in ranges, because the kernel tags what it is about to write with
 * interrupts off, up to 4096 entries of a range at a time
 * (tag_pages_for_writeback()), and on Linux 6.1 a read fault makes an entry that
 * counts as dirty. An entry that is dirty when this begins is in one of the ranges
 * that follow.
 *
 * Context: sleeps. The mode cannot change.
 * Return: 0 or a negative errno.
 */
int dxs_write_entries(struct address_space *mapping)
{
	unsigned long first = 0, last;
	int err = 0;

	while (!err && xa_find(&mapping->i_pages, &first, ULONG_MAX,
			       PAGECACHE_TAG_DIRTY)) {
		last = first | (DXS_DROP - 1);
		err = filemap_fdatawrite_range(mapping,
					       (loff_t)first << PAGE_SHIFT,
					       ((loff_t)last << PAGE_SHIFT) +
					       PAGE_SIZE - 1);
		first = last + 1;
		cond_resched();
	}
	return err;
}
