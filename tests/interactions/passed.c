// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors passed over sockets: to processes that do not have the mount, and
 * into messages that no process reads.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interactions.h"

#define MANY	2

static void send_fds(int to, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(MANY * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	MUST(sendmsg(to, &msg, 0));
}

static int receive_fd(int from)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	MUST(recvmsg(from, &msg, MSG_CMSG_CLOEXEC));
	if (!CMSG_FIRSTHDR(&msg))
		dxs_bail("no descriptor in the message");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void make_pair(int ends[2])
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
}

/* --- Passed to a process in another mount namespace and a chroot. */

struct elsewhere {
	atomic_long switched;
	atomic_long refused;
	atomic_long wrong;
};

static void switch_in_namespace(int fd, struct elsewhere *e)
{
	struct daxstack_state state;
	struct daxstack_switch sw;
	int i;

	for (i = 0; i < 10; i++) {
		e->wrong += ioctl(fd, DAXSTACK_IOC_STATE, &state) ||
			state.reason || (int)state.mode != dxs_mode(fd);
		e->wrong += i % 3 ? dxs_switch(fd, !dxs_mode(fd), 2000, NULL) :
				    dxs_set_xflag(fd, !dxs_mode(fd));
		e->wrong += !ia_agree(fd) || !ia_bytes(fd, "elsewhere");
		e->switched++;
	}
	MUST(seteuid(NOBODY));
	for (i = 0; i < 5; i++) {
		e->wrong += dxs_switch(fd, !dxs_mode(fd), 0, &sw) != EPERM ||
			sw.reason != DAXSTACK_REASON_NOT_OWNER;
		e->wrong += ioctl(fd, DAXSTACK_IOC_STATE, &state) != 0;
		e->refused++;
	}
	MUST(seteuid(0));
}

static void run_in_namespace(int from, struct elsewhere *e)
{
	volatile uint64_t *map;
	int fd;

	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(write(from, "x", 1));
	fd = receive_fd(from);
	/* This namespace has a copy of the mount. */
	MUST(umount2("stack", MNT_DETACH));
	MUST(chroot("jail"));
	MUST(chdir("/"));
	map = ia_map(fd);
	map[3 * PAGE / 8] = 33;
	switch_in_namespace(fd, e);
	e->wrong += map[3 * PAGE / 8] != 33;
}

void check_passed(void)
{
	struct elsewhere *e = ia_shared(PAGE);
	int fd = ia_file("stack/passed", DAXSTACK_CACHED), ends[2];
	struct ia_user u;
	uint64_t seen;
	char byte;
	pid_t pid;

	MUST(mkdir("jail", 0755));
	make_pair(ends);
	pid = MUST(fork());
	if (!pid) {
		close(fd);
		run_in_namespace(ends[1], e);
		_exit(0);
	}
	MUST(read(ends[0], &byte, 1));
	MUST(umount2("stack", MNT_DETACH));
	ia_use_begin(&u, fd, 2);
	send_fds(ends[0], &fd, 1);
	dxs_is(0, ia_wait(pid),
	       "passed after umount -l: usable in another namespace");
	ia_use_report(&u, 5, "passed");
	dxs_is(10, e->switched, "passed: switched in another namespace");
	dxs_is(5, e->refused,
	       "passed: a user who does not own the file is refused");
	dxs_is(0, e->wrong, "passed: no errors");
	dxs_pread(fd, &seen, HEAD, 3 * PAGE);
	dxs_is(33, seen, "passed: store made in another namespace");
	ia_well(fd, "passed");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	dxs_ok(ia_device_free(), "passed: device is free after close");
	MUST(munmap(e, PAGE));
	dxs_mount_stack();
}

/* --- In sockets. */

#define FLIGHTS	6

/*
 * The only descriptor is in a socket while the stack is unmounted and the file
 * is switched.
 */
static int send_in_flight(int i, long *switches)
{
	int fd = ia_file("stack/flight", i % 2), other, ends[2], wrong = 0;
	struct ia_switcher s;

	other = MUST(open("stack/flight", O_RDWR | O_CLOEXEC));
	make_pair(ends);
	send_fds(ends[0], &fd, 1);
	close(fd);
	ia_switch_begin(&s, other);
	wrong += dxs_umount("stack") != EBUSY;
	MUST(umount2("stack", MNT_DETACH));
	ia_switch_more(&s, 3);
	fd = receive_fd(ends[1]);
	ia_switch_more(&s, 1);
	ia_switch_end(&s);
	close(other);
	*switches += s.done;
	wrong += s.wrong + !ia_agree(fd) + !ia_bytes(fd, "in flight");
	/* Sent again and never read: closing the socket closes it. */
	send_fds(ends[1], &fd, 1);
	wrong += !dxs_to(fd, !dxs_mode(fd), "in flight");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	wrong += !ia_device_free();
	dxs_mount_stack();
	return wrong;
}

/*
 * The message also holds its own socket, so that only the kernel's collection
 * of in-flight sockets frees it, when some other socket is closed.
 */
static int send_in_cycle(int i, long *switches)
{
	int fds[MANY] = { ia_file("stack/circle", i % 2) }, other, ends[2];
	int more[2], wrong = 0;
	struct ia_switcher s;

	other = MUST(open("stack/circle", O_RDWR | O_CLOEXEC));
	ia_switch_begin(&s, other);
	make_pair(ends);
	fds[1] = ends[1];
	send_fds(ends[0], fds, 2);
	if (i % 2) {
		fds[1] = ends[0];
		send_fds(ends[1], fds, 2);
	}
	close(fds[0]);
	close(ends[0]);
	MUST(umount2("stack", MNT_DETACH));
	close(ends[1]);
	ia_switch_more(&s, 2);
	make_pair(more);
	close(more[0]);
	close(more[1]);
	ia_switch_more(&s, 2);
	ia_switch_end(&s);
	*switches += s.done;
	wrong += s.wrong + !ia_agree(other) + !ia_bytes(other,
							"in a socket cycle");
	close(other);
	wrong += !ia_device_free();
	dxs_mount_stack();
	return wrong;
}

void check_flight(void)
{
	int i, wrong = 0, circles = 0;
	long switches = 0;

	for (i = 0; i < FLIGHTS; i++)
		wrong += send_in_flight(i, &switches);
	dxs_is(0, wrong, "in flight in a socket: no errors");
	for (i = 0; i < FLIGHTS; i++)
		circles += send_in_cycle(i, &switches);
	dxs_is(0, circles, "in flight in a socket cycle: no errors");
	dxs_ok(switches >= 8 * FLIGHTS, "in flight: enough switches succeed");
}
