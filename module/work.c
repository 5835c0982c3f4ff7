// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workqueue of the module, for work that outlives the call that caused it.
 */
#include "entry.h"

struct workqueue_struct *dxs_wq;

int __init dxs_init_work(void)
{
	dxs_wq = alloc_workqueue("daxstack", WQ_UNBOUND, 0);
	return dxs_wq ? 0 : -ENOMEM;
}

/* Work that is queued is done first. */
void dxs_destroy_work(void)
{
	destroy_workqueue(dxs_wq);
}
