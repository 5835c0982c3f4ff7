// SPDX-License-Identifier: GPL-2.0-only
/*
 * Write failures of the lower filesystem: no space (ENOSPC), device errors
 * (EIO). A failed switch returns the errno, loses no data and leaves the mode
 * unchanged.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faultinject.h"

#define LEN	(64 * PAGE)
#define PAGES	64

/*
 * Checks that a failed switch returned the expected errno and left the file
 * unchanged. Silent unless something is wrong.
 */
static bool is_untouched(int fd, int mode, bool flag, int expected, int err,
			 const char *name)
{
	if (err == expected && dxs_mode(fd) == mode && dxs_xflag(fd) == flag)
		return true;
	dxs_diag("%s: %s (%d), mode %s, flag %d", name, strerrorname_np(err),
		 err, dxs_mode_name(dxs_mode(fd)), dxs_xflag(fd));
	return false;
}

/* Switches back and forth without errors. Silent unless something is wrong. */
static bool switches(int fd, const char *name)
{
	return dxs_to(fd, DAXSTACK_DAX, name) &&
		dxs_to(fd, DAXSTACK_CACHED, name) &&
		dxs_to(fd, DAXSTACK_DAX, name);
}

/* --- ENOSPC: files with holes and with data not yet written back. */

#define FILES	24

static int files[FILES];

static uint8_t *expected_bytes(int i)
{
	static uint8_t buf[LEN];
	int page;

	memset(buf, 0, LEN);
	for (page = 0; page < PAGES; page += 2)
		dxs_fill(buf + page * PAGE, PAGE, i, page * PAGE);
	return buf;
}

/* Every other page, in half of the files by stores. */
static void make_files(void)
{
	char path[32];
	uint8_t *map, *bytes;
	int i, page;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "stack/file%d", i);
		files[i] = MUST(open(path, O_RDWR | O_CREAT, 0644));
		MUST(ftruncate(files[i], LEN));
		map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
				files[i], 0));
		bytes = expected_bytes(i);
		for (page = 0; page < PAGES; page += 2)
			if (i % 2)
				memcpy(map + page * PAGE, bytes + page * PAGE,
				       PAGE);
			else
				dxs_pwrite(files[i], bytes + page * PAGE, PAGE,
					   page * PAGE);
		munmap(map, LEN);
	}
}

static int bad_files(const char *name)
{
	static uint8_t seen[LEN];
	int i, bad = 0;

	for (i = 0; i < FILES; i++) {
		dxs_pread(files[i], seen, LEN, 0);
		bad += !dxs_same(expected_bytes(i), seen, LEN, 0, name);
	}
	return bad;
}

/* Allocates all free space, to the last block. */
static void fill_up(const char *path)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT, 0644));
	static uint8_t zeros[PAGE];
	off_t len, pos = 0;

	for (len = 64 * MIB; len >= PAGE; len /= 2) {
		while (!fallocate(fd, 0, pos, len))
			pos += len;
		if (errno != ENOSPC)
			dxs_bail("fallocate: expected ENOSPC: %m");
	}
	/* XFS reserves more for the allocation than it uses. */
	while (pwrite(fd, zeros, PAGE, pos) == PAGE) {
		MUST(fsync(fd));
		pos += PAGE;
	}
	if (errno != ENOSPC)
		dxs_bail("write: expected ENOSPC: %m");
	close(fd);
}

/* Switches all files. Return: how many are wrong afterwards. */
static int switch_full(int mode, int *refused)
{
	int i, err, wrong = 0;

	for (i = 0; i < FILES; i++) {
		if (dxs_mode(files[i]) == mode)
			continue;
		err = dxs_switch(files[i], mode, 2000, NULL);
		if (!err) {
			wrong += dxs_mode(files[i]) != mode ||
				dxs_xflag(files[i]) != mode;
			continue;
		}
		++*refused;
		wrong += !is_untouched(files[i], !mode, !mode, ENOSPC, err,
				       "full device");
	}
	return wrong;
}

/* A store to a hole fails, yet the file still switches. */
static int store_to_hole(int i)
{
	uint8_t *map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
				 files[i], 0));
	char byte = 0;
	int err;

	/* Many, because the lower filesystem keeps a small reserve. */
	err = ERR(madvise(map, LEN, MADV_POPULATE_WRITE));
	err = err && (ERR(pwrite(files[i], &byte, 1, PAGE)) != 0 || err);
	munmap(map, LEN);
	return err;
}

static void open_again(void)
{
	char path[32];
	int i;

	for (i = 0; i < FILES; i++)
		close(files[i]);
	fault_drop_caches();
	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "stack/file%d", i);
		files[i] = MUST(open(path, O_RDWR));
	}
}

void fault_no_space(void)
{
	int i, refused = 0, stores = 0, failed = 0;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	make_files();
	fill_up("stack/filler");

	dxs_is(0, switch_full(DAXSTACK_DAX, &refused),
	       "full device: switch to dax succeeds, or ENOSPC");
	dxs_is(0, bad_files("to dax"), "full device: no byte is lost");
	for (i = 0; i < FILES; i++)
		stores += !!store_to_hole(i);
	dxs_is(0, switch_full(DAXSTACK_CACHED, &refused),
	       "full device: switch to cached succeeds, or ENOSPC");
	for (i = 0; i < FILES; i++)
		stores += !!store_to_hole(i);
	dxs_diag("%d switches refused, %d stores without space", refused,
		 stores);
	dxs_ok(stores > 0, "full device: stores fail");
	dxs_is(0, switch_full(DAXSTACK_DAX, &refused),
	       "full device: second switch to dax succeeds, or ENOSPC");
	dxs_is(0, bad_files("to dax once more"),
	       "full device: no byte is lost after failed stores");
	for (i = 0; i < FILES; i++)
		failed += !!fsync(files[i]);
	dxs_is(0, failed, "full device: fsync(2) reports no error");

	MUST(unlink("stack/filler"));
	failed = 0;
	for (i = 0; i < FILES; i++)
		failed += !switches(files[i], "space freed");
	dxs_is(0, failed, "space freed: all files switch");
	open_again();
	dxs_is(0, bad_files("from the device"),
	       "space freed: contents read from the device");
	for (i = 0; i < FILES; i++)
		close(files[i]);
	dxs_umount_stack();
	dxs_fsck();
}

/* --- EIO. */

static const char *disk(void)
{
	return strrchr(dxs_pmem, '/') + 1;
}

/* ext4's own error messages would be taken for kernel complaints. */
static void silence_ext4(void)
{
	char path[80];

	if (dxs_on_xfs())
		return;
	snprintf(path, sizeof(path), "/sys/fs/ext4/%s/warning_ratelimit_interval_ms",
		 disk());
	dxs_put(path, "1000000");
	snprintf(path, sizeof(path), "/sys/fs/ext4/%s/warning_ratelimit_burst",
		 disk());
	dxs_put(path, "0");
}

/* A file with a pattern, cached, written back. */
static int make_file(const char *path)
{
	static uint8_t bytes[LEN];
	int fd = MUST(open(path, O_RDWR | O_CREAT, 0644));

	dxs_fill(bytes, LEN, 1, 0);
	dxs_pwrite(fd, bytes, LEN, 0);
	MUST(fsync(fd));
	return fd;
}

static bool has_bytes(int fd, const char *name)
{
	static uint8_t expected[LEN], seen[LEN];

	dxs_fill(expected, LEN, 1, 0);
	dxs_pread(fd, seen, LEN, 0);
	return dxs_same(expected, seen, LEN, 0, name);
}

/* Rewrites the same bytes, so that no metadata changes. */
static int write_page(int fd, int page)
{
	uint8_t bytes[PAGE];

	dxs_fill(bytes, PAGE, 1, page * PAGE);
	return pwrite(fd, bytes, PAGE, page * PAGE) == PAGE ? 0 : -1;
}

/* Checks the state after a failed write. Return: number of errors. */
static int check_fsync_once(int fd, const char *name)
{
	int wrong = 0, err = ERR(fsync(fd));

	if (err != EIO) {
		dxs_diag("%s: fsync: expected EIO, seen %s", name,
			 strerrorname_np(err));
		wrong++;
	}
	err = ERR(fsync(fd));
	if (err) {
		dxs_diag("%s: second fsync: %s", name,
			 strerrorname_np(err));
		wrong++;
	}
	return wrong;
}

/* Return: whether the fault hit the switch. */
static bool try_nth_write(int fd, unsigned int nth, int *wrong)
{
	struct daxstack_switch sw;
	int err, page;
	bool fault;

	/* Not adjacent, so that each page is a write of its own. */
	for (page = 0; page < PAGES; page += 8)
		MUST(write_page(fd, page));
	fault_arm(nth);
	err = dxs_switch(fd, DAXSTACK_DAX, 0, &sw);
	fault = fault_disarm();
	if (!fault) {
		*wrong += err || !dxs_to(fd, DAXSTACK_CACHED, "nth write");
		return false;
	}
	*wrong += !is_untouched(fd, DAXSTACK_CACHED, false, EIO, err,
				"nth write") +
		(sw.reason != DAXSTACK_REASON_WRITE_ERROR) +
		check_fsync_once(fd, "nth write") + !has_bytes(fd, "nth write");
	return true;
}

void fault_nth_write(void)
{
	const char *reason;
	unsigned int nth = 1;
	int fd, wrong = 0;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	reason = fault_writes();
	if (reason) {
		dxs_skip(reason, "each write of a switch fails in turn");
		dxs_umount_stack();
		return;
	}
	silence_ext4();
	fd = make_file("stack/file");
	while (nth < 1000 && try_nth_write(fd, nth, &wrong))
		nth++;
	fault_end();
	dxs_diag("%u writes failed", nth - 1);
	dxs_ok(nth > 4,
	       "each write of a switch fails in turn: number of writes");
	dxs_is(0, wrong,
	       "each write of a switch fails in turn: EIO, nothing changes");
	dxs_ok(switches(fd, "afterwards"),
	       "each write of a switch fails in turn: it then switches");
	close(fd);
	dxs_umount_stack();
	dxs_fsck();
}

/* --- EIO on any kernel: permanent bad blocks of the device. */

/* Return: whether that works here. */
static bool make_bad(int fd, int page)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} arg = { .map = {
		.fm_start = page * PAGE,
		.fm_length = PAGE,
		.fm_extent_count = 1,
	} };
	char path[64], text[48];

	MUST(ioctl(fd, FS_IOC_FIEMAP, &arg.map));
	if (arg.map.fm_mapped_extents != 1)
		dxs_bail("page %d has no block", page);
	snprintf(path, sizeof(path), "/sys/block/%s/badblocks", disk());
	snprintf(text, sizeof(text), "%llu %ld\n",
		 (arg.extent.fe_physical + page * PAGE -
		  arg.extent.fe_logical) / 512, PAGE / 512);
	return dxs_put(path, text);
}

/* Clears the bad blocks of the device. */
static void make_good(void)
{
	char link[160], path[64];
	ssize_t len;
	int i;

	snprintf(path, sizeof(path), "/sys/block/%s/device", disk());
	len = MUST(readlink(path, link, sizeof(link) - 1));
	link[len] = 0;
	dxs_put("/sys/bus/nd/drivers/nd_pmem/unbind",
		strrchr(link, '/') + 1);
	dxs_put("/sys/bus/nd/drivers/nd_pmem/bind", strrchr(link, '/') + 1);
	for (i = 0; access(dxs_pmem, F_OK) && i < 100; i++)
		dxs_sleep_ms(100);
}

static int by_ioctl(int fd, struct daxstack_switch *sw)
{
	return dxs_switch(fd, DAXSTACK_DAX, 1000, sw);
}

static int by_xflag(int fd, struct daxstack_switch *sw)
{
	sw->reason = DAXSTACK_REASON_WRITE_ERROR;
	return dxs_set_xflag(fd, DAXSTACK_DAX);
}

static void dirty_by_write(int fd)
{
	int page;

	for (page = 0; page < PAGES; page++)
		MUST(write_page(fd, page));
}

static void dirty_by_store(int fd)
{
	volatile uint8_t *map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE,
					  MAP_SHARED, fd, 0));
	int page;

	for (page = 0; page < PAGES; page++)
		map[page * PAGE] = map[page * PAGE];
	munmap((void *)map, LEN);
}

static void bad_block(int fd, const char *name, void (*dirty)(int fd),
		      int (*to_dax)(int fd, struct daxstack_switch *sw))
{
	struct daxstack_switch sw;
	int err;

	dirty(fd);
	err = to_dax(fd, &sw);
	dxs_ok(is_untouched(fd, DAXSTACK_CACHED, false, EIO, err, name),
	       "%s: EIO, mode and flag unchanged", name);
	dxs_str("WRITE_ERROR", dxs_reason_name(sw.reason), "%s: reason", name);
	dxs_is(0, check_fsync_once(fd, name),
	       "%s: fsync(2) reports the error, once", name);
	dxs_ok(has_bytes(fd, name), "%s: contents", name);
}

/* The same while stores continue: the last flush may be the one that fails. */

static atomic_bool stop;

static void *store_on(void *page)
{
	unsigned int seed = 1;

	while (!stop) {
		/* A store, but without the signal that dax mode would raise. */
		madvise(page, PAGE, MADV_POPULATE_WRITE);
		usleep(rand_r(&seed) % 3000);
	}
	return NULL;
}

static void bad_block_again_and_again(int fd)
{
	int i, err, wrong = 0, failed = 0, last = 0;
	uint8_t *map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
				 fd, 0));
	struct daxstack_switch sw;
	pthread_t thread;

	stop = false;
	if (pthread_create(&thread, NULL, store_on, map + LEN / 2))
		dxs_bail("cannot create a thread");
	for (i = 0; i < 200; i++) {
		/* Cached and clean, because it can no longer be read. */
		MUST(write_page(fd, PAGES / 2));
		fsync(fd);
		err = dxs_switch(fd, DAXSTACK_DAX, 1000, &sw);
		if (!err) {
			wrong += !dxs_to(fd, DAXSTACK_CACHED, "back");
			continue;
		}
		failed++;
		last += sw.attempts > 0;
		/* Writes fail with EIO until the error has been reported. */
		wrong += ERR(fsync(fd)) != EIO;
		wrong += !is_untouched(fd, DAXSTACK_CACHED, false, EIO, err,
				       "bad block, concurrent stores");
	}
	stop = true;
	/*
	 * Before Linux 6.9 MADV_POPULATE_* of an unreadable page loops forever:
	 * it drops the request to retry.
	 */
	MUST(write_page(fd, PAGES / 2));
	pthread_join(thread, NULL);
	munmap(map, LEN);
	dxs_diag("%d of %d switches failed, %d of them with the gates closed",
		 failed, i, last);
	dxs_is(0, wrong, "bad block, concurrent stores: EIO, or switched");
}

void fault_bad_blocks(void)
{
	static const char *const paths[] = { "stack/a", "stack/b", "stack/c",
					     "stack/d" };
	int fds[ARRAY_SIZE(paths)], good, i;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	silence_ext4();
	good = make_file("stack/good");
	for (i = 0; i < (int)ARRAY_SIZE(paths); i++) {
		fds[i] = make_file(paths[i]);
		if (make_bad(fds[i], PAGES / 2))
			continue;
		dxs_skip("this device does not support bad blocks",
			 "bad blocks");
		goto out;
	}
	bad_block(fds[0], "bad block, write(2)", dirty_by_write, by_ioctl);
	bad_block(fds[1], "bad block, stores", dirty_by_store, by_ioctl);
	bad_block(fds[2], "bad block, FSSETXATTR", dirty_by_write, by_xflag);
	bad_block_again_and_again(fds[3]);
	dirty_by_write(good);
	dxs_ok(switches(good, "good") && has_bytes(good, "good"),
	       "bad blocks: other files switch");
	for (i = 0; i < (int)ARRAY_SIZE(paths); i++)
		close(fds[i]);
out:
	close(good);
	dxs_umount_stack();
	make_good();
	dxs_fsck();
}
