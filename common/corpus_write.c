// SPDX-License-Identifier: Apache-2.0
// Writing a corpus: blocks to compressed frames (any thread), frames to data files and the
// manifest (one thread, blocks in order). A data file has its final name only when it is whole;
// the manifest comes last.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>
#include <zstd.h>

#include "common/corpus_private.h"

#define HEAD_LEVEL 1 // of the first frame: 9 takes a quarter less and six times as long

// ---- Frames --------------------------------------------------------------------------------

struct frame_writer {
	ZSTD_CCtx *zstd;
	struct buf payload;
};

struct frame_writer *frame_writer_new(int level)
{
	struct frame_writer *w = mem_zalloc(1, sizeof(*w));

	buf_init(&w->payload, BLOCK_PAYLOAD_MAX);
	w->zstd = ZSTD_createCCtx();
	if (w->zstd == NULL)
		abort(); // a few kilobytes at start
	// Levels out of range are clamped by zstd; the other two cannot fail.
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_contentSizeFlag, 1);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
	return w;
}

void frame_writer_free(struct frame_writer *w)
{
	if (w == NULL)
		return;
	ZSTD_freeCCtx(w->zstd);
	buf_free(&w->payload);
	free(w);
}

// Appends payload as one zstd frame to out.
static enum status compress(ZSTD_CCtx *zstd, const struct buf *payload, struct buf *out,
			    struct err *e)
{
	size_t bound = ZSTD_compressBound(payload->size), begin = out->size, size;
	uint8_t *room = buf_reserve(out, bound);

	if (room == NULL)
		return buf_check(out, "compressed frame", e);
	size = ZSTD_compress2(zstd, room, bound, payload->data, payload->size);
	if (ZSTD_isError(size))
		return err_set(e, ERR_MEMORY, "cannot compress: %s", ZSTD_getErrorName(size));
	out->size = begin + size;
	return OK;
}

enum status frame_write_block(struct frame_writer *w, const struct block *b,
			      struct block_header *h, struct buf *out, struct err *e)
{
	enum status s;

	buf_clear(&w->payload);
	buf_clear(out);
	block_encode(b, &w->payload);
	s = buf_check(&w->payload, "block", e);
	if (s == OK)
		s = compress(w->zstd, &w->payload, out, e);
	if (s != OK)
		return e == NULL ? s : err_prefix(e, "block %" PRIu64, b->number);
	h->number = b->number;
	h->first_trace = b->first_trace;
	h->first_row = b->first_row;
	h->traces = (uint32_t)b->trace_size.count;
	h->rows = (uint32_t)block_rows(b);
	h->spans = (uint32_t)b->template.count;
	h->duplicates = (uint32_t)b->duplicate_row.count;
	h->content = digest_of(w->payload.data, w->payload.size);
	h->stored = digest_of(out->data, out->size);
	h->payload_size = w->payload.size;
	h->stored_size = out->size;
	return OK;
}

// ---- Files ---------------------------------------------------------------------------------

struct corpus_writer {
	char *dir;
	struct manifest manifest; // grows with each file
	size_t file_capacity;
	uint64_t file_max;	   // uncompressed bytes of a data file
	struct buf head;	   // first frame of every data file
	struct file_header header; // that goes with it
	struct file_out file;	   // open one, or null
	XXH3_state_t *file_digest; // of its bytes so far
	struct column32 seek;	   // pairs of the open file
	struct corpus_digest *digest;
	uint64_t bytes;
};

static enum status write_bytes(struct corpus_writer *w, const void *data, size_t size_bytes,
			       struct err *e)
{
	XXH3_128bits_update(w->file_digest, data, size_bytes);
	w->bytes += size_bytes;
	return file_out_write(&w->file, data, size_bytes, e);
}

static enum status write_frame(struct corpus_writer *w, const void *data, size_t size_bytes,
			       uint64_t payload_size, struct err *e)
{
	column32_put(&w->seek, (uint32_t)size_bytes);
	column32_put(&w->seek, (uint32_t)payload_size);
	return write_bytes(w, data, size_bytes, e);
}

static struct manifest_file *open_file(const struct corpus_writer *w)
{
	return &w->manifest.file[w->manifest.file_count - 1];
}

static struct manifest_file *add_manifest_file(struct corpus_writer *w)
{
	struct manifest *m = &w->manifest;
	struct manifest_file *f;
	char name[64];

	if (m->file_count == w->file_capacity) {
		w->file_capacity = 2 * w->file_capacity + 4;
		m->file = mem_realloc(m->file, w->file_capacity, sizeof(*m->file));
	}
	snprintf(name, sizeof(name), "data-%07" PRIu64 ".zst", m->blocks);
	f = &m->file[m->file_count++];
	*f = (struct manifest_file){
		.name = mem_strdup(name), .first_block = m->blocks, .first_row = m->rows};
	return f;
}

static enum status begin_file(struct corpus_writer *w, struct err *e)
{
	struct manifest_file *f = add_manifest_file(w);
	char *path = path_join(w->dir, f->name);
	uint8_t header[FILE_HEADER_SIZE];
	enum status s;

	w->seek.count = 0;
	XXH3_128bits_reset(w->file_digest);
	w->header.first_block = f->first_block;
	file_header_encode(&w->header, header);
	f->payload_size = w->header.payload_size;
	s = file_out_open(&w->file, path, e);
	if (s == OK)
		s = write_frame(w, header, sizeof(header), 0, e);
	if (s == OK)
		s = write_frame(w, w->head.data, w->head.size, w->header.payload_size, e);
	free(path);
	return s;
}

static enum status end_file(struct corpus_writer *w, struct err *e)
{
	struct manifest_file *f;
	XXH128_canonical_t digest;
	struct buf table;
	enum status s;

	if (w->file.path == NULL)
		return OK;
	f = open_file(w);
	buf_init(&table, 64 * MIB); // four million blocks
	seek_table_encode(&w->seek, &table);
	s = buf_check(&table, "seek table", e);
	if (s == OK)
		s = write_bytes(w, table.data, table.size, e);
	buf_free(&table);
	if (s != OK)
		return s;
	XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(w->file_digest));
	memcpy(f->stored.bytes, digest.digest, sizeof(f->stored.bytes));
	f->size = w->file.size;
	return file_out_commit(&w->file, false, e);
}

// ---- Opening -------------------------------------------------------------------------------

static enum status check_dir(const char *dir, struct err *e)
{
	bool empty;
	enum status s = file_make_dir(dir, e);

	if (s == OK)
		s = file_dir_is_empty(dir, &empty, e);
	if (s == OK && !empty)
		s = err_set(e, ERR_EXISTS,
			    "%s: exists already and is not empty; choose another folder or "
			    "remove it",
			    dir);
	return s;
}

static char *copy_text(const char *text)
{
	return mem_strdup(text != NULL ? text : "");
}

static void copy_about(struct about *out, const struct about *a)
{
	out->title = copy_text(a->title);
	out->description = copy_text(a->description);
	out->licence = copy_text(a->licence);
	out->generator =
		copy_text(a->generator != NULL ? a->generator : "spangen " SPANGEN_VERSION);
	out->zstd_version = copy_text(ZSTD_versionString());
}

// Compresses more of a frame; end: the last of it. Output grows as it comes, so that neither
// input nor output is ever held twice.
static enum status compress_part(ZSTD_CCtx *zstd, struct view part, bool end, struct buf *out,
				 struct err *e)
{
	ZSTD_inBuffer in = {part.data, part.size, 0};
	size_t left;

	do {
		size_t begin = out->size;
		ZSTD_outBuffer room = {buf_reserve(out, ZSTD_CStreamOutSize()),
				       ZSTD_CStreamOutSize(), 0};

		if (room.dst == NULL)
			return buf_check(out, "compressed frame", e);
		left = ZSTD_compressStream2(zstd, &room, &in,
					    end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_set(e, ERR_MEMORY, "cannot compress: %s",
				       ZSTD_getErrorName(left));
		out->size = begin + room.pos;
	} while (end ? left > 0 : in.pos < in.size);
	return OK;
}

enum status data_head_make(struct view recipe, struct view dict, const struct about *a,
			   struct buf *frame, uint64_t *payload_size, struct digest *content,
			   struct err *e)
{
	struct frame_writer *frames = frame_writer_new(HEAD_LEVEL);
	struct stream_digest *sum = stream_digest_new();
	struct buf about, before, after; // the dictionary
	enum status s;

	buf_init(&about, MANIFEST_MAX_BYTES);
	buf_init(&before, 2 * MANIFEST_MAX_BYTES);
	buf_init(&after, 2 * MANIFEST_MAX_BYTES);
	about_encode(a, &about);
	head_encode(recipe, dict.size, (struct view){(const char *)about.data, about.size},
		    &before, &after);
	s = buf_check(&about, "title, description and licence", e);
	if (s == OK)
		s = buf_check(&before, "recipe", e);
	if (s == OK)
		s = buf_check(&after, "title, description and licence", e);
	if (s == OK) {
		struct view part[] = {{(const char *)before.data, before.size},
				      dict,
				      {(const char *)after.data, after.size}};

		*payload_size = before.size + dict.size + after.size;
		ZSTD_CCtx_setPledgedSrcSize(frames->zstd, *payload_size); // cannot fail
		for (size_t i = 0; s == OK && i < ARRAY_LEN(part); i++) {
			stream_digest_put(sum, part[i].data, part[i].size);
			s = compress_part(frames->zstd, part[i], i + 1 == ARRAY_LEN(part),
					  frame, e);
		}
		*content = stream_digest_take(sum);
	}
	buf_free(&about);
	buf_free(&before);
	buf_free(&after);
	stream_digest_free(sum);
	frame_writer_free(frames);
	return s;
}

// The first frame and its place in the header of every file.
static enum status make_head(struct corpus_writer *w, struct view recipe, struct view dict,
			     struct err *e)
{
	enum status s = data_head_make(recipe, dict, &w->manifest.about, &w->head,
				       &w->header.payload_size, &w->header.content, e);

	w->header.format_version = FORMAT_VERSION;
	w->header.stored_size = w->head.size;
	w->header.stored = digest_of(w->head.data, w->head.size);
	return s;
}

enum status corpus_overhead(const struct recipe *r, const struct about *a,
			    struct view dict_bytes, struct corpus_overhead *out, struct err *e)
{
	struct corpus_writer w = {0};
	struct buf recipe;
	enum status s;

	copy_about(&w.manifest.about, a);
	buf_init(&w.head, SIZE_MAX);
	buf_init(&recipe, 4 * KIB);
	recipe_encode(r, &recipe);
	s = make_head(&w, (struct view){(const char *)recipe.data, recipe.size}, dict_bytes, e);
	// A seek table has entries for header and frame of the head, and of each block.
	*out = (struct corpus_overhead){
		.head_payload_bytes = w.header.payload_size,
		.file_bytes = FILE_HEADER_SIZE + w.header.stored_size + seek_table_size(2),
		.block_bytes = BLOCK_HEADER_SIZE + 2 * SEEK_ENTRY_SIZE,
	};
	buf_free(&recipe);
	buf_free(&w.head);
	manifest_free(&w.manifest);
	return s;
}

// What would make the manifest fail at the end fails here.
static enum status try_manifest(const struct corpus_writer *w, struct err *e)
{
	struct buf text;
	enum status s;

	buf_init(&text, MANIFEST_MAX_BYTES);
	s = manifest_format(&w->manifest, &text, e);
	buf_free(&text);
	return s;
}

enum status corpus_writer_open(struct corpus_writer **out, const char *dir,
			       const struct recipe *r, const struct about *a,
			       struct view dict_bytes, int64_t epoch_ms, struct err *e)
{
	struct corpus_writer *w;
	struct buf recipe;
	enum status s = recipe_check(r, e);

	*out = NULL;
	if (s != OK)
		return s;
	w = mem_zalloc(1, sizeof(*w));
	w->dir = mem_strdup(dir);
	w->file_max = DATA_PAYLOAD_MAX;
	w->file.fd = -1;
	w->file_digest = XXH3_createState();
	if (w->file_digest == NULL)
		abort();
	w->manifest.format_version = FORMAT_VERSION;
	w->manifest.recipe = *r;
	w->manifest.epoch_ms = epoch_ms;
	copy_about(&w->manifest.about, a);
	buf_init(&w->head, SIZE_MAX);
	buf_init(&recipe, 4 * KIB);
	recipe_encode(r, &recipe);
	w->digest = corpus_digest_new(r->content_version,
				      (struct view){(const char *)recipe.data, recipe.size},
				      dict_bytes);
	s = try_manifest(w, e);
	if (s == OK)
		s = make_head(w, (struct view){(const char *)recipe.data, recipe.size},
			      dict_bytes, e);
	buf_free(&recipe);
	if (s == OK)
		s = check_dir(dir, e);
	if (s != OK) {
		corpus_writer_abort(w);
		return s;
	}
	*out = w;
	return OK;
}

void corpus_writer_set_file_max(struct corpus_writer *w, uint64_t payload_bytes)
{
	w->file_max = payload_bytes;
}

// ---- Adding and ending ---------------------------------------------------------------------

enum status corpus_writer_add(struct corpus_writer *w, const struct block_header *h,
			      const struct buf *frame, struct err *e)
{
	struct manifest *m = &w->manifest;
	uint8_t header[BLOCK_HEADER_SIZE];
	struct manifest_file *f;
	enum status s = OK;

	if (h->number != m->blocks || h->first_row != m->rows || h->first_trace != m->traces)
		return err_set(e, ERR_FORMAT,
			       "%s: block %" PRIu64 " does not follow block %" PRIu64, w->dir,
			       h->number, m->blocks);
	if (w->file.path != NULL && open_file(w)->payload_size + h->payload_size > w->file_max)
		s = end_file(w, e);
	if (s == OK && w->file.path == NULL)
		s = begin_file(w, e);
	block_header_encode(h, header);
	if (s == OK)
		s = write_frame(w, header, sizeof(header), 0, e);
	if (s == OK)
		s = write_frame(w, frame->data, frame->size, h->payload_size, e);
	if (s != OK)
		return s;
	f = open_file(w);
	f->payload_size += h->payload_size;
	f->blocks++;
	f->rows += h->rows;
	m->blocks++;
	m->rows += h->rows;
	m->traces += h->traces;
	corpus_digest_block(w->digest, h->content);
	return OK;
}

static enum status write_manifest(struct corpus_writer *w, struct err *e)
{
	char *path = path_join(w->dir, MANIFEST_NAME);
	struct buf text;
	enum status s;

	buf_init(&text, MANIFEST_MAX_BYTES);
	s = manifest_format(&w->manifest, &text, e);
	if (s == OK)
		s = file_write_all(path, text.data, text.size, false, e);
	buf_free(&text);
	free(path);
	return s;
}

enum status corpus_writer_finish(struct corpus_writer *w, struct manifest *m, struct err *e)
{
	enum status s = end_file(w, e);

	w->manifest.digest = corpus_digest_final(w->digest);
	w->digest = NULL;
	if (s == OK && w->manifest.blocks == 0)
		s = err_set(e, ERR_FORMAT, "%s: a corpus needs at least one block", w->dir);
	if (s == OK)
		s = write_manifest(w, e);
	if (s == OK && m != NULL) {
		*m = w->manifest;
		w->manifest = (struct manifest){0};
	}
	corpus_writer_abort(w);
	return s;
}

void corpus_writer_abort(struct corpus_writer *w)
{
	if (w == NULL)
		return;
	file_out_abort(&w->file);
	manifest_free(&w->manifest);
	(void)corpus_digest_final(w->digest);
	XXH3_freeState(w->file_digest);
	free(w->seek.v);
	buf_free(&w->head);
	free(w->dir);
	free(w);
}

uint64_t corpus_writer_bytes(const struct corpus_writer *w)
{
	return w->bytes;
}
