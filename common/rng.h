// SPDX-License-Identifier: Apache-2.0
// Counter-based random values: f(seed, stream, index, n). No state, so any row can be made
// alone and order of work does not matter. Pure; integers only; identical on every machine.
// Algorithm: the finaliser of splitmix64 (Steele, Lea, Flood 2014) over a keyed counter, two
// rounds.
#ifndef COMMON_RNG_H
#define COMMON_RNG_H

#include "common/base.h"

// Purposes of draws. Never renumbered or reused: adding one moves nothing else.
enum rng_stream {
	RNG_ROW_PERMUTE = 1,	  // bijection of row numbers into the joint quota table
	RNG_TRACE_PERMUTE = 2,	  // rank of a trace in its quota group -> size
	RNG_SEQUENCE_PERMUTE = 3, // id sequence numbers
	RNG_TRACE_START = 4,
	RNG_TREE = 5, // parent choice, parent span
	RNG_ERROR = 6,
	RNG_SPANS = 7, // variants, optional branches, repeats
	RNG_TIME = 8,  // self times, gaps
	RNG_VALUE = 9, // hole values
	RNG_THREAD = 10,
	RNG_SERVICE = 11,   // names, layers, peers
	RNG_INSTANCE = 12,  // uuids, addresses, clock skew
	RNG_OPERATION = 13, // kinds, names
	RNG_TEMPLATE = 14,  // texts of templates
	RNG_QUOTA = 15,	    // order of cells in the joint table
	RNG_CALLEES = 17,   // who a service calls by preference
	RNG_RETRY = 18,	    // which failing calls are made again
	RNG_SAMPLE = 16,    // which rows a reader samples (never content)
	RNG_LATE = 24,	    // which rows come late ...
	RNG_LATE_BY = 25,   // ... and by how much
	RNG_DUPLICATE = 26, // the same of rows that come twice
	RNG_DUPLICATE_BY = 27,
};

static inline uint64_t rng_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

// A key for all draws of one stream and index; cheap to keep while drawing n = 0, 1, 2, ...
static inline uint64_t rng_key(uint64_t seed, enum rng_stream stream, uint64_t index)
{
	uint64_t k = rng_mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)stream);

	return rng_mix(k ^
		       (index * UINT64_C(0xd1342543de82ef95) + UINT64_C(0x2545f4914f6cdd1d)));
}

// n-th draw of a key: 64 uniform bits.
static inline uint64_t rng_draw(uint64_t key, uint64_t n)
{
	return rng_mix(key + UINT64_C(0x9e3779b97f4a7c15) * (n + 1));
}

// Maps 64 uniform bits to 0..bound-1 (bound >= 1, < 2^32). Bias is below bound / 2^64:
// multiply-shift of all 64 bits.
static inline uint32_t rng_below(uint64_t bits, uint32_t bound)
{
	uint64_t hi = bits >> 32, lo = bits & UINT32_MAX;

	return (uint32_t)((hi * bound + ((lo * bound) >> 32)) >> 32);
}

// True with probability p / 2^32.
static inline bool rng_chance(uint64_t bits, uint32_t p_32)
{
	return (uint32_t)(bits >> 32) < p_32;
}

// Keyed bijection of 0..size-1 (size >= 1, <= 2^40): balanced Feistel network of 4 rounds with
// cycle walking.
struct rng_perm {
	uint64_t size;
	uint64_t key[4];
	uint32_t half_bits; // domain 2^(2*half_bits) >= size
};

void rng_perm_init(struct rng_perm *p, uint64_t size, uint64_t seed, enum rng_stream stream,
		   uint64_t index);
uint64_t rng_perm_at(const struct rng_perm *p, uint64_t i); // i < size
// rng_perm_at of first .. first + count - 1 into out, in less than half the time.
void rng_perm_range(const struct rng_perm *p, uint64_t first, size_t count, uint64_t *out);
uint64_t rng_perm_inverse(const struct rng_perm *p,
			  uint64_t v); // rng_perm_at(rng_perm_inverse(v)) == v

#endif
