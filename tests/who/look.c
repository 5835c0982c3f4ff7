// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the programs that list holders of a file.
 */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "who.h"

static char out[20000];

void make_file(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT, 0644));

	MUST(ftruncate(fd, LEN));
	if (dxs_mode(fd) != mode && dxs_switch(fd, mode, 0, NULL))
		dxs_bail("%s: not switched to %s", path, dxs_mode_name(mode));
	close(fd);
}

bool has_number(const char *text, pid_t pid)
{
	const char *word = text;
	char number[16];
	size_t len;

	len = snprintf(number, sizeof(number), "%d", pid);
	while ((word = strstr(word, number))) {
		if ((word == text || isspace((unsigned char)word[-1])) &&
		    !isdigit((unsigned char)word[len]))
			return true;
		word += len;
	}
	return false;
}

const char *line_of(const char *text, pid_t pid)
{
	static char line[2000];
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (atoi(text) != pid || len >= sizeof(line))
			continue;
		memcpy(line, text, len);
		line[len] = 0;
		return line;
	}
	return "";
}

const char *who(const char *path)
{
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "daxstack", "who", "-n", path),
	       "daxstack who: status");
	return out;
}

void who_says(const char *path, pid_t pid, const char *word, const char *name)
{
	const char *line = line_of(who(path), pid);

	if (!dxs_ok(strstr(line, word), "%s: daxstack who says %s", name, word))
		dxs_diag("seen: %s", *line ? line : out);
}

static void found(pid_t pid, const char *name, const char *by)
{
	if (!dxs_ok(has_number(out, pid), "%s: found by %s", name, by))
		dxs_diag("process %d, seen: %s", pid, out);
}

void found_by_all(pid_t pid, const char *path, const char *name)
{
	char stack[PATH_MAX];

	/* lsof knows mounts only by their full paths. */
	if (!realpath("stack", stack))
		dxs_bail("stack: %m");
	if (path) {
		DXS_RUN_READ(out, sizeof(out), "fuser", path);
		found(pid, name, "fuser FILE");
		DXS_RUN_READ(out, sizeof(out), "lsof", "-t", path);
		found(pid, name, "lsof FILE");
		who(path);
		found(pid, name, "daxstack who FILE");
	}
	DXS_RUN_READ(out, sizeof(out), "fuser", "-m", "stack");
	found(pid, name, "fuser -m MOUNTPOINT");
	DXS_RUN_READ(out, sizeof(out), "lsof", "-t", stack);
	found(pid, name, "lsof MOUNTPOINT");
	who("stack");
	found(pid, name, "daxstack who MOUNTPOINT");
}
