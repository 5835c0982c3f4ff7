// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inheritance: FS_XFLAG_DAX that a file takes from its directory.
 *
 * The lower filesystem itself gives new files and directories the flag of their
 * directory, which implements inherit=create. For inherit=none the flag is removed
 * again before the new file is visible. For inherit=move the flag of the directory is
 * applied to files that are moved there.
 *
 * The mode belongs to the inode: linkat(2) changes nothing, not even for a file made
 * by O_TMPFILE. A directory that is moved keeps its flag, and so do all files in it.
 */
#include <linux/anon_inodes.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "entry.h"
#include "lower.h"
#include "request.h"
#include "vfs.h"
#include "xflag.h"

static enum dxs_inherit dxs_inherit(const struct inode *inode)
{
	return READ_ONCE(DXS_SB(inode->i_sb)->inherit);
}

/* Clears the flag of a directory, which has no mode. */
static int dxs_clear_dir_flag(struct inode *inode, struct dentry *lower)
{
	int err;

	inode_lock_nested(d_inode(lower), I_MUTEX_CHILD);
	err = dxs_fileattr_store(&nop_mnt_idmap, lower, DAXSTACK_CACHED, NULL,
				 false);
	inode_unlock(d_inode(lower));
	if (err)
		pr_warn_ratelimited("%s: inode %llu: inherit=none: could not clear FS_XFLAG_DAX: %d\n",
				    inode->i_sb->s_id, (u64)inode->i_ino, err);
	return err;
}

static int dxs_disinherit(struct inode *inode, struct dentry *dentry)
{
	struct dxs_switch sw = {
		.inode = inode,
		.lower = dxs_lower_dentry(dentry),
		.name = dentry,
		.idmap = &nop_mnt_idmap,
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
 * dxs_inherit_prepare() - prepare to create a file in a directory
 * @dir: dentry of the stack
 *
 * The inherited mode can be undone only if both personalities are known.
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
 * dxs_inherit_born() - undo the inherited mode of a new file, for inherit=none
 * @inode: of the stack, just created
 * @dentry: of the stack, not connected to the inode yet
 *
 * Context: sleeps. Write access to the lower mount is held, and the lower
 * directory may be locked.
 * Return: 0, or a negative errno: the file has the wrong mode and has to be removed
 * (H56).
 */
int dxs_inherit_born(struct inode *inode, struct dentry *dentry)
{
	return dxs_inherit(inode) == DXS_INHERIT_NONE ?
		dxs_disinherit(inode, dentry) : 0;
}

/*
 * Switches a moved file to the flag of its current directory; it may have been moved
 * again.
 */
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
 * struct dxs_move - a file to be switched after a rename
 * @work: used if the task does not return to user mode
 * @moved: dentry of the stack, referenced; the superblock is kept active, too
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

	/*
	 * A signal came before the flag was stored: use a worker, which gets no
	 * signals.
	 */
	if (dxs_follow(move->moved) == -EINTR)
		queue_work(dxs_move_wq, &move->work);
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
	/* The mount may be gone before the task returns to user mode. */
	atomic_inc(&moved->d_sb->s_active);
	/* The rename's write access ends before the switch: see dxs_remount_lower(). */
	atomic_inc(&DXS_SB(moved->d_sb)->moves);
	return move;
}

/*
 * H46: a rename holds locks that lookups, creates and renames in the same directories
 * wait for. So the switch, which writes dirty pages back and waits for other tasks,
 * is done after the rename, in the same task and before rename(2) returns.
 * task_work_add() is not exported to modules. But the final fput() of a file is
 * deferred to the return to user mode as well, so the switch is done in ->release of
 * an anonymous file.
 *
 * Kernel threads (nfsd) do not return to user mode, and the system may be out of
 * files: then a worker does the switch.
 */
static void dxs_switch_later(struct dentry *moved)
{
	struct dxs_move *move = dxs_move_begin(moved);
	struct file *file = NULL;
	int tries = 2;

	/* Small allocations fail only for a moment: try twice. */
	do {
		if (current->flags & PF_KTHREAD)
			break;
		file = anon_inode_getfile("[daxstack-move]", &dxs_move_fops,
					  move, O_RDONLY);
	} while (file == ERR_PTR(-ENOMEM) && --tries);
	if (IS_ERR_OR_NULL(file))
		queue_work(dxs_move_wq, &move->work);
	else
		fput(file);
}

/**
 * dxs_inherit_moved() - apply the flag of the new directory, for inherit=move
 * @moved: dentry of the stack with the old name
 * @name: dentry of the stack with the new name
 *
 * As at creation the directory decides, regardless of who moves the file and who owns
 * it. If the switch is refused, the flag stays stored and takes effect at the next
 * load.
 *
 * Context: sleeps for memory only (H46). The stack's rename locks are held, lower
 * locks are not.
 */
void dxs_inherit_moved(struct dentry *moved, struct dentry *name)
{
	if (dxs_inherit(d_inode(moved)) == DXS_INHERIT_MOVE &&
	    d_is_reg(moved) && moved->d_parent != name->d_parent &&
	    dxs_flag(dxs_lower_dentry(name->d_parent)) !=
	    dxs_flag(dxs_lower_dentry(moved)))
		dxs_switch_later(moved);
}
