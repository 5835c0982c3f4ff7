// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remounts, mounts and unmounts while files are switched and used.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "interactions.h"

/* --- In use: options change, umount is refused. */

#define REMOUNTS	60

void check_remount(void)
{
	static const char *const options[] = {
		"switch=live,inherit=create", "switch=unmapped", "inherit=move",
		"switch=live", "switch=empty", "inherit=none", "switch=live",
		"switch=never", "inherit=create",
	};
	int fd = ia_file("stack/remount", DAXSTACK_CACHED);
	struct ia_user users[2];
	struct ia_switcher s;
	int i, busy = 0;

	ia_switch_begin(&s, fd);
	s.allowed = EINVAL;	/* switch=empty */
	for (i = 0; i < 2; i++)
		ia_use_begin(&users[i], fd, i);
	for (i = 0; i < REMOUNTS; i++) {
		dxs_remount(options[i % ARRAY_SIZE(options)]);
		busy += dxs_umount("stack") == EBUSY;
		dxs_sleep_ms(ia_random(20));
	}
	dxs_is(REMOUNTS, busy, "remounts: umount is refused while in use");
	dxs_errno(EBUSY, ERR(mount(NULL, "stack", NULL, MS_REMOUNT | MS_RDONLY,
				   NULL)), "remounts: ro is refused, too");
	dxs_remount("switch=live,inherit=create");
	ia_switch_report(&s, 20, "remounts");
	for (i = 0; i < 2; i++)
		ia_use_report(&users[i], 20, "remounts");
	/* switch=never may have left a flag that differs from the mode. */
	dxs_to(fd, !dxs_mode(fd), "remounts");
	ia_well(fd, "remounts");
	dxs_to(fd, DAXSTACK_DAX, "remounts");
	close(fd);
	dxs_errno(0, dxs_umount("stack"),
		  "remounts: umount succeeds after close");

	dxs_mount_stack();
	fd = MUST(open("stack/remount", O_RDWR));
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)),
		"remounts: mode after a new mount");
	ia_well(fd, "remounts: mounted again");
	close(fd);
}

/* --- Mount and unmount while others open files by path. */

#define UMOUNTS		12

struct comer {
	atomic_bool stop;
	atomic_long opened;
	atomic_long switched;
	atomic_long wrong;
	pthread_t thread;
};

static void *open_by_path(void *arg)
{
	struct comer *c = arg;
	int fd, err;

	while (!c->stop) {
		fd = open("stack/paths", O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			c->wrong += errno != ENOENT;
			dxs_sleep_ms(1);
			continue;
		}
		c->opened++;
		c->wrong += !ia_bytes(fd, "paths");
		err = dxs_switch(fd, !dxs_mode(fd), 20, NULL);
		c->switched += !err;
		if (err && err != EBUSY) {
			dxs_diag("a switch: %s", strerror(err));
			c->wrong++;
		}
		close(fd);
		dxs_sleep_ms(2);
	}
	return NULL;
}

void check_paths(void)
{
	struct comer comers[2] = { 0 };
	long opened, switched, wrong = 0;
	int i, err, busy = 0, umounts = 0;
	double end = ia_end();

	close(ia_file("stack/paths", DAXSTACK_DAX));
	for (i = 0; i < 2; i++)
		if (pthread_create(&comers[i].thread, NULL, open_by_path, &comers[i]))
			dxs_bail("cannot create a thread");
	do {
		opened = comers[0].opened + comers[1].opened;
		switched = comers[0].switched + comers[1].switched;
		err = dxs_umount("stack");
		if (err) {
			wrong += err != EBUSY;
			busy++;
			/*
			 * Openers alternate; there is not always a gap for
			 * umount.
			 */
			dxs_sleep_ms(1 + ia_random(5));
			continue;
		}
		umounts++;
		dxs_mount_stack();
		dxs_sleep_ms(ia_random(30));
	} while ((umounts < UMOUNTS || opened < 50 || switched < 20) &&
		 ia_now() < end);
	for (i = 0; i < 2; i++) {
		comers[i].stop = true;
		pthread_join(comers[i].thread, NULL);
		wrong += comers[i].wrong;
	}
	dxs_diag("paths: %d umounts, %d refused, %ld opens, %ld switches",
		 umounts, busy, opened, switched);
	dxs_ok(umounts >= UMOUNTS && opened >= 50 && switched >= 20,
	       "opens by path race with mounts: all succeed at times");
	dxs_is(0, wrong, "opens by path race with mounts: no errors");
}

/* --- The lower filesystem is mounted elsewhere for a while. */

#define VISITS		20

/*
 * Reads and stores on the lower mount, where no switch may succeed meanwhile; a
 * switch is attempted before the lower unmount. Return: number of errors.
 */
static int mount_lower_once(int i, struct ia_switcher *s, int *refused)
{
	volatile uint64_t *map;
	uint64_t seen;
	int fd, wrong;

	dxs_mount_lower();
	fd = MUST(open("lower/visited", O_RDWR | O_CLOEXEC));
	wrong = !ia_bytes(fd, "below");
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			3 * PAGE));
	*map = i;
	dxs_pread(fd, &seen, HEAD, 3 * PAGE);
	wrong += seen != (uint64_t)i;
	MUST(munmap((void *)map, PAGE));
	close(fd);
	if (i % 4 == 0) {
		fd = MUST(open("lower", O_RDONLY | O_CLOEXEC));
		MUST(ioctl(fd, FIFREEZE, 0));
		dxs_sleep_ms(ia_random(10));
		MUST(ioctl(fd, FITHAW, 0));
		close(fd);
	}
	*refused += ia_switch_refused(s, DAXSTACK_REASON_LOWER_SHARED);
	dxs_umount_lower();
	return wrong;
}

void check_visit(void)
{
	int fd = ia_file("stack/visited", DAXSTACK_CACHED), i, wrong = 0;
	struct ia_switcher s;
	struct ia_user u;
	int refused = 0;
	uint64_t seen;

	ia_switch_begin(&s, fd);
	s.timeout_ms = 0;
	ia_use_begin(&u, fd, 2);
	for (i = 0; i < VISITS; i++) {
		wrong += mount_lower_once(i, &s, &refused);
		dxs_pread(fd, &seen, HEAD, 3 * PAGE);
		wrong += seen != (uint64_t)i;
		ia_switch_more(&s, 1);
	}
	dxs_is(0, wrong,
	       "lower fs mounted for a while: both mounts see the same data");
	dxs_is(VISITS, refused,
	       "lower fs mounted for a while: switches are refused");
	ia_switch_report(&s, VISITS, "lower fs mounted for a while");
	ia_use_report(&u, VISITS, "lower fs mounted for a while");
	ia_well(fd, "lower fs mounted for a while");
	close(fd);
}

/* --- Lazy unmount with files open and mapped. */

#define LAZY		12

/*
 * Mounts the lower filesystem of the detached mount again: both mounts share
 * one superblock (H50), so both can switch.
 */
static int mount_second(int open_first)
{
	int fd, wrong = 0;
	struct daxstack_state state;

	dxs_mount_stack();
	fd = MUST(open("stack/lazy", O_RDWR | O_CLOEXEC));
	wrong += !ia_bytes(fd, "second mount");
	wrong += dxs_switch(fd, !dxs_mode(fd), 2000, NULL) != 0;
	wrong += dxs_mode(open_first) != dxs_mode(fd);
	wrong += dxs_switch(open_first, !dxs_mode(open_first), 2000, NULL) != 0;
	wrong += dxs_mode(open_first) != dxs_mode(fd);
	MUST(ioctl(open_first, DAXSTACK_IOC_STATE, &state));
	wrong += state.reason == DAXSTACK_REASON_LOWER_SHARED;
	close(fd);
	wrong += dxs_umount("stack") != 0;
	return wrong;
}

/* The last user closes, unmaps, or exits. Return: number of errors. */
static int drop_last_use(int fd, volatile uint64_t *map, int how)
{
	uint64_t seen = 0;
	pid_t pid;
	int status;

	switch (how) {
	case 0:
		MUST(munmap((void *)map, LEN));
		close(fd);
		return 0;
	case 1:
		close(fd);
		map[PAGE / 8] = 76;
		MUST(msync((void *)map, LEN, MS_SYNC));
		status = map[PAGE / 8] != 76;
		MUST(munmap((void *)map, LEN));
		return status;
	default:
		pid = MUST(fork());
		if (!pid) {
			dxs_sleep_ms(20);
			map[PAGE / 8] = 77;
			if (dxs_switch(fd, !dxs_mode(fd), 2000, NULL))
				_exit(1);
			dxs_pread(fd, &seen, HEAD, PAGE);
			_exit(seen != 77 || map[PAGE / 8] != 77);
		}
		close(fd);
		MUST(munmap((void *)map, LEN));
		return ia_wait(pid) != 0;
	}
}

/* Reaches the file by other ways: an open directory, /proc. */
static int reopen_other_ways(int fd, int dir)
{
	char path[64];
	int again, made, wrong = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = MUST(open(path, O_RDONLY | O_CLOEXEC));
	wrong += !dxs_to(again, !dxs_mode(again), "opened through /proc") +
		!ia_bytes(again, "opened through /proc");
	close(again);
	made = MUST(openat(dir, "made", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			   0644));
	dxs_pwrite(made, "x", 1, 0);
	wrong += !dxs_to(made, !dxs_mode(made), "created in a detached mount");
	close(made);
	MUST(unlinkat(dir, "made", 0));
	return wrong;
}

static int lazy_umount_once(int i, long *switches)
{
	int fd = ia_file("stack/lazy", i % 2), mode, wrong = 0;
	int dir = MUST(open("stack", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct ia_switcher s;
	struct ia_user u;
	void *map = ia_map(fd);

	ia_use_begin(&u, fd, 2);
	ia_switch_begin(&s, fd);
	dxs_sleep_ms(ia_random(20));
	MUST(umount2("stack", MNT_DETACH));
	wrong += access("stack/lazy", F_OK) == 0;
	ia_switch_more(&s, 5);
	ia_switch_end(&s);
	*switches += s.done;
	wrong += reopen_other_ways(fd, dir);
	close(dir);
	if (i % 3 == 0)
		wrong += mount_second(fd);
	ia_use_end(&u);
	wrong += s.wrong + u.wrong + !ia_agree(fd) + !ia_bytes(fd, "detached");
	mode = dxs_mode(fd);
	if (i % 3 == 2)
		mode = !mode;
	wrong += drop_last_use(fd, map, i % 3);
	if (!ia_device_free())
		dxs_bail("detached and closed, but the device is in use");

	dxs_mount_stack();
	fd = MUST(open("stack/lazy", O_RDWR | O_CLOEXEC));
	if (dxs_mode(fd) != mode || !ia_agree(fd)) {
		dxs_diag("lazy %d: expected %s, seen %s", i, dxs_mode_name(mode),
			 dxs_mode_name(dxs_mode(fd)));
		wrong++;
	}
	wrong += !ia_bytes(fd, "mounted again");
	close(fd);
	return wrong;
}

void check_lazy(void)
{
	long switches = 0;
	int i, wrong = 0;

	for (i = 0; i < LAZY; i++)
		wrong += lazy_umount_once(i, &switches);
	dxs_is(0, wrong, "umount -l: files can be used, switched and closed");
	dxs_ok(switches >= 5 * LAZY, "umount -l: enough switches succeed");
	dxs_umount_stack();
	dxs_fsck();
	dxs_mount_stack();
}
