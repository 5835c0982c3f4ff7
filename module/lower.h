/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lower filesystem: its mount, its options, what it does in each mode, and its
 * open files.
 */
#ifndef DXS_LOWER_H
#define DXS_LOWER_H

#include <linux/magic.h>

#include "entry.h"

static inline bool dxs_is_xfs(const struct super_block *lower)
{
	return lower->s_magic == XFS_SUPER_MAGIC;
}

/*
 * Mount options of every filesystem that say when its changes reach the device. They
 * act in the lower superblock; the stack's shows them.
 */
#define DXS_WHEN_FLAGS	(SB_SYNCHRONOUS | SB_DIRSYNC | SB_LAZYTIME)

/* lower.c */
struct vfsmount *dxs_lower_mount(struct fs_context *fc, const char *type,
				 const char *dax,
				 const struct dxs_passed *passed);
struct device *dxs_lower_device(const struct dxs_sb *sbi);
void dxs_lower_announce(struct device *dev);
int dxs_lower_check(const struct vfsmount *mnt, struct dentry *root);
bool dxs_lower_supported(const struct super_block *lower);
bool dxs_lower_shared(const struct dxs_sb *sbi);
enum daxstack_reason dxs_others(const struct super_block *lower);

/* passed.c */
void dxs_passed_init(struct dxs_passed *passed);
void dxs_passed_free(struct dxs_passed *passed);
void dxs_passed_take(struct dxs_passed *to, struct dxs_passed *from);
int dxs_passed_add(struct dxs_passed *passed, struct fs_context *fc,
		   const struct fs_parameter *param);
const char *dxs_passed_first(const struct dxs_passed *passed);
int dxs_passed_give(const struct dxs_passed *passed, struct fs_context *lower);
void dxs_passed_show(struct seq_file *m, struct dentry *lower_root);
const char *dxs_passed_missing(const struct dxs_passed *passed,
			       struct dentry *lower_root,
			       const struct dxs_passed *given);
bool dxs_passed_has(struct dentry *lower_root, const char *key,
		    const char *value);
struct fc_log *dxs_passed_listen(void);
void dxs_passed_attach(struct fs_context *lower, struct fc_log *log);
void dxs_passed_tell(struct fs_context *fc, struct fc_log *log);

static inline bool dxs_passed_empty(const struct dxs_passed *passed)
{
	return list_empty(&passed->options);
}

/* personality.c */
bool dxs_learn_personalities(struct dxs_sb *sbi);

/* open.c */
int dxs_init_filecache(void);
void dxs_destroy_filecache(void);
struct dxs_file *dxs_alloc_file(void);
void dxs_free_file(struct dxs_file *df);

/*
 * Flags to open the lower file of an open file with. H68: the stack updates the atime
 * itself, as the atime options (noatime, relatime, ...) are those of its own mount.
 */
static inline int dxs_lower_flags(const struct file *file)
{
	return (file->f_flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC)) |
		O_NOATIME;
}

struct file *dxs_open_lower(struct file *file);
void dxs_close_lower(struct file *file);
struct file *dxs_open_again(struct file *file);
struct dentry *dxs_make_tmpfile(struct mnt_idmap *idmap,
				const struct path *parent, umode_t mode,
				int flags);

/* own.c */
int dxs_init_own(void);
void dxs_destroy_own(void);
bool dxs_is_own(const struct file *lower);
struct file *dxs_own_open(int flags, const struct path *path,
			  struct inode *inode, const struct cred *cred);
void dxs_own_close(struct file *file);

/* above.c */
int dxs_hold(const struct file *map, const struct file *file);
void dxs_unhold(const struct file *map);

#endif /* DXS_LOWER_H */
