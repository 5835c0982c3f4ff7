// SPDX-License-Identifier: GPL-2.0
/*
 * Faults: what fails below the module fails the call, and changes nothing.
 *
 * Usage: faults [--anywhere] [NAME...]
 *
 *   NAME        "space", "writes", "shutdown", "blocks", or a call of calls.c;
 *               all of them without a name
 *   --anywhere  not only the module's allocations fail: those of the lower
 *               filesystem as well. What it makes of it, is its own affair:
 *               ext4 may complain, and leave a truncate half done.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "faults.h"

static char **names;
static int name_count;

static bool wanted(const char *name)
{
	int i;

	for (i = 0; i < name_count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return !name_count;
}

bool fault_put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return done;
}

void fault_drop_caches(void)
{
	sync();
	if (!fault_put("/proc/sys/vm/drop_caches", "3"))
		dxs_bail("cannot drop caches: %m");
}

/* Nothing holds the lower filesystem, or the module. */
static void check_gone(void)
{
	int fd = open(dxs_pmem, O_RDWR | O_EXCL);

	dxs_errno(0, ERR(fd), "nobody has the device any more");
	close(fd);
	if (!access("/sys/module/daxstack", F_OK))
		dxs_is(0, DXS_RUN("rmmod", "daxstack"), "the module can go");
}

int main(int argc, char **argv)
{
	bool anywhere = argc > 1 && !strcmp(argv[1], "--anywhere");

	names = argv + 1 + anywhere;
	name_count = argc - 1 - anywhere;
	dxs_begin();
	dxs_watch_begin();
	if (wanted("space"))
		fault_no_space();
	if (wanted("writes"))
		fault_nth_write();
	if (wanted("shutdown"))
		fault_shutdown();
	fault_allocations(wanted, anywhere);
	/* The last one: mkfs would meet them, too. */
	if (wanted("blocks"))
		fault_bad_blocks();
	check_gone();
	return dxs_done();
}
