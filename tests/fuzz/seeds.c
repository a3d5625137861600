// SPDX-License-Identifier: Apache-2.0
// Writes what fuzzing starts from, made of corpora that are in order:
//
//	seeds OUT CORPUS...
//
// Files go to OUT/block, OUT/dict, OUT/manifest, OUT/recipe and OUT/seek, in the shapes that
// the fuzz targets describe. A data file is written as it is, and with frames of raw blocks
// that a mutation can reach into.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/corpus.h"
#include "common/pb.h"

#define BLOCKS_MAX 4u // of a corpus
#define SEED_MAX (64 * MIB)
#define LATE_ROW 30u // fields of message Block
#define DUPLICATE_BY 33u

struct seeder {
	const char *out;
	unsigned corpus; // index, part of the names
	unsigned count;
};

static enum status put_seed(struct seeder *s, const char *target, const struct buf *b,
			    struct err *e)
{
	char name[32];
	char *dir = path_join(s->out, target), *path;
	enum status st = file_make_dir(dir, e);

	snprintf(name, sizeof(name), "seed-%u-%u", s->corpus, s->count++);
	path = path_join(dir, name);
	if (st == OK)
		st = buf_check(b, name, e);
	if (st == OK)
		st = file_write_all(path, b->data, b->size, true, e);
	free(path);
	free(dir);
	return st;
}

static void put_choice(struct buf *b, uint8_t choice)
{
	buf_clear(b);
	buf_put_u8(b, choice);
}

// A frame of one raw block and no checksum around content (RFC 8878, section 3.1.1).
static void put_raw_frame(struct buf *b, const void *data, size_t size)
{
	buf_put_le32(b, 0xFD2FB528u);
	buf_put_u8(b, 2 << 6 | 1 << 5); // content size in 4 bytes, single segment
	buf_put_le32(b, (uint32_t)size);
	buf_put_u8(b, (uint8_t)(size << 3 | 1)); // last block, raw
	buf_put_u8(b, (uint8_t)(size >> 5));
	buf_put_u8(b, (uint8_t)(size >> 13));
	buf_put(b, data, size);
}

#define RAW_FRAME_HEAD 12u
#define RAW_FRAME_MAX (128 * KIB)

// Starts a raw copy of a data file: its header, and the first frame.
static void put_raw_head(struct buf *b, struct buf *table, const struct corpus *c,
			 const uint8_t *header)
{
	struct buf head;
	size_t at = b->size;

	buf_init(&head, SEED_MAX);
	pb_put_view(&head, 1, c->recipe_bytes);
	pb_put_view(&head, 2, c->dict_bytes);
	pb_put_bytes(&head, 3, "", 0);
	buf_put(b, header, 88);
	put_raw_frame(b, head.data, head.size);
	if (!b->failed) {
		store_le64(b->data + at + 32, head.size);
		store_le64(b->data + at + 40, head.size + RAW_FRAME_HEAD);
	}
	buf_put_le32(table, 88);
	buf_put_le32(table, 0);
	buf_put_le32(table, (uint32_t)head.size + RAW_FRAME_HEAD);
	buf_put_le32(table, (uint32_t)head.size);
	buf_free(&head);
}

static void put_raw_block(struct buf *b, struct buf *table, const uint8_t *header,
			  struct view payload)
{
	size_t at = b->size;

	buf_put(b, header, 120);
	put_raw_frame(b, payload.data, payload.size);
	if (!b->failed) {
		store_le64(b->data + at + 96, payload.size);
		store_le64(b->data + at + 104, payload.size + RAW_FRAME_HEAD);
	}
	buf_put_le32(table, 120);
	buf_put_le32(table, 0);
	buf_put_le32(table, (uint32_t)payload.size + RAW_FRAME_HEAD);
	buf_put_le32(table, (uint32_t)payload.size);
}

static void put_table(struct buf *b, const struct buf *table)
{
	buf_put_le32(b, 0x184D2A5Eu);
	buf_put_le32(b, (uint32_t)table->size + 9);
	buf_put(b, table->data, table->size);
	buf_put_le32(b, (uint32_t)(table->size / 8));
	buf_put_u8(b, 0);
	buf_put_le32(b, 0x8F92EAB1u);
}

// Offset of a block's header, from the seek table of a whole data file.
static uint64_t header_at(const struct buf *file, uint64_t block)
{
	uint64_t frames = load_le32(file->data + file->size - 9), at = 0;
	const uint8_t *entry = file->data + file->size - 9 - 8 * frames;

	for (uint64_t i = 0; i < 2 + 2 * block; i++)
		at += load_le32(entry + 8 * i);
	return at;
}

// Block and dictionary seeds, and the raw copy of the first data file.
static enum status put_blocks(struct seeder *s, const struct corpus *c, const struct buf *file,
			      struct err *e)
{
	struct block_reader *r = block_reader_new();
	struct buf b, raw, table;
	struct block block;
	enum status st = OK;
	bool small = c->dict_bytes.size < RAW_FRAME_MAX / 2;

	block_init(&block);
	buf_init(&b, SEED_MAX);
	buf_init(&raw, SEED_MAX);
	buf_init(&table, SEED_MAX);
	for (int i = 0; i < 4; i++)
		buf_put_u8(&raw, 0);
	put_raw_head(&raw, &table, c, file->data);
	for (uint64_t i = 0; i < c->manifest.file[0].blocks && i < BLOCKS_MAX && st == OK;
	     i++) {
		struct view payload;
		struct pb_reader reader;
		struct pb_field f = {0};

		st = corpus_read_block(c, r, i, &block, &payload, e);
		if (st != OK)
			break;
		pb_reader_init(&reader, payload.data, payload.size);
		if (!pb_next(&reader, &f))
			break;
		put_choice(&b, 0);
		buf_put_view(&b, f.bytes);
		st = put_seed(s, "block", &b, e);
		put_choice(&b, 0); // with a late row and a copy
		buf_put_view(&b, f.bytes);
		for (uint32_t field = LATE_ROW; field <= DUPLICATE_BY; field++)
			pb_put_bytes(&b, field, "\x01", 1);
		if (st == OK)
			st = put_seed(s, "block", &b, e);
		put_choice(&b, 7);
		buf_put_view(&b, payload);
		if (st == OK)
			st = put_seed(s, "block", &b, e);
		put_choice(&b, i & 1);
		buf_put_le32(&b, (uint32_t)payload.size);
		buf_put_view(&b, payload);
		buf_put_view(&b, c->dict_bytes);
		if (st == OK)
			st = put_seed(s, "dict", &b, e);
		put_raw_block(&raw, &table, file->data + header_at(file, i), payload);
		small = small && payload.size < RAW_FRAME_MAX;
	}
	put_table(&raw, &table);
	if (st == OK && small && c->manifest.file[0].blocks <= BLOCKS_MAX)
		st = put_seed(s, "seek", &raw, e);
	block_reader_free(r);
	block_free(&block);
	buf_free(&b);
	buf_free(&raw);
	buf_free(&table);
	return st;
}

// ---- Dictionaries --------------------------------------------------------------------------

#define FEW 3u		 // services, instances, operations, words
#define FEW_TEMPLATES 6u // of an operation
#define FEW_BYTES 80u	 // of a text or literal

static uint32_t few(uint32_t count, uint32_t most)
{
	return count < most ? count : most;
}

// A piece with its text, if it has one, among those of the small dictionary.
static struct piece small_piece(const struct piece *from, struct dict *small)
{
	struct piece p = *from;

	p.literal.size = few((uint32_t)p.literal.size, FEW_BYTES);
	if (piece_text(&p) != 0) {
		small->text[small->text_count++] = p.literal;
		p.text = small->text_count;
	}
	return p;
}

static void add_templates(struct dict *small, const struct dict *d, struct operation *op,
			  struct arena *a)
{
	uint32_t first = op->first_template;

	op->first_template = small->template_count;
	op->template_count = few(op->template_count, FEW_TEMPLATES);
	for (uint32_t i = 0; i < op->template_count; i++) {
		struct span_template *t = &small->template[small->template_count++];
		struct piece *piece;

		*t = d->template[first + i];
		piece = arena_alloc(a, t->piece_count, sizeof(*piece));
		for (uint32_t k = 0; piece != NULL && k < t->piece_count; k++)
			piece[k] = small_piece(&t->piece[k], small);
		t->piece = piece;
	}
}

// A few entries of each kind: a generated dictionary is too large for mutations to hit much.
static void put_small_dict(struct buf *out, const struct dict *d)
{
	struct dict small = *d;
	struct arena a = {0};
	uint32_t pieces = 0;

	for (uint32_t i = 0; i < d->template_count; i++)
		pieces += d->template[i].piece_count;
	small.service_count = few(d->service_count, FEW);
	small.word_count = few(d->word_count, FEW);
	small.operation_count = few(d->operation_count, FEW);
	small.instance_count = small.template_count = small.text_count = 0;
	small.component_count = small.operation_count;
	small.instance = arena_alloc(&a, d->instance_count, sizeof(*small.instance));
	small.operation = arena_alloc(&a, small.operation_count, sizeof(*small.operation));
	small.component = arena_alloc(&a, small.component_count, sizeof(*small.component));
	small.template = arena_alloc(&a, 1 + FEW * FEW_TEMPLATES, sizeof(*small.template));
	small.text = arena_alloc(&a, pieces, sizeof(*small.text));
	if (small.instance == NULL || small.operation == NULL || small.component == NULL ||
	    small.template == NULL || small.text == NULL)
		abort();
	for (uint32_t i = 0; i < d->instance_count && small.instance_count < FEW; i++) {
		if (d->instance[i].service < small.service_count)
			small.instance[small.instance_count++] = d->instance[i];
	}
	small.template[small.template_count++] = d->template[0];
	for (uint32_t i = 0; i < small.operation_count; i++) {
		small.operation[i] = d->operation[i];
		small.component[i] = d->component[d->operation[i].component];
		small.operation[i].component = i;
		add_templates(&small, d, &small.operation[i], &a);
	}
	dict_encode(&small, out);
	arena_free(&a);
}

static enum status put_whole(struct seeder *s, const struct corpus *c, const struct buf *file,
			     struct err *e)
{
	struct buf b;
	enum status st;

	buf_init(&b, SEED_MAX);
	buf_put_view(&b, c->recipe_bytes);
	st = put_seed(s, "recipe", &b, e);
	put_choice(&b, 0);
	buf_put_le32(&b, 0);
	buf_put_view(&b, c->dict_bytes);
	if (st == OK)
		st = put_seed(s, "dict", &b, e);
	put_choice(&b, 0);
	buf_put_le32(&b, 0);
	put_small_dict(&b, &c->dict);
	if (st == OK)
		st = put_seed(s, "dict", &b, e);
	for (uint8_t choice = 0; choice < 4 && st == OK; choice++) {
		put_choice(&b, choice);
		buf_put(&b, "\0\0\0", 3);
		buf_put(&b, file->data, file->size);
		st = put_seed(s, "seek", &b, e);
	}
	buf_free(&b);
	return st;
}

static enum status put_corpus(struct seeder *s, const char *dir, struct err *e)
{
	struct corpus c;
	struct buf text, file;
	char *manifest = path_join(dir, MANIFEST_NAME), *data = NULL;
	enum status st = corpus_open(&c, dir, e);

	buf_init(&file, 0);
	if (st != OK) {
		free(manifest);
		return st;
	}
	data = path_join(dir, c.manifest.file[0].name);
	st = file_read_all(manifest, MANIFEST_MAX_BYTES, &text, e);
	if (st == OK)
		st = put_seed(s, "manifest", &text, e);
	buf_free(&text);
	if (st == OK)
		st = file_read_all(data, SEED_MAX, &file, e);
	if (st == OK)
		st = put_whole(s, &c, &file, e);
	if (st == OK)
		st = put_blocks(s, &c, &file, e);
	buf_free(&file);
	corpus_close(&c);
	free(manifest);
	free(data);
	return st;
}

int main(int argc, char **argv)
{
	struct seeder s = {0};
	struct err e = {0};

	if (argc < 3) {
		fprintf(stderr, "usage: seeds OUT CORPUS...\n");
		return 2;
	}
	s.out = argv[1];
	if (file_make_dir(s.out, &e) != OK) {
		fprintf(stderr, "seeds: %s\n", e.text);
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		s.corpus = (unsigned)i - 2;
		s.count = 0;
		if (put_corpus(&s, argv[i], &e) != OK) {
			fprintf(stderr, "seeds: %s\n", e.text);
			return 1;
		}
	}
	return 0;
}
