// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extended attributes: passed through from the lower inode as they are stored.
 *
 * H38: the VFS checks permissions and translates on the stack's inode: POSIX ACLs and
 * the root of security.capability, from and to the caller's user namespace. The
 * handlers run below that. They are also called for the stored value (by execve(2),
 * for one), and by callers that need no permission (chown(2) removing capabilities,
 * security modules). So the handlers neither check nor translate again: with
 * vfs_getxattr() on the lower inode, execve(2) would see capabilities that are stored
 * for the root of some user namespace as those of the initial one.
 *
 * The VFS has also translated security.capability by the idmap of the mount. Before
 * Linux 6.2 an ACL is an ordinary attribute: the lower handler checks who may set it
 * and translates its ids by the idmap, so the idmap is passed down (H70). All other
 * handlers ignore the idmap. Reads return what is stored.
 */
#include <linux/fsnotify.h>
#include <linux/security.h>
#include <linux/xattr.h>

#include "entry.h"
#include "copies.h"
#include "vfs.h"

ssize_t dxs_listxattr(struct dentry *dentry, char *list, size_t size)
{
	struct dentry *lower = dxs_lower_dentry(dentry);

	return d_inode(lower)->i_op->listxattr(lower, list, size);
}

static int dxs_xattr_get(const struct xattr_handler *handler,
			 struct dentry *dentry, struct inode *inode,
			 const char *name, void *buffer, size_t size)
{
	return __vfs_getxattr(dxs_lower_dentry(dentry), dxs_lower_inode(inode),
			      name, buffer, size);
}

/*
 * Repeats the VFS's permission check on the lower inode, for the case that the copies
 * the VFS checked were out of date (H37). Includes the owner check for sticky
 * directories and for file capabilities.
 *
 * Context: the lower i_rwsem is held.
 */
static int dxs_xattr_judge(struct mnt_idmap *idmap, struct inode *lower,
			   const char *name)
{
	if (IS_IMMUTABLE(lower) || IS_APPEND(lower) ||
	    HAS_UNMAPPED_ID(idmap, lower))
		return -EPERM;
	if (!strcmp(name, XATTR_NAME_CAPS))
		return capable_wrt_inode_uidgid(idmap, lower,
						CAP_SETFCAP) ? 0 : -EPERM;
	if (strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN))
		return 0;
	if (S_ISDIR(lower->i_mode) && lower->i_mode & S_ISVTX &&
	    !inode_owner_or_capable(idmap, lower))
		return -EPERM;
	return inode_permission(idmap, lower, MAY_WRITE);
}

/* Context: the lower i_rwsem is held for writing. */
static int dxs_xattr_store(struct mnt_idmap *idmap, struct dentry *lower,
			   const char *name, const void *value, size_t size,
			   int flags)
{
	struct inode *inode = d_inode(lower);
	int err;

	if (!value)
		return __vfs_removexattr(idmap, lower, name);
	if (!strncmp(name, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN))
		inode->i_flags &= ~S_NOSEC;
	err = __vfs_setxattr(idmap, lower, inode, name, value, size, flags);
	/* Security modules cache the label in the lower inode. */
	if (!err &&
	    !strncmp(name, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN) &&
	    security_ismaclabel(name + XATTR_SECURITY_PREFIX_LEN))
		security_inode_notifysecctx(inode, (void *)value, size);
	return err;
}

static int dxs_xattr_set_lower(struct mnt_idmap *idmap, struct inode *inode,
			       struct dentry *lower, const char *name,
			       const void *value, size_t size, int flags)
{
	struct delegated_inode delegated = { };
	int err;

	do {
		inode_lock(d_inode(lower));
		err = 0;
		if (unlikely(dxs_who_differs(inode, d_inode(lower))))
			err = dxs_xattr_judge(idmap, d_inode(lower), name);
		if (!err)
			err = try_break_deleg(d_inode(lower), 0, &delegated);
		if (!err)
			err = dxs_xattr_store(idmap, lower, name, value, size,
					      flags);
		inode_unlock(d_inode(lower));
		dxs_copy_attr(inode);
	} while (is_delegated(&delegated) && !(err = break_deleg_wait(&delegated)));
	if (!err)
		fsnotify_xattr(lower);
	return err;
}

static int dxs_xattr_set(const struct xattr_handler *handler,
			 struct mnt_idmap *idmap,
			 struct dentry *dentry, struct inode *inode,
			 const char *name, const void *value, size_t size,
			 int flags)
{
	struct vfsmount *mnt = dxs_lower_mnt(dentry->d_sb);
	int err;

	err = mnt_want_write(mnt);
	if (err)
		return err;
	err = dxs_xattr_set_lower(idmap, inode, dxs_lower_dentry(dentry), name,
				  value, size, flags);
	mnt_drop_write(mnt);
	return err;
}

static const struct xattr_handler dxs_xattr_handler = {
	.prefix	= "",	/* every name */
	.get	= dxs_xattr_get,
	.set	= dxs_xattr_set,
};

DXS_XATTR_HANDLERS dxs_xattr_handlers[] = {
	&dxs_xattr_handler,
	NULL
};
