// SPDX-License-Identifier: Apache-2.0
// Unit tests of tools/spancorpus_stat_tests against published critical values.
#include "tests/unit/common/unit.h"

#include <math.h>

#include "common/rng.h"
#include "tools/spancorpus_stat_tests.h"

static void assert_near(double got, double want, double slack)
{
	if (!(fabs(got - want) <= slack))
		fail_msg("%.9g is not %.9g +- %.2g", got, want, slack);
}

// Critical values from the usual tables (five significant digits).
static void chi_square_tail(void **state)
{
	static const struct {
		unsigned freedom;
		double x, chance;
	} known[] = {
		{1, 3.8415, 0.05},   {1, 6.6349, 0.01},	  {1, 10.828, 0.001},
		{2, 5.9915, 0.05},   {5, 11.070, 0.05},	  {10, 18.307, 0.05},
		{10, 3.9403, 0.95},  {19, 43.820, 0.001}, {50, 67.505, 0.05},
		{100, 124.34, 0.05}, {100, 70.065, 0.99},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		assert_near(stat_chi_square_tail(known[i].x, known[i].freedom), known[i].chance,
			    known[i].chance * 1e-3);
	// Two degrees: exp(-x / 2).
	assert_near(stat_chi_square_tail(40, 2), exp(-20), 1e-14);
	assert_near(stat_chi_square_tail(0, 7), 1, 0);
	assert_true(stat_chi_square_tail(1e6, 3) < 1e-300);
}

// A die thrown 600 times, by hand: (8^2 + 2^2 + 9^2 + 7^2 + 4^2 + 0) / 100.
static void chi_square_statistic(void **state)
{
	static const uint64_t die[] = {108, 98, 91, 107, 96, 100};
	double sixth[] = {1 / 6.0, 1 / 6.0, 1 / 6.0, 1 / 6.0, 1 / 6.0, 1 / 6.0};
	unsigned freedom;

	(void)state;
	assert_near(stat_chi_square(die, sixth, 6, &freedom), 2.14, 1e-9);
	assert_int_equal(freedom, 5);
}

// Bins with few expected are merged with their neighbours; nothing left to say is 0 degrees.
static void chi_square_merges(void **state)
{
	static const uint64_t seen[] = {1, 2, 90, 4, 3};
	static const double share[] = {0.02, 0.02, 0.90, 0.03, 0.03};
	static const uint64_t few[] = {2, 1};
	static const double half[] = {0.5, 0.5};
	unsigned freedom;
	double chi;

	(void)state;
	// 1 + 2 + 90 against 94, 4 + 3 against 6.
	chi = stat_chi_square(seen, share, 5, &freedom);
	assert_int_equal(freedom, 1);
	assert_near(chi, 1 / 94.0 + 1 / 6.0, 1e-9);
	stat_chi_square(few, half, 2, &freedom);
	assert_int_equal(freedom, 0);
}

// Critical values of Stephens (1970): D (sqrt(n) + 0.12 + 0.11 / sqrt(n)).
static void ks_tail(void **state)
{
	static const struct {
		double x, chance;
	} known[] = {{1.2238, 0.10}, {1.3581, 0.05}, {1.6276, 0.01}, {1.9495, 0.001}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		double root = sqrt(400.0), d = known[i].x / (root + 0.12 + 0.11 / root);

		assert_near(stat_ks_tail(d, 400), known[i].chance, known[i].chance * 2e-3);
	}
	assert_near(stat_ks_tail(0, 100), 1, 0);
	assert_near(stat_ks_tail(1, 0), 1, 0);
	assert_true(stat_ks_tail(0.5, 10000) < 1e-100);
}

static void ks_distance(void **state)
{
	static const uint64_t seen[] = {10, 40, 30, 20};
	static const double cumulative[] = {0.25, 0.5, 0.75, 1};

	(void)state;
	assert_near(stat_ks_distance(seen, cumulative, 4), 0.15, 1e-12);
	assert_near(stat_ks_distance((const uint64_t[]){0, 0}, cumulative, 2), 0, 0);
}

// What is uniform passes, what is a little off does not.
static void tests_decide(void **state)
{
	enum { BINS = 50, DRAWS = 200000 };
	uint64_t good[BINS] = {0}, bad[BINS] = {0};
	double share[BINS], cumulative[BINS];
	unsigned freedom;
	double chi;

	(void)state;
	for (uint32_t i = 0; i < BINS; i++) {
		share[i] = 1.0 / BINS;
		cumulative[i] = (i + 1.0) / BINS;
	}
	for (uint64_t i = 0; i < DRAWS; i++) {
		uint32_t v = rng_below(rng_draw(99, i), BINS);

		good[v]++;
		bad[v < BINS / 2 && i % 50 == 0 ? v + 1 : v]++;
	}
	chi = stat_chi_square(good, share, BINS, &freedom);
	assert_true(stat_chi_square_tail(chi, freedom) > STAT_CHANCE_MIN);
	assert_true(stat_ks_tail(stat_ks_distance(good, cumulative, BINS), DRAWS) >
		    STAT_CHANCE_MIN);
	for (uint64_t i = 0; i < DRAWS / 50; i++)
		bad[0]++;
	chi = stat_chi_square(bad, share, BINS, &freedom);
	assert_true(stat_chi_square_tail(chi, freedom) < STAT_CHANCE_MIN);
	assert_true(stat_ks_tail(stat_ks_distance(bad, cumulative, BINS), DRAWS) <
		    STAT_CHANCE_MIN);
}

static void laws(void **state)
{
	(void)state;
	assert_near(stat_normal_cdf(0), 0.5, 1e-15);
	assert_near(stat_normal_cdf(1.959964), 0.975, 1e-7);
	assert_near(stat_normal_cdf(-3.090232), 0.001, 1e-8);
	assert_near(stat_lognormal_cdf(45, 45, 1.25), 0.5, 1e-15);
	assert_near(stat_lognormal_cdf(45 * exp(1.25), 45, 1.25), 0.8413447, 1e-7);
	assert_near(stat_lognormal_cdf(0, 45, 1.25), 0, 0);
}

static void tallies(void **state)
{
	struct tally t;

	(void)state;
	tally_init(&t, 50);
	assert_int_equal(tally_quantile(&t, 0.5), 0);
	for (uint32_t v = 1; v <= 100; v++)
		tally_add(&t, v);
	assert_int_equal(tally_quantile(&t, 0), 1);
	assert_int_equal(tally_quantile(&t, 0.1), 10);
	assert_int_equal(tally_quantile(&t, 0.48), 48);
	assert_int_equal(tally_quantile(&t, 0.9), 100); // past the bins: the maximum
	assert_near(tally_mean(&t), 50.5, 1e-12);
	assert_true(t.least == 1 && t.most == 100 && t.count == 100);
	tally_deinit(&t);
	tally_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chi_square_tail),
		cmocka_unit_test(chi_square_statistic),
		cmocka_unit_test(chi_square_merges),
		cmocka_unit_test(ks_tail),
		cmocka_unit_test(ks_distance),
		cmocka_unit_test(tests_decide),
		cmocka_unit_test(laws),
		cmocka_unit_test(tallies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
