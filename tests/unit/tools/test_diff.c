// SPDX-License-Identifier: Apache-2.0
// Unit tests of spancorpus_diff: the hand-made corpus against copies with one stored value
// changed, so that block, row and field are known. tests/cli/spancorpus_diff.sh has what needs
// the programs.
#include "tests/unit/common/unit.h"

#include <jansson.h>
#include <unistd.h>

#include "tests/unit/common/tiny_corpus.h"
#include "tools/spancorpus.h"

static char dir[] = "test_diff.XXXXXX";

typedef void change(struct block *b);

// Writes a copy of the corpus `from` with every block changed by f (NULL: none).
static void copy_corpus(const char *from, const char *to, change *f, const char *title,
			uint64_t file_max)
{
	struct frame_writer *frames = frame_writer_new(3);
	struct block_reader *reader = block_reader_new();
	struct corpus_writer *w = NULL;
	struct corpus_dir where;
	struct about about = {0};
	struct manifest m = {0};
	struct corpus c;
	struct buf frame;
	struct block b;
	struct err e = {0};
	char *copy = mem_strdup(title);

	about.title = copy;
	block_init(&b);
	buf_init(&frame, MIB);
	assert_ok(corpus_open(&c, from, &e), e);
	assert_ok(corpus_dir_open(&where, to, (struct shard){0, 0}, false, &e), e);
	assert_ok(corpus_writer_open(
			  &w, &where,
			  &(struct corpus_writer_options){.recipe = &c.manifest.recipe,
							  .about = &about,
							  .dict_bytes = c.dict_bytes,
							  .epoch_ms = c.manifest.epoch_ms,
							  .end_block = c.manifest.blocks,
							  .file_max_bytes = file_max},
			  &e),
		  e);
	for (uint64_t n = 0; n < c.manifest.blocks; n++) {
		struct block_header h;

		assert_ok(corpus_block_header(&c, n, &h, &e), e);
		assert_ok(corpus_read_block(&c, reader, n, &b, NULL, &e), e);
		if (f != NULL)
			f(&b);
		assert_ok(frame_write_block(frames, &b, &h, &frame, &e), e);
		assert_ok(corpus_writer_add(w, &h, &frame, &e), e);
	}
	assert_ok(corpus_writer_finish(w, &m, &e), e);
	corpus_dir_close(&where);
	manifest_free(&m);
	corpus_close(&c);
	block_free(&b);
	buf_free(&frame);
	block_reader_free(reader);
	frame_writer_free(frames);
	free(copy);
}

// Runs diff --json a b with stdout in a file; the result (caller owns) and what diff returned.
static json_t *run_diff(const char *a, const char *b, enum status *s, struct err *e)
{
	static const struct verb verb = {"diff", "A B", "", verb_diff};
	char words[4][16] = {"diff", "--json", "", ""};
	char *argv[] = {words[0], words[1], words[2], words[3], NULL};
	json_error_t problem;
	int out = dup(STDOUT_FILENO);
	json_t *o;

	snprintf(words[2], sizeof(words[2]), "%s", a);
	snprintf(words[3], sizeof(words[3]), "%s", b);
	fflush(stdout);
	assert_non_null(freopen("result.json", "w", stdout));
	*s = verb_diff(&verb, 4, argv, e);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	o = json_load_file("result.json", 0, &problem);
	if (o == NULL)
		fail_msg("result.json: %s", problem.text);
	return o;
}

static const char *text_at(json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static json_int_t number_at(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

// How one change of a block shows. field: its start; a, b: the values as compact JSON.
static void expect(change *f, json_int_t block, json_int_t row, const char *field,
		   const char *a, const char *b)
{
	struct err e = {0};
	enum status s;
	json_t *o, *first;
	char *va, *vb;

	copy_corpus("a", "b", f, "copy", 0);
	o = run_diff("a", "b", &s, &e);
	first = json_object_get(o, "first_difference");
	assert_int_equal(s, ERR_DIFFERS);
	assert_string_equal(e.text, "a and b differ: digests, 1 of 2 blocks");
	assert_true(json_is_false(json_object_get(o, "identical")));
	assert_int_equal(number_at(first, "block"), block);
	assert_int_equal(number_at(first, "row"), row);
	assert_int_equal(strncmp(text_at(first, "field"), field, strlen(field)), 0);
	va = json_dumps(json_object_get(first, "a"), JSON_ENCODE_ANY | JSON_COMPACT);
	vb = json_dumps(json_object_get(first, "b"), JSON_ENCODE_ANY | JSON_COMPACT);
	assert_string_equal(va, a);
	assert_string_equal(vb, b);
	free(va);
	free(vb);
	va = json_dumps(json_object_get(json_object_get(o, "blocks"), "different"),
			JSON_COMPACT);
	assert_string_equal(va, block == 0 ? "{\"count\":1,\"ranges\":[[0,0]]}"
					   : "{\"count\":1,\"ranges\":[[1,1]]}");
	free(va);
	json_decref(o);
	assert_int_equal(system("rm -rf b"), 0);
}

static void change_url(struct block *b)
{
	if (b->number == 1)
		b->number_value.v[0] = 2;
}

static void change_literal(struct block *b)
{
	if (b->number == 0)
		b->literal_data.data[3] = 'T';
}

static void change_latency(struct block *b)
{
	if (b->number == 0)
		b->latency_ms.v[1]++;
}

static void change_hidden(struct block *b)
{
	if (b->number == 0)
		b->number_value.v[1] = 301; // the field that SegmentObject does not have
}

static void test_one_value(void **state)
{
	(void)state;
	expect(change_url, 1, 5, "segment.spans[0].tags[0].value",
	       "\"http://broker-1:9092/a/1alice\"", "\"http://broker-1:9092/a/2alice\"");
	expect(change_literal, 0, 3, "dataBinary, byte 3", "\"0x42\"", "\"0x54\"");
	expect(change_latency, 0, 1, "latency", "20", "21");
	// 300 is ac 02, 301 is ad 02 as a varint.
	expect(change_hidden, 0, 0, "dataBinary, byte ", "\"0xac\"", "\"0xad\"");
}

static void test_identical(void **state)
{
	struct err e = {0};
	enum status s;
	json_t *o, *fields;

	(void)state;
	copy_corpus("a", "b", NULL, "another title", 0);
	o = run_diff("a", "b", &s, &e);
	assert_ok(s, e);
	assert_true(json_is_true(json_object_get(o, "identical")));
	assert_true(json_is_null(json_object_get(o, "first_difference")));
	fields = json_object_get(o, "fields");
	assert_string_equal(text_at(json_array_get(fields, 0), "name"), "title");
	assert_string_equal(text_at(json_array_get(fields, 0), "b"), "another title");
	json_decref(o);
	assert_int_equal(system("rm -rf b"), 0);
}

// A block that only one side has.
static void test_partial(void **state)
{
	struct err e = {0};
	enum status s;
	json_t *o;
	char *text;

	(void)state;
	copy_corpus("a", "b", NULL, "copy", 1);
	assert_int_equal(remove("b/data-0000001.zst"), 0);
	o = run_diff("a", "b", &s, &e);
	assert_fails(s, e, ERR_DIFFERS, "a and b differ: 1 of 2 blocks");
	text = json_dumps(json_object_get(o, "blocks"), JSON_COMPACT);
	assert_string_equal(text, "{\"compared\":1,\"different\":{\"count\":0,\"ranges\":[]},"
				  "\"only_a\":{\"count\":1,\"ranges\":[[1,1]]},"
				  "\"only_b\":{\"count\":0,\"ranges\":[]}}");
	free(text);
	json_decref(o);
	o = run_diff("b", "b", &s, &e);
	assert_ok(s, e);
	json_decref(o);
	assert_int_equal(system("rm -rf b"), 0);
}

static int set_up(void **state)
{
	struct manifest m = {0};
	struct err e = {0};
	const char *tmp = getenv("TMPDIR");

	(void)state;
	if (chdir(tmp != NULL ? tmp : "/tmp") != 0 || mkdtemp(dir) == NULL || chdir(dir) != 0)
		return -1;
	if (tiny_write("a", 0, &m, &e) != OK)
		return -1;
	manifest_free(&m);
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return chdir("..") != 0 || system(command) != 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_value),
		cmocka_unit_test(test_identical),
		cmocka_unit_test(test_partial),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
