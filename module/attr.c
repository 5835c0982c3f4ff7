// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes: the lower inode has them, and decides about them; copies.c keeps
 * what the VFS reads of them.
 */
#include <linux/pagemap.h>

#include "daxstack.h"

/*
 * The lower inode alone decides: there are no copies of its ACLs. What the VFS
 * decides next, it decides by the copies (H37).
 */
int dxs_permission(struct user_namespace *userns, struct inode *inode,
		   int mask)
{
	if (mask & MAY_NOT_BLOCK)
		dxs_refresh_rcu(inode);
	else
		dxs_refresh(inode, DXS_COPY_WHO);
	return inode_permission(&init_user_ns, dxs_lower_inode(inode), mask);
}

/* STATX_ATTR_DAX comes from below, as it is at this moment. */
int dxs_getattr(struct user_namespace *userns, const struct path *path,
		struct kstat *stat, u32 mask, unsigned int flags)
{
	struct path lower = dxs_lower_path(path->dentry);
	int err;

	err = vfs_getattr_nosec(&lower, stat, mask, flags);
	if (err)
		return err;
	stat->dev = path->dentry->d_sb->s_dev;
	dxs_refresh(d_inode(path->dentry), DXS_COPY_WHO | DXS_COPY_SIZE);
	return 0;
}

/*
 * The VFS works out by its copies what else a change takes away; by now they may
 * be old (H37). The lower inode is locked.
 */
static void dxs_kill_by_lower(struct inode *lower, struct iattr *attr)
{
	const unsigned int asked = ATTR_MODE | ATTR_UID | ATTR_GID |
				   ATTR_ATIME_SET | ATTR_MTIME_SET;
	unsigned int valid = attr->ia_valid;

	if (!S_ISREG(lower->i_mode) || valid & ATTR_MODE)
		return;
	if (valid & (ATTR_UID | ATTR_GID))
		attr->ia_valid |= setattr_should_drop_sgid(&init_user_ns,
							   lower);
	else if (valid & ATTR_SIZE && !(valid & asked) &&
		 setattr_should_drop_suidgid(&init_user_ns, lower))
		/* ATTR_FORCE, as do_truncate(): whoever may write may do that. */
		attr->ia_valid |= ATTR_FORCE |
			setattr_should_drop_suidgid(&init_user_ns, lower);
}

static int dxs_setattr_lower(struct dentry *dentry, struct iattr *attr)
{
	struct dentry *lower = dxs_lower_dentry(dentry);
	struct inode *inode = d_inode(dentry);
	int err;

	inode_lock(d_inode(lower));
	/* ftruncate(2) asks for this by the copy only. */
	if (attr->ia_valid & ATTR_SIZE && IS_APPEND(d_inode(lower)) &&
	    !IS_APPEND(inode)) {
		err = -EPERM;
	} else {
		dxs_kill_by_lower(d_inode(lower), attr);
		err = notify_change(&init_user_ns, lower, attr, NULL);
	}
	dxs_copy_attr_locked(inode);
	inode_unlock(d_inode(lower));
	return err;
}

/* A new size is a data call: it truncates what is mapped and cached. */
static int dxs_setattr_size(struct dentry *dentry, struct iattr *attr)
{
	int err = dxs_io_enter(d_inode(dentry));

	if (err)
		return err;
	err = dxs_setattr_lower(dentry, attr);
	dxs_io_leave(d_inode(dentry));
	return err;
}

/*
 * H38: who may is for the lower filesystem to say, once, with the caller's
 * credentials, by its own inode; the stack has the same owners and no idmap of its
 * own, so nothing is translated.
 */
int dxs_setattr(struct user_namespace *userns, struct dentry *dentry,
		struct iattr *attr)
{
	struct iattr lower = *attr;
	struct vfsmount *mnt = dxs_lower_mnt(dentry->d_sb);
	int err;

	/* The lower notify_change() works these out by itself. */
	if (lower.ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID))
		lower.ia_valid &= ~ATTR_MODE;
	if (lower.ia_valid & ATTR_FILE)
		lower.ia_file = dxs_lower_file(attr->ia_file);

	err = mnt_want_write(mnt);
	if (err)
		return err;
	if (lower.ia_valid & ATTR_SIZE)
		err = dxs_setattr_size(dentry, &lower);
	else
		err = dxs_setattr_lower(dentry, &lower);
	mnt_drop_write(mnt);
	return err;
}

/*
 * Called for the atime only, by the lower filesystem through the path of its
 * file, and inside the I/O gate: so a freeze is not waited for (see the lock
 * order).
 */
int dxs_update_time(struct inode *inode, struct timespec64 *now, int flags)
{
	struct inode *lower = dxs_lower_inode(inode);
	int err;

	if (sb_rdonly(lower->i_sb) || !sb_start_write_trylock(lower->i_sb))
		return 0;
	if (lower->i_op->update_time)
		err = lower->i_op->update_time(lower, now, flags);
	else
		err = generic_update_time(lower, now, flags);
	dxs_copy_attr(inode);
	sb_end_write(lower->i_sb);
	return err;
}

int dxs_fileattr_get(struct dentry *dentry, struct fileattr *fa)
{
	return vfs_fileattr_get(dxs_lower_dentry(dentry), fa);
}

static bool dxs_fileattr_same(const struct fileattr *a,
			      const struct fileattr *b)
{
	return a->flags == b->flags && a->fsx_xflags == b->fsx_xflags &&
		a->fsx_extsize == b->fsx_extsize &&
		a->fsx_projid == b->fsx_projid &&
		a->fsx_cowextsize == b->fsx_cowextsize;
}

/* Makes the DAX bit of @fa that of @from, in both of its forms. */
static void dxs_fileattr_copy_dax(struct fileattr *fa,
				  const struct fileattr *from)
{
	fa->fsx_xflags &= ~FS_XFLAG_DAX;
	fa->fsx_xflags |= from->fsx_xflags & FS_XFLAG_DAX;
	fa->flags &= ~FS_DAX_FL;
	fa->flags |= from->flags & FS_DAX_FL;
}

static int dxs_fileattr_set_lower(struct vfsmount *mnt, struct dentry *lower,
				  struct inode *inode, struct fileattr *fa)
{
	int err = mnt_want_write(mnt);

	if (err)
		return err;
	err = vfs_fileattr_set(&init_user_ns, lower, fa);
	dxs_copy_attr(inode);
	mnt_drop_write(mnt);
	return err;
}

/*
 * Everything but the DAX bit, which stays as it is: the switch lock keeps it
 * from being changed in between. Tells in @old what was set before.
 *
 * Return: 1 if there was anything to do, 0, or an errno.
 */
static int dxs_fileattr_set_rest(struct vfsmount *mnt, struct dentry *lower,
				 struct inode *inode, const struct fileattr *fa,
				 struct fileattr *old)
{
	struct dxs_inode *di = DXS_I(inode);
	bool dax = fa->fsx_xflags & FS_XFLAG_DAX;
	struct fileattr rest = *fa;
	int err = mnt_want_write(mnt);
	bool asked;

	if (err)
		return err;
	mutex_lock(&di->switch_lock);
	err = vfs_fileattr_get(lower, old);
	if (err)
		goto out;
	dxs_fileattr_copy_dax(&rest, old);
	asked = (fa->fsx_xflags ^ old->fsx_xflags) & FS_XFLAG_DAX;
	/* If there is nothing to switch either, it is still a new ctime. */
	if ((asked || dax != (dxs_mode(inode) == DAXSTACK_DAX)) &&
	    dxs_fileattr_same(&rest, old))
		goto out;
	/*
	 * XFS changes the hint only while there are no extents. If the switch
	 * made some of delayed allocations, there would be no way back.
	 */
	if (asked && rest.fsx_extsize != old->fsx_extsize) {
		err = filemap_write_and_wait(d_inode(lower)->i_mapping);
		if (err)
			goto out;
	}
	err = vfs_fileattr_set(&init_user_ns, lower, &rest) ?: 1;
	dxs_copy_attr(inode);
out:
	mutex_unlock(&di->switch_lock);
	mnt_drop_write(mnt);
	return err;
}

/*
 * The lower filesystem takes all of it, as without us, and tells by
 * I_DONTCACHE if the inode is to be loaded anew for it.
 */
static int dxs_fileattr_forward(struct inode *inode, struct dxs_switch *sw,
				struct fileattr *fa)
{
	int flag = dxs_flag(sw->lower);
	int err;

	err = dxs_fileattr_set_lower(dxs_lower_mnt(inode->i_sb), sw->lower,
				     inode, fa);
	if (!S_ISREG(inode->i_mode))
		return err;
	/* After an error too: ext4 may have stored the flag before it failed. */
	if (READ_ONCE(dxs_lower_inode(inode)->i_state) & I_DONTCACHE)
		d_mark_dontcache(inode);
	if (err)
		return err;
	sw->deferred = flag != sw->to && dxs_mode(inode) != sw->to;
	if (!sw->deferred)
		return 0;
	sw->reason = DXS_SB(inode->i_sb)->dax == DXS_DAX_INODE ?
		DAXSTACK_REASON_NEVER : DAXSTACK_REASON_DAX_OPTION;
	return dxs_switch_end(sw);
}

/*
 * FS_IOC_FSSETXATTR and FS_IOC_SETFLAGS, so also chattr: the lower inode
 * takes everything but the DAX bit of a regular file, which is a switch. All
 * or nothing: when the switch is refused, the rest goes back.
 *
 * A call that changes other attributes only leaves the mode alone, even if it
 * is not what the flag says (as after a deferred switch); one that changes
 * nothing at all asks for what the flag says.
 */
int dxs_fileattr_set(struct user_namespace *userns, struct dentry *dentry,
		     struct fileattr *fa)
{
	struct dentry *lower = dxs_lower_dentry(dentry);
	struct inode *inode = d_inode(dentry);
	struct vfsmount *mnt = dxs_lower_mnt(dentry->d_sb);
	struct dxs_switch sw = dxs_switch_of(dentry,
		fa->fsx_xflags & FS_XFLAG_DAX ? DAXSTACK_DAX : DAXSTACK_CACHED);
	struct fileattr old = {}, set = {};
	int had_rest, err;

	if (!S_ISREG(inode->i_mode) || dxs_only_stores(inode->i_sb))
		return dxs_fileattr_forward(inode, &sw, fa);

	had_rest = dxs_fileattr_set_rest(mnt, lower, inode, fa, &old);
	if (had_rest < 0)
		return had_rest;
	if (had_rest && !((old.fsx_xflags ^ fa->fsx_xflags) & FS_XFLAG_DAX))
		return 0;
	err = dxs_switch(&sw);
	/* In the form that it was set in: a form leaves out what it cannot say. */
	old.flags_valid = fa->flags_valid;
	old.fsx_valid = fa->fsx_valid;
	if (err && had_rest)
		dxs_fileattr_set_rest(mnt, lower, inode, &old, &set);
	return err;
}
