// SPDX-License-Identifier: GPL-2.0-only
/* daxstack record: record the use of the files of a mount over time. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "heat.h"
#include "heatmounts.h"
#include "heattrace.h"
#include "tool.h"

#define NSEC_PER_SEC	1000000000LL

enum {
	/* Windows to probe per mapped file, for accesses that cause no faults. */
	PROBES = 16,
	/* Retries of a read that a signal interrupted. */
	TRIES = 3,
};

static const char record_help[] =
"Usage: daxstack record [OPTION]... FILE\n"
"\n"
"Write a heat trace to FILE: the operations on each file of a daxstack mount in\n"
"each interval, until interrupted or until the mount is gone. 'daxstack top\n"
"--replay' shows the trace, 'daxstack simulate' tries policies on it. Needs root.\n"
"\n"
"  -m, --mount MOUNTPOINT  record this mount [the only one]\n"
"  -i, --interval TIME     time between readings, 0.1 s to 1 day [10]\n"
"  -d, --duration TIME     stop after this time\n"
"  -f, --force             replace FILE if it exists\n"
"  -P, --passive           only observe: do not unmap pages to detect their use,\n"
"                          and leave the sketches of used pages to other sessions\n"
"  -q, --quiet             do not report what was written\n"
"  -h, --help              show this\n"
"\n"
"TIME is in seconds, or with a suffix m, h or d in minutes, hours or days.\n"
"\n"
"Exit status:\n"
"  0   the trace is complete: the time was up, or the mount was unmounted.\n"
"      A signal also completes the trace, and is the exit status\n"
"  2   the mount could not be read, or FILE not written; FILE is a valid trace\n"
"      up to that point\n"
"  64  wrong usage\n"
"\n"
"Example: an hour of a database\n"
"  daxstack record -d 1h -m /mnt/x hour.trace\n"
"  daxstack top --replay hour.trace\n";

/**
 * struct recorder - state of the command
 * @path: the file
 * @mount: mount point
 * @heat: session
 * @trace: writer of the file
 * @interval_ns: between readings
 * @duration_ns: 0: no limit
 * @force: replace an existing file
 * @passive: only observe
 * @quiet: do not report what was written
 * @windows: the session owns the windows
 */
struct recorder {
	const char *path;
	char *mount;
	struct heat *heat;
	struct heattrace_writer *trace;
	uint64_t interval_ns;
	uint64_t duration_ns;
	bool force;
	bool passive;
	bool quiet;
	bool windows;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

static void wait_until(uint64_t ns)
{
	struct timespec until = {
		.tv_sec = ns / NSEC_PER_SEC,
		.tv_nsec = ns % NSEC_PER_SEC,
	};

	while (!signals_ended() &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static int name_of(void *arg, uint64_t ino, uint32_t generation, char *path, size_t size)
{
	return -heat_name(arg, ino, generation, path, size);
}

/* --- Setup. */

static bool choose_mount(struct recorder *rec, const char *wanted)
{
	char **targets;
	size_t nr, i;

	if (wanted) {
		rec->mount = heat_mount_point(wanted);
		return true;
	}
	nr = heat_mount_points(&targets);
	if (nr == 1)
		rec->mount = targets[0];
	else if (!nr)
		warnx("no daxstack mount: mount one with 'mount -t daxstack'");
	else
		warnx("several daxstack mounts: choose one with --mount, see 'daxstack list'");
	for (i = 0; i < nr && nr > 1; i++)
		free(targets[i]);
	free(targets);
	return nr == 1;
}

static bool open_session(struct recorder *rec)
{
	char why[512];

	if (!rec->passive)
		rec->heat = heat_open(rec->mount, true, why, sizeof(why));
	rec->windows = rec->heat;
	if (!rec->heat)
		rec->heat = heat_open(rec->mount, false, why, sizeof(why));
	if (!rec->heat) {
		warnx("%s: %s", name_shown(rec->mount), why);
		return false;
	}
	if (!rec->windows && !rec->passive)
		warnx("%s: another program (daxstackd?) clears the sketches, so that "
		      "the trace is less exact on which pages were used; --passive silences this",
		      name_shown(rec->mount));
	return true;
}

/* A trace on the recorded mount keeps it busy, and records itself. */
static void warn_of_place(const struct recorder *rec)
{
	struct stat file, mount;

	if (!stat(rec->path, &file) && !stat(rec->mount, &mount) &&
	    file.st_dev == mount.st_dev)
		warnx("%s: is on the recorded mount: the trace will include the file "
		      "itself, and keep the mount busy", name_shown(rec->path));
}

static bool open_trace(struct recorder *rec)
{
	struct heattrace_info info = {
		.mount = rec->mount,
		.interval_ns = rec->interval_ns,
		.page_size = sysconf(_SC_PAGESIZE),
		.windows = rec->windows,
	};
	char *lower, *device, why[256];
	struct utsname kernel;

	heat_mount_lower(rec->mount, &lower, &device);
	info.lower = lower;
	info.kernel = uname(&kernel) ? "" : kernel.release;
	info.realtime_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
	rec->trace = heattrace_create(rec->path, rec->force, &info, why, sizeof(why));
	free(lower);
	free(device);
	if (!rec->trace) {
		warnx("%s: %s", name_shown(rec->path), why);
		return false;
	}
	warn_of_place(rec);
	return true;
}

/* --- Record. */

/* Return: 0 or an errno of the mount. */
static int read_heat(struct recorder *rec)
{
	unsigned int try;
	int error = EINTR;

	for (try = 0; try < TRIES && error == EINTR; try++)
		error = heat_read(rec->heat, true, rec->windows,
				  rec->windows ? PROBES : 0);
	return error;
}

/* Return: 0 or an errno of the file. */
static int put_heat(struct recorder *rec)
{
	const struct daxstack_heat_file *files;
	size_t nr;

	files = heat_files(rec->heat, &nr);
	return heattrace_put(rec->trace, heat_time_ns(rec->heat), files, nr, name_of,
			     rec->heat);
}

static void say_end(const struct recorder *rec, const struct heattrace_stats *stats,
		    int mount_error)
{
	if (mount_error && mount_error != ENODEV)
		warnx("%s: %s", name_shown(rec->mount), strerror(mount_error));
	if (rec->quiet)
		return;
	if (mount_error == ENODEV)
		warnx("%s: unmounted", name_shown(rec->mount));
	warnx("%s: %llu readings, %llu bytes", name_shown(rec->path),
	      (unsigned long long)stats->readings, (unsigned long long)stats->bytes);
	if (stats->left_out)
		warnx("%s: more files than a trace can hold: the trace is incomplete",
		      name_shown(rec->path));
}

static int end(struct recorder *rec, int mount_error)
{
	struct heattrace_stats stats;
	int error;

	heattrace_stats(rec->trace, &stats);
	error = heattrace_end(rec->trace);
	if (error) {
		warnx("%s: %s: the trace ends early", name_shown(rec->path),
		      strerror(error));
		return TOOL_FAILED;
	}
	say_end(rec, &stats, mount_error);
	return mount_error && mount_error != ENODEV ? TOOL_FAILED : TOOL_OK;
}

static int record(struct recorder *rec)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC), next = start, now;
	int mount_error, error = 0;

	for (;;) {
		mount_error = read_heat(rec);
		if (!mount_error)
			error = put_heat(rec);
		now = now_ns(CLOCK_MONOTONIC);
		if (mount_error || error || signals_ended() ||
		    (rec->duration_ns && now - start >= rec->duration_ns))
			return end(rec, mount_error);
		/* Skip intervals that a slow reading has missed. */
		do
			next += rec->interval_ns;
		while (next <= now);
		if (rec->duration_ns && next > start + rec->duration_ns)
			next = start + rec->duration_ns;
		/* After a signal, the last interval is shorter. */
		wait_until(next);
	}
}

static int run(struct recorder *rec, const char *mount)
{
	int status = TOOL_FAILED;

	/* Have a write beyond RLIMIT_FSIZE fail with EFBIG instead of killing the process. */
	signal(SIGXFSZ, SIG_IGN);
	signals_catch();
	if (choose_mount(rec, mount) && open_session(rec) && open_trace(rec))
		status = record(rec);
	heat_close(rec->heat);
	free(rec->mount);
	return status;
}

/* --- The command line. */

static bool parse_seconds(const char *text, double most, uint64_t *ns)
{
	double seconds;

	if (!tool_seconds(text, most, &seconds))
		return false;
	*ns = seconds * NSEC_PER_SEC;
	return true;
}

static int record_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mount", required_argument, NULL, 'm' },
		{ "interval", required_argument, NULL, 'i' },
		{ "duration", required_argument, NULL, 'd' },
		{ "force", no_argument, NULL, 'f' },
		{ "passive", no_argument, NULL, 'P' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct recorder rec = { .interval_ns = 10 * NSEC_PER_SEC };
	const char *mount = NULL;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "m:i:d:fPqh", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			mount = optarg;
			break;
		case 'i':
			if (!parse_seconds(optarg, 86400, &rec.interval_ns))
				return tool_usage_error(argv[0],
							"'%s' is not a time from 0.1 s to 1 day",
							name_shown(optarg));
			break;
		case 'd':
			if (!parse_seconds(optarg, 864e6, &rec.duration_ns))
				return tool_usage_error(argv[0],
							"'%s' is not a time from 0.1 s to 10000 days",
							name_shown(optarg));
			break;
		case 'f':
			rec.force = true;
			break;
		case 'P':
			rec.passive = true;
			break;
		case 'q':
			rec.quiet = true;
			break;
		case 'h':
			return tool_help(&record_command);
		default:
			return tool_bad_option(argv[0], argv);
		}
	}
	if (optind == argc)
		return tool_usage_error(argv[0], "FILE missing");
	if (optind + 1 < argc)
		return tool_usage_error(argv[0], "more than one FILE");
	rec.path = argv[optind];
	return run(&rec, mount);
}

const struct tool_command record_command = {
	.name = "record",
	.title = "daxstack record",
	.summary = "write a trace of the use of files, over time",
	.help = record_help,
	.run = record_run,
};
