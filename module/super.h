/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mounts: the superblock, its options, and what /sys/fs/daxstack shows of it.
 */
#ifndef DXS_SUPER_H
#define DXS_SUPER_H

#include <linux/fs_parser.h>

#include "entry.h"

/* claim.c */
int dxs_claim(struct dxs_claim *claim, dev_t dev);
void dxs_unclaim(struct dxs_claim *claim);

/* options.c */
extern const struct constant_table dxs_policies[], dxs_inherits[], dxs_daxes[];
const char *dxs_option_name(const struct constant_table *table, int value);
const char *dxs_option(const struct dxs_sb *sbi, enum dxs_opt opt);

/* sysfs.c */
int dxs_init_sysfs(void);
void dxs_exit_sysfs(void);
void dxs_sysfs_add(struct dxs_sb *sbi);
void dxs_sysfs_del(struct dxs_sb *sbi);

/* remount.c */
int dxs_remount_lower(struct fs_context *fc, const struct dxs_passed *passed);

#endif /* DXS_SUPER_H */
