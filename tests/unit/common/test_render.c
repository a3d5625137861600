// SPDX-License-Identifier: Apache-2.0
// render: a hand-made trace of three rows against the same segments written forwards, field by
// field.
#include "tests/unit/common/unit.h"

#include "common/pb.h"
#include "common/render.h"
#include "common/render_private.h"
#include "common/rng.h"

#define EPOCH INT64_C(1717200000000)
#define BASE INT64_C(1767225600000)

static struct service services[] = {
	{VIEW_INIT("shop-front"), VIEW_INIT("shop-front:8080"), 0},
	{VIEW_INIT("stock"), VIEW_INIT("stock:9090"), 2},
};
static struct instance instances[] = {
	{0, VIEW_INIT("shop-front-1@10.0.0.1"), ID_DOTTED,
	 VIEW_INIT("0123456789abcdef0123456789abcdef"), 0, 3},
	{1, VIEW_INIT("stock-1@10.0.0.2"), ID_DOTTED,
	 VIEW_INIT("fedcba9876543210fedcba9876543210"), 0, -2},
	{1, VIEW_INIT("stock-2"), ID_RAW, VIEW_INIT(""), 0, 0},
};

// Entry span: http tag with a NUMBER hole in its value.
static const struct piece entry_pieces[] = {
	{.hole = HOLE_SPAN_ID, .varint = 1},
	{.hole = HOLE_PARENT_SPAN_ID, .varint = 2},
	{.hole = HOLE_SPAN_START, .varint = 3},
	{.hole = HOLE_SPAN_END, .varint = 4},
	{.hole = HOLE_REFERENCE},
	{.literal = VIEW_INIT("\x32\x06GET:/a\x48\x03\x50\x0e")},
	{.message = 12, .child_count = 6},
	{.literal = VIEW_INIT("\x0a\x03url")},
	{.message = 2, .child_count = 4},
	{.literal = VIEW_INIT("http://")},
	{.hole = HOLE_OWN_PEER},
	{.literal = VIEW_INIT("/a/")},
	{.hole = HOLE_NUMBER},
};
// Local span, depth 1.
static const struct piece local_pieces[] = {
	{.hole = HOLE_SPAN_ID, .varint = 1},
	{.hole = HOLE_PARENT_SPAN_ID, .varint = 2},
	{.hole = HOLE_SPAN_START, .varint = 3},
	{.hole = HOLE_SPAN_END, .varint = 4},
	{.literal = VIEW_INIT("\x32\x01L\x40\x02\x50\x5d")},
};
// Exit Database, depth 2, in error: HEX and WORD holes, a log.
static const struct piece db_pieces[] = {
	{.hole = HOLE_SPAN_ID, .varint = 1},
	{.hole = HOLE_PARENT_SPAN_ID, .varint = 2},
	{.hole = HOLE_SPAN_START, .varint = 3},
	{.hole = HOLE_SPAN_END, .varint = 4},
	{.literal = VIEW_INIT("\x32\x01Q\x3a\x07"
			      "db:3306\x40\x01\x48\x01\x50\x21\x58\x01")},
	{.message = 12, .child_count = 4},
	{.literal = VIEW_INIT("\x0a\x01k")},
	{.message = 2, .child_count = 2},
	{.hole = HOLE_HEX},
	{.hole = HOLE_WORD},
	{.message = 13, .child_count = 2},
	{.hole = HOLE_SPAN_END, .varint = 1},
	{.literal = VIEW_INIT("\x12\x05\x0a\x03"
			      "err")},
};
// Exit that callers of the operation use.
static const struct piece call_pieces[] = {
	{.hole = HOLE_SPAN_ID, .varint = 1},
	{.hole = HOLE_PARENT_SPAN_ID, .varint = 2},
	{.hole = HOLE_SPAN_START, .varint = 3},
	{.hole = HOLE_SPAN_END, .varint = 4},
	{.literal = VIEW_INIT("\x32\x02/a")},
	{.message = 7, .child_count = 1},
	{.hole = HOLE_CALLEE_PEER},
	{.literal = VIEW_INIT("\x40\x01\x48\x03\x50\x02")},
};

static struct span_template templates[] = {
	{0},
	{.depth = 0, .piece = entry_pieces, .piece_count = ARRAY_LEN(entry_pieces)},
	{.depth = 1, .piece = local_pieces, .piece_count = ARRAY_LEN(local_pieces)},
	{.depth = 2, .is_error = true, .piece = db_pieces, .piece_count = ARRAY_LEN(db_pieces)},
	{.depth = 1,
	 .is_call = true,
	 .piece = call_pieces,
	 .piece_count = ARRAY_LEN(call_pieces)},
};
static struct operation operations[] = {
	{VIEW_INIT("GET:/a"), VIEW_INIT(""), 0, 1, 4},
	{VIEW_INIT("GET:/b"), VIEW_INIT("broker-1:9092;broker-2:9092"), 1, 1, 4},
};
static struct view components[] = {VIEW_INIT("SpringMVC"), VIEW_INIT("Tomcat")};
static struct view words[] = {VIEW_INIT("alice"), VIEW_INIT("bob")};

static const struct dict dict = {
	services, instances, operations, templates, components, words, NULL, 2,
	3,	  2,	     5,		 2,	    2,		0,     NULL,
};
static const struct recipe recipe = {.base_epoch_ms = BASE, .order = ORDER_START};

static void put32(struct column32 *c, const uint32_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		column32_put(c, v[i]);
}
#define PUT32(column, ...)                                                                     \
	put32(column, (const uint32_t[]){__VA_ARGS__},                                         \
	      ARRAY_LEN(((const uint32_t[]){__VA_ARGS__})))

// Trace 0: row 0 (instance 0, entry, call, local, db, in error) calls row 1 (instance 1, entry
// only). Trace 1: row 2, a literal blob of a RAW instance that starts first.
static void make_block(struct block *b)
{
	block_init(b);
	b->first_row = 5000 * 3 + 7;
	PUT32(&b->trace_size, 2, 1);
	column64_put(&b->trace_start_ms, 100);
	column64_put(&b->trace_start_ms, 1);
	PUT32(&b->instance, 0, 1, 2);
	PUT32(&b->operation, 0, 1, 0);
	PUT32(&b->parent, 0, 1, 0);
	PUT32(&b->parent_span, 0, 1, 0);
	PUT32(&b->start_ms, 0, 8, 199); // zigzag: 0, +4, -100
	PUT32(&b->latency_ms, 50, 20, 9);
	PUT32(&b->is_error, 1, 0, 0);
	PUT32(&b->thread, 5, 31, 0);
	PUT32(&b->sequence, 17, 4999, 0);
	PUT32(&b->span_count, 4, 1, 1);
	PUT32(&b->template, 1, 8, 3, 5, 1, 0);
	PUT32(&b->span_start_ms, 3, 30, 1);
	PUT32(&b->span_duration_ms, 25, 10, 2);
	column64_put(&b->number_value, 0);
	column64_put(&b->number_value, 18446744073709551615u);
	column64_put(&b->hex_value, 0xabc);
	PUT32(&b->word_value, 1);
	PUT32(&b->literal_size, 4);
	buf_put(&b->literal_data, "BLOB", 4);
	for (uint8_t i = 0; i < 32; i++)
		buf_put_u8(&b->id_value, i);
}

static const char segment0[] = "0123456789abcdef0123456789abcdef.121.17672256001030034";
static const char trace0[] = "0123456789abcdef0123456789abcdef.121.17672256001030035";
static const char segment1[] = "fedcba9876543210fedcba9876543210.147.17672256001029998";

static void put_message(struct buf *b, uint32_t field, const struct buf *m)
{
	pb_put_bytes(b, field, m->data, m->size);
}

static void put_pair(struct buf *b, const char *key, const char *value)
{
	struct buf m;

	buf_init(&m, KIB);
	pb_put_string(&m, 1, key);
	pb_put_string(&m, 2, value);
	put_message(b, 12, &m);
	buf_free(&m);
}

static void put_times(struct buf *b, uint32_t id, uint64_t parent, int64_t start,
		      uint32_t duration)
{
	pb_put_uint_nz(b, 1, id);
	pb_put_uint_nz(b, 2, parent);
	pb_put_uint(b, 3, (uint64_t)start);
	pb_put_uint(b, 4, (uint64_t)start + duration);
}

// Row 0, spans in finish order: call, db, local, entry.
static void expect_row0(struct buf *out)
{
	int64_t start = EPOCH + 100 + 3;
	struct buf s, m;

	buf_init(&s, 4 * KIB);
	buf_init(&m, 4 * KIB);
	pb_put_string(out, 1, trace0);
	pb_put_string(out, 2, segment0);

	put_times(&s, 1, 0, start + 3, 25);
	pb_put_string(&s, 6, "/a");
	pb_put_string(&s, 7, "broker-1:9092;broker-2:9092");
	pb_put_uint(&s, 8, 1);
	pb_put_uint(&s, 9, 3);
	pb_put_uint(&s, 10, 2);
	put_message(out, 3, &s);

	buf_clear(&s);
	put_times(&s, 3, 2, start + 34, 2);
	pb_put_string(&s, 6, "Q");
	pb_put_string(&s, 7, "db:3306");
	pb_put_uint(&s, 8, 1);
	pb_put_uint(&s, 9, 1);
	pb_put_uint(&s, 10, 33);
	pb_put_uint(&s, 11, 1);
	put_pair(&s, "k", "0000000000000abcbob");
	pb_put_uint(&m, 1, (uint64_t)start + 36);
	pb_put_bytes(&m, 2,
		     "\x0a\x03"
		     "err",
		     5);
	put_message(&s, 13, &m);
	put_message(out, 3, &s);

	buf_clear(&s);
	put_times(&s, 2, 0, start + 33, 10);
	pb_put_string(&s, 6, "L");
	pb_put_uint(&s, 8, 2);
	pb_put_uint(&s, 10, 93);
	put_message(out, 3, &s);

	buf_clear(&s);
	put_times(&s, 0, UINT64_MAX, start, 50);
	pb_put_string(&s, 6, "GET:/a");
	pb_put_uint(&s, 9, 3);
	pb_put_uint(&s, 10, 14);
	put_pair(&s, "url", "http://shop-front:8080/a/0");
	put_message(out, 3, &s);

	pb_put_string(out, 4, "shop-front");
	pb_put_string(out, 5, "shop-front-1@10.0.0.1");
	buf_free(&s);
	buf_free(&m);
}

static void expect_row1(struct buf *out)
{
	int64_t start = EPOCH + 100 + 4 - 2;
	struct buf s, m;

	buf_init(&s, 4 * KIB);
	buf_init(&m, 4 * KIB);
	pb_put_string(out, 1, trace0);
	pb_put_string(out, 2, segment1);
	put_times(&s, 0, UINT64_MAX, start, 20);
	pb_put_string(&m, 2, trace0);
	pb_put_string(&m, 3, segment0);
	pb_put_uint(&m, 4, 1);
	pb_put_string(&m, 5, "shop-front");
	pb_put_string(&m, 6, "shop-front-1@10.0.0.1");
	pb_put_string(&m, 7, "GET:/a");
	pb_put_string(&m, 8, "broker-1:9092;broker-2:9092");
	put_message(&s, 5, &m);
	pb_put_string(&s, 6, "GET:/a");
	pb_put_uint(&s, 9, 3);
	pb_put_uint(&s, 10, 14);
	put_pair(&s, "url", "http://broker-1:9092;broker-2:9092/a/18446744073709551615");
	put_message(out, 3, &s);
	pb_put_string(out, 4, "stock");
	pb_put_string(out, 5, "stock-1@10.0.0.2");
	buf_free(&s);
	buf_free(&m);
}

struct fixture {
	struct render *r;
	struct render_block rb;
	struct block b;
	struct buf out;
};

static int set_up(void **state)
{
	struct fixture *f = mem_zalloc(1, sizeof(*f));
	struct err e = {0};

	assert_ok(render_new(&f->r, &dict, &recipe, &e), e);
	make_block(&f->b);
	render_block_init(&f->rb, f->r);
	render_block_set(&f->rb, &f->b);
	buf_init(&f->out, 2 * ROW_BLOB_MAX);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	buf_free(&f->out);
	render_block_free(&f->rb);
	block_free(&f->b);
	render_free(f->r);
	free(f);
	return 0;
}

static void assert_view(struct view v, const char *text)
{
	assert_int_equal(v.size, strlen(text));
	assert_memory_equal(v.data, text, v.size);
}

static void blobs_equal_forward_encoding(void **state)
{
	struct fixture *f = *state;
	void (*const expect[])(struct buf *) = {expect_row0, expect_row1};
	struct err e = {0};

	for (uint32_t row = 0; row < 2; row++) {
		struct buf want;
		struct row r;

		buf_init(&want, 16 * KIB);
		expect[row](&want);
		assert_ok(render_row(&f->rb, row, EPOCH, &f->out, &r, &e), e);
		assert_int_equal(r.blob.size, want.size);
		assert_memory_equal(r.blob.data, want.data, want.size);
		buf_free(&want);
	}
}

static void sizes_need_no_rendering(void **state)
{
	struct fixture *f = *state;
	struct render *sizes;
	struct render_block rb;
	struct err e = {0};

	assert_ok(render_new_sizes(&sizes, f->rb.r->dict, f->rb.r->recipe, &e), e);
	render_block_init(&rb, sizes);
	render_block_set(&rb, f->rb.b);
	for (uint32_t row = 0; row < rb.rows; row++) {
		struct row r;
		size_t size, same;

		assert_ok(render_row(&f->rb, row, EPOCH, &f->out, &r, &e), e);
		assert_ok(render_row_size(&rb, row, EPOCH, &size, &e), e);
		assert_ok(render_row_size(&f->rb, row, EPOCH, &same, &e), e);
		assert_int_equal(size, row_size(&r));
		assert_int_equal(same, size);
	}
	render_block_free(&rb);
	render_free(sizes);
}

static void columns_say_the_same(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	struct row r;

	assert_ok(render_columns(&f->rb, 1, &f->out, EPOCH, &r, &e), e);
	assert_view(r.service_id, "c3RvY2s=.1");
	assert_view(r.service_instance_id, "c3RvY2s=.1_c3RvY2stMUAxMC4wLjAuMg==");
	assert_view(r.trace_id, trace0);
	assert_view(r.span_id, segment1);
	assert_view(r.parent_span_id, segment0);
	assert_view(r.operation_name, "GET:/b");
	assert_view(r.component, "Tomcat");
	assert_int_equal(r.start_ms, EPOCH + 102);
	assert_int_equal(r.latency_ms, 20);
	assert_false(r.is_error);
	assert_int_equal(r.blob.size, 0);
	assert_int_equal(row_size(&r), 10 + 35 + 3 * 54 + 13 + 2 + 1 + 6 + 6);

	assert_ok(render_columns(&f->rb, 0, &f->out, EPOCH, &r, &e), e);
	assert_true(r.is_error);
	assert_int_equal(r.parent_span_id.size, 0);
	assert_int_equal(r.start_ms, EPOCH + 103);
}

static void literal_row_is_copied_and_raw_ids_are_hex(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	struct row r;

	assert_ok(render_row(&f->rb, 2, EPOCH, &f->out, &r, &e), e);
	assert_view(r.blob, "BLOB");
	assert_view(r.span_id, "000102030405060708090a0b0c0d0e0f");
	assert_view(r.trace_id, "101112131415161718191a1b1c1d1e1f");
	assert_int_equal(r.start_ms, EPOCH + 1);
}

static void output_order_is_by_start(void **state)
{
	struct fixture *f = *state;

	// Starts with skew: row 0 at 103, row 1 at 102, row 2 at 1.
	assert_int_equal(f->rb.order[0], 2);
	assert_int_equal(f->rb.order[1], 1);
	assert_int_equal(f->rb.order[2], 0);
}

// Without late rows: 2, 1, 0. Row 2 late behind row 1, then a copy of row 1 behind row 2.
static void late_rows_and_copies_have_their_places(void **state)
{
	static const uint32_t wanted[] = {1, 2, 1, 0};
	struct fixture *f = *state;

	column32_put(&f->b.late_row, 2);
	column32_put(&f->b.late_by, 1);
	column32_put(&f->b.duplicate_row, 1);
	column32_put(&f->b.duplicate_by, 1);
	render_block_set(&f->rb, &f->b);
	assert_int_equal(f->rb.rows, 3);
	assert_int_equal(f->rb.outputs, 4);
	assert_memory_equal(f->rb.order, wanted, sizeof(wanted));
	assert_memory_equal(f->rb.is_copy, "\0\0\1\0", 4);
	f->b.duplicate_row.count = f->b.duplicate_by.count = 0;
	render_block_set(&f->rb, &f->b);
	assert_int_equal(f->rb.outputs, 3);
	assert_memory_equal(f->rb.is_copy, "\0\0\0", 3);
}

static void epoch_moves_times_only(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	struct row a, b;
	struct buf other;
	size_t different = 0;

	buf_init(&other, 2 * ROW_BLOB_MAX);
	assert_ok(render_row(&f->rb, 0, EPOCH, &f->out, &a, &e), e);
	assert_ok(render_row(&f->rb, 0, EPOCH + 1, &other, &b, &e), e);
	assert_int_equal(a.blob.size, b.blob.size);
	for (size_t i = 0; i < a.blob.size; i++)
		different += a.blob.data[i] != b.blob.data[i];
	assert_int_equal(different, 9); // eight span times and a log time, one byte each
	assert_int_equal(b.start_ms, a.start_ms + 1);
	assert_true(view_equal(a.span_id, b.span_id));
	buf_free(&other);
}

static void an_area_too_small_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	uint8_t area[4096];
	struct row r;
	size_t size;

	assert_ok(render_row(&f->rb, 0, EPOCH, &f->out, &r, &e), e);
	size = r.blob.size;
	for (size_t room = 0; room < size + RENDER_SLACK; room++)
		assert_null(render_blob_backward(&f->rb, 0, EPOCH, area, room));
	assert_ptr_equal(render_blob_backward(&f->rb, 0, EPOCH, area, size + RENDER_SLACK),
			 area + RENDER_SLACK);
	assert_memory_equal(area + RENDER_SLACK, r.blob.data, size);

	buf_free(&f->out);
	buf_init(&f->out, 100);
	assert_fails(render_row(&f->rb, 0, EPOCH, &f->out, &r, &e), e, ERR_LIMIT, e.text);
}

static void check_decimal(uint64_t v)
{
	char text[DECIMAL_MAX + 1], wanted[32];

	snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)v);
	text[DECIMAL_MAX] = '\0';
	assert_string_equal(decimal_backward(text + DECIMAL_MAX, v), wanted);
}

static void decimals_are_those_of_printf(void **state)
{
	uint64_t power = 1;

	(void)state;
	for (uint64_t v = 0; v < 20000; v++)
		check_decimal(v);
	for (unsigned digits = 1; digits <= 20; digits++, power *= 10) {
		for (uint64_t i = 0; i < 10; i++)
			check_decimal(power - 5 + i);
	}
	for (uint64_t i = 0; i < 20000; i++)
		check_decimal(rng_draw(1, i) >> i % 64);
	check_decimal(UINT64_MAX);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(blobs_equal_forward_encoding), T(sizes_need_no_rendering),
		T(columns_say_the_same),	 T(literal_row_is_copied_and_raw_ids_are_hex),
		T(output_order_is_by_start),	 T(late_rows_and_copies_have_their_places),
		T(epoch_moves_times_only),	 T(decimals_are_those_of_printf),
		T(an_area_too_small_is_refused),
	};

	return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
