// SPDX-License-Identifier: GPL-2.0
/*
 * The gates: the paths that wait. See gate.h for how they are right.
 */
#include <linux/error-injection.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>

#include "gate.h"
#include "trace.h"

static int dxs_gate_readers(struct dxs_gate *gate)
{
	int cpu, sum = 0;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(gate->readers, cpu));
	/* Pairs with the barrier in dxs_gate_leave_slow(). */
	smp_mb();
	return sum;
}

/**
 * dxs_gate_init() - make a gate
 * @gate: the gate
 * @name: for lockdep
 * @key: for lockdep, one for all gates of a kind
 *
 * Tests make it fail (tests/faults): other fault injection does not reach what
 * alloc_percpu() takes.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int dxs_gate_init(struct dxs_gate *gate, const char *name,
		  struct lock_class_key *key)
{
	gate->readers = alloc_percpu(int);
	if (!gate->readers)
		return -ENOMEM;
	gate->shut = false;
	lockdep_init_map(&gate->dep_map, name, key, 0);
	return 0;
}

ALLOW_ERROR_INJECTION(dxs_gate_init, ERRNO);

/**
 * dxs_gate_destroy() - free what dxs_gate_init() made
 * @gate: a gate without readers, a grace period after the last one left
 */
void dxs_gate_destroy(struct dxs_gate *gate)
{
	free_percpu(gate->readers);
}

/**
 * dxs_gate_wait() - wait until the gate looks open
 * @gate: the gate
 *
 * Context: sleeps; the caller is not inside this gate.
 * Return: 0 when it is worth trying to enter, -EINTR on a fatal signal.
 */
int dxs_gate_wait(struct dxs_gate *gate)
{
	int err;

	trace_daxstack_gate_wait(gate);
	err = wait_var_event_killable(&gate->shut, !READ_ONCE(gate->shut));
	return err ? -EINTR : 0;
}

/* The gate is shut: someone waits for us. Called with preemption disabled. */
void dxs_gate_leave_slow(struct dxs_gate *gate)
{
	/* What was done inside comes before the decrement. */
	smp_mb();
	this_cpu_dec(*gate->readers);
	/* Pairs with prepare_to_wait_event() in dxs_gate_drain(). */
	smp_mb();
	wake_up_var(&gate->readers);
}

/* As wait_event_interruptible_timeout(): what is left, 0, or -ERESTARTSYS. */
static long dxs_gate_drain(struct dxs_gate *gate, long timeout)
{
	might_sleep();
	return ___wait_var_event(&gate->readers,
				 ___wait_cond_timeout(!dxs_gate_readers(gate)),
				 TASK_INTERRUPTIBLE, 0, timeout,
				 __ret = schedule_timeout(__ret));
}

/**
 * dxs_gate_shut() - keep new readers out and wait for those inside to leave
 * @gate: an open gate
 * @timeout: how long to wait, in jiffies
 *
 * Context: sleeps. The inode's switch lock is held. On failure the gate is
 * open again.
 * Return: 0, -ETIMEDOUT, or -EINTR if a signal came first.
 */
int dxs_gate_shut(struct dxs_gate *gate, long timeout)
{
	long left;

	rwsem_acquire(&gate->dep_map, 0, 0, _RET_IP_);
	WRITE_ONCE(gate->shut, true);
	synchronize_rcu_expedited();
	left = dxs_gate_drain(gate, timeout);
	if (left > 0)
		return 0;
	dxs_gate_open(gate);
	return left ? -EINTR : -ETIMEDOUT;
}

/**
 * __dxs_gate_open() - open a gate that was made shut
 * @gate: the gate
 *
 * Context: does not sleep.
 */
void __dxs_gate_open(struct dxs_gate *gate)
{
	/* Pairs with the acquire in __dxs_gate_try_enter(). */
	smp_store_release(&gate->shut, false);
	/* Pairs with prepare_to_wait_event() in dxs_gate_wait(). */
	smp_mb();
	wake_up_var(&gate->shut);
}

/**
 * dxs_gate_open() - let readers in again
 * @gate: a gate that dxs_gate_shut() shut
 *
 * Context: does not sleep.
 */
void dxs_gate_open(struct dxs_gate *gate)
{
	rwsem_release(&gate->dep_map, _RET_IP_);
	__dxs_gate_open(gate);
}

/**
 * dxs_gate_retire() - wait for the last readers of an inode that goes away
 * @gate: an open gate that nobody can come to any more
 *
 * A fault that gave up the mmap_lock in the lower filesystem may have lost its
 * VMA and with it the file and the inode (H4): the count that it left here
 * keeps the inode until it is through.
 *
 * Context: sleeps if there is such a reader. The gate stays shut.
 */
void dxs_gate_retire(struct dxs_gate *gate)
{
	WRITE_ONCE(gate->shut, true);
	if (likely(!dxs_gate_readers(gate)))
		return;
	synchronize_rcu_expedited();
	wait_var_event(&gate->readers, !dxs_gate_readers(gate));
}
