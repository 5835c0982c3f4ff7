// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls of include/daxstack.h.
 */
#include <linux/compat.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "daxstack.h"

static bool dxs_switch_arg_ok(const struct daxstack_switch *arg)
{
	return arg->mode <= DAXSTACK_DAX && arg->timeout_ms >= -1 &&
		!arg->flags && !arg->pad && !memchr_inv(arg->reserved, 0,
					   sizeof(arg->reserved));
}

static long dxs_switch_file(struct file *file, struct daxstack_switch *arg)
{
	struct dxs_switch sw;
	long err;

	sw = dxs_switch_of(file->f_path.dentry, arg->mode);
	sw.mnt = file->f_path.mnt;
	sw.may_restart = true;
	sw.idmap = file_mnt_idmap(file);
	sw.forever = arg->timeout_ms < 0;
	if (!sw.forever)
		sw.deadline += msecs_to_jiffies(arg->timeout_ms);
	err = dxs_switch(&sw);
	/* The call is made again with what the caller's memory says then. */
	if (sw.restart && !sw.forever)
		arg->timeout_ms = jiffies_to_msecs(max_t(long, sw.deadline -
							 jiffies, 0));

	arg->reason = sw.reason;
	arg->attempts = sw.attempts;
	arg->switched = sw.switched;
	arg->pages = sw.pages;
	arg->shut_ns = sw.shut_ns;
	arg->deferred = sw.deferred;
	return err;
}

/**
 * dxs_ioc_ask() - an ioctl with struct daxstack_switch
 * @file: of the stack
 * @uarg: the caller's argument
 * @ask: does what is asked for; the argument has been checked; fills it in
 *
 * Context: sleeps, as @ask does.
 * Return: what @ask returns, or -EFAULT or -EINVAL.
 */
long dxs_ioc_ask(struct file *file, void __user *uarg,
		 long (*ask)(struct file *file, struct daxstack_switch *arg))
{
	struct daxstack_switch arg;
	long err;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	/* An answer that could not be given must not come of a switch. */
	arg.reason = DAXSTACK_REASON_NONE;
	if (copy_to_user(uarg, &arg, sizeof(arg)))
		return -EFAULT;
	if (!dxs_switch_arg_ok(&arg))
		return -EINVAL;
	err = ask(file, &arg);
	if (copy_to_user(uarg, &arg, sizeof(arg)))
		return -EFAULT;
	return err;
}

/*
 * May the caller know who uses a file, and how much of it is cached? As for
 * mincore(2): whoever could write to it.
 */
static bool dxs_may_know_use(struct file *file)
{
	struct inode *lower = dxs_lower_inode(file_inode(file));

	/* The owner as he is now: the VFS has a copy (H37). */
	return inode_owner_or_capable(file_mnt_idmap(file), lower) ||
		!file_permission(file, MAY_WRITE);
}

/* Leaves out what tells others of the file's users. */
static void dxs_withhold_use(struct daxstack_state *arg)
{
	arg->flags &= DAXSTACK_STATE_FLAG;
	arg->flags |= DAXSTACK_STATE_WITHHELD;
	arg->pages = 0;
	/* Just as true: whoever may not write does not own the file. */
	if (arg->reason == DAXSTACK_REASON_MAPPED ||
	    arg->reason == DAXSTACK_REASON_MAP_SYNC)
		arg->reason = DAXSTACK_REASON_NOT_OWNER;
}

static long dxs_ioc_state(struct file *file, void __user *uarg)
{
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = d_inode(dentry);
	struct dxs_inode *di = DXS_I(inode);
	struct address_space *mapping = di->lower->i_mapping;
	struct daxstack_state arg = {
		.mode = dxs_mode(inode),
		.lower_major = MAJOR(di->lower->i_sb->s_dev),
		.lower_minor = MINOR(di->lower->i_sb->s_dev),
	};
	struct dxs_switch other = dxs_switch_of(dentry, !arg.mode);
	int flag;

	flag = dxs_flag(other.lower);
	if (flag < 0)
		return flag;
	if (flag == DAXSTACK_DAX)
		arg.flags |= DAXSTACK_STATE_FLAG;
	if (dxs_mapped(mapping))
		arg.flags |= DAXSTACK_STATE_MAPPED;
	if (atomic_read(&di->sync_maps))
		arg.flags |= DAXSTACK_STATE_MAP_SYNC;
	if (dxs_gates(inode))
		arg.flags |= DAXSTACK_STATE_GATED;
	other.policy = READ_ONCE(DXS_SB(inode->i_sb)->policy);
	arg.reason = dxs_may_switch(&other);
	/* An attempt would find out. */
	if (!arg.reason && !dxs_has_memory(di->lower->i_sb))
		arg.reason = DAXSTACK_REASON_DEVICE_GONE;
	arg.switches = READ_ONCE(di->switches);
	arg.refusals = atomic_read(&di->refusals);
	arg.pages = READ_ONCE(mapping->nrpages);
	if (!dxs_may_know_use(file))
		dxs_withhold_use(&arg);
	return copy_to_user(uarg, &arg, sizeof(arg)) ? -EFAULT : 0;
}

/**
 * dxs_ioctl_lower() - an ioctl that is the lower filesystem's
 * @lower: open file of the lower filesystem, whose path is the stack's
 * @cmd: the ioctl
 * @arg: its argument
 *
 * Those that are about the filesystem as a whole or tell a number of the inode.
 * What moves data (EXT4_IOC_MOVE_EXT, XFS_IOC_SWAPEXT, ...) would go around the
 * gates; what makes a file one that cannot be dax (encryption, verity) is left
 * to the lower filesystem alone.
 *
 * Context: sleeps.
 * Return: what the lower filesystem returns, or -ENOTTY.
 */
long dxs_ioctl_lower(struct file *lower, unsigned int cmd, unsigned long arg)
{
	long err;

	switch (cmd) {
	case FITRIM:
	case FS_IOC_GETVERSION:
	case FS_IOC_GETFSLABEL:
	case FS_IOC_SETFSLABEL:
		break;
	default:
		return -ENOTTY;
	}
	err = lower->f_op->unlocked_ioctl(lower, cmd, arg);
	return err == -ENOIOCTLCMD ? -ENOTTY : err;
}

long dxs_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case DAXSTACK_IOC_SWITCH:
		return dxs_ioc_ask(file, uarg, dxs_switch_file);
	case DAXSTACK_IOC_STATE:
		return dxs_ioc_state(file, uarg);
	default:
		return dxs_ioctl_lower(dxs_lower_file(file), cmd, arg);
	}
}

#ifdef CONFIG_COMPAT
/**
 * dxs_compat_ioctl() - an ioctl of a 32-bit program
 * @file: of the stack, a regular file or a directory
 * @cmd: the ioctl
 * @arg: its argument
 *
 * All structures are the same for both. FS_IOC_GETVERSION has another number,
 * for it names a long; FS_IOC_GETFLAGS and FS_IOC_SETFLAGS too, which the VFS
 * translates.
 *
 * Context: sleeps.
 * Return: as the ioctl.
 */
long dxs_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd == FS_IOC32_GETVERSION)
		cmd = FS_IOC_GETVERSION;
	return compat_ptr_ioctl(file, cmd, arg);
}
#endif
