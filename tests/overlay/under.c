// SPDX-License-Identifier: GPL-2.0-only
/*
 * overlay: switches files of the layers while they are used through the
 * overlay.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "overlay.h"

#define PAGES	64
#define LEN	(PAGES * PAGE)
#define TURNS	12

/* Progress of, and requests to, the process that uses the overlay; shared. */
static struct {
	atomic_ulong rounds;
	atomic_bool stop;
	atomic_bool bad;
} *user;

static void make(const char *path, uint32_t seed, size_t len)
{
	uint8_t *buf = malloc(len);
	int fd = MUST(open(path, O_WRONLY | O_CREAT, 0644));

	dxs_fill(buf, len, seed, 0);
	dxs_pwrite(fd, buf, len, 0);
	close(fd);
	free(buf);
}

static int flip(int mode)
{
	return mode == DAXSTACK_DAX ? DAXSTACK_CACHED : DAXSTACK_DAX;
}

/* Waits until that process has made progress. */
static bool goes_on(void)
{
	unsigned long rounds = atomic_load(&user->rounds);

	while (atomic_load(&user->rounds) < rounds + 2) {
		if (atomic_load(&user->bad))
			return false;
		dxs_sleep_ms(1);
	}
	return true;
}

/*
 * One round increments every page's counter, by a store, a write(2), or a check
 * from the other side.
 */
static bool one_round(int fd, uint8_t *map, unsigned long round)
{
	unsigned long want, seen;
	int i;

	for (i = 0; i < PAGES; i++) {
		want = round;
		if (i % 2)
			memcpy(&seen, map + i * PAGE, sizeof(seen));
		else if (pread(fd, &seen, sizeof(seen), i * PAGE) != sizeof(seen))
			return false;
		if (seen != want)
			return false;
		want++;
		if (i % 3)
			memcpy(map + i * PAGE, &want, sizeof(want));
		else if (pwrite(fd, &want, sizeof(want), i * PAGE) != sizeof(want))
			return false;
	}
	return round % 8 || !fsync(fd);
}

static pid_t start_user(bool (*round)(int fd, uint8_t *map, unsigned long n), int fd,
			uint8_t *map)
{
	pid_t pid;

	atomic_store(&user->rounds, 0);
	atomic_store(&user->stop, false);
	atomic_store(&user->bad, false);
	pid = MUST(fork());
	if (pid)
		return pid;
	while (!atomic_load(&user->stop)) {
		if (!round(fd, map, atomic_load(&user->rounds))) {
			atomic_store(&user->bad, true);
			_exit(1);
		}
		atomic_fetch_add(&user->rounds, 1);
	}
	_exit(0);
}

static bool end_user(pid_t pid)
{
	int status;

	atomic_store(&user->stop, true);
	MUST(waitpid(pid, &status, 0));
	return !status;
}

/* Switches @layer, a path of the stack, while a process uses the overlay. */
static void switch_under(pid_t pid, const char *layer, int over, const char *name)
{
	int fd = MUST(open(layer, O_RDONLY)), mode = dxs_mode(fd), i, made = 0;
	struct daxstack_switch sw;
	bool right = true;

	for (i = 0; i < TURNS; i++) {
		mode = flip(mode);
		if (dxs_switch(fd, mode, 10000 * dxs_slow(), &sw)) {
			dxs_diag("refused: %s", dxs_reason_name(sw.reason));
			break;
		}
		made += sw.switched;
		right &= dxs_mode(fd) == mode && dxs_mode(over) == mode;
		if (!goes_on())
			break;
	}
	dxs_is(TURNS, made, "%s: switches", name);
	dxs_ok(right, "%s: statx shows the mode on both files", name);
	dxs_ok(end_user(pid), "%s: no byte is lost", name);
	close(fd);
}

static void test_upper(void)
{
	int fd = MUST(open("over/mine", O_RDWR)), i, bad = 0;
	unsigned long count, rounds;
	uint8_t *map;

	map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	for (i = 0; i < PAGES; i++)
		memset(map + i * PAGE, 0, sizeof(count));
	switch_under(start_user(one_round, fd, map), "stack/u/mine", fd,
		     "upper layer's file");
	rounds = atomic_load(&user->rounds);
	munmap(map, LEN);
	close(fd);
	fd = MUST(open("stack/u/mine", O_RDONLY));
	for (i = 0; i < PAGES; i++) {
		dxs_pread(fd, &count, sizeof(count), i * PAGE);
		bad += count != rounds;
	}
	dxs_is(0, bad, "upper layer's file: pages that miss one of %lu rounds",
	       rounds);
	close(fd);
}

static uint8_t expected[LEN];

static bool look_round(int fd, uint8_t *map, unsigned long n)
{
	static uint8_t buf[LEN];

	(void)n;
	return pread(fd, buf, LEN, 0) == LEN && !memcmp(buf, expected, LEN) &&
		!memcmp(map, expected, LEN);
}

static void test_lower(void)
{
	int fd = MUST(open("over/below", O_RDONLY));
	uint8_t *map = MUST(mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0));

	dxs_fill(expected, LEN, 2, 0);
	switch_under(start_user(look_round, fd, map), "stack/l/below", fd,
		     "lower layer's file");
	munmap(map, LEN);
	close(fd);
}

/* A round executes a program of the lower layer. */
static bool exec_round(int fd, uint8_t *map, unsigned long n)
{
	(void)fd;
	(void)map;
	(void)n;
	return !DXS_RUN("over/program");
}

static void test_program(void)
{
	int fd = MUST(open("over/program", O_RDONLY));

	switch_under(start_user(exec_round, fd, NULL), "stack/l/program", fd,
		     "a program");
	close(fd);
}

/*
 * A round mounts an overlay with its own upper layer, and copies the file up.
 */
static bool copy_up_round(int fd, uint8_t *map, unsigned long n)
{
	static uint8_t buf[LEN];
	char upper[64], work[80], options[256];
	bool same;
	int over;

	(void)map;
	snprintf(upper, sizeof(upper), "stack/rounds/%lu", n);
	snprintf(work, sizeof(work), "%s.work", upper);
	snprintf(options, sizeof(options), "lowerdir=stack/l,upperdir=%s,workdir=%s",
		 upper, work);
	if (mkdir(upper, 0755) || mkdir(work, 0755) ||
	    mount("overlay", "round", "overlay", 0, options))
		return false;
	over = open("round/below", O_RDWR);
	if (over < 0)
		return false;
	same = pread(over, buf, LEN, 0) == LEN && !memcmp(buf, expected, LEN) &&
		pread(fd, buf, LEN, 0) == LEN && !memcmp(buf, expected, LEN);
	close(over);
	return same && !umount("round");
}

static void test_copy_up(void)
{
	int fd = MUST(open("over/below", O_RDONLY));

	switch_under(start_user(copy_up_round, fd, NULL), "stack/l/below", fd,
		     "a file during copy-up");
	close(fd);
}

/* --- Switches through the overlay itself. */

static void test_chattr(void)
{
	int fd = MUST(open("over/mine", O_RDWR)), below, other;
	struct daxstack_switch sw;
	char said[256];
	void *map;

	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_DAX), "chattr +x in the overlay");
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)), "... switches");
	dxs_errno(ENOTTY, dxs_switch(fd, DAXSTACK_CACHED, 0, &sw),
		  "DAXSTACK_IOC_SWITCH is unknown on overlayfs");
	dxs_run_read(said, sizeof(said),
		     (const char *const[]){ "sh", "-c",
					    "daxstack set cached over/mine 2>&1",
					    NULL });
	dxs_ok(strstr(said, "daxstack: over/mine: on overlayfs: name the file of its layer"),
	       "daxstack set prints the remedy");

	other = MUST(open("stack/u/mine", O_RDWR));
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	dxs_errno(EOPNOTSUPP, ERR(map),
		  "MAP_SYNC through an overlay is refused");
	map = dxs_map_sync(other, PAGE);
	dxs_errno(0, ERR(map), "MAP_SYNC of the layer's file");
	dxs_errno(EBUSY, dxs_set_xflag(fd, DAXSTACK_CACHED),
		  "... makes chattr -x in the overlay fail");
	munmap(map, PAGE);
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_CACHED), "chattr -x after that");
	dxs_str("cached", dxs_mode_name(dxs_mode(other)), "... switches");

	dxs_remount("switch=unmapped");
	map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	dxs_refused(other, DAXSTACK_DAX, DAXSTACK_REASON_MAPPED,
		    "switch=unmapped: mapped through the overlay: refused");
	munmap(map, PAGE);
	dxs_to(other, DAXSTACK_DAX, "switch=unmapped: not mapped");
	dxs_to(other, DAXSTACK_CACHED, "switch=unmapped: switch back");
	dxs_remount("switch=live");
	close(other);
	close(fd);

	fd = MUST(open("over/plain", O_RDONLY));
	below = MUST(open("stack/l/plain", O_RDONLY));
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_DAX),
		  "chattr +x of a file of the lower layer");
	close(fd);
	fd = MUST(open("over/plain", O_RDONLY));
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)), "... copies it up");
	dxs_str("cached", dxs_mode_name(dxs_mode(below)),
		"... and leaves the lower file unchanged");
	close(below);
	close(fd);

	/* New files take the flag from the upper directory. */
	fd = MUST(open("stack/u/flagged", O_RDONLY));
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_DAX),
		  "flag of an upper directory");
	close(fd);
	fd = MUST(open("over/flagged/new", O_RDWR | O_CREAT, 0644));
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)), "a new file inherits it");
	close(fd);
}

/* --- H44: switches through the overlay are rate-limited per user, too. */

#define UID		1000
#define BURST		250
#define PER_SECOND	50
#define PACED		400

static void chattr_as_user(int fd)
{
	double begin, took;
	int i;

	MUST(setresgid(UID, UID, UID));
	MUST(setresuid(UID, UID, UID));
	begin = dxs_now();
	for (i = 0; i < PACED; i++)
		if (dxs_set_xflag(fd, !dxs_mode(fd)))
			_exit(2);
	took = dxs_now() - begin;
	fprintf(stderr, "# %d switches through the overlay: %.2f s\n", PACED, took);
	_exit(took < (double)(PACED - BURST) / PER_SECOND - 0.1);
}

static void test_pace(void)
{
	int fd = MUST(open("over/often", O_RDWR | O_CREAT, 0644)), status;
	uint8_t *map;
	pid_t pid;

	MUST(ftruncate(fd, PAGE));
	MUST(fchown(fd, UID, UID));
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	map[0] = 1;
	pid = MUST(fork());
	if (!pid)
		chattr_as_user(fd);
	MUST(waitpid(pid, &status, 0));
	dxs_is(0, status,
	       "H44: a user's switches through the overlay are rate-limited");
	munmap(map, PAGE);
	close(fd);
}

/* Unmounts the stack under the overlay, and mounts it again. */
static void test_order(void)
{
	int fd = MUST(open("over/mine", O_RDWR)), layer;
	uint8_t *map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	uint8_t byte;

	dxs_errno(0, dxs_umount("stack"),
		  "umount of the stack under an overlay");
	DXS_RUN("sh", "-c", "echo 3 >/proc/sys/vm/drop_caches");
	map[100] = 42;
	dxs_pread(fd, &byte, 1, 100);
	dxs_is(42, byte, "the overlay still works");
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_DAX),
		  "switch through the overlay");
	dxs_mount_stack();
	layer = MUST(open("stack/u/mine", O_RDONLY));
	dxs_str("dax", dxs_mode_name(dxs_mode(layer)),
		"after a new mount it is the same file");
	map[100] = 43;
	dxs_to(layer, DAXSTACK_CACHED, "switch through the new mount");
	dxs_pread(layer, &byte, 1, 100);
	dxs_is(43, byte, "the byte is kept");
	close(layer);
	munmap(map, PAGE);
	close(fd);
	MUST(umount("over"));
	dxs_umount_stack();
	dxs_errno(0, DXS_RUN("rmmod", "daxstack"), "the module can be removed");
	dxs_fsck();
}

static bool begin(void)
{
	dxs_mkfs(NULL);
	dxs_mount_stack();
	MUST(mkdir("stack/l", 0755));
	MUST(mkdir("stack/u", 0755));
	MUST(mkdir("stack/w", 0755));
	return dxs_errno(0, mount_over("lowerdir=%s/l,upperdir=%s/u,workdir=%s/w",
				       "stack"), "mounted");
}

void test_bound(void)
{
	if (!begin())
		return;
	test_pace();
	MUST(umount("over"));
	dxs_umount_stack();
}

void test_under(void)
{
	user = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	if (!begin())
		return;
	MUST(mkdir("round", 0755));
	MUST(mkdir("stack/rounds", 0755));
	/* Fill the layers while no overlay uses them. */
	MUST(umount("over"));
	MUST(mkdir("stack/u/flagged", 0755));
	make("stack/u/mine", 1, LEN);
	make("stack/l/below", 2, LEN);
	make("stack/l/plain", 3, LEN);
	dxs_is(0, DXS_RUN("cp", "/usr/bin/true", "stack/l/program"), "cp");
	MUST(mount_over("lowerdir=%s/l,upperdir=%s/u,workdir=%s/w", "stack") ? -1 : 0);
	test_upper();
	test_lower();
	test_program();
	test_copy_up();
	test_chattr();
	test_order();
}
