// SPDX-License-Identifier: GPL-2.0
/*
 * Standard input, output and error that the caller has closed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

/**
 * descriptors_keep - have no file that is opened later take their numbers
 *
 * Else what is printed might end in that file. What stands in for them cannot be
 * read or written, so that it is an error as before; and programs that are started
 * find them closed, as the caller wanted it.
 */
void descriptors_keep(void)
{
	static const int flags[] = { O_WRONLY, O_RDONLY, O_RDONLY };
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", flags[fd] | O_CLOEXEC) != fd)
			_exit(TOOL_FAILED);
}
