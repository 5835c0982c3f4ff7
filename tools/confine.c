// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstackd reads and switches files. It never writes, creates or executes one, and
 * gives up the right to do so by Landlock: for all mounts, including later ones, and
 * although it runs as root.
 */
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

#define SOCKET_RIGHTS	(LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define GIVEN_UP	(SOCKET_RIGHTS |				\
			 LANDLOCK_ACCESS_FS_EXECUTE |			\
			 LANDLOCK_ACCESS_FS_WRITE_FILE |		\
			 LANDLOCK_ACCESS_FS_REMOVE_DIR |		\
			 LANDLOCK_ACCESS_FS_MAKE_CHAR |			\
			 LANDLOCK_ACCESS_FS_MAKE_DIR |			\
			 LANDLOCK_ACCESS_FS_MAKE_REG |			\
			 LANDLOCK_ACCESS_FS_MAKE_FIFO |			\
			 LANDLOCK_ACCESS_FS_MAKE_BLOCK |		\
			 LANDLOCK_ACCESS_FS_MAKE_SYM)

/**
 * confine - give up the right to change files
 * @dir: directory where sockets may still be created and removed
 *
 * Return: false if the kernel has no Landlock; nothing was given up then.
 */
bool confine(const char *dir)
{
	struct landlock_ruleset_attr all = { .handled_access_fs = GIVEN_UP };
	struct landlock_path_beneath_attr rest = { .allowed_access = SOCKET_RIGHTS };
	int set = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	bool done;

	if (set < 0)
		return false;
	rest.parent_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	done = rest.parent_fd >= 0 &&
		!syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rest, 0) &&
		!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
		!syscall(SYS_landlock_restrict_self, set, 0);
	if (rest.parent_fd >= 0)
		close(rest.parent_fd);
	close(set);
	return done;
}
