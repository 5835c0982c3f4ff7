// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random calls of the module's own interfaces: its ioctls, the attributes that
 * switch, mount options. Most fields of a call are valid and some are made
 * invalid, so that calls get past the first checks. Asserts that every answer
 * is as documented for the inputs, and that a failed call changes nothing.
 *
 * Usage: fuzz [--seed SEED] [--first CASE] [--cases N]
 *
 *   --seed SEED   seed of the random numbers, 0: by the clock; it is printed [1, so
 *                 that a failure is caused by a change of the code]
 *   --first CASE  start at the round of this case, to reproduce a violation
 *   --cases N     [$DAXSTACK_FUZZ_CASES or 10000]
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Number of violations printed of each kind. */
#define TELL	3

static struct {
	const char *what;
	long cases;
	long violations;
	long passing;
} kinds[] = {
#define KIND(name, text) { .what = text },
	FUZZ_KINDS(KIND)
#undef KIND
};

static unsigned long seed, state;
static long number;		/* of the round's first case */
static long in_round;
static enum fuzz_kind now;
static char inputs[1024];

/* --- Random numbers. */

static unsigned long mix(unsigned long z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* splitmix64 */
unsigned long rnd(void)
{
	state += 0x9e3779b97f4a7c15;
	return mix(state);
}

unsigned int below(unsigned int n)
{
	return (rnd() >> 32) % n;
}

bool one_in(unsigned int n)
{
	return !below(n);
}

/* --- Statistics. */

void fuzz_case(enum fuzz_kind kind, const char *text, ...)
{
	va_list args;

	now = kind;
	kinds[kind].cases++;
	in_round++;
	va_start(args, text);
	vsnprintf(inputs, sizeof(inputs), text, args);
	va_end(args);
}

bool fuzz_check(bool pass, const char *violation, ...)
{
	char text[1024];
	va_list args;

	if (pass || kinds[now].violations++ >= TELL)
		return pass;
	va_start(args, violation);
	vsnprintf(text, sizeof(text), violation, args);
	va_end(args);
	dxs_diag("%s: %s\ninputs: %s\nagain: --seed %lu --first %ld --cases %d (its case %ld)",
		 kinds[now].what, text, inputs, seed, number, ROUND, in_round);
	return pass;
}

static const char *err_name(int err)
{
	return (err ? strerrorname_np(err) : "success") ?: "unknown errno";
}

bool fuzz_errno(int expected, int seen)
{
	return fuzz_check(expected == seen, "expected %s, seen %s",
			  err_name(expected), err_name(seen));
}

void fuzz_passing(void)
{
	kinds[now].passing++;
}

static void report(double took)
{
	long all = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		all += kinds[i].cases;
		if (!kinds[i].cases)
			continue;
		if (!dxs_ok(!kinds[i].violations, "%s", kinds[i].what))
			dxs_diag("%ld violations", kinds[i].violations);
		dxs_diag("%ld cases, %ld busy for a moment", kinds[i].cases,
			 kinds[i].passing);
		/* Too many of these would leave the answers untested. */
		if (kinds[i].passing > 10 + kinds[i].cases / 10)
			dxs_ok(false, "%s: rarely busy", kinds[i].what);
	}
	dxs_diag("%ld cases in %.0f s", all, took);
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "first", required_argument, NULL, 'f' },
		{ "cases", required_argument, NULL, 'n' },
		{}
	};
	long cases = atol(getenv("DAXSTACK_FUZZ_CASES") ?: "10000"), first = 0;
	double begin = dxs_now();
	int opt;

	seed = 1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (opt == 'f')
			first = atol(optarg);
		else if (opt == 'n')
			cases = atol(optarg);
		else
			return 2;
	}
	dxs_begin();
	if (!seed)
		seed = (unsigned long)(begin * 1e9) % 1000000007;
	dxs_diag("--seed %lu --first %ld --cases %ld", seed, first, cases);
	fuzz_mounts_begin();
	first -= first % ROUND;
	for (number = first; number < first + cases; number += ROUND) {
		state = mix(seed) ^ mix(number);
		in_round = 0;
		/* Mounts take longer. */
		if (one_in(4))
			fuzz_mounts(ROUND);
		else
			fuzz_ioctls(ROUND);
	}
	report(dxs_now() - begin);
	dxs_fsck();
	return dxs_done();
}
