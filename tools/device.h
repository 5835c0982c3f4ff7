/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices and directories that daxstack is mounted from: their content, their kind and
 * their other users. For mount.daxstack and fsck.daxstack.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdbool.h>
#include <sys/types.h>

enum device_holds {
	DEVICE_UNREAD,		/* could not be read */
	DEVICE_NOTHING,		/* nothing that libblkid recognises */
	DEVICE_SEVERAL,		/* signatures of more than one type */
	DEVICE_SOMETHING,	/* see type */
};

/**
 * struct device_content - what is on a device
 * @holds: what was found
 * @err: errno, if it could not be read
 * @type: name by libblkid
 * @lower: "ext4" or "xfs" if daxstack can be mounted on it, else NULL
 * @block_size: of ext4 or XFS, in bytes
 * @version: of XFS
 */
struct device_content {
	enum device_holds holds;
	int err;
	char type[32];
	const char *lower;
	unsigned int block_size;
	unsigned int version;
};

/* Modes of a namespace of persistent memory, as ndctl names them. */
enum device_mode {
	DEVICE_NO_MEMORY,	/* not persistent memory, or behind device-mapper */
	DEVICE_RAW,
	DEVICE_SECTOR,
	DEVICE_FSDAX,
	DEVICE_DEVDAX,
};

/**
 * struct device_memory - the persistent memory behind a device
 * @mode: mode of the namespace
 * @name: of the namespace, as in "namespace0.0"
 * @partition: the device is a partition
 */
struct device_memory {
	enum device_mode mode;
	char name[64];
	bool partition;
};

/**
 * struct device_mount - a mount of a device
 * @target: mount point
 * @type: filesystem type
 */
struct device_mount {
	char *target;
	char *type;
};

void device_look(const char *path, struct device_content *content);
void device_memory(dev_t dev, bool block, struct device_memory *memory);
const char *device_mode_name(enum device_mode mode);
bool device_kernel_name(dev_t dev, char *name, size_t size);
bool device_holder(dev_t dev, char *name, size_t size);
bool device_mounted(dev_t dev, const char *type, const char *except,
		    struct device_mount *mount);

#endif /* DEVICE_H */
