// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults: each handler enters the fault gate and calls the lower handler of the
 * file's current mode.
 *
 * The mode cannot change while a lower handler runs: a switch changes it only when no
 * task is inside the fault gate, no page table maps a page of the file, and the
 * mapping is empty.
 */
#include <linux/mm.h>

#include "entry.h"
#include "gates.h"
#include "marks.h"
#include "tell.h"
#include "vfs.h"

/* Pages mapped by a huge fault. */
#define DXS_HUGE_PAGES	(1u << (PMD_SHIFT - PAGE_SHIFT))

static struct inode *dxs_vma_inode(const struct vm_area_struct *vma)
{
	return vma->vm_file->private_data;
}

static struct dxs_inode *dxs_vma_di(const struct vm_area_struct *vma)
{
	return DXS_I(dxs_vma_inode(vma));
}

static struct dxs_gate *dxs_di_gate(struct dxs_inode *di)
{
	return &di->gates.fault;
}

static struct dxs_gate *dxs_fault_gate(const struct vm_area_struct *vma)
{
	return dxs_di_gate(dxs_vma_di(vma));
}

/*
 * Every instruction of a fault counts (docs/performance.md). The common path is
 * inline in the handlers; rare cases are out of line and called last, so that the
 * compiler saves no registers around the calls.
 */

static const struct vm_operations_struct dxs_vm_ops;
static const struct vm_operations_struct dxs_vm_dax_ops;

/*
 * The operations for a VMA without MAP_SYNC of a file in @mode. A VMA with the
 * operations of the other mode works too, but its faults take longer.
 */
static const struct vm_operations_struct *dxs_vm_ops_for(int mode)
{
	if (DXS_NO_MAP_PAGES_IN_DAX && mode == DAXSTACK_DAX)
		return &dxs_vm_dax_ops;
	return &dxs_vm_ops;
}

/* True if this VMA has no ->map_pages, so that no pages are mapped around a fault. */
static bool dxs_vma_lacks_map_pages(const struct vm_area_struct *vma)
{
	return DXS_NO_MAP_PAGES_IN_DAX && vma->vm_ops == &dxs_vm_dax_ops;
}

static __always_inline const struct vm_operations_struct *
dxs_mode_ops(const struct dxs_inode *di, int mode)
{
	return DXS_SB(di->vfs_inode.i_sb)->personality[mode].vm_ops;
}

/* The lower handlers of the file's current mode. Context: inside the fault gate. */
static const struct vm_operations_struct *
dxs_lower_ops(const struct vm_fault *vmf)
{
	struct inode *inode = dxs_vma_inode(vmf->vma);
	int mode = dxs_mode(inode);

	dxs_trace_fault(inode, vmf, mode);
	return dxs_mode_ops(DXS_I(inode), mode);
}

/*
 * End of a handler: neither VMA nor file may be used after this. The gate's address
 * is computed anew; otherwise the compiler would keep it in a callee-saved register
 * across the lower handler.
 */
static __always_inline vm_fault_t dxs_fault_leave(struct dxs_inode *di,
						  vm_fault_t ret)
{
	OPTIMIZER_HIDE_VAR(di);
	if (likely(dxs_gate_left(dxs_di_gate(di))))
		return ret;
	return (__force vm_fault_t)
		dxs_gate_leave_slow_with(dxs_di_gate(di), (__force long)ret);
}

/*
 * End of a handler that has served a fault, while a heat session counts. Context:
 * inside the fault gate. The counters stay valid while preemption is disabled, which
 * leaving the gate needs as well.
 */
static noinline vm_fault_t dxs_count_fault_slow(struct dxs_inode *di, pgoff_t pgoff,
						unsigned int pages, bool write,
						vm_fault_t ret)
{
	dxs_heat_fault_slow(&di->vfs_inode, pgoff, pages, write);
	return dxs_fault_leave(di, ret);
}

static __always_inline vm_fault_t dxs_count_fault(struct dxs_inode *di, pgoff_t pgoff,
						  unsigned int pages, bool write,
						  vm_fault_t ret)
{
	struct dxs_heat *heat = dxs_heat_begin(&di->vfs_inode);

	if (unlikely(!heat))
		return dxs_count_fault_slow(di, pgoff, pages, write, ret);
	if (unlikely(dxs_heat_waits(heat, pgoff))) {
		dxs_heat_end();
		return dxs_count_fault_slow(di, pgoff, pages, write, ret);
	}
	dxs_heat_fault(heat, pgoff, pages, write);
	OPTIMIZER_HIDE_VAR(di);
	if (likely(__dxs_gate_left(dxs_di_gate(di))))
		return ret;
	return (__force vm_fault_t)
		dxs_gate_leave_slow_with(dxs_di_gate(di), (__force long)ret);
}

/*
 * Counts a fault that ->fault served, once. A store to a shared page of the page
 * cache also comes to ->page_mkwrite and is counted there. A fault that makes a
 * private copy counts as a read. The VMA may be gone if the fault is to be retried,
 * so it is looked at only after that check.
 */
static __always_inline vm_fault_t dxs_fault_served(const struct vm_fault *vmf,
						   struct dxs_inode *di,
						   unsigned int pages,
						   vm_fault_t ret)
{
	if (unlikely(ret & DXS_NO_FAULT))
		return dxs_fault_leave(di, ret);
	if (!(vmf->flags & FAULT_FLAG_WRITE) ||
	    !(vmf->vma->vm_flags & VM_SHARED))
		return dxs_count_fault(di, vmf->pgoff, pages, false, ret);
	if (!IS_DAX(di->lower))
		return dxs_fault_leave(di, ret);
	return dxs_count_fault(di, vmf->pgoff, pages, true, ret);
}

/* Counts a store to a page that was mapped read-only. */
static __always_inline vm_fault_t dxs_store_served(const struct vm_fault *vmf,
						   struct dxs_inode *di,
						   vm_fault_t ret)
{
	if (unlikely(ret & DXS_NO_FAULT))
		return dxs_fault_leave(di, ret);
	return dxs_count_fault(di, vmf->pgoff, 1, true, ret);
}

/* VM_FAULT_NOPAGE: the page no longer belongs to the file, and the fault is retried. */
static __always_inline vm_fault_t
dxs_cached_store_served(const struct vm_fault *vmf, struct dxs_inode *di,
			vm_fault_t ret)
{
	if (unlikely(ret & (DXS_NO_FAULT | VM_FAULT_NOPAGE)))
		return dxs_fault_leave(di, ret);
	return dxs_count_fault(di, vmf->pgoff, 1, true, ret);
}

static bool dxs_may_unlock(const struct vm_fault *vmf)
{
	return (vmf->flags & FAULT_FLAG_ALLOW_RETRY) &&
		!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT);
}

/*
 * A switch has closed the gate. Wait for it without the mmap_lock, otherwise every
 * mmap and fault of the process would wait too (H5); a fault that has the lock of its
 * VMA alone drops that (H58). The retry repeats all checks that precede a fault (H9).
 */
static noinline vm_fault_t dxs_fault_wait(struct vm_fault *vmf)
{
	struct dxs_gate *gate = dxs_fault_gate(vmf->vma);
	struct file *file = vmf->vma->vm_file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (!dxs_may_unlock(vmf))
		/* The mmap_lock cannot be dropped: wait with it held. */
		return dxs_gate_enter(gate) ? VM_FAULT_SIGBUS : 0;

	/*
	 * Without the lock the VMA may be freed; the file keeps inode and gate alive.
	 * The lock is the mmap_lock or the VMA's, whichever the fault holds (H58).
	 */
	get_file(file);
	release_fault_lock(vmf);
	dxs_gate_wait(gate);
	fput(file);
	return VM_FAULT_RETRY;
}

/*
 * Has the address space of this VMA been synchronized with the file's last switch to
 * dax?
 *
 * H29: long-term pinners and reclaim with MGLRU decide by vma_is_dax() or by the
 * a_ops that a VMA maps the page cache. They then walk its page tables or take pages
 * from them, all under one mmap_lock read section. They must not meet DAX entries
 * that a switch brings in the meantime. So the first fault of a VMA after a switch to
 * dax waits for them by taking the mmap_lock for writing once, and the lock of the VMA,
 * for tasks that hold that one alone (H59). The VMA records the number of that switch in
 * vm_private_data, which the lower filesystem does not use.
 */
static bool dxs_vma_settled(const struct vm_area_struct *vma,
			    const struct dxs_inode *di)
{
	return (u32)(unsigned long)vma->vm_private_data == di->dax_turns;
}

/*
 * H57: DAX entries of this file are about to be put into page tables. A VMA that is
 * settled for the current switch has noted this already.
 */
static void dxs_note_dax_mapped(struct dxs_inode *di)
{
	if (!READ_ONCE(di->dax_mapped))
		WRITE_ONCE(di->dax_mapped, true);
}

/*
 * Sets up for @mode a VMA that was set up for the other mode. Context: outside the
 * gate. Return: what the fault handler returns.
 */
static vm_fault_t dxs_vma_settle(struct vm_fault *vmf, int mode)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	struct file *file = get_file(vmf->vma->vm_file);
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	u32 turns = READ_ONCE(di->dax_turns);
	unsigned long address = vmf->address;
	struct vm_area_struct *vma;

	/*
	 * Order the read of @turns before the store to dax_mapped. If a switch clears
	 * dax_mapped after the store, @turns is out of date and the VMA comes here
	 * once more.
	 */
	smp_mb();
	if (mode == DAXSTACK_DAX)
		dxs_note_dax_mapped(di);
	release_fault_lock(vmf);
	if (!mmap_write_lock_killable(mm)) {
		vma = vma_lookup(mm, address);
		if (vma && vma->vm_file == file) {
			/* H59: wait for tasks that hold only the lock of the VMA, too. */
			vma_start_write(vma);
			if (vma->vm_ops == dxs_vm_ops_for(!mode))
				vma->vm_ops = dxs_vm_ops_for(mode);
			if (mode == DAXSTACK_DAX)
				vma->vm_private_data =
					(void *)(unsigned long)turns;
		}
		mmap_write_unlock(mm);
	}
	fput(file);
	return VM_FAULT_RETRY;
}

/*
 * H9: the kernel refuses DAX pages to long-term pinners (RDMA, VFIO, io_uring) by a
 * check before the fault, and does not check again after it. Only such a pinner has
 * PF_MEMALLOC_PIN set.
 */
static bool dxs_is_longterm_pin(void)
{
	return current->flags & PF_MEMALLOC_PIN;
}

/*
 * The fault cannot drop the mmap_lock, so it cannot wait for walkers of the VMA's
 * page tables. Reclaim with MGLRU walks them in an RCU section, and up to Linux 6.12
 * warns of DAX entries: wait for a grace period since the switch.
 *
 * Context: inside the gate.
 * Return: 0, still inside the gate; or VM_FAULT_RETRY, having left it.
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
static vm_fault_t dxs_fault_enter(struct vm_fault *vmf)
{
	struct dxs_gate *gate = dxs_fault_gate(vmf->vma);
	int mode;
	vm_fault_t ret;

	if (!dxs_gate_try_enter(gate)) {
		ret = dxs_fault_wait(vmf);
		if (ret)
			return ret;
	}
	mode = dxs_mode(dxs_vma_inode(vmf->vma));
	if (mode == DAXSTACK_CACHED) {
		/* At most once for each fault: ->map_pages is only an optimization. */
		if (!dxs_vma_lacks_map_pages(vmf->vma) ||
		    vmf->flags & FAULT_FLAG_TRIED || !dxs_may_unlock(vmf))
			return 0;
	} else {
		if (dxs_is_longterm_pin()) {
			dxs_gate_leave(gate);
			return VM_FAULT_SIGBUS;
		}
		if (dxs_vma_settled(vmf->vma, dxs_vma_di(vmf->vma)))
			return 0;
		if (!dxs_may_unlock(vmf))
			return dxs_enter_unsettled(vmf);
	}
	dxs_gate_leave(gate);
	return dxs_vma_settle(vmf, mode);
}

/*
 * In all handlers the lower handler may drop the mmap_lock and return VM_FAULT_RETRY;
 * VMA, file and inode may be gone by then. The gate is still valid, because
 * dxs_evict_inode() waits until all tasks have left it (H4). So the gate is looked up
 * before the lower handler is called.
 */
static noinline vm_fault_t dxs_vm_fault_slow(struct vm_fault *vmf)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	vm_fault_t ret;

	ret = dxs_fault_enter(vmf);
	if (ret)
		return ret;
	ret = dxs_lower_ops(vmf)->fault(vmf);
	return dxs_fault_served(vmf, di, 1, ret);
}

static noinline vm_fault_t dxs_vm_huge_fault_slow(struct vm_fault *vmf,
						  DXS_FAULT_SIZE size)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	const struct vm_operations_struct *ops;
	vm_fault_t ret;

	ret = dxs_fault_enter(vmf);
	if (ret)
		return ret;
	ops = dxs_lower_ops(vmf);
	/*
	 * H29: a page-table walker that was not waited for would take a huge entry
	 * for a table.
	 */
	if (ops->huge_fault &&
	    dxs_vma_settled(vmf->vma, dxs_vma_di(vmf->vma)))
		ret = ops->huge_fault(vmf, size);
	else
		ret = VM_FAULT_FALLBACK;
	return dxs_fault_served(vmf, di, DXS_HUGE_PAGES, ret);
}

/* Leave the gate and take the slow path. */
static noinline vm_fault_t dxs_vm_fault_anew(struct vm_fault *vmf)
{
	dxs_gate_leave(dxs_fault_gate(vmf->vma));
	return dxs_vm_fault_slow(vmf);
}

static noinline vm_fault_t dxs_vm_huge_fault_anew(struct vm_fault *vmf,
						  DXS_FAULT_SIZE size)
{
	dxs_gate_leave(dxs_fault_gate(vmf->vma));
	return dxs_vm_huge_fault_slow(vmf, size);
}

/*
 * True if the fault needs neither dxs_fault_enter() nor dxs_lower_ops(). @map_pages:
 * the VMA is known to have ->map_pages. Context: inside the fault gate.
 */
static __always_inline bool
dxs_fault_plain(const struct vm_fault *vmf, const struct dxs_inode *di,
		const struct vm_operations_struct **ops, bool map_pages)
{
	if (IS_DAX(di->lower)) {
		*ops = dxs_mode_ops(di, DAXSTACK_DAX);
		return likely(!dxs_is_longterm_pin() &&
			      dxs_vma_settled(vmf->vma, di));
	}
	*ops = dxs_mode_ops(di, DAXSTACK_CACHED);
	return map_pages || likely(!dxs_vma_lacks_map_pages(vmf->vma));
}

static __always_inline vm_fault_t __dxs_vm_fault(struct vm_fault *vmf,
						 bool map_pages)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	const struct vm_operations_struct *ops;

	if (unlikely(!dxs_gate_try_enter(dxs_di_gate(di))))
		return dxs_vm_fault_slow(vmf);
	if (unlikely(!dxs_fault_plain(vmf, di, &ops, map_pages)))
		return dxs_vm_fault_anew(vmf);
	if (!dxs_faults_watched())
		return dxs_fault_leave(di, ops->fault(vmf));
	if (dxs_traces_faults())
		return dxs_vm_fault_anew(vmf);
	return dxs_fault_served(vmf, di, 1, ops->fault(vmf));
}

static vm_fault_t dxs_vm_fault(struct vm_fault *vmf)
{
	return __dxs_vm_fault(vmf, true);
}

static vm_fault_t dxs_vm_dax_fault(struct vm_fault *vmf)
{
	return __dxs_vm_fault(vmf, false);
}

static vm_fault_t dxs_vm_huge_fault(struct vm_fault *vmf,
				    DXS_FAULT_SIZE size)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	const struct vm_operations_struct *ops;
	vm_fault_t ret = VM_FAULT_FALLBACK;

	if (unlikely(!dxs_gate_try_enter(dxs_di_gate(di))))
		return dxs_vm_huge_fault_slow(vmf, size);
	if (unlikely(dxs_traces_faults() ||
		     !dxs_fault_plain(vmf, di, &ops, false)))
		return dxs_vm_huge_fault_anew(vmf, size);
	/*
	 * H29: only if page-table walkers were waited for; after a switch to cached
	 * they were not.
	 */
	if (ops->huge_fault && dxs_vma_settled(vmf->vma, di))
		ret = ops->huge_fault(vmf, size);
	if (dxs_faults_watched())
		return dxs_fault_served(vmf, di, DXS_HUGE_PAGES, ret);
	return dxs_fault_leave(di, ret);
}

/* Counts as a fault if ->map_pages mapped the page that faulted. */
static __always_inline vm_fault_t
dxs_map_pages_served(const struct vm_fault *vmf, struct dxs_inode *di,
		     vm_fault_t ret)
{
	if (ret & VM_FAULT_NOPAGE)
		return dxs_count_fault(di, vmf->pgoff, 1, false, ret);
	return dxs_fault_leave(di, ret);
}

/* Faults are traced, or the file is in dax mode. Context: inside the fault gate. */
static noinline vm_fault_t dxs_vm_map_pages_slow(struct vm_fault *vmf,
						 pgoff_t start, pgoff_t end)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	const struct vm_operations_struct *ops;

	if (dxs_mode(&di->vfs_inode) != DAXSTACK_CACHED)
		return dxs_fault_leave(di, 0);
	ops = dxs_lower_ops(vmf);
	return dxs_map_pages_served(vmf, di, ops->map_pages(vmf, start, end));
}

/*
 * Runs under RCU in some kernels, and only maps pages in advance: it must not sleep
 * (H6). In dax mode the lower filesystem maps nothing here and only looks for folios.
 * The mode may change right after the check of IS_DAX(); mapping nothing is always
 * correct.
 */
static vm_fault_t dxs_vm_map_pages(struct vm_fault *vmf, pgoff_t start,
				   pgoff_t end)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	const struct vm_operations_struct *ops;

	if (IS_DAX(di->lower) || !dxs_gate_try_enter(dxs_di_gate(di)))
		return 0;
	if (unlikely(IS_DAX(di->lower)))
		return dxs_vm_map_pages_slow(vmf, start, end);
	ops = dxs_mode_ops(di, DAXSTACK_CACHED);
	if (!dxs_faults_watched())
		return dxs_fault_leave(di, ops->map_pages(vmf, start, end));
	if (dxs_traces_faults())
		return dxs_vm_map_pages_slow(vmf, start, end);
	return dxs_map_pages_served(vmf, di, ops->map_pages(vmf, start, end));
}

/*
 * The gate is closed, and the caller may hold a reference to the page. If it waited
 * here, the switch would wait for that reference for ever (H3), so the fault is
 * retried instead. H45: while the page is mapped read-only, the retry would only come
 * here again; a real-time task would spin for ever on the processor that the switch
 * needs to reach its zap. So the page is unmapped: the retry then calls ->fault,
 * which waits.
 */
static noinline vm_fault_t dxs_mkwrite_again(struct vm_fault *vmf)
{
	unmap_mapping_range(vmf->vma->vm_file->f_mapping,
			    (loff_t)vmf->pgoff << PAGE_SHIFT, PAGE_SIZE, 0);
	return VM_FAULT_NOPAGE;
}

/* Faults are traced, or the file is in dax mode (H2). Context: inside the fault gate. */
static noinline vm_fault_t dxs_vm_page_mkwrite_slow(struct vm_fault *vmf)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	vm_fault_t ret = VM_FAULT_NOPAGE;

	if (dxs_mode(&di->vfs_inode) == DAXSTACK_CACHED)
		ret = dxs_lower_ops(vmf)->page_mkwrite(vmf);
	return dxs_cached_store_served(vmf, di, ret);
}

/* The caller holds a reference to the page: try to enter the gate, never wait (H3). */
static vm_fault_t dxs_vm_page_mkwrite(struct vm_fault *vmf)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	const struct vm_operations_struct *ops;

	if (unlikely(!dxs_gate_try_enter(dxs_di_gate(di))))
		return dxs_mkwrite_again(vmf);
	/*
	 * H2: the caller chose ->page_mkwrite for a page of the page cache; the
	 * mapping has none now.
	 */
	if (unlikely(IS_DAX(di->lower)))
		return dxs_vm_page_mkwrite_slow(vmf);
	ops = dxs_mode_ops(di, DAXSTACK_CACHED);
	if (!dxs_faults_watched())
		return dxs_fault_leave(di, ops->page_mkwrite(vmf));
	if (dxs_traces_faults())
		return dxs_vm_page_mkwrite_slow(vmf);
	return dxs_cached_store_served(vmf, di, ops->page_mkwrite(vmf));
}

/* Faults are traced, or no DAX entry may be mapped. Context: inside the fault gate. */
static noinline vm_fault_t dxs_vm_pfn_mkwrite_slow(struct vm_fault *vmf)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);

	if (dxs_is_longterm_pin())
		return dxs_fault_leave(di, VM_FAULT_SIGBUS);
	if (dxs_mode(&di->vfs_inode) != DAXSTACK_DAX)
		return dxs_fault_leave(di, VM_FAULT_NOPAGE);
	return dxs_store_served(vmf, di, dxs_lower_ops(vmf)->pfn_mkwrite(vmf));
}

/* As dxs_vm_page_mkwrite(), though the caller holds no page here. */
static vm_fault_t dxs_vm_pfn_mkwrite(struct vm_fault *vmf)
{
	struct dxs_inode *di = dxs_vma_di(vmf->vma);
	const struct vm_operations_struct *ops;

	if (unlikely(!dxs_gate_try_enter(dxs_di_gate(di))))
		return dxs_mkwrite_again(vmf);
	/*
	 * H2: the caller chose ->pfn_mkwrite for a DAX entry; vmf has no page for
	 * ->page_mkwrite.
	 */
	if (unlikely(!IS_DAX(di->lower) || dxs_is_longterm_pin()))
		return dxs_vm_pfn_mkwrite_slow(vmf);
	ops = dxs_mode_ops(di, DAXSTACK_DAX);
	if (!dxs_faults_watched())
		return dxs_fault_leave(di, ops->pfn_mkwrite(vmf));
	if (dxs_traces_faults())
		return dxs_vm_pfn_mkwrite_slow(vmf);
	return dxs_store_served(vmf, di, ops->pfn_mkwrite(vmf));
}

static const struct vm_operations_struct dxs_vm_ops = {
	.fault		= dxs_vm_fault,
	.huge_fault	= dxs_vm_huge_fault,
	.map_pages	= dxs_vm_map_pages,
	.page_mkwrite	= dxs_vm_page_mkwrite,
	.pfn_mkwrite	= dxs_vm_pfn_mkwrite,
};

/* Used if DXS_NO_MAP_PAGES_IN_DAX. */
static const struct vm_operations_struct dxs_vm_dax_ops = {
	.fault		= dxs_vm_dax_fault,
	.huge_fault	= dxs_vm_huge_fault,
	.page_mkwrite	= dxs_vm_page_mkwrite,
	.pfn_mkwrite	= dxs_vm_pfn_mkwrite,
};

/*
 * Tasks in a fault on a MAP_SYNC mapping. The lower handler may end such a fault with
 * ->fsync of the VMA's file, which is the stack's ->fsync and would enter the I/O
 * gate inside the fault gate, against the lock order (H26). Being inside the fault
 * gate already keeps switches away, so that ->fsync skips the I/O gate for a task
 * with this mark.
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

/*
 * MAP_SYNC VMAs need ->open and ->close to be counted (H10). Other VMAs have neither,
 * so that they stay mergeable.
 */
static const struct vm_operations_struct dxs_vm_sync_ops = {
	.open		= dxs_vm_sync_open,
	.close		= dxs_vm_sync_close,
	.fault		= dxs_vm_sync_fault,
	.huge_fault	= dxs_vm_sync_huge_fault,
	.map_pages	= DXS_NO_MAP_PAGES_IN_DAX ? NULL : dxs_vm_map_pages,
	.page_mkwrite	= dxs_vm_page_mkwrite,
	.pfn_mkwrite	= dxs_vm_sync_pfn_mkwrite,
};

/**
 * dxs_adopt_vma() - replace the lower vm_ops of a VMA by the stack's
 * @inode: of the stack
 * @vma: set up by the lower ->mmap for the file's current mode
 * @had: vm_flags before the lower ->mmap
 *
 * H65: a VMA outlives the mode that it was set up in, so no trace of the mode may stay in
 * it. The lower ->mmap sets VM_HUGEPAGE for dax, which would later make readahead of
 * the page cache read 2 MiB at a time. DAX faults on 6.1 do not depend on
 * VM_HUGEPAGE.
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
		/*
		 * Not the vm_ops that the probe learned: leave the VMA alone and
		 * never switch the file.
		 */
		WRITE_ONCE(DXS_I(inode)->gates.fault.bypassed, true);
		return;
	}
	/* H65: keep only what the user asked for, since the mode may change. */
	if (!(had & VM_HUGEPAGE))
		vm_flags_clear(vma, VM_HUGEPAGE);
	/* The mmap_lock is held for writing: no page-table walker is under way. */
	vma->vm_private_data =
		(void *)(unsigned long)DXS_I(inode)->dax_turns;
	if (dxs_mode(inode) == DAXSTACK_DAX)
		dxs_note_dax_mapped(DXS_I(inode));
	if (vma->vm_flags & VM_SYNC) {
		vma->vm_ops = &dxs_vm_sync_ops;
		dxs_vm_sync_open(vma);
	} else {
		vma->vm_ops = dxs_vm_ops_for(dxs_mode(inode));
	}
}
