// SPDX-License-Identifier: GPL-2.0-only
/* daxstack top: get readings, from mounts or from a trace. */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "heat.h"
#include "heatmounts.h"
#include "heattrace.h"
#include "tool.h"
#include "top.h"

enum {
	/* Windows to probe per mapped file, for accesses that cause no faults. */
	PROBES = 8,
	/* Readings after which a name is asked for again: files are renamed. */
	NAME_AGE = 8,
	NAME_MAX_BYTES = 4096,
};

static char *copy(const char *text)
{
	char *copied = strdup(text ?: "");

	if (!copied)
		err(TOOL_FAILED, "mounts");
	return copied;
}

static struct top_mount *add(struct top *top)
{
	top->mounts = reallocarray(top->mounts, top->nr_mounts + 1,
				   sizeof(*top->mounts));
	if (!top->mounts)
		err(TOOL_FAILED, "mounts");
	top->mounts[top->nr_mounts] = (struct top_mount){ .path = NULL };
	return &top->mounts[top->nr_mounts++];
}

/* CLOCK_REALTIME when CLOCK_MONOTONIC was 0. */
static uint64_t boot_time(void)
{
	struct timespec real, mono;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (real.tv_sec - mono.tv_sec) * 1000000000LL + real.tv_nsec - mono.tv_nsec;
}

/**
 * top_add_mount - add a mount
 * @top: the state
 * @path: mount point, or any directory below
 * @passive: leave sketches and mappings alone
 *
 * Return: false after printing the error.
 */
bool top_add_mount(struct top *top, const char *path, bool passive)
{
	struct heat *heat = NULL;
	struct top_mount *mount;
	bool windows = true;
	char why[512];
	char *target;

	/* daxstackd may own the windows; observing is possible anyway. */
	target = heat_mount_point(path);
	if (!passive)
		heat = heat_open(target, true, why, sizeof(why));
	if (!heat) {
		windows = false;
		heat = heat_open(target, false, why, sizeof(why));
	}
	if (!heat) {
		warnx("%s: %s", name_shown(path), why);
		free(target);
		return false;
	}
	mount = add(top);
	mount->path = target;
	mount->heat = heat;
	mount->windows = windows;
	mount->page_size = sysconf(_SC_PAGESIZE);
	mount->realtime_ns = boot_time();
	heat_mount_lower(target, &mount->lower, &mount->device);
	return true;
}

/**
 * top_add_all_mounts - add all mounts
 * @top: the state
 * @passive: leave sketches and mappings alone
 *
 * Return: false after printing the error.
 */
bool top_add_all_mounts(struct top *top, bool passive)
{
	char **targets;
	size_t nr = heat_mount_points(&targets), i;

	if (!nr)
		warnx("no daxstack mount: mount one with 'mount -t daxstack', "
		      "or show a trace with --replay");
	for (i = 0; i < nr; i++) {
		top_add_mount(top, targets[i], passive);
		free(targets[i]);
	}
	free(targets);
	return top->nr_mounts;
}

/**
 * top_add_trace - add a trace
 * @top: the state
 * @path: the file
 *
 * Return: false after printing the error.
 */
bool top_add_trace(struct top *top, const char *path)
{
	const struct heattrace_info *info;
	struct heattrace_reader *reader;
	struct top_mount *mount;
	char why[256];

	reader = heattrace_open(path, why, sizeof(why));
	if (!reader) {
		warnx("%s: %s", name_shown(path), why);
		return false;
	}
	info = heattrace_info(reader);
	mount = add(top);
	mount->path = copy(info->mount);
	mount->lower = copy(info->lower);
	mount->device = copy(NULL);
	mount->trace = copy(path);
	mount->reader = reader;
	mount->windows = info->windows;
	mount->page_size = info->page_size;
	mount->realtime_ns = info->realtime_ns;
	return true;
}

static int read_trace(struct top_mount *mount, const struct daxstack_heat_file **files,
		      size_t *nr, uint64_t *time_ns)
{
	int got = heattrace_next(mount->reader, time_ns, files, nr);

	return got > 0 ? 0 : got < 0 ? EBADMSG : ENODATA;
}

/**
 * top_source_read - get the next reading of a mount
 * @mount: the mount, or a trace of it
 * @files: set to the files, valid until the next call
 * @nr: set to the number of files
 * @time_ns: set to the time of the reading
 *
 * Return: 0 or an errno: ENODATA at the end of a trace; EBADMSG if it is damaged, see
 * heattrace_error(); ENODEV if the mount was unmounted; EINTR.
 */
int top_source_read(struct top_mount *mount, const struct daxstack_heat_file **files,
		    size_t *nr, uint64_t *time_ns)
{
	int error;

	if (mount->reader)
		return read_trace(mount, files, nr, time_ns);
	do {
		error = heat_read(mount->heat, true, mount->windows,
				  mount->windows ? PROBES : 0);
	} while (error == EINTR && !signals_ended());
	*files = heat_files(mount->heat, nr);
	*time_ns = heat_time_ns(mount->heat);
	return error;
}

static bool ask(const struct top_row *row, char *path)
{
	const struct top_mount *mount = row->mount;
	const char *name;

	if (mount->heat)
		return !heat_name(mount->heat, row->heat.ino, row->heat.generation,
				  path, NAME_MAX_BYTES);
	name = heattrace_name(mount->reader, row->heat.ino, row->heat.generation);
	if (name)
		snprintf(path, NAME_MAX_BYTES, "%s", name);
	return name;
}

/**
 * top_name - name of a file
 * @row: the file
 *
 * Return: path relative to the mount point, raw bytes; NULL if it has none.
 */
const char *top_name(struct top_row *row)
{
	unsigned long now = row->mount->readings;
	char path[NAME_MAX_BYTES];

	if (row->asked && now - row->asked < NAME_AGE)
		return row->name;
	row->asked = now ?: 1;
	/* An unlinked file keeps its last name. */
	if (ask(row, path) && (!row->name || strcmp(row->name, path))) {
		free(row->name);
		row->name = copy(path);
	}
	return row->name;
}

/**
 * top_close - free everything
 * @top: the state
 */
void top_close(struct top *top)
{
	struct top_mount *mount;

	for (mount = top->mounts; mount < top->mounts + top->nr_mounts; mount++) {
		heat_close(mount->heat);
		heattrace_close(mount->reader);
		top_forget(mount);
		free(mount->path);
		free(mount->lower);
		free(mount->device);
		free(mount->trace);
	}
	free(top->mounts);
	free(top->shown);
}
