// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hazards of one user's switches for all others: memory that they keep from
 * reclaim (H43), and the expedited grace periods that they cause (H44).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define CGROUPS	"/sys/fs/cgroup"
#define UID	1000

/* Returns the number after @word at the start of a line of a file, or -1. */
static long number_of(const char *path, const char *word)
{
	FILE *file = fopen(path, "r");
	size_t len = strlen(word);
	char line[256];
	long value = -1;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, word, len) &&
		    (line[len] == ' ' || line[len] == ':')) {
			value = atol(line + len + 1);
			break;
		}
	fclose(file);
	return value;
}

/* Creates a memory cgroup. Return: whether that is possible. */
static bool make_cgroup(const char *path)
{
	return dxs_put(CGROUPS "/cgroup.subtree_control", "+memory") &&
		(!mkdir(path, 0755) || errno == EEXIST);
}

static void join_cgroup(const char *path)
{
	char procs[128], pid[16];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!dxs_put(procs, pid))
		_exit(10);
}

/* Becomes an unprivileged user with RLIMIT_MEMLOCK 0. */
static void become_user(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_MEMLOCK, &none) || setgroups(0, NULL) ||
	    setresgid(UID, UID, UID) || setresuid(UID, UID, UID))
		_exit(11);
}

static int wait_for(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* --- H43: folios that reclaim cannot take. */

#define BIG	(96 * MIB)
#define LIMIT	"25165824"
#define GROUP	CGROUPS "/h43"

static void read_all(int fd)
{
	static uint8_t buf[MIB];
	off_t pos;

	for (pos = 0; pos < BIG; pos += MIB)
		if (pread(fd, buf, MIB, pos) != MIB)
			_exit(12);
}

/*
 * Holds one page in a pipe, has a switch refused for it, and reads the whole
 * file.
 */
static void keep_unevictable(void)
{
	struct daxstack_switch sw;
	loff_t pos = 0;
	int fd, ends[2];

	become_user();
	fd = open("stack/big", O_RDWR);
	if (fd < 0 || pipe(ends) ||
	    splice(fd, &pos, ends[1], NULL, PAGE, 0) <= 0)
		_exit(1);
	if (!dxs_switch(fd, DAXSTACK_DAX, 0, &sw) ||
	    sw.reason != DAXSTACK_REASON_PINNED)
		_exit(2);
	read_all(fd);
	/*
	 * Neither folios read during the attempt nor those read after it may
	 * stay unevictable.
	 */
	if (number_of("/proc/meminfo", "Unevictable") * KIB > BIG / 4)
		_exit(3);
	_exit(0);
}

static void fault_all(int fd)
{
	volatile uint8_t *map;
	size_t pos;

	map = mmap(NULL, BIG, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		_exit(13);
	for (pos = 0; pos < BIG; pos += PAGE)
		(void)map[pos];
	munmap((void *)map, BIG);
}

static void use_in_cgroup(bool mapped)
{
	int fd;

	join_cgroup(GROUP);
	fd = open("stack/big", O_RDONLY);
	if (fd < 0)
		_exit(1);
	for (;;)
		if (mapped)
			fault_all(fd);
		else
			read_all(fd);
}

/*
 * Programs with a memory limit of a quarter of the file use it while it
 * switches.
 */
static void switch_beside(int fd)
{
	pid_t users[2];
	int i, status, done = 0;

	for (i = 0; i < 2; i++) {
		users[i] = MUST(fork());
		if (!users[i])
			use_in_cgroup(i);
	}
	for (i = 0; i < 24 && done < 8; i++) {
		done += !dxs_switch(fd, !dxs_mode(fd), 5000, NULL);
		dxs_sleep_ms(200);
	}
	dxs_diag("%d of %d switches", done, i);
	dxs_ok(done > 4, "H43: switches beside programs short of memory");
	for (i = 0; i < 2; i++) {
		dxs_is(0, MUST(waitpid(users[i], &status, WNOHANG)),
		       "H43: the program completes");
		kill(users[i], SIGKILL);
		waitpid(users[i], &status, 0);
	}
	dxs_is(0, number_of(GROUP "/memory.events", "oom"), "H43: oom");
	dxs_is(0, number_of(GROUP "/memory.events", "oom_kill"),
	       "H43: oom_kill");
}

/* Gates are charged to the task that touches the file. */
#define MANY	1000

static void touch_many(void)
{
	long before, after = 0;
	char path[32], byte;
	int i, fd;

	join_cgroup(GROUP);
	before = number_of(GROUP "/memory.stat", "percpu");
	for (i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "stack/many/%d", i);
		fd = open(path, O_RDWR);
		if (fd < 0 || pread(fd, &byte, 1, 0) < 0)
			_exit(1);
		close(fd);
	}
	/* Charges are flushed now and then. */
	for (i = 0; i < 50; i++) {
		after = number_of(GROUP "/memory.stat", "percpu");
		/* Two gates, each with a per-CPU counter. */
		if (after - before >= (long)(MANY * 2 * sizeof(int)))
			_exit(0);
		dxs_sleep_ms(100);
	}
	fprintf(stderr, "# %ld bytes before, %ld after\n", before, after);
	_exit(2);
}

void h43_starved(void)
{
	int fd, i;
	char path[32];
	pid_t pid;

	fd = hazard_file("stack/big", BIG, DAXSTACK_CACHED);
	MUST(fchown(fd, UID, UID));
	pid = MUST(fork());
	if (!pid)
		keep_unevictable();
	dxs_is(0, wait_for(pid),
	       "H43: a refused switch leaves nothing unevictable");

	if (!make_cgroup(GROUP)) {
		dxs_skip("no memory controller", "H43: cgroups");
		close(fd);
		return;
	}
	MUST(mkdir("stack/many", 0755));
	for (i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "stack/many/%d", i);
		close(MUST(open(path, O_RDWR | O_CREAT, 0644)));
	}
	pid = MUST(fork());
	if (!pid)
		touch_many();
	dxs_is(0, wait_for(pid), "H43: gates are charged to the memory cgroup");
	MUST(dxs_put(GROUP "/memory.max", LIMIT) ? 0 : -1);
	switch_beside(fd);
	close(fd);
}

/* --- H44: one user switches as fast as possible. */

#define BURST		250
#define PER_SECOND	50
#define PACED		400

/*
 * Returns the seconds that @count switches of a file in use take; @watched gets
 * them by dxs_watched().
 */
static double switch_often(int fd, int count, double *watched)
{
	struct dxs_watch watch = dxs_watch();
	double begin = dxs_now();
	int i;

	for (i = 0; i < count; i++)
		if (dxs_switch(fd, !dxs_mode(fd), 30000, NULL))
			_exit(1);
	*watched = dxs_watched(&watch);
	return dxs_now() - begin;
}

/* Return, by exit status: 0, or the number of the failed check. */
static void switch_as_user(double free)
{
	int fd = open("stack/file", O_RDWR);
	double took, watched;

	become_user();
	/* Not limited until the user exceeds the burst. */
	took = switch_often(fd, 100, &watched);
	fprintf(stderr, "# 100 switches: %.2f s, without a bound %.2f s\n",
		watched, free);
	if (watched > 4 * free + 1)
		_exit(2);
	took += switch_often(fd, PACED - 100, &watched);
	fprintf(stderr, "# %d switches: %.2f s\n", PACED, took);
	if (took < (double)(PACED - BURST) / PER_SECOND - 0.1)
		_exit(3);
	_exit(0);
}

void h44_too_often(void)
{
	int fd = hazard_file("stack/file", PAGE, DAXSTACK_CACHED);
	double free;
	pid_t pid;

	switch_often(fd, 100, &free);
	MUST(fchown(fd, UID, UID));
	close(fd);
	pid = MUST(fork());
	if (!pid)
		switch_as_user(free);
	dxs_is(0, wait_for(pid), "H44: a user's switches are rate-limited");
}
