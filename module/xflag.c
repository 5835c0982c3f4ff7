// SPDX-License-Identifier: GPL-2.0-only
/*
 * FS_XFLAG_DAX and the attributes that are set together with it: how they are read,
 * compared and stored in the lower inode. Knows nothing of requests.
 */
#include "xflag.h"

/**
 * dxs_fileattr_lower() - read the attributes of a lower inode for the stack itself
 * @lower: its dentry
 * @fa: out
 *
 * H39: vfs_fileattr_get() may ask security modules about the caller.
 *
 * Context: sleeps.
 * Return: 0 or a negative errno.
 */
int dxs_fileattr_lower(struct dentry *lower, struct file_kattr *fa)
{
	const struct inode *inode = d_inode(lower);

	if (!inode->i_op->fileattr_get)
		return -ENOIOCTLCMD;
	return inode->i_op->fileattr_get(lower, fa);
}

/**
 * dxs_flag() - the mode that the flag of a lower inode asks for
 * @lower: its dentry
 *
 * Context: sleeps.
 * Return: DAXSTACK_DAX, DAXSTACK_CACHED, or a negative errno.
 */
int dxs_flag(struct dentry *lower)
{
	struct file_kattr fa = {};
	int err = dxs_fileattr_lower(lower, &fa);

	if (err)
		return err;
	return dxs_fileattr_mode(&fa);
}

/* The lower filesystem reports these; they cannot be set. */
#define DXS_XFLAGS_TOLD	(FS_XFLAG_HASATTR | FS_XFLAG_PREALLOC | \
			 FS_XFLAG_VERITY)
#define DXS_FLAGS_TOLD	FS_VERITY_FL

static bool dxs_fileattr_same(const struct file_kattr *a,
			      const struct file_kattr *b)
{
	return !((a->flags ^ b->flags) & ~DXS_FLAGS_TOLD) &&
		!((a->fsx_xflags ^ b->fsx_xflags) & ~DXS_XFLAGS_TOLD) &&
		a->fsx_extsize == b->fsx_extsize &&
		a->fsx_projid == b->fsx_projid &&
		a->fsx_cowextsize == b->fsx_cowextsize;
}

/* Set the DAX bit of @fa, in both of its forms. */
static void dxs_fileattr_put_mode(struct file_kattr *fa, int mode)
{
	if (mode == DAXSTACK_DAX) {
		fa->fsx_xflags |= FS_XFLAG_DAX;
		fa->flags |= FS_DAX_FL;
	} else {
		fa->fsx_xflags &= ~FS_XFLAG_DAX;
		fa->flags &= ~FS_DAX_FL;
	}
}

/*
 * The attributes that @asked, as completed by the VFS, means for an inode that has @now: each
 * form of the call leaves out what it cannot express.
 */
static struct file_kattr dxs_fileattr_merge(const struct file_kattr *asked,
					    const struct file_kattr *now)
{
	struct file_kattr fa = *asked;

	if (fa.flags_valid) {
		fa.fsx_xflags &= FS_XFLAG_COMMON;
		fa.fsx_xflags |= now->fsx_xflags & ~FS_XFLAG_COMMON;
		fa.fsx_extsize = now->fsx_extsize;
		fa.fsx_nextents = now->fsx_nextents;
		fa.fsx_projid = now->fsx_projid;
		fa.fsx_cowextsize = now->fsx_cowextsize;
	} else {
		fa.flags &= FS_COMMON_FL;
		fa.flags |= now->flags & ~FS_COMMON_FL;
	}
	return fa;
}

/*
 * The checks of fileattr_set_prepare() against the current attributes. The VFS made them
 * before i_rwsem was released (H46), so they are repeated.
 */
static int dxs_fileattr_allowed(const struct file_kattr *fa,
				const struct file_kattr *now)
{
	if ((fa->flags ^ now->flags) & (FS_APPEND_FL | FS_IMMUTABLE_FL) &&
	    !capable(CAP_LINUX_IMMUTABLE))
		return -EPERM;
	if (current_user_ns() == &init_user_ns)
		return 0;
	if (fa->fsx_projid != now->fsx_projid ||
	    (fa->fsx_xflags ^ now->fsx_xflags) & FS_XFLAG_PROJINHERIT)
		return -EINVAL;
	return 0;
}

/*
 * Undo what the lower filesystem did before it refused the call: ext4 stores the flags
 * before it checks the project, and both filesystems set I_DONTCACHE first.
 */
static void dxs_fileattr_undo(struct mnt_idmap *idmap, struct dentry *lower,
			      const struct file_kattr *was, bool dontcache)
{
	struct inode *inode = d_inode(lower);
	struct file_kattr now = {}, fa = *was;
	int err = dxs_fileattr_lower(lower, &now);

	if (!err && !dxs_fileattr_same(&now, was)) {
		fa.flags_valid = false;
		fa.fsx_valid = true;
		err = inode->i_op->fileattr_set(idmap, lower, &fa);
	}
	if (err) {
		pr_warn_ratelimited("%s: inode %llu: a refused change of attributes stays in part: %d\n",
				    inode->i_sb->s_id, (u64)inode->i_ino, err);
		return;
	}
	if (dontcache)
		return;
	spin_lock(&inode->i_lock);
	inode_state_clear(inode, I_DONTCACHE);
	spin_unlock(&inode->i_lock);
}

/**
 * dxs_fileattr_store() - store a mode in the flag of a lower inode, and other attributes
 * @idmap: of the mount through which the call came: XFS clears S_ISUID and S_ISGID if the
 * caller changes the project of a file of another owner
 * @lower: its dentry
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 * @asked: all attributes as the VFS passed them to the stack, or NULL: only the flag
 * @whole: a refused call must leave nothing changed; else what the lower filesystem changed
 * before it refused stays, as without the stack
 *
 * All of it is a single call of the lower filesystem (H55): some attributes, once set,
 * forbid to change others (FS_IMMUTABLE_FL on ext4), and some cannot be undone (the extent
 * size hint of XFS).
 *
 * Context: sleeps. The lower i_rwsem is held for writing, with write access to the lower
 * mount.
 * Return: 0 or a negative errno: the final decision of the lower filesystem (H18).
 */
int dxs_fileattr_store(struct mnt_idmap *idmap, struct dentry *lower, int mode,
		       const struct file_kattr *asked, bool whole)
{
	struct inode *inode = d_inode(lower);
	bool dontcache = inode_state_read_once(inode) & I_DONTCACHE;
	struct file_kattr now = {}, fa;
	int err, flag, is;

	err = dxs_fileattr_lower(lower, &now);
	if (err)
		return err;
	if (asked) {
		fa = dxs_fileattr_merge(asked, &now);
		err = dxs_fileattr_allowed(&fa, &now);
		if (err)
			return err;
	} else {
		flag = dxs_fileattr_mode(&now);
		is = IS_DAX(inode) ? DAXSTACK_DAX : DAXSTACK_CACHED;
		/* The lower filesystem is called even if only the mode differs from the flag. */
		if (flag == mode && is == mode)
			return 0;
		/* As FS_IOC_SETFLAGS, which leaves everything else alone. */
		fa = now;
		fa.flags_valid = true;
		fa.fsx_valid = false;
	}
	dxs_fileattr_put_mode(&fa, mode);
	err = inode->i_op->fileattr_set(idmap, lower, &fa);
	/* A call that does not change the DAX bit is the lower filesystem's alone. */
	if (err && whole && (fa.fsx_xflags ^ now.fsx_xflags) & FS_XFLAG_DAX)
		dxs_fileattr_undo(idmap, lower, &now, dontcache);
	return err;
}

/**
 * dxs_fileattr_changes() - does a call change other attributes than the DAX bit?
 * @asked: all attributes as the VFS passed them to the stack
 * @now: those that the lower inode has
 *
 * Context: any.
 */
bool dxs_fileattr_changes(const struct file_kattr *asked,
			  const struct file_kattr *now)
{
	struct file_kattr fa = dxs_fileattr_merge(asked, now);

	dxs_fileattr_put_mode(&fa, dxs_fileattr_mode(now));
	return !dxs_fileattr_same(&fa, now);
}
