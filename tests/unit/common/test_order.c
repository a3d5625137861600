// SPDX-License-Identifier: Apache-2.0
// Output order: hand-made cases, and random ones against what FORMAT.md says of each row.
#include "tests/unit/common/unit.h"

#include "common/order.h"
#include "common/rng.h"

#define ROWS_MAX 40u

static void sorts_stably(void **state)
{
	static const int64_t key[] = {5, -3, 5, INT64_C(1) << 40, -3, 0};
	static const uint32_t wanted[] = {1, 4, 5, 0, 2, 3};
	uint32_t order[ARRAY_LEN(key)], scratch[ARRAY_LEN(key)];

	(void)state;
	order_sort(key, ARRAY_LEN(key), order, scratch);
	assert_memory_equal(order, wanted, sizeof(wanted));
	order_sort(key, 1, order, scratch);
	assert_int_equal(order[0], 0);
}

static void moves_by_hand(void **state)
{
	// Rows 1, 3 and 4 are late: 1 behind two on time, 3 behind one, 4 behind all.
	static const uint32_t row[] = {1, 2, 1}, by[] = {1, 1, 9};
	static const uint32_t wanted[] = {0, 2, 1, 5, 3, 6, 4};
	uint32_t order[] = {0, 1, 2, 3, 4, 5, 6};

	(void)state;
	order_move_late(order, ARRAY_LEN(order), &(struct order_moves){row, by, 3});
	assert_memory_equal(order, wanted, sizeof(wanted));
}

static void copies_by_hand(void **state)
{
	static const uint32_t row[] = {0, 1, 1}, by[] = {2, 1, 1};
	static const uint32_t wanted[] = {2, 0, 2, 1, 0, 1};
	static const uint8_t copy[] = {0, 0, 1, 0, 1, 1};
	uint32_t order[6] = {2, 0, 1};
	uint8_t is_copy[6];

	(void)state;
	// Of 2 behind 0, of 0 behind the end, of 1 too: in the order of the rows.
	order_add_copies(order, 3, &(struct order_moves){row, by, 3}, is_copy);
	assert_memory_equal(order, wanted, sizeof(wanted));
	assert_memory_equal(is_copy, copy, sizeof(copy));
}

// A random set of rows with random distances.
struct moves {
	uint32_t row[ROWS_MAX], by[ROWS_MAX], count;
	uint32_t by_of[ROWS_MAX]; // 0: stays
};

static void draw_moves(struct moves *m, uint32_t rows, uint64_t key)
{
	uint32_t before = 0, percent = rng_below(rng_draw(key, 1000), 101);

	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < rows; i++) {
		if (rng_below(rng_draw(key, i), 100) >= percent)
			continue;
		m->by_of[i] = 1 + rng_below(rng_draw(key, 2000 + i), rows);
		m->row[m->count] = i - before;
		m->by[m->count++] = m->by_of[i];
		before = i;
	}
}

static struct order_moves moves_of(const struct moves *m)
{
	return (struct order_moves){m->row, m->by, m->count};
}

// Every row once; rows on time in their order; a late one behind as many of them as it should,
// and behind the late ones of that place that come before it in the order.
static void check_late(const uint32_t *sorted, const uint32_t *out, uint32_t rows,
		       const struct moves *m)
{
	uint32_t place[ROWS_MAX], before[ROWS_MAX], on_time = 0, staying = rows - m->count;

	for (uint32_t i = 0; i < rows; i++)
		place[i] = UINT32_MAX;
	for (uint32_t i = 0; i < rows; i++) {
		assert_true(out[i] < rows && place[out[i]] == UINT32_MAX);
		place[out[i]] = i;
		before[out[i]] = on_time;
		on_time += m->by_of[out[i]] == 0;
	}
	on_time = 0;
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t row = sorted[i];

		if (m->by_of[row] == 0)
			assert_int_equal(before[row], on_time++);
		else
			assert_int_equal(before[row],
					 u64_min((uint64_t)on_time + m->by_of[row], staying));
		for (uint32_t k = 0; k < i; k++) {
			if (m->by_of[row] != 0 && m->by_of[sorted[k]] != 0 &&
			    before[sorted[k]] == before[row])
				assert_true(place[sorted[k]] < place[row]);
		}
	}
}

// Without the copies nothing has changed; a copy stands behind as many rows as it should.
static void check_copies(const uint32_t *base, const uint32_t *out, const uint8_t *is_copy,
			 uint32_t rows, const struct moves *m)
{
	uint32_t place[ROWS_MAX], seen = 0, copies[ROWS_MAX] = {0};

	for (uint32_t i = 0; i < rows; i++)
		place[base[i]] = i;
	for (uint32_t i = 0; i < rows + m->count; i++) {
		if (is_copy[i] == 0) {
			assert_int_equal(out[i], base[seen++]);
			continue;
		}
		copies[out[i]]++;
		assert_int_equal(seen,
				 u64_min((uint64_t)place[out[i]] + 1 + m->by_of[out[i]], rows));
	}
	for (uint32_t i = 0; i < rows; i++)
		assert_int_equal(copies[i], m->by_of[i] != 0);
}

static void random_moves(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 2000; n++) {
		uint64_t key = rng_key(1, RNG_SAMPLE, n);
		uint32_t rows = 1 + rng_below(rng_draw(key, 5000), ROWS_MAX);
		uint32_t sorted[ROWS_MAX], scratch[ROWS_MAX], late[ROWS_MAX], out[2 * ROWS_MAX];
		uint8_t is_copy[2 * ROWS_MAX];
		struct moves m, copies;
		struct order_moves moves;
		int64_t sort[ROWS_MAX];

		for (uint32_t i = 0; i < rows; i++)
			sort[i] = rng_below(rng_draw(key, 3000 + i), 20);
		order_sort(sort, rows, sorted, scratch);
		draw_moves(&m, rows, rng_mix(key));
		draw_moves(&copies, rows, rng_mix(key + 1));
		memcpy(late, sorted, sizeof(late));
		moves = moves_of(&m);
		order_move_late(late, rows, &moves);
		check_late(sorted, late, rows, &m);
		memcpy(out, late, sizeof(late));
		moves = moves_of(&copies);
		order_add_copies(out, rows, &moves, is_copy);
		check_copies(late, out, is_copy, rows, &copies);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_stably),
		cmocka_unit_test(moves_by_hand),
		cmocka_unit_test(copies_by_hand),
		cmocka_unit_test(random_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
