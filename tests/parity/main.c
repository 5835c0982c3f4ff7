// SPDX-License-Identifier: GPL-2.0-only
/*
 * parity: makes the same system calls on the lower filesystem alone and on the
 * stack, and asserts that the recorded results are the same line by line. Each
 * subject is a group of calls.
 *
 * Usage: parity [SUBJECT...]     such as ACLs, access-times
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "parity.h"

const struct subject subjects[] = {
	{ "names", run_names, false },
	{ "symlinks", run_symlinks, false },
	{ "links", run_links, true },
	{ "times", run_times, false },
	{ "access times", run_atimes, false },
	{ "permissions", run_permissions, false },
	{ "special bits", run_special_bits, false },
	{ "capabilities", run_capabilities, false },
	{ "ACLs", run_acls, false },
	{ "ACLs, more", run_lists, false },
	{ "xattrs", run_xattrs, false },
	{ "attributes", run_attributes, false },
	{ "devices", run_devices, true },
	{ "sockets", run_sockets, true },
	{ "locks", run_locks, false },
	{ "leases", run_leases, false },
	{ "leases, more", run_lease_breaks, false },
	{ "inotify", run_inotify, false },
	{ "fanotify", run_fanotify, false },
	{ "dnotify", run_dnotify, false },
	{ "SIGIO", run_async_events, false },
	{ "libaio", run_aio, false },
	{ "io_uring", run_uring, false },
	{ "newer calls", run_newer, false },
	{ "mappings", run_mapped, false },
	{ "programs", run_exec, false },
	{ "libraries", run_libraries, false },
	{ "handles", run_handles, false },
	{ "sizes", run_sizes, false },
	{ "views of the mount", run_views, false },
	{ "a full device", run_full, false },
};

bool on_stack;
int mode;

/* --- Results: text in memory shared with children. */

#define MOST	(1024 * 1024)

struct transcript {
	size_t len;
	char text[MOST];
};

/* The results of each subject, on each side and in each mode. */
static struct transcript *all[ARRAY_SIZE(subjects)][2][2];
static struct transcript *now;

static void put(const char *line)
{
	size_t len = strlen(line);

	if (now->len + len + 1 >= MOST)
		dxs_bail("too many lines");
	memcpy(now->text + now->len, line, len + 1);
	now->len += len;
	now->text[now->len++] = '\n';
	now->text[now->len] = 0;
}

void note(const char *text, ...)
{
	char line[1024];
	va_list args;

	va_start(args, text);
	vsnprintf(line, sizeof(line), text, args);
	va_end(args);
	put(line);
}

long tell_ret(const char *call, long ret)
{
	int err = errno;

	if (ret == -1)
		note("%s: %s", call, strerrorname_np(err) ?: "unknown errno");
	else
		note("%s: %ld", call, ret);
	errno = err;
	return ret;
}

int tell_fd(const char *call, int fd)
{
	tell_ret(call, fd < 0 ? fd : 0);
	return fd;
}

/* --- Helpers of the subjects. */

void in_child(void (*run)(void))
{
	pid_t pid = MUST(fork());
	int status;

	if (!pid) {
		run();
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0));
	if (status)
		note("ended with status %#x", status);
}

static uid_t user;
static void (*run_as)(void);

static void run_as_user(void)
{
	gid_t gid = user;

	MUST(setgroups(0, NULL));
	MUST(setresgid(gid, gid, gid));
	MUST(setresuid(user, user, user));
	run_as();
}

void as_user(uid_t uid, void (*run)(void))
{
	user = uid;
	run_as = run;
	in_child(run_as_user);
}

int make_file(const char *name, size_t len)
{
	int fd = MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
	uint8_t buf[PAGE];
	size_t done, n;

	for (done = 0; done < len; done += n) {
		n = len - done < PAGE ? len - done : PAGE;
		dxs_fill(buf, n, 1, done);
		dxs_pwrite(fd, buf, n, done);
	}
	return fd;
}

void has_text(const char *name, const char *text)
{
	char seen[512];
	ssize_t n;
	int fd = open(name, O_RDONLY);

	if (fd < 0) {
		note("%s: %s", name, strerrorname_np(errno));
		return;
	}
	n = MUST(read(fd, seen, sizeof(seen) - 1));
	close(fd);
	seen[n] = 0;
	if (strcmp(seen, text))
		note("%s: \"%s\", not \"%s\"", name, seen, text);
}

/*
 * Timestamps advance with the timer tick, which comes late on a busy emulated
 * machine.
 */
void next_tick(void)
{
	struct timespec from, to;

	MUST(clock_gettime(CLOCK_REALTIME_COARSE, &from));
	do {
		dxs_sleep_ms(1);
		MUST(clock_gettime(CLOCK_REALTIME_COARSE, &to));
	} while (to.tv_sec == from.tv_sec && to.tv_nsec == from.tv_nsec);
}

/* --- Running the subjects. */

static void set_flag(int fd)
{
	struct fsxattr attr;

	MUST(ioctl(fd, FS_IOC_FSGETXATTR, &attr));
	attr.fsx_xflags |= FS_XFLAG_DAX;
	MUST(ioctl(fd, FS_IOC_FSSETXATTR, &attr));
}

/*
 * Subjects named on the command line, with dashes for blanks; all without
 * arguments.
 */
static char **wanted;

static bool is_wanted(const char *name)
{
	char dashed[64], *at;
	char **w;

	snprintf(dashed, sizeof(dashed), "%s", name);
	for (at = dashed; *at; at++)
		if (*at == ' ')
			*at = '-';
	for (w = wanted; *w; w++)
		if (!strcmp(*w, dashed))
			return true;
	return !*wanted;
}

static void run_in_mode(const char *side)
{
	char dir[32];
	size_t i;
	int fd, probe;

	snprintf(dir, sizeof(dir), "%s/%s", side, dxs_mode_name(mode));
	MUST(mkdir(dir, 0755));
	fd = MUST(open(dir, O_RDONLY | O_DIRECTORY));
	if (mode == DAXSTACK_DAX)
		set_flag(fd);
	probe = MUST(openat(fd, "probe", O_RDWR | O_CREAT, 0644));
	if (dxs_mode(probe) != mode)
		dxs_bail("%s: files are not in %s mode", dir, dxs_mode_name(mode));
	close(probe);
	for (i = 0; i < ARRAY_SIZE(subjects); i++) {
		if (subjects[i].once && mode == DAXSTACK_DAX)
			continue;
		if (!is_wanted(subjects[i].name))
			continue;
		MUST(mkdirat(fd, subjects[i].name, 0755));
		MUST(fchdir(fd));
		MUST(chdir(subjects[i].name));
		umask(022);
		now = all[i][on_stack][mode];
		in_child(subjects[i].run);
		MUST(chdir("../../.."));
	}
	close(fd);
}

static void run_side(void)
{
	const char *side = on_stack ? "stack" : "lower";

	dxs_mkfs(NULL);
	if (on_stack)
		dxs_mount_stack();
	else
		dxs_mount_lower();
	mode = DAXSTACK_CACHED;
	run_in_mode(side);
	mode = DAXSTACK_DAX;
	run_in_mode(side);
	if (on_stack)
		dxs_umount_stack();
	else
		dxs_umount_lower();
	dxs_fsck();
}

/* --- Comparison. */

static char *next_line(char **text)
{
	return strsep(text, "\n");
}

static void compare(const struct subject *subject, struct transcript *sides[2])
{
	char *lower = sides[0]->text, *stack = sides[1]->text;
	char *l, *s;

	for (;;) {
		l = next_line(&lower);
		s = next_line(&stack);
		if (!l || !s || (!*l && !*s))
			break;
		if (!dxs_ok(!strcmp(l, s), "%s, %s: %s", subject->name,
			    dxs_mode_name(mode), l)) {
			dxs_diag("on the stack: %s", s);
			/* Lines after a difference need not correspond. */
			while ((s = next_line(&stack)) && *s)
				dxs_diag("then: %s", s);
			break;
		}
	}
}

static void *shared(size_t len)
{
	return MUST(mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

int main(int argc, char **argv)
{
	size_t i;
	int s, m;

	(void)argc;
	wanted = argv + 1;
	dxs_begin();
	for (i = 0; i < ARRAY_SIZE(subjects); i++)
		for (s = 0; s < 2; s++)
			for (m = 0; m < 2; m++)
				all[i][s][m] = shared(sizeof(*now));
	run_side();
	on_stack = true;
	run_side();
	for (i = 0; i < ARRAY_SIZE(subjects); i++) {
		for (mode = 0; mode < 2; mode++) {
			struct transcript *sides[2] = { all[i][0][mode],
				all[i][1][mode] };

			if (mode == DAXSTACK_CACHED || !subjects[i].once)
				compare(&subjects[i], sides);
		}
	}
	return dxs_done();
}
