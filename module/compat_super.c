// SPDX-License-Identifier: GPL-2.0
/*
 * Superblocks: mounting and reconfiguring the lower one, freezing at suspend, and
 * whether this kernel was tested.
 */
#include <linux/fs_context.h>
#include <linux/module.h>
#include <generated/utsrelease.h>

#include "daxstack.h"

/**
 * dxs_reconfigure_context() - a context to remount a lower filesystem with
 * @root: its root
 * @flags: SB_* that it is to have
 * @mask: which of them are given
 *
 * Later kernels keep fs_context_for_reconfigure() to themselves. The lower
 * filesystems do not look what a context is for when it is made, so one for a mount
 * serves: it is given what alloc_fs_context() gives one for a remount, which
 * put_fs_context() takes back. The headers declare it in either case; kernels that
 * have start_renaming_dentry() no longer export it.
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
/* A type of which a mount is that of another context. */
struct dxs_longterm {
	struct file_system_type type;
	struct fs_context *fc;
};

/* Hands on what vfs_get_tree() got: the root, the superblock, and its s_umount. */
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

	/* The mount is as one by fc_mount() in everything else. */
	fc->sb_flags &= ~SB_KERNMOUNT;
	fc->ops = &ops;
	return 0;
}

/**
 * fc_mount_longterm() - mount what is there until kern_unmount()
 * @fc: what to mount
 *
 * Whoever gives back a reference to another mount that is in no namespace takes the
 * mount_lock, which all processors share, for it may be the last one: that would be
 * each close of a lower file. Only kern_mount() makes this kind of mount, and it
 * makes its context by itself.
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
 * At suspend the kernel freezes all superblocks, the newest first. The lower one may
 * be newer than the stack's: writers of the stack then wait for its thaw, and a
 * freeze of the stack would wait for them. It needs none: they wait already.
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
 * dxs_stack_depth() - how many filesystems are stacked up to us?
 * @lower: the lower superblock
 *
 * On Linux 6.1 nothing may be stacked on us (dxs_may_have_lower()): a filesystem
 * that wants to be finds that it would be too deep.
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
 * Switching changes state of the lower filesystem that belongs to the kernel, so it
 * is right for the kernels that it was checked against (docs/kernels.md), by series.
 * Nothing in the headers of another one shows that.
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
 * Return: true if it is of a series that daxstack was tested on, or if the
 * administrator takes the risk.
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

/* The reason, with the kernel's name, for messages of this kernel. */
const char dxs_untested_kernel[] =
	"daxstack was not tested on Linux " UTS_RELEASE
	" (see its parameter allow_untested_kernel)";
