// SPDX-License-Identifier: Apache-2.0
// Fixed layouts of a data file: skippable headers, the seek table, and the payload of the first
// frame. Bytes in, structs out; files and compression are left to corpus_write.c and
// corpus_read.c.
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "common/corpus_private.h"
#include "common/pb.h"

// Skippable frames of zstd carry 0x184D2A50..0x184D2A5F; the seek table's number and footer are
// those of zstd's contrib/seekable_format.
#define FILE_HEADER_MAGIC 0x184D2A50u
#define BLOCK_HEADER_MAGIC 0x184D2A51u
#define SEEK_TABLE_MAGIC 0x184D2A5Eu
#define SEEK_FOOTER_MAGIC 0x8F92EAB1u

static const char file_magic[8] = "spangen"; // with its NUL

// ---- Skippable frames ----------------------------------------------------------------------

// A header frame ends with the XXH3-64 of everything before it.
static void put_frame(uint8_t *out, uint32_t magic, size_t size_bytes)
{
	store_le32(out, magic);
	store_le32(out + 4, (uint32_t)(size_bytes - 8));
	store_le64(out + size_bytes - 8, XXH3_64bits(out, size_bytes - 8));
}

static bool frame_is(const uint8_t *in, uint32_t magic, size_t size_bytes)
{
	return load_le32(in) == magic && load_le32(in + 4) == size_bytes - 8;
}

static bool frame_is_whole(const uint8_t *in, size_t size_bytes)
{
	return load_le64(in + size_bytes - 8) == XXH3_64bits(in, size_bytes - 8);
}

static struct digest load_digest(const uint8_t *in)
{
	struct digest d;

	memcpy(d.bytes, in, sizeof(d.bytes));
	return d;
}

void file_header_encode(const struct file_header *h, uint8_t out[FILE_HEADER_SIZE])
{
	memcpy(out + 8, file_magic, sizeof(file_magic));
	store_le32(out + 16, h->format_version);
	store_le32(out + 20, 0);
	store_le64(out + 24, h->first_block);
	store_le64(out + 32, h->payload_size);
	store_le64(out + 40, h->stored_size);
	memcpy(out + 48, h->content.bytes, 16);
	memcpy(out + 64, h->stored.bytes, 16);
	put_frame(out, FILE_HEADER_MAGIC, FILE_HEADER_SIZE);
}

enum status file_header_decode(const uint8_t in[FILE_HEADER_SIZE], struct file_header *h,
			       struct err *e)
{
	bool ours = memcmp(in + 8, file_magic, sizeof(file_magic)) == 0;
	bool frame = frame_is(in, FILE_HEADER_MAGIC, FILE_HEADER_SIZE);
	bool whole = frame_is_whole(in, FILE_HEADER_SIZE);

	if (!ours && !frame)
		return err_set(e, ERR_FORMAT, "not a data file of spangen");
	if (!ours || !frame || !whole)
		return err_set(e, ERR_DAMAGED, "file header is damaged; " REMEDY);
	if (load_le32(in + 16) != FORMAT_VERSION || load_le32(in + 20) != 0)
		return err_set(e, ERR_VERSION,
			       "format version %u, but version %u is read here; use a release "
			       "that reads it",
			       load_le32(in + 16), FORMAT_VERSION);
	h->format_version = load_le32(in + 16);
	h->first_block = load_le64(in + 24);
	h->payload_size = load_le64(in + 32);
	h->stored_size = load_le64(in + 40);
	h->content = load_digest(in + 48);
	h->stored = load_digest(in + 64);
	return OK;
}

void block_header_encode(const struct block_header *h, uint8_t out[BLOCK_HEADER_SIZE])
{
	store_le64(out + 8, h->number);
	store_le64(out + 16, h->first_trace);
	store_le64(out + 24, h->first_row);
	store_le32(out + 32, h->traces);
	store_le32(out + 36, h->rows);
	store_le32(out + 40, h->spans);
	store_le32(out + 44, h->duplicates);
	store_le64(out + 48, h->min_start_ms);
	store_le64(out + 56, h->max_start_ms);
	memcpy(out + 64, h->content.bytes, 16);
	memcpy(out + 80, h->stored.bytes, 16);
	store_le64(out + 96, h->payload_size);
	store_le64(out + 104, h->stored_size);
	put_frame(out, BLOCK_HEADER_MAGIC, BLOCK_HEADER_SIZE);
}

enum status block_header_decode(const uint8_t in[BLOCK_HEADER_SIZE], struct block_header *h,
				struct err *e)
{
	if (!frame_is(in, BLOCK_HEADER_MAGIC, BLOCK_HEADER_SIZE) ||
	    !frame_is_whole(in, BLOCK_HEADER_SIZE))
		return err_set(e, ERR_DAMAGED, "block header is damaged; " REMEDY);
	h->number = load_le64(in + 8);
	h->first_trace = load_le64(in + 16);
	h->first_row = load_le64(in + 24);
	h->traces = load_le32(in + 32);
	h->rows = load_le32(in + 36);
	h->spans = load_le32(in + 40);
	h->duplicates = load_le32(in + 44);
	h->min_start_ms = load_le64(in + 48);
	h->max_start_ms = load_le64(in + 56);
	h->content = load_digest(in + 64);
	h->stored = load_digest(in + 80);
	h->payload_size = load_le64(in + 96);
	h->stored_size = load_le64(in + 104);
	return OK;
}

// ---- Seek table ----------------------------------------------------------------------------

void seek_table_encode(const struct column32 *entries, struct buf *out)
{
	uint64_t frames = entries->count / 2;

	buf_put_le32(out, SEEK_TABLE_MAGIC);
	buf_put_le32(out, (uint32_t)(seek_table_size(frames) - SEEK_HEAD_SIZE));
	for (size_t i = 0; i < entries->count; i++)
		buf_put_le32(out, entries->v[i]);
	buf_put_le32(out, (uint32_t)frames);
	buf_put_u8(out, 0); // descriptor: no checksums
	buf_put_le32(out, SEEK_FOOTER_MAGIC);
}

enum status seek_table_check(const uint8_t *table, uint64_t frames, struct err *e)
{
	const uint8_t *foot = table + SEEK_HEAD_SIZE + SEEK_ENTRY_SIZE * frames;

	if (load_le32(table) != SEEK_TABLE_MAGIC ||
	    load_le32(table + 4) != seek_table_size(frames) - SEEK_HEAD_SIZE ||
	    load_le32(foot) != frames || foot[4] != 0 ||
	    load_le32(foot + 5) != SEEK_FOOTER_MAGIC)
		return err_set(e, ERR_DAMAGED,
			       "seek table at its end is damaged, or the file is not the one "
			       "that the manifest names; " REMEDY);
	return OK;
}

// ---- First frame ---------------------------------------------------------------------------

void head_encode(struct view recipe, size_t dict_size, struct view about, struct buf *before,
		 struct buf *after)
{
	pb_put_bytes(before, CORPUS_RECIPE, recipe.data, recipe.size);
	pb_put_tag(before, CORPUS_DICTIONARY, PB_BYTES);
	pb_put_varint(before, dict_size);
	pb_put_bytes(after, CORPUS_ABOUT, about.data, about.size);
}

enum status head_decode(const void *payload, size_t size_bytes, struct head *out, struct err *e)
{
	struct pb_reader r;
	struct pb_field f;
	uint32_t last = 0;

	*out = (struct head){0};
	pb_reader_init(&r, payload, size_bytes);
	while (pb_next(&r, &f) && f.wire == PB_BYTES && f.number == last + 1 &&
	       f.number <= CORPUS_ABOUT) {
		last = f.number;
		if (f.number == CORPUS_RECIPE)
			out->recipe = f.bytes;
		else if (f.number == CORPUS_DICTIONARY)
			out->dict = f.bytes;
		else
			out->about = f.bytes;
	}
	if (r.failed || r.pos != r.end || last != CORPUS_ABOUT)
		return err_set(e, ERR_FORMAT,
			       "first frame is not recipe, dictionary and about");
	return OK;
}

void about_encode(const struct about *a, struct buf *out)
{
	const char *texts[] = {a->title, a->description, a->licence, a->generator,
			       a->zstd_version};

	for (uint32_t i = 0; i < ARRAY_LEN(texts); i++)
		pb_put_string(out, i + 1, texts[i] != NULL ? texts[i] : "");
}

void about_free(struct about *a)
{
	free(a->title);
	free(a->description);
	free(a->licence);
	free(a->generator);
	free(a->zstd_version);
	*a = (struct about){0};
}

enum status about_decode(struct view about, struct about *out, struct err *e)
{
	char **texts[] = {&out->title, &out->description, &out->licence, &out->generator,
			  &out->zstd_version};
	struct pb_reader r;
	struct pb_field f;
	bool good = true;

	*out = (struct about){0};
	pb_reader_init(&r, about.data, about.size);
	while (good && pb_next(&r, &f)) {
		good = f.wire == PB_BYTES && f.number <= ARRAY_LEN(texts) &&
		       *texts[f.number - 1] == NULL && utf8_valid(f.bytes.data, f.bytes.size) &&
		       (f.bytes.size == 0 || memchr(f.bytes.data, 0, f.bytes.size) == NULL);
		if (good) {
			char *text = mem_alloc(f.bytes.size + 1);

			memcpy(text, f.bytes.data, f.bytes.size);
			text[f.bytes.size] = '\0';
			*texts[f.number - 1] = text;
		}
	}
	if (!good || r.failed) {
		about_free(out);
		return err_set(e, ERR_FORMAT, "first frame: about is malformed");
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (*texts[i] == NULL)
			*texts[i] = mem_strdup("");
	}
	return OK;
}

enum status about_check(const struct about *a, struct view about, struct err *e)
{
	const char *texts[] = {a->title, a->description, a->licence};
	struct view found[ARRAY_LEN(texts)] = {{0}};
	struct pb_reader r;
	struct pb_field f;

	pb_reader_init(&r, about.data, about.size);
	while (pb_next(&r, &f)) {
		if (f.number <= ARRAY_LEN(texts))
			found[f.number - 1] = f.bytes;
	}
	if (r.failed)
		return err_set(e, ERR_FORMAT, "first frame: about is malformed");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (!view_equal(view_of(texts[i] != NULL ? texts[i] : ""), found[i]))
			return err_set(e, ERR_DAMAGED,
				       "first frame: title, description or licence are not "
				       "the manifest's");
	}
	return OK;
}
