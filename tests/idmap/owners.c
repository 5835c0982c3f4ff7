// SPDX-License-Identifier: GPL-2.0-only
/*
 * idmap: owners of new files, permission to create and remove names, and to
 * change owners and modes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "idmap.h"

/* As seen through each mount. */
static void note_everywhere(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "plain/%s", name);
	note_stat(path);
	snprintf(path, sizeof(path), "a/%s", name);
	note_stat(path);
	snprintf(path, sizeof(path), "b/%s", name);
	note_stat(path);
}

static int tmpfile_linked(const char *dir, const char *name)
{
	int fd = open(dir, O_TMPFILE | O_RDWR, 0640), err;
	char path[64];

	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
	close(fd);
	return err;
}

/* One of each file type. */
static void make_all(void)
{
	TRY(open_close("a/own/file", O_CREAT | O_EXCL | O_RDWR, 0640));
	TRY(mkdir("a/own/dir", 0750));
	TRY(mknod("a/own/fifo", S_IFIFO | 0600, 0));
	TRY(mknod("a/own/whiteout", S_IFCHR, makedev(0, 0)));
	TRY(mknod("a/own/null", S_IFCHR | 0666, makedev(1, 3)));
	TRY(symlink("file", "a/own/symlink"));
	TRY(tmpfile_linked("a/own", "a/own/tmp"));
	TRY(link("a/own/file", "a/own/link"));
}

static void note_all(void)
{
	note_everywhere("own/file");
	note_everywhere("own/dir");
	note_everywhere("own/fifo");
	note_everywhere("own/symlink");
	note_everywhere("own/tmp");
	note_everywhere("own/whiteout");
}

static void remove_all(void)
{
	TRY(rename("a/own/file", "a/own/dir/file"));
	TRY(rename("a/own/dir/file", "a/own/link2"));
	TRY(renameat2(AT_FDCWD, "a/own/link2", AT_FDCWD, "a/own/tmp",
		      RENAME_EXCHANGE));
	TRY(renameat2(AT_FDCWD, "a/own/link2", AT_FDCWD, "a/own/white",
		      RENAME_WHITEOUT));
	TRY(unlink("a/own/white"));
	TRY(unlink("a/own/link"));
	TRY(unlink("a/own/link2"));
	TRY(unlink("a/own/fifo"));
	TRY(unlink("a/own/symlink"));
	TRY(rmdir("a/own/dir"));
}

void test_owners(void)
{
	MUST(mkdir("plain/own", 0));
	MUST(chown("plain/own", 1000, 1000));
	MUST(chmod("plain/own", 0700));
	MUST(mkdir("plain/sgid", 0));
	MUST(chown("plain/sgid", 1000, 1005));
	MUST(chmod("plain/sgid", 02777));
	note_everywhere("own");

	/*
	 * The mapped owner, a user with the same id on the lower fs, others,
	 * and root.
	 */
	if (as(1000, 1000, 0)) {
		make_all();
		TRY(access("a/own", R_OK));
		TRY(access("b/own", R_OK));
		TRY(access("plain/own", R_OK));
		done();
	}
	if (as(A(1001), A(1001), 0)) {
		make_all();
		done();
	}
	if (as(A(1000), A(1000), 0)) {
		make_all();
		TRY(access("plain/own", R_OK));
		done();
	}
	note_all();
	if (as(1000, 1000, 0)) {
		remove_all();
		done();
	}
	if (as(B(1000), B(1000), 0)) {
		TRY(open_close("b/own/file", O_RDWR, 0));
		TRY(open_close("b/own/b", O_CREAT | O_EXCL, 0644));
		TRY(unlink("a/own/link"));
		TRY(link("b/own/b", "b/own/b2"));
		done();
	}
	note_everywhere("own/b");
	if (as(A(1000), A(1000), 0)) {
		remove_all();
		done();
	}
	note_all();

	/* An id that the mount does not map cannot own anything there. */
	if (as(A(2000), A(2000), 0)) {
		TRY(open_close("b/sgid/file", O_CREAT | O_EXCL, 0644));
		TRY(mkdir("b/sgid/dir", 0755));
		TRY(symlink("x", "b/sgid/symlink"));
		TRY(tmpfile_linked("b/sgid", "b/sgid/tmp"));
		done();
	}
	TRY(open_close("a/root", O_CREAT | O_EXCL, 0644));
	TRY(open_close("b/root", O_CREAT | O_EXCL, 0644));

	/* A directory with S_ISGID. */
	if (as(A(1001), A(1001), 0)) {
		TRY(open_close("a/sgid/file", O_CREAT | O_EXCL, 02775));
		TRY(mkdir("a/sgid/dir", 0755));
		TRY(tmpfile_linked("a/sgid", "a/sgid/tmp"));
		done();
	}
	if (as(A(1001), A(1001), A(1005))) {
		TRY(open_close("a/sgid/member", O_CREAT | O_EXCL, 02775));
		done();
	}
	if (as(A(1001), A(1001), 1005)) {
		TRY(open_close("a/sgid/below", O_CREAT | O_EXCL, 02775));
		done();
	}
	note_everywhere("sgid/file");
	note_everywhere("sgid/dir");
	note_everywhere("sgid/tmp");
	note_everywhere("sgid/member");
	note_everywhere("sgid/below");
}

/* Which set-ID bits a writer clears; with a new file each time. */
static void note_cleared_bits(const char *what, uid_t uid, gid_t more, mode_t mode,
			      int (*change)(const char *path))
{
	make_file("plain/kill", 1000, 1005, mode);
	if (as(uid, uid, more)) {
		note("%u with %u of %o: %s: %s", uid, more, mode, what,
		     change("a/kill") ? strerrorname_np(errno) : "ok");
		done();
	}
	note_stat("plain/kill");
	MUST(unlink("plain/kill"));
}

static int by_write(const char *path)
{
	int fd = open(path, O_WRONLY), err;

	if (fd < 0)
		return -1;
	err = write(fd, "y", 1) == 1 ? 0 : -1;
	close(fd);
	return err;
}

static int by_truncate(const char *path)
{
	return truncate(path, 0);
}

static int by_fallocate(const char *path)
{
	int fd = open(path, O_WRONLY), err;

	if (fd < 0)
		return -1;
	err = fallocate(fd, 0, 0, PAGE);
	close(fd);
	return err;
}

static int by_chmod(const char *path)
{
	return chmod(path, 06666);
}

static int by_chgrp(const char *path)
{
	return chown(path, -1, A(1005));
}

static const struct {
	const char *name;
	int (*change)(const char *path);
} kills[] = {
	{ "write", by_write },
	{ "truncate", by_truncate },
	{ "fallocate", by_fallocate },
	{ "chmod", by_chmod },
	{ "chgrp", by_chgrp },
};

void test_changes(void)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 2 } };
	const mode_t modes[] = { 06777, 02666, 04666 };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(kills); i++) {
		for (j = 0; j < ARRAY_SIZE(modes); j++) {
			note_cleared_bits(kills[i].name, A(1000), 0, modes[j],
					  kills[i].change);
			note_cleared_bits(kills[i].name, A(1009), A(1005), modes[j],
					  kills[i].change);
			note_cleared_bits(kills[i].name, A(1009), 1005, modes[j],
					  kills[i].change);
			note_cleared_bits(kills[i].name, A(1000), A(1005), modes[j],
					  kills[i].change);
		}
	}

	make_file("plain/own/mine", 1000, 1000, 0644);
	make_file("plain/zero", 0, 0, 0666);
	TRY(chown("a/own/mine", A(1001), A(1001)));
	note_everywhere("own/mine");
	TRY(chown("a/own/mine", 5, -1));
	TRY(chown("a/own/mine", -1, 1000));
	TRY(chown("b/own/mine", B(1002), -1));
	note_everywhere("own/mine");
	TRY(chown("a/own/mine", A(1000), A(1000)));
	/* Its owner is unmapped there. */
	TRY(chmod("b/zero", 0600));
	TRY(utimensat(AT_FDCWD, "b/zero", NULL, 0));
	TRY(truncate("b/zero", 0));
	TRY(open_close("b/zero", O_RDONLY, 0));
	TRY(open_close("b/zero", O_RDWR, 0));
	TRY(unlink("b/zero"));
	TRY(link("b/zero", "b/own/zero"));
	TRY(chown("b/zero", B(1000), -1));
	TRY(chown("b/zero", B(1000), B(1000)));
	note_everywhere("zero");
	if (as(A(1000), A(1000), A(1005))) {
		TRY(chown("a/own/mine", -1, A(1005)));
		TRY(chown("a/own/mine", -1, 1005));
		TRY(chown("a/own/mine", A(1001), -1));
		TRY(chmod("a/own/mine", 02755));
		TRY(chown("a/own/mine", A(1000), A(1000)));
		TRY(utimensat(AT_FDCWD, "a/own/mine", times, 0));
		TRY(open_close("a/own/mine", O_RDONLY | O_NOATIME, 0));
		done();
	}
	note_everywhere("own/mine");
	MUST(chmod("plain/own", 0755));
	if (as(1000, 1000, 0)) {
		TRY(chmod("a/own/mine", 0777));
		TRY(chown("a/own/mine", -1, 1000));
		TRY(utimensat(AT_FDCWD, "a/own/mine", NULL, 0));
		TRY(open_close("a/own/mine", O_RDONLY | O_NOATIME, 0));
		TRY(truncate("a/own/mine", 0));
		done();
	}
	note_everywhere("own/mine");
}

/*
 * A file changes owner through the lower mount while it is being removed: its
 * former owner no longer has the right. A mutant widens the window.
 */
void test_judged(void)
{
	int ends[2], err = -1;
	pid_t pid;
	bool late;

	make_file("plain/sticky/judged", 1000, 1000, 0644);
	MUST(pipe(ends));
	fflush(stdout);
	pid = MUST(fork());
	if (!pid) {
		MUST(setgroups(0, NULL));
		MUST(setresgid(A(1000), A(1000), A(1000)));
		MUST(setresuid(A(1000), A(1000), A(1000)));
		err = ERR(unlink("a/sticky/judged"));
		MUST(write(ends[1], &err, sizeof(err)));
		done();
	}
	dxs_sleep_ms(1000);
	dxs_mount_lower();
	late = chown("lower/sticky/judged", 1001, 1001);
	MUST(read(ends[0], &err, sizeof(err)));
	dxs_errno(late ? 0 : EPERM, err, "unlink by the owner%s",
		  late ? "" : " who lost the file during the call");
	MUST(waitpid(pid, NULL, 0));
	close(ends[0]);
	close(ends[1]);
	dxs_umount_lower();
}

static void append_only(const char *path, int flag)
{
	int fd = MUST(open(path, O_RDONLY)), flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = (flags & ~FS_APPEND_FL) | flag;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
}

void test_sticky(void)
{
	MUST(mkdir("plain/sticky", 0));
	MUST(chmod("plain/sticky", 01777));
	if (as(A(1000), A(1000), 0)) {
		TRY(open_close("a/sticky/file", O_CREAT | O_EXCL, 0666));
		TRY(open_close("a/sticky/other", O_CREAT | O_EXCL, 0666));
		TRY(mkdir("a/sticky/dir", 0777));
		TRY(symlink("file", "a/sticky/symlink"));
		done();
	}
	/*
	 * An unprivileged user; users with the owner's and root's id on the
	 * lower fs.
	 */
	if (as(A(1001), A(1001), 0)) {
		TRY(unlink("a/sticky/file"));
		TRY(rmdir("a/sticky/dir"));
		TRY(rename("a/sticky/file", "a/sticky/file2"));
		TRY(link("a/sticky/file", "a/sticky/link"));
		TRY(open_close("a/sticky/file", O_RDWR | O_CREAT, 0644));
		TRY(open_close("a/sticky/symlink", O_RDONLY, 0));
		done();
	}
	if (as(1000, 1000, 0)) {
		TRY(unlink("a/sticky/file"));
		TRY(rmdir("a/sticky/dir"));
		TRY(rename("a/sticky/file", "a/sticky/file2"));
		TRY(open_close("a/sticky/file", O_RDWR | O_CREAT, 0644));
		TRY(unlink("plain/sticky/other"));
		done();
	}
	MUST(chmod("plain/sticky/file", 0600));
	if (as(A(1001), A(1001), 0)) {
		TRY(link("a/sticky/file", "a/sgid/link"));
		done();
	}
	if (as(1000, 1000, 0)) {
		TRY(link("a/sticky/file", "a/sgid/link"));
		TRY(link("plain/sticky/file", "plain/sgid/link1"));
		done();
	}
	if (as(A(1000), A(1000), 0)) {
		TRY(link("a/sticky/file", "a/sgid/link2"));
		TRY(open_close("a/sticky/symlink", O_RDONLY, 0));
		TRY(rename("a/sticky/file", "a/sticky/file2"));
		TRY(unlink("a/sticky/file2"));
		TRY(rmdir("a/sticky/dir"));
		done();
	}
	/* The directory's owner, by the mount. */
	make_file("plain/sticky/file", 1000, 1000, 0666);
	make_file("plain/sticky/file2", 1000, 1000, 0666);
	if (as(A(0), A(0), 0)) {
		TRY(unlink("a/sticky/file"));
		TRY(unlink("b/sticky/file2"));
		done();
	}
	/* Files that no user may remove. */
	make_file("plain/own/append", 1000, 1000, 0666);
	append_only("plain/own/append", FS_APPEND_FL);
	append_only("plain/own", FS_APPEND_FL);
	if (as(A(1000), A(1000), 0)) {
		TRY(unlink("a/own/append"));
		TRY(link("a/own/append", "a/own/append2"));
		TRY(link("a/own/mine", "a/own/mine2"));
		TRY(unlink("a/own/mine2"));
		done();
	}
	append_only("plain/own", 0);
	if (as(A(1000), A(1000), 0)) {
		TRY(unlink("a/own/append"));
		TRY(unlink("a/own/mine2"));
		done();
	}
	append_only("plain/own/append", 0);
}
