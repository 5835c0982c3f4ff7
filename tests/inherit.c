// SPDX-License-Identifier: GPL-2.0-only
/*
 * inherit=: asserts the mode and flag that files and directories get from the
 * directory in which they are created or to which they are moved, for each way
 * to create and to move.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(4 * PAGE)
#define NOBODY	65534

/* Directories without and with the flag. */
#define PLAIN	"stack/plain"
#define FLAGGED	"stack/flagged"

static const char *option;	/* inherit= */

static bool option_is(const char *name)
{
	return !strcmp(option, name);
}

/*
 * Returns the mode of a new file, or the flag of a new directory, in FLAGGED.
 */
static int at_creation(void)
{
	return option_is("none") ? DAXSTACK_CACHED : DAXSTACK_DAX;
}

/*
 * Returns the mode of a file of mode @old after a move to a directory with flag
 * @dir.
 */
static int after_move(int old, int dir)
{
	return option_is("move") ? dir : old;
}

static void set_dir_flag(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDONLY));

	if (dxs_set_xflag(fd, mode))
		dxs_bail("flag of %s: %m", path);
	close(fd);
}

/* Creates a file of LEN bytes in @mode. */
static void make(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));
	uint8_t buf[LEN];

	dxs_to(fd, mode, path);
	dxs_fill(buf, LEN, 3, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	close(fd);
}

static void check_bytes(int fd, const char *name)
{
	uint8_t expected[LEN], seen[LEN];

	dxs_pread(fd, seen, LEN, 0);
	dxs_fill(expected, LEN, 3, 0);
	dxs_ok(dxs_same(expected, seen, LEN, 0, name), "%s, %s: bytes", option,
	       name);
}

/* Asserts mode and flag of a regular file, which it opens and closes. */
static void file_is(const char *path, int mode, const char *name)
{
	int fd = MUST(open(path, O_RDONLY));

	dxs_str(dxs_mode_name(mode), dxs_mode_name(dxs_mode(fd)),
		"%s, %s: mode", option, name);
	dxs_str(dxs_mode_name(mode), dxs_mode_name(dxs_xflag(fd)),
		"%s, %s: flag", option, name);
	close(fd);
}

static void dir_is(const char *path, int flag, const char *name)
{
	int fd = MUST(open(path, O_RDONLY));

	dxs_str(dxs_mode_name(flag), dxs_mode_name(dxs_xflag(fd)),
		"%s, %s: flag", option, name);
	close(fd);
}

static void removed(const char *path)
{
	MUST(remove(path));
}

/* --- Creation. */

static void test_creation(void)
{
	char out[256];
	int fd;

	make(PLAIN "/a", DAXSTACK_CACHED);
	file_is(PLAIN "/a", DAXSTACK_CACHED, "created in a plain directory");
	removed(PLAIN "/a");

	/*
	 * Checked through the creating descriptor: no other state is ever
	 * visible.
	 */
	fd = MUST(open(FLAGGED "/a", O_RDWR | O_CREAT, 0644));
	dxs_str(dxs_mode_name(at_creation()), dxs_mode_name(dxs_mode(fd)),
		"%s, created in a flagged directory: mode, while open", option);
	close(fd);
	file_is(FLAGGED "/a", at_creation(), "created in a flagged directory");
	removed(FLAGGED "/a");

	MUST(mkdir(FLAGGED "/d", 0755));
	dir_is(FLAGGED "/d", at_creation(), "mkdir in a flagged directory");
	fd = MUST(open(FLAGGED "/d/a", O_RDWR | O_CREAT, 0644));
	close(fd);
	file_is(FLAGGED "/d/a", at_creation(), "created in its subdirectory");
	removed(FLAGGED "/d/a");
	removed(FLAGGED "/d");

	make("stack/original", DAXSTACK_CACHED);
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "cp", "stack/original",
			       FLAGGED "/copy"), "%s, cp: status", option);
	file_is(FLAGGED "/copy", at_creation(), "copied by cp");
	fd = MUST(open(FLAGGED "/copy", O_RDONLY));
	check_bytes(fd, "copied by cp");
	close(fd);
	removed(FLAGGED "/copy");
	removed("stack/original");
}

/*
 * A new file can be mapped and stored to at once, even if its switch was
 * undone.
 */
static void test_creation_mapped(void)
{
	int fd = MUST(open(FLAGGED "/m", O_RDWR | O_CREAT, 0644));
	uint8_t *map;

	MUST(ftruncate(fd, LEN));
	map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	dxs_fill(map, LEN, 3, 0);
	check_bytes(fd, "created and mapped");
	MUST(munmap(map, LEN));
	close(fd);
	removed(FLAGGED "/m");
}

/* O_TMPFILE inherits from its directory; linkat changes nothing. */
static void test_tmpfile(const char *in, const char *to, int mode,
			 const char *name)
{
	char proc[64], path[64];
	int fd = MUST(open(in, O_RDWR | O_TMPFILE, 0644));

	dxs_str(dxs_mode_name(mode), dxs_mode_name(dxs_mode(fd)),
		"%s, %s: mode while unnamed", option, name);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	snprintf(path, sizeof(path), "%s/named", to);
	MUST(linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
	file_is(path, mode, name);
	close(fd);
	removed(path);
}

static void test_tmpfiles(void)
{
	test_tmpfile(FLAGGED, PLAIN, at_creation(),
		     "O_TMPFILE in a flagged directory, linked to a plain one");
	test_tmpfile(PLAIN, FLAGGED, DAXSTACK_CACHED,
		     "O_TMPFILE in a plain directory, linked to a flagged one");
}

/* All names show the mode of the inode; linking does not change it. */
static void test_hard_link(void)
{
	int fd;

	make(PLAIN "/one", DAXSTACK_CACHED);
	MUST(link(PLAIN "/one", FLAGGED "/two"));
	file_is(PLAIN "/one", DAXSTACK_CACHED, "hard link, old name");
	file_is(FLAGGED "/two", DAXSTACK_CACHED, "hard link, new name");
	fd = MUST(open(FLAGGED "/two", O_RDWR));
	dxs_to(fd, DAXSTACK_DAX, "by the new name");
	close(fd);
	file_is(PLAIN "/one", DAXSTACK_DAX, "switched by the other name");
	removed(PLAIN "/one");
	file_is(FLAGGED "/two", DAXSTACK_DAX, "the other name is removed");
	removed(FLAGGED "/two");
}

static void test_special(void)
{
	char target[16] = "";
	struct stat st;

	MUST(symlink("nowhere", FLAGGED "/link"));
	MUST(readlink(FLAGGED "/link", target, sizeof(target) - 1));
	dxs_str("nowhere", target, "%s, symlink in a flagged directory",
		option);
	removed(FLAGGED "/link");
	MUST(mknod(FLAGGED "/fifo", S_IFIFO | 0644, 0));
	MUST(lstat(FLAGGED "/fifo", &st));
	dxs_ok(S_ISFIFO(st.st_mode), "%s, fifo in a flagged directory", option);
	removed(FLAGGED "/fifo");
}

/* --- Moves. */

static void test_move(int old, const char *from, const char *to, int dir,
		      const char *name)
{
	char before[64], after[64];
	int fd;

	snprintf(before, sizeof(before), "%s/f", from);
	snprintf(after, sizeof(after), "%s/g", to);
	make(before, old);
	MUST(rename(before, after));
	file_is(after, after_move(old, dir), name);
	fd = MUST(open(after, O_RDONLY));
	check_bytes(fd, name);
	close(fd);
	removed(after);
}

static void test_moves(void)
{
	test_move(DAXSTACK_CACHED, PLAIN, FLAGGED, DAXSTACK_DAX,
		  "moved to a flagged directory");
	test_move(DAXSTACK_DAX, FLAGGED, PLAIN, DAXSTACK_CACHED,
		  "moved to a plain directory");
	test_move(DAXSTACK_DAX, PLAIN, FLAGGED, DAXSTACK_DAX,
		  "moved to a directory with the same flag");
	/* A rename within the directory keeps the mode under any option. */
	test_move(DAXSTACK_CACHED, FLAGGED, FLAGGED, DAXSTACK_CACHED,
		  "renamed in a flagged directory");
	test_move(DAXSTACK_DAX, PLAIN, PLAIN, DAXSTACK_DAX,
		  "renamed in a plain directory");
}

static void test_move_open(void)
{
	const char *const name = "moved while open and mapped";
	volatile uint8_t *map;
	int fd;

	make(PLAIN "/f", DAXSTACK_CACHED);
	fd = MUST(open(PLAIN "/f", O_RDWR));
	map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	map[0] = map[0];
	MUST(rename(PLAIN "/f", FLAGGED "/f"));
	dxs_str(dxs_mode_name(after_move(DAXSTACK_CACHED, DAXSTACK_DAX)),
		dxs_mode_name(dxs_mode(fd)), "%s, %s: mode", option, name);
	map[LEN - 1] = map[LEN - 1];
	check_bytes(fd, name);
	MUST(munmap((void *)map, LEN));
	close(fd);
	removed(FLAGGED "/f");
}

static void test_replace(void)
{
	make(PLAIN "/f", DAXSTACK_CACHED);
	make(FLAGGED "/g", DAXSTACK_DAX);
	MUST(rename(PLAIN "/f", FLAGGED "/g"));
	file_is(FLAGGED "/g", after_move(DAXSTACK_CACHED, DAXSTACK_DAX),
		"moved over another file");
	removed(FLAGGED "/g");

	make(PLAIN "/f", DAXSTACK_CACHED);
	make(FLAGGED "/g", DAXSTACK_DAX);
	dxs_errno(EEXIST, ERR(renameat2(AT_FDCWD, PLAIN "/f", AT_FDCWD,
					FLAGGED "/g", RENAME_NOREPLACE)),
		  "%s, RENAME_NOREPLACE: fails", option);
	file_is(PLAIN "/f", DAXSTACK_CACHED, "a move that failed");
	file_is(FLAGGED "/g", DAXSTACK_DAX, "the target of the failed move");
	removed(PLAIN "/f");
	removed(FLAGGED "/g");
}

static void test_directory(void)
{
	MUST(mkdir(PLAIN "/d", 0755));
	make(PLAIN "/d/f", DAXSTACK_CACHED);
	MUST(rename(PLAIN "/d", FLAGGED "/d"));
	dir_is(FLAGGED "/d", DAXSTACK_CACHED, "a moved directory");
	file_is(FLAGGED "/d/f", DAXSTACK_CACHED, "a file in it");
	removed(FLAGGED "/d/f");
	removed(FLAGGED "/d");
}

static void test_exchange(void)
{
	make(PLAIN "/f", DAXSTACK_CACHED);
	make(FLAGGED "/g", DAXSTACK_DAX);
	MUST(renameat2(AT_FDCWD, PLAIN "/f", AT_FDCWD, FLAGGED "/g",
		       RENAME_EXCHANGE));
	file_is(FLAGGED "/g", after_move(DAXSTACK_CACHED, DAXSTACK_DAX),
		"exchanged, to the flagged directory");
	file_is(PLAIN "/f", after_move(DAXSTACK_DAX, DAXSTACK_CACHED),
		"exchanged, to the plain directory");
	removed(FLAGGED "/g");

	MUST(mkdir(FLAGGED "/d", 0755));
	set_dir_flag(FLAGGED "/d", DAXSTACK_DAX);
	removed(PLAIN "/f");
	make(PLAIN "/f", DAXSTACK_CACHED);
	MUST(renameat2(AT_FDCWD, PLAIN "/f", AT_FDCWD, FLAGGED "/d",
		       RENAME_EXCHANGE));
	file_is(FLAGGED "/d", after_move(DAXSTACK_CACHED, DAXSTACK_DAX),
		"exchanged with a directory");
	dir_is(PLAIN "/f", DAXSTACK_DAX, "the directory of the exchange");
	removed(FLAGGED "/d");
	removed(PLAIN "/f");
}

static void test_whiteout(void)
{
	struct stat st;

	make(PLAIN "/f", DAXSTACK_CACHED);
	MUST(renameat2(AT_FDCWD, PLAIN "/f", AT_FDCWD, FLAGGED "/g",
		       RENAME_WHITEOUT));
	file_is(FLAGGED "/g", after_move(DAXSTACK_CACHED, DAXSTACK_DAX),
		"moved with RENAME_WHITEOUT");
	MUST(lstat(PLAIN "/f", &st));
	dxs_ok(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0),
	       "%s, RENAME_WHITEOUT: the whiteout", option);
	removed(PLAIN "/f");
	removed(FLAGGED "/g");
}

static void test_mv(void)
{
	make(PLAIN "/f", DAXSTACK_CACHED);
	dxs_is(0, DXS_RUN("mv", PLAIN "/f", FLAGGED "/g"), "%s, mv: status",
	       option);
	file_is(FLAGGED "/g", after_move(DAXSTACK_CACHED, DAXSTACK_DAX), "mv");
	removed(FLAGGED "/g");
}

/* Permission to rename is enough: the directories decide. */
static void test_not_owner(void)
{
	make(PLAIN "/f", DAXSTACK_CACHED);
	MUST(chmod(PLAIN, 0777));
	MUST(chmod(FLAGGED, 0777));
	MUST(seteuid(NOBODY));
	MUST(rename(PLAIN "/f", FLAGGED "/g"));
	MUST(seteuid(0));
	file_is(FLAGGED "/g", after_move(DAXSTACK_CACHED, DAXSTACK_DAX),
		"moved by a user who does not own it");
	removed(FLAGGED "/g");
}

/* --- A refused switch leaves the flag for the next load. */

static void test_refused(void)
{
	const char *const name = "moved while mapped with MAP_SYNC";
	uint8_t *map;
	int fd;

	make(FLAGGED "/f", DAXSTACK_DAX);
	fd = MUST(open(FLAGGED "/f", O_RDWR));
	map = MUST(dxs_map_sync(fd, LEN));
	dxs_log_mark();
	dxs_errno(0, ERR(rename(FLAGGED "/f", PLAIN "/f")), "%s: renamed",
		  name);
	dxs_ok(dxs_log_has("a MAP_SYNC mapping exists"),
	       "%s: the log has the reason",
	       name);
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)), "%s: mode", name);
	dxs_str("cached", dxs_mode_name(dxs_xflag(fd)), "%s: flag", name);
	/* A change of another attribute must not retry the switch, and fail. */
	dxs_is(0, DXS_RUN("chattr", "+A", PLAIN "/f"), "%s: chattr +A", name);
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)), "%s: mode after chattr +A",
		name);
	check_bytes(fd, name);
	MUST(munmap(map, LEN));
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)), "%s: mode while open",
		name);
	close(fd);
	file_is(PLAIN "/f", DAXSTACK_CACHED, "after the last close");
	removed(PLAIN "/f");
}

static void test_ineligible(void)
{
	const char *const name = "moved, but not eligible for dax";

	if (dxs_on_xfs()) {
		dxs_skip("XFS has no data journalling", "%s", name);
		return;
	}
	make(PLAIN "/j", DAXSTACK_CACHED);
	dxs_is(0, DXS_RUN("chattr", "+j", PLAIN "/j"), "%s: chattr +j", name);
	dxs_log_mark();
	dxs_errno(0, ERR(rename(PLAIN "/j", FLAGGED "/j")), "%s: renamed",
		  name);
	dxs_ok(dxs_log_has("not switched to dax"),
	       "%s: the log has the reason", name);
	file_is(FLAGGED "/j", DAXSTACK_CACHED, name);
	removed(FLAGGED "/j");
}

/* --- Other switch= policies. */

static void test_policies(void)
{
	int fd;

	option = "none";
	dxs_remount("switch=never,inherit=none");
	fd = MUST(open(FLAGGED "/a", O_RDWR | O_CREAT, 0644));
	dxs_str("cached", dxs_mode_name(dxs_mode(fd)),
		"none, switch=never: a new file is cached at once");
	close(fd);
	removed(FLAGGED "/a");
	test_creation();

	option = "move";
	dxs_remount("switch=unmapped,inherit=move");
	test_moves();
	dxs_remount("switch=live");
	make(PLAIN "/f", DAXSTACK_CACHED);
	make(FLAGGED "/g", DAXSTACK_DAX);
	dxs_remount("switch=never");
	/* The file is not open, so the next lookup loads it anew. */
	MUST(renameat2(AT_FDCWD, PLAIN "/f", AT_FDCWD, FLAGGED "/g",
		       RENAME_EXCHANGE));
	file_is(FLAGGED "/g", DAXSTACK_DAX, "switch=never, to flagged");
	file_is(PLAIN "/f", DAXSTACK_CACHED, "switch=never, to plain");
	removed(FLAGGED "/g");
	removed(PLAIN "/f");
}

int main(void)
{
	static const char *const options[] = { "none", "create", "move" };
	char text[32];
	size_t i;

	dxs_begin();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	MUST(mkdir(PLAIN, 0755));
	MUST(mkdir(FLAGGED, 0755));
	set_dir_flag(FLAGGED, DAXSTACK_DAX);
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		option = options[i];
		snprintf(text, sizeof(text), "inherit=%s", option);
		dxs_remount(text);
		test_creation();
		test_creation_mapped();
		test_tmpfiles();
		test_hard_link();
		test_special();
		test_moves();
		test_move_open();
		test_replace();
		test_directory();
		test_exchange();
		test_whiteout();
		test_mv();
		test_not_owner();
	}
	test_refused();
	test_ineligible();
	test_policies();
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
