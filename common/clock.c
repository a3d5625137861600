// SPDX-License-Identifier: Apache-2.0
// The only clock calls. A clock that does not work is a broken system, so a refusal aborts.
#include "common/clock.h"

#include <assert.h>
#include <errno.h>
#include <sys/resource.h>
#include <time.h>

static int64_t read_clock_ns(clockid_t id)
{
	struct timespec t = {0, 0};
	int rc = clock_gettime(id, &t);

	assert(rc == 0);
	(void)rc;
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
	return read_clock_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
	return read_clock_ns(CLOCK_REALTIME) / NS_PER_MS;
}

int64_t clock_process_cpu_ns(void)
{
	struct rusage u;
	int rc = getrusage(RUSAGE_SELF, &u);

	assert(rc == 0);
	(void)rc;
	return ((int64_t)u.ru_utime.tv_sec + (int64_t)u.ru_stime.tv_sec) * NS_PER_S +
	       ((int64_t)u.ru_utime.tv_usec + (int64_t)u.ru_stime.tv_usec) * 1000;
}

void clock_sleep_until_ns(int64_t monotonic_ns)
{
	struct timespec t;
	int rc;

	if (monotonic_ns <= 0)
		return;
	t.tv_sec = (time_t)(monotonic_ns / NS_PER_S);
	t.tv_nsec = (long)(monotonic_ns % NS_PER_S);
	do
		rc = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	while (rc == EINTR);
	assert(rc == 0);
}
