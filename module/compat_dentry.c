// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dentry operations that differ between kernels.
 */
#include "entry.h"

/**
 * dxs_revalidate_lower() - ask the lower filesystem whether a dentry is valid
 * @lower: lower dentry with a ->d_revalidate
 * @flags: LOOKUP_*, without LOOKUP_RCU
 *
 * Context: sleeps.
 * Return: as ->d_revalidate.
 */
int dxs_revalidate_lower(struct dentry *lower, unsigned int flags)
{
#ifdef DXS_HAVE_D_REVALIDATE_NAME
	struct dentry *parent = dget_parent(lower);
	struct name_snapshot name;
	int valid;

	take_dentry_name_snapshot(&name, lower);
	valid = lower->d_op->d_revalidate(d_inode(parent), &name.name, lower,
					  flags);
	release_dentry_name_snapshot(&name);
	dput(parent);
	return valid;
#else
	return lower->d_op->d_revalidate(lower, flags);
#endif
}

#ifndef DXS_HAVE_D_REAL_TYPE
/*
 * ->d_real: returns the dentry that has the data of a file.
 *
 * That is the stack's own, so that uprobes find an inode without ->read_folio (H16).
 * For a file with the stack's path and a lower inode, which the caller passes in
 * @inode, it is the lower one.
 */
struct dentry *dxs_d_real(struct dentry *dentry, const struct inode *inode)
{
	if (inode && d_inode(dentry) != inode)
		return dxs_lower_dentry(dentry);
	return dentry;
}
#endif
