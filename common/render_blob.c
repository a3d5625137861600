// SPDX-License-Identifier: Apache-2.0
// Writes the blob of a row backwards: the last byte first, so that the length of a nested field
// is known when its front is written and no second pass is needed. Nothing here looks whether
// there is room: a row's bound says so before, and where the bound is too coarse
// render_blob_size counts.
#include <string.h>

#include "common/render_private.h"

#define KEY(field, wire) ((uint32_t)(field) << 3 | (wire))

// ---- Bytes ---------------------------------------------------------------------------------

// Texts lie in memory that can be read LITERAL_PAD bytes before them, and what is put in front
// of the text is overwritten by what comes next: few sizes to tell apart, few wrong guesses.
static inline uint8_t *put_short(uint8_t *p, const char *text, uint32_t size)
{
	memcpy(p - LITERAL_SHORT, text + size - LITERAL_SHORT, LITERAL_SHORT);
	return p - size;
}

static inline uint8_t *put_bytes(uint8_t *p, const char *text, uint32_t size)
{
	if (size <= LITERAL_SHORT)
		return put_short(p, text, size);
	if (size > LITERAL_PAD)
		return memcpy(p - size, text, size);
	memcpy(p - LITERAL_SHORT, text + size - LITERAL_SHORT, LITERAL_SHORT);
	memcpy(p - LITERAL_PAD, text + size - LITERAL_PAD, LITERAL_PAD - LITERAL_SHORT);
	return p - size;
}

static inline uint8_t *put_packed(uint8_t *p, const struct render *r, struct packed text)
{
	return put_bytes(p, r->text + text.at, text.size);
}

static inline uint8_t *put_varint(uint8_t *p, uint64_t v)
{
	if (v < 0x80) {
		*--p = (uint8_t)v;
		return p;
	}
	p -= pb_varint_size(v);
	pb_varint_write(p, v);
	return p;
}

// Length and tag of a nested field that ends at `end`.
static inline uint8_t *put_open(uint8_t *p, const uint8_t *end, uint32_t field)
{
	p = put_varint(p, (uint64_t)(end - p));
	return put_varint(p, KEY(field, PB_BYTES));
}

// Key and value; nothing at all when the value is 0, as proto3 wants.
static inline uint8_t *put_varint_field(uint8_t *p, uint32_t key, uint64_t v)
{
	return v == 0 ? p : put_varint(put_varint(p, v), key);
}

static inline uint8_t *put_string(uint8_t *p, const struct render *r, uint32_t field,
				  struct packed text)
{
	return text.size == 0 ? p : put_open(put_packed(p, r, text), p, field);
}

static inline uint8_t *put_decimal(uint8_t *p, uint64_t v)
{
	return (uint8_t *)decimal_backward((char *)p, v);
}

static inline uint8_t *put_hex(uint8_t *p, uint64_t v)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < 16; i++, v >>= 4)
		*--p = (uint8_t)digit[v & 15];
	return p;
}

// An id has 32 to ID_MAX bytes: two copies that overlap.
static inline uint8_t *put_id(uint8_t *p, const char *text, size_t size)
{
	memcpy(p - 32, text + size - 32, 32);
	memcpy(p - size, text, 32);
	return p - size;
}

static uint8_t *put_segment_id(uint8_t *p, const struct render_block *rb, uint32_t row,
			       uint32_t field)
{
	return put_open(put_id(p, rb->id[row].text, rb->id[row].size), p, field);
}

static uint8_t *put_trace_id(uint8_t *p, const struct render_block *rb, uint32_t row,
			     uint32_t field)
{
	char id[ID_MAX];
	size_t size = render_trace_id(rb, row, id);

	return put_open(put_id(p, id, size), p, field);
}

// ---- Holes ---------------------------------------------------------------------------------

// Where a span's values come from while it is written from back to front.
struct span_context {
	const struct render_block *rb;
	const struct render_span *span;
	uint32_t row, id;
	int64_t start_ms;	    // since 1970
	uint32_t number, hex, word; // one past the next value
};

static struct packed peer_of(const struct render_block *rb, uint32_t row)
{
	const struct render *r = rb->r;
	struct packed own = r->operation_peer[rb->b->operation.v[row]];

	return own.size != 0
		       ? own
		       : r->service_peer[r->dict->instance[rb->b->instance.v[row]].service];
}

// refs (5): SegmentReference of a row that has a parent. refType CrossProcess is zero and so
// not written.
static uint8_t *put_reference(uint8_t *p, const struct render_block *rb, uint32_t row)
{
	const struct block *b = rb->b;
	const struct render *r = rb->r;
	uint32_t up = b->parent.v[row], instance = b->instance.v[row - up];
	const uint8_t *end = p;

	if (up == 0)
		return p;
	p = put_string(p, r, 8, peer_of(rb, row));
	p = put_string(p, r, 7, r->operation_name[b->operation.v[row - up]]);
	p = put_string(p, r, 6, r->instance_name[instance]);
	p = put_string(p, r, 5, r->service_name[r->dict->instance[instance].service]);
	p = put_varint_field(p, KEY(4, PB_VARINT), b->parent_span.v[row]);
	p = put_segment_id(p, rb, row - up, 3);
	p = put_trace_id(p, rb, row, 2);
	return put_open(p, end, 5);
}

static inline uint64_t parent_of(const struct span_context *c)
{
	// -1 for the first span: sign-extended to 64 bits
	return c->id == 0 ? UINT64_MAX : c->span->parent;
}

// The value of a hole that is a number.
static inline uint64_t number_of(struct span_context *c, uint32_t hole)
{
	switch (hole) {
	case HOLE_NUMBER:
		return c->rb->b->number_value.v[--c->number];
	case HOLE_SPAN_START:
		return (uint64_t)c->start_ms;
	case HOLE_SPAN_END:
		return (uint64_t)c->start_ms + c->span->duration_ms;
	case HOLE_SPAN_ID:
		return c->id;
	default:
		return parent_of(c);
	}
}

static inline uint8_t *put_hole(uint8_t *p, uint32_t hole, struct span_context *c)
{
	const struct render *r = c->rb->r;
	const struct block *b = c->rb->b;

	switch (hole) {
	case HOLE_HEX:
		return put_hex(p, b->hex_value.v[--c->hex]);
	case HOLE_OWN_PEER:
		return put_packed(p, r, peer_of(c->rb, c->row));
	case HOLE_CALLEE_PEER:
		return c->span->callee == UINT32_MAX
			       ? p
			       : put_packed(p, r, peer_of(c->rb, c->span->callee));
	case HOLE_REFERENCE:
		return put_reference(p, c->rb, c->row);
	default:
		return put_decimal(p, number_of(c, hole));
	}
}

// A varint field of six bytes with a one-byte key, which is what times of any legal epoch take.
// Writes eight bytes, of which the first is overwritten by what comes next.
static inline uint8_t *put_time(uint8_t *p, uint8_t key, uint64_t v)
{
	uint64_t bytes = (v & 0x7f) | (v & 0x3f80) << 1 | (v & 0x1fc000) << 2 |
			 (v & 0xfe00000) << 3 | (v & 0x7f0000000) << 4 |
			 (v & 0x3f800000000) << 5 | UINT64_C(0x8080808080);

	store_le64(p - 8, bytes << 16 | (uint64_t)key << 8);
	return p - 7;
}

// A varint field below 128; nothing when it is 0.
static inline uint8_t *put_small(uint8_t *p, uint8_t key, uint32_t v)
{
	p[-1] = (uint8_t)v;
	p[-2] = key;
	return p - (v != 0 ? 2 : 0);
}

// Fields 4, 3, 2, 1 of a span.
static inline uint8_t *put_ids(uint8_t *p, const struct span_context *c)
{
	uint64_t start = (uint64_t)c->start_ms, end = start + c->span->duration_ms;

	if (start >> 35 == 0 || end >> 42 != 0 || c->id >= 128 || c->id == 0) {
		p = put_varint_field(p, KEY(4, PB_VARINT), end);
		p = put_varint_field(p, KEY(3, PB_VARINT), start);
		p = put_varint_field(p, KEY(2, PB_VARINT), parent_of(c));
		return put_varint_field(p, KEY(1, PB_VARINT), c->id);
	}
	p = put_time(p, KEY(4, PB_VARINT), end);
	p = put_time(p, KEY(3, PB_VARINT), start);
	p = put_small(p, KEY(2, PB_VARINT), c->span->parent);
	return put_small(p, KEY(1, PB_VARINT), c->id);
}

// ---- Spans ---------------------------------------------------------------------------------

static inline uint8_t *put_span(uint8_t *p, struct span_context *c)
{
	const uint8_t *end[NESTING_MAX + 1];
	const uint8_t *span_end = p;
	const uint32_t *code = c->span->code;
	const uint32_t *last = code + c->span->code_count;
	const char *literal = (const char *)last;
	const struct render *r = c->rb->r;
	const struct block *b = c->rb->b;
	size_t open = 0;

	while (code < last) {
		uint32_t argument = *code >> CODE_BITS;

		switch (*code++ & CODE_MASK) {
		case CODE_LITERAL:
			p = put_bytes(p, literal, argument);
			literal += argument;
			break;
		case CODE_TEXT:
			p = put_bytes(p, r->text + *code++, argument);
			break;
		case CODE_NUMBER:
			p = put_decimal(p, b->number_value.v[--c->number]);
			p = put_short(p, literal, argument);
			literal += argument;
			break;
		case CODE_WORD:
			p = put_packed(p, r, r->word[b->word_value.v[--c->word]]);
			p = put_short(p, literal, argument);
			literal += argument;
			break;
		case CODE_HOLE:
			p = put_hole(p, argument, c);
			break;
		case CODE_VARINT:
			p = put_varint_field(p, *code++, number_of(c, argument));
			break;
		case CODE_CLOSE:
			for (; argument > 0; argument--)
				end[open++] = p;
			break;
		case CODE_OPEN:
			p = put_open(p, end[--open], argument);
			break;
		case CODE_PAIR:
			p = put_open(p, end[--open], *code & UINT16_MAX);
			p = put_bytes(p, literal, argument);
			literal += argument;
			p = put_open(p, end[--open], *code++ >> 16);
			break;
		default: // CODE_IDS
			p = put_ids(p, c);
			break;
		}
	}
	return put_open(p, span_end, 3);
}

static struct span_context context_of(const struct render_block *rb, uint32_t row,
				      int64_t epoch_ms, uint32_t id)
{
	const struct render_span *span = &rb->span[rb->first_span[row] + id];

	return (struct span_context){
		.rb = rb,
		.span = span,
		.row = row,
		.id = id,
		.start_ms = epoch_ms + rb->start_rel_ms[row] + span->start_ms,
		.number = span->number_end,
		.hex = span->hex_end,
		.word = span->word_end,
	};
}

// ---- Sizes ---------------------------------------------------------------------------------

static size_t field_size(uint32_t field, size_t content)
{
	return pb_varint_size(KEY(field, PB_BYTES)) + pb_varint_size(content) + content;
}

static size_t string_size(uint32_t field, size_t content)
{
	return content == 0 ? 0 : field_size(field, content);
}

static size_t varint_field_size(uint32_t key, uint64_t v)
{
	return v == 0 ? 0 : pb_varint_size(key) + pb_varint_size(v);
}

static size_t trace_id_size(const struct render_block *rb, uint32_t row)
{
	char id[ID_MAX];

	return render_trace_id(rb, row, id);
}

static size_t reference_size(const struct render_block *rb, uint32_t row)
{
	const struct block *b = rb->b;
	const struct render *r = rb->r;
	uint32_t up = b->parent.v[row], instance = b->instance.v[row - up];
	size_t size;

	if (up == 0)
		return 0;
	size = string_size(8, peer_of(rb, row).size);
	size += string_size(7, r->operation_name[b->operation.v[row - up]].size);
	size += string_size(6, r->instance_name[instance].size);
	size += string_size(5, r->service_name[r->dict->instance[instance].service].size);
	size += varint_field_size(KEY(4, PB_VARINT), b->parent_span.v[row]);
	size += string_size(3, rb->id[row - up].size);
	size += string_size(2, trace_id_size(rb, row));
	return field_size(5, size);
}

static size_t decimal_size(uint64_t v)
{
	char text[DECIMAL_MAX];
	const char *begin = decimal_backward(text + sizeof(text), v);

	return (size_t)(text + sizeof(text) - begin);
}

static size_t hole_size(uint32_t hole, struct span_context *c)
{
	switch (hole) {
	case HOLE_HEX:
		c->hex--;
		return 16;
	case HOLE_OWN_PEER:
		return peer_of(c->rb, c->row).size;
	case HOLE_CALLEE_PEER:
		return c->span->callee == UINT32_MAX ? 0 : peer_of(c->rb, c->span->callee).size;
	case HOLE_REFERENCE:
		return reference_size(c->rb, c->row);
	default:
		return decimal_size(number_of(c, hole));
	}
}

// Bytes of a span, its tag and length included: put_span without the writing.
static size_t span_size(struct span_context *c)
{
	size_t end[NESTING_MAX + 1];
	const uint32_t *code = c->span->code;
	const uint32_t *last = code + c->span->code_count;
	const struct render *r = c->rb->r;
	const struct block *b = c->rb->b;
	size_t size = 0, open = 0;

	while (code < last) {
		uint32_t argument = *code >> CODE_BITS;

		switch (*code++ & CODE_MASK) {
		case CODE_LITERAL:
			size += argument;
			break;
		case CODE_TEXT:
			size += argument;
			code++;
			break;
		case CODE_NUMBER:
			size += decimal_size(b->number_value.v[--c->number]) + argument;
			break;
		case CODE_WORD:
			size += r->word[b->word_value.v[--c->word]].size + argument;
			break;
		case CODE_HOLE:
			size += hole_size(argument, c);
			break;
		case CODE_VARINT:
			size += varint_field_size(*code++, number_of(c, argument));
			break;
		case CODE_CLOSE:
			for (; argument > 0; argument--)
				end[open++] = size;
			break;
		case CODE_OPEN:
			open--;
			size = end[open] + field_size(argument, size - end[open]);
			break;
		case CODE_PAIR:
			open--;
			size = end[open] + field_size(*code & UINT16_MAX, size - end[open]);
			size += argument;
			open--;
			size = end[open] + field_size(*code++ >> 16, size - end[open]);
			break;
		default: // CODE_IDS
			size += varint_field_size(KEY(4, PB_VARINT),
						  number_of(c, HOLE_SPAN_END));
			size += varint_field_size(KEY(3, PB_VARINT),
						  number_of(c, HOLE_SPAN_START));
			size += varint_field_size(KEY(2, PB_VARINT), parent_of(c));
			size += varint_field_size(KEY(1, PB_VARINT), c->id);
			break;
		}
	}
	return field_size(3, size);
}

static size_t head_size(const struct render_block *rb, uint32_t row)
{
	const struct render *r = rb->r;
	uint32_t instance = rb->b->instance.v[row];

	return string_size(5, r->instance_name[instance].size) +
	       string_size(4, r->service_name[r->dict->instance[instance].service].size) +
	       string_size(2, rb->id[row].size) + string_size(1, trace_id_size(rb, row));
}

size_t render_blob_size(const struct render_block *rb, uint32_t row, int64_t epoch_ms)
{
	size_t size = head_size(rb, row);

	for (uint32_t i = 0; i < rb->first_span[row + 1] - rb->first_span[row]; i++) {
		struct span_context c = context_of(rb, row, epoch_ms, i);

		size += span_size(&c);
	}
	return size;
}

// ---- Rows ----------------------------------------------------------------------------------

bool render_is_literal(const struct render_block *rb, uint32_t row)
{
	return rb->b->template.v[rb->first_span[row]] == 0;
}

struct view render_literal(const struct render_block *rb, uint32_t row)
{
	const struct block *b = rb->b;
	uint32_t begin = rb->literal_at[row];
	size_t end = row + 1 < rb->rows ? rb->literal_at[row + 1] : b->literal_data.size;

	if (begin == end) // there may be no data to point into
		return VIEW("");
	return (struct view){(const char *)b->literal_data.data + begin, end - begin};
}

#define CACHE_LINE 64u
#define FETCH_MAX 2048u

static void fetch(const void *from, size_t size_bytes)
{
	const char *p = from;

	for (size_t at = 0; at < size_bytes; at += CACHE_LINE)
		__builtin_prefetch(p + at);
}

void render_fetch_spans(const struct render_block *rb, uint32_t row)
{
	uint32_t first = rb->first_span[row];

	fetch(&rb->span[first], (rb->first_span[row + 1] - first) * sizeof(rb->span[0]));
	fetch(&rb->id[row], sizeof(rb->id[0]));
	fetch(&rb->id[row - rb->b->parent.v[row]], sizeof(rb->id[0]));
	fetch(&rb->id[rb->trace_first[rb->trace_of[row]]], sizeof(rb->id[0]));
}

void render_fetch(const struct render_block *rb, uint32_t row)
{
	const struct block *b = rb->b;
	const struct render_span *span = &rb->span[rb->first_span[row]];
	const struct render_span *last = &rb->span[rb->first_span[row + 1] - 1];

	if (render_is_literal(rb, row))
		return;
	fetch_entry(b->number_value.v, span->number_end, sizeof(b->number_value.v[0]));
	fetch_entry(b->number_value.v, last->number_end, sizeof(b->number_value.v[0]));
	fetch_entry(b->word_value.v, last->word_end, sizeof(b->word_value.v[0]));
	for (; span <= last; span++)
		fetch(span->code, (size_t)u64_min(span->code_size, FETCH_MAX));
}

uint8_t *render_blob_backward(const struct render_block *rb, uint32_t row, int64_t epoch_ms,
			      uint8_t *area, size_t size_bytes)
{
	const struct render *r = rb->r;
	uint32_t instance = rb->b->instance.v[row];
	const struct render_span *span = &rb->span[rb->first_span[row]];
	uint8_t *p = area + size_bytes;

	if (render_is_literal(rb, row)) {
		struct view v = render_literal(rb, row);

		if (v.size > size_bytes)
			return NULL;
		p -= v.size;
		if (v.size > 0)
			memcpy(p, v.data, v.size);
		return p;
	}
	if (size_bytes < rb->bound[row] &&
	    size_bytes < render_blob_size(rb, row, epoch_ms) + RENDER_SLACK)
		return NULL;
	p = put_string(p, r, 5, r->instance_name[instance]);
	p = put_string(p, r, 4, r->service_name[r->dict->instance[instance].service]);
	for (uint32_t k = rb->first_span[row + 1] - rb->first_span[row]; k-- > 0;) {
		struct span_context c = context_of(rb, row, epoch_ms, span[k].finish);

		p = put_span(p, &c);
	}
	p = put_segment_id(p, rb, row, 2);
	return put_trace_id(p, rb, row, 1);
}
