/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptions of a mount and of a file as JSON, for daxstackd and for 'daxstack auto'
 * in its place.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <jansson.h>
#include <stdint.h>

#include "tend.h"

json_t *explain_mount(const struct tend *tend);
json_t *explain_file(const struct tend *tend, uint64_t ino, uint32_t generation,
		     const char *path, uid_t uid, uint64_t size);

#endif /* EXPLAIN_H */
