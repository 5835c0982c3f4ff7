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

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
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

int mode_of(const char *path)
{
	int fd = MUST(open(path, O_RDONLY));
	int mode = dxs_mode(fd);

	close(fd);
	return mode;
}

void set_mode(const char *path, int mode)
{
	int fd = MUST(open(path, O_RDONLY));
	int error = dxs_switch(fd, mode, 0, NULL);

	if (error)
		dxs_bail("%s: not switched: %s", path, strerror(error));
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
	double start;
	size_t i;

	(void)argc;
	dxs_begin();
	dxs_watch_begin();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!dxs_wanted(parts[i].name, argv + 1))
			continue;
		start = dxs_now();
		parts[i].run();
		dxs_diag("%s: %.1f s", parts[i].name, dxs_now() - start);
	}
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
