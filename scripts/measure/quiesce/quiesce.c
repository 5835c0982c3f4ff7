// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests that count instructions: waits until all deferred work is done, and reports
 * how long the processor was idle.
 *
 * /proc/quiesce
 *   written to  returns when all work deferred before has been done: RCU callbacks,
 *               kfree_rcu(), work of workqueues, and work that these deferred in turn
 *   read        the number of TSC ticks that the first processor has spent
 *               halted, since the module was loaded
 *
 * In a guest that counts instructions (scripts/vm/guest --icount) the TSC advances by
 * one for each instruction, but leaps to the next timer when the processor halts.
 * Ticks minus leaps are the number of instructions executed.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <asm/msr.h>

#include <trace/events/power.h>

/* Long enough for all pending timers and work; the clock leaps meanwhile. */
#define SETTLE_MS	20

static bool halted;
static u64 halted_at, idle;

/* Interrupts during a halt do not count as idle. */
static void end_halt(void)
{
	if (!halted)
		return;
	idle += rdtsc() - halted_at;
	halted = false;
}

static void on_idle(void *data, unsigned int state, unsigned int cpu)
{
	if (state == PWR_EVENT_EXIT) {
		end_halt();
		return;
	}
	halted_at = rdtsc();
	halted = true;
}

static void on_vector(void *data, int vector)
{
	end_halt();
}

static void on_irq(void *data, int irq, struct irqaction *action)
{
	end_halt();
}

/* Only some of the kernel's tracepoints are exported. */
static struct probe {
	const char *name;
	void *func;
	struct tracepoint *tp;
} probes[] = {
	{ "cpu_idle", on_idle },
	{ "local_timer_entry", on_vector },
	{ "reschedule_entry", on_vector },
	{ "irq_work_entry", on_vector },
	{ "call_function_entry", on_vector },
	{ "call_function_single_entry", on_vector },
	{ "irq_handler_entry", on_irq },
};

static void find_probe(struct tracepoint *tp, void *data)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (!strcmp(tp->name, probes[i].name))
			probes[i].tp = tp;
}

static void unregister_probes(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].tp)
			tracepoint_probe_unregister(probes[i].tp, probes[i].func, NULL);
	tracepoint_synchronize_unregister();
}

static int register_probes(void)
{
	size_t i;
	int err;

	for_each_kernel_tracepoint(find_probe, NULL);
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		err = probes[i].tp ?
			tracepoint_probe_register(probes[i].tp, probes[i].func, NULL) :
			-ENOENT;
		if (err) {
			pr_err("quiesce: tracepoint %s: %d\n", probes[i].name, err);
			while (i < ARRAY_SIZE(probes))
				probes[i++].tp = NULL;
			unregister_probes();
			return err;
		}
	}
	return 0;
}

static ssize_t quiesce_write(struct file *file, const char __user *buf, size_t len,
			     loff_t *pos)
{
	int i;

	/* Deferred work may defer more work. */
	for (i = 0; i < 3; i++) {
		rcu_barrier();
		msleep(SETTLE_MS);
	}
	return len;
}

static int quiesce_show(struct seq_file *seq, void *data)
{
	seq_printf(seq, "%llu\n", READ_ONCE(idle));
	return 0;
}

static int quiesce_open(struct inode *inode, struct file *file)
{
	return single_open(file, quiesce_show, NULL);
}

static const struct proc_ops quiesce_ops = {
	.proc_open = quiesce_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_write = quiesce_write,
	.proc_release = single_release,
};

static int __init quiesce_init(void)
{
	int err = register_probes();

	if (err)
		return err;
	if (!proc_create("quiesce", 0600, NULL, &quiesce_ops)) {
		unregister_probes();
		return -ENOMEM;
	}
	return 0;
}

static void __exit quiesce_exit(void)
{
	remove_proc_entry("quiesce", NULL);
	unregister_probes();
}

module_init(quiesce_init);
module_exit(quiesce_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Wait until all deferred work is done");
