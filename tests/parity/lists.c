// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: access control lists beyond setfacl(1): their interplay with chmod and
 * chown, access by descriptor, user namespaces, files created in directories
 * with and without a default ACL.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "parity.h"

#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"
#define MOST	8

struct list {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry entries[MOST];
	size_t nr;
};

static void add(struct list *list, int tag, int perm, uint32_t id)
{
	list->head.a_version = POSIX_ACL_XATTR_VERSION;
	list->entries[list->nr++] = (struct posix_acl_xattr_entry){
		.e_tag = tag, .e_perm = perm, .e_id = id };
}

static size_t length(const struct list *list)
{
	return sizeof(list->head) + list->nr * sizeof(list->entries[0]);
}

/* rwx for the owner; the other permissions as given, limited by @mask. */
static struct list list_of(int user, int group, int mask, int other)
{
	struct list list = { .nr = 0 };

	add(&list, ACL_USER_OBJ, 7, ACL_UNDEFINED_ID);
	add(&list, ACL_USER, user, NOBODY);
	add(&list, ACL_GROUP_OBJ, 5, ACL_UNDEFINED_ID);
	add(&list, ACL_GROUP, group, SOMEONE);
	add(&list, ACL_MASK, mask, ACL_UNDEFINED_ID);
	add(&list, ACL_OTHER, other, ACL_UNDEFINED_ID);
	return list;
}

static long set(const char *name, const char *which, int user, int group,
		int mask, int other)
{
	struct list list = list_of(user, group, mask, other);

	return setxattr(name, which, &list, length(&list), 0);
}

/* Appends to @line an ACL as a call returns it. */
static void add_list(char *line, size_t size, const char *name,
		     const struct list *list, ssize_t len)
{
	size_t used = strlen(line), i;

	used += snprintf(line + used, size - used, "; %s %s", name, len < 0 ?
			 strerrorname_np(errno) ?: "?" : "");
	for (i = 0; sizeof(list->head) + i * sizeof(list->entries[0]) <
	     (size_t)len && len > 0 && used < size; i++)
		used += snprintf(line + used, size - used, " %x:%d:%o",
				 list->entries[i].e_tag,
				 (int)list->entries[i].e_id,
				 list->entries[i].e_perm);
}

static const char *listed(const char *names, ssize_t len, const char *name)
{
	return len > 0 && memmem(names, len, name, strlen(name) + 1) ? name : "";
}

/*
 * Mode, both ACLs, names of attributes; mode and access ACL depend on each
 * other.
 */
static void show(const char *name)
{
	char names[256], path[64], line[1000];
	struct list list;
	struct stat st;
	ssize_t len;
	int fd;

	MUST(stat(name, &st));
	snprintf(line, sizeof(line), "%s: mode %o of %d:%d", name, st.st_mode,
		 st.st_uid, st.st_gid);
	len = getxattr(name, ACCESS, &list, sizeof(list));
	add_list(line, sizeof(line), "access", &list, len);
	len = getxattr(name, DEFAULT, &list, sizeof(list));
	add_list(line, sizeof(line), "default", &list, len);
	/* By descriptor, and by /proc/self/fd. */
	fd = open(name, O_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = getxattr(path, ACCESS, &list, sizeof(list));
	add_list(line, sizeof(line), "/proc/self/fd", &list, len);
	len = fgetxattr(fd, ACCESS, &list, sizeof(list));
	add_list(line, sizeof(line), "O_PATH", &list, len);
	len = getxattr(path, ACCESS, &list, 6);
	add_list(line, sizeof(line), "short buffer", &list, len < 0 ? len : 0);
	close(fd);
	len = listxattr(name, names, sizeof(names));
	note("%s; listed: %s %s", line, listed(names, len, ACCESS),
	     listed(names, len, DEFAULT));
}

/* --- Modes. */

static void modes(void)
{
	static const int all[] = { 0777, 0707, 0070, 0007, 0640, 02755, 04755,
		06711, 0 };
	size_t i;
	int fd;

	TELL(set("file", ACCESS, 6, 4, 6, 1));
	show("file");
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		TELL(chmod("file", all[i]));
		show("file");
	}
	fd = MUST(open("file", O_RDWR));
	TELL(fchmod(fd, 0664));
	show("file");
	/* A mask that denies everything, and an ACL that clears S_ISGID. */
	TELL(fsetxattr(fd, ACCESS, &(struct list){ 0 }, 0, 0));
	show("file");
	TELL(set("file", ACCESS, 7, 7, 0, 0));
	show("file");
	TELL(chmod("file", 02770));
	TELL(set("file", ACCESS, 7, 7, 7, 7));
	show("file");
	TELL(chown("file", SOMEONE, SOMEONE));
	show("file");
	TELL(fremovexattr(fd, ACCESS));
	TELL(fremovexattr(fd, ACCESS));
	show("file");
	TELL(fsetxattr(fd, ACCESS, "x", 1, XATTR_CREATE));
	close(fd);
	TELL(chown("file", 0, 0));
	TELL(set("file", ACCESS, 6, 6, 6, 0));
	TELL(setxattr("file", ACCESS, NULL, 0, XATTR_REPLACE));
	show("file");
	TELL(setxattr("file", ACCESS, NULL, 0, XATTR_REPLACE));
}

/* --- Users other than the owner. */

static void others(void)
{
	TELL(access("file", R_OK));
	TELL(access("file", W_OK));
	TELL(access("file", X_OK));
	TELL_FD(open("file", O_RDONLY));
	TELL_FD(open("file", O_WRONLY));
	TELL(truncate("file", 1));
	TELL(chmod("file", 0777));
	TELL(set("file", ACCESS, 7, 7, 7, 7));
	TELL(removexattr("file", ACCESS));
	TELL(set("dir", DEFAULT, 7, 7, 7, 7));
	TELL(removexattr("dir", DEFAULT));
	TELL_FD(open("dir/file", O_RDONLY));
	TELL(mkdir("dir/of others", 0777));
	show("file");
}

static void enforcement(void)
{
	static const int perms[] = { 0, 2, 4, 6, 7 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(perms); i++) {
		TELL(set("file", ACCESS, perms[i], 0, 7, 0));
		TELL(set("dir", ACCESS, perms[i], 5, 7, 0));
		note("others, with %o", perms[i]);
		as_user(NOBODY, others);
		/* The mask limits the permissions. */
		TELL(set("file", ACCESS, perms[i], 7, 4, 0));
		as_user(NOBODY, others);
		as_user(SOMEONE, others);
		rmdir("dir/of others");
	}
	/* The owner needs no capability. */
	MUST(chown("file", NOBODY, NOBODY));
	as_user(NOBODY, others);
	MUST(chown("file", 0, 0));
	/* A removed ACL must not stay cached. */
	TELL(set("file", ACCESS, 6, 0, 6, 0));
	as_user(NOBODY, others);
	TELL(removexattr("file", ACCESS));
	MUST(chmod("file", 0600));
	as_user(NOBODY, others);
	TELL(set("file", ACCESS, 6, 0, 6, 0));
	as_user(NOBODY, others);
	MUST(removexattr("file", ACCESS));
}

/* --- New files. */

static void born_in(const char *dir)
{
	static const int umasks[] = { 0, 027 };
	static const int modes[] = { 0666, 02777 };
	char name[64], path[64];
	size_t i, j;
	int fd;

	for (i = 0; i < ARRAY_SIZE(umasks); i++) {
		for (j = 0; j < ARRAY_SIZE(modes); j++) {
			umask(umasks[i]);
			note("%s, umask %o, mode %o", dir, umasks[i], modes[j]);
			snprintf(name, sizeof(name), "%s/file", dir);
			fd = TELL_FD(open(name, O_CREAT | O_EXCL | O_WRONLY,
					  modes[j]));
			close(fd);
			show(name);
			MUST(unlink(name));
			snprintf(name, sizeof(name), "%s/dir", dir);
			TELL(mkdir(name, modes[j]));
			show(name);
			MUST(rmdir(name));
			snprintf(name, sizeof(name), "%s/node", dir);
			TELL(mknod(name, S_IFREG | modes[j], 0));
			show(name);
			MUST(unlink(name));
			TELL(mknod(name, S_IFIFO | modes[j], 0));
			show(name);
			MUST(unlink(name));
			fd = TELL_FD(open(dir, O_TMPFILE | O_WRONLY, modes[j]));
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			TELL(linkat(AT_FDCWD, path, AT_FDCWD, name,
				    AT_SYMLINK_FOLLOW));
			close(fd);
			show(name);
			MUST(unlink(name));
		}
	}
	umask(022);
}

static void births(void)
{
	MUST(mkdir("plain", 0755));
	born_in("plain");
	MUST(mkdir("heir", 0755));
	TELL(set("heir", DEFAULT, 7, 5, 7, 0));
	show("heir");
	born_in("heir");
	TELL(mkdir("heir/sub", 0755));
	born_in("heir/sub");
	/* An ACL equivalent to the mode: nothing but the mode is inherited. */
	TELL(removexattr("heir", DEFAULT));
	show("heir");
	born_in("heir");
	TELL(chmod("heir", 02775));
	TELL(set("heir", DEFAULT, 0, 0, 0, 7));
	born_in("heir");
	TELL(set("file", DEFAULT, 7, 7, 7, 7));
	MUST(mkfifo("fifo", 0600));
	TELL(set("fifo", ACCESS, 7, 7, 7, 7));
	TELL(set("fifo", DEFAULT, 7, 7, 7, 7));
	show("fifo");
}

/* --- A user namespace: ids are mapped, unmapped ones are refused. */

static int ready[2], done[2];

static void in_namespace(void)
{
	char c;

	MUST(unshare(CLONE_NEWUSER));
	MUST(write(ready[1], "x", 1));
	if (read(done[0], &c, 1) != 1)
		_exit(1);
	MUST(setresgid(0, 0, 0));
	MUST(setresuid(0, 0, 0));
	show("mapped");
	show("file");
	TELL(set("mapped", ACCESS, 6, 4, 7, 0));
	show("mapped");
	TELL(set("file", ACCESS, 6, 4, 7, 0));
	TELL(chmod("mapped", 0755));
	TELL(removexattr("mapped", ACCESS));
	show("mapped");
	TELL(set("mapped dir", DEFAULT, 7, 5, 7, 0));
	born_in("mapped dir");
}

static void write_map(pid_t pid, const char *which, const char *map)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	fd = MUST(open(path, O_WRONLY));
	MUST(write(fd, map, strlen(map)));
	close(fd);
}

static void namespaces(void)
{
	/* 0 is 1000 outside; NOBODY is not mapped. */
	static const char map[] = "0 1000 1000\n65534 5000 1\n";
	int status;
	pid_t pid;
	char c;

	MUST(chmod(".", 0777));
	close(make_file("mapped", 10));
	MUST(mkdir("mapped dir", 0777));
	MUST(chown("mapped", 1000, 1000));
	MUST(chown("mapped dir", 1000, 1000));
	TELL(set("mapped", ACCESS, 6, 4, 7, 0));
	TELL(set("file", ACCESS, 6, 4, 7, 0));
	MUST(pipe(ready));
	MUST(pipe(done));
	pid = MUST(fork());
	if (!pid) {
		in_namespace();
		_exit(0);
	}
	MUST(read(ready[0], &c, 1));
	write_map(pid, "uid_map", map);
	write_map(pid, "gid_map", map);
	MUST(write(done[1], "x", 1));
	MUST(waitpid(pid, &status, 0));
	note("the namespace: %#x", status);
	show("mapped");
	show("mapped dir");
}

void run_lists(void)
{
	close(make_file("file", 10));
	MUST(mkdir("dir", 0700));
	close(make_file("dir/file", 10));
	modes();
	enforcement();
	births();
	namespaces();
}
