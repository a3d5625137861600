// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the bytes of a dictionary. What is accepted is encoded and decoded again, its
// templates are compiled, and a block is rendered with them: one that the input brings, or one
// made here that uses every template once, both as its operation's own and as lent to a caller.
//
// Input: one byte of choices, four of the size of a block payload (little-endian, 0: none),
// that payload, and the dictionary.
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum choice { CHOICE_ARRIVAL = 1 };

#define HEAD_SIZE 5u
#define SPANS_MAX 3000u // of a made block

static const struct span_template *own(const struct dict *d, uint32_t operation, uint32_t k)
{
	return &d->template[d->operation[operation].first_template + k];
}

// Values for the holes of a span, all different.
static void put_holes(struct block *b, const struct dict *d, const struct span_template *t)
{
	for (uint32_t i = 0; i < t->numbers; i++)
		column64_put(&b->number_value, b->number_value.count * 77);
	for (uint32_t i = 0; i < t->hexes; i++)
		column64_put(&b->hex_value, b->hex_value.count * UINT64_C(0x9e3779b97f4a7c15));
	for (uint32_t i = 0; i < t->words; i++)
		column32_put(&b->word_value,
			     d->word_count > 0 ? (uint32_t)(b->word_value.count % d->word_count)
					       : 0);
}

static void put_span(struct block *b, const struct dict *d, const struct span_template *t,
		     uint32_t ref, bool first)
{
	column32_put(&b->template, ref);
	if (!first) {
		column32_put(&b->span_start_ms, 3);
		column32_put(&b->span_duration_ms, 5);
	}
	put_holes(b, d, t);
}

static void put_row(struct block *b, const struct dict *d, uint32_t operation, uint32_t up,
		    uint32_t parent_span)
{
	uint32_t row = (uint32_t)block_rows(b);
	uint32_t instance = d->instance_count > 0 ? row % d->instance_count : 0;

	column32_put(&b->instance, instance);
	column32_put(&b->operation, operation);
	column32_put(&b->parent, up);
	column32_put(&b->parent_span, parent_span);
	column32_put(&b->start_ms, up == 0 ? 0 : 4);
	column32_put(&b->latency_ms, 1 + row);
	column32_put(&b->is_error, row & 1);
	column32_put(&b->thread, row % THREADS_MAX);
	column32_put(&b->sequence, row % SEQUENCES_MAX);
	if (instance < d->instance_count && d->instance[instance].id_style == ID_RAW) {
		for (uint32_t i = 0; i < (up == 0 ? 32 : 16); i++)
			buf_put_u8(&b->id_value, (uint8_t)(row + i));
	}
}

// The spans of a row: the operation's templates from its k-th on, as far as they make a tree,
// and then, when `callee` is an operation that lends one, a call of it. Returns the id of the
// call's span, 0 when there is none (span 0 cannot be one: it is the row's entry).
static uint32_t put_spans(struct block *b, const struct dict *d, uint32_t operation, uint32_t k,
			  const uint32_t *callee, uint32_t *next)
{
	const struct operation *op = &d->operation[operation];
	uint32_t depth = 0, count = 0, call = 0;

	for (; k < op->template_count && b->template.count < SPANS_MAX; k++) {
		const struct span_template *t = own(d, operation, k);

		if (count == 0 ? t->depth != 0 : t->depth == 0 || t->depth > depth + 1)
			break;
		depth = t->depth;
		put_span(b, d, t, 2 * k + 1, count++ == 0);
	}
	*next = k;
	for (uint32_t i = 0; callee != NULL && count > 0 && call == 0 &&
			     i < d->operation[*callee].template_count;
	     i++) {
		const struct span_template *t = own(d, *callee, i);

		if (!t->is_call || t->depth == 0 || t->depth > depth + 1)
			continue;
		call = count;
		put_span(b, d, t, 2 * i + 2, count++ == 0);
	}
	if (count == 0) { // not even a first span: a literal row
		column32_put(&b->template, 0);
		column32_put(&b->literal_size, 4);
		buf_put(&b->literal_data, "BLOB", 4);
		count = 1;
	}
	column32_put(&b->span_count, count);
	return call;
}

// Traces of two rows: an operation, and the next one as what it calls.
static void make_block(struct block *b, const struct dict *d)
{
	block_reset(b);
	for (uint32_t op = 0; op < d->operation_count && b->template.count < SPANS_MAX; op++) {
		uint32_t callee = (op + 1) % d->operation_count, k = 0, start;

		do {
			uint32_t call, ignored;

			start = k;
			put_row(b, d, op, 0, 0);
			call = put_spans(b, d, op, k, &callee, &k);
			put_row(b, d, callee, 1, call);
			put_spans(b, d, callee, 0, NULL, &ignored);
			column32_put(&b->trace_size, 2);
			column64_put(&b->trace_start_ms, 10);
		} while (k > start && k < d->operation[op].template_count &&
			 b->template.count < SPANS_MAX);
	}
}

static void check_block(const struct dict *d, const struct recipe *recipe, const void *payload,
			size_t size)
{
	struct err e = {0};
	struct block b;
	enum status s;

	block_init(&b);
	s = block_decode(payload, size, d, &b, &e);
	fuzz_check_error(s, &e);
	if (s == OK) {
		fuzz_render(d, recipe, &b);
		fuzz_block_again(d, &b);
	}
	block_free(&b);
}

// Through its bytes, as any block comes.
static void check_made_block(const struct dict *d, const struct recipe *recipe)
{
	struct block b;
	struct buf payload;

	if (d->operation_count == 0)
		return;
	block_init(&b);
	buf_init(&payload, BLOCK_PAYLOAD_MAX);
	make_block(&b, d);
	block_encode(&b, &payload);
	check_block(d, recipe, payload.data, payload.size);
	buf_free(&payload);
	block_free(&b);
}

// Writing what was read, and that again: the same bytes.
static void check_again(const struct dict *d)
{
	struct arena a = {0};
	struct err e = {0};
	struct dict again;
	struct buf first, second;

	buf_init(&first, BLOCK_PAYLOAD_MAX);
	buf_init(&second, BLOCK_PAYLOAD_MAX);
	dict_encode(d, &first);
	fuzz_must(!first.failed);
	fuzz_must(dict_decode(first.data, first.size, &a, &again, &e) == OK);
	dict_encode(&again, &second);
	fuzz_must(first.size == second.size);
	fuzz_must(memcmp(first.data, second.data, first.size) == 0);
	buf_free(&first);
	buf_free(&second);
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recipe recipe = fuzz_recipe();
	struct arena a = {0};
	struct err e = {0};
	struct dict d;
	uint32_t block_size;
	enum status s;

	if (size < HEAD_SIZE)
		return 0;
	if (data[0] & CHOICE_ARRIVAL)
		recipe.order = ORDER_ARRIVAL;
	block_size = load_le32(data + 1);
	data += HEAD_SIZE;
	size -= HEAD_SIZE;
	if (block_size > size)
		block_size = 0;
	s = dict_decode(data + block_size, size - block_size, &a, &d, &e);
	fuzz_check_error(s, &e);
	if (s == OK) {
		check_again(&d);
		check_made_block(&d, &recipe);
		if (block_size > 0)
			check_block(&d, &recipe, data, block_size);
	}
	arena_free(&a);
	return 0;
}
