// SPDX-License-Identifier: GPL-2.0-only
/* Entries of lower mappings: folios in cached mode, DAX entries in dax mode. */
#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/writeback.h>

#include "mapping.h"

/*
 * Sums @weigh over the entries from @first to @last, and stops once the sum is
 * @enough.
 */
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
 * dxs_dirty_pages() - number of dirty pages
 * @mapping: of a lower inode
 *
 * Context: sleeps.
 * Return: the sum of the sizes of dirty entries, in pages.
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
	/* A value entry is a DAX or shadow entry. */
	return !xa_is_value(entry) && folio_maybe_dma_pinned(entry);
}

/*
 * H41: the type of an entry depends on the mode, and a caller that does not exclude
 * switches may see the mode change between two entries. dxs_flip() changes the mode
 * with the xarray lock held and the mapping empty, so under this lock, as here, all
 * entries belong to the current mode.
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
 * dxs_mapped() - is a file mapped?
 * @mapping: of its lower inode
 *
 * Without the lock, mapping_mapped() may return false while a VMA is out of the tree
 * because it is being adjusted (mremap, mprotect) (H28).
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
 * dxs_memory_hold() - keep the memory of a DAX device in place
 * @lower: superblock on the device
 * @id: out: for dxs_memory_release()
 *
 * Unbinding the device's driver removes its memory and the struct pages of DAX
 * entries, even while mounted. It waits for the holders.
 *
 * Context: sleeps. Hold it while struct pages are accessed.
 * Return: true if the memory is present.
 */
bool dxs_memory_hold(const struct super_block *lower, int *id)
{
	struct dax_device *dax_dev;
	u64 start;

	*id = dax_read_lock();
	/* Returns only a device that is alive. */
	dax_dev = fs_dax_get_by_bdev(lower->s_bdev, &start, NULL, NULL);
	if (!dax_dev) {
		dax_read_unlock(*id);
		return false;
	}
	fs_put_dax(dax_dev, NULL);
	return true;
}

/**
 * dxs_memory_release() - allow the memory to be removed again
 * @id: from dxs_memory_hold()
 */
void dxs_memory_release(int id)
{
	dax_read_unlock(id);
}

/**
 * dxs_pinned() - are pages of a mapping pinned?
 * @mapping: of a lower inode that is not mapped
 *
 * In dax mode any reference to a page counts, including one to a page that is no
 * longer mapped but still under DMA, which dax_layout_busy_page() would not find
 * (H8). In cached mode only FOLL_PIN counts, whose holder may write to the page: a
 * plain reference may be that of an LRU batch.
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
	/* If the device's memory is gone, no task can hold its pages. */
	pinned = dxs_sum(mapping, there ? dxs_weigh_pinned :
					  dxs_weigh_pinned_folio, 1);
	if (there)
		dxs_memory_release(id);
	return pinned;
}

/**
 * dxs_folio_looks_held() - does another task seem to hold a folio?
 * @mapping: of a lower inode in cached mode
 * @index: place of the folio in the file, in pages
 *
 * The file is in use meanwhile, so the answer may be wrong: an LRU batch, a read in
 * progress and struct dxs_spared have references as well.
 *
 * Context: does not sleep. The mode cannot change.
 * Return: false if the folio is gone, or has no references but those of the page cache,
 * its buffers and page tables.
 */
bool dxs_folio_looks_held(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio;
	bool held = false;

	/* The lock keeps the folio in the mapping. */
	xa_lock_irq(&mapping->i_pages);
	folio = xa_load(&mapping->i_pages, index);
	if (folio && !xa_is_value(folio))
		held = dxs_folio_held(folio, 0);
	xa_unlock_irq(&mapping->i_pages);
	return held;
}

/* Finds the next entry from @first on. Return: false if there is none. */
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
 * dxs_drop_entries() - drop clean DAX entries before the gates are closed
 * @mapping: of a lower inode in dax mode, which has been written back
 *
 * H47: leaves few entries to be dropped with the gates closed. Works in pieces, under
 * the invalidate_lock, which every DAX fault holds for reading. With the lock held
 * and the piece unmapped, no task can get at a page of the piece; if no page of it is
 * held either (H8), its clean entries are dropped. A later access faults them in
 * again. Entries that became dirty, and pieces with a busy page, are kept.
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
 * H47: writes in ranges, because tag_pages_for_writeback() tags up to 4096 entries of
 * a range with interrupts off, and on Linux 6.1 each read fault adds an entry that
 * counts as dirty. Every entry that is dirty at the start is in one of the ranges.
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
