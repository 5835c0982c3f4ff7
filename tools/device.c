// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that daxstack is mounted from: their content (libblkid), their kind (sysfs)
 * and their other users (libmount).
 */
#include <blkid.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "device.h"

/* Offset of struct ext4_super_block, and in it of log2(block size / 1024). */
#define EXT4_SUPER	1024
#define EXT4_LOG_BLOCK	24
/* Offsets in struct xfs_dsb. */
#define XFS_BLOCK	4
#define XFS_VERSION	100
#define XFS_VERSION_MASK	0xf

static void look_ext4(int fd, struct device_content *content)
{
	uint32_t log;

	if (pread(fd, &log, sizeof(log), EXT4_SUPER + EXT4_LOG_BLOCK) ==
	    sizeof(log) && le32toh(log) < 10)
		content->block_size = 1024U << le32toh(log);
}

static void look_xfs(int fd, struct device_content *content)
{
	uint32_t size;
	uint16_t version;

	if (pread(fd, &size, sizeof(size), XFS_BLOCK) == sizeof(size))
		content->block_size = be32toh(size);
	if (pread(fd, &version, sizeof(version), XFS_VERSION) ==
	    sizeof(version))
		content->version = be16toh(version) & XFS_VERSION_MASK;
}

static void look_type(int fd, const char *type, struct device_content *content)
{
	snprintf(content->type, sizeof(content->type), "%s", type);
	/* The ext4 driver mounts all three. */
	if (!strcmp(type, "ext4") || !strcmp(type, "ext3") ||
	    !strcmp(type, "ext2")) {
		content->lower = "ext4";
		look_ext4(fd, content);
	} else if (!strcmp(type, "xfs")) {
		content->lower = "xfs";
		look_xfs(fd, content);
	}
}

static void look_fd(int fd, struct device_content *content)
{
	blkid_probe probe = blkid_new_probe();
	const char *type;

	content->err = ENOMEM;
	if (!probe)
		return;
	errno = EIO;
	if (blkid_probe_set_device(probe, fd, 0, 0) ||
	    blkid_probe_enable_superblocks(probe, 1) ||
	    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE |
						     BLKID_SUBLKS_USAGE)) {
		content->err = errno;
		blkid_free_probe(probe);
		return;
	}
	switch (blkid_do_safeprobe(probe)) {
	case 0:
		content->holds = DEVICE_NOTHING;
		if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL))
			break;
		content->holds = DEVICE_SOMETHING;
		look_type(fd, type, content);
		break;
	case 1:
		content->holds = DEVICE_NOTHING;
		break;
	case -2:
		content->holds = DEVICE_SEVERAL;
		break;
	default:
		content->err = errno;
	}
	blkid_free_probe(probe);
}

/**
 * device_look - probe the content of a device
 * @path: of a block device or an image
 * @content: filled in
 */
void device_look(const char *path, struct device_content *content)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*content = (struct device_content){ .holds = DEVICE_UNREAD };
	if (fd < 0) {
		content->err = errno;
		return;
	}
	look_fd(fd, content);
	close(fd);
}

/* Return: the directory of a device in sysfs, with links resolved. */
static char *sysfs_of(dev_t dev, bool block)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u",
		 block ? "block" : "char", major(dev), minor(dev));
	return realpath(path, NULL);
}

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool got = file && fgets(line, size, file);

	if (file)
		fclose(file);
	if (got)
		line[strcspn(line, "\n")] = 0;
	return got;
}

/*
 * Device paths: .../namespace0.0/block/pmem0 is raw, .../pfn0.1/block/pmem0 is fsdax,
 * .../btt0.0/block/pmem0s is sector, .../dax0.0/dax/dax0.0 is devdax. The attribute
 * "namespace" of the latter three names the namespace below.
 */
static const struct {
	const char *prefix;
	enum device_mode mode;
} modes[] = {
	{ "namespace", DEVICE_RAW },
	{ "pfn", DEVICE_FSDAX },
	{ "btt", DEVICE_SECTOR },
	{ "dax", DEVICE_DEVDAX },
	{ NULL, DEVICE_NO_MEMORY }
};

static bool is_libnvdimm(const char *dir)
{
	char link[PATH_MAX], to[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "%s/subsystem", dir);
	len = readlink(link, to, sizeof(to) - 1);
	if (len < 0)
		return false;
	to[len] = 0;
	return !strcmp(strrchr(to, '/') ?: "", "/nd");
}

static void memory_in(const char *dir, struct device_memory *memory)
{
	const char *name = strrchr(dir, '/') + 1;
	char path[PATH_MAX];
	size_t i;

	for (i = 0; modes[i].prefix; i++)
		if (!strncmp(name, modes[i].prefix, strlen(modes[i].prefix)))
			break;
	if (!modes[i].prefix)
		return;
	memory->mode = modes[i].mode;
	snprintf(memory->name, sizeof(memory->name), "%s", name);
	snprintf(path, sizeof(path), "%s/namespace", dir);
	if (memory->mode != DEVICE_RAW)
		read_line(path, memory->name, sizeof(memory->name));
}

/**
 * device_memory - find the persistent memory behind a device
 * @dev: device number
 * @block: a block device, else a character device
 * @memory: filled in
 */
void device_memory(dev_t dev, bool block, struct device_memory *memory)
{
	char *dir = sysfs_of(dev, block), path[PATH_MAX], *slash;

	*memory = (struct device_memory){ .mode = DEVICE_NO_MEMORY };
	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/partition", dir);
	memory->partition = !access(path, F_OK);
	while ((slash = strrchr(dir, '/')) && slash != dir) {
		*slash = 0;
		if (!is_libnvdimm(dir))
			continue;
		memory_in(dir, memory);
		break;
	}
	free(dir);
}

/**
 * device_mode_name - name of a namespace mode, as in ndctl
 * @mode: the mode
 */
const char *device_mode_name(enum device_mode mode)
{
	static const char *const names[] = {
		[DEVICE_NO_MEMORY] = "no",
		[DEVICE_RAW] = "raw",
		[DEVICE_SECTOR] = "sector",
		[DEVICE_FSDAX] = "fsdax",
		[DEVICE_DEVDAX] = "devdax",
	};

	return names[mode];
}

/**
 * device_kernel_name - name of a block device in the kernel: pmem0, dm-1
 * @dev: device number
 * @name: filled in
 * @size: of @name
 */
bool device_kernel_name(dev_t dev, char *name, size_t size)
{
	char *dir = sysfs_of(dev, true);

	if (!dir)
		return false;
	snprintf(name, size, "%s", strrchr(dir, '/') + 1);
	free(dir);
	return true;
}

/**
 * device_holder - find a device that is stacked on this one
 * @dev: number of a block device
 * @name: set to the kernel's name of the holder
 * @size: of @name
 */
bool device_holder(dev_t dev, char *name, size_t size)
{
	char *dir = sysfs_of(dev, true), path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *holders;

	if (!dir)
		return false;
	snprintf(path, sizeof(path), "%s/holders", dir);
	free(dir);
	holders = opendir(path);
	while (holders && !found && (entry = readdir(holders)))
		if (*entry->d_name != '.') {
			snprintf(name, size, "%s", entry->d_name);
			found = true;
		}
	if (holders)
		closedir(holders);
	return found;
}

/* A daxstack mount has a device number of its own; compare its source. */
static bool is_on(struct libmnt_fs *fs, dev_t dev)
{
	const char *source = mnt_fs_get_srcpath(fs);
	struct stat st;

	if (mnt_fs_get_devno(fs) == dev)
		return true;
	if (strcmp(mnt_fs_get_fstype(fs) ?: "", "daxstack") || !source ||
	    stat(source, &st))
		return false;
	return S_ISBLK(st.st_mode) ? st.st_rdev == dev : st.st_dev == dev;
}

/**
 * device_mounted - find a mount of a device in the mount namespace of this process
 * @dev: number of a block device
 * @type: filesystem type; NULL: any but daxstack
 * @except: mount point to ignore, or NULL
 * @mount: filled in; the strings are never freed
 */
bool device_mounted(dev_t dev, const char *type, const char *except,
		    struct device_mount *mount)
{
	struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	bool found = false;
	const char *by;

	while (table && iter && !found && !mnt_table_next_fs(table, iter, &fs)) {
		by = mnt_fs_get_fstype(fs) ?: "";
		if (type ? strcmp(by, type) : !strcmp(by, "daxstack"))
			continue;
		if (except && !strcmp(mnt_fs_get_target(fs), except))
			continue;
		if (!is_on(fs, dev))
			continue;
		mount->target = strdup(mnt_fs_get_target(fs));
		mount->type = strdup(by);
		found = mount->target && mount->type;
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
	return found;
}
