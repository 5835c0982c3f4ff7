// SPDX-License-Identifier: GPL-2.0
/*
 * The lower filesystem is frozen, from outside as by an LVM snapshot: the
 * device mapper freezes what is on a device that it suspends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "besiege.h"

#define NAME	"besieged"
#define DEVICE	"/dev/mapper/" NAME
#define FREEZES	8

static void suspend_device(int control, bool on)
{
	struct dm_ioctl dm = {
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = sizeof(dm),
		.name = NAME,
		.flags = on ? DM_SUSPEND_FLAG : 0,
	};

	MUST(ioctl(control, DM_DEV_SUSPEND, &dm));
}

static void freeze(int dir, bool on)
{
	MUST(ioctl(dir, on ? FIFREEZE : FITHAW, 0));
}

static bool map_device(void)
{
	char table[128], size[32] = "";

	if (DXS_RUN_READ(size, sizeof(size), "blockdev", "--getsz", dxs_pmem))
		dxs_bail("cannot get the size of %s", dxs_pmem);
	*strchrnul(size, '\n') = 0;
	snprintf(table, sizeof(table), "0 %s linear %s 0", size, dxs_pmem);
	return !DXS_RUN("dmsetup", "create", NAME, "--table", table) &&
		!access(DEVICE, F_OK);
}

/* Switches in a process of its own, which can be killed. */
static void switch_for_ever(int fd, atomic_long *done)
{
	for (;;)
		if (!dxs_switch(fd, !dxs_mode(fd), -1, NULL))
			++*done;
}

/*
 * Frozen while files are switched and written; whoever switches can be killed
 * meanwhile. Return: what was wrong.
 */
static int freeze_once(void (*suspend)(int control, bool on), int control,
		       int fd, int other, int *refused, atomic_long *done)
{
	long before = *done;
	int status, wrong = 0;
	struct daxstack_switch sw;
	double end = bs_end();
	pid_t pid;

	pid = MUST(fork());
	if (!pid)
		switch_for_ever(other, done);
	while (*done < before + 2 && bs_now() < end)
		dxs_sleep_ms(1);
	dxs_sleep_ms(bs_random(10));
	suspend(control, true);
	*refused += dxs_switch(fd, !dxs_mode(fd), 20, &sw) == EBUSY &&
		(sw.reason == DAXSTACK_REASON_FROZEN ||
		 sw.reason == DAXSTACK_REASON_WRITEBACK);
	MUST(kill(pid, SIGKILL));
	status = bs_wait(pid);
	if (status < 0) {
		dxs_diag("frozen: a switch cannot be killed");
		wrong++;
	}
	suspend(control, false);
	if (status < 0)
		MUST(waitpid(pid, NULL, 0));
	wrong += !bs_agree(other);
	return wrong;
}

/* @suspend and @control: how to freeze and to thaw. */
static void test_freezes(void (*suspend)(int control, bool on), int control)
{
	atomic_long *done = bs_shared(PAGE);
	int fd, other, i, refused = 0, wrong = 0;
	struct bs_switcher s;
	struct bs_user u;

	fd = bs_file("stack/freeze", DAXSTACK_CACHED);
	other = bs_file("stack/freeze.other", DAXSTACK_DAX);
	bs_switch_begin(&s, fd);
	s.alone = false;
	bs_use_begin(&u, fd, 2);
	for (i = 0; i < FREEZES; i++)
		wrong += freeze_once(suspend, control, fd, other, &refused,
				     done);
	dxs_is(0, wrong, "frozen: who switches can be killed, and no half is done");
	dxs_is(FREEZES, refused, "frozen: switches are refused");
	dxs_ok(*done >= 2 * FREEZES, "frozen: switches took place in between");
	bs_switch_report(&s, FREEZES, "frozen");
	bs_use_report(&u, FREEZES, "frozen");
	bs_well(fd, "thawed");
	bs_well(other, "thawed, the other file");
	close(fd);
	close(other);
	MUST(munmap(done, PAGE));
}

/* By the stack, where it can be frozen. */
static void test_stack(void)
{
	int fd = MUST(open("stack", O_RDONLY | O_CLOEXEC));
	int err = ERR(ioctl(fd, FIFREEZE, 0));

	if (err) {
		dxs_errno(EOPNOTSUPP, err, "the stack itself is not frozen");
	} else {
		MUST(ioctl(fd, FITHAW, 0));
		test_freezes(freeze, fd);
	}
	close(fd);
}

/* --- A directory of a frozen filesystem is mounted. */

static void test_mount_frozen(void)
{
	char *lower = realpath("lower", NULL);
	int fd, status;
	pid_t pid;

	dxs_mount_lower();
	fd = MUST(open("lower", O_RDONLY | O_CLOEXEC));
	MUST(ioctl(fd, FIFREEZE, 0));
	pid = MUST(fork());
	if (!pid)
		_exit(dxs_mount(lower, "stack", "daxstack", ""));
	status = bs_wait(pid);
	dxs_is(0, status, "a directory that is frozen mounts");
	MUST(ioctl(fd, FITHAW, 0));
	close(fd);
	if (status < 0)
		MUST(waitpid(pid, NULL, 0));
	dxs_umount_lower();
	free(lower);
	fd = bs_file("stack/freeze", DAXSTACK_CACHED);
	bs_well(fd, "mounted while it was frozen");
	close(fd);
	dxs_umount_stack();
}

void siege_freeze(void)
{
	char options[32];
	int err, control;

	test_stack();
	dxs_umount_stack();
	test_mount_frozen();
	if (!map_device()) {
		dxs_skip("no device mapper", "frozen");
		dxs_mount_stack();
		return;
	}
	snprintf(options, sizeof(options), "lower=%s", dxs_fs);
	err = dxs_mount(DEVICE, "stack", "daxstack", options);
	if (dxs_errno(0, err, "a mapped device mounts")) {
		control = MUST(open("/dev/mapper/control", O_RDWR | O_CLOEXEC));
		test_freezes(suspend_device, control);
		close(control);
		dxs_umount_stack();
	}
	if (DXS_RUN("dmsetup", "remove", NAME))
		dxs_bail("cannot remove the mapped device");
	dxs_mount_stack();
}
