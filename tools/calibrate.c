// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack calibrate: measure what memory costs in both modes on this machine, and
 * write a profile. This file: command line and sequence of the measurement.
 *
 * Each round measures every figure in both modes back to back, and every second round
 * in the opposite order, so that other activity on the machine affects both modes
 * alike.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "calibrate.h"
#include "daxstack.h"
#include "file.h"
#include "set.h"
#include "stacks.h"
#include "tool.h"

static const char calibrate_help[] =
"Usage: daxstack calibrate [OPTION]... MOUNTPOINT|DIRECTORY\n"
"\n"
"Measure what memory costs in dax and in cached mode on this machine: latency (a\n"
"pointer chase, random and sequential), bandwidth (loads, ordinary and\n"
"non-temporal stores) and fsync(2). Print a profile, see daxstack-profile(5), and\n"
"on standard error the figures and whether the modes differ.\n"
"\n"
"Creates unnamed scratch files (O_TMPFILE) in DIRECTORY on a daxstack mount: two\n"
"of the given size and two small ones. This needs write permission there and\n"
"nothing else. The files vanish when the command ends. One processor is busy.\n"
"\n"
"  -o, --output FILE   write the profile to FILE, and the figures to standard\n"
"                      output. FILE appears once it is complete\n"
"  -f, --force         replace FILE if it exists\n"
"      --name NAME     name of the profile: letters, digits, dots, - and _\n"
"                      [calibrated]\n"
"  -s, --seconds N     total time to measure, 1 to 3600 seconds [30]\n"
"      --size SIZE     size of each of two scratch files, with K, M, G (powers of\n"
"                      1024), at least 4M [16 times the last-level cache, from\n"
"                      64M to 1G, at most an eighth of the free space and of the\n"
"                      free memory]\n"
"  -J, --json          print the figures, their spread, the profile and the\n"
"                      verdict as JSON, to standard output\n"
"  -q, --quiet         print no table, no plan and no warnings\n"
"  -h, --help          show this\n"
"\n"
"Exit status:\n"
"  0   the measurement is complete, whatever the verdict\n"
"  1   it failed for a reason that may pass: try again\n"
"  2   it failed, or FILE could not be written\n"
"  64  wrong usage\n"
"  74  writing to standard output failed\n"
"\n"
"Example:\n"
"  daxstack calibrate -o mine.conf /mnt/x\n";

#define MIB		((size_t)1 << 20)
#define SIZE_LEAST	(64 * MIB)
#define SIZE_MOST	(1024 * MIB)
#define SIZE_MIN	(GROUPS_MIN * GROUP_BYTES)
/* Limit of the share of time for fsync figures, after the first sample. */
#define FSYNC_PART	0.2
#define WARM_SECONDS	0.1
/* Space for the small files and for metadata of the lower filesystem. */
#define SPARE		(8 * MIB)

/**
 * struct command_line - of 'daxstack calibrate'
 * @path: the directory
 * @output: file for the profile; NULL: standard output
 * @name: of the profile
 * @force: replace @output
 * @json: print JSON
 * @quiet: print nothing else
 * @seconds: total time
 * @size: of a scratch file; 0: choose one
 */
struct command_line {
	const char *path;
	const char *output;
	const char *name;
	bool force;
	bool json;
	bool quiet;
	unsigned int seconds;
	size_t size;
};

/* --- Location and size. */

static int refuse(const char *path, const char *why, const char *remedy)
{
	warnx("%s: %s", name_shown(path), why);
	if (remedy)
		warnx("remedy: %s", remedy);
	return TOOL_FAILED;
}

/* Check the mount by sysfs. Return: enum tool_status. */
static int look_at_mount(const struct command_line *line, dev_t dev,
			 struct calibration *c, dev_t *lower)
{
	unsigned int reason = DAXSTACK_REASON_NONE;
	unsigned int major, minor;
	const struct stack *stack;
	struct stack *stacks;
	size_t count;
	char text[32];

	stacks_read(&stacks, &count);
	stack = stacks_find(stacks, count, dev);
	*lower = 0;
	snprintf(c->device, sizeof(c->device), "%.63s",
		 stack ? stack->device : "unknown device");
	if (!stack_text(stack, "lower_type", c->lower, sizeof(c->lower)))
		strcpy(c->lower, "unknown");
	if (stack_text(stack, "lower_dev", text, sizeof(text)) &&
	    sscanf(text, "%u:%u", &major, &minor) == 2)
		*lower = makedev(major, minor);
	if (stack)
		reason = stack_no_switch(stack);
	stacks_free(stacks, count);
	/* An older module lacks the attribute; opening the scratch files will tell. */
	if (reason == DAXSTACK_REASON_NONE || reason == DAXSTACK_REASON_COUNT)
		return TOOL_OK;
	return scratch_refused(line->path, reason, *lower);
}

/* Return: an O_PATH descriptor of the directory, or -1 after printing the error. */
static int open_directory(const char *path, dev_t *dev)
{
	const char *foreign;
	struct file_id id;
	int dir = file_look(AT_FDCWD, path, 0, &id);

	if (dir < 0) {
		warnx("%s: %s", name_shown(path), strerror(-dir));
		return -1;
	}
	foreign = file_foreign(dir, &id);
	if (!foreign && S_ISDIR(id.mode)) {
		*dev = id.dev;
		return dir;
	}
	if (foreign)
		refuse(path, foreign,
		       "name a daxstack mount ('daxstack list' shows them), or a "
		       "directory below it");
	else
		refuse(path, strerror(ENOTDIR), "name a directory");
	close(dir);
	return -1;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t wanted_size(const struct machine *machine)
{
	size_t size = 16 * machine->llc;

	return size < SIZE_LEAST ? SIZE_LEAST : smaller(size, SIZE_MOST);
}

/* Report a shortage in one line, with the numbers. */
static int too_little(const char *path, const char *what, size_t needed,
		      size_t there, const char *remedy)
{
	char why[160];

	snprintf(why, sizeof(why), "too little %s: %zu MiB needed, %zu MiB free",
		 what, (needed + MIB - 1) / MIB, there / MIB);
	return refuse(path, why, remedy);
}

/*
 * Two files on the device; the page cache will hold one of them completely. Return:
 * enum tool_status.
 */
static int choose_size(const struct command_line *line, int dir,
		       struct calibration *c)
{
	size_t memory = machine_free_memory(), space, size = line->size;
	struct statvfs fs;

	if (fstatvfs(dir, &fs) < 0)
		return scratch_failed(line->path, "free space unknown", errno);
	space = (size_t)fs.f_bavail * fs.f_frsize;
	if (!size) {
		size = smaller(wanted_size(&c->machine), space / 8);
		if (memory)
			size = smaller(size, memory / 8);
		if (size < SIZE_MIN)
			size = SIZE_MIN;
	}
	size -= size % (2 * GROUP_BYTES);
	if (space < 2 * size + SPARE)
		return too_little(line->path, "space", 2 * size + SPARE, space,
				  line->size > SIZE_MIN ?
				  "free some space, or use a smaller --size" :
				  "free some space");
	if (memory && memory / 2 < size)
		return too_little(line->path, "memory", 2 * size, memory,
				  line->size > SIZE_MIN ?
				  "end other programs, or use a smaller --size" :
				  "end other programs");
	c->size = size;
	return TOOL_OK;
}

static void announce(const struct command_line *line,
		     const struct calibration *c)
{
	const struct machine *m = &c->machine;

	if (line->quiet)
		return;
	fprintf(stderr,
		"daxstack: %s (%s on %s): two scratch files of %zu MiB without a "
		"name, pages of 4 KiB, ",
		name_shown(line->path), c->lower, c->device, c->size / MIB);
	if (m->cpu >= 0)
		fprintf(stderr, "processor %d", m->cpu);
	else
		fputs("any processor", stderr);
	if (m->cpu_node >= 0)
		fprintf(stderr, " of NUMA node %d", m->cpu_node);
	fprintf(stderr, ", at most %u s\n", line->seconds);
}

/* --- The measurement. */

static double measure_once(struct scratches *s, enum figure_id figure,
			   unsigned int mode, size_t round)
{
	if (figure >= FIGURE_OVERWRITE)
		return synced_run(&s->of[mode], figure);
	if (figure <= FIGURE_FAR)
		return chase_read(scratch_group(s, mode, round, false), figure);
	return stream_run(scratch_group(s, mode, round, true), figure);
}

/* Measure a figure in both modes. Return: false with errno if a call failed. */
static bool measure(struct calibration *c, struct scratches *s,
		    enum figure_id figure)
{
	unsigned int first = c->rounds % 2, i, mode;
	double values[MODES];

	for (i = 0; i < MODES; i++) {
		mode = i ^ first;
		values[mode] = measure_once(s, figure, mode, c->rounds);
		if (values[mode] < 0)
			return false;
	}
	/* Keep both samples or neither: the comparison is by pairs. */
	if (values[DAXSTACK_DAX] > 0 && values[DAXSTACK_CACHED] > 0) {
		series_add(&c->series[figure][DAXSTACK_DAX],
			   values[DAXSTACK_DAX]);
		series_add(&c->series[figure][DAXSTACK_CACHED],
			   values[DAXSTACK_CACHED]);
	} else {
		c->discarded++;
	}
	return true;
}

/*
 * fsync(2) waits for kernel threads and takes long. Limit its share of the time, so
 * that the other figures get enough rounds.
 */
static bool is_due(const struct calibration *c, enum figure_id figure,
		   double started, double synced)
{
	return figure_is_memory(figure) || !c->series[figure][0].count ||
		synced < FSYNC_PART * (machine_now() - started);
}

/* Return: enum tool_status; nothing is printed after a signal. */
static int measure_round(const struct command_line *line, struct calibration *c,
			 struct scratches *s, double started)
{
	static double synced;
	unsigned int figure;
	double before;

	for (figure = 0; figure < FIGURES; figure++) {
		if (signals_ended())
			return TOOL_BUSY;
		if (!is_due(c, figure, started, synced))
			continue;
		before = machine_now();
		if (!measure(c, s, figure))
			return scratch_failed(line->path,
					      "writing a scratch file failed", errno);
		if (!figure_is_memory(figure))
			synced += machine_now() - before;
	}
	series_add(&c->instruction, instruction_run());
	c->rounds++;
	return TOOL_OK;
}

/* Discard the samples taken before the processor ran at its full frequency. */
static void forget(struct calibration *c)
{
	unsigned int figure, mode;

	for (figure = 0; figure < FIGURES; figure++)
		for (mode = 0; mode < MODES; mode++)
			series_free(&c->series[figure][mode]);
	series_free(&c->instruction);
	c->rounds = 0;
	c->discarded = 0;
}

static unsigned long preemptions(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

/* Return: enum tool_status; nothing is printed after a signal. */
static int measure_all(const struct command_line *line, struct calibration *c,
		       struct scratches *s, double start)
{
	double started = machine_now(), end = start + line->seconds;
	bool warm = false;
	int status;

	c->preempted = preemptions();
	do {
		status = measure_round(line, c, s, started);
		if (status)
			return status;
		progress_seconds(machine_now() - start, line->seconds);
		if (!warm && machine_now() < end) {
			warm = machine_now() > started + WARM_SECONDS;
			forget(c);
		}
	} while (machine_now() < end);
	c->preempted = preemptions() - c->preempted;
	c->seconds = machine_now() - started;
	return TOOL_OK;
}

/* A figure without samples cannot be compared: no profile then. */
static int check_samples(const struct command_line *line,
			 const struct calibration *c)
{
	unsigned int figure;

	for (figure = 0; figure < FIGURES; figure++)
		if (!c->series[figure][0].count)
			break;
	if (figure == FIGURES)
		return TOOL_OK;
	refuse(line->path, "not measured: pages of the scratch files were reclaimed all the time",
	       "free some memory, or use a smaller --size");
	return TOOL_BUSY;
}

static int run_in(const struct command_line *line, struct calibration *c,
		  struct scratches *scratches)
{
	double start = machine_now();
	int status;

	status = scratch_open(scratches, c->size);
	if (!status && !line->quiet && progress_begin())
		progress_seconds(0, line->seconds);
	status = status ?: scratch_fill(scratches, start + line->seconds / 4.0);
	c->size = scratches->groups * GROUP_BYTES;
	status = status ?: scratch_check(scratches) ?:
		measure_all(line, c, scratches, start) ?:
		scratch_check(scratches);
	progress_end();
	scratch_close(scratches);
	return status ?: check_samples(line, c);
}

/* --- Results. */

static void print_warnings(const struct findings *findings)
{
	size_t i;

	for (i = 0; i < findings->nr_warnings; i++)
		warnx("warning: %s", findings->warnings[i]);
}

static int put_profile(const struct command_line *line,
		       const struct dxs_profile *profile)
{
	if (line->output)
		return output_write(line->output, line->force, profile);
	if (line->json)
		return TOOL_OK;
	return dxs_profile_write(stdout, profile) < 0 ? TOOL_WRITE : TOOL_OK;
}

static int report_all(const struct command_line *line,
		      const struct calibration *c)
{
	struct findings findings;
	char why[256];
	int status;

	findings_make(&findings, c, line->name);
	if (dxs_profile_check(&findings.profile, why, sizeof(why)) < 0)
		errx(TOOL_FAILED, "%s: the measured values do not form a valid profile: %s",
		     name_shown(line->path), why);
	status = put_profile(line, &findings.profile);
	if (line->json)
		status = tool_worse(status, calibrate_show_json(c, &findings));
	else if (!line->quiet)
		calibrate_show_table(line->output ? stdout : stderr, c, &findings);
	if (!line->quiet) {
		if (line->json)
			warnx("%s", findings.sentence);
		print_warnings(&findings);
	}
	findings_free(&findings);
	return status;
}

static int calibrate(const struct command_line *line)
{
	static struct calibration calibration;
	struct calibration *c = &calibration;
	struct scratches scratches = { .path = line->path };
	int status;
	dev_t dev;

	if (line->output && !output_possible(line->output, line->force))
		return TOOL_FAILED;
	scratches.dir = open_directory(line->path, &dev);
	if (scratches.dir < 0)
		return TOOL_FAILED;
	/* Have a write beyond RLIMIT_FSIZE fail with EFBIG instead of killing the process. */
	signal(SIGXFSZ, SIG_IGN);
	signals_catch();
	status = look_at_mount(line, dev, c, &scratches.lower);
	if (!status) {
		machine_look(&c->machine, scratches.lower ?: dev);
		status = choose_size(line, scratches.dir, c);
	}
	if (!status) {
		announce(line, c);
		status = run_in(line, c, &scratches);
	}
	close(scratches.dir);
	if (signals_ended())
		warnx("%s: interrupted: no profile was written",
		      name_shown(line->path));
	else if (!status)
		status = report_all(line, c);
	forget(c);
	return status;
}

/* --- The command line. */

static bool parse_size(const char *text, size_t *size)
{
	unsigned long long number;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	switch (toupper((unsigned char)*end)) {
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	}
	if (shift)
		end++;
	if (errno || *end || number < SIZE_MIN >> shift ||
	    number > SIZE_MAX >> 2 >> shift)
		return false;
	*size = number << shift;
	return *size >= SIZE_MIN;
}

static bool parse_seconds(const char *text, unsigned int *seconds)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	number = strtoul(text, &end, 10);
	*seconds = number;
	return !*end && number >= 1 && number <= 3600;
}

/* The syntax of names in profiles. */
static bool is_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	return len && len < sizeof(((struct dxs_profile *)0)->name) &&
		strspn(name, letters) == len;
}

/* Return: -1, or the exit status if the option ends the command. */
static int parse_option(int c, char **argv, struct command_line *line)
{
	const char *title = argv[0];

	switch (c) {
	case 'o':
		line->output = optarg;
		break;
	case 'f':
		line->force = true;
		break;
	case 'N':
		line->name = optarg;
		if (!is_name(line->name))
			return tool_usage_error(title,
						"'%s' is not a name of a profile: use letters, "
						"digits, dots, - and _, at most 63",
						name_shown(optarg));
		break;
	case 's':
		if (!parse_seconds(optarg, &line->seconds))
			return tool_usage_error(title,
						"'%s' is not a number of seconds from 1 to 3600",
						name_shown(optarg));
		break;
	case 'Z':
		if (!parse_size(optarg, &line->size))
			return tool_usage_error(title, "'%s' is not a size of 4M or more",
						name_shown(optarg));
		break;
	case 'J':
		line->json = true;
		break;
	case 'q':
		line->quiet = true;
		break;
	case 'h':
		return tool_help(&calibrate_command);
	default:
		return tool_bad_option(title, argv);
	}
	return -1;
}

static int calibrate_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "force", no_argument, NULL, 'f' },
		{ "name", required_argument, NULL, 'N' },
		{ "seconds", required_argument, NULL, 's' },
		{ "size", required_argument, NULL, 'Z' },
		{ "json", no_argument, NULL, 'J' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct command_line line = { .name = "calibrated", .seconds = 30 };
	int status;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "o:fs:Jqh", options, NULL)) != -1) {
		status = parse_option(c, argv, &line);
		if (status >= 0)
			return status;
	}
	if (optind == argc)
		return tool_usage_error(argv[0], "MOUNTPOINT missing");
	if (optind + 1 < argc)
		return tool_usage_error(argv[0], "more than one MOUNTPOINT");
	if (line.force && !line.output)
		return tool_usage_error(argv[0], "--force needs --output");
	line.path = argv[optind];
	return calibrate(&line);
}

const struct tool_command calibrate_command = {
	.name = "calibrate",
	.title = "daxstack calibrate",
	.summary = "measure what memory costs in both modes, as a profile",
	.help = calibrate_help,
	.run = calibrate_run,
};
