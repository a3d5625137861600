// SPDX-License-Identifier: Apache-2.0
// Unit tests of gen/estimate: what plan says against what generate writes.
#include "tests/unit/common/unit.h"

#include <unistd.h>

#include "common/file.h"
#include "gen/generate.h"
#include "gen/scale.h"

#define TOLERANCE_PCT 5

struct setting {
	struct scale_wish wish;
	uint32_t variants, block_traces;
	int level;
};

// Generates into a folder of its own and removes it; returns the bytes of its data files.
static uint64_t written_bytes(struct generator *g, int level, size_t *files)
{
	char dir[] = "estimate-XXXXXX";
	struct corpus_dir where;
	struct generate_options o = {.dir = &where, .threads = 2, .zstd_level = level};
	struct manifest m = {0};
	struct err e = {0};
	uint64_t sum = 0;
	char *path;

	assert_non_null(mkdtemp(dir));
	assert_ok(corpus_dir_open(&where, dir, (struct shard){0, 0}, false, &e), e);
	assert_ok(generate_corpus(g, &o, NULL, &m, &e), e);
	corpus_dir_close(&where);
	for (size_t i = 0; i < m.file_count; i++) {
		sum += m.file[i].size;
		path = path_join(dir, m.file[i].name);
		assert_int_equal(unlink(path), 0);
		free(path);
	}
	*files = m.file_count;
	manifest_free(&m);
	path = path_join(dir, MANIFEST_NAME);
	assert_int_equal(unlink(path), 0);
	free(path);
	assert_int_equal(rmdir(dir), 0);
	return sum;
}

static void check_setting(const struct setting *s)
{
	struct generator *g = NULL;
	struct generate_estimate est;
	struct err e = {0};
	struct recipe r;
	uint64_t real, off;
	size_t files;

	scale_recipe(&s->wish, &r);
	r.variants = s->variants;
	r.block_traces = s->block_traces;
	assert_ok(generator_new(&g, &r, 1, &e), e);
	assert_ok(generate_estimate(g, 2, s->level, &est, &e), e);
	real = written_bytes(g, s->level, &files);
	off = est.stored_bytes > real ? est.stored_bytes - real : real - est.stored_bytes;
	if (off * 100 > real * TOLERANCE_PCT)
		fail_msg("%llu bytes foretold, %llu written",
			 (unsigned long long)est.stored_bytes, (unsigned long long)real);
	assert_true(est.data_files == files);
	assert_true(est.blocks == recipe_blocks(&r));
	assert_true(generate_estimate_bytes(&est, est.blocks, r.spans) == est.stored_bytes);
	assert_true(est.memory_bytes > MIB && est.ns_per_row > 0);
	generator_free(g);
}

// Small as it is, medium's and large's settings with fewer spans, other variants, blocks and
// levels, and a corpus that is mostly dictionary.
static void test_within_5_percent(void **state)
{
	static const struct setting settings[] = {
		{{.scale = SCALE_SMALL}, 3, 500, 3},
		{{.scale = SCALE_SMALL}, 1, 500, 3},
		{{.scale = SCALE_SMALL}, 8, 500, 3},
		{{.scale = SCALE_SMALL, .spans = 50000, .operations = 100}, 3, 1, 3},
		{{.scale = SCALE_SMALL, .spans = 50000, .operations = 100}, 3, 10000, 9},
		{{.scale = SCALE_SMALL, .spans = 2000}, 3, 500, 1},
		{{.scale = SCALE_MEDIUM,
		  .spans = 150000,
		  .services = 1000,
		  .instances = 5000,
		  .operations = 1000},
		 3,
		 500,
		 3},
		{{.scale = SCALE_LARGE,
		  .spans = 150000,
		  .services = 10000,
		  .instances = 50000,
		  .operations = 1000},
		 3,
		 500,
		 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		check_setting(&settings[i]);
}

// The arithmetic for a part of a corpus: whole files, frames in proportion.
static void test_part(void **state)
{
	const struct generate_estimate est = {
		.blocks = 100,
		.rows = 5000,
		.file_blocks = 30,
		.frame_bytes = 100000,
		.overhead = {.file_bytes = 7000, .block_bytes = 136},
	};

	(void)state;
	assert_true(generate_estimate_bytes(&est, 100, 5000) == 100000 + 100 * 136 + 4 * 7000);
	assert_true(generate_estimate_bytes(&est, 30, 1500) == 30000 + 30 * 136 + 7000);
	assert_true(generate_estimate_bytes(&est, 31, 1505) == 30100 + 31 * 136 + 2 * 7000);
	assert_true(generate_estimate_bytes(&est, 0, 0) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_within_5_percent),
		cmocka_unit_test(test_part),
	};

	return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
