// SPDX-License-Identifier: Apache-2.0
// Reading a corpus: opening checks the manifest, and of every data file its header and seek
// table; blocks are read by number, each with one read. What is damaged is named by file and
// block. Nothing is mended here.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>
#include <zstd.h>

#include "common/corpus_private.h"

// An open corpus keeps no file open: a large one has hundreds. block_reader keeps its last one.
struct data_file {
	char *path;
	bool present;
	struct file_header header;
	uint64_t *offset; // of its block headers, and of the seek table behind the last
};

struct corpus_files {
	size_t count; // as in the manifest
	struct data_file *file;
};

// ---- One frame -----------------------------------------------------------------------------

enum status frame_decompress(struct ZSTD_DCtx_s *zstd, const uint8_t *frame, size_t size_bytes,
			     uint64_t payload_size, struct buf *out, struct err *e)
{
	unsigned long long says = ZSTD_getFrameContentSize(frame, size_bytes);
	uint8_t *room;
	size_t n;

	buf_clear(out);
	if (payload_size == FRAME_SIZE_UNKNOWN)
		payload_size = says;
	if (payload_size > BLOCK_PAYLOAD_MAX || says != payload_size)
		return err_set(e, ERR_DAMAGED, "size of its content is damaged; " REMEDY);
	room = buf_reserve(out, (size_t)payload_size);
	if (room == NULL)
		return buf_check(out, "content", e);
	n = ZSTD_decompressDCtx(zstd, room, (size_t)payload_size, frame, size_bytes);
	if (ZSTD_isError(n) || n != payload_size)
		return err_set(e, ERR_DAMAGED, "does not decompress: %s; " REMEDY,
			       ZSTD_isError(n) ? ZSTD_getErrorName(n) : "too short");
	return OK;
}

enum status frame_check_digest(const void *data, size_t size_bytes, struct digest wanted,
			       const char *what, struct err *e)
{
	if (digest_equal(digest_of(data, size_bytes), wanted))
		return OK;
	return err_set(e, ERR_DAMAGED, "digest of its %s differs; " REMEDY, what);
}

// ---- Opening -------------------------------------------------------------------------------

// Fills offsets from the seek table, whose entries alternate between header and frame.
static enum status get_offsets(struct data_file *f, const struct manifest_file *m,
			       const uint8_t *table, struct err *e)
{
	const uint8_t *entry = table + SEEK_HEAD_SIZE;
	uint64_t frames = 2 + 2 * m->blocks, offset = 0, payload = 0;
	bool good = load_le32(entry) == FILE_HEADER_SIZE && load_le32(entry + 4) == 0 &&
		    load_le32(entry + 8) == f->header.stored_size &&
		    load_le32(entry + 12) == f->header.payload_size;

	for (uint64_t i = 0; i < frames && good; i++, entry += SEEK_ENTRY_SIZE) {
		if (i >= 2 && i % 2 == 0) {
			good = load_le32(entry) == BLOCK_HEADER_SIZE &&
			       load_le32(entry + 4) == 0;
			f->offset[i / 2 - 1] = offset;
		}
		offset += load_le32(entry);
		payload += load_le32(entry + 4);
	}
	f->offset[m->blocks] = offset;
	if (!good || offset + seek_table_size(frames) != m->size || payload != m->payload_size)
		return err_set(e, ERR_DAMAGED,
			       "seek table does not agree with the manifest; " REMEDY);
	return OK;
}

static enum status read_seek_table(const struct file_in *in, struct data_file *f,
				   const struct manifest_file *m, struct err *e)
{
	uint64_t frames = 2 + 2 * m->blocks;
	uint64_t size = seek_table_size(frames);
	uint8_t *table;
	enum status s;

	// Sizes of the manifest are bounded by those of the file before anything is allocated.
	if (m->blocks > m->size / (BLOCK_HEADER_SIZE + 1) || size > m->size - FILE_HEADER_SIZE)
		return err_set(e, ERR_DAMAGED,
			       "%s: too small for the %" PRIu64
			       " blocks that the manifest names; " REMEDY,
			       in->path, m->blocks);
	table = malloc((size_t)size);
	f->offset = malloc((size_t)(m->blocks + 1) * sizeof(*f->offset));
	if (table == NULL || f->offset == NULL) {
		free(table);
		return err_set(e, ERR_MEMORY, "%s: seek table does not fit into memory",
			       in->path);
	}
	s = file_in_read_at(in, m->size - size, table, (size_t)size, e);
	if (s == OK) {
		s = seek_table_check(table, frames, e);
		if (s == OK)
			s = get_offsets(f, m, table, e);
		if (s != OK && e != NULL)
			err_prefix(e, "%s", in->path);
	}
	free(table);
	return s;
}

static enum status check_size(const struct file_in *in, const struct manifest_file *m,
			      struct err *e)
{
	if (in->size < m->size || m->size < FILE_HEADER_SIZE)
		return err_set(e, ERR_DAMAGED,
			       "%s: ends at byte %" PRIu64 ", the manifest says %" PRIu64
			       " (truncated copy?); " REMEDY,
			       in->path, in->size, m->size);
	if (in->size > m->size)
		return err_set(e, ERR_DAMAGED,
			       "%s: has %" PRIu64 " bytes, the manifest says %" PRIu64
			       "; " REMEDY,
			       in->path, in->size, m->size);
	return OK;
}

static enum status read_header(const struct file_in *in, const struct manifest_file *m,
			       struct file_header *h, struct err *e)
{
	uint8_t bytes[FILE_HEADER_SIZE];
	enum status s = file_in_read_at(in, 0, bytes, sizeof(bytes), e);

	if (s != OK)
		return s;
	s = file_header_decode(bytes, h, e);
	if (s == OK && h->first_block != m->first_block)
		s = err_set(e, ERR_DAMAGED,
			    "begins with block %" PRIu64 " instead of %" PRIu64
			    " (files swapped or renamed?); " REMEDY,
			    h->first_block, m->first_block);
	if (s == OK && (h->stored_size > UINT32_MAX || h->payload_size > BLOCK_PAYLOAD_MAX))
		s = err_set(e, ERR_DAMAGED, "file header is out of range; " REMEDY);
	return s == OK || e == NULL ? s : err_prefix(e, "%s", in->path);
}

static enum status open_data_file(struct corpus *c, size_t index, struct err *e)
{
	const struct manifest_file *m = &c->manifest.file[index];
	struct data_file *f = &c->files->file[index];
	struct file_in in;
	enum status s;

	f->path = path_join(c->dir, m->name);
	if (!file_exists(f->path))
		return OK;
	s = file_in_open(&in, f->path, e);
	if (s != OK)
		return s;
	s = check_size(&in, m, e);
	if (s == OK)
		s = read_header(&in, m, &f->header, e);
	if (s == OK)
		s = read_seek_table(&in, f, m, e);
	file_in_close(&in);
	f->present = s == OK;
	return s;
}

// Reads, checks and takes apart the first frame of a file. Views point into *payload.
static enum status read_head(const struct data_file *f, struct buf *payload, struct head *out,
			     struct err *e)
{
	struct block_reader *r = block_reader_new();
	struct file_in in;
	uint8_t *frame;
	enum status s = file_in_open(&in, f->path, e);

	if (s == OK) {
		buf_clear(&r->stored);
		if (f->header.stored_size > in.size)
			s = err_set(e, ERR_DAMAGED, "%s: file header is damaged; " REMEDY,
				    f->path);
	}
	if (s == OK) {
		frame = buf_reserve(&r->stored, (size_t)f->header.stored_size);
		s = frame == NULL ? buf_check(&r->stored, f->path, e)
				  : file_in_read_at(&in, FILE_HEADER_SIZE, frame,
						    (size_t)f->header.stored_size, e);
	}
	file_in_close(&in);
	if (s == OK) {
		s = frame_decompress(r->zstd, r->stored.data, r->stored.size,
				     f->header.payload_size, payload, e);
		if (s == OK)
			s = frame_check_digest(payload->data, payload->size, f->header.content,
					       "content", e);
		if (s == OK)
			s = head_decode(payload->data, payload->size, out, e);
		if (s != OK && e != NULL)
			err_prefix(e, "%s: first frame", f->path);
	}
	block_reader_free(r);
	return s;
}

// Keeps recipe and dictionary of the first file that is there, and checks them.
static enum status use_head(struct corpus *c, const struct data_file *f, struct err *e)
{
	struct recipe recipe;
	struct head head;
	enum status s;

	buf_init(&c->head, BLOCK_PAYLOAD_MAX);
	s = read_head(f, &c->head, &head, e);
	if (s == OK) {
		c->recipe_bytes = head.recipe;
		c->dict_bytes = head.dict;
		s = recipe_decode(head.recipe.data, head.recipe.size, &recipe, e);
		if (s == OK && !recipe_equal(&recipe, &c->manifest.recipe))
			s = err_set(e, ERR_DAMAGED,
				    "recipe is not the manifest's (a file of another "
				    "corpus?); " REMEDY);
		if (s == OK)
			s = dict_decode(c->dict_bytes.data, c->dict_bytes.size, &c->arena,
					&c->dict, e);
		if (s != OK && e != NULL)
			err_prefix(e, "%s: first frame", f->path);
	}
	return s;
}

// A file whose first frame has another digest may still say the same (another `about`).
static enum status same_head(const struct corpus *c, const struct data_file *f, struct err *e)
{
	struct buf payload;
	struct head head;
	enum status s;

	buf_init(&payload, BLOCK_PAYLOAD_MAX);
	s = read_head(f, &payload, &head, e);
	if (s == OK &&
	    !(view_equal(head.recipe, c->recipe_bytes) && view_equal(head.dict, c->dict_bytes)))
		s = err_set(e, ERR_DAMAGED,
			    "%s: first frame: recipe or dictionary differ from the other "
			    "files' (a file of another corpus?); " REMEDY,
			    f->path);
	buf_free(&payload);
	return s;
}

static enum status open_files(struct corpus *c, struct err *e)
{
	const struct data_file *first = NULL;
	enum status s = OK;

	c->files = mem_zalloc(1, sizeof(*c->files));
	c->files->count = c->manifest.file_count;
	c->files->file = mem_zalloc(c->files->count, sizeof(*c->files->file));
	for (size_t i = 0; i < c->files->count && s == OK; i++) {
		const struct data_file *f = &c->files->file[i];

		s = open_data_file(c, i, e);
		if (s != OK || !f->present)
			continue;
		if (first == NULL) {
			first = f;
			s = use_head(c, f, e);
		} else if (!digest_equal(f->header.content, first->header.content)) {
			s = same_head(c, f, e);
		}
	}
	if (s == OK && first == NULL)
		s = err_set(e, ERR_NOT_FOUND,
			    "%s: none of the %zu data files that " MANIFEST_NAME
			    " names is there; copy them beside it",
			    c->dir, c->files->count);
	return s;
}

enum status corpus_read_manifest(const char *path, struct manifest *m, struct err *e)
{
	struct buf text;
	enum status s = file_read_all(path, MANIFEST_MAX_BYTES, &text, e);

	if (s == OK) {
		s = manifest_parse((const char *)text.data, text.size, m, e);
		if (s != OK && e != NULL)
			err_prefix(e, "%s", path);
	}
	buf_free(&text);
	return s;
}

static enum status read_manifest(struct corpus *c, const char *path, struct err *e)
{
	struct manifest *m = &c->manifest;
	enum status s = corpus_read_manifest(path, m, e);

	if (s != OK)
		return s;
	c->part = mem_zalloc(1, sizeof(*c->part));
	c->part_count = 1;
	*c->part = (struct corpus_part){MANIFEST_NAME, m->file[0].first_block,
					m->file[0].first_block + m->blocks, m->digest};
	return OK;
}

static enum status open_manifest(struct corpus *c, bool shards, struct err *e)
{
	char *self = path_join(c->dir, "."), *path = path_join(c->dir, MANIFEST_NAME);
	enum status s = OK;

	if (!file_exists(c->dir))
		s = err_set(e, ERR_NOT_FOUND, "%s: no such folder", c->dir);
	else if (!file_exists(self))
		s = err_set(e, ERR_NOT_FOUND,
			    "%s: not a folder; a corpus is a folder with " MANIFEST_NAME,
			    c->dir);
	else if (!shards && file_exists(path))
		s = read_manifest(c, path, e);
	else
		s = corpus_shards_read(c->dir, &c->manifest, &c->part, &c->part_count, e);
	if (s == OK && c->part_count == 0 && shards)
		s = err_set(e, ERR_NOT_FOUND, "%s: has no finished shards (corpus.I-of-N.json)",
			    c->dir);
	else if (s == OK && c->part_count == 0)
		s = err_set(e, ERR_NOT_FOUND,
			    "%s: not there; the folder is not a corpus, or writing it was "
			    "not finished",
			    path);
	c->digest_is_known = c->part_count == 1;
	free(path);
	free(self);
	return s;
}

static enum status open_any(struct corpus *c, const char *dir, bool shards, struct err *e)
{
	enum status s;

	*c = (struct corpus){.dir = mem_strdup(dir)};
	s = open_manifest(c, shards, e);
	if (s == OK)
		s = open_files(c, e);
	if (s != OK)
		corpus_close(c);
	return s;
}

enum status corpus_open(struct corpus *c, const char *dir, struct err *e)
{
	return open_any(c, dir, false, e);
}

enum status corpus_open_shards(struct corpus *c, const char *dir, struct err *e)
{
	return open_any(c, dir, true, e);
}

void corpus_close(struct corpus *c)
{
	if (c->files != NULL) {
		for (size_t i = 0; i < c->files->count; i++) {
			free(c->files->file[i].path);
			free(c->files->file[i].offset);
		}
		free(c->files->file);
		free(c->files);
	}
	manifest_free(&c->manifest);
	free(c->part);
	buf_free(&c->head);
	arena_free(&c->arena);
	free(c->dir);
	*c = (struct corpus){0};
}

// ---- Blocks --------------------------------------------------------------------------------

// Index of the file that holds a block, or SIZE_MAX.
static size_t file_of_block(const struct corpus *c, uint64_t number)
{
	size_t low = 0, high = c->manifest.file_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct manifest_file *m = &c->manifest.file[mid];

		if (number < m->first_block)
			high = mid;
		else if (number - m->first_block >= m->blocks)
			low = mid + 1;
		else
			return mid;
	}
	return SIZE_MAX;
}

uint64_t corpus_first_block(const struct corpus *c)
{
	return c->part[0].first_block;
}

uint64_t corpus_end_block(const struct corpus *c)
{
	return c->part[c->part_count - 1].end_block;
}

bool corpus_has_block(const struct corpus *c, uint64_t number)
{
	size_t i = file_of_block(c, number);

	return i != SIZE_MAX && c->files->file[i].present;
}

static enum status find_block(const struct corpus *c, uint64_t number,
			      const struct data_file **f, uint64_t *offset, uint64_t *size,
			      struct err *e)
{
	size_t i = file_of_block(c, number);
	uint64_t at;

	if (i == SIZE_MAX)
		return err_set(e, ERR_NOT_FOUND,
			       "%s: there is no block %" PRIu64 ", blocks are %" PRIu64
			       "..%" PRIu64,
			       c->dir, number, corpus_first_block(c), corpus_end_block(c) - 1);
	*f = &c->files->file[i];
	if (!(*f)->present)
		return err_set(e, ERR_NOT_FOUND,
			       "%s: not there, but it holds block %" PRIu64
			       "; copy it beside " MANIFEST_NAME,
			       (*f)->path, number);
	at = number - c->manifest.file[i].first_block;
	*offset = (*f)->offset[at];
	*size = (*f)->offset[at + 1] - *offset;
	return OK;
}

// A header as it must be at its place: number and size of the frame behind it.
static enum status get_header(const uint8_t *bytes, uint64_t number, uint64_t size,
			      struct block_header *h, struct err *e)
{
	enum status s = block_header_decode(bytes, h, e);

	if (s != OK)
		return s;
	if (h->number != number)
		return err_set(e, ERR_DAMAGED, "found block %" PRIu64 " in its place; " REMEDY,
			       h->number);
	if (h->stored_size != size - BLOCK_HEADER_SIZE)
		return err_set(e, ERR_DAMAGED,
			       "its header and the seek table do not agree; " REMEDY);
	if (h->rows > BLOCK_ROWS_MAX || h->duplicates > h->rows)
		return err_set(e, ERR_FORMAT,
			       "its header says %" PRIu32 " rows and %" PRIu32 " duplicates",
			       h->rows, h->duplicates);
	return OK;
}

static enum status in_block(const char *path, uint64_t number, enum status s, struct err *e)
{
	if (s == OK || e == NULL)
		return s;
	return err_prefix(e, "%s: block %" PRIu64, path, number);
}

enum status corpus_block_header(const struct corpus *c, uint64_t number, struct block_header *h,
				struct err *e)
{
	uint8_t bytes[BLOCK_HEADER_SIZE];
	const struct data_file *f;
	struct file_in in;
	uint64_t offset, size;
	enum status s = find_block(c, number, &f, &offset, &size, e);

	if (s == OK)
		s = file_in_open(&in, f->path, e);
	if (s != OK)
		return s;
	s = file_in_read_at(&in, offset, bytes, sizeof(bytes), e);
	file_in_close(&in);
	if (s == OK)
		s = in_block(f->path, number, get_header(bytes, number, size, h, e), e);
	return s;
}

struct block_reader *block_reader_new(void)
{
	struct block_reader *r = mem_zalloc(1, sizeof(*r));

	r->zstd = ZSTD_createDCtx();
	if (r->zstd == NULL)
		mem_exhausted(1, 0); // some kilobytes at start
	r->in.fd = -1;
	buf_init(&r->stored, 2 * BLOCK_PAYLOAD_MAX);
	buf_init(&r->payload, BLOCK_PAYLOAD_MAX);
	return r;
}

void block_reader_free(struct block_reader *r)
{
	if (r == NULL)
		return;
	ZSTD_freeDCtx(r->zstd);
	file_in_close(&r->in);
	buf_free(&r->stored);
	buf_free(&r->payload);
	free(r);
}

void block_reader_take(struct block_reader *r, struct buf *payload)
{
	buf_free(payload);
	*payload = r->payload;
	buf_init(&r->payload, payload->max);
}

static enum status use_file(struct block_reader *r, const char *path, struct err *e)
{
	if (r->in.fd >= 0 && r->in.path == path)
		return OK;
	file_in_close(&r->in);
	return file_in_open(&r->in, path, e);
}

// Header and frame into r->stored.
static enum status read_stored(struct block_reader *r, const struct data_file *f,
			       uint64_t offset, uint64_t size, struct err *e)
{
	enum status s = use_file(r, f->path, e);
	uint8_t *room;

	if (s != OK)
		return s;
	buf_clear(&r->stored);
	room = buf_reserve(&r->stored, (size_t)size);
	if (room == NULL)
		return buf_check(&r->stored, f->path, e);
	return file_in_read_at(&r->in, offset, room, (size_t)size, e);
}

// From r->stored to a checked payload in r->payload.
static enum status unpack(struct block_reader *r, const struct block_header *h, struct err *e)
{
	const uint8_t *frame = r->stored.data + BLOCK_HEADER_SIZE;
	size_t size = r->stored.size - BLOCK_HEADER_SIZE;
	enum status s = frame_decompress(r->zstd, frame, size, h->payload_size, &r->payload, e);

	if (s == OK)
		s = frame_check_digest(r->payload.data, r->payload.size, h->content, "content",
				       e);
	return s;
}

enum status block_matches_header(const struct block *b, const struct block_header *h,
				 struct err *e)
{
	if (b->number == h->number && b->first_trace == h->first_trace &&
	    b->first_row == h->first_row && b->trace_size.count == h->traces &&
	    block_rows(b) == h->rows && b->template.count == h->spans &&
	    b->duplicate_row.count == h->duplicates)
		return OK;
	return err_set(e, ERR_FORMAT, "header and content do not agree; " REMEDY);
}

// Reads what is stored of a block into r->stored and its header into *h.
static enum status read_with_header(const struct corpus *c, struct block_reader *r,
				    uint64_t number, const struct data_file **f,
				    struct block_header *h, struct err *e)
{
	uint64_t offset, size;
	enum status s = find_block(c, number, f, &offset, &size, e);

	if (s == OK)
		s = read_stored(r, *f, offset, size, e);
	if (s != OK)
		return s;
	return in_block((*f)->path, number, get_header(r->stored.data, number, size, h, e), e);
}

enum status corpus_read_block(const struct corpus *c, struct block_reader *r, uint64_t number,
			      struct block *b, struct view *payload, struct err *e)
{
	const struct data_file *f;
	struct block_header h;
	enum status s = read_with_header(c, r, number, &f, &h, e);

	if (s != OK)
		return s;
	s = unpack(r, &h, e);
	if (s == OK)
		s = block_decode(r->payload.data, r->payload.size, &c->dict, b, e);
	if (s == OK)
		s = block_matches_header(b, &h, e);
	if (s == OK && payload != NULL)
		*payload = (struct view){(const char *)r->payload.data, r->payload.size};
	return in_block(f->path, number, s, e);
}

enum status corpus_read_stored(const struct corpus *c, struct block_reader *r, uint64_t number,
			       struct block_header *h, struct buf *frame, struct err *e)
{
	const struct data_file *f;
	enum status s = read_with_header(c, r, number, &f, h, e);

	if (s != OK)
		return s;
	s = frame_check_digest(r->stored.data + BLOCK_HEADER_SIZE,
			       r->stored.size - BLOCK_HEADER_SIZE, h->stored, "stored bytes",
			       e);
	if (s == OK) {
		buf_clear(frame);
		buf_put(frame, r->stored.data + BLOCK_HEADER_SIZE,
			r->stored.size - BLOCK_HEADER_SIZE);
		s = buf_check(frame, "frame", e);
	}
	return in_block(f->path, number, s, e);
}
