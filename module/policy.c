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
	return dxs_reasons[reason].text;
}

/* What of a file the lower filesystem cannot serve in dax mode (H18). */
static enum daxstack_reason dxs_can_be_dax(const struct inode *lower,
					   const struct fileattr *fa)
{
	if (IS_ENCRYPTED(lower))
		return DAXSTACK_REASON_ENCRYPTED;
	if (IS_VERITY(lower))
		return DAXSTACK_REASON_VERITY;
	if (fa->flags & FS_INLINE_DATA_FL)
		return DAXSTACK_REASON_INLINE_DATA;
	if (fa->flags & FS_JOURNAL_DATA_FL)
		return DAXSTACK_REASON_JOURNAL_DATA;
	if (fa->fsx_xflags & FS_XFLAG_REALTIME)
		return DAXSTACK_REASON_REALTIME;
	return DAXSTACK_REASON_NONE;
}

/**
 * dxs_map_veto() - does a mapping forbid the switch?
 * @inode: of the stack
 * @to: the mode wanted
 *
 * Context: any; the answer lasts while the fault gate is shut.
 * Return: DAXSTACK_REASON_NONE if none does.
 */
enum daxstack_reason dxs_map_veto(const struct inode *inode, int to)
{
	const struct dxs_inode *di = DXS_I(inode);

	if (READ_ONCE(di->foreign_map))
		return DAXSTACK_REASON_FOREIGN_MAP;
	/* H10: its promise, no msync needed, cannot be kept in cached mode. */
	if (to == DAXSTACK_CACHED && atomic_read(&di->sync_maps))
		return DAXSTACK_REASON_MAP_SYNC;
	return DAXSTACK_REASON_NONE;
}

/**
 * dxs_may_switch() - would a switch be tried?
 * @inode: of the stack
 * @fa: attributes of the lower inode
 * @to: the mode wanted
 *
 * Only looks, and is an early answer: mappings may come until the fault gate
 * is shut, and the lower filesystem has the last word on the flag.
 *
 * Context: any.
 * Return: DAXSTACK_REASON_NONE if nothing speaks against it.
 */
enum daxstack_reason dxs_may_switch(const struct inode *inode,
				    const struct fileattr *fa, int to)
{
	const struct dxs_inode *di = DXS_I(inode);
	const struct dxs_sb *sbi = DXS_SB(inode->i_sb);
	enum daxstack_reason reason = DAXSTACK_REASON_NONE;

	if (!S_ISREG(inode->i_mode))
		return DAXSTACK_REASON_NOT_REGULAR;
	if (sb_rdonly(inode->i_sb) || sb_rdonly(di->lower->i_sb))
		return DAXSTACK_REASON_READ_ONLY;
	/* Pairs with the release in dxs_learn_personalities(). */
	if (!smp_load_acquire(&sbi->switchable))
		return sbi->no_switch;
	if (IS_SWAPFILE(di->lower))
		return DAXSTACK_REASON_SWAPFILE;
	if (to == DAXSTACK_DAX)
		reason = dxs_can_be_dax(di->lower, fa);
	return reason ?: dxs_map_veto(inode, to);
}
