// SPDX-License-Identifier: GPL-2.0
/*
 * Dentries: a positive one holds its lower dentry in d_fsdata, a negative one
 * holds nothing.
 */
#include <linux/namei.h>

#include "daxstack.h"

static void dxs_d_release(struct dentry *dentry)
{
	dput(dentry->d_fsdata);
}

/* The dentry turns negative, and may be given another lower dentry later. */
static void dxs_d_iput(struct dentry *dentry, struct inode *inode)
{
	struct dentry *lower = dentry->d_fsdata;

	dentry->d_fsdata = NULL;
	iput(inode);
	dput(lower);
}

/*
 * The dentry of a file that carries our path but a lower inode. Without an
 * inode the caller (uprobes) asks whose page cache to read around us: ours,
 * which it can't (H16).
 */
static struct dentry *dxs_d_real(struct dentry *dentry,
				 const struct inode *inode)
{
	if (!inode || d_inode(dentry) == inode)
		return dentry;
	return dxs_lower_dentry(dentry);
}

/*
 * Only where the source was a directory: somebody may still change names
 * below us. Names that we know and that still are what they were stay.
 */
static int dxs_d_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct dentry *lower = READ_ONCE(dentry->d_fsdata);
	struct dentry *parent = READ_ONCE(dentry->d_parent);
	struct dentry *lower_parent;

	if (IS_ROOT(dentry))
		return 1;
	if (!lower)
		return 0;
	lower_parent = READ_ONCE(parent->d_fsdata);
	if (d_unhashed(lower) || READ_ONCE(lower->d_parent) != lower_parent)
		return 0;
	if (flags & LOOKUP_RCU)
		return d_inode_rcu(lower) ? 1 : -ECHILD;
	return d_really_is_positive(lower) &&
		lower->d_name.hash_len == dentry->d_name.hash_len;
}

const struct dentry_operations dxs_dentry_ops = {
	.d_release	= dxs_d_release,
	.d_iput		= dxs_d_iput,
	.d_real		= dxs_d_real,
};

const struct dentry_operations dxs_shared_dentry_ops = {
	.d_revalidate	= dxs_d_revalidate,
	.d_release	= dxs_d_release,
	.d_iput		= dxs_d_iput,
	.d_real		= dxs_d_real,
};
