// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors that travel: to processes for whom the mount is nowhere, and in
 * sockets that nobody reads.
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

#include "besiege.h"

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

/* --- To a process in another mount namespace, in a jail. */

struct elsewhere {
	atomic_long switched;
	atomic_long refused;
	atomic_long wrong;
};

static void switch_elsewhere(int fd, struct elsewhere *e)
{
	struct daxstack_state state;
	struct daxstack_switch sw;
	int i;

	for (i = 0; i < 10; i++) {
		e->wrong += ioctl(fd, DAXSTACK_IOC_STATE, &state) ||
			state.reason || (int)state.mode != dxs_mode(fd);
		e->wrong += i % 3 ? dxs_switch(fd, !dxs_mode(fd), 2000, NULL) :
				    dxs_set_xflag(fd, !dxs_mode(fd));
		e->wrong += !bs_agree(fd) || !bs_bytes(fd, "elsewhere");
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

static void be_elsewhere(int from, struct elsewhere *e)
{
	volatile uint64_t *map;
	int fd;

	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(write(from, "x", 1));
	fd = receive_fd(from);
	/* This namespace had a mount of its own. */
	MUST(umount2("stack", MNT_DETACH));
	MUST(chroot("jail"));
	MUST(chdir("/"));
	map = bs_map(fd);
	map[3 * PAGE / 8] = 33;
	switch_elsewhere(fd, e);
	e->wrong += map[3 * PAGE / 8] != 33;
}

void siege_passed(void)
{
	struct elsewhere *e = bs_shared(PAGE);
	int fd = bs_file("stack/passed", DAXSTACK_CACHED), ends[2];
	struct bs_user u;
	uint64_t seen;
	char byte;
	pid_t pid;

	MUST(mkdir("jail", 0755));
	make_pair(ends);
	pid = MUST(fork());
	if (!pid) {
		close(fd);
		be_elsewhere(ends[1], e);
		_exit(0);
	}
	MUST(read(ends[0], &byte, 1));
	MUST(umount2("stack", MNT_DETACH));
	bs_use_begin(&u, fd, 2);
	send_fds(ends[0], &fd, 1);
	dxs_is(0, bs_wait(pid), "passed on after umount -l: used elsewhere");
	bs_use_report(&u, 5, "passed on");
	dxs_is(10, e->switched, "passed on: switched elsewhere");
	dxs_is(5, e->refused, "passed on: refused to who does not own the file");
	dxs_is(0, e->wrong, "passed on: nothing wrong");
	dxs_pread(fd, &seen, HEAD, 3 * PAGE);
	dxs_is(33, seen, "passed on: what was stored elsewhere");
	bs_well(fd, "passed on");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	dxs_ok(bs_device_free(), "passed on: all gone when closed");
	MUST(munmap(e, PAGE));
	dxs_mount_stack();
}

/* --- In sockets. */

#define FLIGHTS	6

/* Away in a socket while the stack is unmounted and the file is switched. */
static int fly(int i, long *switches)
{
	int fd = bs_file("stack/flight", i % 2), other, ends[2], wrong = 0;
	struct bs_switcher s;

	other = MUST(open("stack/flight", O_RDWR | O_CLOEXEC));
	make_pair(ends);
	send_fds(ends[0], &fd, 1);
	close(fd);
	bs_switch_begin(&s, other);
	wrong += dxs_umount("stack") != EBUSY;
	MUST(umount2("stack", MNT_DETACH));
	bs_switch_more(&s, 3);
	fd = receive_fd(ends[1]);
	bs_switch_more(&s, 1);
	bs_switch_end(&s);
	close(other);
	*switches += s.done;
	wrong += s.wrong + !bs_agree(fd) + !bs_bytes(fd, "in flight");
	/* Back, and never read: the socket is closed with it. */
	send_fds(ends[1], &fd, 1);
	wrong += !dxs_to(fd, !dxs_mode(fd), "in flight");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	wrong += !bs_device_free();
	dxs_mount_stack();
	return wrong;
}

/*
 * In a message that holds its own socket, which nobody else does: until the
 * kernel collects such garbage, when some other socket is closed.
 */
static int fly_in_circles(int i, long *switches)
{
	int fds[MANY] = { bs_file("stack/circle", i % 2) }, other, ends[2];
	int more[2], wrong = 0;
	struct bs_switcher s;

	other = MUST(open("stack/circle", O_RDWR | O_CLOEXEC));
	bs_switch_begin(&s, other);
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
	bs_switch_more(&s, 2);
	make_pair(more);
	close(more[0]);
	close(more[1]);
	bs_switch_more(&s, 2);
	bs_switch_end(&s);
	*switches += s.done;
	wrong += s.wrong + !bs_agree(other) + !bs_bytes(other, "in circles");
	close(other);
	wrong += !bs_device_free();
	dxs_mount_stack();
	return wrong;
}

void siege_flight(void)
{
	int i, wrong = 0, circles = 0;
	long switches = 0;

	for (i = 0; i < FLIGHTS; i++)
		wrong += fly(i, &switches);
	dxs_is(0, wrong, "in flight in a socket: nothing wrong");
	for (i = 0; i < FLIGHTS; i++)
		circles += fly_in_circles(i, &switches);
	dxs_is(0, circles, "in flight in circles: nothing wrong");
	dxs_ok(switches >= 8 * FLIGHTS, "in flight: switches took place");
}
