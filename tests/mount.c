// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts: from a block device with and without lower=, from a directory; what
 * /proc shows of them; which are refused, with which errno, and that nothing is
 * left behind; mounts that work but cannot be switched; read-only mounts,
 * remounts; a full device; loading and removing the module.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libmount.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dxs_test.h"

#define PROBE	".daxstack-probe"

static int rmmod(void)
{
	return ERR(syscall(SYS_delete_module, "daxstack", O_NONBLOCK));
}

/* Asserts that a file on the stack can be written, read, and switched. */
static void test_works(const char *what)
{
	int fd = open("stack/works", O_RDWR | O_CREAT | O_TRUNC, 0644);
	char buf[6] = "";

	if (!dxs_ok(fd >= 0, "%s: a file can be created", what))
		return;
	dxs_pwrite(fd, "hello", 6, 0);
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 0, NULL),
		  "%s: switch to dax", what);
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)), "%s: mode is dax", what);
	dxs_pread(fd, buf, 6, 0);
	dxs_str("hello", buf, "%s: contents", what);
	close(fd);
	MUST(unlink("stack/works"));
}

/* Asserts what /proc shows of the mount on "stack". */
static void test_shown(const char *source, const char *what)
{
	struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	char *target = realpath("stack", NULL), *value = NULL;
	struct libmnt_fs *fs = table && target ?
		mnt_table_find_target(table, target, MNT_ITER_BACKWARD) : NULL;
	char lower[32] = "";
	struct statfs sfs;
	size_t len;

	if (dxs_ok(fs, "%s: in mountinfo", what)) {
		dxs_str("daxstack", mnt_fs_get_fstype(fs), "%s: type", what);
		dxs_str(source, mnt_fs_get_source(fs), "%s: source", what);
		if (!mnt_fs_get_option(fs, "lower", &value, &len))
			snprintf(lower, sizeof(lower), "%.*s", (int)len, value);
		dxs_str(dxs_fs, lower, "%s: option lower=", what);
	}
	MUST(statfs("stack", &sfs));
	dxs_is(DAXSTACK_SUPER_MAGIC, sfs.f_type, "%s: statfs f_type", what);
	dxs_is(PAGE, sfs.f_bsize, "%s: statfs f_bsize", what);
	free(target);
	mnt_unref_table(table);
}

static void test_good(void)
{
	char *lower = realpath("lower", NULL);

	dxs_mkfs(NULL);
	dxs_mount_stack();
	test_shown(dxs_pmem, "with lower=");
	test_works("with lower=");
	dxs_umount_stack();

	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", ""),
		  "without lower=");
	test_shown(dxs_pmem, "without lower=");
	test_works("without lower=");
	dxs_umount_stack();

	dxs_mount_lower();
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", ""),
		  "without lower=, a device that is mounted elsewhere");
	dxs_umount("stack");
	dxs_errno(0, dxs_mount(lower, "stack", "daxstack", ""), "a directory");
	test_shown(lower, "a directory");
	dxs_umount_lower();
	test_works("a directory, its own mount removed");
	dxs_umount_stack();

	dxs_mount_lower();
	MUST(mkdir("lower/sub", 0755));
	close(MUST(open("lower/sub/inside", O_CREAT | O_WRONLY, 0644)));
	dxs_errno(0, dxs_mount("lower/sub", "stack", "daxstack", ""),
		  "a subdirectory");
	dxs_umount_lower();
	dxs_errno(0, ERR(access("stack/inside", F_OK)),
		  "a subdirectory is the root");
	test_works("a subdirectory");
	dxs_umount_stack();
	free(lower);
}

/* --- Refused mounts. */

static void test_bad_one(int expected, const char *source, const char *options,
			 const char *what)
{
	int err = dxs_mount(source, "stack", "daxstack", options);

	dxs_errno(expected, err, "%s", what);
	if (!err)
		dxs_umount_stack();
	else
		/* Nothing keeps the device or the module in use. */
		dxs_errno(0, rmmod(), "%s: the module can be removed", what);
}

static void test_bad(void)
{
	const char *other = dxs_on_xfs() ? "lower=ext4" : "lower=xfs";
	char image[] = "/tmp/plain.XXXXXX";
	char *lower = realpath("lower", NULL);
	int fd;

	test_bad_one(EINVAL, dxs_pmem, "nonsense", "unknown option");
	test_bad_one(EINVAL, dxs_pmem, "lower=btrfs", "lower=btrfs");
	test_bad_one(EINVAL, dxs_pmem, "lower=", "lower= without a value");
	test_bad_one(EINVAL, dxs_pmem, other, "wrong type as lower=");
	test_bad_one(ENOENT, "/dev/no-such-device", "", "no such source");

	fd = MUST(mkstemp(image));
	dxs_pwrite(fd, "plain", 5, 0);
	close(fd);
	test_bad_one(ENOTBLK, image, "", "a regular file");
	MUST(unlink(image));

	MUST(mount("none", "lower", "tmpfs", 0, NULL));
	test_bad_one(EINVAL, lower, "", "a directory of tmpfs");
	dxs_umount_lower();

	dxs_mount_lower();
	test_bad_one(EINVAL, lower, other, "a directory of another type");
	dxs_umount_lower();
	free(lower);
}

static void test_unformatted(void)
{
	uint8_t *zero = dxs_alloc(1 * MIB);
	int fd = MUST(open(dxs_pmem, O_RDWR | O_EXCL));

	dxs_pwrite(fd, zero, 1 * MIB, 0);
	MUST(fsync(fd));
	close(fd);
	free(zero);
	test_bad_one(EINVAL, dxs_pmem, "", "unformatted");
	test_bad_one(EINVAL, dxs_pmem,
		     dxs_on_xfs() ? "lower=xfs" : "lower=ext4",
		     "unformatted, with lower=");
	fd = open(dxs_pmem, O_RDWR | O_EXCL);
	dxs_ok(fd >= 0, "unformatted: the device is not in use");
	if (fd >= 0)
		close(fd);
	dxs_mkfs(NULL);
	dxs_mount_stack();
	test_works("formatted after that");
	dxs_umount_stack();
}

/* --- Mounts that cannot be switched. */

/* Asserts that it mounts, and reports why nothing can be switched. */
static void test_no_dax(const char *device, int reason, const char *what)
{
	int fd, err = dxs_mount(device, "stack", "daxstack", "");

	if (!dxs_errno(0, err, "%s: mounts", what))
		return;
	fd = MUST(open("stack/file", O_RDWR | O_CREAT, 0644));
	dxs_pwrite(fd, "hello", 6, 0);
	dxs_refused(fd, DAXSTACK_DAX, reason, what);
	dxs_errno(EOPNOTSUPP, dxs_set_xflag(fd, DAXSTACK_DAX),
		  "%s: EOPNOTSUPP from FSSETXATTR", what);
	close(fd);
	dxs_errno(ENOENT, ERR(access("stack/" PROBE, F_OK)),
		  "%s: no " PROBE, what);
	dxs_umount_stack();
}

static void test_loop(void)
{
	static const char *const what = "a loop device";
	char image[] = "/tmp/loop.XXXXXX", device[64] = "";
	int fd = MUST(mkstemp(image));

	MUST(ftruncate(fd, 320 * MIB));
	close(fd);
	DXS_RUN_READ(NULL, 0, "modprobe", "loop");
	if (DXS_RUN_READ(device, sizeof(device), "losetup", "-f", "--show",
			 image)) {
		dxs_skip("no loop device", "%s", what);
	} else {
		device[strcspn(device, "\n")] = 0;
		dxs_mkfs(device);
		test_no_dax(device, DAXSTACK_REASON_NO_DAX, what);
		DXS_RUN("losetup", "-d", device);
	}
	MUST(unlink(image));
}

static void test_small_blocks(void)
{
	if (dxs_on_xfs() ?
	    DXS_RUN("mkfs.xfs", "-q", "-f", "-b", "size=1024", dxs_pmem) :
	    DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "1024", dxs_pmem))
		dxs_bail("cannot create small blocks");
	test_no_dax(dxs_pmem, DAXSTACK_REASON_BLOCK_SIZE, "1 KiB blocks");
}

/* Returns whether the device looks cleanly unmounted. */
static bool is_clean(void)
{
	static char head[16 * KIB];

	if (dxs_on_xfs()) {
		/* A clean log includes the inode count in the superblock. */
		DXS_RUN_READ(head, sizeof(head), "xfs_db", "-r", "-c", "sb 0",
			     "-c", "p icount", dxs_pmem);
		return atoi(head + strcspn(head, "0123456789")) > 200;
	}
	DXS_RUN_READ(head, sizeof(head), "dumpe2fs", "-h", dxs_pmem);
	return strstr(head, "state:         clean") &&
	       !strstr(head, "needs_recovery");
}

static void make_files(void)
{
	char name[32];
	int i;

	for (i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "stack/many%d", i);
		close(MUST(open(name, O_WRONLY | O_CREAT, 0644)));
	}
}

/* Remounts reach a lower filesystem without other mounts. */
static void test_remount_lower(void)
{
	int fd;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	make_files();
	fd = MUST(open("stack/file", O_RDWR | O_CREAT, 0644));
	dxs_pwrite(fd, "hello", 6, 0);
	dxs_ok(!is_clean(), "in use: not clean");
	close(fd);
	fd = MUST(open("stack", O_TMPFILE | O_RDWR, 0644));
	dxs_errno(EBUSY, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,ro"),
		  "remount,ro with an open unlinked file");
	close(fd);
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,ro"),
		  "remount,ro again");
	dxs_ok(is_clean(), "remount,ro: clean");
	dxs_errno(EROFS, ERR(unlink("stack/file")), "remount,ro: unlink");
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,rw"),
		  "remount,rw after remount,ro");
	test_works("remount,rw after remount,ro");
	dxs_umount_stack();

	if (!dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "ro"),
		       "mounted read-only"))
		return;
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,rw"),
		  "mounted read-only, remount,rw");
	test_works("mounted read-only, remount,rw");
	fd = MUST(open("stack/file", O_RDWR));
	dxs_to(fd, DAXSTACK_DAX, "mounted read-only, remount,rw");
	dxs_to(fd, DAXSTACK_CACHED, "mounted read-only, remount,rw");
	close(fd);
	MUST(unlink("stack/file"));
	dxs_umount_stack();

	/* A read-only device. */
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "ro"),
		  "mounted read-only again");
	MUST(DXS_RUN("blockdev", "--setro", dxs_pmem) ? -1 : 0);
	dxs_errno(EACCES, ERR(mount(NULL, "stack", NULL, MS_REMOUNT, "")),
		  "a read-only device, remount,rw");
	MUST(DXS_RUN("blockdev", "--setrw", dxs_pmem) ? -1 : 0);
	dxs_errno(0, ERR(mount(NULL, "stack", NULL, MS_REMOUNT, "")),
		  "no longer read-only, remount,rw");
	dxs_umount_stack();

	/* A lower filesystem with another mount. */
	dxs_mount_lower();
	MUST(mount(NULL, "lower", NULL, MS_REMOUNT | MS_RDONLY, ""));
	dxs_errno(0, dxs_mount("lower", "stack", "daxstack", "ro"),
		  "a read-only directory");
	dxs_errno(EROFS, ERR(mount(NULL, "stack", NULL, MS_REMOUNT, "")),
		  "a read-only directory, remount,rw");
	dxs_umount_stack();
	MUST(mount(NULL, "lower", NULL, MS_REMOUNT, ""));
	dxs_errno(0, dxs_mount("lower", "stack", "daxstack", "rw"),
		  "a directory that is writable again");
	dxs_errno(0, ERR(mount(NULL, "stack", NULL, MS_REMOUNT | MS_RDONLY, "")),
		  "a directory, remount,ro");
	dxs_errno(0, ERR(mkdir("lower/still", 0755)),
		  "a directory, remount,ro: the other mount stays writable");
	dxs_umount_stack();
	dxs_umount_lower();
	dxs_fsck();
}

static void test_read_only(void)
{
	int fd;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	fd = MUST(open("stack/file", O_RDWR | O_CREAT, 0644));
	dxs_pwrite(fd, "hello", 6, 0);
	close(fd);
	dxs_umount_stack();

	if (!dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "ro"),
		       "read-only"))
		return;
	fd = MUST(open("stack/file", O_RDONLY));
	dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_READ_ONLY, "read-only");
	close(fd);
	dxs_errno(EROFS, ERR(open("stack/file", O_RDWR)),
		  "read-only: open for writing");
	dxs_errno(EROFS, ERR(open("stack/new", O_WRONLY | O_CREAT, 0644)),
		  "read-only: create");
	dxs_errno(EROFS, ERR(unlink("stack/file")), "read-only: unlink");
	dxs_umount_stack();
}

static void test_remount(void)
{
	int fd;

	dxs_mount_stack();
	fd = MUST(open("stack/file", O_RDWR));
	dxs_errno(EBUSY, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,ro"),
		  "remount,ro with a file open for writing");
	close(fd);
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,ro"),
		  "remount,ro");
	dxs_errno(EROFS, ERR(open("stack/file", O_RDWR)),
		  "remount,ro: open for writing");
	fd = MUST(open("stack/file", O_RDONLY));
	dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_READ_ONLY, "remount,ro");
	close(fd);
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,rw"),
		  "remount,rw");
	test_works("remount,rw");
	dxs_errno(EINVAL, dxs_mount(dxs_pmem, "stack", "daxstack",
				    "remount,nonsense"),
		  "remount with an unknown option");
	test_works("after a failed remount");
	dxs_umount_stack();
}

/* Returns whether a file just written, in cached mode, has no blocks yet. */
static bool is_delayed(const char *path)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} f = { .map = { .fm_length = PAGE, .fm_extent_count = 1 } };
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));

	dxs_pwrite(fd, "hello", 6, 0);
	MUST(ioctl(fd, FS_IOC_FIEMAP, &f));
	close(fd);
	return !f.map.fm_mapped_extents ||
	       f.extent.fe_flags & FIEMAP_EXTENT_DELALLOC;
}

static unsigned long mount_flags(void)
{
	struct statvfs vfs;

	MUST(statvfs("stack", &vfs));
	return vfs.f_flag;
}

/*
 * Options that determine when changes reach the device must act on the lower
 * filesystem.
 */
static void test_sync(void)
{
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack",
			       "sync,dirsync,lazytime"),
		  "sync,dirsync,lazytime");
	dxs_ok(mount_flags() & ST_SYNCHRONOUS, "sync: is shown");
	dxs_ok(!is_delayed("stack/file"), "sync: data is on the device");
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack",
			       "remount,async,nolazytime"), "remount,async");
	dxs_ok(!(mount_flags() & ST_SYNCHRONOUS), "remount,async: is shown");
	dxs_ok(is_delayed("stack/file"), "remount,async: data is delayed");
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,sync"),
		  "remount,sync");
	dxs_ok(!is_delayed("stack/file"),
	       "remount,sync: data is on the device");
	test_works("remount,sync");
	dxs_umount_stack();

	dxs_mount_lower();
	dxs_errno(EBUSY, dxs_mount("lower", "stack", "daxstack", "sync"),
		  "sync, of a directory mounted without");
	dxs_errno(0, dxs_mount("lower", "stack", "daxstack", "rw"),
		  "a directory");
	dxs_errno(EINVAL, dxs_mount("lower", "stack", "daxstack",
				    "remount,sync"),
		  "remount,sync, of a directory mounted without");
	dxs_umount_stack();
	dxs_umount_lower();
}

/* Creates a user namespace, held by a process in it. */
/* Newer kernels refuse a namespace without any mapping for idmapped mounts. */
static void map_ids(pid_t pid, const char *which)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	fd = MUST(open(path, O_WRONLY | O_CLOEXEC));
	MUST(write(fd, "0 1000 1000", 11));
	close(fd);
}

static int user_namespace(void)
{
	char path[64], c;
	int ready[2], done[2], fd;
	pid_t pid;

	MUST(pipe(ready));
	MUST(pipe(done));
	pid = MUST(fork());
	if (!pid) {
		MUST(unshare(CLONE_NEWUSER));
		MUST(write(ready[1], "", 1));
		read(done[0], &c, 1);
		_exit(0);
	}
	MUST(read(ready[0], &c, 1));
	map_ids(pid, "uid_map");
	map_ids(pid, "gid_map");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	MUST(write(done[1], "", 1));
	MUST(waitpid(pid, NULL, 0));
	close(ready[0]);
	close(ready[1]);
	close(done[0]);
	close(done[1]);
	return fd;
}

static int idmap(const char *path, int ns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .userns_fd = ns };
	int tree = MUST(open_tree(AT_FDCWD, path, OPEN_TREE_CLONE)), err;

	err = ERR(mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	if (!err)
		err = ERR(move_mount(tree, "", AT_FDCWD, "idmapped",
				     MOVE_MOUNT_F_EMPTY_PATH));
	close(tree);
	return err;
}

/* Unsupported layers above and below the stack. */
static void test_layers(void)
{
	int ns = user_namespace();

	MUST(mkdir("idmapped", 0755));
	MUST(mkdir("over", 0755));
	dxs_mount_lower();
	dxs_errno(0, idmap("lower", ns), "idmap of the lower mount");
	dxs_errno(EINVAL, dxs_mount("idmapped", "stack", "daxstack", "rw"),
		  "an idmapped mount as source");
	MUST(umount("idmapped"));
	dxs_umount_lower();

	dxs_mount_stack();
	dxs_errno(0, idmap("stack", ns), "idmap of the stack");
	MUST(umount("idmapped"));
	dxs_ok(dxs_mount("stack", "over", "daxstack", "rw"),
	       "the stack on a stack");
	test_works("after that");
	dxs_umount_stack();
	close(ns);
}

/* --- The module. */

static void test_module(void)
{
	dxs_mount_stack();
	dxs_errno(EWOULDBLOCK, rmmod(), "rmmod while mounted");
	test_works("after a refused rmmod");
	dxs_umount_stack();
	dxs_errno(0, rmmod(), "rmmod after umount");
	dxs_errno(ENOENT, ERR(access("/sys/module/daxstack", F_OK)),
		  "rmmod: the module is gone");
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", ""),
		  "mount loads it again");
	test_works("loaded again");
	dxs_umount_stack();
}

/* --- The directory for the probe files. */

static void test_probe(void)
{
	int err;

	dxs_mount_lower();
	dxs_errno(ENOENT, ERR(access("lower/" PROBE, F_OK)),
		  "no " PROBE " after all that");
	/* is left */
	MUST(mkdir("lower/" PROBE, 0700));
	dxs_umount_lower();
	dxs_mount_stack();
	test_works("a left " PROBE);
	err = ERR(access("stack/" PROBE, F_OK));
	dxs_errno(ENOENT, err, "a left " PROBE " is gone");
	dxs_umount_stack();

	/* is removed */
	dxs_mount_lower();
	close(MUST(open("lower/" PROBE, O_WRONLY | O_CREAT | O_EXCL, 0600)));
	dxs_umount_lower();
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", ""),
		  "a file named " PROBE ": mounts");
	dxs_errno(0, ERR(access("stack/" PROBE, F_OK)),
		  "a file named " PROBE " stays");
	dxs_umount_stack();
	dxs_mount_lower();
	MUST(unlink("lower/" PROBE));
	dxs_umount_lower();
}

/* --- A full device. */

static void fill(const char *dir)
{
	uint8_t *buf = dxs_alloc(64 * KIB);
	char path[64];
	off_t len;
	int fd, i;

	snprintf(path, sizeof(path), "%s/full", dir);
	fd = MUST(open(path, O_WRONLY | O_CREAT, 0644));
	for (len = 64 * MIB; len >= PAGE; len /= 2)
		while (!fallocate(fd, 0, lseek(fd, 0, SEEK_END), len))
			;
	if (errno != ENOSPC)
		dxs_bail("fallocate: expected ENOSPC: %m");
	while (write(fd, buf, PAGE) > 0)
		;
	close(fd);
	/* Use up inodes and blocks for directories, too. */
	for (i = 0; i < 20000; i++) {
		snprintf(path, sizeof(path), "%s/dir.%d", dir, i);
		if (mkdir(path, 0755))
			break;
	}
	dxs_diag("full after %d directories: %m", i);
	free(buf);
}

static void test_full(void)
{
	int fd, err;

	dxs_mkfs(NULL);
	dxs_mount_lower();
	fd = MUST(open("lower/file", O_RDWR | O_CREAT, 0644));
	dxs_pwrite(fd, "hello", 6, 0);
	close(fd);
	fill("lower");
	dxs_umount_lower();

	err = dxs_mount(dxs_pmem, "stack", "daxstack", "");
	if (!dxs_errno(0, err, "a full device mounts"))
		return;
	fd = MUST(open("stack/file", O_RDWR));
	err = dxs_switch(fd, DAXSTACK_DAX, 0, NULL);
	dxs_ok(!err || err == EOPNOTSUPP,
	       "full device: a switch succeeds or is refused");
	if (err && err != EOPNOTSUPP)
		dxs_diag("seen: %s", strerror(err));
	MUST(unlink("stack/full"));
	MUST(syncfs(fd));
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 0, NULL),
		  "no longer full: a switch succeeds");
	close(fd);
	dxs_umount_stack();
	dxs_fsck();
}

int main(void)
{
	dxs_begin();
	test_good();
	test_bad();
	test_unformatted();
	test_module();
	test_probe();
	test_read_only();
	test_remount();
	test_remount_lower();
	test_sync();
	test_layers();
	test_loop();
	test_small_blocks();
	test_full();
	return dxs_done();
}
