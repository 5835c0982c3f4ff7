/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waits that end on a signal or after a timeout.
 *
 * io_uring and tracers queue work for a task that runs when the task returns to user
 * mode (TIF_NOTIFY_SIGNAL). Until then the queued work ends every interruptible sleep
 * at once, like a signal. It is not a signal, so the waits here continue.
 */
#ifndef DXS_WAIT_H
#define DXS_WAIT_H

#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>

/* Task state to sleep in: with work queued, an interruptible sleep would end at once. */
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
 * @var: the address that tasks which change the condition give to wake_up_var()
 * @condition: evaluated more than once
 * @timeout: in jiffies
 *
 * Return: as wait_event_interruptible_timeout(): jiffies left, 0 after the timeout,
 * or a negative errno on a signal.
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
