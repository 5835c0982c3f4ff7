// SPDX-License-Identifier: GPL-2.0-only
/* Write back and switch a single file. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "mover.h"

/*
 * Timeout of a switch. While it waits, the gates are open. A file that stays busy is
 * tried again later.
 */
enum { DEADLINE_MS = 50 };

unsigned int mover_in_the_way(int fd, int to)
{
	struct daxstack_state state;

	/* The reason is about the mode that the file is not in. */
	if (ioctl(fd, DAXSTACK_IOC_STATE, &state) < 0 || state.mode == (unsigned int)to)
		return DAXSTACK_REASON_NONE;
	return state.reason;
}

int mover_flush(int fd, off_t offset)
{
	/*
	 * sync_file_range(2) has no effect on a daxstack mount, and fdatasync(2) writes
	 * back the whole file. The mapping is not accessed.
	 */
	void *piece = mmap(NULL, MOVER_PIECE, PROT_READ, MAP_SHARED, fd, offset);
	int error = 0;

	if (piece == MAP_FAILED)
		return errno;
	if (msync(piece, MOVER_PIECE, MS_SYNC) < 0)
		error = errno;
	munmap(piece, MOVER_PIECE);
	return error;
}

/* The closest reason for an errno without one. */
static unsigned int reason_of(int error)
{
	switch (error) {
	case EROFS:
		return DAXSTACK_REASON_READ_ONLY;
	case EPERM:
	case EACCES:
		return DAXSTACK_REASON_NOT_OWNER;
	case EINTR:
		return DAXSTACK_REASON_INTERRUPTED;
	case ENOTTY:
		return DAXSTACK_REASON_NOT_REGULAR;
	case EIO:
	case ENOSPC:
		return DAXSTACK_REASON_WRITE_ERROR;
	default:
		return DAXSTACK_REASON_IO;
	}
}

bool mover_switch(int fd, int to, struct daxstack_switch *answer)
{
	int error = 0;

	memset(answer, 0, sizeof(*answer));
	answer->mode = (unsigned int)to;
	answer->timeout_ms = DEADLINE_MS;
	if (ioctl(fd, DAXSTACK_IOC_SWITCH, answer) < 0)
		error = errno;
	/* switch=never: only the flag was stored. */
	if (!error && answer->deferred && !answer->reason)
		answer->reason = DAXSTACK_REASON_NEVER;
	if (error && !answer->reason)
		answer->reason = reason_of(error);
	return !answer->reason;
}
