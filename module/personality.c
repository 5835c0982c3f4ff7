// SPDX-License-Identifier: GPL-2.0
/*
 * Personalities: how the lower filesystem serves a file in each mode.
 *
 * S_DAX and a_ops are the only per-inode state that ext4 and XFS set from the
 * mode when they load an inode; the vm_ops that ->mmap installs may follow
 * from it. What belongs to which mode is not guessed: two unnamed files, one
 * made in a directory without FS_XFLAG_DAX and one in the same directory with
 * it, show what the lower filesystem itself chooses.
 */
#include <linux/cred.h>
#include <linux/namei.h>
#include <linux/random.h>
#include <linux/uio.h>

#include "daxstack.h"

/*
 * In the root of the stack, while the root is locked; found again after a power
 * cut. Where somebody has taken the name, a number is appended (H53).
 */
#define DXS_PROBE_NAME	".daxstack-probe"
#define DXS_PROBE_LEN	sizeof(DXS_PROBE_NAME "-0123456789abcdef")

/* Sets or clears FS_XFLAG_DAX of the probe directory. */
static int dxs_probe_flag(struct vfsmount *mnt, struct dentry *dir, bool dax)
{
	struct file_kattr fa = {};
	int err;

	err = dxs_fileattr_lower(dir, &fa);
	if (err)
		return err;
	if (dax)
		fileattr_fill_xflags(&fa, fa.fsx_xflags | FS_XFLAG_DAX);
	else
		fileattr_fill_xflags(&fa, fa.fsx_xflags & ~FS_XFLAG_DAX);
	return vfs_fileattr_set(&nop_mnt_idmap, dir, &fa);
}

/*
 * H30: does the filesystem put data into inodes? ext4 marks a new file for that
 * unless it is born in dax mode, a state that nobody can see or change from
 * outside; a file that was in dax mode in between would lose its blocks to it.
 *
 * A write that fails for want of space was not to go into the inode; one that
 * fails otherwise says nothing.
 *
 * Return: 0, -ENOTBLK if it does, or another errno.
 */
static int dxs_no_inline_data(struct file *file)
{
	struct file_kattr fa = {};
	struct kvec data = { .iov_base = "x", .iov_len = 1 };
	struct iov_iter from;
	struct kiocb iocb;
	ssize_t err;

	/* The caller's limit: the write would send SIGXFSZ. */
	if (!rlimit(RLIMIT_FSIZE))
		return -EFBIG;
	/* kernel_write() would take s_writers, which the caller has. */
	init_sync_kiocb(&iocb, file);
	iov_iter_kvec(&from, ITER_SOURCE, &data, 1, 1);
	err = file->f_op->write_iter(&iocb, &from);
	if (err < 0 && err != -ENOSPC && err != -EDQUOT)
		return err;
	err = dxs_fileattr_lower(file->f_path.dentry, &fa);
	if (err)
		return err;
	return fa.flags & FS_INLINE_DATA_FL ? -ENOTBLK : 0;
}

/*
 * Return: 0, -EOPNOTSUPP if the new file has the other mode, -ENOTBLK if it has
 * its data in the inode, -ENODATA if the flag cannot be stored, or another errno.
 */
static int dxs_probe_mode(struct vfsmount *mnt, struct dentry *dir, int mode,
			  struct dxs_personality *p)
{
	const struct path path = { .mnt = mnt, .dentry = dir };
	struct file *file;
	int err, is;

	err = dxs_probe_flag(mnt, dir, mode == DAXSTACK_DAX);
	/* XFS of version 4 has no place for it. */
	if (err == -EINVAL && mode == DAXSTACK_DAX)
		return -ENODATA;
	if (err)
		return err;
	file = kernel_tmpfile_open(&nop_mnt_idmap, &path, S_IFREG | 0600,
				   O_RDWR, current_cred());
	if (IS_ERR(file))
		return PTR_ERR(file);

	err = -EOPNOTSUPP;
	is = IS_DAX(file_inode(file)) ? DAXSTACK_DAX : DAXSTACK_CACHED;
	if (is == mode) {
		p->a_ops = file->f_mapping->a_ops;
		p->vm_ops = dxs_probe_vm_ops(file);
		err = 0;
		if (!p->vm_ops)
			err = -ENOMEM;
		/* VMAs that the lower filesystem counts are beyond us. */
		else if (p->vm_ops->open || p->vm_ops->close)
			err = -EINVAL;
		else if (mode == DAXSTACK_CACHED)
			err = dxs_no_inline_data(file);
	}
	fput(file);
	return err;
}

/* Left by a power cut? Only root can have made it so. */
static bool dxs_probe_is_ours(const struct dentry *dentry)
{
	const struct inode *inode = d_inode(dentry);

	return d_is_dir(dentry) && uid_eq(inode->i_uid, GLOBAL_ROOT_UID) &&
		!(inode->i_mode & 0077);
}

static struct dentry *dxs_probe_lookup(const char *name, struct dentry *root)
{
	struct qstr qstr = QSTR_INIT(name, strlen(name));

	return lookup_noperm(&qstr, root);
}

/*
 * H53: whoever may write to the root may have taken the name, with anything.
 * That is left alone, and another name is made up, which nobody can know.
 *
 * Context: the root is locked.
 */
static struct dentry *dxs_probe_mkdir(struct vfsmount *mnt,
				      struct dentry *root)
{
	struct inode *dir = d_inode(root);
	char name[DXS_PROBE_LEN] = DXS_PROBE_NAME;
	struct dentry *dentry;

	dentry = dxs_probe_lookup(name, root);
	if (IS_ERR(dentry))
		return dentry;
	if (d_is_positive(dentry)) {
		/* Fails if it is not empty, or something is mounted on it. */
		if (dxs_probe_is_ours(dentry))
			vfs_rmdir(&nop_mnt_idmap, dir, dentry, NULL);
		dput(dentry);
		dentry = dxs_probe_lookup(name, root);
		if (IS_ERR(dentry))
			return dentry;
	}
	if (d_is_positive(dentry)) {
		dput(dentry);
		snprintf(name, sizeof(name), DXS_PROBE_NAME "-%016llx",
			 get_random_u64());
		dentry = dxs_probe_lookup(name, root);
		if (IS_ERR(dentry))
			return dentry;
	}
	return vfs_mkdir(&nop_mnt_idmap, dir, dentry, 0700, NULL);
}

/* Nobody has changed anything else in the root, which was locked since. */
static void dxs_probe_restore_mtime(struct vfsmount *mnt, struct dentry *root,
				    struct timespec64 mtime)
{
	struct iattr attr = {
		.ia_valid = ATTR_MTIME | ATTR_MTIME_SET | ATTR_FORCE,
		.ia_mtime = mtime,
	};
	int err = notify_change(&nop_mnt_idmap, root, &attr, NULL);

	if (err)
		pr_warn("%s: could not restore the root's mtime: %d\n",
			mnt->mnt_sb->s_id, err);
}

/*
 * Why a new file with the flag is not in dax mode. The device comes first: without
 * DAX there, another block size would be of no use.
 */
static enum daxstack_reason dxs_why_no_dax(struct dxs_sb *sbi, int err)
{
	const struct super_block *lower = sbi->lower_mnt->mnt_sb;

	if (!dxs_has_memory(lower))
		return DAXSTACK_REASON_NO_DAX;
	if (lower->s_blocksize != PAGE_SIZE)
		return DAXSTACK_REASON_BLOCK_SIZE;
	if (err == -ENODATA)
		return DAXSTACK_REASON_NO_FLAG;
	if (dxs_passed_has(lower->s_root, "data", "journal"))
		return DAXSTACK_REASON_JOURNAL_DATA;
	return DAXSTACK_REASON_LOWER_SAYS_NO;
}

/* Learns both modes. Return: 0, or an errno and in @reason what it means. */
static int dxs_probe_both(struct dxs_sb *sbi, struct dentry *dir,
			  enum daxstack_reason *reason)
{
	int err;

	err = dxs_probe_mode(sbi->lower_mnt, dir, DAXSTACK_CACHED,
			     &sbi->personality[DAXSTACK_CACHED]);
	if (err == -EOPNOTSUPP)
		*reason = DAXSTACK_REASON_DAX_OPTION;
	else if (err == -ENOTBLK)
		*reason = DAXSTACK_REASON_INLINE_DATA;
	if (err)
		return err;
	err = dxs_probe_mode(sbi->lower_mnt, dir, DAXSTACK_DAX,
			     &sbi->personality[DAXSTACK_DAX]);
	if (err == -EOPNOTSUPP || err == -ENODATA)
		*reason = dxs_why_no_dax(sbi, err);
	return err;
}

/*
 * The root stays locked while the directory is there, so that nobody moves,
 * removes or replaces it, or anything else whose mtime would be lost.
 */
static int dxs_probe_in_root(struct dxs_sb *sbi, enum daxstack_reason *reason)
{
	struct vfsmount *mnt = sbi->lower_mnt;
	struct dentry *root = sbi->lower_root, *dentry;
	struct inode *dir = d_inode(root);
	struct timespec64 mtime, now;
	int err, gone;

	inode_lock_nested(dir, I_MUTEX_PARENT);
	mtime = inode_get_mtime(dir);
	/* Append-only: what is made there cannot be removed. */
	dentry = IS_APPEND(dir) ? ERR_PTR(-EPERM) : dxs_probe_mkdir(mnt, root);
	err = PTR_ERR_OR_ZERO(dentry);
	if (!err) {
		err = dxs_probe_both(sbi, dentry, reason);
		gone = vfs_rmdir(&nop_mnt_idmap, dir, dentry, NULL);
		if (gone)
			pr_warn("%s: could not remove /%pd: %d\n",
				mnt->mnt_sb->s_id, dentry, gone);
		dput(dentry);
	}
	now = inode_get_mtime(dir);
	if (!timespec64_equal(&mtime, &now))
		dxs_probe_restore_mtime(mnt, root, mtime);
	inode_unlock(dir);
	return err;
}

/* Return: 0, or an errno and in @reason what it means. */
static int dxs_probe(struct dxs_sb *sbi, enum daxstack_reason *reason)
{
	struct vfsmount *mnt = sbi->lower_mnt;
	const struct cred *old;
	int err;

	*reason = DAXSTACK_REASON_NO_PROBE;
	/* Frozen: to wait for the end knows no signal; it is tried again. */
	if (READ_ONCE(mnt->mnt_sb->s_writers.frozen) != SB_UNFROZEN)
		return -EBUSY;
	err = mnt_want_write(mnt);
	if (err)
		return err;
	/* Whoever switches first need not be able to write to the root. */
	old = override_creds(sbi->cred);
	err = dxs_probe_in_root(sbi, reason);
	revert_creds(old);
	mnt_drop_write(mnt);
	return err;
}

/**
 * dxs_learn_personalities() - find out how each mode is served
 * @sbi: the mount
 *
 * Called at mount, and again before a switch when it could not be found out
 * then (a full or read-only device).
 *
 * Context: sleeps; no locks held.
 * Return: true if both personalities are known, that is, if the lower
 * filesystem can be switched; else @sbi->no_switch says why not.
 */
bool dxs_learn_personalities(struct dxs_sb *sbi)
{
	enum daxstack_reason reason;
	int err;

	/* Pairs with the release below. */
	if (smp_load_acquire(&sbi->switchable))
		return true;

	mutex_lock(&sbi->probe_lock);
	if (!sbi->switchable && (sbi->no_switch == DAXSTACK_REASON_NONE ||
				 sbi->no_switch == DAXSTACK_REASON_NO_PROBE)) {
		err = dxs_probe(sbi, &reason);
		sbi->no_switch = err ? reason : DAXSTACK_REASON_NONE;
		/* A mount that we did not make says so. */
		if (sbi->no_switch == DAXSTACK_REASON_DAX_OPTION)
			WRITE_ONCE(sbi->dax, DXS_DAX_ALWAYS);
		if (!err)
			/* Pairs with the acquire above and in faults. */
			smp_store_release(&sbi->switchable, true);
		else if (reason == DAXSTACK_REASON_NO_PROBE)
			pr_warn("%s: could not learn both modes: %d\n",
				sbi->lower_mnt->mnt_sb->s_id, err);
	}
	mutex_unlock(&sbi->probe_lock);
	return sbi->switchable;
}
