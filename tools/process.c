// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to a process by its directory in /proc. Once the directory is open, lookups in
 * it refer to that process: they fail after its end, even if its process ID is reused.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"
#include "who.h"

/**
 * process_open - open the directory of a process
 * @pid: process ID, or "self"
 *
 * Return: a descriptor, or -1 if there is no such process.
 */
int process_open(const char *pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s", pid);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/**
 * process_read - read a file in /proc
 * @dir: its directory
 * @name: its name
 *
 * Return: its content, allocated, or NULL with errno.
 */
char *process_read(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0, size = 1024;
	char *text;
	ssize_t n;

	if (fd < 0)
		return NULL;
	text = malloc(size);
	while (text && (n = read(fd, text + len, size - len - 1)) > 0) {
		len += n;
		if (size - len > 1)
			continue;
		size *= 2;
		text = realloc(text, size);
	}
	close(fd);
	if (!text)
		err(TOOL_FAILED, "/proc");
	text[len] = 0;
	return text;
}

/**
 * process_command - name of a process
 * @proc: its directory
 *
 * The process can set its name to any bytes.
 *
 * Return: allocated.
 */
char *process_command(int proc)
{
	char *name = process_read(proc, "comm");
	size_t len;

	if (!name)
		name = strdup("?");
	if (!name)
		err(TOOL_FAILED, "/proc");
	len = strlen(name);
	if (len && name[len - 1] == '\n')
		name[len - 1] = 0;
	return name;
}

/**
 * process_uid - owner of a process
 * @proc: its directory
 * @uid: filled in
 */
bool process_uid(int proc, uid_t *uid)
{
	/* The first line has the name, in which the kernel escapes newlines. */
	char *text = process_read(proc, "status");
	const char *line = text ? strstr(text, "\nUid:") : NULL;
	bool found = line && sscanf(line, "\nUid: %u", uid) == 1;

	free(text);
	return found;
}
