// SPDX-License-Identifier: GPL-2.0-only
/*
 * The locks that an attempt takes, none of which it waits for without limit. For their
 * order see entry.h.
 */
#include "entry.h"
#include "gates.h"
#include "lower.h"
#include "pace.h"
#include "switch.h"

/**
 * dxs_shut_gate() - steps 3 and 4: keep new readers out of a gate
 * @gate: one that dxs_gate_slow() made slow, a grace period ago
 *
 * Context: sleeps until the readers inside have left, for at most DXS_DRAIN.
 * Return: DAXSTACK_REASON_NONE: the gate is closed. Else why it is open.
 */
enum daxstack_reason dxs_shut_gate(struct dxs_gate *gate)
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

/**
 * dxs_own_lower() - step 3: have the lower superblock to oneself
 * @lower: the superblock
 *
 * s_umount held for writing keeps the flusher and sync(2) out of the old a_ops (H13), and
 * keeps new mounts of the lower filesystem away. It is only tried. Waiting for it here
 * would make every data call wait at the I/O gate for a sync(2) that may take seconds.
 * Taking it before the gate would deadlock: the gate waits for a throttled writer, that
 * writer for the flusher, and the flusher for s_umount (H23).
 *
 * Context: does not sleep.
 * Return: DAXSTACK_REASON_NONE: s_umount is held for writing, and nobody else uses the
 * superblock. Else why not.
 */
enum daxstack_reason dxs_own_lower(struct super_block *lower)
{
	enum daxstack_reason reason;

	if (!down_write_trylock(&lower->s_umount))
		return DAXSTACK_REASON_WRITEBACK;
	reason = dxs_others(lower);
	if (reason)
		up_write(&lower->s_umount);
	return reason;
}

/**
 * dxs_lock_lower() - take the lower i_rwsem, for writing
 * @lower: the inode
 *
 * H42: a data call may hold the lock for ever: a read that fills memory whose page fault
 * is never answered does not end even when its task is killed. A task that queued for the
 * lock would wait as long and could not be killed, and new readers queue behind a writer.
 *
 * Context: sleeps, for at most the time that tasks inside a gate have.
 * Return: DAXSTACK_REASON_NONE: the lock is held. Else why not.
 */
enum daxstack_reason dxs_lock_lower(struct inode *lower)
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
