// SPDX-License-Identifier: GPL-2.0
/*
 * Inheritance: what a file has from its directory.
 *
 * The lower filesystem itself gives new files and directories the flag of
 * their directory: inherit=create is its doing. For inherit=none it is taken
 * away again before anyone sees the new file; for inherit=move it is brought
 * to files that are moved.
 *
 * The mode belongs to the inode: linkat(2), also of a file made by O_TMPFILE,
 * changes nothing. Directories keep their own flag when they are moved, and so
 * does all that is in them.
 */
#include "daxstack.h"

static enum dxs_inherit dxs_inherit(const struct inode *inode)
{
	return READ_ONCE(DXS_SB(inode->i_sb)->inherit);
}

/* A directory has no mode, only the flag. */
static int dxs_clear_dir_flag(struct inode *inode, struct dentry *lower)
{
	int err;

	inode_lock_nested(d_inode(lower), I_MUTEX_CHILD);
	err = dxs_store_flag(lower, DAXSTACK_CACHED);
	inode_unlock(d_inode(lower));
	if (err)
		pr_warn_ratelimited("%s: inode %lu: inherit=none, but its flag stays: %d\n",
				    inode->i_sb->s_id, inode->i_ino, err);
	return err;
}

static int dxs_disinherit(struct inode *inode, struct dentry *dentry)
{
	struct dxs_switch sw = {
		.inode = inode,
		.lower = dxs_lower_dentry(dentry),
		.name = dentry,
		.to = DAXSTACK_CACHED,
		.cause = DXS_BORN,
		.deadline = jiffies,
	};
	int flag;

	if (!S_ISREG(inode->i_mode) && !S_ISDIR(inode->i_mode))
		return 0;
	flag = dxs_flag(sw.lower);
	if (flag != DAXSTACK_DAX)
		return min(flag, 0);
	return S_ISDIR(inode->i_mode) ? dxs_clear_dir_flag(inode, sw.lower) :
					dxs_switch_born(&sw);
}

/**
 * dxs_inherit_prepare() - something is to be made in a directory
 * @dir: dentry of the stack
 *
 * What new files inherit can be undone only if both modes are known.
 *
 * Context: sleeps. No write access is held, and no lower lock.
 */
void dxs_inherit_prepare(const struct dentry *dir)
{
	if (dxs_inherit(d_inode(dir)) == DXS_INHERIT_NONE &&
	    dxs_flag(dxs_lower_dentry(dir)) == DAXSTACK_DAX)
		dxs_learn_personalities(DXS_SB(dir->d_sb));
}

/**
 * dxs_inherit_born() - undo for inherit=none what a new file inherited
 * @inode: of the stack, just made
 * @dentry: of the stack; nobody else can reach the inode by it yet
 *
 * Context: sleeps. Write access to the lower mount is held, and the lower
 * directory may be locked.
 * Return: 0, or an errno: the file is not what the rule says, and must not stay
 * (H56).
 */
int dxs_inherit_born(struct inode *inode, struct dentry *dentry)
{
	return dxs_inherit(inode) == DXS_INHERIT_NONE ?
		dxs_disinherit(inode, dentry) : 0;
}

static void dxs_follow(struct dentry *moved, struct dentry *name)
{
	int flag = dxs_flag(dxs_lower_dentry(name->d_parent));
	struct dxs_switch sw = dxs_switch_of(moved, flag);

	if (flag < 0 || dxs_flag(sw.lower) == flag)
		return;
	sw.name = name;
	sw.cause = DXS_MOVED;
	dxs_switch(&sw);
}

/**
 * dxs_inherit_moved() - give for inherit=move a file the flag of its directory
 * @moved: dentry of the stack, with the name that the file had
 * @name: dentry of the stack, with the name that the file has now
 *
 * The directory decides, whoever moves the file and whoever owns it, as with
 * what is inherited at creation. A switch that is refused leaves the flag, for
 * the next load.
 *
 * Context: sleeps. The stack's locks of a rename are held, no lower lock is.
 */
void dxs_inherit_moved(struct dentry *moved, struct dentry *name)
{
	if (dxs_inherit(d_inode(moved)) == DXS_INHERIT_MOVE &&
	    d_is_reg(moved) && moved->d_parent != name->d_parent)
		dxs_follow(moved, name);
}
