// SPDX-License-Identifier: Apache-2.0
// Latency histogram: log-linear buckets as in HdrHistogram (Gil Tene), three significant
// digits, 0 .. 2^42 ns (73 minutes). Values outside are counted, not clipped. Pure; histograms
// of one layout merge without loss.
#ifndef REPLAY_HIST_H
#define REPLAY_HIST_H

#include "common/base.h"

#define HIST_SUB_BITS 11 // 2048 buckets up to 2^11, then 1024 per doubling: error below 1/1024
#define HIST_TOP_BITS 42
#define HIST_BUCKETS ((HIST_TOP_BITS - HIST_SUB_BITS + 2) << (HIST_SUB_BITS - 1))

struct hist {
	uint64_t samples;	// in range
	uint64_t out_of_range;	// negative or too large
	int64_t min_ns, max_ns; // exact; of samples
	uint64_t *bucket;	// owned, HIST_BUCKETS
};

void hist_init(struct hist *h);
void hist_free(struct hist *h); // null state: all zero
void hist_record(struct hist *h, int64_t value_ns);
void hist_merge(struct hist *into, const struct hist *from);
// The value at or below which a share p of the samples lies; p in units of 1/100000: 50000 =
// p50, 99900 = p99.9. False, *out untouched, when fewer samples than 10 / (1 - p) are there
// (p50 20, p95 200, p99 1000, p99.9 10000). *out is the highest value that shares its bucket,
// never above the maximum.
bool hist_percentile(const struct hist *h, uint32_t p_100000, int64_t *out_ns);

#endif
