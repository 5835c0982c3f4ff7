// SPDX-License-Identifier: GPL-2.0
/*
 * The gates: the paths that wait. See gate.h for how they are right.
 */
#include <linux/error-injection.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>

#include "gate.h"
#include "tell.h"
#include "wait.h"

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
 * Its counters are charged to the memory cgroup of whoever touches the file
 * first, as the inode is (H43).
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
	gate->readers = alloc_percpu_gfp(int, GFP_KERNEL | __GFP_ACCOUNT);
	if (!gate->readers)
		return -ENOMEM;
	atomic_set(&gate->shut, 0);
	gate->bypassed = false;
	gate->kind = 0;
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
	u64 start = ktime_get_ns();
	int err;

	dxs_trace_gate_wait_begin(gate);
	err = wait_var_event_killable(&gate->shut, !atomic_read(&gate->shut));
	if (err)
		err = -EINTR;
	dxs_trace_gate_wait(gate, start, err);
	return err;
}

/**
 * dxs_gate_leave_slow() - leave a gate that is shut: someone may wait for us
 * @gate: the gate
 *
 * The wakeup takes a lock that sleeps with PREEMPT_RT. RCU keeps the gate's memory
 * until after it: the count may be all that keeps the inode.
 *
 * Context: preemption is disabled, and enabled here.
 */
void dxs_gate_leave_slow(struct dxs_gate *gate)
{
	rcu_read_lock();
	/* What was done inside comes before the decrement. */
	smp_mb();
	this_cpu_dec(*gate->readers);
	preempt_enable();
	/* Pairs with prepare_to_wait_event() in dxs_gate_shut(). */
	smp_mb();
	wake_up_var(&gate->readers);
	rcu_read_unlock();
}

/* @who no longer has the gate shut: if nobody else has, readers may come. */
static void dxs_gate_let_go(struct dxs_gate *gate, enum dxs_shutter who)
{
	/* Pairs with the acquire in __dxs_gate_try_enter(). */
	atomic_fetch_andnot_release(who, &gate->shut);
	/* Pairs with prepare_to_wait_event() in dxs_gate_wait(). */
	smp_mb();
	wake_up_var(&gate->shut);
}

/**
 * dxs_gate_new() - say how a gate begins
 * @gate: just made; nobody else has seen it
 * @shut: shut, until dxs_gate_open_new()
 * @used: false if everyone calls dxs_gate_use() before dxs_gate_enter()
 */
void dxs_gate_new(struct dxs_gate *gate, bool shut, bool used)
{
	gate->used = used;
	atomic_set(&gate->shut, shut ? DXS_SHUT_NEW : 0);
}

/**
 * dxs_gate_open_new() - end what dxs_gate_new() began
 * @gate: the gate; it may have been opened before, and a switch may have it shut
 *
 * Context: does not sleep.
 */
void dxs_gate_open_new(struct dxs_gate *gate)
{
	dxs_gate_let_go(gate, DXS_SHUT_NEW);
}

/**
 * dxs_gate_shut() - keep new readers out and wait for those inside to leave
 * @gate: a gate that no switch has shut
 * @timeout: how long to wait, in jiffies
 *
 * Context: sleeps. The inode's switch lock is held. On failure the gate is
 * as before.
 * Return: 0, -ETIMEDOUT, or -EINTR if a signal came first.
 */
int dxs_gate_shut(struct dxs_gate *gate, long timeout)
{
	long left;

	rwsem_acquire(&gate->dep_map, 0, 0, _RET_IP_);
	atomic_or(DXS_SHUT_SWITCH, &gate->shut);
	/* Pairs with the barrier in dxs_gate_use(). */
	smp_mb__after_atomic();
	if (!READ_ONCE(gate->used))
		return 0;
	synchronize_rcu_expedited();
	left = dxs_wait_var_timeout(&gate->readers, !dxs_gate_readers(gate),
				    timeout);
	if (left > 0)
		return 0;
	dxs_gate_open(gate);
	return left ? -EINTR : -ETIMEDOUT;
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
	dxs_gate_let_go(gate, DXS_SHUT_SWITCH);
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
	atomic_or(DXS_SHUT_EVICT, &gate->shut);
	if (likely(!dxs_gate_readers(gate)))
		return;
	synchronize_rcu_expedited();
	wait_var_event(&gate->readers, !dxs_gate_readers(gate));
}
