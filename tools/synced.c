// SPDX-License-Identifier: GPL-2.0-only
/* daxstack calibrate: duration of fsync(2) after writing a page. */
#include <errno.h>
#include <unistd.h>

#include "calibrate.h"

enum {
	PAGE = 4096,
	/* Pages below FIRST are overwritten in turn; appends go from FIRST to LAST. */
	FIRST = 16,
	LAST = 256,
};

static bool put_page(int fd, off_t at)
{
	static char page[PAGE];
	ssize_t n;

	page[0]++;
	n = pwrite(fd, page, sizeof(page), at);
	if (n < 0)
		return false;
	if (n != sizeof(page)) {
		errno = ENOSPC;
		return false;
	}
	return true;
}

/* Allocate the first pages, so that overwriting them appends nothing. */
static bool begin(struct scratch *scratch)
{
	unsigned int i;

	if (scratch->sync_end && scratch->sync_end < LAST)
		return true;
	if (ftruncate(scratch->sync_fd, FIRST * PAGE) < 0)
		return false;
	for (i = scratch->sync_end ? FIRST : 0; i < FIRST; i++)
		if (!put_page(scratch->sync_fd, (off_t)i * PAGE))
			return false;
	scratch->sync_end = FIRST;
	return !fsync(scratch->sync_fd);
}

/**
 * synced_run - write a page, and measure fsync(2)
 * @scratch: the file
 * @figure: FIGURE_OVERWRITE or FIGURE_APPEND
 *
 * Return: microseconds, or -1 with errno.
 */
double synced_run(struct scratch *scratch, enum figure_id figure)
{
	unsigned int page;
	double start;

	if (!begin(scratch))
		return -1;
	if (figure == FIGURE_OVERWRITE)
		page = scratch->sync_page++ % FIRST;
	else
		page = scratch->sync_end++;
	if (!put_page(scratch->sync_fd, (off_t)page * PAGE))
		return -1;
	start = machine_now();
	if (fsync(scratch->sync_fd) < 0)
		return -1;
	return (machine_now() - start) * 1e6;
}
