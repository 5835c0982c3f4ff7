// SPDX-License-Identifier: GPL-2.0
/*
 * remount,ro and remount,rw of a lower filesystem that is ours alone: it is left
 * clean by the one and made writable by the other, as if it were remounted itself.
 */
#include <linux/blkdev.h>
#include <linux/fs_context.h>

#include "daxstack.h"

/*
 * As reconfigure_super(), which modules cannot call. Writers come through the
 * stack only, and the VFS has seen to them there, but for two: files without
 * links that wait for their pages to be let go (H27), and the probing.
 *
 * Context: the lower s_umount is held for writing.
 */
static int dxs_reconfigure_lower(struct fs_context *fc, struct fs_context *to,
				 struct super_block *lower)
{
	bool ro = to->sb_flags & SB_RDONLY;
	int err;

	/* We and @to; or somebody has mounted it just now. */
	if (atomic_read(&lower->s_active) != 2) {
		errorfc(fc, "lower filesystem is mounted elsewhere");
		return -EBUSY;
	}
	if (lower->s_writers.frozen != SB_UNFROZEN) {
		errorfc(fc, "lower filesystem is frozen");
		return -EBUSY;
	}
	if (!ro && lower->s_bdev && bdev_read_only(lower->s_bdev)) {
		errorfc(fc, "the device is read-only");
		return -EACCES;
	}
	shrink_dcache_sb(lower);
	if (ro && atomic_long_read(&lower->s_remove_count)) {
		errorfc(fc, "a removed file is still in use");
		return -EBUSY;
	}
	lower->s_readonly_remount = 1;
	/* Pairs with the barrier in mnt_is_readonly(). */
	smp_wmb();
	err = to->ops->reconfigure(to);
	if (!err)
		WRITE_ONCE(lower->s_flags, (lower->s_flags & ~SB_RDONLY) |
					   (to->sb_flags & SB_RDONLY));
	/* As above. */
	smp_wmb();
	lower->s_readonly_remount = 0;
	if (!err && ro && lower->s_bdev)
		invalidate_bdev(lower->s_bdev);
	if (err)
		errorfc(fc, "lower filesystem cannot be made %s: %d%s",
			ro ? "read-only" : "writable", err,
			err == -EROFS ? " (after an error, or by what it is)" :
					"");
	return err;
}

static int dxs_lower_to(struct fs_context *fc, struct dxs_sb *sbi, bool ro)
{
	struct super_block *lower = sbi->lower_mnt->mnt_sb;
	unsigned int flag = ro ? SB_RDONLY : 0;
	struct fs_context *to;
	int err;

	to = dxs_reconfigure_context(lower->s_root, flag, SB_RDONLY);
	if (IS_ERR(to))
		return PTR_ERR(to);
	down_write(&lower->s_umount);
	err = dxs_reconfigure_lower(fc, to, lower);
	up_write(&lower->s_umount);
	put_fs_context(to);
	return err;
}

/**
 * dxs_remount_lower() - bring a remount's ro or rw to the lower filesystem
 * @fc: what is to become of the stack
 *
 * Where the lower filesystem is mounted by others too, ro is the stack's alone,
 * and rw cannot be had if the lower mount is read-only.
 *
 * Context: sleeps. The stack's s_umount is held for writing; if it becomes
 * read-only nobody has write access to its mounts any more.
 * Return: 0 or a negative errno, after saying why in @fc's log.
 */
int dxs_remount_lower(struct fs_context *fc)
{
	struct dxs_sb *sbi = DXS_SB(fc->root->d_sb);
	bool is_ro = __mnt_is_readonly(sbi->lower_mnt);
	bool ro = fc->sb_flags & SB_RDONLY;
	int err;

	/* fspick(2) may leave it as it is. */
	if (!(fc->sb_flags_mask & SB_RDONLY) || ro == is_ro)
		return 0;
	/*
	 * The switch of a file that was moved has no write access that the VFS
	 * knows of. The VFS lets nobody rename any more.
	 */
	if (ro && !(fc->sb_flags & SB_FORCE) && atomic_read(&sbi->moves)) {
		errorfc(fc, "a file that was moved is still being switched");
		return -EBUSY;
	}
	if (dxs_lower_shared(sbi)) {
		if (ro || !sb_rdonly(fc->root->d_sb))
			return 0;
		errorfc(fc, "lower filesystem is read-only, and mounted elsewhere");
		return -EROFS;
	}
	/* A probe writes; it is not the caller's to wait for. */
	if (!mutex_trylock(&sbi->probe_lock))
		return -EBUSY;
	err = dxs_lower_to(fc, sbi, ro);
	mutex_unlock(&sbi->probe_lock);
	if (!err && !ro)
		dxs_learn_personalities(sbi);
	return err;
}
