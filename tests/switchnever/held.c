// SPDX-License-Identifier: GPL-2.0-only
/*
 * switchnever: holders that defer a file's last close; names and caches.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switchnever.h"

static int held_fd = -1, held_ends[2];
static uint8_t *held_map;
static pid_t held_pid;

static void close_held(void)
{
	close(held_fd);
	held_fd = -1;
}

static void open_held(int flags)
{
	held_fd = MUST(open("f", flags));
}

static void hold_open(void)
{
	open_held(O_RDONLY);
}

static void hold_path(void)
{
	open_held(O_PATH);
}

static void hold_child(void)
{
	open_held(O_RDONLY);
	held_pid = MUST(fork());
	while (!held_pid)
		pause();
	close_held();
}

static void let_child(void)
{
	kill(held_pid, SIGKILL);
	waitpid(held_pid, NULL, 0);
}

/* In flight between two sockets. */
static void hold_message(void)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	open_held(O_RDONLY);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &held_fd, sizeof(int));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, held_ends));
	MUST(sendmsg(held_ends[0], &msg, 0));
	close_held();
}

static void let_message(void)
{
	char byte;

	/* Received without room for the descriptor, which closes it. */
	MUST(recv(held_ends[1], &byte, 1, 0));
	close(held_ends[0]);
	close(held_ends[1]);
}

static void map_held(int flags)
{
	open_held(O_RDWR);
	held_map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, flags, held_fd, 0);
	saw_errno(0, ERR(held_map), "mapped with %#x", flags);
	if (held_map == MAP_FAILED)
		held_map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE,
				     MAP_SHARED, held_fd, 0));
	close_held();
	held_map[PAGE] ^= 0x55;
	held_map[LEN - 1] ^= 0x55;
}

static void hold_shared(void)
{
	map_held(MAP_SHARED);
}

static void hold_private(void)
{
	map_held(MAP_PRIVATE);
}

static void hold_sync(void)
{
	map_held(MAP_SHARED_VALIDATE | MAP_SYNC);
}

static void let_map(void)
{
	MUST(munmap(held_map, LEN));
}

/* A running program, past execve(2). */
static void hold_running(void)
{
	char *const argv[] = { "f", "1000", NULL };

	saw(0, DXS_RUN("cp", "/usr/bin/sleep", "f"), "a program: copied");
	MUST(chmod("f", 0755));
	if (posix_spawn(&held_pid, "./f", NULL, NULL, argv, environ))
		dxs_bail("cannot run a program");
}

static void hold_inotify(void)
{
	held_fd = MUST(inotify_init());
	MUST(inotify_add_watch(held_fd, "f", IN_MODIFY));
}

static void hold_page(void)
{
	map_held(MAP_SHARED);
	dxs_pin(held_ends, held_map);
	let_map();
}

static void let_page(void)
{
	dxs_unpin(held_ends);
}

static const struct {
	const char *name;
	void (*take)(void);
	void (*let)(void);
	bool documented;
	int only;
} holds[] = {
	{ "another descriptor", hold_open, close_held, true, -1 },
	{ "a child's descriptor", hold_child, let_child, true, -1 },
	{ "a descriptor in a message", hold_message, let_message, true, -1 },
	{ "a shared mapping", hold_shared, let_map, true, -1 },
	{ "a private mapping", hold_private, let_map, true, -1 },
	{ "a MAP_SYNC mapping", hold_sync, let_map, true, DAXSTACK_CACHED },
	{ "a running program", hold_running, let_child, true, -1 },
	{ "an O_PATH descriptor", hold_path, close_held, false, -1 },
	{ "an inotify watch", hold_inotify, close_held, false, -1 },
	{ "a page in a pipe", hold_page, let_page, false, DAXSTACK_DAX },
};

void play_held(int to)
{
	uint32_t sum;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(holds); i++) {
		const char *name = holds[i].name;
		bool documented = holds[i].documented;
		char text[64];

		if (holds[i].only >= 0 && holds[i].only != to)
			continue;
		make("f", !to);
		holds[i].take();
		sum = sum_of("f");
		fd = MUST(open("f", O_RDONLY));
		saw_errno(0, dxs_set_xflag(fd, to), "%s: result", name);
		look(fd, !to, to, "%s: changed", name);
		let_go("2");
		close(fd);
		snprintf(text, sizeof(text), "%s: closed", name);
		look_at("f", documented ? !to : ANY, to, text);
		saw(sum, sum_of("f"), "%s: bytes", name);
		holds[i].let();
		snprintf(text, sizeof(text), "%s: released", name);
		look_at("f", documented ? to : ANY, to, text);
		saw(sum, sum_of("f"), "%s: bytes after release", name);
		/* Earlier lookups may have left a dentry in the cache. */
		let_go("3");
		snprintf(text, sizeof(text), "%s: caches dropped", name);
		look_at("f", to, to, text);
		saw(sum, sum_of("f"), "%s: bytes at the end", name);
		MUST(unlink("f"));
	}
}

/* Both names cached, or open. */
void play_links(int to)
{
	int fd, other;

	make("f", !to);
	MUST(link("f", "g"));
	look_at("g", !to, !to, "both names cached, before");
	fd = MUST(open("f", O_RDONLY));
	saw_errno(0, dxs_set_xflag(fd, to), "both names cached");
	close(fd);
	look_at("f", ANY, to, "both names cached, closed: one name");
	look_at("g", ANY, to, "both names cached, closed: other name");
	look_at("f", ANY, to, "both names cached, looked at: one name");
	/* Changing another attribute must not affect the names. */
	fd = MUST(open("f", O_RDONLY));
	saw_errno(0, change_flags(fd, FS_NODUMP_FL, 0), "only NODUMP");
	close(fd);
	look_at("g", ANY, to, "only NODUMP: other name");
	look_at("f", ANY, to, "only NODUMP: one name");
	let_go("2");
	look_at("f", to, to, "both names cached, caches dropped: one name");
	look_at("g", to, to, "both names cached, caches dropped: other name");

	fd = MUST(open("f", O_RDONLY));
	other = MUST(open("g", O_RDONLY));
	saw_errno(0, dxs_set_xflag(fd, !to), "both names open");
	close(fd);
	look(other, to, !to, "both names open, one closed");
	close(other);
	look_at("g", !to, !to, "both names open, both closed");
	look_at("f", !to, !to, "both names open, both closed: the first");

	/* Names added and removed while the file is open. */
	fd = MUST(open("f", O_RDONLY));
	saw_errno(0, dxs_set_xflag(fd, to), "names come and go");
	MUST(link("f", "h"));
	MUST(unlink("f"));
	MUST(rename("g", "f"));
	look(fd, !to, to, "names come and go, open");
	close(fd);
	look_at("f", ANY, to, "names come and go: the renamed one");
	look_at("h", ANY, to, "names come and go: the new one");
	let_go("3");
	look_at("f", to, to, "names come and go, caches dropped");
	look_at("h", to, to, "names come and go, caches dropped: the new one");
}

void play_caches(int to)
{
	int fd;

	make("f", !to);
	let_go("3");
	look_at("f", !to, !to, "nothing changed, caches dropped");
	fd = MUST(open("f", O_RDONLY));
	set("f", to);
	let_go("2");
	look(fd, !to, to, "changed by another descriptor, 2");
	let_go("3");
	look(fd, !to, to, "changed by another descriptor, 3");
	look_at("f", !to, to, "changed by another descriptor, opened again");
	close(fd);
	let_go("2");
	look_at("f", to, to, "closed, caches dropped");
	set("f", !to);
	look_at("f", !to, !to, "no other user has it open");
	let_go("3");
	look_at("f", !to, !to, "no other user has it open, caches dropped");
}

void play_unlinked(int to)
{
	int fd;

	make("f", !to);
	fd = MUST(open("f", O_RDWR));
	MUST(unlink("f"));
	saw_errno(0, dxs_set_xflag(fd, to), "unlinked: FSSETXATTR");
	look(fd, !to, to, "unlinked");
	saw_errno(0, flag_by_setflags(fd, !to), "unlinked: SETFLAGS");
	look(fd, !to, !to, "unlinked, and back");
	close(fd);

	set(".", !to);
	fd = MUST(open(".", O_RDWR | O_TMPFILE, 0644));
	dxs_pwrite(fd, "hello", 5, 0);
	look(fd, !to, !to, "O_TMPFILE");
	saw_errno(0, dxs_set_xflag(fd, to), "O_TMPFILE: FSSETXATTR");
	look(fd, !to, to, "O_TMPFILE, changed");
	MUST(linkat(fd, "", AT_FDCWD, "f", AT_EMPTY_PATH));
	look(fd, !to, to, "O_TMPFILE, changed, linked");
	close(fd);
	look_at("f", ANY, to, "O_TMPFILE, changed, linked, closed");
	let_go("2");
	look_at("f", to, to, "O_TMPFILE, changed, linked, caches dropped");
}
