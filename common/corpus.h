// SPDX-License-Identifier: Apache-2.0
// The corpus container: dictionary and blocks as structs, their encoding, and the reader and
// writer of data files. Content (what is in a block) is gen's business, turning a stored row
// into bytes is render's. FORMAT.md is the specification.
#ifndef COMMON_CORPUS_H
#define COMMON_CORPUS_H

#include "common/corpus_dir.h"
#include "common/file.h"
#include "common/manifest.h"

#define DATA_PAYLOAD_MAX (512 * MIB) // uncompressed bytes of one data file
#define BLOCK_ROWS_MAX (1u << 20)    // sanity bounds for readers
#define BLOCK_SPANS_MAX (1u << 24)
#define BLOCK_HOLES_MAX (1u << 27)
#define BLOCK_PAYLOAD_MAX (256 * MIB)
#define ROW_BLOB_MAX (8 * MIB)
#define PIECE_NESTING_MAX 16u	       // messages within messages of a template
#define TEMPLATE_PIECES_MAX UINT16_MAX // nested ones too
#define TEMPLATE_DEPTH_MAX UINT16_MAX
#define THREADS_MAX 32u	    // stored thread numbers: 0..31
#define SEQUENCES_MAX 5000u // stored sequence numbers: 0..4999

// ---- Dictionary
// -----------------------------------------------------------------------------------------------------

enum id_style { ID_DOTTED = 0, ID_RAW = 1 };

enum hole_kind {
	HOLE_NONE = 0,
	HOLE_NUMBER = 1,
	HOLE_HEX = 2,
	HOLE_WORD = 3,
	HOLE_SPAN_START = 16,
	HOLE_SPAN_END = 17,
	HOLE_SPAN_ID = 18,
	HOLE_PARENT_SPAN_ID = 19,
	HOLE_OWN_PEER = 20,
	HOLE_CALLEE_PEER = 21,
	HOLE_REFERENCE = 23,
};

struct service {
	struct view name, peer;
	uint32_t layer;
};

struct instance {
	uint32_t service;
	struct view name;
	uint32_t id_style; // enum id_style
	struct view id_prefix;
	int64_t id_clock_ms;
	int32_t clock_skew_ms;
};

struct operation {
	struct view name, peer;
	uint32_t component;
	uint32_t first_template, template_count;
};

// Exactly one of: literal (size > 0), hole (!= HOLE_NONE), message (field number; children
// follow as child_count pieces, flattened: the next child_count entries of the piece array,
// counting all descendants). A literal with `text` != 0 is text[text - 1] of the dictionary,
// which many templates share; dict_decode sets `literal` to it, dict_encode writes the number.
// A dictionary has hundreds of thousands of them. Of the numbers each kind has one, which
// piece_text and its kin read whatever the kind.
struct piece {
	struct view literal;
	union {
		uint32_t text;	  // of a literal
		uint32_t varint;  // field number when the hole is a varint field
		uint32_t message; // field number of a nested field
	};
	uint16_t child_count; // descendants of a message
	uint8_t hole;	      // enum hole_kind
};

static inline uint32_t piece_varint(const struct piece *p)
{
	return p->hole != HOLE_NONE ? p->varint : 0;
}
static inline uint32_t piece_text(const struct piece *p)
{
	return p->hole == HOLE_NONE && p->literal.size > 0 ? p->text : 0;
}
static inline uint32_t piece_message(const struct piece *p)
{
	return p->hole == HOLE_NONE && p->literal.size == 0 ? p->message : 0;
}

struct span_template {
	const struct piece *piece; // borrowed
	uint16_t piece_count, depth;
	uint16_t numbers, hexes, words; // holes of each kind; see template_count_holes
	bool is_error, is_call;
	uint32_t slot;
};

// All views and arrays are borrowed from an arena of the maker (decoder or generator).
// template[0] is the literal blob.
struct dict {
	struct service *service;
	struct instance *instance;
	struct operation *operation;
	struct span_template *template;
	struct view *component;
	struct view *word;
	struct view *text; // shared by literals; not empty
	uint32_t service_count, instance_count, operation_count, template_count,
		component_count, word_count, text_count;
	const struct dict_shape *shape; // for the check of blocks; filled by dict_decode only
};

// Sets numbers, hexes and words from the pieces.
void template_count_holes(struct span_template *t);
void dict_encode(const struct dict *d, struct buf *out);
size_t dict_encoded_size(const struct dict *d);
// The same bytes part by part, so that they are never held at once; ends early when put fails.
struct dict_sink {
	enum status (*put)(void *ctx, struct view part, struct err *e);
	void *ctx;
};
enum status dict_encode_parts(const struct dict *d, const struct dict_sink *sink,
			      struct err *e) MUST_CHECK;
// Views point into data, arrays into a. Checks every index, UTF-8 of every text, depth, kinds
// (an unknown hole kind: ERR_VERSION).
enum status dict_decode(const void *data, size_t size_bytes, struct arena *a, struct dict *out,
			struct err *e) MUST_CHECK;
// The same with the pieces of templates in an arena of their own, which may go after
// dict_forget_pieces, or with `pieces` NULL for who never looks at them: they are checked and
// not kept. Blocks can be checked against a dictionary without them.
enum status dict_decode_apart(const void *data, size_t size_bytes, struct arena *a,
			      struct arena *pieces, struct dict *out, struct err *e) MUST_CHECK;
void dict_forget_pieces(struct dict *d); // templates have none any more

// ---- Block
// ----------------------------------------------------------------------------------------------------------

// Columns as stored, one array each (proto/corpus.proto, message Block). Arrays belong to the
// block and are reused from one use to the next: block_init once, block_reset per job,
// block_free at the end.
struct column32 {
	uint32_t *v; // owned
	size_t count, capacity;
};
struct column64 {
	uint64_t *v;
	size_t count, capacity;
};

struct block {
	uint64_t number, first_trace, first_row;
	struct column32 trace_size;
	struct column64 trace_start_ms;
	struct column32 instance, operation, parent, parent_span, start_ms, latency_ms,
		is_error, thread, sequence, span_count;
	struct column32 template, span_start_ms, span_duration_ms;
	struct column64 number_value, hex_value;
	struct column32 word_value;
	struct buf literal_data;      // all literal blobs, one after the other
	struct column32 literal_size; // bytes of each
	struct buf id_value;
	// Rows (by rising number: first, then differences) that are output later than their
	// order says, and rows that are output twice; by: how much later (section 5.5 of
	// FORMAT.md).
	struct column32 late_row, late_by, duplicate_row, duplicate_by;
	// Room of the check against a dictionary, kept from one block to the next.
	struct block_scratch {
		uint32_t *v; // owned
		size_t capacity;
	} scratch;
};

void block_init(struct block *b);
void block_reset(struct block *b);
void block_free(struct block *b);
// Room for `more` values; abort on failure of malloc.
void column32_grow(struct column32 *c, size_t more);
void column64_grow(struct column64 *c, size_t more);

static inline void column32_put(struct column32 *c, uint32_t v)
{
	if (c->count == c->capacity)
		column32_grow(c, 1);
	c->v[c->count++] = v;
}

static inline void column64_put(struct column64 *c, uint64_t v)
{
	if (c->count == c->capacity)
		column64_grow(c, 1);
	c->v[c->count++] = v;
}

// Where the next `more` (at least one) values go; the caller writes some of them and counts
// them himself.
static inline uint32_t *column32_room(struct column32 *c, size_t more)
{
	if (c->capacity - c->count < more)
		column32_grow(c, more);
	return c->v + c->count;
}

static inline uint64_t *column64_room(struct column64 *c, size_t more)
{
	if (c->capacity - c->count < more)
		column64_grow(c, more);
	return c->v + c->count;
}
static inline size_t block_rows(const struct block *b)
{
	return b->instance.count;
}

// Appends the serialised `block` field (tag, length, message) of Corpus to out.
void block_encode(const struct block *b, struct buf *out);
// Parses the payload of a block frame. Checks that column lengths agree with each other and
// every index with d (span and hole counts too), so that render needs no checks. ERR_FORMAT
// with the column's name.
enum status block_decode(const void *payload, size_t size_bytes, const struct dict *d,
			 struct block *b, struct err *e) MUST_CHECK;
// The same without the checks against the dictionary.
enum status block_parse(const void *payload, size_t size_bytes, struct block *b,
			struct err *e) MUST_CHECK;

// What a block's skippable header frame says; fixed layout, see FORMAT.md.
struct block_header {
	uint64_t number, first_trace, first_row;
	uint32_t traces, rows, spans, duplicates;
	uint64_t min_start_ms,
		max_start_ms;  // least and greatest row start, relative to the epoch, skew
			       // included; may be negative: stored + 2^32
	struct digest content; // XXH3-128 of the payload
	struct digest stored;  // XXH3-128 of the zstd frame
	uint64_t payload_size, stored_size;
};

// ---- Writing
// --------------------------------------------------------------------------------------------------------

// One worker's compressor: single-threaded zstd, so bytes do not depend on the number of
// workers.
#define ZSTD_LEVEL_DEFAULT 1 // 3 stores 3 % less, and a whole run takes 10 % longer
struct frame_writer;
struct frame_writer *frame_writer_new(int level);
void frame_writer_free(struct frame_writer *w);
// Encodes and compresses b into out (cleared first) and fills *h. min/max starts are taken from
// h (the caller sets them).
enum status frame_write_block(struct frame_writer *w, const struct block *b,
			      struct block_header *h, struct buf *out,
			      struct err *e) MUST_CHECK;

// What data files take besides the compressed frames of their blocks.
struct corpus_overhead {
	uint64_t head_payload_bytes; // uncompressed first frame, counted in DATA_PAYLOAD_MAX
	uint64_t file_bytes;	     // stored in each file: headers, first frame, seek table
	uint64_t block_bytes; // stored for each block: header, its part of the seek table
};
// Makes the first frame that corpus_writer_open would make of the same, and measures it.
enum status corpus_overhead(const struct recipe *r, const struct about *a,
			    const struct dict *dict, struct corpus_overhead *out,
			    struct err *e) MUST_CHECK;

// A place between blocks: how many of each come before it in the corpus.
struct corpus_position {
	uint64_t block, trace, row;
};

struct corpus_writer_options {
	const struct recipe *recipe;  // copied, as all of these
	const struct about *about;    // title, description, licence; the others when set
	struct view dict_bytes;	      // an encoded dict, or
	const struct dict *dict;      // (not NULL) one to be encoded, and
	size_t dict_size;	      // its dict_encoded_size
	int64_t epoch_ms;	      // default for exports
	struct corpus_position first; // of the blocks that will be added
	uint64_t end_block;	      // behind the last
	uint64_t file_max_bytes;      // uncompressed bytes of a data file; 0: DATA_PAYLOAD_MAX
	const struct digest *part_of; // may be NULL; manifest.part_of
};

struct corpus_writer;
// Writes into dir (borrowed until the writer ends), a fresh or unfinished one; ERR_EXISTS when
// a fresh one has data files of these blocks.
enum status corpus_writer_open(struct corpus_writer **out, struct corpus_dir *dir,
			       const struct corpus_writer_options *o, struct err *e) MUST_CHECK;
// Takes over what an earlier writer left from the next block on, each block's digest compared:
// whole data files, then the whole blocks of an unfinished one. The block to go on with is
// next->block (first.block of the options when nothing is there); blocks next->block ..
// *until - 1 are missing. Repeat after having added these and called corpus_writer_end_file,
// until both are end_block. ERR_DAMAGED names a data file to remove.
enum status corpus_writer_keep(struct corpus_writer *w, struct corpus_position *next,
			       uint64_t *until, struct err *e) MUST_CHECK;
// Blocks in order. Starts a new data file when the payload would pass file_max_bytes.
enum status corpus_writer_add(struct corpus_writer *w, const struct block_header *h,
			      const struct buf *frame, struct err *e) MUST_CHECK;
// The next block begins a new data file.
enum status corpus_writer_end_file(struct corpus_writer *w, struct err *e) MUST_CHECK;
// Seek table, sync, rename, then the manifest, then the checkpoint goes. Frees w. *m (may be
// NULL) receives the manifest; caller frees it.
enum status corpus_writer_finish(struct corpus_writer *w, struct manifest *m,
				 struct err *e) MUST_CHECK;
// NULL is fine. The .part file stays when dir has a checkpoint, else it goes.
void corpus_writer_abort(struct corpus_writer *w);
uint64_t corpus_writer_bytes(const struct corpus_writer *w); // stored so far

// ---- Reading
// --------------------------------------------------------------------------------------------------------

// Blocks that one manifest stands for: corpus.json, or that of a shard.
struct corpus_part {
	char name[SHARD_NAME_SIZE]; // of the manifest
	uint64_t first_block, end_block;
	struct digest digest; // as struct manifest.digest
};

// Shared by threads after opening: everything in it is read-only then.
struct corpus {
	char *dir; // owned
	// Of several shards: files and totals of those that are there, between which blocks may
	// be missing; digest all zero, is_known false.
	struct manifest manifest;
	bool digest_is_known;
	struct corpus_part *part; // owned, ascending
	size_t part_count;
	struct dict dict;
	struct view recipe_bytes, dict_bytes;
	// private to corpus_read.c
	struct corpus_files *files;
	struct buf head; // payload of a first frame, which the bytes and texts above point into
	struct arena arena;
};

// Opens manifest, data files and seek tables, decodes the dictionary. Without corpus.json the
// manifests of shards are taken that are there. Data files that a manifest names and that are
// not there are left out (a partial corpus); none at all is ERR_NOT_FOUND. ERR_* name the file
// and the remedy.
enum status corpus_open(struct corpus *c, const char *dir, struct err *e) MUST_CHECK;
// The same from the manifests of shards, whether there is a corpus.json or not.
enum status corpus_open_shards(struct corpus *c, const char *dir, struct err *e) MUST_CHECK;
void corpus_close(struct corpus *c); // null state: all zero
// The blocks that the manifests name are within [first, end); some may be missing.
uint64_t corpus_first_block(const struct corpus *c);
uint64_t corpus_end_block(const struct corpus *c);
bool corpus_has_block(const struct corpus *c, uint64_t number);
enum status corpus_block_header(const struct corpus *c, uint64_t number, struct block_header *h,
				struct err *e) MUST_CHECK;

// One worker's decompressor and scratch memory.
struct block_reader;
struct block_reader *block_reader_new(void);
void block_reader_free(struct block_reader *r);
// Reads, decompresses, compares the content digest and decodes block `number` into *b
// (initialised by the caller, reused). payload (may be NULL) borrows the uncompressed bytes
// until the next call. Errors: "FILE: block N: ...".
enum status corpus_read_block(const struct corpus *c, struct block_reader *r, uint64_t number,
			      struct block *b, struct view *payload, struct err *e) MUST_CHECK;

// Header and frame of a block as they are stored, its stored digest compared; frame is cleared
// first.
enum status corpus_read_stored(const struct corpus *c, struct block_reader *r, uint64_t number,
			       struct block_header *h, struct buf *frame,
			       struct err *e) MUST_CHECK;
// Digests (stored and content) and structure of one block without the checks against the
// dictionary.
enum status corpus_check_block(const struct corpus *c, struct block_reader *r, uint64_t number,
			       struct err *e) MUST_CHECK;
// Structure of a data file: every frame, header, seek table, its stored digest, and copies of
// recipe, dictionary and about.
enum status corpus_check_file(const struct corpus *c, size_t file_index,
			      struct err *e) MUST_CHECK;

// ---- Shards
// ---------------------------------------------------------------------------------------------------------

// Reads the manifests of shards in a folder into *m and *part as described at struct corpus.
// *count 0: there are none. ERR_FORMAT when two of them are not of the same corpus or overlap;
// names both.
enum status corpus_shards_read(const char *dir, struct manifest *m, struct corpus_part **part,
			       size_t *count, struct err *e) MUST_CHECK;

#endif
