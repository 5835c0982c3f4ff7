/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is reported of a switch request: texts, statistics and lines in dmesg.
 * Tracepoints are in tell.h.
 */
#ifndef DXS_REPORT_H
#define DXS_REPORT_H

#include "entry.h"

/* reason.c */
int dxs_reason_errno(enum daxstack_reason reason);
const char *dxs_reason_text(enum daxstack_reason reason);

/* name.c */
const char *dxs_name_dentry(const struct dentry *dentry, char *name,
			    size_t size);
const char *dxs_name_inode(struct inode *inode, char *name, size_t size);

/* stats.c */
void dxs_count(const struct dxs_switch *sw, bool refused);
void dxs_count_shut(const struct super_block *sb, u64 ns);

/* report.c */
void dxs_report(const struct dxs_switch *sw, int err);
void dxs_report_init(struct dxs_sb *sbi);
void dxs_report_end(struct dxs_sb *sbi);

#endif /* DXS_REPORT_H */
