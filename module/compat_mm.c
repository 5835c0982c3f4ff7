// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults and VMAs: having the lower filesystem set up mappings, and protecting lower
 * mappings from parts of mm.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/tlbflush.h>

#include "compat.h"

/**
 * dxs_probe_vm_ops() - find out which vm_ops the lower filesystem gives a file
 * @file: open file of the lower filesystem
 *
 * Calls ->mmap_prepare with a descriptor or, on older kernels, ->mmap with a VMA that
 * is in no address space. ext4 and XFS read its flags and file, and set its vm_ops
 * and flags.
 *
 * Context: sleeps; the caller is a task with an address space.
 * Return: the vm_ops, or NULL.
 */
const struct vm_operations_struct *dxs_probe_vm_ops(struct file *file)
{
	struct mm_struct *mm = current->mm;
#ifdef DXS_HAVE_MMAP_PREPARE
	struct vm_area_struct vma = {
		.vm_mm = mm,
		.vm_file = file,
		.vm_end = PAGE_SIZE,
	};
	struct vm_area_desc desc;

	if (!mm || !file->f_op->mmap_prepare)
		return NULL;
	vm_flags_init(&vma, VM_READ | VM_MAYREAD | VM_SHARED);
	compat_set_desc_from_vma(&desc, file, &vma);
	return file->f_op->mmap_prepare(&desc) ? NULL : desc.vm_ops;
#else
	const struct vm_operations_struct *ops = NULL;
	struct vm_area_struct *vma;

	if (!mm)
		return NULL;
	vma = kzalloc_obj(*vma, GFP_KERNEL);
	if (!vma)
		return NULL;
	vma->vm_file = file;
	vma->vm_end = PAGE_SIZE;
	vm_flags_init(vma, VM_READ | VM_MAYREAD | VM_SHARED);
#ifdef DXS_HAVE_VMA_LOCK
	/*
	 * ->mmap changes flags of the VMA, which has to be write-locked for that.
	 * With this sequence number it counts as locked while the mmap_lock is held
	 * for writing.
	 */
	mmap_write_lock(mm);
	vma->vm_mm = mm;
#ifdef DXS_HAVE_MM_LOCK_SEQCOUNT
	vma->vm_lock_seq = mm->mm_lock_seq.sequence;
#else
	vma->vm_lock_seq = mm->mm_lock_seq;
#endif
#endif
	if (!file->f_op->mmap(file, vma))
		ops = vma->vm_ops;
#ifdef DXS_HAVE_VMA_LOCK
	mmap_write_unlock(mm);
#endif
	kfree(vma);
	return ops;
#endif
}

/**
 * dxs_mmap_lower() - have the lower filesystem set up a VMA
 * @fops: the lower file operations
 * @map: the VMA's file, which has operations of the stack
 * @vma: the VMA
 *
 * Does not use compat_vma_mmap() or vfs_mmap(), which would call the operations of
 * the VMA's file.
 *
 * Context: mmap_lock is held for writing.
 * Return: 0 or a negative errno.
 */
int dxs_mmap_lower(const struct file_operations *fops, struct file *map,
		   struct vm_area_struct *vma)
{
#ifdef DXS_HAVE_MMAP_PREPARE
	if (fops->mmap_prepare) {
		struct vm_area_desc desc;
		int err;

		compat_set_desc_from_vma(&desc, map, vma);
		err = fops->mmap_prepare(&desc);
		return err ?: __compat_vma_mmap(&desc, vma);
	}
#endif
	return fops->mmap(map, vma);
}

/**
 * dxs_limit_folios() - limit the folio size of a lower mapping to less than huge
 * @mapping: of a lower inode
 *
 * H16: khugepaged and MADV_COLLAPSE collapse pages of a file into a huge folio. They
 * check whether the file is in dax mode, drop the mmap_lock, and go on with only a
 * reference to the file; after a switch to dax in between they would put folios among
 * DAX entries (H61). Kernels with READ_ONLY_THP_FOR_FS skip files that have writers;
 * dxs_make_gates() makes the file look like one. Later kernels check the folio sizes
 * that the mapping supports, which this limits (H61).
 *
 * The lower filesystem sets the sizes when it loads an inode, and ext4 also when data
 * journalling of a file is turned on or off.
 *
 * Context: any.
 * Return: true if the mapping could have huge folios until now.
 */
bool dxs_limit_folios(struct address_space *mapping)
{
#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && !defined(DXS_HAVE_READ_ONLY_THP) && \
	defined(DXS_HAVE_MAPPING_FOLIO_ORDER)
	unsigned long old = READ_ONCE(mapping->flags), new;

	do {
		if ((old & AS_FOLIO_ORDER_MAX_MASK) >> AS_FOLIO_ORDER_MAX <
		    HPAGE_PMD_ORDER)
			return false;
		new = old & ~AS_FOLIO_ORDER_MAX_MASK;
		new |= (unsigned long)(HPAGE_PMD_ORDER - 1) << AS_FOLIO_ORDER_MAX;
	} while (!try_cmpxchg(&mapping->flags, &old, new));
	return true;
#else
	return false;
#endif
}

/**
 * dxs_flush_tlbs() - flush DAX entries that were cleared from the TLBs of all
 * processors
 *
 * H57: munmap(2) removes a VMA from the i_mmap before it flushes the TLBs for its
 * entries. If DAX pages are reference-counted like others (from 6.15 on), it holds
 * references until the flush, which dxs_dax_entry_busy() finds. On older kernels it
 * does not.
 *
 * H33: on x86 before 6.5, MADV_COLD and MADV_PAGEOUT take a huge DAX entry for a bad
 * one, and clear it without a TLB flush (pmd_none_or_trans_huge_or_clear_bad()). A
 * later zap finds no entry, and does not flush either.
 *
 * Context: does not sleep, but waits for all processors; interrupts are on.
 */
#if defined(DXS_HAVE_DAX_BREAK_LAYOUT)
void dxs_flush_tlbs(void)
{
}
#elif defined(CONFIG_X86)
static void dxs_flush_tlb_here(void *unused)
{
	__flush_tlb_all();
}

void dxs_flush_tlbs(void)
{
	on_each_cpu(dxs_flush_tlb_here, NULL, 1);
}
#elif defined(CONFIG_ARM64)
void dxs_flush_tlbs(void)
{
	flush_tlb_all();
}
#else
#error "no way is known to make all processors of this architecture flush their TLBs"
#endif
