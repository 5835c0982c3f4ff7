// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ: the deliberate differences; only these are tolerated.
 * docs/semantics.md has them by the same names.
 */
#include "differ.h"

static struct {
	const char *name;
	const char *why;
	unsigned long met;
} table[KNOWN_COUNT] = {
	[KNOWN_FSTYPE] = { "f_type",
		"statfs(2) identifies daxstack" },
	[KNOWN_BLOCKS] = { "st_blocks",
		"allocation, and its time, depend on the mode and on free space" },
	[KNOWN_SEEK] = { "SEEK_DATA, SEEK_HOLE",
		"the answer for ranges allocated but not written depends on the mode" },
	[KNOWN_DIRECT] = { "O_DIRECT",
		"alignment is required in cached mode only" },
	[KNOWN_FAR] = { "where no file can be",
		"ext4: reading at the largest offset is EINVAL in dax mode, EOF in cached" },
	[KNOWN_SIGBUS] = { "SIGBUS",
		"in dax mode a store beyond the end of the file changes its times" },
	[KNOWN_OVERLAP] = { "sendfile within a file",
		"what it reads of the range that it writes depends on the mode" },
	[KNOWN_DIOALIGN] = { "STATX_DIOALIGN",
		"the same" },
	[KNOWN_DONTCACHE] = { "RWF_DONTCACHE",
		"refused in dax mode, where there is no cache" },
	[KNOWN_CTIME] = { "st_ctime",
		"a switch changes it, as does every change of flags" },
};

bool known(enum known which)
{
	table[which].met++;
	return true;
}

void report_known(void)
{
	unsigned int i;

	dxs_diag("tolerated differences, and how often each could have shown:");
	for (i = 0; i < KNOWN_COUNT; i++)
		dxs_diag("  %-22s %7lu  %s", table[i].name, table[i].met,
			 table[i].why);
}
