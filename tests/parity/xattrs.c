// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: extended attributes, access control lists.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "parity.h"

/* --- Extended attributes. */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The order of the list is unspecified. */
static void list(const char *name)
{
	const char *names[64];
	char buf[4096], line[1024] = "";
	ssize_t len = llistxattr(name, buf, sizeof(buf));
	size_t n = 0, i;
	char *at;

	tell_ret(name, len);
	for (at = buf; at < buf + len; at += strlen(at) + 1)
		names[n++] = at;
	qsort(names, n, sizeof(*names), by_name);
	for (i = 0; i < n; i++)
		strcat(strcat(line, " "), names[i]);
	note("%s:%.900s", name, line);
}

static void as_other(void)
{
	char buf[16];

	list("file");
	TELL(setxattr("file", "user.new", "x", 1, 0));
	TELL(getxattr("file", "user.a", buf, sizeof(buf)));
	TELL(setxattr("file", "trusted.new", "x", 1, 0));
	TELL(getxattr("file", "trusted.a", buf, sizeof(buf)));
	TELL(getxattr("secret", "user.a", buf, sizeof(buf)));
	TELL(setxattr("sticky", "user.a", "x", 1, 0));
	TELL(setxattr("file", "security.new", "x", 1, 0));
	TELL(getxattr("file", "security.a", buf, sizeof(buf)));
}

void run_xattrs(void)
{
	static const size_t sizes[] = { 0, 1, 255, 256, 3900, 4096, 60000, 65536,
		65537 };
	static char big[70000], back[70000];
	char name[300];
	size_t i;
	ssize_t n;
	int fd = make_file("file", 10);

	MUST(mkdir("dir", 0755));
	MUST(mkdir("sticky", 01777));
	MUST(chmod("sticky", 01777));
	close(make_file("secret", 1));
	MUST(chmod("secret", 0600));
	MUST(symlink("file", "link"));
	MUST(mkfifo("fifo", 0666));
	dxs_fill(big, sizeof(big), 1, 0);

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		note("%zu bytes", sizes[i]);
		if (TELL(setxattr("file", "user.big", big, sizes[i], 0)))
			continue;
		n = TELL(getxattr("file", "user.big", back, sizeof(back)));
		note("%s", memcmp(big, back, n) ? "wrong" : "right");
		TELL(getxattr("file", "user.big", NULL, 0));
		TELL(getxattr("file", "user.big", back, 100));
		TELL(removexattr("file", "user.big"));
	}
	TELL(setxattr("file", "user.a", "one", 3, XATTR_REPLACE));
	TELL(setxattr("file", "user.a", "one", 3, XATTR_CREATE));
	TELL(setxattr("file", "user.a", "two", 3, XATTR_CREATE));
	TELL(setxattr("file", "user.a", "three", 5, XATTR_REPLACE));
	TELL(setxattr("file", "user.a", "x", 1, XATTR_REPLACE | XATTR_CREATE));
	TELL(setxattr("file", "user.a", "x", 1, 8));
	TELL(fgetxattr(fd, "user.a", back, sizeof(back)));
	TELL(fsetxattr(fd, "user.b", "x", 1, 0));
	TELL(fremovexattr(fd, "user.b"));
	TELL(fremovexattr(fd, "user.b"));
	TELL(getxattr("file", "user.none", back, sizeof(back)));
	TELL(setxattr("file", "user.", "x", 1, 0));
	TELL(setxattr("file", "user", "x", 1, 0));
	TELL(setxattr("file", "", "x", 1, 0));
	TELL(setxattr("file", "nothing.a", "x", 1, 0));
	TELL(setxattr("file", "trusted.a", "x", 1, 0));
	TELL(setxattr("file", "security.a", "x", 1, 0));
	TELL(setxattr("file", "system.a", "x", 1, 0));
	TELL(setxattr("file", "trusted.overlay.opaque", "y", 1, 0));
	TELL(removexattr("file", "trusted.overlay.opaque"));
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[255] = 0;
	TELL(setxattr("file", name, "x", 1, 0));
	TELL(removexattr("file", name));
	name[255] = 'n';
	name[256] = 0;
	TELL(setxattr("file", name, "x", 1, 0));

	TELL(lsetxattr("link", "user.a", "x", 1, 0));
	TELL(lsetxattr("link", "trusted.a", "x", 1, 0));
	TELL(lgetxattr("link", "trusted.a", back, 10));
	TELL(setxattr("fifo", "user.a", "x", 1, 0));
	TELL(setxattr("fifo", "trusted.a", "x", 1, 0));
	TELL(setxattr("dir", "user.a", "x", 1, 0));
	list("file");
	list("link");
	list("fifo");
	list("dir");
	TELL(listxattr("file", NULL, 0));
	TELL(listxattr("file", back, 3));
	as_user(NOBODY, as_other);
}

/* --- Access control lists. */

#define MOST	8

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry entries[MOST];
	size_t nr;
};

static void acl_add(struct acl *acl, int tag, int perm, uint32_t id)
{
	acl->head.a_version = POSIX_ACL_XATTR_VERSION;
	acl->entries[acl->nr++] = (struct posix_acl_xattr_entry){
		.e_tag = tag, .e_perm = perm, .e_id = id };
}

static long acl_set(const char *name, const char *which, const struct acl *acl)
{
	return lsetxattr(name, which, acl, sizeof(acl->head) +
			 acl->nr * sizeof(acl->entries[0]), 0);
}

static void acl_is(const char *name, const char *which)
{
	struct acl acl;
	struct stat st;
	ssize_t len = lgetxattr(name, which, &acl, sizeof(acl));
	size_t i;

	tell_ret(name, len);
	MUST(lstat(name, &st));
	note("%s: mode %o", name, st.st_mode);
	if (len < 0)
		return;
	for (i = 0; sizeof(acl.head) + i * sizeof(acl.entries[0]) < (size_t)len;
	     i++)
		note("%s: %s: tag %x, perm %x, id %d", name, which,
		     acl.entries[i].e_tag, acl.entries[i].e_perm,
		     (int)acl.entries[i].e_id);
}

#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"

/* rw- for the owner, @perm for the user NOBODY, limited by @mask. */
static struct acl acl_for(int perm, int mask)
{
	struct acl acl = { .nr = 0 };

	acl_add(&acl, ACL_USER_OBJ, 6, ACL_UNDEFINED_ID);
	acl_add(&acl, ACL_USER, perm, NOBODY);
	acl_add(&acl, ACL_GROUP_OBJ, 0, ACL_UNDEFINED_ID);
	acl_add(&acl, ACL_MASK, mask, ACL_UNDEFINED_ID);
	acl_add(&acl, ACL_OTHER, 0, ACL_UNDEFINED_ID);
	return acl;
}

static void open_it(void)
{
	char buf[200];

	TELL_FD(open("file", O_RDONLY));
	TELL_FD(open("file", O_WRONLY));
	TELL(access("file", R_OK | W_OK));
	TELL(getxattr("file", ACCESS, buf, sizeof(buf)));
	TELL(setxattr("file", ACCESS, buf, 0, 0));
	TELL(removexattr("file", ACCESS));
}

static void make_below(void)
{
	close(TELL_FD(open("dir/file", O_CREAT | O_WRONLY, 0666)));
	acl_is("dir/file", ACCESS);
	TELL(mkdir("dir/dir", 0777));
	acl_is("dir/dir", ACCESS);
	acl_is("dir/dir", DEFAULT);
	TELL(mkfifo("dir/fifo", 0666));
	acl_is("dir/fifo", ACCESS);
	TELL(symlink("x", "dir/link"));
	acl_is("dir/link", ACCESS);
	TELL_FD(open("dir/narrow", O_CREAT | O_WRONLY, 0600));
	acl_is("dir/narrow", ACCESS);
}

static void open_temporary(void)
{
	int fd = MUST(open("dir", O_TMPFILE | O_WRONLY, 0666));
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	TELL(linkat(AT_FDCWD, path, AT_FDCWD, "dir/tmp", AT_SYMLINK_FOLLOW));
	acl_is("dir/tmp", ACCESS);
	close(fd);
}

void run_acls(void)
{
	struct acl acl = acl_for(6, 6), bad;
	char buf[200];

	close(make_file("file", 10));
	MUST(mkdir("dir", 0777));
	MUST(chmod("dir", 0777));
	MUST(symlink("file", "link"));
	acl_is("file", ACCESS);
	acl_is("dir", DEFAULT);
	TELL(acl_set("file", ACCESS, &acl));
	acl_is("file", ACCESS);
	as_user(NOBODY, open_it);
	as_user(SOMEONE, open_it);
	acl = acl_for(6, 4);
	TELL(acl_set("file", ACCESS, &acl));
	as_user(NOBODY, open_it);
	acl = acl_for(0, 7);
	TELL(acl_set("file", ACCESS, &acl));
	as_user(NOBODY, open_it);
	TELL(chmod("file", 0640));
	acl_is("file", ACCESS);
	TELL(removexattr("file", ACCESS));
	acl_is("file", ACCESS);
	TELL(removexattr("file", ACCESS));

	/* An ACL equivalent to the mode: none is stored. */
	memset(&acl, 0, sizeof(acl));
	acl_add(&acl, ACL_USER_OBJ, 7, ACL_UNDEFINED_ID);
	acl_add(&acl, ACL_GROUP_OBJ, 5, ACL_UNDEFINED_ID);
	acl_add(&acl, ACL_OTHER, 1, ACL_UNDEFINED_ID);
	TELL(acl_set("file", ACCESS, &acl));
	acl_is("file", ACCESS);

	TELL(acl_set("file", DEFAULT, &acl));
	TELL(acl_set("link", ACCESS, &acl));
	TELL(lgetxattr("link", ACCESS, buf, sizeof(buf)));
	bad = acl_for(6, 6);
	bad.entries[1].e_tag = 0x77;
	TELL(acl_set("file", ACCESS, &bad));
	bad = acl_for(6, 6);
	bad.head.a_version = 1;
	TELL(acl_set("file", ACCESS, &bad));
	bad = acl_for(6, 6);
	bad.nr = 3;
	TELL(acl_set("file", ACCESS, &bad));
	TELL(setxattr("file", ACCESS, &bad, 3, 0));

	acl = acl_for(7, 7);
	TELL(acl_set("dir", DEFAULT, &acl));
	acl_is("dir", DEFAULT);
	umask(0);
	make_below();
	MUST(unlink("dir/file"));
	MUST(rmdir("dir/dir"));
	MUST(unlink("dir/fifo"));
	MUST(unlink("dir/link"));
	MUST(unlink("dir/narrow"));
	/* With an ACL, its permissions count. */
	umask(077);
	as_user(SOMEONE, make_below);
	open_temporary();
	TELL(removexattr("dir", DEFAULT));
	close(TELL_FD(open("dir/without", O_CREAT | O_WRONLY, 0666)));
	acl_is("dir/without", ACCESS);
}
