// SPDX-License-Identifier: GPL-2.0
/*
 * Whether somebody holds a lease (fcntl(2), F_SETLEASE) that opening a file
 * would break, by /proc/locks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "file.h"

/* Reading the list stops everyone who takes a lock meanwhile: not for each file. */
#define PERIOD_MS	100

static struct file_id *leased;
static size_t nr_leased;

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void add_lease(const char *line)
{
	unsigned int major, minor;
	unsigned long long ino;
	struct file_id *more;

	/* Opened for reading only, a file keeps leases for reading. */
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

/**
 * file_is_leased - whether opening a file for reading would break a lease
 * @id: of the file
 *
 * As of a tenth of a second ago. Leases of other PID namespaces do not show.
 */
bool file_is_leased(const struct file_id *id)
{
	static long long due_ms;
	long long now = now_ms();
	size_t i;

	if (now >= due_ms) {
		read_leases();
		due_ms = now + PERIOD_MS;
	}
	for (i = 0; i < nr_leased; i++)
		if (leased[i].dev == id->dev && leased[i].ino == id->ino)
			return true;
	return false;
}
