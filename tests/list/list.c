// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack list: asserts each column against the actions taken.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "list.h"

#define LIST	"daxstack", "list"

static char *here;

static void is_json(const char *expected, const char *filter, const char *when)
{
	char line[1024];

	snprintf(line, sizeof(line), "%s\n", expected);
	dxs_str(line, jq(filter), "%s: %s", when, filter);
}

/* Asserts that the numbers equal those of sysfs. */
static void is_sysfs(const char *key, const char *file)
{
	char filter[64], number[32];

	snprintf(filter, sizeof(filter), ".mounts[0].%s", key);
	snprintf(number, sizeof(number), "%llu", sysfs_number(file));
	is_json(number, filter, "JSON");
}

static void test_columns(void)
{
	char expected[512];

	dxs_is(0, RUN(LIST, "-J"), "JSON: exit status");
	is_json("1", ".mounts | length", "JSON");
	snprintf(expected, sizeof(expected), "%s/stack", here);
	is_json(expected, ".mounts[0].target", "JSON");
	is_json(dxs_pmem, ".mounts[0].source", "JSON");
	is_json(basename(dxs_pmem), ".mounts[0].device", "JSON");
	is_json(dxs_fs, ".mounts[0].lower", "JSON");
	is_json("[\"live\",\"create\",\"inode\",true,true,null,null,null]",
		".mounts[0] | [.switch, .inherit, .dax, .switchable, .tested,"
		" .reason, .reason_name, .remedy]",
		"JSON");
	is_json("[2,1,40960,4,3,1,1]",
		".mounts[0] | [.files_dax, .files_cached, .bytes_cached,"
		" .switches, .to_dax, .to_cached, .refusals]",
		"JSON");
	is_sysfs("written", "pages_written");
	is_sysfs("shut_max", "gates_shut_max_ns");
	is_sysfs("deferred", "deferred");

	dxs_is(0, RUN(LIST), "table: exit status");
	snprintf(expected, sizeof(expected),
		 "TARGET LOWER DEVICE SWITCH SWITCHABLE FILES-DAX FILES-CACHED BYTES-CACHED SWITCHES REFUSALS REASON REMEDY\n"
		 "%s/stack %s %s live yes 2 1 40K 4 1\n", here, dxs_fs,
		 basename(dxs_pmem));
	dxs_str(expected, squeezed(), "table: default columns");
	dxs_is(0, RUN(LIST, "-bno", "bytes-cached,LOWER"), "-o: exit status");
	snprintf(expected, sizeof(expected), "40960 %s\n", dxs_fs);
	dxs_str(expected, squeezed(), "-o: selected columns, without headings");
	dxs_is(0, RUN(LIST, "-o", "+INHERIT"), "-o +: exit status");
	dxs_ok(strstr(squeezed(), " REMEDY INHERIT\n"), "-o +: one more");
	dxs_is(64, RUN(LIST, "-o", "LOWER,NONE"), "-o: no column");
	dxs_ok(strstr(out, "'NONE' is not a column"), "-o: an unknown column is reported");
}

/* Two files in dax mode, one of 40 KiB that is cached; one refusal. */
static void make_some(void)
{
	int fd;

	make_file("stack/a", PAGE);
	make_file("stack/b", PAGE);
	make_file("stack/c", 40 * KIB);
	dxs_set_mode("stack/a", DAXSTACK_DAX);
	dxs_set_mode("stack/b", DAXSTACK_DAX);
	dxs_set_mode("stack/c", DAXSTACK_DAX);
	dxs_set_mode("stack/c", DAXSTACK_CACHED);
	fd = MUST(open("stack/c", O_RDONLY));
	dxs_pread(fd, out, 40 * KIB, 0);
	MUST(seteuid(65534));
	dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_NOT_OWNER, "another's");
	MUST(seteuid(0));
	close(fd);
}

static void test_not_switchable(void)
{
	dxs_remount("switch=never");
	dxs_is(0, RUN(LIST, "-J"), "not switchable: exit status");
	is_json("[false,\"NEVER\",\"open files keep their mode (switch=never)\"]",
		".mounts[0] | [.switchable, .reason_name, .reason]",
		"not switchable");
	dxs_ok(strstr(jq(".mounts[0].remedy"), "remount,switch=live"),
	       "not switchable: remedy");
	RUN(LIST, "-n");
	dxs_ok(strstr(out, " no ") && strstr(out, "(switch=never)") &&
	       strstr(out, "remount,switch=live"),
	       "not switchable: reason and remedy");
	dxs_remount("switch=live");
}

static void test_operands(void)
{
	dxs_is(0, RUN(LIST, "-no", "DEVICE", "stack/a"), "a file");
	dxs_str(basename(dxs_pmem), strtok(out, "\n") ?: "",
		"argument is a file: its mount");
	dxs_is(0, RUN(LIST, "-no", "DEVICE", dxs_pmem), "a device");
	dxs_str(basename(dxs_pmem), strtok(out, "\n") ?: "",
		"argument is a device: its mount");
	dxs_is(2, RUN(LIST, "/proc"), "argument is not on a mount");
	dxs_ok(strstr(out, "/proc: not on a daxstack mount\n"),
	       "argument is not on a mount: message");
	dxs_is(2, RUN(LIST, "nothing"), "argument does not exist");
	dxs_is(64, RUN(LIST, "-x"), "unknown option");
}

static void test_places(void)
{
	int fd;

	MUST(mkdir("a\tb", 0755));
	MUST(mount("stack", "a\tb", NULL, MS_BIND, NULL));
	dxs_is(0, RUN(LIST, "-no", "TARGET"), "two mount points: exit status");
	dxs_ok(strstr(out, "/stack\n") && strstr(out, "/a\\x09b\n"),
	       "two mount points: both, escaped");
	MUST(umount("a\tb"));
	MUST(rmdir("a\tb"));
	fd = MUST(open("stack", O_RDONLY));
	MUST(umount2("stack", MNT_DETACH));
	dxs_is(0, RUN(LIST, "-J"), "detached: exit status");
	is_json("[null,true]", ".mounts[0] | [.target, .switchable]",
		"detached");
	close(fd);
	while (!access("/sys/fs/daxstack", F_OK) && !RUN(LIST, "-n") && *out)
		dxs_sleep_ms(10);
	dxs_is(0, RUN(LIST), "no mount: exit status");
	dxs_str("", out, "no mount: no output");
	dxs_is(0, RUN(LIST, "-J"), "no mount, JSON: exit status");
	is_json("[]", ".mounts", "no mount");
	dxs_mount_stack();
}

void test_list(void)
{
	here = MUST(getcwd(NULL, 0) ?: (char *)-1);
	make_some();
	test_columns();
	test_not_switchable();
	test_operands();
	dxs_is(0, RUN("setpriv", "--reuid", "65534", "--clear-groups", LIST,
		      "-no", "LOWER"), "unprivileged user: exit status");
	dxs_str(dxs_fs, strtok(out, "\n") ?: "",
		"unprivileged user: sees the mount");
	test_places();
	free(here);
}
