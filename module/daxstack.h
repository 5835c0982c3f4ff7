/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data structures, and what crosses files.
 *
 * Lock order, left before right; nothing that is held by a switch touches user
 * memory or takes an mmap_lock:
 *
 *   write:   lower s_writers > I/O gate (R) > lower i_rwsem
 *            > [copy from user: mmap_lock > fault gate (R)
 *               > lower invalidate_lock]
 *   read:    I/O gate (R) > lower i_rwsem > [copy to user: as above]
 *   splice:  [write: lower s_writers >] pipe lock > I/O gate (R)
 *   mmap:    mmap_lock (W) > fault gate (R) > lower ->mmap
 *   fault:   mmap_lock or VMA lock (R) > fault gate (R) > lower ->fault
 *   setattr: i_rwsem > lower s_writers > I/O gate (R) > lower i_rwsem
 *   switch:  s_umount (R, only tried) > lower s_writers (tried)
 *            > switch lock (tried, with a limit)
 *            > [step 2: lower invalidate_lock (W)] > I/O gate (W)
 *            > lower s_umount (W, only tried) > lower i_rwsem (W, tried, with a
 *            limit) > inode_dio_wait > fault gate (W)
 *            > lower invalidate_lock (W) > lower transaction
 *   mount:   claim of the device (claim.c) > lower s_umount
 *   quotas on, off: s_umount (W) > lower s_writers (tried) > lower s_umount (W)
 *
 * s_writers comes before the I/O gate because a freeze waits for the switch's
 * share of it: a writer that waited for s_writers inside the gate would be
 * waited for by the switch, that switch by the freeze, and the freeze's end by
 * the writer.
 *
 * The I/O gate and the fault gate are two because a read(2) into a buffer that
 * maps the same file faults inside the I/O gate: with one gate and a switch
 * waiting for it, the fault would wait for the switch and the switch for the
 * read (H1).
 */
#ifndef DXS_DAXSTACK_H
#define DXS_DAXSTACK_H

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fileattr.h>
#include <linux/fs_stack.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "../include/daxstack.h"
#include "compat.h"
#include "gate.h"

/**
 * struct dxs_personality - how the lower filesystem serves one mode
 * @a_ops: of an inode in that mode
 * @vm_ops: that its ->mmap installs in that mode
 *
 * Learned from probe inodes that the lower filesystem made (personality.c).
 */
struct dxs_personality {
	const struct address_space_operations *a_ops;
	const struct vm_operations_struct *vm_ops;
};

/* switch=: when a file may be switched (policy.c) */
enum dxs_policy {
	DXS_SWITCH_NEVER,	/* the flag is stored, and acts at the next load */
	DXS_SWITCH_EMPTY,	/* while no blocks are allocated */
	DXS_SWITCH_UNMAPPED,	/* while nobody maps it */
	DXS_SWITCH_LIVE,	/* at any time */
};

/* inherit=: when a file takes the flag of its directory (inherit.c) */
enum dxs_inherit {
	DXS_INHERIT_NONE,
	DXS_INHERIT_CREATE,	/* when it is made */
	DXS_INHERIT_MOVE,	/* ... and when it is moved there */
};

/* dax=: what gives a file its mode when it is loaded; the lower mount's */
enum dxs_dax {
	DXS_DAX_INODE,		/* its flag */
	DXS_DAX_ALWAYS,
	DXS_DAX_NEVER,
};

/* The mount options (super.c) */
enum dxs_opt {
	DXS_OPT_LOWER,
	DXS_OPT_SWITCH,
	DXS_OPT_INHERIT,
	DXS_OPT_DAX,
	DXS_OPT_DAX_FLAG,
};

/**
 * struct dxs_stats - what came of requests to switch since the mount (sysfs.c)
 * @switches: files that were switched, by their new mode
 * @deferred: requests that only stored the flag
 * @refusals: by reason
 * @pages: pages written back
 * @shut_max_ns: how long an attempt kept the gates of a file shut at the most
 */
struct dxs_stats {
	atomic64_t switches[2];
	atomic64_t deferred;
	atomic64_t refusals[DAXSTACK_REASON_COUNT];
	atomic64_t pages;
	atomic64_t shut_max_ns;
};

/**
 * struct dxs_ration - how many lines in dmesg there may be of a kind (report.c)
 * @most: so many at once
 * @lines: so many are left
 * @last: when something of the kind happened last, in jiffies
 */
struct dxs_ration {
	unsigned long most;
	unsigned long lines;
	unsigned long last;
};

/**
 * struct dxs_counts - what dmesg has not told one by one
 * @any: there is something
 * @since: the first of it, in jiffies
 * @last: the last of it
 * @switched: switches, by mode
 * @refused: refused switches, by reason
 * @deferred: flags that act at the next load, by reason
 * @not_stored: attributes that are no switch, refused, by reason
 */
struct dxs_counts {
	bool any;
	unsigned long since;
	unsigned long last;
	u32 switched[2];
	u32 refused[DAXSTACK_REASON_COUNT];
	u32 deferred[DAXSTACK_REASON_COUNT];
	u32 not_stored[DAXSTACK_REASON_COUNT];
};

/**
 * struct dxs_reports - what dmesg tells of switches
 * @lock: protects the next two
 * @rations: of lines for switches, and for the rest
 * @counts: what is still to be told
 * @work: tells it
 */
struct dxs_reports {
	spinlock_t lock; /* see above */
	struct dxs_ration rations[2];
	struct dxs_counts counts;
	struct delayed_work work;
};

/**
 * struct dxs_passed - mount options for the lower filesystem (passed.c)
 * @options: of struct dxs_passed_option, in the order given
 * @bytes: what they are to mount(2)
 */
struct dxs_passed {
	struct list_head options;
	size_t bytes;
};

/**
 * struct dxs_sb - one mount
 * @sb: the superblock of the stack
 * @lower_mnt: private mount of the lower filesystem; the reference that makes
 *	the lower superblock ours
 * @lower_root: root of the stack in it
 * @lower_dev: device number of the lower superblock, by which a second mount
 *	finds this one (H50)
 * @anon_dev: device number that our superblock was given, and does not show (H77)
 * @personality: by mode; valid if @switchable
 * @probe_lock: protects the probing and the writes to the two below
 * @switchable: both personalities are known; read without the lock, set once
 * @no_switch: else why not
 * @cred: the kernel's own, for what the stack itself does below (H39)
 * @idmapped: a mount of the stack is idmapped, or was (H70)
 * @from_dir: the source was a directory (else a block device)
 * @policy: switch=; a remount changes it, so read it once for a decision
 * @inherit: inherit=; likewise
 * @dax: dax=; fixed once mounted
 * @passed: what the lower filesystem was last given; under s_umount of the stack
 * @wb_lock: protects @wb_err
 * @wb_err: up to which errors of the lower superblock's writeback are known
 * @moves: files that were moved, and are to be switched for it (inherit.c)
 * @linger_lock: protects @lingering
 * @lingering: lower inodes of which somebody holds a page (linger.c)
 * @spare_lock: protects @spared
 * @spared: files with folios that reclaim has to spare (spare.c)
 * @linger_work: looks now and then if they are let go
 * @kobj: its directory in /sys/fs/daxstack
 * @kobj_released: nobody refers to @kobj any more
 * @walk_lock: one reader of @kobj walks over all inodes at a time
 * @walks_end: ... and none any more: it is being unmounted
 * @stats: for readers of @kobj
 * @reports: what dmesg tells (report.c)
 */
struct dxs_sb {
	struct super_block *sb;
	struct vfsmount *lower_mnt;
	struct dentry *lower_root;
	dev_t lower_dev;
	dev_t anon_dev;
	struct dxs_personality personality[2];
	struct mutex probe_lock; /* see above */
	bool switchable;
	enum daxstack_reason no_switch;
	const struct cred *cred;
	bool idmapped;
	bool from_dir;
	enum dxs_policy policy;
	enum dxs_inherit inherit;
	enum dxs_dax dax;
	struct dxs_passed passed;
	spinlock_t wb_lock; /* see above */
	errseq_t wb_err;
	atomic_t moves;
	struct mutex linger_lock; /* see above */
	struct list_head lingering;
	struct mutex spare_lock; /* see above */
	struct list_head spared;
	struct delayed_work linger_work;
	struct kobject kobj;
	struct completion kobj_released;
	struct mutex walk_lock; /* see above */
	bool walks_end;
	struct dxs_stats stats;
	struct dxs_reports reports;
};

/* struct dxs_gate.kind */
#define DXS_GATE_IO	0
#define DXS_GATE_FAULT	1

/**
 * struct dxs_gates - the two gates of an inode whose data was touched
 * @io: read by every data call for its whole length
 * @fault: read by mmap and by every fault handler
 */
struct dxs_gates {
	struct dxs_gate io;
	struct dxs_gate fault;
};

/**
 * struct dxs_inode - an inode of the stack
 * @vfs_inode: what the VFS sees; attributes are copies of the lower inode's
 * @lower: the inode that does all the work; a reference, for life
 * @gates: made when data is first touched, then for life (H21): a cold file
 *	costs no grace period to switch. Made once, under i_lock; ask dxs_gates().
 * @switch_map: lockdep's for the switch lock: one switch at a time (request.c)
 * @switch_locked: the switch lock is held; under i_lock: a mutex would take 32 bytes
 * @switch_awaited: somebody wants it who found it held; under i_lock
 * @unseen_switch: a switch is under way that began without gates; under i_lock
 * @sync_maps: VMAs with MAP_SYNC (H10)
 * @splices: splices into it under way; their writes have the lower s_writers
 * @dax_turns: how often it was to dax (H29); written under the shut fault gate
 * @dax_mapped: page tables may have had entries of it in dax mode since the last
 *	switch to dax (H57); cleared under the shut fault gate
 * @wb_held: we hold the lower I_WB_SWITCH (H14), under the switch lock
 * @write_held: we hold the lower i_writecount (H16), under i_lock
 * @flip_rcu: a grace period since the last switch is over when this cookie is
 *	(H31)
 * @switches: successful switches, under the switch lock
 * @refusals: refused ones
 * @copying: attributes are being copied; under i_lock (copies.c)
 * @links_fixed: i_nlink is no copy just now; under i_lock
 *
 * The mode has one home only: IS_DAX() of the lower inode. It is stable for
 * whoever is inside a gate or holds the switch lock.
 */
struct dxs_inode {
	struct inode vfs_inode;
	struct inode *lower;
	struct dxs_gates gates;
	struct lockdep_map switch_map;
	unsigned long flip_rcu;
	atomic_t sync_maps;
	atomic_t splices;
	u32 dax_turns;
	u32 switches;
	atomic_t refusals;
	/* Under i_lock. */
	bool switch_locked : 1;
	bool switch_awaited : 1;
	bool unseen_switch : 1;
	bool write_held : 1;
	bool links_fixed : 1;
	bool dax_mapped;
	bool wb_held;
	bool copying;
};

/**
 * struct dxs_file - an open regular file of the stack that was mapped
 * @lower: the lower file for I/O, with the lower file operations
 * @map: the lower file that VMAs hold, with our file operations (H15)
 *
 * Made at the first mmap, and from then on in ->private_data, with DXS_MAPPED;
 * before, most files never have more, the lower file alone is there.
 *
 * Both know the stack's path, so that /proc sees the file that the user opened.
 * ->private_data of @map is the stack's inode: the lower filesystems have no use
 * for it in regular files. They are two because the lower filesystem calls back into
 * the file operations of the file it is given (O_SYNC writes call ->fsync)
 * while the gate is held, and because mm calls those of a VMA's file without.
 */
struct dxs_file {
	struct file *lower;
	struct file *map;
};

#define DXS_MAPPED	1ul

/* NULL if an open file was never mapped. */
static inline struct dxs_file *dxs_mapped_file(const struct file *file)
{
	/* Pairs with the release in dxs_publish_map(). */
	void *data = smp_load_acquire(&file->private_data);

	return (unsigned long)data & DXS_MAPPED ? data - DXS_MAPPED : NULL;
}

static inline struct file *dxs_lower_file(const struct file *file)
{
	/* As above. Read once: it may be mapped for the first time just now. */
	void *data = smp_load_acquire(&file->private_data);

	if (unlikely((unsigned long)data & DXS_MAPPED))
		return ((struct dxs_file *)(data - DXS_MAPPED))->lower;
	return data;
}

static inline struct dxs_sb *DXS_SB(const struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline struct dxs_inode *DXS_I(const struct inode *inode)
{
	return container_of(inode, struct dxs_inode, vfs_inode);
}

static inline struct inode *dxs_lower_inode(const struct inode *inode)
{
	return DXS_I(inode)->lower;
}

/* NULL only of a negative dentry, and not always. */
static inline struct dentry *dxs_lower_dentry(const struct dentry *dentry)
{
	return dentry->d_fsdata;
}

static inline struct vfsmount *dxs_lower_mnt(const struct super_block *sb)
{
	return DXS_SB(sb)->lower_mnt;
}

static inline struct path dxs_lower_path(const struct dentry *dentry)
{
	return (struct path){ .mnt = dxs_lower_mnt(dentry->d_sb),
			      .dentry = dxs_lower_dentry(dentry) };
}

/* DAXSTACK_DAX or DAXSTACK_CACHED: the mode as it is now. */
static inline int dxs_mode(const struct inode *inode)
{
	return IS_DAX(dxs_lower_inode(inode)) ? DAXSTACK_DAX : DAXSTACK_CACHED;
}

static inline const char *dxs_mode_name(int mode)
{
	return mode == DAXSTACK_DAX ? "dax" : "cached";
}

struct dxs_switch;

#include "copies.h"

/* claim.c */

/**
 * struct dxs_claim - a mount under way
 * @list: of all of them
 * @dev: the lower filesystem
 */
struct dxs_claim {
	struct list_head list;
	dev_t dev;
};

int dxs_claim(struct dxs_claim *claim, dev_t dev);
void dxs_unclaim(struct dxs_claim *claim);

/* super.c, lower.c, remount.c */
extern const struct super_operations dxs_super_ops;
extern struct workqueue_struct *dxs_wq;
struct vfsmount *dxs_lower_mount(struct fs_context *fc, const char *type,
				 const char *dax,
				 const struct dxs_passed *passed);
struct device *dxs_lower_device(const struct dxs_sb *sbi);
void dxs_lower_announce(struct device *dev);
int dxs_lower_check(const struct vfsmount *mnt, struct dentry *root);
bool dxs_lower_supported(const struct super_block *lower);
bool dxs_lower_shared(const struct dxs_sb *sbi);
const char *dxs_option(const struct dxs_sb *sbi, enum dxs_opt opt);

/* sysfs.c */
int dxs_init_sysfs(void);
void dxs_exit_sysfs(void);
void dxs_sysfs_add(struct dxs_sb *sbi);
void dxs_sysfs_del(struct dxs_sb *sbi);
void dxs_count(const struct dxs_switch *sw, bool refused);
void dxs_count_shut(const struct super_block *sb, u64 ns);
int dxs_remount_lower(struct fs_context *fc, const struct dxs_passed *passed);

/*
 * Options of every filesystem that say when its own changes reach the device.
 * They work in the lower superblock; the stack's shows them.
 */
#define DXS_WHEN_FLAGS	(SB_SYNCHRONOUS | SB_DIRSYNC | SB_LAZYTIME)

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

/* inode.c */
int dxs_init_inodecache(void);
void dxs_destroy_inodecache(void);
struct inode *dxs_alloc_inode(struct super_block *sb);
void dxs_free_inode(struct inode *inode);
void dxs_evict_inode(struct inode *inode);
struct inode *dxs_iget(struct super_block *sb, struct inode *lower);
int dxs_make_gates(struct inode *inode);
struct dxs_gates *dxs_switching_begin(struct inode *inode);
void dxs_switching_end(struct inode *inode);
void dxs_flip_settle(struct dxs_inode *di);

/**
 * dxs_gates() - the gates of an inode
 * @inode: a regular inode of the stack
 *
 * Return: the gates, or NULL if its data was not touched yet.
 */
static inline struct dxs_gates *dxs_gates(const struct inode *inode)
{
	struct dxs_gates *gates = &DXS_I(inode)->gates;

	/* Pairs with the release in dxs_make_gates(). */
	return smp_load_acquire(&gates->io.readers) ? gates : NULL;
}

/**
 * dxs_io_enter() - begin a data call
 * @inode: a regular inode of the stack
 *
 * Context: sleeps while a switch has the I/O gate shut.
 * Return: 0 if inside, to be left by dxs_io_leave(); -EINTR or -ENOMEM.
 */
static inline int __must_check dxs_io_enter(struct inode *inode)
{
	struct dxs_gates *gates = dxs_gates(inode);

	if (unlikely(!gates)) {
		int err = dxs_make_gates(inode);

		if (err)
			return err;
		gates = dxs_gates(inode);
	}
	return dxs_gate_enter(&gates->io);
}

/**
 * dxs_io_leave() - end a data call
 * @inode: a regular inode of the stack
 */
static inline void dxs_io_leave(struct inode *inode)
{
	dxs_gate_leave(&DXS_I(inode)->gates.io);
}

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

/* idmap.c */
bool dxs_refused_by_ids(const struct super_block *sb, int err);
int dxs_as_judged(struct inode *dir, struct inode *victim, int err,
		  const struct cred **old);
void dxs_as_judged_end(const struct cred *old);

/* Somebody has come by a mount with an idmap: see idmap.c. */
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
void dxs_vacate(struct dentry *lower);
void dxs_forget_unused(struct dentry *dentry);

/* export.c, quota.c */
const struct export_operations *
dxs_export_ops_for(const struct super_block *lower);
int dxs_d_init(struct dentry *dentry);
void dxs_quota_init(struct super_block *sb);

/* namei.c, dir.c */
extern const struct inode_operations dxs_dir_iops;
extern const struct inode_operations dxs_symlink_iops;
extern const struct inode_operations dxs_special_iops;
extern const struct file_operations dxs_dir_fops;

/* file.c */
extern const struct inode_operations dxs_file_iops;
extern const struct file_operations dxs_file_fops;
extern const struct address_space_operations dxs_aops;
int dxs_init_filecache(void);
void dxs_destroy_filecache(void);
struct dxs_file *dxs_alloc_file(void);
void dxs_free_file(struct dxs_file *df);

/* open.c */

/*
 * How the lower file of an open file is opened. The stack keeps the atime, because
 * it is the stack's mount that has options for it (noatime, relatime, ...).
 */
static inline int dxs_lower_flags(const struct file *file)
{
	return (file->f_flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC)) |
		O_NOATIME;
}

struct file *dxs_open_lower(struct file *file);
struct file *dxs_open_again(struct file *file);
struct dentry *dxs_make_tmpfile(struct mnt_idmap *idmap,
				const struct path *parent, umode_t mode,
				int flags);

/* above.c */
int dxs_hold(const struct file *map, const struct file *file);
void dxs_unhold(const struct file *map);

/* map.c, fault.c */
int dxs_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long dxs_get_unmapped_area(struct file *file, unsigned long addr,
				    unsigned long len, unsigned long pgoff,
				    unsigned long flags);
void dxs_copy_advice(struct file *to, struct file *from);
void dxs_close_map(struct file *file, struct file *map);
void dxs_adopt_vma(struct inode *inode, struct vm_area_struct *vma,
		   unsigned long had);

/* marks.c */

/**
 * struct dxs_marks - tasks that are in the middle of one thing
 * @lock: protects @list
 * @list: of struct dxs_mark
 */
struct dxs_marks {
	spinlock_t lock; /* see above */
	struct list_head list;
};

/**
 * struct dxs_mark - one of them
 * @list: in the list of the others
 * @task: the task
 * @data: what it is about, for dxs_my_mark()
 */
struct dxs_mark {
	struct list_head list;
	struct task_struct *task;
	void *data;
};

void dxs_mark(struct dxs_marks *marks, struct dxs_mark *mark);
void dxs_unmark(struct dxs_marks *marks, struct dxs_mark *mark);
struct dxs_mark *dxs_my_mark(struct dxs_marks *marks);
bool dxs_marked(struct dxs_marks *marks);

extern struct dxs_marks dxs_sync_faults;	/* fault.c */

/* entries.c */

/*
 * H47: so many pages are looked at with interrupts off, in one piece; of a huge
 * DAX entry each page counts.
 */
#define DXS_PIECE	64
/* ... and so many are written or dropped at a time; a multiple of the largest entry's. */
#define DXS_DROP	1024

u64 dxs_dirty_pages(struct address_space *mapping);
bool dxs_mapped(struct address_space *mapping);
bool dxs_memory_hold(const struct super_block *lower, int *id);
void dxs_memory_release(int id);

/* A look at the moment, see dxs_memory_hold(). */
static inline bool dxs_has_memory(const struct super_block *lower)
{
	int id;

	if (!dxs_memory_hold(lower, &id))
		return false;
	dxs_memory_release(id);
	return true;
}

bool dxs_pinned(struct address_space *mapping);
bool dxs_drop_entries(struct address_space *mapping);
int dxs_write_entries(struct address_space *mapping);

/* drain.c */
bool dxs_drain(struct file *file, long timeout);
bool dxs_drains(const struct address_space *mapping);

/* linger.c */
void dxs_lower_put(struct dxs_sb *sbi, struct inode *lower);
void dxs_lower_release(struct inode *lower);
void dxs_linger_soon(struct dxs_sb *sbi);
void dxs_linger_init(struct dxs_sb *sbi);
void dxs_linger_end(struct dxs_sb *sbi);

/* writeback.c */
bool dxs_wb_hold(struct dxs_inode *di);
void dxs_wb_release(struct dxs_inode *di);
void dxs_wb_evict(struct dxs_inode *di);

/* inherit.c */
void dxs_inherit_prepare(const struct dentry *dir);
int dxs_inherit_born(struct inode *inode, struct dentry *dentry);
void dxs_inherit_moved(struct dentry *moved, struct dentry *name);

/* Requests to switch: switch.c, request.c, pace.c, policy.c, fileattr.c, ioctl.c */

/* Who asks for a switch. */
enum dxs_cause {
	DXS_ASKED,	/* the caller, who has to own the file */
	DXS_BORN,	/* inherit=none, of a file that nobody else sees yet */
	DXS_MOVED,	/* inherit=move: a refusal leaves the flag stored */
};

/**
 * struct dxs_switch - one request to switch, and what came of it
 * @inode: of the stack, a regular file
 * @lower: its dentry in the lower filesystem
 * @name: a dentry of the stack, to name it in dmesg and traces
 * @mnt: of the stack, for write access during each attempt; NULL if the
 *	caller has it
 * @idmap: of the mount by which it is asked for (H70): who owns the file there
 * @to: the mode wanted
 * @fa: all attributes that the caller wants to be stored with the flag (H55);
 *	NULL: the flag alone
 * @cause: who asks
 * @deadline: in jiffies, when to give up on what is in the way
 * @forever: no deadline
 * @may_restart: the caller can make the call again with the time that is left
 * @policy: inside: switch= during an attempt
 * @stores: inside: there is nothing to switch, only something to store
 * @now: inside: the attributes that the lower inode has, at the begin of an attempt
 * @knows_now: inside: they were asked for
 * @since: inside: when the waiting began, in jiffies
 * @counted: inside: write access is that of mnt_want_write()
 * @drain: inside: a lower file by which to drop folios
 * @holds_memory: inside: @memory keeps the device's memory (dxs_memory_hold())
 * @memory: inside: for dxs_memory_release()
 * @spared: inside: folios that reclaim has to spare (spare.c)
 * @trims: inside: blocks beyond EOF are to be trimmed when the mapping is empty
 * @err: inside: an errno that says more than that of @reason
 * @restart: out: the call is to be made again, by -ERESTARTNOINTR
 * @reason: out: why it was refused or deferred
 * @attempts: out: how often the gates were shut
 * @switched: out: the mode changed
 * @deferred: out: only the flag was stored, for the next load of the inode
 * @pages: out: pages written back
 * @shut_ns: out: how long the gates were shut in the last attempt, ns; 0 if the
 *	file had none
 */
struct dxs_switch {
	struct inode *inode;
	struct dentry *lower;
	const struct dentry *name;
	struct vfsmount *mnt;
	struct mnt_idmap *idmap;
	int to;
	const struct file_kattr *fa;
	enum dxs_cause cause;
	unsigned long deadline;
	bool forever;
	bool may_restart;
	enum dxs_policy policy;
	bool stores;
	struct file_kattr now;
	bool knows_now;
	unsigned long since;
	bool counted;
	struct file *drain;
	bool holds_memory;
	int memory;
	struct dxs_spared *spared;
	bool trims;
	int err;
	bool restart;
	enum daxstack_reason reason;
	u32 attempts;
	bool switched;
	bool deferred;
	u64 pages;
	u64 shut_ns;
};

/* A request about the file of a dentry, to be answered at once. */
static inline struct dxs_switch dxs_switch_of(const struct dentry *dentry,
					      int to)
{
	return (struct dxs_switch){
		.inode = d_inode(dentry),
		.lower = dxs_lower_dentry(dentry),
		.name = dentry,
		.idmap = &nop_mnt_idmap,
		.to = to,
		.deadline = jiffies,
	};
}

static inline struct inode *dxs_switch_lower(const struct dxs_switch *sw)
{
	return dxs_lower_inode(sw->inode);
}

/* Is it about attributes that are no switch? */
static inline bool dxs_only_attributes(const struct dxs_switch *sw)
{
	return sw->fa && sw->stores;
}

/* name.c */

const char *dxs_name_dentry(const struct dentry *dentry, char *name,
			    size_t size);
const char *dxs_name_inode(struct inode *inode, char *name, size_t size);

/* report.c */
void dxs_report(const struct dxs_switch *sw, int err);
void dxs_report_init(struct dxs_sb *sbi);
void dxs_report_end(struct dxs_sb *sbi);

/* spare.c */
void dxs_spare_begin(struct dxs_switch *sw);
void dxs_spare_locked(struct dxs_switch *sw);
bool dxs_spare_held(struct dxs_switch *sw);
void dxs_spare_end(struct dxs_switch *sw);
bool dxs_spare_look(struct dxs_sb *sbi, bool all);

/* fileattr.c */
int dxs_fileattr_lower(struct dentry *lower, struct file_kattr *fa);
int dxs_flag(struct dentry *lower);
int dxs_fileattr_store(struct mnt_idmap *idmap, struct dentry *lower, int mode,
		       const struct file_kattr *asked, bool whole);
void dxs_fileattr_changes(struct dxs_switch *sw, bool *flag, bool *rest);
int dxs_fileattr_get(struct dentry *dentry, struct file_kattr *fa);
int dxs_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
		     struct file_kattr *fa);

/* switch.c, request.c, policy.c, ioctl.c */
enum daxstack_reason dxs_attempt(struct dxs_switch *sw);
enum daxstack_reason dxs_attempt_born(struct dxs_switch *sw);
enum daxstack_reason dxs_persist_alone(struct dxs_switch *sw);
int dxs_switch(struct dxs_switch *sw);
int dxs_switch_born(struct dxs_switch *sw);
int dxs_switch_end(const struct dxs_switch *sw);
int dxs_store(struct dxs_switch *sw);
int dxs_reason_errno(enum daxstack_reason reason);
const char *dxs_reason_text(enum daxstack_reason reason);
enum daxstack_reason dxs_may_switch(const struct dxs_switch *sw);
enum daxstack_reason dxs_no_switch(const struct super_block *sb,
				   enum dxs_policy policy);
enum daxstack_reason dxs_veto(const struct dxs_switch *sw);
enum daxstack_reason dxs_others(const struct super_block *lower);
bool dxs_only_stores(const struct super_block *sb);
bool dxs_pace(void);
bool dxs_rest(unsigned long timeout);
void dxs_pace_spend(void);
void dxs_pace_grace(void);
void dxs_pace_end(void);
long dxs_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#ifdef CONFIG_COMPAT
long dxs_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#else
#define dxs_compat_ioctl	NULL
#endif
long dxs_ioc_ask(struct file *file, void __user *uarg,
		 long (*ask)(struct file *file, struct daxstack_switch *arg));
long dxs_ioctl_lower(struct file *lower, unsigned int cmd, unsigned long arg);

#endif /* DXS_DAXSTACK_H */
