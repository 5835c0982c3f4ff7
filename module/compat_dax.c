// SPDX-License-Identifier: GPL-2.0
/*
 * DAX entries of a mapping, as fs/dax.c makes them: a value entry with four flag
 * bits below the page frame number. 6.1, 6.12 and 7.3 have the same.
 */
#include <linux/dax.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "daxstack.h"

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
 * dxs_dax_entry_pages() - how many pages does a DAX entry stand for?
 * @entry: value entry of a mapping in dax mode
 */
unsigned long dxs_dax_entry_pages(void *entry)
{
	return xa_to_value(entry) & DXS_DAX_PMD ? PTRS_PER_PMD : 1;
}

/**
 * dxs_dax_entry_busy() - does anyone but the mapping use a DAX entry's pages?
 * @entry: value entry of a mapping in dax mode; page tables do not map it, or are
 *	just being told not to
 *
 * Up to Linux 6.14 each page of an entry has a count of its own, which is one when
 * the page is idle. From 6.15 on an entry is one folio, whose count is that of its
 * users: zero when it is idle, with one for each page table entry.
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
 * From Linux 6.15 on the lower filesystem waits, and cannot be killed, until a
 * page of a file in dax mode is let go. Before, it forgets the page.
 *
 * Context: any.
 */
bool dxs_dax_eviction_waits(const struct inode *lower)
{
	return IS_ENABLED(CONFIG_FS_DAX) && IS_DAX(lower) && DXS_EVICTION_WAITS;
}

/**
 * dxs_dax_drop() - drop all DAX entries of a mapping
 * @mapping: of a lower inode in dax mode, of which nobody has a page
 *
 * truncate_inode_pages() does that up to Linux 6.14. Later it warns of entries that
 * it finds, and the filesystem has to drop them first. The kernel's call for that
 * has interrupts off all the while; so it is made for a part of the file at a time
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
	/* ... and what else is there, which is nothing. */
	truncate_inode_pages(mapping, 0);
}
