// SPDX-License-Identifier: GPL-2.0
/*
 * A request to switch: who may, how long it waits for what is in the way, and
 * what is told of it. The switch itself is in switch.c.
 */
#include <linux/ratelimit.h>
#include <linux/sched/signal.h>

#include "daxstack.h"
#include "trace.h"

/*
 * A page reference, a flusher or an I/O call is mostly gone in a moment: try
 * again for so long even if the caller did not ask to wait.
 */
#define DXS_PATIENCE	msecs_to_jiffies(100)

/*
 * Later attempts may take the gates for one part in so many of the time, so
 * that a long wait for a switch does not slow down those who use the file.
 */
#define DXS_DUTY	10

/* Reasons that pass by waiting. */
static bool dxs_may_pass(enum daxstack_reason reason)
{
	return reason == DAXSTACK_REASON_MAP_SYNC ||
		reason == DAXSTACK_REASON_MAPPED ||
		reason == DAXSTACK_REASON_LOWER_SHARED ||
		reason == DAXSTACK_REASON_FROZEN ||
		reason == DAXSTACK_REASON_PINNED ||
		reason == DAXSTACK_REASON_IO ||
		reason == DAXSTACK_REASON_WRITEBACK;
}

/* ... and those that mostly do so at once. */
static bool dxs_is_brief(enum daxstack_reason reason)
{
	return reason == DAXSTACK_REASON_PINNED ||
		reason == DAXSTACK_REASON_IO ||
		reason == DAXSTACK_REASON_WRITEBACK;
}

/*
 * What was refused acts when the inode is next loaded, which is when nobody
 * has it any more: it must not stay in the caches then. The switch lock is
 * held.
 *
 * Return: the reason why it was refused, or why the flag was not stored.
 */
static enum daxstack_reason dxs_defer(struct dxs_switch *sw)
{
	enum daxstack_reason reason;

	sw->err = 0;
	reason = dxs_persist_alone(sw);
	if (reason)
		return reason;
	d_mark_dontcache(sw->inode);
	sw->deferred = true;
	return sw->reason;
}

static bool dxs_is_frozen(const struct super_block *sb)
{
	return READ_ONCE(sb->s_writers.frozen) != SB_UNFROZEN;
}

/*
 * Does something with write access and the switch lock, neither of which is
 * kept while waiting for a later attempt: a freeze or a remount would wait too.
 */
static void dxs_locked(struct dxs_switch *sw,
		       enum daxstack_reason (*step)(struct dxs_switch *sw))
{
	struct vfsmount *lower_mnt = dxs_lower_mnt(sw->inode->i_sb);
	enum daxstack_reason reason = DAXSTACK_REASON_READ_ONLY;
	struct dxs_inode *di = DXS_I(sw->inode);

	/*
	 * Frozen: to wait for write access would know no timeout and no signal
	 * (H22). A freeze that begins just now makes us wait for the thaw, as it
	 * does write(2); no lock or gate is held yet.
	 */
	if (dxs_is_frozen(sw->inode->i_sb) || dxs_is_frozen(lower_mnt->mnt_sb)) {
		reason = DAXSTACK_REASON_FROZEN;
		goto out;
	}
	sw->err = sw->mnt ? mnt_want_write(sw->mnt) : 0;
	if (sw->err)
		goto out;
	/* Keeps a freeze of the lower filesystem out: see the lock order. */
	sw->err = mnt_want_write(lower_mnt);
	if (sw->err)
		goto out_mnt;
	if (mutex_lock_interruptible(&di->switch_lock)) {
		reason = DAXSTACK_REASON_INTERRUPTED;
	} else {
		reason = step(sw);
		if (dxs_mode(sw->inode) == DAXSTACK_CACHED)
			dxs_wb_release(di);
		mutex_unlock(&di->switch_lock);
	}
	mnt_drop_write(lower_mnt);
out_mnt:
	if (sw->mnt)
		mnt_drop_write(sw->mnt);
out:
	sw->reason = reason;
}

/* Lets some time pass. Return: true if it is worth another attempt. */
static bool dxs_wait_a_little(struct dxs_switch *sw, unsigned long patience)
{
	enum daxstack_reason reason = sw->reason;
	unsigned long until = sw->deadline, pause = 1;

	if (!dxs_may_pass(reason))
		return false;
	if (dxs_is_brief(reason) && time_before(until, patience))
		until = patience;
	if (!sw->forever && time_after_eq(jiffies, until))
		return false;
	if (dxs_is_brief(reason) && time_after_eq(jiffies, patience)) {
		pause += nsecs_to_jiffies(sw->shut_ns * DXS_DUTY);
		if (!sw->forever)
			pause = min(pause, until - jiffies);
	}
	schedule_timeout_interruptible(pause);
	if (!signal_pending(current))
		return true;
	sw->reason = DAXSTACK_REASON_INTERRUPTED;
	return false;
}

/*
 * A file for generic_fadvise() to go by, before anything is shut; only needed
 * to drop folios. Without it the switch still works, when LRU batches allow.
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
	/* Unlike dentry_open(), it works when the system's files are used up. */
	file = open_with_fake_path(&path, O_RDONLY | O_LARGEFILE | O_NOATIME |
				   __FMODE_NONOTIFY, lower, current_cred());
	return IS_ERR(file) ? NULL : file;
}

/* One attempt. Folios may have come since an earlier one, which had none to drop. */
static void dxs_try(struct dxs_switch *sw)
{
	if (!sw->drain)
		sw->drain = dxs_open_drain(sw);
	dxs_locked(sw, dxs_attempt);
}

/*
 * One more attempt. Where writeback or a call was in the way, it did not come to
 * look at the pages: what an earlier one saw there stands.
 */
static void dxs_try_again(struct dxs_switch *sw)
{
	enum daxstack_reason before = sw->reason;

	dxs_try(sw);
	if (before == DAXSTACK_REASON_PINNED &&
	    (sw->reason == DAXSTACK_REASON_WRITEBACK ||
	     sw->reason == DAXSTACK_REASON_IO))
		sw->reason = before;
}

/*
 * A file's name for dmesg, its end if it is long. To be printed escaped: a name
 * may have line ends in it, and what terminals obey.
 */
#define DXS_NAME_MAX	200

static const char *dxs_name(const struct dxs_switch *sw, char *buf)
{
	char *name = ERR_PTR(-ENOMEM);
	size_t len;

	if (buf)
		name = dentry_path_raw(sw->name, buf, PATH_MAX);
	if (IS_ERR(name))
		return "?";
	len = strlen(name);
	return len > DXS_NAME_MAX ? name + len - DXS_NAME_MAX : name;
}

/*
 * One line in dmesg for each switch, each refusal, and each that is deferred;
 * rationed, for every user may switch his own files as often as he likes.
 */
static void dxs_report(const struct dxs_switch *sw, int err)
{
	static DEFINE_RATELIMIT_STATE(switches, 5 * HZ, 200);
	static DEFINE_RATELIMIT_STATE(others, 5 * HZ, 10);
	const char *id = dxs_switch_lower(sw)->i_sb->s_id, *name;
	bool switched = sw->switched && sw->cause != DXS_BORN;
	bool deferred = sw->deferred &&
		sw->reason != DAXSTACK_REASON_DAX_OPTION;
	char *buf;
	int len;

	if (switched ? !__ratelimit(&switches) :
		       !(deferred || err) || !__ratelimit(&others))
		return;
	buf = __getname();
	name = dxs_name(sw, buf);
	len = strlen(name);
	if (switched)
		pr_info("%s: %*pE (inode %lu): %s -> %s, %llu pages written back, gates shut for %llu us, attempt %u\n",
			id, len, name, sw->inode->i_ino,
			dxs_mode_name(!sw->to), dxs_mode_name(sw->to),
			sw->pages, div_u64(sw->shut_ns, NSEC_PER_USEC),
			sw->attempts);
	else if (deferred)
		pr_info("%s: %*pE (inode %lu): flag set for %s, acts when the inode is next loaded: %s\n",
			id, len, name, sw->inode->i_ino, dxs_mode_name(sw->to),
			dxs_reason_text(sw->reason));
	else
		pr_info("%s: %*pE (inode %lu): not switched to %s: %s (%d), attempt %u\n",
			id, len, name, sw->inode->i_ino, dxs_mode_name(sw->to),
			dxs_reason_text(sw->reason), err, sw->attempts);
	if (buf)
		__putname(buf);
}

/**
 * dxs_switch_end() - tell and count how a request ended
 * @sw: the request, with its reason
 *
 * Context: does not sleep.
 * Return: 0, or the errno that goes with the reason.
 */
int dxs_switch_end(const struct dxs_switch *sw)
{
	int err = 0;

	if (sw->reason && !sw->deferred)
		err = sw->err ?: dxs_reason_errno(sw->reason);
	if (err)
		atomic_inc(&DXS_I(sw->inode)->refusals);
	dxs_report(sw, err);
	trace_daxstack_switch_end(sw->inode, sw, err);
	return err;
}

/**
 * dxs_switch_born() - bring a file just made to the mode that it is to have
 * @sw: the request, of %DXS_BORN; what came of it is filled in
 *
 * Nobody uses the file, so that there is nothing to wait for but a moment in
 * which the lower filesystem is being mounted, or the inode written.
 *
 * Context: sleeps. Write access to the lower mount is held, and the lower
 * directory may be locked.
 * Return: as dxs_switch(). Where all files have one mode, only the flag changes.
 */
int dxs_switch_born(struct dxs_switch *sw)
{
	struct dxs_inode *di = DXS_I(sw->inode);
	unsigned long patience = jiffies + DXS_PATIENCE;

	do {
		mutex_lock(&di->switch_lock);
		sw->reason = dxs_attempt_born(sw);
		if (sw->reason == DAXSTACK_REASON_DAX_OPTION)
			sw->reason = dxs_defer(sw);
		if (dxs_mode(sw->inode) == DAXSTACK_CACHED)
			dxs_wb_release(di);
		mutex_unlock(&di->switch_lock);
	} while (sw->reason && !sw->deferred && dxs_wait_a_little(sw, patience));
	return dxs_switch_end(sw);
}

/* The file is not switched: is its flag stored all the same? */
static bool dxs_is_deferred(const struct dxs_switch *sw)
{
	return sw->reason == DAXSTACK_REASON_NEVER ||
		(sw->reason && sw->cause != DXS_ASKED);
}

/**
 * dxs_switch() - switch a file to a mode
 * @sw: the request, see dxs_switch_of(); what came of it is filled in
 *
 * Context: sleeps, for as long as the request allows and dirty pages take to
 * be written; interruptible by signals. The caller may hold the stack's
 * i_rwsem.
 * Return: 0 if the file is in mode @sw->to now, or was deferred; else the
 * errno of @sw->reason: nothing has changed.
 */
int dxs_switch(struct dxs_switch *sw)
{
	struct dxs_sb *sbi = DXS_SB(sw->inode->i_sb);
	unsigned long patience;

	trace_daxstack_switch_begin(sw->inode, sw->to);
	if (sw->cause == DXS_ASKED &&
	    !inode_owner_or_capable(&init_user_ns, sw->inode)) {
		sw->reason = DAXSTACK_REASON_NOT_OWNER;
		return dxs_switch_end(sw);
	}
	/* Before the lower s_writers: it takes them, then a lock of its own. */
	if (dxs_mode(sw->inode) != sw->to)
		dxs_learn_personalities(sbi);

	dxs_try(sw);
	/* From now: a long flush must not use it up. */
	patience = jiffies + DXS_PATIENCE;
	while (sw->reason && dxs_wait_a_little(sw, patience))
		dxs_try_again(sw);
	if (dxs_is_deferred(sw))
		dxs_locked(sw, dxs_defer);
	if (sw->drain)
		fput(sw->drain);
	dxs_copy_attr(sw->inode);
	return dxs_switch_end(sw);
}
