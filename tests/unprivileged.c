// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile use by unprivileged users: from user namespaces, through a filesystem
 * above the stack, with names that change on the lower filesystem, with
 * malicious arguments and file names, with I/O calls that the caller blocks for
 * as long as it likes. Asserts that no task hangs, no data is lost, and refused
 * calls change nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(16 * PAGE)
#define NOBODY	65534
#define SEED	1

static int make_file(const char *path, int mode)
{
	uint8_t buf[LEN];
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));

	dxs_to(fd, mode, path);
	dxs_fill(buf, LEN, SEED, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	return fd;
}

/* Waits for a child. Return: its status, or -1 if it is still running. */
static int child_status(pid_t pid, double seconds)
{
	int status;

	return dxs_ends(pid, seconds, &status) ? status : -1;
}

/* --- User nobody as root in a user namespace of that user. */

static void write_file(const char *path, const char *text)
{
	int fd = MUST(open(path, O_WRONLY));

	MUST(write(fd, text, strlen(text)));
	close(fd);
}

/* Return: the result of @what, or -1. */
static int as_nobody_root(int (*what)(const char *arg), const char *arg)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		char map[32];

		MUST(setresuid(NOBODY, NOBODY, NOBODY));
		/* Otherwise /proc/self belongs to root. */
		MUST(prctl(PR_SET_DUMPABLE, 1));
		MUST(unshare(CLONE_NEWUSER | CLONE_NEWNS));
		write_file("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %d 1", NOBODY);
		write_file("/proc/self/uid_map", map);
		_exit(what(arg));
	}
	status = child_status(pid, 20);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int mount_stack(const char *options)
{
	return ERR(mount(dxs_pmem, "other", "daxstack", 0, options));
}

/* The descriptor was opened by root, and the file is root's. */
static int switch_roots(const char *path)
{
	int fd = MUST(open(path, O_RDONLY));

	return dxs_switch(fd, DAXSTACK_DAX, 0, NULL);
}

static void test_user_namespace(void)
{
	int fd = make_file("stack/roots", DAXSTACK_CACHED);

	dxs_errno(EPERM, as_nobody_root(mount_stack, NULL),
		  "a user namespace: mount");
	dxs_errno(EPERM, as_nobody_root(switch_roots, "stack/roots"),
		  "a user namespace: root's file");
	dxs_str("cached", dxs_mode_name(dxs_mode(fd)),
		"a user namespace: the file is unchanged");
	close(fd);
}

/* --- A filesystem above the stack, which opens files under its own path. */

enum { OVL_GOOD, OVL_WRONG, OVL_NO_MOUNT, OVL_NO_OPEN, OVL_NO_MAP };

static int map_through_overlay(const char *options)
{
	uint8_t expected[LEN];
	uint8_t *map;
	int fd;

	if (mount("none", "other", "overlay", MS_RDONLY, options))
		return OVL_NO_MOUNT;
	fd = open("other/file", O_RDONLY);
	if (fd < 0)
		return OVL_NO_OPEN;
	map = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return OVL_NO_MAP;
	dxs_fill(expected, LEN, SEED, 0);
	if (memcmp(map, expected, LEN) || msync(map, LEN, MS_SYNC) ||
	    madvise(map, LEN, MADV_WILLNEED))
		return OVL_WRONG;
	return OVL_GOOD;
}

/* It must be refused somewhere, or return the right data. */
static void test_overlay(void)
{
	static const char *const options[] = {
		"lowerdir=stack/0:stack/1",
		"lowerdir=stack/0:stack/1:stack/2:stack/3:stack/4",
		"lowerdir=stack/0:stack/1,default_permissions",
		"lowerdir=stack/0:stack/1:stack/2:stack/3:stack/4,default_permissions",
	};
	static const char *const dirs[] = {
		"stack/0", "stack/1", "stack/2", "stack/3", "stack/4",
	};
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		MUST(mkdir(dirs[i], 0755));
	close(make_file("stack/0/file", DAXSTACK_CACHED));
	DXS_RUN_READ(NULL, 0, "modprobe", "overlay");
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		ret = as_nobody_root(map_through_overlay, options[i]);
		if (!dxs_ok(ret >= 0 && ret != OVL_WRONG,
			    "overlayfs on the stack, %s: right data or refused",
			    options[i]))
			dxs_diag("seen: %d", ret);
	}
}

/* --- Names that change on a shared lower filesystem. */

static void rename_to_b(unsigned int flags, int expected, const char *what)
{
	int err = ERR(renameat2(AT_FDCWD, "stack/a", AT_FDCWD, "stack/b",
				flags));

	dxs_errno(expected, err, "%s", what);
}

static void test_names_below(void)
{
	uint8_t expected[LEN], seen[LEN];
	int fd;

	close(make_file("stack/a", DAXSTACK_CACHED));
	close(make_file("stack/b", DAXSTACK_CACHED));
	dxs_mount_lower();
	MUST(unlink("lower/b"));
	rename_to_b(RENAME_EXCHANGE, ENOENT,
		    "RENAME_EXCHANGE with a name removed on the lower fs");
	dxs_umount_lower();
	dxs_umount_stack();

	dxs_mount_stack();
	dxs_errno(ENOENT, ERR(access("stack/b", F_OK)),
		  "the removed name is absent");
	dxs_mount_lower();
	fd = MUST(open("lower/b", O_RDWR | O_CREAT | O_EXCL, 0644));
	dxs_fill(expected, LEN, SEED + 1, 0);
	dxs_pwrite(fd, expected, LEN, 0);
	close(fd);
	rename_to_b(RENAME_NOREPLACE, EEXIST,
		    "RENAME_NOREPLACE to a name created on the lower fs");
	fd = MUST(open("lower/b", O_RDONLY));
	dxs_pread(fd, seen, LEN, 0);
	dxs_ok(dxs_same(expected, seen, LEN, 0, "b"),
	       "RENAME_NOREPLACE: nothing was replaced");
	close(fd);
	dxs_umount_lower();
}

/* The same by two unprivileged users at once; the source is a directory. */
static void test_names_race(void)
{
	char *lower = realpath("lower", NULL);
	long done = 0, failed = 0;
	struct dxs_watch begin;
	pid_t pid;
	int err;

	dxs_umount_stack();
	dxs_mount_lower();
	MUST(mkdir("lower/race", 0777));
	MUST(chmod("lower/race", 0777));
	err = dxs_mount(lower, "stack", "daxstack", "");
	free(lower);
	if (err)
		dxs_bail("a directory as source: %s", strerror(err));
	MUST(seteuid(NOBODY));
	close(MUST(open("stack/race/a", O_WRONLY | O_CREAT, 0644)));
	begin = dxs_watch();
	pid = MUST(fork());
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			close(open("lower/race/b", O_WRONLY | O_CREAT, 0644));
			unlink("lower/race/b");
		}
	}
	while ((failed < 100 || done < 100) && dxs_watched(&begin) < 60) {
		if (renameat2(AT_FDCWD, "stack/race/a", AT_FDCWD,
			      "stack/race/b", RENAME_EXCHANGE))
			failed++;
		else
			done++;
	}
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	MUST(seteuid(0));
	dxs_diag("%ld exchanged, %ld not", done, failed);
	dxs_ok(failed, "rename races with names removed on the lower fs");
	dxs_umount_stack();
	dxs_umount_lower();
	dxs_mount_stack();
}

/* --- A frozen lower filesystem. */

static void test_frozen(void)
{
	int fd = make_file("stack/frozen", DAXSTACK_CACHED), lower, status;
	pid_t pid;

	dxs_mount_lower();
	lower = MUST(open("lower", O_RDONLY));
	MUST(ioctl(lower, FIFREEZE, 0));
	pid = MUST(fork());
	if (!pid)
		_exit(dxs_switch(fd, DAXSTACK_DAX, 200, NULL));
	status = child_status(pid, 2);
	dxs_errno(EBUSY, status < 0 ? ETIMEDOUT : WEXITSTATUS(status),
		  "lower fs frozen: a switch ends by its timeout");
	if (status < 0) {
		MUST(kill(pid, SIGKILL));
		status = child_status(pid, 2);
		dxs_ok(status >= 0, "lower fs frozen: a switch can be killed");
	}
	MUST(ioctl(lower, FITHAW, 0));
	close(lower);
	if (status < 0)
		MUST(waitpid(pid, NULL, 0));
	dxs_umount_lower();
	dxs_to(fd, DAXSTACK_DAX, "thawed");
	close(fd);
}

/* --- An answer that cannot be written. */

static void test_no_answer(void)
{
	int fd = make_file("stack/answer", DAXSTACK_CACHED);
	struct daxstack_switch *sw = MUST(mmap(NULL, PAGE,
		PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	sw->mode = DAXSTACK_DAX;
	MUST(mprotect(sw, PAGE, PROT_READ));
	dxs_errno(EFAULT, ERR(ioctl(fd, DAXSTACK_IOC_SWITCH, sw)),
		  "read-only argument");
	dxs_str("cached", dxs_mode_name(dxs_mode(fd)),
		"read-only argument: not switched");
	dxs_ok(!dxs_xflag(fd), "read-only argument: flag is unchanged");
	MUST(munmap(sw, PAGE));
	close(fd);
}

/* --- The kernel log. */

static void test_log(void)
{
	static const char *const path = "stack/name\nfaked line";
	int size = MUST(klogctl(10, NULL, 0)), len, fd;
	char *log = dxs_alloc(size + 1);

	MUST(chmod("stack", 0777));
	MUST(seteuid(NOBODY));
	fd = MUST(open(path, O_RDWR | O_CREAT, 0644));
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 0, NULL),
		  "a name with a newline: switched");
	MUST(seteuid(0));
	len = MUST(klogctl(3, log, size));
	log[len] = 0;
	dxs_ok(!strstr(log, "] faked line"),
	       "a name with a newline adds no line to the log");
	close(fd);
	MUST(unlink(path));
	free(log);
}

/* --- All or nothing. */

static void test_all_or_nothing(void)
{
	int fd = MUST(open("stack/both", O_RDWR | O_CREAT | O_TRUNC, 0644));
	static uint8_t buf[LEN];
	struct fsxattr before, both, after;
	uint8_t *map;
	int ends[2], err;

	/* Delayed allocation: there are no extents yet. */
	dxs_pwrite(fd, buf, LEN, 0);
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	dxs_pin(ends, map);
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &before));
	both = before;
	both.fsx_xflags |= FS_XFLAG_DAX;
	both.fsx_projid = 77;
	if (dxs_on_xfs()) {
		both.fsx_xflags |= FS_XFLAG_EXTSIZE;
		both.fsx_extsize = 64 * KIB;
	}
	err = ERR(ioctl(fd, FS_IOC_FSSETXATTR, &both));
	dxs_ok(err == EBUSY || err == EINVAL,
	       "DAX with other attributes, page pinned: refused");
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &after));
	dxs_is(before.fsx_xflags, after.fsx_xflags, "refused: xflags");
	dxs_is(before.fsx_extsize, after.fsx_extsize, "refused: extsize");
	dxs_is(before.fsx_projid, after.fsx_projid, "refused: project");
	dxs_unpin(ends);
	MUST(munmap(map, PAGE));
	close(fd);
}

/* --- An I/O call that its caller blocks while it holds the I/O gate. */

struct held {
	int fd;
	bool write;
	void *page;
	ssize_t ret;
};

static void *do_held(void *arg)
{
	struct held *h = arg;

	h->ret = h->write ? pwrite(h->fd, h->page, PAGE, 0) :
			    pread(h->fd, h->page, PAGE, 0);
	return NULL;
}

static int register_page(int uffd, void *page)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ERR(ioctl(uffd, UFFDIO_REGISTER, &reg));
}

static void test_held(bool write, int mode)
{
	const char *what = write ? "a blocked write" :
				   "a blocked read";
	struct held h = { .fd = make_file("stack/held", mode), .write = write };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_zeropage zero = { .range.len = PAGE };
	int uffd = MUST(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
	struct pollfd poll_in = { .fd = uffd, .events = POLLIN };
	struct daxstack_switch sw;
	pthread_t thread;
	uint8_t *map;

	MUST(ioctl(uffd, UFFDIO_API, &api));
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, h.fd, 0));
	dxs_errno(EINVAL, register_page(uffd, map), "userfaultfd of a mapping");
	MUST(munmap(map, PAGE));

	h.page = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	MUST(register_page(uffd, h.page) ? -1 : 0);
	if (pthread_create(&thread, NULL, do_held, &h))
		dxs_bail("cannot create a thread");
	dxs_is(1, MUST(poll(&poll_in, 1, 5000)), "%s, %s", what,
	       dxs_mode_name(mode));
	dxs_errno(EBUSY, dxs_switch(h.fd, !mode, 0, &sw),
		  "%s: switch returns EBUSY", what);
	dxs_str("IO", dxs_reason_name(sw.reason), "%s: reason", what);
	zero.range.start = (uintptr_t)h.page;
	MUST(ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	pthread_join(thread, NULL);
	dxs_is(PAGE, h.ret, "%s: completes", what);
	dxs_errno(0, dxs_switch(h.fd, !mode, 1000, NULL),
		  "%s: switched after it completes",
		  what);
	MUST(munmap(h.page, PAGE));
	close(uffd);
	close(h.fd);
}

/* With project ids, which ext4 has as a feature only. */
static void make_fs(void)
{
	if (dxs_on_xfs())
		dxs_mkfs(NULL);
	else if (DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-O",
			 "project", dxs_pmem))
		dxs_bail("cannot create ext4 with project ids");
}

int main(void)
{
	dxs_begin();
	dxs_watch_begin();
	MUST(mkdir("other", 0777));
	make_fs();
	dxs_mount_stack();
	test_user_namespace();
	test_no_answer();
	test_log();
	test_all_or_nothing();
	test_held(false, DAXSTACK_CACHED);
	test_held(false, DAXSTACK_DAX);
	test_held(true, DAXSTACK_CACHED);
	test_held(true, DAXSTACK_DAX);
	test_frozen();
	test_names_below();
	test_names_race();
	test_overlay();
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
