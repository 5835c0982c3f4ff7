// SPDX-License-Identifier: GPL-2.0
/*
 * The differences that are deliberate: only these are tolerated. They stand in
 * docs/semantics.md as well, by the same names.
 */
#include "differ.h"

static struct {
	const char *name;
	const char *why;
	unsigned long met;
} table[KNOWN_COUNT] = {
	[KNOWN_FSTYPE] = { "f_type",
		"statfs(2) tells that it is daxstack" },
	[KNOWN_BLOCKS] = { "st_blocks",
		"what is allocated, and when, depends on the mode, and on where room is" },
	[KNOWN_SEEK] = { "SEEK_DATA, SEEK_HOLE",
		"what is told of ranges that are allocated and not written depends on the mode" },
	[KNOWN_DIRECT] = { "O_DIRECT",
		"only in cached mode it has to be aligned" },
	[KNOWN_FAR] = { "where no file can be",
		"ext4: reading at the largest offset is EINVAL in dax mode, nothing in cached" },
	[KNOWN_SIGBUS] = { "SIGBUS",
		"a store beyond the end of the file changes its times, in dax mode" },
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

	dxs_diag("tolerated, and how often it could have shown:");
	for (i = 0; i < KNOWN_COUNT; i++)
		dxs_diag("  %-22s %7lu  %s", table[i].name, table[i].met,
			 table[i].why);
}
