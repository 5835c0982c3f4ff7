// SPDX-License-Identifier: GPL-2.0
/*
 * Under switch=never the stack behaves as the lower filesystem alone: what a
 * change of the flag does and when it acts, inheritance, errors.
 *
 * The same scenes are played on the lower filesystem alone and on the stack,
 * each in a directory of its own. All that is seen goes into a log, and the two
 * logs are compared. Where the kernel's Documentation/filesystems/dax.rst (or a
 * man page) says what there is to see, this stands in the log too, lest both be
 * wrong together.
 *
 * Not played, because the stack is known to differ: FICLONE, and pages of a
 * file in dax mode that are pinned beyond its last close.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(16 * PAGE)
#define NOBODY	65534
/* Nothing is documented: it only has to be the same on both. */
#define ANY	LLONG_MIN

/* --- The logs. */

/**
 * struct entry - something seen
 * @what: which scene and what
 * @value: what was seen
 * @expected: what is documented, or ANY
 * @is_errno: of the value and what is expected
 */
struct entry {
	char *what;
	long long value;
	long long expected;
	bool is_errno;
};

struct log {
	struct entry *entries;
	size_t count;
};

static struct log on_lower, on_stack;
/* Of the filesystem that is mounted. */
static struct log *log_now;
static char *root;
static char scene_name[64];

static void vsaw(bool is_errno, long long expected, long long value,
		 const char *what, va_list args)
{
	struct entry *entry;
	char *text;

	entry = reallocarray(log_now->entries, log_now->count + 1,
			     sizeof(*entry));
	if (!entry || vasprintf(&text, what, args) < 0)
		abort();
	log_now->entries = entry;
	entry += log_now->count++;
	entry->value = value;
	entry->expected = expected;
	entry->is_errno = is_errno;
	if (asprintf(&entry->what, "%s: %s", scene_name, text) < 0)
		abort();
	free(text);
}

FORMAT(3, 4)
static void saw(long long expected, long long value, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	vsaw(false, expected, value, what, args);
	va_end(args);
}

FORMAT(3, 4)
static void saw_errno(long long expected, int value, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	vsaw(true, expected, value, what, args);
	va_end(args);
}

static void show(const char *where, const struct entry *entry, long long value)
{
	if (value == ANY)
		dxs_diag("%s: (nothing)", where);
	else if (entry->is_errno)
		dxs_diag("%s: %s", where,
			 value ? strerrorname_np(value) : "success");
	else
		dxs_diag("%s: %lld (%#llx)", where, value, value);
}

static void compare_logs(void)
{
	size_t i, count = on_lower.count;

	if (on_stack.count < count)
		count = on_stack.count;
	for (i = 0; i < count; i++) {
		const struct entry *a = &on_lower.entries[i];
		const struct entry *b = &on_stack.entries[i];

		if (strcmp(a->what, b->what))
			dxs_bail("the scenes part: '%s' on the lower filesystem, '%s' on the stack",
				 a->what, b->what);
		if (dxs_ok(a->value == b->value &&
			   (a->expected == ANY || a->expected == a->value),
			   "%s", a->what))
			continue;
		show("documented", a, a->expected);
		show("lower filesystem alone", a, a->value);
		show("stack", a, b->value);
	}
	dxs_is(on_lower.count, on_stack.count, "as much was seen on both");
}

/* --- Looking, and changing. */

/* Mode and flag of an open file; each may be ANY. */
FORMAT(4, 5)
static void look(int fd, long long mode, long long flag, const char *what, ...)
{
	unsigned int flags;
	char text[128];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	saw(mode, dxs_mode(fd), "%s: mode", text);
	saw(flag, dxs_xflag(fd), "%s: FS_XFLAG_DAX", text);
	saw(flag, !!(flags & FS_DAX_FL), "%s: FS_DAX_FL", text);
}

/* The same, of a file that is opened for it. A directory is never in dax. */
static void look_at(const char *path, long long mode, long long flag,
		    const char *what)
{
	int fd = MUST(open(path, O_RDONLY));

	look(fd, mode, flag, "%s", what);
	close(fd);
}

/* MAP_SYNC is for files in dax mode: not only what statx says. */
static void look_by_map(int fd, int mode, const char *what)
{
	void *map = dxs_map_sync(fd, PAGE);

	saw_errno(mode == DAXSTACK_DAX ? 0 : EOPNOTSUPP, ERR(map),
		  "%s: MAP_SYNC", what);
	if (map != MAP_FAILED)
		MUST(munmap(map, PAGE));
}

/* Other attributes than DAX. */
static void look_at_others(int fd, const char *what)
{
	struct statx stx;
	unsigned int flags;

	MUST(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
		   &stx));
	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	saw(ANY, flags, "%s: FS_IOC_GETFLAGS", what);
	saw(ANY, stx.stx_attributes, "%s: stx_attributes", what);
	saw(ANY, stx.stx_attributes_mask, "%s: stx_attributes_mask", what);
	saw(ANY, stx.stx_mode, "%s: stx_mode", what);
}

static uint32_t sum_of(const char *path)
{
	int fd = MUST(open(path, O_RDONLY));
	uint8_t buf[PAGE];
	uint32_t sum = 1;
	ssize_t n, i;

	while ((n = MUST(read(fd, buf, sizeof(buf)))) > 0)
		for (i = 0; i < n; i++)
			sum = (sum ^ buf[i]) * 16777619;
	close(fd);
	return sum;
}

static int change_flags(int fd, unsigned int set, unsigned int clear)
{
	unsigned int flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = (flags & ~clear) | set;
	return ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static int change_xflags(int fd, unsigned int set, unsigned int clear)
{
	struct fsxattr fsx;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags = (fsx.fsx_xflags & ~clear) | set;
	return ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
}

static int flag_by_setflags(int fd, int mode)
{
	return mode == DAXSTACK_DAX ? change_flags(fd, FS_DAX_FL, 0) :
				      change_flags(fd, 0, FS_DAX_FL);
}

/* A change of the flag that has to work. */
static void set(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDONLY));

	saw_errno(0, dxs_set_xflag(fd, mode), "flag of %s for %s", path,
		  dxs_mode_name(mode));
	close(fd);
}

/* A closed file in a mode, with bytes in it that may be still dirty. */
static void make(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));
	uint8_t buf[LEN];

	dxs_fill(buf, LEN, 1, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	close(fd);
	if (mode == DAXSTACK_DAX)
		set(path, mode);
}

static void make_dir(const char *path, int flag)
{
	MUST(mkdir(path, 0755));
	set(path, flag);
}

/* More than once: what one round lets go the next one finds. */
static void let_go(const char *which)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));
	int i;

	sync();
	for (i = 0; i < 5; i++)
		MUST(write(fd, which, 1));
	close(fd);
}

/* --- Scenes: the flag of an open file. */

static int by_fssetxattr(int fd, const char *path, int mode)
{
	(void)path;
	return dxs_set_xflag(fd, mode);
}

static int by_setflags(int fd, const char *path, int mode)
{
	(void)path;
	return flag_by_setflags(fd, mode);
}

static int by_chattr(int fd, const char *path, int mode)
{
	(void)fd;
	return DXS_RUN("chattr", mode == DAXSTACK_DAX ? "+x" : "-x", path);
}

static int by_xfs_io(int fd, const char *path, int mode)
{
	(void)fd;
	return DXS_RUN("xfs_io", "-r", "-c",
		       mode == DAXSTACK_DAX ? "chattr +x" : "chattr -x", path);
}

static const struct {
	const char *name;
	int (*set)(int fd, const char *path, int mode);
	int open;
} ways[] = {
	{ "FSSETXATTR", by_fssetxattr, O_RDWR },
	{ "FSSETXATTR, O_RDONLY", by_fssetxattr, O_RDONLY },
	{ "SETFLAGS", by_setflags, O_RDWR },
	{ "SETFLAGS, O_RDONLY", by_setflags, O_RDONLY },
	{ "chattr", by_chattr, O_RDWR },
	{ "xfs_io", by_xfs_io, O_RDWR },
};

/* "the change ... won't take effect until the files are closed" */
static void play_open(int to)
{
	int fd, other, third;
	uint32_t sum;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		const char *name = ways[i].name;

		make("f", !to);
		sum = sum_of("f");
		fd = MUST(open("f", ways[i].open));
		other = MUST(open("f", O_RDONLY));
		look(fd, !to, !to, "%s: before", name);
		saw(0, ways[i].set(fd, "f", to), "%s: result", name);
		look(fd, !to, to, "%s: descriptor", name);
		look(other, !to, to, "%s: other descriptor", name);
		if (ways[i].open == O_RDWR)
			look_by_map(fd, !to, name);
		third = MUST(open("f", O_RDONLY));
		look(third, !to, to, "%s: opened after that", name);
		close(third);
		close(fd);
		look(other, !to, to, "%s: one of them closed", name);
		saw(sum, sum_of("f"), "%s: bytes while open", name);
		close(other);
		fd = MUST(open("f", O_RDWR));
		look(fd, to, to, "%s: after the last close", name);
		look_by_map(fd, to, name);
		close(fd);
		saw(sum, sum_of("f"), "%s: bytes after that", name);
		MUST(unlink("f"));
	}
}

static void play_back(int to)
{
	int fd;

	make("f", !to);
	fd = MUST(open("f", O_RDWR));
	saw_errno(0, dxs_set_xflag(fd, to), "there");
	saw_errno(0, dxs_set_xflag(fd, !to), "and back");
	look(fd, !to, !to, "there and back");
	close(fd);
	look_at("f", !to, !to, "after the last close");

	fd = MUST(open("f", O_RDWR));
	saw_errno(0, dxs_set_xflag(fd, !to), "to what it is");
	look(fd, !to, !to, "to what it is");
	saw_errno(0, dxs_set_xflag(fd, to), "once");
	saw_errno(0, dxs_set_xflag(fd, to), "twice");
	look(fd, !to, to, "twice");
	/* Another attribute, while flag and mode are not the same. */
	saw_errno(0, change_flags(fd, FS_NODUMP_FL, 0), "only NODUMP");
	look(fd, !to, to, "only NODUMP");
	close(fd);
	look_at("f", to, to, "after the last close again");

	/* One that was opened first and written last. */
	fd = MUST(open("f", O_RDWR));
	set("f", !to);
	dxs_pwrite(fd, "late", 4, 2 * LEN);
	look(fd, to, !to, "written after the change");
	close(fd);
	look_at("f", !to, !to, "written after the change, closed");
	fd = MUST(open("f", O_RDWR));
	saw(2 * LEN + 4, lseek(fd, 0, SEEK_END), "size");
	close(fd);
}

/* --- Scenes: who else keeps a file from its last close. */

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

	/* Received without room for the descriptor: it is closed. */
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

/* A program that runs; it is in the file by now. */
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

static void play_held(int to)
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
		snprintf(text, sizeof(text), "%s: is gone", name);
		look_at("f", documented ? to : ANY, to, text);
		saw(sum, sum_of("f"), "%s: bytes after that", name);
		/* Whoever looked at it may have left a name in the caches. */
		let_go("3");
		snprintf(text, sizeof(text), "%s: caches dropped", name);
		look_at("f", to, to, text);
		saw(sum, sum_of("f"), "%s: bytes at the end", name);
		MUST(unlink("f"));
	}
}

/* Both names in the caches, or open. */
static void play_links(int to)
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
	/* A change of something else has nothing to say about names. */
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

	/* Names that come and go while it is open. */
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

static void play_caches(int to)
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
	look_at("f", !to, !to, "nobody else has it open");
	let_go("3");
	look_at("f", !to, !to, "nobody else has it open, caches dropped");
}

static void play_unlinked(int to)
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

/* --- Scenes: bytes. */

#define BIG	(MIB + 123)

static void check_bytes(const char *path, const uint8_t *bytes,
			const char *what)
{
	int fd = MUST(open(path, O_RDWR));
	uint8_t *seen = dxs_alloc(BIG);
	uint8_t *map;

	dxs_pread(fd, seen, BIG, 0);
	saw(true, dxs_same(bytes, seen, BIG, 0, what), "%s: bytes read", what);
	map = MUST(mmap(NULL, BIG, PROT_READ, MAP_SHARED, fd, 0));
	saw(true, dxs_same(bytes, map, BIG, 0, what), "%s: bytes mapped", what);
	MUST(munmap(map, BIG));
	free(seen);
	close(fd);
}

/* Nothing is synced before the last close. */
static void play_bytes(int to)
{
	uint8_t *bytes = dxs_alloc(BIG), *map;
	int fd;

	make("f", !to);
	fd = MUST(open("f", O_RDWR));
	dxs_fill(bytes, BIG, 2, 0);
	dxs_pwrite(fd, bytes, BIG, 0);
	map = MUST(mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	dxs_fill(bytes + 5 * PAGE, 3 * PAGE, 3, 0);
	memcpy(map + 5 * PAGE, bytes + 5 * PAGE, 3 * PAGE);
	saw_errno(0, dxs_set_xflag(fd, to), "dirty");
	dxs_fill(bytes + 10 * PAGE, 3 * PAGE, 4, 0);
	memcpy(map + 10 * PAGE, bytes + 10 * PAGE, 3 * PAGE);
	dxs_fill(bytes + BIG - 200, 100, 5, 0);
	dxs_pwrite(fd, bytes + BIG - 200, 100, BIG - 200);
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       20 * PAGE, 2 * PAGE));
	memset(bytes + 20 * PAGE, 0, 2 * PAGE);
	look(fd, !to, to, "dirty");
	close(fd);
	check_bytes("f", bytes, "dirty and mapped");
	MUST(munmap(map, BIG));
	look_at("f", to, to, "dirty, closed");
	check_bytes("f", bytes, "dirty, closed");
	set("f", !to);
	look_at("f", !to, !to, "and back");
	check_bytes("f", bytes, "and back");
	free(bytes);
}

/* --- Scenes: other attributes, and errors. */

static void reopen(int *fd)
{
	close(*fd);
	*fd = MUST(open("f", O_RDONLY));
}

static void change_cap(int cap, bool on)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];
	uint32_t bit = 1u << (cap % 32);

	MUST(syscall(SYS_capget, &header, data));
	if (on)
		data[cap / 32].effective |= bit;
	else
		data[cap / 32].effective &= ~bit;
	MUST(syscall(SYS_capset, &header, data));
}

static void play_others(int to)
{
	unsigned int on = to == DAXSTACK_DAX ? FS_DAX_FL : 0;
	unsigned int xon = to == DAXSTACK_DAX ? FS_XFLAG_DAX : 0;
	unsigned int off = FS_DAX_FL & ~on, xoff = FS_XFLAG_DAX & ~xon;
	int fd;

	make("f", !to);
	fd = MUST(open("f", O_RDONLY));
	look_at_others(fd, "before");
	saw_errno(0, change_flags(fd, on | FS_NOATIME_FL, off),
		  "SETFLAGS, with NOATIME");
	look(fd, !to, to, "SETFLAGS, with NOATIME");
	look_at_others(fd, "SETFLAGS, with NOATIME");
	reopen(&fd);
	look(fd, to, to, "SETFLAGS, with NOATIME, closed");
	look_at_others(fd, "SETFLAGS, with NOATIME, closed");

	saw_errno(0, change_xflags(fd, xoff | FS_XFLAG_NODUMP,
				   xon | FS_XFLAG_NOATIME),
		  "FSSETXATTR, with NODUMP");
	look(fd, to, !to, "FSSETXATTR, with NODUMP");
	look_at_others(fd, "FSSETXATTR, with NODUMP");
	saw_errno(0, change_flags(fd, FS_SYNC_FL, FS_NODUMP_FL), "only SYNC");
	look(fd, to, !to, "only SYNC");
	reopen(&fd);
	look(fd, !to, !to, "only SYNC, closed");
	look_at_others(fd, "only SYNC, closed");

	/* These two need CAP_LINUX_IMMUTABLE; nothing is stored without. */
	change_cap(CAP_LINUX_IMMUTABLE, false);
	saw_errno(EPERM, change_flags(fd, on | FS_APPEND_FL, off),
		  "SETFLAGS, with APPEND, no capability");
	saw_errno(EPERM, change_xflags(fd, xon | FS_XFLAG_IMMUTABLE, xoff),
		  "FSSETXATTR, with IMMUTABLE, no capability");
	change_cap(CAP_LINUX_IMMUTABLE, true);
	look(fd, !to, !to, "no capability");
	look_at_others(fd, "no capability");

	saw_errno(0, change_flags(fd, on | FS_APPEND_FL, off), "with APPEND");
	look(fd, !to, to, "with APPEND");
	saw_errno(EPERM, ERR(open("f", O_RDWR)), "with APPEND: open to write");
	reopen(&fd);
	look(fd, to, to, "with APPEND, closed");
	saw_errno(0, change_xflags(fd, xoff, xon), "of an APPEND file");
	look(fd, to, !to, "of an APPEND file");
	reopen(&fd);
	look(fd, !to, !to, "of an APPEND file, closed");
	saw_errno(0, change_flags(fd, 0, FS_APPEND_FL), "without APPEND");

	saw_errno(ANY, change_flags(fd, on | FS_IMMUTABLE_FL, off),
		  "with IMMUTABLE");
	look(fd, !to, ANY, "with IMMUTABLE");
	look_at_others(fd, "with IMMUTABLE");
	reopen(&fd);
	look(fd, ANY, ANY, "with IMMUTABLE, closed");
	saw_errno(ANY, change_flags(fd, off, on), "of an IMMUTABLE file");
	saw_errno(ANY, change_xflags(fd, xoff, xon),
		  "of an IMMUTABLE file, FSSETXATTR");
	look(fd, ANY, ANY, "of an IMMUTABLE file");
	saw_errno(0, change_flags(fd, on, FS_IMMUTABLE_FL | off),
		  "without IMMUTABLE");
	look(fd, ANY, to, "without IMMUTABLE");
	reopen(&fd);
	look(fd, to, to, "without IMMUTABLE, closed");
	look_at_others(fd, "without IMMUTABLE, closed");
	close(fd);
}

/* Refused as a whole, or in part. */
static void play_errors(int to)
{
	static const unsigned int odd[] = {
		FS_COMPR_FL, FS_UNRM_FL, FS_INDEX_FL, FS_EXTENT_FL, FS_NOCOW_FL,
		FS_INLINE_DATA_FL, FS_PROJINHERIT_FL, FS_DIRSYNC_FL,
		FS_CASEFOLD_FL, 0x80000000,
	};
	static const unsigned int xodd[] = {
		FS_XFLAG_REALTIME, FS_XFLAG_EXTSZINHERIT, FS_XFLAG_RTINHERIT,
		FS_XFLAG_NODEFRAG, FS_XFLAG_PROJINHERIT, FS_XFLAG_FILESTREAM,
		0x00100000,
	};
	struct fsxattr fsx;
	char text[64];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(odd) + ARRAY_SIZE(xodd); i++) {
		bool x = i >= ARRAY_SIZE(odd);
		unsigned int bit = x ? xodd[i - ARRAY_SIZE(odd)] : odd[i];
		unsigned int dax = x ? FS_XFLAG_DAX : FS_DAX_FL;
		unsigned int on = to == DAXSTACK_DAX ? dax : 0;
		int (*change)(int fd, unsigned int set, unsigned int clear) =
			x ? change_xflags : change_flags;

		snprintf(text, sizeof(text), "%s with %#x",
			 x ? "FSSETXATTR" : "SETFLAGS", bit);
		make("f", !to);
		fd = MUST(open("f", O_RDONLY));
		saw_errno(ANY, change(fd, on | bit, dax & ~on), "%s", text);
		look(fd, !to, ANY, "%s", text);
		look_at_others(fd, text);
		reopen(&fd);
		look(fd, ANY, ANY, "%s, closed", text);
		saw_errno(ANY, change(fd, 0, bit), "%s, and back", text);
		close(fd);
		MUST(unlink("f"));
	}

	/* Only directories can have it: refused as a whole. */
	make("f", !to);
	fd = MUST(open("f", O_RDONLY));
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags ^= FS_XFLAG_DAX;
	fsx.fsx_xflags |= FS_XFLAG_EXTSZINHERIT;
	fsx.fsx_extsize = 16 * KIB;
	saw_errno(EINVAL, ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)),
		  "EXTSZINHERIT of a file");
	look(fd, !to, !to, "EXTSZINHERIT of a file");

	/* A file that has blocks. */
	fsx.fsx_xflags &= ~FS_XFLAG_EXTSZINHERIT;
	fsx.fsx_xflags |= FS_XFLAG_EXTSIZE;
	MUST(fsync(fd));
	saw_errno(dxs_on_xfs() ? EINVAL : ANY,
		  ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)),
		  "an extent size, with blocks");
	look(fd, !to, ANY, "an extent size, with blocks");
	reopen(&fd);
	look(fd, ANY, ANY, "an extent size, with blocks, closed");
	close(fd);
	MUST(unlink("f"));

	/* One that has none. */
	fd = MUST(open("f", O_RDONLY | O_CREAT | O_EXCL, 0644));
	fsx.fsx_xflags &= ~FS_XFLAG_DAX;
	fsx.fsx_xflags |= to == DAXSTACK_DAX ? FS_XFLAG_DAX : 0;
	saw_errno(ANY, ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)),
		  "an extent size, empty");
	look(fd, ANY, ANY, "an extent size, empty");
	reopen(&fd);
	look(fd, ANY, ANY, "an extent size, empty, closed");
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	saw(ANY, fsx.fsx_extsize, "an extent size, empty: the size");
	close(fd);
	MUST(unlink("f"));

	/* ext4 may fail with the flag stored already. */
	make("f", !to);
	fd = MUST(open("f", O_RDONLY));
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags ^= FS_XFLAG_DAX;
	fsx.fsx_projid = 5;
	saw_errno(ANY, ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx)), "a project");
	look(fd, !to, ANY, "a project");
	reopen(&fd);
	look(fd, ANY, ANY, "a project, closed");
	close(fd);
}

/* Only ext4 has them. A file with data journalling cannot be in dax. */
static void play_journalled(int to)
{
	int fd;

	(void)to;
	make("f", DAXSTACK_CACHED);
	fd = MUST(open("f", O_RDONLY));
	saw_errno(0, change_flags(fd, FS_JOURNAL_DATA_FL, 0), "journalled");
	saw_errno(EOPNOTSUPP, change_flags(fd, FS_DAX_FL, 0),
		  "journalled: SETFLAGS");
	saw_errno(EOPNOTSUPP, change_xflags(fd, FS_XFLAG_DAX, 0),
		  "journalled: FSSETXATTR");
	saw_errno(EOPNOTSUPP, change_flags(fd, FS_DAX_FL, FS_JOURNAL_DATA_FL),
		  "journalled: one for the other");
	look(fd, DAXSTACK_CACHED, DAXSTACK_CACHED, "journalled");
	reopen(&fd);
	look(fd, DAXSTACK_CACHED, DAXSTACK_CACHED, "journalled, closed");
	saw_errno(0, change_flags(fd, 0, FS_JOURNAL_DATA_FL), "no longer");
	saw_errno(0, change_flags(fd, FS_DAX_FL, 0), "no longer: SETFLAGS");
	reopen(&fd);
	look(fd, DAXSTACK_DAX, DAXSTACK_DAX, "no longer, closed");

	saw_errno(EOPNOTSUPP, change_flags(fd, FS_JOURNAL_DATA_FL, 0),
		  "a file in dax");
	look(fd, DAXSTACK_DAX, DAXSTACK_DAX, "a file in dax");
	saw_errno(0, change_flags(fd, 0, FS_DAX_FL), "flag cleared");
	saw_errno(ANY, change_flags(fd, FS_JOURNAL_DATA_FL, 0),
		  "flag cleared, still in dax");
	look(fd, DAXSTACK_DAX, ANY, "flag cleared, still in dax");
	look_at_others(fd, "flag cleared, still in dax");
	saw_errno(ANY, change_flags(fd, FS_JOURNAL_DATA_FL | FS_DAX_FL, 0),
		  "both, still in dax");
	look(fd, DAXSTACK_DAX, ANY, "both, still in dax");
	look_at_others(fd, "both, still in dax");
	reopen(&fd);
	look(fd, ANY, ANY, "both, still in dax, closed");
	look_at_others(fd, "both, still in dax, closed");
	change_flags(fd, 0, FS_JOURNAL_DATA_FL | FS_DAX_FL);
	reopen(&fd);
	look(fd, DAXSTACK_CACHED, DAXSTACK_CACHED, "neither");

	saw_errno(ANY, change_flags(fd, FS_JOURNAL_DATA_FL | FS_DAX_FL, 0),
		  "both at once");
	look(fd, DAXSTACK_CACHED, ANY, "both at once");
	look_at_others(fd, "both at once");
	reopen(&fd);
	look(fd, ANY, ANY, "both at once, closed");
	look_at_others(fd, "both at once, closed");
	close(fd);
}

static void play_who(int to)
{
	struct stat st;
	int fd, dir;

	make("f", !to);
	MUST(mkdir("d", 0755));
	fd = MUST(open("f", O_RDONLY));
	dir = MUST(open("d", O_RDONLY));
	MUST(seteuid(NOBODY));
	saw_errno(EPERM, dxs_set_xflag(fd, to), "somebody else: FSSETXATTR");
	saw_errno(EPERM, dxs_set_xflag(fd, !to),
		  "somebody else: FSSETXATTR of what it is");
	saw_errno(EPERM, flag_by_setflags(fd, to), "somebody else: SETFLAGS");
	saw_errno(EPERM, dxs_set_xflag(dir, DAXSTACK_DAX),
		  "somebody else: a directory");
	MUST(seteuid(0));
	look(fd, !to, !to, "somebody else");
	reopen(&fd);
	look(fd, !to, !to, "somebody else, closed");

	MUST(fchown(fd, NOBODY, NOBODY));
	MUST(fchmod(fd, 0444));
	change_cap(CAP_FOWNER, false);
	saw_errno(EPERM, dxs_set_xflag(fd, to),
		  "root without CAP_FOWNER: FSSETXATTR");
	saw_errno(EPERM, flag_by_setflags(fd, to),
		  "root without CAP_FOWNER: SETFLAGS");
	change_cap(CAP_FOWNER, true);
	look(fd, !to, !to, "root without CAP_FOWNER");
	saw_errno(0, dxs_set_xflag(fd, to), "root with CAP_FOWNER");
	look(fd, !to, to, "root with CAP_FOWNER");
	reopen(&fd);
	look(fd, to, to, "root with CAP_FOWNER, closed");

	MUST(fchmod(fd, 06555));
	MUST(seteuid(NOBODY));
	saw_errno(0, dxs_set_xflag(fd, !to), "the owner: FSSETXATTR");
	MUST(fstat(fd, &st));
	saw(ANY, st.st_mode, "the owner: the set-user-ID bit");
	saw_errno(0, flag_by_setflags(fd, to), "the owner: SETFLAGS");
	saw_errno(0, flag_by_setflags(fd, !to), "the owner: and back");
	MUST(seteuid(0));
	look(fd, to, !to, "the owner");
	reopen(&fd);
	look(fd, !to, !to, "the owner, closed");
	close(fd);
	close(dir);
}

static void remount(unsigned long flags)
{
	MUST(mount(NULL, root, NULL, MS_REMOUNT | flags, NULL));
}

static void play_read_only(int to)
{
	/* The whole filesystem, or the mount. */
	static const unsigned long binds[] = { 0, MS_BIND };
	char text[64];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(binds); i++) {
		const char *name = binds[i] ? "read-only mount" :
					      "read-only filesystem";

		make("f", !to);
		fd = MUST(open("f", O_RDONLY));
		remount(MS_RDONLY | binds[i]);
		saw_errno(EROFS, dxs_set_xflag(fd, to), "%s: FSSETXATTR", name);
		saw_errno(EROFS, dxs_set_xflag(fd, !to),
			  "%s: FSSETXATTR of what it is", name);
		saw_errno(EROFS, flag_by_setflags(fd, to), "%s: SETFLAGS",
			  name);
		MUST(seteuid(NOBODY));
		saw_errno(EROFS, dxs_set_xflag(fd, to), "%s: somebody else",
			  name);
		MUST(seteuid(0));
		look(fd, !to, !to, "%s", name);
		reopen(&fd);
		look(fd, !to, !to, "%s, closed", name);
		remount(binds[i]);

		saw_errno(0, dxs_set_xflag(fd, to), "%s: before", name);
		remount(MS_RDONLY | binds[i]);
		look(fd, !to, to, "%s, changed before", name);
		close(fd);
		snprintf(text, sizeof(text), "%s, changed before, closed",
			 name);
		look_at("f", to, to, text);
		remount(binds[i]);
		MUST(unlink("f"));
	}
}

/* --- Scenes: inheritance. */

static void touch(const char *path)
{
	close(MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644)));
}

/* "inherited by all regular files and subdirectories ... created" */
static void play_born(int to)
{
	unsigned int flags;
	int fd;

	make("other", !to);
	make_dir("tree", !to);
	make("tree/file", !to);
	MUST(mkdir("tree/sub", 0755));
	MUST(mkdir("d", 0755));
	touch("d/before");
	MUST(mkdir("d/subbefore", 0755));
	set("d", to);
	look_at("d", DAXSTACK_CACHED, to, "the directory");
	look_at("d/before", DAXSTACK_CACHED, DAXSTACK_CACHED,
		"a file that was there");
	look_at("d/subbefore", DAXSTACK_CACHED, DAXSTACK_CACHED,
		"a directory that was there");

	fd = MUST(open("d/create", O_RDWR | O_CREAT | O_EXCL, 0644));
	look(fd, to, to, "create");
	close(fd);
	look_at("d/create", to, to, "create, closed");
	MUST(mknod("d/mknod", S_IFREG | 0644, 0));
	look_at("d/mknod", to, to, "mknod");
	fd = MUST(open("d", O_RDWR | O_TMPFILE, 0644));
	look(fd, to, to, "O_TMPFILE");
	MUST(linkat(fd, "", AT_FDCWD, "d/tmpfile", AT_EMPTY_PATH));
	MUST(linkat(fd, "", AT_FDCWD, "tree/tmpfile", AT_EMPTY_PATH));
	close(fd);
	look_at("d/tmpfile", to, to, "O_TMPFILE, linked");
	look_at("tree/tmpfile", to, to, "O_TMPFILE, linked elsewhere");
	MUST(mkdir("d/sub", 0755));
	look_at("d/sub", DAXSTACK_CACHED, to, "mkdir");
	MUST(mkdir("d/sub/sub", 0755));
	look_at("d/sub/sub", DAXSTACK_CACHED, to, "mkdir, nested");
	touch("d/sub/sub/create");
	look_at("d/sub/sub/create", to, to, "create, nested");

	saw(0, DXS_RUN("cp", "other", "d/cp"), "cp");
	look_at("d/cp", to, to, "cp");
	saw(sum_of("other"), sum_of("d/cp"), "cp: bytes");
	saw(0, DXS_RUN("cp", "-a", "other", "d/cp-a"), "cp -a");
	look_at("d/cp-a", to, to, "cp -a");
	saw(0, DXS_RUN("cp", "-a", "tree", "d/"), "cp -a of a tree");
	look_at("d/tree", DAXSTACK_CACHED, to, "cp -a of a tree");
	look_at("d/tree/sub", DAXSTACK_CACHED, to, "cp -a of a tree: sub");
	look_at("d/tree/file", to, to, "cp -a of a tree: file");
	saw(sum_of("other"), sum_of("d/tree/file"), "cp -a of a tree: bytes");
	saw(0, DXS_RUN("cp", "--reflink=never", "d/cp", "other"), "cp over");
	look_at("other", !to, !to, "cp over: keeps its own");
	saw(0, DXS_RUN("cp", "other", "/tmp/upstream"), "cp away");
	saw(0, DXS_RUN("mv", "/tmp/upstream", "d/mv"),
	    "mv from another filesystem");
	look_at("d/mv", to, to, "mv from another filesystem");
	saw(sum_of("other"), sum_of("d/mv"),
	    "mv from another filesystem: bytes");
	MUST(link("other", "d/link"));
	look_at("d/link", !to, !to, "link: keeps its own");

	/* Neither of these has flags. */
	MUST(mkfifo("d/fifo", 0644));
	fd = MUST(open("d/fifo", O_RDONLY | O_NONBLOCK));
	saw_errno(ENOTTY, ERR(ioctl(fd, FS_IOC_GETFLAGS, &flags)), "fifo");
	flags = FS_DAX_FL;
	saw_errno(ENOTTY, ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags)),
		  "fifo: SETFLAGS");
	close(fd);
	MUST(symlink("create", "d/symlink"));
	fd = MUST(open("d/symlink", O_PATH | O_NOFOLLOW));
	saw_errno(EBADF, ERR(ioctl(fd, FS_IOC_GETFLAGS, &flags)), "symlink");
	saw(DAXSTACK_CACHED, dxs_mode(fd), "symlink: mode");
	close(fd);
	look_at("d/symlink", to, to, "symlink, followed");

	set("d", !to);
	touch("d/after");
	look_at("d/after", !to, !to, "created after the directory changed");
	look_at("d/create", to, to, "created before that");
}

/* The three examples of dax.rst, word for word. */
static void play_examples(int to)
{
	static const struct {
		const char *make;
		const char *flag;
		const char *more[2];
		const char *dax;
	} examples[] = {
		{ "A/a/b/c", "A/a", { "A/a/b/c/d", "A/a/e" }, "ae" },
		{ "B/a", "B/a", { "B/a/b/c/d" }, "abcd" },
		{ "C/a/b/c", "C/a/b/c", { "C/a/b/c/d" }, "cd" },
	};
	char command[128], what[16], path[PATH_MAX];
	FILE *found;
	size_t i, j;

	(void)to;
	for (i = 0; i < ARRAY_SIZE(examples); i++) {
		saw(0, DXS_RUN("mkdir", "-p", examples[i].make), "mkdir -p");
		saw(0, DXS_RUN("xfs_io", "-r", "-c", "chattr +x",
			       examples[i].flag), "chattr +x");
		for (j = 0; j < 2 && examples[i].more[j]; j++)
			saw(0, DXS_RUN("mkdir", "-p", examples[i].more[j]),
			    "mkdir");
		snprintf(command, sizeof(command),
			 "find %.1s -mindepth 1 -type d | sort",
			 examples[i].make);
		found = popen(command, "r");
		while (found && fgets(path, sizeof(path), found)) {
			size_t len = strcspn(path, "\n");

			path[len] = 0;
			snprintf(what, sizeof(what), "%c: %c", path[0],
				 path[len - 1]);
			look_at(path, DAXSTACK_CACHED,
				!!strchr(examples[i].dax, path[len - 1]), what);
		}
		if (!found || pclose(found))
			dxs_bail("cannot list the directories");
	}
}

static void play_moved(int to)
{
	int fd;

	make_dir("d", to);
	make_dir("e", !to);
	make("f", !to);
	saw(0, DXS_RUN("mv", "f", "d/"), "mv");
	look_at("d/f", !to, !to, "mv: keeps its flag");
	MUST(rename("d/f", "d/g"));
	look_at("d/g", !to, !to, "rename within: keeps its flag");
	fd = MUST(open("d/g", O_RDONLY));
	MUST(rename("d/g", "f"));
	look(fd, !to, !to, "rename while open: keeps its flag");
	saw_errno(0, dxs_set_xflag(fd, to), "changed while open");
	MUST(rename("f", "e/f"));
	look(fd, !to, to, "changed and renamed while open");
	look_at("e/f", !to, to, "changed and renamed while open: opened again");
	close(fd);
	look_at("e/f", to, to, "changed and renamed while open: closed");

	/* Over a file that is open. */
	make("e/g", !to);
	fd = MUST(open("e/g", O_RDONLY));
	saw_errno(0, dxs_set_xflag(fd, to), "replaced while open");
	MUST(rename("e/f", "e/g"));
	look(fd, !to, to, "replaced while open");
	close(fd);
	look_at("e/g", to, to, "replaced: the new one");

	touch("d/x");
	touch("e/y");
	MUST(renameat2(AT_FDCWD, "d/x", AT_FDCWD, "e/y", RENAME_EXCHANGE));
	look_at("e/y", to, to, "exchanged: one");
	look_at("d/x", !to, !to, "exchanged: the other");
	MUST(renameat2(AT_FDCWD, "d/x", AT_FDCWD, "e", RENAME_EXCHANGE));
	look_at("e", !to, !to, "exchanged with a directory: the file");
	look_at("d/x", DAXSTACK_CACHED, !to, "exchanged with a directory");
	look_at("d/x/y", to, to, "exchanged with a directory: a file in it");
	touch("d/x/new");
	look_at("d/x/new", !to, !to, "exchanged with a directory: a new file");

	MUST(mkdir("d/sub", 0755));
	touch("d/sub/x");
	saw(0, DXS_RUN("mv", "d/sub", "d/x/"), "mv of a directory");
	look_at("d/x/sub", DAXSTACK_CACHED, to, "mv of a directory: it");
	look_at("d/x/sub/x", to, to, "mv of a directory: a file in it");
	touch("d/x/sub/y");
	look_at("d/x/sub/y", to, to, "mv of a directory: a new file in it");
}

/* The root itself; it is as it was after that. */
static void play_root(int to)
{
	MUST(chdir(root));
	set(".", to);
	look_at(".", DAXSTACK_CACHED, to, "root");
	touch("born");
	look_at("born", to, to, "born there");
	MUST(unlink("born"));
	set(".", DAXSTACK_CACHED);
}

/* What is stored is found by the next mount, also if it never acted. */
static void leave_some(int to)
{
	int fd;

	make_dir("d", to);
	touch("d/born");
	make("closed", !to);
	set("closed", to);
	make("open", !to);
	fd = MUST(open("open", O_RDONLY));
	saw_errno(0, dxs_set_xflag(fd, to), "open");
	close(fd);
	make("as-it-was", !to);
	make("linked", !to);
	MUST(link("linked", "d/linked"));
	look_at("d/linked", !to, !to, "linked");
	set("linked", to);
}

static void find_some(int to)
{
	look_at("d", DAXSTACK_CACHED, to, "a directory");
	look_at("d/born", to, to, "born in it");
	look_at("closed", to, to, "changed while closed");
	look_at("open", to, to, "changed while open");
	look_at("as-it-was", !to, !to, "not changed");
	look_at("linked", to, to, "changed by another name");
	look_at("d/linked", to, to, "changed by another name, that one");
	touch("d/later");
	look_at("d/later", to, to, "born later");
}

/* --- All of it, on what is mounted. */

static const struct scene {
	const char *name;
	void (*play)(int to);
	/* After the next mount. */
	void (*find)(int to);
	bool once;
	bool ext4;
} scenes[] = {
	{ "open", .play = play_open },
	{ "there and back", .play = play_back },
	{ "held", .play = play_held },
	{ "hard links", .play = play_links },
	{ "drop_caches", .play = play_caches },
	{ "nameless", .play = play_unlinked },
	{ "bytes", .play = play_bytes },
	{ "other attributes", .play = play_others },
	{ "errors", .play = play_errors },
	{ "data journalling", .play = play_journalled, .once = true, .ext4 = true },
	{ "who", .play = play_who },
	{ "read-only", .play = play_read_only },
	{ "born", .play = play_born },
	{ "examples", .play = play_examples, .once = true },
	{ "moved", .play = play_moved },
	{ "root", .play = play_root },
	{ "persistent", .play = leave_some, .find = find_some },
};

static void play_all(bool again)
{
	const struct scene *scene = scenes;
	char dir[PATH_MAX];
	int to;

	for (; scene < scenes + ARRAY_SIZE(scenes); scene++) {
		void (*play)(int to) = again ? scene->find : scene->play;

		if (!play || (scene->ext4 && dxs_on_xfs()))
			continue;
		for (to = scene->once; to <= DAXSTACK_DAX; to++) {
			snprintf(scene_name, sizeof(scene_name), "%s%s%s",
				 scene->name, scene->once ? "" : ", to ",
				 scene->once ? "" : dxs_mode_name(to));
			snprintf(dir, sizeof(dir), "%s/%s", root, scene_name);
			if (!again)
				MUST(mkdir(dir, 0755));
			MUST(chdir(dir));
			play(to);
		}
	}
}

static void run(const char *mount_point, void (*mount_it)(void),
		struct log *log)
{
	char *dir = realpath(".", NULL);
	int again;

	dxs_mkfs(NULL);
	log_now = log;
	for (again = 0; again < 2; again++) {
		mount_it();
		root = realpath(mount_point, NULL);
		play_all(again);
		MUST(chdir(dir));
		MUST(umount2(mount_point, 0));
		free(root);
	}
	dxs_fsck();
	free(dir);
}

static void mount_never(void)
{
	char options[48];
	int err;

	snprintf(options, sizeof(options), "lower=%s,switch=never", dxs_fs);
	err = dxs_mount(dxs_pmem, "stack", "daxstack", options);
	if (err)
		dxs_bail("mount with %s: %s", options, strerror(err));
}

int main(void)
{
	double start;

	dxs_begin();
	start = dxs_now();
	run("lower", dxs_mount_lower, &on_lower);
	dxs_diag("%.1f s on the lower filesystem alone", dxs_now() - start);
	start = dxs_now();
	run("stack", mount_never, &on_stack);
	dxs_diag("%.1f s on the stack", dxs_now() - start);
	compare_logs();
	return dxs_done();
}
