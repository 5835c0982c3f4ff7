// SPDX-License-Identifier: GPL-2.0-only
/*
 * Superblocks: mounting and reconfiguring the lower one, freezing at suspend, and
 * whether this kernel was tested.
 */
#include <linux/fs_context.h>
#include <linux/module.h>
#include <generated/utsrelease.h>

#include "compat.h"

/**
 * dxs_reconfigure_context() - create a context to remount a lower filesystem
 * @root: root of the lower filesystem
 * @flags: new SB_* flags
 * @mask: the flags that change
 *
 * Later kernels do not export fs_context_for_reconfigure(). ext4 and XFS do not check
 * the purpose of a context when it is created, so a context for a mount is used: it
 * gets what alloc_fs_context() sets for a remount, which put_fs_context() releases.
 * The headers declare the function in either case; kernels with
 * start_renaming_dentry() no longer export it.
 *
 * Context: sleeps.
 * Return: a context, or an ERR_PTR.
 */
struct fs_context *dxs_reconfigure_context(struct dentry *root,
					   unsigned int flags,
					   unsigned int mask)
{
#ifdef DXS_HAVE_START_RENAMING_DENTRY
	struct fs_context *fc = fs_context_for_mount(root->d_sb->s_type, flags);

	if (IS_ERR(fc))
		return fc;
	atomic_inc(&root->d_sb->s_active);
	fc->root = dget(root);
	fc->sb_flags_mask = mask;
	fc->purpose = FS_CONTEXT_FOR_RECONFIGURE;
	return fc;
#else
	return fs_context_for_reconfigure(root, flags, mask);
#endif
}

#ifndef DXS_HAVE_FC_MOUNT_LONGTERM
/* A filesystem type whose mounts are taken from another context. */
struct dxs_longterm {
	struct file_system_type type;
	struct fs_context *fc;
};

/* Passes on the result of vfs_get_tree(): the root, the superblock, and its s_umount. */
static int dxs_longterm_get_tree(struct fs_context *fc)
{
	struct fs_context *real =
		container_of(fc->fs_type, struct dxs_longterm, type)->fc;
	int err = vfs_get_tree(real);

	if (err)
		return err;
	fc->root = real->root;
	real->root = NULL;
	return 0;
}

static int dxs_longterm_init(struct fs_context *fc)
{
	static const struct fs_context_operations ops = {
		.get_tree = dxs_longterm_get_tree,
	};

	/* Otherwise the mount equals one made by fc_mount(). */
	fc->sb_flags &= ~SB_KERNMOUNT;
	fc->ops = &ops;
	return 0;
}

/**
 * fc_mount_longterm() - create a mount that lasts until kern_unmount()
 * @fc: context of the mount
 *
 * A short-term mount outside of any namespace takes the global mount_lock on each
 * mntput(), because it may be the last one; that would be on each close of a lower
 * file. Only kern_mount() creates long-term mounts, and it creates its own context.
 *
 * Context: sleeps.
 * Return: the mount, or an ERR_PTR.
 */
struct vfsmount *fc_mount_longterm(struct fs_context *fc)
{
	struct dxs_longterm longterm = {
		.type = {
			.owner = THIS_MODULE,
			.name = fc->source,
			.init_fs_context = dxs_longterm_init,
		},
		.fc = fc,
	};

	return kern_mount(&longterm.type);
}
#endif

#ifdef DXS_HAVE_FREEZE_EXCL
/*
 * At suspend the kernel freezes all superblocks, the newest first. If the lower one
 * is newer than the stack's, writers of the stack wait for its thaw, and a freeze of
 * the stack would wait for them. The stack's freeze is skipped: its writers wait
 * already.
 */
int dxs_freeze_super(struct super_block *sb, enum freeze_holder who,
		     const void *owner)
{
	return who & FREEZE_EXCL ? 0 : freeze_super(sb, who, owner);
}

int dxs_thaw_super(struct super_block *sb, enum freeze_holder who,
		   const void *owner)
{
	return who & FREEZE_EXCL ? 0 : thaw_super(sb, who, owner);
}
#endif

/**
 * dxs_stack_depth() - stacking depth of the stack
 * @lower: the lower superblock
 *
 * On Linux 6.1 no filesystem may be mounted on top of the stack
 * (dxs_may_have_lower()), so the maximum is reported there.
 *
 * Return: a value for ->s_stack_depth.
 */
int dxs_stack_depth(const struct super_block *lower)
{
#ifdef DXS_HAVE_BACKING_FILE
	return lower->s_stack_depth + 1;
#else
	return FILESYSTEM_MAX_STACK_DEPTH;
#endif
}

/*
 * Kernel series that switching was checked against (docs/kernels.md). Switching
 * changes internal state of the lower filesystem, and headers do not show whether
 * that is correct on another kernel.
 */
static const unsigned int dxs_tested[] = {
	KERNEL_VERSION(6, 1, 0),
	KERNEL_VERSION(6, 12, 0),
	KERNEL_VERSION(7, 3, 0),
};

static bool dxs_allow_untested;
module_param_named(allow_untested_kernel, dxs_allow_untested, bool, 0444);
MODULE_PARM_DESC(allow_untested_kernel,
		 "Switch files on kernels that daxstack was not tested on (default: no)");

/**
 * dxs_kernel_is_tested() - may files be switched on this kernel?
 *
 * Return: true if daxstack was tested on this series, or if allow_untested_kernel is
 * set.
 */
bool dxs_kernel_is_tested(void)
{
	size_t i;

	if (dxs_allow_untested)
		return true;
	for (i = 0; i < ARRAY_SIZE(dxs_tested); i++)
		if (LINUX_VERSION_CODE >> 8 == dxs_tested[i] >> 8)
			return true;
	return false;
}

/* Text of the reason KERNEL, with the kernel's release. */
const char dxs_untested_kernel[] =
	"daxstack was not tested on Linux " UTS_RELEASE
	" (see its parameter allow_untested_kernel)";
