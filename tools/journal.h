/* SPDX-License-Identifier: GPL-2.0-only */
/* Log messages of daxstackd. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <syslog.h>

#include "tend.h"

void journal(int priority, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void journal_move(const struct tend *tend, const struct tend_note *note);

#endif /* JOURNAL_H */
