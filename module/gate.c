// SPDX-License-Identifier: GPL-2.0-only
/* Gates: the slow paths. gate.h says why they are correct. */
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

/* Is the gate closed, for whatever reason? DXS_SLOW alone does not close it. */
static bool dxs_gate_is_shut(const struct dxs_gate *gate)
{
	/* Pairs with the release in dxs_gate_let_go(). */
	return atomic_read_acquire(&gate->shut) & ~DXS_SLOW;
}

/**
 * dxs_gate_init() - allocate a gate
 * @gate: the gate
 * @name: for lockdep
 * @key: for lockdep, one for all gates of a kind
 *
 * Its counters are charged to the memory cgroup of the task that first touches the file, as
 * the inode is (H43).
 *
 * Tests make it fail (tests/faultinject): other fault injection does not reach the allocation of
 * alloc_percpu().
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
 * dxs_gate_destroy() - free what dxs_gate_init() allocated
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
 * Return: 0 if the caller should try to enter, -EINTR on a fatal signal.
 */
int dxs_gate_wait(struct dxs_gate *gate)
{
	u64 start = ktime_get_ns();
	int err;

	dxs_trace_gate_wait_begin(gate);
	err = wait_var_event_killable(&gate->shut, !dxs_gate_is_shut(gate));
	if (err)
		err = -EINTR;
	dxs_trace_gate_wait(gate, start, err);
	return err;
}

/**
 * dxs_gate_try_slow() - try to enter a gate that is slow, or may just have opened
 * @gate: a gate whose ->shut was not 0 a moment ago
 *
 * Context: any but NMI; never sleeps.
 * Return: true if the caller is inside.
 */
bool dxs_gate_try_slow(struct dxs_gate *gate)
{
	/* A reader that tries again and again must not disturb the sum of the writer. */
	if (dxs_gate_is_shut(gate))
		return false;
	preempt_disable();
	this_cpu_inc(*gate->readers);
	/* Pairs with the barrier in dxs_gate_shut(). */
	smp_mb();
	if (likely(!dxs_gate_is_shut(gate))) {
		preempt_enable();
		return true;
	}
	/* The writer may have counted this reader. */
	dxs_gate_leave_slow(gate);
	return false;
}

/**
 * dxs_gate_leave_slow() - leave a gate that is slow or closed: a writer may wait
 * @gate: the gate
 *
 * The wakeup takes a lock that sleeps with PREEMPT_RT. RCU keeps the memory of the gate
 * until after the wakeup: the reader count may be all that keeps the inode.
 *
 * Context: preemption is disabled, and enabled here.
 */
void dxs_gate_leave_slow(struct dxs_gate *gate)
{
	rcu_read_lock();
	/* Accesses inside the gate come before the decrement. */
	smp_mb();
	this_cpu_dec(*gate->readers);
	preempt_enable();
	/* Pairs with prepare_to_wait_event() in dxs_gate_shut(). */
	smp_mb();
	wake_up_var(&gate->readers);
	rcu_read_unlock();
}

/**
 * dxs_gate_leave_slow_with() - dxs_gate_leave_slow() at the end of a call
 * @gate: the gate
 * @ret: what the call returns
 *
 * Context: as above.
 * Return: @ret
 */
long dxs_gate_leave_slow_with(struct dxs_gate *gate, long ret)
{
	dxs_gate_leave_slow(gate);
	return ret;
}

/* @who no longer closes the gate: wake up the readers if it is open now. */
static void dxs_gate_let_go(struct dxs_gate *gate, enum dxs_shutter who)
{
	/* Pairs with the acquire in __dxs_gate_try_enter(). */
	atomic_fetch_andnot_release(who, &gate->shut);
	/* Pairs with prepare_to_wait_event() in dxs_gate_wait(). */
	smp_mb();
	wake_up_var(&gate->shut);
}

/**
 * dxs_gate_new() - set whether a new gate starts out closed
 * @gate: a gate that no other task has seen
 * @shut: closed, until dxs_gate_open_new()
 */
void dxs_gate_new(struct dxs_gate *gate, bool shut)
{
	atomic_set(&gate->shut, shut ? DXS_SHUT_NEW : 0);
}

/**
 * dxs_gate_publish() - make a gate visible to other tasks
 * @gate: where the gate will be; dxs_gate_unmade() until now
 * @made: as dxs_gate_new() left it
 *
 * No task changes ->shut of a gate that is not there yet: the value can simply be stored.
 *
 * Context: the caller makes sure that this is done once.
 */
void dxs_gate_publish(struct dxs_gate *gate, const struct dxs_gate *made)
{
	struct dxs_gate unmade = *made;

	dxs_gate_unmade(&unmade);
	*gate = unmade;
	/* Pairs with the acquire in dxs_gate_made() and __dxs_gate_try_enter(). */
	atomic_set_release(&gate->shut, atomic_read(&made->shut));
}

/**
 * dxs_gate_open_new() - open a gate that started out closed
 * @gate: the gate. It may have been opened before, and a switch may have it closed.
 *
 * Context: does not sleep.
 */
void dxs_gate_open_new(struct dxs_gate *gate)
{
	dxs_gate_let_go(gate, DXS_SHUT_NEW);
}

/**
 * dxs_gate_slow() - prepare to close a gate
 * @gate: a gate that no switch has closed
 *
 * Readers still enter, a little slower, until dxs_gate_fast().
 *
 * Context: does not sleep. The switch lock of the inode is held. The caller waits for a grace
 * period before it calls dxs_gate_shut().
 */
void dxs_gate_slow(struct dxs_gate *gate)
{
	atomic_or(DXS_SLOW, &gate->shut);
}

/**
 * dxs_gate_fast() - undo dxs_gate_slow()
 * @gate: a gate that is open again
 */
void dxs_gate_fast(struct dxs_gate *gate)
{
	/* Pairs with the acquire in __dxs_gate_try_enter(). No task waits for this. */
	atomic_fetch_andnot_release(DXS_SLOW, &gate->shut);
}

/**
 * dxs_gate_shut() - keep new readers out, and wait for those inside to leave
 * @gate: a gate that no switch has closed; a grace period since dxs_gate_slow()
 * @timeout: longest wait, in jiffies
 *
 * Context: sleeps. The switch lock of the inode is held. On failure the gate is as before.
 * Return: 0, -ETIMEDOUT, or -EINTR if a signal came first.
 */
int dxs_gate_shut(struct dxs_gate *gate, long timeout)
{
	long left;

	rwsem_acquire(&gate->dep_map, 0, 0, _RET_IP_);
	atomic_or(DXS_SHUT_SWITCH, &gate->shut);
	/* Pairs with the barrier in dxs_gate_try_slow(). */
	smp_mb__after_atomic();
	left = dxs_wait_var_timeout(&gate->readers, !dxs_gate_readers(gate),
				    timeout);
	if (left > 0)
		return 0;
	dxs_gate_open(gate);
	return left ? -EINTR : -ETIMEDOUT;
}

/**
 * dxs_gate_open() - let readers in again
 * @gate: a gate that dxs_gate_shut() closed
 *
 * Context: does not sleep.
 */
void dxs_gate_open(struct dxs_gate *gate)
{
	rwsem_release(&gate->dep_map, _RET_IP_);
	dxs_gate_let_go(gate, DXS_SHUT_SWITCH);
}

/**
 * dxs_gate_retire() - wait for the last readers of an inode that is being evicted
 * @gate: an open gate that no task can reach any more
 *
 * The lower handler of a fault may have dropped the mmap_lock, and the VMA may be gone since,
 * and with it the file and the inode (H4): the count that the handler has in this gate keeps
 * the inode until the handler is done.
 *
 * Context: sleeps if there is such a reader. The gate stays closed.
 */
void dxs_gate_retire(struct dxs_gate *gate)
{
	atomic_or(DXS_SHUT_EVICT, &gate->shut);
	if (likely(!dxs_gate_readers(gate)))
		return;
	synchronize_rcu_expedited();
	wait_var_event(&gate->readers, !dxs_gate_readers(gate));
}
