/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Filesystems on top of the stack: overlayfs with it as upper and as lower layer,
 * and FUSE passthrough.
 */
#ifndef OVERLAY_H
#define OVERLAY_H

#include "../dxs_test.h"

/* Mounts overlayfs on "over". @options: printf format with @root for each %s */
int mount_over(const char *options, const char *root);

/* ops.c: what calls do, in words. In the working directory. */
char *tell_all(const char *layers);
/* compare.c: the same overlay on the lower filesystem alone, and on the stack */
void test_compare(void);
/* under.c: switches under what is used through overlayfs */
void test_under(void);
void test_bound(void);
/* fuse.c: a mapping that outlives all else (H72) */
void test_passthrough(void);

#endif /* OVERLAY_H */
