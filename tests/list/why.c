// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack why: asserts the reason that keeps a file from switching, and the
 * remedy.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "list.h"

#define WHY	"daxstack", "why"
#define FILE_	"stack/file"

/* Asserts a reason, and that its remedy has these words. */
static void is_refused(int status, const char *path, const char *reason,
		       const char *remedy)
{
	dxs_is(status, RUN(WHY, path), "%s: exit status", reason);
	dxs_ok(strstr(out, ": refused: ") && strstr(out, "\n  remedy: ") &&
	       strstr(out, remedy), "%s: remedy", reason);
	dxs_is(status, RUN(WHY, "-J", path), "%s: JSON: exit status", reason);
	dxs_str(reason, strtok((char *)jq(".files[0].reason_name"), "\n"),
		"%s: reason name", reason);
	dxs_str(status == 1 ? "true\n" : "false\n", jq(".files[0].may_pass"),
		"%s: may_pass", reason);
	dxs_ok(strstr(jq(".files[0].remedy"), remedy),
	       "%s: JSON: remedy", reason);
}

static void test_nothing(void)
{
	dxs_set_mode(FILE_, DAXSTACK_CACHED);
	dxs_is(0, RUN(WHY, FILE_), "cached: exit status");
	dxs_str(FILE_ ": cached, to dax: a switch would be attempted\n", out,
		"cached: nothing");
	dxs_set_mode(FILE_, DAXSTACK_DAX);
	dxs_is(0, RUN(WHY, FILE_), "dax: exit status");
	dxs_str(FILE_ ": dax, to cached: a switch would be attempted\n", out,
		"dax: nothing");
	dxs_is(0, RUN(WHY, "-J", FILE_), "JSON: exit status");
	dxs_str("[\"" FILE_ "\",null,\"dax\",\"cached\",null,null,null,null]\n",
		jq(".files[0] | [.file, .file_hex, .mode, .to, .reason,"
		   " .reason_name, .remedy, .may_pass]"),
		"JSON: no obstacle");
	dxs_is(0, RUN(WHY, "stack"), "a directory: exit status");
	dxs_str("stack: directory, files of this mount: a switch would be attempted\n",
		out, "a directory: nothing");
}

static void test_use(void)
{
	int fd = MUST(open(FILE_, O_RDWR));
	void *map = dxs_map_sync(fd, PAGE);

	is_refused(1, FILE_, "MAP_SYNC", "'daxstack who FILE'");
	MUST(munmap(map, PAGE));
	dxs_remount("switch=unmapped");
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	is_refused(1, FILE_, "MAPPED", "remount,switch=live");
	MUST(munmap(map, PAGE));
	dxs_remount("switch=empty");
	is_refused(2, FILE_, "HAS_BLOCKS", "while it is empty");
	dxs_remount("switch=never");
	is_refused(2, FILE_, "NEVER", "remount,switch=live");
	is_refused(2, "stack", "NEVER", "remount,switch=live");
	/* No writer may exist on a read-only mount. */
	close(fd);
	dxs_remount("switch=live,ro");
	is_refused(2, FILE_, "READ_ONLY", "remount,rw");
	dxs_remount("rw");
	fd = MUST(open(FILE_, O_RDONLY));
	MUST(ioctl(fd, FIFREEZE, 0));
	is_refused(1, FILE_, "FROZEN", "fsfreeze --unfreeze");
	MUST(ioctl(fd, FITHAW, 0));
	close(fd);
}

static void test_elsewhere(void)
{
	dxs_mount_lower();
	is_refused(1, FILE_, "LOWER_SHARED", "umount DIRECTORY");
	RUN(WHY, FILE_);
	dxs_ok(strstr(out, "/lower\n"), "LOWER_SHARED: mount point");
	dxs_umount_lower();
}

static void test_stranger(void)
{
	MUST(chmod(FILE_, 0644));
	MUST(chmod(".", 0755));
	dxs_is(2, RUN("setpriv", "--reuid", "65534", "--clear-groups", WHY,
		      FILE_), "unprivileged user: exit status");
	dxs_ok(strstr(out, "does not own") && strstr(out, "remedy: ask the owner"),
	       "unprivileged user: remedy");
}

static void test_others(void)
{
	int fd = MUST(open(FILE_, O_RDONLY));
	int flags;

	MUST(mkfifo("stack/fifo", 0600));
	dxs_is(2, RUN(WHY, "stack/fifo"), "a fifo: exit status");
	dxs_ok(strstr(out, "stack/fifo: not a regular file\n"),
	       "a fifo: message");
	dxs_is(2, RUN(WHY, "json"), "another filesystem: exit status");
	dxs_is(64, RUN(WHY), "no operand: exit status");
	dxs_is(2, RUN(WHY, FILE_, "stack/nothing"),
	       "one operand does not exist");
	dxs_ok(strstr(out, FILE_ ": dax"),
	       "one operand does not exist: the other is reported");

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_IMMUTABLE_FL;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	if (dxs_on_xfs())
		dxs_is(0, RUN(WHY, FILE_), "immutable, XFS: exit status");
	else
		is_refused(2, FILE_, "IMMUTABLE", "chattr -i");
	flags &= ~FS_IMMUTABLE_FL;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
}

/* By the lower filesystem alone: the stack refuses FICLONE. */
static void test_reflink(void)
{
	int from, to, error;

	if (!dxs_on_xfs())
		return;
	make_file("stack/shared", 4 * PAGE);
	dxs_umount_stack();
	dxs_mount_lower();
	from = MUST(open("lower/shared", O_RDONLY));
	to = MUST(open("lower/clone", O_RDWR | O_CREAT, 0600));
	error = ERR(ioctl(to, FICLONE, from));
	close(from);
	close(to);
	dxs_umount_lower();
	dxs_mount_stack();
	if (error) {
		dxs_skip("mkfs.xfs without reflink", "shared blocks");
		return;
	}
	if (dxs_kernel_from(6, 2)) {
		dxs_is(0, RUN(WHY, "stack/clone"),
		       "shared blocks: no obstacle");
		return;
	}
	dxs_is(2, RUN(WHY, "stack/clone"), "shared blocks: exit status");
	dxs_ok(strstr(out, "daxstack set --unshare dax FILE"),
	       "shared blocks: remedy");
}

/* daxstack set prints the same remedy. */
static void test_set(void)
{
	dxs_remount("switch=empty");
	RUN("daxstack", "set", "cached", FILE_);
	dxs_ok(strstr(out, "daxstack: remedy: switch it while it is empty"),
	       "set: remedy");
	RUN("daxstack", "set", "-q", "cached", FILE_);
	dxs_str("", out, "set -q: no output");
	dxs_remount("switch=live");
}

void test_why(void)
{
	make_file(FILE_, PAGE);
	test_nothing();
	test_use();
	test_elsewhere();
	test_stranger();
	test_set();
	test_others();
	test_reflink();
}
