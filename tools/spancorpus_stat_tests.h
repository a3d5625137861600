// SPDX-License-Identifier: Apache-2.0
// Tests of goodness of fit, and counts from which quantiles are read. Pure; doubles are fine,
// nothing here enters content. What is tested is stats' business.
#ifndef TOOLS_SPANCORPUS_STAT_TESTS_H
#define TOOLS_SPANCORPUS_STAT_TESTS_H

#include "common/base.h"

// A result below this chance would be an accident once in 100,000 corpora.
#define STAT_CHANCE_MIN 1e-5

// Chance that a chi-square variable of `freedom` >= 1 degrees is at least x.
double stat_chi_square_tail(double x, unsigned freedom);
// Pearson's statistic of observed counts against shares that sum to 1. Neighbouring bins are
// merged until five are expected in each; *freedom is bins - 1, and 0 when nothing can be said.
double stat_chi_square(const uint64_t *observed, const double *share, size_t bins,
		       unsigned *freedom);

// Chance that n independent values have a Kolmogorov-Smirnov distance of at least d (asymptotic
// series with Stephens' correction; too large by little when values are rounded).
double stat_ks_tail(double d, uint64_t n);
// Largest distance between the cumulative counts and the cumulative shares of the same bins.
double stat_ks_distance(const uint64_t *observed, const double *cumulative, size_t bins);

double stat_normal_cdf(double x);
// P(X <= x) of a log-normal law with this median, x >= 0.
double stat_lognormal_cdf(double x, double median, double sigma);

// Counts of the values 0 .. bins - 1; larger ones are counted in the last bin, exact in sum and
// maximum.
struct tally {
	uint64_t *bin; // owned
	uint32_t bins;
	uint64_t count, sum;
	uint32_t least, most;
};
void tally_init(struct tally *t, uint32_t bins);
void tally_deinit(struct tally *t);
void tally_add(struct tally *t, uint32_t v);
// As if the values of `from`, which has as many bins, had been added.
void tally_merge(struct tally *t, const struct tally *from);
double tally_mean(const struct tally *t);
// Values beyond the last bin count as that one.
double tally_variance(const struct tally *t);
// The least value that at least a share p of the values does not pass (0 when there are none).
uint32_t tally_quantile(const struct tally *t, double p);

#endif
