/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A gate: a reader/writer semaphore for one purpose.
 *
 * Many readers (data calls, faults) pass at all times and must not share a written cache
 * line. A writer (a switch) comes rarely, must be able to give up after a time, and must
 * keep the gate closed as briefly as possible. So the gate has per-CPU reader counts like
 * percpu_rw_semaphore, but it uses an expedited grace period, which is over before the gate
 * is closed, and its waits end by a signal or a timeout.
 *
 * Why it is correct:
 *
 *  - A reader reads ->shut and, if it is 0, counts itself, in one section with preemption
 *    disabled. Before a writer closes the gate it makes the gate slow (DXS_SLOW) and waits
 *    for a grace period, during which readers still enter. After it, every reader that read
 *    0 has been counted, and no reader reads 0.
 *  - A reader that reads DXS_SLOW alone counts itself, issues a full barrier, and reads
 *    ->shut again: it is inside only if the gate is still not closed. The writer closes the
 *    gate, issues a full barrier, and sums the counts. Either the writer counts the reader,
 *    or the reader sees the gate closed and takes its count back on the same CPU. So no
 *    grace period is needed while the gate is closed.
 *  - A sum over all CPUs, read while readers leave, is never less than the number of readers
 *    that remain: each of them was counted before the sum began, and a count that is taken
 *    back is in one counter only. A sum of zero means that all have left.
 *  - A reader that leaves a slow or closed gate orders its accesses before its decrement, and
 *    wakes up the writer. One that reads 0 is ordered by the grace period of the writer.
 *  - Opening is a release, which pairs with the load-acquire of a later reader.
 *
 * One grace period serves any number of gates that were made slow before it. A reader inside
 * one gate may enter another (H1): gates are made slow together, and closed one after the
 * other.
 *
 * H40: ->shut has a bit for each party that can close the gate (enum dxs_shutter). Each party
 * sets and clears only its own bit, and the gate is open when no bit is left. So no party
 * opens the gate for another, or leaves it closed for a party that never closed it.
 * tests/gates.pml is a model of this, which tests/gates.sh runs.
 *
 * Waiters sleep on the kernel's shared wait_var queues, on @shut (readers) or @readers (the
 * writer): a wait queue in each gate would be most of its size.
 *
 * The switch lock of the inode admits one writer at a time.
 */
#ifndef DXS_GATE_H
#define DXS_GATE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/lockdep.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/types.h>

/* The parties that can close a gate; each has a bit in ->shut. */
enum dxs_shutter {
	DXS_SHUT_SWITCH = BIT(0),	/* a switch, which holds the switch lock */
	DXS_SHUT_NEW = BIT(1),		/* its allocation, see dxs_make_gates() */
	DXS_SHUT_EVICT = BIT(2),	/* eviction of the inode */
	DXS_SHUT_UNMADE = BIT(3),	/* it was not allocated yet, see dxs_gate_unmade() */
};

/* Also in ->shut: readers enter, but check twice. A switch is about to close the gate. */
#define DXS_SLOW	BIT(7)

/**
 * struct dxs_gate - one gate
 * @readers: readers inside, counted on the CPU where they entered and left; only the sum has
 * a meaning
 * @shut: the parties that have closed it (enum dxs_shutter), and DXS_SLOW; 0: it is open
 * @bypassed: something bypasses the gate that it should stop; set by the owner of the gate
 * @kind: which gate of its owner it is, for traces; set by the owner
 * @dep_map: for lockdep: a reader/writer semaphore
 */
struct dxs_gate {
	int __percpu *readers;
	atomic_t shut;
	bool bypassed;
	u8 kind;
	struct lockdep_map dep_map;
};

int dxs_gate_init(struct dxs_gate *gate, const char *name,
		  struct lock_class_key *key);
void dxs_gate_new(struct dxs_gate *gate, bool shut);
void dxs_gate_publish(struct dxs_gate *gate, const struct dxs_gate *made);
void dxs_gate_open_new(struct dxs_gate *gate);
void dxs_gate_destroy(struct dxs_gate *gate);

int dxs_gate_wait(struct dxs_gate *gate);
bool dxs_gate_try_slow(struct dxs_gate *gate);
void dxs_gate_leave_slow(struct dxs_gate *gate);
long dxs_gate_leave_slow_with(struct dxs_gate *gate, long ret);

void dxs_gate_slow(struct dxs_gate *gate);
void dxs_gate_fast(struct dxs_gate *gate);
int dxs_gate_shut(struct dxs_gate *gate, long timeout);
void dxs_gate_open(struct dxs_gate *gate);
void dxs_gate_retire(struct dxs_gate *gate);

/**
 * dxs_gate_unmade() - mark a gate as not allocated yet
 * @gate: where it will be
 *
 * It looks closed, so that a reader needs only one check. dxs_gate_publish() ends that.
 */
static inline void dxs_gate_unmade(struct dxs_gate *gate)
{
	atomic_set(&gate->shut, DXS_SHUT_UNMADE);
}

/**
 * dxs_gate_made() - was the gate allocated?
 * @gate: where it is, or will be
 *
 * Return: if true, the caller sees the whole gate.
 */
static inline bool dxs_gate_made(const struct dxs_gate *gate)
{
	/* Pairs with the release in dxs_gate_publish(). */
	return !(atomic_read_acquire(&gate->shut) & DXS_SHUT_UNMADE);
}

/* Count the caller in, if the gate is open. */
static inline bool __dxs_gate_try_enter(struct dxs_gate *gate)
{
	bool open;

	preempt_disable();
	/* Pairs with the releases in dxs_gate_let_go() and dxs_gate_publish(). */
	open = !atomic_read_acquire(&gate->shut);
	if (likely(open))
		this_cpu_inc(*gate->readers);
	preempt_enable();
	return likely(open) || dxs_gate_try_slow(gate);
}

/**
 * dxs_gate_try_enter() - enter if the gate is open
 * @gate: the gate
 *
 * Context: any but NMI; never sleeps.
 * Return: true if the caller is inside and must call dxs_gate_leave().
 */
static inline bool dxs_gate_try_enter(struct dxs_gate *gate)
{
	if (!__dxs_gate_try_enter(gate))
		return false;
	rwsem_acquire_read(&gate->dep_map, 0, 1, _RET_IP_);
	return true;
}

/**
 * dxs_gate_enter_open() - first try of a caller that waits if this fails
 * @gate: the gate
 *
 * Lockdep sees it as dxs_gate_enter().
 *
 * Context: as dxs_gate_enter(), but does not sleep.
 * Return: as dxs_gate_try_enter().
 */
static __always_inline bool dxs_gate_enter_open(struct dxs_gate *gate)
{
	if (unlikely(!__dxs_gate_try_enter(gate)))
		return false;
	rwsem_acquire_read(&gate->dep_map, 0, 0, _RET_IP_);
	return true;
}

/**
 * dxs_gate_enter() - enter, and wait while the gate is closed
 * @gate: the gate
 *
 * Context: may sleep, as long as a switch keeps the gate closed.
 * Return: 0 if inside, -EINTR if a fatal signal came first.
 */
static inline int __must_check dxs_gate_enter(struct dxs_gate *gate)
{
	rwsem_acquire_read(&gate->dep_map, 0, 0, _RET_IP_);
	while (unlikely(!__dxs_gate_try_enter(gate))) {
		int err = dxs_gate_wait(gate);

		if (err) {
			rwsem_release(&gate->dep_map, _RET_IP_);
			return err;
		}
	}
	return 0;
}

/* dxs_gate_left() with preemption disabled, which it enables on success */
static __always_inline bool __must_check __dxs_gate_left(struct dxs_gate *gate)
{
	rwsem_release(&gate->dep_map, _RET_IP_);
	if (unlikely(atomic_read(&gate->shut)))
		return false;
	this_cpu_dec(*gate->readers);
	preempt_enable();
	return true;
}

/**
 * dxs_gate_left() - leave the gate, unless it is slow or closed
 * @gate: the gate
 *
 * For a caller whose last act this is: if it passes its result through
 * dxs_gate_leave_slow_with() it need not save the result.
 *
 * Context: as dxs_gate_try_enter().
 * Return: true if the caller is outside; the gate may be gone. Else the caller must call
 * dxs_gate_leave_slow() or dxs_gate_leave_slow_with() at once: preemption is disabled.
 */
static __always_inline bool __must_check dxs_gate_left(struct dxs_gate *gate)
{
	/* Also keeps the memory of the gate, which is freed after a grace period. */
	preempt_disable();
	return __dxs_gate_left(gate);
}

/**
 * dxs_gate_leave() - leave the gate
 * @gate: the gate
 *
 * Context: as dxs_gate_try_enter(). The gate may be gone on return.
 */
static inline void dxs_gate_leave(struct dxs_gate *gate)
{
	if (!dxs_gate_left(gate))
		dxs_gate_leave_slow(gate);
}

#endif /* DXS_GATE_H */
