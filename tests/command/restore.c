// SPDX-License-Identifier: GPL-2.0
/*
 * daxstack restore by root where the owner of a directory puts links in the place of
 * what is listed, before each system call in turn that names or changes a file: what
 * the links lead to is never changed.
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
 * struct swap - what is put in the place of what
 * @name: for people
 * @what: is moved away
 * @link: its name is a symbolic link to this then
 * @hard: or else another name of this
 */
struct swap {
	const char *name;
	const char *what;
	const char *link;
	const char *hard;
};

static const struct swap swaps[] = {
	{ "a symbolic link for a directory", EVE "/dir", "../victim", NULL },
	{ "one for the directory above", EVE, "victim-tree", NULL },
	{ "a symbolic link for a file", EVE "/dir/file", "../../victim/file",
	  NULL },
	{ "a hard link for a file", EVE "/dir/file", NULL, VICTIM "/file" },
};

/**
 * struct eve - she who swaps
 * @swap: what
 * @when: before which of these calls
 * @calls: that were made
 * @done: it is swapped
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

/* Return: was the victim changed? */
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

	dxs_is(1, flag_of(EVE "/dir/file"), "restore: %s: switched without",
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
