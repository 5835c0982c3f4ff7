/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Statistics of samples, and comparison of two modes. Medians are used rather than
 * means, because other work on the machine disturbs samples.
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

/* Minimum number of blocks for a verdict. */
#define SAMPLES_MIN	8

/* Maximum number of samples in a block, of which the best counts ... */
#define SAMPLES_BLOCK	8

/* ... as long as that leaves this many blocks. */
#define SAMPLES_BLOCKS	12

/* Ratios up to this factor count as equal. */
#define SAMPLES_SAME	1.2

/* A confidence interval wider than this factor is inconclusive. */
#define SAMPLES_CLEAR	1.5

/**
 * struct series - samples of a figure
 * @values: in order of measurement
 * @count: number of @values
 * @allocated: allocated number of @values
 */
struct series {
	double *values;
	size_t count;
	size_t allocated;
};

/**
 * struct quartiles - median and spread of a series
 * @low: first quartile
 * @median: median
 * @high: third quartile
 */
struct quartiles {
	double low;
	double median;
	double high;
};

enum outcome {
	VERDICT_SAME,
	VERDICT_DIFFERENT,
	VERDICT_UNCLEAR,	/* too few samples, or too much scatter */
};

/**
 * struct comparison - of two series that were measured alternately
 * @ratio: median of second / first, by block
 * @low: lower end of the 99 % confidence interval
 * @high: upper end
 * @verdict: the conclusion
 */
struct comparison {
	double ratio;
	double low;
	double high;
	enum outcome verdict;
};

double samples_median(double *values, size_t count);
void series_add(struct series *series, double value);
void series_free(struct series *series);
struct quartiles series_quartiles(const struct series *series);
struct quartiles series_pooled(const struct series *a, const struct series *b);
struct comparison series_compare(const struct series *first,
				 const struct series *second, bool rates);

#endif /* SAMPLES_H */
