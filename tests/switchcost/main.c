// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost of a switch. Without an option, asserts upper bounds (with --walks only
 * those for files with very many entries). --json prints all costs; --stalls
 * prints how long readers wait; --curves [NAME] prints the effects of a switch
 * on other tasks, up to a million pages; --readers prints how long readers
 * take.
 */
#include <string.h>

#include "cost.h"

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";

	dxs_begin();
	dxs_mkfs(NULL);
	if (!strcmp(what, "--json")) {
		print_sweeps();
		return 0;
	}
	if (!strcmp(what, "--stalls")) {
		print_stalls(100);
		return 0;
	}
	if (!strcmp(what, "--curves")) {
		print_curves(argc > 2 ? argv[2] : NULL);
		return 0;
	}
	if (!strcmp(what, "--readers")) {
		dxs_mount_lower();
		print_readers("lower");
		dxs_umount_lower();
		dxs_mount_stack();
		print_readers("stack");
		dxs_umount_stack();
		return 0;
	}
	if (strcmp(what, "--walks"))
		check_bounds();
	check_walks();
	return dxs_done();
}
