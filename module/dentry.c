// SPDX-License-Identifier: GPL-2.0
/*
 * Dentries: each holds the lower dentry of its name in d_fsdata, a negative one
 * a negative one. Only a dentry whose file was removed may have none.
 *
 * Names may be changed below the stack: in the directory that is its source, or
 * where the device is mounted as well. Everybody who uses the lower superblock
 * shares its dentries, so that a look at the lower dentry is exact (H51): it is
 * still of this name, in the directory that our parent stands for, and of this
 * inode, or of none.
 *
 * d_seq of a dentry changes with each of these, also when it is unhashed. So
 * d_time remembers the d_seq at which the lower dentry was seen to be right,
 * and as long as it is the same, one comparison is all that a lookup needs.
 */
#include <linux/namei.h>

#include "daxstack.h"

/* Values of d_time that are no d_seq at rest, which is even. */
#define DXS_UNKNOWN	1ul	/* not looked at yet */
#define DXS_BUSY	3ul	/* a call of the stack is changing both */
#define DXS_NAMELESS	5ul	/* a call of the stack took the name, or gave none */

static void dxs_d_release(struct dentry *dentry)
{
	dput(dentry->d_fsdata);
}

/*
 * A dentry has turned negative: that of dxs_vacate() is its lower dentry now, if
 * nobody was quicker. The directory is locked. Such a dentry has the name by
 * which it is found, until it is unhashed or gets an inode.
 */
static void dxs_find_vacant(struct dentry *dentry)
{
	struct dentry *parent = dxs_lower_dentry(dentry->d_parent);
	struct qstr name = QSTR_INIT(dentry->d_name.name, dentry->d_name.len);
	struct dentry *lower = try_lookup_noperm(&name, parent);
	unsigned long seq = DXS_UNKNOWN;

	if (!IS_ERR_OR_NULL(lower)) {
		spin_lock(&lower->d_lock);
		if (!d_unhashed(lower) && lower->d_parent == parent &&
		    !d_inode(lower))
			seq = raw_read_seqcount(&lower->d_seq);
		spin_unlock(&lower->d_lock);
		WRITE_ONCE(dentry->d_fsdata, lower);
	}
	/* It was busy since dxs_remove(). */
	WRITE_ONCE(dentry->d_time, seq);
}

/**
 * dxs_vacate() - a name was removed below
 * @lower: its lower dentry, unhashed
 *
 * Remembers in the lower filesystem's dentries that the name is free. Its own
 * dentry cannot turn negative, as it does where the stack is not: those who have
 * the file open go by it. Whether it wants to be asked if the name is valid, it has
 * said when it looked that up.
 *
 * Context: sleeps. The lower directory is locked since before.
 */
void dxs_vacate(struct dentry *lower)
{
	struct dentry *vacant;

	if (!d_unhashed(lower) || IS_ENCRYPTED(d_inode(lower->d_parent)))
		return;
	vacant = d_alloc(lower->d_parent, &lower->d_name);
	if (!vacant)
		return;
	if (!(lower->d_flags & DCACHE_OP_REVALIDATE))
		vacant->d_flags &= ~DCACHE_OP_REVALIDATE;
	d_add(vacant, NULL);
	dput(vacant);
}

/* The dentry dies, or its file was removed and it goes on as a negative one. */
static void dxs_d_iput(struct dentry *dentry, struct inode *inode)
{
	struct dentry *lower = dentry->d_fsdata;

	WRITE_ONCE(dentry->d_fsdata, NULL);
	/* First, so that the lower inode's last reference is the inode's (H32). */
	dput(lower);
	iput(inode);
	if (!d_unhashed(dentry))
		dxs_find_vacant(dentry);
}

/**
 * dxs_set_lower() - give a dentry its lower dentry
 * @dentry: of the stack; those who find it may be looking at it
 * @lower: the reference is consumed
 *
 * Context: sleeps. Nobody else gives it one. If @dentry is new, after
 * dxs_settled().
 */
void dxs_set_lower(struct dentry *dentry, struct dentry *lower)
{
	struct dentry *old = dentry->d_fsdata;

	/* Lower dentries are freed by RCU: whoever looks at the old one may. */
	WRITE_ONCE(dentry->d_fsdata, lower);
	dput(old);
}

/**
 * dxs_busy() - a call of the stack begins to change a name
 * @dentry: of the stack; its directory is locked
 *
 * Between the lower filesystem's change and the VFS's both dentries differ,
 * which is no reason to take ours for stale: for a moment it says what was,
 * as everywhere.
 *
 * Context: the lower directory is locked. Until dxs_settled(), or, of a name
 * that is removed, until the VFS makes the dentry negative.
 */
void dxs_busy(struct dentry *dentry)
{
	/* The lower dentry changes after a lock was taken: see dxs_look_below(). */
	WRITE_ONCE(dentry->d_time, DXS_BUSY);
}

/**
 * dxs_settled() - the lower filesystem has done what dxs_busy() began
 * @dentry: of the stack
 * @right: the lower dentry is what it should be, when the VFS has done its
 *	part; false if that is not known
 *
 * Context: if @right, the lower directory is locked, so that nobody else changes
 * the name.
 */
void dxs_settled(struct dentry *dentry, bool right)
{
	struct dentry *lower = dentry->d_fsdata;
	unsigned long seq = DXS_UNKNOWN;

	if (right && lower) {
		spin_lock(&lower->d_lock);
		/* Those that the lower filesystem looks at, it has to look at. */
		if (!d_unhashed(lower) &&
		    !(lower->d_flags & DCACHE_OP_REVALIDATE))
			seq = raw_read_seqcount(&lower->d_seq);
		spin_unlock(&lower->d_lock);
	}
	WRITE_ONCE(dentry->d_time, seq);
}

/**
 * dxs_nameless() - a dentry has no name any more, or never had one
 * @dentry: of the stack: removed or replaced, or of an O_TMPFILE
 *
 * H71: the VFS does not ask whether a dentry without a name is valid, for it does
 * not find it. overlayfs does: it keeps the dentry by which it found a file for
 * all names of the file, and asks about that. It is right as long as anybody has
 * it. After dxs_remove() the VFS may make it negative, with a name (dxs_d_iput()).
 *
 * Context: as dxs_settled().
 */
void dxs_nameless(struct dentry *dentry)
{
	WRITE_ONCE(dentry->d_time, DXS_NAMELESS);
}

/* How a lower dentry compares with ours. */
enum dxs_below {
	DXS_RIGHT,
	DXS_AWAY,	/* the same file, by another name or in another place */
	DXS_GONE,
};

/* The lower d_lock is held. */
static enum dxs_below dxs_stands_for(const struct dentry *lower,
				     const struct dentry *parent,
				     const struct qstr *name,
				     const struct inode *inode)
{
	if (d_unhashed(lower) || d_inode(lower) != inode)
		return DXS_GONE;
	if (lower->d_parent != parent || lower->d_name.len != name->len ||
	    memcmp(lower->d_name.name, name->name, name->len))
		return DXS_AWAY;
	return DXS_RIGHT;
}

/*
 * Under RCU, for both parents' and the lower dentry's sake. @seq: d_seq of the
 * lower dentry that the answer is for.
 */
static enum dxs_below dxs_compare(struct dentry *dentry, struct dentry *lower,
				  unsigned int *seq)
{
	const struct dentry *parent = READ_ONCE(dentry->d_parent);
	const struct inode *inode = d_inode_rcu(dentry);
	struct name_snapshot name;
	enum dxs_below below;

	take_dentry_name_snapshot(&name, dentry);
	spin_lock(&lower->d_lock);
	*seq = raw_read_seqcount(&lower->d_seq);
	below = dxs_stands_for(lower, READ_ONCE(parent->d_fsdata), &name.name,
			       inode ? dxs_lower_inode(inode) : NULL);
	spin_unlock(&lower->d_lock);
	release_dentry_name_snapshot(&name);
	return below;
}

/* Has nothing happened to the lower dentry since it was last looked at? Under RCU. */
static inline bool dxs_remembered_rcu(const struct dentry *dentry)
{
	const struct dentry *lower = READ_ONCE(dentry->d_fsdata);

	return lower && raw_read_seqcount(&lower->d_seq) ==
			READ_ONCE(dentry->d_time);
}

/* Our dentry may lose its lower one meanwhile, which RCU keeps. */
static inline bool dxs_remembered(const struct dentry *dentry)
{
	bool same;

	rcu_read_lock();
	same = dxs_remembered_rcu(dentry);
	rcu_read_unlock();
	return same;
}

/*
 * Compares when d_seq is not the one remembered, and remembers it if all is
 * right. Our own dentry may be moved meanwhile, by a call of the stack.
 */
static enum dxs_below dxs_look_below(struct dentry *dentry)
{
	unsigned int ours, seq = 0;
	enum dxs_below below;
	struct dentry *lower;
	unsigned long time;

	rcu_read_lock();
	do {
		ours = read_seqcount_begin(&dentry->d_seq);
		time = READ_ONCE(dentry->d_time);
		lower = READ_ONCE(dentry->d_fsdata);
		if (time == DXS_BUSY || time == DXS_NAMELESS)
			below = DXS_RIGHT;
		else if (!lower)
			below = DXS_GONE;
		else
			below = dxs_compare(dentry, lower, &seq);
		/* Settled since the caller looked: the VFS is about to follow. */
		if (below != DXS_RIGHT && lower && seq == time)
			below = DXS_RIGHT;
		/*
		 * Who saw the lower dentry changed by a call of the stack sees
		 * DXS_BUSY now, or what came after it.
		 */
	} while (read_seqcount_retry(&dentry->d_seq, ours) ||
		 READ_ONCE(dentry->d_time) != time);
	if (below == DXS_RIGHT && time != DXS_BUSY && time != DXS_NAMELESS &&
	    !(lower->d_flags & DCACHE_OP_REVALIDATE))
		cmpxchg(&dentry->d_time, time, (unsigned long)seq);
	rcu_read_unlock();
	return below;
}

/**
 * dxs_same_below() - is a name what the stack takes it for?
 * @dentry: of the stack
 *
 * Context: does not sleep. The answer lasts while the lower directory is locked.
 */
bool dxs_same_below(struct dentry *dentry)
{
	return dxs_remembered(dentry) || dxs_look_below(dentry) == DXS_RIGHT;
}

/**
 * dxs_remember() - a name was looked up below: remember it, if it is right still
 * @dentry: of the stack; its directory is locked, so that it keeps its name
 *
 * Context: does not sleep.
 */
void dxs_remember(struct dentry *dentry)
{
	const struct dentry *parent = dxs_lower_dentry(dentry->d_parent);
	const struct inode *inode = d_inode(dentry);
	struct dentry *lower = dxs_lower_dentry(dentry);
	unsigned long seq = DXS_UNKNOWN;

	spin_lock(&lower->d_lock);
	if (dxs_stands_for(lower, parent, &dentry->d_name,
			   inode ? dxs_lower_inode(inode) : NULL) == DXS_RIGHT &&
	    !(lower->d_flags & DCACHE_OP_REVALIDATE))
		seq = raw_read_seqcount(&lower->d_seq);
	spin_unlock(&lower->d_lock);
	WRITE_ONCE(dentry->d_time, seq);
}

/* What the lower filesystem itself says, of names without their key (H54). */
static int dxs_ask_below(struct dentry *dentry, unsigned int flags)
{
	struct dentry *lower;
	int valid = 0;

	rcu_read_lock();
	lower = READ_ONCE(dentry->d_fsdata);
	if (lower && !lockref_get_not_dead(&lower->d_lockref))
		lower = NULL;
	rcu_read_unlock();
	if (!lower)
		return 0;
	valid = !(lower->d_flags & DCACHE_OP_REVALIDATE) ? 1 :
		dxs_revalidate_lower(lower, flags);
	dput(lower);
	return valid;
}

/*
 * The name is right. H37: the VFS goes by the copies of what it finds without asking
 * us, as before it removes or links a file or follows a symbolic link; in RCU mode
 * by those of a link only.
 */
static int dxs_found(struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = d_inode_rcu(dentry);

	if (!(flags & LOOKUP_RCU)) {
		if (inode)
			dxs_refresh(inode, DXS_COPY_ALL);
	} else if (inode && (d_is_symlink(dentry) ||
			     READ_ONCE(inode->i_flags) &
			     (S_APPEND | S_IMMUTABLE))) {
		/*
		 * The VFS refuses what these two forbid before it asks
		 * ->permission: they would stay for ever.
		 */
		dxs_refresh_rcu(inode);
	}
	return 1;
}

static int dxs_d_revalidate(DXS_REVALIDATE_ARGS)
{
	int valid;

	if (likely(flags & LOOKUP_RCU ? dxs_remembered_rcu(dentry) :
					dxs_remembered(dentry)))
		return dxs_found(dentry, flags);
	/* The root of the stack, a file found by its handle; or see dxs_nameless(). */
	if (IS_ROOT(dentry) || READ_ONCE(dentry->d_time) == DXS_NAMELESS)
		return dxs_found(dentry, flags);
	if (flags & LOOKUP_RCU)
		return -ECHILD;

	switch (dxs_look_below(dentry)) {
	case DXS_RIGHT:
		valid = dxs_ask_below(dentry, flags);
		return valid == 1 ? dxs_found(dentry, flags) : valid;
	case DXS_AWAY:
		/*
		 * What is mounted on or in it stays there, as everywhere: it is
		 * found at the new place when that is looked up. The VFS would
		 * unmount what is in a hashed dentry.
		 */
		if (d_is_dir(dentry))
			d_drop(dentry);
		return 0;
	default:
		return 0;
	}
}

/**
 * dxs_forget_unused() - have an encrypted name forgotten with its last user
 * @dentry: of the stack, new or used again
 *
 * H54: with its key the lower filesystem forgets names and data of all files
 * that nobody uses. Ours would be users.
 *
 * Context: does not sleep. The directory is locked.
 */
void dxs_forget_unused(struct dentry *dentry)
{
	struct inode *dir = d_inode(dentry->d_parent);
	const struct inode *inode = d_inode(dentry);
	bool in_encrypted = IS_ENCRYPTED(dxs_lower_inode(dir));

	if (!in_encrypted && !(inode && IS_ENCRYPTED(dxs_lower_inode(inode))))
		return;
	spin_lock(&dentry->d_lock);
	dentry->d_flags |= DCACHE_DONTCACHE;
	spin_unlock(&dentry->d_lock);
	/* A directory may have been encrypted since it was looked up. */
	if (in_encrypted && !(inode_state_read_once(dir) & I_DONTCACHE))
		d_mark_dontcache(dir);
}

const struct dentry_operations dxs_dentry_ops = {
	.d_init		= dxs_d_init,
	.d_revalidate	= dxs_d_revalidate,
	.d_release	= dxs_d_release,
	.d_iput		= dxs_d_iput,
	DXS_D_REAL_OP
};
