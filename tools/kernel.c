// SPDX-License-Identifier: GPL-2.0-only
/* Holders of files within the kernel: loop devices, and exports of the NFS server. */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tool.h"
#include "who.h"

#define LOOP_MAJOR	7

static void add(struct who *who, dev_t dev, uint64_t ino, unsigned int holds,
		const char *command, char *file)
{
	size_t last = who->nr_holders;
	struct holder *holder = who_holder(who, last, dev, ino);

	holder->holds = holds | HOLD_HERE;
	holder->command = strdup(command);
	holder->file = file;
}

/* Decode the kernel's dev_t, as encoded in 64 bits for user space. */
static dev_t decode_dev(uint64_t dev)
{
	return makedev((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

static void look_at_loop(struct who *who, const char *name)
{
	struct loop_info64 info;
	char path[300], *file;
	struct stat st;
	size_t len;
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISBLK(st.st_mode) &&
	    major(st.st_rdev) == LOOP_MAJOR &&
	    !ioctl(fd, LOOP_GET_STATUS64, &info) &&
	    who_match(who, decode_dev(info.lo_device), info.lo_inode)) {
		snprintf(path, sizeof(path),
			 "/sys/block/%s/loop/backing_file", name);
		file = process_read(AT_FDCWD, path);
		len = file ? strlen(file) : 0;
		if (len && file[len - 1] == '\n')
			file[len - 1] = 0;
		add(who, decode_dev(info.lo_device), info.lo_inode, HOLD_LOOP,
		    name, file);
	}
	close(fd);
}

static void find_loops(struct who *who)
{
	DIR *blocks = opendir("/sys/block");
	struct dirent *entry;

	while (blocks && (entry = readdir(blocks)))
		if (!strncmp(entry->d_name, "loop", 4))
			look_at_loop(who, entry->d_name);
	if (blocks)
		closedir(blocks);
}

/* Decode \ooo in place: the kernel escapes blanks and the like. */
static void unescape(char *text)
{
	unsigned int c;
	char *to = text;

	for (; *text; text++) {
		if (*text == '\\' && sscanf(text, "\\%3o", &c) == 1) {
			*to++ = c;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = 0;
}

/* Format: "PATH <tab> CLIENT(OPTIONS) ...". */
static void find_exports(struct who *who)
{
	char *text = process_read(AT_FDCWD, "/proc/fs/nfsd/exports");
	char *line, *rest;
	struct statx stx;
	dev_t dev;

	if (!text)
		return;
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (*line != '/')
			continue;
		line[strcspn(line, "\t")] = 0;
		unescape(line);
		if (statx(AT_FDCWD, line, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
			  STATX_INO, &stx))
			continue;
		dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
		if (who_match(who, dev, stx.stx_ino))
			add(who, dev, stx.stx_ino, HOLD_EXPORT, "nfsd",
			    strdup(line));
	}
	free(text);
}

/**
 * kernel_find - find holders within the kernel
 * @who: with targets filled in
 *
 * Files in transit through a socket or registered with io_uring, and pinned pages, are
 * not visible from user space.
 */
void kernel_find(struct who *who)
{
	find_loops(who);
	find_exports(who);
}
