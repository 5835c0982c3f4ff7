// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: file locks, leases.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parity.h"

static struct flock range(int type, off_t start, off_t len)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET,
			       .l_start = start, .l_len = len };
}

static long lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = range(type, start, len);

	return fcntl(fd, cmd, &l);
}

/* Notes the conflicting lock; without the pid, which differs. */
static void in_the_way(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = range(type, start, len);

	TELL(fcntl(fd, cmd, &l));
	note("type %d at %ld, %ld, of %s", l.l_type, (long)l.l_start,
	     (long)l.l_len, l.l_pid == -1 ? "an open file" :
	     l.l_pid == getppid() ? "nobody" : l.l_pid ? "a process" : "nobody");
}

static void other_locks(void)
{
	int fd = MUST(open("file", O_RDWR));

	TELL(lock(fd, F_SETLK, F_WRLCK, 0, 10));
	TELL(lock(fd, F_SETLK, F_RDLCK, 0, 10));
	TELL(lock(fd, F_SETLK, F_RDLCK, 20, 10));
	TELL(lock(fd, F_SETLK, F_WRLCK, 20, 10));
	TELL(lock(fd, F_SETLK, F_WRLCK, 30, 10));
	TELL(lock(fd, F_SETLK, F_WRLCK, 100, 0));
	TELL(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	in_the_way(fd, F_GETLK, F_WRLCK, 0, 0);
	in_the_way(fd, F_GETLK, F_RDLCK, 20, 5);
	in_the_way(fd, F_OFD_GETLK, F_WRLCK, 0, 0);
	TELL(flock(fd, LOCK_EX | LOCK_NB));
	TELL(flock(fd, LOCK_SH | LOCK_NB));
}

static void alarmed(int sig)
{
	(void)sig;
}

/* A lock that is never granted, and a signal. */
static void wait_for_lock(void)
{
	struct sigaction act = { .sa_handler = alarmed };
	int fd = MUST(open("file", O_RDWR));

	sigaction(SIGALRM, &act, NULL);
	ualarm(20000, 0);
	TELL(lock(fd, F_SETLKW, F_WRLCK, 0, 10));
	ualarm(20000, 0);
	TELL(lock(fd, F_OFD_SETLKW, F_WRLCK, 0, 10));
	ualarm(20000, 0);
	TELL(flock(fd, LOCK_EX));
}

/* Each process waits for a lock of the other. */
static void deadlock(int fd)
{
	int ready[2], status;
	pid_t pid;
	char c;

	MUST(pipe(ready));
	MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	pid = MUST(fork());
	if (!pid) {
		MUST(lock(fd, F_SETLK, F_WRLCK, 1, 1));
		MUST(write(ready[1], "x", 1));
		_exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) ? 1 : 0);
	}
	MUST(read(ready[0], &c, 1));
	dxs_sleep_ms(100L * dxs_slow());
	TELL(lock(fd, F_SETLKW, F_WRLCK, 1, 1));
	MUST(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	MUST(waitpid(pid, &status, 0));
	note("the other: %d", status);
}

void run_locks(void)
{
	int fd = make_file("file", PAGE), other = MUST(open("file", O_RDWR));
	int reader = MUST(open("file", O_RDONLY));

	TELL(lock(fd, F_SETLK, F_WRLCK, 0, 10));
	TELL(lock(fd, F_SETLK, F_RDLCK, 20, 10));
	TELL(lock(other, F_SETLK, F_WRLCK, 100, 0));
	TELL(lock(reader, F_SETLK, F_WRLCK, 50, 1));
	TELL(lock(fd, F_SETLK, F_WRLCK, -1, 1));
	TELL(lock(fd, F_SETLK, 17, 0, 1));
	in_child(other_locks);
	in_child(wait_for_lock);
	/* Closing any descriptor of the file drops all locks of the process. */
	close(reader);
	in_child(other_locks);

	TELL(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	TELL(lock(other, F_OFD_SETLK, F_WRLCK, 5, 10));
	in_the_way(other, F_OFD_GETLK, F_WRLCK, 0, 0);
	in_child(other_locks);
	in_child(wait_for_lock);
	TELL(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0));

	TELL(flock(fd, LOCK_SH));
	TELL(flock(other, LOCK_SH | LOCK_NB));
	TELL(flock(other, LOCK_EX | LOCK_NB));
	TELL(flock(fd, LOCK_UN));
	TELL(flock(other, LOCK_EX | LOCK_NB));
	in_child(other_locks);
	in_child(wait_for_lock);
	TELL(flock(fd, LOCK_SH | LOCK_NB));
	close(other);
	TELL(flock(fd, LOCK_EX | LOCK_NB));
	TELL(flock(fd, LOCK_UN));
	in_child(other_locks);
	deadlock(fd);

	reader = MUST(open(".", O_RDONLY | O_DIRECTORY));
	TELL(flock(reader, LOCK_EX | LOCK_NB));
	TELL(lock(reader, F_SETLK, F_RDLCK, 0, 1));
	close(reader);
	close(fd);
}

/* --- Leases. */

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

/* A child breaks the lease; then the lease is given up. */
static void broken_by(int fd, int type, const char *what, long (*call)(void))
{
	long ret = fcntl(fd, F_SETLEASE, type);
	int status;
	pid_t pid;

	tell_ret(type_name(type), ret);
	if (ret)
		return;
	broken = 0;
	pid = MUST(fork());
	if (!pid) {
		tell_ret(what, call());
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0));
	note("%s: broken %d, left: %s", what, broken,
	     type_name(fcntl(fd, F_GETLEASE)));
	MUST(fcntl(fd, F_SETLEASE, F_UNLCK));
}

static long open_for(int flags)
{
	int fd = open("file", flags | O_NONBLOCK);

	return fd < 0 ? fd : 0;
}

static long open_read(void)
{
	return open_for(O_RDONLY);
}

static long open_write(void)
{
	return open_for(O_WRONLY);
}

static long open_truncate(void)
{
	return open_for(O_RDONLY | O_TRUNC);
}

static long open_path(void)
{
	return open_for(O_PATH);
}

static long rename_it(void)
{
	return rename("file", "renamed") ?: rename("renamed", "file");
}

static const struct {
	const char *name;
	long (*call)(void);
} breakers[] = {
	{ "open for reading", open_read },
	{ "open for writing", open_write },
	{ "open and truncate", open_truncate },
	{ "O_PATH", open_path },
	{ "rename", rename_it },
};

static long blocking_open(void)
{
	int fd = open("file", O_WRONLY);

	return fd < 0 ? fd : 0;
}

/* The holder gives up the lease, and the waiting opener continues. */
static void give_way(int fd)
{
	int status, i;
	pid_t pid;

	MUST(fcntl(fd, F_SETLEASE, F_WRLCK));
	broken = 0;
	pid = MUST(fork());
	if (!pid)
		_exit(blocking_open() ? 1 : 0);
	for (i = 0; i < 1000 && !broken; i++)
		dxs_sleep_ms(10);
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
	MUST(waitpid(pid, &status, 0));
	note("the opener: %d", status);
}

static void not_owner(void)
{
	TELL(fcntl(MUST(open("file", O_RDONLY)), F_SETLEASE, F_RDLCK));
}

void run_leases(void)
{
	struct sigaction act = { .sa_handler = on_break, .sa_flags = SA_RESTART };
	int fd = make_file("file", PAGE), other;
	size_t i;

	sigaction(SIGIO, &act, NULL);
	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
	close(fd);
	fd = MUST(open("file", O_RDONLY));
	for (i = 0; i < ARRAY_SIZE(breakers); i++) {
		broken_by(fd, F_RDLCK, breakers[i].name, breakers[i].call);
		broken_by(fd, F_WRLCK, breakers[i].name, breakers[i].call);
	}
	give_way(fd);
	other = MUST(open("file", O_RDONLY));
	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
	TELL(fcntl(other, F_SETLEASE, F_RDLCK));
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
	TELL(fcntl(fd, F_GETLEASE));
	close(other);
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
	close(fd);
	fd = MUST(open("file", O_WRONLY));
	TELL(fcntl(fd, F_SETLEASE, F_WRLCK));
	TELL(fcntl(fd, F_SETLEASE, F_UNLCK));
	close(fd);
	fd = MUST(open(".", O_RDONLY | O_DIRECTORY));
	TELL(fcntl(fd, F_SETLEASE, F_RDLCK));
	close(fd);
	as_user(NOBODY, not_owner);
}
