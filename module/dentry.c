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
	/* First, so that the lower inode's last reference is the inode's (H32). */
	dput(lower);
	iput(inode);
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

static bool dxs_same_name(struct dentry *lower, struct dentry *dentry)
{
	struct name_snapshot name;
	bool same;

	take_dentry_name_snapshot(&name, dentry);
	spin_lock(&lower->d_lock);
	same = lower->d_name.len == name.name.len &&
		!memcmp(lower->d_name.name, name.name.name, name.name.len);
	spin_unlock(&lower->d_lock);
	release_dentry_name_snapshot(&name);
	return same;
}

/*
 * Only where the source was a directory: somebody may still change names
 * below us. Names that we know and that still are what they were stay.
 */
static int dxs_d_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct dentry *lower = dentry->d_fsdata;
	struct dentry *parent;
	bool moved;

	if (flags & LOOKUP_RCU)
		return -ECHILD;
	if (IS_ROOT(dentry))
		return 1;
	if (!lower)
		return 0;
	parent = dget_parent(dentry);
	moved = READ_ONCE(lower->d_parent) != dxs_lower_dentry(parent);
	dput(parent);
	if (moved || d_unhashed(lower))
		return 0;
	if (!d_really_is_positive(lower) || !dxs_same_name(lower, dentry))
		return 0;
	/* What is found by a name is judged by its copies (H37). */
	dxs_refresh(d_inode(dentry), DXS_COPY_ALL);
	return 1;
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
