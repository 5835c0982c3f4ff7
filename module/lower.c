// SPDX-License-Identifier: GPL-2.0
/*
 * The lower filesystem: mounted privately from a block device, and checked.
 */
#include <linux/blkdev.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/random.h>

#include "daxstack.h"

/* Lower types that switching was built and tested for, in the order tried. */
static const char *const dxs_lower_types[] = { "ext4", "xfs" };

/**
 * dxs_lower_supported() - is this a lower type that we know?
 * @lower: superblock of the lower filesystem
 */
bool dxs_lower_supported(const struct super_block *lower)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dxs_lower_types); i++)
		if (!strcmp(lower->s_type->name, dxs_lower_types[i]))
			return true;
	return false;
}

/**
 * struct dxs_lower_try - a mount of a device as one of the types
 * @source: path of the block device
 * @dax: option dax=
 * @passed: all other options
 * @sb_flags: SB_RDONLY, SB_SILENT, DXS_WHEN_FLAGS
 * @refused: the type has refused an option, and was not asked if the device is its
 * @log: what the type said
 */
struct dxs_lower_try {
	const char *source;
	const char *dax;
	const struct dxs_passed *passed;
	unsigned int sb_flags;
	bool refused;
	struct fc_log *log;
};

static struct vfsmount *dxs_lower_mount_as(const char *type,
					   struct dxs_lower_try *try)
{
	struct file_system_type *fs_type = get_fs_type(type);
	struct fs_context *fc;
	struct vfsmount *mnt;
	int err;

	try->refused = false;
	if (!fs_type)
		return ERR_PTR(-ENODEV);
	fc = fs_context_for_mount(fs_type, try->sb_flags);
	module_put(fs_type->owner);
	if (IS_ERR(fc))
		return ERR_CAST(fc);
	dxs_passed_attach(fc, try->log);
	err = vfs_parse_fs_string(fc, "source", try->source);
	if (!err)
		err = vfs_parse_fs_string(fc, "dax", try->dax);
	if (!err) {
		err = dxs_passed_give(try->passed, fc);
		try->refused = err;
	}
	mnt = err ? ERR_PTR(err) : fc_mount_longterm(fc);
	put_fs_context(fc);
	return mnt;
}

/*
 * "Not mine" is EINVAL; another error tells more. But go on: a device in use as one
 * type is EBUSY to the others. A type that refuses an option may be the one that is
 * on the device, or not.
 */
static struct vfsmount *dxs_lower_mount_any(struct dxs_lower_try *try)
{
	struct vfsmount *mnt;
	long err = -EINVAL;
	size_t i;

	try->sb_flags |= SB_SILENT;
	for (i = 0; i < ARRAY_SIZE(dxs_lower_types); i++) {
		mnt = dxs_lower_mount_as(dxs_lower_types[i], try);
		if (!IS_ERR(mnt))
			return mnt;
		if (!try->refused && PTR_ERR(mnt) != -EINVAL &&
		    PTR_ERR(mnt) != -ENODEV)
			err = PTR_ERR(mnt);
	}
	return ERR_PTR(err);
}

/**
 * dxs_lower_mount() - mount a block device where nobody else sees it
 * @fc: the stack's context: source and flags; what the lower filesystem says when
 *	it fails goes to its log
 * @type: name of the lower type, or NULL to try the known ones in turn
 * @dax: its option dax=; "inode" is what lets files have modes of their own
 * @passed: its other options
 *
 * Context: sleeps; may load modules.
 * Return: the mount, to be given back with kern_unmount(), or an ERR_PTR; -EINVAL if
 * the device holds no filesystem of that type, or it refuses an option.
 */
struct vfsmount *dxs_lower_mount(struct fs_context *fc, const char *type,
				 const char *dax,
				 const struct dxs_passed *passed)
{
	struct dxs_lower_try try = {
		.source = fc->source,
		.dax = dax,
		.passed = passed,
		.sb_flags = fc->sb_flags & (SB_RDONLY | DXS_WHEN_FLAGS),
		.log = dxs_passed_listen(),
	};
	struct vfsmount *mnt;

	if (type)
		mnt = dxs_lower_mount_as(type, &try);
	else
		mnt = dxs_lower_mount_any(&try);
	dxs_passed_tell(IS_ERR(mnt) ? fc : NULL, try.log);
	return mnt;
}

/**
 * dxs_lower_device() - the device to be announced when it is let go
 * @sbi: the mount
 *
 * Return: with a reference, or NULL if there is none.
 */
struct device *dxs_lower_device(const struct dxs_sb *sbi)
{
	struct block_device *bdev = sbi->lower_mnt->mnt_sb->s_bdev;

	return bdev ? get_device(&bdev->bd_device) : NULL;
}

/**
 * dxs_lower_announce() - tell udev that a device is in use now, or no longer
 * @dev: of dxs_lower_device(), or NULL; the reference is given back
 *
 * Rules of udev look again (tools/udev), and tell programs that would offer to mount
 * it.
 *
 * Context: sleeps.
 */
void dxs_lower_announce(struct device *dev)
{
	/* Its driver may have been unbound meanwhile. */
	if (dev && dev->kobj.state_in_sysfs)
		kobject_uevent(&dev->kobj, KOBJ_CHANGE);
	put_device(dev);
}

/*
 * H52: does the lower filesystem take several names for one? Our dentries would
 * not, and go on saying that a file is there, or is not, after another of its
 * names was removed or made.
 *
 * XFS does not tell that it ignores the case of ASCII (mkfs.xfs -n version=ci).
 * Where names are compared otherwise than byte by byte, though, a name that is
 * not there cannot stay in the dentry cache, since it might be made by another
 * one: so it is looked if such a name stays.
 *
 * Return: 1 if it does, 0 if not, or an errno.
 */
static int dxs_lower_folds(struct dentry *root)
{
	char name[sizeof("0123456789abcdef")];
	struct dentry *dentry;
	struct qstr qstr;
	int folds;

	if (root->d_flags & (DCACHE_OP_HASH | DCACHE_OP_COMPARE))
		return 1;
	/* Without its key ext4 keeps no such name either; XFS encrypts nothing. */
	if (IS_ENCRYPTED(d_inode(root)))
		return 0;
	/* One that is not there. */
	do {
		snprintf(name, sizeof(name), "%016llx", get_random_u64());
		qstr = (struct qstr)QSTR_INIT(name, strlen(name));
		dentry = lookup_noperm_unlocked(&qstr, root);
		if (IS_ERR(dentry))
			return PTR_ERR(dentry);
		folds = d_is_positive(dentry) ? -EEXIST : d_unhashed(dentry);
		dput(dentry);
	} while (folds == -EEXIST);
	return folds;
}

/**
 * dxs_lower_check() - may we stack on this?
 * @mnt: mount of the lower filesystem
 * @root: what is to be the root of the stack
 *
 * Context: sleeps.
 * Return: 0, or an errno after saying why in dmesg.
 */
int dxs_lower_check(const struct vfsmount *mnt, struct dentry *root)
{
	const struct super_block *lower = mnt->mnt_sb;
	const char *why = NULL;
	int err = -EINVAL, folds;

	if (!dxs_lower_supported(lower))
		why = "is neither ext4 nor xfs";
	else if (!d_is_dir(root))
		why = "has no directory for a root";
	else if (lower->s_user_ns != &init_user_ns)
		why = "belongs to another user namespace";
	else if (is_idmapped_mnt(mnt))
		why = "is an idmapped mount";
#if IS_ENABLED(CONFIG_UNICODE)
	else if (lower->s_encoding)
		why = "has case-insensitive directories";
#endif
	else if (lower->s_stack_depth >= FILESYSTEM_MAX_STACK_DEPTH) {
		why = "is stacked too deep";
		err = -ELOOP;
	}
	if (!why) {
		folds = dxs_lower_folds(root);
		if (!folds)
			return 0;
		why = "ignores case in names";
		if (folds < 0) {
			why = "cannot be looked up in";
			err = folds;
		}
	}
	pr_err("%s: lower filesystem %s %s\n", lower->s_id,
	       lower->s_type->name, why);
	return err;
}
