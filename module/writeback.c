// SPDX-License-Identifier: GPL-2.0
/*
 * Cgroup writeback and a file in dax mode (H14).
 *
 * Moving an inode between cgroups tests IS_DAX() without a lock and later
 * walks the mapping, taking every tagged entry for a folio. The two are
 * serialised by I_WB_SWITCH: while it is set nobody else moves the inode. So
 * we set it before a file goes to dax and keep it for as long as it is in
 * dax mode. In that mode the kernel itself does not move the inode; to all
 * others the bit only means that they take the mapping's xarray lock.
 */
#include "daxstack.h"

/**
 * dxs_wb_hold() - keep an inode in its cgroup
 * @di: inode of the stack
 *
 * Context: the switch lock is held.
 * Return: false if the kernel is moving it just now: try again later.
 */
bool dxs_wb_hold(struct dxs_inode *di)
{
	struct inode *lower = di->lower;

	if (di->wb_held)
		return true;
	spin_lock(&lower->i_lock);
	/* See dxs_wb_evict(); the kernel itself does not set it in dax mode. */
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
 * Context: the switch lock is held, or nobody else has the inode.
 */
void dxs_wb_release(struct dxs_inode *di)
{
	struct inode *lower = di->lower;

	if (!di->wb_held)
		return;
	spin_lock(&lower->i_lock);
	/* As inode_do_switch_wbs() does, for unlocked_inode_to_wb_begin(). */
	smp_wmb();
	inode_state_clear(lower, I_WB_SWITCH);
	spin_unlock(&lower->i_lock);
	di->wb_held = false;
}

/**
 * dxs_wb_evict() - the inode goes away
 * @di: inode of the stack, which nobody else has
 *
 * Those who move inodes look at the mode without an RCU section, so that no grace
 * period waits for them. The bit stays set if the lower inode stays in dax mode: it
 * may outlive ours, and who looked at it in cached mode must not move it now.
 * dxs_wb_hold() of a later inode of ours takes it over.
 *
 * Context: sleeps not.
 */
void dxs_wb_evict(struct dxs_inode *di)
{
	if (!IS_DAX(di->lower))
		dxs_wb_release(di);
}
