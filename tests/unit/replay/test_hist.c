// SPDX-License-Identifier: Apache-2.0
// Unit tests of replay/hist: three digits against sorted samples, merging, samples needed,
// values outside.
#include <stdlib.h>

#include "tests/unit/common/unit.h"

#include "common/rng.h"
#include "replay/hist.h"

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void test_accuracy_and_merge(void **state)
{
	enum { N = 20000 };
	static int64_t v[N];
	static const uint32_t ps[] = {50000, 95000, 99000, 99900};
	uint64_t key = rng_key(9, RNG_SAMPLE, 0);
	struct hist all, part[2];

	(void)state;
	hist_init(&all);
	hist_init(&part[0]);
	hist_init(&part[1]);
	for (int i = 0; i < N; i++) { // magnitudes from 1 ns to an hour
		v[i] = (int64_t)(rng_draw(key, (uint64_t)i) >>
				 (23 + rng_below(rng_draw(key, (uint64_t)(N + i)), 40)));
		hist_record(&all, v[i]);
		hist_record(&part[i % 2], v[i]);
	}
	hist_merge(&part[0], &part[1]);
	qsort(v, N, sizeof(v[0]), compare);
	assert_int_equal(all.samples, N);
	assert_int_equal(all.min_ns, v[0]);
	assert_int_equal(all.max_ns, v[N - 1]);
	for (size_t i = 0; i < ARRAY_LEN(ps); i++) {
		int64_t exact = v[(uint64_t)N * ps[i] / 100000 - 1], got, merged;

		assert_true(hist_percentile(&all, ps[i], &got));
		assert_true(got >= exact);
		assert_true(got - exact <= exact / 1000 + 1);
		assert_true(hist_percentile(&part[0], ps[i], &merged));
		assert_int_equal(merged, got);
	}
	hist_free(&all);
	hist_free(&part[0]);
	hist_free(&part[1]);
}

static void test_samples_needed(void **state)
{
	struct hist h;
	int64_t ns = -7;

	(void)state;
	hist_init(&h);
	assert_false(hist_percentile(&h, 50000, &ns));
	for (int i = 1; i <= 10000; i++) {
		hist_record(&h, i);
		assert_int_equal(hist_percentile(&h, 50000, &ns), i >= 20);
		if (i == 19)
			assert_int_equal(ns, -7);
		assert_int_equal(hist_percentile(&h, 95000, &ns), i >= 200);
		assert_int_equal(hist_percentile(&h, 99000, &ns), i >= 1000);
		assert_int_equal(hist_percentile(&h, 99900, &ns), i >= 10000);
	}
	hist_free(&h);
}

static void test_exact_below_2048(void **state)
{
	struct hist h;
	int64_t ns;

	(void)state;
	hist_init(&h);
	for (int i = 1; i <= 2000; i++)
		hist_record(&h, i);
	assert_true(hist_percentile(&h, 50000, &ns));
	assert_int_equal(ns, 1000);
	assert_true(hist_percentile(&h, 99000, &ns));
	assert_int_equal(ns, 1980);
	hist_free(&h);
}

static void test_outside(void **state)
{
	struct hist h;

	(void)state;
	hist_init(&h);
	hist_record(&h, -1);
	hist_record(&h, INT64_C(1) << HIST_TOP_BITS);
	hist_record(&h, INT64_MAX);
	assert_int_equal(h.samples, 0);
	assert_int_equal(h.out_of_range, 3);
	hist_record(&h, (INT64_C(1) << HIST_TOP_BITS) - 1);
	hist_record(&h, 0);
	assert_int_equal(h.samples, 2);
	assert_int_equal(h.out_of_range, 3);
	hist_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accuracy_and_merge),
		cmocka_unit_test(test_samples_needed),
		cmocka_unit_test(test_exact_below_2048),
		cmocka_unit_test(test_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
