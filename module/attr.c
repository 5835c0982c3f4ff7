// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes: the lower inode has them, and decides about them; copies.c keeps
 * what the VFS reads of them.
 */
#include <linux/pagemap.h>

#include "daxstack.h"

/* Out of line, so that the common way keeps its arguments where they are. */
static noinline int dxs_permission_slow(struct mnt_idmap *idmap,
					struct inode *inode, int mask)
{
	dxs_note_idmap(inode, idmap);
	if (mask & MAY_NOT_BLOCK)
		dxs_refresh_rcu(inode);
	else
		dxs_refresh(inode, DXS_COPY_WHO);
	return inode_permission(idmap, dxs_lower_inode(inode), mask);
}

/*
 * The lower inode alone decides: there are no copies of its ACLs. What the VFS
 * decides next, it decides by the copies (H37).
 */
int dxs_permission(struct mnt_idmap *idmap, struct inode *inode,
		   int mask)
{
	if (unlikely(idmap != &nop_mnt_idmap) ||
	    unlikely(!dxs_copies_fresh(inode, DXS_COPY_WHO)))
		return dxs_permission_slow(idmap, inode, mask);
	return inode_permission(idmap, dxs_lower_inode(inode), mask);
}

/*
 * STATX_ATTR_DAX comes from below, as it is at this moment. Owner and group are
 * translated there by the caller's mount (H70).
 */
int dxs_getattr(struct mnt_idmap *idmap, const struct path *path,
		struct kstat *stat, u32 mask, unsigned int flags)
{
	const struct path lower = {
		.mnt = path->mnt,
		.dentry = dxs_lower_dentry(path->dentry),
	};
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
static void dxs_kill_by_lower(struct mnt_idmap *idmap, struct inode *lower,
			      struct iattr *attr)
{
	const unsigned int asked = ATTR_MODE | ATTR_UID | ATTR_GID |
				   ATTR_ATIME_SET | ATTR_MTIME_SET;
	unsigned int valid = attr->ia_valid;

	if (!S_ISREG(lower->i_mode) || valid & ATTR_MODE)
		return;
	if (valid & (ATTR_UID | ATTR_GID))
		attr->ia_valid |= setattr_should_drop_sgid(idmap, lower);
	else if (valid & ATTR_SIZE && !(valid & asked) &&
		 setattr_should_drop_suidgid(idmap, lower))
		/* ATTR_FORCE, as do_truncate(): whoever may write may do that. */
		attr->ia_valid |= ATTR_FORCE |
			setattr_should_drop_suidgid(idmap, lower);
}

static int dxs_setattr_lower(struct mnt_idmap *idmap, struct dentry *dentry,
			     struct iattr *attr)
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
		dxs_kill_by_lower(idmap, d_inode(lower), attr);
		err = notify_change(idmap, lower, attr, NULL);
	}
	dxs_copy_attr_locked(inode);
	inode_unlock(d_inode(lower));
	return err;
}

/* A new size is a data call: it truncates what is mapped and cached. */
static int dxs_setattr_size(struct mnt_idmap *idmap, struct dentry *dentry,
			    struct iattr *attr)
{
	struct inode *lower = dxs_lower_inode(d_inode(dentry));
	int err = dxs_io_enter(d_inode(dentry));

	if (err)
		return err;
	/* truncate(2) has no lower file that is open for writing. */
	err = get_write_access(lower);
	if (!err) {
		err = dxs_setattr_lower(idmap, dentry, attr);
		put_write_access(lower);
	}
	dxs_io_leave(d_inode(dentry));
	return err;
}

/*
 * H38: who may is for the lower filesystem to say, once, with the caller's
 * credentials, by its own inode. The new owners are as the caller's mount has them
 * until the lower filesystem stores them (H70).
 */
int dxs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
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
		err = dxs_setattr_size(idmap, dentry, &lower);
	else
		err = dxs_setattr_lower(idmap, dentry, &lower);
	mnt_drop_write(mnt);
	return err;
}

/*
 * Called for the atime only, by the lower filesystem through the path of its
 * file, and inside the I/O gate: so a freeze is not waited for (see the lock
 * order). The VFS has seen that the mount maps the owner; nobody is asked here.
 */
int dxs_update_time(DXS_UPDATE_TIME_ARGS)
{
	struct inode *lower = dxs_lower_inode(inode);
	int err;

	if (sb_rdonly(lower->i_sb) || !sb_start_write_trylock(lower->i_sb))
		return 0;
	if (lower->i_op->update_time)
		err = lower->i_op->update_time(DXS_UPDATE_TIME_PASS(lower));
	else
		err = generic_update_time(DXS_UPDATE_TIME_PASS(lower));
	dxs_copy_attr(inode);
	sb_end_write(lower->i_sb);
	/* From Linux 6.6 on generic_update_time() returns what it updated. */
	return min(err, 0);
}
