/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waits that end by a signal or after a time.
 *
 * io_uring and tracers queue work for a task, which runs when the task returns to
 * user mode. Until then that ends every interruptible sleep at once, as a signal
 * does, but it is none: the waits here go on.
 */
#ifndef DXS_WAIT_H
#define DXS_WAIT_H

#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>

/* How to sleep: interruptible sleeps would end at once if work is queued. */
static inline unsigned int dxs_wait_state(void)
{
	return signal_pending(current) && !task_sigpending(current) ?
		TASK_KILLABLE : TASK_INTERRUPTIBLE;
}

static inline long dxs_time_left(unsigned long until)
{
	return max_t(long, until - jiffies, 0);
}

/**
 * dxs_wait_var_timeout() - wait until a condition holds
 * @var: what those who change it give to wake_up_var()
 * @condition: looked at more than once
 * @timeout: in jiffies
 *
 * Return: as wait_event_interruptible_timeout(): what is left, 0, or a negative
 * errno if a signal came.
 */
#define dxs_wait_var_timeout(var, condition, timeout)			\
({									\
	unsigned long until = jiffies + (timeout);			\
	long left;							\
									\
	might_sleep();							\
	do {								\
		left = ___wait_var_event(var,				\
					 ___wait_cond_timeout(condition), \
					 dxs_wait_state(), 0,		\
					 dxs_time_left(until),		\
					 __ret = schedule_timeout(__ret)); \
	} while (left < 0 && !task_sigpending(current));		\
	left;								\
})

#endif /* DXS_WAIT_H */
