// SPDX-License-Identifier: GPL-2.0
/*
 * A request to switch: who may, how long it waits for what is in the way, and
 * what is told of it. The switch itself is in switch.c.
 */
#include <linux/ratelimit.h>
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>

#include "daxstack.h"
#include "trace.h"
#include "wait.h"

/*
 * A page reference, a flusher or an I/O call is mostly gone in a moment: try
 * again for so long even if the caller did not ask to wait.
 */
#define DXS_PATIENCE	msecs_to_jiffies(100)

/*
 * ... and for so long where nothing is switched, only attributes are stored:
 * without the stack, that waits for a data call for as long as it takes.
 */
#define DXS_STORE_PATIENCE	(5 * HZ)

/* How long another switch of the same file is waited for at a time. */
#define DXS_TURN	msecs_to_jiffies(200)

/*
 * H49: where a reason may last, at least this part of the time waited so far is
 * let pass between two attempts, up to DXS_PAUSE_MAX: each is an attempt as a
 * whole, and there may be many who wait. A brief reason passes, and comes back, in
 * a moment, which such a pause would miss.
 */
#define DXS_PAUSE_PART	8
#define DXS_PAUSE_MAX	(HZ / 10)

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
		reason == DAXSTACK_REASON_WRITEBACK ||
		reason == DAXSTACK_REASON_SWITCHING;
}

/* ... and those that mostly do so at once. */
static bool dxs_is_brief(enum daxstack_reason reason)
{
	return reason == DAXSTACK_REASON_PINNED ||
		reason == DAXSTACK_REASON_IO ||
		reason == DAXSTACK_REASON_WRITEBACK ||
		reason == DAXSTACK_REASON_SWITCHING;
}

/*
 * What was refused acts when the inode is next loaded, which is when nobody
 * has it any more: it must not stay in the caches then. The switch lock is
 * held.
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
 * The lower filesystem takes all of it, as without us, and tells by
 * I_DONTCACHE if the inode is to be loaded anew for it.
 */
static enum daxstack_reason dxs_store_step(struct dxs_switch *sw)
{
	int flag = dxs_flag(sw->lower);
	enum daxstack_reason reason;

	sw->stores = true;
	sw->err = 0;
	reason = dxs_persist_alone(sw);
	/* After an error too: ext4 may have stored the flag before it failed. */
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

/* H42: the holder may flush for long, which this caller did not ask to wait for. */
static enum daxstack_reason dxs_switch_trylock(struct dxs_inode *di)
{
	long left;

	if (mutex_trylock(&di->switch_lock))
		return DAXSTACK_REASON_NONE;
	left = dxs_wait_var_timeout(&di->switch_lock,
				    mutex_trylock(&di->switch_lock), DXS_TURN);
	if (left > 0)
		return DAXSTACK_REASON_NONE;
	return left ? DAXSTACK_REASON_INTERRUPTED : DAXSTACK_REASON_SWITCHING;
}

static void dxs_switch_unlock(struct dxs_inode *di)
{
	mutex_unlock(&di->switch_lock);
	/* Pairs with prepare_to_wait_event() in dxs_switch_trylock(). */
	smp_mb();
	wake_up_var(&di->switch_lock);
}

/* Write access to the lower mount, which keeps a freeze out: see the lock order. */
static enum daxstack_reason dxs_write_lower(struct dxs_switch *sw)
{
	struct vfsmount *mnt = dxs_lower_mnt(sw->inode->i_sb);

	/* Others who have it mounted may remount it: they look at its writers. */
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
 * H22: write access without waiting for the end of a freeze, which would know no
 * timeout and no signal. The s_umount of the stack keeps it from being remounted
 * read-only meanwhile, as the count of writers that mnt_want_write() keeps does;
 * who has it for writing needs it for a moment. A move has its flag stored in any
 * case, and waits as the rename itself would have.
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
 * Does something with write access and the switch lock, neither of which is
 * kept while waiting for a later attempt: a freeze or a remount would wait too.
 */
static void dxs_locked(struct dxs_switch *sw,
		       enum daxstack_reason (*step)(struct dxs_switch *sw))
{
	struct dxs_inode *di = DXS_I(sw->inode);

	sw->err = 0;
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
 * Until when a brief reason is waited for by those who did not ask to wait. A file
 * that was moved has to get its flag: nobody could try again.
 */
static unsigned long dxs_patience(const struct dxs_switch *sw)
{
	bool stores = sw->stores && (sw->fa || sw->cause == DXS_MOVED);

	return sw->since + (stores ? DXS_STORE_PATIENCE : DXS_PATIENCE);
}

/*
 * Pages may be pinned by io_uring for the caller, which lets them go by work that
 * waits for the caller to return to user mode. Who asked to wait would wait for
 * himself: so the call is made again after that, with the time that is left.
 */
static bool dxs_waits_for_own_work(struct dxs_switch *sw)
{
	if (sw->reason != DAXSTACK_REASON_PINNED || !sw->may_restart ||
	    dxs_wait_state() != TASK_KILLABLE)
		return false;
	sw->restart = sw->forever || time_before(jiffies, sw->deadline);
	return sw->restart;
}

/* Lets some time pass. Return: true if it is worth another attempt. */
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
	if (!sw->forever && time_after_eq(now, until))
		return false;
	if (!dxs_is_brief(reason))
		pause = clamp((now - sw->since) / DXS_PAUSE_PART, 1ul,
			      (unsigned long)DXS_PAUSE_MAX);
	else if (time_after_eq(now, sw->since + DXS_PATIENCE))
		pause += nsecs_to_jiffies(sw->shut_ns * DXS_DUTY);
	if (!sw->forever)
		pause = min(pause, until - now);
	if (dxs_rest(pause))
		return true;
	sw->reason = DAXSTACK_REASON_INTERRUPTED;
	return false;
}

/* Does something with dxs_locked() until it is done, or may wait no longer. */
static void dxs_insist(struct dxs_switch *sw,
		       enum daxstack_reason (*step)(struct dxs_switch *sw))
{
	dxs_locked(sw, step);
	sw->since = jiffies;
	while (sw->reason && dxs_wait_a_little(sw))
		dxs_locked(sw, step);
}

/* The flag is stored for the next load; @sw->reason says why it acts only then. */
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
	/* H39: the private mount's path, and whoever switches. */
	file = dxs_lower_open_alone(O_RDONLY | O_LARGEFILE | O_NOATIME, &path,
				    lower, DXS_SB(sw->inode->i_sb)->cred);
	return IS_ERR(file) ? NULL : file;
}

/* One attempt. Folios may have come since an earlier one, which had none to drop. */
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

/* Is it about attributes that are no switch? */
static bool dxs_only_attributes(const struct dxs_switch *sw)
{
	return sw->fa && sw->stores;
}

/* What the lower filesystem refuses by itself needs no line in dmesg. */
static bool dxs_is_lowers_refusal(const struct dxs_switch *sw)
{
	return dxs_only_attributes(sw) &&
		(sw->reason == DAXSTACK_REASON_PERSIST ||
		 sw->reason == DAXSTACK_REASON_LOWER_SAYS_NO ||
		 sw->reason == DAXSTACK_REASON_REFLINK ||
		 sw->reason == DAXSTACK_REASON_NOT_OWNER);
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

	if (err && dxs_is_lowers_refusal(sw))
		return;
	if (switched ? !__ratelimit(&switches) :
		       !(deferred || err) || !__ratelimit(&others))
		return;
	buf = __getname();
	name = dxs_name(sw, buf);
	len = strlen(name);
	if (switched)
		pr_info("%s: %*pE (inode %llu): %s -> %s, %llu pages written back, gates shut for %llu us, attempt %u\n",
			id, len, name, (u64)sw->inode->i_ino,
			dxs_mode_name(!sw->to), dxs_mode_name(sw->to),
			sw->pages, div_u64(sw->shut_ns, NSEC_PER_USEC),
			sw->attempts);
	else if (deferred)
		pr_info("%s: %*pE (inode %llu): flag set for %s, acts when the inode is next loaded: %s\n",
			id, len, name, (u64)sw->inode->i_ino, dxs_mode_name(sw->to),
			dxs_reason_text(sw->reason));
	else if (dxs_only_attributes(sw))
		pr_info("%s: %*pE (inode %llu): attributes not stored: %s (%d)\n",
			id, len, name, (u64)sw->inode->i_ino,
			dxs_reason_text(sw->reason), err);
	else
		pr_info("%s: %*pE (inode %llu): not switched to %s: %s (%d), attempt %u\n",
			id, len, name, (u64)sw->inode->i_ino, dxs_mode_name(sw->to),
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

	if (sw->restart)
		return -ERESTARTNOINTR;
	if (sw->reason && !sw->deferred)
		err = sw->err ?: dxs_reason_errno(sw->reason);
	if (err && !dxs_only_attributes(sw))
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

	sw->since = jiffies;
	do {
		mutex_lock(&di->switch_lock);
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
 * be written; interruptible by signals. No lock of the VFS is held (H46).
 * Return: 0 if the file is in mode @sw->to now, or was deferred; else the
 * errno of @sw->reason: nothing has changed.
 */
int dxs_switch(struct dxs_switch *sw)
{
	struct dxs_sb *sbi = DXS_SB(sw->inode->i_sb);

	trace_daxstack_switch_begin(sw->inode, sw->to);
	if (sw->cause == DXS_ASKED &&
	    !inode_owner_or_capable(sw->idmap, dxs_switch_lower(sw))) {
		sw->reason = DAXSTACK_REASON_NOT_OWNER;
		return dxs_switch_end(sw);
	}
	/* Before the lower s_writers: it takes them, then a lock of its own. */
	if (dxs_mode(sw->inode) != sw->to)
		dxs_learn_personalities(sbi);

	dxs_try(sw);
	/* From now: a long flush must not use it up. */
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
 * dxs_store() - store attributes, the flag among them, and switch nothing
 * @sw: the request, see dxs_switch_of(), with @sw->fa
 *
 * Context: as dxs_switch(); waits for data calls up to DXS_STORE_PATIENCE.
 * Return: 0 if they are stored, else an errno: nothing has changed.
 */
int dxs_store(struct dxs_switch *sw)
{
	dxs_insist(sw, dxs_store_step);
	dxs_copy_attr(sw->inode);
	if (!sw->reason && sw->deferred)
		sw->reason = DXS_SB(sw->inode->i_sb)->dax == DXS_DAX_INODE ?
			DAXSTACK_REASON_NEVER : DAXSTACK_REASON_DAX_OPTION;
	return dxs_switch_end(sw);
}
