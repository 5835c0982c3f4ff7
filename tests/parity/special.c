// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: attributes (chattr), devices, fifos, sockets.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "parity.h"

/* --- Attributes. */

static void flags_are(int fd)
{
	struct fsxattr x;
	int flags = 0;

	TELL(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	/* FS_DAX_FL depends on the mode. */
	note("flags %x", flags);
	TELL(ioctl(fd, FS_IOC_FSGETXATTR, &x));
	note("xflags %x, extsize %u, project %u", x.fsx_xflags, x.fsx_extsize,
	     x.fsx_projid);
}

static long set_flags(int fd, int flags)
{
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static void touch_all(int fd)
{
	char *map;

	TELL(pwrite(fd, "x", 1, 0));
	TELL_FD(open("file", O_WRONLY));
	TELL_FD(open("file", O_WRONLY | O_APPEND));
	TELL_FD(open("file", O_WRONLY | O_APPEND | O_TRUNC));
	TELL(truncate("file", 10));
	TELL(ftruncate(fd, 10));
	TELL(fallocate(fd, 0, 0, PAGE));
	TELL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	TELL(chmod("file", 0600));
	TELL(chown("file", 0, 0));
	TELL(utimensat(AT_FDCWD, "file", NULL, 0));
	TELL(link("file", "link"));
	TELL(rename("file", "moved"));
	TELL(unlink("file"));
	TELL(fcntl(fd, F_SETFL, 0));
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	tell_ret("map", map == MAP_FAILED ? -1 : 0);
	if (map != MAP_FAILED)
		munmap(map, PAGE);
}

static void not_owner(void)
{
	int fd = MUST(open("file", O_RDONLY));

	TELL(set_flags(fd, FS_NODUMP_FL));
	TELL(set_flags(fd, FS_IMMUTABLE_FL));
}

static void owner(void)
{
	int fd = MUST(open("own", O_RDONLY));

	TELL(set_flags(fd, FS_NODUMP_FL));
	TELL(set_flags(fd, FS_IMMUTABLE_FL));
	flags_are(fd);
}

void run_attributes(void)
{
	static const int flags[] = { FS_SYNC_FL, FS_NODUMP_FL, FS_NOATIME_FL,
		FS_DIRSYNC_FL, FS_TOPDIR_FL, FS_SECRM_FL, FS_UNRM_FL, FS_COMPR_FL,
		FS_NOTAIL_FL, FS_NOCOW_FL, FS_PROJINHERIT_FL, FS_CASEFOLD_FL,
		FS_ENCRYPT_FL, FS_VERITY_FL, FS_INDEX_FL, FS_EXTENT_FL };
	struct fsxattr x;
	size_t i;
	int fd = make_file("file", 2 * PAGE), was = 0, dir;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &was));
	flags_are(fd);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		note("+%x", flags[i]);
		TELL(set_flags(fd, was | flags[i]));
		flags_are(fd);
		set_flags(fd, was);
	}
	flags_are(fd);
	note("immutable");
	TELL(set_flags(fd, was | FS_IMMUTABLE_FL));
	touch_all(fd);
	TELL(set_flags(fd, was | FS_IMMUTABLE_FL | FS_NODUMP_FL));
	TELL(set_flags(fd, was));
	note("append only");
	TELL(set_flags(fd, was | FS_APPEND_FL));
	touch_all(fd);
	TELL(set_flags(fd, was));
	TELL(pwrite(fd, "x", 1, 0));

	MUST(mkdir("dir", 0755));
	dir = MUST(open("dir", O_RDONLY | O_DIRECTORY));
	MUST(ioctl(dir, FS_IOC_GETFLAGS, &was));
	close(make_file("dir/file", 10));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		note("directory +%x", flags[i]);
		TELL(set_flags(dir, was | flags[i]));
		flags_are(dir);
		TELL(set_flags(dir, was));
	}
	TELL(set_flags(dir, was | FS_IMMUTABLE_FL));
	TELL_FD(open("dir/new", O_CREAT | O_WRONLY, 0644));
	TELL(unlink("dir/file"));
	TELL_FD(open("dir/file", O_WRONLY));
	TELL(rename("dir", "other"));
	TELL(set_flags(dir, was | FS_APPEND_FL));
	TELL_FD(open("dir/new", O_CREAT | O_WRONLY, 0644));
	TELL(unlink("dir/file"));
	TELL(rename("dir/file", "dir/f"));
	TELL(set_flags(dir, was));
	close(dir);

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &x));
	x.fsx_xflags |= FS_XFLAG_EXTSIZE;
	x.fsx_extsize = 16 * PAGE;
	TELL(ioctl(fd, FS_IOC_FSSETXATTR, &x));
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &x));
	x.fsx_projid = 42;
	TELL(ioctl(fd, FS_IOC_FSSETXATTR, &x));
	flags_are(fd);
	x.fsx_xflags |= 0x40000000;
	TELL(ioctl(fd, FS_IOC_FSSETXATTR, &x));
	TELL(ioctl(fd, FS_IOC_FSSETXATTR, NULL));
	TELL(ioctl(fd, FS_IOC_SETFLAGS, NULL));
	close(fd);

	close(make_file("own", 10));
	MUST(chown("own", SOMEONE, SOMEONE));
	as_user(NOBODY, not_owner);
	as_user(SOMEONE, owner);
	MUST(symlink("file", "link"));
	fd = MUST(open("link", O_PATH | O_NOFOLLOW));
	TELL(set_flags(fd, 0));
	close(fd);
	MUST(mkfifo("fifo", 0644));
	fd = MUST(open("fifo", O_RDWR));
	TELL(set_flags(fd, FS_NODUMP_FL));
	TELL(ioctl(fd, FS_IOC_FSGETXATTR, &x));
	close(fd);
}

/* --- Devices, fifos. */

static void open_null(void)
{
	TELL_FD(open("null", O_RDWR));
	TELL(mknod("new", S_IFCHR | 0666, makedev(1, 3)));
	TELL(mknod("fifo of another", S_IFIFO | 0666, 0));
}

void run_devices(void)
{
	struct pollfd poll_fd;
	struct stat st;
	char buf[16];
	int fd, out;

	MUST(chmod(".", 0777));
	TELL(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	TELL(mknod("zero", S_IFCHR | 0600, makedev(1, 5)));
	TELL(mknod("none", S_IFBLK | 0600, makedev(259, 200000)));
	TELL(mknod("plain", S_IFREG | 0600, 0));
	TELL(mknod("dir", S_IFDIR | 0600, 0));
	TELL(mknod("bad", 0170000, 0));
	MUST(stat("none", &st));
	note("%x:%x", major(st.st_rdev), minor(st.st_rdev));
	MUST(chmod("null", 0666));
	fd = TELL_FD(open("zero", O_RDONLY));
	TELL(read(fd, buf, sizeof(buf)));
	TELL(ioctl(fd, FS_IOC_GETFLAGS, &out));
	close(fd);
	TELL_FD(open("none", O_RDONLY));
	as_user(NOBODY, open_null);

	MUST(mkfifo("fifo", 0644));
	TELL_FD(open("fifo", O_WRONLY | O_NONBLOCK));
	fd = TELL_FD(open("fifo", O_RDONLY | O_NONBLOCK));
	out = TELL_FD(open("fifo", O_WRONLY));
	poll_fd = (struct pollfd){ fd, POLLIN, 0 };
	TELL(poll(&poll_fd, 1, 0));
	TELL(write(out, "text", 4));
	TELL(poll(&poll_fd, 1, 0));
	TELL(read(fd, buf, sizeof(buf)));
	TELL(fcntl(fd, F_SETPIPE_SZ, 16 * PAGE));
	TELL(lseek(fd, 0, SEEK_SET));
	close(out);
	TELL(read(fd, buf, sizeof(buf)));
	close(fd);

	TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_NODEV, NULL));
	TELL_FD(open("null", O_RDWR));
	TELL(mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_RELATIME, NULL));
}

/* --- Sockets. */

static void connect_other(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int s = MUST(socket(AF_UNIX, SOCK_STREAM, 0));

	TELL(connect(s, (struct sockaddr *)&to, sizeof(to)));
}

void run_sockets(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int s = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	int other = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), c;
	struct stat st;
	char buf[8];

	TELL(bind(s, (struct sockaddr *)&at, sizeof(at)));
	TELL(bind(other, (struct sockaddr *)&at, sizeof(at)));
	TELL(connect(other, (struct sockaddr *)&at, sizeof(at)));
	TELL(listen(s, 4));
	TELL(connect(other, (struct sockaddr *)&at, sizeof(at)));
	c = TELL_FD(accept(s, NULL, NULL));
	TELL(write(other, "text", 4));
	TELL(read(c, buf, sizeof(buf)));
	MUST(stat("socket", &st));
	note("mode %o", st.st_mode);
	TELL_FD(open("socket", O_RDWR));
	as_user(NOBODY, connect_other);
	TELL(chmod("socket", 0777));
	as_user(NOBODY, connect_other);
	TELL(rename("socket", "moved"));
	as_user(NOBODY, connect_other);
	TELL(unlink("moved"));
	TELL(bind(other, (struct sockaddr *)&at, sizeof(at)));
}
