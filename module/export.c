// SPDX-License-Identifier: GPL-2.0
/*
 * File handles: for NFS, open_by_handle_at(2) and fanotify. A handle of the
 * stack is the lower filesystem's, so that it is good across mounts, with the
 * stack or without.
 *
 * Only where the root of the stack is that of the lower filesystem: a handle
 * does not say below which directory a file is.
 */
#include <linux/exportfs.h>

#include "daxstack.h"

static int dxs_encode_fh(struct inode *inode, u32 *fh, int *max_len,
			 struct inode *parent)
{
	return exportfs_encode_inode_fh(dxs_lower_inode(inode),
					(struct fid *)fh, max_len,
					parent ? dxs_lower_inode(parent) :
						 NULL);
}

/*
 * The dentry of a lower dentry that came without a path; consumes the
 * reference. It has its lower dentry before anyone can find it.
 */
static struct dentry *dxs_obtain_alias(struct super_block *sb,
				       struct dentry *lower)
{
	struct dentry *dentry;
	struct inode *inode;

	if (IS_ERR_OR_NULL(lower))
		return lower;
	inode = dxs_iget(sb, d_inode(lower));
	if (IS_ERR(inode)) {
		dput(lower);
		return ERR_CAST(inode);
	}
	dxs_refresh(inode, DXS_COPY_ALL);
	dentry = d_find_any_alias(inode);
	if (dentry) {
		iput(inode);
		dput(lower);
		return dentry;
	}
	dentry = d_alloc_anon(sb);
	if (!dentry) {
		iput(inode);
		dput(lower);
		return ERR_PTR(-ENOMEM);
	}
	dxs_settled(dentry, false);
	dxs_set_lower(dentry, lower);
	/* If somebody else was first: theirs. */
	return d_instantiate_anon(dentry, inode);
}

static struct dentry *dxs_fh_to_dentry(struct super_block *sb, struct fid *fid,
				       int len, int type)
{
	struct super_block *lower = dxs_lower_mnt(sb)->mnt_sb;
	const struct export_operations *ops = lower->s_export_op;

	return dxs_obtain_alias(sb, ops->fh_to_dentry(lower, fid, len, type));
}

static struct dentry *dxs_fh_to_parent(struct super_block *sb, struct fid *fid,
				       int len, int type)
{
	struct super_block *lower = dxs_lower_mnt(sb)->mnt_sb;
	const struct export_operations *ops = lower->s_export_op;

	return dxs_obtain_alias(sb, ops->fh_to_parent(lower, fid, len, type));
}

static struct dentry *dxs_get_parent(struct dentry *child)
{
	struct dentry *lower = dxs_lower_dentry(child);
	const struct export_operations *ops = lower->d_sb->s_export_op;

	return dxs_obtain_alias(child->d_sb, ops->get_parent(lower));
}

/* Both lower filesystems have one. */
static int dxs_commit_metadata(struct inode *inode)
{
	struct inode *lower = dxs_lower_inode(inode);

	return lower->i_sb->s_export_op->commit_metadata(lower);
}

const struct export_operations dxs_export_ops = {
	.encode_fh	= dxs_encode_fh,
	.fh_to_dentry	= dxs_fh_to_dentry,
	.fh_to_parent	= dxs_fh_to_parent,
	.get_parent	= dxs_get_parent,
	.commit_metadata = dxs_commit_metadata,
};
