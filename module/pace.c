// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rate limit of attempts to switch, by user (H44).
 *
 * An attempt to switch a file that is in use disturbs all processors, by expedited
 * grace periods and, from dax, a TLB flush. Any user may request it for files of
 * their own, any number of times. So the attempts of users without CAP_SYS_ADMIN are
 * counted, over all mounts: DXS_BURST at once, then one per DXS_INTERVAL. A user
 * beyond the limit sleeps until the next interval, before any gate is closed or lock
 * is taken. Switching a file that is not in use costs no grace period. A task that
 * starts or stops using it just then waits for one; that counts too, and is a normal
 * grace period for a user beyond the limit.
 *
 * A user can create any number of users in user namespaces. All of them count as the
 * owner of the outermost one.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "entry.h"
#include "pace.h"
#include "wait.h"

#define DXS_INTERVAL	(20ULL * NSEC_PER_MSEC)
#define DXS_BURST	250

/**
 * struct dxs_pace - a user who switched files lately
 * @node: in dxs_paces, protected by dxs_pace_lock
 * @uid: the user
 * @next: time by ktime_get_ns() at which the attempts so far are paid off, at one per
 *	DXS_INTERVAL; the entry can be freed once it is in the past
 */
struct dxs_pace {
	struct hlist_node node;
	kuid_t uid;
	u64 next;
};

static DEFINE_HASHTABLE(dxs_paces, 6);
static DEFINE_SPINLOCK(dxs_pace_lock);

/*
 * Credentials that an attempt is charged to. Those are the task's real ones, because
 * overlayfs overrides the effective ones with its mounter's. A kernel thread (nfsd)
 * overrides its own with those of the user it works for.
 */
static const struct cred *dxs_pace_cred(void)
{
	return current->flags & PF_KTHREAD ? current_cred() :
					     current_real_cred();
}

static kuid_t dxs_pace_uid(void)
{
	const struct cred *cred = dxs_pace_cred();
	struct user_namespace *ns = cred->user_ns;

	if (ns == &init_user_ns)
		return cred->uid;
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	return ns->owner;
}

/*
 * Finds the entry of a user, or adds @new as the entry if it is not NULL. Frees
 * entries in the same bucket whose @next is in the past.
 */
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
 * Charges @more attempts to the user. Return: how far the user is beyond the limit, in
 * ns; without memory the user is assumed to be beyond it.
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
 * dxs_rest() - sleep for some time
 * @timeout: in jiffies
 *
 * Context: sleeps.
 * Return: false if a signal came first; it is noticed within a tenth of a second (see
 * wait.h).
 */
bool dxs_rest(unsigned long timeout)
{
	unsigned long until = jiffies + timeout;
	long left;

	for (;;) {
		left = dxs_time_left(until);
		if (!left || task_sigpending(current))
			break;
		if (dxs_wait_state() == TASK_KILLABLE)
			schedule_timeout_killable(min_t(long, left, HZ / 10));
		else
			schedule_timeout_interruptible(left);
	}
	return !task_sigpending(current);
}

static bool dxs_pace_unbounded(void)
{
	const struct cred *old = override_creds(dxs_pace_cred());
	bool unbounded = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);

	revert_creds(old);
	return unbounded;
}

/**
 * dxs_pace_spend() - charge an attempt that closes gates and waits for grace periods
 *
 * Context: does not sleep.
 */
void dxs_pace_spend(void)
{
	if (!dxs_pace_unbounded())
		dxs_pace_count(1);
}

/**
 * dxs_pace_grace() - wait for a grace period, expedited unless the user is beyond the
 * limit
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
 * dxs_pace() - wait for the user's turn to attempt a switch of a file in use
 *
 * Context: sleeps; no lock of the module is held.
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

/* Frees all entries on module exit. */
void dxs_pace_end(void)
{
	struct dxs_pace *pace;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(dxs_paces, bucket, next, pace, node)
		kfree(pace);
}
