// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: the file that VMAs hold.
 *
 * A VMA of the stack holds a lower file, so that rmap, truncation and DAX writeback find
 * the VMA in the lower i_mmap. mm calls the operations of that file directly, not through
 * the file that the user opened (msync, MADV_REMOVE, MADV_WILLNEED, remap_file_pages,
 * mremap): so its operations are those of the stack, which enter the gates (H15). Their
 * @file or @map is the lower file.
 */
#include <linux/fadvise.h>

#include <linux/module.h>

#include "entry.h"
#include "copies.h"
#include "gates.h"
#include "lower.h"
#include "marks.h"
#include "vfs.h"

static const struct file_operations dxs_map_fops;

/* The inode of the stack. The path of the stack keeps it: that of the file, or see above.c. */
static struct inode *dxs_map_inode(const struct file *file)
{
	return file->private_data;
}

static const struct file_operations *dxs_native_fops(const struct file *file)
{
	return file_inode(file)->i_fop;
}

/**
 * dxs_copy_advice() - let a lower file read ahead as another one does
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
 * Make the file for VMAs visible, unless another task was first.
 *
 * H39: security modules judge mprotect(2) and remap_file_pages(2) by what they keep of the
 * VMA's file: who opened it, and what that open was granted. The first lower file has that
 * from the open of the user, and does not need it: no call on that file asks them.
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

/* The file for VMAs, opened when an open file is first mapped. */
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
	/* msync reports the errors that fsync would report. */
	map->f_wb_err = lower->f_wb_err;
	dxs_copy_advice(map, lower);
	fops_put(map->f_op);
	__module_get(THIS_MODULE);
	map->f_op = &dxs_map_fops;
	/* H60: the path of a backing file leads to the lower inode. */
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
 * H69: the file that a VMA holds counts as open itself once the file of the user is closed.
 * Its f_pos, which is otherwise unused, records that.
 */
#define DXS_COUNTED	1

/**
 * dxs_close_map() - release the file that VMAs hold when the user's file is closed
 * @file: of the stack
 * @map: its file for VMAs; a reference is consumed
 *
 * Without the stack a mapping keeps the user's file open: no task gets a lease on a file, or
 * executes it, while it is mapped for writing. With the stack a VMA keeps a lower file, which
 * counts in the lower inode, while the VFS checks the counts of the inode of the stack. So
 * the counts of @file are kept for as long as there are VMAs.
 *
 * Context: ->release of @file, which still counts itself.
 */
void dxs_close_map(struct file *file, struct file *map)
{
	struct inode *inode = file_inode(file);

	/* No task can map it any more. */
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

/* Let the lower filesystem set up the VMA for the current mode. */
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
	dxs_heat_mmap(inode);
	gate = &dxs_gates(inode)->fault;
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

	/* As do_mmap(), which checked the copy (H37). */
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
	/* relatime compares the copies (H37). */
	dxs_refresh(file_inode(file), DXS_COPY_TIMES);
	file_accessed(file);
	return dxs_map_gated(map, vma);
}

/* remap_file_pages(2) maps the file of the VMA again. */
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

static int dxs_map_fsync_gated(struct inode *inode, struct file *map,
			       loff_t start, loff_t end, int datasync)
{
	int err = dxs_native_fops(map)->fsync(map, start, end, datasync);

	if (!err)
		dxs_heat_fsync(inode);
	return err;
}

static int dxs_map_fsync(struct file *map, loff_t start, loff_t end,
			 int datasync)
{
	struct inode *inode = dxs_map_inode(map);

	/* H26: the fault gate is held, and the I/O gate comes before it. */
	if (atomic_read(&DXS_I(inode)->sync_maps) && dxs_marked(&dxs_sync_faults))
		return dxs_native_fops(map)->fsync(map, start, end, datasync);
	return dxs_gated(inode, dxs_map_fsync_gated(inode, map, start, end, datasync));
}

static long dxs_map_fallocate_gated(struct inode *inode, struct file *map,
				    int mode, loff_t offset, loff_t len)
{
	long err = dxs_native_fops(map)->fallocate(map, mode, offset, len);

	dxs_copy_attr(inode);
	return err;
}

/* The caller, vfs_fallocate(), holds the lower s_writers. */
static long dxs_map_fallocate(struct file *map, int mode, loff_t offset,
			      loff_t len)
{
	struct inode *inode = dxs_map_inode(map);

	return dxs_gated(inode, dxs_map_fallocate_gated(inode, map, mode, offset, len));
}

static int dxs_map_fadvise_gated(struct file *map, loff_t offset, loff_t len,
				 int advice)
{
	if (dxs_native_fops(map)->fadvise)
		return dxs_native_fops(map)->fadvise(map, offset, len, advice);
	return generic_fadvise(map, offset, len, advice);
}

static int dxs_map_fadvise(struct file *map, loff_t offset, loff_t len,
			   int advice)
{
	return dxs_gated(dxs_map_inode(map),
			 dxs_map_fadvise_gated(map, offset, len, advice));
}

/*
 * H67: the kernel reads the ELF header of a mapped file for its build id (PROCMAP_QUERY,
 * perf, BPF). Sleepable BPF programs do that with the mmap_lock held, which comes after the
 * I/O gate: so the gate is only tried. While a switch has it closed there is no build id.
 */
static ssize_t dxs_map_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *map = iocb->ki_filp;
	struct inode *inode = dxs_map_inode(map);
	ssize_t ret;

	if (!dxs_gate_try_enter(&DXS_I(inode)->gates.io))
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
