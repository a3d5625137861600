// SPDX-License-Identifier: Apache-2.0
// A compute-only loop: a fixed amount of integer work in registers, shared out among threads.
// How much faster two of them finish than one is the most that this machine gives right now.
//
//   spin THREADS MILLION_STEPS     prints one JSON line
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/rng.h"

struct part {
	pthread_t thread;
	uint64_t steps, result;
};

static void *work(void *arg)
{
	struct part *p = arg;
	uint64_t v = p->steps;

	for (uint64_t i = 0; i < p->steps; i++)
		v = rng_mix(v + i);
	p->result = v;
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned threads = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
	uint64_t steps = argc == 3 ? (uint64_t)atoi(argv[2]) * 1000000 : 0;
	struct part *part;
	int64_t begin_ns, took_ns;
	uint64_t result = 0;

	if (threads < 1 || threads > 1024 || steps == 0) {
		fputs("usage: spin THREADS MILLION_STEPS\n", stderr);
		return 2;
	}
	part = mem_zalloc(threads, sizeof(*part));
	begin_ns = clock_monotonic_ns();
	for (unsigned i = 0; i < threads; i++) {
		part[i].steps = steps / threads;
		if (pthread_create(&part[i].thread, NULL, work, &part[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(part[i].thread, NULL);
		result ^= part[i].result;
	}
	took_ns = clock_monotonic_ns() - begin_ns;
	printf("{\"bench\": \"spin\", \"threads\": %u, \"wall_ns\": %" PRId64
	       ", \"result\": %" PRIu64 "}\n",
	       threads, took_ns, result);
	free(part);
	return 0;
}
