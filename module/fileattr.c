// SPDX-License-Identifier: GPL-2.0
/*
 * FS_XFLAG_DAX, and the attributes that are set together with it: how they are
 * read and stored in the lower inode, and the calls that ask for it
 * (FS_IOC_FSSETXATTR and FS_IOC_SETFLAGS, so also chattr).
 */
#include "daxstack.h"

/**
 * dxs_fileattr_lower() - the attributes of a lower inode, for the stack itself
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
 * dxs_flag() - which mode does the flag of a lower inode ask for?
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
	return fa.fsx_xflags & FS_XFLAG_DAX ? DAXSTACK_DAX : DAXSTACK_CACHED;
}

/* The lower filesystem tells these; nobody can set them. */
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

/* Sets the DAX bit of @fa, in both of its forms. */
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
 * The attributes that @asked, which the VFS has completed once, means for an
 * inode that has @now: each form of the call leaves out what it cannot express.
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
 * The checks of fileattr_set_prepare() that compare with what is set. The VFS
 * made them before the i_rwsem was released (H46), so they are made again.
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
 * The lower filesystem has refused: what it did before that is undone. ext4
 * stores the flags before it looks at the project; both mark the inode to be
 * loaded anew first.
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
 * dxs_fileattr_store() - store a mode in the flag of a lower inode, and what
 *	else was asked for
 * @idmap: of the mount by which it was asked for: XFS takes S_ISUID and S_ISGID
 *	away from who changes the project of somebody else's file
 * @lower: its dentry
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 * @asked: all attributes as the VFS handed them to us, or NULL: the flag alone
 * @whole: a refused call leaves nothing changed; else what the lower filesystem
 *	has changed before it refused stays, as without the stack
 *
 * All of it is one call of the lower filesystem (H55): some attributes forbid to
 * change others once they are set (FS_IMMUTABLE_FL on ext4), some cannot be
 * undone (the extent size hint of XFS).
 *
 * Context: sleeps. The lower i_rwsem is held for writing, with write access to
 * the lower mount.
 * Return: 0 or a negative errno: the lower filesystem's last word (H18).
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
		flag = now.fsx_xflags & FS_XFLAG_DAX ? DAXSTACK_DAX :
						       DAXSTACK_CACHED;
		is = IS_DAX(inode) ? DAXSTACK_DAX : DAXSTACK_CACHED;
		/* Else the lower filesystem is asked even with nothing to store. */
		if (flag == mode && is == mode)
			return 0;
		/* As from FS_IOC_SETFLAGS, which leaves all else alone. */
		fa = now;
		fa.flags_valid = true;
		fa.fsx_valid = false;
	}
	dxs_fileattr_put_mode(&fa, mode);
	err = inode->i_op->fileattr_set(idmap, lower, &fa);
	/* Without the DAX bit the call is the lower filesystem's alone. */
	if (err && whole && (fa.fsx_xflags ^ now.fsx_xflags) & FS_XFLAG_DAX)
		dxs_fileattr_undo(idmap, lower, &now, dontcache);
	return err;
}

/**
 * dxs_fileattr_changes() - what would a request change?
 * @sw: the request
 * @flag: out: the DAX bit
 * @rest: out: any other attribute
 *
 * What the lower inode has now is left in @sw->now, if @sw->knows_now.
 *
 * Context: sleeps; needs no lock of the lower inode. The answer lasts while the
 * switch lock is held and nobody else can reach the lower inode.
 */
void dxs_fileattr_changes(struct dxs_switch *sw, bool *flag, bool *rest)
{
	struct file_kattr *now = &sw->now, fa;

	*rest = false;
	*flag = true;
	*now = (struct file_kattr){};
	sw->knows_now = !dxs_fileattr_lower(sw->lower, now);
	/* An error is for dxs_fileattr_store() to report. */
	if (!sw->knows_now)
		return;
	*flag = !(now->fsx_xflags & FS_XFLAG_DAX) == (sw->to == DAXSTACK_DAX);
	if (!sw->fa)
		return;
	fa = dxs_fileattr_merge(sw->fa, now);
	dxs_fileattr_put_mode(&fa, now->fsx_xflags & FS_XFLAG_DAX ?
				   DAXSTACK_DAX : DAXSTACK_CACHED);
	*rest = !dxs_fileattr_same(&fa, now);
}

int dxs_fileattr_get(struct dentry *dentry, struct file_kattr *fa)
{
	return vfs_fileattr_get(dxs_lower_dentry(dentry), fa);
}

/* Directories and the like have no mode: the lower inode takes all of it. */
static int dxs_fileattr_forward(struct mnt_idmap *idmap, struct dentry *dentry,
				struct file_kattr *fa)
{
	struct vfsmount *mnt = dxs_lower_mnt(dentry->d_sb);
	int err = mnt_want_write(mnt);

	if (err)
		return err;
	err = vfs_fileattr_set(idmap, dxs_lower_dentry(dentry), fa);
	dxs_copy_attr(d_inode(dentry));
	mnt_drop_write(mnt);
	return err;
}

/*
 * FS_IOC_FSSETXATTR and FS_IOC_SETFLAGS: the DAX bit of a regular file is a
 * switch, and everything else is stored with it. All or nothing (H55).
 *
 * A call that changes other attributes only leaves the mode alone, even if it
 * is not what the flag says (as after a deferred switch); one that changes
 * nothing at all asks for what the flag says.
 *
 * H46: the VFS holds the i_rwsem, which an unlink of the file waits for with the
 * i_rwsem of its directory. So it is released while dirty pages are written and
 * others are waited for. It protects nothing here: attributes are compared and
 * stored under the lower i_rwsem, where the checks that the VFS has made are
 * made again (dxs_fileattr_allowed(), dxs_persist()). Write access to the
 * mount stays with the caller, as while ext4 writes back for FS_IMMUTABLE_FL.
 */
int dxs_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
		     struct file_kattr *fa)
{
	struct inode *inode = d_inode(dentry);
	struct dxs_switch sw;
	int err;

	if (!S_ISREG(inode->i_mode))
		return dxs_fileattr_forward(idmap, dentry, fa);

	sw = dxs_switch_of(dentry, fa->fsx_xflags & FS_XFLAG_DAX ?
				   DAXSTACK_DAX : DAXSTACK_CACHED);
	sw.idmap = idmap;
	sw.fa = fa;
	inode_unlock(inode);
	err = dxs_only_stores(inode->i_sb) ? dxs_store(&sw) : dxs_switch(&sw);
	inode_lock(inode);
	return err;
}
