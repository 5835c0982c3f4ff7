// SPDX-License-Identifier: GPL-2.0
/*
 * Policy: may this file switch, and if not, why not?
 */

#include "daxstack.h"

/* In the order of the list, which is that of the numbers. */
static const struct {
	int err;
	const char *text;
} dxs_reasons[] = {
#define DXS_REASON(name, e, t) { .err = e, .text = t },
	DAXSTACK_REASONS(DXS_REASON)
#undef DXS_REASON
};

int dxs_reason_errno(enum daxstack_reason reason)
{
	return -dxs_reasons[reason].err;
}

const char *dxs_reason_text(enum daxstack_reason reason)
{
	if (reason == DAXSTACK_REASON_KERNEL)
		return dxs_untested_kernel;
	return dxs_reasons[reason].text;
}

/*
 * What of a file the lower filesystem cannot serve in dax mode (H18), and what it
 * is to become by the same call (H55): neither ext4 nor XFS refuses to set both at
 * once, and ext4 takes the invalidate_lock for data journalling, which is held then.
 */
static enum daxstack_reason dxs_can_be_dax(const struct dxs_switch *sw)
{
	const struct inode *lower = dxs_switch_lower(sw);
	struct file_kattr fa = sw->now;

	if (!sw->knows_now && dxs_fileattr_lower(sw->lower, &fa))
		return DAXSTACK_REASON_LOWER_SAYS_NO;
	if (sw->fa) {
		fa.flags |= sw->fa->flags & FS_JOURNAL_DATA_FL;
		fa.fsx_xflags |= sw->fa->fsx_xflags & FS_XFLAG_REALTIME;
	}
	if (IS_ENCRYPTED(lower))
		return DAXSTACK_REASON_ENCRYPTED;
	if (IS_VERITY(lower))
		return DAXSTACK_REASON_VERITY;
	if (fa.flags & FS_INLINE_DATA_FL)
		return DAXSTACK_REASON_INLINE_DATA;
	if (fa.flags & FS_JOURNAL_DATA_FL)
		return DAXSTACK_REASON_JOURNAL_DATA;
	if (fa.fsx_xflags & FS_XFLAG_REALTIME)
		return DAXSTACK_REASON_REALTIME;
	return DAXSTACK_REASON_NONE;
}

/* Data blocks, delayed allocations with them, as stat(2) counts them. */
static bool dxs_has_blocks(const struct dxs_switch *sw)
{
	const struct path path = {
		.mnt = dxs_lower_mnt(sw->inode->i_sb),
		.dentry = sw->lower,
	};
	struct kstat stat;

	return vfs_getattr_nosec(&path, &stat, STATX_BLOCKS,
				 AT_STATX_SYNC_AS_STAT) || stat.blocks;
}

/**
 * dxs_veto() - does the way the file is used at the moment forbid the switch?
 * @sw: the request
 *
 * Context: sleeps; the answer lasts while both gates are shut.
 * Return: DAXSTACK_REASON_NONE if nothing does.
 */
enum daxstack_reason dxs_veto(const struct dxs_switch *sw)
{
	const struct dxs_inode *di = DXS_I(sw->inode);

	if (READ_ONCE(di->gates.fault.bypassed))
		return DAXSTACK_REASON_FOREIGN_MAP;
	/* H10: its promise, no msync needed, cannot be kept in cached mode. */
	if (sw->to == DAXSTACK_CACHED && atomic_read(&di->sync_maps))
		return DAXSTACK_REASON_MAP_SYNC;
	if (sw->policy == DXS_SWITCH_UNMAPPED &&
	    dxs_mapped(di->lower->i_mapping))
		return DAXSTACK_REASON_MAPPED;
	if (sw->policy == DXS_SWITCH_EMPTY && dxs_has_blocks(sw))
		return DAXSTACK_REASON_HAS_BLOCKS;
	return DAXSTACK_REASON_NONE;
}

/**
 * dxs_others() - does anybody else have the lower filesystem?
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

/**
 * dxs_no_switch() - what forbids the switch of any file of a mount?
 * @sb: of the stack
 * @policy: switch= to go by
 *
 * Context: any.
 * Return: DAXSTACK_REASON_NONE if nothing does.
 */
enum daxstack_reason dxs_no_switch(const struct super_block *sb,
				   enum dxs_policy policy)
{
	const struct dxs_sb *sbi = DXS_SB(sb);

	if (sb_rdonly(sb) || sb_rdonly(dxs_lower_mnt(sb)->mnt_sb))
		return DAXSTACK_REASON_READ_ONLY;
	if (sbi->dax != DXS_DAX_INODE)
		return DAXSTACK_REASON_DAX_OPTION;
	if (policy == DXS_SWITCH_NEVER)
		return DAXSTACK_REASON_NEVER;
	/* Pairs with the release in dxs_learn_personalities(). */
	return smp_load_acquire(&sbi->switchable) ? DAXSTACK_REASON_NONE :
						    sbi->no_switch;
}

/**
 * dxs_may_switch() - would a switch be tried?
 * @sw: the request
 *
 * Only looks, and is an early answer: mappings may come until the fault gate
 * is shut, and the lower filesystem has the last word on the flag.
 *
 * Context: sleeps.
 * Return: DAXSTACK_REASON_NONE if nothing speaks against it.
 */
enum daxstack_reason dxs_may_switch(const struct dxs_switch *sw)
{
	const struct inode *lower = dxs_lower_inode(sw->inode);
	enum daxstack_reason reason;

	if (!S_ISREG(sw->inode->i_mode))
		return DAXSTACK_REASON_NOT_REGULAR;
	reason = dxs_no_switch(sw->inode->i_sb, sw->policy);
	if (reason)
		return reason;
	if (IS_SWAPFILE(lower))
		return DAXSTACK_REASON_SWAPFILE;
	if (sw->to == DAXSTACK_DAX)
		reason = dxs_can_be_dax(sw);
	return reason ?: dxs_others(lower->i_sb) ?: dxs_veto(sw);
}

/**
 * dxs_only_stores() - is a change of the flag only stored on this mount?
 * @sb: of the stack
 *
 * Context: any.
 * Return: true if it acts when the inode is next loaded, or not at all, just
 * as on the lower filesystem alone.
 */
bool dxs_only_stores(const struct super_block *sb)
{
	const struct dxs_sb *sbi = DXS_SB(sb);

	return sbi->dax != DXS_DAX_INODE ||
		READ_ONCE(sbi->policy) == DXS_SWITCH_NEVER;
}
