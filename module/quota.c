// SPDX-License-Identifier: GPL-2.0
/*
 * Quotas are the lower filesystem's; these are for quotactl_fd(2) on a file of
 * the stack. quotactl(2), by the device, finds the lower filesystem by itself.
 *
 * As everywhere the s_umount of the stack, which the VFS holds, comes before
 * that of the lower filesystem.
 */
#include <linux/quota.h>

#include "daxstack.h"

/* Calls the lower filesystem's operation, if it has one. */
#define DXS_QUOTA(sb, op, ...) ({					\
	struct super_block *lower_ = dxs_lower_mnt(sb)->mnt_sb;		\
	int ret_ = -ENOSYS;						\
									\
	down_read(&lower_->s_umount);					\
	if (lower_->s_qcop->op)						\
		ret_ = lower_->s_qcop->op(lower_, ##__VA_ARGS__);	\
	up_read(&lower_->s_umount);					\
	ret_;								\
})

static int dxs_quota_sync(struct super_block *sb, int type)
{
	return DXS_QUOTA(sb, quota_sync, type);
}

static int dxs_quota_set_info(struct super_block *sb, int type,
			      struct qc_info *info)
{
	int err = mnt_want_write(dxs_lower_mnt(sb));

	if (err)
		return err;
	err = DXS_QUOTA(sb, set_info, type, info);
	mnt_drop_write(dxs_lower_mnt(sb));
	return err;
}

static int dxs_quota_get(struct super_block *sb, struct kqid id,
			 struct qc_dqblk *dqblk)
{
	return DXS_QUOTA(sb, get_dqblk, id, dqblk);
}

static int dxs_quota_get_next(struct super_block *sb, struct kqid *id,
			      struct qc_dqblk *dqblk)
{
	return DXS_QUOTA(sb, get_nextdqblk, id, dqblk);
}

static int dxs_quota_set(struct super_block *sb, struct kqid id,
			 struct qc_dqblk *dqblk)
{
	int err = mnt_want_write(dxs_lower_mnt(sb));

	if (err)
		return err;
	err = DXS_QUOTA(sb, set_dqblk, id, dqblk);
	mnt_drop_write(dxs_lower_mnt(sb));
	return err;
}

static int dxs_quota_state(struct super_block *sb, struct qc_state *state)
{
	return DXS_QUOTA(sb, get_state, state);
}

static const struct quotactl_ops dxs_quotactl_ops = {
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
	sb->s_qcop = &dxs_quotactl_ops;
	sb->s_quota_types = lower->s_quota_types;
}
