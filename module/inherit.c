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
#include <linux/anon_inodes.h>
#include <linux/module.h>
#include <linux/slab.h>

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
	err = dxs_fileattr_store(lower, DAXSTACK_CACHED, NULL, false);
	inode_unlock(d_inode(lower));
	if (err)
		pr_warn_ratelimited("%s: inode %llu: inherit=none, but its flag stays: %d\n",
				    inode->i_sb->s_id, (u64)inode->i_ino, err);
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

/* To what the directory says by now, wherever the file has gone meanwhile. */
static int dxs_follow(struct dentry *moved)
{
	struct dentry *dir = dget_parent(moved);
	int flag = dxs_flag(dxs_lower_dentry(dir));
	struct dxs_switch sw = dxs_switch_of(moved, flag);

	dput(dir);
	if (flag < 0 || d_unlinked(moved) || dxs_flag(sw.lower) == flag)
		return 0;
	sw.cause = DXS_MOVED;
	return dxs_switch(&sw);
}

/**
 * struct dxs_move - a file that was moved, to be switched after the rename
 * @work: where there is no return to user mode
 * @moved: dentry of the stack; a reference, and one to the active superblock
 */
struct dxs_move {
	struct work_struct work;
	struct dentry *moved;
};

static void dxs_move_end(struct dxs_move *move)
{
	struct super_block *sb = move->moved->d_sb;

	dput(move->moved);
	atomic_dec(&DXS_SB(sb)->moves);
	deactivate_super(sb);
	kfree(move);
}

static void dxs_move_work(struct work_struct *work)
{
	struct dxs_move *move = container_of(work, struct dxs_move, work);

	dxs_follow(move->moved);
	dxs_move_end(move);
}

static int dxs_move_release(struct inode *inode, struct file *file)
{
	struct dxs_move *move = file->private_data;

	/* A signal came, and not even the flag is stored: a worker gets none. */
	if (dxs_follow(move->moved) == -EINTR)
		queue_work(dxs_wq, &move->work);
	else
		dxs_move_end(move);
	return 0;
}

static const struct file_operations dxs_move_fops = {
	.owner		= THIS_MODULE,
	.release	= dxs_move_release,
};

static struct dxs_move *dxs_move_begin(struct dentry *moved)
{
	struct dxs_move *move = kmalloc_obj(*move, GFP_KERNEL | __GFP_NOFAIL);

	INIT_WORK(&move->work, dxs_move_work);
	move->moved = dget(moved);
	/* A mount may be gone before the task is back in user mode. */
	atomic_inc(&moved->d_sb->s_active);
	/* ... and the rename's write access: see dxs_remount_lower(). */
	atomic_inc(&DXS_SB(moved->d_sb)->moves);
	return move;
}

/*
 * H46: a rename holds locks for which every lookup, create and rename nearby
 * waits. A switch, which writes back what is dirty and waits for others, comes
 * after it: in the same task, before rename(2) returns. What a task has to do then
 * a module cannot queue (task_work_add()), but the last reference to a file
 * is such a thing. So there is a file, which nobody can open, whose ->release
 * switches.
 *
 * Kernel threads (nfsd) do not return to user mode, and the system may be out of
 * files: then a worker does it.
 */
static void dxs_switch_later(struct dentry *moved)
{
	struct dxs_move *move = dxs_move_begin(moved);
	struct file *file = NULL;
	int tries = 2;

	/* Memory for so little is refused for a moment at most. */
	do {
		if (current->flags & PF_KTHREAD)
			break;
		file = anon_inode_getfile("[daxstack-move]", &dxs_move_fops,
					  move, O_RDONLY);
	} while (file == ERR_PTR(-ENOMEM) && --tries);
	if (IS_ERR_OR_NULL(file))
		queue_work(dxs_wq, &move->work);
	else
		fput(file);
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
 * Context: sleeps for memory only (H46). The stack's locks of a rename are held, no
 * lower lock is.
 */
void dxs_inherit_moved(struct dentry *moved, struct dentry *name)
{
	if (dxs_inherit(d_inode(moved)) == DXS_INHERIT_MOVE &&
	    d_is_reg(moved) && moved->d_parent != name->d_parent &&
	    dxs_flag(dxs_lower_dentry(name->d_parent)) !=
	    dxs_flag(dxs_lower_dentry(moved)))
		dxs_switch_later(moved);
}
