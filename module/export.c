// SPDX-License-Identifier: GPL-2.0-only
/*
 * File handles: for NFS, open_by_handle_at(2) and fanotify. A handle of the stack is
 * the lower filesystem's, so it stays valid on all mounts of the device, with the
 * stack and without.
 *
 * Supported only if the root of the stack is that of the lower filesystem: a handle
 * does not say which directory tree a file is in.
 */
#include <linux/exportfs.h>

#include "entry.h"
#include "vfs.h"

static int dxs_encode_fh(struct inode *inode, u32 *fh, int *max_len,
			 struct inode *parent)
{
	return exportfs_encode_inode_fh(dxs_lower_inode(inode),
					(struct fid *)fh, max_len,
					parent ? dxs_lower_inode(parent) :
						 NULL, 0);
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

/* Both lower filesystems have ->commit_metadata. */
static int dxs_commit_metadata(struct inode *inode)
{
	struct inode *lower = dxs_lower_inode(inode);

	return lower->i_sb->s_export_op->commit_metadata(lower);
}

static const struct export_operations dxs_export_ops = {
	.encode_fh	= dxs_encode_fh,
	.fh_to_dentry	= dxs_fh_to_dentry,
	.fh_to_parent	= dxs_fh_to_parent,
	.get_parent	= dxs_get_parent,
	.commit_metadata = dxs_commit_metadata,
};

/* Produces the same handles: the stack's inode has the lower number and generation. */
static const struct export_operations dxs_ino32_export_ops = {
	.encode_fh	= generic_encode_ino32_fh,
	.fh_to_dentry	= dxs_fh_to_dentry,
	.fh_to_parent	= dxs_fh_to_parent,
	.get_parent	= dxs_get_parent,
	.commit_metadata = dxs_commit_metadata,
};

/**
 * dxs_export_ops_for() - choose the export operations of the stack
 * @lower: the lower superblock
 */
const struct export_operations *
dxs_export_ops_for(const struct super_block *lower)
{
	return DXS_ENCODES_INO32(lower->s_export_op) ? &dxs_ino32_export_ops :
						       &dxs_export_ops;
}
