// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX ACLs: the lower inode has the ACL and access is checked there
 * (dxs_permission()), so the stack caches no ACLs.
 *
 * From Linux 6.2 on the VFS gets and sets ACLs by dentry. Before, it treats them as
 * extended attributes (xattr.c), and only nfsd uses these operations, by inode.
 */
#include <linux/fs.h>
#include <linux/posix_acl.h>

#include "entry.h"
#include "copies.h"
#include "vfs.h"

/**
 * dxs_get_inode_acl() - get the ACL of a lower inode, without a dentry
 * @inode: of the stack
 * @type: ACL_TYPE_ACCESS or ACL_TYPE_DEFAULT
 * @rcu: RCU walk: only look in the cache of ACLs
 *
 * Context: sleeps unless @rcu.
 * Return: a referenced ACL, NULL if there is none, or an ERR_PTR.
 */
struct posix_acl *dxs_get_inode_acl(struct inode *inode, int type, bool rcu)
{
	struct inode *lower = dxs_lower_inode(inode);

	if (rcu)
		return get_cached_acl_rcu(lower, type);
	return get_inode_acl(lower, type);
}

/**
 * dxs_get_acl() - get the ACL of a lower inode
 * @idmap: of the mount; the VFS translates the result by it
 * @dentry: of the stack
 * @type: as above
 *
 * Context: sleeps.
 * Return: as above.
 */
struct posix_acl *dxs_get_acl(struct mnt_idmap *idmap, struct dentry *dentry,
			      int type)
{
	return dxs_get_inode_acl(d_inode(dentry), type, false);
}

static int dxs_set_lower_acl(struct mnt_idmap *idmap, struct inode *inode,
			     struct dentry *lower, struct posix_acl *acl,
			     int type)
{
	struct vfsmount *mnt = dxs_lower_mnt(inode->i_sb);
	int err;

	err = mnt_want_write(mnt);
	if (err)
		return err;
	inode_lock(d_inode(lower));
	/* The VFS checked copies of the attributes (H37): check flags and owner again. */
	err = IS_IMMUTABLE(d_inode(lower)) || IS_APPEND(d_inode(lower)) ?
		-EPERM : set_posix_acl(idmap, lower, type, acl);
	inode_unlock(d_inode(lower));
	dxs_copy_attr(inode);
	mnt_drop_write(mnt);
	return err;
}

/**
 * dxs_set_acl() - set the ACL of a lower inode
 * @idmap: of the mount; decides who is the owner and whether S_ISGID is kept. The VFS
 *	has translated the ids in @acl already (H38)
 * @dentry: of the stack; the caller may set it
 * @acl: or NULL to remove it
 * @type: as above
 *
 * Context: sleeps; the stack's i_rwsem is held.
 * Return: 0 or a negative errno.
 */
int dxs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry,
		struct posix_acl *acl, int type)
{
	return dxs_set_lower_acl(idmap, d_inode(dentry),
				 dxs_lower_dentry(dentry), acl, type);
}

/**
 * dxs_set_inode_acl() - set an ACL without a dentry, before Linux 6.2
 * @idmap: as above
 * @inode: of the stack; the caller may set it
 * @acl: as above
 * @type: as above
 *
 * Context: as above.
 * Return: as above.
 */
int dxs_set_inode_acl(struct mnt_idmap *idmap, struct inode *inode,
		      struct posix_acl *acl, int type)
{
	struct dentry *dentry = d_find_any_alias(inode);
	int err;

	if (!dentry)
		return -ESTALE;
	err = dxs_set_acl(idmap, dentry, acl, type);
	dput(dentry);
	return err;
}
