// SPDX-License-Identifier: GPL-2.0
/*
 * The words for what the kernel says of a file.
 */
#include <stdio.h>

#include "daxstack.h"
#include "tool.h"

/* By number: the enum is made from the same list. */
static const char *const reason_texts[] = {
#define REASON_TEXT_(name, err, text) text,
	DAXSTACK_REASONS(REASON_TEXT_)
};

/**
 * mode_name - a mode as it is typed and shown
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 */
const char *mode_name(unsigned int mode)
{
	return mode == DAXSTACK_DAX ? "dax" : "cached";
}

/**
 * reason_text - a reason in words
 * @reason: enum daxstack_reason
 *
 * Return: the text, valid until the next call; NULL for DAXSTACK_REASON_NONE.
 */
const char *reason_text(unsigned int reason)
{
	static char unknown[40];

	if (reason == DAXSTACK_REASON_NONE)
		return NULL;
	if (reason < DAXSTACK_REASON_COUNT)
		return reason_texts[reason];
	/* The module is newer than this program. */
	snprintf(unknown, sizeof(unknown), "unknown reason %u", reason);
	return unknown;
}
