// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: timestamps, and which calls update them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "parity.h"

/* Long ago, so that any update is visible. */
#define LONG_AGO	1000000000

static void age(const char *name)
{
	const struct timespec times[2] = { { LONG_AGO, 1 }, { LONG_AGO, 2 } };

	MUST(utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW));
	/* So that a later ctime differs from the one set here. */
	next_tick();
}

static struct stat before;

static void begin(const char *name)
{
	age(name);
	MUST(lstat(name, &before));
}

static bool differ(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec || a->tv_nsec != b->tv_nsec;
}

static void renewed(const char *call, const char *name)
{
	struct stat st;

	MUST(lstat(name, &st));
	note("%s: %s renews%s%s%s", call, name,
	     differ(&st.st_atim, &before.st_atim) ? " atime" : "",
	     differ(&st.st_mtim, &before.st_mtim) ? " mtime" : "",
	     differ(&st.st_ctim, &before.st_ctim) ? " ctime" : "");
}

#define RENEWS(name, call) do {		\
	begin(name);			\
	call;				\
	renewed(#call, name);		\
} while (0)

static void read_all(const char *name)
{
	char buf[64];
	int fd = MUST(open(name, O_RDONLY));

	MUST(read(fd, buf, sizeof(buf)));
	close(fd);
}

static void list(const char *name)
{
	DIR *dir = opendir(name);

	while (readdir(dir))
		;
	closedir(dir);
}

static void store_one(const char *name)
{
	int fd = MUST(open(name, O_RDWR));
	char *map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0));

	map[0]++;
	munmap(map, PAGE);
	close(fd);
}

static void load_one(const char *name)
{
	int fd = MUST(open(name, O_RDWR));
	volatile char *map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));

	(void)map[0];
	munmap((void *)map, PAGE);
	close(fd);
}

static void send(const char *from, const char *to)
{
	int in = MUST(open(from, O_RDONLY));
	int out = MUST(open(to, O_WRONLY));

	MUST(sendfile(out, in, NULL, 10));
	close(in);
	close(out);
}

static void open_truncated(const char *name)
{
	close(MUST(open(name, O_WRONLY | O_TRUNC)));
}

static void reads(void)
{
	char buf[64];

	RENEWS("file", read_all("file"));
	RENEWS("file", load_one("file"));
	RENEWS("file", send("file", "other"));
	RENEWS("dir", list("dir"));
	RENEWS("link", readlink("link", buf, sizeof(buf)));
	RENEWS("dir", access("dir/file", F_OK));
}

static void to_and_fro(const char *from, const char *to)
{
	MUST(rename(from, to));
	MUST(rename(to, from));
}

/* Mount flags of the mount, and of the superblock. */
static void with_mount_flags(unsigned long bind, unsigned long whole,
			     const char *name)
{
	note("%s", name);
	if (whole)
		TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_RELATIME | whole,
			   NULL));
	TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | bind, NULL));
	reads();
	if (whole) {
		RENEWS("file", store_one("file"));
		RENEWS("file", chmod("file", 0600));
		TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_RELATIME, NULL));
	}
	TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_RELATIME, NULL));
}

/* From the first to the last time that can be stored, and beyond. */
static void extremes(void)
{
	static const long long seconds[] = { -9223372036854775807LL,
		-2147483649, -2147483648, -1, 0, 2147483647, 2147483648,
		4294967296, 15032385535, 15032385536, 16299260424, 16299260425,
		9223372036854775807LL };
	struct timespec times[2];
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(seconds); i++) {
		times[0] = (struct timespec){ seconds[i], 123456789 };
		times[1] = (struct timespec){ seconds[i], 999999999 };
		TELL(utimensat(AT_FDCWD, "file", times, 0));
		MUST(stat("file", &st));
		note("%lld: %lld.%09ld %lld.%09ld", seconds[i],
		     (long long)st.st_atime, st.st_atim.tv_nsec,
		     (long long)st.st_mtime, st.st_mtim.tv_nsec);
	}
}

static void not_mine(void)
{
	const struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	const struct timespec omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
	const struct timespec none[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	const struct timespec then[2] = { { 5, 0 }, { 5, 0 } };

	TELL(utimensat(AT_FDCWD, "file", then, 0));
	TELL(utimensat(AT_FDCWD, "file", now, 0));
	TELL(utimensat(AT_FDCWD, "file", omit, 0));
	TELL(utimensat(AT_FDCWD, "file", none, 0));
	TELL(utimensat(AT_FDCWD, "file", NULL, 0));
	TELL(utimensat(AT_FDCWD, "open to all", now, 0));
	TELL(utimensat(AT_FDCWD, "open to all", omit, 0));
	TELL(utimensat(AT_FDCWD, "open to all", then, 0));
}

void run_times(void)
{
	const struct timespec bad[2] = { { 0, 1000000000 }, { 0, 0 } };
	const struct timespec some[2] = { { 7, 77 }, { 0, UTIME_OMIT } };
	int fd = make_file("file", 2 * PAGE), other = make_file("other", PAGE);

	close(make_file("open to all", 10));
	MUST(chmod("open to all", 0666));
	MUST(mkdir("dir", 0755));
	close(make_file("dir/file", 10));
	MUST(symlink("file", "link"));

	TELL(utimensat(AT_FDCWD, "file", bad, 0));
	RENEWS("file", futimens(fd, some));
	extremes();
	as_user(NOBODY, not_mine);

	reads();
	with_mount_flags(MS_NOATIME, 0, "noatime");
	with_mount_flags(MS_NODIRATIME | MS_RELATIME, 0, "nodiratime");
	with_mount_flags(MS_STRICTATIME, 0, "strictatime");
	with_mount_flags(MS_STRICTATIME, MS_LAZYTIME, "lazytime");

	RENEWS("file", dxs_pwrite(fd, "x", 1, 0));
	RENEWS("file", TELL(pwrite(fd, "", 0, 0)));
	RENEWS("file", store_one("file"));
	RENEWS("file", send("other", "file"));
	RENEWS("other", TELL(copy_file_range(fd, NULL, other, NULL, 10, 0)));
	RENEWS("file", ftruncate(fd, 2 * PAGE));
	RENEWS("file", ftruncate(fd, PAGE));
	RENEWS("file", truncate("file", PAGE));
	RENEWS("file", truncate("file", 2 * PAGE));
	RENEWS("file", open_truncated("file"));
	RENEWS("file", open_truncated("file"));
	RENEWS("file", TELL(fallocate(fd, 0, 0, 4 * PAGE)));
	RENEWS("file", TELL(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, PAGE)));
	RENEWS("file", TELL(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				      FALLOC_FL_KEEP_SIZE, 0, PAGE)));
	RENEWS("file", TELL(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE)));
	RENEWS("file", TELL(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE)));
	RENEWS("file", chmod("file", 0644));
	RENEWS("file", chown("file", -1, -1));
	RENEWS("file", chown("file", 0, 0));
	RENEWS("file", setxattr("file", "user.a", "x", 1, 0));
	RENEWS("file", removexattr("file", "user.a"));
	RENEWS("file", link("file", "dir/hard"));
	RENEWS("dir", unlink("dir/hard"));
	RENEWS("file", to_and_fro("file", "dir/moved"));
	RENEWS("dir", to_and_fro("file", "dir/moved"));
	RENEWS("dir", to_and_fro("dir/file", "dir/moved"));
	RENEWS("dir", close(make_file("dir/new", 0)));
	RENEWS("dir", mkdir("dir/dir", 0755));
	RENEWS("dir", rmdir("dir/dir"));
	RENEWS("dir", symlink("x", "dir/x"));
	RENEWS("dir/x", to_and_fro("dir/x", "dir/y"));
	RENEWS("dir", mkdir("dir/new", 0755));
	RENEWS("dir/new", unlink("dir/none"));
}
