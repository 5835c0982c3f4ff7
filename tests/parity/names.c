// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: names, symbolic links, hard links.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parity.h"

/* Returns a name of @len letters. */
static const char *letters(size_t len)
{
	static char name[5000];

	memset(name, 'n', len);
	name[len] = 0;
	return name;
}

void run_names(void)
{
	char path[PATH_MAX + 1];
	struct stat st;
	int fd, i;

	TELL_FD(open(letters(255), O_CREAT | O_WRONLY, 0644));
	TELL_FD(open(letters(256), O_CREAT | O_WRONLY, 0644));
	TELL(mkdir(letters(256), 0755));
	TELL(mkfifo(letters(256), 0644));
	TELL(symlink("x", letters(256)));
	TELL(link(letters(255), letters(256)));
	TELL(rename(letters(255), letters(256)));
	TELL(unlink(letters(256)));
	TELL(stat(letters(256), &st));
	TELL(unlink(letters(255)));

	/* The longest path, and one byte more. */
	path[0] = 0;
	for (i = 0; i < 15; i++) {
		strcat(strcat(path, i ? "/" : ""), letters(255));
		MUST(mkdir(path, 0755));
	}
	strcat(strcat(path, "/"), letters(PATH_MAX - 1 - 15 * 256));
	TELL_FD(open(path, O_CREAT | O_WRONLY, 0644));
	TELL(unlink(path));
	strcat(path, "n");
	TELL_FD(open(path, O_CREAT | O_WRONLY, 0644));

	/* Names are bytes. */
	TELL(mkdir("\xff\xfe\n\x01", 0755));
	TELL(rmdir("\xff\xfe\n\x01"));
	TELL(mkdir("", 0755));
	TELL(mkdir(".", 0755));
	TELL(mkdir("..", 0755));
	TELL(rmdir("."));
	TELL(rmdir(".."));
	TELL(rename(".", "other"));
	TELL(mkdir("slash/", 0755));
	TELL(rename("slash/", "slashed/"));
	TELL_FD(open("file/", O_CREAT | O_WRONLY, 0644));
	close(make_file("file", 10));
	TELL(stat("file/", &st));
	TELL(stat("file/x", &st));
	TELL(mkdir("file/x", 0755));
	TELL(unlink("file/"));
	TELL(rmdir("file"));
	TELL(rename("file", "slashed"));
	TELL(rename("slashed", "file"));
	TELL(rename("file", "file"));
	TELL(rename("slashed", "slashed/below"));

	/* In a removed directory. */
	MUST(mkdir("gone", 0755));
	fd = MUST(open("gone", O_RDONLY | O_DIRECTORY));
	MUST(rmdir("gone"));
	TELL(mkdirat(fd, "x", 0755));
	TELL_FD(openat(fd, "x", O_CREAT | O_WRONLY, 0644));
	TELL_FD(openat(fd, ".", O_TMPFILE | O_WRONLY, 0644));
	TELL_FD(openat(fd, "..", O_RDONLY));
	TELL_FD(openat(fd, ".", O_RDONLY));
	TELL(fstat(fd, &st));
	note("links: %lu", (unsigned long)st.st_nlink);
	close(fd);

	/* Contradictory open flags. */
	TELL_FD(open("slashed", O_WRONLY));
	TELL_FD(open("slashed", O_RDONLY | O_CREAT, 0644));
	TELL_FD(open("file", O_RDONLY | O_DIRECTORY));
	TELL_FD(open("new", O_RDONLY | O_CREAT | O_DIRECTORY, 0644));
	TELL(unlink("new"));
	TELL_FD(open("file", O_TMPFILE | O_WRONLY, 0644));
	TELL_FD(open(".", O_TMPFILE | O_RDONLY, 0644));
	fd = TELL_FD(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0644));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	TELL(linkat(AT_FDCWD, path, AT_FDCWD, "tmp", AT_SYMLINK_FOLLOW));
	close(fd);
	fd = TELL_FD(open("file", O_PATH));
	TELL(read(fd, path, 1));
	TELL(fchmod(fd, 0600));
	close(fd);
}

void run_symlinks(void)
{
	static const size_t lengths[] = { 1, 23, 59, 60, 61, 255, 511, 1023,
		1024, 4000, 4095, 4096 };
	char name[32], seen[5000];
	struct stat st;
	size_t i;
	ssize_t n;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		snprintf(name, sizeof(name), "long%zu", lengths[i]);
		note("of %zu bytes", lengths[i]);
		if (TELL(symlink(letters(lengths[i]), name)) < 0)
			continue;
		MUST(lstat(name, &st));
		n = readlink(name, seen, sizeof(seen));
		note("size %ld, %ld read, %s", (long)st.st_size, (long)n,
		     memcmp(seen, letters(lengths[i]), n) ? "wrong" : "right");
		n = readlink(name, seen, 10);
		note("%ld of 10 read", (long)n);
	}
	TELL(symlink("", "empty"));
	TELL(symlink("a", "b"));
	TELL(symlink("b", "a"));
	TELL_FD(open("a", O_RDONLY));
	TELL(stat("a", &st));
	TELL(symlink("x", "a"));

	/* Up to forty may be followed. */
	close(make_file("end", 1));
	MUST(symlink("end", "hop0"));
	for (i = 1; i < 42; i++) {
		char to[32];

		snprintf(to, sizeof(to), "hop%zu", i - 1);
		snprintf(name, sizeof(name), "hop%zu", i);
		MUST(symlink(to, name));
	}
	TELL(stat("hop39", &st));
	TELL(stat("hop40", &st));

	MUST(symlink("nothing", "dangling"));
	TELL(stat("dangling", &st));
	TELL_FD(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644));
	TELL_FD(open("dangling", O_CREAT | O_WRONLY, 0644));
	TELL(unlink("nothing"));
	TELL_FD(open("hop0", O_RDONLY | O_NOFOLLOW));
	TELL_FD(open("hop0", O_PATH | O_NOFOLLOW));
	TELL(chmod("dangling", 0600));
	TELL(fchmodat(AT_FDCWD, "hop0", 0600, AT_SYMLINK_NOFOLLOW));
	TELL(lchown("dangling", SOMEONE, SOMEONE));
	MUST(lstat("dangling", &st));
	note("mode %o, owner %d", st.st_mode, st.st_uid);
	TELL(link("dangling", "hard"));
	MUST(lstat("hard", &st));
	note("mode %o, links %lu", st.st_mode, (unsigned long)st.st_nlink);
}

/* More than ext4 allows; XFS allows more than there is time for. */
void run_links(void)
{
	char name[32];
	struct stat st;
	long i, ret = 0;

	close(make_file("file", 0));
	for (i = 0; i < 65010 && (!dxs_on_xfs() || i < 1000); i++) {
		snprintf(name, sizeof(name), "link%ld", i);
		ret = link("file", name);
		if (ret)
			break;
	}
	tell_ret("link", ret);
	note("after %ld", i);
	MUST(stat("file", &st));
	note("links %lu", (unsigned long)st.st_nlink);
	TELL(rename("link0", "link1"));
	TELL(unlink("link0"));
	MUST(stat("file", &st));
	note("links %lu", (unsigned long)st.st_nlink);
	TELL(link("file", "again"));

	MUST(mkdir("dir", 0755));
	TELL(link("dir", "dir2"));
	TELL(link("file", "dir"));
	TELL(link("none", "dir3"));
	TELL(linkat(AT_FDCWD, "", AT_FDCWD, "x", AT_EMPTY_PATH));
}
