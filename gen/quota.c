// SPDX-License-Identifier: Apache-2.0
// Exact integer quotas. Powers come from fixed-point logarithms computed here, so that libm and
// the machine's floating point have no say in content.
#include "gen/quota.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

// ---- Largest remainder ---------------------------------------------------------------------

struct remainder {
	uint64_t value;
	uint32_t index;
};

static int compare_remainder(const void *a, const void *b)
{
	const struct remainder *x = a, *y = b;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

void quota_split(uint64_t total, const uint64_t *weight, uint32_t count, uint64_t *part)
{
	struct remainder *rest = mem_alloc((size_t)count * sizeof(*rest) + 1);
	uint64_t sum = 0, given = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += weight[i];
	assert(sum > 0);
	for (uint32_t i = 0; i < count; i++) {
		part[i] = u64_mul_div(total, weight[i], sum);
		// Modulo 2^64 in between; the true remainder is below sum.
		rest[i] = (struct remainder){total * weight[i] - part[i] * sum, i};
		given += part[i];
	}
	qsort(rest, count, sizeof(*rest), compare_remainder);
	for (uint32_t i = 0; given < total; i++, given++)
		part[rest[i].index]++;
	free(rest);
}

// ---- Powers --------------------------------------------------------------------------------

#define ONE_Q32 (UINT64_C(1) << 32)
#define ONE_Q63 (UINT64_C(1) << 63)

static uint64_t mul_q63(uint64_t a, uint64_t b)
{
	uint64_t a_lo = a & UINT32_MAX, a_hi = a >> 32;
	uint64_t b_lo = b & UINT32_MAX, b_hi = b >> 32;
	uint64_t low = a_lo * b_lo;
	uint64_t mid = a_hi * b_lo + (low >> 32);
	uint64_t mid2 = a_lo * b_hi + (mid & UINT32_MAX);
	uint64_t hi = a_hi * b_hi + (mid >> 32) + (mid2 >> 32);

	return hi << 1 | (mid2 >> 31 & 1);
}

// Each squaring of the mantissa yields a bit.
uint64_t quota_log2_q32(uint64_t v)
{
	unsigned top = 63u - (unsigned)__builtin_clzll(v);
	uint64_t m = v << (63 - top); // 1 <= m < 2 with 63 fraction bits
	uint64_t log = top;

	for (unsigned i = 0; i < 32; i++) {
		uint64_t hi = mul_q63(m, m >> 1); // half the square, so that it fits

		log <<= 1;
		if (hi >= ONE_Q63) {
			log |= 1;
			m = hi;
		} else {
			m = hi << 1;
		}
	}
	return log;
}

// power[k] = 2^-(2^-(k+1)) with 63 fraction bits, each the square root of the one before.
static void make_powers(uint64_t power[32])
{
	uint64_t square = ONE_Q63 >> 1;

	for (unsigned k = 0; k < 32; k++) {
		uint64_t root = 0;

		for (unsigned bit = 63; bit-- > 0;) {
			uint64_t next = root | UINT64_C(1) << bit;

			if (mul_q63(next, next) <= square)
				root = next;
		}
		power[k] = root;
		square = root;
	}
}

// 2^-x with 44 fraction bits, x with 32: a million weights of at most 1 fit a 64-bit sum.
static uint64_t exp2_neg_q44(uint64_t x, const uint64_t power[32])
{
	uint64_t v = ONE_Q63;

	if (x >> 32 >= 44)
		return 0;
	for (unsigned k = 0; k < 32; k++) {
		if (x >> (31 - k) & 1)
			v = mul_q63(v, power[k]);
	}
	return v >> (63 - 44) >> (x >> 32);
}

// ---- Zipf ----------------------------------------------------------------------------------

static uint64_t sum_of(const uint64_t *v, uint32_t first, uint32_t last)
{
	uint64_t sum = 0;

	for (uint32_t i = first; i < last; i++)
		sum += v[i];
	return sum;
}

// The items' numbers as logarithms, and their weights for an exponent of 32 fraction bits.
struct zipf {
	uint32_t count;
	uint64_t *log;
	uint64_t power[32];
};

static void zipf_init(struct zipf *z, uint32_t count)
{
	z->count = count;
	z->log = mem_alloc((size_t)count * sizeof(*z->log));
	make_powers(z->power);
	for (uint32_t i = 0; i < count; i++)
		z->log[i] = quota_log2_q32((uint64_t)i + 1);
}

// Weights (i+1)^-s + least.
static void zipf_weights(const struct zipf *z, uint64_t s, uint64_t least, uint64_t *weight)
{
	for (uint32_t i = 0; i < z->count; i++)
		weight[i] = exp2_neg_q44(u64_mul_div(z->log[i], s, ONE_Q32), z->power) + least;
}

// The exponent (32 fraction bits, below 8) that gives the first `top` items their share.
static uint64_t zipf_solve(const struct zipf *z, uint32_t top, uint32_t share_mpct,
			   uint64_t *weight)
{
	uint64_t low = 0, high = 8 * ONE_Q32;

	while (high - low > 1) {
		uint64_t s = low + (high - low) / 2;
		uint64_t part, all;

		zipf_weights(z, s, 0, weight);
		part = sum_of(weight, 0, top);
		all = part + sum_of(weight, top, z->count);
		if (u64_mul_div(part, UINT64_C(100000) << 24, all) < (uint64_t)share_mpct << 24)
			low = s;
		else
			high = s;
	}
	return high;
}

// Gives every item of [first, last) without rows one of those that have most. Quotas descend
// before and after.
static bool lift_zeros(uint64_t *quota, uint32_t first, uint32_t last)
{
	for (uint32_t i = last; i-- > first && quota[i] == 0;) {
		uint32_t giver = first;

		if (quota[first] < 2)
			return false;
		while (quota[giver + 1] == quota[giver])
			giver++;
		quota[giver]--;
		quota[i] = 1;
	}
	return true;
}

static bool split_by_exponent(uint64_t rows, const struct zipf *z, uint32_t exponent,
			      uint64_t *weight, uint64_t *quota)
{
	if (rows < z->count)
		return false;
	// Never 0: a split needs a positive sum.
	zipf_weights(z, u64_mul_div(exponent, ONE_Q32, 1000), 1, weight);
	quota_split(rows, weight, z->count, quota);
	return lift_zeros(quota, 0, z->count);
}

static bool split_by_share(uint64_t rows, const struct zipf *z, const struct zipf_law *law,
			   uint64_t *weight, uint64_t *quota)
{
	uint32_t count = z->count, share = law->share_mpct;
	uint32_t top = (uint32_t)u64_max((uint64_t)count * law->top_mpct / 100000, 1);
	uint64_t top_rows = u64_mul_div(rows, share, 100000);

	if (rows * share - top_rows * 100000 >= 50000) // the remainder, modulo 2^64
		top_rows++;
	if (top_rows < top || rows - top_rows < count - top ||
	    (uint64_t)share * count < (uint64_t)top * 100000)
		return false;
	zipf_weights(z, zipf_solve(z, top, share, weight), 1, weight);
	quota_split(top_rows, weight, top, quota);
	quota_split(rows - top_rows, weight + top, count - top, quota + top);
	return lift_zeros(quota, 0, top) && lift_zeros(quota, top, count);
}

bool quota_zipf(uint64_t rows, uint32_t count, const struct zipf_law *law, uint64_t *quota)
{
	uint64_t *weight;
	struct zipf z;
	bool ok;

	if (count == 1) {
		*quota = rows;
		return rows > 0;
	}
	weight = mem_alloc((size_t)count * sizeof(*weight));
	zipf_init(&z, count);
	ok = law->top_mpct == 0 ? split_by_exponent(rows, &z, law->exponent, weight, quota)
				: split_by_share(rows, &z, law, weight, quota);
	free(z.log);
	free(weight);
	return ok;
}

// ---- Trace sizes ---------------------------------------------------------------------------

#define CLASS_COUNT 3u

struct size_class {
	uint32_t low, high;
};

static const struct size_class size_class[CLASS_COUNT] = {{1, 5}, {6, 20}, {21, 100}};

// Traces of each size per 10,000: geometric within a class, the largest with a tail to 100.
// Class means 2.3 / 7.6 / 24.9; sums to 10,000 traces and 100,000 rows.
static const uint16_t mean_ten[TRACE_ROWS_MAX] = {
	734,  507,  351, 241, 167,					  //   1..5
	2300, 1419, 875, 540, 333, 206, 127, 78, 49, 30, 18, 11, 7, 4, 3, //  6..20
	490,  367,  276, 206, 155, 116, 86,  66, 50, 36,		  // 21..30
	28,   20,   16,	 12,  9,   7,	6,   4,	 4,  2,			  // 31..40
	3,    2,    1,	 2,   1,   0,	1,   0,	 1,  1,			  // 41..50
	0,    1,    2,	 0,   1,   0,	1,   1,	 0,  1,			  // 51..60
	1,    0,    1,	 0,   1,   1,	0,   1,	 1,  0,			  // 61..70
	1,    0,    1,	 1,   0,   1,	1,   0,	 1,  0,			  // 71..80
	1,    1,    0,	 1,   1,   0,	1,   0,	 1,  1,			  // 81..90
	0,    1,    1,	 0,   1,   0,	1,   1,	 0,  1,			  // 91..100
};

static void sizes_from_table(uint8_t *sizes)
{
	uint32_t n = 0, rows = 0;

	for (uint32_t size = 1; size <= TRACE_ROWS_MAX; size++) {
		for (uint32_t i = 0; i < mean_ten[size - 1]; i++)
			sizes[n++] = (uint8_t)size;
		rows += size * mean_ten[size - 1];
	}
	assert(n == GROUP_TRACES && rows == 10 * GROUP_TRACES);
}

// A truncated geometric law with ratio q (32 fraction bits) from the low end of the class, or,
// reversed, from its high end.
static void class_weights(const struct size_class *c, uint64_t q, bool reversed,
			  uint64_t *weight)
{
	uint32_t count = c->high - c->low + 1;
	uint64_t w = UINT64_C(1) << 48; // 80 sizes of at most 100 keep their sum below 2^62

	for (uint32_t i = 0; i < count; i++) {
		weight[reversed ? count - 1 - i : i] = w;
		w = u64_mul_div(w, q, ONE_Q32);
	}
}

// Expected rows of the group with 20 fraction bits.
static uint64_t expected_q20(const uint64_t *traces, uint64_t q, bool reversed)
{
	uint64_t weight[TRACE_ROWS_MAX];
	uint64_t total = 0;

	for (uint32_t c = 0; c < CLASS_COUNT; c++) {
		uint64_t sum = 0, rows = 0;

		class_weights(&size_class[c], q, reversed, weight);
		for (uint32_t k = size_class[c].low; k <= size_class[c].high; k++) {
			sum += weight[k - size_class[c].low];
			rows += weight[k - size_class[c].low] * k;
		}
		total += traces[c] * u64_mul_div(rows, UINT64_C(1) << 20, sum);
	}
	return total;
}

// The ratio whose expected rows are nearest below (reversed: above) the wanted ones.
static uint64_t solve_ratio(const uint64_t *traces, uint64_t rows, bool reversed)
{
	uint64_t low = 0, high = ONE_Q32;

	while (high - low > 1) {
		uint64_t q = low + (high - low) / 2;

		if ((expected_q20(traces, q, reversed) < rows << 20) != reversed)
			low = q;
		else
			high = q;
	}
	return low;
}

static uint32_t class_of(uint32_t size)
{
	return size <= size_class[0].high ? 0 : size <= size_class[1].high ? 1 : 2;
}

// Moves sizes by one within their classes, in index order, until they sum to rows.
static void correct_sizes(uint8_t *sizes, uint32_t traces, uint64_t sum, uint64_t rows)
{
	while (sum != rows) {
		for (uint32_t i = 0; i < traces && sum != rows; i++) {
			const struct size_class *c = &size_class[class_of(sizes[i])];

			if (sum < rows && sizes[i] < c->high) {
				sizes[i]++;
				sum++;
			} else if (sum > rows && sizes[i] > c->low) {
				sizes[i]--;
				sum--;
			}
		}
	}
}

bool quota_trace_sizes(uint32_t traces, uint64_t rows, uint32_t simple_pct, uint32_t medium_pct,
		       uint8_t *sizes)
{
	uint64_t share[CLASS_COUNT] = {simple_pct, medium_pct, 100 - simple_pct - medium_pct};
	uint64_t in_class[CLASS_COUNT], weight[TRACE_ROWS_MAX], count[TRACE_ROWS_MAX];
	uint64_t least = 0, most = 0, sum = 0, q;
	uint32_t n = 0;
	bool reversed;

	if (traces == GROUP_TRACES && rows == 10 * GROUP_TRACES && simple_pct == 20 &&
	    medium_pct == 60) {
		sizes_from_table(sizes);
		return true;
	}
	quota_split(traces, share, CLASS_COUNT, in_class);
	for (uint32_t c = 0; c < CLASS_COUNT; c++) {
		least += in_class[c] * size_class[c].low;
		most += in_class[c] * size_class[c].high;
	}
	if (rows < least || rows > most)
		return false;
	reversed = expected_q20(in_class, ONE_Q32, false) < rows << 20;
	q = solve_ratio(in_class, rows, reversed);
	for (uint32_t c = 0; c < CLASS_COUNT; c++) {
		uint32_t sizes_count = size_class[c].high - size_class[c].low + 1;

		class_weights(&size_class[c], q, reversed, weight);
		quota_split(in_class[c], weight, sizes_count, count);
		for (uint32_t i = 0; i < sizes_count; i++) {
			uint32_t size = size_class[c].low + i;

			for (uint64_t k = 0; k < count[i]; k++)
				sizes[n++] = (uint8_t)size;
			sum += count[i] * size;
		}
	}
	correct_sizes(sizes, traces, sum, rows);
	return true;
}
