// SPDX-License-Identifier: GPL-2.0
/*
 * Ctrl-C and the like: what is begun is ended in order, and told of.
 */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "tool.h"

static const int ending[] = { SIGINT, SIGTERM, SIGHUP };

static volatile sig_atomic_t caught;

/*
 * A signal ends a call that waits. One that comes just before the call would
 * not: so another follows every second, until the program has ended.
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
 * signals_catch - have signals that end the program end what it waits for
 *
 * A second one of the same kind ends it at once. What the caller ignores, as
 * nohup does, stays ignored.
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
 * signals_ended - whether a signal came that ends the program
 */
bool signals_ended(void)
{
	return caught;
}

/**
 * signals_raise - end by the signal that came, if one did
 *
 * So that the caller, a shell's loop for instance, sees it.
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
