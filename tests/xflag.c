// SPDX-License-Identifier: GPL-2.0-only
/*
 * chattr +x and -x, and xfs_io's chattr, switch a file at once; lsattr,
 * xfs_io's lsattr and statx show the mode; other attributes are unchanged.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dxs_test.h"

#define PATH "stack/file"

/* Asserts whether the tools print an x among the attributes before the path. */
static void shown(bool expected, const char *by)
{
	char out[256];

	if (dxs_is(0, DXS_RUN_READ(out, sizeof(out), "lsattr", PATH),
		   "%s: lsattr", by)) {
		out[strcspn(out, " ")] = 0;
		if (!dxs_is(expected, !!strchr(out, 'x'),
			    "%s: lsattr shows it", by))
			dxs_diag("%s", out);
	}
	if (dxs_is(0, DXS_RUN_READ(out, sizeof(out), "xfs_io", "-r", "-c",
				   "lsattr", PATH), "%s: xfs_io lsattr", by)) {
		out[strcspn(out, " ")] = 0;
		if (!dxs_is(expected, !!strchr(out, 'x'),
			    "%s: xfs_io lsattr shows it", by))
			dxs_diag("%s", out);
	}
}

static void check(int fd, const uint8_t *map, int mode, const char *by)
{
	dxs_str(dxs_mode_name(mode), dxs_mode_name(dxs_mode(fd)),
		"%s: switched", by);
	dxs_is(mode == DAXSTACK_DAX, dxs_xflag(fd), "%s: the flag", by);
	dxs_is('h', map[0], "%s: contents of the mapping", by);
	shown(mode == DAXSTACK_DAX, by);
}

int main(void)
{
	char out[256];
	uint8_t *map;
	int fd, i;

	dxs_begin();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	/* Open and mapped throughout. */
	fd = MUST(open(PATH, O_RDWR | O_CREAT, 0644));
	dxs_pwrite(fd, "hello", 5, 0);
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	for (i = 0; i < 2; i++) {
		dxs_is(0, DXS_RUN("chattr", "+x", PATH), "chattr +x: status");
		check(fd, map, DAXSTACK_DAX, "chattr +x");
		dxs_is(0, DXS_RUN("chattr", "-x", PATH), "chattr -x: status");
		check(fd, map, DAXSTACK_CACHED, "chattr -x");
		dxs_is(0, DXS_RUN("xfs_io", "-c", "chattr +x", PATH),
		       "xfs_io chattr +x: status");
		check(fd, map, DAXSTACK_DAX, "xfs_io chattr +x");
		dxs_is(0, DXS_RUN("xfs_io", "-c", "chattr -x", PATH),
		       "xfs_io chattr -x: status");
		check(fd, map, DAXSTACK_CACHED, "xfs_io chattr -x");
	}

	/* Together with other attributes, both ways. */
	dxs_is(0, DXS_RUN("chattr", "+xAd", PATH), "chattr +xAd: status");
	check(fd, map, DAXSTACK_DAX, "chattr +xAd");
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "lsattr", PATH), "lsattr");
	out[strcspn(out, " ")] = 0;
	if (!dxs_ok(strchr(out, 'A') && strchr(out, 'd'),
		    "chattr +xAd: A and d are set"))
		dxs_diag("seen: %s", out);
	dxs_is(0, DXS_RUN("chattr", "-x", PATH), "chattr -x: status");
	DXS_RUN_READ(out, sizeof(out), "lsattr", PATH);
	out[strcspn(out, " ")] = 0;
	dxs_ok(strchr(out, 'A') && strchr(out, 'd'), "chattr -x: A and d stay");
	dxs_is(0, DXS_RUN("chattr", "-Ad", PATH), "chattr -Ad: status");
	check(fd, map, DAXSTACK_CACHED, "chattr -Ad: no switch");

	/* Refused as a whole: A is not set either. */
	dxs_mount_lower();
	dxs_ok(DXS_RUN_READ(out, sizeof(out), "chattr", "+xA", PATH),
	       "chattr while mounted elsewhere fails");
	dxs_ok(strstr(out, "busy"),
	       "chattr while mounted elsewhere: message says busy");
	check(fd, map, DAXSTACK_CACHED, "chattr while mounted elsewhere");
	DXS_RUN_READ(out, sizeof(out), "lsattr", PATH);
	out[strcspn(out, " ")] = 0;
	dxs_ok(!strchr(out, 'A'),
	       "chattr while mounted elsewhere: A is not set");
	dxs_umount_lower();

	munmap(map, PAGE);
	close(fd);
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
