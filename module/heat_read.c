// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat sessions: file descriptors that make a mount count, and return the counters.
 *
 * A session outlives its mount. H82: unmounting detaches the mount from all its
 * sessions, waits for read-outs under way, and refuses new sessions.
 *
 * Lock order: dxs_heat_lock, then ->lock of a session. Under the latter inodes are
 * referenced and released and the switch policy is evaluated, but user memory is not
 * accessed.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "entry.h"
#include "gates.h"
#include "heat.h"
#include "mapping.h"
#include "switch.h"
#include "xflag.h"

/* Number of files gathered before the results are copied to the caller. */
#define DXS_HEAT_BATCH	64

/**
 * struct dxs_heat_session - a heat session
 * @list: in ->sessions of its mount; protected by dxs_heat_lock
 * @lock: protects @sbi; held while @sbi is in use
 * @sbi: the mount, NULL after it was unmounted
 * @windows: the session may clear sketches and probe
 */
struct dxs_heat_session {
	struct list_head list;
	struct mutex lock; /* see above */
	struct dxs_sb *sbi;
	bool windows;
};

/* Protects the session lists of all mounts, and serializes begin and end of sessions. */
static DEFINE_MUTEX(dxs_heat_lock);

/**
 * dxs_heats_init() - initialize the heat state of a mount
 * @heats: of the mount
 */
void dxs_heats_init(struct dxs_heats *heats)
{
	xa_init_flags(&heats->files, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&heats->sessions);
}

/* Context: dxs_heat_lock is held. */
static void dxs_heat_leave(struct dxs_heat_session *s)
{
	struct dxs_heats *heats = &s->sbi->heats;

	list_del(&s->list);
	if (heats->windows == s)
		heats->windows = NULL;
	if (list_empty(&heats->sessions))
		dxs_heat_stop(heats);
}

static int dxs_heat_join(struct dxs_heat_session *s)
{
	struct dxs_heats *heats = &s->sbi->heats;
	int err = 0;

	mutex_lock(&dxs_heat_lock);
	if (heats->ends) {
		err = -ENODEV;
	} else if (s->windows && heats->windows) {
		err = -EBUSY;
	} else {
		if (list_empty(&heats->sessions))
			dxs_heat_start(heats);
		list_add(&s->list, &heats->sessions);
		if (s->windows)
			heats->windows = s;
	}
	mutex_unlock(&dxs_heat_lock);
	return err;
}

static void dxs_heat_free_session(struct dxs_heat_session *s)
{
	mutex_destroy(&s->lock);
	kfree(s);
}

static int dxs_heat_release(struct inode *inode, struct file *file)
{
	struct dxs_heat_session *s = file->private_data;

	mutex_lock(&dxs_heat_lock);
	if (s->sbi)
		dxs_heat_leave(s);
	mutex_unlock(&dxs_heat_lock);
	dxs_heat_free_session(s);
	return 0;
}

/**
 * dxs_heat_del() - end all sessions of a mount
 * @sbi: the mount, still complete
 *
 * H82: a read-out under way uses the lower superblock and holds inodes; this waits
 * for it.
 *
 * Context: sleeps.
 */
void dxs_heat_del(struct dxs_sb *sbi)
{
	struct dxs_heats *heats = &sbi->heats;
	struct dxs_heat_session *s, *next;

	/* Stops a walk over all inodes that is under way. */
	WRITE_ONCE(heats->ends, true);
	mutex_lock(&dxs_heat_lock);
	list_for_each_entry_safe(s, next, &heats->sessions, list) {
		mutex_lock(&s->lock);
		dxs_heat_leave(s);
		s->sbi = NULL;
		mutex_unlock(&s->lock);
	}
	mutex_unlock(&dxs_heat_lock);
}

/* --- Files that are not counted yet. */

static bool dxs_heat_unknown(struct inode *inode)
{
	const struct inode *lower = dxs_lower_inode(inode);

	return !(inode_state_read_once(inode) & (I_NEW | I_FREEING)) &&
		S_ISREG(lower->i_mode) && !READ_ONCE(inode->i_private) &&
		READ_ONCE(lower->i_mapping->nrpages);
}

/* Lists the inodes for read-outs, and drops the references to them. */
static void dxs_heat_know(struct inode **inodes, unsigned int nr)
{
	while (nr--) {
		dxs_heat_make(inodes[nr], false, GFP_KERNEL);
		iput(inodes[nr]);
	}
}

/*
 * Lists all inodes that hold pages. As in dxs_sum_loaded(), the walk drops
 * s_inode_list_lock between batches and holds a reference to an inode to keep its
 * place in the list.
 */
static int dxs_heat_know_all(struct dxs_sb *sbi)
{
	struct inode *inode, *held = NULL, *found[DXS_HEAT_BATCH];
	struct super_block *sb = sbi->sb;
	unsigned int seen = 0, nr = 0;
	int err = 0;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (dxs_heat_unknown(inode) && igrab(inode))
			found[nr++] = inode;
		/*
		 * igrab() of an inode that is in found[] succeeds again, so found[]
		 * cannot overflow.
		 */
		if (++seen < DXS_HEAT_BATCH || !igrab(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);
		iput(held);
		held = inode;
		dxs_heat_know(found, nr);
		seen = 0;
		nr = 0;
		cond_resched();
		if (READ_ONCE(sbi->heats.ends))
			err = -ENODEV;
		else if (fatal_signal_pending(current))
			err = -EINTR;
		spin_lock(&sb->s_inode_list_lock);
		if (err)
			break;
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(held);
	dxs_heat_know(found, nr);
	return err;
}

/* --- Report of a file. */

/* Fills in what needs a dentry: FS_XFLAG_DAX, and whether the file could be switched. */
static void dxs_heat_tell_switch(struct inode *inode, bool memory,
				 struct daxstack_heat_file *file)
{
	struct dentry *dentry = d_find_any_alias(inode);
	struct dxs_switch other;

	if (!dentry)
		return;
	other = dxs_switch_of(dentry, !file->mode);
	other.policy = READ_ONCE(DXS_SB(inode->i_sb)->policy);
	if (dxs_flag(other.lower) == DAXSTACK_DAX)
		file->flags |= DAXSTACK_STATE_FLAG;
	file->reason = dxs_may_switch(&other);
	/* dxs_may_switch() does not check this; an attempt would. */
	if (!file->reason && !memory)
		file->reason = DAXSTACK_REASON_DEVICE_GONE;
	dput(dentry);
}

static void dxs_heat_tell(struct dxs_heat *heat, bool memory,
			  struct daxstack_heat_file *file)
{
	struct inode *inode = heat->inode;
	struct dxs_inode *di = DXS_I(inode);
	struct address_space *mapping = di->lower->i_mapping;
	/*
	 * Read before the sum: read after a switch that comes in between, base would
	 * exceed the sum.
	 */
	u64 base = smp_load_acquire(&heat->refault_base);
	struct dxs_heat_modes sum;
	int mode, i;

	dxs_heat_sum(heat, &sum);
	*file = (struct daxstack_heat_file){
		.ino = heat->ino,
		.generation = inode->i_generation,
		.mode = dxs_mode(inode),
		.size = i_size_read(di->lower),
		.pages = READ_ONCE(mapping->nrpages),
		.uid = from_kuid_munged(&init_user_ns, di->lower->i_uid),
		.switches = READ_ONCE(di->switches),
		.sketch_shift = heat->shift,
	};
	for (mode = 0; mode < ARRAY_SIZE(sum.of); mode++) {
		file->by_mode[mode] = sum.of[mode].counts;
		for (i = 0; i < DXS_SKETCH_WORDS; i++)
			file->sketch[i] |= sum.of[mode].sketch[i];
	}
	file->refaults = min(dxs_heat_faults(&sum) - base,
			     READ_ONCE(heat->refault_pages));
	if (dxs_mapped(mapping))
		file->flags |= DAXSTACK_STATE_MAPPED;
	if (atomic_read(&di->sync_maps))
		file->flags |= DAXSTACK_STATE_MAP_SYNC;
	if (dxs_gates(inode))
		file->flags |= DAXSTACK_STATE_GATED;
	dxs_heat_tell_switch(inode, memory, file);
	dxs_heat_tell_probe(heat, file);
}

/* Should the file be in the answer? */
static bool dxs_heat_telling(const struct dxs_heat *heat, bool all)
{
	/*
	 * No barrier: a file whose counters are just being allocated is in the next
	 * read-out.
	 */
	if (READ_ONCE(heat->modes))
		return true;
	return all &&
		READ_ONCE(dxs_lower_inode(heat->inode)->i_mapping->nrpages);
}

/*
 * The next counters after inode number @ino, which is advanced. Their inode is
 * referenced.
 */
static struct dxs_heat *dxs_heat_next(struct dxs_heats *heats, u64 *ino)
{
	unsigned long index = *ino;
	struct dxs_heat *heat;

	xa_lock(&heats->files);
	do {
		heat = xa_find_after(&heats->files, &index, ULONG_MAX,
				     XA_PRESENT);
	} while (heat && !igrab(heat->inode));
	xa_unlock(&heats->files);
	*ino = heat ? index : 0;
	return heat;
}

/* --- The ioctls of a session. */

static int dxs_heat_hold(struct dxs_heat_session *s)
{
	if (mutex_lock_interruptible(&s->lock))
		return -EINTR;
	if (s->sbi)
		return 0;
	mutex_unlock(&s->lock);
	return -ENODEV;
}

/*
 * Fills up to @max of @files, and advances the cursor. Return: their number, or a
 * negative errno.
 */
static int dxs_heat_fill(struct dxs_heat_session *s,
			 struct daxstack_heat_read *arg,
			 struct daxstack_heat_file *files, unsigned int max)
{
	bool all = arg->flags & DAXSTACK_HEAT_ALL, memory;
	struct dxs_heat *heat;
	unsigned int nr = 0;
	int err;

	err = dxs_heat_hold(s);
	if (err)
		return err;
	if (all && !arg->cursor)
		err = dxs_heat_know_all(s->sbi);
	memory = dxs_has_memory(s->sbi->lower_mnt->mnt_sb);
	while (!err && nr < max) {
		heat = dxs_heat_next(&s->sbi->heats, &arg->cursor);
		if (!heat)
			break;
		if (dxs_heat_telling(heat, all)) {
			dxs_heat_tell(heat, memory, &files[nr]);
			if (arg->flags & DAXSTACK_HEAT_CLEAR)
				dxs_heat_clear(heat, files[nr].sketch);
			nr++;
			if (arg->probes)
				dxs_heat_probe(heat, arg->probes);
		}
		iput(heat->inode);
		cond_resched();
	}
	mutex_unlock(&s->lock);
	return err ?: nr;
}

static int dxs_heat_read_ok(const struct dxs_heat_session *s,
			    const struct daxstack_heat_read *arg)
{
	if (arg->flags & ~(DAXSTACK_HEAT_CLEAR | DAXSTACK_HEAT_ALL) || !arg->max ||
	    arg->probes > DAXSTACK_HEAT_PROBES_MAX ||
	    memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	if ((arg->flags & DAXSTACK_HEAT_CLEAR || arg->probes) && !s->windows)
		return -EPERM;
	return 0;
}

/* Works in batches, so that no lock is held while user memory is accessed. */
static int dxs_heat_fill_all(struct dxs_heat_session *s,
			     struct daxstack_heat_read *arg,
			     struct daxstack_heat_file *batch)
{
	struct daxstack_heat_file __user *to = u64_to_user_ptr(arg->files);
	int nr;

	do {
		nr = dxs_heat_fill(s, arg, batch,
				   min(arg->max - arg->count, DXS_HEAT_BATCH));
		if (nr == -EINTR && arg->count)
			return 0;
		if (nr < 0)
			return nr;
		if (copy_to_user(to + arg->count, batch, nr * sizeof(*batch)))
			return -EFAULT;
		arg->count += nr;
		if (signal_pending(current))
			return arg->count || !arg->cursor ? 0 : -EINTR;
	} while (arg->cursor && arg->count < arg->max);
	return 0;
}

static long dxs_heat_ioc_read(struct dxs_heat_session *s, void __user *uarg)
{
	struct daxstack_heat_file *batch;
	struct daxstack_heat_read arg;
	int err;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	err = dxs_heat_read_ok(s, &arg);
	if (err)
		return err;
	arg.count = 0;
	arg.time_ns = ktime_get_ns();
	batch = kvmalloc_array(min(arg.max, DXS_HEAT_BATCH), sizeof(*batch),
			       GFP_KERNEL);
	if (!batch)
		return -ENOMEM;
	err = dxs_heat_fill_all(s, &arg, batch);
	kvfree(batch);
	if (!err && copy_to_user(uarg, &arg, sizeof(arg)))
		err = -EFAULT;
	return err;
}

/* The path of a dentry relative to the root, in @buf of PATH_MAX bytes, or an ERR_PTR. */
static char *dxs_heat_path(struct dentry *dentry, char *buf)
{
	char *path;

	/* It was found by a file handle and is not connected to the tree yet. */
	if (dentry->d_flags & DCACHE_DISCONNECTED)
		return ERR_PTR(-ENOENT);
	path = dentry_path_raw(dentry, buf, PATH_MAX);
	if (!IS_ERR(path) && d_unlinked(dentry))
		return ERR_PTR(-ENOENT);
	return IS_ERR(path) ? path : path + (*path == '/');
}

static struct inode *dxs_heat_inode(struct dxs_heats *heats, u64 ino)
{
	struct inode *inode = NULL;
	struct dxs_heat *heat;

	xa_lock(&heats->files);
	heat = xa_load(&heats->files, ino);
	if (heat)
		inode = igrab(heat->inode);
	xa_unlock(&heats->files);
	return inode;
}

static char *dxs_heat_find(struct dxs_heat_session *s,
			   const struct daxstack_heat_name *arg, char *buf)
{
	char *path = ERR_PTR(-ENOENT);
	struct dentry *dentry;
	struct inode *inode;
	int err;

	err = dxs_heat_hold(s);
	if (err)
		return ERR_PTR(err);
	inode = dxs_heat_inode(&s->sbi->heats, arg->ino);
	if (inode && inode->i_generation == arg->generation) {
		dentry = d_find_alias(inode);
		if (dentry)
			path = dxs_heat_path(dentry, buf);
		dput(dentry);
	}
	iput(inode);
	mutex_unlock(&s->lock);
	return path;
}

static long dxs_heat_ioc_name(struct dxs_heat_session *s, void __user *uarg)
{
	struct daxstack_heat_name arg;
	char *buf, *path;
	long err = 0;
	size_t size;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	path = dxs_heat_find(s, &arg, buf);
	if (IS_ERR(path)) {
		err = PTR_ERR(path);
	} else {
		size = strlen(path) + 1;
		if (size > arg.size)
			err = -ENAMETOOLONG;
		else if (copy_to_user(u64_to_user_ptr(arg.name), path, size))
			err = -EFAULT;
	}
	kfree(buf);
	return err;
}

static long dxs_heat_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case DAXSTACK_IOC_HEAT_READ:
		return dxs_heat_ioc_read(file->private_data, uarg);
	case DAXSTACK_IOC_HEAT_NAME:
		return dxs_heat_ioc_name(file->private_data, uarg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations dxs_heat_fops = {
	.owner		= THIS_MODULE,
	.release	= dxs_heat_release,
	.unlocked_ioctl	= dxs_heat_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl	= compat_ptr_ioctl,
#endif
};

/**
 * dxs_ioc_heat_open() - DAXSTACK_IOC_HEAT_OPEN
 * @sb: of the stack; the caller has a file of it open
 * @uarg: the caller's argument
 *
 * Context: sleeps.
 * Return: a file descriptor, or a negative errno.
 */
long dxs_ioc_heat_open(struct super_block *sb, void __user *uarg)
{
	struct daxstack_heat_open arg;
	struct dxs_heat_session *s;
	int fd;

	/* A session reveals the use of files by all users. */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (arg.flags & ~DAXSTACK_HEAT_WINDOWS || arg.pad ||
	    memchr_inv(arg.reserved, 0, sizeof(arg.reserved)))
		return -EINVAL;
	s = kzalloc_obj(*s, GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock);
	s->sbi = DXS_SB(sb);
	s->windows = arg.flags & DAXSTACK_HEAT_WINDOWS;
	fd = dxs_heat_join(s);
	if (fd) {
		dxs_heat_free_session(s);
		return fd;
	}
	fd = anon_inode_getfd("[daxstack-heat]", &dxs_heat_fops, s,
			      O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		mutex_lock(&dxs_heat_lock);
		/* The caller's open file keeps the mount: s->sbi is still set. */
		dxs_heat_leave(s);
		mutex_unlock(&dxs_heat_lock);
		dxs_heat_free_session(s);
	}
	return fd;
}
