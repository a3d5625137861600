// SPDX-License-Identifier: Apache-2.0
// Packed repeated varints, the columns of a block. Where the next varint begins is known only
// when this one has been looked at, a chain of some seven cycles a value; four runs of one
// column decoded side by side hide it.
#include <string.h>

#include "common/pb.h"

#define RUNS 4u
#define RUNS_LEAST_BYTES 64u // below, one run does

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

static inline void store(void *out, size_t index, uint64_t v, bool wide)
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

// A run of whole varints.
struct run {
	const uint8_t *pos, *end;
	size_t index, count; // of the next value in out, and how many are left
};

static bool unpack_run(struct run *r, void *out, bool wide)
{
	while (r->pos < r->end) {
		if (*r->pos < 0x80) {
			store(out, r->index, *r->pos, wide);
			r->pos++;
		} else {
			r->pos = take_one(r->pos, r->end, out, r->index, wide);
			if (r->pos == NULL)
				return false;
		}
		r->index++;
	}
	return true;
}

// Cuts data into runs at ends of varints.
static void split(const uint8_t *data, size_t size_bytes, size_t index, struct run run[RUNS])
{
	const uint8_t *end = data + size_bytes;

	for (unsigned i = 0; i < RUNS; i++) {
		const uint8_t *cut =
			i + 1 == RUNS ? end : data + (end - data) / (long)(RUNS - i);

		while (cut > data && cut < end && cut[-1] >= 0x80)
			cut++;
		run[i] = (struct run){data, cut, index,
				      pb_count_ends(data, (size_t)(cut - data))};
		index += run[i].count;
		data = cut;
	}
}

// A value of one or two bytes without a branch on which; longer ones apart.
static inline bool step(struct run *r, size_t k, void *out, bool wide)
{
	const uint8_t *p = r->pos;
	uint32_t low = p[0], high = p[1], more = low >> 7;

	if (__builtin_expect((more & (high >> 7)) != 0, 0)) {
		r->pos = take_one(p, r->end, out, r->index + k, wide);
		return r->pos != NULL;
	}
	store(out, r->index + k, (low & 0x7f) | ((high & (0u - more) & 0x7f) << 7), wide);
	r->pos = p + 1 + more;
	return true;
}

static inline bool unpack(const uint8_t *data, size_t size_bytes, void *out, size_t index,
			  bool wide)
{
	struct run run[RUNS];
	size_t least;

	if (size_bytes < RUNS_LEAST_BYTES) {
		run[0] = (struct run){data, data + size_bytes, index, 0};
		return unpack_run(&run[0], out, wide);
	}
	split(data, size_bytes, index, run);
	least = run[0].count;
	for (unsigned i = 1; i < RUNS; i++)
		least = run[i].count < least ? run[i].count : least;
	// The last value of each run stays: a step looks at the byte behind the value's first.
	least -= least > 0;
	for (size_t k = 0; k < least; k++) {
		if (!step(&run[0], k, out, wide) || !step(&run[1], k, out, wide) ||
		    !step(&run[2], k, out, wide) || !step(&run[3], k, out, wide))
			return false;
	}
	for (unsigned i = 0; i < RUNS; i++) {
		run[i].index += least;
		if (!unpack_run(&run[i], out, wide))
			return false;
	}
	return true;
}

static bool get_packed(const struct pb_field *f, void *out, size_t *count, size_t max,
		       bool wide)
{
	size_t more;

	if (f->wire == PB_VARINT) {
		if (*count >= max || (!wide && f->value > UINT32_MAX))
			return false;
		store(out, (*count)++, f->value, wide);
		return true;
	}
	if (f->wire != PB_BYTES)
		return false;
	more = pb_count_ends(f->bytes.data, f->bytes.size);
	if (*count > max || more > max - *count ||
	    (f->bytes.size > 0 && (uint8_t)f->bytes.data[f->bytes.size - 1] >= 0x80))
		return false;
	if (more == 0)
		return true;
	if (wide ? !unpack((const uint8_t *)f->bytes.data, f->bytes.size, out, *count, true)
		 : !unpack((const uint8_t *)f->bytes.data, f->bytes.size, out, *count, false))
		return false;
	*count += more;
	return true;
}

bool pb_get_packed64(const struct pb_field *f, uint64_t *out, size_t *count, size_t max)
{
	return get_packed(f, out, count, max, true);
}

// A value past 32 bits is malformed here, not cut: our writers never make one.
bool pb_get_packed32(const struct pb_field *f, uint32_t *out, size_t *count, size_t max)
{
	return get_packed(f, out, count, max, false);
}
