// SPDX-License-Identifier: GPL-2.0-only
/* Names and texts of modes and of reasons for refusals. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daxstack.h"
#include "tool.h"

/* Indexed by enum daxstack_reason, which is generated from the same list. */
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
 * mode_name - name of a mode, for input and output
 * @mode: DAXSTACK_DAX or DAXSTACK_CACHED
 */
const char *mode_name(unsigned int mode)
{
	return mode == DAXSTACK_DAX ? "dax" : "cached";
}

/**
 * reason_text - text of a reason
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
 * reason_name - name of a reason, as in daxstack.h and in sysfs
 * @reason: enum daxstack_reason
 *
 * Return: NULL if the module is newer than this program.
 */
const char *reason_name(unsigned int reason)
{
	return reason < DAXSTACK_REASON_COUNT ? reason_names[reason] : NULL;
}

/**
 * reason_by_name - inverse of reason_name()
 * @name: the name
 *
 * Return: enum daxstack_reason, DAXSTACK_REASON_COUNT if unknown.
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
 * reason_error - errno of a reason
 * @reason: enum daxstack_reason
 */
int reason_error(unsigned int reason)
{
	return reason < DAXSTACK_REASON_COUNT ? reason_errors[reason] :
						EOPNOTSUPP;
}

/**
 * reason_status - exit status of a reason
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
