// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack calibrate: scratch files, two for each mode.
 *
 * They have no name (O_TMPFILE, with O_EXCL so that they cannot get one): other
 * programs cannot find them, and they vanish with the last descriptor, however the
 * program ends. They are switched while they are empty and unmapped, which every mount
 * allows that switches at all.
 *
 * All mappings use pages of 4 KiB. Dax mode might use pages of 2 MiB, cached mode
 * hardly; the result would show the TLB rather than memory.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calibrate.h"
#include "daxstack.h"
#include "file.h"
#include "tool.h"

#define PAGE		4096
#define SWITCH_MS	2000

/* Return: the remedy for an error; NULL: the text of the error is sufficient. */
static const char *remedy_of(int error)
{
	switch (error) {
	case ENOSPC:
		return "free some space, or use a smaller --size";
	case EDQUOT:
		return "raise the quota, or use a smaller --size";
	case EFBIG:
		return "raise the limit of file sizes ('ulimit -f'), or use a smaller --size";
	case ENOMEM:
		return "raise the limit of memory ('ulimit -v'), or use a smaller --size";
	case EACCES:
	case EPERM:
		return "name a directory on the mount that you may write to";
	case EROFS:
		return "'mount -o remount,rw MOUNTPOINT'";
	}
	return NULL;
}

static void print_remedy(const char *remedy)
{
	if (remedy)
		warnx("remedy: %s", remedy);
}

/**
 * scratch_failed - report a failed call
 * @path: the directory
 * @what: what failed
 * @error: an errno
 *
 * Return: enum tool_status.
 */
int scratch_failed(const char *path, const char *what, int error)
{
	if (error == EINTR)
		return TOOL_BUSY;
	warnx("%s: %s: %s", name_shown(path), what, strerror(error));
	print_remedy(remedy_of(error));
	return error == EBUSY ? TOOL_BUSY : TOOL_FAILED;
}

/**
 * scratch_refused - report that files cannot be switched
 * @path: the directory
 * @reason: enum daxstack_reason
 * @lower: device of the lower filesystem, 0: unknown
 *
 * Return: enum tool_status.
 */
int scratch_refused(const char *path, unsigned int reason, dev_t lower)
{
	char *places = NULL;

	warnx("%s: not measured: files cannot be switched: %s (%s)",
	      name_shown(path), reason_text(reason),
	      strerror(reason_error(reason)));
	if (reason == DAXSTACK_REASON_LOWER_SHARED && lower)
		places = lower_mounts(lower);
	if (places)
		warnx("the lower filesystem is mounted on %s", name_shown(places));
	free(places);
	print_remedy(reason_remedy(reason));
	return reason_status(reason);
}

/* Return: enum tool_status. */
static int make(const struct scratches *s, unsigned int mode, int *made)
{
	struct daxstack_switch sw = { .mode = mode, .timeout_ms = SWITCH_MS };
	int fd = openat(s->dir, ".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC,
			0600);

	*made = fd;
	if (fd < 0)
		return scratch_failed(s->path, "creating a scratch file failed", errno);
	if (ioctl(fd, DAXSTACK_IOC_SWITCH, &sw) < 0 || sw.deferred)
		return sw.reason ? scratch_refused(s->path, sw.reason, s->lower) :
			scratch_failed(s->path, "switching a scratch file failed",
				       errno);
	return TOOL_OK;
}

/**
 * scratch_open - create the scratch files
 * @scratches: with @dir, @path and @lower set; the rest is filled in
 * @bytes: size of each large file, a multiple of GROUP_BYTES
 *
 * Return: enum tool_status. Call scratch_close() also on failure.
 */
int scratch_open(struct scratches *scratches, size_t bytes)
{
	struct scratch *scratch;
	unsigned int mode;
	int status;

	for (mode = 0; mode < MODES; mode++) {
		scratch = &scratches->of[mode];
		*scratch = (struct scratch){
			.mode = mode, .fd = -1, .map = MAP_FAILED, .sync_fd = -1,
		};
	}
	for (mode = 0; mode < MODES; mode++) {
		scratch = &scratches->of[mode];
		status = make(scratches, mode, &scratch->fd) ?:
			make(scratches, mode, &scratch->sync_fd);
		if (status)
			return status;
	}
	for (mode = 0; mode < MODES; mode++)
		if (fallocate(scratches->of[mode].fd, 0, 0, bytes) < 0)
			return scratch_failed(scratches->path,
					      "allocating a scratch file failed", errno);
	scratches->groups = bytes / GROUP_BYTES;
	return TOOL_OK;
}

static bool put(int fd, const char *buf, off_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < GROUP_BYTES) {
		n = pwrite(fd, buf + done, GROUP_BYTES - done, at + done);
		if (n < 0 && (errno != EINTR || signals_ended()))
			return false;
		if (n > 0)
			done += n;
	}
	return true;
}

/* Write back at once, so that writeback does not disturb the measurement. */
static int fill_group(const struct scratches *s, const char *buf, size_t number)
{
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++)
		if (!put(s->of[mode].fd, buf, number * GROUP_BYTES) ||
		    fdatasync(s->of[mode].fd) < 0)
			return scratch_failed(s->path, "writing a scratch file failed",
					      errno);
	return TOOL_OK;
}

/*
 * Map at an address whose offset within a large page differs from that of the file
 * offset, which prevents large pages.
 */
static char *map_small(int fd, size_t bytes)
{
	size_t room = bytes + 2 * GROUP_BYTES;
	char *place = mmap(NULL, room, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *map;

	if (place == MAP_FAILED)
		return place;
	map = place + GROUP_BYTES - (uintptr_t)place % GROUP_BYTES + PAGE;
	map = mmap(map, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   fd, 0);
	/* EINVAL: the kernel has no large pages. */
	if (map != MAP_FAILED)
		madvise(map, bytes, MADV_NOHUGEPAGE);
	return map;
}

static int map_all(struct scratches *s)
{
	size_t bytes = s->groups * GROUP_BYTES;
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		if (ftruncate(s->of[mode].fd, bytes) < 0)
			return scratch_failed(s->path, "truncating a scratch file failed",
					      errno);
		s->of[mode].map = map_small(s->of[mode].fd, bytes);
		if (s->of[mode].map == MAP_FAILED)
			return scratch_failed(s->path, "mapping a scratch file failed",
					      errno);
	}
	return TOOL_OK;
}

/**
 * scratch_fill - write the same content to both files, and map them
 * @scratches: the files
 * @until: deadline; the part not filled by then is cut off
 *
 * Return: enum tool_status; nothing is printed if signals_ended().
 */
int scratch_fill(struct scratches *scratches, double until)
{
	uint64_t random = 0x9e3779b97f4a7c15;
	char *buf = calloc(1, GROUP_BYTES);
	int status = TOOL_OK;
	size_t number;

	if (!buf)
		err(TOOL_FAILED, "scratch file");
	for (number = 0; number < scratches->groups; number++) {
		if (number >= GROUPS_MIN && number % 2 == 0 &&
		    machine_now() > until)
			scratches->groups = number;
		if (number == scratches->groups || status || signals_ended())
			break;
		if (number % 2 == 0)
			chase_link(buf, &random);
		status = fill_group(scratches, buf, number);
	}
	free(buf);
	if (!status && signals_ended())
		return TOOL_BUSY;
	return status ?: map_all(scratches);
}

/**
 * scratch_check - verify the modes of the files
 * @scratches: the files
 *
 * Return: enum tool_status.
 */
int scratch_check(const struct scratches *scratches)
{
	const struct scratch *scratch;
	struct file_id data, sync;
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		scratch = &scratches->of[mode];
		if (file_identify(scratch->fd, &data) < 0 ||
		    file_identify(scratch->sync_fd, &sync) < 0 ||
		    data.dax != !!mode || sync.dax != !!mode) {
			warnx("%s: not measured: a scratch file is no longer in %s mode",
			      name_shown(scratches->path), mode_name(mode));
			print_remedy("another program has switched it: try again");
			return TOOL_BUSY;
		}
	}
	return TOOL_OK;
}

/**
 * scratch_group - address of a group
 * @scratches: the files
 * @mode: of the file
 * @number: of the group, modulo the number of groups
 * @stream: a group for streams, else one with chains
 */
char *scratch_group(const struct scratches *scratches, unsigned int mode,
		    size_t number, bool stream)
{
	size_t pairs = scratches->groups / 2;

	return scratches->of[mode].map +
		(number % pairs * 2 + stream) * GROUP_BYTES;
}

/**
 * scratch_close - close the files, which deletes them
 * @scratches: as left by scratch_open()
 */
void scratch_close(struct scratches *scratches)
{
	struct scratch *scratch;
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		scratch = &scratches->of[mode];
		if (scratch->map != MAP_FAILED)
			munmap(scratch->map, scratches->groups * GROUP_BYTES);
		if (scratch->fd >= 0)
			close(scratch->fd);
		if (scratch->sync_fd >= 0)
			close(scratch->sync_fd);
	}
}
