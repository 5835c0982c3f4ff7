/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cost model: time that the demand on a file takes in either mode, by a profile.
 * See docs/cost-model.md for the source of its constants and its error.
 */
#ifndef COST_H
#define COST_H

#include <stdbool.h>
#include <stdint.h>

#include "daxstack.h"
#include "profile.h"

/* Unit of pages, footprints and missing bytes. */
enum { COST_PAGE = 4096 };

/**
 * struct demand - the operations on a file in an interval, independent of its mode
 * @ns: length of the interval
 * @reads: calls that read: read(2), splice(2) and the like
 * @read_bytes: bytes moved by them
 * @writes: calls that write
 * @write_bytes: bytes moved by them
 * @read_faults: read faults that would occur in either mode
 * @write_faults: the same for writes; includes pages already mapped read-only
 * @fsyncs: fsync(2), fdatasync(2), msync(2) and O_SYNC writes
 * @dirtied: pages made dirty
 * @touches: accesses through mappings that caused no faults, estimated from probes
 * @footprint: bytes touched, in whole pages
 * @windows: bytes of the windows that were accessed through mappings, estimated from
 *   probes
 * @fresh: part of @footprint that was not touched in the interval before
 * @grown: bytes that the file grew by
 * @size: file size at the end
 * @mapped: the file is mapped
 * @sketch_shift: as in struct daxstack_heat_file
 * @sketch: likewise, of this interval; all 0 if unknown
 */
struct demand {
	uint64_t ns;
	uint64_t reads;
	uint64_t read_bytes;
	uint64_t writes;
	uint64_t write_bytes;
	uint64_t read_faults;
	uint64_t write_faults;
	uint64_t fsyncs;
	uint64_t dirtied;
	uint64_t touches;
	uint64_t footprint;
	uint64_t windows;
	uint64_t fresh;
	uint64_t grown;
	uint64_t size;
	uint32_t mapped;
	uint32_t sketch_shift;
	__u64 sketch[DAXSTACK_HEAT_SKETCH_BITS / 64];
};

/**
 * demand_of - compute the demand between two readings of a file's heat
 * @d: filled in
 * @before: the reading before; NULL if the file was not in it, which makes all counts
 *   part of the demand
 * @now: this reading; its sketch holds what was touched since @before was read
 * @ns: time between them
 *
 * A count below that of @before (the inode was loaded again) counts from zero. Refaults
 * after a switch are not demand: they are part of the cost of the switch.
 */
void demand_of(struct demand *d, const struct daxstack_heat_file *before,
	       const struct daxstack_heat_file *now, uint64_t ns);

/**
 * demand_to_read - how much of the missing bytes has to be read
 * @d: the demand
 * @bytes: part of the footprint that is not in DRAM
 *
 * A page that is overwritten as a whole is not read before.
 */
uint64_t demand_to_read(const struct demand *d, uint64_t bytes);

/**
 * demand_accesses - bytes accessed, with repetitions
 * @d: the demand
 *
 * Return: at least the footprint.
 */
uint64_t demand_accesses(const struct demand *d);

/**
 * demand_is_none - whether the file was not used
 * @d: the demand
 */
bool demand_is_none(const struct demand *d);

/**
 * cost_ps - the modelled time of a demand
 * @p: the profile
 * @d: the demand
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 * @missing: cached mode: bytes that have to be read from persistent memory because they
 *   are not in DRAM. More than the footprint if pages are evicted and read again within
 *   the interval. Ignored in dax mode.
 *
 * Return: picoseconds.
 */
uint64_t cost_ps(const struct dxs_profile *p, const struct demand *d, int mode,
		 uint64_t missing);

/**
 * cost_switch_ps - the modelled time of a switch, including the faults that follow
 * @p: the profile
 * @d: the demand: whether the file is mapped and how much of it is used
 * @to: the new mode
 * @pages: pages in the mapping before the switch
 * @dirty: number of dirty pages among them, which are written back
 *
 * Cached mode begins with an empty page cache; filling it is @missing of cost_ps().
 *
 * Return: picoseconds.
 */
uint64_t cost_switch_ps(const struct dxs_profile *p, const struct demand *d, int to,
			uint64_t pages, uint64_t dirty);

/**
 * cost_evict_ps - the modelled time to evict clean pages from DRAM
 * @p: the profile
 * @d: the demand: whether the pages are mapped
 * @bytes: how many
 *
 * Return: picoseconds.
 */
uint64_t cost_evict_ps(const struct dxs_profile *p, const struct demand *d,
		       uint64_t bytes);

/**
 * cost_dirty - estimate the number of dirty pages of a file in cached mode
 * @d: the demand of the last interval
 *
 * Return: pages.
 */
uint64_t cost_dirty(const struct demand *d);

/**
 * cost_fill_ps - the modelled time to read bytes into the page cache
 * @p: the profile
 * @d: the demand: read a page at a time or many
 * @bytes: how many
 *
 * This is the part of cost_ps() that @missing causes.
 *
 * Return: picoseconds.
 */
uint64_t cost_fill_ps(const struct dxs_profile *p, const struct demand *d,
		      uint64_t bytes);

#endif
