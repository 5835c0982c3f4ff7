// SPDX-License-Identifier: GPL-2.0
/*
 * The words for what the kernel says of a file.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daxstack.h"
#include "tool.h"

/* By number: the enum is made from the same list. */
static const char *const reason_texts[] = {
#define REASON_TEXT_(name, err, text) text,
	DAXSTACK_REASONS(REASON_TEXT_)
};

static const char *const reason_names[] = {
#define REASON_NAME_(name, err, text) #name,
	DAXSTACK_REASONS(REASON_NAME_)
};

static const int reason_errors[] = {
#define REASON_ERROR_(name, err, text) err,
	DAXSTACK_REASONS(REASON_ERROR_)
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

/**
 * reason_name - a reason as it is called in daxstack.h and in sysfs
 * @reason: enum daxstack_reason
 *
 * Return: NULL if the module is newer than this program.
 */
const char *reason_name(unsigned int reason)
{
	return reason < DAXSTACK_REASON_COUNT ? reason_names[reason] : NULL;
}

/**
 * reason_by_name - what reason_name() makes a name of
 * @name: the name
 *
 * Return: enum daxstack_reason, DAXSTACK_REASON_COUNT for one that is not known.
 */
unsigned int reason_by_name(const char *name)
{
	unsigned int reason = 0;

	while (reason < DAXSTACK_REASON_COUNT &&
	       strcmp(reason_names[reason], name))
		reason++;
	return reason;
}

/**
 * reason_error - the errno that a reason comes with
 * @reason: enum daxstack_reason
 */
int reason_error(unsigned int reason)
{
	return reason < DAXSTACK_REASON_COUNT ? reason_errors[reason] :
						EOPNOTSUPP;
}

/**
 * reason_status - the exit status that goes with a reason
 * @reason: enum daxstack_reason
 *
 * Return: enum tool_status: TOOL_BUSY if the reason may pass.
 */
int reason_status(unsigned int reason)
{
	int error = reason_error(reason);

	if (reason == DAXSTACK_REASON_NONE)
		return TOOL_OK;
	return error == EBUSY || error == EINTR ? TOOL_BUSY : TOOL_FAILED;
}
