/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What 'daxstack save' and 'daxstack restore' share: the list of modes (modes.c),
 * and names that lead nowhere but down from a directory (beneath.c).
 */
#ifndef MODES_H
#define MODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "file.h"

/**
 * struct mode_entry - a line of a list
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 * @directory: it is one, and @mode what new files in it inherit
 * @name: any bytes
 */
struct mode_entry {
	unsigned int mode;
	bool directory;
	const char *name;
};

enum modes_line {
	MODES_ENTRY,
	MODES_COMMENT,
	MODES_END,	/* of a list that is whole */
	MODES_WRONG,
};

void modes_put_header(void);
void modes_put(const struct mode_entry *entry);
void modes_put_end(void);

const char *modes_check_header(const char *line);
enum modes_line modes_parse(char *line, struct mode_entry *entry);

/**
 * struct beneath - a directory, below which names are looked up
 * @root: the directory
 * @anywhere: names may begin with a slash, or have ".." in them
 * @dir: where the last name was found, -1 at first
 * @dir_name: how that was called
 * @dir_id: of it
 * @stays: it is on a daxstack mount, which is not left
 */
struct beneath {
	int root;
	bool anywhere;
	int dir;
	char *dir_name;
	struct file_id dir_id;
	bool stays;
};

bool beneath_open(struct beneath *beneath, const char *root);
const char *beneath_forbids(const struct beneath *beneath, const char *name);
int beneath_look(struct beneath *beneath, const char *name,
		 struct file_id *id);
const char *beneath_why(int error);
void beneath_close(struct beneath *beneath);

#endif /* MODES_H */
