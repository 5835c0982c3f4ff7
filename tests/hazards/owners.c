// SPDX-License-Identifier: GPL-2.0
/*
 * Hazards of a lower filesystem that others have as well: a second mount of the
 * stack, names that change below it, a root that others write to; and what is
 * made while others have it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/magic.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hazards.h"

#define NOBODY	65534

static dev_t device_of(const char *path)
{
	struct stat st;

	MUST(stat(path, &st));
	return st.st_dev;
}

static int mount_second(const char *source, const char *options)
{
	return dxs_mount(source, "second", "daxstack", options);
}

/* --- H50: one superblock for one lower filesystem. */

/* Two mounts, of which both descriptors are of one file. */
static void one_lock(int first, int second, const char *name)
{
	MUST(flock(first, LOCK_EX));
	dxs_errno(EWOULDBLOCK, ERR(flock(second, LOCK_EX | LOCK_NB)),
		  "%s: the lock is taken in the other", name);
	MUST(flock(first, LOCK_UN));
	dxs_errno(0, ERR(flock(second, LOCK_EX | LOCK_NB)),
		  "%s: it can be had when it is free", name);
}

static void second_of_device(void)
{
	int fd = hazard_file("stack/file", PAGE, DAXSTACK_CACHED), again;

	if (!dxs_errno(0, mount_second(dxs_pmem, "rw"),
		       "the device once more"))
		return;
	dxs_is(device_of("stack"), device_of("second"),
	       "once more: the same superblock");
	again = MUST(open("second/file", O_RDWR));
	one_lock(fd, again, "once more");
	dxs_to(again, DAXSTACK_DAX, "once more: a switch");
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)),
		"once more: is seen in the other");
	close(again);
	MUST(umount("second"));
	hazard_bytes(fd, PAGE, "once more: unmounted there");
	close(fd);
}

static void second_with_options(void)
{
	dxs_errno(EBUSY, mount_second(dxs_pmem, "ro"),
		  "once more, read-only");
	dxs_errno(EBUSY, mount_second(dxs_pmem, "switch=never"),
		  "once more, another switch=");
	dxs_errno(EBUSY, mount_second(dxs_pmem, "inherit=move"),
		  "once more, another inherit=");
	dxs_errno(EBUSY, mount_second(dxs_pmem, "dax=always"),
		  "once more, another dax=");
	dxs_errno(EINVAL, mount_second(dxs_pmem, dxs_on_xfs() ? "lower=ext4" :
								"lower=xfs"),
		  "once more, another lower=");
	dxs_errno(0, mount_second(dxs_pmem, "switch=live,inherit=create"),
		  "once more, the options that it has");
	dxs_is(device_of("stack"), device_of("second"),
	       "the options that it has: the same superblock");
	MUST(umount("second"));
}

/* What is detached, and in use, is still the one. */
static void second_of_detached(void)
{
	int fd = MUST(open("stack/file", O_RDWR)), again;
	struct stat st;

	MUST(umount2("stack", MNT_DETACH));
	MUST(fstat(fd, &st));
	dxs_errno(0, mount_second(dxs_pmem, "rw"), "once more, detached");
	dxs_is(st.st_dev, device_of("second"),
	       "detached: the same superblock");
	again = MUST(open("second/file", O_RDWR));
	one_lock(fd, again, "detached");
	close(again);
	close(fd);
	MUST(umount("second"));
	dxs_mount_stack();
}

/* Two at once: one of them makes it, the other finds it half made. */
static void both_at_once(void)
{
	int i, status, wrong = 0;
	pid_t pid;

	dxs_umount_stack();
	for (i = 0; i < 10; i++) {
		pid = MUST(fork());
		if (!pid)
			_exit(mount_second(dxs_pmem, "rw"));
		dxs_mount_stack();
		MUST(waitpid(pid, &status, 0));
		wrong += status || device_of("stack") != device_of("second");
		/* The last of them goes while the next one comes. */
		pid = MUST(fork());
		if (!pid)
			_exit(umount("second"));
		dxs_umount_stack();
		MUST(waitpid(pid, &status, 0));
		wrong += status;
	}
	dxs_is(0, wrong, "mounted and unmounted twice at once: one superblock");
	dxs_mount_stack();
}

static void second_of_directories(void)
{
	MUST(mkdir("stack/a", 0755));
	MUST(mkdir("stack/b", 0755));
	close(MUST(open("stack/a/file", O_CREAT | O_WRONLY, 0644)));
	MUST(link("stack/a/file", "stack/b/file"));
	dxs_umount_stack();
	dxs_mount_lower();
	dxs_errno(0, dxs_mount("lower/a", "stack", "daxstack", "rw"),
		  "a directory");
	dxs_errno(EBUSY, mount_second("lower/b", "rw"),
		  "a directory beside it: shares hard links");
	dxs_errno(EBUSY, mount_second("lower", "rw"),
		  "the directory above it");
	dxs_errno(EBUSY, mount_second(dxs_pmem, "rw"), "its device");
	dxs_errno(0, mount_second("lower/a", "rw"), "the directory once more");
	dxs_is(device_of("stack"), device_of("second"),
	       "the directory once more: the same superblock");
	MUST(umount("second"));
	dxs_umount_stack();

	dxs_mount_stack();
	dxs_errno(0, mount_second("lower", "rw"),
		  "the device, and the root where it is mounted as well");
	dxs_is(device_of("stack"), device_of("second"),
	       "the device, and the root: the same superblock");
	MUST(umount("second"));
	dxs_umount_lower();
}

void h50_second_mount(void)
{
	MUST(mkdir("second", 0755));
	second_of_device();
	second_with_options();
	second_of_detached();
	second_of_directories();
	both_at_once();
	MUST(rmdir("second"));
}

/* --- H51: names change below. */

static void make(const char *path)
{
	close(MUST(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644)));
}

static ino_t number_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/* The lower filesystem changes a name that the stack knows; both agree. */
static void agree(const char *name, const char *what)
{
	char stack[64], lower[64];

	snprintf(stack, sizeof(stack), "stack/%s", name);
	snprintf(lower, sizeof(lower), "lower/%s", name);
	dxs_is(number_of(lower), number_of(stack), "%s: %s", what, name);
}

static void single_names(void)
{
	int fd;

	number_of("stack/new");
	number_of("stack/opened");
	number_of("stack/excl");
	make("stack/gone");
	make("stack/old");
	make("stack/replaced");
	make("stack/target");
	make("stack/unlinked");
	make("stack/renamed");

	make("lower/new");
	agree("new", "made below");
	MUST(unlink("lower/gone"));
	agree("gone", "removed below");
	MUST(rename("lower/new", "lower/replaced"));
	agree("replaced", "replaced below");
	agree("new", "moved away below");
	MUST(rename("lower/old", "lower/moved"));
	agree("old", "moved below");
	agree("moved", "moved below");

	make("lower/excl");
	dxs_errno(EEXIST, ERR(open("stack/excl", O_CREAT | O_EXCL, 0644)),
		  "O_EXCL of a name made below");
	make("lower/opened");
	fd = open("stack/opened", O_CREAT | O_RDWR, 0644);
	dxs_ok(fd >= 0, "O_CREAT of a name made below");
	close(fd);
	MUST(unlink("lower/unlinked"));
	dxs_errno(ENOENT, ERR(unlink("stack/unlinked")),
		  "unlink of a name removed below");
	MUST(rename("lower/renamed", "lower/other"));
	dxs_errno(ENOENT, ERR(rename("stack/renamed", "stack/renamed2")),
		  "rename of a name moved below");
	MUST(unlink("lower/target"));
	dxs_errno(0, ERR(rename("stack/other", "stack/target")),
		  "rename to a name removed below");
	agree("target", "and then");
	agree("other", "and then");
}

/* An open directory is walked into by what was moved into it, and no more. */
static void directories(void)
{
	pid_t pid;

	MUST(mkdir("stack/public", 0755));
	MUST(mkdir("stack/public/sub", 0755));
	MUST(mkdir("stack/private", 0700));
	make("stack/public/sub/file");
	pid = MUST(fork());
	if (!pid) {
		MUST(setresuid(NOBODY, NOBODY, NOBODY));
		MUST(access("stack/public/sub/file", R_OK));
		/* As root would, below. */
		MUST(access("stack/public/sub", X_OK));
		_exit(0);
	}
	MUST(waitpid(pid, NULL, 0));
	MUST(rename("lower/public/sub", "lower/private/sub"));
	MUST(seteuid(NOBODY));
	dxs_errno(ENOENT, ERR(open("stack/public/sub/file", O_RDONLY)),
		  "moved below into a private directory: by its old path");
	dxs_errno(EACCES, ERR(open("stack/private/sub/file", O_RDONLY)),
		  "moved below into a private directory: by its new path");
	MUST(seteuid(0));
	agree("private/sub/file", "moved below into a private directory");
	agree("public/sub", "moved below into a private directory");
}

static bool is_tmpfs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == TMPFS_MAGIC;
}

/* What is mounted in a directory goes where the directory goes. */
static void mounts(void)
{
	MUST(mkdir("stack/dir", 0755));
	MUST(mkdir("stack/dir/over", 0755));
	MUST(mkdir("stack/over", 0755));
	MUST(mount("none", "stack/dir/over", "tmpfs", 0, NULL));
	MUST(mount("none", "stack/over", "tmpfs", 0, NULL));
	MUST(rename("lower/dir", "lower/dir2"));
	dxs_errno(ENOENT, ERR(access("stack/dir", F_OK)),
		  "a mount inside, moved below: not at the old place");
	dxs_ok(is_tmpfs("stack/dir2/over"),
	       "a mount inside, moved below: at the new place");
	if (is_tmpfs("stack/dir2/over"))
		MUST(umount("stack/dir2/over"));
	/* As anywhere, when it is done in another mount namespace. */
	MUST(rmdir("lower/over"));
	dxs_errno(ENOENT, ERR(access("stack/over", F_OK)),
		  "a mount on a directory, removed below: is gone");
}

struct looker {
	const char *path;
	struct hazard_thread thread;
};

static void look(void *arg)
{
	struct looker *l = arg;

	number_of(l->path);
}

/*
 * Nothing changes below, but through the stack: whoever looks meanwhile must
 * not take that for it, and so unmount what is inside, or unhash the name.
 */
#define ROUNDS	300

static void changed_by_us(void)
{
	struct looker l[2] = { { .path = "stack/this/over/x" },
			       { .path = "stack/made" } };
	char link[64], name[4096];
	int i, fd, deleted = 0;
	ssize_t len;

	MUST(mkdir("stack/this", 0755));
	MUST(mkdir("stack/this/over", 0755));
	MUST(mount("none", "stack/this/over", "tmpfs", 0, NULL));
	for (i = 0; i < 2; i++)
		hazard_start(&l[i].thread, look, &l[i]);
	for (i = 0; i < ROUNDS || l[0].thread.steps < ROUNDS; i++) {
		MUST(rename("stack/this", "stack/that"));
		MUST(rename("stack/that", "stack/this"));
		fd = MUST(open("stack/made", O_CREAT | O_EXCL | O_RDWR, 0644));
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		len = MUST(readlink(link, name, sizeof(name) - 1));
		name[len] = 0;
		deleted += !!strstr(name, "(deleted)");
		close(fd);
		MUST(unlink("stack/made"));
	}
	for (i = 0; i < 2; i++)
		hazard_stop(&l[i].thread);
	dxs_is(0, deleted, "looked at while it is made: has its name");
	dxs_ok(is_tmpfs("stack/this/over"),
	       "looked at while it is renamed: the mount inside is there");
	umount("stack/this/over");
}

struct waiter {
	int (*call)(const char *from, const char *to);
	const char *from;
	const char *to;
	int err;
	atomic_int tid;
	pthread_t thread;
};

static void *wait_in(void *arg)
{
	struct waiter *w = arg;

	w->tid = gettid();
	w->err = ERR(w->call(w->from, w->to));
	return NULL;
}

/* Starts it, and returns when it waits for a lock. */
static void start_waiter(struct waiter *w)
{
	struct dxs_watch begin = dxs_watch();

	if (pthread_create(&w->thread, NULL, wait_in, w))
		dxs_bail("cannot make a thread");
	while (!w->tid || !hazard_waits(w->tid)) {
		dxs_sleep_ms(10);
		if (dxs_watched(&begin) > 60)
			dxs_bail("%s to %s does not wait", w->from, w->to);
	}
}

static int list_into(const char *dir, const char *page)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	long len = syscall(SYS_getdents64, fd, page, PAGE);

	close(fd);
	return len < 0 ? -1 : 0;
}

/*
 * The target of a rename becomes another name of the same file below, while the
 * rename waits for the lower directory: the lower filesystem then does nothing,
 * and the stack's dentry must not move.
 */
static void linked_meanwhile(void)
{
	struct waiter rename_it = { .call = rename, .from = "stack/from/file",
				    .to = "stack/to/name" };
	struct waiter link_it = { .call = link, .from = "lower/from/file",
				  .to = "lower/to/name" };
	struct waiter list = { .call = list_into, .from = "lower/to" };
	uint8_t *page;
	int uffd = hazard_missing_page(&page);

	if (uffd < 0) {
		dxs_skip("no userfaultfd", "linked while a rename waits");
		return;
	}
	MUST(mkdir("lower/from", 0755));
	MUST(mkdir("lower/to", 0755));
	make("lower/from/file");
	number_of("stack/to/name");
	number_of("stack/from/file");
	list.to = (const char *)page;
	if (pthread_create(&list.thread, NULL, wait_in, &list))
		dxs_bail("cannot make a thread");
	/* It has the lower directory's lock when its page is missing. */
	dxs_sleep_ms(500);
	start_waiter(&link_it);
	start_waiter(&rename_it);
	hazard_fill_page(uffd, page);
	pthread_join(list.thread, NULL);
	pthread_join(link_it.thread, NULL);
	pthread_join(rename_it.thread, NULL);
	dxs_errno(0, link_it.err, "linked while a rename waits");
	dxs_errno(0, rename_it.err, "linked while a rename waits: renamed");
	agree("from/file", "linked while a rename waits");
	agree("to/name", "linked while a rename waits");
	dxs_errno(0, ERR(unlink("stack/to/name")),
		  "linked while a rename waits: removed");
	agree("from/file", "and removed");
	agree("to/name", "and removed");
	close(uffd);
}

/* What the VFS refuses by its copies, before it asks us. */
static void mutable_again(void)
{
	int fd = MUST(open("lower/immutable", O_CREAT | O_RDWR, 0644)), again;
	long flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_IMMUTABLE_FL;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	number_of("stack/immutable");
	dxs_errno(EPERM, ERR(open("stack/immutable", O_WRONLY)),
		  "immutable below: not opened");
	flags &= ~FS_IMMUTABLE_FL;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	again = open("stack/immutable", O_WRONLY);
	dxs_ok(again >= 0, "no longer immutable below: opened");
	close(again);
	close(fd);
}

void h51_changed_below(void)
{
	dxs_mount_lower();
	single_names();
	linked_meanwhile();
	mutable_again();
	directories();
	mounts();
	dxs_umount_lower();
	changed_by_us();
}

/* --- H52: names that are compared otherwise below. */

static int mkfs_folding(void)
{
	return dxs_on_xfs() ?
		DXS_RUN("mkfs.xfs", "-q", "-f", "-n", "version=ci", dxs_pmem) :
		DXS_RUN("mkfs.ext4", "-q", "-F", "-O", "casefold", "-E",
			"encoding=utf8", dxs_pmem);
}

void h52_folded_names(void)
{
	dxs_umount_stack();
	if (mkfs_folding()) {
		dxs_skip("mkfs makes none", "a filesystem that ignores case");
	} else if (dxs_mount(dxs_pmem, "lower", dxs_fs, "rw")) {
		dxs_skip("the kernel has none", "a filesystem that ignores case");
	} else {
		dxs_umount_lower();
		dxs_log_mark();
		dxs_errno(EINVAL, dxs_mount(dxs_pmem, "stack", "daxstack", "rw"),
			  "a filesystem that ignores case");
		dxs_ok(dxs_log_has(dxs_on_xfs() ? "ignores case" :
						  "case-insensitive"),
		       "a filesystem that ignores case: the log says so");
		dxs_mount_lower();
		MUST(mkdir("lower/dir", 0755));
		dxs_errno(EINVAL, dxs_mount("lower/dir", "stack", "daxstack",
					    "rw"),
			  "a directory of a filesystem that ignores case");
		dxs_umount_lower();
	}
	dxs_mkfs(NULL);
	dxs_mount_stack();
}

/* --- H53: somebody has taken the name of the probe directory. */

#define PROBE	".daxstack-probe"

/* How many names in the root begin as the probe directory's. */
static int probes(void)
{
	DIR *dir = opendir("stack");
	struct dirent *d;
	int count = 0;

	if (!dir)
		dxs_bail("stack: %m");
	while ((d = readdir(dir)))
		count += !strncmp(d->d_name, PROBE, strlen(PROBE));
	closedir(dir);
	return count;
}

static void take_by_file(void)
{
	make("lower/" PROBE);
}

static void take_by_symlink(void)
{
	MUST(symlink(".", "lower/" PROBE));
}

static void take_by_directory(void)
{
	MUST(mkdir("lower/" PROBE, 0700));
	make("lower/" PROBE "/inside");
}

static void taken(void (*take)(void), uid_t who, int left, const char *what)
{
	struct stat before, after;
	int fd;

	dxs_umount_stack();
	dxs_mkfs(NULL);
	dxs_mount_lower();
	MUST(chmod("lower", 01777));
	MUST(seteuid(who));
	take();
	MUST(seteuid(0));
	MUST(stat("lower", &before));
	dxs_umount_lower();

	dxs_mount_stack();
	MUST(stat("stack", &after));
	dxs_ok(before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
	       before.st_mtim.tv_nsec == after.st_mtim.tv_nsec,
	       "%s: mtime of the root is what it was", what);
	dxs_is(before.st_nlink - (left ? 0 : 1), after.st_nlink,
	       "%s: links of the root", what);
	dxs_is(left, probes(), "%s: what is left of that name", what);
	fd = hazard_file("stack/file", PAGE, DAXSTACK_CACHED);
	dxs_to(fd, DAXSTACK_DAX, what);
	close(fd);
}

/* As a power cut leaves it. */
static void take_by_ours(void)
{
	MUST(mkdir("lower/" PROBE, 0700));
}

void h53_probe_name(void)
{
	taken(take_by_file, NOBODY, 1, "somebody's file");
	taken(take_by_symlink, NOBODY, 1, "somebody's symlink");
	taken(take_by_directory, NOBODY, 1, "somebody's directory");
	taken(take_by_ours, NOBODY, 1, "somebody's empty directory");
	taken(take_by_directory, 0, 1, "root's directory");
	taken(take_by_ours, 0, 0, "an empty directory of root's");
}

/* --- H54: the key of an encrypted directory is removed. */

/* By what was given to it the filesystem has computed its number. */
static struct fscrypt_key_specifier spec;

static int add_key(void)
{
	union {
		struct fscrypt_add_key_arg arg;
		uint8_t room[sizeof(struct fscrypt_add_key_arg) +
			     FSCRYPT_MAX_KEY_SIZE];
	} u = { .arg = { .key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER,
			 .raw_size = FSCRYPT_MAX_KEY_SIZE } };
	int fd = MUST(open("lower", O_RDONLY)), err;

	dxs_fill(u.arg.raw, FSCRYPT_MAX_KEY_SIZE, 54, 0);
	err = ERR(ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, &u.arg));
	spec = u.arg.key_spec;
	close(fd);
	return err;
}

/* Return: if files are in use, as the filesystem says. */
static bool remove_key(void)
{
	struct fscrypt_remove_key_arg arg = { .key_spec = spec };
	int fd = MUST(open("lower", O_RDONLY)), err;

	err = ERR(ioctl(fd, FS_IOC_REMOVE_ENCRYPTION_KEY, &arg));
	close(fd);
	/* What was in use may have gone with the last of it. */
	if (err && err != ENOKEY)
		dxs_bail("cannot remove a key: %s", strerror(err));
	return arg.removal_status_flags &
		FSCRYPT_KEY_REMOVAL_STATUS_FLAG_FILES_BUSY;
}

static int encrypt(const char *path)
{
	struct fscrypt_policy_v2 policy = {
		.version = FSCRYPT_POLICY_V2,
		.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
		.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS,
		.flags = FSCRYPT_POLICY_FLAGS_PAD_32,
	};
	int fd = MUST(open(path, O_RDONLY)), err;

	memcpy(policy.master_key_identifier, spec.u.identifier,
	       sizeof(policy.master_key_identifier));
	err = ERR(ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy));
	close(fd);
	return err;
}

/* The only other name in a directory, as it shows without a key. */
static void name_in(const char *dir, char *path, size_t size)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	*path = 0;
	if (!d)
		dxs_bail("%s: %m", dir);
	while ((e = readdir(d)))
		if (*e->d_name != '.')
			snprintf(path, size, "%s/%s", dir, e->d_name);
	closedir(d);
}

/*
 * @path is used by way of @root; the key goes, and comes again. Once with the
 * lower filesystem alone, whose answers are then those of the stack.
 */
static void key_goes(const char *root, bool busy[3], int errs[8])
{
	char dir[64], file[64], inside[80], none[64], shown[400], c;
	int fd, i = 0;

	snprintf(dir, sizeof(dir), "%s/secret", root);
	snprintf(file, sizeof(file), "%s/secret/file", root);
	snprintf(none, sizeof(none), "%s/secret/none", root);
	snprintf(inside, sizeof(inside), "%s/secret/sub/inside", root);
	MUST(access(dir, F_OK));
	fd = MUST(open(file, O_RDONLY));
	MUST(read(fd, &c, 1));
	close(fd);
	errs[i++] = ERR(access(none, F_OK));
	errs[i++] = ERR(access(inside, F_OK));

	busy[0] = remove_key();
	errs[i++] = ERR(open(file, O_RDONLY));
	errs[i++] = ERR(access(inside, F_OK));
	/* Known without its key, it has to go when that comes. */
	name_in(dir, shown, sizeof(shown));
	errs[i++] = *shown ? ERR(access(shown, F_OK)) : -1;

	add_key();
	fd = open(file, O_RDONLY);
	errs[i++] = ERR(fd);
	if (*shown)
		errs[i++] = ERR(access(shown, F_OK));
	busy[1] = remove_key();
	close(fd);
	busy[2] = remove_key();
	errs[i++] = ERR(open(file, O_RDONLY));
	add_key();
}

static void compare_keys(void)
{
	static const char *const names[] = {
		"a name that is not there", "a file in a subdirectory",
		"key removed: a file", "key removed: in a subdirectory",
		"key removed: a name as it shows",
		"key added: a file", "key added: a name as it showed",
		"removed again: a file",
	};
	static const char *const removals[] = {
		"key removed: files are in use", "with a file open: the same",
		"closed: the same",
	};
	bool busy[2][3] = { 0 };
	int errs[2][8] = { 0 };
	size_t i;

	key_goes("lower", busy[0], errs[0]);
	if (!dxs_ok(!busy[0][0] && busy[0][1] && !busy[0][2] &&
		    errs[0][2] == ENOENT && !errs[0][5],
		    "the lower filesystem alone: a removed key hides what it hid"))
		return;
	if (dxs_mount(dxs_pmem, "stack", "daxstack", "rw"))
		dxs_bail("cannot mount the stack beside it");
	key_goes("stack", busy[1], errs[1]);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		dxs_errno(errs[0][i], errs[1][i], "%s", names[i]);
	for (i = 0; i < ARRAY_SIZE(removals); i++)
		dxs_is(busy[0][i], busy[1][i], "%s", removals[i]);
	dxs_umount_stack();
}

void h54_removed_key(void)
{
	int fd;

	if (dxs_on_xfs()) {
		dxs_skip("XFS encrypts nothing", "H54");
		return;
	}
	dxs_umount_stack();
	if (DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "encrypt",
		    dxs_pmem))
		dxs_bail("cannot make ext4 with encryption");
	dxs_mount_lower();
	MUST(mkdir("lower/secret", 0755));
	if (add_key() || encrypt("lower/secret")) {
		dxs_skip("no encryption", "H54");
	} else {
		fd = MUST(open("lower/secret/file", O_RDWR | O_CREAT, 0644));
		dxs_pwrite(fd, "x", 1, 0);
		close(fd);
		MUST(mkdir("lower/secret/sub", 0755));
		make("lower/secret/sub/inside");
		compare_keys();
	}
	dxs_umount_lower();
	dxs_mount_stack();
}

/* --- H56: inherit=none, and the switch at birth is refused. */

static int flag_directory(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDONLY | O_DIRECTORY)), err;

	err = dxs_set_xflag(fd, mode);
	close(fd);
	return err;
}

/* What is made is as the rule says, or not made. Return: the errno. */
static int born(const char *path, int flags, const char *what)
{
	int fd = open(path, O_RDWR | O_EXCL | flags, 0644), err;

	err = fd < 0 ? errno : 0;
	if (fd >= 0) {
		dxs_str("cached", dxs_mode_name(dxs_mode(fd)), "%s: mode",
			what);
		dxs_is(false, dxs_xflag(fd), "%s: flag", what);
		close(fd);
	} else if (flags & O_CREAT) {
		dxs_errno(ENOENT, ERR(access(path, F_OK)),
			  "%s: nothing is left", what);
	}
	return err;
}

static int sync_stack(int fd)
{
	return ERR(syncfs(fd));
}

static void born_beside_sync(void)
{
	struct hazard_held held;
	int i, err, failed = 0;
	char path[64];

	if (!hazard_hold(&held, sync_stack)) {
		dxs_skip("no throttling of writes", "made while sync(2) runs");
		return;
	}
	for (i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "stack/dir/sync.%d", i);
		err = born(path, O_CREAT, "made while sync(2) runs");
		failed += err != 0;
	}
	dxs_is(0, failed, "made while sync(2) runs");
	hazard_let_go(&held, "made while sync(2) runs");
}

/* What the module has to say is rationed: it has not said anything then. */
static void load_anew(void)
{
	struct dxs_watch begin = dxs_watch();
	char out[256];

	dxs_umount_stack();
	/* What lingers is let go of some time later. */
	while (DXS_RUN_READ(out, sizeof(out), "rmmod", "daxstack")) {
		if (dxs_watched(&begin) > 30 * dxs_slow())
			dxs_bail("rmmod: %s", out);
		dxs_sleep_ms(100);
	}
	dxs_mount_stack();
}

void h56_born_otherwise(void)
{
	MUST(mkdir("stack/dir", 0755));
	if (flag_directory("stack/dir", DAXSTACK_DAX))
		dxs_bail("cannot set the flag of a directory");
	dxs_remount("inherit=none");
	dxs_errno(0, born("stack/dir/file", O_CREAT, "made"), "made");
	dxs_errno(0, born("stack/dir", O_TMPFILE, "unnamed"), "unnamed");

	load_anew();
	dxs_remount("inherit=none");
	dxs_mount_lower();
	dxs_log_mark();
	dxs_errno(EBUSY, born("stack/dir/new", O_CREAT, "mounted elsewhere"),
		  "mounted elsewhere: a file is not made");
	dxs_ok(dxs_log_has("mounted elsewhere"),
	       "mounted elsewhere: the log says why");
	dxs_errno(EBUSY, born("stack/dir", O_TMPFILE, "mounted elsewhere"),
		  "mounted elsewhere: an unnamed file is not made");
	dxs_errno(0, ERR(mkdir("stack/dir/sub", 0755)),
		  "mounted elsewhere: a directory is made");
	dxs_errno(0, born("stack/dir/sub/file", O_CREAT, "in a directory made"),
		  "mounted elsewhere: it inherits no flag");
	dxs_errno(0, ERR(symlink("x", "stack/dir/link")),
		  "mounted elsewhere: a symlink is made");
	dxs_umount_lower();
	dxs_errno(0, born("stack/dir/new", O_CREAT, "made after that"),
		  "made after that");
	born_beside_sync();
	dxs_remount("inherit=create");
}
