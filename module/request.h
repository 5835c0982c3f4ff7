/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to switch a file: see request.c.
 */
#ifndef DXS_REQUEST_H
#define DXS_REQUEST_H

#include "entry.h"

int dxs_switch(struct dxs_switch *sw);
int dxs_switch_born(struct dxs_switch *sw);
int dxs_store(struct dxs_switch *sw);

#endif /* DXS_REQUEST_H */
