// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two gates of a regular inode: their allocation, and what enters, opens and outlives
 * them. A gate by itself is in gate.c.
 */
#include "entry.h"
#include "gates.h"
#include "pace.h"

/**
 * dxs_flip_settle() - wait for tasks that may still act on the old mode
 * @di: inode of the stack
 *
 * Some tasks read the mode under RCU and act on it a moment later: a machine check in
 * persistent memory, which looks for DAX entries in the mapping, and cgroup writeback
 * (H31, H14). A grace period must pass between the flip and the moment when the mapping is
 * filled again or the inode is released.
 *
 * Context: may sleep, but seldom does.
 */
void dxs_flip_settle(struct dxs_inode *di)
{
	if (!dxs_flip_is_settled(di))
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

/* Open gates that started out closed. */
static void dxs_open_new(struct dxs_gates *gates)
{
	dxs_gate_open_new(&gates->io);
	dxs_gate_open_new(&gates->fault);
}

/* Make the gates visible: the I/O gate last, as dxs_gates() reads that one. */
static void dxs_publish_gates(struct dxs_inode *di,
			      const struct dxs_gates *gates)
{
	di->gates.fault = gates->fault;
	dxs_gate_publish(&di->gates.io, &gates->io);
}

/**
 * dxs_make_gates() - allocate the gates of an inode whose data is about to be touched
 * @inode: a regular inode of the stack
 *
 * The gates start out closed if tasks may still act on the mode before the last switch
 * (H31), or if a switch is in progress that found no gates to close. That switch opens
 * them when it ends; in all other cases this function opens them, whatever switch has
 * begun in between: such a switch closes and opens them by itself (H40).
 *
 * The stack also takes i_writecount of the lower inode, which keeps khugepaged from
 * collapsing mappings of the file unseen (H16). That fails while a task executes the lower
 * file through another mount; the switch tries again, and is refused if it still fails.
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
		/* Another task was first, and none has seen these. */
		spin_unlock(&inode->i_lock);
		dxs_gates_destroy(&gates);
		return 0;
	}
	shut = di->unseen_switch || !dxs_flip_is_settled(di);
	dxs_gate_new(&gates.io, shut);
	dxs_gate_new(&gates.fault, shut);
	if (!di->write_held)
		di->write_held = !get_write_access(di->lower);
	dxs_publish_gates(di, &gates);
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
 * dxs_io_wait() - allocate the gates, or wait until the I/O gate opens
 * @inode: a regular inode of the stack
 *
 * Context: as dxs_io_enter().
 * Return: 0 if the caller should try again, or -EINTR or -ENOMEM.
 */
int dxs_io_wait(struct inode *inode)
{
	struct dxs_gates *gates = dxs_gates(inode);

	if (!gates)
		return dxs_make_gates(inode);
	/* Before the wait, so that lockdep warns of a deadlock. */
	rwsem_acquire_read(&gates->io.dep_map, 0, 0, _RET_IP_);
	rwsem_release(&gates->io.dep_map, _RET_IP_);
	return dxs_gate_wait(&gates->io);
}

/**
 * dxs_switching_begin() - a switch begins
 * @inode: of the stack
 *
 * Context: the switch lock is held.
 * Return: the gates, which the switch must close and open. NULL if there are none: data was
 * not touched, and is not touched until dxs_switching_end().
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
 * dxs_switching_end() - a switch has ended, successfully or not
 * @inode: of the stack
 *
 * The switch has opened by now the gates that it closed. Gates that were allocated in
 * between are left closed by dxs_make_gates(), as @unseen_switch is set: open them.
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
