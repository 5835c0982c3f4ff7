// SPDX-License-Identifier: GPL-2.0-only
/*
 * calibrate: asserts the verdict whether the samples of two modes differ, for
 * synthetic samples with a known answer.
 */
#include "../../tools/samples.h"
#include "calibrate.h"

/**
 * struct made - synthetic samples
 * @name: description
 * @count: samples of each mode
 * @ratio: true ratio of the modes
 * @busy: share of samples that other load makes four times worse
 * @wild: factor by which the ratio changes, up and down, between blocks
 * @drift: factor by which the first half is slower, in both modes
 * @rates: larger is better
 * @verdict: expected verdict
 */
static const struct made {
	const char *name;
	size_t count;
	double ratio;
	double busy;
	double wild;
	double drift;
	bool rates;
	enum outcome verdict;
} all[] = {
	{ "the same", 100, 1, 0, 1, 1, false, VERDICT_SAME },
	{ "the same, on a busy machine", 100, 1, 0.4, 1, 1, false, VERDICT_SAME },
	{ "the same rates, on a busy machine", 100, 1, 0.4, 1, 1, true,
	  VERDICT_SAME },
	{ "the same, with a drift", 100, 1, 0.1, 1, 3, false, VERDICT_SAME },
	{ "less than the tolerance", 100, 1.1, 0.1, 1, 1, false, VERDICT_SAME },
	{ "less than the tolerance, faster", 100, 0.91, 0.1, 1, 1, false,
	  VERDICT_SAME },
	{ "more than the tolerance", 100, 1.35, 0, 1, 1, false,
	  VERDICT_DIFFERENT },
	{ "twice as slow, on a busy machine", 200, 2, 0.4, 1, 1, false,
	  VERDICT_DIFFERENT },
	{ "twice as slow, with a drift", 100, 2, 0, 1, 3, false,
	  VERDICT_DIFFERENT },
	{ "three times as slow", 40, 3, 0.1, 1, 1, false, VERDICT_DIFFERENT },
	{ "three times as fast", 40, 1.0 / 3, 0.1, 1, 1, false,
	  VERDICT_DIFFERENT },
	{ "a third of the rate", 40, 1.0 / 3, 0.1, 1, 1, true,
	  VERDICT_DIFFERENT },
	{ "now faster, now slower", 100, 1, 0, 3, 1, false, VERDICT_UNCLEAR },
	{ "seven rounds of the same", 7, 1, 0, 1, 1, false, VERDICT_UNCLEAR },
	{ "seven rounds that differ", 7, 3, 0, 1, 1, false, VERDICT_UNCLEAR },
	{ "eight rounds that differ", 8, 3, 0, 1, 1, false, VERDICT_DIFFERENT },
	{ "no rounds", 0, 1, 0, 1, 1, false, VERDICT_UNCLEAR },
};

static double sample(const struct made *made, double value, size_t i)
{
	/* For times; for rates it is the reverse. */
	value *= 0.97 + 0.06 * random_unit();
	if (i < made->count / 2)
		value *= made->drift;
	if (random_unit() < made->busy)
		value *= 4;
	return value;
}

static void check(const struct made *made)
{
	struct series cached = { .values = NULL }, dax = { .values = NULL };
	struct comparison c;
	double ratio, a, b;
	size_t i;

	for (i = 0; i < made->count; i++) {
		ratio = made->rates ? 1 / made->ratio : made->ratio;
		ratio *= i / SAMPLES_BLOCK % 2 ? made->wild : 1 / made->wild;
		a = sample(made, 100, i);
		b = sample(made, 100 * ratio, i);
		series_add(&cached, made->rates ? 1 / a : a);
		series_add(&dax, made->rates ? 1 / b : b);
	}
	c = series_compare(&cached, &dax, made->rates);
	if (!dxs_is(made->verdict, c.verdict, "%s", made->name))
		dxs_diag("ratio %g, between %g and %g", c.ratio, c.low, c.high);
	if (made->verdict != VERDICT_UNCLEAR)
		dxs_ok(c.low <= c.ratio && c.ratio <= c.high &&
		       c.ratio > 0.9 * made->ratio &&
		       c.ratio < 1.1 * made->ratio,
		       "%s: the ratio is %g, measured %g", made->name,
		       made->ratio, c.ratio);
	series_free(&cached);
	series_free(&dax);
}

static void check_quartiles(void)
{
	static const double values[] = { 5, 1, 4, 2, 3 };
	struct series some = { .values = NULL }, one = { .values = NULL };
	struct quartiles q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		series_add(&some, values[i]);
	q = series_quartiles(&some);
	dxs_ok(q.low == 2 && q.median == 3 && q.high == 4,
	       "quartiles of 1 to 5: %g, %g, %g", q.low, q.median, q.high);
	dxs_ok(some.values[0] == 5, "quartiles: the order of samples is kept");
	series_add(&one, 100);
	q = series_pooled(&some, &one);
	dxs_ok(q.median == 3.5, "pooled: the median of 1 to 5 and 100 is %g",
	       q.median);
	q = series_quartiles(&one);
	dxs_ok(q.low == 100 && q.median == 100 && q.high == 100,
	       "quartiles of one sample");
	series_free(&some);
	series_free(&one);
}

void test_compare(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		check(&all[i]);
	check_quartiles();
}
