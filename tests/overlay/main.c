// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filesystems on top of the stack. Asserts that overlayfs with the stack as
 * upper and lower layer behaves as with the lower filesystem itself, also
 * during switches; FUSE passthrough (H72). Kernels without backing files must
 * refuse it.
 *
 * Usage: overlay [H44 | H71 | H72]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "overlay.h"

int mount_over(const char *options, const char *root)
{
	char text[1024];

	/* Up to four layers. */
	snprintf(text, sizeof(text), options, root, root, root, root);
	return ERR(mount("overlay", "over", "overlay", 0, text));
}

/* Asserts that overlayfs is refused and the stack still works. */
static void test_refused(void)
{
	int fd;

	dxs_mkfs(NULL);
	dxs_mount_stack();
	MUST(mkdir("stack/lower", 0755));
	MUST(mkdir("stack/upper", 0755));
	MUST(mkdir("stack/work", 0755));
	dxs_log_mark();
	dxs_errno(EINVAL, mount_over("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
				     "stack"),
		  "overlayfs with the stack as upper layer is refused");
	dxs_errno(EINVAL, mount_over("lowerdir=%s/lower:%s/upper", "stack"),
		  "... and as lower layer");
	dxs_ok(dxs_log_has("maximum fs stacking depth exceeded"),
	       "dmesg has the reason");
	fd = MUST(open("stack/file", O_RDWR | O_CREAT, 0644));
	dxs_to(fd, DAXSTACK_DAX, "after the refusal");
	close(fd);
	dxs_umount_stack();
	dxs_fsck();
}

/* The stack counts as one level, so the depth of stacking is limited. */
static void test_depth(void)
{
	MUST(mkdir("over2", 0755));
	dxs_mkfs(NULL);
	dxs_mount_stack();
	MUST(mkdir("stack/a", 0755));
	MUST(mkdir("stack/b", 0755));
	dxs_errno(0, mount_over("lowerdir=%s/a:%s/b", "stack"), "one overlay");
	MUST(mkdir("other", 0755));
	dxs_log_mark();
	dxs_errno(EINVAL, ERR(mount("overlay", "over2", "overlay", 0,
				    "lowerdir=over:other")),
		  "a second overlay on it is refused");
	dxs_ok(dxs_log_has("maximum fs stacking depth exceeded"),
	       "dmesg has the reason");
	dxs_ok(dxs_mount("over", "over2", "daxstack", "rw"),
	       "the stack on a directory of an overlay is refused");
	MUST(umount("over"));
	dxs_umount_stack();
}

static bool backing_files(void)
{
	unsigned int major, minor;
	FILE *f = fopen("/proc/sys/kernel/osrelease", "r");
	bool known = f && fscanf(f, "%u.%u", &major, &minor) == 2;

	if (f)
		fclose(f);
	return known && (major > 6 || (major == 6 && minor >= 12));
}

int main(int argc, char *argv[])
{
	const char *only = argc > 1 ? argv[1] : NULL;

	if (only && strcmp(only, "H44") && strcmp(only, "H71") && strcmp(only, "H72"))
		return 2;
	dxs_begin();
	MUST(mkdir("over", 0755));
	DXS_RUN_READ(NULL, 0, "modprobe", "overlay");
	if (!backing_files()) {
		test_refused();
		dxs_skip("this kernel has no backing files", "remaining tests");
		return dxs_done();
	}
	if (!only || !strcmp(only, "H71"))
		test_compare();
	if (!only || !strcmp(only, "H72"))
		test_passthrough();
	if (!only || !strcmp(only, "H44"))
		test_bound();
	if (!only) {
		test_depth();
		test_under();
	}
	return dxs_done();
}
