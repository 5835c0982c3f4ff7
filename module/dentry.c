// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dentries: each holds the lower dentry of its name in d_fsdata; a negative dentry
 * holds a negative one. Only a dentry whose file was removed may have none.
 *
 * Names may change below the stack: in the directory that is its source, or through
 * another mount of the device. All users of the lower superblock share its dentries,
 * so a check of the lower dentry is exact (H51): it has to have the same name, be in
 * the lower directory of the parent, and have the same inode or none.
 *
 * d_seq of a dentry changes with its name, parent and inode, and when it is unhashed.
 * So d_time records the d_seq of the lower dentry when it was last checked, and while
 * d_seq is equal a lookup needs only this one comparison.
 */
#include <linux/namei.h>

#include "entry.h"
#include "copies.h"
#include "marks.h"
#include "vfs.h"

/* Special values of d_time. They are odd, unlike a d_seq at rest. */
#define DXS_UNKNOWN	1ul	/* not checked yet */
#define DXS_BUSY	3ul	/* a call of the stack is changing both */
#define DXS_NAMELESS	5ul	/* removed by the stack, or created unnamed */

static void dxs_d_release(struct dentry *dentry)
{
	dput(dentry->d_fsdata);
}

/**
 * dxs_set_lower() - give a dentry its lower dentry
 * @dentry: of the stack; lookups may find it concurrently
 * @lower: the reference is consumed
 *
 * Context: sleeps. No other task sets it concurrently. For a new @dentry it is called
 * after dxs_settled().
 */
void dxs_set_lower(struct dentry *dentry, struct dentry *lower)
{
	struct dentry *old = dentry->d_fsdata;

	/*
	 * Lower dentries are freed by RCU: concurrent lookups may still use the old
	 * one.
	 */
	WRITE_ONCE(dentry->d_fsdata, lower);
	dput(old);
}

/**
 * dxs_busy() - a call of the stack begins to change a name
 * @dentry: of the stack; its directory is locked
 *
 * Between the change of the lower dentry and the VFS's change of the stack's dentry
 * the two differ. The stack's dentry is not stale then: for a moment it shows the old
 * state, as in any filesystem.
 *
 * Context: the lower directory is locked. Lasts until dxs_settled() or, for a name
 * that is removed, until the VFS makes the dentry negative.
 */
void dxs_busy(struct dentry *dentry)
{
	/*
	 * Ordered before the change of the lower dentry by the lock that the change
	 * takes: see dxs_look_below().
	 */
	WRITE_ONCE(dentry->d_time, DXS_BUSY);
}

/**
 * dxs_settled() - the change of the lower name that dxs_busy() announced is over
 * @dentry: of the stack
 * @right: the lower dentry will match @dentry when the VFS has done its part; false
 *	if that is not known
 *
 * Context: if @right, the lower directory is locked, so that the name does not
 * change.
 */
void dxs_settled(struct dentry *dentry, bool right)
{
	struct dentry *lower = dentry->d_fsdata;
	unsigned long seq = DXS_UNKNOWN;

	if (right && lower) {
		spin_lock(&lower->d_lock);
		/* Not recorded if each lookup has to call the lower ->d_revalidate. */
		if (!d_unhashed(lower) &&
		    !(lower->d_flags & DCACHE_OP_REVALIDATE))
			seq = raw_read_seqcount(&lower->d_seq);
		spin_unlock(&lower->d_lock);
	}
	WRITE_ONCE(dentry->d_time, seq);
}

/**
 * dxs_nameless() - mark a dentry that lost its name, or never had one
 * @dentry: of the stack: removed or replaced, or of an O_TMPFILE
 *
 * H71: the VFS never revalidates a dentry without a name, because no lookup finds it.
 * overlayfs does: it keeps the dentry by which it first found a file for all names of
 * the file, and revalidates it. Such a dentry is valid as long as it is referenced.
 * After dxs_remove() the VFS may make it negative, with a name (dxs_d_iput()).
 *
 * Context: as dxs_settled().
 */
void dxs_nameless(struct dentry *dentry)
{
	WRITE_ONCE(dentry->d_time, DXS_NAMELESS);
}

/*
 * Makes a lower dentry negative whose file was removed, and hashes it again, unless
 * another dentry of the name exists.
 *
 * Context: the lower directory is locked.
 * Return: true if the lower dentry now shows that the name is free.
 */
static bool dxs_vacate_locked(struct dentry *lower)
{
	struct dentry *other = d_lookup(lower->d_parent, &lower->d_name);

	if (other) {
		dput(other);
		return false;
	}
	/* d_delete() makes it negative only if this is the only reference. */
	d_delete(lower);
	if (d_is_positive(lower))
		return false;
	d_rehash(lower);
	return true;
}

/*
 * A file was removed through the stack, and the VFS has made the stack's dentry
 * negative because no other task had a reference to it. The lower dentry had to stay
 * positive until now, for tasks that have the file open. Make it negative, too, so
 * that it caches that the name is free, as it would without the stack.
 *
 * H81: the lower directory was not locked since dxs_remove(). It may have been
 * removed. The name may have been created again or looked up: then another dentry of
 * the name exists. A lookup may have found this dentry before, and use its inode. In
 * all these cases the name is looked up again when it is next needed. The same
 * happens if the lower directory is locked now, because this does not wait for the
 * lock.
 *
 * Return: false if @lower has to be dropped.
 */
static bool dxs_vacate(struct dentry *dentry, struct dentry *lower)
{
	struct dentry *parent = lower->d_parent;
	struct inode *dir = d_inode(parent);
	bool vacant = false;

	if (inode_trylock(dir)) {
		if (d_unhashed(lower) && lower->d_parent == parent &&
		    !IS_DEADDIR(dir) && !IS_ENCRYPTED(dir))
			vacant = dxs_vacate_locked(lower);
		dxs_settled(dentry, vacant);
		inode_unlock(dir);
	} else {
		/* It was marked DXS_NAMELESS by dxs_remove(). */
		dxs_settled(dentry, false);
	}
	return vacant;
}

/* ->d_iput: the dentry is freed, or becomes negative because its file was removed. */
static void dxs_d_iput(struct dentry *dentry, struct inode *inode)
{
	struct dentry *lower = dentry->d_fsdata;

	/*
	 * Put the lower dentry first, so that the stack's inode holds the last
	 * reference to the lower inode (H32).
	 */
	if (d_unhashed(dentry) || !dxs_vacate(dentry, lower)) {
		WRITE_ONCE(dentry->d_fsdata, NULL);
		dput(lower);
	}
	iput(inode);
}

/* Result of comparing a lower dentry with the stack's. */
enum dxs_below {
	DXS_RIGHT,
	DXS_AWAY,	/* same file, but renamed or moved */
	DXS_GONE,
};

/* Context: d_lock of the lower dentry is held. */
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
 * Context: RCU read section, which keeps both parents and the lower dentry. @seq:
 * out: d_seq of the lower dentry that the result is for.
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

/* Is the lower dentry unchanged since the last check? Context: RCU read section. */
static inline bool dxs_remembered_rcu(const struct dentry *dentry)
{
	const struct dentry *lower = READ_ONCE(dentry->d_fsdata);

	return lower && raw_read_seqcount(&lower->d_seq) ==
			READ_ONCE(dentry->d_time);
}

/* The stack's dentry may drop its lower dentry concurrently; RCU keeps that in memory. */
static inline bool dxs_remembered(const struct dentry *dentry)
{
	bool same;

	rcu_read_lock();
	same = dxs_remembered_rcu(dentry);
	rcu_read_unlock();
	return same;
}

/*
 * Compares the two dentries after d_seq changed, and records the new d_seq if they
 * match. The stack's dentry may be moved concurrently by a call of the stack.
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
		/*
		 * dxs_settled() was called since the caller's check: the VFS is about
		 * to make its change.
		 */
		if (below != DXS_RIGHT && lower && seq == time)
			below = DXS_RIGHT;
		/*
		 * If the lower dentry was changed by a call of the stack, d_time is
		 * DXS_BUSY or a later value here.
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
 * dxs_same_below() - does the lower dentry still match?
 * @dentry: of the stack
 *
 * Context: does not sleep. The answer is stable while the lower directory is locked.
 */
bool dxs_same_below(struct dentry *dentry)
{
	return dxs_remembered(dentry) || dxs_look_below(dentry) == DXS_RIGHT;
}

/**
 * dxs_known_below() - get the lower dentry of a name that is about to be changed
 * @dentry: of the stack, positive or negative; its directory is locked
 *
 * H81: the lower directory may have changed since the VFS's lookup. A lower dentry
 * that matches now is the one that a lookup would find.
 *
 * Context: the lower directory is locked; the answer is stable until it is unlocked.
 * Return: the lower dentry, whose reference @dentry holds; NULL if a lookup is
 * needed.
 */
struct dentry *dxs_known_below(struct dentry *dentry)
{
	struct dentry *lower = dxs_lower_dentry(dentry);
	unsigned long time = READ_ONCE(dentry->d_time);

	/* A lookup revalidates dentries that have a lower ->d_revalidate. */
	if (!lower || lower->d_flags & DCACHE_OP_REVALIDATE ||
	    time == DXS_BUSY || time == DXS_NAMELESS)
		return NULL;
	return dxs_same_below(dentry) ? lower : NULL;
}

/**
 * dxs_remember() - record d_seq of the lower dentry after a lookup, if it still
 * matches
 * @dentry: of the stack; its directory is locked, so its name is stable
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

/*
 * Calls ->d_revalidate of the lower dentry, which encrypted names without key have
 * (H54).
 */
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
 * The name is valid. H37: does the VFS use the copied attributes of what it finds
 * without another call into the stack? It does before it removes or links a file or
 * follows a symlink. In RCU mode it uses those of symlinks only, and two flags:
 * S_APPEND and S_IMMUTABLE make it refuse before it calls ->permission, so
 * out-of-date copies of them would never be refreshed.
 */
static inline bool dxs_is_used_rcu(const struct dentry *dentry,
				   const struct inode *inode)
{
	return inode && (d_is_symlink(dentry) ||
			 READ_ONCE(inode->i_flags) & (S_APPEND | S_IMMUTABLE));
}

/* Out of line, so that the common path needs no stack frame. */
static noinline int dxs_found_used_rcu(struct inode *inode)
{
	dxs_refresh_rcu(inode);
	return 1;
}

static noinline int dxs_found(struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = d_inode_rcu(dentry);

	if (!(flags & LOOKUP_RCU)) {
		if (inode)
			dxs_refresh(inode, DXS_COPY_ALL);
	} else if (dxs_is_used_rcu(dentry, inode)) {
		dxs_refresh_rcu(inode);
	}
	return 1;
}

static noinline int dxs_revalidate_slow(struct dentry *dentry,
					unsigned int flags)
{
	int valid;

	if (!(flags & LOOKUP_RCU) && dxs_remembered(dentry))
		return dxs_found(dentry, flags);
	/*
	 * The root, a file found by its handle, or a nameless dentry: see
	 * dxs_nameless().
	 */
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
		 * Mounts on or in the directory stay, as in any filesystem: a lookup
		 * of the new name finds them. d_invalidate() would unmount them if
		 * the dentry were hashed.
		 */
		if (d_is_dir(dentry))
			d_drop(dentry);
		return 0;
	default:
		return 0;
	}
}

static int dxs_d_revalidate(DXS_REVALIDATE_ARGS)
{
	struct inode *inode;

	if (unlikely(!(flags & LOOKUP_RCU)) ||
	    unlikely(!dxs_remembered_rcu(dentry)))
		return dxs_revalidate_slow(dentry, flags);
	inode = d_inode_rcu(dentry);
	if (unlikely(dxs_is_used_rcu(dentry, inode)))
		return dxs_found_used_rcu(inode);
	return 1;
}

/**
 * dxs_forget_unused() - do not cache a dentry of an encrypted name or file
 * @dentry: of the stack, new or reused
 *
 * H54: when a key is removed, the lower filesystem evicts names and data of all files
 * that are not in use. Cached dentries of the stack would keep them in use.
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

/* H66: tasks in d_obtain_alias(); the data of a mark is the lower dentry for the new alias. */
static struct dxs_marks dxs_obtainers = {
	.lock = __SPIN_LOCK_UNLOCKED(dxs_obtainers.lock),
	.list = LIST_HEAD_INIT(dxs_obtainers.list),
};

/**
 * dxs_d_init() - ->d_init: initialize a new dentry
 * @dentry: of the stack, not published yet
 *
 * H66: d_obtain_alias() allocates a dentry and publishes it at once. A task that finds it
 * needs the lower dentry, so it is set here.
 *
 * Context: does not sleep.
 * Return: 0.
 */
static int dxs_d_init(struct dentry *dentry)
{
	struct dxs_mark *mark;

	/* The caller's own mark it sees without the lock. */
	if (likely(list_empty(&dxs_obtainers.list)))
		return 0;
	mark = dxs_my_mark(&dxs_obtainers);
	if (!mark)
		return 0;
	dentry->d_fsdata = dget(mark->data);
	dxs_settled(dentry, false);
	return 0;
}

/*
 * Gets the stack's dentry for a lower dentry that was found by its handle; consumes
 * the reference. A new dentry has its lower dentry before it is published.
 */
struct dentry *dxs_obtain_alias(struct super_block *sb, struct dentry *lower)
{
	struct dxs_mark mark;
	struct dentry *dentry;
	struct inode *inode;

	if (IS_ERR_OR_NULL(lower))
		return lower;
	inode = dxs_iget(sb, d_inode(lower));
	if (IS_ERR(inode)) {
		dput(lower);
		return ERR_CAST(inode);
	}
	dxs_refresh(inode, DXS_COPY_ALL);
	mark.data = lower;
	dxs_mark(&dxs_obtainers, &mark);
	/* If somebody else was first: theirs. */
	dentry = d_obtain_alias(inode);
	dxs_unmark(&dxs_obtainers, &mark);
	dput(lower);
	return dentry;
}

const struct dentry_operations dxs_dentry_ops = {
	.d_init		= dxs_d_init,
	.d_revalidate	= dxs_d_revalidate,
	.d_release	= dxs_d_release,
	.d_iput		= dxs_d_iput,
	DXS_D_REAL_OP
};
