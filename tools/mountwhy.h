/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MOUNTWHY_H
#define MOUNTWHY_H

#include <stdbool.h>

/**
 * struct mount_try - an attempt to mount
 * @source: path of the source
 * @target: mount point
 * @lower: type given by lower=, or NULL
 * @err: errno of the system call, 0 on success
 * @remount: a remount
 * @dax: dax= was given
 * @lines: kernel messages; NULL-terminated
 */
struct mount_try {
	const char *source;
	const char *target;
	const char *lower;
	int err;
	bool remount;
	bool dax;
	char **lines;
};

void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void advise(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *shown(const char *name);

void why_failed(const struct mount_try *try);
void why_off(const struct mount_try *try);
bool module_missing(void);

#endif /* MOUNTWHY_H */
