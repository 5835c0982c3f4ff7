// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asserts that a failure below the module (of an allocation, a write, the
 * device) makes the call fail and changes nothing.
 *
 * Usage: faultinject [--anywhere] [NAME...]
 *
 *   NAME        "space", "writes", "shutdown", "blocks", or a call of calls.c;
 *               without a name, all of them
 *   --anywhere  allocations of the lower filesystem fail as well, not only
 *               those of the module. Its handling of that is not judged:
 *               ext4 logs errors, and may leave a truncate half done.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "faultinject.h"

static char **names;

static bool wanted(const char *name)
{
	return dxs_wanted(name, names);
}

void fault_drop_caches(void)
{
	sync();
	if (!dxs_put("/proc/sys/vm/drop_caches", "3"))
		dxs_bail("cannot drop caches: %m");
}

/* Asserts that nothing keeps the lower filesystem or the module in use. */
static void check_gone(void)
{
	int fd = open(dxs_pmem, O_RDWR | O_EXCL);

	dxs_errno(0, ERR(fd), "the device is no longer in use");
	close(fd);
	if (!access("/sys/module/daxstack", F_OK))
		dxs_is(0, DXS_RUN("rmmod", "daxstack"),
		       "the module can be removed");
}

int main(int argc, char **argv)
{
	bool anywhere = argc > 1 && !strcmp(argv[1], "--anywhere");

	names = argv + 1 + anywhere;
	dxs_begin();
	dxs_watch_begin();
	if (wanted("space"))
		fault_no_space();
	if (wanted("writes"))
		fault_nth_write();
	if (wanted("shutdown"))
		fault_shutdown();
	fault_allocations(wanted, anywhere);
	/* Must be last: mkfs would hit the bad blocks, too. */
	if (wanted("blocks"))
		fault_bad_blocks();
	check_gone();
	return dxs_done();
}
