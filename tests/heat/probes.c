// SPDX-License-Identifier: GPL-2.0-only
/*
 * heat: asserts that probes detect use of mapped pages and lose no data.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heat.h"

/* Smaller than a huge page. */
#define WINDOWS		12
#define LEN		(WINDOWS * WINDOW)
#define HUGE		(2 * MIB)

static void is_probed(struct heat *heat, int fd, int probed, int hits,
		      const char *name, int mode)
{
	struct daxstack_heat_file file = must_tell(heat, fd);

	dxs_is(probed, file.probed, "%s, %s: windows", name, dxs_mode_name(mode));
	dxs_is(hits, file.probe_hits, "%s, %s: used windows", name,
	       dxs_mode_name(mode));
	if (!hits != !file.probe_wait_ns)
		dxs_ok(false, "%s, %s: time to the first use", name,
		       dxs_mode_name(mode));
}

/*
 * Asserts that all windows were used. Windows of a large folio are used
 * together and count as one, so there may be fewer; with small folios each
 * counts.
 */
static void all_used(struct heat *heat, int fd, const char *name, int mode)
{
	struct daxstack_heat_file file = must_tell(heat, fd);

	dxs_ok(file.probed && file.probed <= WINDOWS &&
	       file.probe_hits == file.probed && file.probe_wait_ns,
	       "%s, %s: all windows", name, dxs_mode_name(mode));
	dxs_diag("%u of %u", file.probe_hits, file.probed);
}

/* Maps at an address that is a multiple of @align. */
static void *map_aligned(int fd, size_t len, size_t align)
{
	char *area = MUST(mmap(NULL, len + align, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	area = (char *)(((uintptr_t)area + align - 1) & -align);
	return MUST(mmap(area, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0));
}

static void test_used(int mode)
{
	int used = make("stack/used", LEN, mode);
	int unused = make("stack/unused", LEN, mode);
	int unmapped = make("stack/unmapped", LEN, mode);
	/*
	 * Otherwise Linux 7.3 maps a window together with the one before it where
	 * the mapping crosses from one page table to the next.
	 */
	void *a = map_aligned(used, LEN, WINDOW);
	void *b = map_aligned(unused, LEN, WINDOW);
	struct heat *heat = session(true);

	load_all(a, LEN);
	load_all(b, LEN);
	dxs_pread(unmapped, &(char){ 0 }, 1, 0);
	read_out(heat, false, false, 32);
	is_probed(heat, used, 0, 0, "not probed yet", mode);
	load_all(a, LEN);
	read_out(heat, false, false, 0);
	all_used(heat, used, "used", mode);
	is_probed(heat, unused, WINDOWS, 0, "not used", mode);
	is_probed(heat, unmapped, 0, 0, "not mapped", mode);
	load(b + WINDOW);
	read_out(heat, false, true, 3);
	dxs_is(1, must_tell(heat, unused).probe_hits, "little used, %s",
	       dxs_mode_name(mode));
	load_all(a, LEN);
	read_out(heat, false, true, 1);
	all_used(heat, used, "some windows", mode);
	dxs_is(0, must_tell(heat, unused).probe_hits, "not used again, %s",
	       dxs_mode_name(mode));
	MUST(munmap(a, LEN));
	MUST(munmap(b, LEN));
	read_out(heat, false, true, 8);
	read_out(heat, false, true, 8);
	is_probed(heat, used, 0, 0, "no longer mapped", mode);
	heat_close(heat);
	close(used);
	close(unused);
	close(unmapped);
}

/* All windows of a huge entry wait together; the first use ends the wait. */
static void test_huge(void)
{
	int fd = make("stack/huge", 2 * HUGE, DAXSTACK_DAX);
	void *area = map_aligned(fd, 2 * HUGE, HUGE);
	struct heat *heat = session(true);
	struct daxstack_heat_file file;
	long before = dxs_minor_faults();

	load_all(area, 2 * HUGE);
	if (dxs_minor_faults() - before > 2) {
		dxs_skip("blocks are not aligned", "huge pages");
		goto out;
	}
	file.probe_wait_ns = 0;
	read_out(heat, false, false, 32);
	read_out(heat, false, false, 0);
	is_probed(heat, fd, 2 * HUGE / WINDOW, 0, "huge, not used", DAXSTACK_DAX);
	dxs_sleep_ms(20);
	load(area + HUGE / 2);
	read_out(heat, false, false, 0);
	is_probed(heat, fd, HUGE / WINDOW + 1, 1, "huge, one used", DAXSTACK_DAX);
	file = must_tell(heat, fd);
	dxs_ok(file.probe_wait_ns >= 20000000ull * (HUGE / WINDOW),
	       "huge: all windows of the used one were probed");
out:
	heat_close(heat);
	MUST(munmap(area, 2 * HUGE));
	close(fd);
}

void test_probes(void)
{
	test_used(DAXSTACK_CACHED);
	test_used(DAXSTACK_DAX);
	test_huge();
}

/* H84: pages locked in memory stay mapped. */
void test_locked(void)
{
	int fd = make("stack/locked", LEN, DAXSTACK_CACHED);
	void *area = map(fd, LEN);
	struct heat *heat = session(true);
	long before;
	int i;

	MUST(mlock(area, LEN));
	load_all(area, LEN);
	for (i = 0; i < 3; i++)
		read_out(heat, false, true, 32);
	before = dxs_minor_faults();
	load_all(area, LEN);
	dxs_is(0, dxs_minor_faults() - before, "no faults on locked pages");
	is_probed(heat, fd, 0, 0, "locked", DAXSTACK_CACHED);
	MUST(munlock(area, LEN));
	read_out(heat, false, true, 32);
	load_all(area, LEN);
	read_out(heat, false, true, 0);
	all_used(heat, fd, "no longer locked", DAXSTACK_CACHED);
	heat_close(heat);
	MUST(munmap(area, LEN));
	close(fd);
}

/* H85: a dirty DAX entry stays mapped until it is written back. */
void test_dirty(void)
{
	int fd = make("stack/dirty", LEN, DAXSTACK_DAX);
	uint8_t *area = map(fd, LEN);
	struct heat *heat = session(true);
	long before;
	int i;

	for (i = 0; i < WINDOWS; i++)
		((volatile uint8_t *)area)[i * WINDOW] = 1;
	read_out(heat, false, true, 32);
	if (dxs_kernel_from(6, 3)) {
		before = dxs_minor_faults();
		for (i = 0; i < WINDOWS; i++)
			((volatile uint8_t *)area)[i * WINDOW] = 2;
		dxs_is(0, dxs_minor_faults() - before, "no faults on dirty pages");
		read_out(heat, false, true, 0);
		is_probed(heat, fd, 0, 0, "dirty", DAXSTACK_DAX);
	}
	MUST(fsync(fd));
	read_out(heat, false, true, 32);
	load_all(area, LEN);
	read_out(heat, false, true, 0);
	is_probed(heat, fd, WINDOWS, WINDOWS, "written back", DAXSTACK_DAX);
	heat_close(heat);
	MUST(munmap(area, LEN));
	close(fd);
}

/* --- No data is lost. */

static void probe_often(int times)
{
	struct heat *heat = session(true);
	int i;

	for (i = 0; i < times; i++)
		read_out(heat, true, true, 32);
	heat_close(heat);
}

/* Stores pattern @seed to all of the area. */
static void store(uint8_t *area, uint32_t seed)
{
	size_t pos;

	for (pos = 0; pos < LEN; pos++)
		((volatile uint8_t *)area)[pos] = dxs_byte(seed, pos);
}

#define ROUNDS	8

static void is_pattern(int fd, uint32_t seed, const char *name)
{
	uint8_t *expected = malloc(LEN), *seen = malloc(LEN);

	dxs_fill(expected, LEN, seed, 0);
	dxs_pread(fd, seen, LEN, 0);
	dxs_ok(dxs_same(expected, seen, LEN, 0, name), "%s: contents", name);
	free(expected);
	free(seen);
}

static void test_stores(const char *path, int mode, bool sync, const char *name)
{
	int fd = make(path, LEN, mode), i;
	uint8_t *area = sync ? dxs_map_sync(fd, LEN) : map(fd, LEN);
	uint8_t *copy = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				  fd, 0));
	struct heat *heat;
	pid_t pid;

	if (area == MAP_FAILED)
		dxs_bail("MAP_SYNC: %m");
	copy[1] = 42;
	/* Counting goes on; another session owns the windows. */
	heat = session(false);
	load_all(area, LEN);
	pid = MUST(fork());
	if (!pid) {
		probe_often(40);
		_exit(0);
	}
	for (i = 1; i <= ROUNDS; i++)
		store(area, i);
	MUST(waitpid(pid, NULL, 0));
	dxs_is(42, copy[1], "%s: private copy is unchanged", name);
	is_pattern(fd, ROUNDS, name);
	MUST(fsync(fd));
	MUST(munmap(copy, PAGE));
	MUST(munmap(area, LEN));
	close(fd);
	heat_close(heat);
}

void test_data(void)
{
	static const char *const paths[] = { "stack/c", "stack/d", "stack/s" };
	size_t i;
	int fd;

	test_stores(paths[0], DAXSTACK_CACHED, false, "cached");
	test_stores(paths[1], DAXSTACK_DAX, false, "dax");
	test_stores(paths[2], DAXSTACK_DAX, true, "MAP_SYNC");
	dxs_umount_stack();
	dxs_mount_stack();
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		fd = MUST(open(paths[i], O_RDONLY));
		is_pattern(fd, ROUNDS, "after the next mount");
		close(fd);
	}
}

/* --- Concurrent counting, switches, eviction, and sessions that end. */

#define TIMES	60

static void calls(void)
{
	int fd, i;
	void *area;

	for (i = 0; i < 20 * TIMES; i++) {
		fd = MUST(open("stack/storm", O_RDWR));
		area = map(fd, LEN);
		load_all(area, LEN);
		((volatile char *)area)[0] = 1;
		dxs_pwrite(fd, "x", 1, LEN - 1);
		MUST(munmap(area, LEN));
		close(fd);
	}
}

static void switches(void)
{
	int i, fd;

	for (i = 0; i < 4 * TIMES; i++) {
		fd = MUST(open("stack/storm", O_RDWR));
		dxs_switch(fd, i % 2, 0, NULL);
		close(fd);
	}
}

static void evictions(void)
{
	int i, fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));

	for (i = 0; i < TIMES; i++)
		MUST(write(fd, "2", 1));
	close(fd);
}

static void sessions(void)
{
	int i;

	for (i = 0; i < TIMES; i++) {
		struct heat *heat = session(false);

		read_out(heat, i % 2, false, 0);
		heat_close(heat);
	}
}

static void windows(void)
{
	int i;

	for (i = 0; i < TIMES / 10; i++)
		probe_often(10);
}

/*
 * Splits the device in two, each with a mount: "stack", and "held", which keeps
 * a session open throughout. So the kernel patches its code only before and
 * after the storm: QEMU 7.2 may keep a translation of code that one processor
 * patches while another runs it, and then executes an int3 that is no longer
 * there.
 */
static struct heat *begin_held(void)
{
	char options[32], err[256];
	struct heat *held;

	dxs_umount_stack();
	if (DXS_RUN("sh", "-c",
		    "all=$(cat /sys/class/block/${PMEM#/dev/}/size) && "
		    "most=$((all - 262144)) && "
		    "dmsetup create storm --table \"0 $most linear $PMEM 0\" && "
		    "dmsetup create held --table \"0 262144 linear $PMEM $most\" && "
		    "mkfs.ext4 -q -F -b 4096 /dev/mapper/held"))
		dxs_bail("cannot divide the device");
	dxs_mkfs("/dev/mapper/storm");
	snprintf(options, sizeof(options), "lower=%s", dxs_fs);
	MUST(mkdir("held", 0755));
	if (dxs_mount("/dev/mapper/storm", "stack", "daxstack", options) ||
	    dxs_mount("/dev/mapper/held", "held", "daxstack", "lower=ext4"))
		dxs_bail("cannot mount both parts");
	held = heat_open("held", false, err, sizeof(err));
	if (!held)
		dxs_bail("session: %s", err);
	return held;
}

static void end_held(struct heat *held)
{
	heat_close(held);
	dxs_is(0, dxs_umount("held"), "unmounted");
	dxs_umount_stack();
	MUST(rmdir("held"));
	if (DXS_RUN("dmsetup", "remove", "storm", "held"))
		dxs_bail("cannot rejoin the device");
	dxs_mount_stack();
}

/* H82. The kernel has to detect any error here. */
void test_storm(void)
{
	struct heat *held = begin_held();
	static void (*const all[])(void) = {
		calls, calls, switches, evictions, sessions, windows
	};
	pid_t pids[ARRAY_SIZE(all)];
	size_t i;
	int status;

	close(make("stack/storm", LEN, DAXSTACK_CACHED));
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		pids[i] = MUST(fork());
		if (!pids[i]) {
			all[i]();
			_exit(0);
		}
	}
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		MUST(waitpid(pids[i], &status, 0));
		dxs_is(0, status, "part %zu of the storm succeeds", i);
	}
	end_held(held);
}
