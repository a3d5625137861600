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
	       "50 %, 0:02 left, 500 of 1.0k rows, 250 rows/s, 1.5 MB/s stored");
	expect(&p, 54 * NS_PER_S, 1000, 40000,
	       "100 %, 0:00 left, 1.0k of 1.0k rows, 250 rows/s, 0.0 MB/s stored");
}

// No time passed, nothing done, a clock that did not move, more rows than announced.
static void test_edges(void **state)
{
	struct progress p = {.verb = "read", .rows_all = 10, .begin_ns = NS_PER_S};
	struct progress none = {.verb = "read"};

	(void)state;
	expect(&p, NS_PER_S, 0, 0, "0 %, ?:?? left, 0 of 10 rows, 0 rows/s, 0.0 MB/s read");
	expect(&p, 3 * NS_PER_S, 12, 0,
	       "100 %, 0:00 left, 12 of 10 rows, 6 rows/s, 0.0 MB/s read");
	expect(&none, 0, 0, 0, "100 %, ?:?? left, 0 of 0 rows, 0 rows/s, 0.0 MB/s read");
}

// What an earlier run did counts for the share, not for the rates and the time left.
static void test_resumed(void **state)
{
	struct progress p = {.verb = "stored", .rows_all = 10000, .rows_before = 9000};

	(void)state;
	expect(&p, 10 * NS_PER_S, 9100, 0,
	       "91 %, 1:30 left, 9.1k of 10.0k rows, 10 rows/s, 0.0 MB/s stored");
	expect(&p, 10 * NS_PER_S, 9000, 0,
	       "90 %, ?:?? left, 9.0k of 10.0k rows, 0 rows/s, 0.0 MB/s stored");
}

static void test_long(void **state)
{
	struct progress p = {.verb = "stored", .rows_all = UINT64_C(1) << 40};

	(void)state;
	expect(&p, NS_PER_S, 100000000, 0,
	       "0 %, 3:03:14 left, 100.0M of 1099.5G rows, 100.0M rows/s, 0.0 MB/s stored");
	expect(&p, NS_PER_S, 1999999, 0,
	       "0 %, 6 d 08:42:35 left, 1.9M of 1099.5G rows, 1.9M rows/s, 0.0 MB/s stored");
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
