// SPDX-License-Identifier: GPL-2.0
/*
 * A file is the disk of another filesystem, by a loop device, as that of a
 * virtual machine would be.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "besiege.h"

#define DISK	(48 * MIB)
#define CHUNK	(256 * KIB)
/* For each way, and for each after it. */
#define WRITES	12
#define SWITCHES 20

static const struct way {
	const char *name;
	__u32 flags;
} ways[] = {
	{ "a loop device, buffered", 0 },
	{ "a loop device, direct", LO_FLAGS_DIRECT_IO },
};

/* Return: the device's descriptor, or -1. */
static int attach(int disk, __u32 flags, char *path, size_t size)
{
	struct loop_config config = {
		.fd = disk,
		.block_size = PAGE,
		.info.lo_flags = flags,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n, fd, keep;

	if (control < 0)
		return -1;
	n = MUST(ioctl(control, LOOP_CTL_GET_FREE));
	close(control);
	snprintf(path, size, "/dev/loop%d", n);
	fd = MUST(open(path, O_RDWR | O_CLOEXEC));
	MUST(ioctl(fd, LOOP_CONFIGURE, &config));
	/*
	 * A kernel without BLK_DEV_WRITE_MOUNTED mounts no device that somebody
	 * may write to.
	 */
	keep = MUST(open(path, O_RDONLY | O_CLOEXEC));
	close(fd);
	return keep;
}

/* A file in the file, written, read from the disk, removed. */
static int write_once(int i)
{
	static uint8_t *bytes, *seen;
	int fd, wrong;

	if (!bytes) {
		bytes = dxs_alloc(CHUNK);
		seen = dxs_alloc(CHUNK);
	}
	fd = MUST(open("disk/file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
		       0644));
	dxs_fill(bytes, CHUNK, i, 0);
	dxs_pwrite(fd, bytes, CHUNK, 0);
	MUST(fsync(fd));
	close(fd);
	fd = MUST(open("disk/file", O_RDWR | O_DIRECT | O_CLOEXEC));
	dxs_pread(fd, seen, CHUNK, 0);
	wrong = !dxs_same(bytes, seen, CHUNK, 0, "disk");
	dxs_fill(bytes, CHUNK, i + 1, 0);
	dxs_pwrite(fd, bytes, CHUNK, 0);
	dxs_pread(fd, seen, CHUNK, 0);
	wrong += !dxs_same(bytes, seen, CHUNK, 0, "disk, direct");
	close(fd);
	/* With -o discard, holes are punched. */
	if (i % 2)
		MUST(unlink("disk/file"));
	return wrong;
}

static void use_disk(const struct way *way, int disk)
{
	int fd, i, wrong = 0;
	double end = bs_end();
	struct bs_switcher s;
	char device[32];

	fd = attach(disk, way->flags, device, sizeof(device));
	if (fd < 0) {
		dxs_skip("no loop device", "%s", way->name);
		return;
	}
	bs_switch_begin(&s, disk);
	if (DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", device))
		dxs_bail("cannot make a filesystem on %s", device);
	dxs_errno(0, dxs_mount(device, "disk", "ext4", "discard"), "%s: mounted",
		  way->name);
	for (i = 0; i < WRITES || (s.done < SWITCHES && bs_now() < end); i++)
		wrong += write_once(i);
	dxs_errno(0, dxs_umount("disk"), "%s: unmounted", way->name);
	dxs_is(0, DXS_RUN("fsck.ext4", "-fn", device), "%s: fsck finds nothing",
	       way->name);
	dxs_is(0, wrong, "%s: all bytes", way->name);
	bs_switch_report(&s, SWITCHES, way->name);
	MUST(ioctl(fd, LOOP_CLR_FD));
	close(fd);
}

void siege_loop(void)
{
	int disk = MUST(open("stack/disk", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	size_t i;

	DXS_RUN_READ(NULL, 0, "modprobe", "loop");
	MUST(mkdir("disk", 0755));
	MUST(fallocate(disk, 0, 0, DISK));
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		use_disk(&ways[i], disk);
	close(disk);
}
