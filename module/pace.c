// SPDX-License-Identifier: GPL-2.0
/*
 * How often one user may switch (H44).
 *
 * An attempt to switch a file that is in use disturbs every processor: expedited
 * grace periods and, from dax, a flush of TLBs. Anyone may ask for it as often as
 * he likes, for files of his own. So attempts of those without CAP_SYS_ADMIN are
 * counted by user, over all mounts: DXS_BURST at once, and then one each
 * DXS_INTERVAL; who is beyond that sleeps until it is his turn, before anything is
 * shut or locked. A file that is not in use is switched without that; who uses it,
 * or lets it go, a moment later waits for a grace period, which counts as well, and
 * is a normal one for who is beyond.
 *
 * Who makes user namespaces has as many users as he likes in them: those count as
 * the one who made the outermost.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "daxstack.h"

#define DXS_INTERVAL	(20ULL * NSEC_PER_MSEC)
#define DXS_BURST	250

/**
 * struct dxs_pace - a user who switched files lately
 * @node: in dxs_paces, under dxs_pace_lock
 * @uid: who
 * @next: when his attempts so far would be through at one each DXS_INTERVAL,
 *	ktime_get_ns(); in the past it says nothing any more
 */
struct dxs_pace {
	struct hlist_node node;
	kuid_t uid;
	u64 next;
};

static DEFINE_HASHTABLE(dxs_paces, 6);
static DEFINE_SPINLOCK(dxs_pace_lock);

static kuid_t dxs_pace_uid(void)
{
	struct user_namespace *ns = current_user_ns();

	if (ns == &init_user_ns)
		return current_uid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	return ns->owner;
}

/* The user's, or @new for him, or NULL; and those that say nothing are freed. */
static struct dxs_pace *dxs_pace_of(kuid_t uid, u64 now, struct dxs_pace *new)
{
	struct dxs_pace *pace, *found = NULL;
	struct hlist_node *next;

	hash_for_each_possible_safe(dxs_paces, pace, next, node,
				    __kuid_val(uid)) {
		if (uid_eq(pace->uid, uid)) {
			found = pace;
		} else if (pace->next <= now) {
			hash_del(&pace->node);
			kfree(pace);
		}
	}
	if (found || !new)
		return found;
	new->uid = uid;
	hash_add(dxs_paces, &new->node, __kuid_val(uid));
	return new;
}

/*
 * Counts @more for the user. Return: how far he is beyond his bound, in ns; where
 * memory is short he is taken for one who is.
 */
static u64 dxs_pace_count(unsigned int more)
{
	struct dxs_pace *new = kzalloc_obj(*new, GFP_NOWAIT | __GFP_NOWARN);
	struct dxs_pace *pace;
	u64 now = ktime_get_ns(), ahead = DXS_INTERVAL;
	kuid_t uid = dxs_pace_uid();

	spin_lock(&dxs_pace_lock);
	pace = dxs_pace_of(uid, now, new);
	if (pace) {
		pace->next = max(pace->next, now) + more * DXS_INTERVAL;
		ahead = pace->next - now;
		ahead -= min_t(u64, ahead, DXS_BURST * DXS_INTERVAL);
	}
	spin_unlock(&dxs_pace_lock);
	if (new != pace)
		kfree(new);
	return ahead;
}

/**
 * dxs_rest() - let some time pass
 * @timeout: in jiffies
 *
 * Work that io_uring or a tracer queues for a task ends an interruptible sleep, and
 * every later one until the task returns to user mode. It is no signal, and waits.
 *
 * Context: sleeps.
 * Return: false if a signal came first.
 */
bool dxs_rest(unsigned long timeout)
{
	unsigned long until = jiffies + timeout, now = jiffies;

	while (!task_sigpending(current) && time_before(now, until)) {
		if (signal_pending(current))
			schedule_timeout_killable(until - now);
		else
			schedule_timeout_interruptible(until - now);
		now = jiffies;
	}
	return !task_sigpending(current);
}

static bool dxs_pace_unbounded(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
}

/**
 * dxs_pace_spend() - an attempt shuts gates, for which grace periods are waited
 *
 * Context: does not sleep.
 */
void dxs_pace_spend(void)
{
	if (!dxs_pace_unbounded())
		dxs_pace_count(1);
}

/**
 * dxs_pace_grace() - a grace period, an expedited one if the user may have it
 *
 * Context: sleeps.
 */
void dxs_pace_grace(void)
{
	if (dxs_pace_unbounded() || !dxs_pace_count(1))
		synchronize_rcu_expedited();
	else
		synchronize_rcu();
}

/**
 * dxs_pace() - an attempt on a file in use: wait until it is the user's turn
 *
 * Context: sleeps, with no lock of ours held.
 * Return: false if a signal came first.
 */
bool dxs_pace(void)
{
	u64 wait;

	if (dxs_pace_unbounded())
		return true;
	wait = dxs_pace_count(0);
	if (!wait)
		return true;
	return dxs_rest(nsecs_to_jiffies(wait) + 1);
}

/* The module goes: nobody switches any more. */
void dxs_pace_end(void)
{
	struct dxs_pace *pace;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(dxs_paces, bucket, next, pace, node)
		kfree(pace);
}
