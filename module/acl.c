// SPDX-License-Identifier: GPL-2.0
/*
 * POSIX ACLs for those who ask for them by inode, as nfsd does. Everybody else
 * reads and sets the attributes (xattrs); the lower inode has the ACL and decides by it
 * (dxs_permission()), so that nothing of it is kept here.
 */
#include <linux/fs.h>
#include <linux/posix_acl.h>

#include "daxstack.h"

/**
 * dxs_get_acl() - the ACL of a lower inode
 * @inode: of the stack
 * @type: ACL_TYPE_ACCESS or ACL_TYPE_DEFAULT
 * @rcu: only look in the cache
 *
 * Context: sleeps unless @rcu.
 * Return: a referenced ACL, NULL if there is none, or an ERR_PTR.
 */
struct posix_acl *dxs_get_acl(struct inode *inode, int type, bool rcu)
{
	struct inode *lower = dxs_lower_inode(inode);

	if (rcu)
		return get_cached_acl_rcu(lower, type);
	return get_acl(lower, type);
}

/**
 * dxs_set_acl() - set the ACL of a lower inode
 * @userns: of the mount; the stack is never an idmapped one
 * @inode: of the stack; the caller may set it
 * @acl: or NULL to remove it
 * @type: as above
 *
 * Context: sleeps; the stack's i_rwsem is held.
 * Return: 0 or a negative errno.
 */
int dxs_set_acl(struct user_namespace *userns, struct inode *inode,
		struct posix_acl *acl, int type)
{
	struct vfsmount *mnt = dxs_lower_mnt(inode->i_sb);
	struct inode *lower = dxs_lower_inode(inode);
	int err;

	err = mnt_want_write(mnt);
	if (err)
		return err;
	inode_lock(lower);
	/* Asks once more about the owner: the VFS went by copies (H37). */
	err = set_posix_acl(&init_user_ns, lower, type, acl);
	inode_unlock(lower);
	dxs_copy_attr(inode);
	mnt_drop_write(mnt);
	return err;
}
