// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of include/daxstack.h.
 */
#include <linux/compat.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "entry.h"
#include "gates.h"
#include "mapping.h"
#include "request.h"
#include "switch.h"
#include "vfs.h"
#include "xflag.h"

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
	/* A restarted call reads the timeout again: give it the time that is left. */
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
 * dxs_ioc_ask() - run an ioctl that has a struct daxstack_switch
 * @file: of the stack
 * @uarg: the argument of the caller
 * @ask: the function to call; gets the checked argument, and fills it in
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
	/* Fail before the switch if the answer could not be written. */
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
 * May the caller learn whether a file is in use, and how much of it is cached? As with
 * mincore(2), the owner may, and a task that may write to the file.
 */
static bool dxs_may_know_use(struct file *file)
{
	struct inode *lower = dxs_lower_inode(file_inode(file));

	/* By the current owner: the VFS has a copy (H37). */
	return inode_owner_or_capable(file_mnt_idmap(file), lower) ||
		!file_permission(file, MAY_WRITE);
}

/* Remove what reveals other users of the file. */
static void dxs_withhold_use(struct daxstack_state *arg)
{
	arg->flags &= DAXSTACK_STATE_FLAG;
	arg->flags |= DAXSTACK_STATE_WITHHELD;
	arg->pages = 0;
	/* Also true: dxs_may_know_use() has refused, so the caller is not the owner. */
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
	/* An attempt would fail for this. */
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
 * dxs_ioctl_lower() - pass an ioctl to the lower filesystem
 * @lower: open file of the lower filesystem, with the path of the stack
 * @cmd: the ioctl
 * @arg: its argument
 *
 * Passed are ioctls about the filesystem as a whole, and those that read a number of the
 * inode. Ioctls that move data (EXT4_IOC_MOVE_EXT, XFS_IOC_SWAPEXT, ...) would bypass the
 * gates. Those that make a file unfit for dax (encryption, verity) are available on the
 * lower filesystem without the stack only.
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
	case DAXSTACK_IOC_HEAT_OPEN:
		return dxs_ioc_heat_open(file_inode(file)->i_sb, uarg);
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
 * All structures have the same layout. FS_IOC_GETVERSION has another number, as it names a
 * long; so have FS_IOC_GETFLAGS and FS_IOC_SETFLAGS, which the VFS translates.
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
