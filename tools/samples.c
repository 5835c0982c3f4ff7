// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics: do the samples of the two modes differ?
 *
 * The modes are measured alternately, so clock changes and long-running other work
 * affect both alike. Short disturbances only make samples worse, so rounds are grouped
 * into blocks of up to eight, and the best sample of each mode counts in each block.
 * The ratio of the two is computed per block, and the median of the ratios is compared
 * with 1. The confidence interval of the median follows from ranks alone, without
 * assuming a distribution: of n values, the true median lies between those at n/2 - z
 * and n/2 + z.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "samples.h"
#include "tool.h"

/* Square of the number of standard deviations on each side that enclose 99 %. */
#define DEVIATIONS_2	6.635

/**
 * series_add - add a sample
 * @series: the series
 * @value: the sample, above 0
 */
void series_add(struct series *series, double value)
{
	if (series->count == series->allocated) {
		series->allocated = 2 * series->allocated + 64;
		series->values = reallocarray(series->values, series->allocated,
					      sizeof(*series->values));
		if (!series->values)
			err(TOOL_FAILED, "samples");
	}
	series->values[series->count++] = value;
}

/**
 * series_free - free the samples
 * @series: empty afterwards
 */
void series_free(struct series *series)
{
	free(series->values);
	*series = (struct series){ .values = NULL };
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Value at @place from 0 to 1, interpolated. */
static double at(const double *sorted, size_t count, double place)
{
	double exact = place * (count - 1);
	size_t below = exact;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] +
		(exact - below) * (sorted[below + 1] - sorted[below]);
}

static struct quartiles quartiles_of(double *values, size_t count)
{
	if (!count)
		return (struct quartiles){ .median = 0 };
	qsort(values, count, sizeof(*values), by_size);
	return (struct quartiles){
		.low = at(values, count, 0.25),
		.median = at(values, count, 0.5),
		.high = at(values, count, 0.75),
	};
}

/**
 * samples_median - median of an array
 * @values: the values; get sorted
 * @count: number of @values, at least one
 */
double samples_median(double *values, size_t count)
{
	return quartiles_of(values, count).median;
}

static double *copy_of(const struct series *a, const struct series *b)
{
	double *copy = calloc(a->count + b->count + 1, sizeof(*copy));

	if (!copy)
		err(TOOL_FAILED, "samples");
	if (a->count)
		memcpy(copy, a->values, a->count * sizeof(*copy));
	if (b->count)
		memcpy(copy + a->count, b->values, b->count * sizeof(*copy));
	return copy;
}

/**
 * series_pooled - median and quartiles of two series together
 * @a: the first
 * @b: the second
 */
struct quartiles series_pooled(const struct series *a, const struct series *b)
{
	double *values = copy_of(a, b);
	struct quartiles result = quartiles_of(values, a->count + b->count);

	free(values);
	return result;
}

/**
 * series_quartiles - median and quartiles of a series
 * @series: the series; the result is 0 if it is empty
 */
struct quartiles series_quartiles(const struct series *series)
{
	static const struct series none;

	return series_pooled(series, &none);
}

static enum outcome judge(const struct comparison *c, size_t count)
{
	if (count < SAMPLES_MIN)
		return VERDICT_UNCLEAR;
	if (c->low > SAMPLES_SAME || c->high < 1 / SAMPLES_SAME)
		return VERDICT_DIFFERENT;
	if (c->low < 1 / SAMPLES_CLEAR || c->high > SAMPLES_CLEAR)
		return VERDICT_UNCLEAR;
	return VERDICT_SAME;
}

/*
 * Half the width of the confidence interval in ranks, from the binomial distribution
 * with standard deviation sqrt(@n) / 2, plus half a rank for its steps.
 */
static size_t half_width(size_t n)
{
	size_t half = 1;

	while ((2 * half - 1) * (2 * half - 1) < DEVIATIONS_2 * n)
		half++;
	return half;
}

static double best(const double *values, size_t count, bool rates)
{
	double found = values[0];
	size_t i;

	for (i = 1; i < count; i++)
		if (rates ? values[i] > found : values[i] < found)
			found = values[i];
	return found;
}

/**
 * series_compare - compare two series
 * @first: samples of one mode
 * @second: samples of the other mode, from the same rounds
 * @rates: larger is better, else smaller
 */
struct comparison series_compare(const struct series *first,
				 const struct series *second, bool rates)
{
	size_t count = first->count < second->count ? first->count :
						      second->count;
	struct comparison result = { .verdict = VERDICT_UNCLEAR };
	struct series ratios = { .values = NULL };
	size_t block = count / SAMPLES_BLOCKS, half, from, i;

	if (block > SAMPLES_BLOCK)
		block = SAMPLES_BLOCK;
	if (!block)
		block = 1;
	for (i = 0; i + block <= count; i += block)
		series_add(&ratios, best(second->values + i, block, rates) /
			   best(first->values + i, block, rates));
	count = ratios.count;
	if (!count)
		return result;
	half = half_width(count);
	from = count / 2 > half ? count / 2 - half : 0;
	result.ratio = quartiles_of(ratios.values, count).median;
	result.low = ratios.values[from];
	result.high = ratios.values[count - 1 - from];
	result.verdict = judge(&result, count);
	series_free(&ratios);
	return result;
}
