// SPDX-License-Identifier: GPL-2.0-only
/*
 * fsck.daxstack: called by fsck(8) for the type daxstack, as for a line of fstab with
 * pass 2. daxstack has no on-disk format, so this executes the checker of the lower
 * filesystem.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "tool.h"

/* Exit statuses of fsck(8). */
#define FSCK_OK		0
#define FSCK_ERROR	8
#define FSCK_USAGE	16

static const char help[] =
"Usage: fsck.daxstack [OPTION]... DEVICE\n"
"\n"
"Check the filesystem below daxstack: run fsck.ext4 or fsck.xfs, by the content\n"
"of DEVICE, and pass on all OPTIONs. fsck(8) calls this for the type daxstack.\n"
"\n"
"DEVICE is the last argument: a path, or UUID=, LABEL=, PARTUUID= or PARTLABEL=.\n"
"It must not be mounted. fsck.xfs does nothing, as for XFS alone: XFS needs no\n"
"check at boot, and xfs_repair repairs damage.\n"
"\n"
"Exit status: that of the checker; 8 if it could not be run.\n"
"\n"
"Example:\n"
"  umount /srv/db && fsck.daxstack -f LABEL=db\n";

static void complain(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

static void complain(const char *fmt, ...)
{
	va_list args;

	fputs("fsck.daxstack: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	putc('\n', stderr);
}

/* O_EXCL fails while a filesystem has the device mounted. */
static bool is_free(const char *path, dev_t dev)
{
	int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	struct device_mount mount;

	if (fd >= 0) {
		close(fd);
		return true;
	}
	/* The checker reports other errors. */
	if (errno != EBUSY)
		return true;
	if (device_mounted(dev, "daxstack", NULL, &mount) ||
	    device_mounted(dev, NULL, NULL, &mount))
		complain("%s is mounted at %s: not checked", name_shown(path),
			 mount.target);
	else
		complain("%s is in use: not checked", name_shown(path));
	return false;
}

/* Execute the checker. Returns only on failure. */
static int run(const char *lower, const char *path, int argc, char **argv)
{
	char program[32];

	snprintf(program, sizeof(program), "fsck.%s", lower);
	argv[0] = program;
	argv[argc - 1] = (char *)path;
	/* The path that fsck(8) sets; at boot it may be unset. */
	setenv("PATH", "/sbin:/usr/sbin:/bin:/usr/bin", 1);
	execvp(program, argv);
	complain("%s: %s", program, strerror(errno));
	return FSCK_ERROR;
}

static int check(const char *path, int argc, char **argv)
{
	struct device_content content;
	struct stat st;

	if (stat(path, &st)) {
		complain("%s: %s", name_shown(path), strerror(errno));
		return FSCK_ERROR;
	}
	if (S_ISDIR(st.st_mode)) {
		complain("%s is a directory: check the device that it is mounted from",
			 name_shown(path));
		return FSCK_OK;
	}
	if (S_ISBLK(st.st_mode) && !is_free(path, st.st_rdev))
		return FSCK_ERROR;
	device_look(path, &content);
	switch (content.holds) {
	case DEVICE_SOMETHING:
		if (content.lower)
			return run(content.lower, path, argc, argv);
		complain("%s holds %s: daxstack supports ext4 and XFS only",
			 name_shown(path), content.type);
		break;
	case DEVICE_UNREAD:
		complain("%s: %s", name_shown(path), strerror(content.err));
		break;
	case DEVICE_SEVERAL:
		complain("%s has signatures of more than one filesystem, see wipefs(8)",
			 name_shown(path));
		break;
	case DEVICE_NOTHING:
		complain("%s: no filesystem found", name_shown(path));
		break;
	}
	return FSCK_ERROR;
}

int main(int argc, char **argv)
{
	const char *spec;
	char *path;

	descriptors_keep();
	setlocale(LC_ALL, "");
	if (argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
		fputs(help, stdout);
		return FSCK_OK;
	}
	if (argc == 2 && (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version"))) {
		puts("fsck.daxstack " VERSION);
		return FSCK_OK;
	}
	spec = argc > 1 ? argv[argc - 1] : "-";
	if (*spec == '-') {
		complain("the device is missing");
		fputs("Try 'fsck.daxstack -h'.\n", stderr);
		return FSCK_USAGE;
	}
	path = mnt_resolve_spec(spec, NULL);
	if (!path) {
		complain("%s: no such device", name_shown(spec));
		return FSCK_ERROR;
	}
	return check(path, argc, argv);
}
