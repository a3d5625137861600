// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a data file: headers, first frame, seek table and blocks, opened with a manifest
// that agrees with it or nearly so. Digests of headers and contents are put right first, which
// a mutation could not. Blocks that are accepted are rendered.
//
// Input: one byte of choices, three numbers that are added to the manifest's blocks, rows and
// payload size (signed bytes), then the data file. Needs a folder to write into: TMPDIR.
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>
#include <zstd.h>

#include "common/corpus_check.h"
#include "common/pb.h"

enum choice {
	CHOICE_AS_IT_IS = 1,  // no digest is put right
	CHOICE_TWO_FILES = 2, // the manifest names one more file, which is not there
};

#define HEAD_SIZE 4u
#define FILE_HEADER_SIZE 88u // FORMAT.md, section 3
#define BLOCK_HEADER_SIZE 120u
#define SEEK_FOOT_SIZE 9u
#define CONTENT_MAX (1 * MIB)
#define NAME "data-0000000.zst"

static char dir[256], data_path[300], manifest_path[300];

static void remove_dir(void)
{
	unlink(data_path);
	unlink(manifest_path);
	rmdir(dir);
}

static void make_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (dir[0] != '\0')
		return;
	snprintf(dir, sizeof(dir), "%.200s/fuzz_seek.XXXXXX", tmp != NULL ? tmp : "/tmp");
	fuzz_must(mkdtemp(dir) != NULL);
	snprintf(data_path, sizeof(data_path), "%s/" NAME, dir);
	snprintf(manifest_path, sizeof(manifest_path), "%s/" MANIFEST_NAME, dir);
	atexit(remove_dir);
}

static void write_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "wb");

	fuzz_must(f != NULL);
	fuzz_must(size == 0 || fwrite(data, 1, size, f) == size);
	fuzz_must(fclose(f) == 0);
}

// ---- What the file says of itself ----------------------------------------------------------

struct layout {
	uint8_t *data;
	size_t size;
	uint64_t blocks;
	const uint8_t *entry; // seek table's, NULL when there is none
};

static struct layout lay_out(uint8_t *data, size_t size)
{
	struct layout l = {data, size, 0, NULL};
	uint64_t frames, table;

	if (size < FILE_HEADER_SIZE + 8 + SEEK_FOOT_SIZE)
		return l;
	frames = load_le32(data + size - SEEK_FOOT_SIZE);
	table = 8 + 8 * frames + SEEK_FOOT_SIZE;
	if (frames < 2 || table > size - FILE_HEADER_SIZE)
		return l;
	l.blocks = (frames - 2) / 2;
	l.entry = data + size - table + 8;
	return l;
}

// Digests of the content and the stored bytes of a frame into a header, and the header's own.
static void mend_frame(const uint8_t *frame, size_t size, uint8_t *content_at,
		       uint8_t *stored_at, uint8_t *content_size_at)
{
	unsigned long long content = ZSTD_getFrameContentSize(frame, size);
	struct digest d = digest_of(frame, size);
	void *room;
	size_t n;

	memcpy(stored_at, d.bytes, sizeof(d.bytes));
	if (content > CONTENT_MAX) // errors are large numbers, too
		return;
	room = malloc(content > 0 ? (size_t)content : 1);
	fuzz_must(room != NULL);
	n = ZSTD_decompress(room, (size_t)content, frame, size);
	if (!ZSTD_isError(n) && n == content) {
		d = digest_of(room, n);
		memcpy(content_at, d.bytes, sizeof(d.bytes));
		store_le64(content_size_at, content);
	}
	free(room);
}

static void mend(const struct layout *l)
{
	uint64_t at = FILE_HEADER_SIZE;

	if (l->size < FILE_HEADER_SIZE || l->entry == NULL)
		return;
	for (uint64_t i = 0; i <= l->blocks; i++) {
		uint8_t *header = l->data + at - FILE_HEADER_SIZE;
		uint64_t stored = load_le32(l->entry + 16 * i + 8);

		if (i > 0) {
			header = l->data + at;
			at += BLOCK_HEADER_SIZE;
		}
		if (at > l->size || stored > l->size - at)
			return;
		if (i == 0) {
			mend_frame(l->data + at, (size_t)stored, header + 48, header + 64,
				   header + 32);
			store_le64(header + 80, XXH3_64bits(header, 80));
		} else {
			mend_frame(l->data + at, (size_t)stored, header + 64, header + 80,
				   header + 96);
			store_le64(header + 112, XXH3_64bits(header, 112));
		}
		at += stored;
		if (l->size - at < BLOCK_HEADER_SIZE)
			return;
	}
}

// The recipe in the first frame, when there is one that is in range.
static struct recipe find_recipe(const struct layout *l)
{
	struct recipe r, found = fuzz_recipe();
	uint8_t *room;
	size_t n;
	struct pb_reader reader;
	struct pb_field f;
	struct err e;

	if (l->entry == NULL || load_le32(l->entry + 8) > l->size - FILE_HEADER_SIZE)
		return found;
	room = malloc(CONTENT_MAX);
	fuzz_must(room != NULL);
	n = ZSTD_decompress(room, CONTENT_MAX, l->data + FILE_HEADER_SIZE,
			    load_le32(l->entry + 8));
	if (!ZSTD_isError(n)) {
		pb_reader_init(&reader, room, n);
		if (pb_next(&reader, &f) && f.number == 1 && f.wire == PB_BYTES &&
		    recipe_decode(f.bytes.data, f.bytes.size, &r, &e) == OK &&
		    recipe_check(&r, &e) == OK)
			found = r;
	}
	free(room);
	return found;
}

// ---- The manifest --------------------------------------------------------------------------

// Writes a manifest that fits the file but for the wishes; false when no manifest says that.
static bool write_manifest(const struct layout *l, const uint8_t wish[HEAD_SIZE])
{
	static char none[] = "", name[] = NAME, other[] = "other";
	struct manifest_file file[2] = {{.name = name}, {.name = other}};
	struct manifest m = {.format_version = FORMAT_VERSION, .file = file, .file_count = 1};
	struct buf text;
	struct err e;
	struct manifest parsed;
	bool good;

	m.about = (struct about){none, none, none, none, none};
	m.recipe = find_recipe(l);
	m.epoch_ms = m.recipe.base_epoch_ms;
	file[0].size = l->size;
	file[0].stored = digest_of(l->data, l->size);
	file[0].first_block = l->size >= 32 ? load_le64(l->data + 24) : 0;
	file[0].blocks = l->blocks + (uint64_t)(int64_t)(int8_t)wish[1];
	for (uint64_t i = 0; l->entry != NULL && i < 2 + 2 * l->blocks; i++)
		file[0].payload_size += load_le32(l->entry + 8 * i + 4);
	file[0].payload_size += (uint64_t)(int64_t)(int8_t)wish[3];
	// What the blocks say is not looked for: the tiny corpus's rows, unless wished.
	file[0].rows = m.recipe.spans + (uint64_t)(int64_t)(int8_t)wish[2];
	if (wish[0] & CHOICE_TWO_FILES) {
		m.file_count = 2;
		file[1] = file[0];
		file[1].name = other;
		file[1].first_block += file[0].blocks;
		file[1].first_row += file[0].rows;
	}
	m.traces = m.recipe.traces;
	for (size_t i = 0; i < m.file_count; i++) {
		m.rows += file[i].rows;
		m.blocks += file[i].blocks;
	}
	buf_init(&text, MANIFEST_MAX_BYTES);
	good = manifest_format(&m, &text, &e) == OK &&
	       manifest_parse((const char *)text.data, text.size, &parsed, &e) == OK;
	if (good) {
		manifest_free(&parsed);
		write_file(manifest_path, text.data, text.size);
	}
	buf_free(&text);
	return good;
}

// ---- Reading -------------------------------------------------------------------------------

static void read_block(const struct corpus *c, struct block_reader *r, struct block *b,
		       uint64_t number)
{
	struct block_header h;
	struct view payload;
	struct err e = {0};
	enum status header = corpus_block_header(c, number, &h, &e), read;

	fuzz_check_error(header, &e);
	read = corpus_read_block(c, r, number, b, &payload, &e);
	fuzz_check_error(read, &e);
	if (read != OK)
		return;
	fuzz_must(header == OK);
	fuzz_must(h.number == number && h.rows == block_rows(b));
	fuzz_must(payload.size == h.payload_size);
	fuzz_render(&c->dict, &c->manifest.recipe, b);
}

// The parts of a file, found without trust in its seek table; whole is where corpus reads it.
static void scan_file(const char *path, uint64_t first, uint64_t blocks, bool exact)
{
	struct block_reader *r = block_reader_new();
	struct data_scan scan;
	struct data_head head;
	struct err e = {0};
	struct buf table;
	struct block b;
	enum status s = data_scan_open(&scan, path, &e);

	block_init(&b);
	buf_init(&table, 0);
	fuzz_check_error(s, &e);
	if (s == OK)
		fuzz_must(data_scan_walk(&scan, first, blocks, exact, &e) == OK);
	if (s == OK) {
		fuzz_must(scan.found <= scan.blocks && scan.blocks <= blocks);
		fuzz_check_error(data_scan_header(&scan, first, &e), &e);
		fuzz_check_error(data_scan_head(&scan, r, &head, &e), &e);
		for (uint64_t i = 0; i < scan.blocks; i++) {
			struct block_header h;
			struct view stored;

			fuzz_check_error(
				data_scan_block(&scan, r, i, NULL, &b, &h, &stored, &e), &e);
		}
		fuzz_check_error(data_scan_table(&scan, &table, &e), &e);
	}
	buf_free(&table);
	block_free(&b);
	data_scan_free(&scan);
	block_reader_free(r);
}

static void read_corpus(void)
{
	struct corpus c;
	struct err e = {0};
	enum status s = corpus_open(&c, dir, &e);
	struct block_reader *r;
	struct block b;
	const struct manifest_file *m;

	fuzz_check_error(s, &e);
	if (s != OK)
		return;
	r = block_reader_new();
	block_init(&b);
	m = &c.manifest.file[0];
	for (uint64_t i = 0; i < m->blocks; i++) {
		fuzz_must(corpus_has_block(&c, m->first_block + i));
		read_block(&c, r, &b, m->first_block + i);
	}
	fuzz_must(!corpus_has_block(&c, m->first_block + m->blocks));
	fuzz_must(corpus_block_header(&c, m->first_block + m->blocks, &(struct block_header){0},
				      &e) == ERR_NOT_FOUND);
	scan_file(data_path, m->first_block, m->blocks, true);
	block_free(&b);
	block_reader_free(r);
	corpus_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct layout l;
	uint8_t *copy;

	if (size < HEAD_SIZE)
		return 0;
	make_dir();
	copy = malloc(size - HEAD_SIZE + 1);
	fuzz_must(copy != NULL);
	memcpy(copy, data + HEAD_SIZE, size - HEAD_SIZE);
	l = lay_out(copy, size - HEAD_SIZE);
	if (!(data[0] & CHOICE_AS_IT_IS))
		mend(&l);
	if (write_manifest(&l, data)) {
		write_file(data_path, copy, l.size);
		read_corpus();
		scan_file(data_path, 0, UINT64_C(1) << 40, false);
	}
	free(copy);
	return 0;
}
