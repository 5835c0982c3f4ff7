// SPDX-License-Identifier: GPL-2.0
/*
 * Faults: through the fault gate to the lower handler of the mode of the
 * moment.
 *
 * A handler never sees a mapping change its nature: a switch takes place only
 * while nobody is inside the fault gate, no page table maps a page, and the
 * mapping holds none.
 */
#include <linux/mm.h>

#include "daxstack.h"
#include "tell.h"

static struct inode *dxs_vma_inode(const struct vm_area_struct *vma)
{
	return vma->vm_file->private_data;
}

static struct dxs_gate *dxs_fault_gate(const struct vm_area_struct *vma)
{
	return &DXS_I(dxs_vma_inode(vma))->gates.fault;
}

/*
 * Every instruction of a fault counts (docs/performance.md): what all faults need
 * is inline in the handlers, what few need is kept out of them.
 */

/* The lower handlers of the mode that the file is in; inside the gate. */
static __always_inline const struct vm_operations_struct *
dxs_lower_ops(const struct vm_fault *vmf)
{
	struct inode *inode = dxs_vma_inode(vmf->vma);
	int mode = dxs_mode(inode);

	dxs_trace_fault(inode, vmf, mode);
	return DXS_SB(inode->i_sb)->personality[mode].vm_ops;
}

static bool dxs_may_unlock(const struct vm_fault *vmf)
{
	return (vmf->flags & FAULT_FLAG_ALLOW_RETRY) &&
		!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT);
}

/*
 * A switch has the gate shut. Wait for its end without the mmap_lock, else
 * every mmap and fault of the process would wait too (H5), and have the fault
 * done anew, with every check that was made before it (H9).
 */
static noinline vm_fault_t dxs_fault_wait(struct vm_fault *vmf)
{
	struct dxs_gate *gate = dxs_fault_gate(vmf->vma);
	struct file *file = vmf->vma->vm_file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (!dxs_may_unlock(vmf))
		/* Nothing for it but to wait with the mmap_lock held. */
		return dxs_gate_enter(gate) ? VM_FAULT_SIGBUS : 0;

	/* Without the lock the VMA may go; the file keeps inode and gate. */
	get_file(file);
	release_fault_lock(vmf);
	dxs_gate_wait(gate);
	fput(file);
	return VM_FAULT_RETRY;
}

/*
 * Does the address space know that the file of this VMA is in dax mode?
 *
 * H29: some take a VMA for one of the page cache, by vma_is_dax() or the a_ops,
 * and then walk its page tables, or take pages from them, with the mmap_lock
 * held for reading all the while: long-term pinners, and reclaim with MGLRU. They
 * must not meet the DAX entries of a switch in between. So the first fault of a
 * VMA after a switch to dax waits for them, by taking the mmap_lock for writing
 * once. Up to which switch that was done, the VMA notes itself: the lower
 * filesystem has no use for vm_private_data.
 */
static bool dxs_vma_settled(const struct vm_area_struct *vma)
{
	return (u32)(unsigned long)vma->vm_private_data ==
		DXS_I(dxs_vma_inode(vma))->dax_turns;
}

/*
 * H57: page tables are about to have DAX entries of this file. A VMA that is
 * settled for the switch of the moment has said so.
 */
static void dxs_note_dax_mapped(struct dxs_inode *di)
{
	if (!READ_ONCE(di->dax_mapped))
		WRITE_ONCE(di->dax_mapped, true);
}

/* Outside the gate. Return: what the fault handler returns. */
static noinline vm_fault_t dxs_vma_settle(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	struct file *file = get_file(vmf->vma->vm_file);
	struct dxs_inode *di = DXS_I(dxs_vma_inode(vmf->vma));
	u32 turns = READ_ONCE(di->dax_turns);
	unsigned long address = vmf->address;
	struct vm_area_struct *vma;

	/*
	 * After @turns was read: if a switch clears it again, that number is of
	 * the past, and the VMA comes here once more.
	 */
	smp_mb();
	dxs_note_dax_mapped(di);
	release_fault_lock(vmf);
	if (!mmap_write_lock_killable(mm)) {
		vma = vma_lookup(mm, address);
		if (vma && vma->vm_file == file) {
			/* ... and for those who have the VMA's lock only. */
			vma_start_write(vma);
			vma->vm_private_data = (void *)(unsigned long)turns;
		}
		mmap_write_unlock(mm);
	}
	fput(file);
	return VM_FAULT_RETRY;
}

/*
 * H9: who pins for long (RDMA, VFIO, io_uring) is refused DAX pages by a check
 * made before the fault, and never after. Only such a pinner has the flag.
 */
static bool dxs_is_longterm_pin(void)
{
	return current->flags & PF_MEMALLOC_PIN;
}

/*
 * The fault cannot wait for those who walk the VMA's page tables. Reclaim with MGLRU
 * does so in an RCU section, and warns of DAX entries up to Linux 6.12: it is waited
 * for a grace period since the switch.
 *
 * Context: inside the gate.
 * Return: 0, still inside, or VM_FAULT_RETRY, outside.
 */
static noinline vm_fault_t dxs_enter_unsettled(struct vm_fault *vmf)
{
	struct dxs_inode *di = DXS_I(dxs_vma_inode(vmf->vma));

	dxs_note_dax_mapped(di);
	if (poll_state_synchronize_rcu(di->flip_rcu))
		return 0;
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) {
		dxs_gate_leave(&di->gates.fault);
		return VM_FAULT_RETRY;
	}
	dxs_flip_settle(di);
	return 0;
}

/* Return: 0 if inside the gate, else what the fault handler returns. */
static __always_inline vm_fault_t dxs_fault_enter(struct vm_fault *vmf)
{
	struct dxs_gate *gate = dxs_fault_gate(vmf->vma);
	vm_fault_t ret;

	if (unlikely(!dxs_gate_try_enter(gate))) {
		ret = dxs_fault_wait(vmf);
		if (ret)
			return ret;
	}
	if (dxs_mode(dxs_vma_inode(vmf->vma)) == DAXSTACK_CACHED)
		return 0;
	if (unlikely(dxs_is_longterm_pin())) {
		dxs_gate_leave(gate);
		return VM_FAULT_SIGBUS;
	}
	if (likely(dxs_vma_settled(vmf->vma)))
		return 0;
	if (!dxs_may_unlock(vmf))
		return dxs_enter_unsettled(vmf);
	dxs_gate_leave(gate);
	return dxs_vma_settle(vmf);
}

/*
 * In all handlers: the lower one may drop the mmap_lock and return
 * VM_FAULT_RETRY, and VMA, file and inode may be gone by then. The gate stays:
 * dxs_evict_inode() waits for whoever is inside (H4). So the gate is looked up
 * before.
 */
static vm_fault_t dxs_vm_fault(struct vm_fault *vmf)
{
	struct dxs_gate *gate = dxs_fault_gate(vmf->vma);
	vm_fault_t ret;

	ret = dxs_fault_enter(vmf);
	if (ret)
		return ret;
	ret = dxs_lower_ops(vmf)->fault(vmf);
	dxs_gate_leave(gate);
	return ret;
}

static vm_fault_t dxs_vm_huge_fault(struct vm_fault *vmf,
				    DXS_FAULT_SIZE size)
{
	struct dxs_gate *gate = dxs_fault_gate(vmf->vma);
	const struct vm_operations_struct *ops;
	vm_fault_t ret;

	ret = dxs_fault_enter(vmf);
	if (ret)
		return ret;
	ops = dxs_lower_ops(vmf);
	/* H29: whoever could not be waited for takes a huge entry for a table. */
	if (ops->huge_fault && dxs_vma_settled(vmf->vma))
		ret = ops->huge_fault(vmf, size);
	else
		ret = VM_FAULT_FALLBACK;
	dxs_gate_leave(gate);
	return ret;
}

/*
 * Runs under RCU in some kernels, and is only a help: no waiting (H6). Of a file
 * in dax mode the lower filesystem never maps anything here, only looks for
 * folios. A file that leaves or enters dax mode meanwhile is no worse for being
 * taken for what it was.
 */
static vm_fault_t dxs_vm_map_pages(struct vm_fault *vmf, pgoff_t start,
				   pgoff_t end)
{
	struct dxs_gate *gate = dxs_fault_gate(vmf->vma);
	const struct vm_operations_struct *ops;
	vm_fault_t ret = 0;

	if (dxs_mode(dxs_vma_inode(vmf->vma)) == DAXSTACK_DAX)
		return 0;
	if (!dxs_gate_try_enter(gate))
		return 0;
	ops = dxs_lower_ops(vmf);
	if (ops->map_pages)
		ret = ops->map_pages(vmf, start, end);
	dxs_gate_leave(gate);
	return ret;
}

/*
 * The gate is shut, and the caller may hold a reference to the page. If it waited
 * here, a switch would find the page pinned, for ever (H3): so the fault is
 * taken again. H45: as long as the page is mapped for reading, it would only come
 * here again; a real-time task would do so for ever, on the processor that the
 * switch needs to come to its zap. So the page is unmapped: ->fault, which waits,
 * is called then.
 */
static noinline vm_fault_t dxs_mkwrite_again(struct vm_fault *vmf)
{
	unmap_mapping_range(vmf->vma->vm_file->f_mapping,
			    (loff_t)vmf->pgoff << PAGE_SHIFT, PAGE_SIZE, 0);
	return VM_FAULT_NOPAGE;
}

/* The caller holds a reference to the page: only tries (H3). */
static vm_fault_t dxs_vm_page_mkwrite(struct vm_fault *vmf)
{
	struct dxs_gate *gate = dxs_fault_gate(vmf->vma);
	vm_fault_t ret = VM_FAULT_NOPAGE;

	if (!dxs_gate_try_enter(gate))
		return dxs_mkwrite_again(vmf);
	/* H2: chosen for a page of the page cache, and there are none now. */
	if (dxs_mode(dxs_vma_inode(vmf->vma)) == DAXSTACK_CACHED)
		ret = dxs_lower_ops(vmf)->page_mkwrite(vmf);
	dxs_gate_leave(gate);
	return ret;
}

/* As above; no page is held here, but none is there to be given back either. */
static vm_fault_t dxs_vm_pfn_mkwrite(struct vm_fault *vmf)
{
	struct dxs_gate *gate = dxs_fault_gate(vmf->vma);
	vm_fault_t ret = VM_FAULT_NOPAGE;

	if (!dxs_gate_try_enter(gate))
		return dxs_mkwrite_again(vmf);
	/* H2: chosen for a DAX entry; in cached mode vmf has no page. */
	if (dxs_is_longterm_pin())
		ret = VM_FAULT_SIGBUS;
	else if (dxs_mode(dxs_vma_inode(vmf->vma)) == DAXSTACK_DAX)
		ret = dxs_lower_ops(vmf)->pfn_mkwrite(vmf);
	dxs_gate_leave(gate);
	return ret;
}

static const struct vm_operations_struct dxs_vm_ops = {
	.fault		= dxs_vm_fault,
	.huge_fault	= dxs_vm_huge_fault,
	.map_pages	= dxs_vm_map_pages,
	.page_mkwrite	= dxs_vm_page_mkwrite,
	.pfn_mkwrite	= dxs_vm_pfn_mkwrite,
};

/*
 * Faults on MAP_SYNC mappings that are under way. The lower handler may end
 * such a fault with ->fsync of the VMA's file, which is ours and would enter
 * the I/O gate inside the fault gate: against the lock order (H26). The fault
 * gate keeps switches away as well, so that this call needs no other; it is
 * known by the task that makes it.
 */
struct dxs_marks dxs_sync_faults = {
	.lock = __SPIN_LOCK_UNLOCKED(dxs_sync_faults.lock),
	.list = LIST_HEAD_INIT(dxs_sync_faults.list),
};

static vm_fault_t dxs_vm_sync_fault(struct vm_fault *vmf)
{
	struct dxs_mark mark;
	vm_fault_t ret;

	dxs_mark(&dxs_sync_faults, &mark);
	ret = dxs_vm_fault(vmf);
	dxs_unmark(&dxs_sync_faults, &mark);
	return ret;
}

static vm_fault_t dxs_vm_sync_huge_fault(struct vm_fault *vmf,
					 DXS_FAULT_SIZE size)
{
	struct dxs_mark mark;
	vm_fault_t ret;

	dxs_mark(&dxs_sync_faults, &mark);
	ret = dxs_vm_huge_fault(vmf, size);
	dxs_unmark(&dxs_sync_faults, &mark);
	return ret;
}

static vm_fault_t dxs_vm_sync_pfn_mkwrite(struct vm_fault *vmf)
{
	struct dxs_mark mark;
	vm_fault_t ret;

	dxs_mark(&dxs_sync_faults, &mark);
	ret = dxs_vm_pfn_mkwrite(vmf);
	dxs_unmark(&dxs_sync_faults, &mark);
	return ret;
}

static void dxs_vm_sync_open(struct vm_area_struct *vma)
{
	atomic_inc(&DXS_I(dxs_vma_inode(vma))->sync_maps);
}

static void dxs_vm_sync_close(struct vm_area_struct *vma)
{
	atomic_dec(&DXS_I(dxs_vma_inode(vma))->sync_maps);
}

/* VMAs with MAP_SYNC are counted (H10); others stay mergeable. */
static const struct vm_operations_struct dxs_vm_sync_ops = {
	.open		= dxs_vm_sync_open,
	.close		= dxs_vm_sync_close,
	.fault		= dxs_vm_sync_fault,
	.huge_fault	= dxs_vm_sync_huge_fault,
	.map_pages	= dxs_vm_map_pages,
	.page_mkwrite	= dxs_vm_page_mkwrite,
	.pfn_mkwrite	= dxs_vm_sync_pfn_mkwrite,
};

/**
 * dxs_adopt_vma() - put our handlers before those that ->mmap installed
 * @inode: of the stack
 * @vma: set up by the lower ->mmap for the mode of the moment
 * @had: vm_flags before that
 *
 * A VMA outlives its mode, so that nothing of the mode may stay in it:
 * VM_HUGEPAGE, which ->mmap sets for dax, would make readahead of the page
 * cache read 2 MiB at a time later. DAX faults on 6.1 do not look at it.
 *
 * Context: inside the fault gate.
 */
void dxs_adopt_vma(struct inode *inode, struct vm_area_struct *vma,
		   unsigned long had)
{
	const struct dxs_sb *sbi = DXS_SB(inode->i_sb);

	/* Pairs with the release in dxs_learn_personalities(). */
	if (!smp_load_acquire(&sbi->switchable) ||
	    vma->vm_ops != sbi->personality[dxs_mode(inode)].vm_ops) {
		/* Not what we learned: leave it alone, and never switch. */
		WRITE_ONCE(DXS_I(inode)->gates.fault.bypassed, true);
		return;
	}
	if (!(had & VM_HUGEPAGE))
		vm_flags_clear(vma, VM_HUGEPAGE);
	/* The mmap_lock is held for writing: nobody has to be waited for. */
	vma->vm_private_data =
		(void *)(unsigned long)DXS_I(inode)->dax_turns;
	if (dxs_mode(inode) == DAXSTACK_DAX)
		dxs_note_dax_mapped(DXS_I(inode));
	if (vma->vm_flags & VM_SYNC) {
		vma->vm_ops = &dxs_vm_sync_ops;
		dxs_vm_sync_open(vma);
	} else {
		vma->vm_ops = &dxs_vm_ops;
	}
}
