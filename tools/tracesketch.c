// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heat traces: sketches. Their bits are close to random and do not compress, so a
 * sketch with few bits set is stored as their positions, and others can be folded.
 *
 * A folded sketch has the number of bits set, from which the number of pages is
 * estimated, and for each group of four bits whether any is set, which is sufficient to
 * estimate how many of the pages were touched before.
 */
#include "trace.h"

enum {
	WORDS = 4,
	WORD_BITS = 64,
	/* With more bits, the plain sketch is shorter than the positions. */
	PLACES_MAX = 31,
	/* With fewer bits, folding saves nothing. */
	FOLD_MIN = 9,
};

static unsigned int count(const __u64 *sketch)
{
	unsigned int n = 0, i;

	for (i = 0; i < WORDS; i++)
		n += __builtin_popcountll(sketch[i]);
	return n;
}

static void put_word(struct trace_bytes *to, uint64_t word)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		trace_put_byte(to, word >> 8 * i);
}

static uint64_t get_word(struct trace_bytes *from)
{
	uint64_t word = 0;
	unsigned int i;

	for (i = 0; i < 8; i++)
		word |= (uint64_t)trace_get_byte(from) << 8 * i;
	return word;
}

static void put_places(struct trace_bytes *to, const __u64 *sketch)
{
	unsigned int next = 0, i;

	for (i = 0; i < WORDS * WORD_BITS; i++) {
		if (!(sketch[i / WORD_BITS] >> i % WORD_BITS & 1))
			continue;
		trace_put_byte(to, i - next);
		next = i + 1;
	}
}

static void get_places(struct trace_bytes *from, __u64 *sketch, unsigned int n)
{
	unsigned int place = 0;

	for (; n; n--) {
		place += trace_get_byte(from);
		if (place >= WORDS * WORD_BITS) {
			from->bad = true;
			return;
		}
		sketch[place / WORD_BITS] |= 1ULL << place % WORD_BITS;
		place++;
	}
}

/*
 * The first word gets the known bits, and the others repeat some of them until the
 * number of bits is right.
 */
static void unfold(struct trace_bytes *from, __u64 *sketch, unsigned int n)
{
	uint64_t folded = get_word(from), rest;
	unsigned int known = __builtin_popcountll(folded);
	unsigned int i;

	if (n < known || n > WORDS * known) {
		from->bad = true;
		return;
	}
	n -= known;
	sketch[0] = folded;
	for (i = 1; i < WORDS; i++) {
		for (rest = folded; rest && n; rest &= rest - 1, n--)
			sketch[i] |= rest & -rest;
	}
}

/**
 * trace_sketch_bytes - length of a sketch that is not folded
 * @sketch: 256 bits
 */
size_t trace_sketch_bytes(const __u64 *sketch)
{
	unsigned int n = count(sketch);

	return n <= PLACES_MAX ? n : WORDS * sizeof(*sketch);
}

/**
 * trace_put_sketch - write a sketch
 * @to: output
 * @sketch: 256 bits
 * @fold: fold it
 */
void trace_put_sketch(struct trace_bytes *to, const __u64 *sketch, bool fold)
{
	unsigned int n = count(sketch), i;

	fold = fold && n >= FOLD_MIN;
	trace_put_number(to, n * 2 + fold);
	if (fold)
		put_word(to, sketch[0] | sketch[1] | sketch[2] | sketch[3]);
	else if (n <= PLACES_MAX)
		put_places(to, sketch);
	else
		for (i = 0; i < WORDS; i++)
			put_word(to, sketch[i]);
}

/**
 * trace_get_sketch - read a sketch
 * @from: input
 * @sketch: 256 bits
 */
void trace_get_sketch(struct trace_bytes *from, __u64 *sketch)
{
	uint64_t number = trace_get_number(from);
	unsigned int n = number / 2, i;

	for (i = 0; i < WORDS; i++)
		sketch[i] = 0;
	if (number > 2 * WORDS * WORD_BITS + 1) {
		from->bad = true;
	} else if (number & 1) {
		unfold(from, sketch, n);
	} else if (n <= PLACES_MAX) {
		get_places(from, sketch, n);
	} else {
		for (i = 0; i < WORDS; i++)
			sketch[i] = get_word(from);
		if (count(sketch) != n)
			from->bad = true;
	}
}
