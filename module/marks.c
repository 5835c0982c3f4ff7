// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks that are in the middle of something.
 *
 * Some calls come back to us by way of the kernel, with locks held which they
 * must not take again; nothing in their arguments tells so. They are known by
 * the task that makes them.
 */
#include <linux/sched.h>

#include "daxstack.h"

/**
 * dxs_mark() - the caller begins something
 * @marks: what it begins
 * @mark: on its stack, until dxs_unmark()
 *
 * Context: does not sleep.
 */
void dxs_mark(struct dxs_marks *marks, struct dxs_mark *mark)
{
	mark->task = current;
	spin_lock(&marks->lock);
	list_add(&mark->list, &marks->list);
	spin_unlock(&marks->lock);
}

/**
 * dxs_unmark() - the caller has ended it
 * @marks: as for dxs_mark()
 * @mark: the same
 *
 * Context: does not sleep.
 */
void dxs_unmark(struct dxs_marks *marks, struct dxs_mark *mark)
{
	spin_lock(&marks->lock);
	list_del(&mark->list);
	spin_unlock(&marks->lock);
}

/**
 * dxs_my_mark() - what is the caller in the middle of?
 * @marks: as for dxs_mark()
 *
 * Context: does not sleep.
 * Return: its mark, the latest if it has several, or NULL.
 */
struct dxs_mark *dxs_my_mark(struct dxs_marks *marks)
{
	struct dxs_mark *mark, *found = NULL;

	spin_lock(&marks->lock);
	list_for_each_entry(mark, &marks->list, list) {
		if (mark->task == current) {
			found = mark;
			break;
		}
	}
	spin_unlock(&marks->lock);
	return found;
}

/**
 * dxs_marked() - is the caller in the middle of it?
 * @marks: as for dxs_mark()
 *
 * Context: does not sleep.
 */
bool dxs_marked(struct dxs_marks *marks)
{
	return dxs_my_mark(marks);
}
