// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idmapped mounts of the stack.
 *
 * The lower mount has no idmap, and the stack's inode copies the owner of the lower
 * inode unchanged. So an operation that gets the idmap of the caller's mount passes
 * it down, and the lower filesystem checks and translates by it, once (H38, H70).
 *
 * ->link, ->unlink and ->rmdir get no idmap. The VFS has checked the caller's rights
 * by the idmap: on the directory (dxs_permission(), which checks the lower inode) and
 * on the stack's copies of the owners. vfs_link(), vfs_unlink() and vfs_rmdir() then
 * check again by the lower ids, without the idmap, and may refuse what the mount
 * grants. If any mount of the stack is idmapped and the refusal is due to ids, the
 * answer of the VFS is used instead.
 *
 * This is done only while no other mount of the lower filesystem exists. Then
 * changing the attributes that the VFS checked needs the i_rwsem of the stack's
 * directory, which the VFS has held since its check. Through another lower mount they
 * may change in between, and the refusal stands.
 */
#include <linux/cred.h>

#include "entry.h"
#include "copies.h"
#include "lower.h"
#include "vfs.h"

/**
 * dxs_refused_by_ids() - can a lower refusal be due to ids that a mount maps?
 * @sb: of the stack
 * @err: error from the lower filesystem
 *
 * Context: any.
 */
bool dxs_refused_by_ids(const struct super_block *sb, int err)
{
	return (err == -EACCES || err == -EPERM) &&
		READ_ONCE(DXS_SB(sb)->idmapped);
}

/*
 * Was the refusal due to ids? A refusal by a security module stands: its decision is
 * based on lower inodes and labels.
 */
static bool dxs_ids_refuse(struct inode *lower_dir, struct inode *victim)
{
	return inode_permission(&nop_mnt_idmap, lower_dir,
				MAY_WRITE | MAY_EXEC) ||
		(victim && lower_dir->i_mode & S_ISVTX &&
		 __check_sticky(&nop_mnt_idmap, lower_dir,
				dxs_lower_inode(victim)));
}

/*
 * Were the copies that the VFS checked in @inode equal to the lower attributes?
 * Refreshes them if not.
 */
static bool dxs_judged_right(struct inode *inode)
{
	struct inode *lower = dxs_lower_inode(inode);
	bool right = uid_eq(inode->i_uid, lower->i_uid) &&
		gid_eq(inode->i_gid, lower->i_gid) &&
		!((inode->i_mode ^ lower->i_mode) & ~(S_ISUID | S_ISGID));

	if (!right)
		dxs_copy_attr_locked(inode);
	return right;
}

/*
 * Credentials of the kernel, so that neither the VFS nor security modules check
 * again. The ids and CAP_SYS_RESOURCE are the caller's: they decide about quota and
 * reserved blocks.
 */
static const struct cred *dxs_judged_cred(void)
{
	struct cred *cred = prepare_kernel_cred(&init_task);

	if (!cred)
		return NULL;
	cred->fsuid = current_fsuid();
	cred->fsgid = current_fsgid();
	put_group_info(cred->group_info);
	cred->group_info = get_group_info(current_cred()->group_info);
	if (!ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE))
		cap_lower(cred->cap_effective, CAP_SYS_RESOURCE);
	return cred;
}

/**
 * dxs_as_judged() - apply the VFS's decision about a name to the lower filesystem
 * @dir: directory of the stack
 * @victim: inode of the stack that is removed, or NULL
 * @err: error from the lower filesystem, see dxs_refused_by_ids()
 * @old: out: for dxs_as_judged_end()
 *
 * The lower filesystem still checks what does not depend on ids, such as S_IMMUTABLE.
 *
 * Context: sleeps. The i_rwsem of @dir is held for writing, and that of @victim;
 * the lower one of @dir, too, but not that of @victim.
 * Return: 0: the lower call can be repeated, with overridden credentials until
 * dxs_as_judged_end(); @err: the refusal stands; -ESTALE: the VFS checked a copy that
 * was out of date, and has to check again (H37); or -ENOMEM.
 */
int dxs_as_judged(struct inode *dir, struct inode *victim, int err,
		  const struct cred **old)
{
	struct inode *lower_dir = dxs_lower_inode(dir);
	const struct cred *cred;
	bool right;

	/*
	 * The lower directory is locked: a mount made after this check cannot change
	 * it.
	 */
	if (dxs_others(lower_dir->i_sb) || !dxs_ids_refuse(lower_dir, victim))
		return err;
	right = dxs_judged_right(dir);

	if (victim) {
		struct inode *lower = dxs_lower_inode(victim);

		inode_lock_shared_nested(lower, I_MUTEX_CHILD);
		right &= dxs_judged_right(victim);
		inode_unlock_shared(lower);
	}
	if (!right)
		return -ESTALE;
	cred = dxs_judged_cred();
	if (!cred)
		return -ENOMEM;
	*old = override_creds(cred);
	return 0;
}

/**
 * dxs_as_judged_end() - restore the credentials
 * @old: from dxs_as_judged()
 */
void dxs_as_judged_end(const struct cred *old)
{
	const struct cred *cred = current_cred();

	revert_creds(old);
	put_cred(cred);
}
