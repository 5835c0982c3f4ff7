// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open directories: each has a lower file, without gates. Includes
 * DAXSTACK_IOC_DIR_FLAG.
 */
#include <linux/fs.h>
#include <linux/fileattr.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/sched/signal.h>

#include "entry.h"
#include "copies.h"
#include "lower.h"
#include "pace.h"
#include "report.h"
#include "vfs.h"

static int dxs_dir_open(struct inode *inode, struct file *file)
{
	struct file *lower = dxs_open_lower(file);

	if (IS_ERR(lower))
		return PTR_ERR(lower);
	dxs_refresh(inode, DXS_COPY_ALL);
	file->private_data = lower;
	return 0;
}

static int dxs_dir_release(struct inode *inode, struct file *file)
{
	dxs_lower_close(file->private_data);
	return 0;
}

/*
 * f_pos_lock of the stack's file, held by the VFS, also serializes the lower file's
 * position. iterate_dir() has asked security modules about the stack's file. It is
 * not called for the lower file, because that would ask them about it, and the lower
 * file does not show to whom the stack's file was passed (H39).
 */
static int dxs_dir_iterate(struct file *file, struct dir_context *ctx)
{
	struct file *lower = file->private_data;
	struct inode *dir = file_inode(lower);
	int err;

	/* relatime compares the copied times (H37); the VFS updates the atime. */
	dxs_refresh(file_inode(file), DXS_COPY_TIMES);
	err = down_read_killable(&dir->i_rwsem);
	if (err)
		return err;
	err = -ENOENT;
	if (!IS_DEADDIR(dir)) {
		lower->f_pos = ctx->pos;
		err = lower->f_op->iterate_shared(lower, ctx);
		lower->f_pos = ctx->pos;
	}
	inode_unlock_shared(dir);
	return err;
}

static loff_t dxs_dir_llseek(struct file *file, loff_t offset, int whence)
{
	struct file *lower = file->private_data;
	loff_t pos;

	lower->f_pos = file->f_pos;
	pos = vfs_llseek(lower, offset, whence);
	file->f_pos = lower->f_pos;
	return pos;
}

static int dxs_dir_fsync(struct file *file, loff_t start, loff_t end,
			 int datasync)
{
	return vfs_fsync_range(file->private_data, start, end, datasync);
}

static bool dxs_dir_is_frozen(const struct file *file)
{
	const struct super_block *sb = file_inode(file)->i_sb;
	const struct super_block *lower = dxs_lower_mnt(sb)->mnt_sb;

	return READ_ONCE(sb->s_writers.frozen) != SB_UNFROZEN ||
		READ_ONCE(lower->s_writers.frozen) != SB_UNFROZEN;
}

/*
 * H22: mnt_want_write_file() would wait for a thaw without timeout and ignoring
 * signals, so wait here first. A freeze that begins after this is waited for all the
 * same, as by write(2).
 */
static enum daxstack_reason dxs_dir_wait(const struct file *file,
					 int timeout_ms)
{
	unsigned long until = jiffies + msecs_to_jiffies(max(timeout_ms, 0));

	while (dxs_dir_is_frozen(file)) {
		if (timeout_ms >= 0 && time_after_eq(jiffies, until))
			return DAXSTACK_REASON_FROZEN;
		if (!dxs_rest(HZ / 20))
			return DAXSTACK_REASON_INTERRUPTED;
	}
	return DAXSTACK_REASON_NONE;
}

/*
 * Like FS_IOC_FSSETXATTR with the result of FS_IOC_FSGETXATTR and FS_XFLAG_DAX
 * changed.
 */
static long dxs_dir_store(struct file *file, struct daxstack_switch *arg)
{
	struct dentry *dentry = file->f_path.dentry;
	struct file_kattr old = {}, new;
	long err;

	err = vfs_fileattr_get(dentry, &old);
	if (err)
		return err;
	if (!(old.fsx_xflags & FS_XFLAG_DAX) == !arg->mode)
		return 0;
	fileattr_fill_xflags(&new, old.fsx_xflags ^ FS_XFLAG_DAX);
	new.fsx_extsize = old.fsx_extsize;
	new.fsx_projid = old.fsx_projid;
	new.fsx_cowextsize = old.fsx_cowextsize;
	err = vfs_fileattr_set(file_mnt_idmap(file), dentry, &new);
	arg->switched = !err;
	return err;
}

static enum daxstack_reason dxs_dir_reason(long err)
{
	switch (err) {
	case 0:
		return DAXSTACK_REASON_NONE;
	case -EPERM:
		return DAXSTACK_REASON_NOT_OWNER;
	case -EROFS:
		return DAXSTACK_REASON_READ_ONLY;
	default:
		return DAXSTACK_REASON_PERSIST;
	}
}

static long dxs_dir_flag(struct file *file, struct daxstack_switch *arg)
{
	long err;

	arg->attempts = 0;
	arg->switched = 0;
	arg->pages = 0;
	arg->shut_ns = 0;
	arg->deferred = 0;
	arg->reason = dxs_dir_wait(file, arg->timeout_ms);
	if (arg->reason)
		return dxs_reason_errno(arg->reason);
	err = mnt_want_write_file(file);
	if (!err) {
		err = dxs_dir_store(file, arg);
		mnt_drop_write_file(file);
	}
	arg->reason = dxs_dir_reason(err);
	return err;
}

static long dxs_dir_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case DAXSTACK_IOC_DIR_FLAG:
		return dxs_ioc_ask(file, uarg, dxs_dir_flag);
	case DAXSTACK_IOC_HEAT_OPEN:
		return dxs_ioc_heat_open(file_inode(file)->i_sb, uarg);
	default:
		return dxs_ioctl_lower(file->private_data, cmd, arg);
	}
}

const struct file_operations dxs_dir_fops = {
	.owner		= THIS_MODULE,
	.open		= dxs_dir_open,
	.release	= dxs_dir_release,
	.iterate_shared	= dxs_dir_iterate,
	.llseek		= dxs_dir_llseek,
	.read		= generic_read_dir,
	.fsync		= dxs_dir_fsync,
	.setlease	= generic_setlease,
	.unlocked_ioctl	= dxs_dir_ioctl,
	.compat_ioctl	= dxs_compat_ioctl,
};
