/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two gates of a regular inode: see gates.c.
 */
#ifndef DXS_GATES_H
#define DXS_GATES_H

#include <linux/rcupdate.h>

#include "entry.h"

int dxs_make_gates(struct inode *inode);
int dxs_io_wait(struct inode *inode);
struct dxs_gates *dxs_switching_begin(struct inode *inode);
void dxs_switching_end(struct inode *inode);
void dxs_flip_settle(struct dxs_inode *di);

/* An inode is allocated, without gates. */
static inline void dxs_gates_none(struct dxs_inode *di)
{
	dxs_gate_unmade(&di->gates.io);
	di->gates.fault.bypassed = false;
	di->flip_rcu = get_completed_synchronize_rcu();
}

/*
 * Frees at once. Gates that were published must be freed after a grace period
 * (dxs_free_inode()), because a task that leaves a gate still looks at it.
 */
static inline void dxs_gates_destroy(struct dxs_gates *gates)
{
	dxs_gate_destroy(&gates->io);
	dxs_gate_destroy(&gates->fault);
}

/**
 * dxs_gates() - the gates of an inode
 * @inode: a regular inode of the stack
 *
 * Return: the gates, or NULL if the data was never touched.
 */
static inline struct dxs_gates *dxs_gates(const struct inode *inode)
{
	struct dxs_gates *gates = &DXS_I(inode)->gates;

	return dxs_gate_made(&gates->io) ? gates : NULL;
}

/**
 * dxs_io_enter() - begin a data call
 * @inode: a regular inode of the stack
 *
 * Context: sleeps while a switch has the I/O gate closed.
 * Return: 0 if inside, to be left by dxs_io_leave(); else -EINTR or -ENOMEM.
 */
static inline int __must_check dxs_io_enter(struct inode *inode)
{
	struct dxs_gate *gate = &DXS_I(inode)->gates.io;

	/* A gate that was not allocated yet is not open. */
	while (unlikely(!__dxs_gate_try_enter(gate))) {
		int err = dxs_io_wait(inode);

		if (err)
			return err;
	}
	rwsem_acquire_read(&gate->dep_map, 0, 0, _RET_IP_);
	return 0;
}

/**
 * dxs_io_leave() - end a data call
 * @inode: a regular inode of the stack
 */
static inline void dxs_io_leave(struct inode *inode)
{
	dxs_gate_leave(&DXS_I(inode)->gates.io);
}

/**
 * dxs_gated() - evaluate an expression inside the I/O gate
 * @of: a regular inode of the stack
 * @call: the expression, of type int, long or loff_t
 *
 * Context: as dxs_io_enter().
 * Return: @call, or the errno of dxs_io_enter().
 */
#define dxs_gated(of, call)				\
({							\
	struct inode *__inode = (of);			\
	typeof(call) __ret = dxs_io_enter(__inode);	\
							\
	if (!__ret) {					\
		__ret = (call);				\
		dxs_io_leave(__inode);			\
	}						\
	__ret;						\
})

/* Is the grace period that follows the last switch over? See dxs_flip_settle(). */
static inline bool dxs_flip_is_settled(const struct dxs_inode *di)
{
	return poll_state_synchronize_rcu(di->flip_rcu);
}

#endif /* DXS_GATES_H */
