// SPDX-License-Identifier: GPL-2.0
/*
 * Idmapped mounts of the stack.
 *
 * The lower mount has no idmap, and the lower inode and our copies have the same
 * owners. So an operation that is told the idmap of the caller's mount hands it down,
 * and the lower filesystem asks and translates by it, once (H38, H70).
 *
 * Three operations are not told: ->link, ->unlink and ->rmdir. The VFS has asked who
 * may, by the idmap, of the directory (dxs_permission(), that is of the lower inode)
 * and of our copies of the owners. vfs_link(), vfs_unlink() and vfs_rmdir() ask once
 * more, by the ids below, and may refuse what the mount grants. Where some mount is
 * idmapped, and it is for the ids that they refuse, the answer of the VFS stands.
 *
 * It stands only while the lower filesystem is ours alone. Then whoever changes what
 * was asked for needs the directory's i_rwsem of the stack, which the VFS has held
 * since it asked. Through another mount of the lower filesystem it may change in
 * between, and the refusal stands.
 */
#include <linux/cred.h>

#include "daxstack.h"

/**
 * dxs_refused_by_ids() - may a refusal below be due to ids that a mount maps?
 * @sb: of the stack
 * @err: what the lower filesystem said
 *
 * Context: any.
 */
bool dxs_refused_by_ids(const struct super_block *sb, int err)
{
	return (err == -EACCES || err == -EPERM) &&
		READ_ONCE(DXS_SB(sb)->idmapped);
}

/*
 * Is it for the ids? What security modules refuse stands: they are asked by the
 * lower inodes and labels.
 */
static bool dxs_ids_refuse(struct inode *lower_dir, struct inode *victim)
{
	return inode_permission(&nop_mnt_idmap, lower_dir,
				MAY_WRITE | MAY_EXEC) ||
		(victim && lower_dir->i_mode & S_ISVTX &&
		 __check_sticky(&nop_mnt_idmap, lower_dir,
				dxs_lower_inode(victim)));
}

/* Was the VFS's answer about @inode given by what the lower inode says? */
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
 * The kernel's, as nobody is to be asked again, security modules neither; but what
 * the file needs of blocks and quota is the caller's.
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
 * dxs_as_judged() - go by what the VFS has decided about a name
 * @dir: of the stack: the directory
 * @victim: of the stack: what is removed, or NULL
 * @err: what the lower filesystem said, see dxs_refused_by_ids()
 * @old: out: for dxs_as_judged_end()
 *
 * What does not depend on ids, such as S_IMMUTABLE, is still asked below.
 *
 * Context: sleeps. The i_rwsem of @dir is held for writing, and that of @victim;
 * the lower one of @dir, too, but not that of @victim.
 * Return: 0, and the caller is known to have the right until dxs_as_judged_end();
 * @err: the refusal stands; -ESTALE: a copy was old when the VFS asked, which has to
 * ask again (H37); or -ENOMEM.
 */
int dxs_as_judged(struct inode *dir, struct inode *victim, int err,
		  const struct cred **old)
{
	struct inode *lower_dir = dxs_lower_inode(dir);
	const struct cred *cred;
	bool right;

	/* With the lower directory locked: nobody who mounts it now changes it. */
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
 * dxs_as_judged_end() - the end of what dxs_as_judged() began
 * @old: as given by it
 */
void dxs_as_judged_end(const struct cred *old)
{
	const struct cred *cred = current_cred();

	revert_creds(old);
	put_cred(cred);
}
