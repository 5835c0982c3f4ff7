// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everyday operations: names, attributes, data calls, in both modes. Asserts
 * that each has the result that the lower filesystem gives, or is refused if
 * the stack does not support it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "dxs_test.h"

#define NOBODY	65534

static int make(const char *path)
{
	return MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
}

static ino_t ino(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_ino;
}

static long nlink_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? -1 : (long)st.st_nlink;
}

static off_t size_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? -1 : st.st_size;
}

/* --- Names. The working directory is the stack. */

static void test_create(void)
{
	struct stat st;
	char buf[32] = "";
	ino_t was;
	int fd;

	fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0640);
	dxs_ok(fd >= 0, "create");
	close(fd);
	MUST(stat("a", &st));
	dxs_is(S_IFREG | 0640, st.st_mode, "create: mode");
	dxs_errno(EEXIST, ERR(open("a", O_RDWR | O_CREAT | O_EXCL, 0640)),
		  "O_EXCL of an existing file");
	dxs_errno(ENOENT, ERR(open("none", O_RDWR)), "open of an absent name");

	dxs_errno(0, ERR(mkdir("dir", 0751)), "mkdir");
	MUST(stat("dir", &st));
	dxs_is(S_IFDIR | 0751, st.st_mode, "mkdir: mode");
	dxs_errno(EEXIST, ERR(mkdir("dir", 0751)), "mkdir of an existing name");
	dxs_errno(0, ERR(mkfifo("fifo", 0600)), "mkfifo");
	dxs_errno(0, ERR(mknod("null", S_IFCHR | 0666, makedev(1, 3))),
		  "mknod of a device");
	MUST(stat("null", &st));
	dxs_is(makedev(1, 3), st.st_rdev, "mknod: device number");
	fd = MUST(open("null", O_RDWR));
	dxs_is(5, write(fd, "hello", 5), "the device node works");
	close(fd);

	dxs_errno(0, ERR(symlink("a", "sym")), "symlink");
	dxs_is(1, readlink("sym", buf, sizeof(buf)), "readlink: length");
	dxs_str("a", buf, "readlink");
	dxs_is(ino("a"), (MUST(stat("sym", &st)), st.st_ino), "follow a symlink");
	dxs_errno(ELOOP, ERR(open("sym", O_RDONLY | O_NOFOLLOW)),
		  "O_NOFOLLOW of a symlink");

	dxs_errno(0, ERR(link("a", "b")), "link");
	dxs_is(2, nlink_of("a"), "link: nlink");
	dxs_is(ino("a"), ino("b"), "link: the same inode");
	dxs_errno(EEXIST, ERR(link("a", "dir")), "link to an existing name");
	was = ino("a");
	dxs_errno(0, ERR(rename("a", "c")), "rename");
	dxs_is(was, ino("c"), "rename: the same inode");
	dxs_errno(ENOENT, ERR(access("a", F_OK)), "rename: old name is gone");
	dxs_errno(EEXIST, ERR(renameat2(AT_FDCWD, "c", AT_FDCWD, "dir",
					RENAME_NOREPLACE)),
		  "rename NOREPLACE: target exists");
	dxs_errno(0, ERR(renameat2(AT_FDCWD, "c", AT_FDCWD, "dir/c",
				   RENAME_NOREPLACE)),
		  "rename NOREPLACE into a directory");
	dxs_errno(0, ERR(renameat2(AT_FDCWD, "dir/c", AT_FDCWD, "fifo",
				   RENAME_EXCHANGE)), "rename EXCHANGE");
	dxs_is(was, ino("fifo"), "rename EXCHANGE: first name");
	MUST(lstat("dir/c", &st));
	dxs_ok(S_ISFIFO(st.st_mode), "rename EXCHANGE: second name");
	dxs_errno(0, ERR(rename("fifo", "null")), "rename over a file");
	dxs_is(was, ino("null"),
	       "rename over a file: the target has the inode");
	dxs_errno(EINVAL, ERR(rename("dir", "dir/in")),
		  "rename into itself");

	dxs_errno(0, ERR(unlink("b")), "unlink");
	dxs_is(1, nlink_of("null"), "unlink: nlink");
	dxs_errno(ENOTEMPTY, ERR(rmdir("dir")),
		  "rmdir of a non-empty directory");
	dxs_errno(EISDIR, ERR(unlink("dir")), "unlink of a directory");
	MUST(unlink("dir/c"));
	dxs_errno(0, ERR(rmdir("dir")), "rmdir");
	MUST(unlink("null"));
	MUST(unlink("sym"));
}

static void test_readdir(void)
{
	char path[64];
	bool seen[200] = { false };
	int i, n = 0, dots = 0, after = 0;
	struct dirent *entry;
	long where = -1;
	DIR *dir;

	MUST(mkdir("many", 0755));
	for (i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "many/a name that takes some room %d",
			 i);
		close(make(path));
	}
	dir = opendir("many");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.') {
			dots++;
			continue;
		}
		i = atoi(strrchr(entry->d_name, ' '));
		if (seen[i] || entry->d_type != DT_REG)
			dxs_diag("'%s' appears twice, or its type is wrong",
				 entry->d_name);
		else
			n++;
		seen[i] = true;
		if (n == 100)
			where = telldir(dir);
	}
	dxs_is(200, n, "readdir: 200 names, each once");
	dxs_is(2, dots, "readdir: . and ..");
	seekdir(dir, where);
	while ((entry = readdir(dir)))
		after += entry->d_name[0] != '.';
	/* Names that start with a dot may come anywhere. */
	dxs_is(100, after, "seekdir: the second half repeats");
	rewinddir(dir);
	for (n = 0; readdir(dir); n++)
		;
	dxs_is(202, n, "rewinddir: all names repeat");
	closedir(dir);
	for (i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "many/a name that takes some room %d",
			 i);
		MUST(unlink(path));
	}
	dxs_errno(0, ERR(rmdir("many")),
		  "readdir: the directory can be removed");
}

static void test_tmpfile(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	char path[64], buf[6] = "";

	if (!dxs_ok(fd >= 0, "O_TMPFILE"))
		return;
	dxs_pwrite(fd, "hello", 6, 0);
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 0, NULL),
		  "O_TMPFILE: switches");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	dxs_errno(0, ERR(linkat(AT_FDCWD, path, AT_FDCWD, "named",
				AT_SYMLINK_FOLLOW)), "O_TMPFILE: linkat");
	close(fd);
	fd = MUST(open("named", O_RDONLY));
	dxs_pread(fd, buf, 6, 0);
	dxs_str("hello", buf, "O_TMPFILE: contents");
	close(fd);
	MUST(unlink("named"));
}

static void test_unlinked(int mode)
{
	int fd = make("gone");
	uint8_t buf[100], seen[100], *map;

	dxs_to(fd, mode, "unlinked");
	dxs_fill(buf, 100, 3, 0);
	dxs_pwrite(fd, buf, 100, 0);
	MUST(unlink("gone"));
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	dxs_pread(fd, seen, 100, 0);
	dxs_ok(dxs_same(buf, seen, 100, 0, "unlinked") &&
	       dxs_same(buf, map, 100, 0, "unlinked, mapped"),
	       "unlinked but open, %s: usable", dxs_mode_name(mode));
	dxs_errno(0, dxs_switch(fd, !mode, 0, NULL),
		  "unlinked but open, %s: switches", dxs_mode_name(mode));
	close(fd);
	map[0]++;
	dxs_ok(!memcmp(map + 1, buf + 1, 99) && map[0] == (uint8_t)(buf[0] + 1),
	       "unlinked, closed but mapped, %s: usable", dxs_mode_name(mode));
	MUST(munmap(map, PAGE));
}

/* --- Attributes. */

static void test_attributes(void)
{
	struct timespec times[2] = { { 1000000000, 123456789 },
				     { 1100000000, 987654321 } };
	char list[256], value[64] = "";
	struct stat st;
	struct statfs sfs;
	int fd = make("attr");
	ssize_t n;

	dxs_errno(0, ERR(fchmod(fd, 06755)), "fchmod");
	MUST(stat("attr", &st));
	dxs_is(06755, st.st_mode & 07777, "fchmod: mode");
	dxs_errno(0, ERR(chown("attr", 12, 34)), "chown");
	MUST(stat("attr", &st));
	dxs_is(12, st.st_uid, "chown: uid");
	dxs_is(34, st.st_gid, "chown: gid");
	dxs_is(0755, st.st_mode & 07777, "chown: clears setuid");
	MUST(chmod("attr", 06755));
	MUST(setegid(NOBODY));
	MUST(chmod("attr", 06777));
	MUST(seteuid(NOBODY));
	MUST(close(MUST(open("attr", O_WRONLY | O_TRUNC))));
	MUST(seteuid(0));
	MUST(setegid(0));
	MUST(stat("attr", &st));
	dxs_is(0777, st.st_mode & 07777, "O_TRUNC: clears setuid");
	dxs_errno(0, ERR(utimensat(AT_FDCWD, "attr", times, 0)), "utimensat");
	MUST(stat("attr", &st));
	dxs_is(123456789, st.st_atim.tv_nsec, "utimensat: atime, ns");
	dxs_is(1100000000, st.st_mtim.tv_sec, "utimensat: mtime, s");
	dxs_is(987654321, st.st_mtim.tv_nsec, "utimensat: mtime, ns");
	dxs_pwrite(fd, "hello", 5, 0);
	MUST(fstat(fd, &st));
	dxs_ok(st.st_mtim.tv_sec > 1100000000, "a write updates mtime");

	dxs_errno(0, ERR(ftruncate(fd, 100000)), "ftruncate up");
	dxs_is(100000, size_of("attr"), "ftruncate up: size");
	dxs_errno(0, ERR(truncate("attr", 3)), "truncate down, by path");
	dxs_is(3, size_of("attr"), "truncate down: size");
	n = pread(fd, value, sizeof(value), 0);
	dxs_ok(n == 3 && !memcmp(value, "hel", 3), "truncate down: contents");
	dxs_errno(EINVAL, ERR(ftruncate(fd, -1)), "ftruncate to -1");
	/* XFS accepts any size. */
	dxs_errno(dxs_on_xfs() ? 0 : EFBIG, ERR(ftruncate(fd, INT64_MAX)),
		  "ftruncate, too large");
	MUST(ftruncate(fd, 3));

	dxs_errno(0, ERR(setxattr("attr", "user.a", "one", 3, 0)),
		  "setxattr user.");
	dxs_errno(0, ERR(fsetxattr(fd, "trusted.b", "two", 3, 0)),
		  "setxattr trusted.");
	dxs_errno(EEXIST, ERR(setxattr("attr", "user.a", "x", 1, XATTR_CREATE)),
		  "setxattr XATTR_CREATE");
	memset(value, 0, sizeof(value));
	dxs_is(3, getxattr("attr", "user.a", value, sizeof(value)), "getxattr");
	dxs_str("one", value, "getxattr: value");
	n = listxattr("attr", list, sizeof(list));
	dxs_ok(n > 0 && memmem(list, n, "user.a", 7) &&
	       memmem(list, n, "trusted.b", 10), "listxattr");
	dxs_errno(0, ERR(removexattr("attr", "user.a")), "removexattr");
	dxs_errno(ENODATA, ERR(getxattr("attr", "user.a", value, 9)),
		  "removexattr: gone");
	dxs_errno(EOPNOTSUPP, ERR(setxattr("attr", "nonsense.a", "x", 1, 0)),
		  "setxattr of an unknown namespace");

	MUST(fstatfs(fd, &sfs));
	dxs_is(DAXSTACK_SUPER_MAGIC, sfs.f_type, "statfs: f_type");
	dxs_ok(sfs.f_blocks && sfs.f_bfree < sfs.f_blocks && sfs.f_files,
	       "statfs: counts");
	close(fd);
}

static void test_sync(void)
{
	int fd = make("sync"), dir = MUST(open(".", O_RDONLY));

	dxs_pwrite(fd, "hello", 5, 0);
	dxs_errno(0, ERR(fsync(fd)), "fsync of a file");
	dxs_errno(0, ERR(fdatasync(fd)), "fdatasync of a file");
	dxs_errno(0, ERR(fsync(dir)), "fsync of a directory");
	dxs_errno(0, ERR(syncfs(fd)), "syncfs");
	dxs_errno(0, ERR(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE)),
		  "sync_file_range");
	close(dir);
	close(fd);
}

static void test_permission(void)
{
	int fd = make("private");
	struct stat st;

	MUST(fchmod(fd, 0600));
	close(fd);
	MUST(mkdir("closed", 0700));
	MUST(seteuid(NOBODY));
	dxs_errno(EACCES, ERR(open("private", O_RDONLY)),
		  "user nobody cannot read a private file");
	dxs_errno(EACCES, ERR(open("new", O_WRONLY | O_CREAT, 0644)),
		  "user nobody cannot create in root's directory");
	dxs_errno(EACCES, ERR(stat("closed/x", &st)),
		  "user nobody cannot enter a private directory");
	dxs_errno(EACCES, ERR(open("closed", O_RDONLY | O_DIRECTORY)),
		  "user nobody cannot list a private directory");
	dxs_errno(EACCES, ERR(unlink("private")),
		  "user nobody cannot unlink root's file");
	dxs_errno(EPERM, ERR(chmod("private", 0777)),
		  "user nobody cannot chmod root's file");
	dxs_errno(EPERM, ERR(chown("private", NOBODY, -1)),
		  "user nobody cannot chown root's file");
	MUST(seteuid(0));
	MUST(chmod("private", 0644));
	MUST(seteuid(NOBODY));
	fd = open("private", O_RDONLY);
	dxs_ok(fd >= 0, "user nobody can read a readable file");
	close(fd);
	dxs_errno(EACCES, ERR(open("private", O_RDWR)),
		  "user nobody cannot open a private file O_RDWR");
	MUST(seteuid(0));
	MUST(unlink("private"));
	MUST(rmdir("closed"));
}

/* --- Data calls, each in both modes. */

static void test_fallocate(int mode)
{
	const char *m = dxs_mode_name(mode);
	uint8_t *image = dxs_alloc(64 * PAGE), *buf = dxs_alloc(64 * PAGE);
	int fd = make("alloc");
	struct stat st;

	dxs_to(fd, mode, "fallocate");
	dxs_errno(0, ERR(fallocate(fd, 0, 0, 32 * PAGE)), "%s: fallocate", m);
	dxs_is(32 * PAGE, size_of("alloc"), "%s: fallocate: size", m);
	dxs_errno(0, ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 64 * PAGE)),
		  "%s: fallocate KEEP_SIZE", m);
	MUST(fstat(fd, &st));
	dxs_is(32 * PAGE, st.st_size, "%s: fallocate KEEP_SIZE: size", m);
	dxs_ok(st.st_blocks * 512 >= 64 * PAGE,
	       "%s: fallocate KEEP_SIZE: blocks", m);
	dxs_pread(fd, buf, 32 * PAGE, 0);
	dxs_ok(dxs_same(image, buf, 32 * PAGE, 0, "fallocate"),
	       "%s: fallocate: reads 0", m);

	dxs_fill(image, 32 * PAGE, 5, 0);
	dxs_pwrite(fd, image, 32 * PAGE, 0);
	dxs_errno(0, ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, PAGE + 100,
				   3 * PAGE)), "%s: fallocate PUNCH_HOLE", m);
	memset(image + PAGE + 100, 0, 3 * PAGE);
	dxs_errno(0, ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, 10 * PAGE + 1,
				   PAGE)), "%s: fallocate ZERO_RANGE", m);
	memset(image + 10 * PAGE + 1, 0, PAGE);
	dxs_errno(0, ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 20 * PAGE,
				   4 * PAGE)), "%s: fallocate COLLAPSE_RANGE", m);
	memmove(image + 20 * PAGE, image + 24 * PAGE, 8 * PAGE);
	dxs_is(28 * PAGE, size_of("alloc"), "%s: COLLAPSE_RANGE: size", m);
	dxs_errno(0, ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, 2 * PAGE,
				   2 * PAGE)), "%s: fallocate INSERT_RANGE", m);
	memmove(image + 4 * PAGE, image + 2 * PAGE, 26 * PAGE);
	memset(image + 2 * PAGE, 0, 2 * PAGE);
	dxs_pread(fd, buf, 30 * PAGE, 0);
	dxs_ok(dxs_same(image, buf, 30 * PAGE, 0, "fallocate"),
	       "%s: fallocate: contents", m);
	dxs_errno(EOPNOTSUPP, ERR(fallocate(fd, 0x4000, 0, PAGE)),
		  "%s: fallocate of an unknown mode", m);
	close(fd);
	free(buf);
	free(image);
}

static void test_seek(int mode)
{
	const char *m = dxs_mode_name(mode);
	int fd = make("seek");

	dxs_to(fd, mode, "seek");
	MUST(ftruncate(fd, 1 * MIB));
	dxs_pwrite(fd, "hello", 5, 256 * KIB);
	MUST(fsync(fd));
	dxs_is(256 * KIB, lseek(fd, 0, SEEK_DATA), "%s: SEEK_DATA", m);
	dxs_is(260 * KIB, lseek(fd, 256 * KIB, SEEK_HOLE), "%s: SEEK_HOLE", m);
	dxs_is(0, lseek(fd, 0, SEEK_HOLE), "%s: SEEK_HOLE in a hole", m);
	dxs_errno(ENXIO, ERR(lseek(fd, 512 * KIB, SEEK_DATA)),
		  "%s: SEEK_DATA after the last data", m);
	dxs_is(1 * MIB, lseek(fd, 0, SEEK_END), "%s: SEEK_END", m);
	dxs_is(1 * MIB - 5, lseek(fd, -5, SEEK_CUR), "%s: SEEK_CUR", m);
	dxs_errno(EINVAL, ERR(lseek(fd, -1, SEEK_SET)), "%s: seek to -1", m);
	close(fd);
}

static void test_fiemap(int mode)
{
	const char *m = dxs_mode_name(mode);
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + 4 * sizeof(struct fiemap_extent)];
	} all = { .map = { .fm_length = 1 * MIB, .fm_extent_count = 4,
			   .fm_flags = FIEMAP_FLAG_SYNC } };
	int fd = make("fiemap");
	uint8_t buf[2 * PAGE];

	dxs_to(fd, mode, "fiemap");
	dxs_fill(buf, sizeof(buf), 1, 0);
	dxs_pwrite(fd, buf, sizeof(buf), 16 * PAGE);
	dxs_errno(0, ERR(ioctl(fd, FS_IOC_FIEMAP, &all)), "%s: fiemap", m);
	dxs_is(1, all.map.fm_mapped_extents, "%s: fiemap: extents", m);
	dxs_is(16 * PAGE, all.map.fm_extents[0].fe_logical,
	       "%s: fiemap: logical", m);
	dxs_ok(all.map.fm_extents[0].fe_physical, "%s: fiemap: physical", m);
	dxs_ok(all.map.fm_extents[0].fe_flags & FIEMAP_EXTENT_LAST,
	       "%s: fiemap: last", m);
	close(fd);
}

static void test_calls(int mode)
{
	const char *m = dxs_mode_name(mode);
	static const int advice[] = {
		POSIX_FADV_NORMAL, POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
		POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE,
	};
	uint8_t buf[8 * PAGE], seen[8 * PAGE];
	int fd = make("calls"), other = make("other"), append, direct, ends[2];
	struct iovec iov[2] = { { seen, 1000 }, { seen + 1000, 3000 } };
	struct file_dedupe_range *range =
		calloc(1, sizeof(*range) + sizeof(range->info[0]));
	loff_t in = 100, out = 200;
	off_t pos = 0;
	ssize_t n;
	size_t i;
	int err = 0;

	dxs_to(fd, mode, "calls");
	dxs_to(other, mode, "calls");
	dxs_fill(buf, sizeof(buf), 2, 0);
	dxs_pwrite(fd, buf, sizeof(buf), 0);

	for (i = 0; i < ARRAY_SIZE(advice); i++)
		err |= posix_fadvise(fd, 0, 0, advice[i]);
	dxs_errno(0, err, "%s: posix_fadvise", m);
	dxs_errno(EINVAL, posix_fadvise(fd, 0, 0, 77),
		  "%s: posix_fadvise, unknown", m);
	dxs_errno(0, ERR(readahead(fd, 0, 8 * PAGE)), "%s: readahead", m);

	n = preadv(fd, iov, 2, 50);
	dxs_ok(n == 4000 && dxs_same(buf + 50, seen, 4000, 50, "preadv"),
	       "%s: preadv", m);
	n = preadv2(fd, iov, 2, 60, RWF_NOWAIT);
	dxs_ok((n == 4000 && dxs_same(buf + 60, seen, 4000, 60, "preadv2")) ||
	       (n == -1 && (errno == EAGAIN || errno == EOPNOTSUPP)),
	       "%s: preadv2 RWF_NOWAIT", m);
	n = pread(fd, seen, PAGE, 8 * PAGE);
	dxs_is(0, n, "%s: pread at EOF", m);
	n = pread(fd, seen, PAGE, 8 * PAGE - 7);
	dxs_is(7, n, "%s: pread across EOF", m);

	append = MUST(open("calls", O_WRONLY | O_APPEND));
	MUST(lseek(append, 0, SEEK_SET));
	dxs_is(5, write(append, "hello", 5), "%s: O_APPEND", m);
	dxs_is(8 * PAGE + 5, size_of("calls"), "%s: O_APPEND: size", m);
	close(append);
	MUST(ftruncate(fd, 8 * PAGE));

	MUST(pipe(ends));
	in = 100;
	n = splice(fd, &in, ends[1], NULL, 5000, 0);
	dxs_is(5000, n, "%s: splice to a pipe", m);
	dxs_is(n, splice(ends[0], NULL, other, &out, n < 0 ? 0 : n, 0),
	       "%s: splice from a pipe", m);
	dxs_pread(other, seen, n, 200);
	dxs_ok(dxs_same(buf + 100, seen, n, 200, "splice"),
	       "%s: splice: contents",
	       m);
	direct = MUST(open("calls", O_RDONLY | O_DIRECT));
	MUST(fcntl(direct, F_SETFL, 0));
	in = 1;
	dxs_is(7, splice(direct, &in, ends[1], NULL, 7, 0),
	       "%s: splice after O_DIRECT was cleared", m);
	close(direct);
	close(ends[0]);
	close(ends[1]);

	MUST(ftruncate(other, 0));
	MUST(lseek(other, 0, SEEK_SET));
	dxs_is(8 * PAGE, sendfile(other, fd, &pos, 8 * PAGE), "%s: sendfile", m);
	dxs_pread(other, seen, 8 * PAGE, 0);
	dxs_ok(dxs_same(buf, seen, 8 * PAGE, 0, "sendfile"),
	       "%s: sendfile: contents", m);

	in = 77;
	out = 3 * PAGE;
	dxs_is(9000, copy_file_range(fd, &in, other, &out, 9000, 0),
	       "%s: copy_file_range", m);
	dxs_pread(other, seen, 9000, 3 * PAGE);
	dxs_ok(dxs_same(buf + 77, seen, 9000, 3 * PAGE, "copy"),
	       "%s: copy_file_range: contents", m);

	dxs_errno(EOPNOTSUPP, ERR(ioctl(other, FICLONE, fd)), "%s: FICLONE", m);
	*range = (struct file_dedupe_range){
		.src_length = PAGE,
		.dest_count = 1,
	};
	range->info[0].dest_fd = other;
	dxs_errno(EOPNOTSUPP, ERR(ioctl(fd, FIDEDUPERANGE, range)),
		  "%s: FIDEDUPERANGE", m);
	free(range);
	close(other);
	close(fd);
	fd = MUST(open("calls", O_RDONLY));
	dxs_errno(EBADF, ERR(write(fd, "x", 1)),
		  "%s: write to a read-only descriptor", m);
	close(fd);
}

static sigjmp_buf caught;

static void on_bus(int sig)
{
	siglongjmp(caught, sig);
}

static void test_mmap(int mode)
{
	const char *m = dxs_mode_name(mode);
	struct sigaction action = { .sa_handler = on_bus }, old;
	uint8_t buf[2 * PAGE], seen[2 * PAGE];
	volatile uint8_t *map, *shared;
	int fd = make("map"), sig, reader;
	size_t i;

	dxs_to(fd, mode, "mmap");
	dxs_fill(buf, sizeof(buf), 4, 0);
	dxs_pwrite(fd, buf, sizeof(buf), 0);
	map = MUST(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
			0));
	shared = MUST(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fd, 0));
	map[10] = 0;
	dxs_pread(fd, seen, sizeof(seen), 0);
	dxs_ok(dxs_same(buf, seen, sizeof(seen), 0, "private"),
	       "%s: a private store does not reach the file", m);
	dxs_is(0, map[10], "%s: a private store is kept", m);
	shared[20] = 0;
	dxs_pread(fd, seen, 1, 20);
	dxs_is(0, seen[0], "%s: a shared store reaches the file", m);
	dxs_pwrite(fd, "x", 1, 30);
	dxs_is('x', shared[30], "%s: a write shows in the mapping", m);
	dxs_errno(0, ERR(msync((void *)shared, 2 * PAGE, MS_SYNC)),
		  "%s: msync", m);
	dxs_errno(0, ERR(madvise((void *)shared, PAGE, MADV_WILLNEED)),
		  "%s: MADV_WILLNEED", m);
	dxs_errno(0, ERR(madvise((void *)shared + PAGE, PAGE, MADV_REMOVE)),
		  "%s: MADV_REMOVE", m);
	for (i = PAGE; i < 2 * PAGE && !shared[i]; i++)
		;
	dxs_is(2 * PAGE, i, "%s: MADV_REMOVE leaves a hole", m);

	MUST(sigaction(SIGBUS, &action, &old));
	sig = sigsetjmp(caught, 1);
	if (!sig)
		sig = -shared[3 * PAGE];
	dxs_is(SIGBUS, sig, "%s: SIGBUS beyond EOF", m);
	MUST(ftruncate(fd, PAGE));
	sig = sigsetjmp(caught, 1);
	if (!sig) {
		shared[PAGE] = 1;
		sig = -1;
	}
	dxs_is(SIGBUS, sig, "%s: SIGBUS after a truncate", m);
	MUST(sigaction(SIGBUS, &old, NULL));
	munmap((void *)map, 2 * PAGE);
	munmap((void *)shared, 4 * PAGE);

	reader = MUST(open("map", O_RDONLY));
	dxs_errno(EACCES, ERR(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, reader,
				   0)),
		  "%s: no writable shared mapping of a read-only descriptor",
		  m);
	close(reader);
	close(fd);
}

static void test_exec(int mode)
{
	const char *m = dxs_mode_name(mode);
	const char *const run[] = { "./busybox", "true", NULL };
	char buf[65536];
	int from = open("/bin/busybox", O_RDONLY), fd;
	ssize_t n;

	if (from < 0) {
		dxs_skip("no /bin/busybox", "%s: exec", m);
		return;
	}
	fd = make("busybox");
	dxs_to(fd, mode, "exec");
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(fd, buf, n) != n)
			dxs_bail("write: %m");
	close(from);
	MUST(fchmod(fd, 0755));
	dxs_errno(ETXTBSY, ERR(execv(run[0], (char *const *)run)),
		  "%s: exec of a file open for writing", m);
	close(fd);
	dxs_is(0, dxs_run(run), "%s: exec", m);
	fd = MUST(open("busybox", O_RDONLY));
	dxs_errno(0, dxs_switch(fd, !mode, 0, NULL),
		  "%s: exec, then switch", m);
	dxs_is(0, dxs_run(run), "%s: exec after the switch", m);
	close(fd);
	MUST(unlink("busybox"));
}

/* --- Final state of the lower filesystem. */

static void test_lower(void)
{
	static const char *const names[] = { "attr", "seek", "calls", "map",
					     "alloc", "." };
	struct stat st[ARRAY_SIZE(names)], lower;
	char path[64], value[4] = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "stack/%s", names[i]);
		MUST(stat(path, &st[i]));
	}
	dxs_umount_stack();
	dxs_mount_lower();
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat *s = &st[i];

		snprintf(path, sizeof(path), "lower/%s", names[i]);
		MUST(stat(path, &lower));
		dxs_is(s->st_ino, lower.st_ino, "%s: inode number", path);
		dxs_is(s->st_mode, lower.st_mode, "%s: mode", path);
		dxs_is(s->st_uid, lower.st_uid, "%s: uid", path);
		dxs_is(s->st_size, lower.st_size, "%s: size", path);
		dxs_is(s->st_blksize, lower.st_blksize, "%s: blksize", path);
		dxs_is(s->st_nlink, lower.st_nlink, "%s: nlink", path);
		dxs_ok(!memcmp(&s->st_mtim, &lower.st_mtim, sizeof(lower.st_mtim)),
		       "%s: mtime", path);
		dxs_ok(!memcmp(&s->st_ctim, &lower.st_ctim, sizeof(lower.st_ctim)),
		       "%s: ctime", path);
	}
	dxs_is(3, getxattr("lower/attr", "trusted.b", value, 4),
	       "lower/attr: xattr");
	dxs_umount_lower();
	dxs_fsck();
}

int main(void)
{
	int mode;

	dxs_begin();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	MUST(chdir("stack"));
	test_create();
	test_readdir();
	test_tmpfile();
	test_attributes();
	test_sync();
	test_permission();
	for (mode = 0; mode < 2; mode++) {
		test_unlinked(mode);
		test_fallocate(mode);
		test_seek(mode);
		test_fiemap(mode);
		test_calls(mode);
		test_mmap(mode);
		test_exec(mode);
	}
	MUST(chdir(".."));
	test_lower();
	return dxs_done();
}
