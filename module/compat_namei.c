// SPDX-License-Identifier: GPL-2.0-only
/* Names in the lower filesystem: lookups, renames, and lower ->d_revalidate. */
#include <linux/cred.h>
#include <linux/namei.h>

#include "entry.h"
#include "vfs.h"

/*
 * Kernels without lookup_noperm() check in a lower lookup whether the caller may
 * search the directory, by the lower ids. The VFS has checked that already, by the
 * idmap of the caller's mount (H70). So a refusal that may be due to ids is ignored.
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
 * dxs_lookup_lower_unlocked() - look a name up in a lower directory that is not
 * locked
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
 * dxs_lookup_lower_begin() - lock a lower directory and look a name up in it
 * @sb: as above
 * @name: as above
 * @parent: as above
 *
 * For callers that are about to change the name and have the stack's directory
 * locked: no other task of the stack uses the lower directory then. With it locked,
 * concurrent lookups of the same name need not be handled.
 *
 * The permission to search the directory is not checked again: ->permission has just
 * checked the lower directory.
 *
 * Context: as above.
 * Return: as above. The directory is locked, unless it is an ERR_PTR.
 */
struct dentry *dxs_lookup_lower_begin(const struct super_block *sb,
				      struct qstr *name,
				      struct dentry *parent)
{
#ifdef DXS_HAVE_START_CREATING_NOPERM
	return start_creating_noperm(parent, name);
#else
	struct inode *dir = d_inode(parent);
	struct dentry *dentry;

	inode_lock_nested(dir, I_MUTEX_PARENT);
#ifdef DXS_HAVE_LOOKUP_ONE_QSTR_EXCL
	/* Lower filesystems with their own ->d_hash are refused (H52). */
	name->hash = full_name_hash(parent, name->name, name->len);
	dentry = lookup_one_qstr_excl(name, parent, LOOKUP_CREATE);
#else
	dentry = dxs_lookup_lower(sb, name, parent);
#endif
	if (IS_ERR(dentry))
		inode_unlock(dir);
	return dentry;
#endif
}

/* Finds the lower dentry of the new name. Context: the directories are locked. */
static int dxs_find_target(struct dxs_renaming *r, struct dentry *target)
{
	struct qstr name = QSTR_INIT(target->d_name.name, target->d_name.len);

	r->new = dxs_known_below(target);
	r->looked_up = !r->new;
	if (r->looked_up)
		r->new = dxs_lookup_lower(r->sb, &name, r->new_parent);
	return PTR_ERR_OR_ZERO(r->new);
}

/* Within one directory only that directory is locked. */
static int dxs_renaming_within(struct dxs_renaming *r, struct dentry *target)
{
	struct inode *dir = d_inode(r->new_parent);
	int err;

	inode_lock_nested(dir, I_MUTEX_PARENT);
	err = dxs_find_target(r, target);
	if (err)
		inode_unlock(dir);
	return err;
}

#ifdef DXS_HAVE_START_RENAMING_DENTRY
static int dxs_renaming_across(struct dxs_renaming *r, struct dentry *target)
{
	struct qstr name = QSTR_LEN(target->d_name.name, target->d_name.len);
	int err;

	r->rd = (struct renamedata){
		.mnt_idmap = r->idmap,
		.old_parent = r->old_parent,
		.new_parent = r->new_parent,
		.flags = r->flags,
	};
	err = start_renaming_dentry(&r->rd, 0, r->old, &name);
	if (err)
		return err;
	/* end_renaming() drops the reference. */
	r->new = r->rd.new_dentry;
	return 0;
}

static void dxs_renaming_across_end(struct dxs_renaming *r)
{
	end_renaming(&r->rd);
}
#else
static int dxs_renaming_across(struct dxs_renaming *r, struct dentry *target)
{
	struct dentry *trap = lock_rename(r->old_parent, r->new_parent);
	int err;

	if (IS_ERR(trap))
		return PTR_ERR(trap);
	err = -EINVAL;
	if (trap == r->old || d_unhashed(r->old) ||
	    r->old->d_parent != r->old_parent)
		goto out;
	err = dxs_find_target(r, target);
	if (err)
		goto out;
	if (trap != r->new)
		return 0;
	err = r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (r->looked_up)
		dput(r->new);
out:
	unlock_rename(r->old_parent, r->new_parent);
	return err;
}

static void dxs_renaming_across_end(struct dxs_renaming *r)
{
	unlock_rename(r->old_parent, r->new_parent);
}
#endif

/**
 * dxs_renaming_begin() - lock two lower directories, and find the new name
 * @r: the rename
 * @target: dentry of the stack for the new name
 *
 * The caller has to check that the old name has not changed.
 *
 * Context: sleeps. Write access to the lower mount is held.
 * Return: 0, or a negative errno with nothing locked.
 */
int dxs_renaming_begin(struct dxs_renaming *r, struct dentry *target)
{
	r->within = r->old_parent == r->new_parent;
	return r->within ? dxs_renaming_within(r, target) :
			   dxs_renaming_across(r, target);
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
	r->rd = (struct renamedata){
#if defined(DXS_HAVE_START_RENAMING_DENTRY)
		.mnt_idmap = r->idmap,
		.old_parent = r->old_parent,
		.new_parent = r->new_parent,
#else
#if defined(DXS_HAVE_MNT_IDMAP)
		.old_mnt_idmap = r->idmap,
		.new_mnt_idmap = r->idmap,
#else
		.old_mnt_userns = r->idmap,
		.new_mnt_userns = r->idmap,
#endif
		.old_dir = d_inode(r->old_parent),
		.new_dir = d_inode(r->new_parent),
#endif
		.old_dentry = r->old,
		.new_dentry = r->new,
		.flags = r->flags,
	};
	return vfs_rename(&r->rd);
}

/**
 * dxs_renaming_end() - unlock the directories
 * @r: begun with dxs_renaming_begin()
 */
void dxs_renaming_end(struct dxs_renaming *r)
{
	if (r->looked_up)
		dput(r->new);
	if (r->within)
		inode_unlock(d_inode(r->new_parent));
	else
		dxs_renaming_across_end(r);
}

