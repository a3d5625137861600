// SPDX-License-Identifier: Apache-2.0
// Unit tests of gen/generate: a block is a function of recipe and number, passes the reader's
// checks, and rows have the size aimed at.
#include "tests/unit/common/unit.h"

#include "common/pb.h"
#include "common/render.h"
#include "gen/generate.h"
#include "gen/scale.h"

static struct generator *make(struct recipe *r, uint64_t spans, uint64_t seed)
{
	struct generator *g = NULL;
	struct err e = {0};

	scale_recipe(&(struct scale_wish){.scale = SCALE_SMALL, .spans = spans}, r);
	r->seed = seed;
	r->block_traces = 100;
	assert_ok(generator_new(&g, r, 2, &e), e);
	return g;
}

static void encode(const struct generator *g, struct generator_scratch *s, uint64_t number,
		   struct buf *out, struct block_header *h)
{
	struct block b;

	block_init(&b);
	generator_block(g, s, number, &b, h);
	buf_init(out, BLOCK_PAYLOAD_MAX);
	block_encode(&b, out);
	block_free(&b);
}

// The same bytes from another generator, another scratch and in another order.
static void test_block_is_pure(void **state)
{
	struct recipe r;
	struct generator *g[2] = {make(&r, 5000, 4), make(&r, 5000, 4)};
	struct generator_scratch *s[2] = {generator_scratch_new(g[0]),
					  generator_scratch_new(g[1])};
	struct block_header h[2];
	struct buf first[5], second;

	(void)state;
	assert_true(recipe_blocks(&r) == ARRAY_LEN(first));
	for (uint64_t i = 0; i < ARRAY_LEN(first); i++)
		encode(g[0], s[0], i, &first[i], &h[0]);
	for (uint64_t i = ARRAY_LEN(first); i-- > 0;) {
		encode(g[1], s[1], i, &second, &h[1]);
		assert_true(second.size == first[i].size);
		assert_memory_equal(second.data, first[i].data, second.size);
		buf_free(&second);
		buf_free(&first[i]);
	}
	for (int i = 0; i < 2; i++) {
		generator_scratch_free(s[i]);
		generator_free(g[i]);
	}
}

static void test_seeds_differ(void **state)
{
	struct recipe r;
	struct buf bytes[2];

	(void)state;
	for (uint64_t seed = 0; seed < 2; seed++) {
		struct generator *g = make(&r, 2000, seed);
		struct generator_scratch *s = generator_scratch_new(g);
		struct block_header h;

		encode(g, s, 0, &bytes[seed], &h);
		generator_scratch_free(s);
		generator_free(g);
	}
	assert_true(bytes[0].size != bytes[1].size ||
		    memcmp(bytes[0].data, bytes[1].data, bytes[0].size) != 0);
	buf_free(&bytes[0]);
	buf_free(&bytes[1]);
}

// Children lie inside their callers unless a message queue is between; headers tell the truth.
static void check_rows(const struct generator *g, const struct block *b,
		       const struct block_header *h)
{
	uint64_t root = 0;
	int64_t least = INT64_MAX, most = INT64_MIN;
	uint32_t row = 0;

	for (size_t t = 0; t < b->trace_size.count; t++) {
		root += b->trace_start_ms.v[t];
		for (uint32_t i = 0; i < b->trace_size.v[t]; i++, row++) {
			int64_t start = pb_unzigzag(b->start_ms.v[row]);
			int64_t skew =
				generator_dict(g)->instance[b->instance.v[row]].clock_skew_ms;
			uint32_t up = b->parent.v[row];

			assert_true(up <= i && (up == 0) == (i == 0));
			assert_true(start >= 0);
			assert_true(start >= pb_unzigzag(b->start_ms.v[row - up]));
			start += (int64_t)root + skew;
			least = start < least ? start : least;
			most = start > most ? start : most;
		}
	}
	assert_true(row == h->rows);
	assert_true(h->min_start_ms == (uint64_t)(least + (INT64_C(1) << 32)));
	assert_true(h->max_start_ms == (uint64_t)(most + (INT64_C(1) << 32)));
}

// Who builds what is not to be seen in the dictionary.
static void test_threads(void **state)
{
	struct recipe r;
	struct generator *g = NULL;
	struct buf one, other;
	struct err e = {0};

	(void)state;
	scale_recipe(&(struct scale_wish){.scale = SCALE_SMALL, .spans = 4000}, &r);
	buf_init(&one, 64 * MIB);
	assert_ok(generator_new(&g, &r, 1, &e), e);
	dict_encode(generator_dict(g), &one);
	generator_free(g);
	for (unsigned threads = 2; threads <= 7; threads += 5) {
		assert_ok(generator_new(&g, &r, threads, &e), e);
		buf_init(&other, 64 * MIB);
		dict_encode(generator_dict(g), &other);
		assert_int_equal(other.size, one.size);
		assert_memory_equal(other.data, one.data, one.size);
		buf_free(&other);
		generator_free(g);
	}
	buf_free(&one);
}

static void test_reader_accepts(void **state)
{
	struct recipe r;
	struct generator *g = make(&r, 10000, 11);
	struct generator_scratch *s = generator_scratch_new(g);
	uint64_t errors = 0, rows = 0;
	struct err e = {0};
	struct dict dict;
	struct arena arena = {0};
	struct buf dict_bytes;

	(void)state;
	buf_init(&dict_bytes, 256 * MIB);
	dict_encode(generator_dict(g), &dict_bytes);
	assert_ok(dict_decode(dict_bytes.data, dict_bytes.size, &arena, &dict, &e), e);
	for (uint64_t i = 0; i < recipe_blocks(&r); i++) {
		struct block_header h;
		struct block b;
		struct buf payload;

		encode(g, s, i, &payload, &h);
		block_init(&b);
		assert_ok(block_decode(payload.data, payload.size, &dict, &b, &e), e);
		check_rows(g, &b, &h);
		assert_true(b.first_row == rows);
		assert_true(h.spans == b.template.count);
		for (size_t k = 0; k < b.is_error.count; k++)
			errors += b.is_error.v[k];
		rows += h.rows;
		block_free(&b);
		buf_free(&payload);
	}
	assert_true(rows == 10000);
	assert_true(errors == 500);
	arena_free(&arena);
	buf_free(&dict_bytes);
	generator_scratch_free(s);
	generator_free(g);
}

// Exact shares in every block, stored and checked by the reader; one block of one row has no
// room.
static void test_disorder(void **state)
{
	static const uint32_t block_traces[] = {1, 8, 100};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(block_traces); i++) {
		uint64_t late = 0, copies = 0, alone = 0;
		struct generator_scratch *s;
		struct generator *g = NULL;
		struct block_header h;
		struct recipe r;
		struct block b;

		scale_recipe(&(struct scale_wish){.scale = SCALE_SMALL, .spans = 4000}, &r);
		r.block_traces = block_traces[i];
		r.late_mpct = 50000;
		r.duplicates_mpct = 12345;
		assert_ok(generator_new(&g, &r, 1, &e), e);
		s = generator_scratch_new(g);
		block_init(&b);
		for (uint64_t n = 0; n < recipe_blocks(&r); n++) {
			struct buf payload;

			encode(g, s, n, &payload, &h);
			assert_ok(block_parse(payload.data, payload.size, &b, &e), e);
			assert_int_equal(b.late_row.count,
					 plan_late_rows(&r, h.first_row, h.rows));
			assert_int_equal(h.duplicates, b.duplicate_row.count);
			late += b.late_row.count;
			copies += h.duplicates;
			alone += h.rows == 1 && h.first_row % 2 == 1;
			buf_free(&payload);
		}
		assert_int_equal(late + alone, 2000);
		assert_int_equal(copies, 493); // floor of 493.8
		assert_true((alone > 0) == (i == 0));
		block_free(&b);
		generator_scratch_free(s);
		generator_free(g);
	}
}

static void test_calibrated(void **state)
{
	static const uint32_t wanted[] = {1400, 2500, 5000, 9000, ROW_BYTES_MAX};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		struct generator *g = NULL;
		struct recipe r;

		scale_recipe(&(struct scale_wish){.scale = SCALE_SMALL, .spans = 4000}, &r);
		r.row_bytes = wanted[i];
		assert_ok(generator_new(&g, &r, 1, &e), e);
		assert_in_range(generator_mean_row_bytes_x100(g), wanted[i] * 98,
				wanted[i] * 102);
		generator_free(g);
	}
}

static void test_refused(void **state)
{
	struct generator *g = NULL;
	struct err e = {0};
	struct recipe r;
	const char *at;

	(void)state;
	scale_recipe(&(struct scale_wish){.scale = SCALE_SMALL, .spans = 2000}, &r);
	r.row_bytes = 500;
	assert_int_equal(generator_new(&g, &r, 1, &e), ERR_USAGE);
	assert_null(g);
	at = strstr(e.text, "--row-bytes 500 is out of range for this recipe: expected ");
	assert_non_null(at);
	// The least that it names is possible.
	r.row_bytes = (uint32_t)strtoul(strstr(at, "expected ") + 9, NULL, 10);
	assert_in_range(r.row_bytes, 900, 1400);
	assert_ok(generator_new(&g, &r, 1, &e), e);
	generator_free(g);
	g = NULL;
	r.traces = 1000;
	assert_int_equal(generator_new(&g, &r, 1, &e), ERR_USAGE);
	assert_non_null(strstr(e.text, "8.00..33.00"));
	assert_null(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_is_pure), cmocka_unit_test(test_seeds_differ),
		cmocka_unit_test(test_threads),	      cmocka_unit_test(test_reader_accepts),
		cmocka_unit_test(test_calibrated),    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_disorder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
