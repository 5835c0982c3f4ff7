// SPDX-License-Identifier: GPL-2.0
/*
 * Quotas are the lower filesystem's; these are for quotactl_fd(2) on a file of
 * the stack. quotactl(2), by the device, finds the lower filesystem by itself.
 *
 * As everywhere the s_umount of the stack, which the VFS holds, comes before
 * that of the lower filesystem.
 */
#include <linux/fs.h>
#include <linux/quota.h>

#include "daxstack.h"

/* Both lower filesystems have all of these but ->quota_sync. */
static struct super_block *dxs_quota_lower(struct super_block *sb)
{
	struct super_block *lower = dxs_lower_mnt(sb)->mnt_sb;

	down_read(&lower->s_umount);
	return lower;
}

static int dxs_quota_sync(struct super_block *sb, int type)
{
	struct super_block *lower = dxs_quota_lower(sb);
	int err = 0;

	if (lower->s_qcop->quota_sync)
		err = lower->s_qcop->quota_sync(lower, type);
	up_read(&lower->s_umount);
	return err;
}

static int dxs_quota_get(struct super_block *sb, struct kqid id,
			 struct qc_dqblk *dqblk)
{
	struct super_block *lower = dxs_quota_lower(sb);
	int err = lower->s_qcop->get_dqblk(lower, id, dqblk);

	up_read(&lower->s_umount);
	return err;
}

static int dxs_quota_get_next(struct super_block *sb, struct kqid *id,
			      struct qc_dqblk *dqblk)
{
	struct super_block *lower = dxs_quota_lower(sb);
	int err = lower->s_qcop->get_nextdqblk(lower, id, dqblk);

	up_read(&lower->s_umount);
	return err;
}

static int dxs_quota_state(struct super_block *sb, struct qc_state *state)
{
	struct super_block *lower = dxs_quota_lower(sb);
	int err = lower->s_qcop->get_state(lower, state);

	up_read(&lower->s_umount);
	return err;
}

static int dxs_quota_set(struct super_block *sb, struct kqid id,
			 struct qc_dqblk *dqblk)
{
	struct vfsmount *mnt = dxs_lower_mnt(sb);
	struct super_block *lower;
	int err = mnt_want_write(mnt);

	if (err)
		return err;
	lower = dxs_quota_lower(sb);
	err = lower->s_qcop->set_dqblk(lower, id, dqblk);
	up_read(&lower->s_umount);
	mnt_drop_write(mnt);
	return err;
}

static int dxs_quota_set_info(struct super_block *sb, int type,
			      struct qc_info *info)
{
	struct vfsmount *mnt = dxs_lower_mnt(sb);
	struct super_block *lower;
	int err = mnt_want_write(mnt);

	if (err)
		return err;
	lower = dxs_quota_lower(sb);
	err = lower->s_qcop->set_info(lower, type, info);
	up_read(&lower->s_umount);
	mnt_drop_write(mnt);
	return err;
}

/*
 * H76: what turns quotas on and off has no other lock against its like, and against
 * those that look at them: the lower s_umount is held for writing, as the VFS holds
 * that of the stack. With that nobody waits for the thaw of a lower filesystem that
 * was frozen elsewhere, for sync(2) would wait for us; and nobody makes it read-only.
 */
static struct super_block *dxs_quota_begin_onoff(struct super_block *sb,
						 int *err)
{
	struct super_block *lower = dxs_lower_mnt(sb)->mnt_sb;

	*err = -EROFS;
	if (__mnt_is_readonly(dxs_lower_mnt(sb)))
		return NULL;
	*err = -EBUSY;
	if (!sb_start_write_trylock(lower))
		return NULL;
	down_write(&lower->s_umount);
	return lower;
}

static void dxs_quota_end_onoff(struct super_block *lower)
{
	up_write(&lower->s_umount);
	sb_end_write(lower);
}

static int dxs_quota_enable(struct super_block *sb, unsigned int flags)
{
	struct super_block *lower;
	int err;

	lower = dxs_quota_begin_onoff(sb, &err);
	if (!lower)
		return err;
	err = lower->s_qcop->quota_enable(lower, flags);
	dxs_quota_end_onoff(lower);
	return err;
}

static int dxs_quota_disable(struct super_block *sb, unsigned int flags)
{
	struct super_block *lower;
	int err;

	lower = dxs_quota_begin_onoff(sb, &err);
	if (!lower)
		return err;
	err = lower->s_qcop->quota_disable(lower, flags);
	dxs_quota_end_onoff(lower);
	return err;
}

static int dxs_quota_off(struct super_block *sb, int type)
{
	struct super_block *lower;
	int err;

	lower = dxs_quota_begin_onoff(sb, &err);
	if (!lower)
		return err;
	err = lower->s_qcop->quota_off(lower, type);
	dxs_quota_end_onoff(lower);
	return err;
}

static int dxs_quota_remove(struct super_block *sb, unsigned int flags)
{
	struct vfsmount *mnt = dxs_lower_mnt(sb);
	struct super_block *lower;
	int err = mnt_want_write(mnt);

	if (err)
		return err;
	lower = dxs_quota_lower(sb);
	err = lower->s_qcop->rm_xquota(lower, flags);
	up_read(&lower->s_umount);
	mnt_drop_write(mnt);
	return err;
}

/*
 * Over quotas in files that can be seen (ext4). ->quota_on() would need the path of
 * such a file, which quotactl_fd(2) has not.
 */
static const struct quotactl_ops dxs_quotactl_file_ops = {
	.quota_off	= dxs_quota_off,
	.quota_sync	= dxs_quota_sync,
	.set_info	= dxs_quota_set_info,
	.get_dqblk	= dxs_quota_get,
	.get_nextdqblk	= dxs_quota_get_next,
	.set_dqblk	= dxs_quota_set,
	.get_state	= dxs_quota_state,
};

/* Over quotas that ext4 keeps out of sight. */
static const struct quotactl_ops dxs_quotactl_sysfile_ops = {
	.quota_enable	= dxs_quota_enable,
	.quota_disable	= dxs_quota_disable,
	.quota_sync	= dxs_quota_sync,
	.set_info	= dxs_quota_set_info,
	.get_dqblk	= dxs_quota_get,
	.get_nextdqblk	= dxs_quota_get_next,
	.set_dqblk	= dxs_quota_set,
	.get_state	= dxs_quota_state,
};

/* Over those of XFS. */
static const struct quotactl_ops dxs_quotactl_xfs_ops = {
	.quota_enable	= dxs_quota_enable,
	.quota_disable	= dxs_quota_disable,
	.rm_xquota	= dxs_quota_remove,
	.quota_sync	= dxs_quota_sync,
	.set_info	= dxs_quota_set_info,
	.get_dqblk	= dxs_quota_get,
	.get_nextdqblk	= dxs_quota_get_next,
	.set_dqblk	= dxs_quota_set,
	.get_state	= dxs_quota_state,
};

/**
 * dxs_quota_init() - let the quotas of the lower filesystem be reached
 * @sb: the stack, being mounted
 */
void dxs_quota_init(struct super_block *sb)
{
	const struct super_block *lower = dxs_lower_mnt(sb)->mnt_sb;

	if (!lower->s_qcop)
		return;
	if (lower->s_qcop->rm_xquota)
		sb->s_qcop = &dxs_quotactl_xfs_ops;
	else if (lower->s_qcop->quota_enable)
		sb->s_qcop = &dxs_quotactl_sysfile_ops;
	else
		sb->s_qcop = &dxs_quotactl_file_ops;
	sb->s_quota_types = lower->s_quota_types;
}
