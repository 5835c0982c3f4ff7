// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open regular files: every data call enters the I/O gate and is then passed to the lower
 * filesystem.
 */
#include <linux/fs.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include <linux/module.h>

#include "entry.h"
#include "copies.h"
#include "gates.h"
#include "lower.h"
#include "marks.h"
#include "vfs.h"

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
	dxs_close_lower(file);
	if (df)
		dxs_free_file(df);
	return 0;
}

/* Flags of the caller that apply to the lower call as well. */
#define DXS_IOCB_PASSED	(IOCB_APPEND | IOCB_DIRECT | IOCB_DSYNC | IOCB_SYNC | \
			 IOCB_NOWAIT | IOCB_NOIO | IOCB_WRITE | \
			 IOCB_DONTCACHE | IOCB_ATOMIC)

/*
 * Flags that dax mode cannot honour: it has no page cache to bypass, and the lower
 * filesystem writes in pieces what should be written at once.
 */
#define DXS_IOCB_CACHED	(IOCB_DONTCACHE | IOCB_ATOMIC)

/* ... and of DXS_IOCB_PASSED those that need no check here. */
#define DXS_IOCB_PLAIN	(DXS_IOCB_PASSED & ~(IOCB_NOWAIT | DXS_IOCB_CACHED))

/*
 * H75: may the lower filesystem use the iocb of the caller for its call, with ->ki_filp
 * replaced during the call? Only a synchronous one: no other task has it, nothing uses it
 * after the call, and everything in it applies to the lower call. The lower filesystem
 * keeps an asynchronous iocb, and completes it after the stack has restored ->ki_filp: by
 * the wrong inode.
 */
static __always_inline bool dxs_lend_iocb(struct kiocb *iocb)
{
	return is_sync_kiocb(iocb) && !(iocb->ki_flags & ~DXS_IOCB_PLAIN);
}

/*
 * Otherwise the lower call gets an iocb of its own, a synchronous one: pmem finishes I/O
 * before it returns, so that an asynchronous call would gain nothing and need memory that
 * outlives the call. To an asynchronous caller the call was completed at once.
 */
static struct kiocb dxs_lower_iocb(const struct kiocb *iocb)
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
	int err = 0;

	if (!(iocb->ki_flags & IOCB_NOWAIT))
		err = dxs_io_enter(inode);
	else if (!dxs_gate_try_enter(&DXS_I(inode)->gates.io))
		err = -EAGAIN;
	/* The VFS has checked the inode of the stack, which is never in dax mode. */
	if (!err && iocb->ki_flags & DXS_IOCB_CACHED &&
	    dxs_mode(inode) == DAXSTACK_DAX) {
		dxs_io_leave(inode);
		err = -EOPNOTSUPP;
	}
	return err;
}

/*
 * Update the atime after a read, by the options of the stack's mount: see
 * dxs_lower_flags(). touch_atime() compares the copies (H37).
 */
static void dxs_touch_atime(struct file *file)
{
	if (file->f_flags & O_NOATIME ||
	    READ_ONCE(file->f_path.mnt->mnt_flags) & MNT_NOATIME)
		return;
	dxs_refresh(file_inode(file), DXS_COPY_TIMES | DXS_COPY_REST);
	file_accessed(file);
}

/*
 * The lower filesystems update the atime once they have begun to read, even if there was
 * nothing at @pos, the buffer was bad (EFAULT), or direct I/O was not aligned (EINVAL). The
 * page cache first checks whether there can be anything.
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
	dxs_touch_atime(file);
}

/* Racing, as the VFS itself reads them. */
static __always_inline bool dxs_older(struct timespec64 a, struct timespec64 b)
{
	return likely(a.tv_sec < b.tv_sec) ||
		(a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/*
 * Would touch_atime() leave the atime alone, because of relatime? The cheapest check: by the
 * times of the lower inode itself, whatever the copies are. The clock of touch_atime() may
 * be ahead by less than a second. If this says no, touch_atime() decides.
 */
static __always_inline bool dxs_atime_stands(const struct file *file,
					     const struct inode *lower)
{
	const struct timespec64 atime = dxs_racing(inode_get_atime(lower));

	return READ_ONCE(file->f_path.mnt->mnt_flags) & MNT_RELATIME &&
		dxs_older(dxs_racing(inode_get_mtime(lower)), atime) &&
		dxs_older(dxs_racing(inode_get_ctime(lower)), atime) &&
		ktime_get_real_seconds() - atime.tv_sec < 24 * 60 * 60 - 1;
}

static noinline ssize_t dxs_read_apart(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct kiocb lower = dxs_lower_iocb(iocb);
	bool empty = !iov_iter_count(to);
	loff_t pos = iocb->ki_pos;
	ssize_t ret;

	ret = dxs_flagged_enter(inode, iocb);
	if (ret)
		return ret;
	ret = lower.ki_filp->f_op->read_iter(&lower, to);
	iocb->ki_pos = lower.ki_pos;
	dxs_heat_read(inode, iocb->ki_pos, ret);
	dxs_refresh(inode, DXS_COPY_SIZE);
	if (!empty)
		dxs_accessed(iocb->ki_filp, pos, ret);
	dxs_io_leave(inode);
	return ret;
}

/* If nothing was read, ->ki_pos has not changed. */
static noinline ssize_t dxs_read_end(struct kiocb *iocb, ssize_t ret)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	dxs_refresh(inode, DXS_COPY_SIZE);
	dxs_accessed(iocb->ki_filp, iocb->ki_pos, ret);
	dxs_io_leave(inode);
	return ret;
}

/*
 * Every instruction of a read or a write counts (docs/performance.md). The common path is
 * inline; rare cases are out of line and called last, so that the compiler saves no
 * registers around the calls.
 */
static ssize_t dxs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	struct dxs_inode *di = DXS_I(inode);
	struct file *lower;
	ssize_t ret;

	if (unlikely(!dxs_lend_iocb(iocb) || !iov_iter_count(to) ||
		     !dxs_gate_enter_open(&di->gates.io)))
		return dxs_read_apart(iocb, to);
	lower = dxs_lower_file(file);
	iocb->ki_filp = lower;
	ret = lower->f_op->read_iter(iocb, to);
	iocb->ki_filp = file;
	ret = dxs_heat_read(inode, iocb->ki_pos, ret);
	if (unlikely(ret <= 0 || !dxs_copies_fresh(inode, DXS_COPY_SIZE) ||
		     !dxs_atime_stands(file, di->lower)))
		return dxs_read_end(iocb, ret);
	if (unlikely(!dxs_gate_left(&di->gates.io)))
		return dxs_gate_leave_slow_with(&di->gates.io, ret);
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
	ret = dxs_splice_read_lower(file, pos, pipe, len, flags);
	dxs_heat_read(inode, *pos, ret);
	dxs_refresh(inode, DXS_COPY_SIZE);
	if (len)
		dxs_accessed(file, from, ret);
	dxs_io_leave(inode);
	return ret;
}

/* The lower s_writers are held. */
static ssize_t dxs_write_gated(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct kiocb lower = dxs_lower_iocb(iocb);
	ssize_t ret;

	ret = dxs_flagged_enter(inode, iocb);
	if (ret)
		return ret;
	ret = lower.ki_filp->f_op->write_iter(&lower, from);
	iocb->ki_pos = lower.ki_pos;
	dxs_heat_write(iocb, inode, ret);
	dxs_refresh_written(inode);
	dxs_io_leave(inode);
	return ret;
}

static struct dxs_marks dxs_splicers = {
	.lock = __SPIN_LOCK_UNLOCKED(dxs_splicers.lock),
	.list = LIST_HEAD_INIT(dxs_splicers.list),
};

static noinline ssize_t dxs_write_apart(struct kiocb *iocb,
					struct iov_iter *from)
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

/* The gate is closed. */
static noinline ssize_t dxs_write_wait(struct kiocb *iocb,
				       struct iov_iter *from)
{
	struct super_block *lower_sb =
		dxs_lower_inode(file_inode(iocb->ki_filp))->i_sb;
	ssize_t ret;

	ret = dxs_write_gated(iocb, from);
	sb_end_write(lower_sb);
	return ret;
}

/* A switch waits at the gate. Preemption is disabled, and enabled here. */
static noinline ssize_t dxs_write_left(struct kiocb *iocb, ssize_t ret)
{
	struct dxs_inode *di = DXS_I(file_inode(iocb->ki_filp));

	dxs_gate_leave_slow(&di->gates.io);
	sb_end_write(di->lower->i_sb);
	return ret;
}

/* The file has grown. */
static noinline ssize_t dxs_write_end(struct kiocb *iocb, ssize_t ret)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	dxs_copy_attr(inode);
	dxs_io_leave(inode);
	sb_end_write(dxs_lower_inode(inode)->i_sb);
	return ret;
}

/*
 * sb_start_write(), if that need not wait. sb_start_write() checks whether the caller may
 * sleep, which takes instructions; with lockdep it is called, so that lockdep sees it.
 */
static __always_inline bool dxs_start_write_thawed(struct super_block *sb)
{
	if (!IS_ENABLED(CONFIG_LOCKDEP))
		return sb_start_write_trylock(sb);
	sb_start_write(sb);
	return true;
}

static ssize_t dxs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	struct dxs_inode *di = DXS_I(inode);
	struct super_block *lower_sb = di->lower->i_sb;
	struct file *lower;
	ssize_t ret;

	if (unlikely(!dxs_lend_iocb(iocb) || atomic_read(&di->splices) ||
		     !dxs_start_write_thawed(lower_sb)))
		return dxs_write_apart(iocb, from);
	if (unlikely(!dxs_gate_enter_open(&di->gates.io)))
		return dxs_write_wait(iocb, from);
	lower = dxs_lower_file(file);
	iocb->ki_filp = lower;
	ret = lower->f_op->write_iter(iocb, from);
	iocb->ki_filp = file;
	ret = dxs_heat_write(iocb, inode, ret);
	if (unlikely(!dxs_copies_fresh_written(inode)))
		return dxs_write_end(iocb, ret);
	if (unlikely(!dxs_gate_left(&di->gates.io)))
		return dxs_write_left(iocb, ret);
	sb_end_write(lower_sb);
	return ret;
}

/*
 * H35: the lower s_writers come before the lock of the pipe, as in a splice into the lower
 * filesystem itself: in the other order a splice, a write and a freeze wait for each other.
 * The I/O gate comes after the pipe lock, with each write: a splice waits for data that
 * other tasks put into the pipe.
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

/* Polled I/O: it was completed when it was submitted, see dxs_lower_iocb(). */
static int dxs_iopoll(struct kiocb *iocb, struct io_comp_batch *batch,
		      unsigned int flags)
{
	return 0;
}

static loff_t dxs_llseek_gated(struct inode *inode, struct file *file,
			       loff_t offset, int whence)
{
	struct file *lower = dxs_lower_file(file);
	loff_t pos;

	lower->f_pos = file->f_pos;
	pos = vfs_llseek(lower, offset, whence);
	file->f_pos = lower->f_pos;
	dxs_refresh(inode, DXS_COPY_ALL);
	return pos;
}

static loff_t dxs_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);

	return dxs_gated(inode, dxs_llseek_gated(inode, file, offset, whence));
}

static int dxs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err;

	err = dxs_io_enter(inode);
	if (err)
		return err;
	err = vfs_fsync_range(dxs_lower_file(file), start, end, datasync);
	if (!err)
		dxs_heat_fsync(inode);
	/* Delayed allocations have become blocks. */
	dxs_refresh(inode, DXS_COPY_ALL);
	dxs_io_leave(inode);
	return err;
}

/* Repeats on the lower inode the checks that vfs_fallocate() made on the copies (H37). */
static int dxs_may_fallocate(const struct inode *lower, int mode)
{
	if (IS_IMMUTABLE(lower) ||
	    (IS_APPEND(lower) && mode & ~FALLOC_FL_KEEP_SIZE))
		return -EPERM;
	return IS_SWAPFILE(lower) ? -ETXTBSY : 0;
}

/* The lower ->fallocate directly: vfs_fallocate() would take s_writers inside the gate. */
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

/* Faults read ahead as the VMA's file says: copy the advice to it. */
static int dxs_fadvise_gated(struct file *file, loff_t offset, loff_t len, int advice)
{
	struct file *lower = dxs_lower_file(file);
	int err = vfs_fadvise(lower, offset, len, advice);
	struct dxs_file *df = dxs_mapped_file(file);

	if (!err && df)
		dxs_copy_advice(df->map, lower);
	return err;
}

static int dxs_fadvise(struct file *file, loff_t offset, loff_t len, int advice)
{
	return dxs_gated(file_inode(file), dxs_fadvise_gated(file, offset, len, advice));
}

static int dxs_fiemap(struct inode *inode, struct fiemap_extent_info *info,
		      u64 start, u64 len)
{
	struct inode *lower = dxs_lower_inode(inode);

	if (!lower->i_op->fiemap)
		return -EOPNOTSUPP;
	return dxs_gated(inode, lower->i_op->fiemap(lower, info, start, len));
}

/*
 * The inode of the stack has no pages of its own. Without ->read_folio and ->bmap there is
 * no swapon, no FIBMAP and no uprobe through it (H16).
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
