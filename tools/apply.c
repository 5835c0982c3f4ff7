// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack set: one file or directory, and what there is to say of it.
 */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daxstack.h"
#include "set.h"
#include "tool.h"

/* How often one who holds a lease is looked after, in milliseconds. */
#define LEASE_PERIOD_MS	20

/**
 * struct attempt - one file, and how long it may take
 * @opt: the command line
 * @path: how to call the file in messages
 * @deadline_ms: monotonic, LLONG_MAX without a limit
 */
struct attempt {
	const struct set_options *opt;
	const char *path;
	long long deadline_ms;
};

/* EBUSY, EINTR and a lease may pass; daxstack gives lasting reasons other errnos. */
static int status_of(int error)
{
	return error == EBUSY || error == EINTR || error == EWOULDBLOCK ?
		TOOL_BUSY : TOOL_FAILED;
}

static struct set_result refused_for(const struct set_options *opt,
				     const char *path, const char *text,
				     int error)
{
	const char *mode = mode_name(opt->mode);

	if (!opt->quiet) {
		progress_hide(stderr);
		if (text)
			warnx("%s: not switched to %s: %s (%s)",
			      name_shown(path), mode, text, strerror(error));
		else
			warnx("%s: not switched to %s: %s", name_shown(path),
			      mode, strerror(error));
	}
	return (struct set_result){ SET_REFUSED, status_of(error),
				    text ? text : strerror(error) };
}

/*
 * What to do about it. Of a tree it would be told many times, and whoever sent a
 * signal knows.
 */
static void say_remedy(const struct set_options *opt, unsigned int reason)
{
	const char *remedy = reason_remedy(reason);

	if (remedy && !opt->quiet && !opt->recursive &&
	    reason != DAXSTACK_REASON_INTERRUPTED)
		warnx("remedy: %s", remedy);
}

static struct set_result refused(const struct attempt *attempt,
				 unsigned int reason, int error)
{
	struct set_result result = refused_for(attempt->opt, attempt->path,
					       reason_text(reason), error);

	say_remedy(attempt->opt, reason);
	return result;
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* What is left, as in struct daxstack_switch. */
static int timeout_ms(const struct attempt *attempt)
{
	long long left;

	if (attempt->deadline_ms == LLONG_MAX)
		return -1;
	left = attempt->deadline_ms - now_ms();
	return left < 0 ? 0 : left;
}

/* What the reason alone does not tell. Of a tree it would be told many times. */
static void say_where(const struct set_options *opt, int fd)
{
	char *places;

	if (opt->quiet || opt->recursive)
		return;
	places = elsewhere(fd);
	if (places)
		warnx("the lower filesystem is mounted on %s",
		      name_shown(places));
	free(places);
}

static void say_switched(const char *path, const struct daxstack_switch *sw)
{
	progress_hide(stdout);
	fputs(name_shown(path), stdout);
	if (sw->deferred) {
		printf(": flag set for %s, acts when the file is next loaded: %s\n",
		       mode_name(sw->mode), reason_text(sw->reason));
		return;
	}
	if (!sw->switched) {
		printf(": already %s\n", mode_name(sw->mode));
		return;
	}
	printf(": %s -> %s, %llu page%s written back, gates shut for %llu us",
	       mode_name(!sw->mode), mode_name(sw->mode),
	       (unsigned long long)sw->pages, sw->pages == 1 ? "" : "s",
	       (unsigned long long)(sw->shut_ns + 500) / 1000);
	if (sw->attempts > 1)
		printf(", %u attempts", sw->attempts);
	putchar('\n');
}

/*
 * A signal ends the call, also one that does not end this program: when it is
 * stopped and continued, for instance. Then what is left of the timeout counts.
 *
 * Return: 0 or an errno.
 */
static int ask(const struct attempt *attempt, int fd, unsigned long request,
	       struct daxstack_switch *sw)
{
	__u32 attempts = 0;
	__u64 pages = 0;
	int error;

	do {
		*sw = (struct daxstack_switch){
			.mode = attempt->opt->mode,
			.timeout_ms = timeout_ms(attempt),
		};
		error = ioctl(fd, request, sw) < 0 ? errno : 0;
		attempts += sw->attempts;
		pages += sw->pages;
	} while (error == EINTR && !signals_ended());
	sw->attempts = attempts;
	sw->pages = pages;
	return error;
}

static struct set_result set_file(const struct attempt *attempt, int fd)
{
	struct set_result result = { .status = TOOL_OK };
	struct daxstack_switch sw;
	int error = ask(attempt, fd, DAXSTACK_IOC_SWITCH, &sw);

	if (error) {
		result = refused(attempt, sw.reason, error);
		if (sw.reason == DAXSTACK_REASON_LOWER_SHARED)
			say_where(attempt->opt, fd);
		return result;
	}
	if (attempt->opt->verbose)
		say_switched(attempt->path, &sw);
	if (sw.deferred)
		result.outcome = SET_DEFERRED;
	else
		result.outcome = sw.switched ? SET_SWITCHED : SET_ALREADY;
	return result;
}

static struct set_result directory_failed(const struct attempt *attempt,
					  unsigned int reason, int error)
{
	const char *text = NULL;
	static char why[256];

	/* The errno says as much. */
	if (reason != DAXSTACK_REASON_NOT_OWNER &&
	    reason != DAXSTACK_REASON_READ_ONLY)
		text = reason_text(reason);
	snprintf(why, sizeof(why), "flag of the directory not %s: %s%s%s%s",
		 attempt->opt->mode == DAXSTACK_DAX ? "set" : "cleared",
		 text ?: "", text ? " (" : "", strerror(error),
		 text ? ")" : "");
	if (!attempt->opt->quiet) {
		progress_hide(stderr);
		warnx("%s: %s", name_shown(attempt->path), why);
	}
	return (struct set_result){ SET_REFUSED, status_of(error), why };
}

static void say_directory(const struct attempt *attempt, bool changed)
{
	progress_hide(stdout);
	printf("%s: directory, flag for new files %s%s\n",
	       name_shown(attempt->path), changed ? "" : "already ",
	       attempt->opt->mode == DAXSTACK_DAX ? "set" : "cleared");
}

/* A directory has no mode of its own, only the flag that files inherit. */
static struct set_result set_directory(const struct attempt *attempt, int fd)
{
	struct daxstack_switch sw;
	int error = ask(attempt, fd, DAXSTACK_IOC_DIR_FLAG, &sw);

	if (error)
		return directory_failed(attempt, sw.reason, error);
	if (attempt->opt->verbose)
		say_directory(attempt, sw.switched);
	return (struct set_result){ .outcome = SET_DIRECTORY };
}

static void pause_ms(int ms)
{
	const struct timespec pause = { .tv_nsec = ms * 1000000L };

	nanosleep(&pause, NULL);
}

/*
 * To open a file breaks a lease on it, as any program's open does. Who holds it
 * is given the time that the command line allows.
 */
static int open_in_time(const struct attempt *attempt, int look,
			const struct file_id *id)
{
	int left;
	int fd;

	for (;;) {
		fd = file_open(look, id);
		if (fd == -EINTR && !signals_ended())
			continue;
		if (fd != -EWOULDBLOCK)
			return fd;
		left = timeout_ms(attempt);
		if (!left || signals_ended())
			return fd;
		pause_ms(left > 0 && left < LEASE_PERIOD_MS ?
			 left : LEASE_PERIOD_MS);
	}
}

static struct set_result not_opened(const struct attempt *attempt, int error)
{
	if (error == EWOULDBLOCK && signals_ended())
		return refused(attempt, DAXSTACK_REASON_INTERRUPTED, EINTR);
	if (error == EWOULDBLOCK)
		return refused_for(attempt->opt, attempt->path, LEASE_TEXT,
				   error);
	return apply_failed(attempt->opt, attempt->path, error == ENOSYS ?
			    NO_PROC_TEXT : strerror(error));
}

/**
 * apply - switch a file, or set the flag of a directory
 * @opt: the mode, the timeout, what to print
 * @path: how to call it in messages
 * @look: descriptor of file_look(), on a daxstack mount
 * @id: what that told
 * @opened: if not NULL, set to a descriptor for the caller to close, of the
 *	file opened for reading; or to -1 if it could not be opened
 *
 * May take as long as the timeout allows. A refusal is told on stderr.
 */
struct set_result apply(const struct set_options *opt, const char *path,
			int look, const struct file_id *id, int *opened)
{
	struct attempt attempt = { opt, path, LLONG_MAX };
	struct set_result result;
	int fd;

	if (opened)
		*opened = -1;
	if (opt->timeout_ms >= 0)
		attempt.deadline_ms = now_ms() + opt->timeout_ms;
	if (!file_has_ioctls(id))
		return refused(&attempt, DAXSTACK_REASON_NOT_REGULAR, EINVAL);
	fd = open_in_time(&attempt, look, id);
	if (fd < 0)
		return not_opened(&attempt, -fd);
	if (S_ISDIR(id->mode))
		result = set_directory(&attempt, fd);
	else
		result = set_file(&attempt, fd);
	if (opened)
		*opened = fd;
	else
		close(fd);
	return result;
}

/**
 * apply_failed - tell that a file could not be tried
 * @opt: whether to print
 * @path: its name
 * @why: in words
 */
struct set_result apply_failed(const struct set_options *opt, const char *path,
			       const char *why)
{
	if (!opt->quiet) {
		progress_hide(stderr);
		warnx("%s: %s", name_shown(path), why);
	}
	return (struct set_result){ SET_REFUSED, TOOL_FAILED, why };
}
