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

// Rows of items 0 (most popular) .. count-1 with p(i) proportional to (i+1)^-s, s such that the
// first fifth (floor, at least one item) has top_mpct/1000 percent: that share is exact to half
// a row. Every item gets at least one row; false when there are too few rows for that.
bool quota_zipf(uint64_t rows, uint32_t count, uint32_t top_mpct, uint64_t *quota) MUST_CHECK;

#define GROUP_TRACES 10000u
#define TRACE_ROWS_MAX 100u // largest size of a trace

// Fills sizes[0..traces-1], traces <= GROUP_TRACES, with the sizes of a group that has `rows`
// rows: classes of 1-5, 6-20 and 21-100 rows that hold simple_pct, medium_pct and the rest of
// the traces, sizes ascending but for the last corrections. A full group of mean 10 in classes
// 20/60/20 is the fixed table of quota.c. False when no such sizes have that sum.
bool quota_trace_sizes(uint32_t traces, uint64_t rows, uint32_t simple_pct, uint32_t medium_pct,
		       uint8_t *sizes) MUST_CHECK;

#endif
