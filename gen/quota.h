// SPDX-License-Identifier: Apache-2.0
// Exact integer quotas: proportional split, Zipf laws given by the share of their top fifth,
// and the sizes of the traces of a group. Pure; integers only. What the quotas are for is
// plan's.
#ifndef GEN_QUOTA_H
#define GEN_QUOTA_H

#include "common/base.h"

// Splits total into count parts proportional to weight[] by largest remainder (ties: lower
// index). The sum of the weights is > 0 and fits 64 bits; parts sum to total.
void quota_split(uint64_t total, const uint64_t *weight, uint32_t count, uint64_t *part);

// A Zipf law: p(i) proportional to (i+1)^-s for items i = 0 (most popular) .. count-1.
struct zipf_law {
	uint32_t top_mpct; // the first top_mpct/1000 percent of the items (floor, at least one)
			   // have ...
	uint32_t share_mpct; // ... share_mpct/1000 percent of the rows; top_mpct 0: see below
	uint32_t exponent;   // s in 1/1000, 0..4000
};

// Rows of each item. A share is exact to half a row; with an exponent each quota is exact to
// one row. Every item gets at least one row, the more popular no fewer than others. False when
// there are too few rows for that, or the share is below what the top items would have if all
// were alike.
bool quota_zipf(uint64_t rows, uint32_t count, const struct zipf_law *law,
		uint64_t *quota) MUST_CHECK;

// log2(v) with 32 fraction bits, v >= 1.
uint64_t quota_log2_q32(uint64_t v);

#define GROUP_TRACES 10000u
#define TRACE_ROWS_MAX 100u // largest size of a trace

// Fills sizes[0..traces-1], traces <= GROUP_TRACES, with the sizes of a group that has `rows`
// rows: classes of 1-5, 6-20 and 21-100 rows that hold simple_pct, medium_pct and the rest of
// the traces, sizes ascending but for the last corrections. A full group of mean 10 in classes
// 20/60/20 is the fixed table of quota.c. False when no such sizes have that sum.
bool quota_trace_sizes(uint32_t traces, uint64_t rows, uint32_t simple_pct, uint32_t medium_pct,
		       uint8_t *sizes) MUST_CHECK;

#endif
