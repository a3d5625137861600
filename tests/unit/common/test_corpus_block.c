// SPDX-License-Identifier: Apache-2.0
// Blocks: round trip, what parsing and checking against a dictionary refuse, hostile bytes.
#include "tests/unit/common/tiny_corpus.h"
#include "tests/unit/common/unit.h"

#include "common/corpus_private.h"
#include "common/pb.h"
#include "common/rng.h"

static void encode(const struct block *b, struct buf *out)
{
	buf_init(out, MIB);
	block_encode(b, out);
	assert_false(out->failed);
}

static enum status decode(const void *data, size_t size, struct block *b, struct err *e)
{
	void *copy = malloc(size > 0 ? size : 1);
	struct tiny t;
	struct buf dict_bytes;
	struct arena a = {0};
	struct dict d;
	enum status s;

	tiny_init(&t);
	buf_init(&dict_bytes, MIB);
	dict_encode(&t.dict, &dict_bytes);
	assert_int_equal(dict_decode(dict_bytes.data, dict_bytes.size, &a, &d, NULL), OK);
	memcpy(copy, data, size);
	s = block_decode(copy, size, &d, b, e);
	free(copy);
	arena_free(&a);
	buf_free(&dict_bytes);
	return s;
}

static void disordered(struct block *b)
{
	tiny_block0(b);
	TINY_PUT32(&b->late_row, 0, 3);
	TINY_PUT32(&b->late_by, 1, 4);
	TINY_PUT32(&b->duplicate_row, 2);
	TINY_PUT32(&b->duplicate_by, 2);
}

static void round_trip_keeps_every_column(void **state)
{
	void (*const make[])(struct block *) = {tiny_block0, tiny_block1, disordered};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(make); i++) {
		struct block b, out;
		struct buf first, second, counted;
		struct err e;

		block_init(&b);
		block_init(&out);
		make[i](&b);
		encode(&b, &first);
		buf_init_count(&counted);
		block_encode(&b, &counted);
		assert_int_equal(counted.size, first.size);
		assert_ok(decode(first.data, first.size, &out, &e), e);
		assert_int_equal(out.number, b.number);
		assert_int_equal(out.first_row, b.first_row);
		assert_int_equal(out.number_value.count, b.number_value.count);
		assert_memory_equal(out.number_value.v, b.number_value.v,
				    8 * b.number_value.count);
		assert_int_equal(out.literal_size.count, b.literal_size.count);
		encode(&out, &second);
		assert_int_equal(first.size, second.size);
		assert_memory_equal(first.data, second.data, first.size);
		// Again into used memory: nothing of the first time stays.
		assert_ok(decode(first.data, first.size, &out, &e), e);
		buf_clear(&second);
		block_encode(&out, &second);
		assert_memory_equal(first.data, second.data, first.size);
		buf_free(&first);
		buf_free(&second);
		block_free(&b);
		block_free(&out);
	}
}

// One changed value of block 0.
#define SET(name, column, index, value)                                                        \
	static void name(struct block *b)                                                      \
	{                                                                                      \
		b->column.v[index] = (value);                                                  \
	}
SET(trace_size_0, trace_size, 1, 0)
SET(trace_size_5, trace_size, 0, 5)
SET(trace_size_2, trace_size, 0, 2)
SET(trace_start, trace_start_ms, 1, UINT64_MAX)
SET(root_with_parent, parent, 0, 1)
SET(second_root, parent, 1, 0)
SET(parent_outside, parent, 2, 3)
SET(root_start, start_ms, 3, 2)
SET(latency, latency_ms, 0, UINT32_C(1) << 31)
SET(is_error, is_error, 1, 2)
SET(thread, thread, 1, 32)
SET(sequence, sequence, 1, 5000)
SET(span_count_0, span_count, 2, 0)
SET(span_count_5, span_count, 0, 5)
SET(instance, instance, 1, 3)
SET(operation, operation, 1, 2)
SET(root_parent_span, parent_span, 0, 1)
SET(parent_span, parent_span, 1, 4)
SET(own_template, template, 0, 9)
SET(callee_template, template, 5, 10)
SET(not_lent, template, 5, 2)
SET(nobody_called, template, 2, 4)
SET(literal_among, template, 1, 0)
SET(first_depth, template, 0, 3)
SET(second_depth, template, 1, 1)
SET(jump_depth, template, 1, 5)
SET(span_start, span_start_ms, 1, UINT32_C(1) << 31)
SET(span_duration, span_duration_ms, 0, UINT32_C(1) << 31)
SET(word, word_value, 1, 3)

static void drop_start(struct block *b)
{
	b->start_ms.count--;
}
static void drop_duration(struct block *b)
{
	b->span_duration_ms.count--;
}
static void drop_trace_start(struct block *b)
{
	b->trace_start_ms.count--;
}
static void drop_number(struct block *b)
{
	b->number_value.count--;
}
static void more_hex(struct block *b)
{
	column64_put(&b->hex_value, 1);
}
static void drop_word(struct block *b)
{
	b->word_value.count--;
}
static void drop_literal(struct block *b)
{
	b->literal_size.count--;
}
static void drop_id(struct block *b)
{
	b->id_value.size--;
}
static void late_outside(struct block *b)
{
	TINY_PUT32(&b->late_row, 1, 3);
	TINY_PUT32(&b->late_by, 1, 1);
}
static void late_again(struct block *b)
{
	TINY_PUT32(&b->late_row, 1, 0);
	TINY_PUT32(&b->late_by, 1, 1);
}
static void late_by_0(struct block *b)
{
	TINY_PUT32(&b->late_row, 0, 2);
	TINY_PUT32(&b->late_by, 4, 0);
}
static void late_by_5(struct block *b)
{
	TINY_PUT32(&b->late_row, 0);
	TINY_PUT32(&b->late_by, 5);
}
static void late_by_missing(struct block *b)
{
	TINY_PUT32(&b->late_row, 0);
}
static void duplicate_outside(struct block *b)
{
	TINY_PUT32(&b->duplicate_row, 4);
	TINY_PUT32(&b->duplicate_by, 1);
}
static void duplicate_by_missing(struct block *b)
{
	TINY_PUT32(&b->duplicate_row, 0, 1);
	TINY_PUT32(&b->duplicate_by, 1);
}
static void no_rows(struct block *b)
{
	block_reset(b);
}

static void decoder_refuses(void **state)
{
	static const struct {
		void (*change)(struct block *);
		const char *text;
	} cases[] = {
		{trace_size_0, "column trace_size: value 1 is 0 or passes the rows"},
		{trace_size_5, "column trace_size: value 0 is 0 or passes the rows"},
		{trace_size_2, "column parent: value 2 is not a row before it in its trace"},
		{trace_start, "column trace_start_ms: value 1 is out of range"},
		{root_with_parent,
		 "column parent: value 0 is not a row before it in its trace"},
		{second_root, "column parent: value 1 is not a row before it in its trace"},
		{parent_outside, "column parent: value 2 is not a row before it in its trace"},
		{root_start, "column start_ms: value 3 of a root is not 0"},
		{latency, "column latency_ms: value 0 is out of range"},
		{is_error, "column is_error: value 1 is neither 0 nor 1"},
		{thread, "column thread: value 1 is out of range"},
		{sequence, "column sequence: value 1 is out of range"},
		{span_count_0, "column span_count: value 2 is 0"},
		{span_count_5, "column span_count covers 9 of 8 spans"},
		{drop_start, "column start_ms has 3 values instead of 4"},
		{drop_duration, "column span_duration_ms has 3 values instead of 4"},
		{drop_trace_start, "column trace_start_ms has 1 values instead of 2"},
		{no_rows, "has no rows"},
		{instance, "row 1: instance is not in the dictionary"},
		{operation, "row 1: operation is not in the dictionary"},
		{root_parent_span, "row 0: parent_span of a root is not 0"},
		{parent_span, "row 1: parent_span is not a span of its parent"},
		{own_template, "row 0: template of span 0 is not one of its operation's"},
		{callee_template, "row 1: template of span 1 is not one of its operation's"},
		{not_lent, "row 1: template of span 1 is a callee's, but not lent to callers"},
		{nobody_called,
		 "row 0: template of span 2 is a callee's, but no row is called"},
		{literal_among, "row 0: template of span 1 is the literal blob among others"},
		{first_depth, "row 0: template of span 0 has a depth that makes no tree"},
		{second_depth, "row 0: template of span 1 has a depth that makes no tree"},
		{jump_depth, "row 0: template of span 1 has a depth that makes no tree"},
		{span_start, "row 0: span time is out of range"},
		{span_duration, "row 0: span time is out of range"},
		{drop_number, "column number_value has 3 values instead of 4"},
		{more_hex, "column hex_value has 2 values instead of 1"},
		{drop_word, "column word_value has 2 values instead of 3"},
		{drop_literal, "column literal_value has 0 values instead of 1"},
		{drop_id, "column id_value has 47 values instead of 48"},
		{word, "column word_value: value 1 is not in the dictionary"},
		{late_outside, "column late_row: value 1 is no row, or one again"},
		{late_again, "column late_row: value 1 is no row, or one again"},
		{late_by_0, "column late_by: value 1 is out of range"},
		{late_by_5, "column late_by: value 0 is out of range"},
		{late_by_missing, "column late_by has 0 values instead of 1"},
		{duplicate_outside, "column duplicate_row: value 0 is no row, or one again"},
		{duplicate_by_missing, "column duplicate_by has 1 values instead of 2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct block b, out;
		struct buf bytes;
		struct err e = {0};

		block_init(&b);
		block_init(&out);
		tiny_block0(&b);
		cases[i].change(&b);
		encode(&b, &bytes);
		assert_fails(decode(bytes.data, bytes.size, &out, &e), e, ERR_FORMAT,
			     cases[i].text);
		buf_free(&bytes);
		block_free(&b);
		block_free(&out);
	}
}

// A block message with one field more.
static void parse_with(uint32_t field, enum pb_wire wire, enum status code, const char *text)
{
	struct buf message, payload;
	struct block b;
	struct err e = {0};

	block_init(&b);
	buf_init(&message, MIB);
	buf_init(&payload, MIB);
	if (wire == PB_VARINT)
		pb_put_uint(&message, field, UINT64_MAX);
	else
		pb_put_bytes(&message, field, "\x01\x80", 2);
	pb_put_bytes(&payload, 4, message.data, message.size);
	assert_fails(block_parse(payload.data, payload.size, &b, &e), e, code, text);
	buf_free(&message);
	buf_free(&payload);
	block_free(&b);
}

static void malformed_fields_are_named(void **state)
{
	struct block b;
	struct err e = {0};

	(void)state;
	parse_with(6, PB_VARINT, ERR_VERSION,
		   "unknown field 6 (made by a newer version? use that one to read it)");
	parse_with(9, PB_BYTES, ERR_FORMAT, "column operation is malformed");
	parse_with(9, PB_VARINT, ERR_FORMAT, "column operation is malformed"); // past 32 bits
	parse_with(25, PB_BYTES, ERR_FORMAT, "column hex_value is malformed");
	parse_with(1, PB_VARINT, ERR_FORMAT, "column number is malformed");
	parse_with(28, PB_VARINT, ERR_FORMAT, "column id_value is malformed");
	block_init(&b);
	assert_fails(block_parse("", 0, &b, &e), e, ERR_FORMAT, "payload is not one block");
	assert_fails(block_parse("\x22\x00\x22\x00", 4, &b, &e), e, ERR_FORMAT,
		     "payload is not one block");
	block_free(&b);
}

// Values that are not packed come one by one; a column that grew by one each time would copy
// itself for each.
static void unpacked_columns_grow_in_steps(void **state)
{
	struct block b;
	struct buf inner, bytes;
	struct err e = {0};

	(void)state;
	buf_init(&inner, MIB);
	buf_init(&bytes, MIB);
	for (uint64_t i = 0; i < 1000; i++) {
		pb_put_uint(&inner, 8, i);  // instance
		pb_put_uint(&inner, 24, i); // number_value
	}
	pb_put_bytes(&bytes, 4, inner.data, inner.size);
	block_init(&b);
	assert_int_not_equal(block_parse(bytes.data, bytes.size, &b, &e), OK);
	assert_int_equal(b.instance.count, 1000);
	assert_true(b.instance.capacity > 1000 && b.instance.capacity <= 2000);
	assert_int_equal(b.instance.v[999], 999);
	block_free(&b);
	buf_free(&inner);
	buf_free(&bytes);
}

struct draws {
	uint64_t key, n;
};

static uint32_t below(struct draws *d, uint32_t bound)
{
	return rng_below(rng_draw(d->key, d->n++), bound);
}

// Spans of a row of the tiny dictionary's operation 0: an entry span, then local ones, calls
// and databases below those.
static void put_spans(struct draws *d, struct block *b)
{
	static const uint32_t inner[] = {3, 5, 7};
	uint32_t spans = 1 + below(d, below(d, 4) == 0 ? 40 : 6);

	column32_put(&b->span_count, spans);
	for (uint32_t i = 0; i < spans; i++) {
		column32_put(&b->template, i == 0 ? 1 : inner[i == 1 ? 0 : below(d, 3)]);
		if (i > 0) {
			column32_put(&b->span_start_ms, below(d, 10));
			column32_put(&b->span_duration_ms, below(d, 10));
		}
	}
}

// One trace that fits the tiny dictionary, but for the values of holes, of which there are
// none.
static void random_rows(struct draws *d, struct block *b)
{
	uint32_t rows = 1 + below(d, 40), first[40], span = 0;

	block_reset(b);
	for (uint32_t row = 0; row < rows; row++) {
		uint32_t up = row == 0 ? 0 : 1 + below(d, row), of = 0;
		bool literal = below(d, 8) == 0;

		first[row] = span;
		column32_put(&b->instance, below(d, 3));
		column32_put(&b->operation, literal || row == 0 ? 0 : below(d, 8) == 0);
		column32_put(&b->parent, up);
		if (up > 0) {
			uint32_t *ref;

			of = below(d, b->span_count.v[row - up]);
			ref = &b->template.v[first[row - up] + of];
			// Lent by operation 1; else it stays the parent's own.
			if (*ref == 7 && b->operation.v[row] == 1)
				*ref = 4;
		}
		column32_put(&b->parent_span, of);
		if (literal) {
			column32_put(&b->span_count, 1);
			column32_put(&b->template, 0);
		} else if (b->operation.v[row] == 1) {
			column32_put(&b->span_count, 1);
			column32_put(&b->template, 1);
		} else {
			put_spans(d, b);
		}
		span += b->span_count.v[row];
	}
}

static void spoil(struct draws *d, struct block *b)
{
	static const uint32_t values[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 10, INT16_MAX, 1u << 15u, 1u << 31u, UINT32_MAX};
	struct column32 *const column[] = {&b->instance,      &b->operation,
					   &b->parent_span,   &b->template,
					   &b->span_start_ms, &b->span_duration_ms};
	struct column32 *c = column[below(d, ARRAY_LEN(column))];

	if (c->count > 0)
		c->v[below(d, (uint32_t)c->count)] = values[below(d, ARRAY_LEN(values))];
}

// What passes as a whole passes row after row as well; if not, the same is wrong with it.
static void quick_check_agrees(void **state)
{
	struct block b;
	struct buf dict_bytes;
	struct arena a = {0};
	struct tiny t;
	struct dict d;
	size_t good = 0;

	(void)state;
	tiny_init(&t);
	buf_init(&dict_bytes, MIB);
	dict_encode(&t.dict, &dict_bytes);
	assert_int_equal(
		dict_decode_apart(dict_bytes.data, dict_bytes.size, &a, NULL, &d, NULL), OK);
	block_init(&b);
	for (uint64_t i = 0; i < 20000; i++) {
		struct draws draws = {rng_key(3, RNG_SAMPLE, i), 0};
		struct err quick = {0}, slow = {0};

		random_rows(&draws, &b);
		for (uint64_t k = 0; k < i % 3; k++)
			spoil(&draws, &b);
		assert_int_equal(block_check(&b, &d, &b.scratch, &quick),
				 block_check_slowly(&b, &d, &b.scratch, &slow));
		assert_string_equal(quick.text, slow.text);
		// All rows are right, then holes are counted.
		good += strstr(slow.text, "values instead of") != NULL;
	}
	assert_in_range(good, 8000, 16000);
	block_free(&b);
	arena_free(&a);
	buf_free(&dict_bytes);
}

static void hostile_bytes_are_survived(void **state)
{
	struct block b, out;
	struct buf bytes;
	struct err e;
	size_t refused = 0;

	(void)state;
	block_init(&b);
	block_init(&out);
	tiny_block0(&b);
	encode(&b, &bytes);
	for (size_t i = 0; i < bytes.size; i++)
		assert_int_not_equal(decode(bytes.data, i, &out, &e), OK);
	for (size_t i = 0; i < bytes.size; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes.data[i] ^= (uint8_t)(1u << bit);
			refused += decode(bytes.data, bytes.size, &out, &e) != OK;
			bytes.data[i] ^= (uint8_t)(1u << bit);
		}
	}
	assert_true(refused > 0);
	assert_ok(decode(bytes.data, bytes.size, &out, &e), e);
	buf_free(&bytes);
	block_free(&b);
	block_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip_keeps_every_column),
		cmocka_unit_test(decoder_refuses),
		cmocka_unit_test(malformed_fields_are_named),
		cmocka_unit_test(unpacked_columns_grow_in_steps),
		cmocka_unit_test(quick_check_agrees),
		cmocka_unit_test(hostile_bytes_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
