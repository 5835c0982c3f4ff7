// SPDX-License-Identifier: GPL-2.0-only
/*
 * overlay: calls through an overlay, with their results line by line. The lower
 * layer has file, twin (a hard link of file2), file2, dir/in, dir/deep/in2,
 * link, gone; the upper layer has "mine".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "overlay.h"

static FILE *out;

#define TELL(call)	fprintf(out, "%s: %s\n", #call, strerror(ERR(call)))

static void tell_data(const char *name)
{
	uint32_t sum = 2166136261u;
	unsigned char buf[4096];
	int fd = open(name, O_RDONLY);
	long n, len = 0, i;

	if (fd < 0) {
		fprintf(out, "%s: open: %s\n", name, strerror(errno));
		return;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++)
			sum = (sum ^ buf[i]) * 16777619u;
		len += n;
	}
	fprintf(out, "%s: %ld bytes, %08x, %ld\n", name, len, sum, n);
	close(fd);
}

static void tell_stat(const char *name)
{
	struct stat st, top;

	if (lstat(name, &st)) {
		fprintf(out, "%s: %s\n", name, strerror(errno));
		return;
	}
	MUST(lstat(".", &top));
	fprintf(out, "%s: %o %u:%u links %lu rdev %u size %ld, dev as the root: %d\n",
		name, st.st_mode, st.st_uid, st.st_gid, (long)st.st_nlink,
		(unsigned int)st.st_rdev, S_ISDIR(st.st_mode) ? 0 : st.st_size,
		st.st_dev == top.st_dev);
	if (S_ISREG(st.st_mode))
		tell_data(name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void tell_tree(const char *dir)
{
	struct dirent **list;
	char path[4096];
	int n, i;

	n = scandir(dir, &list, NULL, by_name);
	fprintf(out, "%s: %d names\n", dir, n);
	for (i = 0; i < n; i++) {
		struct stat st;

		if (list[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		if (lstat(path, &st))
			st.st_ino = 0;
		fprintf(out, "%s: d_type %d, d_ino right: %d\n", path,
			list[i]->d_type, list[i]->d_ino == st.st_ino);
		tell_stat(path);
		if (list[i]->d_type == DT_DIR)
			tell_tree(path);
	}
}

/*
 * Prints a whiteout, or another file of a layer. Layers on the tmpfs print
 * nothing.
 */
static void tell_upper(const char *layers, const char *name)
{
	char path[4096], value[16] = "";
	struct stat st;

	snprintf(path, sizeof(path), "%s/u/%s", layers, name);
	if (lstat(path, &st)) {
		fprintf(out, "upper %s: %s\n", name, strerror(errno));
		return;
	}
	lgetxattr(path, "trusted.overlay.opaque", value, sizeof(value) - 1);
	fprintf(out, "upper %s: %o %u:%u, opaque '%s'\n", name, st.st_mode,
		major(st.st_rdev), minor(st.st_rdev), value);
}

static void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	fprintf(out, "put %s: %s\n", name, strerror(ERR(fd)));
	if (fd >= 0) {
		TELL(write(fd, text, strlen(text)));
		close(fd);
	}
}

/* H71: the name by which a file was found first is gone, others remain. */
static void tell_links(void)
{
	char proc[64];
	int fd;

	put("l1", "one");
	TELL(link("l1", "l2"));
	TELL(link("l1", "l3"));
	put("other", "other");
	TELL(rename("other", "l1"));
	tell_stat("l1");
	tell_stat("l2");
	put("l3", "three");
	tell_stat("l2");
	TELL(unlink("l2"));
	tell_stat("l3");

	put("m1", "one");
	TELL(link("m1", "m2"));
	TELL(unlink("m1"));
	tell_stat("m2");
	TELL(link("m2", "m3"));
	TELL(rename("m3", "m4"));
	tell_stat("m2");

	fd = open(".", O_TMPFILE | O_RDWR, 0644);
	fprintf(out, "O_TMPFILE: %s\n", strerror(ERR(fd)));
	if (fd >= 0) {
		TELL(write(fd, "tmp", 3));
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		TELL(linkat(AT_FDCWD, proc, AT_FDCWD, "t1", AT_SYMLINK_FOLLOW));
		tell_stat("t1");
		TELL(link("t1", "t2"));
		close(fd);
		tell_stat("t1");
		tell_stat("t2");
	}

	/* The same with a file that is copied up. */
	TELL(truncate("twin", 5));
	tell_stat("twin");
	put("other", "other");
	TELL(rename("other", "twin"));
	tell_stat("twin");
	tell_stat("file2");
}

static void tell_names(const char *layers)
{
	TELL(mkdir("new", 0751));
	TELL(mkfifo("new/fifo", 0600));
	TELL(symlink("../file", "new/link"));
	TELL(mknod("new/null", S_IFCHR | 0600, makedev(1, 3)));
	put("new/x", "x");
	TELL(rename("new/x", "new/y"));
	TELL(renameat2(AT_FDCWD, "new/y", AT_FDCWD, "file", RENAME_NOREPLACE));
	TELL(renameat2(AT_FDCWD, "new/y", AT_FDCWD, "mine", RENAME_EXCHANGE));
	TELL(rename("new", "newer"));
	TELL(rename("newer/link", "dir/link"));

	TELL(unlink("gone"));
	tell_upper(layers, "gone");
	put("gone", "back");
	TELL(unlink("gone"));
	TELL(mkdir("gone", 0755));
	tell_upper(layers, "gone");
	TELL(rmdir("dir"));
	TELL(rename("dir/deep", "dir/deeper"));
	TELL(rename("dir", "moved"));
	TELL(rename("dir/in", "in"));
	tell_upper(layers, "dir/in");
	TELL(rename("file", "file-moved"));
	tell_upper(layers, "file");
	TELL(rename("file-moved", "file"));
}

static void tell_attrs(void)
{
	static const unsigned char acl[] = {
		2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255,
		2, 0, 4, 0, 17, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
		16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
	};
	const struct timespec times[2] = { { 1, 2 }, { 3, 4 } };
	char value[64] = "";
	struct stat st;
	int fd, flags = 0;

	TELL(chmod("file", 04755));
	TELL(chown("file", 12, 34));
	tell_stat("file");
	TELL(utimensat(AT_FDCWD, "file", times, 0));
	MUST(stat("file", &st));
	fprintf(out, "mtime %ld.%ld\n", st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	TELL(setxattr("file", "user.a", "value", 5, 0));
	TELL(setxattr("file", "user.a", "value", 5, XATTR_CREATE));
	TELL(setxattr("file", "trusted.a", "value", 5, 0));
	TELL(setxattr("file", "trusted.overlay.opaque", "y", 1, 0));
	TELL(getxattr("file", "trusted.overlay.origin", value, sizeof(value)));
	TELL(setxattr("file", "system.posix_acl_access", acl, sizeof(acl), 0));
	memset(value, 0, sizeof(value));
	fprintf(out, "acl: %zd bytes\n",
		getxattr("file", "system.posix_acl_access", value, sizeof(value)));
	TELL(removexattr("file", "user.a"));
	TELL(getxattr("file", "user.a", value, sizeof(value)));

	fd = MUST(open("file", O_RDONLY));
	TELL(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	fprintf(out, "flags %x\n", flags & (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NOATIME_FL));
	flags |= FS_IMMUTABLE_FL;
	TELL(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	TELL(open("file", O_WRONLY));
	TELL(unlink("file"));
	flags &= ~FS_IMMUTABLE_FL;
	flags |= FS_APPEND_FL;
	TELL(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	TELL(truncate("file", 1));
	flags &= ~FS_APPEND_FL;
	TELL(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
	TELL(flock(fd, LOCK_EX));
	close(fd);
}

static void tell_io(void)
{
	char *page = dxs_alloc(PAGE);
	struct statfs sfs;
	int fd, from;
	loff_t pos = 0;
	char *map;

	fd = open("file", O_RDWR);
	fprintf(out, "open: %s\n", strerror(ERR(fd)));
	if (fd < 0)
		return;
	dxs_fill(page, PAGE, 7, 0);
	TELL(pwrite(fd, "hello", 5, 3 * PAGE + 1));
	TELL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 300));
	TELL(fallocate(fd, FALLOC_FL_ZERO_RANGE, PAGE, 2 * PAGE));
	TELL(fallocate(fd, 0, 0, 16 * PAGE));
	TELL(ftruncate(fd, 20 * PAGE + 11));
	from = MUST(open("file2", O_RDONLY));
	TELL(copy_file_range(from, &pos, fd, NULL, 1000, 0));
	pos = 17;
	TELL(sendfile(fd, from, &pos, 1000));
	close(from);
	TELL(lseek(fd, -5, SEEK_END));
	map = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	fprintf(out, "mmap: %s\n", strerror(ERR(map)));
	if (map != MAP_FAILED) {
		memcpy(map + 5 * PAGE, page, PAGE);
		TELL(msync(map, 8 * PAGE, MS_SYNC));
		TELL(madvise(map, 8 * PAGE, MADV_DONTNEED));
		TELL(madvise(map + PAGE, PAGE, MADV_REMOVE));
		dxs_same(page, map + 5 * PAGE, PAGE, 0, "the mapping");
		munmap(map, 8 * PAGE);
	}
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	fprintf(out, "MAP_SYNC: %s\n", strerror(ERR(map)));
	TELL(fcntl(fd, F_SETFL, O_DIRECT));
	TELL(pwrite(fd, page, PAGE, 4 * PAGE));
	TELL(pread(fd, page, PAGE, 5 * PAGE));
	TELL(fcntl(fd, F_SETFL, O_APPEND));
	TELL(write(fd, "end", 3));
	TELL(fsync(fd));
	TELL(fdatasync(fd));
	TELL(syncfs(fd));
	TELL(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	close(fd);
	free(page);
	tell_stat("file");
	MUST(statfs(".", &sfs));
	fprintf(out, "f_type %lx\n", (long)sfs.f_type);
}

static void tell_watched(void)
{
	char buf[4096];
	struct inotify_event *e;
	int fd = MUST(inotify_init1(IN_NONBLOCK));
	ssize_t n, at;

	MUST(inotify_add_watch(fd, ".", IN_CREATE | IN_MODIFY | IN_DELETE |
			       IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB));
	put("watched", "text");
	TELL(chmod("watched", 0600));
	TELL(rename("watched", "seen"));
	TELL(unlink("seen"));
	n = read(fd, buf, sizeof(buf));
	for (at = 0; at < n; at += sizeof(*e) + e->len) {
		e = (void *)(buf + at);
		fprintf(out, "event %x %s\n", e->mask, e->len ? e->name : "");
	}
	close(fd);
}

static void tell_handles(void)
{
	struct {
		struct file_handle h;
		char data[MAX_HANDLE_SZ];
	} handle = { .h.handle_bytes = MAX_HANDLE_SZ };
	int top = MUST(open(".", O_RDONLY)), mount_id, fd;
	char c = 0;

	TELL(name_to_handle_at(AT_FDCWD, "file2", &handle.h, &mount_id, 0));
	fd = open_by_handle_at(top, &handle.h, O_RDONLY);
	fprintf(out, "by handle: %s\n", strerror(ERR(fd)));
	if (fd >= 0) {
		TELL(read(fd, &c, 1));
		close(fd);
	}
	close(top);
}

char *tell_all(const char *layers)
{
	struct stat before, after;
	char *text = NULL;
	size_t size;

	out = open_memstream(&text, &size);
	tell_tree(".");
	/* The inode number is unchanged by copy-up. */
	MUST(stat("file", &before));
	put("file", "copied up");
	MUST(stat("file", &after));
	fprintf(out, "file: the same number: %d, device: %d\n",
		before.st_ino == after.st_ino, before.st_dev == after.st_dev);
	tell_io();
	tell_attrs();
	tell_links();
	tell_names(layers);
	tell_watched();
	tell_handles();
	TELL(DXS_RUN("cp", "/usr/bin/true", "program"));
	TELL(DXS_RUN("./program"));
	tell_tree(".");
	fclose(out);
	return text;
}
