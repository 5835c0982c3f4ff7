/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>

bool confine(const char *dir);

#endif /* CONFINE_H */
