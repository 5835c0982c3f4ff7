/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of 'daxstack status' share: which files (status.c), a line for
 * each (rows.c), a line for each directory (sums.c).
 */
#ifndef STATUS_H
#define STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct row - what is shown of a file
 * @file: its name
 * @directory: it is a directory
 * @mode: dax or cached
 * @flag: FS_XFLAG_DAX is set
 * @mapped: no, yes, sync
 * @reason: why a switch would be refused
 * @counted: the numbers are known
 * @withheld: who uses the file is not for the caller to know
 * @pages: in the mapping
 * @switches: since the inode was loaded
 * @refusals: since then
 *
 * NULL is what is not known, or what a directory has not.
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
 * struct rows - a line for each file
 * @json: JSON, which is printed at once
 * @noheadings: without headings
 * @lines: for people: what is to be printed
 * @count: how many
 * @allocated: for how many lines there is room
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
 * struct sums - a line for each directory
 * @dirs: in the order in which they were entered
 * @count: how many
 * @allocated: for how many there is room
 * @current: the one that the last file was in
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
