// SPDX-License-Identifier: Apache-2.0
// Chi-square, Kolmogorov-Smirnov and quantiles.
#include "tools/spancorpus_stat_tests.h"

#include <math.h>
#include <stdlib.h>

#include "common/mem.h"

// ---- Chi-square ----------------------------------------------------------------------------

#define EXPECTED_MIN 5.0
#define TERMS_MAX 10000
#define PRECISION 1e-15

// Upper regularised incomplete gamma function Q(a, x): the series of its complement below a +
// 1, Lentz's continued fraction above (Abramowitz and Stegun 6.5.29, 6.5.31).
static double gamma_upper(double a, double x)
{
	double front = exp(a * log(x) - x - lgamma(a));
	double term = 1 / a, sum = term, b = x + 1 - a, c = 1e300, d = 1 / b, h = d;

	if (x < a + 1) {
		for (int n = 1; n < TERMS_MAX && fabs(term) > fabs(sum) * PRECISION; n++) {
			term *= x / (a + n);
			sum += term;
		}
		return 1 - sum * front;
	}
	for (int n = 1; n < TERMS_MAX; n++) {
		double an = -n * (n - a), step;

		b += 2;
		d = an * d + b;
		c = b + an / c;
		d = 1 / d;
		step = d * c;
		h *= step;
		if (fabs(step - 1) < PRECISION)
			break;
	}
	return h * front;
}

double stat_chi_square_tail(double x, unsigned freedom)
{
	if (x <= 0)
		return 1;
	return gamma_upper(freedom / 2.0, x / 2);
}

double stat_chi_square(const uint64_t *observed, const double *share, size_t bins,
		       unsigned *freedom)
{
	double total = 0, chi = 0, want = 0, have = 0, want_left, have_left;
	unsigned merged = 0;

	for (size_t i = 0; i < bins; i++)
		total += (double)observed[i];
	want_left = have_left = total;
	for (size_t i = 0; i < bins; i++) {
		want += share[i] * total;
		have += (double)observed[i];
		// What is left must make a bin of its own, or it joins this one.
		if (want < EXPECTED_MIN || want_left - want < EXPECTED_MIN)
			continue;
		chi += (have - want) * (have - want) / want;
		merged++;
		want_left -= want;
		have_left -= have;
		want = have = 0;
	}
	if (want_left >= EXPECTED_MIN) {
		chi += (have_left - want_left) * (have_left - want_left) / want_left;
		merged++;
	}
	*freedom = merged > 1 ? merged - 1 : 0;
	return chi;
}

// ---- Kolmogorov-Smirnov --------------------------------------------------------------------

double stat_ks_tail(double d, uint64_t n)
{
	double root = sqrt((double)n), x = d * (root + 0.12 + 0.11 / root), sum = 0;

	// Below this the chance is 1 to six digits, and the series converges slowly.
	if (n == 0 || x < 0.27)
		return 1;
	for (int k = 1; k < 100; k++) {
		double term = exp(-2 * k * k * x * x);

		sum += k % 2 == 1 ? term : -term;
		if (term < PRECISION)
			break;
	}
	return fmin(1, fmax(0, 2 * sum));
}

double stat_ks_distance(const uint64_t *observed, const double *cumulative, size_t bins)
{
	double total = 0, sum = 0, most = 0;

	for (size_t i = 0; i < bins; i++)
		total += (double)observed[i];
	if (total <= 0)
		return 0;
	for (size_t i = 0; i < bins; i++) {
		sum += (double)observed[i];
		most = fmax(most, fabs(sum / total - cumulative[i]));
	}
	return most;
}

// ---- Laws ----------------------------------------------------------------------------------

double stat_normal_cdf(double x)
{
	return 0.5 * erfc(-x / sqrt(2));
}

double stat_lognormal_cdf(double x, double median, double sigma)
{
	return x <= 0 ? 0 : stat_normal_cdf(log(x / median) / sigma);
}

// ---- Tally ---------------------------------------------------------------------------------

void tally_init(struct tally *t, uint32_t bins)
{
	*t = (struct tally){.bins = bins, .least = UINT32_MAX};
	t->bin = mem_zalloc(bins, sizeof(*t->bin));
}

void tally_deinit(struct tally *t)
{
	free(t->bin);
	*t = (struct tally){0};
}

void tally_add(struct tally *t, uint32_t v)
{
	t->bin[v < t->bins ? v : t->bins - 1]++;
	t->count++;
	t->sum += v;
	t->least = v < t->least ? v : t->least;
	t->most = v > t->most ? v : t->most;
}

void tally_merge(struct tally *t, const struct tally *from)
{
	for (uint32_t i = 0; i < t->bins; i++)
		t->bin[i] += from->bin[i];
	t->count += from->count;
	t->sum += from->sum;
	t->least = from->least < t->least ? from->least : t->least;
	t->most = from->most > t->most ? from->most : t->most;
}

double tally_mean(const struct tally *t)
{
	return t->count > 0 ? (double)t->sum / (double)t->count : 0;
}

double tally_variance(const struct tally *t)
{
	double mean = tally_mean(t), sum = 0;

	for (uint32_t v = 0; v < t->bins; v++)
		sum += (double)t->bin[v] * (v - mean) * (v - mean);
	return t->count > 0 ? sum / (double)t->count : 0;
}

uint32_t tally_quantile(const struct tally *t, double p)
{
	double wanted = p * (double)t->count;
	uint64_t sum = 0;

	for (uint32_t v = 0; v + 1 < t->bins; v++) {
		sum += t->bin[v];
		if (sum > 0 && (double)sum >= wanted)
			return v;
	}
	return t->most;
}
