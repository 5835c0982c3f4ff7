/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One attempt to switch a file, and what decides about it.
 */
#ifndef DXS_SWITCH_H
#define DXS_SWITCH_H

#include "entry.h"

/* policy.c */
enum daxstack_reason dxs_may_switch(const struct dxs_switch *sw);
enum daxstack_reason dxs_no_switch(const struct super_block *sb,
				   enum dxs_policy policy);
enum daxstack_reason dxs_veto(const struct dxs_switch *sw);
bool dxs_only_stores(const struct super_block *sb);

/* switch.c */
enum daxstack_reason dxs_attempt(struct dxs_switch *sw);
enum daxstack_reason dxs_attempt_born(struct dxs_switch *sw);

/* persist.c */
bool dxs_is_for_storing(struct dxs_switch *sw);
enum daxstack_reason dxs_persist(struct dxs_switch *sw);
enum daxstack_reason dxs_persist_alone(struct dxs_switch *sw);

/*
 * Time that tasks inside a gate have to leave it before the attempt is given up. It
 * bounds how long other tasks wait outside for a switch that may not happen.
 */
#define DXS_DRAIN	msecs_to_jiffies(200)

/* locks.c */
enum daxstack_reason dxs_shut_gate(struct dxs_gate *gate);
enum daxstack_reason dxs_own_lower(struct super_block *lower);
enum daxstack_reason dxs_lock_lower(struct inode *lower);

#endif /* DXS_SWITCH_H */
