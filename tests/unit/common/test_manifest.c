// SPDX-License-Identifier: Apache-2.0
// Recipe bytes, digests and corpus.json: known answers, round trips, and what is refused.
#include "tests/unit/common/tiny_corpus.h"
#include "tests/unit/common/unit.h"

#include "common/pb.h"

static char title[] = "A \"title\"\twith manifest_xxh3", description[] = "\xc3\xbc\n",
	    licence[] = "", generator[] = "test", zstd_version[] = "1.5.4";
static char name0[] = "data-0000000.zst", name1[] = "data-0000001.zst";

static void make_manifest(struct manifest *m, struct manifest_file file[2])
{
	file[0] = (struct manifest_file){
		.name = name0, .size = 1000, .payload_size = 2000, .blocks = 1, .rows = 4};
	file[1] = (struct manifest_file){.name = name1,
					 .size = 900,
					 .payload_size = INT64_MAX,
					 .first_block = 1,
					 .first_row = 4,
					 .blocks = 1,
					 .rows = 2};
	file[1].stored.bytes[0] = 0xab;
	*m = (struct manifest){
		.format_version = FORMAT_VERSION,
		.recipe = tiny_recipe,
		.about = {title, description, licence, generator, zstd_version},
		.rows = 6,
		.traces = 3,
		.blocks = 2,
		.epoch_ms = TINY_EPOCH_MS,
		.file = file,
		.file_count = 2,
	};
	m->digest.bytes[15] = 0x5a;
	m->recipe.seed = INT64_MAX; // past 2^53
}

static void format(const struct manifest *m, struct buf *out)
{
	struct err e;

	buf_init(out, MIB);
	assert_ok(manifest_format(m, out, &e), e);
}

static enum status parse(const void *text, size_t size, struct manifest *m, struct err *e)
{
	char *copy = malloc(size > 0 ? size : 1);
	enum status s;

	memcpy(copy, text, size);
	s = manifest_parse(copy, size, m, e);
	free(copy);
	return s;
}

static void recipe_bytes_are_canonical(void **state)
{
	// Field numbers and varints, zeros too.
	static const uint8_t wanted[] = {
		0x08, 0x01, 0x10, 0x07, 0x18, 0x06, 0x20, 0x03, 0x28, 0x02, 0x30, 0x03,
		0x38, 0x02, 0x40, 0xe8, 0x07, 0x48, 0x02, 0x50, 0x01, 0x58, 0x64, 0x60,
		0x88, 0x27, 0x68, 0x00, 0x70, 0x80, 0xd0, 0xea, 0xb6, 0xb7, 0x33, 0x78,
		0x80, 0xf1, 0x04, 0x80, 0x01, 0x80, 0xf1, 0x04, 0x88, 0x01, 0x14, 0x90,
		0x01, 0x3c, 0x98, 0x01, 0xa0, 0x9c, 0x01, 0xa0, 0x01, 0xa0, 0x9c, 0x01,
		0xa8, 0x01, 0x00, 0xb0, 0x01, 0x00, 0xb8, 0x01, 0x00, 0xc0, 0x01, 0x98,
		0x75, 0xc8, 0x01, 0x00, 0xd0, 0x01, 0x00,
	};
	struct recipe out;
	struct buf b;
	struct err e = {0};

	(void)state;
	buf_init(&b, KIB);
	recipe_encode(&tiny_recipe, &b);
	assert_int_equal(b.size, sizeof(wanted));
	assert_memory_equal(b.data, wanted, sizeof(wanted));
	assert_ok(recipe_decode(b.data, b.size, &out, &e), e);
	assert_true(recipe_equal(&out, &tiny_recipe));
	// One spelling only.
	assert_fails(recipe_decode(b.data, b.size - 3, &out, &e), e, ERR_FORMAT,
		     "recipe: not in canonical form");
	pb_put_uint(&b, 26, 0);
	assert_fails(recipe_decode(b.data, b.size, &out, &e), e, ERR_FORMAT,
		     "recipe: not in canonical form");
	pb_put_uint(&b, 27, 1);
	assert_fails(recipe_decode(b.data, b.size, &out, &e), e, ERR_VERSION,
		     "recipe: unknown field 27 (made by a newer version?)");
	buf_free(&b);
}

static void recipe_ranges_are_checked(void **state)
{
	struct recipe r = tiny_recipe;
	struct err e = {0};

	(void)state;
	assert_int_equal(recipe_blocks(&r), 2);
	assert_ok(recipe_check(&r, &e), e);
	r.block_traces = 0;
	assert_fails(recipe_check(&r, &e), e, ERR_FORMAT,
		     "recipe: block_traces 0 is out of range 1..1048576");
	r = tiny_recipe;
	r.traces = 7;
	assert_fails(recipe_check(&r, &e), e, ERR_FORMAT,
		     "recipe: 7 traces need more than 6 spans");
	r = tiny_recipe;
	r.class_medium_pct = 81;
	assert_fails(recipe_check(&r, &e), e, ERR_FORMAT,
		     "recipe: class_simple_pct and class_medium_pct pass 100 %");
	r = tiny_recipe;
	r.zipf_services_exponent = 1100; // beside a share
	assert_fails(recipe_check(&r, &e), e, ERR_FORMAT,
		     "recipe: zipf_services_mpct 80000, _top_mpct 20000 and _exponent 1100 are "
		     "neither a share of the top items nor an exponent");
	r.zipf_services_mpct = r.zipf_services_top_mpct = 0;
	assert_ok(recipe_check(&r, &e), e);
	r.zipf_operations_mpct = 19999; // less than the share of the items
	assert_int_equal(recipe_check(&r, &e), ERR_FORMAT);
	r.content_version = CONTENT_VERSION + 1;
	assert_int_equal(recipe_check(&r, &e), ERR_VERSION);
	assert_non_null(strstr(e.text, "use a release whose --version names content version"));
}

static void digests_are_known_answers(void **state)
{
	char text[DIGEST_TEXT_SIZE];
	struct corpus_digest *c;
	struct digest d, by_hand;
	struct buf b;

	(void)state;
	// XXH3-128 of nothing, as xxhsum -H2 prints it.
	digest_text(digest_of("", 0), text);
	assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
	// The corpus digest is the digest of its parts put together.
	d = digest_of("block", 5);
	c = corpus_digest_new(3, VIEW("recipe"), VIEW("dictionary"));
	corpus_digest_block(c, d);
	corpus_digest_block(c, d);
	buf_init(&b, KIB);
	buf_put_le32(&b, 3);
	buf_put_le64(&b, 6);
	buf_put_view(&b, VIEW("recipe"));
	buf_put_le64(&b, 10);
	buf_put_view(&b, VIEW("dictionary"));
	buf_put(&b, d.bytes, 16);
	buf_put(&b, d.bytes, 16);
	by_hand = digest_of(b.data, b.size);
	assert_true(digest_equal(corpus_digest_final(c), by_hand));
	buf_free(&b);
}

static void round_trip_keeps_everything(void **state)
{
	struct manifest_file file[2];
	struct manifest m, out;
	struct buf first, second;
	struct err e;

	(void)state;
	make_manifest(&m, file);
	format(&m, &first);
	assert_ok(parse(first.data, first.size, &out, &e), e);
	assert_true(recipe_equal(&m.recipe, &out.recipe));
	assert_string_equal(out.about.title, title);
	assert_string_equal(out.about.description, description);
	assert_string_equal(out.file[1].name, name1);
	assert_true(out.file[1].payload_size == INT64_MAX);
	assert_true(digest_equal(out.digest, m.digest));
	format(&out, &second);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.data, second.data, first.size);
	manifest_free(&out);
	buf_free(&first);
	buf_free(&second);
}

static void text_that_is_not_utf8_is_refused(void **state)
{
	static char bad[] = "\xff";
	struct manifest_file file[2];
	struct manifest m;
	struct buf b;
	struct err e;

	(void)state;
	make_manifest(&m, file);
	m.about.licence = bad;
	buf_init(&b, MIB);
	assert_fails(manifest_format(&m, &b, &e), e, ERR_FORMAT,
		     "manifest: licence is not valid UTF-8");
	buf_free(&b);
}

static void file_gap(struct manifest *m)
{
	m->file[1].first_block = 2;
}
static void file_sum(struct manifest *m)
{
	m->file[1].rows = 3;
}
static void file_leaves_folder(struct manifest *m)
{
	static char name[] = "../data";

	m->file[0].name = name;
}
static void more_blocks_than_fit(struct manifest *m)
{
	m->file[1].blocks = 8; // 900 bytes; a block has more than 120
}
static void more_blocks_than_a_seek_table_names(struct manifest *m)
{
	m->file[1].blocks = UINT64_C(1) << 27;
	m->file[1].size = INT64_MAX;
}
static void rows_of_another_recipe(struct manifest *m)
{
	m->recipe.spans = 7;
}
static void recipe_out_of_range(struct manifest *m)
{
	m->recipe.services = 0;
}
static void no_files(struct manifest *m)
{
	m->file_count = 0;
}
static void newer_format(struct manifest *m)
{
	m->format_version = 2;
}

static void parser_refuses_what_does_not_fit(void **state)
{
	static const struct {
		void (*change)(struct manifest *);
		enum status code;
		const char *text;
	} cases[] = {
		{file_gap, ERR_FORMAT,
		 "manifest: \"files\" do not follow each other without a gap"},
		{file_sum, ERR_FORMAT, "manifest: \"files\" do not add up to rows and blocks"},
		{file_leaves_folder, ERR_FORMAT,
		 "manifest: files[0]: \"name\" is not a plain file name"},
		{more_blocks_than_fit, ERR_FORMAT,
		 "manifest: files[1]: \"blocks\" are more than a file of that size can hold"},
		{more_blocks_than_a_seek_table_names, ERR_FORMAT,
		 "manifest: files[1]: \"blocks\" are more than a file of that size can hold"},
		{rows_of_another_recipe, ERR_FORMAT,
		 "manifest: \"rows\" and traces are not the recipe's"},
		{recipe_out_of_range, ERR_FORMAT,
		 "manifest: recipe: services 0 is out of range 1..16777216"},
		{no_files, ERR_FORMAT, "manifest: \"files\" is not a list of data files"},
		{newer_format, ERR_VERSION,
		 "manifest: format version 2, but " SPANGEN_VERSION
		 " reads version 1; use a release that reads it"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct manifest_file file[2];
		struct manifest m, out;
		struct buf b;
		struct err e = {0};

		make_manifest(&m, file);
		cases[i].change(&m);
		format(&m, &b);
		assert_fails(parse(b.data, b.size, &out, &e), e, cases[i].code, cases[i].text);
		buf_free(&b);
	}
}

static void foreign_json_is_named(void **state)
{
	struct manifest m;
	struct err e = {0};

	(void)state;
	assert_fails(parse("{}", 2, &m, &e), e, ERR_FORMAT,
		     "manifest: \"format\" is not \"spangen-corpus\": not a corpus of spangen");
	assert_int_equal(parse("{\n  \"a\": }", 10, &m, &e), ERR_FORMAT);
	assert_non_null(strstr(e.text, "manifest: line 2 column "));
	assert_int_equal(parse("", 0, &m, &e), ERR_FORMAT);
	assert_non_null(strstr(e.text, "manifest: line 1 column "));
}

// Every changed or missing byte is found.
static void damage_is_found(void **state)
{
	struct manifest_file file[2];
	struct manifest m, out;
	struct buf b;
	struct err e = {0};

	(void)state;
	make_manifest(&m, file);
	format(&m, &b);
	for (size_t i = 0; i < b.size; i++) {
		b.data[i] ^= (uint8_t)(1u << i % 8);
		if (parse(b.data, b.size, &out, &e) == OK)
			fail_msg("a flipped bit at byte %zu is not found", i);
		assert_memory_equal(e.text, "manifest: ", 10);
		b.data[i] ^= (uint8_t)(1u << i % 8);
	}
	// The last byte is the newline; the digest covers it too.
	for (size_t i = 0; i < b.size; i++)
		assert_int_not_equal(parse(b.data, i, &out, &e), OK);
	buf_free(&b);
}

static void recipe_of_another_version_is_refused(void **state)
{
	struct manifest_file file[2];
	struct manifest m;
	struct recipe r;
	struct buf b;
	struct err e = {0};

	(void)state;
	make_manifest(&m, file);
	m.file_count = 0; // what else the manifest says does not matter
	format(&m, &b);
	assert_ok(manifest_recipe((const char *)b.data, b.size, &r, &e), e);
	assert_true(recipe_equal(&r, &m.recipe));
	b.data[b.size / 2] ^= 1;
	assert_int_not_equal(manifest_recipe((const char *)b.data, b.size, &r, &e), OK);
	buf_free(&b);
	m.recipe.content_version = CONTENT_VERSION + 7;
	m.recipe.cardinality = 0; // a field that other version has otherwise
	format(&m, &b);
	assert_int_equal(manifest_recipe((const char *)b.data, b.size, &r, &e), ERR_VERSION);
	assert_non_null(strstr(e.text, "use the release that made it: test"));
	assert_non_null(
		strstr(e.text, "but spangen " SPANGEN_VERSION " makes content version"));
	buf_free(&b);
	assert_fails(manifest_recipe("{}", 2, &r, &e), e, ERR_FORMAT,
		     "manifest: \"format\" is not \"spangen-corpus\": not a corpus of spangen");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipe_bytes_are_canonical),
		cmocka_unit_test(recipe_ranges_are_checked),
		cmocka_unit_test(digests_are_known_answers),
		cmocka_unit_test(round_trip_keeps_everything),
		cmocka_unit_test(text_that_is_not_utf8_is_refused),
		cmocka_unit_test(parser_refuses_what_does_not_fit),
		cmocka_unit_test(foreign_json_is_named),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(recipe_of_another_version_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
