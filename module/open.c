// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening lower files, with respect to security modules.
 *
 * A user's open is judged on the stack's file. It is judged once more when the
 * stack's ->open opens the lower file: for the same task and path, with the same
 * answer. Lower files that are opened at another time or by a path of the private
 * mount must not be judged (H39): the task may have been restricted since (Landlock)
 * or be another one, the file may have been renamed or removed, and Landlock and
 * AppArmor refuse paths of the private mount, which are in no namespace. These lower
 * files are opened with the kernel's credentials.
 */
#include <linux/cred.h>
#include <linux/slab.h>

#include "entry.h"
#include "asked.h"
#include "lower.h"

static struct kmem_cache *dxs_file_cachep;

int __init dxs_init_filecache(void)
{
	struct cred *kernel = prepare_kernel_cred(&init_task);

	if (!kernel)
		return -ENOMEM;
	dxs_init_labels(kernel);
	dxs_init_asked(kernel);
	put_cred(kernel);
	dxs_file_cachep = KMEM_CACHE(dxs_file, SLAB_ACCOUNT);
	return dxs_file_cachep ? 0 : -ENOMEM;
}

void dxs_destroy_filecache(void)
{
	kmem_cache_destroy(dxs_file_cachep);
}

struct dxs_file *dxs_alloc_file(void)
{
	return kmem_cache_alloc(dxs_file_cachep, GFP_KERNEL);
}

void dxs_free_file(struct dxs_file *df)
{
	kmem_cache_free(dxs_file_cachep, df);
}

/* The lower path of an open file. */
static struct path dxs_lower_path_of(const struct file *file)
{
	return dxs_lower_path(file->f_path.dentry);
}

/**
 * dxs_open_lower() - open the lower file of a file of the stack
 * @file: being opened
 *
 * Context: sleeps.
 * Return: a file, to be closed with dxs_close_lower(), or an ERR_PTR.
 */
struct file *dxs_open_lower(struct file *file)
{
	const struct path lower = dxs_lower_path_of(file);
	const struct dxs_sb *sbi = DXS_SB(file_inode(file)->i_sb);
	const int flags = dxs_lower_flags(file);
	struct file *own = NULL;

	if (S_ISREG(file_inode(file)->i_mode))
		own = dxs_lower_own(file, flags, &lower, sbi->cred);
	return own ?: dxs_lower_open(file, flags, &lower, sbi->cred);
}

/**
 * dxs_close_lower() - close the lower file of a file that is being closed
 * @file: of the stack, a regular file
 *
 * Context: ->release of @file; sleeps.
 */
void dxs_close_lower(struct file *file)
{
	struct file *lower = dxs_lower_file(file);

	if (likely(dxs_is_own(lower)))
		dxs_own_close(lower);
	else
		dxs_lower_close(lower);
}

/**
 * dxs_open_again() - open a second lower file for an open file of the stack
 * @file: open file of the stack
 *
 * The caller has to transfer the state of security modules from the first lower file:
 * see dxs_swap_labels().
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
 * dxs_make_tmpfile() - create an unnamed lower file
 * @idmap: of the caller's mount; maps the owner of the file
 * @parent: the lower directory
 * @mode: as given by the VFS
 * @flags: O_EXCL if the file can never get a name, or 0
 *
 * The lower ->tmpfile needs an open file to put the inode in. The file is opened with
 * O_PATH, so that security modules do not judge it by the path of the private mount
 * (H39), while the inode gets owner, label and quota from the caller. The user's file
 * is opened later, by the stack's path.
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
	/*
	 * do_dentry_open() clears FMODE_NOACCOUNT for O_PATH, but the file was not
	 * counted.
	 */
	file->f_mode |= FMODE_NOACCOUNT | FMODE_NONOTIFY;
	dentry = dget(file->f_path.dentry);
	fput(file);
	return dentry;
}
