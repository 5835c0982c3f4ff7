// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack set --dry-run: predict the result for a file or directory without side
 * effects: no lease is broken, no count of refusals changes, nothing is written to the
 * kernel's log.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "set.h"
#include "tool.h"

static const int errnos[] = {
#define ERRNO_(name, err, text) err,
	DAXSTACK_REASONS(ERRNO_)
};

static struct set_result refused_for(const struct set_options *opt,
				     const char *path, unsigned int reason)
{
	return apply_refused(opt, path, reason_text(reason),
			     reason < DAXSTACK_REASON_COUNT ?
			     errnos[reason] : EOPNOTSUPP);
}

/* O_NOATIME needs the same permission as a switch, including on idmapped mounts. */
static bool owns(int fd, const struct file_id *id)
{
	int again = file_open_as(fd, id, O_RDONLY | O_NOATIME);

	if (again >= 0)
		close(again);
	return again != -EPERM;
}

static bool is_read_only(int fd)
{
	struct statvfs fs;

	return !fstatvfs(fd, &fs) && fs.f_flag & ST_RDONLY;
}

static void say(const char *path, const char *what)
{
	progress_hide(stdout);
	printf("%s: %s\n", name_shown(path), what);
}

/* Files already in the mode are reported by --verbose only. */
static void say_already(const struct set_options *opt, const char *path,
			const char *what)
{
	if (opt->verbose)
		say(path, what);
}

static void say_switch(const struct set_options *opt, const char *path,
		       unsigned long long shared)
{
	char what[128];
	int len;

	if (opt->quiet || opt->json)
		return;
	len = snprintf(what, sizeof(what), "would be switched: %s -> %s",
		       mode_name(!opt->mode), mode_name(opt->mode));
	if (shared)
		snprintf(what + len, sizeof(what) - len,
			 ", after unsharing %llu KiB", shared >> 10);
	say(path, what);
}

static void say_deferred(const struct set_options *opt, const char *path,
			 const char *why)
{
	char what[256];

	if (opt->quiet || opt->json)
		return;
	snprintf(what, sizeof(what),
		 "flag would be set for %s, effective when the file is next loaded: %s",
		 mode_name(opt->mode), why);
	say(path, what);
}

static struct set_result would_switch(const struct set_options *opt,
				      const char *path, int fd)
{
	struct set_result result = { .outcome = SET_SWITCHED };
	unsigned long long shared = 0;
	const char *space = NULL;

	/* ext4 cannot share blocks. */
	if (opt->mode == DAXSTACK_DAX &&
	    (opt->unshare || unshare_is_needed()) &&
	    !unshare_shared(fd, &shared) && shared) {
		if (!opt->unshare)
			return refused_for(opt, path, DAXSTACK_REASON_REFLINK);
		space = unshare_space(fd, shared);
	}
	if (space)
		return apply_refused(opt, path, space, ENOSPC);
	say_switch(opt, path, shared);
	return result;
}

static struct set_result of_file(const struct set_options *opt,
				 const char *path, int fd,
				 const struct file_id *id)
{
	struct set_result result = { .outcome = SET_ALREADY };
	struct daxstack_state state;

	if (ioctl(fd, DAXSTACK_IOC_STATE, &state) < 0)
		return apply_failed(opt, path, strerror(errno), errno);
	if (!owns(fd, id)) {
		result = refused_for(opt, path, DAXSTACK_REASON_NOT_OWNER);
	} else if (state.mode == opt->mode) {
		say_already(opt, path, opt->mode == DAXSTACK_DAX ?
			    "already dax" : "already cached");
	} else if (state.reason == DAXSTACK_REASON_NEVER) {
		result.outcome = SET_DEFERRED;
		result.why = reason_text(state.reason);
		say_deferred(opt, path, result.why);
	} else if (state.reason) {
		result = refused_for(opt, path, state.reason);
	} else {
		result = would_switch(opt, path, fd);
	}
	result.mode = mode_name(state.mode);
	return result;
}

static struct set_result of_directory(const struct set_options *opt,
				      const char *path, int fd,
				      const struct file_id *id)
{
	const struct set_result result = { .outcome = SET_DIRECTORY };
	bool set = opt->mode == DAXSTACK_DAX;
	struct fsxattr fsx;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &fsx) < 0)
		return apply_failed(opt, path, strerror(errno), errno);
	if (!owns(fd, id))
		return apply_refused_directory(opt, path, NULL, EPERM);
	if (!(fsx.fsx_xflags & FS_XFLAG_DAX) == !set) {
		say_already(opt, path, set ?
			    "directory, flag for new files already set" :
			    "directory, flag for new files already cleared");
		return result;
	}
	if (is_read_only(fd))
		return apply_refused_directory(opt, path, NULL, EROFS);
	if (!opt->quiet && !opt->json)
		say(path, set ?
		    "directory, flag for new files would be set" :
		    "directory, flag for new files would be cleared");
	return result;
}

/**
 * rehearse - predict the result for a file or directory
 * @opt: the command line
 * @path: name of the file in messages
 * @look: descriptor of file_look(), on a daxstack mount
 * @id: filled in by file_look(), with file_has_ioctls()
 * @opened: as for apply()
 *
 * Only an attempt finds pinned pages, calls and writeback in progress, and errors of
 * the lower filesystem.
 */
struct set_result rehearse(const struct set_options *opt, const char *path,
			   int look, const struct file_id *id, int *opened)
{
	struct set_result result;
	int fd;

	if (opened)
		*opened = -1;
	if (S_ISREG(id->mode) && file_is_leased(id))
		return apply_refused(opt, path, LEASE_TEXT, EWOULDBLOCK);
	fd = file_open(look, id);
	if (fd == -EWOULDBLOCK)
		return apply_refused(opt, path, LEASE_TEXT, EWOULDBLOCK);
	if (fd < 0)
		return apply_failed(opt, path, fd == -ENOSYS ?
				    NO_PROC_TEXT : strerror(-fd), -fd);
	result = (S_ISDIR(id->mode) ? of_directory : of_file)(opt, path, fd,
							      id);
	if (opened)
		*opened = fd;
	else
		close(fd);
	return result;
}
