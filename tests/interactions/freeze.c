// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lower filesystem is frozen through the device mapper, as for an LVM
 * snapshot: suspending the device freezes the filesystem on it. Asserts that
 * switches are refused meanwhile, that a switching process can be killed, and
 * that no switch is left half done.
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

#include "interactions.h"

#define NAME	"daxfrozen"
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

/* Switches in a process of its own, so that it can be killed. */
static void switch_for_ever(int fd, atomic_long *done)
{
	for (;;)
		if (!dxs_switch(fd, !dxs_mode(fd), -1, NULL))
			++*done;
}

/*
 * Freezes while files are switched and written; then kills the switching
 * process. Return: number of errors.
 */
static int freeze_once(void (*suspend)(int control, bool on), int control,
		       int fd, int other, int *refused, atomic_long *done)
{
	long before = *done;
	int status, wrong = 0;
	struct daxstack_switch sw;
	double end = ia_end();
	pid_t pid;

	pid = MUST(fork());
	if (!pid)
		switch_for_ever(other, done);
	while (*done < before + 2 && ia_now() < end)
		dxs_sleep_ms(1);
	dxs_sleep_ms(ia_random(10));
	suspend(control, true);
	*refused += dxs_switch(fd, !dxs_mode(fd), 20, &sw) == EBUSY &&
		(sw.reason == DAXSTACK_REASON_FROZEN ||
		 sw.reason == DAXSTACK_REASON_WRITEBACK);
	MUST(kill(pid, SIGKILL));
	status = ia_wait(pid);
	if (status < 0) {
		dxs_diag("frozen: a switching process cannot be killed");
		wrong++;
	}
	suspend(control, false);
	if (status < 0)
		MUST(waitpid(pid, NULL, 0));
	wrong += !ia_agree(other);
	return wrong;
}

/* @suspend and @control: how to freeze and thaw. */
static void test_freezes(void (*suspend)(int control, bool on), int control)
{
	atomic_long *done = ia_shared(PAGE);
	int fd, other, i, refused = 0, wrong = 0;
	struct ia_switcher s;
	struct ia_user u;

	fd = ia_file("stack/freeze", DAXSTACK_CACHED);
	other = ia_file("stack/freeze.other", DAXSTACK_DAX);
	ia_switch_begin(&s, fd);
	s.alone = false;
	ia_use_begin(&u, fd, 2);
	for (i = 0; i < FREEZES; i++)
		wrong += freeze_once(suspend, control, fd, other, &refused,
				     done);
	dxs_is(0, wrong,
	       "frozen: a switching process can be killed, no switch is half done");
	dxs_is(FREEZES, refused, "frozen: switches are refused");
	dxs_ok(*done >= 2 * FREEZES,
	       "frozen: switches succeed between freezes");
	ia_switch_report(&s, FREEZES, "frozen");
	ia_use_report(&u, FREEZES, "frozen");
	ia_well(fd, "thawed");
	ia_well(other, "thawed, the other file");
	close(fd);
	close(other);
	MUST(munmap(done, PAGE));
}

/* Through the stack, which refuses FIFREEZE. */
static void test_stack(void)
{
	int fd = MUST(open("stack", O_RDONLY | O_CLOEXEC));
	int err = ERR(ioctl(fd, FIFREEZE, 0));

	if (err) {
		dxs_errno(EOPNOTSUPP, err, "FIFREEZE of the stack is refused");
	} else {
		MUST(ioctl(fd, FITHAW, 0));
		test_freezes(freeze, fd);
	}
	close(fd);
}

/* --- Mount a directory of a frozen filesystem. */

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
	status = ia_wait(pid);
	dxs_is(0, status, "a directory of a frozen filesystem mounts");
	MUST(ioctl(fd, FITHAW, 0));
	close(fd);
	if (status < 0)
		MUST(waitpid(pid, NULL, 0));
	dxs_umount_lower();
	free(lower);
	fd = ia_file("stack/freeze", DAXSTACK_CACHED);
	ia_well(fd, "mounted while frozen");
	close(fd);
	dxs_umount_stack();
}

void check_freeze(void)
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
	if (dxs_errno(0, err, "a device-mapper device mounts")) {
		control = MUST(open("/dev/mapper/control", O_RDWR | O_CLOEXEC));
		test_freezes(suspend_device, control);
		close(control);
		dxs_umount_stack();
	}
	if (DXS_RUN("dmsetup", "remove", NAME))
		dxs_bail("cannot remove the mapped device");
	dxs_mount_stack();
}
