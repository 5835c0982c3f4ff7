// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module can be removed only while it is unused, and loads again.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interactions.h"

static char module[256];

static int unload(void)
{
	return ERR(syscall(SYS_delete_module, "daxstack", O_NONBLOCK));
}

static int load(void)
{
	int fd = MUST(open(module, O_RDONLY | O_CLOEXEC));
	int err = ERR(syscall(SYS_finit_module, fd, "", 0));

	close(fd);
	return err;
}

/* Returns the reference count of the lower filesystem's module. */
static int lower_references(void)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", dxs_fs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;	/* built in */
	MUST(read(fd, text, sizeof(text) - 1));
	close(fd);
	return atoi(text);
}

/*
 * --- rmmod is refused for each kind of use, and succeeds after the last one.
 */

#define ROUNDS	5

static int in_use(int *refused)
{
	int fd = ia_file("stack/module", DAXSTACK_CACHED), i, wrong = 0;
	volatile uint64_t *map = ia_map(fd);
	struct ia_switcher s;

	ia_switch_begin(&s, fd);
	*refused += unload() == EAGAIN;
	ia_switch_more(&s, 2);
	MUST(umount2("stack", MNT_DETACH));
	for (i = 0; i < 10; i++)
		*refused += unload() == EAGAIN;
	ia_switch_more(&s, 2);
	ia_switch_end(&s);
	wrong += s.wrong + !ia_bytes(fd, "module") + !ia_agree(fd);
	close(fd);
	/* Only the mapping is left. */
	*refused += unload() == EAGAIN;
	map[0] = 5;
	MUST(msync((void *)map, LEN, MS_SYNC));
	wrong += map[0] != 5;
	MUST(munmap((void *)map, LEN));
	return wrong;
}

static void test_in_use(void)
{
	int i, err, references, refused = 0, wrong = 0, gone = 0;
	double end = ia_end();

	dxs_umount_stack();
	references = lower_references();
	dxs_errno(0, unload(), "rmmod succeeds");
	for (i = 0; i < ROUNDS; i++) {
		wrong += load() != 0;
		dxs_mount_stack();
		wrong += in_use(&refused);
		do
			err = unload();
		while (err == EAGAIN && ia_now() < end);
		gone += !err;
		wrong += !ia_device_free();
		if (lower_references() != references) {
			dxs_diag("%s: expected %d references, seen %d", dxs_fs,
				 references, lower_references());
			wrong++;
		}
	}
	dxs_is(12 * ROUNDS, refused,
	       "rmmod is refused while the module is in use");
	dxs_is(ROUNDS, gone, "rmmod succeeds after the last munmap");
	dxs_is(0, wrong, "rmmod: no error, no reference left");
}

/* --- Loaded and removed in a loop while others mount. */

#define REMOVALS	5

struct module_loop {
	atomic_long attempts;	/* to mount, successful or not */
	atomic_long removed;
	atomic_long refused;
	atomic_long wrong;
};

static void load_and_unload(struct module_loop *loop)
{
	long rounds, attempts;
	int err;

	for (rounds = 0;; rounds++) {
		/* Mounts leave short gaps, and load() takes long. */
		while ((err = unload()) == EAGAIN) {
			loop->refused++;
			dxs_sleep_ms(1);
		}
		loop->removed += !err;
		/* ENOENT: not loaded; EBUSY: being loaded or removed. */
		loop->wrong += err && err != ENOENT && err != EBUSY;
		err = load();
		loop->wrong += err && err != EEXIST && err != EBUSY;
		/*
		 * Every other time the module stays for a whole attempt to
		 * mount. On a slow machine modprobe alone takes longer than
		 * this loop, and no mount would ever succeed.
		 */
		attempts = loop->attempts;
		while (rounds % 2 && loop->attempts < attempts + 2)
			dxs_sleep_ms(1);
		dxs_sleep_ms(1 + ia_random(10));
	}
}

static int mount_and_switch(int *switched)
{
	char options[32];
	int fd, err, wrong = 0;

	snprintf(options, sizeof(options), "lower=%s", dxs_fs);
	err = ERR(mount(dxs_pmem, "stack", "daxstack", 0, options));
	if (err) {
		/* The module was just being removed. */
		if (err == ENODEV)
			return 0;
		dxs_diag("mount: %s", strerror(err));
		return 1;
	}
	fd = MUST(open("stack/module", O_RDWR | O_CLOEXEC));
	wrong += !ia_bytes(fd, "module");
	wrong += !dxs_to(fd, !dxs_mode(fd), "module") + !ia_agree(fd);
	(*switched)++;
	MUST(umount2("stack", MNT_DETACH));
	wrong += !dxs_to(fd, !dxs_mode(fd), "module") + !ia_agree(fd);
	close(fd);
	wrong += !ia_device_free();
	return wrong;
}

static void test_loop(void)
{
	struct module_loop *loop = ia_shared(PAGE);
	int wrong = 0, switched = 0;
	double end = ia_end();
	pid_t pid;

	pid = MUST(fork());
	if (!pid)
		load_and_unload(loop);
	do {
		wrong += mount_and_switch(&switched);
		loop->attempts++;
		dxs_sleep_ms(ia_random(10));
	} while ((switched < 8 || loop->removed < REMOVALS) && ia_now() < end);
	/* Not while it loads the module. */
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	dxs_diag("module: %ld removed, %ld refused, %d mounts",
		 loop->removed, loop->refused, switched);
	dxs_ok(loop->removed >= REMOVALS && switched >= 8,
	       "modprobe and rmmod race with mounts");
	dxs_is(0, wrong + loop->wrong, "... no errors");
	MUST(munmap(loop, PAGE));
}

void check_module(void)
{
	if (DXS_RUN_READ(module, sizeof(module), "modinfo", "-n", "daxstack")) {
		dxs_skip("no module file", "module removal");
		return;
	}
	*strchrnul(module, '\n') = 0;
	test_in_use();
	test_loop();
	load();
	dxs_mount_stack();
}
