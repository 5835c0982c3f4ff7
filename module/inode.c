// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes: how they come and go.
 */
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>
#include <linux/writeback.h>

#include "daxstack.h"

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
	di->gates.io.readers = NULL;
	atomic_set(&di->sync_maps, 0);
	atomic_set(&di->splices, 0);
	di->dax_mapped = false;
	di->gates.fault.bypassed = false;
	di->switch_locked = false;
	di->switch_awaited = false;
	di->unseen_switch = false;
	di->wb_held = false;
	di->write_held = false;
	di->flip_rcu = get_completed_synchronize_rcu();
	di->dax_turns = 0;
	di->switches = 0;
	atomic_set(&di->refusals, 0);
	di->copying = false;
	di->links_fixed = false;
	return &di->vfs_inode;
}

static void dxs_destroy_gates(struct dxs_gates *gates)
{
	dxs_gate_destroy(&gates->io);
	dxs_gate_destroy(&gates->fault);
}

/* By RCU: a reader that leaves a gate may still look at it. */
void dxs_free_inode(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);

	if (di->gates.io.readers)
		dxs_destroy_gates(&di->gates);
	kmem_cache_free(dxs_inode_cachep, di);
}

void dxs_evict_inode(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);
	struct inode *lower = di->lower;

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (!lower)
		return;
	/* H4: faults that lost their VMA are still in there. */
	if (dxs_gates(inode))
		dxs_gate_retire(&di->gates.fault);
	if (di->write_held)
		put_write_access(lower);
	dxs_flip_settle(di);
	dxs_wb_evict(di);
	dxs_lower_put(DXS_SB(inode->i_sb), lower);
}

/**
 * dxs_flip_settle() - wait out those who may still go by the old mode
 * @di: inode of the stack
 *
 * Some ask for the mode under RCU and act on it a moment later: a machine check
 * in persistent memory, which looks for DAX entries in the mapping, and cgroup
 * writeback (H31, H14). A grace period since the flip has to be over before the
 * mapping is filled anew, or the inode is let go.
 *
 * Context: sleeps, seldom.
 */
void dxs_flip_settle(struct dxs_inode *di)
{
	if (!poll_state_synchronize_rcu(di->flip_rcu))
		dxs_pace_grace();
}

static int dxs_init_gates(struct dxs_gates *gates)
{
	static struct lock_class_key io_key, fault_key;

	if (dxs_gate_init(&gates->io, "daxstack_io_gate", &io_key))
		return -ENOMEM;
	gates->io.kind = DXS_GATE_IO;
	if (!dxs_gate_init(&gates->fault, "daxstack_fault_gate", &fault_key)) {
		gates->fault.kind = DXS_GATE_FAULT;
		return 0;
	}
	dxs_gate_destroy(&gates->io);
	return -ENOMEM;
}

/* Gates that were made shut. */
static void dxs_open_new(struct dxs_gates *gates)
{
	dxs_gate_open_new(&gates->io);
	dxs_gate_open_new(&gates->fault);
}

/* They are there for others when the readers of the I/O gate are. */
static void dxs_publish_gates(struct dxs_inode *di, struct dxs_gates gates)
{
	int __percpu *readers = gates.io.readers;

	gates.io.readers = NULL;
	di->gates = gates;
	/* Pairs with the acquire in dxs_gates(). */
	smp_store_release(&di->gates.io.readers, readers);
}

/**
 * dxs_make_gates() - the gates of an inode whose data is about to be touched
 * @inode: a regular inode of the stack
 *
 * The gates exist from now on. They begin shut if those who go by the mode before
 * a switch are still about (H31), or if a switch is under way that found no gates
 * to shut. That one opens them at its end; in all other cases they are opened
 * here, whatever switch has begun meanwhile: it shuts and opens them by itself
 * (H40). With them goes a share of the lower i_writecount,
 * which keeps khugepaged from collapsing mappings of the file behind our back
 * (H16). Who executes the lower file around us denies it; the switch asks
 * again, and is refused then.
 *
 * Context: sleeps for memory; may be called with mmap_lock held.
 * Return: 0 or -ENOMEM.
 */
int dxs_make_gates(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);
	struct dxs_gates gates;
	bool shut;

	if (dxs_init_gates(&gates))
		return -ENOMEM;

	spin_lock(&inode->i_lock);
	if (dxs_gates(inode)) {
		/* Someone else was first; nobody has seen ours. */
		spin_unlock(&inode->i_lock);
		dxs_destroy_gates(&gates);
		return 0;
	}
	shut = di->unseen_switch || !poll_state_synchronize_rcu(di->flip_rcu);
	dxs_gate_new(&gates.io, shut, true);
	/* dxs_map_gated() uses it before anybody else. */
	dxs_gate_new(&gates.fault, shut, false);
	if (!di->write_held)
		di->write_held = !get_write_access(di->lower);
	dxs_publish_gates(di, gates);
	spin_unlock(&inode->i_lock);

	if (shut) {
		dxs_flip_settle(di);
		spin_lock(&inode->i_lock);
		if (!di->unseen_switch)
			dxs_open_new(&di->gates);
		spin_unlock(&inode->i_lock);
	}
	return 0;
}

/**
 * dxs_switching_begin() - a switch begins
 * @inode: of the stack
 *
 * Context: the switch lock is held.
 * Return: the gates that the switch has to shut, and to open. NULL if there are
 * none: then data was not touched, and is not until dxs_switching_end().
 */
struct dxs_gates *dxs_switching_begin(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);
	struct dxs_gates *gates;

	spin_lock(&inode->i_lock);
	gates = dxs_gates(inode);
	di->unseen_switch = !gates;
	spin_unlock(&inode->i_lock);
	return gates;
}

/**
 * dxs_switching_end() - a switch has ended, in whatever way
 * @inode: of the stack
 *
 * What the switch shut it has opened by now. Gates that were made meanwhile are
 * left to it by who made them, for as long as @unseen_switch is set.
 *
 * Context: the switch lock is held.
 */
void dxs_switching_end(struct inode *inode)
{
	struct dxs_inode *di = DXS_I(inode);
	bool made;

	spin_lock(&inode->i_lock);
	made = di->unseen_switch && dxs_gates(inode);
	if (!made)
		di->unseen_switch = false;
	spin_unlock(&inode->i_lock);
	if (!made)
		return;

	dxs_flip_settle(di);
	spin_lock(&inode->i_lock);
	di->unseen_switch = false;
	dxs_open_new(&di->gates);
	spin_unlock(&inode->i_lock);
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
 * dxs_iget() - the stack's inode of a lower inode
 * @sb: the stack
 * @lower: the lower inode, referenced by the caller
 *
 * Context: sleeps.
 * Return: a referenced inode, or an ERR_PTR: -ENOMEM, or -ESTALE for a lower
 * inode that is going away.
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
	/* Permission is the lower inode's to give: no copies of its ACLs. */
	inode->i_acl = ACL_DONT_CACHE;
	inode->i_default_acl = ACL_DONT_CACHE;
	unlock_new_inode(inode);
	return inode;
}
