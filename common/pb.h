// SPDX-License-Identifier: Apache-2.0
// Protobuf wire format: writing into a buf, reading from borrowed memory. Knows no message.
// Source: the encoding chapter of the Protocol Buffers documentation (varints, tags, wire types
// 0 1 2 5).
#ifndef COMMON_PB_H
#define COMMON_PB_H

#include "common/buf.h"

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

#define PB_VARINT_MAX 10 // bytes

// Bytes that v takes as a varint: 1..10.
static inline size_t pb_varint_size(uint64_t v)
{
	return ((size_t)(63 - __builtin_clzll(v | 1)) * 9 + 73) / 64;
}

// Writes v at p (room for PB_VARINT_MAX), returns the bytes written.
static inline size_t pb_varint_write(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	p[n++] = (uint8_t)v;
	return n;
}

void pb_put_varint(struct buf *b, uint64_t v);
void pb_put_tag(struct buf *b, uint32_t field, enum pb_wire wire);
void pb_put_uint(struct buf *b, uint32_t field, uint64_t v);	// always written, zero too
void pb_put_uint_nz(struct buf *b, uint32_t field, uint64_t v); // proto3: a zero is left out
void pb_put_fixed64(struct buf *b, uint32_t field, uint64_t v);
void pb_put_bytes(struct buf *b, uint32_t field, const void *data, size_t size_bytes);
void pb_put_string(struct buf *b, uint32_t field, const char *s); // left out when empty
void pb_put_view(struct buf *b, uint32_t field, struct view v);	  // left out when empty
// Packed repeated field of varints; left out when count is 0.
void pb_put_packed32(struct buf *b, uint32_t field, const uint32_t *v, size_t count);
void pb_put_packed64(struct buf *b, uint32_t field, const uint64_t *v, size_t count);
void pb_put_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *v, size_t count);

static inline uint64_t pb_zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v < 0 ? -1 : 0);
}

static inline int64_t pb_unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

// Reader over borrowed memory. After an error every call returns false / 0 and `failed` stays
// set.
struct pb_reader {
	const uint8_t *start;
	const uint8_t *pos;
	const uint8_t *end;
	bool failed;
};

struct pb_field {
	uint32_t number;
	enum pb_wire wire;
	uint64_t value;	   // VARINT, FIXED32, FIXED64
	struct view bytes; // BYTES: borrowed from the input
};

void pb_reader_init(struct pb_reader *r, const void *data, size_t size_bytes);
// Next field: true and *f filled; false at the end or on malformed input (check r->failed).
// Groups are malformed.
bool pb_next(struct pb_reader *r, struct pb_field *f);
uint64_t pb_get_varint(struct pb_reader *r);
// Appends the varints of a packed field (or the one value of an unpacked one) to out[*count],
// at most max of them; false when malformed or more than max.
bool pb_get_packed32(const struct pb_field *f, uint32_t *out, size_t *count, size_t max);
bool pb_get_packed64(const struct pb_field *f, uint64_t *out, size_t *count, size_t max);
// The same without the vectors of x86, which those take where they can: for tests.
bool pb_get_packed32_c(const struct pb_field *f, uint32_t *out, size_t *count, size_t max);
bool pb_get_packed64_c(const struct pb_field *f, uint64_t *out, size_t *count, size_t max);
// Varints that end in size_bytes of packed field, well-formed or not.
size_t pb_count_ends(const void *data, size_t size_bytes);
// Number of values in a packed field; 0 when malformed.
size_t pb_packed_count(const struct pb_field *f);
bool utf8_valid(const void *data,
		size_t size_bytes); // RFC 3629: no surrogates, no overlong forms

#endif
