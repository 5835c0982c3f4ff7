// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat: allocating, freeing and summing the counters of files, and the slow paths of
 * counting. See heat.h.
 *
 * xa_lock of ->files nests outside i_lock and inside all other locks. Nothing sleeps
 * with it held.
 */
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "entry.h"
#include "heat.h"
#include "tell.h"

DEFINE_STATIC_KEY_DEFERRED_FALSE(dxs_heat_key, HZ);

/* Counters removed from ->files per lock section when counting ends. */
#define DXS_HEAT_PIECE	64

/*
 * Linear counting is accurate up to twice as many pages as the sketch has bits. For a
 * larger file the sketch starts with a sample of the pages.
 */
#define DXS_SKETCH_MOST	(2 * DAXSTACK_HEAT_SKETCH_BITS)
#define DXS_SKETCH_SHIFT_MAX	30

static struct dxs_heats *dxs_heats_of(const struct inode *inode)
{
	return &DXS_SB(inode->i_sb)->heats;
}

static void dxs_heat_set_shift(struct dxs_heat *heat, unsigned int shift)
{
	heat->shift = shift;
	WRITE_ONCE(heat->mask, (BIT_ULL(shift) - 1) << DXS_HASH_LOW);
}

/* Context: either no task counts, or the mode cannot change. */
static void dxs_heat_set_mode(struct dxs_heat *heat)
{
	heat->now = (struct dxs_heat_cpu __percpu *)heat->modes +
		    dxs_mode(heat->inode);
}

static unsigned int dxs_heat_shift_for(const struct inode *inode)
{
	u64 pages = i_size_read(dxs_lower_inode(inode)) >> PAGE_SHIFT;
	unsigned int shift = 0;

	while (pages >> shift > DXS_SKETCH_MOST && shift < DXS_SKETCH_SHIFT_MAX)
		shift++;
	return shift;
}

static void dxs_heat_free(struct dxs_heat *heat)
{
	free_percpu(heat->modes);
	kfree(heat->probe);
	kfree(heat);
}

/* Charged to the memory cgroup of the task that uses the file first, as its gates are. */
#define DXS_GFP_HEAT	(__GFP_ACCOUNT | __GFP_NOWARN)

static struct dxs_heat *dxs_heat_alloc(struct inode *inode, gfp_t gfp)
{
	struct dxs_heat *heat = kzalloc_obj(*heat, gfp);

	if (!heat)
		return NULL;
	heat->inode = inode;
	heat->ino = dxs_lower_inode(inode)->i_ino;
	raw_spin_lock_init(&heat->probe_lock);
	dxs_heat_set_shift(heat, dxs_heat_shift_for(inode));
	return heat;
}

/*
 * Inserts @new as the counters of its inode.
 *
 * Context: xa_lock is held, and may be dropped and taken again.
 * Return: the inode's counters, @new or existing ones; NULL if counting has ended.
 */
static struct dxs_heat *dxs_heat_enter(struct dxs_heats *heats,
				       struct dxs_heat *new, gfp_t gfp)
{
	int err = __xa_insert(&heats->files, new->ino, new, gfp);

	if (err == -EBUSY)
		return xa_load(&heats->files, new->ino);
	if (err)
		return NULL;
	if (heats->on)
		return new;
	__xa_erase(&heats->files, new->ino);
	return NULL;
}

/**
 * dxs_heat_make() - allocate the counters of a file
 * @inode: of the stack, a regular file that is loaded
 * @counts: allocate per-processor counters; else only list the file for read-outs
 * @gfp: GFP_KERNEL, or GFP_NOWAIT from a fault (H83)
 *
 * Context: sleeps for memory with GFP_KERNEL; may be inside the gates, where the
 * lower filesystem allocates memory as well.
 * Return: true if the file has counters now. They stay valid as for dxs_heat_begin().
 */
bool dxs_heat_make(struct inode *inode, bool counts, gfp_t gfp)
{
	struct dxs_heats *heats = dxs_heats_of(inode);
	struct dxs_heat_modes __percpu *modes = NULL;
	struct dxs_heat *heat, *new;

	if (!READ_ONCE(heats->on))
		return false;
	gfp |= DXS_GFP_HEAT;
	if (counts) {
		modes = alloc_percpu_gfp(struct dxs_heat_modes, gfp);
		if (!modes)
			return false;
	}
	new = dxs_heat_alloc(inode, gfp);
	if (!new) {
		free_percpu(modes);
		return false;
	}
	xa_lock(&heats->files);
	heat = dxs_heat_enter(heats, new, gfp);
	if (heat && WARN_ON_ONCE(heat->inode != inode))
		heat = NULL;
	if (heat && counts && !heat->modes) {
		heat->modes = modes;
		modes = NULL;
		dxs_heat_set_mode(heat);
		/* Pairs with the acquire in dxs_heat_begin(). */
		smp_store_release(&inode->i_private, heat);
	}
	xa_unlock(&heats->files);
	free_percpu(modes);
	if (heat != new)
		kfree(new);
	return heat;
}

/**
 * dxs_heat_start() - begin to count
 * @heats: of the mount, whose first session begins
 *
 * Context: sleeps; one at a time.
 */
void dxs_heat_start(struct dxs_heats *heats)
{
	/*
	 * H82: turn on the key before counters may be allocated, so that every
	 * eviction frees them: some faults allocate counters without testing the key.
	 */
	static_branch_deferred_inc(&dxs_heat_key);
	dxs_watch_faults();
	xa_lock(&heats->files);
	heats->on = true;
	xa_unlock(&heats->files);
}

/* The module is unloaded: finish the deferred patching of its code. Context: sleeps. */
void dxs_heat_exit(void)
{
	static_key_deferred_flush(&dxs_heat_key);
	static_key_deferred_flush(&dxs_faults_key);
}

/*
 * Moves up to DXS_HEAT_PIECE counters from ->files to the head of @list. Return: the
 * new list.
 */
static struct dxs_heat *dxs_heat_take(struct dxs_heats *heats,
				      struct dxs_heat *list)
{
	XA_STATE(xas, &heats->files, 0);
	unsigned int taken = 0;
	struct dxs_heat *heat;

	xas_lock(&xas);
	xas_for_each(&xas, heat, ULONG_MAX) {
		xas_store(&xas, NULL);
		/*
		 * __dxs_heat_evict() has removed its counters already, or waits for
		 * this lock.
		 */
		if (heat->modes)
			WRITE_ONCE(heat->inode->i_private, NULL);
		heat->next = list;
		list = heat;
		if (++taken == DXS_HEAT_PIECE)
			break;
	}
	xas_unlock(&xas);
	return list;
}

/**
 * dxs_heat_stop() - stop counting
 * @heats: of the mount, whose last session ends
 *
 * H82: tasks that are counting have preemption disabled, so a grace period waits for
 * them. Inodes evicted meanwhile see the key still enabled and free their counters
 * themselves.
 *
 * Context: sleeps; serialized with dxs_heat_start() by the caller.
 */
void dxs_heat_stop(struct dxs_heats *heats)
{
	struct dxs_heat *list = NULL, *heat;

	xa_lock(&heats->files);
	heats->on = false;
	xa_unlock(&heats->files);
	while (!xa_empty(&heats->files)) {
		list = dxs_heat_take(heats, list);
		cond_resched();
	}
	synchronize_rcu();
	while (list) {
		heat = list;
		list = heat->next;
		dxs_heat_free(heat);
		cond_resched();
	}
	dxs_unwatch_faults();
	static_branch_slow_dec_deferred(&dxs_heat_key);
}

/* H82: the inode is about to be freed, and its counters point to it. */
void __dxs_heat_evict(struct inode *inode)
{
	struct dxs_heats *heats = dxs_heats_of(inode);
	unsigned long ino = dxs_lower_inode(inode)->i_ino;
	struct dxs_heat *heat;

	if (xa_empty(&heats->files))
		return;
	xa_lock(&heats->files);
	heat = xa_load(&heats->files, ino);
	if (heat && heat->inode == inode)
		__xa_erase(&heats->files, ino);
	else
		heat = NULL;
	inode->i_private = NULL;
	xa_unlock(&heats->files);
	if (heat)
		dxs_heat_free(heat);
}

/* --- Slow paths of counting. */

/*
 * Adds @add to the counters, allocating them first if needed. @page: the first of
 * @pages that were touched.
 */
static void dxs_heat_add(struct inode *inode,
			 const struct daxstack_heat_counts *add, u64 page,
			 unsigned int pages, gfp_t gfp)
{
	struct dxs_heat *heat = dxs_heat_begin(inode);
	const u64 *from = (const u64 *)add;
	struct dxs_heat_cpu *cpu;
	unsigned int i;
	u64 *to;

	if (!heat) {
		if (!dxs_heat_make(inode, true, gfp))
			return;
		heat = dxs_heat_begin(inode);
		if (!heat)
			return;
	}
	/* Only faults touch windows: reads and writes map no pages. */
	if (add->read_faults + add->write_faults &&
	    dxs_heat_waits(heat, page))
		dxs_heat_touch(heat, page);
	cpu = dxs_heat_this(heat);
	to = (u64 *)&cpu->counts;
	for (i = 0; i < sizeof(*add) / sizeof(*to); i++)
		to[i] += from[i];
	if (pages)
		dxs_heat_note(heat, cpu, page);
	dxs_heat_end();
}

ssize_t dxs_heat_read_slow(struct inode *inode, loff_t end, ssize_t ret)
{
	const struct daxstack_heat_counts add = {
		.reads = 1,
		.read_bytes = ret,
	};

	if (ret >= 0)
		dxs_heat_add(inode, &add,
			     (u64)(end - ret) >> PAGE_SHIFT, !!ret, GFP_KERNEL);
	return ret;
}

ssize_t dxs_heat_write_slow(const struct kiocb *iocb, struct inode *inode,
			    ssize_t ret)
{
	u64 end = iocb->ki_pos, page = (end - ret) >> PAGE_SHIFT;
	const struct daxstack_heat_counts add = {
		.writes = 1,
		.write_bytes = ret,
		.dirtied = DIV_ROUND_UP_ULL(end, PAGE_SIZE) - page,
		.fsyncs = !!(iocb->ki_flags & IOCB_DSYNC),
	};

	if (ret > 0)
		dxs_heat_add(inode, &add, page, 1, GFP_KERNEL);
	return ret;
}

/*
 * H83: the lower handler returns with the page locked, and ->map_pages runs under
 * RCU. A fault that slept for memory could wait for a writeback that waits for the
 * locked page. Most files get their counters in mmap.
 *
 * Context: inside the fault gate; does not sleep.
 */
void dxs_heat_fault_slow(struct inode *inode, pgoff_t pgoff, unsigned int pages,
			 bool write)
{
	const struct daxstack_heat_counts add = {
		.read_faults = !write,
		.write_faults = write,
		.dirtied = write ? pages : 0,
	};

	dxs_heat_add(inode, &add, pgoff, pages, GFP_NOWAIT);
}

void dxs_heat_fsync_slow(struct inode *inode)
{
	const struct daxstack_heat_counts add = { .fsyncs = 1 };

	dxs_heat_add(inode, &add, 0, 0, GFP_KERNEL);
}

/* Allocates counters where sleeping is allowed, so that faults need not. */
void __dxs_heat_mmap(struct inode *inode)
{
	if (!READ_ONCE(inode->i_private))
		dxs_heat_make(inode, true, GFP_KERNEL);
}

/* --- Faults caused by a switch. */

void __dxs_heat_switching(struct inode *inode)
{
	struct address_space *mapping = dxs_lower_inode(inode)->i_mapping;
	struct dxs_heat *heat;

	__dxs_heat_mmap(inode);
	heat = dxs_heat_begin(inode);
	if (!heat)
		return;
	heat->switch_pages = mapping_mapped(mapping) ?
		READ_ONCE(mapping->nrpages) : 0;
	dxs_heat_end();
}

/* Context: the gates are closed, so no task counts. */
void __dxs_heat_switched(struct inode *inode)
{
	struct dxs_heats *heats = dxs_heats_of(inode);
	struct dxs_heat_modes sum;
	struct dxs_heat *heat;

	/*
	 * mmap allocates counters outside the gates. xa_lock orders both: either mmap
	 * sees the new mode, or this function sees the counters.
	 */
	xa_lock(&heats->files);
	heat = inode->i_private;
	if (heat) {
		dxs_heat_sum(heat, &sum);
		WRITE_ONCE(heat->refault_base, dxs_heat_faults(&sum));
		WRITE_ONCE(heat->refault_pages, heat->switch_pages);
		dxs_heat_set_mode(heat);
	}
	xa_unlock(&heats->files);
}

/* --- Sums. */

static void dxs_heat_sum_one(const struct dxs_heat_cpu *one,
			     struct dxs_heat_cpu *sum)
{
	const u64 *from = (const u64 *)&one->counts;
	u64 *to = (u64 *)&sum->counts;
	unsigned int i;

	for (i = 0; i < sizeof(one->counts) / sizeof(*to); i++)
		to[i] += READ_ONCE(from[i]);
	for (i = 0; i < DXS_SKETCH_WORDS; i++)
		sum->sketch[i] |= READ_ONCE(one->sketch[i]);
}

/**
 * dxs_heat_sum() - sum the counters of all processors
 * @heat: the counters
 * @sum: the result
 *
 * Context: any; @heat is kept valid by the caller, as for dxs_heat_begin().
 */
void dxs_heat_sum(const struct dxs_heat *heat, struct dxs_heat_modes *sum)
{
	const struct dxs_heat_modes *modes;
	int cpu, mode;

	memset(sum, 0, sizeof(*sum));
	if (!heat->modes)
		return;
	for_each_possible_cpu(cpu) {
		modes = per_cpu_ptr(heat->modes, cpu);
		for (mode = 0; mode < ARRAY_SIZE(modes->of); mode++)
			dxs_heat_sum_one(&modes->of[mode], &sum->of[mode]);
	}
}

/**
 * dxs_heat_faults() - number of faults in both modes
 * @sum: result of dxs_heat_sum()
 */
u64 dxs_heat_faults(const struct dxs_heat_modes *sum)
{
	u64 faults = 0;
	int mode;

	for (mode = 0; mode < ARRAY_SIZE(sum->of); mode++)
		faults += sum->of[mode].counts.read_faults +
			  sum->of[mode].counts.write_faults;
	return faults;
}

/**
 * dxs_heat_clear() - begin a new sketch
 * @heat: the counters
 * @sketch: the sketch that was read, all processors' words combined
 *
 * If few bits were set, the new sketch samples a larger share of the pages; if most
 * were set, a smaller one. Pages touched concurrently may be lost, or enter the new
 * sketch by the old share.
 *
 * Context: serialized by the session lock.
 */
void dxs_heat_clear(struct dxs_heat *heat, const u64 *sketch)
{
	unsigned int shift = heat->shift, set = 0;
	struct dxs_heat_modes *modes;
	int cpu, mode, i;

	if (!heat->modes)
		return;
	for (i = 0; i < DXS_SKETCH_WORDS; i++)
		set += hweight64(sketch[i]);
	if (set < DAXSTACK_HEAT_SKETCH_BITS / 8 && shift)
		shift--;
	else if (set == DAXSTACK_HEAT_SKETCH_BITS)
		shift += 4;
	else if (set > DAXSTACK_HEAT_SKETCH_BITS * 7 / 8)
		shift++;
	dxs_heat_set_shift(heat, min(shift, dxs_heat_shift_for(heat->inode)));
	for_each_possible_cpu(cpu) {
		modes = per_cpu_ptr(heat->modes, cpu);
		for (mode = 0; mode < ARRAY_SIZE(modes->of); mode++)
			for (i = 0; i < DXS_SKETCH_WORDS; i++)
				WRITE_ONCE(modes->of[mode].sketch[i], 0);
	}
}
