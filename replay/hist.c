// SPDX-License-Identifier: Apache-2.0
// Bucket arithmetic of the histogram.
#include "replay/hist.h"

#include <stdlib.h>

#include "common/mem.h"

#define SUB_COUNT (UINT64_C(1) << HIST_SUB_BITS)
#define HALF (SUB_COUNT / 2)

void hist_init(struct hist *h)
{
	*h = (struct hist){.bucket = mem_zalloc(HIST_BUCKETS, sizeof(uint64_t))};
}

void hist_free(struct hist *h)
{
	free(h->bucket);
	*h = (struct hist){0};
}

// Values below 2^11 have a bucket each; above, a doubling is 1024 buckets of equal width.
static size_t bucket_of(uint64_t v)
{
	unsigned bits, shift;

	if (v < SUB_COUNT)
		return (size_t)v;
	bits = 64 - (unsigned)__builtin_clzll(v);
	shift = bits - HIST_SUB_BITS;
	return (size_t)(shift * HALF + (v >> shift));
}

static uint64_t highest_in(size_t bucket)
{
	uint64_t shift;

	if (bucket < SUB_COUNT)
		return bucket;
	shift = bucket / HALF - 1;
	return ((bucket - shift * HALF + 1) << shift) - 1;
}

void hist_record(struct hist *h, int64_t value_ns)
{
	if (value_ns < 0 || value_ns >= INT64_C(1) << HIST_TOP_BITS) {
		h->out_of_range++;
		return;
	}
	if (h->samples == 0 || value_ns < h->min_ns)
		h->min_ns = value_ns;
	if (h->samples == 0 || value_ns > h->max_ns)
		h->max_ns = value_ns;
	h->samples++;
	h->bucket[bucket_of((uint64_t)value_ns)]++;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	into->out_of_range += from->out_of_range;
	if (from->samples == 0)
		return;
	if (into->samples == 0 || from->min_ns < into->min_ns)
		into->min_ns = from->min_ns;
	if (into->samples == 0 || from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	into->samples += from->samples;
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

bool hist_percentile(const struct hist *h, uint32_t p_100000, int64_t *out_ns)
{
	uint64_t need = UINT64_C(10) * 100000 / (100000 - p_100000), rank, seen = 0;

	if (h->samples < need)
		return false;
	rank = u64_mul_div(h->samples, p_100000, 100000);
	if (rank * 100000 < h->samples * p_100000)
		rank++; // ceil; samples stay far below 2^46
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank && seen > 0) {
			uint64_t v = highest_in(i);

			*out_ns = v > (uint64_t)h->max_ns ? h->max_ns : (int64_t)v;
			return true;
		}
	}
	return false;
}
