// SPDX-License-Identifier: GPL-2.0-only
/*
 * command: daxstack restore, run by root, while the owner of a directory
 * replaces listed names by links, before each system call that names or changes
 * a file in turn. Asserts that the targets of the links are never changed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "command.h"

#define TOP	"stack/restore"
#define EVE	"stack/restore/eve"
#define VICTIM	"stack/restore/victim"
#define LIST	"modes"
#define NOBODY	65534

static char out[65536];

/**
 * struct swap - a replacement
 * @name: for the report
 * @what: the name, whose file is moved away
 * @link: the name becomes a symbolic link to this
 * @hard: otherwise, it becomes a hard link of this
 */
struct swap {
	const char *name;
	const char *what;
	const char *link;
	const char *hard;
};

static const struct swap swaps[] = {
	{ "a symbolic link for a directory", EVE "/dir", "../victim", NULL },
	{ "a symbolic link for the parent directory", EVE,
	  "victim-tree", NULL },
	{ "a symbolic link for a file", EVE "/dir/file", "../../victim/file",
	  NULL },
	{ "a hard link for a file", EVE "/dir/file", NULL, VICTIM "/file" },
};

/**
 * struct eve - the attacker
 * @swap: the replacement
 * @when: number of the call before which to replace
 * @calls: number of calls made
 * @done: the replacement has been made
 */
struct eve {
	const struct swap *swap;
	long when;
	long calls;
	bool done;
};

static void swap_hook(const struct call *call, void *data)
{
	struct eve *eve = data;

	if (call->nr != SYS_openat && call->nr != SYS_openat2 &&
	    call->nr != SYS_ioctl)
		return;
	if (eve->calls++ != eve->when)
		return;
	MUST(rename(eve->swap->what, TOP "/away"));
	if (eve->swap->link)
		MUST(symlink(eve->swap->link, eve->swap->what));
	else
		MUST(link(eve->swap->hard, eve->swap->what));
	eve->done = true;
}

static void swap_back(const struct eve *eve)
{
	if (!eve->done)
		return;
	MUST(unlink(eve->swap->what));
	MUST(rename(TOP "/away", eve->swap->what));
}

static bool flag_of(const char *path)
{
	int fd = MUST(open(path, O_RDONLY));
	bool flag = dxs_xflag(fd);

	close(fd);
	return flag;
}

static bool victim_changed(void)
{
	return flag_of(VICTIM) || flag_of(VICTIM "/file") ||
		flag_of(TOP "/victim-tree/dir") ||
		flag_of(TOP "/victim-tree/dir/file");
}

/* Return: whether the victim was changed. */
static bool run_swapped(struct eve *eve)
{
	int status;

	eve->calls = 0;
	eve->done = false;
	DXS_RUN("daxstack", "set", "-R", "-q", "cached", TOP);
	status = traced(out, sizeof(out),
			ARGV("daxstack", "restore", "-C", TOP, LIST),
			swap_hook, eve);
	if (status != 0 && status != 2)
		dxs_bail("restore: exit status %d: %s", status, out);
	swap_back(eve);
	return victim_changed();
}

static void test_swap(const struct swap *swap)
{
	struct eve eve = { .swap = swap, .when = -1 };
	long calls;
	int bad = run_swapped(&eve);

	dxs_is(1, flag_of(EVE "/dir/file"),
	       "restore: %s: switched without a replacement",
	       swap->name);
	calls = eve.calls;
	for (eve.when = 0; eve.when < calls; eve.when++) {
		if (run_swapped(&eve) && !bad++)
			dxs_diag("before call %ld of %ld: %s", eve.when, calls,
				 out);
	}
	dxs_is(0, bad, "restore: %s, before each of %ld calls", swap->name,
	       calls);
}

static void write_list(void)
{
	FILE *list = fopen(LIST, "w");

	fputs("# daxstack modes 1\n"
	      "dax directory eve/dir\n"
	      "dax file eve/dir/file\n"
	      "# end\n", list);
	fclose(list);
}

void test_restore(void)
{
	static const char *const dirs[] = {
		TOP, EVE, EVE "/dir", VICTIM, TOP "/victim-tree",
		TOP "/victim-tree/dir",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		MUST(mkdir(dirs[i], 0755));
	make_file(EVE "/dir/file");
	make_file(VICTIM "/file");
	make_file(TOP "/victim-tree/dir/file");
	MUST(chown(EVE, NOBODY, NOBODY));
	MUST(chown(EVE "/dir", NOBODY, NOBODY));
	write_list();
	for (i = 0; i < ARRAY_SIZE(swaps); i++)
		test_swap(&swaps[i]);
}
