// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes: permission, stat, setattr, and the update of atime. The lower inode has the
 * attributes and decides about them; copies.c keeps the copies that the VFS reads.
 */
#include <linux/pagemap.h>

#include "entry.h"
#include "asked.h"
#include "copies.h"
#include "gates.h"
#include "vfs.h"

/* Every check of the lower inode. */
static noinline int dxs_permission_slow(struct mnt_idmap *idmap,
					struct inode *inode, int mask)
{
	dxs_note_idmap(inode, idmap);
	if (mask & MAY_NOT_BLOCK)
		dxs_refresh_rcu(inode);
	else
		dxs_refresh(inode, DXS_COPY_WHO);
	return inode_permission(idmap, dxs_lower_inode(inode), mask);
}

/* An ACL may deny what the mode grants. */
static inline bool dxs_no_acl(const struct inode *lower)
{
#ifdef CONFIG_FS_POSIX_ACL
	/*
	 * After the mode: a task that adds an ACL and widens the mode by its mask stores the ACL
	 * first.
	 */
	smp_rmb();
	return !READ_ONCE(lower->i_acl);
#else
	return true;
#endif
}

/* The common grant, as in generic_permission() of later kernels. */
static inline bool dxs_granted(const struct inode *lower, int mask)
{
	umode_t mode = READ_ONCE(lower->i_mode);

	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (!(mask * 0111 & ~mode) && dxs_no_acl(lower))
		return true;
	return !(mask & ~(mode >> 6)) && uid_eq(lower->i_uid, current_fsuid());
}

/*
 * Does more than the mode, the owner and the ACL of the lower inode decide? The VFS has
 * made the other checks of inode_permission(), by copies that are still right.
 */
static __always_inline bool dxs_more_to_ask(const struct inode *lower, int mask)
{
	/* The lower inode has no ->permission: see dxs_iget(). */
	if (!dxs_only_mode())
		return true;
	return mask & MAY_WRITE &&
		(sb_rdonly(lower->i_sb) || IS_IMMUTABLE(lower));
}

/*
 * The lower inode alone decides: its ACLs are not copied. The VFS makes its next decisions
 * by the copies (H37). H80: unless it is known that no security module or program would be
 * asked, all of inode_permission() is called.
 */
int dxs_permission(struct mnt_idmap *idmap, struct inode *inode,
		   int mask)
{
	struct inode *lower = dxs_lower_inode(inode);

	if (unlikely(idmap != &nop_mnt_idmap) ||
	    unlikely(!dxs_copies_fresh(inode, DXS_COPY_WHO)) ||
	    unlikely(dxs_more_to_ask(lower, mask)))
		return dxs_permission_slow(idmap, inode, mask);
	if (likely(dxs_granted(lower, mask)))
		return 0;
	return generic_permission(idmap, lower, mask);
}

/* What vfs_getattr_nosec() has filled in by the inode of the stack. */
static inline void dxs_getattr_by_lower(struct kstat *stat,
					const struct inode *lower)
{
	stat->result_mask = STATX_BASIC_STATS;
	if (lower->i_sb->s_flags & SB_NOATIME)
		stat->result_mask &= ~STATX_ATIME;
	stat->attributes = IS_DAX(lower) ? STATX_ATTR_DAX : 0;
	if (IS_VERITY(lower))
		stat->attributes |= stat->attributes_mask & STATX_ATTR_VERITY;
}

/*
 * STATX_ATTR_DAX is that of the lower inode at this moment. The lower ->getattr translates
 * owner and group by the mount of the caller (H70).
 */
int dxs_getattr(struct mnt_idmap *idmap, const struct path *path,
		struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct inode *lower = dxs_lower_inode(inode);
	const struct path below = {
		.mnt = path->mnt,
		.dentry = dxs_lower_dentry(path->dentry),
	};
	int err;

	dxs_getattr_by_lower(stat, lower);
	err = lower->i_op->getattr(idmap, &below, stat, mask, flags);
	if (err)
		return err;
	stat->dev = inode->i_sb->s_dev;
	dxs_refresh(inode, DXS_COPY_WHO | DXS_COPY_SIZE);
	return 0;
}

/*
 * The VFS derives from its copies which bits a change takes away; the copies may be old by
 * now (H37). The lower inode is locked.
 */
static void dxs_kill_by_lower(struct mnt_idmap *idmap, struct inode *lower,
			      struct iattr *attr)
{
	const unsigned int asked = ATTR_MODE | ATTR_UID | ATTR_GID |
				   ATTR_ATIME_SET | ATTR_MTIME_SET;
	unsigned int valid = attr->ia_valid;

	if (!S_ISREG(lower->i_mode) || valid & ATTR_MODE)
		return;
	if (valid & (ATTR_UID | ATTR_GID))
		attr->ia_valid |= setattr_should_drop_sgid(idmap, lower);
	else if (valid & ATTR_SIZE && !(valid & asked) &&
		 setattr_should_drop_suidgid(idmap, lower))
		/* ATTR_FORCE, as do_truncate(): write access is enough. */
		attr->ia_valid |= ATTR_FORCE |
			setattr_should_drop_suidgid(idmap, lower);
}

static int dxs_setattr_lower(struct mnt_idmap *idmap, struct dentry *dentry,
			     struct iattr *attr)
{
	struct dentry *lower = dxs_lower_dentry(dentry);
	struct inode *inode = d_inode(dentry);
	int err;

	inode_lock(d_inode(lower));
	/* ftruncate(2) checks only the copy. */
	if (attr->ia_valid & ATTR_SIZE && IS_APPEND(d_inode(lower)) &&
	    !IS_APPEND(inode)) {
		err = -EPERM;
	} else {
		dxs_kill_by_lower(idmap, d_inode(lower), attr);
		err = notify_change(idmap, lower, attr, NULL);
	}
	dxs_copy_attr_locked(inode);
	inode_unlock(d_inode(lower));
	return err;
}

/* A new size is a data call: it truncates pages that are mapped and cached. */
static int dxs_setattr_size(struct mnt_idmap *idmap, struct dentry *dentry,
			    struct iattr *attr)
{
	struct inode *lower = dxs_lower_inode(d_inode(dentry));
	int err = dxs_io_enter(d_inode(dentry));

	if (err)
		return err;
	/* truncate(2) has no lower file open for writing. */
	err = get_write_access(lower);
	if (!err) {
		err = dxs_setattr_lower(idmap, dentry, attr);
		put_write_access(lower);
	}
	dxs_io_leave(d_inode(dentry));
	return err;
}

/*
 * H38: the lower filesystem alone decides who may, once, by its own inode and the
 * credentials of the caller. New owners are passed down as the mount of the caller maps
 * them, until the lower filesystem stores them (H70).
 */
int dxs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
		struct iattr *attr)
{
	struct iattr lower = *attr;
	struct vfsmount *mnt = dxs_lower_mnt(dentry->d_sb);
	int err;

	/* The lower notify_change() derives these itself. */
	if (lower.ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID))
		lower.ia_valid &= ~ATTR_MODE;
	if (lower.ia_valid & ATTR_FILE)
		lower.ia_file = dxs_lower_file(attr->ia_file);

	err = mnt_want_write(mnt);
	if (err)
		return err;
	if (lower.ia_valid & ATTR_SIZE)
		err = dxs_setattr_size(idmap, dentry, &lower);
	else
		err = dxs_setattr_lower(idmap, dentry, &lower);
	mnt_drop_write(mnt);
	return err;
}

/*
 * Called for the atime only, by the lower filesystem through the path of its file and
 * inside the I/O gate: so it must not wait for a freeze (see the lock order). The VFS has
 * checked that the mount maps the owner; no permission is checked here.
 */
int dxs_update_time(DXS_UPDATE_TIME_ARGS)
{
	struct inode *lower = dxs_lower_inode(inode);
	int err;

	if (sb_rdonly(lower->i_sb) || !sb_start_write_trylock(lower->i_sb))
		return 0;
	if (lower->i_op->update_time)
		err = lower->i_op->update_time(DXS_UPDATE_TIME_PASS(lower));
	else
		err = generic_update_time(DXS_UPDATE_TIME_PASS(lower));
	dxs_copy_attr(inode);
	sb_end_write(lower->i_sb);
	/* From Linux 6.6 on generic_update_time() returns what it updated. */
	return min(err, 0);
}
