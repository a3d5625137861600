// SPDX-License-Identifier: Apache-2.0
// Workers and the ordered consumer. One mutex guards everything shared; jobs are large
// (milliseconds), so it is never hot.
//
//	jobs      first ... consumed ......... issued ... last
//	                     |<-- <= slots -->|
//
// Job n lives in slot (n - first) % slots from the moment it is issued until it is consumed.
#include "common/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem.h"

struct slot {
	bool done;	    // work returned, not consumed yet
	enum status status; // of the work
	struct err err;
};

// Invariants under lock: first <= consumed <= issued <= last, issued - consumed <= slot_count.
struct pool {
	const struct pool_job *job;
	const volatile int *stop; // may be NULL
	uint64_t first, last;
	unsigned slot_count;
	struct slot *slots;
	pthread_mutex_t lock;
	pthread_cond_t room; // workers wait: consumed moved, or ending
	pthread_cond_t done; // the consumer waits: a slot is done, or ending
	uint64_t issued;
	uint64_t consumed;
	bool ending; // no further job is issued
};

struct worker {
	struct pool *pool;
	unsigned index;
	pthread_t thread;
};

unsigned pool_slots(unsigned threads)
{
	return 2 * threads;
}

unsigned pool_default_threads(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : (unsigned)n;
}

static struct slot *slot_of(struct pool *p, uint64_t job, unsigned *index)
{
	*index = (unsigned)((job - p->first) % p->slot_count);
	return &p->slots[*index];
}

// Relaxed: the flag carries no data; its partner is a signal handler's store.
static bool stop_asked(const struct pool *p)
{
	return p->stop != NULL && __atomic_load_n(p->stop, __ATOMIC_RELAXED) != 0;
}

// Called with the lock held. Wakes everybody who waits for jobs that will not come.
static void end_issuing(struct pool *p)
{
	p->ending = true;
	pthread_cond_broadcast(&p->room);
	pthread_cond_signal(&p->done);
}

// Called with the lock held: waits for room, then issues a job. False when there are no more.
static bool next_job(struct pool *p, uint64_t *job)
{
	while (!p->ending && p->issued < p->last && p->issued - p->consumed >= p->slot_count)
		pthread_cond_wait(&p->room, &p->lock);
	if (!p->ending && (p->issued == p->last || stop_asked(p)))
		end_issuing(p);
	if (p->ending)
		return false;
	*job = p->issued++;
	return true;
}

static void *work_loop(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	uint64_t job;

	pthread_mutex_lock(&p->lock);
	while (next_job(p, &job)) {
		unsigned index;
		struct slot *s = slot_of(p, job, &index);

		pthread_mutex_unlock(&p->lock);
		s->err = (struct err){0};
		s->status = p->job->work(p->job->ctx, w->index, index, job, &s->err);
		pthread_mutex_lock(&p->lock);
		s->done = true;
		if (s->status != OK)
			end_issuing(p);
		if (job == p->consumed)
			pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

// Jobs are issued in order, so every job below a failed one was issued too: the first failure
// met here is the lowest.
static enum status consume_loop(struct pool *p, struct err *e)
{
	enum status st = OK;

	pthread_mutex_lock(&p->lock);
	while (st == OK) {
		unsigned index;
		struct slot *s = slot_of(p, p->consumed, &index);

		if (p->ending && p->consumed == p->issued)
			break;
		if (p->consumed == p->issued || !s->done) {
			pthread_cond_wait(&p->done, &p->lock);
			continue;
		}
		pthread_mutex_unlock(&p->lock);
		st = s->status;
		if (st != OK && e != NULL)
			*e = s->err;
		if (st == OK)
			st = p->job->consume(p->job->ctx, index, p->consumed, e);
		pthread_mutex_lock(&p->lock);
		if (st != OK)
			break;
		s->done = false;
		p->consumed++;
		pthread_cond_signal(&p->room);
	}
	end_issuing(p);
	pthread_mutex_unlock(&p->lock);
	return st;
}

static enum status start_workers(struct pool *p, struct worker *workers, unsigned threads,
				 unsigned *started, struct err *e)
{
	for (*started = 0; *started < threads; (*started)++) {
		struct worker *w = &workers[*started];
		int rc;

		w->pool = p;
		w->index = *started;
		rc = pthread_create(&w->thread, NULL, work_loop, w);
		if (rc != 0)
			return err_set_errno(
				e, ERR_MEMORY, rc,
				"cannot start worker thread %u of %u (fewer --threads?)",
				*started + 1, threads);
	}
	return OK;
}

enum status pool_run(const struct pool_job *j, unsigned threads, uint64_t first, uint64_t last,
		     const volatile int *stop, uint64_t *next, struct err *e)
{
	struct pool p = {.job = j,
			 .stop = stop,
			 .first = first,
			 .last = last,
			 .issued = first,
			 .consumed = first};
	struct worker *workers;
	unsigned started, i;
	enum status st;

	assert(threads >= 1 && first <= last);
	p.slot_count = pool_slots(threads);
	p.slots = mem_zalloc(p.slot_count, sizeof(*p.slots));
	workers = mem_zalloc(threads, sizeof(*workers));
	pthread_mutex_init(&p.lock, NULL);
	pthread_cond_init(&p.room, NULL);
	pthread_cond_init(&p.done, NULL);

	st = start_workers(&p, workers, threads, &started, e);
	if (st == OK) {
		st = consume_loop(&p, e);
	} else {
		pthread_mutex_lock(&p.lock);
		end_issuing(&p);
		pthread_mutex_unlock(&p.lock);
	}
	for (i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	if (next != NULL)
		*next = p.consumed;

	pthread_cond_destroy(&p.done);
	pthread_cond_destroy(&p.room);
	pthread_mutex_destroy(&p.lock);
	free(workers);
	free(p.slots);
	return st;
}
