/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tasks that are inside one section of code: see marks.c.
 */
#ifndef DXS_MARKS_H
#define DXS_MARKS_H

#include "entry.h"

void dxs_mark(struct dxs_marks *marks, struct dxs_mark *mark);
void dxs_unmark(struct dxs_marks *marks, struct dxs_mark *mark);
struct dxs_mark *dxs_my_mark(struct dxs_marks *marks);
bool dxs_marked(struct dxs_marks *marks);

#endif /* DXS_MARKS_H */
