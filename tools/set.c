// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack set: switch files to a mode.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daxstack.h"
#include "tool.h"

struct set_options {
	unsigned int mode;
	int timeout_ms;
	bool quiet;
	bool verbose;
};

static const char set_help[] =
"Usage: daxstack set [OPTION]... dax|cached FILE...\n"
"\n"
"Switch each FILE at once to dax (loads and stores go straight to persistent\n"
"memory) or cached (through the page cache), even while it is open, mapped and\n"
"in use. A directory has no mode: its flag, which new files inherit, is set.\n"
"\n"
"  -t, --timeout SECONDS|inf  how long to wait, for each FILE, for what is in\n"
"                             the way; fractions are fine, down to 0.001. [0:\n"
"                             answer at once]\n"
"  -q, --quiet                do not complain about files, only set the exit\n"
"                             status\n"
"  -v, --verbose              say what was done: pages (of the kernel's page\n"
"                             size) written back, and for how many microseconds\n"
"                             the gates were shut, that is, others had to wait\n"
"  -h, --help                 show this\n"
"\n"
"Exit status, the highest that applies:\n"
"  0   every FILE is in the mode wanted\n"
"  1   a FILE was refused for a reason that may pass: try again\n"
"  2   a FILE was refused for a lasting reason, or could not be opened\n"
"  64  wrong usage, nothing was done\n"
"  74  writing to standard output failed\n"
"\n"
"Example: wait at most half a second for pinned pages to be let go\n"
"  daxstack set -v -t 0.5 dax /mnt/x/log\n";

/* EBUSY and EINTR may pass; daxstack gives lasting reasons other errnos. */
static int status_of(int error)
{
	return error == EBUSY || error == EINTR ? TOOL_BUSY : TOOL_FAILED;
}

static int refused(const struct set_options *opt, const char *path,
		   unsigned int reason, int error)
{
	const char *text = reason_text(reason);
	const char *mode = mode_name(opt->mode);

	if (opt->quiet)
		return status_of(error);
	if (text)
		warnx("%s: not switched to %s: %s (%s)", path, mode, text,
		      strerror(error));
	else
		warnx("%s: not switched to %s: %s", path, mode,
		      strerror(error));
	return status_of(error);
}

static void say_switched(const char *path, const struct daxstack_switch *sw)
{
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

static int set_file(const struct set_options *opt, const char *path, int fd)
{
	struct daxstack_switch sw = {
		.mode = opt->mode,
		.timeout_ms = opt->timeout_ms,
	};

	if (ioctl(fd, DAXSTACK_IOC_SWITCH, &sw) < 0)
		return refused(opt, path, sw.reason, errno);
	if (opt->verbose)
		say_switched(path, &sw);
	return TOOL_OK;
}

static int directory_failed(const struct set_options *opt, const char *path)
{
	int error = errno;

	if (!opt->quiet)
		warnx("%s: flag of the directory not %s: %s", path,
		      opt->mode == DAXSTACK_DAX ? "set" : "cleared",
		      strerror(error));
	return status_of(error);
}

static void say_directory(const struct set_options *opt, const char *path,
			  bool changed)
{
	printf("%s: directory, flag for new files %s%s\n", path,
	       changed ? "" : "already ",
	       opt->mode == DAXSTACK_DAX ? "set" : "cleared");
}

/* A directory has no mode of its own, only the flag that files inherit. */
static int set_directory(const struct set_options *opt, const char *path,
			 int fd)
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
	return TOOL_OK;
}

static int set_opened(const struct set_options *opt, const char *path, int fd,
		      const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return set_directory(opt, path, fd);
	if (!file_is_regular(st))
		return refused(opt, path, DAXSTACK_REASON_NOT_REGULAR, EINVAL);
	return set_file(opt, path, fd);
}

static int set_path(const struct set_options *opt, const char *path)
{
	struct stat st;
	const char *why;
	int fd = file_open(path, &st, &why);
	int status;

	if (fd < 0) {
		if (!opt->quiet)
			warnx("%s: %s", path, why);
		return TOOL_FAILED;
	}
	status = set_opened(opt, path, fd, &st);
	close(fd);
	return status;
}

/*
 * Decimal seconds to milliseconds, rounded up so that little is not nothing.
 * Not strtod(): it takes nan, hex, signs and the locale's decimal point.
 */
static bool parse_seconds(const char *s, int *ms)
{
	long long value = 0;
	bool digits = false;
	bool rest = false;
	int unit;

	for (; *s >= '0' && *s <= '9'; s++) {
		value = value * 10 + (*s - '0') * 1000;
		if (value > INT_MAX)
			return false;
		digits = true;
	}
	if (*s == '.')
		s++;
	else if (*s)
		return false;
	for (unit = 100; *s >= '0' && *s <= '9'; s++, unit /= 10) {
		value += (*s - '0') * unit;
		rest |= !unit && *s != '0';
		digits = true;
	}
	value += rest;
	if (!digits || *s || value > INT_MAX)
		return false;
	*ms = value;
	return true;
}

static bool parse_timeout(const char *s, int *ms)
{
	if (strcmp(s, "inf"))
		return parse_seconds(s, ms);
	*ms = -1;
	return true;
}

static bool parse_mode(const char *s, unsigned int *mode)
{
	if (!strcmp(s, "dax"))
		*mode = DAXSTACK_DAX;
	else if (!strcmp(s, "cached"))
		*mode = DAXSTACK_CACHED;
	else
		return false;
	return true;
}

static int bad_timeout(const char *title, const char *timeout)
{
	return tool_usage_error(title,
				"'%s' is no timeout: seconds from 0 to 2147483.647, or inf",
				timeout);
}

/* What follows the options. */
static int parse_operands(int argc, char **argv, struct set_options *opt)
{
	if (opt->quiet && opt->verbose)
		return tool_usage_error(argv[0],
					"--quiet and --verbose exclude each other");
	if (optind == argc)
		return tool_usage_error(argv[0], "mode missing: dax or cached");
	if (!parse_mode(argv[optind], &opt->mode))
		return tool_usage_error(argv[0], "'%s' is no mode: dax or cached",
					argv[optind]);
	if (++optind == argc)
		return tool_usage_error(argv[0], "FILE missing");
	return TOOL_OK;
}

static int set_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct set_options opt = { .timeout_ms = 0 };
	int status;
	int c;

	while ((c = getopt_long(argc, argv, "t:qvh", options, NULL)) != -1) {
		switch (c) {
		case 't':
			if (parse_timeout(optarg, &opt.timeout_ms))
				break;
			return bad_timeout(argv[0], optarg);
		case 'q':
			opt.quiet = true;
			break;
		case 'v':
			opt.verbose = true;
			break;
		case 'h':
			return tool_help(&set_command);
		default:
			return tool_try_help(argv[0]);
		}
	}
	status = parse_operands(argc, argv, &opt);
	if (status)
		return status;

	/* With a timeout it may take long: do not keep the lines back. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (optind < argc)
		status = tool_worse(status, set_path(&opt, argv[optind++]));
	return status;
}

const struct tool_command set_command = {
	.name = "set",
	.title = "daxstack set",
	.help = set_help,
	.run = set_run,
};
