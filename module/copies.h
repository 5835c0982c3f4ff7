/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies of attributes: see copies.c.
 */
#ifndef DXS_COPIES_H
#define DXS_COPIES_H

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

/* Racing: for a hint, see dxs_copies_fresh(); so with all of these. */
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
 * dxs_copies_fresh() - are the copies as the lower inode is at this moment?
 * @inode: of the stack
 * @what: DXS_COPY_*, a constant
 *
 * To compare is not enough: what is equal may be about to be overwritten by
 * somebody who loaded an older value (H36). So first look for somebody in there:
 * whoever comes later loads what is true by then.
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
 * dxs_refresh() - bring copies up to date before the VFS goes by them
 * @inode: of the stack, referenced
 * @what: DXS_COPY_*, a constant: which are needed
 *
 * H37: the lower inode changes without us, too: by another mount, by a fault,
 * by writeback.
 *
 * Context: any but RCU mode.
 */
static __always_inline void dxs_refresh(struct inode *inode, unsigned int what)
{
	if (unlikely(!dxs_copies_fresh(inode, what)))
		dxs_copy_attr(inode);
}

/**
 * dxs_refresh_written() - the same after a write, for what nobody refreshes later
 * @inode: of the stack, a regular file
 *
 * FIONREAD, copy_file_range(2) and others go by the size without asking us. Times
 * and mode can wait: whoever goes by them comes to us first.
 *
 * Context: as above.
 */
static __always_inline void dxs_refresh_written(struct inode *inode)
{
	/* What we have written comes before the look for others. */
	smp_mb();
	dxs_refresh(inode, DXS_COPY_SIZE);
}

/* The same in RCU mode, where the inode may be going away. */
static inline void dxs_refresh_rcu(struct inode *inode)
{
	if (unlikely(!dxs_copies_fresh(inode, DXS_COPY_WHO)))
		__dxs_refresh_rcu(inode);
}

#endif /* DXS_COPIES_H */
