// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remounts of a lower filesystem that only the stack has mounted: its own options,
 * and ro and rw. ro leaves it clean and rw makes it writable, as a direct remount
 * would.
 */
#include <linux/blkdev.h>
#include <linux/fs_context.h>

#include "entry.h"
#include "lower.h"
#include "super.h"

/**
 * struct dxs_remount - a remount of the lower filesystem
 * @fc: the stack's context
 * @passed: options to pass, may be empty
 * @mask: SB_* flags that change
 * @ro: SB_RDONLY is one of them
 */
struct dxs_remount {
	struct fs_context *fc;
	const struct dxs_passed *passed;
	unsigned int mask;
	bool ro;
};

/* Flags that a context for a remount has to be given; they would be cleared otherwise. */
#define DXS_KEPT_FLAGS	(SB_RDONLY | DXS_WHEN_FLAGS | SB_I_VERSION)

static int dxs_may_reconfigure(const struct dxs_remount *re,
			       struct super_block *lower)
{
	struct fs_context *fc = re->fc;
	bool rw = re->ro && !(fc->sb_flags & SB_RDONLY);

	/*
	 * The stack and the context hold two references. More: another mount was made
	 * just now.
	 */
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

/*
 * Reports that ->reconfigure() failed: the lower filesystem may have printed the
 * reason to dmesg only.
 */
static void dxs_tell_refusal(const struct dxs_remount *re, int err)
{
	struct fs_context *fc = re->fc;

	if (re->ro)
		errorfc(fc, "lower filesystem cannot be made %s: %d%s",
			fc->sb_flags & SB_RDONLY ? "read-only" : "writable",
			err, err == -EROFS ?
			" (error state, or a read-only feature)" : "");
	else
		errorfc(fc, "lower filesystem cannot be remounted with these options: %d",
			err);
}

/*
 * As reconfigure_super(), which is not exported. Before it becomes read-only, the VFS
 * has excluded all writers that come through the stack. Two others remain: unlinked
 * files that linger for pinned pages (H27), and the probe.
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
	/* Refuses writers while set, so it is set only if SB_RDONLY changes. */
	lower->s_readonly_remount = re->ro;
	/* Pairs with the barrier in mnt_is_readonly(). */
	smp_wmb();
	err = to->ops->reconfigure(to);
	if (!err)
		WRITE_ONCE(lower->s_flags, (lower->s_flags & ~re->mask) |
					   (to->sb_flags & re->mask));
	/* Order the new s_flags before the store to s_readonly_remount. */
	smp_wmb();
	lower->s_readonly_remount = 0;
	if (!err && ro && lower->s_bdev)
		invalidate_bdev(lower->s_bdev);
	if (err)
		dxs_tell_refusal(re, err);
	return err;
}

/* Lets the lower filesystem parse the options, and remounts it. */
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

/* If only VFS flags change, they are set without ->reconfigure(), as by the VFS. */
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
 * The lower filesystem keeps the options of its other mount. Those in force may be
 * given again, because mount(8) passes all that /proc/mounts shows. ro affects the
 * stack only.
 */
static int dxs_remount_shared(const struct dxs_remount *re,
			      const struct dxs_sb *sbi)
{
	struct super_block *sb = re->fc->root->d_sb;
	const char *name;

	if (re->mask & DXS_WHEN_FLAGS)
		return invalfc(re->fc, "set sync and lazytime on the lower mount");
	name = dxs_passed_missing(re->passed, sbi->lower_mnt->mnt_sb->s_root,
				  &sbi->passed);
	if (name) {
		errorfc(re->fc, "lower filesystem is mounted elsewhere: set %s on that mount",
			name);
		return sbi->from_dir ? -EINVAL : -EBUSY;
	}
	if (!re->ro || re->fc->sb_flags & SB_RDONLY || !sb_rdonly(sb))
		return 0;
	errorfc(re->fc, "lower filesystem is read-only, and mounted elsewhere");
	return -EROFS;
}

/**
 * dxs_remount_lower() - pass a remount of the stack on to the lower filesystem
 * @fc: the stack's context
 * @passed: options that the stack does not know
 *
 * If the lower filesystem is also mounted elsewhere, ro affects the stack only, and
 * rw is refused if the lower mount is read-only.
 *
 * Context: sleeps. The stack's s_umount is held for writing; if the stack becomes
 * read-only, no task has write access to its mounts.
 * Return: 0, or a negative errno with the reason in @fc's log; nothing has changed
 * then.
 */
int dxs_remount_lower(struct fs_context *fc, const struct dxs_passed *passed)
{
	struct super_block *sb = fc->root->d_sb;
	struct dxs_sb *sbi = DXS_SB(sb);
	struct dxs_remount re = { .fc = fc, .passed = passed };
	bool is_ro = __mnt_is_readonly(sbi->lower_mnt);
	bool ro = fc->sb_flags & SB_RDONLY;
	int err;

	/* A remount by fspick(2) changes only the flags in sb_flags_mask. */
	re.mask = (sb->s_flags ^ fc->sb_flags) & fc->sb_flags_mask &
		  DXS_WHEN_FLAGS;
	re.ro = fc->sb_flags_mask & SB_RDONLY && ro != is_ro;
	if (re.ro)
		re.mask |= SB_RDONLY;
	if (!re.mask && dxs_passed_empty(passed))
		return 0;
	/*
	 * The switch of a file that was moved (inherit=move) holds no write access
	 * that the VFS counts. No further move can begin: the VFS refuses renames
	 * already.
	 */
	if (re.ro && ro && !(fc->sb_flags & SB_FORCE) &&
	    atomic_read(&sbi->moves)) {
		errorfc(fc, "a file that was moved is still being switched; try again");
		return -EBUSY;
	}
	if (dxs_lower_shared(sbi))
		return dxs_remount_shared(&re, sbi);
	/* The probe writes to the lower filesystem; do not wait for it here. */
	if (!mutex_trylock(&sbi->probe_lock)) {
		errorfc(fc, "a probe of the lower filesystem is running; try again");
		return -EBUSY;
	}
	err = dxs_remount_own(&re, sbi->lower_mnt->mnt_sb);
	mutex_unlock(&sbi->probe_lock);
	if (!err && re.ro && !ro)
		dxs_learn_personalities(sbi);
	return err;
}
