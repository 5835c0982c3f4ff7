// SPDX-License-Identifier: GPL-2.0
/*
 * Faults and VMAs: how the lower filesystem is asked for a mapping, and what of mm
 * has to be kept away from lower mappings.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/tlbflush.h>

#include "daxstack.h"

/**
 * dxs_probe_vm_ops() - which vm_ops does the lower filesystem give a file?
 * @file: open file of the lower filesystem
 *
 * Asks for a mapping without making one: through a description of it, or on kernels
 * without those through a VMA that is in no address space. ext4 and XFS look at its
 * flags and file, and set its vm_ops and flags.
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
	 * ->mmap changes the flags of a VMA that it takes to be locked: this one
	 * counts as locked for as long as the mmap_lock is held for writing.
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
 * @fops: its file operations
 * @map: the VMA's file, which has operations of ours
 * @vma: the VMA
 *
 * compat_vma_mmap() and vfs_mmap() would go by the operations of the VMA's file.
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
 * dxs_limit_folios() - keep huge folios of the page cache from a lower mapping
 * @mapping: of a lower inode
 *
 * H16: khugepaged and MADV_COLLAPSE make a huge folio of the pages of a file. They
 * look whether the file is in dax mode, give up the mmap_lock, and work on the
 * mapping with only a reference to the file; a switch to dax in between has them
 * put folios among DAX entries. Kernels with READ_ONLY_THP_FOR_FS leave files alone
 * that somebody may write to: dxs_make_gates() sees to that. Later ones go by the
 * size of the folios that the mapping may have.
 *
 * The lower filesystem sets that size when it loads an inode, and ext4 also when
 * data journalling of a file is turned on or off.
 *
 * Context: any.
 * Return: whether the mapping could have had huge folios until now.
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
 * dxs_flush_tlbs() - no processor knows of a DAX entry that was cleared
 *
 * H57: munmap(2) takes a VMA out of the i_mmap before it tells the processors that
 * its entries are gone. Where DAX pages are counted as others are, it refers to
 * them until then, and dxs_dax_entry_busy() finds that. Before, it does not.
 *
 * H33: on x86 madvise(2) with MADV_COLD or MADV_PAGEOUT takes a huge DAX entry
 * for a bad one before 6.5, and clears it without telling the processors
 * (pmd_none_or_trans_huge_or_clear_bad()). A later zap finds nothing there, and
 * tells them nothing either.
 *
 * Context: sleeps not, but waits for all processors; interrupts are on.
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
