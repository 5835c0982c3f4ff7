// SPDX-License-Identifier: GPL-2.0
/*
 * What a lower mapping holds: folios in cached mode, DAX entries in dax mode.
 */
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
	/* Else a shadow entry. */
	return !xa_is_value(entry) && folio_maybe_dma_pinned(entry);
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
	if (mapping_empty(mapping))
		return false;
	return dxs_sum(mapping, dxs_weigh_pinned, 1);
}
