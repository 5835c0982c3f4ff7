// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared helpers of the tests. See dxs_test.h.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fts.h>
#include <libmount.h>
#include <limits.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dxs_test.h"

extern char **environ;

const char *dxs_fs;
const char *dxs_pmem;

static int tests;
static int failures;
static pid_t main_pid;
static char work_dir[32] = "/tmp/daxstack-test.XXXXXX";
static int kmsg = -1;

/* --- TAP. */

static void vdiag(const char *text, va_list args)
{
	char *all, *line, *rest;

	if (vasprintf(&all, text, args) < 0)
		abort();
	rest = all;
	while ((line = strsep(&rest, "\n")))
		if (*line || rest)
			printf("# %s\n", line);
	free(all);
	fflush(stdout);
}

void dxs_diag(const char *text, ...)
{
	va_list args;

	va_start(args, text);
	vdiag(text, args);
	va_end(args);
}

static bool vok(bool pass, const char *name, va_list args)
{
	tests++;
	failures += !pass;
	printf("%sok %d - ", pass ? "" : "not ", tests);
	vprintf(name, args);
	printf("\n");
	fflush(stdout);
	return pass;
}

bool dxs_ok(bool pass, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	vok(pass, name, args);
	va_end(args);
	return pass;
}

bool dxs_is(long long expected, long long seen, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	if (!vok(expected == seen, name, args))
		dxs_diag("expected: %lld (%#llx)\nseen:     %lld (%#llx)",
			 expected, expected, seen, seen);
	va_end(args);
	return expected == seen;
}

static const char *errno_name(int err)
{
	return (err ? strerrorname_np(err) : "success") ?: "unknown errno";
}

bool dxs_errno(int expected, int seen, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	if (!vok(expected == seen, name, args))
		dxs_diag("expected: %s (%d)\nseen:     %s (%d)",
			 errno_name(expected), expected,
			 errno_name(seen), seen);
	va_end(args);
	return expected == seen;
}

bool dxs_str(const char *expected, const char *seen, const char *name, ...)
{
	bool same = expected && seen && !strcmp(expected, seen);
	va_list args;

	va_start(args, name);
	if (!vok(same, name, args))
		dxs_diag("expected: '%s'\nseen:     '%s'",
			 expected ?: "(null)", seen ?: "(null)");
	va_end(args);
	return same;
}

void dxs_skip(const char *reason, const char *name, ...)
{
	va_list args;

	tests++;
	printf("ok %d - ", tests);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	printf(" # SKIP %s\n", reason);
	fflush(stdout);
}

void dxs_bail(const char *text, ...)
{
	va_list args;

	/* Not "Bail out!", which would end the tests that follow as well. */
	printf("not ok %d - cannot continue: ", ++tests);
	va_start(args, text);
	vprintf(text, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	exit(1);
}

/* --- Start and end. */

/* On an unplanned exit, leave nothing mounted. */
static void clean_up(void)
{
	if (getpid() != main_pid || chdir(work_dir))
		return;
	while (!umount2("stack", MNT_DETACH))
		;
	while (!umount2("lower", MNT_DETACH))
		;
	if (!chdir("/")) {
		const char *const argv[] = { "rm", "-rf", "--one-file-system",
					     work_dir, NULL };
		dxs_run(argv);
	}
}

static void skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	exit(0);
}

void dxs_begin(void)
{
	dxs_fs = getenv("FS");
	dxs_pmem = getenv("PMEM");
	if (!dxs_fs || !dxs_pmem)
		skip_all("$FS and $PMEM are not set");
	if (strcmp(dxs_fs, "ext4") && strcmp(dxs_fs, "xfs"))
		skip_all("$FS is neither ext4 nor xfs");
	if (geteuid())
		skip_all("not root");

	umask(022);
	main_pid = getpid();
	if (!mkdtemp(work_dir))
		dxs_bail("%s: %m", work_dir);
	/* Tests run as other users need to enter it. */
	MUST(chmod(work_dir, 0755));
	MUST(chdir(work_dir));
	MUST(mkdir("stack", 0755));
	MUST(mkdir("lower", 0755));
	atexit(clean_up);
}

int dxs_done(void)
{
	printf("1..%d\n", tests);
	fflush(stdout);
	return failures || !tests;
}

bool dxs_on_xfs(void)
{
	return !strcmp(dxs_fs, "xfs");
}

bool dxs_kernel_from(int major, int minor)
{
	struct utsname name;
	int a, b;

	MUST(uname(&name));
	if (sscanf(name.release, "%d.%d", &a, &b) != 2)
		dxs_bail("unexpected kernel release %s", name.release);
	return a > major || (a == major && b >= minor);
}

/* --- Programs. */

static int wait_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			dxs_bail("waitpid: %m");
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

int dxs_run_read(char *out, size_t size, const char *const argv[])
{
	posix_spawn_file_actions_t actions;
	size_t len = 0;
	int ends[2];
	pid_t pid;
	int err;

	MUST(pipe2(ends, O_CLOEXEC));
	fflush(stdout);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
	err = posix_spawnp(&pid, argv[0], &actions, NULL,
			   (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	for (;;) {
		char rest[512];
		bool full = len + 1 >= size;
		ssize_t n = read(ends[0], full ? rest : out + len,
				 full ? sizeof(rest) : size - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (!full)
			len += n;
	}
	close(ends[0]);
	if (size)
		out[len] = 0;
	return err ? 127 : wait_status(pid);
}

int dxs_run(const char *const argv[])
{
	char out[8192];
	int status = dxs_run_read(out, sizeof(out), argv);

	if (status)
		dxs_diag("%s: exit status %d\n%s", argv[0], status, out);
	return status;
}

bool dxs_wanted(const char *name, char *const names[])
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

static void begin_fs(void)
{
	dxs_mkfs(NULL);
	dxs_mount_stack();
}

static void end_fs(void)
{
	dxs_umount_stack();
	dxs_fsck();
}

static void run_part(const struct dxs_part *part, bool fresh)
{
	double start = dxs_now();

	dxs_diag("%s", part->name);
	if (fresh)
		begin_fs();
	part->run();
	if (fresh)
		end_fs();
	dxs_diag("%s: %.1f s", part->name, dxs_now() - start);
}

void dxs_run_parts(const struct dxs_part *parts, size_t nr, char *const names[],
		   bool fresh)
{
	char *const *name;
	size_t i;

	for (name = names; *name; name++) {
		for (i = 0; i < nr && strcmp(parts[i].name, *name); i++)
			;
		if (i == nr)
			dxs_bail("%s: no such part of the test", *name);
	}
	if (!fresh)
		begin_fs();
	for (i = 0; i < nr; i++)
		if (dxs_wanted(parts[i].name, names))
			run_part(&parts[i], fresh);
	if (!fresh)
		end_fs();
}

/* --- Files of /proc, /sys and the like. */

bool dxs_put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return done;
}

void dxs_must_put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		dxs_bail("%s: %m", path);
	close(fd);
}

long dxs_minor_faults(void)
{
	struct rusage usage;

	MUST(getrusage(RUSAGE_SELF, &usage));
	return usage.ru_minflt;
}

/* --- Filesystems. */

void dxs_mkfs(const char *device)
{
	device = device ?: dxs_pmem;
	if (dxs_on_xfs() ? DXS_RUN("mkfs.xfs", "-q", "-f", device) :
			   DXS_RUN("mkfs.ext4", "-q", "-F", "-b", "4096", device))
		dxs_bail("cannot create %s on %s", dxs_fs, device);
}

int dxs_mount(const char *source, const char *target, const char *type,
	      const char *options)
{
	struct libmnt_context *context = mnt_new_context();
	int err;

	if (!context)
		dxs_bail("libmount: no memory");
	/* Test the kernel, not a mount.daxstack helper. */
	mnt_context_disable_helpers(context, 1);
	err = mnt_context_set_source(context, source) ?:
		mnt_context_set_target(context, target) ?:
		mnt_context_set_fstype(context, type) ?:
		mnt_context_set_options(context, options);
	if (!err)
		err = mnt_context_mount(context);
	mnt_free_context(context);
	/* Errors of libmount are negative, errnos of the kernel positive. */
	return abs(err);
}

int dxs_umount(const char *target)
{
	return ERR(umount2(target, 0));
}

void dxs_mount_stack(void)
{
	char options[32];
	int err;

	snprintf(options, sizeof(options), "lower=%s", dxs_fs);
	err = dxs_mount(dxs_pmem, "stack", "daxstack", options);
	if (err)
		dxs_bail("mount -t daxstack -o %s %s: %s", options, dxs_pmem,
			 strerror(err));
}

void dxs_remount(const char *options)
{
	if (mount(NULL, "stack", NULL, MS_REMOUNT, options))
		dxs_bail("remount with %s: %m", options);
}

void dxs_mount_lower(void)
{
	int err = dxs_mount(dxs_pmem, "lower", dxs_fs, "dax=inode");

	if (err)
		dxs_bail("mount -t %s -o dax=inode %s: %s", dxs_fs, dxs_pmem,
			 strerror(err));
}

void dxs_umount_stack(void)
{
	int err = dxs_umount("stack");

	if (err)
		dxs_bail("umount stack: %s", strerror(err));
}

void dxs_umount_lower(void)
{
	int err = dxs_umount("lower");

	if (err)
		dxs_bail("umount lower: %s", strerror(err));
}

bool dxs_fsck(void)
{
	int status = dxs_on_xfs() ? DXS_RUN("xfs_repair", "-n", dxs_pmem) :
				    DXS_RUN("e2fsck", "-f", "-n", dxs_pmem);

	return dxs_is(0, status, "fsck finds no errors");
}

void dxs_log_mark(void)
{
	if (kmsg < 0)
		kmsg = MUST(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	MUST(lseek(kmsg, 0, SEEK_END));
}

bool dxs_log_has(const char *text)
{
	char line[8192];
	bool found = false;
	ssize_t n;

	for (;;) {
		n = read(kmsg, line, sizeof(line) - 1);
		if (n < 0 && errno == EPIPE)
			continue;	/* lines were overwritten */
		if (n < 0)
			return found;
		line[n] = 0;
		found |= !!strstr(line, text);
	}
}

void dxs_expect(const char *pattern)
{
	int fd = MUST(open("/dev/kmsg", O_WRONLY | O_CLOEXEC));
	char *line;
	int len;

	/*
	 * Log it as a warning, so that it reaches the console (scripts/vm/guest).
	 * Each write(2) to /dev/kmsg is one record, and a record without a
	 * newline is not shown yet; stdio would try to seek.
	 */
	if (pattern)
		len = asprintf(&line, "<4>dxs_test: expects: %s\n", pattern);
	else
		len = asprintf(&line, "<4>dxs_test: expects no more\n");
	if (len < 0)
		abort();
	MUST(write(fd, line, len));
	free(line);
	close(fd);
}

void dxs_pin(int ends[2], void *page)
{
	struct iovec iov = { page, 8 };

	MUST(pipe(ends));
	if (MUST(vmsplice(ends[1], &iov, 1, 0)) != 8)
		dxs_bail("vmsplice: short");
}

void dxs_unpin(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

void *dxs_map_sync(int fd, size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
}

/* --- Modes. */

int dxs_mode(int fd)
{
	struct statx stx;

	MUST(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx));
	if (!(stx.stx_attributes_mask & STATX_ATTR_DAX))
		dxs_bail("statx does not report STATX_ATTR_DAX");
	return stx.stx_attributes & STATX_ATTR_DAX ? DAXSTACK_DAX :
						     DAXSTACK_CACHED;
}

const char *dxs_mode_name(int mode)
{
	return mode == DAXSTACK_DAX ? "dax" : "cached";
}

int dxs_switch(int fd, int mode, int timeout_ms, struct daxstack_switch *sw)
{
	struct daxstack_switch arg = { .mode = mode, .timeout_ms = timeout_ms };
	int err = ERR(ioctl(fd, DAXSTACK_IOC_SWITCH, &arg));

	if (sw)
		*sw = arg;
	return err;
}

void dxs_set_mode(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	int error = dxs_switch(fd, mode, 0, NULL);

	if (error)
		dxs_bail("%s: not switched: %s", path, strerror(error));
	close(fd);
}

int dxs_set_xflag(int fd, int mode)
{
	struct fsxattr fsx;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	if (mode == DAXSTACK_DAX)
		fsx.fsx_xflags |= FS_XFLAG_DAX;
	else
		fsx.fsx_xflags &= ~FS_XFLAG_DAX;
	return ERR(ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
}

bool dxs_xflag(int fd)
{
	struct fsxattr fsx;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	return fsx.fsx_xflags & FS_XFLAG_DAX;
}

int dxs_mode_of(const char *path)
{
	int fd = MUST(open(path, O_RDONLY));
	int mode = dxs_mode(fd);

	close(fd);
	return mode;
}

bool dxs_xflag_of(const char *path)
{
	int fd = MUST(open(path, O_RDONLY));
	bool flag = dxs_xflag(fd);

	close(fd);
	return flag;
}

void dxs_count_modes(const char *path, int mode, int *modes, int *flags)
{
	char *const paths[] = { (char *)path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *ent;

	*modes = 0;
	*flags = 0;
	while ((ent = fts_read(fts))) {
		if (ent->fts_info != FTS_F && ent->fts_info != FTS_D)
			continue;
		if (ent->fts_info == FTS_F)
			*modes += dxs_mode_of(ent->fts_path) == mode;
		*flags += dxs_xflag_of(ent->fts_path) == (mode == DAXSTACK_DAX);
	}
	fts_close(fts);
}

bool dxs_to(int fd, int mode, const char *name)
{
	struct daxstack_switch sw;
	int err = dxs_switch(fd, mode, 30000, &sw);

	if (!err && sw.reason == DAXSTACK_REASON_NONE && dxs_mode(fd) == mode)
		return true;
	dxs_ok(false, "%s: switch to %s", name, dxs_mode_name(mode));
	dxs_diag("seen: %s, reason %s, mode %s", errno_name(err),
		 dxs_reason_name(sw.reason), dxs_mode_name(dxs_mode(fd)));
	return false;
}

static const struct {
	const char *name;
	int err;
} reasons[] = {
#define REASON(name, err, text) { #name, err },
	DAXSTACK_REASONS(REASON)
#undef REASON
};

const char *dxs_reason_name(unsigned int reason)
{
	return reason < ARRAY_SIZE(reasons) ? reasons[reason].name : "unknown";
}

bool dxs_refused(int fd, int mode, int reason, const char *name)
{
	int before = dxs_mode(fd);
	bool flag = dxs_xflag(fd);
	struct daxstack_switch sw;
	int err = dxs_switch(fd, mode, 0, &sw);
	int after = dxs_mode(fd);
	bool flag_after = dxs_xflag(fd);
	bool pass = err == reasons[reason].err && (int)sw.reason == reason &&
		!sw.switched && before == after && flag == flag_after;

	if (!dxs_ok(pass, "%s: switch to %s is refused: %s", name,
		    dxs_mode_name(mode), reasons[reason].name))
		dxs_diag("expected: %s, reason %s, mode %s, flag %d\n"
			 "seen:     %s, reason %s, mode %s, flag %d, switched %u, attempts %u",
			 errno_name(reasons[reason].err), reasons[reason].name,
			 dxs_mode_name(before), flag, errno_name(err),
			 dxs_reason_name(sw.reason), dxs_mode_name(after),
			 flag_after, sw.switched, sw.attempts);
	return pass;
}

/* --- File contents. */

uint8_t dxs_byte(uint32_t seed, off_t pos)
{
	uint32_t x = seed * 2654435761u ^ (uint32_t)(pos >> 2) * 2246822519u;

	/* Never 0: a hole reads as 0. */
	x ^= x >> 15;
	return (x >> 8 * (pos & 3)) | 1;
}

void dxs_fill(void *buf, size_t len, uint32_t seed, off_t pos)
{
	uint8_t *to = buf;
	size_t i;

	for (i = 0; i < len; i++)
		to[i] = dxs_byte(seed, pos + i);
}

bool dxs_same(const void *expected, const void *seen, size_t len, off_t pos,
	      const char *what)
{
	const uint8_t *a = expected, *b = seen;
	size_t i, wrong = 0, first = 0, last = 0;

	if (!memcmp(a, b, len))
		return true;
	for (i = 0; i < len; i++) {
		if (a[i] == b[i])
			continue;
		if (!wrong++)
			first = i;
		last = i;
	}
	dxs_diag("%s: %zu bytes differ between %#llx and %#llx\n"
		 "first difference: expected %#04x, seen %#04x",
		 what, wrong, (long long)pos + first, (long long)pos + last,
		 a[first], b[first]);
	return false;
}

void dxs_pwrite(int fd, const void *buf, size_t len, off_t pos)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, pos);

		if (n <= 0)
			dxs_bail("pwrite of %zu at %lld: %m", len,
				 (long long)pos);
		buf = (const char *)buf + n;
		len -= n;
		pos += n;
	}
}

void dxs_pread(int fd, void *buf, size_t len, off_t pos)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, pos);

		if (n < 0)
			dxs_bail("pread of %zu at %lld: %m", len,
				 (long long)pos);
		if (!n)
			dxs_bail("pread of %zu at %lld: end of file", len,
				 (long long)pos);
		buf = (char *)buf + n;
		len -= n;
		pos += n;
	}
}

void *dxs_alloc(size_t len)
{
	void *buf;

	if (posix_memalign(&buf, PAGE, len))
		dxs_bail("no memory");
	memset(buf, 0, len);
	return buf;
}

double dxs_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* --- A clock that stops while the guest does not run. */

#define BEAT_MS		4

static atomic_ulong *beats;	/* shared with the counter, one per CPU */
static int beat_cpus;

static void *beat(void *arg)
{
	long cpu = (long)arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		return NULL;
	for (;;) {
		dxs_sleep_ms(BEAT_MS);
		beats[cpu]++;
	}
}

/* Exits soon after the test. Holds none of its files and is not its child. */
static void count_beats(pid_t test)
{
	pthread_t thread;
	sigset_t all;
	long cpu;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	if (chdir("/") || close_range(0, ~0U, 0))
		_exit(1);
	for (cpu = 0; cpu < beat_cpus; cpu++)
		if (pthread_create(&thread, NULL, beat, (void *)cpu))
			_exit(1);
	while (!kill(test, 0))
		dxs_sleep_ms(1000);
	_exit(0);
}

void dxs_watch_begin(void)
{
	pid_t test = getpid(), pid;
	int cpu;

	beat_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (beat_cpus > DXS_CPUS)
		beat_cpus = DXS_CPUS;
	beats = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	/* A grandchild, because some tests wait for all of their children. */
	pid = MUST(fork());
	if (!pid) {
		pid = fork();
		if (!pid)
			count_beats(test);
		_exit(pid < 0);
	}
	if (wait_status(pid))
		dxs_bail("cannot start the counting process");
	for (cpu = 0; cpu < beat_cpus; cpu++)
		while (!beats[cpu])
			dxs_sleep_ms(1);
}

struct dxs_watch dxs_watch(void)
{
	struct dxs_watch now = { 0 };
	int cpu;

	if (!beats)
		dxs_bail("dxs_watch_begin() was not called");
	for (cpu = 0; cpu < beat_cpus; cpu++)
		now.beats[cpu] = beats[cpu];
	return now;
}

double dxs_watched(const struct dxs_watch *since)
{
	unsigned long least = ULONG_MAX, count;
	int cpu;

	for (cpu = 0; cpu < beat_cpus; cpu++) {
		count = beats[cpu] - since->beats[cpu];
		if (count < least)
			least = count;
	}
	return least * BEAT_MS / 1000.0;
}

bool dxs_ends(pid_t pid, double seconds, int *status)
{
	struct dxs_watch begin = dxs_watch();

	while (MUST(waitpid(pid, status, WNOHANG)) != pid) {
		if (dxs_watched(&begin) > seconds * dxs_slow())
			return false;
		dxs_sleep_ms(5);
	}
	return true;
}

int dxs_slow(void)
{
	const char *slow = getenv("DAXSTACK_SLOW");

	return slow ? atoi(slow) : 1;
}

void dxs_sleep_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}
