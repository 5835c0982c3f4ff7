// SPDX-License-Identifier: GPL-2.0
/*
 * Open regular files: every data call passes the I/O gate and is then the
 * lower filesystem's.
 */
#include <linux/fs.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include <linux/module.h>

#include "daxstack.h"

static struct kmem_cache *dxs_file_cachep;

int __init dxs_init_filecache(void)
{
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

static int dxs_open(struct inode *inode, struct file *file)
{
	struct file *lower;
	int err;

	if (!dxs_may_have_lower(file))
		return -EOPNOTSUPP;

	err = dxs_refresh_open(inode);
	if (err)
		return err;
	lower = dxs_open_lower(file);
	if (IS_ERR(lower))
		return PTR_ERR(lower);
	file->private_data = lower;
	file->f_mode |= lower->f_mode & (FMODE_NOWAIT | FMODE_CAN_ATOMIC_WRITE);
	return 0;
}

static int dxs_release(struct inode *inode, struct file *file)
{
	struct dxs_file *df = dxs_mapped_file(file);

	if (df)
		dxs_close_map(file, df->map);
	dxs_lower_close(dxs_lower_file(file));
	if (df)
		dxs_free_file(df);
	return 0;
}

/* What a caller may ask for that goes for the lower call as well. */
#define DXS_IOCB_PASSED	(IOCB_APPEND | IOCB_DIRECT | IOCB_DSYNC | IOCB_SYNC | \
			 IOCB_NOWAIT | IOCB_NOIO | IOCB_WRITE | \
			 IOCB_DONTCACHE | IOCB_ATOMIC)

/*
 * What dax mode cannot give: no page cache is passed by, and the lower filesystem
 * writes in pieces what was to be written in one.
 */
#define DXS_IOCB_CACHED	(IOCB_DONTCACHE | IOCB_ATOMIC)

/*
 * The lower call gets an iocb of its own, and a synchronous one: pmem finishes
 * I/O before it returns, so there is nothing to gain from an asynchronous one,
 * which would need memory that outlives the call. To an asynchronous caller
 * the call is one that was done at once.
 */
static inline struct kiocb dxs_lower_iocb(const struct kiocb *iocb)
{
	return (struct kiocb){
		.ki_filp = dxs_lower_file(iocb->ki_filp),
		.ki_pos = iocb->ki_pos,
		.ki_flags = iocb->ki_flags & DXS_IOCB_PASSED,
		.ki_ioprio = iocb->ki_ioprio,
	};
}

static int dxs_flagged_enter(struct inode *inode, const struct kiocb *iocb)
{
	struct dxs_gates *gates = dxs_gates(inode);
	int err = 0;

	if (!(iocb->ki_flags & IOCB_NOWAIT))
		err = dxs_io_enter(inode);
	else if (!gates || !dxs_gate_try_enter(&gates->io))
		err = -EAGAIN;
	/* The VFS has asked the stack's inode, which is never in dax mode. */
	if (!err && iocb->ki_flags & DXS_IOCB_CACHED &&
	    dxs_mode(inode) == DAXSTACK_DAX) {
		dxs_io_leave(inode);
		err = -EOPNOTSUPP;
	}
	return err;
}

static inline int dxs_iocb_enter(struct inode *inode, const struct kiocb *iocb)
{
	if (unlikely(iocb->ki_flags & (IOCB_NOWAIT | DXS_IOCB_CACHED)))
		return dxs_flagged_enter(inode, iocb);
	return dxs_io_enter(inode);
}

/*
 * The atime after a read of a file, by the options of the stack's mount: see
 * dxs_lower_flags(). The lower filesystems mark it if they have begun to read,
 * though there was nothing at @pos, the buffer was bad (EFAULT), or direct I/O was
 * not aligned (EINVAL). The page cache first looks whether there can be anything.
 */
static void dxs_accessed(struct file *file, loff_t pos, ssize_t ret)
{
	struct inode *inode = file_inode(file);

	if (unlikely(ret <= 0)) {
		if (ret && ret != -EFAULT && ret != -EINVAL)
			return;
		if (pos >= inode->i_sb->s_maxbytes &&
		    dxs_mode(inode) == DAXSTACK_CACHED)
			return;
	}
	file_accessed(file);
}

static ssize_t dxs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct kiocb lower = dxs_lower_iocb(iocb);
	bool empty = !iov_iter_count(to);
	loff_t pos = iocb->ki_pos;
	ssize_t ret;

	ret = dxs_iocb_enter(inode, iocb);
	if (ret)
		return ret;
	/* relatime compares copies (H37). */
	dxs_refresh(inode, DXS_COPY_SIZE | DXS_COPY_TIMES);
	ret = lower.ki_filp->f_op->read_iter(&lower, to);
	iocb->ki_pos = lower.ki_pos;
	if (!empty)
		dxs_accessed(iocb->ki_filp, pos, ret);
	dxs_io_leave(inode);
	return ret;
}

static ssize_t dxs_splice_read(struct file *file, loff_t *pos,
			       struct pipe_inode_info *pipe, size_t len,
			       unsigned int flags)
{
	struct inode *inode = file_inode(file);
	loff_t from = *pos;
	ssize_t ret;

	ret = dxs_io_enter(inode);
	if (ret)
		return ret;
	/* As above. */
	dxs_refresh(inode, DXS_COPY_SIZE | DXS_COPY_TIMES);
	ret = dxs_splice_read_lower(file, pos, pipe, len, flags);
	if (len)
		dxs_accessed(file, from, ret);
	dxs_io_leave(inode);
	return ret;
}

/* The lower s_writers are held. */
static inline ssize_t dxs_write_gated(struct kiocb *iocb,
				      struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct kiocb lower = dxs_lower_iocb(iocb);
	ssize_t ret;

	ret = dxs_iocb_enter(inode, iocb);
	if (ret)
		return ret;
	ret = lower.ki_filp->f_op->write_iter(&lower, from);
	iocb->ki_pos = lower.ki_pos;
	dxs_refresh_written(inode);
	dxs_io_leave(inode);
	return ret;
}

static struct dxs_marks dxs_splicers = {
	.lock = __SPIN_LOCK_UNLOCKED(dxs_splicers.lock),
	.list = LIST_HEAD_INIT(dxs_splicers.list),
};

static ssize_t dxs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct super_block *lower_sb = dxs_lower_inode(inode)->i_sb;
	ssize_t ret;

	if (unlikely(atomic_read(&DXS_I(inode)->splices)) &&
	    dxs_marked(&dxs_splicers))
		return dxs_write_gated(iocb, from);
	sb_start_write(lower_sb);
	ret = dxs_write_gated(iocb, from);
	sb_end_write(lower_sb);
	return ret;
}

/*
 * H35: the lower s_writers come before the lock of the pipe, as for a splice into
 * the lower filesystem alone: else the two, and a freeze, wait for each other.
 * The I/O gate comes after it, with each write: a splice waits for what others
 * put into the pipe.
 */
static ssize_t dxs_splice_write(struct pipe_inode_info *pipe,
				struct file *file, loff_t *pos, size_t len,
				unsigned int flags)
{
	struct inode *inode = file_inode(file);
	struct super_block *lower_sb = dxs_lower_inode(inode)->i_sb;
	struct dxs_mark mark;
	ssize_t ret;

	sb_start_write(lower_sb);
	dxs_mark(&dxs_splicers, &mark);
	atomic_inc(&DXS_I(inode)->splices);
	ret = iter_file_splice_write(pipe, file, pos, len, flags);
	atomic_dec(&DXS_I(inode)->splices);
	dxs_unmark(&dxs_splicers, &mark);
	sb_end_write(lower_sb);
	return ret;
}

/* Polled I/O: it was done when it was submitted, see dxs_lower_iocb(). */
static int dxs_iopoll(struct kiocb *iocb, struct io_comp_batch *batch,
		      unsigned int flags)
{
	return 0;
}

static loff_t dxs_llseek(struct file *file, loff_t offset, int whence)
{
	struct file *lower = dxs_lower_file(file);
	struct inode *inode = file_inode(file);
	loff_t pos;
	int err;

	err = dxs_io_enter(inode);
	if (err)
		return err;
	lower->f_pos = file->f_pos;
	pos = vfs_llseek(lower, offset, whence);
	file->f_pos = lower->f_pos;
	dxs_refresh(inode, DXS_COPY_ALL);
	dxs_io_leave(inode);
	return pos;
}

static int dxs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err;

	err = dxs_io_enter(inode);
	if (err)
		return err;
	err = vfs_fsync_range(dxs_lower_file(file), start, end, datasync);
	/* Delayed allocations have become blocks. */
	dxs_refresh(inode, DXS_COPY_ALL);
	dxs_io_leave(inode);
	return err;
}

/* What vfs_fallocate() asked the copies for, asked of the lower inode (H37). */
static int dxs_may_fallocate(const struct inode *lower, int mode)
{
	if (IS_IMMUTABLE(lower) ||
	    (IS_APPEND(lower) && mode & ~FALLOC_FL_KEEP_SIZE))
		return -EPERM;
	return IS_SWAPFILE(lower) ? -ETXTBSY : 0;
}

/* The lower ->fallocate itself: vfs_fallocate() takes s_writers inside. */
static long dxs_fallocate(struct file *file, int mode, loff_t offset,
			  loff_t len)
{
	struct file *lower = dxs_lower_file(file);
	struct inode *inode = file_inode(file);
	long err;

	file_start_write(lower);
	err = dxs_io_enter(inode);
	if (err)
		goto out;
	err = dxs_may_fallocate(file_inode(lower), mode);
	if (!err)
		err = lower->f_op->fallocate(lower, mode, offset, len);
	dxs_copy_attr(inode);
	dxs_io_leave(inode);
out:
	file_end_write(lower);
	return err;
}

/* Readahead of mappings follows the advice too: it goes by the VMA's file. */
static int dxs_fadvise(struct file *file, loff_t offset, loff_t len,
		       int advice)
{
	struct inode *inode = file_inode(file);
	struct file *lower = dxs_lower_file(file);
	struct dxs_file *df;
	int err;

	err = dxs_io_enter(inode);
	if (err)
		return err;
	err = vfs_fadvise(lower, offset, len, advice);
	df = dxs_mapped_file(file);
	if (!err && df)
		dxs_copy_advice(df->map, lower);
	dxs_io_leave(inode);
	return err;
}

static int dxs_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		      u64 start, u64 len)
{
	struct inode *lower = dxs_lower_inode(inode);
	int err;

	if (!lower->i_op->fiemap)
		return -EOPNOTSUPP;
	err = dxs_io_enter(inode);
	if (err)
		return err;
	err = lower->i_op->fiemap(lower, info, start, len);
	dxs_io_leave(inode);
	return err;
}

/*
 * The stack's inode has no pages of its own. Without ->read_folio and ->bmap
 * there is no swapon, no FIBMAP and no uprobe through it (H16).
 */
const struct address_space_operations dxs_aops = {
	.direct_IO	= noop_direct_IO,	/* O_DIRECT may be opened */
};

const struct file_operations dxs_file_fops = {
	.owner		= THIS_MODULE,
	.open		= dxs_open,
	.release	= dxs_release,
	.read_iter	= dxs_read_iter,
	.write_iter	= dxs_write_iter,
	.iopoll		= dxs_iopoll,
	.splice_read	= dxs_splice_read,
	.splice_write	= dxs_splice_write,
	.llseek		= dxs_llseek,
	.fsync		= dxs_fsync,
	.fallocate	= dxs_fallocate,
	.fadvise	= dxs_fadvise,
	.mmap		= dxs_mmap,
	DXS_FOP_FLAGS,
	.get_unmapped_area = dxs_get_unmapped_area,
	.setlease	= generic_setlease,
	.unlocked_ioctl	= dxs_ioctl,
	.compat_ioctl	= dxs_compat_ioctl,
};

const struct inode_operations dxs_file_iops = {
	.permission	= dxs_permission,
	.getattr	= dxs_getattr,
	.setattr	= dxs_setattr,
	.listxattr	= dxs_listxattr,
	.update_time	= dxs_update_time,
	DXS_ACL_OPS,
	.fiemap		= dxs_fiemap,
	.fileattr_get	= dxs_fileattr_get,
	.fileattr_set	= dxs_fileattr_set,
};
