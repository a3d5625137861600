// SPDX-License-Identifier: Apache-2.0
// The columns of a block: growing them, message Block of proto/corpus.proto to and from them.
// Parsing checks that the columns fit each other; whether they fit a dictionary is left to
// corpus_block_check.c.
#include "common/corpus.h"

#include <stdlib.h>
#include <string.h>

#include "common/corpus_private.h"
#include "common/pb.h"

// ---- Columns -------------------------------------------------------------------------------

#define COLUMN_CAPACITY_FIRST 256

static size_t grown(size_t capacity, size_t wanted)
{
	capacity = capacity == 0 ? COLUMN_CAPACITY_FIRST : capacity;
	while (capacity < wanted)
		capacity *= 2;
	return capacity;
}

void column32_grow(struct column32 *c, size_t more)
{
	c->capacity = grown(c->capacity, c->count + more);
	c->v = mem_realloc(c->v, c->capacity, sizeof(*c->v));
}

void column64_grow(struct column64 *c, size_t more)
{
	c->capacity = grown(c->capacity, c->count + more);
	c->v = mem_realloc(c->v, c->capacity, sizeof(*c->v));
}

// field number, member, most values
#define COLUMNS32(X)                                                                           \
	X(4, trace_size, BLOCK_ROWS_MAX)                                                       \
	X(8, instance, BLOCK_ROWS_MAX)                                                         \
	X(9, operation, BLOCK_ROWS_MAX)                                                        \
	X(10, parent, BLOCK_ROWS_MAX)                                                          \
	X(11, parent_span, BLOCK_ROWS_MAX)                                                     \
	X(12, start_ms, BLOCK_ROWS_MAX)                                                        \
	X(13, latency_ms, BLOCK_ROWS_MAX)                                                      \
	X(14, is_error, BLOCK_ROWS_MAX)                                                        \
	X(15, thread, BLOCK_ROWS_MAX)                                                          \
	X(16, sequence, BLOCK_ROWS_MAX)                                                        \
	X(17, span_count, BLOCK_ROWS_MAX)                                                      \
	X(20, template, BLOCK_SPANS_MAX)                                                       \
	X(21, span_start_ms, BLOCK_SPANS_MAX)                                                  \
	X(22, span_duration_ms, BLOCK_SPANS_MAX)                                               \
	X(26, word_value, BLOCK_HOLES_MAX)                                                     \
	X(30, late_row, BLOCK_ROWS_MAX)                                                        \
	X(31, late_by, BLOCK_ROWS_MAX)                                                         \
	X(32, duplicate_row, BLOCK_ROWS_MAX)                                                   \
	X(33, duplicate_by, BLOCK_ROWS_MAX)
#define COLUMNS64(X)                                                                           \
	X(5, trace_start_ms, BLOCK_ROWS_MAX)                                                   \
	X(24, number_value, BLOCK_HOLES_MAX)                                                   \
	X(25, hex_value, BLOCK_HOLES_MAX)

void block_init(struct block *b)
{
	*b = (struct block){0};
	buf_init(&b->literal_data, BLOCK_PAYLOAD_MAX);
	buf_init(&b->id_value, 32 * (size_t)BLOCK_ROWS_MAX);
}

void block_reset(struct block *b)
{
	b->number = b->first_trace = b->first_row = 0;
#define X(number, name, max) b->name.count = 0;
	COLUMNS32(X)
	COLUMNS64(X)
#undef X
	b->literal_size.count = 0;
	buf_clear(&b->literal_data);
	buf_clear(&b->id_value);
}

void block_free(struct block *b)
{
#define X(number, name, max) free(b->name.v);
	COLUMNS32(X)
	COLUMNS64(X)
#undef X
	free(b->literal_size.v);
	buf_free(&b->literal_data);
	buf_free(&b->id_value);
	free(b->scratch.v);
	*b = (struct block){0};
}

// ---- Encoding ------------------------------------------------------------------------------

static void put_literals(struct buf *b, const struct block *block)
{
	const uint8_t *at = block->literal_data.data;

	for (size_t i = 0; i < block->literal_size.count; i++) {
		pb_put_bytes(b, 27, at, block->literal_size.v[i]);
		if (block->literal_size.v[i] > 0)
			at += block->literal_size.v[i];
	}
}

static void put_block(struct buf *out, const struct block *b)
{
	pb_put_uint_nz(out, 1, b->number);
	pb_put_uint_nz(out, 2, b->first_trace);
	pb_put_uint_nz(out, 3, b->first_row);
	pb_put_packed32(out, 4, b->trace_size.v, b->trace_size.count);
	pb_put_packed64(out, 5, b->trace_start_ms.v, b->trace_start_ms.count);
	pb_put_packed32(out, 8, b->instance.v, b->instance.count);
	pb_put_packed32(out, 9, b->operation.v, b->operation.count);
	pb_put_packed32(out, 10, b->parent.v, b->parent.count);
	pb_put_packed32(out, 11, b->parent_span.v, b->parent_span.count);
	pb_put_packed32(out, 12, b->start_ms.v, b->start_ms.count);
	pb_put_packed32(out, 13, b->latency_ms.v, b->latency_ms.count);
	pb_put_packed32(out, 14, b->is_error.v, b->is_error.count);
	pb_put_packed32(out, 15, b->thread.v, b->thread.count);
	pb_put_packed32(out, 16, b->sequence.v, b->sequence.count);
	pb_put_packed32(out, 17, b->span_count.v, b->span_count.count);
	pb_put_packed32(out, 20, b->template.v, b->template.count);
	pb_put_packed32(out, 21, b->span_start_ms.v, b->span_start_ms.count);
	pb_put_packed32(out, 22, b->span_duration_ms.v, b->span_duration_ms.count);
	pb_put_packed64(out, 24, b->number_value.v, b->number_value.count);
	pb_put_packed_fixed64(out, 25, b->hex_value.v, b->hex_value.count);
	pb_put_packed32(out, 26, b->word_value.v, b->word_value.count);
	put_literals(out, b);
	if (b->id_value.size > 0)
		pb_put_bytes(out, 28, b->id_value.data, b->id_value.size);
	pb_put_packed32(out, 30, b->late_row.v, b->late_row.count);
	pb_put_packed32(out, 31, b->late_by.v, b->late_by.count);
	pb_put_packed32(out, 32, b->duplicate_row.v, b->duplicate_row.count);
	pb_put_packed32(out, 33, b->duplicate_by.v, b->duplicate_by.count);
}

// The message is written behind a gap that holds the longest header, and moved down: a block is
// measured by writing it, not by a second pass.
void block_encode(const struct block *b, struct buf *out)
{
	uint8_t header[2 * PB_VARINT_MAX];
	size_t begin = out->size, gap = sizeof(header), header_size, size;

	if (b->literal_data.failed || b->id_value.failed) {
		out->failed = true;
		return;
	}
	memset(header, 0, sizeof(header));
	buf_put(out, header, gap);
	put_block(out, b);
	if (out->failed)
		return;
	size = out->size - begin - gap;
	header_size = pb_varint_write(header, CORPUS_BLOCK << 3 | PB_BYTES);
	header_size += pb_varint_write(header + header_size, size);
	if (!out->count_only) {
		memcpy(out->data + begin, header, header_size);
		memmove(out->data + begin + header_size, out->data + begin + gap, size);
	}
	out->size = begin + header_size + size;
}

// ---- Parsing -------------------------------------------------------------------------------

static enum status malformed(const char *name, struct err *e)
{
	return err_set(e, ERR_FORMAT, "column %s is malformed", name);
}

// Values that a column's field can hold: as many as bytes; when that would be more than `max`,
// as many as varints end, with a byte below 0x80.
static size_t values_at_most(const struct pb_field *f, size_t max)
{
	if (f->wire == PB_VARINT)
		return 1;
	return f->bytes.size <= max ? f->bytes.size
				    : pb_count_ends(f->bytes.data, f->bytes.size);
}

// Room for `more` values; a size that comes from input, so failing is no reason to abort.
static void *grow(void *v, size_t *capacity, size_t count, size_t more, size_t size)
{
	size_t wanted = count + more;
	void *p;

	if (wanted <= *capacity)
		return v;
	if (wanted < 2 * *capacity)
		wanted = 2 * *capacity; // values that come one by one
	p = realloc(v, wanted * size);
	if (p != NULL)
		*capacity = wanted;
	return p;
}

static enum status too_many(const char *name, size_t max, struct err *e)
{
	return err_set(e, ERR_LIMIT, "column %s has more than %zu values", name, max);
}

static enum status get_column32(const struct pb_field *f, struct column32 *c, size_t max,
				const char *name, struct err *e)
{
	size_t more = values_at_most(f, max - c->count);
	void *v;

	if (more > max - c->count)
		return too_many(name, max, e);
	v = grow(c->v, &c->capacity, c->count, more, sizeof(*c->v));
	if (v == NULL && more > 0)
		return err_set(e, ERR_MEMORY, "column %s does not fit into memory", name);
	c->v = v;
	return pb_get_packed32(f, c->v, &c->count, c->capacity) ? OK : malformed(name, e);
}

static enum status get_column64(const struct pb_field *f, struct column64 *c, size_t max,
				bool fixed, const char *name, struct err *e)
{
	size_t more = fixed ? f->bytes.size / 8 : values_at_most(f, max - c->count);
	uint64_t *out;
	void *v;

	if (fixed && (f->wire != PB_BYTES || f->bytes.size % 8 != 0))
		return malformed(name, e);
	if (more > max - c->count)
		return too_many(name, max, e);
	v = grow(c->v, &c->capacity, c->count, more, sizeof(*c->v));
	if (v == NULL && more > 0)
		return err_set(e, ERR_MEMORY, "column %s does not fit into memory", name);
	c->v = v;
	if (!fixed)
		return pb_get_packed64(f, c->v, &c->count, c->capacity) ? OK
									: malformed(name, e);
	out = c->v;
	for (size_t i = 0, at = c->count; i < more; i++)
		out[at + i] = load_le64(f->bytes.data + 8 * i);
	c->count += more;
	return OK;
}

static enum status get_literal(const struct pb_field *f, struct block *b, struct err *e)
{
	struct column32 *c = &b->literal_size;
	void *v;

	if (f->wire != PB_BYTES)
		return malformed("literal_value", e);
	if (f->bytes.size > ROW_BLOB_MAX)
		return err_set(e, ERR_LIMIT, "literal_value %zu is larger than %zu bytes",
			       c->count, ROW_BLOB_MAX);
	if (c->count == BLOCK_ROWS_MAX)
		return too_many("literal_value", BLOCK_ROWS_MAX, e);
	v = grow(c->v, &c->capacity, c->count, 1, sizeof(*c->v));
	if (v == NULL)
		return err_set(e, ERR_MEMORY, "column literal_value does not fit into memory");
	c->v = v;
	c->v[c->count++] = (uint32_t)f->bytes.size;
	buf_put_view(&b->literal_data, f->bytes);
	return buf_check(&b->literal_data, "column literal_value", e);
}

static enum status get_number(const struct pb_field *f, uint64_t *out, const char *name,
			      struct err *e)
{
	if (f->wire != PB_VARINT || f->value >> 48 != 0)
		return malformed(name, e);
	*out = f->value;
	return OK;
}

static enum status get_field(const struct pb_field *f, struct block *b, struct err *e)
{
	switch (f->number) {
	case 1:
		return get_number(f, &b->number, "number", e);
	case 2:
		return get_number(f, &b->first_trace, "first_trace", e);
	case 3:
		return get_number(f, &b->first_row, "first_row", e);
#define X(number, name, max)                                                                   \
	case number:                                                                           \
		return get_column32(f, &b->name, max, #name, e);
		COLUMNS32(X)
#undef X
#define X(number, name, max)                                                                   \
	case number:                                                                           \
		return get_column64(f, &b->name, max, number == 25, #name, e);
		COLUMNS64(X)
#undef X
	case 27:
		return get_literal(f, b, e);
	case 28:
		if (f->wire != PB_BYTES || b->id_value.size > 0)
			return malformed("id_value", e);
		buf_put_view(&b->id_value, f->bytes);
		return buf_check(&b->id_value, "column id_value", e);
	default:
		return err_set(e, ERR_VERSION,
			       "unknown field %u (made by a newer version? use that one to "
			       "read it)",
			       f->number);
	}
}

static enum status count_differs(const char *name, size_t count, size_t wanted, struct err *e)
{
	return err_set(e, ERR_FORMAT, "column %s has %zu values instead of %zu", name, count,
		       wanted);
}

// Columns with one value per row, inner span and inner span that is not a row's first.
static enum status check_lengths(const struct block *b, struct err *e)
{
	size_t rows = b->instance.count, spans = b->template.count;
	const struct {
		const char *name;
		size_t count, wanted;
	} columns[] = {
		{"trace_start_ms", b->trace_start_ms.count, b->trace_size.count},
		{"operation", b->operation.count, rows},
		{"parent", b->parent.count, rows},
		{"parent_span", b->parent_span.count, rows},
		{"start_ms", b->start_ms.count, rows},
		{"latency_ms", b->latency_ms.count, rows},
		{"is_error", b->is_error.count, rows},
		{"thread", b->thread.count, rows},
		{"sequence", b->sequence.count, rows},
		{"span_count", b->span_count.count, rows},
		{"span_start_ms", b->span_start_ms.count, spans - rows},
		{"span_duration_ms", b->span_duration_ms.count, spans - rows},
		{"late_by", b->late_by.count, b->late_row.count},
		{"duplicate_by", b->duplicate_by.count, b->duplicate_row.count},
	};

	if (rows == 0)
		return err_set(e, ERR_FORMAT, "has no rows");
	if (spans < rows)
		return err_set(e, ERR_FORMAT, "column template has %zu values for %zu rows",
			       spans, rows);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		if (columns[i].count != columns[i].wanted)
			return count_differs(columns[i].name, columns[i].count,
					     columns[i].wanted, e);
	}
	return OK;
}

static enum status bad_value(const char *name, size_t index, const char *why, struct err *e)
{
	return err_set(e, ERR_FORMAT, "column %s: value %zu %s", name, index, why);
}

static enum status check_row(const struct block *b, size_t row, size_t ordinal, struct err *e)
{
	if (b->parent.v[row] > ordinal || (b->parent.v[row] == 0) != (ordinal == 0))
		return bad_value("parent", row, "is not a row before it in its trace", e);
	if (ordinal == 0 && b->start_ms.v[row] != 0)
		return bad_value("start_ms", row, "of a root is not 0", e);
	if (b->latency_ms.v[row] > INT32_MAX)
		return bad_value("latency_ms", row, "is out of range", e);
	if (b->is_error.v[row] > 1)
		return bad_value("is_error", row, "is neither 0 nor 1", e);
	if (b->thread.v[row] >= THREADS_MAX)
		return bad_value("thread", row, "is out of range", e);
	if (b->sequence.v[row] >= SEQUENCES_MAX)
		return bad_value("sequence", row, "is out of range", e);
	if (b->span_count.v[row] == 0)
		return bad_value("span_count", row, "is 0", e);
	return OK;
}

// Rows that move: each once, and a distance that could be.
static enum status check_moves(const struct column32 *row, const char *row_name,
			       const struct column32 *by, const char *by_name, size_t rows,
			       struct err *e)
{
	uint64_t at = 0;

	for (size_t i = 0; i < row->count; i++) {
		at += row->v[i];
		if ((i > 0 && row->v[i] == 0) || at >= rows)
			return bad_value(row_name, i, "is no row, or one again", e);
		if (by->v[i] == 0 || by->v[i] > rows)
			return bad_value(by_name, i, "is out of range", e);
	}
	return OK;
}

#define TRACE_START_MAX_MS (UINT64_C(1) << 41)

// That traces cover the rows and row spans the spans, and what a row says about itself.
static enum status check_rows(const struct block *b, struct err *e)
{
	size_t rows = b->instance.count, row = 0;
	uint64_t start = 0, spans = 0;
	enum status s = OK;

	for (size_t t = 0; t < b->trace_size.count; t++) {
		uint32_t size = b->trace_size.v[t];

		if (size == 0 || size > rows - row)
			return bad_value("trace_size", t, "is 0 or passes the rows", e);
		if (b->trace_start_ms.v[t] > TRACE_START_MAX_MS - start)
			return bad_value("trace_start_ms", t, "is out of range", e);
		start += b->trace_start_ms.v[t];
		for (size_t i = 0; i < size && s == OK; i++, row++) {
			s = check_row(b, row, i, e);
			spans += b->span_count.v[row];
		}
		if (s != OK)
			return s;
	}
	if (row != rows)
		return err_set(e, ERR_FORMAT, "column trace_size covers %zu of %zu rows", row,
			       rows);
	if (spans != b->template.count)
		return err_set(e, ERR_FORMAT, "column span_count covers %llu of %zu spans",
			       (unsigned long long)spans, b->template.count);
	return OK;
}

enum status block_parse(const void *payload, size_t size_bytes, struct block *b, struct err *e)
{
	struct pb_reader outer, r;
	struct pb_field f;
	enum status s = OK;

	block_reset(b);
	pb_reader_init(&outer, payload, size_bytes);
	if (!pb_next(&outer, &f) || f.number != CORPUS_BLOCK || f.wire != PB_BYTES ||
	    outer.pos != outer.end)
		return err_set(e, ERR_FORMAT, "payload is not one block");
	pb_reader_init(&r, f.bytes.data, f.bytes.size);
	while (s == OK && pb_next(&r, &f))
		s = get_field(&f, b, e);
	if (s == OK && r.failed)
		s = err_set(e, ERR_FORMAT, "malformed at byte %zu of its message",
			    (size_t)(r.pos - r.start));
	if (s == OK)
		s = check_lengths(b, e);
	if (s == OK)
		s = check_rows(b, e);
	if (s == OK)
		s = check_moves(&b->late_row, "late_row", &b->late_by, "late_by", block_rows(b),
				e);
	if (s == OK)
		s = check_moves(&b->duplicate_row, "duplicate_row", &b->duplicate_by,
				"duplicate_by", block_rows(b), e);
	return s;
}

enum status block_decode(const void *payload, size_t size_bytes, const struct dict *d,
			 struct block *b, struct err *e)
{
	enum status s = block_parse(payload, size_bytes, b, e);

	return s == OK ? block_check(b, d, &b->scratch, e) : s;
}
