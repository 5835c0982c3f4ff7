// SPDX-License-Identifier: GPL-2.0
/*
 * One mount of a lower filesystem at a time.
 *
 * The lower filesystem is mounted before the stack has a superblock (H77), which
 * would have a second mount wait for the first. Two at once would find it
 * mounted by somebody else, and refuse to give it options.
 */
#include <linux/spinlock.h>
#include <linux/wait_bit.h>

#include "daxstack.h"

static LIST_HEAD(dxs_claims);
static DEFINE_SPINLOCK(dxs_claims_lock);

static bool dxs_try_claim(struct dxs_claim *claim)
{
	const struct dxs_claim *other;
	bool free = true;

	spin_lock(&dxs_claims_lock);
	list_for_each_entry(other, &dxs_claims, list)
		if (other->dev == claim->dev)
			free = false;
	if (free)
		list_add(&claim->list, &dxs_claims);
	spin_unlock(&dxs_claims_lock);
	return free;
}

/**
 * dxs_claim() - wait until nobody else mounts a lower filesystem
 * @claim: for dxs_unclaim()
 * @dev: its device
 *
 * Context: sleeps.
 * Return: 0, or -EINTR on a fatal signal.
 */
int dxs_claim(struct dxs_claim *claim, dev_t dev)
{
	claim->dev = dev;
	return wait_var_event_killable(&dxs_claims, dxs_try_claim(claim)) ?
		-EINTR : 0;
}

/**
 * dxs_unclaim() - end what dxs_claim() began
 * @claim: as it was given
 */
void dxs_unclaim(struct dxs_claim *claim)
{
	spin_lock(&dxs_claims_lock);
	list_del(&claim->list);
	spin_unlock(&dxs_claims_lock);
	/* Pairs with prepare_to_wait_event() in dxs_claim(). */
	smp_mb();
	wake_up_var(&dxs_claims);
}
