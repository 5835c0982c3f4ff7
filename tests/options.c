// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mount options of the lower filesystem, given to the stack at mount and by
 * remount: asserts how they are shown in /proc/mounts, that they take effect,
 * which ones are refused by whom and with which message, and that a refusal
 * changes nothing. Also the reasons why a mount with certain options cannot be
 * switched.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <libmount.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dxs_test.h"

#ifndef MS_LAZYTIME
#define MS_LAZYTIME	(1 << 25)
#endif

/* Returns the option for the lower filesystem in use. */
static const char *of(const char *ext4, const char *xfs)
{
	return dxs_on_xfs() ? xfs : ext4;
}

/* Returns the superblock options of @target in mountinfo. */
static const char *shown(const char *target)
{
	struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	char *path = realpath(target, NULL);
	struct libmnt_fs *fs = table && path ?
		mnt_table_find_target(table, path, MNT_ITER_BACKWARD) : NULL;
	static char options[4096];

	if (!fs)
		dxs_bail("%s is not in mountinfo", target);
	snprintf(options, sizeof(options), "%s", mnt_fs_get_fs_options(fs));
	free(path);
	mnt_unref_table(table);
	return options;
}

/* Returns whether "KEY" or "KEY=VALUE" is one of the options shown. */
static bool is_shown(const char *target, const char *option)
{
	char all[4098], one[128];

	snprintf(all, sizeof(all), ",%s,", shown(target));
	snprintf(one, sizeof(one), ",%s,", option);
	return strstr(all, one);
}

static void test_shown(const char *options, const char *what)
{
	char copy[256], *save = NULL, *option;

	snprintf(copy, sizeof(copy), "%s", options);
	for (option = strtok_r(copy, ",", &save); option;
	     option = strtok_r(NULL, ",", &save))
		if (!dxs_ok(is_shown("stack", option), "%s: %s is shown", what,
			    option))
			dxs_diag("shown: %s", shown("stack"));
}

/* Asserts that each name is shown once. */
static void test_once(const char *what)
{
	char copy[4096], *save = NULL, *name, *value;
	size_t len;
	int times;

	snprintf(copy, sizeof(copy), "%s", shown("stack"));
	for (char *o = strtok_r(copy, ",", &save); o;
	     o = strtok_r(NULL, ",", &save)) {
		name = strndup(o, strcspn(o, "="));
		times = 0;
		for (char *s = (char *)shown("stack"), *n; s && *s;
		     s = n && *n ? n + 1 : NULL) {
			n = strchr(s, ',');
			len = n ? (size_t)(n - s) : strlen(s);
			value = memchr(s, '=', len);
			if (value)
				len = value - s;
			times += len == strlen(name) && !memcmp(s, name, len);
		}
		if (times != 1)
			dxs_is(1, times,
			       "%s: number of times %s is shown", what,
			       name);
		free(name);
	}
	dxs_ok(true, "%s: each option is shown once", what);
}

static int mount_stack(const char *options)
{
	return dxs_mount(dxs_pmem, "stack", "daxstack", options);
}

/* As dxs_mount() does, but with only these options. */
static int remount(unsigned long flags, const char *options)
{
	return ERR(mount(NULL, "stack", NULL, MS_REMOUNT | flags, options));
}

/* --- At mount. */

/* A line as in fstab. */
static const char *line(void)
{
	return of("noatime,errors=remount-ro,discard,data=writeback,commit=7,"
		  "usrquota,grpid,switch=unmapped",
		  "noatime,discard,logbsize=64k,allocsize=1m,usrquota,grpid,switch=unmapped");
}

static const char *line_shown(void)
{
	return of("errors=remount-ro,data=writeback,commit=7,usrquota,"
		  "grpid,switch=unmapped,dax=inode",
		  "logbsize=64k,allocsize=1024k,usrquota,grpid,switch=unmapped,dax=inode");
}

/* grpid: a new file gets the group of its directory. */
static void test_grpid(bool on, const char *what)
{
	struct stat st;

	MUST(mkdir("stack/group", 0755));
	MUST(chown("stack/group", 0, 1234));
	close(MUST(open("stack/group/file", O_CREAT | O_WRONLY, 0644)));
	MUST(stat("stack/group/file", &st));
	dxs_is(on ? 1234 : 0, st.st_gid, "%s: group of a new file", what);
	MUST(unlink("stack/group/file"));
	MUST(rmdir("stack/group"));
}

static void test_works(const char *what)
{
	int fd = MUST(open("stack/works", O_RDWR | O_CREAT | O_TRUNC, 0644));

	dxs_pwrite(fd, "hello", 6, 0);
	dxs_to(fd, DAXSTACK_DAX, what);
	dxs_to(fd, DAXSTACK_CACHED, what);
	close(fd);
	MUST(unlink("stack/works"));
}

/*
 * Asserts that the stack shows all that the lower filesystem alone shows with
 * the same options: some filesystems drop discard if the device has none.
 */
static void test_as_alone(const char *what)
{
	char stack[4096], copy[4096], all[4098], one[130], *save = NULL;

	snprintf(stack, sizeof(stack), "%s", shown("stack"));
	dxs_umount_stack();
	/* The line without its last option, which is the stack's. */
	snprintf(copy, sizeof(copy), "%s", line());
	*strrchr(copy, ',') = 0;
	MUST(dxs_mount(dxs_pmem, "lower", dxs_fs, copy) ? -1 : 0);
	snprintf(copy, sizeof(copy), "%s", shown("lower"));
	snprintf(all, sizeof(all), ",%s,", stack);
	for (char *o = strtok_r(copy, ",", &save); o;
	     o = strtok_r(NULL, ",", &save)) {
		snprintf(one, sizeof(one), ",%s,", o);
		if (strncmp(o, "dax", 3) && !strstr(all, one))
			dxs_ok(false,
			       "%s: %s is shown as by the lower fs alone",
			       what, o);
	}
	dxs_ok(true, "%s: options are shown as by the lower fs alone", what);
	dxs_umount_lower();
}

static void test_line(void)
{
	char options[256];

	dxs_mkfs(NULL);
	if (!dxs_errno(0, mount_stack(line()), "a line without lower="))
		return;
	test_shown(line_shown(), "a line without lower=");
	test_once("a line without lower=");
	test_grpid(true, "a line without lower=");
	test_works("a line without lower=");
	test_as_alone("a line without lower=");

	snprintf(options, sizeof(options), "lower=%s,%s", dxs_fs, line());
	if (!dxs_errno(0, mount_stack(options), "a line with lower="))
		return;
	test_shown(line_shown(), "a line with lower=");
	dxs_umount_stack();

	dxs_mount_stack();
	test_once("no options");
	test_grpid(false, "no options");
	dxs_umount_stack();

	/* The log is not replayed. */
	snprintf(options, sizeof(options), "ro,%s", of("noload", "norecovery"));
	dxs_errno(0, mount_stack(options), "%s", options);
	/* ext4 has two names for it. */
	test_shown("ro,norecovery", options);
	dxs_umount_stack();
}

/* --- Refused options. */

static void test_bad_one(int expected, const char *options, const char *word)
{
	int err;

	dxs_log_mark();
	err = mount_stack(options);
	dxs_errno(expected, err, "refused: %s", options);
	if (!err)
		dxs_umount_stack();
	dxs_ok(dxs_log_has(word), "refused: %s: dmesg has '%s'", options, word);
}

/* With the fsopen(2) API the reason is read from the context. */
static void test_context_log(void)
{
	char text[4096] = "";
	int fd = MUST(fsopen("daxstack", FSOPEN_CLOEXEC)), err;
	size_t len = 0;
	ssize_t n;

	MUST(fsconfig(fd, FSCONFIG_SET_STRING, "source", dxs_pmem, 0));
	MUST(fsconfig(fd, FSCONFIG_SET_STRING, "lower", dxs_fs, 0));
	dxs_errno(0, ERR(fsconfig(fd, FSCONFIG_SET_FLAG, "discard", NULL, 0)),
		  "fsconfig: an option of the lower filesystem");
	dxs_errno(0, ERR(fsconfig(fd, FSCONFIG_SET_STRING, "nonsense", "7", 0)),
		  "fsconfig: an unknown option is kept");
	err = ERR(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	dxs_errno(EINVAL, err, "fsconfig: ... and refused at creation");
	while (len < sizeof(text) - 1 &&
	       (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	if (!dxs_ok(strstr(text, "nonsense"),
		    "fsconfig: the context log names the option"))
		dxs_diag("read: %s", text);
	close(fd);

	fd = MUST(fsopen("daxstack", FSOPEN_CLOEXEC));
	MUST(fsconfig(fd, FSCONFIG_SET_STRING, "source", dxs_pmem, 0));
	MUST(fsconfig(fd, FSCONFIG_SET_FLAG, "grpid", NULL, 0));
	dxs_errno(0, ERR(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0)),
		  "fsconfig: a mount");
	err = MUST(fsmount(fd, FSMOUNT_CLOEXEC, 0));
	MUST(move_mount(err, "", AT_FDCWD, "stack", MOVE_MOUNT_F_EMPTY_PATH));
	close(err);
	close(fd);
	test_shown("grpid", "fsconfig");
	dxs_umount_stack();
}

static void test_refused(void)
{
	test_bad_one(EINVAL, "nonsense", "nonsense");
	test_bad_one(EINVAL, of("discard,nonsense=7,lower=ext4",
				"discard,nonsense=7,lower=xfs"), "nonsense");
	/* Options of the other type only. */
	test_bad_one(EINVAL, of("logbsize=64k", "data=ordered"),
		     of("logbsize", "data"));
	test_bad_one(EINVAL, of("commit=many", "logbsize=many"),
		     of("commit", "logbsize"));
	/* An invalid value. */
	test_bad_one(EINVAL, of("lower=ext4,errors=shrug",
				"lower=xfs,logbsize=13"),
		     of("errors", "13"));
	test_context_log();
	dxs_mount_stack();
	test_works("after refusals");
	dxs_umount_stack();
}

/*
 * H74: a user who may not mount can still fill a context, as root of a user
 * namespace. The context must not take more than mount(2) does.
 */
static void fill_context(void)
{
	char name[16], value[200] = "";
	int fd, i;

	MUST(setgroups(0, NULL));
	MUST(setgid(65534));
	MUST(setuid(65534));
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		_exit(2);
	fd = fsopen("daxstack", FSOPEN_CLOEXEC);
	if (fd < 0)
		_exit(3);
	memset(value, 'x', sizeof(value) - 1);
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "option%d", i);
		if (fsconfig(fd, FSCONFIG_SET_STRING, name, value, 0))
			break;
	}
	/* A page of options, including the overhead of keeping them. */
	_exit(i > 8 && i < PAGE / 200 ? 0 : 4);
}

static void test_limit(void)
{
	pid_t pid;
	int status;

	pid = MUST(fork());
	if (!pid)
		fill_context();
	MUST(waitpid(pid, &status, 0));
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 2 ||
				  WEXITSTATUS(status) == 3))
		dxs_skip("no unprivileged user namespaces",
			 "options kept for unprivileged users are limited");
	else
		dxs_is(0, status,
		       "options kept for unprivileged users are limited");
}

/* --- Remount. */

/* A refused remount changes neither the stack nor the lower filesystem. */
static void test_refused_remount(const char *options)
{
	char before[4096];

	snprintf(before, sizeof(before), "%s", shown("stack"));
	dxs_errno(EINVAL, remount(0, options), "refused: remount,%s", options);
	dxs_str(before, shown("stack"), "refused: remount,%s: nothing changed",
		options);
}

static void test_remount(void)
{
	char options[4096];
	int fd;

	dxs_mkfs(NULL);
	dxs_errno(0, mount_stack(of("commit=7", "inode64")),
		  "mounted for remounts");
	fd = MUST(open("stack/file", O_RDWR | O_CREAT, 0644));
	snprintf(options, sizeof(options), "switch=empty,%s",
		 of("commit=9,errors=panic", "inode32"));
	dxs_errno(0, remount(0, options), "remount,%s", options);
	test_shown(options, "remount");
	dxs_pwrite(fd, "hello", 6, 0);
	dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_HAS_BLOCKS,
		    "remount: an option of the stack, too");
	dxs_errno(0, remount(0, "switch=live"),
		  "remount of the stack's option only");
	test_shown(of("commit=9,errors=panic", "inode32"),
		   "remount of the stack's option only");

	test_refused_remount("switch=never,nonsense");
	test_refused_remount(of("switch=never,data=journal",
				"switch=never,logbufs=99"));
	test_refused_remount("lower=btrfs");
	test_refused_remount(of("switch=never,commit=3,dax=always",
				"switch=never,inode64,dax=always"));
	/* The file is not affected either. */
	dxs_to(fd, DAXSTACK_DAX, "after refused remounts");
	close(fd);

	/* As mount(8) does: all options shown, and one more. */
	dxs_is(0, DXS_RUN("mount", "-i", "-o", "remount,switch=unmapped",
			  "stack"), "mount -o remount");
	test_shown("switch=unmapped", "mount -o remount");
	test_once("mount -o remount");
	test_shown(of("commit=9,errors=panic", "inode32"), "mount -o remount");

	/* Both at once. */
	dxs_errno(0, remount(MS_RDONLY, of("commit=11", "inode32")),
		  "remount,ro with an option");
	dxs_ok(is_shown("stack", "ro"), "remount,ro with an option: ro");
	test_shown(of("commit=11", "inode32"), "remount,ro with an option");
	dxs_errno(0, remount(0, of("commit=13", "inode64")),
		  "remount,rw with an option");
	test_shown(of("commit=13", "inode64"), "remount,rw with an option");
	test_works("remount,rw with an option");
	dxs_umount_stack();
	dxs_fsck();
}

/* VFS flags of the lower filesystem are not lost in a remount. */
static void test_flags(void)
{
	dxs_mkfs(NULL);
	dxs_errno(0, mount_stack("lazytime"), "lazytime");
	dxs_errno(0, remount(MS_LAZYTIME, of("commit=9", "inode32")),
		  "lazytime, remount with an option");
	dxs_errno(0, remount(MS_LAZYTIME | MS_RDONLY, NULL),
		  "lazytime, remount,ro");
	dxs_errno(0, remount(MS_LAZYTIME, NULL), "lazytime, remount,rw");
	dxs_mount_lower();
	dxs_ok(is_shown("lower", "lazytime"),
	       "lazytime: still set on the lower fs");
	dxs_umount_lower();
	dxs_errno(0, remount(MS_SYNCHRONOUS, of("commit=10", "inode64")),
		  "sync with an option");
	dxs_mount_lower();
	dxs_ok(is_shown("lower", "sync"), "sync: set on the lower fs");
	dxs_ok(!is_shown("lower", "lazytime"), "sync: lazytime is cleared");
	dxs_umount_lower();
	dxs_umount_stack();
}

/* --- A lower filesystem with other mounts. */

static void test_directory(void)
{
	dxs_mkfs(NULL);
	MUST(dxs_mount(dxs_pmem, "lower", dxs_fs, "grpid") ? -1 : 0);
	dxs_log_mark();
	dxs_errno(EINVAL, dxs_mount("lower", "stack", "daxstack", "discard"),
		  "a directory, with an option of the lower filesystem");
	dxs_ok(dxs_log_has("set discard on that mount"),
	       "a directory: dmesg has the reason");
	dxs_errno(0, dxs_mount("lower", "stack", "daxstack", "switch=never"),
		  "a directory");
	test_shown("grpid,switch=never", "a directory");
	dxs_errno(EINVAL, remount(0, "switch=live,discard"),
		  "a directory, remount with an option that it does not have");
	test_shown("switch=never", "a directory, refused remount");
	dxs_errno(0, remount(0, "switch=live,grpid"),
		  "a directory, remount with an option that it has");
	dxs_is(0, DXS_RUN("mount", "-i", "-o", "remount,switch=unmapped",
			  "stack"), "a directory, mount -o remount");
	dxs_umount_stack();

	dxs_errno(EBUSY, mount_stack("discard"),
		  "mounted elsewhere, with an option that it does not have");
	dxs_errno(0, mount_stack("grpid"),
		  "mounted elsewhere, with an option that it has");
	dxs_errno(EBUSY, remount(0, "discard"),
		  "mounted elsewhere, remount with an option that it does not have");
	dxs_umount_stack();
	dxs_umount_lower();
}

/* The same line of fstab for two mount points, as for any filesystem. */
static void test_twice(void)
{
	MUST(mkdir("twice", 0755));
	dxs_errno(0, mount_stack(line()), "first mount");
	dxs_errno(0, dxs_mount(dxs_pmem, "twice", "daxstack", line()),
		  "second mount");
	MUST(umount("twice"));
	/* No filesystem shows default options. */
	dxs_umount_stack();
	dxs_errno(0, mount_stack(of("errors=continue", "attr2,nodiscard")),
		  "defaults, first mount");
	dxs_errno(0, dxs_mount(dxs_pmem, "twice", "daxstack",
			       of("errors=continue", "attr2,nodiscard")),
		  "defaults, second mount");
	MUST(umount("twice"));
	dxs_errno(EBUSY, dxs_mount(dxs_pmem, "twice", "daxstack",
				   of("errors=panic", "discard")),
		  "second mount with other options");
	dxs_umount_stack();
	MUST(rmdir("twice"));
}

/* --- Options that make a mount unswitchable. */

static void test_no_switch(int reason, const char *what)
{
	int fd = MUST(open("stack/file", O_RDWR | O_CREAT, 0644));

	dxs_pwrite(fd, "hello", 6, 0);
	dxs_refused(fd, DAXSTACK_DAX, reason, what);
	close(fd);
}

static void test_data_journal(void)
{
	dxs_errno(0, mount_stack("data=journal"), "data=journal");
	test_no_switch(DAXSTACK_REASON_JOURNAL_DATA, "data=journal");
	dxs_umount_stack();
}

/* XFS version 4, where kernel and mkfs.xfs still support it. */
static void test_version_4(void)
{
	static const char *const what = "XFS version 4";

	if (DXS_RUN("mkfs.xfs", "-q", "-f", "-m", "crc=0", "-n", "ftype=1",
		    dxs_pmem)) {
		dxs_skip("mkfs.xfs does not support it", "%s", what);
		return;
	}
	if (mount_stack("")) {
		dxs_skip("this kernel does not support it", "%s", what);
		return;
	}
	test_no_switch(DAXSTACK_REASON_NO_FLAG, what);
	dxs_umount_stack();
}

/* --- Events for udev. */

/* Returns the number of change events of the device since the last call. */
static int changes(int events)
{
	char event[8192], end[64];
	ssize_t n;
	int times = 0;

	snprintf(end, sizeof(end), "/%s", strrchr(dxs_pmem, '/') + 1);
	while ((n = recv(events, event, sizeof(event) - 1, MSG_DONTWAIT)) > 0) {
		event[n] = 0;
		/* "change@/devices/.../block/pmem0" */
		times += !strncmp(event, "change@", 7) &&
			 !strcmp(strrchr(event, '/') ?: "", end);
	}
	return times;
}

static void test_events(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1,
	};
	int events = MUST(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
				 NETLINK_KOBJECT_UEVENT));

	dxs_mkfs(NULL);
	MUST(bind(events, (struct sockaddr *)&address, sizeof(address)));
	changes(events);
	dxs_mount_stack();
	dxs_is(1, changes(events), "udev gets an event for a mount");
	dxs_errno(EBUSY, dxs_mount(dxs_pmem, "lower", "daxstack", "nonsense"),
		  "a refused mount");
	dxs_is(0, changes(events), "udev gets no event for a refused mount");
	dxs_umount_stack();
	dxs_is(1, changes(events), "udev gets an event for an umount");
	close(events);
}

int main(void)
{
	dxs_begin();
	test_events();
	test_line();
	test_refused();
	test_limit();
	test_remount();
	test_flags();
	test_directory();
	test_twice();
	if (dxs_on_xfs())
		test_version_4();
	else
		test_data_journal();
	return dxs_done();
}
