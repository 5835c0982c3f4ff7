// SPDX-License-Identifier: GPL-2.0-only
/* The lower filesystem: mount it privately from a block device, and check it. */
#include <linux/blkdev.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/random.h>

#include "entry.h"
#include "lower.h"

/* Lower types that switching was built and tested for, in the order tried. */
static const char *const dxs_lower_types[] = { "ext4", "xfs" };

/**
 * dxs_lower_supported() - is this a supported lower filesystem type?
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
 * @refused: the type has refused an option before it looked at the device
 * @log: messages of the type
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
 * Tries all types. A type returns EINVAL for a device with another format; any other
 * error is more specific and is kept. It goes on after an error, because a device
 * that is in use by one type is EBUSY for the others. An option that was refused does
 * not show whether the device has that type.
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
 * dxs_lower_mount() - mount a block device in no namespace
 * @fc: the stack's context: source and flags; messages of a lower filesystem that
 *	fails go to its log
 * @type: name of the lower type, or NULL to try the known ones in turn
 * @dax: value of the lower option dax=; "inode" gives each file its own mode
 * @passed: all other lower options
 *
 * Context: sleeps; may load modules.
 * Return: the mount, to be released with kern_unmount(), or an ERR_PTR; -EINVAL if
 * the device has no filesystem of that type, or an option was refused.
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
 * dxs_lower_device() - the device for dxs_lower_announce()
 * @sbi: the mount
 *
 * Return: the device, referenced, or NULL if there is none.
 */
struct device *dxs_lower_device(const struct dxs_sb *sbi)
{
	struct block_device *bdev = sbi->lower_mnt->mnt_sb->s_bdev;

	return bdev ? get_device(&bdev->bd_device) : NULL;
}

/**
 * dxs_lower_announce() - tell udev that a device came into use, or went out of use
 * @dev: result of dxs_lower_device(), or NULL; the reference is consumed
 *
 * udev then evaluates its rules (tools/udev) again, and informs programs that would
 * offer to mount the device.
 *
 * Context: sleeps.
 */
void dxs_lower_announce(struct device *dev)
{
	/* The driver may have been unbound in the meantime. */
	if (dev && dev->kobj.state_in_sysfs)
		kobject_uevent(&dev->kobj, KOBJ_CHANGE);
	put_device(dev);
}

/*
 * H52: does the lower filesystem treat different names as equal, as with case
 * folding? The stack's dentries do not: after an equal name was removed or created, a
 * cached dentry would still say that the file exists, or does not.
 *
 * XFS with mkfs.xfs -n version=ci does not advertise that it ignores the case of
 * ASCII. But a filesystem that compares names other than byte by byte cannot cache
 * negative dentries, because the file may be created by an equal name. So the check
 * looks a random name up, and sees whether its negative dentry stays hashed.
 *
 * Return: 1 if names are folded, 0 if not, or a negative errno.
 */
static int dxs_lower_folds(struct dentry *root)
{
	char name[sizeof("0123456789abcdef")];
	struct dentry *dentry;
	struct qstr qstr;
	int folds;

	if (root->d_flags & (DCACHE_OP_HASH | DCACHE_OP_COMPARE))
		return 1;
	/*
	 * ext4 caches no negative dentries in an encrypted directory without its key;
	 * XFS has no encryption.
	 */
	if (IS_ENCRYPTED(d_inode(root)))
		return 0;
	/* A name that does not exist. */
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
 * dxs_lower_check() - can the stack be mounted on a lower filesystem?
 * @mnt: mount of the lower filesystem
 * @root: lower dentry for the root of the stack
 *
 * Context: sleeps.
 * Return: 0, or a negative errno; the reason is printed to dmesg.
 */
int dxs_lower_check(const struct vfsmount *mnt, struct dentry *root)
{
	const struct super_block *lower = mnt->mnt_sb;
	const char *why = NULL;
	int err = -EINVAL, folds;

	if (!dxs_lower_supported(lower))
		why = "is neither ext4 nor xfs";
	else if (!d_is_dir(root))
		why = "has a root that is not a directory";
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
			why = "cannot look up names";
			err = folds;
		}
	}
	pr_err("%s: lower filesystem %s %s\n", lower->s_id,
	       lower->s_type->name, why);
	return err;
}

/**
 * dxs_lower_shared() - is the lower filesystem mounted elsewhere, too?
 * @sbi: the mount
 *
 * Then its options cannot be changed through the stack.
 */
bool dxs_lower_shared(const struct dxs_sb *sbi)
{
	return sbi->from_dir ||
	       atomic_read(&sbi->lower_mnt->mnt_sb->s_active) != 1;
}

/**
 * dxs_others() - does the lower filesystem have other users?
 * @lower: its superblock
 *
 * A freeze holds a reference as another mount does, and shows as well.
 *
 * Context: any; the answer lasts while s_umount is held and nothing is frozen.
 * Return: DAXSTACK_REASON_NONE if it is ours alone.
 */
enum daxstack_reason dxs_others(const struct super_block *lower)
{
	if (READ_ONCE(lower->s_writers.frozen) != SB_UNFROZEN)
		return DAXSTACK_REASON_FROZEN;
	return atomic_read(&lower->s_active) == 1 ?
		DAXSTACK_REASON_NONE : DAXSTACK_REASON_LOWER_SHARED;
}
