// SPDX-License-Identifier: Apache-2.0
// The container on disk: written and read back, then damaged in every way there is, each found
// and named. Works in the current folder, in folders of its own that it removes.
#include "tests/unit/common/tiny_corpus.h"
#include "tests/unit/common/unit.h"

#include <unistd.h>

#include <zstd.h>

#include "common/corpus_check.h"
#include "common/pb.h"

#define FILE0 "data-0000000.zst"
#define FILE1 "data-0000001.zst"
#define TINY_DIGEST "b11ddf0bf335b07f351b1b46fb42ea10"

static int make_folder(void **state)
{
	char *dir = mem_strdup("corpus.XXXXXX");

	*state = dir;
	return mkdtemp(dir) == NULL;
}

static void path_in(char out[256], const char *dir, const char *name)
{
	snprintf(out, 256, "%s/%s", dir, name);
}

static int remove_folder(void **state)
{
	static const char *const names[] = {FILE0, FILE1, MANIFEST_NAME, "other", "a", "b"};
	char path[256];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		path_in(path, *state, names[i]);
		unlink(path);
	}
	if (rmdir(*state) != 0)
		return -1; // something was left behind
	free(*state);
	return 0;
}

static void write_tiny(const char *dir, uint64_t file_max)
{
	struct err e;

	assert_ok(tiny_write(dir, file_max, NULL, &e), e);
}

static void read_file(const char *dir, const char *name, struct buf *out)
{
	char path[256];
	struct err e;

	path_in(path, dir, name);
	assert_ok(file_read_all(path, MIB, out, &e), e);
}

static void write_file(const char *dir, const char *name, const void *data, size_t size)
{
	char path[256];
	FILE *f;

	path_in(path, dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void remove_file(const char *dir, const char *name)
{
	char path[256];

	path_in(path, dir, name);
	assert_int_equal(unlink(path), 0);
}

// Every part of one data file; messages get the file's name in front as verify does it.
static enum status check_file(const struct corpus *c, size_t index, struct err *e)
{
	const struct manifest_file *m = &c->manifest.file[index];
	char *path = path_join(c->dir, m->name);
	struct stream_digest *digest = stream_digest_new();
	struct block_reader *r = block_reader_new();
	uint8_t header[FILE_HEADER_BYTES];
	struct data_head head;
	struct data_scan scan;
	struct block_header h;
	struct buf table;
	struct view bytes;
	struct block b;
	enum status s;

	block_init(&b);
	buf_init(&table, 0);
	s = data_scan_open(&scan, path, e);
	if (s == OK)
		s = data_scan_header(&scan, m->first_block, e);
	if (s == OK)
		s = data_scan_header_bytes(&scan, header, e);
	if (s == OK)
		s = data_scan_head(&scan, r, &head, e);
	if (s == OK) {
		stream_digest_put(digest, header, sizeof(header));
		stream_digest_put(digest, head.stored.data, head.stored.size);
		s = about_check(&c->manifest.about, head.about, e);
	}
	if (s == OK)
		s = data_scan_walk(&scan, m->first_block, m->blocks, true, e);
	for (uint64_t i = 0; i < m->blocks && s == OK; i++) {
		s = data_scan_block(&scan, r, i, &c->dict, &b, &h, &bytes, e);
		if (s == OK)
			stream_digest_put(digest, bytes.data, bytes.size);
		else
			err_prefix(e, "block %u", (unsigned)(m->first_block + i));
	}
	if (s == OK)
		s = data_scan_table(&scan, &table, e);
	if (s == OK) {
		assert_int_equal(data_scan_whole_size(&scan), m->size);
		assert_int_equal(data_scan_payload_size(&scan), m->payload_size);
		stream_digest_put(digest, table.data, table.size);
		assert_true(digest_equal(stream_digest_take(digest), m->stored));
	} else {
		err_prefix(e, "%s", m->name);
	}
	buf_free(&table);
	block_free(&b);
	data_scan_free(&scan);
	block_reader_free(r);
	stream_digest_free(digest);
	free(path);
	return s;
}

// What readers do and what `verify` does: open, every block, every part of every file. The
// first error stands in *e.
static enum status check_all(const char *dir, struct err *e)
{
	struct corpus c;
	enum status s = corpus_open(&c, dir, e);
	struct block_header h;

	if (s != OK)
		return s;
	for (uint64_t i = 0; i < c.manifest.blocks && s == OK; i++)
		s = corpus_block_header(&c, i, &h, e);
	for (size_t i = 0; i < c.manifest.file_count && s == OK; i++)
		s = check_file(&c, i, e);
	corpus_close(&c);
	return s;
}

static void expect_failure(const char *dir, enum status code, const char *part)
{
	struct err e = {0};

	assert_int_equal(check_all(dir, &e), code);
	if (strstr(e.text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, part);
}

static void written_is_read(void **state)
{
	void (*const make[])(struct block *) = {tiny_block0, tiny_block1};
	struct block_reader *r = block_reader_new();
	struct manifest m;
	struct block b, wanted;
	struct corpus c;
	struct buf bytes;
	struct err e;

	assert_ok(tiny_write(*state, 0, &m, &e), e);
	assert_ok(corpus_open(&c, *state, &e), e);
	assert_true(digest_equal(m.digest, c.manifest.digest));
	assert_int_equal(c.manifest.file_count, 1);
	assert_true(recipe_equal(&c.manifest.recipe, &tiny_recipe));
	assert_string_equal(c.manifest.about.title, "Tiny \"corpus\"");
	assert_string_equal(c.manifest.about.zstd_version, ZSTD_versionString());
	assert_int_equal(c.dict.word_count, 3);
	assert_true(corpus_has_block(&c, 1));
	assert_false(corpus_has_block(&c, 2));
	block_init(&b);
	block_init(&wanted);
	buf_init(&bytes, MIB);
	for (uint64_t i = 0; i < ARRAY_LEN(make); i++) {
		struct block_header h;
		struct view payload;

		make[i](&wanted);
		buf_clear(&bytes);
		block_encode(&wanted, &bytes);
		assert_ok(corpus_read_block(&c, r, i, &b, &payload, &e), e);
		assert_int_equal(payload.size, bytes.size);
		assert_memory_equal(payload.data, bytes.data, bytes.size);
		assert_ok(corpus_block_header(&c, i, &h, &e), e);
		assert_int_equal(h.number, i);
		assert_int_equal(h.rows, block_rows(&wanted));
		assert_int_equal(h.spans, wanted.template.count);
		assert_true(h.min_start_ms == (UINT64_C(1) << 32) + (i == 0 ? 95 : 799));
		assert_true(h.max_start_ms == (UINT64_C(1) << 32) + (i == 0 ? 107 : 803));
		assert_true(digest_equal(h.content, digest_of(bytes.data, bytes.size)));
	}
	assert_int_equal(corpus_read_block(&c, r, 2, &b, NULL, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "there is no block 2, blocks are 0..1"));
	corpus_close(&c);
	assert_ok(check_all(*state, &e), e);
	block_reader_free(r);
	manifest_free(&m);
	buf_free(&bytes);
	block_free(&b);
	block_free(&wanted);
}

// A known answer: content is the same for every compiler, machine and zstd.
static void digest_is_a_known_answer(void **state)
{
	char text[DIGEST_TEXT_SIZE];
	struct manifest m;
	struct err e;

	assert_ok(tiny_write(*state, 0, &m, &e), e);
	digest_text(m.digest, text);
	assert_string_equal(text, TINY_DIGEST);
	manifest_free(&m);
}

// Where one file ends and the next begins does not enter the digest.
static void digest_does_not_know_files(void **state)
{
	struct manifest m;
	struct corpus c;
	struct err e;
	char text[DIGEST_TEXT_SIZE];

	assert_ok(tiny_write(*state, 1, &m, &e), e);
	assert_int_equal(m.file_count, 2);
	assert_string_equal(m.file[1].name, FILE1);
	digest_text(m.digest, text);
	assert_string_equal(text, TINY_DIGEST);
	assert_ok(corpus_open(&c, *state, &e), e);
	corpus_close(&c);
	assert_ok(check_all(*state, &e), e);
	manifest_free(&m);
}

// Stock zstd: all frames in a row decode to recipe, dictionary, about, block, block; the seek
// table says where.
static void data_file_is_plain_zstd(void **state)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	struct buf stored, payload;
	ZSTD_inBuffer in;
	ZSTD_outBuffer out;
	struct pb_reader r;
	struct pb_field f;
	uint32_t numbers[8], count = 0;
	uint64_t sum = 0;
	const uint8_t *foot;

	write_tiny(*state, 0);
	read_file(*state, FILE0, &stored);
	buf_init(&payload, MIB);
	in = (ZSTD_inBuffer){stored.data, stored.size, 0};
	out = (ZSTD_outBuffer){buf_reserve(&payload, 64 * KIB), 64 * KIB, 0};
	while (in.pos < in.size)
		assert_false(ZSTD_isError(ZSTD_decompressStream(z, &out, &in)));
	pb_reader_init(&r, payload.data, out.pos);
	while (pb_next(&r, &f) && count < ARRAY_LEN(numbers))
		numbers[count++] = f.number;
	assert_false(r.failed);
	assert_int_equal(count, 5);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(numbers[i], i < 4 ? i + 1 : 4);
	foot = stored.data + stored.size - 9;
	assert_int_equal(load_le32(foot + 5), 0x8F92EAB1u);
	assert_int_equal(load_le32(foot), 6); // header, frame 1, and two for each block
	for (uint32_t i = 0; i < 6; i++)
		sum += load_le32(foot - 8 * (6 - i));
	assert_int_equal(sum + 8 + 6 * 8 + 9, stored.size);
	ZSTD_freeDStream(z);
	buf_free(&stored);
	buf_free(&payload);
}

static void every_flipped_bit_is_found(void **state)
{
	static const char *const names[] = {FILE0, FILE1, MANIFEST_NAME};
	struct err e;

	write_tiny(*state, 1);
	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		struct buf bytes;

		read_file(*state, names[n], &bytes);
		for (size_t i = 0; i < bytes.size; i++) {
			bytes.data[i] ^= (uint8_t)(1u << i % 8);
			write_file(*state, names[n], bytes.data, bytes.size);
			e = (struct err){0};
			if (check_all(*state, &e) == OK)
				fail_msg("%s: flipped bit at byte %zu is not found", names[n],
					 i);
			if (strstr(e.text, names[n]) == NULL)
				fail_msg("%s, byte %zu: \"%s\" names another file", names[n], i,
					 e.text);
			bytes.data[i] ^= (uint8_t)(1u << i % 8);
		}
		write_file(*state, names[n], bytes.data, bytes.size);
		buf_free(&bytes);
	}
	assert_ok(check_all(*state, &e), e);
}

static void every_truncation_is_found(void **state)
{
	static const char *const names[] = {FILE0, FILE1, MANIFEST_NAME};
	struct err e;

	write_tiny(*state, 1);
	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		struct buf bytes;

		read_file(*state, names[n], &bytes);
		for (size_t i = 0; i < bytes.size; i++) {
			write_file(*state, names[n], bytes.data, i);
			e = (struct err){0};
			if (check_all(*state, &e) == OK)
				fail_msg("%s: cut at byte %zu is not found", names[n], i);
			if (strstr(e.text, names[n]) == NULL)
				fail_msg("%s, %zu bytes: \"%s\" names another file", names[n],
					 i, e.text);
		}
		write_file(*state, names[n], bytes.data, bytes.size);
		buf_free(&bytes);
	}
	assert_ok(check_all(*state, &e), e);
}

// Damage is told apart: which frame, which block, and what to do.
static void damage_is_located(void **state)
{
	struct buf bytes;
	size_t head;

	write_tiny(*state, 0);
	read_file(*state, FILE0, &bytes);
	head = 88 + (size_t)load_le64(bytes.data + 40);
	bytes.data[16] ^= 1;
	write_file(*state, FILE0, bytes.data, bytes.size);
	expect_failure(*state, ERR_DAMAGED, FILE0 ": file header is damaged; restore");
	bytes.data[16] ^= 1;
	bytes.data[head - 20] ^= 1;
	write_file(*state, FILE0, bytes.data, bytes.size);
	expect_failure(*state, ERR_DAMAGED, FILE0 ": first frame: ");
	bytes.data[head - 20] ^= 1;
	bytes.data[head + 70] ^= 1;
	write_file(*state, FILE0, bytes.data, bytes.size);
	expect_failure(*state, ERR_DAMAGED, FILE0 ": block 0: block header is damaged");
	bytes.data[head + 70] ^= 1;
	bytes.data[head + 120 + 30] ^= 1;
	write_file(*state, FILE0, bytes.data, bytes.size);
	expect_failure(*state, ERR_DAMAGED,
		       FILE0 ": block 0: digest of its stored bytes differs");
	bytes.data[head + 120 + 30] ^= 1;
	bytes.data[bytes.size - 9] ^= 1;
	write_file(*state, FILE0, bytes.data, bytes.size);
	expect_failure(*state, ERR_DAMAGED, FILE0 ": seek table at its end is damaged");
	bytes.data[bytes.size - 9] ^= 1;
	write_file(*state, FILE0, bytes.data, bytes.size - 1);
	expect_failure(*state, ERR_DAMAGED, "(truncated copy?)");
	write_file(*state, FILE0, "not a corpus", 12);
	expect_failure(*state, ERR_DAMAGED, "ends at byte 12");
	memset(bytes.data, 'x', bytes.size);
	write_file(*state, FILE0, bytes.data, bytes.size);
	expect_failure(*state, ERR_FORMAT, FILE0 ": not a data file of spangen");
	buf_free(&bytes);
}

// Reading a damaged block fails too, without the check before.
static void damaged_block_is_not_read(void **state)
{
	struct block_reader *r = block_reader_new();
	struct block b;
	struct corpus c;
	struct buf bytes;
	struct err e;
	size_t begin, end;

	write_tiny(*state, 0);
	assert_ok(corpus_open(&c, *state, &e), e);
	read_file(*state, FILE0, &bytes);
	block_init(&b);
	begin = 88 + (size_t)load_le64(bytes.data + 40) + 120;
	end = begin + (size_t)load_le64(bytes.data + begin - 16);
	for (size_t at = begin; at < end; at++) {
		bytes.data[at] ^= 0x10;
		write_file(*state, FILE0, bytes.data, bytes.size);
		// Bit 4 of a frame header descriptor is unused: zstd does not look at it.
		if (corpus_read_block(&c, r, 0, &b, NULL, &e) == OK)
			assert_int_equal(at, begin + 4);
		else
			assert_non_null(strstr(e.text, FILE0 ": block 0: "));
		assert_ok(corpus_read_block(&c, r, 1, &b, NULL, &e), e);
		bytes.data[at] ^= 0x10;
	}
	buf_free(&bytes);
	block_free(&b);
	block_reader_free(r);
	corpus_close(&c);
}

static void missing_files_leave_a_partial_corpus(void **state)
{
	struct block_reader *r = block_reader_new();
	struct block b;
	struct corpus c;
	struct err e = {0};

	write_tiny(*state, 1);
	remove_file(*state, FILE0);
	block_init(&b);
	assert_ok(corpus_open(&c, *state, &e), e);
	assert_false(corpus_has_block(&c, 0));
	assert_true(corpus_has_block(&c, 1));
	assert_ok(corpus_read_block(&c, r, 1, &b, NULL, &e), e);
	assert_int_equal(corpus_read_block(&c, r, 0, &b, NULL, &e), ERR_NOT_FOUND);
	assert_non_null(
		strstr(e.text, FILE0 ": not there, but it holds block 0; copy it beside"));
	corpus_close(&c);
	remove_file(*state, FILE1);
	assert_int_equal(corpus_open(&c, *state, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "none of the 2 data files that corpus.json names"));
	block_free(&b);
	block_reader_free(r);
}

static void swapped_files_are_found(void **state)
{
	struct buf first, second;

	write_tiny(*state, 1);
	read_file(*state, FILE0, &first);
	read_file(*state, FILE1, &second);
	write_file(*state, FILE0, second.data, second.size);
	write_file(*state, FILE1, first.data, first.size);
	expect_failure(*state, ERR_DAMAGED, FILE0);
	buf_free(&first);
	buf_free(&second);
}

static void foreign_folders_are_named(void **state)
{
	char path[256], text[512];
	struct corpus c;
	struct err e = {0};

	path_in(path, *state, "other");
	snprintf(text, sizeof(text), "%s: no such folder", path);
	assert_fails(corpus_open(&c, path, &e), e, ERR_NOT_FOUND, text);
	write_file(*state, "other", "{}", 2);
	snprintf(text, sizeof(text), "%s: not a folder; a corpus is a folder with corpus.json",
		 path);
	assert_fails(corpus_open(&c, path, &e), e, ERR_NOT_FOUND, text);
	snprintf(text, sizeof(text),
		 "%s/corpus.json: not there; the folder is not a corpus, or writing it was not "
		 "finished",
		 (const char *)*state);
	assert_fails(corpus_open(&c, *state, &e), e, ERR_NOT_FOUND, text);
	write_file(*state, MANIFEST_NAME, "{}", 2);
	snprintf(text, sizeof(text),
		 "%s/corpus.json: manifest: \"format\" is not \"spangen-corpus\": not a corpus "
		 "of spangen",
		 (const char *)*state);
	assert_fails(corpus_open(&c, *state, &e), e, ERR_FORMAT, text);
}

static void existing_output_is_kept(void **state)
{
	char text[512];
	struct err e = {0};
	struct buf bytes;

	write_file(*state, "other", "mine", 4);
	snprintf(text, sizeof(text),
		 "%s: exists already and is not empty (other); choose another folder or remove "
		 "it",
		 (const char *)*state);
	assert_fails(tiny_write(*state, 0, NULL, &e), e, ERR_EXISTS, text);
	read_file(*state, "other", &bytes);
	assert_int_equal(bytes.size, 4);
	buf_free(&bytes);
}

static enum status open_writer(struct corpus_dir *dir, const struct recipe *r,
			       const struct about *a, int64_t epoch_ms,
			       struct corpus_writer **w, struct err *e)
{
	return corpus_writer_open(w, dir,
				  &(struct corpus_writer_options){.recipe = r,
								  .about = a,
								  .dict_bytes = VIEW(""),
								  .epoch_ms = epoch_ms,
								  .end_block = 2},
				  e);
}

// An unfinished corpus leaves nothing under a final name (teardown finds what is left).
static void writer_refuses_and_cleans_up(void **state)
{
	static char bad[] = "\xff";
	struct about about = {0};
	struct recipe recipe = tiny_recipe;
	struct corpus_writer *w;
	struct corpus_dir dir;
	struct frame_writer *frames = frame_writer_new(1);
	struct block_header h = {0};
	struct block b;
	struct buf frame;
	struct err e = {0};

	assert_ok(corpus_dir_open(&dir, *state, (struct shard){0, 0}, false, &e), e);
	recipe.operations = 0;
	assert_fails(open_writer(&dir, &recipe, &about, TINY_EPOCH_MS, &w, &e), e, ERR_FORMAT,
		     "recipe: operations 0 is out of range 1..16777216");
	assert_null(w);
	assert_fails(open_writer(&dir, &tiny_recipe, &about, 5, &w, &e), e, ERR_FORMAT,
		     "manifest: epoch 5 ms is out of range 34359738368..4398046511103");
	about.title = bad;
	assert_fails(open_writer(&dir, &tiny_recipe, &about, TINY_EPOCH_MS, &w, &e), e,
		     ERR_FORMAT, "manifest: title is not valid UTF-8");
	about.title = NULL;
	block_init(&b);
	buf_init(&frame, MIB);
	tiny_block0(&b);
	assert_ok(open_writer(&dir, &tiny_recipe, &about, TINY_EPOCH_MS, &w, &e), e);
	assert_ok(frame_write_block(frames, &b, &h, &frame, &e), e);
	assert_ok(corpus_writer_add(w, &h, &frame, &e), e);
	assert_true(corpus_writer_bytes(w) > frame.size);
	assert_int_equal(corpus_writer_add(w, &h, &frame, &e), ERR_FORMAT); // again
	assert_non_null(strstr(e.text, "block 0 does not follow block 1"));
	corpus_writer_abort(w);
	assert_ok(open_writer(&dir, &tiny_recipe, &about, TINY_EPOCH_MS, &w, &e), e);
	assert_int_equal(corpus_writer_finish(w, NULL, &e), ERR_FORMAT);
	assert_non_null(strstr(e.text, "a corpus needs at least one block"));
	corpus_writer_abort(NULL);
	corpus_dir_close(&dir);
	block_free(&b);
	buf_free(&frame);
	frame_writer_free(frames);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

// With the name of a folder: writes fixtures/golden/tiny there.
int main(int argc, char **argv)
{
	struct err e = {0};
	const struct CMUnitTest tests[] = {
		TEST(written_is_read),
		TEST(digest_is_a_known_answer),
		TEST(digest_does_not_know_files),
		TEST(data_file_is_plain_zstd),
		TEST(every_flipped_bit_is_found),
		TEST(every_truncation_is_found),
		TEST(damage_is_located),
		TEST(damaged_block_is_not_read),
		TEST(missing_files_leave_a_partial_corpus),
		TEST(swapped_files_are_found),
		TEST(foreign_folders_are_named),
		TEST(existing_output_is_kept),
		TEST(writer_refuses_and_cleans_up),
	};

	if (argc == 2) {
		if (tiny_write(argv[1], 0, NULL, &e) != OK)
			fprintf(stderr, "%s\n", e.text);
		return status_exit_code(e.code);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
