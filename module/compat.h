/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernels, and nothing else. The rest of the module is
 * written for 6.1.
 */
#ifndef DXS_COMPAT_H
#define DXS_COMPAT_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/version.h>
#include <linux/xarray.h>
#include <asm/tlbflush.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#error "daxstack is written for Linux 6.1"
#endif

/**
 * dxs_swap_labels() - what security modules keep of two open files changes places
 * @a: an open file
 * @b: another one of the same inode, that nobody else has
 *
 * On kernels with backing files, security modules know the user's file of each.
 *
 * Context: any.
 */
static inline void dxs_swap_labels(struct file *a, struct file *b)
{
#ifdef CONFIG_SECURITY
	swap(a->f_security, b->f_security);
#endif
}

/*
 * DAX entries of a mapping, as fs/dax.c of 6.1 makes them: a value entry with
 * four flag bits below the page frame number.
 */
#define DXS_DAX_SHIFT	4
#define DXS_DAX_PMD	0x2UL
#define DXS_DAX_ZERO	0x4UL
#define DXS_DAX_EMPTY	0x8UL

/* How many pages a DAX entry stands for. */
static inline unsigned long dxs_dax_entry_pages(void *entry)
{
	return xa_to_value(entry) & DXS_DAX_PMD ? PTRS_PER_PMD : 1;
}

/**
 * dxs_dax_entry_busy() - does anyone but the mapping use a DAX entry's pages?
 * @entry: value entry of a mapping in dax mode
 *
 * Up to 6.14 the idle count of a DAX page is one.
 *
 * Context: the mapping's xarray lock is held.
 */
static inline bool dxs_dax_entry_busy(void *entry)
{
	unsigned long value = xa_to_value(entry);
	unsigned long pfn = value >> DXS_DAX_SHIFT;
	unsigned long end = pfn + dxs_dax_entry_pages(entry);

	if (value & (DXS_DAX_ZERO | DXS_DAX_EMPTY))
		return false;
	for (; pfn < end; pfn++)
		if (page_ref_count(pfn_to_page(pfn)) > 1)
			return true;
	return false;
}

/**
 * dxs_flush_tlbs() - no processor knows of an entry that was cleared
 *
 * H57: munmap(2) takes a VMA out of the i_mmap before it tells the processors that
 * its entries are gone.
 *
 * H33: on x86 madvise(2) with MADV_COLD or MADV_PAGEOUT takes a huge DAX entry
 * for a bad one before 6.5, and clears it without telling the processors
 * (pmd_none_or_trans_huge_or_clear_bad()). A later zap finds nothing there, and
 * tells them nothing either.
 *
 * Context: sleeps not, but waits for all processors; interrupts are on.
 */
#ifdef CONFIG_X86
static inline void dxs_flush_tlb_here(void *unused)
{
	__flush_tlb_all();
}

static inline void dxs_flush_tlbs(void)
{
	on_each_cpu(dxs_flush_tlb_here, NULL, 1);
}
#elif defined(CONFIG_ARM64)
static inline void dxs_flush_tlbs(void)
{
	flush_tlb_all();
}
#else
#error "no way is known to make all processors of this architecture flush their TLBs"
#endif

#endif /* DXS_COMPAT_H */
