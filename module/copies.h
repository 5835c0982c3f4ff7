/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies of attributes: see copies.c.
 */
#ifndef DXS_COPIES_H
#define DXS_COPIES_H

/* Which copies: a caller that asks for fewer pays less. */
#define DXS_COPY_WHO	BIT(0)	/* mode, owner, group, flags */
#define DXS_COPY_DATA	BIT(1)	/* size, mtime, ctime */
#define DXS_COPY_REST	BIT(2)	/* atime, blocks, links */
#define DXS_COPY_WRITTEN BIT(3)	/* of these, what a write changes and nobody
				 * brings up to date before he looks at it */
#define DXS_COPY_ALL	(DXS_COPY_WHO | DXS_COPY_DATA | DXS_COPY_REST)

#define DXS_COPIED_FLAGS (S_SYNC | S_DIRSYNC | S_NOATIME | S_APPEND | \
			  S_IMMUTABLE | S_SWAPFILE)

void dxs_copy_attr(struct inode *inode);
void dxs_copy_attr_locked(struct inode *inode);
void __dxs_refresh_rcu(struct inode *inode);
int dxs_refresh_open(struct inode *inode);
void dxs_tmpfile_links(struct file *file, struct inode *inode);

static inline u64 dxs_time_differs(const struct timespec64 *a,
				   const struct timespec64 *b)
{
	return (a->tv_sec ^ b->tv_sec) | (a->tv_nsec ^ b->tv_nsec);
}

static inline u32 dxs_who_differs(const struct inode *inode,
				  const struct inode *lower)
{
	return (inode->i_mode ^ lower->i_mode) |
		(__kuid_val(inode->i_uid) ^ __kuid_val(lower->i_uid)) |
		(__kgid_val(inode->i_gid) ^ __kgid_val(lower->i_gid)) |
		((inode->i_flags ^ lower->i_flags) & DXS_COPIED_FLAGS);
}

/**
 * dxs_copies_fresh() - are the copies as the lower inode is at this moment?
 * @inode: of the stack
 * @what: DXS_COPY_*, a constant
 *
 * To compare without the lock is not enough: what is equal may be about to be
 * overwritten by somebody who loaded an older value. Whoever copies moves the
 * sequence count. If it stood still, nobody was between load and store, and who
 * begins later loads what is true by then.
 *
 * Context: any; in RCU mode without DXS_COPY_REST.
 */
static __always_inline bool dxs_copies_fresh(const struct inode *inode,
					     unsigned int what)
{
	const struct dxs_inode *di = DXS_I(inode);
	const struct inode *lower = di->lower;
	unsigned int seq = raw_read_seqcount(&di->copies);
	u64 differs = seq & 1;

	if (what & DXS_COPY_WHO)
		differs |= dxs_who_differs(inode, lower);
	if (what & DXS_COPY_DATA)
		differs |= (inode->i_size ^ lower->i_size) |
			dxs_time_differs(&inode->i_mtime, &lower->i_mtime) |
			dxs_time_differs(&inode->i_ctime, &lower->i_ctime);
	if (what & DXS_COPY_REST)
		differs |= dxs_time_differs(&inode->i_atime, &lower->i_atime) |
			(inode->i_blocks ^ lower->i_blocks) |
			(inode->i_nlink ^ lower->i_nlink);
	if (what & DXS_COPY_WRITTEN)
		differs |= (inode->i_size ^ lower->i_size) |
			(inode->i_blocks ^ lower->i_blocks) |
			(inode->i_mode ^ lower->i_mode);
	return !differs && !read_seqcount_retry(&di->copies, seq);
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

/* The same in RCU mode, where the inode may be going away. */
static inline void dxs_refresh_rcu(struct inode *inode)
{
	if (unlikely(!dxs_copies_fresh(inode, DXS_COPY_WHO)))
		__dxs_refresh_rcu(inode);
}

#endif /* DXS_COPIES_H */
