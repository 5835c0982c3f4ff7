// SPDX-License-Identifier: GPL-2.0-only
/*
 * H1: a read from a file into a mapping of the same file faults page by page
 * while a switch waits for the read to end. If these faults waited for the
 * switch, no read would end before the switch gives up. Also crosswise: two
 * such reads between two files that are both switched.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(1 * MIB)	/* read, into the LEN that follow */
#define TIMES	30
/*
 * A switch without a timeout gives up when a call takes longer than 0.2 s. If
 * it gives up after less time of the guest's own (dxs_watched()), the host did
 * not run the guest.
 */
#define LONG	0.1

static struct reader {
	int from, to;
	uint32_t seed;
	atomic_bool *stop;
	unsigned long reads;
	const char *wrong;
} readers[2];

/* Reads into a new mapping each time, so that every page faults. */
static void *read_on(void *arg)
{
	struct reader *r = arg;
	uint8_t *expected = dxs_alloc(LEN), *map;

	dxs_fill(expected, LEN, r->seed, 0);
	while (!atomic_load(r->stop) && !r->wrong) {
		map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			   r->to, LEN);
		if (map == MAP_FAILED) {
			r->wrong = "mmap failed";
			break;
		}
		if (pread(r->from, map, LEN, 0) != LEN)
			r->wrong = "a short read";
		else if (memcmp(expected, map, LEN))
			r->wrong = "a read returned wrong bytes";
		munmap(map, LEN);
		r->reads++;
	}
	free(expected);
	return NULL;
}

static int make_file(const char *path, uint32_t seed)
{
	uint8_t *buf = dxs_alloc(2 * LEN);
	int fd = MUST(open(path, O_RDWR | O_CREAT, 0644));

	dxs_fill(buf, LEN, seed, 0);
	dxs_pwrite(fd, buf, 2 * LEN, 0);
	free(buf);
	return fd;
}

static void test_reads(int fds[2], bool crosswise)
{
	const char *what = crosswise ? "crosswise" : "the same file";
	unsigned int n = crosswise ? 2 : 1, i, done = 0, late = 0, reasons = 0;
	pthread_t threads[2];
	atomic_bool stop = false;
	double begin = dxs_now();

	for (i = 0; i < n; i++) {
		readers[i] = (struct reader){
			.from = fds[i], .to = fds[(i + crosswise) % 2],
			.seed = i + 1, .stop = &stop,
		};
		if (pthread_create(&threads[i], NULL, read_on, &readers[i]))
			dxs_bail("cannot create a thread");
	}
	for (i = 0; i < TIMES; i++) {
		int fd = fds[i % n];
		struct daxstack_switch sw;
		struct dxs_watch watch;

		/* In the middle of a read. */
		dxs_sleep_ms(5);
		watch = dxs_watch();
		if (!dxs_switch(fd, !dxs_mode(fd), 0, &sw)) {
			done++;
		} else {
			reasons |= 1 << sw.reason;
			late += dxs_watched(&watch) < LONG;
		}
	}
	atomic_store(&stop, true);
	for (i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		dxs_str("nothing", readers[i].wrong ?: "nothing",
			"%s: error of reader %u", what, i);
		dxs_diag("%s: reader %u: %lu reads", what, i, readers[i].reads);
	}
	dxs_diag("%s: %u of %u switches succeeded, %.2f s", what, done, TIMES,
		 dxs_now() - begin);
	dxs_diag("%u gave up while the guest did not run", late);
	/* A switch during a long read may give up. */
	if (!dxs_ok(done && TIMES - done - late <=
		    (dxs_slow() > 1 ? TIMES / 3 : TIMES / 6),
		    "%s: most switches succeed", what))
		dxs_diag("refused with reasons %#x (one bit each)", reasons);
}

int main(void)
{
	int fds[2];

	dxs_begin();
	dxs_watch_begin();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	fds[0] = make_file("stack/one", 1);
	fds[1] = make_file("stack/two", 2);
	test_reads(fds, false);
	test_reads(fds, true);
	close(fds[0]);
	close(fds[1]);
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
