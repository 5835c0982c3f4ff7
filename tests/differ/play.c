// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ: performs a sequence on both sides, and compares after each step.
 *
 * Times: between two steps the kernel's clock advances by at least a tick. So a
 * time that was not set by a step tells at which step it was taken, and the
 * comparison uses that step; times set by a step are compared as they are.
 * Timestamps have the resolution of ticks; from Linux 6.13 on also a finer one,
 * if the previous timestamp was queried meanwhile (multigrain timestamps).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "differ.h"

struct side sides[2] = {
	{ .name = "lower" },
	{ .name = "stack", .is_stack = true },
};

bool switching;

/* --- Times. */

/* Start of the setup, and of the steps. */
static struct {
	struct timespec *at;
	unsigned int count;
} begins;

static struct timespec coarse(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return ts;
}

static int compare_times(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

/* The coarse clock lags behind the fine one. */
static void wait_for_tick(void)
{
	struct timespec was, now;

	clock_gettime(CLOCK_REALTIME, &was);
	do {
		sched_yield();
		now = coarse();
	} while (compare_times(&was, &now) >= 0);
}

static void mark_begin(void)
{
	wait_for_tick();
	begins.at = reallocarray(begins.at, begins.count + 1,
				 sizeof(*begins.at));
	if (!begins.at)
		abort();
	begins.at[begins.count++] = coarse();
}

void say_time(struct text *out, const char *name, int64_t sec, uint32_t nsec)
{
	struct timespec ts = { sec, nsec }, now;
	unsigned int i = begins.count;

	clock_gettime(CLOCK_REALTIME, &now);
	while (i && compare_times(&ts, &begins.at[i - 1]) < 0)
		i--;
	if (i && compare_times(&ts, &now) <= 0)
		say(out, " %s @%u", name, i - 1);
	else
		say(out, " %s %lld.%09u", name, (long long)sec, nsec);
}

/* --- A directory for a sequence. */

static void go_into(const struct side *side)
{
	MUST(fchdir(side->dir));
}

static void make_plain(const char *name, size_t len, uint32_t seed)
{
	int fd = MUST(open(name, O_WRONLY | O_CREAT | O_EXCL, 0666));
	static char buf[3 * PAGE];

	dxs_fill(buf, len, seed, 0);
	dxs_pwrite(fd, buf, len, 0);
	close(fd);
}

static void set_up(struct side *side, unsigned int number)
{
	char name[24];
	int i;

	snprintf(name, sizeof(name), "s%u", number);
	MUST(mkdirat(side->top, name, 0777));
	side->up = MUST(openat(side->top, name, O_RDONLY | O_CLOEXEC));
	MUST(mkdirat(side->up, "w", 0777));
	side->dir = MUST(openat(side->up, "w", O_RDONLY | O_CLOEXEC));
	go_into(side);
	MUST(fchmod(side->up, 0777));
	MUST(fchmod(side->dir, 0777));
	for (i = 0; i < SLOTS; i++)
		side->slots[i] = -1;
	make_plain("a", 2 * PAGE + 100, 1);
	make_plain("b", 0, 2);
	MUST(mkdir("d0", 0777));
	MUST(chmod("d0", 0777));
	MUST(mkdir("d0/d2", 0755));
	make_plain("d0/a", 50, 3);
	MUST(mkdir("d1", 0755));
	make_plain("d1/a", 5000, 4);
	MUST(chmod("d1/a", 0644));
	make_plain("e", 300, 5);
	MUST(setxattr("a", "user.a", "hello", 5, 0));
	MUST(setxattr("d1/a", "user.a", "hello", 5, 0));
	MUST(setxattr("b", "trusted.a", "", 0, 0));
	/* Unprivileged callers get a file of their own, too. */
	MUST(chown("b", 1000, 1000));
	MUST(chown("d1", 1000, 1000));
	MUST(chown("d1/a", 1000, 1000));
	MUST(chown("e", 2000, 1000));
	MUST(symlink("a", "l"));
	MUST(symlink("d0", "dl"));
	MUST(symlink("loop", "loop"));
	MUST(mkfifo("f", 0666));
	side->slots[0] = MUST(open("a", O_RDWR | O_CLOEXEC));
	side->slots[1] = MUST(open("b", O_RDWR | O_CLOEXEC));
	side->slots[2] = MUST(open("d0", O_RDONLY | O_CLOEXEC));
	side->slots[3] = MUST(open("d1", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666));
}

static void unset_flags(int dirfd, const char *name)
{
	unsigned int flags = 0;
	int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW |
			O_CLOEXEC);

	if (fd < 0)
		return;
	if (!ioctl(fd, FS_IOC_GETFLAGS, &flags) &&
	    flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) {
		flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	close(fd);
}

static void remove_all(int dirfd, const char *name)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int fd;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		unset_flags(dirfd, name);
	if (!S_ISDIR(st.st_mode)) {
		unlinkat(dirfd, name, 0);
		return;
	}
	fd = MUST(openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	dir = fdopendir(fd);
	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			remove_all(fd, entry->d_name);
	closedir(dir);
	if (unlinkat(dirfd, name, AT_REMOVEDIR))
		dxs_bail("rmdir %s: %m", name);
}

static void tear_down(struct side *side, unsigned int number)
{
	char name[24];
	int i;

	drop_maps(side);
	for (i = 0; i < SLOTS; i++)
		if (side->slots[i] >= 0)
			close(side->slots[i]);
	close(side->dir);
	close(side->up);
	snprintf(name, sizeof(name), "s%u", number);
	unset_flags(side->top, name);
	MUST(fchdir(side->top));
	remove_all(side->top, name);
}

/* --- A step. */

static void do_step(struct side *side, const struct step *step)
{
	const struct kind *kind = kinds[step->kind];

	clear(&side->out);
	go_into(side);
	umask(step->umask);
	become(step->who);
	kind->run(side, step, &side->out);
	become(0);
	umask(0);
	say(&side->out, "\n");
}

static void look(struct side *side, const struct step *step, bool all)
{
	const struct kind *kind = kinds[step->kind];
	struct text *out = &side->out;
	unsigned int i;

	go_into(side);
	if (kind == &switch_kind || kind_uses(kind, "{s}"))
		look_at_fd(out, side->slots[step->slot[0]]);
	if (kind_uses(kind, "{t}"))
		look_at_fd(out, side->slots[step->slot[1]]);
	for (i = 0; i < 2; i++) {
		const char *path = path_of(step->path[i]);

		if (all || !kind_uses(kind, i ? "{q}" : "{p}"))
			continue;
		look_at_path(out, path);
		look_at_parent(out, path);
	}
	if (all)
		look_at_all(out);
}

/* The lines that only one side has, each below the line that names its file. */
static void say_lines(struct text *out, const char *text, const char *other)
{
	char line[400], of[400] = "";
	const char *end;

	for (; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
		if (!strncmp(line, "  ", 2) && line[2] != ' ')
			strcpy(of, line);
		if (!strncmp(line, "  ", 2) && strstr(other, line))
			continue;
		if (strcmp(of, line) && *of)
			say(out, "  %.60s...\n", of);
		say(out, "  %s\n", line);
		*of = 0;
	}
}

static void difference(struct text *report)
{
	int i;

	for (i = 0; i < 2; i++) {
		say(report, "%s:\n", sides[i].name);
		say_lines(report, sides[i].out.buf, sides[!i].out.buf);
	}
}

static void count(struct tally *tally, const struct step *step)
{
	tally->steps++;
	tally->done[step->kind]++;
	tally->well[step->kind] += !strstr(sides[0].out.buf, "= -1 ");
}

int play(const struct sequence *seq, unsigned int every, struct text *report,
	 struct tally *tally)
{
	static unsigned int number;
	int result = -1;
	unsigned int i;

	switching = seq->switching;
	begins.count = 0;
	number++;
	mark_begin();
	umask(0);
	set_up(&sides[0], number);
	set_up(&sides[1], number);
	for (i = 0; i < seq->count && result < 0; i++) {
		const struct step *step = &seq->steps[i];
		bool all = i % every == every - 1 || i == seq->count - 1;

		mark_begin();
		/*
		 * The result of a switch determines what the other side does.
		 */
		do_step(&sides[1], step);
		do_step(&sides[0], step);
		if (tally)
			count(tally, step);
		look(&sides[0], step, all);
		look(&sides[1], step, all);
		if (strcmp(sides[0].out.buf, sides[1].out.buf)) {
			result = i;
			if (report)
				difference(report);
		}
	}
	tear_down(&sides[0], number);
	tear_down(&sides[1], number);
	return result;
}
