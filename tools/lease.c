// SPDX-License-Identifier: GPL-2.0-only
/* Check for leases (fcntl(2), F_SETLEASE) that opening a file would break, by /proc/locks. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "file.h"

/*
 * Reading /proc/locks blocks all tasks that take a lock, and waits for an RCU grace
 * period. So the list is read at most once in SHARE times the duration of a read,
 * within these limits.
 */
#define SHARE		64
#define PERIOD_MIN_US	100000
#define PERIOD_MAX_US	1000000

static struct file_id *leased;
static size_t nr_leased;

static long long now_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void add_lease(const char *line)
{
	unsigned int major, minor;
	unsigned long long ino;
	struct file_id *more;

	/* Opening a file for reading does not break a read lease. */
	if (sscanf(line, "%*u: %*5[EASLDG] ACTIVE WRITE %*d %x:%x:%llu ",
		   &major, &minor, &ino) != 3)
		return;
	more = reallocarray(leased, nr_leased + 1, sizeof(*leased));
	if (!more)
		return;
	leased = more;
	leased[nr_leased++] = (struct file_id){
		.dev = makedev(major, minor),
		.ino = ino,
	};
}

static void read_leases(void)
{
	FILE *locks = fopen("/proc/locks", "re");
	char *line = NULL;
	size_t size = 0;

	nr_leased = 0;
	if (!locks)
		return;
	while (getline(&line, &size, locks) > 0)
		add_lease(line);
	free(line);
	fclose(locks);
}

/* Return: the time when the list has to be read again. */
static long long read_in_time(void)
{
	long long begin = now_us(CLOCK_MONOTONIC);
	long long end, period;

	read_leases();
	end = now_us(CLOCK_MONOTONIC);
	period = SHARE * (end - begin);
	if (period < PERIOD_MIN_US)
		period = PERIOD_MIN_US;
	if (period > PERIOD_MAX_US)
		period = PERIOD_MAX_US;
	return end + period;
}

/**
 * file_is_leased - whether opening a file for reading would break a lease
 * @id: of the file: inode number and filesystem
 *
 * The answer is up to a second old. Leases in other PID namespaces are not visible.
 */
bool file_is_leased(const struct file_id *id)
{
	static long long due_us;
	size_t i;

	/* The coarse clock needs no system call. */
	if (now_us(CLOCK_MONOTONIC_COARSE) >= due_us)
		due_us = read_in_time();
	for (i = 0; i < nr_leased; i++)
		if (leased[i].dev == id->dev && leased[i].ino == id->ino)
			return true;
	return false;
}
