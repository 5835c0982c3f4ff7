/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of 'daxstack who': who.c (command line, output), targets.c (files
 * asked about, table of holders), holders.c, process.c (processes), kernel.c (holders
 * in the kernel), mounts.c (mounts in all namespaces; also for 'daxstack set').
 */
#ifndef WHO_H
#define WHO_H

#include <jansson.h>
#include <libmount.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "file.h"

/* How a process holds a file. */
enum who_hold {
	HOLD_OPEN	= 1 << 0,
	HOLD_MAPPED	= 1 << 1,
	HOLD_PRIVATE	= 1 << 2,	/* mapped with MAP_PRIVATE */
	HOLD_SYNC	= 1 << 3,	/* mapped with MAP_SYNC */
	HOLD_MLOCKED	= 1 << 4,	/* mapped, and locked in memory */
	HOLD_LOCKED	= 1 << 5,	/* flock(2), fcntl(2) */
	HOLD_LEASE	= 1 << 6,
	HOLD_LEASE_WRITE = 1 << 7,	/* breaks when another process opens the file */
	HOLD_CWD	= 1 << 8,
	HOLD_ROOT	= 1 << 9,
	HOLD_EXE	= 1 << 10,
	HOLD_LOOP	= 1 << 11,	/* a loop device, not a process */
	HOLD_EXPORT	= 1 << 12,	/* an export of the NFS server, not a process */
	/* Path to the file: */
	HOLD_HERE	= 1 << 13,	/* by a mount that was asked about */
	HOLD_BELOW	= 1 << 14,	/* by a mount of the lower filesystem */
};

/**
 * struct holder - a process, or an object in the kernel, that holds a file
 * @pid: 0 if it is not a process
 * @uid: owner of the process
 * @command: its name, any bytes; allocated
 * @holds: enum who_hold
 * @dev: of the file
 * @ino: of the file
 * @type: S_IFMT, 0 if unknown
 * @dax: in dax mode
 * @looked: @dax, @deleted and @type are known
 * @deleted: has no name any more
 * @file: name of the file as seen by the process, any bytes; allocated, may be NULL
 * @fds: numbers of descriptors
 */
struct holder {
	pid_t pid;
	uid_t uid;
	char *command;
	unsigned int holds;
	dev_t dev;
	uint64_t ino;
	mode_t type;
	bool dax;
	bool looked;
	bool deleted;
	char *file;
	json_t *fds;
};

/**
 * struct mount_found - a mount related to the targets
 * @target: mount point, any bytes; allocated
 * @type: of the filesystem; allocated
 * @ns: inode number of its mount namespace
 * @own: the mount namespace is that of this process
 * @pid: a process in the mount namespace
 * @command: its name, any bytes; allocated
 * @id: mount ID
 * @vetoes: what the mount prevents
 */
struct mount_found {
	char *target;
	char *type;
	uint64_t ns;
	bool own;
	pid_t pid;
	char *command;
	uint64_t id;
	const char *vetoes;
};

/**
 * struct who_asked - a mount by which a target was named
 * @dev: device number of the filesystem
 * @mnt: mount ID
 * @policy: its switch=, empty if unknown
 */
struct who_asked {
	dev_t dev;
	uint64_t mnt;
	char policy[16];
};

/**
 * struct who_target - a file or filesystem asked about
 * @dev: device number of the filesystem
 * @ino: the file or directory
 * @whole: all of the filesystem
 */
struct who_target {
	dev_t dev;
	uint64_t ino;
	bool whole;
};

/**
 * struct who - targets and results
 * @asked: mounts by which targets were named
 * @nr_asked: number of @asked
 * @targets: sorted
 * @nr_targets: number of @targets
 * @holders: by process and file
 * @nr_holders: number of @holders
 * @index: hash table of the current process's holders: index + 1
 * @index_size: a power of two
 * @mounts: other mounts of the filesystem, and mounts on top of it
 * @nr_mounts: number of @mounts
 * @below: mount IDs of the lower filesystems, in any namespace
 * @nr_below: number of @below
 * @processes: number of processes examined
 * @unseen: number of processes without permission to examine
 */
struct who {
	struct who_asked *asked;
	size_t nr_asked;
	struct who_target *targets;
	size_t nr_targets;
	struct holder *holders;
	size_t nr_holders;
	size_t *index;
	size_t index_size;
	struct mount_found *mounts;
	size_t nr_mounts;
	uint64_t *below;
	size_t nr_below;
	unsigned int processes;
	unsigned int unseen;
};

/* targets.c */
int targets_add(struct who *who, const char *path, bool recursive);
void targets_sort(struct who *who);
bool who_match(const struct who *who, dev_t dev, uint64_t ino);
struct who_asked *who_asked_dev(const struct who *who, dev_t dev);
bool who_is_asked(const struct who *who, uint64_t mnt);
struct holder *who_holder(struct who *who, size_t first, dev_t dev,
			  uint64_t ino);
void *who_grow(void *array, size_t nr, size_t size);

/* process.c */
int process_open(const char *pid);
char *process_command(int proc);
bool process_uid(int proc, uid_t *uid);
char *process_read(int dir, const char *name);

/* holders.c, kernel.c */
void holders_find(struct who *who);
void kernel_find(struct who *who);

/**
 * struct mount_space - a mount namespace
 * @ns: its inode number
 * @own: it is that of this process
 * @pid: a process in it
 * @proc: directory of that process in /proc
 * @table: its mounts
 */
struct mount_space {
	uint64_t ns;
	bool own;
	pid_t pid;
	int proc;
	struct libmnt_table *table;
};

/* mounts.c */
void mounts_visit(void (*visit)(const struct mount_space *space, void *data),
		  void *data);
void mounts_find(struct who *who);

#endif /* WHO_H */
