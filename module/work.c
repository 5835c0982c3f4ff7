// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workqueues of the module, for work that outlives the call that caused it.
 */
#include "entry.h"

struct workqueue_struct *dxs_wq, *dxs_move_wq;

/* Switches of moved files wait for seconds at the worst, each in a thread. */
#define DXS_MOVES_AT_ONCE	16

int __init dxs_init_work(void)
{
	dxs_wq = alloc_workqueue("daxstack", WQ_UNBOUND, 0);
	if (!dxs_wq)
		return -ENOMEM;
	dxs_move_wq = alloc_workqueue("daxstack-moves", WQ_UNBOUND,
				      DXS_MOVES_AT_ONCE);
	if (!dxs_move_wq) {
		destroy_workqueue(dxs_wq);
		return -ENOMEM;
	}
	return 0;
}

/* Work that is queued is done first. */
void dxs_destroy_work(void)
{
	/* A switch of a moved file may queue other work. */
	destroy_workqueue(dxs_move_wq);
	destroy_workqueue(dxs_wq);
}
