// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hazards of gates created during switches (H40) and of checks of a lingering
 * inode during switches (H41). Each has a patch in tests/mutants/ that widens
 * the race window.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define LEN	(64 * PAGE)

static void drop_inodes(void)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY)), i;

	for (i = 0; i < 2; i++)
		MUST(write(fd, "2", 1));
	close(fd);
}

/* --- H40: gates that start out closed, between two switches. */

/* Returns whether the child exits in time; kills it otherwise. */
static bool ends(pid_t pid)
{
	int status;

	if (dxs_ends(pid, 20, &status))
		return !status;
	kill(pid, SIGKILL);
	MUST(waitpid(pid, &status, 0));
	return false;
}

/*
 * Reads when told by the pipe: soon, as a grace period may end at any moment.
 */
static pid_t read_when_told(int fd, int ends[2])
{
	uint8_t byte;
	pid_t pid;

	MUST(pipe(ends));
	pid = MUST(fork());
	if (!pid)
		_exit(read(ends[0], &byte, 1) != 1 ||
		      pread(fd, &byte, 1, 0) != 1);
	return pid;
}

static pid_t read_one(int fd)
{
	int ends[2];
	pid_t pid = read_when_told(fd, ends);

	MUST(write(ends[1], "", 1));
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static pid_t fault_one(int fd)
{
	pid_t pid = MUST(fork());
	volatile uint8_t *map;

	if (pid)
		return pid;
	map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		_exit(1);
	map[PAGE] = map[0];
	_exit(0);
}

static pid_t switch_one(int fd)
{
	pid_t pid = MUST(fork());

	if (!pid)
		_exit(dxs_switch(fd, !dxs_mode(fd), 0, NULL) ? 1 : 0);
	return pid;
}

/*
 * A file that was never accessed switches to dax. Its first reader allocates
 * the gates, closed. The next switch starts and is refused before it reaches
 * the fault gate, because the lower filesystem is mounted elsewhere by now.
 */
void h40_gates_stay_shut(void)
{
	int fd = hazard_file("stack/file", LEN, DAXSTACK_CACHED), i;
	int refused = 0, stuck = 0, status, told[2];
	pid_t reader, switcher;

	close(fd);
	for (i = 0; i < 4 && !stuck; i++) {
		drop_inodes();
		fd = MUST(open("stack/file", O_RDWR));
		reader = read_when_told(fd, told);
		dxs_to(fd, !dxs_mode(fd), "H40: first switch");
		MUST(write(told[1], "", 1));
		dxs_sleep_ms(100);
		switcher = switch_one(fd);
		dxs_sleep_ms(600);
		dxs_mount_lower();
		MUST(waitpid(switcher, &status, 0));
		refused += !!status;
		stuck += !ends(reader);
		dxs_umount_lower();
		close(told[0]);
		close(told[1]);
		stuck += !ends(read_one(fd));
		stuck += !ends(fault_one(fd));
		close(fd);
	}
	dxs_diag("%d of %d second switches were refused", refused, i);
	dxs_is(0, stuck, "H40: no call or fault waits forever");
}

/* --- H41: a lingering lower inode is checked, reopened, and switched. */

void h41_looks(void)
{
	uint8_t *map;
	int fd, i, pins[2];

	for (i = 0; i < 2; i++) {
		fd = hazard_file("stack/file", LEN, DAXSTACK_DAX);
		map = hazard_map(fd, LEN);
		map[2 * PAGE] = map[2 * PAGE];
		dxs_pin(pins, map + 2 * PAGE);
		munmap(map, LEN);
		close(fd);
		sync();
		drop_inodes();
		/* The worker checks it after a second. */
		dxs_sleep_ms(1300);
		fd = MUST(open("stack/file", O_RDWR));
		dxs_refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_PINNED,
			    "H41: the inode lingers");
		dxs_unpin(pins);
		dxs_errno(0, dxs_switch(fd, DAXSTACK_CACHED, 30000, NULL),
			  "H41: switched while the worker checks it");
		hazard_bytes(fd, LEN, "H41");
		/* The worker has seen folios by now. */
		dxs_sleep_ms(2500);
		close(fd);
		MUST(unlink("stack/file"));
	}
}
