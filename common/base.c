// SPDX-License-Identifier: Apache-2.0
// The one function of base.h that is too long to be inline. Pure.
#include "common/base.h"

#include <assert.h>

// The 128-bit product as two words, by schoolbook multiplication of 32-bit halves.
static void mul_wide(uint64_t a, uint64_t b, uint64_t *hi, uint64_t *lo)
{
	uint64_t a_lo = a & UINT32_MAX, a_hi = a >> 32;
	uint64_t b_lo = b & UINT32_MAX, b_hi = b >> 32;
	uint64_t low = a_lo * b_lo;
	uint64_t mid = a_hi * b_lo + (low >> 32); // <= (2^32 - 1) * 2^32: fits
	uint64_t mid2 = a_lo * b_hi + (mid & UINT32_MAX);

	*hi = a_hi * b_hi + (mid >> 32) + (mid2 >> 32);
	*lo = (mid2 << 32) | (low & UINT32_MAX);
}

// One 32-bit digit of the quotient (rem * 2^32 + digit) / d for d with its top bit set and rem
// < d; *rem becomes the remainder. Knuth, TAOCP 2, 4.3.1, algorithm D, step D3: the guess is at
// most 2 too large.
static uint64_t div_digit(uint64_t *rem, uint64_t digit, uint64_t d)
{
	uint64_t d_hi = d >> 32, d_lo = d & UINT32_MAX;
	uint64_t q = *rem / d_hi;
	uint64_t r = *rem % d_hi;

	while (q > UINT32_MAX || q * d_lo > ((r << 32) | digit)) {
		q--;
		r += d_hi;
		if (r > UINT32_MAX)
			break;
	}
	*rem = ((*rem << 32) | digit) - q * d; // modulo 2^64; the true value is below d
	return q;
}

uint64_t u64_mul_div(uint64_t a, uint64_t b, uint64_t d)
{
	uint64_t hi, lo, q_hi, q_lo;
	int shift;

	assert(d > 0);
	mul_wide(a, b, &hi, &lo);
	if (hi == 0)
		return lo / d;
	assert(hi < d); // else the quotient does not fit
	shift = __builtin_clzll(d);
	if (shift > 0) {
		d <<= shift;
		hi = (hi << shift) | (lo >> (64 - shift));
		lo <<= shift;
	}
	q_hi = div_digit(&hi, lo >> 32, d);
	q_lo = div_digit(&hi, lo & UINT32_MAX, d);
	return (q_hi << 32) | q_lo;
}
