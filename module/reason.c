// SPDX-License-Identifier: GPL-2.0-only
/*
 * The errno and the text of each reason for which a file is not switched.
 */
#include "report.h"

/* Indexed by the number of the reason. */
static const struct {
	int err;
	const char *text;
} dxs_reasons[] = {
#define DXS_REASON(name, e, t) { .err = e, .text = t },
	DAXSTACK_REASONS(DXS_REASON)
#undef DXS_REASON
};

int dxs_reason_errno(enum daxstack_reason reason)
{
	return -dxs_reasons[reason].err;
}

const char *dxs_reason_text(enum daxstack_reason reason)
{
	if (reason == DAXSTACK_REASON_KERNEL)
		return dxs_untested_kernel;
	return dxs_reasons[reason].text;
}
