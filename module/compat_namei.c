// SPDX-License-Identifier: GPL-2.0
/*
 * Names in the lower filesystem: renames, and dentries that it looks at itself.
 */
#include <linux/cred.h>
#include <linux/namei.h>

#include "daxstack.h"

/*
 * Before lookup_noperm() a lookup below asks whether the caller may search the
 * directory, by the ids below. The VFS has asked that of the lower inode by those of
 * the caller's mount (H70). So a refusal that may be due to these is none.
 */
static inline bool dxs_lookup_refused(const struct super_block *sb,
				      const struct dentry *dentry)
{
#ifdef DXS_HAVE_LOOKUP_NOPERM
	return false;
#else
	return IS_ERR(dentry) && dxs_refused_by_ids(sb, PTR_ERR(dentry));
#endif
}

/**
 * dxs_lookup_lower() - look a name up in a lower directory
 * @sb: the stack
 * @name: the name
 * @parent: the lower directory, locked
 *
 * Context: sleeps.
 * Return: a referenced dentry, may be negative, or an ERR_PTR.
 */
struct dentry *dxs_lookup_lower(const struct super_block *sb, struct qstr *name,
				struct dentry *parent)
{
	struct dentry *dentry = lookup_noperm(name, parent);
	const struct cred *old;

	if (unlikely(dxs_lookup_refused(sb, dentry))) {
		old = override_creds(DXS_SB(sb)->cred);
		dentry = lookup_noperm(name, parent);
		revert_creds(old);
	}
	return dentry;
}

/**
 * dxs_lookup_lower_unlocked() - the same in a directory that is not locked
 * @sb: as above
 * @name: as above
 * @parent: as above
 *
 * Context: as above.
 * Return: as above.
 */
struct dentry *dxs_lookup_lower_unlocked(const struct super_block *sb,
					 struct qstr *name,
					 struct dentry *parent)
{
	struct dentry *dentry = lookup_noperm_unlocked(name, parent);
	const struct cred *old;

	if (unlikely(dxs_lookup_refused(sb, dentry))) {
		old = override_creds(DXS_SB(sb)->cred);
		dentry = lookup_noperm_unlocked(name, parent);
		revert_creds(old);
	}
	return dentry;
}

/**
 * dxs_renaming_begin() - lock two lower directories, and look the new name up
 * @r: the rename
 * @name: the new name
 *
 * Context: sleeps. Write access to the lower mount is held.
 * Return: 0, or an errno: nothing is locked.
 */
int dxs_renaming_begin(struct dxs_renaming *r, const struct qstr *name)
{
#ifdef DXS_HAVE_START_RENAMING_DENTRY
	struct qstr copy = QSTR_LEN(name->name, name->len);
	int err;

	r->rd = (struct renamedata){
		.mnt_idmap = r->idmap,
		.old_parent = r->old_parent,
		.new_parent = r->new_parent,
		.flags = r->flags,
	};
	err = start_renaming_dentry(&r->rd, 0, r->old, &copy);
	if (err)
		return err;
	r->new = r->rd.new_dentry;
	return 0;
#else
	struct dentry *trap = lock_rename(r->old_parent, r->new_parent);
	struct qstr copy = QSTR_INIT(name->name, name->len);
	int err;

	if (IS_ERR(trap))
		return PTR_ERR(trap);
	err = -EINVAL;
	if (trap == r->old || d_unhashed(r->old) ||
	    r->old->d_parent != r->old_parent)
		goto out;
	r->new = dxs_lookup_lower(r->sb, &copy, r->new_parent);
	err = PTR_ERR_OR_ZERO(r->new);
	if (err)
		goto out;
	if (trap != r->new)
		return 0;
	err = r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	dput(r->new);
out:
	unlock_rename(r->old_parent, r->new_parent);
	return err;
#endif
}

/**
 * dxs_renaming() - rename
 * @r: begun with dxs_renaming_begin()
 *
 * Context: sleeps.
 * Return: 0 or a negative errno.
 */
int dxs_renaming(struct dxs_renaming *r)
{
#ifndef DXS_HAVE_START_RENAMING_DENTRY
	r->rd = (struct renamedata){
#ifdef DXS_HAVE_MNT_IDMAP
		.old_mnt_idmap = r->idmap,
		.new_mnt_idmap = r->idmap,
#else
		.old_mnt_userns = r->idmap,
		.new_mnt_userns = r->idmap,
#endif
		.old_dir = d_inode(r->old_parent),
		.old_dentry = r->old,
		.new_dir = d_inode(r->new_parent),
		.new_dentry = r->new,
		.flags = r->flags,
	};
#endif
	return vfs_rename(&r->rd);
}

/**
 * dxs_renaming_end() - unlock the directories
 * @r: begun with dxs_renaming_begin()
 */
void dxs_renaming_end(struct dxs_renaming *r)
{
#ifdef DXS_HAVE_START_RENAMING_DENTRY
	end_renaming(&r->rd);
#else
	dput(r->new);
	unlock_rename(r->old_parent, r->new_parent);
#endif
}

/**
 * dxs_revalidate_lower() - ask the lower filesystem whether a dentry is valid
 * @lower: its dentry, which has a ->d_revalidate
 * @flags: LOOKUP_*, without LOOKUP_RCU
 *
 * Context: sleeps.
 * Return: as ->d_revalidate.
 */
int dxs_revalidate_lower(struct dentry *lower, unsigned int flags)
{
#ifdef DXS_HAVE_D_REVALIDATE_NAME
	struct dentry *parent = dget_parent(lower);
	struct name_snapshot name;
	int valid;

	take_dentry_name_snapshot(&name, lower);
	valid = lower->d_op->d_revalidate(d_inode(parent), &name.name, lower,
					  flags);
	release_dentry_name_snapshot(&name);
	dput(parent);
	return valid;
#else
	return lower->d_op->d_revalidate(lower, flags);
#endif
}
