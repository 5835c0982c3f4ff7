// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims: serialize mounts of one lower filesystem.
 *
 * The lower filesystem is mounted before the stack's superblock exists (H77), on
 * which a second mount would wait for the first. Without a claim, each of two
 * concurrent mounts would find the lower filesystem mounted elsewhere and refuse to
 * pass options to it.
 */
#include <linux/spinlock.h>
#include <linux/wait_bit.h>

#include "entry.h"
#include "super.h"

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
 * dxs_claim() - wait until no other task is mounting a lower filesystem
 * @claim: for dxs_unclaim()
 * @dev: device of the lower filesystem
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
 * dxs_unclaim() - release a claim
 * @claim: as given to dxs_claim()
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
