// SPDX-License-Identifier: GPL-2.0
/*
 * A file on a daxstack mount, and the words for what the kernel says of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daxstack.h"
#include "tool.h"

/* By number: the enum is made from the same list. */
static const char *const reason_texts[] = {
#define REASON_TEXT_(name, err, text) text,
	DAXSTACK_REASONS(REASON_TEXT_)
};

/*
 * NULL if @fd is on a daxstack mount, else why not. Of many files in a row,
 * most are on the same.
 */
static const char *not_on_daxstack(int fd, struct stat *st)
{
	static bool known;
	static dev_t dev;
	struct statfs fs;

	if (fstat(fd, st) < 0)
		return strerror(errno);
	if (known && st->st_dev == dev)
		return NULL;
	if (fstatfs(fd, &fs) < 0)
		return strerror(errno);
	if (fs.f_type != DAXSTACK_SUPER_MAGIC)
		return "not on a daxstack mount";
	known = true;
	dev = st->st_dev;
	return NULL;
}

/**
 * file_open - open a file or directory of a daxstack mount
 * @path: its name; symbolic links are followed
 * @st: filled in
 * @why: on failure, what to tell the user; valid until the next strerror()
 *
 * Nothing is created, and nothing waits for the other end of a fifo.
 * Return: a descriptor for the caller to close, or -1.
 */
int file_open(const char *path, struct stat *st, const char **why)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0) {
		*why = strerror(errno);
		return -1;
	}
	*why = not_on_daxstack(fd, st);
	if (*why) {
		close(fd);
		return -1;
	}
	return fd;
}

/**
 * file_is_regular - whether daxstack's ioctls may be sent to a file
 * @st: of the file
 *
 * An ioctl on a device node goes to the driver, whatever the filesystem.
 */
bool file_is_regular(const struct stat *st)
{
	return S_ISREG(st->st_mode);
}

/**
 * mode_name - a mode as it is typed and shown
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 */
const char *mode_name(unsigned int mode)
{
	return mode == DAXSTACK_DAX ? "dax" : "cached";
}

/**
 * reason_text - a reason in words
 * @reason: enum daxstack_reason
 *
 * Return: the text, valid until the next call; NULL for DAXSTACK_REASON_NONE.
 */
const char *reason_text(unsigned int reason)
{
	static char unknown[40];

	if (reason == DAXSTACK_REASON_NONE)
		return NULL;
	if (reason < DAXSTACK_REASON_COUNT)
		return reason_texts[reason];
	/* The module is newer than this program. */
	snprintf(unknown, sizeof(unknown), "unknown reason %u", reason);
	return unknown;
}
