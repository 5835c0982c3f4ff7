// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read kernel messages logged during a mount: of daxstack, and of the lower filesystem
 * on its device.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"

/* Bits of the priority with the level; less urgent messages are skipped. */
#define LEVEL_MASK	7
#define LEVEL_NOTICE	5

/**
 * kmsg_begin - start listening for kernel messages
 *
 * Return: a descriptor for kmsg_next(); -1 if not permitted: no messages then.
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

/* Prefixes: "EXT4-fs (pmem0): ...", "XFS (pmem0): ...", "daxstack: ..." */
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
 * kmsg_next - read the next message
 * @fd: of kmsg_begin()
 * @device: the kernel's name for the device, "" if there is none
 *
 * Return: a line, to be freed, or NULL if there is none. The kernel has escaped all but
 * printable ASCII.
 */
char *kmsg_next(int fd, const char *device)
{
	char record[8192], *text;
	unsigned int priority;
	ssize_t len;

	while (fd >= 0) {
		len = read(fd, record, sizeof(record) - 1);
		/* EPIPE: messages were overwritten before they were read. */
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			break;
		/* Record: "PRIORITY,NUMBER,TIME,FLAGS;TEXT\n", then lines about the device. */
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
