// SPDX-License-Identifier: Apache-2.0
// The keyed bijection of rng.h. Pure; changing a line here changes every corpus.
#include "common/rng.h"

#include <assert.h>

#define SIZE_LIMIT (UINT64_C(1) << 40)
#define ROUNDS 4

// A function that each caller has a copy of, compiled for the caller's processor: some multiply
// eight numbers of 64 bits at once.
#define TEMPLATE static inline __attribute__((always_inline))

#ifdef __x86_64__
#define WIDE __attribute__((target("avx512dq")))
#define HAS_WIDE() __builtin_cpu_supports("avx512dq")
#else
#define WIDE
#define HAS_WIDE() false
#endif

void rng_perm_init(struct rng_perm *p, uint64_t size, uint64_t seed, enum rng_stream stream,
		   uint64_t index)
{
	uint64_t key = rng_key(seed, stream, index);
	unsigned i;

	assert(size >= 1 && size <= SIZE_LIMIT);
	p->size = size;
	p->half_bits = 1;
	while ((UINT64_C(1) << (2 * p->half_bits)) < size)
		p->half_bits++;
	for (i = 0; i < ROUNDS; i++)
		p->key[i] = rng_draw(key, i);
}

// Pseudo-random half_bits from the other half.
TEMPLATE uint64_t round_bits(const struct rng_perm *p, unsigned round, uint64_t half)
{
	return rng_draw(p->key[round], half) >> (64 - p->half_bits);
}

TEMPLATE uint64_t forward(const struct rng_perm *p, uint64_t x)
{
	uint64_t mask = (UINT64_C(1) << p->half_bits) - 1;
	uint64_t left = x >> p->half_bits, right = x & mask;
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		uint64_t mixed = left ^ round_bits(p, i, right);

		left = right;
		right = mixed;
	}
	return left << p->half_bits | right;
}

static uint64_t backward(const struct rng_perm *p, uint64_t x)
{
	uint64_t mask = (UINT64_C(1) << p->half_bits) - 1;
	uint64_t left = x >> p->half_bits, right = x & mask;
	unsigned i;

	for (i = ROUNDS; i-- > 0;) {
		uint64_t mixed = right ^ round_bits(p, i, left);

		right = left;
		left = mixed;
	}
	return left << p->half_bits | right;
}

// Cycle walking: the network permutes the whole domain, so walking from a value below size
// comes back below size (at the latest at the start), and distinct starts end apart. The domain
// is below 4 * size (or is 4), so the walk takes under 4 steps on average.
uint64_t rng_perm_at(const struct rng_perm *p, uint64_t i)
{
	assert(i < p->size);
	do
		i = forward(p, i);
	while (i >= p->size);
	return i;
}

// Several walk at once, as the steps of one wait for each other; those that go on are collected
// without a branch, as nobody can guess when a walk ends.
#define WALKERS 64u

TEMPLATE void step_all(const struct rng_perm *p, uint32_t count, uint64_t *restrict v)
{
	for (uint32_t i = 0; i < count; i++)
		v[i] = forward(p, v[i]);
}

WIDE static void step_all_wide(const struct rng_perm *p, uint32_t count, uint64_t *v)
{
	step_all(p, count, v);
}

void rng_perm_range(const struct rng_perm *p, uint64_t first, size_t count, uint64_t *out)
{
	bool wide = HAS_WIDE();
	uint64_t v[WALKERS];
	uint8_t walker[WALKERS];

	assert(first <= p->size && count <= p->size - first);
	for (size_t at = 0; at < count; at += WALKERS) {
		uint32_t walking = count - at < WALKERS ? (uint32_t)(count - at) : WALKERS;

		for (uint32_t i = 0; i < walking; i++) {
			v[i] = first + at + i;
			walker[i] = (uint8_t)i;
		}
		while (walking > 0) {
			uint32_t still = 0;

			if (wide)
				step_all_wide(p, walking, v);
			else
				step_all(p, walking, v);
			for (uint32_t i = 0; i < walking; i++) {
				uint64_t x = v[i];

				// One that goes on is written again.
				out[at + walker[i]] = x;
				v[still] = x;
				walker[still] = walker[i];
				still += x >= p->size;
			}
			walking = still;
		}
	}
}

uint64_t rng_perm_inverse(const struct rng_perm *p, uint64_t v)
{
	assert(v < p->size);
	do
		v = backward(p, v);
	while (v >= p->size);
	return v;
}
