// SPDX-License-Identifier: GPL-2.0
/*
 * Names of a file change, go and come while it is switched.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "besiege.h"

#define ROUNDS	25

static void move(const char *from, const char *to, unsigned int flags)
{
	MUST(renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

/* From name to name, and at last to none. */
static void move_about(int fd, int i)
{
	char link[64];

	move("stack/names/a/file", "stack/names/b/file", 0);
	move("stack/names/b/file", "stack/names/b/other", RENAME_EXCHANGE);
	MUST(linkat(AT_FDCWD, "stack/names/b/other", AT_FDCWD,
		    "stack/names/a/second", 0));
	move("stack/names/b", "stack/names/c", 0);
	MUST(unlink("stack/names/c/file"));
	/* Replaces nothing, then something. */
	move("stack/names/c/other", "stack/names/a/file", RENAME_NOREPLACE);
	close(MUST(open("stack/names/a/third", O_WRONLY | O_CREAT, 0644)));
	move("stack/names/a/second", "stack/names/a/third", 0);
	MUST(rmdir("stack/names/c"));
	/* A hard link of a file without a name is refused, unless O_TMPFILE. */
	MUST(unlink("stack/names/a/file"));
	MUST(unlink("stack/names/a/third"));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (!linkat(AT_FDCWD, link, AT_FDCWD, "stack/names/back",
		    AT_SYMLINK_FOLLOW))
		dxs_bail("round %d: a removed file was linked", i);
	MUST(rmdir("stack/names/a"));
}

/* Return: what was wrong. */
static int round_of_names(int i, long *switches, int options)
{
	struct bs_switcher s;
	struct bs_user u;
	int fd, wrong = 0;

	MUST(mkdir("stack/names/a", 0755));
	MUST(mkdir("stack/names/b", 0755));
	if (options) {
		int dir = MUST(open("stack/names/b", O_RDONLY | O_CLOEXEC));

		wrong += dxs_set_xflag(dir, DAXSTACK_DAX) != 0;
		close(dir);
	}
	fd = bs_file("stack/names/a/file", i % 2);
	close(bs_file("stack/names/b/other", DAXSTACK_CACHED));
	bs_switch_begin(&s, fd);
	/* With inherit=move, renames switch it, too. */
	s.alone = !options;
	bs_use_begin(&u, fd, 2);
	bs_switch_more(&s, 1);
	move_about(fd, i);
	/* A file without a name. */
	bs_switch_more(&s, 1);
	bs_switch_end(&s);
	bs_use_more(&u, 1);
	bs_use_end(&u);
	*switches += s.done;
	wrong += s.wrong + u.wrong + !u.done;
	wrong += !dxs_to(fd, !dxs_mode(fd), "names") + !bs_agree(fd) +
		!bs_bytes(fd, "names");
	close(fd);
	return wrong;
}

/* Born without a name, switched, and given one. */
static int born_unnamed(int i)
{
	uint8_t buf[LEN];
	int fd, wrong = 0;
	char path[64];

	fd = MUST(open("stack/names", O_RDWR | O_TMPFILE | O_CLOEXEC, 0644));
	dxs_fill(buf, LEN, SEED, 0);
	dxs_pwrite(fd, buf, LEN, 0);
	wrong += !dxs_to(fd, !dxs_mode(fd), "O_TMPFILE");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(linkat(AT_FDCWD, path, AT_FDCWD, "stack/names/unnamed",
		    AT_SYMLINK_FOLLOW));
	wrong += !bs_bytes(fd, "O_TMPFILE") + !bs_agree(fd);
	if (i % 2)
		wrong += !dxs_to(fd, !dxs_mode(fd), "O_TMPFILE, linked");
	close(fd);
	fd = MUST(open("stack/names/unnamed", O_RDWR | O_CLOEXEC));
	wrong += !bs_bytes(fd, "O_TMPFILE, linked") + !bs_agree(fd);
	close(fd);
	MUST(unlink("stack/names/unnamed"));
	return wrong;
}

void siege_names(void)
{
	int i, wrong = 0, tmpfile = 0;
	long switches = 0;

	MUST(mkdir("stack/names", 0755));
	for (i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 2)
			dxs_remount("inherit=move");
		wrong += round_of_names(i, &switches, i >= ROUNDS / 2);
	}
	dxs_is(0, wrong, "renamed, linked and unlinked against switches");
	dxs_ok(switches >= 2 * ROUNDS, "... switches took place");
	dxs_remount("inherit=create");
	for (i = 0; i < 6; i++)
		tmpfile += born_unnamed(i);
	dxs_is(0, tmpfile, "O_TMPFILE: switched, and linked");
	dxs_errno(0, ERR(rmdir("stack/names")), "no name is left");
}
