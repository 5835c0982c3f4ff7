// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lower files: open files of the lower filesystem that belong to an open file of
 * the stack.
 *
 * From Linux 6.5 on a lower file is a backing file. Its f_path is the lower path,
 * and file_user_path() is the stack's. Linux 6.1 has files with the stack's path
 * and a lower inode instead (open_with_fake_path()).
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/security.h>
#include <linux/splice.h>

#include "entry.h"
#include "lower.h"

#ifdef DXS_HAVE_BACKING_FILE
#include <linux/backing-file.h>
#endif

#ifdef DXS_HAVE_BACKING_FILE
#ifndef DXS_HAVE_BACKING_FILE_USER_FILE
#define backing_file_open(user, flags, lower, cred)	\
	backing_file_open(file_user_path(user), flags, lower, cred)
#endif

/*
 * On older kernels a flag suppresses fsnotify events; later the file inherits that
 * from @user.
 */
#ifdef DXS_HAVE_FSNOTIFY_MODE
#define DXS_NONOTIFY	0
#else
#define DXS_NONOTIFY	__FMODE_NONOTIFY
#endif

/*
 * H70: the kernel uses the idmap of the lower file's mount when a write removes
 * S_ISGID, and for the permission check of mincore(2). So if the user's mount is
 * idmapped, the lower file is opened on that mount, as all lower files are on Linux
 * 6.1.
 */
static struct path dxs_path_by_mount_of(const struct file *user,
					const struct path *lower)
{
	struct path path = *lower;

	if (is_idmapped_mnt(user->f_path.mnt))
		path.mnt = user->f_path.mnt;
	return path;
}

static struct file *dxs_backing_open(const struct file *user, int flags,
				     const struct path *lower,
				     const struct cred *cred)
{
	const struct cred *old = override_creds(cred);
	struct file *file;

	file = backing_file_open(user, flags | DXS_NONOTIFY, lower, cred);
	revert_creds(old);
	return file;
}

/**
 * dxs_lower_open() - open the lower file of a file that is being opened
 * @user: open file of the stack, not published yet
 * @flags: as for open(2)
 * @lower: lower path of the same inode
 * @cred: credentials of the stack itself
 *
 * On kernels with backing files the lower file carries @cred, because security
 * modules cannot judge the user by the path of the private mount; they have judged
 * @user (H39). On Linux 6.1 the lower file carries the stack's path and the opener's
 * credentials.
 *
 * Context: sleeps.
 * Return: a file that raises no fsnotify events, or an ERR_PTR.
 */
struct file *dxs_lower_open(struct file *user, int flags,
			    const struct path *lower, const struct cred *cred)
{
	const struct path path = dxs_path_by_mount_of(user, lower);
#ifdef DXS_HAVE_FSNOTIFY_MODE
	fmode_t mode = user->f_mode & FMODE_FSNOTIFY_MASK;
	struct file *file;

	file_set_fsnotify_mode(user, FMODE_NONOTIFY);
	file = dxs_backing_open(user, flags, &path, cred);
	file_set_fsnotify_mode(user, mode);
	return file;
#else
	return dxs_backing_open(user, flags, &path, cred);
#endif
}

/**
 * dxs_lower_own() - open an own lower file for a file that is being opened
 * @user: open file of the stack, not published yet
 * @flags: as for open(2)
 * @lower: lower path of the same inode
 * @cred: credentials of the stack itself
 *
 * The file has the same path and credentials as one from dxs_lower_open().
 *
 * Context: sleeps.
 * Return: as dxs_own_open(), for a regular file.
 */
struct file *dxs_lower_own(const struct file *user, int flags,
			   const struct path *lower, const struct cred *cred)
{
	const struct path path = dxs_path_by_mount_of(user, lower);
	struct inode *inode = d_inode(lower->dentry);

	/* A filesystem on top needs the whole chain of backing files. */
	if (dxs_is_above(user))
		return NULL;
	/*
	 * may_open() checked the copies (H37): repeat its check on the lower inode,
	 * as backing_file_open() does later.
	 */
	if ((flags & O_ACCMODE) != O_RDONLY && !(user->f_mode & FMODE_CREATED) &&
	    (IS_IMMUTABLE(inode) || (IS_APPEND(inode) && !(flags & O_APPEND))))
		return ERR_PTR(-EPERM);
	return dxs_own_open(flags, &path, inode, cred);
}

/*
 * A backing file takes the user's path, the state of security modules and, on later
 * kernels, the suppression of events from the file that it is opened for. An own
 * lower file lacks these, so a temporary struct file provides them.
 */
static struct file *dxs_backing_open_again(const struct file *user, int flags,
					   const struct path *path,
					   const struct cred *cred)
{
	const struct file *lower = dxs_lower_file(user);
	const struct file quiet = {
		.f_mode = lower->f_mode,
		.f_inode = user->f_inode,
		.f_path = user->f_path,
		.f_cred = user->f_cred,
#ifdef CONFIG_SECURITY
		.f_security = user->f_security,
#endif
	};

	return dxs_backing_open(dxs_is_own(lower) ? &quiet : lower, flags,
				path, cred);
}

/**
 * dxs_lower_open_again() - open one more lower file of an open file
 * @user: open file of the stack
 * @flags: as for open(2)
 * @lower: lower path of the same inode
 * @cred: credentials of the stack itself
 *
 * Neither security modules (H39) nor file flags may refuse this: @user may have been
 * opened before the file became immutable or append-only.
 *
 * Context: sleeps; may be called with mmap_lock held.
 * Return: as dxs_lower_open().
 */
struct file *dxs_lower_open_again(struct file *user, int flags,
				  const struct path *lower,
				  const struct cred *cred)
{
	const struct path path = dxs_path_by_mount_of(user, lower);
	const struct inode *inode = d_inode(lower->dentry);
	bool writable = (flags & O_ACCMODE) != O_RDONLY;
	struct file *file;

	/* It is never written through: only VMAs hold it. */
	if (IS_APPEND(inode))
		flags |= O_APPEND;
	if (IS_IMMUTABLE(inode))
		flags = (flags & ~O_ACCMODE) | O_RDONLY;
	file = dxs_backing_open_again(user, flags, &path, cred);
	if (IS_ERR(file) || !writable || file->f_mode & FMODE_WRITE)
		return file;
	file->f_mode |= FMODE_WRITE | FMODE_CAN_WRITE;
	/* put_file_access() drops i_readcount for files without FMODE_WRITE only. */
	i_readcount_dec(file_inode(file));
	return file;
}
#else
/* The secid of the kernel's own credentials. */
static u32 dxs_kernel_secid;

void __init dxs_init_labels(const struct cred *kernel)
{
	const struct cred *old = override_creds(kernel);

	security_current_getsecid_subj(&dxs_kernel_secid);
	revert_creds(old);
}

/*
 * H39: the file that a VMA holds needs the label that the user's open was given. It
 * is opened with the kernel's credentials, and takes the label of a lower file that
 * the VFS opened. For an unconfined user the label equals the kernel's, and an own
 * lower file, without a label, suffices.
 */
struct file *dxs_lower_own(const struct file *user, int flags,
			   const struct path *lower, const struct cred *cred)
{
	u32 secid;

	security_current_getsecid_subj(&secid);
	if (secid != dxs_kernel_secid || user->f_cred != current_cred())
		return NULL;
	return dxs_own_open(flags, &user->f_path, d_inode(lower->dentry),
			    user->f_cred);
}

struct file *dxs_lower_open_again(struct file *user, int flags,
				  const struct path *lower,
				  const struct cred *cred)
{
	struct file *file = dxs_lower_open_alone(flags, &user->f_path,
						 d_inode(lower->dentry), cred);

	if (IS_ERR(file))
		return file;
	put_cred(file->f_cred);
	file->f_cred = get_cred(user->f_cred);
	return file;
}
#endif

/**
 * dxs_lower_open_alone() - open a lower file that belongs to no file of the stack
 * @flags: as for open(2)
 * @path: the lower path; on Linux 6.1 any path that the file should carry
 * @lower: the lower inode
 * @cred: credentials of the stack itself
 *
 * The file is freed by RCU or, from Linux 6.7 on, may be reused as another file
 * within an RCU section, but not freed: see dxs_drains(). Backing files do not
 * guarantee that.
 *
 * Context: sleeps.
 * Return: a file or an ERR_PTR.
 */
struct file *dxs_lower_open_alone(int flags, const struct path *path,
				  struct inode *lower, const struct cred *cred)
{
	const struct cred *old = override_creds(cred);
	struct file *file;

#ifdef DXS_HAVE_BACKING_FILE
	file = kernel_file_open(path, flags | DXS_NONOTIFY, cred);
#else
	file = open_with_fake_path(path, flags | __FMODE_NONOTIFY, lower, cred);
#endif
	revert_creds(old);
	return file;
}

/**
 * dxs_swap_labels() - exchange the state of security modules of two lower files
 * @a: a lower file
 * @b: another one of the same inode, not published yet
 *
 * On Linux 6.1 a VMA's file needs the label that the user's open was given (H39).
 * Backing files store it separately (security_backing_file_alloc()).
 *
 * Context: any.
 */
void dxs_swap_labels(struct file *a, struct file *b)
{
#if defined(CONFIG_SECURITY) && !defined(DXS_HAVE_BACKING_FILE)
	/*
	 * An own lower file has no label, and that of @b is right: see
	 * dxs_lower_own().
	 */
	if (!dxs_is_own(a))
		swap(a->f_security, b->f_security);
#endif
}

/**
 * dxs_judge_mmap() - have security modules judge a mapping of a lower file
 * @vma: its file is @map already
 * @map: the lower file
 * @user: the file that the user maps, judged already
 *
 * Context: mmap_lock is held for writing.
 * Return: 0 or a negative errno.
 */
int dxs_judge_mmap(struct vm_area_struct *vma, struct file *map,
		   struct file *user)
{
#ifdef DXS_HAVE_SECURITY_MMAP_BACKING_FILE
	const struct dxs_sb *sbi = DXS_SB(file_inode(user)->i_sb);
	const struct cred *old = override_creds(sbi->cred);
	int err = security_mmap_backing_file(vma, map, user);

	revert_creds(old);
	return err;
#else
	return 0;
#endif
}

/**
 * dxs_splice_read_lower() - splice from the lower file of a file into a pipe
 * @file: of the stack
 * @pos: in and out: the file position
 * @pipe: the pipe
 * @len: number of bytes at most
 * @flags: SPLICE_F_*
 *
 * Does not use vfs_splice_read(), which would ask security modules about the lower
 * file (H39).
 *
 * Context: sleeps; the I/O gate is held.
 * Return: bytes, or a negative errno.
 */
ssize_t dxs_splice_read_lower(struct file *file, loff_t *pos,
			      struct pipe_inode_info *pipe, size_t len,
			      unsigned int flags)
{
	struct file *lower = dxs_lower_file(file);

#ifdef DXS_HAVE_VFS_SPLICE_READ
	/* As in do_splice_read(), which has checked O_DIRECT already. */
	if (IS_DAX(file_inode(lower)))
		return copy_splice_read(lower, pos, pipe, len, flags);
#else
	/* fcntl(2) may have changed O_DIRECT of the stack's file. */
	if ((lower->f_flags ^ file->f_flags) & O_DIRECT) {
		spin_lock(&lower->f_lock);
		lower->f_flags &= ~O_DIRECT;
		lower->f_flags |= file->f_flags & O_DIRECT;
		lower->f_iocb_flags = iocb_flags(lower);
		spin_unlock(&lower->f_lock);
	}
#endif
	return lower->f_op->splice_read(lower, pos, pipe, len, flags);
}
