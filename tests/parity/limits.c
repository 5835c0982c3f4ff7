// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: file handles, file sizes, other views of the mount, a full device.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "parity.h"

/* --- File handles. */

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static void by_handle(const char *name, int flags)
{
	struct handle handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int root = MUST(open(ROOT, O_RDONLY | O_DIRECTORY)), id;

	TELL(name_to_handle_at(AT_FDCWD, name, &handle.head, &id, 0));
	note("%s: %u bytes, type %d", name, handle.head.handle_bytes,
	     handle.head.handle_type);
	TELL_FD(open_by_handle_at(root, &handle.head, flags));
	TELL_FD(open_by_handle_at(root, &handle.head, flags | O_PATH));
	handle.bytes[0] ^= 0x55;
	TELL_FD(open_by_handle_at(root, &handle.head, flags));
	handle.head.handle_type = 0x77;
	TELL_FD(open_by_handle_at(root, &handle.head, flags));
	handle.head.handle_bytes = 4;
	TELL(name_to_handle_at(AT_FDCWD, name, &handle.head, &id, 0));
	note("needs %u", handle.head.handle_bytes);
	close(root);
}

static void not_root(void)
{
	struct handle handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int root = MUST(open(ROOT, O_RDONLY | O_DIRECTORY)), id;

	TELL(name_to_handle_at(AT_FDCWD, "file", &handle.head, &id, 0));
	TELL_FD(open_by_handle_at(root, &handle.head, O_RDONLY));
}

void run_handles(void)
{
	int fd;

	close(make_file("file", 10));
	MUST(mkdir("dir", 0755));
	close(make_file("dir/below", 10));
	MUST(symlink("file", "link"));
	MUST(mkfifo("fifo", 0644));
	by_handle("file", O_RDONLY);
	by_handle("dir", O_RDONLY);
	by_handle("dir/below", O_RDWR);
	by_handle("link", O_RDONLY);
	by_handle("fifo", O_RDONLY | O_NONBLOCK);
	by_handle(ROOT, O_RDONLY);
	as_user(NOBODY, not_root);
	fd = MUST(open("file", O_RDONLY));
	MUST(unlink("file"));
	close(fd);
}

/* --- Sizes. */

static volatile sig_atomic_t signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

static void limited(void)
{
	static const struct rlimit limit = { 10 * PAGE, 10 * PAGE };
	struct sigaction act = { .sa_handler = count };
	int fd = MUST(open("file", O_RDWR));
	char buf[2 * PAGE] = "";

	sigaction(SIGXFSZ, &act, NULL);
	MUST(setrlimit(RLIMIT_FSIZE, &limit));
	TELL(pwrite(fd, buf, sizeof(buf), 9 * PAGE));
	TELL(pwrite(fd, buf, sizeof(buf), 10 * PAGE));
	TELL(ftruncate(fd, 11 * PAGE));
	TELL(fallocate(fd, 0, 0, 11 * PAGE));
	TELL(truncate("file", 10 * PAGE));
	note("signals: %d", signals);
}

void run_sizes(void)
{
	static const off_t ends[] = { 1L << 31, 1L << 32, 1L << 43, 1L << 44,
		(1L << 44) - PAGE, 1L << 62, 0x7fffffffffffffff };
	struct statvfs vfs;
	struct statx x;
	int fd = make_file("file", 10), i, size;
	struct stat st;
	char c = 'x';

	for (i = 0; i < (int)ARRAY_SIZE(ends); i++) {
		note("%lx", ends[i]);
		TELL(ftruncate(fd, ends[i]));
		TELL(pwrite(fd, &c, 1, ends[i] - 1));
		TELL(pwrite(fd, &c, 1, ends[i]));
		MUST(fstat(fd, &st));
		note("size %lx", st.st_size);
		TELL(lseek(fd, -1, SEEK_END));
		TELL(fallocate(fd, 0, ends[i], PAGE));
		TELL(ftruncate(fd, 0));
	}
	TELL(ftruncate(fd, -1));
	TELL(lseek(fd, -1, SEEK_SET));
	TELL(lseek(fd, 0, SEEK_DATA));
	TELL(lseek(fd, 0, SEEK_HOLE));
	TELL(lseek(fd, 0, 77));
	TELL(pread(fd, &c, 1, -1));
	TELL(fallocate(fd, 0, 0, 0));
	TELL(fallocate(fd, 0, -1, 1));
	TELL(fallocate(fd, 0x4000, 0, 1));
	TELL(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE));
	TELL(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 100));
	TELL(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, PAGE));
	in_child(limited);

	MUST(fstatvfs(fd, &vfs));
	note("block %lu, fragment %lu, name %lu", vfs.f_bsize, vfs.f_frsize,
	     vfs.f_namemax);
	MUST(fstat(fd, &st));
	note("block %ld", (long)st.st_blksize);
	TELL(ioctl(fd, FIGETBSZ, &size));
	note("%d", size);
	TELL(ioctl(fd, FIOQSIZE, &st.st_size));
	TELL(statx(fd, "", AT_EMPTY_PATH, STATX_ALL | STATX_BTIME | STATX_DIOALIGN,
		   &x));
	note("mask %x, attributes %llx of %llx, alignment %u, %u", x.stx_mask,
	     (unsigned long long)x.stx_attributes,
	     (unsigned long long)x.stx_attributes_mask, x.stx_dio_mem_align,
	     x.stx_dio_offset_align);
	close(fd);
}

/* --- The mount seen through bind mounts, read-only mounts and the like. */

static void read_only(void)
{
	int fd;

	TELL_FD(open("view/file", O_RDONLY));
	TELL_FD(open("view/file", O_WRONLY));
	TELL_FD(open("view/new", O_CREAT | O_WRONLY, 0644));
	TELL_FD(open("view", O_TMPFILE | O_WRONLY, 0644));
	TELL(mkdir("view/dir", 0755));
	TELL(unlink("view/file"));
	TELL(rename("view/file", "view/other"));
	TELL(chmod("view/file", 0600));
	TELL(truncate("view/file", 0));
	TELL(utimensat(AT_FDCWD, "view/file", NULL, 0));
	TELL(access("view/file", W_OK));
	fd = MUST(open("view/file", O_RDONLY));
	TELL(ioctl(fd, FS_IOC_SETFLAGS, &(int){ FS_NODUMP_FL }));
	close(fd);
}

void run_views(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	struct statfs fs;
	int fd, tree;

	MUST(mkdir("dir", 0755));
	MUST(mkdir("view", 0755));
	close(make_file("dir/file", 10));
	TELL(unshare(CLONE_NEWNS));
	TELL(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	TELL(mount("dir", "view", NULL, MS_BIND, NULL));
	TELL(rename("dir/file", "view/moved"));
	TELL(rename("dir/file", "dir/file"));
	TELL(link("dir/file", "view/linked"));
	TELL(rmdir("view"));
	TELL(mount(NULL, "view", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	read_only();
	TELL(umount("view"));
	tree = TELL_FD(syscall(SYS_open_tree, AT_FDCWD, "dir",
			       OPEN_TREE_CLONE | O_CLOEXEC));
	TELL(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr,
		     sizeof(attr)));
	TELL(syscall(SYS_move_mount, tree, "", AT_FDCWD, "view",
		     MOVE_MOUNT_F_EMPTY_PATH));
	read_only();

	/* Detached while a file is open. */
	fd = MUST(open("view/file", O_RDONLY));
	TELL(umount("view"));
	TELL(umount2("view", MNT_DETACH));
	TELL(read(fd, &attr, 4));
	TELL(fstatfs(fd, &fs));
	close(fd);
	close(tree);
	TELL(umount2("view", 0));
	TELL(chroot("dir"));
	TELL(access("/file", F_OK));
	TELL(access("/../file", F_OK));
}

/* --- A full device. */

static sigjmp_buf jump;

static void on_bus(int sig)
{
	siglongjmp(jump, sig);
}

static void store_into_hole(void)
{
	struct sigaction act = { .sa_handler = on_bus };
	int fd = MUST(open("sparse", O_RDWR)), sig;
	volatile char *map = MUST(mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE,
				       MAP_SHARED, fd, 0));
	size_t i;

	sigaction(SIGBUS, &act, NULL);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		for (i = 0; i < 64 * MIB; i += PAGE)
			map[i] = 1;
	note("store: signal %d", sig);
	munmap((void *)map, 64 * MIB);
	close(fd);
}

static long fill(int fd, char *buf, size_t len)
{
	long ret;

	do
		ret = write(fd, buf, len);
	while (ret > 0);
	return ret;
}

void run_full(void)
{
	char *buf = dxs_alloc(MIB);
	struct statvfs vfs;
	int fd, small;

	MUST(statvfs(".", &vfs));
	close(make_file("sparse", 0));
	MUST(truncate("sparse", 64 * MIB));
	small = make_file("small", 10);
	fd = MUST(open("big", O_RDWR | O_CREAT, 0644));
	TELL(fallocate(fd, 0, 0, 2 * (off_t)vfs.f_blocks * vfs.f_frsize));
	TELL(ftruncate(fd, 0));
	memset(buf, 'x', MIB);
	TELL(fill(fd, buf, MIB));
	TELL(fill(fd, buf, PAGE));
	TELL(fsync(fd));
	TELL(fill(fd, buf, PAGE));
	store_into_hole();
	TELL(pwrite(small, buf, 64 * PAGE, 64 * PAGE) < (ssize_t)(64 * PAGE));
	TELL(fallocate(small, 0, 0, 4 * MIB));
	TELL(pwrite(small, "y", 1, 0));
	TELL(unlink("big"));
	TELL(fsync(small));
	close(fd);
	TELL(pwrite(small, buf, 64 * PAGE, 64 * PAGE));
	TELL(fsync(small));
	store_into_hole();
	close(small);
	free(buf);
}
