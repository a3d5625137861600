// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/clock: order and units, nothing that depends on how busy the machine is.
#include "tests/unit/common/unit.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

static void test_monotonic(void **state)
{
	int64_t last = clock_monotonic_ns();
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		int64_t now = clock_monotonic_ns();

		assert_true(now >= last);
		last = now;
	}
}

static void test_wall(void **state)
{
	int64_t before = (int64_t)time(NULL) - 1; // time() may lag by a tick
	int64_t now = clock_wall_ms();
	int64_t after = (int64_t)time(NULL) + 1;

	(void)state;
	assert_true(now / MS_PER_S >= before && now / MS_PER_S <= after);
}

static void test_cpu(void **state)
{
	int64_t start = clock_process_cpu_ns();
	int64_t limit = clock_monotonic_ns() + 60 * NS_PER_S;

	(void)state;
	while (clock_process_cpu_ns() < start + 2 * NS_PER_MS)
		assert_true(clock_monotonic_ns() < limit); // spinning must show
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void test_sleep(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct sigaction old;
	int64_t start = clock_monotonic_ns();

	(void)state;
	clock_sleep_until_ns(start - NS_PER_S); // past
	clock_sleep_until_ns(-5);
	clock_sleep_until_ns(start + 20 * NS_PER_MS);
	assert_true(clock_monotonic_ns() >= start + 20 * NS_PER_MS);

	// a signal in the middle does not end it early
	assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
	start = clock_monotonic_ns();
	alarm(1);
	clock_sleep_until_ns(start + 1100 * NS_PER_MS);
	assert_true(clock_monotonic_ns() >= start + 1100 * NS_PER_MS);
	assert_int_equal(alarm(0), 0); // it came
	sigaction(SIGALRM, &old, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_monotonic),
		cmocka_unit_test(test_wall),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_sleep),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
