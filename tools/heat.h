/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The heat of files: counts of operations on each file of a mount since the session
 * began. See docs/heat.md.
 */
#ifndef HEAT_H
#define HEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daxstack.h"

/* A session. The kernel counts while at least one is open. */
struct heat;

struct heat *heat_open(const char *mountpoint, bool windows, char *err,
		       size_t len);
void heat_close(struct heat *heat);

int heat_read(struct heat *heat, bool all, bool clear, unsigned int probes);
const struct daxstack_heat_file *heat_files(const struct heat *heat, size_t *nr);
uint64_t heat_time_ns(const struct heat *heat);

int heat_name(struct heat *heat, uint64_t ino, uint32_t generation, char *path,
	      size_t size);
int heat_file_open(struct heat *heat, uint64_t ino, uint32_t generation,
		   char *path, size_t size);

double heat_distinct(const struct daxstack_heat_file *file);

#endif /* HEAT_H */
