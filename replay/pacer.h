// SPDX-License-Identifier: Apache-2.0
// When each bulk is due. Exact integers, no drift: bulk k is due floor(k * bulk * 1e9 / rate)
// ns after the start. Pure; the caller knows the time.
#ifndef REPLAY_PACER_H
#define REPLAY_PACER_H

#include "common/base.h"

struct pacer {
	int64_t start_ns;    // monotonic
	uint64_t rate_per_s; // spans per second; 0: closed loop, everything is due at once
	uint64_t bulk;	     // spans of a bulk
};

int64_t pacer_due_ns(const struct pacer *p, uint64_t k);
// How many bulks are due at now_ns: the least k with pacer_due_ns(k) > now_ns. UINT64_MAX in a
// closed loop.
uint64_t pacer_due_count(const struct pacer *p, int64_t now_ns);

#endif
