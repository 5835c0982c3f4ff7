// SPDX-License-Identifier: GPL-2.0-only
/*
 * Personalities: the operations by which the lower filesystem serves each mode.
 *
 * S_DAX and a_ops are the only per-inode state that ext4 and XFS derive from the mode
 * when they load an inode; the vm_ops that ->mmap installs may depend on the mode,
 * too. The stack does not guess them: it probes by creating two unnamed files in a
 * directory, one while the directory lacks FS_XFLAG_DAX and one while it has it, and
 * records what the lower filesystem chose.
 */
#include <linux/cred.h>
#include <linux/namei.h>
#include <linux/random.h>
#include <linux/uio.h>

#include "entry.h"
#include "lower.h"
#include "mapping.h"
#include "xflag.h"

/*
 * Directory for the probe, in the root of the stack, which is locked meanwhile. The
 * name is fixed so that a leftover of a power cut is found. If a user has taken the
 * name, a random number is appended (H53).
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
 * H30: does the filesystem store inline data in inodes? ext4 sets a new file up for
 * that unless it is created in dax mode. This state is neither visible nor changeable
 * from outside; a file that was in dax mode in between would lose its blocks to it.
 *
 * If the write fails with ENOSPC or EDQUOT, the data was not to go into the inode;
 * other failures tell nothing.
 *
 * Return: 0, -ENOTBLK if it uses inline data, or another negative errno.
 */
static int dxs_no_inline_data(struct file *file)
{
	struct file_kattr fa = {};
	struct kvec data = { .iov_base = "x", .iov_len = 1 };
	struct iov_iter from;
	struct kiocb iocb;
	ssize_t err;

	/* With this limit the write would send SIGXFSZ to the caller. */
	if (!rlimit(RLIMIT_FSIZE))
		return -EFBIG;
	/* kernel_write() would take s_writers, which the caller holds. */
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
 * Creates a file in @mode and records its operations.
 *
 * Return: 0, -EOPNOTSUPP if the new file has the other mode, -ENOTBLK if its data is
 * in the inode, -ENODATA if the flag cannot be stored, or another negative errno.
 */
static int dxs_probe_mode(struct vfsmount *mnt, struct dentry *dir, int mode,
			  struct dxs_personality *p)
{
	const struct path path = { .mnt = mnt, .dentry = dir };
	struct file *file;
	int err, is;

	err = dxs_probe_flag(mnt, dir, mode == DAXSTACK_DAX);
	/* XFS version 4 cannot store the flag. */
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
		/* The stack does not support vm_ops with ->open or ->close. */
		else if (p->vm_ops->open || p->vm_ops->close)
			err = -EINVAL;
		else if (mode == DAXSTACK_CACHED)
			err = dxs_no_inline_data(file);
	}
	fput(file);
	return err;
}

/* Is it a leftover of a power cut? Only root can create such a directory. */
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
 * H53: a user who may write to the root directory may have created any file of this
 * name. Leave it alone and use a random name, which no user can predict.
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
		/* Fails if it is not empty, or a mount point. */
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

/*
 * Restores the root's mtime. The root was locked since @mtime was read, so only the
 * probe has changed it.
 */
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
 * Finds out why a new file with the flag is not in dax mode. Checks the device first:
 * if it has no DAX, another block size would not help.
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

/* Learns both personalities. Return: 0, or a negative errno with @reason set. */
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
 * Probes in a directory in the root. The root stays locked meanwhile, so that no task
 * moves, removes or replaces the directory, or makes another change whose mtime would
 * be lost.
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
	/* In an append-only root the directory could not be removed. */
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

/* Return: 0, or a negative errno with @reason set. */
static int dxs_probe(struct dxs_sb *sbi, enum daxstack_reason *reason)
{
	struct vfsmount *mnt = sbi->lower_mnt;
	const struct cred *old;
	int err;

	*reason = DAXSTACK_REASON_NO_PROBE;
	/*
	 * mnt_want_write() would wait for the thaw ignoring signals. The next switch
	 * probes again.
	 */
	if (READ_ONCE(mnt->mnt_sb->s_writers.frozen) != SB_UNFROZEN)
		return -EBUSY;
	err = mnt_want_write(mnt);
	if (err)
		return err;
	/*
	 * The task whose switch triggers the probe may lack write permission for the
	 * root.
	 */
	old = override_creds(sbi->cred);
	err = dxs_probe_in_root(sbi, reason);
	revert_creds(old);
	mnt_drop_write(mnt);
	return err;
}

/**
 * dxs_learn_personalities() - probe how the lower filesystem serves each mode
 * @sbi: the mount
 *
 * Called at mount, and before a switch if the probe failed at mount (on a full or
 * read-only filesystem).
 *
 * Context: sleeps; no locks held.
 * Return: true if both personalities are known, so that files can be switched;
 * otherwise @sbi->no_switch has the reason.
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
		/* The option of a lower mount that the stack did not make. */
		if (sbi->no_switch == DAXSTACK_REASON_DAX_OPTION)
			WRITE_ONCE(sbi->dax, DXS_DAX_ALWAYS);
		if (!err)
			/* Pairs with the acquire above and in faults. */
			smp_store_release(&sbi->switchable, true);
		else if (reason == DAXSTACK_REASON_NO_PROBE)
			pr_warn("%s: could not probe the lower filesystem: %d\n",
				sbi->lower_mnt->mnt_sb->s_id, err);
	}
	mutex_unlock(&sbi->probe_lock);
	return sbi->switchable;
}
