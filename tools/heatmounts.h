/* SPDX-License-Identifier: GPL-2.0-only */
/* Find the mounts to show or record heat of. */
#ifndef HEATMOUNTS_H
#define HEATMOUNTS_H

#include <stddef.h>

char *heat_mount_point(const char *path);
size_t heat_mount_points(char ***targets);
void heat_mount_lower(const char *target, char **lower, char **device);

#endif /* HEATMOUNTS_H */
