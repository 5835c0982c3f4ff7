// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders of a file: asserts that fuser(1), lsof(8) and daxstack who(1) find
 * every process that holds a file of the stack, also where only a mapping is
 * left, and that they name the kind of use.
 *
 * Usage: who [PART...]		numbers mapped others [all]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "who.h"

static const int modes[] = { DAXSTACK_CACHED, DAXSTACK_DAX };

static void switch_to(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDWR));

	dxs_to(fd, mode, "switch while mapped");
	close(fd);
}

/* --- Mapped, with the descriptor closed. */

static void mapped(void (*hold)(const char *path), int mode, const char *name)
{
	char text[80];
	struct held held;

	snprintf(text, sizeof(text), "%s, %s", name, dxs_mode_name(mode));
	make_file("stack/mapped", mode);
	held = held_by(hold, "stack/mapped");
	found_by_all(held.pid, "stack/mapped", text);
	who_says("stack/mapped", held.pid, dxs_mode_name(mode), text);
	dxs_errno(EBUSY, dxs_umount("stack"), "%s: umount", text);

	switch_to("stack/mapped", !mode);
	snprintf(text, sizeof(text), "%s, switched to %s", name,
		 dxs_mode_name(!mode));
	found_by_all(held.pid, "stack/mapped", text);
	held_end(&held);
	dxs_str("", line_of(who("stack/mapped"), held.pid),
		"%s: no holder after it has ended", text);
}

/* Other names of the file, and no name. */
static void names(void)
{
	struct held held;
	char out[2000];

	make_file("stack/first", DAXSTACK_DAX);
	held = held_by(hold_mapped, "stack/first");
	MUST(link("stack/first", "stack/second"));
	found_by_all(held.pid, "stack/second", "found by a hard link");
	MUST(rename("stack/first", "stack/third"));
	found_by_all(held.pid, "stack/third", "renamed");
	MUST(unlink("stack/second"));
	MUST(unlink("stack/third"));
	found_by_all(held.pid, NULL, "deleted");
	DXS_RUN_READ(out, sizeof(out), "daxstack", "who", "-J", "stack");
	dxs_ok(strstr(out, "\"deleted\": true"), "deleted: shown in JSON");
	held_end(&held);
}

/* --- Other kinds of use. */

static void check_uses(void (*hold)(const char *path), const char *path,
		       const char *word, const char *veto)
{
	struct held held = held_by(hold, path);

	who_says(path, held.pid, word, word);
	who_says("stack", held.pid, word, word);
	who_says(path, held.pid, veto, word);
	held_end(&held);
}

static void kinds(void)
{
	make_file("stack/file", DAXSTACK_CACHED);
	check_uses(hold_open, "stack/file", "open", "umount");
	check_uses(hold_private, "stack/file", "mapped,private", "umount");
	check_uses(hold_mlocked, "stack/file", "mapped,mlocked", "umount");
	check_uses(hold_flock, "stack/file", "open,locked", "umount");
	check_uses(hold_posix_lock, "stack/file", "open,locked", "umount");
	check_uses(hold_lease, "stack/file", "open,lease", "switch, umount");
	check_uses(hold_thread, "stack/file", "open", "umount");
	check_uses(hold_leaderless, "stack/file", "mapped", "umount");

	MUST(mkdir("stack/directory", 0755));
	check_uses(hold_cwd, "stack/directory", "cwd", "umount");
	check_uses(hold_root, "stack/directory", "root", "umount");
	dxs_is(0, DXS_RUN("cp", "/bin/sleep", "stack/sleep"), "a program");
	check_uses(hold_exe, "stack/sleep", "exe", "umount");

	dxs_remount("switch=unmapped");
	check_uses(hold_mapped, "stack/file", "mapped", "switch, umount");
	dxs_remount("switch=never");
	check_uses(hold_open, "stack/file", "open", "switch, umount");
	dxs_remount("switch=live");

	make_file("stack/file", DAXSTACK_DAX);
	check_uses(hold_map_sync, "stack/file", "mapped,MAP_SYNC",
		   "switch to cached, umount");
}

/* All files below a directory, and only those. */
static void trees(void)
{
	struct held inside, outside;
	char out[2000];

	MUST(mkdir("stack/tree", 0755));
	MUST(mkdir("stack/tree/below", 0755));
	make_file("stack/tree/below/file", DAXSTACK_CACHED);
	make_file("stack/outside", DAXSTACK_CACHED);
	inside = held_by(hold_mapped, "stack/tree/below/file");
	outside = held_by(hold_mapped, "stack/outside");
	DXS_RUN_READ(out, sizeof(out), "daxstack", "who", "-n", "stack/tree");
	dxs_ok(!has_number(out, inside.pid), "a directory without -R");
	DXS_RUN_READ(out, sizeof(out), "daxstack", "who", "-nR", "stack/tree");
	dxs_ok(has_number(out, inside.pid), "-R: files below it");
	dxs_ok(!has_number(out, outside.pid), "-R: no other files");
	DXS_RUN_READ(out, sizeof(out), "daxstack", "who", "-n", dxs_pmem);
	dxs_ok(has_number(out, inside.pid) && has_number(out, outside.pid),
	       "by device");
	held_end(&inside);
	held_end(&outside);
}

/* --- Mount namespaces. */

static void namespaces(void)
{
	char out[4000], set[1000], number[64];
	struct held held;
	struct stat st;
	ssize_t len;

	make_file("stack/shared", DAXSTACK_CACHED);
	held = held_by(hold_in_namespace, "stack/shared");
	found_by_all(held.pid, "stack/shared", "in another mount namespace");
	who_says("stack", held.pid, "device", "in another mount namespace");
	snprintf(number, sizeof(number), "/proc/%d/ns/mnt", held.pid);
	MUST(stat(number, &st));
	snprintf(number, sizeof(number), "mnt:[%lu]", st.st_ino);
	DXS_RUN_READ(out, sizeof(out), "daxstack", "who", dxs_pmem);
	dxs_ok(strstr(out, number), "by device: mounts in another namespace");
	held_end(&held);

	held = held_by(hold_lower, "lower/shared");
	who_says("stack/shared", held.pid, "open,below",
		 "by the lower filesystem");
	who_says("stack/shared", held.pid, "switch, device",
		 "by the lower filesystem");
	snprintf(number, sizeof(number), "/proc/%d/ns/mnt", held.pid);
	MUST(stat(number, &st));
	len = snprintf(number, sizeof(number), "mnt:[%lu]", st.st_ino);
	snprintf(out, sizeof(out), "%s", who("stack"));
	dxs_ok(len > 0 && strstr(out, number) && strstr(out, "/lower ") &&
	       strstr(out, dxs_fs),
	       "lower filesystem is mounted: mount point and namespace");
	DXS_RUN_READ(set, sizeof(set), "daxstack", "set", "dax", "stack/shared");
	if (!dxs_ok(strstr(set, "lower filesystem is mounted on") &&
		    strstr(set, number), "daxstack set prints the same"))
		dxs_diag("seen: %s", set);
	held_end(&held);
}

static void on_top(void)
{
	char out[4000];

	MUST(mkdir("stack/top", 0755));
	MUST(mount("tmpfs", "stack/top", "tmpfs", 0, NULL));
	snprintf(out, sizeof(out), "%s", who("stack"));
	if (!dxs_ok(strstr(out, "/top") && strstr(out, "tmpfs"),
		    "a filesystem on a loop device"))
		dxs_diag("seen: %s", out);
	MUST(umount("stack/top"));

	make_file("stack/disk", DAXSTACK_CACHED);
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "losetup", "-f", "--show",
			       "stack/disk"), "a loop device");
	out[strcspn(out, "\n")] = 0;
	if (!dxs_ok(strstr(who("stack/disk"), strrchr(out, '/') + 1),
		    "the loop device is listed"))
		dxs_diag("%s", out);
	DXS_RUN("losetup", "-d", out);
}

/* --- Hostile processes. */

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text != '\n' && (*text < ' ' || *text > '~'))
			return false;
	return true;
}

static void hostile(void)
{
	static const char name[] = "stack/a\n1 root\033[31m (deleted)";
	char out[4000];
	struct held held;

	make_file(name, DAXSTACK_CACHED);
	held = held_by(hold_hostile, name);
	found_by_all(held.pid, name, "with escapes in its names");
	snprintf(out, sizeof(out), "%s", who(name));
	dxs_ok(is_plain(out) && strchr(out, '\n') == strrchr(out, '\n'),
	       "escape sequences are printed as text");
	dxs_is(0, DXS_RUN_READ(out, sizeof(out), "daxstack", "who", "-J", name),
	       "JSON: exit status");
	dxs_ok(is_plain(out) && strstr(out, "\"deleted\": false"),
	       "JSON: the name does not mark it as deleted");
	held_end(&held);
}

static void unprivileged(void)
{
	char out[4000];
	struct held held;

	make_file("stack/other", DAXSTACK_CACHED);
	held = held_by(hold_mapped, "stack/other");
	dxs_is(1, DXS_RUN_READ(out, sizeof(out), "setpriv", "--reuid", "65534",
			       "--clear-groups", "daxstack", "who", "-n",
			       "stack/other"), "not root: status");
	dxs_ok(strstr(out, "no permission to examine"), "not root: unseen processes are reported");
	held_end(&held);
	dxs_is(2, DXS_RUN_READ(out, sizeof(out), "daxstack", "who", "/proc"),
	       "not on a daxstack mount: status");
	dxs_is(64, DXS_RUN_READ(out, sizeof(out), "daxstack", "who"),
	       "no operand: status");
}

static void all_mapped(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		mapped(hold_mapped, modes[i], "mapped");
	mapped(hold_private, DAXSTACK_DAX, "mapped privately");
	names();
}

static void others(void)
{
	kinds();
	trees();
	namespaces();
	on_top();
	hostile();
	unprivileged();
}

int main(int argc, char **argv)
{
	(void)argc;
	dxs_begin();
	if (dxs_wanted("numbers", argv + 1))
		test_numbers();

	dxs_mkfs(NULL);
	dxs_mount_stack();
	if (dxs_wanted("mapped", argv + 1))
		all_mapped();
	if (dxs_wanted("others", argv + 1))
		others();
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
