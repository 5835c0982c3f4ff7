// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hazards of a lower filesystem with other users: a second mount of the stack
 * (H50), names that change on the lower filesystem (H51), a case-folding lower
 * filesystem (H52), a taken probe name (H53), fscrypt keys (H54), files created
 * while a switch is refused (H56).
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

/* --- H50: one superblock of the stack for each lower filesystem. */

/* Two mounts, with a descriptor of the same file in each. */
static void one_lock(int first, int second, const char *name)
{
	MUST(flock(first, LOCK_EX));
	dxs_errno(EWOULDBLOCK, ERR(flock(second, LOCK_EX | LOCK_NB)),
		  "%s: a lock taken in one mount is held in the other", name);
	MUST(flock(first, LOCK_UN));
	dxs_errno(0, ERR(flock(second, LOCK_EX | LOCK_NB)),
		  "%s: the lock is free after unlock", name);
}

static void second_of_device(void)
{
	int fd = hazard_file("stack/file", PAGE, DAXSTACK_CACHED), again;

	if (!dxs_errno(0, mount_second(dxs_pmem, "rw"),
		       "mount the device again"))
		return;
	dxs_is(device_of("stack"), device_of("second"),
	       "second mount: same superblock");
	again = MUST(open("second/file", O_RDWR));
	one_lock(fd, again, "second mount");
	dxs_to(again, DAXSTACK_DAX, "second mount: switch");
	dxs_str("dax", dxs_mode_name(dxs_mode(fd)),
		"second mount: the first mount sees the switch");
	close(again);
	MUST(umount("second"));
	hazard_bytes(fd, PAGE, "second mount: contents after unmounting it");
	close(fd);
}

static void second_with_options(void)
{
	dxs_errno(EBUSY, mount_second(dxs_pmem, "ro"),
		  "second mount, read-only");
	dxs_errno(EBUSY, mount_second(dxs_pmem, "switch=never"),
		  "second mount, another switch=");
	dxs_errno(EBUSY, mount_second(dxs_pmem, "inherit=move"),
		  "second mount, another inherit=");
	dxs_errno(EBUSY, mount_second(dxs_pmem, "dax=always"),
		  "second mount, another dax=");
	dxs_errno(EINVAL, mount_second(dxs_pmem, dxs_on_xfs() ? "lower=ext4" :
								"lower=xfs"),
		  "second mount, another lower=");
	dxs_errno(0, mount_second(dxs_pmem, "switch=live,inherit=create"),
		  "second mount with the same options");
	dxs_is(device_of("stack"), device_of("second"),
	       "second mount with the same options: same superblock");
	MUST(umount("second"));
}

/* A detached mount that is in use keeps its superblock. */
static void second_of_detached(void)
{
	int fd = MUST(open("stack/file", O_RDWR)), again;
	struct stat st;

	MUST(umount2("stack", MNT_DETACH));
	MUST(fstat(fd, &st));
	dxs_errno(0, mount_second(dxs_pmem, "rw"),
		  "second mount while the first is detached");
	dxs_is(st.st_dev, device_of("second"),
	       "first mount detached: same superblock");
	again = MUST(open("second/file", O_RDWR));
	one_lock(fd, again, "detached");
	close(again);
	close(fd);
	MUST(umount("second"));
	dxs_mount_stack();
}

/*
 * Two mounts at once: one creates the superblock, the other finds it
 * incomplete.
 */
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
		/* The last mount goes away while the next one comes. */
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
		  "a sibling directory: same superblock, links across are possible");
	dxs_errno(EBUSY, mount_second("lower", "rw"),
		  "the parent directory");
	dxs_errno(EBUSY, mount_second(dxs_pmem, "rw"),
		  "the device of a mounted directory");
	dxs_errno(0, mount_second("lower/a", "rw"), "the same directory again");
	dxs_is(device_of("stack"), device_of("second"),
	       "the same directory again: same superblock");
	MUST(umount("second"));
	dxs_umount_stack();

	dxs_mount_stack();
	dxs_errno(0, mount_second("lower", "rw"),
		  "the device, and the root of its lower mount");
	dxs_is(device_of("stack"), device_of("second"),
	       "the device, and the root of its lower mount: same superblock");
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

/* --- H51: names change on the lower filesystem. */

static void single_names(void)
{
	int fd;

	hazard_inode("stack/new");
	hazard_inode("stack/opened");
	hazard_inode("stack/excl");
	hazard_create("stack/gone");
	hazard_create("stack/old");
	hazard_create("stack/replaced");
	hazard_create("stack/target");
	hazard_create("stack/unlinked");
	hazard_create("stack/renamed");

	hazard_create("lower/new");
	hazard_agree("new", "created on the lower fs");
	MUST(unlink("lower/gone"));
	hazard_agree("gone", "removed on the lower fs");
	MUST(rename("lower/new", "lower/replaced"));
	hazard_agree("replaced", "replaced on the lower fs");
	hazard_agree("new", "renamed on the lower fs: old name");
	MUST(rename("lower/old", "lower/moved"));
	hazard_agree("old", "renamed on the lower fs: target");
	hazard_agree("moved", "renamed on the lower fs");

	hazard_create("lower/excl");
	dxs_errno(EEXIST, ERR(open("stack/excl", O_CREAT | O_EXCL, 0644)),
		  "O_EXCL of a name created on the lower fs");
	hazard_create("lower/opened");
	fd = open("stack/opened", O_CREAT | O_RDWR, 0644);
	dxs_ok(fd >= 0, "O_CREAT of a name created on the lower fs");
	close(fd);
	MUST(unlink("lower/unlinked"));
	dxs_errno(ENOENT, ERR(unlink("stack/unlinked")),
		  "unlink of a name removed on the lower fs");
	MUST(rename("lower/renamed", "lower/other"));
	dxs_errno(ENOENT, ERR(rename("stack/renamed", "stack/renamed2")),
		  "rename of a name moved on the lower fs");
	MUST(unlink("lower/target"));
	dxs_errno(0, ERR(rename("stack/other", "stack/target")),
		  "rename to a name removed on the lower fs");
	hazard_agree("target", "after the renames");
	hazard_agree("other", "after the renames");
}

/*
 * A directory moved out of a public directory must not be entered by its old
 * path.
 */
static void directories(void)
{
	pid_t pid;

	MUST(mkdir("stack/public", 0755));
	MUST(mkdir("stack/public/sub", 0755));
	MUST(mkdir("stack/private", 0700));
	hazard_create("stack/public/sub/file");
	pid = MUST(fork());
	if (!pid) {
		MUST(setresuid(NOBODY, NOBODY, NOBODY));
		MUST(access("stack/public/sub/file", R_OK));
		/* Root may enter it in both trees. */
		MUST(access("stack/public/sub", X_OK));
		_exit(0);
	}
	MUST(waitpid(pid, NULL, 0));
	MUST(rename("lower/public/sub", "lower/private/sub"));
	MUST(seteuid(NOBODY));
	dxs_errno(ENOENT, ERR(open("stack/public/sub/file", O_RDONLY)),
		  "moved on the lower fs into a private directory: old path");
	dxs_errno(EACCES, ERR(open("stack/private/sub/file", O_RDONLY)),
		  "moved on the lower fs into a private directory: new path");
	MUST(seteuid(0));
	hazard_agree("private/sub/file",
		     "moved on the lower fs into a private directory");
	hazard_agree("public/sub", "moved on the lower fs into a private directory");
}

static bool is_tmpfs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == TMPFS_MAGIC;
}

/* A mount inside a directory moves with the directory. */
static void mounts(void)
{
	MUST(mkdir("stack/dir", 0755));
	MUST(mkdir("stack/dir/over", 0755));
	MUST(mkdir("stack/over", 0755));
	MUST(mount("none", "stack/dir/over", "tmpfs", 0, NULL));
	MUST(mount("none", "stack/over", "tmpfs", 0, NULL));
	MUST(rename("lower/dir", "lower/dir2"));
	dxs_errno(ENOENT, ERR(access("stack/dir", F_OK)),
		  "mount point's parent moved on the lower fs: not at the old path");
	dxs_ok(is_tmpfs("stack/dir2/over"),
	       "mount point's parent moved on the lower fs: at the new path");
	if (is_tmpfs("stack/dir2/over"))
		MUST(umount("stack/dir2/over"));
	/*
	 * The VFS allows that from another mount namespace on any filesystem.
	 */
	MUST(rmdir("lower/over"));
	dxs_errno(ENOENT, ERR(access("stack/over", F_OK)),
		  "mount point removed on the lower fs: detached");
}

struct looker {
	const char *path;
	struct hazard_thread thread;
};

static void look(void *arg)
{
	struct looker *l = arg;

	hazard_inode(l->path);
}

/*
 * Only the stack changes the lower names here. A concurrent lookup must not
 * take that for a foreign change, which would detach the mount inside or unhash
 * the name.
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
	dxs_is(0, deleted, "looked up while it is created: keeps its name");
	dxs_ok(is_tmpfs("stack/this/over"),
	       "looked up while it is renamed: the mount inside stays");
	umount("stack/this/over");
}

/*
 * The target of a rename becomes a hard link of the source on the lower fs
 * while the rename waits for the lower directory. The lower fs then does
 * nothing, and the stack's dentry must not move.
 */
static void linked_meanwhile(void)
{
	struct hazard_waiter rename_it = { .call = rename,
					   .from = "stack/from/file",
					   .to = "stack/to/name" };
	struct hazard_waiter link_it = { .call = link,
					 .from = "lower/from/file",
					 .to = "lower/to/name" };
	struct hazard_locked locked;

	MUST(mkdir("lower/from", 0755));
	MUST(mkdir("lower/to", 0755));
	hazard_create("lower/from/file");
	hazard_inode("stack/to/name");
	hazard_inode("stack/from/file");
	if (!hazard_lock(&locked, "lower/to")) {
		dxs_skip("no userfaultfd", "linked while a rename waits");
		return;
	}
	hazard_wait_in(&link_it);
	hazard_wait_in(&rename_it);
	hazard_unlock(&locked);
	dxs_errno(0, hazard_waited(&link_it), "linked while a rename waits");
	dxs_errno(0, hazard_waited(&rename_it),
		  "linked while a rename waits: rename succeeds");
	hazard_agree("from/file", "linked while a rename waits");
	hazard_agree("to/name", "linked while a rename waits");
	dxs_errno(0, ERR(unlink("stack/to/name")),
		  "linked while a rename waits: unlink succeeds");
	hazard_agree("from/file", "unlinked after that");
	hazard_agree("to/name", "unlinked after that");
}

/*
 * The VFS refuses some calls from its copy of i_flags before it calls the
 * stack.
 */
static void immutable_on_lower(void)
{
	int fd = MUST(open("lower/immutable", O_CREAT | O_RDWR, 0644)), again;
	long flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_IMMUTABLE_FL;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	hazard_inode("stack/immutable");
	dxs_errno(EPERM, ERR(open("stack/immutable", O_WRONLY)),
		  "immutable on the lower fs: open is refused");
	flags &= ~FS_IMMUTABLE_FL;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	again = open("stack/immutable", O_WRONLY);
	dxs_ok(again >= 0, "no longer immutable on the lower fs: opened");
	close(again);
	close(fd);
}

void h51_changed_below(void)
{
	dxs_mount_lower();
	single_names();
	linked_meanwhile();
	immutable_on_lower();
	directories();
	mounts();
	dxs_umount_lower();
	changed_by_us();
}

/* --- H52: a lower filesystem that folds case. */

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
		dxs_skip("mkfs cannot create it", "case-folding filesystem");
	} else if (dxs_mount(dxs_pmem, "lower", dxs_fs, "rw")) {
		dxs_skip("the kernel does not support it",
			 "case-folding filesystem");
	} else {
		dxs_umount_lower();
		dxs_log_mark();
		dxs_errno(EINVAL, dxs_mount(dxs_pmem, "stack", "daxstack", "rw"),
			  "case-folding filesystem is refused");
		dxs_ok(dxs_log_has(dxs_on_xfs() ? "ignores case" :
						  "case-insensitive"),
		       "case-folding filesystem: the log gives the reason");
		dxs_mount_lower();
		MUST(mkdir("lower/dir", 0755));
		dxs_errno(EINVAL, dxs_mount("lower/dir", "stack", "daxstack",
					    "rw"),
			  "directory of a case-folding filesystem is refused");
		dxs_umount_lower();
	}
	dxs_mkfs(NULL);
	dxs_mount_stack();
}

/* --- H53: the name of the probe directory is taken. */

#define PROBE	".daxstack-probe"

/* Counts the entries in the root that start with the probe directory's name. */
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
	hazard_create("lower/" PROBE);
}

static void take_by_symlink(void)
{
	MUST(symlink(".", "lower/" PROBE));
}

static void take_by_directory(void)
{
	MUST(mkdir("lower/" PROBE, 0700));
	hazard_create("lower/" PROBE "/inside");
}

static void check_taken_name(void (*take)(void), uid_t who, int left, const char *what)
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
	       "%s: mtime of the root is restored", what);
	dxs_is(before.st_nlink - (left ? 0 : 1), after.st_nlink,
	       "%s: link count of the root", what);
	dxs_is(left, probes(), "%s: entries left with that name", what);
	fd = hazard_file("stack/file", PAGE, DAXSTACK_CACHED);
	dxs_to(fd, DAXSTACK_DAX, what);
	close(fd);
}

/* As a power cut leaves it. */
static void take_by_leftover(void)
{
	MUST(mkdir("lower/" PROBE, 0700));
}

void h53_probe_name(void)
{
	check_taken_name(take_by_file, NOBODY, 1, "a user's file");
	check_taken_name(take_by_symlink, NOBODY, 1, "a user's symlink");
	check_taken_name(take_by_directory, NOBODY, 1, "a user's directory");
	check_taken_name(take_by_leftover, NOBODY, 1, "a user's empty directory");
	check_taken_name(take_by_directory, 0, 1, "root's directory");
	check_taken_name(take_by_leftover, 0, 0, "root's empty directory");
}

/* --- H54: the key of an encrypted directory is removed. */

/* The kernel fills in the key identifier, computed from the key. */
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

/* Return: whether the filesystem reports that files are in use. */
static bool remove_key(void)
{
	struct fscrypt_remove_key_arg arg = { .key_spec = spec };
	int fd = MUST(open("lower", O_RDONLY)), err;

	err = ERR(ioctl(fd, FS_IOC_REMOVE_ENCRYPTION_KEY, &arg));
	close(fd);
	/* The key may have gone with its last user. */
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

/*
 * Finds the only entry of a directory: the encoded name that shows without a
 * key.
 */
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
 * Uses @path through @root; removes the key and adds it again. Runs on the
 * lower filesystem alone first, whose results the stack must repeat.
 */
static void key_steps(const char *root, bool busy[3], int errs[8])
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
	/* A name looked up without the key must go when the key is added. */
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
		"absent name", "file in a subdirectory",
		"key removed: file", "key removed: file in a subdirectory",
		"key removed: encoded name",
		"key added: file", "key added: encoded name",
		"key removed again: file",
	};
	static const char *const removals[] = {
		"key removed: reports files in use",
		"key removed with a file open: reports files in use",
		"file closed: reports files in use",
	};
	bool busy[2][3] = { 0 };
	int errs[2][8] = { 0 };
	size_t i;

	key_steps("lower", busy[0], errs[0]);
	if (!dxs_ok(!busy[0][0] && busy[0][1] && !busy[0][2] &&
		    errs[0][2] == ENOENT && !errs[0][5],
		    "the lower fs alone: removing the key hides the names"))
		return;
	if (dxs_mount(dxs_pmem, "stack", "daxstack", "rw"))
		dxs_bail("cannot mount the stack beside the lower fs");
	key_steps("stack", busy[1], errs[1]);
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
		dxs_skip("XFS has no encryption", "H54");
		return;
	}
	dxs_umount_stack();
	if (DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "encrypt",
		    dxs_pmem))
		dxs_bail("cannot create ext4 with encryption");
	dxs_mount_lower();
	MUST(mkdir("lower/secret", 0755));
	if (add_key() || encrypt("lower/secret")) {
		dxs_skip("no encryption", "H54");
	} else {
		fd = MUST(open("lower/secret/file", O_RDWR | O_CREAT, 0644));
		dxs_pwrite(fd, "x", 1, 0);
		close(fd);
		MUST(mkdir("lower/secret/sub", 0755));
		hazard_create("lower/secret/sub/inside");
		compare_keys();
	}
	dxs_umount_lower();
	dxs_mount_stack();
}

/* --- H56: with inherit=none, the switch of a new file is refused. */

static int flag_directory(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDONLY | O_DIRECTORY)), err;

	err = dxs_set_xflag(fd, mode);
	close(fd);
	return err;
}

/*
 * Asserts that a new file is in the mode that the option demands, or is not
 * created. Return: the errno.
 */
static int check_new_file(const char *path, int flags, const char *what)
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
			  "%s: no file is left behind", what);
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
		dxs_skip("no throttling of writes",
			 "created while sync(2) runs");
		return;
	}
	for (i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "stack/dir/sync.%d", i);
		err = check_new_file(path, O_CREAT, "created while sync(2) runs");
		failed += err != 0;
	}
	dxs_is(0, failed, "created while sync(2) runs");
	hazard_let_go(&held, "created while sync(2) runs");
}

/*
 * Reloads the module: its messages are rate-limited, and a fresh module has
 * logged none.
 */
static void load_anew(void)
{
	struct dxs_watch begin = dxs_watch();
	char out[256];

	dxs_umount_stack();
	/* A lingering inode is released some time later. */
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
	dxs_errno(0, check_new_file("stack/dir/file", O_CREAT, "made"), "made");
	dxs_errno(0, check_new_file("stack/dir", O_TMPFILE, "unnamed"), "unnamed");

	load_anew();
	dxs_remount("inherit=none");
	dxs_mount_lower();
	dxs_log_mark();
	dxs_errno(EBUSY, check_new_file("stack/dir/new", O_CREAT,
					"lower fs mounted elsewhere"),
		  "lower fs mounted elsewhere: file is not created");
	dxs_ok(dxs_log_has("mounted elsewhere"),
	       "lower fs mounted elsewhere: the log gives the reason");
	dxs_errno(EBUSY, check_new_file("stack/dir", O_TMPFILE,
					"lower fs mounted elsewhere"),
		  "lower fs mounted elsewhere: O_TMPFILE is refused");
	dxs_errno(0, ERR(mkdir("stack/dir/sub", 0755)),
		  "lower fs mounted elsewhere: directory is created");
	dxs_errno(0, check_new_file("stack/dir/sub/file", O_CREAT,
				    "in the new directory"),
		  "lower fs mounted elsewhere: the directory inherits no flag");
	dxs_errno(0, ERR(symlink("x", "stack/dir/link")),
		  "lower fs mounted elsewhere: symlink is created");
	dxs_umount_lower();
	dxs_errno(0, check_new_file("stack/dir/new", O_CREAT,
				    "created after the lower unmount"),
		  "created after the lower unmount");
	born_beside_sync();
	dxs_remount("inherit=create");
}
