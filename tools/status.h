/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of 'daxstack status': status.c (command line, traversal), rows.c
 * (a line per file), sums.c (a line per directory).
 */
#ifndef STATUS_H
#define STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct row - a line of the output
 * @file: name of the file
 * @directory: the file is a directory
 * @mode: dax or cached
 * @flag: FS_XFLAG_DAX is set
 * @mapped: no, yes, sync
 * @reason: why a switch would be refused
 * @counted: the numbers are known
 * @withheld: the caller may not see how the file is used
 * @pages: in the mapping
 * @switches: since the inode was loaded
 * @refusals: since the inode was loaded
 *
 * Pointers are NULL if unknown, or if not applicable to a directory.
 */
struct row {
	const char *file;
	bool directory;
	const char *mode;
	const bool *flag;
	const char *mapped;
	const char *reason;
	bool counted;
	bool withheld;
	uint64_t pages;
	uint64_t switches;
	uint64_t refusals;
};

/**
 * struct rows - a line per file
 * @json: print JSON, immediately
 * @noheadings: without headings
 * @lines: the table
 * @count: number of @lines
 * @allocated: allocated number of @lines
 */
struct rows {
	bool json;
	bool noheadings;
	struct line *lines;
	size_t count;
	size_t allocated;
};

void rows_begin(struct rows *rows, bool json, bool noheadings);
void rows_add(struct rows *rows, const struct row *row);
bool rows_print(struct rows *rows);

/**
 * struct sums - a line per directory
 * @dirs: in the order in which they were entered
 * @count: number of @dirs
 * @allocated: allocated number of @dirs
 * @current: index of the directory of the last file
 */
struct sums {
	struct sum *dirs;
	size_t count;
	size_t allocated;
	size_t current;
};

void sums_add(struct sums *sums, const struct row *row, bool operand);
bool sums_print(struct sums *sums, bool json, bool noheadings);

#endif /* STATUS_H */
