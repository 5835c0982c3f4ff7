// SPDX-License-Identifier: GPL-2.0-only
/* daxstack set: switch one file, or set the flag of one directory, and print the result. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
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

/* Interval between attempts to open a file under a lease, in milliseconds. */
#define LEASE_PERIOD_MS	20

/**
 * struct attempt - one file and its time limit
 * @opt: the command line
 * @path: name of the file in messages
 * @deadline_ms: CLOCK_MONOTONIC; LLONG_MAX: no limit
 */
struct attempt {
	const struct set_options *opt;
	const char *path;
	long long deadline_ms;
};

/* EBUSY, EINTR and EWOULDBLOCK (a lease) may pass; permanent reasons have other errnos. */
static int status_of(int error)
{
	return error == EBUSY || error == EINTR || error == EWOULDBLOCK ?
		TOOL_BUSY : TOOL_FAILED;
}

/**
 * apply_refused - report that a file is not switched
 * @opt: the command line
 * @path: name of the file
 * @text: the reason in words; NULL: print @error
 * @error: an errno
 */
struct set_result apply_refused(const struct set_options *opt,
				const char *path, const char *text, int error)
{
	const char *mode = mode_name(opt->mode);
	const char *not = opt->dry_run ? "would not be switched" :
					 "not switched";

	if (!opt->quiet) {
		progress_hide(stderr);
		if (text)
			warnx("%s: %s to %s: %s (%s)", name_shown(path), not,
			      mode, text, strerror(error));
		else
			warnx("%s: %s to %s: %s", name_shown(path), not, mode,
			      strerror(error));
	}
	return (struct set_result){
		.outcome = SET_REFUSED,
		.status = status_of(error),
		.why = text ? text : strerror(error),
		.error = error,
	};
}

/*
 * Print the remedy. Not for a tree, where it would repeat for each file, and not after
 * a signal, whose sender knows.
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
	struct set_result result = apply_refused(attempt->opt, attempt->path,
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

/* Time left, as struct daxstack_switch takes it: -1 is no limit. */
static int timeout_ms(const struct attempt *attempt)
{
	long long left;

	if (attempt->deadline_ms == LLONG_MAX)
		return -1;
	left = attempt->deadline_ms - now_ms();
	return left < 0 ? 0 : left;
}

/* Print where the lower filesystem is mounted. Not for a tree, where it would repeat. */
static void say_where(const struct set_options *opt, int fd)
{
	char *places;

	if (opt->quiet || opt->recursive)
		return;
	places = lower_mounts_of(fd);
	if (places)
		warnx("the lower filesystem is mounted on %s",
		      name_shown(places));
	free(places);
}

static void say_switched(const char *path, const struct daxstack_switch *sw,
			 unsigned long long unshared)
{
	progress_hide(stdout);
	fputs(name_shown(path), stdout);
	if (sw->deferred) {
		printf(": flag set for %s, effective when the file is next loaded: %s\n",
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
	if (unshared)
		printf(", %llu KiB unshared", unshared >> 10);
	putchar('\n');
}

/*
 * Repeat the ioctl while signals interrupt it that do not end this program, such as
 * SIGSTOP and SIGCONT. The deadline still counts.
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

static void start_clock(struct attempt *attempt)
{
	attempt->deadline_ms = attempt->opt->timeout_ms < 0 ? LLONG_MAX :
		now_ms() + attempt->opt->timeout_ms;
}

/*
 * Give the file blocks of its own if it shares some. With @refuses, the lower
 * filesystem refuses dax mode because of shared blocks: go on even if none is found,
 * because unshare_blocks() then makes XFS clear a stale reflink flag. The timeout
 * limits the switch alone, so the clock is started again here.
 *
 * Return: true, or false with the failure in @result.
 */
static bool unshare_file(struct attempt *attempt, int fd,
			 const struct file_id *id, bool refuses,
			 struct set_result *result)
{
	const char *space = NULL;
	unsigned long long bytes;
	int error = unshare_shared(fd, &bytes);
	int writable = -1;

	if (!error && !bytes && !refuses)
		return true;
	if (!error)
		space = unshare_space(fd, bytes);
	if (!error && !space) {
		writable = file_open_as(fd, id, O_RDWR);
		error = writable < 0 ? writable : 0;
	}
	if (!error && !space) {
		error = unshare_blocks(writable, bytes, &result->unshared);
		close(writable);
		if (error == -ENOSPC || error == -EDQUOT)
			space = "no space for blocks of its own";
	} else if (space) {
		error = -ENOSPC;
	}
	start_clock(attempt);
	bytes = result->unshared;
	if (error == -EINTR)
		*result = refused(attempt, DAXSTACK_REASON_INTERRUPTED, EINTR);
	else if (error)
		*result = apply_refused(attempt->opt, attempt->path,
					space ?: "cannot be unshared", -error);
	result->unshared = bytes;
	return !error;
}

/* Unshare only if no other reason would refuse the switch. */
static bool wants_unshare(const struct attempt *attempt, int fd)
{
	struct daxstack_state state;

	return attempt->opt->unshare &&
		!ioctl(fd, DAXSTACK_IOC_STATE, &state) &&
		state.mode != DAXSTACK_DAX &&
		(state.reason == DAXSTACK_REASON_NONE ||
		 state.reason == DAXSTACK_REASON_NEVER);
}

static void put_answer(struct set_result *result,
		       const struct daxstack_switch *sw)
{
	bool is = result->outcome != SET_DEFERRED &&
		result->outcome != SET_REFUSED;

	result->answer = *sw;
	result->mode = mode_name(is ? sw->mode : !sw->mode);
}

static struct set_result set_file(struct attempt *attempt, int fd,
				  const struct file_id *id)
{
	struct set_result result = { .status = TOOL_OK };
	unsigned long long unshared;
	struct daxstack_switch sw;
	int error;

	if (wants_unshare(attempt, fd) &&
	    !unshare_file(attempt, fd, id, false, &result))
		return result;
	error = ask(attempt, fd, DAXSTACK_IOC_SWITCH, &sw);
	if (error && attempt->opt->unshare &&
	    sw.reason == DAXSTACK_REASON_REFLINK) {
		if (!unshare_file(attempt, fd, id, true, &result))
			return result;
		error = ask(attempt, fd, DAXSTACK_IOC_SWITCH, &sw);
	}
	unshared = result.unshared;
	if (error) {
		result = refused(attempt, sw.reason, error);
		if (sw.reason == DAXSTACK_REASON_LOWER_SHARED)
			say_where(attempt->opt, fd);
	} else if (sw.deferred) {
		result.outcome = SET_DEFERRED;
		result.why = reason_text(sw.reason);
	} else {
		result.outcome = sw.switched ? SET_SWITCHED : SET_ALREADY;
	}
	if (!error && attempt->opt->verbose)
		say_switched(attempt->path, &sw, unshared);
	result.unshared = unshared;
	put_answer(&result, &sw);
	return result;
}

/**
 * apply_refused_directory - report that the flag of a directory is not changed
 * @opt: the command line
 * @path: name of the directory
 * @text: the reason in words; NULL: print @error
 * @error: an errno
 */
struct set_result apply_refused_directory(const struct set_options *opt,
					  const char *path, const char *text,
					  int error)
{
	static char why[256];

	snprintf(why, sizeof(why), "flag of the directory %s %s: %s%s%s%s",
		 opt->dry_run ? "would not be" : "not",
		 opt->mode == DAXSTACK_DAX ? "set" : "cleared",
		 text ?: "", text ? " (" : "", strerror(error),
		 text ? ")" : "");
	if (!opt->quiet) {
		progress_hide(stderr);
		warnx("%s: %s", name_shown(path), why);
	}
	return (struct set_result){
		.outcome = SET_REFUSED,
		.status = status_of(error),
		.why = why,
		.error = error,
	};
}

static struct set_result directory_failed(const struct attempt *attempt,
					  unsigned int reason, int error)
{
	const char *text = NULL;

	/* The text of the errno is sufficient. */
	if (reason != DAXSTACK_REASON_NOT_OWNER &&
	    reason != DAXSTACK_REASON_READ_ONLY)
		text = reason_text(reason);
	return apply_refused_directory(attempt->opt, attempt->path, text,
				       error);
}

static void say_directory(const struct attempt *attempt, bool changed)
{
	progress_hide(stdout);
	printf("%s: directory, flag for new files %s%s\n",
	       name_shown(attempt->path), changed ? "" : "already ",
	       attempt->opt->mode == DAXSTACK_DAX ? "set" : "cleared");
}

/* A directory has no mode, only the flag that new files inherit. */
static struct set_result set_directory(const struct attempt *attempt, int fd)
{
	struct daxstack_switch sw;
	int error = ask(attempt, fd, DAXSTACK_IOC_DIR_FLAG, &sw);

	if (error)
		return directory_failed(attempt, sw.reason, error);
	if (attempt->opt->verbose)
		say_directory(attempt, sw.switched);
	return (struct set_result){
		.outcome = SET_DIRECTORY,
		.answer = sw,
	};
}

static void pause_ms(int ms)
{
	const struct timespec pause = { .tv_nsec = ms * 1000000L };

	nanosleep(&pause, NULL);
}

/*
 * Opening a file breaks a lease on it. Retry until the holder has released the lease or
 * the timeout of the command line has passed.
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
		return apply_refused(attempt->opt, attempt->path, LEASE_TEXT,
				     error);
	return apply_failed(attempt->opt, attempt->path, error == ENOSYS ?
			    NO_PROC_TEXT : strerror(error), error);
}

/**
 * apply - switch a file, or set the flag of a directory
 * @opt: the mode, the timeout, what to print
 * @path: name of the file in messages
 * @look: descriptor of file_look(), on a daxstack mount
 * @id: filled in by file_look()
 * @opened: if not NULL, set to a descriptor of the file, open for reading, that the
 *   caller closes; or to -1 if the file could not be opened
 *
 * Blocks for up to the timeout. A refusal is reported on stderr.
 */
struct set_result apply(const struct set_options *opt, const char *path,
			int look, const struct file_id *id, int *opened)
{
	struct attempt attempt = { .opt = opt, .path = path };
	struct set_result result;
	int fd;

	if (opened)
		*opened = -1;
	start_clock(&attempt);
	if (!file_has_ioctls(id))
		return refused(&attempt, DAXSTACK_REASON_NOT_REGULAR, EINVAL);
	if (opt->dry_run)
		return rehearse(opt, path, look, id, opened);
	fd = open_in_time(&attempt, look, id);
	if (fd < 0)
		return not_opened(&attempt, -fd);
	if (S_ISDIR(id->mode))
		result = set_directory(&attempt, fd);
	else
		result = set_file(&attempt, fd, id);
	if (opened)
		*opened = fd;
	else
		close(fd);
	return result;
}

/**
 * apply_failed - report that a switch could not be attempted
 * @opt: whether to print
 * @path: name of the file
 * @why: the reason in words
 * @error: an errno, or 0 if there is none
 */
struct set_result apply_failed(const struct set_options *opt, const char *path,
			       const char *why, int error)
{
	if (!opt->quiet) {
		progress_hide(stderr);
		warnx("%s: %s", name_shown(path), why);
	}
	return (struct set_result){
		.outcome = SET_REFUSED,
		.status = TOOL_FAILED,
		.why = why,
		.error = error,
	};
}

/**
 * apply_named - switch a file by its name, or set the flag of a directory
 * @opt: the command line
 * @path: the name; a symbolic link is followed
 */
struct set_result apply_named(const struct set_options *opt, const char *path)
{
	struct set_result result;
	struct file_id id;
	int look = file_look(AT_FDCWD, path, 0, &id);
	const char *why;

	if (look < 0)
		return apply_failed(opt, path, strerror(-look), -look);
	why = file_foreign(look, &id);
	if (why)
		result = apply_failed(opt, path, why, 0);
	else
		result = apply(opt, path, look, &id, NULL);
	close(look);
	return result;
}
