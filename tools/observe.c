// SPDX-License-Identifier: GPL-2.0-only
/* daxstack auto: get answers from the daemon, or run its policy here without moving files. */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "auto.h"
#include "control.h"
#include "keep.h"
#include "tool.h"

#define NS_PER_MS	1000000ULL

enum { WHY_LEN = 1024 };

static void say(int priority, const char *format, ...)
{
	va_list args;

	if (priority > LOG_WARNING)
		return;
	va_start(args, format);
	fputs("daxstack auto: ", stderr);
	vfprintf(stderr, format, args);
	putc('\n', stderr);
	va_end(args);
}

static void moved(const struct tend *tend, const struct tend_note *note)
{
	(void)tend;
	(void)note;
}

static const struct keep_says says = { say, moved };

static void wait_for(const struct keep *keep)
{
	uint64_t now = tend_now_ns(), due = keep_due_ns(keep);

	if (due > now)
		poll(NULL, 0, (int)((due - now) / NS_PER_MS < 1000 ?
				    (due - now) / NS_PER_MS + 1 : 1000));
}

/* Return: false if a signal came, or no mount is managed. */
static bool watch(const struct observer *observer, const char *target)
{
	long steps = keep_steps(observer->keep, target);

	if (steps >= 0 && !observer->quiet)
		fprintf(stderr,
			"daxstackd does not run: watching for %ld intervals without moving files\n",
			observer->steps);
	signals_catch();
	while (steps >= 0 && steps < observer->steps && !signals_ended()) {
		wait_for(observer->keep);
		keep_run(observer->keep);
		steps = keep_steps(observer->keep, target);
	}
	return steps >= observer->steps;
}

/**
 * observe - get an answer
 * @observer: who answers
 * @question: as for control_ask(); consumed
 * @target: the mount point that it is about; NULL: all
 * @err: on failure set to the cause and what to do
 * @len: size of @err
 *
 * Return: the answer; NULL on failure.
 */
json_t *observe(struct observer *observer, json_t *question, const char *target,
		char *err, size_t len)
{
	json_t *answer;
	bool absent;

	if (!observer->keep) {
		answer = control_ask(json_incref(question), &absent, err, len);
		if (answer || !absent) {
			json_decref(question);
			return answer;
		}
		observer->keep = keep_new(observer->rules, true, &says, err, len);
		if (!observer->keep) {
			json_decref(question);
			return NULL;
		}
		keep_look(observer->keep);
	}
	answer = NULL;
	if (keep_steps(observer->keep, target) >= observer->steps || watch(observer, target))
		answer = keep_answer(observer->keep, question);
	else if (signals_ended())
		snprintf(err, len, "interrupted");
	else
		answer = keep_answer(observer->keep, question);
	json_decref(question);
	return answer;
}

/**
 * observe_end - stop watching
 * @observer: the observer
 */
void observe_end(struct observer *observer)
{
	if (observer->keep)
		keep_free(observer->keep);
	observer->keep = NULL;
}
