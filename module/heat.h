/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heat: calls and faults on each file, counted while the mount has a session
 * (heat_read.c).
 *
 * Every instruction counts here: docs/heat.md. While no mount has a session, each
 * hook is a static branch that is patched out. Otherwise the hook reaches the
 * counters of the local processor through ->i_private of the inode, which the stack
 * uses for nothing else.
 *
 * Counters are freed with the inode, or when the mount's last session ends: then a
 * grace period after ->i_private was cleared (H82). Tasks that count have preemption
 * disabled.
 */
#ifndef DXS_HEAT_H
#define DXS_HEAT_H

#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "../include/daxstack.h"

/* Words of a sketch. */
#define DXS_SKETCH_WORDS	(DAXSTACK_HEAT_SKETCH_BITS / 64)

/* Bits of ->waiting: enough that few faults find the bit of another window set. */
#define DXS_WAITING_BITS	1024

/**
 * struct dxs_heat_cpu - counters of one processor for one mode
 * @counts: calls, bytes, faults
 * @sketch: bitmap of the pages touched; see dxs_heat_hash()
 */
struct dxs_heat_cpu {
	struct daxstack_heat_counts counts;
	unsigned long sketch[DXS_SKETCH_WORDS];
};

/* Allocated per processor, indexed by mode. */
struct dxs_heat_modes {
	struct dxs_heat_cpu of[2];
};

/**
 * struct dxs_heat_window - pages that were unmapped to detect accesses
 * @start: index of the first page
 * @pages: number of pages: DAXSTACK_HEAT_WINDOW_PAGES, or those of a larger entry
 * @hit: one of the pages was touched since
 * @at: time of the unmapping, ns; once @hit, the time from there to the touch
 */
struct dxs_heat_window {
	pgoff_t start;
	u32 pages;
	bool hit;
	u64 at;
};

/**
 * struct dxs_heat_probe - the windows of a file
 * @nr: number of windows in use
 * @windows: the windows
 */
struct dxs_heat_probe {
	u32 nr;
	struct dxs_heat_window windows[DAXSTACK_HEAT_PROBES_MAX];
};

/**
 * struct dxs_heat - the counters of a file
 * @now: the entry of @modes for the file's current mode; changes with the gates
 *	closed
 * @mask: a page enters the sketch if these bits of its hash are 0; only a session
 *	with DAXSTACK_HEAT_WINDOWS changes it
 * @modes: per-processor counters; NULL if the file is only listed because it holds
 *	pages
 * @inode: inode of the stack; its ->i_private points here if @modes is set
 * @ino: index in ->files of struct dxs_heats
 * @shift: number of bits in @mask
 * @next: next entry on a list of counters to be freed
 * @switch_pages: pages in the mapping when the last switch began, 0 if it was not
 *	mapped
 * @refault_pages: @switch_pages of the last switch that changed the mode
 * @refault_base: number of faults before that switch
 * @probe_lock: protects @probe
 * @probe: the windows, NULL if the file was never probed
 * @waiting: windows that may wait for a touch, by dxs_heat_window_bit()
 */
struct dxs_heat {
	struct dxs_heat_cpu __percpu *now;
	u64 mask;
	struct dxs_heat_modes __percpu *modes;
	struct inode *inode;
	unsigned long ino;
	u8 shift;
	struct dxs_heat *next;
	u64 switch_pages;
	u64 refault_pages;
	u64 refault_base;
	raw_spinlock_t probe_lock; /* see above */
	struct dxs_heat_probe *probe;
	DECLARE_BITMAP(waiting, DXS_WAITING_BITS);
};

struct dxs_heat_session;
struct dxs_sb;

/**
 * struct dxs_heats - heat counters and sessions of a mount
 * @files: struct dxs_heat by inode number; its xa_lock also protects @on and stores
 *	to ->i_private
 * @on: the mount has a session
 * @ends: the mount is going away, no session can be opened any more
 * @sessions: all sessions; protected by dxs_heat_lock
 * @windows: the session that clears sketches and probes, or NULL; likewise
 */
struct dxs_heats {
	struct xarray files;
	bool on;
	bool ends;
	struct list_head sessions;
	struct dxs_heat_session *windows;
};

/*
 * Enabled while any mount has a session, and for a second after the last one:
 * patching code interrupts all processors, and sessions that come and go should not
 * cause that each time.
 */
extern struct static_key_false_deferred dxs_heat_key;

static __always_inline bool dxs_heat_counts(void)
{
	return static_branch_unlikely(&dxs_heat_key.key);
}

/* heat.c */
bool dxs_heat_make(struct inode *inode, bool counts, gfp_t gfp);
void dxs_heat_sum(const struct dxs_heat *heat, struct dxs_heat_modes *sum);
void dxs_heat_clear(struct dxs_heat *heat, const u64 *sketch);
u64 dxs_heat_faults(const struct dxs_heat_modes *sum);
void dxs_heat_start(struct dxs_heats *heats);
void dxs_heat_exit(void);
void dxs_heat_stop(struct dxs_heats *heats);
ssize_t dxs_heat_read_slow(struct inode *inode, loff_t end, ssize_t ret);
ssize_t dxs_heat_write_slow(const struct kiocb *iocb, struct inode *inode,
			    ssize_t ret);
void dxs_heat_fault_slow(struct inode *inode, pgoff_t pgoff, unsigned int pages,
			 bool write);
void __dxs_heat_mmap(struct inode *inode);
void dxs_heat_fsync_slow(struct inode *inode);
void __dxs_heat_evict(struct inode *inode);
void __dxs_heat_switching(struct inode *inode);
void __dxs_heat_switched(struct inode *inode);

/* heat_probe.c */
void dxs_heat_touch(struct dxs_heat *heat, pgoff_t pgoff);
void dxs_heat_tell_probe(struct dxs_heat *heat, struct daxstack_heat_file *file);
void dxs_heat_probe(struct dxs_heat *heat, unsigned int nr);

/* heat_read.c */
void dxs_heats_init(struct dxs_heats *heats);
long dxs_ioc_heat_open(struct super_block *sb, void __user *uarg);
void dxs_heat_del(struct dxs_sb *sbi);

/**
 * dxs_heat_hash() - hash of a page for the sketch
 * @page: index of the page
 *
 * The highest 8 bits select a bit of the sketch. The bits from DXS_HASH_LOW on decide
 * whether the page is sampled at all. Consecutive pages and pages at equal distances
 * are spread as if at random, and page 0 is treated like any other.
 */
static __always_inline u64 dxs_heat_hash(u64 page)
{
	u64 hash = page * 0x9e3779b97f4a7c15 + 0x5bd1e995;

	hash ^= hash >> 32;
	return hash * 0x9e3779b97f4a7c15;
}

#define DXS_HASH_LOW	24
#define DXS_HASH_BIT	56

/* The bit of ->waiting for the window that contains a page. */
static __always_inline unsigned int dxs_heat_window_bit(pgoff_t pgoff)
{
	return pgoff / DAXSTACK_HEAT_WINDOW_PAGES % DXS_WAITING_BITS;
}

/* Begins to count: disables preemption until dxs_heat_end(), unless this returns NULL. */
static __always_inline struct dxs_heat *dxs_heat_begin(const struct inode *inode)
{
	struct dxs_heat *heat;

	preempt_disable();
	/* Pairs with the release in dxs_heat_make(). */
	heat = smp_load_acquire(&inode->i_private);
	if (unlikely(!heat))
		preempt_enable();
	return heat;
}

static __always_inline void dxs_heat_end(void)
{
	preempt_enable();
}

/* Counters of this processor for the file's current mode. Context: inside a gate. */
static __always_inline struct dxs_heat_cpu *
dxs_heat_this(const struct dxs_heat *heat)
{
	return this_cpu_ptr(heat->now);
}

static __always_inline void dxs_heat_note(const struct dxs_heat *heat,
					  struct dxs_heat_cpu *cpu, u64 page)
{
	u64 hash = dxs_heat_hash(page);

	if (likely(!(hash & heat->mask)))
		__set_bit(hash >> DXS_HASH_BIT, cpu->sketch);
}

/**
 * dxs_heat_read() - count a read call
 * @inode: of the stack
 * @end: file position after the call
 * @ret: bytes read, or a negative errno, which is not counted
 *
 * Context: inside the I/O gate; any but atomic.
 * Return: @ret, so that the caller need not keep it.
 */
static __always_inline ssize_t dxs_heat_read(struct inode *inode,
					     loff_t end, ssize_t ret)
{
	struct dxs_heat_cpu *cpu;
	struct dxs_heat *heat;

	if (!dxs_heat_counts())
		return ret;
	if (unlikely(ret <= 0))
		return dxs_heat_read_slow(inode, end, ret);
	heat = dxs_heat_begin(inode);
	if (unlikely(!heat))
		return dxs_heat_read_slow(inode, end, ret);
	cpu = dxs_heat_this(heat);
	cpu->counts.reads++;
	cpu->counts.read_bytes += ret;
	dxs_heat_note(heat, cpu, (u64)(end - ret) >> PAGE_SHIFT);
	dxs_heat_end();
	return ret;
}

/**
 * dxs_heat_write() - count a write call
 * @iocb: of the call; ->ki_pos is the position after it
 * @inode: of the stack
 * @ret: bytes written, or a negative errno, which is not counted
 *
 * Context: as dxs_heat_read().
 * Return: @ret
 */
static __always_inline ssize_t dxs_heat_write(const struct kiocb *iocb,
					      struct inode *inode, ssize_t ret)
{
	struct dxs_heat_cpu *cpu;
	struct dxs_heat *heat;
	u64 page, end;

	if (!dxs_heat_counts())
		return ret;
	if (unlikely(ret <= 0))
		return dxs_heat_write_slow(iocb, inode, ret);
	heat = dxs_heat_begin(inode);
	if (unlikely(!heat))
		return dxs_heat_write_slow(iocb, inode, ret);
	cpu = dxs_heat_this(heat);
	cpu->counts.writes++;
	cpu->counts.write_bytes += ret;
	end = iocb->ki_pos;
	page = (end - ret) >> PAGE_SHIFT;
	cpu->counts.dirtied += ((end + PAGE_SIZE - 1) >> PAGE_SHIFT) - page;
	if (unlikely(iocb->ki_flags & IOCB_DSYNC))
		cpu->counts.fsyncs++;
	dxs_heat_note(heat, cpu, page);
	dxs_heat_end();
	return ret;
}

/* Results of a handler that did not serve the fault. */
#define DXS_NO_FAULT	(VM_FAULT_ERROR | VM_FAULT_RETRY | VM_FAULT_FALLBACK)

/**
 * dxs_heat_waits() - can a page be in a window that waits for a touch?
 * @heat: between dxs_heat_begin() and dxs_heat_end()
 * @pgoff: the page
 *
 * Return: true if dxs_heat_touch() has to be called.
 */
static __always_inline bool dxs_heat_waits(const struct dxs_heat *heat,
					   pgoff_t pgoff)
{
	return test_bit(dxs_heat_window_bit(pgoff), heat->waiting);
}

/**
 * dxs_heat_fault() - count a fault that was served
 * @heat: between dxs_heat_begin() and dxs_heat_end()
 * @pgoff: the page
 * @pages: number of pages that it maps
 * @write: the fault makes them dirty
 *
 * Context: inside the fault gate; does not sleep.
 */
static __always_inline void dxs_heat_fault(const struct dxs_heat *heat,
					   pgoff_t pgoff, unsigned int pages,
					   bool write)
{
	struct dxs_heat_cpu *cpu = dxs_heat_this(heat);

	if (write) {
		cpu->counts.write_faults++;
		cpu->counts.dirtied += pages;
	} else {
		cpu->counts.read_faults++;
	}
	dxs_heat_note(heat, cpu, pgoff);
}

/* Counts fsync(2) and its like. Context: inside the I/O gate. */
static __always_inline void dxs_heat_fsync(struct inode *inode)
{
	struct dxs_heat *heat;

	if (!dxs_heat_counts())
		return;
	heat = dxs_heat_begin(inode);
	if (unlikely(!heat)) {
		dxs_heat_fsync_slow(inode);
		return;
	}
	dxs_heat_this(heat)->counts.fsyncs++;
	dxs_heat_end();
}

/* Called before a file is mapped. Context: outside the gates; sleeps. */
static __always_inline void dxs_heat_mmap(struct inode *inode)
{
	if (dxs_heat_counts())
		__dxs_heat_mmap(inode);
}

/* Called when an inode is evicted. Context: no task is inside its gates. */
static __always_inline void dxs_heat_evict(struct inode *inode)
{
	if (dxs_heat_counts())
		__dxs_heat_evict(inode);
}

/* Called when a switch begins. Context: sleeps; only the switch lock is held. */
static __always_inline void dxs_heat_switching(struct inode *inode)
{
	if (dxs_heat_counts())
		__dxs_heat_switching(inode);
}

/* Called when the mode has changed. Context: the gates are closed. */
static __always_inline void dxs_heat_switched(struct inode *inode)
{
	if (dxs_heat_counts())
		__dxs_heat_switched(inode);
}

#endif /* DXS_HEAT_H */
