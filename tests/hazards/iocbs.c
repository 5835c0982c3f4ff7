// SPDX-License-Identifier: GPL-2.0-only
/*
 * H75: the stack passes the caller's own iocb to the lower filesystem, unless
 * the lower filesystem would complete that iocb by itself later.
 *
 * An asynchronous O_DSYNC direct write, to a file in cached mode, of blocks
 * that were never written: a worker of the lower filesystem would finish it
 * after the call, sync what it wrote, and complete the iocb. No write may be
 * lost, whether the stack makes the caller wait for that worker or not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libaio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hazards.h"

#define WRITES		32
#define LEN		(WRITES * (off_t)PAGE)

static struct iocb iocbs[WRITES];

/* Submits all at once, so that the calls return before the first completion. */
static long submit(io_context_t aio, int fd, uint8_t *buf)
{
	struct iocb *all[WRITES];
	long i, done = 0, ret;

	for (i = 0; i < WRITES; i++) {
		all[i] = &iocbs[i];
		io_prep_pwrite(all[i], fd, buf + i * PAGE, PAGE, i * PAGE);
	}
	while (done < WRITES) {
		ret = io_submit(aio, WRITES - done, all + done);
		if (ret <= 0)
			break;
		done += ret;
	}
	return done;
}

static long complete(io_context_t aio, long count)
{
	struct io_event events[WRITES];
	long i, right = 0, ret = io_getevents(aio, count, count, events, NULL);

	for (i = 0; i < ret; i++)
		right += events[i].res == PAGE;
	return right;
}

static void written(int direct, int fd, const char *name)
{
	uint8_t *buf = dxs_alloc(LEN);
	io_context_t aio = NULL;
	long ret = io_setup(WRITES, &aio), sent;

	if (ret)
		dxs_bail("io_setup: %s", strerror(-ret));
	dxs_fill(buf, LEN, 1, 0);
	sent = submit(aio, direct, buf);
	dxs_is(WRITES, sent, "H75: %s: writes accepted", name);
	dxs_is(sent, complete(aio, sent), "H75: %s: writes completed", name);
	hazard_bytes(fd, LEN, name);
	io_destroy(aio);
	free(buf);
}

void h75_kept_iocbs(void)
{
	int fd = hazard_file("stack/iocbs", 0, DAXSTACK_CACHED);
	int direct = MUST(open("stack/iocbs", O_RDWR | O_DIRECT | O_DSYNC));

	MUST(fallocate(fd, 0, 0, LEN));
	written(direct, fd, "into unwritten blocks");
	MUST(ftruncate(fd, 0));
	written(direct, fd, "beyond EOF");
	dxs_to(fd, DAXSTACK_DAX, "H75");
	hazard_bytes(fd, LEN, "H75: in dax mode");
	MUST(ftruncate(fd, 0));
	written(direct, fd, "in dax mode");
	close(direct);
	close(fd);
}
