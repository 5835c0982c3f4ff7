/* SPDX-License-Identifier: GPL-2.0-only */
/* Mount the lower filesystem in place of daxstack, in a private mount namespace. */
#ifndef LOWERMNT_H
#define LOWERMNT_H

#include <stdbool.h>

bool lowermnt_begin(const char *mountpoint, bool read_only);
bool lowermnt_end(void);

#endif /* LOWERMNT_H */
