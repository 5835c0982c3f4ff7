// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: what breaks a lease, who may take one, and leases of directories.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "parity.h"

/* Since Linux 6.19, with a structure of its own. */
#define GET_DELEG	(1024 + 15)
#define SET_DELEG	(1024 + 16)

struct deleg {
	uint32_t flags;
	uint16_t type;
	uint16_t pad;
};

static volatile sig_atomic_t broken;

static void on_break(int sig)
{
	(void)sig;
	broken++;
}

static const char *type_name(int type)
{
	return type == F_RDLCK ? "read" : type == F_WRLCK ? "write" :
	       type == F_UNLCK ? "none" : "?";
}

/* --- Operations of another process, all non-blocking. */

static long close_or(int fd)
{
	return fd < 0 ? fd : close(fd);
}

static long do_truncate(void)
{
	return truncate("file", 10);
}

static long do_open_rw(void)
{
	return close_or(open("file", O_RDWR | O_NONBLOCK));
}

static long do_open_append(void)
{
	return close_or(open("file", O_WRONLY | O_APPEND | O_NONBLOCK));
}

static long do_open_create(void)
{
	return close_or(open("file", O_RDONLY | O_CREAT | O_NONBLOCK, 0644));
}

static long do_open_excl(void)
{
	return close_or(open("file", O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK,
			     0644));
}

static long do_open_link(void)
{
	return close_or(open("link", O_WRONLY | O_NONBLOCK));
}

static long do_exec(void)
{
	/* It is not a program, but execve(2) opens it. */
	return execl("./file", "file", NULL);
}

static long do_chmod(void)
{
	return chmod("file", 0644);
}

static long do_chown(void)
{
	return chown("file", 0, 0);
}

static long do_utimes(void)
{
	return utimensat(AT_FDCWD, "file", NULL, 0);
}

static long do_setxattr(void)
{
	return setxattr("file", "user.x", "x", 1, 0);
}

static long do_link(void)
{
	return link("file", "other") ?: unlink("other");
}

static long do_unlink(void)
{
	return link("file", "kept") ?: unlink("kept");
}

static long do_rename_over(void)
{
	return link("file", "kept") ?: rename("new", "kept") ?:
		link("kept", "new") ?: unlink("kept");
}

static long do_stat(void)
{
	struct stat st;

	return stat("file", &st);
}

static long do_getxattr(void)
{
	char c;

	return getxattr("file", "user.y", &c, 1);
}

static const struct breaker {
	const char *name;
	long (*call)(void);
} breakers[] = {
	{ "truncate", do_truncate },
	{ "open for reading and writing", do_open_rw },
	{ "open for appending", do_open_append },
	{ "open with O_CREAT", do_open_create },
	{ "open with O_EXCL", do_open_excl },
	{ "open by a hard link", do_open_link },
	{ "execve", do_exec },
	{ "chmod", do_chmod },
	{ "chown", do_chown },
	{ "utimes", do_utimes },
	{ "setxattr", do_setxattr },
	{ "link", do_link },
	{ "unlink", do_unlink },
	{ "rename over it", do_rename_over },
	{ "stat", do_stat },
	{ "getxattr", do_getxattr },
};

/* Blocking operations succeed once the signal handler gives up the lease. */
static int leased;
static int give_up_with;

static void on_break_give_up(int sig)
{
	(void)sig;
	broken++;
	fcntl(leased, F_SETLEASE, give_up_with);
}

static void broken_by(int fd, int type, const struct breaker *breaker)
{
	struct sigaction act = { .sa_handler = on_break_give_up,
				 .sa_flags = SA_RESTART };
	long ret = fcntl(fd, F_SETLEASE, type);
	int status, left;
	pid_t pid;

	if (ret) {
		tell_ret(type_name(type), ret);
		return;
	}
	broken = 0;
	leased = fd;
	give_up_with = F_UNLCK;
	sigaction(SIGIO, &act, NULL);
	pid = MUST(fork());
	if (!pid) {
		tell_ret(breaker->name, breaker->call());
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		;
	left = fcntl(fd, F_GETLEASE);
	note("%s lease, %s: broken %d times, left: %s", type_name(type),
	     breaker->name, broken, type_name(left));
	fcntl(fd, F_SETLEASE, F_UNLCK);
}

/* A write lease is downgraded to a read lease for readers. */
static void downgraded(int fd)
{
	struct sigaction act = { .sa_handler = on_break_give_up,
				 .sa_flags = SA_RESTART };
	int status;
	pid_t pid;

	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	leased = fd;
	give_up_with = F_RDLCK;
	broken = 0;
	sigaction(SIGIO, &act, NULL);
	pid = MUST(fork());
	if (!pid)
		_exit(close_or(open("file", O_RDONLY)) ? 1 : 0);
	while (waitpid(pid, &status, 0) < 0)
		;
	note("downgraded: %d, the reader: %d, left: %s", broken, status,
	     type_name(fcntl(fd, F_GETLEASE)));
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
}

/* The holder does not react: the kernel removes the lease in the end. */
static void taken_away(int fd)
{
	struct sigaction act = { .sa_handler = on_break, .sa_flags = SA_RESTART };
	int time = MUST(open("/proc/sys/fs/lease-break-time", O_RDWR)), status;
	pid_t pid;

	MUST(write(time, "1", 1));
	sigaction(SIGIO, &act, NULL);
	broken = 0;
	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	pid = MUST(fork());
	if (!pid)
		_exit(do_truncate() ? 1 : 0);
	while (waitpid(pid, &status, 0) < 0)
		;
	note("removed: %d, truncate: %d, left: %s", broken, status,
	     type_name(fcntl(fd, F_GETLEASE)));
	fcntl(fd, F_SETLEASE, F_UNLCK);
	MUST(pwrite(time, "45", 2, 0));
	close(time);
}

/* While another descriptor or mapping of the file exists. */
static void conflicts(int fd)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_PATH };
	size_t i;
	int other;
	void *map;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		other = MUST(open("file", flags[i]));
		note("with another descriptor, flags %d", flags[i]);
		TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
		TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
		TELL(fcntl(fd, F_GETLEASE));
		TELL(fcntl(other, F_GETLEASE));
		TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
		close(other);
	}
	other = MUST(open("file", O_RDWR));
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0));
	close(other);
	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
	munmap(map, PAGE);
	other = dup(fd);
	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	TELL(fcntl(other, F_GETLEASE));
	TELL(fcntl(other, F_SETLEASE, F_UNLCK));
	close(other);
	TELL(fcntl(fd, F_SETLEASE, 17));
	/* The last close gives up the lease. */
	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
}

static void as_owner(void)
{
	int fd = MUST(open("own", O_RDONLY));

	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
	TELL(fcntl(fd, F_GETLEASE));
	TELL(fcntl(MUST(open("file", O_RDONLY)), F_SETLEASE, F_RDLCK));
}

/* --- Directories; and delegations, on kernels that offer them to programs. */

static void delegations(const char *name, int flags)
{
	int fd = MUST(open(name, flags));
	struct deleg deleg = { .type = F_RDLCK };

	note("delegations of %s", name);
	TELL(fcntl(fd, SET_DELEG, &deleg));
	deleg.type = 77;
	TELL(fcntl(fd, GET_DELEG, &deleg));
	note("type %d", deleg.type);
	deleg = (struct deleg){ .type = F_WRLCK };
	TELL(fcntl(fd, SET_DELEG, &deleg));
	deleg = (struct deleg){ .type = F_UNLCK };
	TELL(fcntl(fd, SET_DELEG, &deleg));
	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
	TELL(fcntl(fd, F_GETLEASE));
	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
	close(fd);
}

static long do_create_in(void)
{
	return close_or(open("dir/new", O_CREAT | O_WRONLY, 0644)) ?:
		unlink("dir/new");
}

static long do_mkdir_in(void)
{
	return mkdir("dir/sub", 0755) ?: rmdir("dir/sub");
}

static long do_rename_in(void)
{
	return rename("dir/name", "dir/renamed") ?:
		rename("dir/renamed", "dir/name");
}

static const struct breaker dir_breakers[] = {
	{ "create", do_create_in },
	{ "mkdir", do_mkdir_in },
	{ "rename", do_rename_in },
};

static void on_deleg_give_up(int sig)
{
	struct deleg none = { .type = F_UNLCK };

	(void)sig;
	broken++;
	fcntl(leased, SET_DELEG, &none);
}

static void delegated_dir(void)
{
	struct sigaction act = { .sa_handler = on_deleg_give_up,
				 .sa_flags = SA_RESTART };
	struct deleg deleg;
	int fd = MUST(open("dir", O_RDONLY | O_DIRECTORY)), status;
	size_t i;
	pid_t pid;

	sigaction(SIGIO, &act, NULL);
	leased = fd;
	for (i = 0; i < ARRAY_SIZE(dir_breakers); i++) {
		deleg = (struct deleg){ .type = F_RDLCK };
		if (TELL(fcntl(fd, SET_DELEG, &deleg)))
			break;
		broken = 0;
		pid = MUST(fork());
		if (!pid) {
			tell_ret(dir_breakers[i].name, dir_breakers[i].call());
			_exit(0);
		}
		while (waitpid(pid, &status, 0) < 0)
			;
		note("%s: broken %d times", dir_breakers[i].name, broken > 0);
	}
	close(fd);
}

void run_lease_breaks(void)
{
	int fd = make_file("file", PAGE);
	size_t i;

	close(fd);
	close(make_file("own", 10));
	MUST(chown("own", SOMEONE, SOMEONE));
	MUST(link("file", "link"));
	MUST(link("file", "new"));
	MUST(mkdir("dir", 0755));
	close(make_file("dir/name", 10));
	fd = MUST(open("file", O_RDONLY));
	for (i = 0; i < ARRAY_SIZE(breakers); i++) {
		broken_by(fd, F_RDLCK, &breakers[i]);
		broken_by(fd, F_WRLCK, &breakers[i]);
	}
	downgraded(fd);
	taken_away(fd);
	conflicts(fd);
	close(fd);
	fd = MUST(open("file", O_RDWR));
	note("by a process that has it open for writing");
	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
	close(fd);
	fd = MUST(open("file", O_RDONLY));
	TELL(fcntl(fd, F_GETLEASE));
	close(fd);
	as_user(SOMEONE, as_owner);
	delegations("file", O_RDONLY);
	delegations("dir", O_RDONLY | O_DIRECTORY);
	delegated_dir();
}
