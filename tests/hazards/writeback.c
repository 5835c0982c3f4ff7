// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hazards of writeback: sync(2) during a switch (H13), cgroup writeback (H14),
 * write errors (H19, H20).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define LEN	(8 * MIB)

/* --- H13: sync(2) and the flusher use the a_ops of the current mode. */

static void dirty(void *arg)
{
	volatile uint8_t *map = arg;
	size_t pos;

	for (pos = 0; pos < LEN; pos += PAGE)
		map[pos] = map[pos];
}

static void dirty_and_rest(void *arg)
{
	dirty(arg);
	dxs_sleep_ms(5);
}

static void sync_all(void *arg)
{
	int fd = *(int *)arg;

	sync();
	MUST(syncfs(fd));
	/* Otherwise s_umount is never free. */
	dxs_sleep_ms(100 * dxs_slow());
}

void h13_sync(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	uint8_t *map = hazard_map(fd, LEN);
	struct hazard_thread store, syncs[2];
	struct hazard_switches all = { 0 }, more;
	int rounds = 0, i;
	long synced;

	hazard_start(&store, dirty_and_rest, map);
	hazard_start(&syncs[0], sync_all, &fd);
	hazard_start(&syncs[1], sync_all, &fd);
	/*
	 * On a slow machine two overlapping syncs never release s_umount; a
	 * single one does between calls.
	 */
	do {
		more = hazard_switch(fd, 8 * dxs_slow(), 6, 3000);
		all.done += more.done;
		all.refused += more.refused;
		if (rounds == 1)
			hazard_stop(&syncs[1]);
		for (i = 0, synced = 0; i < 2; i++)
			synced += syncs[i].steps;
	} while (++rounds < 8 && (all.done < 12 || synced < 8));
	hazard_stop(&syncs[0]);
	hazard_stop(&store);
	dxs_diag("%d switches, %d refused, %ld syncs", all.done, all.refused,
		 synced);
	dxs_ok(all.done > 0, "H13: switches during sync(2)");
	hazard_bytes(fd, LEN, "H13");
	munmap(map, LEN);
	close(fd);
}

/* --- H14: a dirty inode switches to another cgroup's writeback. */

#define CGROUPS	"/sys/fs/cgroup"

static void dirty_in_cgroup(const char *cgroup, uint8_t *map)
{
	char path[160], pid[16];
	int status;
	pid_t child = MUST(fork());

	if (!child) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
		snprintf(pid, sizeof(pid), "%d", getpid());
		if (!dxs_put(path, pid))
			_exit(1);
		dirty(map);
		_exit(0);
	}
	MUST(waitpid(child, &status, 0));
	if (status)
		dxs_bail("cannot join %s", cgroup);
}

void h14_cgroups(void)
{
	int fd, i, failed = 0;
	char cgroup[128];
	uint8_t *map;

	if (!dxs_put(CGROUPS "/cgroup.subtree_control", "+memory +io")) {
		dxs_skip("no memory and io controllers", "H14");
		return;
	}
	fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	map = hazard_map(fd, LEN);
	for (i = 0; i < 25; i++) {
		snprintf(cgroup, sizeof(cgroup), CGROUPS "/h14-%d", i);
		MUST(mkdir(cgroup, 0755));
		dirty_in_cgroup(cgroup, map);
		/* Its inodes move to the parent cgroup some time later. */
		MUST(rmdir(cgroup));
		failed += !!dxs_switch(fd, DAXSTACK_DAX, 30000, NULL);
		dirty(map);
		dxs_sleep_ms(i * 4);
		failed += !!dxs_switch(fd, DAXSTACK_CACHED, 30000, NULL);
	}
	dxs_is(0, failed, "H14: no switch fails while inodes change cgroup");
	hazard_bytes(fd, LEN, "H14");
	munmap(map, LEN);
	close(fd);
}

/* --- H19, H20: a file that cannot be written back keeps its mode. */

#define FAIL	"/sys/kernel/debug/fail_make_request"

/*
 * Makes every write to the device fail, or none. Return: whether that works
 * here.
 */
static bool set_failing(bool fail)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/make-it-fail",
		 strrchr(dxs_pmem, '/') + 1);
	return dxs_put(FAIL "/interval", "1") && dxs_put(FAIL "/times", "-1") &&
		dxs_put(FAIL "/verbose", "0") &&
		dxs_put(FAIL "/probability", fail ? "100" : "0") &&
		dxs_put(path, fail ? "1" : "0");
}

static void dirty_page(int fd)
{
	uint8_t page[PAGE];

	dxs_fill(page, PAGE, 1, 0);
	dxs_pwrite(fd, page, PAGE, 0);
}

void h19_h20_write_error(void)
{
	struct daxstack_switch sw;
	int fd, err;

	if (!set_failing(false)) {
		dxs_skip("no fault injection for block requests", "H19");
		return;
	}
	/*
	 * Allocated and written once, so that an overwrite changes no metadata.
	 */
	fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED);
	dirty_page(fd);
	set_failing(true);
	err = dxs_switch(fd, DAXSTACK_DAX, 0, &sw);
	dxs_errno(EIO, err, "H19: switch fails if writeback fails");
	dxs_str("WRITE_ERROR", dxs_reason_name(sw.reason), "H19: reason");
	dxs_str("cached", dxs_mode_name(dxs_mode(fd)), "H19: mode");
	dxs_is(false, dxs_xflag(fd), "H20: flag");
	err = ERR(fsync(fd));
	set_failing(false);
	dxs_errno(EIO, err, "H19: fsync(2) reports the error, too");
	dxs_errno(0, ERR(fsync(fd)), "H19: fsync(2) reports it once");
	dirty_page(fd);
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 30000, NULL),
		  "H19: switched once writeback works");
	hazard_bytes(fd, LEN, "H19");
	close(fd);
}
