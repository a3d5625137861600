// SPDX-License-Identifier: Apache-2.0
// Writing a corpus: blocks to compressed frames (any thread), frames to data files and the
// manifest (one thread, blocks in order). A data file has its final name only when it is whole;
// the manifest comes last. What an earlier writer left is read and kept.
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
		mem_exhausted(1, 0); // a few kilobytes at start
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
	struct corpus_dir *dir;	  // borrowed
	struct manifest manifest; // grows with each file
	size_t file_capacity;
	struct corpus_position first, next;
	uint64_t end_block;
	uint64_t file_max;	   // uncompressed bytes of a data file
	struct buf head;	   // first frame of every data file
	struct file_header header; // that goes with it
	struct file_out file;	   // open one, or null
	XXH3_state_t *file_digest; // of its bytes so far
	struct column32 seek;	   // pairs of the open file
	struct corpus_digest *digest;
	struct buf kept; // a frame that is looked at
	uint64_t bytes;
};

// ---- Files: what is known of the open one --------------------------------------------------

// Bytes that are in the file enter its digest.
static void account_bytes(struct corpus_writer *w, const void *data, size_t size_bytes)
{
	XXH3_128bits_update(w->file_digest, data, size_bytes);
	w->bytes += size_bytes;
}

static void account_frame(struct corpus_writer *w, const void *data, size_t size_bytes,
			  uint64_t payload_size)
{
	column32_put(&w->seek, (uint32_t)size_bytes);
	column32_put(&w->seek, (uint32_t)payload_size);
	account_bytes(w, data, size_bytes);
}

static struct manifest_file *open_file(const struct corpus_writer *w)
{
	return &w->manifest.file[w->manifest.file_count - 1];
}

// Header and frame of a block are in the file.
static void account_block(struct corpus_writer *w, const struct block_header *h)
{
	struct manifest *m = &w->manifest;
	struct manifest_file *f = open_file(w);

	f->payload_size += h->payload_size;
	f->blocks++;
	f->rows += h->rows;
	m->blocks++;
	m->rows += h->rows;
	m->traces += h->traces;
	w->next.block++;
	w->next.row += h->rows;
	w->next.trace += h->traces;
	corpus_digest_block(w->digest, h->content);
}

static bool block_follows(const struct corpus_writer *w, const struct block_header *h)
{
	return h->number == w->next.block && h->first_row == w->next.row &&
	       h->first_trace == w->next.trace;
}

static void account_file_begin(struct corpus_writer *w)
{
	struct manifest *m = &w->manifest;
	char name[DATA_NAME_SIZE];

	if (m->file_count == w->file_capacity) {
		w->file_capacity = 2 * w->file_capacity + 4;
		m->file = mem_realloc(m->file, w->file_capacity, sizeof(*m->file));
	}
	data_name(w->next.block, name);
	m->file[m->file_count++] =
		(struct manifest_file){.name = mem_strdup(name),
				       .payload_size = w->header.payload_size,
				       .first_block = w->next.block,
				       .first_row = w->next.row};
	w->header.first_block = w->next.block;
	w->seek.count = 0;
	XXH3_128bits_reset(w->file_digest);
}

// The file that account_file_begin began does not count after all; it has no blocks.
static void account_file_undo(struct corpus_writer *w)
{
	free(open_file(w)->name);
	w->manifest.file_count--;
}

static void account_file_end(struct corpus_writer *w, uint64_t size)
{
	struct manifest_file *f = open_file(w);
	XXH128_canonical_t digest;

	XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(w->file_digest));
	memcpy(f->stored.bytes, digest.digest, sizeof(f->stored.bytes));
	f->size = size;
}

// Path of the open file; caller frees.
static char *open_path(const struct corpus_writer *w)
{
	return path_join(w->dir->path, open_file(w)->name);
}

// ---- Files: writing ------------------------------------------------------------------------

static enum status write_frame(struct corpus_writer *w, const void *data, size_t size_bytes,
			       uint64_t payload_size, struct err *e)
{
	enum status s = file_out_write(&w->file, data, size_bytes, e);

	if (s == OK)
		account_frame(w, data, size_bytes, payload_size);
	return s;
}

static enum status begin_file(struct corpus_writer *w, struct err *e)
{
	uint8_t header[FILE_HEADER_SIZE];
	enum status s;
	char *path;

	account_file_begin(w);
	file_header_encode(&w->header, header);
	path = open_path(w);
	s = file_out_open(&w->file, path, e);
	if (s == OK)
		s = write_frame(w, header, sizeof(header), 0, e);
	if (s == OK)
		s = write_frame(w, w->head.data, w->head.size, w->header.payload_size, e);
	free(path);
	return s;
}

enum status corpus_writer_end_file(struct corpus_writer *w, struct err *e)
{
	struct buf table;
	uint64_t size;
	enum status s;

	if (w->file.path == NULL)
		return OK;
	buf_init(&table, 64 * MIB); // four million blocks
	seek_table_encode(&w->seek, &table);
	s = buf_check(&table, "seek table", e);
	if (s == OK)
		s = file_out_write(&w->file, table.data, table.size, e);
	if (s == OK)
		account_bytes(w, table.data, table.size);
	buf_free(&table);
	size = w->file.size;
	if (s == OK)
		s = file_out_commit(&w->file, false, e);
	if (s == OK)
		account_file_end(w, size);
	return s;
}

// ---- Files: keeping ------------------------------------------------------------------------

// What is read of a file comes out as *s == OK when it is as it must be; reading errors are the
// result. Something else there is no error: it ends what can be kept.

static enum status read_kept(struct corpus_writer *w, const struct file_in *in, uint64_t at,
			     uint64_t size_bytes, bool *good, struct err *e)
{
	uint8_t *room;

	*good = size_bytes <= in->size && at <= in->size - size_bytes;
	if (!*good)
		return OK;
	buf_clear(&w->kept);
	room = buf_reserve(&w->kept, (size_t)size_bytes);
	if (room == NULL)
		return buf_check(&w->kept, in->path, e);
	return file_in_read_at(in, at, room, (size_t)size_bytes, e);
}

// Header and first frame, as this corpus has them. Another zstd may have made other bytes.
static enum status keep_head(struct corpus_writer *w, const struct file_in *in, uint64_t *at,
			     bool *good, struct err *e)
{
	uint8_t header[FILE_HEADER_SIZE];
	struct file_header h;
	struct err ignored;
	enum status s = read_kept(w, in, 0, FILE_HEADER_SIZE, good, e);

	if (s != OK || !*good)
		return s;
	memcpy(header, w->kept.data, sizeof(header));
	*good = file_header_decode(header, &h, &ignored) == OK &&
		h.first_block == w->next.block && h.payload_size == w->header.payload_size &&
		digest_equal(h.content, w->header.content);
	if (!*good)
		return OK;
	s = read_kept(w, in, FILE_HEADER_SIZE, h.stored_size, good, e);
	if (s != OK || !*good)
		return s;
	*good = digest_equal(digest_of(w->kept.data, w->kept.size), h.stored);
	if (*good) {
		account_frame(w, header, sizeof(header), 0);
		account_frame(w, w->kept.data, w->kept.size, h.payload_size);
		*at = FILE_HEADER_SIZE + h.stored_size;
	}
	return OK;
}

// One block at *at; moves on behind it.
static enum status keep_block(struct corpus_writer *w, const struct file_in *in, uint64_t *at,
			      bool *good, struct err *e)
{
	uint8_t header[BLOCK_HEADER_SIZE];
	struct block_header h;
	struct err ignored;
	enum status s = read_kept(w, in, *at, BLOCK_HEADER_SIZE, good, e);

	if (s != OK || !*good)
		return s;
	memcpy(header, w->kept.data, sizeof(header));
	*good = block_header_decode(header, &h, &ignored) == OK && block_follows(w, &h);
	if (!*good)
		return OK;
	s = read_kept(w, in, *at + BLOCK_HEADER_SIZE, h.stored_size, good, e);
	if (s != OK || !*good)
		return s;
	*good = digest_equal(digest_of(w->kept.data, w->kept.size), h.stored);
	if (*good) {
		account_frame(w, header, sizeof(header), 0);
		account_frame(w, w->kept.data, w->kept.size, h.payload_size);
		account_block(w, &h);
		*at += BLOCK_HEADER_SIZE + h.stored_size;
	}
	return OK;
}

// Blocks from *at on, up to `until`.
static enum status keep_blocks(struct corpus_writer *w, const struct file_in *in, uint64_t *at,
			       uint64_t until, struct err *e)
{
	bool good = true;
	enum status s = OK;

	while (s == OK && good && w->next.block < until)
		s = keep_block(w, in, at, &good, e);
	return s;
}

static enum status keep_seek_table(struct corpus_writer *w, const struct file_in *in,
				   uint64_t at, bool *good, struct err *e)
{
	struct buf table;
	enum status s;

	buf_init(&table, 64 * MIB);
	seek_table_encode(&w->seek, &table);
	s = buf_check(&table, "seek table", e);
	*good = at + table.size == in->size;
	if (s == OK && *good)
		s = read_kept(w, in, at, table.size, good, e);
	if (s == OK && *good)
		*good = memcmp(w->kept.data, table.data, table.size) == 0;
	if (s == OK && *good)
		account_bytes(w, table.data, table.size);
	buf_free(&table);
	return s;
}

// A data file under its final name: whole, or an error.
static enum status keep_whole(struct corpus_writer *w, struct err *e)
{
	struct file_in in;
	uint64_t at = 0;
	bool good = false;
	enum status s;
	char *path;

	account_file_begin(w);
	path = open_path(w);
	s = file_in_open(&in, path, e);
	if (s == OK)
		s = keep_head(w, &in, &at, &good, e);
	if (s == OK && good)
		s = keep_blocks(w, &in, &at, w->end_block, e);
	if (s == OK && good)
		s = keep_seek_table(w, &in, at, &good, e);
	if (s == OK && !good)
		s = err_set(e, ERR_DAMAGED,
			    "%s: damaged at byte %" PRIu64 " (block %" PRIu64
			    "), or of another corpus; remove it, and --resume makes it again",
			    path, at, w->next.block);
	if (s == OK)
		account_file_end(w, in.size);
	file_in_close(&in);
	free(path);
	return s;
}

// A .part: its whole blocks; the rest is cut off. Nothing of it is an error.
static enum status keep_part(struct corpus_writer *w, uint64_t until, struct err *e)
{
	struct file_in in = {.fd = -1};
	uint64_t at = 0;
	bool good = false;
	char *path, *part;
	enum status s;

	account_file_begin(w);
	path = open_path(w);
	part = path_part(path);
	s = file_in_open(&in, part, e);
	if (s == OK)
		s = keep_head(w, &in, &at, &good, e);
	if (s == OK && good)
		s = keep_blocks(w, &in, &at, until, e);
	file_in_close(&in);
	if (s == OK && open_file(w)->blocks > 0)
		s = file_out_reopen(&w->file, path, at, e);
	else if (s == OK)
		account_file_undo(w);
	free(part);
	free(path);
	return s;
}

static bool has_block(const uint64_t *list, size_t count, uint64_t block)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == block)
			return true;
	}
	return false;
}

// The first data file that is there and begins at or behind a block; end_block for none.
static uint64_t next_file(const struct corpus_writer *w, uint64_t block)
{
	const struct corpus_dir *d = w->dir;

	for (size_t i = 0; i < d->data_count; i++) {
		if (d->data[i] >= block && d->data[i] < w->end_block)
			return d->data[i];
	}
	return w->end_block;
}

enum status corpus_writer_keep(struct corpus_writer *w, struct corpus_position *next,
			       uint64_t *until, struct err *e)
{
	const struct corpus_dir *d = w->dir;
	enum status s = OK;

	while (s == OK && w->next.block < w->end_block) {
		uint64_t begin = w->next.block, behind;

		if (next_file(w, begin) != begin)
			break;
		s = keep_whole(w, e);
		behind = next_file(w, begin + 1);
		if (s == OK && behind < w->next.block)
			s = err_set(e, ERR_DAMAGED,
				    "%s: has data files from block %" PRIu64
				    " and from %" PRIu64 " that overlap; remove one of them",
				    d->path, begin, behind);
	}
	*until = next_file(w, w->next.block);
	if (s == OK && w->next.block < *until &&
	    has_block(d->part, d->part_count, w->next.block))
		s = keep_part(w, *until, e);
	*next = w->next;
	return s;
}

// ---- Opening -------------------------------------------------------------------------------

// Where nothing was begun, nothing is taken over.
static enum status check_data(const struct corpus_writer *w, struct err *e)
{
	const struct corpus_dir *d = w->dir;
	uint64_t block = next_file(w, w->first.block);
	char name[DATA_NAME_SIZE];

	if (d->state != CORPUS_DIR_FRESH || block == w->end_block)
		return OK;
	data_name(block, name);
	return err_set(e, ERR_EXISTS,
		       "%s: has %s already, and no checkpoint to go on from; remove it, or "
		       "choose another folder",
		       d->path, name);
}

static void set_text(char **out, const char *text)
{
	free(*out);
	*out = mem_strdup(text);
}

static void set_about(struct about *out, const struct about *a)
{
	about_copy(out, a);
	if (a->generator == NULL)
		set_text(&out->generator, "spangen " SPANGEN_VERSION);
	if (a->zstd_version == NULL)
		set_text(&out->zstd_version, ZSTD_versionString());
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

// A first frame in the making.
struct head_maker {
	ZSTD_CCtx *zstd;
	struct stream_digest *content;
	struct corpus_digest *corpus; // that the dictionary enters too, or NULL
	struct buf *frame;
};

static enum status put_head(struct head_maker *h, const struct buf *part, bool end,
			    struct err *e)
{
	struct view v = {(const char *)part->data, part->size};

	stream_digest_put(h->content, v.data, v.size);
	return compress_part(h->zstd, v, end, h->frame, e);
}

static enum status put_dict(void *ctx, struct view part, struct err *e)
{
	struct head_maker *h = ctx;

	stream_digest_put(h->content, part.data, part.size);
	if (h->corpus != NULL)
		corpus_digest_dict(h->corpus, part);
	return compress_part(h->zstd, part, false, h->frame, e);
}

// dict: of dict_size bytes, when it is not dict_bytes.
static enum status head_make(struct view recipe, struct view dict_bytes,
			     const struct dict *dict, size_t dict_size, const struct about *a,
			     struct corpus_digest *corpus, struct buf *frame,
			     uint64_t *payload_size, struct digest *content, struct err *e)
{
	struct frame_writer *frames = frame_writer_new(HEAD_LEVEL);
	struct head_maker h = {.zstd = frames->zstd,
			       .content = stream_digest_new(),
			       .corpus = corpus,
			       .frame = frame};
	struct dict_sink sink = {.put = put_dict, .ctx = &h};
	struct buf about, before, after; // the dictionary
	enum status s;

	buf_init(&about, MANIFEST_MAX_BYTES);
	buf_init(&before, 2 * MANIFEST_MAX_BYTES);
	buf_init(&after, 2 * MANIFEST_MAX_BYTES);
	about_encode(a, &about);
	head_encode(recipe, dict_size, (struct view){(const char *)about.data, about.size},
		    &before, &after);
	s = buf_check(&about, "title, description and licence", e);
	if (s == OK)
		s = buf_check(&before, "recipe", e);
	if (s == OK)
		s = buf_check(&after, "title, description and licence", e);
	*payload_size = before.size + dict_size + after.size;
	ZSTD_CCtx_setPledgedSrcSize(frames->zstd, *payload_size); // cannot fail
	if (s == OK)
		s = put_head(&h, &before, false, e);
	if (s == OK)
		s = dict != NULL ? dict_encode_parts(dict, &sink, e)
				 : put_dict(&h, dict_bytes, e);
	if (s == OK)
		s = put_head(&h, &after, true, e);
	*content = stream_digest_take(h.content);
	buf_free(&about);
	buf_free(&before);
	buf_free(&after);
	stream_digest_free(h.content);
	frame_writer_free(frames);
	return s;
}

enum status data_head_make(struct view recipe, struct view dict, const struct about *a,
			   struct buf *frame, uint64_t *payload_size, struct digest *content,
			   struct err *e)
{
	return head_make(recipe, dict, NULL, dict.size, a, NULL, frame, payload_size, content,
			 e);
}

// The first frame and its place in the header of every file.
static enum status make_head(struct corpus_writer *w, struct view recipe,
			     struct view dict_bytes, const struct dict *dict, size_t dict_size,
			     struct err *e)
{
	enum status s =
		head_make(recipe, dict_bytes, dict, dict_size, &w->manifest.about, w->digest,
			  &w->head, &w->header.payload_size, &w->header.content, e);

	w->header.format_version = FORMAT_VERSION;
	w->header.stored_size = w->head.size;
	w->header.stored = digest_of(w->head.data, w->head.size);
	return s;
}

enum status corpus_overhead(const struct recipe *r, const struct about *a,
			    const struct dict *dict, struct corpus_overhead *out, struct err *e)
{
	struct corpus_writer w = {0};
	struct buf recipe;
	enum status s;

	set_about(&w.manifest.about, a);
	buf_init(&w.head, SIZE_MAX);
	buf_init_own(&recipe, 4 * KIB);
	recipe_encode(r, &recipe);
	s = make_head(&w, (struct view){(const char *)recipe.data, recipe.size},
		      (struct view){NULL, 0}, dict, dict_encoded_size(dict), e);
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

static struct corpus_writer *writer_new(struct corpus_dir *dir,
					const struct corpus_writer_options *o)
{
	struct corpus_writer *w = mem_zalloc(1, sizeof(*w));

	w->dir = dir;
	w->first = w->next = o->first;
	w->end_block = o->end_block;
	w->file_max = o->file_max_bytes != 0 ? o->file_max_bytes : DATA_PAYLOAD_MAX;
	w->file.fd = -1;
	w->file_digest = XXH3_createState();
	if (w->file_digest == NULL)
		mem_exhausted(1, 0);
	w->manifest.format_version = FORMAT_VERSION;
	w->manifest.recipe = *o->recipe;
	w->manifest.epoch_ms = o->epoch_ms;
	w->manifest.shard = dir->shard;
	w->manifest.is_part = o->part_of != NULL;
	if (o->part_of != NULL)
		w->manifest.part_of = *o->part_of;
	set_about(&w->manifest.about, o->about);
	buf_init(&w->head, SIZE_MAX);
	buf_init(&w->kept, 2 * BLOCK_PAYLOAD_MAX);
	return w;
}

enum status corpus_writer_open(struct corpus_writer **out, struct corpus_dir *dir,
			       const struct corpus_writer_options *o, struct err *e)
{
	struct corpus_writer *w;
	struct view recipe_bytes;
	size_t dict_size;
	struct buf recipe;
	enum status s = recipe_check(o->recipe, e);

	*out = NULL;
	if (s != OK)
		return s;
	w = writer_new(dir, o);
	buf_init_own(&recipe, 4 * KIB);
	recipe_encode(o->recipe, &recipe);
	recipe_bytes = (struct view){(const char *)recipe.data, recipe.size};
	dict_size = o->dict != NULL ? o->dict_size : o->dict_bytes.size;
	w->digest = corpus_digest_begin(o->recipe->content_version, recipe_bytes, dict_size);
	s = try_manifest(w, e);
	if (s == OK)
		s = make_head(w, recipe_bytes, o->dict_bytes, o->dict, dict_size, e);
	buf_free(&recipe);
	if (s == OK)
		s = check_data(w, e);
	if (s != OK) {
		corpus_writer_abort(w);
		return s;
	}
	*out = w;
	return OK;
}

// ---- Adding and ending ---------------------------------------------------------------------

enum status corpus_writer_add(struct corpus_writer *w, const struct block_header *h,
			      const struct buf *frame, struct err *e)
{
	uint8_t header[BLOCK_HEADER_SIZE];
	enum status s = OK;

	if (!block_follows(w, h) || h->number >= w->end_block)
		return err_set(e, ERR_FORMAT,
			       "%s: block %" PRIu64 " does not follow block %" PRIu64,
			       w->dir->path, h->number, w->next.block);
	if (w->file.path != NULL && open_file(w)->payload_size + h->payload_size > w->file_max)
		s = corpus_writer_end_file(w, e);
	if (s == OK && w->file.path == NULL)
		s = begin_file(w, e);
	block_header_encode(h, header);
	if (s == OK)
		s = write_frame(w, header, sizeof(header), 0, e);
	if (s == OK)
		s = write_frame(w, frame->data, frame->size, h->payload_size, e);
	if (s == OK)
		account_block(w, h);
	return s;
}

static enum status write_manifest(struct corpus_writer *w, struct err *e)
{
	char name[SHARD_NAME_SIZE], *path;
	struct buf text;
	enum status s;

	shard_name(w->dir->shard, MANIFEST_SUFFIX, name);
	path = path_join(w->dir->path, name);
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
	enum status s = corpus_writer_end_file(w, e);

	w->manifest.digest = corpus_digest_final(w->digest);
	w->digest = NULL;
	if (s == OK && (w->next.block != w->end_block || w->manifest.blocks == 0))
		s = err_set(e, ERR_FORMAT,
			    "%s: ends at block %" PRIu64 ", %" PRIu64
			    " are wanted; a corpus needs at least one block",
			    w->dir->path, w->next.block, w->end_block);
	if (s == OK)
		s = write_manifest(w, e);
	if (s == OK)
		corpus_dir_tidy(w->dir, w->first.block, w->end_block);
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
	if (w->dir->state == CORPUS_DIR_UNFINISHED)
		file_out_leave(&w->file);
	else
		file_out_abort(&w->file);
	manifest_free(&w->manifest);
	(void)corpus_digest_final(w->digest);
	XXH3_freeState(w->file_digest);
	free(w->seek.v);
	buf_free(&w->head);
	buf_free(&w->kept);
	free(w);
}

uint64_t corpus_writer_bytes(const struct corpus_writer *w)
{
	return w->bytes;
}
