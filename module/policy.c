// SPDX-License-Identifier: GPL-2.0-only
/* Whether a file may be switched now, and if not, the reason. */
#include "entry.h"
#include "lower.h"
#include "mapping.h"
#include "switch.h"
#include "xflag.h"

/*
 * Attributes of a file that the lower filesystem cannot serve in dax mode (H18), and those
 * that the same call is about to set (H55): neither ext4 nor XFS refuses to set both at
 * once, and ext4 takes the invalidate_lock for data journalling, which is held by then.
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

/* Does the file have data blocks, delayed allocations included, as stat(2) counts them? */
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
 * dxs_veto() - does the current use of the file forbid the switch?
 * @sw: the request
 *
 * Context: sleeps; the answer holds while both gates are closed.
 * Return: DAXSTACK_REASON_NONE if it does not.
 */
enum daxstack_reason dxs_veto(const struct dxs_switch *sw)
{
	const struct dxs_inode *di = DXS_I(sw->inode);

	if (READ_ONCE(di->gates.fault.bypassed))
		return DAXSTACK_REASON_FOREIGN_MAP;
	/* H10: MAP_SYNC needs no msync; cached mode cannot keep that promise. */
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
 * dxs_no_switch() - why can no file of a mount be switched?
 * @sb: of the stack
 * @policy: value of switch= to apply
 *
 * Context: any.
 * Return: DAXSTACK_REASON_NONE if files can be switched.
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
 * dxs_may_switch() - would a switch be attempted?
 * @sw: the request
 *
 * This only looks, and the answer may change: mappings may come until the fault gate is
 * closed, and the lower filesystem decides last whether it takes the flag.
 *
 * Context: sleeps.
 * Return: DAXSTACK_REASON_NONE if nothing forbids it.
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
 * dxs_only_stores() - does a change of the flag leave the mode alone on this mount?
 * @sb: of the stack
 *
 * Context: any.
 * Return: true if the flag acts when the inode is next loaded, or not at all, as on the
 * lower filesystem alone.
 */
bool dxs_only_stores(const struct super_block *sb)
{
	const struct dxs_sb *sbi = DXS_SB(sb);

	return sbi->dax != DXS_DAX_INODE ||
		READ_ONCE(sbi->policy) == DXS_SWITCH_NEVER;
}
