/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of 'daxstack auto': auto.c (command line), observe.c (get
 * answers), subject.c (find the file asked about), autoshow.c (print).
 */
#ifndef AUTO_H
#define AUTO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct observer - daxstackd, or a stand-in within this process if no daemon runs
 * @rules: the rules file of the stand-in
 * @steps: policy steps that the stand-in makes before it answers
 * @quiet: do not report how long that takes
 * @keep: the mounts of the stand-in; NULL: not started, or the daemon answers
 */
struct observer {
	const char *rules;
	long steps;
	bool quiet;
	struct keep *keep;
};

json_t *observe(struct observer *observer, json_t *question, const char *target,
		char *err, size_t len);
void observe_end(struct observer *observer);

/**
 * struct subject - the file asked about
 * @targets: mount points of its filesystem
 * @nr_targets: number of @targets
 * @path: relative to @targets, any bytes
 * @ino: inode number
 * @generation: generation of the inode number
 * @uid: owner
 * @size: bytes
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 * @reason: why a switch to the other mode would be refused now
 */
struct subject {
	char **targets;
	size_t nr_targets;
	char *path;
	uint64_t ino;
	uint32_t generation;
	uid_t uid;
	uint64_t size;
	unsigned int mode;
	unsigned int reason;
};

bool subject_look(struct subject *subject, const char *name, char *err, size_t len);
void subject_free(struct subject *subject);

void auto_show_mount(const json_t *mount);
void auto_show_file(const json_t *file);

#endif /* AUTO_H */
