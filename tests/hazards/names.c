// SPDX-License-Identifier: GPL-2.0-only
/*
 * H81: a name changes on the lower filesystem while a call of the stack waits
 * for the lock of the lower directory. The stack must not use the lower dentry
 * that it had before the wait. The scenes change the name in every way, then
 * assert the errno of the call and that stack and lower agree on the name.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hazards.h"

#define NOBODY	65534

/* --- A thread that waits for a directory lock. */

static void *wait_in(void *arg)
{
	struct hazard_waiter *w = arg;

	w->tid = gettid();
	w->err = ERR(w->call(w->from, w->to));
	return NULL;
}

static void start(struct hazard_waiter *w)
{
	w->tid = 0;
	if (pthread_create(&w->thread, NULL, wait_in, w))
		dxs_bail("cannot create a thread");
}

void hazard_wait_in(struct hazard_waiter *w)
{
	struct dxs_watch begin = dxs_watch();

	start(w);
	while (!w->tid || !hazard_waits(w->tid)) {
		dxs_sleep_ms(10);
		if (dxs_watched(&begin) > 60)
			dxs_bail("%s to %s does not block", w->from, w->to);
	}
}

int hazard_waited(struct hazard_waiter *w)
{
	pthread_join(w->thread, NULL);
	return w->err;
}

static int list_into(const char *dir, const char *page)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	long len = syscall(SYS_getdents64, fd, page, PAGE);

	close(fd);
	return len < 0 ? -1 : 0;
}

bool hazard_lock(struct hazard_locked *l, const char *dir)
{
	l->uffd = hazard_missing_page(&l->page);
	if (l->uffd < 0)
		return false;
	l->reader = (struct hazard_waiter){
		.call = list_into,
		.from = dir,
		.to = (const char *)l->page,
	};
	start(&l->reader);
	/* It holds the lock once its buffer faults. */
	dxs_sleep_ms(500);
	return true;
}

void hazard_unlock(struct hazard_locked *l)
{
	hazard_fill_page(l->uffd, l->page);
	hazard_waited(&l->reader);
	close(l->uffd);
}

/* --- Names. */

void hazard_create(const char *path)
{
	close(MUST(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644)));
}

ino_t hazard_inode(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

void hazard_agree(const char *name, const char *what)
{
	char stack[64], lower[64];

	snprintf(stack, sizeof(stack), "stack/%s", name);
	snprintf(lower, sizeof(lower), "lower/%s", name);
	dxs_is(hazard_inode(lower), hazard_inode(stack), "%s: %s", what, name);
}

/* Counts the entries with this name in a directory. */
static int times_in(const char *path, const char *name)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	int times = 0;

	if (!dir)
		dxs_bail("%s: %m", path);
	while ((d = readdir(dir)))
		times += !strcmp(d->d_name, name);
	closedir(dir);
	return times;
}

/* --- Calls, each with two names. */

/* Opens the name; ENOTUNIQ if the name now has another inode. */
static int open_name(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);
	char link[64], seen[4096];
	ssize_t len;

	if (fd < 0)
		return -1;
	/* A lookup drops a dentry that is stale. */
	hazard_inode(path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = MUST(readlink(link, seen, sizeof(seen) - 1));
	seen[len] = 0;
	close(fd);
	if (!strstr(seen, "(deleted)"))
		return 0;
	errno = ENOTUNIQ;
	return -1;
}

static int make_new(const char *path, const char *unused)
{
	(void)unused;
	return open_name(path, O_CREAT | O_EXCL | O_RDWR);
}

static int make_or_open(const char *path, const char *unused)
{
	(void)unused;
	return open_name(path, O_CREAT | O_RDWR);
}

static int make_dir(const char *path, const char *unused)
{
	(void)unused;
	return mkdir(path, 0755);
}

static int make_as_nobody(const char *path, const char *unused)
{
	(void)unused;
	/* Credentials of this thread alone. */
	MUST(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY));
	return open_name(path, O_CREAT | O_EXCL | O_RDWR);
}

static int remove_name(const char *path, const char *unused)
{
	(void)unused;
	return unlink(path);
}

static int remove_dir(const char *path, const char *unused)
{
	(void)unused;
	return rmdir(path);
}

static int close_to_others(const char *path, const char *unused)
{
	(void)unused;
	return chmod(path, 0700);
}

/* --- Scenes. */

enum { BELOW_MAX = 2 };

/**
 * struct scene - changes on the lower fs while a call of the stack waits
 * @what: name for the report
 * @target: stack/to/name exists and the stack has looked it up; else absent
 * @below: calls on the lower fs; one without @call ends the list
 * @ours: the call on the stack, made after them
 * @expected: errno of @ours
 * @there: stack/to/name exists afterwards
 */
struct scene {
	const char *what;
	bool target;
	struct hazard_waiter below[BELOW_MAX];
	struct hazard_waiter ours;
	int expected;
	bool there;
};

#define REPLACE	{ .call = rename, .from = "lower/to/x", .to = "lower/to/name" }
#define MOVE_ON	{ .call = rename, .from = "lower/to/name", .to = "lower/to/y" }

static struct scene scenes[] = {
	{ .what = "file moved to the name; O_EXCL", .below = { REPLACE },
	  .ours = { .call = make_new, .from = "stack/to/name" },
	  .expected = EEXIST, .there = true },
	{ .what = "file moved to the name; O_CREAT", .below = { REPLACE },
	  .ours = { .call = make_or_open, .from = "stack/to/name" },
	  .there = true },
	{ .what = "file moved to the name; mkdir", .below = { REPLACE },
	  .ours = { .call = make_dir, .from = "stack/to/name" },
	  .expected = EEXIST, .there = true },
	{ .what = "file moved to the name; link", .below = { REPLACE },
	  .ours = { .call = link, .from = "stack/from/file",
		    .to = "stack/to/name" },
	  .expected = EEXIST, .there = true },
	{ .what = "file moved to the name and away", .below = { REPLACE, MOVE_ON },
	  .ours = { .call = make_new, .from = "stack/to/name" },
	  .there = true },
	{ .what = "file moved to the name; rename", .below = { REPLACE },
	  .ours = { .call = rename, .from = "stack/to/file",
		    .to = "stack/to/name" },
	  .there = true },
	{ .what = "file moved to the name; rename from elsewhere",
	  .below = { REPLACE },
	  .ours = { .call = rename, .from = "stack/from/file",
		    .to = "stack/to/name" },
	  .there = true },
	{ .what = "file moved to the name and away; rename",
	  .below = { REPLACE, MOVE_ON },
	  .ours = { .call = rename, .from = "stack/to/file",
		    .to = "stack/to/name" },
	  .there = true },
	{ .what = "name replaced; rename", .target = true, .below = { REPLACE },
	  .ours = { .call = rename, .from = "stack/to/file",
		    .to = "stack/to/name" },
	  .there = true },
	{ .what = "name replaced; unlink", .target = true, .below = { REPLACE },
	  .ours = { .call = remove_name, .from = "stack/to/name" } },
	{ .what = "name removed; unlink", .target = true,
	  .below = { { .call = remove_name, .from = "lower/to/name" } },
	  .ours = { .call = remove_name, .from = "stack/to/name" },
	  .expected = ENOENT },
	{ .what = "directory made private",
	  .below = { { .call = close_to_others, .from = "lower/to" } },
	  .ours = { .call = make_as_nobody, .from = "stack/to/name" },
	  .expected = EACCES },
};

static void play(struct scene *scene)
{
	struct hazard_locked locked;
	int i;

	MUST(mkdir("lower/from", 0755));
	MUST(mkdir("lower/to", 0755));
	MUST(chmod("lower/to", 0777));
	hazard_create("lower/from/file");
	hazard_create("lower/to/file");
	hazard_create("lower/to/x");
	if (scene->target)
		hazard_create("lower/to/name");
	hazard_inode("stack/from/file");
	hazard_inode("stack/to/file");
	hazard_inode("stack/to/name");
	MUST(hazard_lock(&locked, "lower/to") ? 0 : -1);
	for (i = 0; i < BELOW_MAX && scene->below[i].call; i++)
		hazard_wait_in(&scene->below[i]);
	hazard_wait_in(&scene->ours);
	hazard_unlock(&locked);
	while (i--)
		dxs_errno(0, hazard_waited(&scene->below[i]),
			  "%s: below", scene->what);
	dxs_errno(scene->expected, hazard_waited(&scene->ours), "%s",
		  scene->what);
	hazard_agree("to/name", scene->what);
	dxs_is(scene->there, times_in("lower/to", "name"),
	       "%s: number of entries with the name", scene->what);
	/* As root, with their contents. */
	MUST(DXS_RUN("rm", "-r", "lower/from", "lower/to") ? -1 : 0);
	hazard_inode("stack/from");
	hazard_inode("stack/to");
}

/* The parent directory itself is removed. */
static void without_directory(void)
{
	struct hazard_waiter gone = { .call = remove_dir, .from = "lower/to" };
	struct hazard_waiter ours = { .call = make_new,
				      .from = "stack/to/name" };
	struct hazard_locked locked;

	MUST(mkdir("lower/to", 0755));
	hazard_inode("stack/to/name");
	MUST(hazard_lock(&locked, "lower/to") ? 0 : -1);
	hazard_wait_in(&gone);
	hazard_wait_in(&ours);
	hazard_unlock(&locked);
	dxs_errno(0, hazard_waited(&gone), "parent directory is removed");
	dxs_errno(ENOENT, hazard_waited(&ours),
		  "create in a removed directory");
	hazard_agree("to", "create in a removed directory");
}

/*
 * A name that the stack unlinks is recreated on the lower fs before the lower
 * dentry turns negative. The lower fs then has two dentries of this name, one
 * of them negative.
 */
static void made_after_removal(void)
{
	struct hazard_waiter gone = { .call = remove_name,
				      .from = "stack/to/name" };
	struct hazard_waiter again = { .call = make_new,
				       .from = "lower/to/name" };
	struct hazard_locked locked;

	MUST(mkdir("lower/to", 0755));
	hazard_create("stack/to/name");
	MUST(hazard_lock(&locked, "lower/to") ? 0 : -1);
	hazard_wait_in(&gone);
	hazard_wait_in(&again);
	hazard_unlock(&locked);
	dxs_errno(0, hazard_waited(&gone), "removed");
	dxs_errno(0, hazard_waited(&again),
		  "unlinked, recreated on the lower fs");
	dxs_ok(hazard_inode("lower/to/name"),
	       "unlinked, recreated on the lower fs: exists");
	hazard_agree("to/name", "unlinked, recreated on the lower fs");
	MUST(unlink("lower/to/name"));
	hazard_agree("to/name", "... then removed on the lower fs");
	hazard_create("stack/to/name");
	hazard_agree("to/name", "... then created again");
	MUST(unlink("stack/to/name"));
	MUST(rmdir("lower/to"));
}

/* A lower file that is open keeps the lower dentry in use. */
static void open_below(void)
{
	int fd, other;
	struct stat st;
	char x = 0;

	hazard_create("stack/open");
	fd = MUST(open("lower/open", O_RDWR | O_CLOEXEC));
	MUST(unlink("stack/open"));
	dxs_pwrite(fd, "x", 1, 0);
	MUST(fstat(fd, &st));
	dxs_is(0, st.st_nlink,
	       "unlinked while open on the lower fs: link count");
	other = MUST(open("stack/open", O_CREAT | O_EXCL | O_RDWR, 0644));
	hazard_agree("open", "unlinked while open on the lower fs, recreated");
	dxs_is(0, pread(other, &x, 1, 0), "... it is a new file");
	dxs_pread(fd, &x, 1, 0);
	dxs_is('x', x, "... the old file keeps its byte");
	close(other);
	close(fd);
	MUST(unlink("stack/open"));
	hazard_agree("open", "... then removed again");
}

/* A name that only the stack creates and removes keeps its lower dentry. */
static void by_turns(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		hazard_create("stack/turn");
		hazard_agree("turn", "created by the stack");
		MUST(unlink("stack/turn"));
		hazard_agree("turn", "removed by the stack");
		hazard_create("lower/turn");
		hazard_agree("turn", "created on the lower fs");
		MUST(unlink("lower/turn"));
		hazard_agree("turn", "removed on the lower fs");
		MUST(mkdir("stack/turn", 0755));
		hazard_agree("turn", "a directory");
		MUST(rmdir("stack/turn"));
		hazard_agree("turn", "removed");
	}
}

void h81_changed_meanwhile(void)
{
	uint8_t *page;
	int uffd = hazard_missing_page(&page);
	size_t i;

	dxs_mount_lower();
	by_turns();
	open_below();
	if (uffd < 0) {
		dxs_skip("no userfaultfd", "changes while a call waits");
	} else {
		close(uffd);
		for (i = 0; i < ARRAY_SIZE(scenes); i++)
			play(&scenes[i]);
		made_after_removal();
		without_directory();
	}
	dxs_umount_lower();
}
