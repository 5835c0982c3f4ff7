// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat traces (tools/heattrace.h): written, read back, truncated, damaged and
 * forged, for tests/heattrace.sh and others.
 *
 * Usage: traceload round SEED READINGS FILE   random readings are read back unchanged
 *        traceload cut FILE                   a truncated trace is read up to the last
 *                                             whole block
 *        traceload flip FILE                  each changed byte is detected
 *        traceload forge FILE                 block contents are changed together with
 *                                             their checksums
 *        traceload bomb FILE                  write a small trace of too many files
 *        traceload full FILE                  write until it fails: run it with ulimit -f
 *        traceload sample FILE                write a trace for 'daxstack top'
 *        traceload day FILE                   write a trace of a day of a database
 *        traceload read FILE                  read it, and print how much there was
 *        traceload show FILE                  the last reading, a line for each file:
 *                                             MODE READS BYTES WRITES BYTES FAULTS
 *                                             FSYNCS PAGES REASON NAME, in both modes
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "traceload.h"

uint64_t seed = 1;

uint64_t rnd(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t below(uint64_t n)
{
	return rnd() % n;
}

static void round_both(char **argv, const char *path)
{
	unsigned int readings = strtoul(argv[3], NULL, 0);

	seed = strtoull(argv[2], NULL, 0);
	round_trip(readings, path, true);
	round_trip(readings, path, false);
}

/* Commands with checks, and commands that only write a trace. */
static const struct {
	const char *name;
	void (*run)(const char *path);
	bool checks;
} loads[] = {
	{ "cut", cut, true },
	{ "flip", flip, true },
	{ "forge", forge, true },
	{ "full", full, true },
	{ "day", day, true },
	{ "bomb", bomb, false },
	{ "sample", sample, false },
};

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	const char *path = argv[argc - 1];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(loads); i++) {
		if (strcmp(what, loads[i].name))
			continue;
		loads[i].run(path);
		return loads[i].checks ? dxs_done() : 0;
	}
	if (!strcmp(what, "read"))
		return read_all(path);
	if (!strcmp(what, "show"))
		return show_last(path);
	if (strcmp(what, "round") || argc != 5)
		errx(2, "usage: traceload round SEED READINGS | cut | flip | forge | bomb | "
		     "sample | full | day | read | show, and FILE");
	round_both(argv, path);
	return dxs_done();
}
