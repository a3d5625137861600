// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/rng: known answers (they are part of the format), bijections, rough
// uniformity.
#include "tests/unit/common/unit.h"

#include "common/rng.h"

// draws of key k are splitmix64 seeded with k: the vectors for seeds 0 and 1234567 are the
// published ones.
static void test_known_draws(void **state)
{
	(void)state;
	assert_true(rng_mix(0) == 0);
	assert_true(rng_mix(1) == UINT64_C(0x5692161d100b05e5));
	assert_true(rng_mix(UINT64_MAX) == UINT64_C(0xb4d055fcf2cbbd7b));
	assert_true(rng_draw(0, 0) == UINT64_C(0xe220a8397b1dcdaf));
	assert_true(rng_draw(0, 1) == UINT64_C(0x6e789e6aa1b965f4));
	assert_true(rng_draw(0, 2) == UINT64_C(0x06c45d188009454f));
	assert_true(rng_draw(1234567, 0) == UINT64_C(6457827717110365317));
	assert_true(rng_draw(1234567, 1) == UINT64_C(3203168211198807973));
	assert_true(rng_draw(1234567, 2) == UINT64_C(9817491932198370423));
}

// Computed by a second implementation in another language.
static void test_known_keys(void **state)
{
	(void)state;
	assert_true(rng_key(0, RNG_ROW_PERMUTE, 0) == UINT64_C(0xca23bb4e5daf0ff5));
	assert_true(rng_key(42, RNG_VALUE, 7) == UINT64_C(0xfc833ef60c3d5883));
	assert_true(rng_key(UINT64_MAX, RNG_SAMPLE, UINT64_MAX) ==
		    UINT64_C(0xc2b4ad803fed40bd));
	assert_true(rng_draw(rng_key(42, RNG_VALUE, 7), 1) == UINT64_C(0x104613d2034ac7bf));
}

static void test_known_perm(void **state)
{
	static const uint64_t ten[] = {1, 3, 8, 4, 7, 0, 9, 2, 6, 5};
	static const uint64_t thousand[] = {74, 135, 959, 722, 759, 466, 963, 457, 399, 802};
	static const uint64_t largest[] = {UINT64_C(527866007306), UINT64_C(993725909303),
					   UINT64_C(546599087277), UINT64_C(429119930094)};
	struct rng_perm p;
	uint64_t i;

	(void)state;
	rng_perm_init(&p, 10, 42, RNG_ROW_PERMUTE, 0);
	for (i = 0; i < ARRAY_LEN(ten); i++)
		assert_true(rng_perm_at(&p, i) == ten[i]);
	rng_perm_init(&p, 1000, 42, RNG_TRACE_PERMUTE, 3);
	for (i = 0; i < ARRAY_LEN(thousand); i++)
		assert_true(rng_perm_at(&p, i) == thousand[i]);
	rng_perm_init(&p, UINT64_C(1) << 40, 7, RNG_SEQUENCE_PERMUTE, 0);
	for (i = 0; i < ARRAY_LEN(largest); i++)
		assert_true(rng_perm_at(&p, i) == largest[i]);
}

// A stretch that may begin and end anywhere has the values of single steps.
static void check_range(const struct rng_perm *p)
{
	uint64_t v[200];

	for (uint64_t first = 0; first < p->size && first < 1000; first += 97) {
		size_t count = p->size - first < 200 ? (size_t)(p->size - first) : 200;

		rng_perm_range(p, first, count, v);
		for (size_t i = 0; i < count; i++)
			assert_true(v[i] == rng_perm_at(p, first + i));
	}
}

// Every size to 300, then powers of two and their neighbours: each value once, and the inverse
// leads back.
static void test_bijection(void **state)
{
	uint64_t size = 1;

	(void)state;
	while (size <= 70000) {
		unsigned char *seen = calloc(size, 1);
		struct rng_perm p;
		uint64_t i;

		assert_non_null(seen);
		rng_perm_init(&p, size, size * 3, RNG_ROW_PERMUTE, size % 5);
		for (i = 0; i < size; i++) {
			uint64_t v = rng_perm_at(&p, i);

			assert_true(v < size && !seen[v]);
			seen[v] = 1;
			assert_true(rng_perm_inverse(&p, v) == i);
		}
		free(seen);
		check_range(&p);
		if (size < 300)
			size++;
		else if (((size + 1) & size) == 0 || (size & (size - 1)) == 0)
			size++; // 2^n - 1, 2^n
		else if (((size - 1) & (size - 2)) == 0)
			size = 2 * (size - 1) - 1; // from 2^n + 1
		else
			size = 511;
	}
}

static void test_inverse_large(void **state)
{
	static const uint64_t sizes[] = {1000003, UINT32_MAX, UINT64_C(5000000000),
					 (UINT64_C(1) << 40) - 1, UINT64_C(1) << 40};
	size_t s;
	uint64_t i;

	(void)state;
	for (s = 0; s < ARRAY_LEN(sizes); s++) {
		struct rng_perm p;

		rng_perm_init(&p, sizes[s], 11, RNG_QUOTA, s);
		for (i = 0; i < 20000; i++) {
			uint64_t x = rng_draw(s, i) % sizes[s];
			uint64_t v = rng_perm_at(&p, x);

			assert_true(v < sizes[s]);
			assert_true(rng_perm_inverse(&p, v) == x);
			assert_true(rng_perm_at(&p, rng_perm_inverse(&p, x)) == x);
		}
		assert_true(rng_perm_at(&p, sizes[s] - 1) < sizes[s]);
	}
}

// Seed, stream and index each give another permutation.
static void test_perm_keyed(void **state)
{
	struct rng_perm p[4];
	unsigned a, b, i;

	(void)state;
	rng_perm_init(&p[0], 1000, 1, RNG_QUOTA, 0);
	rng_perm_init(&p[1], 1000, 2, RNG_QUOTA, 0);
	rng_perm_init(&p[2], 1000, 1, RNG_TREE, 0);
	rng_perm_init(&p[3], 1000, 1, RNG_QUOTA, 1);
	for (a = 0; a < 4; a++) {
		for (b = a + 1; b < 4; b++) {
			unsigned same = 0;

			for (i = 0; i < 1000; i++)
				same += rng_perm_at(&p[a], i) == rng_perm_at(&p[b], i);
			assert_in_range(same, 0, 20); // 1 expected
		}
	}
}

static void test_below(void **state)
{
	static const uint32_t bounds[] = {1, 2, 3, 10, 1000, UINT32_C(1) << 31, UINT32_MAX};
	unsigned counts[10] = {0};
	size_t b;
	unsigned i;

	(void)state;
	for (b = 0; b < ARRAY_LEN(bounds); b++) {
		assert_int_equal(rng_below(0, bounds[b]), 0);
		assert_int_equal(rng_below(UINT64_MAX, bounds[b]), bounds[b] - 1);
	}
	assert_int_equal(rng_below(UINT64_C(1) << 63, 10), 5);
	assert_int_equal(rng_below((UINT64_C(1) << 63) - 1, 10), 4);
	for (i = 0; i < 100000; i++)
		counts[rng_below(rng_draw(77, i), 10)]++;
	for (i = 0; i < 10; i++)
		assert_in_range(counts[i], 9500, 10500); // 5 standard deviations
}

static void test_chance(void **state)
{
	unsigned i, hits = 0;

	(void)state;
	assert_false(rng_chance(0, 0));
	assert_true(rng_chance(0, 1));
	assert_false(rng_chance(UINT64_C(1) << 32, 1));
	assert_false(rng_chance(UINT64_MAX, UINT32_MAX));
	for (i = 0; i < 100000; i++)
		hits += rng_chance(rng_draw(78, i), UINT32_C(1) << 30);
	assert_in_range(hits, 24300, 25700); // a quarter, 5 standard deviations
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_draws),   cmocka_unit_test(test_known_keys),
		cmocka_unit_test(test_known_perm),    cmocka_unit_test(test_bijection),
		cmocka_unit_test(test_inverse_large), cmocka_unit_test(test_perm_keyed),
		cmocka_unit_test(test_below),	      cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
