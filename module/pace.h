/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often a user may switch files: see pace.c.
 */
#ifndef DXS_PACE_H
#define DXS_PACE_H

#include <linux/types.h>

bool dxs_pace(void);
bool dxs_rest(unsigned long timeout);
void dxs_pace_spend(void);
void dxs_pace_grace(void);
void dxs_pace_end(void);

#endif /* DXS_PACE_H */
