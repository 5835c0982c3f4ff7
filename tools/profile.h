/* SPDX-License-Identifier: GPL-2.0-only */
/* Profiles: costs of memory, in a file described by daxstack-profile(5). */
#ifndef DAXSTACK_PROFILE_H
#define DAXSTACK_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * All numbers are integers in thousandths of the unit in the file, so that calculations
 * give the same results on every machine: picoseconds for nanoseconds, kilobytes per
 * second for megabytes (10^6 bytes), nanoseconds for microseconds.
 */

/**
 * struct dxs_memory - costs of one kind of memory
 * @random_read_ps: a read that hits no open line of the memory
 * @sequential_read_ps: average of dependent reads that take an internal line piece by
 *   piece; at most @random_read_ps
 * @read_kb_s: read bandwidth of a stream
 * @write_kb_s: write bandwidth of a stream
 * @line_bytes: the internal line, a power of two from 64 to 8192
 * @access_bytes: smallest unit that the memory reads or writes; a smaller access costs
 *   as much. A power of two from 64 to @line_bytes.
 */
struct dxs_memory {
	uint64_t random_read_ps;
	uint64_t sequential_read_ps;
	uint64_t read_kb_s;
	uint64_t write_kb_s;
	uint64_t line_bytes;
	uint64_t access_bytes;
};

/**
 * struct dxs_profile - a profile
 * @name: one word
 * @description: one line
 * @source: source of the numbers
 * @instruction_ps: an instruction that does not wait for memory
 * @dram: memory of the page cache and of processes
 * @pmem: memory of files in dax mode
 * @has_fsync: @fsync_dax_ns and @fsync_cached_ns are known
 * @fsync_dax_ns: fsync(2) of a page written in dax mode; the memory model does not use
 *   it
 * @fsync_cached_ns: the same in cached mode
 */
struct dxs_profile {
	char name[64];
	char description[256];
	char source[1024];
	uint64_t instruction_ps;
	struct dxs_memory dram;
	struct dxs_memory pmem;
	bool has_fsync;
	uint64_t fsync_dax_ns;
	uint64_t fsync_cached_ns;
};

/**
 * dxs_profile_read - read a profile
 * @path: the file
 * @p: filled in
 * @err: on failure set to the line in the file, the cause and what to write
 * @len: size of @err
 *
 * Return: 0, or -1.
 */
int dxs_profile_read(const char *path, struct dxs_profile *p, char *err, size_t len);

/**
 * dxs_profile_check - check that the numbers of a profile are consistent
 * @p: the profile
 * @err: if they are not, set to the cause and what to write
 * @len: size of @err
 *
 * For programs that fill in a profile; dxs_profile_read() has done this.
 *
 * Return: 0, or -1.
 */
int dxs_profile_check(const struct dxs_profile *p, char *err, size_t len);

/**
 * dxs_profile_write - write a profile
 * @file: output
 * @p: a profile that passes dxs_profile_check()
 *
 * The file reads back as the same profile.
 *
 * Return: 0, or -1 with errno.
 */
int dxs_profile_write(FILE *file, const struct dxs_profile *p);

#endif
