// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes: the lower inode has them, the stack's inode has copies for the
 * VFS to look at.
 */
#include <linux/pagemap.h>
#include <linux/xattr.h>

#include "daxstack.h"

#define DXS_COPIED_FLAGS (S_SYNC | S_DIRSYNC | S_NOATIME | S_APPEND | \
			  S_IMMUTABLE)

/**
 * dxs_copy_attr() - bring the VFS's copies up to date
 * @inode: of the stack
 *
 * Context: any. Races between two copies are harmless: each copies what is
 * true by then.
 */
void dxs_copy_attr(struct inode *inode)
{
	const struct inode *lower = dxs_lower_inode(inode);
	unsigned int flags = READ_ONCE(lower->i_flags) & DXS_COPIED_FLAGS;

	inode->i_mode = lower->i_mode;
	inode->i_uid = lower->i_uid;
	inode->i_gid = lower->i_gid;
	inode->i_rdev = lower->i_rdev;
	inode->i_atime = lower->i_atime;
	inode->i_mtime = lower->i_mtime;
	inode->i_ctime = lower->i_ctime;
	inode->i_blkbits = lower->i_blkbits;
	if (inode->i_nlink != lower->i_nlink)
		set_nlink(inode, lower->i_nlink);
	if ((inode->i_flags & DXS_COPIED_FLAGS) != flags)
		inode_set_flags(inode, flags, DXS_COPIED_FLAGS);
	fsstack_copy_inode_size(inode, (struct inode *)lower);
}

/* The lower inode alone decides: there are no copies of its ACLs. */
int dxs_permission(struct user_namespace *userns, struct inode *inode,
		   int mask)
{
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
	return 0;
}

static int dxs_setattr_lower(struct dentry *dentry, struct iattr *attr)
{
	struct dentry *lower = dxs_lower_dentry(dentry);
	int err;

	inode_lock(d_inode(lower));
	err = notify_change(&init_user_ns, lower, attr, NULL);
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

int dxs_setattr(struct user_namespace *userns, struct dentry *dentry,
		struct iattr *attr)
{
	struct iattr lower = *attr;
	struct vfsmount *mnt = dxs_lower_mnt(dentry->d_sb);
	int err;

	/*
	 * Capabilities of a file go whoever changes it. Here they would go by
	 * vfs_removexattr() of the lower inode, which asks who may set them.
	 */
	attr->ia_valid &= ~ATTR_KILL_PRIV;
	err = setattr_prepare(&init_user_ns, dentry, attr);
	if (err)
		return err;

	/* The lower notify_change() works these out by itself, and the above. */
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
	dxs_copy_attr(d_inode(dentry));
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
	inode->i_atime = lower->i_atime;
	sb_end_write(lower->i_sb);
	return err;
}

ssize_t dxs_listxattr(struct dentry *dentry, char *list, size_t size)
{
	return vfs_listxattr(dxs_lower_dentry(dentry), list, size);
}

static int dxs_xattr_get(const struct xattr_handler *handler,
			 struct dentry *dentry, struct inode *inode,
			 const char *name, void *buffer, size_t size)
{
	return vfs_getxattr(&init_user_ns, dxs_lower_dentry(dentry), name,
			    buffer, size);
}

static int dxs_xattr_set(const struct xattr_handler *handler,
			 struct user_namespace *userns,
			 struct dentry *dentry, struct inode *inode,
			 const char *name, const void *value, size_t size,
			 int flags)
{
	struct dentry *lower = dxs_lower_dentry(dentry);
	struct vfsmount *mnt = dxs_lower_mnt(dentry->d_sb);
	int err;

	err = mnt_want_write(mnt);
	if (err)
		return err;
	if (value)
		err = vfs_setxattr(&init_user_ns, lower, name, value, size,
				   flags);
	else
		err = vfs_removexattr(&init_user_ns, lower, name);
	dxs_copy_attr(inode);
	mnt_drop_write(mnt);
	return err;
}

static const struct xattr_handler dxs_xattr_handler = {
	.prefix	= "",	/* every name */
	.get	= dxs_xattr_get,
	.set	= dxs_xattr_set,
};

const struct xattr_handler *dxs_xattr_handlers[] = {
	&dxs_xattr_handler,
	NULL
};
