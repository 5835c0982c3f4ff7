// SPDX-License-Identifier: GPL-2.0-only
/*
 * heat: asserts who may open a session, what it reports, and how it ends.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heat.h"

/* More than one read returns. */
#define FILES	150

static char byte;

static int heat_ioctl(int fd, uint32_t flags)
{
	struct daxstack_heat_open arg = { .flags = flags };

	return ioctl(fd, DAXSTACK_IOC_HEAT_OPEN, &arg);
}

/* --- Refused requests. */

static void open_refused(int dir, struct daxstack_heat_open *arg, int error,
			 const char *name)
{
	dxs_errno(error, ERR(ioctl(dir, DAXSTACK_IOC_HEAT_OPEN, arg)), "open: %s",
		  name);
}

static void read_refused(int fd, struct daxstack_heat_read arg, int error,
			 const char *name)
{
	dxs_errno(error, ERR(ioctl(fd, DAXSTACK_IOC_HEAT_READ, &arg)),
		  "read: %s", name);
}

static void test_open_errors(int dir)
{
	struct daxstack_heat_open bad_flag = { .flags = 2 }, bad_pad = { .pad = 1 };
	struct daxstack_heat_open reserved = { .reserved = { 0, 1 } }, good = { 0 };
	int fd = MUST(open("stack/file", O_RDONLY)), other;

	open_refused(dir, &bad_flag, EINVAL, "unknown flag");
	open_refused(dir, &bad_pad, EINVAL, "padding");
	open_refused(dir, &reserved, EINVAL, "reserved bytes");
	open_refused(dir, (void *)1, EFAULT, "bad pointer");
	MUST(seteuid(65534));
	open_refused(dir, &good, EPERM, "not root");
	open_refused(fd, &good, EPERM, "not root, on a file");
	MUST(seteuid(0));
	other = MUST(open("/proc/self/status", O_RDONLY));
	open_refused(other, &good, ENOTTY, "another filesystem");
	close(other);
	close(fd);
}

static void test_read_errors(int dir)
{
	struct daxstack_heat_file files[2];
	struct daxstack_heat_read good = {
		.files = (uintptr_t)files, .max = 2,
	}, arg;
	int fd = MUST(heat_ioctl(dir, 0));

	arg = good;
	arg.max = 0;
	read_refused(fd, arg, EINVAL, "no room in the buffer");
	arg = good;
	arg.flags = 4;
	read_refused(fd, arg, EINVAL, "unknown flag");
	arg = good;
	arg.probes = DAXSTACK_HEAT_PROBES_MAX + 1;
	read_refused(fd, arg, EINVAL, "too many probes");
	arg = good;
	arg.reserved[0] = 1;
	read_refused(fd, arg, EINVAL, "reserved bytes");
	arg = good;
	arg.flags = DAXSTACK_HEAT_CLEAR;
	read_refused(fd, arg, EPERM, "clear without windows");
	arg = good;
	arg.probes = 1;
	read_refused(fd, arg, EPERM, "probes without windows");
	arg = good;
	arg.files = 1;
	read_refused(fd, arg, EFAULT, "bad array");
	dxs_errno(EFAULT, ERR(ioctl(fd, DAXSTACK_IOC_HEAT_READ, 1)),
		  "read: bad pointer");
	dxs_errno(EFAULT, ERR(ioctl(fd, DAXSTACK_IOC_HEAT_NAME, 1)),
		  "name: bad pointer");
	dxs_errno(ENOTTY, ERR(ioctl(fd, DAXSTACK_IOC_STATE, &arg)),
		  "unknown ioctl of a session");
	read_refused(fd, good, 0, "valid request");
	close(fd);
}

void test_errors(void)
{
	int fd = make("stack/file", PAGE, DAXSTACK_CACHED), dir, keep;

	dir = MUST(open("stack", O_RDONLY | O_DIRECTORY));
	keep = MUST(heat_ioctl(fd, 0));
	dxs_pread(fd, &byte, 1, 0);
	dxs_is(FD_CLOEXEC, fcntl(keep, F_GETFD),
	       "session descriptor is close-on-exec");
	test_open_errors(dir);
	test_read_errors(dir);
	close(keep);
	close(dir);
	close(fd);
}

/* --- Several sessions. */

static void test_windows(void)
{
	struct heat *first = session(true), *other;
	char err[256] = "";

	other = heat_open("stack", true, err, sizeof(err));
	dxs_ok(!other && strstr(err, "another program measures it"),
	       "windows have one owner");
	other = session(false);
	heat_close(first);
	first = heat_open("stack", true, err, sizeof(err));
	dxs_ok(first, "windows get a new owner after the first session ends");
	heat_close(first);
	heat_close(other);
}

static void test_all(void)
{
	int old = make("stack/old", 3 * PAGE, DAXSTACK_CACHED);
	struct heat *heat = session(false);
	int fd = make("stack/new", PAGE, DAXSTACK_CACHED);

	read_out(heat, false, false, 0);
	dxs_ok(told(heat, fd) && !told(heat, old),
	       "only used files are reported");
	read_out(heat, true, false, 0);
	dxs_ok(told(heat, fd) && told(heat, old), "all files are reported");
	dxs_is(3, must_tell(heat, old).pages, "pages of an unused file");
	dxs_is(0, must_tell(heat, old).by_mode[0].reads,
	       "unused file: no reads");
	read_out(heat, false, false, 0);
	dxs_ok(!told(heat, old),
	       "unused file is not reported unless asked for");
	dxs_pread(old, &byte, 1, 0);
	read_out(heat, false, false, 0);
	dxs_is(1, must_tell(heat, old).by_mode[0].reads,
	       "unused file: one read");
	close(old);
	close(fd);
	heat_close(heat);
}

/* Reads with buffers of all sizes return each file once, by inode number. */
static void test_pieces(void)
{
	struct daxstack_heat_file files[FILES];
	int fd, i, dir = MUST(open("stack", O_RDONLY | O_DIRECTORY));
	int heat = MUST(heat_ioctl(dir, 0));
	unsigned int max, nr;
	char path[64];
	bool sorted;

	MUST(mkdir("stack/many", 0755));
	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "stack/many/%d", i);
		fd = make(path, 1, DAXSTACK_CACHED);
		close(fd);
	}
	for (max = 1; max <= FILES; max = max * 2 + 1) {
		struct daxstack_heat_read arg = { .max = max };

		for (nr = 0, sorted = true; nr < FILES; nr += arg.count) {
			arg.files = (uintptr_t)(files + nr);
			if (arg.max > FILES - nr)
				arg.max = FILES - nr;
			MUST(ioctl(heat, DAXSTACK_IOC_HEAT_READ, &arg));
			if (!arg.count || !arg.cursor)
				break;
		}
		nr += arg.cursor ? 0 : arg.count;
		for (i = 1; i < (int)nr; i++)
			sorted &= files[i].ino > files[i - 1].ino;
		dxs_ok(nr == FILES && sorted, "%d files in reads of %u", FILES,
		       max);
	}
	close(heat);
	close(dir);
}

/* Counting ends with the process, however it ends. */
static void test_killed(void)
{
	int fd = make("stack/killed", PAGE, DAXSTACK_CACHED), ends[2];
	struct heat *heat;
	pid_t pid;

	MUST(pipe(ends));
	pid = MUST(fork());
	if (!pid) {
		session(true);
		dxs_pread(fd, &byte, 1, 0);
		MUST(write(ends[1], "", 1));
		pause();
	}
	MUST(read(ends[0], &byte, 1));
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	dxs_pread(fd, &byte, 1, 0);
	heat = session(true);
	read_out(heat, false, false, 0);
	dxs_ok(!told(heat, fd), "counts end with the killed session");
	dxs_pread(fd, &byte, 1, 0);
	read_out(heat, false, false, 0);
	dxs_is(1, must_tell(heat, fd).by_mode[0].reads,
	       "counting starts from zero");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	heat_close(heat);
}

/* H82: counters go with the inode; ext4 and XFS soon reuse its number. */
static void test_gone(void)
{
	struct heat *heat = session(true);
	size_t nr;
	int fd, i;

	for (i = 0; i < 20; i++) {
		fd = make("stack/gone", PAGE, i % 2);
		MUST(unlink("stack/gone"));
		close(fd);
	}
	read_out(heat, true, true, 1);
	heat_files(heat, &nr);
	dxs_is(0, nr, "removed files are not reported");
	heat_close(heat);
}

/* H83: fault-around is counted, also for a file mapped before the session. */
static void test_mapped_before(void)
{
	int fd = make("stack/before", 2 * WINDOW, DAXSTACK_CACHED);
	void *area = map(fd, 2 * WINDOW);
	struct heat *heat;

	load(area);
	MUST(madvise(area, 2 * WINDOW, MADV_DONTNEED));
	heat = session(false);
	load(area);
	load(area + WINDOW);
	read_out(heat, false, false, 0);
	dxs_is(2, must_tell(heat, fd).by_mode[0].read_faults,
	       "mapped before the session: faults");
	MUST(munmap(area, 2 * WINDOW));
	close(fd);
	heat_close(heat);
}

void test_sessions(void)
{
	test_gone();
	test_pieces();
	test_windows();
	test_all();
	test_killed();
	test_mapped_before();
}

/* --- Names. */

static void is_name(struct heat *heat, int fd, const char *expected,
		    const char *name)
{
	struct daxstack_heat_file file = must_tell(heat, fd);
	char path[4096] = "";
	int error = -heat_name(heat, file.ino, file.generation, path,
			       sizeof(path));

	if (expected)
		dxs_str(expected, path, "%s", name);
	else
		dxs_errno(ENOENT, error, "%s", name);
}

void test_names(void)
{
	struct heat *heat = session(false), *part;
	struct daxstack_heat_file file;
	char path[8], err[256];
	int fd;

	MUST(mkdir("stack/a b", 0755));
	MUST(mkdir("stack/bound", 0755));
	fd = make("stack/a b/\n\x01", PAGE, DAXSTACK_CACHED);
	read_out(heat, false, false, 0);
	file = must_tell(heat, fd);
	is_name(heat, fd, "a b/\n\x01", "name of any bytes");
	dxs_errno(ENAMETOOLONG, -heat_name(heat, file.ino, file.generation, path,
					   6), "buffer that is too small");
	dxs_errno(0, -heat_name(heat, file.ino, file.generation, path, 7),
		  "buffer that is just large enough");
	dxs_errno(ENOENT, -heat_name(heat, file.ino, file.generation + 1, path,
				     sizeof(path)), "wrong generation");
	dxs_errno(ENOENT, -heat_name(heat, 1ull << 40, 0, path, sizeof(path)),
		  "unknown inode number");
	MUST(rename("stack/a b/\n\x01", "stack/a b/other"));
	is_name(heat, fd, "a b/other", "new name");

	MUST(mount("stack/a b", "stack/bound", NULL, MS_BIND, NULL));
	part = heat_open("stack/bound", false, err, sizeof(err));
	if (!part)
		dxs_bail("bind mount: %s", err);
	read_out(part, false, false, 0);
	is_name(part, fd, "other", "below the mounted directory");
	MUST(rename("stack/a b/other", "stack/outside"));
	is_name(part, fd, NULL, "outside the mounted directory");
	heat_close(part);
	MUST(umount("stack/bound"));

	MUST(unlink("stack/outside"));
	is_name(heat, fd, NULL, "unlinked");
	close(fd);
	heat_close(heat);
}

static void is_open(struct heat *heat, const struct daxstack_heat_file *file,
		    int error, const char *name)
{
	char path[4096];
	int fd = heat_file_open(heat, file->ino, file->generation, path,
				sizeof(path));

	dxs_errno(error, fd < 0 ? -fd : 0, "%s", name);
	if (fd >= 0) {
		struct stat st;

		MUST(fstat(fd, &st));
		if (st.st_ino != file->ino)
			dxs_ok(false, "%s: another file was opened", name);
		close(fd);
	}
}

void test_open(void)
{
	struct heat *heat = session(false);
	struct daxstack_heat_file file;
	int fd;

	MUST(mkdir("stack/dir", 0755));
	fd = make("stack/dir/file", PAGE, DAXSTACK_CACHED);
	read_out(heat, false, false, 0);
	file = must_tell(heat, fd);
	is_open(heat, &file, 0, "opened");
	/* Another mount covers the path that the kernel's name leads to. */
	MUST(mount("none", "stack/dir", "tmpfs", 0, NULL));
	MUST(symlink("/etc/passwd", "stack/dir/file"));
	is_open(heat, &file, ESTALE,
		"a mount that covers the path is not entered");
	MUST(umount("stack/dir"));
	is_open(heat, &file, 0, "opened again");
	file.generation++;
	is_open(heat, &file, ENOENT, "wrong generation");
	close(fd);
	heat_close(heat);
}

/* --- The mount goes away. */

static void is_over(struct heat *heat, const struct daxstack_heat_file *file)
{
	char path[64];

	dxs_errno(ENODEV, heat_read(heat, false, false, 0),
		  "read after umount");
	dxs_errno(ENODEV, heat_read(heat, true, true, 4),
		  "read of all files after umount");
	dxs_errno(ENODEV, -heat_name(heat, file->ino, file->generation, path,
				     sizeof(path)), "name after umount");
}

static pid_t reader(struct heat *heat)
{
	pid_t pid = MUST(fork());
	int error;

	if (pid)
		return pid;
	do {
		error = heat_read(heat, true, true, 2);
	} while (!error);
	_exit(error == ENODEV ? 0 : 1);
}

/* H82: no reader may be active when the superblock goes away. */
void test_umount(void)
{
	struct daxstack_heat_file file;
	struct heat *heat, *other;
	int fd, i, round, status;
	char path[64];
	pid_t pids[4];

	heat = session(true);
	fd = make("stack/file", PAGE, DAXSTACK_CACHED);
	read_out(heat, false, false, 0);
	file = must_tell(heat, fd);
	close(fd);
	dxs_umount_stack();
	is_over(heat, &file);
	dxs_mount_stack();
	other = session(true);
	is_over(heat, &file);
	heat_close(heat);
	read_out(other, false, false, 0);
	heat_close(other);

	for (round = 0; round < 4; round++) {
		for (i = 0; i < FILES; i++) {
			snprintf(path, sizeof(path), "stack/%d", i);
			close(make(path, PAGE, i % 2));
		}
		heat = session(true);
		for (i = 0; i < (int)ARRAY_SIZE(pids); i++)
			pids[i] = reader(heat);
		dxs_sleep_ms(100 * round);
		/* The descriptors belong to the session, not to the mount. */
		MUST(umount("stack"));
		for (i = 0; i < (int)ARRAY_SIZE(pids); i++) {
			MUST(waitpid(pids[i], &status, 0));
			dxs_is(0, status, "a reader gets ENODEV after umount");
		}
		heat_close(heat);
		dxs_mount_stack();
	}
}
