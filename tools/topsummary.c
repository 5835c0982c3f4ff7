// SPDX-License-Identifier: GPL-2.0-only
/* daxstack top: format the lines above the rows. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tool.h"
#include "top.h"

static void put_time_of(char *to, size_t size, const struct top_mount *mount)
{
	uint64_t ns = mount->realtime_ns + mount->time_ns;
	time_t seconds = ns / 1000000000;
	struct tm tm;

	*to = 0;
	if (localtime_r(&seconds, &tm))
		strftime(to, size, mount->reader ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", &tm);
}

/* name_shown() makes sure that this is one line. */
static void put_mount(char *to, size_t size, const struct top_mount *mount)
{
	int n = snprintf(to, size, "%s", name_shown(mount->path));

	if (n < 0 || (size_t)n >= size || (!*mount->lower && !*mount->device))
		return;
	if (*mount->device)
		snprintf(to + n, size - n, " (%s on %s)", mount->lower, mount->device);
	else
		snprintf(to + n, size - n, " (%s)", name_shown(mount->lower));
}

static void put_title(char *to, size_t size, const struct top *top)
{
	const struct top_mount *mount = top->mounts, *end = mount + top->nr_mounts;
	char time[32], where[256];

	/* A mount that was unmounted has no time. */
	while (mount->ended && mount + 1 < end)
		mount++;
	put_time_of(time, sizeof(time), mount);
	if (top->nr_mounts > 1)
		snprintf(where, sizeof(where), "%zu mounts", top->nr_mounts);
	else
		put_mount(where, sizeof(where), mount);
	if (!mount->interval_ns)
		snprintf(to, size, "daxstack top - %s, %s", time, where);
	else
		snprintf(to, size, "daxstack top - %s, %.1f s, %s", time,
			 mount->interval_ns / 1e9, where);
}

static void put_rates(char *to, size_t size, const struct top_totals *t)
{
	char reads[16], writes[16], read_bytes[16], write_bytes[16], faults[16], fsyncs[16];

	top_put_value(reads, sizeof(reads), TOP_RATE, true, t->reads);
	top_put_value(writes, sizeof(writes), TOP_RATE, true, t->writes);
	top_put_value(faults, sizeof(faults), TOP_RATE, true, t->faults);
	top_put_value(fsyncs, sizeof(fsyncs), TOP_RATE, true, t->fsyncs);
	top_put_value(read_bytes, sizeof(read_bytes), TOP_BYTES, true, t->read_bytes);
	top_put_value(write_bytes, sizeof(write_bytes), TOP_BYTES, true, t->write_bytes);
	snprintf(to, size, "Per s: %s reads %s, %s writes %s, %s faults, %s fsyncs",
		 reads, read_bytes, writes, write_bytes, faults, fsyncs);
}

static void put_model(char *to, size_t size, const struct top *top)
{
	const struct top_totals *t = &top->totals;
	char load[16], gain[16];

	if (!top->modelled) {
		snprintf(to, size, "Model: none: give a profile with --profile");
		return;
	}
	top_put_value(load, sizeof(load), TOP_TIME, true, t->load * 1e3);
	top_put_value(gain, sizeof(gain), TOP_TIME, true, t->gain * 1e3);
	snprintf(to, size, "Model: %s: %s ms/s, %s ms/s less if %zu switched; %zu cannot",
		 top->profile.name, load, gain, t->gaining, t->stuck);
}

/**
 * top_put_summary - format a line of the summary
 * @to: output
 * @size: bytes at @to
 * @top: the state
 * @line: from 0 to TOP_SUMMARY_LINES - 1, most important first
 */
void top_put_summary(char *to, size_t size, const struct top *top, int line)
{
	const struct top_totals *t = &top->totals;
	char dram[16];

	switch (line) {
	case 0:
		put_title(to, size, top);
		break;
	case 1:
		snprintf(to, size, "Files: %zu total, %zu used, %zu dax, %zu cached, %zu mapped",
			 t->files, t->used, t->by_mode[DAXSTACK_DAX],
			 t->by_mode[DAXSTACK_CACHED], t->mapped);
		break;
	case 2:
		top_put_value(dram, sizeof(dram), TOP_BYTES, true, t->dram);
		snprintf(to, size, "DRAM:  %s page cache of files in cached mode", dram);
		break;
	case 3:
		put_rates(to, size, t);
		break;
	default:
		put_model(to, size, top);
		break;
	}
}
