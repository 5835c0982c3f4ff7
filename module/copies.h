/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies of attributes: see copies.c.
 */
#ifndef DXS_COPIES_H
#define DXS_COPIES_H

#include "entry.h"

/* Which copies: a caller that asks for fewer pays less. */
#define DXS_COPY_WHO	BIT(0)	/* mode, owner, group, flags */
#define DXS_COPY_SIZE	BIT(1)	/* size, blocks */
#define DXS_COPY_TIMES	BIT(2)	/* mtime, ctime */
#define DXS_COPY_REST	BIT(3)	/* atime, links */
#define DXS_COPY_ALL	(DXS_COPY_WHO | DXS_COPY_SIZE | DXS_COPY_TIMES | \
			 DXS_COPY_REST)

#define DXS_COPIED_FLAGS (S_SYNC | S_DIRSYNC | S_NOATIME | S_APPEND | \
			  S_IMMUTABLE | S_SWAPFILE)

void dxs_copy_attr(struct inode *inode);
void dxs_copy_nlink(struct inode *inode);
void dxs_copy_new(struct inode *inode);
void dxs_copy_attr_locked(struct inode *inode);
void __dxs_refresh_rcu(struct inode *inode);
int dxs_refresh_open(struct inode *inode);
void dxs_tmpfile_links(struct file *file, struct inode *inode);

/* These comparisons race with updates: the result is a hint, see dxs_copies_fresh(). */
static inline u64 dxs_time_differs(struct timespec64 a, struct timespec64 b)
{
	return (a.tv_sec ^ b.tv_sec) | (a.tv_nsec ^ b.tv_nsec);
}

#define dxs_racing(time)	data_race(time)	/* as above */

static inline u64 dxs_size_differs(const struct inode *inode,
				   const struct inode *lower)
{
	/* Racing, as above. */
	return data_race((inode->i_size ^ lower->i_size) |
			 (inode->i_blocks ^ lower->i_blocks));
}

static inline u32 dxs_who_differs(const struct inode *inode,
				  const struct inode *lower)
{
	/* Racing, as above. */
	return data_race((inode->i_mode ^ lower->i_mode) |
			 (__kuid_val(inode->i_uid) ^ __kuid_val(lower->i_uid)) |
			 (__kgid_val(inode->i_gid) ^ __kgid_val(lower->i_gid)) |
			 ((inode->i_flags ^ lower->i_flags) &
			  DXS_COPIED_FLAGS));
}

/**
 * dxs_copies_fresh() - do the copies equal the attributes of the lower inode?
 * @inode: of the stack
 * @what: DXS_COPY_*, a constant
 *
 * Comparing is not enough: another task in dxs_copy() may have loaded an older value,
 * and be about to store it over an equal copy (H36). So check ->copying first: a task
 * that enters dxs_copy() after that loads current values.
 *
 * Context: any; in RCU mode without DXS_COPY_REST.
 */
static __always_inline bool dxs_copies_fresh(struct inode *inode,
					     unsigned int what)
{
	const struct inode *lower = dxs_lower_inode(inode);
	u64 differs = 0;

	/* Pairs with the release in dxs_copy(). */
	if (smp_load_acquire(&DXS_I(inode)->copying))
		return false;
	if (what & DXS_COPY_WHO)
		differs |= dxs_who_differs(inode, lower);
	if (what & DXS_COPY_SIZE)
		differs |= dxs_size_differs(inode, lower);
	if (what & DXS_COPY_TIMES)
		differs |= dxs_time_differs(dxs_racing(inode_get_mtime(inode)),
					    dxs_racing(inode_get_mtime(lower))) |
			   dxs_time_differs(dxs_racing(inode_get_ctime(inode)),
					    dxs_racing(inode_get_ctime(lower)));
	if (what & DXS_COPY_REST)
		differs |= dxs_time_differs(dxs_racing(inode_get_atime(inode)),
					    dxs_racing(inode_get_atime(lower))) |
			(READ_ONCE(inode->i_nlink) ^ READ_ONCE(lower->i_nlink));
	return !differs;
}

/**
 * dxs_refresh() - update copies before the VFS uses them
 * @inode: of the stack, referenced
 * @what: DXS_COPY_*, a constant: the groups needed
 *
 * H37: the lower inode also changes without a call of the stack: through another
 * mount, by faults, by writeback.
 *
 * Context: any but RCU mode.
 */
static __always_inline void dxs_refresh(struct inode *inode, unsigned int what)
{
	if (unlikely(!dxs_copies_fresh(inode, what)))
		dxs_copy_attr(inode);
}

/**
 * dxs_copies_fresh_written() - is the copied size up to date after a write?
 * @inode: of the stack, a regular file
 *
 * FIONREAD, copy_file_range(2) and others use the size without a call into the stack.
 * Times and mode can wait: their users call the stack first.
 *
 * Context: as above.
 * Return: as dxs_copies_fresh(). If not, dxs_copy_attr() is to be called.
 */
static __always_inline bool dxs_copies_fresh_written(struct inode *inode)
{
	/* Order this task's write before the check of ->copying. */
	smp_mb();
	return dxs_copies_fresh(inode, DXS_COPY_SIZE);
}

/* Updates the copies after a write, if the size differs. */
static inline void dxs_refresh_written(struct inode *inode)
{
	if (!dxs_copies_fresh_written(inode))
		dxs_copy_attr(inode);
}

/* As dxs_refresh() in RCU mode, where the inode may be evicted concurrently. */
static inline void dxs_refresh_rcu(struct inode *inode)
{
	if (unlikely(!dxs_copies_fresh(inode, DXS_COPY_WHO)))
		__dxs_refresh_rcu(inode);
}

#endif /* DXS_COPIES_H */
