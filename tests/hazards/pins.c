// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hazards of page references in dax mode: how the kernel counts them (H62), how
 * DAX entries leave a mapping (H63), and who waits for the holder of a page:
 * eviction (H64) and the trim beyond EOF (H73).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define HUGE		(2 * MIB)
#define HUGE_FILE	(8 * MIB)
/*
 * A page in the middle of a huge page: inside a compound folio it has no
 * reference count of its own.
 */
#define TAIL		(77 * PAGE)

/* --- A file mapped by a huge page, or by small ones. */

struct place {
	const char *name;
	bool huge;
	int fd;
	off_t at;
	uint8_t *area;
	uint8_t *map;
};

/* Returns whether few faults were enough, so that the page is huge. */
static bool map_at(struct place *p, off_t at)
{
	long before;
	size_t pos;

	MUST(mmap(p->map, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		  p->fd, at));
	before = dxs_minor_faults();
	for (pos = 0; pos < HUGE; pos += PAGE)
		((volatile uint8_t *)p->map)[pos] = dxs_byte(1, at + pos);
	return dxs_minor_faults() - before < 8;
}

static void map_place(struct place *p)
{
	p->area = MUST(mmap(NULL, 2 * HUGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	p->map = (uint8_t *)(((uintptr_t)p->area + HUGE - 1) & ~(HUGE - 1));
	if (!p->huge) {
		MUST(mmap(p->map, 256 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, p->fd, 0));
		p->at = 0;
		((volatile uint8_t *)p->map)[TAIL] = dxs_byte(1, TAIL);
		return;
	}
	for (p->at = 0; p->at < HUGE_FILE; p->at += HUGE)
		if (map_at(p, p->at))
			return;
	dxs_ok(false, "%s: huge page is mapped", p->name);
	p->at = 0;
}

static void unmap_place(struct place *p)
{
	munmap(p->area, 2 * HUGE);
}

static void begin_place(struct place *p)
{
	char path[32];

	snprintf(path, sizeof(path), "stack/%s", p->huge ? "huge" : "small");
	p->fd = hazard_file(path, 0, DAXSTACK_DAX);
	MUST(fallocate(p->fd, 0, 0, HUGE_FILE));
}

/* --- Holders of a page; each releases it on request. */

static int pipe_ends[2];

static bool hold_by_pipe(uint8_t *page)
{
	dxs_pin(pipe_ends, page);
	return true;
}

static void release_pipe(void)
{
	dxs_unpin(pipe_ends);
}

/* A disk that does not answer: direct I/O to it keeps its pages referenced. */
#define STUCK	"/dev/mapper/stuck"

static pthread_t helper;
static int helper_fd;
static uint8_t *helper_page;

static void *read_stuck(void *arg)
{
	ssize_t ret = pread(helper_fd, arg, PAGE, 0);

	if (ret != PAGE)
		dxs_diag("read of the stuck disk: %zd", ret);
	return NULL;
}

/* Returns whether a thread of this process is in uninterruptible sleep. */
static bool is_stuck(void)
{
	char path[320], text[512];
	struct dirent *entry;
	bool found = false;
	int tries, fd;
	ssize_t n;
	DIR *dir;

	for (tries = 0; !found && tries < 500 * dxs_slow(); tries++) {
		dxs_sleep_ms(20);
		dir = opendir("/proc/self/task");
		while (dir && !found && (entry = readdir(dir))) {
			snprintf(path, sizeof(path), "/proc/self/task/%s/stat",
				 entry->d_name);
			fd = open(path, O_RDONLY);
			if (fd < 0)
				continue;
			n = read(fd, text, sizeof(text) - 1);
			close(fd);
			text[n > 0 ? n : 0] = 0;
			found = strstr(text, ") D ");
		}
		closedir(dir);
	}
	return found;
}

static bool hold_by_disk(uint8_t *page)
{
	DXS_RUN_READ(NULL, 0, "modprobe", "brd", "rd_nr=1", "rd_size=4096");
	if (DXS_RUN("dmsetup", "create", "stuck", "--table",
		    "0 8192 linear /dev/ram0 0"))
		return false;
	helper_fd = MUST(open(STUCK, O_RDONLY | O_DIRECT));
	if (DXS_RUN("dmsetup", "suspend", "--noflush", "--nolockfs", "stuck"))
		return false;
	if (pthread_create(&helper, NULL, read_stuck, page))
		dxs_bail("cannot create a thread");
	return dxs_ok(is_stuck(), "H62: a read of the disk is stuck");
}

static void release_disk(void)
{
	DXS_RUN("dmsetup", "resume", "stuck");
	pthread_join(helper, NULL);
	close(helper_fd);
	/* The device stays busy for a moment after the last close. */
	DXS_RUN("dmsetup", "remove", "--retry", "stuck");
}

/*
 * process_vm_readv(2) holds its source pages while the destination page is
 * missing.
 */
static int uffd;

static void *read_process(void *arg)
{
	struct iovec local = { helper_page, 8 }, remote = { arg, 8 };
	ssize_t ret = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	if (ret != 8)
		dxs_diag("process_vm_readv: %zd, %m", ret);
	return NULL;
}

static bool hold_by_process(uint8_t *page)
{
	uint8_t msg[256];

	uffd = hazard_missing_page(&helper_page);
	if (uffd < 0)
		return false;
	if (pthread_create(&helper, NULL, read_process, page))
		dxs_bail("cannot create a thread");
	/* The fault has arrived, so the pages are held. */
	return read(uffd, msg, sizeof(msg)) > 0;
}

static void release_process(void)
{
	hazard_fill_page(uffd, helper_page);
	pthread_join(helper, NULL);
	munmap(helper_page, PAGE);
	close(uffd);
}

static const struct holder {
	const char *name;
	bool (*hold)(uint8_t *page);
	void (*release)(void);
} holders[] = {
	{ "vmsplice", hold_by_pipe, release_pipe },
	{ "direct I/O", hold_by_disk, release_disk },
	{ "process_vm_readv", hold_by_process, release_process },
};

/* --- H62: a single reference to a page that is no longer mapped. */

static void held_page(struct place *p, const struct holder *holder)
{
	char name[96];

	snprintf(name, sizeof(name), "H62, %s page, %s",
		 p->huge ? "huge" : "small", holder->name);
	if (dxs_mode(p->fd) != DAXSTACK_DAX)
		dxs_to(p->fd, DAXSTACK_DAX, name);
	map_place(p);
	if (!holder->hold(p->map + TAIL)) {
		dxs_skip("this holder is not available", "%s", name);
		unmap_place(p);
		return;
	}
	dxs_refused(p->fd, DAXSTACK_CACHED, DAXSTACK_REASON_PINNED, name);
	unmap_place(p);
	dxs_refused(p->fd, DAXSTACK_CACHED, DAXSTACK_REASON_PINNED, name);
	/* A page walk of a second mapping must not hide the reference. */
	map_place(p);
	dxs_refused(p->fd, DAXSTACK_CACHED, DAXSTACK_REASON_PINNED, name);
	unmap_place(p);
	holder->release();
	dxs_errno(0, dxs_switch(p->fd, DAXSTACK_CACHED, 5000, NULL),
		  "%s: switched after the page is released", name);
}

/* Return: 0, or the errno of io_uring. */
static int register_buffer(void *page)
{
	struct iovec iov = { page, PAGE };
	struct io_uring ring;

	if (io_uring_queue_init(4, &ring, 0))
		return ENOSYS;
	return -io_uring_register_buffers(&ring, &iov, 1);
}

/*
 * A fixed buffer, which RDMA registers alike, is refused in dax mode and leaves
 * no reference. Runs in a child, because io_uring leaves task work to the task
 * that closes it.
 */
static void fixed_buffer(struct place *p)
{
	int status;
	pid_t pid;

	if (dxs_mode(p->fd) != DAXSTACK_DAX)
		dxs_to(p->fd, DAXSTACK_DAX, "H62");
	map_place(p);
	pid = MUST(fork());
	if (!pid)
		_exit(register_buffer(p->map + TAIL));
	MUST(waitpid(pid, &status, 0));
	unmap_place(p);
	if (WEXITSTATUS(status) == ENOSYS)
		dxs_skip("no io_uring", "H62, %s: fixed buffer", p->name);
	else
		dxs_errno(EOPNOTSUPP, WEXITSTATUS(status),
			  "H62, %s: fixed buffer is refused", p->name);
	dxs_errno(0, dxs_switch(p->fd, DAXSTACK_CACHED, 5000, NULL),
		  "H62, %s: no page stays referenced", p->name);
}

void h62_held_dax_pages(void)
{
	struct place places[] = {
		{ .name = "small page" },
		{ .name = "huge page", .huge = true },
	};
	size_t i, j;

	hazard_make_aligned();
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		begin_place(&places[i]);
		for (j = 0; j < ARRAY_SIZE(holders); j++)
			held_page(&places[i], &holders[j]);
		fixed_buffer(&places[i]);
		close(places[i].fd);
	}
}

/*
 * --- H63: ways in which DAX entries are removed. The kernel must log nothing.
 */

static const struct {
	const char *name;
	int mode;
	off_t at, len;
} punches[] = {
	{ "punch one page", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * PAGE,
	  PAGE },
	{ "punch part of a huge page", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	  HUGE + 5 * PAGE, 100 * PAGE },
	{ "punch huge pages", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
	  2 * HUGE },
	{ "zero", FALLOC_FL_ZERO_RANGE, PAGE, HUGE },
	{ "collapse", FALLOC_FL_COLLAPSE_RANGE, 0, HUGE },
	{ "insert", FALLOC_FL_INSERT_RANGE, 0, HUGE },
};

/* Small and huge entries, of holes and of blocks, clean and dirty. */
static uint8_t *fill_entries(int fd)
{
	uint8_t *map;
	size_t pos;

	MUST(ftruncate(fd, HUGE_FILE));
	map = hazard_map(fd, HUGE_FILE);

	for (pos = 0; pos < HUGE_FILE; pos += 16 * PAGE) {
		if (pos / PAGE % 32)
			map[pos] = dxs_byte(1, pos);
		else
			(void)*(volatile uint8_t *)(map + pos);
	}
	return map;
}

static void touch_all(void *arg)
{
	volatile uint8_t *map = arg;
	size_t i;

	for (i = 0; i < HUGE; i += PAGE)
		map[i]++;
}

void h63_entries_that_go(void)
{
	struct hazard_switches all;
	struct hazard_thread thread;
	int fd, round;
	uint8_t *map;
	size_t i;

	hazard_make_aligned();
	for (round = 0; round < 2; round++) {
		bool mapped = round;

		fd = hazard_file("stack/file", 0, DAXSTACK_DAX);
		MUST(fallocate(fd, 0, 0, HUGE_FILE));
		for (i = 0; i < ARRAY_SIZE(punches); i++) {
			map = fill_entries(fd);
			if (!mapped)
				munmap(map, HUGE_FILE);
			dxs_errno(0, ERR(fallocate(fd, punches[i].mode,
						   punches[i].at,
						   punches[i].len)),
				  "H63: %s, %smapped", punches[i].name,
				  mapped ? "" : "not ");
			if (mapped)
				munmap(map, HUGE_FILE);
		}
		map = fill_entries(fd);
		if (!mapped)
			munmap(map, HUGE_FILE);
		dxs_errno(0, dxs_switch(fd, DAXSTACK_CACHED, 5000, NULL),
			  "H63: to cached, %smapped", mapped ? "" : "not ");
		dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 5000, NULL),
			  "H63: to dax, %smapped", mapped ? "" : "not ");
		if (mapped)
			munmap(map, HUGE_FILE);
		map = fill_entries(fd);
		MUST(ftruncate(fd, HUGE + 3 * PAGE));
		MUST(ftruncate(fd, HUGE_FILE));
		munmap(map, HUGE_FILE);
		/* Entries also go with the inode. */
		map = fill_entries(fd);
		munmap(map, HUGE_FILE);
		if (mapped)
			MUST(unlink("stack/file"));
		close(fd);
		MUST(-DXS_RUN("sh", "-c", "sync; echo 3 >/proc/sys/vm/drop_caches"));
	}
	/*
	 * A switch drops most entries with the gates open; the stores add them
	 * again.
	 */
	fd = hazard_file("stack/busy", HUGE, DAXSTACK_DAX);
	map = hazard_map(fd, HUGE);
	hazard_start(&thread, touch_all, map);
	all = hazard_switch_beside(fd, 20 * dxs_slow(), 30, 2000, &thread.steps);
	hazard_stop(&thread);
	dxs_diag("%d switches, %ld rounds of stores", all.done, thread.steps);
	dxs_ok(all.done > 3 && thread.steps > 0, "H63: switches beside stores");
	munmap(map, HUGE);
	close(fd);
}

/* --- H64: the eviction of a lower inode waits for the holder of a page. */

/* Return: whether the child exited within some seconds. */
static bool ends(pid_t pid, int *status)
{
	double limit = dxs_now() + 20 * dxs_slow();
	pid_t done;

	while (!(done = waitpid(pid, status, WNOHANG)) && dxs_now() < limit)
		dxs_sleep_ms(20);
	return done == pid;
}

static pid_t in_background(void (*run)(void))
{
	pid_t pid = MUST(fork());

	if (!pid) {
		/* Drop the reference that the child inherited. */
		dxs_unpin(pipe_ends);
		run();
		_exit(0);
	}
	return pid;
}

static void close_last(void)
{
	int fd = MUST(open("stack/gone", O_RDWR));

	MUST(unlink("stack/gone"));
	MUST(close(fd));
	MUST(-DXS_RUN("sh", "-c", "echo 2 >/proc/sys/vm/drop_caches"));
	/* Other names and files are not blocked. */
	close(MUST(open("stack/another", O_RDWR | O_CREAT, 0644)));
	MUST(unlink("stack/another"));
	sync();
}

static void do_umount(void)
{
	int err = dxs_umount("stack");

	_exit(err);
}

void h64_eviction_waits(void)
{
	int fd, status = 0, err;
	uint8_t *map;
	pid_t pid;

	fd = hazard_file("stack/gone", HUGE, DAXSTACK_DAX);
	map = hazard_map(fd, HUGE);
	map[TAIL] = 1;
	hold_by_pipe(map + TAIL);
	munmap(map, HUGE);
	close(fd);
	pid = in_background(close_last);
	if (!dxs_ok(ends(pid, &status),
		    "H64: the last close does not wait for the page"))
		dxs_diag("it waits for the page");
	dxs_is(0, status, "H64: ... and succeeds");

	/*
	 * The superblock cannot go away without the inode. Whether umount(2)
	 * waits for the page or leaves it depends on the kernel. In both cases
	 * umount(2) must end once the page is released, and the filesystem must
	 * be consistent.
	 */
	fd = hazard_file("stack/kept", HUGE, DAXSTACK_DAX);
	map = hazard_map(fd, HUGE);
	map[TAIL] = 1;
	dxs_unpin(pipe_ends);
	hold_by_pipe(map + TAIL);
	munmap(map, HUGE);
	close(fd);
	if (dxs_kernel_from(6, 15)) {
		pid = in_background(do_umount);
		dxs_sleep_ms(500);
		dxs_is(0, waitpid(pid, &status, WNOHANG),
		       "H64: umount waits for the page");
		dxs_unpin(pipe_ends);
		dxs_ok(ends(pid, &status),
		       "H64: ... and returns when it is released");
		dxs_is(0, status, "H64: ... and succeeds");
	} else {
		/* fs/dax.c warns that it drops a busy page. */
		dxs_expect("fs/dax.c:.* dax_disassociate_entry|Call Trace:");
		err = dxs_umount("stack");
		dxs_expect(NULL);
		dxs_errno(0, err, "H64: umount leaves the page");
		dxs_unpin(pipe_ends);
	}
	dxs_mount_stack();
	fd = MUST(open("stack/kept", O_RDWR));
	hazard_bytes(fd, TAIL, "H64");
	close(fd);
}

/*
 * --- H73: XFS waits for the holder of a page when it trims blocks beyond EOF.
 */

static void to_cached(void)
{
	int fd = MUST(open("stack/trimmed", O_RDWR));
	struct daxstack_switch sw;
	int err = dxs_switch(fd, DAXSTACK_CACHED, 0, &sw);

	_exit(err == EBUSY && sw.reason == DAXSTACK_REASON_PINNED ? 0 : 1);
}

void h73_trim_waits(void)
{
	int fd, status = 0;
	uint8_t *map;
	pid_t pid;

	if (!dxs_on_xfs()) {
		dxs_skip("ext4 keeps no blocks beyond EOF", "H73");
		return;
	}
	fd = hazard_file("stack/trimmed", 256 * PAGE, DAXSTACK_DAX);
	MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 256 * PAGE, 256 * PAGE));
	map = hazard_map(fd, 256 * PAGE);
	map[TAIL] = dxs_byte(1, TAIL);
	hold_by_pipe(map + TAIL);
	pid = in_background(to_cached);
	if (!dxs_ok(ends(pid, &status),
		    "H73: a switch does not wait for a held page"))
		dxs_diag("it waits for the page");
	dxs_is(0, status, "H73: ... and reports a held page");
	sync();
	dxs_unpin(pipe_ends);
	dxs_to(fd, DAXSTACK_CACHED, "H73: switched after the page is released");
	MUST(ftruncate(fd, 300 * PAGE));
	hazard_bytes(fd, 256 * PAGE, "H73");
	munmap(map, 256 * PAGE);
	close(fd);
}
