// SPDX-License-Identifier: GPL-2.0-only
/* SIGINT, SIGTERM, SIGHUP: finish what was begun in order, report, then end by the signal. */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "tool.h"

static const int ending[] = { SIGINT, SIGTERM, SIGHUP };

static volatile sig_atomic_t caught;

/*
 * A signal interrupts a blocking call, but not if it arrives just before the call. So
 * SIGALRM follows every second, until the program ends.
 */
static void again(int sig)
{
	(void)sig;
	alarm(1);
}

static void end(int sig)
{
	caught = sig;
	alarm(1);
}

/**
 * signals_catch - have signals interrupt blocking calls instead of ending the program
 *
 * A second signal of the same kind ends the program at once. Signals that the caller
 * ignores, as with nohup, remain ignored.
 */
void signals_catch(void)
{
	struct sigaction act = { .sa_handler = again }, old;
	size_t i;

	sigemptyset(&act.sa_mask);
	sigaction(SIGALRM, &act, NULL);
	act.sa_handler = end;
	act.sa_flags = SA_RESETHAND;
	for (i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		sigaction(ending[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(ending[i], &act, NULL);
	}
}

/**
 * signals_ended - whether a signal has asked the program to end
 */
bool signals_ended(void)
{
	return caught;
}

/**
 * signals_raise - end by the signal that was caught, if any
 *
 * So that the caller, such as a loop of a shell, notices.
 */
void signals_raise(void)
{
	sigset_t set;

	if (!caught)
		return;
	signal(caught, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, caught);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(caught);
}
