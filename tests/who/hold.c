// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that hold a file in different ways.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "who.h"

/* Pipe ends of the child, for holders that do not return. */
static int ready, end;

static void wait_for_end(void)
{
	char c;

	if (read(end, &c, 1) < 0)
		_exit(1);
	_exit(0);
}

static void say_ready(void)
{
	MUST(write(ready, "", 1));
	close(ready);
}

struct held held_by(void (*hold)(const char *path), const char *path)
{
	int readys[2], ends[2];
	struct held held;
	char c;

	MUST(pipe2(readys, O_CLOEXEC));
	MUST(pipe2(ends, O_CLOEXEC));
	fflush(stdout);
	held.pid = MUST(fork());
	if (!held.pid) {
		close(readys[0]);
		close(ends[1]);
		ready = readys[1];
		end = ends[0];
		hold(path);
		say_ready();
		wait_for_end();
	}
	close(readys[1]);
	close(ends[0]);
	held.end = ends[1];
	if (read(readys[0], &c, 1) != 1)
		dxs_bail("%s: the holding process has ended", path);
	close(readys[0]);
	return held;
}

void held_end(struct held *held)
{
	close(held->end);
	/*
	 * It is a program that does not read the pipe, or a process without a
	 * leader.
	 */
	kill(held->pid, SIGKILL);
	MUST(waitpid(held->pid, NULL, 0));
}

void hold_open(const char *path)
{
	MUST(open(path, O_RDWR));
}

static volatile char *map(const char *path, int flags)
{
	int fd = MUST(open(path, O_RDWR));
	char *map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, flags, fd, 0));

	*(volatile char *)map = 1;
	close(fd);
	return map;
}

void hold_mapped(const char *path)
{
	map(path, MAP_SHARED);
}

void hold_private(const char *path)
{
	map(path, MAP_PRIVATE);
}

void hold_map_sync(const char *path)
{
	map(path, MAP_SHARED_VALIDATE | MAP_SYNC);
}

void hold_mlocked(const char *path)
{
	MUST(mlock((const void *)map(path, MAP_SHARED), LEN));
}

void hold_flock(const char *path)
{
	MUST(flock(MUST(open(path, O_RDWR)), LOCK_EX));
}

void hold_posix_lock(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	MUST(fcntl(MUST(open(path, O_RDWR)), F_SETLK, &lock));
}

void hold_lease(const char *path)
{
	MUST(fcntl(MUST(open(path, O_RDWR)), F_SETLEASE, F_WRLCK));
}

void hold_cwd(const char *path)
{
	MUST(chdir(path));
}

void hold_root(const char *path)
{
	MUST(chroot(path));
}

void hold_exe(const char *path)
{
	/* The pipe is closed when the program starts. */
	MUST(write(ready, "", 1));
	execl(path, path, "1000", NULL);
	_exit(1);
}

/* A container: its mounts are copies. */
void hold_in_namespace(const char *path)
{
	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	hold_mapped(path);
}

/* The lower filesystem, in a mount namespace of its own; @path is on it. */
void hold_lower(const char *path)
{
	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	dxs_mount_lower();
	hold_open(path);
}

void hold_hostile(const char *path)
{
	MUST(prctl(PR_SET_NAME, "a\n1 \033[2J\x9bz"));
	hold_mapped(path);
}

static void *open_alone(void *path)
{
	MUST(unshare(CLONE_FILES));
	hold_open(path);
	say_ready();
	wait_for_end();
	return NULL;
}

/* A thread with a descriptor table of its own. */
void hold_thread(const char *path)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, open_alone, (void *)path))
		dxs_bail("cannot create a thread");
	pthread_join(thread, NULL);
}

static void *map_alone(void *path)
{
	char state = 0;

	/* Until the first thread has ended. */
	while (state != 'Z') {
		FILE *stat = fopen("/proc/self/stat", "r");

		if (!stat || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
			_exit(1);
		fclose(stat);
		dxs_sleep_ms(5);
	}
	hold_mapped(path);
	say_ready();
	wait_for_end();
	return NULL;
}

void hold_leaderless(const char *path)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, map_alone, (void *)path))
		dxs_bail("cannot create a thread");
	/* Ends this thread only; pthread_exit(3) needs another library. */
	syscall(SYS_exit, 0);
}
