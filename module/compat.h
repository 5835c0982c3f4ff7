/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compatibility: interfaces of older kernels under their newest names.
 *
 * The module is written for the newest kernel that it supports. This header gives
 * older kernels the newer names, types and signatures. Bridges that need code are in
 * compat_*.c, by subject, and are declared at the end of this header.
 *
 * have.h says which interfaces the headers of this kernel have (probe.sh). The kernel
 * version is tested only for behaviour that no header shows.
 */
#ifndef DXS_COMPAT_H
#define DXS_COMPAT_H

#include "have.h"

#include <linux/exportfs.h>
#include <linux/fileattr.h>
#ifdef DXS_HAVE_FILELOCK_H
#include <linux/filelock.h>
#endif
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/posix_acl.h>
#include <linux/quota.h>
#include <linux/slab.h>
#include <linux/uuid.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "daxstack needs Linux 6.1 or a later kernel"
#endif

/* --- Mounts: identity mappings. */

#ifndef DXS_HAVE_MNT_IDMAP
#define mnt_idmap	user_namespace
#define nop_mnt_idmap	init_user_ns
#define file_mnt_idmap	file_mnt_user_ns
#endif

/* --- Attributes. */

#ifndef FS_XFLAG_VERITY
#define FS_XFLAG_VERITY	0
#endif

#ifndef DXS_HAVE_FILE_KATTR
#define file_kattr	fileattr
#endif

#ifndef DXS_HAVE_INODE_CTIME_ACCESSORS
static inline struct timespec64 inode_get_ctime(const struct inode *inode)
{
	return inode->i_ctime;
}

static inline struct timespec64 inode_set_ctime_to_ts(struct inode *inode,
						      struct timespec64 ts)
{
	inode->i_ctime = ts;
	return ts;
}
#endif

#ifndef DXS_HAVE_INODE_TIME_ACCESSORS
static inline struct timespec64 inode_get_atime(const struct inode *inode)
{
	return inode->i_atime;
}

static inline struct timespec64 inode_get_mtime(const struct inode *inode)
{
	return inode->i_mtime;
}

static inline struct timespec64 inode_set_atime_to_ts(struct inode *inode,
						      struct timespec64 ts)
{
	inode->i_atime = ts;
	return ts;
}

static inline struct timespec64 inode_set_mtime_to_ts(struct inode *inode,
						      struct timespec64 ts)
{
	inode->i_mtime = ts;
	return ts;
}
#endif

/* ->update_time: its parameters, and how to pass them on. */
#if defined(DXS_HAVE_UPDATE_TIME_TYPE)
#define DXS_UPDATE_TIME_ARGS	struct inode *inode, \
				enum fs_update_time type, unsigned int flags
#define DXS_UPDATE_TIME_PASS(inode)	inode, type, flags
#elif defined(DXS_HAVE_UPDATE_TIME_WITHOUT_TIME)
#define DXS_UPDATE_TIME_ARGS	struct inode *inode, int flags
#define DXS_UPDATE_TIME_PASS(inode)	inode, flags
#else
#define DXS_UPDATE_TIME_ARGS	struct inode *inode, struct timespec64 *now, \
				int flags
#define DXS_UPDATE_TIME_PASS(inode)	inode, now, flags
#endif

#ifndef DXS_HAVE_CONST_XATTR_HANDLERS
#define DXS_XATTR_HANDLERS	const struct xattr_handler *
#else
#define DXS_XATTR_HANDLERS	const struct xattr_handler * const
#endif

/* --- Inode state. The functions without _once need i_lock. */

#ifndef DXS_HAVE_INODE_STATE_READ
static inline unsigned long inode_state_read_once(const struct inode *inode)
{
	return READ_ONCE(inode->i_state);
}

static inline unsigned long inode_state_read(const struct inode *inode)
{
	return inode->i_state;
}

static inline void inode_state_set(struct inode *inode, unsigned long flags)
{
	WRITE_ONCE(inode->i_state, inode->i_state | flags);
}

static inline void inode_state_clear(struct inode *inode, unsigned long flags)
{
	WRITE_ONCE(inode->i_state, inode->i_state & ~flags);
}
#endif

#ifndef DXS_HAVE_INODE_JUST_DROP
#define inode_just_drop	generic_delete_inode
#endif

/* --- Superblocks. */

#if !defined(DXS_HAVE_FREEZE_HOLDER)
#define FREEZE_HOLDER_KERNEL	0
#define FREEZE_MAY_NEST		0
#define freeze_super(sb, who, owner)	freeze_super(sb)
#define thaw_super(sb, who, owner)	thaw_super(sb)
#elif !defined(DXS_HAVE_FREEZE_OWNER)
#define freeze_super(sb, who, owner)	freeze_super(sb, who)
#define thaw_super(sb, who, owner)	thaw_super(sb, who)
#endif

#ifndef DXS_HAVE_SUPER_SET_UUID
static inline void super_set_uuid(struct super_block *sb, const u8 *uuid,
				  unsigned int len)
{
	import_uuid(&sb->s_uuid, uuid);
}

#define super_uuid_len(sb)	sizeof((sb)->s_uuid)
#else
#define super_uuid_len(sb)	((sb)->s_uuid_len)
#endif

#ifndef DXS_HAVE_SET_DEFAULT_D_OP
static inline void set_default_d_op(struct super_block *sb,
				    const struct dentry_operations *ops)
{
	sb->s_d_op = ops;
}
#endif

#ifndef DXS_HAVE_PARSE_FS_STRING_WITHOUT_LENGTH
static inline int dxs_parse_fs_string(struct fs_context *fc, const char *key,
				      const char *value)
{
	return vfs_parse_fs_string(fc, key, value, value ? strlen(value) : 0);
}

#define vfs_parse_fs_string	dxs_parse_fs_string
#endif

#ifndef DXS_HAVE_FC_MOUNT_LONGTERM
struct vfsmount *fc_mount_longterm(struct fs_context *fc); /* compat_super.c */
#endif

/* --- Names. */

#ifndef DXS_HAVE_LOOKUP_NOPERM
static inline struct dentry *lookup_noperm(struct qstr *name,
					   struct dentry *base)
{
	return lookup_one_len(name->name, base, name->len);
}

static inline struct dentry *lookup_noperm_unlocked(struct qstr *name,
						    struct dentry *base)
{
	return lookup_one_len_unlocked(name->name, base, name->len);
}
#endif

#ifndef DXS_HAVE_DELEGATED_INODE
struct delegated_inode {
	struct inode *di_inode;
};

static inline bool is_delegated(const struct delegated_inode *di)
{
	return di->di_inode;
}

#define try_break_deleg(inode, flags, di)	\
	try_break_deleg(inode, &(di)->di_inode)
#define break_deleg_wait(di)	break_deleg_wait(&(di)->di_inode)
#define vfs_mknod(idmap, dir, dentry, mode, dev, di)	\
	vfs_mknod(idmap, dir, dentry, mode, dev)
#define vfs_symlink(idmap, dir, dentry, target, di)	\
	vfs_symlink(idmap, dir, dentry, target)
#define vfs_rmdir(idmap, dir, dentry, di)	vfs_rmdir(idmap, dir, dentry)
static inline int dxs_vfs_create(struct mnt_idmap *idmap,
				 struct dentry *dentry, umode_t mode,
				 struct delegated_inode *di)
{
	return vfs_create(idmap, d_inode(dentry->d_parent), dentry, mode, true);
}

#define vfs_create	dxs_vfs_create
#endif

/*
 * Returns the new directory's dentry, or an ERR_PTR after putting @dentry. @dir stays
 * locked; if the kernel unlocks it after an error, it is locked again.
 */
#if !defined(DXS_HAVE_MKDIR_DENTRY)
static inline struct dentry *dxs_vfs_mkdir(struct mnt_idmap *idmap,
					   struct inode *dir,
					   struct dentry *dentry, umode_t mode)
{
	int err = vfs_mkdir(idmap, dir, dentry, mode);

	if (!err)
		return dentry;
	dput(dentry);
	return ERR_PTR(err);
}

#define vfs_mkdir(idmap, dir, dentry, mode, di)	\
	dxs_vfs_mkdir(idmap, dir, dentry, mode)

/* ->mkdir */
#define DXS_MKDIR_RESULT	int
#define DXS_MKDIR_RETURN(alias)	dxs_made(alias)
#else
#if !defined(DXS_HAVE_DELEGATED_INODE)
#define vfs_mkdir(idmap, dir, dentry, mode, di)	\
	vfs_mkdir(idmap, dir, dentry, mode)
#elif defined(DXS_HAVE_END_DIROP)
static inline struct dentry *dxs_vfs_mkdir(struct mnt_idmap *idmap,
					   struct inode *dir,
					   struct dentry *dentry, umode_t mode)
{
	dentry = vfs_mkdir(idmap, dir, dentry, mode, NULL);
	if (IS_ERR(dentry))
		inode_lock_nested(dir, I_MUTEX_PARENT);
	return dentry;
}

#define vfs_mkdir(idmap, dir, dentry, mode, di)	\
	dxs_vfs_mkdir(idmap, dir, dentry, mode)
#endif
#define DXS_MKDIR_RESULT	struct dentry *
#define DXS_MKDIR_RETURN(alias)	(alias)
#endif

/* ->create */
#ifdef DXS_HAVE_CREATE_WITHOUT_EXCL
#define DXS_CREATE_ARGS	struct mnt_idmap *idmap, struct inode *dir, \
			struct dentry *dentry, umode_t mode
#else
#define DXS_CREATE_ARGS	struct mnt_idmap *idmap, struct inode *dir, \
			struct dentry *dentry, umode_t mode, bool excl
#endif

/* ->d_revalidate */
#ifdef DXS_HAVE_D_REVALIDATE_NAME
#define DXS_REVALIDATE_ARGS	struct inode *dir, const struct qstr *name, \
				struct dentry *dentry, unsigned int flags
#else
#define DXS_REVALIDATE_ARGS	struct dentry *dentry, unsigned int flags
#endif

/*
 * ->d_real: later kernels treat a filesystem that has it as overlayfs, and do not
 * need it for others.
 */
#ifdef DXS_HAVE_D_REAL_TYPE
#define DXS_D_REAL_OP
#else
#define DXS_D_REAL_OP	.d_real = dxs_d_real,
#endif

/* Iterates over the dentries of an inode. Context: i_lock is held. */
#ifndef DXS_HAVE_FOR_EACH_ALIAS
#define for_each_alias(dentry, inode) \
	hlist_for_each_entry(dentry, &(inode)->i_dentry, d_u.d_alias)
#endif

/*
 * File handles with a 32-bit inode number and a generation: overlayfs recognizes by
 * this function that the upper bits of inode numbers are free.
 */
#ifdef DXS_HAVE_GENERIC_ENCODE_INO32
#define DXS_ENCODES_INO32(ops)	((ops)->encode_fh == generic_encode_ino32_fh)
#else
#define generic_encode_ino32_fh	NULL
#define DXS_ENCODES_INO32(ops)	false
#endif

#ifndef DXS_HAVE_ENCODE_INODE_FH_FLAGS
#define exportfs_encode_inode_fh(inode, fid, max_len, parent, flags)	\
	exportfs_encode_inode_fh(inode, fid, max_len, parent)
#endif

/* --- POSIX ACLs: by dentry for the VFS, by inode for nfsd. */

#ifndef DXS_HAVE_GET_INODE_ACL
#define get_inode_acl	get_acl
#endif

#ifdef DXS_HAVE_VFS_SET_ACL
#define DXS_ACL_OPS	\
	.get_inode_acl	= dxs_get_inode_acl,	\
	.get_acl	= dxs_get_acl,	\
	.set_acl	= dxs_set_acl
#else
#define DXS_ACL_OPS	\
	.get_acl	= dxs_get_inode_acl,	\
	.set_acl	= dxs_set_inode_acl

#define set_posix_acl(idmap, dentry, type, acl)	\
	set_posix_acl(idmap, d_inode(dentry), type, acl)
#endif

/* --- Open files. */

#ifndef DXS_HAVE_KERNEL_TMPFILE_OPEN
#define kernel_tmpfile_open	vfs_tmpfile_open
#endif

#ifndef DXS_HAVE_FOP_DONTCACHE
#define FOP_DONTCACHE	0
#endif

#ifdef DXS_HAVE_FOP_FLAGS
#define DXS_FOP_FLAGS	.fop_flags = FOP_MMAP_SYNC | FOP_DONTCACHE
#else
#define DXS_FOP_FLAGS	.mmap_supported_flags = MAP_SYNC
#endif

#ifndef IOCB_ATOMIC
#define IOCB_ATOMIC	0
#endif

#ifndef IOCB_DONTCACHE
#define IOCB_DONTCACHE	0
#endif

#ifndef DXS_HAVE_FMODE_CAN_ATOMIC_WRITE
#define FMODE_CAN_ATOMIC_WRITE	0

#endif

#ifndef DXS_HAVE_FMODE_NOREUSE
#define FMODE_NOREUSE	0
#endif

/* --- Memory. */

#ifndef kmalloc_obj
#define kmalloc_obj(object, gfp)	kmalloc(sizeof(object), gfp)
#define kzalloc_obj(object, gfp)	kzalloc(sizeof(object), gfp)
#endif

#ifdef DXS_HAVE_FOLIO_BATCH_H
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

#ifndef DXS_HAVE_VM_FLAGS_SET
static inline void vm_flags_init(struct vm_area_struct *vma,
				 unsigned long flags)
{
	vma->vm_flags = flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma,
				  unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#ifndef DXS_HAVE_HUGE_FAULT_ORDER
#define DXS_FAULT_SIZE	enum page_entry_size
#else
#define DXS_FAULT_SIZE	unsigned int
#endif

#ifdef DXS_HAVE_PAGE_MAPCOUNT
/* Only used if no folio is large. */
#define folio_mapcount(folio)	page_mapcount(&(folio)->page)
#endif

/*
 * Should VMAs of files in dax mode have no ->map_pages? In dax mode it maps nothing,
 * and without it the kernel skips the preparations for the call. But on kernels with
 * VMA locks, a fault without ->map_pages cannot be served under the VMA lock and is
 * repeated under the mmap_lock (vmf_can_call_fault()), so there ->map_pages is kept.
 */
#ifdef DXS_HAVE_VMA_LOCK
#define DXS_NO_MAP_PAGES_IN_DAX	false
#else
#define DXS_NO_MAP_PAGES_IN_DAX	true
#endif

/* Up to 6.2 dax_insert_entry() marks the entry as dirty for read faults, too. */
#define DXS_LOADS_DIRTY_DAX	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0))

#ifndef DXS_HAVE_VMA_LOCK
static inline void vma_start_write(struct vm_area_struct *vma)
{
}
#endif

#ifndef DXS_HAVE_RELEASE_FAULT_LOCK
static inline void release_fault_lock(struct vm_fault *vmf)
{
	mmap_read_unlock(vmf->vma->vm_mm);
}
#endif

/* --- Lower files: see compat_file.c. */

/**
 * dxs_lower_close() - close the lower file of a file of the stack
 * @lower: the reference is consumed
 *
 * If this is the last reference, the file is closed before this returns: the task is
 * in ->release of the stack's file and can close the lower file as well. Linux 6.1
 * allows that to kernel threads only; there the lower file is closed on the way back
 * to user mode, where close(2) also closes the stack's file.
 *
 * Context: ->release; sleeps.
 */
static inline void dxs_lower_close(struct file *lower)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	__fput_sync(lower);
#else
	fput(lower);
#endif
}

/**
 * dxs_may_have_lower() - can an open file of the stack have lower files?
 * @file: being opened
 *
 * On Linux 6.1 a filesystem on top of the stack, such as overlayfs, opens files with
 * its own path. The lower files would carry that path too, whose dentry does not lead
 * to the stack's inode.
 */
static inline bool dxs_may_have_lower(const struct file *file)
{
#ifdef DXS_HAVE_BACKING_FILE
	return true;
#else
	if (likely(d_inode(file->f_path.dentry) == file_inode(file)))
		return true;
	pr_warn_ratelimited("%s: inode %llu not opened: filesystems on top of daxstack need Linux 6.5 or later\n",
			    file_inode(file)->i_sb->s_id,
			    (u64)file_inode(file)->i_ino);
	return false;
#endif
}

/**
 * dxs_is_above() - was a file of the stack opened by a filesystem on top of it?
 * @file: open file of the stack
 *
 * If so, file_user_path() is that filesystem's path.
 */
static inline bool dxs_is_above(const struct file *file)
{
#ifdef DXS_HAVE_BACKING_FILE
	return file->f_mode & FMODE_BACKING;
#else
	return false;
#endif
}

/* --- Own lower files: see own.c. */

static inline void dxs_file_count_init(struct file *file)
{
#ifdef DXS_HAVE_FILE_REF
	file_ref_init(&file->f_ref, 1);
#else
	atomic_long_set(&file->f_count, 1);
#endif
}

static inline void dxs_file_set_path(struct file *file, const struct path *path)
{
#ifdef DXS_HAVE_FILE_CONST_PATH
	file->__f_path = *path;
#else
	file->f_path = *path;
#endif
}

/*
 * A writer keeps the mount of its file from becoming read-only. On Linux 6.1 the
 * lower file has the stack's mount, which the stack's file keeps writable already.
 */
static inline int dxs_mnt_get_write(struct vfsmount *mnt)
{
#ifdef DXS_HAVE_MNT_GET_WRITE_ACCESS
	return mnt_get_write_access(mnt);
#else
	return 0;
#endif
}

static inline void dxs_mnt_put_write(struct vfsmount *mnt)
{
#ifdef DXS_HAVE_MNT_GET_WRITE_ACCESS
	mnt_put_write_access(mnt);
#endif
}

struct file *dxs_lower_own(const struct file *user, int flags,
			   const struct path *lower, const struct cred *cred);

#ifdef DXS_HAVE_BACKING_FILE
struct file *dxs_lower_open(struct file *user, int flags,
			    const struct path *lower, const struct cred *cred);

static inline void dxs_init_labels(const struct cred *kernel)
{
}
#else
void dxs_init_labels(const struct cred *kernel);

static inline struct file *dxs_lower_open(struct file *user, int flags,
					  const struct path *lower,
					  const struct cred *cred)
{
	return open_with_fake_path(&user->f_path, flags | __FMODE_NONOTIFY,
				   d_inode(lower->dentry), user->f_cred);
}
#endif

struct file *dxs_lower_open_again(struct file *user, int flags,
				  const struct path *lower,
				  const struct cred *cred);
struct file *dxs_lower_open_alone(int flags, const struct path *path,
				  struct inode *lower, const struct cred *cred);
void dxs_swap_labels(struct file *a, struct file *b);
int dxs_judge_mmap(struct vm_area_struct *vma, struct file *map,
		   struct file *user);
ssize_t dxs_splice_read_lower(struct file *file, loff_t *pos,
			      struct pipe_inode_info *pipe, size_t len,
			      unsigned int flags);

/* attr.c */
int dxs_update_time(DXS_UPDATE_TIME_ARGS);

/* compat_mm.c */
const struct vm_operations_struct *dxs_probe_vm_ops(struct file *file);
int dxs_mmap_lower(const struct file_operations *fops, struct file *map,
		   struct vm_area_struct *vma);
bool dxs_limit_folios(struct address_space *mapping);
void dxs_flush_tlbs(void);

/* compat_dax.c */
unsigned long dxs_dax_entry_pages(void *entry);
bool dxs_dax_entry_busy(void *entry);
void dxs_dax_drop(struct address_space *mapping);
bool dxs_dax_eviction_waits(const struct inode *lower);

/* compat_super.c */
struct fs_context *dxs_reconfigure_context(struct dentry *root,
					   unsigned int flags,
					   unsigned int mask);
int dxs_stack_depth(const struct super_block *lower);
bool dxs_kernel_is_tested(void);
extern const char dxs_untested_kernel[];
#ifdef DXS_HAVE_FREEZE_EXCL
int dxs_freeze_super(struct super_block *sb, enum freeze_holder who,
		     const void *owner);
int dxs_thaw_super(struct super_block *sb, enum freeze_holder who,
		   const void *owner);
#define DXS_FREEZE_OPS	\
	.freeze_super	= dxs_freeze_super,	\
	.thaw_super	= dxs_thaw_super,
#else
#define DXS_FREEZE_OPS
#endif

/* compat_namei.c */

/*
 * Does iomap_zero_range() warn when a file in cached mode grows over blocks that are
 * already written? Observed on 7.3, not on 6.12; introduced in between.
 */
static inline bool dxs_zeroing_warns(void)
{
	return LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0);
}

/**
 * struct dxs_renaming - a rename in the lower filesystem
 * @idmap: in: of the caller's mount
 * @sb: in: superblock of the stack
 * @old_parent: in: lower directory of the old name
 * @old: in: lower dentry of the old name
 * @new_parent: in: lower directory of the new name
 * @new: out: lower dentry of the new name, may be negative; valid until
 *	dxs_renaming_end()
 * @looked_up: internal: a reference to @new is held
 * @within: internal: both directories are the same
 * @flags: in: RENAME_*
 * @rd: internal
 */
struct dxs_renaming {
	struct mnt_idmap *idmap;
	const struct super_block *sb;
	struct dentry *old_parent;
	struct dentry *old;
	struct dentry *new_parent;
	struct dentry *new;
	bool looked_up;
	bool within;
	unsigned int flags;
	struct renamedata rd;
};

int dxs_renaming_begin(struct dxs_renaming *r, struct dentry *target);
int dxs_renaming(struct dxs_renaming *r);
void dxs_renaming_end(struct dxs_renaming *r);
struct dentry *dxs_lookup_lower(const struct super_block *sb, struct qstr *name,
				struct dentry *parent);
struct dentry *dxs_lookup_lower_unlocked(const struct super_block *sb,
					 struct qstr *name,
					 struct dentry *parent);
struct dentry *dxs_lookup_lower_begin(const struct super_block *sb,
				      struct qstr *name,
				      struct dentry *parent);

/* compat_dentry.c */
int dxs_revalidate_lower(struct dentry *lower, unsigned int flags);
#ifndef DXS_HAVE_D_REAL_TYPE
struct dentry *dxs_d_real(struct dentry *dentry, const struct inode *inode);
#endif

#endif /* DXS_COMPAT_H */
