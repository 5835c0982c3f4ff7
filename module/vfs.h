/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inodes and dentries of the stack, and the operations that the VFS calls.
 */
#ifndef DXS_VFS_H
#define DXS_VFS_H

#include "entry.h"

/* inode.c */
int dxs_init_inodecache(void);
void dxs_destroy_inodecache(void);
struct inode *dxs_alloc_inode(struct super_block *sb);
void dxs_free_inode(struct inode *inode);
void dxs_evict_inode(struct inode *inode);
struct inode *dxs_iget(struct super_block *sb, struct inode *lower);

/* attr.c */
int dxs_permission(struct mnt_idmap *idmap, struct inode *inode,
		   int mask);
int dxs_getattr(struct mnt_idmap *idmap, const struct path *path,
		struct kstat *stat, u32 mask, unsigned int flags);
int dxs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
		struct iattr *attr);

/* xattr.c */
extern DXS_XATTR_HANDLERS dxs_xattr_handlers[];
ssize_t dxs_listxattr(struct dentry *dentry, char *list, size_t size);

/* acl.c */
struct posix_acl *dxs_get_inode_acl(struct inode *inode, int type, bool rcu);
struct posix_acl *dxs_get_acl(struct mnt_idmap *idmap, struct dentry *dentry,
			      int type);
int dxs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry,
		struct posix_acl *acl, int type);
int dxs_set_inode_acl(struct mnt_idmap *idmap, struct inode *inode,
		      struct posix_acl *acl, int type);

/* fileattr.c */
int dxs_fileattr_get(struct dentry *dentry, struct file_kattr *fa);
int dxs_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
		     struct file_kattr *fa);

/* idmap.c */
bool dxs_refused_by_ids(const struct super_block *sb, int err);
int dxs_as_judged(struct inode *dir, struct inode *victim, int err,
		  const struct cred **old);
void dxs_as_judged_end(const struct cred *old);

/* A task came through a mount with an idmap: see idmap.c. */
static inline void dxs_note_idmap(const struct inode *inode,
				  const struct mnt_idmap *idmap)
{
	struct dxs_sb *sbi = DXS_SB(inode->i_sb);

	if (idmap != &nop_mnt_idmap && !READ_ONCE(sbi->idmapped))
		WRITE_ONCE(sbi->idmapped, true);
}

/* dentry.c */
extern const struct dentry_operations dxs_dentry_ops;
void dxs_set_lower(struct dentry *dentry, struct dentry *lower);
void dxs_busy(struct dentry *dentry);
void dxs_settled(struct dentry *dentry, bool right);
void dxs_nameless(struct dentry *dentry);
bool dxs_same_below(struct dentry *dentry);
void dxs_remember(struct dentry *dentry);
struct dentry *dxs_known_below(struct dentry *dentry);
void dxs_forget_unused(struct dentry *dentry);
struct dentry *dxs_obtain_alias(struct super_block *sb, struct dentry *lower);

/* export.c, quota.c */
const struct export_operations *
dxs_export_ops_for(const struct super_block *lower);
void dxs_quota_init(struct super_block *sb);

/* namei.c, dir.c */
extern const struct inode_operations dxs_dir_iops;
extern const struct inode_operations dxs_symlink_iops;
extern const struct inode_operations dxs_special_iops;
extern const struct file_operations dxs_dir_fops;

/* inherit.c */
void dxs_inherit_prepare(const struct dentry *dir);
int dxs_inherit_born(struct inode *inode, struct dentry *dentry);
void dxs_inherit_moved(struct dentry *moved, struct dentry *name);

/* file.c */
extern const struct inode_operations dxs_file_iops;
extern const struct file_operations dxs_file_fops;
extern const struct address_space_operations dxs_aops;

/* map.c, fault.c */
int dxs_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long dxs_get_unmapped_area(struct file *file, unsigned long addr,
				    unsigned long len, unsigned long pgoff,
				    unsigned long flags);
void dxs_copy_advice(struct file *to, struct file *from);
void dxs_close_map(struct file *file, struct file *map);
void dxs_adopt_vma(struct inode *inode, struct vm_area_struct *vma,
		   unsigned long had);
extern struct dxs_marks dxs_sync_faults;

/* ioctl.c */
long dxs_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#ifdef CONFIG_COMPAT
long dxs_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#else
#define dxs_compat_ioctl	NULL
#endif
long dxs_ioc_ask(struct file *file, void __user *uarg,
		 long (*ask)(struct file *file, struct daxstack_switch *arg));
long dxs_ioctl_lower(struct file *lower, unsigned int cmd, unsigned long arg);

#endif /* DXS_VFS_H */
