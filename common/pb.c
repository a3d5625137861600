// SPDX-License-Identifier: Apache-2.0
// Protobuf wire format. The reader takes hostile input: every length is checked before it is
// used. Messages and their fields are left to the callers.
#include "common/pb.h"

#include <string.h>

#define FIELD_MAX ((UINT32_C(1) << 29) - 1)

void pb_put_varint(struct buf *b, uint64_t v)
{
	uint8_t bytes[PB_VARINT_MAX];

	buf_put(b, bytes, pb_varint_write(bytes, v));
}

void pb_put_tag(struct buf *b, uint32_t field, enum pb_wire wire)
{
	pb_put_varint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

void pb_put_uint(struct buf *b, uint32_t field, uint64_t v)
{
	uint8_t bytes[2 * PB_VARINT_MAX];
	size_t n = pb_varint_write(bytes, (uint64_t)field << 3 | PB_VARINT);

	n += pb_varint_write(bytes + n, v);
	buf_put(b, bytes, n);
}

void pb_put_uint_nz(struct buf *b, uint32_t field, uint64_t v)
{
	if (v != 0)
		pb_put_uint(b, field, v);
}

void pb_put_fixed64(struct buf *b, uint32_t field, uint64_t v)
{
	pb_put_tag(b, field, PB_FIXED64);
	buf_put_le64(b, v);
}

void pb_put_bytes(struct buf *b, uint32_t field, const void *data, size_t size_bytes)
{
	uint8_t head[2 * PB_VARINT_MAX];
	size_t n = pb_varint_write(head, (uint64_t)field << 3 | PB_BYTES);

	n += pb_varint_write(head + n, size_bytes);
	buf_put(b, head, n);
	buf_put(b, data, size_bytes);
}

void pb_put_string(struct buf *b, uint32_t field, const char *s)
{
	if (*s != '\0')
		pb_put_bytes(b, field, s, strlen(s));
}

void pb_put_view(struct buf *b, uint32_t field, struct view v)
{
	if (v.size > 0)
		pb_put_bytes(b, field, v.data, v.size);
}

// Bytes of packed values, without branches: compilers count several values at a time.
static size_t packed32_size(const uint32_t *v, size_t count)
{
	size_t size = 0;

	while (count > 0) {
		size_t n = count < 4096 ? count : 4096;
		uint32_t part = 0; // 32 bits: twice as many lanes

		for (size_t i = 0; i < n; i++)
			part += 1u + (v[i] > 0x7f) + (v[i] > 0x3fff) + (v[i] > 0x1fffff) +
				(v[i] > 0xfffffff);
		size += part;
		v += n;
		count -= n;
	}
	return size;
}

static size_t packed64_size(const uint64_t *v, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += pb_varint_size(v[i]);
	return size;
}

#define SLACK 4u // may be written behind the last value; see write_short

// Tag and length of a packed field, and room for its values and SLACK; NULL when failed or
// counting.
static uint8_t *packed_begin(struct buf *b, uint32_t field, size_t size_bytes)
{
	uint8_t *p;

	pb_put_tag(b, field, PB_BYTES);
	pb_put_varint(b, size_bytes);
	p = buf_reserve(b, size_bytes + SLACK);
	if (!b->failed)
		b->size -= SLACK;
	return p;
}

// A varint of at most 28 bits, without branches, as columns mix one and two bytes at random;
// returns its size. Writes 4 bytes in any case.
static size_t write_short(uint8_t *p, uint32_t v)
{
	uint32_t more = 0u + (v > 0x7f) + (v > 0x3fff) + (v > 0x1fffff);
	uint32_t bytes =
		(v & 0x7f) | (v & 0x3f80) << 1 | (v & 0x1fc000) << 2 | (v & 0xfe00000) << 3;

	store_le32(p, bytes | (UINT32_C(0x808080) & ((UINT32_C(1) << 8 * more) - 1)));
	return more + 1;
}

void pb_put_packed32(struct buf *b, uint32_t field, const uint32_t *v, size_t count)
{
	uint8_t *p;
	size_t i = 0;

	if (count == 0)
		return;
	p = packed_begin(b, field, packed32_size(v, count));
	if (p == NULL)
		return;
	for (; i + 8 <= count; i += 8) {
		uint32_t all = v[i] | v[i + 1] | v[i + 2] | v[i + 3] | v[i + 4] | v[i + 5] |
			       v[i + 6] | v[i + 7];

		if (all < 0x80) {
			for (size_t k = 0; k < 8; k++)
				p[k] = (uint8_t)v[i + k];
			p += 8;
		} else if (all < UINT32_C(1) << 28) {
			for (size_t k = 0; k < 8; k++)
				p += write_short(p, v[i + k]);
		} else {
			for (size_t k = 0; k < 8; k++)
				p += pb_varint_write(p, v[i + k]);
		}
	}
	for (; i < count; i++)
		p += pb_varint_write(p, v[i]);
}

void pb_put_packed64(struct buf *b, uint32_t field, const uint64_t *v, size_t count)
{
	uint8_t *p;

	if (count == 0)
		return;
	p = packed_begin(b, field, packed64_size(v, count));
	if (p == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		p += v[i] < UINT64_C(1) << 28 ? write_short(p, (uint32_t)v[i])
					      : pb_varint_write(p, v[i]);
}

void pb_put_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *v, size_t count)
{
	uint8_t *p;

	if (count == 0)
		return;
	p = packed_begin(b, field, 8 * count);
	for (size_t i = 0; p != NULL && i < count; i++)
		store_le64(p + 8 * i, v[i]);
}

void pb_reader_init(struct pb_reader *r, const void *data, size_t size_bytes)
{
	static const uint8_t nothing[1];

	r->start = size_bytes > 0 ? data : nothing;
	r->pos = r->start;
	r->end = r->start + size_bytes;
	r->failed = false;
}

uint64_t pb_get_varint(struct pb_reader *r)
{
	uint64_t v = 0;
	unsigned shift;

	if (r->failed)
		return 0;
	for (shift = 0; shift < 7 * PB_VARINT_MAX && r->pos < r->end; shift += 7) {
		uint8_t c = *r->pos++;

		if (shift == 63 && c > 1)
			break; // bits past the 64th
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return v;
	}
	r->failed = true;
	return 0;
}

// size_bytes of input, or NULL and failed when fewer are left.
static const uint8_t *take(struct pb_reader *r, uint64_t size_bytes)
{
	const uint8_t *p = r->pos;

	if (r->failed || size_bytes > (size_t)(r->end - r->pos)) {
		r->failed = true;
		return NULL;
	}
	r->pos += (size_t)size_bytes;
	return p;
}

bool pb_next(struct pb_reader *r, struct pb_field *f)
{
	const uint8_t *p;
	uint64_t tag;

	*f = (struct pb_field){0};
	if (r->failed || r->pos == r->end)
		return false;
	tag = pb_get_varint(r);
	if (r->failed)
		return false;
	if (tag >> 3 == 0 || tag >> 3 > FIELD_MAX) {
		r->failed = true;
		return false;
	}
	f->number = (uint32_t)(tag >> 3);
	switch (tag & 7) {
	case PB_VARINT:
		f->wire = PB_VARINT;
		f->value = pb_get_varint(r);
		break;
	case PB_FIXED64:
		f->wire = PB_FIXED64;
		p = take(r, 8);
		if (p != NULL)
			f->value = load_le64(p);
		break;
	case PB_BYTES:
		f->wire = PB_BYTES;
		f->value = pb_get_varint(r);
		p = take(r, f->value);
		if (p != NULL)
			f->bytes = (struct view){(const char *)p, (size_t)f->value};
		f->value = 0;
		break;
	case PB_FIXED32:
		f->wire = PB_FIXED32;
		p = take(r, 4);
		if (p != NULL)
			f->value = load_le32(p);
		break;
	default:
		r->failed = true;
		break;
	}
	return !r->failed;
}

size_t pb_packed_count(const struct pb_field *f)
{
	struct pb_reader r;
	size_t count = 0;

	if (f->wire == PB_VARINT)
		return 1;
	if (f->wire != PB_BYTES)
		return 0;
	pb_reader_init(&r, f->bytes.data, f->bytes.size);
	while (r.pos < r.end) {
		pb_get_varint(&r);
		if (r.failed)
			return 0;
		count++;
	}
	return count;
}

// Length of the well-formed sequence at p that begins with a byte >= 0x80, 0 when there is
// none. Source: the table "Well-Formed UTF-8 Byte Sequences" that RFC 3629 section 4 gives as
// grammar.
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
	uint8_t lo = 0x80, hi = 0xbf; // range of the second byte
	size_t n, i;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0; // overlong
	else if (p[0] == 0xed)
		hi = 0x9f; // surrogates
	else if (p[0] == 0xf0)
		lo = 0x90; // overlong
	else if (p[0] == 0xf4)
		hi = 0x8f; // past U+10FFFF
	if (left < n || p[1] < lo || p[1] > hi)
		return 0;
	for (i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

bool utf8_valid(const void *data, size_t size_bytes)
{
	const uint8_t *p = data;
	size_t i = 0;

	while (i < size_bytes) {
		uint64_t word;
		size_t n;

		if (size_bytes - i >= sizeof(word)) { // eight ASCII bytes at once
			memcpy(&word, p + i, sizeof(word));
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof(word);
				continue;
			}
		}
		if (p[i] < 0x80) {
			i++;
			continue;
		}
		n = utf8_sequence(p + i, size_bytes - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}
