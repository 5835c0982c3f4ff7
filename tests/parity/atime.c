// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: updates of the access time, by kind of read, mount options of the
 * mount in use, and attributes of the file.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "parity.h"

/* Where the names are looked up: "." or a second mount of it. */
static const char *at;
static int open_flags;

static int open_in(const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", at, name);
	return MUST(open(path, flags | open_flags));
}

/* --- All kinds of reads. */

static void by_read(const char *name)
{
	char buf[64];
	int fd = open_in(name, O_RDONLY);

	MUST(read(fd, buf, sizeof(buf)));
	close(fd);
}

static void by_nothing(const char *name)
{
	char buf[1];
	int fd = open_in(name, O_RDONLY);

	MUST(read(fd, buf, 0));
	close(fd);
}

static void by_read_at_end(const char *name)
{
	char buf[64];
	int fd = open_in(name, O_RDONLY);

	MUST(pread(fd, buf, sizeof(buf), 1 << 20));
	close(fd);
}

static void by_readv(const char *name)
{
	char buf[64];
	struct iovec iov[2] = { { buf, 10 }, { buf + 10, 20 } };
	int fd = open_in(name, O_RDONLY);

	MUST(readv(fd, iov, 2));
	close(fd);
}

static void by_preadv2(const char *name)
{
	char buf[64];
	struct iovec iov = { buf, sizeof(buf) };
	int fd = open_in(name, O_RDONLY);

	MUST(preadv2(fd, &iov, 1, 0, RWF_HIPRI));
	close(fd);
}

static void by_direct(const char *name)
{
	static void *buf;
	int fd = open_in(name, O_RDONLY | O_DIRECT);

	if (!buf)
		buf = dxs_alloc(PAGE);
	MUST(read(fd, buf, PAGE));
	close(fd);
}

static void by_mmap(const char *name)
{
	int fd = open_in(name, O_RDONLY);
	void *map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));

	munmap(map, PAGE);
	close(fd);
}

static void by_private(const char *name)
{
	int fd = open_in(name, O_RDONLY);
	volatile char *map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd,
				       0));

	(void)map[0];
	munmap((void *)map, PAGE);
	close(fd);
}

static void by_sendfile(const char *name)
{
	int fd = open_in(name, O_RDONLY);
	int out = MUST(open("/dev/null", O_WRONLY));

	MUST(sendfile(out, fd, NULL, 10));
	close(out);
	close(fd);
}

static void by_splice(const char *name)
{
	int fd = open_in(name, O_RDONLY), ends[2];

	MUST(pipe(ends));
	MUST(splice(fd, NULL, ends[1], NULL, 10, 0));
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static void by_copy(const char *name)
{
	int fd = open_in(name, O_RDONLY);
	int out = MUST(open("other", O_WRONLY));

	MUST(copy_file_range(fd, NULL, out, NULL, 10, 0));
	close(out);
	close(fd);
}

static void by_readahead(const char *name)
{
	int fd = open_in(name, O_RDONLY);

	MUST(readahead(fd, 0, PAGE));
	MUST(posix_fadvise(fd, 0, PAGE, POSIX_FADV_WILLNEED));
	close(fd);
}

static void by_seek(const char *name)
{
	int fd = open_in(name, O_RDONLY);

	MUST(lseek(fd, 0, SEEK_DATA));
	MUST(fsync(fd));
	close(fd);
}

/* Opened O_RDWR, where O_NOATIME is checked elsewhere. */
static void by_write(const char *name)
{
	int fd = open_in(name, O_RDWR);

	MUST(pwrite(fd, "x", 1, 0));
	close(fd);
}

/* O_NOATIME set by fcntl(2) on an open file. */
static void by_read_after(const char *name, int flags)
{
	char buf[64];
	int fd = open_in(name, O_RDONLY);

	MUST(fcntl(fd, F_SETFL, flags));
	MUST(read(fd, buf, sizeof(buf)));
	close(fd);
}

static void by_noatime_later(const char *name)
{
	by_read_after(name, O_NOATIME);
}

static void by_map_noatime_later(const char *name)
{
	int fd = open_in(name, O_RDONLY);
	void *map;

	MUST(fcntl(fd, F_SETFL, O_NOATIME));
	map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	munmap(map, PAGE);
	close(fd);
}

/*
 * Mapped first with atime updates, then without: the second mapping must not
 * update it.
 */
static void by_second_map(const char *name)
{
	const struct timespec times[2] = { { 1000000000, 1 }, { 1000000000, 2 } };
	int fd = open_in(name, O_RDONLY);
	void *map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));

	munmap(map, PAGE);
	MUST(utimensat(AT_FDCWD, name, times, 0));
	next_tick();
	MUST(fcntl(fd, F_SETFL, O_NOATIME));
	map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	munmap(map, PAGE);
	close(fd);
}

static void by_noatime_never(const char *name)
{
	by_read_after(name, 0);
}

static void list(const char *name, int flags)
{
	int fd = open_in(name, O_RDONLY | O_DIRECTORY | flags);
	DIR *dir = fdopendir(fd);

	while (dir && readdir(dir))
		;
	closedir(dir);
}

static void by_readdir(const char *name)
{
	list(name, 0);
}

static void by_readdir_noatime(const char *name)
{
	list(name, O_NOATIME);
}

static void by_readlink(const char *name)
{
	char path[128], buf[64];

	snprintf(path, sizeof(path), "%s/%s", at, name);
	MUST(readlink(path, buf, sizeof(buf)));
}

static void by_following(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", at, name);
	MUST(stat(path, &st));
}

static void by_lookup(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s/file", at, name);
	MUST(stat(path, &st));
}

static void by_execve(const char *name)
{
	char path[128];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", at, name);
	pid = MUST(fork());
	if (!pid) {
		execl(path, path, NULL);
		_exit(127);
	}
	MUST(waitpid(pid, &status, 0));
	if (status)
		note("%s: status %#x", path, status);
}

static const struct reader {
	const char *call;
	void (*read)(const char *name);
	const char *name;
} readers[] = {
	{ "read", by_read, "file" },
	{ "read of 0 bytes", by_nothing, "file" },
	{ "read at the end", by_read_at_end, "file" },
	{ "readv", by_readv, "file" },
	{ "preadv2", by_preadv2, "file" },
	{ "O_DIRECT", by_direct, "file" },
	{ "mmap", by_mmap, "file" },
	{ "mmap, private", by_private, "file" },
	{ "sendfile", by_sendfile, "file" },
	{ "splice", by_splice, "file" },
	{ "copy_file_range", by_copy, "file" },
	{ "readahead", by_readahead, "file" },
	{ "lseek, fsync", by_seek, "file" },
	{ "write", by_write, "file" },
	{ "O_NOATIME later", by_noatime_later, "file" },
	{ "F_SETFL", by_noatime_never, "file" },
	{ "mmap, O_NOATIME later", by_map_noatime_later, "file" },
	{ "a second mmap, O_NOATIME", by_second_map, "file" },
	{ "readdir", by_readdir, "dir" },
	{ "readdir, O_NOATIME", by_readdir_noatime, "dir" },
	{ "lookup", by_lookup, "dir" },
	{ "readlink", by_readlink, "link" },
	{ "stat through a link", by_following, "link" },
	{ "execve", by_execve, "program" },
};

/* --- Initial age of atime and mtime, which relatime depends on. */

static const struct age {
	const char *name;
	long atime;		/* seconds before now */
	long mtime;
} ages[] = {
	{ "older than mtime", 7200, 3600 },
	{ "newer than mtime", 3600, 7200 },
	{ "of yesterday", 100000, 200000 },
};

static bool differ(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec || a->tv_nsec != b->tv_nsec;
}

static void look(const struct reader *reader, const struct age *age)
{
	struct timespec now, times[2];
	struct stat before, after;

	MUST(clock_gettime(CLOCK_REALTIME, &now));
	times[0] = (struct timespec){ now.tv_sec - age->atime, 1 };
	times[1] = (struct timespec){ now.tv_sec - age->mtime, 2 };
	MUST(utimensat(AT_FDCWD, reader->name, times, AT_SYMLINK_NOFOLLOW));
	MUST(lstat(reader->name, &before));
	/* ctime is recent, which makes relatime update; so look twice. */
	next_tick();
	reader->read(reader->name);
	MUST(lstat(reader->name, &after));
	note("%s, atime %s: updates%s%s%s", reader->call, age->name,
	     differ(&before.st_atim, &after.st_atim) ? " atime" : "",
	     differ(&before.st_mtim, &after.st_mtim) ? " mtime" : "",
	     differ(&before.st_ctim, &after.st_ctim) ? " ctime" : "");
	/* A second time, with the atime that the first left. */
	before = after;
	next_tick();
	reader->read(reader->name);
	MUST(lstat(reader->name, &after));
	note("%s, atime %s, again: updates%s", reader->call, age->name,
	     differ(&before.st_atim, &after.st_atim) ? " atime" : "");
}

static void all_readers(const struct age *age)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(readers); i++)
		look(&readers[i], age);
}

static void with_options(const char *mount_point, unsigned long options,
			 const char *name)
{
	note("--- %s", name);
	TELL(mount(NULL, mount_point, NULL, MS_REMOUNT | MS_BIND | options, NULL));
	all_readers(&ages[0]);
}

static void not_mine(void)
{
	int fd;

	TELL_FD(open("file", O_RDONLY | O_NOATIME));
	fd = MUST(open("file", O_RDONLY));
	TELL(fcntl(fd, F_SETFL, O_NOATIME));
	close(fd);
}

void run_atimes(void)
{
	size_t i;

	close(make_file("file", 2 * PAGE));
	close(make_file("other", PAGE));
	MUST(mkdir("dir", 0755));
	close(make_file("dir/file", 10));
	MUST(symlink("file", "link"));
	if (DXS_RUN("cp", "/bin/true", "program"))
		dxs_bail("cp /bin/true");
	MUST(mkdir("view", 0755));

	/* Default mount options. */
	at = ".";
	for (i = 0; i < ARRAY_SIZE(ages); i++)
		all_readers(&ages[i]);
	open_flags = O_NOATIME;
	note("--- O_NOATIME");
	all_readers(&ages[0]);
	open_flags = 0;
	as_user(NOBODY, not_mine);

	with_options(ROOT, MS_NOATIME, "noatime");
	with_options(ROOT, MS_NODIRATIME | MS_RELATIME, "nodiratime");
	with_options(ROOT, MS_STRICTATIME, "strictatime");

	/* Each mount follows its own options. */
	MUST(mount(".", "view", NULL, MS_BIND, NULL));
	at = "view";
	with_options("view", MS_NOATIME, "another mount: noatime");
	at = ".";
	note("--- the first mount, still strictatime");
	all_readers(&ages[0]);
	TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_NOATIME, NULL));
	at = "view";
	with_options("view", MS_STRICTATIME, "another mount: strictatime");
	at = ".";
	note("--- the first mount, noatime");
	all_readers(&ages[0]);
	MUST(umount("view"));
	TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_RELATIME, NULL));
}
