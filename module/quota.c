// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotas belong to the lower filesystem. These operations serve quotactl_fd(2) on a
 * file of the stack; quotactl(2), by device, finds the lower superblock itself (H77).
 *
 * Lock order: s_umount of the stack, held by the VFS, then s_umount of the lower
 * filesystem.
 */
#include <linux/fs.h>
#include <linux/quota.h>

#include "entry.h"
#include "vfs.h"

/*
 * Both lower filesystems have all operations that are called here, except
 * ->quota_sync.
 */
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
 * H76: only s_umount held for writing serializes turning quotas on and off, with each
 * other and with their users; the VFS holds the stack's, so take the lower one, too;
 * it also keeps the lower filesystem from becoming read-only. Do not sleep until a
 * thaw with the stack's s_umount held: if the lower filesystem was frozen through
 * another mount, sync(2) would wait for this task.
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
 * For ext4 with quotas in visible files. There is no ->quota_on(): it needs the path
 * of such a file, which quotactl_fd(2) does not provide.
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

/* For ext4 with quotas in hidden inodes. */
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

/* For XFS. */
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
 * dxs_quota_init() - install quota operations that match the lower filesystem's
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
