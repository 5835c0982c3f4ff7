// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hazards of waits: for calls that hold the gates open, and for the lower
 * filesystem.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define LEN	(64 * PAGE)

static void drop_caches(const char *what)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));

	MUST(write(fd, what, 1));
	close(fd);
}

/*
 * --- H4: a fault that reads a page loses its VMA, and so its file, meanwhile.
 */

struct loser {
	volatile uint8_t *map;
	atomic_bool there;
};

static void *lose_vma(void *arg)
{
	struct loser *loser = arg;
	int i;

	loser->there = true;
	/*
	 * The fault drops the mmap_lock for device reads; expect SIGSEGV if the
	 * VMA is gone.
	 */
	for (i = 0; i < 8; i++)
		loser->map[i * 8 * PAGE];
	return NULL;
}

static void lose_one(int round)
{
	struct loser loser = { 0 };
	pthread_t thread;
	int fd;

	fd = MUST(open("stack/file", O_RDWR));
	loser.map = hazard_map(fd, LEN);
	close(fd);
	if (pthread_create(&thread, NULL, lose_vma, &loser))
		_exit(1);
	while (!loser.there)
		;
	if (round % 4)
		usleep(round % 200);
	/* Drops the last use of the file; the inode goes with its dentry. */
	munmap((void *)loser.map, LEN);
	drop_caches("2");
	pthread_join(thread, NULL);
}

void h4_lost_vma(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED), i, status;
	pid_t pid;

	close(fd);
	for (i = 0; i < 60; i++) {
		drop_caches("3");
		pid = MUST(fork());
		if (!pid) {
			lose_one(i);
			_exit(0);
		}
		/* SIGSEGV is as likely as success. */
		MUST(waitpid(pid, &status, 0));
	}
	fd = MUST(open("stack/file", O_RDWR));
	dxs_to(fd, DAXSTACK_DAX, "H4");
	hazard_bytes(fd, LEN, "H4");
	close(fd);
}

/* --- H21: a file whose data was never accessed has no gates. */

static bool has_gates(int fd)
{
	struct daxstack_state state;

	MUST(ioctl(fd, DAXSTACK_IOC_STATE, &state));
	return state.flags & DAXSTACK_STATE_GATED;
}

void h21_untouched(void)
{
	int fd = MUST(open("stack/file", O_RDWR | O_CREAT, 0644));
	struct stat st;

	MUST(fstat(fd, &st));
	dxs_to(fd, DAXSTACK_DAX, "H21");
	dxs_to(fd, DAXSTACK_CACHED, "H21");
	dxs_is(false, has_gates(fd), "H21: opened and switched: no gates");
	dxs_pwrite(fd, "x", 1, 0);
	dxs_is(true, has_gates(fd), "H21: written: has gates");
	close(fd);
}

static void until_fault(int uffd)
{
	struct uffd_msg msg;

	if (read(uffd, &msg, sizeof(msg)) != sizeof(msg))
		dxs_bail("userfaultfd: %m");
}

/*
 * --- H1: during a switch, a read faults on a mapping of the file that it reads.
 *
 * The read waits for the first page of its buffer, inside the I/O gate, until the
 * switch has closed the gate. Then it faults on its second page, in a mapping of the
 * file. The switch must succeed in its first attempt: it does not if the fault waits
 * for it, however long the attempt lasts.
 */

struct crossing {
	int fd;
	int to;
	struct iovec into[2];
	ssize_t got;
	int err;
	struct daxstack_switch sw;
	atomic_bool switched;
};

static void *read_across(void *arg)
{
	struct crossing *c = arg;

	c->got = preadv(c->fd, c->into, 2, 0);
	return NULL;
}

static void *switch_across(void *arg)
{
	struct crossing *c = arg;

	c->err = dxs_switch(c->fd, c->to, 60000, &c->sw);
	c->switched = true;
	return NULL;
}

/* An open gate lets the read pass, a closed one does not. */
static bool gate_is_closed(int fd)
{
	uint8_t byte;
	struct iovec iov = { &byte, 1 };

	return preadv2(fd, &iov, 1, 0, RWF_NOWAIT) < 0 && errno == EAGAIN;
}

/*
 * Returns whether the switch needed one attempt. On a busy host the first attempt may
 * end before this process goes on.
 */
static bool cross(struct crossing *c, int uffd, uint8_t *late)
{
	pthread_t reader, switcher;
	bool closed;

	c->switched = false;
	c->into[0] = (struct iovec){ late, PAGE };
	c->into[1] = (struct iovec){ hazard_map(c->fd, LEN) + LEN / 2, PAGE };
	if (pthread_create(&reader, NULL, read_across, c))
		dxs_bail("cannot create a thread");
	until_fault(uffd);
	if (pthread_create(&switcher, NULL, switch_across, c))
		dxs_bail("cannot create a thread");
	while (!(closed = gate_is_closed(c->fd)) && !c->switched)
		dxs_sleep_ms(1);
	hazard_fill_page(uffd, late);
	pthread_join(reader, NULL);
	pthread_join(switcher, NULL);
	munmap(c->into[1].iov_base - LEN / 2, LEN);
	return closed && !c->err && c->sw.attempts == 1;
}

static void cross_to(int mode)
{
	const char *const name = dxs_mode_name(mode);
	unsigned int tries, wrong = 0, refused = 0;
	struct crossing c = { .to = mode };
	bool crossed = false;
	uint8_t *late, byte;
	int uffd;

	for (tries = 0; tries < 40 && !crossed; tries++) {
		uffd = hazard_missing_page(&late);
		if (uffd < 0) {
			dxs_skip("no userfaultfd", "H1, to %s", name);
			return;
		}
		c.fd = hazard_file("stack/file", LEN, !mode);
		/* If it were not cached, gate_is_closed() could not read it. */
		dxs_pread(c.fd, &byte, 1, 0);
		crossed = cross(&c, uffd, late);
		wrong += c.got != 2 * PAGE;
		refused += c.err != 0;
		close(c.fd);
		MUST(unlink("stack/file"));
		munmap(late, PAGE);
		close(uffd);
	}
	dxs_is(0, wrong, "H1, to %s: reads of another length", name);
	dxs_is(0, refused, "H1, to %s: refused switches", name);
	dxs_ok(crossed, "H1, to %s: the read ends during the switch", name);
	dxs_diag("%u tries", tries);
}

void h1_fault_of_read(void)
{
	cross_to(DAXSTACK_DAX);
	cross_to(DAXSTACK_CACHED);
}

/* --- H22: a call that does not end. */

struct reader {
	int fd;
	uint8_t *buf;
	atomic_bool done;
	ssize_t got;
};

static void *read_into_nothing(void *arg)
{
	struct reader *reader = arg;

	reader->got = pread(reader->fd, reader->buf, PAGE, 0);
	reader->done = true;
	return NULL;
}

struct stall {
	int fd;
	double worst;
};

static void read_and_time(void *arg)
{
	struct dxs_watch begin = dxs_watch();
	struct stall *stall = arg;
	uint8_t byte;
	double took;

	dxs_pread(stall->fd, &byte, 1, 0);
	took = dxs_watched(&begin);
	if (took > stall->worst)
		stall->worst = took;
	dxs_sleep_ms(1);
}

int hazard_missing_page(uint8_t **page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0)
		return -1;
	MUST(ioctl(uffd, UFFDIO_API, &api));
	*page = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	reg.range.start = (uintptr_t)*page;
	reg.range.len = PAGE;
	MUST(ioctl(uffd, UFFDIO_REGISTER, &reg));
	return uffd;
}

void hazard_fill_page(int uffd, uint8_t *page)
{
	struct uffdio_zeropage fill = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
	};

	MUST(ioctl(uffd, UFFDIO_ZEROPAGE, &fill));
}

static void stuck_reader(int mode)
{
	const char *const name = dxs_mode_name(mode);
	int fd = hazard_file("stack/file", LEN, mode), uffd;
	struct reader reader = { .fd = fd };
	struct stall stall = { .fd = fd };
	struct hazard_thread other;
	struct daxstack_switch sw;
	struct dxs_watch begin;
	pthread_t thread;
	int err;

	uffd = hazard_missing_page(&reader.buf);
	if (uffd < 0) {
		dxs_skip("no userfaultfd", "H22, %s", name);
		close(fd);
		return;
	}
	if (pthread_create(&thread, NULL, read_into_nothing, &reader))
		dxs_bail("cannot create a thread");
	dxs_sleep_ms(200);
	dxs_is(false, reader.done, "H22, %s: the reader is stuck", name);
	hazard_start(&other, read_and_time, &stall);
	begin = dxs_watch();
	err = dxs_switch(fd, !mode, 0, &sw);
	dxs_errno(EBUSY, err,
		  "H22, %s: the switch gives up at its timeout", name);
	dxs_str("IO", dxs_reason_name(sw.reason), "H22, %s: reason", name);
	if (!dxs_ok(dxs_watched(&begin) < 2, "H22, %s: soon", name))
		dxs_diag("after %.3f s", dxs_watched(&begin));
	dxs_switch(fd, !mode, 2000, NULL);
	hazard_stop(&other);
	dxs_diag("%s: %ld reads meanwhile, slowest %.1f ms", name, other.steps,
		 stall.worst * 1000);
	dxs_ok(stall.worst < 1, "H22, %s: other readers are not blocked", name);

	hazard_fill_page(uffd, reader.buf);
	pthread_join(thread, NULL);
	dxs_is(PAGE, reader.got, "H22, %s: the reader completes", name);
	dxs_errno(0, dxs_switch(fd, !mode, 30000, NULL),
		  "H22, %s: switched after the reader completes", name);
	munmap(reader.buf, PAGE);
	close(uffd);
	close(fd);
}

void h22_stuck_reader(void)
{
	stuck_reader(DAXSTACK_CACHED);
	stuck_reader(DAXSTACK_DAX);
}

/* --- H23: sync(2) holds the lower s_umount for seconds. */

#define TRIES	10

static int sync_stack(int fd)
{
	return ERR(syncfs(fd));
}

/* A file that is moved into a directory with the flag. */
struct moved {
	int fd;
	int mode;
	atomic_bool done;
};

static void *move_it(void *arg)
{
	struct moved *moved = arg;

	MUST(rename("stack/moved", "stack/dir/moved"));
	moved->mode = dxs_mode(moved->fd);
	moved->done = true;
	return NULL;
}

static void move_during_sync(void)
{
	struct moved moved = {};
	struct hazard_held held;
	pthread_t thread;
	int dir;

	MUST(mkdir("stack/dir", 0755));
	dir = MUST(open("stack/dir", O_RDONLY));
	MUST(dxs_set_xflag(dir, DAXSTACK_DAX));
	close(dir);
	moved.fd = hazard_file("stack/moved", PAGE, DAXSTACK_CACHED);
	dxs_remount("inherit=move");
	/* A file of an earlier cgroup is not throttled. */
	MUST(unlink("stack/slow"));
	if (!hazard_hold(&held, sync_stack))
		dxs_bail("no throttling of writes");
	if (pthread_create(&thread, NULL, move_it, &moved))
		dxs_bail("cannot create a thread");
	/* Longer than other switches without a timeout wait. */
	dxs_sleep_ms(500);
	dxs_is(false, moved.done, "H23: a moved file waits for sync(2)");
	hazard_let_go(&held, "H23, moved");
	pthread_join(thread, NULL);
	dxs_str("dax", dxs_mode_name(moved.mode), "H23: ... and is switched then");
	dxs_remount("inherit=create");
	close(moved.fd);
}

void h23_slow_sync(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED), i, busy = 0;
	struct stall stall = { .fd = fd };
	struct hazard_thread reader;
	struct daxstack_switch sw;
	struct hazard_held held;
	double worst = 0;

	if (!hazard_hold(&held, sync_stack)) {
		dxs_skip("no throttling of writes", "H23");
		close(fd);
		return;
	}
	hazard_start(&reader, read_and_time, &stall);
	for (i = 0; i < TRIES; i++) {
		struct dxs_watch begin = dxs_watch();
		int err = dxs_switch(fd, !dxs_mode(fd), 0, &sw);
		double took = dxs_watched(&begin);

		if (took > worst)
			worst = took;
		busy += err == EBUSY &&
			sw.reason == DAXSTACK_REASON_WRITEBACK;
	}
	hazard_stop(&reader);
	hazard_let_go(&held, "H23");
	dxs_diag("slowest switch %.0f ms, slowest read %.0f ms", worst * 1000,
		 stall.worst * 1000);
	dxs_is(TRIES, busy, "H23: every switch finds s_umount busy");
	dxs_ok(worst < 1, "H23: a switch without a timeout does not wait");
	dxs_ok(stall.worst < 1, "H23: no reader waits at the gate for sync(2)");
	dxs_errno(0, dxs_switch(fd, !dxs_mode(fd), 30000, NULL),
		  "H23: switched after sync(2) completes");
	close(fd);
	move_during_sync();
}

/*
 * --- H35: splices into the stack, and into its lower filesystem by another
 * mount.
 */

static void splice_into(const char *path)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT, 0644)), ends[2];
	char seen[8] = "";

	MUST(pipe(ends));
	MUST(write(ends[1], "text", 4));
	dxs_is(4, splice(ends[0], NULL, fd, NULL, 4, 0), "H35: splice to %s",
	       path);
	dxs_pread(fd, seen, 4, 0);
	dxs_str("text", seen, "H35: %s", path);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* No freeze is needed to provoke it: lockdep checks the order. */
void h35_splices(void)
{
	dxs_mount_lower();
	splice_into("lower/file");
	splice_into("stack/other");
	dxs_umount_lower();
}
