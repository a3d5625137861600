// SPDX-License-Identifier: Apache-2.0
// Ranges, words and names of shards; the checkpoint's bytes.
#include "tests/unit/common/unit.h"

#include "common/checkpoint.h"
#include "common/shard.h"
#include "tests/unit/common/tiny_corpus.h"

// Every block belongs to exactly one shard, and sizes differ by one at most.
static void ranges_cover_all(void **state)
{
	(void)state;
	for (uint64_t blocks = 1; blocks < 60; blocks++) {
		for (uint32_t n = 1; n <= blocks; n++) {
			uint64_t next = 0, first, end;

			for (uint32_t i = 0; i < n; i++) {
				shard_range((struct shard){i, n}, blocks, &first, &end);
				assert_int_equal(first, next);
				assert_true(end - first >= blocks / n);
				assert_true(end - first <= blocks / n + 1);
				next = end;
			}
			assert_int_equal(next, blocks);
		}
	}
}

static void huge_ranges_do_not_overflow(void **state)
{
	uint64_t first, end, blocks = UINT64_C(1) << 40;

	(void)state;
	shard_range((struct shard){SHARDS_MAX - 1, SHARDS_MAX}, blocks, &first, &end);
	assert_int_equal(end, blocks);
	assert_true(blocks - first <= blocks / SHARDS_MAX + 1);
}

static void words_are_parsed(void **state)
{
	static const char *const bad[] = {"",	  "1",	 "/",	"1/",	"/2",	     "2/2",
					  "-1/2", "1/0", "a/2", "1/2 ", "1/2000001", "00/2"};
	struct shard s;
	struct err e = {0};

	(void)state;
	assert_ok(shard_parse("3/50", "--shard", &s, &e), e);
	assert_int_equal(s.index, 3);
	assert_int_equal(s.count, 50);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(shard_parse(bad[i], "--shard", &s, &e), ERR_USAGE);
	assert_fails(shard_parse("2/2", "--shard", &s, &e), e, ERR_USAGE,
		     "--shard '2/2': of 2 shards the last is 1/2");
}

static void names_go_both_ways(void **state)
{
	static const char *const bad[] = {"corpus.json.part",	 "corpus.0-of-0.json",
					  "corpus.2-of-2.json",	 "corpus.00-of-2.json",
					  "corpus.1-of-02.json", "xcorpus.json",
					  "corpus.1-of-2.lock",	 "corpus.1of2.json"};
	char name[SHARD_NAME_SIZE];
	struct shard s;

	(void)state;
	shard_name((struct shard){0, 0}, ".json", name);
	assert_string_equal(name, "corpus.json");
	assert_true(shard_of_name(name, ".json", &s));
	assert_int_equal(s.count, 0);
	shard_name((struct shard){SHARDS_MAX - 1, SHARDS_MAX}, ".unfinished", name);
	assert_string_equal(name, "corpus.999999-of-1000000.unfinished");
	assert_true(shard_of_name(name, ".unfinished", &s));
	assert_int_equal(s.index, SHARDS_MAX - 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(shard_of_name(bad[i], ".json", &s));
}

static void checkpoint_round_trip(void **state)
{
	static char title[] = "T", licence[] = "L";
	struct checkpoint c = {.recipe = tiny_recipe,
			       .about = {.title = title, .licence = licence},
			       .zstd_level = 7,
			       .file_max_bytes = 123456},
			  back;
	struct err e = {0};
	struct buf bytes;

	(void)state;
	buf_init(&bytes, MIB);
	assert_ok(checkpoint_encode(&c, &bytes, &e), e);
	assert_ok(checkpoint_decode(bytes.data, bytes.size, &back, &e), e);
	assert_true(recipe_equal(&back.recipe, &c.recipe));
	assert_string_equal(back.about.title, "T");
	assert_string_equal(back.about.description, "");
	assert_int_equal(back.zstd_level, 7);
	assert_int_equal(back.file_max_bytes, 123456);
	checkpoint_free(&back);
	for (size_t i = 0; i < bytes.size; i++) { // every byte is held by the digest
		bytes.data[i] ^= 4;
		assert_int_equal(checkpoint_decode(bytes.data, bytes.size, &back, &e),
				 ERR_DAMAGED);
		assert_int_equal(checkpoint_decode(bytes.data, i, &back, &e), ERR_DAMAGED);
		bytes.data[i] ^= 4;
	}
	buf_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_cover_all),
		cmocka_unit_test(huge_ranges_do_not_overflow),
		cmocka_unit_test(words_are_parsed),
		cmocka_unit_test(names_go_both_ways),
		cmocka_unit_test(checkpoint_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
