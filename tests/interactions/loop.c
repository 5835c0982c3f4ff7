// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file of the stack backs a loop device with another filesystem, like the
 * disk image of a virtual machine, while it is switched. Asserts that no byte
 * is lost and that fsck of the inner filesystem finds no errors.
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

#include "interactions.h"

#define DISK	(48 * MIB)
#define CHUNK	(256 * KIB)
/* Writes for each way of attaching it. */
#define WRITES	12
#define SWITCHES 20

static const struct way {
	const char *name;
	__u32 flags;
} ways[] = {
	{ "loop device, buffered", 0 },
	{ "loop device, direct", LO_FLAGS_DIRECT_IO },
};

/* Return: a descriptor of the loop device, or -1. */
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
	 * Without BLK_DEV_WRITE_MOUNTED a device that is open for writing
	 * cannot be mounted.
	 */
	keep = MUST(open(path, O_RDONLY | O_CLOEXEC));
	close(fd);
	return keep;
}

/* Writes a file in the inner filesystem, reads it from the disk, removes it. */
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
	/* -o discard punches holes in the file. */
	if (i % 2)
		MUST(unlink("disk/file"));
	return wrong;
}

static void use_disk(const struct way *way, int disk)
{
	int fd, i, wrong = 0;
	double end = ia_end();
	struct ia_switcher s;
	char device[32];

	fd = attach(disk, way->flags, device, sizeof(device));
	if (fd < 0) {
		dxs_skip("no loop device", "%s", way->name);
		return;
	}
	ia_switch_begin(&s, disk);
	if (DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", device))
		dxs_bail("cannot create a filesystem on %s", device);
	dxs_errno(0, dxs_mount(device, "disk", "ext4", "discard"), "%s: mounted",
		  way->name);
	for (i = 0; i < WRITES || (s.done < SWITCHES && ia_now() < end); i++)
		wrong += write_once(i);
	dxs_errno(0, dxs_umount("disk"), "%s: unmounted", way->name);
	dxs_is(0, DXS_RUN("fsck.ext4", "-fn", device),
	       "%s: fsck finds no errors",
	       way->name);
	dxs_is(0, wrong, "%s: contents", way->name);
	ia_switch_report(&s, SWITCHES, way->name);
	MUST(ioctl(fd, LOOP_CLR_FD));
	close(fd);
}

void check_loop(void)
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
