// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes: detect accesses through mappings, which cause no faults.
 *
 * The CPU accesses a mapped page without notifying the kernel. So the probe unmaps a
 * few windows of the file, chosen at random, now and then: the next access to a
 * window takes a fault, which maps the window again and records the time. A window is
 * as large as the range that the kernel maps around a fault. The pages of a huge DAX
 * entry or a large folio are unmapped and mapped together; results are still reported
 * in windows.
 *
 * Unmapping pages of the page cache loses nothing: reclaim does the same. Private
 * copies stay mapped. A file that is locked in memory by any task stays mapped (H84).
 *
 * H85: dirty DAX entries stay mapped. The kernel clears the page-table entries of a
 * DAX page first and flushes the TLBs later. A writeback in between would find the
 * page unmapped and mark the entry clean, while a processor still stores through its
 * TLB: a later fsync(2) would not flush those stores. A clean entry is mapped
 * read-only. No fault can make it writable while the probe holds the lower
 * invalidate_lock. The lock also excludes tasks that free or share blocks, which rely
 * on no TLB holding entries for unmapped pages.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "entry.h"
#include "heat.h"
#include "mapping.h"

#define DXS_WINDOW	DAXSTACK_HEAT_WINDOW_PAGES

/* Files with more mappings than this are not probed: any user can create mappings. */
#define DXS_PROBE_MAPPINGS	4096

/*
 * Makes faults check the windows that were not touched yet. Context: ->probe_lock is
 * held.
 */
static void dxs_set_waiting(struct dxs_heat *heat)
{
	const struct dxs_heat_probe *probe = heat->probe;
	DECLARE_BITMAP(waiting, DXS_WAITING_BITS);
	unsigned int i;

	bitmap_zero(waiting, DXS_WAITING_BITS);
	/* Set the bits of all windows of a huge entry: it may be mapped page by page. */
	for (i = 0; i < probe->nr; i++)
		if (!probe->windows[i].hit)
			bitmap_set(waiting,
				   dxs_heat_window_bit(probe->windows[i].start),
				   probe->windows[i].pages / DXS_WINDOW);
	for (i = 0; i < ARRAY_SIZE(waiting); i++)
		WRITE_ONCE(heat->waiting[i], waiting[i]);
}

/**
 * dxs_heat_touch() - record a fault in the windows that contain its page
 * @heat: of the file; dxs_heat_waits() returned true
 * @pgoff: the page
 *
 * Context: any but NMI; does not sleep. Preemption is disabled.
 */
void dxs_heat_touch(struct dxs_heat *heat, pgoff_t pgoff)
{
	struct dxs_heat_probe *probe;
	bool hit = false;
	unsigned int i;
	u64 now;

	now = ktime_get_ns();
	raw_spin_lock(&heat->probe_lock);
	probe = heat->probe;
	for (i = 0; i < probe->nr; i++) {
		struct dxs_heat_window *window = &probe->windows[i];

		if (window->hit || pgoff < window->start ||
		    pgoff - window->start >= window->pages)
			continue;
		window->hit = true;
		hit = true;
		window->at = now > window->at ? now - window->at : 0;
	}
	if (hit)
		dxs_set_waiting(heat);
	raw_spin_unlock(&heat->probe_lock);
}

/**
 * dxs_heat_tell_probe() - report the results of a file's windows
 * @heat: of the file
 * @file: @probed, @probe_hits and @probe_wait_ns are filled in
 *
 * All windows of a large entry wait until it is touched. The first touch counts as
 * one of one window; the other windows have waited for the same time and wait no
 * more.
 *
 * Context: does not sleep.
 */
void dxs_heat_tell_probe(struct dxs_heat *heat, struct daxstack_heat_file *file)
{
	const struct dxs_heat_probe *probe;
	unsigned int i, in_it;

	raw_spin_lock(&heat->probe_lock);
	probe = heat->probe;
	for (i = 0; probe && i < probe->nr; i++) {
		const struct dxs_heat_window *window = &probe->windows[i];

		in_it = window->pages / DXS_WINDOW;
		if (window->hit) {
			file->probed++;
			file->probe_hits++;
			file->probe_wait_ns += window->at * in_it;
		} else {
			file->probed += in_it;
		}
	}
	raw_spin_unlock(&heat->probe_lock);
}

/*
 * H84: is a mapping of the file locked in memory? PG_mlocked is not reliable: large
 * folios that are mapped page by page do not have it.
 */
static bool dxs_heat_locked(struct address_space *mapping)
{
	unsigned int left = DXS_PROBE_MAPPINGS;
	struct rb_node *node;
	bool locked = false;

	i_mmap_lock_read(mapping);
	for (node = rb_first_cached(&mapping->i_mmap); node && !locked;
	     node = rb_next(node))
		locked = !left-- ||
			 rb_entry(node, struct vm_area_struct, shared.rb)->vm_flags &
			 VM_LOCKED;
	i_mmap_unlock_read(mapping);
	return locked;
}

/*
 * Widens a window to the huge DAX entry or large folio at its start, which one fault
 * may map. H41: the type of an entry follows from the mode, which is stable under the
 * xarray lock.
 */
static void dxs_window_widen(struct address_space *mapping,
			     struct dxs_heat_window *window)
{
	XA_STATE(xas, &mapping->i_pages, window->start);
	unsigned long pages = 0;
	void *entry;

	xas_lock_irq(&xas);
	entry = xas_load(&xas);
	if (entry && !xa_is_value(entry))
		pages = folio_nr_pages(entry);
	else if (entry && IS_DAX(mapping->host))
		pages = dxs_dax_entry_pages(entry);
	xas_unlock_irq(&xas);
	if (pages <= DXS_WINDOW)
		return;
	window->start = round_down(window->start, pages);
	window->pages = pages;
}

/*
 * H85: is a window in dax mode dirty? Up to Linux 6.2 read faults mark entries as
 * dirty, too. Those are written back here, which flushes the TLBs before the entries
 * become clean.
 */
static bool dxs_window_dirty(struct address_space *mapping,
			     const struct dxs_heat_window *window)
{
	const unsigned long last = window->start + window->pages - 1;
	unsigned long first = window->start;

	if (!xa_find(&mapping->i_pages, &first, last, PAGECACHE_TAG_DIRTY))
		return false;
	if (!DXS_LOADS_DIRTY_DAX)
		return true;
	filemap_fdatawrite_range(mapping, (loff_t)window->start << PAGE_SHIFT,
				 (((loff_t)last + 1) << PAGE_SHIFT) - 1);
	first = window->start;
	return xa_find(&mapping->i_pages, &first, last, PAGECACHE_TAG_DIRTY);
}

/*
 * Chooses a window at random between the windows @from and @to of the file.
 *
 * Return: true if it may be unmapped.
 */
static bool dxs_choose_window(struct address_space *mapping, u64 from, u64 to,
			      struct dxs_heat_window *window)
{
	*window = (struct dxs_heat_window){
		.start = (from + mul_u64_u32_shr(to - from, get_random_u32(), 32)) *
			 DXS_WINDOW,
		.pages = DXS_WINDOW,
	};
	dxs_window_widen(mapping, window);
	return !IS_DAX(mapping->host) || !dxs_window_dirty(mapping, window);
}

static void dxs_choose_windows(struct address_space *mapping, unsigned int nr,
			       struct dxs_heat_probe *probe)
{
	u64 all = DIV_ROUND_UP_ULL(i_size_read(mapping->host),
				   DXS_WINDOW * PAGE_SIZE);
	struct dxs_heat_window *window = probe->windows;
	unsigned int i;

	nr = min_t(u64, nr, all);
	for (i = 0; i < nr; i++) {
		if (!dxs_choose_window(mapping, div_u64(all * i, nr),
				       div_u64(all * (i + 1), nr), window))
			continue;
		/* Two choices may fall into one large entry. */
		if (probe->nr && window->start == window[-1].start)
			continue;
		window++;
		probe->nr++;
	}
}

/* Touches are recorded from here on. */
static void dxs_publish_windows(struct dxs_heat *heat,
				const struct dxs_heat_probe *chosen)
{
	u64 now = ktime_get_ns();
	unsigned int i;

	raw_spin_lock(&heat->probe_lock);
	*heat->probe = *chosen;
	for (i = 0; i < chosen->nr; i++)
		heat->probe->windows[i].at = now;
	dxs_set_waiting(heat);
	raw_spin_unlock(&heat->probe_lock);
}

/**
 * dxs_heat_probe() - unmap new windows of a file, replacing the previous ones
 * @heat: of the file, whose inode is referenced
 * @nr: number of windows at most, up to DAXSTACK_HEAT_PROBES_MAX
 *
 * Context: sleeps; serialized by the session lock.
 */
void dxs_heat_probe(struct dxs_heat *heat, unsigned int nr)
{
	const struct dxs_inode *di = DXS_I(heat->inode);
	struct address_space *mapping = di->lower->i_mapping;
	struct dxs_heat_probe *chosen;
	unsigned int i;
	bool held;

	/* Faults on a VMA with the lower vm_ops are not seen. */
	if (READ_ONCE(di->gates.fault.bypassed) || !dxs_mapped(mapping) ||
	    dxs_heat_locked(mapping))
		nr = 0;
	if (!nr && !heat->probe)
		return;
	if (!heat->probe) {
		struct dxs_heat_probe *probe = kzalloc_obj(*probe, GFP_KERNEL);

		if (!probe)
			return;
		raw_spin_lock(&heat->probe_lock);
		heat->probe = probe;
		raw_spin_unlock(&heat->probe_lock);
	}
	chosen = kzalloc_obj(*chosen, GFP_KERNEL);
	if (!chosen)
		return;
	/* H85. If another task holds the lock, the file gets no windows this time. */
	held = down_write_trylock(&mapping->invalidate_lock);
	if (held)
		dxs_choose_windows(mapping, nr, chosen);
	dxs_publish_windows(heat, chosen);
	for (i = 0; i < chosen->nr; i++)
		unmap_mapping_pages(mapping, chosen->windows[i].start,
				    chosen->windows[i].pages, false);
	if (held)
		filemap_invalidate_unlock(mapping);
	kfree(chosen);
}
