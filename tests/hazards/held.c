// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocked writes: an io.max limit of its cgroup stalls the writeback of one
 * process for as long as a test wants.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define CGROUP	"/sys/fs/cgroup/held"
#define DIRTY	MIB
/*
 * After this many seconds the guard assumes that another task waits for the
 * process.
 */
#define PATIENCE	5

static bool set_limit(const char *limit)
{
	char line[64];
	struct stat st;

	MUST(stat(dxs_pmem, &st));
	snprintf(line, sizeof(line), "%u:%u wbps=%s", major(st.st_rdev),
		 minor(st.st_rdev), limit);
	return dxs_put(CGROUP "/io.max", line);
}

bool hazard_waits(pid_t tid)
{
	char path[64], line[512] = "", *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, line, sizeof(line) - 1) < 0)
		line[0] = 0;
	close(fd);
	state = strrchr(line, ')');
	return state && !strncmp(state, ") D", 3);
}

/* In a child: dirties the file, reports that, and flushes it. */
static void flush_held(int (*flush)(int fd), int tell)
{
	static uint8_t buf[DIRTY];
	char pid[16];
	int fd;

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!dxs_put(CGROUP "/cgroup.procs", pid))
		_exit(201);
	fd = open("stack/slow", O_RDWR | O_CREAT, 0644);
	if (fd < 0 || write(fd, buf, DIRTY) != DIRTY)
		_exit(202);
	MUST(write(tell, "x", 1));
	_exit(flush(fd));
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	MUST(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	return info.si_pid;
}

static void *guard(void *arg)
{
	struct dxs_watch begin = dxs_watch();
	struct hazard_held *held = arg;

	while (!held->let_go && dxs_watched(&begin) < PATIENCE)
		dxs_sleep_ms(5);
	held->late = !held->let_go;
	set_limit("max");
	return NULL;
}

bool hazard_hold(struct hazard_held *held, int (*flush)(int fd))
{
	int tell[2], looks;
	char x;

	*held = (struct hazard_held){ 0 };
	if (!dxs_put("/sys/fs/cgroup/cgroup.subtree_control", "+memory +io") ||
	    (mkdir(CGROUP, 0755) && errno != EEXIST) || !set_limit("2"))
		return false;
	MUST(pipe(tell));
	held->pid = MUST(fork());
	if (!held->pid)
		flush_held(flush, tell[1]);
	close(tell[1]);
	MUST(read(tell[0], &x, 1));
	close(tell[0]);
	/* It may be waiting for something that completes soon. */
	for (looks = 0; looks < 5 && !has_ended(held->pid); dxs_sleep_ms(10))
		looks = hazard_waits(held->pid) ? looks + 1 : 0;
	if (pthread_create(&held->guard, NULL, guard, held))
		dxs_bail("cannot create a thread");
	return true;
}

void hazard_let_go(struct hazard_held *held, const char *name)
{
	bool ended = has_ended(held->pid);
	int status;

	held->let_go = true;
	pthread_join(held->guard, NULL);
	dxs_ok(!ended && !held->late,
	       "%s: no task waits for the blocked process",
	       name);
	MUST(waitpid(held->pid, &status, 0));
	dxs_is(0, status,
	       "%s: the blocked process completes when released", name);
	MUST(rmdir(CGROUP));
}
