// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cgroup writeback and files in dax mode (H14).
 *
 * The kernel moves an inode between cgroups in two steps: it tests IS_DAX() without a
 * lock, and later walks the mapping and takes every tagged entry for a folio. I_WB_SWITCH
 * serializes these moves: while it is set, the inode is not moved. So the stack sets it
 * before a file goes to dax and keeps it set in dax mode, in which the kernel itself does
 * not move the inode. For all other code the bit only means that the mapping is accessed
 * under its xarray lock.
 */
#include "entry.h"
#include "mapping.h"

/**
 * dxs_wb_hold() - keep a lower inode in its cgroup
 * @di: inode of the stack
 *
 * Context: the switch lock is held.
 * Return: false if the kernel is moving the inode: try again later.
 */
bool dxs_wb_hold(struct dxs_inode *di)
{
	struct inode *lower = di->lower;

	if (di->wb_held)
		return true;
	spin_lock(&lower->i_lock);
	/* See dxs_wb_evict(); in dax mode the kernel itself does not set it. */
	if (IS_DAX(lower) || !(inode_state_read(lower) & I_WB_SWITCH)) {
		inode_state_set(lower, I_WB_SWITCH);
		di->wb_held = true;
	}
	spin_unlock(&lower->i_lock);
	return di->wb_held;
}

/**
 * dxs_wb_release() - undo dxs_wb_hold()
 * @di: inode of the stack
 *
 * Context: the switch lock is held, or no other task has the inode.
 */
void dxs_wb_release(struct dxs_inode *di)
{
	struct inode *lower = di->lower;

	if (!di->wb_held)
		return;
	spin_lock(&lower->i_lock);
	/* As inode_do_switch_wbs(), for unlocked_inode_to_wb_begin(). */
	smp_wmb();
	inode_state_clear(lower, I_WB_SWITCH);
	spin_unlock(&lower->i_lock);
	di->wb_held = false;
}

/**
 * dxs_wb_evict() - the inode of the stack is being evicted
 * @di: inode of the stack; no other task has it
 *
 * The test of IS_DAX() is not in an RCU section, so that no grace period waits for it. The
 * bit stays set if the lower inode stays in dax mode: the lower inode may outlive the
 * stack's, and a task that tested it in cached mode must not move it now. dxs_wb_hold() of
 * a later inode of the stack takes the bit over.
 *
 * Context: does not sleep.
 */
void dxs_wb_evict(struct dxs_inode *di)
{
	if (!IS_DAX(di->lower))
		dxs_wb_release(di);
}
