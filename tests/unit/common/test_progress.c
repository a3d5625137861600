// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/progress: share, rates and time left, with the time handed in.
#include "tests/unit/common/unit.h"

#include "common/progress.h"

static void expect(const struct progress *p, int64_t now_ns, uint64_t rows, uint64_t bytes,
		   const char *want)
{
	char text[PROGRESS_TEXT_SIZE];

	progress_text(p, now_ns, rows, bytes, text);
	assert_string_equal(text, want);
}

static void test_rates(void **state)
{
	struct progress p = {.verb = "stored", .rows_all = 1000, .begin_ns = 50 * NS_PER_S};

	(void)state;
	expect(&p, 52 * NS_PER_S, 500, 3000000,
	       "50 %  500 of 1000 rows  250 rows/s  1.5 MB/s stored  0:02 left");
	expect(&p, 54 * NS_PER_S, 1000, 40000,
	       "100 %  1000 of 1000 rows  250 rows/s  0.0 MB/s stored  0:00 left");
}

// No time passed, nothing done, a clock that did not move, more rows than announced.
static void test_edges(void **state)
{
	struct progress p = {.verb = "read", .rows_all = 10, .begin_ns = NS_PER_S};
	struct progress none = {.verb = "read"};

	(void)state;
	expect(&p, NS_PER_S, 0, 0, "0 %  0 of 10 rows  0 rows/s  0.0 MB/s read  ?:?? left");
	expect(&p, 3 * NS_PER_S, 12, 0,
	       "100 %  12 of 10 rows  6 rows/s  0.0 MB/s read  0:00 left");
	expect(&none, 0, 0, 0, "100 %  0 of 0 rows  0 rows/s  0.0 MB/s read  ?:?? left");
}

// What an earlier run did counts for the share, not for the rates and the time left.
static void test_resumed(void **state)
{
	struct progress p = {.verb = "stored", .rows_all = 10000, .rows_before = 9000};

	(void)state;
	expect(&p, 10 * NS_PER_S, 9100, 0,
	       "91 %  9100 of 10000 rows  10 rows/s  0.0 MB/s stored  1:30 left");
	expect(&p, 10 * NS_PER_S, 9000, 0,
	       "90 %  9000 of 10000 rows  0 rows/s  0.0 MB/s stored  ?:?? left");
}

static void test_long(void **state)
{
	struct progress p = {.verb = "stored", .rows_all = UINT64_C(1) << 40};

	(void)state;
	expect(&p, NS_PER_S, 100000000, 0,
	       "0 %  100000000 of 1099511627776 rows  100000000 rows/s  0.0 MB/s stored  "
	       "3:03:14 left");
	expect(&p, NS_PER_S, 1000000, 0,
	       "0 %  1000000 of 1099511627776 rows  1000000 rows/s  0.0 MB/s stored  "
	       "12 d 17:25:10 left");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
