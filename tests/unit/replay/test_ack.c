// SPDX-License-Identifier: Apache-2.0
// Unit tests of replay/ack: the ledger closes whatever happens to a bulk.
#include <stdio.h>
#include <string.h>

#include "tests/unit/common/unit.h"

#include "common/rng.h"
#include "replay/ack.h"

static void test_plain_bulk(void **state)
{
	struct ledger l = {.rows = 4};
	struct bulk_rows b;

	(void)state;
	bulk_rows_init(&b, 4);
	bulk_rows_begin(&b, 100, 4);
	bulk_rows_sent(&b, 0, 5000, true);
	bulk_rows_sent(&b, 1, 16777216, false);
	bulk_rows_refused(&b, 2, UNSENT_FUTURE, &l);
	assert_true(bulk_rows_is_refused(&b, 2));
	assert_false(bulk_rows_is_refused(&b, 1));
	bulk_rows_sent(&b, 3, 1, false);
	assert_int_equal(b.awaited, 3);
	bulk_rows_answer(&b, 101, true, VIEW("STATUS_SUCCEED"), &l);
	bulk_rows_answer(&b, 102, true, VIEW("STATUS_SUCCEED"), &l);
	bulk_rows_answer(&b, 104, false, VIEW("STATUS_DISK_FULL"), &l);
	assert_int_equal(b.awaited, 0);
	bulk_rows_end(&b, UNSENT_NONE, UNSENT_RPC_ENDED, &l);
	assert_true(ledger_closes(&l));
	assert_int_equal(l.acked, 2);
	assert_int_equal(l.acked_bytes, 5000 + 16777216);
	assert_int_equal(l.acked_roots, 1);
	assert_int_equal(l.rejected, 1);
	assert_string_equal(l.rejection[0].status, "STATUS_DISK_FULL");
	assert_int_equal(l.unsent_by[UNSENT_FUTURE], 1);
	assert_int_equal(l.surplus_acks, 0);
	l.acked++;
	assert_false(ledger_closes(&l)); // the check can fail
	bulk_rows_free(&b);
}

static void test_surplus(void **state)
{
	struct ledger l = {.rows = 2};
	struct bulk_rows b;

	(void)state;
	bulk_rows_init(&b, 2);
	bulk_rows_begin(&b, 0, 2);
	bulk_rows_sent(&b, 0, 10, false);
	bulk_rows_answer(&b, 1, true, VIEW("STATUS_SUCCEED"), &l);
	bulk_rows_answer(&b, 1, true, VIEW("STATUS_SUCCEED"), &l); // twice
	bulk_rows_answer(&b, 2, true, VIEW("STATUS_SUCCEED"), &l); // not sent
	bulk_rows_answer(&b, 3, true, VIEW("STATUS_SUCCEED"), &l); // another bulk's
	bulk_rows_answer(&b, 0, true, VIEW("STATUS_SUCCEED"), &l); // nobody's
	assert_int_equal(l.acked, 1);
	assert_int_equal(l.surplus_acks, 4);
	bulk_rows_end(&b, UNSENT_NONE, UNSENT_STOPPED, &l);
	assert_int_equal(l.unsent_by[UNSENT_STOPPED], 1);
	assert_true(ledger_closes(&l));
	bulk_rows_free(&b);
}

static void test_again(void **state)
{
	struct ledger l = {.rows = 3};
	struct bulk_rows b;

	(void)state;
	bulk_rows_init(&b, 3);
	bulk_rows_begin(&b, 7, 3);
	bulk_rows_sent(&b, 0, 10, false);
	bulk_rows_refused(&b, 1, UNSENT_EXPIRED, &l);
	bulk_rows_sent(&b, 2, 10, false);
	bulk_rows_again(&b, &l);
	assert_int_equal(l.retried, 2);
	assert_true(bulk_rows_is_refused(&b, 1));
	bulk_rows_sent(&b, 0, 10, false);
	bulk_rows_sent(&b, 2, 10, false);
	bulk_rows_answer(&b, 8, true, VIEW("STATUS_SUCCEED"), &l);
	bulk_rows_end(&b, UNSENT_NONE, UNSENT_RPC_ENDED, &l);
	assert_int_equal(l.lost, 1);
	assert_int_equal(l.unsent, 1);
	assert_true(ledger_closes(&l));
	bulk_rows_free(&b);
}

static void test_many_statuses(void **state)
{
	struct ledger l = {.rows = 50};
	char status[64];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(status, sizeof(status),
			 "STATUS_%d_WITH_A_NAME_LONGER_THAN_THE_TABLE_HOLDS_IT", i % 25);
		ledger_rejected(&l, view_of(status));
	}
	assert_true(ledger_closes(&l));
	assert_int_equal(l.rejection[0].rows, 2);
	assert_string_equal(l.rejection[STATUS_NAMES - 1].status, "other");
	assert_int_equal(l.rejection[STATUS_NAMES - 1].rows, 2 * (25 - STATUS_NAMES + 1));
}

// Any sequence of events closes.
static void test_random(void **state)
{
	struct ledger l = {0};
	struct bulk_rows b;
	uint64_t key = rng_key(3, RNG_SAMPLE, 1), n = 0, first = 0;

	(void)state;
	bulk_rows_init(&b, 50);
	for (int round = 0; round < 2000; round++) {
		uint32_t count = 1 + rng_below(rng_draw(key, n++), 50);
		uint32_t sent = rng_below(rng_draw(key, n++), count + 1);

		bulk_rows_begin(&b, first, count);
		for (uint32_t i = 0; i < sent; i++) {
			if (rng_below(rng_draw(key, n++), 10) == 0)
				bulk_rows_refused(&b, i, UNSENT_TOO_LARGE, &l);
			else
				bulk_rows_sent(&b, i, i, i == 0);
		}
		for (uint32_t i = 0; i < count; i++) {
			uint64_t id = first + rng_below(rng_draw(key, n++), count + 3);

			bulk_rows_answer(&b, id, id & 1, VIEW("STATUS_X"), &l);
		}
		bulk_rows_end(&b, round & 1 ? UNSENT_UNAVAILABLE : UNSENT_NONE,
			      UNSENT_RPC_ENDED, &l);
		l.rows += count;
		assert_true(ledger_closes(&l));
		first += count;
	}
	bulk_rows_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_bulk), cmocka_unit_test(test_surplus),
		cmocka_unit_test(test_again),	   cmocka_unit_test(test_many_statuses),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
