/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Synthetic heat traces: shared declarations of the generator.
 */
#ifndef PLACETRACES_H
#define PLACETRACES_H

#include <stdbool.h>
#include <stdint.h>

#include "../../include/daxstack.h"

enum { PAGE = 4096, KIB = 1024, MIB = 1024 * 1024, FILES_MAX = 8192 };

/* A file; its counts are those of dax mode. */
struct made {
	struct daxstack_heat_file heat;
	char name[64];
	bool there;
};

extern struct made made[FILES_MAX];
extern uint32_t nr_made;

uint64_t draw(uint64_t below);
uint32_t draw_zipf(uint32_t below);

uint32_t make_file(uint64_t size, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void remove_file(uint32_t file);

void do_read(uint32_t file, uint64_t at, uint32_t bytes);
void do_write(uint32_t file, uint64_t at, uint32_t bytes);
void do_append(uint32_t file, uint32_t bytes);
void do_fsync(uint32_t file);
void read_all(uint32_t file);

/* Returns a page of a file, some much more often than others. */
uint64_t zipf_page(uint32_t file);

/*
 * A kind of trace: the operations of each interval; @step 0 creates the files.
 */
struct kind {
	const char *name;
	uint32_t steps;
	void (*run)(uint32_t step);
};

extern const struct kind kinds[];

#endif
