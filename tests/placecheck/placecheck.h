/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PLACECHECK_H
#define PLACECHECK_H

#include "../../tools/cost.h"
#include "../../tools/place.h"
#include "../dxs_test.h"

struct dxs_profile profile_named(const char *name);

void check_costs(void);
void check_heat(void);
void check_policy(void);

#endif
