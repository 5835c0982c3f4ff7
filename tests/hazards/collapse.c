// SPDX-License-Identifier: GPL-2.0-only
/*
 * H61: MADV_COLLAPSE and khugepaged fill the page cache of a file with huge
 * pages. They check the VMA under the mmap_lock, then work on the mapping
 * without it. A switch to dax in between would let them find DAX entries. The
 * test asserts that neither creates a huge page in a file of the stack.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hazards.h"

#define HUGE	(2 * MIB)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static uint8_t *area;

static uint8_t *map_aligned(int fd, int prot, int flags)
{
	uint8_t *map;

	area = MUST(mmap(NULL, 2 * HUGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	map = (uint8_t *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
	return MUST(mmap(map, HUGE, prot, flags | MAP_FIXED, fd, 0));
}

static void unmap_aligned(void)
{
	munmap(area, 2 * HUGE);
}

static void touch(const uint8_t *map)
{
	size_t i;

	for (i = 0; i < HUGE; i += PAGE)
		*(volatile const uint8_t *)(map + i);
}

/*
 * Return: KiB of huge pages after an attempt; @err is the errno of
 * MADV_COLLAPSE.
 */
static int collapse(int fd, int prot, int flags, int *err)
{
	uint8_t *map = map_aligned(fd, prot, flags);
	int kib;

	touch(map);
	*err = ERR(madvise(map, HUGE, MADV_COLLAPSE));
	touch(map);
	kib = hazard_huge_in_cache(map);
	unmap_aligned();
	return kib;
}

static const struct {
	const char *name;
	int open_flags, prot, flags;
} kinds[] = {
	{ "executable", O_RDONLY, PROT_READ | PROT_EXEC, MAP_PRIVATE },
	{ "read only", O_RDONLY, PROT_READ, MAP_SHARED },
	{ "shared", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED },
};

static void stays_small(const char *path, const char *how)
{
	size_t i;
	int fd, kib, err;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		fd = MUST(open(path, kinds[i].open_flags));
		kib = collapse(fd, kinds[i].prot, kinds[i].flags, &err);
		dxs_is(0, kib,
		       "H61: %s, %s: no huge page is created",
		       how, kinds[i].name);
		dxs_errno(EINVAL, err,
			  "H61: %s, %s: MADV_COLLAPSE is refused", how,
			  kinds[i].name);
		close(fd);
	}
}

/*
 * The result without the stack, as a diagnostic: it shows whether this kernel
 * collapses such mappings at all.
 */
static void alone(void)
{
	int fd, kib, err;
	size_t i;

	dxs_umount_stack();
	dxs_mount_lower();
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		fd = MUST(open("lower/file", kinds[i].open_flags));
		kib = collapse(fd, kinds[i].prot, kinds[i].flags, &err);
		dxs_diag("lower fs alone, %s: %s, %d KiB", kinds[i].name,
			 strerrorname_np(err) ?: "success", kib);
		close(fd);
	}
	dxs_umount_lower();
	dxs_mount_stack();
}

static void collapse_again(void *arg)
{
	touch(arg);
	madvise(arg, HUGE, MADV_COLLAPSE);
}

static void beside_switches(void)
{
	int fd = MUST(open("stack/file", O_RDWR));
	uint8_t *map = map_aligned(fd, PROT_READ, MAP_SHARED);
	struct hazard_switches all;
	struct hazard_thread thread;

	hazard_start(&thread, collapse_again, map);
	all = hazard_switch(fd, 10 * dxs_slow(), 40, 2000);
	hazard_stop(&thread);
	dxs_diag("%d switches, %d refused, %ld MADV_COLLAPSE calls", all.done,
		 all.refused, thread.steps);
	dxs_ok(all.done > 3, "H61: switches beside MADV_COLLAPSE");
	hazard_bytes(fd, HUGE, "H61");
	unmap_aligned();
	if (dxs_mode(fd) != DAXSTACK_CACHED)
		dxs_to(fd, DAXSTACK_CACHED, "H61");
	close(fd);
}

/*
 * ext4 recomputes the maximum folio size when journalling changes; the stack
 * must limit it again.
 */
static void journalled(void)
{
	int fd = MUST(open("stack/file", O_RDWR)), flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_JOURNAL_DATA_FL;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags)) {
		dxs_skip("no data journalling",
			 "H61: data journalling set and cleared");
	} else {
		flags &= ~FS_JOURNAL_DATA_FL;
		MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
		stays_small("stack/file", "data journalling set and cleared");
	}
	close(fd);
}

void h61_collapse(void)
{
	char path[32];
	int fd, err;

	fd = hazard_file("stack/file", HUGE, DAXSTACK_CACHED);
	collapse(fd, PROT_READ, MAP_SHARED, &err);
	close(fd);
	if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK)) {
		dxs_skip("no transparent huge pages", "H61");
		return;
	}
	alone();
	stays_small("stack/file", "loaded");
	fd = hazard_file("stack/new", HUGE, DAXSTACK_CACHED);
	close(fd);
	stays_small("stack/new", "new file");
	fd = hazard_file("stack/back", HUGE, DAXSTACK_DAX);
	dxs_to(fd, DAXSTACK_CACHED, "H61");
	close(fd);
	stays_small("stack/back", "switched to dax and back");
	MUST(link("stack/back", "stack/link"));
	MUST(-DXS_RUN("sh", "-c", "sync; echo 3 >/proc/sys/vm/drop_caches"));
	stays_small("stack/link", "reloaded inode");
	fd = MUST(open("stack", O_TMPFILE | O_RDWR, 0600));
	MUST(ftruncate(fd, HUGE));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	stays_small(path, "unlinked file");
	close(fd);
	journalled();
	beside_switches();
}
