// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies of attributes. The lower inode has the attributes. The stack's inode has
 * copies of those that the VFS reads directly and bases decisions on: the credentials
 * of a program, what may be overwritten, where a file ends. docs/design.md lists the
 * readers. Only this file writes the copies.
 *
 * H36: loading and storing an attribute is one section under i_lock. A copy that
 * begins after a change has the new value, and no older one overwrites it.
 * set_nlink() keeps the superblock's count of unlinked inodes right.
 *
 * Attributes that are used together are copied together. execve(2) derives the
 * credentials of a program from i_mode, i_uid and i_gid. It reads one after the other
 * under the stack's i_rwsem, and chown(2) changes one after the other under the lower
 * i_rwsem. So owner and group of a regular file are copied, and S_ISUID and S_ISGID
 * are set, only with both locks held. A task without the locks clears the two bits if
 * the copies differ, which is always safe, and leaves the rest to a task with the
 * locks. At the latest that is ->open, which execve(2) calls before it reads them.
 * stat(2) returns the mode of the lower inode.
 */
#include "entry.h"
#include "copies.h"

#define DXS_SXID	(S_ISUID | S_ISGID)

/* Races with readers and writers of the lower inode by design: excluded from KCSAN. */
static bool __no_kcsan dxs_same_owner(const struct inode *inode,
				      const struct inode *lower)
{
	return uid_eq(inode->i_uid, lower->i_uid) &&
		gid_eq(inode->i_gid, lower->i_gid);
}

static void __no_kcsan dxs_copy_who(struct inode *inode,
				    const struct inode *lower, bool locked)
{
	unsigned int flags = READ_ONCE(lower->i_flags) & DXS_COPIED_FLAGS;
	umode_t mode = READ_ONCE(lower->i_mode);

	if ((inode->i_flags & DXS_COPIED_FLAGS) != flags)
		inode_set_flags(inode, flags, DXS_COPIED_FLAGS);
	if (locked || !S_ISREG(mode)) {
		inode->i_uid = lower->i_uid;
		inode->i_gid = lower->i_gid;
	} else if (dxs_same_owner(inode, lower)) {
		/* Keep the bits that are set in both. */
		mode &= ~DXS_SXID | inode->i_mode;
	} else {
		mode &= ~DXS_SXID;
	}
	WRITE_ONCE(inode->i_mode, mode);
}

static void __no_kcsan dxs_copy_data(struct inode *inode,
				     const struct inode *lower)
{
	inode_set_mtime_to_ts(inode, inode_get_mtime(lower));
	inode_set_ctime_to_ts(inode, inode_get_ctime(lower));
	inode_set_atime_to_ts(inode, inode_get_atime(lower));
	inode->i_blocks = lower->i_blocks;
	inode->i_bytes = lower->i_bytes;
	i_size_write(inode, i_size_read(lower));
}

static void dxs_copy_links(struct inode *inode, const struct inode *lower)
{
	unsigned int links = READ_ONCE(lower->i_nlink);

	/* See dxs_tmpfile_links(). */
	if (DXS_I(inode)->links_fixed)
		return;
	if (inode->i_nlink != links)
		set_nlink(inode, links);
}

static void dxs_copy(struct inode *inode, bool locked, bool referenced)
{
	const struct inode *lower = dxs_lower_inode(inode);
	struct dxs_inode *di = DXS_I(inode);

	spin_lock(&inode->i_lock);
	/*
	 * The lower inode may have been reused for another file (XFS does that
	 * without a grace period), and evict() still depends on i_mode.
	 */
	if (!referenced && inode_state_read(inode) & (I_FREEING | I_WILL_FREE)) {
		spin_unlock(&inode->i_lock);
		return;
	}
	WRITE_ONCE(di->copying, true);
	/* Order the store to ->copying before the loads, for dxs_copies_fresh(). */
	smp_mb();
	dxs_copy_who(inode, lower, locked);
	dxs_copy_data(inode, lower);
	/*
	 * The superblock counts unlinked inodes until they are evicted: do not change
	 * i_nlink then.
	 */
	if (referenced)
		dxs_copy_links(inode, lower);
	/* Pairs with the acquire in dxs_copies_fresh(). */
	smp_store_release(&di->copying, false);
	spin_unlock(&inode->i_lock);
}

/**
 * dxs_copy_attr() - update the copies
 * @inode: of the stack, referenced
 *
 * Context: does not sleep; i_lock is not held, the i_rwsem of either inode may
 * be.
 */
void dxs_copy_attr(struct inode *inode)
{
	struct inode *lower = dxs_lower_inode(inode);

	dxs_copy(inode, false, true);
	if (likely(!dxs_who_differs(inode, lower)) || !inode_trylock(inode))
		return;
	if (inode_trylock_shared(lower)) {
		dxs_copy(inode, true, true);
		inode_unlock_shared(lower);
	}
	inode_unlock(inode);
}

/**
 * dxs_copy_nlink() - update only the copy of the link count, after a name was removed
 * @inode: of the stack, referenced
 *
 * Context: does not sleep; i_lock is not held.
 */
void dxs_copy_nlink(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);

	spin_lock(&inode->i_lock);
	WRITE_ONCE(di->copying, true);
	/* As in dxs_copy(). */
	smp_mb();
	dxs_copy_links(inode, di->lower);
	/* As above. */
	smp_store_release(&di->copying, false);
	spin_unlock(&inode->i_lock);
}

/**
 * dxs_copy_new() - set the copies of a new inode, which no other task has
 * @inode: of the stack, I_NEW
 *
 * Context: does not sleep.
 */
void dxs_copy_new(struct inode *inode)
{
	struct inode *lower = dxs_lower_inode(inode);

	/* Set the owner first: dxs_copy_who() depends on it (H36). */
	inode->i_mode = 0;
	inode->i_uid = lower->i_uid;
	inode->i_gid = lower->i_gid;
	dxs_copy_who(inode, lower, false);
	dxs_copy_data(inode, lower);
	dxs_copy_links(inode, lower);
}

/**
 * dxs_copy_attr_locked() - update the copies with both i_rwsem held
 * @inode: of the stack, referenced
 *
 * Context: does not sleep; i_lock is not held. The i_rwsem is held for writing,
 * the lower one for reading at least.
 */
void dxs_copy_attr_locked(struct inode *inode)
{
	dxs_copy(inode, true, true);
}

/**
 * __dxs_refresh_rcu() - update the copies without a reference
 * @inode: of the stack, which may be evicted meanwhile
 *
 * Context: RCU read side.
 */
void __dxs_refresh_rcu(struct inode *inode)
{
	dxs_copy(inode, false, false);
}

/* Updates all copies as of one moment. */
static noinline int dxs_copy_with_locks(struct inode *inode)
{
	struct inode *lower = dxs_lower_inode(inode);

	if (down_write_killable(&inode->i_rwsem))
		return -EINTR;
	if (down_read_killable(&lower->i_rwsem)) {
		inode_unlock(inode);
		return -EINTR;
	}
	dxs_copy_attr_locked(inode);
	inode_unlock_shared(lower);
	inode_unlock(inode);
	return 0;
}

/**
 * dxs_refresh_open() - update the copies when a file is opened
 * @inode: of the stack, a regular file
 *
 * Context: sleeps, seldom; no i_rwsem is held.
 * Return: 0 or -EINTR.
 */
int dxs_refresh_open(struct inode *inode)
{
	if (likely(dxs_copies_fresh(inode, DXS_COPY_WHO | DXS_COPY_SIZE)))
		return 0;
	dxs_copy_attr(inode);
	if (likely(!dxs_who_differs(inode, dxs_lower_inode(inode))))
		return 0;
	return dxs_copy_with_locks(inode);
}

/**
 * dxs_tmpfile_links() - d_tmpfile() for an inode without links
 * @file: being opened with O_TMPFILE
 * @inode: of the stack; other tasks may have found it by its handle
 *
 * d_tmpfile() decrements the link count, which a new inode has as 1.
 *
 * Context: does not sleep.
 */
void dxs_tmpfile_links(struct file *file, struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);

	spin_lock(&inode->i_lock);
	di->links_fixed = true;
	set_nlink(inode, 1);
	spin_unlock(&inode->i_lock);
	d_tmpfile(file, inode);
	spin_lock(&inode->i_lock);
	di->links_fixed = false;
	spin_unlock(&inode->i_lock);
	dxs_copy_attr(inode);
}
