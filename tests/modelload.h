/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions of modelload.c, by number. tests/model.sh parses this file: one name
 * and one number per line.
 */
#ifndef MODELLOAD_H
#define MODELLOAD_H

/* Random and neighbouring loads, each depending on the previous one. */
#define RANDOM_DRAM	0
#define RANDOM_PMEM	1
#define RANDOM_CACHED	2
#define NEXT_DRAM	3
#define NEXT_PMEM	4
/* Ascending loads, stores, and non-temporal stores. */
#define READ_DRAM	5
#define READ_PMEM	6
#define WRITE_DRAM	7
#define WRITE_PMEM	8
#define UNCACHED_DRAM	9
#define UNCACHED_PMEM	10
/* A store and a flush to a quarter of the lines. */
#define PIECES_PMEM	11
/* Random loads within all caches, and within some. */
#define SMALL_SET	12
#define MIDDLE_SET	13
/* fsync(2) of a mapping; pwrite(2) and fsync(2). */
#define SYNC_MAPPING	14
#define WRITE_SYNC	15

/* Lines of 64 bytes, and bytes. */
#define MODEL_LINES	131072
#define MODEL_SMALL	2048
#define MODEL_MIDDLE	32768
#define MODEL_SYNC	1048576

#endif
