// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings: the file that VMAs hold.
 *
 * A VMA of the stack holds a lower file, so that rmap, truncation and DAX
 * writeback find it in the lower i_mmap. mm calls that file's operations on
 * its own, around the file that the user opened (msync, MADV_REMOVE,
 * MADV_WILLNEED, remap_file_pages, mremap): so they are ours, and gated (H15).
 * In all of them @file is the lower file.
 */
#include <linux/fadvise.h>

#include <linux/module.h>

#include "daxstack.h"

static const struct file_operations dxs_map_fops;

/* The stack's inode, which the stack's path keeps: the file's own, or see above.c. */
static struct inode *dxs_map_inode(const struct file *file)
{
	return file->private_data;
}

static const struct file_operations *dxs_native_fops(const struct file *file)
{
	return file_inode(file)->i_fop;
}

/**
 * dxs_copy_advice() - let one lower file read ahead as another does
 * @to: a lower file
 * @from: another one of the same inode
 *
 * Context: any.
 */
void dxs_copy_advice(struct file *to, struct file *from)
{
	spin_lock(&to->f_lock);
	to->f_mode &= ~(FMODE_RANDOM | FMODE_NOREUSE);
	to->f_mode |= from->f_mode & (FMODE_RANDOM | FMODE_NOREUSE);
	to->f_ra.ra_pages = from->f_ra.ra_pages;
	spin_unlock(&to->f_lock);
}

/*
 * The file for VMAs is there, unless another was first.
 *
 * H39: security modules judge mprotect(2) and remap_file_pages(2) by what they
 * keep of the VMA's file: who opened it, and what that open was granted. The
 * first lower file has it from the user's open, and no use for it: nothing that
 * is done with that file asks them.
 */
static bool dxs_publish_map(struct file *file, struct dxs_file *df)
{
	bool first;

	spin_lock(&file->f_lock);
	first = !dxs_mapped_file(file);
	if (first) {
		dxs_swap_labels(df->lower, df->map);
		/* Pairs with the acquire in dxs_mapped_file(). */
		smp_store_release(&file->private_data,
				  (void *)df + DXS_MAPPED);
	}
	spin_unlock(&file->f_lock);
	return first;
}

/* The file for VMAs, made when an open file is mapped for the first time. */
static struct file *dxs_map_file(struct file *file)
{
	struct file *lower = dxs_lower_file(file);
	struct dxs_file *df = dxs_mapped_file(file);
	struct file *map;
	int err;

	if (df)
		return df->map;
	df = dxs_alloc_file();
	if (!df)
		return ERR_PTR(-ENOMEM);
	map = dxs_open_again(file);
	if (IS_ERR(map)) {
		dxs_free_file(df);
		return map;
	}
	err = dxs_hold(map, file);
	if (err) {
		fput(map);
		dxs_free_file(df);
		return ERR_PTR(err);
	}
	/* An error that fsync would report, msync reports as well. */
	map->f_wb_err = lower->f_wb_err;
	dxs_copy_advice(map, lower);
	fops_put(map->f_op);
	__module_get(THIS_MODULE);
	map->f_op = &dxs_map_fops;
	map->private_data = file_inode(file);

	df->lower = lower;
	df->map = map;
	if (!dxs_publish_map(file, df)) {
		fput(map);
		dxs_free_file(df);
		return dxs_mapped_file(file)->map;
	}
	return map;
}

/*
 * H69: the file that a VMA holds counts as open by itself, when the user's file is
 * closed. Its position, which nobody uses, says so.
 */
#define DXS_COUNTED	1

/**
 * dxs_close_map() - the file that VMAs hold, of an open file that is being closed
 * @file: of the stack
 * @map: its file for VMAs; a reference is consumed
 *
 * Without the stack a mapping keeps the user's file open: nobody gets a lease or
 * runs a program that somebody may still write to. Here it keeps a lower file,
 * which counts in the lower inode, while the VFS goes by the counts of the stack's.
 * So what @file counted goes on to be counted for as long as there are VMAs.
 *
 * Context: ->release of @file, which still counts itself.
 */
void dxs_close_map(struct file *file, struct file *map)
{
	struct inode *inode = file_inode(file);

	/* Nobody can map it any more. */
	if (file_count(map) > 1) {
		if (file->f_mode & FMODE_WRITE)
			atomic_inc(&inode->i_writecount);
		else
			i_readcount_inc(inode);
		map->f_pos = DXS_COUNTED;
	}
	dxs_lower_close(map);
}

static void dxs_uncount_map(struct file *map)
{
	struct inode *inode = dxs_map_inode(map);

	if (map->f_pos != DXS_COUNTED)
		return;
	if (map->f_mode & FMODE_WRITE)
		put_write_access(inode);
	else
		i_readcount_dec(inode);
}

/* Lets the lower filesystem set up the VMA for the mode of the moment. */
static int dxs_map_gated(struct file *map, struct vm_area_struct *vma)
{
	struct inode *inode = dxs_map_inode(map);
	unsigned long had = vma->vm_flags;
	struct dxs_gate *gate;
	int err;

	if (!dxs_gates(inode)) {
		err = dxs_make_gates(inode);
		if (err)
			return err;
	}
	gate = &dxs_gates(inode)->fault;
	dxs_gate_use(gate);
	err = dxs_gate_enter(gate);
	if (err)
		return err;
	err = dxs_mmap_lower(dxs_native_fops(map), map, vma);
	if (!err)
		dxs_adopt_vma(inode, vma, had);
	dxs_gate_leave(gate);
	return err;
}

int dxs_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct file *map;
	int err;

	/* As do_mmap(), which went by the copy (H37). */
	if (vma->vm_flags & VM_SHARED && file->f_mode & FMODE_WRITE &&
	    IS_APPEND(dxs_lower_inode(file_inode(file))))
		return -EACCES;
	map = dxs_map_file(file);
	if (IS_ERR(map))
		return PTR_ERR(map);
	vma_set_file(vma, map);
	err = dxs_judge_mmap(vma, map, file);
	if (err)
		return err;
	/* relatime compares copies (H37). */
	dxs_refresh(file_inode(file), DXS_COPY_TIMES);
	file_accessed(file);
	return dxs_map_gated(map, vma);
}

/* remap_file_pages(2) maps the VMA's file anew. */
static int dxs_remap(struct file *map, struct vm_area_struct *vma)
{
	return dxs_map_gated(map, vma);
}

unsigned long dxs_get_unmapped_area(struct file *file, unsigned long addr,
				    unsigned long len, unsigned long pgoff,
				    unsigned long flags)
{
	struct file *lower = dxs_lower_file(file);

	return lower->f_op->get_unmapped_area(lower, addr, len, pgoff, flags);
}

static unsigned long dxs_map_unmapped_area(struct file *map,
					   unsigned long addr,
					   unsigned long len,
					   unsigned long pgoff,
					   unsigned long flags)
{
	return dxs_native_fops(map)->get_unmapped_area(map, addr, len, pgoff,
						       flags);
}

static int dxs_map_fsync(struct file *map, loff_t start, loff_t end,
			 int datasync)
{
	struct inode *inode = dxs_map_inode(map);
	int err;

	/* H26: the fault gate is held, and the I/O gate comes before it. */
	if (atomic_read(&DXS_I(inode)->sync_maps) && dxs_marked(&dxs_sync_faults))
		return dxs_native_fops(map)->fsync(map, start, end, datasync);

	err = dxs_io_enter(inode);
	if (err)
		return err;
	err = dxs_native_fops(map)->fsync(map, start, end, datasync);
	dxs_io_leave(inode);
	return err;
}

/* The caller, vfs_fallocate(), holds the lower s_writers already. */
static long dxs_map_fallocate(struct file *map, int mode, loff_t offset,
			      loff_t len)
{
	struct inode *inode = dxs_map_inode(map);
	long err;

	err = dxs_io_enter(inode);
	if (err)
		return err;
	err = dxs_native_fops(map)->fallocate(map, mode, offset, len);
	dxs_copy_attr(inode);
	dxs_io_leave(inode);
	return err;
}

static int dxs_map_fadvise(struct file *map, loff_t offset, loff_t len,
			   int advice)
{
	struct inode *inode = dxs_map_inode(map);
	int err;

	err = dxs_io_enter(inode);
	if (err)
		return err;
	if (dxs_native_fops(map)->fadvise)
		err = dxs_native_fops(map)->fadvise(map, offset, len, advice);
	else
		err = generic_fadvise(map, offset, len, advice);
	dxs_io_leave(inode);
	return err;
}

/*
 * The kernel reads the ELF header of what is mapped for its build id
 * (PROCMAP_QUERY, perf, BPF). BPF programs that may sleep do that with the mmap_lock
 * held, which comes after the I/O gate: so this only tries. While a switch has the
 * gate shut there is no build id.
 */
static ssize_t dxs_map_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *map = iocb->ki_filp;
	struct inode *inode = dxs_map_inode(map);
	struct dxs_gates *gates = dxs_gates(inode);
	ssize_t ret;

	if (!gates || !dxs_gate_try_enter(&gates->io))
		return -EAGAIN;
	ret = dxs_native_fops(map)->read_iter(iocb, to);
	dxs_io_leave(inode);
	return ret;
}

static int dxs_map_release(struct inode *lower, struct file *map)
{
	int err = 0;

	dxs_uncount_map(map);
	if (lower->i_fop->release)
		err = lower->i_fop->release(lower, map);
	dxs_unhold(map);
	return err;
}

static const struct file_operations dxs_map_fops = {
	.owner		= THIS_MODULE,
	.release	= dxs_map_release,
	.read_iter	= dxs_map_read_iter,
	.mmap		= dxs_remap,
	DXS_FOP_FLAGS,
	.get_unmapped_area = dxs_map_unmapped_area,
	.fsync		= dxs_map_fsync,
	.fallocate	= dxs_map_fallocate,
	.fadvise	= dxs_map_fadvise,
};
