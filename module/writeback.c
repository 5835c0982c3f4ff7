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
	if (!(lower->i_state & I_WB_SWITCH)) {
		lower->i_state |= I_WB_SWITCH;
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
	smp_store_release(&lower->i_state, lower->i_state & ~I_WB_SWITCH);
	spin_unlock(&lower->i_lock);
	di->wb_held = false;
}
