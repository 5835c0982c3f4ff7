// SPDX-License-Identifier: GPL-2.0
/*
 * Open directories: a lower file each, no gates.
 */
#include <linux/module.h>

#include "daxstack.h"

static int dxs_dir_open(struct inode *inode, struct file *file)
{
	struct file *lower = dxs_open_lower(file);

	if (IS_ERR(lower))
		return PTR_ERR(lower);
	file->private_data = lower;
	return 0;
}

static int dxs_dir_release(struct inode *inode, struct file *file)
{
	fput(file->private_data);
	return 0;
}

/*
 * The VFS holds the lock of our file's position, and so that of the lower. It has
 * asked security modules about our file; iterate_dir() would ask them about the
 * lower one, which knows nothing of who was given the file since (H39).
 */
static int dxs_dir_iterate(struct file *file, struct dir_context *ctx)
{
	struct file *lower = file->private_data;
	struct inode *dir = file_inode(lower);
	int err;

	dxs_copy_noatime(lower, file);
	err = down_read_killable(&dir->i_rwsem);
	if (err)
		return err;
	err = -ENOENT;
	if (!IS_DEADDIR(dir)) {
		lower->f_pos = ctx->pos;
		err = lower->f_op->iterate_shared(lower, ctx);
		lower->f_pos = ctx->pos;
		file_accessed(lower);
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

static long dxs_dir_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return dxs_ioctl_lower(file->private_data, cmd, arg);
}

const struct file_operations dxs_dir_fops = {
	.owner		= THIS_MODULE,
	.open		= dxs_dir_open,
	.release	= dxs_dir_release,
	.iterate_shared	= dxs_dir_iterate,
	.llseek		= dxs_dir_llseek,
	.read		= generic_read_dir,
	.fsync		= dxs_dir_fsync,
	.unlocked_ioctl	= dxs_dir_ioctl,
	.compat_ioctl	= dxs_compat_ioctl,
};
