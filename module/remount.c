// SPDX-License-Identifier: GPL-2.0
/*
 * Remounts of a lower filesystem that is ours alone: with its own options, and with
 * ro and rw, which leave it clean and make it writable, as if it were remounted itself.
 */
#include <linux/blkdev.h>
#include <linux/fs_context.h>

#include "daxstack.h"

/**
 * struct dxs_remount - what is to become of the lower filesystem
 * @fc: the stack's context
 * @passed: options to give, may be none
 * @mask: SB_* that change
 * @ro: one of these is SB_RDONLY
 */
struct dxs_remount {
	struct fs_context *fc;
	const struct dxs_passed *passed;
	unsigned int mask;
	bool ro;
};

/* Those that a context for a remount is given, or else they would be cleared. */
#define DXS_KEPT_FLAGS	(SB_RDONLY | DXS_WHEN_FLAGS | SB_I_VERSION)

static int dxs_may_reconfigure(const struct dxs_remount *re,
			       struct super_block *lower)
{
	struct fs_context *fc = re->fc;
	bool rw = re->ro && !(fc->sb_flags & SB_RDONLY);

	/* We and the context; or somebody has mounted it just now. */
	if (atomic_read(&lower->s_active) != 2) {
		errorfc(fc, "lower filesystem is mounted elsewhere");
		return -EBUSY;
	}
	if (lower->s_writers.frozen != SB_UNFROZEN) {
		errorfc(fc, "lower filesystem is frozen");
		return -EBUSY;
	}
	if (rw && lower->s_bdev && bdev_read_only(lower->s_bdev)) {
		errorfc(fc, "the device is read-only");
		return -EACCES;
	}
	return 0;
}

/* Why ->reconfigure() failed, if the lower filesystem has said it to dmesg alone. */
static void dxs_tell_refusal(const struct dxs_remount *re, int err)
{
	struct fs_context *fc = re->fc;

	if (re->ro)
		errorfc(fc, "lower filesystem cannot be made %s: %d%s",
			fc->sb_flags & SB_RDONLY ? "read-only" : "writable",
			err, err == -EROFS ?
			" (after an error, or by what it is)" : "");
	else
		errorfc(fc, "lower filesystem cannot be remounted with these options: %d",
			err);
}

/*
 * As reconfigure_super(), which modules cannot call. If it becomes read-only, writers
 * come through the stack only, and the VFS has seen to them there, but for two: files
 * without links that wait for their pages to be let go (H27), and the probing.
 *
 * Context: the lower s_umount is held for writing.
 */
static int dxs_reconfigure_lower(const struct dxs_remount *re,
				 struct fs_context *to,
				 struct super_block *lower)
{
	bool ro = re->ro && re->fc->sb_flags & SB_RDONLY;
	int err;

	err = dxs_may_reconfigure(re, lower);
	if (err)
		return err;
	shrink_dcache_sb(lower);
	if (ro && atomic_long_read(&lower->s_remove_count)) {
		errorfc(re->fc, "a removed file is still in use");
		return -EBUSY;
	}
	/* Writers would be refused: not for options alone. */
	lower->s_readonly_remount = re->ro;
	/* Pairs with the barrier in mnt_is_readonly(). */
	smp_wmb();
	err = to->ops->reconfigure(to);
	if (!err)
		WRITE_ONCE(lower->s_flags, (lower->s_flags & ~re->mask) |
					   (to->sb_flags & re->mask));
	/* As above. */
	smp_wmb();
	lower->s_readonly_remount = 0;
	if (!err && ro && lower->s_bdev)
		invalidate_bdev(lower->s_bdev);
	if (err)
		dxs_tell_refusal(re, err);
	return err;
}

/* Has the lower filesystem parse the options, and remounts it. */
static int dxs_remount_with(const struct dxs_remount *re,
			    struct super_block *lower, struct fc_log *log)
{
	unsigned int flags = (lower->s_flags & ~re->mask) |
			     (re->fc->sb_flags & re->mask);
	struct fs_context *to;
	int err;

	to = dxs_reconfigure_context(lower->s_root, flags & DXS_KEPT_FLAGS,
				     re->mask);
	if (IS_ERR(to))
		return PTR_ERR(to);
	dxs_passed_attach(to, log);
	err = dxs_passed_give(re->passed, to);
	if (!err) {
		down_write(&lower->s_umount);
		err = dxs_reconfigure_lower(re, to, lower);
		up_write(&lower->s_umount);
	}
	put_fs_context(to);
	return err;
}

/*
 * Flags that the lower filesystem has no part in are set as a remount of its own
 * would set them.
 */
static int dxs_remount_own(const struct dxs_remount *re,
			   struct super_block *lower)
{
	struct fc_log *log;
	int err;

	if (re->ro || !dxs_passed_empty(re->passed)) {
		log = dxs_passed_listen();
		err = dxs_remount_with(re, lower, log);
		dxs_passed_tell(re->fc, log);
		return err;
	}
	down_write(&lower->s_umount);
	WRITE_ONCE(lower->s_flags, (lower->s_flags & ~re->mask) |
				   (re->fc->sb_flags & re->mask));
	up_write(&lower->s_umount);
	return 0;
}

/*
 * It has the options of its own mount, which may be given once more: mount(8) gives
 * all that /proc/mounts shows. ro is the stack's alone.
 */
static int dxs_remount_shared(const struct dxs_remount *re,
			      const struct dxs_sb *sbi)
{
	struct super_block *sb = re->fc->root->d_sb;
	const char *name;

	if (re->mask & DXS_WHEN_FLAGS)
		return invalfc(re->fc, "sync, lazytime are for the lower mount to say");
	name = dxs_passed_missing(re->passed, sbi->lower_mnt->mnt_sb->s_root,
				  &sbi->passed);
	if (name) {
		errorfc(re->fc, "mounted elsewhere: %s is for its own mount to say",
			name);
		return sbi->from_dir ? -EINVAL : -EBUSY;
	}
	if (!re->ro || re->fc->sb_flags & SB_RDONLY || !sb_rdonly(sb))
		return 0;
	errorfc(re->fc, "lower filesystem is read-only, and mounted elsewhere");
	return -EROFS;
}

/**
 * dxs_remount_lower() - bring a remount to the lower filesystem
 * @fc: what is to become of the stack
 * @passed: options that are not the stack's
 *
 * Where the lower filesystem is mounted by others too, ro is the stack's alone,
 * and rw cannot be had if the lower mount is read-only.
 *
 * Context: sleeps. The stack's s_umount is held for writing; if it becomes
 * read-only nobody has write access to its mounts any more.
 * Return: 0 or a negative errno, after saying why in @fc's log; then nothing has
 * changed.
 */
int dxs_remount_lower(struct fs_context *fc, const struct dxs_passed *passed)
{
	struct super_block *sb = fc->root->d_sb;
	struct dxs_sb *sbi = DXS_SB(sb);
	struct dxs_remount re = { .fc = fc, .passed = passed };
	bool is_ro = __mnt_is_readonly(sbi->lower_mnt);
	bool ro = fc->sb_flags & SB_RDONLY;
	int err;

	/* fspick(2) may leave it as it is. */
	re.mask = (sb->s_flags ^ fc->sb_flags) & fc->sb_flags_mask &
		  DXS_WHEN_FLAGS;
	re.ro = fc->sb_flags_mask & SB_RDONLY && ro != is_ro;
	if (re.ro)
		re.mask |= SB_RDONLY;
	if (!re.mask && dxs_passed_empty(passed))
		return 0;
	/*
	 * The switch of a file that was moved has no write access that the VFS
	 * knows of. The VFS lets nobody rename any more.
	 */
	if (re.ro && ro && !(fc->sb_flags & SB_FORCE) &&
	    atomic_read(&sbi->moves)) {
		errorfc(fc, "a file that was moved is still being switched");
		return -EBUSY;
	}
	if (dxs_lower_shared(sbi))
		return dxs_remount_shared(&re, sbi);
	/* A probe writes; it is not the caller's to wait for. */
	if (!mutex_trylock(&sbi->probe_lock)) {
		errorfc(fc, "it is just being found out if files can be switched");
		return -EBUSY;
	}
	err = dxs_remount_own(&re, sbi->lower_mnt->mnt_sb);
	mutex_unlock(&sbi->probe_lock);
	if (!err && re.ro && !ro)
		dxs_learn_personalities(sbi);
	return err;
}
