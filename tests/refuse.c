// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asserts that each refused switch returns its errno and reason at once,
 * changes nothing, and logs the reason. Where the reason can be removed,
 * asserts that the file switches afterwards.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dxs_test.h"

#define LEN	(16 * PAGE)
#define NOBODY	65534

#ifndef FS_DAX_FL
#define FS_DAX_FL 0x02000000
#endif
#ifndef FS_JOURNAL_DATA_FL
#define FS_JOURNAL_DATA_FL 0x4000
#endif

static const char *const texts[] = {
#define TEXT(name, err, text) text,
	DAXSTACK_REASONS(TEXT)
#undef TEXT
};

/* Creates a file of LEN bytes in @mode. */
static int make_file(const char *path, int mode)
{
	uint8_t buf[LEN];
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));

	dxs_fill(buf, LEN, 1, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	dxs_to(fd, mode, path);
	return fd;
}

/* Asserts a refusal and its line in the log. */
static void refused(int fd, int mode, int reason, const char *name)
{
	bool logged;

	dxs_log_mark();
	dxs_refused(fd, mode, reason, name);
	logged = dxs_log_has(texts[reason]);
	if (!logged) {
		/*
		 * These lines are rate-limited: after a pause another is
		 * logged.
		 */
		dxs_sleep_ms(600);
		dxs_switch(fd, mode, 0, NULL);
		logged = dxs_log_has(texts[reason]);
	}
	dxs_ok(logged, "%s: the log has '%s'", name, texts[reason]);
}

static void switches(int fd, int mode, const char *name)
{
	struct daxstack_switch sw;
	int err = dxs_switch(fd, mode, 1000, &sw);

	if (!dxs_errno(0, err, "%s: switched to %s", name, dxs_mode_name(mode)))
		dxs_diag("reason %s", dxs_reason_name(sw.reason));
	dxs_str(dxs_mode_name(mode), dxs_mode_name(dxs_mode(fd)),
		"%s: statx shows the mode", name);
}

/* --- The lower filesystem is mounted elsewhere. */

static void test_lower_shared(void)
{
	int fd = make_file("stack/shared", DAXSTACK_CACHED);
	char options[32];
	int lower, err;

	dxs_mount_lower();
	refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_LOWER_SHARED,
		"mounted elsewhere");
	dxs_errno(EBUSY, dxs_set_xflag(fd, DAXSTACK_DAX),
		  "mounted elsewhere: EBUSY from FSSETXATTR as well");
	lower = MUST(open("lower", O_RDONLY));
	MUST(ioctl(lower, FIFREEZE, 0));
	refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_FROZEN, "frozen");
	MUST(ioctl(lower, FITHAW, 0));
	close(lower);
	refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_LOWER_SHARED, "thawed");
	dxs_umount_lower();
	switches(fd, DAXSTACK_DAX, "no longer mounted elsewhere");

	/*
	 * A second mount of the same superblock of the stack is no obstacle
	 * (H50).
	 */
	snprintf(options, sizeof(options), "lower=%s", dxs_fs);
	err = dxs_mount(dxs_pmem, "lower", "daxstack", options);
	if (dxs_errno(0, err, "second mount of the stack")) {
		switches(fd, DAXSTACK_CACHED, "second mount of the stack");
		dxs_umount_lower();
		switches(fd, DAXSTACK_DAX, "second mount of the stack removed");
	}
	close(fd);
}

/* daxstack(8) says where it is mounted. */
static void test_elsewhere(void)
{
	static const char *const command[] = {
		"daxstack", "set", "dax", "stack/elsewhere", NULL
	};
	int fd = make_file("stack/elsewhere", DAXSTACK_CACHED);
	int ready[2], done[2];
	char out[1000], c;
	pid_t pid;

	dxs_mount_lower();
	dxs_is(1, dxs_run_read(out, sizeof(out), command),
	       "mounted elsewhere: exit status of daxstack set");
	if (!dxs_ok(strstr(out, "is mounted on ") && strstr(out, "/lower"),
		    "mounted elsewhere: names the mount point"))
		dxs_diag("seen: %s", out);
	dxs_umount_lower();

	MUST(pipe(ready));
	MUST(pipe(done));
	pid = MUST(fork());
	if (!pid) {
		MUST(unshare(CLONE_NEWNS));
		MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		dxs_mount_lower();
		MUST(write(ready[1], "", 1));
		_exit(read(done[0], &c, 1) != 1);
	}
	MUST(read(ready[0], &c, 1));
	dxs_run_read(out, sizeof(out), command);
	if (!dxs_ok(strstr(out, "/lower (as process "),
		    "mounted in another namespace: names a process"))
		dxs_diag("seen: %s", out);
	MUST(write(done[1], "", 1));
	MUST(waitpid(pid, NULL, 0));
	switches(fd, DAXSTACK_DAX, "no longer mounted in another namespace");
	close(fd);
}

/* --- MAP_SYNC (H10). */

static void test_map_sync(void)
{
	int fd = make_file("stack/sync", DAXSTACK_CACHED);
	int pipe_ends[2], status;
	uint8_t *map, *first;
	pid_t pid;
	char c;

	dxs_errno(EOPNOTSUPP, ERR(dxs_map_sync(fd, LEN)),
		  "MAP_SYNC of a cached file fails");
	dxs_to(fd, DAXSTACK_DAX, "map_sync");
	map = MUST(dxs_map_sync(fd, LEN));
	first = map;
	map[0] = 1;
	refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC, "MAP_SYNC");
	dxs_is(1, map[0], "MAP_SYNC: the mapping is intact");

	MUST(munmap(map, PAGE));
	refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC,
		"MAP_SYNC, one page unmapped");
	MUST(munmap(map + 3 * PAGE, PAGE));
	refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC,
		"MAP_SYNC, split");
	map = MUST(mremap(map + 4 * PAGE, LEN - 4 * PAGE, 2 * LEN,
			  MREMAP_MAYMOVE));
	refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC,
		"MAP_SYNC, moved");
	MUST(munmap(map, 2 * LEN));
	refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC,
		"MAP_SYNC, two pages left");
	MUST(munmap(first + PAGE, 2 * PAGE));
	switches(fd, DAXSTACK_CACHED, "MAP_SYNC mapping gone");
	switches(fd, DAXSTACK_DAX, "switch back");

	map = MUST(dxs_map_sync(fd, LEN));
	MUST(pipe(pipe_ends));
	pid = MUST(fork());
	if (!pid) {
		close(pipe_ends[1]);
		_exit(read(pipe_ends[0], &c, 1) != 0);
	}
	close(pipe_ends[0]);
	MUST(munmap(map, LEN));
	refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC,
		"MAP_SYNC mapping in a child only");
	close(pipe_ends[1]);
	MUST(waitpid(pid, &status, 0));
	switches(fd, DAXSTACK_CACHED, "MAP_SYNC mapping gone with the child");
	close(fd);
}

/* --- Permissions and read-only mounts. */

static void test_not_owner(void)
{
	int fd = make_file("stack/roots", DAXSTACK_CACHED), own;

	MUST(chmod("stack", 0777));
	MUST(chmod("stack/roots", 0666));
	MUST(seteuid(NOBODY));
	refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_NOT_OWNER, "not the owner");
	dxs_errno(EPERM, dxs_set_xflag(fd, DAXSTACK_DAX),
		  "not the owner: EPERM from FSSETXATTR");
	own = MUST(open("stack/nobodys", O_RDWR | O_CREAT, 0600));
	switches(own, DAXSTACK_DAX, "the owner, not root");
	MUST(seteuid(0));
	switches(own, DAXSTACK_CACHED, "root, not the owner");
	close(own);
	close(fd);
}

static void test_read_only(void)
{
	int fd = make_file("stack/ro", DAXSTACK_CACHED);

	close(fd);
	if (!dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack",
				    "remount,ro"), "remount,ro"))
		return;
	fd = MUST(open("stack/ro", O_RDONLY));
	refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_READ_ONLY,
		"read-only mount");
	dxs_errno(EROFS, dxs_set_xflag(fd, DAXSTACK_DAX),
		  "read-only mount: EROFS from FSSETXATTR");
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,rw"),
		  "remount,rw");
	switches(fd, DAXSTACK_DAX, "writable again, open for reading");
	close(fd);
}

/* --- Files that are not regular files. */

static void test_not_regular(void)
{
	struct daxstack_switch sw = { .mode = DAXSTACK_DAX };
	int fd;

	MUST(mkdir("stack/dir", 0755));
	fd = MUST(open("stack/dir", O_RDONLY));
	dxs_errno(ENOTTY, ERR(ioctl(fd, DAXSTACK_IOC_SWITCH, &sw)),
		  "switch ioctl on a directory");
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_DAX),
		  "FSSETXATTR on a directory");
	dxs_ok(dxs_xflag(fd), "FSSETXATTR on a directory: the flag is set");
	dxs_errno(0, dxs_set_xflag(fd, DAXSTACK_CACHED),
		  "FSSETXATTR on a directory: the flag is cleared");
	close(fd);

	MUST(mkfifo("stack/fifo", 0644));
	fd = MUST(open("stack/fifo", O_RDWR | O_NONBLOCK));
	dxs_errno(ENOTTY, ERR(ioctl(fd, DAXSTACK_IOC_SWITCH, &sw)),
		  "switch ioctl on a fifo");
	close(fd);

	MUST(symlink("ro", "stack/link"));
	fd = MUST(open("stack/link", O_PATH | O_NOFOLLOW));
	dxs_errno(EBADF, ERR(ioctl(fd, DAXSTACK_IOC_SWITCH, &sw)),
		  "switch ioctl on a symlink");
	close(fd);
}

/* --- Pinned pages (H7, H8): a pipe holds a page of a mapping. */

static void test_pinned(int mode, bool unmapped)
{
	char name[64];
	int fd = make_file("stack/pinned", mode), ends[2];
	uint8_t *map, byte[8], expected[8];
	struct iovec iov;

	snprintf(name, sizeof(name), "pinned, %s%s", dxs_mode_name(mode),
		 unmapped ? ", unmapped" : "");
	map = MUST(mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	MUST(pipe(ends));
	map[5 * PAGE] ^= 1;
	memcpy(expected, map + 5 * PAGE, 8);
	iov = (struct iovec){ map + 5 * PAGE, 8 };
	dxs_is(8, MUST(vmsplice(ends[1], &iov, 1, 0)), "%s: vmsplice", name);
	if (unmapped)
		MUST(munmap(map, LEN));
	refused(fd, !mode, DAXSTACK_REASON_PINNED, name);
	MUST(read(ends[0], byte, 8));
	dxs_ok(!memcmp(expected, byte, 8), "%s: contents in the pipe", name);
	switches(fd, !mode, name);
	dxs_pread(fd, byte, 8, 5 * PAGE);
	dxs_ok(!memcmp(expected, byte, 8), "%s: contents of the file", name);
	if (!unmapped)
		MUST(munmap(map, LEN));
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* --- Arguments. */

static void bad_arg(int fd, struct daxstack_switch sw, const char *what)
{
	sw.reason = 77;
	dxs_errno(EINVAL, ERR(ioctl(fd, DAXSTACK_IOC_SWITCH, &sw)), "%s", what);
}

static void test_arguments(void)
{
	int fd = make_file("stack/args", DAXSTACK_CACHED);
	struct daxstack_state state;

	bad_arg(fd, (struct daxstack_switch){ .mode = 7 }, "mode 7");
	bad_arg(fd, (struct daxstack_switch){ .mode = 1, .flags = 1 },
		"flags 1");
	bad_arg(fd, (struct daxstack_switch){ .mode = 1, .reserved = { 0, 1 } },
		"switch: reserved field is not 0");
	bad_arg(fd, (struct daxstack_switch){ .mode = 1, .pad = 1 },
		"switch: pad is not 0");
	bad_arg(fd, (struct daxstack_switch){ .mode = 1, .timeout_ms = -5 },
		"timeout -5");
	dxs_errno(EFAULT, ERR(ioctl(fd, DAXSTACK_IOC_SWITCH, 8L)),
		  "switch with a bad pointer");
	dxs_errno(EFAULT, ERR(ioctl(fd, DAXSTACK_IOC_STATE, 8L)),
		  "state with a bad pointer");
	dxs_errno(ENOTTY, ERR(ioctl(fd, _IO(0xDA, 99), 0)), "unknown ioctl");
	dxs_str("cached", dxs_mode_name(dxs_mode(fd)),
		"the mode is unchanged after bad arguments");

	memset(&state, 0xff, sizeof(state));
	dxs_errno(0, ERR(ioctl(fd, DAXSTACK_IOC_STATE, &state)), "state");
	dxs_is(DAXSTACK_CACHED, state.mode, "state: mode");
	dxs_is(DAXSTACK_REASON_NONE, state.reason, "state: no reason");
	dxs_is(0, state.flags & DAXSTACK_STATE_FLAG, "state: no flag");
	dxs_is(0, state.switches + state.refusals + state.pad,
	       "state: no switches, no refusals");
	dxs_is(LEN / PAGE, state.pages, "state: all pages cached");
	dxs_to(fd, DAXSTACK_DAX, "state");
	MUST(ioctl(fd, DAXSTACK_IOC_STATE, &state));
	dxs_is(DAXSTACK_DAX, state.mode, "state: mode after a switch");
	dxs_is(1, state.switches, "state: one switch");
	dxs_is(DAXSTACK_STATE_FLAG, state.flags & DAXSTACK_STATE_FLAG,
	       "state: flag");
	close(fd);
}

/* Who uses a file, and how much of it is cached, is shown only to its owner. */
static void test_state_withheld(void)
{
	int fd = make_file("stack/secret", DAXSTACK_CACHED);
	void *map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	struct daxstack_state state;

	dxs_remount("switch=unmapped");
	MUST(seteuid(NOBODY));
	dxs_errno(0, ERR(ioctl(fd, DAXSTACK_IOC_STATE, &state)),
		  "state of another user's file");
	MUST(seteuid(0));
	dxs_is(0, state.pages, "... pages");
	dxs_is(DAXSTACK_STATE_WITHHELD, state.flags, "... flags");
	dxs_is(DAXSTACK_REASON_NOT_OWNER, state.reason, "... reason");

	MUST(fchmod(fd, 0666));
	MUST(seteuid(NOBODY));
	dxs_errno(0, ERR(ioctl(fd, DAXSTACK_IOC_STATE, &state)),
		  "state of another user's writable file");
	MUST(seteuid(0));
	dxs_is(LEN / PAGE, state.pages, "... pages");
	dxs_is(DAXSTACK_STATE_MAPPED | DAXSTACK_STATE_GATED, state.flags,
	       "... flags");
	dxs_is(DAXSTACK_REASON_MAPPED, state.reason, "... reason");

	MUST(fchmod(fd, 0600));
	MUST(fchown(fd, NOBODY, -1));
	MUST(seteuid(NOBODY));
	MUST(ioctl(fd, DAXSTACK_IOC_STATE, &state));
	MUST(seteuid(0));
	dxs_is(LEN / PAGE, state.pages, "state of the caller's own file");
	dxs_remount("switch=live");
	MUST(munmap(map, PAGE));
	close(fd);
}

/* A request for the current mode. */
static void test_same_mode(void)
{
	int fd = make_file("stack/same", DAXSTACK_DAX);
	struct daxstack_switch sw;

	dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 0, &sw),
		  "dax to dax succeeds");
	dxs_is(0, sw.switched, "dax to dax is not counted as a switch");
	close(fd);
}

/* --- Files that the lower filesystem does not allow in dax mode (H18). */

static void test_journal_data(void)
{
	static const char *const name = "data journalling";
	long flags;
	int fd;

	if (dxs_on_xfs()) {
		dxs_skip("XFS has no data journalling", "%s", name);
		return;
	}
	fd = MUST(open("stack/journal", O_RDWR | O_CREAT, 0644));
	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_JOURNAL_DATA_FL;
	if (!dxs_errno(0, ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags)),
		       "%s can be set", name))
		return;
	dxs_pwrite(fd, "x", 1, 0);
	refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_JOURNAL_DATA, name);
	close(fd);

	/* ext4 would take the invalidate_lock, which the switch holds. */
	fd = make_file("stack/journal and dax", DAXSTACK_CACHED);
	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_JOURNAL_DATA_FL | FS_DAX_FL;
	dxs_errno(EOPNOTSUPP, ERR(ioctl(fd, FS_IOC_SETFLAGS, &flags)),
		  "%s and dax in one call", name);
	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	dxs_ok(!(flags & (FS_JOURNAL_DATA_FL | FS_DAX_FL)),
	       "%s and dax in one call: neither is set", name);
	dxs_is(DAXSTACK_CACHED, dxs_mode(fd), "%s and dax in one call: mode",
	       name);
	close(fd);
}

/* ext4 refuses changes of other flags of such a file; XFS allows them. */
static void test_immutable(void)
{
	static const char *const name = "immutable";
	struct daxstack_switch sw;
	long flags;
	int fd = make_file("stack/immutable", DAXSTACK_CACHED);

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_IMMUTABLE_FL;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	if (dxs_on_xfs())
		dxs_errno(0, dxs_switch(fd, DAXSTACK_DAX, 0, &sw), "%s", name);
	else
		refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_IMMUTABLE, name);
	flags &= ~FS_IMMUTABLE_FL;
	if (dxs_on_xfs())
		flags |= FS_DAX_FL;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
}

/* Linux 6.1 XFS allows no DAX for a reflinked file; later kernels do. */
static bool reflinked_can_be_dax(void)
{
	return dxs_kernel_from(6, 2);
}

static void make_clone(void)
{
	int fd, copy;

	close(make_file("stack/original", DAXSTACK_CACHED));
	dxs_umount_stack();
	dxs_mount_lower();
	fd = MUST(open("lower/original", O_RDONLY));
	copy = MUST(open("lower/copy", O_RDWR | O_CREAT | O_TRUNC, 0644));
	MUST(ioctl(copy, FICLONE, fd));
	close(copy);
	close(fd);
	dxs_umount_lower();
	dxs_mount_stack();
}

/* One of two files that share blocks, and its expected contents. */
struct twin {
	int fd;
	uint8_t *map;
	uint8_t want[LEN];
};

static void twins_same(struct twin twins[2], const char *name)
{
	static uint8_t seen[LEN];
	bool same = true;
	int i;

	for (i = 0; i < 2; i++) {
		dxs_pread(twins[i].fd, seen, LEN, 0);
		same &= !memcmp(seen, twins[i].want, LEN);
		same &= !memcmp(twins[i].map, twins[i].want, LEN);
	}
	dxs_ok(same, "shared blocks: %s: contents of both files", name);
}

/* By a store and by write(2), to pages that both still share. */
static void twins_change(struct twin twins[2], int page)
{
	off_t pos;
	int i;

	for (i = 0; i < 2; i++) {
		struct twin *twin = &twins[i];

		pos = (page + 2 * i) * PAGE + 100;
		memset(twin->want + pos, 'a' + page + i, 10);
		memset(twin->map + pos, 'a' + page + i, 10);
		pos += PAGE;
		memset(twin->want + pos, 'A' + page + i, 10);
		/*
		 * Linux 7.3 warns when XFS does this to a mapped page
		 * (dax_folio_put()), also without a stack.
		 */
		MUST(madvise(twin->map + (page + 2 * i + 1) * PAGE, PAGE,
			     MADV_DONTNEED));
		dxs_pwrite(twin->fd, twin->want + pos, 10, pos);
	}
}

static void twins_open(struct twin twins[2], bool map)
{
	int i;

	for (i = 0; i < 2; i++) {
		twins[i].fd = MUST(open(i ? "stack/copy" : "stack/original",
					O_RDWR));
		if (!map)
			continue;
		twins[i].map = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
				    MAP_SHARED, twins[i].fd, 0);
		if (twins[i].map == MAP_FAILED)
			dxs_bail("mmap: %m");
	}
}

static void twins_close(struct twin twins[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		munmap(twins[i].map, LEN);
		close(twins[i].fd);
	}
}

static void test_twins(void)
{
	static struct twin twins[2];

	make_clone();
	twins_open(twins, true);
	dxs_fill(twins[0].want, LEN, 1, 0);
	memcpy(twins[1].want, twins[0].want, LEN);
	switches(twins[0].fd, DAXSTACK_DAX, "shared blocks: first file");
	twins_same(twins, "one in dax mode");
	twins_change(twins, 0);
	twins_same(twins, "one in dax mode, changed");
	switches(twins[1].fd, DAXSTACK_DAX, "shared blocks: second file");
	twins_same(twins, "both in dax mode");
	twins_change(twins, 4);
	twins_same(twins, "both in dax mode, changed");
	switches(twins[0].fd, DAXSTACK_CACHED, "shared blocks: first file");
	twins_change(twins, 8);
	twins_same(twins, "one in cached mode, changed");
	twins_close(twins);
	dxs_umount_stack();
	dxs_fsck();
	dxs_mount_stack();
	twins_open(twins, true);
	twins_same(twins, "mounted again");
	switches(twins[1].fd, DAXSTACK_CACHED, "shared blocks: second file");
	twins_same(twins, "mounted again, both in cached mode");
	twins_close(twins);
}

static void test_reflinked(void)
{
	static const char *const name = "reflinked";
	int fd;

	if (!dxs_on_xfs()) {
		dxs_skip("ext4 has no reflinks", "%s", name);
		return;
	}
	if (reflinked_can_be_dax()) {
		test_twins();
		return;
	}
	make_clone();
	fd = MUST(open("stack/original", O_RDWR));
	refused(fd, DAXSTACK_DAX, DAXSTACK_REASON_REFLINK, name);
	close(fd);
}

static void test_swap(void)
{
	int fd = MUST(open("stack/swap", O_RDWR | O_CREAT, 0600));
	static uint8_t zero[64 * KIB];
	int i, err;

	for (i = 0; i < 32; i++)
		dxs_pwrite(fd, zero, sizeof(zero), i * sizeof(zero));
	MUST(fsync(fd));
	if (DXS_RUN("mkswap", "-q", "stack/swap") &&
	    DXS_RUN("mkswap", "stack/swap"))
		dxs_bail("mkswap failed");
	err = ERR(swapon("stack/swap", 0));
	dxs_errno(EINVAL, err, "swapon of a file of the stack is refused");
	if (!err)
		swapoff("stack/swap");
	switches(fd, DAXSTACK_DAX, "after the refused swapon");
	close(fd);
}

/* --- Timeouts. */

struct later {
	void *map;
	pthread_t who;
	long ms;
};

static void *unmap_later(void *arg)
{
	struct later *later = arg;

	dxs_sleep_ms(later->ms);
	munmap(later->map, LEN);
	return NULL;
}

static void *signal_later(void *arg)
{
	struct later *later = arg;

	dxs_sleep_ms(later->ms);
	pthread_kill(later->who, SIGUSR1);
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

/*
 * Returns seconds by the coarse clock, which advances with the kernel's ticks
 * as its timeouts do: on a busy machine both lag and catch up together.
 */
static double now_in_ticks(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void test_timeout(void)
{
	int fd = make_file("stack/wait", DAXSTACK_DAX);
	struct daxstack_switch sw;
	struct later later = { .ms = 500, .who = pthread_self() };
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t thread;
	struct dxs_watch watch;
	double begin, took;
	int err;

	later.map = MUST(dxs_map_sync(fd, LEN));
	/*
	 * Too early by any clock is too early; the upper bound counts the
	 * guest's run time.
	 */
	begin = now_in_ticks();
	watch = dxs_watch();
	err = dxs_switch(fd, DAXSTACK_CACHED, 300, &sw);
	took = now_in_ticks() - begin;
	dxs_errno(EBUSY, err, "timeout 300 ms: EBUSY");
	dxs_str("MAP_SYNC", dxs_reason_name(sw.reason), "timeout 300 ms: reason");
	if (!dxs_ok(took >= 0.29 && dxs_watched(&watch) < 1.0,
		    "timeout 300 ms: ends in time"))
		dxs_diag("expected 0.3 s, seen %.3f s", took);

	watch = dxs_watch();
	dxs_refused(fd, DAXSTACK_CACHED, DAXSTACK_REASON_MAP_SYNC, "timeout 0");
	took = dxs_watched(&watch);
	if (!dxs_ok(took < 0.2, "timeout 0: ends at once"))
		dxs_diag("seen %.3f s", took);

	MUST(sigaction(SIGUSR1, &action, NULL));
	if (pthread_create(&thread, NULL, signal_later, &later))
		dxs_bail("cannot create a thread");
	begin = dxs_now();
	watch = dxs_watch();
	err = dxs_switch(fd, DAXSTACK_CACHED, 60000, &sw);
	took = dxs_now() - begin;
	pthread_join(thread, NULL);
	dxs_errno(EINTR, err, "a signal interrupts the wait");
	dxs_str("INTERRUPTED", dxs_reason_name(sw.reason),
		"a signal interrupts the wait: reason");
	if (!dxs_ok(took >= 0.45 && dxs_watched(&watch) < 1.5,
		    "a signal interrupts the wait: soon"))
		dxs_diag("expected 0.5 s, seen %.3f s", took);

	if (pthread_create(&thread, NULL, signal_later, &later))
		dxs_bail("cannot create a thread");
	err = dxs_switch(fd, DAXSTACK_CACHED, -1, &sw);
	pthread_join(thread, NULL);
	dxs_errno(EINTR, err, "a signal interrupts a wait without timeout");

	if (pthread_create(&thread, NULL, unmap_later, &later))
		dxs_bail("cannot create a thread");
	begin = dxs_now();
	watch = dxs_watch();
	err = dxs_switch(fd, DAXSTACK_CACHED, 60000, &sw);
	took = dxs_now() - begin;
	pthread_join(thread, NULL);
	dxs_errno(0, err, "timeout 60 s: the obstacle goes away");
	dxs_is(1, sw.switched, "timeout 60 s: switched");
	if (!dxs_ok(took >= 0.45 && dxs_watched(&watch) < 1.5,
		    "timeout 60 s: switched soon after"))
		dxs_diag("expected 0.5 s, seen %.3f s", took);
	close(fd);
}

int main(void)
{
	dxs_begin();
	dxs_watch_begin();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	test_lower_shared();
	test_elsewhere();
	test_map_sync();
	test_not_owner();
	test_not_regular();
	test_pinned(DAXSTACK_CACHED, false);
	test_pinned(DAXSTACK_CACHED, true);
	test_pinned(DAXSTACK_DAX, false);
	test_pinned(DAXSTACK_DAX, true);
	test_arguments();
	test_state_withheld();
	test_same_mode();
	test_journal_data();
	test_swap();
	test_timeout();
	test_read_only();
	test_immutable();
	test_reflinked();
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
