/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data structures, the lock order, and the accessors that every file uses.
 * Functions are declared in the header of their layer: see module/layers.
 *
 * Lock order, left before right. (R): for reading, (W): for writing. While a switch
 * holds any of these locks, it neither touches user memory nor takes an mmap_lock.
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
 *   heat:    session lock > lower invalidate_lock (W, only tried: H85) > i_mmap (R)
 *   heat, unmount: s_umount (W) > all sessions' lock > session lock
 *   quotas on, off: s_umount (W) > lower s_writers (tried) > lower s_umount (W)
 *
 * s_writers comes before the I/O gate because a freeze waits for the switch to
 * drop its s_writers. If a writer waited for s_writers inside the gate, the switch
 * would wait for the writer, the freeze for the switch, and the writer for the end
 * of the freeze.
 *
 * The I/O gate and the fault gate are separate because read(2) into a buffer that
 * maps the same file faults inside the I/O gate. With a single gate, the fault
 * would wait for a switch that closes the gate, and the switch for the read (H1).
 */
#ifndef DXS_ENTRY_H
#define DXS_ENTRY_H

#include <linux/fs.h>
#include <linux/fileattr.h>
#include <linux/kobject.h>
#include <linux/lockdep.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "../include/daxstack.h"
#include "compat.h"
#include "gate.h"
#include "heat.h"

/**
 * struct dxs_personality - how the lower filesystem serves one mode
 * @a_ops: address_space operations of an inode in that mode
 * @vm_ops: VMA operations that the lower ->mmap installs in that mode
 *
 * Learned from probe inodes that the lower filesystem creates (personality.c).
 */
struct dxs_personality {
	const struct address_space_operations *a_ops;
	const struct vm_operations_struct *vm_ops;
};

/* switch=: when a file may be switched (policy.c) */
enum dxs_policy {
	DXS_SWITCH_NEVER,	/* the flag is stored, and acts at the next load */
	DXS_SWITCH_EMPTY,	/* while the file has no blocks */
	DXS_SWITCH_UNMAPPED,	/* while no VMA maps the file */
	DXS_SWITCH_LIVE,	/* at any time */
};

/* inherit=: when a file takes the flag of its directory (inherit.c) */
enum dxs_inherit {
	DXS_INHERIT_NONE,
	DXS_INHERIT_CREATE,	/* when it is created */
	DXS_INHERIT_MOVE,	/* ... and when it is moved to another directory */
};

/* dax=: what sets the mode of a file when its inode is loaded; of the lower mount */
enum dxs_dax {
	DXS_DAX_INODE,		/* FS_XFLAG_DAX of the inode */
	DXS_DAX_ALWAYS,
	DXS_DAX_NEVER,
};

/* The mount options (super.c, options.c) */
enum dxs_opt {
	DXS_OPT_LOWER,
	DXS_OPT_SWITCH,
	DXS_OPT_INHERIT,
	DXS_OPT_DAX,
	DXS_OPT_DAX_FLAG,
};

/**
 * struct dxs_stats - how switch requests ended since the mount (stats.c, sysfs.c)
 * @switches: switched files, by their new mode
 * @deferred: requests that only stored the flag
 * @refusals: refused requests, by reason
 * @pages: pages written back
 * @shut_max_ns: longest time that an attempt kept the gates of a file closed, in ns
 */
struct dxs_stats {
	atomic64_t switches[2];
	atomic64_t deferred;
	atomic64_t refusals[DAXSTACK_REASON_COUNT];
	atomic64_t pages;
	atomic64_t shut_max_ns;
};

/**
 * struct dxs_ration - rate limit for one kind of line in dmesg (report.c)
 * @most: largest number of lines in a burst
 * @lines: lines left
 * @last: time of the last event of this kind, in jiffies
 */
struct dxs_ration {
	unsigned long most;
	unsigned long lines;
	unsigned long last;
};

/**
 * struct dxs_counts - events that got no line of their own in dmesg
 * @any: at least one event was counted
 * @since: time of the first event, in jiffies
 * @last: time of the last event, in jiffies
 * @switched: switches, by mode
 * @refused: refused switches, by reason
 * @deferred: flags that act at the next load, by reason
 * @not_stored: requests to store attributes, without a switch, that were refused,
 *	by reason
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
 * struct dxs_reports - what a mount reports in dmesg
 * @lock: protects @rations and @counts
 * @rations: rate limits, for switches and for everything else
 * @counts: events still to be summarized
 * @work: prints the summary
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
 * @bytes: their size as an option string for mount(2)
 */
struct dxs_passed {
	struct list_head options;
	size_t bytes;
};

/**
 * struct dxs_claim - a mount in progress (claim.c)
 * @list: in the list of all claims
 * @dev: device number of the lower filesystem
 */
struct dxs_claim {
	struct list_head list;
	dev_t dev;
};

/**
 * struct dxs_marks - tasks that are inside one section of code (marks.c)
 * @lock: protects @list
 * @list: of struct dxs_mark
 */
struct dxs_marks {
	spinlock_t lock; /* see above */
	struct list_head list;
};

/**
 * struct dxs_mark - one such task
 * @list: in the list of struct dxs_marks
 * @task: the task
 * @data: for the caller of dxs_my_mark()
 */
struct dxs_mark {
	struct list_head list;
	struct task_struct *task;
	void *data;
};

/**
 * struct dxs_sb - one mount
 * @sb: the superblock of the stack
 * @lower_mnt: private mount of the lower filesystem; its reference is what makes the
 *	lower superblock the stack's own
 * @lower_root: the dentry of @lower_mnt that is the root of the stack
 * @lower_dev: device number of the lower superblock; a second mount finds this
 *	superblock by it (H50)
 * @anon_dev: anonymous device number of the stack's superblock, reserved but not
 *	shown (H77)
 * @personality: by mode; valid if @switchable
 * @probe_lock: protects the probing, and writes to @switchable and @no_switch
 * @switchable: both personalities are known; set once, read without the lock
 * @no_switch: why not, unless @switchable
 * @cred: the kernel's own credentials, for lower calls of the stack itself (H39)
 * @idmapped: a mount of the stack is or was idmapped (H70)
 * @from_dir: the source of the mount was a directory, not a block device
 * @policy: switch=; a remount changes it: read it once for each decision
 * @inherit: inherit=; likewise
 * @dax: dax=; fixed once mounted
 * @passed: options last given to the lower filesystem; under s_umount of the stack
 * @wb_lock: protects @wb_err
 * @wb_err: errors of the lower superblock were passed on to sb->s_wb_err up to here
 * @moves: moved files that are still to be switched (inherit.c)
 * @linger_lock: protects @lingering
 * @lingering: lower inodes that are kept after their last use (linger.c)
 * @spare_lock: protects @spared
 * @spared: files with folios that reclaim must spare (spare.c)
 * @linger_work: periodically releases those lower inodes and folios that no task holds
 * @kobj: directory of the mount in /sys/fs/daxstack
 * @kobj_released: the last reference to @kobj is gone
 * @walk_lock: serializes readers of @kobj that walk all inodes
 * @walks_end: the mount is being unmounted: no more such walks
 * @stats: shown by @kobj
 * @reports: what the mount reports in dmesg (report.c)
 * @heats: what heat sessions count (heat.c)
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
	struct dxs_heats heats;
};

/* struct dxs_gate.kind */
#define DXS_GATE_IO	0
#define DXS_GATE_FAULT	1

/**
 * struct dxs_gates - the two gates of a regular inode (gates.c)
 * @io: held for reading by every data call for its whole length
 * @fault: held for reading by ->mmap and by every fault handler
 */
struct dxs_gates {
	struct dxs_gate io;
	struct dxs_gate fault;
};

/**
 * struct dxs_inode - an inode of the stack
 * @vfs_inode: the inode that the VFS sees. Its attributes are copies of the lower
 *	inode's (copies.c); ->i_private points to its heat counters (heat.h).
 * @lower: the lower inode, which does all the work. The reference is held as long as
 *	the inode exists.
 * @gates: allocated when data is first touched, then kept until the inode is freed
 *	(H21): to switch a file that was never touched costs no grace period.
 *	Allocated once, under i_lock; read them by dxs_gates().
 * @switch_map: lockdep map of the switch lock, which admits one switch at a time
 *	(request.c)
 * @switch_locked: the switch lock is held; under i_lock. A mutex would take 32 bytes.
 * @switch_awaited: a task waits for the switch lock; under i_lock
 * @unseen_switch: a switch is in progress that began before the gates were allocated;
 *	under i_lock
 * @sync_maps: number of VMAs with MAP_SYNC (H10)
 * @splices: number of splices into the file in progress; their writes already hold
 *	the lower s_writers
 * @dax_turns: number of switches to dax (H29); written with the fault gate closed
 * @dax_mapped: page tables may have had DAX entries of the file since its last switch
 *	to dax (H57); cleared with the fault gate closed
 * @wb_held: the stack holds I_WB_SWITCH of the lower inode (H14); under the switch lock
 * @write_held: the stack holds i_writecount of the lower inode (H16); under i_lock
 * @flip_rcu: cookie of the grace period that follows the last switch (H31)
 * @switches: number of successful switches; under the switch lock
 * @refusals: number of refused switches
 * @copying: attributes are being copied; under i_lock (copies.c)
 * @links_fixed: i_nlink differs from the lower inode's on purpose; under i_lock
 *
 * The mode is stored in one place only: IS_DAX() of the lower inode. It does not
 * change for a task that is inside a gate or holds the switch lock.
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
 * struct dxs_file - the lower files of an open regular file that was mapped
 * @lower: the lower file for I/O, with the lower filesystem's file operations
 * @map: the lower file that VMAs hold, with the stack's file operations (H15)
 *
 * Allocated at the first mmap. From then on ->private_data of the stack's file points
 * to it, tagged with DXS_MAPPED; until then ->private_data is the lower file itself,
 * as most files are never mapped.
 *
 * Both files carry the stack's path, so that /proc shows the file that the user
 * opened. ->private_data of @map is the stack's inode (H60): the lower filesystems do not
 * use that field of regular files. The two are separate files because the lower
 * filesystem calls the file operations of the file that it is given (->fsync after an
 * O_SYNC write) with the gate held, while mm calls those of a VMA's file without it.
 */
struct dxs_file {
	struct file *lower;
	struct file *map;
};

#define DXS_MAPPED	1ul

/* The origin of a request */
enum dxs_cause {
	DXS_ASKED,	/* a caller, who must own the file */
	DXS_BORN,	/* inherit=none, for a new file that no other task sees yet */
	DXS_MOVED,	/* inherit=move: a refusal leaves the flag stored */
};

/**
 * struct dxs_switch - a request to switch a file, and its result
 * @inode: in: of the stack, a regular file
 * @lower: in: its dentry in the lower filesystem
 * @name: in: a dentry of the stack, for the name in dmesg and traces
 * @mnt: in: mount of the stack; each attempt takes write access to it. NULL if the
 *	caller holds write access.
 * @idmap: in: of the mount through which the request came (H70); maps the owner
 * @to: in: the wanted mode, DAXSTACK_DAX or DAXSTACK_CACHED
 * @fa: in: attributes to store together with the flag (H55); NULL: only the flag
 * @cause: in: who asked
 * @deadline: in: when to stop retrying, in jiffies
 * @forever: in: no deadline
 * @may_restart: in: the caller can repeat the call with the time that is left
 * @policy: attempt: switch= as read when the attempt began
 * @stores: attempt: attributes are to be stored, but the mode stays
 * @now: attempt: attributes of the lower inode when the attempt began
 * @knows_now: attempt: @now is valid
 * @since: request.c: when the waiting began, in jiffies
 * @counted: request.c: write access was taken by mnt_want_write()
 * @drain: request.c: a lower file by which to drop folios
 * @holds_memory: attempt: @memory keeps the device's memory (dxs_memory_hold())
 * @memory: attempt: for dxs_memory_release()
 * @slowed: attempt: both gates are slow, and a grace period has passed since
 * @spared: attempt: folios that reclaim must spare (spare.c)
 * @trims: attempt: trim blocks beyond EOF once the mapping is empty
 * @held: switch.c: place in the file of a folio that prevented the last attempt
 * @looks: switch.c: how often to look at it before the next attempt
 * @looked: the last try was such a look, and no attempt
 * @met_writeback: request.c: a try met writeback
 * @err: attempt: an errno more specific than that of @reason
 * @restart: out: the call is to be repeated, by -ERESTARTNOINTR
 * @reason: out: why the request was refused or deferred
 * @attempts: out: how many attempts closed the gates
 * @switched: out: the mode changed
 * @deferred: out: only the flag was stored, for the next load of the inode
 * @pages: out: pages written back
 * @shut_ns: out: how long the last attempt kept the gates closed, in ns; 0 if the
 *	file had none
 *
 * A request passes each layer once on its way down, from the operation that asks for
 * it by request.c to switch.c, and once on its way back, where request.c reports its
 * result. "attempt" marks the state of one attempt, which is private to switch.c.
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
	bool slowed;
	struct dxs_spared *spared;
	bool trims;
	pgoff_t held;
	unsigned int looks;
	bool looked;
	bool met_writeback;
	int err;
	bool restart;
	enum daxstack_reason reason;
	u32 attempts;
	bool switched;
	bool deferred;
	u64 pages;
	u64 shut_ns;
};

/*
 * H47: number of pages looked at in one section with interrupts disabled; each page of
 * a huge DAX entry counts.
 */
#define DXS_PIECE	64
/* ... and number of pages written or dropped at a time; a multiple of a huge entry's */
#define DXS_DROP	1024

/* work.c: for work that outlives the call that caused it */
extern struct workqueue_struct *dxs_wq;
/* ... and waits for other tasks: it must not keep the other work waiting */
extern struct workqueue_struct *dxs_move_wq;
int dxs_init_work(void);
void dxs_destroy_work(void);

/* The lower files of an open file; NULL if it was never mapped */
static inline struct dxs_file *dxs_mapped_file(const struct file *file)
{
	/* Pairs with the release in dxs_publish_map(). */
	void *data = smp_load_acquire(&file->private_data);

	return (unsigned long)data & DXS_MAPPED ? data - DXS_MAPPED : NULL;
}

static inline struct file *dxs_lower_file(const struct file *file)
{
	/* As above. Read once: another task may map the file at this moment. */
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

/* NULL only for some negative dentries */
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

/* The current mode: DAXSTACK_DAX or DAXSTACK_CACHED */
static inline int dxs_mode(const struct inode *inode)
{
	return IS_DAX(dxs_lower_inode(inode)) ? DAXSTACK_DAX : DAXSTACK_CACHED;
}

static inline const char *dxs_mode_name(int mode)
{
	return mode == DAXSTACK_DAX ? "dax" : "cached";
}

/* A request for the file of a dentry that does not wait */
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

/* Does the request store attributes and leave the mode alone? */
static inline bool dxs_only_attributes(const struct dxs_switch *sw)
{
	return sw->fa && sw->stores;
}

#endif /* DXS_ENTRY_H */
