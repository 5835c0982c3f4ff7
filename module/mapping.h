/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mapping of a lower inode, and how long the lower inode is kept: what a switch
 * looks at, writes back and drops.
 */
#ifndef DXS_MAPPING_H
#define DXS_MAPPING_H

#include <linux/pagemap.h>

#include "entry.h"

/*
 * Are there references to a folio other than those of the page cache, its buffers, page
 * tables, and @own ones? An LRU batch counts as such a reference.
 */
static inline bool dxs_folio_held(struct folio *folio, int own)
{
	int refs = folio_ref_count(folio);

	/*
	 * Read the references first: an unmap in between then makes it look held, not
	 * free.
	 */
	smp_rmb();
	return refs > folio_nr_pages(folio) + own + folio_has_private(folio) +
		      folio_mapcount(folio);
}

/* entries.c */

u64 dxs_dirty_pages(struct address_space *mapping);
bool dxs_mapped(struct address_space *mapping);
bool dxs_memory_hold(const struct super_block *lower, int *id);
void dxs_memory_release(int id);

/* Is the device's memory there at this moment? See dxs_memory_hold(). */
static inline bool dxs_has_memory(const struct super_block *lower)
{
	int id;

	if (!dxs_memory_hold(lower, &id))
		return false;
	dxs_memory_release(id);
	return true;
}

bool dxs_pinned(struct address_space *mapping);
bool dxs_folio_looks_held(struct address_space *mapping, pgoff_t index);
bool dxs_drop_entries(struct address_space *mapping);
int dxs_write_entries(struct address_space *mapping);

/* drain.c */
bool dxs_drain(struct file *file, long timeout);
bool dxs_drains(const struct address_space *mapping);

/* Interval at which the worker checks lingering inodes and spared folios. */
#define DXS_LINGER	HZ

/**
 * dxs_linger_soon() - have the worker look for lower inodes that can be released
 * @sbi: the mount
 *
 * It looks within DXS_LINGER.
 *
 * Context: any.
 */
static inline void dxs_linger_soon(struct dxs_sb *sbi)
{
	queue_delayed_work(dxs_wq, &sbi->linger_work, DXS_LINGER);
}

/*
 * H32: write the inode now, as a cached dentry may hold the last reference, which
 * reclaim drops.
 *
 * Context: no switch is in progress, and none begins (H41).
 */
static inline void dxs_write_marked(struct inode *lower)
{
	if (inode_state_read_once(lower) & I_DONTCACHE && lower->i_nlink)
		write_inode_now(lower, 1);
}

/**
 * dxs_lower_release() - release a lower inode that others may use by now
 * @lower: the reference is consumed
 *
 * Context: sleeps; not from reclaim.
 */
static inline void dxs_lower_release(struct inode *lower)
{
	struct super_block *sb = lower->i_sb;

	down_read(&sb->s_umount);
	dxs_write_marked(lower);
	up_read(&sb->s_umount);
	iput(lower);
}

/* spare.c */
struct dxs_spared *dxs_spare_begin(struct dxs_sb *sbi, const struct inode *lower);
struct dxs_spared *dxs_spare_locked(struct dxs_spared *spared, struct inode *lower);
bool dxs_spare_held(struct dxs_spared *spared);
void dxs_spare_end(struct dxs_sb *sbi, struct dxs_spared *spared);
bool dxs_spare_look(struct dxs_sb *sbi, bool all);

/* linger.c */
void dxs_lower_put(struct dxs_sb *sbi, struct inode *lower);
void dxs_linger_init(struct dxs_sb *sbi);
void dxs_linger_end(struct dxs_sb *sbi);

/* writeback.c */
bool dxs_wb_hold(struct dxs_inode *di);
void dxs_wb_release(struct dxs_inode *di);
void dxs_wb_evict(struct dxs_inode *di);

#endif /* DXS_MAPPING_H */
