// SPDX-License-Identifier: GPL-2.0-only
/*
 * idmap: flags, project ids and switches, depending on the mapped owner; and
 * what a mapping shows of the page cache.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "idmap.h"

/* Toggles the DAX flag, and sets a project id. */
static void note_flags(const char *path)
{
	struct fsxattr fsx;
	int fd = open(path, O_RDONLY);

	if (fd < 0) {
		note("%u: %s: %s", geteuid(), path, strerrorname_np(errno));
		return;
	}
	note("%u: %s", geteuid(), path);
	TRY(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	fsx.fsx_xflags ^= FS_XFLAG_DAX;
	TRY(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
	TRY(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	note("flags %x", fsx.fsx_xflags & FS_XFLAG_DAX);
	fsx.fsx_xflags ^= FS_XFLAG_NODUMP;
	TRY(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
	fsx.fsx_projid ^= 7;
	TRY(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
	TRY(fcntl(fd, F_SETLEASE, F_RDLCK));
	TRY(fcntl(fd, F_SETLEASE, F_UNLCK));
	close(fd);
}

static void note_flags_as(uid_t uid)
{
	if (as(uid, uid, 0)) {
		note_flags("a/flags/file");
		note_flags("a/flags/dir");
		note_flags("b/flags/zero");
		note_flags("b/flags/file");
		done();
	}
	note_stat("plain/flags/file");
	MUST(chmod("plain/flags/file", 06755));
}

void test_flags(void)
{
	MUST(mkdir("plain/flags", 0755));
	make_file("plain/flags/file", 1000, 1005, 06755);
	make_file("plain/flags/zero", 0, 0, 0644);
	MUST(mkdir("plain/flags/dir", 0755));
	MUST(chown("plain/flags/dir", 1000, 1000));
	note_flags_as(A(1000));
	note_flags_as(1000);
	note_flags_as(A(1001));
	note_flags_as(B(1000));
	note_flags_as(0);
	if (as_container(A(0))) {
		note_flags("a/flags/file");
		note_flags("a/flags/dir");
		note_flags("b/flags/zero");
		note_flags("plain/flags/file");
		done();
	}
	if (as_container(A(5000))) {
		note_flags("a/flags/file");
		done();
	}
}

/* Notes whether mincore(2) shows the page cache, which is empty here. */
static void note_resident(const char *path)
{
	int fd = open(path, O_RDONLY);
	unsigned char in[4];
	void *map;

	if (fd < 0) {
		note("%u: %s: %s", geteuid(), path, strerrorname_np(errno));
		return;
	}
	map = MUST(mmap(NULL, sizeof(in) * PAGE, PROT_READ, MAP_SHARED, fd, 0));
	MUST(mincore(map, sizeof(in) * PAGE, in));
	note("%u: %s: resident: %d%d%d%d", geteuid(), path, in[0], in[1],
	     in[2], in[3]);
	munmap(map, sizeof(in) * PAGE);
	close(fd);
}

static void resident_as(uid_t uid)
{
	if (as(uid, uid, 0)) {
		note_resident("a/resident");
		note_resident("plain/resident");
		note_resident("b/resident");
		done();
	}
}

void test_memory(void)
{
	int fd;

	make_file("plain/resident", 1000, 1000, 0444);
	MUST(truncate("plain/resident", 4 * PAGE));
	fd = MUST(open("plain/resident", O_RDWR));
	MUST(fsync(fd));
	MUST(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	close(fd);
	resident_as(A(1000));
	resident_as(1000);
	resident_as(A(1001));
	resident_as(B(1000));
}

/* Requests a switch through a read-only descriptor; asserts the errno. */
static void switch_as(uid_t uid, const char *path, int err)
{
	const int reason = err ? DAXSTACK_REASON_NOT_OWNER :
				 DAXSTACK_REASON_NONE;
	struct daxstack_switch sw;
	int seen[3] = { -1, -1, -1 };
	int fds[2], fd;

	MUST(pipe(fds));
	if (as(uid, uid, 0)) {
		struct daxstack_state state = {};

		fd = MUST(open(path, O_RDONLY));
		MUST(ioctl(fd, DAXSTACK_IOC_STATE, &state));
		seen[0] = dxs_switch(fd, !dxs_mode(fd), 1000, &sw);
		seen[1] = sw.reason;
		seen[2] = !!(state.flags & DAXSTACK_STATE_WITHHELD);
		MUST(write(fds[1], seen, sizeof(seen)));
		done();
	}
	MUST(read(fds[0], seen, sizeof(seen)));
	close(fds[0]);
	close(fds[1]);
	dxs_errno(err, seen[0], "%u switches %s", uid, path);
	dxs_is(reason, seen[1], "%u switches %s: reason", uid, path);
	dxs_is(!!err, seen[2], "%u, %s: state is withheld", uid, path);
}

/* The same for the flag of a directory. */
static void flag_as(uid_t uid, const char *path, int err)
{
	struct fsxattr before, after;
	int fd = MUST(open(path, O_RDONLY)), ends[2], seen = -1;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &before));
	MUST(pipe(ends));
	if (as(uid, uid, 0)) {
		struct daxstack_switch sw = {
			.mode = before.fsx_xflags & FS_XFLAG_DAX ?
				DAXSTACK_CACHED : DAXSTACK_DAX,
		};

		seen = ERR(ioctl(fd, DAXSTACK_IOC_DIR_FLAG, &sw));
		MUST(write(ends[1], &seen, sizeof(seen)));
		done();
	}
	MUST(read(ends[0], &seen, sizeof(seen)));
	close(ends[0]);
	close(ends[1]);
	dxs_errno(err, seen, "%u sets the flag of %s", uid, path);
	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &after));
	dxs_is(!err, (before.fsx_xflags ^ after.fsx_xflags) == FS_XFLAG_DAX,
	       "%u sets the flag of %s: flag has changed", uid, path);
	close(fd);
}

void test_switches(void)
{
	struct stat st;

	make_file("plain/switched", 1000, 1000, 0644);
	switch_as(A(1000), "a/switched", 0);
	switch_as(B(1000), "b/switched", 0);
	switch_as(1000, "plain/switched", 0);
	switch_as(1000, "a/switched", EPERM);
	switch_as(1000, "b/switched", EPERM);
	switch_as(A(1000), "plain/switched", EPERM);
	switch_as(A(1000), "b/switched", EPERM);
	switch_as(B(1000), "a/switched", EPERM);
	switch_as(A(0), "a/switched", EPERM);
	switch_as(0, "a/switched", 0);
	MUST(mkdir("plain/flagged", 0755));
	MUST(chown("plain/flagged", 1000, 1000));
	flag_as(A(1000), "a/flagged", 0);
	flag_as(B(1000), "b/flagged", 0);
	flag_as(1000, "a/flagged", EPERM);
	flag_as(A(1000), "plain/flagged", EPERM);
	flag_as(A(0), "b/flagged", EPERM);

	/*
	 * Check the idmaps themselves, independent of the lower filesystem's
	 * answers.
	 */
	MUST(stat("a/switched", &st));
	dxs_is(A(1000), st.st_uid, "owner through mount a");
	MUST(stat("b/switched", &st));
	dxs_is(B(1000), st.st_uid, "owner through mount b");
	MUST(stat("plain/switched", &st));
	dxs_is(1000, st.st_uid, "owner on the lower fs");
	MUST(unlink("plain/switched"));
}
