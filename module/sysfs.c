// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/fs/daxstack/DEV/: properties of a mount and statistics of its switches; see
 * docs/ABI/sysfs-fs-daxstack.
 *
 * All users can read it, so it has sums only. The use of a single file is reported by
 * DAXSTACK_IOC_STATE to its owner, CAP_FOWNER, and tasks that may write to it.
 */
#include <linux/completion.h>
#include <linux/kobject.h>
#include <linux/sched/signal.h>
#include <linux/sysfs.h>

#include "entry.h"
#include "lower.h"
#include "mapping.h"
#include "super.h"
#include "switch.h"

static struct kset *dxs_kset;

/**
 * struct dxs_attr - a file in the directory of a mount
 * @attr: for sysfs
 * @show: prints the value
 * @arg: argument of @show: a mode, a reason, an option, or an offset in struct
 *	dxs_stats
 */
struct dxs_attr {
	struct attribute attr;
	ssize_t (*show)(struct dxs_sb *sbi, int arg, char *buf);
	int arg;
};

#define DXS_ATTR(_name, _show, _arg)		\
static struct dxs_attr dxs_attr_##_name = {	\
	.attr = { .name = #_name, .mode = 0444 },	\
	.show = _show,				\
	.arg = _arg,				\
}

/* --- The mount. */

static ssize_t dxs_show_lower_type(struct dxs_sb *sbi, int arg, char *buf)
{
	return sysfs_emit(buf, "%s\n", sbi->lower_mnt->mnt_sb->s_type->name);
}

static ssize_t dxs_show_dev(dev_t dev, char *buf)
{
	return sysfs_emit(buf, "%u:%u\n", MAJOR(dev), MINOR(dev));
}

static ssize_t dxs_show_lower_dev(struct dxs_sb *sbi, int arg, char *buf)
{
	return dxs_show_dev(sbi->lower_mnt->mnt_sb->s_dev, buf);
}

static ssize_t dxs_show_stack_dev(struct dxs_sb *sbi, int arg, char *buf)
{
	return dxs_show_dev(sbi->sb->s_dev, buf);
}

static ssize_t dxs_show_option(struct dxs_sb *sbi, int arg, char *buf)
{
	return sysfs_emit(buf, "%s\n", dxs_option(sbi, arg));
}

static ssize_t dxs_show_kernel_tested(struct dxs_sb *sbi, int arg, char *buf)
{
	return sysfs_emit(buf, "%d\n", dxs_kernel_is_tested());
}

/* --- Loaded files. */

/* Number of inodes visited per section under s_inode_list_lock. */
#define DXS_WALK_PIECE	64

/**
 * struct dxs_loaded - sums over the regular files with an inode in memory
 * @files: number of files, by mode
 * @cached: size of the page cache of files in cached mode, in pages
 */
struct dxs_loaded {
	u64 files[2];
	u64 cached;
};

/*
 * An inode on s_inodes still has its lower inode: evict() removes it from the list
 * before ->evict_inode.
 */
static void dxs_add_loaded(struct dxs_loaded *sum, const struct inode *inode)
{
	const struct inode *lower = dxs_lower_inode(inode);
	int mode = dxs_mode(inode);

	if (!S_ISREG(lower->i_mode))
		return;
	sum->files[mode]++;
	if (mode == DAXSTACK_CACHED)
		sum->cached += READ_ONCE(lower->i_mapping->nrpages);
}

/*
 * Unmounting waits for all readers (H78). Any user may start readers, and each of
 * them may have a walk over all inodes ahead of it: all walks end early on unmount.
 */
static int dxs_walk_ends(const struct dxs_sb *sbi)
{
	if (READ_ONCE(sbi->walks_end))
		return -ENODEV;
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/*
 * Opening and caching files update no counters; the reader pays for the sums instead.
 * Many readers may come, and creating a file needs s_inode_list_lock as well. So one
 * reader walks at a time, and drops the lock every DXS_WALK_PIECE inodes, holding a
 * reference to an inode to keep its place. The reference has to be dropped before the
 * superblock goes away (H78).
 */
static int dxs_sum_loaded(struct dxs_sb *sbi, struct dxs_loaded *sum)
{
	struct super_block *sb = sbi->sb;
	struct inode *inode, *held = NULL;
	unsigned int seen = 0;
	int err;

	err = mutex_lock_interruptible(&sbi->walk_lock);
	if (err)
		return err;
	err = dxs_walk_ends(sbi);
	if (err)
		goto out;
	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		dxs_add_loaded(sum, inode);
		if (++seen < DXS_WALK_PIECE || !igrab(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);
		iput(held);
		held = inode;
		seen = 0;
		cond_resched();
		err = dxs_walk_ends(sbi);
		spin_lock(&sb->s_inode_list_lock);
		if (err)
			break;
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(held);
out:
	mutex_unlock(&sbi->walk_lock);
	return err;
}

static ssize_t dxs_show_files(struct dxs_sb *sbi, int mode, char *buf)
{
	struct dxs_loaded sum = {};
	int err = dxs_sum_loaded(sbi, &sum);

	return err ?: sysfs_emit(buf, "%llu\n", sum.files[mode]);
}

static ssize_t dxs_show_bytes_cached(struct dxs_sb *sbi, int arg, char *buf)
{
	struct dxs_loaded sum = {};
	int err = dxs_sum_loaded(sbi, &sum);

	return err ?: sysfs_emit(buf, "%llu\n", sum.cached << PAGE_SHIFT);
}

/* --- Statistics of switches. */

static ssize_t dxs_show_count(struct dxs_sb *sbi, int offset, char *buf)
{
	const atomic64_t *count = (void *)&sbi->stats + offset;

	return sysfs_emit(buf, "%llu\n", (u64)atomic64_read(count));
}

static ssize_t dxs_show_refusals(struct dxs_sb *sbi, int reason, char *buf)
{
	return dxs_show_count(sbi, offsetof(struct dxs_stats, refusals[reason]),
			      buf);
}

static ssize_t dxs_show_refusals_total(struct dxs_sb *sbi, int arg, char *buf)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < DAXSTACK_REASON_COUNT; i++)
		sum += atomic64_read(&sbi->stats.refusals[i]);
	return sysfs_emit(buf, "%llu\n", sum);
}

/* --- The directory. */

/* Indexed by reason. The entry for NONE only provides its name. */
#define DXS_REFUSALS(_name, err, text)				\
	{							\
		.attr = { .name = #_name, .mode = 0444 },	\
		.show = dxs_show_refusals,			\
		.arg = DAXSTACK_REASON_##_name,			\
	},
static struct dxs_attr dxs_refusals[] = {
	DAXSTACK_REASONS(DXS_REFUSALS)
};

/* The reason why no file of the mount can be switched at the moment. */
static ssize_t dxs_show_no_switch(struct dxs_sb *sbi, int arg, char *buf)
{
	const struct super_block *lower = sbi->lower_mnt->mnt_sb;
	enum daxstack_reason reason;

	reason = dxs_no_switch(sbi->sb, READ_ONCE(sbi->policy)) ?:
		dxs_others(lower);
	/* dxs_no_switch() does not check this; an attempt would. */
	if (!reason && !dxs_has_memory(lower))
		reason = DAXSTACK_REASON_DEVICE_GONE;
	return sysfs_emit(buf, "%s\n", dxs_refusals[reason].attr.name);
}

#define DXS_STAT(member)	offsetof(struct dxs_stats, member)

DXS_ATTR(lower_type, dxs_show_lower_type, 0);
DXS_ATTR(lower_dev, dxs_show_lower_dev, 0);
DXS_ATTR(dev, dxs_show_stack_dev, 0);
DXS_ATTR(switch, dxs_show_option, DXS_OPT_SWITCH);
DXS_ATTR(inherit, dxs_show_option, DXS_OPT_INHERIT);
DXS_ATTR(dax, dxs_show_option, DXS_OPT_DAX);
DXS_ATTR(no_switch, dxs_show_no_switch, 0);
DXS_ATTR(kernel_tested, dxs_show_kernel_tested, 0);
DXS_ATTR(files_dax, dxs_show_files, DAXSTACK_DAX);
DXS_ATTR(files_cached, dxs_show_files, DAXSTACK_CACHED);
DXS_ATTR(bytes_cached, dxs_show_bytes_cached, 0);
DXS_ATTR(switches_to_dax, dxs_show_count, DXS_STAT(switches[DAXSTACK_DAX]));
DXS_ATTR(switches_to_cached, dxs_show_count,
	 DXS_STAT(switches[DAXSTACK_CACHED]));
DXS_ATTR(deferred, dxs_show_count, DXS_STAT(deferred));
DXS_ATTR(pages_written, dxs_show_count, DXS_STAT(pages));
DXS_ATTR(gates_shut_max_ns, dxs_show_count, DXS_STAT(shut_max_ns));
DXS_ATTR(total, dxs_show_refusals_total, 0);

static struct attribute *dxs_attrs[] = {
	&dxs_attr_lower_type.attr,
	&dxs_attr_lower_dev.attr,
	&dxs_attr_dev.attr,
	&dxs_attr_switch.attr,
	&dxs_attr_inherit.attr,
	&dxs_attr_dax.attr,
	&dxs_attr_no_switch.attr,
	&dxs_attr_kernel_tested.attr,
	&dxs_attr_files_dax.attr,
	&dxs_attr_files_cached.attr,
	&dxs_attr_bytes_cached.attr,
	&dxs_attr_switches_to_dax.attr,
	&dxs_attr_switches_to_cached.attr,
	&dxs_attr_deferred.attr,
	&dxs_attr_pages_written.attr,
	&dxs_attr_gates_shut_max_ns.attr,
	NULL
};

/* One file for each reason, and the total in the slot of NONE; NULL at the end. */
static struct attribute *dxs_refusal_attrs[DAXSTACK_REASON_COUNT + 1];

static const struct attribute_group dxs_group = {
	.attrs = dxs_attrs,
};

static const struct attribute_group dxs_refusal_group = {
	.name = "refusals",
	.attrs = dxs_refusal_attrs,
};

static const struct attribute_group *dxs_groups[] = {
	&dxs_group,
	&dxs_refusal_group,
	NULL
};

static ssize_t dxs_sysfs_show(struct kobject *kobj, struct attribute *attr,
			      char *buf)
{
	const struct dxs_attr *of = container_of(attr, struct dxs_attr, attr);

	return of->show(container_of(kobj, struct dxs_sb, kobj), of->arg, buf);
}

static const struct sysfs_ops dxs_sysfs_ops = {
	.show = dxs_sysfs_show,
};

static void dxs_sysfs_release(struct kobject *kobj)
{
	complete(&container_of(kobj, struct dxs_sb, kobj)->kobj_released);
}

static const struct kobj_type dxs_ktype = {
	.default_groups = dxs_groups,
	.sysfs_ops = &dxs_sysfs_ops,
	.release = dxs_sysfs_release,
};

/**
 * dxs_sysfs_add() - show a mount in /sys/fs/daxstack
 * @sbi: the mount, complete
 *
 * The directory has the name of the lower superblock's directory in /sys/fs/ext4 or
 * /sys/fs/xfs; it is unique because a lower filesystem has one stack only (H50). If
 * it cannot be created, the mount still works.
 *
 * Context: sleeps.
 */
void dxs_sysfs_add(struct dxs_sb *sbi)
{
	const char *id = sbi->lower_mnt->mnt_sb->s_id;
	int err;

	init_completion(&sbi->kobj_released);
	sbi->kobj.kset = dxs_kset;
	err = kobject_init_and_add(&sbi->kobj, &dxs_ktype, NULL, "%s", id);
	if (err)
		pr_warn("%s: no directory in /sys/fs/daxstack: %d\n", id, err);
	else
		kobject_uevent(&sbi->kobj, KOBJ_ADD);
}

/**
 * dxs_sysfs_del() - undo dxs_sysfs_add(), if it was called
 * @sbi: the mount, still complete
 *
 * H78: readers of the files use the lower superblock and hold inodes. This waits for
 * readers under way, and admits no new ones.
 *
 * Context: sleeps.
 */
void dxs_sysfs_del(struct dxs_sb *sbi)
{
	if (!sbi->kobj.state_initialized)
		return;
	WRITE_ONCE(sbi->walks_end, true);
	/* If kobject_init_and_add() failed, there is no directory to remove. */
	if (sbi->kobj.state_in_sysfs)
		kobject_del(&sbi->kobj);
	kobject_put(&sbi->kobj);
	wait_for_completion(&sbi->kobj_released);
}

int __init dxs_init_sysfs(void)
{
	int i;

	for (i = DAXSTACK_REASON_NONE + 1; i < DAXSTACK_REASON_COUNT; i++)
		dxs_refusal_attrs[i] = &dxs_refusals[i].attr;
	dxs_refusal_attrs[DAXSTACK_REASON_NONE] = &dxs_attr_total.attr;
	dxs_kset = kset_create_and_add("daxstack", NULL, fs_kobj);
	return dxs_kset ? 0 : -ENOMEM;
}

void dxs_exit_sysfs(void)
{
	kset_unregister(dxs_kset);
}
