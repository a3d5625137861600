// SPDX-License-Identifier: Apache-2.0
// A hand-made corpus of two blocks, three traces and six rows that has every kind of hole, both
// id styles, calls by own and callee's templates, and literal rows (one of them with a child).
// A header, because a unit test links its layer only. `test_corpus DIR` writes it as
// fixtures/golden/tiny has it.
#ifndef TESTS_TINY_CORPUS_H
#define TESTS_TINY_CORPUS_H

#include "common/corpus.h"

#define TINY_EPOCH_MS INT64_C(1767225600000)

static const struct recipe tiny_recipe = {
	.content_version = CONTENT_VERSION,
	.seed = 7,
	.spans = 6,
	.traces = 3,
	.services = 2,
	.instances = 3,
	.operations = 2,
	.window_ms = 1000,
	.block_traces = 2,
	.variants = 1,
	.row_bytes = 100,
	.errors_mpct = 5000,
	.order = ORDER_START,
	.base_epoch_ms = TINY_EPOCH_MS,
	.zipf_services_mpct = 80000,
	.zipf_operations_mpct = 80000,
	.class_simple_pct = 20,
	.class_medium_pct = 60,
	.zipf_services_top_mpct = 20000,
	.zipf_operations_top_mpct = 20000,
	.cardinality = 15000,
};

// Entry span: a tag whose value is a text with two holes.
static const struct piece tiny_entry[] = {
	{.hole = HOLE_SPAN_ID, .varint = 1},
	{.hole = HOLE_PARENT_SPAN_ID, .varint = 2},
	{.hole = HOLE_SPAN_START, .varint = 3},
	{.hole = HOLE_SPAN_END, .varint = 4},
	{.hole = HOLE_REFERENCE},
	{.literal = VIEW_INIT("\x32\x06GET:/a\x48\x03\x50\x0e")},
	{.message = 12, .child_count = 7},
	{.literal = VIEW_INIT("\x0a\x03url")},
	{.message = 2, .child_count = 5},
	{.literal = VIEW_INIT("http://")},
	{.hole = HOLE_OWN_PEER},
	{.literal = VIEW_INIT("/a/")},
	{.hole = HOLE_NUMBER},
	{.hole = HOLE_WORD},
};
static const struct piece tiny_local[] = {
	{.hole = HOLE_SPAN_ID, .varint = 1},
	{.hole = HOLE_PARENT_SPAN_ID, .varint = 2},
	{.hole = HOLE_SPAN_START, .varint = 3},
	{.hole = HOLE_SPAN_END, .varint = 4},
	{.literal = VIEW_INIT("\x32\x01L\x40\x02\x50\x5d")},
};
// Exit span of a database, in error: a number as varint field (SpanObject has none to spare;
// field 100 is an unknown one), a tag, a log.
static const struct piece tiny_db[] = {
	{.hole = HOLE_SPAN_ID, .varint = 1},
	{.hole = HOLE_PARENT_SPAN_ID, .varint = 2},
	{.hole = HOLE_SPAN_START, .varint = 3},
	{.hole = HOLE_SPAN_END, .varint = 4},
	{.literal = VIEW_INIT("\x32\x01Q\x3a\x07"
			      "db:3306\x40\x01\x48\x01\x50\x21\x58\x01")},
	{.message = 12, .child_count = 3},
	{.literal = VIEW_INIT("\x0a\x01k")},
	{.message = 2, .child_count = 1},
	{.hole = HOLE_HEX},
	{.message = 13, .child_count = 2},
	{.hole = HOLE_SPAN_END, .varint = 1},
	{.literal = VIEW_INIT("\x12\x05\x0a\x03"
			      "err")},
	{.hole = HOLE_NUMBER, .varint = 100},
};
// Exit span that an operation lends to its callers.
static const struct piece tiny_call[] = {
	{.hole = HOLE_SPAN_ID, .varint = 1},
	{.hole = HOLE_PARENT_SPAN_ID, .varint = 2},
	{.hole = HOLE_SPAN_START, .varint = 3},
	{.hole = HOLE_SPAN_END, .varint = 4},
	{.literal = VIEW_INIT("\x32\x02/a")},
	{.message = 7, .child_count = 1},
	{.hole = HOLE_CALLEE_PEER},
	{.literal = VIEW_INIT("\x40\x01\x48\x03\x50\x02")},
};

#define TINY_PIECES(array) .piece = (array), .piece_count = ARRAY_LEN(array)

// Tables that a test may change: its own copy.
struct tiny {
	struct service service[2];
	struct instance instance[3];
	struct operation operation[2];
	struct span_template template[7];
	struct view component[2], word[3];
	struct dict dict; // of the above
};

static inline void tiny_init(struct tiny *t)
{
	*t = (struct tiny){
		.service = {{VIEW("shop-front"), VIEW("shop-front:8080"), 0},
			    {VIEW("stock"), VIEW("stock:9090"), 2}},
		.instance = {{0, VIEW("shop-front-1@10.0.0.1"), ID_DOTTED,
			      VIEW("0123456789abcdef0123456789abcdef"), 0, 3},
			     {1, VIEW("stock-1@10.0.0.2"), ID_DOTTED,
			      VIEW("fedcba9876543210fedcba9876543210"), INT64_C(2211753600000),
			      -2},
			     {1, VIEW("stock-2"), ID_RAW, VIEW(""), 0, 0}},
		.operation = {{VIEW("GET:/a"), VIEW(""), 0, 1, 4},
			      {VIEW("GET:/b"), VIEW("broker-1:9092"), 1, 5, 2}},
		.template = {{0},
			     {.slot = 0, TINY_PIECES(tiny_entry)},
			     {.depth = 1, .slot = 1, TINY_PIECES(tiny_local)},
			     {.depth = 2, .slot = 2, .is_error = true, TINY_PIECES(tiny_db)},
			     {.depth = 1, .slot = 3, .is_call = true, TINY_PIECES(tiny_call)},
			     {.slot = 0, TINY_PIECES(tiny_entry)},
			     {.depth = 1, .slot = 1, .is_call = true, TINY_PIECES(tiny_call)}},
		.component = {VIEW("SpringMVC"), VIEW("Tomcat")},
		.word = {VIEW("alice"), VIEW(""),
			 VIEW("b\xc3\xb6"
			      "b")},
	};
	t->dict = (struct dict){
		t->service,	     t->instance,	   t->operation,
		t->template,	     t->component,	   t->word,
		.service_count = 2,  .instance_count = 3,  .operation_count = 2,
		.template_count = 7, .component_count = 2, .word_count = 3,
	};
}

static inline void tiny_put32(struct column32 *c, const uint32_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		column32_put(c, v[i]);
}
#define TINY_PUT32(column, ...)                                                                \
	tiny_put32(column, (const uint32_t[]){__VA_ARGS__},                                    \
		   ARRAY_LEN(((const uint32_t[]){__VA_ARGS__})))

// Block 0. Trace 0: row 0 (entry, local, database, call of row 1), row 1 (entry, call of row
// 2), row 2 (entry; raw ids). Trace 1: row 3, a literal blob with raw ids.
static inline void tiny_block0(struct block *b)
{
	block_reset(b);
	TINY_PUT32(&b->trace_size, 3, 1);
	column64_put(&b->trace_start_ms, 100);
	column64_put(&b->trace_start_ms, 7);
	TINY_PUT32(&b->instance, 0, 1, 2, 2);
	TINY_PUT32(&b->operation, 0, 1, 0, 1);
	TINY_PUT32(&b->parent, 0, 1, 1, 0);
	TINY_PUT32(&b->parent_span, 0, 3, 1, 0);
	TINY_PUT32(&b->start_ms, 0, 8, 9, 0); // zigzag: 0, +4, -5, 0
	TINY_PUT32(&b->latency_ms, 50, 20, 9, 1);
	TINY_PUT32(&b->is_error, 1, 0, 0, 0);
	TINY_PUT32(&b->thread, 5, 31, 0, 0);
	TINY_PUT32(&b->sequence, 17, 4999, 0, 0);
	TINY_PUT32(&b->span_count, 4, 2, 1, 1);
	TINY_PUT32(&b->template, 1, 3, 5, 4, 1, 8, 1, 0);
	TINY_PUT32(&b->span_start_ms, 3, 0, 20, 1);
	TINY_PUT32(&b->span_duration_ms, 25, 10, 22, 2);
	column64_put(&b->number_value, 0);
	column64_put(&b->number_value, 300);
	column64_put(&b->number_value, UINT64_MAX);
	column64_put(&b->number_value, 42);
	column64_put(&b->hex_value, UINT64_C(0x0123456789abcdef));
	TINY_PUT32(&b->word_value, 0, 2, 1);
	TINY_PUT32(&b->literal_size, 4);
	buf_put(&b->literal_data, "BLOB", 4);
	for (uint8_t i = 0; i < 48; i++)
		buf_put_u8(&b->id_value, i);
}

// Block 1. Trace 2: row 0, an empty literal blob, calls row 1 (entry) from a span that only the
// blob knows.
static inline void tiny_block1(struct block *b)
{
	block_reset(b);
	b->number = 1;
	b->first_trace = 2;
	b->first_row = 4;
	TINY_PUT32(&b->trace_size, 2);
	column64_put(&b->trace_start_ms, 800);
	TINY_PUT32(&b->instance, 0, 1);
	TINY_PUT32(&b->operation, 0, 1);
	TINY_PUT32(&b->parent, 0, 1);
	TINY_PUT32(&b->parent_span, 0, 7);
	TINY_PUT32(&b->start_ms, 0, 2);
	TINY_PUT32(&b->latency_ms, 6, 5);
	TINY_PUT32(&b->is_error, 0, 0);
	TINY_PUT32(&b->thread, 1, 2);
	TINY_PUT32(&b->sequence, 3, 4);
	TINY_PUT32(&b->span_count, 1, 1);
	TINY_PUT32(&b->template, 0, 1);
	column64_put(&b->number_value, 1);
	TINY_PUT32(&b->word_value, 0);
	TINY_PUT32(&b->literal_size, 0);
}

// Writes the corpus into dir; file_max: as in corpus_writer_options.
static inline enum status tiny_write(const char *dir, uint64_t file_max, struct manifest *m,
				     struct err *e)
{
	static char title[] = "Tiny \"corpus\"", description[] = "Six rows made by hand.",
		    licence[] = "Apache-2.0", generator[] = "tiny_corpus.h";
	const struct about about = {title, description, licence, generator, NULL};
	struct frame_writer *frames = frame_writer_new(3);
	struct corpus_writer *w = NULL;
	struct corpus_dir where;
	struct buf dict, frame;
	struct block b;
	struct tiny t;
	enum status s;

	tiny_init(&t);
	block_init(&b);
	buf_init(&dict, MIB);
	buf_init(&frame, MIB);
	dict_encode(&t.dict, &dict);
	s = corpus_dir_open(&where, dir, (struct shard){0, 0}, false, e);
	if (s == OK)
		s = corpus_writer_open(
			&w, &where,
			&(struct corpus_writer_options){
				.recipe = &tiny_recipe,
				.about = &about,
				.dict_bytes = {(const char *)dict.data, dict.size},
				.epoch_ms = TINY_EPOCH_MS,
				.end_block = 2,
				.file_max_bytes = file_max},
			e);
	for (int i = 0; i < 2 && s == OK; i++) {
		struct block_header h = {
			.min_start_ms = (UINT64_C(1) << 32) + (i == 0 ? 95 : 799),
			.max_start_ms = (UINT64_C(1) << 32) + (i == 0 ? 107 : 803),
		};

		if (i == 0)
			tiny_block0(&b);
		else
			tiny_block1(&b);
		s = frame_write_block(frames, &b, &h, &frame, e);
		if (s == OK)
			s = corpus_writer_add(w, &h, &frame, e);
	}
	if (s == OK)
		s = corpus_writer_finish(w, m, e);
	else
		corpus_writer_abort(w);
	corpus_dir_close(&where);
	block_free(&b);
	buf_free(&dict);
	buf_free(&frame);
	frame_writer_free(frames);
	return s;
}

#endif
