/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that belong to others: looked at without being opened, then opened
 * again as the very objects that were looked at.
 */
#ifndef FILE_H
#define FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct file_id - what a look at a file told
 * @mode: its type and permissions
 * @dax: it is in dax mode (STATX_ATTR_DAX)
 * @dev: its filesystem
 * @ino: which inode of that
 * @mnt: the mount that it was reached by, 0 where the kernel does not tell
 * @uid: its owner
 * @links: how many names it has
 */
struct file_id {
	mode_t mode;
	bool dax;
	dev_t dev;
	uint64_t ino;
	uint64_t mnt;
	uid_t uid;
	unsigned int links;
};

int file_look(int dir, const char *name, int flags, struct file_id *id);
int file_identify(int fd, struct file_id *id);
bool file_is_same(const struct file_id *a, const struct file_id *b);
bool file_has_ioctls(const struct file_id *id);
const char *file_foreign(int look, const struct file_id *id);
int file_open(int look, const struct file_id *id);
int file_open_plain(int dir, const char *name);
int file_open_as(int look, const struct file_id *id, int flags);
bool file_is_leased(const struct file_id *id);

#endif /* FILE_H */
