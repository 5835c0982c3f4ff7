// SPDX-License-Identifier: GPL-2.0-only
/*
 * command: set --unshare interrupted between two calls: chunks already copied
 * stay copied, contents do not change, and the next run does the rest.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "command.h"

#define LEN	(80 * MIB)
#define CHUNK	MIB
#define ORIGINAL "unshare-original"
#define COPY	"unshare-copy"

#define INTERRUPTED							\
	"daxstack: stack/" COPY ": not switched to dax: interrupted by a signal" \
	" (Interrupted system call)\n"

static char out[4096];

static void make_clone(void)
{
	char *buf = dxs_alloc(CHUNK);
	int original, copy;
	off_t pos;

	dxs_umount_stack();
	dxs_mount_lower();
	original = MUST(open("lower/" ORIGINAL, O_RDWR | O_CREAT | O_EXCL,
			     0644));
	for (pos = 0; pos < LEN; pos += CHUNK) {
		dxs_fill(buf, CHUNK, 1, pos);
		dxs_pwrite(original, buf, CHUNK, pos);
	}
	copy = MUST(open("lower/" COPY, O_RDWR | O_CREAT | O_EXCL, 0644));
	MUST(ioctl(copy, FICLONE, original));
	close(copy);
	close(original);
	free(buf);
	dxs_umount_lower();
	dxs_mount_stack();
}

static bool is_as_written(const char *path)
{
	char *want = dxs_alloc(CHUNK), *seen = dxs_alloc(CHUNK);
	int fd = MUST(open(path, O_RDONLY));
	bool same = true;
	off_t pos;

	for (pos = 0; same && pos < LEN; pos += CHUNK) {
		dxs_fill(want, CHUNK, 1, pos);
		dxs_pread(fd, seen, CHUNK, pos);
		same = dxs_same(want, seen, CHUNK, pos, path);
	}
	close(fd);
	free(want);
	free(seen);
	return same;
}

/* Returns how much of the file is shared, in MiB. */
static long shared(const char *path)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) +
			  1000 * sizeof(struct fiemap_extent)];
	} u = { .map = { .fm_length = LEN, .fm_extent_count = 1000 } };
	int fd = MUST(open(path, O_RDONLY));
	unsigned long long sum = 0;
	unsigned int i;

	MUST(ioctl(fd, FS_IOC_FIEMAP, &u.map));
	for (i = 0; i < u.map.fm_mapped_extents; i++)
		if (u.map.fm_extents[i].fe_flags & FIEMAP_EXTENT_SHARED)
			sum += u.map.fm_extents[i].fe_length;
	close(fd);
	return sum / MIB;
}

/* Interrupts at the second chunk, which must be the last one. */
static void interrupt_hook(const struct call *call, void *data)
{
	int *chunks = data;

	if (call->nr == SYS_fallocate && ++*chunks == 2)
		MUST(kill(call->pid, SIGINT));
}

void test_unshare(void)
{
	int chunks = 0;

	if (!dxs_on_xfs()) {
		dxs_skip("ext4 has no shared blocks", "unshare: interrupted");
		return;
	}
	make_clone();
	dxs_is(LEN / MIB, shared("stack/" COPY), "unshare: MiB shared");
	dxs_is(128 + SIGINT,
	       traced(out, sizeof(out),
		      ARGV("daxstack", "set", "--unshare", "dax",
			   "stack/" COPY), interrupt_hook, &chunks),
	       "unshare: interrupted: ends by the signal");
	dxs_str(INTERRUPTED, out, "unshare: interrupted: message");
	dxs_is(2, chunks, "unshare: interrupted: number of chunks");
	dxs_ok(shared("stack/" COPY) > 0 && shared("stack/" COPY) < LEN / MIB,
	       "unshare: interrupted: partly done: %ld MiB shared",
	       shared("stack/" COPY));
	dxs_is(DAXSTACK_CACHED, dxs_mode_of("stack/" COPY),
	       "unshare: interrupted: mode");
	dxs_ok(is_as_written("stack/" COPY), "unshare: interrupted: contents");
	dxs_is(0, DXS_RUN("daxstack", "set", "--unshare", "dax",
			  "stack/" COPY), "unshare: second run");
	dxs_is(0, shared("stack/" COPY), "unshare: second run: MiB shared");
	dxs_is(DAXSTACK_DAX, dxs_mode_of("stack/" COPY),
	       "unshare: second run: mode");
	dxs_ok(is_as_written("stack/" COPY), "unshare: second run: contents");
	dxs_ok(is_as_written("stack/" ORIGINAL),
	       "unshare: contents of the other file");
	MUST(unlink("stack/" COPY));
	MUST(unlink("stack/" ORIGINAL));
}
