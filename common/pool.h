// SPDX-License-Identifier: Apache-2.0
// Worker threads that run numbered jobs and hand the results to one consumer in order.
// Bounded: at most 2 * threads results wait, so memory is a function of threads, never of the
// number of jobs.
#ifndef COMMON_POOL_H
#define COMMON_POOL_H

#include "common/err.h"

struct pool_job {
	// Runs on a worker. `worker` is 0..threads-1, `slot` 0..pool_slots-1 (a result slot
	// exclusively owned until it is consumed). On failure fills *e; the pool stops and
	// returns the error of the lowest failed job.
	enum status (*work)(void *ctx, unsigned worker, unsigned slot, uint64_t job,
			    struct err *e);
	// Runs on the calling thread, jobs strictly in order.
	enum status (*consume)(void *ctx, unsigned slot, uint64_t job, struct err *e);
	void *ctx; // borrowed
};

unsigned pool_slots(unsigned threads); // 2 * threads
// Runs jobs first..last-1 on `threads` workers (>= 1). With stop != NULL, ends early (OK) after
// *stop becomes non-zero: jobs not started are left out, *next (may be NULL) says which job
// would come next.
enum status pool_run(const struct pool_job *j, unsigned threads, uint64_t first, uint64_t last,
		     const volatile int *stop, uint64_t *next, struct err *e) MUST_CHECK;
unsigned pool_default_threads(void); // online processors, at least 1

#endif
