// SPDX-License-Identifier: Apache-2.0
// Unit tests of replay/pacer: due times are exact, and the count of due bulks is their inverse.
#include "tests/unit/common/unit.h"

#include "replay/pacer.h"

static void test_exact(void **state)
{
	struct pacer p = {.start_ns = 1000, .rate_per_s = 3, .bulk = 1};

	(void)state;
	assert_int_equal(pacer_due_ns(&p, 0), 1000);
	assert_int_equal(pacer_due_ns(&p, 1), 1000 + 333333333);
	assert_int_equal(pacer_due_ns(&p, 2), 1000 + 666666666);
	assert_int_equal(pacer_due_ns(&p, 3), 1000 + NS_PER_S);
	assert_int_equal(pacer_due_ns(&p, 3000000), 1000 + 1000000 * NS_PER_S); // no drift
	p = (struct pacer){.start_ns = 0, .rate_per_s = 50000, .bulk = 1000};
	for (uint64_t k = 0; k < 1000; k++)
		assert_int_equal(pacer_due_ns(&p, k), k * 20000000);
	// a billion spans, a day, an odd rate: floor(k * bulk * 1e9 / rate)
	p = (struct pacer){.start_ns = 0, .rate_per_s = 11574, .bulk = 1};
	assert_int_equal(pacer_due_ns(&p, 1000000000), INT64_C(86400552963538));
}

static void test_count_is_inverse(void **state)
{
	static const struct pacer paces[] = {
		{5, 1, 1},	   {5, 3, 1},	       {7, 7, 3},	{0, 1000000000, 1},
		{0, 999999999, 7}, {123, 50000, 1000}, {1, 1, 1000000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paces); i++) {
		const struct pacer *p = &paces[i];

		assert_int_equal(pacer_due_count(p, p->start_ns - 1), 0);
		for (uint64_t k = 0; k < 500; k++) {
			int64_t due = pacer_due_ns(p, k);

			assert_true(pacer_due_count(p, due) >= k + 1);
			assert_true(k == 0 || pacer_due_count(p, due - 1) <= k);
			assert_true(pacer_due_ns(p, pacer_due_count(p, due)) > due);
		}
	}
}

static void test_closed_loop(void **state)
{
	struct pacer p = {.start_ns = 77, .rate_per_s = 0, .bulk = 1000};

	(void)state;
	assert_int_equal(pacer_due_ns(&p, 12345), 77);
	assert_true(pacer_due_count(&p, 77) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_count_is_inverse),
		cmocka_unit_test(test_closed_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
