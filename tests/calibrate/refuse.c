// SPDX-License-Identifier: GPL-2.0-only
/*
 * calibrate: where it cannot measure, it prints the reason and the remedy.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calibrate.h"

#define SHORT	"--seconds", "1", "--size", "4M"

static void is_refused(int status, const char *why, const char *remedy,
		       const char *path, const char *name)
{
	dxs_is(status, RUN(CALIBRATE, SHORT, path), "%s: exit status", name);
	if (!dxs_ok(strstr(out, why), "%s: message", name) ||
	    !dxs_ok(!remedy || strstr(out, remedy), "%s: remedy", name))
		dxs_diag("%s", out);
	dxs_ok(!strstr(out, "[profile]"), "%s: no profile", name);
}

static void test_usage(void)
{
	static const char *const wrong[][3] = {
		{ "--seconds", "0", "'0' is not a number of seconds" },
		{ "--seconds", "3601", "'3601' is not a number of seconds" },
		{ "--seconds", "5s", "'5s' is not a number of seconds" },
		{ "--seconds", "-1", "'-1' is not a number of seconds" },
		{ "--size", "1M", "'1M' is not a size of 4M or more" },
		{ "--size", "8MB", "'8MB' is not a size of 4M or more" },
		{ "--size", "99999999999G", "is not a size of 4M or more" },
		{ "--name", "a b", "'a b' is not a name of a profile" },
		{ "--name", "", "'' is not a name of a profile" },
		{ "stack", "stack", "more than one MOUNTPOINT" },
		{ "-f", "stack", "--force needs --output" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		dxs_is(64, RUN(CALIBRATE, wrong[i][0], wrong[i][1],
			       i < 9 ? "stack" : NULL),
		       "%s %s: exit status", wrong[i][0], wrong[i][1]);
		dxs_ok(strstr(out, wrong[i][2]), "%s %s: message", wrong[i][0],
		       wrong[i][1]);
	}
	dxs_is(64, RUN(CALIBRATE), "no mount point: exit status");
	dxs_ok(strstr(out, "MOUNTPOINT missing"), "no mount point: message");
}

static void test_places(void)
{
	int fd = MUST(open("stack/file", O_CREAT | O_RDWR, 0644));

	close(fd);
	is_refused(2, ": not on a daxstack mount\n", "'daxstack list' shows them",
		   ".", "elsewhere");
	is_refused(2, "stack/file: Not a directory\n", "name a directory",
		   "stack/file", "a file");
	is_refused(2, "stack/none: No such file or directory\n", NULL,
		   "stack/none", "nothing");
	MUST(unlink("stack/file"));
}

static void test_mounts(void)
{
	char options[32];

	dxs_remount("switch=never");
	is_refused(2, "stack: not measured: files cannot be switched: "
		   "open files keep their mode (switch=never)",
		   "remount,switch=live", "stack", "switch=never");
	dxs_remount("switch=live");
	DXS_RUN("mount", "-o", "remount,ro", "stack");
	is_refused(2, "read-only filesystem", NULL, "stack", "read-only");
	DXS_RUN("mount", "-o", "remount,rw", "stack");
	DXS_RUN("fsfreeze", "-f", "stack");
	is_refused(1, "filesystem is frozen", "fsfreeze --unfreeze", "stack",
		   "frozen");
	DXS_RUN("fsfreeze", "-u", "stack");
	dxs_mount_lower();
	is_refused(1, "lower filesystem is mounted elsewhere", "daxstack who",
		   "stack", "mounted elsewhere");
	dxs_ok(strstr(out, "the lower filesystem is mounted on ") && strstr(out, "/lower"),
	       "mounted elsewhere: where");
	dxs_umount_lower();
	dxs_umount_stack();
	snprintf(options, sizeof(options), "lower=%s,dax=always", dxs_fs);
	if (dxs_mount(dxs_pmem, "stack", "daxstack", options))
		dxs_bail("mount with %s", options);
	is_refused(2, "all files have one mode (dax=always or never)",
		   "dax=inode", "stack", "dax=always");
	dxs_umount_stack();
	dxs_mount_stack();
}

static void test_room(void)
{
	dxs_is(2, RUN(CALIBRATE, "--size", "64G", "stack"),
	       "too large: exit status");
	dxs_ok(strstr(out, "stack: too little space: 131080 MiB needed, ") &&
	       strstr(out, "remedy: free some space, or use a smaller --size"),
	       "too large: reported");
	dxs_is(2, SH("ulimit -f 1024; exec daxstack calibrate --size 4M stack"),
	       "limit of file sizes: exit status");
	dxs_ok(strstr(out, "allocating a scratch file failed: File too large\n") &&
	       strstr(out, "ulimit -f"), "limit of file sizes: reported");
	/* Full, but for less than the least that it takes. */
	dxs_is(0, SH("free=$(stat -f -c '%a' stack);"
		     " fallocate -l $(((free - 3000) * 4096)) stack/fill"),
	       "a file that fills it");
	dxs_is(2, RUN(CALIBRATE, "stack"), "full: exit status");
	if (!dxs_ok(strstr(out, "stack: too little space: 16 MiB needed, ") &&
		    strstr(out, "remedy: free some space\n"), "full: reported"))
		dxs_diag("%s", out);
	MUST(unlink("stack/fill"));
}

void test_refuse(void)
{
	test_usage();
	test_places();
	test_mounts();
	test_room();
	dxs_is(0, RUN("find", "stack", "-mindepth", "1", "!", "-name",
		      "lost+found"), "refused: listing of the mount");
	dxs_str("", out, "refused: no file is left on the mount");
}
