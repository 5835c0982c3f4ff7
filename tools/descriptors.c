// SPDX-License-Identifier: GPL-2.0-only
/* Keep descriptors 0 to 2 occupied when the caller has closed them. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

/**
 * descriptors_keep - prevent files opened later from getting descriptor 0, 1 or 2
 *
 * Otherwise output might end up in such a file. /dev/null is opened in the wrong
 * direction, so that use remains an error, and close-on-exec, so that programs started
 * from here find the descriptors closed, as the caller left them.
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
