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
		!arg->flags && !memchr_inv(arg->reserved, 0,
					   sizeof(arg->reserved));
}

static long dxs_ioc_switch(struct file *file, void __user *uarg)
{
	struct daxstack_switch arg;
	struct dxs_switch sw = { .dentry = file->f_path.dentry };
	long err;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!dxs_switch_arg_ok(&arg))
		return -EINVAL;
	sw.to = arg.mode;
	sw.forever = arg.timeout_ms < 0;
	sw.deadline = jiffies;
	if (!sw.forever)
		sw.deadline += msecs_to_jiffies(arg.timeout_ms);

	sw.err = mnt_want_write_file(file);
	if (sw.err) {
		sw.reason = DAXSTACK_REASON_READ_ONLY;
		err = dxs_switch_end(&sw);
	} else {
		err = dxs_switch(&sw);
		mnt_drop_write_file(file);
	}

	arg.reason = sw.reason;
	arg.attempts = sw.attempts;
	arg.switched = sw.switched;
	arg.pages = sw.pages;
	arg.shut_ns = sw.shut_ns;
	if (copy_to_user(uarg, &arg, sizeof(arg)))
		return -EFAULT;
	return err;
}

static long dxs_ioc_state(struct file *file, void __user *uarg)
{
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = d_inode(dentry);
	struct dxs_inode *di = DXS_I(inode);
	struct address_space *mapping = di->lower->i_mapping;
	struct daxstack_state arg = { .mode = dxs_mode(inode) };
	struct fileattr fa = {};
	int err;

	err = vfs_fileattr_get(dxs_lower_dentry(dentry), &fa);
	if (err)
		return err;
	if (fa.fsx_xflags & FS_XFLAG_DAX)
		arg.flags |= DAXSTACK_STATE_FLAG;
	if (mapping_mapped(mapping))
		arg.flags |= DAXSTACK_STATE_MAPPED;
	if (atomic_read(&di->sync_maps))
		arg.flags |= DAXSTACK_STATE_MAP_SYNC;
	if (dxs_gates(inode))
		arg.flags |= DAXSTACK_STATE_GATED;
	arg.reason = dxs_may_switch(inode, &fa, !arg.mode);
	arg.switches = READ_ONCE(di->switches);
	arg.refusals = atomic_read(&di->refusals);
	arg.pages = READ_ONCE(mapping->nrpages);
	return copy_to_user(uarg, &arg, sizeof(arg)) ? -EFAULT : 0;
}

long dxs_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case DAXSTACK_IOC_SWITCH:
		return dxs_ioc_switch(file, uarg);
	case DAXSTACK_IOC_STATE:
		return dxs_ioc_state(file, uarg);
	default:
		return -ENOTTY;
	}
}
