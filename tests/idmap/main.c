// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idmapped mounts of the stack: owners, permissions, ACLs, capabilities and
 * switches through two mounts with different idmaps and one without, and in a
 * container with a user namespace. Each step runs on the lower filesystem alone
 * first; asserts that the stack gives the same result.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "idmap.h"

#define NOTES	(256 * KIB)

/* Shared with children. */
struct notes {
	size_t len;
	char text[NOTES];
};

static struct notes *notes;

void note(const char *fmt, ...)
{
	size_t room = NOTES - notes->len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(notes->text + notes->len, room, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n + 2 > room)
		dxs_bail("no room for notes");
	notes->len += n;
	notes->text[notes->len++] = '\n';
	notes->text[notes->len] = 0;
}

void note_call(const char *what, long ret)
{
	int err = errno;

	note("%d/%d: %s: %s", geteuid(), getegid(), what,
	     ret == -1 ? strerrorname_np(err) : "ok");
}

int open_close(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags, mode);

	return fd < 0 ? -1 : close(fd);
}

void note_stat(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		note("%s: %s", path, strerrorname_np(errno));
	else
		note("%s: %06o %u:%u", path, st.st_mode, st.st_uid, st.st_gid);
}

/* Waits for a child, which must exit with status 0. */
static void await(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		dxs_bail("a child has ended with %#x, after: %s", status,
			 notes->text + notes->len -
			 (notes->len < 200 ? notes->len : 200));
}

void done(void)
{
	_exit(0);
}

bool as(uid_t uid, gid_t gid, gid_t more)
{
	pid_t pid;

	fflush(stdout);
	pid = MUST(fork());
	if (pid) {
		await(pid);
		return false;
	}
	MUST(setgroups(!!more, &more));
	MUST(setresgid(gid, gid, gid));
	MUST(setresuid(uid, uid, uid));
	return true;
}

void make_file(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	int fd;

	/* A file that could not be removed is left to the notes. */
	unlink(path);
	fd = MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
	MUST(write(fd, "x", 1));
	MUST(fchown(fd, uid, gid));
	MUST(fchmod(fd, mode));
	close(fd);
}

void copy_file(const char *from, const char *to)
{
	static char buf[64 * KIB];
	int in = MUST(open(from, O_RDONLY | O_CLOEXEC));
	int out = MUST(open(to, O_WRONLY | O_CREAT | O_EXCL, 0755));
	ssize_t n;

	while ((n = MUST(read(in, buf, sizeof(buf)))) > 0)
		MUST(write(out, buf, n));
	close(out);
	close(in);
}

static void map_ids(pid_t pid, const char *which, const char *map)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
	fd = MUST(open(path, O_WRONLY | O_CLOEXEC));
	MUST(write(fd, map, strlen(map)));
	close(fd);
}

/*
 * Forks a child that enters a user namespace with @map, and continues when @go
 * is closed.
 */
static pid_t fork_mapped(int unshared, const char *map, int *go)
{
	int ready[2], wait[2];
	pid_t pid;
	char c;

	fflush(stdout);
	MUST(pipe2(ready, O_CLOEXEC));
	MUST(pipe2(wait, O_CLOEXEC));
	pid = MUST(fork());
	if (!pid) {
		close(wait[1]);
		MUST(unshare(unshared));
		MUST(write(ready[1], "", 1));
		MUST(read(wait[0], &c, 1));
		return 0;
	}
	close(wait[0]);
	MUST(read(ready[0], &c, 1));
	close(ready[0]);
	close(ready[1]);
	map_ids(pid, "uid_map", map);
	map_ids(pid, "gid_map", map);
	*go = wait[1];
	return pid;
}

bool as_container(uid_t first)
{
	char map[64];
	pid_t pid;
	int go;

	snprintf(map, sizeof(map), "0 %u 10000", first);
	pid = fork_mapped(CLONE_NEWUSER | CLONE_NEWNS, map, &go);
	if (pid) {
		close(go);
		await(pid);
		return false;
	}
	MUST(setgroups(0, NULL));
	MUST(setresgid(0, 0, 0));
	MUST(setresuid(0, 0, 0));
	return true;
}

/*
 * Mounts the filesystem on @from also on @to, with an idmap. Return: an errno.
 */
static int idmap(const char *from, const char *to, const char *map)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	char path[64];
	int tree, go, err;
	pid_t pid;

	pid = fork_mapped(CLONE_NEWUSER, map, &go);
	if (!pid)
		done();
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	attr.userns_fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	tree = MUST(open_tree(AT_FDCWD, from, OPEN_TREE_CLONE));
	err = ERR(mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	if (!err)
		MUST(move_mount(tree, "", AT_FDCWD, to,
				MOVE_MOUNT_F_EMPTY_PATH));
	close(tree);
	close(attr.userns_fd);
	close(go);
	await(pid);
	return err;
}

/* Protection of files in sticky directories, and its previous settings. */
static struct {
	const char *path;
	char value, was;
} sysctls[] = {
	{ .path = "/proc/sys/fs/protected_hardlinks", .value = '1' },
	{ .path = "/proc/sys/fs/protected_symlinks", .value = '1' },
	{ .path = "/proc/sys/fs/protected_regular", .value = '2' },
};

static void set_sysctls(bool back)
{
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		fd = MUST(open(sysctls[i].path, O_RDWR | O_CLOEXEC));
		if (!back)
			MUST(pread(fd, &sysctls[i].was, 1, 0));
		MUST(pwrite(fd, back ? &sysctls[i].was : &sysctls[i].value, 1,
			    0));
		close(fd);
	}
}

/* All steps that are compared, on both sides. */
static void all_steps(void)
{
	test_owners();
	test_changes();
	test_sticky();
	test_acls();
	test_attributes();
	test_capabilities();
	test_flags();
	test_memory();
	test_container();
}

/* Return: the notes, to be freed; NULL if idmapped mounts are not supported. */
static char *side(const char *where, void (*mount_it)(void),
		  void (*umount_it)(void))
{
	char *text = NULL;

	dxs_mkfs(NULL);
	mount_it();
	MUST(mount(where, "plain", NULL, MS_BIND, NULL));
	MUST(chmod("plain", 0777));
	notes->len = 0;
	if (dxs_errno(0, idmap("plain", "a", "0 100000 10000"),
		      "%s: idmapped mount", where) &&
	    dxs_errno(0, idmap("plain", "b", "1000 201000 1000"),
		      "%s: second idmapped mount", where)) {
		all_steps();
		text = strdup(notes->text);
		if (!strcmp(where, "stack")) {
			test_switches();
			test_judged();
		}
		MUST(umount("b"));
		MUST(umount("a"));
	}
	MUST(umount("plain"));
	umount_it();
	dxs_fsck();
	return text;
}

static void compare(char *native, char *stack)
{
	char *end_n, *end_s, *n = native, *s = stack;

	for (; *n || *s; n = end_n, s = end_s) {
		end_n = strchrnul(n, '\n');
		end_s = strchrnul(s, '\n');
		if (*end_n)
			*end_n++ = 0;
		if (*end_s)
			*end_s++ = 0;
		dxs_str(n, s, "%s", n);
	}
}

int main(int argc, char **argv)
{
	char *native, *stack;

	if (argc == 2 && !strcmp(argv[1], "--capabilities"))
		return tell_capabilities();

	dxs_begin();
	notes = MUST(mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	MUST(mkdir("plain", 0755));
	MUST(mkdir("a", 0755));
	MUST(mkdir("b", 0755));
	set_sysctls(false);
	umask(0);

	native = side("lower", dxs_mount_lower, dxs_umount_lower);
	stack = side("stack", dxs_mount_stack, dxs_umount_stack);
	if (native && stack)
		compare(native, stack);
	free(native);
	free(stack);
	set_sysctls(true);
	return dxs_done();
}
