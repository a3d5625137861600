// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/base: checked arithmetic, and u64_mul_div against long division bit by
// bit.
#include "tests/unit/common/unit.h"

#include "common/base.h"
#include "common/rng.h"

// Obviously right: the product added up in two words, the quotient one bit at a time.
static uint64_t slow_mul_div(uint64_t a, uint64_t b, uint64_t d)
{
	uint64_t hi = 0, lo = 0, rem = 0, q = 0;
	int i;

	for (i = 63; i >= 0; i--) {
		hi = hi << 1 | lo >> 63;
		lo <<= 1;
		if (b >> i & 1) {
			lo += a;
			hi += lo < a;
		}
	}
	for (i = 127; i >= 0; i--) {
		uint64_t bit = i >= 64 ? hi >> (i - 64) & 1 : lo >> i & 1;
		bool carry = rem >> 63;

		rem = rem << 1 | bit;
		q <<= 1;
		if (carry || rem >= d) {
			rem -= d;
			q |= 1;
		}
	}
	return q;
}

static void test_mul_div_known(void **state)
{
	(void)state;
	assert_int_equal(u64_mul_div(0, 5, 7), 0);
	assert_int_equal(u64_mul_div(10, 10, 3), 33);
	assert_true(u64_mul_div(UINT64_MAX, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
	assert_true(u64_mul_div(UINT64_MAX, 2, 3) == UINT64_C(12297829382473034410));
	assert_true(u64_mul_div(UINT64_C(1) << 63, 2, UINT64_C(1) << 63) == 2);
	assert_true(u64_mul_div(UINT64_MAX, UINT64_MAX - 1, UINT64_MAX) == UINT64_MAX - 1);
	// the remainder is dropped, not rounded
	assert_true(u64_mul_div(UINT64_MAX, 7, 8) == UINT64_C(16140901064495857663));
}

static void test_mul_div_property(void **state)
{
	uint64_t key = rng_key(1, RNG_SAMPLE, 0);
	uint64_t n;

	(void)state;
	for (n = 0; n < 30000; n++) {
		// all magnitudes: most bits shifted away by a drawn amount
		uint64_t shifts = rng_draw(key, 4 * n);
		uint64_t a = rng_draw(key, 4 * n + 1) >> (shifts & 63);
		uint64_t b = rng_draw(key, 4 * n + 2) >> (shifts >> 8 & 63);
		uint64_t d = rng_draw(key, 4 * n + 3) >> (shifts >> 16 & 63);

		if (n % 5 == 0)
			d |= UINT64_C(0xffffffff00000000); // where guesses of digits go wrong
		if (d < a || d == 0)
			d = a | 1; // then a * b / d <= b fits
		assert_true(u64_mul_div(a, b, d) == slow_mul_div(a, b, d));
	}
}

static void test_checked(void **state)
{
	size_t s = 7;
	uint64_t v = 7;

	(void)state;
	assert_true(size_add(SIZE_MAX - 1, 1, &s) && s == SIZE_MAX);
	assert_false(size_add(SIZE_MAX, 1, &s));
	assert_true(size_mul(SIZE_MAX / 2, 2, &s) && s == SIZE_MAX - 1);
	assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &s));
	assert_true(u64_add(UINT64_MAX - 1, 1, &v) && v == UINT64_MAX);
	assert_false(u64_add(UINT64_MAX, 1, &v));
	assert_true(u64_mul(UINT64_C(1) << 32, UINT32_MAX, &v));
	assert_false(u64_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &v));
	assert_true(u64_min(3, 4) == 3 && u64_min(4, 3) == 3 && u64_max(3, 4) == 4 &&
		    u64_max(4, 3) == 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mul_div_known),
		cmocka_unit_test(test_mul_div_property),
		cmocka_unit_test(test_checked),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
