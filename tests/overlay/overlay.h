/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * overlay: shared declarations. Overlayfs with the stack as upper and as lower
 * layer, and FUSE passthrough.
 */
#ifndef OVERLAY_H
#define OVERLAY_H

#include "../dxs_test.h"

/*
 * Mounts overlayfs on "over". @options: printf format with @root for each %s.
 */
int mount_over(const char *options, const char *root);

/*
 * ops.c: makes calls in the working directory. Return: their results as text.
 */
char *tell_all(const char *layers);
/*
 * compare.c: compares overlays on the lower filesystem alone and on the stack.
 */
void test_compare(void);
/* under.c: switches files that are in use through overlayfs. */
void test_under(void);
void test_bound(void);
/* fuse.c: a mapping that outlives all other references (H72). */
void test_passthrough(void);

#endif /* OVERLAY_H */
