// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel says while something is done: of daxstack, and of the lower
 * filesystem on a device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"

/* Of a priority the level; above this one nothing is wrong. */
#define LEVEL_MASK	7
#define LEVEL_NOTICE	5

/**
 * kmsg_begin - listen from now on
 *
 * Return: for kmsg_next(); -1 if it is not allowed, then nothing is heard.
 */
int kmsg_begin(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

static int begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* "EXT4-fs (pmem0): ...", "XFS (pmem0): ...", "daxstack: ..." */
static int is_of(const char *text, const char *device)
{
	static const char *const prefixes[] = { "EXT4-fs (", "EXT4-fs error (device ",
						"XFS (", NULL };
	size_t i, len = strlen(device);

	if (begins(text, "daxstack: ") || begins(text, "EXT4-fs: "))
		return 1;
	for (i = 0; prefixes[i]; i++) {
		const char *name = text + strlen(prefixes[i]);

		if (len && begins(text, prefixes[i]) && begins(name, device) &&
		    strchr("):", name[len]))
			return 1;
	}
	return 0;
}

/**
 * kmsg_next - a line that the kernel has said since
 * @fd: of kmsg_begin()
 * @device: the kernel's name for the device, "" if there is none
 *
 * Return: a line, to be freed, or NULL if there is no other. What is no printable
 * ASCII the kernel has escaped.
 */
char *kmsg_next(int fd, const char *device)
{
	char record[8192], *text;
	unsigned int priority;
	ssize_t len;

	while (fd >= 0) {
		len = read(fd, record, sizeof(record) - 1);
		/* Overwritten before it was read. */
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			break;
		/* "PRIORITY,NUMBER,TIME,FLAGS;TEXT\n", and lines about devices */
		record[len] = 0;
		text = strchr(record, ';');
		if (!text || sscanf(record, "%u,", &priority) != 1 ||
		    (priority & LEVEL_MASK) > LEVEL_NOTICE)
			continue;
		text[strcspn(text, "\n")] = 0;
		if (is_of(text + 1, device))
			return strdup(text + 1);
	}
	return NULL;
}
