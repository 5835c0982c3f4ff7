// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile use: by users who own nothing but their files, from user namespaces,
 * through other filesystems above the stack, with names that change below it,
 * with arguments and file names made to do harm, with I/O calls that are held
 * up for as long as their caller likes. The kernel stays whole, nobody hangs,
 * nothing is lost, and what is refused changes nothing.
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

/* Waits so long for a child. Return: its status, or -1 if it is still there. */
static int child_status(pid_t pid, double seconds)
{
	int status;

	return dxs_ends(pid, seconds, &status) ? status : -1;
}

/* --- Nobody, who is root in a user namespace of their own. */

static void write_file(const char *path, const char *text)
{
	int fd = MUST(open(path, O_WRONLY));

	MUST(write(fd, text, strlen(text)));
	close(fd);
}

/* Return: what @what returns, or -1. */
static int as_stranger(int (*what)(const char *arg), const char *arg)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		char map[32];

		MUST(setresuid(NOBODY, NOBODY, NOBODY));
		/* Else /proc/self belongs to root. */
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

/* The fd is root's, and so is the file. */
static int switch_roots(const char *path)
{
	int fd = MUST(open(path, O_RDONLY));

	return dxs_switch(fd, DAXSTACK_DAX, 0, NULL);
}

static void test_user_namespace(void)
{
	int fd = make_file("stack/roots", DAXSTACK_CACHED);

	dxs_errno(EPERM, as_stranger(mount_stack, NULL),
		  "a user namespace: mount");
	dxs_errno(EPERM, as_stranger(switch_roots, "stack/roots"),
		  "a user namespace: root's file");
	dxs_str("cached", dxs_mode_name(dxs_mode(fd)),
		"a user namespace: nothing changed");
	close(fd);
}

/* --- A filesystem above, which opens our files under its own path. */

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

/* Refused somewhere, or right. */
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
		ret = as_stranger(map_through_overlay, options[i]);
		if (!dxs_ok(ret >= 0 && ret != OVL_WRONG,
			    "overlayfs above, %s: right or refused",
			    options[i]))
			dxs_diag("seen: %d", ret);
	}
}

/* --- Names that change below, where the lower filesystem is shared. */

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
		    "RENAME_EXCHANGE with a name that is gone below");
	dxs_umount_lower();
	dxs_umount_stack();

	dxs_mount_stack();
	dxs_errno(ENOENT, ERR(access("stack/b", F_OK)), "it is gone");
	dxs_mount_lower();
	fd = MUST(open("lower/b", O_RDWR | O_CREAT | O_EXCL, 0644));
	dxs_fill(expected, LEN, SEED + 1, 0);
	dxs_pwrite(fd, expected, LEN, 0);
	close(fd);
	rename_to_b(RENAME_NOREPLACE, EEXIST,
		    "RENAME_NOREPLACE to a name that came below");
	fd = MUST(open("lower/b", O_RDONLY));
	dxs_pread(fd, seen, LEN, 0);
	dxs_ok(dxs_same(expected, seen, LEN, 0, "b"),
	       "RENAME_NOREPLACE: nothing replaced");
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
	dxs_ok(failed, "names that come and go below while others rename");
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
		  "frozen below: a switch keeps its timeout");
	if (status < 0) {
		MUST(kill(pid, SIGKILL));
		status = child_status(pid, 2);
		dxs_ok(status >= 0, "frozen below: a switch can be killed");
	}
	MUST(ioctl(lower, FITHAW, 0));
	close(lower);
	if (status < 0)
		MUST(waitpid(pid, NULL, 0));
	dxs_umount_lower();
	dxs_to(fd, DAXSTACK_DAX, "thawed");
	close(fd);
}

/* --- An answer that cannot be given. */

static void test_no_answer(void)
{
	int fd = make_file("stack/answer", DAXSTACK_CACHED);
	struct daxstack_switch *sw = MUST(mmap(NULL, PAGE,
		PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	sw->mode = DAXSTACK_DAX;
	MUST(mprotect(sw, PAGE, PROT_READ));
	dxs_errno(EFAULT, ERR(ioctl(fd, DAXSTACK_IOC_SWITCH, sw)),
		  "an argument that can only be read");
	dxs_str("cached", dxs_mode_name(dxs_mode(fd)),
		"an argument that can only be read: not switched");
	dxs_ok(!dxs_xflag(fd), "an argument that can only be read: no flag");
	MUST(munmap(sw, PAGE));
	close(fd);
}

/* --- The kernel's log. */

static void test_log(void)
{
	static const char *const path = "stack/name\nfaked line";
	int size = MUST(klogctl(10, NULL, 0)), len, fd;
	char *log = dxs_alloc(size + 1);

	MUST(chmod("stack", 0777));
	MUST(seteuid(NOBODY));
	fd = MUST(open(path, O_RDWR | O_CREAT, 0644));
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 0, NULL),
		  "a name of two lines: switched");
	MUST(seteuid(0));
	len = MUST(klogctl(3, log, size));
	log[len] = 0;
	dxs_ok(!strstr(log, "] faked line"),
	       "a name of two lines: makes no line of its own in the log");
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

	/* Delayed allocations: there are no extents yet. */
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
	       "DAX with other attributes, pinned: refused");
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &after));
	dxs_is(before.fsx_xflags, after.fsx_xflags, "refused: xflags");
	dxs_is(before.fsx_extsize, after.fsx_extsize, "refused: extsize");
	dxs_is(before.fsx_projid, after.fsx_projid, "refused: project");
	dxs_unpin(ends);
	MUST(munmap(map, PAGE));
	close(fd);
}

/* --- An I/O call that its caller holds up, inside the I/O gate. */

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
	const char *what = write ? "a write that is held up" :
				   "a read that is held up";
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
		dxs_bail("cannot make a thread");
	dxs_is(1, MUST(poll(&poll_in, 1, 5000)), "%s, %s", what,
	       dxs_mode_name(mode));
	dxs_errno(EBUSY, dxs_switch(h.fd, !mode, 0, &sw), "%s: no switch", what);
	dxs_str("IO", dxs_reason_name(sw.reason), "%s: reason", what);
	zero.range.start = (uintptr_t)h.page;
	MUST(ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	pthread_join(thread, NULL);
	dxs_is(PAGE, h.ret, "%s: goes on", what);
	dxs_errno(0, dxs_switch(h.fd, !mode, 1000, NULL), "%s: switched then",
		  what);
	MUST(munmap(h.page, PAGE));
	close(uffd);
	close(h.fd);
}

/* With project numbers, which ext4 has by a feature only. */
static void make_fs(void)
{
	if (dxs_on_xfs())
		dxs_mkfs(NULL);
	else if (DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-O",
			 "project", dxs_pmem))
		dxs_bail("cannot make ext4 with project numbers");
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
