// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations on the whole filesystem: file handles, freezing, quotas, labels,
 * ioctls, link limits, and the loss of the device. Asserts that the stack
 * behaves as the lower filesystem does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(16 * PAGE)
#define NOBODY	65534

static int make_file(const char *path)
{
	uint8_t buf[LEN];
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));

	dxs_fill(buf, LEN, 1, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	return fd;
}

static bool right_bytes(int fd)
{
	uint8_t expected[LEN], seen[LEN];

	dxs_fill(expected, LEN, 1, 0);
	dxs_pread(fd, seen, LEN, 0);
	return dxs_same(expected, seen, LEN, 0, "file");
}

/* --- File handles. */

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static int get_handle(const char *path, struct handle *handle)
{
	int mount_id;

	handle->head.handle_bytes = MAX_HANDLE_SZ;
	return ERR(name_to_handle_at(AT_FDCWD, path, &handle->head, &mount_id,
				     0));
}

static int open_handle(const char *mount, struct handle *handle, int flags)
{
	int at = MUST(open(mount, O_RDONLY | O_DIRECTORY));
	int fd = open_by_handle_at(at, &handle->head, flags);
	int err = errno;

	close(at);
	errno = err;
	return fd;
}

static bool same_handle(const struct handle *a, const struct handle *b)
{
	return a->head.handle_bytes == b->head.handle_bytes &&
		a->head.handle_type == b->head.handle_type &&
		!memcmp(a->head.f_handle, b->head.f_handle,
			a->head.handle_bytes);
}

static void forget(void)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));

	MUST(write(fd, "3", 1));
	close(fd);
}

/* Asserts that the path shown by /proc ends in @end. */
static void path_is(int fd, const char *end, const char *name)
{
	char link[64], path[4096];
	ssize_t len;
	size_t n = strlen(end);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = MUST(readlink(link, path, sizeof(path) - 1));
	path[len] = 0;
	dxs_str(end, (size_t)len >= n ? path + len - n : path, "%s", name);
}

static void test_handles(void)
{
	static const char *const names[] = {
		"file", "dir", "dir/a/b/c", "dir/a/b/c/deep", "link", "fifo",
	};
	struct handle stack[ARRAY_SIZE(names)], lower;
	char path[64];
	uint8_t *map;
	size_t i;
	int fd;

	dxs_mount_stack();
	close(make_file("stack/file"));
	MUST(mkdir("stack/dir", 0755));
	MUST(mkdir("stack/dir/a", 0755));
	MUST(mkdir("stack/dir/a/b", 0755));
	MUST(mkdir("stack/dir/a/b/c", 0755));
	close(make_file("stack/dir/a/b/c/deep"));
	MUST(symlink("file", "stack/link"));
	MUST(mkfifo("stack/fifo", 0644));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "stack/%s", names[i]);
		dxs_errno(0, get_handle(path, &stack[i]), "handle of %s",
			  names[i]);
	}
	dxs_umount_stack();

	dxs_mount_lower();
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "lower/%s", names[i]);
		MUST(get_handle(path, &lower) ? -1 : 0);
		dxs_ok(same_handle(&stack[i], &lower),
		       "handle of %s: same as on the lower fs", names[i]);
	}
	dxs_umount_lower();

	/* After a new mount nothing is cached. */
	dxs_mount_stack();
	fd = open_handle("stack", &stack[3], O_RDWR);
	dxs_ok(fd >= 0, "open by handle, file not cached: %m");
	dxs_ok(right_bytes(fd), "... contents");
	map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	map[0] = map[0];
	dxs_to(fd, DAXSTACK_DAX, "opened by handle");
	map[PAGE] = map[PAGE];
	dxs_to(fd, DAXSTACK_CACHED, "opened by handle");
	dxs_ok(right_bytes(fd), "... contents after switches");
	munmap(map, LEN);
	MUST(chmod("stack/dir/a/b/c/deep", 0600));
	{
		struct stat by_handle, by_name;

		MUST(fstat(fd, &by_handle));
		MUST(stat("stack/dir/a/b/c/deep", &by_name));
		dxs_is(0600, by_handle.st_mode & 07777,
		       "... mode is that of the named file");
		dxs_is(by_name.st_ino, by_handle.st_ino,
		       "... inode number is that of the named file");
	}
	close(fd);
	forget();
	fd = open_handle("stack", &stack[2], O_RDONLY | O_DIRECTORY);
	dxs_ok(fd >= 0, "open by handle, directory not cached: %m");
	path_is(fd, "/stack/dir/a/b/c", "... is connected to its parents");
	dxs_errno(0, ERR(faccessat(fd, "deep", R_OK, 0)),
		  "... its files are found");
	close(fd);

	forget();
	fd = open_handle("stack", &stack[3], O_RDONLY);
	MUST(unlink("stack/dir/a/b/c/deep"));
	dxs_ok(right_bytes(fd), "unlinked while open by handle: contents");
	close(fd);
	dxs_errno(ESTALE, ERR(open_handle("stack", &stack[3], O_RDONLY)),
		  "unlinked and closed: handle is stale");
	dxs_umount_stack();

	/* Stacked on a directory of the lower filesystem. */
	dxs_mount_lower();
	dxs_errno(0, dxs_mount("lower/dir", "stack", "daxstack", NULL),
		  "stacked on a directory");
	dxs_errno(EOPNOTSUPP, get_handle("stack/a", &lower),
		  "part of the lower fs: no handles");
	dxs_umount_stack();
	dxs_umount_lower();
	dxs_fsck();
}

/* --- Freezing. */

static pid_t write_in_child(const char *path)
{
	pid_t pid;

	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		int fd = open(path, O_WRONLY | O_CREAT, 0644);

		_exit(fd < 0 || write(fd, "x", 1) != 1);
	}
	return pid;
}

static void test_freeze(void)
{
	int fd, root, round, status, refused = 0;
	uint8_t *map;
	pid_t pid;

	dxs_mount_stack();
	root = MUST(open("stack", O_RDONLY));
	fd = make_file("stack/file");
	map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	for (round = 0; round < 4; round++) {
		int mode = round & 1;

		dxs_to(fd, mode, "before the freeze");
		map[0] = map[0];
		dxs_errno(0, ERR(ioctl(root, FIFREEZE, 0)), "FIFREEZE, %s",
			  dxs_mode_name(mode));
		dxs_errno(EBUSY, ERR(ioctl(root, FIFREEZE, 0)),
			  "FIFREEZE fails if already frozen");
		pid = write_in_child("stack/other");
		dxs_sleep_ms(300);
		dxs_is(0, waitpid(pid, &status, WNOHANG),
		       "frozen: a write blocks");
		dxs_ok(right_bytes(fd), "frozen: a read does not block");
		dxs_refused(fd, !mode, DAXSTACK_REASON_FROZEN, "frozen");
		refused += dxs_mode(fd) == mode;
		dxs_errno(0, ERR(ioctl(root, FITHAW, 0)), "FITHAW");
		MUST(waitpid(pid, &status, 0));
		dxs_is(0, status, "thawed: the write completes");
	}
	dxs_is(4, refused, "frozen: switches are refused");
	dxs_errno(EINVAL, ERR(ioctl(root, FITHAW, 0)),
		  "FITHAW fails if not frozen");
	dxs_to(fd, DAXSTACK_DAX, "after the thaw");
	munmap(map, LEN);
	close(fd);
	close(root);
	dxs_umount_stack();
	dxs_fsck();
}

static pid_t waiting;

static void write_waits(const char *path, const char *name)
{
	pid_t pid = write_in_child(path);
	int status;

	dxs_sleep_ms(300);
	dxs_is(0, waitpid(pid, &status, WNOHANG), "%s: a write blocks", name);
	waiting = pid;
}

static void write_goes_on(const char *name)
{
	int status;

	MUST(waitpid(waiting, &status, 0));
	dxs_is(0, status, "%s: the write completes", name);
}

/*
 * Users of the lower filesystem freeze it, too. Linux 6.6 and later count
 * freezes by the kernel and by users separately, and both must be thawed;
 * earlier kernels know a single freeze.
 */
static void test_freeze_nesting(void)
{
	int nests = dxs_kernel_from(6, 6) ? 0 : EBUSY, root, lower, fd;

	dxs_mount_stack();
	dxs_mount_lower();
	root = MUST(open("stack", O_RDONLY));
	lower = MUST(open("lower", O_RDONLY));
	fd = make_file("stack/file");

	MUST(ioctl(lower, FIFREEZE, 0));
	dxs_errno(nests, ERR(ioctl(root, FIFREEZE, 0)),
		  "FIFREEZE of the stack, lower fs frozen");
	if (nests) {
		dxs_errno(EINVAL, ERR(ioctl(root, FITHAW, 0)),
			  "FITHAW refused: the stack is not frozen");
		write_waits("stack/other", "lower fs frozen");
	} else {
		dxs_errno(0, ERR(ioctl(lower, FITHAW, 0)),
			  "FITHAW of the lower fs");
		/*
		 * The lower filesystem has no user freeze left: EINVAL on 7.3.
		 */
		ioctl(lower, FITHAW, 0);
		write_waits("lower/other", "frozen through the stack");
		dxs_errno(0, ERR(ioctl(root, FITHAW, 0)), "FITHAW");
		write_goes_on("thawed on both");
		MUST(ioctl(lower, FIFREEZE, 0));
		write_waits("stack/other", "lower fs frozen");
	}
	dxs_errno(0, ERR(ioctl(lower, FITHAW, 0)), "FITHAW of the lower fs");
	write_goes_on("lower fs thawed");

	MUST(ioctl(root, FIFREEZE, 0));
	dxs_errno(nests, ERR(ioctl(lower, FIFREEZE, 0)),
		  "FIFREEZE of the lower fs, frozen through the stack");
	if (!nests) {
		dxs_errno(0, ERR(ioctl(root, FITHAW, 0)), "FITHAW of the stack");
		write_waits("stack/other", "lower fs still frozen");
		dxs_refused(fd, !dxs_mode(fd), DAXSTACK_REASON_FROZEN,
			    "lower fs still frozen: stack");
		dxs_errno(0, ERR(ioctl(lower, FITHAW, 0)),
			  "FITHAW of the lower fs");
	} else {
		write_waits("stack/other", "frozen");
		dxs_errno(0, ERR(ioctl(root, FITHAW, 0)), "FITHAW of the stack");
	}
	write_goes_on("thawed");

	/* With a single freeze, a lower user can thaw it. */
	MUST(ioctl(root, FIFREEZE, 0));
	if (nests) {
		dxs_errno(0, ERR(ioctl(lower, FITHAW, 0)),
			  "FITHAW of the lower fs does not undo the stack's freeze");
	} else {
		ioctl(lower, FITHAW, 0);
		write_waits("lower/other", "not thawed by others");
	}
	dxs_errno(0, ERR(ioctl(root, FITHAW, 0)), "FITHAW");
	if (!nests)
		write_goes_on("thawed through the stack");
	close(lower);
	dxs_umount_lower();
	dxs_to(fd, DAXSTACK_DAX, "after the last thaw");
	close(fd);
	close(root);
	dxs_umount_stack();
	dxs_fsck();
}

/* Freezes and switches a file concurrently. */
static void test_freeze_race(void)
{
	int fd, root, freezes = 0, switches = 0, wrong = 0;
	struct dxs_watch begin = dxs_watch();
	pid_t pid;

	dxs_mount_stack();
	root = MUST(open("stack", O_RDONLY));
	fd = make_file("stack/file");
	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		for (;;) {
			dxs_switch(fd, !dxs_mode(fd), 100, NULL);
			if (pwrite(fd, "", 0, 0))
				_exit(1);
		}
	}
	while ((freezes < 20 || switches < 20) && dxs_watched(&begin) < 60) {
		struct daxstack_state before, after;

		if (ioctl(root, FIFREEZE, 0)) {
			wrong++;
			break;
		}
		MUST(ioctl(fd, DAXSTACK_IOC_STATE, &before));
		dxs_sleep_ms(10);
		MUST(ioctl(fd, DAXSTACK_IOC_STATE, &after));
		wrong += before.mode != after.mode;
		if (ioctl(root, FITHAW, 0))
			wrong++;
		freezes++;
		switches = after.switches;
		dxs_sleep_ms(20);
	}
	kill(pid, SIGKILL);
	MUST(waitpid(pid, NULL, 0));
	dxs_diag("%d freezes, %d switches", freezes, switches);
	dxs_ok(freezes > 3 && switches > 3,
	       "freezes and switches both succeed");
	dxs_is(0, wrong, "no switch while frozen, no errors");
	dxs_ok(right_bytes(fd), "contents");
	close(fd);
	close(root);
	dxs_umount_stack();
	dxs_fsck();
}

/* --- Quotas: ext4 needs mkfs options, both need a mount option. */

static int quotactl_of(int fd, int cmd, int type, int id, void *addr)
{
	return ERR(syscall(SYS_quotactl_fd, fd, QCMD(cmd, type), id, addr));
}

static int write_as_nobody(const char *path, size_t len)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		char buf[PAGE] = { 1 };
		int fd, err = 0;

		MUST(setresuid(NOBODY, NOBODY, NOBODY));
		fd = MUST(open(path, O_WRONLY | O_CREAT, 0644));
		for (; !err && len; len -= PAGE)
			err = write(fd, buf, PAGE) == PAGE ? 0 : errno;
		_exit(err);
	}
	MUST(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Enforcement is turned off and on again; accounting continues. */
static void test_quota_off(int dir)
{
	unsigned int flags = FS_USER_QUOTA;

	MUST(unlink("stack/dax/file"));
	dxs_errno(0, quotactl_of(dir, Q_QUOTAOFF, USRQUOTA, 0, NULL),
		  "Q_QUOTAOFF");
	dxs_errno(0, write_as_nobody("stack/cached", 2 * MIB),
		  "... no limit is enforced");
	MUST(unlink("stack/cached"));
	dxs_errno(0, quotactl_of(dir, Q_QUOTAON, USRQUOTA, 0, NULL),
		  "Q_QUOTAON");
	dxs_errno(EDQUOT, write_as_nobody("stack/cached", 2 * MIB),
		  "... the limit is enforced again");
	MUST(unlink("stack/cached"));
	flags = FS_QUOTA_UDQ_ENFD;
	dxs_errno(0, quotactl_of(dir, Q_XQUOTAOFF, USRQUOTA, 0, &flags),
		  "Q_XQUOTAOFF");
	dxs_errno(0, write_as_nobody("stack/cached", 2 * MIB),
		  "... no limit is enforced");
	dxs_errno(0, quotactl_of(dir, Q_XQUOTAON, USRQUOTA, 0, &flags),
		  "Q_XQUOTAON");
	flags = FS_USER_QUOTA;
	if (dxs_on_xfs())
		dxs_errno(EINVAL,
			  quotactl_of(dir, Q_XQUOTARM, USRQUOTA, 0, &flags),
			  "Q_XQUOTARM during accounting: same errno as the lower fs");
	dxs_remount("ro");
	dxs_errno(EROFS, quotactl_of(dir, Q_QUOTAOFF, USRQUOTA, 0, NULL),
		  "Q_QUOTAOFF of a read-only mount");
	dxs_remount("rw");
}

static void test_quota(void)
{
	struct dqblk limit = {
		.dqb_bhardlimit = 1024,	/* KiB */
		.dqb_valid = QIF_BLIMITS,
	}, seen = { 0 };
	int dir;

	if (!dxs_on_xfs() && DXS_RUN("tune2fs", "-O", "quota", dxs_pmem))
		dxs_bail("tune2fs");
	if (dxs_mount(dxs_pmem, "lower", dxs_fs,
		      dxs_on_xfs() ? "uquota" : "usrquota")) {
		dxs_skip("no quota support in the kernel", "quotas");
		return;
	}
	dxs_errno(0, dxs_mount("lower", "stack", "daxstack", NULL),
		  "mount with quotas");
	dxs_umount_lower();
	MUST(chmod("stack", 0777));
	dir = MUST(open("stack", O_RDONLY));
	dxs_errno(0, quotactl_of(dir, Q_SETQUOTA, USRQUOTA, NOBODY, &limit),
		  "Q_SETQUOTA");
	dxs_errno(EDQUOT, write_as_nobody("stack/cached", 2 * MIB),
		  "cached: over the limit");
	MUST(unlink("stack/cached"));
	dxs_errno(0, ERR(mkdir("stack/dax", 0777)), "a directory");
	MUST(chmod("stack/dax", 0777));
	dxs_errno(0, DXS_RUN("chattr", "+x", "stack/dax"), "chattr +x");
	dxs_errno(EDQUOT, write_as_nobody("stack/dax/file", 2 * MIB),
		  "dax: over the limit");
	dxs_errno(0, quotactl_of(dir, Q_GETQUOTA, USRQUOTA, NOBODY, &seen),
		  "Q_GETQUOTA");
	dxs_is(1024, seen.dqb_bhardlimit, "... limit");
	dxs_ok(seen.dqb_curspace > 0 && seen.dqb_curspace <= MIB,
	       "... space used: %llu", (unsigned long long)seen.dqb_curspace);
	dxs_errno(0, quotactl_of(dir, Q_SYNC, USRQUOTA, 0, NULL), "Q_SYNC");
	test_quota_off(dir);
	close(dir);
	dxs_umount_stack();
	dxs_fsck();
}

/* --- Ioctls of the filesystem, compared with the lower filesystem. */

/*
 * Makes an ioctl as a 32-bit program does. Return: 0, an errno, or -1 if not
 * possible.
 */
static int ioctl32(int fd, unsigned int cmd, int *number)
{
	int *low = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			     MAP_ANONYMOUS | MAP_32BIT, -1, 0));
	pid_t pid = MUST(fork());
	int status;
	long ret;

	if (!pid) {
		__asm__ volatile("int $0x80" : "=a"(ret)
				 : "a"(54L), "b"((long)fd), "c"((long)cmd),
				   "d"(low)
				 : "memory", "r8", "r9", "r10", "r11");
		if (!ret && *low != *number)
			ret = -EINVAL;
		_exit(-(int)ret);
	}
	MUST(waitpid(pid, &status, 0));
	MUST(munmap(low, PAGE));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Returns the generation of a file, by a 32-bit ioctl. */
static int ask_version32(const char *mount, const char *name)
{
	char path[64];
	int fd, err, version = 0;

	snprintf(path, sizeof(path), "%s/%s", mount, name);
	fd = MUST(open(path, O_RDONLY));
	MUST(ioctl(fd, FS_IOC_GETVERSION, &version));
	err = ioctl32(fd, FS_IOC32_GETVERSION, &version);
	close(fd);
	return err;
}

struct answers {
	int trim;
	int version_err;
	int version;
	int label_err;
	char label[FSLABEL_MAX];
	int dir_version_err;
	int version32;
	int dir_version32;
	int unknown;
	struct statfs stat;
};

static struct answers ask(const char *mount)
{
	struct fstrim_range range = { .len = -1 };
	struct answers a = { 0 };
	char path[64];
	int fd, version, dir = MUST(open(mount, O_RDONLY));

	snprintf(path, sizeof(path), "%s/file", mount);
	fd = MUST(open(path, O_RDONLY));
	a.trim = ERR(ioctl(dir, FITRIM, &range));
	a.version_err = ERR(ioctl(fd, FS_IOC_GETVERSION, &a.version));
	a.dir_version_err = ERR(ioctl(dir, FS_IOC_GETVERSION, &version));
	a.version32 = ask_version32(mount, "file");
	a.dir_version32 = ask_version32(mount, ".");
	a.label_err = ERR(ioctl(dir, FS_IOC_GETFSLABEL, a.label));
	a.unknown = ERR(ioctl(dir, _IO('X', 77), 0));
	MUST(fstatfs(dir, &a.stat));
	close(fd);
	close(dir);
	return a;
}

static void is_same32(int lower, int stack, const char *name)
{
	if (lower < 0)
		dxs_skip("the kernel runs no 32-bit programs", "%s", name);
	else
		dxs_errno(lower, stack, "%s", name);
}

static void test_ioctls(void)
{
	struct answers stack, lower;
	int root;

	dxs_mount_stack();
	close(make_file("stack/file"));
	root = MUST(open("stack", O_RDONLY));
	dxs_errno(0, ERR(ioctl(root, FS_IOC_SETFSLABEL, "daxlabel")),
		  "FS_IOC_SETFSLABEL");
	close(root);
	stack = ask("stack");
	dxs_umount_stack();
	dxs_mount_lower();
	lower = ask("lower");
	dxs_umount_lower();

	dxs_errno(lower.trim, stack.trim, "FITRIM");
	dxs_errno(lower.version_err, stack.version_err, "FS_IOC_GETVERSION");
	dxs_is(lower.version, stack.version, "FS_IOC_GETVERSION");
	dxs_errno(lower.dir_version_err, stack.dir_version_err,
		  "FS_IOC_GETVERSION, directory");
	is_same32(lower.version32, stack.version32, "FS_IOC32_GETVERSION");
	is_same32(lower.dir_version32, stack.dir_version32,
		  "FS_IOC32_GETVERSION, directory");
	dxs_errno(lower.label_err, stack.label_err, "FS_IOC_GETFSLABEL");
	dxs_str("daxlabel", stack.label, "new label on the stack");
	dxs_str("daxlabel", lower.label, "new label on the lower fs");
	dxs_errno(ENOTTY, stack.unknown, "unknown ioctl");
	dxs_is(lower.stat.f_blocks, stack.stat.f_blocks, "f_blocks");
	dxs_is(lower.stat.f_files, stack.stat.f_files, "f_files");
	dxs_is(lower.stat.f_namelen, stack.stat.f_namelen, "f_namelen");
	dxs_ok(!memcmp(&lower.stat.f_fsid, &stack.stat.f_fsid,
		       sizeof(lower.stat.f_fsid)), "f_fsid");
	dxs_fsck();
}

/* --- The UUID of the filesystem, which IMA rules can refer to. */

static bool log_has(const char *path)
{
	char line[4096];
	bool found = false;
	FILE *f = fopen("/sys/kernel/security/ima/ascii_runtime_measurements",
			"re");

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, path);
	fclose(f);
	return found;
}

static void test_uuid(void)
{
	static const char name[] = "IMA rule with fsuuid matches a file";
	char uuid[64], rule[128];
	int fd, err;

	mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	fd = open("/sys/kernel/security/ima/policy", O_WRONLY);
	if (fd < 0) {
		dxs_skip("no IMA, or its policy is fixed", "%s", name);
		return;
	}
	if (DXS_RUN_READ(uuid, sizeof(uuid), "blkid", "-p", "-s", "UUID", "-o",
			 "value", dxs_pmem))
		dxs_bail("blkid");
	*strchrnul(uuid, '\n') = 0;
	snprintf(rule, sizeof(rule),
		 "measure func=FILE_CHECK mask=MAY_READ fsuuid=%s\n", uuid);
	err = ERR(write(fd, rule, strlen(rule)));
	close(fd);
	dxs_errno(0, err, "load an IMA rule");
	dxs_mount_stack();
	close(make_file("stack/measured"));
	close(MUST(open("stack/measured", O_RDONLY)));
	dxs_ok(log_has("stack/measured"), "%s", name);
	dxs_umount_stack();
}

/*
 * --- The maximum link count, set with debugfs: too many to create one by one.
 */

static void set_links(const char *count)
{
	char command[64], out[256];

	snprintf(command, sizeof(command), "sif /many links_count %s", count);
	if (DXS_RUN_READ(out, sizeof(out), "debugfs", "-w", "-R", command,
			 dxs_pmem))
		dxs_bail("debugfs: %s", out);
}

static void test_links(void)
{
	struct stat st;

	if (dxs_on_xfs()) {
		dxs_skip("XFS allows two billion links", "maximum link count");
		return;
	}
	dxs_mount_lower();
	close(MUST(open("lower/many", O_RDWR | O_CREAT, 0644)));
	dxs_umount_lower();
	set_links("64999");
	dxs_mount_stack();
	dxs_errno(0, ERR(link("stack/many", "stack/last")),
		  "link up to the maximum");
	dxs_errno(EMLINK, ERR(link("stack/many", "stack/more")),
		  "link beyond the maximum");
	MUST(stat("stack/many", &st));
	dxs_is(65000, st.st_nlink, "links");
	dxs_errno(ENOENT, ERR(access("stack/more", F_OK)),
		  "the refused link does not exist");
	MUST(unlink("stack/last"));
	dxs_umount_stack();
	set_links("1");
	dxs_fsck();
}

/*
 * --- The device's driver is unbound, mounted or not: its memory goes away.
 *
 * Must be the last test: the lower filesystem, also alone, can no longer evict
 * an inode with DAX entries, so it cannot be unmounted.
 */
static void test_unbound(void)
{
	char device[256], path[512];
	struct daxstack_state state;
	struct daxstack_switch sw;
	struct stat st;
	int fd, driver;
	uint8_t *map;

	if (dxs_slow() > 1) {
		dxs_skip("debug kernels check for leaks with everything unmounted",
			 "unbound");
		return;
	}
	dxs_mkfs(NULL);
	dxs_mount_stack();
	/* Keep it mounted there until the guest ends. */
	MUST(mount("stack", "/mnt", NULL, MS_BIND, NULL));
	fd = make_file("stack/unbound");
	dxs_to(fd, DAXSTACK_DAX, "unbound");
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	map[0] = 1;
	MUST(munmap(map, PAGE));
	MUST(fsync(fd));
	MUST(syncfs(fd));

	snprintf(path, sizeof(path), "/sys/block/%s/device", dxs_pmem + 5);
	if (!realpath(path, device))
		dxs_bail("%s: %m", path);
	snprintf(path, sizeof(path), "%s/driver/unbind", device);
	driver = MUST(open(path, O_WRONLY));
	/* Newer kernels notify the lower filesystem, which shuts down. */
	dxs_expect("Shutting down filesystem|shut down requested|Aborting journal");
	MUST(write(driver, strrchr(device, '/') + 1,
		   strlen(strrchr(device, '/') + 1)));
	dxs_expect(NULL);
	close(driver);
	if (fstat(fd, &st)) {
		dxs_errno(EIO, errno, "unbound: lower filesystem shut down");
		dxs_errno(EOPNOTSUPP, dxs_switch(fd, DAXSTACK_CACHED, 0, &sw),
			  "unbound: switch is refused");
		dxs_is(DAXSTACK_REASON_DEVICE_GONE, sw.reason,
		       "unbound: reason of the refusal");
	} else {
		dxs_refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_DEVICE_GONE,
			    "unbound");
	}
	dxs_errno(0, ERR(ioctl(fd, DAXSTACK_IOC_STATE, &state)),
		  "unbound: state");
	dxs_is(DAXSTACK_DAX, state.mode, "unbound: still in dax mode");
	dxs_is(DAXSTACK_REASON_DEVICE_GONE, state.reason,
	       "unbound: reason in the state");
}

int main(void)
{
	dxs_begin();
	dxs_watch_begin();
	dxs_mkfs(NULL);
	test_links();
	test_handles();
	test_freeze();
	test_freeze_nesting();
	test_freeze_race();
	test_ioctls();
	test_quota();
	test_uuid();
	test_unbound();
	return dxs_done();
}
