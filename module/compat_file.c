// SPDX-License-Identifier: GPL-2.0
/*
 * Lower files: open files of the lower filesystem that belong to an open file of
 * the stack.
 *
 * From Linux 6.5 on a lower file is a backing file. Its f_path is the lower path,
 * and file_user_path() is the stack's. Linux 6.1 has files with the stack's path
 * and a lower inode instead (open_with_fake_path()).
 */
#include <linux/cred.h>
#include <linux/security.h>
#include <linux/splice.h>

#include "daxstack.h"

#ifdef DXS_HAVE_BACKING_FILE
#include <linux/backing-file.h>
#endif

#ifdef DXS_HAVE_BACKING_FILE
#ifndef DXS_HAVE_BACKING_FILE_USER_FILE
#define backing_file_open(user, flags, lower, cred)	\
	backing_file_open(file_user_path(user), flags, lower, cred)
#endif

/* A flag says that a file raises no events; later it takes that over from @user. */
#ifdef DXS_HAVE_FSNOTIFY_MODE
#define DXS_NONOTIFY	0
#else
#define DXS_NONOTIFY	__FMODE_NONOTIFY
#endif

/*
 * H70: the kernel asks a lower file for the idmap of its mount, when a write takes
 * S_ISGID away, and of who calls mincore(2). So where the user's mount is idmapped the
 * lower file is one of that mount, as all are on Linux 6.1.
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
 * @user: open file of the stack, which nobody else has yet
 * @flags: as for open(2)
 * @lower: lower path of the same inode
 * @cred: credentials of the stack itself
 *
 * On kernels with backing files the lower file carries @cred, as the path of the
 * private mount tells security modules nothing about the user: they have judged
 * @user (H39). On Linux 6.1 the lower file carries the stack's path and the
 * opener's credentials.
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
 * dxs_lower_open_again() - open one more lower file of an open file
 * @user: open file of the stack
 * @flags: as for open(2)
 * @lower: lower path of the same inode
 * @cred: credentials of the stack itself
 *
 * No security module has a say in this (H39), and nothing refuses it: @user may have
 * been opened long ago, when the file was not yet immutable or append-only.
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

	/* Nobody writes through it: VMAs hold it. */
	if (IS_APPEND(inode))
		flags |= O_APPEND;
	if (IS_IMMUTABLE(inode))
		flags = (flags & ~O_ACCMODE) | O_RDONLY;
	file = dxs_backing_open(dxs_lower_file(user), flags, &path, cred);
	if (IS_ERR(file) || !writable || file->f_mode & FMODE_WRITE)
		return file;
	file->f_mode |= FMODE_WRITE | FMODE_CAN_WRITE;
	/* put_file_access() does that for readers only. */
	i_readcount_dec(file_inode(file));
	return file;
}
#else
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
 * @path: the lower path; on Linux 6.1 any that the file is to carry
 * @lower: the lower inode
 * @cred: credentials of the stack itself
 *
 * It is freed by RCU, or, from Linux 6.7 on, becomes another file at worst within
 * an RCU section: see dxs_drains(). Backing files are not.
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
 * dxs_swap_labels() - exchange what security modules keep of two lower files
 * @a: a lower file
 * @b: another one of the same inode, that nobody else has
 *
 * On Linux 6.1 a VMA's file has to have what the user's open was granted (H39).
 * Backing files keep that apart (security_backing_file_alloc()).
 *
 * Context: any.
 */
void dxs_swap_labels(struct file *a, struct file *b)
{
#if defined(CONFIG_SECURITY) && !defined(DXS_HAVE_BACKING_FILE)
	swap(a->f_security, b->f_security);
#endif
}

/**
 * dxs_judge_mmap() - have security modules judge a mapping of a lower file
 * @vma: its file is @map already
 * @map: the lower file
 * @user: the file that the user maps, which they have judged
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

#ifndef DXS_HAVE_D_REAL_TYPE
/*
 * ->d_real: which dentry has the data of a file?
 *
 * The stack's own, so that uprobes find an inode that has no ->read_folio (H16);
 * the lower one for a file that carries the stack's path and a lower inode, which
 * the caller names.
 */
struct dentry *dxs_d_real(struct dentry *dentry, const struct inode *inode)
{
	if (inode && d_inode(dentry) != inode)
		return dxs_lower_dentry(dentry);
	return dentry;
}
#endif

/**
 * dxs_splice_read_lower() - splice from the lower file of a file into a pipe
 * @file: of the stack
 * @pos: where, and where it ended
 * @pipe: the pipe
 * @len: how much at most
 * @flags: SPLICE_F_*
 *
 * vfs_splice_read() would ask security modules about the lower file (H39).
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
	/* As do_splice_read(), which has looked for O_DIRECT. */
	if (IS_DAX(file_inode(lower)))
		return copy_splice_read(lower, pos, pipe, len, flags);
#else
	/* fcntl(2) changes the flags of the stack's file. */
	if ((lower->f_flags ^ file->f_flags) & O_DIRECT) {
		spin_lock(&lower->f_lock);
		lower->f_flags &= ~O_DIRECT;
		lower->f_flags |= file->f_flags & O_DIRECT;
		spin_unlock(&lower->f_lock);
	}
#endif
	return lower->f_op->splice_read(lower, pos, pipe, len, flags);
}
