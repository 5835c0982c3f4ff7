// SPDX-License-Identifier: GPL-2.0-only
/*
 * daxstack calibrate: asserts what it derives from samples, that it finds no
 * difference between identical memories, what it refuses and why, and that it
 * leaves nothing behind.
 */
#include <string.h>

#include "calibrate.h"

char out[64 * KIB];

double random_unit(void)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) / (double)(1ULL << 53);
}

const char *listing(void)
{
	static char list[16 * KIB];

	DXS_RUN_READ(list, sizeof(list), "find", ".", "-mindepth", "1",
		     "-printf", "%p %y\n");
	return list;
}

int main(void)
{
	dxs_begin();
	dxs_watch_begin();
	test_compare();
	test_derive();
	dxs_mkfs(NULL);
	dxs_mount_stack();
	test_run();
	test_refuse();
	test_end();
	dxs_umount_stack();
	dxs_fsck();
	return dxs_done();
}
