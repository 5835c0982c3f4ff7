// SPDX-License-Identifier: GPL-2.0
/*
 * The switch: the only place where S_DAX or a_ops of a lower inode changes.
 *
 * An invariant to hold on to: a mapping changes its nature only while it is
 * empty, unmapped and unreachable.
 *
 * For the lock order see daxstack.h.
 */
#include <linux/blkdev.h>
#include <linux/fiemap.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/writeback.h>

#include "daxstack.h"

/*
 * How long those who are inside a gate may take to leave before the attempt
 * is given up: for so long newcomers wait outside at the most, though the
 * switch may come to nothing.
 */
#define DXS_DRAIN	msecs_to_jiffies(200)

/* Did a writeback fail, and has no fsync told of it yet? */
static bool dxs_has_errors(const struct address_space *mapping)
{
	return mapping->flags & (BIT(AS_EIO) | BIT(AS_ENOSPC));
}

/*
 * In steps 2 and 5: write back and wait. fsync reports an error as well: it goes
 * by the mapping's errseq, which nobody here advances (H19).
 */
static enum daxstack_reason dxs_flush(struct dxs_switch *sw)
{
	struct address_space *mapping = dxs_switch_lower(sw)->i_mapping;
	int err;

	/* To look for pages all the same costs untouched files a tenth of all. */
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
 * Steps 2, 6 and 7 on the way to dax: drop the folios that nobody else refers
 * to; a folio that somebody may still write to (direct I/O or RDMA into a
 * mapping, vmsplice) must not go (H7), and keeps the mapping from being empty.
 * Shadow entries, which a DAX mapping would take for its own, go too (H12).
 */
static bool dxs_drop_folios(struct dxs_switch *sw,
			    struct address_space *mapping)
{
	bool drained;

	invalidate_mapping_pages(mapping, 0, -1);
	if (mapping_empty(mapping))
		return true;
	/* LRU batches of any CPU may hold some (H48), and so may we (H34). */
	drained = sw->drain && dxs_drain(sw->drain, DXS_DRAIN);
	if (dxs_spare_held(sw) || drained)
		invalidate_mapping_pages(mapping, 0, -1);
	return mapping_empty(mapping);
}

/*
 * Step 2: what can be done with everything open, so that the gates are shut for
 * a short time only, however much is dirty, cached or mapped (H47). The later
 * steps do it all again, for what has come back meanwhile. A later attempt only
 * flushes: those who use the file would fetch the same pages time and again.
 */
static enum daxstack_reason dxs_prepare(struct dxs_switch *sw)
{
	struct address_space *mapping = dxs_switch_lower(sw)->i_mapping;
	enum daxstack_reason reason = dxs_flush(sw);

	if (reason || sw->attempts || mapping_empty(mapping))
		return reason;
	if (dxs_mapped(mapping)) {
		dxs_spare_locked(sw);
		unmap_mapping_range(mapping, 0, 0, 0);
		dxs_spare_held(sw);
	}
	if (sw->to == DAXSTACK_DAX)
		dxs_drop_folios(sw, mapping);
	else if (!dxs_drop_entries(mapping))
		return DAXSTACK_REASON_INTERRUPTED;
	return reason;
}

/* Step 3, first half: no data call is inside, and none comes. */
static enum daxstack_reason dxs_shut_gate(struct dxs_gate *gate)
{
	switch (dxs_gate_shut(gate, DXS_DRAIN)) {
	case 0:
		return DAXSTACK_REASON_NONE;
	case -EINTR:
		return DAXSTACK_REASON_INTERRUPTED;
	default:
		return DAXSTACK_REASON_IO;
	}
}

/*
 * Step 3, second half: the lower superblock is ours and at rest, and stays so.
 *
 * s_umount held for writing keeps the flusher and sync(2) out of the old a_ops
 * (H13), and new mounts of the lower filesystem away. It is only tried: who
 * waited for it here would have everyone wait at the I/O gate for a sync(2)
 * that may take seconds; who took it before the gate would wait for a writer
 * that is throttled until the flusher, which needs it, gets on (H23).
 */
static enum daxstack_reason dxs_own_lower(struct super_block *lower)
{
	enum daxstack_reason reason;

	if (!down_write_trylock(&lower->s_umount))
		return DAXSTACK_REASON_WRITEBACK;
	reason = dxs_others(lower);
	if (reason)
		up_write(&lower->s_umount);
	return reason;
}

/*
 * H42: takes the lower i_rwsem, within the time that those inside a gate have,
 * or says why not.
 *
 * A data call may hold it for ever: of one that is to fill memory whose page
 * fault nobody answers, even a signal to its task does not make it let go. Who
 * queued for it would wait as long, and could not be killed; and new readers
 * queue behind a writer.
 */
static enum daxstack_reason dxs_lock_lower(struct inode *lower)
{
	unsigned long until = jiffies + DXS_DRAIN;

	might_lock(&lower->i_rwsem);
	while (!inode_trylock(lower)) {
		if (time_after_eq(jiffies, until))
			return DAXSTACK_REASON_IO;
		if (!dxs_rest(1))
			return DAXSTACK_REASON_INTERRUPTED;
	}
	return DAXSTACK_REASON_NONE;
}

/*
 * H47: XFS frees two extents in a transaction, and their number is the owner's to
 * choose: more than so many are not trimmed.
 */
#define DXS_TRIM_MAX	1024

/*
 * How many extents, delayed ones too, does the lower inode have beyond its size?
 * One, if the lower filesystem does not tell.
 */
static unsigned int dxs_beyond_eof(struct inode *lower)
{
	u64 start = round_up(i_size_read(lower), i_blocksize(lower));
	struct fiemap_extent_info count = {};
	int err;

	err = lower->i_op->fiemap(lower, &count, start, FIEMAP_MAX_OFFSET);
	/* EFBIG: there is nothing beyond. */
	return count.fi_extents_mapped ?: (err && err != -EFBIG);
}

/* Setting the size to what it is frees what is beyond, as close(2) does. */
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
 * H11: XFS keeps delayed allocations beyond EOF, made in advance of further
 * appends, over a flush. In dax mode a write there would meet blocks without
 * an address, so they are trimmed.
 *
 * In dax mode it allocates beyond EOF as well, and fills that with zeroes at once.
 * When the file grows over such blocks in cached mode, later kernels warn. So they
 * are trimmed on the way to cached, too, but only when the mapping is empty: before,
 * XFS waits without an end for whoever has a page of it, and drops entries that are
 * dirty (dax_break_layout()).
 *
 * Context: the I/O gate is shut, so that none are made. Nothing else is held (H47).
 */
static enum daxstack_reason dxs_look_beyond_eof(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	enum daxstack_reason reason;
	unsigned int extents;

	sw->trims = false;
	if (strcmp(lower->i_sb->s_type->name, "xfs") ||
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
 * Step 7, of a file that leaves dax mode: see dxs_look_beyond_eof(). XFS takes the
 * invalidate_lock itself; without it the shut fault gate keeps faults out.
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
 * Step 4, second half: nobody can reach a page, with the fault gate shut.
 *
 * H25: munmap and exit clear a huge entry and then ask whether the VMA is DAX,
 * all under a page table lock which the zap does not take where it finds the
 * entry cleared. GUP-fast takes a reference and then looks again, with
 * interrupts off. A grace period waits for both.
 *
 * H33: processors may know a huge entry that page tables have no more.
 *
 * H57: so they may any entry of a VMA that is no longer there. munmap clears its
 * entries, takes it out of the i_mmap, frees page tables, and only then tells the
 * processors. In cached mode a folio is held for as long (H7); DAX pages are not.
 *
 * H34: what somebody holds must not be reclaimed when it is unmapped.
 */
static void dxs_zap(struct dxs_switch *sw)
{
	struct dxs_inode *di = DXS_I(sw->inode);
	struct address_space *mapping = di->lower->i_mapping;
	bool dax = IS_DAX(mapping->host);

	if (dxs_mapped(mapping)) {
		dxs_spare_locked(sw);
		unmap_mapping_range(mapping, 0, 0, 0);
	} else if (!dax || !READ_ONCE(di->dax_mapped)) {
		return;
	}
	if (dax)
		dxs_flush_tlbs();
	synchronize_rcu_expedited();
	dxs_spare_held(sw);
}

/* Steps 6 and 7: nobody holds a page, and the mapping is empty. */
static enum daxstack_reason dxs_empty(struct dxs_switch *sw)
{
	struct address_space *mapping = dxs_switch_lower(sw)->i_mapping;

	/* That of an earlier attempt may have been left behind. */
	if (sw->to == DAXSTACK_DAX && dxs_drains(mapping))
		return DAXSTACK_REASON_PINNED;
	if (mapping_empty(mapping))
		return DAXSTACK_REASON_NONE;
	/* Given up, the worker may be at it still, though nothing is left. */
	if (sw->to == DAXSTACK_DAX)
		return dxs_drop_folios(sw, mapping) && !dxs_drains(mapping) ?
			DAXSTACK_REASON_NONE : DAXSTACK_REASON_PINNED;
	if (dxs_pinned(mapping))
		return DAXSTACK_REASON_PINNED;
	dxs_dax_drop(mapping);
	return mapping_empty(mapping) ? DAXSTACK_REASON_NONE :
					DAXSTACK_REASON_PINNED;
}

/*
 * Step 8, first half: store the flag, so that a later mount, with or without
 * us, finds the mode that was chosen, and with it all that the same call asks
 * for (H55). This is the last thing that can fail: a flag that is stored is
 * followed by the flip, and needs no undoing (H20).
 *
 * Context: the lower i_rwsem is held for writing.
 */
static enum daxstack_reason dxs_persist(struct dxs_switch *sw)
{
	bool flag, rest;
	int err;

	/* The file may have changed hands while the request waited. */
	if (sw->cause == DXS_ASKED &&
	    !inode_owner_or_capable(sw->idmap, dxs_switch_lower(sw)))
		return DAXSTACK_REASON_NOT_OWNER;
	err = dxs_fileattr_store(sw->idmap, sw->lower, sw->to, sw->fa,
				 !dxs_only_stores(sw->inode->i_sb));
	/*
	 * H16: ext4 has set the size of folios anew if data journalling changed, and
	 * khugepaged may have begun to work on a file that is mapped.
	 */
	if (dxs_limit_folios(dxs_switch_lower(sw)->i_mapping) &&
	    dxs_gates(sw->inode))
		WRITE_ONCE(DXS_I(sw->inode)->gates.fault.bypassed, true);
	if (!err)
		return DAXSTACK_REASON_NONE;
	/* What it has against other attributes, only its own errno can tell. */
	dxs_fileattr_changes(sw, &flag, &rest);
	if (rest || (sw->fa && sw->stores))
		sw->err = err;
	if (err == -EINVAL || err == -EOPNOTSUPP)
		return DAXSTACK_REASON_LOWER_SAYS_NO;
	sw->err = err;
	/* ext4 lets no other flag of such a file be changed; XFS does. */
	if (err == -EPERM && IS_IMMUTABLE(d_inode(sw->lower)))
		return DAXSTACK_REASON_IMMUTABLE;
	return DAXSTACK_REASON_PERSIST;
}

/*
 * Step 8, second half. Nothing can go wrong here, but for a file just made,
 * while it is being written: see dxs_attempt_born().
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
	/* For the flag to act, the lower filesystem thought. It has. */
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

/* Steps 5 to 8: everything is shut and locked. */
static enum daxstack_reason dxs_change(struct dxs_switch *sw)
{
	enum daxstack_reason reason;

	reason = dxs_flush(sw);
	if (!reason)
		reason = dxs_empty(sw);
	if (!reason)
		reason = dxs_trim_emptied(sw);
	if (!reason)
		reason = dxs_persist(sw);
	if (!reason)
		dxs_flip(sw);
	return reason;
}

/* Steps 4 to 8, with data calls kept out. */
static enum daxstack_reason dxs_with_io_shut(struct dxs_switch *sw,
					     struct dxs_gates *gates)
{
	struct inode *lower = dxs_switch_lower(sw);
	enum daxstack_reason reason;

	/* H17: asynchronous direct I/O outlives i_rwsem. */
	inode_dio_wait(lower);
	if (gates) {
		reason = dxs_shut_gate(&gates->fault);
		if (reason)
			return reason;
	}
	/* What calls may have changed since step 1; now none is under way. */
	reason = dxs_veto(sw);
	if (!reason) {
		filemap_invalidate_lock(lower->i_mapping);
		/* Without gates nobody has mapped it (H21). */
		if (gates || mapping_mapped(lower->i_mapping))
			dxs_zap(sw);
		reason = dxs_change(sw);
		filemap_invalidate_unlock(lower->i_mapping);
	}
	if (gates) {
		/*
		 * Without gates, whoever makes them does it. Who goes by cached mode
		 * looks for folios, and finds no DAX entry to be one.
		 */
		if (sw->switched && sw->to == DAXSTACK_CACHED)
			synchronize_rcu_expedited();
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
		/* Touched since dxs_hold_memory(): try again. */
		reason = DAXSTACK_REASON_IO;
		if (!sw->holds_memory)
			goto out;
		dxs_pace_spend();
		reason = dxs_shut_gate(&gates->io);
		if (reason)
			goto out;
	}
	/* H24: reclaim must not enter a filesystem from here. */
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
	sw->shut_ns = gates ? ktime_get_ns() - start : 0;
	return reason;
}

/*
 * H16: normally done with the gates. It fails while the lower file is executed
 * by someone who reached it around us.
 */
static bool dxs_keep_khugepaged_out(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);

	spin_lock(&inode->i_lock);
	/* A mapping that was made without it, khugepaged may be busy with. */
	if (!di->write_held && !mapping_mapped(di->lower->i_mapping))
		di->write_held = !get_write_access(di->lower);
	spin_unlock(&inode->i_lock);
	return di->write_held;
}

/* With data calls kept out, which hold the lower i_rwsem for long (H42). */
static enum daxstack_reason dxs_persist_gated(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	struct dxs_gates *gates = dxs_switching_begin(sw->inode);
	enum daxstack_reason reason = DAXSTACK_REASON_NONE;
	u64 start = ktime_get_ns();

	if (gates) {
		dxs_pace_spend();
		reason = dxs_shut_gate(&gates->io);
	}
	if (!reason) {
		reason = dxs_lock_lower(lower);
		if (!reason) {
			reason = dxs_persist(sw);
			inode_unlock(lower);
		}
		if (gates)
			dxs_gate_open(&gates->io);
	}
	dxs_switching_end(sw->inode);
	sw->attempts++;
	sw->shut_ns = ktime_get_ns() - start;
	return reason;
}

/**
 * dxs_persist_alone() - store the flag, and what else was asked for, only
 * @sw: the request; the file may be in the mode wanted already, or not yet
 *
 * Where flag and mode are as wanted no lock is waited for (H42): a call for
 * attributes that are set already brings a new ctime, as it does without the
 * stack, only if that costs no waiting.
 *
 * Context: sleeps, for a time that is bounded. The switch lock is held, with
 * write access to the lower mount.
 * Return: DAXSTACK_REASON_NONE, or why it is not stored.
 */
enum daxstack_reason dxs_persist_alone(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	enum daxstack_reason reason;
	bool flag, rest, stored;

	dxs_fileattr_changes(sw, &flag, &rest);
	stored = !flag && !rest && dxs_mode(sw->inode) == sw->to;
	if (stored && !sw->fa)
		return DAXSTACK_REASON_NONE;
	if (inode_trylock(lower)) {
		reason = dxs_persist(sw);
		inode_unlock(lower);
		return reason;
	}
	return stored ? DAXSTACK_REASON_NONE : dxs_persist_gated(sw);
}

/* Is there nothing to switch, but something to store? */
static bool dxs_is_for_storing(const struct dxs_switch *sw)
{
	bool flag, rest;

	if (dxs_mode(sw->inode) == sw->to)
		return true;
	if (!sw->fa)
		return false;
	/* A change of other attributes leaves the mode alone. */
	dxs_fileattr_changes(sw, &flag, &rest);
	return rest && !flag;
}

/*
 * The device's driver may be unbound under the mounted filesystem, and its memory
 * gone with it. From now on it stays until dxs_release_memory(). A file that
 * nobody has touched has no pages that could be looked at.
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
	if (sw->holds_memory)
		dxs_memory_release(sw->memory);
	sw->holds_memory = false;
}

/**
 * dxs_attempt() - try once to switch: steps 1 to 9
 * @sw: the request; what came of it is filled in
 *
 * Context: sleeps, while dirty pages are written; ends early by a signal. The
 * switch lock is held, with write access to the lower mount.
 * Return: DAXSTACK_REASON_NONE if the file is in mode @sw->to now, else why not:
 * then nothing has changed.
 */
enum daxstack_reason dxs_attempt(struct dxs_switch *sw)
{
	struct dxs_sb *sbi = DXS_SB(sw->inode->i_sb);
	struct dxs_inode *di = DXS_I(sw->inode);
	enum daxstack_reason reason;

	sw->policy = READ_ONCE(sbi->policy);
	sw->stores = dxs_is_for_storing(sw);
	if (sw->stores)
		return dxs_persist_alone(sw);
	reason = dxs_may_switch(sw);
	if (reason)
		return reason;
	/* Whoever has s_umount, see dxs_own_lower(): nothing is shut for that. */
	if (rwsem_is_locked(&di->lower->i_sb->s_umount) || !dxs_wb_hold(di))
		return DAXSTACK_REASON_WRITEBACK;
	if (!dxs_keep_khugepaged_out(sw->inode))
		return DAXSTACK_REASON_LOWER_SHARED;
	if (!dxs_hold_memory(sw))
		return DAXSTACK_REASON_DEVICE_GONE;
	if (sw->holds_memory)
		dxs_spare_begin(sw);
	reason = dxs_prepare(sw);
	if (!reason)
		reason = dxs_shut_and_change(sw);
	dxs_spare_end(sw);
	dxs_release_memory(sw);
	if (!reason)
		di->switches++;
	return reason;
}

/* The locked part of dxs_attempt_born(). */
static enum daxstack_reason dxs_change_born(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	enum daxstack_reason reason = DAXSTACK_REASON_IO;

	inode_lock(lower);
	if (mapping_empty(lower->i_mapping) && !dxs_mapped(lower->i_mapping))
		reason = dxs_persist(sw);
	if (!reason && !dxs_flip(sw))
		reason = DAXSTACK_REASON_WRITEBACK;
	inode_unlock(lower);
	return reason;
}

/**
 * dxs_attempt_born() - try once to switch a file that was just made (H56)
 * @sw: the request, of %DXS_BORN; what came of it is filled in
 *
 * Nobody has touched the file: there is nothing to write back, to zap or to
 * drop. The flusher and sync(2) may have the inode, and are in its a_ops only
 * while they hold I_SYNC, which dxs_flip() looks at under the same lock; so
 * s_umount, which keeps new mounts away, is shared with them, and a sync(2) that
 * takes long keeps no file from being made.
 *
 * The flag may be stored before an attempt fails (H20): it has the mode that the
 * file is to have, and the file goes if it does not get it.
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
		/* Somebody was quicker, by a file handle. */
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
