// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daxstack command run by root on files whose owners misbehave: fifos and
 * devices, escape sequences in names, leases, directories that move while a
 * tree is walked, signals, freezes.
 *
 * Usage: command [PART...]	special lease names walk signals frozen restore
 *				unshare [all]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

static const struct dxs_part parts[] = {
	{ "special", test_special },
	{ "lease", test_lease },
	{ "names", test_names },
	{ "walk", test_walk },
	{ "signals", test_signals },
	{ "frozen", test_frozen },
	{ "restore", test_restore },
	{ "unshare", test_unshare },
};

void make_file(const char *path)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_EXCL, 0644));

	dxs_pwrite(fd, "data", 4, 0);
	close(fd);
}

int occurrences(const char *text, const char *part)
{
	int found = 0;

	while ((text = strstr(text, part))) {
		found++;
		text += strlen(part);
	}
	return found;
}

bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text != '\n' && (*text < ' ' || *text > '~'))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	(void)argc;
	dxs_begin();
	dxs_watch_begin();
	dxs_run_parts(parts, ARRAY_SIZE(parts), argv + 1, false);
	return dxs_done();
}
