// SPDX-License-Identifier: Apache-2.0
// Dictionary: round trip, and everything a decoder must refuse.
#include "tests/unit/common/tiny_corpus.h"
#include "tests/unit/common/unit.h"

#include "common/pb.h"

static void encode(const struct dict *d, struct buf *out)
{
	buf_init(out, MIB);
	dict_encode(d, out);
	assert_false(out->failed);
}

// Decodes a copy of exactly the input's size, so that a sanitizer sees one byte too many. Who
// keeps no pieces must be told the same.
static enum status decode(const void *data, size_t size, struct err *e)
{
	void *copy = malloc(size > 0 ? size : 1);
	struct arena a = {0};
	struct err apart = {0};
	struct dict out;
	enum status s;

	memcpy(copy, data, size);
	s = dict_decode(copy, size, &a, &out, e);
	assert_int_equal(dict_decode_apart(copy, size, &a, NULL, &out, &apart), s);
	if (s != OK)
		assert_string_equal(apart.text, e->text);
	arena_free(&a);
	free(copy);
	return s;
}

static enum status add_part(void *ctx, struct view part, struct err *e)
{
	(void)e;
	buf_put_view(ctx, part);
	return OK;
}

static enum status refuse_part(void *ctx, struct view part, struct err *e)
{
	(void)part;
	++*(unsigned *)ctx;
	return err_set(e, ERR_IO, "no room");
}

#define MANY 40000u // words: more than a megabyte

static void parts_are_the_whole(void **state)
{
	struct buf whole, parts;
	struct view *many = mem_alloc(MANY * sizeof(*many));
	unsigned calls = 0;
	struct tiny t;
	struct err e = {0};

	(void)state;
	tiny_init(&t);
	for (size_t i = 0; i < MANY; i++)
		many[i] = VIEW("a word of a dictionary of some parts");
	t.dict.word = many;
	t.dict.word_count = MANY;
	buf_init(&whole, 8 * MIB);
	buf_init(&parts, 8 * MIB);
	dict_encode(&t.dict, &whole);
	assert_true(whole.size > MIB && !whole.failed);
	assert_int_equal(dict_encoded_size(&t.dict), whole.size);
	assert_ok(dict_encode_parts(&t.dict, &(struct dict_sink){add_part, &parts}, &e), e);
	assert_int_equal(parts.size, whole.size);
	assert_memory_equal(parts.data, whole.data, whole.size);
	assert_int_equal(
		dict_encode_parts(&t.dict, &(struct dict_sink){refuse_part, &calls}, &e),
		ERR_IO);
	assert_int_equal(calls, 1);
	buf_free(&whole);
	buf_free(&parts);
	free(many);
}

static void check_without_pieces(const struct dict *with, const struct dict *without)
{
	assert_int_equal(without->template_count, with->template_count);
	for (uint32_t i = 0; i < with->template_count; i++) {
		const struct span_template *a = &with->template[i], *b = &without->template[i];

		assert_null(b->piece);
		assert_int_equal(b->piece_count, 0);
		assert_int_equal(b->depth, a->depth);
		assert_int_equal(b->numbers, a->numbers);
		assert_int_equal(b->hexes, a->hexes);
		assert_int_equal(b->words, a->words);
		assert_int_equal(b->is_call, a->is_call);
	}
}

static void pieces_can_go(void **state)
{
	struct arena a = {0}, pieces = {0};
	struct dict whole, apart, without;
	struct buf bytes, again;
	struct tiny t;
	struct err e;

	(void)state;
	tiny_init(&t);
	encode(&t.dict, &bytes);
	assert_ok(dict_decode(bytes.data, bytes.size, &a, &whole, &e), e);
	assert_ok(dict_decode_apart(bytes.data, bytes.size, &a, &pieces, &apart, &e), e);
	encode(&apart, &again);
	assert_int_equal(again.size, bytes.size);
	assert_memory_equal(again.data, bytes.data, bytes.size);
	dict_forget_pieces(&apart);
	arena_free(&pieces);
	check_without_pieces(&whole, &apart);
	assert_ok(dict_decode_apart(bytes.data, bytes.size, &a, NULL, &without, &e), e);
	check_without_pieces(&whole, &without);
	buf_free(&bytes);
	buf_free(&again);
	arena_free(&a);
}

static void round_trip_keeps_everything(void **state)
{
	struct arena a = {0};
	struct buf first, second;
	struct dict out;
	struct tiny t;
	struct err e;

	(void)state;
	tiny_init(&t);
	encode(&t.dict, &first);
	assert_ok(dict_decode(first.data, first.size, &a, &out, &e), e);
	assert_int_equal(out.instance_count, 3);
	assert_int_equal(out.instance[1].clock_skew_ms, -2);
	assert_true(out.instance[1].id_clock_ms == INT64_C(2211753600000));
	assert_true(view_equal(out.word[1], VIEW("")));
	assert_int_equal(out.word_count, 3);
	assert_int_equal(out.template[1].piece_count, ARRAY_LEN(tiny_entry));
	assert_int_equal(out.template[1].piece[6].child_count, 7);
	assert_int_equal(out.template[1].piece[8].child_count, 5);
	assert_int_equal(out.template[1].numbers, 1);
	assert_int_equal(out.template[1].words, 1);
	assert_int_equal(out.template[3].hexes, 1);
	assert_true(out.template[3].is_error);
	assert_true(out.template[4].is_call);
	encode(&out, &second);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.data, second.data, first.size);
	buf_free(&first);
	buf_free(&second);
	arena_free(&a);
}

static void no_service_name(struct tiny *t)
{
	t->service[1].name = VIEW("");
}
static void service_not_utf8(struct tiny *t)
{
	t->service[0].peer = VIEW("\xff");
}
static void instance_of_nobody(struct tiny *t)
{
	t->instance[2].service = 2;
}
static void unknown_id_style(struct tiny *t)
{
	t->instance[0].id_style = 2;
}
static void short_prefix(struct tiny *t)
{
	t->instance[0].id_prefix.size = 31;
}
static void same_prefix(struct tiny *t)
{
	t->instance[1].id_prefix = t->instance[0].id_prefix;
}
static void raw_with_prefix(struct tiny *t)
{
	t->instance[2].id_prefix = t->instance[0].id_prefix;
}
static void negative_clock(struct tiny *t)
{
	t->instance[0].id_clock_ms = -1;
}
static void component_of_nobody(struct tiny *t)
{
	t->operation[0].component = 2;
}
static void literal_template_owned(struct tiny *t)
{
	t->operation[0].first_template = 0;
}
static void templates_past_the_end(struct tiny *t)
{
	t->operation[1].template_count = 3;
}
static void template0_not_empty(struct tiny *t)
{
	t->template[0] = t->template[1];
}
static void no_templates(struct tiny *t)
{
	t->dict.template_count = 0;
}

static const struct piece unknown_hole[] = {{.hole = 22, .varint = 1}};
static const struct piece two_at_once[] = {{.literal = VIEW_INIT("x"), .hole = HOLE_WORD}};
static const struct piece nothing[] = {{.hole = HOLE_NONE}};
static const struct piece word_varint[] = {{.hole = HOLE_WORD, .varint = 3}};
static const struct piece start_as_text[] = {{.hole = HOLE_SPAN_START}};
static const struct piece hole_with_child[] = {{.hole = HOLE_WORD, .child_count = 1},
					       {.hole = HOLE_WORD}};
static const struct piece field_number[] = {{.message = 1u << 29}};

#define WITH_PIECES(name)                                                                      \
	static void use_##name(struct tiny *t)                                                 \
	{                                                                                      \
		t->template[2].piece = name;                                                   \
		t->template[2].piece_count = ARRAY_LEN(name);                                  \
	}
WITH_PIECES(unknown_hole)
WITH_PIECES(two_at_once)
WITH_PIECES(nothing)
WITH_PIECES(word_varint)
WITH_PIECES(start_as_text)
WITH_PIECES(hole_with_child)
WITH_PIECES(field_number)

static struct piece nested[PIECE_NESTING_MAX + 3];
static void nested_too_deep(struct tiny *t)
{
	for (uint32_t i = 0; i < ARRAY_LEN(nested); i++)
		nested[i] = (struct piece){
			.message = 1, .child_count = (uint16_t)(ARRAY_LEN(nested) - 1 - i)};
	t->template[2].piece = nested;
	t->template[2].piece_count = ARRAY_LEN(nested);
}

#define NEWER " (made by a newer version? use that one to read it)"

static void decoder_refuses(void **state)
{
	static const struct {
		void (*change)(struct tiny *);
		enum status code;
		const char *text;
	} cases[] = {
		{no_service_name, ERR_FORMAT, "dictionary: service 1: has no name"},
		{service_not_utf8, ERR_FORMAT,
		 "dictionary: service 0: a text is not valid UTF-8"},
		{instance_of_nobody, ERR_FORMAT,
		 "dictionary: instance 2: service index is out of range"},
		{unknown_id_style, ERR_VERSION,
		 "dictionary: instance 0: unknown id style 2" NEWER},
		{short_prefix, ERR_FORMAT,
		 "dictionary: instance 0: id prefix is not 32 lower-case hex digits"},
		{same_prefix, ERR_FORMAT,
		 "dictionary: two instances share the id prefix "
		 "0123456789abcdef0123456789abcdef"},
		{raw_with_prefix, ERR_FORMAT,
		 "dictionary: instance 2: raw ids have neither prefix nor clock"},
		{negative_clock, ERR_FORMAT,
		 "dictionary: instance 0: id clock is out of range"},
		{component_of_nobody, ERR_FORMAT,
		 "dictionary: operation 0: component index is out of range"},
		{literal_template_owned, ERR_FORMAT,
		 "dictionary: operation 0: templates are out of range"},
		{templates_past_the_end, ERR_FORMAT,
		 "dictionary: operation 1: templates are out of range"},
		{template0_not_empty, ERR_FORMAT,
		 "dictionary: template 0: is not empty, as the literal blob must be"},
		{no_templates, ERR_FORMAT, "dictionary: template 0 is missing"},
		{use_unknown_hole, ERR_VERSION,
		 "dictionary: template 2: unknown kind of hole 22" NEWER},
		{use_two_at_once, ERR_FORMAT,
		 "dictionary: template 2: a piece is not exactly one of literal, hole, "
		 "message, text"},
		{use_nothing, ERR_FORMAT,
		 "dictionary: template 2: a piece is not exactly one of literal, hole, "
		 "message, text"},
		{use_word_varint, ERR_FORMAT,
		 "dictionary: template 2: a varint field is not a number"},
		{use_start_as_text, ERR_FORMAT,
		 "dictionary: template 2: a span's own number is not a varint field"},
		{use_hole_with_child, ERR_FORMAT,
		 "dictionary: template 2: a piece that is no message has pieces"},
		{use_field_number, ERR_FORMAT,
		 "dictionary: template 2: a field number is out of range"},
		{nested_too_deep, ERR_FORMAT,
		 "dictionary: template 2: messages are nested too deep"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tiny t;
		struct buf bytes;
		struct err e = {0};

		tiny_init(&t);
		cases[i].change(&t);
		encode(&t.dict, &bytes);
		assert_fails(decode(bytes.data, bytes.size, &e), e, cases[i].code,
			     cases[i].text);
		buf_free(&bytes);
	}
}

// A template with as many pieces as there may be, and with one more.
static void pieces_of_a_template_are_limited(void **state)
{
	static struct piece many[TEMPLATE_PIECES_MAX + 1];
	struct tiny t;
	struct buf bytes;
	struct err e = {0};

	(void)state;
	tiny_init(&t);
	for (uint32_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct piece){.literal = VIEW("x")};
	t.template[2].piece = many;
	t.template[2].piece_count = TEMPLATE_PIECES_MAX;
	encode(&t.dict, &bytes);
	assert_ok(decode(bytes.data, bytes.size, &e), e);
	buf_free(&bytes);
	many[0] = (struct piece){.message = 1, .child_count = TEMPLATE_PIECES_MAX};
	encode(&t.dict, &bytes);
	assert_fails(decode(bytes.data, bytes.size, &e), e, ERR_FORMAT,
		     "dictionary: template 2: has too many pieces");
	buf_free(&bytes);
}

static void unknown_field_is_a_newer_version(void **state)
{
	struct tiny t;
	struct buf bytes;
	struct err e;

	(void)state;
	tiny_init(&t);
	encode(&t.dict, &bytes);
	pb_put_uint(&bytes, 8, 1);
	assert_fails(decode(bytes.data, bytes.size, &e), e, ERR_VERSION,
		     "dictionary: unknown field 8" NEWER);
	buf_free(&bytes);
}

// Cut or changed bytes: an error or another dictionary, never a read outside.
static void hostile_bytes_are_survived(void **state)
{
	struct tiny t;
	struct buf bytes;
	struct err e;
	size_t failed = 0;

	(void)state;
	tiny_init(&t);
	encode(&t.dict, &bytes);
	for (size_t i = 0; i < bytes.size; i++)
		failed += decode(bytes.data, i, &e) != OK;
	assert_true(failed > bytes.size * 9 / 10);
	for (size_t i = 0; i < bytes.size; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes.data[i] ^= (uint8_t)(1u << bit);
			failed += decode(bytes.data, bytes.size, &e) != OK;
			bytes.data[i] ^= (uint8_t)(1u << bit);
		}
	}
	assert_true(failed > bytes.size);
	assert_ok(decode(bytes.data, bytes.size, &e), e);
	buf_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_the_whole),
		cmocka_unit_test(round_trip_keeps_everything),
		cmocka_unit_test(pieces_can_go),
		cmocka_unit_test(decoder_refuses),
		cmocka_unit_test(pieces_of_a_template_are_limited),
		cmocka_unit_test(unknown_field_is_a_newer_version),
		cmocka_unit_test(hostile_bytes_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
