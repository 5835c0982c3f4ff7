// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a request stores in the lower inode: FS_XFLAG_DAX, and the attributes that the same
 * call sets. The mode itself is in switch.c.
 */
#include "entry.h"
#include "gates.h"
#include "lower.h"
#include "pace.h"
#include "report.h"
#include "switch.h"
#include "xflag.h"

/*
 * Which attributes would the request change: the DAX bit, any other? Leaves the
 * attributes of the lower inode in @sw->now if @sw->knows_now.
 *
 * Context: sleeps; needs no lock of the lower inode. The answer holds while the switch
 * lock is held and no other task can reach the lower inode.
 */
static void dxs_compare_request(struct dxs_switch *sw, bool *flag, bool *rest)
{
	struct file_kattr *now = &sw->now;

	*rest = false;
	*flag = true;
	*now = (struct file_kattr){};
	sw->knows_now = !dxs_fileattr_lower(sw->lower, now);
	/* dxs_fileattr_store() reports the error. */
	if (!sw->knows_now)
		return;
	*flag = dxs_fileattr_mode(now) != sw->to;
	if (sw->fa)
		*rest = dxs_fileattr_changes(sw->fa, now);
}

/*
 * The lower filesystem does not say why it refuses the flag. dxs_can_be_dax() has checked
 * all other reasons of XFS: what is left are blocks that the file shares or did share,
 * for which Linux 6.1 has no DAX.
 */
static enum daxstack_reason dxs_lowers_reason(const struct dxs_switch *sw,
					      int err, bool rest)
{
	const struct inode *lower = dxs_switch_lower(sw);

	if (sw->to == DAXSTACK_DAX && err == -EINVAL && !rest &&
	    dxs_is_xfs(lower->i_sb))
		return DAXSTACK_REASON_REFLINK;
	return DAXSTACK_REASON_LOWER_SAYS_NO;
}

/**
 * dxs_persist() - step 8: store the flag
 * @sw: the request
 *
 * A later mount, with or without the stack, then finds the chosen mode. Stores all that
 * the same call asks for, too (H55). This is the last operation that can fail: the flip
 * follows a stored flag, so that no flag needs to be restored (H20).
 *
 * Context: the switch lock and the lower i_rwsem, for writing, are held, with write access
 * to the lower mount.
 * Return: DAXSTACK_REASON_NONE, or why nothing was stored.
 */
enum daxstack_reason dxs_persist(struct dxs_switch *sw)
{
	bool flag, rest;
	int err;

	/* The owner may have changed while the request waited. */
	if (sw->cause == DXS_ASKED &&
	    !inode_owner_or_capable(sw->idmap, dxs_switch_lower(sw)))
		return DAXSTACK_REASON_NOT_OWNER;
	err = dxs_fileattr_store(sw->idmap, sw->lower, sw->to, sw->fa,
				 !dxs_only_stores(sw->inode->i_sb));
	/*
	 * H16: when data journalling changes, ext4 sets the folio size again, and khugepaged may
	 * have begun to work on a mapped file.
	 */
	if (dxs_limit_folios(dxs_switch_lower(sw)->i_mapping) &&
	    dxs_gates(sw->inode))
		WRITE_ONCE(DXS_I(sw->inode)->gates.fault.bypassed, true);
	if (!err)
		return DAXSTACK_REASON_NONE;
	/* Only the errno tells why other attributes were refused. */
	dxs_compare_request(sw, &flag, &rest);
	if (rest || (sw->fa && sw->stores))
		sw->err = err;
	if (err == -EINVAL || err == -EOPNOTSUPP)
		return dxs_lowers_reason(sw, err, rest);
	sw->err = err;
	/* ext4 refuses to change any other flag of such a file; XFS does not. */
	if (err == -EPERM && IS_IMMUTABLE(d_inode(sw->lower)))
		return DAXSTACK_REASON_IMMUTABLE;
	return DAXSTACK_REASON_PERSIST;
}

/* Store attributes with the I/O gate closed: data calls hold the lower i_rwsem for long (H42). */
static enum daxstack_reason dxs_persist_gated(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	struct dxs_gates *gates = dxs_switching_begin(sw->inode);
	enum daxstack_reason reason = DAXSTACK_REASON_NONE;
	u64 start;

	if (gates) {
		dxs_gate_slow(&gates->io);
		dxs_pace_spend();
		synchronize_rcu_expedited();
	}
	start = ktime_get_ns();
	if (gates)
		reason = dxs_shut_gate(&gates->io);
	if (!reason) {
		reason = dxs_lock_lower(lower);
		if (!reason) {
			reason = dxs_persist(sw);
			inode_unlock(lower);
		}
		if (gates)
			dxs_gate_open(&gates->io);
	}
	sw->shut_ns = ktime_get_ns() - start;
	if (gates) {
		dxs_gate_fast(&gates->io);
		dxs_count_shut(sw->inode->i_sb, sw->shut_ns);
	}
	dxs_switching_end(sw->inode);
	sw->attempts++;
	return reason;
}

/**
 * dxs_persist_alone() - store the flag and other attributes, but do not switch
 * @sw: the request; the file may have the wanted mode or the other one
 *
 * If the flag and the mode are as wanted, no lock is waited for (H42): a call that sets
 * attributes to their current values updates ctime, as without the stack, only if that
 * needs no waiting.
 *
 * Context: sleeps, for a bounded time. The switch lock is held, with write access to the
 * lower mount.
 * Return: DAXSTACK_REASON_NONE, or why nothing was stored.
 */
enum daxstack_reason dxs_persist_alone(struct dxs_switch *sw)
{
	struct inode *lower = dxs_switch_lower(sw);
	enum daxstack_reason reason;
	bool flag, rest, stored;

	dxs_compare_request(sw, &flag, &rest);
	stored = !flag && !rest && dxs_mode(sw->inode) == sw->to;
	if (stored && !sw->fa)
		return DAXSTACK_REASON_NONE;
	if (inode_trylock(lower)) {
		reason = dxs_persist(sw);
		inode_unlock(lower);
		return reason;
	}
	return stored ? DAXSTACK_REASON_NONE : dxs_persist_gated(sw);
}

/**
 * dxs_is_for_storing() - are attributes to be stored while the mode stays?
 * @sw: the request; @sw->now is filled in if it had to be compared
 *
 * Context: sleeps. The switch lock is held.
 * Return: true if the file has the wanted mode, or the request changes other attributes
 * than the mode.
 */
bool dxs_is_for_storing(struct dxs_switch *sw)
{
	bool flag, rest;

	/* The answer to an earlier attempt is out of date. */
	sw->knows_now = false;
	if (dxs_mode(sw->inode) == sw->to)
		return true;
	if (!sw->fa)
		return false;
	/* A call that changes other attributes leaves the mode alone. */
	dxs_compare_request(sw, &flag, &rest);
	return rest && !flag;
}
