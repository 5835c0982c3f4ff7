// SPDX-License-Identifier: GPL-2.0-only
/*
 * Renames, links and unlinks a file while it is switched. Asserts that no call
 * fails and mode, flag and bytes stay right.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interactions.h"

#define ROUNDS	25

static void move(const char *from, const char *to, unsigned int flags)
{
	MUST(renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

/* Renames the file repeatedly, and unlinks it at last. */
static void move_about(int fd, int i)
{
	char link[64];

	move("stack/names/a/file", "stack/names/b/file", 0);
	move("stack/names/b/file", "stack/names/b/other", RENAME_EXCHANGE);
	MUST(linkat(AT_FDCWD, "stack/names/b/other", AT_FDCWD,
		    "stack/names/a/second", 0));
	move("stack/names/b", "stack/names/c", 0);
	MUST(unlink("stack/names/c/file"));
	/* With and without an existing target. */
	move("stack/names/c/other", "stack/names/a/file", RENAME_NOREPLACE);
	close(MUST(open("stack/names/a/third", O_WRONLY | O_CREAT, 0644)));
	move("stack/names/a/second", "stack/names/a/third", 0);
	MUST(rmdir("stack/names/c"));
	/* Linking an unlinked file is refused, unless it is from O_TMPFILE. */
	MUST(unlink("stack/names/a/file"));
	MUST(unlink("stack/names/a/third"));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (!linkat(AT_FDCWD, link, AT_FDCWD, "stack/names/back",
		    AT_SYMLINK_FOLLOW))
		dxs_bail("round %d: an unlinked file was linked", i);
	MUST(rmdir("stack/names/a"));
}

/* Return: number of errors. */
static int round_of_names(int i, long *switches, int options)
{
	struct ia_switcher s;
	struct ia_user u;
	int fd, wrong = 0;

	MUST(mkdir("stack/names/a", 0755));
	MUST(mkdir("stack/names/b", 0755));
	if (options) {
		int dir = MUST(open("stack/names/b", O_RDONLY | O_CLOEXEC));

		wrong += dxs_set_xflag(dir, DAXSTACK_DAX) != 0;
		close(dir);
	}
	fd = ia_file("stack/names/a/file", i % 2);
	close(ia_file("stack/names/b/other", DAXSTACK_CACHED));
	ia_switch_begin(&s, fd);
	/* With inherit=move, renames switch it, too. */
	s.alone = !options;
	ia_use_begin(&u, fd, 2);
	ia_switch_more(&s, 1);
	move_about(fd, i);
	/* Unlinked but open. */
	ia_switch_more(&s, 1);
	ia_switch_end(&s);
	ia_use_more(&u, 1);
	ia_use_end(&u);
	*switches += s.done;
	wrong += s.wrong + u.wrong + !u.done;
	wrong += !dxs_to(fd, !dxs_mode(fd), "names") + !ia_agree(fd) +
		!ia_bytes(fd, "names");
	close(fd);
	return wrong;
}

/* O_TMPFILE: switched, then linked. */
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
	wrong += !ia_bytes(fd, "O_TMPFILE") + !ia_agree(fd);
	if (i % 2)
		wrong += !dxs_to(fd, !dxs_mode(fd), "O_TMPFILE, linked");
	close(fd);
	fd = MUST(open("stack/names/unnamed", O_RDWR | O_CLOEXEC));
	wrong += !ia_bytes(fd, "O_TMPFILE, linked") + !ia_agree(fd);
	close(fd);
	MUST(unlink("stack/names/unnamed"));
	return wrong;
}

void check_names(void)
{
	int i, wrong = 0, tmpfile = 0;
	long switches = 0;

	MUST(mkdir("stack/names", 0755));
	for (i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 2)
			dxs_remount("inherit=move");
		wrong += round_of_names(i, &switches, i >= ROUNDS / 2);
	}
	dxs_is(0, wrong, "rename, link and unlink race with switches");
	dxs_ok(switches >= 2 * ROUNDS, "... enough switches succeed");
	dxs_remount("inherit=create");
	for (i = 0; i < 6; i++)
		tmpfile += born_unnamed(i);
	dxs_is(0, tmpfile, "O_TMPFILE: switched, then linked");
	dxs_errno(0, ERR(rmdir("stack/names")), "no name is left");
}
