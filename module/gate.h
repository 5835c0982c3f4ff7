/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The gates: a reader/writer semaphore made for one job.
 *
 * Many readers (data calls, faults) pass at all times and must share no
 * written cache line; a writer (a switch) comes rarely, must be able to give
 * up after a time, and must keep the gate shut as briefly as possible. So:
 * per-CPU reader counts as in percpu_rw_semaphore, but an expedited grace
 * period instead of a normal one, and waits that end by signal or timeout.
 *
 * How it is right:
 *
 *  - A reader looks at ->shut and counts itself within one preempt-disabled
 *    section. The writer sets ->shut and waits for a grace period: from then
 *    on every reader that saw the gate open is counted, and no new one is.
 *  - From then on the counts only go down, so that a sum over all CPUs, read
 *    while readers leave, is never less than the readers that remain: a sum
 *    of zero means that all have left.
 *  - A reader that leaves after ->shut was set orders its accesses before its
 *    decrement and wakes the writer; one that did not see ->shut is ordered by
 *    the writer's grace period.
 *  - Opening is a release that a later reader's load-acquire sees.
 *
 * H40: a gate is shut for as long as anybody has it shut: ->shut has a bit for
 * each who may (enum dxs_shutter), each sets and clears its own alone, and the
 * gate is open when none is left. So nobody has to know who else is about, and
 * nobody opens a gate for another, or leaves one shut for somebody who never
 * shut it. tests/gates.pml is a model of it, which tests/gates.sh runs.
 *
 * Who waits does so in the kernel's hashed queues, for @shut (readers) or
 * @readers (the writer): queues of its own would be most of what a gate takes.
 *
 * Only one switch at a time: the inode's switch lock sees to it.
 */
#ifndef DXS_GATE_H
#define DXS_GATE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/lockdep.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/types.h>

/* Who has a gate shut. */
enum dxs_shutter {
	DXS_SHUT_SWITCH = BIT(0),	/* a switch, with its switch lock */
	DXS_SHUT_NEW = BIT(1),		/* who made it, see dxs_make_gates() */
	DXS_SHUT_EVICT = BIT(2),	/* the inode goes away */
};

/**
 * struct dxs_gate - one gate
 * @readers: readers inside, by the CPU they came and went on; only the sum
 *	means anything
 * @shut: who has it shut, bits of enum dxs_shutter; 0: it is open
 * @used: somebody has come to it, or is about to: see dxs_gate_use()
 * @bypassed: some of what it is there for does not come to it; the owner's to set
 * @kind: which of the owner's gates it is, for traces; the owner's to set
 * @dep_map: for lockdep: a reader/writer semaphore
 */
struct dxs_gate {
	int __percpu *readers;
	atomic_t shut;
	bool used;
	bool bypassed;
	u8 kind;
	struct lockdep_map dep_map;
};

int dxs_gate_init(struct dxs_gate *gate, const char *name,
		  struct lock_class_key *key);
void dxs_gate_new(struct dxs_gate *gate, bool shut, bool used);
void dxs_gate_open_new(struct dxs_gate *gate);
void dxs_gate_destroy(struct dxs_gate *gate);

int dxs_gate_wait(struct dxs_gate *gate);
void dxs_gate_leave_slow(struct dxs_gate *gate);

int dxs_gate_shut(struct dxs_gate *gate, long timeout);
void dxs_gate_open(struct dxs_gate *gate);
void dxs_gate_retire(struct dxs_gate *gate);

/**
 * dxs_gate_use() - before a gate that may be new is entered
 * @gate: the gate
 *
 * A switch that finds a gate not used has nobody to wait for there, and needs no
 * grace period (H44). Either it sees this, or the caller sees the gate shut.
 *
 * Context: any.
 */
static inline void dxs_gate_use(struct dxs_gate *gate)
{
	/* Who sees it set sees what whoever set it would. */
	if (unlikely(!smp_load_acquire(&gate->used))) {
		/* Pairs with the barrier in dxs_gate_shut(). */
		smp_store_mb(gate->used, true);
	}
}

/* Counts the caller in, if the gate is open. */
static inline bool __dxs_gate_try_enter(struct dxs_gate *gate)
{
	bool open;

	preempt_disable();
	/* Pairs with the release in dxs_gate_let_go(). */
	open = !atomic_read_acquire(&gate->shut);
	if (likely(open))
		this_cpu_inc(*gate->readers);
	preempt_enable();
	return open;
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
 * dxs_gate_enter() - enter, waiting while the gate is shut
 * @gate: the gate
 *
 * Context: may sleep, for as long as a switch keeps the gate shut.
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

/**
 * dxs_gate_leave() - leave the gate
 * @gate: the gate
 *
 * Context: as dxs_gate_try_enter(). The gate may be gone on return.
 */
static inline void dxs_gate_leave(struct dxs_gate *gate)
{
	rwsem_release(&gate->dep_map, _RET_IP_);
	/* Also keeps the gate's memory: it is freed after a grace period. */
	preempt_disable();
	if (likely(!atomic_read(&gate->shut))) {
		this_cpu_dec(*gate->readers);
		preempt_enable();
	} else {
		dxs_gate_leave_slow(gate);
	}
}

#endif /* DXS_GATE_H */
