// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures daxstack's gates beside kernel locks for the same purpose: the cost to enter,
 * alone and on two processors at once, and the cost to close and open. Measures and
 * prints at load (scripts/measure/bench-gates).
 */
#undef pr_fmt
#define pr_fmt(fmt) "gates: " fmt
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu-rwsem.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "gate.c"

#define PASSES	1000000
#define ROUNDS	9

struct lock {
	struct dxs_gate gate;
	struct rw_semaphore rwsem;
	struct percpu_rw_semaphore percpu;
	struct srcu_struct srcu;
};

static struct lock *locks[2];

static void pass_gate(struct lock *lock, int n)
{
	while (n--) {
		if (!dxs_gate_enter(&lock->gate))
			dxs_gate_leave(&lock->gate);
	}
}

static void shut_gate(struct lock *lock)
{
	dxs_gate_slow(&lock->gate);
	synchronize_rcu_expedited();
	if (!dxs_gate_shut(&lock->gate, HZ))
		dxs_gate_open(&lock->gate);
	dxs_gate_fast(&lock->gate);
}

static void pass_rwsem(struct lock *lock, int n)
{
	while (n--) {
		down_read(&lock->rwsem);
		up_read(&lock->rwsem);
	}
}

static void shut_rwsem(struct lock *lock)
{
	down_write(&lock->rwsem);
	up_write(&lock->rwsem);
}

static void pass_percpu(struct lock *lock, int n)
{
	while (n--) {
		percpu_down_read(&lock->percpu);
		percpu_up_read(&lock->percpu);
	}
}

static void shut_percpu(struct lock *lock)
{
	percpu_down_write(&lock->percpu);
	percpu_up_write(&lock->percpu);
}

static void pass_srcu(struct lock *lock, int n)
{
	int idx;

	while (n--) {
		idx = srcu_read_lock(&lock->srcu);
		/* Whether it is closed. Pairs with the release in shut_srcu(). */
		(void)smp_load_acquire(&lock->gate.shut);
		srcu_read_unlock(&lock->srcu, idx);
	}
}

static void shut_srcu(struct lock *lock)
{
	WRITE_ONCE(lock->gate.shut, true);
	synchronize_srcu_expedited(&lock->srcu);
	/* Pairs with the acquire in pass_srcu(). */
	smp_store_release(&lock->gate.shut, false);
}

static const struct kind {
	const char *name;
	void (*pass)(struct lock *lock, int n);
	void (*shut)(struct lock *lock);
	size_t size, percpu;
} kinds[] = {
	{ "gate of daxstack", pass_gate, shut_gate,
	  sizeof(struct dxs_gate), sizeof(int) },
	{ "rw_semaphore", pass_rwsem, shut_rwsem,
	  sizeof(struct rw_semaphore), 0 },
	{ "percpu_rw_semaphore", pass_percpu, shut_percpu,
	  sizeof(struct percpu_rw_semaphore), sizeof(int) },
	{ "SRCU and a flag", pass_srcu, shut_srcu,
	  sizeof(struct srcu_struct), sizeof(struct srcu_data) },
};

struct runner {
	const struct kind *kind;
	struct lock *lock;
	struct completion *go;
	struct completion done;
	u64 took;
};

static int run(void *arg)
{
	struct runner *runner = arg;
	u64 start;

	wait_for_completion(runner->go);
	start = ktime_get_ns();
	runner->kind->pass(runner->lock, PASSES);
	runner->took = ktime_get_ns() - start;
	complete(&runner->done);
	return 0;
}

/* Picoseconds per entry, on this many processors at once. */
static u64 time_pass(const struct kind *kind, int cpus, bool shared)
{
	struct runner runners[2];
	DECLARE_COMPLETION_ONSTACK(go);
	struct task_struct *task;
	u64 longest = 0;
	int i;

	for (i = 0; i < cpus; i++) {
		runners[i] = (struct runner){
			.kind = kind,
			.lock = locks[shared ? 0 : i],
			.go = &go,
		};
		init_completion(&runners[i].done);
		task = kthread_create_on_cpu(run, &runners[i], i, "gates/%u");
		if (IS_ERR(task))
			return 0;
		wake_up_process(task);
	}
	msleep(20);
	complete_all(&go);
	for (i = 0; i < cpus; i++) {
		wait_for_completion(&runners[i].done);
		longest = max(longest, runners[i].took);
	}
	return div_u64(longest * 1000, PASSES);
}

static u64 least_pass(const struct kind *kind, int cpus, bool shared)
{
	u64 least = U64_MAX;
	int i;

	for (i = 0; i < ROUNDS; i++)
		least = min(least, time_pass(kind, cpus, shared));
	return least;
}

static u64 least_shut(const struct kind *kind)
{
	u64 least = U64_MAX, start;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		/* Switches are rare: let effects of the last one fade. */
		msleep(200);
		start = ktime_get_ns();
		kind->shut(locks[0]);
		least = min(least, ktime_get_ns() - start);
	}
	return least;
}

static void measure(const struct kind *kind)
{
	pr_info("{\"gate\": \"%s\", \"cpus\": %u, \"pass_ps\": %llu, \"shut_ns\": %llu, \"bytes\": %zu, \"percpu_bytes\": %zu}\n",
		kind->name, num_online_cpus(), least_pass(kind, 1, true),
		least_shut(kind), kind->size, kind->percpu);
	if (num_online_cpus() < 2)
		return;
	pr_info("{\"gate\": \"%s\", \"cpus\": %u, \"shared_ps\": %llu, \"own_ps\": %llu}\n",
		kind->name, num_online_cpus(), least_pass(kind, 2, true),
		least_pass(kind, 2, false));
}

static int __init gates_init(void)
{
	static struct lock_class_key key;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(locks); i++) {
		locks[i] = kzalloc(sizeof(*locks[i]), GFP_KERNEL);
		if (!locks[i] || dxs_gate_init(&locks[i]->gate, "gate", &key) ||
		    percpu_init_rwsem(&locks[i]->percpu) ||
		    init_srcu_struct(&locks[i]->srcu))
			return -ENOMEM;
		init_rwsem(&locks[i]->rwsem);
	}
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		measure(&kinds[i]);
	return 0;
}

/* No exit function: the guest ends instead. */
module_init(gates_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Measure the gates of daxstack");
