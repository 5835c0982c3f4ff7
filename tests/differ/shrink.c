// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ: reduces a sequence with a difference: leaves steps out, many at once
 * and then fewer, as long as a difference remains; then makes the caller root,
 * and the umask the default.
 */
#include "differ.h"

static double deadline;

static bool differs(const struct sequence *seq, int *last)
{
	*last = play(seq, 1, NULL, NULL);
	return *last >= 0;
}

static void leave_out(struct sequence *seq, unsigned int from,
		      unsigned int count)
{
	memmove(seq->steps + from, seq->steps + from + count,
		(seq->count - from - count) * sizeof(*seq->steps));
	seq->count -= count;
}

static bool try_without(struct sequence *seq, unsigned int from,
			unsigned int count)
{
	struct sequence less = *seq;
	int last;

	less.steps = malloc(seq->count * sizeof(*seq->steps));
	if (!less.steps)
		abort();
	memcpy(less.steps, seq->steps, seq->count * sizeof(*seq->steps));
	leave_out(&less, from, count);
	if (!differs(&less, &last)) {
		free(less.steps);
		return false;
	}
	free(seq->steps);
	*seq = less;
	seq->count = last + 1;
	return true;
}

static void simplify(struct sequence *seq, struct step *step)
{
	struct step was = *step;
	int last;

	step->who = 0;
	step->umask = 022;
	if ((was.who || was.umask != 022) &&
	    (!differs(seq, &last) || last != (int)seq->count - 1))
		*step = was;
}

int shrink(struct sequence *seq, struct text *report, double seconds)
{
	unsigned int size, at, i;
	int last;

	deadline = dxs_now() + seconds;
	if (!differs(seq, &last))
		return -1;
	seq->count = last + 1;
	for (size = seq->count / 2; size; size /= 2)
		for (at = 0; at + size <= seq->count;)
			if (dxs_now() > deadline ||
			    !try_without(seq, at, size))
				at += size;
	for (i = 0; i < seq->count && dxs_now() < deadline; i++)
		simplify(seq, &seq->steps[i]);
	return play(seq, 1, report, NULL);
}
