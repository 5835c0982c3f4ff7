// SPDX-License-Identifier: GPL-2.0-only
/*
 * DAX entries of a mapping, as fs/dax.c makes them: a value entry with four flag
 * bits below the page frame number. 6.1, 6.12 and 7.3 have the same.
 */
#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "entry.h"

#define DXS_DAX_SHIFT	4
#define DXS_DAX_PMD	0x2UL
#define DXS_DAX_ZERO	0x4UL
#define DXS_DAX_EMPTY	0x8UL

#ifdef DXS_HAVE_DAX_BREAK_LAYOUT
#define DXS_EVICTION_WAITS	true
#else
#define DXS_EVICTION_WAITS	false
#endif

/**
 * dxs_dax_entry_pages() - size of a DAX entry, in pages
 * @entry: value entry of a mapping in dax mode
 */
unsigned long dxs_dax_entry_pages(void *entry)
{
	return xa_to_value(entry) & DXS_DAX_PMD ? PTRS_PER_PMD : 1;
}

/**
 * dxs_dax_entry_busy() - are there references to the pages of a DAX entry?
 * @entry: value entry of a mapping in dax mode; no page table maps it, or it is just
 *	being unmapped
 *
 * The mapping's own reference does not count. Up to Linux 6.14 each page of an entry
 * has a reference count, which is 1 when the page is idle. From 6.15 on an entry is
 * one folio. Its reference count is 0 when it is idle, and includes 1 for each
 * page-table entry: a count of 1 may be a pin (H62).
 *
 * Context: the mapping's xarray lock is held.
 */
bool dxs_dax_entry_busy(void *entry)
{
	unsigned long value = xa_to_value(entry);
	unsigned long pfn = value >> DXS_DAX_SHIFT;
#ifdef DXS_HAVE_DAX_BREAK_LAYOUT
	struct folio *folio;
#else
	unsigned long end = pfn + dxs_dax_entry_pages(entry);
#endif

	if (value & (DXS_DAX_ZERO | DXS_DAX_EMPTY))
		return false;
#ifdef DXS_HAVE_DAX_BREAK_LAYOUT
	folio = page_folio(pfn_to_page(pfn));
	return folio_ref_count(folio) > folio_mapcount(folio);
#else
	for (; pfn < end; pfn++)
		if (page_ref_count(pfn_to_page(pfn)) > 1)
			return true;
	return false;
#endif
}

/**
 * dxs_dax_eviction_waits() - does eviction wait for pinned pages?
 * @lower: a lower inode
 *
 * From Linux 6.15 on the lower filesystem waits, unkillably, until a pinned page of a
 * file in dax mode is released (H64). Before, it forgets the page.
 *
 * Context: any.
 */
bool dxs_dax_eviction_waits(const struct inode *lower)
{
	return IS_ENABLED(CONFIG_FS_DAX) && IS_DAX(lower) && DXS_EVICTION_WAITS;
}

/**
 * dxs_dax_drop() - drop all DAX entries of a mapping
 * @mapping: of a lower inode in dax mode, without busy pages
 *
 * H63: up to Linux 6.14 truncate_inode_pages() drops the entries. Later it warns of
 * entries that it finds, and the filesystem has to drop them first, by a function
 * that keeps interrupts off; so it is called for one part of the file at a time
 * (H47).
 *
 * Context: sleeps. The invalidate_lock is held for writing, and no page table maps
 * a page of the mapping.
 */
void dxs_dax_drop(struct address_space *mapping)
{
#ifdef DXS_HAVE_DAX_DELETE_MAPPING_RANGE
	unsigned long first = 0;

	while (xa_find(&mapping->i_pages, &first, ULONG_MAX, XA_PRESENT)) {
		unsigned long last = first | (DXS_PIECE - 1);

		dax_delete_mapping_range(mapping, (loff_t)first << PAGE_SHIFT,
					 ((loff_t)last << PAGE_SHIFT) +
					 PAGE_SIZE - 1);
		if (last == ULONG_MAX)
			break;
		first = last + 1;
		cond_resched();
	}
#endif
	/* Drops the entries up to Linux 6.14; later none are left. */
	truncate_inode_pages(mapping, 0);
}
