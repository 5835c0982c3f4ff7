// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps a file and pins its first page until standard input ends. Meanwhile no
 * switch of the file succeeds.
 *
 * Usage: pinner FILE
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dxs_test.h"

int main(int argc, char **argv)
{
	int ends[2], fd;
	char byte;
	void *page;

	if (argc != 2)
		dxs_bail("usage: pinner FILE");
	fd = MUST(open(argv[1], O_RDWR));
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		dxs_bail("%s: mmap: %m", argv[1]);
	dxs_pin(ends, page);
	MUST(write(STDOUT_FILENO, "pinned\n", 7));
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	dxs_unpin(ends);
	return 0;
}
