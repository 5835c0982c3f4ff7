// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request to switch a file: permission, how long the request waits for an obstacle to
 * go away, and the report of its result. One attempt is in switch.c.
 */
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>

#include "entry.h"
#include "copies.h"
#include "gates.h"
#include "lower.h"
#include "mapping.h"
#include "pace.h"
#include "report.h"
#include "request.h"
#include "switch.h"
#include "tell.h"
#include "wait.h"
#include "xflag.h"

/*
 * Time to retry even if the caller did not ask to wait: a page reference, writeback or an
 * I/O call mostly ends within it.
 */
#define DXS_PATIENCE	msecs_to_jiffies(100)

/*
 * The same if attributes are stored and nothing is switched: without the stack the call
 * waits for a data call for as long as that takes. Also for a moved file that meets
 * writeback: see dxs_patience().
 */
#define DXS_STORE_PATIENCE	(5 * HZ)

/* Longest time to wait for another switch of the same file before a retry. */
#define DXS_TURN	msecs_to_jiffies(200)

/*
 * H49: if a reason may last, the pause between two attempts is this part of the time waited
 * so far, up to DXS_PAUSE_MAX: each attempt repeats all steps, and many tasks may wait. A
 * brief reason comes and goes too quickly for such a pause.
 */
#define DXS_PAUSE_PART	8
#define DXS_PAUSE_MAX	(HZ / 10)

/*
 * Later attempts keep the gates closed for at most one part in so many of the time, so
 * that a long wait for a switch does not slow down the tasks that use the file.
 */
#define DXS_DUTY	10

/* Reasons that waiting may remove. */
static bool dxs_may_pass(enum daxstack_reason reason)
{
	return reason == DAXSTACK_REASON_MAP_SYNC ||
		reason == DAXSTACK_REASON_MAPPED ||
		reason == DAXSTACK_REASON_LOWER_SHARED ||
		reason == DAXSTACK_REASON_FROZEN ||
		reason == DAXSTACK_REASON_PINNED ||
		reason == DAXSTACK_REASON_IO ||
		reason == DAXSTACK_REASON_WRITEBACK ||
		reason == DAXSTACK_REASON_SWITCHING;
}

/* ... and those that mostly go away at once. */
static bool dxs_is_brief(enum daxstack_reason reason)
{
	return reason == DAXSTACK_REASON_PINNED ||
		reason == DAXSTACK_REASON_IO ||
		reason == DAXSTACK_REASON_WRITEBACK ||
		reason == DAXSTACK_REASON_SWITCHING;
}

/*
 * Store the flag of a refused switch: it acts when the inode is next loaded, that is,
 * after the last user has closed the file. The inode must not stay in the caches then.
 *
 * Context: the switch lock is held.
 */
static enum daxstack_reason dxs_defer_step(struct dxs_switch *sw)
{
	enum daxstack_reason reason;

	sw->err = 0;
	reason = dxs_persist_alone(sw);
	if (reason)
		return reason;
	d_mark_dontcache(sw->inode);
	sw->deferred = true;
	return reason;
}

/*
 * Store attributes as the lower filesystem does without the stack. It sets I_DONTCACHE if
 * the inode must be loaded again for them to act.
 */
static enum daxstack_reason dxs_store_step(struct dxs_switch *sw)
{
	int flag = dxs_flag(sw->lower);
	enum daxstack_reason reason;

	sw->stores = true;
	sw->err = 0;
	reason = dxs_persist_alone(sw);
	/* After an error as well: ext4 may have stored the flag before it failed. */
	if (inode_state_read_once(dxs_switch_lower(sw)) & I_DONTCACHE)
		d_mark_dontcache(sw->inode);
	if (reason)
		return reason;
	sw->deferred = flag != sw->to && dxs_mode(sw->inode) != sw->to;
	return reason;
}

static bool dxs_is_frozen(const struct super_block *sb)
{
	return READ_ONCE(sb->s_writers.frozen) != SB_UNFROZEN;
}

/* Take the switch lock if it is free. Waiters sleep on &di->switch_map. */
static bool dxs_switch_claim(struct dxs_inode *di)
{
	bool claimed;

	spin_lock(&di->vfs_inode.i_lock);
	claimed = !di->switch_locked;
	di->switch_locked = true;
	if (!claimed)
		di->switch_awaited = true;
	spin_unlock(&di->vfs_inode.i_lock);
	if (claimed)
		mutex_acquire(&di->switch_map, 0, 1, _RET_IP_);
	return claimed;
}

/* H42: the holder may write back for long, and this caller did not ask to wait for that. */
static enum daxstack_reason dxs_switch_trylock(struct dxs_inode *di)
{
	long left;

	if (dxs_switch_claim(di))
		return DAXSTACK_REASON_NONE;
	left = dxs_wait_var_timeout(&di->switch_map, dxs_switch_claim(di),
				    DXS_TURN);
	if (left > 0)
		return DAXSTACK_REASON_NONE;
	return left ? DAXSTACK_REASON_INTERRUPTED : DAXSTACK_REASON_SWITCHING;
}

/* No task uses a new file: another switch of it soon ends. */
static void dxs_switch_lock(struct dxs_inode *di)
{
	/* dxs_switch_claim() tells lockdep of a trylock. */
	mutex_acquire(&di->switch_map, 0, 0, _RET_IP_);
	mutex_release(&di->switch_map, _RET_IP_);
	wait_var_event(&di->switch_map, dxs_switch_claim(di));
}

static void dxs_switch_unlock(struct dxs_inode *di)
{
	bool awaited;

	mutex_release(&di->switch_map, _RET_IP_);
	spin_lock(&di->vfs_inode.i_lock);
	awaited = di->switch_awaited;
	di->switch_awaited = false;
	di->switch_locked = false;
	spin_unlock(&di->vfs_inode.i_lock);
	if (!awaited)
		return;
	/*
	 * Pairs with prepare_to_wait_event() in dxs_switch_trylock(): a task that has set
	 * switch_awaited may not be on the queue yet; it checks the lock again once it is.
	 */
	smp_mb();
	wake_up_var(&di->switch_map);
}

/* Take write access to the lower mount, which keeps a freeze out: see the lock order. */
static enum daxstack_reason dxs_write_lower(struct dxs_switch *sw)
{
	struct vfsmount *mnt = dxs_lower_mnt(sw->inode->i_sb);

	/* Others who mounted it may remount it read-only: that checks the mount's writers. */
	if (dxs_lower_shared(DXS_SB(sw->inode->i_sb))) {
		if (dxs_is_frozen(mnt->mnt_sb))
			return DAXSTACK_REASON_FROZEN;
		sw->err = mnt_want_write(mnt);
		sw->counted = !sw->err;
		return sw->err ? DAXSTACK_REASON_READ_ONLY :
				 DAXSTACK_REASON_NONE;
	}
	if (!sb_start_write_trylock(mnt->mnt_sb))
		return DAXSTACK_REASON_FROZEN;
	if (!__mnt_is_readonly(mnt))
		return DAXSTACK_REASON_NONE;
	sb_end_write(mnt->mnt_sb);
	return DAXSTACK_REASON_READ_ONLY;
}

static void dxs_write_lower_end(struct dxs_switch *sw)
{
	struct vfsmount *mnt = dxs_lower_mnt(sw->inode->i_sb);

	if (sw->counted)
		mnt_drop_write(mnt);
	else
		sb_end_write(mnt->mnt_sb);
	sw->counted = false;
}

/*
 * H22: take write access without waiting for the end of a freeze, a wait that neither a
 * timeout nor a signal would end. s_umount of the stack keeps the stack from being
 * remounted read-only, as the writer count of mnt_want_write() does; a task that holds
 * s_umount for writing needs it only for a moment. For a moved file the flag is stored in
 * any case: that waits for the thaw, as the rename itself would have.
 */
static enum daxstack_reason dxs_write_begin(struct dxs_switch *sw)
{
	struct super_block *sb = sw->inode->i_sb;
	enum daxstack_reason reason;

	if (sw->cause == DXS_MOVED) {
		sw->err = mnt_want_write(dxs_lower_mnt(sb));
		sw->counted = !sw->err;
		return sw->err ? DAXSTACK_REASON_READ_ONLY :
				 DAXSTACK_REASON_NONE;
	}
	if (!down_read_trylock(&sb->s_umount))
		return dxs_is_frozen(sb) ? DAXSTACK_REASON_FROZEN :
					   DAXSTACK_REASON_WRITEBACK;
	reason = DAXSTACK_REASON_FROZEN;
	if (sw->mnt && !sb_start_write_trylock(sb))
		goto out;
	reason = DAXSTACK_REASON_READ_ONLY;
	if (sw->mnt && __mnt_is_readonly(sw->mnt))
		goto out_sb;
	reason = dxs_write_lower(sw);
	if (!reason)
		return reason;
out_sb:
	if (sw->mnt)
		sb_end_write(sb);
out:
	up_read(&sb->s_umount);
	return reason;
}

static void dxs_write_end(struct dxs_switch *sw)
{
	struct super_block *sb = sw->inode->i_sb;

	dxs_write_lower_end(sw);
	if (sw->cause == DXS_MOVED)
		return;
	if (sw->mnt)
		sb_end_write(sb);
	up_read(&sb->s_umount);
}

/*
 * Call @step with write access and the switch lock. Neither is kept while the request waits
 * for its next attempt: a freeze or a remount would wait as well.
 */
static void dxs_locked(struct dxs_switch *sw,
		       enum daxstack_reason (*step)(struct dxs_switch *sw))
{
	struct dxs_inode *di = DXS_I(sw->inode);

	sw->err = 0;
	sw->looked = false;
	sw->reason = dxs_write_begin(sw);
	if (sw->reason)
		return;
	sw->reason = dxs_switch_trylock(di);
	if (!sw->reason) {
		sw->reason = step(sw);
		if (dxs_mode(sw->inode) == DAXSTACK_CACHED)
			dxs_wb_release(di);
		dxs_switch_unlock(di);
	}
	dxs_write_end(sw);
}

/*
 * Until when a request without a timeout retries for a brief reason. A moved file must get
 * its flag, and should not miss its mode for a sync(2): no caller could try again.
 */
static unsigned long dxs_patience(const struct dxs_switch *sw)
{
	bool waits = sw->stores && sw->fa;

	if (sw->cause == DXS_MOVED)
		waits = sw->stores || sw->met_writeback;
	return sw->since + (waits ? DXS_STORE_PATIENCE : DXS_PATIENCE);
}

/*
 * io_uring may have pinned pages for the caller, and unpin them by work that runs when the
 * caller returns to user mode. A caller that asked to wait would wait for itself: so the
 * call is repeated after that work, with the time that is left.
 */
static bool dxs_waits_for_own_work(struct dxs_switch *sw)
{
	if (sw->reason != DAXSTACK_REASON_PINNED || !sw->may_restart ||
	    dxs_wait_state() != TASK_KILLABLE)
		return false;
	sw->restart = sw->forever || time_before(jiffies, sw->deadline);
	return sw->restart;
}

/* Sleep until the next attempt. Return: false if there is to be none. */
static bool dxs_wait_a_little(struct dxs_switch *sw)
{
	enum daxstack_reason reason = sw->reason;
	unsigned long until = sw->deadline, now = jiffies;
	unsigned long patience = dxs_patience(sw), pause = 1;

	if (!dxs_may_pass(reason))
		return false;
	if (dxs_waits_for_own_work(sw))
		return false;
	if (dxs_is_brief(reason) && time_before(until, patience))
		until = patience;
	/* A look is not the last try: the next one makes an attempt. */
	if (!sw->forever && time_after_eq(now, until))
		return sw->looked;
	if (!dxs_is_brief(reason))
		pause = clamp((now - sw->since) / DXS_PAUSE_PART, 1ul,
			      (unsigned long)DXS_PAUSE_MAX);
	else if (time_after_eq(now, sw->since + DXS_PATIENCE))
		pause += nsecs_to_jiffies(sw->shut_ns * DXS_DUTY);
	/* A look closed no gate. */
	if (sw->looked)
		pause = min(pause, (unsigned long)DXS_PAUSE_MAX);
	if (!sw->forever)
		pause = min(pause, until - now);
	if (dxs_rest(pause))
		return true;
	sw->reason = DAXSTACK_REASON_INTERRUPTED;
	return false;
}

/* Repeat dxs_locked() until it succeeds or may wait no longer. */
static void dxs_insist(struct dxs_switch *sw,
		       enum daxstack_reason (*step)(struct dxs_switch *sw))
{
	dxs_locked(sw, step);
	sw->since = jiffies;
	while (sw->reason && dxs_wait_a_little(sw))
		dxs_locked(sw, step);
}

/* Store the flag for the next load; @sw->reason keeps why it acts only then. */
static void dxs_defer(struct dxs_switch *sw)
{
	enum daxstack_reason why = sw->reason;

	if (sw->cause == DXS_MOVED)
		sw->stores = true;
	dxs_insist(sw, dxs_defer_step);
	if (!sw->reason)
		sw->reason = why;
}

/*
 * Open a file for generic_fadvise(), before the gates are closed; it is needed only to drop
 * folios. Without it the switch succeeds if no LRU batch holds one.
 */
static struct file *dxs_open_drain(const struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	const struct path path = {
		.mnt = dxs_lower_mnt(sw->inode->i_sb),
		.dentry = sw->lower,
	};
	struct file *file;

	if (sw->to != DAXSTACK_DAX || IS_DAX(lower) || !lower->i_data.nrpages)
		return NULL;
	/* H39: the path is the private mount's, and any task may switch. */
	file = dxs_lower_open_alone(O_RDONLY | O_LARGEFILE | O_NOATIME, &path,
				    lower, DXS_SB(sw->inode->i_sb)->cred);
	return IS_ERR(file) ? NULL : file;
}

/* One attempt. Folios may have come since an earlier attempt that had none to drop. */
static void dxs_try(struct dxs_switch *sw)
{
	/* H44: a file that is not in use costs no grace period. */
	if (dxs_gates(sw->inode) && !dxs_pace()) {
		sw->reason = DAXSTACK_REASON_INTERRUPTED;
		return;
	}
	if (!sw->drain)
		sw->drain = dxs_open_drain(sw);
	dxs_locked(sw, dxs_attempt);
}

/*
 * One more attempt. If writeback or a call prevented it, it did not look at the pages: the
 * result of the earlier look stands.
 */
static void dxs_try_again(struct dxs_switch *sw)
{
	enum daxstack_reason before = sw->reason;

	dxs_try(sw);
	sw->met_writeback |= sw->reason == DAXSTACK_REASON_WRITEBACK;
	if (before == DAXSTACK_REASON_PINNED &&
	    (sw->reason == DAXSTACK_REASON_WRITEBACK ||
	     sw->reason == DAXSTACK_REASON_IO))
		sw->reason = before;
}

/**
 * dxs_switch_end() - report and count how a request ended
 * @sw: the request, with its reason
 *
 * Context: does not sleep.
 * Return: 0, or the errno of the reason.
 */
static int dxs_switch_end(const struct dxs_switch *sw)
{
	bool refused;
	int err = 0;

	if (sw->restart)
		err = -ERESTARTNOINTR;
	else if (sw->reason && !sw->deferred)
		err = sw->err ?: dxs_reason_errno(sw->reason);
	if (!sw->restart) {
		refused = err && !dxs_only_attributes(sw);
		if (refused)
			atomic_inc(&DXS_I(sw->inode)->refusals);
		dxs_count(sw, refused);
		dxs_report(sw, err);
	}
	dxs_trace_switch_end(sw, err);
	return err;
}

/**
 * dxs_switch_born() - switch a new file to the mode that it is to have
 * @sw: the request, of %DXS_BORN; its result is filled in
 *
 * No task uses the file: there is nothing to wait for but a moment in which the lower
 * filesystem is being mounted, or the inode written.
 *
 * Context: sleeps. Write access to the lower mount is held, and the lower directory may be
 * locked.
 * Return: as dxs_switch(). If dax= gives all files one mode, only the flag changes.
 */
int dxs_switch_born(struct dxs_switch *sw)
{
	struct dxs_inode *di = DXS_I(sw->inode);

	dxs_trace_switch_begin(sw);
	sw->since = jiffies;
	do {
		dxs_switch_lock(di);
		sw->reason = dxs_attempt_born(sw);
		if (sw->reason == DAXSTACK_REASON_DAX_OPTION)
			sw->reason = dxs_defer_step(sw) ?:
				DAXSTACK_REASON_DAX_OPTION;
		if (dxs_mode(sw->inode) == DAXSTACK_CACHED)
			dxs_wb_release(di);
		dxs_switch_unlock(di);
	} while (sw->reason && !sw->deferred && dxs_wait_a_little(sw));
	return dxs_switch_end(sw);
}

/* Is the flag stored although the file is not switched? */
static bool dxs_is_deferred(const struct dxs_switch *sw)
{
	return sw->reason == DAXSTACK_REASON_NEVER ||
		(sw->reason && sw->cause != DXS_ASKED);
}

/**
 * dxs_switch() - switch a file to a mode
 * @sw: the request, see dxs_switch_of(); its result is filled in
 *
 * Context: sleeps for as long as the request allows and dirty pages take to be written; a
 * signal ends it. No lock of the VFS is held (H46).
 * Return: 0 if the file is in mode @sw->to now or the flag was deferred; else the errno of
 * @sw->reason: nothing has changed.
 */
int dxs_switch(struct dxs_switch *sw)
{
	struct dxs_sb *sbi = DXS_SB(sw->inode->i_sb);

	dxs_trace_switch_begin(sw);
	if (sw->cause == DXS_ASKED &&
	    !inode_owner_or_capable(sw->idmap, dxs_switch_lower(sw))) {
		sw->reason = DAXSTACK_REASON_NOT_OWNER;
		return dxs_switch_end(sw);
	}
	/* Before the lower s_writers: it takes them, and then a lock of its own. */
	if (dxs_mode(sw->inode) != sw->to)
		dxs_learn_personalities(sbi);

	dxs_try(sw);
	sw->met_writeback = sw->reason == DAXSTACK_REASON_WRITEBACK;
	/* From now: a long writeback must not use the time up. */
	sw->since = jiffies;
	while (sw->reason && dxs_wait_a_little(sw))
		dxs_try_again(sw);
	if (dxs_is_deferred(sw))
		dxs_defer(sw);
	if (sw->drain)
		fput(sw->drain);
	dxs_copy_attr(sw->inode);
	return dxs_switch_end(sw);
}

/**
 * dxs_store() - store attributes, the flag among them, without a switch
 * @sw: the request, see dxs_switch_of(), with @sw->fa
 *
 * Context: as dxs_switch(); waits for data calls up to DXS_STORE_PATIENCE.
 * Return: 0 if they are stored, else an errno: nothing has changed.
 */
int dxs_store(struct dxs_switch *sw)
{
	dxs_trace_switch_begin(sw);
	dxs_insist(sw, dxs_store_step);
	dxs_copy_attr(sw->inode);
	if (!sw->reason && sw->deferred)
		sw->reason = DXS_SB(sw->inode->i_sb)->dax == DXS_DAX_INODE ?
			DAXSTACK_REASON_NEVER : DAXSTACK_REASON_DAX_OPTION;
	return dxs_switch_end(sw);
}
