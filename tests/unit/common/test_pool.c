// SPDX-License-Identifier: Apache-2.0
// Unit tests of common/pool: order, slots, bounds, failing jobs and consumers, early end.
#include "tests/unit/common/unit.h"

#include <pthread.h>

#include "common/pool.h"
#include "common/rng.h"

#define MAX_SLOTS 16

// Written by one worker or the consumer at a time per slot; `lock` guards the rest.
struct bench {
	unsigned threads;
	uint64_t results[MAX_SLOTS]; // of the job in that slot
	pthread_mutex_t lock;
	bool busy[MAX_SLOTS]; // between work's begin and consume's end
	unsigned running, most_running;
	uint64_t started;      // jobs
	uint64_t consumed;     // jobs
	uint64_t next_consume; // the job that must come
	bool out_of_order, slot_shared, bad_worker;
	uint64_t fail_from,
		fail_every;	// work fails when job >= fail_from and job % fail_every == 0
	uint64_t consume_fails; // at this job
	int stop;
	uint64_t stop_at;      // consume of this job sets stop
	unsigned threads_wait; // jobs wait until so many run at once
	pthread_cond_t all_running;
};

static uint64_t value_of(uint64_t job)
{
	return rng_draw(99, job);
}

static enum status work(void *ctx, unsigned worker, unsigned slot, uint64_t job, struct err *e)
{
	struct bench *b = ctx;
	unsigned spin = (unsigned)(value_of(job) & 0xfff);
	uint64_t v = 0;

	pthread_mutex_lock(&b->lock);
	b->started++;
	b->bad_worker |= worker >= b->threads || slot >= pool_slots(b->threads);
	b->slot_shared |= b->busy[slot];
	b->busy[slot] = true;
	b->running++;
	if (b->running > b->most_running)
		b->most_running = b->running;
	if (b->most_running >= b->threads_wait)
		pthread_cond_broadcast(&b->all_running);
	while (b->most_running < b->threads_wait)
		pthread_cond_wait(&b->all_running, &b->lock);
	pthread_mutex_unlock(&b->lock);

	while (spin-- > 0) // jobs of uneven length, so that they finish out of order
		v = rng_mix(v + spin);
	b->results[slot] = v == 1 ? 0 : value_of(job);

	pthread_mutex_lock(&b->lock);
	b->running--;
	pthread_mutex_unlock(&b->lock);
	if (job >= b->fail_from && job % b->fail_every == 0)
		return err_set(e, ERR_DAMAGED, "job %llu failed", (unsigned long long)job);
	return OK;
}

static enum status consume(void *ctx, unsigned slot, uint64_t job, struct err *e)
{
	struct bench *b = ctx;

	if (job == b->consume_fails)
		return err_set(e, ERR_IO, "consume %llu failed", (unsigned long long)job);
	pthread_mutex_lock(&b->lock);
	b->out_of_order |= job != b->next_consume || b->results[slot] != value_of(job);
	b->next_consume = job + 1;
	b->consumed++;
	b->busy[slot] = false;
	pthread_mutex_unlock(&b->lock);
	if (job == b->stop_at)
		__atomic_store_n(&b->stop, 1, __ATOMIC_RELAXED);
	return OK;
}

static void bench_init(struct bench *b, unsigned threads)
{
	memset(b, 0, sizeof(*b));
	b->threads = threads;
	b->fail_from = UINT64_MAX;
	b->fail_every = 1;
	b->consume_fails = UINT64_MAX;
	b->stop_at = UINT64_MAX;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->all_running, NULL);
}

static enum status run(struct bench *b, uint64_t first, uint64_t last, uint64_t *next,
		       struct err *e)
{
	const struct pool_job j = {.work = work, .consume = consume, .ctx = b};
	enum status st;

	b->next_consume = first;
	st = pool_run(&j, b->threads, first, last, &b->stop, next, e);
	assert_false(b->out_of_order);
	assert_false(b->slot_shared);
	assert_false(b->bad_worker);
	assert_int_equal(b->running, 0);
	assert_true(b->started - b->consumed <= pool_slots(b->threads));
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->all_running);
	return st;
}

static const unsigned thread_counts[] = {1, 2, 4, 8};

static void test_order(void **state)
{
	static const uint64_t ranges[][2] = {{0, 0},	{5, 5}, {0, 1},
					     {3, 1000}, {7, 9}, {UINT64_MAX - 20, UINT64_MAX}};
	size_t t, i;

	(void)state;
	for (t = 0; t < ARRAY_LEN(thread_counts); t++) {
		for (i = 0; i < ARRAY_LEN(ranges); i++) {
			struct err e = {0};
			struct bench b;
			uint64_t next = 1;

			bench_init(&b, thread_counts[t]);
			assert_ok(run(&b, ranges[i][0], ranges[i][1], &next, &e), e);
			assert_true(next == ranges[i][1]);
			assert_true(b.consumed == ranges[i][1] - ranges[i][0]);
			assert_true(b.started == b.consumed);
		}
	}
}

// All workers run at once: no job ends before as many run as there are threads.
static void test_parallel(void **state)
{
	size_t t;

	(void)state;
	for (t = 0; t < ARRAY_LEN(thread_counts); t++) {
		struct err e = {0};
		struct bench b;

		bench_init(&b, thread_counts[t]);
		b.threads_wait = b.threads;
		assert_ok(run(&b, 0, 100, NULL, &e), e);
		assert_int_equal(b.most_running, b.threads);
	}
}

// Several jobs fail: always the lowest is told, everything below it was consumed.
static void test_job_fails(void **state)
{
	size_t t;
	int round;

	(void)state;
	for (t = 0; t < ARRAY_LEN(thread_counts); t++) {
		for (round = 0; round < 50; round++) {
			struct err e = {0};
			struct bench b;
			uint64_t next = 0;
			enum status st;

			bench_init(&b, thread_counts[t]);
			b.fail_from = 30;
			b.fail_every = round % 2 == 0 ? 1 : 7; // 30 or 35
			st = run(&b, 10, 1000, &next, &e);
			assert_fails(st, e, ERR_DAMAGED,
				     round % 2 == 0 ? "job 30 failed" : "job 35 failed");
			assert_int_equal(next, round % 2 == 0 ? 30 : 35);
			assert_int_equal(b.consumed, next - 10);
		}
	}
}

static void test_consumer_fails(void **state)
{
	size_t t;

	(void)state;
	for (t = 0; t < ARRAY_LEN(thread_counts); t++) {
		struct err e = {0};
		struct bench b;
		uint64_t next = 0;
		enum status st;

		bench_init(&b, thread_counts[t]);
		b.consume_fails = 12;
		b.fail_from = 13; // later: not told
		st = run(&b, 0, 1000, &next, &e);
		assert_fails(st, e, ERR_IO, "consume 12 failed");
		assert_int_equal(next, 12);

		bench_init(&b, thread_counts[t]);
		b.consume_fails = 0;
		assert_int_equal(run(&b, 0, 1000, NULL, NULL), ERR_IO);
		assert_int_equal(b.consumed, 0);
	}
}

// A stop leaves no gap: what was started is consumed, and a second run from *next makes the
// whole.
static void test_stop(void **state)
{
	size_t t;

	(void)state;
	for (t = 0; t < ARRAY_LEN(thread_counts); t++) {
		struct err e = {0};
		struct bench b;
		uint64_t next = 0, first;

		bench_init(&b, thread_counts[t]);
		b.stop_at = 20;
		assert_ok(run(&b, 0, 1000, &next, &e), e);
		assert_in_range(next, 21, 21 + pool_slots(thread_counts[t]));
		assert_int_equal(b.consumed, next);
		assert_int_equal(b.started, next);

		first = next;
		bench_init(&b, thread_counts[t]);
		assert_ok(run(&b, first, 1000, &next, &e), e);
		assert_int_equal(b.consumed, 1000 - first);

		bench_init(&b, thread_counts[t]);
		b.stop = 1; // before the start
		assert_ok(run(&b, 5, 1000, &next, &e), e);
		assert_int_equal(next, 5);
		assert_int_equal(b.started, 0);
	}
}

static void test_counts(void **state)
{
	(void)state;
	assert_int_equal(pool_slots(1), 2);
	assert_int_equal(pool_slots(4), 8);
	assert_true(pool_default_threads() >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	  cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_job_fails), cmocka_unit_test(test_consumer_fails),
		cmocka_unit_test(test_stop),	  cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
