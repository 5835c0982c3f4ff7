// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: looked up, created, renamed and removed in the lower filesystem, under the
 * lower directory's lock, with the caller's credentials.
 */
#include <linux/cred.h>
#include <linux/namei.h>

#include "entry.h"
#include "copies.h"
#include "lower.h"
#include "vfs.h"

/*
 * Gets the stack's inode for @lower, and makes @lower the lower dentry. Consumes the
 * reference to @lower.
 */
static struct inode *dxs_attach(struct dentry *dentry, struct dentry *lower)
{
	struct inode *inode;

	if (d_is_negative(lower))
		inode = ERR_PTR(-ESTALE);
	else
		inode = dxs_iget(dentry->d_sb, d_inode(lower));
	if (IS_ERR(inode))
		dput(lower);
	else
		dxs_set_lower(dentry, lower);
	return inode;
}

/*
 * Looks up a name that is about to be changed, in most cases created; the stack's
 * directory is locked for that. Because the lower directory is locked during the
 * lookup, a negative result is valid for as long as the lower dentry does not change.
 *
 * Return: the lower dentry; NULL if it is negative: @dentry then holds the reference;
 * or an ERR_PTR.
 */
static struct dentry *dxs_lookup_vacant(struct dentry *dentry)
{
	struct qstr name = QSTR_INIT(dentry->d_name.name, dentry->d_name.len);
	struct dentry *parent = dxs_lower_dentry(dentry->d_parent);
	struct dentry *lower = dxs_lookup_lower_begin(dentry->d_sb, &name,
						      parent);

	if (IS_ERR(lower))
		return lower;
	if (d_is_negative(lower)) {
		dxs_set_lower(dentry, lower);
		dxs_settled(dentry, true);
		lower = NULL;
	}
	inode_unlock(d_inode(parent));
	return lower;
}

static struct dentry *dxs_lookup(struct inode *dir, struct dentry *dentry,
				 unsigned int flags)
{
	struct qstr name = QSTR_INIT(dentry->d_name.name, dentry->d_name.len);
	struct inode *inode = NULL;
	struct dentry *lower, *other;

	if (flags & (LOOKUP_CREATE | LOOKUP_RENAME_TARGET)) {
		lower = dxs_lookup_vacant(dentry);
		if (!lower) {
			d_add(dentry, NULL);
			dxs_forget_unused(dentry);
			return NULL;
		}
	} else {
		lower = dxs_lookup_lower_unlocked(dentry->d_sb, &name,
						  dxs_lower_dentry(dentry->d_parent));
	}
	if (IS_ERR(lower))
		return lower;
	dxs_settled(dentry, false);
	if (d_is_negative(lower)) {
		dxs_set_lower(dentry, lower);
	} else {
		inode = dxs_attach(dentry, lower);
		if (IS_ERR(inode))
			return ERR_CAST(inode);
		dxs_refresh(inode, DXS_COPY_ALL);
	}
	other = d_splice_alias(inode, dentry);
	if (!other)
		dxs_remember(dentry);
	if (!IS_ERR(other))
		dxs_forget_unused(other ?: dentry);
	return other;
}

/**
 * struct dxs_new - a name to be created, and the type of its file
 * @make: calls the vfs_* function; may put the reference to @dentry and replace it by
 *	another dentry, or by an ERR_PTR
 * @idmap: of the caller's mount; maps the owner. NULL for a link: the VFS does not
 *	pass it
 * @mode: as given by the VFS
 * @rdev: for a device node: its number
 * @target: for a symlink: its target
 * @link: for a hard link: the lower dentry of the old name
 */
struct dxs_new {
	int (*make)(struct inode *dir, struct dentry **dentry,
		    const struct dxs_new *new);
	struct mnt_idmap *idmap;
	umode_t mode;
	dev_t rdev;
	const char *target;
	struct dentry *link;
};

static int dxs_remove_lower(struct inode *lower_dir, struct dentry *lower)
{
	if (d_is_dir(lower))
		return vfs_rmdir(&nop_mnt_idmap, lower_dir, lower, NULL);
	return vfs_unlink(&nop_mnt_idmap, lower_dir, lower, NULL);
}

/*
 * Removes a lower file that was just created, after a later step failed. Uses the
 * stack's credentials: by the lower ids the caller may lack permission to remove the
 * file that it was allowed to create.
 */
static void dxs_unmake(const struct super_block *sb, struct inode *lower_dir,
		       struct dentry *lower)
{
	const struct cred *old = override_creds(DXS_SB(sb)->cred);

	dxs_remove_lower(lower_dir, lower);
	revert_creds(old);
}

/*
 * Connects @dentry to the new @inode. A new directory may have been found by its file
 * handle (export.c) and have a dentry already. A directory must not get a second one,
 * so that dentry is moved here, and @dentry is left without an inode, as in other
 * filesystems.
 *
 * Return: the other dentry, referenced, or NULL.
 */
static struct dentry *dxs_instantiate(struct dentry *dentry,
				      struct inode *inode)
{
	struct dentry *other = NULL;

	if (S_ISDIR(inode->i_mode)) {
		d_drop(dentry);
		other = d_splice_alias(inode, dentry);
	} else {
		d_instantiate(dentry, inode);
	}
	if (IS_ERR(other))
		return NULL;
	dxs_forget_unused(other ?: dentry);
	return other;
}

/* Drops the other dentry: only ->mkdir of later kernels can return it to the VFS. */
static int dxs_made(struct dentry *other)
{
	if (!IS_ERR_OR_NULL(other))
		dput(other);
	return PTR_ERR_OR_ZERO(other);
}

static int dxs_make_file(struct inode *dir, struct dentry **dentry,
			 const struct dxs_new *new)
{
	return vfs_create(new->idmap, *dentry, new->mode, NULL);
}

static int dxs_make_dir(struct inode *dir, struct dentry **dentry,
			const struct dxs_new *new)
{
	*dentry = vfs_mkdir(new->idmap, dir, *dentry, new->mode, NULL);
	return PTR_ERR_OR_ZERO(*dentry);
}

static int dxs_make_node(struct inode *dir, struct dentry **dentry,
			 const struct dxs_new *new)
{
	return vfs_mknod(new->idmap, dir, *dentry, new->mode, new->rdev, NULL);
}

static int dxs_make_symlink(struct inode *dir, struct dentry **dentry,
			    const struct dxs_new *new)
{
	return vfs_symlink(new->idmap, dir, *dentry, new->target, NULL);
}

static int dxs_make_link(struct inode *dir, struct dentry **dentry,
			 const struct dxs_new *new)
{
	return vfs_link(new->link, &nop_mnt_idmap, dir, *dentry, NULL);
}

/* Context: the lower directory is locked. */
static int dxs_make_lower(struct inode *dir, struct dentry **lower,
			  const struct dxs_new *new)
{
	struct inode *lower_dir = dxs_lower_inode(dir);
	int err = new->make(lower_dir, lower, new);
	const struct cred *old;

	if (likely(!err) || !new->link || !dxs_refused_by_ids(dir->i_sb, err))
		return err;
	/* Only ->make of mkdir(2) replaces @lower; this is a link. */
	err = dxs_as_judged(dir, NULL, err, &old);
	if (err)
		return err;
	err = new->make(lower_dir, lower, new);
	dxs_as_judged_end(old);
	return err;
}

/*
 * Creates the lower name, if it is still free.
 *
 * Context: the lower directory is locked.
 * Return: the lower dentry, whose reference @dentry holds, or an ERR_PTR.
 */
static struct dentry *dxs_make_name(struct inode *dir, struct dentry *dentry,
				    const struct dxs_new *new)
{
	struct qstr name = QSTR_INIT(dentry->d_name.name, dentry->d_name.len);
	struct dentry *lower = dxs_known_below(dentry);
	bool ours = !lower;
	int err;

	if (ours) {
		lower = dxs_lookup_lower(dir->i_sb, &name,
					 dxs_lower_dentry(dentry->d_parent));
	} else if (new->make == dxs_make_dir) {
		/* dxs_make_dir() may put it and return another dentry. */
		dget(lower);
		ours = true;
	}
	if (IS_ERR(lower))
		return lower;
	dxs_busy(dentry);
	err = dxs_make_lower(dir, &lower, new);
	if (ours && !err)
		dxs_set_lower(dentry, lower);
	else if (ours && !IS_ERR(lower))
		dput(lower);
	return err ? ERR_PTR(err) : lower;
}

/*
 * Gets the stack's inode of the lower file that was created, or removes the file.
 * Context: the lower directory is locked.
 */
static struct inode *dxs_make_inode(struct inode *dir, struct dentry *dentry,
				    struct dentry *lower,
				    const struct dxs_new *new)
{
	struct inode *inode = ERR_PTR(-ESTALE);
	int err;

	if (likely(d_is_positive(lower)))
		inode = dxs_iget(dir->i_sb, d_inode(lower));
	err = PTR_ERR_OR_ZERO(inode);
	if (!err && !new->link) {
		err = dxs_inherit_born(inode, dentry);
		if (err)
			iput(inode);
	}
	if (likely(!err))
		return inode;
	dxs_unmake(dir->i_sb, dxs_lower_inode(dir), lower);
	/* In case the removal failed. */
	d_drop(dentry);
	return ERR_PTR(err);
}

/* Creates a name. Return: as dxs_instantiate(), or an ERR_PTR. */
static struct dentry *dxs_make(struct inode *dir, struct dentry *dentry,
			       const struct dxs_new *new)
{
	struct inode *lower_dir = dxs_lower_inode(dir);
	struct vfsmount *mnt = dxs_lower_mnt(dir->i_sb);
	struct dentry *lower;
	struct inode *inode;
	int err;

	dxs_inherit_prepare(dentry->d_parent);
	err = mnt_want_write(mnt);
	if (err)
		return ERR_PTR(err);
	inode_lock_nested(lower_dir, I_MUTEX_PARENT);
	lower = dxs_make_name(dir, dentry, new);
	inode = IS_ERR(lower) ? ERR_CAST(lower) :
				dxs_make_inode(dir, dentry, lower, new);
	dxs_settled(dentry, !IS_ERR(inode));
	dxs_refresh(dir, DXS_COPY_SIZE);
	inode_unlock(lower_dir);
	mnt_drop_write(mnt);
	if (IS_ERR(inode))
		return ERR_CAST(inode);
	dxs_refresh(inode, DXS_COPY_ALL);
	return dxs_instantiate(dentry, inode);
}

static int dxs_create(DXS_CREATE_ARGS)
{
	int err = dxs_made(dxs_make(dir, dentry, &(struct dxs_new){
			.make = dxs_make_file, .idmap = idmap,
			.mode = mode }));

	/*
	 * The name was created in the lower filesystem after the VFS's lookup. With
	 * ESTALE the VFS looks it up again: it opens the file, or returns EEXIST if
	 * O_EXCL was given.
	 */
	return err == -EEXIST ? -ESTALE : err;
}

static DXS_MKDIR_RESULT dxs_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				  struct dentry *dentry, umode_t mode)
{
	struct dentry *other = dxs_make(dir, dentry, &(struct dxs_new){
			.make = dxs_make_dir, .idmap = idmap,
			.mode = mode });

	return DXS_MKDIR_RETURN(other);
}

static int dxs_mknod(struct mnt_idmap *idmap, struct inode *dir,
		     struct dentry *dentry, umode_t mode, dev_t rdev)
{
	return dxs_made(dxs_make(dir, dentry, &(struct dxs_new){
			.make = dxs_make_node, .idmap = idmap,
			.mode = mode, .rdev = rdev }));
}

static int dxs_symlink(struct mnt_idmap *idmap, struct inode *dir,
		       struct dentry *dentry, const char *target)
{
	return dxs_made(dxs_make(dir, dentry, &(struct dxs_new){
			.make = dxs_make_symlink, .idmap = idmap,
			.target = target }));
}

static int dxs_link(struct dentry *old, struct inode *dir,
		    struct dentry *dentry)
{
	return dxs_made(dxs_make(dir, dentry, &(struct dxs_new){
			.make = dxs_make_link, .link = dxs_lower_dentry(old) }));
}

/* Context: the lower directory and the stack's inode to be removed are locked. */
static int dxs_remove_judged(struct inode *dir, struct dentry *dentry,
			     struct dentry *lower)
{
	struct inode *lower_dir = dxs_lower_inode(dir);
	int err = dxs_remove_lower(lower_dir, lower);
	const struct cred *old;

	if (likely(!err) || !dxs_refused_by_ids(dir->i_sb, err))
		return err;
	err = dxs_as_judged(dir, d_inode(dentry), err, &old);
	if (err)
		return err;
	err = dxs_remove_lower(lower_dir, lower);
	dxs_as_judged_end(old);
	return err;
}

static int dxs_remove(struct inode *dir, struct dentry *dentry)
{
	struct dentry *lower_parent = dxs_lower_dentry(dentry->d_parent);
	struct inode *lower_dir = d_inode(lower_parent);
	struct vfsmount *mnt = dxs_lower_mnt(dir->i_sb);
	/* With this additional reference it stays positive: see dxs_d_iput(). */
	struct dentry *lower = dget(dxs_lower_dentry(dentry));
	int err;

	err = mnt_want_write(mnt);
	if (err)
		goto out;
	inode_lock_nested(lower_dir, I_MUTEX_PARENT);
	if (!dxs_same_below(dentry)) {
		err = -ESTALE;
	} else {
		dxs_busy(dentry);
		err = dxs_remove_judged(dir, dentry, lower);
		/*
		 * After a removal, treat the dentry as valid until the VFS has made
		 * it negative or unhashed it: a lookup that finds it invalid now
		 * might drop it after it was reused for a new file.
		 */
		if (err)
			dxs_settled(dentry, false);
		else
			dxs_nameless(dentry);
	}
	dxs_refresh(dir, DXS_COPY_SIZE);
	dxs_copy_nlink(d_inode(dentry));
	inode_unlock(lower_dir);
	mnt_drop_write(mnt);
out:
	dput(lower);
	return err;
}

/*
 * Is @lower_new the lower dentry of what the VFS found under the new name? If the
 * lower filesystem is also mounted elsewhere, the lower name may have changed since,
 * and vfs_rename() does not check that. A rename to another name of the same file
 * would do nothing in the lower filesystem, while the VFS goes on and moves the
 * stack's dentry. An exchange would move the dentry of another file.
 */
static bool dxs_is_target(const struct dentry *new, struct dentry *lower_new,
			  bool exchange)
{
	const struct inode *inode = d_inode(new);

	if (d_inode(lower_new) != (inode ? dxs_lower_inode(inode) : NULL))
		return false;
	return !exchange || lower_new == dxs_lower_dentry(new);
}

static int dxs_rename_lower(struct dxs_renaming *r, struct dentry *old,
			    struct dentry *new)
{
	int err;

	if (!dxs_same_below(old) ||
	    !dxs_is_target(new, r->new, r->flags & RENAME_EXCHANGE))
		return -ESTALE;
	dxs_busy(old);
	dxs_busy(new);
	err = dxs_renaming(r);
	dxs_settled(old, !err);
	/* The VFS unhashes the dentry of a replaced file. */
	if (!err && d_really_is_positive(new) && !(r->flags & RENAME_EXCHANGE))
		dxs_nameless(new);
	else
		dxs_settled(new, !err && r->flags & RENAME_EXCHANGE);
	dxs_refresh(d_inode(old->d_parent), DXS_COPY_SIZE);
	if (new->d_parent != old->d_parent)
		dxs_refresh(d_inode(new->d_parent), DXS_COPY_SIZE);
	if (d_really_is_positive(new))
		dxs_copy_nlink(d_inode(new));
	return err;
}

static int dxs_rename(struct mnt_idmap *idmap, struct inode *old_dir,
		      struct dentry *old, struct inode *new_dir,
		      struct dentry *new, unsigned int flags)
{
	struct vfsmount *mnt = dxs_lower_mnt(old_dir->i_sb);
	/* Both directories are locked, so @old and @new keep their lower dentries. */
	struct dxs_renaming r = {
		.idmap = idmap,
		.sb = old_dir->i_sb,
		.old_parent = dxs_lower_dentry(old->d_parent),
		.old = dxs_lower_dentry(old),
		.new_parent = dxs_lower_dentry(new->d_parent),
		.flags = flags,
	};
	int err;

	err = mnt_want_write(mnt);
	if (err)
		return err;
	err = dxs_renaming_begin(&r, new);
	if (!err) {
		err = dxs_rename_lower(&r, old, new);
		dxs_renaming_end(&r);
	} else if (!dxs_same_below(old)) {
		err = -ESTALE;
	}
	mnt_drop_write(mnt);
	if (!err)
		dxs_inherit_moved(old, new);
	if (!err && flags & RENAME_EXCHANGE)
		dxs_inherit_moved(new, old);
	return err;
}

/* O_TMPFILE: the lower file is unnamed, too, until linkat(2). */
static int dxs_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
		       struct file *file, umode_t mode)
{
	struct dentry *dentry = file->f_path.dentry;
	struct path parent = dxs_lower_path(dentry->d_parent);
	struct dentry *lower;
	struct inode *inode;
	int err;

	dxs_inherit_prepare(dentry->d_parent);
	err = mnt_want_write(parent.mnt);
	if (err)
		return err;
	lower = dxs_make_tmpfile(idmap, &parent, mode,
				 file->f_flags & O_EXCL);
	if (IS_ERR(lower)) {
		err = PTR_ERR(lower);
		goto out;
	}
	inode = dxs_attach(dentry, lower);
	dxs_nameless(dentry);
	err = PTR_ERR_OR_ZERO(inode);
	if (!err) {
		err = dxs_inherit_born(inode, dentry);
		if (err)
			iput(inode);
	}
out:
	mnt_drop_write(parent.mnt);
	if (!err)
		dxs_tmpfile_links(file, inode);
	return finish_open_simple(file, err);
}

static const char *dxs_get_link(struct dentry *dentry, struct inode *inode,
				struct delayed_call *done)
{
	if (!dentry)
		return ERR_PTR(-ECHILD);
	return vfs_get_link(dxs_lower_dentry(dentry), done);
}

/* ext4 implements ->fiemap for directories, XFS does not. */
static int dxs_dir_fiemap(struct inode *inode, struct fiemap_extent_info *info,
			  u64 start, u64 len)
{
	struct inode *lower = dxs_lower_inode(inode);

	if (!lower->i_op->fiemap)
		return -EOPNOTSUPP;
	return lower->i_op->fiemap(lower, info, start, len);
}

const struct inode_operations dxs_dir_iops = {
	.lookup		= dxs_lookup,
	.create		= dxs_create,
	.link		= dxs_link,
	.unlink		= dxs_remove,
	.symlink	= dxs_symlink,
	.mkdir		= dxs_mkdir,
	.rmdir		= dxs_remove,
	.mknod		= dxs_mknod,
	.rename		= dxs_rename,
	.tmpfile	= dxs_tmpfile,
	.permission	= dxs_permission,
	.getattr	= dxs_getattr,
	.setattr	= dxs_setattr,
	.listxattr	= dxs_listxattr,
	.update_time	= dxs_update_time,
	DXS_ACL_OPS,
	.fiemap		= dxs_dir_fiemap,
	.fileattr_get	= dxs_fileattr_get,
	.fileattr_set	= dxs_fileattr_set,
};

const struct inode_operations dxs_symlink_iops = {
	.get_link	= dxs_get_link,
	.permission	= dxs_permission,
	.getattr	= dxs_getattr,
	.setattr	= dxs_setattr,
	.listxattr	= dxs_listxattr,
	.update_time	= dxs_update_time,
	.fileattr_get	= dxs_fileattr_get,
	.fileattr_set	= dxs_fileattr_set,
};

const struct inode_operations dxs_special_iops = {
	.permission	= dxs_permission,
	.getattr	= dxs_getattr,
	.setattr	= dxs_setattr,
	.listxattr	= dxs_listxattr,
	.update_time	= dxs_update_time,
	DXS_ACL_OPS,
	.fileattr_get	= dxs_fileattr_get,
	.fileattr_set	= dxs_fileattr_set,
};
