// SPDX-License-Identifier: GPL-2.0-only
/*
 * dax=: asserts that it works as on the lower filesystem alone; switch= and
 * inherit=: given at mount, invalid, and changed by remount; all three as shown
 * in /proc/mounts.
 *
 * For each value of dax=, the same steps run on the lower filesystem alone and
 * on the stack: on files with and without the flag, files that cannot be in dax
 * mode, directories, and new files in them. The results are compared with each
 * other and with Documentation/filesystems/dax.rst.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libmount.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(16 * PAGE)
#define NOBODY	65534
#define PROBE	".daxstack-probe"
/* Of a mode or flag: not documented. */
#define ANY	-1

static const struct value {
	const char *option;
	const char *shown;
	/* The mode of every file, or ANY: the mode follows the flag. */
	int mode;
} values[] = {
	{ "dax=inode", "inode", ANY },
	{ "dax=always", "always", DAXSTACK_DAX },
	{ "dax=never", "never", DAXSTACK_CACHED },
	{ "dax", "always", DAXSTACK_DAX },
};

/* --- Mounts. */

/* Mounts on "stack", with lower= and @options. */
static int try_stack(const char *options)
{
	char all[128];

	snprintf(all, sizeof(all), "lower=%s%s%s", dxs_fs, *options ? "," : "",
		 options);
	return dxs_mount(dxs_pmem, "stack", "daxstack", all);
}

static void mount_stack(const char *options)
{
	int err = try_stack(options);

	if (err)
		dxs_bail("mount the stack with %s: %s", options, strerror(err));
}

static void mount_lower(const char *options)
{
	int err = dxs_mount(dxs_pmem, "lower", dxs_fs, options);

	if (err)
		dxs_bail("mount %s with %s: %s", dxs_fs, options,
			 strerror(err));
}

static int remount(const char *options)
{
	return ERR(mount(NULL, "stack", NULL, MS_REMOUNT, options));
}

/* Returns an option of the stack as /proc shows it, in a static buffer. */
static const char *option(const char *name)
{
	struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mounts");
	char *target = realpath("stack", NULL), *value = NULL;
	struct libmnt_fs *fs = table && target ?
		mnt_table_find_target(table, target, MNT_ITER_BACKWARD) : NULL;
	static char buf[32];
	size_t len = 0;

	strcpy(buf, "(none)");
	if (fs && !mnt_fs_get_option(fs, name, &value, &len))
		snprintf(buf, sizeof(buf), "%.*s", (int)len, value ?: "");
	free(target);
	mnt_unref_table(table);
	return buf;
}

static void test_shown(const char *policy, const char *inherit,
		       const char *dax, const char *what)
{
	dxs_str(policy, option("switch"), "%s: switch=", what);
	dxs_str(inherit, option("inherit"), "%s: inherit=", what);
	dxs_str(dax, option("dax"), "%s: dax=", what);
}

/* --- Results of the steps. */

/**
 * struct subject - a file or directory that the steps use
 * @prepare: creates it, on the lower filesystem with dax=inode
 * @flag: it has the flag
 * @is_dir: it is a directory
 * @odd: it cannot be in dax mode, or not always
 */
struct subject {
	const char *name;
	void (*prepare)(const char *path);
	bool flag;
	bool is_dir;
	bool odd;
};

static void prepare_empty(const char *path)
{
	close(MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644)));
}

static void prepare_plain(const char *path)
{
	int fd = MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
	uint8_t buf[LEN];

	dxs_fill(buf, LEN, 1, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	close(fd);
}

static void prepare_dir(const char *path)
{
	MUST(mkdir(path, 0755));
}

static void prepare_odd(const char *path)
{
	unsigned int flags;
	int fd, clone;

	prepare_plain(path);
	fd = MUST(open(path, O_RDWR));
	if (dxs_on_xfs()) {
		clone = MUST(open("lower/clone", O_RDWR | O_CREAT, 0644));
		MUST(ioctl(clone, FICLONE, fd));
		close(clone);
	} else {
		MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
		flags |= FS_JOURNAL_DATA_FL;
		MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	}
	close(fd);
}

static const struct subject subjects[] = {
	{ "plain", prepare_plain, false, false, false },
	{ "flagged", prepare_plain, true, false, false },
	{ "empty", prepare_empty, false, false, false },
	{ "empty-flagged", prepare_empty, true, false, false },
	{ "odd", prepare_odd, false, false, true },
	{ "dir", prepare_dir, false, true, false },
	{ "dir-flagged", prepare_dir, true, true, false },
};

static void set(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDONLY));

	if (dxs_set_xflag(fd, mode))
		dxs_bail("%s: flag for %s", path, dxs_mode_name(mode));
	close(fd);
}

static void prepare_all(void)
{
	char path[64];
	size_t i;

	dxs_mkfs(NULL);
	mount_lower("dax=inode");
	for (i = 0; i < ARRAY_SIZE(subjects); i++) {
		snprintf(path, sizeof(path), "lower/%s", subjects[i].name);
		subjects[i].prepare(path);
		if (subjects[i].flag)
			set(path, DAXSTACK_DAX);
	}
	dxs_umount_lower();
}

/* The results for a subject on one side. */
struct story {
	char text[2048];
	/* Some result is not as documented. */
	bool wrong;
};

FORMAT(2, 3)
static void tell(struct story *story, const char *text, ...)
{
	size_t len = strlen(story->text);
	va_list args;

	va_start(args, text);
	vsnprintf(story->text + len, sizeof(story->text) - len, text, args);
	va_end(args);
}

/* Each expectation may be ANY. */
static void tell_state(struct story *story, int fd, int mode, int flag,
		       const char *when)
{
	if ((mode != ANY && mode != dxs_mode(fd)) ||
	    (flag != ANY && flag != dxs_xflag(fd)))
		story->wrong = true;
	tell(story, "%s: %s, flag %d; ", when, dxs_mode_name(dxs_mode(fd)),
	     dxs_xflag(fd));
}

static void tell_file(struct story *story, const char *path, int mode,
		      int flag, const char *when)
{
	int fd = MUST(open(path, O_RDONLY));

	tell_state(story, fd, mode, flag, when);
	close(fd);
}

static void tell_bytes(struct story *story, const char *path)
{
	uint8_t expected[LEN], seen[LEN];
	int fd = MUST(open(path, O_RDONLY));
	struct stat st;

	MUST(fstat(fd, &st));
	tell(story, "size %lld; ", (long long)st.st_size);
	if (st.st_size == LEN) {
		dxs_fill(expected, LEN, 1, 0);
		dxs_pread(fd, seen, LEN, 0);
		if (!dxs_same(expected, seen, LEN, 0, path))
			story->wrong = true;
	}
	close(fd);
}

/* Returns the mode of a file with this flag under this option. */
static int mode_of(const struct subject *subject, const struct value *value,
		   int flag)
{
	if (subject->is_dir)
		return DAXSTACK_CACHED;
	if (subject->odd)
		return ANY;
	return value->mode == ANY ? flag : value->mode;
}

/* A new file has its directory's flag, and the mode that the option gives. */
static void tell_births(struct story *story, const struct value *value,
			const char *dir, int flag, const char *when)
{
	int mode = value->mode == ANY ? flag : value->mode;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/file %s", dir, when);
	fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));
	tell_state(story, fd, mode, flag, "born in it");
	close(fd);
	tell_file(story, path, mode, flag, "... opened");
	snprintf(path, sizeof(path), "%s/dir %s", dir, when);
	MUST(mkdir(path, 0755));
	tell_file(story, path, DAXSTACK_CACHED, flag, "a directory in it");
	fd = MUST(open(dir, O_RDWR | O_TMPFILE, 0600));
	tell_state(story, fd, mode, flag, "O_TMPFILE in it");
	close(fd);
}

/* The flag is changed while the file is open. */
static void tell_change(struct story *story, const struct subject *subject,
			const struct value *value, const char *path)
{
	int flag = subject->flag;
	int before = mode_of(subject, value, flag);
	int fd = MUST(open(path, O_RDONLY)), err;

	tell_state(story, fd, before, flag, "first");
	err = dxs_set_xflag(fd, !flag);
	tell(story, "changed: %s; ", err ? strerrorname_np(err) : "success");
	if (!err)
		flag = !flag;
	/* It "can be set or cleared at any time". */
	else if (!subject->odd)
		story->wrong = true;
	tell_state(story, fd, before, flag, "open");
	close(fd);
	tell_file(story, path, mode_of(subject, value, flag), flag, "closed");
}

static void tell_all(struct story stories[], const char *mount_point,
		     const struct value *value, const char *when)
{
	bool first = !strcmp(when, "at once");
	char path[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(subjects); i++) {
		const struct subject *subject = &subjects[i];
		/* The flag was changed, where that is possible. */
		int flag = subject->odd ? ANY : !subject->flag;

		snprintf(path, sizeof(path), "%s/%s", mount_point,
			 subject->name);
		tell(&stories[i], "\n%s: ", when);
		if (first && subject->is_dir)
			tell_births(&stories[i], value, path, subject->flag,
				    "before");
		if (first)
			tell_change(&stories[i], subject, value, path);
		else
			tell_file(&stories[i], path,
				  mode_of(subject, value, flag), flag, "found");
		if (subject->is_dir)
			tell_births(&stories[i], value, path, flag, when);
		else
			tell_bytes(&stories[i], path);
	}
}

static void mount_for_story(bool stack, const struct value *value)
{
	char options[64];

	if (!stack) {
		mount_lower(value->option);
		return;
	}
	/* Otherwise a change of the flag would take effect at once. */
	snprintf(options, sizeof(options), "%s%s", value->option,
		 value->mode == ANY ? ",switch=never" : "");
	mount_stack(options);
}

static void test_stories(const struct value *value)
{
	static struct story stories[2][ARRAY_SIZE(subjects)];
	static const char *const mount_points[] = { "lower", "stack" };
	size_t i;
	int stack;

	memset(stories, 0, sizeof(stories));
	for (stack = 0; stack < 2; stack++) {
		const char *mount_point = mount_points[stack];

		prepare_all();
		mount_for_story(stack, value);
		tell_all(stories[stack], mount_point, value, "at once");
		MUST(umount2(mount_point, 0));
		mount_for_story(stack, value);
		tell_all(stories[stack], mount_point, value, "mounted again");
		MUST(umount2(mount_point, 0));
		mount_for_story(stack, &values[0]);
		tell_all(stories[stack], mount_point, &values[0],
			 "with dax=inode");
		MUST(umount2(mount_point, 0));
	}
	for (i = 0; i < ARRAY_SIZE(subjects); i++) {
		dxs_str(stories[0][i].text, stories[1][i].text,
			"%s, %s: same as on the lower filesystem alone",
			value->option, subjects[i].name);
		if (!dxs_ok(!stories[0][i].wrong && !stories[1][i].wrong,
			    "%s, %s: as documented", value->option,
			    subjects[i].name))
			dxs_diag("%s", stories[1][i].text);
	}
	dxs_fsck();
}

/* --- Under dax=always and dax=never no file switches. */

static void on_alarm(int signal)
{
	(void)signal;
}

/* Not with a timeout either, which must not wait. */
static void test_refused(int fd, int mode, const char *name)
{
	struct daxstack_state state;
	struct daxstack_switch sw;
	struct dxs_watch start = dxs_watch();

	/* A switch that waits nevertheless is ended by EINTR. */
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	alarm(600);
	dxs_refused(fd, !mode, DAXSTACK_REASON_DAX_OPTION, name);
	dxs_errno(EOPNOTSUPP, dxs_switch(fd, !mode, 120000, &sw),
		  "%s: with a timeout", name);
	dxs_is(DAXSTACK_REASON_DAX_OPTION, sw.reason,
	       "%s: with a timeout: reason",
	       name);
	dxs_errno(EOPNOTSUPP, dxs_switch(fd, !mode, -1, &sw),
		  "%s: without a limit", name);
	alarm(0);
	dxs_ok(dxs_watched(&start) < 30, "%s: refused at once", name);
	dxs_is(0, sw.attempts, "%s: no gate was closed", name);
	MUST(ioctl(fd, DAXSTACK_IOC_STATE, &state));
	dxs_is(mode, state.mode, "%s: mode in the state", name);
	dxs_is(DAXSTACK_REASON_DAX_OPTION, state.reason,
	       "%s: reason in the state", name);
	dxs_is(0, state.switches, "%s: switches in the state", name);
}

static void test_flag_only(const char *path, int fd, int mode,
			   const char *name)
{
	struct daxstack_switch sw;

	dxs_errno(0, dxs_set_xflag(fd, !mode), "%s: FSSETXATTR", name);
	dxs_is(!mode, dxs_xflag(fd), "%s: FSSETXATTR stores the flag", name);
	dxs_is(mode, dxs_mode(fd), "%s: FSSETXATTR keeps the mode", name);
	dxs_is(0, DXS_RUN("chattr", mode == DAXSTACK_DAX ? "+x" : "-x", path),
	       "%s: chattr", name);
	dxs_is(mode, dxs_xflag(fd), "%s: chattr stores the flag", name);
	dxs_is(mode, dxs_mode(fd), "%s: chattr keeps the mode", name);

	/* A request for the current mode also sets the flag. */
	dxs_set_xflag(fd, !mode);
	dxs_errno(0, dxs_switch(fd, mode, 0, &sw),
		  "%s: to the current mode", name);
	dxs_is(DAXSTACK_REASON_NONE, sw.reason,
	       "%s: to the current mode: reason",
	       name);
	dxs_ok(!sw.switched && !sw.deferred && !sw.attempts,
	       "%s: to the current mode: no switch", name);
	dxs_is(mode, dxs_xflag(fd), "%s: to the current mode: flag", name);
	dxs_is(mode, dxs_mode(fd), "%s: to the current mode: mode", name);

	MUST(seteuid(NOBODY));
	dxs_errno(EPERM, dxs_set_xflag(fd, !mode), "%s: another user", name);
	dxs_errno(EPERM, dxs_switch(fd, !mode, 0, &sw),
		  "%s: another user, by the ioctl", name);
	dxs_is(DAXSTACK_REASON_NOT_OWNER, sw.reason,
	       "%s: another user, by the ioctl: reason", name);
	MUST(seteuid(0));
	dxs_is(mode, dxs_xflag(fd), "%s: another user: flag", name);
}

/* inherit= still applies to the flag. */
static void test_inherit(int mode, const char *name)
{
	int fd;

	MUST(mkdir("stack/in", 0755));
	set("stack/in", DAXSTACK_DAX);
	dxs_errno(0, remount("inherit=move"), "%s: inherit=move", name);
	prepare_plain("stack/moved");
	fd = MUST(open("stack/moved", O_RDONLY));
	MUST(rename("stack/moved", "stack/in/moved"));
	dxs_is(true, dxs_xflag(fd), "%s: moved to a flagged directory", name);
	MUST(rename("stack/in/moved", "stack/moved"));
	dxs_is(false, dxs_xflag(fd), "%s: moved back", name);
	dxs_is(mode, dxs_mode(fd), "%s: moved: mode", name);
	close(fd);

	dxs_errno(0, remount("inherit=none"), "%s: inherit=none", name);
	fd = MUST(open("stack/in/born", O_RDWR | O_CREAT, 0644));
	dxs_is(false, dxs_xflag(fd), "%s: inherit=none, new file", name);
	dxs_is(mode, dxs_mode(fd), "%s: inherit=none, new file: mode", name);
	close(fd);
	dxs_errno(0, remount("inherit=create"), "%s: inherit=create", name);
	fd = MUST(open("stack/in/born2", O_RDWR | O_CREAT, 0644));
	dxs_is(true, dxs_xflag(fd), "%s: inherit=create, new file", name);
	dxs_is(mode, dxs_mode(fd), "%s: inherit=create, new file: mode", name);
	close(fd);
}

static void check_bytes(const char *path, int fd, const uint8_t *bytes,
			size_t len, const char *what)
{
	uint8_t *seen = dxs_alloc(len), *map;
	struct stat st;
	int direct;

	MUST(fstat(fd, &st));
	dxs_is(len, st.st_size, "%s: size", what);
	dxs_pread(fd, seen, len, 0);
	dxs_ok(dxs_same(bytes, seen, len, 0, what),
	       "%s: contents by read", what);
	map = MUST(mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0));
	dxs_ok(dxs_same(bytes, map, len, 0, what),
	       "%s: contents by mapping", what);
	MUST(munmap(map, len));
	direct = MUST(open(path, O_RDONLY | O_DIRECT));
	memset(seen, 0, len);
	dxs_pread(direct, seen, len, 0);
	dxs_ok(dxs_same(bytes, seen, len, 0, what), "%s: contents by O_DIRECT",
	       what);
	close(direct);
	free(seen);
}

static void test_bytes(int mode, const char *name)
{
	const size_t len = 2 * MIB + 16 * PAGE;
	uint8_t *bytes = dxs_alloc(len), *map;
	int fd = MUST(open("stack/bytes", O_RDWR | O_CREAT | O_EXCL, 0644));
	int direct = MUST(open("stack/bytes", O_RDWR | O_DIRECT));
	void *sync;

	dxs_is(mode, dxs_mode(fd), "%s: contents: mode", name);
	dxs_fill(bytes, len, 7, 0);
	dxs_pwrite(fd, bytes, len / 2, 0);
	dxs_errno(0, ERR(ftruncate(fd, len)), "%s: ftruncate", name);
	map = MUST(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	dxs_ok(dxs_same(bytes, map, len / 2, 0, name),
	       "%s: written data shows in the mapping", name);
	memcpy(map + len / 2, bytes + len / 2, len - len / 2);
	dxs_fill(bytes + PAGE, PAGE, 8, 0);
	map[PAGE] = 0;
	memcpy(map + PAGE, bytes + PAGE, PAGE);
	dxs_errno(0, ERR(msync(map, len, MS_SYNC)), "%s: msync", name);
	dxs_fill(bytes + 4 * PAGE, PAGE, 9, 0);
	dxs_pwrite(direct, bytes + 4 * PAGE, PAGE, 4 * PAGE);
	dxs_fill(bytes + 6 * PAGE, PAGE, 10, 0);
	memcpy(map + 6 * PAGE, bytes + 6 * PAGE, PAGE);
	check_bytes("stack/bytes", fd, bytes, len, name);
	MUST(munmap(map, len));
	dxs_errno(0, ERR(fsync(fd)), "%s: fsync", name);

	sync = dxs_map_sync(fd, PAGE);
	dxs_errno(mode == DAXSTACK_DAX ? 0 : EOPNOTSUPP, ERR(sync),
		  "%s: MAP_SYNC", name);
	if (sync != MAP_FAILED)
		MUST(munmap(sync, PAGE));
	close(direct);
	close(fd);
	dxs_umount_stack();

	mount_lower("dax=inode");
	fd = MUST(open("lower/bytes", O_RDONLY));
	check_bytes("lower/bytes", fd, bytes, len,
		    "later, lower filesystem alone");
	close(fd);
	dxs_umount_lower();
	free(bytes);
}

static void test_one_mode(const struct value *value)
{
	const char *name = value->option;
	int fd;

	dxs_mkfs(NULL);
	mount_stack(name);
	test_shown("live", "create", value->shown, name);
	prepare_plain("stack/file");
	fd = MUST(open("stack/file", O_RDWR));
	dxs_is(value->mode, dxs_mode(fd), "%s: mode", name);
	test_refused(fd, value->mode, name);
	test_flag_only("stack/file", fd, value->mode, name);
	close(fd);
	test_inherit(value->mode, name);

	/* Also where switch= would allow less. */
	dxs_errno(0, remount("switch=never"), "%s: and switch=never", name);
	fd = MUST(open("stack/file", O_RDONLY));
	dxs_refused(fd, !value->mode, DAXSTACK_REASON_DAX_OPTION,
		    "and switch=never");
	close(fd);
	test_bytes(value->mode, name);
	dxs_fsck();
}

static void test_read_only(const struct value *value)
{
	char options[32];
	int fd;

	snprintf(options, sizeof(options), "ro,%s", value->option);
	mount_stack(options);
	dxs_str(value->shown, option("dax"), "%s: dax=", options);
	fd = MUST(open("stack/file", O_RDONLY));
	dxs_is(value->mode, dxs_mode(fd), "%s: mode", options);
	dxs_refused(fd, !value->mode, DAXSTACK_REASON_READ_ONLY, options);
	dxs_errno(EROFS, dxs_set_xflag(fd, !dxs_xflag(fd)), "%s: FSSETXATTR",
		  options);
	close(fd);
	dxs_umount_stack();
}

/*
 * A lower filesystem that does not support DAX: blocks smaller than pages. The
 * flag is stored "even if the underlying media does not support dax".
 */
static void test_no_dax(const struct value *value)
{
	int err, on_stack, fd, mode = ANY;
	char options[32];

	if (dxs_on_xfs() ?
	    DXS_RUN("mkfs.xfs", "-q", "-f", "-b", "size=1024", dxs_pmem) :
	    DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "1024", dxs_pmem))
		dxs_bail("cannot create small blocks");
	err = dxs_mount(dxs_pmem, "lower", dxs_fs, value->option);
	if (!err) {
		prepare_plain("lower/file");
		set("lower/file", DAXSTACK_DAX);
		fd = MUST(open("lower/file", O_RDONLY));
		mode = dxs_mode(fd);
		close(fd);
		dxs_umount_lower();
	}
	snprintf(options, sizeof(options), "switch=never,%s", value->option);
	on_stack = try_stack(options);
	dxs_errno(err, on_stack,
		  "no dax on the lower fs, %s: mounts as without the stack",
		  value->option);
	if (on_stack)
		return;
	fd = MUST(open("stack/file", O_RDONLY));
	dxs_is(mode, dxs_mode(fd),
	       "no dax on the lower fs, %s: mode", value->option);
	dxs_is(true, dxs_xflag(fd),
	       "no dax on the lower fs, %s: flag", value->option);
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_CACHED),
		  "no dax on the lower fs, %s: flag cleared", value->option);
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_DAX),
		  "no dax on the lower fs, %s: flag set", value->option);
	dxs_is(mode, dxs_mode(fd),
	       "no dax on the lower fs, %s: mode after that",
	       value->option);
	close(fd);
	dxs_umount_stack();
}

/* --- Options given at mount, and changed by remount. */

static void test_given(void)
{
	static const struct {
		const char *options;
		const char *policy, *inherit, *dax;
	} given[] = {
		{ "", "live", "create", "inode" },
		{ "switch=live,inherit=create,dax=inode",
		  "live", "create", "inode" },
		{ "switch=never", "never", "create", "inode" },
		{ "switch=empty,inherit=none", "empty", "none", "inode" },
		{ "switch=unmapped,inherit=move,dax=never",
		  "unmapped", "move", "never" },
		{ "inherit=move,dax", "live", "move", "always" },
		/* The last value counts. */
		{ "switch=never,dax=always,switch=empty,dax=inode",
		  "empty", "create", "inode" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(given); i++) {
		char what[80];

		snprintf(what, sizeof(what), "'%s'", given[i].options);
		if (!dxs_errno(0, try_stack(given[i].options), "%s", what))
			continue;
		test_shown(given[i].policy, given[i].inherit, given[i].dax,
			   what);
		dxs_umount_stack();
	}
}

static void test_nothing_mounted(const char *what)
{
	struct statfs sfs;
	int fd;

	MUST(statfs("stack", &sfs));
	dxs_ok(sfs.f_type != DAXSTACK_SUPER_MAGIC, "%s: nothing is mounted",
	       what);
	fd = open(dxs_pmem, O_RDWR | O_EXCL);
	dxs_ok(fd >= 0, "%s: the device is not in use", what);
	if (fd >= 0)
		close(fd);
}

static void test_wrong(void)
{
	static const char *const wrong[] = {
		"dax=foo", "dax=", "dax=Always",
		"switch=foo", "switch=", "switch", "switch=1",
		"inherit=foo", "inherit=", "inherit",
		"switch=never,inherit=none,dax=foo",
		"switch=foo,switch=live", "nodax",
	};
	char what[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		int err = try_stack(wrong[i]);

		snprintf(what, sizeof(what), "'%s'", wrong[i]);
		dxs_errno(EINVAL, err, "%s", what);
		test_nothing_mounted(what);
		if (!err)
			dxs_umount_stack();
	}
	/* Not by remount either, which then changes nothing. */
	mount_stack("switch=empty,inherit=move");
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		dxs_errno(EINVAL, remount(wrong[i]), "remount with '%s'",
			  wrong[i]);
	dxs_errno(EINVAL, remount("switch=never,inherit=none,dax=foo"),
		  "remount with an invalid option");
	dxs_log_mark();
	dxs_errno(EINVAL, remount("switch=never,inherit=none,dax=never"),
		  "remount with a fixed option");
	dxs_ok(dxs_log_has("daxstack: dax="),
	       "remount with a fixed option: dmesg names it");
	test_shown("empty", "move", "inode", "after refused remounts");
	dxs_umount_stack();
}

static void test_remount(void)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		mount_stack(values[i].option);
		for (j = 0; j < ARRAY_SIZE(values); j++)
			dxs_errno(strcmp(values[i].shown, values[j].shown) ?
				  EINVAL : 0, remount(values[j].option),
				  "mounted with %s, remount with %s",
				  values[i].option, values[j].option);
		test_shown("live", "create", values[i].shown,
			   "after those remounts");
		dxs_umount_stack();
	}

	mount_stack("switch=empty,inherit=none");
	dxs_errno(0, remount("switch=unmapped"), "remount, switch=");
	test_shown("unmapped", "none", "inode", "remount, switch=");
	dxs_errno(0, remount("inherit=move"), "remount, inherit=");
	test_shown("unmapped", "move", "inode", "remount, inherit=");
	dxs_errno(0, remount("switch=never,inherit=create,dax=inode"),
		  "remount, all options");
	test_shown("never", "create", "inode", "remount, all options");
	dxs_errno(0, remount(NULL), "remount without options");
	dxs_errno(0, ERR(mount(NULL, "stack", NULL, MS_REMOUNT | MS_RDONLY,
			       NULL)), "remount,ro");
	test_shown("never", "create", "inode", "remount,ro");
	dxs_errno(0, remount("switch=empty"), "remount,rw,switch=");
	test_shown("empty", "create", "inode", "remount,rw,switch=");
	/* mount(8) repeats all options shown in /proc/mounts. */
	dxs_is(0, DXS_RUN("mount", "-o", "remount,inherit=none", "stack"),
	       "mount -o remount,inherit=none");
	test_shown("empty", "none", "inode", "mount -o remount,inherit=none");
	dxs_umount_stack();
}

/* A remount takes effect, also on open files. */
static void test_remount_acts(void)
{
	struct daxstack_switch sw;
	int fd;

	dxs_mkfs(NULL);
	mount_stack("switch=never");
	prepare_plain("stack/file");
	fd = MUST(open("stack/file", O_RDWR));
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 0, &sw), "switch=never");
	dxs_ok(sw.deferred && !sw.switched, "switch=never: deferred");
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd), "switch=never: mode");
	dxs_errno(0, remount("switch=empty"), "remount, switch=empty");
	dxs_refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_HAS_BLOCKS,
		    "remount, switch=empty");
	dxs_errno(0, remount("switch=live"), "remount, switch=live");
	dxs_to(fd, DAXSTACK_DAX, "remount, switch=live");
	dxs_is(DAXSTACK_DAX, dxs_mode(fd), "remount, switch=live: mode");
	dxs_errno(0, remount("switch=never"), "remount, switch=never");
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_CACHED),
		  "remount, switch=never: FSSETXATTR");
	dxs_is(DAXSTACK_DAX, dxs_mode(fd), "remount, switch=never: mode");
	close(fd);
	fd = MUST(open("stack/file", O_RDWR));
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd),
	       "remount, switch=never: mode after the last close");
	close(fd);
	dxs_umount_stack();
}

/* --- A directory as source: its own mount determines dax=. */

/* The value could not be determined at mount. */
static void test_learned_late(const char *lower)
{
	static const char *const what =
		"a directory that has dax=always, learned late";
	int fd;

	mount_lower("dax=always");
	prepare_empty("lower/" PROBE);
	dxs_errno(0, dxs_mount(lower, "stack", "daxstack", ""), "%s", what);
	dxs_umount_lower();
	MUST(unlink("stack/" PROBE));
	fd = MUST(open("stack/file", O_RDWR));
	dxs_refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_DAX_OPTION, what);
	test_shown("live", "create", "always", what);
	test_flag_only("stack/file", fd, DAXSTACK_DAX, what);
	close(fd);
	dxs_umount_stack();
}

static void test_directory(void)
{
	char *lower = realpath("lower", NULL);
	int fd, err;
	size_t i;

	mount_lower("dax=inode");
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		err = dxs_mount(lower, "stack", "daxstack", values[i].option);
		dxs_errno(EINVAL, err, "a directory with %s", values[i].option);
		dxs_str("(none)", option("dax"),
			"a directory with %s: nothing is mounted",
			values[i].option);
		if (!err)
			dxs_umount_stack();
	}
	dxs_errno(0, dxs_mount(lower, "stack", "daxstack", "switch=empty"),
		  "a directory");
	test_shown("empty", "create", "inode", "a directory");
	dxs_umount_stack();
	dxs_umount_lower();

	mount_lower("dax=always");
	dxs_errno(0, dxs_mount(lower, "stack", "daxstack", ""),
		  "a directory that has dax=always");
	test_shown("live", "create", "always",
		   "a directory that has dax=always");
	dxs_errno(EINVAL, remount("dax=inode"),
		  "a directory that has dax=always: remount, dax=inode");
	dxs_errno(0, remount("dax=always"),
		  "a directory that has dax=always: remount, dax=always");
	dxs_umount_lower();
	fd = MUST(open("stack/file", O_RDWR));
	dxs_is(DAXSTACK_DAX, dxs_mode(fd),
	       "a directory that has dax=always: mode");
	test_refused(fd, DAXSTACK_DAX, "a directory that has dax=always");
	test_flag_only("stack/file", fd, DAXSTACK_DAX,
		       "a directory that has dax=always");
	close(fd);
	dxs_umount_stack();

	test_learned_late(lower);

	mount_lower("dax=never");
	dxs_errno(0, dxs_mount(lower, "stack", "daxstack", ""),
		  "a directory that has dax=never");
	dxs_umount_lower();
	fd = MUST(open("stack/file", O_RDWR));
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd),
	       "a directory that has dax=never: mode");
	dxs_errno(EOPNOTSUPP, dxs_switch(fd, DAXSTACK_DAX, 0, NULL),
		  "a directory that has dax=never: refused");
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd),
	       "a directory that has dax=never: mode is unchanged");
	close(fd);
	dxs_umount_stack();
	free(lower);
}

/*
 * A device that is already mounted keeps its options, whatever a second mount
 * gives.
 */
static void test_elsewhere(void)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		for (j = 0; j < ARRAY_SIZE(values); j++) {
			char what[64];
			int err, fd;
			bool flag;

			snprintf(what, sizeof(what),
				 "mounted with %s, the stack with %s",
				 values[i].option, values[j].option);
			mount_lower(values[i].option);
			err = try_stack(values[j].option);
			dxs_umount_lower();
			if (err) {
				dxs_errno(EBUSY, err, "%s: refused", what);
				continue;
			}
			fd = MUST(open("stack/file", O_RDWR));
			flag = dxs_xflag(fd);
			dxs_is(values[i].mode == ANY ? flag : values[i].mode,
			       dxs_mode(fd), "%s: mode", what);
			dxs_str(values[i].shown, option("dax"),
				"%s: shown as in effect", what);
			close(fd);
			dxs_umount_stack();
		}
	}
}

/* --- Stored under switch=never, in effect after the next load. */

static void test_persistence(void)
{
	static const char *const files[] = { "closed", "open", "empty", "born" };
	char path[64];
	size_t i;
	int fd;

	dxs_mkfs(NULL);
	mount_stack("switch=never");
	prepare_plain("stack/closed");
	set("stack/closed", DAXSTACK_DAX);
	prepare_plain("stack/open");
	fd = MUST(open("stack/open", O_RDONLY));
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_DAX), "stored while open");
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd), "stored while open: mode");
	close(fd);
	prepare_empty("stack/empty");
	set("stack/empty", DAXSTACK_DAX);
	MUST(mkdir("stack/dir", 0755));
	set("stack/dir", DAXSTACK_DAX);
	prepare_plain("stack/dir/file");
	MUST(rename("stack/dir/file", "stack/born"));
	prepare_plain("stack/cached");
	dxs_umount_stack();

	mount_stack("switch=live");
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "stack/%s", files[i]);
		fd = MUST(open(path, O_RDWR));
		dxs_is(DAXSTACK_DAX, dxs_mode(fd),
		       "%s, reloaded: mode", files[i]);
		dxs_is(true, dxs_xflag(fd), "%s, reloaded: flag", files[i]);
		dxs_errno(0, dxs_switch(fd, DAXSTACK_CACHED, 2000, NULL),
			  "%s, reloaded: switched", files[i]);
		dxs_is(DAXSTACK_CACHED, dxs_mode(fd),
		       "%s, reloaded: switched, mode", files[i]);
		close(fd);
	}
	fd = MUST(open("stack/cached", O_RDWR));
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd), "cached, reloaded: mode");
	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 2000, NULL),
		  "cached, reloaded: switched");
	close(fd);
	fd = MUST(open("stack/dir", O_RDONLY));
	dxs_is(true, dxs_xflag(fd), "directory, reloaded: flag");
	close(fd);
	dxs_umount_stack();

	mount_lower("dax=inode");
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "lower/%s", files[i]);
		fd = MUST(open(path, O_RDONLY));
		dxs_is(DAXSTACK_CACHED, dxs_mode(fd),
		       "%s, later, lower filesystem alone", files[i]);
		close(fd);
	}
	fd = MUST(open("lower/cached", O_RDONLY));
	dxs_is(DAXSTACK_DAX, dxs_mode(fd),
	       "cached, later, lower filesystem alone");
	close(fd);
	dxs_umount_lower();
	dxs_fsck();
}

int main(void)
{
	size_t i;

	dxs_begin();
	dxs_watch_begin();
	for (i = 0; i < ARRAY_SIZE(values); i++)
		test_stories(&values[i]);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i].mode == ANY)
			continue;
		test_one_mode(&values[i]);
		test_read_only(&values[i]);
	}
	test_directory();
	test_elsewhere();
	test_given();
	test_wrong();
	test_remount();
	test_remount_acts();
	test_persistence();
	for (i = 0; i < ARRAY_SIZE(values); i++)
		test_no_dax(&values[i]);
	return dxs_done();
}
