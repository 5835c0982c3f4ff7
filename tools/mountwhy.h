/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MOUNTWHY_H
#define MOUNTWHY_H

#include <stdbool.h>

/**
 * struct mount_try - a mount that was tried
 * @source: what is mounted, a path
 * @target: where
 * @lower: the type that was asked for by lower=, or NULL
 * @err: errno of the system call, 0 if it worked
 * @remount: it was to be changed
 * @dax: dax= was given
 * @lines: what the kernel said, ends with NULL
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
