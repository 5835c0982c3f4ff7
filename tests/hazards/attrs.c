// SPDX-License-Identifier: GPL-2.0-only
/*
 * H36 and H37: the attributes that the VFS reads from an inode of the stack
 * follow the lower inode: under racing copies (H36), and after changes made
 * through another mount or by stores to a mapping (H37).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hazards.h"

#ifndef FIOQSIZE
#define FIOQSIZE 0x5460
#endif

enum { FLAG_APPEND = 0x20 };

static void set_append(int fd, bool on)
{
	int flags;

	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = on ? flags | FLAG_APPEND : flags & ~FLAG_APPEND;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

/* Returns FIONREAD, which the VFS answers from its copy of i_size. */
static int left_to_read(int fd)
{
	int left;

	MUST(ioctl(fd, FIONREAD, &left));
	return left;
}

static long long space(int fd)
{
	loff_t bytes = -1;

	MUST(ioctl(fd, FIOQSIZE, &bytes));
	return bytes;
}

static void run_program(void *path)
{
	rights_exec(path);
}

struct user_run {
	uid_t user;
	const char *path;
};

static void run_as(void *arg)
{
	struct user_run *run = arg;

	rights_user(run->user);
	run_program((void *)run->path);
}

/* Returns whose privileges @path gives when @user executes it. */
static int rights_of(const char *path, uid_t user)
{
	struct user_run run = { user, path };
	int euid = -1;

	sscanf(rights_run(NULL, run_as, &run), "euid %d", &euid);
	return euid;
}

/*
 * --- H36: the widened module copies attributes slowly in a thread of this
 * name.
 */

static void *allocate_slowly(void *arg)
{
	prctl(PR_SET_NAME, "dxs-slow");
	MUST(fallocate(*(int *)arg, FALLOC_FL_KEEP_SIZE, 0, PAGE));
	return NULL;
}

static pthread_t begin_copy(int *fd)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, allocate_slowly, fd))
		dxs_bail("cannot create a thread");
	dxs_sleep_ms(100);
	return thread;
}

static void race_size(void)
{
	int fd = MUST(open("stack/size", O_RDWR | O_CREAT, 0644));
	pthread_t thread = begin_copy(&fd);

	dxs_pwrite(fd, "hello", 5, 0);
	pthread_join(thread, NULL);
	dxs_is(5, left_to_read(fd), "H36: fallocate beside a write: size");
	close(fd);
}

static void race_links(void)
{
	int fd = MUST(open("stack", O_TMPFILE | O_RDWR, 0644)), path;
	pthread_t thread = begin_copy(&fd);
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	MUST(linkat(AT_FDCWD, name, AT_FDCWD, "stack/links",
		    AT_SYMLINK_FOLLOW));
	pthread_join(thread, NULL);
	/* O_PATH keeps the inode in memory without a call to the lower fs. */
	path = MUST(open("stack/links", O_PATH));
	close(fd);
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,ro"),
		  "H36: fallocate beside linkat: a file with no link stays so");
	dxs_errno(0, dxs_mount(dxs_pmem, "stack", "daxstack", "remount,rw"),
		  "H36: remount,rw succeeds");
	close(path);
}

static void race_flags(void)
{
	int fd = MUST(open("stack/flags", O_RDWR | O_CREAT, 0644));
	int end = MUST(open("stack/flags", O_WRONLY | O_APPEND));
	pthread_t thread = begin_copy(&fd);

	set_append(fd, true);
	pthread_join(thread, NULL);
	dxs_errno(EPERM, ERR(fcntl(end, F_SETFL, 0)),
		  "H36: fallocate beside chattr +a: still append-only");
	set_append(fd, false);
	close(fd);
	close(end);
}

static void race_owner(void)
{
	int fd;
	pthread_t thread;

	rights_program("stack/owner");
	MUST(chown("stack/owner", 1001, 1001));
	MUST(chmod("stack/owner", 04755));
	fd = MUST(open("stack/owner", O_RDWR));
	thread = begin_copy(&fd);
	MUST(chown("stack/owner", 0, 0));
	MUST(chmod("stack/owner", 0755));
	pthread_join(thread, NULL);
	close(fd);
	dxs_is(1002, rights_of("stack/owner", 1002),
	       "H36: fallocate beside chown: set-user-ID grants no other user's rights");
	MUST(chmod("stack/owner", 04755));
	dxs_is(0, rights_of("stack/owner", 1002),
	       "H36: chmod u+s: gives the new owner's rights");
}

void h36_racing_copies(void)
{
	race_size();
	race_links();
	race_flags();
	race_owner();
}

/* --- H37: changes made through another mount. */

static long long copy_all(int from)
{
	int to = MUST(open("stack/copy", O_WRONLY | O_CREAT | O_TRUNC, 0644));
	long long all = 0;
	ssize_t part;

	while ((part = MUST(copy_file_range(from, NULL, to, NULL, MIB, 0))))
		all += part;
	close(to);
	return all;
}

static void grow(int fd, int by)
{
	static const char bytes[8192];

	if (write(fd, bytes, by) != by)
		dxs_bail("cannot append: %m");
}

static void grow_on_lower(const char *how)
{
	int fd = MUST(open("stack/grown", O_RDWR | O_CREAT | O_TRUNC, 0644));
	int below = MUST(open("lower/grown", O_RDWR | O_APPEND)), again;
	struct stat st;

	grow(fd, 1000);
	grow(below, 4000);
	again = MUST(open("stack/grown", O_RDONLY));
	dxs_is(5000, left_to_read(again),
	       "H37, %s: file grown, then opened: FIONREAD", how);
	dxs_is(5000, copy_all(again),
	       "H37, %s: file grown, then copied: all bytes", how);
	grow(below, 3000);
	MUST(fstat(again, &st));
	dxs_is(3000, copy_all(again),
	       "H37, %s: file grown, FIONREAD read, copied: all bytes", how);
	grow(below, 2000);
	dxs_is(10000, lseek(again, 0, SEEK_END),
	       "H37, %s: file grown: SEEK_END", how);
	MUST(lseek(again, 0, SEEK_SET));
	dxs_is(10000, left_to_read(again),
	       "H37, %s: file grown: FIONREAD after SEEK_END", how);
	MUST(fsync(fd));
	dxs_is(space(below), space(fd), "H37, %s: file grown: blocks", how);
	close(again);
	close(below);
	close(fd);
}

static void rights_on_lower(const char *how)
{
	struct stat st;
	int fd, below;

	rights_program("stack/prog");
	MUST(chown("stack/prog", 1001, 1001));
	MUST(chmod("stack/prog", 04755));
	fd = MUST(open("stack/prog", O_RDONLY));
	dxs_is(1001, rights_of("stack/prog", 1002), "H37, %s: u+s", how);
	MUST(chmod("lower/prog", 0755));
	dxs_is(1002, rights_of("stack/prog", 1002), "H37, %s: u-s below", how);

	/* A new owner sets u+s on the lower file; the stack copies the mode. */
	MUST(chown("stack/prog", 0, 0));
	MUST(chown("lower/prog", 1001, 1001));
	MUST(chmod("lower/prog", 04755));
	below = MUST(open("stack/prog", O_WRONLY));
	write(below, "", 0);
	close(below);
	dxs_is(1001, rights_of("stack/prog", 1001),
	       "H37, %s: lower chown, u+s: no write took place", how);
	dxs_is(1001, rights_of("stack/prog", 1002),
	       "H37, %s: lower chown, u+s: executes as the new owner", how);

	/* S_ISUID set on the lower file is cleared by a truncation. */
	MUST(chown("stack/prog", 1002, 1002));
	MUST(chmod("stack/prog", 0777));
	below = MUST(open("stack/prog", O_WRONLY));
	MUST(chmod("lower/prog", 04777));
	MUST(seteuid(1003));
	MUST(ftruncate(below, 100));
	MUST(seteuid(0));
	close(below);
	close(fd);
	MUST(stat("lower/prog", &st));
	dxs_is(0777, st.st_mode & 07777,
	       "H37, %s: lower chmod u+s, then truncated: mode",
	       how);
	MUST(unlink("stack/prog"));
}

static void append_on_lower(const char *how)
{
	int fd = MUST(open("stack/append", O_RDWR | O_CREAT | O_TRUNC, 0644));
	int below = MUST(open("lower/append", O_RDWR));

	dxs_pwrite(fd, "hello", 5, 0);
	set_append(below, true);
	dxs_errno(EPERM, ERR(ftruncate(fd, 0)), "H37, %s: +a: ftruncate", how);
	set_append(below, false);
	fstat(fd, &(struct stat){ 0 });
	set_append(below, true);
	dxs_errno(EPERM, ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				       FALLOC_FL_KEEP_SIZE, 0, PAGE)),
		  "H37, %s: +a: a hole", how);
	set_append(below, false);
	fstat(fd, &(struct stat){ 0 });
	set_append(below, true);
	dxs_errno(EPERM, ERR(fsetxattr(fd, "security.x", "x", 1, 0)),
		  "H37, %s: lower chattr +a: shown by the stack", how);
	set_append(below, false);
	fstat(fd, &(struct stat){ 0 });
	set_append(below, true);
	dxs_errno(EPERM, ERR(open("stack/append", O_WRONLY)),
		  "H37, %s: lower chattr +a: open for writing fails", how);
	dxs_errno(0, ERR(close(MUST(open("stack/append", O_WRONLY | O_APPEND)))),
		  "H37, %s: lower chattr +a: open for appending succeeds", how);
	set_append(below, false);
	fstat(fd, &(struct stat){ 0 });
	dxs_errno(0, ERR(fsetxattr(fd, "security.x", "x", 1, 0)),
		  "H37, %s: lower chattr -a: shown by the stack", how);
	dxs_errno(0, ERR(ftruncate(fd, 0)), "H37, %s: -a: ftruncate", how);
	close(below);
	close(fd);
}

static void swap_on_lower(const char *how)
{
	int fd = MUST(open("stack/swap", O_RDWR | O_CREAT | O_TRUNC, 0600)), i;
	/* Header of a version 1 swap area of 255 pages. */
	uint32_t head[3] = { 1, 255, 0 };
	static char page[PAGE];

	for (i = 0; i < 256; i++)
		dxs_pwrite(fd, page, PAGE, i * PAGE);
	dxs_pwrite(fd, head, sizeof(head), 1024);
	dxs_pwrite(fd, "SWAPSPACE2", 10, PAGE - 10);
	MUST(fsync(fd));
	if (!dxs_errno(0, ERR(swapon("lower/swap", 0)), "H37, %s: swapon", how))
		return;
	dxs_errno(ETXTBSY, ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
					 FALLOC_FL_KEEP_SIZE, 0, PAGE)),
		  "H37, %s: punch hole in a swap file", how);
	dxs_errno(ETXTBSY, ERR(ftruncate(fd, 0)),
		  "H37, %s: truncate a swap file", how);
	MUST(swapoff("lower/swap"));
	fstat(fd, &(struct stat){ 0 });
	dxs_errno(0, ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, 0, PAGE)),
		  "H37, %s: punch hole after swapoff", how);
	close(fd);
}

static void try_in_dir(void *arg)
{
	rights_user(*(uid_t *)arg);
	printf("unlink %d ", ERR(unlink("stack/dir/a")));
	printf("create %d", ERR(open("stack/dir/new", O_CREAT | O_WRONLY, 0644)));
}

static void dir_on_lower(const char *how)
{
	uid_t other = 1002, owner = 1003;
	int fd;

	MUST(mkdir("stack/dir", 0755));
	MUST(chmod("stack/dir", 01777));
	close(MUST(open("stack/dir/a", O_CREAT | O_WRONLY, 0644)));
	MUST(chown("stack/dir/a", 1001, 1001));
	fd = MUST(open("stack/dir", O_RDONLY));
	dxs_str("unlink 1 create 0", rights_run(NULL, try_in_dir, &other),
		"H37, %s: sticky directory", how);
	MUST(unlink("stack/dir/new"));
	MUST(chmod("lower/dir", 0777));
	dxs_str("unlink 0 create 0", rights_run(NULL, try_in_dir, &other),
		"H37, %s: directory with its mode changed on the lower fs",
		how);
	MUST(unlink("stack/dir/new"));
	MUST(chmod("lower/dir", 0755));
	MUST(chown("lower/dir", owner, owner));
	dxs_str("unlink 2 create 13", rights_run(NULL, try_in_dir, &other),
		"H37, %s: directory with its owner changed on the lower fs",
		how);
	dxs_str("unlink 2 create 0", rights_run(NULL, try_in_dir, &owner),
		"H37, %s: directory, by its new owner", how);
	MUST(unlink("stack/dir/new"));
	MUST(rmdir("stack/dir"));
	close(fd);
}

/* --- H37: changes made without a call. */

static bool before(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec ||
	       (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* relatime: a read after a modification updates atime. */
static void relatime(int mode)
{
	int fd = hazard_file("stack/rel", PAGE, mode);
	struct stat st;
	uint8_t *map, c;

	map = hazard_map(fd, PAGE);
	dxs_sleep_ms(50);
	dxs_pread(fd, &c, 1, 0);
	dxs_sleep_ms(50);
	map[0] = 1;
	dxs_sleep_ms(50);
	dxs_pread(fd, &c, 1, 0);
	MUST(fstat(fd, &st));
	dxs_ok(!before(st.st_atim, st.st_mtim),
	       "H37: read after a store, %s: atime is updated",
	       dxs_mode_name(mode));
	munmap(map, PAGE);
	close(fd);
}

static void all_on_lower(const char *how)
{
	grow_on_lower(how);
	rights_on_lower(how);
	append_on_lower(how);
	swap_on_lower(how);
	dir_on_lower(how);
}

void h37_changed_below(void)
{
	relatime(DAXSTACK_CACHED);
	relatime(DAXSTACK_DAX);
	dxs_mount_lower();
	all_on_lower("lower fs mounted twice");
	dxs_umount_stack();
	MUST(dxs_mount("lower", "stack", "daxstack", "rw") ? -1 : 0);
	all_on_lower("a directory");
	dxs_umount_stack();
	dxs_umount_lower();
	dxs_mount_stack();
}
