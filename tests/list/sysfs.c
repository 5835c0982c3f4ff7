// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/fs/daxstack/DEV: asserts each value against the actions taken, and that
 * each file is documented.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "list.h"

#define ABI	"/usr/local/share/daxstack/ABI/sysfs-fs-daxstack"
#define TOP	"/sys/fs/daxstack/"
#define DEVICE	TOP "<dev>/"

/* More files than the kernel scans in one go. */
#define FILES	300

static void path_of(const char *name, char *path, size_t size)
{
	snprintf(path, size, TOP "%s/%s", basename(dxs_pmem), name);
}

/* Return: 0 or an errno. */
static int sysfs_try(const char *name, char *value, size_t size)
{
	char path[128];
	ssize_t len;
	int error, fd;

	path_of(name, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	len = read(fd, value, size - 1);
	error = len < 0 ? errno : 0;
	close(fd);
	value[error ? 0 : len] = 0;
	return error;
}

void sysfs_read(const char *name, char *value, size_t size)
{
	int error = sysfs_try(name, value, size);
	size_t len = strlen(value);

	if (error)
		dxs_bail("%s: %s", name, strerror(error));
	if (!len || strchr(value, '\n') != value + len - 1)
		dxs_bail("%s: not one value and a line end: '%s'", name, value);
	value[len - 1] = 0;
}

unsigned long long sysfs_number(const char *name)
{
	char value[64], *end;
	unsigned long long number;

	sysfs_read(name, value, sizeof(value));
	number = strtoull(value, &end, 10);
	if (*end)
		dxs_bail("%s: no number: '%s'", name, value);
	return number;
}

static void is_text(const char *expected, const char *name, const char *when)
{
	char value[64];

	sysfs_read(name, value, sizeof(value));
	dxs_str(expected, value, "%s: %s", when, name);
}

static void is_number(unsigned long long expected, const char *name,
		      const char *when)
{
	dxs_is(expected, sysfs_number(name), "%s: %s", when, name);
}

/* --- Properties of the mount. */

static void is_device(dev_t dev, const char *name)
{
	char expected[32];

	snprintf(expected, sizeof(expected), "%u:%u", major(dev), minor(dev));
	is_text(expected, name, "mounted");
}

static void test_mounted(void)
{
	struct stat st;

	is_text(dxs_fs, "lower_type", "mounted");
	MUST(stat(dxs_pmem, &st));
	is_device(st.st_rdev, "lower_dev");
	MUST(stat("stack", &st));
	is_device(st.st_dev, "dev");
	is_text("live", "switch", "mounted");
	is_text("create", "inherit", "mounted");
	is_text("inode", "dax", "mounted");
	is_text("NONE", "no_switch", "mounted");
	is_number(1, "kernel_tested", "mounted");
	is_number(0, "files_dax", "mounted");
	is_number(0, "files_cached", "mounted");
	is_number(0, "bytes_cached", "mounted");
	is_number(0, "refusals/total", "mounted");

	dxs_remount("switch=unmapped,inherit=move");
	is_text("unmapped", "switch", "remounted");
	is_text("move", "inherit", "remounted");
	dxs_remount("switch=live,inherit=create");
}

static void test_no_switch(void)
{
	int fd = MUST(open("stack", O_RDONLY));

	dxs_remount("switch=never");
	is_text("NEVER", "no_switch", "switch=never");
	dxs_remount("switch=live,ro");
	is_text("READ_ONLY", "no_switch", "read-only");
	dxs_remount("rw");
	is_text("NONE", "no_switch", "writable again");
	MUST(ioctl(fd, FIFREEZE, 0));
	is_text("FROZEN", "no_switch", "frozen");
	MUST(ioctl(fd, FITHAW, 0));
	close(fd);
	dxs_mount_lower();
	is_text("LOWER_SHARED", "no_switch", "mounted elsewhere");
	dxs_umount_lower();
	is_text("NONE", "no_switch", "no longer mounted elsewhere");
}

/* --- Results of switches. */

static void test_files(void)
{
	char path[64];
	int i;

	MUST(mkdir("stack/many", 0755));
	MUST(symlink("nowhere", "stack/many/link"));
	MUST(mkfifo("stack/many/fifo", 0644));
	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "stack/many/%d", i);
		make_file(path, PAGE + 1);
		if (i % 3 == 0)
			dxs_set_mode(path, DAXSTACK_DAX);
	}
	is_number(FILES / 3, "files_dax", "files created");
	is_number(FILES - FILES / 3, "files_cached", "files created");
	is_number((FILES - FILES / 3) * 2ull * PAGE, "bytes_cached",
		  "files created");
	is_number(FILES / 3, "switches_to_dax", "files created");
	is_number(0, "switches_to_cached", "files created");
	is_number(2 * (FILES / 3), "pages_written", "files created");
	dxs_ok(sysfs_number("gates_shut_max_ns") > 0,
	       "files created: time with closed gates");
	dxs_set_mode("stack/many/0", DAXSTACK_CACHED);
	is_number(FILES / 3 - 1, "files_dax", "switched back");
	is_number(FILES / 3, "switches_to_dax", "switched back");
	is_number(1, "switches_to_cached", "switched back");
	MUST(unlink("stack/many/0"));
	is_number(FILES - FILES / 3, "files_cached", "removed");
}

static void test_refusals(void)
{
	struct daxstack_switch sw;
	void *map;
	int fd;

	make_file("stack/sync", PAGE);
	dxs_set_mode("stack/sync", DAXSTACK_DAX);
	fd = MUST(open("stack/sync", O_RDWR));
	map = dxs_map_sync(fd, PAGE);
	if (map == MAP_FAILED)
		dxs_bail("MAP_SYNC: %m");
	dxs_refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC, "MAP_SYNC");
	dxs_refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC, "MAP_SYNC");
	is_number(2, "refusals/MAP_SYNC", "refused");
	is_number(2, "refusals/total", "refused");
	is_number(0, "refusals/PINNED", "refused");
	MUST(munmap(map, PAGE));
	MUST(seteuid(65534));
	dxs_refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_NOT_OWNER, "another's");
	MUST(seteuid(0));
	is_number(1, "refusals/NOT_OWNER", "another's");
	is_number(3, "refusals/total", "another's");

	dxs_remount("switch=never");
	dxs_errno(0, dxs_switch(fd, DAXSTACK_CACHED, 0, &sw), "deferred");
	dxs_remount("switch=live");
	is_number(1, "deferred", "deferred");
	is_number(3, "refusals/total", "deferred");
	close(fd);
}

/* --- Documentation. */

static bool is_reason(const char *name)
{
	unsigned int reason;

	for (reason = 1; reason < DAXSTACK_REASON_COUNT; reason++)
		if (!strcmp(dxs_reason_name(reason), name))
			return true;
	return false;
}

/* Checks that each file of a directory is documented. Return: their number. */
static int check_described(const char *text, const char *dir)
{
	char path[128], what[512];
	struct dirent *entry;
	int count = 0;
	DIR *files;

	path_of(dir, path, sizeof(path));
	files = opendir(path);
	if (!files)
		dxs_bail("%s: %m", path);
	while ((entry = readdir(files))) {
		if (*entry->d_name == '.' || entry->d_type == DT_DIR)
			continue;
		count++;
		snprintf(what, sizeof(what), "What:\t\t" DEVICE "%s%s\n", dir,
			 entry->d_name);
		if (!strstr(text, what) &&
		    !(*dir && is_reason(entry->d_name)))
			dxs_ok(false, "%s%s is documented", dir, entry->d_name);
	}
	closedir(files);
	return count;
}

static void test_described(void)
{
	static char text[16 * KIB];
	char path[128], *line = text, *end;
	int fd = MUST(open(ABI, O_RDONLY));
	ssize_t len = MUST(read(fd, text, sizeof(text) - 1));
	int described = 0;

	close(fd);
	text[len] = 0;
	dxs_is(DAXSTACK_REASON_COUNT, check_described(text, "refusals/"),
	       "a file for each reason, and the total");
	dxs_ok(check_described(text, "") > 10, "files are documented");
	while ((line = strstr(line, "What:\t\t" DEVICE))) {
		line += strlen("What:\t\t" DEVICE);
		end = strchr(line, '\n');
		*end = 0;
		if (*line && !strchr(line, '<')) {
			path_of(line, path, sizeof(path));
			dxs_errno(0, ERR(access(path, R_OK)),
				  "%s has the documented type", line);
			described++;
		}
		line = end + 1;
	}
	dxs_ok(described > 10, "documented names have files");
}

static void test_stranger(void)
{
	char value[64];

	MUST(seteuid(65534));
	dxs_errno(0, sysfs_try("bytes_cached", value, sizeof(value)),
		  "readable by any user");
	MUST(seteuid(0));
	dxs_errno(0, sysfs_try("lower_type", value, sizeof(value)),
		  "readable by root");
}

void test_sysfs(void)
{
	test_mounted();
	test_no_switch();
	test_files();
	test_refusals();
	test_described();
	test_stranger();
}

/* --- Readers during umount. */

#define READERS	4
#define MOUNTS	20

static void read_for_ever(int n)
{
	static const char *const names[] = { "no_switch", "bytes_cached",
		"lower_dev", "refusals/total", "files_dax" };
	unsigned int i = n;
	char value[64];
	int error;

	for (;;) {
		error = sysfs_try(names[i++ % ARRAY_SIZE(names)], value,
				  sizeof(value));
		if (error && error != ENOENT && error != ENODEV)
			_exit(error);
	}
}

static void make_some(void)
{
	char path[64];
	int i;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "stack/%d", i);
		close(MUST(open(path, O_RDWR | O_CREAT, 0644)));
	}
}

static void look_at_all(void)
{
	char path[64];
	struct stat st;
	int i;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "stack/%d", i);
		MUST(stat(path, &st));
	}
}

/* H78: no reader may be active when the superblock goes away. */
static void test_readers(void)
{
	pid_t readers[READERS];
	int i, status;

	make_some();
	fflush(stdout);
	for (i = 0; i < READERS; i++) {
		readers[i] = MUST(fork());
		if (!readers[i])
			read_for_ever(i);
	}
	for (i = 0; i < MOUNTS; i++) {
		look_at_all();
		dxs_umount_stack();
		dxs_mount_stack();
	}
	for (i = 0; i < READERS; i++) {
		dxs_is(0, waitpid(readers[i], &status, WNOHANG),
		       "reader %d continues", i);
		kill(readers[i], SIGKILL);
		waitpid(readers[i], &status, 0);
	}
	look_at_all();
	is_number(FILES, "files_cached", "all files are counted");
}

void test_umount(void)
{
	char path[128], value[8];
	int fd;

	make_file("stack/file", PAGE);
	dxs_set_mode("stack/file", DAXSTACK_DAX);
	is_number(1, "switches_to_dax", "before");
	path_of("switches_to_dax", path, sizeof(path));
	fd = MUST(open(path, O_RDONLY));
	dxs_umount_stack();
	dxs_errno(ENODEV, ERR(read(fd, value, sizeof(value))),
		  "unmounted: an open file of sysfs");
	close(fd);
	dxs_errno(ENOENT, sysfs_try("switches_to_dax", value, sizeof(value)),
		  "unmounted: the directory is gone");
	dxs_mount_stack();
	is_number(0, "switches_to_dax", "mounted again");
	test_readers();
}
