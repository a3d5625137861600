// SPDX-License-Identifier: Apache-2.0
// Packed repeated varints, the columns of a block. Where a varint begins is known only when the
// one before it has been looked at; a window of eight bytes, most of which hold values of one
// or two bytes, is decoded without that: a value is made for every byte as if one ended there,
// then those of the bytes that do end one are kept. Keeping is what a processor's shuffle is
// for, so that part has a twin for x86.
#include <string.h>

#include "common/pb.h"

#ifdef __x86_64__
#include <tmmintrin.h>
#endif

#define WINDOW 8u // bytes
#define PLAIN 16u // bytes that are looked at for being one value each
#define TOP_BITS UINT64_C(0x8080808080808080) // set: the varint goes on

// A function with constants and functions for arguments, of which each caller has its own.
#define TEMPLATE static inline __attribute__((always_inline))

size_t pb_count_ends(const void *data, size_t size_bytes)
{
	const uint8_t *p = data;
	size_t count = 0, i = 0;

	for (; i + 8 <= size_bytes; i += 8) {
		uint64_t word;

		memcpy(&word, p + i, sizeof(word));
		// Each byte's top bit, turned round, summed up by the multiplication.
		word = ~word >> 7 & UINT64_C(0x0101010101010101);
		count += (size_t)(word * UINT64_C(0x0101010101010101) >> 56);
	}
	for (; i < size_bytes; i++)
		count += p[i] < 0x80;
	return count;
}

// ---- One value -----------------------------------------------------------------------------

TEMPLATE void store(void *out, size_t index, uint64_t v, bool wide)
{
	if (wide)
		((uint64_t *)out)[index] = v;
	else
		((uint32_t *)out)[index] = (uint32_t)v;
}

// One varint anywhere; NULL when malformed or, not wide, past 32 bits.
static const uint8_t *take_one(const uint8_t *p, const uint8_t *end, void *out, size_t index,
			       bool wide)
{
	struct pb_reader r;
	uint64_t v;

	pb_reader_init(&r, p, (size_t)(end - p));
	v = pb_get_varint(&r);
	if (r.failed || (!wide && v > UINT32_MAX))
		return NULL;
	store(out, index, v, wide);
	return r.pos;
}

// The same where eight bytes can be read.
static const uint8_t *take_long(const uint8_t *p, const uint8_t *end, void *out, size_t index,
				bool wide)
{
	uint64_t v = load_le64(p), ends = ~v & TOP_BITS;
	unsigned bits; // up to the first end

	if (ends == 0)
		return take_one(p, end, out, index, wide);
	bits = (unsigned)__builtin_ctzll(ends) + 1;
	v &= ~TOP_BITS & UINT64_MAX >> (64 - bits);
	// Seven bits of each byte move together: two bytes, four, eight.
	v = (v & UINT64_C(0x00ff00ff00ff00ff)) | (v & UINT64_C(0xff00ff00ff00ff00)) >> 1;
	v = (v & UINT64_C(0x0000ffff0000ffff)) | (v & UINT64_C(0xffff0000ffff0000)) >> 2;
	v = (v & UINT64_C(0x00000000ffffffff)) | (v & UINT64_C(0xffffffff00000000)) >> 4;
	if (!wide && v > UINT32_MAX)
		return NULL;
	store(out, index, v, wide);
	return p + bits / 8;
}

// ---- Windows -------------------------------------------------------------------------------

// PLAIN bytes, each a value.
TEMPLATE void take_plain(const uint8_t *restrict p, void *restrict out, size_t index, bool wide)
{
	for (unsigned k = 0; k < PLAIN; k++)
		store(out, index + k, p[k], wide);
}

// The values that end in the window at p, all of them of one or two bytes; the first may begin
// with the byte before p. Stores eight; returns the index behind those that count.
typedef size_t short_taker(const uint8_t *p, void *out, size_t index, bool wide);

// Which of four bytes end a varint, by a bit for each: how many, and which, in order. What
// stands behind those does not matter.
static const struct ends {
	uint8_t count, at[4];
} ends_of[16] = {
	{0, {0, 0, 0, 0}}, {1, {0, 0, 0, 0}}, {1, {1, 0, 0, 0}}, {2, {0, 1, 0, 0}},
	{1, {2, 0, 0, 0}}, {2, {0, 2, 0, 0}}, {2, {1, 2, 0, 0}}, {3, {0, 1, 2, 0}},
	{1, {3, 0, 0, 0}}, {2, {0, 3, 0, 0}}, {2, {1, 3, 0, 0}}, {3, {0, 1, 3, 0}},
	{2, {2, 3, 0, 0}}, {3, {0, 2, 3, 0}}, {3, {1, 2, 3, 0}}, {4, {0, 1, 2, 3}},
};

// Vectors that compilers make of whatever the machine has.
typedef uint8_t bytes8 __attribute__((vector_size(8)));
typedef uint16_t words8 __attribute__((vector_size(16)));

// Those of four values that mask tells.
TEMPLATE size_t keep_c(const uint16_t v[4], unsigned mask, void *out, size_t index, bool wide)
{
	const struct ends *e = &ends_of[mask];

	for (unsigned k = 0; k < 4; k++)
		store(out, index + k, v[e->at[k]], wide);
	return index + e->count;
}

TEMPLATE size_t take_short_c(const uint8_t *p, void *out, size_t index, bool wide)
{
	uint64_t ends = (~load_le64(p) & TOP_BITS) >> 7;
	// One bit of each byte, gathered in the topmost by the multiplication.
	unsigned mask = (unsigned)(ends * UINT64_C(0x0102040810204080) >> 56);
	bytes8 first, second;
	words8 low, high, two, v;
	uint16_t values[WINDOW];

	memcpy(&first, p - 1, sizeof(first));
	memcpy(&second, p, sizeof(second));
	low = __builtin_convertvector(first, words8);
	high = __builtin_convertvector(second, words8);
	two = -(low >> 7);
	v = (two & (high << 7 | (low & 0x7f))) | (~two & high);
	memcpy(values, &v, sizeof(values));
	index = keep_c(values, mask & 15, out, index, wide);
	return keep_c(values + 4, mask >> 4, out, index, wide);
}

#ifdef __x86_64__
#define SSSE3 __attribute__((target("ssse3")))

// ends_of as shuffles that make 16 bits 32.
#define LANE(k) 2 * (k), 2 * (k) + 1, 0x80, 0x80
static const uint8_t shuffle_of[16][16] = {
	{0},
	{LANE(0)},
	{LANE(1)},
	{LANE(0), LANE(1)},
	{LANE(2)},
	{LANE(0), LANE(2)},
	{LANE(1), LANE(2)},
	{LANE(0), LANE(1), LANE(2)},
	{LANE(3)},
	{LANE(0), LANE(3)},
	{LANE(1), LANE(3)},
	{LANE(0), LANE(1), LANE(3)},
	{LANE(2), LANE(3)},
	{LANE(0), LANE(2), LANE(3)},
	{LANE(1), LANE(2), LANE(3)},
	{LANE(0), LANE(1), LANE(2), LANE(3)},
};

SSSE3 TEMPLATE size_t keep_ssse3(__m128i v, unsigned mask, void *out, size_t index, bool wide)
{
	__m128i shuffle = _mm_loadu_si128((const void *)shuffle_of[mask]);
	__m128i kept = _mm_shuffle_epi8(v, shuffle), zero = _mm_setzero_si128();

	if (wide) {
		_mm_storeu_si128((void *)((uint64_t *)out + index),
				 _mm_unpacklo_epi32(kept, zero));
		_mm_storeu_si128((void *)((uint64_t *)out + index + 2),
				 _mm_unpackhi_epi32(kept, zero));
	} else {
		_mm_storeu_si128((void *)((uint32_t *)out + index), kept);
	}
	return index + ends_of[mask].count;
}

SSSE3 TEMPLATE size_t take_short_ssse3(const uint8_t *p, void *out, size_t index, bool wide)
{
	__m128i zero = _mm_setzero_si128(), seven = _mm_set1_epi16(0x7f);
	__m128i first = _mm_loadl_epi64((const void *)(p - 1));
	__m128i second = _mm_loadl_epi64((const void *)p);
	__m128i low = _mm_unpacklo_epi8(first, zero), high = _mm_unpacklo_epi8(second, zero);
	__m128i two = _mm_cmpgt_epi16(low, seven);
	__m128i both = _mm_or_si128(_mm_slli_epi16(high, 7), _mm_and_si128(low, seven));
	__m128i v = _mm_or_si128(_mm_and_si128(two, both), _mm_andnot_si128(two, high));
	unsigned mask = ~(unsigned)_mm_movemask_epi8(second);

	index = keep_ssse3(v, mask & 15, out, index, wide);
	return keep_ssse3(_mm_srli_si128(v, 8), mask >> 4 & 15, out, index, wide);
}
#endif

// ---- A field -------------------------------------------------------------------------------

// Decodes size_bytes at p behind *count values, to at most max of them, all of which `out` has
// room for.
TEMPLATE bool unpack(const uint8_t *p, size_t size_bytes, void *out, size_t *count, size_t max,
		     bool wide, short_taker *take_short)
{
	size_t index = *count;
	const uint8_t *end;

	if (size_bytes == 0)
		return true;
	if (index == max)
		return false;
	end = p + size_bytes;
	p = take_one(p, end, out, index++, wide); // then there is a byte before p
	while (p != NULL && end - p >= (ptrdiff_t)PLAIN && max - index >= PLAIN) {
		uint64_t window = load_le64(p), before = window << 8 | p[-1];

		if (((window | before | load_le64(p + 8)) & TOP_BITS) == 0) {
			take_plain(p, out, index, wide);
			index += PLAIN;
			p += PLAIN;
		} else if ((window & before & TOP_BITS) == 0) {
			index = take_short(p, out, index, wide);
			p += WINDOW;
		} else {
			p = take_long(p - (p[-1] >> 7), end, out, index++, wide);
		}
	}
	if (p != NULL)
		p -= p[-1] >> 7;
	for (; p != NULL && p < end && index < max; index++)
		p = take_one(p, end, out, index, wide);
	*count = index;
	return p == end;
}

typedef bool unpacker(const uint8_t *p, size_t size_bytes, void *out, size_t *count,
		      size_t max);

static bool unpack32_c(const uint8_t *p, size_t size_bytes, void *out, size_t *count,
		       size_t max)
{
	return unpack(p, size_bytes, out, count, max, false, take_short_c);
}

static bool unpack64_c(const uint8_t *p, size_t size_bytes, void *out, size_t *count,
		       size_t max)
{
	return unpack(p, size_bytes, out, count, max, true, take_short_c);
}

#ifdef __x86_64__
SSSE3 static bool unpack32_ssse3(const uint8_t *p, size_t size_bytes, void *out, size_t *count,
				 size_t max)
{
	return unpack(p, size_bytes, out, count, max, false, take_short_ssse3);
}

SSSE3 static bool unpack64_ssse3(const uint8_t *p, size_t size_bytes, void *out, size_t *count,
				 size_t max)
{
	return unpack(p, size_bytes, out, count, max, true, take_short_ssse3);
}
#endif

static bool get_packed(const struct pb_field *f, void *out, size_t *count, size_t max,
		       bool wide, unpacker *unpack_field)
{
	if (*count > max)
		return false;
	if (f->wire == PB_BYTES)
		return unpack_field((const uint8_t *)f->bytes.data, f->bytes.size, out, count,
				    max);
	if (f->wire != PB_VARINT || *count == max || (!wide && f->value > UINT32_MAX))
		return false;
	store(out, (*count)++, f->value, wide);
	return true;
}

bool pb_get_packed64_c(const struct pb_field *f, uint64_t *out, size_t *count, size_t max)
{
	return get_packed(f, out, count, max, true, unpack64_c);
}

// A value past 32 bits is malformed here, not cut: our writers never make one.
bool pb_get_packed32_c(const struct pb_field *f, uint32_t *out, size_t *count, size_t max)
{
	return get_packed(f, out, count, max, false, unpack32_c);
}

bool pb_get_packed64(const struct pb_field *f, uint64_t *out, size_t *count, size_t max)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("ssse3"))
		return get_packed(f, out, count, max, true, unpack64_ssse3);
#endif
	return pb_get_packed64_c(f, out, count, max);
}

bool pb_get_packed32(const struct pb_field *f, uint32_t *out, size_t *count, size_t max)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("ssse3"))
		return get_packed(f, out, count, max, false, unpack32_ssse3);
#endif
	return pb_get_packed32_c(f, out, count, max);
}
