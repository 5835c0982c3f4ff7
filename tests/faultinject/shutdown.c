// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lower filesystem shuts down, as after an error in its log, while files
 * are used and switched. Asserts that later calls and switches fail with EIO or
 * EROFS, and that durable data is there after the next mount.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/types.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faultinject.h"

/* EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are the same. */
#define SHUTDOWN	_IOR('X', 125, __u32)

/* Their kernel messages. */
#define ASKED_OF_EXT4	"EXT4-fs .*: shut down requested|Aborting journal on device"
#define ASKED_OF_XFS	"XFS .*(: User initiated shutdown|xfs_fs_goingdown)"

static const struct way {
	const char *name;
	__u32 flag;
} ways[] = {
	{ "shutdown, all data written", 0 },
	{ "shutdown, log written", 1 },
	{ "shutdown, nothing written", 2 },
};

#define LEN	(64 * PAGE)
/* From here on, data that was not made durable. */
#define OPEN	(32 * PAGE)

/* --- Concurrent users of the file. */

struct user {
	int fd;
	atomic_bool stop;
	atomic_long done;
	atomic_long failed;
	atomic_long wrong;
	pthread_t thread;
};

static void count(struct user *user, long err)
{
	if (!err)
		user->done++;
	else if (err == EIO || err == EROFS)
		user->failed++;
	else if (!user->wrong++)
		dxs_diag("expected success, EIO or EROFS: seen %s",
			 strerrorname_np(err));
}

static void *write_on(void *arg)
{
	struct user *user = arg;
	uint8_t page[PAGE];
	off_t pos = OPEN;

	memset(page, 0xff, sizeof(page));
	while (!user->stop) {
		count(user, ERR(pwrite(user->fd, page, PAGE, pos)));
		count(user, ERR(pread(user->fd, page, PAGE, pos)));
		if (pos == OPEN)
			count(user, ERR(fsync(user->fd)));
		pos += PAGE;
		if (pos == LEN)
			pos = OPEN;
		dxs_sleep_ms(1);
	}
	return NULL;
}

/* A fault that cannot be served raises SIGBUS. */
static __thread sigjmp_buf out;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(out, 1);
}

static void *store_on(void *arg)
{
	struct user *user = arg;
	volatile uint8_t *map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE,
					  MAP_SHARED, user->fd, 0));
	volatile off_t pos = OPEN;

	while (!user->stop) {
		if (sigsetjmp(out, 1)) {
			count(user, EIO);
		} else {
			map[pos] = 0xff;
			count(user, 0);
		}
		pos += PAGE;
		if (pos == LEN)
			pos = OPEN;
		dxs_sleep_ms(1);
	}
	MUST(munmap((void *)map, LEN));
	return NULL;
}

static void *switch_on(void *arg)
{
	struct user *user = arg;
	int to = DAXSTACK_CACHED, err;

	while (!user->stop) {
		to = !to;
		err = dxs_switch(user->fd, to, 20, NULL);
		/*
		 * EBUSY is not due to the shutdown: the lower filesystem is
		 * mounted to request it.
		 */
		if (err != EBUSY)
			count(user, err);
		dxs_sleep_ms(1);
	}
	return NULL;
}

static void begin(struct user *user, int fd, void *(*use)(void *))
{
	*user = (struct user){ .fd = fd };
	if (pthread_create(&user->thread, NULL, use, user))
		dxs_bail("cannot create a thread");
}

static void end(struct user *user, const char *what, const char *name)
{
	user->stop = true;
	pthread_join(user->thread, NULL);
	dxs_is(0, user->wrong, "%s: %s: succeeds, or EIO or EROFS", name, what);
}

/* Waits until the counter has grown by @much. */
static void wait_for(atomic_long *what, long much)
{
	struct dxs_watch begin = dxs_watch();

	while (*what < much && dxs_watched(&begin) < 30 * dxs_slow())
		dxs_sleep_ms(1);
}

/* --- The filesystem. */

static void shut_down(const struct way *way)
{
	__u32 flag = way->flag;
	int root;

	dxs_mount_lower();
	root = MUST(open("lower", O_RDONLY));
	dxs_errno(0, ERR(ioctl(root, SHUTDOWN, &flag)), "%s", way->name);
	close(root);
	dxs_umount_lower();
}

static int make_file(const char *path, int mode)
{
	static uint8_t bytes[LEN];
	int fd = MUST(open(path, O_RDWR | O_CREAT, 0644));

	dxs_to(fd, mode, path);
	dxs_fill(bytes, LEN, mode, 0);
	dxs_pwrite(fd, bytes, LEN, 0);
	MUST(fsync(fd));
	return fd;
}

/* Of a file for which the lower filesystem no longer answers statx. */
static int mode_of(int fd)
{
	struct daxstack_state state;

	MUST(ioctl(fd, DAXSTACK_IOC_STATE, &state));
	return state.mode;
}

/* Asserts that no switch succeeds, and that the errno says why. */
static void is_refused(int fd, const char *name)
{
	int mode = mode_of(fd), tries = 0, err;
	struct daxstack_switch sw;

	err = dxs_switch(fd, !mode, 5000, &sw);
	dxs_ok(err == EIO || err == EROFS,
	       "%s: switch from %s is refused: %s (%s)",
	       name, dxs_mode_name(mode), strerrorname_np(err),
	       dxs_reason_name(sw.reason));
	dxs_is(mode, mode_of(fd), "%s: still %s", name, dxs_mode_name(mode));
	/* It does not wait, so calls in progress may make it return EBUSY. */
	while ((err = dxs_set_xflag(fd, !mode)) == EBUSY && tries++ < 50)
		dxs_sleep_ms(100);
	dxs_ok(err == EIO || err == EROFS, "%s: chattr +x is refused: %s", name,
	       strerrorname_np(err));
	dxs_is(mode, mode_of(fd), "%s: still %s", name, dxs_mode_name(mode));
}

/* Asserts that durable data is there and the file switches. */
static void check_durable(const char *path, int seed, const char *name)
{
	static uint8_t expected[OPEN], seen[OPEN];
	int fd = MUST(open(path, O_RDWR)), i;

	dxs_fill(expected, OPEN, seed, 0);
	dxs_is(dxs_mode(fd), dxs_xflag(fd), "%s: %s: mode and flag agree", name,
	       path);
	for (i = 0; i < 3; i++) {
		dxs_pread(fd, seen, OPEN, 0);
		dxs_ok(dxs_same(expected, seen, OPEN, 0, path),
		       "%s: %s, %s: durable data", name, path,
		       dxs_mode_name(dxs_mode(fd)));
		dxs_to(fd, !dxs_mode(fd), name);
	}
	close(fd);
}

static void test_way(const struct way *way)
{
	static const char *const paths[] = { "stack/cached", "stack/dax" };
	/* These files are clean: only storing the flag can fail. */
	static const char *const quiet_paths[] = { "stack/quiet-cached",
						   "stack/quiet-dax" };
	struct user writer[2], storer[2], switcher[2];
	int fds[2], quiet[2], i;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	for (i = 0; i < 2; i++)
		quiet[i] = make_file(quiet_paths[i], i);
	for (i = 0; i < 2; i++) {
		fds[i] = make_file(paths[i], i);
		begin(&writer[i], fds[i], write_on);
		begin(&storer[i], fds[i], store_on);
		begin(&switcher[i], fds[i], switch_on);
	}
	for (i = 0; i < 2; i++) {
		wait_for(&writer[i].done, 20);
		wait_for(&switcher[i].done, 2);
	}
	dxs_expect(dxs_on_xfs() ? ASKED_OF_XFS : ASKED_OF_EXT4);
	shut_down(way);
	for (i = 0; i < 2; i++) {
		wait_for(&writer[i].failed, 5);
		wait_for(&switcher[i].failed, 5);
	}
	for (i = 0; i < 2; i++) {
		end(&switcher[i], "switches", way->name);
		end(&storer[i], "stores", way->name);
		end(&writer[i], "writes", way->name);
		dxs_ok(writer[i].failed >= 5, "%s: writes fail", way->name);
		is_refused(fds[i], way->name);
		is_refused(quiet[i], way->name);
		dxs_ok(ERR(pwrite(fds[i], "", 1, OPEN)), "%s: a write fails",
		       way->name);
		dxs_ok(ERR(fsync(fds[i])), "%s: fsync(2) fails", way->name);
		dxs_ok(ERR(ftruncate(fds[i], 0)), "%s: ftruncate(2) fails",
		       way->name);
		close(fds[i]);
		close(quiet[i]);
	}
	dxs_ok(open("stack/new", O_CREAT | O_RDWR, 0644) < 0,
	       "%s: creating a file fails", way->name);
	dxs_umount_stack();
	dxs_expect(NULL);

	/* The log is replayed. */
	dxs_mount_stack();
	for (i = 0; i < 2; i++) {
		check_durable(paths[i], i, way->name);
		check_durable(quiet_paths[i], i, way->name);
	}
	dxs_umount_stack();
	dxs_fsck();
}

void fault_shutdown(void)
{
	const struct sigaction action = { .sa_handler = on_bus };
	size_t i;

	MUST(sigaction(SIGBUS, &action, NULL));
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		test_way(&ways[i]);
	signal(SIGBUS, SIG_DFL);
}
