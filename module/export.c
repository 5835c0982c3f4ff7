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
						 NULL, 0);
}

/*
 * Tasks that are in d_obtain_alias(), each with the lower dentry that a new alias
 * gets.
 */
static struct dxs_marks dxs_obtainers = {
	.lock = __SPIN_LOCK_UNLOCKED(dxs_obtainers.lock),
	.list = LIST_HEAD_INIT(dxs_obtainers.list),
};

/**
 * dxs_d_init() - ->d_init: a dentry is being allocated
 * @dentry: of the stack; nobody else has it
 *
 * d_obtain_alias() allocates a dentry and publishes it at once. Whoever finds it
 * then needs its lower dentry, so it gets that here.
 *
 * Context: does not sleep.
 * Return: 0.
 */
int dxs_d_init(struct dentry *dentry)
{
	struct dxs_mark *mark;

	/* The caller's own mark it sees without the lock. */
	if (likely(list_empty(&dxs_obtainers.list)))
		return 0;
	mark = dxs_my_mark(&dxs_obtainers);
	if (!mark)
		return 0;
	dentry->d_fsdata = dget(mark->data);
	dxs_settled(dentry, false);
	return 0;
}

/*
 * The dentry of a lower dentry that came without a path; consumes the
 * reference. It has its lower dentry before anyone can find it.
 */
static struct dentry *dxs_obtain_alias(struct super_block *sb,
				       struct dentry *lower)
{
	struct dxs_mark mark;
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
	mark.data = lower;
	dxs_mark(&dxs_obtainers, &mark);
	/* If somebody else was first: theirs. */
	dentry = d_obtain_alias(inode);
	dxs_unmark(&dxs_obtainers, &mark);
	dput(lower);
	return dentry;
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

static const struct export_operations dxs_export_ops = {
	.encode_fh	= dxs_encode_fh,
	.fh_to_dentry	= dxs_fh_to_dentry,
	.fh_to_parent	= dxs_fh_to_parent,
	.get_parent	= dxs_get_parent,
	.commit_metadata = dxs_commit_metadata,
};

/* The same handles: the stack's inode has the number and the generation. */
static const struct export_operations dxs_ino32_export_ops = {
	.encode_fh	= generic_encode_ino32_fh,
	.fh_to_dentry	= dxs_fh_to_dentry,
	.fh_to_parent	= dxs_fh_to_parent,
	.get_parent	= dxs_get_parent,
	.commit_metadata = dxs_commit_metadata,
};

/**
 * dxs_export_ops_for() - how file handles of the stack are made and read
 * @lower: the lower superblock
 */
const struct export_operations *
dxs_export_ops_for(const struct super_block *lower)
{
	return DXS_ENCODES_INO32(lower->s_export_op) ? &dxs_ino32_export_ops :
						       &dxs_export_ops;
}
