// SPDX-License-Identifier: GPL-2.0-only
/* Inodes of the stack: allocation, lookup by lower inode, eviction. */
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>
#include <linux/writeback.h>

#include "entry.h"
#include "copies.h"
#include "gates.h"
#include "mapping.h"
#include "pace.h"
#include "vfs.h"

static struct kmem_cache *dxs_inode_cachep;

static void dxs_inode_init_once(void *p)
{
	static struct lock_class_key key;
	struct dxs_inode *di = p;

	inode_init_once(&di->vfs_inode);
	lockdep_init_map(&di->switch_map, "switch_lock", &key, 0);
}

int __init dxs_init_inodecache(void)
{
	dxs_inode_cachep = kmem_cache_create("daxstack_inode",
					     sizeof(struct dxs_inode), 0,
					     SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
					     dxs_inode_init_once);
	return dxs_inode_cachep ? 0 : -ENOMEM;
}

void dxs_destroy_inodecache(void)
{
	/* Inodes are freed by RCU. */
	rcu_barrier();
	kmem_cache_destroy(dxs_inode_cachep);
}

struct inode *dxs_alloc_inode(struct super_block *sb)
{
	struct dxs_inode *di = alloc_inode_sb(sb, dxs_inode_cachep, GFP_KERNEL);

	if (!di)
		return NULL;
	di->lower = NULL;
	atomic_set(&di->sync_maps, 0);
	atomic_set(&di->splices, 0);
	di->dax_mapped = false;
	dxs_gates_none(di);
	di->switch_locked = false;
	di->switch_awaited = false;
	di->unseen_switch = false;
	di->wb_held = false;
	di->write_held = false;
	di->dax_turns = 0;
	di->switches = 0;
	atomic_set(&di->refusals, 0);
	di->copying = false;
	di->links_fixed = false;
	return &di->vfs_inode;
}

/* Called after a grace period: a task that has left a gate may still look at it. */
void dxs_free_inode(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);

	if (dxs_gates(inode))
		dxs_gates_destroy(&di->gates);
	kmem_cache_free(dxs_inode_cachep, di);
}

void dxs_evict_inode(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);
	struct inode *lower = di->lower;

	/* The data belongs to the lower inode; this mapping is always empty. */
	if (!mapping_empty(&inode->i_data))
		truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (!lower)
		return;
	/* H4: handlers of faults whose VMA is gone may still be inside. */
	if (dxs_gates(inode))
		dxs_gate_retire(&di->gates.fault);
	dxs_heat_evict(inode);
	if (di->write_held)
		put_write_access(lower);
	/* As dxs_flip_settle(): the lower inode may be loaded again at once. */
	if (!dxs_flip_is_settled(di))
		dxs_pace_grace();
	dxs_wb_evict(di);
	dxs_lower_put(DXS_SB(inode->i_sb), lower);
}

static int dxs_inode_test(struct inode *inode, void *lower)
{
	return DXS_I(inode)->lower == lower;
}

static int dxs_inode_set(struct inode *inode, void *lower)
{
	DXS_I(inode)->lower = igrab(lower);
	return DXS_I(inode)->lower ? 0 : -ESTALE;
}

/**
 * dxs_iget() - look up or allocate the inode of the stack for a lower inode
 * @sb: the stack
 * @lower: the lower inode, referenced by the caller
 *
 * Context: sleeps.
 * Return: a referenced inode, or an ERR_PTR: -ENOMEM, or -ESTALE if the lower inode is being
 * evicted.
 */
struct inode *dxs_iget(struct super_block *sb, struct inode *lower)
{
	struct inode *inode;

	inode = iget5_locked(sb, (unsigned long)lower, dxs_inode_test,
			     dxs_inode_set, lower);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!(inode_state_read_once(inode) & I_NEW))
		return inode;

	/* H80: ext4 and XFS have no ->permission, and dxs_permission() does not call it. */
	if (lower->i_op->permission) {
		iget_failed(inode);
		return ERR_PTR(-EIO);
	}
	inode->i_ino = lower->i_ino;
	inode->i_generation = lower->i_generation;
	inode->i_blkbits = lower->i_blkbits;
	dxs_copy_new(inode);
	if (S_ISREG(inode->i_mode))
		dxs_limit_folios(lower->i_mapping);

	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &dxs_file_iops;
		inode->i_fop = &dxs_file_fops;
		inode->i_mapping->a_ops = &dxs_aops;
		break;
	case S_IFDIR:
		inode->i_op = &dxs_dir_iops;
		inode->i_fop = &dxs_dir_fops;
		break;
	case S_IFLNK:
		inode->i_op = &dxs_symlink_iops;
		break;
	default:
		inode->i_op = &dxs_special_iops;
		init_special_inode(inode, inode->i_mode, lower->i_rdev);
	}
	/* The lower inode decides about permission: its ACLs are not copied. */
	inode->i_acl = ACL_DONT_CACHE;
	inode->i_default_acl = ACL_DONT_CACHE;
	unlock_new_inode(inode);
	return inode;
}
