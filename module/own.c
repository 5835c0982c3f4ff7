// SPDX-License-Identifier: GPL-2.0-only
/*
 * Own lower files: open files of the lower filesystem that the stack allocates and
 * opens itself, without the VFS.
 *
 * Only the lower filesystem's operations, called by the stack, see the lower file of
 * an open regular file, so it needs only the fields that they use. Everything else
 * about a VFS file would cost more than the rest of the stack's open: its memory,
 * labels of security modules (which are not asked about this file, H39), events,
 * locks, and deferred freeing.
 *
 * The steps of do_dentry_open() and __fput() that matter to others are repeated here
 * (H80): lower writers and readers are counted, leases are broken, and write access
 * is taken on the lower mount so that it does not become read-only. The VFS drops
 * huge folios that khugepaged made of a file without writers; if there are any, the
 * VFS has to open the file.
 *
 * No task takes a reference to an own lower file: it lives as long as the user's
 * file, whose ->release frees it. VMAs hold another file, which the VFS opened
 * (map.c).
 */
#include <linux/cred.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "lower.h"

static struct kmem_cache *dxs_own_cachep;

/* Slab constructor: fields that keep their value when a file is freed. */
static void dxs_own_once(void *data)
{
	struct file *file = data;

	memset(file, 0, sizeof(*file));
	spin_lock_init(&file->f_lock);
	mutex_init(&file->f_pos_lock);
	dxs_file_count_init(file);
}

int __init dxs_init_own(void)
{
	dxs_own_cachep = kmem_cache_create("dxs_own_file", sizeof(struct file),
					   0, SLAB_ACCOUNT, dxs_own_once);
	return dxs_own_cachep ? 0 : -ENOMEM;
}

void dxs_destroy_own(void)
{
	kmem_cache_destroy(dxs_own_cachep);
}

/**
 * dxs_is_own() - is a lower file an own one?
 * @lower: of an open regular file of the stack
 *
 * Lower files opened by the VFS have FMODE_NOACCOUNT.
 */
bool dxs_is_own(const struct file *lower)
{
	return !(lower->f_mode & FMODE_NOACCOUNT);
}

/* Counts readers and writers of the inode as do_dentry_open() does. */
static int dxs_own_count(struct file *file)
{
	struct inode *inode = file->f_inode;
	int err;

	if (!(file->f_mode & FMODE_WRITE)) {
		if (file->f_mode & FMODE_READ)
			i_readcount_inc(inode);
		return 0;
	}
	err = get_write_access(inode);
	if (err)
		return err;
	err = dxs_mnt_get_write(file->f_path.mnt);
	if (err) {
		put_write_access(inode);
		return err;
	}
	file->f_mode |= FMODE_WRITER;
	return 0;
}

static void dxs_own_uncount(struct file *file)
{
	if (file->f_mode & FMODE_WRITER) {
		put_write_access(file->f_inode);
		dxs_mnt_put_write(file->f_path.mnt);
	} else if (file->f_mode & FMODE_READ) {
		i_readcount_dec(file->f_inode);
	}
}

static void dxs_own_init(struct file *file, int flags, const struct path *path,
			 struct inode *inode, const struct cred *cred)
{
	file->f_flags = flags;
	file->f_mode = OPEN_FMODE(flags) | FMODE_NONOTIFY | FMODE_ATOMIC_POS |
		FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
	dxs_file_set_path(file, path);
	file->f_inode = inode;
	file->f_mapping = inode->i_mapping;
	file->f_op = inode->i_fop;
	file->f_cred = cred;
	file->f_pos = 0;
	file->private_data = NULL;
	file->f_wb_err = filemap_sample_wb_err(file->f_mapping);
	file->f_sb_err = file_sample_sb_err(file);
	file->f_ra = (struct file_ra_state){};
	file_ra_state_init(&file->f_ra, file->f_mapping);
}

/* Sets the modes that depend on ->open, as do_dentry_open() does. */
static int dxs_own_opened(struct file *file)
{
	const struct file_operations *fops = file->f_op;
	const struct address_space_operations *aops;

	file->f_mode |= FMODE_OPENED;
	if (file->f_mode & FMODE_READ && fops->read_iter)
		file->f_mode |= FMODE_CAN_READ;
	if (file->f_mode & FMODE_WRITE && fops->write_iter)
		file->f_mode |= FMODE_CAN_WRITE;
	aops = READ_ONCE(file->f_mapping->a_ops);
	if (aops->direct_IO)
		file->f_mode |= FMODE_CAN_ODIRECT;
	file->f_iocb_flags = iocb_flags(file);
	return file->f_flags & O_DIRECT && !(file->f_mode & FMODE_CAN_ODIRECT) ?
		-EINVAL : 0;
}

/*
 * Must the VFS open the file? It must if khugepaged has made huge folios of the file,
 * which the VFS drops. The writer is counted already, so khugepaged makes no more of
 * them.
 */
static bool dxs_own_is_hard(const struct file *file)
{
#ifdef DXS_HAVE_READ_ONLY_THP
	if (file->f_mode & FMODE_WRITE) {
		/* Pairs with smp_mb() in collapse_file(). */
		smp_mb();
		return filemap_nr_thps(file->f_mapping);
	}
#endif
	return false;
}

static int dxs_own_lower_open(struct file *file)
{
	struct inode *inode = file->f_inode;
	int err;

	err = break_lease(inode, file->f_flags);
	if (err || !file->f_op->open)
		return err;
	err = file->f_op->open(inode, file);
	if (err)
		return err;
	err = dxs_own_opened(file);
	if (err && file->f_op->release)
		file->f_op->release(inode, file);
	return err;
}

/**
 * dxs_own_open() - open an own lower file
 * @flags: as for open(2)
 * @path: path of the file; on Linux 6.1 the stack's
 * @inode: the lower inode, a regular file
 * @cred: credentials of the file, which outlive it
 *
 * Context: sleeps.
 * Return: the file, to be closed with dxs_own_close(); NULL if the VFS has to open
 * it; or an ERR_PTR.
 */
struct file *dxs_own_open(int flags, const struct path *path,
			  struct inode *inode, const struct cred *cred)
{
	struct file *file = kmem_cache_alloc(dxs_own_cachep, GFP_KERNEL);
	int err;

	if (!file)
		return ERR_PTR(-ENOMEM);
	dxs_own_init(file, flags, path, inode, cred);
	err = dxs_own_count(file);
	if (err)
		goto free;
	if (dxs_own_is_hard(file)) {
		dxs_own_uncount(file);
		kmem_cache_free(dxs_own_cachep, file);
		return NULL;
	}
	err = dxs_own_lower_open(file);
	if (err)
		goto uncount;
	dget(path->dentry);
	return file;

uncount:
	dxs_own_uncount(file);
free:
	kmem_cache_free(dxs_own_cachep, file);
	return ERR_PTR(err);
}

/**
 * dxs_own_close() - close an own lower file
 * @file: from dxs_own_open()
 *
 * Context: ->release of the user's file; sleeps.
 */
void dxs_own_close(struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;

	/* A reference was taken to a file that is about to be freed. */
	WARN_ON_ONCE(file_count(file) != 1);
	if (file->f_op->release)
		file->f_op->release(file->f_inode, file);
	dxs_own_uncount(file);
	kmem_cache_free(dxs_own_cachep, file);
	dput(dentry);
}
