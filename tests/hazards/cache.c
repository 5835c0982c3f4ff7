// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hazards of the page cache and of the kernel code that fills or empties it:
 * shadow entries (H12), mm calls on the mapped file (H15), khugepaged (H16),
 * lingering pins (H27), inline data (H30), reclaim (H32), direct I/O into a
 * mapping (H34).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define LEN	(64 * PAGE)

/* --- H12: reclaim leaves shadow entries in place of folios. */

static int resident(void *map)
{
	unsigned char vec[LEN / PAGE];
	int i, count = 0;

	MUST(mincore(map, LEN, vec));
	for (i = 0; i < LEN / PAGE; i++)
		count += vec[i] & 1;
	return count;
}

void h12_shadow_entries(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	uint8_t *map = hazard_map(fd, LEN);
	int i, tries;

	/* Reclaim may skip pages until they are old enough. */
	for (tries = 0; tries < 20; tries++) {
		for (i = 0; i < LEN; i += PAGE)
			*(volatile uint8_t *)(map + i);
		MUST(madvise(map, LEN, MADV_PAGEOUT));
		if (resident(map) < LEN / PAGE / 2)
			break;
		dxs_sleep_ms(50);
	}
	dxs_diag("%d of %ld pages are still resident",
		 resident(map), LEN / PAGE);
	dxs_ok(resident(map) < LEN / PAGE, "H12: pages were reclaimed");
	dxs_to(fd, DAXSTACK_DAX, "H12");
	for (i = 0; i < LEN; i += PAGE)
		*(volatile uint8_t *)(map + i) = map[i];
	hazard_bytes(fd, LEN, "H12, dax");
	dxs_to(fd, DAXSTACK_CACHED, "H12, back");
	hazard_bytes(fd, LEN, "H12, cached");
	munmap(map, LEN);
	close(fd);
}

/* --- H15: mm system calls that act on the VMA's file. */

static void store_and_see(uint8_t *at, int fd, off_t pos, const char *name)
{
	static uint8_t value;
	uint8_t seen;

	*(volatile uint8_t *)at = ++value;
	dxs_pread(fd, &seen, 1, pos);
	dxs_is(value, seen, "%s", name);
}

void h15_map_file(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	uint8_t *map = hazard_map(fd, LEN), *moved, seen;
	int i;

	/* The first page now maps the fourth, and must keep doing so. */
	MUST(syscall(SYS_remap_file_pages, map, PAGE, 0, 3, 0));
	for (i = 0; i < 4; i++) {
		store_and_see(map, fd, 3 * PAGE,
			      "H15: store through remap_file_pages");
		dxs_to(fd, !dxs_mode(fd), "H15: remapped");
	}
	store_and_see(map, fd, 3 * PAGE,
		      "H15: store through remap_file_pages, at the end");

	for (i = 0; i < 4; i++) {
		MUST(madvise(map + 8 * PAGE, PAGE, MADV_REMOVE));
		dxs_pread(fd, &seen, 1, 8 * PAGE);
		dxs_is(0, seen, "H15: MADV_REMOVE: read(2) returns zeroes");
		dxs_is(0, map[8 * PAGE],
		       "H15: MADV_REMOVE: the mapping reads as zero");
		dxs_to(fd, !dxs_mode(fd), "H15: MADV_REMOVE: switch");
		dxs_is(0, map[8 * PAGE],
		       "H15: MADV_REMOVE: the mapping reads as zero after the switch");
		store_and_see(map + 8 * PAGE, fd, 8 * PAGE,
			      "H15: store into the removed range");
		MUST(msync(map + 8 * PAGE, PAGE, MS_SYNC));
		MUST(madvise(map, LEN, MADV_WILLNEED));
	}
	moved = MUST(mremap(map + PAGE, 15 * PAGE, 31 * PAGE, MREMAP_MAYMOVE));
	store_and_see(moved, fd, PAGE, "H15: mremap");
	dxs_to(fd, !dxs_mode(fd), "H15: mremap");
	store_and_see(moved, fd, PAGE, "H15: store after mremap and a switch");
	munmap(moved, 31 * PAGE);
	munmap(map, LEN);
	close(fd);
}

/* --- H16: khugepaged collapses executable mappings of files. */

#define HUGE	(2 * MIB)

static void knob(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		dxs_diag("%s: %m", path);
	close(fd);
}

int hazard_huge_in_cache(const void *map)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	bool inside = false;
	unsigned long start;
	char line[256];
	int kib = 0, dash;

	if (!file)
		dxs_bail("smaps: %m");
	while (fgets(line, sizeof(line), file)) {
		/* Field names contain no dash; address ranges do. */
		dash = 0;
		if (sscanf(line, "%lx-%n", &start, &dash) == 1 && dash)
			inside = start == (uintptr_t)map;
		else if (inside && sscanf(line, "FilePmdMapped: %d", &kib) == 1)
			break;
	}
	fclose(file);
	return kib;
}

void h16_executable(void)
{
	static const char thp[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	static const char dir[] = "/sys/kernel/mm/transparent_hugepage/khugepaged";
	char path[128];
	uint8_t *area, *map;
	int fd, i, switches, collapsed = 0;

	if (access(thp, W_OK)) {
		dxs_skip("no transparent huge pages", "H16");
		return;
	}
	knob(thp, "always");
	snprintf(path, sizeof(path), "%s/scan_sleep_millisecs", dir);
	knob(path, "10");
	snprintf(path, sizeof(path), "%s/alloc_sleep_millisecs", dir);
	knob(path, "10");
	snprintf(path, sizeof(path), "%s/pages_to_scan", dir);
	knob(path, "8192");

	fd = hazard_file("stack/code", HUGE, DAXSTACK_CACHED);
	close(fd);
	/*
	 * khugepaged collapses only files that no process has open for writing.
	 */
	fd = MUST(open("stack/code", O_RDONLY));
	area = MUST(mmap(NULL, 2 * HUGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	map = (uint8_t *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
	map = MUST(mmap(map, HUGE, PROT_READ | PROT_EXEC,
			MAP_PRIVATE | MAP_FIXED, fd, 0));
	MUST(madvise(map, HUGE, MADV_HUGEPAGE));
	for (switches = 0; switches < 40; switches++) {
		for (i = 0; i < HUGE; i += PAGE)
			*(volatile uint8_t *)(map + i);
		/*
		 * Stay in cached mode long enough for khugepaged to find the
		 * file.
		 */
		if (dxs_mode(fd) == DAXSTACK_CACHED) {
			dxs_sleep_ms(150 * dxs_slow());
			collapsed += !!hazard_huge_in_cache(map);
		}
		if (dxs_switch(fd, !dxs_mode(fd), 30000, NULL))
			break;
	}
	dxs_diag("%d switches, %d collapses", switches, collapsed);
	dxs_is(40, switches,
	       "H16: every switch of an executable mapping succeeds");
	/* Only debug kernels have READ_ONLY_THP_FOR_FS. */
	dxs_is(0, collapsed, "H16: khugepaged does not collapse the file");
	hazard_bytes(fd, HUGE, "H16");
	munmap(area, 2 * HUGE);
	close(fd);
}

/* --- H27: a page pinned in dax mode outlives every user of the file. */

void h27_lingering_pins(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_DAX), pins[2];
	uint8_t *map = hazard_map(fd, LEN);

	dxs_pin(pins, map + 2 * PAGE);
	munmap(map, LEN);
	close(fd);
	sync();
	knob("/proc/sys/vm/drop_caches", "2");
	knob("/proc/sys/vm/drop_caches", "2");
	fd = MUST(open("stack/file", O_RDWR));
	dxs_refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_PINNED,
		    "H27: refused: pinned since before the file was closed");
	dxs_unpin(pins);
	dxs_to(fd, DAXSTACK_CACHED, "H27: switch after unpin");
	hazard_bytes(fd, LEN, "H27");
	close(fd);

	/* A lingering inode is released when its page is unpinned. */
	fd = hazard_file("stack/gone", LEN, DAXSTACK_DAX);
	map = hazard_map(fd, LEN);
	dxs_pin(pins, map);
	munmap(map, LEN);
	close(fd);
	MUST(unlink("stack/gone"));
	dxs_unpin(pins);
	dxs_sleep_ms(1500);
}

/* --- H30: ext4 marks new files as candidates for inline data. */

void h30_inline_data(void)
{
	static const char *const name = "H30: inline_data";
	char out[64];
	int fd;

	if (dxs_on_xfs()) {
		dxs_skip("XFS has no inline file data", "%s", name);
		return;
	}
	dxs_umount_stack();
	if (DXS_RUN_READ(out, sizeof(out), "mkfs.ext4", "-q", "-F", "-b",
			 "4096", "-O", "inline_data", dxs_pmem))
		dxs_bail("mkfs.ext4 -O inline_data: %s", out);
	dxs_mount_stack();
	fd = MUST(open("stack/file", O_RDWR | O_CREAT, 0644));
	dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_INLINE_DATA, name);
	close(fd);
}

/* --- H32: reclaim evicts inodes whose flag takes effect at the next load. */

#define MARKED	32

static void mark_for_load(int i)
{
	char file[32], name[32];
	int fd;

	snprintf(file, sizeof(file), "stack/file%d", i);
	snprintf(name, sizeof(name), "stack/name%d", i);
	fd = MUST(open(file, O_RDWR | O_CREAT, 0644));
	MUST(dxs_set_xflag(fd, DAXSTACK_DAX) ? -1 : 0);
	/* This dentry is not yet marked DCACHE_DONTCACHE. */
	MUST(link(file, name));
	MUST(fchmod(fd, 0600));
	close(fd);
}

/* Return: whether the kernel has memory.reclaim. */
static bool reclaim_memory(void)
{
	static const char path[] = "/sys/fs/cgroup/memory.reclaim";
	int i, fd;

	if (access(path, W_OK))
		return false;
	for (i = 0; i < 8; i++) {
		/* The write fails if reclaim finds less than was asked for. */
		fd = MUST(open(path, O_WRONLY));
		(void)!write(fd, "256M", 4);
		close(fd);
	}
	return true;
}

void h32_reclaim(void)
{
	char name[32];
	int i, fd, loaded = 0;

	dxs_remount("switch=never");
	for (i = 0; i < MARKED; i++)
		mark_for_load(i);
	if (!reclaim_memory()) {
		dxs_skip("no memory.reclaim", "H32");
		return;
	}
	dxs_sleep_ms(200);
	for (i = 0; i < MARKED; i++) {
		snprintf(name, sizeof(name), "stack/name%d", i);
		fd = MUST(open(name, O_RDONLY));
		loaded += dxs_mode(fd) == DAXSTACK_DAX;
		close(fd);
	}
	dxs_diag("%d of %d inodes were reloaded", loaded, MARKED);
	dxs_ok(loaded > 0, "H32: reclaim evicts marked inodes");
}

/*
 * --- H34: direct I/O of a stalled disk into a mapping while memory is short.
 */

#define SLOW_DISK	"/dev/mapper/slow"
#define SLOW_SEED	34

struct slow_read {
	int disk;
	void *map;
	ssize_t ret;
	atomic_int tid;
};

/* Creates a disk with a pattern on it. Return: whether it works. */
static bool make_slow_disk(void)
{
	static uint8_t buf[LEN];
	int fd;

	DXS_RUN_READ(NULL, 0, "modprobe", "brd", "rd_nr=1", "rd_size=4096");
	DXS_RUN_READ(NULL, 0, "modprobe", "dm-mod");
	fd = open("/dev/ram0", O_WRONLY);
	if (fd < 0)
		return false;
	dxs_fill(buf, LEN, SLOW_SEED, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	MUST(fsync(fd));
	close(fd);
	return !DXS_RUN("dmsetup", "create", "slow", "--table",
			"0 8192 linear /dev/ram0 0");
}

static void *read_slowly(void *arg)
{
	struct slow_read *slow = arg;

	slow->tid = gettid();
	slow->ret = pread(slow->disk, slow->map, LEN, 0);
	return NULL;
}

static void check_slow_read(int fd, const char *name)
{
	static uint8_t expected[LEN], seen[LEN];

	dxs_fill(expected, LEN, SLOW_SEED, 0);
	dxs_pread(fd, seen, LEN, 0);
	dxs_ok(dxs_same(expected, seen, LEN, 0, name), "%s", name);
}

void h34_held(void)
{
	struct slow_read slow = { 0 };
	pthread_t thread;
	int fd, looks;

	if (!make_slow_disk()) {
		dxs_skip("cannot create a slow disk", "H34");
		return;
	}
	fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	slow.disk = MUST(open(SLOW_DISK, O_RDONLY | O_DIRECT));
	slow.map = hazard_map(fd, LEN);
	/*
	 * mlock keeps reclaim away from the pages; an attempted switch unmaps
	 * them.
	 */
	MUST(mlock(slow.map, LEN));
	MUST(fsync(fd));
	/* Reads of the disk stall from here on. */
	MUST(-DXS_RUN("dmsetup", "suspend", "slow"));
	if (pthread_create(&thread, NULL, read_slowly, &slow))
		dxs_bail("cannot create a thread");
	for (looks = 0; looks < 5; dxs_sleep_ms(10))
		looks = slow.tid && hazard_waits(slow.tid) ? looks + 1 : 0;
	dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_PINNED,
		    "H34: refused while a read into the mapping is in flight");
	if (!reclaim_memory())
		dxs_skip("no memory.reclaim", "H34: memory is short");
	dxs_is(0, slow.ret, "H34: the read is still in flight");
	MUST(-DXS_RUN("dmsetup", "resume", "slow"));
	pthread_join(thread, NULL);
	dxs_is(LEN, slow.ret, "H34: read into a mapping: length");
	MUST(munlock(slow.map, LEN));
	MUST(munmap(slow.map, LEN));
	check_slow_read(fd, "H34: data read into the mapping");
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 30000, NULL),
		  "H34: switched after the read completes");
	check_slow_read(fd, "H34: data after the switch");
	dxs_to(fd, DAXSTACK_CACHED, "H34, back");
	check_slow_read(fd, "H34: data after the switch back");
	close(slow.disk);
	close(fd);
	DXS_RUN("dmsetup", "remove", "slow");
}
