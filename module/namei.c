// SPDX-License-Identifier: GPL-2.0
/*
 * Names: looked up, made, moved and removed in the lower filesystem, under
 * the lower directory's lock, with the caller's own credentials.
 */
#include <linux/cred.h>
#include <linux/namei.h>

#include "daxstack.h"

/* Gives a dentry its inode; consumes the reference to @lower. */
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

static struct dentry *dxs_lookup(struct inode *dir, struct dentry *dentry,
				 unsigned int flags)
{
	struct qstr name = QSTR_INIT(dentry->d_name.name, dentry->d_name.len);
	struct inode *inode = NULL;
	struct dentry *lower, *other;

	lower = dxs_lookup_lower_unlocked(dentry->d_sb, &name,
					  dxs_lower_dentry(dentry->d_parent));
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
 * struct dxs_new - a name to be made, and what it is to be
 * @make: the VFS's call for it; may give @dentry back and put another in its place,
 *	or an ERR_PTR
 * @idmap: of the caller's mount, by which it gets its owner; of a link, the VFS does
 *	not tell
 * @mode: as given by the VFS
 * @rdev: of a device node
 * @target: of a symlink
 * @link: for a hard link, the lower dentry of the old name
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
 * Takes back what was made below, and could not be made what it has to be: whoever
 * may make it need not be the owner by the ids below.
 */
static void dxs_unmake(const struct super_block *sb, struct inode *lower_dir,
		       struct dentry *lower)
{
	const struct cred *old = override_creds(DXS_SB(sb)->cred);

	dxs_remove_lower(lower_dir, lower);
	revert_creds(old);
}

/*
 * Somebody may have found a new directory by its handle (export.c) and have a
 * dentry of it already; a second one it must not get. Then that is moved here, and
 * ours is left without an inode, as by any filesystem that cannot do otherwise.
 *
 * Return: that dentry, a reference, or NULL.
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

/* Only ->mkdir of later kernels tells the VFS of the other dentry. */
static int dxs_made(struct dentry *other)
{
	if (!IS_ERR_OR_NULL(other))
		dput(other);
	return PTR_ERR_OR_ZERO(other);
}

/* The lower directory is locked. */
static int dxs_make_lower(struct inode *dir, struct dentry **lower,
			  const struct dxs_new *new)
{
	struct inode *lower_dir = dxs_lower_inode(dir);
	int err = new->make(lower_dir, lower, new);
	const struct cred *old;

	if (likely(!err) || !new->link || !dxs_refused_by_ids(dir->i_sb, err))
		return err;
	/* Only for mkdir(2) is @lower not what it was. */
	err = dxs_as_judged(dir, NULL, err, &old);
	if (err)
		return err;
	err = new->make(lower_dir, lower, new);
	dxs_as_judged_end(old);
	return err;
}

/* Return: as dxs_instantiate(), or an ERR_PTR. */
static struct dentry *dxs_make(struct inode *dir, struct dentry *dentry,
			       const struct dxs_new *new)
{
	struct dentry *lower_parent = dxs_lower_dentry(dentry->d_parent);
	struct inode *lower_dir = d_inode(lower_parent);
	struct vfsmount *mnt = dxs_lower_mnt(dir->i_sb);
	struct qstr name = QSTR_INIT(dentry->d_name.name, dentry->d_name.len);
	struct inode *inode = NULL;
	struct dentry *lower;
	int err;

	dxs_inherit_prepare(dentry->d_parent);
	err = mnt_want_write(mnt);
	if (err)
		return ERR_PTR(err);
	inode_lock_nested(lower_dir, I_MUTEX_PARENT);
	lower = dxs_lookup_lower(dir->i_sb, &name, lower_parent);
	if (IS_ERR(lower)) {
		err = PTR_ERR(lower);
		goto out;
	}
	dxs_busy(dentry);
	err = dxs_make_lower(dir, &lower, new);
	if (err)
		goto out_dput;
	inode = dxs_attach(dentry, dget(lower));
	err = PTR_ERR_OR_ZERO(inode);
	if (!err && !new->link) {
		err = dxs_inherit_born(inode, dentry);
		if (err)
			iput(inode);
	}
	if (err) {
		dxs_unmake(dir->i_sb, lower_dir, lower);
		/* In case it is still there. */
		d_drop(dentry);
	}
out_dput:
	dxs_settled(dentry, !err);
	if (!IS_ERR(lower))
		dput(lower);
out:
	dxs_refresh(dir, DXS_COPY_SIZE);
	inode_unlock(lower_dir);
	mnt_drop_write(mnt);
	if (err)
		return ERR_PTR(err);
	dxs_copy_attr(inode);
	return dxs_instantiate(dentry, inode);
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

static int dxs_create(DXS_CREATE_ARGS)
{
	int err = dxs_made(dxs_make(dir, dentry, &(struct dxs_new){
			.make = dxs_make_file, .idmap = idmap,
			.mode = mode }));

	/*
	 * It has come below since the VFS looked: the VFS looks again, and finds
	 * it, or says that it is there if the caller wants a new file.
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

/* The lower directory is locked, as is the stack's inode of what is removed. */
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
	/* With a reference of ours it stays positive: see dxs_vacate(). */
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
		 * Else it is right until the VFS has made it negative or
		 * unhashed it: who found it changed now might drop it when it
		 * stands for a new file already.
		 */
		if (err) {
			dxs_settled(dentry, false);
		} else {
			dxs_nameless(dentry);
			dxs_vacate(lower);
		}
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
 * The VFS has looked at our names; where the lower filesystem is someone else's
 * too, its own may differ by now, and nobody looks again below here. A rename to
 * another name of the same file does nothing below, while the VFS goes on to move
 * the dentry, and an exchange moves the dentry that stands for another.
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
	/* The VFS unhashes what was replaced. */
	if (!err && d_really_is_positive(new) && !(r->flags & RENAME_EXCHANGE))
		dxs_nameless(new);
	else
		dxs_settled(new, !err && r->flags & RENAME_EXCHANGE);
	dxs_refresh(d_inode(old->d_parent), DXS_COPY_SIZE);
	if (new->d_parent != old->d_parent)
		dxs_refresh(d_inode(new->d_parent), DXS_COPY_SIZE);
	dxs_copy_attr(d_inode(old));
	if (d_really_is_positive(new))
		dxs_copy_nlink(d_inode(new));
	return err;
}

static int dxs_rename(struct mnt_idmap *idmap, struct inode *old_dir,
		      struct dentry *old, struct inode *new_dir,
		      struct dentry *new, unsigned int flags)
{
	struct vfsmount *mnt = dxs_lower_mnt(old_dir->i_sb);
	struct dxs_renaming r = {
		.idmap = idmap,
		.sb = old_dir->i_sb,
		.old_parent = dxs_lower_dentry(old->d_parent),
		.old = dget(dxs_lower_dentry(old)),
		.new_parent = dxs_lower_dentry(new->d_parent),
		.flags = flags,
	};
	int err;

	err = mnt_want_write(mnt);
	if (err)
		goto out;
	err = dxs_renaming_begin(&r, &new->d_name);
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
out:
	dput(r.old);
	return err;
}

/* O_TMPFILE: unnamed below as well, until linkat(2). */
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

/* ext4 has extents of directories, XFS does not tell of them. */
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
