/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by 'daxstack save' and 'daxstack restore': the list of modes (modes.c), and
 * path lookup below a directory (resolver.c).
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
 * @directory: a directory, whose new files inherit @mode
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
	MODES_END,	/* last line of a complete list */
	MODES_WRONG,
};

void modes_put_header(void);
void modes_put(const struct mode_entry *entry);
void modes_put_end(void);

const char *modes_check_header(const char *line);
enum modes_line modes_parse(char *line, struct mode_entry *entry);

/**
 * struct resolver - a directory below which paths are looked up
 * @root: the directory
 * @anywhere: allow absolute paths and ".."
 * @dir: directory of the last path, -1 at first
 * @dir_name: its name
 * @dir_id: its identity
 * @stays: @dir is on a daxstack mount, which the lookup does not leave
 */
struct resolver {
	int root;
	bool anywhere;
	int dir;
	char *dir_name;
	struct file_id dir_id;
	bool stays;
};

bool resolver_open(struct resolver *resolver, const char *root);
const char *resolver_forbids(const struct resolver *resolver, const char *name);
int resolver_look(struct resolver *resolver, const char *name,
		  struct file_id *id);
const char *resolver_error(int error);
void resolver_close(struct resolver *resolver);

#endif /* MODES_H */
