// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack set: one open file or directory, and what there is to say of it.
 */
#include <err.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "daxstack.h"
#include "set.h"
#include "tool.h"

/* EBUSY and EINTR may pass; daxstack gives lasting reasons other errnos. */
static int status_of(int error)
{
	return error == EBUSY || error == EINTR ? TOOL_BUSY : TOOL_FAILED;
}

static struct set_result refused(const struct set_options *opt,
				 const char *path, unsigned int reason,
				 int error)
{
	const char *text = reason_text(reason);
	const char *mode = mode_name(opt->mode);

	if (!opt->quiet) {
		progress_hide(stderr);
		if (text)
			warnx("%s: not switched to %s: %s (%s)", path, mode,
			      text, strerror(error));
		else
			warnx("%s: not switched to %s: %s", path, mode,
			      strerror(error));
	}
	return (struct set_result){ SET_REFUSED, status_of(error),
				    text ? text : strerror(error) };
}

/* What the reason alone does not tell. Of a tree it would be told many times. */
static void say_where(const struct set_options *opt, int fd)
{
	char *places;

	if (opt->quiet || opt->recursive)
		return;
	places = elsewhere(fd);
	if (places)
		warnx("the lower filesystem is mounted on %s", places);
	free(places);
}

static void say_switched(const char *path, const struct daxstack_switch *sw)
{
	progress_hide(stdout);
	if (sw->deferred) {
		printf("%s: flag set for %s, acts when the file is next loaded: %s\n",
		       path, mode_name(sw->mode), reason_text(sw->reason));
		return;
	}
	if (!sw->switched) {
		printf("%s: already %s\n", path, mode_name(sw->mode));
		return;
	}
	printf("%s: %s -> %s, %llu page%s written back, gates shut for %llu us",
	       path, mode_name(!sw->mode), mode_name(sw->mode),
	       (unsigned long long)sw->pages, sw->pages == 1 ? "" : "s",
	       (unsigned long long)(sw->shut_ns + 500) / 1000);
	if (sw->attempts > 1)
		printf(", %u attempts", sw->attempts);
	putchar('\n');
}

static struct set_result set_file(const struct set_options *opt,
				  const char *path, int fd)
{
	struct set_result result = { .status = TOOL_OK };
	struct daxstack_switch sw = {
		.mode = opt->mode,
		.timeout_ms = opt->timeout_ms,
	};

	if (ioctl(fd, DAXSTACK_IOC_SWITCH, &sw) < 0) {
		result = refused(opt, path, sw.reason, errno);
		if (sw.reason == DAXSTACK_REASON_LOWER_SHARED)
			say_where(opt, fd);
		return result;
	}
	if (opt->verbose)
		say_switched(path, &sw);
	if (sw.deferred)
		result.outcome = SET_DEFERRED;
	else
		result.outcome = sw.switched ? SET_SWITCHED : SET_ALREADY;
	return result;
}

static struct set_result directory_failed(const struct set_options *opt,
					  const char *path)
{
	static char why[128];
	int error = errno;

	snprintf(why, sizeof(why), "flag of the directory not %s: %s",
		 opt->mode == DAXSTACK_DAX ? "set" : "cleared",
		 strerror(error));
	if (!opt->quiet) {
		progress_hide(stderr);
		warnx("%s: %s", path, why);
	}
	return (struct set_result){ SET_REFUSED, status_of(error), why };
}

static void say_directory(const struct set_options *opt, const char *path,
			  bool changed)
{
	progress_hide(stdout);
	printf("%s: directory, flag for new files %s%s\n", path,
	       changed ? "" : "already ",
	       opt->mode == DAXSTACK_DAX ? "set" : "cleared");
}

/* A directory has no mode of its own, only the flag that files inherit. */
static struct set_result set_directory(const struct set_options *opt,
				       const char *path, int fd)
{
	struct fsxattr fsx;
	__u32 old;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx) < 0)
		return directory_failed(opt, path);
	old = fsx.fsx_xflags;
	if (opt->mode == DAXSTACK_DAX)
		fsx.fsx_xflags |= FS_XFLAG_DAX;
	else
		fsx.fsx_xflags &= ~FS_XFLAG_DAX;
	if (fsx.fsx_xflags != old && ioctl(fd, FS_IOC_FSSETXATTR, &fsx) < 0)
		return directory_failed(opt, path);
	if (opt->verbose)
		say_directory(opt, path, fsx.fsx_xflags != old);
	return (struct set_result){ .outcome = SET_DIRECTORY };
}

/**
 * apply - switch a file, or set the flag of a directory
 * @opt: the mode, the timeout, what to print
 * @path: how to call it in messages
 * @fd: open, and on a daxstack mount
 * @st: of it
 *
 * May take as long as the timeout allows. A refusal is told on stderr.
 */
struct set_result apply(const struct set_options *opt, const char *path,
			int fd, const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return set_directory(opt, path, fd);
	if (!file_is_regular(st))
		return refused(opt, path, DAXSTACK_REASON_NOT_REGULAR, EINVAL);
	return set_file(opt, path, fd);
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
		warnx("%s: %s", path, why);
	}
	return (struct set_result){ SET_REFUSED, TOOL_FAILED, why };
}
