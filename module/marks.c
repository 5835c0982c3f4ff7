// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marks: find out whether the current task is inside a certain operation.
 *
 * Some operations call the kernel, which calls the stack again, with locks held that
 * the inner call must not take. The arguments of the inner call do not show this, so
 * the task is marked for the time of the operation.
 */
#include <linux/sched.h>

#include "entry.h"
#include "marks.h"

/**
 * dxs_mark() - mark the current task
 * @marks: list of tasks in the operation that begins
 * @mark: on the task's stack, until dxs_unmark()
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
 * dxs_unmark() - remove a mark from the current task
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
 * dxs_my_mark() - find the mark of the current task
 * @marks: as for dxs_mark()
 *
 * Context: does not sleep.
 * Return: the mark, the latest if there are several, or NULL.
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
 * dxs_marked() - does the current task have a mark?
 * @marks: as for dxs_mark()
 *
 * Context: does not sleep.
 */
bool dxs_marked(struct dxs_marks *marks)
{
	return dxs_my_mark(marks);
}
