// SPDX-License-Identifier: GPL-2.0-only
/*
 * One attempt to switch a file. This is the only file that changes S_DAX or a_ops of a
 * lower inode.
 *
 * Invariant: a mapping changes its nature only while it is empty, unmapped and
 * unreachable.
 *
 * The nine steps of dxs_attempt():
 *
 * 1. May the file be switched? Only looks (policy.c).
 * 2. With both gates open: write back, zap, and drop clean pages, so that little is left
 *    for the later steps.
 * 3. Close the I/O gate. Trim XFS blocks beyond EOF. Take the lower s_umount and i_rwsem.
 * 4. Wait for direct I/O, close the fault gate, take the invalidate_lock, zap.
 * 5. Write back again, and wait.
 * 6. Look for pages that another task holds: they end the attempt.
 * 7. Empty the mapping.
 * 8. Store FS_XFLAG_DAX in the lower inode, then change S_DAX and a_ops.
 * 9. Open the gates in reverse order.
 *
 * For the lock order see entry.h.
 */
#include <linux/blkdev.h>
#include <linux/fiemap.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/writeback.h>

#include "entry.h"
#include "gates.h"
#include "lower.h"
#include "mapping.h"
#include "pace.h"
#include "report.h"
#include "switch.h"

/*
 * H86: a waiting request looks so often at a folio that another task held, before it
 * makes an attempt although the folio looks held.
 */
#define DXS_LOOKS	16

/* Did writeback fail, with an error that no fsync has reported yet? */
static bool dxs_has_errors(const struct address_space *mapping)
{
	return mapping->flags & (BIT(AS_EIO) | BIT(AS_ENOSPC));
}

/*
 * Steps 2 and 5: write back and wait. fsync reports an error as well: it reads the
 * errseq of the mapping, which is not advanced here (H19).
 */
static enum daxstack_reason dxs_flush(struct dxs_switch *sw)
{
	struct address_space *mapping = dxs_switch_lower(sw)->i_mapping;
	int err;

	/* Looking for pages would be a tenth of the cost of a switch of an untouched file. */
	if (mapping_empty(mapping) && !dxs_has_errors(mapping))
		return DAXSTACK_REASON_NONE;
	sw->pages += dxs_dirty_pages(mapping);
	if (sw->to == DAXSTACK_CACHED)
		err = dxs_write_entries(mapping);
	else
		err = filemap_fdatawrite(mapping);
	if (!err)
		err = filemap_fdatawait_keep_errors(mapping);
	if (!err)
		return DAXSTACK_REASON_NONE;
	sw->err = err;
	return DAXSTACK_REASON_WRITE_ERROR;
}

/*
 * Steps 2, 6 and 7 on the way to dax: drop the folios that have no other references. A
 * folio that another task may still write to (direct I/O or RDMA into a mapping, vmsplice)
 * must stay (H7), and keeps the mapping from being empty. Shadow entries go as well: a
 * DAX mapping would take them for its own (H12).
 */
static bool dxs_drop_folios(struct dxs_switch *sw,
			    struct address_space *mapping)
{
	bool drained;

	invalidate_mapping_pages(mapping, 0, -1);
	if (mapping_empty(mapping))
		return true;
	/* LRU batches of any CPU may hold some (H48), and so may spare.c (H34). */
	drained = sw->drain && dxs_drain(sw->drain, DXS_DRAIN);
	if (dxs_spare_held(sw->spared) || drained)
		invalidate_mapping_pages(mapping, 0, -1);
	return mapping_empty(mapping);
}

/*
 * H86: an attempt to switch to dax drops the page cache before it finds that a folio is
 * held. The tasks that use the file have to read all of it again. So another attempt waits
 * until the folio looks free. It may look held for other reasons, and other folios may be
 * held: the number of looks is limited, and no request ends with one (dxs_wait_a_little()).
 */
static bool dxs_still_held(struct dxs_switch *sw)
{
	if (!sw->looks || sw->to != DAXSTACK_DAX)
		return false;
	if (!sw->forever && time_after_eq(jiffies, sw->deadline))
		return false;
	sw->looks--;
	return dxs_folio_looks_held(dxs_switch_lower(sw)->i_mapping, sw->held);
}

/* Steps 6 and 7 on the way to dax. */
static enum daxstack_reason dxs_empty_cache(struct dxs_switch *sw,
					    struct address_space *mapping)
{
	/* The worker of an earlier attempt may still run. */
	if (dxs_drains(mapping))
		return DAXSTACK_REASON_PINNED;
	if (mapping_empty(mapping))
		return DAXSTACK_REASON_NONE;
	/* The wait for the drain worker may have timed out: it may still be running. */
	if (dxs_drop_folios(sw, mapping) && !dxs_drains(mapping))
		return DAXSTACK_REASON_NONE;
	sw->held = 0;
	sw->looks = xa_find(&mapping->i_pages, &sw->held, ULONG_MAX,
			    XA_PRESENT) ? DXS_LOOKS : 0;
	return DAXSTACK_REASON_PINNED;
}

/*
 * Does it pay to zap the whole file before its pages are dropped? dxs_drop_entries()
 * unmaps DAX entries itself, piece by piece: for a file of one piece an extra zap would
 * only flush TLB entries twice.
 */
static bool dxs_zap_pays(const struct dxs_switch *sw)
{
	return sw->to == DAXSTACK_DAX ||
		i_size_read(dxs_switch_lower(sw)) > DXS_DROP * PAGE_SIZE;
}

/* H34: have reclaim spare the folios that are locked in memory. A zap follows. */
static void dxs_spare(struct dxs_switch *sw)
{
	if (sw->to == DAXSTACK_DAX)
		sw->spared = dxs_spare_locked(sw->spared, dxs_switch_lower(sw));
}

/*
 * Step 2: all that takes long, with both gates open, so that they are closed only for a
 * short time, however much is dirty, cached or mapped (H47). The later steps repeat it
 * for pages that have come back. A later attempt only writes back: dropping pages again
 * would make the tasks that use the file read the same pages time and again.
 */
static enum daxstack_reason dxs_prepare(struct dxs_switch *sw)
{
	struct address_space *mapping = dxs_switch_lower(sw)->i_mapping;
	enum daxstack_reason reason = dxs_flush(sw);

	if (reason || sw->attempts || mapping_empty(mapping))
		return reason;
	if (dxs_zap_pays(sw) && dxs_mapped(mapping)) {
		dxs_spare(sw);
		unmap_mapping_range(mapping, 0, 0, 0);
		dxs_spare_held(sw->spared);
	}
	if (sw->to == DAXSTACK_DAX)
		dxs_drop_folios(sw, mapping);
	else if (!dxs_drop_entries(mapping))
		return DAXSTACK_REASON_INTERRUPTED;
	return reason;
}

/*
 * H47: XFS frees two extents per transaction, and the owner of the file chooses their
 * number: files with more extents beyond EOF are not trimmed.
 */
#define DXS_TRIM_MAX	1024

/*
 * Number of extents, delayed ones included, that the lower inode has beyond its size; 1
 * if the lower filesystem returns an error.
 */
static unsigned int dxs_beyond_eof(struct inode *lower)
{
	u64 start = round_up(i_size_read(lower), i_blocksize(lower));
	u64 end = lower->i_sb->s_maxbytes;
	struct fiemap_extent_info count = {};
	int err;

	if (start >= end)
		return 0;
	/* As fiemap_prep() does: extents beyond the range asked for are looked up as well. */
	err = lower->i_op->fiemap(lower, &count, start, end - start);
	return count.fi_extents_mapped ?: !!err;
}

/* Free the blocks beyond EOF, as close(2) does: set the size to its current value. */
static enum daxstack_reason dxs_trim_eof(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	struct iattr attr = {
		.ia_valid = ATTR_SIZE,
		.ia_size = i_size_read(lower),
	};

	sw->err = lower->i_op->setattr(&nop_mnt_idmap, sw->lower, &attr);
	return sw->err ? DAXSTACK_REASON_WRITE_ERROR : DAXSTACK_REASON_NONE;
}

/*
 * Step 3, on XFS: blocks beyond EOF.
 *
 * H11: XFS keeps delayed allocations beyond EOF, made ahead of further appends, over a
 * flush. A write in dax mode would find blocks without an address there. So they are
 * trimmed on the way to dax.
 *
 * In dax mode XFS allocates beyond EOF as well, and zeroes those blocks at once. When the
 * file grows over such blocks in cached mode, later kernels warn. So they are trimmed on
 * the way to cached too, but only once the mapping is empty: before that, XFS waits
 * without a limit for pages that another task holds, and drops dirty entries
 * (dax_break_layout(), H73).
 *
 * H73: from Linux 6.15 on that wait cannot be killed.
 *
 * Context: the I/O gate is closed, so that no such block appears. No lower s_umount,
 * i_rwsem or invalidate_lock is held (H47).
 */
static enum daxstack_reason dxs_look_beyond_eof(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	enum daxstack_reason reason;
	unsigned int extents;

	sw->trims = false;
	if (!dxs_is_xfs(lower->i_sb) ||
	    (sw->to != DAXSTACK_DAX && !dxs_zeroing_warns()))
		return DAXSTACK_REASON_NONE;
	extents = dxs_beyond_eof(lower);
	if (sw->to != DAXSTACK_DAX) {
		sw->trims = extents && extents <= DXS_TRIM_MAX;
		return DAXSTACK_REASON_NONE;
	}
	if (!extents)
		return DAXSTACK_REASON_NONE;
	if (extents > DXS_TRIM_MAX)
		return DAXSTACK_REASON_LOWER_SAYS_NO;
	reason = dxs_lock_lower(lower);
	if (reason)
		return reason;
	reason = dxs_trim_eof(sw);
	inode_unlock(lower);
	if (reason)
		return reason;
	return dxs_beyond_eof(lower) ? DAXSTACK_REASON_LOWER_SAYS_NO :
				       DAXSTACK_REASON_NONE;
}

/*
 * Step 7 on the way to cached: see dxs_look_beyond_eof(). XFS takes the invalidate_lock
 * itself; while it is dropped here the closed fault gate keeps faults out.
 */
static enum daxstack_reason dxs_trim_emptied(struct dxs_switch *sw)
{
	struct address_space *mapping = dxs_switch_lower(sw)->i_mapping;
	enum daxstack_reason reason;

	if (!sw->trims)
		return DAXSTACK_REASON_NONE;
	filemap_invalidate_unlock(mapping);
	reason = dxs_trim_eof(sw);
	filemap_invalidate_lock(mapping);
	if (!reason && !mapping_empty(mapping))
		reason = DAXSTACK_REASON_PINNED;
	return reason;
}

/*
 * Step 4: unmap the file. With the fault gate closed, no task can then reach a page.
 *
 * H25: munmap and exit clear a huge entry and then ask whether the VMA is DAX, both under
 * a page table lock that the zap does not take where it finds the entry cleared already.
 * GUP-fast takes a reference and then checks the entry again, with interrupts off. A
 * grace period waits for both. The way to dax needs none: until the question is answered
 * the folio counts as mapped, and a reference of GUP-fast counts as well; either keeps
 * the folio from being dropped, and the file from being switched.
 *
 * H33: TLBs may still have a huge entry that is no longer in the page tables.
 *
 * H57: so they may have any entry of a VMA that is gone. munmap clears the entries,
 * takes the VMA out of the i_mmap, frees page tables, and flushes TLBs last. In cached
 * mode folios are held for as long (H7); DAX pages are not.
 *
 * H34: reclaim must not take the unmapped folios that another task holds.
 */
static void dxs_zap(struct dxs_switch *sw)
{
	struct dxs_inode *di = DXS_I(sw->inode);
	struct address_space *mapping = di->lower->i_mapping;
	bool dax = IS_DAX(mapping->host);

	if (dxs_mapped(mapping)) {
		dxs_spare(sw);
		unmap_mapping_range(mapping, 0, 0, 0);
	} else if (!dax || !READ_ONCE(di->dax_mapped)) {
		return;
	}
	if (dax) {
		dxs_flush_tlbs();
		synchronize_rcu_expedited();
	}
	dxs_spare_held(sw->spared);
}

/* Steps 6 and 7: check that no other task holds a page, and empty the mapping. */
static enum daxstack_reason dxs_empty(struct dxs_switch *sw)
{
	struct address_space *mapping = dxs_switch_lower(sw)->i_mapping;

	if (sw->to == DAXSTACK_DAX)
		return dxs_empty_cache(sw, mapping);
	if (mapping_empty(mapping))
		return DAXSTACK_REASON_NONE;
	if (dxs_pinned(mapping))
		return DAXSTACK_REASON_PINNED;
	dxs_dax_drop(mapping);
	return mapping_empty(mapping) ? DAXSTACK_REASON_NONE :
					DAXSTACK_REASON_PINNED;
}

/*
 * Step 8: the flip. It can fail only for a new file that is being written back: see
 * dxs_attempt_born().
 */
static bool dxs_flip(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	const struct dxs_sb *sbi = DXS_SB(sw->inode->i_sb);
	struct dxs_inode *di = DXS_I(sw->inode);

	spin_lock(&lower->i_lock);
	if (sw->cause == DXS_BORN && inode_state_read(lower) & I_SYNC) {
		spin_unlock(&lower->i_lock);
		return false;
	}
	xa_lock_irq(&lower->i_mapping->i_pages);
	inode_set_flags(lower, sw->to == DAXSTACK_DAX ? S_DAX : 0, S_DAX);
	lower->i_mapping->a_ops = sbi->personality[sw->to].a_ops;
	xa_unlock_irq(&lower->i_mapping->i_pages);
	/* The lower filesystem set it for the flag to act at the next load: it acts now. */
	inode_state_clear(lower, I_DONTCACHE);
	if (sw->to == DAXSTACK_DAX)
		di->dax_turns++;
	else
		WRITE_ONCE(di->dax_mapped, false);
	spin_unlock(&lower->i_lock);
	di->flip_rcu = get_state_synchronize_rcu();
	sw->switched = true;
	return true;
}

/* Steps 5 to 8: both gates are closed, and all locks are held. */
static enum daxstack_reason dxs_change(struct dxs_switch *sw)
{
	enum daxstack_reason reason;

	/* Step 5. */
	reason = dxs_flush(sw);
	/* Steps 6 and 7. */
	if (!reason)
		reason = dxs_empty(sw);
	if (!reason)
		reason = dxs_trim_emptied(sw);
	/* Step 8. */
	if (!reason)
		reason = dxs_persist(sw);
	if (reason)
		return reason;
	dxs_flip(sw);
	dxs_heat_switched(sw->inode);
	return DAXSTACK_REASON_NONE;
}

/* Steps 4 to 8, with the I/O gate closed. */
static enum daxstack_reason dxs_with_io_shut(struct dxs_switch *sw,
					     struct dxs_gates *gates)
{
	struct inode *lower = dxs_switch_lower(sw);
	enum daxstack_reason reason;

	/* Step 4. H17: asynchronous direct I/O goes on after i_rwsem was released. */
	inode_dio_wait(lower);
	if (gates) {
		reason = dxs_shut_gate(&gates->fault);
		if (reason)
			return reason;
	}
	/* Calls may have changed this since step 1; none is in progress now. */
	reason = dxs_veto(sw);
	if (!reason) {
		filemap_invalidate_lock(lower->i_mapping);
		/* Without gates the file was never mapped through the stack (H21). */
		if (gates || mapping_mapped(lower->i_mapping))
			dxs_zap(sw);
		reason = dxs_change(sw);
		filemap_invalidate_unlock(lower->i_mapping);
	}
	if (gates) {
		/*
		 * H31: wait for tasks that still act on dax mode. Without gates,
		 * dxs_make_gates() waits for them. The way to dax needs no wait: a task
		 * that acts on cached mode looks for folios, and takes no DAX entry for one.
		 */
		if (sw->switched && sw->to == DAXSTACK_CACHED)
			synchronize_rcu_expedited();
		/* Step 9. */
		dxs_gate_open(&gates->fault);
	}
	return reason;
}

/* Steps 3 to 9. */
static enum daxstack_reason dxs_shut_and_change(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	struct dxs_gates *gates = dxs_switching_begin(sw->inode);
	u64 start = gates ? ktime_get_ns() : 0;
	enum daxstack_reason reason;
	unsigned int nofs;

	if (gates) {
		/* Data was touched for the first time since dxs_slow_gates(): try again. */
		reason = DAXSTACK_REASON_IO;
		if (!sw->slowed)
			goto out;
		reason = dxs_shut_gate(&gates->io);
		if (reason)
			goto out;
	}
	/* H24: reclaim must not enter the filesystem from here. */
	nofs = memalloc_nofs_save();
	reason = dxs_look_beyond_eof(sw) ?: dxs_own_lower(lower->i_sb);
	if (!reason) {
		reason = dxs_lock_lower(lower);
		if (!reason) {
			reason = dxs_with_io_shut(sw, gates);
			inode_unlock(lower);
		}
		up_write(&lower->i_sb->s_umount);
	}
	memalloc_nofs_restore(nofs);
	if (gates)
		dxs_gate_open(&gates->io);
out:
	dxs_switching_end(sw->inode);
	sw->attempts++;
	sw->shut_ns = 0;
	if (gates) {
		sw->shut_ns = ktime_get_ns() - start;
		dxs_count_shut(sw->inode->i_sb, sw->shut_ns);
	}
	return reason;
}

/*
 * H16: normally dxs_make_gates() has done this. It fails while a task executes the lower
 * file through another mount.
 */
static bool dxs_keep_khugepaged_out(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);

	spin_lock(&inode->i_lock);
	/* khugepaged may work on a mapping that was made before. */
	if (!di->write_held && !mapping_mapped(di->lower->i_mapping))
		di->write_held = !get_write_access(di->lower);
	spin_unlock(&inode->i_lock);
	return di->write_held;
}

/*
 * The driver of the device may be unbound under the mounted filesystem, and the device's
 * memory goes with it. Keep the memory until dxs_release_memory(). A file that was never
 * touched has no pages to look at.
 */
static bool dxs_hold_memory(struct dxs_switch *sw)
{
	const struct inode *lower = dxs_switch_lower(sw);

	if (!dxs_gates(sw->inode) && mapping_empty(lower->i_mapping))
		return disk_live(lower->i_sb->s_bdev->bd_disk);
	sw->holds_memory = dxs_memory_hold(lower->i_sb, &sw->memory);
	return sw->holds_memory;
}

static void dxs_release_memory(struct dxs_switch *sw)
{
	dxs_memory_release(sw->memory);
	sw->holds_memory = false;
}

/*
 * Both gates need a grace period before they can be closed. It passes here, with both
 * open, before step 2: from then on they can be closed at once.
 */
static void dxs_slow_gates(struct dxs_switch *sw)
{
	struct dxs_gates *gates = dxs_gates(sw->inode);

	if (!gates)
		return;
	dxs_gate_slow(&gates->io);
	dxs_gate_slow(&gates->fault);
	sw->slowed = true;
	dxs_pace_spend();
	synchronize_rcu_expedited();
}

static void dxs_fast_gates(struct dxs_switch *sw)
{
	struct dxs_gates *gates = dxs_gates(sw->inode);

	if (!sw->slowed)
		return;
	dxs_gate_fast(&gates->fault);
	dxs_gate_fast(&gates->io);
	sw->slowed = false;
}

/**
 * dxs_attempt() - try once to switch a file: steps 1 to 9
 * @sw: the request; its result is filled in
 *
 * Context: sleeps while dirty pages are written; a signal ends it early. The switch lock
 * is held, with write access to the lower mount.
 * Return: DAXSTACK_REASON_NONE if the file is in mode @sw->to now. Else the reason:
 * nothing has changed.
 */
enum daxstack_reason dxs_attempt(struct dxs_switch *sw)
{
	struct dxs_sb *sbi = DXS_SB(sw->inode->i_sb);
	struct dxs_inode *di = DXS_I(sw->inode);
	enum daxstack_reason reason;

	/* Step 1. */
	sw->policy = READ_ONCE(sbi->policy);
	sw->stores = dxs_is_for_storing(sw);
	if (sw->stores)
		return dxs_persist_alone(sw);
	reason = dxs_may_switch(sw);
	if (reason)
		return reason;
	sw->looked = dxs_still_held(sw);
	if (sw->looked)
		return DAXSTACK_REASON_PINNED;
	if (!sw->attempts)
		dxs_heat_switching(sw->inode);
	/* Do not close the gates only to find s_umount taken: see dxs_own_lower(). */
	if (rwsem_is_locked(&di->lower->i_sb->s_umount) || !dxs_wb_hold(di))
		return DAXSTACK_REASON_WRITEBACK;
	if (!dxs_keep_khugepaged_out(sw->inode))
		return DAXSTACK_REASON_LOWER_SHARED;
	if (!dxs_hold_memory(sw))
		return DAXSTACK_REASON_DEVICE_GONE;
	if (sw->holds_memory) {
		sw->spared = dxs_spare_begin(sbi, di->lower);
		dxs_slow_gates(sw);
	}
	/* Step 2. */
	reason = dxs_prepare(sw);
	/* Steps 3 to 9. */
	if (!reason)
		reason = dxs_shut_and_change(sw);
	if (sw->spared)
		dxs_spare_end(sbi, sw->spared);
	sw->spared = NULL;
	if (sw->holds_memory) {
		dxs_fast_gates(sw);
		dxs_release_memory(sw);
	}
	if (!reason)
		di->switches++;
	return reason;
}

/* Step 8 for a new file, under its i_rwsem. */
static enum daxstack_reason dxs_change_born(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	enum daxstack_reason reason = DAXSTACK_REASON_IO;

	inode_lock(lower);
	if (mapping_empty(lower->i_mapping) && !dxs_mapped(lower->i_mapping))
		reason = dxs_persist(sw);
	if (!reason && !dxs_flip(sw))
		reason = DAXSTACK_REASON_WRITEBACK;
	if (!reason)
		dxs_heat_switched(sw->inode);
	inode_unlock(lower);
	return reason;
}

/**
 * dxs_attempt_born() - try once to switch a new file (H56)
 * @sw: the request, of %DXS_BORN; its result is filled in
 *
 * No task has touched the file: there is nothing to write back, to zap or to drop. The
 * flusher and sync(2) may have the inode, and use its a_ops only while they hold I_SYNC,
 * which dxs_flip() checks under the same lock. So it is enough to hold s_umount, which
 * keeps new mounts away, for reading, and a long sync(2) does not delay the creation of
 * files.
 *
 * An attempt may fail after the flag was stored (H20): the flag has the wanted value, and
 * the file is removed if it does not get that mode.
 *
 * Context: sleeps. The switch lock is held, with write access to the lower mount.
 * Return: as dxs_attempt().
 */
enum daxstack_reason dxs_attempt_born(struct dxs_switch *sw)
{
	struct super_block *lower = dxs_switch_lower(sw)->i_sb;
	struct dxs_gates *gates;
	enum daxstack_reason reason;

	sw->policy = DXS_SWITCH_LIVE;
	if (dxs_mode(sw->inode) == sw->to)
		return dxs_persist_alone(sw);
	reason = dxs_may_switch(sw);
	if (reason)
		return reason;
	if (!dxs_wb_hold(DXS_I(sw->inode)))
		return DAXSTACK_REASON_WRITEBACK;

	gates = dxs_switching_begin(sw->inode);
	reason = DAXSTACK_REASON_WRITEBACK;
	if (gates) {
		/* A task has opened the file by a handle, and touched its data. */
		reason = DAXSTACK_REASON_IO;
	} else if (down_read_trylock(&lower->s_umount)) {
		reason = dxs_others(lower) ?: dxs_change_born(sw);
		up_read(&lower->s_umount);
	}
	dxs_switching_end(sw->inode);
	sw->attempts++;
	if (!reason)
		DXS_I(sw->inode)->switches++;
	return reason;
}
