// SPDX-License-Identifier: GPL-2.0
/*
 * Opening lower files, and what security modules make of it.
 *
 * A user's open is judged on the stack's file, and once more when the stack's
 * ->open opens the lower file that belongs to it: by the same task, for the same
 * path, with the same answer. Lower files that are opened at another time, or by
 * a path of the private mount, must not be judged (H39): the task may have been
 * restricted since (Landlock) or be another one, the file may have been renamed
 * or removed, and the private mount's paths lead nowhere, which both Landlock and
 * AppArmor refuse. These files are opened with the kernel's own credentials.
 */
#include <linux/cred.h>

#include "daxstack.h"

/* The lower path of an open file. */
static struct path dxs_lower_path_of(const struct file *file)
{
	return dxs_lower_path(file->f_path.dentry);
}

/**
 * dxs_open_lower() - the lower file of an open file of the stack
 * @file: being opened
 *
 * Context: sleeps.
 * Return: a file or an ERR_PTR.
 */
struct file *dxs_open_lower(struct file *file)
{
	struct path lower = dxs_lower_path_of(file);
	const struct dxs_sb *sbi = DXS_SB(file_inode(file)->i_sb);

	return dxs_lower_open(file, dxs_lower_flags(file), &lower, sbi->cred);
}

/**
 * dxs_open_again() - a second lower file of an open file of the stack
 * @file: open, for how long does not matter
 *
 * What security modules keep of an open file it has to get from the first lower
 * file: see dxs_swap_labels().
 *
 * Context: sleeps; may be called with mmap_lock held.
 * Return: a file or an ERR_PTR.
 */
struct file *dxs_open_again(struct file *file)
{
	struct path lower = dxs_lower_path_of(file);
	const struct dxs_sb *sbi = DXS_SB(file_inode(file)->i_sb);

	return dxs_lower_open_again(file, dxs_lower_flags(file), &lower,
				    sbi->cred);
}

/**
 * dxs_make_tmpfile() - a new lower file without a name
 * @idmap: of the caller's mount, by which the file gets its owner
 * @parent: the lower directory
 * @mode: as given by the VFS
 * @flags: O_EXCL if it is never to get a name, or 0
 *
 * The lower ->tmpfile wants an open file to put the inode in. Opened with O_PATH
 * it is not opened for data, which keeps security modules from judging it by the
 * private mount's path (H39), while the inode gets owner, label and quota from
 * the caller. The file that the user gets is opened later, by the stack's path.
 *
 * Context: sleeps; write access to the lower mount is held.
 * Return: a referenced lower dentry, or an ERR_PTR.
 */
struct dentry *dxs_make_tmpfile(struct mnt_idmap *idmap,
				const struct path *parent, umode_t mode,
				int flags)
{
	struct dentry *dentry;
	struct file *file;

	file = kernel_tmpfile_open(idmap, parent, mode, O_PATH | flags,
				   current_cred());
	if (IS_ERR(file))
		return ERR_CAST(file);
	/* An open with O_PATH forgets that the file is not counted. */
	file->f_mode |= FMODE_NOACCOUNT | FMODE_NONOTIFY;
	dentry = dget(file->f_path.dentry);
	fput(file);
	return dentry;
}
