/* SPDX-License-Identifier: GPL-2.0-only */
/* Move a file to the other mode: write back its dirty pages in pieces, then switch it. */
#ifndef MOVER_H
#define MOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daxstack.h"

/* Size of a piece to examine and to write back. */
enum { MOVER_PIECE = 8 << 20 };

/**
 * mover_in_the_way - check whether a switch would be refused now
 * @fd: the file, open for reading
 * @to: DAXSTACK_DAX or DAXSTACK_CACHED
 *
 * Return: enum daxstack_reason, DAXSTACK_REASON_NONE if it would be attempted.
 */
unsigned int mover_in_the_way(int fd, int to);

/**
 * mover_flush - write back the dirty pages of a piece of a file
 * @fd: the file, open for reading
 * @offset: of the piece, a multiple of the page size
 *
 * Reduces the writeback of the switch. Other pages of the file stay dirty, and only the
 * caller waits.
 *
 * Return: 0 or an errno.
 */
int mover_flush(int fd, off_t offset);

/**
 * mover_switch - switch a file
 * @fd: the file, open for reading
 * @to: DAXSTACK_DAX or DAXSTACK_CACHED
 * @answer: filled in by the kernel; @answer->reason is set if the switch was refused
 *
 * Return: whether the file is in mode @to.
 */
bool mover_switch(int fd, int to, struct daxstack_switch *answer);

#endif /* MOVER_H */
