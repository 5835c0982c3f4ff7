/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files under control of other users: look them up without opening, then open exactly
 * the object that was looked up.
 */
#ifndef FILE_H
#define FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct file_id - result of a lookup
 * @mode: type and permissions
 * @dax: the file is in dax mode (STATX_ATTR_DAX)
 * @dev: filesystem
 * @ino: inode number
 * @mnt: mount that the lookup ended on; 0 if the kernel does not report it
 * @uid: owner
 * @links: number of hard links
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
int file_look_beneath(int dir, const char *path, struct file_id *id);
int file_identify(int fd, struct file_id *id);
bool file_is_same(const struct file_id *a, const struct file_id *b);
bool file_has_ioctls(const struct file_id *id);
const char *file_foreign(int look, const struct file_id *id);
int file_open(int look, const struct file_id *id);
int file_open_plain(int dir, const char *name);
int file_open_as(int look, const struct file_id *id, int flags);
bool file_is_leased(const struct file_id *id);

#endif /* FILE_H */
