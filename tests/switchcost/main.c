// SPDX-License-Identifier: GPL-2.0
/*
 * What a switch costs: bounds that a test keeps (with --walks those of files with
 * very many entries alone); with --json all of it, with --stalls how long readers
 * wait, with --readers how long they take.
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
