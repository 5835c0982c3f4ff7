/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model of the page cache for files in cached mode, with the resolution of heat: pages
 * used in the same interval are kept or evicted together. As in the kernel there are
 * two lists. A page enters the inactive list, and moves to the active list when it is
 * used again. The inactive list evicts its oldest pages, and receives the oldest active
 * ones while it is shorter than the active list.
 */
#ifndef LRU_H
#define LRU_H

#include <stdint.h>

#include "reuse.h"

/**
 * struct lru_touch - use of a file in cached mode in an interval
 * @file: index, below that of lru_new()
 * @split: its footprint, by interval of the last use
 * @footprint: bytes touched
 * @accesses: bytes accessed, with repetitions
 * @size: of the file
 * @born: bytes of new pages, which are not read
 * @missing: out: bytes read from persistent memory
 * @evicted: out: bytes evicted for them, of any file
 */
struct lru_touch {
	uint32_t file;
	const struct reuse_split *split;
	uint64_t footprint;
	uint64_t accesses;
	uint64_t size;
	uint64_t born;
	uint64_t missing;
	uint64_t evicted;
};

struct lru;

/**
 * lru_new - create an empty cache
 * @bytes: DRAM
 * @files: number of files; their indexes are below this
 *
 * Return: NULL without memory.
 */
struct lru *lru_new(uint64_t bytes, uint32_t files);
void lru_free(struct lru *lru);

/**
 * lru_step - simulate an interval
 * @lru: the cache
 * @stamp: as that of reuse_step()
 * @touches: each file at most once
 * @nr: number of @touches
 *
 * Return: 0, or -1 without memory.
 */
int lru_step(struct lru *lru, uint64_t stamp, struct lru_touch *touches, uint32_t nr);

/**
 * lru_drop - evict all pages of a file
 * @lru: the cache
 * @file: its index
 */
void lru_drop(struct lru *lru, uint32_t file);

uint64_t lru_bytes(const struct lru *lru, uint32_t file);
uint64_t lru_total(const struct lru *lru);

#endif
